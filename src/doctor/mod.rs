//! What this host allows, what each rule can do on it, and what is in the way: tried and looked
//! at, never guessed.
//!
//! Facilities are the rows of [`probe`](crate::probe), each tried and undone. Rules are judged by
//! the event types that the present sources tell, and by the fields that those don't give (see
//! [`provenance`]). Nothing here changes anything.

pub mod conflicts;
pub mod provenance;
pub mod verdict;

use std::fmt;
use std::path::Path;

use serde_json::Value;
use serde_json::json;

use crate::config;
use crate::engine::rule::Rule;
use crate::event::EventType;
use crate::event::known;
use crate::probe::FEATURES;
use crate::probe::Feature;
use crate::probe::Outcome;
use crate::service::audit;
use crate::service::coverage::FILE_EVENTS;
use crate::service::coverage::PROCESS_EVENTS;
use crate::service::host;
use crate::service::plan::AuditFacts;
use crate::service::plan::Owner;
use crate::service::plan::Plan;
use crate::service::plan::Row;
use crate::service::plan::TOO_OFTEN;
use crate::service::standing;

use conflicts::Conflict;
use provenance::Source;
use verdict::Kind;
use verdict::Verdict;

/// Most event types that are named of a rule.
const MAX_NAMED: usize = 6;

/// What was found.
#[derive(Debug)]
pub struct Report {
    facilities: Vec<(&'static Feature, Outcome)>,
    verdicts: Vec<Verdict>,
    conflicts: Vec<Conflict>,
    wants_rendezvous: bool,
    /// Where opens are met.
    met: Vec<String>,
    plan: Plan,
    audit: AuditFacts,
}

/// Who would tell which types, by the plan: a family of calls has one owner.
fn tellers(plan: &Plan, has: &dyn Fn(&str) -> bool) -> Vec<verdict::Told> {
    let by_audit: Vec<EventType> =
        EventType::all().filter(|ty| plan.owner(*ty) == Owner::Audit).collect();
    let mut tellers = vec![(Source::Audit, by_audit.clone())];
    for (source, feature, names) in SOURCES {
        let types = names.iter().filter_map(|name| EventType::by_name(name));
        let types = types.filter(|ty| has(feature) && !by_audit.contains(ty));
        tellers.push((*source, types.collect()));
    }
    tellers
}

/// The sources that watch a whole host, what each needs, and what it tells.
static SOURCES: &[(Source, &str, &[&str])] = &[
    (Source::ProcConnector, "proc-connector", PROCESS_EVENTS),
    (Source::Fanotify, "fanotify-mount-mark", FILE_EVENTS),
];

impl Report {
    /// Tries the facilities, makes the plan that the agent would make, judges all `rules` by it, and
    /// looks around. `settings` and `wants_rendezvous`: what the configuration allows.
    #[must_use]
    pub fn make(rules: &[Rule], settings: &config::Audit, wants_rendezvous: bool) -> Self {
        let facilities: Vec<_> =
            FEATURES.iter().map(|feature| (feature, feature.outcome())).collect();
        let has = |name: &str| has(&facilities, name);
        let facts = audit::host(settings, has("proc-connector"), has("fanotify-mount-mark"));
        let plan = Plan::make(rules, &facts);
        let sources = tellers(&plan, &has);
        let verdicts = rules.iter().map(|rule| Verdict::of(rule, &sources)).collect();
        let mut conflicts = conflicts::look(&host::path("/proc"), Path::new("/sys"));
        if let Some(status) = &facts.audit.status {
            let lines = Plan::lines_to_add(rules, &facts);
            conflicts.extend(conflicts::audit(status, &lines, &host::path("/proc")));
        }
        let met = standing::met(rules);
        Self { facilities, verdicts, conflicts, wants_rendezvous, met, plan, audit: facts.audit }
    }

    /// Whether the audit is used, and how or why not.
    fn audit(&self) -> (bool, String) {
        match (self.plan.uses_audit(), self.plan.seat()) {
            (true, Some(seat)) => {
                let whose = if self.audit.may_install {
                    format!("{} rules of our own", self.plan.audit_rules().len())
                } else {
                    format!("only the rules that are there: {}", self.audit.why_not)
                };
                (true, format!("seat {}, {whose}", seat.name()))
            }
            _ if !self.audit.why_not.is_empty() => (false, self.audit.why_not.clone()),
            _ => (false, "no rule needs it".to_owned()),
        }
    }

