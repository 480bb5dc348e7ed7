//! Gaps in the running numbers of each CPU.
//!
//! On old kernels a number is drawn before the message is sent and the task may be moved between
//! the two, so two messages of one CPU can change places: a hole counts as a loss only when a
//! whole further drain has not filled it.

/// What has been seen of each CPU's numbers.
#[derive(Debug, Default)]
pub(super) struct Sequences {
    cpus: Vec<Cpu>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Cpu {
    /// The number expected next; `None` before the first.
    next: Option<u32>,
    /// Numbers missing since before the current drain.
    old: u64,
    /// Numbers missing since the current drain.
    fresh: u64,
}

/// More CPUs than any host has; a larger number is not a CPU.
const MAX_CPUS: usize = 8192;

impl Sequences {
    /// Notes the number `seq` of `cpu`.
    pub(super) fn note(&mut self, cpu: u32, seq: u32) {
        let Ok(index) = usize::try_from(cpu) else { return };
        if index >= MAX_CPUS {
            return;
        }
        if index >= self.cpus.len() {
            self.cpus.resize(index + 1, Cpu::default());
        }
        if let Some(cpu) = self.cpus.get_mut(index) {
            cpu.note(seq);
        }
    }

    /// Ends a drain: how many numbers are missing for good.
    pub(super) fn settle(&mut self) -> u64 {
        self.cpus.iter_mut().map(Cpu::settle).fold(0, u64::saturating_add)
    }
}

impl Cpu {
    fn note(&mut self, seq: u32) {
        let Some(next) = self.next else {
            self.next = Some(seq.wrapping_add(1));
            return;
        };
        let ahead = seq.wrapping_sub(next);
        // The numbers wrap: the nearer way round tells whether it is early or late.
        if ahead <= u32::MAX / 2 {
            self.fresh = self.fresh.saturating_add(u64::from(ahead));
            self.next = Some(seq.wrapping_add(1));
        } else if self.fresh > 0 {
            self.fresh -= 1;
        } else {
            self.old = self.old.saturating_sub(1);
        }
    }

    fn settle(&mut self) -> u64 {
        let lost = self.old;
        self.old = self.fresh;
        self.fresh = 0;
        lost
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lost(rounds: &[&[(u32, u32)]]) -> u64 {
        let mut sequences = Sequences::default();
        let mut lost = 0;
        for round in rounds {
            for (cpu, seq) in *round {
                sequences.note(*cpu, *seq);
            }
            lost += sequences.settle();
        }
        lost
    }

    #[test]
    fn numbers_in_a_row_lose_nothing() {
        assert_eq!(lost(&[&[(0, 5), (1, 90), (0, 6)], &[(0, 7), (1, 91)], &[]]), 0);
    }

    #[test]
    fn a_hole_is_lost_when_a_further_drain_has_not_filled_it() {
        assert_eq!(lost(&[&[(0, 5), (0, 9)]]), 0);
        assert_eq!(lost(&[&[(0, 5), (0, 9)], &[]]), 3);
    }

    #[test]
    fn two_numbers_that_changed_places_are_no_loss() {
        assert_eq!(lost(&[&[(0, 5), (0, 7), (0, 6), (0, 8)], &[], &[]]), 0);
        assert_eq!(lost(&[&[(0, 5), (0, 7)], &[(0, 6)], &[]]), 0);
    }

    #[test]
    fn numbers_may_wrap() {
        assert_eq!(lost(&[&[(0, u32::MAX), (0, 0), (0, 2)], &[]]), 1);
    }

    #[test]
    fn an_absurd_cpu_is_not_counted() {
        assert_eq!(lost(&[&[(u32::MAX, 1), (u32::MAX, 9)], &[]]), 0);
    }
}
