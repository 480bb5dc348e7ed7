//! System calls as the audit tells them: what is told of programs, and which event it is.
//!
//! The process has run on since: what the records themselves say is the truth, `/proc` only adds
//! to it, and only where the two agree. A process that is gone already is made of the records
//! alone.
//!
//! Where the audit owns exec, its record comes after that of the proc connector, which has brought
//! the process table up to date as far as `/proc` still told; this fills in the rest.
//!
//! Calls about anything else are in `audit_calls.rs`.

use super::audit_calls;
use super::draft::Draft;
use super::layers::Layer;
use super::live::EventSink;
use super::live::LiveEnricher;
use super::look;
use super::look::set;
use super::params;
use super::process_records::forget_image;
use crate::decode::audit::AuditEvent;
use crate::decode::procfs::cmdline::CommandLine;
use crate::decode::procfs::decimal;
use crate::decode::procfs::line_after;
use crate::decode::syscall::Abi;
use crate::decode::syscall::Table;
use crate::event::EventFd;
use crate::event::EventType;
use crate::event::InContainer;
use crate::event::Param;
use crate::event::Thread;
use crate::event::Unread;
use crate::event::known;
use crate::sys::seccomp;

/// The record has milliseconds; a look that is later by more than this is of a later exec.
const CLOCK_SLACK_NS: u64 = 20_000_000;

/// What events of the audit are made with.
#[derive(Debug, Default)]
pub(super) struct AuditScratch {
    pub(super) table: Table,
    text: Vec<u8>,
}

/// The table of calls that an audit architecture means.
#[must_use]
pub const fn abi_of(arch: u32) -> Option<Abi> {
    match arch {
        seccomp::AUDIT_ARCH_X86_64 => Some(Abi::X86_64),
        seccomp::AUDIT_ARCH_I386 => Some(Abi::I386),
        seccomp::AUDIT_ARCH_AARCH64 => Some(Abi::Aarch64),
        _ => None,
    }
}

/// Whether the audit tells it as an exec of its own.
const fn is_exec(ty: EventType) -> bool {
    matches!(ty, known::EXECVE | known::EXECVEAT)
}

/// Who made a call, and when.
#[derive(Clone, Copy, Debug)]
pub(super) struct Caller {
    pub(super) wall_ns: u64,
    pub(super) tid: i32,
    pub(super) pid: i32,
}

impl LiveEnricher {
    /// Takes one call that has returned; hands its event to `sink` if the audit owns its type.
    pub fn audit(&mut self, event: &AuditEvent, sink: &mut EventSink<'_>) {
        let wall_ns = event.time_ms.saturating_mul(1_000_000);
        self.out.now_ns = self.out.now_ns.max(wall_ns);
        let Some(abi) = abi_of(event.arch) else { return };
        let Some(ty) = self.audit.table.event_type(abi, event.syscall) else { return };
        let Some(result) = event.exit else { return };
        if !self.needs.wants_call(ty) {
            return;
        }
        let Some((tid, pid)) = self.caller_of(event) else { return };
        let caller = Caller { wall_ns, tid, pid };
        self.know_caller(event, pid);
        if is_exec(ty) && result >= 0 {
            self.audit_exec(event, ty, caller, sink);
        } else {
            audit_calls::tell(self, event, ty, abi, caller, sink);
        }
    }

    /// Thread and process of a call. Before 4.10 the record tells the thread only.
    fn caller_of(&mut self, event: &AuditEvent) -> Option<(i32, i32)> {
        let tid = i32::try_from(event.pid).ok().filter(|tid| *tid > 0)?;
        if self.world.threads.contains_key(&event.pid) {
            return Some((tid, tid));
        }
        let text = &mut self.audit.text;
        let thread = self.proc.process(tid).ok();
        let read = thread.and_then(|thread| thread.read_piece(c"status", 4096, text).ok());
        let tgid = read
            .and_then(|()| line_after(text, b"Tgid:").map(<[u8]>::trim_ascii).and_then(decimal));
        let pid = tgid.and_then(|pid| i32::try_from(pid).ok()).unwrap_or(tid);
        Some((tid, pid))
    }

