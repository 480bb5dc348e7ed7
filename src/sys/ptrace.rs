//! ptrace(2), waiting for tracees, reading their registers and memory.
//!
//! Only the thread that attached may ask anything of a tracee. A tracee that is gone answers
//! `ESRCH` at any call: that is normal, not a failure.
//! Sources: ptrace(2), waitpid(2), process_vm_readv(2), linux/ptrace.h, linux/elf.h.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use super::seccomp::Step;
use super::{check, check_len};

/// Why a tracee stands still, or that it is gone.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Stop {
    /// Entry or exit of a system call, after [`Resume::Syscall`].
    Syscall,
    /// A system call that the seccomp filter stops at, on its entry.
    Seccomp,
    /// It made a process or thread of this id, which is traced from its start.
    Clone(i32),
    /// It has called exec; this was its thread id before.
    Exec(i32),
    /// It is about to exit.
    Exiting,
    /// A new tracee, an interrupted one, or one whose group stop is over, is ready.
    NewOrReady,
    /// Its group was stopped by this signal; [`listen`] keeps it so.
    Group(i32),
    /// This signal is about to be delivered.
    Signal(i32),
    /// It is gone, with this wait status.
    Gone(i32),
}

/// How far a tracee runs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Resume {
    /// To the next stop that its options or its filter ask for.
    Free,
    /// To the next entry or exit of a system call.
    Syscall,
}

/// A finished or entered system call as the registers hold it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Registers {
    /// `AUDIT_ARCH_…` of the call.
    pub architecture: u32,
    /// The call's number.
    pub number: u64,
    /// Its six arguments; on x86 they survive to the exit.
    pub arguments: [u64; 6],
    /// What it returned; on an entry without meaning.
    pub result: i64,
    /// Whether this is the state on a call's entry. (On x86 a call that returns ENOSYS looks the
    /// same on its exit.)
    pub is_entry: bool,
}

const OPTIONS: libc::c_int = libc::PTRACE_O_TRACESYSGOOD
    | libc::PTRACE_O_TRACECLONE
    | libc::PTRACE_O_TRACEFORK
    | libc::PTRACE_O_TRACEVFORK
    | libc::PTRACE_O_TRACEEXEC
    | libc::PTRACE_O_TRACESECCOMP;

/// What becomes of the tracees when the tracer dies.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum OnTracerDeath {
    /// They run on.
    Detach,
    /// They are killed: with a filter and no tracer their calls would fail with ENOSYS for ever.
    Kill,
}

/// One ptrace request; data and address are plain numbers.
fn request(request: libc::c_uint, tid: i32, address: usize, data: usize) -> io::Result<i64> {
    // SAFETY: none of the requests sent through here lets the kernel write to our memory: their
    // data is a number.
    let answer = unsafe { libc::ptrace(request, tid, address, data) };
    if answer < 0 { Err(io::Error::last_os_error()) } else { Ok(answer) }
}

/// `PTRACE_SEIZE`: traces `tid` and whatever it makes, without stopping it.
///
/// # Errors
///
/// `EPERM` for others' processes (or Yama's scope), `ESRCH` if it is gone.
pub fn seize(tid: i32, death: OnTracerDeath) -> io::Result<()> {
    let kill = if death == OnTracerDeath::Kill { libc::PTRACE_O_EXITKILL } else { 0 };
    let options = usize::try_from(OPTIONS | kill).map_err(|_| io::ErrorKind::InvalidInput)?;
    request(libc::PTRACE_SEIZE, tid, 0, options).map(drop)
}

/// `PTRACE_INTERRUPT`: makes a tracee stop, as [`Stop::NewOrReady`].
///
/// # Errors
///
/// `ESRCH` if it is gone.
pub fn interrupt(tid: i32) -> io::Result<()> {
    request(libc::PTRACE_INTERRUPT, tid, 0, 0).map(drop)
}

/// Lets a stopped tracee run, with `signal` delivered (0: none).
///
/// # Errors
///
/// `ESRCH` if it is gone or not stopped.
pub fn resume(tid: i32, how: Resume, signal: i32) -> io::Result<()> {
    let wanted = match how {
        Resume::Free => libc::PTRACE_CONT,
        Resume::Syscall => libc::PTRACE_SYSCALL,
    };
    request(wanted, tid, 0, usize::try_from(signal).unwrap_or(0)).map(drop)
}

/// `PTRACE_LISTEN`: keeps a group stop, and waits for its end.
///
/// # Errors
///
/// `ESRCH` if it is gone or not stopped; `EIO` if it isn't in a group stop.
pub fn listen(tid: i32) -> io::Result<()> {
    request(libc::PTRACE_LISTEN, tid, 0, 0).map(drop)
}