    /// Whether programs are read while they stand still, and why not.
    fn rendezvous(&self) -> (bool, &'static str) {
        let has = |name: &str| has(&self.facilities, name);
        if self.plan.owner(known::EXECVE) == Owner::Audit {
            (false, "the audit tells of programs exactly, however soon they end")
        } else if !self.wants_rendezvous {
            (false, "eyas.rendezvous is off: programs that end at once have fields missing")
        } else if !has("fanotify-permission") || !has("proc-connector") {
            (false, "this host lacks what it needs: programs that end at once have fields missing")
        } else if has("fanotify-exec-look") {
            (true, "each program is read while it stands still at its start")
        } else {
            (
                true,
                "each program that uses the system's loader is read while it stands still; this \
                 kernel can't be asked about others before they run",
            )
        }
    }

    /// Whether opens of what rules name are read while they stand still, and why not.
    fn open_rendezvous(&self) -> (bool, String) {
        let has = |name: &str| has(&self.facilities, name);
        let why = if self.plan.owner(known::OPENAT) == Owner::Audit {
            "the audit tells of opens exactly, however soon they are closed"
        } else if self.met.is_empty() {
            "no rule names files or directories where somebody may be kept waiting"
        } else if !self.wants_rendezvous {
            "eyas.rendezvous is off: of short opens the call, the flags and the thread are unknown"
        } else if !has("fanotify-permission") || !has("fanotify-mount-mark") {
            "this host lacks what it needs: of short opens the call, the flags and the thread are \
             unknown"
        } else {
            let met = self.met.join(", ");
            return (true, format!("whoever opens a file there waits until that is read: {met}"));
        };
        (false, why.to_owned())
    }

    /// Whether every enabled rule can fire.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.count(Kind::Never) == 0
    }

    fn count(&self, kind: Kind) -> usize {
        self.verdicts.iter().filter(|verdict| verdict.kind == kind).count()
    }

    /// The same for programs.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let facilities: Vec<_> = self.facilities.iter().map(facility_json).collect();
        let verdicts: Vec<_> =
            self.verdicts.iter().map(|verdict| verdict_json(verdict, self)).collect();
        let conflicts: Vec<_> = self
            .conflicts
            .iter()
            .map(|conflict| {
                json!({
                    "kind": conflict.kind,
                    "found": conflict.found,
                    "advice": conflict.advice,
                })
            })
            .collect();
        let (is_used, why) = self.rendezvous();
        let (opens_are_met, open_why) = self.open_rendezvous();
        let (audit_is_used, audit_why) = self.audit();
        json!({
            "facilities": facilities,
            "rendezvous": { "used": is_used, "why": why },
            "open_rendezvous": { "used": opens_are_met, "why": open_why, "places": self.met },
            "audit": { "used": audit_is_used, "why": audit_why },
            "rules": {
                "total": self.verdicts.len(),
                "full": self.count(Kind::Full),
                "partly": self.count(Kind::Partly),
                "never": self.count(Kind::Never),
                "off": self.count(Kind::Off),
                "verdicts": verdicts,
            },
            "conflicts": conflicts,
        })
    }

    /// Why nobody tells the untold types of a rule, each reason once.
    fn why_untold(&self, verdict: &Verdict) -> Vec<&str> {
        let rows = verdict.untold.iter().filter_map(|ty| self.plan.row(*ty));
        let mut reasons: Vec<&str> = rows.map(|row| row.why.as_str()).collect();
        reasons.sort_unstable();
        reasons.dedup();
        reasons
    }

    /// What would make a rule fire that can't, or can't fully.
    fn remedy(&self, verdict: &Verdict) -> Option<String> {
        let wants_refused = SOURCES.iter().find_map(|(source, feature, names)| {
            let (feature, outcome) =
                self.facilities.iter().find(|(known, _)| known.name == *feature)?;
            let would_tell = verdict
                .untold
                .iter()
                .any(|ty| names.contains(&provenance::comes_as(*source, *ty).name()));
            (*outcome != Outcome::Present && would_tell).then_some(feature)
        });
        if let Some(feature) = wants_refused {
            return Some(format!("{}: {}", feature.name, feature.help));
        }
        let has_no_event = verdict.told.is_empty() && verdict.untold.is_empty();
        if has_no_event && verdict.missing.is_empty() {
            return None;
        }
        if verdict.untold.is_empty() && verdict.missing.is_empty() {
            return None;
        }
        const TRACE: &str = "eyas trace tells it of a process tree";
        Some(match self.option_for(verdict) {
            Some(option) => format!("{option}; or {TRACE}"),
            None => TRACE.to_owned(),
        })
    }

    /// What of the configuration or the audit keeps a rule's types or fields from being told.
    fn option_for(&self, verdict: &Verdict) -> Option<String> {
        let rows: Vec<&Row> = verdict.untold.iter().filter_map(|ty| self.plan.row(*ty)).collect();
        let is_untold = |why: &str| rows.iter().any(|row| row.why == why);
        // Of these the audit tells more than who tells of them without it.
        let is_poor = verdict.lacking.contains(&Source::ProcConnector)
            || rows.iter().any(|row| provenance::comes_as(Source::ProcConnector, row.ty) != row.ty);
        let is_out = !self.audit.why_not.is_empty();
        if is_out && (is_untold(&self.audit.why_not) || is_poor) {
            return Some(self.audit.remedy.to_owned());
        }
        if is_untold(TOO_OFTEN) {
            let costly = rows.iter().filter(|row| row.why == TOO_OFTEN);
            let costly: Vec<&str> = costly.map(|row| row.ty.name()).collect();
            return Some(format!("eyas.audit.costly_calls: [{}]", costly.join(", ")));
        }
        let lacks_calls = verdict.lacking.contains(&Source::Fanotify);
        (lacks_calls && !is_out).then(|| "eyas.audit.opens: true, at a price".to_owned())
    }
}

