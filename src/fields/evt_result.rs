//! The result of a system call: its value, its symbol, what it counts as.

use super::evt_kind::{Way, is_io};
use super::{Arg, render};
use crate::event::{Category, DataType, Event, FdKind, Kind, Param, Value, known};

/// What a result is known to be.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Outcome {
    /// This number.
    Known(i64),
    /// Not negative.
    Succeeded,
}

/// Of a system call that has parameters, the first is its result.
fn outcome(event: &Event<'_>) -> Option<Outcome> {
    let info = event.ty.info();
    let first = info.params.first().filter(|_| info.kind == Kind::Syscall)?;
    match event.param(0) {
        Param::NotNegative => Some(Outcome::Succeeded),
        param => {
            let value = param.as_i64()?;
            let is_id = matches!(first.ty, DataType::Uid | DataType::Gid);
            // The unknown user, 4294967295, is returned as -1.
            let is_none = is_id && value == i64::from(u32::MAX);
            Some(Outcome::Known(if is_none { -1 } else { value }))
        }
    }
}

/// Whether the call failed.
#[must_use]
pub fn has_failed(event: &Event<'_>) -> Option<bool> {
    outcome(event).map(|outcome| matches!(outcome, Outcome::Known(..0)))
}

/// `SUCCESS`, or the first parameter's text.
pub fn symbol<'a>(event: &Event<'a>, _: &Arg) -> Option<Value<'a>> {
    if !has_failed(event)? {
        return Some(Value::Bytes(b"SUCCESS"));
    }
    render::argument(event, 0).map(Value::Bytes)
}

/// The number.
pub fn raw<'a>(event: &Event<'a>, _: &Arg) -> Option<Value<'a>> {
    Some(match outcome(event)? {
        Outcome::Known(value) => Value::Int(value),
        Outcome::Succeeded => Value::NotNegative,
    })
}

/// What data goes to or comes from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Target {
    /// Any descriptor.
    Any,
    /// A file or directory.
    File,
    /// A socket of a network.
    Net,
}

/// The length of a transfer on a known descriptor.
#[must_use]
pub fn buflen<'a>(event: &Event<'a>, way: Way, target: Target) -> Option<Value<'a>> {
    let category = event.ty.info().category;
    if !matches!(category, Category::IoRead | Category::IoWrite | Category::IoOther) {
        return None;
    }
    let kind = event.fd.info?.kind;
    let is_target = match target {
        Target::Any => true,
        Target::File => is_file(kind),
        Target::Net => is_net(kind) && kind != FdKind::UnixSocket,
    };
    if !is_target || (way != Way::Any && !is_io(event, way)) {
        return None;
    }
    match outcome(event)? {
        Outcome::Known(length) => u64::try_from(length).ok().map(Value::UInt),
        Outcome::Succeeded => Some(Value::NotNegative),
    }
}

/// One if the call failed, else zero.
#[must_use]
pub fn error_count<'a>(event: &Event<'a>) -> Option<Value<'a>> {
    has_failed(event).map(|has_failed| Value::UInt(has_failed.into()))
}

/// What an error is counted as.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Class {
    /// A call about files.
    File,
    /// A call about sockets.
    Net,
    /// A call about memory.
    Memory,
    /// None of these.
    Other,
}

/// The same for calls of one class only.
#[must_use]
pub fn error_count_of<'a>(event: &Event<'a>, class: Class) -> Option<Value<'a>> {
    let is_memory = event.ty.info().category == Category::Memory;
    let (is_file, is_net) = match event.fd.info.map(|fd| fd.kind) {
        Some(kind) => (is_file(kind), is_net(kind)),
        None => (
            matches!(
                event.ty,
                known::OPEN
                    | known::OPENAT
                    | known::OPENAT2
                    | known::CREAT
                    | known::OPEN_BY_HANDLE_AT
            ),
            matches!(event.ty, known::ACCEPT | known::ACCEPT4 | known::CONNECT),
        ),
    };
    let belongs = match class {
        Class::File => is_file,
        Class::Net => is_net,
        Class::Memory => is_memory,
        Class::Other => !is_file && !is_net && (event.fd.info.is_some() || !is_memory),
    };
    if belongs { error_count(event) } else { None }
}

const fn is_file(kind: FdKind) -> bool {
    matches!(kind, FdKind::File | FdKind::Directory)
}

const fn is_net(kind: FdKind) -> bool {
    matches!(
        kind,
        FdKind::Ipv4Socket
            | FdKind::Ipv6Socket
            | FdKind::Ipv4Server
            | FdKind::Ipv6Server
            | FdKind::UnixSocket
    )
}

#[cfg(test)]
mod tests {
    use super::super::support::{Scene, shown};
    use crate::event::Param;

    #[test]
    fn a_failed_call_shows_its_error() {
        let scene = Scene::new("connect").with_params(&[Param::Int(-111)]);
        assert_eq!(shown(&scene, "evt.res"), "ECONNREFUSED");
        assert_eq!(shown(&scene, "evt.rawres"), "-111");
        assert_eq!(shown(&scene, "evt.failed"), "true");
        assert_eq!(shown(&scene, "evt.count.error.net"), "1");
        assert_eq!(shown(&scene, "evt.count.error.other"), "<NA>");
    }

    #[test]
    fn an_error_without_a_name_is_its_number() {
        let scene = Scene::new("mmap").with_params(&[Param::Int(-133)]);
        assert_eq!(shown(&scene, "evt.res"), "-133");
        assert_eq!(shown(&scene, "evt.count.error.memory"), "1");
    }

    #[test]
    fn nobody_as_a_returned_user_counts_as_a_failure() {
        let scene = Scene::new("getuid").with_params(&[Param::UInt(u32::MAX.into())]);
        assert_eq!(shown(&scene, "evt.rawres"), "-1");
        assert_eq!(shown(&scene, "evt.res"), "<NONE>");
    }
}