/// `PTRACE_DETACH`: lets a stopped tracee go, with `signal` delivered (0: none).
///
/// # Errors
///
/// `ESRCH` if it is gone or not stopped.
pub fn detach(tid: i32, signal: i32) -> io::Result<()> {
    request(libc::PTRACE_DETACH, tid, 0, usize::try_from(signal).unwrap_or(0)).map(drop)
}

/// What [`wait`] found.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Waited {
    /// This thread has stopped or ended.
    Stopped(i32, Stop),
    /// All run; asked with [`Patience::Look`].
    Nothing,
    /// There is no tracee left.
    NobodyLeft,
}

/// Whether [`wait`] blocks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Patience {
    /// Until one stops.
    Wait,
    /// Not at all.
    Look,
}

/// Waits for any tracee or child.
///
/// # Errors
///
/// Those of waitpid(2); `Interrupted` by a signal.
pub fn wait(patience: Patience) -> io::Result<Waited> {
    let mut status = 0;
    let no_hang = if patience == Patience::Look { libc::WNOHANG } else { 0 };
    // SAFETY: `status` is a valid place for the kernel to write one int to.
    let tid = unsafe { libc::waitpid(-1, &raw mut status, libc::__WALL | no_hang) };
    if tid < 0 {
        let error = io::Error::last_os_error();
        let is_last = error.raw_os_error() == Some(libc::ECHILD);
        return if is_last { Ok(Waited::NobodyLeft) } else { Err(error) };
    }
    Ok(if tid == 0 { Waited::Nothing } else { Waited::Stopped(tid, stop_of(tid, status)) })
}

/// Reads a wait status.
fn stop_of(tid: i32, status: i32) -> Stop {
    if !libc::WIFSTOPPED(status) {
        return Stop::Gone(status);
    }
    let signal = libc::WSTOPSIG(status);
    let message = || event_message(tid).unwrap_or(0);
    match status >> 16 {
        0 if signal == libc::SIGTRAP | 0x80 => Stop::Syscall,
        0 => Stop::Signal(signal),
        libc::PTRACE_EVENT_SECCOMP => Stop::Seccomp,
        libc::PTRACE_EVENT_CLONE | libc::PTRACE_EVENT_FORK | libc::PTRACE_EVENT_VFORK => {
            Stop::Clone(message())
        }
        libc::PTRACE_EVENT_EXEC => Stop::Exec(message()),
        libc::PTRACE_EVENT_EXIT => Stop::Exiting,
        libc::PTRACE_EVENT_STOP if signal == libc::SIGTRAP => Stop::NewOrReady,
        libc::PTRACE_EVENT_STOP => Stop::Group(signal),
        _ => Stop::NewOrReady,
    }
}

/// `PTRACE_GETEVENTMSG`: the number that came with an event.
fn event_message(tid: i32) -> io::Result<i32> {
    let mut message: libc::c_ulong = 0;
    // SAFETY: the request writes one unsigned long to its data, which `message` is.
    let answer = unsafe {
        libc::ptrace(libc::PTRACE_GETEVENTMSG, tid, std::ptr::null_mut::<u8>(), &raw mut message)
    };
    if answer < 0 {
        return Err(io::Error::last_os_error());
    }
    i32::try_from(message).map_err(|_| io::ErrorKind::InvalidData.into())
}

/// The registers of a stopped tracee.
///
/// # Errors
///
/// `ESRCH` if it is gone or not stopped.
#[cfg(target_arch = "x86_64")]
pub fn registers(tid: i32) -> io::Result<Registers> {
    use super::seccomp::{AUDIT_ARCH_I386, AUDIT_ARCH_X86_64};

    /// `__USER32_CS` in arch/x86/include/asm/segment.h: the code segment of 32-bit programs.
    const USER32_CS: u64 = 0x23;
    // SAFETY: `user_regs_struct` is a struct of integers, for which all zeros is a value.
    let mut registers: libc::user_regs_struct = unsafe { std::mem::zeroed() };
    // SAFETY: PTRACE_GETREGS writes one user_regs_struct to its data, which `registers` is.
    let answer = unsafe {
        libc::ptrace(libc::PTRACE_GETREGS, tid, std::ptr::null_mut::<u8>(), &raw mut registers)
    };
    if answer < 0 {
        return Err(io::Error::last_os_error());
    }
    let r = registers;
    let result = r.rax.cast_signed();
    // What the kernel puts there before it makes the call.
    let is_entry = result == -i64::from(libc::ENOSYS);
    Ok(if r.cs == USER32_CS {
        let arguments = [r.rbx, r.rcx, r.rdx, r.rsi, r.rdi, r.rbp];
        Registers {
            architecture: AUDIT_ARCH_I386,
            number: r.orig_rax & 0xffff_ffff,
            arguments: arguments.map(|argument| argument & 0xffff_ffff),
            result,
            is_entry,
        }
    } else {
        let arguments = [r.rdi, r.rsi, r.rdx, r.r10, r.r8, r.r9];
        Registers {
            architecture: AUDIT_ARCH_X86_64,
            number: r.orig_rax,
            arguments,
            result,
            is_entry,
        }
    })
}

