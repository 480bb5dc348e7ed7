//! Who and what else on this host is in the agent's way, or the agent in theirs.
//!
//! Read from a `/proc` and a `/sys`; nothing is changed. What can't be read is not told.
//!
//! Sources: proc(5) (`fdinfo` of fanotify descriptors), fanotify_init(2), audit(8), selinux(8).

use std::borrow::Cow;
use std::fs;
use std::path::Path;

use crate::decode::audit::control::IMMUTABLE;
use crate::decode::audit::control::PANIC;
use crate::decode::audit::control::Status;

/// One thing that is in the way.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Conflict {
    /// A word for programs.
    pub kind: &'static str,
    /// What was found.
    pub found: String,
    /// What it means for the agent, and what to do.
    pub advice: Cow<'static, str>,
}

/// Programs that answer permission events or hold the audit, by their names in `/proc`.
static KNOWN: &[(&str, &str, &str)] = &[
    (
        "fapolicyd",
        "permission-listener",
        "it answers opens before they go on, as the agent's permission events do: each must except \
         the other, or both may wait",
    ),
    (
        "clamonacc",
        "permission-listener",
        "a virus scanner that holds opens up: except the agent's directory from it",
    ),
    (
        "wdavdaemon",
        "permission-listener",
        "a virus scanner that may hold opens up: except the agent's directory from it",
    ),
    ("falcon-sensor", "other-agent", "another agent watches this host; both see each other's work"),
    ("falco", "other-agent", "Falco runs here already; rules would alert twice"),
    ("osqueryd", "other-agent", "it may take the audit's seat if it is configured so"),
];

/// Looks at everything.
#[must_use]
pub fn look(proc: &Path, sys: &Path) -> Vec<Conflict> {
    let mut conflicts = Vec::new();
    for pid in pids(proc) {
        let directory = proc.join(pid.to_string());
        let name = read(&directory.join("comm")).trim_end().to_owned();
        for (known, kind, advice) in KNOWN {
            if name == *known {
                let found = format!("{name} runs (process {pid})");
                conflicts.push(Conflict { kind, found, advice: (*advice).into() });
            }
        }
        if holds_permission_group(&directory) && !KNOWN.iter().any(|(known, ..)| name == *known) {
            conflicts.push(Conflict {
                kind: "permission-listener",
                found: format!("{name} (process {pid}) holds a fanotify group that may deny opens"),
                advice: "what it is slow to answer waits, the agent's own opens too".into(),
            });
        }
    }
    conflicts.extend(unaudited(proc));
    conflicts.extend(selinux(proc, sys));
    conflicts
}

fn pids(proc: &Path) -> Vec<i32> {
    let Ok(entries) = fs::read_dir(proc) else { return Vec::new() };
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut pids: Vec<i32> = names.filter_map(|name| name.parse().ok()).collect();
    pids.sort_unstable();
    pids
}

/// A small file, or nothing.
fn read(path: &Path) -> String {
    use std::io::Read as _;

    const MAX_BYTES: u64 = 64 << 10;
    let mut text = Vec::new();
    let read = fs::File::open(path).and_then(|file| file.take(MAX_BYTES).read_to_end(&mut text));
    // A process that has just ended has nothing to say.
    let _ = read;
    String::from_utf8_lossy(&text).into_owned()
}

/// Whether a process has a fanotify group of a class that answers permission events.
fn holds_permission_group(process: &Path) -> bool {
    /// `FAN_CLASS_CONTENT | FAN_CLASS_PRE_CONTENT`
    const CLASSES: u32 = 0x4 | 0x8;
    let Ok(entries) = fs::read_dir(process.join("fdinfo")) else { return false };
    entries.filter_map(Result::ok).any(|entry| {
        // Opening all that a process holds would take long; only these are of interest.
        let number = entry.file_name();
        let link = fs::read_link(process.join("fd").join(&number)).unwrap_or_default();
        if link.as_os_str() != "anon_inode:[fanotify]" {
            return false;
        }
        read(&entry.path())
            .lines()
            .filter_map(|line| line.strip_prefix("fanotify flags:"))
            .filter_map(|rest| rest.split_whitespace().next())
            .filter_map(|word| u32::from_str_radix(word.trim_start_matches("0x"), 16).ok())
            .any(|flags| flags & CLASSES != 0)
    })
}

