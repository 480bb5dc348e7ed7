//! Audit rules as the kernel takes and lists them: `struct audit_rule_data`.
//!
//! Source: linux/audit.h, kernel/auditfilter.c (`audit_data_to_entry`), auditctl(8).

use std::fmt;

use crate::decode::reader::Reader;
use crate::decode::reader::Truncated;

/// `AUDIT_FILTER_EXIT`: the list of rules that are looked at when a call returns.
const EXIT: u32 = 4;
/// `AUDIT_ALWAYS`.
const ALWAYS: u32 = 2;
/// `AUDIT_MAX_FIELDS`, `AUDIT_BITMASK_SIZE`.
const MAX_FIELDS: usize = 64;
const MASK_WORDS: usize = 64;

/// Numbers of fields: linux/audit.h.
mod field {
    pub(super) const PID: u32 = 0;
    pub(super) const ARCH: u32 = 11;
    pub(super) const EXIT: u32 = 103;
    pub(super) const SUCCESS: u32 = 104;
    pub(super) const ARG0: u32 = 200;
    pub(super) const KEY: u32 = 210;
    /// Those whose value is a text: SUBJ_USER … SUBJ_CLR, WATCH, DIR, OBJ_USER … OBJ_LEV_HIGH,
    /// FILTERKEY, EXE.
    pub(super) const TEXTS: &[u32] = &[13, 14, 15, 16, 17, 19, 20, 21, 22, 23, 105, 107, 112, KEY];
}

/// Comparisons: `AUDIT_EQUAL` … in linux/audit.h.
const EQUAL: u32 = 0x4000_0000;
const NOT_EQUAL: u32 = 0x3000_0000;
const LESS_OR_EQUAL: u32 = 0x5000_0000;

/// A rule of ours: these calls, when they return.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Rule {
    /// `AUDIT_ARCH_…`.
    pub arch: u32,
    /// Numbers of the calls there.
    pub calls: Vec<u32>,
    /// What narrows it.
    pub filters: Vec<Filter>,
    /// The process whose calls are left out: our own.
    pub not_pid: Option<u32>,
    /// By what the rule is found again.
    pub key: String,
}

/// What a call must be like.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Filter {
    /// It succeeded, or it failed.
    Success(bool),
    /// It returned no more than this, and no error.
    ExitAtMost(u32),
    /// An argument (0 to 3) is this number; the kernel compares the lower 32 bits.
    Argument(u8, u32),
}

impl Rule {
    /// The body of a request that adds or deletes it.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut fields = vec![(field::ARCH, EQUAL, self.arch)];
        if let Some(pid) = self.not_pid {
            fields.push((field::PID, NOT_EQUAL, pid));
        }
        fields.extend(self.filters.iter().map(|filter| match *filter {
            Filter::Success(success) => (field::SUCCESS, EQUAL, u32::from(success)),
            Filter::ExitAtMost(most) => (field::EXIT, LESS_OR_EQUAL, most),
            Filter::Argument(which, value) => (field::ARG0 + u32::from(which), EQUAL, value),
        }));
        let key_len = u32::try_from(self.key.len()).unwrap_or(0);
        fields.push((field::KEY, EQUAL, key_len));
        fields.truncate(MAX_FIELDS);

        let count = u32::try_from(fields.len()).unwrap_or(0);
        let mut bytes = Vec::with_capacity(1040 + self.key.len());
        let mut word = |word: u32| bytes.extend(word.to_ne_bytes());
        [EXIT, ALWAYS, count].into_iter().for_each(&mut word);
        mask(&self.calls).into_iter().for_each(&mut word);
        let padded = |pick: fn(&(u32, u32, u32)) -> u32| {
            fields.iter().map(pick).chain(std::iter::repeat(0)).take(MAX_FIELDS)
        };
        padded(|row| row.0).for_each(&mut word);
        padded(|row| row.2).for_each(&mut word);
        padded(|row| row.1).for_each(&mut word);
        word(key_len);
        bytes.extend(self.key.as_bytes());
        bytes
    }
}

/// As auditctl(8) would be told, without the names of the calls.
impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "-a always,exit -F arch={:#x} -S ", self.arch)?;
        for (place, call) in self.calls.iter().enumerate() {
            write!(f, "{}{call}", if place == 0 { "" } else { "," })?;
        }
        if let Some(pid) = self.not_pid {
            write!(f, " -F pid!={pid}")?;
        }
        for filter in &self.filters {
            write!(f, " {filter}")?;
        }
        write!(f, " -k {}", self.key)
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Success(success) => write!(f, "-F success={}", u8::from(*success)),
            Self::ExitAtMost(most) => write!(f, "-F exit<={most}"),
            Self::Argument(which, value) => write!(f, "-F a{which}={value:#x}"),
        }
    }
}

