//! The text of a file; scalars and sequences of an item: what has to be there, what text means.

use super::Read;
use crate::engine::context::Place;
use crate::engine::yaml::Node;

/// The text of a file without its byte order mark: UTF-8, or UTF-16 if the mark says so. What is
/// neither is replaced.
pub(super) fn file(bytes: &[u8]) -> String {
    let wide = |bytes: &[u8], unit: fn([u8; 2]) -> u16| {
        let (units, _) = bytes.as_chunks::<2>();
        let chars = char::decode_utf16(units.iter().map(|two| unit(*two)));
        chars.map(|char| char.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
    };
    match bytes {
        [0xff, 0xfe, rest @ ..] => wide(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => wide(rest, u16::from_be_bytes),
        [0xef, 0xbb, 0xbf, rest @ ..] => String::from_utf8_lossy(rest).into_owned(),
        _ => String::from_utf8_lossy(bytes).into_owned(),
    }
}

/// The text of `key`; it has to be there.
pub(super) fn text<'a>(item: Node<'a>, key: &str, place: &Place) -> Read<&'a str> {
    optional_text(item, key, place)?
        .ok_or_else(|| place.shape(format!("Item has no mapping for key '{key}'")))
}

/// The text of `key`, if it is there; then it may not be empty.
pub(super) fn optional_text<'a>(item: Node<'a>, key: &str, place: &Place) -> Read<Option<&'a str>> {
    let Some(value) = item.get(key) else {
        return Ok(None);
    };
    if value.is_null() {
        return Err(place.shape(format!("Mapping for key '{key}' is empty")));
    }
    let Some(text) = value.scalar() else {
        return Err(here(value, key, place).shape("Value is not a scalar value"));
    };
    if text.is_empty() {
        return Err(here(value, key, place).shape("Value must be non-empty"));
    }
    Ok(Some(text))
}

/// The text of `key`; nothing and empty text count as missing.
pub(super) fn lenient_text<'a>(item: Node<'a>, key: &str, place: &Place) -> Read<Option<&'a str>> {
    match item.get(key) {
        Some(value) if value.is_null() || value.scalar() == Some("") => Ok(None),
        _ => optional_text(item, key, place),
    }
}

/// A Boolean, if `key` is there.
pub(super) fn optional_bool(item: Node<'_>, key: &str, place: &Place) -> Read<Option<bool>> {
    converted(item, key, place, boolean)
}

/// A number, if `key` is there.
pub(super) fn optional_u32(item: Node<'_>, key: &str, place: &Place) -> Read<Option<u32>> {
    converted(item, key, place, number)
}

fn converted<T>(
    item: Node<'_>,
    key: &str,
    place: &Place,
    convert: fn(&str) -> Option<T>,
) -> Read<Option<T>> {
    let Some(text) = optional_text(item, key, place)? else {
        return Ok(None);
    };
    match (convert(text), item.get(key)) {
        (None, Some(value)) => Err(here(value, key, place).shape("Can't decode YAML scalar value")),
        (value, _) => Ok(value),
    }
}

/// The texts of a sequence, if `key` is there.
pub(super) fn optional_texts(
    item: Node<'_>,
    key: &str,
    place: &Place,
) -> Read<Option<Vec<String>>> {
    let Some(value) = item.get(key) else {
        return Ok(None);
    };
    let Some(items) = value.sequence() else {
        return Err(here(value, key, place).shape("Value is not a sequence"));
    };
    let mut texts = Vec::with_capacity(items.len());
    for item in items {
        let text = item.scalar().ok_or_else(|| {
            here(value, key, place).to("list item", "", item).shape("sequence value is not scalar")
        })?;
        texts.push(text.to_owned());
    }
    Ok(Some(texts))
}

/// The place of the value of `key`.
pub(super) fn here(value: Node<'_>, key: &str, place: &Place) -> Place {
    place.to("value for", key, value)
}

/// As Falco's YAML library reads Booleans.
fn boolean(text: &str) -> Option<bool> {
    let lower = text.to_ascii_lowercase();
    let mut capital = lower.clone();
    if let Some(first) = capital.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    if text != lower && text != capital && text != lower.to_ascii_uppercase() {
        return None;
    }
    match lower.as_str() {
        "y" | "yes" | "true" | "on" => Some(true),
        "n" | "no" | "false" | "off" => Some(false),
        _ => None,
    }
}

/// As C++ reads numbers without a fixed base: `0x1f`, `017`, `15`.
pub(super) fn number(text: &str) -> Option<u32> {
    let digits = text.strip_prefix('+').unwrap_or(text).trim_end();
    if digits.starts_with(['+', '-']) {
        return None;
    }
    match digits.strip_prefix('0') {
        None | Some("") => digits.parse().ok(),
        Some(rest) => match rest.strip_prefix(['x', 'X']) {
            Some(hex) if !hex.starts_with('+') => u32::from_str_radix(hex, 16).ok(),
            Some(_) => None,
            None if rest.starts_with('+') => None,
            None => u32::from_str_radix(rest, 8).ok(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_may_be_of_another_width() {
        assert_eq!(file(b"\xef\xbb\xbfa\xff"), "a\u{fffd}");
        assert_eq!(file(b"\xff\xfea\0\xe9\0\n"), "a\u{e9}");
        assert_eq!(file(b"\xfe\xff\xd8\x3d\xde\0\0b"), "\u{1f600}b");
    }

    #[test]
    fn booleans_are_lower_capitalised_or_upper() {
        assert_eq!(boolean("ON"), Some(true));
        assert_eq!(boolean("False"), Some(false));
        assert_eq!(boolean("y"), Some(true));
        assert_eq!(boolean("tRue"), None);
        assert_eq!(boolean("1"), None);
    }

    #[test]
    fn numbers_may_be_hexadecimal_or_octal_and_not_negative() {
        assert_eq!(number("15"), Some(15));
        assert_eq!(number("0x10"), Some(16));
        assert_eq!(number("010"), Some(8));
        assert_eq!(number("0"), Some(0));
        assert_eq!(number("-3"), None);
        assert_eq!(number("3.5"), None);
    }
}
