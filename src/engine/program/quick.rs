//! Comparisons laid out for the machine: what a word of the value says about the answer.
//!
//! A text has a few words (`matchers::words`), a number is one. One masked comparison of one word
//! answers nearly all that is asked of everyday events, in the same few instructions whatever the
//! comparison is; only where it doesn't, the comparison itself is judged.

use std::hint::cold_path;

use super::glance::Glance;
use super::pool::{Judge, SlotId};
use super::reading::FACTS;
use crate::engine::comparison::{Quantifier, Relation, Test};
use crate::engine::matchers::{BytesTest, Words};

/// What is asked of one word of a value.
#[derive(Clone, Copy, Debug)]
pub(super) struct Op {
    mask: u64,
    wanted: u64,
    /// Whose value is asked.
    pub(super) slot: SlotId,
    /// How the value must be kept for its words to mean anything here.
    pub(super) kept: Kept,
    word: Word,
    /// What it means if the masked word is as wanted.
    equal: Answer,
    /// And if it is not.
    other: Answer,
}

/// Where the value of a source is kept.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub(super) enum Kept {
    Absent,
    /// In the slot.
    Number,
    /// Among the texts.
    Text,
    /// Among the others.
    Other,
    /// No value is kept so: what is asked isn't of one word.
    Never,
}

/// A word of a value.
#[derive(Clone, Copy, Debug)]
#[repr(u8)]
enum Word {
    /// The number, the head of the text, or the first word of the facts.
    First,
    /// The print of the text, or the second word of the facts.
    Print,
    Tail,
    /// One bit by the print.
    Bit,
}

/// What a word says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub(super) enum Answer {
    No,
    Yes,
    /// Nothing: the comparison is to be judged.
    Ask,
}

impl Op {
    /// Where there is no question.
    pub(super) const NONE: Self = Self {
        mask: 0,
        wanted: 0,
        slot: SlotId::MAX,
        kept: Kept::Never,
        word: Word::First,
        equal: Answer::Ask,
        other: Answer::Ask,
    };

    /// Of a comparison of any kind.
    pub(super) fn of(judge: &Judge) -> Self {
        let (slot, test) = match judge {
            Judge::Value { slot, quantifier: Quantifier::One, test } => (slot, test),
            Judge::Glance(glance) => return Self::of_glance(glance),
            _ => return Self::NONE,
        };
        match test {
            Test::Bytes(test) => Self::of_text(*slot, test),
            Test::Bool { of_true, of_false } => {
                let answer = |is_so| if is_so { Answer::Yes } else { Answer::No };
                Self::of_number(*slot, u64::MAX, 0, answer(*of_false), answer(*of_true))
            }
            Test::Signed(relation, literal) => {
                Self::of_relation(*slot, *relation, literal.cast_unsigned(), 1 << 63)
            }
            Test::Unsigned(relation, literal) => Self::of_relation(*slot, *relation, *literal, 0),
            _ => Self::NONE,
        }
    }

    const fn of_glance(glance: &Glance) -> Self {
        let (equal, other) =
            if glance.equal { (Answer::Yes, Answer::No) } else { (Answer::No, Answer::Yes) };
        let word = if glance.word == 0 { Word::First } else { Word::Print };
        Self { word, ..Self::of_number(FACTS, glance.mask, glance.wanted, equal, other) }
    }

    /// Of a comparison that stands behind a gate.
    pub(super) const fn behind(gate: SlotId) -> Self {
        Self::of_number(gate, u64::MAX, 1, Answer::Ask, Answer::No)
    }

    const fn of_number(slot: SlotId, mask: u64, wanted: u64, equal: Answer, other: Answer) -> Self {
        Self { mask, wanted, slot, kept: Kept::Number, word: Word::First, equal, other }
    }

    /// `sign` is the bit of a number that says that it is below 0.
    const fn of_relation(slot: SlotId, relation: Relation, literal: u64, sign: u64) -> Self {
        use Answer::{Ask, No, Yes};
        match (relation, literal) {
            (Relation::Equal, _) => Self::of_number(slot, u64::MAX, literal, Yes, No),
            (Relation::NotEqual, _) => Self::of_number(slot, u64::MAX, literal, No, Yes),
            (Relation::GreaterOrEqual, 0) => Self::of_number(slot, sign, 0, Yes, No),
            (Relation::Less, 0) => Self::of_number(slot, sign, 0, No, Yes),
            _ => Self::of_number(slot, 0, 0, Ask, Ask),
        }
    }

    fn of_text(slot: SlotId, test: &BytesTest) -> Self {
        use Answer::{Ask, No, Yes};
        let op = |word, mask, wanted, equal, other| Self {
            mask,
            wanted,
            slot,
            kept: Kept::Text,
            word,
            equal,
            other,
        };
        match test {
            BytesTest::Equal(text) | BytesTest::NotEqual(text) => {
                let is_equal = matches!(test, BytesTest::Equal(_));
                let (same, different) = if is_equal { (Yes, No) } else { (No, Yes) };
                let same = if Words::is_whole(text.len()) { same } else { Ask };
                op(Word::Print, u64::MAX, Words::of(text).print, same, different)
            }
            BytesTest::StartsWith(text) => {
                let (mask, words) = (Words::head_mask(text.len()), Words::of(text));
                op(Word::First, mask, words.head, if is_settled(text) { Yes } else { Ask }, No)
            }
            BytesTest::EndsWith(text) => {
                let (mask, words) = (Words::tail_mask(text.len()), Words::of(text));
                op(Word::Tail, mask, words.tail, if is_settled(text) { Yes } else { Ask }, No)
            }
            BytesTest::In(set) => op(Word::Bit, set.bits(), 0, No, Ask),
            _ => Self::NONE,
        }
    }

    /// What the words of a value say that is kept as it must be.
    #[inline]
    pub(super) fn answer(&self, words: &[u64; 4]) -> Answer {
        // Not a `match`: that would be a jump to one of four loads.
        let word = words.get(self.word as usize & 3).copied().unwrap_or(0);
        if word & self.mask == self.wanted {
            cold_path();
            return self.equal;
        }
        self.other
    }
}

/// Whether a text that begins or ends as one word of `literal` says does so as all of it says: the
/// zeros in the place of what a shorter text lacks are none of the literal's.
fn is_settled(literal: &[u8]) -> bool {
    literal.len() <= size_of::<u64>() && !literal.contains(&0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operation_is_half_a_line_of_cache() {
        assert_eq!(size_of::<Op>(), 24);
    }
}
