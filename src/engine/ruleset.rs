//! All rules, compiled into one program with an index from event type to rules.

use super::program::{Input, Program};
use super::rule::Rule;
use crate::event::{Event, EventType, known};

pub use super::program::Scratch;

/// The event source whose rules are judged here.
const SOURCE: &str = "syscall";

/// Which of several matching rules alert: `rule_matching` of the configuration.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Matching {
    /// The first, in the order of enabling.
    #[default]
    First,
    /// All.
    All,
}

/// All rules as one program, immutable: threads may share it, each with a [`Scratch`] of its own. A
/// reload builds a new one and swaps it between two events.
#[derive(Debug)]
pub struct RuleSet {
    rules: Vec<Rule>,
    matching: Matching,
    program: Program,
}

impl RuleSet {
    /// Builds the program. `rules` stand in the order in which they are tried; those that are not
    /// enabled, or of another source than `syscall`, never match.
    #[must_use]
    pub fn build(rules: Vec<Rule>, matching: Matching) -> Self {
        let inputs: Vec<_> = (0..)
            .zip(&rules)
            .filter(|(_, rule)| is_judged(rule))
            .map(|(index, rule)| Input {
                rule: index,
                condition: &rule.condition,
                events: &rule.events,
            })
            .collect();
        let program = Program::build(&inputs);
        Self { rules, matching, program }
    }

    /// All rules, in the order in which they are tried.
    #[must_use]
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// Judges one event; `on_match` is told each rule that matches (only the first of them with
    /// [`Matching::First`]), in the order in which they are tried.
    ///
    /// Once `scratch` has grown to what the program needs, nothing is allocated but in the event's
    /// arena, which whoever made the event resets.
    pub fn evaluate(
        &self,
        event: &Event<'_>,
        scratch: &mut Scratch,
        mut on_match: impl FnMut(&Rule),
    ) {
        let matches = self.program.run(event, scratch);
        let told = if self.matching == Matching::First { 1 } else { usize::MAX };
        for index in matches.iter().take(told) {
            if let Some(rule) = self.rules.get(*index as usize) {
                on_match(rule);
            }
        }
    }

    /// Judges one event rule by rule, without the program: what [`evaluate`](Self::evaluate) must
    /// agree with, and is measured against.
    pub fn evaluate_plainly(&self, event: &Event<'_>, mut on_match: impl FnMut(&Rule)) {
        for rule in self.tried_for(event.ty) {
            if rule.condition.holds(event) {
                on_match(rule);
                if self.matching == Matching::First {
                    return;
                }
            }
        }
    }

    /// The rules that are tried for events of type `ty`, in that order.
    pub fn tried_for(&self, ty: EventType) -> impl Iterator<Item = &Rule> {
        // Every rule is also tried for asynchronous events.
        let is_tried = move |rule: &&Rule| rule.events.contains(ty) || ty == known::ASYNCEVENT;
        self.rules.iter().filter(|rule| is_judged(rule)).filter(is_tried)
    }
}

fn is_judged(rule: &Rule) -> bool {
    rule.enabled && rule.source == SOURCE
}
