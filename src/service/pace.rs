//! How soon what waits is read.
//!
//! A program's record is answered best at once: what `/proc` says of it is there as long as it
//! runs. Where the audit tells of programs, or each is read while it stands still, their arguments,
//! user and directory are there however late the records are read, and what a reading costs doesn't
//! depend much on how many records it finds. So a quiet host is answered at once, and a busy one's
//! records may gather for milliseconds: the agent's share of a CPU is bounded by that.

use std::time::Duration;

/// Work that is done at once, after quiet.
const BURST: Duration = Duration::from_millis(20);
/// One part of so many of the time adds to that.
const REFILL: u32 = 500;
/// Records gather for so many times what the last turn took …
const GATHER: u32 = 16;
/// … but no longer than this.
const LONGEST: Duration = Duration::from_millis(2);

/// What was spent lately.
#[derive(Debug)]
pub(super) struct Pace {
    credit: Duration,
    /// What the last turn took, and when it ended, on the caller's clock.
    took: Duration,
    ended: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self { credit: BURST, took: Duration::ZERO, ended: Duration::ZERO }
    }
}

impl Pace {
    /// How long records should gather before the turn that could begin at `now`.
    pub(super) fn wait(&self, now: Duration) -> Duration {
        if !self.credit.is_zero() {
            return Duration::ZERO;
        }
        let gather = (self.took * GATHER).min(LONGEST);
        gather.saturating_sub(now.saturating_sub(self.ended))
    }

    /// Notes a turn that read something.
    pub(super) fn turned(&mut self, began: Duration, ended: Duration) {
        let took = ended.saturating_sub(began);
        let refill = ended.saturating_sub(self.ended) / REFILL;
        self.credit = (self.credit + refill).min(BURST).saturating_sub(took);
        (self.took, self.ended) = (took, ended);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn us(number: u64) -> Duration {
        Duration::from_micros(number)
    }

    /// Turns of 200 µs, as soon as they may be after something happens `every` so often; when each
    /// began after what it was for.
    fn delays(every: Duration, count: u32) -> Vec<Duration> {
        let mut pace = Pace::default();
        let mut now = Duration::from_secs(1);
        pace.turned(now, now);
        let mut delays = Vec::new();
        for number in 1..=count {
            let happened = Duration::from_secs(1) + every * number;
            let free = now.max(happened);
            let began = free + pace.wait(free);
            delays.push(began - happened);
            now = began + us(200);
            pace.turned(began, now);
        }
        delays
    }

    #[test]
    fn a_quiet_host_is_answered_at_once() {
        assert!(delays(Duration::from_millis(100), 1000).iter().all(Duration::is_zero));
    }

    #[test]
    fn a_burst_is_answered_at_once_and_what_goes_on_gathers() {
        let delays = delays(us(1500), 1000);
        assert!(delays[..90].iter().all(Duration::is_zero));
        assert!(delays[200..].iter().any(|delay| !delay.is_zero()));
    }

    #[test]
    fn nothing_gathers_for_long_whatever_a_turn_took() {
        let mut pace = Pace::default();
        let (began, ended) = (Duration::from_secs(1), Duration::from_secs(9));
        pace.turned(began, ended);
        assert_eq!(pace.wait(ended), LONGEST);
        assert_eq!(pace.wait(ended + LONGEST), Duration::ZERO);
    }
}
