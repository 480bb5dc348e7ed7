//! Looks at tasks that open what rules name: by which call, with which arguments.
//!
//! The call is that of the task itself, from its file `syscall`; what its arguments point to is
//! read from its memory. While it stands nothing of this changes, unless another thread of its
//! process writes there.
//!
//! Not told: opens by execve(2), which are no events; and opens by other ways than open(2) and its
//! kin (io_uring, for one): then there is only the file.
//!
//! Sources: proc_pid_syscall(5), process_vm_readv(2); fs/notify/fanotify in the kernel.

use std::io;
use std::os::fd::BorrowedFd;
use std::thread;
use std::time::Duration;

use nix::sys::stat::FileStat;

use super::named::Named;
use super::ring::Writer;
use crate::decode::fanotify::FileEvent;
use crate::decode::procfs::stat::Stat;
use crate::decode::procfs::status::Status;
use crate::decode::procfs::syscall::StandingCall;
use crate::decode::syscall;
use crate::decode::syscall::Abi;
use crate::decode::syscall::Call;
use crate::metrics::METRICS;
use crate::procfs::Proc;
use crate::procfs::standing::MAX_BYTES;
use crate::procfs::standing::Standing;
use crate::sys::abi;
use crate::sys::clock;
use crate::sys::fanotify;
use crate::sys::fs::DescriptorLinks;
use crate::sys::process;
use crate::sys::ptrace;

/// Longest path: `PATH_MAX` in linux/limits.h.
const PATH: usize = 4096;

/// Room for `stat`, `status` and `syscall`.
const PIECE: usize = 8 << 10;

/// Tasks of one process that are looked at, to find the one that opens.
const MAX_TASKS: usize = 1024;

/// Files and tasks that are remembered.
const MEMORY: usize = 64;

/// How old a file may be that an open has just made, in nanoseconds: as long as an open may wait,
/// and the tick of a slow clock. One that was made by other means so shortly before, and is opened
/// with `O_CREAT`, is taken for made by the open: the kernel doesn't tell.
const FRESH_NS: i64 = 100_000_000;

/// How often a task is looked for that has not come to stand yet, and the time between.
const MAX_TRIES: u32 = 100;
/// As above.
const TRY_AGAIN: Duration = Duration::from_micros(20);

/// Memory is mapped in pieces no smaller.
const PAGE: u64 = 4096;

/// A call that opens files, and where its arguments are.
struct Opening {
    name: &'static str,
    path: Option<usize>,
    flags: Option<usize>,
    how: Option<usize>,
}

const OPENINGS: [Opening; 5] = [
    Opening { name: "open", path: Some(0), flags: Some(1), how: None },
    Opening { name: "openat", path: Some(1), flags: Some(2), how: None },
    Opening { name: "openat2", path: Some(1), flags: None, how: Some(2) },
    Opening { name: "creat", path: Some(0), flags: None, how: None },
    Opening { name: "open_by_handle_at", path: None, flags: Some(2), how: None },
];

/// What it has for that, made once.
#[derive(Debug)]
pub(super) struct Openers {
    inbox: Writer,
    untold: Option<Writer>,
    links: Option<DescriptorLinks>,
    named: Named,
    /// The kernel tells which thread it is (4.20).
    has_tid: bool,
    /// Files can be ignored without being held in memory (5.19).
    can_ignore: bool,
    path: Vec<u8>,
    given: Vec<u8>,
    how: [u8; 24],
    root: Vec<u8>,
    cwd: Vec<u8>,
    text: Vec<u8>,
    tasks: Vec<i32>,
    message: Vec<u8>,
    is_seen: bool,
    /// The file that was seen: device and inode.
    file: (u64, u64),
    /// Files that were made by an open that was told: device, inode, change time.
    made: Recent<(u64, u64, i64, i64)>,
    /// Where tasks have stood that were taken for the opener: it, stack, second argument.
    stood: Recent<(i32, u64, u64)>,
}

