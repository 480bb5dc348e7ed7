//! Opens the sources that the rules need, and tells of those that the host refuses.

use std::time::Instant;

use crate::config;
use crate::config::Config;
use crate::engine::rule::Rule;
use crate::event::known;
use crate::log;
use crate::log::Level;
use crate::metrics::METRICS;
use crate::sources::FileWatch;
use crate::sources::ProcConnector;
use crate::sources::Wanted;
use crate::sources::proc_connector;
use crate::sys::process;
use crate::sys::process::Capability;

use super::Error;
use super::audit;
use super::coverage;
use super::coverage::FILE_EVENTS;
use super::coverage::PROCESS_EVENTS;
use super::guarded::Guarded;
use super::live::Sources;
use super::open_filter::OpenFilter;
use super::plan::AuditFacts;
use super::plan::Host;
use super::plan::Owner;
use super::plan::Plan;

/// A source that the host refuses, and what it would have told.
struct Refused {
    error: crate::sources::Error,
    events: &'static [&'static str],
}

/// What was opened, and by which plan.
pub(super) struct Opened {
    pub(super) sources: Sources,
    pub(super) plan: Plan,
    pub(super) planner: Planner,
}

/// What plans are made with.
#[derive(Clone, Debug, Default)]
pub(super) struct Planner {
    pub(super) host: Host,
    pub(super) settings: config::Audit,
    /// When the audit's seat was lost, or last tried to have again.
    pub(super) audit_lost_at: Option<Instant>,
    /// Those who open what rules name may be kept waiting for a look.
    pub(super) meets_openers: bool,
}

impl Planner {
    /// The plan for `rules`; shown as metrics.
    pub(super) fn plan(&self, rules: &[Rule]) -> Plan {
        let plan = Plan::make(rules, &self.host);
        plan.show();
        coverage::show(rules, &plan.told());
        plan
    }

    /// From now on plans do without the audit.
    pub(super) fn without_audit(&mut self, why: String) {
        self.host.audit = AuditFacts { why_not: why, ..AuditFacts::default() };
        self.host.audit_opens = false;
        METRICS.sources.up.with(&["audit"]).set(0);
    }
}

/// Opens what the rules need.
///
/// # Errors
///
/// [`Error::Sources`] if that leaves no rule that can fire, or `eyas.strict` and a rule that can't.
pub(super) fn open(rules: &[Rule], config: &Config, mut guarded: Guarded) -> Result<Opened, Error> {
    let privileges = [Capability::SysAdmin, Capability::NetAdmin];
    if !privileges.into_iter().any(process::has_capability) {
        return Err(Error::Sources {
            message: "the agent has to run as root: it has neither CAP_SYS_ADMIN, which fanotify \
                      needs, nor CAP_NET_ADMIN, which the proc connector needs"
                .to_owned(),
            hints: vec![
                "use sudo, or the shipped systemd unit; in a container --privileged, or --cap-add \
                 with what the unit lists; rules are validated (-V) and capture files replayed (-e) \
                 without privileges"
                    .to_owned(),
            ],
        });
    }
    let mut refused = Vec::new();
    // Without it the process table goes stale, so it is wanted whatever the rules are.
    let processes = match ProcConnector::subscribe(proc_connector::Options::default()) {
        Ok(source) => Some(source),
        Err(error) => {
            refused.push(Refused { error, events: PROCESS_EVENTS });
            None
        }
    };
    METRICS.sources.up.with(&["proc_connector"]).set(u64::from(processes.is_some()));
    let facts = audit::facts(&config.audit);
    let audit_opens = config.audit.opens && facts.may_install;
    let mut files = if audit_opens { None } else { open_files(rules, &mut refused) };
    let host = Host {
        has_processes: processes.is_some(),
        has_files: files.is_some(),
        audit_opens,
        costly: config.audit.costly_calls.clone(),
        audit: facts,
    };
    let mut planner = Planner {
        host,
        settings: config.audit.clone(),
        audit_lost_at: None,
        meets_openers: config.rendezvous,
    };
    let mut plan = planner.plan(rules);
    let audit = match audit::open(&plan, &config.audit, guarded.guardian()) {
        Ok(source) => source,
        Err(why) => {
            log!(Level::Warning, "{why}");
            planner.without_audit(why);
            if audit_opens {
                files = open_files(rules, &mut refused);
                planner.host.has_files = files.is_some();
            }
            plan = planner.plan(rules);
            None
        }
    };
    if audit.is_some() {
        METRICS.sources.up.with(&["audit"]).set(1);
    }
    let mut sources = Sources { processes, files, audit, guarded };
    report(rules, &refused, &plan.told(), &sources, config.strict)?;
    if let Some(why) = plan.audit_is_missed(&planner.host.audit) {
        // Who has the seat may leave it; who keeps it free may come.
        let has_seat = planner.host.audit.seat.is_some();
        planner.audit_lost_at = (!has_seat).then(Instant::now);
        log!(Level::Info, "the audit doesn't tell them: {why}; eyas doctor names the rules");
    }
    tell_rungs(&sources);
    // Where the audit tells of programs, it tells as much.
    let needs_looks = plan.owner(known::EXECVE) != Owner::Audit;
    if sources.processes.is_some() && config.rendezvous && needs_looks {
        sources.guarded.meet_programs();
        sources.guarded.meet_callers();
    }
    if sources.files.is_some() && config.rendezvous {
        meet_openers(&mut sources.guarded, rules);
    }
    Ok(Opened { sources, plan, planner })
}

