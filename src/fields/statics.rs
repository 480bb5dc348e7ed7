//! `static.KEY`: constants that the user defines (`static_fields`).
//!
//! The rows of other fields are tables; these are made when the configuration is read, before
//! rules are. Names are few and kept for the life of the program, so that a row can be named like
//! any other; what a name stands for is copied into each [`Field`](super::Field).

use std::sync::{PoisonError, RwLock};

use super::{Arg, FieldFlags, FieldInfo, field};
use crate::event::{DataType, Event, Value};

/// A row and its value; `None` where a later configuration has dropped it.
struct Static {
    info: &'static FieldInfo,
    value: Option<Box<str>>,
}

static DEFINED: RwLock<Vec<Static>> = RwLock::new(Vec::new());

/// Defines `static.KEY` for each pair, and nothing else from now on.
pub fn define(pairs: &[(String, String)]) {
    let mut defined = DEFINED.write().unwrap_or_else(PoisonError::into_inner);
    defined.iter_mut().for_each(|known| known.value = None);
    for (key, value) in pairs {
        let name = format!("static.{key}");
        let value = Some(value.as_str().into());
        match defined.iter_mut().find(|known| known.info.name == name) {
            Some(known) => known.value = value,
            None => defined.push(Static { info: row(name), value }),
        }
    }
}

fn row(name: String) -> &'static FieldInfo {
    let row = field(name.leak(), DataType::CharBuf, "A constant of the configuration.", constant);
    Box::leak(Box::new(row.flags(FieldFlags::FORMAT_SUGGESTED)))
}

/// The row of that name and its value.
#[must_use]
pub fn find(name: &str) -> Option<(&'static FieldInfo, Arg)> {
    let defined = DEFINED.read().unwrap_or_else(PoisonError::into_inner);
    let known = defined.iter().find(|known| known.info.name == name)?;
    Some((known.info, Arg::Key(known.value.clone()?)))
}

/// All rows that are defined now.
#[must_use]
pub fn rows() -> Vec<&'static FieldInfo> {
    let defined = DEFINED.read().unwrap_or_else(PoisonError::into_inner);
    defined.iter().filter(|known| known.value.is_some()).map(|known| known.info).collect()
}

fn constant<'a>(event: &Event<'a>, arg: &Arg) -> Option<Value<'a>> {
    let Arg::Key(text) = arg else { return None };
    Some(Value::Bytes(event.arena.alloc_slice_copy(text.as_bytes())))
}

#[cfg(test)]
mod tests {
    use super::super::support::{Scene, shown};
    use super::*;
    use crate::fields::lookup;

    #[test]
    fn a_constant_is_a_field_until_it_is_dropped() {
        define(&[("stage".to_owned(), "test".to_owned())]);
        assert_eq!(shown(&Scene::new("open"), "static.stage"), "test");
        assert_eq!(rows().len(), 1);
        define(&[]);
        assert!(lookup("static.stage", None).is_err());
    }
}
