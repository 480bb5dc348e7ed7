//! Falco's official rules, each made to alert: what it is about is done, and its alert is awaited.
//! What can't be done here is named with its reason, so that all are accounted for. The table is
//! `support/stock_rules.txt`.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that is wrong may panic")]
#![allow(clippy::indexing_slicing, reason = "a test that is wrong may panic")]

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::Command;
use std::process::Stdio;

use serde_json::Value;

use support::Need;
use support::docker::Docker;
use support::have;
use support::host::Agent;
use support::host::PATIENCE;
use support::host::Sandbox;
use support::host::await_that;
use support::seat::Turn;

/// The files, of the directory `2026` of the one that EYAS_STOCK_RULES names.
const FILES: [&str; 3] =
    ["falco_rules.yaml", "falco-incubating_rules.yaml", "falco-sandbox_rules.yaml"];

const TABLE: &str = include_str!("support/stock_rules.txt");

/// Tells which row is done next.
const MARKS: &str = "
- rule: eyas mark
  desc: d
  condition: evt.type in (execve, execveat) and proc.name = eyas-mark
  output: '%proc.args'
  priority: INFO
";

/// What scripts of rows are made of. S is the program that plays others, H a shell, B where they
/// have their names.
const WORDS: &str = r#"
run() { local n=$1; shift; [ -e "$B/$n" ] || ln "$S" "$B/$n"; "$B/$n" "$@" </dev/null; }
as() { local n=$1; [ -e "$B/as/$n" ] || ln "$H" "$B/as/$n"; "$B/as/$n" -c "$2" </dev/null; }
export -f run as
[ -e "$B/run" ] || ln "$S" "$B/run"; mkdir -p "$B/as"
"#;

/// Nothing of the host is changed: what rows write is in file systems of their own.
const PRIVATE: &str = r#"
ip link set lo up; ip addr add 203.0.113.7/32 dev lo; ip addr add 169.254.169.254/32 dev lo
mkdir "$D/kept"; cp -a /etc/passwd /etc/group /etc/shadow "$D/kept"
for dir in /etc /root /boot /var/log /var/lib /usr/sbin; do mount -t tmpfs none "$dir"; done
cp -a "$D/kept/." /etc
"#;

/// The same in a container, which has only busybox.
const CONTAINED: &str = r#"
/bin/busybox mkdir -p /tmp/applets; /bin/busybox --install -s /tmp/applets; PATH=/tmp/applets:$PATH
ip link set lo up; ip addr add 203.0.113.7/32 dev lo; ip addr add 169.254.169.254/32 dev lo
read go
"#;

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Place {
    Host,
    Container,
    Live,
    Never,
}

/// A row of the table.
#[derive(Debug)]
struct Row {
    rule: &'static str,
    place: Place,
    /// A script, or a reason.
    text: String,
}

fn table() -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    for line in TABLE.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let head = line.strip_prefix('[').and_then(|line| line.split_once("] "));
        match head {
            Some((place, rule)) => {
                let place = match place {
                    "host" => Place::Host,
                    "container" => Place::Container,
                    "live" => Place::Live,
                    "never" => Place::Never,
                    other => panic!("{other}?"),
                };
                rows.push(Row { rule, place, text: String::new() });
            }
            None => {
                let row = rows.last_mut().unwrap();
                row.text.push_str(line);
                row.text.push('\n');
            }
        }
    }
    rows
}

/// The official rules, copied to where root believes them; `None` if they aren't there.
fn rules(test: &str, sandbox: &Sandbox) -> Option<Vec<PathBuf>> {
    let Some(directory) = std::env::var_os("EYAS_STOCK_RULES") else {
        let _ = writeln!(std::io::stderr(), "SKIPPED: {test} needs EYAS_STOCK_RULES");
        return None;
    };
    let from = PathBuf::from(directory).join("2026");
    let copy = |name: &str| {
        let to = sandbox.dir.join(name);
        fs::write(&to, fs::read(from.join(name)).unwrap()).unwrap();
        to
    };
    Some(FILES.map(copy).to_vec())
}

