//! Lost events: counted, told in the log and as Falco's internal alert, but not without end.
//!
//! `syscall_event_drops` decides what is done, how often, and above which share of lost events.
//! How many were lost is not always known; then the share isn't either, and something is done.

use crate::config::DropAction;
use crate::config::Drops as Settings;
use crate::sources::Loss;

/// The rule name and the beginning of the text of Falco's alert.
pub const RULE: &str = "Falco internal: syscall event drop";

/// What is told of causes in one alert, in bytes: when there is more, no further one is added.
const MAX_WHAT: usize = 4096;

/// Nanoseconds of a second.
const SECOND_NS: u64 = 1_000_000_000;

/// What is known of losses, and what was done about them.
#[derive(Debug)]
pub struct Drops {
    settings: Settings,
    tokens: f64,
    filled_at_ns: u64,
    checked_at_ns: u64,
    events_before: u64,
    pending: Option<Pending>,
    /// Seconds in which events were lost.
    occurrences: u64,
    /// How often something was done.
    actions: u64,
}

/// Losses since the last check.
#[derive(Clone, Debug)]
struct Pending {
    lost: u64,
    is_known: bool,
    what: String,
    since_ns: u64,
    until_ns: u64,
}

/// What to do now.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Reaction {
    /// In this order.
    pub actions: Vec<DropAction>,
    /// Falco's text.
    pub message: String,
    /// Entries of `output_fields`: Falco's, and ours with what, from when and until when.
    pub fields: Vec<(&'static str, String)>,
}

impl Drops {
    /// Nothing was lost. `now_ns`: nanoseconds since the epoch, as below.
    #[must_use]
    pub const fn new(settings: Settings, now_ns: u64) -> Self {
        Self {
            tokens: settings.max_burst,
            settings,
            filled_at_ns: now_ns,
            checked_at_ns: now_ns,
            events_before: 0,
            pending: None,
            occurrences: 0,
            actions: 0,
        }
    }

    /// Does other things about losses from now on; counts go on.
    pub fn set(&mut self, settings: Settings) {
        self.tokens = self.tokens.min(settings.max_burst);
        self.settings = settings;
    }

    /// Notes a loss; `detail` says what of, if more is known than its cause.
    pub fn note(&mut self, loss: &Loss, detail: Option<&str>) {
        let mut what = format!("{}: {}", loss.source, loss.cause);
        if let Some(detail) = detail {
            what = format!("{what}: {detail}");
        }
        let lost = loss.count.unwrap_or(1);
        match &mut self.pending {
            Some(pending) => {
                pending.lost = pending.lost.saturating_add(lost);
                pending.is_known &= loss.count.is_some();
                pending.since_ns = pending.since_ns.min(loss.since_ns);
                pending.until_ns = pending.until_ns.max(loss.until_ns);
                if !pending.what.contains(&what) && pending.what.len() < MAX_WHAT {
                    pending.what = format!("{}, {what}", pending.what);
                }
            }
            None => {
                self.pending = Some(Pending {
                    lost,
                    is_known: loss.count.is_some(),
                    what,
                    since_ns: loss.since_ns,
                    until_ns: loss.until_ns,
                });
            }
        }
    }

    /// Once a second: what is to be done about what was lost meanwhile. `events`: how many were
    /// judged so far.
    pub fn check(&mut self, now_ns: u64, events: u64) -> Option<Reaction> {
        if now_ns.saturating_sub(self.checked_at_ns) < SECOND_NS {
            return None;
        }
        self.checked_at_ns = now_ns;
        let seen = events.saturating_sub(self.events_before);
        self.events_before = events;
        if self.settings.simulate && self.pending.is_none() && seen > 0 {
            self.pending = Some(Pending {
                lost: seen,
                is_known: true,
                what: "simulated".to_owned(),
                since_ns: now_ns.saturating_sub(SECOND_NS),
                until_ns: now_ns,
            });
        }
        let pending = self.pending.take()?;
        let threshold = if self.settings.simulate { 0.0 } else { self.settings.threshold };
        if pending.is_known && share(pending.lost, seen) <= threshold {
            return None;
        }
        self.occurrences += 1;
        let actions =
            if self.take_token(now_ns) { self.settings.actions.clone() } else { Vec::new() };
        if !actions.is_empty() {
            self.actions += 1;
        }
        Some(Reaction {
            actions,
            message: format!("{RULE}. {} system calls dropped in last second.", pending.lost),
            fields: fields(&pending, seen),
        })
    }

    fn take_token(&mut self, now_ns: u64) -> bool {
        let seconds = std::time::Duration::from_nanos(now_ns.saturating_sub(self.filled_at_ns));
        self.filled_at_ns = now_ns;
        self.tokens =
            self.settings.max_burst.min(self.tokens + seconds.as_secs_f64() * self.settings.rate);
        let is_there = self.tokens >= 1.0;
        if is_there {
            self.tokens -= 1.0;
        }
        is_there
    }

    /// What Falco writes to stderr at the end, three lines.
    #[must_use]
    pub fn report(&self) -> String {
        format!(
            "Syscall event drop monitoring:\n   - event drop detected: {} occurrences\n   - num \
             times actions taken: {}\n",
            self.occurrences, self.actions
        )
    }
}

/// How large a part of all events was lost.
#[expect(clippy::cast_precision_loss, reason = "a share needs no more digits")]
fn share(lost: u64, seen: u64) -> f64 {
    let all = lost.saturating_add(seen);
    if all == 0 { 0.0 } else { lost as f64 / all as f64 }
}

