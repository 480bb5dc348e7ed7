//! Reading files and links below a directory that is open: no symbolic link is followed out of it,
//! nothing but a regular file is opened where others can put something else, and lengths are
//! bounded by the caller.
//!
//! Sources: openat(2), readlinkat(2).

use std::ffi::CStr;
use std::os::fd::AsFd;
use std::os::fd::BorrowedFd;
use std::os::fd::OwnedFd;

use nix::errno::Errno;
use nix::fcntl::AtFlags;
use nix::fcntl::OFlag;
use nix::sys::stat::FileStat;
use nix::sys::stat::Mode;

use super::Error;
use super::Result;
use crate::sys;

/// What lstat(2) says of a regular file.
///
/// # Errors
///
/// [`Error::Gone`] if there is none, or what is there isn't a regular file.
pub fn stat_regular(directory: BorrowedFd<'_>, name: &CStr) -> Result<FileStat> {
    let stat = nix::sys::stat::fstatat(directory, name, AtFlags::AT_SYMLINK_NOFOLLOW)?;
    if stat.st_mode & libc::S_IFMT == libc::S_IFREG { Ok(stat) } else { Err(Error::Gone) }
}

/// Opens a regular file for reading: nothing else is opened, and symbolic links aren't followed.
///
/// # Errors
///
/// [`Error::Gone`] if there is none, or what is there isn't a regular file.
pub fn open_regular(directory: BorrowedFd<'_>, name: &CStr) -> Result<(OwnedFd, FileStat)> {
    // A FIFO would block, a device could do anything: so not by O_RDONLY alone.
    let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
    stat_regular(directory, name)?;
    let file = nix::fcntl::openat(directory, name, flags | OFlag::O_CLOEXEC, Mode::empty())?;
    let stat = nix::sys::stat::fstat(&file)?;
    if stat.st_mode & libc::S_IFMT != libc::S_IFREG {
        return Err(Error::Gone);
    }
    Ok((file, stat))
}

/// Reads an open file from where it is into `into`, at most `limit` bytes.
///
/// # Errors
///
/// Those of read(2).
pub fn read_open(file: BorrowedFd<'_>, limit: usize, into: &mut Vec<u8>) -> Result<()> {
    const STEP: usize = 16 << 10;
    into.clear();
    while into.len() < limit {
        let start = into.len();
        into.resize((start + STEP).min(limit), 0);
        let room = into.get_mut(start..).unwrap_or_default();
        let read = read_retrying(file, room);
        into.truncate(start + *read.as_ref().unwrap_or(&0));
        if read? == 0 {
            break;
        }
    }
    Ok(())
}

pub(super) fn read_file(
    directory: BorrowedFd<'_>,
    name: &CStr,
    limit: usize,
    into: &mut Vec<u8>,
) -> Result<()> {
    into.clear();
    let file = open_file(directory, name)?;
    read_open(file.as_fd(), limit, into)
}

pub(super) fn open_file(directory: BorrowedFd<'_>, name: &CStr) -> Result<OwnedFd> {
    let flags = OFlag::O_RDONLY | OFlag::O_CLOEXEC;
    Ok(nix::fcntl::openat(directory, name, flags, Mode::empty())?)
}

pub(super) fn read_retrying(file: BorrowedFd<'_>, into: &mut [u8]) -> Result<usize> {
    loop {
        match nix::unistd::read(file, into) {
            Err(Errno::EINTR) => {}
            other => return Ok(other?),
        }
    }
}

pub(super) fn read_link<'b>(
    directory: BorrowedFd<'_>,
    name: &CStr,
    buffer: &'b mut [u8],
) -> Result<&'b [u8]> {
    sys::fs::read_link_at(directory, name, buffer).map_err(|error| match error.raw_os_error() {
        Some(errno) => Errno::from_raw(errno).into(),
        None => Error::Io(error),
    })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::fd::AsFd;

    use super::*;
    use crate::procfs::Proc;

    fn directory() -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("7")).unwrap();
        root
    }

    #[test]
    fn a_link_out_of_the_root_is_not_followed() {
        let root = directory();
        let inside = root.path().join("7/root/etc");
        fs::create_dir_all(&inside).unwrap();
        fs::write(root.path().join("secret"), "x").unwrap();
        std::os::unix::fs::symlink(root.path().join("secret"), inside.join("passwd")).unwrap();
        fs::write(inside.join("group"), "root:x:0:").unwrap();
        let process = Proc::open(root.path()).unwrap().process(7).unwrap();
        let etc = process.directory_in_root(c"etc").unwrap();
        assert!(open_regular(etc.as_fd(), c"passwd").is_err());
        assert!(open_regular(etc.as_fd(), c"group").is_ok());
        std::os::unix::fs::symlink(root.path(), root.path().join("7/root/out")).unwrap();
        assert!(process.directory_in_root(c"out").is_err());
    }

    #[test]
    fn a_fifo_in_the_root_is_not_opened() {
        let root = directory();
        fs::create_dir_all(root.path().join("7/root/etc")).unwrap();
        let fifo = root.path().join("7/root/etc/passwd");
        nix::unistd::mkfifo(&fifo, Mode::S_IRWXU).unwrap();
        let process = Proc::open(root.path()).unwrap().process(7).unwrap();
        let etc = process.directory_in_root(c"etc").unwrap();
        assert!(matches!(open_regular(etc.as_fd(), c"passwd"), Err(Error::Gone)));
    }
}
