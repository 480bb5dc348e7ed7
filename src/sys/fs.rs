//! Files by descriptor, where std and nix allocate or lack the call.

use std::ffi::CStr;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::AsFd;
use std::os::fd::AsRawFd;
use std::os::fd::BorrowedFd;
use std::os::fd::FromRawFd;
use std::os::fd::OwnedFd;
use std::path::Path;

use nix::dir::Dir;
use nix::fcntl::OFlag;
use nix::sys::stat::Mode;

/// The directory /proc/self/fd: what the process's descriptors point to.
///
/// It belongs to the process that opened it, so open it after the last fork.
#[derive(Debug)]
pub struct DescriptorLinks {
    directory: OwnedFd,
}

impl DescriptorLinks {
    /// Opens the directory.
    ///
    /// # Errors
    ///
    /// `ENOENT` if /proc is not mounted.
    pub fn open() -> io::Result<Self> {
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let directory = nix::fcntl::open("/proc/self/fd", flags, Mode::empty())?;
        Ok(Self { directory })
    }

    /// The same of the calling thread alone, which may have a table of descriptors of its own.
    ///
    /// # Errors
    ///
    /// Those of [`open`](Self::open).
    pub fn open_of_thread() -> io::Result<Self> {
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        // There is no /proc/thread-self before 3.17.
        let path = format!("/proc/self/task/{}/fd", nix::unistd::gettid());
        Ok(Self { directory: nix::fcntl::open(path.as_str(), flags, Mode::empty())? })
    }

    /// Reads into `buffer` where the link of `fd` points to.
    ///
    /// # Errors
    ///
    /// `ENAMETOOLONG` for a path beyond 4095 bytes, or one that fills the buffer.
    pub fn read<'b>(&self, fd: BorrowedFd<'_>, buffer: &'b mut [u8]) -> io::Result<&'b [u8]> {
        let mut digits = [0; DIGITS + 1];
        read_link_at(self.directory.as_fd(), decimal(fd.as_raw_fd(), &mut digits), buffer)
    }
}

/// Digits of the largest descriptor.
const DIGITS: usize = 10;

/// A descriptor's number as text, written to the end of `digits`, whose last byte stays NUL.
fn decimal(number: i32, digits: &mut [u8; DIGITS + 1]) -> &CStr {
    let mut rest = number.unsigned_abs();
    let mut start = DIGITS;
    for (place, digit) in digits.iter_mut().enumerate().take(DIGITS).rev() {
        *digit = b'0' + u8::try_from(rest % 10).unwrap_or(0);
        rest /= 10;
        start = place;
        if rest == 0 {
            break;
        }
    }
    CStr::from_bytes_with_nul(digits.get(start..).unwrap_or_default()).unwrap_or_default()
}

/// The entries of a directory.
///
/// # Errors
///
/// Those of fdopendir(3): `ENOENT` if it is one of a process in /proc that has ended.
#[doc(alias = "fdopendir")]
pub fn entries(directory: OwnedFd) -> nix::Result<Dir> {
    let number = directory.as_raw_fd();
    Dir::from_fd(directory).inspect_err(|_| {
        // SAFETY: nix 0.31's `from_fd` has made the descriptor a number and, where fdopendir(3) fails
        // and takes nothing over, forgotten it: nobody else owns it.
        drop(unsafe { OwnedFd::from_raw_fd(number) });
    })
}

/// Reads an extended attribute of what entry `number` of a directory leads to.
///
/// # Errors
///
/// Those of getxattr(2); `ERANGE` if `buffer` is too small.
#[doc(alias = "getxattr")]
pub fn attribute_of<'b>(
    directory: BorrowedFd<'_>,
    number: i32,
    name: &CStr,
    buffer: &'b mut [u8],
) -> io::Result<&'b [u8]> {
    const OWN: &[u8] = b"/proc/self/fd/";
    let mut path = [0; OWN.len() + 2 * (DIGITS + 1)];
    let (mut first, mut second) = ([0; DIGITS + 1], [0; DIGITS + 1]);
    let pieces = [
        OWN,
        decimal(directory.as_raw_fd(), &mut first).to_bytes(),
        b"/",
        decimal(number, &mut second).to_bytes(),
    ];
    for (place, byte) in path.iter_mut().zip(pieces.into_iter().flatten()) {
        *place = *byte;
    }
    let path = CStr::from_bytes_until_nul(&path).unwrap_or_default();
    let start = buffer.as_mut_ptr().cast();
    // SAFETY: both texts end in NUL, and the call writes at most `buffer.len()` bytes from `start`,
    // which is our buffer's; it keeps none of the pointers.
    let returned = unsafe { libc::getxattr(path.as_ptr(), name.as_ptr(), start, buffer.len()) };
    let len = super::check_len(returned)?;
    Ok(buffer.get(..len).unwrap_or_default())
}

