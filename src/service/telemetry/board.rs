//! What the loop lets the web server's thread see: which rules are loaded, from which files, and
//! the last alerts. Counts are not here; they are in [`METRICS`](crate::metrics::METRICS).

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::engine::rule::{Priority, Rule};

use super::super::coverage;

/// Most alerts that are kept for the page.
const MAX_ALERTS: usize = 300;

/// Longest text of a kept alert, in bytes.
const MAX_ALERT_BYTES: usize = 16 << 10;

/// A rule that is loaded.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RuleRow {
    /// Its name.
    pub name: String,
    /// How bad a match is.
    pub priority: Priority,
    /// Its event source.
    pub source: String,
    /// Its tags.
    pub tags: Vec<String>,
    /// `can_fire`, `blind` or `disabled`.
    pub state: &'static str,
}

/// An alert that was raised.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Alert {
    /// Running number, from 1.
    pub seq: u64,
    /// The event's time, nanoseconds since the epoch.
    pub time_ns: u64,
    /// The rule's name.
    pub rule: String,
    /// How bad it is.
    pub priority: Priority,
    /// As it is written to the outputs.
    pub output: Vec<u8>,
}

/// What is the same until the next reload.
#[derive(Clone, Debug, Default)]
pub struct Loaded {
    /// The rules, in the order of definition.
    pub rules: Vec<RuleRow>,
    /// Name and SHA-256 of each rules file.
    pub rules_files: Vec<(String, String)>,
    /// Name and SHA-256 of each configuration file.
    pub config_files: Vec<(String, String)>,
}

/// The board.
#[derive(Debug)]
pub struct Board {
    /// When the agent began, nanoseconds since the epoch.
    pub started_ns: u64,
    /// When rules and configuration were loaded last, nanoseconds since the epoch.
    reloaded_ns: AtomicU64,
    keeps_alerts: AtomicBool,
    loaded: Mutex<Arc<Loaded>>,
    alerts: Mutex<Alerts>,
}

#[derive(Debug, Default)]
struct Alerts {
    last_seq: u64,
    kept: VecDeque<Arc<Alert>>,
}

impl Board {
    /// With nothing on it.
    #[must_use]
    pub fn new(now_ns: u64) -> Self {
        Self {
            started_ns: now_ns,
            reloaded_ns: AtomicU64::new(now_ns),
            keeps_alerts: AtomicBool::new(false),
            loaded: Mutex::default(),
            alerts: Mutex::default(),
        }
    }

    /// Shows what was loaded at that moment.
    pub fn load(&self, loaded: Loaded, now_ns: u64) {
        *locked(&self.loaded) = Arc::new(loaded);
        self.reloaded_ns.store(now_ns, Relaxed);
    }

    /// What is loaded.
    #[must_use]
    pub fn loaded(&self) -> Arc<Loaded> {
        Arc::clone(&locked(&self.loaded))
    }

    /// When it was loaded, nanoseconds since the epoch.
    #[must_use]
    pub fn reloaded_ns(&self) -> u64 {
        self.reloaded_ns.load(Relaxed)
    }

    /// Alerts are kept from now on, or not: somebody has to want to see them.
    pub fn keep_alerts(&self, keeps: bool) {
        self.keeps_alerts.store(keeps, Relaxed);
        if !keeps {
            locked(&self.alerts).kept.clear();
        }
    }

    /// Keeps an alert for a while, if somebody wants to see them.
    pub fn alert(&self, rule: &str, priority: Priority, time_ns: u64, output: &[u8]) {
        if !self.keeps_alerts.load(Relaxed) {
            return;
        }
        let output = output.get(..output.len().min(MAX_ALERT_BYTES)).unwrap_or_default().to_vec();
        let rule = rule.to_owned();
        let mut alerts = locked(&self.alerts);
        alerts.last_seq += 1;
        let seq = alerts.last_seq;
        alerts.kept.push_back(Arc::new(Alert { seq, time_ns, rule, priority, output }));
        if alerts.kept.len() > MAX_ALERTS {
            alerts.kept.pop_front();
        }
    }

    /// The kept alerts behind number `after`, the oldest first, and the last number given.
    #[must_use]
    pub fn alerts_after(&self, after: u64) -> (Vec<Arc<Alert>>, u64) {
        let alerts = locked(&self.alerts);
        let new = alerts.kept.iter().filter(|alert| alert.seq > after);
        (new.cloned().collect(), alerts.last_seq)
    }
}

/// The rules as rows; `there`: the event types that this host's sources tell.
#[must_use]
pub fn rows(rules: &[Rule], there: &[&str]) -> Vec<RuleRow> {
    let state = |rule: &Rule| match (rule.enabled, coverage::can_match(rule, there)) {
        (false, _) => "disabled",
        (true, false) => "blind",
        (true, true) => "can_fire",
    };
    let row = |rule: &Rule| RuleRow {
        name: rule.name.clone(),
        priority: rule.priority,
        source: rule.source.clone(),
        tags: rule.tags.clone(),
        state: state(rule),
    };
    rules.iter().map(row).collect()
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alerts_are_kept_only_if_asked_for_and_up_to_a_bound() {
        let board = Board::new(1);
        board.alert("R", Priority::Notice, 5, b"unseen");
        board.keep_alerts(true);
        for number in 0..1000 {
            board.alert("R", Priority::Notice, number, b"seen");
        }
        let (kept, last) = board.alerts_after(0);
        assert_eq!((kept.len(), last), (MAX_ALERTS, 1000));
        assert_eq!(board.alerts_after(998).0[0].seq, 999);
        assert!(board.alerts_after(1000).0.is_empty());
    }
}
