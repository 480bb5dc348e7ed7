//! `proc.*` and `thread.*`: who did it.

use super::proc_kin::{self as kin, Group, parent, parent_entry};
use super::proc_who as who;
use super::{
    Arg, ArgKind as A, Compare, FieldClass, FieldFlags as F, FieldInfo, field, names, path, tuple,
};
use crate::event::{DataType as T, Event, Unread, Value};

/// Additional information about the process and thread executing the syscall event.
pub static CLASS: FieldClass = FieldClass {
    name: "process",
    short: "",
    doc: "Additional information about the process and thread executing the syscall event.",
    fields: CLASS_FIELDS,
};

#[rustfmt::skip]
static CLASS_FIELDS: &[FieldInfo] = &[
    field("proc.exe", T::CharBuf, "argv[0].", |e, _| who::text(e.thread?, Unread::ARGS, |t| &t.exe)),
    field("proc.pexe", T::CharBuf, "proc.exe of the parent.", |e, _| who::text(parent(e)?, Unread::ARGS, |t| &t.exe)),
    field("proc.aexe", T::CharBuf, "proc.exe of the n-th ancestor.", |e, arg| kin::shown(e, arg, |_, t| who::text(t, Unread::ARGS, |t| &t.exe))).arg(A::INDEX).flags(F::NO_RHS | F::NO_TRANSFORMER).compare(Compare::Any(|e, _| kin::all(e, |_, t| who::text(t, Unread::ARGS, |t| &t.exe)))),
    field("proc.exepath", T::CharBuf, "Absolute path of the executable.", |e, _| who::text(e.thread?, Unread::EXEPATH, |t| &t.exepath)),
    field("proc.pexepath", T::CharBuf, "proc.exepath of the parent.", |e, _| who::text(parent(e)?, Unread::EXEPATH, |t| &t.exepath)),
    field("proc.aexepath", T::CharBuf, "proc.exepath of the n-th ancestor.", |e, arg| kin::shown(e, arg, |_, t| who::text(t, Unread::EXEPATH, |t| &t.exepath))).arg(A::INDEX).flags(F::NO_RHS | F::NO_TRANSFORMER).compare(Compare::Any(|e, _| kin::all(e, |_, t| who::text(t, Unread::EXEPATH, |t| &t.exepath)))),
    field("proc.name", T::CharBuf, "comm (15 bytes max).", |e, _| who::text(e.thread?, Unread::COMM, |t| &t.comm)),
    field("proc.pname", T::CharBuf, "proc.name of the parent.", |e, _| who::text(parent(e)?, Unread::COMM, |t| &t.comm)),
    field("proc.aname", T::CharBuf, "proc.name of the n-th ancestor.", |e, arg| kin::shown(e, arg, |_, t| who::text(t, Unread::COMM, |t| &t.comm))).arg(A::INDEX).flags(F::NO_RHS | F::NO_TRANSFORMER).compare(Compare::Any(|e, _| kin::all(e, |_, t| who::text(t, Unread::COMM, |t| &t.comm)))),
    field("proc.args", T::CharBuf, "argv[1..] joined by blanks, or one of them (0 = argv[1]).", who::args).arg(A::INDEX),
    field("proc.aargs", T::CharBuf, "proc.args of the n-th ancestor.", |e, arg| kin::shown(e, arg, who::joined_args)).arg(A::INDEX),
    field("proc.cmdline", T::CharBuf, "proc.name + blank-joined args.", |e, _| who::cmdline(e, e.thread?)),
    field("proc.pcmdline", T::CharBuf, "proc.cmdline of the parent.", |e, _| who::cmdline(e, parent(e)?)),
    field("proc.acmdline", T::CharBuf, "proc.cmdline of the n-th ancestor.", |e, arg| kin::shown(e, arg, who::cmdline)).arg(A::INDEX).flags(F::NO_RHS | F::NO_TRANSFORMER).compare(Compare::Any(|e, _| kin::all(e, who::cmdline))),
    field("proc.cmdnargs", T::UInt64, "Number of args without argv[0].", |e, _| who::count(who::known_args(e.thread?)?.count())),
    field("proc.cmdlenargs", T::UInt64, "Total length of args without separators.", |e, _| who::count(who::known_args(e.thread?)?.map(<[u8]>::len).sum())),
    field("proc.exeline", T::CharBuf, "proc.exe + blank + args.", |e, _| who::exeline(e, e.thread?)),
    field("proc.env", T::CharBuf, "Environment joined by blanks, or value of one variable.", who::env).arg(A::KEY).made_of(|e, _| who::told_environment(e, e.thread?).map(Value::Bytes)),
    field("proc.aenv", T::CharBuf, "Environment of ancestors.", kin::aenv).arg(A::INDEX_OR_KEY).flags(F::NO_RHS | F::NO_TRANSFORMER).compare(Compare::Any(|e, _| kin::all(e, who::environment))),
    field("proc.cwd", T::CharBuf, "Working directory with a trailing slash.", who::cwd).begins_as(who::told_cwd),
    field("proc.loginshellid", T::Int64, "Pid of the eldest process in the ancestry (self included) whose comm ends in sh.", kin::login_shell),
    field("proc.tty", T::UInt32, "Controlling tty device number, 0 if none.", |e, _| e.thread?.tty.map(|tty| Value::UInt(tty.into()))),
    field("proc.pid", T::Int64, "Process id (host pid namespace).", |e, _| Some(Value::Int(e.thread?.pid))),
    field("proc.ppid", T::Int64, "Pid of the parent process.", |e, _| Some(Value::Int(parent(e)?.pid))),
    field("proc.apid", T::Int64, "Pid of the n-th ancestor.", kin::apid).arg(A::INDEX).flags(F::NO_RHS | F::NO_TRANSFORMER).compare(Compare::Any(|e, _| kin::all(e, |_, t| Some(Value::Int(t.pid))))),
    field("proc.vpid", T::Int64, "Pid in its own pid namespace.", |e, _| who::told_id(e.thread?.vpid)),
    field("proc.pvpid", T::Int64, "Vpid of the parent.", |e, _| who::told_id(parent_entry(e)?.vpid)),
    field("proc.sid", T::Int64, "Session id (as seen in its pid namespace).", |e, _| e.thread?.sid.map(Value::Int)),
    field("proc.sname", T::CharBuf, "comm of the session leader.", |e, _| kin::leader_text(e, Group::Session, |t| &t.comm)),
    field("proc.sid.exe", T::CharBuf, "argv[0] of the session leader.", |e, _| kin::leader_text(e, Group::Session, |t| &t.exe)),
    field("proc.sid.exepath", T::CharBuf, "Exepath of the session leader.", |e, _| kin::leader_text(e, Group::Session, |t| &t.exepath)),
    field("proc.vpgid", T::Int64, "Process group id in its pid namespace.", |e, _| e.thread?.vpgid.map(Value::Int)),
    field("proc.vpgid.name", T::CharBuf, "comm of the process group leader (virtual ids).", |e, _| kin::leader_text(e, Group::Virtual, |t| &t.comm)),
    field("proc.vpgid.exe", T::CharBuf, "argv[0] of the process group leader (virtual ids).", |e, _| kin::leader_text(e, Group::Virtual, |t| &t.exe)),
    field("proc.vpgid.exepath", T::CharBuf, "Exepath of the process group leader (virtual ids).", |e, _| kin::leader_text(e, Group::Virtual, |t| &t.exepath)),
    field("proc.pgid", T::Int64, "Process group id in the host pid namespace.", |e, _| e.thread?.pgid.map(Value::Int)),
    field("proc.pgid.name", T::CharBuf, "comm of the process group leader (host ids).", |e, _| kin::leader_text(e, Group::Host, |t| &t.comm)),
    field("proc.pgid.exe", T::CharBuf, "argv[0] of the process group leader (host ids).", |e, _| kin::leader_text(e, Group::Host, |t| &t.exe)),
    field("proc.pgid.exepath", T::CharBuf, "Exepath of the process group leader (host ids).", |e, _| kin::leader_text(e, Group::Host, |t| &t.exepath)),
    field("proc.duration", T::RelTime, "Nanoseconds from clone of the process to the event.", |e, _| who::age(e, e.thread?.clone_ts).map(Value::UInt)),
    field("proc.ppid.duration", T::RelTime, "Nanoseconds from clone of the parent to the event.", parent_age),
    field("proc.pid.ts", T::RelTime, "Clone time of the process, ns epoch.", |e, _| who::told(e.thread?.clone_ts)),
    field("proc.ppid.ts", T::RelTime, "Clone time of the parent, ns epoch.", |e, _| Some(Value::UInt(parent_entry(e)?.clone_ts))),
    field("proc.is_exe_writable", T::Bool, "Executable file writable by the executing user.", |e, _| e.thread?.is_exe_writable.map(Value::Bool)),
    field("proc.is_exe_upper_layer", T::Bool, "Executable in overlayfs upper layer.", |e, _| e.thread?.is_exe_upper_layer.map(Value::Bool)),
    field("proc.is_exe_lower_layer", T::Bool, "Executable in overlayfs lower layer.", |e, _| e.thread?.is_exe_lower_layer.map(Value::Bool)),
    field("proc.is_exe_from_memfd", T::Bool, "Executable is a memfd.", |e, _| e.thread?.is_exe_from_memfd.map(Value::Bool)),
    field("proc.is_sid_leader", T::Bool, "sid == vpid.", |e, _| who::is_same(e.thread?.sid, e.thread?.vpid)),
    field("proc.is_vpgid_leader", T::Bool, "vpgid == vpid.", |e, _| who::is_same(e.thread?.vpgid, e.thread?.vpid)),
    field("proc.is_pgid_leader", T::Bool, "pgid == pid.", |e, _| who::is_same(e.thread?.pgid, e.thread?.pid)),
    field("proc.exe_ino", T::Int64, "Inode of the executable.", |e, _| Some(e.thread?.exe_ino).filter(|ino| *ino != 0).map(|ino| Value::Int(ino.cast_signed()))),
    field("proc.exe_ino.ctime", T::AbsTime, "Ctime of the executable, ns epoch.", |e, _| who::told(e.thread?.exe_ino_ctime)),
    field("proc.exe_ino.mtime", T::AbsTime, "Mtime of the executable, ns epoch.", |e, _| who::told(e.thread?.exe_ino_mtime)),
    field("proc.exe_ino.ctime_duration_proc_start", T::AbsTime, "Clone time minus exe ctime, ns.", |e, _| who::file_age(e.thread?.clone_ts, e.thread?.exe_ino_ctime)),
    field("proc.exe_ino.ctime_duration_pidns_start", T::AbsTime, "Exe ctime minus pid namespace start, ns, only if later.", age_in_namespace),
    field("proc.pidns_init_start_ts", T::UInt64, "Start time of the init process of the pid namespace, ns epoch.", |e, _| who::told(kin::namespace_start(e.thread?))),
    field("thread.cap_permitted", T::CharBuf, "Permitted capability names joined by blanks.", |e, _| who::capabilities(e, e.thread?.cap_permitted?)),
    field("thread.cap_inheritable", T::CharBuf, "Inheritable capability names.", |e, _| who::capabilities(e, e.thread?.cap_inheritable?)),
    field("thread.cap_effective", T::CharBuf, "Effective capability names.", |e, _| who::capabilities(e, e.thread?.cap_effective?)),
    field("proc.fdopencount", T::UInt64, "Number of tracked open fds.", |e, _| Some(Value::UInt(who::open_fds(e, e.thread?)))),
    field("proc.fdlimit", T::Int64, "RLIMIT_NOFILE soft limit.", |e, _| e.thread?.fdlimit.map(Value::Int)),
    field("proc.fdusage", T::Double, "Open fds in percent of the limit.", who::fd_usage),
    field("proc.vmsize", T::UInt64, "Virtual memory kB.", |e, _| e.thread?.vm_size_kb.map(|kb| Value::UInt(kb.into()))),
    field("proc.vmrss", T::UInt64, "Resident memory kB.", |e, _| e.thread?.vm_rss_kb.map(|kb| Value::UInt(kb.into()))),
    field("proc.vmswap", T::UInt64, "Swap kB.", |e, _| e.thread?.vm_swap_kb.map(|kb| Value::UInt(kb.into()))),
    field("thread.pfmajor", T::UInt64, "Major page faults.", |e, _| e.thread?.pfmajor.map(Value::UInt)),
    field("thread.pfminor", T::UInt64, "Minor page faults.", |e, _| e.thread?.pfminor.map(Value::UInt)),
    field("thread.tid", T::Int64, "Thread id.", |e, _| Some(Value::Int(e.tid))),
    field("thread.ismain", T::Bool, "tid == pid.", |e, _| Some(Value::Bool(e.thread?.is_main()))),
    field("thread.vtid", T::Int64, "Tid in its pid namespace.", |e, _| who::told_id(e.thread?.vtid)),
    field("thread.nametid", T::CharBuf, "comm followed by tid.", who::name_and_tid).flags(F::TABLE_ONLY),
    field("thread.exectime", T::RelTime, "Scheduled CPU ns, only with switch events.", |_, _| Some(Value::UInt(0))),
    field("thread.totexectime", T::RelTime, "Accumulated CPU ns, only with switch events.", |e, _| e.thread.map(|_| Value::UInt(0))),
    field("thread.cgroups", T::CharBuf, "All cgroups as subsys=path joined by blanks.", who::cgroups),
    field("thread.cgroup", T::CharBuf, "Cgroup path of one subsystem: thread.cgroup.SUBSYS.", who::cgroup).arg(A::DOT.required()),
    field("proc.nthreads", T::UInt64, "Number of live threads.", |e, _| Some(Value::UInt(who::live_threads(e, e.thread?).0))),
    field("proc.nchilds", T::UInt64, "Number of live non-leader threads.", |e, _| Some(Value::UInt(who::live_threads(e, e.thread?).1))),
    field("thread.cpu", T::Double, "CPU percent in the last second (procinfo only).", who::cpu_share),
    field("thread.cpu.user", T::Double, "User CPU percent (procinfo only).", who::cpu_share),
    field("thread.cpu.system", T::Double, "System CPU percent (procinfo only).", who::cpu_share),
    field("thread.vmsize", T::UInt64, "vmsize kB of main thread, else 0.", |e, _| who::of_main(e.thread?, e.thread?.vm_size_kb, 1)),
    field("thread.vmrss", T::UInt64, "vmrss kB of main thread, else 0.", |e, _| who::of_main(e.thread?, e.thread?.vm_rss_kb, 1)),
    field("thread.vmsize.b", T::UInt64, "vmsize in bytes of main thread, else 0.", |e, _| who::of_main(e.thread?, e.thread?.vm_size_kb, 1024)).flags(F::TABLE_ONLY),
    field("thread.vmrss.b", T::UInt64, "vmrss in bytes of main thread, else 0.", |e, _| who::of_main(e.thread?, e.thread?.vm_rss_kb, 1024)).flags(F::TABLE_ONLY),
    field("proc.stdin.type", T::CharBuf, "fd.type of fd 0.", |e, _| Some(Value::Bytes(names::fd_type(path::fd_of(e, 0)?.kind).as_bytes()))),
    field("proc.stdout.type", T::CharBuf, "fd.type of fd 1.", |e, _| Some(Value::Bytes(names::fd_type(path::fd_of(e, 1)?.kind).as_bytes()))),
    field("proc.stderr.type", T::CharBuf, "fd.type of fd 2.", |e, _| Some(Value::Bytes(names::fd_type(path::fd_of(e, 2)?.kind).as_bytes()))),
    field("proc.stdin.name", T::CharBuf, "fd.name of fd 0.", |e, _| Some(Value::Bytes(tuple::fd_name(e.arena, path::fd_of(e, 0)?)))),
    field("proc.stdout.name", T::CharBuf, "fd.name of fd 1.", |e, _| Some(Value::Bytes(tuple::fd_name(e.arena, path::fd_of(e, 1)?)))),
    field("proc.stderr.name", T::CharBuf, "fd.name of fd 2.", |e, _| Some(Value::Bytes(tuple::fd_name(e.arena, path::fd_of(e, 2)?)))),
];

/// Where the parent's start isn't known, what Falco's reader leaves there is the number of the
/// process's open descriptors.
fn parent_age<'a>(event: &Event<'a>, _: &Arg) -> Option<Value<'a>> {
    let parent = parent(event)?;
    let left = || {
        event.world.leftovers.as_ref()?;
        event.thread.map(|thread| who::open_fds(event, thread))
    };
    who::age(event, parent.clone_ts).or_else(left).map(Value::UInt)
}

/// Of a process that a capture lists, what Falco's reader leaves there is always the same.
fn age_in_namespace<'a>(event: &Event<'a>, _: &Arg) -> Option<Value<'a>> {
    const LEFT: u64 = 18_446_744_073_709_522_288;
    let thread = event.thread?;
    let is_listed = thread.pid >= 0 && thread.clone_ts == 0 && thread.exec_ts == 0;
    let left = || event.world.leftovers.as_ref().filter(|_| is_listed).map(|_| Value::UInt(LEFT));
    who::file_age(thread.exe_ino_ctime, kin::namespace_start(thread)).or_else(left)
}
