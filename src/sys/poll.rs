//! What mio does not have: signals, a timer and changed files as descriptors.
//!
//! Sources: signalfd(2), timerfd_create(2), inotify(7), poll(2).

use std::ffi::OsStr;
use std::ffi::OsString;
use std::io;
use std::os::fd::AsFd;
use std::os::fd::AsRawFd;
use std::os::fd::BorrowedFd;
use std::os::fd::FromRawFd;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Duration;

use nix::poll::PollFd;
use nix::poll::PollFlags;
use nix::poll::PollTimeout;
use nix::sys::inotify;
use nix::sys::signal;
use nix::sys::signal::SigHandler;
use nix::sys::signal::SigSet;
use nix::sys::signal::Signal;
use nix::sys::signalfd;
use nix::sys::time::TimeSpec;
use nix::sys::timerfd;

/// Signals of the process as a descriptor.
#[derive(Debug)]
pub struct SignalFd(signalfd::SignalFd);

impl SignalFd {
    /// Blocks `signals` in the calling thread and delivers them by descriptor.
    ///
    /// Threads inherit the blocking, so call it before any other thread exists; programs inherit
    /// it too, so those that the agent starts must [`unblock_all`] before exec.
    ///
    /// # Errors
    ///
    /// Those of pthread_sigmask(3) and signalfd(2).
    pub fn new(signals: &[Signal]) -> io::Result<Self> {
        let set: SigSet = signals.iter().copied().collect();
        set.thread_block()?;
        let flags = signalfd::SfdFlags::SFD_CLOEXEC | signalfd::SfdFlags::SFD_NONBLOCK;
        Ok(Self(signalfd::SignalFd::with_flags(&set, flags)?))
    }

    /// The next signal that waits; `None` if there is none.
    ///
    /// # Errors
    ///
    /// Those of read(2).
    pub fn read(&self) -> io::Result<Option<Signal>> {
        let Some(info) = self.0.read_signal()? else {
            return Ok(None);
        };
        let number = i32::try_from(info.ssi_signo).unwrap_or(0);
        Ok(Signal::try_from(number).ok())
    }
}

impl AsFd for SignalFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Takes all blocks off the calling thread: for a child between fork and exec.
///
/// # Errors
///
/// Those of pthread_sigmask(3).
pub fn unblock_all() -> io::Result<()> {
    Ok(SigSet::empty().thread_set_mask()?)
}

/// From here on `SIGINT` and `SIGTERM` end the process at once, also if it was started with them
/// ignored, as shells start what runs in the background: what is ignored is dropped when the block
/// is taken off, not delivered.
///
/// # Errors
///
/// Those of sigaction(2) and pthread_sigmask(3).
pub fn end_on_signals() -> io::Result<()> {
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        // SAFETY: no function of ours becomes a handler; the default action touches no memory.
        unsafe { signal::signal(signal, SigHandler::SigDfl) }?;
    }
    unblock_all()
}

/// Ends the process by this signal's default action.
///
/// # Errors
///
/// Those of [`end_on_signals`] and raise(3). It doesn't return otherwise, if the signal is one of
/// those.
pub fn end_by(signal: Signal) -> io::Result<()> {
    end_on_signals()?;
    Ok(signal::raise(signal)?)
}

/// Blocks all signals that can be blocked in the calling thread.
///
/// # Errors
///
/// Those of pthread_sigmask(3).
pub fn block_all() -> io::Result<()> {
    Ok(SigSet::all().thread_set_mask()?)
}

/// Wakes whoever waits for its descriptor: rung by threads that may not wait, heard by one.
#[derive(Debug)]
pub struct Bell {
    fd: OwnedFd,
    is_rung: Arc<AtomicBool>,
}

