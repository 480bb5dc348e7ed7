//! Whether files that were loaded have changed.
//!
//! Directories are watched, not files: an editor renames a new file over the old one, and
//! kubernetes swaps a symbolic link to a directory. Both are a changed name in a directory. What
//! changed is not asked for; a burst of changes is one, told when it is over.

use std::collections::BTreeSet;
use std::os::fd::{AsFd as _, AsRawFd as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::log;
use crate::log::Level;
use crate::sys::clock;
use crate::sys::poll::DirectoryWatch;

/// How long it has to be quiet before a change is told.
const QUIET: Duration = Duration::from_millis(300);

/// After how long it is told, quiet or not.
const AT_LAST: Duration = Duration::from_secs(3);

/// Most symbolic links that are followed from one name, as in path_resolution(7).
const MAX_LINKS: usize = 40;

/// The watch.
#[derive(Debug, Default)]
pub struct FileWatch {
    directories: Option<DirectoryWatch>,
    watched: Vec<PathBuf>,
    /// What each name led to when it was looked at last.
    seen: Vec<Option<Seen>>,
    /// When the first and the last change of a burst came, on the monotonic clock.
    burst: Option<(u64, u64)>,
}

/// What tells one version of a file from the next: device, inode, size, time of change.
type Seen = (u64, u64, u64, i64, i64);

impl FileWatch {
    /// Watches these files and directories.
    #[must_use]
    pub fn of(paths: &[PathBuf]) -> Self {
        let mut watch = Self::default();
        watch.set(paths);
        watch
    }

    /// Watches these and no others. Each name's links are looked up anew.
    pub fn set(&mut self, paths: &[PathBuf]) {
        if paths.is_empty() {
            *self = Self::default();
            return;
        }
        if self.directories.is_none() {
            match DirectoryWatch::new() {
                Ok(watch) => self.directories = Some(watch),
                Err(error) => {
                    log!(Level::Warning, "changed files will not be noticed: inotify: {error}");
                    return;
                }
            }
        }
        let Some(watch) = &self.directories else { return };
        for directory in directories(paths) {
            if let Err(error) = watch.add(&directory) {
                let shown = directory.display();
                log!(Level::Warning, "changes in {shown} will not be noticed: inotify: {error}");
            }
        }
        if self.watched == paths {
            return;
        }
        let is_first = self.watched.is_empty();
        self.watched = paths.to_vec();
        if is_first {
            self.seen = look(paths);
        } else {
            // What is new here may have changed between its being read and its being watched.
            self.seen.clear();
            self.note();
        }
    }

    /// The descriptor that can be read when something may have changed.
    #[must_use]
    pub fn fd(&self) -> Option<i32> {
        self.directories.as_ref().map(|watch| watch.as_fd().as_raw_fd())
    }

    /// Takes what has come off the descriptor.
    pub fn note(&mut self) {
        if let Some(watch) = &self.directories {
            while watch.changes().is_ok_and(|changes| !changes.is_empty()) {}
        }
        let now = clock::monotonic_ns();
        self.burst = Some((self.burst.map_or(now, |(first, _)| first), now));
    }

    /// Whether something has changed and it has been quiet since.
    pub fn is_due(&mut self) -> bool {
        let Some(due) = self.due() else { return false };
        if clock::monotonic_ns() < due {
            return false;
        }
        self.burst = None;
        // Others may work in the same directories.
        let now = look(&self.watched);
        let is_other = now != self.seen;
        self.seen = now;
        is_other
    }

    /// When [`Self::is_due`] should be asked, nanoseconds since the epoch.
    #[must_use]
    pub fn due_ns(&self) -> Option<u64> {
        let left = self.due()?.saturating_sub(clock::monotonic_ns());
        Some(clock::realtime_ns().saturating_add(left))
    }

    fn due(&self) -> Option<u64> {
        let ns = |duration: Duration| u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        let (first, last) = self.burst?;
        Some(last.saturating_add(ns(QUIET)).min(first.saturating_add(ns(AT_LAST))))
    }
}

/// What each path leads to; of a directory, of all that lies in it.
fn look(paths: &[PathBuf]) -> Vec<Option<Seen>> {
    use std::os::unix::fs::MetadataExt as _;
    let mut seen = Vec::new();
    let mut one = |path: &Path| {
        let metadata = path.metadata().ok();
        let is_directory = metadata.as_ref().is_some_and(std::fs::Metadata::is_dir);
        seen.push(metadata.map(|it| (it.dev(), it.ino(), it.size(), it.mtime(), it.mtime_nsec())));
        is_directory
    };
    for path in paths {
        if one(path) {
            let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
            let mut entries: Vec<_> = entries.map(|entry| entry.path()).collect();
            entries.sort();
            for entry in &entries {
                one(entry);
            }
        }
    }
    seen
}

/// The directories in which a change could lead one of the names elsewhere.
fn directories(paths: &[PathBuf]) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    for path in paths {
        let mut path = path.clone();
        for _ in 0..MAX_LINKS {
            if path.is_dir() {
                found.insert(path.clone());
            }
            let Some(parent) = path.parent() else { break };
            found.insert(parent.to_path_buf());
            let Some(target) = link_in(&path) else { break };
            path = target;
        }
    }
    found.retain(|directory| directory.is_dir());
    found
}

