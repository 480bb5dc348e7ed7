//! `eyas trace`: the rules on one process tree, whose every needed system call is seen exactly.
//!
//! One thread traces, makes events and judges them while the tracee stands still, so nothing is
//! lost and nothing races. Only the calls that the loaded rules need stop the launched program,
//! beside the few that keep its process entry true.

use std::cell::Cell;
use std::ffi::CString;
use std::io;
use std::os::fd::AsFd as _;
use std::path::Path;
use std::time::Duration;

use nix::sys::signal::Signal;
use rustc_hash::FxHashMap;

use super::Error;
use super::coverage;
use super::finish_to;
use super::formatter;
use super::judge::Judge;
use crate::config::Config;
use crate::decode::ProcessChange;
use crate::decode::ProcessRecord;
use crate::decode::syscall;
use crate::decode::syscall::Abi;
use crate::decode::syscall::Call;
use crate::engine::ruleset::RuleSet;
use crate::enrich::LiveEnricher;
use crate::enrich::calls::CallRecord;
use crate::event::EventFlags;
use crate::event::EventType;
use crate::event::Fd;
use crate::event::known;
use crate::sources::ptrace::Seen;
use crate::sources::ptrace::Step;
use crate::sources::ptrace::Texts;
use crate::sources::ptrace::Tracer;
use crate::sources::ptrace::Wanted;
use crate::sys::clock;
use crate::sys::poll;
use crate::sys::poll::SignalFd;
use crate::sys::process;
use crate::sys::ptrace;
use crate::sys::seccomp;

/// What is traced.
#[derive(Clone, Debug)]
pub enum Target {
    /// This program with its arguments.
    Launch(Vec<CString>),
    /// This running process.
    Attach(i32),
}

/// As much of a path as the kernel takes, `PATH_MAX`.
const PATH_MAX: usize = 4096;

/// Calls that are always watched: they change what is known of the process itself.
const ALWAYS: &[EventType] = &[
    known::CHDIR,
    known::FCHDIR,
    known::CHROOT,
    known::SETSID,
    known::SETUID,
    known::SETGID,
    known::SETREUID,
    known::SETREGID,
    known::SETRESUID,
    known::SETRESGID,
    known::PRCTL,
];

/// Traces until the tree has ended or a signal asks for the end. Gives the exit code: the
/// program's own, or 128 and its signal.
///
/// # Errors
///
/// [`Error`]: with what wasn't possible.
pub fn run(target: &Target, rules: RuleSet, config: &Config) -> Result<u8, Error> {
    let refused = |error: crate::sources::ptrace::Error| {
        let cause = std::error::Error::source(&error).map(ToString::to_string);
        Error::Refused(format!("{error}: {}", cause.unwrap_or_default()))
    };
    let table = syscall::Table::new();
    let wanted = wanted(&rules);
    let mut tracer = match target {
        Target::Launch(arguments) => {
            Tracer::launch(arguments, wanted, process::is_root()).map_err(refused)?
        }
        Target::Attach(pid) => Tracer::attach(*pid, &threads_of(*pid), wanted).map_err(refused)?,
    };
    let io = |what| move |source| Error::Io { what, source };
    let signals = SignalFd::new(&[Signal::SIGINT, Signal::SIGTERM, Signal::SIGCHLD])
        .map_err(io("cannot receive signals"))?;
    // execve's own opens are no calls of the tracee, so none must be recognised here.
    let mut enricher = super::enricher(true, config)?;
    enricher.set_needs(super::needs(&rules));
    let outputs = super::outputs::start_stream(config, "stderr", io::stderr())?;
    let mut judge = Judge::new(rules, formatter(config), outputs);
    let pids = match target {
        Target::Launch(_) => FxHashMap::default(),
        Target::Attach(pid) => threads_of(*pid).into_iter().map(|tid| (tid, *pid)).collect(),
    };
    let mut tree = Tree { enricher, table, pids, closing: FxHashMap::default() };
    tracer.start(&mut |seen| tree.see(seen, &mut judge));
    let ended = follow(&mut tracer, &signals, target, &mut tree, &mut judge);
    // From here on a second signal ends the program at once.
    let _ = poll::unblock_all();
    // stdout is the program's own.
    finish_to(judge, None, &mut io::stderr())?;
    ended.map_err(io("cannot wait for the traced processes"))?;
    Ok(exit_code(tracer.root_status()))
}

