//! From a match to the bytes of an alert: a line of text or of JSON, exactly as Falco writes it.
//!
//! Pure: the host's name is given, and the time zone comes with the world of the event. Where a
//! line goes is decided by the outputs.

mod internal;
mod json;
mod summary;

pub use internal::{Internal, InternalValue};
pub use summary::Summary;

use crate::engine::rule::{Priority, Rule};
use crate::event::Event;
use crate::fields::evt_time::{self, Form};
use crate::fields::text::Civil;

/// How alerts are written; the keys of the configuration are named beside.
#[derive(Clone, Debug)]
pub struct Formatter {
    /// `json_output`: JSON instead of text.
    pub json: bool,
    /// `time_format_iso_8601`: the time before the text in UTC instead of local.
    pub iso_time: bool,
    /// `json_include_output_property`.
    pub include_output: bool,
    /// `json_include_message_property`.
    pub include_message: bool,
    /// `json_include_output_fields_property`.
    pub include_output_fields: bool,
    /// `json_include_tags_property`.
    pub include_tags: bool,
    /// The name of this host, or `FALCO_HOSTNAME`.
    pub hostname: Vec<u8>,
    /// Only what the rule's output says: its text, or the object of its fields.
    pub is_bare: bool,
}

impl Default for Formatter {
    /// Falco's defaults, on a host without a name.
    fn default() -> Self {
        Self {
            json: false,
            iso_time: false,
            include_output: true,
            include_message: false,
            include_output_fields: true,
            include_tags: true,
            hostname: Vec::new(),
            is_bare: false,
        }
    }
}

impl Formatter {
    /// Appends the alert that `rule` gives for `event`, without a line feed.
    pub fn format(&self, rule: &Rule, event: &Event<'_>, out: &mut Vec<u8>) {
        if self.is_bare && self.json {
            return json::push_fields(self, rule, event, out);
        }
        if self.is_bare {
            return rule.output.write_text(event, out);
        }
        if self.json {
            return json::push_alert(self, rule, event, out);
        }
        self.push_line(rule, event, out);
    }

    /// The text form: time, priority, message.
    fn push_line(&self, rule: &Rule, event: &Event<'_>, out: &mut Vec<u8>) {
        let (civil, form) = if self.iso_time {
            (Civil::utc(event.ts), Form::Iso8601)
        } else {
            (Civil::local(event.ts, event.world.host.time_zone), Form::Time)
        };
        evt_time::push(out, &civil, form);
        push_priority(rule.priority, out);
        rule.output.write_text(event, out);
    }

    /// The field that the time before the text counts as.
    const fn time_field(&self) -> &'static str {
        if self.iso_time { "evt.time.iso8601" } else { "evt.time" }
    }
}

fn push_priority(priority: Priority, out: &mut Vec<u8>) {
    out.extend_from_slice(b": ");
    out.extend_from_slice(priority.name().as_bytes());
    out.push(b' ');
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::engine::compile::compile;
    use crate::engine::lang::parser::parse;
    use crate::engine::output::Template;
    use crate::event::{FdKind, Param};
    use crate::fields::support::{Scene, descriptor};

    fn rule(output: &str) -> Rule {
        let expr = parse("evt.type = open").unwrap();
        let compiled = compile(&expr).unwrap();
        Rule {
            name: "One of \"many\"".to_owned(),
            description: String::new(),
            source: "syscall".to_owned(),
            priority: Priority::Warning,
            tags: vec!["a".to_owned(), "x".to_owned()],
            enabled: true,
            expr,
            condition: compiled.condition,
            events: compiled.events,
            output: Template::parse(output).unwrap(),
            extra_fields: vec![
                ("proc.cmdline".to_owned(), Template::parse("%proc.cmdline").unwrap()),
                ("where".to_owned(), Template::parse("%fd.num at %evt.num").unwrap()),
            ],
            capture: false,
            capture_duration_ms: 0,
        }
    }

    fn scene() -> Scene {
        let mut scene = Scene::new("open")
            .with_params(&[
                Param::Int(3),
                Param::Bytes(b"/etc/olive.conf"),
                Param::UInt(1),
                Param::UInt(0),
                Param::UInt(0x801),
            ])
            .with_fd(3, descriptor(FdKind::File, "/etc/olive.conf"));
        scene.thread.comm = Arc::from(&b"ba\"sh"[..]);
        scene
    }

    fn made(formatter: &Formatter, output: &str) -> String {
        let mut out = Vec::new();
        scene().with_event(|event| formatter.format(&rule(output), event, &mut out));
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_line_has_time_priority_and_message() {
        assert_eq!(
            made(&Formatter::default(), "file=%fd.name by=%proc.name"),
            "22:13:20.004355174: Warning file=/etc/olive.conf by=ba\"sh"
        );
        let iso = Formatter { iso_time: true, ..Formatter::default() };
        assert_eq!(made(&iso, "words"), "2023-11-14T22:13:20.004355174+0000: Warning words");
    }

    #[test]
    fn json_has_sorted_keys_and_typed_fields() {
        let formatter = Formatter {
            json: true,
            iso_time: true,
            hostname: b"here".to_vec(),
            ..Formatter::default()
        };
        assert_eq!(
            made(&formatter, "%fd.num %proc.name %fd.sip %evt.rawarg.dev %fd.types %evt.is_io"),
            "{\"hostname\":\"here\",\
             \"output\":\"2023-11-14T22:13:20.004355174+0000: Warning \
             3 ba\\\"sh <NA> 801 (file) false\",\
             \"output_fields\":{\"evt.is_io\":false,\"evt.rawarg.dev\":\"801\",\
             \"evt.time.iso8601\":1700000000004355174,\"fd.num\":3,\"fd.sip\":null,\
             \"fd.types\":[\"file\"],\"proc.cmdline\":\"ba\\\"sh\",\"proc.name\":\"ba\\\"sh\",\
             \"where\":\"3 at 7\"},\
             \"priority\":\"Warning\",\"rule\":\"One of \\\"many\\\"\",\"source\":\"syscall\",\
             \"tags\":[\"a\",\"x\"],\"time\":\"2023-11-14T22:13:20.004355174Z\"}"
        );
    }

    #[test]
    fn parts_of_the_json_can_be_left_out() {
        let formatter = Formatter {
            json: true,
            include_output: false,
            include_message: true,
            include_output_fields: false,
            include_tags: false,
            ..Formatter::default()
        };
        assert_eq!(
            made(&formatter, "words"),
            "{\"hostname\":\"\",\"message\":\"words\",\"priority\":\"Warning\",\
             \"rule\":\"One of \\\"many\\\"\",\"source\":\"syscall\",\
             \"time\":\"2023-11-14T22:13:20.004355174Z\"}"
        );
    }
}
