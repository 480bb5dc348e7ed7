//! The guardian: a small process that answers for the agent when the agent doesn't.
//!
//! Two kernel interfaces make others wait for whoever listens: a task under a fanotify permission
//! mark stands still until it is answered, and a full audit socket stalls audited calls. If the
//! agent is stopped, loops, or is dead while another process holds the descriptor, the host would
//! stand still with it. The guardian shares those descriptors; it takes over when a listener's
//! heart has not beaten for [`STILL`], steps back when it beats again, and when the agent is dead
//! it closes all and undoes what the agent has left in the kernel.
//!
//! How to use it:
//!
//! 1. [`Guardian::start`] forks it before any thread exists. It outlives `SIGTERM`, and ends with
//!    the agent: silently after [`Guardian::retire`], else with a note for the next start.
//! 2. [`Guardian::entrust`] hands a descriptor over, by `SCM_RIGHTS`; again, to hand over another
//!    or to replace the farewell. For [`Ward::AuditSocket`] the farewell is netlink messages, one
//!    behind the other, that undo what was done (`AUDIT_DEL_RULE` …): sent if the agent dies.
//! 3. Whoever reads that descriptor calls [`Heart::beat`] at least every 100 ms, from the thread
//!    that reads and from no other, or else the heart says nothing.
//! 4. [`Guardian::fd`] becomes readable when the guardian dies: call [`Guardian::look_after`] then,
//!    and each second. It makes a new one, or fails: then the descriptors must be closed at once.
//! 5. [`Guardian::losses`] tells what happened while it stood in.
//!
//! Answers go by number alone (see `fanotify(7)` and `process_access_response` in the kernel): what
//! the agent has read and not answered is answered by trying the numbers. Every answer is ALLOW, so
//! one too many does no harm.

mod note;
mod process;

use std::io;
use std::os::fd::AsFd;
use std::os::fd::AsRawFd;
use std::os::fd::BorrowedFd;
use std::os::fd::OwnedFd;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::Error;
use super::Hint;
use super::Loss;
use super::LossCause;
use crate::sys::channel;
use crate::sys::child;
use crate::sys::clock;
use crate::sys::process as own_process;
use crate::sys::shared;

/// How long a heart may stand still.
pub const STILL: Duration = Duration::from_millis(500);

/// The longest farewell, in bytes: a message of this size passes with the default limits.
pub const MAX_FAREWELL: usize = 128 << 10;

const HINT: Hint = Hint {
    denied: "what could make others wait for the agent is not used",
    unsupported: "what could make others wait for the agent is not used",
    other: "what could make others wait for the agent is not used",
};

/// What the guardian watches over.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Ward {
    /// A permission group that watches inodes.
    InodeGroup,
    /// A permission group that watches directories.
    DirectoryGroup,
    /// The netlink socket that holds audit's seat.
    AuditSocket,
    /// A permission group that watches mounts, for the opens of execve(2) alone.
    MountGroup,
}

impl Ward {
    const ALL: [Self; 4] =
        [Self::InodeGroup, Self::DirectoryGroup, Self::AuditSocket, Self::MountGroup];

    const fn place(self) -> usize {
        self as usize
    }

    /// Its name in messages and metrics.
    const fn source(self) -> &'static str {
        match self {
            Self::InodeGroup | Self::DirectoryGroup | Self::MountGroup => "rendezvous",
            Self::AuditSocket => "audit",
        }
    }
}

/// What agent and guardian both see.
#[derive(Clone, Copy, Debug)]
struct Shared(&'static [AtomicU64]);

/// Words of each ward in [`Shared`].
const WORDS: usize = 4;
const BEATS: usize = 0;
/// Events answered, or messages read, in the agent's place since it last asked.
const COUNT: usize = 1;
/// Of those: the last sign of life before, and the last one answered; nanoseconds since the epoch.
const SINCE_NS: usize = 2;
const UNTIL_NS: usize = 3;

impl Shared {
    fn new() -> io::Result<Self> {
        shared::words(Ward::ALL.len() * WORDS).map(Self)
    }

    fn word(self, ward: Ward, which: usize) -> &'static AtomicU64 {
        static NOWHERE: AtomicU64 = AtomicU64::new(0);
        self.0.get(ward.place() * WORDS + which).unwrap_or(&NOWHERE)
    }
}

