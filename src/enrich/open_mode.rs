//! How a file was opened: from the descriptor while it is open, else from its close.
//!
//! The kernel derives `FAN_CLOSE_WRITE` and `FAN_CLOSE_NOWRITE` from the open's mode: after the
//! first, write access is certain and read access can't be known; after the second the file was
//! open for reading only. An open whose descriptor is gone already waits for its close; the close
//! of an open that was told before belongs to that one and tells nothing of a later one.

use std::collections::VecDeque;

use rustc_hash::FxHashMap;

use super::live::MAX_HOLD_NS;
use crate::event::Param;
use crate::event::Thread;
use crate::metrics::METRICS;
use crate::sys::abi::FAN_CLOSE_NOWRITE;
use crate::sys::abi::FAN_CLOSE_WRITE;

/// Falco's values, of its table of file flags.
pub(super) mod falco {
    pub(super) const O_RDONLY: u64 = 1;
    pub(super) const O_WRONLY: u64 = 1 << 1;
    pub(super) const O_CREAT: u64 = 1 << 2;
    pub(super) const O_APPEND: u64 = 1 << 3;
    pub(super) const O_DSYNC: u64 = 1 << 4;
    pub(super) const O_EXCL: u64 = 1 << 5;
    pub(super) const O_NONBLOCK: u64 = 1 << 6;
    pub(super) const O_SYNC: u64 = 1 << 7;
    pub(super) const O_TRUNC: u64 = 1 << 8;
    pub(super) const O_DIRECT: u64 = 1 << 9;
    pub(super) const O_DIRECTORY: u64 = 1 << 10;
    pub(super) const O_LARGEFILE: u64 = 1 << 11;
    pub(super) const O_CLOEXEC: u64 = 1 << 12;
    pub(super) const O_TMPFILE: u64 = 1 << 13;
    /// The open has made the file.
    pub(in crate::enrich) const O_F_CREATED: u64 = 1 << 14;
    pub(super) const FD_UPPER_LAYER: u64 = 1 << 15;
    pub(super) const FD_LOWER_LAYER: u64 = 1 << 16;
    pub(super) const ALL: u64 = (1 << 17) - 1;
}

/// Bits that a descriptor doesn't show: the kernel forgets how a file was created, sets
/// `O_LARGEFILE` by itself, and doesn't tell an overlay's layer.
const NOT_IN_FDINFO: u64 = falco::O_CREAT
    | falco::O_EXCL
    | falco::O_TRUNC
    | falco::O_F_CREATED
    | falco::O_LARGEFILE
    | falco::FD_UPPER_LAYER
    | falco::FD_LOWER_LAYER;

/// The kernel's bit of a status flag, and Falco's. `O_SYNC` contains `O_DSYNC`.
const STATUS_FLAGS: &[(i32, u64)] = &[
    (libc::O_APPEND, falco::O_APPEND),
    (libc::O_DSYNC, falco::O_DSYNC),
    (libc::O_NONBLOCK, falco::O_NONBLOCK),
    (libc::O_SYNC, falco::O_SYNC),
    (libc::O_DIRECT, falco::O_DIRECT),
    (libc::O_DIRECTORY, falco::O_DIRECTORY),
    (libc::O_CLOEXEC, falco::O_CLOEXEC),
    (libc::O_TMPFILE, falco::O_TMPFILE),
];

/// What is known of an open's mode.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum OpenMode {
    /// Nothing.
    #[default]
    Unknown,
    /// For reading only.
    ReadOnly,
    /// For writing; whether for reading too isn't known.
    Write,
    /// The kernel's flags of its descriptor.
    Flags(u32),
}

impl OpenMode {
    /// As the event's parameter, with Falco's values.
    #[must_use]
    pub fn param(self) -> Param<'static> {
        let (value, known) = match self {
            Self::Unknown => return Param::Unknown,
            Self::ReadOnly => (falco::O_RDONLY, falco::O_RDONLY | falco::O_WRONLY),
            Self::Write => (falco::O_WRONLY, falco::O_WRONLY),
            Self::Flags(flags) => of_descriptor(flags),
        };
        Param::Partial { value, unknown: falco::ALL & !known }
    }

    /// The known bits, with Falco's values.
    #[must_use]
    pub fn falco_flags(self) -> u32 {
        match self.param() {
            Param::Partial { value, .. } => u32::try_from(value).unwrap_or(0),
            _ => 0,
        }
    }

    /// From the bits of a close; `None` without one. Both bits: one of several opens was for
    /// writing, which is what a rule about writing must hear of.
    #[must_use]
    pub const fn of_close(mask: u64) -> Option<Self> {
        if mask & FAN_CLOSE_WRITE != 0 {
            Some(Self::Write)
        } else if mask & FAN_CLOSE_NOWRITE != 0 {
            Some(Self::ReadOnly)
        } else {
            None
        }
    }

    /// The close that an open of this mode ends with.
    const fn close_bit(self) -> Option<u64> {
        match self {
            Self::Unknown => None,
            Self::ReadOnly => Some(FAN_CLOSE_NOWRITE),
            Self::Write => Some(FAN_CLOSE_WRITE),
            Self::Flags(flags) => match flags & libc::O_ACCMODE.cast_unsigned() {
                // O_WRONLY and O_RDWR.
                1 | 2 => Some(FAN_CLOSE_WRITE),
                _ => Some(FAN_CLOSE_NOWRITE),
            },
        }
    }
}

