//! Alerts as JSON: one line, keys in alphabetical order, typed `output_fields`.

use std::io::Write;

use bumpalo::collections::Vec as ArenaVec;

use super::Formatter;
use crate::engine::output::Template;
use crate::engine::rule::Rule;
use crate::event::{DataType, Event, EventType, Value, known};
use crate::fields::print::{self, Number};
use crate::fields::text::Civil;
use crate::fields::{Field, FieldFlags};

/// Appends an alert.
pub(super) fn push_alert(formatter: &Formatter, rule: &Rule, event: &Event<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"hostname\":");
    push_string(&formatter.hostname, out);
    if formatter.include_message {
        out.extend_from_slice(b",\"message\":");
        push_made_string(out, |out| rule.output.write_text(event, out));
    }
    if formatter.include_output {
        out.extend_from_slice(b",\"output\":");
        push_made_string(out, |out| formatter.push_line(rule, event, out));
    }
    if formatter.include_output_fields {
        out.extend_from_slice(b",\"output_fields\":");
        push_fields(formatter, rule, event, out);
    }
    push_text_member("priority", rule.priority.name().as_bytes(), out);
    push_text_member("rule", rule.name.as_bytes(), out);
    push_text_member("source", rule.source.as_bytes(), out);
    if formatter.include_tags {
        push_tags_member(&rule.tags, out);
    }
    push_time_member(event.ts, out);
    out.push(b'}');
}

/// Appends `,"tags":[…]`.
pub(super) fn push_tags_member(tags: &[String], out: &mut Vec<u8>) {
    out.extend_from_slice(b",\"tags\":[");
    for (index, tag) in tags.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        push_string(tag.as_bytes(), out);
    }
    out.push(b']');
}

/// Appends `,"time":"…Z"`.
pub(super) fn push_time_member(ts: u64, out: &mut Vec<u8>) {
    let civil = Civil::utc(ts);
    out.extend_from_slice(b",\"time\":\"");
    civil.push_date(out);
    out.push(b'T');
    civil.push_time(out);
    civil.push_nanos(out);
    out.extend_from_slice(b"Z\"");
}

/// Appends `,"key":"text"`.
pub(super) fn push_text_member(key: &str, text: &[u8], out: &mut Vec<u8>) {
    out.push(b',');
    push_string(key.as_bytes(), out);
    out.push(b':');
    push_string(text, out);
}

/// What stands under a key of `output_fields`.
enum Entry<'r> {
    Field(&'r Field),
    Text(&'r Template),
    Time,
}

/// The keys of `output_fields` in order, each once.
type Entries<'a, 'r> = ArenaVec<'a, (&'r str, Entry<'r>)>;

/// Puts an entry in its place, over what has the same key.
fn put<'r>(entries: &mut Entries<'_, 'r>, key: &'r str, entry: Entry<'r>) {
    match entries.binary_search_by_key(&key, |(other, _)| *other) {
        Ok(index) => {
            if let Some(place) = entries.get_mut(index) {
                place.1 = entry;
            }
        }
        Err(index) => entries.insert(index, (key, entry)),
    }
}

/// Appends the object of the output's fields.
pub(super) fn push_fields(
    formatter: &Formatter,
    rule: &Rule,
    event: &Event<'_>,
    out: &mut Vec<u8>,
) {
    let fields = rule.output.fields();
    let most = fields.len() + rule.extra_fields.len() + 1;
    let mut entries = Entries::with_capacity_in(most, event.arena);
    // They are sorted already.
    entries.extend(fields.iter().map(|field| (&*field.text, Entry::Field(field))));
    put(&mut entries, formatter.time_field(), Entry::Time);
    for (key, template) in &rule.extra_fields {
        let entry = match template.only_field() {
            Some(field) if *field.text == **key => Entry::Field(field),
            _ => Entry::Text(template),
        };
        put(&mut entries, key, entry);
    }
    let mut separator = b'{';
    for (key, entry) in entries {
        out.push(separator);
        separator = b',';
        push_string(key.as_bytes(), out);
        out.push(b':');
        match entry {
            Entry::Field(field) => push_field(event, field, out),
            Entry::Text(text) => push_made_string(out, |out| text.write_text(event, out)),
            Entry::Time => push_number(event.ts, out),
        }
    }
    out.push(b'}');
}

/// Appends a field's value in the type that Falco gives it.
fn push_field(event: &Event<'_>, field: &Field, out: &mut Vec<u8>) {
    let value = if is_time(field) {
        Some(Value::UInt(event.ts))
    } else if field.info.has(FieldFlags::FILTER_ONLY) {
        None
    } else {
        (field.info.read)(event, &field.arg)
    };
    match value {
        Some(Value::Int(_) | Value::UInt(_)) => push_integer(event, field, value, out),
        Some(Value::Bytes(bytes)) => push_string(print::shown_bytes(event, field, bytes), out),
        Some(value) => push_value(value, out),
        None => out.extend_from_slice(b"null"),
    }
}

/// Times that are text in the message and nanoseconds since the epoch here.
fn is_time(field: &Field) -> bool {
    matches!(
        field.info.name,
        "evt.time"
            | "evt.time.s"
            | "evt.time.iso8601"
            | "evt.datetime"
            | "evt.datetime.s"
            | "evt.outputtime"
    )
}

