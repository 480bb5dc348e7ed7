//! The process table: bounded, kept true by the order of records.
//!
//! Processes are in [`World::threads`] by pid, as their main threads. Beside each, this table has
//! what only its keeping needs: age, size, image, the time of death.
//!
//! Bounds, in processes and in bytes: first the dead go, oldest death first; then the living
//! that were not told of for longest are forgotten, and read from `/proc` when they are told of
//! again. A dead process stays for [`KEEP_DEAD_NS`], for late records, and longer for children
//! that have no other parent yet.

use std::collections::VecDeque;

use rustc_hash::FxHashMap;

use crate::event::Thread;
use crate::event::World;

/// How long a dead process is kept: 10 s.
pub const KEEP_DEAD_NS: u64 = 10_000_000_000;

/// Two addresses that an exec changes: see [`Stat`](crate::decode::procfs::stat::Stat). Zeros where
/// the kernel doesn't tell.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Image {
    /// Where the stack began.
    pub start_stack: u64,
    /// Where the arguments are.
    pub arg_start: u64,
}

/// What is kept beside a process.
#[derive(Clone, Copy, Debug)]
struct Meta {
    /// When it was last told of, as a running number.
    touched: u64,
    cost: usize,
}

/// Keeps [`World::threads`] bounded.
#[derive(Debug)]
pub struct ProcessTable {
    meta: FxHashMap<i64, Meta>,
    /// Living children by parent, those with at least one.
    children: FxHashMap<i64, u32>,
    /// Candidates for forgetting, least recently told of first; entries may be outdated.
    order: VecDeque<(i64, u64)>,
    dead: VecDeque<Dead>,
    clock: u64,
    bytes: usize,
    max_processes: usize,
    max_bytes: usize,
    forgotten: u64,
    added: u64,
    removed: u64,
}

#[derive(Clone, Copy, Debug)]
struct Dead {
    pid: i64,
    at_ns: u64,
    /// Which process of that number: its `touched` at death.
    touched: u64,
}

impl ProcessTable {
    /// A table of at most that many processes and bytes.
    #[must_use]
    pub fn new(max_processes: usize, max_bytes: usize) -> Self {
        Self {
            meta: FxHashMap::default(),
            children: FxHashMap::default(),
            order: VecDeque::new(),
            dead: VecDeque::new(),
            clock: 0,
            bytes: 0,
            max_processes,
            max_bytes,
            forgotten: 0,
            added: 0,
            removed: 0,
        }
    }

    /// Puts a process in, in place of an earlier one of that number.
    pub fn insert(&mut self, world: &mut World, thread: Thread) {
        let pid = thread.pid;
        self.remove(world, pid);
        let cost = cost_of(&thread);
        self.clock += 1;
        self.bytes += cost;
        self.adopt(thread.ptid);
        world.threads.insert(pid, Box::new(thread));
        self.meta.insert(pid, Meta { touched: self.clock, cost });
        self.added += 1;
        self.order.push_back((pid, self.clock));
        self.shrink(world);
    }

    /// After a process in the world was changed in place.
    pub fn changed(&mut self, world: &mut World, pid: i64) {
        let Some(thread) = world.threads.get(&pid) else { return };
        let Some(meta) = self.meta.get_mut(&pid) else { return };
        let cost = cost_of(thread);
        self.bytes = self.bytes.saturating_sub(meta.cost).saturating_add(cost);
        meta.cost = cost;
        self.touch(pid);
        self.shrink(world);
    }

    /// It was told of: it is forgotten later than others.
    pub fn touch(&mut self, pid: i64) {
        let Some(meta) = self.meta.get_mut(&pid) else { return };
        self.clock += 1;
        meta.touched = self.clock;
    }

    /// It has ended.
    pub fn died(&mut self, world: &mut World, pid: i64, now_ns: u64) {
        let Some(thread) = world.threads.get_mut(&pid) else { return };
        if thread.is_dead {
            return;
        }
        thread.is_dead = true;
        let parent = thread.ptid;
        self.abandon(parent);
        self.touch(pid);
        let touched = self.meta.get(&pid).map_or(0, |meta| meta.touched);
        self.dead.push_back(Dead { pid, at_ns: now_ns, touched });
    }

    /// It has another parent now.
    pub fn reparent(&mut self, world: &mut World, pid: i64, parent: i64) {
        let Some(thread) = world.threads.get_mut(&pid) else { return };
        let before = std::mem::replace(&mut thread.ptid, parent);
        if before != parent && !thread.is_dead {
            self.abandon(before);
            self.adopt(parent);
        }
    }

    /// Whether it has living children.
    #[must_use]
    pub fn has_children(&self, pid: i64) -> bool {
        self.children.contains_key(&pid)
    }