impl Bell {
    /// Makes one that is silent.
    ///
    /// # Errors
    ///
    /// Those of eventfd(2).
    #[doc(alias = "eventfd")]
    pub fn new() -> io::Result<Self> {
        // SAFETY: eventfd(2) takes two integers.
        let fd = super::check(unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) })?;
        // SAFETY: the kernel has just returned `fd` to us alone.
        Ok(Self { fd: unsafe { OwnedFd::from_raw_fd(fd) }, is_rung: Arc::default() })
    }

    /// For a thread with a descriptor table of its own, which has to keep the number there.
    #[must_use]
    pub fn far(&self) -> FarBell {
        FarBell { number: self.fd.as_raw_fd(), is_rung: Arc::clone(&self.is_rung) }
    }

    /// Rings it; without a system call if it rings already.
    pub fn ring(&self) {
        if !self.is_rung.swap(true, Ordering::AcqRel) {
            let _ = nix::unistd::write(&self.fd, &1_u64.to_ne_bytes());
        }
    }

    /// Hears it: look then for what it was rung for.
    pub fn hear(&self) {
        if self.is_rung.load(Ordering::Acquire) {
            let _ = nix::unistd::read(&self.fd, &mut [0; 8]);
            // Whoever rings from here on is heard the next time.
            self.is_rung.store(false, Ordering::Release);
        }
    }
}

/// A bell whose descriptor is in another table.
#[derive(Debug)]
pub struct FarBell {
    number: i32,
    is_rung: Arc<AtomicBool>,
}

impl FarBell {
    /// The number that it has where it comes from.
    #[must_use]
    pub const fn number(&self) -> i32 {
        self.number
    }

    /// The bell, by a descriptor of the calling thread's own table.
    #[must_use]
    pub fn with(&self, fd: OwnedFd) -> Bell {
        Bell { fd, is_rung: Arc::clone(&self.is_rung) }
    }
}

impl AsFd for Bell {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// A timer that fires again and again (`CLOCK_MONOTONIC`).
#[derive(Debug)]
pub struct Timer(timerfd::TimerFd);

impl Timer {
    /// Fires first after `interval`, then every `interval`.
    ///
    /// # Errors
    ///
    /// Those of timerfd_create(2) and timerfd_settime(2).
    pub fn every(interval: Duration) -> io::Result<Self> {
        let flags = timerfd::TimerFlags::TFD_CLOEXEC | timerfd::TimerFlags::TFD_NONBLOCK;
        let timer = timerfd::TimerFd::new(timerfd::ClockId::CLOCK_MONOTONIC, flags)?;
        let expiration = timerfd::Expiration::Interval(TimeSpec::from_duration(interval));
        timer.set(expiration, timerfd::TimerSetTimeFlags::empty())?;
        Ok(Self(timer))
    }

