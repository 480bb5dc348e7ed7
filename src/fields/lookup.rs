//! From the text of a field to its row and resolved argument.

use std::sync::LazyLock;

use rustc_hash::FxHashMap;

use super::{Arg, CLASSES, FieldFlags, FieldInfo, statics};
use crate::event::{DataType, EventType};

/// A field as a condition or an output names it, resolved.
#[derive(Clone, Debug)]
pub struct Field {
    /// Its row.
    pub info: &'static FieldInfo,
    /// Its argument.
    pub arg: Arg,
    /// Its type: the row's, or the parameter's for `evt.rawarg`.
    pub ty: DataType,
    /// Whether its value is a list.
    pub is_list: bool,
    /// Canonical text: `proc.aname[2]`, `evt.arg.flags`.
    pub text: Box<str>,
}

/// Why a text names no field.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{0}")]
pub struct LookupError(pub String);

/// Looks up `name` (with dots, without brackets) and the text that stood in brackets.
///
/// # Errors
///
/// With Falco's text if there is no such field or the argument doesn't fit.
pub fn lookup(name: &str, argument: Option<&str>) -> Result<Field, LookupError> {
    let shown = argument.map_or_else(|| name.to_owned(), |text| format!("{name}[{text}]"));
    if let Some((info, arg)) = statics::find(name).filter(|_| argument.is_none()) {
        return Ok(Field { info, arg, ty: info.ty, is_list: false, text: shown.into() });
    }
    let Some((info, suffix)) = row_of(name) else { return Err(unknown(name, &shown)) };
    let mut ty = info.ty;
    let arg = match (info.name, suffix, argument) {
        ("evt.arg", None, Some(text)) => Arg::Index(parameter_number(text, &shown)?),
        ("evt.arg" | "evt.rawarg", Some(param), None) => {
            let (arg, param_type) = named_parameter(param, &shown)?;
            if info.ty == DataType::Dyn {
                ty = param_type;
            }
            arg
        }
        ("evt.rawarg", None, Some(_)) => {
            return Err(LookupError("evt.arg fields must be expressed explicitly".to_owned()));
        }
        ("evt.type.is", Some(event), None) => event_type(event)?,
        // Falco accepts a negative generation; there is no such ancestor.
        (_, None, Some(text)) if info.name.starts_with("proc.a") && is_negative(text) => {
            Arg::Index(u32::MAX)
        }
        ("evt.abspath", Some(suffix), None) if !matches!(suffix, "src" | "dst") => {
            return Err(nonexistent(&shown));
        }
        ("thread.cgroup", Some(suffix), None) if !is_subsystem(suffix) => {
            return Err(nonexistent(&shown));
        }
        _ => plain_argument(info, suffix, argument, &shown)?,
    };
    Ok(Field { info, arg, ty, is_list: info.has(FieldFlags::IS_LIST), text: shown.into() })
}

fn nonexistent(shown: &str) -> LookupError {
    LookupError(format!("filter_check called with nonexistent field {shown}"))
}

/// The row for `name`, and what is left of it behind a dot.
fn row_of(name: &str) -> Option<(&'static FieldInfo, Option<&str>)> {
    if let Some(exact) = BY_NAME.get(name) {
        return Some((exact, None));
    }
    DOTTED
        .iter()
        .filter_map(|row| Some((row, name.strip_prefix(row.name)?.strip_prefix('.')?)))
        .max_by_key(|(row, _)| row.name.len())
        .map(|(row, rest)| (*row, Some(rest)))
}

/// The first row of every name; literals of conditions are looked up too, so this is often asked.
static BY_NAME: LazyLock<FxHashMap<&'static str, &'static FieldInfo>> = LazyLock::new(|| {
    let mut by_name = FxHashMap::default();
    for row in rows() {
        by_name.entry(row.name).or_insert(row);
    }
    by_name
});

