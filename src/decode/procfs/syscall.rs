//! `/proc/<pid>/syscall`: the system call in which a task stands, see proc_pid_syscall(5).

use super::hexadecimal;
use super::signed;
use super::words;

/// A system call that has not returned.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct StandingCall {
    /// Its number, of the table that the task uses.
    pub number: u32,
    /// Its arguments, as registers.
    pub arguments: [u64; 6],
    /// The stack pointer.
    pub stack: u64,
}

impl StandingCall {
    /// Reads the one line; `None` of a task that runs, or stands outside of any call.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Self> {
        let mut words = words(text.trim_ascii());
        let number = u32::try_from(signed(words.next()?)?).ok()?;
        let mut next = || hexadecimal(words.next()?.strip_prefix(b"0x")?);
        let mut arguments = [0; 6];
        for argument in &mut arguments {
            *argument = next()?;
        }
        Some(Self { number, arguments, stack: next()? })
    }

    /// Whether the task has made it by the table of 32-bit programs: their stack lies below 4 GiB,
    /// that of others far above.
    #[must_use]
    pub fn is_narrow(&self) -> bool {
        u32::try_from(self.stack).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_standing_task_tells_number_and_arguments() {
        let text = b"257 0xffffff9c 0x7f01 0x241 0x1b6 0x0 0x1 0x7ffec6e17aa8 0x7f91f39d92ad\n";
        let call = StandingCall::parse(text).unwrap();
        assert_eq!(call.number, 257);
        assert_eq!(call.arguments, [0xffff_ff9c, 0x7f01, 0x241, 0x1b6, 0, 1]);
        assert!(!call.is_narrow());
    }

    #[test]
    fn a_running_task_tells_nothing_nor_does_one_outside_of_a_call() {
        for text in [&b"running\n"[..], b"-1 0x7ffc 0x7f00\n", b"", b"257 0x1", b"0 1 2 3 4 5 6 7"]
        {
            assert_eq!(StandingCall::parse(text), None);
        }
    }
}
