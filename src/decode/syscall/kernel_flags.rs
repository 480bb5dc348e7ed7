//! The kernel's values of flags whose Falco values differ, by name.
//!
//! Falco's events hold Falco's own numbers (see `event::flag_tables`); a source that reads
//! registers translates. Only tables that differ are here: `AT_REMOVEDIR`, `MS_…` shifted by
//! nothing, `BPF_…`, `F_OK` … are the same on both sides.
//!
//! Source: `include/uapi/asm-generic/fcntl.h`, `include/uapi/linux/sched.h`,
//! `include/uapi/asm-generic/mman-common.h` and `mman.h`, `include/uapi/linux/fcntl.h`.

use crate::event::flag_tables as tables;
use crate::event::flags::{FlagTable, value_of};

/// open(2), without the access mode, which is a number and not a set.
pub(super) static OPEN: FlagTable = &[
    ("O_CREAT", 0o100),
    ("O_EXCL", 0o200),
    ("O_TRUNC", 0o1000),
    ("O_APPEND", 0o2000),
    ("O_NONBLOCK", 0o4000),
    ("O_DSYNC", 0o10000),
    ("O_DIRECT", 0o40000),
    ("O_LARGEFILE", 0o100_000),
    ("O_DIRECTORY", 0o200_000),
    ("O_CLOEXEC", 0o2_000_000),
    ("O_SYNC", 0o4_010_000),
    ("O_TMPFILE", 0o20_200_000),
];

/// clone(2), unshare(2), setns(2).
pub(super) static CLONE: FlagTable = &[
    ("CLONE_NEWTIME", 0x80),
    ("CLONE_VM", 0x100),
    ("CLONE_FS", 0x200),
    ("CLONE_FILES", 0x400),
    ("CLONE_SIGHAND", 0x800),
    ("CLONE_PTRACE", 0x2000),
    ("CLONE_VFORK", 0x4000),
    ("CLONE_PARENT", 0x8000),
    ("CLONE_THREAD", 0x1_0000),
    ("CLONE_NEWNS", 0x2_0000),
    ("CLONE_SYSVSEM", 0x4_0000),
    ("CLONE_SETTLS", 0x8_0000),
    ("CLONE_PARENT_SETTID", 0x10_0000),
    ("CLONE_CHILD_CLEARTID", 0x20_0000),
    ("CLONE_UNTRACED", 0x80_0000),
    ("CLONE_CHILD_SETTID", 0x100_0000),
    ("CLONE_NEWCGROUP", 0x200_0000),
    ("CLONE_NEWUTS", 0x400_0000),
    ("CLONE_NEWIPC", 0x800_0000),
    ("CLONE_NEWUSER", 0x1000_0000),
    ("CLONE_NEWPID", 0x2000_0000),
    ("CLONE_NEWNET", 0x4000_0000),
    ("CLONE_IO", 0x8000_0000),
];

/// mmap(2)'s and mprotect(2)'s protection.
pub(super) static PROT: FlagTable = &[
    ("PROT_READ", 0x1),
    ("PROT_WRITE", 0x2),
    ("PROT_EXEC", 0x4),
    ("PROT_SEM", 0x8),
    ("PROT_GROWSDOWN", 0x0100_0000),
    ("PROT_GROWSUP", 0x0200_0000),
];

/// mmap(2)'s flags.
pub(super) static MMAP: FlagTable = &[
    ("MAP_SHARED", 0x1),
    ("MAP_PRIVATE", 0x2),
    ("MAP_FIXED", 0x10),
    ("MAP_ANONYMOUS", 0x20),
    ("MAP_32BIT", 0x40),
    ("MAP_GROWSDOWN", 0x100),
    ("MAP_DENYWRITE", 0x800),
    ("MAP_EXECUTABLE", 0x1000),
    ("MAP_LOCKED", 0x2000),
    ("MAP_NORESERVE", 0x4000),
    ("MAP_POPULATE", 0x8000),
    ("MAP_NONBLOCK", 0x1_0000),
];

/// fchownat(2).
pub(super) static FCHOWNAT: FlagTable =
    &[("AT_SYMLINK_NOFOLLOW", 0x100), ("AT_EMPTY_PATH", 0x1000)];

/// newfstatat(2).
pub(super) static NEWFSTATAT: FlagTable =
    &[("AT_SYMLINK_NOFOLLOW", 0x100), ("AT_NO_AUTOMOUNT", 0x800), ("AT_EMPTY_PATH", 0x1000)];

/// openat2(2)'s `resolve`.
pub(super) static RESOLVE: FlagTable = &[
    ("RESOLVE_NO_XDEV", 0x1),
    ("RESOLVE_NO_MAGICLINKS", 0x2),
    ("RESOLVE_NO_SYMLINKS", 0x4),
    ("RESOLVE_BENEATH", 0x8),
    ("RESOLVE_IN_ROOT", 0x10),
    ("RESOLVE_CACHED", 0x20),
];