/// Reads a symbolic link below a directory into `buffer`; the link's text.
///
/// # Errors
///
/// Those of readlinkat(2); `ENAMETOOLONG` if the text fills the buffer and so may have been cut.
#[doc(alias = "readlinkat")]
pub fn read_link_at<'b>(
    directory: BorrowedFd<'_>,
    name: &CStr,
    buffer: &'b mut [u8],
) -> io::Result<&'b [u8]> {
    let start = buffer.as_mut_ptr().cast();
    // SAFETY: `name` ends in NUL, and the call writes at most `buffer.len()` bytes from `start`,
    // which is our buffer's; it keeps neither pointer.
    let returned =
        unsafe { libc::readlinkat(directory.as_raw_fd(), name.as_ptr(), start, buffer.len()) };
    let len = super::check_len(returned)?;
    if len == buffer.len() {
        return Err(io::Error::from_raw_os_error(libc::ENAMETOOLONG));
    }
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
    /// Its owner.
    pub uid: u32,
    /// Hard links; zero: it has no name any more.
    pub links: u64,
    /// The mount that it was reached through, as in mountinfo; `None` before 5.8, and where it
    /// was not asked for.
    pub mount: Option<u64>,
}

impl From<nix::sys::stat::FileStat> for Stat {
    fn from(stat: nix::sys::stat::FileStat) -> Self {
        Self {
            dev: stat.st_dev,
            ino: stat.st_ino,
            mode: stat.st_mode,
            uid: stat.st_uid,
            links: stat.st_nlink,
            mount: None,
        }
    }
}

/// What is known of an open file, its mount included; a filesystem's server is not asked.
///
/// # Errors
///
/// Those of statx(2); without that call (before 4.11) those of fstat(2).
#[doc(alias = "statx")]
pub fn stat_fd(fd: BorrowedFd<'_>) -> io::Result<Stat> {
    // The C library may emulate it for other flags than ours, or not at all.
    match statx(fd) {
        Err(_) => Ok(nix::sys::stat::fstat(fd)?.into()),
        found => found,
    }
}

/// Filesystems whose files root can open at once, whoever has mounted them: those of the host's own
/// disks and memory, by linux/magic.h and the filesystems' own headers. Not those of a network or of
/// a process.
const LOCAL: [i64; 12] = [
    0xEF53,      // ext2, ext3, ext4
    0x5846_5342, // xfs
    0x9123_683E, // btrfs
    0xF2F5_2010, // f2fs
    0x2FC1_2FC1, // zfs
    0x0102_1994, // tmpfs
    0x8584_58F6, // ramfs
    0x794C_7630, // overlay
    0x7371_7368, // squashfs
    0xE0F5_E1E2, // erofs
    0x4D44,      // vfat
    0x9660,      // iso9660
];

/// Whether a path is on a filesystem whose files root can open at once. Where others wait until we
/// have opened what they open it has to be one: what we can't open is denied to them.
#[must_use]
#[doc(alias = "statfs")]
pub fn is_local(path: &Path) -> bool {
    nix::sys::statfs::statfs(path).is_ok_and(|found| LOCAL.contains(&found.filesystem_type().0))
}

/// The same of an open file or directory.
#[must_use]
#[doc(alias = "fstatfs")]
pub fn is_local_fd(fd: BorrowedFd<'_>) -> bool {
    nix::sys::statfs::fstatfs(fd).is_ok_and(|found| LOCAL.contains(&found.filesystem_type().0))
}

/// Whether a path is root's, and nobody else may write there.
#[must_use]
pub fn is_of_root(path: &Path) -> bool {
    nix::sys::stat::lstat(path).is_ok_and(|stat| stat.st_uid == 0 && stat.st_mode & 0o022 == 0)
}

/// How far a path is followed that others have given.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Follow {
    /// As far as all of it is in the kernel's memory: nothing is read, and no filesystem's server
    /// asked (5.12). Symbolic links of an overlay are never in memory.
    Known,
    /// As long as it doesn't leave the mount that it begins on (5.6).
    OneMount,
}

