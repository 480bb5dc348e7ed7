//! Files and links of one process's directory, `/proc/PID/…`: as they are now, or as they were taken
//! while it waited.
//!
//! Sources: proc(5).

use std::ffi::CStr;
use std::os::fd::AsFd;
use std::os::fd::BorrowedFd;
use std::os::fd::OwnedFd;

use nix::fcntl::AtFlags;
use nix::fcntl::OFlag;
use nix::sys::stat::FileStat;
use nix::sys::stat::Mode;

use super::Error;
use super::FdsDir;
use super::Result;
use super::decimal_name;
use super::files::open_file;
use super::files::read_file;
use super::files::read_link;
use super::files::read_retrying;
use super::taken::Taken;

/// The directory of one process, or what was read of it earlier.
#[derive(Debug)]
pub struct ProcessDir {
    dir: Option<OwnedFd>,
    taken: Option<Box<Taken>>,
}

/// What stat(2) says of the file that a link leads to.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[allow(missing_docs, reason = "names of `struct stat`")]
pub struct FileFacts {
    pub dev: u64,
    pub ino: u64,
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    pub nlink: u64,
    /// Nanoseconds since the epoch.
    pub ctime_ns: u64,
    /// Nanoseconds since the epoch.
    pub mtime_ns: u64,
}

impl FileFacts {
    pub(super) const WORDS: usize = 8;
    pub(super) const LEN: usize = Self::WORDS * size_of::<u64>();

    pub(super) fn words(self) -> [u64; Self::WORDS] {
        let Self { dev, ino, mode, uid, gid, nlink, ctime_ns, mtime_ns } = self;
        [dev, ino, mode.into(), uid.into(), gid.into(), nlink, ctime_ns, mtime_ns]
    }

    pub(super) fn of_words(
        [dev, ino, mode, uid, gid, nlink, ctime_ns, mtime_ns]: [u64; Self::WORDS],
    ) -> Self {
        let narrow = |word| u32::try_from(word).unwrap_or(u32::MAX);
        let (mode, uid, gid) = (narrow(mode), narrow(uid), narrow(gid));
        Self { dev, ino, mode, uid, gid, nlink, ctime_ns, mtime_ns }
    }
}

impl From<FileStat> for FileFacts {
    fn from(stat: FileStat) -> Self {
        Self {
            dev: stat.st_dev,
            ino: stat.st_ino,
            mode: stat.st_mode,
            uid: stat.st_uid,
            gid: stat.st_gid,
            nlink: stat.st_nlink,
            ctime_ns: nanoseconds(stat.st_ctime, stat.st_ctime_nsec),
            mtime_ns: nanoseconds(stat.st_mtime, stat.st_mtime_nsec),
        }
    }
}

fn nanoseconds(seconds: i64, rest: i64) -> u64 {
    let seconds = u64::try_from(seconds).unwrap_or(0);
    seconds.saturating_mul(1_000_000_000).saturating_add(u64::try_from(rest).unwrap_or(0))
}

impl ProcessDir {
    /// The process whose directory this is.
    pub(super) const fn of(dir: OwnedFd) -> Self {
        Self { dir: Some(dir), taken: None }
    }

    /// Answers as a process did when it was looked at; what wasn't asked for then is asked of
    /// `now`, if that is there.
    #[must_use]
    pub fn taken(taken: Taken, now: Option<Self>) -> Self {
        Self { dir: now.and_then(|now| now.dir), taken: Some(Box::new(taken)) }
    }

