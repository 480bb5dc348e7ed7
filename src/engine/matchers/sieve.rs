//! Rules out, with one look at every third or fourth place of a value, that any of several texts
//! is somewhere in it.
//!
//! A text of six bytes that is in a value covers there three whole bytes from a place that is a
//! multiple of four, whichever place it begins at; one of five bytes, from a multiple of three. So
//! of each text one such triple is noted for each way it can lie, the least usual one, and a value
//! that has none of them at those places has none of the texts.

/// So many bytes are looked at together.
const TRIPLE: usize = 3;

/// A bit for each hash of a triple.
const BITS: u32 = 14;
const WORDS: usize = 1 << (BITS - 6);

/// An odd number without pattern: the fraction of the golden ratio.
const SPREAD: u32 = 0x9e37_79b9;

/// See the module.
#[derive(Clone, Debug)]
pub struct Sieve {
    /// From one place that is looked at to the next.
    step: Step,
    bits: Box<[u64; WORDS]>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Step {
    Three = 3,
    Four = 4,
}

impl Sieve {
    /// `None` if one of the texts is too short.
    #[must_use]
    pub fn new(texts: &[impl AsRef<[u8]>]) -> Option<Self> {
        let shortest = texts.iter().map(|text| text.as_ref().len()).min()?;
        let step = match shortest {
            0..5 => return None,
            5 => Step::Three,
            _ => Step::Four,
        };
        let mut sieve = Self { step, bits: Box::new([0; WORDS]) };
        for text in texts {
            for way in 0..step as usize {
                sieve.note(text.as_ref(), way);
            }
        }
        Some(sieve)
    }

    /// Whether `value` may have one of the texts: if not, it has none.
    #[inline]
    #[must_use]
    pub fn may_be_in(&self, value: &[u8]) -> bool {
        // To the end without a stop: nothing is there to stop for.
        let found = match self.step {
            Step::Three => {
                let (triples, _) = value.as_chunks::<3>();
                triples.iter().fold(0, |found, triple| found | self.bit_of(*triple))
            }
            Step::Four => {
                let (fours, rest) = value.as_chunks::<4>();
                let last = rest.first_chunk().map_or(0, |triple| self.bit_of(*triple));
                fours.iter().fold(last, |found, four| found | self.bit(u32::from_le_bytes(*four)))
            }
        };
        found & 1 != 0
    }

    /// Notes a triple of `text` that is looked at if it lies so that `way` of its bytes stand
    /// before a place that is looked at.
    fn note(&mut self, text: &[u8], way: usize) {
        let triples = text.windows(TRIPLE).skip(way).step_by(self.step as usize);
        let triples = triples.filter_map(|window| window.first_chunk::<TRIPLE>());
        let best = triples.min_by_key(|triple| {
            let is_noted = self.bit_of(**triple) & 1 != 0;
            (!is_noted, triple.iter().copied().map(usualness).sum::<u32>())
        });
        if let Some(triple) = best {
            let hash = Self::hash(u32::from_le_bytes([triple[0], triple[1], triple[2], 0]));
            if let Some(word) = self.bits.get_mut(hash as usize / 64) {
                *word |= 1 << (hash % 64);
            }
        }
    }

    #[inline]
    fn bit_of(&self, [first, second, third]: [u8; TRIPLE]) -> u64 {
        self.bit(u32::from_le_bytes([first, second, third, 0]))
    }

    /// In the lowest bit, whether the triple in the three lower bytes of `four` is noted.
    #[inline]
    fn bit(&self, four: u32) -> u64 {
        let hash = Self::hash(four);
        self.bits.get(hash as usize / 64 % WORDS).copied().unwrap_or(0) >> (hash % 64)
    }

    /// Of the three lower bytes.
    #[inline]
    const fn hash(four: u32) -> u32 {
        (four << 8).wrapping_mul(SPREAD) >> (u32::BITS - BITS)
    }
}

/// How often a byte stands in paths and command lines; a guess.
const fn usualness(byte: u8) -> u32 {
    match byte {
        b'e' | b't' | b'a' | b'o' | b'i' | b'n' | b's' | b'r' | b'l' | b'c' | b'/' => 4,
        b'-' | b' ' | b'.' | b'd' | b'u' | b'm' | b'p' | b'b' | b'h' | b'g' => 3,
        b'a'..=b'z' | b'0'..=b'9' => 2,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_there_goes_through_wherever_it_lies(
            texts in proptest::collection::vec("[ab/]{5,12}", 1..5),
            before in "[ab/]{0,9}",
            behind in "[ab/]{0,9}",
            which in any::<proptest::sample::Index>(),
        ) {
            let value = format!("{before}{}{behind}", which.get(&texts));
            prop_assert!(Sieve::new(&texts).unwrap().may_be_in(value.as_bytes()));
        }
    }

    #[test]
    fn most_of_what_is_not_there_does_not() {
        let sieve = Sieve::new(&["/.ssh/", "id_rsa", "fish_read_history"]).unwrap();
        assert!(!sieve.may_be_in(b"/usr/include/x86_64-linux-gnu/bits/types.h"));
        assert!(!sieve.may_be_in(b"") && !sieve.may_be_in(b"id"));
        assert!(Sieve::new(&["four"]).is_none() && Sieve::new(&[""; 0]).is_none());
    }
}
