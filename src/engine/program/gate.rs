//! One search of a text for all that any rule looks for in it: mostly nothing of it is there, and
//! then no single search is needed.

use std::collections::BTreeSet;

use super::pool::{Judge, SlotId};
use crate::engine::comparison::{Quantifier, Test};
use crate::engine::matchers::{BytesTest, Parts};

/// Fewer comparisons search by themselves.
const MIN_TESTS: usize = 2;

/// More texts, or shorter ones, are no faster looked for together.
const MAX_TEXTS: usize = 64;
const MIN_TEXT: usize = 3;

/// Of each slot, what must be in its text before a comparison with a part of it can hold.
pub(super) fn gates(judges: &[Judge], slots: usize) -> Vec<Option<Parts>> {
    let mut looked_for: Vec<(usize, BTreeSet<&[u8]>)> = vec![(0, BTreeSet::new()); slots];
    for judge in judges {
        if let Some((slot, texts)) = parts_of(judge)
            && let Some((tests, all)) = looked_for.get_mut(slot as usize)
        {
            *tests += 1;
            all.extend(texts);
        }
    }
    let gate = |(tests, texts): (usize, BTreeSet<&[u8]>)| {
        let are_apt = texts.len() <= MAX_TEXTS && texts.iter().all(|text| text.len() >= MIN_TEXT);
        let texts = texts.into_iter().map(Into::into);
        if tests >= MIN_TESTS && are_apt { Parts::new(texts.collect()) } else { None }
    };
    looked_for.into_iter().map(gate).collect()
}

/// The texts of which one must be in a slot's text for a comparison to hold.
fn parts_of(judge: &Judge) -> Option<(SlotId, Vec<&[u8]>)> {
    let Judge::Value { slot, quantifier: Quantifier::One, test: Test::Bytes(test) } = judge else {
        return None;
    };
    match test {
        BytesTest::Contains(finder) => Some((*slot, vec![finder.needle()])),
        BytesTest::ContainsAny(parts) => {
            Some((*slot, parts.texts().iter().map(AsRef::as_ref).collect()))
        }
        _ => None,
    }
}
