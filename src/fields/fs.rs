//! `fs.path.*`: the paths of file system events.

use super::{FieldClass, FieldInfo, evt_open, fd, field, path, tuple};
use crate::event::{DataType as T, Event, EventType, Param, Value, known};

/// Every syscall that has a filesystem path in its arguments has these fields set with information related to the path arguments. This differs from the fd.* fields as it includes syscalls like unlink, rename, etc. that act directly on filesystem paths as compared to opened file descriptors.
pub static CLASS: FieldClass = FieldClass {
    name: "fs.path",
    short: "",
    doc: "Every syscall that has a filesystem path in its arguments has these fields set with information related to the path arguments. This differs from the fd.* fields as it includes syscalls like unlink, rename, etc. that act directly on filesystem paths as compared to opened file descriptors.",
    fields: CLASS_FIELDS,
};

#[rustfmt::skip]
static CLASS_FIELDS: &[FieldInfo] = &[
    field("fs.path.name", T::CharBuf, "Resolved path of a single-path filesystem event.", |e, _| shown(e, Which::Name)),
    field("fs.path.nameraw", T::CharBuf, "Path as given.", |e, _| given(e, Which::Name)),
    field("fs.path.source", T::CharBuf, "Resolved source path of a two-path event.", |e, _| shown(e, Which::Source)),
    field("fs.path.sourceraw", T::CharBuf, "Source path as given.", |e, _| given(e, Which::Source)),
    field("fs.path.target", T::CharBuf, "Resolved target path of a two-path event.", |e, _| shown(e, Which::Target)),
    field("fs.path.targetraw", T::CharBuf, "Target path as given.", |e, _| given(e, Which::Target)),
];

/// Which of an event's paths.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Which {
    Name,
    Source,
    Target,
}

/// Where a path of an event stands and what it is relative to.
#[derive(Clone, Copy, Debug)]
enum Place {
    /// Parameter of that index, relative to the working directory.
    Cwd(usize),
    /// Relative to the descriptor in the second parameter. `AT_FDCWD` is not in Falco's tables, so
    /// the working directory isn't used here.
    Dir(usize, usize),
    /// The same, `AT_FDCWD` being the working directory.
    At(usize, usize),
    /// Relative to what isn't known.
    Nowhere(usize),
    /// A parameter; what Falco makes of it is in [`opened`].
    Opened(usize),
    /// The name of the event's descriptor.
    Fd,
}

const fn place(ty: EventType, which: Which) -> Option<Place> {
    Some(match (which, ty) {
        (
            Which::Name,
            known::MKDIR
            | known::RMDIR
            | known::UNLINK
            | known::OPEN
            | known::UMOUNT
            | known::UMOUNT2
            | known::CHMOD
            | known::CHOWN
            | known::LCHOWN
            | known::QUOTACTL,
        ) => Place::Cwd(1),
        (Which::Name, known::MKDIRAT | known::UNLINKAT | known::FCHMODAT | known::FCHOWNAT) => {
            Place::Dir(2, 1)
        }
        (Which::Name, known::OPENAT | known::OPENAT2) => Place::Opened(2),
        (Which::Name, known::FCHMOD | known::FCHOWN) => Place::Fd,
        (Which::Source, known::RENAME | known::MOUNT) => Place::Cwd(1),
        (Which::Target, known::RENAME | known::MOUNT) => Place::Cwd(2),
        (Which::Source, known::RENAMEAT) => Place::Cwd(2),
        (Which::Target, known::RENAMEAT) => Place::Cwd(4),
        (Which::Source, known::RENAMEAT2) => Place::At(2, 1),
        (Which::Target, known::RENAMEAT2) => Place::At(4, 3),
        (Which::Source, known::LINK | known::SYMLINK) => Place::Cwd(2),
        (Which::Target, known::LINK | known::SYMLINK) => Place::Cwd(1),
        (Which::Source, known::LINKAT) => Place::Cwd(4),
        (Which::Target, known::LINKAT) => Place::Cwd(2),
        (Which::Source, known::SYMLINKAT) => Place::Dir(3, 2),
        (Which::Target, known::SYMLINKAT) => Place::Nowhere(1),
        _ => return None,
    })
}