fn facility_json((feature, outcome): &(&'static Feature, Outcome)) -> Value {
    let (answer, why) = words(outcome);
    json!({
        "name": feature.name,
        "since": feature.since,
        "outcome": answer,
        "answer": why,
        "without": feature.without,
        "help": feature.help,
    })
}

fn verdict_json(verdict: &Verdict, report: &Report) -> Value {
    let told: Vec<_> = verdict
        .told
        .iter()
        .map(|(ty, source)| json!({ "event": ty.name(), "source": source.name() }))
        .collect();
    let untold: Vec<_> = verdict.untold.iter().map(|ty| ty.name()).collect();
    let why_untold = report.why_untold(verdict);
    json!({
        "rule": verdict.rule,
        "fires": verdict.kind.name(),
        "told": told,
        "untold": untold,
        "why_untold": why_untold,
        "missing": verdict.missing,
        "why": verdict.why,
        "remedy": report.remedy(verdict),
    })
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
                Some(why) => writeln!(
                    f,
                    ": {why}\n           without it: {}\n           what helps: {}",
                    feature.without, feature.help
                )?,
            }
        }
        let (is_used, why) = self.rendezvous();
        let verb = if is_used { "used" } else { "not used" };
        writeln!(f, "\nRendezvous with programs at their start: {verb}: {why}")?;
        let (is_used, why) = self.open_rendezvous();
        let verb = if is_used { "used" } else { "not used" };
        writeln!(f, "Rendezvous with opens of what rules name: {verb}: {why}")?;
        let (is_used, why) = self.audit();
        let verb = if is_used { "used" } else { "not used" };
        writeln!(f, "Audit: {verb}: {why}")?;
        self.fmt_rules(f)?;
        if !self.conflicts.is_empty() {
            writeln!(f, "\nWhat is in the way:")?;
        }
        for conflict in &self.conflicts {
            writeln!(f, "  {}: {}\n           {}", conflict.kind, conflict.found, conflict.advice)?;
        }
        Ok(())
    }
}

impl Report {
    fn fmt_rules(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "\nWhat the {} rules can do here: {} fire fully, {} in part, {} can't fire, {} are off",
            self.verdicts.len(),
            self.count(Kind::Full),
            self.count(Kind::Partly),
            self.count(Kind::Never),
            self.count(Kind::Off),
        )?;
        for verdict in &self.verdicts {
            let rule = &verdict.rule;
            match verdict.kind {
                Kind::Full | Kind::Off => continue,
                Kind::Partly => writeln!(f, "  fires in part: {rule}")?,
                Kind::Never => writeln!(f, "  can't fire: {rule}")?,
            }
            if let Some(why) = verdict.why {
                writeln!(f, "      because {why}")?;
            }
            if !verdict.untold.is_empty() {
                writeln!(f, "      not told here: {}", names(&verdict.untold))?;
                for why in self.why_untold(verdict) {
                    writeln!(f, "      because: {why}")?;
                }
            }
            for (field, why) in &verdict.missing {
                writeln!(f, "      {field}: {why}")?;
            }
            if let Some(remedy) = self.remedy(verdict) {
                writeln!(f, "      what helps: {remedy}")?;
            }
        }
        Ok(())
    }
}

