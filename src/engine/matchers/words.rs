//! What is asked most of a text, in a few words: how it begins, how it ends, and a hash of both.
//!
//! They are made once of a text; then comparing one word rules most comparisons out.

/// How many bytes are in a word.
const WORD: usize = 8;

/// An odd number without pattern: the fraction of the golden ratio.
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

/// A text in a few words.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Words {
    /// The first eight bytes, the first of all lowest; zeros behind a shorter text.
    pub head: u64,
    /// The last eight bytes, the last of all highest; zeros before a shorter text.
    pub tail: u64,
    /// Of a text of less than eight bytes the text itself; of a longer one a hash of head, tail and
    /// length, which is never that of a shorter one.
    pub print: u64,
}

impl Words {
    /// Of a text.
    #[inline(always)]
    #[must_use]
    pub fn of(text: &[u8]) -> Self {
        let (head, tail) = match (text.first_chunk::<WORD>(), text.last_chunk::<WORD>()) {
            (Some(first), Some(last)) => (u64::from_le_bytes(*first), u64::from_le_bytes(*last)),
            _ => Self::short(text),
        };
        let len = text.len();
        let print = if len < WORD { head | Self::mark(len) } else { Self::hash(head, tail, len) };
        Self { head, tail, print }
    }

    /// What stands in the topmost byte of a short text's print, where a long one's has zeros.
    const fn mark(len: usize) -> u64 {
        (len as u64 + 1) << (8 * (WORD - 1))
    }

    #[inline]
    const fn hash(head: u64, tail: u64, len: usize) -> u64 {
        (head ^ tail.rotate_left(27)).wrapping_add(len as u64).wrapping_mul(SPREAD) >> 8
    }

    /// Head and tail of a text of less than eight bytes.
    #[inline]
    fn short(text: &[u8]) -> (u64, u64) {
        let len = text.len();
        let head = match (text.first_chunk::<4>(), text.last_chunk::<4>()) {
            (Some(first), Some(last)) => {
                let last = u64::from(u32::from_le_bytes(*last));
                u64::from(u32::from_le_bytes(*first)) | last << (8 * (len - 4))
            }
            _ => match *text {
                [] => return (0, 0),
                [first] => u64::from(first),
                [first, second] => u64::from(u16::from_le_bytes([first, second])),
                [first, second, .., last] => {
                    u64::from(u32::from_le_bytes([first, second, last, 0]))
                }
            },
        };
        (head, head << (8 * (WORD - len)))
    }

    /// A number below 64 by the print, as a bit.
    #[inline]
    #[must_use]
    pub const fn bit(self) -> u64 {
        1 << (self.print.wrapping_mul(SPREAD) >> 58)
    }

    /// Whether no other text has the print of a text of `len` bytes.
    #[must_use]
    pub const fn is_whole(len: usize) -> bool {
        len < WORD
    }

    /// Which bits of the head a text of `len` bytes has.
    #[must_use]
    pub const fn head_mask(len: usize) -> u64 {
        if len >= WORD { u64::MAX } else { (1 << (8 * len)) - 1 }
    }

    /// Which bits of the tail a text of `len` bytes has.
    #[must_use]
    pub const fn tail_mask(len: usize) -> u64 {
        if len >= WORD { u64::MAX } else { !(u64::MAX >> (8 * len)) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn head_and_tail_are_the_bytes_at_both_ends(
            text in proptest::collection::vec(any::<u8>(), 0..20),
        ) {
            let mut first = [0; WORD];
            let mut last = [0; WORD];
            for (place, byte) in first.iter_mut().zip(&text) {
                *place = *byte;
            }
            for (place, byte) in last.iter_mut().rev().zip(text.iter().rev()) {
                *place = *byte;
            }
            let words = Words::of(&text);
            prop_assert_eq!(words.head, u64::from_le_bytes(first));
            prop_assert_eq!(words.tail, u64::from_le_bytes(last));
        }

        #[test]
        fn no_other_text_has_the_print_of_a_short_one(
            text in proptest::collection::vec(0..2_u8, 0..20),
            other in proptest::collection::vec(0..2_u8, 0..8),
        ) {
            let is_same = Words::of(&text).print == Words::of(&other).print;
            prop_assert_eq!(is_same, text == other);
        }

        #[test]
        fn masks_leave_what_a_start_or_an_end_has(
            text in proptest::collection::vec(any::<u8>(), 0..20),
            len in 0..12_usize,
        ) {
            let len = len.min(text.len());
            let (words, start, end) =
                (Words::of(&text), Words::of(&text[..len]), Words::of(&text[text.len() - len..]));
            prop_assert_eq!(words.head & Words::head_mask(len), start.head);
            prop_assert_eq!(words.tail & Words::tail_mask(len), end.tail);
        }
    }
}
