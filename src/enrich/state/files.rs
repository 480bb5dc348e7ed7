//! Descriptors of files and of everything else that is no socket, and working directories.

use super::turn::{self, Turn, add_fd};
use super::{Doomed, Enter, RawEvent, Tracker};
use crate::enrich::path;
use crate::event::{Bytes, EventType, Fd, FdKind, World, known};

/// Falco's open flags.
const O_DIRECTORY: u32 = 1024;
const O_CLOEXEC: u32 = 4096;
/// The first of the flags that the call's result adds.
const O_F_CREATED: u32 = 16_384;
const FD_UPPER_LAYER: u32 = 32_768;
const FD_LOWER_LAYER: u32 = 65_536;

/// Falco's AT_FDCWD.
const AT_FDCWD: i64 = -100;

/// Stands for a directory that is not known.
pub(super) const UNKNOWN_DIR: &[u8] = b"<UNKNOWN>";

/// Text of a path that could not be read.
const UNREADABLE: &[u8] = b"<NA>";

/// Whether the descriptor is closed by exec.
pub(super) const fn closes_on_exec(fd: &Fd) -> bool {
    fd.flags & O_CLOEXEC != 0
}

/// Puts the working directory of a thread's process, with a slash, into `out`.
pub(super) fn put_cwd(world: &World, tid: i64, out: &mut Vec<u8>) {
    out.clear();
    let main = world.thread(tid).and_then(|thread| world.main_thread(thread));
    match main {
        Some(main) if main.cwd.is_empty() => {}
        Some(main) => path::as_base(out, &main.cwd),
        None => out.extend_from_slice(b"./"),
    }
}

/// Puts the directory that `path` is relative to, with a slash, into `out`.
pub(super) fn put_dir(world: &World, tid: i64, dirfd: i64, path: &[u8], out: &mut Vec<u8>) {
    if path.first() == Some(&b'/') {
        out.clear();
        out.push(b'.');
    } else if dirfd == AT_FDCWD {
        put_cwd(world, tid, out);
    } else {
        out.clear();
        match turn::fd(world, tid, dirfd).filter(|_| dirfd >= 0) {
            None => out.extend_from_slice(UNKNOWN_DIR),
            Some(directory) if directory.name.is_empty() => {}
            Some(directory) => path::as_base(out, &directory.name),
        }
    }
}

/// What an open tells, whichever call it was.
struct Opened<'a> {
    name: &'a [u8],
    flags: u32,
    dirfd: Option<i64>,
    dev: u32,
    ino: u64,
}

impl<'a> Opened<'a> {
    fn of(raw: &RawEvent<'a>) -> Self {
        let place = |dev: usize| {
            let ino = raw.uint(dev + 1);
            (raw.uint32(dev).unwrap_or(0), ino.unwrap_or(0))
        };
        let (name, flags, dirfd, (dev, ino)) = match raw.ty {
            known::CREAT => (raw.bytes(1), layer_flags(raw.uint32(5)), Some(AT_FDCWD), place(3)),
            known::OPENAT => (raw.bytes(2), raw.uint32(3), raw.int(1), place(5)),
            known::OPENAT2 => (raw.bytes(2), raw.uint32(3), raw.int(1), place(6)),
            known::OPEN_BY_HANDLE_AT => (raw.bytes(3), raw.uint32(2), None, place(4)),
            _ => (raw.bytes(1), raw.uint32(2), Some(AT_FDCWD), place(4)),
        };
        let name = name.unwrap_or(UNREADABLE);
        Self { name, flags: flags.unwrap_or(0), dirfd, dev, ino }
    }
}

/// creat(2) has no flags, only the layer of its file.
const fn layer_flags(creat_flags: Option<u32>) -> Option<u32> {
    match creat_flags {
        Some(flags) if flags & 1 != 0 => Some(FD_UPPER_LAYER),
        Some(flags) if flags & 2 != 0 => Some(FD_LOWER_LAYER),
        _ => None,
    }
}

impl Tracker {
    pub(super) fn open(
        &mut self,
        world: &mut World,
        raw: &RawEvent<'_>,
        enter: Option<Enter>,
        turn: &mut Turn,
    ) {
        if raw.result() < 0 || !world.threads.contains_key(&raw.tid) {
            return;
        }
        let mut opened = Opened::of(raw);
        let enter = enter.filter(|enter| enter.bytes != UNREADABLE);
        if let Some(enter) = &enter {
            opened.name = &enter.bytes;
            opened.flags = enter.flags | (opened.flags & !(O_F_CREATED - 1));
            opened.dirfd = enter.fd.or(opened.dirfd);
        }
        self.base.clear();
        if let Some(dirfd) = opened.dirfd {
            put_dir(world, raw.tid, dirfd, opened.name, &mut self.base);
        }
        path::join(&mut self.path, &self.base, opened.name);
        let is_directory = opened.flags & O_DIRECTORY != 0;
        let mut fd = Fd::new(if is_directory { FdKind::Directory } else { FdKind::File });
        fd.name = Bytes::from(self.path.as_slice());
        fd.name_raw = if *fd.name == *opened.name { fd.name.clone() } else { opened.name.into() };
        fd.flags = opened.flags;
        fd.dev = opened.dev;
        fd.ino = opened.ino;
        fd.is_upper_layer = opened.flags & FD_UPPER_LAYER != 0;
        fd.is_lower_layer = opened.flags & FD_LOWER_LAYER != 0;
        add_fd(world, raw.tid, raw.result(), fd, turn);
    }

