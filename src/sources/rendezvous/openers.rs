//! Looks at tasks that open what rules name: by which call, with which arguments.
//!
//! The call is that of the task itself, from its file `syscall`; what its arguments point to is
//! read from its memory. While it stands nothing of this changes, unless another thread of its
//! process writes there.
//!
//! That somebody stands in an open doesn't say that it will succeed: another listener may deny it,
//! or the file system. When it has, the same marks tell so (`FAN_OPEN`), in the same queue and so
//! before the next open of that task. Where the kernel names processes only (before 4.20), opens of
//! one file by several threads of a process at the same moment have one result.
//!
//! Not told: opens by execve(2), which are no events; and opens by other ways than open(2) and its
//! kin (io_uring, for one): then there is only the file.
//!
//! Sources: proc_pid_syscall(5), process_vm_readv(2); fs/notify/fanotify in the kernel.

use std::io;
use std::os::fd::BorrowedFd;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use nix::sys::stat::FileStat;

use super::finder::Finder;
use super::finder::Found;
use super::finder::Opening;
use super::finder::Recent;
use super::finder::process_of;
use super::named::Named;
use super::ring::Writer;
use crate::decode::fanotify::FileEvent;
use crate::metrics::METRICS;
use crate::procfs::Proc;
use crate::procfs::standing::MAX_BYTES;
use crate::procfs::standing::Stage;
use crate::procfs::standing::Standing;
use crate::sys::abi;
use crate::sys::clock;
use crate::sys::fanotify;
use crate::sys::fs::DescriptorLinks;
use crate::sys::poll::Bell;
use crate::sys::poll::FarBell;
use crate::sys::ptrace;

/// Longest path: `PATH_MAX` in linux/limits.h.
pub(super) const PATH: usize = 4096;

/// Room for `stat`, `status` and `syscall`.
pub(super) const PIECE: usize = 8 << 10;

/// How old a file may be that an open has just made, in nanoseconds: as long as an open may wait,
/// and the tick of a slow clock. One that was made by other means so shortly before, and is opened
/// with `O_CREAT`, is taken for made by the open: the kernel doesn't tell.
const FRESH_NS: i64 = 100_000_000;

/// What it has for that, made once.
#[derive(Debug)]
pub(super) struct Openers {
    inbox: Writer,
    untold: Option<Writer>,
    /// Wakes the agent's loop: as it is known there, and by a descriptor of the thread's own.
    far_bell: FarBell,
    bell: Option<Arc<Bell>>,
    links: Option<DescriptorLinks>,
    named: Named,
    finder: Finder,
    /// Files can be ignored without being held in memory (5.19).
    can_ignore: bool,
    path: Vec<u8>,
    how: [u8; 24],
    root: Vec<u8>,
    cwd: Vec<u8>,
    text: Vec<u8>,
    message: Vec<u8>,
    is_seen: bool,
    /// The file that was seen: device and inode.
    file: (u64, u64),
    /// Whom the kernel has named.
    opener: i32,
    /// Files that were made by an open that was told: device, inode, change time.
    made: Recent<(u64, u64, i64, i64)>,
}

impl Openers {
    /// Tells `inbox` what it sees; `untold`: for the answerer.
    pub(super) fn new(
        (inbox, untold): (Writer, Writer),
        far_bell: FarBell,
        named: Named,
        has_tid: bool,
    ) -> Self {
        Self {
            inbox,
            untold: Some(untold),
            far_bell,
            bell: None,
            links: None,
            named,
            finder: Finder::new(has_tid),
            can_ignore: true,
            path: vec![0; PATH + 1],
            how: [0; 24],
            root: vec![0; PATH + 1],
            cwd: vec![0; PATH + 1],
            text: Vec::with_capacity(PIECE),
            message: Vec::with_capacity(MAX_BYTES),
            is_seen: false,
            file: (0, 0),
            opener: 0,
            made: Recent::new(),
        }
    }

    /// Finds the calling thread's own descriptors.
    pub(super) fn settle(&mut self) -> io::Result<()> {
        self.links = Some(DescriptorLinks::open_of_thread()?);
        Ok(())
    }

    /// For the answerer: what it tells by.
    pub(super) fn take_untold(&mut self) -> Option<(Writer, Arc<Bell>)> {
        Some((self.untold.take()?, Arc::clone(self.bell.as_ref()?)))
    }