/// The last few of something.
#[derive(Debug)]
struct Recent<T> {
    kept: [Option<T>; MEMORY],
    next: usize,
}

impl<T: Copy + Eq> Recent<T> {
    const fn new() -> Self {
        Self { kept: [None; MEMORY], next: 0 }
    }

    fn has(&self, wanted: T) -> bool {
        self.kept.contains(&Some(wanted))
    }

    fn keep(&mut self, new: T) {
        if let Some(slot) = self.kept.get_mut(self.next) {
            *slot = Some(new);
        }
        self.next = (self.next + 1) % MEMORY;
    }
}

/// What was found of the task that opens.
struct Found {
    tid: i32,
    call: Call,
    opening: &'static Opening,
}

impl Openers {
    /// Tells `inbox` what it sees; `untold`: for the answerer.
    pub(super) fn new(inbox: Writer, untold: Writer, named: Named, has_tid: bool) -> Self {
        Self {
            inbox,
            untold: Some(untold),
            links: None,
            named,
            has_tid,
            can_ignore: true,
            path: vec![0; PATH + 1],
            given: Vec::with_capacity(PATH),
            how: [0; 24],
            root: vec![0; PATH + 1],
            cwd: vec![0; PATH + 1],
            text: Vec::with_capacity(PIECE),
            tasks: Vec::with_capacity(MAX_TASKS),
            message: Vec::with_capacity(MAX_BYTES),
            is_seen: false,
            file: (0, 0),
            made: Recent::new(),
            stood: Recent::new(),
        }
    }

    /// Finds the calling thread's own descriptors.
    pub(super) fn settle(&mut self) -> io::Result<()> {
        self.links = Some(DescriptorLinks::open_of_thread()?);
        Ok(())
    }

    pub(super) const fn take_untold(&mut self) -> Option<Writer> {
        self.untold.take()
    }

    /// Looks at whoever waits in an event.
    pub(super) fn look(
        &mut self,
        proc: &Proc,
        group: BorrowedFd<'_>,
        event: FileEvent,
        fd: BorrowedFd<'_>,
    ) {
        self.is_seen = false;
        let Ok(stat) = nix::sys::stat::fstat(fd) else { return };
        let Some(len) = self.read_path(fd) else { return };
        let path = self.path.get(..len).unwrap_or_default();
        if !self.named.names(path) && stat.st_nlink == 1 && self.named.is_in_its_place(path) {
            METRICS.rendezvous.unnamed.increment();
            self.ignore(group, fd, &stat);
            return;
        }
        let Some(found) = self.find(proc, event.pid, len) else {
            self.note(None, &stat, len, proc, event.pid);
            return;
        };
        if let Some(found) = found {
            self.note(Some(&found), &stat, len, proc, event.pid);
        }
    }

    /// Tells what was seen, if the task has stood still until now; else, that nobody has seen it.
    pub(super) fn tell(&mut self, has_stood: bool) {
        if !std::mem::take(&mut self.is_seen) {
            return;
        }
        if !has_stood {
            let (dev, ino) = self.file;
            Standing { dev, ino, ..Standing::default() }.write(&mut self.message);
        }
        if self.inbox.write(&self.message) {
            METRICS.rendezvous.opens.increment();
        } else {
            METRICS.rendezvous.dropped.increment();
        }
    }

    /// The file's path; `None` if it is too long.
    fn read_path(&mut self, fd: BorrowedFd<'_>) -> Option<usize> {
        Some(self.links.as_ref()?.read(fd, &mut self.path).ok()?.len())
    }

