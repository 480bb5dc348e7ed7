//! Every system call of chosen process trees, from ptrace(2): exact, also without root on one's
//! own processes.
//!
//! Launch mode: the program runs under a seccomp filter that stops it only at the wanted calls;
//! all others cost nothing. The filter cannot be taken away again, so if the tracer dies the tree
//! dies with it (`PTRACE_O_EXITKILL`): calls that fail with ENOSYS for ever would be worse.
//! [`apart`] puts that tracer into a small process of its own, which outlives the agent.
//! Attach mode: no filter, every call stops, and the tracees run on unharmed after a detach.
//!
//! Texts are read on a call's entry, results on its exit. Which of the two a stop is, is counted
//! per thread. A call that a signal has interrupted goes on as restart_syscall(2), or is entered
//! anew, or has failed with EINTR, which a handler's return shows: it is told once. Where the filter stops a call, Linux before 4.8 makes one more stop (its entry) than
//! later kernels before the call's exit: the launched program's own exec shows which kernel this is.
//!
//! Sources: ptrace(2) ("Syscall-stops", "PTRACE_EVENT_SECCOMP stops", "Group-stop"), seccomp(2).

pub mod apart;
mod message;
mod nearness;
mod pairing;
mod texts;

use std::ffi::CString;
use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;
use std::time::Instant;

use rustc_hash::FxHashMap;
use rustc_hash::FxHashSet;

use crate::decode::syscall::Call;
use crate::sys::ptrace::{self, OnTracerDeath, Patience, Registers, Resume, Stop, Waited};
use crate::sys::seccomp;
use crate::sys::seccomp::Traced;

use nearness::Nearness;
use pairing::InCall;
pub use texts::Texts;

/// Who is told what tracees do. The tracee stands still meanwhile.
pub trait Watch {
    /// A call has been entered: the moment to read what its arguments point to. Gives whether
    /// its exit is to be told.
    fn entered(&mut self, tid: i32, call: &Call, texts: &mut Texts) -> bool;
    /// A call has returned.
    fn returned(&mut self, tid: i32, call: &Call, texts: &Texts);
    /// Thread `parent` made `child`, which has not run yet.
    fn cloned(&mut self, parent: i32, child: i32);
    /// The process runs a new program, of which nothing has run yet.
    fn executed(&mut self, tid: i32);
    /// It is gone, with this wait status.
    fn gone(&mut self, tid: i32, status: i32);
}

/// What [`Tracer::step`] did.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Step {
    /// It handled one stop; more may wait.
    Handled,
    /// Nobody stands still; SIGCHLD tells of the next one.
    Nothing,
    /// No tracee is left.
    End,
}

/// Which calls stop, by architecture.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// `AUDIT_ARCH_…` with its calls.
    pub calls: Vec<(u32, Vec<Traced>)>,
}

impl Wanted {
    fn contains(&self, registers: &Registers) -> bool {
        let Ok(number) = u32::try_from(registers.number) else { return false };
        self.calls.iter().any(|(architecture, calls)| {
            *architecture == registers.architecture
                && calls.iter().any(|call| call.takes(number, &registers.arguments))
        })
    }
}

/// Why a program or process can't be traced.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A kernel call failed.
    #[error("cannot {action}")]
    Call {
        /// What was wanted, and of which process.
        action: String,
        /// What the kernel said.
        source: io::Error,
    },
    /// The program could not be run.
    #[error("cannot run {program}")]
    Run {
        /// Its name.
        program: String,
        /// What the kernel said.
        source: io::Error,
    },
}

/// Traces one process tree.
#[derive(Debug)]
pub struct Tracer {
    wanted: Wanted,
    has_filter: bool,
    /// The filter's stop is followed by an entry stop (Linux before 4.8).
    entry_follows_filter: bool,
    in_call: FxHashMap<i32, InCall>,
    /// Calls that have returned by a signal, and may go on: of these threads all calls stop.
    interrupted: FxHashMap<i32, (Call, Texts)>,
    spare: Vec<Texts>,
    /// All tracees that have stopped once.
    known: FxHashSet<i32>,
    /// New tracees whose parent's call is still to be told; they wait for that.
    unborn: FxHashSet<i32>,
    /// New tracees that are told of, and have not stopped for the first time yet.
    born: FxHashSet<i32>,
    nearness: Option<Nearness>,
    root: i32,
    root_status: Option<i32>,
}

