//! Text that is made in the event's arena: numbers, times, and what is cleaned for printing.
//!
//! No heap and no `format!` on the way; what the pieces mean is decided by the callers.

use std::fmt;
use std::io::Write;

use bumpalo::collections::Vec;

use crate::event::{Arena, TimeZone, Value};

/// A growing text in the arena.
#[derive(Debug)]
pub struct Text<'a> {
    bytes: Vec<'a, u8>,
}

impl<'a> Text<'a> {
    /// An empty one.
    #[must_use]
    pub fn new(arena: &'a Arena) -> Self {
        Self { bytes: Vec::new_in(arena) }
    }

    /// An empty one with room for `capacity` bytes.
    #[must_use]
    pub fn with_capacity(capacity: usize, arena: &'a Arena) -> Self {
        Self { bytes: Vec::with_capacity_in(capacity, arena) }
    }

    /// Appends bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice_copy(bytes);
    }

    /// Appends one byte.
    pub fn push_byte(&mut self, byte: u8) {
        self.bytes.push(byte);
    }

    /// Appends what `format_args!` makes.
    pub fn push_fmt(&mut self, arguments: fmt::Arguments<'_>) {
        // Writing into memory that grows cannot fail.
        let _ = self.bytes.write_fmt(arguments);
    }

    /// Appends a decimal number.
    pub fn push_int(&mut self, value: i64) {
        if value < 0 {
            self.push_byte(b'-');
        }
        self.push_uint(value.unsigned_abs());
    }

    /// Appends a decimal number.
    pub fn push_uint(&mut self, value: u64) {
        self.push_in_base(value, 10);
    }

    /// Appends a number in upper-case hexadecimal digits, without prefix.
    pub fn push_hex(&mut self, value: u64) {
        self.push_in_base(value, 16);
    }

    /// Appends a number in octal digits, without prefix.
    pub fn push_octal(&mut self, value: u64) {
        self.push_in_base(value, 8);
    }

    fn push_in_base(&mut self, mut value: u64, base: u64) {
        const LONGEST: usize = 22;
        let mut digits = [0_u8; LONGEST];
        let mut used = 0;
        for place in digits.iter_mut().rev() {
            let digit = u8::try_from(value % base).unwrap_or(0);
            *place = if digit < 10 { b'0' + digit } else { b'A' + digit - 10 };
            value /= base;
            used += 1;
            if value == 0 {
                break;
            }
        }
        self.push(digits.get(LONGEST - used..).unwrap_or_default());
    }

    /// Drops everything behind the first `len` bytes.
    pub fn truncate(&mut self, len: usize) {
        self.bytes.truncate(len);
    }

    /// How many bytes there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether there is nothing yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// What there is.
    #[must_use]
    pub fn as_slice(&self) -> &[u8] {
        &self.bytes
    }

    /// The text, which lives as long as the arena.
    #[must_use]
    pub fn finish(self) -> &'a [u8] {
        self.bytes.into_bump_slice()
    }

    /// The text as a field's value.
    #[must_use]
    pub fn value(self) -> Value<'a> {
        Value::Bytes(self.finish())
    }
}

/// Joins items with a separator.
pub fn joined<'a, 'b>(
    arena: &'a Arena,
    items: impl Iterator<Item = &'b [u8]>,
    separator: &[u8],
) -> &'a [u8] {
    let mut text = Text::new(arena);
    for (index, item) in items.enumerate() {
        if index > 0 {
            text.push(separator);
        }
        text.push(item);
    }
    text.finish()
}

/// `head`, if there is one, and the items of a list that ends each with a NUL, joined by blanks.
#[must_use]
#[inline]
pub fn spaced<'a>(arena: &'a Arena, head: Option<&[u8]>, list: &[u8]) -> &'a [u8] {
    let list = list.strip_suffix(b"\0").unwrap_or(list);
    let before = head.map_or(0, |head| head.len() + 1);
    let mut text = Text::with_capacity(before + list.len(), arena);
    if let Some(head) = head {
        text.push(head);
        text.push_byte(b' ');
    }
    text.push(list);
    blank_nuls(text.bytes.get_mut(before..).unwrap_or_default());
    text.finish()
}

