//! Where a comparison's value comes from: a field, a literal, or a transformer over others.

use std::fmt::Write as _;

use super::lang::ast::Transformer;
use crate::event::{Arena, Event, Value};
use crate::fields::{Field, Read};

/// Where a value comes from.
#[derive(Clone, Debug)]
pub enum Source {
    /// A field, read in the way that conditions compare it.
    Field {
        /// The field.
        field: Field,
        /// How it is read.
        read: Read,
        /// Its value is text in which a NUL may stand, where the text then ends.
        is_text: bool,
    },
    /// The time of the event, nanoseconds since the epoch.
    Time,
    /// Always the same text.
    Literal(Box<[u8]>),
    /// A list of texts, one of each source.
    List(Box<[Self]>),
    /// A transformer over the values of others.
    Apply(Transform),
}

/// A transformer with its arguments.
#[derive(Clone, Debug)]
pub struct Transform {
    /// Which one.
    pub transformer: Transformer,
    /// As many as it takes.
    pub arguments: Box<[Source]>,
    /// Of `getopt`, the option that is asked for.
    pub selector: Option<u8>,
}

impl Source {
    /// Its value for `event`; `None` is absent.
    #[must_use]
    pub fn value<'a>(&self, event: &Event<'a>) -> Option<Value<'a>> {
        match self {
            Self::Field { field, read, is_text } => {
                let value = read(event, &field.arg)?;
                Some(if *is_text { until_nul(value) } else { value })
            }
            Self::Time => Some(Value::UInt(event.ts)),
            Self::Literal(text) => Some(Value::Bytes(event.arena.alloc_slice_copy(text))),
            Self::List(sources) => {
                let mut items = ArenaList::new(event.arena, sources.len());
                for source in sources {
                    items.push(Value::Bytes(to_text(source.value(event)?, event.arena)?));
                }
                Some(items.finish())
            }
            Self::Apply(transform) => transform.value(event),
        }
    }

    /// The fields that it is made from.
    pub fn for_each_field(&self, visit: &mut dyn FnMut(&Field)) {
        match self {
            Self::Field { field, .. } => visit(field),
            Self::Time | Self::Literal(_) => {}
            Self::List(sources) => sources.iter().for_each(|source| source.for_each_field(visit)),
            Self::Apply(transform) => {
                transform.arguments.iter().for_each(|source| source.for_each_field(visit));
            }
        }
    }
}

impl Transform {
    fn value<'a>(&self, event: &Event<'a>) -> Option<Value<'a>> {
        let arena = event.arena;
        let argument = |index: usize| self.arguments.get(index)?.value(event);
        match self.transformer {
            Transformer::ToLower => each(argument(0)?, arena, |text, arena| {
                let lowered = arena.alloc_slice_copy(text);
                lowered.make_ascii_lowercase();
                Some(lowered)
            }),
            Transformer::ToUpper => each(argument(0)?, arena, |text, arena| {
                let raised = arena.alloc_slice_copy(text);
                raised.make_ascii_uppercase();
                Some(raised)
            }),
            Transformer::Basename => each(argument(0)?, arena, |text, _| {
                Some(text.rsplit(|&byte| byte == b'/').next().unwrap_or(text))
            }),
            Transformer::Base64 => each(argument(0)?, arena, decode_base64),
            Transformer::Len => {
                let len = match argument(0)? {
                    Value::List(items) => items.len(),
                    value => value.as_bytes()?.len(),
                };
                Some(Value::UInt(u64::try_from(len).ok()?))
            }
            Transformer::Join => join(argument(0)?.as_bytes()?, argument(1)?, arena),
            Transformer::Concat => {
                let mut text = bumpalo::collections::Vec::new_in(arena);
                for source in &self.arguments {
                    text.extend_from_slice(source.value(event)?.as_bytes()?);
                }
                Some(Value::Bytes(text.into_bump_slice()))
            }
            Transformer::GetOpt => {
                getopt(argument(0)?, argument(1)?.as_bytes()?, self.selector, arena)
            }
        }
    }
}