    pub(super) fn close(&mut self, world: &World, raw: &RawEvent<'_>, turn: &Turn) {
        if raw.result() >= 0
            && let Some(num) = turn.info
            && turn::fd(world, raw.tid, num).is_some()
        {
            self.doomed = Some(Doomed::Fd { tid: raw.tid, num });
        }
    }

    /// chdir, fchdir and getcwd tell where a process is.
    pub(super) fn chdir(&mut self, world: &mut World, raw: &RawEvent<'_>, turn: &Turn) {
        if raw.result() < 0 {
            return;
        }
        let by_fd = raw.ty == known::FCHDIR;
        let name =
            turn.info.and_then(|num| turn::fd(world, raw.tid, num)).map(|fd| fd.name.clone());
        let directory = match &name {
            Some(name) if by_fd => &**name,
            None if by_fd => return,
            _ => raw.bytes(1).unwrap_or(b""),
        };
        put_cwd(world, raw.tid, &mut self.base);
        path::join(&mut self.path, &self.base, directory);
        if self.path.is_empty() {
            self.path.push(b'/');
        }
        if let Some(main) = turn::main_mut(world, raw.tid)
            && *main.cwd != *self.path
        {
            main.cwd = self.path.as_slice().into();
        }
    }

    pub(super) fn chroot(&mut self, world: &mut World, raw: &RawEvent<'_>) {
        let Some(root) = raw.bytes(1).filter(|_| raw.result() == 0) else { return };
        if root.first() == Some(&b'/') {
            self.path.clear();
            self.path.extend_from_slice(root);
        } else {
            put_cwd(world, raw.tid, &mut self.base);
            path::join(&mut self.path, &self.base, root);
        }
        if let Some(thread) = turn::thread_mut(world, raw.tid) {
            thread.root = self.path.as_slice().into();
        }
    }
}

/// Whether [`make`] applies to events of that type.
pub(super) fn makes_fd(ty: EventType) -> bool {
    simple_kind(ty).is_some()
        || matches!(
            ty,
            known::DUP
                | known::DUP2
                | known::DUP3
                | known::FCNTL
                | known::PIPE
                | known::PIPE2
                | known::SOCKETPAIR
                | known::MEMFD_CREATE
                | known::PIDFD_OPEN
                | known::PIDFD_GETFD
                | known::CLOSE_RANGE
        )
}

/// Calls whose descriptor has a kind and nothing else.
const fn simple_kind(ty: EventType) -> Option<FdKind> {
    Some(match ty {
        known::EVENTFD | known::EVENTFD2 => FdKind::Event,
        known::SIGNALFD | known::SIGNALFD4 => FdKind::Signal,
        known::TIMERFD_CREATE => FdKind::Timer,
        known::INOTIFY_INIT | known::INOTIFY_INIT1 => FdKind::Inotify,
        known::BPF => FdKind::Bpf,
        known::USERFAULTFD => FdKind::UserFault,
        known::IO_URING_SETUP => FdKind::IoUring,
        known::EPOLL_CREATE | known::EPOLL_CREATE1 => FdKind::EventPoll,
        _ => return None,
    })
}