/// Puts a blank in the place of every NUL.
fn blank_nuls(text: &mut [u8]) {
    const LOW: u64 = 0x7f7f_7f7f_7f7f_7f7f;
    let blank = |eight: &mut [u8; 8]| {
        let bytes = u64::from_ne_bytes(*eight);
        // The highest bit of each byte that is zero; two places lower it is a blank.
        let zeros = !(((bytes & LOW) + LOW) | bytes | LOW);
        *eight = (bytes | zeros >> 2).to_ne_bytes();
    };
    text.as_chunks_mut().0.iter_mut().for_each(blank);
    // Once more what is blank already, so that nothing is left for single bytes.
    match text.last_chunk_mut() {
        Some(last) => blank(last),
        None => text.iter_mut().for_each(|byte| *byte = if *byte == 0 { b' ' } else { *byte }),
    }
}

/// `bytes` as Falco prints text: control characters and what is no UTF-8 become U+FFFD.
#[must_use]
pub fn printable<'a>(arena: &'a Arena, bytes: &'a [u8]) -> &'a [u8] {
    const REPLACEMENT: &[u8] = "\u{fffd}".as_bytes();
    if bytes.iter().all(|byte| matches!(byte, 0x20..=0x7e)) {
        return bytes;
    }
    let mut text = Text::with_capacity(bytes.len() + 8, arena);
    for chunk in bytes.utf8_chunks() {
        for piece in chunk.valid().split_inclusive(|c: char| c.is_ascii_control()) {
            match piece.as_bytes().split_last() {
                Some((last, rest)) if last.is_ascii_control() => {
                    text.push(rest);
                    text.push(REPLACEMENT);
                }
                _ => text.push(piece.as_bytes()),
            }
        }
        if !chunk.invalid().is_empty() {
            text.push(REPLACEMENT);
        }
    }
    text.finish()
}

/// Appends a buffer with a dot for each byte that is not printable.
pub fn push_dotted(text: &mut Text<'_>, bytes: &[u8]) {
    for &byte in bytes {
        text.push_byte(if matches!(byte, 0x20..=0x7e) { byte } else { b'.' });
    }
}

/// Appends a number as C's `%g` does: six significant digits, no trailing zeros.
pub fn push_general(text: &mut Text<'_>, value: f64) {
    use std::io::Write as _;
    let mut buffer = [0_u8; 32];
    let mut rest: &mut [u8] = &mut buffer;
    let _ = write!(rest, "{value:.5e}");
    let unused = rest.len();
    let written = buffer.get(..buffer.len() - unused).unwrap_or_default();
    let Some((digits, exponent)) = std::str::from_utf8(written).unwrap_or("").split_once('e')
    else {
        return;
    };
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if !(-4..6).contains(&exponent) {
        push_without_zeros(text, digits.as_bytes());
        let sign = if exponent < 0 { '-' } else { '+' };
        text.push_fmt(format_args!("e{sign}{:02}", exponent.unsigned_abs()));
        return;
    }
    let places = usize::try_from(5 - exponent).unwrap_or(0);
    let mut fixed = [0_u8; 32];
    let mut rest: &mut [u8] = &mut fixed;
    let _ = write!(rest, "{value:.places$}");
    let unused = rest.len();
    push_without_zeros(text, fixed.get(..fixed.len() - unused).unwrap_or_default());
}

fn push_without_zeros(text: &mut Text<'_>, digits: &[u8]) {
    if !digits.contains(&b'.') {
        return text.push(digits);
    }
    let keep = digits.iter().rposition(|byte| *byte != b'0').map_or(0, |last| last + 1);
    let kept = digits.get(..keep).unwrap_or_default();
    text.push(kept.strip_suffix(b".").unwrap_or(kept));
}

/// A moment in a calendar.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Civil {
    /// Year, month from 1, day from 1.
    pub date: (i64, u8, u8),
    /// Hour, minute, second.
    pub time: (u8, u8, u8),
    /// Nanoseconds of the second.
    pub nanos: u32,
}

impl Civil {
    /// The calendar's name for a moment, given in nanoseconds since the epoch, in UTC.
    #[must_use]
    pub fn utc(ns: u64) -> Self {
        Self::shifted(ns, 0)
    }

    /// The same in a time zone.
    #[must_use]
    pub fn local(ns: u64, zone: TimeZone) -> Self {
        let seconds = i64::try_from(ns / 1_000_000_000).unwrap_or(i64::MAX);
        Self::shifted(ns, i64::from((zone.offset_at)(seconds)))
    }

