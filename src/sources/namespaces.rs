//! Mounts of other mount namespaces: containers, services with a private /tmp, `unshare -m`.
//!
//! A mark sees its own mount alone, and a new namespace has copies of all mounts. Each namespace
//! is found through a process that lives in it, and its mounts are marked by the process's own
//! view, `/proc/PID/root/…`. That is done when a process is the first of its namespace to be
//! forked or to become a program, and again while the namespace is young, since a container's
//! mounts are made after its first process.
//!
//! Nothing is held open, so nothing of a container is pinned, and marks go with their mounts: what
//! is known here is only what has been looked at. An open goes through exactly one mount, so it is
//! told once, whatever lies below.
//!
//! What is missed: opens between the birth of a namespace and the first look, some milliseconds.

use std::collections::BTreeMap;
use std::fs::File;
use std::hash::BuildHasher;
use std::io;
use std::io::Read;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use rustc_hash::FxBuildHasher;
use rustc_hash::FxHashMap;

use super::mounts;
use super::mounts::Mount;
use super::mounts::MountChange;
use super::mounts::Refused;
use super::mounts::Table;
use crate::procfs::pids;
use crate::sys::fs;

/// Namespaces that are kept in mind; beyond it the one not looked at for longest is forgotten,
/// whose mounts stay marked.
const MAX_NAMESPACES: usize = 4096;

/// How long a namespace is newborn: its mounts are looked at with whatever happens to any process.
/// A container's mounts are all there when the runtime starts its next step, before its program.
const NEWBORN: Duration = Duration::from_secs(3);

/// The least time between two looks at a newborn one; a look takes about 30 µs.
const NEWBORN_INTERVAL: Duration = Duration::from_millis(2);

/// How long a namespace is young: its mounts are looked at with each program and each tick.
const YOUNG: Duration = Duration::from_secs(10);

/// How long one is kept in mind in which nobody lives: events of its files may still wait.
const KEEP_DEAD: Duration = Duration::from_secs(2);

/// After this long without word of any process all of them are looked at: nobody may be telling.
const UNTOLD: Duration = Duration::from_secs(10);

/// How often the mounts of an old one are looked at.
const OLD_INTERVAL: Duration = Duration::from_secs(10);

/// Namespaces other than ours.
#[derive(Debug)]
pub(super) struct Namespaces {
    /// The inode of our own.
    own: u64,
    known: BTreeMap<u64, Namespace>,
    /// The namespace of each known mount.
    by_mount: FxHashMap<u64, u64>,
    /// When the last one was found.
    last_birth: Duration,
    /// When anything was last told of processes.
    told_at: Duration,
    text: Vec<u8>,
    refused: Vec<Refused>,
    counts: bool,
}

#[derive(Debug)]
struct Namespace {
    /// A process that lives in it, as far as known.
    pid: i32,
    found_at: Duration,
    looked_at: Duration,
    /// When it was noticed that nobody lives in it.
    dead_since: Option<Duration>,
    /// When an event had it looked at, and nothing had changed.
    in_vain_at: Duration,
    /// Hash of its mountinfo.
    text: u64,
    table: Table,
}

/// Whether mounts whose list is as before are marked again: one that was replaced by another of
/// the same id and kind has no mark.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Again {
    Always,
    IfChanged,
}

impl Namespaces {
    /// Knows none yet.
    pub(super) fn new() -> io::Result<Self> {
        let own = fs::stat_target(c"/proc/self/ns/mnt")?.ino;
        Ok(Self {
            own,
            known: BTreeMap::new(),
            by_mount: FxHashMap::default(),
            last_birth: Duration::ZERO,
            told_at: Duration::ZERO,
            text: Vec::new(),
            refused: Vec::new(),
            counts: true,
        })
    }

    /// The same without their mounts being counted among those that are watched.
    pub(super) fn uncounted(self) -> Self {
        Self { counts: false, ..self }
    }

    /// How many are known.
    pub(super) fn len(&self) -> usize {
        self.known.len()
    }

    /// Takes what was refused since the last time.
    pub(super) fn take_refused(&mut self) -> Vec<Refused> {
        std::mem::take(&mut self.refused)
    }

    /// Whether that one is known.
    pub(super) fn knows(&self, id: u64) -> bool {
        self.known.contains_key(&id)
    }

    /// The mounts of all of them.
    pub(super) fn mounts(&self) -> impl Iterator<Item = &Mount> {
        self.known.values().flat_map(|namespace| namespace.table.values())
    }

