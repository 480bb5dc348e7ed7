//! Which mounts are watched: all that hold files of users or services.
//!
//! For our own mount namespace the kernel tells by poll(2) on /proc/self/mountinfo that mounts came or went. Then all are
//! marked again: that changes nothing on a marked one, and a mount that was replaced by another
//! under the same id is not overlooked. A mark goes with its mount and does not pin it.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fmt;
use std::fs::File;
use std::io;
use std::io::Read;
use std::io::Seek;
use std::os::fd::AsFd;
use std::os::fd::BorrowedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::decode::procfs::mountinfo;
use crate::metrics::METRICS;

/// More than a host with a thousand containers has; the rest is not read.
pub(super) const MAX_BYTES: u64 = 16 << 20;

/// Refusals that wait to be told; more are counted alone.
const MAX_REFUSED: usize = 64;

/// One mount, as far as it matters here.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Mount {
    /// Where it hangs.
    pub mount_point: Vec<u8>,
    /// Type of its filesystem.
    pub fs_type: Vec<u8>,
    /// Major and minor number of its filesystem.
    pub device: (u32, u32),
    /// The directory of the filesystem that is its root.
    pub root: Vec<u8>,
    /// Whether it is watched.
    pub state: MountState,
}

/// Whether a mount is watched, and why not.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum MountState {
    /// It is.
    Marked,
    /// A filesystem that shows the kernel's own state (proc, sysfs, cgroup …).
    Pseudo,
    /// A server stands behind it; each event would make it open the file for us, and one that
    /// does not answer would stop the agent.
    Remote,
    /// Another mount hangs on the same place and hides it.
    Hidden,
    /// Its path leads nowhere or elsewhere: it has just gone, or one further up hides it.
    Unreachable,
    /// The kernel refused the mark: its errno by name and text.
    Refused(String),
}

/// A mount that the kernel refuses to watch: nothing is told of what is opened through it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Refused {
    /// Where it hangs, as its namespace sees it.
    pub mount_point: Vec<u8>,
    /// Type of its filesystem.
    pub fs_type: Vec<u8>,
    /// The kernel's answer: errno by name and text.
    pub answer: String,
}

impl fmt::Display for Refused {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Whoever mounts names it: no control character gets into a log.
        let place = String::from_utf8_lossy(&self.mount_point);
        let kind = String::from_utf8_lossy(&self.fs_type);
        let (place, kind, answer) = (place.escape_debug(), kind.escape_debug(), &self.answer);
        write!(formatter, "{place} ({kind}): fanotify_mark: {answer}")
    }
}

/// What one look at the mounts came to.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct MountChange {
    /// Mounts that are watched now and were not before.
    pub marked: usize,
    /// Mounts that are gone.
    pub gone: usize,
    /// Mounts that the kernel newly refused to watch.
    pub refused: usize,
}

/// The mounts of a namespace by their ids, which no two mounts of the host share.
pub(super) type Table = BTreeMap<u64, Mount>;

/// The mounts of our namespace.
#[derive(Debug)]
pub(super) struct Mounts {
    file: File,
    text: Vec<u8>,
    table: Table,
    refused: Vec<Refused>,
    counts: bool,
}

impl Mounts {
    /// Knows none yet.
    pub(super) fn open() -> io::Result<Self> {
        let file = File::open("/proc/self/mountinfo")?;
        Ok(Self { file, text: Vec::new(), table: Table::new(), refused: Vec::new(), counts: true })
    }

    /// The same without being counted among the mounts that are watched.
    pub(super) fn uncounted(self) -> Self {
        Self { counts: false, ..self }
    }

    /// The descriptor that tells of changes (`POLLPRI`, `POLLERR`).
    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }

    /// Every mount.
    pub(super) const fn table(&self) -> &Table {
        &self.table
    }

    /// Takes what was refused since the last time.
    pub(super) fn take_refused(&mut self) -> Vec<Refused> {
        std::mem::take(&mut self.refused)
    }

    /// Reads the table and has `mark` mark each mount that is to be watched.
    pub(super) fn sync(
        &mut self,
        mark: impl FnMut(&Path) -> io::Result<()>,
    ) -> io::Result<MountChange> {
        self.text.clear();
        self.file.rewind()?;
        self.file.by_ref().take(MAX_BYTES).read_to_end(&mut self.text)?;
        let change = sync(&mut self.table, &self.text, &mut self.refused, mark);
        if self.counts {
            change.count();
        }
        Ok(change)
    }
}