    /// The number of the bell's descriptor in the agent's table.
    pub(super) const fn bell_number(&self) -> i32 {
        self.far_bell.number()
    }

    /// Takes the bell's descriptor in the calling thread's own table.
    pub(super) fn take_bell(&mut self, fd: OwnedFd) {
        self.bell = Some(Arc::new(self.far_bell.with(fd)));
    }

    fn ring(&self) {
        if let Some(bell) = &self.bell {
            bell.ring();
        }
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
        self.opener = event.pid;
        match self.finder.find(proc, event.pid, path) {
            Some(Some(found)) => self.note(&found, &stat, len, proc),
            // It is execve's own open.
            Some(None) => {}
            None => {
                self.file = (stat.st_dev, stat.st_ino);
                unseen(self.file).write(&mut self.message);
                self.is_seen = true;
            }
        }
    }

    /// Tells what was seen, if the task has stood still until now; else, that nobody has seen it.
    pub(super) fn tell(&mut self, has_stood: bool) {
        if !std::mem::take(&mut self.is_seen) {
            return;
        }
        if !has_stood {
            unseen(self.file).write(&mut self.message);
            self.ring();
        }
        if self.inbox.write(&self.message) {
            METRICS.rendezvous.opens.increment();
        } else {
            METRICS.rendezvous.dropped.increment();
        }
    }

    /// Tells that an open has succeeded.
    pub(super) fn done(&mut self, event: FileEvent, fd: BorrowedFd<'_>) {
        let Ok(stat) = nix::sys::stat::fstat(fd) else { return };
        done_of(event, (stat.st_dev, stat.st_ino)).write(&mut self.message);
        if !self.inbox.write(&self.message) {
            METRICS.rendezvous.dropped.increment();
        }
        self.ring();
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
        let mask = abi::FAN_OPEN_PERM | abi::FAN_OPEN;
        if let Err(error) = fanotify::mark_fd(group, FLAGS, mask, fd) {
            self.can_ignore = error.raw_os_error() != Some(libc::EINVAL);
        }
    }

    fn read_how(&mut self, found: &Found) -> bool {
        let address = found.opening.how.and_then(|at| found.call.arguments.get(at));
        let Some(&address) = address else { return false };
        ptrace::read_memory(found.tid, address, &mut self.how).is_ok_and(|len| len == 24)
    }

    /// Puts down what was seen.
    fn note(&mut self, found: &Found, stat: &FileStat, len: usize, proc: &Proc) {
        let tid = found.tid;
        let pid = process_of(proc, tid, &mut self.text);
        let has_given = self.finder.read_given(found);
        let has_how = self.read_how(found);
        let directory = proc.process(tid);
        let link = |name, into: &mut Vec<u8>| {
            let dir = directory.as_ref().ok();
            dir.and_then(|dir| dir.link(name, into).ok()).map_or(0, <[u8]>::len)
        };
        let root = link(c"root", &mut self.root);
        let cwd = link(c"cwd", &mut self.cwd);
        let flags = self.flags_of(found, has_how);
        let wall_ns = clock::realtime_ns();
        let is_created = self.has_made(flags, stat, wall_ns);
        let look = Standing {
            stage: Stage::Standing,
            opener: self.opener,
            tid,
            pid,
            at_ns: clock::monotonic_ns(),
            wall_ns,
            dev: stat.st_dev,
            ino: stat.st_ino,
            mode: stat.st_mode,
            links: stat.st_nlink,
            is_created,
            call: Some(found.call),
            given: has_given.then_some(&self.finder.given),
            how: has_how.then_some(&self.how),
            path: self.path.get(..len).unwrap_or_default(),
            root: self.root.get(..root).unwrap_or_default(),
            cwd: self.cwd.get(..cwd).unwrap_or_default(),
        };
        look.write(&mut self.message);
        self.is_seen = true;
        self.file = (stat.st_dev, stat.st_ino);
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

/// That nobody has looked at an open of a file.
pub(super) fn unseen((dev, ino): (u64, u64)) -> Standing<'static> {
    Standing { dev, ino, ..Standing::default() }
}

/// That an open of a file has succeeded.
pub(super) fn done_of(event: FileEvent, (dev, ino): (u64, u64)) -> Standing<'static> {
    let at_ns = clock::monotonic_ns();
    Standing { stage: Stage::Done, opener: event.pid, at_ns, dev, ino, ..Standing::default() }
}