    /// The processes of those that came just before `now`.
    pub(super) fn newborns(&self, now: Duration) -> impl Iterator<Item = i32> {
        let has_any = now.saturating_sub(self.last_birth) <= NEWBORN;
        let known = has_any.then_some(&self.known).into_iter().flatten();
        let is_newborn = move |one: &&Namespace| now.saturating_sub(one.found_at) <= NEWBORN;
        known.map(|(_, namespace)| namespace).filter(is_newborn).map(|namespace| namespace.pid)
    }

    /// Has all mounts marked again with the next look, whether they changed or not.
    pub(super) fn mark_anew(&mut self) {
        for namespace in self.known.values_mut() {
            namespace.text = namespace.text.wrapping_add(1);
            namespace.looked_at = Duration::ZERO;
        }
    }

    /// The mount of that id.
    pub(super) fn mount(&self, id: u64) -> Option<&Mount> {
        self.known.get(self.by_mount.get(&id)?)?.table.get(&id)
    }

    /// Looks again at the namespace of a mount, unless that was in vain just before; whether it
    /// did.
    pub(super) fn look_again(
        &mut self,
        mount: u64,
        now: Duration,
        mark: impl FnMut(&Path) -> io::Result<()>,
    ) -> bool {
        let Some(id) = self.by_mount.get(&mount).copied() else { return false };
        let Some(namespace) = self.known.get(&id) else { return false };
        let (pid, text) = (namespace.pid, namespace.text);
        if now.saturating_sub(namespace.in_vain_at) < super::LOOK_INTERVAL {
            return false;
        }
        let pid = self.living(id, pid, now);
        let has_looked =
            pid.is_some_and(|pid| self.look(id, pid, now, Again::IfChanged, mark).is_some());
        if let Some(namespace) = self.known.get_mut(&id)
            && namespace.text == text
        {
            namespace.in_vain_at = now;
        }
        has_looked
    }

    /// Looks at the namespaces of all processes.
    pub(super) fn note_all(
        &mut self,
        now: Duration,
        mut mark: impl FnMut(&Path) -> io::Result<()>,
    ) -> MountChange {
        let mut sum = MountChange::default();
        self.told_at = now;
        for pid in pids() {
            let Some(id) = namespace_of(pid) else { continue };
            if id != self.own && !self.known.contains_key(&id) {
                sum =
                    sum.and(self.look(id, pid, now, Again::Always, &mut mark).unwrap_or_default());
            }
        }
        sum
    }

    /// Looks at the namespace of `pid`, which was forked or became a program at `now` (since
    /// boot); `None` if there is nothing to do.
    pub(super) fn note(
        &mut self,
        pid: i32,
        now: Duration,
        mut mark: impl FnMut(&Path) -> io::Result<()>,
    ) -> Option<MountChange> {
        self.told_at = now;
        let born = self.look_at_newborn(now, &mut mark);
        let id = namespace_of(pid).filter(|id| *id != self.own);
        let is_old = |namespace: &Namespace| now.saturating_sub(namespace.found_at) > YOUNG;
        match id {
            Some(id) if !self.known.get(&id).is_some_and(is_old) => {
                self.look(id, pid, now, Again::IfChanged, mark)
            }
            _ => born,
        }
    }

    /// Looks at the mounts that newborn namespaces have by now.
    fn look_at_newborn(
        &mut self,
        now: Duration,
        mut mark: impl FnMut(&Path) -> io::Result<()>,
    ) -> Option<MountChange> {
        if now.saturating_sub(self.last_birth) > NEWBORN {
            return None;
        }
        let is_due = |namespace: &Namespace| {
            now.saturating_sub(namespace.found_at) <= NEWBORN
                && now.saturating_sub(namespace.looked_at) >= NEWBORN_INTERVAL
        };
        let due = self.known.iter().filter(|(_, namespace)| is_due(namespace));
        let due: Vec<_> = due.map(|(id, namespace)| (*id, namespace.pid)).collect();
        let mut sum = None;
        for (id, pid) in due {
            if let Some(pid) = self.living(id, pid, now)
                && let Some(change) = self.look(id, pid, now, Again::IfChanged, &mut mark)
            {
                sum = Some(change.and(sum.unwrap_or_default()));
            }
        }
        sum
    }