    /// Has the kernel be silent of a file that no rule names. Only root can give it another name.
    fn ignore(&mut self, group: BorrowedFd<'_>, fd: BorrowedFd<'_>, stat: &FileStat) {
        const FLAGS: u32 = abi::FAN_MARK_ADD
            | abi::FAN_MARK_IGNORED_MASK
            | abi::FAN_MARK_IGNORED_SURV_MODIFY
            | abi::FAN_MARK_EVICTABLE;
        let is_roots = stat.st_uid == 0 && stat.st_mode & 0o022 == 0;
        if !self.can_ignore || !is_roots {
            return;
        }
        if let Err(error) = fanotify::mark_fd(group, FLAGS, abi::FAN_OPEN_PERM, fd) {
            self.can_ignore = error.raw_os_error() != Some(libc::EINVAL);
        }
    }

    /// Finds the task that opens, and its call. `Some(None)`: it is execve's own open. `None`: it
    /// opens by none of the calls that are known.
    fn find(&mut self, proc: &Proc, pid: i32, len: usize) -> Option<Option<Found>> {
        if self.has_tid || self.is_alone(proc, pid) {
            return self.found(proc, pid);
        }
        proc.tasks(pid, MAX_TASKS, &mut self.tasks).ok()?;
        let tasks = std::mem::take(&mut self.tasks);
        let mut best = None;
        for _ in 0..MAX_TRIES {
            best = self.best_of(proc, &tasks, len);
            if best.is_some() {
                break;
            }
            thread::sleep(TRY_AGAIN);
        }
        self.tasks = tasks;
        let (_, found, standing) = best?;
        self.stood.keep(place_of(found.tid, &standing));
        Some(Some(found))
    }

    /// The task that most likely opens the file whose path has `len` bytes.
    fn best_of(
        &mut self,
        proc: &Proc,
        tasks: &[i32],
        len: usize,
    ) -> Option<(u32, Found, StandingCall)> {
        let mut best: Option<(u32, Found, StandingCall)> = None;
        for &tid in tasks {
            let Some(standing) = self.standing(proc, tid) else { continue };
            let Some(Some(found)) = found_of(tid, &standing) else { continue };
            let rank = self.rank(proc, &found, &standing, len);
            if best.as_ref().is_none_or(|(other, ..)| rank > *other) {
                best = Some((rank, found, standing));
            }
        }
        best
    }

    fn is_alone(&mut self, proc: &Proc, pid: i32) -> bool {
        let read = proc.process(pid).and_then(|dir| dir.read_piece(c"stat", PIECE, &mut self.text));
        read.is_ok() && Stat::parse(&self.text).is_some_and(|stat| stat.num_threads == 1)
    }

    fn standing(&mut self, proc: &Proc, tid: i32) -> Option<StandingCall> {
        proc.process(tid).ok()?.read_piece(c"syscall", PIECE, &mut self.text).ok()?;
        StandingCall::parse(&self.text)
    }

    /// The call of the one task that it can be. Its event may come before it has come to stand.
    fn found(&mut self, proc: &Proc, tid: i32) -> Option<Option<Found>> {
        for _ in 0..MAX_TRIES {
            if let Some(standing) = self.standing(proc, tid) {
                return found_of(tid, &standing);
            }
            if !self.text.starts_with(b"running") {
                return None;
            }
            thread::sleep(TRY_AGAIN);
        }
        None
    }

    /// How likely a task is the one that opens the file whose path has `len` bytes.
    fn rank(&mut self, proc: &Proc, found: &Found, call: &StandingCall, len: usize) -> u32 {
        let is_new = !self.stood.has(place_of(found.tid, call));
        let wchan = proc.process(found.tid);
        let wchan = wchan.and_then(|dir| dir.read_piece(c"wchan", PIECE, &mut self.text));
        let waits = wchan.is_ok() && self.text.starts_with(b"fanotify");
        self.read_given(found);
        let name = |path: &[u8]| path.iter().rposition(|&byte| byte == b'/').map_or(0, |at| at + 1);
        let path = self.path.get(..len).unwrap_or_default();
        let last = path.get(name(path)..).unwrap_or_default();
        let is_named = self.given.get(name(&self.given)..) == Some(last);
        u32::from(waits) * 4 + u32::from(is_named) * 2 + u32::from(is_new)
    }

