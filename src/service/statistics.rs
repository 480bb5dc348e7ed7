//! What was found, as Falco prints it at the end.

use std::fmt;

use rustc_hash::FxHashMap;

use crate::engine::rule::Priority;
use crate::engine::rule::Rule;

/// Counts of matches.
#[derive(Clone, Debug, Default)]
pub struct Statistics {
    /// Events that were judged.
    pub events: u64,
    matches: u64,
    by_priority: [u64; Priority::ALL.len()],
    by_rule: FxHashMap<Box<str>, u64>,
}

impl Statistics {
    /// Counts a match.
    pub fn count(&mut self, rule: &Rule) {
        self.matches += 1;
        if let Some(count) = self.by_priority.get_mut(rule.priority as usize) {
            *count += 1;
        }
        if let Some(count) = self.by_rule.get_mut(rule.name.as_str()) {
            *count += 1;
        } else {
            self.by_rule.insert(rule.name.as_str().into(), 1);
        }
    }

    /// The text, for rules in the order of their definition.
    #[must_use]
    pub fn report<'a>(&'a self, rules: &'a [Rule]) -> impl fmt::Display + 'a {
        Report { statistics: self, rules }
    }
}

struct Report<'a> {
    statistics: &'a Statistics,
    rules: &'a [Rule],
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Events detected: {}", self.statistics.matches)?;
        writeln!(f, "Rule counts by severity:")?;
        for (priority, count) in Priority::ALL.into_iter().zip(self.statistics.by_priority) {
            let name = match priority {
                Priority::Informational => "INFO".to_owned(),
                other => other.name().to_ascii_uppercase(),
            };
            if count > 0 {
                writeln!(f, "   {name}: {count}")?;
            }
        }
        writeln!(f, "Triggered rules by rule name:")?;
        for rule in self.rules {
            if let Some(count) = self.statistics.by_rule.get(rule.name.as_str()) {
                writeln!(f, "   {}: {count}", rule.name)?;
            }
        }
        Ok(())
    }
}
