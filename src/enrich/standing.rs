//! Opens that were looked at while their tasks stood in them: exact, to the call's arguments.
//!
//! The notification group tells of the same opens, merged as it does: its records of a process's
//! opens of a file are left out for [`KEEP_NS`] after a look at one of them, by the same path. If an
//! open was let go without a look, that is told, too, and then its record counts.

use rustc_hash::FxHashMap;

use super::descriptor::falco_device;
use super::draft::Draft;
use super::live::EventSink;
use super::live::LiveEnricher;
use super::look::below_root;
use super::look::set;
use super::open_mode::falco;
use crate::decode::FileRecord;
use crate::decode::syscall;
use crate::decode::syscall::Inspect;
use crate::event::Bytes;
use crate::event::EventFd;
use crate::event::EventType;
use crate::event::Fd;
use crate::event::FdKind;
use crate::event::FdNumber;
use crate::event::Param;
use crate::event::known;
use crate::procfs::standing::Standing;

/// How long after a look the records of the same file are left out.
const KEEP_NS: u64 = 2_000_000_000;

/// Files of processes that are remembered; when there are more, the older half is forgotten.
const MAX_KEPT: usize = 8192;

/// What was looked at lately.
#[derive(Debug, Default)]
pub(super) struct Looked {
    young: FxHashMap<(i32, u64, u64), Opened>,
    old: FxHashMap<(i32, u64, u64), Opened>,
    since_ns: u64,
    /// Opens that were let go without a look, by file.
    untold: FxHashMap<(u64, u64), u32>,
}

#[derive(Debug)]
struct Opened {
    path: Box<[u8]>,
    at_ns: u64,
    /// When a record of such an open was last left out.
    recorded_ns: u64,
}

impl Looked {
    /// Learns of one open.
    fn note(&mut self, look: &Standing<'_>) {
        if look.wall_ns.saturating_sub(self.since_ns) >= KEEP_NS || self.young.len() >= MAX_KEPT {
            self.old = std::mem::take(&mut self.young);
            self.untold.clear();
            self.since_ns = look.wall_ns;
        }
        let key = (look.pid, look.dev, look.ino);
        match self.young.get_mut(&key) {
            Some(opened) if *opened.path == *look.path => opened.at_ns = look.wall_ns,
            _ => {
                let opened = Opened { path: look.path.into(), at_ns: look.wall_ns, recorded_ns: 0 };
                self.young.insert(key, opened);
            }
        }
    }

    /// Learns of one that nobody looked at.
    fn note_untold(&mut self, look: &Standing<'_>) {
        if look.ino == 0 {
            // It can have been any.
            self.young.clear();
            self.old.clear();
        } else if self.untold.len() < MAX_KEPT {
            *self.untold.entry((look.dev, look.ino)).or_default() += 1;
        }
    }

    /// Whether a record is of opens that were looked at.
    pub(super) fn covers(&mut self, record: &FileRecord<'_>) -> bool {
        let key = (record.pid, record.dev, record.ino);
        let is_it = |opened: &Opened| {
            *opened.path == *record.path && record.read_at_ns.saturating_sub(opened.at_ns) < KEEP_NS
        };
        let Self { young, old, .. } = self;
        let mut looked = [young, old].into_iter().filter_map(|looked| looked.get_mut(&key));
        let Some(opened) = looked.find(|opened| is_it(opened)) else { return false };
        opened.recorded_ns = record.read_at_ns;
        match self.untold.get_mut(&(record.dev, record.ino)).filter(|count| **count > 0) {
            Some(count) => {
                *count -= 1;
                false
            }
            None => true,
        }
    }
}

impl LiveEnricher {
    /// Learns of an open that was looked at; hand in all that have come before the file records
    /// that were read before, and tell each by [`standing`](Self::standing) when it has succeeded.
    pub fn note_seen(&mut self, look: &Standing<'_>) {
        self.looked.note(look);
    }

    /// From now on every record of a file's opens counts: not all are looked at.
    pub fn forget_seen(&mut self, file: (u64, u64)) {
        let Looked { young, old, .. } = &mut self.looked;
        for looked in [young, old] {
            looked.retain(|(_, dev, ino), _| (*dev, *ino) != file);
        }
    }

