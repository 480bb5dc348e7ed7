//! Seccomp filters: BPF programs as values, installed by the form of prctl(2) that 3.5 has.
//!
//! Sources: prctl(2), seccomp(2), linux/filter.h, linux/seccomp.h.

use std::io;

/// `struct sock_filter`: one step of a program over `struct seccomp_data`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(C)]
pub struct Step {
    /// What to do.
    pub code: u16,
    /// Steps to skip if the comparison is true.
    pub if_true: u8,
    /// Steps to skip if it is false.
    pub if_false: u8,
    /// Its number.
    pub value: u32,
}

/// `BPF_LD | BPF_W | BPF_ABS`: load the word at `offset` of `struct seccomp_data`.
#[must_use]
pub const fn load(offset: u32) -> Step {
    Step { code: 0x20, if_true: 0, if_false: 0, value: offset }
}

/// `BPF_JMP | BPF_JEQ | BPF_K`: is the word `value`?
#[must_use]
pub const fn equals(value: u32, if_true: u8, if_false: u8) -> Step {
    Step { code: 0x15, if_true, if_false, value }
}

/// `BPF_JMP | BPF_JGT | BPF_K`: is the word above `value`?
#[must_use]
pub const fn above(value: u32, if_true: u8, if_false: u8) -> Step {
    Step { code: 0x25, if_true, if_false, value }
}

/// `BPF_JMP | BPF_JSET | BPF_K`: has the word a bit of `bits`?
#[must_use]
pub const fn has(bits: u32, if_true: u8, if_false: u8) -> Step {
    Step { code: 0x45, if_true, if_false, value: bits }
}

/// `SECCOMP_RET_ALLOW`.
pub const ALLOW: Step = Step { code: 0x06, if_true: 0, if_false: 0, value: 0x7fff_0000 };

/// `SECCOMP_RET_ERRNO`: the call fails with `errno` and is not made.
#[must_use]
pub const fn fail(errno: u16) -> Step {
    Step { code: 0x06, if_true: 0, if_false: 0, value: 0x0005_0000 | errno as u32 }
}

/// `SECCOMP_RET_TRACE`: the call stops for the tracer; without one it fails with ENOSYS.
pub const TRACE: Step = Step { code: 0x06, if_true: 0, if_false: 0, value: 0x7ff0_0000 };

/// `BPF_JMP | BPF_JA`: skip `steps`.
#[must_use]
pub const fn skip(steps: u32) -> Step {
    Step { code: 0x05, if_true: 0, if_false: 0, value: steps }
}

/// `AUDIT_ARCH_X86_64` in linux/audit.h.
pub const AUDIT_ARCH_X86_64: u32 = 0xc000_003e;
/// `AUDIT_ARCH_I386` in linux/audit.h.
pub const AUDIT_ARCH_I386: u32 = 0x4000_0003;
/// `AUDIT_ARCH_AARCH64` in linux/audit.h.
pub const AUDIT_ARCH_AARCH64: u32 = 0xc000_00b7;

/// A call that a traced process stops at.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Traced {
    /// Its number.
    pub number: u32,
    /// Only calls like this stop; `None`: all.
    pub only_if: Option<HasBits>,
}

impl Traced {
    /// Whether a call with these arguments stops.
    #[must_use]
    pub fn takes(&self, number: u32, arguments: &[u64; 6]) -> bool {
        let is_like = |like: HasBits| {
            let argument = usize::try_from(like.argument).ok().and_then(|at| arguments.get(at));
            argument.is_some_and(|argument| argument & u64::from(like.bits) != 0)
        };
        self.number == number && self.only_if.is_none_or(is_like)
    }
}

/// Of the lower half of an argument's bits, one of these is set.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct HasBits {
    /// Which argument, from 0.
    pub argument: u32,
    /// The bits.
    pub bits: u32,
}