/// The path with the last of its links, if it has one, replaced by what that leads to.
fn link_in(path: &Path) -> Option<PathBuf> {
    path.ancestors().find_map(|ancestor| {
        let target = std::fs::read_link(ancestor).ok()?;
        let rest = path.strip_prefix(ancestor).ok()?;
        let target = ancestor.parent().unwrap_or_else(|| Path::new("/")).join(target);
        Some(if rest.as_os_str().is_empty() { target } else { target.join(rest) })
    })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::time::Instant;

    use super::*;
    use crate::sys::poll::wait_readable;

    /// Whether a change is told, within a deadline that no burst needs.
    fn is_told(watch: &mut FileWatch) -> bool {
        let end = Instant::now() + Duration::from_secs(20);
        while Instant::now() < end {
            let directories = watch.directories.as_ref().unwrap();
            if wait_readable(directories.as_fd(), Duration::from_millis(20)).unwrap() {
                watch.note();
            }
            if watch.burst.is_some() && watch.due().unwrap() <= clock::monotonic_ns() {
                return watch.is_due();
            }
        }
        false
    }

    #[test]
    fn a_file_that_is_written_or_renamed_over_is_told_once() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("rules.yaml");
        fs::write(&path, "a").unwrap();
        let mut watch = FileWatch::of(std::slice::from_ref(&path));
        assert!(!watch.is_due());
        fs::write(&path, "ab").unwrap();
        assert!(is_told(&mut watch));
        fs::write(directory.path().join(".new"), "cd").unwrap();
        fs::rename(directory.path().join(".new"), &path).unwrap();
        assert!(is_told(&mut watch));
        assert!(!watch.is_due());
    }

    #[test]
    fn another_file_in_the_same_directory_is_not_told() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("rules.yaml");
        fs::write(&path, "a").unwrap();
        let mut watch = FileWatch::of(&[path]);
        fs::write(directory.path().join("other"), "x").unwrap();
        assert!(!is_told(&mut watch));
    }

    #[test]
    fn a_swapped_link_to_a_directory_is_told() {
        // As kubernetes updates a ConfigMap: rules.yaml -> ..data/rules.yaml, ..data -> ..1.
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        for (version, text) in [("..1", "a"), ("..2", "b")] {
            fs::create_dir(at(version)).unwrap();
            fs::write(at(version).join("rules.yaml"), text).unwrap();
        }
        symlink("..1", at("..data")).unwrap();
        symlink("..data/rules.yaml", at("rules.yaml")).unwrap();
        let mut watch = FileWatch::of(&[at("rules.yaml")]);
        symlink("..2", at("..data_tmp")).unwrap();
        fs::rename(at("..data_tmp"), at("..data")).unwrap();
        assert!(is_told(&mut watch));
    }

    #[test]
    fn a_new_file_in_a_listed_directory_is_told() {
        let directory = tempfile::tempdir().unwrap();
        let mut watch = FileWatch::of(&[directory.path().to_path_buf()]);
        fs::write(directory.path().join("new.yaml"), "x").unwrap();
        assert!(is_told(&mut watch));
    }

    #[test]
    fn a_file_that_comes_back_is_told() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("rules.yaml");
        let mut watch = FileWatch::of(std::slice::from_ref(&path));
        fs::write(&path, "a").unwrap();
        assert!(is_told(&mut watch));
        fs::remove_file(&path).unwrap();
        assert!(is_told(&mut watch));
    }
}
