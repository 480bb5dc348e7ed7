//! Opens: what they may do with the file, and the absolute paths of the `*at` calls.

use super::{Arg, path};
use crate::event::{Event, EventType, Fd, Param, Value, known};

/// Falco's `O_RDONLY` bit.
pub const READ: u64 = 1;
/// Falco's `O_WRONLY` bit.
pub const WRITE: u64 = 2;
const CREAT: u64 = 4;
const TMPFILE: u64 = 8192;
const F_CREATED: u64 = 16384;
/// `S_IXUSR | S_IXGRP | S_IXOTH`.
const ANY_EXECUTE: u64 = 0o111;

/// The flags of an open; `None` for other events.
pub(super) fn flags<'a>(event: &Event<'a>) -> Option<Param<'a>> {
    match event.ty {
        known::OPEN | known::OPEN_BY_HANDLE_AT => Some(event.param(2)),
        known::OPENAT | known::OPENAT2 => Some(event.param(3)),
        _ => None,
    }
}

/// The permissions of an open that may create a file.
fn mode<'a>(event: &Event<'a>) -> Param<'a> {
    event.param(match event.ty {
        known::CREAT => 2,
        known::OPEN => 3,
        _ => 4,
    })
}

/// Whether any of `bits` is set; `None` if that isn't known.
pub(super) fn any_set(param: Param<'_>, bits: u64) -> Option<bool> {
    let (value, unknown) = match param {
        Param::Partial { value, unknown } => (value, unknown),
        Param::Empty => (0, 0),
        other => (other.as_u64()?, 0),
    };
    let is_set = value & bits & !unknown != 0;
    (is_set || unknown & bits == 0).then_some(is_set)
}

/// Whether an open has asked for that access; false for other events.
#[must_use]
pub fn has_access<'a>(event: &Event<'a>, bit: u64) -> Option<Value<'a>> {
    flags(event).map_or(Some(false), |flags| any_set(flags, bit)).map(Value::Bool)
}

/// Whether an open that may create a file gives it any right to be executed.
pub fn is_executable<'a>(event: &Event<'a>, _: &Arg) -> Option<Value<'a>> {
    let mode = || any_set(mode(event), ANY_EXECUTE);
    let answer = match (event.ty, flags(event)) {
        (known::CREAT, _) => mode()?,
        (known::OPEN_BY_HANDLE_AT, _) | (_, None) => false,
        (_, Some(flags)) => any_set(flags, CREAT | TMPFILE)? && mode()?,
    };
    Some(Value::Bool(answer))
}

/// Whether an open has created a file.
pub fn is_created<'a>(event: &Event<'a>, _: &Arg) -> Option<Value<'a>> {
    let Some(flags) = flags(event) else { return Some(Value::Bool(false)) };
    let is_created = any_set(flags, F_CREATED);
    if is_created == Some(true) {
        return Some(Value::Bool(true));
    }
    let has_succeeded = || super::evt_result::has_failed(event).map(|has_failed| !has_failed);
    let is_temporary = any_set(flags, TMPFILE)? && has_succeeded()?;
    if is_temporary { Some(Value::Bool(true)) } else { is_created.map(Value::Bool) }
}

/// `evt.abspath`, `evt.abspath.src`, `evt.abspath.dst`.
pub fn abspath<'a>(event: &Event<'a>, arg: &Arg) -> Option<Value<'a>> {
    event.thread?;
    if event.ty == known::OPEN_BY_HANDLE_AT {
        let has_failed = super::evt_result::has_failed(event)?;
        return event.param(3).as_bytes().filter(|_| !has_failed).map(Value::Bytes);
    }
    let of_target = matches!(arg, Arg::Key(key) if &**key == "dst");
    let (dirfd, given) = at_params(event.ty, of_target)?;
    let Param::Bytes(given) = event.param(given) else { return None };
    let base = match event.param(dirfd).as_i64() {
        _ if given.starts_with(b"/") => b"",
        Some(dirfd) => match look(event, dirfd) {
            None => &b"<UNKNOWN>/"[..],
            // Falco appends a slash to every name here, to an empty one too.
            Some(b"") if dirfd != path::AT_FDCWD => b"/",
            Some(base) => base,
        },
        None => return None,
    };
    Some(Value::Bytes(path::join(event.arena, base, given)))
}

