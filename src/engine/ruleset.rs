//! All rules, compiled into one program with an index from event type to rules.

use super::rule::Rule;
use crate::event::{Event, known};

/// The event source whose rules are judged here.
const SOURCE: &str = "syscall";

/// Which of several matching rules alert.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Matching {
    /// The first, in the order of enabling.
    #[default]
    First,
    /// All.
    All,
}

/// Immutable; a reload builds a new one and swaps it between two events.
#[derive(Debug)]
pub struct RuleSet {
    rules: Vec<Rule>,
    matching: Matching,
}

/// What evaluation needs beside the rules: caches, cleared by generation and never freed.
#[derive(Debug, Default)]
pub struct Scratch {}

impl RuleSet {
    /// Builds the program. `rules` stand in the order in which they are tried.
    #[must_use]
    pub fn build(rules: Vec<Rule>, matching: Matching) -> Self {
        Self { rules, matching }
    }

    /// All rules, in the order in which they are tried.
    #[must_use]
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// Judges one event; `on_match` is told each rule that matches.
    pub fn evaluate(&self, event: &Event<'_>, _scratch: &mut Scratch, on_match: impl FnMut(&Rule)) {
        self.evaluate_plainly(event, on_match);
    }

    /// Judges one event rule by rule, without the program: what [`evaluate`](Self::evaluate) must
    /// agree with, and is measured against.
    pub fn evaluate_plainly(&self, event: &Event<'_>, mut on_match: impl FnMut(&Rule)) {
        for rule in &self.rules {
            // Every rule is also tried for asynchronous events.
            let is_tried = rule.events.contains(event.ty) || event.ty == known::ASYNCEVENT;
            if !rule.enabled || rule.source != SOURCE || !is_tried {
                continue;
            }
            if rule.condition.holds(event) {
                on_match(rule);
                if self.matching == Matching::First {
                    return;
                }
            }
        }
    }
}