/// A program that stops a traced process at the given calls of each architecture, and lets all
/// other calls pass.
#[must_use]
pub fn trace_program(architectures: &[(u32, Vec<Traced>)]) -> Vec<Step> {
    // A jump reaches 255 steps, so a long list is checked in several runs.
    const RUN: usize = 250;
    const NARROW_RUN: usize = 50;
    let mut program = vec![load(offset::ARCHITECTURE)];
    for (architecture, calls) in architectures {
        let mut add = |body: Vec<Step>| {
            let over = u8::try_from(body.len()).unwrap_or(u8::MAX);
            program.push(equals(*architecture, 0, over));
            program.extend(body);
        };
        let numbers: Vec<u32> =
            calls.iter().filter(|call| call.only_if.is_none()).map(|call| call.number).collect();
        numbers.chunks(RUN).for_each(|run| add(trace_run(run)));
        let narrow: Vec<(u32, HasBits)> =
            calls.iter().filter_map(|call| Some((call.number, call.only_if?))).collect();
        narrow.chunks(NARROW_RUN).for_each(|run| add(narrow_run(run)));
    }
    program.push(ALLOW);
    program
}

/// Load the number, trace if it is one of `numbers`, else load the architecture again.
fn trace_run(numbers: &[u32]) -> Vec<Step> {
    let mut run = vec![load(offset::NUMBER)];
    for (index, number) in numbers.iter().enumerate() {
        // Over the comparisons that are left and the step that skips TRACE.
        let left = u8::try_from(numbers.len() - index).unwrap_or(u8::MAX);
        run.push(equals(*number, left, 0));
    }
    run.extend([skip(1), TRACE, load(offset::ARCHITECTURE)]);
    run
}

/// The same for calls of which not all stop.
fn narrow_run(calls: &[(u32, HasBits)]) -> Vec<Step> {
    let mut run = vec![load(offset::NUMBER)];
    for (number, like) in calls {
        run.extend([
            equals(*number, 0, 4),
            load(offset::low_half(like.argument)),
            has(like.bits, 0, 1),
            TRACE,
            ALLOW,
        ]);
    }
    run.push(load(offset::ARCHITECTURE));
    run
}

/// The architecture of this program.
#[cfg(target_arch = "x86_64")]
const OWN_ARCHITECTURE: u32 = AUDIT_ARCH_X86_64;
/// The architecture of this program.
#[cfg(target_arch = "aarch64")]
const OWN_ARCHITECTURE: u32 = AUDIT_ARCH_AARCH64;

/// Calls of a thread that serves connections which others have opened for it: memory, time, locks,
/// reading and writing what is open, waiting, and its own end.
#[rustfmt::skip]
const SERVING: &[libc::c_long] = &[
    libc::SYS_read, libc::SYS_write, libc::SYS_readv, libc::SYS_writev, libc::SYS_recvfrom,
    libc::SYS_sendto, libc::SYS_recvmsg, libc::SYS_sendmsg, libc::SYS_close, libc::SYS_shutdown,
    libc::SYS_accept4, libc::SYS_getsockname, libc::SYS_getpeername, libc::SYS_getsockopt,
    libc::SYS_setsockopt, libc::SYS_epoll_pwait, libc::SYS_epoll_ctl, libc::SYS_ppoll,
    libc::SYS_futex, libc::SYS_mmap, libc::SYS_munmap, libc::SYS_mremap, libc::SYS_mprotect,
    libc::SYS_madvise, libc::SYS_brk, libc::SYS_clock_gettime, libc::SYS_gettimeofday,
    libc::SYS_clock_nanosleep, libc::SYS_nanosleep, libc::SYS_getrandom, libc::SYS_fstat,
    libc::SYS_newfstatat, libc::SYS_statx, libc::SYS_lseek, libc::SYS_fcntl, libc::SYS_getdents64,
    libc::SYS_readlinkat, libc::SYS_sched_getaffinity, libc::SYS_sched_yield, libc::SYS_getpid,
    libc::SYS_gettid, libc::SYS_rt_sigprocmask, libc::SYS_rt_sigreturn, libc::SYS_sigaltstack,
    libc::SYS_set_robust_list, libc::SYS_restart_syscall, libc::SYS_exit, libc::SYS_exit_group,
    #[cfg(target_arch = "x86_64")] libc::SYS_epoll_wait,
    #[cfg(target_arch = "x86_64")] libc::SYS_poll,
    #[cfg(target_arch = "x86_64")] libc::SYS_readlink,
    #[cfg(target_arch = "x86_64")] libc::SYS_stat,
    #[cfg(target_arch = "x86_64")] libc::SYS_lstat,
];

