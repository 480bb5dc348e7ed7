//! Records of the proc connector: what each does to the process table, and which event it is.
//!
//! * fork → `clone`, once, as the child sees it (the call returned 0); a new thread only counts.
//!   The child has what its parent had, until it is looked at.
//! * exec → `execve`, with what `/proc` says straight after it.
//! * exit → `procexit` of the whole process; its children have their new parent before it.
//! * uid, gid, sid → `setresuid`, `setresgid`, `setsid`. An exec of a set-user-id program changes
//!   the user too, without such a call: that record comes just before the exec's and is told as
//!   part of it.
//! * ptrace → `ptrace` of the tracer, without its request; a detaching tracer isn't told.
//! * comm and coredump are no events.

use std::collections::VecDeque;

use super::draft::Draft;
use super::live::EventSink;
use super::live::LiveEnricher;
use super::live::MAX_ID_HOLD_NS;
use super::look;
use super::look::Seen;
use super::look::set;
use super::params;
use crate::decode::ProcessChange;
use crate::decode::ProcessRecord;
use crate::event::EventFd;
use crate::event::EventType;
use crate::event::InContainer;
use crate::event::Param;
use crate::event::Thread;
use crate::event::Unread;
use crate::event::known;
use crate::procfs::ProcessDir;

/// No more changes of identity than this are held; more are told at once.
const MAX_HELD: usize = 1024;

/// Changes of identity that may be an exec's own.
#[derive(Debug, Default)]
pub(super) struct HeldIds {
    records: VecDeque<ProcessRecord>,
}

impl HeldIds {
    fn take(&mut self, pid: i32) -> Option<ProcessRecord> {
        let place = self.records.iter().position(|held| held.pid == pid)?;
        self.records.remove(place)
    }

    pub(super) fn next_due_ns(&self) -> Option<u64> {
        self.records.front().map(|record| record.wall_ns.saturating_add(MAX_ID_HOLD_NS))
    }
}

impl LiveEnricher {
    /// Takes one record; `later`: those of the same drain that come after it.
    pub(super) fn process(
        &mut self,
        record: &ProcessRecord,
        later: &[ProcessRecord],
        sink: &mut EventSink<'_>,
    ) {
        match record.what {
            ProcessChange::Uid { real, effective } | ProcessChange::Gid { real, effective }
                if real != effective && self.held_ids.records.len() < MAX_HELD =>
            {
                // An exec of a set-user-id program leaves the real user as it was.
                self.change_id(record);
                self.held_ids.records.push_back(*record);
                return;
            }
            ProcessChange::Exec => {}
            _ => self.tell_held_ids(record.pid, sink),
        }
        match record.what {
            ProcessChange::Fork { parent_pid, .. } => self.fork(record, parent_pid, sink),
            ProcessChange::Exec => self.exec(record, later, sink),
            ProcessChange::Exit { wait_status, .. } => self.exit(record, wait_status, sink),
            ProcessChange::Uid { .. } | ProcessChange::Gid { .. } => {
                self.change_id(record);
                self.tell_id(record, None, sink);
            }
            ProcessChange::Sid => self.new_session(record, sink),
            ProcessChange::Ptrace { tracer_pid, tracer_tid } => {
                self.ptrace(record, tracer_pid, tracer_tid, sink);
            }
            ProcessChange::Comm(name) => self.rename(record, &name),
            ProcessChange::CoreDump => {}
        }
    }

    fn fork(&mut self, record: &ProcessRecord, parent_pid: i32, sink: &mut EventSink<'_>) {
        let (pid, parent) = (i64::from(record.pid), i64::from(parent_pid));
        if record.tid != record.pid {
            if let Some(thread) = self.world.threads.get_mut(&pid) {
                thread.nthreads += 1;
            }
            return;
        }
        self.know(parent_pid);
        let child = self.world.thread(parent).map(|parent| child_of(parent, pid, record.wall_ns));
        let known_parent = child.is_some();
        let child = child.unwrap_or_else(|| Thread {
            ptid: parent,
            clone_ts: record.wall_ns,
            unread: Unread::IMAGE | Unread::CWD | Unread::CGROUPS,
            ..Thread::unknown(pid, pid)
        });
        self.table.insert(&mut self.world, child);
        if !known_parent {
            self.reread(record.pid);
        }
        if self.needs.wants_record(known::CLONE) {
            self.find_namespace(record.pid);
            self.tell(record, known::CLONE, sink);
        }
    }

