//! Birth and death: clone, fork, vfork, procexit.

use super::{Doomed, RawEvent, Tracker, processes};
use crate::event::{Fds, InContainer, Param, Thread, World, known, no_bytes};

const CLONE_FILES: u32 = 1;
const CLONE_NEWPID: u32 = 64;
const CLONE_PARENT: u32 = 256;
const CLONE_THREAD: u32 = 8192;
/// The child's own event was seen.
const CLONE_INVERTED: u32 = 65_536;
const CLONE_VFORK: u32 = 1 << 27;
const CHILD_IN_PIDNS: u32 = 1 << 29;

/// A thread that was born longer ago than this is another one if its birth comes again.
const STALE_NS: u64 = 2_000_000_000;

/// Indices of the parameters of clone and its like.
mod at {
    pub(super) const EXE: usize = 1;
    pub(super) const ARGS: usize = 2;
    pub(super) const PID: usize = 4;
    pub(super) const PTID: usize = 5;
    pub(super) const FDLIMIT: usize = 7;
    pub(super) const COMM: usize = 13;
    pub(super) const CGROUPS: usize = 14;
    pub(super) const FLAGS: usize = 15;
    pub(super) const UID: usize = 16;
    pub(super) const GID: usize = 17;
    pub(super) const VTID: usize = 18;
    pub(super) const VPID: usize = 19;
    pub(super) const PIDNS_INIT_START: usize = 20;
}

/// The last threads that exited: a parent's clone event may come after its child's exit.
#[derive(Debug, Default)]
pub(super) struct RecentExits {
    /// Thread, parent, when.
    ring: [(i64, i64, u64); 16],
    next: usize,
}

impl RecentExits {
    pub(super) fn add(&mut self, tid: i64, ptid: i64, ts: u64) {
        if let Some(slot) = self.ring.get_mut(self.next) {
            *slot = (tid, ptid, ts);
        }
        self.next = (self.next + 1) % self.ring.len();
    }

    fn contains(&self, tid: i64, ptid: i64, ts: u64) -> bool {
        self.ring.iter().any(|&(exited, parent, when)| {
            exited == tid && parent == ptid && ts.saturating_sub(when) <= STALE_NS
        })
    }
}

impl Tracker {
    /// clone(2) and its like have returned, in the parent or in the child.
    pub(super) fn birth(&mut self, world: &mut World, raw: &RawEvent<'_>) {
        match raw.result() {
            0 => self.birth_in_child(world, raw),
            child if child > 0 => self.birth_in_parent(world, raw, child),
            _ => {}
        }
    }

    /// procexit: the thread goes away after its event was judged.
    pub(super) fn procexit(&mut self, world: &mut World, raw: &RawEvent<'_>) {
        const REAPER: usize = 4;
        self.families.exited(world, raw.tid, raw.int(REAPER));
        self.doomed = Some(Doomed::Thread { tid: raw.tid, ts: raw.ts });
    }

    fn birth_in_parent(&mut self, world: &mut World, raw: &RawEvent<'_>, child: i64) {
        let caller_tid = raw.tid;
        if !world.threads.contains_key(&caller_tid) {
            processes::add_unknown(world, caller_tid);
        }
        let is_valid = self.identify_caller(world, raw);
        let flags = raw.uint32(at::FLAGS).unwrap_or(0);
        let Some(caller) = world.thread(caller_tid) else { return };
        let leaves_it_to_child = flags & (CHILD_IN_PIDNS | CLONE_NEWPID | CLONE_PARENT) != 0
            || caller_tid != caller.vtid
            || flags & CLONE_VFORK != 0
            || raw.ty == known::VFORK
            || self.recent.contains(child, caller_tid, raw.ts);
        if leaves_it_to_child {
            return;
        }
        if let Some(existing) = world.thread(child) {
            if existing.flags & CLONE_INVERTED != 0 {
                return;
            }
            self.families.remove_thread(world, child);
        }
        let Some(caller) = world.thread(caller_tid) else { return };
        let mut thread = Box::new(child_of(world, caller, child, flags, is_valid));
        if flags & CLONE_THREAD == 0 {
            thread.pid = child;
            thread.ptid = caller_tid;
        } else {
            thread.pid = caller.pid;
            thread.ptid = caller.ptid;
        }
        thread.vtid = child;
        thread.vpid = thread.pid;
        thread.pidns_init_start_ts = world.host.boot_ts;
        self.fill_newborn(&mut thread, raw);
        if !is_valid {
            let (exe, comm, args) = (thread.exe.clone(), thread.comm.clone(), thread.args.clone());
            if let Some(caller) = world.threads.get_mut(&caller_tid) {
                (caller.exe, caller.comm, caller.args) = (exe, comm, args);
            }
        }
        self.families.add_thread(world, thread);
    }

    /// A caller of which nothing was known tells its numbers now. Whether it was known.
    fn identify_caller(&mut self, world: &mut World, raw: &RawEvent<'_>) -> bool {
        let Some(caller) = world.threads.get_mut(&raw.tid) else { return false };
        if !caller.is_unidentified() {
            return true;
        }
        caller.pid = raw.int(at::PID).unwrap_or(-1);
        caller.ptid = raw.int(at::PTID).unwrap_or(-1);
        (caller.vtid, caller.vpid) = virtual_ids(raw, raw.tid);
        self.families.relate(world, raw.tid);
        false
    }

