//! Which task opens, and by which call.
//!
//! Where the kernel names processes only (before 4.20), it is the one whose call opens, that waits in
//! fanotify, and that was given the file's name; of several, one that has not been found there
//! before. If there is none, nobody has seen the open.
//!
//! Sources: proc_pid_syscall(5), proc_pid_wchan(5), process_vm_readv(2).

use std::thread;
use std::time::Duration;

use crate::decode::procfs::stat::Stat;
use crate::decode::procfs::status::Status;
use crate::decode::procfs::syscall::StandingCall;
use crate::decode::syscall;
use crate::decode::syscall::Abi;
use crate::decode::syscall::Call;
use crate::metrics::METRICS;
use crate::procfs::Proc;
use crate::sys::process;
use crate::sys::ptrace;

use super::openers::PATH;
use super::openers::PIECE;

/// Files and tasks that are remembered.
const MEMORY: usize = 64;

/// Tasks of one process that are looked at, to find the one that opens.
const MAX_TASKS: usize = 1024;

/// How often a task is looked for that has not come to stand yet, and the time between.
const MAX_TRIES: u32 = 300;
/// As above.
const TRY_AGAIN: Duration = Duration::from_micros(20);

/// Memory is mapped in pieces no smaller.
const PAGE: u64 = 4096;

/// A call that opens files, and where its arguments are.
#[derive(Debug)]
pub(super) struct Opening {
    pub(super) name: &'static str,
    path: Option<usize>,
    pub(super) flags: Option<usize>,
    pub(super) how: Option<usize>,
}

const OPENINGS: [Opening; 5] = [
    Opening { name: "open", path: Some(0), flags: Some(1), how: None },
    Opening { name: "openat", path: Some(1), flags: Some(2), how: None },
    Opening { name: "openat2", path: Some(1), flags: None, how: Some(2) },
    Opening { name: "creat", path: Some(0), flags: None, how: None },
    Opening { name: "open_by_handle_at", path: None, flags: Some(2), how: None },
];

/// The last few of something.
#[derive(Debug)]
pub(super) struct Recent<T> {
    kept: [Option<T>; MEMORY],
    next: usize,
}

impl<T: Copy + Eq> Recent<T> {
    pub(super) const fn new() -> Self {
        Self { kept: [None; MEMORY], next: 0 }
    }

    pub(super) fn has(&self, wanted: T) -> bool {
        self.kept.contains(&Some(wanted))
    }

    pub(super) fn keep(&mut self, new: T) {
        if let Some(slot) = self.kept.get_mut(self.next) {
            *slot = Some(new);
        }
        self.next = (self.next + 1) % MEMORY;
    }
}

/// What was found of the task that opens.
pub(super) struct Found {
    pub(super) tid: i32,
    pub(super) call: Call,
    pub(super) opening: &'static Opening,
}

/// What the file `syscall` of a task says that doesn't stand.
const RUNNING: &[u8] = b"running";

/// What makes a task likely the opener: it waits in fanotify; it was given the file's name.
const WAITS: u32 = 4;
/// As above.
const NAMED: u32 = 2;
/// No other can be it, but one that opens a file of the same name at the same moment.
const SURE: u32 = WAITS + NAMED;

/// What it has for that, made once.
#[derive(Debug)]
pub(super) struct Finder {
    /// The kernel tells which thread it is.
    has_tid: bool,
    /// The path that the call was given, when that was read.
    pub(super) given: Vec<u8>,
    text: Vec<u8>,
    tasks: Vec<i32>,
    /// Where tasks have stood that were taken for the opener: it, stack, second argument.
    stood: Recent<(i32, u64, u64)>,
    /// How many tasks waited in fanotify when they were last looked at.
    waiting: u32,
    /// How many ran.
    running: u32,
}

impl Finder {
    pub(super) fn new(has_tid: bool) -> Self {
        Self {
            has_tid,
            given: Vec::with_capacity(PATH),
            text: Vec::with_capacity(PIECE),
            tasks: Vec::with_capacity(MAX_TASKS),
            stood: Recent::new(),
            waiting: 0,
            running: 0,
        }
    }

    /// Finds the task that opens the file of `path`, and its call; `pid`: whom the kernel names.
    /// `Some(None)`: it is execve's own open. `None`: it opens by none of the calls that are known,
    /// or nobody has seen it.
    pub(super) fn find(&mut self, proc: &Proc, pid: i32, path: &[u8]) -> Option<Option<Found>> {
        if self.has_tid || self.is_alone(proc, pid) {
            return self.found(proc, pid);
        }
        proc.tasks(pid, MAX_TASKS, &mut self.tasks).ok()?;
        let tasks = std::mem::take(&mut self.tasks);
        let mut best = None;
        for _ in 0..MAX_TRIES {
            best = self.best_of(proc, &tasks, path);
            if best.as_ref().is_some_and(|(rank, ..)| *rank >= SURE) {
                break;
            }
            thread::sleep(TRY_AGAIN);
        }
        self.tasks = tasks;
        // By a name of its own (a link) it can only be the one that waits while no other runs.
        let is_alone = self.waiting == 1 && self.running == 0;
        let best = best.filter(|(rank, ..)| *rank >= SURE || *rank >= WAITS && is_alone);
        if best.is_none() {
            METRICS.rendezvous.late.increment();
        }
        let (_, found, standing) = best?;
        self.stood.keep(place_of(found.tid, &standing));
        Some(Some(found))
    }