/// The first names of a list.
fn names(types: &[EventType]) -> String {
    let mut text: Vec<_> = types.iter().take(MAX_NAMED).map(|ty| ty.name()).collect();
    let more = types.len().saturating_sub(MAX_NAMED);
    let rest = format!("and {more} more");
    if more > 0 {
        text.push(&rest);
    }
    text.join(", ")
}

/// Whether the facility of that name was found.
fn has(facilities: &[(&Feature, Outcome)], name: &str) -> bool {
    facilities.iter().any(|(feature, outcome)| feature.name == name && *outcome == Outcome::Present)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::AuditSeat;
    use crate::engine::load::Loader;
    use crate::engine::load::Settings;

    fn remedy(condition: &str, settings: &config::Audit, audit: AuditFacts) -> String {
        let text = format!(
            "- rule: r\n  desc: d\n  condition: {condition}\n  output: o\n  priority: INFO\n"
        );
        let mut loader = Loader::new(Settings::default());
        assert!(loader.add("rules.yaml", text.as_bytes()).successful());
        let rules = loader.finish().unwrap().rules;
        let host = crate::service::plan::Host {
            has_processes: true,
            has_files: true,
            audit_opens: settings.opens,
            costly: settings.costly_calls.clone(),
            audit,
        };
        let plan = Plan::make(&rules, &host);
        let verdict = Verdict::of(&rules[0], &tellers(&plan, &|_| true));
        let report = Report {
            facilities: Vec::new(),
            verdicts: Vec::new(),
            conflicts: Vec::new(),
            wants_rendezvous: true,
            met: Vec::new(),
            plan,
            audit: host.audit,
        };
        report.remedy(&verdict).unwrap_or_default()
    }

    #[test]
    fn an_option_that_would_help_is_named_before_eyas_trace() {
        let ours = AuditFacts {
            seat: Some(crate::service::plan::SeatKind::Unicast),
            may_install: true,
            ..AuditFacts::default()
        };
        let auditds = AuditFacts {
            why_not: "auditd has it".to_owned(),
            remedy: "eyas.audit.beside_auditd: true",
            ..AuditFacts::default()
        };
        let settings = config::Audit::default();
        for (condition, audit, begins) in [
            ("evt.type in (sendto, sendmsg)", &ours, "eyas.audit.costly_calls: [sendmsg, sendto]"),
            ("evt.type = openat and evt.is_open_read = true", &ours, "eyas.audit.opens: true"),
            ("evt.type = connect", &auditds, "eyas.audit.beside_auditd: true; or eyas trace"),
            ("evt.type = setuid", &auditds, "eyas.audit.beside_auditd: true; or eyas trace"),
            (
                "evt.type = ptrace and evt.arg.request = PTRACE_ATTACH",
                &auditds,
                "eyas.audit.beside_auditd: true; or eyas trace",
            ),
            ("evt.type = connect", &ours, ""),
        ] {
            let remedy = remedy(condition, &settings, audit.clone());
            assert!(remedy.starts_with(begins), "{condition}: {remedy}");
            assert!(!begins.is_empty() || remedy.is_empty(), "{condition}: {remedy}");
        }
    }

    #[test]
    fn a_rule_about_calls_that_nothing_tells_is_named_with_them() {
        let text = b"- rule: Dialler\n  desc: d\n  condition: evt.type in (connect, bind)\n  output: o\n  priority: INFO\n";
        let mut loader = Loader::new(Settings::default());
        assert!(loader.add("rules.yaml", text).successful());
        let settings = config::Audit { seat: AuditSeat::Off, ..config::Audit::default() };
        let report = Report::make(&loader.finish().unwrap().rules, &settings, true);
        assert!(!report.is_complete());
        let said = "  can't fire: Dialler\n      not told here: bind, connect\n      because: \
                    eyas.audit.seat is off\n      what helps: eyas.audit.seat: auto; or eyas trace tells it of a \
                    process tree\n";
        assert!(report.to_string().contains(said), "{report}");
        let json = report.to_json();
        assert_eq!(json["rules"]["verdicts"][0]["rule"], "Dialler");
        assert_eq!((&json["rules"]["never"], &json["rules"]["total"]), (&json!(1), &json!(1)));
    }
}