/// Whether the paths mean anything: the call returned zero, or a descriptor other than -1.
fn has_succeeded(event: &Event<'_>) -> bool {
    let gives_fd = matches!(event.ty, known::OPEN | known::OPENAT | known::OPENAT2);
    match event.param(0) {
        Param::NotNegative => true,
        result => {
            result.as_i64().is_some_and(|value| if gives_fd { value != -1 } else { value == 0 })
        }
    }
}

/// The text of a parameter.
fn text<'a>(event: &Event<'a>, index: usize) -> Option<&'a [u8]> {
    match event.param(index) {
        Param::Bytes(bytes) => Some(bytes),
        Param::Empty => Some(b"<NA>"),
        _ => None,
    }
}

/// A path as it was given.
fn given<'a>(event: &Event<'a>, which: Which) -> Option<Value<'a>> {
    let place = place(event.ty, which).filter(|_| has_succeeded(event))?;
    Some(Value::Bytes(match place {
        Place::Cwd(index)
        | Place::Dir(index, _)
        | Place::At(index, _)
        | Place::Nowhere(index)
        | Place::Opened(index) => text(event, index)?,
        Place::Fd => fd::name(event)?,
    }))
}

/// A path made absolute.
fn shown<'a>(event: &Event<'a>, which: Which) -> Option<Value<'a>> {
    let Some(Value::Bytes(given)) = given(event, which) else { return None };
    let is_absolute = given.starts_with(b"/");
    let base = match place(event.ty, which)? {
        Place::Fd => return Some(Value::Bytes(given)),
        _ if is_absolute => b"",
        Place::Cwd(_) => path::cwd(event, event.thread?),
        Place::Nowhere(_) => path::UNKNOWN,
        Place::At(_, dirfd) => event
            .param(dirfd)
            .as_i64()
            .and_then(|dirfd| path::base_of(event, dirfd))
            .unwrap_or(path::UNKNOWN),
        Place::Dir(_, dirfd) => event
            .param(dirfd)
            .as_i64()
            .filter(|dirfd| *dirfd != path::AT_FDCWD)
            .and_then(|dirfd| path::base_of(event, dirfd))
            .unwrap_or(path::UNKNOWN),
        Place::Opened(_) => return Some(Value::Bytes(opened(event))),
    };
    Some(Value::Bytes(path::join(event.arena, base, given)))
}

/// For a relative path Falco shows the name of what was opened.
fn opened<'a>(event: &Event<'a>) -> &'a [u8] {
    let shown = evt_open::looked_at(event).unwrap_or(event.fd.info);
    let name = shown.map(|fd| tuple::fd_name(event.arena, fd));
    name.map_or(path::UNKNOWN, |name| path::join(event.arena, b"", name))
}

#[cfg(test)]
mod tests {
    use super::super::support::{Scene, descriptor, shown};
    use crate::event::{FdKind, Param};

    #[test]
    fn a_rename_has_two_paths() {
        let mut scene = Scene::new("rename").with_params(&[
            Param::Int(0),
            Param::Bytes(b"a"),
            Param::Bytes(b"/tmp//b/"),
        ]);
        assert_eq!(shown(&scene, "fs.path.source"), "/root/a");
        assert_eq!(shown(&scene, "fs.path.sourceraw"), "a");
        assert_eq!(shown(&scene, "fs.path.target"), "/tmp/b");
        assert_eq!(shown(&scene, "fs.path.targetraw"), "/tmp//b/");
        assert_eq!(shown(&scene, "fs.path.name"), "<NA>");
        scene.params[0] = Param::Int(-2);
        assert_eq!(shown(&scene, "fs.path.source"), "<NA>");
    }

    #[test]
    fn the_working_directory_is_no_directory_of_mkdirat() {
        let scene = Scene::new("mkdirat").with_params(&[
            Param::Int(0),
            Param::Int(-100),
            Param::Bytes(b"olive"),
        ]);
        assert_eq!(shown(&scene, "fs.path.name"), "<UNKNOWN>olive");
    }

    #[test]
    fn a_relative_open_is_named_by_what_was_opened() {
        let scene = Scene::new("openat")
            .with_params(&[Param::Int(6), Param::Int(4), Param::Bytes(b"inner/file")])
            .with_fd(6, descriptor(FdKind::File, "/srv/violet/inner/file"));
        assert_eq!(shown(&scene, "fs.path.name"), "/srv/violet/inner/file");
        assert_eq!(shown(&scene, "fs.path.nameraw"), "inner/file");
    }
}