/// The rows that take a dotted suffix.
static DOTTED: LazyLock<Vec<&'static FieldInfo>> =
    LazyLock::new(|| rows().filter(|row| row.arg.dot).collect());

fn rows() -> impl Iterator<Item = &'static FieldInfo> {
    CLASSES.iter().flat_map(|class| class.fields)
}

/// Which text an unknown name gets: fields that need an argument in brackets say so.
fn unknown(name: &str, shown: &str) -> LookupError {
    let needing = rows()
        .filter(|row| row.arg.required && row.arg.key && !row.arg.dot)
        .filter(|row| name.strip_prefix(row.name).is_some_and(|rest| rest.starts_with('.')))
        .max_by_key(|row| row.name.len());
    needing.map_or_else(|| nonexistent(shown), |row| missing_argument(row, shown))
}

fn missing_argument(row: &FieldInfo, shown: &str) -> LookupError {
    LookupError(format!("filter '{shown}': {} requires an argument but none provided", row.name))
}

fn is_negative(text: &str) -> bool {
    text.strip_prefix('-').is_some_and(is_number)
}

/// An argument as the row describes it.
fn plain_argument(
    info: &FieldInfo,
    suffix: Option<&str>,
    argument: Option<&str>,
    shown: &str,
) -> Result<Arg, LookupError> {
    match (suffix, argument) {
        (Some(text), None) if info.arg.dot && !text.is_empty() => Ok(Arg::Key(text.into())),
        (None, Some(text)) if info.arg.index && is_number(text) => {
            text.parse().map(Arg::Index).map_err(|_| nonexistent(shown))
        }
        (None, Some(text)) if info.arg.key => Ok(Arg::Key(text.into())),
        (None, Some(text)) if info.name == "fd.types" => {
            Err(LookupError(format!("{text} is not a valid number")))
        }
        (None, None) if !info.arg.required => Ok(Arg::None),
        (None, None) if info.arg.key && info.name != "evt.around" => {
            Err(missing_argument(info, shown))
        }
        (None, None) => Err(LookupError(format!("filter syntax error: {shown}"))),
        _ => Err(nonexistent(shown)),
    }
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_subsystem(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'_')
}

/// The number in `evt.arg[N]`; a negative one is a parameter that no event has.
fn parameter_number(text: &str, shown: &str) -> Result<u32, LookupError> {
    let number: i32 = text.parse().map_err(|_| nonexistent(shown))?;
    Ok(u32::try_from(number).unwrap_or(u32::MAX))
}

/// For `evt.type.is.NAME`: a number or the name of an event type.
fn event_type(name: &str) -> Result<Arg, LookupError> {
    if is_number(name) || EventType::by_name(name).is_some() {
        return Ok(Arg::Key(name.into()));
    }
    Err(LookupError(format!("unknown event type {name}")))
}

/// Types of parameters that are first met in layouts which no current event has any more.
const OLD_TYPES: &[(&str, DataType)] = &[
    ("fdlimit", DataType::UInt64),
    ("gid", DataType::UInt32),
    ("image", DataType::CharBuf),
    ("request", DataType::UInt64),
    ("res_or_fd", DataType::Dyn),
    ("tags", DataType::CharBufArray),
    ("tty", DataType::Int32),
    ("uid", DataType::UInt32),
];

/// Where each event type has the parameter of that name, and its type in the first event of
/// Falco's table that has one.
fn named_parameter(name: &str, shown: &str) -> Result<(Arg, DataType), LookupError> {
    let Some(ty) = type_of_parameter(name) else {
        let is_longer_than_one = parameter_names().any(|known| name.starts_with(known));
        return Err(if is_longer_than_one {
            nonexistent(shown)
        } else {
            LookupError(format!("unknown event argument {name}"))
        });
    };
    let places = EventType::all().map(|event| {
        let place = event.info().param_index(name);
        place.and_then(|index| u8::try_from(index).ok()).unwrap_or(u8::MAX)
    });
    Ok((Arg::Param(places.collect()), ty))
}

