//! Leaves out of the program what is known already where it is asked.
//!
//! Rules that stand one after another ask the same of an event. On the way from one test to the
//! next of the same comparison the answer is known, so the way is laid past it; steps that are come
//! to with different knowledge are there more than once, as long as there aren't too many.
//!
//! A comparison that has a gate (`gate`) is asked behind it only, and not at all where the gate is
//! known to be shut.

use rustc_hash::FxHashMap;

use super::gate::Gates;
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

    /// What is known of the comparison of that bit.
    fn of(self, bit: u128) -> Option<bool> {
        (self.asked & bit != 0).then_some(self.held & bit != 0)
    }

    const fn only(self, bits: u128) -> Self {
        Self { asked: self.asked & bits, held: self.held & bits }
    }
}

/// Lays the steps anew. Places in them are made one by one with [`place`](Self::place).
pub(super) struct Shortcuts<'s> {
    old: &'s [Step],
    /// The gates of comparisons that have one.
    gates: &'s Gates,
    /// The bit of each comparison that is remembered.
    bits: FxHashMap<u32, u128>,
    /// Of each old step, what is asked from there on.
    asked_from: Vec<u128>,
    new: Vec<Step>,
    places: FxHashMap<Wanted, u32>,
    /// Steps that have a new place, but aren't laid yet.
    open: Vec<(Wanted, u32)>,
}

/// An old step as it is wanted.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
struct Wanted {
    old: u32,
    /// What is known on the way to it.
    known: Known,
    /// The comparison's gate was asked just before.
    is_behind: bool,
}

impl<'s> Shortcuts<'s> {
    /// For steps of which each is only followed by earlier ones.
    pub(super) fn new(old: &'s [Step], gates: &'s Gates) -> Self {
        let bits = bits(old, gates);
        let bit = |predicate: &u32| bits.get(predicate).copied().unwrap_or(0);
        let mut asked_from: Vec<u128> = Vec::with_capacity(old.len());
        for step in old {
            let from = |place: u32| asked_from.get(place as usize).copied().unwrap_or(0);
            asked_from.push(match *step {
                Step::Test { predicate, yes, no } => {
                    let gate = gates.get(&predicate).map_or(0, bit);
                    bit(&predicate) | gate | from(yes) | from(no)
                }
                Step::Shared { yes, no, .. } => from(yes) | from(no),
                Step::Match { next, .. } | Step::Probe { next, .. } => from(next),
                Step::Return { .. } | Step::Next | Step::End => 0,
            });
        }
        let new = vec![Step::End, Step::Next];
        let mut places = FxHashMap::default();
        for place in [END, NEXT] {
            let known = Known::default();
            places.insert(Wanted { old: place, known, is_behind: false }, place);
        }
        Self { old, gates, bits, asked_from, new, places, open: Vec::new() }
    }

    /// The new place of an old one that is come to without knowledge.
    pub(super) fn place(&mut self, old: u32) -> u32 {
        let place = self.wanted(old, Known::default());
        while let Some((wanted, new)) = self.open.pop() {
            let step = self.step(wanted);
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
    fn wanted(&mut self, mut old: u32, known: Known) -> u32 {
        while let Some(Step::Test { predicate, yes, no }) = self.old.get(old as usize) {
            let gate = self.gates.get(predicate).and_then(|gate| known.of(self.bit(*gate)));
            let holds = known.of(self.bit(*predicate)).or_else(|| gate.filter(|is_open| !is_open));
            match holds {
                Some(true) => old = *yes,
                Some(false) => old = *no,
                None => break,
            }
        }
        self.laid(old, known, false)
    }

    /// The place of a step.
    fn laid(&mut self, old: u32, mut known: Known, is_behind: bool) -> u32 {
        known = known.only(self.asked_from.get(old as usize).copied().unwrap_or(0));
        if self.new.len() > self.old.len() * MAX_GROWTH + MAX_MORE {
            known = Known::default();
        }
        let wanted = Wanted { old, known, is_behind };
        if let Some(place) = self.places.get(&wanted) {
            return *place;
        }
        let place = number(self.new.len());
        self.new.push(Step::End);
        self.places.insert(wanted, place);
        self.open.push((wanted, place));
        place
    }

    /// The bit of a comparison; none if it isn't remembered.
    fn bit(&self, predicate: u32) -> u128 {
        self.bits.get(&predicate).copied().unwrap_or(0)
    }

    /// An old step with new places to go on at.
    fn step(&mut self, Wanted { old, known, is_behind }: Wanted) -> Step {
        match self.old.get(old as usize).copied().unwrap_or(Step::End) {
            Step::Test { predicate, yes, no } => {
                if let Some(gate) = self.gates.get(&predicate).copied()
                    && !is_behind
                    && known.of(self.bit(gate)).is_none()
                {
                    let bit = self.bit(gate);
                    return Step::Test {
                        predicate: gate,
                        yes: self.laid(old, known.with(bit, true), true),
                        no: self.wanted(no, known.with(bit, false)),
                    };
                }
                let bit = self.bit(predicate);
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
fn bits(steps: &[Step], gates: &Gates) -> FxHashMap<u32, u128> {
    let mut counts: FxHashMap<u32, usize> = FxHashMap::default();
    for step in steps {
        if let Step::Test { predicate, .. } = step {
            for asked in [Some(predicate), gates.get(predicate)].into_iter().flatten() {
                *counts.entry(*asked).or_default() += 1;
            }
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
        let gates = Gates::default();
        let mut shortcuts = Shortcuts::new(&old, &gates);
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
    fn behind_a_gate_that_is_shut_nothing_is_asked() {
        let test = |predicate, yes, no| Step::Test { predicate, yes, no };
        let old = [
            Step::End,
            Step::Next,
            Step::Match { rule: 1, next: END },
            test(8, 2, END),
            test(7, 2, 3),
        ];
        let gates = Gates::from_iter([(7, 9), (8, 9)]);
        let mut shortcuts = Shortcuts::new(&old, &gates);
        let start = shortcuts.place(4);
        let new = shortcuts.finish();
        let Step::Test { predicate: 9, yes, no: END } = new[start as usize] else {
            panic!("{new:?}");
        };
        let Step::Test { predicate: 7, no, .. } = new[yes as usize] else {
            panic!("{new:?}");
        };
        assert!(matches!(new[no as usize], Step::Test { predicate: 8, no: END, .. }), "{new:?}");
    }

    #[test]
    fn a_bit_that_was_set_is_forgotten_where_it_does_not_hold() {
        let known = Known::default().with(4, true);
        assert_eq!(known.with(4, false), Known { asked: 4, held: 0 });
        assert_eq!(known.only(2), Known::default());
    }
}
