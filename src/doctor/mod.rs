//! What this host allows, and which rules can fire on it: tried, never guessed.
//!
//! Facilities are the rows of [`probe`](crate::probe), each tried and undone. Rules are judged by
//! the event types that they can match and those that the present sources tell. Nothing here
//! changes anything.

use std::fmt;

use serde_json::Value;
use serde_json::json;

use crate::engine::rule::Rule;
use crate::event::EventType;
use crate::probe::FEATURES;
use crate::probe::Feature;
use crate::probe::Outcome;
use crate::service::coverage;
use crate::service::coverage::FILE_EVENTS;
use crate::service::coverage::PROCESS_EVENTS;

/// Most event types that are named of a rule.
const MAX_NAMED: usize = 6;

/// What was found.
#[derive(Debug)]
pub struct Report {
    facilities: Vec<(&'static Feature, Outcome)>,
    enabled: usize,
    blind: Vec<Blind>,
    wants_rendezvous: bool,
}

/// A rule that can't fire here.
#[derive(Debug)]
struct Blind {
    rule: String,
    needs: Vec<&'static str>,
    is_told_by: Option<&'static str>,
}

impl Report {
    /// Tries the facilities and judges the enabled ones of `rules`. `wants_rendezvous`: the
    /// configuration allows it.
    #[must_use]
    pub fn make(rules: &[Rule], wants_rendezvous: bool) -> Self {
        let facilities: Vec<_> =
            FEATURES.iter().map(|feature| (feature, feature.outcome())).collect();
        let has = |name: &str| {
            facilities
                .iter()
                .any(|(feature, outcome)| feature.name == name && *outcome == Outcome::Present)
        };
        let mut there = Vec::new();
        if has("proc-connector") {
            there.extend(PROCESS_EVENTS);
        }
        if has("fanotify-mount-mark") {
            there.extend(FILE_EVENTS);
        }
        let blind = coverage::enabled(rules)
            .filter(|rule| !coverage::can_match(rule, &there))
            .map(Blind::of)
            .collect();
        let enabled = coverage::enabled(rules).count();
        Self { facilities, enabled, blind, wants_rendezvous }
    }

    /// Whether programs are read while they stand still, and why not.
    fn rendezvous(&self) -> (bool, &'static str) {
        let has = |name: &str| {
            self.facilities
                .iter()
                .any(|(feature, outcome)| feature.name == name && *outcome == Outcome::Present)
        };
        if !self.wants_rendezvous {
            (false, "eyas.rendezvous is off: programs that end at once have fields missing")
        } else if !has("fanotify-permission") || !has("proc-connector") {
            (false, "this host lacks what it needs: programs that end at once have fields missing")
        } else {
            (true, "each program that uses the system's loader is read while it stands still")
        }
    }

    /// Whether every rule can fire.
    #[must_use]
    pub const fn is_complete(&self) -> bool {
        self.blind.is_empty()
    }

    /// The same for programs.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let facilities: Vec<_> = self
            .facilities
            .iter()
            .map(|(feature, outcome)| {
                let (answer, why) = words(outcome);
                json!({
                    "name": feature.name,
                    "since": feature.since,
                    "outcome": answer,
                    "answer": why,
                    "without": feature.without,
                })
            })
            .collect();
        let blind: Vec<_> = self
            .blind
            .iter()
            .map(|blind| {
                json!({ "rule": blind.rule, "needs": blind.needs, "missing": blind.is_told_by })
            })
            .collect();
        let (is_used, why) = self.rendezvous();
        json!({
            "facilities": facilities,
            "rendezvous": { "used": is_used, "why": why },
            "rules": { "enabled": self.enabled, "blind": blind },
        })
    }
}

impl Blind {
    fn of(rule: &Rule) -> Self {
        let source = if coverage::can_match(rule, PROCESS_EVENTS) {
            Some("proc-connector")
        } else if coverage::can_match(rule, FILE_EVENTS) {
            Some("fanotify")
        } else {
            None
        };
        let needs = EventType::all().filter(|ty| rule.events.contains(*ty));
        let needs = needs.map(EventType::name).take(MAX_NAMED).collect();
        Self { rule: rule.name.clone(), needs, is_told_by: source }
    }
}

/// Falco has no such report, so these words are ours.
fn words(outcome: &Outcome) -> (&'static str, Option<&str>) {
    match outcome {
        Outcome::Present => ("present", None),
        Outcome::Absent(why) => ("absent", Some(why)),
        Outcome::Denied(why) => ("denied", Some(why)),
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "What this host allows (each was tried and undone):")?;
        for (feature, outcome) in &self.facilities {
            let (answer, why) = words(outcome);
            write!(f, "  {answer:<8} {} (from Linux {})", feature.name, feature.since)?;
            match why {
                None => writeln!(f)?,
                Some(why) => writeln!(f, ": {why}\n           without it: {}", feature.without)?,
            }
        }
        let (is_used, why) = self.rendezvous();
        let verb = if is_used { "used" } else { "not used" };
        writeln!(f, "\nRendezvous with programs at their start: {verb}: {why}")?;
        let can = self.enabled - self.blind.len();
        writeln!(f, "\nWhat the rules can do here: {can} of {} can fire", self.enabled)?;
        for blind in &self.blind {
            write!(f, "  can't fire: {}: needs {}", blind.rule, blind.needs.join(", "))?;
            match blind.is_told_by {
                Some(source) => writeln!(f, ", which {source} would tell")?,
                None => writeln!(f, ", which only `eyas trace` tells")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::load::Loader;
    use crate::engine::load::Settings;

    #[test]
    fn a_rule_about_calls_that_nothing_tells_is_named_with_them() {
        let text = b"- rule: Dialler\n  desc: d\n  condition: evt.type in (connect, bind)\n  output: o\n  priority: INFO\n";
        let mut loader = Loader::new(Settings::default());
        assert!(loader.add("rules.yaml", text).successful());
        let report = Report::make(&loader.finish().unwrap().rules, false);
        assert!(!report.is_complete());
        let said = "can't fire: Dialler: needs bind, connect, which only `eyas trace` tells\n";
        assert!(report.to_string().contains(said), "{report}");
        assert_eq!(report.to_json()["rules"]["blind"][0]["rule"], "Dialler");
    }
}
