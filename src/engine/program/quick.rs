//! Comparisons laid out for the machine: those that cost little in a few words each, so that one
//! jump tells them apart. They are judged anew wherever they stand, which costs less than to keep
//! the result; the others are kept.

use std::sync::Arc;

use super::pool::{Judge, SlotId};
use crate::engine::comparison::{Quantifier, Relation, Test};
use crate::engine::matchers::{BytesSet, BytesTest};

/// A comparison of a text or a number. It stands in every step that asks it: cloning costs little.
#[derive(Clone, Debug)]
pub(super) struct Op {
    /// Whose value is compared.
    pub(super) slot: SlotId,
    quick: Quick,
}

/// How a value is compared.
#[derive(Clone, Debug)]
enum Quick {
    Equal(Arc<[u8]>),
    NotEqual(Arc<[u8]>),
    StartsWith(Arc<[u8]>),
    EndsWith(Arc<[u8]>),
    In(Arc<BytesSet>),
    Bool {
        of_true: bool,
        of_false: bool,
    },
    Signed(Relation, i64),
    Unsigned(Relation, u64),
    /// In another way, which isn't told here.
    Dear,
}

impl Op {
    /// Where there is no comparison.
    pub(super) const NONE: Self = Self { slot: SlotId::MAX, quick: Quick::Dear };

    /// Of a comparison of any kind.
    pub(super) fn of(judge: &Judge) -> Self {
        let Judge::Value { slot, quantifier: Quantifier::One, test } = judge else {
            return Self::NONE;
        };
        let quick = match test {
            Test::Bytes(BytesTest::Equal(literal)) => Quick::Equal(literal.as_ref().into()),
            Test::Bytes(BytesTest::NotEqual(literal)) => Quick::NotEqual(literal.as_ref().into()),
            Test::Bytes(BytesTest::StartsWith(literal)) => {
                Quick::StartsWith(literal.as_ref().into())
            }
            Test::Bytes(BytesTest::EndsWith(literal)) => Quick::EndsWith(literal.as_ref().into()),
            Test::Bytes(BytesTest::In(set)) => Quick::In(Arc::new(set.clone())),
            Test::Bool { of_true, of_false } => {
                Quick::Bool { of_true: *of_true, of_false: *of_false }
            }
            Test::Signed(relation, literal) => Quick::Signed(*relation, *literal),
            Test::Unsigned(relation, literal) => Quick::Unsigned(*relation, *literal),
            _ => Quick::Dear,
        };
        Self { slot: *slot, quick }
    }

    /// Whether the comparison is of a kind that isn't told here.
    #[inline]
    pub(super) const fn is_dear(&self) -> bool {
        matches!(self.quick, Quick::Dear)
    }

    /// Whether it holds for a text; for none if it is of numbers.
    #[inline]
    pub(super) fn holds_for_text(&self, text: &[u8]) -> bool {
        match &self.quick {
            Quick::Equal(literal) => text == &**literal,
            Quick::NotEqual(literal) => text != &**literal,
            Quick::StartsWith(literal) => text.starts_with(literal),
            Quick::EndsWith(literal) => text.ends_with(literal),
            Quick::In(set) => set.contains(text),
            _ => false,
        }
    }

    /// Whether it holds for the 64 bits of an integer, or a truth value; for none if it is of
    /// texts.
    #[inline]
    pub(super) fn holds_for_number(&self, number: i64) -> bool {
        match self.quick {
            Quick::Bool { of_true, of_false } => {
                if number == 0 {
                    of_false
                } else {
                    of_true
                }
            }
            Quick::Signed(relation, literal) => relation.holds(number.cmp(&literal)),
            Quick::Unsigned(relation, literal) => {
                relation.holds(number.cast_unsigned().cmp(&literal))
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operation_is_half_a_line_of_cache() {
        assert_eq!(size_of::<Op>(), 32);
    }
}