    /// Forgets the dead whose time is over.
    pub fn expire(&mut self, world: &mut World, now_ns: u64) {
        while let Some(dead) = self.dead.front() {
            if now_ns < dead.at_ns.saturating_add(KEEP_DEAD_NS) {
                break;
            }
            let is_it = self.meta.get(&dead.pid).is_some_and(|meta| meta.touched == dead.touched);
            if is_it && self.has_children(dead.pid) {
                let again = Dead { at_ns: now_ns, ..*dead };
                self.dead.pop_front();
                self.dead.push_back(again);
                continue;
            }
            self.forget_oldest_dead(world);
        }
        // What has been told of since stands in the queue twice: don't let that grow.
        if self.order.len() > 2 * self.meta.len() + 1024 {
            let meta = &self.meta;
            self.order
                .retain(|(pid, touched)| meta.get(pid).is_some_and(|m| m.touched == *touched));
            self.requeue();
        }
    }

    /// How many processes there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.meta.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.meta.is_empty()
    }

    /// How many living processes were forgotten for want of room.
    #[must_use]
    pub const fn forgotten(&self) -> u64 {
        self.forgotten
    }

    /// How many processes were put in and taken out again since the start.
    #[must_use]
    pub const fn turnover(&self) -> (u64, u64) {
        (self.added, self.removed)
    }

    fn remove(&mut self, world: &mut World, pid: i64) {
        if let Some(thread) = world.threads.remove(&pid)
            && !thread.is_dead
        {
            self.abandon(thread.ptid);
        }
        if let Some(meta) = self.meta.remove(&pid) {
            self.bytes = self.bytes.saturating_sub(meta.cost);
            self.removed += 1;
        }
    }

    fn shrink(&mut self, world: &mut World) {
        while self.meta.len() > self.max_processes || self.bytes > self.max_bytes {
            if !self.dead.is_empty() {
                self.forget_oldest_dead(world);
            } else if !self.forget_oldest_living(world) {
                break;
            }
        }
    }

    fn forget_oldest_dead(&mut self, world: &mut World) {
        let Some(dead) = self.dead.pop_front() else { return };
        if self.meta.get(&dead.pid).is_some_and(|meta| meta.touched == dead.touched) {
            self.remove(world, dead.pid);
        } else if world.threads.get(&dead.pid).is_some_and(|thread| thread.is_dead) {
            // A late record touched it: it goes with its next turn.
            self.remove(world, dead.pid);
        }
    }

    /// False if the only one left is the newest, which must stay.
    fn forget_oldest_living(&mut self, world: &mut World) -> bool {
        while let Some((pid, touched)) = self.order.pop_front() {
            let Some(meta) = self.meta.get(&pid) else { continue };
            if meta.touched != touched {
                self.order.push_back((pid, meta.touched));
                continue;
            }
            if self.meta.len() == 1 {
                self.order.push_front((pid, touched));
                return false;
            }
            self.remove(world, pid);
            self.forgotten += 1;
            return true;
        }
        false
    }

    /// Queues what is no longer queued.
    fn requeue(&mut self) {
        let queued: rustc_hash::FxHashSet<i64> = self.order.iter().map(|(pid, _)| *pid).collect();
        let mut missing: Vec<_> = self
            .meta
            .iter()
            .filter(|(pid, _)| !queued.contains(pid))
            .map(|(pid, meta)| (*pid, meta.touched))
            .collect();
        missing.sort_unstable_by_key(|(_, touched)| *touched);
        self.order.extend(missing);
    }

    fn adopt(&mut self, parent: i64) {
        if parent > 0 {
            *self.children.entry(parent).or_insert(0) += 1;
        }
    }

    fn abandon(&mut self, parent: i64) {
        if let Some(count) = self.children.get_mut(&parent) {
            *count -= 1;
            if *count == 0 {
                self.children.remove(&parent);
            }
        }
    }
}