/// Steps until the end.
fn follow(
    tracer: &mut Tracer,
    signals: &SignalFd,
    target: &Target,
    tree: &mut Tree,
    judge: &mut Judge,
) -> io::Result<()> {
    loop {
        match tracer.step(&mut |seen| tree.see(seen, judge))? {
            Step::Handled => {}
            Step::End => return Ok(()),
            Step::Nothing => {
                poll::wait_readable(signals.as_fd(), Duration::from_secs(1))?;
                while let Some(signal) = signals.read()? {
                    let Target::Attach(pid) = target else { continue };
                    if signal != Signal::SIGCHLD {
                        tracer.detach(&tree.threads(*pid));
                        return Ok(());
                    }
                }
            }
        }
    }
}

/// The traced processes, and what is known of them.
struct Tree {
    enricher: LiveEnricher,
    table: syscall::Table,
    /// Process of each thread that is not its own.
    pids: FxHashMap<i32, i32>,
    /// Descriptors that a thread is about to close.
    closing: FxHashMap<i32, Fd>,
}

impl Tree {
    /// Takes one thing that a tracee did.
    fn see(&mut self, seen: Seen<'_>, judge: &mut Judge) {
        match seen {
            Seen::Entered(tid, call, texts) => self.enter(tid, call, texts),
            Seen::Returned(tid, call, texts) => self.leave(tid, call, texts, judge),
            Seen::Cloned { parent, child } => {
                let pid = process_of(child);
                let parent_pid = self.pid(parent);
                if pid != child {
                    self.pids.insert(child, pid);
                }
                let what = ProcessChange::Fork { parent_tid: parent, parent_pid };
                self.change(child, pid, what, judge);
            }
            Seen::Executed(tid) => {
                // The other threads are gone, and the one that called has the process's number.
                self.pids.remove(&tid);
                self.change(tid, tid, ProcessChange::Exec, judge);
            }
            Seen::Gone(tid, status) => {
                let pid = self.pid(tid);
                self.pids.remove(&tid);
                self.closing.remove(&tid);
                let what = ProcessChange::Exit {
                    wait_status: status.cast_unsigned(),
                    signal: 0,
                    parent: None,
                };
                self.change(tid, pid, what, judge);
            }
        }
    }

    /// Hands a change of a process to the enrichment.
    fn change(&mut self, tid: i32, pid: i32, what: ProcessChange, judge: &mut Judge) {
        let record = ProcessRecord {
            timestamp_ns: clock::monotonic_ns(),
            wall_ns: clock::realtime_ns(),
            cpu: 0,
            tid,
            pid,
            what,
        };
        self.enricher.processes(&[record], &mut |event| judge.judge(event));
    }

    fn pid(&self, tid: i32) -> i32 {
        self.pids.get(&tid).copied().unwrap_or(tid)
    }

    /// Reads what a call's arguments point to, and a descriptor that will be gone.
    fn enter(&mut self, tid: i32, call: &Call, texts: &mut Texts) {
        let Some(ty) = self.table.event_type(call.abi, call.number) else { return };
        let mut text = [0; PATH_MAX];
        for argument in syscall::text_arguments(ty) {
            let Some(&address) = call.arguments.get(argument) else { continue };
            if address != 0
                && let Some(text) = read_text(tid, address, &mut text)
            {
                texts.set(argument, text);
            }
        }
        if ty.info().has(EventFlags::DESTROYS_FD) {
            let pid = self.pid(tid);
            let number = syscall::descriptor_argument(ty, 1, call);
            if let Some(fd) = number.and_then(|number| self.enricher.descriptor(pid, number)) {
                self.closing.insert(tid, fd);
            }
        }
    }

    /// Makes the event of a call that has returned.
    fn leave(&mut self, tid: i32, call: &Call, texts: &Texts, judge: &mut Judge) {
        let Some(ty) = self.table.event_type(call.abi, call.number) else { return };
        if call.result >= 0 && comes_as_process_record(ty) {
            return;
        }
        let closing = self.closing.remove(&tid);
        let record = CallRecord {
            wall_ns: clock::realtime_ns(),
            tid,
            pid: self.pid(tid),
            ty,
            call,
            text: &|argument| texts.get(argument),
            memory: &|address, into| ptrace::read_memory(tid, address, into).unwrap_or(0),
            closing: closing.as_ref(),
        };
        self.enricher.call(&record, &mut |event| judge.judge(event));
    }