/// What the audit itself says that is in the way. `lines`: audit rules that would tell what rules
/// need, if the agent may not add its own. Processes are named from `proc`.
#[must_use]
pub fn audit(status: &Status, lines: &[String], proc: &Path) -> Vec<Conflict> {
    let mut conflicts = Vec::new();
    let directory = proc.join(status.pid.to_string());
    if status.pid != 0 && directory.exists() {
        let name = read(&directory.join("comm")).trim_end().to_owned();
        conflicts.push(Conflict {
            kind: "audit-daemon",
            found: format!("{name} (process {}) holds the audit's only seat", status.pid),
            advice: "the agent doesn't take it: from Linux 3.16 it listens beside \
                     (eyas.audit.seat: auto), else auditd's dispatcher hands records on \
                     (config/auditd/eyas.conf); eyas.audit.beside_auditd: true lets it add audit rules"
                .into(),
        });
    }
    if status.enabled == IMMUTABLE {
        let advice = if lines.is_empty() {
            "the loaded rules need none that isn't there".to_owned()
        } else {
            format!(
                "those that are there are used; to have the rest, add these lines in front of -e 2 in \
                 /etc/audit/rules.d and boot:\n             {}",
                lines.join("\n             ")
            )
        };
        conflicts.push(Conflict {
            kind: "audit-immutable",
            found: "the audit rules are immutable until the next boot (auditctl -e 2)".to_owned(),
            advice: advice.into(),
        });
    }
    if status.failure == PANIC {
        conflicts.push(Conflict {
            kind: "audit-panic",
            found: "a lost audit record panics this host (auditctl -f 2)".to_owned(),
            advice: "the agent adds no audit rules, which make losses likelier: auditctl -f 1, or \
                     eyas.audit.despite_panic: true"
                .into(),
        });
    }
    conflicts
}

/// Processes that were there before the audit was first enabled are never audited.
fn unaudited(proc: &Path) -> Option<Conflict> {
    let command_line = read(&proc.join("cmdline"));
    if command_line.split_whitespace().any(|word| word == "audit=1") {
        return None;
    }
    let pids = pids(proc);
    let start = |pid: i32| start_of(&read(&proc.join(pid.to_string()).join("stat")));
    let comm = |pid: &&i32| read(&proc.join(pid.to_string()).join("comm")).trim_end() == "auditd";
    let auditd = *pids.iter().find(comm)?;
    let began = start(auditd)?;
    // Kernel threads make no calls of their own.
    let is_program = |pid: &&i32| !read(&proc.join(pid.to_string()).join("cmdline")).is_empty();
    let older = pids.iter().filter(is_program).filter(|pid| start(**pid) < Some(began)).count();
    (older > 0).then(|| Conflict {
        kind: "unaudited-processes",
        found: format!("{older} processes are older than auditd, and audit=1 isn't set at boot"),
        advice:
            "if auditd was the first to enable the audit, they are never audited: restart them, \
                 or boot with audit=1"
                .into(),
    })
}

/// When a process started, in ticks: field 22 of its `stat`.
fn start_of(stat: &str) -> Option<u64> {
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_whitespace().nth(22 - 3)?.parse().ok()
}

