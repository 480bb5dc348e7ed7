//! What spares a comparison most of the time: a question that costs less, and whose answer mostly
//! is that the comparison can't hold.
//!
//! Of all texts that rules look for in one value, one search tells that none is there. Where a
//! text that has yet to be made is compared, another one that is there tells how it begins.

use std::collections::{BTreeMap, BTreeSet};

use rustc_hash::FxHashMap;

use super::pool::{Judge, PredicateId, SlotId, number};
use super::reading::Reading;
use crate::engine::comparison::{Quantifier, Test};
use crate::engine::matchers::{BytesTest, Parts};
use crate::fields::{Arg, Field, Read};

/// Fewer comparisons search by themselves.
const MIN_TESTS: usize = 2;

/// More texts, or shorter ones, are no faster looked for together.
const MAX_TEXTS: usize = 64;
const MIN_TEXT: usize = 5;

/// A shorter start is no news, and a longer one is more than one word.
const MIN_START: usize = 2;
const MAX_START: usize = 8;

/// The comparisons that stand behind one gate, and the texts of which one must be there.
#[derive(Default)]
struct Behind<'j> {
    tests: Vec<PredicateId>,
    texts: BTreeSet<&'j [u8]>,
}

/// What is asked first, of the comparisons that have a gate: a comparison, too.
pub(super) type Gates = FxHashMap<PredicateId, PredicateId>;

/// Makes the gates.
pub(super) fn gates(judges: &mut Vec<Judge>, slots: &mut Vec<Reading>) -> Gates {
    let mut gates = Gates::default();
    let begun = begun(judges, slots);
    let searched = searched(judges, slots);
    for (slot, test, behind) in begun.into_iter().chain(searched) {
        let gate = number(judges.len());
        judges.push(Judge::Value { slot, quantifier: Quantifier::One, test });
        gates.extend(behind.into_iter().map(|id| (id, gate)));
    }
    gates
}

/// A gate: of which slot it asks what, and what stands behind it.
type Gate = (SlotId, Test, Vec<PredicateId>);

/// Of comparisons with texts that all begin in the same way.
fn begun(judges: &[Judge], slots: &mut Vec<Reading>) -> Vec<Gate> {
    let mut behind: BTreeMap<(SlotId, &[u8]), Vec<PredicateId>> = BTreeMap::new();
    for (id, judge) in (0..).zip(judges) {
        if let Judge::Value { slot, quantifier: Quantifier::One, test: Test::Bytes(test) } = judge
            && let Some(Reading::Field(field, ..)) = slots.get(*slot as usize)
            && field.arg == Arg::None
            && let Some(read) = field.info.begins_as
            && let Some(start) = common_start(test)
        {
            let other = slot_of(slots, field.clone(), read);
            behind.entry((other, start)).or_default().push(id);
        }
    }
    let test = |start: &[u8]| Test::Bytes(BytesTest::StartsWith(start.into()));
    behind.into_iter().map(|((slot, start), behind)| (slot, test(start), behind)).collect()
}

/// The slot of what a field begins as.
fn slot_of(slots: &mut Vec<Reading>, field: Field, read: Read) -> SlotId {
    let is_it = |slot: &Reading| {
        matches!(slot, Reading::Field(Field { arg: Arg::None, .. }, other, _)
            if *other as usize == read as usize)
    };
    let place = slots.iter().position(is_it).unwrap_or_else(|| {
        slots.push(Reading::Field(field, read, false));
        slots.len() - 1
    });
    number(place)
}

/// How a text begins if a comparison holds for it, without a slash at the end of the whole.
fn common_start(test: &BytesTest) -> Option<&[u8]> {
    let texts: Vec<&[u8]> = match test {
        BytesTest::Equal(text) | BytesTest::StartsWith(text) => vec![text],
        BytesTest::In(set) => set.iter().collect(),
        _ => return None,
    };
    let mut texts = texts.into_iter().map(|text| text.strip_suffix(b"/").unwrap_or(text));
    let first = texts.next()?;
    let common = texts.fold(first, |common, text| {
        let len = common.iter().zip(text).take_while(|(one, other)| one == other).count();
        common.get(..len).unwrap_or_default()
    });
    let common = common.get(..MAX_START).unwrap_or(common);
    // A text may be cut at a NUL.
    (common.len() >= MIN_START && !common.contains(&0)).then_some(common)
}

/// Of comparisons that look for texts: one search for all of one value.
fn searched(judges: &[Judge], slots: &mut Vec<Reading>) -> Vec<Gate> {
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
    let mut gates = Vec::new();
    for (text, Behind { tests, texts }) in (0..).zip(behind) {
        if tests.len() >= MIN_TESTS
            && let Some(parts) = Parts::new(texts.into_iter().map(Into::into).collect())
        {
            let is_any = Test::Bool { of_true: true, of_false: false };
            gates.push((number(slots.len()), is_any, tests));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::matchers::BytesSet;

    #[test]
    fn texts_begin_alike_up_to_a_slash_at_the_end_of_a_whole_one() {
        let start = |test: &BytesTest| common_start(test).map(<[u8]>::to_vec);
        let text = |text: &str| -> Box<[u8]> { text.as_bytes().into() };
        let set = |texts: [&str; 2]| BytesTest::In(BytesSet::new(texts.map(text)));
        assert_eq!(start(&BytesTest::StartsWith(text("/dev/shm/"))), Some(b"/dev/shm".into()));
        assert_eq!(start(&set(["/etc/pam.d", "/etc/ssh"])), Some(b"/etc/".into()));
        assert_eq!(start(&set(["/etc/", "/etc/ssh"])), Some(b"/etc".into()));
        assert_eq!(start(&set(["/etc", "/root"])), None);
        assert_eq!(start(&BytesTest::Equal(text("/"))), None);
        assert_eq!(start(&BytesTest::Equal(text("/a\0b"))), None);
        assert_eq!(start(&BytesTest::EndsWith(text("/etc"))), None);
    }
}
