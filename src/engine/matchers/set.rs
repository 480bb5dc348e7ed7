//! Sets of byte strings for `in`: few of them side by side, many in a hash table.

use rustc_hash::FxHashSet;

use super::words::Words;

/// Up to this many elements are compared one after another.
const FEW: usize = 6;

/// A set of byte strings.
#[derive(Clone, Debug)]
pub struct BytesSet {
    /// Bit `n` is set if an element has `n` bytes; bit 63 if one has 63 or more.
    lengths: u64,
    /// The bits of all elements' words.
    bits: u64,
    elements: Elements,
}

#[derive(Clone, Debug)]
enum Elements {
    Few(Box<[Box<[u8]>]>),
    Many(Box<Filter>, FxHashSet<Box<[u8]>>),
}

/// Rules out nearly all that isn't in a set: a bit is set for each element.
#[derive(Clone, Debug, Default)]
struct Filter([u64; 32]);

impl Filter {
    const fn place(print: u64) -> (usize, u64) {
        let hash = print.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes();
        (hash[0] as usize % 32, 1 << (hash[1] & 63))
    }

    fn add(&mut self, print: u64) {
        let (place, bit) = Self::place(print);
        if let Some(word) = self.0.get_mut(place) {
            *word |= bit;
        }
    }

    fn may_have(&self, print: u64) -> bool {
        let (place, bit) = Self::place(print);
        self.0.get(place).is_some_and(|word| word & bit != 0)
    }
}

impl BytesSet {
    /// Makes a set; repeated elements count once.
    #[must_use]
    pub fn new(elements: impl IntoIterator<Item = Box<[u8]>>) -> Self {
        let elements: FxHashSet<Box<[u8]>> = elements.into_iter().collect();
        let lengths = elements.iter().fold(0, |lengths, element| lengths | length_bit(element));
        let bits = elements.iter().fold(0, |bits, element| bits | Words::of(element).bit());
        let elements = if elements.len() <= FEW {
            let mut few: Vec<_> = elements.into_iter().collect();
            few.sort_unstable();
            Elements::Few(few.into())
        } else {
            let mut filter = Box::new(Filter::default());
            elements.iter().for_each(|element| filter.add(Words::of(element).print));
            Elements::Many(filter, elements)
        };
        Self { lengths, bits, elements }
    }

    /// Whether `value` is in it.
    #[must_use]
    pub fn contains(&self, value: &[u8]) -> bool {
        self.lengths & length_bit(value) != 0
            && self.contains_printed(value, Words::of(value).print)
    }

    /// The same for a value whose [`Words::print`] is known.
    #[must_use]
    pub fn contains_printed(&self, value: &[u8], print: u64) -> bool {
        match &self.elements {
            Elements::Few(few) => few.iter().any(|element| **element == *value),
            Elements::Many(filter, many) => filter.may_have(print) && many.contains(value),
        }
    }

    /// What [`Words::bit`] may be of an element.
    #[must_use]
    pub const fn bits(&self) -> u64 {
        self.bits
    }

    /// Its elements, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let (few, many) = match &self.elements {
            Elements::Few(few) => (Some(few.iter()), None),
            Elements::Many(_, many) => (None, Some(many.iter())),
        };
        few.into_iter().flatten().chain(many.into_iter().flatten()).map(AsRef::as_ref)
    }

    /// How many elements it has.
    #[must_use]
    pub fn len(&self) -> usize {
        match &self.elements {
            Elements::Few(few) => few.len(),
            Elements::Many(_, many) => many.len(),
        }
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

fn length_bit(value: &[u8]) -> u64 {
    1 << value.len().min(63)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_set_is_the_same_as_comparing_with_each(
            elements in proptest::collection::vec("[ab]{0,3}", 0..20),
            value in "[ab]{0,4}",
        ) {
            let set = BytesSet::new(elements.iter().map(|element| element.as_bytes().into()));
            let plain = elements.contains(&value);
            prop_assert_eq!(set.contains(value.as_bytes()), plain);
            prop_assert!(set.iter().all(|element| set.contains(element)));
            prop_assert!(set.iter().all(|element| set.bits() & Words::of(element).bit() != 0));
        }
    }

    #[test]
    fn long_elements_are_found_too() {
        let long = [b'x'; 100];
        let set = BytesSet::new([long.as_slice().into()]);
        assert!(set.contains(&long) && !set.contains(&[b'x'; 99]) && !set.is_empty());
        assert_eq!(set.len(), 1);
    }
}
