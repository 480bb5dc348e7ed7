//! A call that the audit tells: its parameters from the records, its descriptor from both records
//! and `/proc`.
//!
//! The records have four of six arguments, the paths as they were given, the socket address, and
//! what the inode was. A descriptor's number may mean another file by now: what `/proc` says of it
//! counts only where it agrees with the records.

use super::audit_records::Caller;
use super::calls::changes_process;
use super::calls::descriptor_of;
use super::calls::other_descriptors;
use super::calls::role_of;
use super::descriptor::encoded_tuple;
use super::descriptor::falco_device;
use super::draft::Draft;
use super::ends::addressed;
use super::ends::kind_of_family;
use super::ends::names_socket;
use super::live::EventSink;
use super::live::LiveEnricher;
use super::path::as_base;
use super::path::join;
use crate::decode::audit::AuditEvent;
use crate::decode::audit::PathItem;
use crate::decode::syscall;
use crate::decode::syscall::Abi;
use crate::decode::syscall::Call;
use crate::decode::syscall::Inspect;
use crate::event::Arena;
use crate::event::Bytes;
use crate::event::EventFd;
use crate::event::EventFlags;
use crate::event::EventType;
use crate::event::Fd;
use crate::event::FdKind;
use crate::event::FdNumber;
use crate::event::known;
use crate::procfs::ProcessDir;

/// How many arguments the records have.
const TOLD_ARGUMENTS: usize = 4;
/// `AT_FDCWD`: a path is relative to the working directory.
const AT_FDCWD: i64 = -100;
/// The texts behind the arguments, by argument.
type Texts<'e> = [Option<&'e [u8]>; TOLD_ARGUMENTS];

/// Makes the event of a call and hands it to `sink`.
pub(super) fn tell(
    enricher: &mut LiveEnricher,
    event: &AuditEvent,
    ty: EventType,
    abi: Abi,
    caller: Caller,
    sink: &mut EventSink<'_>,
) {
    let [a, b, c, d] = event.arguments;
    let call = Call {
        abi,
        number: event.syscall,
        arguments: [a, b, c, d, 0, 0],
        result: event.exit.unwrap_or(0),
    };
    if call.result >= 0 && changes_process(ty) {
        enricher.reread(caller.pid);
    }
    let directory = std::cell::OnceCell::new();
    let proc = &enricher.proc;
    let process = || directory.get_or_init(|| proc.process(caller.pid).ok()).as_ref();
    let texts = texts(ty, event);
    let number = descriptor_of(ty, &call);
    let info = number.and_then(|number| {
        let describer = &mut enricher.calls.describer;
        let role = role_of(ty);
        let live = process()
            .and_then(|process| describer.describe(process, number, role))
            .filter(|_| call.result >= 0 || !ty.info().has(EventFlags::CREATES_FD));
        settle(live, event, ty, &call, enricher.world.thread(i64::from(caller.pid)).map(|t| &t.cwd))
    });
    let calls = &mut enricher.calls;
    calls.arena.reset();
    let arena = &calls.arena;
    let describer = &mut calls.describer;
    let mut others = other_descriptors(ty, &call, number, &process, describer);
    others.retain(|(_, fd)| is_the_one(fd, event, ty, info.as_ref()));
    let mut told =
        Told { event, ty, call: &call, texts, info: info.as_ref(), process: &process, arena };
    let mut params = Vec::with_capacity(ty.info().params.len());
    syscall::parameters(ty, &call, &mut told, arena, &mut params);
    let num = match (number, ty.info().has(EventFlags::CREATES_FD)) {
        (_, true) => FdNumber::Known(call.result),
        (Some(number), false) => FdNumber::Known(number),
        (None, false) => FdNumber::None,
    };
    let draft = Draft {
        ts: caller.wall_ns,
        ty,
        cpu: None,
        tid: i64::from(caller.tid),
        thread: enricher.world.thread(i64::from(caller.pid)),
        params: &params,
        fd: EventFd {
            num,
            info: info.as_ref(),
            name_changed: changes_name(ty, event),
            is_unread: info.is_none() && !is_open(ty),
            others: &others,
        },
    };
    enricher.out.tell(&enricher.world, &draft, sink);
}

