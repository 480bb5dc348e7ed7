//! From an event with its descriptor to a record with its path.

use std::io::Read as _;
use std::os::fd::AsFd as _;
use std::os::fd::BorrowedFd;

use super::FileWatch;
use super::Group;
use super::MAX_FDINFO;
use super::Mount;
use super::ignoring::Opened;
use super::is_below;
use super::since_boot;
use crate::decode::FileRecord;
use crate::decode::Record;
use crate::decode::fanotify::FileEvent;
use crate::decode::procfs;
use crate::metrics::METRICS;
use crate::probe::Outcome;
use crate::sources::LOOK_INTERVAL;
use crate::sources::mounts::Table;
use crate::sys::abi;
use crate::sys::fanotify;
use crate::sys::fs;
use crate::sys::process;

/// What a record is made for.
const ANY: u64 = abi::FAN_OPEN | abi::FAN_CLOSE_WRITE | abi::FAN_CLOSE_NOWRITE;

impl FileWatch {
    /// Hands on one event, unless it is our own; `true` if its file could not be told.
    pub(super) fn tell(
        &mut self,
        event: FileEvent,
        from: Group,
        now_ns: u64,
        sink: &mut dyn FnMut(Record<'_>),
    ) -> bool {
        let Some(fd) = fanotify::EventFd::adopt(event.fd) else {
            return true;
        };
        if event.pid == self.own_pid {
            METRICS.fanotify.own.increment();
            return false;
        }
        let stat = fs::stat_fd(fd.as_fd()).unwrap_or_default();
        if from == Group::Places && !self.is_silent_of(&stat) {
            self.leave_out(fd.as_fd(), &stat);
            return false;
        }
        // A path that does not fit a page cannot be told; the event can.
        let text = self.links.read(fd.as_fd(), &mut self.path).unwrap_or_default();
        let (path, deleted) = without_deleted(text, &stat);
        let is_unsure = deleted && self.deleted_name != Outcome::Present;
        let len = path.len();
        let is_whole = !is_unsure && self.is_whole(event, stat.mount, len);
        let len = if is_whole { len } else { 0 };
        let mask = self.untold(from, event, fd.as_fd(), &stat, len);
        if mask & ANY == 0 {
            return false;
        }
        sink(Record::File(FileRecord {
            mask,
            pid: event.pid,
            path: self.path.get(..len).unwrap_or_default(),
            deleted,
            mode: stat.mode,
            dev: stat.dev,
            ino: stat.ino,
            read_at_ns: now_ns,
        }));
        METRICS.fanotify.records.increment();
        if from == Group::Mounts && mask & abi::FAN_OPEN != 0 && !deleted {
            self.consider(fd.as_fd(), &stat, len);
        }
        false
    }

    /// Whether the group that watches mounts is, or was just before, silent of a file.
    fn is_silent_of(&self, stat: &fs::Stat) -> bool {
        self.ignoring.as_ref().is_some_and(|ignoring| ignoring.is_silent(stat))
    }

    /// Leaves a file to the group that watches mounts.
    fn leave_out(&mut self, fd: BorrowedFd<'_>, stat: &fs::Stat) {
        if let Some(places) = &mut self.places {
            places.leave_out(fd, (stat.dev, stat.ino));
        }
    }

    /// The bits of an event that the other group doesn't tell. `len`: of the path in the buffer.
    fn untold(
        &mut self,
        from: Group,
        event: FileEvent,
        fd: BorrowedFd<'_>,
        stat: &fs::Stat,
        len: usize,
    ) -> u64 {
        let Some(ignoring) = &mut self.ignoring else {
            return if from == Group::Mounts { event.mask } else { 0 };
        };
        if from == Group::Mounts {
            return ignoring.untold(event.pid, stat, event.mask);
        }
        let path = self.path.get(..len).unwrap_or_default();
        if !ignoring.accept(self.group.as_fd(), self.mask, fd, (stat, path)) {
            return 0;
        }
        ignoring.told(event.pid, stat, event.mask);
        event.mask
    }

    /// Has the kernel be silent of a file from now on if no rule can match its open.
    fn consider(&mut self, fd: BorrowedFd<'_>, stat: &fs::Stat, len: usize) {
        let Some(ignoring) = &mut self.ignoring else { return };
        let path = self.path.get(..len).unwrap_or_default();
        let mount = match stat.mount {
            Some(id) => self.mounts.table().get(&id).or_else(|| self.namespaces.mount(id)),
            None => mount_of_own(self.mounts.table(), path, stat),
        };
        let Some(mount) = mount.filter(|_| !path.is_empty()) else { return };
        let file = Opened { path, stat, mount, now: since_boot() };
        let places = self.places.as_mut();
        ignoring.consider(self.group.as_fd(), self.mask, fd, (&file, places));
    }

    /// Whether the path begins with its mount's place. It does not if the mount is gone: then the
    /// kernel shows what is below it alone.
    fn is_whole(&mut self, event: FileEvent, mount: Option<u64>, len: usize) -> bool {
        let Some(mount) = mount.or_else(|| self.mount_of_the_gone(event)) else { return true };
        if self.is_on(mount, len) {
            return true;
        }
        // It may have been moved, as a container's are at its start.
        let now = since_boot();
        if self.namespaces.mount(mount).is_some() {
            let (namespaces, mark) = self.namespaces();
            return namespaces.look_again(mount, now, mark) && self.is_on(mount, len);
        }
        now.saturating_sub(self.mounts_read_at) >= LOOK_INTERVAL
            && self.follow_mounts().is_ok()
            && self.is_on(mount, len)
    }

    /// Whether the first `len` bytes of the path buffer are a path on that mount.
    fn is_on(&self, mount: u64, len: usize) -> bool {
        let mount = self.mounts.table().get(&mount).or_else(|| self.namespaces.mount(mount));
        let path = self.path.get(..len).unwrap_or_default();
        mount.is_some_and(|mount| is_below(path, &mount.mount_point))
    }

    /// The mount of an event, where the kernel does not tell it with the rest (before 5.8) and it
    /// may be gone: with the process and other mount namespaces.
    fn mount_of_the_gone(&self, event: FileEvent) -> Option<u64> {
        if self.namespaces.len() == 0 || !process::is_gone(event.pid) {
            return None;
        }
        let file = std::fs::File::open(format!("/proc/self/fdinfo/{}", event.fd)).ok()?;
        let mut text = Vec::new();
        file.take(MAX_FDINFO).read_to_end(&mut text).ok()?;
        procfs::decimal(procfs::line_after(&text, b"mnt_id:")?)
    }
}

/// The mount of our namespace that a file was reached through, where the kernel doesn't tell it
/// (before 5.8): the file that the path leads to here has to be the same.
fn mount_of_own<'a>(mounts: &'a Table, path: &[u8], stat: &fs::Stat) -> Option<&'a Mount> {
    let is_same = |found: fs::Stat| (found.dev, found.ino) == (stat.dev, stat.ino);
    let mount = mounts
        .values()
        .filter(|mount| is_below(path, &mount.mount_point))
        .max_by_key(|mount| mount.mount_point.len())?;
    fs::stat_path(path).is_ok_and(is_same).then_some(mount)
}

/// Takes the kernel's ` (deleted)` off; whether it was there. A file may be named so, too.
fn without_deleted<'a>(text: &'a [u8], stat: &fs::Stat) -> (&'a [u8], bool) {
    let Some(path) = text.strip_suffix(b" (deleted)") else {
        return (text, false);
    };
    let is_so_named = stat.links > 0
        && fs::stat_path(text).is_ok_and(|named| (named.dev, named.ino) == (stat.dev, stat.ino));
    if is_so_named { (text, false) } else { (path, true) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_named_deleted_keeps_its_name() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x (deleted)");
        let file = std::fs::File::create(&path).unwrap();
        let text = path.as_os_str().as_encoded_bytes();
        let stat = fs::stat_fd(file.as_fd()).unwrap();
        assert_eq!(without_deleted(text, &stat), (text, false));
        std::fs::remove_file(&path).unwrap();
        let stat = fs::stat_fd(file.as_fd()).unwrap();
        let stripped = &text[..text.len() - b" (deleted)".len()];
        assert_eq!(without_deleted(text, &stat), (stripped, true));
    }
}