    /// All threads of the tree that a process is the root of.
    fn threads(&self, root: i32) -> Vec<i32> {
        let mut threads = threads_of(root);
        threads.extend(self.pids.keys().copied());
        threads.extend(self.enricher.world().threads.values().filter_map(|thread| {
            let is_below =
                self.enricher.world().ancestors(thread).any(|a| a.pid == i64::from(root));
            if is_below && !thread.is_dead { i32::try_from(thread.tid).ok() } else { None }
        }));
        threads.sort_unstable();
        threads.dedup();
        threads
    }
}

/// Calls whose success is told by a stop of its own.
fn comes_as_process_record(ty: EventType) -> bool {
    matches!(
        ty,
        known::EXECVE | known::EXECVEAT | known::CLONE | known::CLONE3 | known::FORK | known::VFORK
    )
}

/// The calls that the rules need, and those that are always watched.
fn wanted(rules: &RuleSet) -> Wanted {
    let abis: &[(u32, Abi)] = if cfg!(target_arch = "aarch64") {
        &[(seccomp::AUDIT_ARCH_AARCH64, Abi::Aarch64)]
    } else {
        &[(seccomp::AUDIT_ARCH_X86_64, Abi::X86_64), (seccomp::AUDIT_ARCH_I386, Abi::I386)]
    };
    let enabled: Vec<_> = coverage::enabled(rules.rules()).collect();
    let needed =
        |ty: EventType| ALWAYS.contains(&ty) || enabled.iter().any(|rule| rule.events.contains(ty));
    let types: Vec<EventType> = EventType::all().filter(|&ty| needed(ty)).collect();
    let calls = abis.iter().map(|&(architecture, abi)| {
        let numbers = types.iter().flat_map(|&ty| syscall::numbers_of(abi, ty)).collect();
        (architecture, numbers)
    });
    Wanted { calls: calls.collect() }
}

/// Reads the text at an address, up to its NUL.
fn read_text(tid: i32, address: u64, buffer: &mut [u8; PATH_MAX]) -> Option<&[u8]> {
    const PAGE: u64 = 4096;
    let done = Cell::new(0_usize);
    while done.get() < PATH_MAX {
        let at = address.checked_add(u64::try_from(done.get()).ok()?)?;
        // Not over a page's end: the next one may not be there.
        let left = usize::try_from(PAGE - at % PAGE).ok()?.min(256);
        let into = buffer.get_mut(done.get()..)?;
        let into = into.get_mut(..left.min(PATH_MAX - done.get()))?;
        let read = ptrace::read_memory(tid, at, into).ok()?;
        let piece = into.get(..read)?;
        if let Some(end) = memchr::memchr(0, piece) {
            return buffer.get(..done.get() + end);
        }
        if read == 0 {
            return None;
        }
        done.set(done.get() + read);
    }
    buffer.get(..PATH_MAX)
}

/// The threads of a process.
fn threads_of(pid: i32) -> Vec<i32> {
    let Ok(entries) = std::fs::read_dir(format!("/proc/{pid}/task")) else { return vec![pid] };
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut threads: Vec<i32> = names.filter_map(|name| name.parse().ok()).collect();
    // The process itself last: if it isn't ours, that is told of it.
    threads.sort_by_key(|&tid| tid == pid);
    if threads.is_empty() { vec![pid] } else { threads }
}

/// The process that a thread belongs to.
fn process_of(tid: i32) -> i32 {
    let mut text = Vec::new();
    let status = crate::procfs::Proc::open(Path::new("/proc"))
        .ok()
        .and_then(|proc| proc.process(tid).ok())
        .and_then(|thread| thread.read_piece(c"status", 4096, &mut text).ok());
    let line = status.and_then(|()| crate::decode::procfs::line_after(&text, b"Tgid:"));
    let number = line.map(<[u8]>::trim_ascii).and_then(crate::decode::procfs::decimal);
    number.and_then(|pid| i32::try_from(pid).ok()).unwrap_or(tid)
}

/// What a shell would see: the exit code, or 128 and the signal.
fn exit_code(status: Option<i32>) -> u8 {
    let Some(status) = status else { return 0 };
    let (signal, code) = (status & 0x7f, status >> 8 & 0xff);
    let code = if signal == 0 { code } else { 128 + signal };
    u8::try_from(code).unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exit_code_is_the_programs_own_or_its_signals() {
        assert_eq!(exit_code(Some(3 << 8)), 3);
        assert_eq!(exit_code(Some(9)), 137);
        assert_eq!(exit_code(None), 0);
    }
}