    fn shifted(ns: u64, offset: i64) -> Self {
        let nanos = u32::try_from(ns % 1_000_000_000).unwrap_or(0);
        let seconds = i64::try_from(ns / 1_000_000_000).unwrap_or(i64::MAX).saturating_add(offset);
        let days = seconds.div_euclid(86_400);
        let of_day = seconds.rem_euclid(86_400);
        let part = |value: i64| u8::try_from(value).unwrap_or(0);
        Self {
            date: date_of(days),
            time: (part(of_day / 3600), part(of_day / 60 % 60), part(of_day % 60)),
            nanos,
        }
    }

    /// `HH:MM:SS`.
    pub fn push_time(&self, text: &mut impl Write) {
        let (hour, minute, second) = self.time;
        let ([h, i], [m, n], [s, t]) = (two_digits(hour), two_digits(minute), two_digits(second));
        let _ = text.write_all(&[h, i, b':', m, n, b':', s, t]);
    }

    /// `YYYY-MM-DD`.
    pub fn push_date(&self, text: &mut impl Write) {
        let (year, month, day) = self.date;
        let _ = match (u8::try_from(year / 100), u8::try_from(year % 100)) {
            (Ok(hundreds @ 0..100), Ok(rest)) => {
                let ([y, z], [a, b]) = (two_digits(hundreds), two_digits(rest));
                text.write_all(&[y, z, a, b])
            }
            _ => write!(text, "{year:04}"),
        };
        let ([m, n], [d, e]) = (two_digits(month), two_digits(day));
        let _ = text.write_all(&[b'-', m, n, b'-', d, e]);
    }

    /// `.nnnnnnnnn`.
    pub fn push_nanos(&self, text: &mut impl Write) {
        let mut digits = *b".000000000";
        let mut left = self.nanos;
        for place in digits.iter_mut().skip(1).rev() {
            *place = digit(left % 10);
            left /= 10;
        }
        let _ = text.write_all(&digits);
    }
}

/// The digits of a number below 100.
fn two_digits(number: u8) -> [u8; 2] {
    [digit(u32::from(number / 10)), digit(u32::from(number % 10))]
}

/// The character of a number below 10.
fn digit(number: u32) -> u8 {
    u8::try_from(number).map_or(b'?', |number| b'0' + number)
}

impl Write for Text<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.push(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Days since the epoch to year, month and day in the Gregorian calendar.
fn date_of(days: i64) -> (i64, u8, u8) {
    // Counted in eras of 400 years from 1 March of the year 0, so that leap days come last.
    let shifted = days.saturating_add(719_468);
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, u8::try_from(month).unwrap_or(0), u8::try_from(day).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(make: impl Fn(&mut Text<'_>)) -> String {
        let arena = Arena::new();
        let mut text = Text::new(&arena);
        make(&mut text);
        String::from_utf8(text.finish().to_vec()).unwrap()
    }

    #[test]
    fn numbers_are_written_in_every_base() {
        assert_eq!(made(|text| text.push_int(i64::MIN)), "-9223372036854775808");
        assert_eq!(made(|text| text.push_uint(0)), "0");
        assert_eq!(made(|text| text.push_hex(0xffd0)), "FFD0");
        assert_eq!(made(|text| text.push_octal(u64::MAX)), "1777777777777777777777");
    }

    #[test]
    fn general_numbers_look_as_c_prints_them() {
        for (value, expected) in [
            (0.0, "0"),
            (1.5, "1.5"),
            (9.99e-7, "9.99e-07"),
            (1_600_000_000.123, "1.6e+09"),
            (123_456.0, "123456"),
            (1_234_567.0, "1.23457e+06"),
            (0.0001, "0.0001"),
        ] {
            assert_eq!(made(|text| push_general(text, value)), expected);
        }
    }

    #[test]
    fn control_characters_and_broken_utf8_become_replacement_characters() {
        let arena = Arena::new();
        assert_eq!(printable(&arena, b"plain"), b"plain");
        assert_eq!(printable(&arena, b"tab\there"), "tab\u{fffd}here".as_bytes());
        assert_eq!(printable(&arena, "café".as_bytes()), "café".as_bytes());
        assert_eq!(printable(&arena, b"\xff\n"), "\u{fffd}\u{fffd}".as_bytes());
    }

    #[test]
    fn the_calendar_knows_leap_days_and_zones() {
        let civil = Civil::utc(1_582_934_400_000_000_005);
        assert_eq!(civil.date, (2020, 2, 29));
        assert_eq!(civil.nanos, 5);
        let zone = TimeZone { offset_at: |_| -3600 };
        let local = Civil::local(1_700_000_000_004_355_174, zone);
        assert_eq!((local.date, local.time), ((2023, 11, 14), (21, 13, 20)));
    }
}