/// Shows that whoever reads a ward's descriptor is at work.
#[derive(Clone, Copy, Debug)]
pub struct Heart(&'static AtomicU64);

impl Heart {
    /// Beats once.
    pub fn beat(self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Something entrusted, as it is needed to entrust it again.
#[derive(Debug)]
struct Entrusted {
    fd: OwnedFd,
    farewell: Vec<u8>,
}

/// The agent's side.
#[derive(Debug)]
pub struct Guardian {
    child: i32,
    channel: OwnedFd,
    shared: Shared,
    wards: [Option<Entrusted>; Ward::ALL.len()],
    made: u64,
}

impl Guardian {
    /// Forks it. Call it before any other thread exists.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if there is no room for another process.
    pub fn start() -> Result<Self, Error> {
        let shared = Shared::new().map_err(|error| fail("mmap", error))?;
        let (child, channel) = fork(shared)?;
        Ok(Self { child, channel, shared, wards: [const { None }; Ward::ALL.len()], made: 1 })
    }

    /// Its process id.
    #[must_use]
    pub const fn pid(&self) -> i32 {
        self.child
    }

    /// How many there were so far.
    #[must_use]
    pub const fn made(&self) -> u64 {
        self.made
    }

    /// What to beat with for a ward.
    #[must_use]
    pub fn heart(&self, ward: Ward) -> Heart {
        Heart(self.shared.word(ward, BEATS))
    }

    /// Hands a descriptor over. From here on the heart must beat.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if the guardian can't be reached, or the farewell is too long: then nothing is
    /// entrusted, and the descriptor must be closed.
    pub fn entrust(
        &mut self,
        ward: Ward,
        fd: BorrowedFd<'_>,
        farewell: &[u8],
    ) -> Result<(), Error> {
        if farewell.len() > MAX_FAREWELL {
            return Err(fail("sendmsg", io::Error::from_raw_os_error(libc::EMSGSIZE)));
        }
        let fd = fd.try_clone_to_owned().map_err(|error| fail("fcntl(F_DUPFD_CLOEXEC)", error))?;
        self.heart(ward).beat();
        hand_over(self.channel.as_fd(), ward, fd.as_fd(), farewell)?;
        if let Some(place) = self.wards.get_mut(ward.place()) {
            *place = Some(Entrusted { fd, farewell: farewell.to_vec() });
        }
        Ok(())
    }

    /// Takes a descriptor back: the guardian closes its own. Without a farewell: whoever calls has
    /// undone what there was.
    pub fn release(&mut self, ward: Ward) {
        if let Some(place) = self.wards.get_mut(ward.place()) {
            *place = None;
        }
        // If it can't be told it is killed: nothing but that closes what it holds.
        let message = [RELEASE, ward as u8];
        if channel::send(self.channel.as_fd(), &message, None).is_err() {
            child::kill(self.child);
        }
    }

    /// Becomes readable when the guardian dies.
    #[must_use]
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.channel.as_fd()
    }

    /// Makes a new one if it has died; whether it had. The new one has another [`fd`](Self::fd).
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if that isn't possible: close what was entrusted at once.
    pub fn look_after(&mut self) -> Result<bool, Error> {
        if !child::has_ended(self.child) {
            return Ok(false);
        }
        let (child, channel) = fork(self.shared)?;
        self.child = child;
        self.channel = channel;
        self.made += 1;
        for ward in Ward::ALL {
            if let Some(Some(entrusted)) = self.wards.get(ward.place()) {
                let Entrusted { fd, farewell } = entrusted;
                hand_over(self.channel.as_fd(), ward, fd.as_fd(), farewell)?;
            }
        }
        Ok(true)
    }

    /// What the guardian had to do since the last call, as losses: nobody looked at those events.
    pub fn losses(&self) -> impl Iterator<Item = Loss> {
        let shared = self.shared;
        Ward::ALL.into_iter().filter_map(move |ward| {
            let count = shared.word(ward, COUNT).swap(0, Ordering::Relaxed);
            (count > 0).then(|| Loss {
                source: ward.source(),
                cause: LossCause::StoodStill,
                // As many waited; what else was missed meanwhile nobody knows.
                count: None,
                since_ns: shared.word(ward, SINCE_NS).load(Ordering::Relaxed),
                until_ns: shared.word(ward, UNTIL_NS).load(Ordering::Relaxed),
            })
        })
    }

    /// Whether [`losses`](Self::losses) would tell of a ward.
    #[must_use]
    pub fn has_answered(&self, ward: Ward) -> bool {
        self.shared.word(ward, COUNT).load(Ordering::Relaxed) > 0
    }

    /// The gap that an earlier agent's guardian has left a note of, until now. It is told once.
    #[must_use]
    pub fn gap_before() -> Option<Loss> {
        let since_ns = note::take()?;
        Some(Loss {
            source: "agent",
            cause: LossCause::Died,
            count: None,
            since_ns,
            until_ns: clock::realtime_ns(),
        })
    }

    /// Ends it: close or release first what was entrusted.
    pub fn retire(self) {
        drop(self);
    }
}

impl Drop for Guardian {
    fn drop(&mut self) {
        if channel::send(self.channel.as_fd(), &[RETIRE], None).is_err() {
            child::kill(self.child);
            return;
        }
        child::wait(self.child);
    }
}

/// First byte of a message: entrusted (then the ward, then the farewell, and a descriptor).
const ENTRUST: u8 = 1;
/// First byte of a message: released (then the ward).
const RELEASE: u8 = 2;
/// The message that ends it.
const RETIRE: u8 = 3;

fn fail(call: &'static str, source: io::Error) -> Error {
    Error::of("cannot have a guardian", call, source, HINT)
}

fn fork(shared: Shared) -> Result<(i32, OwnedFd), Error> {
    let (ours, theirs) = channel::pair().map_err(|error| fail("socketpair", error))?;
    let agent = own_process::own_pid();
    let number = theirs.as_raw_fd();
    let child = child::fork(|| {
        child::close_all_but(&[number]);
        process::watch(theirs.as_fd(), agent, shared);
    });
    Ok((child.map_err(|error| fail("fork", error))?, ours))
}

fn hand_over(
    channel: BorrowedFd<'_>,
    ward: Ward,
    fd: BorrowedFd<'_>,
    farewell: &[u8],
) -> Result<(), Error> {
    let mut message = Vec::with_capacity(2 + farewell.len());
    message.extend([ENTRUST, ward as u8]);
    message.extend_from_slice(farewell);
    channel::send(channel, &message, Some(fd)).map_err(|error| fail("sendmsg", error))
}
