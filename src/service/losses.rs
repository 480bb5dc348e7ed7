//! Losses between their discovery and the end of the loop's turn, in which they are told, and the
//! reading of /proc that some of them call for.

use crate::log;
use crate::log::Level;
use crate::log::Limit;
use crate::log_limited;
use crate::metrics::METRICS;
use crate::sources::Drained;
use crate::sources::Loss;
use crate::sources::LossCause;
use crate::sources::fanotify::Refused;

use super::drops::Drops;

/// The least time between two readings of the whole of /proc, after losses.
const RESYNC_EVERY_NS: u64 = 5_000_000_000;

/// Losses that are not told yet.
#[derive(Debug, Default)]
pub(super) struct Losses {
    waiting: Vec<Loss>,
    /// Each with the moment when it was noticed.
    refused: Vec<(Refused, u64)>,
    /// What keeps the log short, of each source and cause by itself: one must not hide another.
    limits: Vec<(&'static str, LossCause, Limit)>,
    resync_due: bool,
    resynced_at_ns: u64,
}

impl Losses {
    /// Keeps what a drain lost; whether more may wait there.
    pub(super) fn note(&mut self, drained: Drained) -> bool {
        self.add(drained.loss);
        drained.more
    }

    /// Keeps losses.
    pub(super) fn add(&mut self, losses: impl IntoIterator<Item = Loss>) {
        for loss in losses {
            self.resync_due |= loss.cause.leaves_processes_stale();
            self.waiting.push(loss);
        }
    }

    /// Keeps mounts that cannot be watched, at `now_ns` since the epoch.
    pub(super) fn add_refused(&mut self, mounts: impl Iterator<Item = Refused>, now_ns: u64) {
        self.refused.extend(mounts.map(|mount| (mount, now_ns)));
    }

    /// Tells them in the log, the metrics and to whoever decides what else is done; how many
    /// events they come to, one of unknown size counting one.
    pub(super) fn tell(&mut self, drops: &mut Drops) -> u64 {
        let mut sum: u64 = 0;
        for loss in self.waiting.drain(..) {
            log_loss(&loss, limit_of(&mut self.limits, &loss));
            sum = sum.saturating_add(tell(&loss, None, drops));
        }
        for (mount, now_ns) in self.refused.drain(..) {
            let loss = Loss {
                source: "fanotify",
                cause: LossCause::UnwatchedMount,
                count: None,
                since_ns: now_ns,
                until_ns: now_ns,
            };
            log_limited!(
                Level::Warning,
                "{}: {}: {mount}; no rule about its files fires",
                loss.source,
                loss.cause
            );
            sum = sum.saturating_add(tell(&loss, Some(&mount.to_string()), drops));
        }
        sum
    }

    /// Whether /proc has to be read anew now; it is taken to be done.
    pub(super) fn take_resync(&mut self, now_ns: u64) -> bool {
        let is_due =
            self.resync_due && now_ns.saturating_sub(self.resynced_at_ns) >= RESYNC_EVERY_NS;
        if is_due {
            self.resync_due = false;
            self.resynced_at_ns = now_ns;
        }
        is_due
    }
}

/// The limit of a loss's kind.
fn limit_of<'l>(
    limits: &'l mut Vec<(&'static str, LossCause, Limit)>,
    loss: &Loss,
) -> Option<&'l Limit> {
    let is_it = |(source, cause, _): &(&str, LossCause, Limit)| {
        (*source, *cause) == (loss.source, loss.cause)
    };
    let place = limits.iter().position(is_it).unwrap_or(limits.len());
    if place == limits.len() {
        limits.push((loss.source, loss.cause, Limit::new()));
    }
    limits.get(place).map(|(.., limit)| limit)
}