fn push_integer(event: &Event<'_>, field: &Field, value: Option<Value<'_>>, out: &mut Vec<u8>) {
    let Some(value) = value else { return };
    let is_text = match print::number_form(event, field) {
        Number::Decimal | Number::Padded => is_unformatted_fd(event, field),
        Number::Hex | Number::Octal => true,
        Number::Hidden => return out.extend_from_slice(b"null"),
    };
    if !is_text {
        return push_value(value, out);
    }
    out.push(b'"');
    print::push_field_value(event, field, value, out);
    out.push(b'"');
}

/// The descriptor parameters to which Falco's table gives no print format: text, not numbers.
fn is_unformatted_fd(event: &Event<'_>, field: &Field) -> bool {
    const THESE: [EventType; 6] = [
        known::FCHDIR,
        known::FLOCK,
        known::FSTAT,
        known::GETDENTS,
        known::GETDENTS64,
        known::SETNS,
    ];
    field.info.ty == DataType::Dyn
        && THESE.contains(&event.ty)
        && print::param_of(event, field).is_some_and(|param| param.ty == DataType::Fd)
}

fn push_number(number: u64, out: &mut Vec<u8>) {
    // Writing into a vector cannot fail, here and below.
    let _ = write!(out, "{number}");
}

fn push_value(value: Value<'_>, out: &mut Vec<u8>) {
    match value {
        Value::Int(number) => {
            let _ = write!(out, "{number}");
        }
        Value::UInt(number) | Value::Native(_, number) => push_number(number, out),
        Value::Double(number) => {
            let _ = serde_json::to_writer(out, &number);
        }
        Value::Bool(_) => {
            print::push_value(value, out);
        }
        Value::Bytes(bytes) => push_string(bytes, out),
        Value::Ip(_) => {
            out.push(b'"');
            print::push_value(value, out);
            out.push(b'"');
        }
        Value::List([]) | Value::NotNegative => out.extend_from_slice(b"null"),
        Value::List(values) => {
            let mut separator = b'[';
            for value in values {
                out.push(separator);
                separator = b',';
                push_value(*value, out);
            }
            out.push(b']');
        }
    }
}

/// Appends a JSON string; what is no UTF-8 becomes U+FFFD.
pub(super) fn push_string(bytes: &[u8], out: &mut Vec<u8>) {
    push_made_string(out, |out| out.extend_from_slice(bytes));
}

/// Appends what `make` appends as a JSON string. Text that needs no escapes, which is nearly all,
/// is made where it stays.
fn push_made_string(out: &mut Vec<u8>, make: impl FnOnce(&mut Vec<u8>)) {
    out.push(b'"');
    let start = out.len();
    make(out);
    let made = out.get(start..).unwrap_or_default();
    let plain = plain_len(made);
    if plain < made.len() {
        let rest = out.split_off(start + plain);
        push_contents(&rest, out);
    }
    out.push(b'"');
}

/// How many bytes at the start are the same in a JSON string.
fn plain_len(bytes: &[u8]) -> usize {
    // Each block as a whole: without an exit in it, many bytes are looked at in one step.
    const BLOCK: usize = 32;
    let is_plain_block = |block: &&[u8]| block.iter().fold(true, |all, byte| all & is_plain(*byte));
    let start = bytes.chunks_exact(BLOCK).take_while(is_plain_block).count() * BLOCK;
    let rest = bytes.get(start..).unwrap_or_default();
    start + rest.iter().position(|byte| !is_plain(*byte)).unwrap_or(rest.len())
}

/// Whether a byte is a character, and needs no escape.
const fn is_plain(byte: u8) -> bool {
    (byte >= 0x20) & (byte < 0x80) & (byte != b'"') & (byte != b'\\')
}

fn push_contents(bytes: &[u8], out: &mut Vec<u8>) {
    for chunk in bytes.utf8_chunks() {
        push_escaped(chunk.valid(), out);
        if !chunk.invalid().is_empty() {
            out.extend_from_slice("\u{fffd}".as_bytes());
        }
    }
}

fn push_escaped(text: &str, out: &mut Vec<u8>) {
    for &byte in text.as_bytes() {
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            0x08 => out.extend_from_slice(b"\\b"),
            0x0c => out.extend_from_slice(b"\\f"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0..0x20 => {
                let _ = write!(out, "\\u{byte:04x}");
            }
            _ => out.push(byte),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_escaped_and_broken_utf8_is_replaced() {
        let mut out = Vec::new();
        push_string(b"say \"hi\"\\\t\x01 \xff caf\xc3\xa9", &mut out);
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "\"say \\\"hi\\\"\\\\\\t\\u0001 \u{fffd} café\""
        );
    }

    #[test]
    fn an_escape_is_found_wherever_it_stands() {
        for len in 0..100 {
            for (byte, expected) in [(b'"', "\\\""), (0x1f, "\\u001f"), (0xff, "\u{fffd}")] {
                let mut bytes = vec![b'~'; len];
                bytes.push(byte);
                bytes.extend_from_slice(b" caf\xc3\xa9\x7f");
                let mut out = b"before".to_vec();
                push_string(&bytes, &mut out);
                let wanted = format!("before\"{}{expected} café\x7f\"", "~".repeat(len));
                assert_eq!(String::from_utf8(out).unwrap(), wanted);
            }
        }
    }

    #[test]
    fn fractions_keep_their_point() {
        let mut out = Vec::new();
        push_value(Value::Double(0.0), &mut out);
        out.push(b' ');
        push_value(Value::Double(0.390_625), &mut out);
        assert_eq!(out, b"0.0 0.390625");
    }
}
