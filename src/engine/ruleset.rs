//! All rules, compiled into one program with an index from event type to rules.

use super::rule::Rule;
use crate::event::Event;

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
}

/// What evaluation needs beside the rules: caches, cleared by generation and never freed.
#[derive(Debug, Default)]
pub struct Scratch {}

impl RuleSet {
    /// Builds the program. `rules` stand in the order in which they are tried.
    #[must_use]
    pub fn build(rules: Vec<Rule>, _matching: Matching) -> Self {
        Self { rules }
    }

    /// All rules, in the order in which they are tried.
    #[must_use]
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// Judges one event; `on_match` is told each rule that matches.
    pub fn evaluate(
        &self,
        _event: &Event<'_>,
        _scratch: &mut Scratch,
        _on_match: impl FnMut(&Rule),
    ) {
    }
}