/// Brings `table` up to the mountinfo `text`, and has `mark` mark each mount that is to be watched.
/// One that is newly refused is added to `refused`.
pub(super) fn sync(
    table: &mut Table,
    text: &[u8],
    refused: &mut Vec<Refused>,
    mut mark: impl FnMut(&Path) -> io::Result<()>,
) -> MountChange {
    let lines: Vec<_> = mountinfo::parse(text).collect();
    let mut change = MountChange::default();
    let mut found = Table::new();
    for line in &lines {
        let mount_point = mountinfo::unescape(line.mount_point);
        let state = unwatched(line, &lines).unwrap_or_else(|| {
            match mark(Path::new(OsStr::from_bytes(&mount_point))) {
                Ok(()) => MountState::Marked,
                Err(error) if leads_nowhere(&error) => MountState::Unreachable,
                Err(error) => MountState::Refused(crate::sys::errno_text(&error)),
            }
        });
        let mount = Mount {
            mount_point: mount_point.into_owned(),
            fs_type: line.fs_type.to_vec(),
            device: line.device,
            root: mountinfo::unescape(line.root).into_owned(),
            state,
        };
        let before = table.get(&line.id);
        if before != Some(&mount) {
            change.note(&mount.state);
            note_refused(before, &mount, refused);
        }
        found.insert(line.id, mount);
    }
    change.gone = table.keys().filter(|id| !found.contains_key(id)).count();
    *table = found;
    change
}

/// Notes a mount that is refused and wasn't before.
fn note_refused(before: Option<&Mount>, now: &Mount, refused: &mut Vec<Refused>) {
    let MountState::Refused(answer) = &now.state else { return };
    let is_known = before.is_some_and(|before| {
        before.mount_point == now.mount_point && matches!(before.state, MountState::Refused(_))
    });
    if !is_known && refused.len() < MAX_REFUSED {
        refused.push(Refused {
            mount_point: now.mount_point.clone(),
            fs_type: now.fs_type.clone(),
            answer: answer.clone(),
        });
    }
}

/// Whether a failed mark is about the path and not about the mount.
fn leads_nowhere(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ENOTDIR | libc::ESRCH))
}

impl MountChange {
    /// Both together.
    pub(super) const fn and(self, other: Self) -> Self {
        Self {
            marked: self.marked + other.marked,
            gone: self.gone + other.gone,
            refused: self.refused + other.refused,
        }
    }

    const fn note(&mut self, state: &MountState) {
        match state {
            MountState::Marked => self.marked += 1,
            MountState::Refused(_) => self.refused += 1,
            MountState::Pseudo
            | MountState::Remote
            | MountState::Hidden
            | MountState::Unreachable => {}
        }
    }

    /// Counts it among what is watched.
    pub(super) fn count(self) {
        METRICS.fanotify.mounts_marked.add(u64::try_from(self.marked).unwrap_or(0));
        METRICS.fanotify.mounts_refused.add(u64::try_from(self.refused).unwrap_or(0));
    }
}

/// Filesystems without files of users or services.
const PSEUDO: &[&str] = &[
    "autofs", // looking at it mounts
    "binder",
    "binfmt_misc",
    "bpf",
    "cgroup",
    "cgroup2",
    "configfs",
    "debugfs",
    "devpts",
    "efivarfs",
    "fusectl",
    "mqueue",
    "nfsd",
    "nsfs",
    "proc",
    "pstore",
    "resctrl",
    "rootfs", // the initial ramfs, hidden below the real root
    "rpc_pipefs",
    "securityfs",
    "selinuxfs",
    "smackfs",
    "sysfs",
    "tracefs",
];

