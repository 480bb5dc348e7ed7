//! What a process changes about itself: ids, session, capabilities, limits, memory.

use super::{RawEvent, turn};
use crate::event::{InContainer, Thread, Unread, World, known, no_bytes};

/// All capabilities there are, up to CAP_CHECKPOINT_RESTORE.
const ALL_CAPS: u64 = (1 << 41) - 1;

const CLONE_NEWUSER: u32 = 1 << 20;

/// RLIMIT_NOFILE in Falco's numbers.
const RLIMIT_NOFILE: u64 = 7;

/// Adds a thread of which only the id is known; its fields have what Falco has for it.
pub(super) fn add_unknown(world: &mut World, tid: i64) {
    if world.threads.len() >= super::MAX_THREADS {
        return;
    }
    let mut thread = Box::new(Thread::unknown(tid, -1));
    thread.comm = b"<NA>"[..].into();
    thread.exe = thread.comm.clone();
    thread.nthreads = 0;
    thread.uid = Some(u32::MAX);
    thread.gid = Some(u32::MAX);
    thread.loginuid = Some(u32::MAX);
    thread.tty = Some(0);
    thread.container = InContainer::Host;
    thread.fdlimit = Some(0);
    thread.unread = 0;
    set_unsaid(&mut thread);
    world.threads.insert(tid, thread);
}

/// What Falco takes for granted where nothing was told.
pub(super) fn set_unsaid(thread: &mut Thread) {
    thread.cap_permitted.get_or_insert(0);
    thread.cap_effective.get_or_insert(0);
    thread.cap_inheritable.get_or_insert(0);
    thread.is_exe_writable.get_or_insert(false);
    thread.is_exe_upper_layer.get_or_insert(false);
    thread.is_exe_lower_layer.get_or_insert(false);
    thread.is_exe_from_memfd.get_or_insert(false);
    thread.vm_size_kb.get_or_insert(0);
    thread.vm_rss_kb.get_or_insert(0);
    thread.vm_swap_kb.get_or_insert(0);
    thread.pfmajor.get_or_insert(0);
    thread.pfminor.get_or_insert(0);
    thread.fdlimit.get_or_insert(-1);
    thread.sid.get_or_insert(-1);
    thread.pgid.get_or_insert(-1);
    thread.vpgid.get_or_insert(-1);
    debug_assert!(thread.has_read(Unread::IMAGE));
}

/// Sets the arguments; each ends with a NUL.
pub(super) fn set_args(thread: &mut Thread, args: &[u8]) {
    if *thread.args != *args {
        thread.args = if args.is_empty() { no_bytes() } else { args.into() };
    }
}

/// Sets memory and fault counters from parameters 8 to 12 of a clone or exec.
pub(super) fn set_memory(thread: &mut Thread, raw: &RawEvent<'_>) {
    let Some(swap) = raw.uint32(12) else { return };
    thread.pfmajor = raw.uint(8);
    thread.pfminor = raw.uint(9);
    thread.vm_size_kb = raw.uint32(10);
    thread.vm_rss_kb = raw.uint32(11);
    thread.vm_swap_kb = Some(swap);
}

/// Applies an event that changes numbers of a thread.
pub(super) fn change(world: &mut World, raw: &RawEvent<'_>) {
    match raw.ty {
        known::SETUID => set_uid(world, raw, 1),
        known::SETRESUID | known::SETREUID => set_uid(world, raw, 2),
        known::SETGID => set_gid(world, raw, 1),
        known::SETRESGID | known::SETREGID => set_gid(world, raw, 2),
        known::SETSID => {
            if raw.result() >= 0
                && let Some(thread) = turn::thread_mut(world, raw.tid)
            {
                thread.sid = Some(raw.result());
            }
        }
        known::CAPSET => {
            if raw.result() >= 0
                && let Some(thread) = turn::thread_mut(world, raw.tid)
            {
                thread.cap_inheritable = raw.uint(1);
                thread.cap_permitted = raw.uint(2);
                thread.cap_effective = raw.uint(3);
            }
        }
        known::UNSHARE => enter_namespaces(world, raw, 1),
        known::SETNS => enter_namespaces(world, raw, 2),
        known::BRK | known::MMAP | known::MMAP2 | known::MUNMAP => resize(world, raw),
        known::SWITCH => switch(world, raw),
        known::GETRLIMIT | known::SETRLIMIT
            if raw.result() >= 0 && raw.uint(3) == Some(RLIMIT_NOFILE) =>
        {
            limit_fds(world, raw.tid, raw.int(1));
        }
        known::PRLIMIT => {
            let of = raw.int(5).map(|tid| if tid == 0 { raw.tid } else { tid });
            if raw.result() == 0
                && raw.uint(6) == Some(RLIMIT_NOFILE)
                && let Some(tid) = of
            {
                limit_fds(world, tid, raw.int(1));
            }
        }
        _ => {}
    }
}

fn set_uid(world: &mut World, raw: &RawEvent<'_>, effective: usize) {
    if raw.result() == 0
        && let Some(uid) = raw.uint32(effective)
        && let Some(thread) = turn::thread_mut(world, raw.tid)
    {
        thread.uid = Some(uid);
    }
}

fn set_gid(world: &mut World, raw: &RawEvent<'_>, effective: usize) {
    if raw.result() == 0
        && let Some(gid) = raw.uint32(effective)
        && let Some(thread) = turn::thread_mut(world, raw.tid)
    {
        thread.gid = Some(gid);
    }
}

/// In a user namespace of its own a process may do everything.
fn enter_namespaces(world: &mut World, raw: &RawEvent<'_>, flags: usize) {
    if raw.result() >= 0
        && raw.uint32(flags).is_some_and(|flags| flags & CLONE_NEWUSER != 0)
        && let Some(thread) = turn::thread_mut(world, raw.tid)
    {
        thread.cap_inheritable = Some(ALL_CAPS);
        thread.cap_permitted = Some(ALL_CAPS);
        thread.cap_effective = Some(ALL_CAPS);
    }
}

fn resize(world: &mut World, raw: &RawEvent<'_>) {
    let Some(thread) = turn::thread_mut(world, raw.tid) else { return };
    if let Some(size) = raw.uint32(1) {
        thread.vm_size_kb = Some(size);
    }
    if let Some(swap) = raw.uint32(3) {
        thread.vm_rss_kb = raw.uint32(2);
        thread.vm_swap_kb = Some(swap);
    }
}

fn switch(world: &mut World, raw: &RawEvent<'_>) {
    let Some(swap) = raw.uint32(5) else { return };
    if let Some(thread) = turn::thread_mut(world, raw.tid) {
        thread.pfmajor = raw.uint(1);
        thread.pfminor = raw.uint(2);
    }
    if let Some(main) = turn::main_mut(world, raw.tid) {
        main.vm_size_kb = raw.uint32(3);
        main.vm_rss_kb = raw.uint32(4);
        main.vm_swap_kb = Some(swap);
    }
}

fn limit_fds(world: &mut World, tid: i64, limit: Option<i64>) {
    if let Some(limit) = limit.filter(|&limit| limit != -1)
        && let Some(main) = turn::main_mut(world, tid)
    {
        main.fdlimit = Some(limit);
    }
}
