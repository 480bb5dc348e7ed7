//! The layout of every event code of capture files: 454 rows, indexed by the code.
//!
//! Codes are append-only, so one table reads files of all years. Even codes are enter events, odd
//! ones exit events, but for meta events and tracepoints, which are even only. What a code is
//! called and what its parameters mean is in the event table; here is how its bytes are read.
//! Source: the schema of falco-libs, version 4.5.1.

use Class::{Dyn, I16, I32, I64, Id, Raw, Text, U8, U16, U32, U64};
use Target as T;

use crate::event::EventType;
use crate::event::known as k;

/// One event code.
#[derive(Debug)]
pub struct Layout {
    /// A set of [`OLD`], [`CONV`], [`LARGE`], [`UNUSED`].
    pub flags: u8,
    /// The type of event that it is.
    pub target: Target,
    /// How each of its parameters is read.
    pub params: &'static [Class],
}

/// An old layout, upgraded to a current one, or an enter event.
pub const OLD: u8 = 1;
/// The converter looks at it.
pub const CONV: u8 = 1 << 1;
/// Lengths of parameters have 32 bits.
pub const LARGE: u8 = 1 << 2;
/// Never written.
pub const UNUSED: u8 = 1 << 3;

/// Which type of event a code is.
#[derive(Clone, Copy, Debug)]
pub enum Target {
    /// This one.
    Own(EventType),
    /// The system call that the first parameter says.
    Generic,
    /// None any more.
    Never,
}

/// How a parameter is read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[allow(missing_docs, reason = "widths of integers, little-endian")]
pub enum Class {
    I8,
    I16,
    I32,
    I64,
    U8,
    U16,
    U32,
    U64,
    /// A user or group id: 32 bits, all ones if not known.
    Id,
    /// Text with its NUL.
    Text,
    /// Bytes in an encoding of their own.
    Raw,
    /// One byte that chooses the type, then that type.
    Dyn,
}

impl Layout {
    /// Whether one of the bits is set.
    #[must_use]
    pub const fn is(&self, flags: u8) -> bool {
        self.flags & flags != 0
    }
}

const fn row(flags: u8, target: Target, params: &'static [Class]) -> Layout {
    Layout { flags, target, params }
}

const fn unused() -> Layout {
    row(UNUSED, T::Never, &[])
}

/// The layout of `code`; `None` if it is newer than this table.
#[must_use]
pub fn layout(code: u16) -> Option<&'static Layout> {
    LAYOUTS.get(usize::from(code))
}