/// What a thread that writes alerts does beyond [`SERVING`]: makes, renames and removes files, and
/// connects to daemons and servers.
#[rustfmt::skip]
const SENDING: &[libc::c_long] = &[
    libc::SYS_openat, libc::SYS_renameat, libc::SYS_renameat2, libc::SYS_unlinkat,
    libc::SYS_mkdirat, libc::SYS_ftruncate, libc::SYS_fsync, libc::SYS_fdatasync, libc::SYS_flock,
    libc::SYS_pread64, libc::SYS_pwrite64, libc::SYS_socket, libc::SYS_connect, libc::SYS_bind,
    libc::SYS_geteuid, libc::SYS_getuid, libc::SYS_getegid, libc::SYS_getgid,
    #[cfg(target_arch = "x86_64")] libc::SYS_open,
    #[cfg(target_arch = "x86_64")] libc::SYS_rename,
    #[cfg(target_arch = "x86_64")] libc::SYS_unlink,
    #[cfg(target_arch = "x86_64")] libc::SYS_mkdir,
];

/// A program under which a thread can write alerts to files, daemons and servers, and nothing else:
/// other calls fail with `EPERM`. It can't run or trace programs, start threads, listen, load
/// modules, mount, or change what anybody may do.
#[must_use]
pub fn sending_program() -> Vec<Step> {
    let mut program = head();
    program.extend(allow_all(SERVING));
    program.extend(allow_all(SENDING));
    program.extend(allow_non_blocking());
    program.push(REFUSED);
    program
}

/// What is refused: `EPERM`.
const REFUSED: Step = fail(1);

/// Calls of another architecture are refused; the number is loaded for what follows.
fn head() -> Vec<Step> {
    vec![load(offset::ARCHITECTURE), equals(OWN_ARCHITECTURE, 1, 0), REFUSED, load(offset::NUMBER)]
}

fn number_of(call: libc::c_long) -> u32 {
    u32::try_from(call).unwrap_or(u32::MAX)
}

/// Lets calls of these numbers pass.
fn allow_all(calls: &[libc::c_long]) -> Vec<Step> {
    calls.iter().flat_map(|call| [equals(number_of(*call), 0, 1), ALLOW]).collect()
}

/// Of ioctl(2) only what makes a descriptor non-blocking.
fn allow_non_blocking() -> [Step; 5] {
    let request = u32::try_from(libc::FIONBIO).unwrap_or(0);
    [
        equals(number_of(libc::SYS_ioctl), 0, 4),
        load(offset::low_half(1)),
        equals(request, 0, 1),
        ALLOW,
        REFUSED,
    ]
}

/// A program under which a thread can serve connections and read files, and nothing else: other
/// calls fail with `EPERM`. It can't make sockets, run or trace programs, write files, or change
/// what anybody may do.
#[must_use]
pub fn serving_program() -> Vec<Step> {
    const MAY_CHANGE: i32 = libc::O_WRONLY | libc::O_RDWR | libc::O_CREAT | libc::O_TRUNC;
    let mut program = head();
    program.extend(allow_all(SERVING));
    program.extend(allow_non_blocking());
    // Only for reading.
    program.extend([
        equals(number_of(libc::SYS_openat), 0, 4),
        load(offset::low_half(2)),
        has(MAY_CHANGE.cast_unsigned(), 1, 0),
        ALLOW,
        REFUSED,
    ]);
    program.push(REFUSED);
    program
}

/// Where a word is in `struct seccomp_data`.
pub mod offset {
    /// The call's number.
    pub const NUMBER: u32 = 0;
    /// `AUDIT_ARCH_…` of the call.
    pub const ARCHITECTURE: u32 = 4;
    /// The lower half of argument `index`, from 0, on little-endian machines.
    #[must_use]
    pub const fn low_half(index: u32) -> u32 {
        16 + 8 * index
    }
}

