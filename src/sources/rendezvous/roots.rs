//! The files that programs open first, in each root directory that there is.
//!
//! A container can give its files any shape, so no symbolic link of it is followed: what is marked
//! is in that root, and a regular file's name at its usual place.

use std::ffi::CString;
use std::io;
use std::os::fd::AsFd;
use std::os::fd::BorrowedFd;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use nix::fcntl::OFlag;
use nix::sys::stat::Mode;
use rustc_hash::FxHashMap;

use crate::metrics::METRICS;
use crate::sys::abi;
use crate::sys::clock;
use crate::sys::fanotify;
use crate::sys::fs;

/// Where the loader's cache is.
const CACHE: (&str, &str) = ("etc", "ld.so.cache");

/// Where the C library can be, without symbolic links on the way.
const LIBRARIES: [&str; 7] = [
    "lib64",
    "usr/lib64",
    "lib/x86_64-linux-gnu",
    "usr/lib/x86_64-linux-gnu",
    "lib/aarch64-linux-gnu",
    "usr/lib/aarch64-linux-gnu",
    "usr/lib",
];

const LIBRARY: &str = "libc.so.6";

/// Roots that are remembered; when there are more, all are forgotten and found again.
const MAX_ROOTS: usize = 4096;

/// How long a root counts as marked: its files may be replaced, and so have no mark.
const AGAIN: Duration = Duration::from_secs(10);

/// Roots by device and inode, and when they were marked.
#[derive(Debug)]
pub(super) struct Roots {
    own: PathBuf,
    known: FxHashMap<(u64, u64), Duration>,
}

impl Roots {
    /// None yet; `own`: our own.
    pub(super) fn of(own: &Path) -> Self {
        Self { own: own.to_owned(), known: FxHashMap::default() }
    }

    pub(super) fn len(&self) -> usize {
        self.known.len()
    }

    /// Marks the files of our own root.
    ///
    /// # Errors
    ///
    /// Those of fanotify_mark(2); `ENOENT` if there is no such file.
    pub(super) fn mark_own(&mut self, group: BorrowedFd<'_>) -> io::Result<()> {
        let root = directory(nix::fcntl::AT_FDCWD, &self.own, OFlag::empty())?;
        let id = fs::stat_fd(root.as_fd())?;
        self.known.insert((id.dev, id.ino), since_boot());
        mark(group, root.as_fd())
    }

    pub(super) fn follow(&mut self, group: BorrowedFd<'_>, pid: i32) {
        let Ok(path) = CString::new(format!("/proc/{pid}/root")) else { return };
        let Ok(root) = fs::stat_target(&path) else { return };
        let now = since_boot();
        let is_fresh = |at: &Duration| now.saturating_sub(*at) < AGAIN;
        if self.known.get(&(root.dev, root.ino)).is_some_and(is_fresh) {
            return;
        }
        if self.known.len() >= MAX_ROOTS {
            self.known.clear();
        }
        self.known.insert((root.dev, root.ino), now);
        let path = PathBuf::from(format!("/proc/{pid}/root"));
        if let Ok(root) = directory(nix::fcntl::AT_FDCWD, &path, OFlag::empty()) {
            // A root without such files has nothing to meet at.
            let _ = mark(group, root.as_fd());
        }
    }

    /// Marks our own root again, and forgets those that nobody has had for a while.
    pub(super) fn tick(&mut self, group: BorrowedFd<'_>) {
        let now = since_boot();
        self.known.retain(|_, at| now.saturating_sub(*at) < 2 * AGAIN);
        let _ = self.mark_own(group);
    }
}

fn since_boot() -> Duration {
    Duration::from_nanos(clock::monotonic_ns())
}

/// Marks the loader's cache of a root or, where there is none, its C library.
fn mark(group: BorrowedFd<'_>, root: BorrowedFd<'_>) -> io::Result<()> {
    let cache = below(root, CACHE.0).and_then(|etc| mark_file(group, etc.as_fd(), CACHE.1));
    if cache.is_ok() {
        return Ok(());
    }
    let mut result = cache;
    for place in LIBRARIES {
        let Ok(directory) = below(root, place) else { continue };
        let marked = mark_file(group, directory.as_fd(), LIBRARY);
        if marked.is_ok() {
            result = marked;
        }
    }
    result
}

fn mark_file(group: BorrowedFd<'_>, directory: BorrowedFd<'_>, name: &str) -> io::Result<()> {
    // On old distributions it is a link to `libc-2.17.so` beside it.
    let mut target = [0; 256];
    let c_name = CString::new(name).unwrap_or_default();
    let target = fs::read_link_at(directory, &c_name, &mut target).ok();
    let target = target.and_then(|target| std::str::from_utf8(target).ok());
    let name = target.filter(|target| !target.contains('/')).unwrap_or(name);
    let stat = nix::sys::stat::fstatat(directory, name, nix::fcntl::AtFlags::AT_SYMLINK_NOFOLLOW)?;
    if stat.st_mode & libc::S_IFMT != libc::S_IFREG {
        return Err(io::Error::from_raw_os_error(libc::ENOENT));
    }
    let (flags, mask) = (abi::FAN_MARK_ADD, abi::FAN_OPEN_PERM);
    fanotify::mark_in(group, flags, mask, directory, Path::new(name))?;
    METRICS.rendezvous.marked.increment();
    Ok(())
}

/// A directory below a root; no symbolic link is followed on the way.
fn below(root: BorrowedFd<'_>, path: &str) -> io::Result<OwnedFd> {
    let mut found = root.try_clone_to_owned()?;
    for name in path.split('/') {
        found = directory(found.as_fd(), Path::new(name), OFlag::O_NOFOLLOW)?;
    }
    Ok(found)
}

fn directory(at: BorrowedFd<'_>, path: &Path, flags: OFlag) -> io::Result<OwnedFd> {
    let flags = flags | OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    Ok(nix::fcntl::openat(at, path, flags, Mode::empty())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_link_of_a_root_leads_out_of_it() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(root.path().join("usr/lib64")).unwrap();
        std::os::unix::fs::symlink("/etc", root.path().join("etc")).unwrap();
        let fd = directory(nix::fcntl::AT_FDCWD, root.path(), OFlag::empty()).unwrap();
        assert!(below(fd.as_fd(), "etc").is_err());
        assert!(below(fd.as_fd(), "usr/lib64").is_ok());
    }
}