fn log_loss(loss: &Loss, limit: Option<&Limit>) {
    let Some(left_out) = limit.and_then(Limit::pass) else { return };
    let Loss { source, cause, count, .. } = loss;
    let count = count.map_or_else(|| "an unknown number".to_owned(), |count| count.to_string());
    let left_out = match left_out {
        0 => String::new(),
        count => format!(" ({count} such messages were left out)"),
    };
    log!(Level::Warning, "{source}: {count} of events lost: {cause}{left_out}");
}

fn tell(loss: &Loss, detail: Option<&str>, drops: &mut Drops) -> u64 {
    let count = loss.count.unwrap_or(1);
    let counted = METRICS.sources.drops.with(&[loss.source, &loss.cause.to_string()]);
    counted.add(count);
    drops.note(loss, detail);
    count
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::DropAction;
    use crate::config::Drops as Settings;

    fn drained(source: &'static str, cause: LossCause) -> Drained {
        let loss = Loss { source, cause, count: None, since_ns: 1, until_ns: 2 };
        Drained { more: true, loss: Some(loss) }
    }

    #[test]
    fn an_overflow_of_either_source_has_proc_read_anew_but_not_all_the_time() {
        let mut losses = Losses::default();
        let mut now_ns = RESYNC_EVERY_NS;
        assert!(!losses.take_resync(now_ns));
        for (source, cause) in [
            ("fanotify", LossCause::QueueOverflow),
            ("proc_connector", LossCause::ReceiveBuffer),
            ("proc_connector", LossCause::SequenceGap),
        ] {
            assert!(losses.note(drained(source, cause)));
            assert!(losses.take_resync(now_ns), "{source}");
            assert!(losses.note(drained(source, cause)));
            assert!(!losses.take_resync(now_ns + RESYNC_EVERY_NS - 1), "{source}: too soon");
            assert!(losses.take_resync(now_ns + RESYNC_EVERY_NS), "{source}");
            assert!(!losses.take_resync(now_ns + 3 * RESYNC_EVERY_NS), "{source}: once");
            now_ns += 4 * RESYNC_EVERY_NS;
        }
        losses.note(drained("fanotify", LossCause::Unopened));
        assert!(!losses.take_resync(now_ns), "that says nothing of processes");
    }

    #[test]
    fn one_kind_of_loss_does_not_keep_another_out_of_the_log() {
        let mut limits = Vec::new();
        let of = |cause| drained("fanotify", cause).loss.unwrap();
        let mut may_pass = |cause| limit_of(&mut limits, &of(cause)).and_then(Limit::pass);
        assert_eq!(may_pass(LossCause::StoodStill), Some(0));
        assert_eq!(may_pass(LossCause::QueueOverflow), Some(0));
        assert_eq!(may_pass(LossCause::QueueOverflow), None);
    }

    #[test]
    fn a_mount_that_cannot_be_watched_is_in_the_drop_alert_once() {
        let mount = Refused {
            mount_point: b"/data".to_vec(),
            fs_type: b"odd".to_vec(),
            answer: "EINVAL (Invalid argument)".to_owned(),
        };
        let mut losses = Losses::default();
        let actions = vec![DropAction::Log, DropAction::Alert];
        let settings =
            Settings { actions, threshold: 0.1, rate: 0.1, max_burst: 1.0, simulate: false };
        let mut drops = Drops::new(settings, 0);
        losses.add_refused(std::iter::once(mount), 7);
        assert_eq!(losses.tell(&mut drops), 1);
        let reaction = drops.check(1_000_000_000, 0).unwrap();
        let field = |name| reaction.fields.iter().find(|field| field.0 == name).unwrap().1.as_str();
        let cause = "fanotify: a mount cannot be watched: /data (odd): fanotify_mark: EINVAL \
                     (Invalid argument)";
        assert_eq!((field("eyas_cause"), field("eyas_since_ns")), (cause, "7"));
        assert_eq!(losses.tell(&mut drops), 0);
        assert_eq!(drops.check(2_000_000_000, 0), None);
    }
}