/// Where the path starts; Falco's look at the directory leaves something behind.
fn look<'a>(event: &Event<'a>, dirfd: i64) -> Option<&'a [u8]> {
    if let Some(leftovers) = &event.world.leftovers
        && dirfd != path::AT_FDCWD
    {
        leftovers.looked_at_directory.set(event.num);
    }
    path::base_of(event, dirfd)
}

/// What is left behind by `look`: the directory, if it is known.
#[must_use]
pub fn looked_at<'a>(event: &Event<'a>) -> Option<Option<&'a Fd>> {
    let leftovers = event.world.leftovers.as_ref()?;
    let (dirfd, _) = at_params(event.ty, false)?;
    (leftovers.looked_at_directory.get() == event.num)
        .then(|| path::fd_of(event, event.param(dirfd).as_i64()?))
}

/// Indices of the directory's descriptor and of the path.
const fn at_params(ty: EventType, of_target: bool) -> Option<(usize, usize)> {
    Some(match ty {
        known::RENAMEAT | known::RENAMEAT2 | known::LINKAT if of_target => (3, 4),
        known::SYMLINKAT => (2, 3),
        known::OPENAT
        | known::OPENAT2
        | known::RENAMEAT
        | known::RENAMEAT2
        | known::LINKAT
        | known::UNLINKAT
        | known::MKDIRAT
        | known::FCHMODAT
        | known::FCHOWNAT => (1, 2),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::super::support::{Scene, shown};
    use super::*;

    #[test]
    fn the_paths_of_a_rename_are_made_absolute() {
        let scene = Scene::new("renameat2").with_params(&[
            Param::Int(0),
            Param::Int(-100),
            Param::Bytes(b"../a"),
            Param::Int(99),
            Param::Bytes(b"c"),
            Param::UInt(0),
        ]);
        assert_eq!(shown(&scene, "evt.abspath"), "/a");
        assert_eq!(shown(&scene, "evt.abspath.src"), "/a");
        assert_eq!(shown(&scene, "evt.abspath.dst"), "<UNKNOWN>/c");
    }

    #[test]
    fn flags_and_mode_are_where_the_table_says() {
        for name in ["open", "openat", "openat2", "open_by_handle_at", "creat"] {
            let ty = EventType::by_name(name).unwrap();
            for wanted in ["flags", "mode"] {
                let Some(index) = ty.info().param_index(wanted) else { continue };
                let mut params = [Param::UInt(0); 8];
                params[index] = Param::UInt(7);
                let scene = Scene::new(name).with_params(&params);
                let read = scene.with_event(|event| {
                    let param = if wanted == "mode" { Some(mode(event)) } else { flags(event) };
                    param.and_then(Param::as_u64)
                });
                assert_eq!(read, Some(7), "{wanted} of {name}");
            }
        }
    }

    #[test]
    fn a_new_file_with_an_execute_bit_is_noticed() {
        let open = |flags, mode| {
            Scene::new("open").with_params(&[
                Param::Int(3),
                Param::Bytes(b"/tmp/x"),
                Param::UInt(flags),
                Param::UInt(mode),
            ])
        };
        assert_eq!(shown(&open(4 | 2, 0o755), "evt.is_open_exec"), "true");
        assert_eq!(shown(&open(2, 0o755), "evt.is_open_exec"), "false");
        assert_eq!(shown(&open(4 | F_CREATED, 0), "evt.is_open_create"), "true");
        assert_eq!(shown(&open(TMPFILE, 0), "evt.is_open_create"), "true");
        assert_eq!(shown(&Scene::new("close"), "evt.is_open_create"), "false");
    }
}