/// The agent's arguments: all these rules, each of them enabled, each that matches telling so.
fn arguments(rules: &[PathBuf]) -> Vec<String> {
    let settings =
        ["json_output=true", "log_level=error", "rule_matching=all", "rules[].enable.rule=*"];
    let settings = settings.iter().flat_map(|setting| ["-o".to_owned(), (*setting).to_owned()]);
    let rules = rules.iter().flat_map(|path| ["-r".to_owned(), path.to_str().unwrap().to_owned()]);
    settings.chain(rules).collect()
}

/// A script that does all rows of a place; it is where the programs have their names, too.
fn script(sandbox: &Sandbox, place: Place, begin: &str, own: &str) -> PathBuf {
    let dir = sandbox.dir.display();
    let mut text = format!(
        "B={dir}/bin; S={dir}/stand-in; H={dir}/bash-static; D={own}; export B S H D\n\
         mkdir -p $D\n{begin}\n{WORDS}\n"
    );
    for (number, row) in table().iter().enumerate().filter(|(_, row)| row.place == place) {
        text.push_str(&format!(
            "D={own}/{number}; mkdir -p $D; run eyas-mark {number}\n(\n{}) </dev/null\n",
            row.text
        ));
    }
    text.push_str("run eyas-mark end\n");
    let path = sandbox.dir.join("script");
    fs::write(&path, text).unwrap();
    path
}

/// The rows of a place whose rule did not alert between their mark and the next one.
fn silent(place: Place, alerts: &str) -> Vec<String> {
    let table = table();
    let mut told = BTreeSet::new();
    let mut current = None;
    for alert in alerts.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()) {
        let rule = alert["rule"].as_str().unwrap_or_default().to_owned();
        if rule == "eyas mark" {
            current = alert["output_fields"]["proc.args"].as_str().map(str::to_owned);
        } else if let Some(current) = &current {
            told.insert((current.clone(), rule));
        }
    }
    assert_eq!(current.as_deref(), Some("end"), "not all was done: {alerts}");
    let rows = table.iter().enumerate().filter(|(_, row)| row.place == place);
    rows.filter(|(number, row)| !told.contains(&(number.to_string(), row.rule.to_owned())))
        .map(|(_, row)| row.rule.to_owned())
        .collect()
}

fn marks(sandbox: &Sandbox) -> PathBuf {
    let path = sandbox.dir.join("marks.yaml");
    fs::write(&path, MARKS).unwrap();
    path
}

#[test]
fn every_official_rule_is_in_the_table() {
    let Some(directory) = std::env::var_os("EYAS_STOCK_RULES") else {
        let _ = writeln!(std::io::stderr(), "SKIPPED: the table needs EYAS_STOCK_RULES");
        return;
    };
    let mut official = BTreeSet::new();
    for name in FILES {
        let text = support::host::read(PathBuf::from(&directory).join("2026").join(name));
        let names = text.lines().filter_map(|line| line.strip_prefix("- rule: "));
        official.extend(names.map(|name| name.trim().to_owned()));
    }
    let table = table();
    let named: BTreeSet<_> = table.iter().map(|row| row.rule.to_owned()).collect();
    assert_eq!((official.len(), table.len()), (93, 93));
    assert_eq!(official, named);
    let never = table.iter().filter(|row| row.place == Place::Never).count();
    assert!(never <= 9, "{never} are not done");
    assert!(table.iter().all(|row| !row.text.is_empty()));
}

#[test]
fn official_rules_alert_on_the_host() {
    let test = "official_rules_alert_on_the_host";
    if !have(test, &[Need::Root]) {
        return;
    }
    let sandbox = Sandbox::new();
    let Some(mut rules) = rules(test, &sandbox) else { return };
    rules.push(marks(&sandbox));
    let own = sandbox.dir.join("own");
    let script = script(&sandbox, Place::Host, PRIVATE, own.to_str().unwrap());
    let output = Command::new(env!("CARGO_BIN_EXE_eyas"))
        .arg("trace")
        .args(arguments(&rules))
        .args(["--", "unshare", "-m", "-n"])
        .args([sandbox.dir.join("bash-static"), script])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    let silent = silent(Place::Host, &told);
    assert!(silent.is_empty(), "silent: {silent:#?}\n{told}");
}

