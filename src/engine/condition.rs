//! A rule's condition, typed: fields are looked up, literals converted and prepared.
//!
//! It can be walked, explained and evaluated by itself ([`Condition::holds`]); the program that
//! all rules share is made from it in `program`, and must say the same; what follows from a few
//! fields alone is in `partial`.

use std::cmp::Ordering;
use std::sync::Arc;

use super::comparison::{Quantifier, Relation, Test};
use super::matchers::BytesTest;
use super::transform::Source;
use crate::event::Event;
use crate::fields::Field;

/// A condition whose fields and literals are typed.
#[derive(Clone, Debug)]
pub struct Condition {
    pub(super) root: Node,
}

/// A node of a condition. Conjunctions have no conjunctions as children, and so on.
#[derive(Clone, Debug)]
pub enum Node {
    /// All of them; true if there are none.
    And(Vec<Self>),
    /// Any of them; false if there are none.
    Or(Vec<Self>),
    /// The opposite.
    Not(Box<Self>),
    /// One comparison.
    Test(Arc<Predicate>),
}

/// One comparison of a value that an event has.
#[derive(Debug)]
pub struct Predicate {
    /// Where the value comes from.
    pub source: Source,
    /// Canonical text of the source: equal texts give equal values.
    pub source_text: Box<str>,
    /// How the comparison applies to a list of values.
    pub quantifier: Quantifier,
    /// The comparison.
    pub test: Test,
    /// Canonical text: equal texts mean the same.
    pub text: Box<str>,
}
impl Condition {
    /// Its outermost node.
    #[must_use]
    pub const fn root(&self) -> &Node {
        &self.root
    }

    /// Whether it is true for `event`; evaluated node by node, without caches.
    #[must_use]
    pub fn holds(&self, event: &Event<'_>) -> bool {
        self.root.holds(event)
    }

    /// All comparisons, in the order in which they stand.
    pub fn for_each_predicate(&self, visit: &mut dyn FnMut(&Predicate)) {
        self.root.for_each_predicate(visit);
    }
}

impl Node {
    fn holds(&self, event: &Event<'_>) -> bool {
        match self {
            Self::And(children) => children.iter().all(|child| child.holds(event)),
            Self::Or(children) => children.iter().any(|child| child.holds(event)),
            Self::Not(child) => !child.holds(event),
            Self::Test(predicate) => predicate.holds(event),
        }
    }

    fn for_each_predicate(&self, visit: &mut dyn FnMut(&Predicate)) {
        match self {
            Self::And(children) | Self::Or(children) => {
                children.iter().for_each(|child| child.for_each_predicate(visit));
            }
            Self::Not(child) => child.for_each_predicate(visit),
            Self::Test(predicate) => visit(predicate),
        }
    }
}

impl Predicate {
    /// Whether it holds for `event`; nothing does for an absent value.
    #[must_use]
    pub fn holds(&self, event: &Event<'_>) -> bool {
        let Some(value) = self.source.value(event) else {
            return false;
        };
        match &self.test {
            Test::Right(right) => {
                right.source.value(event).is_some_and(|other| right.holds(value, other))
            }
            test => self.quantifier.holds(test, value),
        }
    }

    /// What it says of every event, if that is always the same: nothing is in an empty list, and
    /// events are numbered from 1.
    #[must_use]
    pub fn constant(&self) -> Option<bool> {
        let is_never = match &self.test {
            Test::Bytes(BytesTest::In(set)) => set.is_empty(),
            Test::IntegerIn(numbers) => numbers.is_empty(),
            Test::OneOf(tests) | Test::AnyOf(tests) | Test::AllOf(tests) => tests.is_empty(),
            _ => false,
        };
        if is_never && self.quantifier != Quantifier::All {
            return Some(false);
        }
        match (&self.source, &self.test) {
            (Source::Field { field, .. }, Test::Unsigned(relation, literal))
                if field.info.name == "evt.num" =>
            {
                match (relation, literal) {
                    (relation, 0) => Some(relation.holds(Ordering::Greater)),
                    (Relation::Less, 1) => Some(false),
                    (Relation::GreaterOrEqual, 1) => Some(true),
                    _ => None,
                }
            }
            _ => None,
        }
    }

    /// The fields that it is made from.
    pub fn for_each_field(&self, visit: &mut dyn FnMut(&Field)) {
        self.source.for_each_field(visit);
        if let Test::Right(right) = &self.test {
            right.source.for_each_field(visit);
        }
    }
}
