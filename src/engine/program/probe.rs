//! Looks up one value for many rules at once.

use aho_corasick::AhoCorasick;
use rustc_hash::FxHashMap;

use super::guard::What;
use super::pool::{SlotId, number};
use crate::engine::matchers::automaton;
use crate::event::Value;

/// What is looked up, each with the places to go to.
#[derive(Debug, Default)]
pub(super) struct Targets {
    whats: Vec<(What, Range)>,
    places: Vec<u32>,
}

/// A range of places.
#[derive(Clone, Copy, Debug, Default)]
struct Range {
    start: u32,
    len: u32,
}

impl Targets {
    /// Adds something that wasn't added before.
    pub(super) fn add(&mut self, what: What, places: &[u32]) {
        let range = Range { start: number(self.places.len()), len: number(places.len()) };
        self.whats.push((what, range));
        self.places.extend_from_slice(places);
    }
}

/// Which places to go to, by what is found in a value.
#[derive(Debug)]
pub(super) struct Probe {
    slot: SlotId,
    numbers: FxHashMap<i64, Range>,
    wholes: FxHashMap<Box<[u8]>, Range>,
    starts: Trie,
    ends: Trie,
    parts: Option<(AhoCorasick, Box<[Range]>)>,
    places: Box<[u32]>,
}

impl Probe {
    /// Makes a probe from what is looked up and the places to go to then.
    pub(super) fn new(slot: SlotId, targets: Targets) -> Self {
        let mut probe = Self {
            slot,
            numbers: FxHashMap::default(),
            wholes: FxHashMap::default(),
            starts: Trie::default(),
            ends: Trie::default(),
            parts: None,
            places: targets.places.into(),
        };
        let mut parts = Vec::new();
        for (what, range) in targets.whats {
            match what {
                What::Number(number) => {
                    probe.numbers.insert(number, range);
                }
                What::Whole(text) => {
                    probe.wholes.insert(text, range);
                }
                What::Start(text) => probe.starts.insert(text.iter(), range),
                What::End(text) => probe.ends.insert(text.iter().rev(), range),
                What::Part(text) => parts.push((text, range)),
            }
        }
        probe.starts.seal();
        probe.ends.seal();
        if !parts.is_empty() {
            let (texts, ranges): (Vec<_>, Vec<Range>) = parts.into_iter().unzip();
            let ranges = ranges.into();
            probe.parts = automaton(&texts).map(|automaton| (automaton, ranges));
        }
        probe
    }

    pub(super) const fn slot(&self) -> SlotId {
        self.slot
    }

    /// All places that it may find.
    pub(super) fn places_mut(&mut self) -> &mut [u32] {
        &mut self.places
    }

    /// Adds the places to go to for a value.
    pub(super) fn find(&self, value: Value<'_>, found: &mut Vec<u32>) {
        match value {
            Value::Bytes(text) => self.find_text(text, found),
            Value::Int(number) => self.find_number(number, found),
            Value::UInt(number) => self.find_number(number.cast_signed(), found),
            Value::Bool(flag) => self.find_number(i64::from(flag), found),
            _ => {}
        }
    }

    /// Adds the places to go to for the 64 bits of an integer.
    pub(super) fn find_number(&self, number: i64, found: &mut Vec<u32>) {
        self.extend(self.numbers.get(&number), found);
    }

    /// Adds the places to go to for a text.
    pub(super) fn find_text(&self, text: &[u8], found: &mut Vec<u32>) {
        if !self.wholes.is_empty() {
            self.extend(self.wholes.get(text), found);
        }
        self.starts.find(text.iter(), |range| self.extend(Some(range), found));
        self.ends.find(text.iter().rev(), |range| self.extend(Some(range), found));
        // Asking whether there is anything at all is fast, and the answer is mostly no.
        if let Some((automaton, ranges)) = &self.parts
            && automaton.is_match(text)
        {
            for place in automaton.find_overlapping_iter(text) {
                self.extend(ranges.get(place.pattern().as_usize()), found);
            }
        }
    }

    fn extend(&self, range: Option<&Range>, found: &mut Vec<u32>) {
        if let Some(Range { start, len }) = range
            && let Some(places) = self.places.get(*start as usize..(start + len) as usize)
        {
            found.extend_from_slice(places);
        }
    }
}

