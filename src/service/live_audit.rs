//! The audit in the loop: planned anew when rules change, looked after, given up.

use std::io;
use std::os::fd::AsRawFd as _;
use std::time::Duration;
use std::time::Instant;

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll};

use super::audit;
use super::audit::Care;
use super::judge::Judge;
use super::live::AUDIT;
use super::live::BUDGET;
use super::live::Live;
use super::live::Sources;
use super::plan::Plan;
use crate::decode::Record;
use crate::engine::ruleset::RuleSet;
use crate::log;
use crate::log::Level;
use crate::metrics::METRICS;
use crate::sources::Source as _;
use crate::sources::guardian::Ward;

/// How often it is tried to have a seat again that was lost.
const TRY_EVERY: Duration = Duration::from_secs(10);

/// How often the guardian has to see that the audit's seat is read.
const BEAT: Duration = Duration::from_millis(90);

impl Live {
    /// Waits for the audit's records, if they are read.
    pub(super) fn register_audit(&self, poll: &Poll) -> io::Result<()> {
        let Some(source) = &self.sources.audit else { return Ok(()) };
        let fd = source.fd().as_raw_fd();
        poll.registry().register(&mut SourceFd(&fd), AUDIT, Interest::READABLE)
    }

    /// Reads what waits of system calls; whether more may wait. Before the processes: whatever one
    /// did before it ended is read then.
    pub(super) fn read_calls(&mut self) -> bool {
        if let Some(heart) = self.heart {
            heart.beat();
        }
        let Self { sources, audit, losses, planner, .. } = self;
        let Some(source) = &mut sources.audit else { return false };
        let mut on_call = |record: Record<'_>| {
            if let Record::Audit(event) = record {
                audit.push(event);
            }
        };
        match source.drain(BUDGET, &mut on_call) {
            Ok(drained) => losses.note(drained),
            Err(error) => {
                log!(Level::Critical, "{error}; {}", error.hint());
                METRICS.sources.up.with(&["audit"]).set(0);
                sources.audit = None;
                planner.audit_lost_at = Some(Instant::now());
                false
            }
        }
    }

    /// Waits until something happens, at most for `timeout`. Meanwhile the guardian sees that the
    /// audit's seat is read: nothing else is done for that.
    pub(super) fn wait(
        &self,
        poll: &mut Poll,
        events: &mut Events,
        timeout: Duration,
    ) -> io::Result<()> {
        let heart = self.heart.filter(|_| self.sources.audit.is_some());
        let until = Instant::now() + timeout;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let step = if heart.is_some() { left.min(BEAT) } else { left };
            match poll.poll(events, Some(step)) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(()),
                result => result?,
            }
            if !events.is_empty() || step == left {
                return Ok(());
            }
            if let Some(heart) = heart {
                heart.beat();
            }
        }
    }

    /// Makes the plan for the rules as they are now, and carries it out.
    pub(super) fn plan_anew(&mut self, poll: &Poll, judge: &Judge) -> io::Result<Plan> {
        let rules = judge.rules();
        if self.sources.audit.is_none() {
            self.planner.host.audit = audit::facts(&self.planner.settings);
        }
        let mut plan = self.planner.plan(rules.rules());
        let Sources { audit: source, guarded, .. } = &mut self.sources;
        let result = match source {
            Some(source) => audit::install(source, &plan, guarded.guardian()).map(|()| None),
            None => audit::open(&plan, &self.planner.settings, guarded.guardian()),
        };
        match result {
            Ok(None) => {}
            Ok(Some(source)) => {
                let fd = source.fd().as_raw_fd();
                poll.registry().register(&mut SourceFd(&fd), AUDIT, Interest::READABLE)?;
                METRICS.sources.up.with(&["audit"]).set(1);
                self.sources.audit = Some(source);
                self.planner.audit_lost_at = None;
            }
            Err(why) => plan = self.lose_audit(why, rules),
        }
        log!(Level::Debug, "{plan}");
        self.enricher.set_needs(super::needs(rules, &plan));
        Ok(plan)
    }

    /// Goes on without the audit: what others can tell is theirs again.
    fn lose_audit(&mut self, why: String, rules: &RuleSet) -> Plan {
        log!(Level::Critical, "system calls aren't told any more: {why}");
        self.sources.audit = None;
        if let Some(guardian) = self.sources.guarded.guardian() {
            guardian.release(Ward::AuditSocket);
        }
        self.planner.without_audit(why);
        self.planner.audit_lost_at = Some(Instant::now());
        self.planner.plan(rules.rules())
    }

    /// Sits down where there is a seat again, some time after it was lost.
    fn try_again(&mut self, poll: &Poll, judge: &Judge) -> io::Result<()> {
        let Some(lost_at) = self.planner.audit_lost_at else { return Ok(()) };
        if lost_at.elapsed() < TRY_EVERY {
            return Ok(());
        }
        self.planner.audit_lost_at = Some(Instant::now());
        if audit::facts(&self.planner.settings).seat.is_none() {
            return Ok(());
        }
        let plan = self.plan_anew(poll, judge)?;
        if self.planner.host.audit.seat.is_some() && !plan.uses_audit() {
            // There is a seat, and nothing to be had by it.
            self.planner.audit_lost_at = None;
        }
        if let Some(source) = &self.sources.audit {
            let seat = source.kind().name();
            log!(Level::Notice, "system calls are told again; the audit's seat: {seat}");
        }
        Ok(())
    }

    /// Looks whether seat and rules are as they were left.
    pub(super) fn keep_audit(&mut self, poll: &Poll, judge: &Judge) -> io::Result<()> {
        let Sources { audit: source, guarded, .. } = &mut self.sources;
        let Some(source) = source else { return self.try_again(poll, judge) };
        let care = if source.seat_fd().is_some() && guarded.guardian().is_none() {
            Care::Lost("the audit's seat is not kept without a guardian".to_owned())
        } else {
            audit::look_after(source, &mut self.losses)
        };
        let Care::Lost(why) = care else { return Ok(()) };
        // Closing takes it off the poll, too; but its descriptor may be shared.
        let fd = source.fd().as_raw_fd();
        poll.registry().deregister(&mut SourceFd(&fd))?;
        let rules = judge.rules();
        let plan = self.lose_audit(why, rules);
        self.enricher.set_needs(super::needs(rules, &plan));
        Ok(())
    }
}
