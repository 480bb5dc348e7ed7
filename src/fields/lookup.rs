//! From the text of a field to its row and resolved argument.

use super::{Arg, CLASSES, Compare, FieldFlags, FieldInfo};
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
    let nonexistent = || LookupError(format!("filter_check called with nonexistent field {shown}"));
    let (info, suffix) = row_of(name).ok_or_else(nonexistent)?;
    let arg = match (suffix, argument) {
        (Some(text), None) if info.arg.dot => Arg::Key(text.into()),
        (None, Some(text)) if info.arg.index && text.bytes().all(|b| b.is_ascii_digit()) => {
            Arg::Index(text.parse().map_err(|_| nonexistent())?)
        }
        (None, Some(text)) if info.arg.key => Arg::Key(text.into()),
        (None, None) if !info.arg.required => Arg::None,
        _ => return Err(nonexistent()),
    };
    let _ = (EventType::COUNT, Compare::Plain);
    Ok(Field { info, arg, ty: info.ty, is_list: info.has(FieldFlags::IS_LIST), text: shown.into() })
}

/// The row for `name`, and what is left of it behind a dot.
fn row_of(name: &str) -> Option<(&'static FieldInfo, Option<&str>)> {
    let rows = || CLASSES.iter().flat_map(|class| class.fields);
    if let Some(exact) = rows().find(|row| row.name == name) {
        return Some((exact, None));
    }
    rows()
        .filter(|row| row.arg.dot)
        .filter_map(|row| Some((row, name.strip_prefix(row.name)?.strip_prefix('.')?)))
        .max_by_key(|(row, _)| row.name.len())
        .map(|(row, rest)| (row, Some(rest)))
}
