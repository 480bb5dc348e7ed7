//! Comparisons of one value: with something that was prepared at load, or with another value.

use std::cmp::Ordering;
use std::net::IpAddr;

use super::matchers::{BytesTest, Glob};
use super::transform::Source;
use super::types::Net;
use crate::event::Value;

/// How a comparison applies to a list of values.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Quantifier {
    /// The value is no list.
    One,
    /// It must hold for an element.
    Any,
    /// It must hold for every element.
    All,
    /// It must hold for an end of a connection; `!=` for both.
    Ends,
}

/// A comparison with something prepared.
#[derive(Clone, Debug)]
pub enum Test {
    /// There is a value.
    Exists,
    /// With a signed integer.
    Signed(Relation, i64),
    /// With an unsigned integer.
    Unsigned(Relation, u64),
    /// With the bits of an integer, cut to the width of the value, as the value's type compares.
    Native(Relation, u64),
    /// With the 64 bits of several integers, sorted.
    IntegerIn(Box<[i64]>),
    /// With a floating-point number.
    Double(Relation, f64),
    /// With several floating-point numbers.
    DoubleIn(Box<[f64]>),
    /// With `true` and with `false`.
    Bool {
        /// What it says of `true`.
        of_true: bool,
        /// What it says of `false`.
        of_false: bool,
    },
    /// Of bytes.
    Bytes(BytesTest),
    /// With an address; or with all others.
    Ip(IpAddr, bool),
    /// With several addresses.
    IpIn(Box<[IpAddr]>),
    /// Inside a network; or not inside.
    Net(Net, bool),
    /// Inside one of several networks.
    NetIn(Box<[Net]>),
    /// Within so many nanoseconds of a time.
    Around(u64, u64),
    /// Exactly one of them holds.
    OneOf(Box<[Self]>),
    /// At least one of them holds.
    AnyOf(Box<[Self]>),
    /// There are some and all of them hold.
    AllOf(Box<[Self]>),
    /// With another value of the event.
    Right(RightTest),
}

/// How two values must lie to each other.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Relation {
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `=`
    Equal,
    /// `!=`
    NotEqual,
    /// `>=`
    GreaterOrEqual,
    /// `>`
    Greater,
}

impl Relation {
    /// Whether values that compare so lie so to each other.
    #[must_use]
    pub const fn holds(self, ordering: Ordering) -> bool {
        match self {
            Self::Less => ordering.is_lt(),
            Self::LessOrEqual => ordering.is_le(),
            Self::Equal => ordering.is_eq(),
            Self::NotEqual => ordering.is_ne(),
            Self::GreaterOrEqual => ordering.is_ge(),
            Self::Greater => ordering.is_gt(),
        }
    }
}

/// A comparison of two values of one event.
#[derive(Clone, Debug)]
pub struct RightTest {
    /// Where the right value comes from.
    pub source: Source,
    /// Canonical text of the source.
    pub source_text: Box<str>,
    /// How they are compared.
    pub comparison: Comparison,
    /// Whether numbers are compared as signed ones.
    pub is_signed: bool,
}

/// How two values are compared.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Comparison {
    /// By order or equality.
    Relation(Relation),
    /// The left has the right in it.
    Contains,
    /// The same without regard to the case of ASCII letters.
    IContains,
    /// The left begins with the right.
    StartsWith,
    /// The left ends with the right.
    EndsWith,
    /// The right is a pattern of `*`, `?` and `[…]` for all of the left.
    Glob,
    /// The same without regard to the case of ASCII letters.
    IGlob,
    /// Every element of the left is one of the right.
    In,
    /// Some element of the left is one of the right.
    Intersects,
}

impl Quantifier {
    /// Whether `test` holds for `value`, or for its elements.
    #[must_use]
    pub fn holds(self, test: &Test, value: Value<'_>) -> bool {
        match (self, value) {
            (_, Value::List(_)) if matches!(test, Test::Exists) => true,
            (Self::All, Value::List(values)) => values.iter().all(|value| test.holds(*value)),
            (Self::Ends, Value::List(values)) => test.holds_for_ends(values),
            (_, Value::List(values)) => values.iter().any(|value| test.holds(*value)),
            (_, value) => test.holds(value),
        }
    }
}

impl Test {
    /// Whether it holds for a value that is no list; false for a value of another type.
    #[must_use]
    pub fn holds(&self, value: Value<'_>) -> bool {
        match value {
            Value::Bytes(text) => self.holds_for_text(text),
            Value::Int(number) => self.holds_for_number(number),
            Value::UInt(number) => self.holds_for_number(number.cast_signed()),
            Value::Bool(flag) => self.holds_for_number(i64::from(flag)),
            value => self.holds_for_other(value),
        }
    }