/// Puts the calling thread, and the programs it becomes, under `program` for good. It can gain
/// no privileges by exec any more.
///
/// # Errors
///
/// `EINVAL` for a program that the kernel does not accept, or without `CONFIG_SECCOMP_FILTER`.
pub fn install(program: &[Step]) -> io::Result<()> {
    give_up_privileges()?;
    attach(program)
}

/// From here on exec gives no privileges (setuid, file capabilities): `PR_SET_NO_NEW_PRIVS`.
///
/// # Errors
///
/// `EINVAL` before Linux 3.5.
pub fn give_up_privileges() -> io::Result<()> {
    // SAFETY: this option takes integers only.
    super::check(unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) })?;
    Ok(())
}

/// Like [`install`], but privileges can be gained by exec; needs CAP_SYS_ADMIN, or
/// [`give_up_privileges`] before it.
///
/// # Errors
///
/// `EACCES` without either; those of [`install`].
pub fn attach(program: &[Step]) -> io::Result<()> {
    /// `struct sock_fprog`
    #[repr(C)]
    struct Program {
        len: u16,
        steps: *const Step,
    }
    let len = u16::try_from(program.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
    let program = Program { len, steps: program.as_ptr() };
    // SAFETY: the call reads one sock_fprog and its `len` steps, whose layout is sock_filter's;
    // both live through the call, which copies them.
    super::check(unsafe {
        libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program)
    })?;
    Ok(())
}

