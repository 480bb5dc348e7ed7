//! The audit in the agent: which seat is taken and why not, what is put in, and the joining of its
//! events with the records of processes.

use std::collections::VecDeque;
use std::io;
use std::path::Path;
use std::time::Instant;

use rustc_hash::FxHashSet;

use super::losses::Losses;
use super::plan::AuditFacts;
use super::plan::Host;
use super::plan::Plan;
use crate::config;
use crate::config::AuditSeat;
use crate::decode::ProcessChange;
use crate::decode::ProcessRecord;
use crate::decode::audit::AuditEvent;
use crate::decode::audit::control::IMMUTABLE;
use crate::decode::audit::control::PANIC;
use crate::decode::audit::control::Status;
use crate::decode::audit::rule::Listed;
use crate::log;
use crate::log::Level;
use crate::log_limited;
use crate::metrics::METRICS;
use crate::sources::AuditSource;
use crate::sources::Guardian;
use crate::sources::audit::Control;
use crate::sources::audit::Look;
use crate::sources::audit::SeatKind;
use crate::sources::audit::remove_rules;
use crate::sources::guardian::Ward;
use crate::sys;
use crate::sys::process;

/// Where auditd is installed.
const AUDITD: [&str; 3] = ["/sbin/auditd", "/usr/sbin/auditd", "/usr/local/sbin/auditd"];

/// What the audit allows here, by `settings`. Takes nothing and changes nothing.
#[must_use]
pub fn facts(settings: &config::Audit) -> AuditFacts {
    let mut control = match Control::open() {
        Ok(control) => control,
        Err(error) => {
            let text = sys::errno_text(&error);
            return without(format!("no audit: {text}"), "a kernel with CONFIG_AUDITSYSCALL");
        }
    };
    let status = match control.status() {
        Ok(status) => status,
        Err(error) => {
            let text = sys::errno_text(&error);
            let why = format!("the audit can't be asked: {text}; it takes CAP_AUDIT_CONTROL");
            return without(why, "root on the host itself, not in a container");
        }
    };
    let is_installed = AUDITD.iter().any(|path| Path::new(path).exists());
    let holder = i32::try_from(status.pid).ok().filter(|&pid| pid > 0 && !process::is_gone(pid));
    let seat = match choose(settings.seat, holder, is_installed) {
        Ok(seat) => seat,
        Err((why, remedy)) => {
            return AuditFacts { status: Some(status), ..without(why, remedy) };
        }
    };
    let refusal = refusal(settings, &status, seat);
    // The rules of others matter only where none of ours may come.
    let listed = if refusal.is_some() { control.rules().unwrap_or_default() } else { Vec::new() };
    let (may_install, (why_not, remedy)) = (refusal.is_none(), refusal.unwrap_or_default());
    AuditFacts {
        seat: Some(seat),
        may_install,
        why_not,
        remedy,
        listed: listed.iter().filter_map(|rule| Listed::parse(rule).ok()).collect(),
        status: Some(status),
    }
}

/// What this host would offer to a plan if the two other sources are there; nothing is taken.
#[must_use]
pub fn host(settings: &config::Audit, has_processes: bool, has_files: bool) -> Host {
    let audit = facts(settings);
    let audit_opens = settings.opens && audit.may_install;
    let costly = settings.costly_calls.clone();
    Host { has_processes, has_files: has_files && !audit_opens, audit_opens, costly, audit }
}

/// Whether the kernel's own seat could be ours: then there has to be a guardian.
#[must_use]
pub(super) fn may_take_seat(settings: &config::Audit) -> bool {
    // Whoever has it now may leave it.
    settings.seat == AuditSeat::Unicast || facts(settings).seat == Some(SeatKind::Unicast)
}

fn without(why_not: String, remedy: &'static str) -> AuditFacts {
    AuditFacts { why_not, remedy, ..AuditFacts::default() }
}

