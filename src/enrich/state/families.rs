//! Who belongs to whom: thread groups, children, and who takes orphans over.

use rustc_hash::FxHashMap;

use super::{MAX_THREADS, RawEvent};
use crate::event::{Thread, World, known};

/// Thread groups and children; the threads themselves are in the world.
#[derive(Debug, Default)]
pub(super) struct Families {
    /// By process id.
    groups: FxHashMap<i64, Group>,
    /// Children by thread id of the parent, in the order of birth. A child whose parent is another
    /// by now doesn't count.
    children: FxHashMap<i64, Vec<i64>>,
    /// Whom the kernel named to take over a dying thread's children.
    reapers: FxHashMap<i64, i64>,
}

/// The threads of a process.
#[derive(Debug, Default)]
struct Group {
    /// Threads that are alive.
    alive: u64,
    /// All that are in the table, the main thread first if it is there.
    tids: Vec<i64>,
    /// It takes over orphans below it: an init or a sub-reaper.
    is_reaper: bool,
}

impl Families {
    /// Puts a thread into the world and makes it a member of its group and a child of its parent.
    pub(super) fn add_thread(&mut self, world: &mut World, thread: Box<Thread>) -> bool {
        if world.threads.len() >= MAX_THREADS {
            return false;
        }
        let tid = thread.tid;
        world.threads.insert(tid, thread);
        self.relate(world, tid);
        true
    }

    /// Makes a thread of the world a member of its group and a child of its parent. Nothing, if
    /// too little is known of it or it is one already.
    pub(super) fn relate(&mut self, world: &mut World, tid: i64) {
        let Some(thread) = world.thread(tid) else { return };
        if thread.is_unidentified() {
            return;
        }
        let (pid, ptid, is_main) = (thread.pid, thread.ptid, thread.is_main());
        let is_init = pid == 1 || thread.vpid == 1;
        let group = self
            .groups
            .entry(pid)
            .or_insert_with(|| Group { is_reaper: is_init, ..Group::default() });
        if group.tids.contains(&tid) {
            return;
        }
        group.tids.insert(if is_main { 0 } else { group.tids.len() }, tid);
        group.alive += 1;
        self.tell_count(world, pid);
        if pid == 1 {
            return;
        }
        let parent = world.thread(ptid).filter(|parent| !parent.is_unidentified());
        match parent.map(|parent| parent.tid) {
            Some(parent) => self.children.entry(parent).or_default().push(tid),
            None => set_parent(world, tid, 0),
        }
    }

    /// A thread has exited; it stays in the table until [`remove_thread`](Self::remove_thread).
    pub(super) fn exited(&mut self, world: &mut World, tid: i64, reaper: Option<i64>) {
        let Some(thread) = world.threads.get_mut(&tid) else { return };
        let was_dead = std::mem::replace(&mut thread.is_dead, true);
        let pid = thread.pid;
        if !was_dead {
            self.count_down(world, tid, pid);
        }
        if let Some(reaper) = reaper
            && self.children.get(&tid).is_some_and(|children| !children.is_empty())
        {
            self.reapers.insert(tid, reaper);
        }
    }

    /// A dead main thread lives again: another thread of its process called exec.
    pub(super) fn resurrect(&mut self, world: &mut World, tid: i64) {
        let Some(thread) = world.threads.get_mut(&tid) else { return };
        if std::mem::replace(&mut thread.is_dead, false) {
            let pid = thread.pid;
            if let Some(group) = self.group_of(pid, tid) {
                group.alive += 1;
            }
            self.tell_count(world, pid);
        }
    }

    /// Takes a thread out of the world; its children get a new parent. A main thread stays while
    /// other threads of its process live.
    pub(super) fn remove_thread(&mut self, world: &mut World, tid: i64) {
        let Some(thread) = world.threads.get_mut(&tid) else { return };
        let (pid, ptid, is_main) = (thread.pid, thread.ptid, thread.is_main());
        let is_related = !thread.is_unidentified() && self.group_of(pid, tid).is_some();
        if !is_related {
            self.forget(world, tid, ptid);
            return;
        }
        let was_dead = std::mem::replace(&mut thread.is_dead, true);
        if !was_dead {
            self.count_down(world, tid, pid);
        }
        self.hand_over_children(world, tid);
        if self.groups.get(&pid).is_some_and(|group| group.alive == 0) {
            self.groups.remove(&pid);
            let main_ptid = world.thread(pid).map_or(ptid, |main| main.ptid);
            self.forget(world, pid, main_ptid);
        }
        if !is_main {
            if let Some(group) = self.groups.get_mut(&pid) {
                group.tids.retain(|&member| member != tid);
            }
            self.forget(world, tid, ptid);
        }
    }

    /// The other threads of a process go away: one of them called exec.
    pub(super) fn remove_siblings(&mut self, world: &mut World, tid: i64) {
        let Some(pid) = world.thread(tid).map(|thread| thread.pid) else { return };
        let Some(group) = self.groups.get(&pid).filter(|group| group.alive > 1) else { return };
        let is_sibling = |&other: &i64| other != tid && other != pid;
        let siblings: Vec<i64> = group.tids.iter().copied().filter(is_sibling).collect();
        for sibling in siblings {
            self.remove_thread(world, sibling);
        }
    }

