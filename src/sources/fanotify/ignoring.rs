//! What the kernel is told to be silent of: files whose opens no rule can match, whoever opens
//! them.
//!
//! An ignore mark silences an inode in the group that watches mounts, whatever happens to the
//! file; it goes with it, through rename(2) and hard links, to places where a rule can match. So
//! the directories that rules name are watched by a second group (see [`places`](super::places)),
//! and what that tells of an ignored file is told, and the file ignored no more. A file is
//! ignored only if
//!
//! * it is regular and has one name;
//! * no mount, of any namespace, shows it under another path, and no process lives in a root
//!   above it;
//! * where rules name no place (`fd.name contains .ssh`): only root can move it, and for a minute.
//!
//! Bounded: when there are too many, or a mount comes that may show them elsewhere, all are told
//! of again; what is still opened is soon ignored anew.
//!
//! Sources: fanotify_mark(2); fs/notify/fsnotify.c.

use std::io;
use std::os::fd::BorrowedFd;
use std::path::Path;
use std::time::Duration;

use rustc_hash::FxHashMap;
use rustc_hash::FxHashSet;

use super::Interest;
use super::Mount;
use super::MountState;
use super::is_below;
use super::places::PlaceWatch;
use crate::metrics::METRICS;
use crate::sys::abi;
use crate::sys::fanotify;
use crate::sys::fs;

/// Files that are ignored at once where a mark holds its inode in memory (before 5.19).
const MAX_PINNED: usize = 16_384;

/// The same where it doesn't: the set of them takes 17 bytes each here.
const MAX_EVICTABLE: usize = 262_144;

/// Files that are known not to be ignorable; when there are more, all are looked at again.
const MAX_REFUSED: usize = 16_384;

/// How long files stay ignored where rules name no place.
const ANYWHERE_LIFETIME: Duration = Duration::from_secs(60);

/// Whether anybody but its owner can write to a file or directory.
const OTHERS_WRITE: u32 = 0o022;

/// Device and inode.
type File = (u64, u64);

/// Which files are ignored, and which may be.
#[derive(Debug)]
pub(super) struct Ignoring {
    interest: Interest,
    /// Rules can match in places that are not watched by themselves.
    is_anywhere: bool,
    is_evictable: bool,
    ignored: FxHashSet<File>,
    refused: FxHashSet<File>,
    views: FxHashMap<(u32, u32), Vec<View>>,
    roots: FxHashSet<Vec<u8>>,
    emptied_at: Duration,
    recent: Recent,
}

/// Where a directory of a filesystem is seen.
#[derive(Clone, Debug, Eq, PartialEq)]
struct View {
    root: Vec<u8>,
    mount_point: Vec<u8>,
    /// In our mount namespace.
    is_own: bool,
}

/// What happened in this round and the one before: a round ends when both queues are empty.
#[derive(Debug, Default)]
struct Recent {
    /// Files that were ignored and aren't any more: the mount group is silent of opens just before.
    lifted: [FxHashSet<File>; 2],
    /// Bits told from the second group: the mount group may tell them, too.
    told: [FxHashMap<(i32, File), u64>; 2],
}

impl Ignoring {
    /// Nothing is ignored yet. `is_covered`: all places of `interest` are watched by themselves.
    pub(super) fn new(interest: Interest, is_covered: bool) -> Self {
        Self {
            is_anywhere: interest.is_anywhere || !is_covered,
            interest,
            is_evictable: true,
            ignored: FxHashSet::default(),
            refused: FxHashSet::default(),
            views: FxHashMap::default(),
            roots: FxHashSet::default(),
            emptied_at: Duration::ZERO,
            recent: Recent::default(),
        }
    }

    /// Takes over what does not depend on the rules.
    pub(super) fn succeed(&mut self, before: Self) {
        self.is_evictable = before.is_evictable;
        self.roots = before.roots;
        self.recent = before.recent;
    }

    /// Whether all places that rules name are watched by themselves.
    pub(super) const fn set_covered(&mut self, is_covered: bool) {
        self.is_anywhere = self.interest.is_anywhere || !is_covered;
    }

    /// Whether rules can match in places that are not watched by themselves.
    pub(super) const fn is_anywhere(&self) -> bool {
        self.is_anywhere
    }

    /// How many files are ignored, as far as is known.
    pub(super) fn len(&self) -> usize {
        self.ignored.len()
    }