fn selinux(proc: &Path, sys: &Path) -> Option<Conflict> {
    let is_enforcing = read(&sys.join("fs/selinux/enforce")).trim() == "1";
    let label = read(&proc.join("self/attr/current"));
    let label = label.trim_end_matches(['\0', '\n']);
    // What has no confinement isn't stopped.
    let is_free = label.is_empty()
        || ["unconfined_t", "unconfined_service_t", "spc_t"]
            .iter()
            .any(|free| label.contains(free));
    (is_enforcing && !is_free).then(|| Conflict {
        kind: "selinux",
        found: format!("SELinux is enforcing, and this process is confined as {label}"),
        advice: "what is denied above may be denied by its policy: look for AVC records, and run \
                 the agent unconfined"
            .into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    /// A `/proc` of three processes.
    fn host() -> (tempfile::TempDir, std::path::PathBuf) {
        let root = tempfile::tempdir().unwrap();
        let proc = root.path().join("proc");
        for (pid, name, start) in [(1, "systemd", 5), (700, "auditd", 900), (900, "scan", 1000)] {
            let dir = proc.join(pid.to_string());
            fs::create_dir_all(dir.join("fd")).unwrap();
            fs::create_dir_all(dir.join("fdinfo")).unwrap();
            fs::write(dir.join("comm"), format!("{name}\n")).unwrap();
            fs::write(dir.join("cmdline"), name).unwrap();
            let fields = "0 ".repeat(18);
            fs::write(dir.join("stat"), format!("{pid} ({name}) S {fields}{start} 0")).unwrap();
        }
        symlink("anon_inode:[fanotify]", proc.join("900/fd/5")).unwrap();
        fs::write(proc.join("900/fdinfo/5"), "pos:\t0\nfanotify flags:14 event-flags:8000\n")
            .unwrap();
        fs::write(proc.join("cmdline"), "BOOT_IMAGE=/vmlinuz ro quiet\n").unwrap();
        (root, proc)
    }

    fn kinds(conflicts: &[Conflict]) -> Vec<&str> {
        conflicts.iter().map(|conflict| conflict.kind).collect()
    }

    #[test]
    fn who_holds_the_audit_or_answers_opens_is_named() {
        let (root, proc) = host();
        let found = look(&proc, &root.path().join("sys"));
        assert_eq!(kinds(&found), ["permission-listener", "unaudited-processes"]);
        assert!(found[0].found.starts_with("scan (process 900)"), "{found:?}");
        assert!(found[1].found.starts_with("1 processes"), "{found:?}");
        let status = Status { enabled: 1, failure: 1, pid: 700, ..Status::default() };
        let found = audit(&status, &[], &proc);
        assert_eq!(kinds(&found), ["audit-daemon"]);
        assert!(found[0].found.starts_with("auditd (process 700)"), "{found:?}");
        // The kernel names a holder that has ended until it has something to send to it.
        assert!(audit(&Status { pid: 701, ..status }, &[], &proc).is_empty());
    }

    #[test]
    fn an_audit_that_cannot_be_changed_or_panics_is_told_with_what_to_do() {
        let status = Status { enabled: IMMUTABLE, failure: PANIC, ..Status::default() };
        let lines = ["-a always,exit -F arch=0xc000003e -S 42 -k eyas-host".to_owned()];
        let found = audit(&status, &lines, Path::new("/nowhere"));
        assert_eq!(kinds(&found), ["audit-immutable", "audit-panic"]);
        assert!(found[0].advice.contains(&lines[0]), "{found:?}");
    }

    #[test]
    fn a_host_booted_with_audit_has_no_unaudited_processes() {
        let (root, proc) = host();
        fs::write(proc.join("cmdline"), "ro audit=1\n").unwrap();
        assert!(!kinds(&look(&proc, root.path())).contains(&"unaudited-processes"));
    }

    #[test]
    fn a_group_that_only_listens_is_in_nobodys_way() {
        let (root, proc) = host();
        fs::write(proc.join("900/fdinfo/5"), "fanotify flags:0 event-flags:8000\n").unwrap();
        assert!(!kinds(&look(&proc, root.path())).contains(&"permission-listener"));
    }

    #[test]
    fn a_confined_process_under_an_enforcing_policy_is_told() {
        let (root, proc) = host();
        let sys = root.path().join("sys");
        fs::create_dir_all(sys.join("fs/selinux")).unwrap();
        fs::write(sys.join("fs/selinux/enforce"), "1").unwrap();
        fs::create_dir_all(proc.join("self/attr")).unwrap();
        fs::write(proc.join("self/attr/current"), "system_u:system_r:httpd_t:s0\0").unwrap();
        assert!(kinds(&look(&proc, &sys)).contains(&"selinux"));
        fs::write(proc.join("self/attr/current"), "u:r:unconfined_t:s0\0").unwrap();
        assert!(!kinds(&look(&proc, &sys)).contains(&"selinux"));
    }
}
