//! The plan: what the loaded rules need × what this host offers → who tells of each event type, and
//! what the kernel is asked for.
//!
//! Every event type has one owner, so nothing is reported twice. The exact comes before the racy,
//! the cheap before the dear:
//!
//! * the proc connector tells of forks, exits and sessions; of programs, users and tracers only
//!   where the audit doesn't, which tells them with arguments and results;
//! * fanotify tells of opens, since the audit would be told of every open of the host;
//! * the audit tells of everything else, by rules that are as narrow as the conditions.

use std::collections::BTreeMap;
use std::fmt;

use super::coverage;
use super::coverage::FILE_EVENTS;
use super::coverage::PROCESS_EVENTS;
use super::narrow;
use crate::decode::audit::control::Status;
use crate::decode::audit::rule;
use crate::decode::audit::rule::Filter;
use crate::decode::audit::rule::Listed;
use crate::decode::syscall;
use crate::decode::syscall::Abi;
use crate::engine::lang::ast::Operand;
use crate::engine::lang::ast::Right;
use crate::engine::rule::Rule;
use crate::event::EventType;
use crate::event::Kind;
use crate::event::known;
use crate::metrics::METRICS;
use crate::sources::audit::KEY;
pub use crate::sources::audit::SeatKind;
use crate::sys::process;
use crate::sys::seccomp;

/// Who tells of an event type.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Owner {
    /// The proc connector, with /proc.
    ProcConnector,
    /// The fanotify group, with /proc.
    Fanotify,
    /// The audit's records.
    Audit,
    /// Nobody here.
    Nobody,
}

impl Owner {
    /// As it is printed.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ProcConnector => "proc connector",
            Self::Fanotify => "fanotify",
            Self::Audit => "audit",
            Self::Nobody => "nobody",
        }
    }
}

/// One event type that an enabled rule can match.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Row {
    /// It.
    pub ty: EventType,
    /// Who tells of it.
    pub owner: Owner,
    /// Why.
    pub why: String,
}

/// What the audit allows here.
#[derive(Clone, Debug, Default)]
pub struct AuditFacts {
    /// The seat that we have or can have; or why there is none.
    pub seat: Option<SeatKind>,
    /// Why there is no seat, or no rule of ours may be put in; empty if that may be.
    pub why_not: String,
    /// What would help against that.
    pub remedy: &'static str,
    /// Rules of ours may be put in.
    pub may_install: bool,
    /// The rules of others that are there.
    pub listed: Vec<Listed>,
    /// What the audit says of itself; `None` if it can't be asked.
    pub status: Option<Status>,
}

/// What this host offers.
#[derive(Clone, Debug, Default)]
pub struct Host {
    /// The proc connector tells.
    pub has_processes: bool,
    /// fanotify tells.
    pub has_files: bool,
    /// The audit is to tell of opens instead of fanotify.
    pub audit_opens: bool,
    /// Types of [`COSTLY`] that the user wants nevertheless.
    pub costly: Vec<String>,
    /// The audit.
    pub audit: AuditFacts,
}

/// Who owns what, and which rules the audit is given.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    rows: Vec<Row>,
    audit_rules: Vec<rule::Rule>,
    seat: Option<SeatKind>,
}

/// Calls that programs make so often that auditing them slows the whole host down.
pub const COSTLY: &[&str] = &[
    "access",
    "brk",
    "close",
    "epoll_wait",
    "fcntl",
    "flock",
    "fstat",
    "fstat64",
    "futex",
    "getcwd",
    "getdents",
    "getdents64",
    "ioctl",
    "lseek",
    "lstat",
    "lstat64",
    "mmap",
    "mmap2",
    "mprotect",
    "munmap",
    "nanosleep",
    "newfstatat",
    "poll",
    "ppoll",
    "pread",
    "preadv",
    "pwrite",
    "pwritev",
    "read",
    "readv",
    "recvfrom",
    "recvmmsg",
    "recvmsg",
    "select",
    "sendfile",
    "sendmmsg",
    "sendmsg",
    "sendto",
    "stat",
    "stat64",
    "write",
    "writev",
];

/// Why nobody tells of those.
pub const TOO_OFTEN: &str =
    "called too often to be audited, unless eyas.audit.costly_calls names it";