/// Value and known bits.
fn of_descriptor(flags: u32) -> (u64, u64) {
    let (access, access_known) = match flags & libc::O_ACCMODE.cast_unsigned() {
        0 => (falco::O_RDONLY, falco::O_RDONLY | falco::O_WRONLY),
        1 => (falco::O_WRONLY, falco::O_RDONLY | falco::O_WRONLY),
        2 => (falco::O_RDONLY | falco::O_WRONLY, falco::O_RDONLY | falco::O_WRONLY),
        // Access mode 3: neither, for ioctl(2) alone.
        _ => (0, falco::O_RDONLY | falco::O_WRONLY),
    };
    let status = STATUS_FLAGS.iter().filter(|(kernel, _)| {
        let kernel = kernel.cast_unsigned();
        flags & kernel == kernel
    });
    let value = status.fold(access, |value, (_, falco)| value | falco);
    let others = falco::ALL & !NOT_IN_FDINFO & !(falco::O_RDONLY | falco::O_WRONLY);
    (value, others | access_known)
}

/// An open of a file by a process: pid, device, inode.
pub type Key = (i32, u64, u64);

/// An open that waits for its close.
#[derive(Debug)]
pub struct PendingOpen {
    /// Who opened what.
    pub key: Key,
    /// The path as the process sees it; empty if unknown.
    pub path: Vec<u8>,
    /// When it was read, in nanoseconds since the epoch.
    pub ts: u64,
    /// The process as it was then: it may run another program by the time of the close.
    pub thread: Option<Box<Thread>>,
    /// Type and permissions, as `st_mode`.
    pub mode: u32,
}

/// What became of an open.
#[derive(Debug)]
pub enum Verdict {
    /// Its mode is known, or never will be: now is the time for its event.
    Tell(OpenMode),
    /// Keep it: its close may come.
    Wait,
}

/// Opens that wait, and opens that were told and are still open.
#[derive(Debug)]
pub struct PendingOpens {
    waiting: FxHashMap<Key, PendingOpen>,
    queue: VecDeque<(u64, Key)>,
    told: Told,
    max: usize,
}

impl PendingOpens {
    /// At most `max` wait; of more, the oldest is told as it is.
    #[must_use]
    pub fn new(max: usize) -> Self {
        Self {
            waiting: FxHashMap::default(),
            queue: VecDeque::new(),
            told: Told::new(max),
            max: max.max(1),
        }
    }

    /// An open was seen whose descriptor has been looked for: `found` is what it told.
    pub fn opened(&mut self, key: Key, mask: u64, found: Option<OpenMode>) -> Verdict {
        let closes = self.told.take(key, mask & (FAN_CLOSE_WRITE | FAN_CLOSE_NOWRITE));
        if let Some(mode) = found {
            if let Some(bit) = mode.close_bit() {
                self.told.add(key, bit);
            }
            return Verdict::Tell(mode);
        }
        match OpenMode::of_close(closes) {
            Some(mode) => Verdict::Tell(mode),
            None => Verdict::Wait,
        }
    }

    /// Keeps an open for its close. What is returned can't wait any longer: an earlier open of the
    /// same file by the same process, which the close could belong to as well, or the oldest.
    pub fn wait(&mut self, open: PendingOpen) -> (Option<PendingOpen>, Option<PendingOpen>) {
        let key = open.key;
        if let Some(earlier) = self.waiting.remove(&key) {
            return (Some(earlier), Some(open));
        }
        let evicted = if self.waiting.len() >= self.max { self.pop_oldest() } else { None };
        if evicted.is_some() {
            METRICS.enrich.opens_crowded.increment();
        }
        METRICS.enrich.opens_kept.increment();
        self.queue.push_back((open.ts.saturating_add(MAX_HOLD_NS), key));
        self.waiting.insert(key, open);
        (evicted, None)
    }

