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
//!   lock that another thread has. Looks go into a ring of memory; without room they are dropped.
//! * Opens of the agent itself are answered first and not looked at.
//! * The [guardian](super::guardian) stands in if the agent is stopped or dies.
//!
//! In the same way tasks are met that open what rules name (see `opens.rs`), and those that become
//! programs which need no such loader (see `execs.rs`), each in a group of its own.
//!
//! What it can't see: programs of a container in the first moments after it came up. Those are read
//! from /proc after their exec, as without a rendezvous.
//!
//! Sources: fanotify(7), ld.so(8); fs/notify/fanotify in the kernel.

mod answerer;
mod callers;
mod execs;
mod finder;
mod inbox;
mod looker;
mod memory;
mod named;
mod named_file;
mod often;
mod openers;
mod opens;
mod post;
mod programs;
mod ring;
mod roots;
mod scripts;

use std::io;
use std::path::Path;
use std::time::Duration;

use super::Error;
use super::Guardian;
use super::Hint;
use super::Loss;
use super::LossCause;
use super::guardian::Ward;
use crate::metrics::METRICS;
use crate::procfs::taken::MAX_BYTES;
use crate::procfs::taken::Taken;
use crate::sys::clock;

pub use execs::ExecRendezvous;
pub use inbox::News;
pub use inbox::OpenInbox;
pub use opens::OpenRendezvous;

use looker::Watching;
use post::Post;
use post::Shared;
use programs::Programs;
use roots::Roots;

/// How long opens may wait for a look.
pub const DEADLINE: Duration = Duration::from_millis(50);

/// The same on kernels where a look can block until it is answered (those without
/// `FAN_OPEN_EXEC`, before 5.0): such an open keeps all waiting.
pub const OLD_DEADLINE: Duration = Duration::from_millis(5);

/// Events that are read at a time: each holds a descriptor, and waits for those before it.
const BATCH: usize = 4;

/// About how many bytes of looks may wait for the agent's loop.
const ROOM: usize = 2 << 20;

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

/// The rendezvous with programs, seen from the agent's loop; dropping it ends it and its marks.
#[derive(Debug)]
pub struct Rendezvous {
    post: Post,
    roots: Roots,
    failed_reads: u64,
    checked_at_ns: u64,
}

/// Where looks come from.
#[derive(Debug)]
pub struct Inbox {
    looks: ring::Reader,
    buffer: Vec<u8>,
}

impl Inbox {
    /// The next look that has come.
    pub fn next_look(&mut self) -> Option<Taken> {
        if self.looks.read(&mut self.buffer) { Taken::parse(&self.buffer) } else { None }
    }
}

impl Rendezvous {
    /// Makes group and threads, entrusts the group to the guardian, and only then marks the files
    /// of `root`. `proc`: the directory of processes.
    ///
    /// # Errors
    ///
    /// [`Error::Denied`] without `CAP_SYS_ADMIN`; [`Error::Unsupported`] on a kernel without
    /// permission events; [`Error::Io`] if there is no file to mark, or no guardian.
    pub fn start_at(
        guardian: &mut Guardian,
        proc: &Path,
        root: &Path,
    ) -> Result<(Self, Inbox), Error> {
        let (writer, reader) = ring::ring(ROOM);
        let watching = Watching::Programs(Box::new(Programs::new(writer)));
        let post = Post::start(guardian, Ward::InodeGroup, proc, 0, watching)?;
        let mut rendezvous = Self {
            post,
            roots: Roots::of(root),
            failed_reads: 0,
            checked_at_ns: clock::realtime_ns(),
        };
        let Some(group) = rendezvous.post.group() else { return Err(no_file()) };
        if let Err(error) = rendezvous.roots.mark_own(group) {
            rendezvous.end(guardian);
            return Err(fail("fanotify_mark")(error));
        }
        Ok((rendezvous, Inbox { looks: reader, buffer: Vec::with_capacity(MAX_BYTES) }))
    }

    /// Marks the files of the root that a process has, if that is another than those known: call
    /// it for each process that has become a program.
    pub fn follow(&mut self, pid: i32) {
        if let Some(group) = self.post.group() {
            self.roots.follow(group, pid);
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
        if let Some(group) = self.post.group() {
            self.roots.tick(group);
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
        self.post.end(guardian);
    }
}

fn no_file() -> Error {
    fail("fanotify_mark")(io::Error::from_raw_os_error(libc::ENOENT))
}