/// The registers of a stopped tracee.
///
/// # Errors
///
/// `ESRCH` if it is gone or not stopped.
#[cfg(target_arch = "aarch64")]
pub fn registers(tid: i32) -> io::Result<Registers> {
    /// `NT_PRSTATUS` in linux/elf.h.
    const NT_PRSTATUS: usize = 1;
    let mut words = [0_u64; 34];
    let mut vector =
        libc::iovec { iov_base: words.as_mut_ptr().cast(), iov_len: size_of_val(&words) };
    // SAFETY: PTRACE_GETREGSET writes at most iov_len bytes to iov_base, which is `words`.
    let answer = unsafe { libc::ptrace(libc::PTRACE_GETREGSET, tid, NT_PRSTATUS, &raw mut vector) };
    if answer < 0 {
        return Err(io::Error::last_os_error());
    }
    // x7 tells entry (0) from exit (1): `report_syscall` in arch/arm64/kernel/ptrace.c.
    let [x0, x1, x2, x3, x4, x5, _, x7, number, ..] = words;
    Ok(Registers {
        architecture: super::seccomp::AUDIT_ARCH_AARCH64,
        number,
        arguments: [x0, x1, x2, x3, x4, x5],
        result: x0.cast_signed(),
        is_entry: x7 == 0,
    })
}

/// Reads memory of another process; returns how much was read, less at an unmapped page.
///
/// Where process_vm_readv(2) isn't there or isn't allowed (kernels without
/// CONFIG_CROSS_MEMORY_ATTACH, containers' filters), through `/proc/PID/mem`.
///
/// # Errors
///
/// `EFAULT` or `EIO` if nothing could be read, `ESRCH` if it is gone, `EPERM`.
pub fn read_memory(pid: i32, address: u64, into: &mut [u8]) -> io::Result<usize> {
    let at = usize::try_from(address).map_err(|_| io::ErrorKind::InvalidInput)?;
    let local = libc::iovec { iov_base: into.as_mut_ptr().cast(), iov_len: into.len() };
    // In two parts: a part is read as a whole or not at all, and the next page may not be there.
    let first = (PAGE - at % PAGE).min(into.len());
    let part = |at: usize, len| libc::iovec {
        iov_base: std::ptr::without_provenance_mut(at),
        iov_len: len,
    };
    let remote = [part(at, first), part(at.wrapping_add(first), into.len() - first)];
    // SAFETY: the kernel writes at most `into.len()` bytes to `into`; the remote addresses are only
    // looked up in the other process.
    let read = unsafe { libc::process_vm_readv(pid, &raw const local, 1, remote.as_ptr(), 2, 0) };
    match check_len(read) {
        Err(error) if matches!(error.raw_os_error(), Some(libc::ENOSYS | libc::EPERM)) => {
            read_memory_file(pid, address, into)
        }
        read => read,
    }
}

/// Where memory is mapped in pieces of.
const PAGE: usize = 4096;

/// [`read_memory`] by `/proc/PID/mem`, which a tracer may always read.
fn read_memory_file(pid: i32, address: u64, into: &mut [u8]) -> io::Result<usize> {
    use std::os::unix::fs::FileExt as _;
    std::fs::File::open(format!("/proc/{pid}/mem"))?.read_at(into, address)
}

