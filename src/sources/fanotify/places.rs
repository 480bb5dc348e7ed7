//! Directories that rules name, watched by themselves: what is opened there is told even if the
//! kernel was told to be silent of the file, under a name that it had before.
//!
//! Each directory has a mark for its entries in a group of its own, where nothing is ignored. The
//! marks are on inodes: a directory that comes later is noticed by inotify(7) in the one above
//! it, and marked then. What happens there in the moment between is told unless the file was
//! ignored before it was moved.
//!
//! What the group that watches mounts tells anyway is told there alone: such a file is left out here,
//! until it is ignored there.
//!
//! Bounded: with more directories than [`MAX_DIRECTORIES`] the places are not covered, and that
//! is told to who asks.

use std::collections::BTreeSet;
use std::collections::HashMap;
use std::ffi::OsStr;
use std::ffi::OsString;
use std::io;
use std::os::fd::AsFd;
use std::os::fd::BorrowedFd;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::path::PathBuf;

use nix::sys::inotify::WatchDescriptor;
use rustc_hash::FxHashSet;

use crate::metrics::METRICS;
use crate::probe::Feature;
use crate::sys::abi;
use crate::sys::fanotify;
use crate::sys::fs::is_local;
use crate::sys::fs::is_of_root;
use crate::sys::poll::DirectoryWatch;

/// Most directories that are marked: each takes half a kilobyte of the kernel's memory and holds
/// its inode there.
const MAX_DIRECTORIES: usize = 4096;

/// Deepest nesting that is followed.
const MAX_DEPTH: usize = 32;

/// Most files that are left out: each holds its inode in memory.
const MAX_LEFT_OUT: usize = 4096;

/// Where files lie that a rule can match.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Place {
    /// This file.
    File(PathBuf),
    /// In this directory, not below.
    Directory(PathBuf),
    /// Wherever the path begins with this text.
    Beginning(PathBuf),
}

impl Place {
    /// The file, if it is one.
    pub(in crate::sources) fn file(&self) -> Option<&Path> {
        match self {
            Self::File(path) => Some(path),
            _ => None,
        }
    }

    /// Whether files of the place can lie in or below a directory.
    fn may_be_in(&self, directory: &Path) -> bool {
        match self {
            Self::File(path) | Self::Directory(path) => path.starts_with(directory),
            Self::Beginning(text) => {
                text.starts_with(directory)
                    || directory.as_os_str().as_bytes().starts_with(text.as_os_str().as_bytes())
            }
        }
    }
}

/// The second group.
#[derive(Debug)]
pub(in crate::sources) struct PlaceWatch {
    group: Option<OwnedFd>,
    newcomers: DirectoryWatch,
    places: Vec<Place>,
    mask: u64,
    marked: BTreeSet<PathBuf>,
    /// Directories in which others are waited for.
    watched: BTreeSet<PathBuf>,
    waited_in: HashMap<WatchDescriptor, PathBuf>,
    /// What is marked is all there is.
    is_covered: bool,
    max: usize,
    avoids: fn(&Path) -> bool,
    /// Files of which nothing is told here, by device and inode.
    left_out: FxHashSet<(u64, u64)>,
    can_leave_out: bool,
}

impl PlaceWatch {
    /// Will mark directories for the events of `mask`; none yet.
    pub(in crate::sources) fn start(group: OwnedFd, mask: u64) -> io::Result<Self> {
        Ok(Self {
            group: Some(group),
            newcomers: DirectoryWatch::new()?,
            places: Vec::new(),
            mask: mask & !abi::FAN_ONDIR | abi::FAN_EVENT_ON_CHILD,
            marked: BTreeSet::new(),
            watched: BTreeSet::new(),
            waited_in: HashMap::new(),
            is_covered: true,
            max: MAX_DIRECTORIES,
            avoids: |_| false,
            left_out: FxHashSet::default(),
            can_leave_out: Feature::is_present("fanotify-report-name"),
        })
    }

    /// Marks no more directories than that.
    pub(in crate::sources) const fn at_most(mut self, max: usize) -> Self {
        self.max = max;
        self
    }

    /// Marks no directory for which `avoids` says so.
    pub(in crate::sources) fn avoiding(mut self, avoids: fn(&Path) -> bool) -> Self {
        self.avoids = avoids;
        self
    }

    /// Whether others wait for us by these marks.
    const fn is_asking(&self) -> bool {
        self.mask & abi::FAN_OPEN_PERM != 0
    }

    /// Gives the group up.
    pub(in crate::sources) fn close(&mut self) {
        self.group = None;
    }

    /// The directories that are marked.
    pub(in crate::sources) fn directories(&self) -> impl Iterator<Item = &Path> {
        self.marked.iter().map(PathBuf::as_path)
    }

