//! File records from a fanotify(7) notification group.
//!
//! One group marks every mount that can hold files of users or services, of our mount namespace
//! and of others; each event carries an open descriptor, from which path and inode are read, and
//! the process that caused it. An event has succeeded: failed calls are not told.
//!
//! The path is that of the mount namespace; of a process with another root below it (chroot), the
//! root's own path is at its beginning.
//!
//! What it cannot see: device nodes, FIFOs and sockets; creation, deletion and renames; stores
//! through mmap(2). Marks are per mount, so a file that is reached through an overlay is told
//! once, with the path that was used, and never as the file of the layer below.
//!
//! Loss: the kernel queues 16384 events per group and tells of overflow with `FAN_Q_OVERFLOW`. An
//! unlimited queue would make each open walk the whole of it on old kernels.
//!
//! Sources: fanotify_init(2), fanotify_mark(2), fanotify(7); fs/notify/fanotify in the kernel.

use std::io;
use std::os::fd::AsFd;
use std::os::fd::BorrowedFd;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::Duration;

mod ignoring;
mod interest;
pub(super) mod places;
mod rungs;
mod telling;

pub use super::mounts::Mount;
pub use super::mounts::MountChange;
pub use super::mounts::MountState;
pub use super::mounts::Refused;
pub use interest::Interest;
pub use interest::MayMatch;
pub use places::Place;

use super::Drained;
use super::Error;
use super::Hint;
use super::Loss;
use super::LossCause;
use super::Source;
use super::mounts::Mounts;
use super::namespaces::Namespaces;
use crate::decode::Record;
use crate::decode::fanotify::events;
use crate::metrics::METRICS;
use crate::probe::Feature;
use crate::probe::Outcome;
use crate::sys::abi;
use crate::sys::clock;
use crate::sys::fanotify;
use crate::sys::fs;
use crate::sys::process;
use ignoring::Ignoring;
use interest::start_places;
use places::PlaceWatch;

const NAME: &str = "fanotify";

/// Events of one read. Each opens a descriptor until its turn, and the soft limit may be 1024.
const EVENTS_PER_READ: usize = 64;

/// How often other namespaces are looked at for new mounts and for being gone.
const NAMESPACES_INTERVAL: Duration = Duration::from_secs(1);

/// An fdinfo file has a few lines.
const MAX_FDINFO: u64 = 4096;

/// Longest path of a descriptor's link: a page, see d_path() in the kernel.
const PATH_ROOM: usize = 4096;

const HINT: Hint = Hint {
    denied: "the agent lacks CAP_SYS_ADMIN in the initial user namespace: run it as root, or with \
             the shipped systemd unit that grants it; until then no rule about files fires",
    unsupported: "this kernel has no fanotify (CONFIG_FANOTIFY) or refuses it here; until then no \
                  rule about files fires",
    other: "until this is solved no rule about files fires",
};

/// Which events are needed: the kernel is not asked for others.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Wanted {
    /// Opens, execve's own among them (told by `FAN_OPEN_EXEC` where the kernel has it).
    pub opens: bool,
    /// Closes: after an open, they tell its mode.
    pub closes: bool,
    /// The same of directories.
    pub directories: bool,
}

impl Wanted {
    /// Everything.
    pub const ALL: Self = Self { opens: true, closes: true, directories: true };

    /// Whether any event at all is needed.
    #[must_use]
    pub const fn any(self) -> bool {
        self.opens || self.closes
    }

    const fn mask(self) -> u64 {
        let opens = if self.opens { abi::FAN_OPEN | abi::FAN_OPEN_EXEC } else { 0 };
        let closes = if self.closes { abi::FAN_CLOSE_WRITE | abi::FAN_CLOSE_NOWRITE } else { 0 };
        let directories = if self.directories { abi::FAN_ONDIR } else { 0 };
        opens | closes | directories
    }
}