/// Bytes that a process takes. Texts shared with its parent count for both: the bound is met
/// rather too early.
fn cost_of(thread: &Thread) -> usize {
    size_of::<Thread>()
        + size_of::<Meta>()
        + thread.args.len()
        + thread.env.len()
        + thread.exe.len()
        + thread.exepath.len()
        + thread.cwd.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(pid: i64, parent: i64) -> Thread {
        Thread { ptid: parent, ..Thread::unknown(pid, pid) }
    }

    fn table(max: usize) -> (ProcessTable, World) {
        (ProcessTable::new(max, usize::MAX), World::default())
    }

    #[test]
    fn the_dead_are_forgotten_before_the_living() {
        let (mut table, mut world) = table(3);
        for pid in 1..=3 {
            table.insert(&mut world, process(pid, 0));
        }
        table.died(&mut world, 2, 0);
        table.insert(&mut world, process(4, 0));
        assert!(world.thread(2).is_none());
        assert!(world.thread(1).is_some() && world.thread(3).is_some());
        assert_eq!(table.forgotten(), 0);
    }

    #[test]
    fn the_living_told_of_longest_ago_is_forgotten() {
        let (mut table, mut world) = table(3);
        for pid in 1..=3 {
            table.insert(&mut world, process(pid, 0));
        }
        table.touch(1);
        table.insert(&mut world, process(4, 0));
        assert!(world.thread(2).is_none());
        assert!(world.thread(1).is_some());
        assert_eq!((table.forgotten(), table.len()), (1, 3));
    }

    #[test]
    fn bytes_are_bounded_too() {
        let mut world = World::default();
        let mut table = ProcessTable::new(1000, 20_000);
        for pid in 1..=100 {
            let env = crate::event::Bytes::from(&[b'x'; 4096][..]);
            table.insert(&mut world, Thread { env, ..process(pid, 0) });
        }
        assert!(table.len() <= 4);
        assert_eq!(table.len(), world.threads.len());
        assert!(world.thread(100).is_some());
    }

    #[test]
    fn a_dead_process_stays_for_late_records_and_then_goes() {
        let (mut table, mut world) = table(10);
        table.insert(&mut world, process(1, 0));
        table.died(&mut world, 1, 5);
        table.touch(1);
        table.expire(&mut world, 4 + KEEP_DEAD_NS);
        assert!(world.thread(1).is_some_and(|thread| thread.is_dead));
        table.expire(&mut world, 5 + KEEP_DEAD_NS);
        assert!(world.thread(1).is_none() && table.is_empty());
    }

    #[test]
    fn a_dead_parent_stays_as_long_as_a_child_has_no_other() {
        let (mut table, mut world) = table(10);
        table.insert(&mut world, process(1, 0));
        table.insert(&mut world, process(2, 1));
        table.died(&mut world, 1, 0);
        table.expire(&mut world, KEEP_DEAD_NS);
        table.expire(&mut world, 2 * KEEP_DEAD_NS);
        assert!(world.thread(1).is_some());
        table.reparent(&mut world, 2, 7);
        table.expire(&mut world, 3 * KEEP_DEAD_NS);
        assert!(world.thread(1).is_none() && table.len() == 1);
    }

    #[test]
    fn numbers_that_wrap_many_times_leave_nothing_behind() {
        const PIDS: i64 = 32_768;
        let (mut table, mut world) = table(1000);
        table.insert(&mut world, process(1, 0));
        for turn in 0..4 * PIDS {
            let pid = 2 + turn % (PIDS - 2);
            let now_ns = u64::try_from(turn).unwrap() * 10_000_000;
            table.insert(&mut world, process(pid, if turn % 3 == 0 { 1 } else { pid - 1 }));
            if turn % 5 != 0 {
                table.died(&mut world, pid, now_ns);
            }
            table.expire(&mut world, now_ns);
            assert!(table.len() <= 1000 && world.threads.len() == table.len());
        }
        let pids: Vec<i64> = world.threads.keys().copied().collect();
        for pid in pids {
            table.died(&mut world, pid, 0);
        }
        table.expire(&mut world, u64::MAX);
        assert!(table.is_empty() && world.threads.is_empty() && table.children.is_empty());
        assert!(table.dead.is_empty() && table.order.len() <= 1024 && table.bytes == 0);
    }

    #[test]
    fn a_reused_pid_outlives_its_dead_predecessor() {
        let (mut table, mut world) = table(10);
        table.insert(&mut world, process(1, 0));
        table.died(&mut world, 1, 0);
        table.insert(&mut world, process(1, 7));
        table.expire(&mut world, KEEP_DEAD_NS);
        assert_eq!(world.thread(1).unwrap().ptid, 7);
    }

    #[test]
    fn children_are_counted_through_reparenting_and_death() {
        let (mut table, mut world) = table(10);
        table.insert(&mut world, process(2, 1));
        table.insert(&mut world, process(3, 1));
        table.reparent(&mut world, 2, 9);
        assert!(table.has_children(1) && table.has_children(9));
        table.died(&mut world, 3, 0);
        assert!(!table.has_children(1));
        table.died(&mut world, 2, 0);
        assert!(!table.has_children(9));
    }

    #[test]
    fn the_queue_of_the_living_does_not_grow_with_their_turns() {
        let (mut table, mut world) = table(10_000);
        for turn in 0..10_000 {
            table.insert(&mut world, process(1 + turn % 10, 0));
        }
        table.expire(&mut world, 0);
        assert!(table.order.len() < 1100);
        assert_eq!(table.len(), 10);
    }
}
