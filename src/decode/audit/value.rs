//! The `name=value` items of an audit record, and what their values mean.

use std::borrow::Cow;

/// The items of a record's body. Quoted values keep their quotes; a word without `=` is skipped.
pub fn items(body: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let mut rest = body;
    std::iter::from_fn(move || {
        loop {
            rest = rest.trim_ascii_start();
            if rest.is_empty() {
                return None;
            }
            let end = rest.iter().position(|&byte| byte == b'=' || byte == b' ')?;
            let (name, behind) = rest.split_at_checked(end)?;
            let Some(value) = behind.strip_prefix(b"=") else {
                rest = behind;
                continue;
            };
            let len = value_len(value);
            let (value, behind) = value.split_at_checked(len)?;
            rest = behind;
            return Some((name, value));
        }
    })
}

/// A value ends at a blank; a quoted one at its closing quote.
fn value_len(value: &[u8]) -> usize {
    let blank = || memchr::memchr(b' ', value).unwrap_or(value.len());
    match value.first() {
        Some(b'"') => {
            let inside = value.get(1..).unwrap_or_default();
            memchr::memchr(b'"', inside).map_or_else(blank, |at| at + 2)
        }
        _ => blank(),
    }
}

/// A decimal number, of either sign.
#[must_use]
pub fn decimal(value: &[u8]) -> Option<i64> {
    std::str::from_utf8(value).ok()?.parse().ok()
}

/// A decimal number as unsigned 32 bits; -1 and 4294967295 are the same.
#[must_use]
pub fn id(value: &[u8]) -> Option<u32> {
    let number = decimal(value)?;
    u32::try_from(number).ok().or_else(|| (number == -1).then_some(u32::MAX))
}

/// A hexadecimal number.
#[must_use]
pub fn hex(value: &[u8]) -> Option<u64> {
    u64::from_str_radix(std::str::from_utf8(value).ok()?, 16).ok()
}

/// An octal number.
#[must_use]
pub fn octal(value: &[u8]) -> Option<u32> {
    u32::from_str_radix(std::str::from_utf8(value).ok()?, 8).ok()
}

/// A text that a user chose: quoted, hexadecimal, or `(null)`, which is `None`.
#[must_use]
pub fn text(value: &[u8]) -> Option<Cow<'_, [u8]>> {
    if let Some(inside) = value.strip_prefix(b"\"") {
        return Some(Cow::Borrowed(inside.strip_suffix(b"\"").unwrap_or(inside)));
    }
    if value == b"(null)" || value == b"(none)" {
        return None;
    }
    match bytes(value) {
        Some(decoded) => Some(Cow::Owned(decoded)),
        None => Some(Cow::Borrowed(value)),
    }
}

/// Pairs of hexadecimal digits.
#[must_use]
pub fn bytes(value: &[u8]) -> Option<Vec<u8>> {
    let (pairs, []) = value.as_chunks::<2>() else { return None };
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quoted_value_may_have_blanks_and_words_without_a_name_are_skipped() {
        let body = br#"op=set key="a b" junk res=1"#;
        let names: Vec<_> = items(body).map(|(name, _)| name).collect();
        assert_eq!(names, [&b"op"[..], b"key", b"res"]);
        assert_eq!(items(body).nth(1).unwrap().1, br#""a b""#);
    }

    #[test]
    fn text_with_blanks_comes_in_hexadecimal() {
        assert_eq!(text(b"\"ls\"").unwrap().as_ref(), b"ls");
        assert_eq!(text(b"6120620A").unwrap().as_ref(), b"a b\n");
        assert_eq!(text(b"(null)"), None);
    }

    #[test]
    fn an_unset_id_is_all_ones() {
        assert_eq!(id(b"-1"), Some(u32::MAX));
        assert_eq!(id(b"4294967295"), Some(u32::MAX));
        assert_eq!(id(b"0"), Some(0));
        assert_eq!(id(b"x"), None);
    }

    #[test]
    fn an_unclosed_quote_ends_at_the_next_blank() {
        assert_eq!(items(b"name=\"open x=1").count(), 2);
    }
}
