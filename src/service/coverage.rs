//! Which rules can fire with the sources that this host gives, and which can't.

use crate::engine::rule::Rule;
use crate::event::EventType;
use crate::metrics::METRICS;

/// What one source tells of, by `evt.type`; `open` and its like come as `openat`, a new process
/// as `clone`, changed ids as `setresuid` and `setresgid`, since the call isn't told.
pub const PROCESS_EVENTS: &[&str] =
    &["clone", "execve", "procexit", "ptrace", "setresgid", "setresuid", "setsid"];

/// Of the fanotify group.
pub const FILE_EVENTS: &[&str] = &["openat"];

/// What the rendezvous tells of files that rules name.
pub const OPENS: &[&str] = &["creat", "open", "open_by_handle_at", "openat", "openat2"];

/// Whether a rule can match any of these events.
#[must_use]
pub fn can_match(rule: &Rule, events: &[&str]) -> bool {
    events.iter().any(|name| EventType::by_name(name).is_some_and(|ty| rule.events.contains(ty)))
}

/// Names of the enabled rules that only events of `lost` could have made fire, not those of
/// `there`.
#[must_use]
pub fn blinded<'a>(rules: &'a [Rule], lost: &[&str], there: &[&str]) -> Vec<&'a str> {
    enabled(rules)
        .filter(|rule| can_match(rule, lost) && !can_match(rule, there))
        .map(|rule| rule.name.as_str())
        .collect()
}

/// Names of the enabled rules that no event of `there` can make fire.
#[must_use]
pub fn blind<'a>(rules: &'a [Rule], there: &[&str]) -> Vec<&'a str> {
    enabled(rules).filter(|rule| !can_match(rule, there)).map(|rule| rule.name.as_str()).collect()
}

/// The rules that are judged.
pub fn enabled(rules: &[Rule]) -> impl Iterator<Item = &Rule> {
    rules.iter().filter(|rule| rule.enabled)
}

/// Shows as metrics how many rules can fire if events of `there` are told.
pub fn show(rules: &[Rule], there: &[&str]) {
    let enabled = enabled(rules).count();
    let blind = blind(rules, there).len();
    for (state, count) in
        [("can_fire", enabled - blind), ("blind", blind), ("disabled", rules.len() - enabled)]
    {
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        METRICS.rules.coverage.with(&[state]).set(count);
    }
}