    /// Whether it holds for text or bytes.
    #[inline]
    #[must_use]
    pub fn holds_for_text(&self, text: &[u8]) -> bool {
        match self {
            Self::Bytes(test) => test.holds(text),
            Self::Exists => true,
            Self::OneOf(tests) => {
                tests.iter().filter(|test| test.holds_for_text(text)).count() == 1
            }
            Self::AnyOf(tests) => tests.iter().any(|test| test.holds_for_text(text)),
            Self::AllOf(tests) => {
                !tests.is_empty() && tests.iter().all(|test| test.holds_for_text(text))
            }
            _ => false,
        }
    }

    /// Whether it holds for the 64 bits of an integer, or for `false` (0) and `true`.
    #[must_use]
    pub fn holds_for_number(&self, number: i64) -> bool {
        match self {
            Self::Signed(relation, literal) => relation.holds(number.cmp(literal)),
            Self::Unsigned(relation, literal) => {
                relation.holds(number.cast_unsigned().cmp(literal))
            }
            Self::IntegerIn(literals) => literals.binary_search(&number).is_ok(),
            Self::Bool { of_true, of_false } => {
                if number == 0 {
                    *of_false
                } else {
                    *of_true
                }
            }
            Self::Around(time, distance) => number.cast_unsigned().abs_diff(*time) <= *distance,
            Self::Exists => true,
            Self::OneOf(tests) => {
                tests.iter().filter(|test| test.holds_for_number(number)).count() == 1
            }
            Self::AnyOf(tests) => tests.iter().any(|test| test.holds_for_number(number)),
            Self::AllOf(tests) => {
                !tests.is_empty() && tests.iter().all(|test| test.holds_for_number(number))
            }
            _ => false,
        }
    }

    fn holds_for_other(&self, value: Value<'_>) -> bool {
        match (self, value) {
            (Self::Exists, _) => true,
            (Self::Signed(relation, literal), Value::NotNegative) => {
                holds_if_not_negative(*relation, *literal)
            }
            (Self::Unsigned(relation, literal), Value::NotNegative) => {
                *relation == Relation::GreaterOrEqual && *literal == 0
            }
            (Self::Native(relation, literal), Value::NotNegative) => {
                holds_if_not_negative(*relation, literal.cast_signed())
            }
            (Self::Native(relation, literal), Value::Native(ty, bits)) => {
                relation.holds(ty.compare(bits, *literal))
            }
            (Self::Double(relation, literal), Value::Double(number)) => {
                number.partial_cmp(literal).is_some_and(|ordering| relation.holds(ordering))
            }
            (Self::DoubleIn(literals), Value::Double(number)) => literals.contains(&number),
            (Self::Ip(literal, wanted), Value::Ip(ip)) => (ip == *literal) == *wanted,
            (Self::IpIn(literals), Value::Ip(ip)) => literals.contains(&ip),
            (Self::Net(net, wanted), Value::Ip(ip)) => net.contains(ip) == *wanted,
            (Self::NetIn(nets), Value::Ip(ip)) => nets.iter().any(|net| net.contains(ip)),
            (Self::OneOf(tests), value) => {
                tests.iter().filter(|test| test.holds_for_other(value)).count() == 1
            }
            (Self::AnyOf(tests), value) => tests.iter().any(|test| test.holds_for_other(value)),
            (Self::AllOf(tests), value) => {
                !tests.is_empty() && tests.iter().all(|test| test.holds_for_other(value))
            }
            _ => false,
        }
    }

    /// Whether it holds for the ends of a connection.
    fn holds_for_ends(&self, ends: &[Value<'_>]) -> bool {
        match self {
            Self::OneOf(tests) => {
                tests.iter().filter(|test| test.holds_for_ends(ends)).count() == 1
            }
            Self::AnyOf(tests) => tests.iter().any(|test| test.holds_for_ends(ends)),
            Self::AllOf(tests) => {
                !tests.is_empty() && tests.iter().all(|test| test.holds_for_ends(ends))
            }
            Self::Signed(Relation::NotEqual, _)
            | Self::Unsigned(Relation::NotEqual, _)
            | Self::Ip(_, false)
            | Self::Net(_, false) => !ends.is_empty() && ends.iter().all(|end| self.holds(*end)),
            _ => ends.iter().any(|end| self.holds(*end)),
        }
    }
}

impl RightTest {
    /// Whether it holds for two values that are there.
    #[must_use]
    pub fn holds(&self, left: Value<'_>, right: Value<'_>) -> bool {
        let is_in = |value: &Value<'_>| match right {
            Value::List(others) => others.iter().any(|other| self.are_equal(*value, *other)),
            other => self.are_equal(*value, other),
        };
        match (self.comparison, left) {
            (Comparison::In, Value::List(values)) => values.iter().all(is_in),
            (Comparison::Intersects, Value::List(values)) => values.iter().any(is_in),
            (Comparison::In | Comparison::Intersects, value) => is_in(&value),
            (Comparison::Relation(relation), value) => {
                self.compare(value, right).is_some_and(|ordering| relation.holds(ordering))
            }
            (comparison, value) => match (value.as_bytes(), right.as_bytes()) {
                (Some(value), Some(literal)) => holds_of_bytes(comparison, value, literal),
                _ => false,
            },
        }
    }