/// The paths that were given to a call, by argument.
///
/// The records name each path by what the kernel did to it; the directories that hold them are
/// records of their own (`PARENT`).
fn texts(ty: EventType, event: &AuditEvent) -> Texts<'_> {
    let named = |nametypes: &[&[u8]]| {
        let mut found = event.paths.iter().filter(|path| nametypes.contains(&&path.nametype[..]));
        found.next().and_then(|path| path.name.as_deref())
    };
    let last = |nametype: &[u8]| {
        let found = event.paths.iter().rfind(|path| path.nametype == nametype);
        found.and_then(|path| path.name.as_deref())
    };
    let mut texts = [None; TOLD_ARGUMENTS];
    let mut arguments = syscall::text_arguments(ty);
    let values = match ty {
        known::RENAME | known::RENAMEAT | known::RENAMEAT2 => {
            [named(&[b"DELETE"]), last(b"CREATE").or_else(|| last(b"DELETE"))]
        }
        known::LINK | known::LINKAT => [named(&[b"NORMAL"]), last(b"CREATE")],
        known::SYMLINK | known::SYMLINKAT => [named(&[b"UNKNOWN"]), last(b"CREATE")],
        // The source is no path to the kernel; the target is.
        known::MOUNT => [None, named(&[b"NORMAL", b"UNKNOWN"])],
        known::PRCTL => [Some(&event.comm[..]), None],
        known::DELETE_MODULE => [event.module.as_deref(), None],
        // Texts that are no paths: the records don't have them.
        known::INIT_MODULE | known::FINIT_MODULE | known::MEMFD_CREATE => [None, None],
        _ => [target(event).and_then(|path| path.name.as_deref()), None],
    };
    for value in values {
        let Some(slot) = arguments.next().and_then(|argument| texts.get_mut(argument)) else {
            break;
        };
        *slot = value;
    }
    texts
}

/// What a call with one path is about: not the directory that it is in.
fn target(event: &AuditEvent) -> Option<&PathItem> {
    event.paths.iter().rfind(|path| path.nametype != b"PARENT")
}

/// What a descriptor is: what `/proc` says of it now, if that agrees with the records; else what
/// the records say.
fn settle(
    live: Option<Fd>,
    event: &AuditEvent,
    ty: EventType,
    call: &Call,
    cwd: Option<&Bytes>,
) -> Option<Fd> {
    if is_open(ty) {
        return if call.result >= 0 { opened(live, event, ty, call, cwd) } else { None };
    }
    if let Some(address) = &event.sockaddr {
        return Some(addressed(live, address, ty));
    }
    if ty == known::SOCKET {
        return live.map(|mut fd| {
            if fd.kind == FdKind::Unsupported {
                fd.kind = u16::try_from(call.arguments[0]).map_or(fd.kind, kind_of_family);
            }
            fd
        });
    }
    // fchmod(2) and its like have the inode in their records.
    match (live, event.paths.first()) {
        (Some(fd), Some(path)) if path.name.is_none() && !is_file(&fd, path) => None,
        (live, _) => live,
    }
}

/// Whether a call gave its socket another name: it was connected, or a message without connection
/// had an address.
fn changes_name(ty: EventType, event: &AuditEvent) -> bool {
    match ty {
        known::CONNECT => true,
        _ => names_socket(ty) && event.sockaddr.is_some(),
    }
}

fn is_open(ty: EventType) -> bool {
    matches!(ty, known::OPEN | known::OPENAT | known::OPENAT2 | known::CREAT)
}

fn is_file(fd: &Fd, path: &PathItem) -> bool {
    let (major, minor) = path.device;
    fd.ino == path.inode
        && (path.device == (0, 0) || fd.dev == falco_device(libc::makedev(major, minor)))
}

