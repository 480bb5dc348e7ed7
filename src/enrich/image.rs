//! A look at a process that has just become another program: what was taken while it stood still,
//! else what `/proc` says straight after it.

use super::live::LiveEnricher;
use super::live::start_ts;
use super::look::Seen;
use crate::decode::ProcessChange;
use crate::decode::ProcessRecord;
use crate::event::Thread;
use crate::procfs::ProcessDir;

/// A process of that number that started this long after the record is another one. Clocks and
/// ticks differ by less.
const START_SLACK_NS: u64 = 500_000_000;

impl LiveEnricher {
    /// Brings the thread up to what its new image is; `before`: what it was. What was taken while
    /// the process stood still is the best there is; else `/proc` is asked, and if the process has
    /// ended meanwhile, what was taken must have come by then.
    pub(super) fn look_at_image(
        &mut self,
        record: &ProcessRecord,
        later: &[ProcessRecord],
        before: &Thread,
    ) -> Option<(Seen, ProcessDir)> {
        let next = next_exec(record, later);
        self.looks.note_program(record.timestamp_ns);
        let until_ns = next.map_or(u64::MAX, |next| next.timestamp_ns);
        let window = (record.timestamp_ns, until_ns);
        if let Some(found) = self.look_at_taken(record, window, before) {
            return Some(found);
        }
        let process = self.proc.process(record.pid).ok().filter(|_| next.is_none());
        let found = process.and_then(|process| {
            let seen = self.look_at(record, &process, before)?;
            Some((seen, process))
        });
        let thread = self.world.thread(i64::from(record.pid));
        let is_whole = found.is_some() && thread.is_some_and(|thread| thread.unread == 0);
        if is_whole {
            return found;
        }
        let kept = thread.cloned();
        if let Some(found) = self.look_at_taken(record, window, before) {
            return Some(found);
        }
        if let (Some(kept), Some(thread)) =
            (kept, self.world.threads.get_mut(&i64::from(record.pid)))
        {
            **thread = kept;
        }
        found
    }

    fn look_at_taken(
        &mut self,
        record: &ProcessRecord,
        (from_ns, until_ns): (u64, u64),
        before: &Thread,
    ) -> Option<(Seen, ProcessDir)> {
        let taken = self.looks.take(record.pid, from_ns, until_ns)?;
        let process = ProcessDir::taken(taken, self.proc.process(record.pid).ok());
        let seen = self.look_at(record, &process, before)?;
        Some((seen, process))
    }

    /// Looks at a process that has just become another program.
    fn look_at(
        &mut self,
        record: &ProcessRecord,
        process: &ProcessDir,
        before: &Thread,
    ) -> Option<Seen> {
        let thread = self.world.threads.get_mut(&i64::from(record.pid))?;
        **thread = before.clone();
        let seen = self.looker.look(process, before.start_ticks, thread).ok()?;
        let start = start_ts(self.world.host.boot_ts, seen.start_ticks);
        let is_meant =
            start <= record.wall_ns.saturating_add(START_SLACK_NS) || record.wall_ns == 0;
        is_meant.then_some(seen)
    }
}

/// The next program that the same process starts in the same drain: what `/proc` says is of that
/// one, or a later one.
fn next_exec<'r>(record: &ProcessRecord, later: &'r [ProcessRecord]) -> Option<&'r ProcessRecord> {
    later
        .iter()
        .take_while(|other| {
            // A fork of that number is another process.
            other.pid != record.pid || !matches!(other.what, ProcessChange::Fork { .. })
        })
        .find(|other| other.pid == record.pid && other.what == ProcessChange::Exec)
}