    fn are_equal(&self, left: Value<'_>, right: Value<'_>) -> bool {
        self.compare(left, right) == Some(Ordering::Equal)
    }

    /// `None` if they can't be compared.
    fn compare(&self, left: Value<'_>, right: Value<'_>) -> Option<Ordering> {
        match (left, right) {
            (Value::Bytes(left), Value::Bytes(right)) => Some(left.cmp(right)),
            (Value::Ip(left), Value::Ip(right)) => Some(left.cmp(&right)),
            (Value::Double(left), Value::Double(right)) => left.partial_cmp(&right),
            (Value::Bool(left), Value::Bool(right)) => Some(left.cmp(&right)),
            (left, right) => {
                let (left, right) = (as_integer(left)?, as_integer(right)?);
                Some(if self.is_signed {
                    left.cmp(&right)
                } else {
                    left.cast_unsigned().cmp(&right.cast_unsigned())
                })
            }
        }
    }
}

/// The plain form of the comparisons of bytes.
fn holds_of_bytes(comparison: Comparison, value: &[u8], literal: &[u8]) -> bool {
    match comparison {
        Comparison::Contains => memchr::memmem::find(value, literal).is_some(),
        Comparison::IContains => {
            literal.is_empty()
                || value.windows(literal.len()).any(|window| window.eq_ignore_ascii_case(literal))
        }
        Comparison::StartsWith => value.starts_with(literal),
        Comparison::EndsWith => value.ends_with(literal),
        Comparison::Glob => Glob::new(literal, false).matches(value),
        Comparison::IGlob => Glob::new(literal, true).matches(value),
        Comparison::Relation(_) | Comparison::In | Comparison::Intersects => false,
    }
}

/// What is true of an integer of which only the sign is known.
const fn holds_if_not_negative(relation: Relation, literal: i64) -> bool {
    match relation {
        Relation::GreaterOrEqual => literal <= 0,
        Relation::Greater | Relation::NotEqual => literal < 0,
        Relation::Less | Relation::LessOrEqual | Relation::Equal => false,
    }
}

/// The 64 bits of an integer.
fn as_integer(value: Value<'_>) -> Option<i64> {
    match value {
        Value::Int(number) => Some(number),
        Value::UInt(number) => Some(number.cast_signed()),
        Value::Bool(flag) => Some(i64::from(flag)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_number_that_is_not_negative_passes_for_success_and_equals_nothing() {
        let holds = |relation, literal| Test::Signed(relation, literal).holds(Value::NotNegative);
        assert!(holds(Relation::GreaterOrEqual, 0) && holds(Relation::Greater, -1));
        assert!(holds(Relation::NotEqual, -1) && !holds(Relation::NotEqual, 5));
        assert!(!holds(Relation::Less, 0) && !holds(Relation::Equal, 5));
        assert!(!holds(Relation::Greater, 0) && !holds(Relation::LessOrEqual, 100));
        assert!(!Test::IntegerIn([1].into()).holds(Value::NotNegative));
    }

    #[test]
    fn both_ends_must_differ_but_one_may_be_equal() {
        let ends = [Value::UInt(22), Value::UInt(4000)];
        let holds = |test: Test| Quantifier::Ends.holds(&test, Value::List(&ends));
        assert!(holds(Test::Unsigned(Relation::Equal, 22)));
        assert!(holds(Test::Unsigned(Relation::Less, 23)));
        assert!(!holds(Test::Unsigned(Relation::NotEqual, 22)));
        assert!(holds(Test::Unsigned(Relation::NotEqual, 80)));
        let others = [80, 22].map(|port| Test::Unsigned(Relation::NotEqual, port));
        assert!(!holds(Test::AllOf(others.clone().into())) && holds(Test::OneOf(others.into())));
    }

    #[test]
    fn in_is_true_of_an_empty_list_and_intersects_is_not() {
        let test = Test::IntegerIn([1].into());
        assert!(Quantifier::All.holds(&test, Value::List(&[])));
        assert!(!Quantifier::Any.holds(&test, Value::List(&[])));
    }

    #[test]
    fn modifiers_without_values_are_false() {
        let value = Value::Int(1);
        for test in [Test::OneOf([].into()), Test::AnyOf([].into()), Test::AllOf([].into())] {
            assert!(!test.holds(value));
        }
    }

    #[test]
    fn unsigned_numbers_are_compared_as_such() {
        let test = Test::Unsigned(Relation::Greater, 1);
        assert!(test.holds(Value::UInt(u64::MAX)));
        assert!(!Test::Signed(Relation::Greater, 1).holds(Value::Int(-1)));
    }
}
