//! Who the agent is and what it may do.
//!
//! Sources: capabilities(7), credentials(7), getrandom(2).

use std::io;
use std::io::Read;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

/// Has a program start with no signal blocked, whatever the thread that starts it blocks.
pub fn unblock_signals_in(command: &mut Command) {
    // SAFETY: between fork and exec the function makes one system call, pthread_sigmask(3), on a
    // set on its stack; it allocates nothing and takes no lock.
    unsafe { command.pre_exec(super::poll::unblock_all) };
}

/// A capability, by its number in linux/capability.h.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub enum Capability {
    /// Change owners of files, 0.
    Chown = 0,
    /// Read and write any file of others, 1.
    DacOverride = 1,
    /// Read any file of others, 2.
    DacReadSearch = 2,
    /// Do to files what their owners may, 3.
    Fowner = 3,
    /// Signal any process, 5.
    Kill = 5,
    /// Listen on ports below 1024, 10.
    NetBindService = 10,
    /// Network configuration; the proc connector, 12.
    NetAdmin = 12,
    /// Trace any process; its /proc files, 19.
    SysPtrace = 19,
    /// fanotify and much else, 21.
    SysAdmin = 21,
    /// Run before others, 23.
    SysNice = 23,
    /// Raise resource limits, 24.
    SysResource = 24,
    /// Write to audit, 29.
    AuditWrite = 29,
    /// Change audit, 30.
    AuditControl = 30,
    /// Read audit's multicast, 37.
    AuditRead = 37,
}

impl Capability {
    /// The kernel's name of it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Chown => "CAP_CHOWN",
            Self::DacOverride => "CAP_DAC_OVERRIDE",
            Self::DacReadSearch => "CAP_DAC_READ_SEARCH",
            Self::Fowner => "CAP_FOWNER",
            Self::Kill => "CAP_KILL",
            Self::NetBindService => "CAP_NET_BIND_SERVICE",
            Self::NetAdmin => "CAP_NET_ADMIN",
            Self::SysPtrace => "CAP_SYS_PTRACE",
            Self::SysAdmin => "CAP_SYS_ADMIN",
            Self::SysNice => "CAP_SYS_NICE",
            Self::SysResource => "CAP_SYS_RESOURCE",
            Self::AuditWrite => "CAP_AUDIT_WRITE",
            Self::AuditControl => "CAP_AUDIT_CONTROL",
            Self::AuditRead => "CAP_AUDIT_READ",
        }
    }
}

/// Whether the calling process has `capability` in effect; `false` if /proc cannot be read.
#[must_use]
pub fn has_capability(capability: Capability) -> bool {
    effective_capabilities().is_ok_and(|mask| mask & (1 << (capability as u8)) != 0)
}

/// The capabilities in effect, one bit each, from `CapEff` of /proc/self/status.
///
/// # Errors
///
/// Those of reading /proc; `InvalidData` if the line is not there.
pub fn effective_capabilities() -> io::Result<u64> {
    // A status file is about 1.5 KiB; the limit is far above.
    const MAX_BYTES: u64 = 64 * 1024;
    let mut text = String::new();
    std::fs::File::open("/proc/self/status")?.take(MAX_BYTES).read_to_string(&mut text)?;
    text.lines()
        .find_map(|line| line.strip_prefix("CapEff:"))
        .and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok())
        .ok_or_else(|| io::ErrorKind::InvalidData.into())
}

/// Takes every capability but those in `keep` from the calling thread, for good.
///
/// Capabilities belong to threads: call it before the first other thread, or in each. Those that
/// the thread does not have are not given by naming them.
///
/// # Errors
///
/// Those of capset(2).
#[doc(alias = "capset")]
pub fn keep_capabilities(keep: &[Capability]) -> io::Result<()> {
    let kept = keep.iter().fold(0, |mask, capability| mask | (1_u64 << (*capability as u8)));
    let kept = kept & effective_capabilities()?;
    let low = u32::try_from(kept & u64::from(u32::MAX)).unwrap_or(0);
    let high = u32::try_from(kept >> 32).unwrap_or(0);
    let header = CapHeader { version: CAPABILITY_VERSION_3, pid: 0 };
    let data = [low, high].map(|half| CapData { effective: half, permitted: half, inheritable: 0 });
    // SAFETY: capset(2) reads one header and, for this version, two data structs; both are ours
    // and live through the call, which writes the header's version only where it is unknown.
    let returned = unsafe { libc::syscall(libc::SYS_capset, &raw const header, data.as_ptr()) };
    if returned < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// `_LINUX_CAPABILITY_VERSION_3` in linux/capability.h, 2.6.26.
const CAPABILITY_VERSION_3: u32 = 0x2008_0522;

/// `struct __user_cap_header_struct` in linux/capability.h.
#[repr(C)]
struct CapHeader {
    version: u32,
    pid: i32,
}

/// `struct __user_cap_data_struct` in linux/capability.h.
#[repr(C)]
struct CapData {
    effective: u32,
    permitted: u32,
    inheritable: u32,
}

/// No core file is written if this process crashes: it would hold what was read of others.
///
/// # Errors
///
/// Those of setrlimit(2); lowering a limit always works.
pub fn forbid_core_files() -> io::Result<()> {
    use nix::sys::resource::{Resource, setrlimit};
    Ok(setrlimit(Resource::RLIMIT_CORE, 0, 0)?)
}

/// Enters a directory with the calling thread alone: the others stay in theirs.
///
/// # Errors
///
/// Those of unshare(2) and chdir(2).
#[doc(alias = "unshare")]
pub fn enter_alone(directory: &std::path::Path) -> io::Result<()> {
    // SAFETY: unshare(2) takes an integer; CLONE_FS gives this thread a directory of its own.
    let returned = unsafe { libc::unshare(libc::CLONE_FS) };
    if returned < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(nix::unistd::chdir(directory)?)
}

/// Sets the nice value of the calling thread, -20 (first) to 19: threads that it starts inherit it.
///
/// # Errors
///
/// `EACCES` below the present value without `CAP_SYS_NICE`.
#[doc(alias = "setpriority")]
pub fn set_nice(value: i32) -> io::Result<()> {
    // SAFETY: setpriority(2) takes integers only; 0 is the calling thread.
    let returned = unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, value) };
    if returned < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Whether the effective user is root.
