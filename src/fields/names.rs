//! Names of numbers that Falco prints: errors, signals, capabilities, kinds of descriptor.

use crate::event::{FdKind, Protocol};

/// The symbol of an errno number, as Falco prints it. Source: errno(3), asm-generic/errno.h and,
/// from 512, linux/errno.h.
#[must_use]
pub fn errno(number: u64) -> Option<&'static str> {
    let number = usize::try_from(number).ok()?;
    match number {
        1.. if number <= ERRNO.len() => {
            ERRNO.get(number - 1).copied().filter(|name| !name.is_empty())
        }
        512 => Some("ERESTARTSYS"),
        513 => Some("ERESTARTNOINTR"),
        514 => Some("ERESTARTNOHAND"),
        515 => Some("ENOIOCTLCMD"),
        516 => Some("ERESTART_RESTARTBLOCK"),
        521 => Some("EBADHANDLE"),
        522 => Some("ENOTSYNC"),
        523 => Some("EBADCOOKIE"),
        524 => Some("ENOTSUPP"),
        525 => Some("ETOOSMALL"),
        526 => Some("ESERVERFAULT"),
        527 => Some("EBADTYPE"),
        528 => Some("EJUKEBOX"),
        529 => Some("EIOCBQUEUED"),
        530 => Some("EIOCBRETRY"),
        _ => None,
    }
}

#[rustfmt::skip]
static ERRNO: &[&str] = &[
    "EPERM", "ENOENT", "ESRCH", "EINTR", "EIO", "ENXIO", "E2BIG", "ENOEXEC", "EBADF", "ECHILD",
    "EAGAIN", "ENOMEM", "EACCES", "EFAULT", "ENOTBLK", "EBUSY", "EEXIST", "EXDEV", "ENODEV",
    "ENOTDIR", "EISDIR", "EINVAL", "ENFILE", "EMFILE", "ENOTTY", "ETXTBSY", "EFBIG", "ENOSPC",
    "ESPIPE", "EROFS", "EMLINK", "EPIPE", "EDOM", "ERANGE", "EDEADLK", "ENAMETOOLONG", "ENOLCK",
    "ENOSYS", "ENOTEMPTY", "ELOOP", "", "ENOMSG", "EIDRM", "ECHRNG", "EL2NSYNC", "EL3HLT",
    "EL3RST", "ELNRNG", "EUNATCH", "ENOCSI", "EL2HLT", "EBADE", "EBADR", "EXFULL", "ENOANO",
    "EBADRQC", "EBADSLT", "", "EBFONT", "ENOSTR", "ENODATA", "ETIME", "ENOSR", "ENONET", "ENOPKG",
    "EREMOTE", "ENOLINK", "EADV", "ESRMNT", "ECOMM", "EPROTO", "EMULTIHOP", "EDOTDOT", "EBADMSG",
    "EOVERFLOW", "ENOTUNIQ", "EBADFD", "EREMCHG", "ELIBACC", "ELIBBAD", "ELIBSCN", "ELIBMAX",
    "ELIBEXEC", "EILSEQ", "ERESTART", "ESTRPIPE", "EUSERS", "ENOTSOCK", "EDESTADDRREQ",
    "EMSGSIZE", "EPROTOTYPE", "ENOPROTOOPT", "EPROTONOSUPPORT", "ESOCKTNOSUPPORT", "EOPNOTSUPP",
    "EPFNOSUPPORT", "EAFNOSUPPORT", "EADDRINUSE", "EADDRNOTAVAIL", "ENETDOWN", "ENETUNREACH",
    "ENETRESET", "ECONNABORTED", "ECONNRESET", "ENOBUFS", "EISCONN", "ENOTCONN", "ESHUTDOWN",
    "ETOOMANYREFS", "ETIMEDOUT", "ECONNREFUSED", "EHOSTDOWN", "EHOSTUNREACH", "EALREADY",
    "EINPROGRESS", "ESTALE", "EUCLEAN", "ENOTNAM", "ENAVAIL", "EISNAM", "EREMOTEIO", "EDQUOT",
    "ENOMEDIUM", "EMEDIUMTYPE", "ECANCELED", "ENOKEY", "EKEYEXPIRED", "EKEYREVOKED",
    "EKEYREJECTED", "EOWNERDEAD", "ENOTRECOVERABLE", "ERFKILL",
];

/// The name of a signal. Source: signal(7), numbers of x86 and ARM.
#[must_use]
pub fn signal(number: u64) -> Option<&'static str> {
    SIGNALS.get(usize::try_from(number.checked_sub(1)?).ok()?).copied()
}

/// The names of all signals, number 1 first.
#[rustfmt::skip]
pub static SIGNALS: &[&str] = &[
    "SIGHUP", "SIGINT", "SIGQUIT", "SIGILL", "SIGTRAP", "SIGABRT", "SIGBUS", "SIGFPE", "SIGKILL",
    "SIGUSR1", "SIGSEGV", "SIGUSR2", "SIGPIPE", "SIGALRM", "SIGTERM", "SIGSTKFLT", "SIGCHLD",
    "SIGCONT", "SIGSTOP", "SIGTSTP", "SIGTTIN", "SIGTTOU", "SIGURG", "SIGXCPU", "SIGXFSZ",
    "SIGVTALRM", "SIGPROF", "SIGWINCH", "SIGIO", "SIGPWR", "SIGSYS",
];