    /// `later`: the records of the same drain that come after it.
    fn exec(&mut self, record: &ProcessRecord, later: &[ProcessRecord], sink: &mut EventSink<'_>) {
        let pid = i64::from(record.pid);
        if self.world.thread(pid).is_none_or(|thread| thread.is_dead) {
            // Its fork was before our time, or lost.
            self.table.insert(&mut self.world, Thread::unknown(pid, pid));
        }
        let Some(thread) = self.world.threads.get_mut(&pid) else { return };
        let before = thread.clone();
        let seen = self.look_at_image(record, later, &before);
        let Some(thread) = self.world.threads.get_mut(&pid) else { return };
        if seen.is_none() {
            *thread = before.clone();
            forget_image(thread);
        }
        thread.exec_ts = record.wall_ns;
        thread.nthreads = 1;
        self.headless.remove(&pid);
        self.table.changed(&mut self.world, pid);
        match &seen {
            Some((seen, process)) => self.take_image(record, process, seen),
            None => self.held_ids.records.retain(|held| held.pid != record.pid),
        }
        self.complete(pid, seen.as_ref().map(|(_, process)| process));
        // What is still held was done by the program before.
        while let Some(held) = self.held_ids.take(record.pid) {
            self.tell_id(&held, Some(&before), sink);
        }
        self.tell(record, known::EXECVE, sink);
    }

    /// Finds what belongs to an image that was looked at.
    fn take_image(&mut self, record: &ProcessRecord, process: &ProcessDir, seen: &Seen) {
        let pid = i64::from(record.pid);
        let start_ts = self.start_ts(seen.start_ticks);
        if let Some(thread) = self.world.threads.get_mut(&pid)
            && thread.clone_ts == 0
        {
            thread.clone_ts = start_ts;
        }
        if self.world.thread(pid).is_some_and(|thread| thread.ptid < 0) {
            self.table.reparent(&mut self.world, pid, seen.ppid);
            self.know(i32::try_from(seen.ppid).unwrap_or(0));
        }
        self.find_layer(pid, process, seen);
        if let Some(table) = self.stdio.look(process)
            && let Some(thread) = self.world.threads.get_mut(&pid)
        {
            thread.fds = table.into();
        }
        self.drop_ids_of_exec(record, seen.exe.set_uid, seen.exe.set_gid);
        self.forget_exec_opens(record.pid, seen.exe.id);
    }

    fn exit(&mut self, record: &ProcessRecord, wait_status: u32, sink: &mut EventSink<'_>) {
        let pid = i64::from(record.pid);
        if record.tid != record.pid {
            self.thread_ended(pid);
            return;
        }
        // Its calls of execve(2) that have not been told of have failed.
        self.exec_calls.take_last(record.pid, 0, record.timestamp_ns);
        let others = self.live_threads(record.pid);
        let reaper = if others == 0 { self.reparent_children(pid) } else { None };
        if self.needs.wants_record(known::PROCEXIT) {
            let signal = wait_status & 0x7f;
            let core = u64::from(wait_status & 0x80 != 0);
            let params = [
                Param::Int(i64::from(wait_status)),
                Param::Int(i64::from(wait_status >> 8 & 0xff)),
                Param::UInt(u64::from(signal)),
                Param::UInt(core),
                reaper.map_or(Param::Unknown, Param::Int),
            ];
            self.tell_with(record, known::PROCEXIT, &params, sink);
        }
        if others == 0 {
            self.ended(pid);
        } else if let Some(thread) = self.world.threads.get_mut(&pid) {
            thread.nthreads = others;
            self.headless.insert(pid);
        }
    }

    /// Threads of a process that live on without its main thread: another may be about to exec,
    /// or the main one has just called pthread_exit(3).
    fn live_threads(&mut self, pid: i32) -> u64 {
        if self.world.thread(i64::from(pid)).is_none_or(|thread| thread.nthreads <= 1) {
            return 0;
        }
        let process = self.proc.process(pid).ok();
        let threads = process.and_then(|process| self.looker.threads_of(&process));
        // The ended main thread still counts.
        threads.map_or(0, |threads| threads.saturating_sub(1))
    }

    fn thread_ended(&mut self, pid: i64) {
        let Some(thread) = self.world.threads.get_mut(&pid) else { return };
        thread.nthreads = thread.nthreads.saturating_sub(1);
        if !self.headless.contains(&pid) {
            thread.nthreads = thread.nthreads.max(1);
        } else if thread.nthreads == 0 {
            self.reparent_children(pid);
            self.ended(pid);
        }
    }

    fn ended(&mut self, pid: i64) {
        self.headless.remove(&pid);
        self.table.died(&mut self.world, pid, self.out.now_ns);
    }

