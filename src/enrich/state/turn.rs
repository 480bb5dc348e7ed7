//! What one event is about, and the ways to the tables that it changes.

use std::sync::LazyLock;

use crate::event::{EventFlags, EventType, Fd, FdTable, Fds, Thread, World, known};

/// The event's thread and descriptor as they are found out.
#[derive(Clone, Copy, Debug)]
pub(super) struct Turn {
    /// Number of its descriptor, -1 for none.
    pub(super) fd: i64,
    /// The descriptor whose entry it is about.
    pub(super) info: Option<i64>,
    /// That entry has another name than before.
    pub(super) has_name_changed: bool,
}

impl Default for Turn {
    fn default() -> Self {
        Self { fd: -1, info: None, has_name_changed: false }
    }
}

/// More descriptors than this of one process are not kept.
const MAX_FDS: usize = 65_536;

/// Whether such an event can change the world at all.
pub(super) fn changes_state(ty: EventType) -> bool {
    static CHANGES: LazyLock<Vec<bool>> = LazyLock::new(|| {
        let others = [
            known::MMAP,
            known::MMAP2,
            known::MUNMAP,
            known::BRK,
            known::GETCWD,
            known::UNSHARE,
            known::SETNS,
            known::BPF,
            known::SWITCH,
            known::GETRLIMIT,
            known::SETRLIMIT,
            known::PRLIMIT,
        ];
        let changes = |ty: EventType| {
            ty.info().has(EventFlags::STATE)
                || ty.info().has(EventFlags::READS)
                || ty.info().has(EventFlags::WRITES)
                || others.contains(&ty)
        };
        EventType::all().map(changes).collect()
    });
    CHANGES.get(ty.index()).copied().unwrap_or(false)
}

/// The thread whose table of descriptors a thread uses.
fn fd_owner(world: &World, tid: i64) -> Option<i64> {
    let thread = world.thread(tid)?;
    if thread.shares_fds() { world.main_thread(thread).map(|main| main.tid) } else { Some(tid) }
}

/// The descriptors that a thread uses, to read.
pub(super) fn fds(world: &World, tid: i64) -> Option<&Fds> {
    world.fd_table(world.thread(tid)?)
}

/// The descriptors that a thread uses, to change; a table shared since a fork is copied first.
pub(super) fn fds_mut(world: &mut World, tid: i64) -> Option<&mut FdTable> {
    let owner = fd_owner(world, tid)?;
    world.threads.get_mut(&owner).map(|owner| owner.fds.to_mut())
}

/// One entry, to read.
pub(super) fn fd(world: &World, tid: i64, num: i64) -> Option<&Fd> {
    fds(world, tid)?.get(num)
}

/// Adds a descriptor; it is the event's.
pub(super) fn add_fd(world: &mut World, tid: i64, num: i64, fd: Fd, turn: &mut Turn) {
    let has_name = !fd.name.is_empty();
    let Some(fds) = fds_mut(world, tid) else { return };
    if fds.len() >= MAX_FDS && !fds.contains(num) {
        return;
    }
    fds.insert(num, fd);
    turn.fd = num;
    turn.info = Some(num);
    turn.has_name_changed = has_name;
}

/// A thread, to change.
pub(super) fn thread_mut(world: &mut World, tid: i64) -> Option<&mut Thread> {
    world.threads.get_mut(&tid).map(Box::as_mut)
}

/// The main thread of a thread's process, to change.
pub(super) fn main_mut(world: &mut World, tid: i64) -> Option<&mut Thread> {
    let pid = world.thread(tid)?.pid;
    thread_mut(world, if world.threads.contains_key(&pid) { pid } else { return None })
}
