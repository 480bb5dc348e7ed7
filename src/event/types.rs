//! The table of event types: one row a name that `evt.type` can have.
//!
//! A row says what Falco calls the event, the number of its exit event in capture files, how many
//! event codes share the name (enter, exit, every old layout), its category, its flags, the system
//! calls it stands for, and its parameters in order. Parsing, `--list-events`, the index of rules
//! and the documentation all read these rows; how a row is read is in [`info`](super::info).
//!
//! The generic system calls come last: they have a name and nothing else.

use super::data_type::DataType as T;
use super::flag_tables as tables;
use super::info::{
    Category as C, EventFlags as f, EventInfo, dynamic, flags, generic, iterator, meta, p, plugin,
    syscall, tracepoint,
};

/// All event types; [`EventType`](super::EventType) is an index into it.
#[rustfmt::skip]
pub static EVENT_TYPES: &[EventInfo] = &[
    syscall("accept", 247, 8, C::Net, f::CREATES_FD | f::STATE, &["accept"], &[p("fd", T::Fd), p("tuple", T::SockTuple), p("queuepct", T::UInt8), p("queuelen", T::UInt32), p("queuemax", T::UInt32)]),
    syscall("accept4", 389, 2, C::Net, f::CREATES_FD | f::STATE | f::CONV, &["accept4"], &[p("fd", T::Fd), p("tuple", T::SockTuple), p("queuepct", T::UInt8), p("queuelen", T::UInt32), p("queuemax", T::UInt32), p("flags", T::Int32).hex()]),
    syscall("access", 265, 2, C::File, f::CONV, &["access"], &[p("res", T::Errno), p("name", T::FsPath), flags("mode", T::Flags32, &tables::ACCESS_FLAGS).hex()]),
    syscall("bind", 21, 2, C::Net, f::USES_FD | f::STATE | f::CONV, &["bind"], &[p("res", T::Errno), p("addr", T::SockAddr), p("fd", T::Fd)]),
    syscall("bpf", 369, 4, C::Other, f::CREATES_FD, &["bpf"], &[p("fd", T::Fd), flags("cmd", T::EnumFlags32, &tables::BPF_COMMANDS)]),
    syscall("brk", 159, 4, C::Memory, f::CONV, &["brk"], &[p("res", T::UInt64).hex(), p("vm_size", T::UInt32), p("vm_rss", T::UInt32), p("vm_swap", T::UInt32), p("addr", T::UInt64).hex()]),
    syscall("capset", 353, 2, C::Process, f::STATE, &["capset"], &[p("res", T::Errno), p("cap_inheritable", T::UInt64).hex(), p("cap_permitted", T::UInt64).hex(), p("cap_effective", T::UInt64).hex()]),
    syscall("chdir", 95, 2, C::File, f::STATE, &["chdir"], &[p("res", T::Errno), p("path", T::CharBuf)]),
    syscall("chmod", 315, 2, C::File, 0, &["chmod"], &[p("res", T::Errno), p("filename", T::FsPath), flags("mode", T::Mode, &tables::CHMOD_MODE).oct()]),
    syscall("chown", 379, 2, C::File, 0, &["chown"], &[p("res", T::Errno), p("path", T::FsPath), p("uid", T::UInt32), p("gid", T::UInt32)]),
    syscall("chroot", 267, 2, C::Process, f::STATE, &["chroot"], &[p("res", T::Errno), p("path", T::FsPath)]),
    syscall("clone", 223, 8, C::Process, f::STATE | f::CONV, &["clone"], &[p("res", T::Pid), p("exe", T::CharBuf), p("args", T::ByteBuf), p("tid", T::Pid), p("pid", T::Pid), p("ptid", T::Pid), p("cwd", T::CharBuf), p("fdlimit", T::Int64), p("pgft_maj", T::UInt64), p("pgft_min", T::UInt64), p("vm_size", T::UInt32), p("vm_rss", T::UInt32), p("vm_swap", T::UInt32), p("comm", T::CharBuf), p("cgroups", T::ByteBuf), flags("flags", T::Flags32, &tables::CLONE_FLAGS).hex(), p("uid", T::UInt32), p("gid", T::UInt32), p("vtid", T::Pid), p("vpid", T::Pid), p("pidns_init_start_ts", T::UInt64)]),
    syscall("clone3", 335, 2, C::Process, f::STATE | f::CONV, &["clone3"], &[p("res", T::Pid), p("exe", T::CharBuf), p("args", T::ByteBuf), p("tid", T::Pid), p("pid", T::Pid), p("ptid", T::Pid), p("cwd", T::CharBuf), p("fdlimit", T::Int64), p("pgft_maj", T::UInt64), p("pgft_min", T::UInt64), p("vm_size", T::UInt32), p("vm_rss", T::UInt32), p("vm_swap", T::UInt32), p("comm", T::CharBuf), p("cgroups", T::ByteBuf), flags("flags", T::Flags32, &tables::CLONE_FLAGS).hex(), p("uid", T::UInt32), p("gid", T::UInt32), p("vtid", T::Pid), p("vpid", T::Pid), p("pidns_init_start_ts", T::UInt64)]),
    syscall("close", 5, 2, C::IoOther, f::DESTROYS_FD | f::USES_FD | f::STATE | f::CONV, &["close"], &[p("res", T::Errno), p("fd", T::Fd)]),
    syscall("close_range", 451, 1, C::IoOther, f::STATE, &["close_range"], &[p("res", T::Errno), p("first", T::UInt32), p("last", T::UInt32), flags("flags", T::Flags32, &tables::CLOSE_RANGE_FLAGS).hex()]),
    syscall("connect", 23, 2, C::Net, f::USES_FD | f::STATE | f::CONV, &["connect"], &[p("res", T::Errno), p("tuple", T::SockTuple), p("fd", T::Fd), p("addr", T::SockAddr)]),
    syscall("copy_file_range", 333, 2, C::File, f::USES_FD | f::READS | f::WRITES | f::CONV, &["copy_file_range"], &[p("res", T::Errno), p("fdout", T::Fd), p("offout", T::UInt64), p("fdin", T::Fd), p("offin", T::UInt64), p("len", T::UInt64)]),
    syscall("creat", 59, 2, C::File, f::CREATES_FD | f::STATE | f::CONV, &["creat"], &[p("fd", T::Fd), p("name", T::FsPath), p("mode", T::UInt32).oct(), p("dev", T::UInt32).hex(), p("ino", T::UInt64), flags("creat_flags", T::Flags16, &tables::CREAT_FLAGS).hex()]),
    syscall("delete_module", 425, 2, C::Other, 0, &["delete_module"], &[p("res", T::Errno), p("name", T::CharBuf), flags("flags", T::Flags32, &tables::DELETE_MODULE_FLAGS).hex()]),
    syscall("dup", 367, 4, C::IoOther, f::CREATES_FD | f::USES_FD | f::STATE, &["dup"], &[p("res", T::Fd), p("oldfd", T::Fd)]),
    syscall("dup2", 363, 2, C::IoOther, f::CREATES_FD | f::USES_FD | f::STATE, &["dup2"], &[p("res", T::Fd), p("oldfd", T::Fd), p("newfd", T::Fd)]),
    syscall("dup3", 365, 2, C::IoOther, f::CREATES_FD | f::USES_FD | f::STATE, &["dup3"], &[p("res", T::Fd), p("oldfd", T::Fd), p("newfd", T::Fd), flags("flags", T::Flags32, &tables::FILE_FLAGS).hex()]),
    syscall("epoll_create", 375, 2, C::Wait, f::CREATES_FD | f::STATE | f::CONV, &["epoll_create"], &[p("res", T::Errno), p("size", T::Int32)]),
    syscall("epoll_create1", 377, 2, C::Wait, f::CREATES_FD | f::STATE | f::CONV, &["epoll_create1"], &[p("res", T::Errno), flags("flags", T::Flags32, &tables::EPOLL_CREATE1_FLAGS).hex()]),
    syscall("epoll_wait", 79, 2, C::Wait, f::WAITS | f::CONV, &["epoll_wait"], &[p("res", T::Errno), p("maxevents", T::Errno)]),
    syscall("eventfd", 63, 2, C::Ipc, f::CREATES_FD | f::STATE | f::CONV, &["eventfd"], &[p("res", T::Fd), p("initval", T::UInt64), p("flags", T::UInt32).hex()]),
    syscall("eventfd2", 397, 2, C::Ipc, f::CREATES_FD | f::STATE | f::CONV, &["eventfd2"], &[p("res", T::Fd), flags("flags", T::Flags16, &tables::FILE_FLAGS).hex(), p("initval", T::UInt64)]),
    syscall("execve", 293, 16, C::Process, f::STATE | f::CONV, &["execve"], &[p("res", T::Errno), p("exe", T::CharBuf), p("args", T::ByteBuf), p("tid", T::Pid), p("pid", T::Pid), p("ptid", T::Pid), p("cwd", T::CharBuf), p("fdlimit", T::UInt64), p("pgft_maj", T::UInt64), p("pgft_min", T::UInt64), p("vm_size", T::UInt32), p("vm_rss", T::UInt32), p("vm_swap", T::UInt32), p("comm", T::CharBuf), p("cgroups", T::ByteBuf), p("env", T::ByteBuf), p("tty", T::UInt32), p("vpgid", T::Pid), p("loginuid", T::Uid), flags("flags", T::Flags32, &tables::EXECVE_FLAGS).hex(), p("cap_inheritable", T::UInt64).hex(), p("cap_permitted", T::UInt64).hex(), p("cap_effective", T::UInt64).hex(), p("exe_ino", T::UInt64), p("exe_ino_ctime", T::AbsTime), p("exe_ino_mtime", T::AbsTime), p("uid", T::Uid), p("trusted_exepath", T::FsPath), p("pgid", T::Pid), p("gid", T::Gid), p("filename", T::FsPath)]),
    syscall("execveat", 331, 2, C::Process, f::STATE | f::CONV, &["execveat"], &[p("res", T::Errno), p("exe", T::CharBuf), p("args", T::ByteBuf), p("tid", T::Pid), p("pid", T::Pid), p("ptid", T::Pid), p("cwd", T::CharBuf), p("fdlimit", T::UInt64), p("pgft_maj", T::UInt64), p("pgft_min", T::UInt64), p("vm_size", T::UInt32), p("vm_rss", T::UInt32), p("vm_swap", T::UInt32), p("comm", T::CharBuf), p("cgroups", T::ByteBuf), p("env", T::ByteBuf), p("tty", T::UInt32), p("vpgid", T::Pid), p("loginuid", T::Uid), flags("flags", T::Flags32, &tables::EXECVE_FLAGS).hex(), p("cap_inheritable", T::UInt64).hex(), p("cap_permitted", T::UInt64).hex(), p("cap_effective", T::UInt64).hex(), p("exe_ino", T::UInt64), p("exe_ino_ctime", T::AbsTime), p("exe_ino_mtime", T::AbsTime), p("uid", T::Uid), p("trusted_exepath", T::FsPath), p("pgid", T::Pid), p("gid", T::Gid)]),
    syscall("fchdir", 97, 2, C::File, f::USES_FD | f::STATE | f::CONV, &["fchdir"], &[p("res", T::Errno), p("fd", T::Fd)]),
    syscall("fchmod", 317, 2, C::File, f::USES_FD, &["fchmod"], &[p("res", T::Errno), p("fd", T::Fd), flags("mode", T::Mode, &tables::CHMOD_MODE).oct()]),
    syscall("fchmodat", 313, 2, C::File, f::USES_FD, &["fchmodat"], &[p("res", T::Errno), p("dirfd", T::Fd), p("filename", T::FsRelPath).at(1), flags("mode", T::Mode, &tables::CHMOD_MODE).oct()]),
    syscall("fchown", 383, 2, C::File, f::USES_FD, &["fchown"], &[p("res", T::Errno), p("fd", T::Fd), p("uid", T::UInt32), p("gid", T::UInt32)]),
    syscall("fchownat", 385, 2, C::File, f::USES_FD, &["fchownat"], &[p("res", T::Errno), p("dirfd", T::Fd), p("pathname", T::FsRelPath).at(1), p("uid", T::UInt32), p("gid", T::UInt32), flags("flags", T::Flags32, &tables::FCHOWNAT_FLAGS).hex()]),
    syscall("fcntl", 151, 2, C::IoOther, f::USES_FD | f::STATE | f::CONV, &["fcntl", "fcntl64"], &[p("res", T::Fd), p("fd", T::Fd), flags("cmd", T::EnumFlags8, &tables::FCNTL_COMMANDS), p("arg", T::UInt64).hex()]),
    syscall("finit_module", 413, 2, C::Other, f::USES_FD | f::READS, &["finit_module"], &[p("res", T::Errno), p("fd", T::Fd), p("uargs", T::CharBuf), flags("flags", T::Flags32, &tables::FINIT_MODULE_FLAGS).hex()]),
    syscall("flock", 243, 2, C::File, f::USES_FD | f::CONV, &["flock"], &[p("res", T::Errno), p("fd", T::Fd), flags("operation", T::Flags32, &tables::FLOCK_FLAGS).hex()]),
    syscall("fork", 225, 6, C::Process, f::STATE | f::CONV, &["fork"], &[p("res", T::Pid), p("exe", T::CharBuf), p("args", T::ByteBuf), p("tid", T::Pid), p("pid", T::Pid), p("ptid", T::Pid), p("cwd", T::CharBuf), p("fdlimit", T::Int64), p("pgft_maj", T::UInt64), p("pgft_min", T::UInt64), p("vm_size", T::UInt32), p("vm_rss", T::UInt32), p("vm_swap", T::UInt32), p("comm", T::CharBuf), p("cgroups", T::ByteBuf), flags("flags", T::Flags32, &tables::CLONE_FLAGS).hex(), p("uid", T::UInt32), p("gid", T::UInt32), p("vtid", T::Pid), p("vpid", T::Pid), p("pidns_init_start_ts", T::UInt64)]),
    syscall("fsconfig", 373, 2, C::System, f::USES_FD, &["fsconfig"], &[p("res", T::Errno), p("fd", T::Fd), flags("cmd", T::EnumFlags32, &tables::FSCONFIG_CMDS), p("key", T::CharBuf), p("value_bytebuf", T::ByteBuf), p("value_charbuf", T::CharBuf), p("aux", T::Int32)]),
    syscall("fstat", 71, 2, C::File, f::USES_FD | f::CONV, &["fstat"], &[p("res", T::Errno), p("fd", T::Fd)]),
    syscall("fstat64", 77, 2, C::File, 0, &["fstat64"], &[p("res", T::Errno)]),
    syscall("futex", 65, 2, C::Ipc, f::CONV, &["futex"], &[p("res", T::Errno), p("addr", T::UInt64).hex(), flags("op", T::Flags16, &tables::FUTEX_OPERATIONS).hex(), p("val", T::UInt64)]),
    syscall("getcwd", 93, 2, C::File, 0, &["getcwd"], &[p("res", T::Errno), p("path", T::CharBuf)]),
    syscall("getdents", 237, 2, C::File, f::USES_FD | f::CONV, &["getdents"], &[p("res", T::Errno), p("fd", T::Fd)]),
    syscall("getdents64", 239, 2, C::File, f::USES_FD | f::CONV, &["getdents64"], &[p("res", T::Errno), p("fd", T::Fd)]),
    syscall("getegid", 209, 2, C::User, 0, &["getegid", "getegid32"], &[p("egid", T::Gid)]),
    syscall("geteuid", 205, 2, C::User, 0, &["geteuid", "geteuid32"], &[p("euid", T::Uid)]),
    syscall("getgid", 207, 2, C::User, 0, &["getgid", "getgid32"], &[p("gid", T::Gid)]),
    syscall("getpeername", 41, 2, C::Net, 0, &["getpeername"], &[]),
    syscall("getresgid", 213, 2, C::User, 0, &["getresgid", "getresgid32"], &[p("res", T::Errno), p("rgid", T::Gid), p("egid", T::Gid), p("sgid", T::Gid)]),
    syscall("getresuid", 211, 2, C::User, 0, &["getresuid", "getresuid32"], &[p("res", T::Errno), p("ruid", T::Uid), p("euid", T::Uid), p("suid", T::Uid)]),
    syscall("getrlimit", 141, 2, C::Process, f::CONV, &["getrlimit", "ugetrlimit"], &[p("res", T::Errno), p("cur", T::Int64), p("max", T::Int64), flags("resource", T::EnumFlags8, &tables::RLIMIT_RESOURCES)]),
    syscall("getsockname", 39, 2, C::Net, 0, &["getsockname"], &[]),
    syscall("getsockopt", 47, 2, C::Net, f::USES_FD | f::STATE, &["getsockopt"], &[p("res", T::Errno), p("fd", T::Fd), flags("level", T::EnumFlags8, &tables::SOCKOPT_LEVELS), flags("optname", T::EnumFlags8, &tables::SOCKOPT_OPTIONS), dynamic("val", &[T::ByteBuf, T::Errno, T::UInt32, T::UInt64, T::RelTime]), p("optlen", T::UInt32)]),
    syscall("getuid", 203, 2, C::User, 0, &["getuid", "getuid32"], &[p("uid", T::Uid)]),
    syscall("init_module", 411, 2, C::Other, 0, &["init_module"], &[p("res", T::Errno), p("img", T::ByteBuf), p("length", T::UInt64), p("uargs", T::CharBuf)]),
    syscall("inotify_init", 139, 2, C::Ipc, f::CREATES_FD | f::STATE | f::CONV, &["inotify_init"], &[p("res", T::Fd), p("flags", T::UInt8).hex()]),
    syscall("inotify_init1", 395, 2, C::Ipc, f::CREATES_FD | f::STATE, &["inotify_init1"], &[p("res", T::Fd), flags("flags", T::Flags16, &tables::FILE_FLAGS).hex()]),
    syscall("io_uring_enter", 341, 2, C::IoOther, f::USES_FD, &["io_uring_enter"], &[p("res", T::Errno), p("fd", T::Fd), p("to_submit", T::UInt32), p("min_complete", T::UInt32), flags("flags", T::Flags32, &tables::IO_URING_ENTER_FLAGS).hex(), p("sig", T::SigSet)]),
    syscall("io_uring_register", 343, 2, C::IoOther, f::USES_FD, &["io_uring_register"], &[p("res", T::Errno), p("fd", T::Fd), flags("opcode", T::EnumFlags16, &tables::IO_URING_REGISTER_OPCODES), p("arg", T::UInt64).hex(), p("nr_args", T::UInt32)]),
    syscall("io_uring_setup", 339, 2, C::IoOther, f::CREATES_FD | f::STATE, &["io_uring_setup"], &[p("res", T::Errno), p("entries", T::UInt32), p("sq_entries", T::UInt32), p("cq_entries", T::UInt32), flags("flags", T::Flags32, &tables::IO_URING_SETUP_FLAGS).hex(), p("sq_thread_cpu", T::UInt32), p("sq_thread_idle", T::UInt32), flags("features", T::Flags32, &tables::IO_URING_SETUP_FEATS).hex()]),
    syscall("ioctl", 171, 4, C::IoOther, f::USES_FD | f::CONV, &["ioctl"], &[p("res", T::Errno), p("fd", T::Fd), p("request", T::UInt64).hex(), p("argument", T::UInt64).hex()]),
    syscall("keyctl", 453, 1, C::Other, 0, &["keyctl"], &[p("res", T::Errno), flags("operation", T::EnumFlags32, &tables::KEYCTL_OPERATIONS), dynamic("arg2", &[T::Int64, T::CharBuf]), dynamic("arg3", &[T::Int64, T::CharBuf]), dynamic("arg4", &[T::Int64, T::CharBuf]), dynamic("arg5", &[T::Int64, T::CharBuf])]),
    syscall("kill", 129, 2, C::Signal, f::CONV, &["kill"], &[p("res", T::Errno), p("pid", T::Pid), p("sig", T::SigType)]),
    syscall("lchown", 381, 2, C::File, 0, &["lchown"], &[p("res", T::Errno), p("path", T::FsPath), p("uid", T::UInt32), p("gid", T::UInt32)]),
    syscall("link", 309, 4, C::File, 0, &["link"], &[p("res", T::Errno), p("oldpath", T::FsPath), p("newpath", T::FsPath)]),
    syscall("linkat", 311, 4, C::File, 0, &["linkat"], &[p("res", T::Errno), p("olddir", T::Fd), p("oldpath", T::FsRelPath).at(1), p("newdir", T::Fd), p("newpath", T::FsRelPath).at(3), flags("flags", T::Flags32, &tables::LINKAT_FLAGS).hex()]),
    syscall("listen", 25, 2, C::Net, f::USES_FD | f::CONV, &["listen"], &[p("res", T::Errno), p("fd", T::Fd), p("backlog", T::Int32)]),
    syscall("llseek", 89, 2, C::File, f::USES_FD | f::CONV, &["_llseek"], &[p("res", T::Errno), p("fd", T::Fd), p("offset", T::UInt64), flags("whence", T::EnumFlags8, &tables::LSEEK_WHENCE)]),
    syscall("lseek", 87, 2, C::File, f::USES_FD | f::CONV, &["lseek"], &[p("res", T::Errno), p("fd", T::Fd), p("offset", T::UInt64), flags("whence", T::EnumFlags8, &tables::LSEEK_WHENCE)]),
    syscall("lstat", 69, 2, C::File, 0, &["lstat"], &[p("res", T::Errno), p("path", T::FsPath)]),
    syscall("lstat64", 75, 2, C::File, 0, &["lstat64"], &[p("res", T::Errno), p("path", T::FsPath)]),
    syscall("memfd_create", 405, 2, C::Memory, f::CREATES_FD | f::STATE, &["memfd_create"], &[p("fd", T::Fd), p("name", T::CharBuf), flags("flags", T::Flags32, &tables::MEMFD_CREATE_FLAGS).hex()]),
    syscall("mkdir", 277, 4, C::File, f::CONV, &["mkdir"], &[p("res", T::Errno), p("path", T::FsPath), p("mode", T::UInt32).hex()]),
    syscall("mkdirat", 305, 2, C::File, f::USES_FD, &["mkdirat"], &[p("res", T::Errno), p("dirfd", T::Fd), p("path", T::FsRelPath).at(1), p("mode", T::UInt32).hex()]),
    syscall("mknod", 415, 2, C::Other, 0, &["mknod"], &[p("res", T::Errno), p("path", T::FsPath), flags("mode", T::Mode, &tables::MKNOD_MODE).oct(), p("dev", T::UInt32)]),
    syscall("mknodat", 417, 2, C::Other, f::USES_FD, &["mknodat"], &[p("res", T::Errno), p("dirfd", T::Fd), p("path", T::FsRelPath).at(1), flags("mode", T::Mode, &tables::MKNOD_MODE).oct(), p("dev", T::UInt32)]),
    syscall("mlock", 345, 2, C::Memory, 0, &["mlock"], &[p("res", T::Errno), p("addr", T::UInt64).hex(), p("len", T::UInt64)]),
    syscall("mlock2", 371, 2, C::Memory, 0, &["mlock2"], &[p("res", T::Errno), p("addr", T::UInt64).hex(), p("len", T::UInt64), flags("flags", T::Flags32, &tables::MLOCK2_FLAGS).hex()]),
    syscall("mlockall", 349, 2, C::Memory, 0, &["mlockall"], &[p("res", T::Errno), flags("flags", T::Flags32, &tables::MLOCKALL_FLAGS).hex()]),
    syscall("mmap", 161, 2, C::Memory, f::USES_FD | f::CONV, &["mmap"], &[p("res", T::Errno).hex(), p("vm_size", T::UInt32), p("vm_rss", T::UInt32), p("vm_swap", T::UInt32), p("addr", T::UInt64).hex(), p("length", T::UInt64), flags("prot", T::Flags32, &tables::PROT_FLAGS).hex(), flags("flags", T::Flags32, &tables::MMAP_FLAGS).hex(), p("fd", T::Fd), p("offset", T::UInt64)]),
    syscall("mmap2", 163, 2, C::Memory, f::USES_FD | f::CONV, &["mmap2"], &[p("res", T::Errno).hex(), p("vm_size", T::UInt32), p("vm_rss", T::UInt32), p("vm_swap", T::UInt32), p("addr", T::UInt64).hex(), p("length", T::UInt64), flags("prot", T::Flags32, &tables::PROT_FLAGS).hex(), flags("flags", T::Flags32, &tables::MMAP_FLAGS).hex(), p("fd", T::Fd), p("pgoffset", T::UInt64)]),
    syscall("mount", 257, 2, C::File, f::STATE | f::CONV, &["mount"], &[p("res", T::Errno), p("dev", T::CharBuf), p("dir", T::FsPath), p("type", T::CharBuf), flags("flags", T::Flags32, &tables::MOUNT_FLAGS).hex()]),
    syscall("mprotect", 329, 2, C::Memory, f::CONV, &["mprotect"], &[p("res", T::Errno), p("addr", T::UInt64).hex(), p("length", T::UInt64), flags("prot", T::Flags32, &tables::PROT_FLAGS).hex()]),
    syscall("munlock", 347, 2, C::Memory, 0, &["munlock"], &[p("res", T::Errno), p("addr", T::UInt64).hex(), p("len", T::UInt64)]),
    syscall("munlockall", 351, 2, C::Memory, 0, &["munlockall"], &[p("res", T::Errno)]),
    syscall("munmap", 165, 2, C::Memory, f::CONV, &["munmap"], &[p("res", T::Errno), p("vm_size", T::UInt32), p("vm_rss", T::UInt32), p("vm_swap", T::UInt32), p("addr", T::UInt64).hex(), p("length", T::UInt64)]),
    syscall("nanosleep", 135, 2, C::Sleep, f::WAITS | f::CONV, &["nanosleep"], &[p("res", T::Errno), p("interval", T::RelTime)]),
    syscall("newfstatat", 419, 2, C::File, f::USES_FD, &["newfstatat"], &[p("res", T::Errno), p("dirfd", T::Fd), p("path", T::FsRelPath).at(1), flags("flags", T::Flags32, &tables::NEWFSTATAT_FLAGS).hex()]),
    syscall("open", 3, 2, C::File, f::CREATES_FD | f::STATE | f::CONV, &["open"], &[p("fd", T::Fd), p("name", T::FsPath), flags("flags", T::Flags32, &tables::FILE_FLAGS).hex(), p("mode", T::UInt32).oct(), p("dev", T::UInt32).hex(), p("ino", T::UInt64)]),
    syscall("open_by_handle_at", 337, 2, C::File, f::CREATES_FD | f::STATE, &["open_by_handle_at"], &[p("fd", T::Fd), p("mountfd", T::Fd), flags("flags", T::Flags32, &tables::FILE_FLAGS).hex(), p("path", T::FsPath), p("dev", T::UInt32).hex(), p("ino", T::UInt64)]),
    syscall("openat", 307, 4, C::File, f::CREATES_FD | f::STATE | f::CONV, &["openat"], &[p("fd", T::Fd), p("dirfd", T::Fd), p("name", T::FsRelPath).at(1), flags("flags", T::Flags32, &tables::FILE_FLAGS).hex(), p("mode", T::UInt32).oct(), p("dev", T::UInt32).hex(), p("ino", T::UInt64)]),
    syscall("openat2", 327, 2, C::File, f::CREATES_FD | f::STATE | f::CONV, &["openat2"], &[p("fd", T::Fd), p("dirfd", T::Fd), p("name", T::FsRelPath).at(1), flags("flags", T::Flags32, &tables::FILE_FLAGS).hex(), p("mode", T::UInt32).oct(), flags("resolve", T::Flags32, &tables::OPENAT2_FLAGS).hex(), p("dev", T::UInt32).hex(), p("ino", T::UInt64)]),
    syscall("pidfd_getfd", 407, 2, C::Process, f::CREATES_FD | f::STATE, &["pidfd_getfd"], &[p("fd", T::Fd), p("pid_fd", T::Fd), p("target_fd", T::Fd), p("flags", T::UInt32).hex()]),
    syscall("pidfd_open", 409, 2, C::Process, f::CREATES_FD | f::STATE, &["pidfd_open"], &[p("fd", T::Fd), p("pid", T::Pid), flags("flags", T::Flags32, &tables::PIDFD_OPEN_FLAGS).hex()]),
    syscall("pipe", 61, 2, C::Ipc, f::CREATES_FD | f::STATE, &["pipe"], &[p("res", T::Errno), p("fd1", T::Fd), p("fd2", T::Fd), p("ino", T::UInt64)]),
    syscall("pipe2", 393, 2, C::Ipc, f::CREATES_FD | f::STATE, &["pipe2"], &[p("res", T::Errno), p("fd1", T::Fd), p("fd2", T::Fd), p("ino", T::UInt64), flags("flags", T::Flags32, &tables::FILE_FLAGS).hex()]),
    syscall("poll", 81, 2, C::Wait, f::WAITS | f::CONV, &["poll"], &[p("res", T::Errno), p("fds", T::FdList), p("timeout", T::Int64)]),
    syscall("ppoll", 255, 2, C::Wait, f::WAITS | f::CONV, &["ppoll"], &[p("res", T::Errno), p("fds", T::FdList), p("timeout", T::RelTime), p("sigmask", T::SigSet)]),
    syscall("prctl", 401, 2, C::Process, f::STATE, &["prctl"], &[p("res", T::Errno), flags("option", T::EnumFlags32, &tables::PRCTL_OPTIONS), p("arg2_str", T::CharBuf), p("arg2_int", T::Int64)]),
    syscall("pread", 113, 2, C::IoRead, f::USES_FD | f::READS | f::CONV, &["pread64"], &[p("res", T::Errno), p("data", T::ByteBuf), p("fd", T::Fd), p("size", T::UInt32), p("pos", T::UInt64)]),
    syscall("preadv", 121, 2, C::IoRead, f::USES_FD | f::READS | f::CONV, &["preadv"], &[p("res", T::Errno), p("size", T::UInt32), p("data", T::ByteBuf), p("fd", T::Fd), p("pos", T::UInt64)]),
    syscall("prlimit", 145, 2, C::Process, f::CONV, &["prlimit64"], &[p("res", T::Errno), p("newcur", T::Int64), p("newmax", T::Int64), p("oldcur", T::Int64), p("oldmax", T::Int64), p("pid", T::Int64), flags("resource", T::EnumFlags8, &tables::RLIMIT_RESOURCES)]),
    syscall("process_vm_readv", 421, 2, C::Ipc, 0, &["process_vm_readv"], &[p("res", T::Int64), p("pid", T::Pid), p("data", T::ByteBuf)]),
    syscall("process_vm_writev", 423, 2, C::Ipc, 0, &["process_vm_writev"], &[p("res", T::Int64), p("pid", T::Pid), p("data", T::ByteBuf)]),
    syscall("ptrace", 169, 2, C::Process, f::CONV, &["ptrace"], &[p("res", T::Errno), dynamic("addr", &[T::UInt64, T::SigType]).hex(), dynamic("data", &[T::UInt64, T::SigType]).hex(), flags("request", T::EnumFlags16, &tables::PTRACE_REQUESTS), p("pid", T::Pid)]),
    syscall("pwrite", 115, 2, C::IoWrite, f::USES_FD | f::WRITES | f::CONV, &["pwrite64"], &[p("res", T::Errno), p("data", T::ByteBuf), p("fd", T::Fd), p("size", T::UInt32), p("pos", T::UInt64)]),
    syscall("pwritev", 123, 2, C::IoWrite, f::USES_FD | f::WRITES | f::CONV, &["pwritev"], &[p("res", T::Errno), p("data", T::ByteBuf), p("fd", T::Fd), p("size", T::UInt32), p("pos", T::UInt64)]),
    syscall("quotactl", 191, 2, C::User, f::CONV, &["quotactl"], &[p("res", T::Errno), p("special", T::CharBuf), p("quotafilepath", T::CharBuf), p("dqb_bhardlimit", T::UInt64), p("dqb_bsoftlimit", T::UInt64), p("dqb_curspace", T::UInt64), p("dqb_ihardlimit", T::UInt64), p("dqb_isoftlimit", T::UInt64), p("dqb_btime", T::RelTime), p("dqb_itime", T::RelTime), p("dqi_bgrace", T::RelTime), p("dqi_igrace", T::RelTime), flags("dqi_flags", T::Flags8, &tables::QUOTACTL_DQI_FLAGS), flags("quota_fmt_out", T::Flags8, &tables::QUOTACTL_QUOTA_FMTS), flags("cmd", T::Flags16, &tables::QUOTACTL_CMDS), flags("type", T::Flags8, &tables::QUOTACTL_TYPES), p("id", T::UInt32), flags("quota_fmt", T::Flags8, &tables::QUOTACTL_QUOTA_FMTS)]),
    syscall("read", 7, 2, C::IoRead, f::USES_FD | f::READS | f::CONV, &["read"], &[p("res", T::Errno), p("data", T::ByteBuf), p("fd", T::Fd), p("size", T::UInt32)]),
    syscall("readv", 117, 2, C::IoRead, f::USES_FD | f::READS | f::CONV, &["readv"], &[p("res", T::Errno), p("size", T::UInt32), p("data", T::ByteBuf), p("fd", T::Fd)]),
    syscall("recv", 33, 2, C::IoRead, f::USES_FD | f::READS | f::CONV, &["recv"], &[p("res", T::Errno), p("data", T::ByteBuf), p("fd", T::Fd), p("size", T::UInt32), p("tuple", T::SockTuple)]),
    syscall("recvfrom", 35, 2, C::IoRead, f::USES_FD | f::READS | f::STATE | f::CONV, &["recvfrom"], &[p("res", T::Errno), p("data", T::ByteBuf), p("tuple", T::SockTuple), p("fd", T::Fd), p("size", T::UInt32)]),
    syscall("recvmmsg", 55, 2, C::IoRead, f::USES_FD | f::READS | f::STATE | f::CONV, &["recvmmsg"], &[p("res", T::Errno), p("fd", T::Fd), p("size", T::UInt32), p("data", T::ByteBuf), p("tuple", T::SockTuple), p("msgcontrol", T::ByteBuf)]),
    syscall("recvmsg", 53, 2, C::IoRead, f::USES_FD | f::READS | f::STATE | f::CONV, &["recvmsg"], &[p("res", T::Errno), p("size", T::UInt32), p("data", T::ByteBuf), p("tuple", T::SockTuple), p("msgcontrol", T::ByteBuf), p("fd", T::Fd)]),
    syscall("rename", 175, 2, C::File, 0, &["rename"], &[p("res", T::Errno), p("oldpath", T::FsPath), p("newpath", T::FsPath)]),
    syscall("renameat", 177, 2, C::File, 0, &["renameat"], &[p("res", T::Errno), p("olddirfd", T::Fd), p("oldpath", T::FsRelPath).at(1), p("newdirfd", T::Fd), p("newpath", T::FsRelPath).at(3)]),
    syscall("renameat2", 319, 2, C::File, 0, &["renameat2"], &[p("res", T::Errno), p("olddirfd", T::Fd), p("oldpath", T::FsRelPath).at(1), p("newdirfd", T::Fd), p("newpath", T::FsRelPath).at(3), flags("flags", T::Flags32, &tables::RENAMEAT2_FLAGS).hex()]),
    syscall("rmdir", 279, 4, C::File, 0, &["rmdir"], &[p("res", T::Errno), p("path", T::FsPath)]),
    syscall("seccomp", 299, 2, C::Other, f::CONV, &["seccomp"], &[p("res", T::Errno), p("op", T::UInt64), p("flags", T::UInt64).hex()]),
    syscall("select", 83, 4, C::Wait, f::WAITS, &["select"], &[p("res", T::Errno)]),
    syscall("semctl", 253, 2, C::Process, f::CONV, &["semctl"], &[p("res", T::Errno), p("semid", T::Int32), p("semnum", T::Int32), flags("cmd", T::Flags16, &tables::SEMCTL_COMMANDS).hex(), p("val", T::Int32)]),
    syscall("semget", 263, 2, C::Process, f::CONV, &["semget"], &[p("res", T::Errno), p("key", T::Int32).hex(), p("nsems", T::Int32), flags("semflg", T::Flags32, &tables::SEMGET_FLAGS).hex()]),
    syscall("semop", 251, 2, C::Process, f::CONV, &["semop"], &[p("res", T::Errno), p("nsops", T::UInt32), p("sem_num_0", T::UInt16), p("sem_op_0", T::Int16), flags("sem_flg_0", T::Flags16, &tables::SEMOP_FLAGS).hex(), p("sem_num_1", T::UInt16), p("sem_op_1", T::Int16), flags("sem_flg_1", T::Flags16, &tables::SEMOP_FLAGS).hex(), p("semid", T::Int32)]),
    syscall("send", 29, 2, C::IoWrite, f::USES_FD | f::WRITES | f::CONV, &["send"], &[p("res", T::Errno), p("data", T::ByteBuf), p("fd", T::Fd), p("size", T::UInt32), p("tuple", T::SockTuple)]),
    syscall("sendfile", 189, 2, C::IoWrite, f::USES_FD | f::CONV, &["sendfile", "sendfile64"], &[p("res", T::Errno), p("offset", T::UInt64), p("out_fd", T::Fd), p("in_fd", T::Fd), p("size", T::UInt64)]),
    syscall("sendmmsg", 51, 2, C::IoWrite, f::USES_FD | f::WRITES | f::STATE | f::CONV, &["sendmmsg"], &[p("res", T::Errno), p("fd", T::Fd), p("size", T::UInt32), p("data", T::ByteBuf), p("tuple", T::SockTuple)]),
    syscall("sendmsg", 49, 2, C::IoWrite, f::USES_FD | f::WRITES | f::STATE | f::CONV, &["sendmsg"], &[p("res", T::Errno), p("data", T::ByteBuf), p("fd", T::Fd), p("size", T::UInt32), p("tuple", T::SockTuple)]),
    syscall("sendto", 31, 2, C::IoWrite, f::USES_FD | f::WRITES | f::STATE | f::CONV, &["sendto"], &[p("res", T::Errno), p("data", T::ByteBuf), p("fd", T::Fd), p("size", T::UInt32), p("tuple", T::SockTuple)]),
    syscall("setgid", 201, 2, C::User, f::STATE | f::CONV, &["setgid", "setgid32"], &[p("res", T::Errno), p("gid", T::Gid)]),
    syscall("setns", 241, 2, C::Process, f::USES_FD | f::CONV, &["setns"], &[p("res", T::Errno), p("fd", T::Fd), flags("nstype", T::Flags32, &tables::CLONE_FLAGS).hex()]),
    syscall("setpgid", 295, 2, C::Process, f::CONV, &["setpgid"], &[p("res", T::Errno), p("pid", T::Pid), p("pgid", T::Pid)]),
    syscall("setregid", 429, 2, C::User, f::STATE, &["setregid"], &[p("res", T::Errno), p("rgid", T::Uid), p("egid", T::Uid)]),
    syscall("setresgid", 195, 2, C::User, f::STATE | f::CONV, &["setresgid", "setresgid32"], &[p("res", T::Errno), p("rgid", T::Gid), p("egid", T::Gid), p("sgid", T::Gid)]),
    syscall("setresuid", 193, 2, C::User, f::STATE | f::CONV, &["setresuid", "setresuid32"], &[p("res", T::Errno), p("ruid", T::Uid), p("euid", T::Uid), p("suid", T::Uid)]),
    syscall("setreuid", 427, 2, C::User, f::STATE, &["setreuid"], &[p("res", T::Errno), p("ruid", T::Uid), p("euid", T::Uid)]),
    syscall("setrlimit", 143, 2, C::Process, f::CONV, &["setrlimit"], &[p("res", T::Errno), p("cur", T::Int64), p("max", T::Int64), flags("resource", T::EnumFlags8, &tables::RLIMIT_RESOURCES)]),
    syscall("setsid", 275, 2, C::Process, f::STATE, &["setsid"], &[p("res", T::Pid)]),
    syscall("setsockopt", 45, 2, C::Net, f::USES_FD, &["setsockopt"], &[p("res", T::Errno), p("fd", T::Fd), flags("level", T::EnumFlags8, &tables::SOCKOPT_LEVELS), flags("optname", T::EnumFlags8, &tables::SOCKOPT_OPTIONS), dynamic("val", &[T::ByteBuf, T::Errno, T::UInt32, T::UInt64, T::RelTime]), p("optlen", T::UInt32)]),
    syscall("setuid", 199, 2, C::User, f::STATE | f::CONV, &["setuid", "setuid32"], &[p("res", T::Errno), p("uid", T::Uid)]),
    syscall("shutdown", 37, 2, C::Net, f::USES_FD | f::STATE | f::CONV, &["shutdown"], &[p("res", T::Errno), p("fd", T::Fd), flags("how", T::EnumFlags8, &tables::SHUTDOWN_HOW).hex()]),
    syscall("signalfd", 127, 2, C::Signal, f::CREATES_FD | f::STATE | f::CONV, &["signalfd"], &[p("res", T::Fd), p("fd", T::Fd), p("mask", T::UInt32).hex(), p("flags", T::UInt8).hex()]),
    syscall("signalfd4", 399, 2, C::Signal, f::CREATES_FD | f::STATE | f::CONV, &["signalfd4"], &[p("res", T::Fd), flags("flags", T::Flags16, &tables::FILE_FLAGS).hex(), p("fd", T::Fd), p("mask", T::UInt32).hex()]),
    syscall("socket", 19, 2, C::Net, f::CREATES_FD | f::STATE | f::CONV, &["socket"], &[p("fd", T::Fd), flags("domain", T::EnumFlags32, &tables::SOCKET_FAMILIES), p("type", T::UInt32), p("proto", T::UInt32), flags("flags", T::Flags32, &tables::FILE_FLAGS).hex()]),
    syscall("socketpair", 43, 2, C::Ipc, f::CREATES_FD | f::STATE | f::CONV, &["socketpair"], &[p("res", T::Errno), p("fd1", T::Fd), p("fd2", T::Fd), p("source", T::UInt64).hex(), p("peer", T::UInt64).hex(), flags("domain", T::EnumFlags32, &tables::SOCKET_FAMILIES), p("type", T::UInt32), p("proto", T::UInt32)]),
    syscall("splice", 167, 2, C::IoOther, f::USES_FD | f::CONV, &["splice"], &[p("res", T::Errno), p("fd_in", T::Fd), p("fd_out", T::Fd), p("size", T::UInt64), flags("flags", T::Flags32, &tables::SPLICE_FLAGS).hex()]),
    syscall("stat", 67, 2, C::File, 0, &["stat"], &[p("res", T::Errno), p("path", T::FsPath)]),
    syscall("stat64", 73, 2, C::File, 0, &["stat64"], &[p("res", T::Errno), p("path", T::FsPath)]),
    syscall("symlink", 179, 2, C::File, 0, &["symlink"], &[p("res", T::Errno), p("target", T::CharBuf), p("linkpath", T::FsPath)]),
    syscall("symlinkat", 181, 2, C::File, f::USES_FD, &["symlinkat"], &[p("res", T::Errno), p("target", T::CharBuf), p("linkdirfd", T::Fd), p("linkpath", T::FsRelPath).at(2)]),
    syscall("tgkill", 133, 2, C::Signal, f::CONV, &["tgkill"], &[p("res", T::Errno), p("pid", T::Pid), p("tid", T::Pid), p("sig", T::SigType)]),
    syscall("timerfd_create", 137, 2, C::Time, f::CREATES_FD | f::STATE | f::CONV, &["timerfd_create"], &[p("res", T::Fd), p("clockid", T::UInt8), p("flags", T::UInt8).hex()]),
    syscall("tkill", 131, 2, C::Signal, f::CONV, &["tkill"], &[p("res", T::Errno), p("tid", T::Pid), p("sig", T::SigType)]),
    syscall("umount", 387, 4, C::File, f::STATE, &["umount"], &[p("res", T::Errno), p("name", T::FsPath)]),
    syscall("umount2", 391, 2, C::File, f::STATE | f::CONV, &["umount2"], &[p("res", T::Errno), p("name", T::FsPath), flags("flags", T::Flags32, &tables::UMOUNT_FLAGS).hex()]),
    syscall("unlink", 301, 4, C::File, 0, &["unlink"], &[p("res", T::Errno), p("path", T::FsPath)]),
    syscall("unlinkat", 303, 4, C::File, f::USES_FD, &["unlinkat"], &[p("res", T::Errno), p("dirfd", T::Fd), p("name", T::FsRelPath).at(1), flags("flags", T::Flags32, &tables::UNLINKAT_FLAGS).hex()]),
    syscall("unshare", 285, 2, C::Process, f::CONV, &["unshare"], &[p("res", T::Errno), flags("flags", T::Flags32, &tables::CLONE_FLAGS).hex()]),
    syscall("userfaultfd", 321, 2, C::File, f::CREATES_FD | f::STATE, &["userfaultfd"], &[p("res", T::Errno), flags("flags", T::Flags32, &tables::FILE_FLAGS).hex()]),
    syscall("vfork", 227, 6, C::Process, f::STATE | f::CONV, &["vfork"], &[p("res", T::Pid), p("exe", T::CharBuf), p("args", T::ByteBuf), p("tid", T::Pid), p("pid", T::Pid), p("ptid", T::Pid), p("cwd", T::CharBuf), p("fdlimit", T::Int64), p("pgft_maj", T::UInt64), p("pgft_min", T::UInt64), p("vm_size", T::UInt32), p("vm_rss", T::UInt32), p("vm_swap", T::UInt32), p("comm", T::CharBuf), p("cgroups", T::ByteBuf), flags("flags", T::Flags32, &tables::CLONE_FLAGS).hex(), p("uid", T::UInt32), p("gid", T::UInt32), p("vtid", T::Pid), p("vpid", T::Pid), p("pidns_init_start_ts", T::UInt64)]),
    syscall("write", 9, 2, C::IoWrite, f::USES_FD | f::WRITES | f::CONV, &["write"], &[p("res", T::Errno), p("data", T::ByteBuf), p("fd", T::Fd), p("size", T::UInt32)]),
    syscall("writev", 119, 2, C::IoWrite, f::USES_FD | f::WRITES | f::CONV, &["writev"], &[p("res", T::Errno), p("data", T::ByteBuf), p("fd", T::Fd), p("size", T::UInt32)]),
    tracepoint("page_fault", 290, 1, C::Other, f::SKIP_RESET, &[], &[p("addr", T::UInt64).hex(), p("ip", T::UInt64).hex(), flags("error", T::Flags32, &tables::PF_FLAGS).hex()]),
    tracepoint("procexit", 186, 2, C::Process, f::STATE, &[], &[p("status", T::Errno), p("ret", T::Errno), p("sig", T::SigType), p("core", T::UInt8), p("reaper_tid", T::Pid)]),
    tracepoint("signaldeliver", 232, 1, C::Signal, 0, &[], &[p("spid", T::Pid), p("dpid", T::Pid), p("sig", T::SigType)]),
    tracepoint("switch", 152, 2, C::Scheduler, 0, &[], &[p("next", T::Pid), p("pgft_maj", T::UInt64), p("pgft_min", T::UInt64), p("vm_size", T::UInt32), p("vm_rss", T::UInt32), p("vm_swap", T::UInt32)]),
    meta("asyncevent", 402, 1, C::Other, f::LARGE, &[], &[p("plugin_id", T::UInt32), p("name", T::CharBuf), p("data", T::ByteBuf)]),
    meta("container", 324, 3, C::Process, f::STATE | f::LARGE, &[], &[p("json", T::CharBuf)]),
    meta("cpu_hotplug", 244, 1, C::System, f::STATE | f::SKIP_RESET, &[], &[p("cpu", T::UInt32), p("action", T::UInt32)]),
    meta("drop", 149, 2, C::Internal, f::SKIP_RESET, &[], &[p("ratio", T::UInt32)]),
    meta("groupadded", 358, 1, C::Process, f::STATE, &[], &[p("gid", T::UInt32), p("name", T::CharBuf), p("container_id", T::CharBuf)]),
    meta("groupdeleted", 360, 1, C::Process, f::STATE, &[], &[p("gid", T::UInt32), p("name", T::CharBuf), p("container_id", T::CharBuf)]),
    meta("infra", 286, 1, C::Internal, f::SKIP_RESET, &[], &[p("source", T::CharBuf), p("name", T::CharBuf), p("description", T::CharBuf), p("scope", T::CharBuf)]),
    meta("notification", 280, 1, C::Other, f::SKIP_RESET, &[], &[p("id", T::CharBuf), p("desc", T::CharBuf)]),
    meta("procinfo", 234, 1, C::Internal, f::SKIP_RESET, &[], &[p("cpu_usr", T::UInt64), p("cpu_sys", T::UInt64)]),
    meta("scapevent", 196, 1, C::Internal, f::SKIP_RESET, &[], &[p("event_type", T::UInt32), p("event_data", T::UInt64)]),
    meta("useradded", 354, 1, C::Process, f::STATE, &[], &[p("uid", T::UInt32), p("gid", T::UInt32), p("name", T::CharBuf), p("home", T::CharBuf), p("shell", T::CharBuf), p("container_id", T::CharBuf)]),
    meta("userdeleted", 356, 1, C::Process, f::STATE, &[], &[p("uid", T::UInt32), p("gid", T::UInt32), p("name", T::CharBuf), p("home", T::CharBuf), p("shell", T::CharBuf), p("container_id", T::CharBuf)]),
    plugin("pluginevent", 322, 1, C::Other, f::LARGE, &[], &[p("plugin_id", T::UInt32), p("event_data", T::ByteBuf)]),
    iterator("task", 430, 1, C::Process, f::STATE, &[], &[p("ppid", T::Pid32), p("pgid", T::Pid32), p("vpgid", T::Pid32), p("sid", T::Pid32), p("comm", T::CharBuf), p("argv", T::CharBufArray), p("exepath", T::FsPath), flags("flags", T::Flags32, &tables::EXECVE_FLAGS).hex(), p("env", T::CharBufArray), p("cwd", T::CharBuf), p("fdlimit", T::UInt64), p("euid", T::Uid), p("egid", T::Gid), p("cap_permitted", T::UInt64).hex(), p("cap_effective", T::UInt64).hex(), p("cap_inheritable", T::UInt64).hex(), p("exe_ino_num", T::UInt64), p("exe_ino_ctime", T::AbsTime), p("exe_ino_mtime", T::AbsTime), p("vm_size", T::UInt32), p("vm_rss", T::UInt32), p("vm_swap", T::UInt32), p("pgft_maj", T::UInt64), p("pgft_min", T::UInt64), p("vtgid", T::Pid32), p("vpid", T::Pid32), p("pidns_init_start_ts", T::UInt64), p("cgroups", T::CharBufArray), p("root", T::FsPath), p("start_time", T::AbsTime), p("tty", T::UInt32), p("loginuid", T::Uid)]),
    iterator("task_file_anon_inode", 448, 1, C::File, f::STATE, &[], &[p("fd", T::Fd32), flags("fd_type", T::Flags8, &tables::ANON_INODE_FD_TYPES), p("path", T::FsPath), p("ino_num", T::UInt64)]),
    iterator("task_file_directory", 438, 1, C::File, f::STATE, &[], &[p("fd", T::Fd32), p("path", T::FsPath), p("ino_num", T::UInt64)]),
    iterator("task_file_memfd", 434, 1, C::File, f::STATE, &[], &[p("fd", T::Fd32), p("path", T::FsPath), p("ino_num", T::UInt64)]),
    iterator("task_file_pipe", 432, 1, C::File, f::STATE, &[], &[p("fd", T::Fd32), p("path", T::FsPath), p("ino_num", T::UInt64)]),
    iterator("task_file_regular", 436, 1, C::File, f::STATE, &[], &[p("fd", T::Fd32), p("path", T::FsPath), flags("flags", T::Flags32, &tables::FILE_FLAGS).hex(), p("mnt_id", T::UInt32), p("ino_num", T::UInt64)]),
    iterator("task_file_socket_inet", 440, 1, C::File, f::STATE, &[], &[p("fd", T::Fd32), p("sk_type", T::UInt16), p("sk_proto", T::UInt16), p("local_ip", T::Ipv4Addr).hex(), p("local_port", T::Port).hex(), p("remote_ip", T::Ipv4Addr).hex(), p("remote_port", T::Port).hex(), p("ino_num", T::UInt64)]),
    iterator("task_file_socket_inet6", 442, 1, C::File, f::STATE, &[], &[p("fd", T::Fd32), p("sk_type", T::UInt16), p("sk_proto", T::UInt16), p("local_ip", T::Ipv6Addr).hex(), p("local_port", T::Port).hex(), p("remote_ip", T::Ipv6Addr).hex(), p("remote_port", T::Port).hex(), p("ino_num", T::UInt64)]),
    iterator("task_file_socket_netlink", 446, 1, C::File, f::STATE, &[], &[p("fd", T::Fd32), p("sk_type", T::UInt16), p("sk_proto", T::UInt16), p("ino_num", T::UInt64)]),
    iterator("task_file_socket_unix", 444, 1, C::File, f::STATE, &[], &[p("fd", T::Fd32), p("sk_type", T::UInt16), p("sk_proto", T::UInt16), p("sk_pointer", T::UInt64), p("sun_path", T::FsPath), p("ino_num", T::UInt64)]),
    // Generic system calls.
    generic("_newselect", C::Other, &["_newselect"]),
    generic("_sysctl", C::Other, &["_sysctl"]),
    generic("acct", C::Other, &["acct"]),
    generic("add_key", C::Other, &["add_key"]),
    generic("adjtimex", C::Other, &["adjtimex"]),
    generic("alarm", C::Other, &["alarm"]),
    generic("arch_prctl", C::Other, &["arch_prctl"]),
    generic("bdflush", C::Other, &["bdflush"]),
    generic("cachestat", C::Other, &["cachestat"]),
    generic("capget", C::Other, &["capget"]),
    generic("clock_adjtime", C::Other, &["clock_adjtime"]),
    generic("clock_getres", C::Other, &["clock_getres"]),
    generic("clock_gettime", C::Other, &["clock_gettime"]),
    generic("clock_nanosleep", C::Other, &["clock_nanosleep"]),
    generic("clock_settime", C::Other, &["clock_settime"]),
    generic("create_module", C::Other, &["create_module"]),
    generic("epoll_ctl", C::Other, &["epoll_ctl"]),
    generic("epoll_ctl_old", C::Other, &["epoll_ctl_old"]),
    generic("epoll_pwait", C::Other, &["epoll_pwait"]),
    generic("epoll_pwait2", C::Other, &["epoll_pwait2"]),
    generic("epoll_wait_old", C::Other, &["epoll_wait_old"]),
    generic("exit", C::Other, &["exit"]),
    generic("exit_group", C::Other, &["exit_group"]),
    generic("faccessat", C::Other, &["faccessat"]),
    generic("faccessat2", C::Other, &["faccessat2"]),
    generic("fadvise64", C::Other, &["fadvise64"]),
    generic("fallocate", C::Other, &["fallocate"]),
    generic("fanotify_init", C::Other, &["fanotify_init"]),
    generic("fanotify_mark", C::Other, &["fanotify_mark"]),
    generic("fchmodat2", C::Other, &["fchmodat2"]),
    generic("fdatasync", C::Other, &["fdatasync"]),
    generic("fgetxattr", C::Other, &["fgetxattr"]),
    generic("file_getattr", C::Other, &["file_getattr"]),
    generic("file_setattr", C::Other, &["file_setattr"]),
    generic("flistxattr", C::Other, &["flistxattr"]),
    generic("fremovexattr", C::Other, &["fremovexattr"]),
    generic("fsetxattr", C::Other, &["fsetxattr"]),
    generic("fsmount", C::Other, &["fsmount"]),
    generic("fsopen", C::Other, &["fsopen"]),
    generic("fspick", C::Other, &["fspick"]),
    generic("fstatat64", C::Other, &["fstatat64"]),
    generic("fstatfs", C::Other, &["fstatfs"]),
    generic("fstatfs64", C::Other, &["fstatfs64"]),
    generic("fsync", C::Other, &["fsync"]),
    generic("ftruncate", C::Other, &["ftruncate"]),
    generic("futex_requeue", C::Other, &["futex_requeue"]),
    generic("futex_wait", C::Other, &["futex_wait"]),
    generic("futex_waitv", C::Other, &["futex_waitv"]),
    generic("futex_wake", C::Other, &["futex_wake"]),
    generic("futimesat", C::Other, &["futimesat"]),
    generic("get_kernel_syms", C::Other, &["get_kernel_syms"]),
    generic("get_mempolicy", C::Other, &["get_mempolicy"]),
    generic("get_robust_list", C::Other, &["get_robust_list"]),
    generic("get_thread_area", C::Other, &["get_thread_area"]),
    generic("getcpu", C::Other, &["getcpu"]),
    generic("getgroups", C::Other, &["getgroups"]),
    generic("getitimer", C::Other, &["getitimer"]),
    generic("getpgid", C::Other, &["getpgid"]),
    generic("getpgrp", C::Other, &["getpgrp"]),
    generic("getpid", C::Other, &["getpid"]),
    generic("getpmsg", C::Other, &["getpmsg"]),
    generic("getppid", C::Other, &["getppid"]),
    generic("getpriority", C::Other, &["getpriority"]),
    generic("getrandom", C::Other, &["getrandom"]),
    generic("getrusage", C::Other, &["getrusage"]),
    generic("getsid", C::Other, &["getsid"]),
    generic("gettid", C::Other, &["gettid"]),
    generic("gettimeofday", C::Other, &["gettimeofday"]),
    generic("getxattr", C::Other, &["getxattr"]),
    generic("getxattrat", C::Other, &["getxattrat"]),
    generic("idle", C::Other, &["idle"]),
    generic("inotify_add_watch", C::Other, &["inotify_add_watch"]),
    generic("inotify_rm_watch", C::Other, &["inotify_rm_watch"]),
    generic("io_cancel", C::Other, &["io_cancel"]),
    generic("io_destroy", C::Other, &["io_destroy"]),
    generic("io_getevents", C::Other, &["io_getevents"]),
    generic("io_pgetevents", C::Other, &["io_pgetevents"]),
    generic("io_setup", C::Other, &["io_setup"]),
    generic("io_submit", C::Other, &["io_submit"]),
    generic("ioperm", C::Other, &["ioperm"]),
    generic("iopl", C::Other, &["iopl"]),
    generic("ioprio_get", C::Other, &["ioprio_get"]),
    generic("ioprio_set", C::Other, &["ioprio_set"]),
    generic("ipc", C::Other, &["ipc"]),
    generic("kcmp", C::Other, &["kcmp"]),
    generic("kexec_file_load", C::Other, &["kexec_file_load"]),
    generic("kexec_load", C::Other, &["kexec_load"]),
    generic("landlock_add_rule", C::Other, &["landlock_add_rule"]),
    generic("landlock_create_ruleset", C::Other, &["landlock_create_ruleset"]),
    generic("landlock_restrict_self", C::Other, &["landlock_restrict_self"]),
    generic("lgetxattr", C::Other, &["lgetxattr"]),
    generic("listmount", C::Other, &["listmount"]),
    generic("listns", C::Other, &["listns"]),
    generic("listxattr", C::Other, &["listxattr"]),
    generic("listxattrat", C::Other, &["listxattrat"]),
    generic("llistxattr", C::Other, &["llistxattr"]),
    generic("lookup_dcookie", C::Other, &["lookup_dcookie"]),
    generic("lremovexattr", C::Other, &["lremovexattr"]),
    generic("lsetxattr", C::Other, &["lsetxattr"]),
    generic("lsm_get_self_attr", C::Other, &["lsm_get_self_attr"]),
    generic("lsm_list_modules", C::Other, &["lsm_list_modules"]),
    generic("lsm_set_self_attr", C::Other, &["lsm_set_self_attr"]),
    generic("madvise", C::Other, &["madvise"]),
    generic("map_shadow_stack", C::Other, &["map_shadow_stack"]),
    generic("mbind", C::Other, &["mbind"]),
    generic("membarrier", C::Other, &["membarrier"]),
    generic("memfd_secret", C::Other, &["memfd_secret"]),
    generic("migrate_pages", C::Other, &["migrate_pages"]),
    generic("mincore", C::Other, &["mincore"]),
    generic("modify_ldt", C::Other, &["modify_ldt"]),
    generic("mount_setattr", C::Other, &["mount_setattr"]),
    generic("move_mount", C::Other, &["move_mount"]),
    generic("move_pages", C::Other, &["move_pages"]),
    generic("mq_getsetattr", C::Other, &["mq_getsetattr"]),
    generic("mq_notify", C::Other, &["mq_notify"]),
    generic("mq_open", C::Other, &["mq_open"]),
    generic("mq_timedreceive", C::Other, &["mq_timedreceive"]),
    generic("mq_timedsend", C::Other, &["mq_timedsend"]),
    generic("mq_unlink", C::Other, &["mq_unlink"]),
    generic("mremap", C::Other, &["mremap"]),
    generic("mseal", C::Other, &["mseal"]),
    generic("msgctl", C::Other, &["msgctl"]),
    generic("msgget", C::Other, &["msgget"]),
    generic("msgrcv", C::Other, &["msgrcv"]),
    generic("msgsnd", C::Other, &["msgsnd"]),
    generic("msync", C::Other, &["msync"]),
    generic("multiplexer", C::Other, &["multiplexer"]),
    generic("name_to_handle_at", C::Other, &["name_to_handle_at"]),
    generic("nfsservctl", C::Other, &["nfsservctl"]),
    generic("nice", C::Other, &["nice"]),
    generic("oldfstat", C::Other, &["oldfstat"]),
    generic("oldlstat", C::Other, &["oldlstat"]),
    generic("oldolduname", C::Other, &["oldolduname"]),
    generic("oldstat", C::Other, &["oldstat"]),
    generic("olduname", C::Other, &["olduname"]),
    generic("open_tree", C::Other, &["open_tree"]),
    generic("open_tree_attr", C::Other, &["open_tree_attr"]),
    generic("pause", C::Other, &["pause"]),
    generic("pciconfig_iobase", C::Other, &["pciconfig_iobase"]),
    generic("pciconfig_read", C::Other, &["pciconfig_read"]),
    generic("pciconfig_write", C::Other, &["pciconfig_write"]),
    generic("perf_event_open", C::Other, &["perf_event_open"]),
    generic("personality", C::Other, &["personality"]),
    generic("pidfd_send_signal", C::Other, &["pidfd_send_signal"]),
    generic("pivot_root", C::Other, &["pivot_root"]),
    generic("pkey_alloc", C::Other, &["pkey_alloc"]),
    generic("pkey_free", C::Other, &["pkey_free"]),
    generic("pkey_mprotect", C::Other, &["pkey_mprotect"]),
    generic("preadv2", C::Other, &["preadv2"]),
    generic("process_madvise", C::Other, &["process_madvise"]),
    generic("process_mrelease", C::Other, &["process_mrelease"]),
    generic("pselect6", C::Other, &["pselect6"]),
    generic("pwritev2", C::Other, &["pwritev2"]),
    generic("query_module", C::Other, &["query_module"]),
    generic("quotactl_fd", C::Other, &["quotactl_fd"]),
    generic("readahead", C::Other, &["readahead"]),
    generic("readdir", C::Other, &["readdir"]),
    generic("readlink", C::Other, &["readlink"]),
    generic("readlinkat", C::Other, &["readlinkat"]),
    generic("reboot", C::Other, &["reboot"]),
    generic("remap_file_pages", C::Other, &["remap_file_pages"]),
    generic("removexattr", C::Other, &["removexattr"]),
    generic("removexattrat", C::Other, &["removexattrat"]),
    generic("request_key", C::Other, &["request_key"]),
    generic("restart_syscall", C::Other, &["restart_syscall"]),
    generic("riscv_flush_icache", C::Other, &["riscv_flush_icache"]),
    generic("riscv_hwprobe", C::Other, &["riscv_hwprobe"]),
    generic("rseq", C::Other, &["rseq"]),
    generic("rseq_slice_yield", C::Other, &["rseq_slice_yield"]),
    generic("rt_sigaction", C::Other, &["rt_sigaction"]),
    generic("rt_sigpending", C::Other, &["rt_sigpending"]),
    generic("rt_sigprocmask", C::Other, &["rt_sigprocmask"]),
    generic("rt_sigqueueinfo", C::Other, &["rt_sigqueueinfo"]),
    generic("rt_sigreturn", C::Other, &["rt_sigreturn"]),
    generic("rt_sigsuspend", C::Other, &["rt_sigsuspend"]),
    generic("rt_sigtimedwait", C::Other, &["rt_sigtimedwait"]),
    generic("rt_tgsigqueueinfo", C::Other, &["rt_tgsigqueueinfo"]),
    generic("rtas", C::Other, &["rtas"]),
    generic("s390_guarded_storage", C::Other, &["s390_guarded_storage"]),
    generic("s390_pci_mmio_read", C::Other, &["s390_pci_mmio_read"]),
    generic("s390_pci_mmio_write", C::Other, &["s390_pci_mmio_write"]),
    generic("s390_runtime_instr", C::Other, &["s390_runtime_instr"]),
    generic("s390_sthyi", C::Other, &["s390_sthyi"]),
    generic("sched_get_priority_max", C::Other, &["sched_get_priority_max"]),
    generic("sched_get_priority_min", C::Other, &["sched_get_priority_min"]),
    generic("sched_getaffinity", C::Other, &["sched_getaffinity"]),
    generic("sched_getattr", C::Other, &["sched_getattr"]),
    generic("sched_getparam", C::Other, &["sched_getparam"]),
    generic("sched_getscheduler", C::Other, &["sched_getscheduler"]),
    generic("sched_rr_get_interval", C::Other, &["sched_rr_get_interval"]),
    generic("sched_setaffinity", C::Other, &["sched_setaffinity"]),
    generic("sched_setattr", C::Other, &["sched_setattr"]),
    generic("sched_setparam", C::Other, &["sched_setparam"]),
    generic("sched_setscheduler", C::Other, &["sched_setscheduler"]),
    generic("sched_yield", C::Other, &["sched_yield"]),
    generic("semtimedop", C::Other, &["semtimedop"]),
    generic("set_mempolicy", C::Other, &["set_mempolicy"]),
    generic("set_mempolicy_home_node", C::Other, &["set_mempolicy_home_node"]),
    generic("set_robust_list", C::Other, &["set_robust_list"]),
    generic("set_thread_area", C::Other, &["set_thread_area"]),
    generic("set_tid_address", C::Other, &["set_tid_address"]),
    generic("setdomainname", C::Other, &["setdomainname"]),
    generic("setfsgid", C::Other, &["setfsgid"]),
    generic("setfsuid", C::Other, &["setfsuid"]),
    generic("setgroups", C::Other, &["setgroups"]),
    generic("sethostname", C::Other, &["sethostname"]),
    generic("setitimer", C::Other, &["setitimer"]),
    generic("setpriority", C::Other, &["setpriority"]),
    generic("settimeofday", C::Other, &["settimeofday"]),
    generic("setxattr", C::Other, &["setxattr"]),
    generic("setxattrat", C::Other, &["setxattrat"]),
    generic("sgetmask", C::Other, &["sgetmask"]),
    generic("shmat", C::Other, &["shmat"]),
    generic("shmctl", C::Other, &["shmctl"]),
    generic("shmdt", C::Other, &["shmdt"]),
    generic("shmget", C::Other, &["shmget"]),
    generic("sigaction", C::Other, &["sigaction"]),
    generic("sigaltstack", C::Other, &["sigaltstack"]),
    generic("signal", C::Other, &["signal"]),
    generic("sigpending", C::Other, &["sigpending"]),
    generic("sigprocmask", C::Other, &["sigprocmask"]),
    generic("sigreturn", C::Other, &["sigreturn"]),
    generic("sigsuspend", C::Other, &["sigsuspend"]),
    generic("socketcall", C::Other, &["socketcall"]),
    generic("spu_create", C::Other, &["spu_create"]),
    generic("spu_run", C::Other, &["spu_run"]),
    generic("ssetmask", C::Other, &["ssetmask"]),
    generic("statfs", C::Other, &["statfs"]),
    generic("statfs64", C::Other, &["statfs64"]),
    generic("statmount", C::Other, &["statmount"]),
    generic("statx", C::Other, &["statx"]),
    generic("stime", C::Other, &["stime"]),
    generic("subpage_prot", C::Other, &["subpage_prot"]),
    generic("swapcontext", C::Other, &["swapcontext"]),
    generic("swapoff", C::Other, &["swapoff"]),
    generic("swapon", C::Other, &["swapon"]),
    generic("switch_endian", C::Other, &["switch_endian"]),
    generic("sync", C::Other, &["sync"]),
    generic("sync_file_range", C::Other, &["sync_file_range"]),
    generic("sync_file_range2", C::Other, &["sync_file_range2"]),
    generic("syncfs", C::Other, &["syncfs"]),
    generic("sys_debug_setcontext", C::Other, &["sys_debug_setcontext"]),
    generic("sysfs", C::Other, &["sysfs"]),
    generic("sysinfo", C::Other, &["sysinfo"]),
    generic("syslog", C::Other, &["syslog"]),
    generic("tee", C::Other, &["tee"]),
    generic("time", C::Other, &["time"]),
    generic("timer_create", C::Other, &["timer_create"]),
    generic("timer_delete", C::Other, &["timer_delete"]),
    generic("timer_getoverrun", C::Other, &["timer_getoverrun"]),
    generic("timer_gettime", C::Other, &["timer_gettime"]),
    generic("timer_settime", C::Other, &["timer_settime"]),
    generic("timerfd", C::Other, &["timerfd"]),
    generic("timerfd_gettime", C::Other, &["timerfd_gettime"]),
    generic("timerfd_settime", C::Other, &["timerfd_settime"]),
    generic("times", C::Other, &["times"]),
    generic("truncate", C::Other, &["truncate"]),
    generic("umask", C::Other, &["umask"]),
    generic("uname", C::Other, &["uname"]),
    generic("uprobe", C::Other, &["uprobe"]),
    generic("uretprobe", C::Other, &["uretprobe"]),
    generic("uselib", C::Other, &["uselib"]),
    generic("ustat", C::Other, &["ustat"]),
    generic("utime", C::Other, &["utime"]),
    generic("utimensat", C::Other, &["utimensat"]),
    generic("utimes", C::Other, &["utimes"]),
    generic("vhangup", C::Other, &["vhangup"]),
    generic("vm86", C::Other, &["vm86"]),
    generic("vmsplice", C::Other, &["vmsplice"]),
    generic("wait4", C::Other, &["wait4"]),
    generic("waitid", C::Other, &["waitid"]),
    generic("waitpid", C::Other, &["waitpid"]),
    // A system call with an event of its own, seen without parameters: the third one is its name.
    generic("syscall", C::Other, &[]),
];