/// Takes hold of what `path` leads to below the directory `root`, as for a process with that root.
///
/// # Errors
///
/// Those of openat2(2): `EAGAIN` if something would have to be read, `EXDEV` if it leaves the mount;
/// `ENOSYS` and `EINVAL` on old kernels.
#[doc(alias = "openat2")]
pub fn open_in(root: BorrowedFd<'_>, path: &CStr, follow: Follow) -> io::Result<OwnedFd> {
    let limit = match follow {
        Follow::Known => libc::RESOLVE_CACHED,
        Follow::OneMount => libc::RESOLVE_NO_XDEV,
    };
    let how = [
        u64::from((libc::O_PATH | libc::O_CLOEXEC).cast_unsigned()),
        0,
        libc::RESOLVE_IN_ROOT | limit,
    ];
    // SAFETY: the path ends in NUL, and `how` is a struct open_how: three words, whose size is told.
    let returned = unsafe {
        libc::syscall(
            libc::SYS_openat2,
            root.as_raw_fd(),
            path.as_ptr(),
            how.as_ptr(),
            size_of_val(&how),
        )
    };
    let number = i32::try_from(returned).unwrap_or(-1);
    super::check(number)?;
    // SAFETY: the kernel has just returned the number to us alone.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// What is known of the open file of that number, if there is one.
///
/// # Errors
///
/// Those of fstat(2): `EBADF` if nothing is open there.
pub fn stat_number(number: i32) -> io::Result<Stat> {
    let mut found = MaybeUninit::<libc::stat>::zeroed();
    // SAFETY: the call takes any number, and writes one struct stat, for which `found` has room.
    super::check(unsafe { libc::fstat(number, found.as_mut_ptr()) })?;
    // SAFETY: all-zero bytes are a valid struct stat, and the call has filled it.
    Ok(unsafe { found.assume_init() }.into())
}

fn statx(fd: BorrowedFd<'_>) -> io::Result<Stat> {
    const WANTED: u32 = libc::STATX_BASIC_STATS | libc::STATX_MNT_ID;
    let flags = libc::AT_EMPTY_PATH | libc::AT_STATX_DONT_SYNC;
    let mut found = MaybeUninit::<libc::statx>::zeroed();
    // SAFETY: the path is a NUL-terminated constant, and the call writes one struct statx, for
    // which `found` has room.
    let returned =
        unsafe { libc::statx(fd.as_raw_fd(), c"".as_ptr(), flags, WANTED, found.as_mut_ptr()) };
    super::check(returned)?;
    // SAFETY: all-zero bytes are a valid struct statx, and the call has filled it.
    let found = unsafe { found.assume_init() };
    Ok(Stat {
        dev: libc::makedev(found.stx_dev_major, found.stx_dev_minor),
        ino: found.stx_ino,
        mode: found.stx_mode.into(),
        uid: found.stx_uid,
        links: found.stx_nlink.into(),
        mount: (found.stx_mask & libc::STATX_MNT_ID != 0).then_some(found.stx_mnt_id),
    })
}

/// What is known of the file that `path` leads to.
///
/// # Errors
///
/// Those of stat(2).
#[doc(alias = "stat")]
pub fn stat_target(path: &CStr) -> io::Result<Stat> {
    Ok(nix::sys::stat::stat(path)?.into())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_without_leading_zeros() {
        for number in [0, 7, 10, 16_384, i32::MAX] {
            let mut digits = [0; DIGITS + 1];
            assert_eq!(decimal(number, &mut digits).to_str().unwrap(), number.to_string());
        }
    }

    #[test]
    fn device_inode_and_links_are_those_of_fstat() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut found = stat_fd(file.as_file().as_fd()).unwrap();
        found.mount = None;
        let expected = nix::sys::stat::fstat(file.as_file()).unwrap();
        assert_eq!(found, expected.into());
    }

    #[test]
    fn a_directory_of_a_process_that_has_ended_leaves_no_descriptor() {
        let mut child = std::process::Command::new("sleep").arg("1000").spawn().unwrap();
        let path = format!("/proc/{}/fd", child.id());
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let directory = nix::fcntl::open(path.as_str(), flags, Mode::empty()).unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(entries(directory).is_err());
        let of_it = |link: &Path| link.as_os_str() == path.as_str();
        let mut held = std::fs::read_dir("/proc/self/fd").unwrap();
        assert!(!held.any(|fd| std::fs::read_link(fd.unwrap().path()).is_ok_and(|l| of_it(&l))));
    }

    #[test]
    fn the_link_of_a_descriptor_is_its_path() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut buffer = [0; 4096];
        let links = DescriptorLinks::open().unwrap();
        let path = links.read(file.as_file().as_fd(), &mut buffer).unwrap();
        assert_eq!(path, file.path().as_os_str().as_encoded_bytes());
    }
}
