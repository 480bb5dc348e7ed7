//! What must hold before a rule can match: texts or numbers to look up in a value.

use super::pool::{FALSE, Judge, NodeId, Pool, Shape, SlotId};
use crate::engine::comparison::{Quantifier, Relation, Test};
use crate::engine::matchers::BytesTest;

/// Most keys that one rule may have; a longer list is not worth looking up.
const MAX_KEYS: usize = 256;

/// Shortest text that is worth looking for somewhere in a value.
const MIN_PART: usize = 2;

/// Some of these must be found, or the rule can't match.
#[derive(Clone, Debug)]
pub(super) struct Guard {
    pub(super) keys: Vec<Key>,
    /// How often one is found; a guess.
    pub(super) chance: f32,
}

/// Something to look up in the value of a slot.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Key {
    pub(super) slot: SlotId,
    pub(super) what: What,
}

/// What is looked up.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(super) enum What {
    /// The value is this text.
    Whole(Box<[u8]>),
    /// The value is this number.
    Number(i64),
    /// The value begins so.
    Start(Box<[u8]>),
    /// The value ends so.
    End(Box<[u8]>),
    /// This is somewhere in the value.
    Part(Box<[u8]>),
}

impl Guard {
    /// The best guard of a node that doesn't look into the slots `without`.
    pub(super) fn of(pool: &Pool, id: NodeId, without: &[SlotId]) -> Option<Self> {
        match pool.shape(id) {
            Shape::Constant(_) => (id == FALSE).then(|| Self { keys: Vec::new(), chance: 0.0 }),
            Shape::Leaf { predicate, is_positive: true } => {
                match pool.judges.get(*predicate as usize)? {
                    Judge::Value { slot, quantifier, test } if !without.contains(slot) => {
                        of_test(*slot, test, *quantifier)
                    }
                    _ => None,
                }
            }
            Shape::Leaf { .. } => None,
            Shape::And(children) => children
                .iter()
                .filter_map(|child| Self::of(pool, *child, without))
                .min_by(|left, right| left.chance.total_cmp(&right.chance)),
            Shape::Or(children) => {
                let mut joined = Self { keys: Vec::new(), chance: 0.0 };
                for child in children {
                    let guard = Self::of(pool, *child, without)?;
                    joined.keys.extend(guard.keys);
                    joined.chance += guard.chance;
                    if joined.keys.len() > MAX_KEYS {
                        return None;
                    }
                }
                Some(joined)
            }
        }
    }
}

fn of_test(slot: SlotId, test: &Test, quantifier: Quantifier) -> Option<Guard> {
    if quantifier == Quantifier::All {
        return None;
    }
    let (whats, chance_of_each) = match test {
        Test::Bytes(test) => of_bytes(test)?,
        Test::Signed(Relation::Equal, number) => (vec![What::Number(*number)], 0.05),
        Test::Unsigned(Relation::Equal, number) => (vec![What::Number(number.cast_signed())], 0.05),
        Test::IntegerIn(numbers) => (numbers.iter().map(|n| What::Number(*n)).collect(), 0.05),
        Test::AnyOf(tests) => {
            let mut joined = Guard { keys: Vec::new(), chance: 0.0 };
            for test in tests {
                let guard = of_test(slot, test, quantifier)?;
                joined.keys.extend(guard.keys);
                joined.chance += guard.chance;
            }
            return (joined.keys.len() <= MAX_KEYS).then_some(joined);
        }
        _ => return None,
    };
    if whats.len() > MAX_KEYS {
        return None;
    }
    let keys: Vec<_> = whats.into_iter().map(|what| Key { slot, what }).collect();
    let lists = if quantifier == Quantifier::One { 1.0 } else { 4.0 };
    let count = keys.iter().fold(0.0, |count, _| count + 1.0);
    Some(Guard { chance: chance_of_each * lists * count, keys })
}

/// What must be found in a text for `test`, and how often each is.
fn of_bytes(test: &BytesTest) -> Option<(Vec<What>, f32)> {
    Some(match test {
        BytesTest::Equal(text) => (vec![What::Whole(text.clone())], 0.01),
        BytesTest::In(set) => (set.iter().map(|text| What::Whole(text.into())).collect(), 0.01),
        BytesTest::StartsWith(text) if !text.is_empty() => {
            (vec![What::Start(text.clone())], if text.len() > 4 { 0.02 } else { 0.2 })
        }
        BytesTest::EndsWith(text) if !text.is_empty() => {
            (vec![What::End(text.clone())], if text.len() > 3 { 0.02 } else { 0.1 })
        }
        BytesTest::Contains(finder) if finder.needle().len() >= MIN_PART => {
            (vec![What::Part(finder.needle().into())], 0.1)
        }
        BytesTest::ContainsAny(parts)
            if parts.texts().iter().all(|text| text.len() >= MIN_PART) =>
        {
            (parts.texts().iter().map(|text| What::Part(text.clone())).collect(), 0.1)
        }
        BytesTest::Glob(glob) if glob.prefix().len() >= MIN_PART => {
            (vec![What::Start(glob.prefix())], 0.05)
        }
        BytesTest::Glob(glob) if glob.suffix().len() >= MIN_PART => {
            (vec![What::End(glob.suffix())], 0.05)
        }
        BytesTest::Paths(paths) => {
            let parts = paths.literals()?;
            if parts.iter().any(|part| part.len() < MIN_PART) {
                return None;
            }
            (parts.iter().map(|part| What::Part(part.clone())).collect(), 0.15)
        }
        _ => return None,
    })
}
