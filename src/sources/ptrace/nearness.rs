//! Keeps the tracer on the processor of whoever it traces.
//!
//! A stop hands over from the tracee to the tracer and back. On one processor that is two changes
//! of task; over two it is an interrupt and a wake-up each time, which made a traced compile job
//! up to four times slower. The tracees' own affinity is theirs and is never touched.

use crate::sys::placement;

/// How many stops may pass until the processor is looked at again.
const STOPS: u32 = 32;

/// Which processor the tracer is on.
#[derive(Debug)]
pub(super) struct Nearness {
    /// Another thread that is asked at stops.
    beside: Option<i32>,
    processor: Option<usize>,
    /// Stops until the next look.
    left: u32,
}

impl Nearness {
    pub(super) const fn new(beside: Option<i32>) -> Self {
        Self { beside, processor: None, left: 0 }
    }

    /// Notes a stop, and moves if it is time and the tracee is elsewhere.
    pub(super) fn stopped(&mut self, tid: i32) {
        let Some(left) = self.left.checked_sub(1) else {
            self.left = STOPS;
            return self.follow(tid);
        };
        self.left = left;
    }

    fn follow(&mut self, tid: i32) {
        let Some(processor) = placement::processor_of(tid) else { return };
        if self.processor == Some(processor) {
            return;
        }
        // Where it isn't allowed, all goes on as slowly as it did.
        if placement::stay_on(0, processor).is_ok() {
            self.processor = Some(processor);
            if let Some(beside) = self.beside {
                let _ = placement::stay_on(beside, processor);
            }
        }
    }
}
