//! `--list`: what rules can name, from the same rows that the engine uses.
//!
//! The list of events is in `list_events`.

use std::io;
use std::io::Write;

use serde_json::{Value, json};

use crate::fields::{CLASSES, FieldClass, FieldFlags, FieldInfo};

pub use super::list_events::{events, ignored};

/// How a list is printed.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// For documents.
    Markdown,
    /// For programs.
    Json,
}

/// What `--list` is to print.
#[derive(Clone, Copy, Debug, Default)]
pub struct Request {
    /// How.
    pub format: Format,
    /// Names of fields only (`-N`).
    pub names_only: bool,
    /// Types too (`-v`).
    pub verbose: bool,
}

/// Where the right block of the text form starts and ends.
const LEFT_WIDTH: usize = 30;
const RIGHT_WIDTH: usize = 90;

/// Prints all fields.
///
/// # Errors
///
/// If `out` can't be written.
pub fn fields(request: Request, out: &mut dyn Write) -> io::Result<()> {
    match request.format {
        Format::Json => print_json(request, out),
        _ if request.names_only => shown_classes()
            .flat_map(|(_, fields)| fields)
            .try_for_each(|field| writeln!(out, "{}", field.name)),
        Format::Text => {
            shown_classes().try_for_each(|(class, fields)| print_text(request, class, fields, out))
        }
        Format::Markdown => {
            shown_classes().try_for_each(|(class, fields)| print_markdown(class, fields, out))
        }
    }
}

/// The families with their fields that are not hidden; without those that have none.
fn shown_classes() -> impl Iterator<Item = (&'static FieldClass, Vec<&'static FieldInfo>)> {
    const HIDDEN: u32 = FieldFlags::TABLE_ONLY | FieldFlags::PRINT_ONLY | FieldFlags::DEPRECATED;
    CLASSES
        .iter()
        .map(|class| {
            let shown = class.fields.iter().filter(|field| field.flags & HIDDEN == 0);
            (*class, shown.collect::<Vec<_>>())
        })
        .filter(|(_, fields)| !fields.is_empty())
}

/// What stands in parentheses before a description, in alphabetical order.
fn tags(field: &FieldInfo) -> Vec<&'static str> {
    let arg = field.arg;
    let has_arg = arg.index || arg.key || arg.dot;
    let candidates = [
        (has_arg && !arg.required, "ARG_ALLOWED"),
        (arg.index, "ARG_INDEX"),
        (arg.key || arg.dot, "ARG_KEY"),
        (arg.required, "ARG_REQUIRED"),
        (field.has(FieldFlags::IS_LIST), "EPF_IS_LIST"),
        (field.has(FieldFlags::NO_RHS), "EPF_NO_RHS"),
        (field.has(FieldFlags::NO_TRANSFORMER), "EPF_NO_TRANSFORMER"),
        (field.has(FieldFlags::FILTER_ONLY), "FILTER_ONLY"),
    ];
    candidates.into_iter().filter(|(applies, _)| *applies).map(|(_, tag)| tag).collect()
}

fn described(field: &FieldInfo) -> String {
    let tags = tags(field);
    if tags.is_empty() {
        field.doc.to_owned()
    } else {
        format!("({}) {}", tags.join(","), field.doc)
    }
}

fn type_name(field: &FieldInfo) -> String {
    let name = field.ty.name();
    if field.has(FieldFlags::IS_LIST) { format!("LIST({name})") } else { name.to_owned() }
}

fn print_text(
    request: Request,
    class: &FieldClass,
    fields: Vec<&FieldInfo>,
    out: &mut dyn Write,
) -> io::Result<()> {
    writeln!(out, "{}", "-".repeat(LEFT_WIDTH + 1))?;
    let name = if class.short.is_empty() {
        class.name.to_owned()
    } else {
        format!("{} ({})", class.name, class.short)
    };
    writeln!(out, "{:LEFT_WIDTH$}{name}", "Field Class:")?;
    print_block("Description:", class.doc, out)?;
    writeln!(out, "{:LEFT_WIDTH$}syscall ", "Event Sources:")?;
    writeln!(out)?;
    for field in fields {
        let mut text = described(field);
        if request.verbose {
            text = format!("(Type: {}) {text}", type_name(field));
        }
        print_block(field.name, &text, out)?;
    }
    writeln!(out)
}