    /// Looks again at those whose time has come, and forgets those without a living process.
    pub(super) fn tick(
        &mut self,
        now: Duration,
        mut mark: impl FnMut(&Path) -> io::Result<()>,
    ) -> MountChange {
        let mut sum = MountChange::default();
        if now.saturating_sub(self.told_at) >= UNTOLD {
            sum = self.note_all(now, &mut mark);
        }
        if self.known.is_empty() {
            return sum;
        }
        self.replace_dead(now);
        let due: Vec<_> = self
            .known
            .iter()
            .filter(|(_, namespace)| namespace.dead_since.is_none() && namespace.is_due(now))
            .map(|(id, namespace)| (*id, namespace.pid))
            .collect();
        for (id, pid) in due {
            sum = sum.and(self.look(id, pid, now, Again::Always, &mut mark).unwrap_or_default());
        }
        sum
    }

    /// A process that lives in namespace `id`: `pid` or, if that has left it, another.
    fn living(&mut self, id: u64, pid: i32, now: Duration) -> Option<i32> {
        if namespace_of(pid) == Some(id) {
            return Some(pid);
        }
        if self.known.get(&id)?.dead_since.is_none() {
            self.replace_dead(now);
        }
        self.known.get(&id).filter(|namespace| namespace.dead_since.is_none()).map(|it| it.pid)
    }

    /// Finds another process for each namespace whose one is gone, and after a while forgets those
    /// without any.
    fn replace_dead(&mut self, now: Duration) {
        let is_dead = |id: &u64, namespace: &Namespace| namespace_of(namespace.pid) != Some(*id);
        let dead = self.known.iter().filter(|(id, namespace)| is_dead(id, namespace));
        let mut dead: Vec<_> = dead.map(|(id, _)| *id).collect();
        if dead.is_empty() {
            return;
        }
        for pid in pids() {
            let Some(place) = dead.iter().position(|id| Some(*id) == namespace_of(pid)) else {
                continue;
            };
            if let Some(namespace) = self.known.get_mut(&dead.swap_remove(place)) {
                namespace.pid = pid;
                namespace.dead_since = None;
            }
        }
        for id in dead {
            let Some(namespace) = self.known.get_mut(&id) else { continue };
            let since = *namespace.dead_since.get_or_insert(now);
            if now.saturating_sub(since) >= KEEP_DEAD {
                self.forget(id);
            }
        }
    }

    fn forget(&mut self, id: u64) {
        self.known.remove(&id);
        self.by_mount.retain(|_, namespace| *namespace != id);
    }

    /// Reads the mounts that `pid` sees, and marks them.
    ///
    /// The inode of a namespace that is gone is soon that of another: one whose process is gone
    /// is taken for newborn.
    fn look(
        &mut self,
        id: u64,
        pid: i32,
        now: Duration,
        again: Again,
        mut mark: impl FnMut(&Path) -> io::Result<()>,
    ) -> Option<MountChange> {
        self.text.clear();
        let file = File::open(format!("/proc/{pid}/mountinfo")).ok()?;
        file.take(mounts::MAX_BYTES).read_to_end(&mut self.text).ok()?;
        let root = PathBuf::from(format!("/proc/{pid}/root/"));
        let mark_inside = |path: &Path| {
            let inside = path.strip_prefix("/").unwrap_or(path);
            mark(&root.join(inside))
        };
        if !self.known.contains_key(&id) {
            self.make_room();
        }
        let namespace = self.known.entry(id).or_insert_with(|| Namespace::unknown(pid));
        let is_another = namespace.text == 0
            || namespace.dead_since.is_some()
            || (namespace.pid != pid && namespace_of(namespace.pid) != Some(id));
        if is_another {
            namespace.found_at = now;
            self.last_birth = now;
        }
        namespace.pid = pid;
        namespace.dead_since = None;
        namespace.looked_at = now;
        let text = FxBuildHasher.hash_one(&self.text);
        if again == Again::IfChanged && namespace.text == text {
            return Some(MountChange::default());
        }
        namespace.text = text;
        let change = mounts::sync(&mut namespace.table, &self.text, &mut self.refused, mark_inside);
        if self.counts {
            change.count();
        }
        if change != MountChange::default() {
            self.by_mount.retain(|_, namespace| *namespace != id);
            self.by_mount.extend(namespace.table.keys().map(|mount| (*mount, id)));
        }
        Some(change)
    }

    fn make_room(&mut self) {
        if self.known.len() < MAX_NAMESPACES {
            return;
        }
        let oldest = self.known.iter().min_by_key(|(_, namespace)| namespace.looked_at);
        if let Some(id) = oldest.map(|(id, _)| *id) {
            self.forget(id);
        }
    }
}

