//! `--list-events`, `-i`: the events that rules can name, from the table of event types.

use std::io;
use std::io::Write;

use serde_json::{Map, Value, json};

use super::list::Format;
use crate::event::{EventInfo, EventType, Kind, ParamInfo, known};

/// Version of Falco's event schema that our table has.
const SCHEMA_VERSION: &str = "4.5.1";

/// Transfers, left out unless `base_syscalls.all` asks for them.
const IGNORED: [&str; 11] = [
    "pread", "preadv", "pwrite", "pwritev", "read", "readv", "recv", "send", "sendfile", "write",
    "writev",
];

/// The headings, and the kinds of event under each.
const SECTIONS: [(&str, &[Kind]); 4] = [
    ("Syscall events", &[Kind::Syscall, Kind::Generic]),
    ("Tracepoint events", &[Kind::Tracepoint]),
    ("Plugin events", &[Kind::Plugin]),
    ("Metaevents", &[Kind::Meta]),
];

/// One line of the list.
struct Line {
    info: &'static EventInfo,
    direction: &'static str,
}

/// Prints all events.
///
/// # Errors
///
/// If `out` can't be written.
pub fn events(format: Format, out: &mut dyn Write) -> io::Result<()> {
    if format == Format::Json {
        return print_json(out);
    }
    writeln!(out, "The events below are valid for Falco *Schema Version*: {SCHEMA_VERSION}")?;
    for (heading, kinds) in SECTIONS {
        writeln!(out, "## {heading}\n")?;
        if format == Format::Markdown {
            writeln!(out, "Default | Dir | Name | Params \n:-------|:----|:-----|:-----")?;
        }
        for line in lines(kinds) {
            let params = params_text(line.info, format == Format::Markdown);
            let (name, direction) = (line.info.name, line.direction);
            if format == Format::Markdown {
                let default = if is_ignored(name) { "No" } else { "Yes" };
                writeln!(out, "{default} | `{direction}` | `{name}` | {params}")?;
            } else {
                writeln!(out, "{direction} {name}({params})")?;
            }
        }
        writeln!(out)?;
    }
    Ok(())
}

/// Prints the events that are ignored by default.
///
/// # Errors
///
/// If `out` can't be written.
pub fn ignored(out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "Ignored syscall(s):")?;
    for name in IGNORED {
        writeln!(out, "- {name}")?;
    }
    writeln!(out)
}

fn is_ignored(name: &str) -> bool {
    IGNORED.contains(&name)
}

/// The events of some kinds; a generic call has an enter and an exit event.
fn lines(kinds: &'static [Kind]) -> impl Iterator<Item = Line> {
    EventType::all()
        .filter(|&ty| ty != known::SYSCALL)
        .map(EventType::info)
        .filter(|info| kinds.contains(&info.kind))
        .flat_map(|info| {
            let directions: &[_] = match info.kind {
                Kind::Generic => &[">", "<"],
                _ if info.direction() == "<" => &["<"],
                _ => &[">"],
            };
            directions.iter().map(move |direction| Line { info, direction })
        })
}

/// The names of a parameter's values.
fn value_names(param: &ParamInfo) -> impl Iterator<Item = &'static str> {
    param.flags.into_iter().flat_map(|table| table.iter()).map(|(name, _)| *name)
}

fn params_text(info: &EventInfo, is_markdown: bool) -> String {
    let params = info.params.iter().map(|param| {
        let mark = if is_markdown { "*" } else { "" };
        let names: Vec<_> = value_names(param).map(|name| format!("{mark}{name}{mark}")).collect();
        let values =
            if names.is_empty() { String::new() } else { format!(": {}", names.join(", ")) };
        format!("{} **{}**{values}", param.ty.name(), param.name)
    });
    params.collect::<Vec<_>>().join(", ")
}

fn print_json(out: &mut dyn Write) -> io::Result<()> {
    let mut list = Map::new();
    list.insert("schema_version".to_owned(), SCHEMA_VERSION.into());
    for (heading, kinds) in SECTIONS {
        list.insert(heading.to_owned(), lines(kinds).map(|line| event_json(&line)).collect());
    }
    serde_json::to_writer_pretty(&mut *out, &Value::Object(list))?;
    writeln!(out)
}

fn event_json(line: &Line) -> Value {
    let params = line.info.params.iter().map(|param| {
        let mut member = json!({ "name": param.name, "type": param.ty.name() });
        if let (Some(object), Some(_)) = (member.as_object_mut(), param.flags) {
            object.insert("flags".to_owned(), value_names(param).collect());
        }
        member
    });
    json!({
        "available": !is_ignored(line.info.name),
        "dir": line.direction,
        "name": line.info.name,
        "params": params.collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(format: Format) -> String {
        let mut out = Vec::new();
        events(format, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn an_event_is_shown_with_its_parameters_and_their_values() {
        let text = printed(Format::Text);
        assert!(text.starts_with(
            "The events below are valid for Falco *Schema Version*: 4.5.1\n## Syscall events\n\n"
        ));
        assert!(text.contains(
            "\n< open(FD **fd**, FSPATH **name**, FLAGS32 **flags**: O_LARGEFILE, O_DIRECTORY, "
        ));
        assert!(
            text.contains("\n> getrandom(SYSCALLID **ID**, UINT16 **nativeID**)\n< getrandom(")
        );
        assert!(!text.contains("task_file"));
    }

    #[test]
    fn transfers_are_not_there_by_default() {
        let text = printed(Format::Markdown);
        assert!(text.contains("\nNo | `<` | `read` | "));
        assert!(text.contains("\nYes | `<` | `open` | "));
        let list: Value = serde_json::from_str(&printed(Format::Json)).unwrap();
        assert_eq!(list["schema_version"], SCHEMA_VERSION);
    }
}