    /// Asks the children of a process that ends for their new parent; the first answer.
    fn reparent_children(&mut self, pid: i64) -> Option<i64> {
        if !self.table.has_children(pid) {
            return None;
        }
        let children: Vec<i64> = self
            .world
            .threads
            .values()
            .filter(|thread| thread.ptid == pid && !thread.is_dead)
            .map(|thread| thread.pid)
            .collect();
        let mut reaper = None;
        for child in children {
            let process = i32::try_from(child).ok().and_then(|child| self.proc.process(child).ok());
            let Some(parent) = process.and_then(|process| self.looker.parent_of(&process)) else {
                continue;
            };
            if parent != pid {
                self.table.reparent(&mut self.world, child, parent);
                self.know(i32::try_from(parent).unwrap_or(0));
                reaper = reaper.or(Some(parent));
            }
        }
        reaper
    }

    /// The world after a change of user or group.
    fn change_id(&mut self, record: &ProcessRecord) {
        self.know(record.pid);
        if record.tid != record.pid {
            return;
        }
        let Some(thread) = self.world.threads.get_mut(&i64::from(record.pid)) else { return };
        match record.what {
            ProcessChange::Uid { effective, .. } => thread.uid = Some(effective),
            ProcessChange::Gid { effective, .. } => thread.gid = Some(effective),
            _ => {}
        }
    }

    /// Tells a change of identity; `then`: the process as it was then, else as it is now.
    fn tell_id(&mut self, record: &ProcessRecord, then: Option<&Thread>, sink: &mut EventSink<'_>) {
        let (ty, real, effective) = match record.what {
            ProcessChange::Uid { real, effective } => (known::SETRESUID, real, effective),
            ProcessChange::Gid { real, effective } => (known::SETRESGID, real, effective),
            _ => return,
        };
        if !self.needs.wants_record(ty) {
            return;
        }
        let id = |id: u32| Param::UInt(u64::from(id));
        let params = [Param::Int(0), id(real), id(effective)];
        match then {
            Some(_) => self.out.tell(&self.world, &draft(record, ty, then, &params), sink),
            None => self.tell_with(record, ty, &params, sink),
        }
    }

    /// Tells what is held of a process: no exec came of it.
    fn tell_held_ids(&mut self, pid: i32, sink: &mut EventSink<'_>) {
        while let Some(record) = self.held_ids.take(pid) {
            self.tell_id(&record, None, sink);
        }
    }

    /// Tells what was held long enough.
    pub(super) fn tell_due_ids(&mut self, now_ns: u64, sink: &mut EventSink<'_>) {
        while self.held_ids.next_due_ns().is_some_and(|due| due <= now_ns) {
            if let Some(record) = self.held_ids.records.pop_front() {
                self.tell_id(&record, None, sink);
            }
        }
    }

    /// Drops the held changes that the exec of a set-user-id program made.
    fn drop_ids_of_exec(&mut self, exec: &ProcessRecord, user: Option<u32>, group: Option<u32>) {
        self.held_ids.records.retain(|held| {
            held.pid != exec.pid
                || match held.what {
                    ProcessChange::Uid { effective, .. } => user != Some(effective),
                    ProcessChange::Gid { effective, .. } => group != Some(effective),
                    _ => true,
                }
        });
    }

    fn new_session(&mut self, record: &ProcessRecord, sink: &mut EventSink<'_>) {
        self.know(record.pid);
        let pid = i64::from(record.pid);
        let mut session = Param::Unknown;
        if let Some(thread) = self.world.threads.get_mut(&pid) {
            // By setsid(2): leader of a new session and group, without a terminal.
            let own = Some(thread.vpid).filter(|vpid| *vpid > 0);
            session = own.map_or(Param::Unknown, Param::Int);
            thread.sid = own;
            thread.vpgid = own;
            thread.pgid = Some(pid);
            thread.tty = Some(0);
        }
        self.find_groups(record.pid);
        if self.needs.wants_record(known::SETSID) {
            self.tell_with(record, known::SETSID, &[session], sink);
        }
    }

    fn ptrace(
        &mut self,
        record: &ProcessRecord,
        tracer_pid: i32,
        tracer_tid: i32,
        sink: &mut EventSink<'_>,
    ) {
        if tracer_pid == 0 || !self.needs.wants_record(known::PTRACE) {
            return;
        }
        self.know(tracer_pid);
        let tracer = ProcessRecord { pid: tracer_pid, tid: tracer_tid, ..*record };
        let tracee = Param::Int(i64::from(record.tid));
        let params = [Param::Int(0), Param::Unknown, Param::Unknown, Param::Unknown, tracee];
        self.tell_with(&tracer, known::PTRACE, &params, sink);
    }