    pub(super) fn dir(&self) -> Result<BorrowedFd<'_>> {
        self.dir.as_ref().map(AsFd::as_fd).ok_or(Error::Gone)
    }

    /// The text of a file as it was taken.
    fn taken_file(&self, name: &CStr, limit: usize, into: &mut Vec<u8>) -> Option<Result<()>> {
        let text = self.taken.as_ref()?.file(name)?;
        into.clear();
        Some(text.map(|text| into.extend_from_slice(text.get(..limit).unwrap_or(text))))
    }

    /// Reads a file whose text comes in one piece (`stat`, `status`, `cgroup`, `cmdline`) into
    /// `into`, at most `limit` bytes of it.
    ///
    /// # Errors
    ///
    /// [`Error::Gone`] if the process has ended.
    pub fn read_piece(&self, name: &CStr, limit: usize, into: &mut Vec<u8>) -> Result<()> {
        if let Some(answer) = self.taken_file(name, limit, into) {
            return answer;
        }
        into.clear();
        let file = open_file(self.dir()?, name)?;
        into.resize(limit, 0);
        let read = read_retrying(file.as_fd(), into);
        into.truncate(*read.as_ref().unwrap_or(&0));
        read?;
        Ok(())
    }

    /// Reads a file of any length into `into`, at most `limit` bytes of it.
    ///
    /// # Errors
    ///
    /// [`Error::Gone`] if the process has ended.
    pub fn read(&self, name: &CStr, limit: usize, into: &mut Vec<u8>) -> Result<()> {
        match self.taken_file(name, limit, into) {
            Some(answer) => answer,
            None => read_file(self.dir()?, name, limit, into),
        }
    }

    /// Reads a link (`exe`, `cwd`, `root`, `ns/pid`).
    ///
    /// # Errors
    ///
    /// [`Error::Gone`] if the process has ended or has none.
    pub fn link<'b>(&self, name: &CStr, buffer: &'b mut [u8]) -> Result<&'b [u8]> {
        let Some(text) = self.taken.as_ref().and_then(|taken| taken.link(name)) else {
            return read_link(self.dir()?, name, buffer);
        };
        let text = text?;
        let room = buffer.get_mut(..text.len()).ok_or(Error::Denied)?;
        room.copy_from_slice(text);
        Ok(room)
    }

    /// What stat(2) says of the file that a link leads to.
    ///
    /// # Errors
    ///
    /// [`Error::Gone`] if the process has ended or has none.
    pub fn stat_of(&self, name: &CStr) -> Result<FileFacts> {
        if let Some(facts) = self.taken.as_ref().and_then(|taken| taken.facts(name)) {
            return Ok(facts);
        }
        Ok(nix::sys::stat::fstatat(self.dir()?, name, AtFlags::empty())?.into())
    }

    /// Takes hold of the directory of open descriptors.
    ///
    /// # Errors
    ///
    /// [`Error::Gone`] if the process has ended.
    pub fn fds(&self) -> Result<FdsDir> {
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        Ok(FdsDir::of(nix::fcntl::openat(self.dir()?, c"fd", flags, Mode::empty())?))
    }

    /// Reads how a descriptor is open, `fdinfo/<number>`, into `into`.
    ///
    /// # Errors
    ///
    /// [`Error::Gone`] if it was closed.
    pub fn read_fdinfo(&self, number: i32, into: &mut Vec<u8>) -> Result<()> {
        const LIMIT: usize = 1024;
        let mut digits = [0; 12];
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let fdinfo = nix::fcntl::openat(self.dir()?, c"fdinfo", flags, Mode::empty())?;
        read_file(fdinfo.as_fd(), decimal_name(number, &mut digits), LIMIT, into)
    }

    /// Takes hold of a directory under the process's root, without following any symbolic link but
    /// the one to the root: the way can't lead out of it.
    ///
    /// # Errors
    ///
    /// [`Error::Gone`] if there is none.
    pub fn directory_in_root(&self, name: &CStr) -> Result<OwnedFd> {
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC | OFlag::O_NOFOLLOW;
        Ok(nix::fcntl::openat(&self.root()?, name, flags, Mode::empty())?)
    }

    /// Takes hold of the process's root.
    ///
    /// # Errors
    ///
    /// [`Error::Gone`] if there is none.
    pub fn root(&self) -> Result<OwnedFd> {
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        Ok(nix::fcntl::openat(self.dir()?, c"root", flags, Mode::empty())?)
    }
}
