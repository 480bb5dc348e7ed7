//! A look at a process that has just become another program: what was taken while it stood still,
//! else what `/proc` says straight after it, else what was taken of the call that did it.

use super::live::LiveEnricher;
use super::live::start_ts;
use super::look::Seen;
use crate::decode::ProcessChange;
use crate::decode::ProcessRecord;
use crate::decode::procfs::cmdline::CommandLine;
use crate::decode::procfs::cmdline::LIMIT;
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
        let call = self.exec_call(record, before);
        let process = self.proc.process(record.pid).ok().filter(|_| next.is_none());
        let found = process.and_then(|process| {
            let seen = self.look_at(record, &process, before)?;
            Some((seen, process))
        });
        let thread = self.world.thread(i64::from(record.pid));
        // It may be another program by now, which the call tells.
        let is_whole = found.as_ref().zip(thread).is_some_and(|((seen, _), thread)| {
            thread.unread == 0 && call.as_ref().is_none_or(|call| is_of_call(call, seen, thread))
        });
        if is_whole {
            return found;
        }
        let kept = thread.cloned();
        if let Some(found) = self.look_at_taken(record, window, before) {
            return Some(found);
        }
        if let Some(call) = call
            && let Some(seen) = self.look_at_call(record, &call, before)
        {
            return Some((seen, call));
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

    /// What was taken of the call of execve(2) that a record tells the success of.
    fn exec_call(&mut self, record: &ProcessRecord, before: &Thread) -> Option<ProcessDir> {
        // One before the exec before has failed.
        let since_ns = record.wall_ns.saturating_sub(before.exec_ts);
        let from_ns = record.timestamp_ns.saturating_sub(since_ns);
        let taken = self.exec_calls.take_last(record.pid, from_ns, record.timestamp_ns)?;
        Some(ProcessDir::taken(taken, self.proc.process(record.pid).ok()))
    }

    /// Brings the thread up to what a call of execve(2) has made of it.
    fn look_at_call(
        &mut self,
        record: &ProcessRecord,
        call: &ProcessDir,
        before: &Thread,
    ) -> Option<Seen> {
        let mut seen = self.look_at(record, call, before)?;
        let thread = self.world.threads.get_mut(&i64::from(record.pid))?;
        self.looker.look_past_exec(call, before, thread, &mut seen);
        Some(seen)
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

/// Whether a process that was looked at is what the call has made of it.
fn is_of_call(call: &ProcessDir, seen: &Seen, thread: &Thread) -> bool {
    let mut text = Vec::new();
    let is_file = call.stat_of(c"exe").is_ok_and(|facts| (facts.dev, facts.ino) == seen.exe.id);
    is_file
        && call.read_piece(c"cmdline", LIMIT, &mut text).is_ok()
        && CommandLine::parse(&text)
            == CommandLine { exe: thread.exe.as_ref(), args: thread.args.as_ref() }
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