/// Filesystems behind which a server stands.
const REMOTE: &[&str] = &[
    "9p", "afs", "ceph", "cifs", "coda", "fuse", "fuseblk", "gfs2", "lustre", "nfs", "nfs4",
    "ocfs2", "smb3", "virtiofs",
];

/// Why a mount is not to be watched; `None` if it is.
fn unwatched(line: &mountinfo::Mount<'_>, all: &[mountinfo::Mount<'_>]) -> Option<MountState> {
    // `fuse.sshfs`: the subtype changes nothing.
    let kind = line.fs_type.split(|byte| *byte == b'.').next().unwrap_or_default();
    let is_in = |list: &[&str]| list.iter().any(|name| name.as_bytes() == kind);
    if is_in(PSEUDO) {
        return Some(MountState::Pseudo);
    }
    if is_in(REMOTE) {
        return Some(MountState::Remote);
    }
    let hides = |other: &&mountinfo::Mount<'_>| {
        other.parent == line.id && other.id != line.id && other.mount_point == line.mount_point
    };
    all.iter().find(hides).map(|_| MountState::Hidden)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn states(text: &[u8]) -> Vec<Option<MountState>> {
        let lines: Vec<_> = mountinfo::parse(text).collect();
        lines.iter().map(|line| unwatched(line, &lines)).collect()
    }

    #[test]
    fn pseudo_and_remote_filesystems_are_not_watched() {
        let text = b"1 0 8:1 / / rw - ext4 /dev/sda1 rw\n\
                     2 1 0:4 / /proc rw - proc proc rw\n\
                     3 1 0:5 / /home rw - nfs4 server:/home rw\n\
                     4 1 0:6 / /mnt rw - fuse.sshfs host: rw\n\
                     5 1 0:7 / /run rw - tmpfs tmpfs rw\n";
        let expected = [
            None,
            Some(MountState::Pseudo),
            Some(MountState::Remote),
            Some(MountState::Remote),
            None,
        ];
        assert_eq!(states(text), expected);
    }

    #[test]
    fn a_mount_below_another_at_the_same_place_is_hidden() {
        let text = b"1 0 8:1 / / rw - ext4 /dev/sda1 rw\n\
                     2 1 0:4 / /tmp rw - tmpfs a rw\n\
                     3 2 0:5 / /tmp rw - tmpfs b rw\n";
        assert_eq!(states(text), [None, Some(MountState::Hidden), None]);
    }

    #[test]
    fn a_refused_mount_is_told_once_and_one_gone_is_counted() {
        let mut mounts = Mounts::open().unwrap();
        let refuse = |_: &Path| Err(io::Error::from_raw_os_error(libc::EINVAL));
        let first = mounts.sync(refuse).unwrap();
        assert!(first.refused > 0 && first.marked == 0);
        assert_eq!(mounts.sync(refuse).unwrap(), MountChange::default());
        let marked = mounts.sync(|_| Ok(())).unwrap();
        assert_eq!(marked.marked, first.refused);
    }

    #[test]
    fn a_refused_mount_is_noted_once_and_one_that_is_gone_not_at_all() {
        let text = b"1 0 8:1 / / rw - ext4 /dev/sda1 rw\n\
                     2 1 0:5 / /a\\012b rw - odd odd rw\n\
                     3 1 0:6 / /gone rw - tmpfs tmpfs rw\n";
        let (mut table, mut refused) = (Table::new(), Vec::new());
        let mut look = |errno: i32| {
            sync(&mut table, text, &mut refused, |path| match path.to_str() {
                Some("/") => Ok(()),
                Some("/gone") => Err(io::Error::from_raw_os_error(libc::ENOENT)),
                _ => Err(io::Error::from_raw_os_error(errno)),
            });
            std::mem::take(&mut refused)
        };
        let told: Vec<_> = look(libc::ENODEV).iter().map(ToString::to_string).collect();
        assert_eq!(told, ["/a\\nb (odd): fanotify_mark: ENODEV (No such device)"]);
        assert_eq!(look(libc::ENODEV), []);
        assert_eq!(look(libc::EINVAL), [], "another reason is no other mount");
        assert_eq!(look(libc::ENOENT), []);
        assert_eq!(look(libc::ENODEV).len(), 1);
    }
}