    /// Marks the directories of `places`, and none else; whether all of them are.
    pub(in crate::sources) fn set_places(&mut self, places: Vec<Place>) -> bool {
        if let Some(group) = &self.group {
            // Of a group without mount marks this takes all.
            let _ = fanotify::mark(group.as_fd(), abi::FAN_MARK_FLUSH, 0, Path::new("/"));
        }
        self.left_out.clear();
        self.places = places;
        self.mark_all();
        self.is_covered
    }

    /// Tells nothing more of an open file, of which somebody else tells everything. Without effect
    /// where its mark doesn't silence that of its directory (before 5.9), or with too many.
    pub(super) fn leave_out(&mut self, fd: BorrowedFd<'_>, file: (u64, u64)) {
        const FLAGS: u32 =
            abi::FAN_MARK_ADD | abi::FAN_MARK_IGNORED_MASK | abi::FAN_MARK_IGNORED_SURV_MODIFY;
        let Some(group) = self.group.as_ref().filter(|_| self.can_leave_out) else { return };
        if self.left_out.len() >= MAX_LEFT_OUT && !self.left_out.contains(&file) {
            return;
        }
        if fanotify::mark_fd(group.as_fd(), FLAGS, self.ignorable(), fd).is_ok() {
            self.left_out.insert(file);
        }
    }

    /// Tells of an open file again; before somebody else stops to.
    pub(super) fn take_in(&mut self, fd: BorrowedFd<'_>, file: (u64, u64)) {
        if !self.left_out.remove(&file) {
            return;
        }
        if let Some(group) = &self.group {
            let flags = abi::FAN_MARK_REMOVE | abi::FAN_MARK_IGNORED_MASK;
            // Without the mark it is as it should be: another file had that number.
            let _ = fanotify::mark_fd(group.as_fd(), flags, self.ignorable(), fd);
        }
    }

    const fn ignorable(&self) -> u64 {
        self.mask & !abi::FAN_EVENT_ON_CHILD
    }

    pub(super) fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.group.as_ref().map(AsFd::as_fd)
    }

    /// What tells of directories that came: then [`follow`](Self::follow).
    pub(in crate::sources) fn newcomers_fd(&self) -> BorrowedFd<'_> {
        self.newcomers.as_fd()
    }

    /// Whether all directories of the places are marked.
    pub(in crate::sources) const fn is_covered(&self) -> bool {
        self.is_covered
    }

    /// How many directories are marked.
    pub(in crate::sources) fn len(&self) -> usize {
        self.marked.len()
    }

    /// Marks directories that came; whether there were any.
    pub(in crate::sources) fn follow(&mut self) -> bool {
        let is_one = |watch, name: &OsStr| {
            let path = self.waited_in.get(&watch).map(|directory| directory.join(name));
            path.is_none_or(|path| self.places.iter().any(|place| place.may_be_in(&path)))
        };
        let is_new = self.newcomers.has_new_directory(is_one).unwrap_or(true);
        if is_new {
            self.mark_all();
        }
        is_new
    }

    /// Marks all anew: one that was replaced by another of its name has no mark.
    fn mark_all(&mut self) {
        self.marked.clear();
        self.watched.clear();
        self.waited_in.clear();
        self.is_covered = true;
        for place in std::mem::take(&mut self.places) {
            match &place {
                Place::File(path) => path.parent().into_iter().for_each(|path| self.mark(path)),
                Place::Directory(path) => self.mark(path),
                Place::Beginning(text) => self.mark_beginning(text),
            }
            self.places.push(place);
        }
        METRICS.fanotify.directories_marked.add(u64::try_from(self.marked.len()).unwrap_or(0));
    }

    /// Marks a directory, and waits for it and those above it to come or be replaced.
    fn mark(&mut self, path: &Path) {
        for above in path.ancestors().skip(1) {
            self.wait_in(above);
        }
        self.mark_one(path);
    }

    fn mark_one(&mut self, path: &Path) {
        if self.marked.contains(path) {
            return;
        }
        let Some(group) = &self.group else { return };
        if (self.avoids)(path) || self.is_asking() && !may_ask(path) {
            return;
        }
        if self.marked.len() >= self.max {
            self.is_covered = false;
            return;
        }
        match fanotify::mark(group.as_fd(), abi::FAN_MARK_ADD, self.mask, path) {
            Ok(()) => {
                self.marked.insert(path.to_owned());
            }
            // It is not there, and one that comes is noticed.
            Err(error) if matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ENOTDIR)) => {}
            // An old kernel is asked without what it doesn't know.
            Err(error)
                if error.raw_os_error() == Some(libc::EINVAL)
                    && self.mask & abi::FAN_OPEN_EXEC != 0 =>
            {
                self.mask &= !abi::FAN_OPEN_EXEC;
                self.mark_one(path);
            }
            Err(_) => self.is_covered = false,
        }
    }

    fn wait_in(&mut self, directory: &Path) {
        if !self.watched.insert(directory.to_owned()) {
            return;
        }
        match self.newcomers.add_for_newcomers(directory) {
            Ok(watch) => {
                self.waited_in.insert(watch, directory.to_owned());
            }
            Err(error) if matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ENOTDIR)) => {}
            Err(_) => self.is_covered = false,
        }
    }

    /// Marks what the text is the beginning of: in its directory, and whatever lies below those
    /// entries that begin so.
    fn mark_beginning(&mut self, text: &Path) {
        let bytes = text.as_os_str().as_bytes();
        let Some(slash) = bytes.iter().rposition(|&byte| byte == b'/') else { return };
        let (directory, beginning) = bytes.split_at_checked(slash + 1).unwrap_or_default();
        let directory = match directory.strip_suffix(b"/") {
            Some(directory) if !directory.is_empty() => Path::new(OsStr::from_bytes(directory)),
            _ => Path::new("/"),
        };
        self.mark(directory);
        self.wait_in(directory);
        self.mark_below(directory, beginning, 0);
    }

    /// Marks the directories in `directory` whose names begin so, and all below them.
    fn mark_below(&mut self, directory: &Path, beginning: &[u8], depth: usize) {
        if depth >= MAX_DEPTH || !self.is_covered {
            self.is_covered = false;
            return;
        }
        let Ok(entries) = std::fs::read_dir(directory) else { return };
        let is_one = |entry: &std::fs::DirEntry| entry.file_type().is_ok_and(|ty| ty.is_dir());
        let names: Vec<OsString> = entries
            .flatten()
            .filter(|entry| entry.file_name().as_bytes().starts_with(beginning) && is_one(entry))
            .map(|entry| entry.file_name())
            .collect();
        for name in names {
            let below = directory.join(name);
            if (self.avoids)(&below) {
                continue;
            }
            self.mark_one(&below);
            self.wait_in(&below);
            self.mark_below(&below, b"", depth + 1);
        }
    }
}

