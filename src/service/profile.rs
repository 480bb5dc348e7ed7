//! What each rule costs on the events that come: measured by a clock, each rule by itself and all
//! together.

use std::collections::HashMap;
use std::time::Instant;

use crate::engine::rule::Rule;
use crate::engine::ruleset::RuleSet;
use crate::engine::ruleset::Scratch;
use crate::event::Event;

/// What one rule cost and did.
#[derive(Clone, Copy, Debug, Default)]
pub struct Row {
    /// Events of its types.
    pub tried: u64,
    /// Events that it matched.
    pub matched: u64,
    /// Nanoseconds when judged by itself.
    pub ns: u64,
}

/// Measures rules on the events that it is shown.
#[derive(Debug)]
pub struct Profile {
    /// How many events it was shown.
    pub events: u64,
    /// Nanoseconds of the program that all rules share.
    pub shared_ns: u64,
    scratch: Scratch,
    rows: HashMap<String, Row>,
    /// Nanoseconds that reading the clock twice takes.
    clock_ns: u64,
}

impl Default for Profile {
    /// Without any event yet.
    fn default() -> Self {
        let clock_ns = (0..1000).map(|_| elapsed(Instant::now())).min().unwrap_or(0);
        let (scratch, rows) = (Scratch::default(), HashMap::new());
        Self { events: 0, shared_ns: 0, scratch, rows, clock_ns }
    }
}

impl Profile {
    /// Measures `rules` on one event: together as the agent judges them, then each by itself.
    pub fn see(&mut self, rules: &RuleSet, event: &Event<'_>) {
        let start = Instant::now();
        rules.evaluate(event, &mut self.scratch, |_| {});
        self.shared_ns += elapsed(start).saturating_sub(self.clock_ns);
        self.events += 1;
        for rule in rules.tried_for(event.ty) {
            let start = Instant::now();
            let matched = rule.condition.holds(event);
            let ns = elapsed(start).saturating_sub(self.clock_ns);
            if !self.rows.contains_key(&rule.name) {
                self.rows.insert(rule.name.clone(), Row::default());
            }
            if let Some(row) = self.rows.get_mut(&rule.name) {
                row.tried += 1;
                row.matched += u64::from(matched);
                row.ns += ns;
            }
        }
    }

    /// What is known of a rule.
    #[must_use]
    pub fn row(&self, rule: &Rule) -> Row {
        self.rows.get(&rule.name).copied().unwrap_or_default()
    }
}

fn elapsed(start: Instant) -> u64 {
    u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX)
}
