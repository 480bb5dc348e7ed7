//! What was read of processes while they stood still, waiting for the record that it belongs to.
//!
//! Looks and records come by different ways and in no order. A look is of the image that the last
//! exec before it made; a process can't end before its look is on its way.

use std::collections::VecDeque;
use std::fmt;

use crate::procfs::taken::Taken;

/// Most looks that wait; beyond it the oldest goes.
const MAX_WAITING: usize = 1024;

/// How long one waits for its record, in nanoseconds.
const KEEP_NS: u64 = 2_000_000_000;

/// Hands out the next look that has come.
pub type LookSource = dyn FnMut() -> Option<Taken> + Send;

/// The looks that have come and belong to nothing yet.
#[derive(Default)]
pub(super) struct Looks {
    source: Option<Box<LookSource>>,
    waiting: VecDeque<Taken>,
}

impl Looks {
    pub(super) fn set_source(&mut self, source: Box<LookSource>) {
        self.source = Some(source);
    }

    /// The first look at `pid` from `from_ns` on and before `until_ns`, in nanoseconds since boot.
    pub(super) fn take(&mut self, pid: i32, from_ns: u64, until_ns: u64) -> Option<Taken> {
        self.pull();
        let is_meant =
            |look: &Taken| look.pid == pid && look.at_ns >= from_ns && look.at_ns < until_ns;
        let place = self.waiting.iter().position(is_meant)?;
        self.waiting.remove(place)
    }

    /// Forgets those that nothing belongs to. `now_ns`: nanoseconds since boot.
    pub(super) fn expire(&mut self, now_ns: u64) {
        self.pull();
        while self.waiting.front().is_some_and(|look| look.at_ns.saturating_add(KEEP_NS) < now_ns) {
            self.waiting.pop_front();
        }
    }

    fn pull(&mut self) {
        let Some(source) = &mut self.source else { return };
        while let Some(look) = source() {
            if self.waiting.len() >= MAX_WAITING {
                self.waiting.pop_front();
            }
            self.waiting.push_back(look);
        }
    }
}

impl fmt::Debug for Looks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Looks").field("waiting", &self.waiting.len()).finish_non_exhaustive()
    }
}
