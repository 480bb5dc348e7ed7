//! One program for all rules: conditional jumps over comparisons that the rules share.
//!
//! `pool` holds every source, comparison and composite once; `build` lays out, for each class of
//! event types, the rules that can match there; `guard` finds what must hold before a rule can
//! match, `probe` answers that for many rules together; `machine` runs it all on one event.
//! `quick` is how it asks most of the questions, `glance` which of them the facts of the event
//! answer at once, `gate` what spares it most searches of texts, and `shortcut` leaves out what is
//! known already where it would be asked. What is read (`reading`) is read at most once an event, a
//! dear comparison judged at most once, and only if asked.

use std::hint::cold_path;

mod build;
pub mod cost;
mod gate;
mod glance;
mod guard;
mod machine;
mod pool;
mod probe;
mod quick;
mod reading;
mod shortcut;

pub(super) use build::Input;
pub use machine::{Program, Scratch};
use quick::{Answer, Asked, Op};

/// One step. Targets are places in the program.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// Goes on where the comparison says.
    Test { predicate: u32, yes: u32, no: u32 },
    /// Goes on where a shared node says; its own steps come to a [`Return`](Self::Return).
    Shared { node: u32, yes: u32, no: u32 },
    /// Ends the steps of a shared node.
    Return { node: u32, value: bool },
    /// Notes that a rule matches.
    Match { rule: u32, next: u32 },
    /// Goes to all places that a probe finds, then on.
    Probe { probe: u32, next: u32 },
    /// Goes to the next place that the last probe found.
    Next,
    /// Ends.
    End,
}

/// A [`Step::Test`] by what a word of the value says: where it goes on at once.
#[derive(Clone, Copy, Debug)]
struct TestStep {
    asked: Asked,
    /// Where if the masked word is as wanted.
    equal: u32,
    /// And if it is not.
    other: u32,
}

impl TestStep {
    /// Goes on nowhere: the comparison itself is to be judged.
    const ASK: u32 = u32::MAX;

    fn of(step: Step, ops: &[Op]) -> Self {
        let (op, yes, no) = match step {
            Step::Test { predicate, yes, no } => {
                (ops.get(predicate as usize).copied().unwrap_or(Op::NONE), yes, no)
            }
            _ => (Op::NONE, END, END),
        };
        let place = |answer| match answer {
            Answer::Yes => yes,
            Answer::No => no,
            Answer::Ask => Self::ASK,
        };
        Self { asked: op.asked, equal: place(op.equal), other: place(op.other) }
    }

    /// Where the words of a value that is kept as it must be say to go on.
    #[inline(always)]
    fn next(&self, words: &[u64; 4]) -> u32 {
        if self.asked.is_so(words) {
            cold_path();
            self.equal
        } else {
            self.other
        }
    }
}

/// The place of the step [`Step::End`].
const END: u32 = 0;
/// The place of the step [`Step::Next`].
const NEXT: u32 = 1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_two_words() {
        assert_eq!(size_of::<Step>(), 16);
        assert_eq!(size_of::<TestStep>(), 32);
    }
}
