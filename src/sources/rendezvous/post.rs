//! A permission group with its two threads, and the guardian's share in it.

use std::io;
use std::os::fd::AsFd;
use std::os::fd::AsRawFd;
use std::os::fd::BorrowedFd;
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

use super::BATCH;
use super::DEADLINE;
use super::END;
use super::OLD_DEADLINE;
use super::answerer;
use super::fail;
use super::looker::Looker;
use super::looker::Watching;
use crate::probe::Feature;
use crate::sources::Error;
use crate::sources::Guardian;
use crate::sources::guardian::Ward;
use crate::sys::abi;
use crate::sys::clock;
use crate::sys::fanotify;

/// What looker and answerer both see.
#[derive(Debug)]
pub(super) struct Shared {
    /// Numbers of the events that are being looked at and not answered; negative: free.
    pub(super) waiting: [AtomicI32; BATCH],
    /// When the looker read these, in nanoseconds since boot; zero: it has nothing to do.
    pub(super) since_ns: AtomicU64,
    /// How long opens may wait.
    pub(super) deadline: Duration,
    /// The answerer's alarm is set.
    pub(super) is_armed: AtomicBool,
    /// The looker has ended.
    pub(super) is_blind: AtomicBool,
    /// Both are asked to end.
    pub(super) should_end: AtomicBool,
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

    /// How long ago the looker has read what it looks at.
    pub(super) fn age(&self) -> Duration {
        let since_ns = self.since_ns.load(Ordering::Acquire);
        Duration::from_nanos(clock::monotonic_ns().saturating_sub(since_ns))
    }

    /// Takes one event over, so that the other thread doesn't answer it, too.
    pub(super) fn claim(&self, place: usize) -> Option<i32> {
        let number = self.waiting.get(place)?.swap(-1, Ordering::AcqRel);
        (number >= 0).then_some(number)
    }
}

/// Both threads and their group; dropping it ends them and the marks.
#[derive(Debug)]
pub(super) struct Post {
    group: Option<OwnedFd>,
    shared: Arc<Shared>,
    ended: mpsc::Receiver<()>,
    ward: Ward,
}

impl Post {
    /// Makes group and threads, and entrusts the group to the guardian; nothing is marked yet.
    /// `more`: flags for the group, beside those that every one has.
    pub(super) fn start(
        guardian: &mut Guardian,
        ward: Ward,
        proc: &Path,
        more: u32,
        watching: Watching,
    ) -> Result<Self, Error> {
        let flags = abi::FAN_CLASS_CONTENT | abi::FAN_CLOEXEC | abi::FAN_NONBLOCK;
        let flags = flags | abi::FAN_UNLIMITED_MARKS | more;
        let event_flags = libc::O_RDONLY | libc::O_LARGEFILE | libc::O_CLOEXEC;
        let group = fanotify::init(flags, event_flags).map_err(fail("fanotify_init"))?;
        let shared = Arc::new(Shared::new(deadline()));
        guardian.entrust(ward, group.as_fd(), b"")?;
        let started = start_threads(&group, &shared, (guardian, ward, proc), watching);
        let ended = started.inspect_err(|_| guardian.release(ward))?;
        Ok(Self { ended, group: Some(group), shared, ward })
    }

    /// The group, unless it has ended.
    pub(super) fn group(&self) -> Option<BorrowedFd<'_>> {
        self.group.as_ref().map(AsFd::as_fd)
    }

    /// Ends it: nobody waits for us from here on.
    pub(super) fn end(&mut self, guardian: &mut Guardian) {
        self.let_go();
        guardian.release(self.ward);
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

impl Drop for Post {
    fn drop(&mut self) {
        self.let_go();
    }
}

fn deadline() -> Duration {
    if Feature::is_present("fanotify-open-exec") { DEADLINE } else { OLD_DEADLINE }
}

/// Starts looker and answerer, and waits until they have their own descriptors.
fn start_threads(
    group: &OwnedFd,
    shared: &Arc<Shared>,
    (guardian, ward, proc): (&Guardian, Ward, &Path),
    watching: Watching,
) -> Result<mpsc::Receiver<()>, Error> {
    let heart = guardian.heart(ward);
    let group = group.as_raw_fd();
    let shared = Arc::clone(shared);
    let proc = proc.to_owned();
    let (sender, ended) = mpsc::channel();
    let (ready, started) = mpsc::channel();
    let body = move || {
        let parts = Looker::start(group, watching, &shared, &proc);
        let parts = parts.and_then(|mut looker| {
            let answerer = answerer::start(&mut looker, heart)?;
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