    /// Learns where filesystems are seen; whether files that are ignored may now be seen
    /// elsewhere.
    pub(super) fn set_views<'a>(
        &mut self,
        own: impl Iterator<Item = &'a Mount>,
        others: impl Iterator<Item = &'a Mount>,
    ) -> bool {
        let mut views: FxHashMap<(u32, u32), Vec<View>> = FxHashMap::default();
        let all = own.map(|mount| (mount, true)).chain(others.map(|mount| (mount, false)));
        for (mount, is_own) in all {
            if matches!(mount.state, MountState::Pseudo | MountState::Remote) {
                continue;
            }
            let of_device = views.entry(mount.device).or_default();
            let is_same =
                |view: &View| view.root == mount.root && view.mount_point == mount.mount_point;
            if !of_device.iter().any(is_same) {
                let (root, mount_point) = (mount.root.clone(), mount.mount_point.clone());
                of_device.push(View { root, mount_point, is_own });
            }
        }
        let is_new = |device: &(u32, u32), view: &View| {
            self.views.get(device).is_some_and(|before| !before.contains(view))
        };
        let has_new =
            views.iter().any(|(device, views)| views.iter().any(|view| is_new(device, view)));
        self.views = views;
        has_new
    }

    /// Learns that a process has this root; whether that is news.
    pub(super) fn note_root(&mut self, root: &[u8]) -> bool {
        root != b"/" && !self.roots.contains(root) && self.roots.insert(root.to_vec())
    }

    /// Looks whether a file that was opened may be ignored, and has it ignored then.
    pub(super) fn consider(
        &mut self,
        group: BorrowedFd<'_>,
        mask: u64,
        fd: BorrowedFd<'_>,
        (file, places): (&Opened<'_>, Option<&mut PlaceWatch>),
    ) {
        let id = (file.stat.dev, file.stat.ino);
        if self.refused.contains(&id) {
            return;
        }
        if !self.may_ignore(file) {
            // It was, under a name that it had before.
            self.lift(group, mask, fd, id);
            if self.refused.len() >= MAX_REFUSED {
                self.refused.clear();
            }
            self.refused.insert(id);
            return;
        }
        let max = if self.is_evictable { MAX_EVICTABLE } else { MAX_PINNED };
        if self.ignored.len() >= max {
            self.empty(group, file.now);
        }
        if let Some(places) = places {
            places.take_in(fd, id);
        }
        if self.ignore(group, mask & !abi::FAN_ONDIR, fd).is_ok() && self.ignored.insert(id) {
            METRICS.fanotify.ignored.increment();
        }
    }

    fn ignore(&mut self, group: BorrowedFd<'_>, mask: u64, fd: BorrowedFd<'_>) -> io::Result<()> {
        const FLAGS: u32 =
            abi::FAN_MARK_ADD | abi::FAN_MARK_IGNORED_MASK | abi::FAN_MARK_IGNORED_SURV_MODIFY;
        if self.is_evictable {
            match fanotify::mark_fd(group, FLAGS | abi::FAN_MARK_EVICTABLE, mask, fd) {
                Err(error) if error.raw_os_error() == Some(libc::EINVAL) => {
                    self.is_evictable = false;
                }
                result => return result,
            }
        }
        fanotify::mark_fd(group, FLAGS, mask, fd)
    }

    fn may_ignore(&self, file: &Opened<'_>) -> bool {
        let stat = file.stat;
        stat.mode & libc::S_IFMT == libc::S_IFREG
            && stat.links == 1
            && !(self.interest.may_match)(file.path)
            && !self.roots.iter().any(|root| is_below(file.path, root))
            && self.is_only_seen_there(file)
            && (!self.is_anywhere || is_roots_alone(file))
    }

    /// Whether every mount that shows the file shows it under this path, one of ours among them.
    fn is_only_seen_there(&self, file: &Opened<'_>) -> bool {
        let Some(views) = self.views.get(&file.mount.device) else { return false };
        let Some(rest) = below(file.path, &file.mount.mount_point) else { return false };
        let inside = [without_slash(&file.mount.root), rest].concat();
        let mut is_ours = false;
        for view in views {
            let Some(rest) = below(&inside, &view.root) else { continue };
            let place = without_slash(&view.mount_point);
            if file.path.strip_prefix(place) != Some(rest) {
                return false;
            }
            is_ours |= view.is_own;
        }
        is_ours
    }

    /// Whether the mount group is, or was just before, silent of a file.
    pub(super) fn is_silent(&self, stat: &fs::Stat) -> bool {
        let id = (stat.dev, stat.ino);
        self.ignored.contains(&id) || self.recent.lifted.iter().any(|files| files.contains(&id))
    }

    /// Whether a file of which the second group tells, and the mount group is silent, has to be
    /// told of: a rule can match. It is ignored no more then.
    pub(super) fn accept(
        &mut self,
        group: BorrowedFd<'_>,
        mask: u64,
        fd: BorrowedFd<'_>,
        opened: (&fs::Stat, &[u8]),
    ) -> bool {
        let (stat, path) = opened;
        if !(self.interest.may_match)(path) {
            return false;
        }
        self.lift(group, mask, fd, (stat.dev, stat.ino));
        true
    }

    fn lift(&mut self, group: BorrowedFd<'_>, mask: u64, fd: BorrowedFd<'_>, id: File) {
        if !self.ignored.remove(&id) {
            return;
        }
        let flags = abi::FAN_MARK_REMOVE | abi::FAN_MARK_IGNORED_MASK;
        // It may be gone already.
        let _ = fanotify::mark_fd(group, flags, mask & !abi::FAN_ONDIR, fd);
        self.refused.insert(id);
        let [now, _] = &mut self.recent.lifted;
        now.insert(id);
        METRICS.fanotify.lifted.increment();
    }

    /// Remembers what was told from the second group.
    pub(super) fn told(&mut self, pid: i32, stat: &fs::Stat, mask: u64) {
        let [now, _] = &mut self.recent.told;
        *now.entry((pid, (stat.dev, stat.ino))).or_default() |= mask;
    }

    /// What is left of an event of the mount group that was not told from the second.
    pub(super) fn untold(&self, pid: i32, stat: &fs::Stat, mask: u64) -> u64 {
        let key = (pid, (stat.dev, stat.ino));
        let told = self.recent.told.iter().filter_map(|told| told.get(&key));
        mask & !told.fold(0, |all, bits| all | bits)
    }

    /// Both queues are empty.
    pub(super) fn end_round(&mut self) {
        let Recent { lifted, told } = &mut self.recent;
        if lifted.iter().all(FxHashSet::is_empty) {
            return;
        }
        lifted.swap(0, 1);
        told.swap(0, 1);
        let ([lifted, _], [told, _]) = (lifted, told);
        *lifted = FxHashSet::default();
        told.clear();
    }

    /// Has the kernel tell of all files again.
    pub(super) fn empty(&mut self, group: BorrowedFd<'_>, now: Duration) {
        self.emptied_at = now;
        self.refused.clear();
        if self.ignored.is_empty() {
            return;
        }
        METRICS.fanotify.ignored_anew.increment();
        // Of all inodes: the marks of mounts stay.
        if fanotify::mark(group, abi::FAN_MARK_FLUSH, 0, Path::new("/")).is_ok() {
            let ignored = std::mem::take(&mut self.ignored);
            let [now, _] = &mut self.recent.lifted;
            if now.is_empty() {
                *now = ignored;
            } else {
                now.extend(ignored);
            }
        }
    }

    /// Where rules name no place, has the kernel tell of all files again from time to time.
    pub(super) fn tick(&mut self, group: BorrowedFd<'_>, now: Duration) {
        if self.is_anywhere && now.saturating_sub(self.emptied_at) >= ANYWHERE_LIFETIME {
            self.empty(group, now);
        }
    }
}

