//! Every system call of chosen process trees, from ptrace(2): exact, also without root on one's
//! own processes.
//!
//! Launch mode: the program runs under a seccomp filter that stops it only at the wanted calls;
//! all others cost nothing. The filter cannot be taken away again, so if the tracer dies the tree
//! dies with it (`PTRACE_O_EXITKILL`): calls that fail with ENOSYS for ever would be worse.
//! Attach mode: no filter, every call stops, and the tracees run on unharmed after a detach.
//!
//! Texts are read on a call's entry, results on its exit. Which of the two a stop is, is counted
//! per thread. Where the filter stops a call, Linux before 4.8 makes one more stop (its entry) than
//! later kernels before the call's exit: the launched program's own exec shows which kernel this is.
//!
//! Sources: ptrace(2) ("Syscall-stops", "PTRACE_EVENT_SECCOMP stops", "Group-stop"), seccomp(2).

use std::ffi::CString;
use std::io;
use std::os::fd::OwnedFd;

use rustc_hash::FxHashMap;

use crate::decode::syscall::{Abi, Call};
use crate::sys::ptrace::{self, OnTracerDeath, Patience, Registers, Resume, Stop, Waited};
use crate::sys::seccomp;

/// What a tracee did; it stands still while this is looked at.
#[derive(Debug)]
pub enum Seen<'t> {
    /// A call has been entered: the moment to read what its arguments point to.
    Entered(i32, &'t Call, &'t mut Texts),
    /// A call has returned.
    Returned(i32, &'t Call, &'t Texts),
    /// `parent` made `child`, which has not run yet.
    Cloned {
        /// Thread that called.
        parent: i32,
        /// The new thread or process.
        child: i32,
    },
    /// The process runs a new program, of which nothing has run yet.
    Executed(i32),
    /// It is gone, with this wait status.
    Gone(i32, i32),
}

/// The texts that a call's arguments point to, by argument; reused from call to call.
#[derive(Debug, Default)]
pub struct Texts {
    texts: Vec<(usize, Vec<u8>)>,
    used: usize,
}

impl Texts {
    /// Keeps the text of an argument.
    pub fn set(&mut self, argument: usize, text: &[u8]) {
        if self.used == self.texts.len() {
            self.texts.push((argument, Vec::new()));
        }
        if let Some((index, buffer)) = self.texts.get_mut(self.used) {
            *index = argument;
            buffer.clear();
            buffer.extend_from_slice(text);
            self.used += 1;
        }
    }

    /// The text of an argument, if it could be read.
    #[must_use]
    pub fn get(&self, argument: usize) -> Option<&[u8]> {
        let mut used = self.texts.iter().take(self.used);
        used.find(|(index, _)| *index == argument).map(|(_, text)| text.as_slice())
    }
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

/// Which calls stop, by architecture and number.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// `AUDIT_ARCH_…` with the numbers.
    pub calls: Vec<(u32, Vec<u32>)>,
}