    /// The task that most likely opens the file of that path.
    fn best_of(
        &mut self,
        proc: &Proc,
        tasks: &[i32],
        path: &[u8],
    ) -> Option<(u32, Found, StandingCall)> {
        let mut best: Option<(u32, Found, StandingCall)> = None;
        (self.waiting, self.running) = (0, 0);
        for &tid in tasks {
            let Some(standing) = self.standing(proc, tid) else {
                self.running += u32::from(self.text.starts_with(RUNNING));
                continue;
            };
            let Some(Some(found)) = found_of(tid, &standing) else { continue };
            let rank = self.rank(proc, &found, &standing, path);
            self.waiting += u32::from(rank >= WAITS);
            if best.as_ref().is_none_or(|(other, ..)| rank > *other) {
                best = Some((rank, found, standing));
            }
        }
        best
    }

    fn is_alone(&mut self, proc: &Proc, pid: i32) -> bool {
        let read = proc.process(pid).and_then(|dir| dir.read_piece(c"stat", PIECE, &mut self.text));
        read.is_ok() && Stat::parse(&self.text).is_some_and(|stat| stat.num_threads == 1)
    }

    fn standing(&mut self, proc: &Proc, tid: i32) -> Option<StandingCall> {
        proc.process(tid).ok()?.read_piece(c"syscall", PIECE, &mut self.text).ok()?;
        StandingCall::parse(&self.text)
    }

    /// The call of the one task that it can be. Its event may come before it has come to stand.
    fn found(&mut self, proc: &Proc, tid: i32) -> Option<Option<Found>> {
        found_of(tid, &await_standing(proc, tid, &mut self.text)?)
    }

    /// How likely a task is the one that opens the file of that path.
    fn rank(&mut self, proc: &Proc, found: &Found, call: &StandingCall, path: &[u8]) -> u32 {
        let is_new = !self.stood.has(place_of(found.tid, call));
        let wchan = proc.process(found.tid);
        let wchan = wchan.and_then(|dir| dir.read_piece(c"wchan", PIECE, &mut self.text));
        let waits = wchan.is_ok() && self.text.starts_with(b"fanotify");
        self.read_given(found);
        let name = |path: &[u8]| path.iter().rposition(|&byte| byte == b'/').map_or(0, |at| at + 1);
        let last = path.get(name(path)..).unwrap_or_default();
        let is_named = self.given.get(name(&self.given)..) == Some(last);
        u32::from(waits) * WAITS + u32::from(is_named) * NAMED + u32::from(is_new)
    }

    /// Reads the path that was given; whether it could be read.
    pub(super) fn read_given(&mut self, found: &Found) -> bool {
        self.given.clear();
        let address = found.opening.path.and_then(|at| found.call.arguments.get(at));
        let Some(&address) = address.filter(|&&address| address != 0) else { return false };
        read_text(found.tid, address, &mut self.given)
    }
}

fn place_of(tid: i32, call: &StandingCall) -> (i32, u64, u64) {
    let [_, second, ..] = call.arguments;
    (tid, call.stack, second)
}

/// The process of a task; zero if it is gone. `text`: room for `status`.
pub(super) fn process_of(proc: &Proc, tid: i32, text: &mut Vec<u8>) -> i32 {
    if process::is_thread_of(tid, tid) {
        return tid;
    }
    let status = proc.process(tid);
    let status = status.and_then(|dir| dir.read_piece(c"status", PIECE, text));
    let tgid = status.ok().and_then(|()| Status::parse(text).tgid);
    tgid.and_then(|tgid| i32::try_from(tgid).ok()).unwrap_or(0)
}

/// The call in which a task stands: it may be told of before it has come to stand. `None` if it
/// stands in none, or doesn't come to stand; that is counted. `text`: room for `syscall`.
pub(super) fn await_standing(proc: &Proc, tid: i32, text: &mut Vec<u8>) -> Option<StandingCall> {
    for _ in 0..MAX_TRIES {
        proc.process(tid).ok()?.read_piece(c"syscall", PIECE, text).ok()?;
        if let Some(standing) = StandingCall::parse(text) {
            return Some(standing);
        }
        if !text.starts_with(RUNNING) {
            return None;
        }
        thread::sleep(TRY_AGAIN);
    }
    METRICS.rendezvous.late.increment();
    None
}

/// By which table a task has made its call.
pub(super) fn abi_of(standing: &StandingCall) -> Abi {
    match (cfg!(target_arch = "aarch64"), standing.is_narrow()) {
        (true, _) => Abi::Aarch64,
        (false, true) => Abi::I386,
        (false, false) => Abi::X86_64,
    }
}

