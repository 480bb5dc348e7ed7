//! What the facts of an event (`fields::facts`) say of a comparison, found out at load.

use crate::engine::comparison::{Quantifier, Relation, Test};
use crate::engine::matchers::BytesTest;
use crate::engine::transform::Source;
use crate::event::{EventType, known};
use crate::fields::facts::{FACTS, Fact, Says, printed_flags};
use crate::fields::{Arg, Field};

/// One look at a word of the facts.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(super) struct Glance {
    /// Which word.
    pub(super) word: usize,
    pub(super) mask: u64,
    pub(super) wanted: u64,
    /// What it means if the masked word is as wanted.
    pub(super) equal: bool,
}

impl Glance {
    /// What says the same as a comparison of a source; `None` if the facts don't tell.
    pub(super) fn of(source: &Source, quantifier: Quantifier, test: &Test) -> Option<Self> {
        let Source::Field { field, .. } = source else { return None };
        if field.arg != Arg::None || quantifier != Quantifier::One {
            return None;
        }
        let fact = FACTS.iter().find(|fact| fact.field == field.info.name)?;
        let mut mask = 0;
        for bit in 0..fact.count {
            if let Some(says) = (fact.says)(bit)
                && holds(test, says)?
            {
                mask |= 1 << (fact.first + bit);
            }
        }
        Some(Self::any_of(fact, mask))
    }

    /// What says the same as a search of the text of an open's flags: any of these.
    pub(super) fn of_flags(field: &Field, test: &Test, ty: EventType) -> Option<Vec<Self>> {
        let is_open = matches!(ty, known::OPEN | known::OPENAT | known::OPENAT2);
        match test {
            Test::Bytes(test) if is_open && &*field.text == "evt.arg.flags" => {
                let flags = test.parts()?.into_iter().map(printed_flags);
                let asked = flags.collect::<Option<Vec<_>>>()?.concat();
                let glance = |(mask, wanted)| Self { word: 0, mask, wanted, equal: true };
                Some(asked.into_iter().map(glance).collect())
            }
            _ => None,
        }
    }

    const fn any_of(fact: &Fact, mask: u64) -> Self {
        if mask.is_power_of_two() {
            Self { word: fact.word, mask, wanted: mask, equal: true }
        } else {
            Self { word: fact.word, mask, wanted: 0, equal: false }
        }
    }

    /// What it says of a word.
    pub(super) const fn holds(&self, word: u64) -> bool {
        (word & self.mask == self.wanted) == self.equal
    }
}

/// Whether a comparison holds for all values of which `says` is said; `None`: for some only.
fn holds(test: &Test, says: Says) -> Option<bool> {
    match (says, test) {
        (Says::Is(value), _) => Some(test.holds(value)),
        (_, Test::Exists) => Some(true),
        (Says::Negative | Says::NotNegative, Test::Signed(relation, number)) => {
            match (relation, number) {
                (Relation::GreaterOrEqual, 0) | (Relation::Greater, -1) => {
                    Some(matches!(says, Says::NotNegative))
                }
                (Relation::Less, 0) | (Relation::LessOrEqual, -1) => {
                    Some(matches!(says, Says::Negative))
                }
                _ => None,
            }
        }
        (Says::Not(text), Test::Bytes(BytesTest::Equal(literal))) if **literal == *text => {
            Some(false)
        }
        (Says::Not(text), Test::Bytes(BytesTest::NotEqual(literal))) if **literal == *text => {
            Some(true)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fields::lookup;

    fn glance(field: &str, test: &Test) -> Option<Glance> {
        let field = lookup(field, None).unwrap();
        let read = field.info.read;
        Glance::of(&Source::Field { field, read, is_text: false }, Quantifier::One, test)
    }

    #[test]
    fn a_class_of_values_answers_what_is_the_same_for_all_of_them() {
        let of_sign = |relation, number| glance("evt.rawres", &Test::Signed(relation, number));
        let not_negative = of_sign(Relation::GreaterOrEqual, 0);
        assert!(not_negative.is_some());
        assert_eq!(of_sign(Relation::Greater, -1), not_negative);
        assert_eq!(
            glance("evt.failed", &Test::Bool { of_true: false, of_false: true }),
            not_negative
        );
        assert_eq!(of_sign(Relation::GreaterOrEqual, 1), None);
        assert_eq!(of_sign(Relation::Equal, -1), None);
        let text = |text: &[u8]| Test::Bytes(BytesTest::Equal(text.into()));
        assert!(glance("container.id", &text(b"host")).is_some());
        assert_eq!(glance("container.id", &text(b"5d068b2dd225")), None);
    }

    #[test]
    fn a_field_of_few_values_answers_everything() {
        let test = BytesTest::contains(b"ipv");
        let glance = glance("fd.type", &Test::Bytes(test)).unwrap();
        assert_eq!(glance.mask.count_ones(), 4);
        assert!(glance.holds(glance.mask) && !glance.holds(0));
    }
}
