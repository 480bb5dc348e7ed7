//! Files by descriptor, where std and nix allocate or lack the call.

use std::ffi::CStr;
use std::io;
use std::os::fd::AsRawFd;
use std::os::fd::BorrowedFd;

/// Reads a symbolic link into `buffer`; the link's text.
///
/// A text as long as the buffer may have been cut.
///
/// # Errors
///
/// Those of readlinkat(2).
#[doc(alias = "readlinkat")]
pub fn read_link_at<'b>(
    directory: BorrowedFd<'_>,
    name: &CStr,
    buffer: &'b mut [u8],
) -> io::Result<&'b [u8]> {
    let start = buffer.as_mut_ptr().cast();
    // SAFETY: `name` ends in NUL, and the call writes at most `buffer.len()` bytes from `start`,
    // which is our buffer's; it keeps neither pointer.
    let returned = unsafe {
        libc::readlinkat(directory.as_raw_fd(), name.as_ptr(), start, buffer.len())
    };
    let len = super::check_len(returned)?;
    Ok(buffer.get(..len).unwrap_or_default())
}

/// What fstat(2) and lstat(2) tell of a file, as far as it is needed here.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Stat {
    /// Device, as `st_dev`.
    pub dev: u64,
    /// Inode.
    pub ino: u64,
    /// Type and permissions.
    pub mode: u32,
    /// Hard links; zero: it has no name any more.
    pub links: u64,
}

impl From<nix::sys::stat::FileStat> for Stat {
    fn from(stat: nix::sys::stat::FileStat) -> Self {
        Self { dev: stat.st_dev, ino: stat.st_ino, mode: stat.st_mode, links: stat.st_nlink }
    }
}

/// What is known of an open file.
///
/// # Errors
///
/// Those of fstat(2).
#[doc(alias = "fstat")]
pub fn stat_fd(fd: BorrowedFd<'_>) -> io::Result<Stat> {
    Ok(nix::sys::stat::fstat(fd)?.into())
}

/// What is known of the file at `path`, symbolic links not followed.
///
/// # Errors
///
/// Those of lstat(2).
#[doc(alias = "lstat")]
pub fn stat_path(path: &[u8]) -> io::Result<Stat> {
    Ok(nix::sys::stat::lstat(path)?.into())
}