/// What a task stands in: see [`Finder::find`].
fn found_of(tid: i32, standing: &StandingCall) -> Option<Option<Found>> {
    let abi = abi_of(standing);
    let name = syscall::name(abi, standing.number)?;
    if matches!(name, "execve" | "execveat") {
        return Some(None);
    }
    let opening = OPENINGS.iter().find(|opening| opening.name == name)?;
    let call = Call { abi, number: standing.number, arguments: standing.arguments, result: 0 };
    Some(Some(Found { tid, call, opening }))
}

/// Whether a call opens a file to read it, and does nothing else to it. `how`: what openat2(2) was
/// given.
pub(super) fn is_for_reading(call: &Call, how: Option<&[u8]>) -> bool {
    const OTHER: u64 =
        (libc::O_ACCMODE | libc::O_CREAT | libc::O_TRUNC | libc::O_TMPFILE & !libc::O_DIRECTORY)
            as u64;
    let Some(name) = syscall::name(call.abi, call.number) else { return false };
    let Some(opening) = OPENINGS.iter().find(|opening| opening.name == name) else { return false };
    let flags = match (opening.flags, how.and_then(|how| how.first_chunk::<8>())) {
        (Some(at), _) => call.arguments.get(at).copied(),
        (None, Some(flags)) if opening.how.is_some() => Some(u64::from_ne_bytes(*flags)),
        _ => None,
    };
    flags.is_some_and(|flags| flags & OTHER == 0)
}

/// Reads a text that ends in NUL, no longer than a path can be; whether all of it could be read.
pub(super) fn read_text(tid: i32, address: u64, into: &mut Vec<u8>) -> bool {
    let mut from = address;
    while into.len() < PATH {
        // To the end of the page: the next one need not be there.
        let len = usize::try_from(PAGE - from % PAGE).unwrap_or(PATH).min(PATH - into.len());
        let start = into.len();
        into.resize(start + len, 0);
        let room = into.get_mut(start..).unwrap_or_default();
        let Ok(len) = ptrace::read_memory(tid, from, room) else {
            into.clear();
            return false;
        };
        let read = room.get(..len).unwrap_or_default();
        if let Some(end) = memchr::memchr(0, read) {
            into.truncate(start + end);
            return true;
        }
        into.truncate(start + len);
        from = from.wrapping_add(u64::try_from(len).unwrap_or(PAGE).max(1));
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_read_from_memory_across_pages() {
        let own = process::own_pid();
        let mut memory = vec![b'x'; 3 * 4096];
        let end = memory.len() - 4096;
        memory[end] = 0;
        let start = end - 3000;
        let address = memory[start..].as_ptr().addr();
        let mut text = Vec::new();
        assert!(read_text(own, u64::try_from(address).unwrap(), &mut text));
        assert_eq!(text, vec![b'x'; 3000]);
        text.clear();
        assert!(!read_text(own, 8, &mut text));
    }

    #[test]
    fn the_calls_that_open_are_known_by_architecture() {
        let call = |number, stack| StandingCall { number, arguments: [0; 6], stack };
        let high = 0x7fff_0000_0000;
        if cfg!(target_arch = "x86_64") {
            let found = found_of(1, &call(257, high)).unwrap().unwrap();
            assert_eq!(found.opening.name, "openat");
            let found = found_of(1, &call(5, 0xffff_0000)).unwrap().unwrap();
            assert_eq!(found.opening.name, "open");
            assert!(found_of(1, &call(59, high)).unwrap().is_none());
            assert!(found_of(1, &call(426, high)).is_none());
        }
    }

    #[test]
    fn a_call_only_reads_if_it_neither_writes_nor_makes_nor_cuts_off() {
        if !cfg!(target_arch = "x86_64") {
            return;
        }
        let call = |number, flags: i32| Call {
            abi: Abi::X86_64,
            number,
            arguments: [0, 0, u64::from(flags.cast_unsigned()), 0, 0, 0],
            result: 0,
        };
        let openat = |flags| is_for_reading(&call(257, flags), None);
        assert!(openat(libc::O_RDONLY | libc::O_CLOEXEC) && openat(libc::O_DIRECTORY));
        for flags in [libc::O_WRONLY, libc::O_RDWR, libc::O_CREAT, libc::O_TRUNC, libc::O_TMPFILE] {
            assert!(!openat(flags), "{flags:o}");
        }
        let how = [u64::from(libc::O_RDWR.cast_unsigned()).to_ne_bytes(), [0; 8]].concat();
        assert!(!is_for_reading(&call(437, 0), Some(&how)));
        assert!(is_for_reading(&call(437, 0), Some(&[0; 24])));
        assert!(!is_for_reading(&call(437, 0), None), "nobody knows");
        assert!(!is_for_reading(&call(85, 0), None), "creat");
    }

    #[test]
    fn only_so_many_are_remembered() {
        let mut recent = Recent::new();
        for number in 0..=MEMORY {
            recent.keep(number);
        }
        assert!(!recent.has(0) && recent.has(1) && recent.has(MEMORY));
    }
}
