//! Comparisons of bytes with prepared literals, one kind a file. No fields, no events.

pub mod glob;
pub mod paths;
pub mod posix_regex;
pub mod set;
pub mod sieve;
pub mod words;

use std::cmp::Ordering;

use aho_corasick::{AhoCorasick, AhoCorasickKind, packed};
use memchr::memmem::Finder;

pub use glob::Glob;
pub use paths::Paths;
pub use posix_regex::PosixRegex;
pub use set::BytesSet;
pub use sieve::Sieve;
pub use words::Words;

/// One comparison of text or bytes with something prepared at load.
#[derive(Clone, Debug)]
pub enum BytesTest {
    /// The same bytes.
    Equal(Box<[u8]>),
    /// Other bytes.
    NotEqual(Box<[u8]>),
    /// In strcmp's order, one of these two results.
    Order(Box<[u8]>, Ordering, bool),
    /// Somewhere in it.
    Contains(Box<Finder<'static>>),
    /// One of several somewhere in it.
    ContainsAny(Box<Parts>),
    /// Somewhere in it, ASCII letters of either case; the literal in lower case.
    IContains(Box<[u8]>),
    /// At its start.
    StartsWith(Box<[u8]>),
    /// At its end.
    EndsWith(Box<[u8]>),
    /// A pattern of fnmatch(3).
    Glob(Glob),
    /// A regular expression over the whole value.
    Regex(Box<PosixRegex>),
    /// One of these.
    In(BytesSet),
    /// Below one of these paths.
    Paths(Paths),
}

impl BytesTest {
    /// Whether it holds for `value`.
    #[inline]
    #[must_use]
    pub fn holds(&self, value: &[u8]) -> bool {
        match self {
            Self::Equal(literal) => value == &**literal,
            Self::NotEqual(literal) => value != &**literal,
            Self::Order(literal, order, or_equal) => {
                let actual = value.cmp(literal);
                actual == *order || (*or_equal && actual == Ordering::Equal)
            }
            Self::Contains(finder) => finder.find(value).is_some(),
            Self::ContainsAny(parts) => parts.are_any_in(value),
            Self::IContains(literal) => contains_ignoring_case(value, literal),
            Self::StartsWith(literal) => value.starts_with(literal),
            Self::EndsWith(literal) => value.ends_with(literal),
            Self::Glob(glob) => glob.matches(value),
            Self::Regex(regex) => regex.matches(value),
            Self::In(set) => set.contains(value),
            Self::Paths(paths) => paths.matches(value),
        }
    }

    /// The texts of which one must be somewhere in a value, if that is what is asked.
    #[must_use]
    pub fn parts(&self) -> Option<Vec<&[u8]>> {
        match self {
            Self::Contains(finder) => Some(vec![finder.needle()]),
            Self::ContainsAny(parts) => Some(parts.texts().iter().map(AsRef::as_ref).collect()),
            _ => None,
        }
    }

    /// A test for `contains`.
    #[must_use]
    pub fn contains(literal: &[u8]) -> Self {
        Self::Contains(Box::new(Finder::new(literal).into_owned()))
    }

    /// A test for `contains` of any of several literals; `None` if they are too many.
    pub fn contains_any<'a>(literals: impl Iterator<Item = &'a [u8]>) -> Option<Self> {
        let texts: Box<[Box<[u8]>]> = literals.map(Into::into).collect();
        Parts::new(texts).map(|parts| Self::ContainsAny(Box::new(parts)))
    }
}

/// Looks for several texts at once; `None` if they are too many.
///
/// For a few short ones a table tells of each byte where to go on: in values as short as names and
/// command lines that costs a fifth of first looking for rare bytes.
pub fn automaton(texts: &[impl AsRef<[u8]>]) -> Option<AhoCorasick> {
    const FEW_BYTES: usize = 512;
    let bytes: usize = texts.iter().map(|text| text.as_ref().len()).sum();
    let mut builder = AhoCorasick::builder();
    if bytes <= FEW_BYTES {
        builder.kind(Some(AhoCorasickKind::DFA)).prefilter(false);
    }
    builder.build(texts).ok()
}