/// Types that are told of by one happening: they have one owner together.
const FAMILIES: &[&[EventType]] = &[
    &[known::EXECVE, known::EXECVEAT],
    &[known::PTRACE],
    &[known::SETUID, known::SETREUID, known::SETRESUID],
    &[known::SETGID, known::SETREGID, known::SETRESGID],
    &[known::OPEN, known::OPENAT, known::OPENAT2, known::CREAT, known::OPEN_BY_HANDLE_AT],
    &[known::CLONE, known::CLONE3, known::FORK, known::VFORK],
    &[known::SETSID],
];

/// The architectures whose calls this kernel takes.
const ARCHITECTURES: &[(u32, Abi)] = if cfg!(target_arch = "aarch64") {
    &[(seccomp::AUDIT_ARCH_AARCH64, Abi::Aarch64)]
} else {
    &[(seccomp::AUDIT_ARCH_X86_64, Abi::X86_64), (seccomp::AUDIT_ARCH_I386, Abi::I386)]
};

impl Plan {
    /// Decides for the enabled ones of `rules`.
    #[must_use]
    pub fn make(rules: &[Rule], host: &Host) -> Self {
        let enabled: Vec<&Rule> = coverage::enabled(rules).collect();
        let mut planner =
            Planner { demanded: demanded(&enabled), enabled, host, calls: BTreeMap::new() };
        let mut rows = Vec::new();
        for ty in EventType::all() {
            if planner.is_wanted(ty) {
                rows.push(planner.row(ty));
            }
        }
        Self { rows, audit_rules: planner.audit_rules(), seat: host.audit.seat }
    }

    /// Who tells of an event type; nobody, if no rule needs it.
    #[must_use]
    pub fn owner(&self, ty: EventType) -> Owner {
        self.row(ty).map_or(Owner::Nobody, |row| row.owner)
    }

    /// What is planned for an event type, if a rule needs it.
    #[must_use]
    pub fn row(&self, ty: EventType) -> Option<&Row> {
        self.rows.iter().find(|row| row.ty == ty)
    }

    /// Every event type that a rule needs, in table order.
    #[must_use]
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// The rules that the audit is to have.
    #[must_use]
    pub fn audit_rules(&self) -> &[rule::Rule] {
        &self.audit_rules
    }

    /// The names of the types that somebody tells of.
    #[must_use]
    pub fn told(&self) -> Vec<&'static str> {
        let told = self.rows.iter().filter(|row| row.owner != Owner::Nobody);
        told.map(|row| row.ty.name()).collect()
    }

    /// The audit's seat that was planned with.
    #[must_use]
    pub const fn seat(&self) -> Option<SeatKind> {
        self.seat
    }

    /// Shows as metrics who tells of what.
    pub fn show(&self) {
        METRICS.sources.owner.retain(|values| {
            let is_row = |row: &Row| values == [row.ty.name().into(), row.owner.name().into()];
            self.rows.iter().any(is_row)
        });
        for row in &self.rows {
            METRICS.sources.owner.with(&[row.ty.name(), row.owner.name()]).set(1);
        }
    }

    /// Why the audit doesn't tell something that a rule needs and nobody else tells, if that is for
    /// its seat or its rules.
    #[must_use]
    pub fn audit_is_missed<'a>(&self, audit: &'a AuditFacts) -> Option<&'a str> {
        let is_missed = |row: &Row| row.owner == Owner::Nobody && row.why == audit.why_not;
        self.rows.iter().any(is_missed).then_some(audit.why_not.as_str())
    }

    /// Lines for auditctl(8) or audit.rules(7) that make the audit tell all that the rules need,
    /// whoever reads it, where `host` doesn't let the agent add its own.
    #[must_use]
    pub fn lines_to_add(rules: &[Rule], host: &Host) -> Vec<String> {
        let audit = AuditFacts {
            seat: host.audit.seat.or(Some(SeatKind::Plugin)),
            may_install: true,
            ..AuditFacts::default()
        };
        let free = Self::make(rules, &Host { audit, ..host.clone() });
        let line = |&(arch, _): &(u32, Abi)| {
            let of_arch = free.audit_rules.iter().filter(|rule| rule.arch == arch);
            let mut calls: Vec<u32> = of_arch.flat_map(|rule| rule.calls.clone()).collect();
            calls.sort_unstable();
            calls.dedup();
            // Without filters: only such a rule is known to tell everything.
            let key = format!("{KEY}-host");
            let rule = rule::Rule { arch, calls, filters: Vec::new(), not_pid: None, key };
            (!rule.calls.is_empty()).then(|| rule.to_string())
        };
        ARCHITECTURES.iter().filter_map(line).collect()
    }

    /// Whether the audit owns an event type.
    #[must_use]
    pub fn uses_audit(&self) -> bool {
        self.rows.iter().any(|row| row.owner == Owner::Audit)
    }
}