/// Whether the records bear out that another descriptor of a call was then what it is now.
fn is_the_one(fd: &Fd, event: &AuditEvent, ty: EventType, info: Option<&Fd>) -> bool {
    if matches!(ty, known::DUP | known::DUP2 | known::DUP3) {
        let is_same = |info: &Fd| (info.dev, info.ino) == (fd.dev, fd.ino) && info.name == fd.name;
        return info.is_some_and(is_same);
    }
    // The directory of a path's last part has a record of its own, but where a file was opened.
    let parents = event.paths.iter().filter(|path| path.nametype == b"PARENT");
    let mut parents = parents.map(|path| is_file(fd, path));
    let is_base_of = |info: &Fd, text: &[u8]| {
        let (mut base, mut name) = (Vec::new(), Vec::new());
        as_base(&mut base, &fd.name);
        join(&mut name, &base, text);
        name == *info.name
    };
    let text = target(event).and_then(|path| path.name.as_deref());
    parents.any(|is_parent| is_parent)
        || is_open(ty) && info.zip(text).is_some_and(|(info, text)| is_base_of(info, text))
}

/// The file that an open opened, named as it was given.
fn opened(
    live: Option<Fd>,
    event: &AuditEvent,
    ty: EventType,
    call: &Call,
    cwd: Option<&Bytes>,
) -> Option<Fd> {
    let path = target(event)?;
    let live = live.filter(|fd| is_file(fd, path));
    let (major, minor) = path.device;
    let is_directory = path.mode & libc::S_IFMT == libc::S_IFDIR;
    let mut fd = live.unwrap_or_else(|| Fd {
        dev: falco_device(libc::makedev(major, minor)),
        ino: path.inode,
        ..Fd::new(if is_directory { FdKind::Directory } else { FdKind::File })
    });
    let Some(text) = path.name.as_deref() else { return Some(fd) };
    let directory = match ty {
        known::OPENAT | known::OPENAT2 => syscall::descriptor_argument(ty, 1, call),
        _ => None,
    };
    let is_from_cwd = directory.is_none_or(|number| number == AT_FDCWD);
    let base = event.cwd.as_deref().or_else(|| cwd.map(|cwd| &cwd[..]));
    if text.starts_with(b"/") || is_from_cwd {
        let (mut with_slash, mut name) = (Vec::new(), Vec::new());
        as_base(&mut with_slash, base.unwrap_or_default());
        join(&mut name, &with_slash, text);
        fd.name = Bytes::from(name);
    }
    fd.name_raw = Bytes::from(text);
    Some(fd)
}

/// A call as its records tell it, as the decoder asks about it.
struct Told<'c> {
    event: &'c AuditEvent,
    ty: EventType,
    call: &'c Call,
    texts: Texts<'c>,
    info: Option<&'c Fd>,
    process: &'c dyn Fn() -> Option<&'c ProcessDir>,
    arena: &'c Arena,
}

impl Told<'_> {
    /// Which argument pointed to what a record shows, and that.
    fn pointed(&self) -> Option<(usize, Vec<u8>)> {
        match self.ty {
            known::CONNECT | known::BIND => Some((1, self.event.sockaddr.clone()?)),
            known::OPENAT2 => {
                let how = self.event.open_how?;
                Some((2, how.iter().flat_map(|number| number.to_ne_bytes()).collect()))
            }
            known::PIPE | known::PIPE2 | known::SOCKETPAIR => {
                let (first, second) = self.event.fd_pair?;
                let argument = if self.ty == known::SOCKETPAIR { 3 } else { 0 };
                Some((argument, [first.to_ne_bytes(), second.to_ne_bytes()].concat()))
            }
            _ => None,
        }
    }
}