/// Why something isn't to be had, and what would help.
type Refusal = (String, &'static str);

/// The seat to take, or why none.
fn choose(
    wanted: AuditSeat,
    holder: Option<i32>,
    is_auditd_installed: bool,
) -> Result<SeatKind, Refusal> {
    match (wanted, holder) {
        (AuditSeat::Off, _) => Err(("eyas.audit.seat is off".to_owned(), "eyas.audit.seat: auto")),
        (AuditSeat::Plugin, _) => Ok(SeatKind::Plugin),
        (AuditSeat::Multicast, _) | (AuditSeat::Auto, Some(_)) => Ok(SeatKind::Multicast),
        (AuditSeat::Unicast, Some(pid)) => Err((
            format!("process {pid} holds the audit's seat"),
            "eyas.audit.seat: auto, which listens beside it from Linux 3.16, or plugin",
        )),
        (AuditSeat::Auto, None) if is_auditd_installed => Err((
            "auditd is installed and could not start if we took its seat; eyas.audit.seat: plugin \
             or unicast"
                .to_owned(),
            "eyas.audit.seat: plugin with auditd running, or unicast without it",
        )),
        (AuditSeat::Unicast | AuditSeat::Auto, None) => Ok(SeatKind::Unicast),
    }
}

/// Why no rule of ours may be put in.
fn refusal(settings: &config::Audit, status: &Status, seat: SeatKind) -> Option<Refusal> {
    let (why, remedy) = if status.enabled == IMMUTABLE {
        (
            "the audit rules are immutable until the next boot (auditctl -e 2)",
            "the audit rules that are told with audit-immutable, from the next boot on",
        )
    } else if status.failure == PANIC && !settings.despite_panic {
        (
            "a lost audit record panics this host (auditctl -f 2); eyas.audit.despite_panic: true",
            "auditctl -f 1, or eyas.audit.despite_panic: true",
        )
    } else if seat != SeatKind::Unicast && !settings.beside_auditd {
        (
            "our audit rules would fill auditd's log; eyas.audit.beside_auditd: true",
            "eyas.audit.beside_auditd: true",
        )
    } else {
        return None;
    };
    Some((why.to_owned(), remedy))
}

/// Takes the seat that the plan needs and puts its rules in.
///
/// # Errors
///
/// Why the audit tells nothing: for a plan without it.
pub(super) fn open(
    plan: &Plan,
    settings: &config::Audit,
    guardian: Option<&mut Guardian>,
) -> Result<Option<AuditSource>, String> {
    clean_up();
    let Some(seat) = plan.seat().filter(|_| plan.uses_audit()) else { return Ok(None) };
    if seat == SeatKind::Unicast && guardian.is_none() {
        return Err("the audit's seat is not taken without a guardian".to_owned());
    }
    let opened = match seat {
        SeatKind::Unicast => AuditSource::unicast(settings.backlog_limit),
        SeatKind::Multicast => AuditSource::multicast(),
        SeatKind::Plugin => AuditSource::plugin(&settings.socket),
    };
    let mut source = opened.map_err(|error| format!("{error}; {}", error.hint()))?;
    install(&mut source, plan, guardian)?;
    Ok(Some(source))
}

/// Makes the kernel have the plan's rules.
///
/// # Errors
///
/// Which rule was refused, and how.
pub(super) fn install(
    source: &mut AuditSource,
    plan: &Plan,
    mut guardian: Option<&mut Guardian>,
) -> Result<(), String> {
    let wanted = plan.audit_rules().to_vec();
    let mut entrust = |source: &AuditSource| {
        let (Some(guardian), Some(fd)) = (&mut guardian, source.seat_fd()) else { return Ok(()) };
        guardian
            .entrust(Ward::AuditSocket, fd, &source.farewell())
            .map_err(|error| error.to_string())
    };
    METRICS.audit.rules.set(u64::try_from(wanted.len()).unwrap_or(0));
    // Before there is anything that others could wait for.
    entrust(source)?;
    if wanted.is_empty() && source.rules_mut().is_empty() {
        return Ok(());
    }
    let text = |error: &io::Error| sys::errno_text(error);
    let mut control = Control::open().map_err(|error| text(&error))?;
    source.rules_mut().replace(&mut control, wanted).map_err(|(rule, error)| {
        format!("the audit refuses the rule '{rule}': {}", text(&error))
    })?;
    entrust(source)
}

/// Takes out what an earlier agent of ours has left, if it could not do so itself.
fn clean_up() {
    let removed = Control::open().and_then(|mut control| {
        let holder = control.status()?.pid;
        // The rules of an agent that runs are its own.
        let is_other = i32::try_from(holder)
            .is_ok_and(|pid| pid > 0 && pid != process::own_pid() && is_agent(pid));
        if is_other { Ok(0) } else { remove_rules(&mut control) }
    });
    if let Ok(count @ 1..) = removed {
        log!(Level::Notice, "{count} audit rules of an agent that was killed were taken out");
    }
}

/// Whether a process is an agent like this one.
fn is_agent(pid: i32) -> bool {
    let name = |of: &str| std::fs::read(format!("/proc/{of}/comm")).unwrap_or_default();
    name(&pid.to_string()) == name("self")
}

/// What came of a look at the audit.
pub(super) enum Care {
    /// All is well, or was put right.
    Good,
    /// The source is of no more use.
    Lost(String),
}

/// Looks after seat and rules; losses are noted.
pub(super) fn look_after(source: &mut AuditSource, losses: &mut Losses) -> Care {
    let Some(look) = source.look_after(Instant::now()) else { return Care::Good };
    losses.add(look.loss);
    if look.is_seat_lost {
        return Care::Lost("somebody else holds the audit's seat now".to_owned());
    }
    if look.reinstalled > 0 {
        METRICS.audit.reinstalled.add(u64::try_from(look.reinstalled).unwrap_or(0));
        log_limited!(
            Level::Warning,
            "somebody deleted {} of our audit rules; they are there again",
            look.reinstalled
        );
    }
    if look.was_disabled {
        log_limited!(Level::Warning, "somebody had switched the audit off; it is on again");
    }
    if look.is_reseated {
        log_limited!(
            Level::Warning,
            "somebody had taken the audit's seat from the agent; it is the agent's again"
        );
    }
    tell_of_others(source, &look);
    if look.is_seat_wanted {
        log_limited!(
            Level::Warning,
            "another process, mostly auditd, asked for the audit's seat and was refused; to let \
             auditd run, use eyas.audit.seat: plugin"
        );
    }
    if let Some(refused) = look.refused {
        log_limited!(Level::Warning, "the audit can't be looked after: {refused}");
    }
    Care::Good
}

/// Says what has become of the audit beside which we are.
fn tell_of_others(source: &AuditSource, look: &Look) {
    let is_plugin = source.kind() == SeatKind::Plugin;
    match look.daemon {
        Some(false) if is_plugin => {
            log_limited!(Level::Warning, "auditd doesn't run: no system call is told until it does")
        }
        Some(false) => log_limited!(
            Level::Warning,
            "nobody holds the audit's seat any more; the agent is still told, but the kernel \
             writes what it is asked to tell to its own log, too, until auditd runs"
        ),
        Some(true) => log_limited!(Level::Notice, "auditd runs again"),
        None => {}
    }
    match look.switched {
        Some(false) => log_limited!(
            Level::Warning,
            "somebody has switched the audit off: no system call is told until it is on again \
             (auditctl -e 1)"
        ),
        Some(true) => log_limited!(Level::Notice, "the audit is on again"),
        None => {}
    }
    if look.daemon.is_some() || look.switched.is_some() {
        let is_told = source.is_on() && (source.has_daemon() || !is_plugin);
        METRICS.sources.up.with(&["audit"]).set(u64::from(is_told));
    }
}

/// The audit's events of one turn.
#[derive(Debug, Default)]
pub(super) struct AuditBatch {
    events: VecDeque<AuditEvent>,
    pids: FxHashSet<i64>,
    /// Processes whose record of an exec has come before the exec's own event.
    execs: FxHashSet<i64>,
}

/// What is told next: a part of the process records, or an event of the audit.
pub(super) enum Next<'b> {
    /// These.
    Processes(&'b [ProcessRecord]),
    /// This one.
    Audit(&'b AuditEvent),
}

impl AuditBatch {
    pub(super) fn push(&mut self, event: &AuditEvent) {
        self.pids.insert(event.pid);
        self.events.push_back(event.clone());
    }

    /// Hands out everything of one turn, so that each event finds its process as it was: a
    /// process that execs or ends has made its calls before, and an exec's event comes after the
    /// record that brought the process table up to date.
    pub(super) fn merge(&mut self, records: &[ProcessRecord], take: &mut dyn FnMut(Next<'_>)) {
        let mut rest = records;
        let mut at = 0;
        while let Some(record) = rest.get(at) {
            let pid = i64::from(record.pid);
            let is_border = self.pids.contains(&pid)
                && match record.what {
                    ProcessChange::Exec => true,
                    ProcessChange::Exit { .. } => record.tid == record.pid,
                    _ => false,
                };
            if !is_border {
                at += 1;
                continue;
            }
            let (before, after) = rest.split_at_checked(at).unwrap_or((rest, &[]));
            if !before.is_empty() {
                take(Next::Processes(before));
            }
            self.hand_out_before(pid, record.what == ProcessChange::Exec, take);
            (rest, at) = (after, 1);
        }
        if !rest.is_empty() {
            take(Next::Processes(rest));
        }
        for event in self.events.drain(..) {
            take(Next::Audit(&event));
        }
        self.pids.clear();
        self.execs.clear();
    }

    /// Hands out what a process did before it execs (then up to that exec's own event) or ends.
    fn hand_out_before(&mut self, pid: i64, is_exec: bool, take: &mut dyn FnMut(Next<'_>)) {
        // An exec whose record came before is done by now.
        let mut open = usize::from(self.execs.contains(&pid));
        let mut place = 0;
        while let Some(event) = self.events.get(place) {
            if event.pid != pid {
                place += 1;
                continue;
            }
            if is_exec && event.execve.is_some() && event.exit == Some(0) {
                if open == 0 {
                    break;
                }
                open -= 1;
            }
            if let Some(event) = self.events.remove(place) {
                take(Next::Audit(&event));
            }
        }
        if is_exec {
            self.execs.insert(pid);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INSTALLED: bool = true;

    #[test]
    fn the_seat_is_left_to_auditd_where_it_is_installed_unless_the_user_says_otherwise() {
        assert_eq!(choose(AuditSeat::Auto, None, !INSTALLED), Ok(SeatKind::Unicast));
        assert!(choose(AuditSeat::Auto, None, INSTALLED).unwrap_err().0.contains("auditd"));
        assert_eq!(choose(AuditSeat::Unicast, None, INSTALLED), Ok(SeatKind::Unicast));
        assert_eq!(choose(AuditSeat::Auto, Some(7), INSTALLED), Ok(SeatKind::Multicast));
        let (held, remedy) = choose(AuditSeat::Unicast, Some(7), INSTALLED).unwrap_err();
        assert_eq!(held, "process 7 holds the audit's seat");
        assert!(remedy.starts_with("eyas.audit.seat: auto"));
    }

    #[test]
    fn no_rule_of_ours_where_a_lost_record_panics_or_fills_a_log_or_nothing_can_be_changed() {
        let settings = config::Audit::default();
        let status = Status { enabled: 1, failure: 1, ..Status::default() };
        assert_eq!(refusal(&settings, &status, SeatKind::Unicast), None);
        let panics = Status { failure: PANIC, ..status };
        assert!(refusal(&settings, &panics, SeatKind::Unicast).is_some());
        let forced = config::Audit { despite_panic: true, ..config::Audit::default() };
        assert_eq!(refusal(&forced, &panics, SeatKind::Unicast), None);
        let immutable = Status { enabled: IMMUTABLE, ..status };
        assert!(refusal(&forced, &immutable, SeatKind::Unicast).is_some());
        assert!(refusal(&settings, &status, SeatKind::Plugin).is_some());
        let beside = config::Audit { beside_auditd: true, ..config::Audit::default() };
        assert_eq!(refusal(&beside, &status, SeatKind::Plugin), None);
    }

    fn record(pid: i32, what: ProcessChange) -> ProcessRecord {
        ProcessRecord { timestamp_ns: 0, wall_ns: 0, cpu: 0, tid: pid, pid, what }
    }

    const EXIT: ProcessChange = ProcessChange::Exit { wait_status: 0, signal: 0, parent: None };

    fn event(pid: i64, serial: u64, is_exec: bool) -> AuditEvent {
        AuditEvent {
            pid,
            serial,
            exit: Some(0),
            execve: is_exec.then(Vec::new),
            ..AuditEvent::default()
        }
    }

    fn merged(records: &[ProcessRecord], events: &[AuditEvent]) -> String {
        let mut batch = AuditBatch::default();
        events.iter().for_each(|event| batch.push(event));
        let mut told = Vec::new();
        batch.merge(records, &mut |next| match next {
            Next::Processes(records) => {
                told.extend(records.iter().map(|record| match record.what {
                    ProcessChange::Exec => format!("exec {}", record.pid),
                    _ => format!("exit {}", record.pid),
                }))
            }
            Next::Audit(event) => told.push(format!("#{}", event.serial)),
        });
        told.join(", ")
    }

    #[test]
    fn calls_come_before_the_end_of_their_process_and_others_after_all_records() {
        let records = [record(1, EXIT), record(2, EXIT)];
        let events = [event(2, 1, false), event(3, 2, false)];
        assert_eq!(merged(&records, &events), "exit 1, #1, exit 2, #2");
    }

    #[test]
    fn each_call_is_told_of_the_program_that_made_it() {
        let records = [record(1, ProcessChange::Exec), record(1, ProcessChange::Exec)];
        let events = [
            event(1, 1, false),
            event(1, 2, true),
            event(1, 3, false),
            event(1, 4, true),
            event(1, 5, false),
        ];
        assert_eq!(merged(&records, &events), "#1, exec 1, #2, #3, exec 1, #4, #5");
    }

    #[test]
    fn a_program_that_has_ended_already_is_told_before_its_end() {
        let records = [record(1, ProcessChange::Exec), record(1, EXIT)];
        assert_eq!(merged(&records, &[event(1, 1, true)]), "exec 1, #1, exit 1");
    }
}