/// A group that watches files; dropping it ends it and its marks.
#[derive(Debug)]
pub struct FileWatch {
    group: OwnedFd,
    links: fs::DescriptorLinks,
    mounts: Mounts,
    namespaces: Namespaces,
    places: Option<PlaceWatch>,
    ignoring: Option<Ignoring>,
    mounts_read_at: Duration,
    namespaces_read_at: Duration,
    mask: u64,
    open_exec: Option<io::Error>,
    deleted_name: Outcome,
    own_pid: i32,
    buffer: Vec<u8>,
    path: Vec<u8>,
    /// When nothing was queued last: an overflow is told behind all that is.
    emptied_at_ns: u64,
}

impl FileWatch {
    /// Makes the group and marks the mounts. Call it in the process that will drain it.
    ///
    /// # Errors
    ///
    /// [`Error::Denied`] without `CAP_SYS_ADMIN`; [`Error::Unsupported`] on a kernel without
    /// fanotify. A mount that cannot be marked is no error: see [`mounts`](Self::mounts).
    pub fn start(wanted: Wanted) -> Result<Self, Error> {
        const WANTED: &str = "cannot watch files";
        let fail = |call| move |source| Error::of(WANTED, call, source, HINT);
        let flags =
            abi::FAN_CLASS_NOTIF | abi::FAN_CLOEXEC | abi::FAN_NONBLOCK | abi::FAN_UNLIMITED_MARKS;
        let event_flags = libc::O_RDONLY | libc::O_LARGEFILE | libc::O_CLOEXEC;
        let group = fanotify::init(flags, event_flags).map_err(fail("fanotify_init"))?;
        let mut watch = Self {
            group,
            links: fs::DescriptorLinks::open().map_err(fail("open(/proc/self/fd)"))?,
            mounts: Mounts::open().map_err(fail("open(/proc/self/mountinfo)"))?,
            namespaces: Namespaces::new().map_err(fail("stat(/proc/self/ns/mnt)"))?,
            places: start_places(flags, event_flags, wanted.mask()),
            ignoring: None,
            mounts_read_at: Duration::ZERO,
            namespaces_read_at: Duration::ZERO,
            mask: wanted.mask(),
            open_exec: None,
            deleted_name: Feature::by_name("deleted-names-kept")
                .map_or_else(|| Outcome::Absent(String::new()), Feature::outcome),
            own_pid: process::own_pid(),
            buffer: vec![0; EVENTS_PER_READ * abi::FAN_EVENT_METADATA_LEN],
            path: vec![0; PATH_ROOM],
            emptied_at_ns: clock::realtime_ns(),
        };
        watch.follow_mounts()?;
        let (namespaces, mark) = watch.namespaces();
        namespaces.note_all(since_boot(), mark);
        Ok(watch)
    }