impl Tracer {
    /// Starts a program, traced from its first instruction. Must be called while this process has
    /// one thread.
    ///
    /// # Errors
    ///
    /// [`Error::Run`] if it can't be run, [`Error::Call`] if it can't be traced.
    pub fn launch(
        arguments: &[CString],
        wanted: Wanted,
        keep_privileges: bool,
    ) -> Result<Self, Error> {
        let failed = |action: &str| {
            let action = action.to_owned();
            move |source| Error::Call { action, source }
        };
        let (gate, mut opener) = io::pipe().map_err(failed("make a pipe"))?;
        let (report, reporter) = io::pipe().map_err(failed("make a pipe"))?;
        let (gate, reporter) = (OwnedFd::from(gate), OwnedFd::from(reporter));
        let filter = seccomp::trace_program(&wanted.calls);
        let pid = ptrace::spawn(arguments, &gate, &reporter, Some(&filter), keep_privileges)
            .map_err(failed("start a process"))?;
        drop((gate, reporter));
        if let Err(source) = ptrace::seize(pid, OnTracerDeath::Kill) {
            // It waits at the gate, of which it has the other end, too.
            ptrace::kill_child(pid);
            return Err(failed("trace the new process")(source));
        }
        let mut tracer = Self::of(pid, wanted, true);
        // The child has a copy of this end, so closing it would not wake it.
        io::Write::write_all(&mut opener, b"!").map_err(failed("start the new process"))?;
        tracer.await_exec(report, arguments)?;
        Ok(tracer)
    }

    /// Attaches to a running process with all its threads, without stopping it longer than it
    /// takes to look at it.
    ///
    /// # Errors
    ///
    /// [`Error::Call`] if it is gone or not ours to trace.
    pub fn attach(pid: i32, threads: &[i32], wanted: Wanted) -> Result<Self, Error> {
        let mut tracer = Self::of(pid, wanted, false);
        tracer.known.extend(threads);
        for &tid in threads {
            match ptrace::seize(tid, OnTracerDeath::Detach).and_then(|()| ptrace::interrupt(tid)) {
                Ok(()) => {}
                // A thread that ended meanwhile is no failure; the process itself is.
                Err(error) if error.raw_os_error() == Some(ESRCH) && tid != pid => {}
                Err(source) => {
                    return Err(Error::Call { action: format!("trace process {pid}"), source });
                }
            }
        }
        Ok(tracer)
    }

    fn of(root: i32, wanted: Wanted, has_filter: bool) -> Self {
        Self {
            wanted,
            has_filter,
            entry_follows_filter: false,
            in_call: FxHashMap::default(),
            interrupted: FxHashMap::default(),
            spare: Vec::new(),
            known: FxHashSet::from_iter([root]),
            unborn: FxHashSet::default(),
            born: FxHashSet::default(),
            nearness: None,
            root,
            root_status: None,
        }
    }

    /// Runs the child up to its exec, and finds out whether that worked.
    fn await_exec(
        &mut self,
        mut report: io::PipeReader,
        arguments: &[CString],
    ) -> Result<(), Error> {
        use std::io::Read;

        let mut number = [0; 4];
        let mut filtered = false;
        loop {
            match ptrace::wait(Patience::Wait) {
                Ok(Waited::Stopped(tid, Stop::Exec(_))) if tid == self.root => return Ok(()),
                Ok(Waited::Stopped(_, Stop::Gone(_)) | Waited::NobodyLeft) => break,
                Ok(Waited::Nothing) => {}
                Ok(Waited::Stopped(tid, Stop::Seccomp)) => {
                    filtered = true;
                    continue_with(tid, Resume::Syscall, 0);
                }
                Ok(Waited::Stopped(tid, Stop::Syscall)) => {
                    let is_entry = ptrace::registers(tid).is_ok_and(|registers| registers.is_entry);
                    self.entry_follows_filter |= filtered && is_entry;
                    filtered = false;
                    continue_with(tid, Resume::Free, 0);
                }
                Ok(Waited::Stopped(tid, Stop::Signal(signal))) => {
                    continue_with(tid, Resume::Free, signal);
                }
                Ok(Waited::Stopped(tid, _)) => continue_with(tid, Resume::Free, 0),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(source) => {
                    return Err(Error::Call { action: "wait for the new process".into(), source });
                }
            }
        }
        let program = arguments.first().map(|name| name.to_string_lossy().into_owned());
        let program = program.unwrap_or_default();
        let source = match report.read_exact(&mut number) {
            Ok(()) => io::Error::from_raw_os_error(i32::from_ne_bytes(number)),
            Err(error) => error,
        };
        Err(Error::Run { program, source })
    }

    /// The process that the tree began with.
    #[must_use]
    pub const fn root(&self) -> i32 {
        self.root
    }

    /// How the first process ended, as a wait status.
    #[must_use]
    pub const fn root_status(&self) -> Option<i32> {
        self.root_status
    }

    /// From now on this thread, and thread `beside` if it is another, stay on the processor of
    /// whoever stops: handing over between two is many times dearer.
    pub fn stay_near(&mut self, beside: Option<i32>) {
        self.nearness = Some(Nearness::new(beside));
    }

    /// Lets the launched program go, which stands still after its exec, and tells of the exec.
    pub fn start(&mut self, watch: &mut dyn Watch) {
        if self.has_filter {
            watch.executed(self.root);
            continue_with(self.root, Resume::Free, 0);
        }
    }

