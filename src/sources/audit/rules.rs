//! Our rules in the kernel: put in, kept there, taken out; never anyone else's.

use std::io;

use super::KEY;
use super::control::Control;
use crate::decode::audit::rule::Listed;
use crate::decode::audit::rule::Rule;

/// The rules of ours that should be in the kernel.
#[derive(Debug, Default)]
pub struct Installed {
    rules: Vec<Rule>,
}

impl Installed {
    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// The rules.
    #[must_use]
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// Makes the kernel have these rules of ours and no others: new ones come before old ones go,
    /// so that nothing is missed meanwhile.
    ///
    /// # Errors
    ///
    /// The first refusal, with the rule; those that were taken before stay.
    pub fn replace(
        &mut self,
        control: &mut Control,
        rules: Vec<Rule>,
    ) -> Result<(), (Rule, io::Error)> {
        for rule in &rules {
            if self.rules.contains(rule) {
                continue;
            }
            match control.add(rule) {
                Err(error) if error.raw_os_error() != Some(libc::EEXIST) => {
                    return Err((rule.clone(), error));
                }
                _ => self.rules.push(rule.clone()),
            }
        }
        let old: Vec<Rule> =
            self.rules.iter().filter(|rule| !rules.contains(rule)).cloned().collect();
        for rule in old {
            // Gone already is as good.
            let _ = control.delete(&rule.to_bytes());
        }
        self.rules = rules;
        Ok(())
    }

    /// Puts back those that somebody deleted; how many.
    pub(super) fn reinstall(&self, control: &mut Control) -> io::Result<usize> {
        let listed = control.rules()?;
        let has_key = |rule: &&Vec<u8>| Listed::parse(rule).is_ok_and(|rule| rule.has_key(KEY));
        if listed.iter().filter(has_key).count() >= self.rules.len() {
            return Ok(0);
        }
        let mut count = 0;
        for rule in &self.rules {
            match control.add(rule) {
                Ok(()) => count += 1,
                Err(error) if error.raw_os_error() == Some(libc::EEXIST) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(count)
    }

    /// Takes all out.
    ///
    /// # Errors
    ///
    /// As [`remove_rules`].
    pub fn remove(&mut self, control: &mut Control) -> io::Result<()> {
        if self.rules.is_empty() {
            return Ok(());
        }
        self.rules.clear();
        remove_rules(control).map(drop)
    }
}

/// Takes out every rule with our key, whoever of us put it in; how many.
///
/// # Errors
///
/// `EPERM` if the audit is immutable.
pub fn remove_rules(control: &mut Control) -> io::Result<usize> {
    control.delete_by_key(KEY)
}
