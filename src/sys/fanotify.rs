//! fanotify_init(2), fanotify_mark(2), reading a group into a caller's buffer.
//!
//! The calls are fanotify-rs' low level; its high level panics on paths that are not UTF-8, so
//! the events are read and decoded here and in `decode::fanotify`.

use std::io;
use std::os::fd::AsFd;
use std::os::fd::AsRawFd;
use std::os::fd::BorrowedFd;
use std::os::fd::FromRawFd;
use std::os::fd::OwnedFd;
use std::path::Path;

/// `fanotify_init(flags, event_flags)`: creates a group.
///
/// `event_flags` are the open(2) flags of the descriptors that events carry; `O_CLOEXEC` among
/// them is honoured only since Linux 3.18, so a child spawned before that inherits them.
///
/// # Errors
///
/// `EPERM` without `CAP_SYS_ADMIN`; `EINVAL` if the kernel does not know a flag; `EMFILE` at 128
/// groups per user (configurable since 5.13); `ENOSYS` on a kernel without `CONFIG_FANOTIFY`.
#[doc(alias = "fanotify_init")]
pub fn init(flags: u32, event_flags: i32) -> io::Result<OwnedFd> {
    let fd = fanotify::low_level::fanotify_init(flags, event_flags.cast_unsigned())?;
    // SAFETY: the kernel has just returned `fd` to us alone, so nobody else closes it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// `fanotify_mark(group, flags, mask, AT_FDCWD, path)`: adds or removes a mark.
///
/// # Errors
///
/// `EINVAL` if the kernel does not know a flag or event, or refuses this kind of filesystem;
/// `ENOSPC` at the limit of marks (8192 per group before 5.13); `ENOENT` for no such path, and
/// for a removed mark that is not there.
#[doc(alias = "fanotify_mark")]
pub fn mark(group: BorrowedFd<'_>, flags: u32, mask: u64, path: &Path) -> io::Result<()> {
    fanotify::low_level::fanotify_mark(group.as_raw_fd(), flags, mask, libc::AT_FDCWD, path)
}

/// The same for `name` in an open directory; a symbolic link there is not followed.
///
/// # Errors
///
/// Those of [`mark`].
pub fn mark_in(
    group: BorrowedFd<'_>,
    flags: u32,
    mask: u64,
    directory: BorrowedFd<'_>,
    name: &Path,
) -> io::Result<()> {
    let flags = flags | super::abi::FAN_MARK_DONT_FOLLOW;
    let directory = directory.as_raw_fd();
    fanotify::low_level::fanotify_mark(group.as_raw_fd(), flags, mask, directory, name)
}

/// `fanotify_mark(group, flags, mask, fd, NULL)`: adds or removes a mark of an open file.
///
/// # Errors
///
/// Those of [`mark()`].
#[doc(alias = "fanotify_mark")]
pub fn mark_fd(group: BorrowedFd<'_>, flags: u32, mask: u64, fd: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: without a path the call reads no memory of ours, and both descriptors are open.
    let returned = unsafe {
        libc::fanotify_mark(group.as_raw_fd(), flags, mask, fd.as_raw_fd(), std::ptr::null())
    };
    super::check(returned).map(drop)
}

/// Reads queued events into `buffer`; how many bytes they take.
///
/// # Errors
///
/// `EAGAIN` if there are none; `EMFILE`, `ENFILE`, `ENOENT`, `ENXIO`, `ETXTBSY` and others if the
/// first event's file could not be opened: that event is lost then.
pub fn read(group: impl AsFd, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match nix::unistd::read(group.as_fd(), buffer) {
            Err(nix::errno::Errno::EINTR) => {}
            result => return Ok(result?),
        }
    }
}

/// Answers the permission event of descriptor `number` with `FAN_ALLOW`: the only answer there is
/// here. Answers go by number alone, whoever has read the event.
///
/// # Errors
///
/// `ENOENT` if no event of that number waits for an answer.
pub fn allow(group: impl AsFd, number: i32) -> io::Result<()> {
    let mut answer = [0; 8];
    let (fd, response) = answer.split_at_mut(4);
    fd.copy_from_slice(&number.to_ne_bytes());
    response.copy_from_slice(&super::abi::FAN_ALLOW.to_ne_bytes());
    loop {
        match nix::unistd::write(group.as_fd(), &answer) {
            Err(nix::errno::Errno::EINTR) => {}
            result => return result.map(drop).map_err(Into::into),
        }
    }
}

/// Descriptors of the events that one read returned, each closed when dropped.
#[derive(Debug)]
pub struct EventFd(OwnedFd);

impl EventFd {
    /// Takes over the descriptor number of an event that [`read()`] has just returned.
    ///
    /// `None` for `FAN_NOFD` and other negative numbers, and for the standard descriptors: an
    /// event never carries them while they are open.
    #[must_use]
    pub fn adopt(number: i32) -> Option<Self> {
        if number <= libc::STDERR_FILENO {
            return None;
        }
        // SAFETY: the kernel opened this number for us when the event was read, and the caller
        // hands over each event once; no other code closes numbers it did not get.
        Some(Self(unsafe { OwnedFd::from_raw_fd(number) }))
    }
}

impl AsFd for EventFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