    /// Makes the calling process known: read, or if it is gone already, made of the record.
    fn know_caller(&mut self, event: &AuditEvent, pid: i32) {
        self.know(pid);
        let key = i64::from(pid);
        if self.world.threads.contains_key(&key) {
            return;
        }
        let mut thread = Thread::unknown(key, key);
        thread.ptid = event.ppid;
        thread.unread = Unread::IMAGE | Unread::CWD | Unread::CGROUPS;
        if let Ok(parent) = i32::try_from(event.ppid) {
            self.know(parent);
        }
        if let Some(parent) = self.world.thread(event.ppid) {
            // A child is in its parent's container, unless it has left it since.
            thread.container = parent.container.clone();
            thread.cgroups = parent.cgroups.clone();
            thread.root = parent.root.clone();
            thread.vpid = if parent.vpid == parent.pid { key } else { -1 };
            thread.vtid = thread.vpid;
            if parent.has_read(Unread::CGROUPS) {
                thread.unread &= !Unread::CGROUPS;
            }
        }
        take_who(&mut thread, event);
        self.table.insert(&mut self.world, thread);
        self.table.died(&mut self.world, key, self.out.now_ns);
    }

    /// A new program in a process.
    fn audit_exec(
        &mut self,
        event: &AuditEvent,
        ty: EventType,
        caller: Caller,
        sink: &mut EventSink<'_>,
    ) {
        let key = i64::from(caller.pid);
        let Some(thread) = self.world.threads.get_mut(&key) else { return };
        take_image(thread, event, caller.wall_ns);
        self.table.changed(&mut self.world, key);
        self.complete(key, None);
        self.find_upper_layer_by_kin(key);
        let Some(thread) = self.world.thread(key) else { return };
        let mut all = params::execve(thread);
        if let Some(filename) = all.last_mut()
            && let Some(path) = event.paths.first().and_then(|path| path.name.as_deref())
        {
            *filename = Param::Bytes(path);
        }
        let count = ty.info().params.len();
        let draft = Draft {
            ts: caller.wall_ns,
            ty,
            cpu: None,
            tid: key,
            thread: Some(thread),
            params: all.get(..count).unwrap_or(&all),
            fd: EventFd::default(),
        };
        self.out.tell(&self.world, &draft, sink);
    }

    /// Finds whether the executable of a container's process lies in the upper layer of its overlay,
    /// by the eyes of an ancestor with the same root, if the process couldn't be looked at. Of a
    /// file that isn't there it can't be told whether it was.
    fn find_upper_layer_by_kin(&mut self, pid: i64) {
        if self.layer_by_kin(pid) == Some(Layer::Upper)
            && let Some(thread) = self.world.threads.get_mut(&pid)
        {
            thread.is_exe_upper_layer = Some(true);
            thread.is_exe_lower_layer = Some(false);
        }
    }

    fn layer_by_kin(&mut self, pid: i64) -> Option<Layer> {
        const DELETED: &[u8] = b" (deleted)";
        let thread = self.world.thread(pid)?;
        let is_to_be_found = thread.is_exe_upper_layer.is_none()
            && thread.has_read(Unread::EXEPATH)
            && thread.is_exe_from_memfd != Some(true)
            && matches!(thread.container, InContainer::Id(_))
            && !thread.exepath.ends_with(DELETED);
        if !is_to_be_found {
            return None;
        }
        let is_kin = |kin: &&Thread| kin.container == thread.container && kin.root == thread.root;
        let mut kin = self.world.ancestors(thread).take(4).filter(is_kin);
        let kin = kin.find_map(|kin| self.proc.process(i32::try_from(kin.pid).ok()?).ok())?;
        self.layers.layer_of(&kin, &thread.exepath, self.out.now_ns)
    }
}

/// What the record says of the one who called.
fn take_who(thread: &mut Thread, event: &AuditEvent) {
    thread.uid = Some(event.euid);
    thread.gid = Some(event.egid);
    thread.loginuid = Some(event.auid);
    thread.tty = event.tty.or(thread.tty);
    set(&mut thread.comm, &event.comm);
    thread.unread &= !Unread::COMM;
    if let Some(exe) = &event.exe {
        take_exe(thread, exe);
    }
    if let Some(cwd) = &event.cwd {
        set(&mut thread.cwd, cwd);
        thread.unread &= !Unread::CWD;
    }
}

/// The executable, as the record names it.
fn take_exe(thread: &mut Thread, exe: &[u8]) {
    set(&mut thread.exepath, exe);
    thread.unread &= !Unread::EXEPATH;
    // A file in memory has no other name; a deleted one's has this end, too.
    thread.is_exe_from_memfd = Some(exe.starts_with(b"/memfd:"));
}

