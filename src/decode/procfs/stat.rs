//! `/proc/<pid>/stat`: numbers of a process in one line, see proc_pid_stat(5).

use super::decimal;
use super::signed;

/// What is used of the line.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Stat<'a> {
    /// Thread or process id.
    pub pid: i64,
    /// Name; may contain anything. Kernel threads' are longer than 15 bytes since 4.18.
    pub comm: &'a [u8],
    /// One letter: `R`, `S`, `Z` …
    pub state: u8,
    /// Process id of the parent.
    pub ppid: i64,
    /// Process group.
    pub pgrp: i64,
    /// Session.
    pub session: i64,
    /// Device number of the controlling terminal, 0 for none.
    pub tty: u32,
    /// The kernel's `PF_…` flags of the task.
    pub flags: u64,
    /// Page faults that needed no disk.
    pub minor_faults: u64,
    /// Page faults that needed the disk.
    pub major_faults: u64,
    /// Threads of the process.
    pub num_threads: u64,
    /// Clock ticks since boot at which it started.
    pub start_ticks: u64,
    /// Where the stack began: changes with each exec, zero without the right to know.
    pub start_stack: u64,
    /// Where the arguments are: changes with each exec; zero on kernels before 3.5 and without
    /// the right to know.
    pub arg_start: u64,
}

impl<'a> Stat<'a> {
    /// Reads the line; `None` if it ends before the start time.
    #[must_use]
    pub fn parse(line: &'a [u8]) -> Option<Self> {
        // A name can contain parentheses and blanks, the rest of the line can't.
        let open = line.iter().position(|&byte| byte == b'(')?;
        let close = line.iter().rposition(|&byte| byte == b')')?;
        let comm = line.get(open + 1..close)?;
        let pid = signed(line.get(..open)?.trim_ascii())?;
        let mut fields = line.get(close + 1..)?.trim_ascii().split(|&byte| byte == b' ');
        // Numbers of the fields as in the manual page; `field(n)` skips up to it.
        let mut at = 3;
        let mut field = |number: usize| {
            let skipped = number.checked_sub(at)?;
            at = number + 1;
            fields.nth(skipped)
        };
        Some(Self {
            pid,
            comm,
            state: field(3)?.first().copied()?,
            ppid: signed(field(4)?)?,
            pgrp: signed(field(5)?)?,
            session: signed(field(6)?)?,
            // Printed as a signed number.
            tty: u32::try_from(signed(field(7)?)? & 0xffff_ffff).ok()?,
            flags: decimal(field(9)?)?,
            minor_faults: decimal(field(10)?)?,
            major_faults: decimal(field(12)?)?,
            num_threads: decimal(field(20)?)?,
            start_ticks: decimal(field(22)?)?,
            start_stack: field(28).and_then(decimal).unwrap_or(0),
            arg_start: field(48).and_then(decimal).unwrap_or(0),
        })
    }

    /// The name as the rules see it: at most 15 bytes.
    #[must_use]
    pub fn short_comm(&self) -> &'a [u8] {
        // TASK_COMM_LEN in include/linux/sched.h is 16 with its NUL.
        self.comm.get(..15).unwrap_or(self.comm)
    }

    /// It has ended or is about to: its memory, files and cgroups may be gone already.
    #[must_use]
    pub const fn is_exiting(&self) -> bool {
        // PF_EXITING of include/linux/sched.h, set before anything is given back.
        self.flags & 0x4 != 0 || matches!(self.state, b'Z' | b'X' | b'x')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &[u8] = b"4711 (cat) S 4700 4711 4600 34816 4711 4194304 107 0 3 0 0 0 0 0 20 0 \
        1 0 123456 3133440 222 18446744073709551615 94 95 140726 0 0 0 0 0 0 0 0 0 17 1 0 0 0 0 0 \
        1 2 3 140730 140733 140733 140735 0\n";

    #[test]
    fn a_line_gives_its_numbers() {
        let stat = Stat::parse(LINE).unwrap();
        assert_eq!((stat.pid, stat.ppid, stat.pgrp, stat.session), (4711, 4700, 4711, 4600));
        assert_eq!((stat.comm, stat.state, stat.tty), (&b"cat"[..], b'S', 34816));
        assert_eq!((stat.minor_faults, stat.major_faults, stat.num_threads), (107, 3, 1));
        assert_eq!(
            (stat.start_ticks, stat.start_stack, stat.arg_start),
            (123_456, 140_726, 140_730)
        );
    }

    #[test]
    fn an_exiting_process_is_known_before_it_is_a_zombie() {
        let stat = |state: &str, flags: &str| {
            let line = format!("1 (a) {state} 0 1 1 0 -1 {flags} 0 0 0 0 0 0 0 0 20 0 1 0 5");
            Stat::parse(line.as_bytes()).unwrap().is_exiting()
        };
        assert!(stat("R", "4194308") && stat("Z", "4194304"));
        assert!(!stat("R", "4194304"));
    }

    #[test]
    fn comm_with_parentheses_ends_at_the_last_one() {
        let line = b"1 (a) R (b)) S 0 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 5";
        let stat = Stat::parse(line).unwrap();
        assert_eq!((stat.comm, stat.ppid, stat.start_ticks), (&b"a) R (b)"[..], 0, 5));
        assert_eq!((stat.start_stack, stat.arg_start), (0, 0));
    }

    #[test]
    fn a_line_without_start_time_is_none() {
        assert_eq!(Stat::parse(b"1 (init) S 0 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0"), None);
        assert_eq!(Stat::parse(b""), None);
        assert_eq!(Stat::parse(b") ("), None);
    }

    #[test]
    fn a_kernel_threads_name_is_cut_at_15_bytes() {
        let line = b"7 (kworker/0:1-events_long) I 2 0 0 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 5";
        assert_eq!(Stat::parse(line).unwrap().short_comm(), b"kworker/0:1-eve");
    }
}