    /// A close was seen, not merged with an open. Gives the open that it ends, with its mode.
    pub fn closed(&mut self, key: Key, mask: u64) -> Option<(PendingOpen, OpenMode)> {
        let mode = OpenMode::of_close(self.told.take(key, mask))?;
        let open = self.waiting.remove(&key)?;
        METRICS.enrich.opens_closed.increment();
        Some((open, mode))
    }

    /// The executable of `pid`, or its interpreter, turned out to be this file: its open was
    /// execve's own.
    pub fn forget(&mut self, key: Key) {
        self.waiting.remove(&key);
    }

    /// An open that has waited long enough at `now_ns`.
    pub fn pop_due(&mut self, now_ns: u64) -> Option<PendingOpen> {
        let due = self.pop_before(now_ns)?;
        METRICS.enrich.opens_expired.increment();
        Some(due)
    }

    fn pop_before(&mut self, now_ns: u64) -> Option<PendingOpen> {
        while let Some((due, key)) = self.queue.front().copied() {
            // An entry whose open was told meanwhile may stand before a later open's own.
            let open_due = self.waiting.get(&key).map(|open| open.ts.saturating_add(MAX_HOLD_NS));
            if open_due == Some(due) && now_ns < due {
                return None;
            }
            self.queue.pop_front();
            if open_due == Some(due) {
                return self.waiting.remove(&key);
            }
        }
        None
    }

    /// When the next one is due.
    #[must_use]
    pub fn next_due_ns(&self) -> Option<u64> {
        if self.waiting.is_empty() { None } else { self.queue.front().map(|(due, _)| *due) }
    }

    fn pop_oldest(&mut self) -> Option<PendingOpen> {
        self.pop_before(u64::MAX)
    }
}

/// Opens that were told and not closed yet: how many of each kind. Bounded by forgetting the older
/// half.
#[derive(Debug)]
struct Told {
    young: FxHashMap<Key, [u32; 2]>,
    old: FxHashMap<Key, [u32; 2]>,
    max: usize,
}

impl Told {
    fn new(max: usize) -> Self {
        Self { young: FxHashMap::default(), old: FxHashMap::default(), max }
    }

    fn add(&mut self, key: Key, bit: u64) {
        let mut counts = self.old.remove(&key).unwrap_or_default();
        if self.young.len() >= self.max && !self.young.contains_key(&key) {
            self.old = std::mem::take(&mut self.young);
        }
        let entry = self.young.entry(key).or_default();
        for (count, more) in entry.iter_mut().zip(counts.iter_mut()) {
            *count += std::mem::take(more);
        }
        if let Some(count) = entry.get_mut(slot(bit)) {
            *count += 1;
        }
    }

    /// Takes the closes of `mask` that belong to opens told before; the rest of the mask.
    fn take(&mut self, key: Key, mask: u64) -> u64 {
        let mut rest = mask;
        for bit in [FAN_CLOSE_WRITE, FAN_CLOSE_NOWRITE] {
            if mask & bit != 0 && self.take_one(key, bit) {
                rest &= !bit;
            }
        }
        rest
    }

    fn take_one(&mut self, key: Key, bit: u64) -> bool {
        for generation in [&mut self.young, &mut self.old] {
            let Some(counts) = generation.get_mut(&key) else { continue };
            let Some(count) = counts.get_mut(slot(bit)).filter(|count| **count > 0) else {
                continue;
            };
            *count -= 1;
            if *counts == [0, 0] {
                generation.remove(&key);
            }
            return true;
        }
        false
    }
}