/// A text up to its first NUL; anything else as it is.
fn until_nul(value: Value<'_>) -> Value<'_> {
    match value {
        Value::Bytes(text) => Value::Bytes(text_until_nul(text)),
        value => value,
    }
}

/// A text up to its first NUL.
pub(super) fn text_until_nul(text: &[u8]) -> &[u8] {
    match memchr::memchr(0, text) {
        Some(end) => text.get(..end).unwrap_or(text),
        None => text,
    }
}

/// Applies `change` to a text or to each element of a list.
fn each<'a>(
    value: Value<'a>,
    arena: &'a Arena,
    change: impl Fn(&'a [u8], &'a Arena) -> Option<&'a [u8]>,
) -> Option<Value<'a>> {
    let Value::List(items) = value else {
        return change(value.as_bytes()?, arena).map(Value::Bytes);
    };
    let mut changed = ArenaList::new(arena, items.len());
    for item in items {
        changed.push(Value::Bytes(change(item.as_bytes()?, arena)?));
    }
    Some(changed.finish())
}

/// The text of a value, as it stands in a list of texts.
fn to_text<'a>(value: Value<'a>, arena: &'a Arena) -> Option<&'a [u8]> {
    let mut text = bumpalo::collections::String::new_in(arena);
    let written = match value {
        Value::Bytes(bytes) => return Some(bytes),
        Value::Int(number) => write!(text, "{number}"),
        Value::UInt(number) => write!(text, "{number}"),
        Value::Bool(flag) => write!(text, "{flag}"),
        Value::Double(number) => write!(text, "{number}"),
        Value::Ip(address) => write!(text, "{address}"),
        Value::List(_) | Value::NotNegative | Value::Native(..) => return None,
    };
    written.ok().map(|()| text.into_bump_str().as_bytes())
}

fn join<'a>(separator: &[u8], list: Value<'a>, arena: &'a Arena) -> Option<Value<'a>> {
    let items = match &list {
        Value::List(items) => items,
        single => std::slice::from_ref(single),
    };
    let mut joined = bumpalo::collections::Vec::new_in(arena);
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            joined.extend_from_slice(separator);
        }
        joined.extend_from_slice(to_text(*item, arena)?);
    }
    Some(Value::Bytes(joined.into_bump_slice()))
}

/// Decodes base64 with or without padding; `None` if the text isn't base64.
fn decode_base64<'a>(text: &'a [u8], arena: &'a Arena) -> Option<&'a [u8]> {
    let unpadded = match text {
        [head @ .., b'=', b'='] if text.len().is_multiple_of(4) => head,
        [head @ .., b'='] if text.len().is_multiple_of(4) => head,
        _ => text,
    };
    let mut decoded = bumpalo::collections::Vec::with_capacity_in(text.len(), arena);
    for chunk in unpadded.chunks(4) {
        let mut bits: u32 = 0;
        for byte in chunk {
            let digit = match byte {
                b'A'..=b'Z' => byte - b'A',
                b'a'..=b'z' => byte - b'a' + 26,
                b'0'..=b'9' => byte - b'0' + 52,
                b'+' => 62,
                b'/' => 63,
                _ => return None,
            };
            bits = bits << 6 | u32::from(digit);
        }
        // The bits that the last digit has too many must be zero.
        let [_, first, second, third] = match chunk.len() {
            4 => bits.to_be_bytes(),
            3 if bits & 0b11 == 0 => (bits << 6).to_be_bytes(),
            2 if bits & 0b1111 == 0 => (bits << 12).to_be_bytes(),
            _ => return None,
        };
        let all = [first, second, third];
        decoded.extend_from_slice(all.get(..chunk.len() - 1)?);
    }
    Some(decoded.into_bump_slice())
}

