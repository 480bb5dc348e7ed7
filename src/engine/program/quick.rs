//! Comparisons laid out for the machine: what a word of the value says about the answer.
//!
//! A text has a few words (`matchers::words`), a number is one. One masked comparison of one word
//! answers nearly all that is asked of everyday events, in the same few instructions whatever the
//! comparison is; only where it doesn't, the comparison itself is judged.

use super::glance::Glance;
use super::pool::{Judge, SlotId};
use super::reading::FACTS;
use crate::engine::comparison::{Quantifier, Relation, Test};
use crate::engine::matchers::{BytesTest, Words};

/// What is asked of one word of a value.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    mask: u64,
    wanted: u64,
    /// Whose value is asked.
    pub(super) slot: SlotId,
    /// How the value must be kept for its words to mean anything here.
    pub(super) kept: Kept,
    word: Word,
}

/// What one word of a value says of a comparison.
#[derive(Clone, Copy, Debug)]
pub(super) struct Op {
    pub(super) asked: Asked,
    /// What it means if the masked word is as wanted.
    pub(super) equal: Answer,
    /// And if it is not.
    pub(super) other: Answer,
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
    pub(super) const NONE: Self =
        Self::new(SlotId::MAX, Kept::Never, (Word::First, 0, 0), Answer::Ask, Answer::Ask);

    const fn new(
        slot: SlotId,
        kept: Kept,
        (word, mask, wanted): (Word, u64, u64),
        equal: Answer,
        other: Answer,
    ) -> Self {
        Self { asked: Asked { mask, wanted, slot, kept, word }, equal, other }
    }

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
        Self::new(FACTS, Kept::Number, (word, glance.mask, glance.wanted), equal, other)
    }

    const fn of_number(slot: SlotId, mask: u64, wanted: u64, equal: Answer, other: Answer) -> Self {
        Self::new(slot, Kept::Number, (Word::First, mask, wanted), equal, other)
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
        let op = |word, mask, wanted, equal, other| {
            Self::new(slot, Kept::Text, (word, mask, wanted), equal, other)
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
}

impl Asked {
    /// Whether the words of a value that is kept as it must be are as wanted.
    #[inline(always)]
    pub(super) fn is_so(&self, words: &[u64; 4]) -> bool {
        // Not a `match`: that would be a jump to one of four loads.
        let word = words.get(self.word as usize & 3).copied().unwrap_or(0);
        word & self.mask == self.wanted
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
    fn a_question_is_three_words() {
        assert_eq!(size_of::<Asked>(), 24);
    }
}
