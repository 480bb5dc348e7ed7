//! The note by which a guardian tells the next agent that this one died, and when.
//!
//! A file in /run, so that it goes with the boot: one line, nanoseconds since the epoch.

use std::ffi::CStr;
use std::fs::File;
use std::io::Read as _;
use std::io::Write as _;
use std::os::fd::OwnedFd;

use nix::fcntl::OFlag;
use nix::sys::stat::Mode;

use crate::decode::procfs::decimal;

const DIRECTORY: &CStr = c"/run/eyas";
const NAME: &CStr = c"died";

/// Leaves the note; an older one stays, since its gap is the longer one.
pub(super) fn leave(since_ns: u64) {
    let _ = nix::unistd::mkdir(DIRECTORY, Mode::S_IRWXU);
    let Some(directory) = directory() else { return };
    let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_CLOEXEC;
    let mode = Mode::S_IRUSR | Mode::S_IWUSR;
    if let Ok(file) = nix::fcntl::openat(&directory, NAME, flags, mode) {
        let _ = writeln!(File::from(file), "{since_ns}");
    }
}

/// Takes the note away; what it says.
pub(super) fn take() -> Option<u64> {
    const MAX_BYTES: u64 = 32;
    let directory = directory()?;
    let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
    let file = nix::fcntl::openat(&directory, NAME, flags, Mode::empty()).ok()?;
    let mut text = Vec::new();
    File::from(file).take(MAX_BYTES).read_to_end(&mut text).ok()?;
    nix::unistd::unlinkat(&directory, NAME, nix::unistd::UnlinkatFlags::NoRemoveDir).ok()?;
    decimal(text.trim_ascii())
}

/// The directory, if nobody but root can have put anything there.
fn directory() -> Option<OwnedFd> {
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let directory = nix::fcntl::open(DIRECTORY, flags, Mode::empty()).ok()?;
    let stat = nix::sys::stat::fstat(&directory).ok()?;
    let is_roots = stat.st_uid == 0 && stat.st_mode & 0o022 == 0;
    is_roots.then_some(directory)
}
