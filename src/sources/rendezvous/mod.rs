//! The rendezvous: what a program is, read while it stands still.
//!
//! A dynamically linked program opens the loader's cache (`/etc/ld.so.cache`; where there is none,
//! its `libc.so.6`) as its first act, by a plain open after its exec has succeeded. A permission
//! mark on that file makes it wait there for our answer: its arguments, environment, directory and
//! user are read from a process that can't end. The answer is always ALLOW.
//!
//! Whoever waits for us must not wait long, whatever happens to us, so:
//!
//! * One thread reads events and looks, another answers if that isn't done by its [`DEADLINE`]:
//!   on old kernels a look at a task that opens for exec blocks until it is answered.
//! * Both have a descriptor table of their own: nobody can use their numbers up, so that reading an
//!   event can't fail for want of one (which would deny the open). Their numbers are low ones.
//! * They open nothing but files below /proc, write no log, allocate nothing but once, and take no
//!   lock that another thread has. Looks are sent as messages that are dropped if there is no room.
//! * Opens of the agent itself are answered first and not looked at.
//! * The [guardian](super::guardian) stands in if the agent is stopped or dies.
//!
//! What it can't see: static programs, and those whose loader isn't glibc's; programs of a
//! container in the first moments after it came up. Those are read from /proc after their exec, as
//! without a rendezvous.
//!
//! Sources: fanotify(7), ld.so(8); fs/notify/fanotify in the kernel.

mod answerer;
mod looker;
mod roots;

use std::io;
use std::os::fd::AsFd;
use std::os::fd::AsRawFd;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicI32;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use super::Error;
use super::Guardian;
use super::Hint;
use super::Loss;
use super::LossCause;
use super::guardian::Ward;
use crate::metrics::METRICS;
use crate::probe::Feature;
use crate::probe::Outcome;
use crate::procfs::taken::MAX_BYTES;
use crate::procfs::taken::Taken;
use crate::sys::abi;
use crate::sys::channel;
use crate::sys::clock;
use crate::sys::fanotify;

use roots::Roots;

/// How long opens may wait for a look.
pub const DEADLINE: Duration = Duration::from_millis(50);

/// The same on kernels where a look can block until it is answered (those without
/// `FAN_OPEN_EXEC`, before 5.0): such an open keeps all waiting.
pub const OLD_DEADLINE: Duration = Duration::from_millis(5);

/// Events that are read at a time: each holds a descriptor, and waits for those before it.
const BATCH: usize = 4;

/// About how many bytes of looks may wait for the agent's loop.
const ROOM: i32 = 8 << 20;

/// How long the end of the threads is awaited.
const END: Duration = Duration::from_secs(2);

const HINT: Hint = Hint {
    denied: "the agent lacks CAP_SYS_ADMIN in the initial user namespace; programs are read after \
             their exec, so those that end at once have fields missing",
    unsupported: "this kernel has no permission events (CONFIG_FANOTIFY_ACCESS_PERMISSIONS); \
                  programs are read after their exec, so those that end at once have fields missing",
    other: "programs are read after their exec, so those that end at once have fields missing",
};

fn fail(call: &'static str) -> impl FnOnce(io::Error) -> Error {
    move |source| Error::of("cannot meet programs at their start", call, source, HINT)
}

/// What looker and answerer both see.
#[derive(Debug)]
struct Shared {
    /// Numbers of the events that are being looked at and not answered; negative: free.
    waiting: [AtomicI32; BATCH],
    /// When the looker read these, in nanoseconds since boot; zero: it has nothing to do.
    since_ns: AtomicU64,
    /// How long opens may wait.
    deadline: Duration,
    /// The answerer's alarm is set.
    is_armed: AtomicBool,
    /// The looker has ended.
    is_blind: AtomicBool,
    /// Both are asked to end.
    should_end: AtomicBool,
}

impl Shared {
    const fn new(deadline: Duration) -> Self {
        Self {
            deadline,
            waiting: [const { AtomicI32::new(-1) }; BATCH],
            since_ns: AtomicU64::new(0),
            is_armed: AtomicBool::new(false),
            is_blind: AtomicBool::new(false),
            should_end: AtomicBool::new(false),
        }
    }

    /// Takes one event over, so that the other thread doesn't answer it, too.
    fn claim(&self, place: usize) -> Option<i32> {
        let number = self.waiting.get(place)?.swap(-1, Ordering::AcqRel);
        (number >= 0).then_some(number)
    }
}

/// The rendezvous, seen from the agent's loop; dropping it ends it and its marks.
#[derive(Debug)]
pub struct Rendezvous {
    group: Option<OwnedFd>,
    shared: Arc<Shared>,
    roots: Roots,
    ended: mpsc::Receiver<()>,
    failed_reads: u64,
    checked_at_ns: u64,
}

/// Where looks come from.
#[derive(Debug)]
pub struct Inbox {
    socket: OwnedFd,
    buffer: Vec<u8>,
}

impl Inbox {
    /// The next look that has come.
    pub fn next_look(&mut self) -> Option<Taken> {
        let (len, _) = channel::receive(self.socket.as_fd(), &mut self.buffer).ok()?;
        Taken::parse(self.buffer.get(..len).unwrap_or_default())
    }
}

impl Rendezvous {
    /// Makes group and threads, entrusts the group to the guardian, and only then marks.
    ///
    /// # Errors
    ///
    /// [`Error::Denied`] without `CAP_SYS_ADMIN`; [`Error::Unsupported`] on a kernel without
    /// permission events; [`Error::Io`] if there is no file to mark, or no guardian.
    pub fn start(guardian: &mut Guardian) -> Result<(Self, Inbox), Error> {
        Self::start_at(guardian, Path::new("/proc"), Path::new("/"))
    }

