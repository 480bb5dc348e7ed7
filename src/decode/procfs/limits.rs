//! `/proc/<pid>/limits`: resource limits, see proc_pid_limits(5).

use super::decimal;
use super::line_after;
use super::words;

/// The soft limit of open files; -1: unlimited.
#[must_use]
pub fn max_open_files(text: &[u8]) -> Option<i64> {
    match words(line_after(text, b"Max open files")?).next()? {
        b"unlimited" => Some(-1),
        number => i64::try_from(decimal(number)?).ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_soft_limit_is_the_first_number() {
        let text =
            b"Limit                     Soft Limit           Hard Limit           Units     \n\
            Max open files            1024                 524288               files     \n";
        assert_eq!(max_open_files(text), Some(1024));
        assert_eq!(max_open_files(b"Max open files            unlimited x files\n"), Some(-1));
    }
}
