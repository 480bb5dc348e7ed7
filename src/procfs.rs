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
use std::os::fd::BorrowedFd;
use std::os::fd::OwnedFd;
use std::path::Path;

use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::AtFlags;
use nix::fcntl::OFlag;
use nix::sys::stat::FileStat;
use nix::sys::stat::Mode;

use crate::sys;

pub mod standing;
pub mod taken;

use taken::Taken;

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
        Ok(ProcessDir { dir: Some(dir), taken: None })
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
        read_file(self.dir.as_fd(), name, limit, into)
    }
}

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
    const WORDS: usize = 8;
    const LEN: usize = Self::WORDS * size_of::<u64>();

    fn words(self) -> [u64; Self::WORDS] {
        let Self { dev, ino, mode, uid, gid, nlink, ctime_ns, mtime_ns } = self;
        [dev, ino, mode.into(), uid.into(), gid.into(), nlink, ctime_ns, mtime_ns]
    }

    fn of_words([dev, ino, mode, uid, gid, nlink, ctime_ns, mtime_ns]: [u64; Self::WORDS]) -> Self {
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
    /// Answers as a process did when it was looked at; what wasn't asked for then is asked of
    /// `now`, if that is there.
    #[must_use]
    pub fn taken(taken: Taken, now: Option<Self>) -> Self {
        Self { dir: now.and_then(|now| now.dir), taken: Some(Box::new(taken)) }
    }

    fn dir(&self) -> Result<BorrowedFd<'_>> {
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
        Ok(FdsDir { dir: nix::fcntl::openat(self.dir()?, c"fd", flags, Mode::empty())? })
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
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let root = nix::fcntl::openat(self.dir()?, c"root", flags, Mode::empty())?;
        Ok(nix::fcntl::openat(&root, name, flags | OFlag::O_NOFOLLOW, Mode::empty())?)
    }
}

/// The open descriptors of one process.
#[derive(Debug)]
pub struct FdsDir {
    dir: OwnedFd,
}

impl FdsDir {
    /// The numbers of at most `limit` descriptors, in ascending order.
    ///
    /// # Errors
    ///
    /// Those of getdents(2).
    pub fn numbers(&self, limit: usize, into: &mut Vec<i32>) -> Result<()> {
        into.clear();
        let mut entries = sys::fs::entries(self.dir.try_clone()?)?;
        each_number(&mut entries, |number| {
            into.push(number);
            if into.len() < limit { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })
    }

    /// The text of a descriptor's link.
    ///
    /// # Errors
    ///
    /// [`Error::Gone`] if it was closed.
    pub fn link<'b>(&self, number: i32, buffer: &'b mut [u8]) -> Result<&'b [u8]> {
        read_link(self.dir.as_fd(), decimal_name(number, &mut [0; 12]), buffer)
    }

    /// What stat(2) says of the open file.
    ///
    /// # Errors
    ///
    /// [`Error::Gone`] if it was closed.
    pub fn stat(&self, number: i32) -> Result<FileStat> {
        let mut digits = [0; 12];
        let name = decimal_name(number, &mut digits);
        Ok(nix::sys::stat::fstatat(&self.dir, name, AtFlags::empty())?)
    }

    /// What the kernel calls the protocol of a socket: `TCP`, `UDPv6`, `UNIX-STREAM` …
    ///
    /// # Errors
    ///
    /// [`Error::Gone`] if it was closed; of what is no socket any error.
    pub fn socket_protocol<'b>(&self, number: i32, buffer: &'b mut [u8]) -> Result<&'b [u8]> {
        let name = c"system.sockprotoname";
        let value =
            sys::fs::attribute_of(self.dir.as_fd(), number, name, buffer).map_err(|error| {
                error.raw_os_error().map_or(Error::Denied, |n| Errno::from_raw(n).into())
            })?;
        Ok(value.strip_suffix(b"\0").unwrap_or(value))
    }
}

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

fn read_file(
    directory: BorrowedFd<'_>,
    name: &CStr,
    limit: usize,
    into: &mut Vec<u8>,
) -> Result<()> {
    into.clear();
    let file = open_file(directory, name)?;
    read_open(file.as_fd(), limit, into)
}

fn open_file(directory: BorrowedFd<'_>, name: &CStr) -> Result<OwnedFd> {
    let flags = OFlag::O_RDONLY | OFlag::O_CLOEXEC;
    Ok(nix::fcntl::openat(directory, name, flags, Mode::empty())?)
}

fn read_retrying(file: BorrowedFd<'_>, into: &mut [u8]) -> Result<usize> {
    loop {
        match nix::unistd::read(file, into) {
            Err(Errno::EINTR) => {}
            other => return Ok(other?),
        }
    }
}

fn read_link<'b>(directory: BorrowedFd<'_>, name: &CStr, buffer: &'b mut [u8]) -> Result<&'b [u8]> {
    sys::fs::read_link_at(directory, name, buffer).map_err(|error| match error.raw_os_error() {
        Some(errno) => Errno::from_raw(errno).into(),
        None => Error::Io(error),
    })
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