/// Several texts, one of which is looked for.
#[derive(Clone, Debug)]
pub struct Parts {
    texts: Box<[Box<[u8]>]>,
    /// Rules out most values.
    sieve: Option<Sieve>,
    search: Search,
}

/// How several texts are looked for.
#[derive(Clone, Debug)]
enum Search {
    /// Many bytes at a time, of a value that has enough: for few texts, on a processor that can.
    Packed(packed::Searcher, AhoCorasick),
    /// Byte after byte.
    Stepwise(AhoCorasick),
}

impl Parts {
    /// `None` if they are too many.
    #[must_use]
    pub fn new(texts: Box<[Box<[u8]>]>) -> Option<Self> {
        let packed = packed::Config::new().builder().extend(texts.iter()).build();
        let stepwise = automaton(&texts)?;
        let search = match packed {
            Some(searcher) => Search::Packed(searcher, stepwise),
            None => Search::Stepwise(stepwise),
        };
        Some(Self { sieve: Sieve::new(&texts), texts, search })
    }

    /// The texts.
    #[must_use]
    pub fn texts(&self) -> &[Box<[u8]>] {
        &self.texts
    }

    /// Whether any of them is somewhere in `value`.
    #[inline]
    #[must_use]
    pub fn are_any_in(&self, value: &[u8]) -> bool {
        if self.sieve.as_ref().is_some_and(|sieve| !sieve.may_be_in(value)) {
            return false;
        }
        match &self.search {
            Search::Packed(searcher, _) if value.len() >= searcher.minimum_len() => {
                searcher.find(value).is_some()
            }
            Search::Packed(_, stepwise) | Search::Stepwise(stepwise) => stepwise.is_match(value),
        }
    }
}

/// Whether `lowered`, which has no capital letters, is somewhere in `value` in any case.
fn contains_ignoring_case(value: &[u8], lowered: &[u8]) -> bool {
    let Some(&first) = lowered.first() else {
        return true;
    };
    let Some(last_start) = value.len().checked_sub(lowered.len()) else {
        return false;
    };
    let starts = memchr::memchr2_iter(first, first.to_ascii_uppercase(), value);
    starts.take_while(|&start| start <= last_start).any(|start| {
        value
            .get(start..start + lowered.len())
            .is_some_and(|candidate| candidate.eq_ignore_ascii_case(lowered))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn ignoring_case_is_the_same_as_lowering_both(value in "[aAbB]{0,12}", literal in "[aAbB]{0,4}") {
            let lowered = literal.to_ascii_lowercase();
            prop_assert_eq!(
                contains_ignoring_case(value.as_bytes(), lowered.as_bytes()),
                value.to_ascii_lowercase().contains(&lowered)
            );
        }

        #[test]
        fn contains_is_the_same_as_trying_every_window(value in "[ab]{0,12}", literal in "[ab]{0,4}") {
            let test = BytesTest::contains(literal.as_bytes());
            prop_assert_eq!(test.holds(value.as_bytes()), value.contains(&literal));
        }
    }

    proptest! {
        #[test]
        fn one_search_for_several_is_the_same_as_several(
            value in "[abcd]{0,60}",
            literals in proptest::collection::vec("[abcd]{0,6}", 0..5),
        ) {
            let test = BytesTest::contains_any(literals.iter().map(|l| l.as_bytes())).unwrap();
            let plain = literals.iter().any(|literal| value.contains(literal));
            prop_assert_eq!(test.holds(value.as_bytes()), plain);
        }
    }

    #[test]
    fn text_is_ordered_as_strcmp_orders_it() {
        let less = BytesTest::Order(b"b".as_slice().into(), Ordering::Less, false);
        assert!(less.holds(b"a") && less.holds(b"") && !less.holds(b"b") && !less.holds(b"ba"));
        let at_least = BytesTest::Order(b"b".as_slice().into(), Ordering::Greater, true);
        assert!(at_least.holds(b"b") && at_least.holds(b"ba") && !at_least.holds(b"a"));
    }
}