    /// prctl(2) with PR_SET_CHILD_SUBREAPER or PR_GET_CHILD_SUBREAPER.
    pub(super) fn prctl(&mut self, world: &World, raw: &RawEvent<'_>) {
        const SET_CHILD_SUBREAPER: u32 = 36;
        const GET_CHILD_SUBREAPER: u32 = 37;
        debug_assert_eq!(raw.ty, known::PRCTL);
        let is_about_reaping =
            matches!(raw.uint32(1), Some(SET_CHILD_SUBREAPER | GET_CHILD_SUBREAPER));
        if raw.result() < 0 || !is_about_reaping {
            return;
        }
        let Some(pid) = world.thread(raw.tid).map(|thread| thread.pid) else { return };
        if let Some(group) = self.groups.get_mut(&pid) {
            group.is_reaper = raw.int(3).is_some_and(|value| value != 0);
        }
    }

    /// Number of threads alive of a process.
    pub(super) fn alive(&self, pid: i64) -> u64 {
        self.groups.get(&pid).map_or(0, |group| group.alive)
    }

    fn group_of(&mut self, pid: i64, tid: i64) -> Option<&mut Group> {
        self.groups.get_mut(&pid).filter(|group| group.tids.contains(&tid))
    }

    fn count_down(&mut self, world: &mut World, tid: i64, pid: i64) {
        if let Some(group) = self.group_of(pid, tid) {
            group.alive = group.alive.saturating_sub(1);
        }
        self.tell_count(world, pid);
    }

    /// Writes the number of threads where the rules read it.
    fn tell_count(&self, world: &mut World, pid: i64) {
        if let Some(main) = world.threads.get_mut(&pid) {
            main.nthreads = self.alive(pid);
        }
    }

    /// Removes every trace of a thread but its place in its group.
    fn forget(&mut self, world: &mut World, tid: i64, ptid: i64) {
        if let Some(siblings) = self.children.get_mut(&ptid) {
            siblings.retain(|&sibling| sibling != tid);
            if siblings.is_empty() {
                self.children.remove(&ptid);
            }
        }
        self.children.remove(&tid);
        self.reapers.remove(&tid);
        world.threads.remove(&tid);
    }

    fn hand_over_children(&mut self, world: &mut World, tid: i64) {
        let named = self.reapers.remove(&tid);
        let Some(orphans) = self.children.remove(&tid) else { return };
        let is_fit = |world: &World, reaper: &i64| {
            world.thread(*reaper).is_some_and(|thread| !thread.is_unidentified())
        };
        let named = named.filter(|&reaper| reaper > 0 && reaper != tid);
        let reaper =
            named.filter(|reaper| is_fit(world, reaper)).or_else(|| self.find_reaper(world, tid));
        if let Some(reaper) = reaper {
            let reaper_pid = world.thread(reaper).map_or(-1, |thread| thread.pid);
            let own_pid = world.thread(tid).map_or(-1, |thread| thread.pid);
            if reaper_pid != own_pid
                && let Some(group) = self.groups.get_mut(&reaper_pid)
            {
                group.is_reaper = true;
            }
        }
        for orphan in orphans {
            let is_still_child = world.thread(orphan).is_some_and(|child| child.ptid == tid);
            if !is_still_child {
                continue;
            }
            set_parent(world, orphan, reaper.unwrap_or(0));
            if let Some(reaper) = reaper {
                self.children.entry(reaper).or_default().push(orphan);
            }
        }
    }

    /// As the kernel chooses: a living thread of the same process, else of the nearest ancestor
    /// that reaps and is in the same pid namespace.
    fn find_reaper(&self, world: &World, tid: i64) -> Option<i64> {
        const MAX_DEPTH: usize = 1024;
        let thread = world.thread(tid)?;
        if let Some(sibling) = self.living(world, thread.pid, tid) {
            return Some(sibling);
        }
        let is_inside = thread.is_in_pid_namespace();
        let mut ancestor = world.thread(thread.ptid);
        for _ in 0..MAX_DEPTH {
            let parent = ancestor.filter(|parent| parent.is_in_pid_namespace() == is_inside)?;
            if self.groups.get(&parent.pid).is_some_and(|group| group.is_reaper)
                && let Some(reaper) = self.living(world, parent.pid, tid)
            {
                return Some(reaper);
            }
            ancestor = world.thread(parent.ptid).filter(|next| next.tid != parent.tid);
        }
        None
    }

    fn living(&self, world: &World, pid: i64, but: i64) -> Option<i64> {
        let group = self.groups.get(&pid)?;
        let is_alive =
            |tid: &&i64| **tid != but && world.thread(**tid).is_some_and(|thread| !thread.is_dead);
        group.tids.iter().find(is_alive).copied()
    }
}

fn set_parent(world: &mut World, tid: i64, ptid: i64) {
    if let Some(thread) = world.threads.get_mut(&tid) {
        thread.ptid = ptid;
    }
}