/// The process of the host with that in its environment.
fn process_with(variable: &str) -> Option<i32> {
    let pids = fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok()?.parse::<i32>().ok());
    pids.into_iter().find(|pid| {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        let name = fs::read(format!("/proc/{pid}/comm")).unwrap_or_default();
        name == b"bash-static\n"
            && environment.split(|&byte| byte == 0).any(|word| word == variable.as_bytes())
    })
}

#[test]
fn official_rules_alert_in_a_container() {
    let test = "official_rules_alert_in_a_container";
    if !have(test, &[Need::Root, Need::Docker]) {
        return;
    }
    let sandbox = Sandbox::new();
    let Some(mut rules) = rules(test, &sandbox) else { return };
    rules.push(marks(&sandbox));
    let script = script(&sandbox, Place::Container, CONTAINED, "/tmp/own");
    let docker = Docker::get();
    let volume = format!("{0}:{0}", sandbox.dir.display());
    let container = docker.container(&[
        "--cap-add=SYS_ADMIN",
        "--cap-add=SYS_MODULE",
        "--cap-add=NET_ADMIN",
        "--volume",
        &volume,
    ]);
    let variable = format!("EYAS_STOCK={}", container.id);
    let shell = sandbox.dir.join("bash-static");
    let inside = [shell.to_str().unwrap(), script.to_str().unwrap()];
    let mut exec = container
        .exec(&["--interactive", "--env", &variable], &inside)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut pid = None;
    await_that("the shell", || {
        pid = process_with(&variable);
        pid.is_some()
    });
    let pid = pid.unwrap();
    let errors = sandbox.dir.join("errors");
    let mut eyas = Command::new(env!("CARGO_BIN_EXE_eyas"))
        .arg("trace")
        .args(arguments(&rules))
        .args(["-p", &pid.to_string()])
        .stdin(Stdio::null())
        .stderr(fs::File::create(&errors).unwrap())
        .spawn()
        .unwrap();
    let tracer = format!("TracerPid:\t{}\n", eyas.id());
    await_that("the tracer", || {
        assert!(eyas.try_wait().unwrap().is_none(), "{}", support::host::read(&errors));
        support::host::read(format!("/proc/{pid}/status")).contains(&tracer)
    });
    writeln!(exec.stdin.take().unwrap(), "go").unwrap();
    assert!(exec.wait().unwrap().success());
    eyas.wait().unwrap();
    let told = fs::read(&errors).unwrap();
    let told = String::from_utf8_lossy(&told);
    let silent = silent(Place::Container, &told);
    assert!(silent.is_empty(), "silent: {silent:#?}\n{told}");
}

#[test]
fn official_rules_alert_where_containers_start() {
    let test = "official_rules_alert_where_containers_start";
    let needs = [Need::Root, Need::Docker, Need::Fanotify, Need::ProcConnector, Need::Audit];
    if !have(test, &needs) {
        return;
    }
    let _turn = Turn::take();
    let sandbox = Sandbox::new();
    let Some(rules) = rules(test, &sandbox) else { return };
    let docker = Docker::get();
    // Only the audit tells exactly of the shortest programs; an auditd that is installed isn't run.
    let mut arguments = arguments(&rules);
    arguments.extend(["-o", "eyas.audit.seat=unicast"].map(str::to_owned));
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let mut agent = Agent::watch(&sandbox, &arguments);
    let mut silent = Vec::new();
    for row in table().iter().filter(|row| row.place == Place::Live) {
        let done = Command::new("sh")
            .args(["-c", &row.text])
            .env("I", docker.image())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        assert!(done.status.success(), "{}: {}", row.rule, String::from_utf8_lossy(&done.stderr));
        let rule = format!("\"rule\":\"{}\"", row.rule);
        if agent.line_within(PATIENCE, |line| line.contains(&rule)).is_none() {
            silent.push(row.rule);
        }
        agent.forget();
    }
    assert!(silent.is_empty(), "silent: {silent:#?}\n{}", agent.errors());
}
