//! Opens the sources that the rules need, and tells of those that the host refuses.

use crate::engine::rule::Rule;
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
use super::coverage;
use super::coverage::FILE_EVENTS;
use super::coverage::PROCESS_EVENTS;
use super::guarded::Guarded;
use super::live::Sources;

/// A source that the host refuses, and what it would have told.
struct Refused {
    error: crate::sources::Error,
    events: &'static [&'static str],
}

/// Opens what the rules need.
///
/// # Errors
///
/// [`Error::Sources`] if that leaves no rule that can fire, or `strict` and a rule that can't.
pub(super) fn open(rules: &[Rule], strict: bool, mut guarded: Guarded) -> Result<Sources, Error> {
    let privileges = [Capability::SysAdmin, Capability::NetAdmin];
    if !privileges.into_iter().any(process::has_capability) {
        return Err(Error::Sources {
            message: "the agent has to run as root: it has neither CAP_SYS_ADMIN, which fanotify \
                      needs, nor CAP_NET_ADMIN, which the proc connector needs"
                .to_owned(),
            hints: vec![
                "use sudo, or the shipped systemd unit; rules are validated (-V) and capture \
                 files replayed (-e) without privileges"
                    .to_owned(),
            ],
        });
    }
    let mut refused = Vec::new();
    let mut there: Vec<&str> = Vec::new();
    let mut take = |events: &'static [&'static str]| there.extend(events);

    // Without it the process table goes stale, so it is wanted whatever the rules are.
    let processes = match ProcConnector::subscribe(proc_connector::Options::default()) {
        Ok(source) => {
            take(PROCESS_EVENTS);
            Some(source)
        }
        Err(error) => {
            refused.push(Refused { error, events: PROCESS_EVENTS });
            None
        }
    };
    let wants_files = coverage::enabled(rules).any(|rule| coverage::can_match(rule, FILE_EVENTS));
    let files = match wants_files.then(|| FileWatch::start(Wanted::ALL)).transpose() {
        Ok(source) => {
            take(FILE_EVENTS);
            source
        }
        Err(error) => {
            refused.push(Refused { error, events: FILE_EVENTS });
            None
        }
    };
    show(rules, &there, processes.is_some(), wants_files.then_some(files.is_some()));
    report(rules, &refused, &there, strict)?;
    if let Some(files) = &files {
        for rung in files.rungs() {
            let verb = if rung.taken { "used" } else { "not used" };
            log!(Level::Debug, "fanotify: {}: {verb}: {}", rung.name, rung.why);
        }
    }
    if processes.is_some() {
        guarded.meet_programs();
    }
    Ok(Sources { processes, files, guarded })
}

/// The event types that these sources tell.
pub(super) fn told(sources: &Sources) -> Vec<&'static str> {
    let processes = sources.processes.iter().flat_map(|_| PROCESS_EVENTS);
    processes.chain(sources.files.iter().flat_map(|_| FILE_EVENTS)).copied().collect()
}

/// Opens what the rules need and isn't open, and closes what no rule needs any more. What can't be
/// opened is told, with the rules that it blinds.
pub(super) fn adjust(sources: &mut Sources, rules: &[Rule]) {
    let wants_files = coverage::enabled(rules).any(|rule| coverage::can_match(rule, FILE_EVENTS));
    if !wants_files {
        sources.files = None;
        METRICS.sources.up.retain(|source| source.first().is_none_or(|name| &**name != "fanotify"));
    } else if sources.files.is_none() {
        match FileWatch::start(Wanted::ALL) {
            Ok(files) => sources.files = Some(files),
            Err(error) => {
                log!(Level::Warning, "{error}");
                log!(Level::Warning, "  hint: {}", error.hint());
                let blind = coverage::blinded(rules, FILE_EVENTS, &told(sources));
                log!(Level::Warning, "rules that can't fire without it: {}", blind.join(", "));
            }
        }
        METRICS.sources.up.with(&["fanotify"]).set(u64::from(sources.files.is_some()));
    }
}

/// Shows as metrics which sources there are and how many rules can fire. `files`: nothing if no
/// rule needs them.
fn show(rules: &[Rule], there: &[&str], processes: bool, files: Option<bool>) {
    let up = &METRICS.sources.up;
    up.with(&["proc_connector"]).set(u64::from(processes));
    if let Some(files) = files {
        up.with(&["fanotify"]).set(u64::from(files));
    }
    coverage::show(rules, there);
}

/// Says what is refused, and what that means for the rules.
fn report(rules: &[Rule], refused: &[Refused], there: &[&str], strict: bool) -> Result<(), Error> {
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
    let nothing_is_left = enabled > 0 && blind.len() == enabled && blinds_any;
    if nothing_is_left || there.is_empty() || strict && blinds_any {
        let refusals: Vec<_> = refused.iter().map(|refused| refused.error.to_string()).collect();
        let why = if nothing_is_left || there.is_empty() {
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