/// Scans a list of arguments for short options.
///
/// Without a selector all names and values in order, `?` for an unknown option, nothing for a
/// missing value; with one the last value of that option, or its name if it takes none.
fn getopt<'a>(
    list: Value<'a>,
    options: &[u8],
    selector: Option<u8>,
    arena: &'a Arena,
) -> Option<Value<'a>> {
    let Value::List(items) = list else {
        return None;
    };
    let options = options.strip_prefix(b":").unwrap_or(options);
    let mut words = items.iter().filter_map(|item| item.as_bytes());
    let mut found = bumpalo::collections::Vec::new_in(arena);
    let mut selected = None;
    while let Some(word) = words.next() {
        let Some(mut cluster) = word.strip_prefix(b"-") else {
            break;
        };
        if word == b"--" || cluster.is_empty() {
            break;
        }
        if cluster.starts_with(b"-") {
            continue;
        }
        while let Some((name, rest)) = cluster.split_first() {
            cluster = rest;
            let place = options.iter().position(|option| option == name && *name != b':');
            let takes_value =
                place.is_some_and(|place| options.get(place + 1).is_some_and(|&c| c == b':'));
            let shown: &[u8] = if place.is_some() { std::slice::from_ref(name) } else { b"?" };
            let value = takes_value.then(|| {
                let value = if rest.is_empty() { words.next().unwrap_or(b"") } else { rest };
                cluster = b"";
                value
            });
            found.push(Value::Bytes(shown));
            found.extend(value.map(Value::Bytes));
            if place.is_some() && selector == Some(*name) {
                selected = Some(Value::Bytes(value.unwrap_or(shown)));
            }
        }
    }
    if selector.is_some() { selected } else { Some(Value::List(found.into_bump_slice())) }
}

/// A list of values that is being made in the arena.
struct ArenaList<'a> {
    items: bumpalo::collections::Vec<'a, Value<'a>>,
}

impl<'a> ArenaList<'a> {
    fn new(arena: &'a Arena, capacity: usize) -> Self {
        Self { items: bumpalo::collections::Vec::with_capacity_in(capacity, arena) }
    }

    fn push(&mut self, value: Value<'a>) {
        self.items.push(value);
    }

    fn finish(self) -> Value<'a> {
        Value::List(self.items.into_bump_slice())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(words: &[&str], options: &str, selector: Option<u8>) -> Option<Vec<String>> {
        let arena = Arena::new();
        let items: Vec<_> = words.iter().map(|word| Value::Bytes(word.as_bytes())).collect();
        let text = |value: &Value<'_>| String::from_utf8_lossy(value.as_bytes().unwrap()).into();
        match getopt(Value::List(&items), options.as_bytes(), selector, &arena)? {
            Value::List(found) => Some(found.iter().map(text).collect()),
            value => Some(vec![text(&value)]),
        }
    }

    #[test]
    fn getopt_reads_clusters_and_values() {
        let words = ["-ab", "x", "--long", "-cval", "-z", "rest", "-a"];
        let all = options(&words, "ab:c:", None).unwrap();
        assert_eq!(all, ["a", "b", "x", "c", "val", "?"]);
    }

    #[test]
    fn getopt_stops_at_two_dashes_and_at_words() {
        assert_eq!(options(&["-a", "--", "-b"], "ab", None).unwrap(), ["a"]);
        assert_eq!(options(&["-", "-b"], "ab", None).unwrap(), [""; 0]);
    }

    #[test]
    fn getopt_with_a_selector_gives_the_last_value() {
        let words = ["-p", "1", "-p", "2", "-v"];
        assert_eq!(options(&words, ":p:v", Some(b'p')).unwrap(), ["2"]);
        assert_eq!(options(&words, "p:v", Some(b'v')).unwrap(), ["v"]);
        assert_eq!(options(&words, "p:vx", Some(b'x')), None);
    }

    #[test]
    fn base64_is_decoded_with_and_without_padding() {
        let arena = Arena::new();
        for (text, plain) in
            [("aGk=", "hi"), ("aGk", "hi"), ("aGV5", "hey"), ("", ""), ("YQ==", "a")]
        {
            assert_eq!(decode_base64(text.as_bytes(), &arena), Some(plain.as_bytes()), "{text}");
        }
        for text in ["a", "a b=", "====", "aGk=aGk="] {
            assert_eq!(decode_base64(text.as_bytes(), &arena), None, "{text}");
        }
    }

    #[test]
    fn text_ends_at_its_first_nul() {
        assert_eq!(until_nul(Value::Bytes(b"a\0b")), Value::Bytes(b"a"));
    }

    #[test]
    fn joined_numbers_are_rendered_as_text() {
        let arena = Arena::new();
        let items = [Value::Bytes(b"cat"), Value::Int(-5), Value::UInt(7)];
        let joined = join(b"-", Value::List(&items), &arena);
        assert_eq!(joined, Some(Value::Bytes(b"cat--5-7")));
        assert_eq!(join(b"-", Value::List(&[]), &arena), Some(Value::Bytes(b"")));
    }
}
