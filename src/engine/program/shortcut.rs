//! Leaves out of the program what is known already where it is asked.
//!
//! Rules that stand one after another ask the same of an event. On the way from one test to the
//! next of the same comparison the answer is known, so the way is laid past it; steps that are come
//! to with different knowledge are there more than once, as long as there aren't too many.

use rustc_hash::FxHashMap;

use super::pool::number;
use super::{END, NEXT, Step};

/// So many comparisons are remembered on the way; those that are asked most.
const MAX_KNOWN: usize = 128;

/// So many times as many steps there may be, and so many more, before nothing is remembered.
const MAX_GROWTH: usize = 2;
const MAX_MORE: usize = 4096;

/// What is known at a place of the program: a bit for each of the comparisons that are remembered.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
struct Known {
    asked: u128,
    held: u128,
}

impl Known {
    const fn with(self, bit: u128, held: bool) -> Self {
        Self {
            asked: self.asked | bit,
            held: if held { self.held | bit } else { self.held & !bit },
        }
    }

    const fn only(self, bits: u128) -> Self {
        Self { asked: self.asked & bits, held: self.held & bits }
    }
}

/// Lays the steps anew. Places in them are made one by one with [`place`](Self::place).
pub(super) struct Shortcuts<'s> {
    old: &'s [Step],
    /// The bit of each comparison that is remembered.
    bits: FxHashMap<u32, u128>,
    /// Of each old step, what is asked from there on.
    asked_from: Vec<u128>,
    new: Vec<Step>,
    places: FxHashMap<(u32, Known), u32>,
    /// Steps that have a new place, but aren't laid yet.
    open: Vec<(u32, Known, u32)>,
}

impl<'s> Shortcuts<'s> {
    /// For steps of which each is only followed by earlier ones.
    pub(super) fn new(old: &'s [Step]) -> Self {
        let bits = bits(old);
        let mut asked_from: Vec<u128> = Vec::with_capacity(old.len());
        for step in old {
            let from = |place: u32| asked_from.get(place as usize).copied().unwrap_or(0);
            asked_from.push(match *step {
                Step::Test { predicate, yes, no } => {
                    bits.get(&predicate).copied().unwrap_or(0) | from(yes) | from(no)
                }
                Step::Shared { yes, no, .. } => from(yes) | from(no),
                Step::Match { next, .. } | Step::Probe { next, .. } => from(next),
                Step::Return { .. } | Step::Next | Step::End => 0,
            });
        }
        let new = vec![Step::End, Step::Next];
        let mut places = FxHashMap::default();
        places.insert((END, Known::default()), END);
        places.insert((NEXT, Known::default()), NEXT);
        Self { old, bits, asked_from, new, places, open: Vec::new() }
    }

    /// The new place of an old one that is come to without knowledge.
    pub(super) fn place(&mut self, old: u32) -> u32 {
        let place = self.wanted(old, Known::default());
        while let Some((old, known, new)) = self.open.pop() {
            let step = self.step(old, known);
            if let Some(place) = self.new.get_mut(new as usize) {
                *place = step;
            }
        }
        place
    }

    /// All steps that were laid.
    pub(super) fn finish(self) -> Vec<Step> {
        self.new
    }

    /// The place behind all tests whose answer is known.
    fn wanted(&mut self, mut old: u32, mut known: Known) -> u32 {
        while let Some(Step::Test { predicate, yes, no }) = self.old.get(old as usize)
            && let Some(bit) = self.bits.get(predicate)
            && known.asked & bit != 0
        {
            old = if known.held & bit != 0 { *yes } else { *no };
        }
        known = known.only(self.asked_from.get(old as usize).copied().unwrap_or(0));
        if self.new.len() > self.old.len() * MAX_GROWTH + MAX_MORE {
            known = Known::default();
        }
        if let Some(place) = self.places.get(&(old, known)) {
            return *place;
        }
        let place = number(self.new.len());
        self.new.push(Step::End);
        self.places.insert((old, known), place);
        self.open.push((old, known, place));
        place
    }

    /// An old step with new places to go on at.
    fn step(&mut self, old: u32, known: Known) -> Step {
        match self.old.get(old as usize).copied().unwrap_or(Step::End) {
            Step::Test { predicate, yes, no } => {
                let bit = self.bits.get(&predicate).copied().unwrap_or(0);
                Step::Test {
                    predicate,
                    yes: self.wanted(yes, known.with(bit, true)),
                    no: self.wanted(no, known.with(bit, false)),
                }
            }
            Step::Shared { node, yes, no } => {
                Step::Shared { node, yes: self.wanted(yes, known), no: self.wanted(no, known) }
            }
            Step::Match { rule, next } => Step::Match { rule, next: self.wanted(next, known) },
            Step::Probe { probe, next } => Step::Probe { probe, next: self.wanted(next, known) },
            step @ (Step::Return { .. } | Step::Next | Step::End) => step,
        }
    }
}

/// A bit for each comparison that is worth remembering.
fn bits(steps: &[Step]) -> FxHashMap<u32, u128> {
    let mut counts: FxHashMap<u32, usize> = FxHashMap::default();
    for step in steps {
        if let Step::Test { predicate, .. } = step {
            *counts.entry(*predicate).or_default() += 1;
        }
    }
    let mut often: Vec<_> = counts.into_iter().filter(|(_, count)| *count > 1).collect();
    often.sort_unstable_by_key(|(predicate, count)| (usize::MAX - *count, *predicate));
    often.into_iter().take(MAX_KNOWN).zip(0..).map(|((id, _), bit)| (id, 1 << bit)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_on_the_way_is_not_asked_again() {
        let test = |predicate, yes, no| Step::Test { predicate, yes, no };
        // Asks 7 once more behind itself, and once behind 8.
        let old = [
            Step::End,
            Step::Next,
            Step::Match { rule: 1, next: END },
            test(7, 2, END),
            test(8, 3, END),
            test(7, 4, 3),
        ];
        let mut shortcuts = Shortcuts::new(&old);
        let start = shortcuts.place(5);
        let new = shortcuts.finish();
        let Step::Test { predicate: 7, yes, no: END } = new[start as usize] else {
            panic!("{new:?}");
        };
        let Step::Test { predicate: 8, yes, no: END } = new[yes as usize] else {
            panic!("{new:?}");
        };
        let last = new.get(yes as usize);
        assert!(matches!(last, Some(Step::Match { rule: 1, next: END })), "{new:?}");
    }

    #[test]
    fn a_bit_that_was_set_is_forgotten_where_it_does_not_hold() {
        let known = Known::default().with(4, true);
        assert_eq!(known.with(4, false), Known { asked: 4, held: 0 });
        assert_eq!(known.only(2), Known::default());
    }
}
