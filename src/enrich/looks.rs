//! What was read of processes while they stood still, waiting for the record that it belongs to.
//!
//! Looks and records come by different ways and in no order. A look is of the image that the last
//! exec before it made; a process can't end before its look is on its way.

use std::collections::VecDeque;
use std::fmt;

use crate::procfs::taken::Taken;

/// Bytes of looks that wait, about: more are left with their source.
const MAX_BYTES: usize = 8 << 20;

/// How long one waits for its record, in nanoseconds. The time is that of the records, which may
/// be told late.
const KEEP_NS: u64 = 2_000_000_000;

/// The same where no record is told at all.
const KEEP_UNTOLD_NS: u64 = 10_000_000_000;

/// How long programs and looks are counted that belong together, in nanoseconds.
const COUNT_NS: u64 = 1_000_000_000;

/// So many looks may be on their way when the counts are compared.
const ON_THEIR_WAY: u32 = 2;

/// Hands out the next look that has come.
pub type LookSource = dyn FnMut() -> Option<Taken> + Send;

/// The looks that have come and belong to nothing yet.
#[derive(Default)]
pub(super) struct Looks {
    source: Option<Box<LookSource>>,
    waiting: VecDeque<Taken>,
    bytes: usize,
    count: Count,
}

/// Whether each program has its look.
#[derive(Debug, Default)]
struct Count {
    since_ns: u64,
    programs: u32,
    looks: u32,
    /// In the span before it was so.
    is_full: bool,
}

impl Looks {
    pub(super) fn set_source(&mut self, source: Box<LookSource>) {
        self.source = Some(source);
    }

    /// Notes a program whose look is asked for.
    pub(super) fn note_program(&mut self, at_ns: u64) {
        let Count { since_ns, programs, looks, is_full } = &mut self.count;
        if at_ns.saturating_sub(*since_ns) >= COUNT_NS {
            *is_full = *programs > 0 && programs.saturating_sub(*looks) <= ON_THEIR_WAY;
            (*since_ns, *programs, *looks) = (at_ns, 0, 0);
        }
        *programs += 1;
        if programs.saturating_sub(*looks) > ON_THEIR_WAY {
            *is_full = false;
        }
    }

    /// Whether of late a look came of each program, so that none has to be looked at in haste.
    pub(super) const fn are_of_all(&self) -> bool {
        self.count.is_full
    }

    /// The first look at `pid` from `from_ns` on and before `until_ns`, in nanoseconds since boot.
    /// Ask in order of time: what is much older is forgotten.
    pub(super) fn take(&mut self, pid: i32, from_ns: u64, until_ns: u64) -> Option<Taken> {
        self.forget(from_ns.saturating_sub(KEEP_NS));
        let is_meant =
            |look: &Taken| look.pid == pid && look.at_ns >= from_ns && look.at_ns < until_ns;
        if let Some(place) = self.waiting.iter().position(is_meant) {
            return self.remove(place);
        }
        // No more is asked for than has to be: thousands may have come while nobody asked, and
        // each has a record that is asked for next.
        while self.bytes < MAX_BYTES {
            let look = self.source.as_mut()?()?;
            self.count.looks += 1;
            if is_meant(&look) {
                return Some(look);
            }
            self.keep(look);
        }
        None
    }

    /// The last look at `pid` from `from_ns` on and before `until_ns`, in nanoseconds since boot; all
    /// before `until_ns` are forgotten.
    pub(super) fn take_last(&mut self, pid: i32, from_ns: u64, until_ns: u64) -> Option<Taken> {
        self.forget(until_ns.saturating_sub(KEEP_NS));
        while self.bytes < MAX_BYTES {
            let Some(look) = self.source.as_mut().and_then(|source| source()) else { break };
            self.keep(look);
        }
        let is_meant = |look: &Taken| look.pid == pid && look.at_ns < until_ns;
        let mut last = None;
        while let Some(place) = self.waiting.iter().position(is_meant) {
            last = self.remove(place);
        }
        last.filter(|look| look.at_ns >= from_ns)
    }

    /// Forgets those that nothing belongs to. `now_ns`: nanoseconds since boot.
    pub(super) fn expire(&mut self, now_ns: u64) {
        let oldest_ns = now_ns.saturating_sub(KEEP_UNTOLD_NS);
        self.forget(oldest_ns);
        while self.waiting.is_empty() {
            let Some(look) = self.source.as_mut().and_then(|source| source()) else { return };
            self.count.looks += 1;
            if look.at_ns >= oldest_ns {
                self.keep(look);
            }
        }
    }