/// Whether others may be kept waiting who open a file, or those of a directory. What we can't open is
/// denied to them: so it has to be on a filesystem that nobody else answers for. And who owns a file
/// can keep us from opening it for a while (a lease, see fcntl(2)): so it has to be root's.
pub(in crate::sources) fn may_ask(path: &Path) -> bool {
    is_local(path) && is_of_root(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watch(places: Vec<Place>) -> Option<PlaceWatch> {
        let flags = abi::FAN_CLASS_NOTIF | abi::FAN_CLOEXEC | abi::FAN_NONBLOCK;
        let group = fanotify::init(flags, libc::O_RDONLY).ok()?;
        let mut watch = PlaceWatch::start(group, abi::FAN_OPEN | abi::FAN_OPEN_EXEC).ok()?;
        watch.set_places(places);
        Some(watch)
    }

    #[test]
    fn a_beginning_is_every_directory_that_begins_so_and_all_below() {
        let top = tempfile::tempdir().unwrap();
        let top = top.path();
        for directory in ["ab/c/d", "abc", "b"] {
            std::fs::create_dir_all(top.join(directory)).unwrap();
        }
        let Some(watch) = watch(vec![Place::Beginning(top.join("ab"))]) else { return };
        let expected = ["", "ab", "ab/c", "ab/c/d", "abc"];
        let expected: BTreeSet<_> = expected.iter().map(|name| top.join(name)).collect();
        let trimmed: BTreeSet<_> =
            watch.marked.iter().map(|path| path.components().collect::<PathBuf>()).collect();
        let expected: BTreeSet<PathBuf> =
            expected.iter().map(|path| path.components().collect()).collect();
        assert_eq!(trimmed, expected);
        assert!(watch.is_covered());
    }

    #[test]
    fn a_directory_that_comes_later_is_marked_then() {
        let top = tempfile::tempdir().unwrap();
        let later = top.path().join("x/y");
        let Some(mut watch) = watch(vec![Place::Directory(later.clone())]) else { return };
        assert!(watch.is_covered() && !watch.marked.contains(&later));
        std::fs::create_dir(top.path().join("x")).unwrap();
        assert!(watch.follow());
        std::fs::create_dir(&later).unwrap();
        assert!(watch.follow());
        assert!(watch.marked.contains(&later));
        std::fs::write(top.path().join("x/file"), "").unwrap();
        assert!(!watch.follow(), "a file is no directory");
        std::fs::create_dir(top.path().join("x/other")).unwrap();
        assert!(!watch.follow(), "no rule names it");
    }

    #[test]
    fn too_many_are_not_covered() {
        let top = tempfile::tempdir().unwrap();
        let Some(mut watch) = watch(Vec::new()) else { return };
        watch.marked = (0..MAX_DIRECTORIES).map(|n| PathBuf::from(format!("/{n}"))).collect();
        watch.mark_one(top.path());
        assert!(!watch.is_covered());
    }
}
