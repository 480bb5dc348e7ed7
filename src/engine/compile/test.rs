//! Makes the comparison of a check from its operator, its type and its literals.

use std::cmp::Ordering;

use super::operand::Typed;
use crate::engine::comparison::{Comparison, Relation, RightTest, Test};
use crate::engine::lang::ast::{ListModifier, Operator};
use crate::engine::matchers::{BytesSet, BytesTest, Glob, Paths, PosixRegex};
use crate::engine::types::{Family, Literal};
use crate::event::DataType;

/// The comparison with literals that were converted to `ty`.
pub(super) fn of_literals(
    operator: Operator,
    modifier: Option<ListModifier>,
    ty: DataType,
    literals: &[Literal],
) -> Result<Test, String> {
    let family = Family::of(ty);
    let Some(modifier) = modifier else {
        return match (operator, literals) {
            (Operator::In | Operator::Intersects, _) => Ok(of_set(family, literals)),
            (Operator::PMatch, _) => {
                let paths = literals.iter().filter_map(as_bytes);
                Ok(Test::Bytes(BytesTest::Paths(Paths::new(paths))))
            }
            (_, [literal]) => of_one(operator, family, literal),
            _ => Err("filter error: expected one value".to_owned()),
        };
    };
    if (operator, modifier) == (Operator::Equal, ListModifier::AnyOf) {
        return Ok(of_set(family, literals));
    }
    let tests: Result<_, _> =
        literals.iter().map(|literal| of_one(operator, family, literal)).collect();
    Ok(match modifier {
        ListModifier::OneOf => Test::OneOf(tests?),
        ListModifier::AnyOf => Test::AnyOf(tests?),
        ListModifier::AllOf => Test::AllOf(tests?),
    })
}

/// The comparison with another value of the event.
pub(super) fn of_operand(operator: Operator, left: &Typed, right: Typed) -> Result<Test, String> {
    let family = Family::of(left.ty);
    let comparison = match operator {
        Operator::PMatch => {
            return Err("operator 'PMATCH' doesn't support right-hand side fields".to_owned());
        }
        Operator::Regex => {
            return Err("operator 'REGEX' doesn't support right-hand side fields".to_owned());
        }
        Operator::In => Comparison::In,
        Operator::Intersects => Comparison::Intersects,
        Operator::Contains | Operator::BContains => Comparison::Contains,
        Operator::IContains => Comparison::IContains,
        Operator::StartsWith | Operator::BStartsWith => Comparison::StartsWith,
        Operator::EndsWith => Comparison::EndsWith,
        Operator::Glob => Comparison::Glob,
        Operator::IGlob => Comparison::IGlob,
        _ => Comparison::Relation(relation(operator)),
    };
    if family == Family::Net {
        let ty = left.ty.name();
        return Err(format!("field type '{ty}' doesn't support right-hand side fields"));
    }
    if !left.supports_fields() {
        return Err(format!("field '{}' doesn't support right-hand side fields", left.name));
    }
    if !right.supports_fields() {
        return Err(format!("field '{}' can't be used as a right-hand side field", right.name));
    }
    if left.ty != right.ty || left.is_list != right.is_list {
        let list = |typed: &Typed| if typed.is_list { " (list)" } else { "" };
        return Err(format!(
            "field '{}' has type '{}{}' while the right-hand side field '{}' has incompatible type '{}{}'",
            left.name,
            left.ty.name(),
            list(left),
            right.name,
            right.ty.name(),
            list(&right),
        ));
    }
    let is_signed = matches!(family, Family::Integer { is_signed: true, .. });
    let source_text = right.text.into();
    Ok(Test::Right(RightTest { source: right.source, source_text, comparison, is_signed }))
}

/// A comparison with the bits of the literals, for values that come with a type of their own.
pub(super) fn native(test: Test, ty: DataType) -> Test {
    let all = |tests: Box<[Test]>| tests.into_iter().map(|test| native(test, ty)).collect();
    match test {
        Test::Signed(relation, number) => Test::Native(relation, ty.masked(number.cast_unsigned())),
        Test::Unsigned(relation, number) => Test::Native(relation, ty.masked(number)),
        Test::OneOf(tests) => Test::OneOf(all(tests)),
        Test::AnyOf(tests) => Test::AnyOf(all(tests)),
        Test::AllOf(tests) => Test::AllOf(all(tests)),
        other => other,
    }
}