/// The row index is the event code.
#[rustfmt::skip]
static LAYOUTS: &[Layout] = &[
    row(OLD | CONV, T::Generic, &[U16, U16]), // 0 generic_e
    row(CONV, T::Generic, &[U16, U16]), // 1 generic_x
    row(CONV, T::Own(k::OPEN), &[Text, U32, U32]), // 2 syscall_open_e
    row(CONV, T::Own(k::OPEN), &[I64, Text, U32, U32, U32, U64]), // 3 syscall_open_x
    row(OLD | CONV, T::Own(k::CLOSE), &[I64]), // 4 syscall_close_e
    row(CONV, T::Own(k::CLOSE), &[I64, I64]), // 5 syscall_close_x
    row(OLD | CONV, T::Own(k::READ), &[I64, U32]), // 6 syscall_read_e
    row(CONV, T::Own(k::READ), &[I64, Raw, I64, U32]), // 7 syscall_read_x
    row(OLD | CONV, T::Own(k::WRITE), &[I64, U32]), // 8 syscall_write_e
    row(CONV, T::Own(k::WRITE), &[I64, Raw, I64, U32]), // 9 syscall_write_x
    row(OLD | CONV, T::Own(k::BRK), &[U32]), // 10 syscall_brk_1_e
    row(OLD | CONV, T::Own(k::BRK), &[U64]), // 11 syscall_brk_1_x
    row(OLD | CONV, T::Own(k::EXECVE), &[]), // 12 syscall_execve_8_e
    row(OLD | CONV, T::Own(k::EXECVE), &[I64, Text, Raw, I64, I64, I64, Text, U64]), // 13 syscall_execve_8_x
    row(OLD, T::Own(k::CLONE), &[]), // 14 syscall_clone_11_e
    row(OLD | CONV, T::Own(k::CLONE), &[I64, Text, Raw, I64, I64, I64, Text, I64, U32, U32, U32]), // 15 syscall_clone_11_x
    row(OLD | CONV, T::Own(k::PROCEXIT), &[]), // 16 procexit_e
    unused(), // 17
    row(OLD | CONV, T::Own(k::SOCKET), &[U32, U32, U32]), // 18 socket_socket_e
    row(CONV, T::Own(k::SOCKET), &[I64, U32, U32, U32, U32]), // 19 socket_socket_x
    row(OLD | CONV, T::Own(k::BIND), &[I64]), // 20 socket_bind_e
    row(CONV, T::Own(k::BIND), &[I64, Raw, I64]), // 21 socket_bind_x
    row(CONV, T::Own(k::CONNECT), &[I64, Raw]), // 22 socket_connect_e
    row(CONV, T::Own(k::CONNECT), &[I64, Raw, I64, Raw]), // 23 socket_connect_x
    row(OLD | CONV, T::Own(k::LISTEN), &[I64, I32]), // 24 socket_listen_e
    row(CONV, T::Own(k::LISTEN), &[I64, I64, I32]), // 25 socket_listen_x
    row(OLD, T::Own(k::ACCEPT), &[]), // 26 socket_accept_e
    row(OLD | CONV, T::Own(k::ACCEPT), &[I64, Raw, U8]), // 27 socket_accept_x
    row(OLD | CONV, T::Own(k::SEND), &[I64, U32]), // 28 socket_send_e
    row(CONV, T::Own(k::SEND), &[I64, Raw, I64, U32, Raw]), // 29 socket_send_x
    row(OLD | CONV, T::Own(k::SENDTO), &[I64, U32, Raw]), // 30 socket_sendto_e
    row(CONV, T::Own(k::SENDTO), &[I64, Raw, I64, U32, Raw]), // 31 socket_sendto_x
    row(OLD | CONV, T::Own(k::RECV), &[I64, U32]), // 32 socket_recv_e
    row(CONV, T::Own(k::RECV), &[I64, Raw, I64, U32, Raw]), // 33 socket_recv_x
    row(OLD | CONV, T::Own(k::RECVFROM), &[I64, U32]), // 34 socket_recvfrom_e
    row(CONV, T::Own(k::RECVFROM), &[I64, Raw, Raw, I64, U32]), // 35 socket_recvfrom_x
    row(OLD | CONV, T::Own(k::SHUTDOWN), &[I64, U8]), // 36 socket_shutdown_e
    row(CONV, T::Own(k::SHUTDOWN), &[I64, I64, U8]), // 37 socket_shutdown_x
    row(OLD, T::Own(k::GETSOCKNAME), &[]), // 38 socket_getsockname_e
    row(0, T::Own(k::GETSOCKNAME), &[]), // 39 socket_getsockname_x
    row(OLD, T::Own(k::GETPEERNAME), &[]), // 40 socket_getpeername_e
    row(0, T::Own(k::GETPEERNAME), &[]), // 41 socket_getpeername_x
    row(OLD | CONV, T::Own(k::SOCKETPAIR), &[U32, U32, U32]), // 42 socket_socketpair_e
    row(CONV, T::Own(k::SOCKETPAIR), &[I64, I64, I64, U64, U64, U32, U32, U32]), // 43 socket_socketpair_x
    row(OLD, T::Own(k::SETSOCKOPT), &[]), // 44 socket_setsockopt_e
    row(0, T::Own(k::SETSOCKOPT), &[I64, I64, U8, U8, Dyn, U32]), // 45 socket_setsockopt_x
    row(OLD, T::Own(k::GETSOCKOPT), &[]), // 46 socket_getsockopt_e
    row(0, T::Own(k::GETSOCKOPT), &[I64, I64, U8, U8, Dyn, U32]), // 47 socket_getsockopt_x
    row(OLD | CONV, T::Own(k::SENDMSG), &[I64, U32, Raw]), // 48 socket_sendmsg_e
    row(CONV, T::Own(k::SENDMSG), &[I64, Raw, I64, U32, Raw]), // 49 socket_sendmsg_x
    row(OLD, T::Own(k::SENDMMSG), &[]), // 50 socket_sendmmsg_e
    row(CONV, T::Own(k::SENDMMSG), &[I64, I64, U32, Raw, Raw]), // 51 socket_sendmmsg_x
    row(OLD | CONV, T::Own(k::RECVMSG), &[I64]), // 52 socket_recvmsg_e
    row(CONV, T::Own(k::RECVMSG), &[I64, U32, Raw, Raw, Raw, I64]), // 53 socket_recvmsg_x
    row(OLD, T::Own(k::RECVMMSG), &[]), // 54 socket_recvmmsg_e
    row(CONV, T::Own(k::RECVMMSG), &[I64, I64, U32, Raw, Raw, Raw]), // 55 socket_recvmmsg_x
    row(OLD | CONV, T::Own(k::ACCEPT), &[I32]), // 56 socket_accept4_e
    row(OLD | CONV, T::Own(k::ACCEPT), &[I64, Raw, U8]), // 57 socket_accept4_x
    row(CONV, T::Own(k::CREAT), &[Text, U32]), // 58 syscall_creat_e
    row(CONV, T::Own(k::CREAT), &[I64, Text, U32, U32, U64, U16]), // 59 syscall_creat_x
    row(OLD, T::Own(k::PIPE), &[]), // 60 syscall_pipe_e
    row(0, T::Own(k::PIPE), &[I64, I64, I64, U64]), // 61 syscall_pipe_x
    row(OLD | CONV, T::Own(k::EVENTFD), &[U64, U32]), // 62 syscall_eventfd_e
    row(CONV, T::Own(k::EVENTFD), &[I64, U64, U32]), // 63 syscall_eventfd_x
    row(OLD | CONV, T::Own(k::FUTEX), &[U64, U16, U64]), // 64 syscall_futex_e
    row(CONV, T::Own(k::FUTEX), &[I64, U64, U16, U64]), // 65 syscall_futex_x
    row(OLD, T::Own(k::STAT), &[]), // 66 syscall_stat_e
    row(0, T::Own(k::STAT), &[I64, Text]), // 67 syscall_stat_x
    row(OLD, T::Own(k::LSTAT), &[]), // 68 syscall_lstat_e
    row(0, T::Own(k::LSTAT), &[I64, Text]), // 69 syscall_lstat_x
    row(OLD | CONV, T::Own(k::FSTAT), &[I64]), // 70 syscall_fstat_e
    row(CONV, T::Own(k::FSTAT), &[I64, I64]), // 71 syscall_fstat_x
    row(OLD, T::Own(k::STAT64), &[]), // 72 syscall_stat64_e
    row(0, T::Own(k::STAT64), &[I64, Text]), // 73 syscall_stat64_x
    row(OLD, T::Own(k::LSTAT64), &[]), // 74 syscall_lstat64_e
    row(0, T::Own(k::LSTAT64), &[I64, Text]), // 75 syscall_lstat64_x
    row(OLD, T::Own(k::FSTAT64), &[I64]), // 76 syscall_fstat64_e
    row(0, T::Own(k::FSTAT64), &[I64]), // 77 syscall_fstat64_x
    row(OLD | CONV, T::Own(k::EPOLL_WAIT), &[I64]), // 78 syscall_epollwait_e
    row(CONV, T::Own(k::EPOLL_WAIT), &[I64, I64]), // 79 syscall_epollwait_x
    row(OLD | CONV, T::Own(k::POLL), &[Raw, I64]), // 80 syscall_poll_e
    row(CONV, T::Own(k::POLL), &[I64, Raw, I64]), // 81 syscall_poll_x
    row(OLD, T::Own(k::SELECT), &[]), // 82 syscall_select_e
    row(0, T::Own(k::SELECT), &[I64]), // 83 syscall_select_x
    row(OLD, T::Own(k::SELECT), &[]), // 84 syscall_newselect_e
    row(OLD | CONV, T::Own(k::SELECT), &[I64]), // 85 syscall_newselect_x
    row(OLD | CONV, T::Own(k::LSEEK), &[I64, U64, U8]), // 86 syscall_lseek_e
    row(CONV, T::Own(k::LSEEK), &[I64, I64, U64, U8]), // 87 syscall_lseek_x
    row(OLD | CONV, T::Own(k::LLSEEK), &[I64, U64, U8]), // 88 syscall_llseek_e
    row(CONV, T::Own(k::LLSEEK), &[I64, I64, U64, U8]), // 89 syscall_llseek_x
    row(OLD | CONV, T::Own(k::IOCTL), &[I64, U64]), // 90 syscall_ioctl_2_e
    row(OLD | CONV, T::Own(k::IOCTL), &[I64]), // 91 syscall_ioctl_2_x
    row(OLD, T::Own(k::GETCWD), &[]), // 92 syscall_getcwd_e
    row(0, T::Own(k::GETCWD), &[I64, Text]), // 93 syscall_getcwd_x
    row(OLD, T::Own(k::CHDIR), &[]), // 94 syscall_chdir_e
    row(0, T::Own(k::CHDIR), &[I64, Text]), // 95 syscall_chdir_x
    row(OLD | CONV, T::Own(k::FCHDIR), &[I64]), // 96 syscall_fchdir_e
    row(CONV, T::Own(k::FCHDIR), &[I64, I64]), // 97 syscall_fchdir_x
    row(OLD | CONV, T::Own(k::MKDIR), &[Text, U32]), // 98 syscall_mkdir_e
    row(OLD | CONV, T::Own(k::MKDIR), &[I64]), // 99 syscall_mkdir_x
    row(OLD | CONV, T::Own(k::RMDIR), &[Text]), // 100 syscall_rmdir_e
    row(OLD | CONV, T::Own(k::RMDIR), &[I64]), // 101 syscall_rmdir_x
    row(OLD | CONV, T::Own(k::OPENAT), &[I64, Text, U32, U32]), // 102 syscall_openat_e
    row(OLD | CONV, T::Own(k::OPENAT), &[I64]), // 103 syscall_openat_x
    row(OLD | CONV, T::Own(k::LINK), &[Text, Text]), // 104 syscall_link_e
    row(OLD | CONV, T::Own(k::LINK), &[I64]), // 105 syscall_link_x
    row(OLD | CONV, T::Own(k::LINKAT), &[I64, Text, I64, Text]), // 106 syscall_linkat_e
    row(OLD | CONV, T::Own(k::LINKAT), &[I64]), // 107 syscall_linkat_x
    row(OLD | CONV, T::Own(k::UNLINK), &[Text]), // 108 syscall_unlink_e
    row(OLD | CONV, T::Own(k::UNLINK), &[I64]), // 109 syscall_unlink_x
    row(OLD | CONV, T::Own(k::UNLINKAT), &[I64, Text]), // 110 syscall_unlinkat_e
    row(OLD | CONV, T::Own(k::UNLINKAT), &[I64]), // 111 syscall_unlinkat_x
    row(OLD | CONV, T::Own(k::PREAD), &[I64, U32, U64]), // 112 syscall_pread_e
    row(CONV, T::Own(k::PREAD), &[I64, Raw, I64, U32, U64]), // 113 syscall_pread_x
    row(OLD | CONV, T::Own(k::PWRITE), &[I64, U32, U64]), // 114 syscall_pwrite_e
    row(CONV, T::Own(k::PWRITE), &[I64, Raw, I64, U32, U64]), // 115 syscall_pwrite_x
    row(OLD | CONV, T::Own(k::READV), &[I64]), // 116 syscall_readv_e
    row(CONV, T::Own(k::READV), &[I64, U32, Raw, I64]), // 117 syscall_readv_x
    row(OLD | CONV, T::Own(k::WRITEV), &[I64, U32]), // 118 syscall_writev_e
    row(CONV, T::Own(k::WRITEV), &[I64, Raw, I64, U32]), // 119 syscall_writev_x
    row(OLD | CONV, T::Own(k::PREADV), &[I64, U64]), // 120 syscall_preadv_e
    row(CONV, T::Own(k::PREADV), &[I64, U32, Raw, I64, U64]), // 121 syscall_preadv_x
    row(OLD | CONV, T::Own(k::PWRITEV), &[I64, U32, U64]), // 122 syscall_pwritev_e
    row(CONV, T::Own(k::PWRITEV), &[I64, Raw, I64, U32, U64]), // 123 syscall_pwritev_x
    row(OLD | CONV, T::Own(k::DUP), &[I64]), // 124 syscall_dup_e
    row(OLD | CONV, T::Own(k::DUP), &[I64]), // 125 syscall_dup_x
    row(OLD | CONV, T::Own(k::SIGNALFD), &[I64, U32, U8]), // 126 syscall_signalfd_e
    row(CONV, T::Own(k::SIGNALFD), &[I64, I64, U32, U8]), // 127 syscall_signalfd_x
    row(OLD | CONV, T::Own(k::KILL), &[I64, U8]), // 128 syscall_kill_e
    row(CONV, T::Own(k::KILL), &[I64, I64, U8]), // 129 syscall_kill_x
    row(OLD | CONV, T::Own(k::TKILL), &[I64, U8]), // 130 syscall_tkill_e
    row(CONV, T::Own(k::TKILL), &[I64, I64, U8]), // 131 syscall_tkill_x
    row(OLD | CONV, T::Own(k::TGKILL), &[I64, I64, U8]), // 132 syscall_tgkill_e
    row(CONV, T::Own(k::TGKILL), &[I64, I64, I64, U8]), // 133 syscall_tgkill_x
    row(OLD | CONV, T::Own(k::NANOSLEEP), &[U64]), // 134 syscall_nanosleep_e
    row(CONV, T::Own(k::NANOSLEEP), &[I64, U64]), // 135 syscall_nanosleep_x
    row(OLD | CONV, T::Own(k::TIMERFD_CREATE), &[U8, U8]), // 136 syscall_timerfd_create_e
    row(CONV, T::Own(k::TIMERFD_CREATE), &[I64, U8, U8]), // 137 syscall_timerfd_create_x
    row(OLD | CONV, T::Own(k::INOTIFY_INIT), &[U8]), // 138 syscall_inotify_init_e
    row(CONV, T::Own(k::INOTIFY_INIT), &[I64, U8]), // 139 syscall_inotify_init_x
    row(OLD | CONV, T::Own(k::GETRLIMIT), &[U8]), // 140 syscall_getrlimit_e
    row(CONV, T::Own(k::GETRLIMIT), &[I64, I64, I64, U8]), // 141 syscall_getrlimit_x
    row(OLD | CONV, T::Own(k::SETRLIMIT), &[U8]), // 142 syscall_setrlimit_e
    row(CONV, T::Own(k::SETRLIMIT), &[I64, I64, I64, U8]), // 143 syscall_setrlimit_x
    row(OLD | CONV, T::Own(k::PRLIMIT), &[I64, U8]), // 144 syscall_prlimit_e
    row(CONV, T::Own(k::PRLIMIT), &[I64, I64, I64, I64, I64, I64, U8]), // 145 syscall_prlimit_x
    row(OLD | CONV, T::Own(k::SWITCH), &[I64]), // 146 schedswitch_1_e
    unused(), // 147
    row(0, T::Own(k::DROP), &[U32]), // 148 drop_e
    row(0, T::Own(k::DROP), &[U32]), // 149 drop_x
    row(OLD | CONV, T::Own(k::FCNTL), &[I64, U8]), // 150 syscall_fcntl_e
    row(CONV, T::Own(k::FCNTL), &[I64, I64, U8, U64]), // 151 syscall_fcntl_x
    row(0, T::Own(k::SWITCH), &[I64, U64, U64, U32, U32, U32]), // 152 schedswitch_6_e
    unused(), // 153
    row(OLD | CONV, T::Own(k::EXECVE), &[]), // 154 syscall_execve_13_e
    row(OLD | CONV, T::Own(k::EXECVE), &[I64, Text, Raw, I64, I64, I64, Text, U64, U64, U64, U32, U32, U32]), // 155 syscall_execve_13_x
    row(OLD, T::Own(k::CLONE), &[]), // 156 syscall_clone_16_e
    row(OLD | CONV, T::Own(k::CLONE), &[I64, Text, Raw, I64, I64, I64, Text, I64, U64, U64, U32, U32, U32, U32, U32, U32]), // 157 syscall_clone_16_x
    row(OLD | CONV, T::Own(k::BRK), &[U64]), // 158 syscall_brk_4_e
    row(CONV, T::Own(k::BRK), &[U64, U32, U32, U32, U64]), // 159 syscall_brk_4_x
    row(OLD | CONV, T::Own(k::MMAP), &[U64, U64, U32, U32, I64, U64]), // 160 syscall_mmap_e
    row(CONV, T::Own(k::MMAP), &[I64, U32, U32, U32, U64, U64, U32, U32, I64, U64]), // 161 syscall_mmap_x
    row(OLD | CONV, T::Own(k::MMAP2), &[U64, U64, U32, U32, I64, U64]), // 162 syscall_mmap2_e
    row(CONV, T::Own(k::MMAP2), &[I64, U32, U32, U32, U64, U64, U32, U32, I64, U64]), // 163 syscall_mmap2_x
    row(OLD | CONV, T::Own(k::MUNMAP), &[U64, U64]), // 164 syscall_munmap_e
    row(CONV, T::Own(k::MUNMAP), &[I64, U32, U32, U32, U64, U64]), // 165 syscall_munmap_x
    row(OLD | CONV, T::Own(k::SPLICE), &[I64, I64, U64, U32]), // 166 syscall_splice_e
    row(CONV, T::Own(k::SPLICE), &[I64, I64, I64, U64, U32]), // 167 syscall_splice_x
    row(OLD | CONV, T::Own(k::PTRACE), &[U16, I64]), // 168 syscall_ptrace_e
    row(CONV, T::Own(k::PTRACE), &[I64, Dyn, Dyn, U16, I64]), // 169 syscall_ptrace_x
    row(OLD | CONV, T::Own(k::IOCTL), &[I64, U64, U64]), // 170 syscall_ioctl_3_e
    row(CONV, T::Own(k::IOCTL), &[I64, I64, U64, U64]), // 171 syscall_ioctl_3_x
    row(OLD | CONV, T::Own(k::EXECVE), &[]), // 172 syscall_execve_14_e
    row(OLD | CONV, T::Own(k::EXECVE), &[I64, Text, Raw, I64, I64, I64, Text, U64, U64, U64, U32, U32, U32, Raw]), // 173 syscall_execve_14_x
    row(OLD, T::Own(k::RENAME), &[]), // 174 syscall_rename_e
    row(0, T::Own(k::RENAME), &[I64, Text, Text]), // 175 syscall_rename_x
    row(OLD, T::Own(k::RENAMEAT), &[]), // 176 syscall_renameat_e
    row(0, T::Own(k::RENAMEAT), &[I64, I64, Text, I64, Text]), // 177 syscall_renameat_x
    row(OLD, T::Own(k::SYMLINK), &[]), // 178 syscall_symlink_e
    row(0, T::Own(k::SYMLINK), &[I64, Text, Text]), // 179 syscall_symlink_x
    row(OLD, T::Own(k::SYMLINKAT), &[]), // 180 syscall_symlinkat_e
    row(0, T::Own(k::SYMLINKAT), &[I64, Text, I64, Text]), // 181 syscall_symlinkat_x
    row(OLD, T::Own(k::FORK), &[]), // 182 syscall_fork_e
    row(OLD | CONV, T::Own(k::FORK), &[I64, Text, Raw, I64, I64, I64, Text, I64, U64, U64, U32, U32, U32, U32, U32, U32]), // 183 syscall_fork_x
    row(OLD, T::Own(k::VFORK), &[]), // 184 syscall_vfork_e
    row(OLD | CONV, T::Own(k::VFORK), &[I64, Text, Raw, I64, I64, I64, Text, I64, U64, U64, U32, U32, U32, U32, U32, U32]), // 185 syscall_vfork_x
    row(0, T::Own(k::PROCEXIT), &[I64, I64, U8, U8, I64]), // 186 procexit_1_e
    unused(), // 187
    row(OLD | CONV, T::Own(k::SENDFILE), &[I64, I64, U64, U64]), // 188 syscall_sendfile_e
    row(CONV, T::Own(k::SENDFILE), &[I64, U64, I64, I64, U64]), // 189 syscall_sendfile_x
    row(OLD | CONV, T::Own(k::QUOTACTL), &[U16, U8, U32, U8]), // 190 syscall_quotactl_e
    row(CONV, T::Own(k::QUOTACTL), &[I64, Text, Text, U64, U64, U64, U64, U64, U64, U64, U64, U64, U8, U8, U16, U8, U32, U8]), // 191 syscall_quotactl_x
    row(OLD | CONV, T::Own(k::SETRESUID), &[Id, Id, Id]), // 192 syscall_setresuid_e
    row(CONV, T::Own(k::SETRESUID), &[I64, Id, Id, Id]), // 193 syscall_setresuid_x
    row(OLD | CONV, T::Own(k::SETRESGID), &[Id, Id, Id]), // 194 syscall_setresgid_e
    row(CONV, T::Own(k::SETRESGID), &[I64, Id, Id, Id]), // 195 syscall_setresgid_x
    row(0, T::Own(k::SCAPEVENT), &[U32, U64]), // 196 scapevent_e
    unused(), // 197
    row(OLD | CONV, T::Own(k::SETUID), &[Id]), // 198 syscall_setuid_e
    row(CONV, T::Own(k::SETUID), &[I64, Id]), // 199 syscall_setuid_x
    row(OLD | CONV, T::Own(k::SETGID), &[Id]), // 200 syscall_setgid_e
    row(CONV, T::Own(k::SETGID), &[I64, Id]), // 201 syscall_setgid_x
    row(OLD, T::Own(k::GETUID), &[]), // 202 syscall_getuid_e
    row(0, T::Own(k::GETUID), &[Id]), // 203 syscall_getuid_x
    row(OLD, T::Own(k::GETEUID), &[]), // 204 syscall_geteuid_e
    row(0, T::Own(k::GETEUID), &[Id]), // 205 syscall_geteuid_x
    row(OLD, T::Own(k::GETGID), &[]), // 206 syscall_getgid_e
    row(0, T::Own(k::GETGID), &[Id]), // 207 syscall_getgid_x
    row(OLD, T::Own(k::GETEGID), &[]), // 208 syscall_getegid_e
    row(0, T::Own(k::GETEGID), &[Id]), // 209 syscall_getegid_x
    row(OLD, T::Own(k::GETRESUID), &[]), // 210 syscall_getresuid_e
    row(0, T::Own(k::GETRESUID), &[I64, Id, Id, Id]), // 211 syscall_getresuid_x
    row(OLD, T::Own(k::GETRESGID), &[]), // 212 syscall_getresgid_e
    row(0, T::Own(k::GETRESGID), &[I64, Id, Id, Id]), // 213 syscall_getresgid_x
    row(OLD | CONV, T::Own(k::EXECVE), &[]), // 214 syscall_execve_15_e
    row(OLD | CONV, T::Own(k::EXECVE), &[I64, Text, Raw, I64, I64, I64, Text, U64, U64, U64, U32, U32, U32, Text, Raw]), // 215 syscall_execve_15_x
    row(OLD, T::Own(k::CLONE), &[]), // 216 syscall_clone_17_e
    row(OLD | CONV, T::Own(k::CLONE), &[I64, Text, Raw, I64, I64, I64, Text, I64, U64, U64, U32, U32, U32, Text, U32, U32, U32]), // 217 syscall_clone_17_x
    row(OLD, T::Own(k::FORK), &[]), // 218 syscall_fork_17_e
    row(OLD | CONV, T::Own(k::FORK), &[I64, Text, Raw, I64, I64, I64, Text, I64, U64, U64, U32, U32, U32, Text, U32, U32, U32]), // 219 syscall_fork_17_x
    row(OLD, T::Own(k::VFORK), &[]), // 220 syscall_vfork_17_e
    row(OLD | CONV, T::Own(k::VFORK), &[I64, Text, Raw, I64, I64, I64, Text, I64, U64, U64, U32, U32, U32, Text, U32, U32, U32]), // 221 syscall_vfork_17_x
    row(OLD, T::Own(k::CLONE), &[]), // 222 syscall_clone_20_e
    row(CONV, T::Own(k::CLONE), &[I64, Text, Raw, I64, I64, I64, Text, I64, U64, U64, U32, U32, U32, Text, Raw, U32, U32, U32, I64, I64, U64]), // 223 syscall_clone_20_x
    row(OLD, T::Own(k::FORK), &[]), // 224 syscall_fork_20_e
    row(CONV, T::Own(k::FORK), &[I64, Text, Raw, I64, I64, I64, Text, I64, U64, U64, U32, U32, U32, Text, Raw, U32, U32, U32, I64, I64, U64]), // 225 syscall_fork_20_x
    row(OLD, T::Own(k::VFORK), &[]), // 226 syscall_vfork_20_e
    row(CONV, T::Own(k::VFORK), &[I64, Text, Raw, I64, I64, I64, Text, I64, U64, U64, U32, U32, U32, Text, Raw, U32, U32, U32, I64, I64, U64]), // 227 syscall_vfork_20_x
    row(OLD | CONV, T::Own(k::CONTAINER), &[Text, U32, Text, Text]), // 228 container_e
    unused(), // 229
    row(OLD | CONV, T::Own(k::EXECVE), &[]), // 230 syscall_execve_16_e
    row(OLD | CONV, T::Own(k::EXECVE), &[I64, Text, Raw, I64, I64, I64, Text, U64, U64, U64, U32, U32, U32, Text, Raw, Raw]), // 231 syscall_execve_16_x
    row(0, T::Own(k::SIGNALDELIVER), &[I64, I64, U8]), // 232 signaldeliver_e
    unused(), // 233
    row(0, T::Own(k::PROCINFO), &[U64, U64]), // 234 procinfo_e
    unused(), // 235
    row(OLD | CONV, T::Own(k::GETDENTS), &[I64]), // 236 syscall_getdents_e
    row(CONV, T::Own(k::GETDENTS), &[I64, I64]), // 237 syscall_getdents_x
    row(OLD | CONV, T::Own(k::GETDENTS64), &[I64]), // 238 syscall_getdents64_e
    row(CONV, T::Own(k::GETDENTS64), &[I64, I64]), // 239 syscall_getdents64_x
    row(OLD | CONV, T::Own(k::SETNS), &[I64, U32]), // 240 syscall_setns_e
    row(CONV, T::Own(k::SETNS), &[I64, I64, U32]), // 241 syscall_setns_x
    row(OLD | CONV, T::Own(k::FLOCK), &[I64, U32]), // 242 syscall_flock_e
    row(CONV, T::Own(k::FLOCK), &[I64, I64, U32]), // 243 syscall_flock_x
    row(0, T::Own(k::CPU_HOTPLUG), &[U32, U32]), // 244 cpu_hotplug_e
    unused(), // 245
    row(OLD, T::Own(k::ACCEPT), &[]), // 246 socket_accept_5_e
    row(0, T::Own(k::ACCEPT), &[I64, Raw, U8, U32, U32]), // 247 socket_accept_5_x
    row(OLD | CONV, T::Own(k::ACCEPT), &[I32]), // 248 socket_accept4_5_e
    row(OLD | CONV, T::Own(k::ACCEPT), &[I64, Raw, U8, U32, U32]), // 249 socket_accept4_5_x
    row(OLD | CONV, T::Own(k::SEMOP), &[I32]), // 250 syscall_semop_e
    row(CONV, T::Own(k::SEMOP), &[I64, U32, U16, I16, U16, U16, I16, U16, I32]), // 251 syscall_semop_x
    row(OLD | CONV, T::Own(k::SEMCTL), &[I32, I32, U16, I32]), // 252 syscall_semctl_e
    row(CONV, T::Own(k::SEMCTL), &[I64, I32, I32, U16, I32]), // 253 syscall_semctl_x
    row(OLD | CONV, T::Own(k::PPOLL), &[Raw, U64, U32]), // 254 syscall_ppoll_e
    row(CONV, T::Own(k::PPOLL), &[I64, Raw, U64, U32]), // 255 syscall_ppoll_x
    row(OLD | CONV, T::Own(k::MOUNT), &[U32]), // 256 syscall_mount_e
    row(CONV, T::Own(k::MOUNT), &[I64, Text, Text, Text, U32]), // 257 syscall_mount_x
    row(OLD, T::Own(k::UMOUNT), &[U32]), // 258 syscall_umount_e
    row(OLD | CONV, T::Own(k::UMOUNT), &[I64, Text]), // 259 syscall_umount_x
    row(OLD, T::Never, &[Text]), // 260 k8s_e
    unused(), // 261
    row(OLD | CONV, T::Own(k::SEMGET), &[I32, I32, U32]), // 262 syscall_semget_e
    row(CONV, T::Own(k::SEMGET), &[I64, I32, I32, U32]), // 263 syscall_semget_x
    row(OLD | CONV, T::Own(k::ACCESS), &[U32]), // 264 syscall_access_e
    row(CONV, T::Own(k::ACCESS), &[I64, Text, U32]), // 265 syscall_access_x
    row(OLD, T::Own(k::CHROOT), &[]), // 266 syscall_chroot_e
    row(0, T::Own(k::CHROOT), &[I64, Text]), // 267 syscall_chroot_x
    row(OLD, T::Never, &[I64, Raw, Raw]), // 268 tracer_e
    unused(), // 269
    row(OLD, T::Never, &[Text]), // 270 mesos_e
    unused(), // 271
    row(OLD | CONV, T::Own(k::CONTAINER), &[Text]), // 272 container_json_e
    unused(), // 273
    row(OLD, T::Own(k::SETSID), &[]), // 274 syscall_setsid_e
    row(0, T::Own(k::SETSID), &[I64]), // 275 syscall_setsid_x
    row(OLD | CONV, T::Own(k::MKDIR), &[U32]), // 276 syscall_mkdir_2_e
    row(CONV, T::Own(k::MKDIR), &[I64, Text, U32]), // 277 syscall_mkdir_2_x
    row(OLD, T::Own(k::RMDIR), &[]), // 278 syscall_rmdir_2_e
    row(0, T::Own(k::RMDIR), &[I64, Text]), // 279 syscall_rmdir_2_x
    row(0, T::Own(k::NOTIFICATION), &[Text, Text]), // 280 notification_e
    unused(), // 281
    row(OLD | CONV, T::Own(k::EXECVE), &[]), // 282 syscall_execve_17_e
    row(OLD | CONV, T::Own(k::EXECVE), &[I64, Text, Raw, I64, I64, I64, Text, U64, U64, U64, U32, U32, U32, Text, Raw, Raw, I32]), // 283 syscall_execve_17_x
    row(OLD | CONV, T::Own(k::UNSHARE), &[U32]), // 284 syscall_unshare_e
    row(CONV, T::Own(k::UNSHARE), &[I64, U32]), // 285 syscall_unshare_x
    row(0, T::Own(k::INFRA), &[Text, Text, Text, Text]), // 286 infrastructure_event_e
    unused(), // 287
    row(OLD | CONV, T::Own(k::EXECVE), &[Text]), // 288 syscall_execve_18_e
    row(OLD | CONV, T::Own(k::EXECVE), &[I64, Text, Raw, I64, I64, I64, Text, U64, U64, U64, U32, U32, U32, Text, Raw, Raw, I32]), // 289 syscall_execve_18_x
    row(0, T::Own(k::PAGE_FAULT), &[U64, U64, U32]), // 290 page_fault_e
    unused(), // 291
    row(OLD | CONV, T::Own(k::EXECVE), &[Text]), // 292 syscall_execve_19_e
    row(CONV, T::Own(k::EXECVE), &[I64, Text, Raw, I64, I64, I64, Text, U64, U64, U64, U32, U32, U32, Text, Raw, Raw, U32, I64, Id, U32, U64, U64, U64, U64, U64, U64, Id, Text, I64, Id, Text]), // 293 syscall_execve_19_x
    row(OLD | CONV, T::Own(k::SETPGID), &[I64, I64]), // 294 syscall_setpgid_e
    row(CONV, T::Own(k::SETPGID), &[I64, I64, I64]), // 295 syscall_setpgid_x
    row(OLD | CONV, T::Own(k::BPF), &[I64]), // 296 syscall_bpf_e
    row(OLD | CONV, T::Own(k::BPF), &[Dyn]), // 297 syscall_bpf_x
    row(OLD | CONV, T::Own(k::SECCOMP), &[U64, U64]), // 298 syscall_seccomp_e
    row(CONV, T::Own(k::SECCOMP), &[I64, U64, U64]), // 299 syscall_seccomp_x
    row(OLD, T::Own(k::UNLINK), &[]), // 300 syscall_unlink_2_e
    row(0, T::Own(k::UNLINK), &[I64, Text]), // 301 syscall_unlink_2_x
    row(OLD, T::Own(k::UNLINKAT), &[]), // 302 syscall_unlinkat_2_e
    row(0, T::Own(k::UNLINKAT), &[I64, I64, Text, U32]), // 303 syscall_unlinkat_2_x
    row(OLD, T::Own(k::MKDIRAT), &[]), // 304 syscall_mkdirat_e
    row(0, T::Own(k::MKDIRAT), &[I64, I64, Text, U32]), // 305 syscall_mkdirat_x
    row(CONV, T::Own(k::OPENAT), &[I64, Text, U32, U32]), // 306 syscall_openat_2_e
    row(CONV, T::Own(k::OPENAT), &[I64, I64, Text, U32, U32, U32, U64]), // 307 syscall_openat_2_x
    row(OLD, T::Own(k::LINK), &[]), // 308 syscall_link_2_e
    row(0, T::Own(k::LINK), &[I64, Text, Text]), // 309 syscall_link_2_x
    row(OLD, T::Own(k::LINKAT), &[]), // 310 syscall_linkat_2_e
    row(0, T::Own(k::LINKAT), &[I64, I64, Text, I64, Text, U32]), // 311 syscall_linkat_2_x
    row(OLD, T::Own(k::FCHMODAT), &[]), // 312 syscall_fchmodat_e
    row(0, T::Own(k::FCHMODAT), &[I64, I64, Text, U32]), // 313 syscall_fchmodat_x
    row(OLD, T::Own(k::CHMOD), &[]), // 314 syscall_chmod_e
    row(0, T::Own(k::CHMOD), &[I64, Text, U32]), // 315 syscall_chmod_x
    row(OLD, T::Own(k::FCHMOD), &[]), // 316 syscall_fchmod_e
    row(0, T::Own(k::FCHMOD), &[I64, I64, U32]), // 317 syscall_fchmod_x
    row(OLD, T::Own(k::RENAMEAT2), &[]), // 318 syscall_renameat2_e
    row(0, T::Own(k::RENAMEAT2), &[I64, I64, Text, I64, Text, U32]), // 319 syscall_renameat2_x
    row(OLD, T::Own(k::USERFAULTFD), &[]), // 320 syscall_userfaultfd_e
    row(0, T::Own(k::USERFAULTFD), &[I64, U32]), // 321 syscall_userfaultfd_x
    row(LARGE, T::Own(k::PLUGINEVENT), &[U32, Raw]), // 322 pluginevent_e
    unused(), // 323
    row(LARGE, T::Own(k::CONTAINER), &[Text]), // 324 container_json_2_e
    unused(), // 325
    row(CONV, T::Own(k::OPENAT2), &[I64, Text, U32, U32, U32]), // 326 syscall_openat2_e
    row(CONV, T::Own(k::OPENAT2), &[I64, I64, Text, U32, U32, U32, U32, U64]), // 327 syscall_openat2_x
    row(OLD | CONV, T::Own(k::MPROTECT), &[U64, U64, U32]), // 328 syscall_mprotect_e
    row(CONV, T::Own(k::MPROTECT), &[I64, U64, U64, U32]), // 329 syscall_mprotect_x
    row(OLD | CONV, T::Own(k::EXECVEAT), &[I64, Text, U32]), // 330 syscall_execveat_e
    row(CONV, T::Own(k::EXECVEAT), &[I64, Text, Raw, I64, I64, I64, Text, U64, U64, U64, U32, U32, U32, Text, Raw, Raw, U32, I64, Id, U32, U64, U64, U64, U64, U64, U64, Id, Text, I64, Id]), // 331 syscall_execveat_x
    row(OLD | CONV, T::Own(k::COPY_FILE_RANGE), &[I64, U64, U64]), // 332 syscall_copy_file_range_e
    row(CONV, T::Own(k::COPY_FILE_RANGE), &[I64, I64, U64, I64, U64, U64]), // 333 syscall_copy_file_range_x
    row(OLD, T::Own(k::CLONE3), &[]), // 334 syscall_clone3_e
    row(CONV, T::Own(k::CLONE3), &[I64, Text, Raw, I64, I64, I64, Text, I64, U64, U64, U32, U32, U32, Text, Raw, U32, U32, U32, I64, I64, U64]), // 335 syscall_clone3_x
    row(OLD, T::Own(k::OPEN_BY_HANDLE_AT), &[]), // 336 syscall_open_by_handle_at_e
    row(0, T::Own(k::OPEN_BY_HANDLE_AT), &[I64, I64, U32, Text, U32, U64]), // 337 syscall_open_by_handle_at_x
    row(OLD, T::Own(k::IO_URING_SETUP), &[]), // 338 syscall_io_uring_setup_e
    row(0, T::Own(k::IO_URING_SETUP), &[I64, U32, U32, U32, U32, U32, U32, U32]), // 339 syscall_io_uring_setup_x
    row(OLD, T::Own(k::IO_URING_ENTER), &[]), // 340 syscall_io_uring_enter_e
    row(0, T::Own(k::IO_URING_ENTER), &[I64, I64, U32, U32, U32, U32]), // 341 syscall_io_uring_enter_x
    row(OLD, T::Own(k::IO_URING_REGISTER), &[]), // 342 syscall_io_uring_register_e
    row(0, T::Own(k::IO_URING_REGISTER), &[I64, I64, U16, U64, U32]), // 343 syscall_io_uring_register_x
    row(OLD, T::Own(k::MLOCK), &[]), // 344 syscall_mlock_e
    row(0, T::Own(k::MLOCK), &[I64, U64, U64]), // 345 syscall_mlock_x
    row(OLD, T::Own(k::MUNLOCK), &[]), // 346 syscall_munlock_e
    row(0, T::Own(k::MUNLOCK), &[I64, U64, U64]), // 347 syscall_munlock_x
    row(OLD, T::Own(k::MLOCKALL), &[]), // 348 syscall_mlockall_e
    row(0, T::Own(k::MLOCKALL), &[I64, U32]), // 349 syscall_mlockall_x
    row(OLD, T::Own(k::MUNLOCKALL), &[]), // 350 syscall_munlockall_e
    row(0, T::Own(k::MUNLOCKALL), &[I64]), // 351 syscall_munlockall_x
    row(OLD, T::Own(k::CAPSET), &[]), // 352 syscall_capset_e
    row(0, T::Own(k::CAPSET), &[I64, U64, U64, U64]), // 353 syscall_capset_x
    row(0, T::Own(k::USERADDED), &[U32, U32, Text, Text, Text, Text]), // 354 user_added_e
    unused(), // 355
    row(0, T::Own(k::USERDELETED), &[U32, U32, Text, Text, Text, Text]), // 356 user_deleted_e
    unused(), // 357
    row(0, T::Own(k::GROUPADDED), &[U32, Text, Text]), // 358 group_added_e
    unused(), // 359
    row(0, T::Own(k::GROUPDELETED), &[U32, Text, Text]), // 360 group_deleted_e
    unused(), // 361
    row(OLD, T::Own(k::DUP2), &[I64]), // 362 syscall_dup2_e
    row(0, T::Own(k::DUP2), &[I64, I64, I64]), // 363 syscall_dup2_x
    row(OLD, T::Own(k::DUP3), &[I64]), // 364 syscall_dup3_e
    row(0, T::Own(k::DUP3), &[I64, I64, I64, U32]), // 365 syscall_dup3_x
    row(OLD, T::Own(k::DUP), &[I64]), // 366 syscall_dup_1_e
    row(0, T::Own(k::DUP), &[I64, I64]), // 367 syscall_dup_1_x
    row(OLD, T::Own(k::BPF), &[I64]), // 368 syscall_bpf_2_e
    row(0, T::Own(k::BPF), &[I64, U32]), // 369 syscall_bpf_2_x
    row(OLD, T::Own(k::MLOCK2), &[]), // 370 syscall_mlock2_e
    row(0, T::Own(k::MLOCK2), &[I64, U64, U64, U32]), // 371 syscall_mlock2_x
    row(OLD, T::Own(k::FSCONFIG), &[]), // 372 syscall_fsconfig_e
    row(0, T::Own(k::FSCONFIG), &[I64, I64, U32, Text, Raw, Text, I32]), // 373 syscall_fsconfig_x
    row(OLD | CONV, T::Own(k::EPOLL_CREATE), &[I32]), // 374 syscall_epoll_create_e
    row(CONV, T::Own(k::EPOLL_CREATE), &[I64, I32]), // 375 syscall_epoll_create_x
    row(OLD | CONV, T::Own(k::EPOLL_CREATE1), &[U32]), // 376 syscall_epoll_create1_e
    row(CONV, T::Own(k::EPOLL_CREATE1), &[I64, U32]), // 377 syscall_epoll_create1_x
    row(OLD, T::Own(k::CHOWN), &[]), // 378 syscall_chown_e
    row(0, T::Own(k::CHOWN), &[I64, Text, U32, U32]), // 379 syscall_chown_x
    row(OLD, T::Own(k::LCHOWN), &[]), // 380 syscall_lchown_e
    row(0, T::Own(k::LCHOWN), &[I64, Text, U32, U32]), // 381 syscall_lchown_x
    row(OLD, T::Own(k::FCHOWN), &[]), // 382 syscall_fchown_e
    row(0, T::Own(k::FCHOWN), &[I64, I64, U32, U32]), // 383 syscall_fchown_x
    row(OLD, T::Own(k::FCHOWNAT), &[]), // 384 syscall_fchownat_e
    row(0, T::Own(k::FCHOWNAT), &[I64, I64, Text, U32, U32, U32]), // 385 syscall_fchownat_x
    row(OLD, T::Own(k::UMOUNT), &[]), // 386 syscall_umount_1_e
    row(0, T::Own(k::UMOUNT), &[I64, Text]), // 387 syscall_umount_1_x
    row(OLD | CONV, T::Own(k::ACCEPT4), &[I32]), // 388 socket_accept4_6_e
    row(CONV, T::Own(k::ACCEPT4), &[I64, Raw, U8, U32, U32, I32]), // 389 socket_accept4_6_x
    row(OLD | CONV, T::Own(k::UMOUNT2), &[U32]), // 390 syscall_umount2_e
    row(CONV, T::Own(k::UMOUNT2), &[I64, Text, U32]), // 391 syscall_umount2_x
    row(OLD, T::Own(k::PIPE2), &[]), // 392 syscall_pipe2_e
    row(0, T::Own(k::PIPE2), &[I64, I64, I64, U64, U32]), // 393 syscall_pipe2_x
    row(OLD, T::Own(k::INOTIFY_INIT1), &[]), // 394 syscall_inotify_init1_e
    row(0, T::Own(k::INOTIFY_INIT1), &[I64, U16]), // 395 syscall_inotify_init1_x
    row(OLD | CONV, T::Own(k::EVENTFD2), &[U64]), // 396 syscall_eventfd2_e
    row(CONV, T::Own(k::EVENTFD2), &[I64, U16, U64]), // 397 syscall_eventfd2_x
    row(OLD | CONV, T::Own(k::SIGNALFD4), &[I64, U32]), // 398 syscall_signalfd4_e
    row(CONV, T::Own(k::SIGNALFD4), &[I64, U16, I64, U32]), // 399 syscall_signalfd4_x
    row(OLD, T::Own(k::PRCTL), &[]), // 400 syscall_prctl_e
    row(0, T::Own(k::PRCTL), &[I64, U32, Text, I64]), // 401 syscall_prctl_x
    row(LARGE, T::Own(k::ASYNCEVENT), &[U32, Text, Raw]), // 402 asyncevent_e
    unused(), // 403
    row(OLD, T::Own(k::MEMFD_CREATE), &[]), // 404 syscall_memfd_create_e
    row(0, T::Own(k::MEMFD_CREATE), &[I64, Text, U32]), // 405 syscall_memfd_create_x
    row(OLD, T::Own(k::PIDFD_GETFD), &[]), // 406 syscall_pidfd_getfd_e
    row(0, T::Own(k::PIDFD_GETFD), &[I64, I64, I64, U32]), // 407 syscall_pidfd_getfd_x
    row(OLD, T::Own(k::PIDFD_OPEN), &[]), // 408 syscall_pidfd_open_e
    row(0, T::Own(k::PIDFD_OPEN), &[I64, I64, U32]), // 409 syscall_pidfd_open_x
    row(OLD, T::Own(k::INIT_MODULE), &[]), // 410 syscall_init_module_e
    row(0, T::Own(k::INIT_MODULE), &[I64, Raw, U64, Text]), // 411 syscall_init_module_x
    row(OLD, T::Own(k::FINIT_MODULE), &[]), // 412 syscall_finit_module_e
    row(0, T::Own(k::FINIT_MODULE), &[I64, I64, Text, U32]), // 413 syscall_finit_module_x
    row(OLD, T::Own(k::MKNOD), &[]), // 414 syscall_mknod_e
    row(0, T::Own(k::MKNOD), &[I64, Text, U32, U32]), // 415 syscall_mknod_x
    row(OLD, T::Own(k::MKNODAT), &[]), // 416 syscall_mknodat_e
    row(0, T::Own(k::MKNODAT), &[I64, I64, Text, U32, U32]), // 417 syscall_mknodat_x
    row(OLD, T::Own(k::NEWFSTATAT), &[]), // 418 syscall_newfstatat_e
    row(0, T::Own(k::NEWFSTATAT), &[I64, I64, Text, U32]), // 419 syscall_newfstatat_x
    row(OLD, T::Own(k::PROCESS_VM_READV), &[]), // 420 syscall_process_vm_readv_e
    row(0, T::Own(k::PROCESS_VM_READV), &[I64, I64, Raw]), // 421 syscall_process_vm_readv_x
    row(OLD, T::Own(k::PROCESS_VM_WRITEV), &[]), // 422 syscall_process_vm_writev_e
    row(0, T::Own(k::PROCESS_VM_WRITEV), &[I64, I64, Raw]), // 423 syscall_process_vm_writev_x
    row(OLD, T::Own(k::DELETE_MODULE), &[]), // 424 syscall_delete_module_e
    row(0, T::Own(k::DELETE_MODULE), &[I64, Text, U32]), // 425 syscall_delete_module_x
    row(OLD, T::Own(k::SETREUID), &[]), // 426 syscall_setreuid_e
    row(0, T::Own(k::SETREUID), &[I64, Id, Id]), // 427 syscall_setreuid_x
    row(OLD, T::Own(k::SETREGID), &[]), // 428 syscall_setregid_e
    row(0, T::Own(k::SETREGID), &[I64, Id, Id]), // 429 syscall_setregid_x
    row(0, T::Own(k::TASK), &[I32, I32, I32, I32, Text, Raw, Text, U32, Raw, Text, U64, Id, Id, U64, U64, U64, U64, U64, U64, U32, U32, U32, U64, U64, I32, I32, U64, Raw, Text, U64, U32, Id]), // 430 iter_task_e
    unused(), // 431
    row(0, T::Own(k::TASK_FILE_PIPE), &[I32, Text, U64]), // 432 iter_task_file_pipe_e
    unused(), // 433
    row(0, T::Own(k::TASK_FILE_MEMFD), &[I32, Text, U64]), // 434 iter_task_file_memfd_e
    unused(), // 435
    row(0, T::Own(k::TASK_FILE_REGULAR), &[I32, Text, U32, U32, U64]), // 436 iter_task_file_regular_e
    unused(), // 437
    row(0, T::Own(k::TASK_FILE_DIRECTORY), &[I32, Text, U64]), // 438 iter_task_file_directory_e
    unused(), // 439
    row(0, T::Own(k::TASK_FILE_SOCKET_INET), &[I32, U16, U16, U32, U16, U32, U16, U64]), // 440 iter_task_file_socket_inet_e
    unused(), // 441
    row(0, T::Own(k::TASK_FILE_SOCKET_INET6), &[I32, U16, U16, Raw, U16, Raw, U16, U64]), // 442 iter_task_file_socket_inet6_e
    unused(), // 443
    row(0, T::Own(k::TASK_FILE_SOCKET_UNIX), &[I32, U16, U16, U64, Text, U64]), // 444 iter_task_file_socket_unix_e
    unused(), // 445
    row(0, T::Own(k::TASK_FILE_SOCKET_NETLINK), &[I32, U16, U16, U64]), // 446 iter_task_file_socket_netlink_e
    unused(), // 447
    row(0, T::Own(k::TASK_FILE_ANON_INODE), &[I32, U8, Text, U64]), // 448 iter_task_file_anon_inode_e
    unused(), // 449
    unused(), // 450
    row(0, T::Own(k::CLOSE_RANGE), &[I64, U32, U32, U32]), // 451 syscall_close_range_x
    unused(), // 452
    row(0, T::Own(k::KEYCTL), &[I64, U32, Dyn, Dyn, Dyn, Dyn]), // 453 syscall_keyctl_x
];

#[cfg(test)]
mod tests {
    use super::Class::I8;
    use super::*;

    #[test]
    fn current_layouts_have_as_many_parameters_as_their_event_type() {
        for ty in EventType::all() {
            let row = layout(ty.info().code).unwrap();
            if let Target::Own(own) = row.target {
                assert_eq!(own, ty);
                assert_eq!(row.params.len(), ty.info().params.len(), "{}", ty.name());
            }
        }
    }

    #[test]
    fn widths_agree_with_the_event_table() {
        for ty in EventType::all() {
            let row = layout(ty.info().code).unwrap();
            for (class, param) in row.params.iter().zip(ty.info().params) {
                let size = match class {
                    I8 | U8 => Some(1),
                    I16 | U16 => Some(2),
                    I32 | U32 | Id => Some(4),
                    I64 | U64 => Some(8),
                    Text | Raw | Dyn => None,
                };
                // IPv6 addresses stay bytes.
                let wanted = param.ty.size().filter(|&size| size <= 8);
                assert_eq!(size, wanted, "{}.{}", ty.name(), param.name);
            }
        }
    }
}