#[must_use]
pub fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

/// The agent's own process id.
#[must_use]
pub fn own_pid() -> i32 {
    nix::unistd::getpid().as_raw()
}

/// Whether a task of that number is a thread of a process.
#[must_use]
#[doc(alias = "tgkill")]
pub fn is_thread_of(pid: i32, tid: i32) -> bool {
    // SAFETY: the call takes three integers, and with signal zero does nothing but look.
    let returned = unsafe { libc::syscall(libc::SYS_tgkill, pid, tid, 0) };
    // Not allowed to signal it: it is there nevertheless.
    returned == 0 || io::Error::last_os_error().raw_os_error() == Some(libc::EPERM)
}

/// Whether there is no process of that number any more; one that has ended and is not yet waited
/// for is still there.
#[must_use]
pub fn is_gone(pid: i32) -> bool {
    let pid = nix::unistd::Pid::from_raw(pid);
    pid.as_raw() > 0 && nix::sys::signal::kill(pid, None) == Err(nix::errno::Errno::ESRCH)
}

/// Sends a signal to a process.
///
/// # Errors
///
/// `ESRCH` if it is gone, `EPERM`; `InvalidInput` for what isn't one process.
pub fn send_signal(pid: i32, signal: nix::sys::signal::Signal) -> io::Result<()> {
    if pid <= 0 {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    Ok(nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), signal)?)
}

/// Sends a signal to every process of a group, by the number of the process that began it.
///
/// # Errors
///
/// `ESRCH` if there is none, `EPERM`; `InvalidInput` for what isn't one group.
pub fn send_signal_to_group(group: i32, signal: nix::sys::signal::Signal) -> io::Result<()> {
    // 0 would be our own group, 1 everybody.
    if group <= 1 {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    Ok(nix::sys::signal::killpg(nix::unistd::Pid::from_raw(group), signal)?)
}

/// Whether a child has ended. Its number stays taken until it is waited for; `true`, too, if that
/// has been done.
#[must_use]
pub fn has_ended(child: i32) -> bool {
    use nix::sys::wait;
    let flags =
        wait::WaitPidFlag::WEXITED | wait::WaitPidFlag::WNOHANG | wait::WaitPidFlag::WNOWAIT;
    let id = wait::Id::Pid(nix::unistd::Pid::from_raw(child));
    !matches!(wait::waitid(id, flags), Ok(wait::WaitStatus::StillAlive))
}

/// The name of the host.
///
/// # Errors
///
/// Those of gethostname(2).
pub fn hostname() -> io::Result<std::ffi::OsString> {
    Ok(nix::unistd::gethostname()?)
}

/// Version of the running kernel, as in `3.10.0-1160.el7.x86_64`.
///
/// # Errors
///
/// Those of uname(2).
pub fn kernel_release() -> io::Result<std::ffi::OsString> {
    Ok(nix::sys::utsname::uname()?.release().to_owned())
}

/// Four random bytes; from /dev/urandom, since getrandom(2) came with 3.17.
///
/// # Errors
///
/// Those of opening and reading the device.
pub fn random_u32() -> io::Result<u32> {
    let mut bytes = [0; 4];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(u32::from_ne_bytes(bytes))
}

/// Raises the soft limit of open descriptors to the hard limit, as far as `wanted`; what it is
/// then.
///
/// # Errors
///
/// Those of getrlimit(2) and setrlimit(2).
pub fn raise_descriptor_limit(wanted: u64) -> io::Result<u64> {
    use nix::sys::resource::Resource;
    let (soft, hard) = nix::sys::resource::getrlimit(Resource::RLIMIT_NOFILE)?;
    let raised = wanted.min(hard);
    if raised <= soft {
        return Ok(soft);
    }
    nix::sys::resource::setrlimit(Resource::RLIMIT_NOFILE, raised, hard)?;
    Ok(raised)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capabilities_can_be_read_and_root_has_some() {
        let mask = effective_capabilities().unwrap();
        assert!(!is_root() || mask != 0);
    }

    #[test]
    fn a_capability_that_is_not_kept_is_gone_from_this_thread_alone() {
        let before = effective_capabilities().unwrap();
        let thread = std::thread::spawn(|| {
            keep_capabilities(&[Capability::NetAdmin]).unwrap();
            let path = format!("/proc/self/task/{}/status", nix::unistd::gettid());
            let text = std::fs::read(path).unwrap();
            String::from_utf8_lossy(&text)
                .lines()
                .find_map(|line| u64::from_str_radix(line.strip_prefix("CapEff:")?.trim(), 16).ok())
        });
        let after = thread.join().unwrap().unwrap();
        assert_eq!(after, before & (1 << Capability::NetAdmin as u8));
        assert_eq!(effective_capabilities().unwrap(), before);
    }

    #[test]
    fn two_random_numbers_differ() {
        let drawn = [random_u32().unwrap(), random_u32().unwrap(), random_u32().unwrap()];
        assert!(drawn.iter().any(|number| *number != drawn[0]));
    }
}