const fn slot(bit: u64) -> usize {
    if bit == FAN_CLOSE_WRITE { 0 } else { 1 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::flag_tables::FILE_FLAGS;
    use crate::event::flags::flag_names;
    use crate::event::flags::value_of;

    const KEY: Key = (7, 1, 2);

    fn open(ts: u64) -> PendingOpen {
        PendingOpen { key: KEY, path: b"/f".to_vec(), ts, thread: None, mode: 0 }
    }

    fn names(mode: OpenMode) -> Vec<&'static str> {
        flag_names(FILE_FLAGS, mode.falco_flags()).collect()
    }

    #[test]
    fn falcos_values_are_those_of_its_table() {
        for (name, value) in [
            ("O_CREAT", falco::O_CREAT),
            ("O_SYNC", falco::O_SYNC),
            ("O_DIRECTORY", falco::O_DIRECTORY),
            ("O_F_CREATED", falco::O_F_CREATED),
            ("O_TMPFILE", falco::O_TMPFILE),
            ("FD_LOWER_LAYER", falco::FD_LOWER_LAYER),
        ] {
            assert_eq!(value_of(FILE_FLAGS, name).map(u64::from), Some(value), "{name}");
        }
        let all = FILE_FLAGS.iter().fold(0, |all, (_, value)| all | u64::from(*value));
        assert_eq!(all, falco::ALL);
    }

    #[test]
    fn a_descriptor_tells_access_and_status() {
        let flags = libc::O_WRONLY | libc::O_APPEND | libc::O_CLOEXEC | libc::O_SYNC;
        let mode = OpenMode::Flags(flags.cast_unsigned());
        assert_eq!(names(mode), ["O_SYNC", "O_DSYNC", "O_APPEND", "O_WRONLY", "O_CLOEXEC"]);
        let Param::Partial { unknown, .. } = mode.param() else { panic!("not partial") };
        assert_eq!(unknown, NOT_IN_FDINFO);
        assert_eq!(names(OpenMode::Flags(2)), ["O_RDWR"]);
    }

    #[test]
    fn after_a_write_close_reading_is_not_known() {
        let Param::Partial { value, unknown } = OpenMode::Write.param() else { panic!() };
        assert_eq!((value, unknown & 1, unknown & 2), (2, 1, 0));
    }

    #[test]
    fn after_a_read_close_writing_is_known_not_to_have_been() {
        let Param::Partial { value, unknown } = OpenMode::ReadOnly.param() else { panic!() };
        assert_eq!((value, unknown & 3), (1, 0));
    }

    #[test]
    fn a_merged_open_and_close_are_one_event_of_that_mode() {
        let mut opens = PendingOpens::new(4);
        let verdict = opens.opened(KEY, 0x20 | FAN_CLOSE_NOWRITE, None);
        assert!(matches!(verdict, Verdict::Tell(OpenMode::ReadOnly)));
    }

    #[test]
    fn a_close_in_a_later_drain_tells_the_mode() {
        let mut opens = PendingOpens::new(4);
        assert!(matches!(opens.opened(KEY, 0x20, None), Verdict::Wait));
        assert!(opens.wait(open(5)).0.is_none());
        let (told, mode) = opens.closed(KEY, FAN_CLOSE_WRITE).unwrap();
        assert_eq!((told.ts, mode), (5, OpenMode::Write));
        assert!(opens.closed(KEY, FAN_CLOSE_WRITE).is_none());
        assert_eq!(opens.next_due_ns(), None);
    }

    #[test]
    fn the_close_of_an_open_told_before_tells_nothing_of_a_later_one() {
        let mut opens = PendingOpens::new(4);
        let write = OpenMode::Flags(1);
        assert!(matches!(opens.opened(KEY, 0x20, Some(write)), Verdict::Tell(_)));
        // The close of the first and the open of the second, merged.
        assert!(matches!(opens.opened(KEY, 0x20 | FAN_CLOSE_WRITE, None), Verdict::Wait));
        opens.wait(open(5));
        let (_, mode) = opens.closed(KEY, FAN_CLOSE_NOWRITE).unwrap();
        assert_eq!(mode, OpenMode::ReadOnly);
    }

    #[test]
    fn an_open_waits_no_longer_than_its_time() {
        let mut opens = PendingOpens::new(4);
        opens.wait(open(5));
        assert_eq!(opens.next_due_ns(), Some(5 + MAX_HOLD_NS));
        assert!(opens.pop_due(4 + MAX_HOLD_NS).is_none());
        assert_eq!(opens.pop_due(5 + MAX_HOLD_NS).unwrap().ts, 5);
        assert!(opens.pop_due(u64::MAX).is_none());
    }

    #[test]
    fn two_opens_that_wait_for_one_close_are_told_without_mode() {
        let mut opens = PendingOpens::new(4);
        opens.wait(open(5));
        let (earlier, later) = opens.wait(open(6));
        assert_eq!((earlier.unwrap().ts, later.unwrap().ts), (5, 6));
        assert!(opens.closed(KEY, FAN_CLOSE_WRITE).is_none());
    }

    #[test]
    fn the_oldest_is_told_when_too_many_wait() {
        let mut opens = PendingOpens::new(2);
        for ino in 0..2 {
            opens.wait(PendingOpen { key: (7, 1, ino), ..open(ino) });
        }
        let (evicted, _) = opens.wait(PendingOpen { key: (7, 1, 9), ..open(9) });
        assert_eq!(evicted.unwrap().ts, 0);
        assert_eq!(opens.waiting.len(), 2);
    }
}
