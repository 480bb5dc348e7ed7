//! What was found: as Falco prints it at the end, and as metrics while the agent runs.

use std::fmt;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::engine::rule::Priority;
use crate::engine::rule::Rule;
use crate::event::EventType;
use crate::metrics::{Counter, METRICS};

/// Counts of events and matches.
#[derive(Debug, Default)]
pub struct Statistics {
    /// Events that were judged.
    pub events: u64,
    /// Events that were lost; one for each loss whose size is not known.
    pub lost: u64,
    matches: u64,
    by_priority: [u64; Priority::ALL.len()],
    by_rule: FxHashMap<Box<str>, OfRule>,
    /// By source, then by event type; which of them counts now.
    by_source: Vec<OfSource>,
    source: usize,
}

/// Matches of one rule.
#[derive(Debug)]
struct OfRule {
    count: u64,
    shown: Arc<Counter>,
}

/// Events of one source, by type; a counter is there from its first event on.
#[derive(Debug)]
struct OfSource {
    name: &'static str,
    by_type: Vec<Option<Arc<Counter>>>,
}

impl Statistics {
    /// Counts the events from here on as told by the source of that name.
    pub fn set_source(&mut self, name: &'static str) {
        let known = self.by_source.iter().position(|source| source.name == name);
        self.source = known.unwrap_or_else(|| {
            self.by_source.push(OfSource { name, by_type: vec![None; EventType::COUNT] });
            self.by_source.len() - 1
        });
    }

    /// Counts an event; by type only if its source was named.
    pub fn count_event(&mut self, ty: EventType) {
        self.events += 1;
        let Some(source) = self.by_source.get_mut(self.source) else { return };
        if let Some(slot) = source.by_type.get_mut(ty.index()) {
            let name = source.name;
            slot.get_or_insert_with(|| METRICS.rules.events.with(&[name, ty.name()])).increment();
        }
    }

    /// Counts a match.
    pub fn count(&mut self, rule: &Rule) {
        self.matches += 1;
        if let Some(count) = self.by_priority.get_mut(rule.priority as usize) {
            *count += 1;
        }
        if let Some(of_rule) = self.by_rule.get_mut(rule.name.as_str()) {
            of_rule.count += 1;
            of_rule.shown.increment();
        } else {
            let shown = METRICS.rules.alerts.with(&[&rule.name, rule.priority.name()]);
            shown.increment();
            self.by_rule.insert(rule.name.as_str().into(), OfRule { count: 1, shown });
        }
    }

    /// Shows the rules that are loaded now, those that never matched with zero, and no others.
    pub fn show_rules(&mut self, rules: &[Rule]) {
        let is_loaded = |name: &str, priority: &str| {
            rules.iter().any(|rule| rule.name == name && rule.priority.name() == priority)
        };
        METRICS.rules.alerts.retain(|values| match values {
            [name, priority] => is_loaded(name, priority),
            _ => false,
        });
        for rule in rules {
            let shown = METRICS.rules.alerts.with(&[&rule.name, rule.priority.name()]);
            if let Some(of_rule) = self.by_rule.get_mut(rule.name.as_str()) {
                of_rule.shown = shown;
            }
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
            if let Some(of_rule) = self.statistics.by_rule.get(rule.name.as_str()) {
                writeln!(f, "   {}: {}", rule.name, of_rule.count)?;
            }
        }
        Ok(())
    }
}
