//! What the live enrichment is told at its start, and what the loaded rules need of it.

use std::fmt;
use std::hash::BuildHasher as _;
use std::path::Path;
use std::path::PathBuf;

use rustc_hash::FxBuildHasher;

use crate::event::EventType;

/// Limits and places. The defaults fit a host that runs nothing but what its distribution ships.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How many processes are kept, dead ones included.
    pub max_processes: usize,
    /// How many bytes their arguments, environments and paths may take together.
    pub max_bytes: usize,
    /// How many opens may wait for their close to learn their mode.
    pub max_pending_opens: usize,
    /// The root of the host's file system: where `etc/passwd` and `etc/group` are read, and where
    /// paths lead that runtimes and mounts of the host tell.
    pub host_root: PathBuf,
    /// Where docker keeps `containers/<id>/config.v2.json` unless its configuration or its
    /// arguments say otherwise.
    pub docker_root: PathBuf,
    /// Where containerd keeps its running containers' bundles.
    pub containerd_state: PathBuf,
    /// `FAN_OPEN_EXEC` is among the bits that file records carry, so execve's own opens need not
    /// be recognised by other signs.
    pub has_open_exec: bool,
    /// Records of this process (our own) are dropped.
    pub own_pid: i32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            max_processes: 65_536,
            max_bytes: 64 << 20,
            max_pending_opens: 4096,
            host_root: PathBuf::from("/"),
            docker_root: PathBuf::from("/var/lib/docker"),
            containerd_state: PathBuf::from("/run/containerd"),
            has_open_exec: false,
            own_pid: i32::try_from(std::process::id()).unwrap_or(-1),
        }
    }
}

/// Where `path` of a file system is whose root is at `root`.
#[must_use]
pub fn below_root(root: &Path, path: &Path) -> PathBuf {
    root.join(path.strip_prefix("/").unwrap_or(path))
}

/// Tells of a path, as the process sees it, whether the mode of its opening matters.
pub type ModePredicate = dyn Fn(&[u8]) -> bool + Send;

/// What the loaded rules need. By default: everything.
pub struct Needs {
    event_types: Vec<bool>,
    /// Types whose events are made of system calls, though other records tell of them, too.
    of_calls: Vec<bool>,
    mode: Box<ModePredicate>,
    known_modes: KnownModes,
}

/// Paths of which it was asked lately whether the mode matters: each has one place, which the last
/// one has that belongs there. The same few files are opened by every program.
#[derive(Debug, Default)]
struct KnownModes {
    slots: Vec<(Vec<u8>, bool)>,
}

impl KnownModes {
    const SLOTS: usize = 512;
    /// Longer ones are asked about each time: all slots take at most 128 KiB.
    const MAX_LEN: usize = 256;

    fn get(&mut self, path: &[u8], ask: &ModePredicate) -> bool {
        if path.is_empty() || path.len() > Self::MAX_LEN {
            return ask(path);
        }
        if self.slots.is_empty() {
            self.slots.resize_with(Self::SLOTS, Default::default);
        }
        let hash = usize::try_from(FxBuildHasher.hash_one(path) >> 32).unwrap_or(0);
        let Some((known, matters)) = self.slots.get_mut(hash % Self::SLOTS) else {
            return ask(path);
        };
        if known != path {
            known.clear();
            known.extend_from_slice(path);
            *matters = ask(path);
        }
        *matters
    }
}

impl Needs {
    /// Needs events of the types for which `wants` says so, and the modes of the opens for whose
    /// path `mode` says so.
    #[must_use]
    pub fn new(wants: impl Fn(EventType) -> bool, mode: Box<ModePredicate>) -> Self {
        let none = vec![false; EventType::COUNT];
        Self {
            event_types: EventType::all().map(wants).collect(),
            of_calls: none,
            mode,
            known_modes: KnownModes::default(),
        }
    }

    /// Events of the types for which `is_of_calls` says so are made of system calls that the
    /// audit tells, and of nothing else.
    #[must_use]
    pub fn with_calls(mut self, is_of_calls: impl Fn(EventType) -> bool) -> Self {
        self.of_calls = EventType::all().map(is_of_calls).collect();
        self
    }

    /// Whether an event of that type is to be made of a record of processes or files.
    #[must_use]
    pub fn wants_record(&self, ty: EventType) -> bool {
        self.wants(ty) && !self.of_calls.get(ty.index()).copied().unwrap_or(false)
    }

    /// Whether an event of that type is to be made of a system call that the audit tells.
    #[must_use]
    pub fn wants_call(&self, ty: EventType) -> bool {
        self.wants(ty) && self.of_calls.get(ty.index()).copied().unwrap_or(false)
    }

    /// Whether events of that type are judged at all; others are not made, only the world is
    /// kept true by them.
    #[must_use]
    pub fn wants(&self, ty: EventType) -> bool {
        self.event_types.get(ty.index()).copied().unwrap_or(true)
    }

    /// Whether the mode of an open of `path` matters.
    pub fn needs_mode(&mut self, path: &[u8]) -> bool {
        self.known_modes.get(path, &*self.mode)
    }
}

impl Default for Needs {
    fn default() -> Self {
        Self::new(|_| true, Box::new(|_| true))
    }
}

impl fmt::Debug for Needs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let wanted = self.event_types.iter().filter(|&&wanted| wanted).count();
        f.debug_struct("Needs").field("event_types", &wanted).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::AtomicUsize;
    use std::sync::atomic::Ordering::Relaxed;

    use super::*;

    #[test]
    fn whether_a_mode_matters_is_asked_once_of_a_path_and_told_right_of_many() {
        let asked = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&asked);
        let mode = move |path: &[u8]| {
            counter.fetch_add(1, Relaxed);
            path.ends_with(b"7")
        };
        let mut needs = Needs::new(|_| true, Box::new(mode));
        assert!((0..100).all(|_| needs.needs_mode(b"/etc/7")));
        assert_eq!(asked.load(Relaxed), 1);
        // More than there is room for.
        for number in (0..5000).chain(0..5000) {
            let path = format!("/etc/{number}");
            assert_eq!(needs.needs_mode(path.as_bytes()), path.ends_with('7'), "{path}");
        }
        assert!(!needs.needs_mode(b"") && needs.needs_mode(&[b'7'; 4000]));
    }
}
