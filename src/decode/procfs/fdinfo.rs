//! `/proc/<pid>/fdinfo/<fd>`: how a descriptor is open, see proc_pid_fdinfo(5).

use super::line_after;
use super::octal;

/// The flags of the descriptor, with the kernel's values: access mode and status flags as open(2)
/// got them, without those that say how to create (`O_CREAT`, `O_EXCL`, `O_TRUNC`, `O_NOCTTY`),
/// and with `O_CLOEXEC` as it is now.
#[must_use]
pub fn flags(text: &[u8]) -> Option<u32> {
    u32::try_from(octal(line_after(text, b"flags:")?)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_octal() {
        assert_eq!(flags(b"pos:\t0\nflags:\t02100001\nmnt_id:\t27\n"), Some(0o2_100_001));
        assert_eq!(flags(b"pos:\t0\n"), None);
    }
}