/// A tree of texts by their bytes.
#[derive(Debug, Default)]
struct Trie {
    /// While it is made: children by node and byte.
    children: FxHashMap<(u32, u8), u32>,
    /// Afterwards: of each node the place of its first child, the number of its children, and
    /// what is found at it.
    nodes: Vec<TrieNode>,
    /// Children of all nodes, sorted within each.
    edges: Box<[(u8, u32)]>,
}

#[derive(Clone, Copy, Debug, Default)]
struct TrieNode {
    first: u32,
    count: u32,
    target: Option<Range>,
}

impl Trie {
    fn insert<'a>(&mut self, text: impl Iterator<Item = &'a u8>, target: Range) {
        if self.nodes.is_empty() {
            self.nodes.push(TrieNode::default());
        }
        let mut at = 0;
        for byte in text {
            let new = number(self.nodes.len());
            at = *self.children.entry((at, *byte)).or_insert_with(|| {
                self.nodes.push(TrieNode::default());
                new
            });
        }
        if let Some(node) = self.nodes.get_mut(at as usize) {
            node.target = Some(target);
        }
    }

    /// Lays the children out for finding.
    fn seal(&mut self) {
        let mut edges: Vec<_> = std::mem::take(&mut self.children).into_iter().collect();
        edges.sort_unstable();
        for (place, ((parent, _), _)) in edges.iter().enumerate() {
            if let Some(node) = self.nodes.get_mut(*parent as usize) {
                if node.count == 0 {
                    node.first = number(place);
                }
                node.count += 1;
            }
        }
        self.edges = edges.into_iter().map(|((_, byte), child)| (byte, child)).collect();
    }

    /// Tells everything that is found on the way along `text`.
    fn find<'a>(&self, text: impl Iterator<Item = &'a u8>, mut found: impl FnMut(&Range)) {
        let Some(mut node) = self.nodes.first() else {
            return;
        };
        for byte in text {
            let Some(child) = self.child(node, *byte) else {
                return;
            };
            if let Some(range) = &child.target {
                found(range);
            }
            node = child;
        }
    }

    fn child(&self, node: &TrieNode, byte: u8) -> Option<&TrieNode> {
        const FEW: usize = 8;
        let first = node.first as usize;
        let edges = self.edges.get(first..first + node.count as usize)?;
        let (_, child) = if edges.len() <= FEW {
            edges.iter().find(|(label, _)| *label == byte)?
        } else {
            edges.get(edges.binary_search_by_key(&byte, |(label, _)| *label).ok()?)?
        };
        self.nodes.get(*child as usize)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(text: &str) -> Box<[u8]> {
        text.as_bytes().into()
    }

    proptest! {
        #[test]
        fn a_probe_finds_what_comparing_with_each_finds(
            texts in proptest::collection::btree_set(("[ab]{1,3}", 0..4_u8), 1..12),
            value in "[abc]{0,6}",
        ) {
            let whats: Vec<What> = texts
                .iter()
                .map(|(t, kind)| match kind {
                    0 => What::Whole(text(t)),
                    1 => What::Start(text(t)),
                    2 => What::End(text(t)),
                    _ => What::Part(text(t)),
                })
                .collect();
            let mut expected: Vec<u32> = (0..)
                .zip(&whats)
                .filter(|(_, what)| match what {
                    What::Whole(t) => **t == *value.as_bytes(),
                    What::Start(t) => value.as_bytes().starts_with(t),
                    What::End(t) => value.as_bytes().ends_with(t),
                    What::Part(t) => memchr::memmem::find(value.as_bytes(), t).is_some(),
                    What::Number(_) => false,
                })
                .map(|(index, _)| index)
                .collect();
            expected.sort_unstable();
            let mut targets = Targets::default();
            for (what, place) in whats.into_iter().zip(0..) {
                targets.add(what, &[place]);
            }
            let probe = Probe::new(0, targets);
            let mut found = Vec::new();
            probe.find(Value::Bytes(value.as_bytes()), &mut found);
            found.sort_unstable();
            found.dedup();
            prop_assert_eq!(found, expected);
        }
    }

    #[test]
    fn numbers_are_found_by_their_bits() {
        let mut targets = Targets::default();
        targets.add(What::Number(-1), &[7, 8]);
        let probe = Probe::new(0, targets);
        let mut found = Vec::new();
        probe.find(Value::UInt(u64::MAX), &mut found);
        probe.find(Value::Int(-1), &mut found);
        probe.find(Value::NotNegative, &mut found);
        assert_eq!(found, [7, 8, 7, 8]);
    }
}
