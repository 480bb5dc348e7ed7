//! One event in, its alerts out: the rules are asked, what matches is formatted and queued.
//!
//! Live sources and replay both end here.

use std::sync::Arc;

use crate::config::DropAction;
use crate::engine::rule::Priority;
use crate::engine::ruleset::RuleSet;
use crate::engine::ruleset::Scratch;
use crate::event::Event;
use crate::event::TimeZone;
use crate::format::Formatter;
use crate::format::Internal;
use crate::format::InternalValue;
use crate::log;
use crate::log::Level;
use crate::metrics::METRICS;
use crate::outputs::Outputs;
use crate::sys::clock;

use super::drops;
use super::drops::Reaction;
use super::profile::Profile;
use super::repeats::Repeats;
use super::samples::Samples;
use super::statistics::Statistics;
use super::telemetry::Board;

/// Rules, format, outputs and counts.
#[derive(Debug)]
pub struct Judge {
    rules: RuleSet,
    scratch: Scratch,
    formatter: Formatter,
    outputs: Outputs,
    statistics: Statistics,
    line: Vec<u8>,
    repeats: Option<Repeats>,
    samples: Option<Samples>,
    is_live: bool,
    board: Option<Arc<Board>>,
    /// Measures the rules instead of alerting.
    profile: Option<Box<Profile>>,
}

impl Judge {
    /// Puts them together.
    #[must_use]
    pub fn new(rules: RuleSet, formatter: Formatter, outputs: Outputs) -> Self {
        Self {
            rules,
            scratch: Scratch::default(),
            formatter,
            outputs,
            statistics: Statistics::default(),
            line: Vec::with_capacity(4096),
            repeats: None,
            samples: None,
            is_live: false,
            board: None,
            profile: None,
        }
    }

    /// Measures the rules on what comes; nothing alerts then.
    #[must_use]
    pub fn profiling(self) -> Self {
        Self { profile: Some(Box::default()), ..self }
    }

    /// The events that come are of now: how long an alert takes is measured, what the rules count
    /// is shown, and alerts stand on the board for a while.
    #[must_use]
    pub fn live(mut self, board: Arc<Board>) -> Self {
        self.is_live = true;
        self.board = Some(board);
        self.statistics.show_rules(self.rules.rules());
        self
    }

    /// Whether nothing but the rules' output is written.
    #[must_use]
    pub const fn is_bare(&self) -> bool {
        self.formatter.is_bare
    }

    /// Alerts that repeat another one are counted instead of sent from now on, or not any more;
    /// what was counted so far is told.
    pub fn count_repeats(&mut self, repeats: Option<Repeats>) {
        self.summarize(u64::MAX);
        self.repeats = repeats;
    }

    /// Counts are written there as time goes by, if anywhere.
    pub fn write_samples(&mut self, samples: Option<Samples>) {
        self.samples = samples;
    }

    /// Writes the counts if that is due. `now_ns`: nanoseconds since the epoch.
    pub fn sample(&mut self, now_ns: u64) {
        if let Some(samples) = &mut self.samples {
            samples.tick(now_ns, self.statistics.events, self.statistics.lost);
        }
    }

    /// When [`sample`](Self::sample) is due, nanoseconds since the epoch.
    #[must_use]
    pub fn sample_due_ns(&self) -> Option<u64> {
        self.samples.as_ref().map(Samples::due_ns)
    }

    /// So many events were lost before they could be judged.
    pub const fn note_lost(&mut self, count: u64) {
        self.statistics.lost = self.statistics.lost.saturating_add(count);
    }

    /// The events from here on are told by the source of that name.
    pub fn set_source(&mut self, name: &'static str) {
        self.statistics.set_source(name);
    }

    /// Judges one event.
    pub fn judge(&mut self, event: &Event<'_>) {
        self.matches(event);
    }