    /// Takes what has fired off the descriptor; whether it had fired.
    ///
    /// # Errors
    ///
    /// Those of read(2).
    pub fn clear(&self) -> io::Result<bool> {
        let mut count = [0; 8];
        match nix::unistd::read(self.0.as_fd(), &mut count) {
            Ok(_) => Ok(true),
            Err(nix::errno::Errno::EAGAIN) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

impl AsFd for Timer {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// A timer that fires once, whenever it is set (`CLOCK_MONOTONIC`).
#[derive(Debug)]
pub struct Alarm(timerfd::TimerFd);

impl Alarm {
    /// Not set yet.
    ///
    /// # Errors
    ///
    /// Those of timerfd_create(2).
    pub fn new() -> io::Result<Self> {
        let flags = timerfd::TimerFlags::TFD_CLOEXEC | timerfd::TimerFlags::TFD_NONBLOCK;
        Ok(Self(timerfd::TimerFd::new(timerfd::ClockId::CLOCK_MONOTONIC, flags)?))
    }

    /// Fires after `delay`, and not at the time set before.
    ///
    /// # Errors
    ///
    /// Those of timerfd_settime(2).
    pub fn set(&self, delay: Duration) -> io::Result<()> {
        let expiration = timerfd::Expiration::OneShot(TimeSpec::from_duration(delay));
        Ok(self.0.set(expiration, timerfd::TimerSetTimeFlags::empty())?)
    }
}

impl AsFd for Alarm {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Directories whose entries are watched for being written, created, renamed or removed.
#[derive(Debug)]
pub struct DirectoryWatch(inotify::Inotify);

impl DirectoryWatch {
    /// Watches nothing yet.
    ///
    /// # Errors
    ///
    /// `EMFILE` at the limit of inotify instances.
    pub fn new() -> io::Result<Self> {
        let flags = inotify::InitFlags::IN_CLOEXEC | inotify::InitFlags::IN_NONBLOCK;
        Ok(Self(inotify::Inotify::init(flags)?))
    }

    /// Watches one more directory; events name the returned key.
    ///
    /// # Errors
    ///
    /// `ENOENT`, `ENOTDIR`; `ENOSPC` at the limit of watches.
    pub fn add(&self, directory: &Path) -> io::Result<inotify::WatchDescriptor> {
        let events = inotify::AddWatchFlags::IN_CLOSE_WRITE
            | inotify::AddWatchFlags::IN_CREATE
            | inotify::AddWatchFlags::IN_DELETE
            | inotify::AddWatchFlags::IN_MOVE
            | inotify::AddWatchFlags::IN_ONLYDIR;
        Ok(self.0.add_watch(directory, events)?)
    }

    /// Watches for entries that come into one more directory, and nothing else.
    ///
    /// # Errors
    ///
    /// Those of [`add`](Self::add).
    pub fn add_for_newcomers(&self, directory: &Path) -> io::Result<inotify::WatchDescriptor> {
        let events = inotify::AddWatchFlags::IN_CREATE
            | inotify::AddWatchFlags::IN_MOVED_TO
            | inotify::AddWatchFlags::IN_ONLYDIR;
        Ok(self.0.add_watch(directory, events)?)
    }

    /// Whether a directory came into one of those since the last call that `is_one` takes, by
    /// where it came and its name, or that can't be known.
    ///
    /// # Errors
    ///
    /// Those of read(2).
    pub fn has_new_directory(
        &self,
        is_one: impl Fn(inotify::WatchDescriptor, &OsStr) -> bool,
    ) -> io::Result<bool> {
        let mut is_there = false;
        loop {
            let events = match self.0.read_events() {
                Ok(events) => events,
                Err(nix::errno::Errno::EAGAIN) => return Ok(is_there),
                Err(error) => return Err(error.into()),
            };
            is_there |= events.iter().any(|event| {
                let is_directory = event.mask.contains(inotify::AddWatchFlags::IN_ISDIR);
                event.mask.contains(inotify::AddWatchFlags::IN_Q_OVERFLOW)
                    || is_directory
                        && event.name.as_ref().is_some_and(|name| is_one(event.wd, name))
            });
        }
    }

    /// What changed since the last call: directory and entry (`None`: the directory itself, or
    /// the queue overflowed and anything may have changed).
    ///
    /// # Errors
    ///
    /// Those of read(2); nothing waiting is an empty list.
    pub fn changes(&self) -> io::Result<Vec<(inotify::WatchDescriptor, Option<OsString>)>> {
        match self.0.read_events() {
            Ok(events) => Ok(events.into_iter().map(|event| (event.wd, event.name)).collect()),
            Err(nix::errno::Errno::EAGAIN) => Ok(Vec::new()),
            Err(error) => Err(error.into()),
        }
    }
}

impl AsFd for DirectoryWatch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Waits until `fd` can be read; whether it can, before `limit` is over.
///
/// # Errors
///
/// Those of poll(2), `EINTR` apart: that ends the waiting early.
pub fn wait_readable(fd: BorrowedFd<'_>, limit: Duration) -> io::Result<bool> {
    let mut fds = [PollFd::new(fd, PollFlags::POLLIN)];
    let timeout = PollTimeout::try_from(limit).unwrap_or(PollTimeout::MAX);
    match nix::poll::poll(&mut fds, timeout) {
        Ok(ready) => Ok(ready > 0),
        Err(nix::errno::Errno::EINTR) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Waits until `fd` can be written to or its reader has gone; whether so, before `limit` is over.
///
/// # Errors
///
/// Those of poll(2), `EINTR` apart: that ends the waiting early.
pub fn wait_writable(fd: BorrowedFd<'_>, limit: Duration) -> io::Result<bool> {
    let mut fds = [PollFd::new(fd, PollFlags::POLLOUT)];
    let timeout = PollTimeout::try_from(limit).unwrap_or(PollTimeout::MAX);
    match nix::poll::poll(&mut fds, timeout) {
        Ok(ready) => Ok(ready > 0),
        Err(nix::errno::Errno::EINTR) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Has reads and writes return `EAGAIN` instead of waiting, for all who share the open file.
///
/// # Errors
///
/// Those of fcntl(2).
pub fn never_block(fd: BorrowedFd<'_>) -> io::Result<()> {
    use nix::fcntl::{FcntlArg, OFlag, fcntl};
    let flags = OFlag::from_bits_retain(fcntl(fd, FcntlArg::F_GETFL)?);
    fcntl(fd, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
    Ok(())
}

/// Waits until one of both can be read, before `limit` is over; which can.
///
/// # Errors
///
/// Those of poll(2), `EINTR` apart: that ends the waiting early.
pub fn wait_for_two(
    first: BorrowedFd<'_>,
    second: BorrowedFd<'_>,
    limit: Duration,
) -> io::Result<(bool, bool)> {
    let mut fds = [PollFd::new(first, PollFlags::POLLIN), PollFd::new(second, PollFlags::POLLIN)];
    let timeout = PollTimeout::try_from(limit).unwrap_or(PollTimeout::MAX);
    match nix::poll::poll(&mut fds, timeout) {
        Ok(_) => {
            let [first, second] = fds.map(|fd| fd.any().unwrap_or(false));
            Ok((first, second))
        }
        Err(nix::errno::Errno::EINTR) => Ok((false, false)),
        Err(error) => Err(error.into()),
    }
}

/// Whether `fd` tells of an exceptional condition now (`POLLPRI` or `POLLERR`): a changed
/// /proc/self/mountinfo does, once per change.
///
/// # Errors
///
/// Those of poll(2).
pub fn has_changed(fd: BorrowedFd<'_>) -> io::Result<bool> {
    let mut fds = [PollFd::new(fd, PollFlags::POLLPRI)];
    nix::poll::poll(&mut fds, PollTimeout::ZERO)?;
    Ok(fds.iter().any(|fd| fd.any().unwrap_or(false)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_written_file_in_a_watched_directory_is_a_change() {
        let directory = tempfile::tempdir().unwrap();
        let watch = DirectoryWatch::new().unwrap();
        let key = watch.add(directory.path()).unwrap();
        assert!(watch.changes().unwrap().is_empty());
        std::fs::write(directory.path().join("rules.yaml"), "x").unwrap();
        assert!(wait_readable(watch.as_fd(), Duration::from_secs(5)).unwrap());
        let changes = watch.changes().unwrap();
        assert!(changes.contains(&(key, Some("rules.yaml".into()))));
    }

    #[test]
    fn a_blocked_signal_arrives_by_descriptor() {
        let signals = SignalFd::new(&[Signal::SIGUSR2]).unwrap();
        assert_eq!(signals.read().unwrap(), None);
        signal::raise(Signal::SIGUSR2).unwrap();
        assert_eq!(signals.read().unwrap(), Some(Signal::SIGUSR2));
    }

    #[test]
    fn a_timer_fires_once_per_interval() {
        let timer = Timer::every(Duration::from_millis(5)).unwrap();
        assert!(wait_readable(timer.as_fd(), Duration::from_secs(5)).unwrap());
        assert!(timer.clear().unwrap());
    }
}