    fn forget(&mut self, oldest_ns: u64) {
        while self.waiting.front().is_some_and(|look| look.at_ns < oldest_ns) {
            self.remove(0);
        }
    }

    fn keep(&mut self, look: Taken) {
        self.bytes += look.size();
        self.waiting.push_back(look);
    }

    fn remove(&mut self, place: usize) -> Option<Taken> {
        let look = self.waiting.remove(place)?;
        self.bytes = self.bytes.saturating_sub(look.size());
        Some(look)
    }
}

impl fmt::Debug for Looks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Looks").field("waiting", &self.waiting.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    /// Of so many programs, each a millisecond after the one before.
    fn looks(count: i32, size: usize) -> Looks {
        let mut next = 0_i32;
        let mut looks = Looks::default();
        looks.set_source(Box::new(move || {
            next += 1;
            let at_ns = u64::try_from(next).unwrap() * MS;
            let mut message = [&next.to_ne_bytes()[..], &at_ns.to_ne_bytes()].concat();
            message.resize(message.len() + size, 0);
            (next <= count).then(|| Taken::parse(&message).unwrap())
        }));
        looks
    }

    #[test]
    fn none_is_lost_of_thousands_that_came_while_nobody_asked() {
        let mut looks = looks(20_000, 4 << 10);
        for pid in 1..=20_000 {
            let from_ns = (u64::try_from(pid).unwrap() - 1) * MS;
            assert_eq!(looks.take(pid, from_ns, u64::MAX).map(|look| look.pid), Some(pid));
            // Programs without a look are between them.
            assert!(pid % 8 != 0 || looks.take(-1, from_ns, u64::MAX).is_none());
            assert!(looks.bytes < MAX_BYTES + (8 << 10));
        }
        assert_eq!((looks.waiting.len(), looks.bytes), (0, 0));
    }

    #[test]
    fn those_that_belong_to_nothing_are_forgotten() {
        let mut looks = looks(5_000, 0);
        assert!(looks.take(-1, 0, u64::MAX).is_none());
        assert_eq!(looks.waiting.len(), 5_000);
        assert!(looks.take(-1, 4_000 * MS, u64::MAX).is_none());
        assert_eq!(looks.waiting.len(), 3_001);
        looks.expire(14_000 * MS);
        assert_eq!(looks.waiting.len(), 1_001);
        looks.expire(u64::MAX);
        assert_eq!((looks.waiting.len(), looks.bytes), (0, 0));
    }

    #[test]
    fn looks_are_of_all_programs_until_two_have_none() {
        let mut looks = looks(3_000, 0);
        assert!(!looks.are_of_all());
        for pid in 1..=3_000 {
            let from_ns = (u64::try_from(pid).unwrap() - 1) * MS;
            looks.note_program(from_ns);
            assert!(looks.take(pid, from_ns, u64::MAX).is_some());
            assert_eq!(looks.are_of_all(), pid > 1000, "{pid}");
        }
        for at_ns in 3_000..3_002 {
            looks.note_program(at_ns * MS);
            assert!(looks.are_of_all());
        }
        looks.note_program(3_002 * MS);
        assert!(!looks.are_of_all());
    }

    #[test]
    fn a_look_at_the_program_after_is_not_the_one_before() {
        let mut looks = looks(9, 0);
        assert!(looks.take(5, 0, 5 * MS).is_none());
        assert_eq!(looks.take(5, 5 * MS, 6 * MS).map(|look| look.at_ns), Some(5 * MS));
    }

    #[test]
    fn of_several_calls_of_a_process_the_last_one_before_its_exec_is_taken() {
        let mut looks = Looks::default();
        let mut moments = [(5, 1), (6, 2), (5, 3), (5, 7)].into_iter();
        looks.set_source(Box::new(move || {
            let (pid, at_ns): (i32, u64) = moments.next()?;
            Taken::parse(&[&pid.to_ne_bytes()[..], &at_ns.to_ne_bytes()].concat())
        }));
        assert_eq!(looks.take_last(5, 0, 5).map(|look| look.at_ns), Some(3));
        assert!(looks.take_last(5, 0, 5).is_none());
        // One before the last exec was of a call that has failed.
        assert!(looks.take_last(6, 3, 5).is_none());
        assert_eq!(looks.take_last(5, 0, 8).map(|look| look.at_ns), Some(7));
        assert!(looks.waiting.is_empty());
    }
}