impl<'c> Inspect<'c> for Told<'c> {
    fn knows_argument(&self, index: usize) -> bool {
        index < TOLD_ARGUMENTS
    }

    fn text(&mut self, index: usize, _: u64) -> Option<&'c [u8]> {
        self.texts.get(index).copied().flatten()
    }

    fn memory(&mut self, address: u64, len: usize) -> Option<&'c [u8]> {
        let (argument, bytes) = self.pointed()?;
        if self.call.arguments.get(argument) != Some(&address) {
            return None;
        }
        let room = self.arena.alloc_slice_fill_copy(len, 0_u8);
        let len = len.min(bytes.len());
        room.get_mut(..len)?.copy_from_slice(bytes.get(..len)?);
        Some(room)
    }

    fn file(&mut self, fd: i64) -> Option<(u32, u64)> {
        if let Some(info) = self.info {
            return Some((info.dev, info.ino));
        }
        let stat = (self.process)()?.fds().ok()?.stat(i32::try_from(fd).ok()?).ok()?;
        Some((falco_device(stat.st_dev), stat.st_ino))
    }

    fn tuple(&mut self, _: i64) -> Option<&'c [u8]> {
        let tuple = encoded_tuple(self.info?)?;
        Some(self.arena.alloc_slice_copy(&tuple))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(name: &str, nametype: &str) -> PathItem {
        PathItem {
            name: Some(name.into()),
            nametype: nametype.into(),
            inode: 7,
            ..PathItem::default()
        }
    }

    fn texts_of(ty: EventType, paths: Vec<PathItem>) -> Vec<Option<String>> {
        let event = AuditEvent { paths, ..AuditEvent::default() };
        let text =
            |text: Option<&[u8]>| text.map(|text| String::from_utf8_lossy(text).into_owned());
        texts(ty, &event).into_iter().map(text).collect()
    }

    fn shown(texts: &[Option<String>]) -> Vec<&str> {
        texts.iter().map(|text| text.as_deref().unwrap_or("-")).collect()
    }

    #[test]
    fn a_rename_has_the_deleted_and_the_created_name() {
        let records = vec![
            path("/tmp/", "PARENT"),
            path("/tmp/", "PARENT"),
            path("/tmp/a", "DELETE"),
            path("/tmp/b", "DELETE"),
            path("/tmp/b", "CREATE"),
        ];
        assert_eq!(
            shown(&texts_of(known::RENAME, records.clone())),
            ["/tmp/a", "/tmp/b", "-", "-"]
        );
        assert_eq!(shown(&texts_of(known::RENAMEAT2, records)), ["-", "/tmp/a", "-", "/tmp/b"]);
    }

    #[test]
    fn the_target_of_a_symbolic_link_is_whatever_was_given() {
        // The kernel notes the two in the order in which the compiler evaluates them.
        let records =
            vec![path("/tmp/", "PARENT"), path("/etc/shadow", "UNKNOWN"), path("/tmp/l", "CREATE")];
        assert_eq!(shown(&texts_of(known::SYMLINK, records)), ["/etc/shadow", "/tmp/l", "-", "-"]);
    }

    #[test]
    fn the_directory_alone_is_not_the_path() {
        let records = vec![path("/tmp/", "PARENT")];
        assert_eq!(shown(&texts_of(known::UNLINK, records)), ["-"; 4]);
        let records = vec![path("/tmp/", "PARENT"), path("x", "CREATE")];
        assert_eq!(shown(&texts_of(known::MKDIRAT, records)), ["-", "x", "-", "-"]);
    }

    #[test]
    fn a_descriptor_that_is_another_file_by_now_is_not_taken_for_the_one_that_was_opened() {
        let event = AuditEvent {
            paths: vec![path("passwd", "NORMAL")],
            cwd: Some(b"/etc".to_vec()),
            ..AuditEvent::default()
        };
        let call = Call { abi: Abi::X86_64, number: 2, arguments: [0; 6], result: 3 };
        let other = Fd { ino: 8, name: Bytes::from(&b"/other"[..]), ..Fd::new(FdKind::File) };
        let fd = settle(Some(other), &event, known::OPEN, &call, None).unwrap();
        assert_eq!((fd.ino, fd.name.as_ref()), (7, &b"/etc/passwd"[..]));
        assert_eq!(fd.name_raw.as_ref(), b"passwd");
    }
}