impl Namespace {
    /// One that was not looked at yet.
    const fn unknown(pid: i32) -> Self {
        Self {
            pid,
            found_at: Duration::ZERO,
            looked_at: Duration::ZERO,
            dead_since: None,
            in_vain_at: Duration::ZERO,
            text: 0,
            table: Table::new(),
        }
    }

    fn is_due(&self, now: Duration) -> bool {
        let is_young = now.saturating_sub(self.found_at) <= YOUNG;
        is_young || now.saturating_sub(self.looked_at) >= OLD_INTERVAL
    }
}

/// The inode of the mount namespace that `pid` lives in; `None` if it is gone.
fn namespace_of(pid: i32) -> Option<u64> {
    // "/proc/", a number of at most eleven characters, "/ns/mnt" and NUL.
    let mut path = [0; 32];
    write!(path.as_mut_slice(), "/proc/{pid}/ns/mnt").ok()?;
    let path = std::ffi::CStr::from_bytes_until_nul(&path).ok()?;
    fs::stat_target(path).ok().map(|stat| stat.ino)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_namespace_is_not_another() {
        let mut namespaces = Namespaces::new().unwrap();
        let own = crate::sys::process::own_pid();
        let marked = namespaces.note(own, Duration::ZERO, |_| panic!("marks nothing"));
        assert_eq!(marked, None);
    }

    #[test]
    fn a_process_that_is_gone_lives_in_no_namespace() {
        assert_eq!(namespace_of(i32::MAX), None);
    }

    #[test]
    fn a_namespace_without_a_living_process_is_forgotten() {
        let mut namespaces = Namespaces::new().unwrap();
        // Our own, taken for another, then for one that nobody lives in.
        let own = std::mem::take(&mut namespaces.own);
        let pid = crate::sys::process::own_pid();
        let change = namespaces.note(pid, Duration::ZERO, |path| {
            assert!(path.starts_with(format!("/proc/{pid}/root")));
            Ok(())
        });
        assert!(change.unwrap().marked > 0);
        let mount = *namespaces.by_mount.keys().next().unwrap();
        assert!(namespaces.mount(mount).is_some());

        let namespace = namespaces.known.remove(&own).unwrap();
        namespaces.known.insert(1, namespace);
        namespaces.by_mount.values_mut().for_each(|id| *id = 1);
        namespaces.tick(Duration::from_secs(1), |_| panic!("nothing to mark"));
        assert!(namespaces.mount(mount).is_some(), "events of its files may still wait");
        namespaces.tick(Duration::from_secs(9), |_| panic!("nothing to mark"));
        assert_eq!(namespaces.len(), 0);
        assert!(namespaces.mount(mount).is_none());
    }

    #[test]
    fn a_namespace_lives_on_in_another_process_than_the_first() {
        let mut namespaces = Namespaces::new().unwrap();
        let own = std::mem::take(&mut namespaces.own);
        let pid = crate::sys::process::own_pid();
        namespaces.note(pid, Duration::ZERO, |_| Ok(()));
        namespaces.known.get_mut(&own).unwrap().pid = i32::MAX;
        namespaces.tick(Duration::from_secs(1), |_| Ok(()));
        assert_eq!(namespace_of(namespaces.known.get(&own).unwrap().pid), Some(own));
    }

    #[test]
    fn without_word_of_processes_all_are_looked_at() {
        let mut namespaces = Namespaces::new().unwrap();
        namespaces.own = 0;
        namespaces.tick(Duration::from_secs(1), |_| panic!("too soon"));
        namespaces.tick(Duration::from_secs(10), |_| Ok(()));
        assert!(namespaces.len() > 0);
    }

    #[test]
    fn a_young_namespace_is_looked_at_with_each_program_and_an_old_one_now_and_then() {
        let mut namespaces = Namespaces::new().unwrap();
        namespaces.own = 0;
        let pid = crate::sys::process::own_pid();
        let mut look = |seconds| namespaces.note(pid, Duration::from_secs(seconds), |_| Ok(()));
        assert!(look(0).unwrap().marked > 0);
        assert_eq!(look(1), Some(MountChange::default()));
        assert_eq!(look(100), None);
        let mut looks = 0;
        namespaces.tick(Duration::from_secs(100), |_| {
            looks += 1;
            Ok(())
        });
        assert!(looks > 0);
        namespaces.tick(Duration::from_secs(101), |_| panic!("too soon"));
    }
}