    fn rename(&mut self, record: &ProcessRecord, name: &[u8; 16]) {
        if record.tid != record.pid {
            return;
        }
        let Some(thread) = self.world.threads.get_mut(&i64::from(record.pid)) else { return };
        let end = name.iter().position(|&byte| byte == 0).unwrap_or(name.len());
        set(&mut thread.comm, name.get(..end).unwrap_or_default());
        thread.unread &= !Unread::COMM;
        self.find_groups(record.pid);
    }

    /// Finds whether a process has been put into a container since it was forked: no record tells
    /// that, but what a runtime runs there gives itself a name or a session before its program
    /// begins, which may be a short one. The runtime may be in a container itself. The new one's
    /// name and mounts are looked for at the exec: an earlier look comes before the engine has
    /// written them, and the next is put off.
    fn find_groups(&mut self, pid: i32) {
        let key = i64::from(pid);
        let Some(thread) = self.world.thread(key).filter(|thread| !thread.is_dead) else { return };
        let parent = self.world.thread(thread.ptid);
        let is_found = matches!(thread.container, InContainer::Id(_))
            && parent.is_some_and(|parent| parent.container != thread.container);
        if is_found {
            return;
        }
        let Ok(process) = self.proc.process(pid) else { return };
        let Some(membership) = self.looker.membership_of(&process) else { return };
        let Some(thread) = self.world.threads.get_mut(&key) else { return };
        if matches!(membership.container, InContainer::Id(_)) {
            thread.cgroups = membership.cgroups;
            thread.container = membership.container;
            thread.unread &= !Unread::CGROUPS;
        }
    }

    /// Tells an event whose parameters are those of its process.
    fn tell(&mut self, record: &ProcessRecord, ty: EventType, sink: &mut EventSink<'_>) {
        if !self.needs.wants_record(ty) {
            return;
        }
        let Some(thread) = self.world.thread(i64::from(record.pid)) else { return };
        let (exec, clone);
        let params: &[Param<'_>] = if ty == known::EXECVE {
            exec = params::execve(thread);
            &exec
        } else {
            clone = params::clone(thread);
            &clone
        };
        let draft = draft(record, ty, Some(thread), params);
        self.out.tell(&self.world, &draft, sink);
    }

    fn tell_with(
        &mut self,
        record: &ProcessRecord,
        ty: EventType,
        params: &[Param<'_>],
        sink: &mut EventSink<'_>,
    ) {
        self.know(record.pid);
        let thread = self.world.thread(i64::from(record.pid));
        let draft = draft(record, ty, thread, params);
        self.out.tell(&self.world, &draft, sink);
    }

    /// Finds out whether a new process has numbers of its own in a pid namespace.
    fn find_namespace(&mut self, pid: i32) {
        let key = i64::from(pid);
        let Ok(process) = self.proc.process(pid) else { return };
        let is_hosts = self.looker.is_in_hosts_pid_namespace(&process);
        let Some(thread) = self.world.threads.get_mut(&key) else { return };
        if let Some(is_hosts) = is_hosts {
            thread.vpid = if is_hosts { key } else { -1 };
            thread.vtid = thread.vpid;
        }
        self.complete(key, None);
    }
}

/// A child straight after fork(2).
fn child_of(parent: &Thread, pid: i64, clone_ts: u64) -> Thread {
    // A child of a process whose numbers are the host's has such numbers, unless it begins a
    // namespace: a look will tell.
    let vpid = if parent.vpid == parent.pid { pid } else { -1 };
    Thread {
        tid: pid,
        pid,
        ptid: parent.pid,
        start_ticks: 0,
        clone_ts,
        exec_ts: 0,
        vpid,
        vtid: vpid,
        nthreads: 1,
        is_dead: false,
        vm_size_kb: None,
        vm_rss_kb: None,
        vm_swap_kb: None,
        pfmajor: None,
        pfminor: None,
        ..parent.clone()
    }
}

/// What an exec replaced without our seeing by what.
pub(super) fn forget_image(thread: &mut Thread) {
    thread.unread |= Unread::IMAGE;
    look::forget_unread(thread);
    thread.cap_permitted = None;
    thread.cap_effective = None;
    thread.cap_inheritable = None;
    thread.is_exe_upper_layer = None;
    thread.is_exe_lower_layer = None;
    thread.vm_size_kb = None;
    thread.vm_rss_kb = None;
    thread.vm_swap_kb = None;
    thread.pfmajor = None;
    thread.pfminor = None;
}

fn draft<'a>(
    record: &ProcessRecord,
    ty: EventType,
    thread: Option<&'a Thread>,
    params: &'a [Param<'a>],
) -> Draft<'a> {
    Draft {
        ts: record.wall_ns,
        ty,
        cpu: u16::try_from(record.cpu).ok(),
        tid: i64::from(record.tid),
        thread,
        params,
        fd: EventFd::default(),
    }
}