/// Whether filters are there: asks for one at no address, which changes nothing.
///
/// # Errors
///
/// `EINVAL` without `CONFIG_SECCOMP_FILTER`.
pub fn try_out() -> io::Result<()> {
    let nothing = std::ptr::null::<u8>();
    // SAFETY: the kernel only finds that there is no program at this address.
    let asked = super::check(unsafe {
        libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, nothing)
    });
    match asked {
        Err(error) if error.raw_os_error() != Some(libc::EFAULT) => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs a program as the kernel would.
    fn judge(program: &[Step], architecture: u32, number: u32) -> Step {
        judge_call(program, architecture, number, &[0; 6])
    }

    fn judge_call(program: &[Step], architecture: u32, number: u32, arguments: &[u32; 6]) -> Step {
        let mut accumulator = 0;
        let mut at = 0;
        loop {
            let step = program[at];
            at += 1;
            match step.code {
                0x20 if step.value == offset::NUMBER => accumulator = number,
                0x20 if step.value == offset::ARCHITECTURE => accumulator = architecture,
                0x20 => accumulator = arguments[(step.value as usize - 16) / 8],
                0x15 if accumulator == step.value => at += usize::from(step.if_true),
                0x15 => at += usize::from(step.if_false),
                0x45 if accumulator & step.value != 0 => at += usize::from(step.if_true),
                0x45 => at += usize::from(step.if_false),
                0x05 => at += step.value as usize,
                _ => return step,
            }
        }
    }

    const fn all(number: u32) -> Traced {
        Traced { number, only_if: None }
    }

    #[test]
    fn only_calls_whose_argument_has_the_bits_stop() {
        let only_if = Some(HasBits { argument: 2, bits: 0b11 });
        let narrow = |number| Traced { number, only_if };
        let mut calls: Vec<Traced> = (300..420).map(narrow).collect();
        calls.push(all(59));
        let program = trace_program(&[
            (AUDIT_ARCH_X86_64, calls.clone()),
            (AUDIT_ARCH_I386, vec![narrow(5), all(11)]),
        ]);
        let flags = |flags| [3, 3, flags, 3, 3, 3];
        for (number, like, expected) in
            [(300, 1, TRACE), (419, 2, TRACE), (360, 4, ALLOW), (420, 1, ALLOW), (59, 0, TRACE)]
        {
            let step = judge_call(&program, AUDIT_ARCH_X86_64, number, &flags(like));
            assert_eq!(step, expected, "{number}");
            let takes = calls.iter().any(|call| call.takes(number, &flags(like).map(u64::from)));
            assert_eq!(takes, expected == TRACE);
        }
        assert_eq!(judge_call(&program, AUDIT_ARCH_I386, 5, &flags(1)), TRACE);
        assert_eq!(judge_call(&program, AUDIT_ARCH_I386, 5, &flags(4)), ALLOW);
        assert_eq!(judge(&program, AUDIT_ARCH_I386, 11), TRACE);
    }

    #[test]
    fn only_the_numbers_of_their_own_architecture_stop() {
        let calls = |numbers: &[u32]| numbers.iter().map(|&number| all(number)).collect();
        let program = trace_program(&[
            (AUDIT_ARCH_X86_64, calls(&[59, 257])),
            (AUDIT_ARCH_I386, calls(&[11])),
        ]);
        assert_eq!(judge(&program, AUDIT_ARCH_X86_64, 59), TRACE);
        assert_eq!(judge(&program, AUDIT_ARCH_X86_64, 257), TRACE);
        assert_eq!(judge(&program, AUDIT_ARCH_X86_64, 11), ALLOW);
        assert_eq!(judge(&program, AUDIT_ARCH_I386, 11), TRACE);
        assert_eq!(judge(&program, AUDIT_ARCH_I386, 59), ALLOW);
        assert_eq!(judge(&program, AUDIT_ARCH_AARCH64, 59), ALLOW);
    }

    #[test]
    fn more_numbers_than_a_jump_reaches_all_stop() {
        let program = trace_program(&[(AUDIT_ARCH_X86_64, (0..600).map(all).collect())]);
        for number in 0..700 {
            let expected = if number < 600 { TRACE } else { ALLOW };
            assert_eq!(judge(&program, AUDIT_ARCH_X86_64, number), expected, "{number}");
        }
    }

    #[test]
    fn a_filtered_call_fails_with_the_given_errno_in_this_thread_alone() {
        let number = u32::try_from(libc::SYS_uname).unwrap();
        let program = [load(offset::NUMBER), equals(number, 0, 1), fail(38), ALLOW];
        let thread = std::thread::spawn(move || {
            install(&program).unwrap();
            nix::sys::utsname::uname().map(drop)
        });
        assert_eq!(thread.join().unwrap(), Err(nix::errno::Errno::ENOSYS));
        assert!(nix::sys::utsname::uname().is_ok());
    }

    #[test]
    fn a_sending_thread_can_write_and_connect_but_neither_run_nor_trace_nor_listen() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("alerts");
        let thread = std::thread::spawn(move || {
            if install(&sending_program()).is_err() {
                // Without CONFIG_SECCOMP_FILTER there is nothing to see.
                return [true; 7];
            }
            let refused = |error: io::Error| error.raw_os_error() == Some(1);
            let own = nix::unistd::getpid();
            [
                std::fs::write(&path, "one").is_ok(),
                std::fs::rename(&path, path.with_extension("1")).is_ok(),
                std::net::UdpSocket::bind("127.0.0.1:0").is_ok(),
                std::process::Command::new("/bin/true").status().is_err_and(refused),
                std::thread::Builder::new().spawn(|| ()).is_err_and(refused),
                std::net::TcpListener::bind("127.0.0.1:0").is_err_and(refused),
                nix::sys::signal::kill(own, None) == Err(nix::errno::Errno::EPERM),
            ]
        });
        assert_eq!(thread.join().unwrap(), [true; 7]);
    }

    #[test]
    fn a_serving_thread_can_read_but_neither_write_nor_run_nor_connect() {
        let thread = std::thread::spawn(|| {
            if install(&serving_program()).is_err() {
                // Without CONFIG_SECCOMP_FILTER there is nothing to see.
                return [true; 4];
            }
            let refused = |error: io::Error| error.raw_os_error() == Some(1);
            [
                std::fs::File::open("/proc/self/status").is_ok(),
                std::fs::File::create("/tmp/eyas-must-not-be").is_err_and(refused),
                std::net::TcpListener::bind("127.0.0.1:0").is_err_and(refused),
                std::fs::remove_file("/tmp/eyas-must-not-be").is_err_and(refused),
            ]
        });
        assert_eq!(thread.join().unwrap(), [true; 4]);
    }
}