    fn birth_in_child(&mut self, world: &mut World, raw: &RawEvent<'_>) {
        let tid = raw.tid;
        if let Some(existing) = world.thread(tid)
            && existing.clone_ts != 0
        {
            if raw.ts.saturating_sub(existing.clone_ts) < STALE_NS {
                return;
            }
            self.families.remove_thread(world, tid);
        }
        let flags = raw.uint32(at::FLAGS).unwrap_or(0) | CLONE_INVERTED;
        let pid = raw.int(at::PID).unwrap_or(-1);
        let ptid = raw.int(at::PTID).unwrap_or(-1);
        let (vtid, vpid) = virtual_ids(raw, tid);
        let is_leader = flags & CLONE_THREAD == 0;
        let model = if is_leader { ptid } else { pid };
        if !world.threads.contains_key(&model) {
            processes::add_unknown(world, model);
        }
        let is_valid = world.thread(model).is_some_and(|model| !model.is_unidentified());
        if !is_valid
            && !is_leader
            && let Some(main) = world.threads.get_mut(&model)
        {
            (main.pid, main.ptid, main.vpid, main.vtid) = (pid, ptid, vpid, vpid);
            self.families.relate(world, model);
        }
        let Some(model_thread) = world.thread(model) else { return };
        let mut thread = Box::new(child_of(world, model_thread, tid, flags, is_valid));
        (thread.pid, thread.ptid, thread.vtid, thread.vpid) = (pid, ptid, vtid, vpid);
        self.fill_newborn(&mut thread, raw);
        let in_pidns = flags & (CHILD_IN_PIDNS | CLONE_NEWPID) != 0 || tid != vtid;
        thread.pidns_init_start_ts = if in_pidns {
            raw.uint(at::PIDNS_INIT_START)
                .map_or(0, |since| since.saturating_add(world.host.boot_ts))
        } else {
            world.host.boot_ts
        };
        if !is_valid && !is_leader {
            let (exe, comm, args) = (thread.exe.clone(), thread.comm.clone(), thread.args.clone());
            if let Some(main) = world.threads.get_mut(&model) {
                (main.exe, main.comm, main.args) = (exe, comm, args);
            }
        }
        self.families.add_thread(world, thread);
    }

    /// What both events tell of the child.
    fn fill_newborn(&self, thread: &mut Thread, raw: &RawEvent<'_>) {
        thread.exe = raw.bytes(at::EXE).unwrap_or(b"").into();
        processes::set_args(thread, raw.bytes(at::ARGS).unwrap_or(b""));
        thread.comm = raw.bytes(at::COMM).map_or_else(|| thread.exe.clone(), Into::into);
        thread.fdlimit = raw.int(at::FDLIMIT);
        processes::set_memory(thread, raw);
        thread.uid = raw.uint32(at::UID);
        thread.gid = raw.uint32(at::GID);
        if let Some(cgroups) = raw.bytes(at::CGROUPS) {
            if *thread.cgroups != *cgroups {
                thread.cgroups = cgroups.into();
                thread.container = (self.container_of)(cgroups);
            }
        } else if thread.container == InContainer::Unknown {
            thread.container = InContainer::Host;
        }
        thread.clone_ts = raw.ts;
    }
}

/// A child as it is before its own event tells more: what it has from `model`.
fn child_of(world: &World, model: &Thread, tid: i64, flags: u32, is_valid: bool) -> Thread {
    let is_leader = flags & CLONE_THREAD == 0;
    let mut thread = if is_valid { model.clone() } else { Thread::unknown(tid, -1) };
    thread.tid = tid;
    thread.start_ticks = 0;
    thread.is_dead = false;
    thread.nthreads = 0;
    thread.flags = if is_leader { flags } else { flags | CLONE_FILES };
    thread.unread = 0;
    (thread.pfmajor, thread.pfminor) = (Some(0), Some(0));
    (thread.vm_size_kb, thread.vm_rss_kb, thread.vm_swap_kb) = (Some(0), Some(0), Some(0));
    if !is_leader {
        thread.fds = Fds::default();
        thread.cwd = no_bytes();
        thread.env = no_bytes();
    } else if is_valid {
        thread.exec_ts = 0;
        if !model.is_main()
            && let Some(main) = world.main_thread(model)
        {
            thread.cwd = main.cwd.clone();
        }
        thread.fds = world.fd_table(model).map(Fds::inherited).unwrap_or_default();
    }
    processes::set_unsaid(&mut thread);
    thread
}

/// Ids inside the thread's pid namespace; old captures don't tell them.
fn virtual_ids(raw: &RawEvent<'_>, tid: i64) -> (i64, i64) {
    match (raw.param(at::VTID), raw.param(at::VPID)) {
        (Param::Int(vtid), Param::Int(vpid)) => (vtid, vpid),
        _ => (tid, -1),
    }
}