fn of_set(family: Family, literals: &[Literal]) -> Test {
    match family {
        Family::Integer { .. } | Family::Port => {
            let mut numbers: Vec<i64> = literals.iter().filter_map(as_integer).collect();
            numbers.sort_unstable();
            numbers.dedup();
            Test::IntegerIn(numbers.into())
        }
        Family::Double => Test::DoubleIn(
            literals
                .iter()
                .filter_map(|literal| match literal {
                    Literal::Double(number) => Some(*number),
                    _ => None,
                })
                .collect(),
        ),
        Family::Bool => Test::Bool {
            of_true: literals.contains(&Literal::Bool(true)),
            of_false: literals.contains(&Literal::Bool(false)),
        },
        Family::Ip => Test::IpIn(
            literals
                .iter()
                .filter_map(|literal| match literal {
                    Literal::Ip(address) => Some(*address),
                    _ => None,
                })
                .collect(),
        ),
        Family::Net => Test::NetIn(
            literals
                .iter()
                .filter_map(|literal| match literal {
                    Literal::Net(net) => Some(*net),
                    _ => None,
                })
                .collect(),
        ),
        Family::Text | Family::Buffer | Family::Other => {
            let elements = literals.iter().filter_map(as_bytes).map(Into::into);
            Test::Bytes(BytesTest::In(BytesSet::new(elements)))
        }
    }
}

/// The comparison with one literal.
fn of_one(operator: Operator, family: Family, literal: &Literal) -> Result<Test, String> {
    let relation = relation(operator);
    let is_equal = relation == Relation::Equal;
    Ok(match literal {
        Literal::Integer(number) => match family {
            Family::Integer { is_signed: true, .. } => Test::Signed(relation, *number),
            _ => Test::Unsigned(relation, number.cast_unsigned()),
        },
        Literal::Double(number) => Test::Double(relation, *number),
        Literal::Bool(flag) => {
            Test::Bool { of_true: *flag == is_equal, of_false: *flag != is_equal }
        }
        Literal::Ip(address) => Test::Ip(*address, is_equal),
        Literal::Net(net) => Test::Net(*net, is_equal),
        Literal::Bytes(bytes) => Test::Bytes(of_bytes(operator, bytes)?),
    })
}

fn of_bytes(operator: Operator, literal: &[u8]) -> Result<BytesTest, String> {
    Ok(match operator {
        Operator::NotEqual => BytesTest::NotEqual(literal.into()),
        Operator::Less => BytesTest::Order(literal.into(), Ordering::Less, false),
        Operator::LessOrEqual => BytesTest::Order(literal.into(), Ordering::Less, true),
        Operator::Greater => BytesTest::Order(literal.into(), Ordering::Greater, false),
        Operator::GreaterOrEqual => BytesTest::Order(literal.into(), Ordering::Greater, true),
        Operator::Contains | Operator::BContains => BytesTest::contains(literal),
        Operator::IContains => BytesTest::IContains(literal.to_ascii_lowercase().into()),
        Operator::StartsWith | Operator::BStartsWith => BytesTest::StartsWith(literal.into()),
        Operator::EndsWith => BytesTest::EndsWith(literal.into()),
        Operator::Glob => of_glob(literal),
        Operator::IGlob => BytesTest::Glob(Glob::new(literal, true)),
        Operator::Regex => {
            let regex = PosixRegex::new(&String::from_utf8_lossy(literal))
                .map_err(|error| format!("invalid regex pattern: {error}"))?;
            BytesTest::Regex(Box::new(regex))
        }
        _ => BytesTest::Equal(literal.into()),
    })
}

/// The simplest comparison that says the same as a pattern.
fn of_glob(pattern: &[u8]) -> BytesTest {
    let literal = |part: &[u8]| Glob::new(part, false).as_literal();
    let simple = match pattern {
        [b'*', inner @ .., b'*'] => literal(inner).map(|text| BytesTest::contains(&text)),
        [b'*', inner @ ..] => literal(inner).map(BytesTest::EndsWith),
        [inner @ .., b'*'] => literal(inner).map(BytesTest::StartsWith),
        _ => literal(pattern).map(BytesTest::Equal),
    };
    simple.unwrap_or_else(|| BytesTest::Glob(Glob::new(pattern, false)))
}

const fn relation(operator: Operator) -> Relation {
    match operator {
        Operator::Less => Relation::Less,
        Operator::LessOrEqual => Relation::LessOrEqual,
        Operator::Greater => Relation::Greater,
        Operator::GreaterOrEqual => Relation::GreaterOrEqual,
        Operator::NotEqual => Relation::NotEqual,
        _ => Relation::Equal,
    }
}

fn as_bytes(literal: &Literal) -> Option<&[u8]> {
    match literal {
        Literal::Bytes(bytes) => Some(bytes),
        _ => None,
    }
}

const fn as_integer(literal: &Literal) -> Option<i64> {
    match literal {
        Literal::Integer(number) => Some(*number),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_simpler_form_of_a_pattern_says_the_same(
            pattern in r"[*ab\\?]{0,5}",
            value in r"[ab*\\]{0,5}",
        ) {
            let plain = Glob::new(pattern.as_bytes(), false).matches(value.as_bytes());
            prop_assert_eq!(of_glob(pattern.as_bytes()).holds(value.as_bytes()), plain);
        }
    }
}