/// A name at the left, a text wrapped at the right; a long name has a line of its own.
fn print_block(name: &str, text: &str, out: &mut dyn Write) -> io::Result<()> {
    let mut is_first = name.len() < LEFT_WIDTH;
    if !is_first {
        writeln!(out, "{name}")?;
    }
    for line in wrapped(text) {
        writeln!(out, "{:LEFT_WIDTH$}{line}", if is_first { name } else { "" })?;
        is_first = false;
    }
    Ok(())
}

fn wrapped(text: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let Some(line) = lines.last_mut() else { break };
        if !line.is_empty() && line.len() + 1 + word.len() > RIGHT_WIDTH {
            lines.push(word.to_owned());
            continue;
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines
}

fn print_markdown(
    class: &FieldClass,
    fields: Vec<&FieldInfo>,
    out: &mut dyn Write,
) -> io::Result<()> {
    writeln!(out, "## Field Class: {}\n\n{}\n", class.name, class.doc)?;
    writeln!(out, "Event Sources: syscall \n")?;
    writeln!(out, "Name | Type | Description\n:----|:-----|:-----------")?;
    for field in fields {
        let text = described(field).replace('|', "\\|");
        writeln!(out, "`{}` | {} | {text}", field.name, type_name(field))?;
    }
    writeln!(out)
}

fn print_json(request: Request, out: &mut dyn Write) -> io::Result<()> {
    let list = if request.names_only {
        let names = shown_classes().flat_map(|(_, fields)| fields).map(|field| field.name);
        json!({ "fieldnames": names.collect::<Vec<_>>() })
    } else {
        let classes = shown_classes().map(|(class, fields)| {
            json!({
                "name": class.name,
                "desc": class.doc,
                "event_sources": ["syscall"],
                "fields": fields.into_iter().map(field_json).collect::<Vec<_>>(),
            })
        });
        json!({ "fieldclasses": classes.collect::<Vec<_>>() })
    };
    serde_json::to_writer_pretty(&mut *out, &list)?;
    writeln!(out)
}

fn field_json(field: &FieldInfo) -> Value {
    let arg = field.arg;
    let kinds = [(arg.index, "INDEX"), (arg.key || arg.dot, "KEY")];
    let kinds: Vec<_> = kinds.into_iter().filter(|(applies, _)| *applies).map(|k| k.1).collect();
    let argument = if kinds.is_empty() {
        Value::Null
    } else {
        json!({ "required": arg.required, "type": kinds })
    };
    json!({
        "name": field.name,
        "desc": field.doc,
        "type": field.ty.name(),
        "is_list": field.has(FieldFlags::IS_LIST),
        "argument": argument,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(request: Request) -> String {
        let mut out = Vec::new();
        fields(request, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_text_begins_with_the_events_own_fields() {
        let text = printed(Request { verbose: true, ..Request::default() });
        assert!(
            text.starts_with(
                "-------------------------------\n\
                 Field Class:                  evt (All event types)\n\
                 Description:                  These fields can be used for all event types.\n\
                 Event Sources:                syscall \n\
                 \n\
                 evt.num                       (Type: UINT64) Running number of the event, starts at 1.\n"
            ),
            "{text}"
        );
        assert!(
            text.contains("(Type: LIST(CHARBUF)) (ARG_ALLOWED,ARG_INDEX,EPF_IS_LIST,EPF_NO_RHS)")
        );
        assert!(text.lines().all(|line| line.len() <= LEFT_WIDTH + RIGHT_WIDTH));
    }

    #[test]
    fn hidden_and_deprecated_fields_are_left_out() {
        let names = printed(Request { names_only: true, ..Request::default() });
        assert!(names.starts_with("evt.num\n"));
        for hidden in ["thread.nametid", "evt.dir", "evt.outputtime", "k8s.rc.name"] {
            assert!(!names.lines().any(|name| name == hidden), "{hidden}");
        }
    }

    #[test]
    fn the_json_form_is_json() {
        let request = Request { format: Format::Json, ..Request::default() };
        let list: Value = serde_json::from_str(&printed(request)).unwrap();
        let first = &list["fieldclasses"][0];
        assert_eq!(first["name"], "evt");
        assert_eq!(first["fields"][0]["argument"], Value::Null);
    }
}