fn tell_rungs(sources: &Sources) {
    for rung in sources.files.iter().flat_map(FileWatch::rungs) {
        let verb = if rung.taken { "used" } else { "not used" };
        log!(Level::Debug, "fanotify: {}: {verb}: {}", rung.name, rung.why);
    }
}

/// Opens what the rules need and isn't open, and closes what no rule needs any more. What can't be
/// opened is told, with the rules that it blinds.
pub(super) fn adjust(sources: &mut Sources, rules: &[Rule], planner: &mut Planner) {
    let wants_files = !planner.host.audit_opens
        && coverage::enabled(rules).any(|rule| coverage::can_match(rule, FILE_EVENTS));
    if !wants_files {
        sources.files = None;
        METRICS.sources.up.retain(|source| source.first().is_none_or(|name| &**name != "fanotify"));
    } else if let Some(files) = &mut sources.files {
        if let Err(error) = files.set_interest(OpenFilter::new(rules).interest()) {
            log!(Level::Error, "{error}; {}", error.hint());
        }
    } else {
        match watch_files(rules) {
            Ok(files) => sources.files = Some(files),
            Err(error) => {
                log!(Level::Warning, "{error}");
                log!(Level::Warning, "  hint: {}", error.hint());
                let there = if sources.processes.is_some() { PROCESS_EVENTS } else { &[] };
                let blind = coverage::blinded(rules, FILE_EVENTS, there);
                log!(Level::Warning, "rules that can't fire without it: {}", blind.join(", "));
            }
        }
        METRICS.sources.up.with(&["fanotify"]).set(u64::from(sources.files.is_some()));
    }
    planner.host.has_files = sources.files.is_some();
    let is_met = sources.files.is_some() && planner.meets_openers;
    if is_met {
        meet_openers(&mut sources.guarded, rules);
    } else {
        sources.guarded.meet_openers(Vec::new(), Box::new(|_| true));
    }
}

fn meet_openers(guarded: &mut Guarded, rules: &[Rule]) {
    let filter = OpenFilter::of_opens(rules);
    let reads_matter = Box::new(move |path: &[u8]| filter.may_match_reading(path));
    guarded.meet_openers(OpenFilter::meeting_places(rules), reads_matter);
}

/// Opens the files' source, if a rule needs it.
fn open_files(rules: &[Rule], refused: &mut Vec<Refused>) -> Option<FileWatch> {
    if !coverage::enabled(rules).any(|rule| coverage::can_match(rule, FILE_EVENTS)) {
        return None;
    }
    let files = match watch_files(rules) {
        Ok(source) => Some(source),
        Err(error) => {
            refused.push(Refused { error, events: FILE_EVENTS });
            None
        }
    };
    METRICS.sources.up.with(&["fanotify"]).set(u64::from(files.is_some()));
    files
}

/// Watches files as far as the rules are about them.
fn watch_files(rules: &[Rule]) -> Result<FileWatch, crate::sources::Error> {
    let interest = OpenFilter::new(rules).interest();
    let mut files = FileWatch::start(Wanted { directories: interest.directories, ..Wanted::ALL })?;
    files.set_interest(interest)?;
    Ok(files)
}

/// Says what is refused, and what that means for the rules.
fn report(
    rules: &[Rule],
    refused: &[Refused],
    there: &[&str],
    sources: &Sources,
    strict: bool,
) -> Result<(), Error> {
    let mut blinds_any = false;
    for Refused { error, events } in refused {
        log!(Level::Warning, "{error}");
        log!(Level::Warning, "  hint: {}", error.hint());
        for (event, names) in by_event(rules, events, there) {
            blinds_any = true;
            log!(Level::Warning, "rules that can't fire without {event}: {}", names.join(", "));
        }
    }
    let enabled = coverage::enabled(rules).count();
    let blind = coverage::blind(rules, there);
    let has_any = sources.processes.is_some() || sources.files.is_some() || sources.audit.is_some();
    let nothing_is_left = !has_any || enabled > 0 && blind.len() == enabled && blinds_any;
    if nothing_is_left || strict && blinds_any {
        let refusals: Vec<_> = refused.iter().map(|refused| refused.error.to_string()).collect();
        let why = if nothing_is_left {
            "no rule can fire on this host"
        } else {
            "some rules can't fire on this host, and --strict forbids that"
        };
        return Err(Error::Sources {
            message: format!("{why}: {}", refusals.join("; ")),
            hints: refused.iter().map(|refused| refused.error.hint().to_owned()).collect(),
        });
    }
    if enabled == 0 {
        log!(Level::Warning, "no rule is enabled: nothing will be reported");
    } else if !blind.is_empty() && !blinds_any {
        log!(
            Level::Info,
            "{} of {enabled} rules need events that this host's kernel interfaces don't tell",
            blind.len()
        );
        log!(Level::Debug, "they can't fire: {}", blind.join(", "));
    }
    Ok(())
}

/// For each event type that is lost: the rules that only it could make fire.
fn by_event<'a>(
    rules: &'a [Rule],
    events: &'a [&'static str],
    there: &[&str],
) -> Vec<(&'static str, Vec<&'a str>)> {
    let mut told: Vec<&str> = Vec::new();
    let mut groups = Vec::new();
    for event in events {
        let mut names = coverage::blinded(rules, &[event], there);
        names.retain(|name| !told.contains(name));
        told.extend(&names);
        if !names.is_empty() {
            groups.push((*event, names));
        }
    }
    groups
}
