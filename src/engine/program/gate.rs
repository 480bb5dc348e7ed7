//! One search of a text for all that any rule looks for in it: mostly nothing of it is there, and
//! then no single search is needed.

use std::collections::BTreeSet;

use rustc_hash::FxHashMap;

use super::pool::{Judge, PredicateId, SlotId, number};
use super::reading::Reading;
use crate::engine::comparison::{Quantifier, Test};
use crate::engine::matchers::Parts;

/// Fewer comparisons search by themselves.
const MIN_TESTS: usize = 2;

/// More texts, or shorter ones, are no faster looked for together.
const MAX_TEXTS: usize = 64;
const MIN_TEXT: usize = 5;

/// The comparisons that stand behind one gate, and the texts of which one must be there.
#[derive(Default)]
struct Behind<'j> {
    tests: Vec<PredicateId>,
    texts: BTreeSet<&'j [u8]>,
}

/// Makes the gates: in front of which comparison which one stands.
pub(super) fn gates(judges: &[Judge], slots: &mut Vec<Reading>) -> FxHashMap<PredicateId, SlotId> {
    let mut behind: Vec<Behind<'_>> = Vec::new();
    behind.resize_with(slots.len(), Behind::default);
    for (id, judge) in (0..).zip(judges) {
        if let Some((slot, texts)) = parts_of(judge)
            && let Some(Behind { tests, texts: all }) = behind.get_mut(slot as usize)
            && texts.iter().all(|text| text.len() >= MIN_TEXT)
            && all.len() + texts.len() <= MAX_TEXTS
        {
            tests.push(id);
            all.extend(texts);
        }
    }
    let mut gates = FxHashMap::default();
    for (text, Behind { tests, texts }) in (0..).zip(behind) {
        if tests.len() >= MIN_TESTS
            && let Some(parts) = Parts::new(texts.into_iter().map(Into::into).collect())
        {
            gates.extend(tests.into_iter().map(|test| (test, number(slots.len()))));
            slots.push(Reading::Gate { text, parts });
        }
    }
    gates
}

/// The texts of which one must be in a slot's text for a comparison to hold.
fn parts_of(judge: &Judge) -> Option<(SlotId, Vec<&[u8]>)> {
    match judge {
        Judge::Value { slot, quantifier: Quantifier::One, test: Test::Bytes(test) } => {
            Some((*slot, test.parts()?))
        }
        _ => None,
    }
}