    /// Handles one stop, if there is one, or waits for one.
    ///
    /// # Errors
    ///
    /// Those of waitpid(2).
    pub fn step(&mut self, patience: Patience, watch: &mut dyn Watch) -> io::Result<Step> {
        let (tid, stop) = match ptrace::wait(patience) {
            Ok(Waited::Stopped(tid, stop)) => (tid, stop),
            Ok(Waited::Nothing) => return Ok(Step::Nothing),
            Ok(Waited::NobodyLeft) => return Ok(Step::End),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(Step::Handled),
            Err(error) => return Err(error),
        };
        if let Some(nearness) = &mut self.nearness {
            nearness.stopped(tid);
        }
        self.handle(tid, stop, watch);
        Ok(Step::Handled)
    }

    fn handle(&mut self, tid: i32, stop: Stop, watch: &mut dyn Watch) {
        match stop {
            Stop::Seccomp | Stop::Syscall => {
                let how = self.call(tid, stop, watch);
                continue_with(tid, how.unwrap_or_else(|| self.free(tid)), 0);
            }
            Stop::Clone(child) => {
                watch.cloned(tid, child);
                if self.unborn.remove(&child) {
                    continue_with(child, self.free(child), 0);
                } else {
                    self.born.insert(child);
                }
                continue_with(tid, self.in_call(tid), 0);
            }
            Stop::Exec(former) => {
                // The thread that called has the process's number now; what was known of the
                // first thread, which is gone without a word, ends here.
                self.forget(tid);
                self.forget(former);
                watch.executed(tid);
                continue_with(tid, self.free(tid), 0);
            }
            Stop::Group(_) => {
                if ptrace::listen(tid).is_err() {
                    continue_with(tid, self.in_call(tid), 0);
                }
            }
            Stop::Signal(signal) => continue_with(tid, self.in_call(tid), signal),
            Stop::NewOrReady if self.is_unborn(tid) => {
                self.unborn.insert(tid);
            }
            Stop::NewOrReady | Stop::Exiting => continue_with(tid, self.in_call(tid), 0),
            Stop::Gone(status) => self.gone(tid, status, watch),
        }
    }

    /// How a thread runs that is in no call.
    fn free(&self, tid: i32) -> Resume {
        let is_free = self.has_filter && !self.interrupted.contains_key(&tid);
        if is_free { Resume::Free } else { Resume::Syscall }
    }

    /// Whether this is the first stop of a thread that nobody has told of: its parent's stop is
    /// still to come, and what it is must be told first.
    fn is_unborn(&mut self, tid: i32) -> bool {
        self.known.insert(tid) && !self.born.remove(&tid)
    }

    fn gone(&mut self, tid: i32, status: i32, watch: &mut dyn Watch) {
        self.forget(tid);
        self.known.remove(&tid);
        self.unborn.remove(&tid);
        self.born.remove(&tid);
        if tid == self.root {
            self.root_status = Some(status);
        }
        watch.gone(tid, status);
        // It may have died before it could tell of its child.
        for child in std::mem::take(&mut self.unborn) {
            continue_with(child, self.free(child), 0);
        }
    }

    /// A thread that is inside a call must be stopped at its exit.
    fn in_call(&self, tid: i32) -> Resume {
        if self.in_call.contains_key(&tid) { Resume::Syscall } else { self.free(tid) }
    }

    /// Lets all `threads` go. They must be stopped first: each is interrupted and awaited.
    ///
    /// One that can't be stopped (it waits in the kernel for its vforked child) goes when this
    /// process ends: the kernel detaches then.
    pub fn detach(&mut self, threads: &[i32]) {
        const PATIENCE: Duration = Duration::from_secs(2);
        let mut left: Vec<i32> =
            threads.iter().copied().filter(|&tid| ptrace::interrupt(tid).is_ok()).collect();
        // Those stand still and will not stop anew.
        left.retain(|tid| !(self.unborn.remove(tid) && ptrace::detach(*tid, 0).is_ok()));
        let deadline = Instant::now() + PATIENCE;
        while !left.is_empty() && Instant::now() < deadline {
            match ptrace::wait(Patience::Look) {
                Ok(Waited::Stopped(tid, stop)) => {
                    let signal = if let Stop::Signal(signal) = stop { signal } else { 0 };
                    if let Stop::Clone(child) = stop {
                        left.push(child);
                    }
                    // A tracee that detaches in a syscall stop or an event stop goes on as if
                    // nothing had been.
                    let _gone = ptrace::detach(tid, signal);
                    left.retain(|&other| other != tid);
                }
                Ok(Waited::Nothing) => std::thread::sleep(Duration::from_millis(1)),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(Waited::NobodyLeft) | Err(_) => return,
            }
        }
    }
}

const ESRCH: i32 = 3;

/// Resumes a tracee; one that is gone is reported by wait.
fn continue_with(tid: i32, how: Resume, signal: i32) {
    let _gone = ptrace::resume(tid, how, signal);
}