    /// The descriptor that tells of mounts that came or went: wait for its priority event
    /// (`EPOLLPRI`), then call [`follow_mounts`](Self::follow_mounts).
    #[must_use]
    pub fn mounts_fd(&self) -> BorrowedFd<'_> {
        self.mounts.fd()
    }

    /// Marks the mounts that came.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if the list of mounts cannot be read.
    pub fn follow_mounts(&mut self) -> Result<MountChange, Error> {
        self.mounts_read_at = since_boot();
        let group = self.group.as_fd();
        let mask = &mut self.mask;
        let open_exec = &mut self.open_exec;
        let change = self
            .mounts
            .sync(|path| mark_mount(group, path, mask, open_exec))
            .map_err(|error| Error::of("cannot watch mounts", "read(mountinfo)", error, HINT))?;
        self.look_at_views(change);
        Ok(change)
    }

    /// Marks the mounts of the process's mount namespace, if that is another than ours and new:
    /// call it for each process that is forked or becomes a program. `None` if nothing was to do.
    pub fn follow_process(&mut self, pid: i32) -> Option<MountChange> {
        let (namespaces, mark) = self.namespaces();
        let change = namespaces.note(pid, since_boot(), mark);
        self.look_at_views(change.unwrap_or_default());
        change
    }

    /// Marks mounts that came in other mount namespaces. Call it with each turn of the loop: it
    /// looks once a second.
    pub fn follow_namespaces(&mut self) -> MountChange {
        let now = since_boot();
        if now.saturating_sub(self.namespaces_read_at) < NAMESPACES_INTERVAL {
            return MountChange::default();
        }
        self.namespaces_read_at = now;
        let (namespaces, mark) = self.namespaces();
        let change = namespaces.tick(now, mark);
        self.look_at_views(change);
        self.tick_ignoring(now);
        let others = u64::try_from(self.other_namespaces()).unwrap_or(u64::MAX);
        METRICS.fanotify.namespaces.set(others);
        change
    }

    /// Every mount of our namespace, and whether it is watched.
    pub fn mounts(&self) -> impl Iterator<Item = &Mount> {
        self.mounts.table().values()
    }

    /// Takes the mounts, of any namespace, that the kernel has refused to watch since the last
    /// time; each is told once.
    pub fn take_refused(&mut self) -> impl Iterator<Item = Refused> + use<> {
        self.mounts.take_refused().into_iter().chain(self.namespaces.take_refused())
    }

    /// A process of each mount namespace that came within the last seconds: it may have another
    /// root any moment.
    pub fn newborns(&self) -> impl Iterator<Item = i32> {
        self.namespaces.newborns(since_boot())
    }

    /// How many other mount namespaces are watched.
    #[must_use]
    pub fn other_namespaces(&self) -> usize {
        self.namespaces.len()
    }

    /// Whether the mount namespace of that inode (of `/proc/PID/ns/mnt`) is watched beside ours.
    #[must_use]
    pub fn is_watching_namespace(&self, inode: u64) -> bool {
        self.namespaces.knows(inode)
    }

    /// The other namespaces, and what marks a mount.
    fn namespaces(&mut self) -> (&mut Namespaces, impl FnMut(&Path) -> io::Result<()>) {
        let group = self.group.as_fd();
        let mask = &mut self.mask;
        let open_exec = &mut self.open_exec;
        (&mut self.namespaces, move |path: &Path| mark_mount(group, path, mask, open_exec))
    }

    /// Hands on what one read returned; the cause of a loss that it tells of.
    fn read(
        &mut self,
        from: Group,
        sink: &mut dyn FnMut(Record<'_>),
        tally: &mut Tally,
    ) -> Result<(), io::Error> {
        let group = match (from, &self.places) {
            (Group::Places, Some(places)) => places.fd().unwrap_or_else(|| self.group.as_fd()),
            _ => self.group.as_fd(),
        };
        let mut buffer = std::mem::take(&mut self.buffer);
        let result = fanotify::read(group, &mut buffer);
        let now_ns = clock::realtime_ns();
        if let Ok(len) = result {
            for event in events(buffer.get(..len).unwrap_or_default()) {
                match event {
                    Ok(event) if event.is_overflow() => tally.overflowed = true,
                    Ok(event) => {
                        tally.events += 1;
                        tally.unopened += u64::from(self.tell(event, from, now_ns, sink));
                    }
                    Err(_) => METRICS.fanotify.malformed.increment(),
                }
            }
        }
        self.buffer = buffer;
        result.map(drop)
    }

    /// Drains one group; whether more may wait there.
    fn drain_one(
        &mut self,
        from: Group,
        budget: usize,
        sink: &mut dyn FnMut(Record<'_>),
        tally: &mut Tally,
    ) -> Result<bool, Error> {
        while tally.events < budget {
            match self.read(from, sink, tally) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) if is_broken(&error) => {
                    return Err(Error::of("cannot read file events", "read", error, HINT));
                }
                // The first event's file could not be opened, and the event is gone.
                Err(_) => {
                    tally.events += 1;
                    tally.unopened += 1;
                }
            }
        }
        Ok(true)
    }

    fn loss(&self, tally: &Tally, now_ns: u64) -> Option<Loss> {
        if !tally.overflowed && tally.unopened == 0 {
            return None;
        }
        METRICS.fanotify.losses.increment();
        METRICS.fanotify.lost.add(tally.unopened + u64::from(tally.overflowed));
        Some(Loss {
            source: NAME,
            cause: if tally.overflowed { LossCause::QueueOverflow } else { LossCause::Unopened },
            count: (!tally.overflowed).then_some(tally.unopened),
            since_ns: self.emptied_at_ns,
            until_ns: now_ns,
        })
    }
}