/// Falco's entries are texts; those about its driver's buffers are zero here.
fn fields(pending: &Pending, seen: u64) -> Vec<(&'static str, String)> {
    const ZERO: [&str; 13] = [
        "ebpf_enabled",
        "n_drops_buffer_clone_fork_exit",
        "n_drops_buffer_close_exit",
        "n_drops_buffer_connect_exit",
        "n_drops_buffer_dir_file_exit",
        "n_drops_buffer_execve_exit",
        "n_drops_buffer_open_exit",
        "n_drops_buffer_other_interest_exit",
        "n_drops_buffer_proc_exit",
        "n_drops_bug",
        "n_drops_page_faults",
        "n_drops_scratch_map",
        "n_drops_buffer_total",
    ];
    let mut fields: Vec<_> = ZERO.into_iter().map(|name| (name, "0".to_owned())).collect();
    let lost = pending.lost.to_string();
    if let Some(total) = fields.last_mut() {
        total.1.clone_from(&lost);
    }
    fields.push(("n_drops", lost));
    fields.push(("n_evts", seen.to_string()));
    fields.push(("eyas_cause", pending.what.clone()));
    fields.push(("eyas_count_known", pending.is_known.to_string()));
    fields.push(("eyas_since_ns", pending.since_ns.to_string()));
    fields.push(("eyas_until_ns", pending.until_ns.to_string()));
    fields.sort_unstable();
    fields
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::LossCause;

    fn drops(threshold: f64) -> Drops {
        let settings = Settings {
            actions: vec![DropAction::Log, DropAction::Alert],
            threshold,
            rate: 0.5,
            max_burst: 1.0,
            simulate: false,
        };
        Drops::new(settings, 0)
    }

    fn loss(count: Option<u64>) -> Loss {
        let cause = LossCause::QueueOverflow;
        Loss { source: "fanotify", cause, count, since_ns: 1, until_ns: 2 }
    }

    #[test]
    fn a_loss_is_told_with_what_and_how_many() {
        let mut drops = drops(0.0);
        drops.note(&loss(Some(3)), None);
        drops.note(&loss(Some(4)), None);
        assert_eq!(drops.check(SECOND_NS / 2, 10), None);
        let reaction = drops.check(SECOND_NS, 10).unwrap();
        assert_eq!(reaction.actions, [DropAction::Log, DropAction::Alert]);
        assert_eq!(
            reaction.message,
            "Falco internal: syscall event drop. 7 system calls dropped in last second."
        );
        let field = |name| reaction.fields.iter().find(|field| field.0 == name).unwrap().1.as_str();
        assert_eq!(field("n_drops"), "7");
        assert_eq!(field("n_evts"), "10");
        assert_eq!(field("eyas_cause"), "fanotify: kernel event queue full");
        assert_eq!(drops.check(2 * SECOND_NS, 10), None);
    }

    #[test]
    fn losses_that_are_told_together_are_told_with_the_whole_time() {
        let mut drops = drops(0.0);
        for (since_ns, until_ns) in [(5, 9), (3, 4), (6, 7)] {
            drops.note(&Loss { since_ns, until_ns, ..loss(None) }, None);
        }
        let reaction = drops.check(SECOND_NS, 0).unwrap();
        let field = |name| reaction.fields.iter().find(|field| field.0 == name).unwrap().1.as_str();
        assert_eq!((field("eyas_since_ns"), field("eyas_until_ns")), ("3", "9"));
    }

    #[test]
    fn a_share_below_the_threshold_is_passed_over_and_an_unknown_one_is_not() {
        let mut drops = drops(0.1);
        drops.note(&loss(Some(1)), None);
        assert_eq!(drops.check(SECOND_NS, 1000), None);
        drops.note(&loss(None), None);
        assert!(drops.check(2 * SECOND_NS, 2000).is_some());
        let report = drops.report();
        assert!(report.contains("detected: 1 occurrences\n") && report.ends_with("taken: 1\n"));
    }

    #[test]
    fn actions_are_rationed_and_losses_still_counted() {
        let mut drops = drops(0.0);
        let mut acted = 0;
        for second in 1..=10 {
            drops.note(&loss(None), None);
            let reaction = drops.check(second * SECOND_NS, 0).unwrap();
            acted += u32::from(!reaction.actions.is_empty());
        }
        assert_eq!(acted, 5);
        assert!(drops.report().contains("detected: 10 occurrences"));
    }

    #[test]
    fn an_alert_names_what_was_lost_as_far_as_there_is_room() {
        let mut drops = drops(0.0);
        let cause = LossCause::UnwatchedMount;
        let loss = Loss { source: "fanotify", cause, count: None, since_ns: 1, until_ns: 2 };
        drops.note(&loss, Some("/a (odd): EINVAL"));
        drops.note(&loss, Some("/b (odd): EINVAL"));
        let reaction = drops.check(SECOND_NS, 0).unwrap();
        let cause = |reaction: &Reaction| {
            reaction.fields.iter().find(|field| field.0 == "eyas_cause").unwrap().1.clone()
        };
        let expected = "fanotify: a mount cannot be watched: /a (odd): EINVAL, fanotify: a mount \
                        cannot be watched: /b (odd): EINVAL";
        assert_eq!(cause(&reaction), expected);
        for number in 0..1000 {
            drops.note(&loss, Some(&format!("/{number}")));
        }
        assert!(cause(&drops.check(2 * SECOND_NS, 0).unwrap()).len() < 2 * MAX_WHAT);
    }
}