    /// Reads the path that was given; whether it could be read.
    fn read_given(&mut self, found: &Found) -> bool {
        self.given.clear();
        let address = found.opening.path.and_then(|at| found.call.arguments.get(at));
        let Some(&address) = address.filter(|&&address| address != 0) else { return false };
        read_text(found.tid, address, &mut self.given)
    }

    fn read_how(&mut self, found: &Found) -> bool {
        let address = found.opening.how.and_then(|at| found.call.arguments.get(at));
        let Some(&address) = address else { return false };
        ptrace::read_memory(found.tid, address, &mut self.how).is_ok_and(|len| len == 24)
    }

    /// Puts down what was seen.
    fn note(&mut self, found: Option<&Found>, stat: &FileStat, len: usize, proc: &Proc, task: i32) {
        let tid = found.map_or(task, |found| found.tid);
        let pid = self.process_of(proc, tid);
        let has_given = found.is_some_and(|found| self.read_given(found));
        let has_how = found.is_some_and(|found| self.read_how(found));
        let directory = proc.process(tid);
        let link = |name, into: &mut Vec<u8>| {
            let dir = directory.as_ref().ok();
            dir.and_then(|dir| dir.link(name, into).ok()).map_or(0, <[u8]>::len)
        };
        let root = link(c"root", &mut self.root);
        let cwd = link(c"cwd", &mut self.cwd);
        let flags = found.map_or(0, |found| self.flags_of(found, has_how));
        let wall_ns = clock::realtime_ns();
        let is_created = self.has_made(flags, stat, wall_ns);
        let look = Standing {
            tid,
            pid,
            at_ns: clock::monotonic_ns(),
            wall_ns,
            dev: stat.st_dev,
            ino: stat.st_ino,
            mode: stat.st_mode,
            links: stat.st_nlink,
            is_created,
            call: found.map(|found| found.call),
            given: has_given.then_some(&self.given),
            how: has_how.then_some(&self.how),
            path: self.path.get(..len).unwrap_or_default(),
            root: self.root.get(..root).unwrap_or_default(),
            cwd: self.cwd.get(..cwd).unwrap_or_default(),
        };
        look.write(&mut self.message);
        self.is_seen = true;
        self.file = (stat.st_dev, stat.st_ino);
    }

    /// The process of a task.
    fn process_of(&mut self, proc: &Proc, tid: i32) -> i32 {
        if process::is_thread_of(tid, tid) {
            return tid;
        }
        let status = proc.process(tid);
        let status = status.and_then(|dir| dir.read_piece(c"status", PIECE, &mut self.text));
        let tgid = status.ok().and_then(|()| Status::parse(&self.text).tgid);
        tgid.and_then(|tgid| i32::try_from(tgid).ok()).unwrap_or(0)
    }

    /// The flags of open(2) of a call.
    fn flags_of(&self, found: &Found, has_how: bool) -> u64 {
        const CREAT: u64 = libc::O_CREAT as u64;
        let [flags, ..] = self.how.as_chunks::<8>().0 else { return 0 };
        match found.opening {
            Opening { flags: Some(at), .. } => found.call.arguments.get(*at).copied().unwrap_or(0),
            Opening { how: Some(_), .. } if has_how => u64::from_ne_bytes(*flags),
            Opening { name: "creat", .. } => CREAT,
            _ => 0,
        }
    }