/// The names of all capabilities in bit order. Source: capabilities(7).
#[rustfmt::skip]
pub static CAPABILITIES: &[&str] = &[
    "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_FOWNER", "CAP_FSETID",
    "CAP_KILL", "CAP_SETGID", "CAP_SETUID", "CAP_SETPCAP", "CAP_LINUX_IMMUTABLE",
    "CAP_NET_BIND_SERVICE", "CAP_NET_BROADCAST", "CAP_NET_ADMIN", "CAP_NET_RAW", "CAP_IPC_LOCK",
    "CAP_IPC_OWNER", "CAP_SYS_MODULE", "CAP_SYS_RAWIO", "CAP_SYS_CHROOT", "CAP_SYS_PTRACE",
    "CAP_SYS_PACCT", "CAP_SYS_ADMIN", "CAP_SYS_BOOT", "CAP_SYS_NICE", "CAP_SYS_RESOURCE",
    "CAP_SYS_TIME", "CAP_SYS_TTY_CONFIG", "CAP_MKNOD", "CAP_LEASE", "CAP_AUDIT_WRITE",
    "CAP_AUDIT_CONTROL", "CAP_SETFCAP", "CAP_MAC_OVERRIDE", "CAP_MAC_ADMIN", "CAP_SYSLOG",
    "CAP_WAKE_ALARM", "CAP_BLOCK_SUSPEND", "CAP_AUDIT_READ", "CAP_PERFMON", "CAP_BPF",
    "CAP_CHECKPOINT_RESTORE",
];

/// What `fd.type` is; `<NA>` for kinds without a name.
#[must_use]
pub const fn fd_type(kind: FdKind) -> &'static str {
    match kind {
        FdKind::File => "file",
        FdKind::Directory => "directory",
        FdKind::Ipv4Socket | FdKind::Ipv4Server => "ipv4",
        FdKind::Ipv6Socket | FdKind::Ipv6Server => "ipv6",
        FdKind::UnixSocket => "unix",
        FdKind::Pipe => "pipe",
        FdKind::Event => "event",
        FdKind::Signal => "signalfd",
        FdKind::EventPoll => "eventpoll",
        FdKind::Inotify => "inotify",
        FdKind::Timer => "timerfd",
        FdKind::Netlink => "netlink",
        FdKind::Bpf => "bpf",
        FdKind::UserFault => "userfaultfd",
        FdKind::IoUring => "io_uring",
        FdKind::MemFd => "memfd",
        FdKind::PidFd => "pidfd",
        FdKind::Unknown | FdKind::Unset | FdKind::Unsupported => "<NA>",
    }
}

/// What `fd.typechar` is.
#[must_use]
pub const fn fd_type_char(kind: FdKind) -> &'static str {
    match kind {
        FdKind::File => "f",
        FdKind::Directory => "d",
        FdKind::Ipv4Socket | FdKind::Ipv4Server => "4",
        FdKind::Ipv6Socket | FdKind::Ipv6Server => "6",
        FdKind::UnixSocket | FdKind::UserFault => "u",
        FdKind::Pipe => "p",
        FdKind::Event => "e",
        FdKind::Signal => "s",
        FdKind::EventPoll => "l",
        FdKind::Inotify => "i",
        FdKind::Timer => "t",
        FdKind::Netlink => "n",
        FdKind::Bpf => "b",
        FdKind::IoUring => "r",
        FdKind::MemFd => "m",
        FdKind::PidFd => "P",
        FdKind::Unknown => "o",
        FdKind::Unset => "?",
        FdKind::Unsupported => "X",
    }
}

/// What `fd.l4proto` is.
#[must_use]
pub const fn protocol(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Tcp => "tcp",
        Protocol::Udp => "udp",
        Protocol::Icmp => "icmp",
        Protocol::Raw => "raw",
        Protocol::Unknown | Protocol::NotApplicable => "<NA>",
    }
}

/// The letter for a protocol in `<4t>`; none where it isn't known.
#[must_use]
pub const fn protocol_char(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Tcp => "t",
        Protocol::Udp => "u",
        Protocol::Icmp => "i",
        Protocol::Raw => "r",
        Protocol::Unknown | Protocol::NotApplicable => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_have_the_names_of_errno_h() {
        assert_eq!(errno(2), Some("ENOENT"));
        assert_eq!(errno(115), Some("EINPROGRESS"));
        assert_eq!(errno(132), Some("ERFKILL"));
        assert_eq!(errno(0), None);
        assert_eq!(errno(41), None);
        assert_eq!(errno(133), None);
    }

    #[test]
    fn the_tables_end_where_the_kernels_do() {
        assert_eq!(signal(31), Some("SIGSYS"));
        assert_eq!(signal(64), None);
        assert_eq!(CAPABILITIES.get(21), Some(&"CAP_SYS_ADMIN"));
        assert_eq!(CAPABILITIES.len(), 41);
    }
}