/// Which group an event came from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Group {
    /// The one that watches mounts.
    Mounts,
    /// The one that watches directories that rules name.
    Places,
}

/// What one drain came to.
#[derive(Debug, Default)]
struct Tally {
    events: usize,
    unopened: u64,
    overflowed: bool,
}

impl Source for FileWatch {
    fn name(&self) -> &'static str {
        NAME
    }

    fn fd(&self) -> BorrowedFd<'_> {
        self.group.as_fd()
    }

    fn drain(&mut self, budget: usize, sink: &mut dyn FnMut(Record<'_>)) -> Result<Drained, Error> {
        let mut tally = Tally::default();
        self.follow_places();
        // What the second group tells of a file that is still told of by the first is left to
        // that: so it is read before a file can be ignored.
        let mut more =
            self.places.is_some() && self.drain_one(Group::Places, budget, sink, &mut tally)?;
        more |= self.drain_one(Group::Mounts, budget, sink, &mut tally)?;
        if let Some(ignoring) = self.ignoring.as_mut().filter(|_| !more) {
            ignoring.end_round();
        }
        let now_ns = clock::realtime_ns();
        let loss = self.loss(&tally, now_ns);
        if !more {
            self.emptied_at_ns = now_ns;
        }
        Ok(Drained { more, loss })
    }
}

/// A moment to measure spans with.
fn since_boot() -> Duration {
    Duration::from_nanos(clock::monotonic_ns())
}

/// Whether `path` is `directory` or below it.
fn is_below(path: &[u8], directory: &[u8]) -> bool {
    directory == b"/"
        || path.strip_prefix(directory).is_some_and(|rest| matches!(rest, [] | [b'/', ..]))
}

/// Whether a failed read is about the group itself and not about one event's file.
fn is_broken(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EBADF | libc::EFAULT | libc::EINVAL))
}

/// Marks one mount; a kernel without `FAN_OPEN_EXEC` is asked without it from then on.
fn mark_mount(
    group: BorrowedFd<'_>,
    path: &Path,
    mask: &mut u64,
    open_exec: &mut Option<io::Error>,
) -> io::Result<()> {
    let flags = abi::FAN_MARK_ADD | abi::FAN_MARK_MOUNT;
    match fanotify::mark(group, flags, *mask, path) {
        Err(error)
            if error.raw_os_error() == Some(libc::EINVAL) && *mask & abi::FAN_OPEN_EXEC != 0 =>
        {
            let without = *mask & !abi::FAN_OPEN_EXEC;
            fanotify::mark(group, flags, without, path)?;
            *mask = without;
            *open_exec = Some(error);
            Ok(())
        }
        result => result,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_wanted_is_asked_for() {
        let opens = Wanted { opens: true, closes: false, directories: false };
        assert_eq!(opens.mask(), abi::FAN_OPEN | abi::FAN_OPEN_EXEC);
        let closes = Wanted { opens: false, closes: true, directories: true };
        let mask = abi::FAN_CLOSE_WRITE | abi::FAN_CLOSE_NOWRITE | abi::FAN_ONDIR;
        assert_eq!(closes.mask(), mask);
    }
}
