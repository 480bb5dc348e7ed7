//! Where records come from: one kernel interface per file, each drained by the one loop.
//!
//! A source hands out what the kernel said, decoded, and says when something was lost; who did it
//! and whether anybody cares is not known here. A source that the host refuses is an [`Error`]
//! with what it wanted, what the kernel said and what to do; the agent goes on with the others.

use std::fmt;
use std::io;
use std::os::fd::BorrowedFd;
use std::time::Duration;

use crate::decode::Record;
use crate::sys;

pub mod audit;
pub mod fanotify;
pub mod guardian;
mod mounts;
mod namespaces;
pub mod proc_connector;
pub mod ptrace;
pub mod rendezvous;
pub mod replay;
mod sequence;
mod unpack;

pub use audit::AuditSource;
pub use fanotify::FileWatch;
pub use fanotify::Wanted;
pub use guardian::Guardian;
pub use proc_connector::ProcConnector;
pub use rendezvous::Rendezvous;

/// The least time between two looks in vain at the mounts of one namespace that events cause.
const LOOK_INTERVAL: Duration = Duration::from_millis(10);

/// A kernel interface that is drained when its descriptor is readable.
pub trait Source {
    /// Its name in messages and metrics.
    fn name(&self) -> &'static str;

    /// The descriptor to wait on for reading.
    fn fd(&self) -> BorrowedFd<'_>;

    /// Hands out what waits, until nothing is left or about `budget` records were read.
    ///
    /// # Errors
    ///
    /// [`Error`] if the interface is broken and will give nothing more. Losses are no errors.
    fn drain(&mut self, budget: usize, sink: &mut dyn FnMut(Record<'_>)) -> Result<Drained, Error>;
}

/// What one drain came to.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Drained {
    /// The budget ended it: more may wait, and the descriptor need not become readable anew.
    pub more: bool,
    /// Something was lost since the drain before.
    pub loss: Option<Loss>,
}

/// Records that happened and were not told.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Loss {
    /// The source's name.
    pub source: &'static str,
    /// Where they got lost.
    pub cause: LossCause,
    /// How many; `None` if the kernel does not say.
    pub count: Option<u64>,
    /// Nanoseconds since the epoch: not before the last drain that left nothing.
    pub since_ns: u64,
    /// Nanoseconds since the epoch: not after this drain.
    pub until_ns: u64,
}

/// Where records got lost.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LossCause {
    /// The socket's receive buffer was full (`ENOBUFS`).
    ReceiveBuffer,
    /// Sequence numbers are missing.
    SequenceGap,
    /// The kernel's event queue was full (`FAN_Q_OVERFLOW`).
    QueueOverflow,
    /// A subscription had died without a word.
    Silence,
    /// The kernel's queue for the audit's reader was full (`lost` of `auditctl -s`).
    KernelBacklog,
    /// The file of an event could not be opened (no free descriptors, mostly).
    Unopened,
    /// The kernel refuses to watch a mount: nothing is told of its files.
    UnwatchedMount,
    /// The agent stood still, and its guardian answered in its place.
    StoodStill,
    /// An agent before this one died.
    Died,
}

impl LossCause {
    /// Whether what is known of processes may be wrong afterwards.
    #[must_use]
    pub const fn leaves_processes_stale(self) -> bool {
        matches!(
            self,
            Self::ReceiveBuffer | Self::SequenceGap | Self::Silence | Self::QueueOverflow
        )
    }
}

impl fmt::Display for LossCause {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::ReceiveBuffer => "receive buffer full",
            Self::SequenceGap => "sequence numbers missing",
            Self::Silence => "the kernel had stopped telling",
            Self::QueueOverflow => "kernel event queue full",
            Self::KernelBacklog => "the audit's backlog was full",
            Self::Unopened => "files of events could not be opened",
            Self::UnwatchedMount => "a mount cannot be watched",
            Self::StoodStill => "the agent stood still",
            Self::Died => "an agent before this one was killed or crashed",
        })
    }
}

/// Why a source, or a part of one, is not to be had; variants by what the caller does next.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A matter of privileges: say what to grant.
    #[error(transparent)]
    Denied(Refusal),
    /// The kernel does not have it: step down.
    #[error(transparent)]
    Unsupported(Refusal),
    /// Anything else.
    #[error(transparent)]
    Io(Refusal),
}

impl Error {
    /// Sorts what a kernel call answered.
    fn of(wanted: impl Into<String>, call: &'static str, source: io::Error, hint: Hint) -> Self {
        let kind = source.raw_os_error().unwrap_or(0);
        let refusal = |hint: &str| Refusal {
            wanted: wanted.into(),
            call,
            answer: sys::errno_text(&source),
            hint: hint.to_owned(),
        };
        match kind {
            libc::EPERM | libc::EACCES => Self::Denied(refusal(hint.denied)),
            libc::ENOSYS
            | libc::EINVAL
            | libc::EOPNOTSUPP
            | libc::EPROTONOSUPPORT
            | libc::ECONNREFUSED => Self::Unsupported(refusal(hint.unsupported)),
            _ => Self::Io(refusal(hint.other)),
        }
    }

    /// What was wanted, what the kernel said and what to do.
    #[must_use]
    pub const fn refusal(&self) -> &Refusal {
        match self {
            Self::Denied(refusal) | Self::Unsupported(refusal) | Self::Io(refusal) => refusal,
        }
    }

    /// What to do about it and what cannot be seen meanwhile.
    #[must_use]
    pub fn hint(&self) -> &str {
        &self.refusal().hint
    }
}

/// Hints by the kind of answer.
#[derive(Clone, Copy)]
struct Hint {
    denied: &'static str,
    unsupported: &'static str,
    other: &'static str,
}

/// A thing that the kernel did not do.
#[derive(Debug, thiserror::Error)]
#[error("{wanted}: {call}: {answer}")]
pub struct Refusal {
    /// What was wanted, on what.
    pub wanted: String,
    /// The call.
    pub call: &'static str,
    /// Name and text of its errno, or that no answer came.
    pub answer: String,
    /// What to do about it.
    pub hint: String,
}

/// One way of doing a thing, of a list with the best first.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Rung {
    /// Its name in `doctor` and in the log.
    pub name: &'static str,
    /// Whether it is the one in use.
    pub taken: bool,
    /// Why it is, or why it is not.
    pub why: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    const HINT: Hint = Hint { denied: "grant it", unsupported: "live without", other: "look" };

    fn error(errno: i32) -> Error {
        let source = io::Error::from_raw_os_error(errno);
        Error::of("cannot watch files", "fanotify_init", source, HINT)
    }

    #[test]
    fn a_refusal_says_what_where_and_what_to_do() {
        let error = error(libc::EPERM);
        let text = "cannot watch files: fanotify_init: EPERM (Operation not permitted)";
        assert_eq!(error.to_string(), text);
        assert_eq!(error.hint(), "grant it");
    }

    #[test]
    fn an_old_kernel_and_a_missing_privilege_are_told_apart() {
        assert!(matches!(error(libc::EPERM), Error::Denied(_)));
        assert!(matches!(error(libc::ENOSYS), Error::Unsupported(_)));
        assert!(matches!(error(libc::EMFILE), Error::Io(_)));
    }
}