/// fcntl(2)'s commands.
static FCNTL: FlagTable = &[
    ("F_DUPFD", 0),
    ("F_GETFD", 1),
    ("F_SETFD", 2),
    ("F_GETFL", 3),
    ("F_SETFL", 4),
    ("F_GETLK", 5),
    ("F_SETLK", 6),
    ("F_SETLKW", 7),
    ("F_SETOWN", 8),
    ("F_GETOWN", 9),
    ("F_SETSIG", 10),
    ("F_GETSIG", 11),
    ("F_SETOWN_EX", 15),
    ("F_GETOWN_EX", 16),
    ("F_OFD_GETLK", 36),
    ("F_OFD_SETLK", 37),
    ("F_OFD_SETLKW", 38),
    ("F_SETLEASE", 1024),
    ("F_GETLEASE", 1025),
    ("F_NOTIFY", 1026),
    ("F_CANCELLK", 1029),
    ("F_DUPFD_CLOEXEC", 1030),
    ("F_SETPIPE_SZ", 1031),
    ("F_GETPIPE_SZ", 1032),
];

/// ptrace(2)'s requests; `PTRACE_ATTACH` is 16 there and 11 in Falco.
static PTRACE: FlagTable = &[
    ("PTRACE_TRACEME", 0),
    ("PTRACE_PEEKTEXT", 1),
    ("PTRACE_PEEKDATA", 2),
    ("PTRACE_PEEKUSR", 3),
    ("PTRACE_POKETEXT", 4),
    ("PTRACE_POKEDATA", 5),
    ("PTRACE_POKEUSR", 6),
    ("PTRACE_CONT", 7),
    ("PTRACE_KILL", 8),
    ("PTRACE_SINGLESTEP", 9),
    ("PTRACE_GETREGS", 12),
    ("PTRACE_SETREGS", 13),
    ("PTRACE_GETFPREGS", 14),
    ("PTRACE_SETFPREGS", 15),
    ("PTRACE_ATTACH", 16),
    ("PTRACE_DETACH", 17),
    ("PTRACE_GETFPXREGS", 18),
    ("PTRACE_SETFPXREGS", 19),
    ("PTRACE_OLDSETOPTIONS", 21),
    ("PTRACE_SYSCALL", 24),
    ("PTRACE_GET_THREAD_AREA", 25),
    ("PTRACE_SET_THREAD_AREA", 26),
    ("PTRACE_ARCH_PRCTL", 30),
    ("PTRACE_SYSEMU", 31),
    ("PTRACE_SYSEMU_SINGLESTEP", 32),
    ("PTRACE_SINGLEBLOCK", 33),
    ("PTRACE_SETOPTIONS", 0x4200),
    ("PTRACE_GETEVENTMSG", 0x4201),
    ("PTRACE_GETSIGINFO", 0x4202),
    ("PTRACE_SETSIGINFO", 0x4203),
    ("PTRACE_GETREGSET", 0x4204),
    ("PTRACE_SETREGSET", 0x4205),
    ("PTRACE_SEIZE", 0x4206),
    ("PTRACE_INTERRUPT", 0x4207),
    ("PTRACE_LISTEN", 0x4208),
    ("PTRACE_PEEKSIGINFO", 0x4209),
    ("PTRACE_GETSIGMASK", 0x420a),
    ("PTRACE_SETSIGMASK", 0x420b),
];

/// Falco's number of an fcntl(2) command; 0 (`UNKNOWN`) if it has none.
pub(super) fn fcntl_command(value: u64) -> u64 {
    number(FCNTL, tables::FCNTL_COMMANDS, value)
}

/// Falco's number of a ptrace(2) request; 0 (`PTRACE_UNKNOWN`) if it has none.
pub(super) fn ptrace_request(value: u64) -> u64 {
    number(PTRACE, tables::PTRACE_REQUESTS, value)
}

/// Translates one number of an enumeration by its name.
fn number(kernel: FlagTable, falco: FlagTable, value: u64) -> u64 {
    kernel
        .iter()
        .find(|(_, number)| u64::from(*number) == value)
        .and_then(|(name, _)| value_of(falco, name))
        .map_or(0, u64::from)
}

/// Translates a set of the kernel's flags into Falco's, by name; flags without a name are dropped,
/// as Falco drops them.
pub(super) fn translate(kernel: FlagTable, falco: FlagTable, value: u64) -> u64 {
    kernel
        .iter()
        .filter(|(_, bits)| value & u64::from(*bits) == u64::from(*bits))
        .filter_map(|(name, _)| value_of(falco, name))
        .fold(0, |set, bits| set | u64::from(bits))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clone_flags_are_translated_by_name() {
        let kernel = 0x100 | 0x1_0000 | 0x2_0000;
        assert_eq!(translate(CLONE, tables::CLONE_FLAGS, kernel), 32768 | 8192 | 32);
    }

    #[test]
    fn synchronous_writes_are_told_from_synchronous_data() {
        assert_eq!(translate(OPEN, tables::FILE_FLAGS, 0o10000), 16);
        assert_eq!(translate(OPEN, tables::FILE_FLAGS, 0o4_010_000), 128 | 16);
    }

    #[test]
    fn attach_has_another_number_in_falco() {
        assert_eq!(ptrace_request(16), 11);
        assert_eq!(ptrace_request(0x9999), 0);
    }

    #[test]
    fn duplicating_a_descriptor_is_not_command_zero_in_falco() {
        assert_eq!(fcntl_command(0), 1);
    }
}
