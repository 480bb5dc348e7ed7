//! The traced processes, and what is known of them: what they do becomes events, which are judged
//! while they stand still.

use rustc_hash::FxHashMap;

use super::super::judge::Judge;
use crate::decode::ProcessChange;
use crate::decode::ProcessRecord;
use crate::decode::syscall;
use crate::decode::syscall::Call;
use crate::enrich::LiveEnricher;
use crate::enrich::calls::CallRecord;
use crate::event::EventType;
use crate::event::Fd;
use crate::event::known;
use crate::sources::ptrace::Texts;
use crate::sources::ptrace::Watch;
use crate::sys::clock;
use crate::sys::ptrace;

/// The tree, as the rules see it.
pub(super) struct Tree {
    enricher: LiveEnricher,
    judge: Judge,
    table: syscall::Table,
    /// Process of each thread that is not its own.
    pids: FxHashMap<i32, i32>,
    /// Descriptors that a thread is about to close.
    closing: FxHashMap<i32, Fd>,
}

impl Watch for Tree {
    /// Remembers a descriptor that will be gone.
    fn entered(&mut self, tid: i32, call: &Call, _: &mut Texts) -> bool {
        let Some(ty) = self.table.event_type(call.abi, call.number) else { return false };
        let pid = self.pid(tid);
        let number = syscall::descriptor_argument(ty, 1, call);
        if let Some(fd) = number.and_then(|number| self.enricher.descriptor(pid, number)) {
            self.closing.insert(tid, fd);
        }
        true
    }

    /// Makes the event of a call that has returned.
    fn returned(&mut self, tid: i32, call: &Call, texts: &Texts) {
        let Some(ty) = self.table.event_type(call.abi, call.number) else { return };
        let closing = self.closing.remove(&tid);
        if call.result >= 0 && comes_as_process_record(ty) {
            return;
        }
        let record = CallRecord {
            wall_ns: clock::realtime_ns(),
            tid,
            pid: self.pid(tid),
            ty,
            call,
            text: &|argument| texts.get(argument),
            memory: &|address, into| ptrace::read_memory(tid, address, into).unwrap_or(0),
            closing: closing.as_ref(),
        };
        self.enricher.call(&record, &mut |event| self.judge.judge(event));
    }

    fn cloned(&mut self, parent: i32, child: i32) {
        let pid = super::process_of(child);
        let parent_pid = self.pid(parent);
        if pid != child {
            self.pids.insert(child, pid);
        }
        self.change(child, pid, ProcessChange::Fork { parent_tid: parent, parent_pid });
    }

    fn executed(&mut self, tid: i32) {
        // The other threads are gone, and the one that called has the process's number.
        self.pids.retain(|_, pid| *pid != tid);
        self.change(tid, tid, ProcessChange::Exec);
    }

    fn gone(&mut self, tid: i32, status: i32) {
        let pid = self.pid(tid);
        self.pids.remove(&tid);
        self.closing.remove(&tid);
        let wait_status = status.cast_unsigned();
        self.change(tid, pid, ProcessChange::Exit { wait_status, signal: 0, parent: None });
    }
}

impl Tree {
    /// `threads`: those that are there already, with their processes.
    pub(super) fn new(enricher: LiveEnricher, judge: Judge, threads: &[(i32, i32)]) -> Self {
        let pids = threads.iter().copied().filter(|(tid, pid)| tid != pid).collect();
        let table = syscall::Table::new();
        Self { enricher, judge, table, pids, closing: FxHashMap::default() }
    }

    /// What was judged.
    pub(super) fn into_judge(self) -> Judge {
        self.judge
    }

    /// After a gap: reads all processes anew.
    pub(super) fn resync(&mut self) {
        self.closing.clear();
        self.enricher.resync();
    }

    /// Hands a change of a process to the enrichment.
    fn change(&mut self, tid: i32, pid: i32, what: ProcessChange) {
        let record = ProcessRecord {
            timestamp_ns: clock::monotonic_ns(),
            wall_ns: clock::realtime_ns(),
            cpu: 0,
            tid,
            pid,
            what,
        };
        self.enricher.processes(&[record], &mut |event| self.judge.judge(event));
    }

    fn pid(&self, tid: i32) -> i32 {
        self.pids.get(&tid).copied().unwrap_or(tid)
    }

    /// All threads of the tree that a process is the root of.
    pub(super) fn threads(&self, root: i32) -> Vec<i32> {
        let mut threads = super::threads_of(root);
        threads.extend(self.pids.keys().copied());
        let world = self.enricher.world();
        let below = world.threads.values().filter(|thread| {
            !thread.is_dead && world.ancestors(thread).any(|a| a.pid == i64::from(root))
        });
        let processes: Vec<i32> =
            below.filter_map(|thread| i32::try_from(thread.tid).ok()).collect();
        for pid in processes {
            threads.extend(super::threads_of(pid));
        }
        threads.sort_unstable();
        threads.dedup();
        threads
    }
}

/// Calls whose success is told by a stop of its own.
fn comes_as_process_record(ty: EventType) -> bool {
    matches!(
        ty,
        known::EXECVE | known::EXECVEAT | known::CLONE | known::CLONE3 | known::FORK | known::VFORK
    )
}
