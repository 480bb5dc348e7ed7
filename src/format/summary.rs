//! What stands for many alerts that repeated one.

use std::io::Write as _;

use super::{Formatter, json, push_priority};
use crate::engine::rule::Priority;
use crate::event::TimeZone;
use crate::fields::evt_time::{self, Form};
use crate::fields::text::Civil;

/// Alerts of one rule that repeated an earlier one.
#[derive(Clone, Copy, Debug)]
pub struct Summary<'a> {
    /// The rule's name.
    pub rule: &'a str,
    /// Its event source.
    pub source: &'a str,
    /// Its priority.
    pub priority: Priority,
    /// Its tags, sorted.
    pub tags: &'a [String],
    /// What the first alert said, without time and priority.
    pub message: &'a [u8],
    /// How many repeated it.
    pub count: u64,
    /// When the first alert was, in nanoseconds since the epoch.
    pub since_ns: u64,
    /// When the last of those that repeated it was.
    pub until_ns: u64,
}

impl Summary<'_> {
    fn push_message(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.message);
        let ms = self.until_ns.saturating_sub(self.since_ns) / 1_000_000;
        let (seconds, ms) = (ms / 1000, ms % 1000);
        // Writing into a vector cannot fail.
        let _ = write!(out, " (repeated {} times in {seconds}.{ms:03} s)", self.count);
    }
}

impl Formatter {
    /// Appends a summary in the form of an alert of its rule, without a line feed.
    pub fn summary(&self, summary: &Summary<'_>, zone: TimeZone, out: &mut Vec<u8>) {
        if !self.json {
            return self.push_summary_line(summary, zone, out);
        }
        out.extend_from_slice(b"{\"hostname\":");
        json::push_string(&self.hostname, out);
        let mut text = Vec::new();
        if self.include_message {
            summary.push_message(&mut text);
            json::push_text_member("message", &text, out);
        }
        if self.include_output {
            text.clear();
            self.push_summary_line(summary, zone, &mut text);
            json::push_text_member("output", &text, out);
        }
        if self.include_output_fields {
            let _ = write!(
                out,
                ",\"output_fields\":{{\"{}\":{},\"eyas.repeats\":{},\"eyas.repeats_since\":{}}}",
                self.time_field(),
                summary.until_ns,
                summary.count,
                summary.since_ns
            );
        }
        json::push_text_member("priority", summary.priority.name().as_bytes(), out);
        json::push_text_member("rule", summary.rule.as_bytes(), out);
        json::push_text_member("source", summary.source.as_bytes(), out);
        if self.include_tags {
            json::push_tags_member(summary.tags, out);
        }
        json::push_time_member(summary.until_ns, out);
        out.push(b'}');
    }

    fn push_summary_line(&self, summary: &Summary<'_>, zone: TimeZone, out: &mut Vec<u8>) {
        let (civil, form) = if self.iso_time {
            (Civil::utc(summary.until_ns), Form::Iso8601)
        } else {
            (Civil::local(summary.until_ns, zone), Form::Time)
        };
        evt_time::push(out, &civil, form);
        push_priority(summary.priority, out);
        summary.push_message(out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_is_an_alert_of_its_rule_with_the_count() {
        let summary = Summary {
            rule: "R",
            source: "syscall",
            priority: Priority::Warning,
            tags: &["t".to_owned()],
            message: b"file=/a",
            count: 41,
            since_ns: 1_700_000_000_000_000_000,
            until_ns: 1_700_000_009_500_000_000,
        };
        let made = |formatter: &Formatter| {
            let mut out = Vec::new();
            formatter.summary(&summary, TimeZone::default(), &mut out);
            String::from_utf8(out).unwrap()
        };
        let line = "22:13:29.500000000: Warning file=/a (repeated 41 times in 9.500 s)";
        assert_eq!(made(&Formatter::default()), line);
        assert_eq!(
            made(&Formatter { json: true, ..Formatter::default() }),
            format!(
                "{{\"hostname\":\"\",\"output\":\"{line}\",\"output_fields\":{{\"evt.time\":\
                 1700000009500000000,\"eyas.repeats\":41,\"eyas.repeats_since\":\
                 1700000000000000000}},\"priority\":\"Warning\",\"rule\":\"R\",\
                 \"source\":\"syscall\",\"tags\":[\"t\"],\"time\":\"2023-11-14T22:13:29.500000000Z\"}}"
            )
        );
    }
}