/// Printed at `-v`: owners with their types, then what the audit is asked for.
impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut groups: BTreeMap<(Owner, &str), Vec<&str>> = BTreeMap::new();
        for row in &self.rows {
            groups.entry((row.owner, &row.why)).or_default().push(row.ty.name());
        }
        write!(f, "plan: who tells of what")?;
        for ((owner, why), types) in groups {
            write!(f, "\n  {}: {} ({why})", owner.name(), types.join(", "))?;
        }
        if let Some(seat) = self.seat.filter(|_| self.uses_audit()) {
            write!(f, "\n  the audit's seat: {}", seat.name())?;
        }
        for rule in &self.audit_rules {
            write!(f, "\n  audit rule: {rule}")?;
        }
        Ok(())
    }
}

/// Makes the rows, and collects what the audit is to be asked for.
struct Planner<'r> {
    enabled: Vec<&'r Rule>,
    /// Types that a rule names.
    demanded: Vec<EventType>,
    host: &'r Host,
    /// Types by the filters that they share.
    calls: BTreeMap<Vec<Filter>, Vec<EventType>>,
}

impl Planner<'_> {
    fn is_wanted(&self, ty: EventType) -> bool {
        match ty.info().kind {
            // All generic calls enter a rule's set together; which it means is by its words only.
            Kind::Generic => self.demanded.contains(&ty),
            Kind::Syscall => self.enabled.iter().any(|rule| rule.events.contains(ty)),
            _ => {
                PROCESS_EVENTS.contains(&ty.name())
                    && self.enabled.iter().any(|rule| rule.events.contains(ty))
            }
        }
    }

    fn row(&mut self, ty: EventType) -> Row {
        let row = |owner, why: &str| Row { ty, owner, why: why.to_owned() };
        let is_open = FILE_EVENTS.iter().any(|name| is_kin(ty, name));
        let may_be_cheap = !matches!(ty, known::CLONE | known::CLONE3 | known::FORK | known::VFORK)
            && ty != known::SETSID;
        let files_win = self.host.has_files && !self.host.audit_opens;
        if may_be_cheap && !(is_open && files_win) {
            match self.by_audit(ty) {
                Ok(why) => return row(Owner::Audit, &why),
                Err(why) if !is_open && !PROCESS_EVENTS.iter().any(|name| is_kin(ty, name)) => {
                    return row(Owner::Nobody, &why);
                }
                Err(_) => {}
            }
        }
        let (names, is_there, owner) = if is_open {
            (FILE_EVENTS, self.host.has_files, Owner::Fanotify)
        } else {
            (PROCESS_EVENTS, self.host.has_processes, Owner::ProcConnector)
        };
        match (names.contains(&ty.name()), is_there) {
            (true, true) if is_open => row(owner, "by the files' own path; the call isn't told"),
            (true, true) => row(owner, "cheap, and told of every process"),
            (false, true) => {
                let kin = names.iter().find(|name| is_kin(ty, name)).unwrap_or(&"another");
                row(Owner::Nobody, &format!("{} tells it as {kin}", owner.name()))
            }
            (_, false) => row(Owner::Nobody, &format!("this host has no {}", owner.name())),
        }
    }

    /// Whether the audit tells of it, and why (not).
    fn by_audit(&mut self, ty: EventType) -> Result<String, String> {
        let audit = &self.host.audit;
        let family = family_of(ty);
        if !family.iter().any(|member| self.demanded.contains(member)) {
            return Err("only rules without evt.type would see it: too much to ask for".to_owned());
        }
        if COSTLY.contains(&ty.name()) && !self.host.costly.iter().any(|name| name == ty.name()) {
            return Err(TOO_OFTEN.to_owned());
        }
        let has_number =
            ARCHITECTURES.iter().any(|&(_, abi)| syscall::numbers_of(abi, ty).next().is_some());
        if !has_number {
            return Err("no system call of this architecture".to_owned());
        }
        let Some(seat) = audit.seat else { return Err(audit.why_not.clone()) };
        if !audit.may_install {
            let is_covered = ARCHITECTURES.iter().all(|&(arch, abi)| {
                let mut numbers = syscall::numbers_of(abi, ty);
                numbers.all(|number| audit.listed.iter().any(|rule| rule.covers(arch, number)))
            });
            return if is_covered {
                Ok(format!("by rules that are there, {}", seat.name()))
            } else {
                Err(audit.why_not.clone())
            };
        }
        let rules: Vec<&Rule> =
            self.enabled.iter().filter(|rule| rule.events.contains(ty)).copied().collect();
        let filters = narrow::filters(&rules, ty);
        if filters.is_empty() {
            return Err("no call can match the conditions".to_owned());
        }
        for filter in filters {
            self.calls.entry(filter).or_default().push(ty);
        }
        Ok("exact: arguments and result".to_owned())
    }

    /// One rule for all calls that share filters, on each architecture.
    fn audit_rules(&self) -> Vec<rule::Rule> {
        let not_pid = u32::try_from(process::own_pid()).ok();
        let mut rules = Vec::new();
        for (filters, types) in &self.calls {
            for &(arch, abi) in ARCHITECTURES {
                let mut calls: Vec<u32> =
                    types.iter().flat_map(|&ty| syscall::numbers_of(abi, ty)).collect();
                calls.sort_unstable();
                calls.dedup();
                if !calls.is_empty() {
                    let filters = filters.clone();
                    rules.push(rule::Rule { arch, calls, filters, not_pid, key: KEY.to_owned() });
                }
            }
        }
        rules
    }
}