    /// The same with another directory of processes, and another root to begin with.
    ///
    /// # Errors
    ///
    /// As above.
    pub fn start_at(
        guardian: &mut Guardian,
        proc: &Path,
        root: &Path,
    ) -> Result<(Self, Inbox), Error> {
        let flags = abi::FAN_CLASS_CONTENT | abi::FAN_CLOEXEC | abi::FAN_NONBLOCK;
        let flags = flags | abi::FAN_UNLIMITED_MARKS;
        let event_flags = libc::O_RDONLY | libc::O_LARGEFILE | libc::O_CLOEXEC;
        let group = fanotify::init(flags, event_flags).map_err(fail("fanotify_init"))?;
        let (ours, theirs) = channel::pair().map_err(fail("socketpair"))?;
        channel::make_room(theirs.as_fd(), ROOM);
        let shared = Arc::new(Shared::new(deadline()));
        guardian.entrust(Ward::InodeGroup, group.as_fd(), b"")?;
        let mut rendezvous = Self {
            ended: start_threads(&group, &theirs, &shared, (guardian, proc))?,
            group: Some(group),
            shared,
            roots: Roots::of(root),
            failed_reads: 0,
            checked_at_ns: clock::realtime_ns(),
        };
        drop(theirs);
        let Some(group) = &rendezvous.group else { return Err(no_file()) };
        if let Err(error) = rendezvous.roots.mark_own(group.as_fd()) {
            rendezvous.end(guardian);
            return Err(fail("fanotify_mark")(error));
        }
        Ok((rendezvous, Inbox { socket: ours, buffer: vec![0; MAX_BYTES] }))
    }

    /// Marks the files of the root that a process has, if that is another than those known: call
    /// it for each process that has become a program.
    pub fn follow(&mut self, pid: i32) {
        if let Some(group) = &self.group {
            self.roots.follow(group.as_fd(), pid);
        }
    }

    /// Does so for all processes that there are.
    pub fn follow_all(&mut self) {
        for pid in crate::procfs::pids() {
            self.follow(pid);
        }
    }

    /// Marks again what may have been replaced, and tells what was lost. Call it each second.
    pub fn tick(&mut self) -> Option<Loss> {
        if let Some(group) = &self.group {
            self.roots.tick(group.as_fd());
            METRICS.rendezvous.roots.set(u64::try_from(self.roots.len()).unwrap_or(u64::MAX));
        }
        let failed = METRICS.rendezvous.refused.get();
        let since_ns = std::mem::replace(&mut self.checked_at_ns, clock::realtime_ns());
        let before = std::mem::replace(&mut self.failed_reads, failed);
        (failed > before).then(|| Loss {
            source: "rendezvous",
            cause: LossCause::Unopened,
            count: Some(failed - before),
            since_ns,
            until_ns: self.checked_at_ns,
        })
    }

    /// How many roots with a loader's cache, or a C library, are marked.
    #[must_use]
    pub fn roots(&self) -> usize {
        self.roots.len()
    }

    /// Ends it: nobody waits for us from here on.
    pub fn end(&mut self, guardian: &mut Guardian) {
        self.let_go();
        guardian.release(Ward::InodeGroup);
    }

    fn let_go(&mut self) {
        if self.group.is_none() {
            return;
        }
        self.shared.should_end.store(true, Ordering::Release);
        // If a thread doesn't end it has a descriptor of the group; then the guardian has, too,
        // until the process ends.
        let _ = self.ended.recv_timeout(END);
        self.group = None;
    }
}

impl Drop for Rendezvous {
    fn drop(&mut self) {
        self.let_go();
    }
}

fn deadline() -> Duration {
    match Feature::by_name("fanotify-open-exec").map(Feature::outcome) {
        Some(Outcome::Present) => DEADLINE,
        _ => OLD_DEADLINE,
    }
}

fn no_file() -> Error {
    fail("fanotify_mark")(io::Error::from_raw_os_error(libc::ENOENT))
}

/// Starts looker and answerer, and waits until they have their own descriptors.
fn start_threads(
    group: &OwnedFd,
    inbox: &OwnedFd,
    shared: &Arc<Shared>,
    (guardian, proc): (&Guardian, &Path),
) -> Result<mpsc::Receiver<()>, Error> {
    let heart = guardian.heart(Ward::InodeGroup);
    let (group, inbox) = (group.as_raw_fd(), inbox.as_raw_fd());
    let shared = Arc::clone(shared);
    let proc = proc.to_owned();
    let (sender, ended) = mpsc::channel();
    let (ready, started) = mpsc::channel();
    let body = move || {
        let parts = looker::Looker::start(group, inbox, &shared, &proc);
        let parts = parts.and_then(|looker| {
            let answerer = answerer::start(&looker, heart)?;
            Ok((looker, answerer))
        });
        match parts {
            Ok((looker, answerer)) => {
                let _ = ready.send(Ok(()));
                looker.run();
                let _ = answerer.join();
            }
            Err(error) => {
                let _ = ready.send(Err(error));
            }
        }
        let _ = sender.send(());
    };
    let spawned = thread::Builder::new().name("looker".to_owned()).spawn(body);
    spawned.map_err(fail("clone"))?;
    match started.recv() {
        Ok(Ok(())) => Ok(ended),
        Ok(Err(error)) => Err(fail("unshare")(error)),
        Err(_) => Err(fail("unshare")(io::Error::other("the thread ended"))),
    }
}