impl Wanted {
    fn contains(&self, registers: &Registers) -> bool {
        let Ok(number) = u32::try_from(registers.number) else { return false };
        self.calls.iter().any(|(architecture, numbers)| {
            *architecture == registers.architecture && numbers.contains(&number)
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
    spare: Vec<Texts>,
    root: i32,
    root_status: Option<i32>,
}

/// A call that a thread is in.
#[derive(Debug)]
struct InCall {
    /// Its entry stop is still to come.
    expects_entry: bool,
    /// The call, if anybody wants it.
    wanted: Option<(Call, Texts)>,
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
        ptrace::seize(pid, OnTracerDeath::Kill).map_err(failed("trace the new process"))?;
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
        let tracer = Self::of(pid, wanted, false);
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
            spare: Vec::new(),
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
                    let result = ptrace::registers(tid).map_or(0, |registers| registers.result);
                    self.entry_follows_filter |= filtered && result == -ENOSYS;
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

    /// Lets the launched program go, which stands still after its exec. `sink` is told of the exec.
    pub fn start(&mut self, sink: &mut dyn FnMut(Seen<'_>)) {
        if self.has_filter {
            sink(Seen::Executed(self.root));
            continue_with(self.root, Resume::Free, 0);
        }
    }

    /// Handles one stop, if there is one.
    ///
    /// # Errors
    ///
    /// Those of waitpid(2).
    pub fn step(&mut self, sink: &mut dyn FnMut(Seen<'_>)) -> io::Result<Step> {
        let (tid, stop) = match ptrace::wait(Patience::Look)? {
            Waited::Stopped(tid, stop) => (tid, stop),
            Waited::Nothing => return Ok(Step::Nothing),
            Waited::NobodyLeft => return Ok(Step::End),
        };
        let free = if self.has_filter { Resume::Free } else { Resume::Syscall };
        match stop {
            Stop::Seccomp | Stop::Syscall => {
                let how = self.call(tid, stop, sink).unwrap_or(free);
                continue_with(tid, how, 0);
            }
            Stop::Clone(child) => {
                sink(Seen::Cloned { parent: tid, child });
                continue_with(tid, self.in_call(tid, free), 0);
            }
            Stop::Exec(former) => {
                self.forget(former);
                sink(Seen::Executed(tid));
                continue_with(tid, self.in_call(tid, free), 0);
            }
            Stop::Group(_) => {
                if ptrace::listen(tid).is_err() {
                    continue_with(tid, free, 0);
                }
            }
            Stop::Signal(signal) => continue_with(tid, self.in_call(tid, free), signal),
            Stop::Ready | Stop::Exiting => continue_with(tid, self.in_call(tid, free), 0),
            Stop::Gone(status) => {
                self.forget(tid);
                if tid == self.root {
                    self.root_status = Some(status);
                }
                sink(Seen::Gone(tid, status));
            }
        }
        Ok(Step::Handled)
    }

    /// A thread that is inside a call must be stopped at its exit.
    fn in_call(&self, tid: i32, free: Resume) -> Resume {
        if self.in_call.contains_key(&tid) { Resume::Syscall } else { free }
    }

    /// A stop at a call; `None` if the thread has nothing more to tell of it.
    fn call(&mut self, tid: i32, stop: Stop, sink: &mut dyn FnMut(Seen<'_>)) -> Option<Resume> {
        let registers = ptrace::registers(tid).ok()?;
        if stop == Stop::Syscall {
            if let Some(in_call) = self.in_call.get_mut(&tid) {
                if in_call.expects_entry {
                    in_call.expects_entry = false;
                    return Some(Resume::Syscall);
                }
                self.leave(tid, registers.result, sink);
                return None;
            }
            // With a filter there is no entry without a filter's stop. Without one, a first stop
            // that isn't an entry is the end of a call that began before: a new child's fork.
            if self.has_filter || registers.result != -ENOSYS {
                return None;
            }
        }
        let wanted = self.wanted.contains(&registers).then(|| call_of(&registers)).flatten();
        let wanted = wanted.map(|call| {
            let mut texts = self.spare.pop().unwrap_or_default();
            texts.used = 0;
            sink(Seen::Entered(tid, &call, &mut texts));
            (call, texts)
        });
        let expects_entry = stop == Stop::Seccomp && self.entry_follows_filter;
        self.in_call.insert(tid, InCall { expects_entry, wanted });
        Some(Resume::Syscall)
    }

    /// A call's exit.
    fn leave(&mut self, tid: i32, result: i64, sink: &mut dyn FnMut(Seen<'_>)) {
        if let Some(InCall { wanted: Some((mut call, texts)), .. }) = self.in_call.remove(&tid) {
            call.result = result;
            if !is_restart(result) {
                sink(Seen::Returned(tid, &call, &texts));
            }
            self.spare.push(texts);
        }
    }

    fn forget(&mut self, tid: i32) {
        if let Some(InCall { wanted: Some((_, texts)), .. }) = self.in_call.remove(&tid) {
            self.spare.push(texts);
        }
    }

    /// Lets all `threads` go. They must be stopped first: each is interrupted and awaited.
    pub fn detach(&mut self, threads: &[i32]) {
        let mut left: Vec<i32> =
            threads.iter().copied().filter(|&tid| ptrace::interrupt(tid).is_ok()).collect();
        while !left.is_empty() {
            match ptrace::wait(Patience::Wait) {
                Ok(Waited::Stopped(tid, stop)) => {
                    let signal = if let Stop::Signal(signal) = stop { signal } else { 0 };
                    // A tracee that detaches in a syscall stop or an event stop goes on as if
                    // nothing had been.
                    let gone = ptrace::detach(tid, signal).is_err();
                    left.retain(|&other| other != tid);
                    if gone {
                        self.forget(tid);
                    }
                }
                Ok(Waited::Nothing) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(Waited::NobodyLeft) | Err(_) => return,
            }
        }
    }
}

const ESRCH: i32 = 3;
const ENOSYS: i64 = 38;

/// Whether a result says that the kernel will enter the call again (`ERESTARTSYS` …): not an end.
const fn is_restart(result: i64) -> bool {
    result <= -512 && result >= -516
}

/// Registers as a call.
fn call_of(registers: &Registers) -> Option<Call> {
    let abi = match registers.architecture {
        seccomp::AUDIT_ARCH_X86_64 => Abi::X86_64,
        seccomp::AUDIT_ARCH_I386 => Abi::I386,
        seccomp::AUDIT_ARCH_AARCH64 => Abi::Aarch64,
        _ => return None,
    };
    let number = u32::try_from(registers.number).ok()?;
    Some(Call { abi, number, arguments: registers.arguments, result: registers.result })
}

/// Resumes a tracee; one that is gone is reported by wait.
fn continue_with(tid: i32, how: Resume, signal: i32) {
    let _gone = ptrace::resume(tid, how, signal);
}
