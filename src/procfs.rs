//! Opens and scans files under a `/proc` directory, given as a path so that tests can give a
//! directory of their own.
//!
//! A [`ProcessDir`] stands for one process: once it is open, its files are this process's or
//! "gone", never those of a later process of the same number. Which process of that number it is,
//! only the start time in its `stat` tells.
//!
//! Nothing is kept and nothing is understood here: bytes go to [`decode::procfs`](crate::decode::procfs).

use std::ffi::CStr;
use std::io;
use std::ops::ControlFlow;
use std::os::fd::AsFd;
use std::os::fd::OwnedFd;
use std::path::Path;

use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::stat::Mode;

use crate::sys;

mod descriptors;
mod files;
mod process;
pub mod standing;
pub mod taken;

pub use descriptors::FdsDir;
pub use files::open_regular;
pub use files::read_open;
pub use files::stat_regular;
pub use process::FileFacts;
pub use process::ProcessDir;

/// Why something under `/proc` could not be read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The process has ended, or has no such thing (kernel threads have no executable).
    #[error("the process is gone")]
    Gone,
    /// Not allowed to look.
    #[error("permission denied")]
    Denied,
    /// Something else.
    #[error("cannot read")]
    Io(#[from] io::Error),
}

impl From<Errno> for Error {
    fn from(errno: Errno) -> Self {
        match errno {
            // ENOENT: no directory, or the link of a process without memory; ESRCH: it ended
            // while its directory was open; ENOTDIR: a file has the place of the directory.
            Errno::ENOENT | Errno::ESRCH | Errno::ENOTDIR => Self::Gone,
            Errno::EACCES | Errno::EPERM => Self::Denied,
            other => Self::Io(other.into()),
        }
    }
}

/// Short for results of this module.
pub type Result<T> = std::result::Result<T, Error>;

/// A `/proc` directory.
#[derive(Debug)]
pub struct Proc {
    dir: OwnedFd,
}

impl Proc {
    /// Opens the directory.
    ///
    /// # Errors
    ///
    /// Those of open(2).
    pub fn open(path: &Path) -> io::Result<Self> {
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        Ok(Self { dir: nix::fcntl::open(path, flags, Mode::empty())? })
    }

    /// The numbers of the processes that there are, without their threads.
    ///
    /// # Errors
    ///
    /// Those of getdents(2).
    pub fn pids(&self) -> Result<Vec<i32>> {
        let mut pids = Vec::with_capacity(256);
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let directory = nix::fcntl::openat(&self.dir, c".", flags, Mode::empty())?;
        let mut entries = sys::fs::entries(directory)?;
        each_number(&mut entries, |pid| {
            pids.push(pid);
            ControlFlow::Continue(())
        })?;
        Ok(pids)
    }

    /// Takes hold of one process.
    ///
    /// # Errors
    ///
    /// [`Error::Gone`] if there is none of that number.
    pub fn process(&self, pid: i32) -> Result<ProcessDir> {
        let mut name = [0; 12];
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let dir =
            nix::fcntl::openat(&self.dir, decimal_name(pid, &mut name), flags, Mode::empty())?;
        Ok(ProcessDir::of(dir))
    }

    /// The tasks of a process into `into`, no more than `limit`; the directory of each is that of a
    /// process of its number.
    ///
    /// # Errors
    ///
    /// [`Error::Gone`] if it has ended.
    pub fn tasks(&self, pid: i32, limit: usize, into: &mut Vec<i32>) -> Result<()> {
        into.clear();
        let process = self.process(pid)?;
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let mut entries = Dir::openat(process.dir()?, c"task", flags, Mode::empty())?;
        each_number(&mut entries, |tid| {
            into.push(tid);
            if into.len() < limit { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })
    }

    /// Reads a file of the system (`stat`) into `into`, at most `limit` bytes of it.
    ///
    /// # Errors
    ///
    /// Those of open(2) and read(2).
    pub fn read(&self, name: &CStr, limit: usize, into: &mut Vec<u8>) -> Result<()> {
        files::read_file(self.dir.as_fd(), name, limit, into)
    }
}

fn each_number(directory: &mut Dir, mut visit: impl FnMut(i32) -> ControlFlow<()>) -> Result<()> {
    for entry in directory.iter() {
        let entry = entry?;
        let name = entry.file_name();
        let Some(number) = crate::decode::procfs::decimal(name.to_bytes()) else { continue };
        let Ok(number) = i32::try_from(number) else { continue };
        if visit(number).is_break() {
            break;
        }
    }
    Ok(())
}

/// The decimal digits of a pid as a C string in `buffer`.
fn decimal_name(pid: i32, buffer: &mut [u8; 12]) -> &CStr {
    use std::io::Write;
    let mut rest = &mut buffer[..];
    // Eleven characters are the most that an i32 takes; the NUL is there already.
    let written = write!(rest, "{pid}\0");
    debug_assert!(written.is_ok(), "eleven characters and a NUL fit");
    CStr::from_bytes_until_nul(buffer).unwrap_or_default()
}

/// The processes that there are on this host; none if `/proc` cannot be read.
#[must_use]
pub fn pids() -> Vec<i32> {
    Proc::open(Path::new("/proc")).ok().and_then(|proc| proc.pids().ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn directory() -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("7")).unwrap();
        fs::create_dir(root.path().join("self")).unwrap();
        fs::write(root.path().join("7/stat"), "7 (a) S").unwrap();
        root
    }

    #[test]
    fn only_numbers_are_processes() {
        let root = directory();
        assert_eq!(Proc::open(root.path()).unwrap().pids().unwrap(), [7]);
    }

    #[test]
    fn a_missing_process_is_gone() {
        let root = directory();
        let error = Proc::open(root.path()).unwrap().process(8).unwrap_err();
        assert!(matches!(error, Error::Gone));
    }

    #[test]
    fn reading_stops_at_the_limit() {
        let root = directory();
        let process = Proc::open(root.path()).unwrap().process(7).unwrap();
        let mut text = b"old".to_vec();
        process.read_piece(c"stat", 3, &mut text).unwrap();
        assert_eq!(text, b"7 (");
        process.read(c"stat", 100, &mut text).unwrap();
        assert_eq!(text, b"7 (a) S");
        assert!(matches!(process.read_piece(c"status", 3, &mut text), Err(Error::Gone)));
        assert!(text.is_empty());
    }
}