/// What the records of an exec say of the new program. What `/proc` told of the same program
/// beside that is kept; what it told of another one is not.
fn take_image(thread: &mut Thread, event: &AuditEvent, wall_ns: u64) {
    let line = event.execve.as_deref().map(CommandLine::parse);
    let is_known = thread.exec_ts.saturating_add(CLOCK_SLACK_NS) >= wall_ns
        && thread.has_read(Unread::EXEPATH | Unread::ARGS)
        && event.exe.as_deref().is_none_or(|exe| exe == thread.exepath.as_ref())
        && line.is_none_or(|line| has_arguments(thread, &line));
    if !is_known {
        if thread.has_read(Unread::EXEPATH | Unread::ARGS) {
            forget_image(thread);
        }
        thread.unread |= Unread::ENV;
        look::forget_unread(thread);
        thread.exe_ino = event.paths.first().map_or(0, |path| path.inode);
    }
    if thread.exec_ts.saturating_add(CLOCK_SLACK_NS) < wall_ns {
        thread.exec_ts = wall_ns;
    }
    if let Some(line) = line {
        set(&mut thread.exe, line.exe);
        set(&mut thread.args, line.args);
        thread.unread &= !Unread::ARGS;
    }
    if is_known {
        // Its user may have changed since, and that is told on its own.
        set(&mut thread.comm, &event.comm);
    } else {
        take_who(thread, event);
    }
}

/// Whether a command line is the one of the record, as far as both tell.
fn has_arguments(thread: &Thread, line: &CommandLine<'_>) -> bool {
    let shorter = thread.args.len().min(line.args.len());
    let beginning = |args: &[u8]| args.get(..shorter).map(<[u8]>::to_vec);
    thread.exe.as_ref() == line.exe && beginning(&thread.args) == beginning(line.args)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Bytes;

    fn exec() -> AuditEvent {
        AuditEvent {
            comm: b"ls".to_vec(),
            exe: Some(b"/usr/bin/ls".to_vec()),
            execve: Some(b"ls\0-l\0".to_vec()),
            cwd: Some(b"/root".to_vec()),
            uid: 1,
            euid: 0,
            ..AuditEvent::default()
        }
    }

    fn thread(exe: &[u8], args: &[u8]) -> Thread {
        Thread {
            exe: Bytes::from(exe),
            args: Bytes::from(args),
            exepath: Bytes::from(&b"/usr/bin/ls"[..]),
            env: Bytes::from(&b"A=1\0"[..]),
            exec_ts: 1_000_000_000,
            ..Thread::unknown(7, 7)
        }
    }

    #[test]
    fn what_proc_told_of_the_same_program_is_kept() {
        let mut thread = thread(b"ls", b"-l\0");
        take_image(&mut thread, &exec(), 1_000_000_000);
        assert_eq!(thread.env.as_ref(), b"A=1\0");
        assert!(thread.has_read(Unread::ENV));
        assert_eq!(thread.comm.as_ref(), b"ls");
    }

    #[test]
    fn what_proc_told_of_another_program_is_replaced_by_the_record() {
        let mut thread = thread(b"sh", b"-c\0ls -l\0");
        take_image(&mut thread, &exec(), 1_000_000_000);
        assert!(thread.env.is_empty() && !thread.has_read(Unread::ENV));
        assert_eq!((thread.exe.as_ref(), thread.args.as_ref()), (&b"ls"[..], &b"-l\0"[..]));
        assert_eq!(thread.exepath.as_ref(), b"/usr/bin/ls");
        assert_eq!((thread.uid, thread.cwd.as_ref()), (Some(0), &b"/root"[..]));
        assert_eq!(thread.is_exe_from_memfd, Some(false));
    }

    #[test]
    fn an_exec_that_nothing_was_read_of_is_complete_but_for_its_environment() {
        let mut thread = Thread { unread: Unread::IMAGE, ..Thread::unknown(7, 7) };
        take_image(&mut thread, &exec(), 5_000_000_000);
        assert!(thread.has_read(Unread::COMM | Unread::ARGS | Unread::EXEPATH));
        assert_eq!(thread.exec_ts, 5_000_000_000);
    }
}