/// Event types that code names; a test holds each against its row.
#[allow(missing_docs, reason = "each constant is the name of its row")]
pub mod known {
    use super::super::EventType;

    pub const ACCEPT: EventType = EventType(0);
    pub const ACCEPT4: EventType = EventType(1);
    pub const ACCESS: EventType = EventType(2);
    pub const BIND: EventType = EventType(3);
    pub const BPF: EventType = EventType(4);
    pub const BRK: EventType = EventType(5);
    pub const CAPSET: EventType = EventType(6);
    pub const CHDIR: EventType = EventType(7);
    pub const CHMOD: EventType = EventType(8);
    pub const CHOWN: EventType = EventType(9);
    pub const CHROOT: EventType = EventType(10);
    pub const CLONE: EventType = EventType(11);
    pub const CLONE3: EventType = EventType(12);
    pub const CLOSE: EventType = EventType(13);
    pub const CLOSE_RANGE: EventType = EventType(14);
    pub const CONNECT: EventType = EventType(15);
    pub const COPY_FILE_RANGE: EventType = EventType(16);
    pub const CREAT: EventType = EventType(17);
    pub const DELETE_MODULE: EventType = EventType(18);
    pub const DUP: EventType = EventType(19);
    pub const DUP2: EventType = EventType(20);
    pub const DUP3: EventType = EventType(21);
    pub const EPOLL_CREATE: EventType = EventType(22);
    pub const EPOLL_CREATE1: EventType = EventType(23);
    pub const EPOLL_WAIT: EventType = EventType(24);
    pub const EVENTFD: EventType = EventType(25);
    pub const EVENTFD2: EventType = EventType(26);
    pub const EXECVE: EventType = EventType(27);
    pub const EXECVEAT: EventType = EventType(28);
    pub const FCHDIR: EventType = EventType(29);
    pub const FCHMOD: EventType = EventType(30);
    pub const FCHMODAT: EventType = EventType(31);
    pub const FCHOWN: EventType = EventType(32);
    pub const FCHOWNAT: EventType = EventType(33);
    pub const FCNTL: EventType = EventType(34);
    pub const FINIT_MODULE: EventType = EventType(35);
    pub const FLOCK: EventType = EventType(36);
    pub const FORK: EventType = EventType(37);
    pub const FSCONFIG: EventType = EventType(38);
    pub const FSTAT: EventType = EventType(39);
    pub const FSTAT64: EventType = EventType(40);
    pub const FUTEX: EventType = EventType(41);
    pub const GETCWD: EventType = EventType(42);
    pub const GETDENTS: EventType = EventType(43);
    pub const GETDENTS64: EventType = EventType(44);
    pub const GETEGID: EventType = EventType(45);
    pub const GETEUID: EventType = EventType(46);
    pub const GETGID: EventType = EventType(47);
    pub const GETPEERNAME: EventType = EventType(48);
    pub const GETRESGID: EventType = EventType(49);
    pub const GETRESUID: EventType = EventType(50);
    pub const GETRLIMIT: EventType = EventType(51);
    pub const GETSOCKNAME: EventType = EventType(52);
    pub const GETSOCKOPT: EventType = EventType(53);
    pub const GETUID: EventType = EventType(54);
    pub const INIT_MODULE: EventType = EventType(55);
    pub const INOTIFY_INIT: EventType = EventType(56);
    pub const INOTIFY_INIT1: EventType = EventType(57);
    pub const IO_URING_ENTER: EventType = EventType(58);
    pub const IO_URING_REGISTER: EventType = EventType(59);
    pub const IO_URING_SETUP: EventType = EventType(60);
    pub const IOCTL: EventType = EventType(61);
    pub const KEYCTL: EventType = EventType(62);
    pub const KILL: EventType = EventType(63);
    pub const LCHOWN: EventType = EventType(64);
    pub const LINK: EventType = EventType(65);
    pub const LINKAT: EventType = EventType(66);
    pub const LISTEN: EventType = EventType(67);
    pub const LLSEEK: EventType = EventType(68);
    pub const LSEEK: EventType = EventType(69);
    pub const LSTAT: EventType = EventType(70);
    pub const LSTAT64: EventType = EventType(71);
    pub const MEMFD_CREATE: EventType = EventType(72);
    pub const MKDIR: EventType = EventType(73);
    pub const MKDIRAT: EventType = EventType(74);
    pub const MKNOD: EventType = EventType(75);
    pub const MKNODAT: EventType = EventType(76);
    pub const MLOCK: EventType = EventType(77);
    pub const MLOCK2: EventType = EventType(78);
    pub const MLOCKALL: EventType = EventType(79);
    pub const MMAP: EventType = EventType(80);
    pub const MMAP2: EventType = EventType(81);
    pub const MOUNT: EventType = EventType(82);
    pub const MPROTECT: EventType = EventType(83);
    pub const MUNLOCK: EventType = EventType(84);
    pub const MUNLOCKALL: EventType = EventType(85);
    pub const MUNMAP: EventType = EventType(86);
    pub const NANOSLEEP: EventType = EventType(87);
    pub const NEWFSTATAT: EventType = EventType(88);
    pub const OPEN: EventType = EventType(89);
    pub const OPEN_BY_HANDLE_AT: EventType = EventType(90);
    pub const OPENAT: EventType = EventType(91);
    pub const OPENAT2: EventType = EventType(92);
    pub const PIDFD_GETFD: EventType = EventType(93);
    pub const PIDFD_OPEN: EventType = EventType(94);
    pub const PIPE: EventType = EventType(95);
    pub const PIPE2: EventType = EventType(96);
    pub const POLL: EventType = EventType(97);
    pub const PPOLL: EventType = EventType(98);
    pub const PRCTL: EventType = EventType(99);
    pub const PREAD: EventType = EventType(100);
    pub const PREADV: EventType = EventType(101);
    pub const PRLIMIT: EventType = EventType(102);
    pub const PROCESS_VM_READV: EventType = EventType(103);
    pub const PROCESS_VM_WRITEV: EventType = EventType(104);
    pub const PTRACE: EventType = EventType(105);
    pub const PWRITE: EventType = EventType(106);
    pub const PWRITEV: EventType = EventType(107);
    pub const QUOTACTL: EventType = EventType(108);
    pub const READ: EventType = EventType(109);
    pub const READV: EventType = EventType(110);
    pub const RECV: EventType = EventType(111);
    pub const RECVFROM: EventType = EventType(112);
    pub const RECVMMSG: EventType = EventType(113);
    pub const RECVMSG: EventType = EventType(114);
    pub const RENAME: EventType = EventType(115);
    pub const RENAMEAT: EventType = EventType(116);
    pub const RENAMEAT2: EventType = EventType(117);
    pub const RMDIR: EventType = EventType(118);
    pub const SECCOMP: EventType = EventType(119);
    pub const SELECT: EventType = EventType(120);
    pub const SEMCTL: EventType = EventType(121);
    pub const SEMGET: EventType = EventType(122);
    pub const SEMOP: EventType = EventType(123);
    pub const SEND: EventType = EventType(124);
    pub const SENDFILE: EventType = EventType(125);
    pub const SENDMMSG: EventType = EventType(126);
    pub const SENDMSG: EventType = EventType(127);
    pub const SENDTO: EventType = EventType(128);
    pub const SETGID: EventType = EventType(129);
    pub const SETNS: EventType = EventType(130);
    pub const SETPGID: EventType = EventType(131);
    pub const SETREGID: EventType = EventType(132);
    pub const SETRESGID: EventType = EventType(133);
    pub const SETRESUID: EventType = EventType(134);
    pub const SETREUID: EventType = EventType(135);
    pub const SETRLIMIT: EventType = EventType(136);
    pub const SETSID: EventType = EventType(137);
    pub const SETSOCKOPT: EventType = EventType(138);
    pub const SETUID: EventType = EventType(139);
    pub const SHUTDOWN: EventType = EventType(140);
    pub const SIGNALFD: EventType = EventType(141);
    pub const SIGNALFD4: EventType = EventType(142);
    pub const SOCKET: EventType = EventType(143);
    pub const SOCKETPAIR: EventType = EventType(144);
    pub const SPLICE: EventType = EventType(145);
    pub const STAT: EventType = EventType(146);
    pub const STAT64: EventType = EventType(147);
    pub const SYMLINK: EventType = EventType(148);
    pub const SYMLINKAT: EventType = EventType(149);
    pub const TGKILL: EventType = EventType(150);
    pub const TIMERFD_CREATE: EventType = EventType(151);
    pub const TKILL: EventType = EventType(152);
    pub const UMOUNT: EventType = EventType(153);
    pub const UMOUNT2: EventType = EventType(154);
    pub const UNLINK: EventType = EventType(155);
    pub const UNLINKAT: EventType = EventType(156);
    pub const UNSHARE: EventType = EventType(157);
    pub const USERFAULTFD: EventType = EventType(158);
    pub const VFORK: EventType = EventType(159);
    pub const WRITE: EventType = EventType(160);
    pub const WRITEV: EventType = EventType(161);
    pub const PAGE_FAULT: EventType = EventType(162);
    pub const PROCEXIT: EventType = EventType(163);
    pub const SIGNALDELIVER: EventType = EventType(164);
    pub const SWITCH: EventType = EventType(165);
    pub const ASYNCEVENT: EventType = EventType(166);
    pub const CONTAINER: EventType = EventType(167);
    pub const CPU_HOTPLUG: EventType = EventType(168);
    pub const DROP: EventType = EventType(169);
    pub const GROUPADDED: EventType = EventType(170);
    pub const GROUPDELETED: EventType = EventType(171);
    pub const INFRA: EventType = EventType(172);
    pub const NOTIFICATION: EventType = EventType(173);
    pub const PROCINFO: EventType = EventType(174);
    pub const SCAPEVENT: EventType = EventType(175);
    pub const USERADDED: EventType = EventType(176);
    pub const USERDELETED: EventType = EventType(177);
    pub const PLUGINEVENT: EventType = EventType(178);
    pub const TASK: EventType = EventType(179);
    pub const TASK_FILE_ANON_INODE: EventType = EventType(180);
    pub const TASK_FILE_DIRECTORY: EventType = EventType(181);
    pub const TASK_FILE_MEMFD: EventType = EventType(182);
    pub const TASK_FILE_PIPE: EventType = EventType(183);
    pub const TASK_FILE_REGULAR: EventType = EventType(184);
    pub const TASK_FILE_SOCKET_INET: EventType = EventType(185);
    pub const TASK_FILE_SOCKET_INET6: EventType = EventType(186);
    pub const TASK_FILE_SOCKET_NETLINK: EventType = EventType(187);
    pub const TASK_FILE_SOCKET_UNIX: EventType = EventType(188);
    pub const SYSCALL: EventType = EventType(461);
    /// Every known constant with the name of its row.
    pub const ALL: &[(EventType, &str)] = &[
        (ACCEPT, "accept"),
        (ACCEPT4, "accept4"),
        (ACCESS, "access"),
        (BIND, "bind"),
        (BPF, "bpf"),
        (BRK, "brk"),
        (CAPSET, "capset"),
        (CHDIR, "chdir"),
        (CHMOD, "chmod"),
        (CHOWN, "chown"),
        (CHROOT, "chroot"),
        (CLONE, "clone"),
        (CLONE3, "clone3"),
        (CLOSE, "close"),
        (CLOSE_RANGE, "close_range"),
        (CONNECT, "connect"),
        (COPY_FILE_RANGE, "copy_file_range"),
        (CREAT, "creat"),
        (DELETE_MODULE, "delete_module"),
        (DUP, "dup"),
        (DUP2, "dup2"),
        (DUP3, "dup3"),
        (EPOLL_CREATE, "epoll_create"),
        (EPOLL_CREATE1, "epoll_create1"),
        (EPOLL_WAIT, "epoll_wait"),
        (EVENTFD, "eventfd"),
        (EVENTFD2, "eventfd2"),
        (EXECVE, "execve"),
        (EXECVEAT, "execveat"),
        (FCHDIR, "fchdir"),
        (FCHMOD, "fchmod"),
        (FCHMODAT, "fchmodat"),
        (FCHOWN, "fchown"),
        (FCHOWNAT, "fchownat"),
        (FCNTL, "fcntl"),
        (FINIT_MODULE, "finit_module"),
        (FLOCK, "flock"),
        (FORK, "fork"),
        (FSCONFIG, "fsconfig"),
        (FSTAT, "fstat"),
        (FSTAT64, "fstat64"),
        (FUTEX, "futex"),
        (GETCWD, "getcwd"),
        (GETDENTS, "getdents"),
        (GETDENTS64, "getdents64"),
        (GETEGID, "getegid"),
        (GETEUID, "geteuid"),
        (GETGID, "getgid"),
        (GETPEERNAME, "getpeername"),
        (GETRESGID, "getresgid"),
        (GETRESUID, "getresuid"),
        (GETRLIMIT, "getrlimit"),
        (GETSOCKNAME, "getsockname"),
        (GETSOCKOPT, "getsockopt"),
        (GETUID, "getuid"),
        (INIT_MODULE, "init_module"),
        (INOTIFY_INIT, "inotify_init"),
        (INOTIFY_INIT1, "inotify_init1"),
        (IO_URING_ENTER, "io_uring_enter"),
        (IO_URING_REGISTER, "io_uring_register"),
        (IO_URING_SETUP, "io_uring_setup"),
        (IOCTL, "ioctl"),
        (KEYCTL, "keyctl"),
        (KILL, "kill"),
        (LCHOWN, "lchown"),
        (LINK, "link"),
        (LINKAT, "linkat"),
        (LISTEN, "listen"),
        (LLSEEK, "llseek"),
        (LSEEK, "lseek"),
        (LSTAT, "lstat"),
        (LSTAT64, "lstat64"),
        (MEMFD_CREATE, "memfd_create"),
        (MKDIR, "mkdir"),
        (MKDIRAT, "mkdirat"),
        (MKNOD, "mknod"),
        (MKNODAT, "mknodat"),
        (MLOCK, "mlock"),
        (MLOCK2, "mlock2"),
        (MLOCKALL, "mlockall"),
        (MMAP, "mmap"),
        (MMAP2, "mmap2"),
        (MOUNT, "mount"),
        (MPROTECT, "mprotect"),
        (MUNLOCK, "munlock"),
        (MUNLOCKALL, "munlockall"),
        (MUNMAP, "munmap"),
        (NANOSLEEP, "nanosleep"),
        (NEWFSTATAT, "newfstatat"),
        (OPEN, "open"),
        (OPEN_BY_HANDLE_AT, "open_by_handle_at"),
        (OPENAT, "openat"),
        (OPENAT2, "openat2"),
        (PIDFD_GETFD, "pidfd_getfd"),
        (PIDFD_OPEN, "pidfd_open"),
        (PIPE, "pipe"),
        (PIPE2, "pipe2"),
        (POLL, "poll"),
        (PPOLL, "ppoll"),
        (PRCTL, "prctl"),
        (PREAD, "pread"),
        (PREADV, "preadv"),
        (PRLIMIT, "prlimit"),
        (PROCESS_VM_READV, "process_vm_readv"),
        (PROCESS_VM_WRITEV, "process_vm_writev"),
        (PTRACE, "ptrace"),
        (PWRITE, "pwrite"),
        (PWRITEV, "pwritev"),
        (QUOTACTL, "quotactl"),
        (READ, "read"),
        (READV, "readv"),
        (RECV, "recv"),
        (RECVFROM, "recvfrom"),
        (RECVMMSG, "recvmmsg"),
        (RECVMSG, "recvmsg"),
        (RENAME, "rename"),
        (RENAMEAT, "renameat"),
        (RENAMEAT2, "renameat2"),
        (RMDIR, "rmdir"),
        (SECCOMP, "seccomp"),
        (SELECT, "select"),
        (SEMCTL, "semctl"),
        (SEMGET, "semget"),
        (SEMOP, "semop"),
        (SEND, "send"),
        (SENDFILE, "sendfile"),
        (SENDMMSG, "sendmmsg"),
        (SENDMSG, "sendmsg"),
        (SENDTO, "sendto"),
        (SETGID, "setgid"),
        (SETNS, "setns"),
        (SETPGID, "setpgid"),
        (SETREGID, "setregid"),
        (SETRESGID, "setresgid"),
        (SETRESUID, "setresuid"),
        (SETREUID, "setreuid"),
        (SETRLIMIT, "setrlimit"),
        (SETSID, "setsid"),
        (SETSOCKOPT, "setsockopt"),
        (SETUID, "setuid"),
        (SHUTDOWN, "shutdown"),
        (SIGNALFD, "signalfd"),
        (SIGNALFD4, "signalfd4"),
        (SOCKET, "socket"),
        (SOCKETPAIR, "socketpair"),
        (SPLICE, "splice"),
        (STAT, "stat"),
        (STAT64, "stat64"),
        (SYMLINK, "symlink"),
        (SYMLINKAT, "symlinkat"),
        (TGKILL, "tgkill"),
        (TIMERFD_CREATE, "timerfd_create"),
        (TKILL, "tkill"),
        (UMOUNT, "umount"),
        (UMOUNT2, "umount2"),
        (UNLINK, "unlink"),
        (UNLINKAT, "unlinkat"),
        (UNSHARE, "unshare"),
        (USERFAULTFD, "userfaultfd"),
        (VFORK, "vfork"),
        (WRITE, "write"),
        (WRITEV, "writev"),
        (PAGE_FAULT, "page_fault"),
        (PROCEXIT, "procexit"),
        (SIGNALDELIVER, "signaldeliver"),
        (SWITCH, "switch"),
        (ASYNCEVENT, "asyncevent"),
        (CONTAINER, "container"),
        (CPU_HOTPLUG, "cpu_hotplug"),
        (DROP, "drop"),
        (GROUPADDED, "groupadded"),
        (GROUPDELETED, "groupdeleted"),
        (INFRA, "infra"),
        (NOTIFICATION, "notification"),
        (PROCINFO, "procinfo"),
        (SCAPEVENT, "scapevent"),
        (USERADDED, "useradded"),
        (USERDELETED, "userdeleted"),
        (PLUGINEVENT, "pluginevent"),
        (TASK, "task"),
        (TASK_FILE_ANON_INODE, "task_file_anon_inode"),
        (TASK_FILE_DIRECTORY, "task_file_directory"),
        (TASK_FILE_MEMFD, "task_file_memfd"),
        (TASK_FILE_PIPE, "task_file_pipe"),
        (TASK_FILE_REGULAR, "task_file_regular"),
        (TASK_FILE_SOCKET_INET, "task_file_socket_inet"),
        (TASK_FILE_SOCKET_INET6, "task_file_socket_inet6"),
        (TASK_FILE_SOCKET_NETLINK, "task_file_socket_netlink"),
        (TASK_FILE_SOCKET_UNIX, "task_file_socket_unix"),
        (SYSCALL, "syscall"),
    ];
}
