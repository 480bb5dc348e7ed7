//! The text files of proc(5), one file here for each file there.
//!
//! Bytes in, borrowed values out. A file that is cut off, or has what was never seen, gives what
//! could be understood: the kernel adds fields and lines.

pub mod cgroup;
pub mod cmdline;
pub mod fdinfo;
pub mod limits;
pub mod mountinfo;
pub mod net;
pub mod stat;
pub mod status;
pub mod syscall;

/// Number of clock ticks in a second as the kernel shows them to programs: `USER_HZ`, 100 on every
/// architecture that we build for (`include/asm-generic/param.h`).
pub const TICKS_PER_SECOND: u64 = 100;

/// A decimal number that is the whole of `text`.
#[must_use]
pub fn decimal(text: &[u8]) -> Option<u64> {
    digits(text, 10)
}

/// A decimal number that may have a minus sign.
#[must_use]
pub fn signed(text: &[u8]) -> Option<i64> {
    match text.strip_prefix(b"-") {
        Some(rest) => i64::try_from(decimal(rest)?).ok().map(i64::wrapping_neg),
        None => i64::try_from(decimal(text)?).ok(),
    }
}

/// A hexadecimal number without prefix.
#[must_use]
pub fn hexadecimal(text: &[u8]) -> Option<u64> {
    digits(text, 16)
}

/// An octal number.
#[must_use]
pub fn octal(text: &[u8]) -> Option<u64> {
    digits(text, 8)
}

fn digits(text: &[u8], radix: u32) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    text.iter().try_fold(0_u64, |value, &byte| {
        let digit = char::from(byte).to_digit(radix)?;
        value.checked_mul(u64::from(radix))?.checked_add(u64::from(digit))
    })
}

/// The words of a line, separated by blanks or tabs.
pub fn words(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(|byte| matches!(byte, b' ' | b'\t')).filter(|word| !word.is_empty())
}

/// The lines of a file, without their newlines; the last may lack one.
pub fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|&byte| byte == b'\n').filter(|line| !line.is_empty())
}

/// The rest of the first line that begins with `key`, blanks and tabs around it taken off.
#[must_use]
pub fn line_after<'a>(text: &'a [u8], key: &[u8]) -> Option<&'a [u8]> {
    lines(text).find_map(|line| line.strip_prefix(key)).map(<[u8]>::trim_ascii)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_too_large_or_with_other_bytes_are_none() {
        assert_eq!(decimal(b"18446744073709551615"), Some(u64::MAX));
        assert_eq!(decimal(b"18446744073709551616"), None);
        assert_eq!(decimal(b"12a"), None);
        assert_eq!(decimal(b""), None);
        assert_eq!(signed(b"-1"), Some(-1));
        assert_eq!(signed(b"-"), None);
        assert_eq!(octal(b"0100001"), Some(0o100_001));
        assert_eq!(hexadecimal(b"00000000a80425fb"), Some(0xa804_25fb));
    }
}