/// Starts a program that waits to be seized before it runs. Must be called while this process has
/// one thread, and before it blocks or ignores signals: the program shall find them as its user
/// left them. The new process does nothing until a byte is written to `gate`'s other end; then
/// it installs `filter` and calls execvp(3); if that fails, it writes errno to `report`.
///
/// # Errors
///
/// Those of fork(2).
pub fn spawn(
    arguments: &[CString],
    gate: &OwnedFd,
    report: &OwnedFd,
    filter: Option<&[Step]>,
    keep_privileges: bool,
) -> io::Result<i32> {
    let mut pointers: Vec<*const libc::c_char> =
        arguments.iter().map(|argument| argument.as_ptr()).collect();
    pointers.push(std::ptr::null());
    // SAFETY: this process has one thread (the caller's promise), so the child may do anything;
    // it leaves through exec or _exit alone.
    let pid = check(unsafe { libc::fork() })?;
    if pid == 0 {
        let error = run_child(&pointers, gate, filter, keep_privileges);
        let number = error.raw_os_error().unwrap_or(libc::EIO).to_ne_bytes();
        // SAFETY: `number` is four readable bytes.
        unsafe { libc::write(report.as_raw_fd(), number.as_ptr().cast(), number.len()) };
        // SAFETY: ends the child without running anything of the parent's.
        unsafe { libc::_exit(127) };
    }
    Ok(pid)
}

/// Whether a child of ours may be traced: tried on one that only waits, and is gone afterwards.
///
/// # Errors
///
/// Those of fork(2) and [`seize`].
pub fn try_out() -> io::Result<()> {
    // SAFETY: the child only waits and is killed, which is allowed with any number of threads.
    let pid = check(unsafe { libc::fork() })?;
    if pid == 0 {
        loop {
            // SAFETY: pause(2) takes nothing.
            unsafe { libc::pause() };
        }
    }
    let tried = seize(pid, OnTracerDeath::Kill);
    kill_child(pid);
    tried
}

/// Ends a child of ours that nobody has waited for, and waits for it.
pub fn kill_child(pid: i32) {
    // SAFETY: a signal to our own child, whose number can't be another's before it is waited for.
    unsafe { libc::kill(pid, libc::SIGKILL) };
    // SAFETY: no status is asked for.
    unsafe { libc::waitpid(pid, std::ptr::null_mut(), libc::__WALL) };
}

/// Starts a copy of this process for a tracer, which runs `run` and ends with its code. Must be
/// called while this process has one thread.
///
/// # Errors
///
/// Those of fork(2).
pub fn fork_tracer(run: impl FnOnce() -> i32) -> io::Result<i32> {
    // SAFETY: this process has one thread (the caller's promise), so the child may do anything;
    // it leaves through _exit alone.
    let pid = check(unsafe { libc::fork() })?;
    if pid == 0 {
        let code = std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)).unwrap_or(101);
        // SAFETY: ends the child without running anything of the parent's.
        unsafe { libc::_exit(code) };
    }
    Ok(pid)
}

/// Makes this process independent of where its output went: its three standard descriptors lead to
/// /dev/null from here on. And names it.
///
/// # Errors
///
/// Those of open(2) and dup2(2).
pub fn stand_apart(name: &std::ffi::CStr) -> io::Result<()> {
    let null = std::fs::File::options().read(true).write(true).open("/dev/null")?;
    for number in 0..3 {
        // SAFETY: two descriptors; the standard ones are nobody's owned value.
        check(unsafe { libc::dup2(null.as_raw_fd(), number) })?;
    }
    // SAFETY: the option takes one text, which lives through the call.
    check(unsafe { libc::prctl(libc::PR_SET_NAME, name.as_ptr(), 0, 0, 0) })?;
    Ok(())
}

/// Puts this process under a filter; gives up privileges if it has to: also root may lack
/// CAP_SYS_ADMIN, in a container.
fn attach_filter(filter: &[Step]) -> io::Result<()> {
    match super::seccomp::attach(filter) {
        Err(error) if error.raw_os_error() == Some(libc::EACCES) => super::seccomp::install(filter),
        attached => attached,
    }
}

/// What the new process does; returns only on failure.
fn run_child(
    arguments: &[*const libc::c_char],
    gate: &OwnedFd,
    filter: Option<&[Step]>,
    keep_privileges: bool,
) -> io::Error {
    // Rust's runtime ignores this signal; a program finds it as after any fork.
    // SAFETY: sets one signal's default action.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
    let mut byte = 0_u8;
    // SAFETY: `byte` is one writable byte. It returns when the tracer writes to its end, or is gone.
    unsafe { libc::read(gate.as_raw_fd(), (&raw mut byte).cast(), 1) };
    if !keep_privileges && let Err(error) = super::seccomp::give_up_privileges() {
        return error;
    }
    if let Some(filter) = filter
        && let Err(error) = attach_filter(filter)
    {
        return error;
    }
    let Some(program) = arguments.first() else { return io::ErrorKind::InvalidInput.into() };
    // SAFETY: `arguments` is an array of C strings that ends with a null pointer.
    unsafe { libc::execvp(*program, arguments.as_ptr()) };
    io::Error::last_os_error()
}