/// Adds the descriptors that a call made, other than open and the socket calls.
pub(super) fn make(world: &mut World, raw: &RawEvent<'_>, turn: &mut Turn) {
    if !world.threads.contains_key(&raw.tid) {
        return;
    }
    if raw.ty == known::MEMFD_CREATE && raw.result() < 0 {
        // Falco enters the failure as a descriptor.
        return add_fd(world, raw.tid, raw.result(), Fd::new(FdKind::Unset), turn);
    }
    if raw.result() < 0 {
        return;
    }
    if let Some(kind) = simple_kind(raw.ty) {
        let mut fd = Fd::new(kind);
        fd.flags = match raw.ty {
            known::EVENTFD2 | known::INOTIFY_INIT1 | known::SIGNALFD4 => raw.uint32(1),
            known::TIMERFD_CREATE => raw.uint32(2),
            known::EPOLL_CREATE1 => raw.uint32(1).map(|flags| (flags & 1) * O_CLOEXEC),
            _ => None,
        }
        .unwrap_or(0);
        return add_fd(world, raw.tid, raw.result(), fd, turn);
    }
    match raw.ty {
        known::DUP | known::DUP2 => duplicate(world, raw, 0, turn),
        known::DUP3 => duplicate(world, raw, raw.uint32(3).unwrap_or(0), turn),
        known::FCNTL => fcntl(world, raw, turn),
        known::PIPE | known::PIPE2 => pipe(world, raw, turn),
        known::SOCKETPAIR => super::sockets::socketpair(world, raw, turn),
        known::MEMFD_CREATE => {
            let mut fd = Fd::new(FdKind::MemFd);
            fd.name = raw.bytes(1).unwrap_or(b"").into();
            fd.flags = raw.uint32(2).unwrap_or(0);
            add_fd(world, raw.tid, raw.result(), fd, turn);
        }
        known::PIDFD_OPEN => {
            let mut fd = Fd::new(FdKind::PidFd);
            fd.name = format!("/proc/{}", raw.int(1).unwrap_or(-1)).into_bytes().into();
            fd.flags = raw.uint32(2).unwrap_or(0);
            add_fd(world, raw.tid, raw.result(), fd, turn);
        }
        known::PIDFD_GETFD => pidfd_getfd(world, raw, turn),
        known::CLOSE_RANGE => close_range(world, raw),
        _ => {}
    }
}

/// Copies the event's descriptor to the number that the call returned.
fn duplicate(world: &mut World, raw: &RawEvent<'_>, flags: u32, turn: &mut Turn) {
    let Some(original) = turn.info.and_then(|num| turn::fd(world, raw.tid, num)) else { return };
    let mut copy = original.clone();
    copy.flags = copy.flags & !O_CLOEXEC | flags & O_CLOEXEC;
    add_fd(world, raw.tid, raw.result(), copy, turn);
    turn.has_name_changed = false;
}

fn fcntl(world: &mut World, raw: &RawEvent<'_>, turn: &mut Turn) {
    const F_DUPFD: u64 = 1;
    const F_SETFD: u64 = 3;
    const F_DUPFD_CLOEXEC: u64 = 26;
    const FD_CLOEXEC: u64 = 1;
    match raw.uint(2) {
        Some(F_DUPFD) => duplicate(world, raw, 0, turn),
        Some(F_DUPFD_CLOEXEC) => duplicate(world, raw, O_CLOEXEC, turn),
        Some(F_SETFD) => {
            let closes = raw.uint(3).is_some_and(|arg| arg & FD_CLOEXEC != 0);
            let Some(num) = turn.info else { return };
            let is_so = |fd: &Fd| closes_on_exec(fd) == closes;
            if turn::fd(world, raw.tid, num).is_none_or(is_so) {
                return;
            }
            if let Some(fd) = turn::fds_mut(world, raw.tid).and_then(|fds| fds.get_mut(num)) {
                fd.flags ^= O_CLOEXEC;
            }
        }
        _ => {}
    }
}

fn pipe(world: &mut World, raw: &RawEvent<'_>, turn: &mut Turn) {
    let mut fd = Fd::new(FdKind::Pipe);
    fd.ino = raw.uint(3).unwrap_or(0);
    if raw.ty == known::PIPE2 {
        fd.flags = raw.uint32(4).unwrap_or(0);
    }
    for num in [raw.int(1), raw.int(2)].into_iter().flatten() {
        add_fd(world, raw.tid, num, fd.clone(), turn);
    }
}

fn pidfd_getfd(world: &mut World, raw: &RawEvent<'_>, turn: &mut Turn) {
    let (Some(pidfd), Some(target)) = (raw.int(1), raw.int(2)) else { return };
    let pid = turn::fd(world, raw.tid, pidfd)
        .filter(|fd| fd.kind == FdKind::PidFd)
        .and_then(|fd| fd.name.strip_prefix(b"/proc/"))
        .and_then(|pid| std::str::from_utf8(pid).ok()?.parse::<i64>().ok());
    let Some(original) = pid.and_then(|pid| turn::fd(world, pid, target)) else { return };
    let mut copy = original.clone();
    copy.flags |= O_CLOEXEC;
    add_fd(world, raw.tid, raw.result(), copy, turn);
}

fn close_range(world: &mut World, raw: &RawEvent<'_>) {
    const CLOSE_RANGE_CLOEXEC: u32 = 4;
    let (Some(first), Some(last)) = (raw.int(1), raw.int(2)) else { return };
    let range = first..=last;
    let is_mark = raw.uint32(3).is_some_and(|flags| flags & CLOSE_RANGE_CLOEXEC != 0);
    let Some(fds) = turn::fds_mut(world, raw.tid) else { return };
    if is_mark {
        for (_, fd) in fds.iter_mut().filter(|(num, _)| range.contains(num)) {
            fd.flags |= O_CLOEXEC;
        }
    } else {
        fds.retain(|num, _| !range.contains(&num));
    }
}
