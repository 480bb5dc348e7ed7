//! Falco's messages about itself, of the source `internal`.

use std::io::Write;

use super::{Formatter, json, push_priority};
use crate::engine::rule::Priority;
use crate::event::TimeZone;
use crate::fields::evt_time::{self, Form};
use crate::fields::text::Civil;

/// One message.
#[derive(Clone, Copy, Debug)]
pub struct Internal<'a> {
    /// `Falco internal: …`.
    pub rule: &'a str,
    /// How bad it is.
    pub priority: Priority,
    /// What it says.
    pub message: &'a str,
    /// Its fields, sorted by name.
    pub fields: &'a [(&'a str, InternalValue<'a>)],
}

/// The value of a field of a message.
#[derive(Clone, Copy, Debug, PartialEq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum InternalValue<'a> {
    Text(&'a str),
    UInt(u64),
    Int(i64),
    Double(f64),
    Bool(bool),
}

impl Formatter {
    /// Appends a message of that moment, nanoseconds since the epoch, without a line feed.
    ///
    /// The time before the text is always local and never in ISO form.
    pub fn internal(&self, message: &Internal<'_>, ts: u64, zone: TimeZone, out: &mut Vec<u8>) {
        if self.json {
            return self.push_internal_json(message, ts, out);
        }
        evt_time::push(out, &Civil::local(ts, zone), Form::Time);
        push_priority(message.priority, out);
        out.extend_from_slice(message.message.as_bytes());
        out.extend_from_slice(b" (");
        for (index, (key, value)) in message.fields.iter().enumerate() {
            if index > 0 {
                out.push(b' ');
            }
            out.extend_from_slice(key.as_bytes());
            out.push(b'=');
            value.push(out);
        }
        out.push(b')');
    }

    fn push_internal_json(&self, message: &Internal<'_>, ts: u64, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"hostname\":");
        json::push_string(&self.hostname, out);
        json::push_text_member("output", message.message.as_bytes(), out);
        out.extend_from_slice(b",\"output_fields\":{");
        for (index, (key, value)) in message.fields.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            json::push_string(key.as_bytes(), out);
            out.push(b':');
            value.push(out);
        }
        out.push(b'}');
        json::push_text_member("priority", message.priority.name().as_bytes(), out);
        json::push_text_member("rule", message.rule.as_bytes(), out);
        json::push_text_member("source", b"internal", out);
        json::push_time_member(ts, out);
        out.push(b'}');
    }
}

impl InternalValue<'_> {
    fn push(self, out: &mut Vec<u8>) {
        // Writing into a vector cannot fail.
        let _ = match self {
            Self::Text(text) => {
                json::push_string(text.as_bytes(), out);
                Ok(())
            }
            Self::UInt(number) => write!(out, "{number}"),
            Self::Int(number) => write!(out, "{number}"),
            Self::Double(number) => serde_json::to_writer(out, &number).map_err(Into::into),
            Self::Bool(answer) => write!(out, "{answer}"),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DROP: Internal<'_> = Internal {
        rule: "Falco internal: syscall event drop",
        priority: Priority::Debug,
        message: "Falco internal: syscall event drop. 5 system calls dropped in last second.",
        fields: &[("n_drops", InternalValue::Text("5")), ("n_evts", InternalValue::UInt(7))],
    };

    fn made(formatter: &Formatter) -> String {
        let mut out = Vec::new();
        formatter.internal(&DROP, 1_700_000_000_004_355_174, TimeZone::default(), &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_message_of_ours_has_its_fields_in_parentheses() {
        assert_eq!(
            made(&Formatter { iso_time: true, ..Formatter::default() }),
            "22:13:20.004355174: Debug Falco internal: syscall event drop. \
             5 system calls dropped in last second. (n_drops=\"5\" n_evts=7)"
        );
    }

    #[test]
    fn a_message_of_ours_is_json_without_tags() {
        let formatter =
            Formatter { json: true, hostname: b"here".to_vec(), ..Formatter::default() };
        assert_eq!(
            made(&formatter),
            "{\"hostname\":\"here\",\"output\":\"Falco internal: syscall event drop. \
             5 system calls dropped in last second.\",\
             \"output_fields\":{\"n_drops\":\"5\",\"n_evts\":7},\"priority\":\"Debug\",\
             \"rule\":\"Falco internal: syscall event drop\",\"source\":\"internal\",\
             \"time\":\"2023-11-14T22:13:20.004355174Z\"}"
        );
    }
}