fn parameter_names() -> impl Iterator<Item = &'static str> {
    let current = EventType::all().flat_map(|event| event.info().params);
    current.map(|param| param.name).chain(OLD_TYPES.iter().map(|(name, _)| *name))
}

fn type_of_parameter(name: &str) -> Option<DataType> {
    if let Some((_, ty)) = OLD_TYPES.iter().find(|(old, _)| *old == name) {
        return Some(*ty);
    }
    EventType::all()
        .filter_map(|event| {
            let info = event.info();
            let index = info.param_index(name)?;
            Some((info.code, info.params.get(index)?.ty))
        })
        .min_by_key(|(code, _)| *code)
        .map(|(_, ty)| ty)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(name: &str, argument: Option<&str>) -> String {
        lookup(name, argument).unwrap_err().0
    }

    #[test]
    fn fields_are_found_with_every_kind_of_argument() {
        assert_eq!(lookup("proc.aname", Some("2")).unwrap().arg, Arg::Index(2));
        assert_eq!(lookup("proc.aname", Some("-1")).unwrap().arg, Arg::Index(u32::MAX));
        assert_eq!(lookup("proc.aname", Some("2")).unwrap().text, "proc.aname[2]".into());
        assert_eq!(lookup("proc.env", Some("HOME")).unwrap().arg, Arg::Key("HOME".into()));
        assert_eq!(lookup("thread.cgroup.cpu", None).unwrap().arg, Arg::Key("cpu".into()));
        assert_eq!(lookup("evt.arg", Some("-1")).unwrap().arg, Arg::Index(u32::MAX));
        assert!(matches!(lookup("evt.arg.flags", None).unwrap().arg, Arg::Param(_)));
        assert_eq!(lookup("container.mount", Some("/a/*")).unwrap().arg, Arg::Key("/a/*".into()));
        let around = lookup("evt.around", Some("1700000000004355174")).unwrap();
        assert_eq!(around.arg, Arg::Key("1700000000004355174".into()));
    }

    #[test]
    fn a_raw_argument_has_the_type_of_the_first_event_that_has_it() {
        let ty = |name: &str| lookup(&format!("evt.rawarg.{name}"), None).unwrap().ty;
        assert_eq!(ty("res"), DataType::Errno);
        assert_eq!(ty("flags"), DataType::Flags32);
        assert_eq!(ty("uid"), DataType::UInt32);
        assert_eq!(ty("tuple"), DataType::SockTuple);
    }

    #[test]
    fn errors_have_falcos_words() {
        for (name, argument, expected) in [
            ("fd.colour", None, "filter_check called with nonexistent field fd.colour"),
            ("proc.name", Some("1"), "filter_check called with nonexistent field proc.name[1]"),
            ("proc.aname", Some("x"), "filter_check called with nonexistent field proc.aname[x]"),
            ("proc.args", Some("x"), "filter_check called with nonexistent field proc.args[x]"),
            ("evt.arg.marmalade", None, "unknown event argument marmalade"),
            ("evt.rawarg.marmalade", None, "unknown event argument marmalade"),
            ("evt.rawarg", None, "filter syntax error: evt.rawarg"),
            ("evt.rawarg", Some("0"), "evt.arg fields must be expressed explicitly"),
            ("evt.type.is", None, "filter syntax error: evt.type.is"),
            ("thread.cgroup", None, "filter syntax error: thread.cgroup"),
            (
                "evt.abspath.middle",
                None,
                "filter_check called with nonexistent field evt.abspath.middle",
            ),
            (
                "container.label.x",
                None,
                "filter 'container.label.x': container.label requires an argument but none provided",
            ),
            (
                "container.mount",
                None,
                "filter 'container.mount': container.mount requires an argument but none provided",
            ),
        ] {
            assert_eq!(error(name, argument), expected);
        }
    }
}