    /// The same; whether a rule matches.
    pub fn matches(&mut self, event: &Event<'_>) -> bool {
        if self.repeats.is_some() {
            self.summarize(event.ts);
        }
        let Self {
            rules,
            scratch,
            formatter,
            outputs,
            statistics,
            line,
            is_live,
            board,
            profile,
            repeats,
            samples: _,
        } = self;
        statistics.count_event(event.ty);
        if let Some(profile) = profile {
            profile.see(rules, event);
            return false;
        }
        let mut has_matched = false;
        rules.evaluate(event, scratch, |rule| {
            has_matched = true;
            statistics.count(rule);
            if repeats.as_mut().is_some_and(|repeats| repeats.is_repeat(rule, event)) {
                METRICS.outputs.repeated.increment();
                return;
            }
            line.clear();
            formatter.format(rule, event, line);
            outputs.push(line, rule.priority as u8);
            if *is_live {
                METRICS.outputs.latency.note_ns(clock::realtime_ns().saturating_sub(event.ts));
            }
            if let Some(board) = board {
                board.alert(&rule.name, rule.priority, event.ts, line);
            }
        });
        has_matched
    }

    /// Sends the summaries of the alerts whose time is up. `now_ns`: nanoseconds since the epoch.
    pub fn summarize(&mut self, now_ns: u64) {
        let Self { formatter, outputs, line, repeats, .. } = self;
        while let Some(ended) = repeats.as_mut().and_then(|it| it.take_ended(now_ns)) {
            let summary = ended.summary();
            line.clear();
            let zone = TimeZone { offset_at: super::local_offset };
            formatter.summary(&summary, zone, line);
            outputs.push(line, summary.priority as u8);
        }
    }

    /// Does what is to be done about lost events; whether the agent has to end. `now_ns`:
    /// nanoseconds since the epoch.
    pub fn react(&mut self, reaction: &Reaction, now_ns: u64) -> bool {
        let mut ends = false;
        for action in &reaction.actions {
            match action {
                DropAction::Ignore => {}
                DropAction::Log => log!(Level::Debug, "{}", reaction.message),
                DropAction::Alert => {
                    let fields = reaction.fields.iter();
                    let fields: Vec<_> =
                        fields.map(|(name, value)| (*name, InternalValue::Text(value))).collect();
                    let message = Internal {
                        rule: drops::RULE,
                        priority: Priority::Debug,
                        message: &reaction.message,
                        fields: &fields,
                    };
                    self.tell(&message, now_ns);
                }
                DropAction::Exit => {
                    log!(Level::Critical, "{}", reaction.message);
                    log!(Level::Critical, "Exiting.");
                    ends = true;
                }
            }
        }
        ends
    }

    /// Tells that the rules could not be loaded again.
    pub fn tell_failed_reload(&mut self, error: &str, now_ns: u64) {
        let message = format!("Falco internal: hot restart failure: {error}");
        let message = Internal {
            rule: "Falco internal: hot restart failure",
            priority: Priority::Critical,
            message: &message,
            fields: &[],
        };
        self.tell(&message, now_ns);
    }

    /// Sends a message of the agent about itself down the outputs.
    pub fn tell(&mut self, message: &Internal<'_>, now_ns: u64) {
        self.line.clear();
        let zone = TimeZone { offset_at: super::local_offset };
        self.formatter.internal(message, now_ns, zone, &mut self.line);
        self.outputs.push(&self.line, message.priority as u8);
    }

    /// The rules.
    #[must_use]
    pub const fn rules(&self) -> &RuleSet {
        &self.rules
    }

    /// Judges by other rules from now on; counts go on.
    pub fn replace_rules(&mut self, rules: RuleSet) {
        self.rules = rules;
        self.scratch = Scratch::default();
        if self.is_live {
            self.statistics.show_rules(self.rules.rules());
        }
    }

    /// Writes alerts in another form from now on.
    pub fn replace_formatter(&mut self, formatter: Formatter) {
        self.formatter = formatter;
    }

    /// Sends alerts elsewhere from now on; where they went is given back, to be finished.
    pub fn replace_outputs(&mut self, outputs: Outputs) -> Outputs {
        std::mem::replace(&mut self.outputs, outputs)
    }

    /// Where alerts go.
    #[must_use]
    pub const fn outputs(&self) -> &Outputs {
        &self.outputs
    }

    /// What was found so far.
    #[must_use]
    pub const fn statistics(&self) -> &Statistics {
        &self.statistics
    }

    /// What was measured; from now on what matches alerts.
    pub fn take_profile(&mut self) -> Profile {
        *self.profile.take().unwrap_or_default()
    }

    /// Takes it apart at the end: rules, counts, and the outputs to be finished.
    #[must_use]
    pub fn into_parts(mut self) -> (RuleSet, Statistics, Outputs) {
        self.summarize(u64::MAX);
        (self.rules, self.statistics, self.outputs)
    }
}