/// The types that have one owner with `ty`.
fn family_of(ty: EventType) -> Vec<EventType> {
    let family = FAMILIES.iter().find(|family| family.contains(&ty));
    family.map_or_else(|| vec![ty], |family| family.to_vec())
}

/// Whether an event type is told of by the same happening as the one of that name.
fn is_kin(ty: EventType, name: &str) -> bool {
    family_of(ty).iter().any(|kin| kin.name() == name)
}

/// The types that rules ask for by name: not those of rules that take any event.
fn demanded(enabled: &[&Rule]) -> Vec<EventType> {
    let mut demanded = Vec::new();
    let is_call = |ty: &EventType| ty.info().kind == Kind::Syscall;
    let all = EventType::all().filter(is_call).count();
    for rule in enabled {
        let calls: Vec<EventType> = rule.events.iter().filter(is_call).collect();
        // What excludes some types, or says nothing of them, has most of them.
        if calls.len() < all / 2 {
            demanded.extend(calls);
        }
        // Generic calls are meant by their names, of which the set says nothing.
        rule.expr.for_each_check(&mut |check| {
            let Operand::Field { name, .. } = &check.left else { return };
            if !matches!(name.as_str(), "evt.type" | "syscall.type") {
                return;
            }
            let texts = match &check.right {
                Right::Literal(text) => std::slice::from_ref(text),
                Right::List(texts) => texts.as_slice(),
                _ => &[],
            };
            let types = texts.iter().filter_map(|text| EventType::by_name(text));
            demanded.extend(
                types.filter(|ty| ty.info().kind == Kind::Generic && rule.events.contains(*ty)),
            );
        });
    }
    demanded.sort_unstable();
    demanded.dedup();
    demanded
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::load::Loader;
    use crate::engine::load::Settings;

    fn rules(conditions: &[&str]) -> Vec<Rule> {
        let mut text = String::new();
        for (number, condition) in conditions.iter().enumerate() {
            text.push_str(&format!(
                "- rule: r{number}\n  desc: d\n  condition: {condition}\n  output: o\n  priority: \
                 INFO\n"
            ));
        }
        let mut loader = Loader::new(Settings::default());
        assert!(loader.add("rules.yaml", text.as_bytes()).successful());
        loader.finish().unwrap().rules
    }

    fn host(seat: Option<SeatKind>) -> Host {
        Host {
            has_processes: true,
            has_files: true,
            audit: AuditFacts {
                seat,
                may_install: seat.is_some(),
                why_not: "auditd has it".to_owned(),
                ..AuditFacts::default()
            },
            ..Host::default()
        }
    }

    const UNICAST: Option<SeatKind> = Some(SeatKind::Unicast);

    #[test]
    fn without_the_audit_the_cheap_sources_own_what_they_tell() {
        let rules = rules(&["evt.type in (execve, openat, open, connect, setuid)"]);
        let plan = Plan::make(&rules, &host(None));
        assert_eq!(plan.owner(known::EXECVE), Owner::ProcConnector);
        assert_eq!(plan.owner(known::OPENAT), Owner::Fanotify);
        for ty in [known::OPEN, known::CONNECT, known::SETUID] {
            assert_eq!(plan.owner(ty), Owner::Nobody, "{}", ty.name());
        }
        assert_eq!(plan.row(known::CONNECT).unwrap().why, "auditd has it");
        assert_eq!(plan.row(known::SETUID).unwrap().why, "proc connector tells it as setresuid");
        assert!(plan.audit_rules().is_empty());
    }

    #[test]
    fn with_the_audit_programs_and_users_are_told_exactly_and_opens_stay_cheap() {
        let rules = rules(&["evt.type in (execve, openat, connect, setuid)"]);
        let plan = Plan::make(&rules, &host(UNICAST));
        for ty in [known::EXECVE, known::CONNECT, known::SETUID] {
            assert_eq!(plan.owner(ty), Owner::Audit, "{}", ty.name());
        }
        assert_eq!(plan.owner(known::OPENAT), Owner::Fanotify);
        assert!(plan.audit_rules().iter().all(|rule| rule.key == "eyas"));
    }

    #[test]
    fn no_rule_needing_the_audit_means_no_audit_rule() {
        let plan = Plan::make(&rules(&["evt.type = openat"]), &host(UNICAST));
        assert!(plan.audit_rules().is_empty() && !plan.uses_audit());
    }

    #[test]
    fn a_rule_for_any_event_does_not_have_every_call_audited() {
        let plan = Plan::make(&rules(&["proc.name = nc"]), &host(UNICAST));
        assert!(plan.audit_rules().is_empty());
        assert_eq!(plan.owner(known::EXECVE), Owner::ProcConnector);
    }

    #[test]
    fn what_is_called_all_the_time_is_audited_only_if_the_user_says_so() {
        let rules = rules(&["evt.type in (sendto, connect)"]);
        let plan = Plan::make(&rules, &host(UNICAST));
        assert_eq!(plan.owner(known::SENDTO), Owner::Nobody);
        let costly = Host { costly: vec!["sendto".to_owned()], ..host(UNICAST) };
        assert_eq!(Plan::make(&rules, &costly).owner(known::SENDTO), Owner::Audit);
    }

    #[test]
    fn calls_that_share_filters_share_a_rule() {
        let rules =
            rules(&["evt.type in (rename, chmod) and evt.res = SUCCESS", "evt.type = connect"]);
        let plan = Plan::make(&rules, &host(UNICAST));
        assert_eq!(plan.audit_rules().len(), 2 * ARCHITECTURES.len());
    }

    #[test]
    fn a_generic_call_is_audited_by_its_name_and_no_other_with_it() {
        let plan = Plan::make(&rules(&["evt.type = getcpu"]), &host(UNICAST));
        let count: usize = plan.audit_rules().iter().map(|rule| rule.calls.len()).sum();
        assert_eq!(count, ARCHITECTURES.len());
    }

    #[test]
    fn immutable_rules_of_others_are_used_as_far_as_they_reach() {
        let rule = rule::Rule {
            arch: ARCHITECTURES[0].0,
            calls: syscall::numbers_of(ARCHITECTURES[0].1, known::MEMFD_CREATE).collect(),
            filters: Vec::new(),
            not_pid: None,
            key: "theirs".to_owned(),
        };
        let mut listed: Vec<Listed> = vec![Listed::parse(&rule.to_bytes()).unwrap()];
        if let Some(&(arch, abi)) = ARCHITECTURES.get(1) {
            let calls = syscall::numbers_of(abi, known::MEMFD_CREATE).collect();
            let rule = rule::Rule { arch, calls, ..rule };
            listed.push(Listed::parse(&rule.to_bytes()).unwrap());
        }
        let mut host = host(UNICAST);
        host.audit.may_install = false;
        host.audit.listed = listed;
        let plan = Plan::make(&rules(&["evt.type in (memfd_create, connect)"]), &host);
        assert_eq!(plan.owner(known::MEMFD_CREATE), Owner::Audit);
        assert_eq!(plan.owner(known::CONNECT), Owner::Nobody);
        assert!(plan.audit_rules().is_empty());
    }
}