/// A file that was opened.
#[derive(Debug)]
pub(super) struct Opened<'a> {
    pub(super) path: &'a [u8],
    pub(super) stat: &'a fs::Stat,
    pub(super) mount: &'a Mount,
    pub(super) now: Duration,
}

/// Whether nobody but root can write to the file, rename it or give it another name.
fn is_roots_alone(file: &Opened<'_>) -> bool {
    let is_roots = |stat: &fs::Stat| stat.uid == 0 && stat.mode & OTHERS_WRITE == 0;
    let Some(slash) = file.path.iter().rposition(|&byte| byte == b'/') else { return false };
    let directory = file.path.get(..slash.max(1)).unwrap_or_default();
    is_roots(file.stat) && fs::stat_path(directory).is_ok_and(|stat| is_roots(&stat))
}

/// A directory's path to which `/…` can be appended.
fn without_slash(directory: &[u8]) -> &[u8] {
    if directory == b"/" { b"" } else { directory }
}

/// What of `path` lies below `directory`, from its slash on; empty for the directory itself.
fn below<'a>(path: &'a [u8], directory: &[u8]) -> Option<&'a [u8]> {
    let rest = path.strip_prefix(without_slash(directory))?;
    matches!(rest, [] | [b'/', ..]).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mount(root: &str, mount_point: &str) -> Mount {
        Mount {
            mount_point: mount_point.into(),
            fs_type: b"ext4".to_vec(),
            device: (8, 1),
            root: root.into(),
            state: MountState::Marked,
        }
    }

    fn ignoring(is_anywhere: bool) -> Ignoring {
        let may_match = Box::new(|path: &[u8]| path.starts_with(b"/etc/"));
        let places = Vec::new();
        let directories = false;
        Ignoring::new(Interest { may_match, places, is_anywhere, directories }, true)
    }

    fn may_ignore(ignoring: &Ignoring, path: &str, mount: &Mount, stat: &fs::Stat) -> bool {
        let file = Opened { path: path.as_bytes(), stat, mount, now: Duration::ZERO };
        ignoring.may_ignore(&file)
    }

    const STAT: fs::Stat =
        fs::Stat { dev: 1, ino: 2, mode: libc::S_IFREG | 0o644, uid: 0, links: 1, mount: None };

    #[test]
    fn what_a_rule_can_match_is_not_ignored_nor_what_has_two_names_or_is_no_file() {
        let mut ignoring = ignoring(false);
        let root = mount("/", "/");
        ignoring.set_views([&root].into_iter(), [].into_iter());
        assert!(may_ignore(&ignoring, "/usr/x", &root, &STAT));
        assert!(!may_ignore(&ignoring, "/etc/x", &root, &STAT));
        assert!(!may_ignore(&ignoring, "/usr/x", &root, &fs::Stat { links: 2, ..STAT }));
        let directory = fs::Stat { mode: libc::S_IFDIR, ..STAT };
        assert!(!may_ignore(&ignoring, "/usr/x", &root, &directory));
    }

    #[test]
    fn what_is_seen_elsewhere_is_not_ignored() {
        let mut ignoring = ignoring(false);
        let root = mount("/", "/");
        let bound = mount("/srv/data", "/etc/data");
        let own = [root.clone()];
        assert!(!ignoring.set_views(own.iter(), [].into_iter()));
        assert!(may_ignore(&ignoring, "/srv/data/x", &root, &STAT));
        // A copy of our namespace shows it where we see it.
        assert!(!ignoring.set_views(own.iter(), [&root].into_iter()));
        assert!(may_ignore(&ignoring, "/srv/data/x", &root, &STAT));
        assert!(ignoring.set_views(own.iter(), [&bound].into_iter()), "it is news");
        assert!(!may_ignore(&ignoring, "/srv/data/x", &root, &STAT));
        assert!(!may_ignore(&ignoring, "/etc/data/x", &bound, &STAT));
        assert!(may_ignore(&ignoring, "/srv/datax", &root, &STAT));
        assert!(!ignoring.set_views(own.iter(), [&bound].into_iter()), "it is known");
    }

    #[test]
    fn what_only_others_see_is_not_ignored() {
        let mut ignoring = ignoring(false);
        let theirs = mount("/", "/");
        ignoring.set_views([].into_iter(), [&theirs].into_iter());
        assert!(!may_ignore(&ignoring, "/usr/x", &theirs, &STAT));
    }

    #[test]
    fn what_lies_in_somebodys_root_is_not_ignored() {
        let mut ignoring = ignoring(false);
        let root = mount("/", "/");
        ignoring.set_views([&root].into_iter(), [].into_iter());
        assert!(ignoring.note_root(b"/srv/jail") && !ignoring.note_root(b"/srv/jail"));
        assert!(!ignoring.note_root(b"/"));
        assert!(!may_ignore(&ignoring, "/srv/jail/usr/x", &root, &STAT));
        assert!(may_ignore(&ignoring, "/srv/jails/x", &root, &STAT));
    }

    #[test]
    fn where_rules_name_no_place_only_what_root_alone_can_move_is_ignored() {
        let mut ignoring = ignoring(true);
        let root = mount("/", "/");
        ignoring.set_views([&root].into_iter(), [].into_iter());
        assert!(may_ignore(&ignoring, "/usr/x", &root, &STAT));
        assert!(!may_ignore(&ignoring, "/usr/x", &root, &fs::Stat { uid: 1000, ..STAT }));
        let writable = fs::Stat { mode: STAT.mode | 0o020, ..STAT };
        assert!(!may_ignore(&ignoring, "/usr/x", &root, &writable));
        assert!(!may_ignore(&ignoring, "/tmp/x", &root, &STAT));
    }

    #[test]
    fn what_was_told_by_one_group_is_not_told_by_the_other_for_two_rounds() {
        let mut ignoring = ignoring(false);
        ignoring.recent.lifted[0].insert((1, 2));
        ignoring.told(7, &STAT, abi::FAN_OPEN);
        let both = abi::FAN_OPEN | abi::FAN_CLOSE_NOWRITE;
        assert_eq!(ignoring.untold(7, &STAT, both), abi::FAN_CLOSE_NOWRITE);
        assert_eq!(ignoring.untold(8, &STAT, both), both);
        ignoring.end_round();
        assert_eq!(ignoring.untold(7, &STAT, both), abi::FAN_CLOSE_NOWRITE);
        ignoring.end_round();
        assert_eq!(ignoring.untold(7, &STAT, both), both);
    }
}