/// The bits of the calls.
fn mask(calls: &[u32]) -> [u32; MASK_WORDS] {
    let mut mask = [0; MASK_WORDS];
    for &call in calls {
        let word = usize::try_from(call / 32).ok().and_then(|word| mask.get_mut(word));
        if let Some(word) = word {
            *word |= 1 << (call % 32);
        }
    }
    mask
}

/// What is needed of a rule that the kernel lists.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Listed {
    /// Its key, if it has one.
    pub key: Option<Vec<u8>>,
    /// It tells of every return of its calls, whoever makes them: no other field than arch and
    /// key.
    pub is_unconditional: bool,
    /// The architecture that it is for; `None`: all.
    pub arch: Option<u32>,
    mask: [u32; MASK_WORDS],
}

impl Listed {
    /// Reads a listed rule.
    ///
    /// # Errors
    ///
    /// [`Truncated`] if it is shorter than it says.
    pub fn parse(bytes: &[u8]) -> Result<Self, Truncated> {
        let mut reader = Reader::new(bytes);
        let list = reader.u32_ne("list")?;
        let action = reader.u32_ne("action")?;
        let count = usize::try_from(reader.u32_ne("fields")?).unwrap_or(0).min(MAX_FIELDS);
        let mut mask = [0; MASK_WORDS];
        let mut words = [[0; MAX_FIELDS]; 3];
        for word in mask.iter_mut().chain(words.as_flattened_mut()) {
            *word = reader.u32_ne("rule")?;
        }
        let [kinds, values, operators] = words;
        let texts_len = reader.u32_ne("length of texts")?;
        let mut texts = Reader::new(reader.take(usize::try_from(texts_len).unwrap_or(0), "texts")?);
        let mut rule = Self {
            key: None,
            is_unconditional: list == EXIT && action == ALWAYS,
            arch: None,
            mask,
        };
        let fields = kinds.iter().zip(values).zip(operators).take(count);
        for ((&kind, value), operator) in fields {
            let text = if field::TEXTS.contains(&kind) {
                texts.take(usize::try_from(value).unwrap_or(0), "text of a field")?
            } else {
                b""
            };
            match kind {
                field::KEY => rule.key = Some(text.to_vec()),
                field::ARCH if operator == EQUAL => rule.arch = Some(value),
                _ => rule.is_unconditional = false,
            }
        }
        Ok(rule)
    }

    /// Whether one of its keys is `key`: several are one text with 0x01 between them.
    #[must_use]
    pub fn has_key(&self, key: &str) -> bool {
        let keys = self.key.as_deref().unwrap_or_default();
        keys.split(|&byte| byte == 1).any(|one| one == key.as_bytes())
    }

    /// Whether it tells of every return of that call.
    #[must_use]
    pub fn covers(&self, arch: u32, call: u32) -> bool {
        let word = usize::try_from(call / 32).ok().and_then(|word| self.mask.get(word));
        self.is_unconditional
            && self.arch.is_none_or(|own| own == arch)
            && word.is_some_and(|word| word & 1 << (call % 32) != 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const X86_64: u32 = 0xc000_003e;

    fn rule(filters: &[Filter]) -> Rule {
        Rule {
            arch: X86_64,
            calls: vec![42, 59],
            filters: filters.to_vec(),
            not_pid: None,
            key: "eyas".to_owned(),
        }
    }

    #[test]
    fn what_is_written_is_what_is_read() {
        let bytes = rule(&[]).to_bytes();
        assert_eq!(bytes.len(), 1040 + 4);
        let listed = Listed::parse(&bytes).unwrap();
        assert!(listed.has_key("eyas") && !listed.has_key("eya"));
        assert!(listed.covers(X86_64, 42) && listed.covers(X86_64, 59));
        assert!(!listed.covers(X86_64, 43) && !listed.covers(0x4000_0003, 42));
    }

    #[test]
    fn a_narrowed_rule_covers_nothing_for_others() {
        for filter in [Filter::Success(true), Filter::ExitAtMost(2), Filter::Argument(0, 17)] {
            let listed = Listed::parse(&rule(&[filter]).to_bytes()).unwrap();
            assert!(!listed.covers(X86_64, 42), "{filter:?}");
            assert!(listed.has_key("eyas"));
        }
    }

    #[test]
    fn a_rule_reads_as_auditctl_takes_it() {
        let rule = Rule { not_pid: Some(7), ..rule(&[Filter::Success(true)]) };
        let text = "-a always,exit -F arch=0xc000003e -S 42,59 -F pid!=7 -F success=1 -k eyas";
        assert_eq!(rule.to_string(), text);
    }

    #[test]
    fn a_cut_or_lying_rule_is_an_error() {
        let bytes = rule(&[]).to_bytes();
        for len in 0..bytes.len() {
            assert!(Listed::parse(&bytes[..len]).is_err(), "{len}");
        }
        // The key claims to be longer than all texts.
        let mut lying = bytes;
        let value_of_key = 12 + 256 + 256 + 4;
        lying[value_of_key] = 200;
        assert!(Listed::parse(&lying).is_err());
    }
}