    /// Whether an open with these flags has made the file: it is new and untouched, and no open
    /// before has been told to have made it.
    fn has_made(&mut self, flags: u64, stat: &FileStat, wall_ns: u64) -> bool {
        let has = |flag: i32| flags & u64::from(flag.cast_unsigned()) != 0;
        if !has(libc::O_CREAT) {
            return false;
        }
        let now_ns = i64::try_from(wall_ns).unwrap_or(i64::MAX);
        let changed_ns = stat.st_ctime.saturating_mul(1_000_000_000) + stat.st_ctime_nsec;
        let is_fresh = now_ns.saturating_sub(changed_ns) < FRESH_NS
            && (stat.st_mtime, stat.st_mtime_nsec) == (stat.st_ctime, stat.st_ctime_nsec)
            && stat.st_size == 0
            && stat.st_nlink == 1;
        let file = (stat.st_dev, stat.st_ino, stat.st_ctime, stat.st_ctime_nsec);
        let has_made = has(libc::O_EXCL) || is_fresh && !self.made.has(file);
        if has_made {
            self.made.keep(file);
        }
        has_made
    }
}

fn place_of(tid: i32, call: &StandingCall) -> (i32, u64, u64) {
    let [_, second, ..] = call.arguments;
    (tid, call.stack, second)
}

/// What a task stands in: see [`Openers::find`].
fn found_of(tid: i32, standing: &StandingCall) -> Option<Option<Found>> {
    let abi = match (cfg!(target_arch = "aarch64"), standing.is_narrow()) {
        (true, _) => Abi::Aarch64,
        (false, true) => Abi::I386,
        (false, false) => Abi::X86_64,
    };
    let name = syscall::name(abi, standing.number)?;
    if matches!(name, "execve" | "execveat") {
        return Some(None);
    }
    let opening = OPENINGS.iter().find(|opening| opening.name == name)?;
    let call = Call { abi, number: standing.number, arguments: standing.arguments, result: 0 };
    Some(Some(Found { tid, call, opening }))
}

/// Reads a text that ends in NUL, no longer than a path can be; whether all of it could be read.
fn read_text(tid: i32, address: u64, into: &mut Vec<u8>) -> bool {
    let mut from = address;
    while into.len() < PATH {
        // To the end of the page: the next one need not be there.
        let len = usize::try_from(PAGE - from % PAGE).unwrap_or(PATH).min(PATH - into.len());
        let start = into.len();
        into.resize(start + len, 0);
        let room = into.get_mut(start..).unwrap_or_default();
        let Ok(len) = ptrace::read_memory(tid, from, room) else {
            into.clear();
            return false;
        };
        let read = room.get(..len).unwrap_or_default();
        if let Some(end) = memchr::memchr(0, read) {
            into.truncate(start + end);
            return true;
        }
        into.truncate(start + len);
        from = from.wrapping_add(u64::try_from(len).unwrap_or(PAGE).max(1));
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_read_from_memory_across_pages() {
        let own = process::own_pid();
        let mut memory = vec![b'x'; 3 * 4096];
        let end = memory.len() - 4096;
        memory[end] = 0;
        let start = end - 3000;
        let address = memory[start..].as_ptr().addr();
        let mut text = Vec::new();
        assert!(read_text(own, u64::try_from(address).unwrap(), &mut text));
        assert_eq!(text, vec![b'x'; 3000]);
        text.clear();
        assert!(!read_text(own, 8, &mut text));
    }

    #[test]
    fn the_calls_that_open_are_known_by_architecture() {
        let call = |number, stack| StandingCall { number, arguments: [0; 6], stack };
        let high = 0x7fff_0000_0000;
        if cfg!(target_arch = "x86_64") {
            let found = found_of(1, &call(257, high)).unwrap().unwrap();
            assert_eq!(found.opening.name, "openat");
            let found = found_of(1, &call(5, 0xffff_0000)).unwrap().unwrap();
            assert_eq!(found.opening.name, "open");
            assert!(found_of(1, &call(59, high)).unwrap().is_none());
            assert!(found_of(1, &call(426, high)).is_none());
        }
    }

    #[test]
    fn only_so_many_are_remembered() {
        let mut recent = Recent::new();
        for number in 0..=MEMORY {
            recent.keep(number);
        }
        assert!(!recent.has(0) && recent.has(1) && recent.has(MEMORY));
    }
}