    /// Learns of one that nobody has looked at: its record counts.
    pub fn note_unseen(&mut self, look: &Standing<'_>) {
        self.looked.note_untold(look);
    }

    /// Whether a record has told that a process has opened that file, after it was looked at.
    #[must_use]
    pub fn has_recorded(&self, look: &Standing<'_>) -> bool {
        let key = (look.pid, look.dev, look.ino);
        let looked = [&self.looked.young, &self.looked.old];
        let mut looked = looked.into_iter().filter_map(|looked| looked.get(&key));
        looked.any(|opened| opened.recorded_ns >= look.wall_ns)
    }

    /// Tells an open that was looked at and has succeeded, as one of `path`: the file's own, or
    /// another of its names.
    pub fn standing(&mut self, look: &Standing<'_>, path: &[u8], sink: &mut EventSink<'_>) {
        let Some(call) = look.call else { return };
        let name = syscall::name(call.abi, call.number);
        let Some(ty) = name.and_then(syscall::event_type) else { return };
        if look.pid == self.settings.own_pid || !self.needs.wants_record(ty) {
            return;
        }
        self.note_time(look.wall_ns);
        self.know(look.pid);
        let pid = i64::from(look.pid);
        if let Some(thread) = self.world.threads.get_mut(&pid)
            && !look.cwd.is_empty()
        {
            set(&mut thread.root, look.root);
            set(&mut thread.cwd, below_root(look.cwd, look.root));
        }
        let fd = self.file_of(look, below_root(path, look.root));
        self.calls.arena.reset();
        let arena = &self.calls.arena;
        let file = (fd.dev, fd.ino);
        let mut told = Told { look, file };
        let mut params = Vec::with_capacity(ty.info().params.len());
        syscall::parameters(ty, &call, &mut told, arena, &mut params);
        complete(ty, look, &fd, &mut params);
        let draft = Draft {
            ts: look.wall_ns,
            ty,
            cpu: None,
            tid: i64::from(look.tid),
            thread: self.world.thread(pid),
            params: &params,
            fd: EventFd { num: FdNumber::NotNegative, info: Some(&fd), ..EventFd::default() },
        };
        self.out.tell(&self.world, &draft, sink);
    }

    fn file_of(&mut self, look: &Standing<'_>, path: &[u8]) -> Fd {
        let name = self.paths.share((look.dev, look.ino), path);
        let is_directory = look.mode & libc::S_IFMT == libc::S_IFDIR;
        Fd {
            name_raw: look.given.map_or_else(|| Bytes::clone(&name), Bytes::from),
            name,
            dev: falco_device(look.dev),
            ino: look.ino,
            ..Fd::new(if is_directory { FdKind::Directory } else { FdKind::File })
        }
    }
}

/// What the call itself doesn't tell: it has succeeded, though with which number isn't known; and
/// whether it has made the file.
fn complete<'a>(ty: EventType, look: &Standing<'_>, fd: &'a Fd, params: &mut [Param<'a>]) {
    if let Some(result) = params.first_mut() {
        *result = Param::NotNegative;
    }
    let flags = match ty {
        known::OPEN | known::OPEN_BY_HANDLE_AT => 2,
        known::OPENAT | known::OPENAT2 => 3,
        _ => return,
    };
    if let Some(Param::UInt(flags)) = params.get_mut(flags)
        && look.is_created
    {
        *flags |= falco::O_F_CREATED;
    }
    if ty == known::OPEN_BY_HANDLE_AT
        && let Some(path) = params.get_mut(3)
    {
        *path = Param::Bytes(&fd.name);
    }
}

/// A call as the look tells it, as the decoder asks about it.
struct Told<'l> {
    look: &'l Standing<'l>,
    file: (u32, u64),
}

impl<'l> Inspect<'l> for Told<'l> {
    fn text(&mut self, _: usize, _: u64) -> Option<&'l [u8]> {
        self.look.given
    }

    fn memory(&mut self, _: u64, len: usize) -> Option<&'l [u8]> {
        self.look.how?.get(..len)
    }

    fn file(&mut self, _: i64) -> Option<(u32, u64)> {
        Some(self.file)
    }

    fn tuple(&mut self, _: i64) -> Option<&'l [u8]> {
        None
    }
}
