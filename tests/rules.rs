//! The shipped rules: each has cases that it must alert on and cases that it must not
//! (tests/rules/*_cases.yaml). All are played for real with the agent watching, as root.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use nix::sys::signal::Signal;
use support::Need;
use support::cases;
use support::cases::Case;
use support::docker::Container;
use support::docker::Docker;
use support::have;
use support::host::Agent;
use support::host::Sandbox;
use support::host::Staying;
use support::host::read;

const RULES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/rules/eyas_rules.yaml");
const PRELUDE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/rules/prelude.sh");

/// What the shipped file says, unread: lists, macros, rules.
fn shipped() -> serde_json::Value {
    cases::parse(&read(RULES))
}

fn names(items: &serde_json::Value) -> BTreeSet<String> {
    let items = items.as_array().unwrap().iter();
    items.filter_map(|item| Some(item.get("rule")?.as_str()?.to_owned())).collect()
}

#[test]
fn every_shipped_rule_has_a_case_of_each_kind_that_is_played_for_real() {
    let cases = cases::all();
    let with = |fires| -> BTreeSet<String> {
        let played = cases.iter().filter(|case| case.fires == fires && case.text("live").is_some());
        played.map(|case| case.rule.clone()).collect()
    };
    let rules = names(&shipped());
    assert!(rules.len() >= 25, "{}", rules.len());
    assert_eq!(with(true), rules);
    assert_eq!(with(false), rules);
}

#[test]
fn no_program_name_is_longer_than_the_kernel_keeps() {
    let shipped = shipped();
    let lists = shipped.as_array().unwrap().iter().filter(|item| item.get("list").is_some());
    for list in lists {
        for item in list["items"].as_array().unwrap() {
            let item = item.as_str().unwrap();
            assert!(item.len() <= 15 || item.contains('/'), "{}: {item}", list["list"]);
        }
    }
}

#[test]
fn every_shipped_rule_names_a_technique_and_says_who_did_it() {
    for rule in shipped().as_array().unwrap().iter().filter(|item| item.get("rule").is_some()) {
        let tags = rule["tags"].as_array().unwrap();
        let is_technique = |tag: &str| {
            tag.strip_prefix('T').is_some_and(|rest| rest.as_bytes()[0].is_ascii_digit())
        };
        assert!(tags.iter().any(|tag| is_technique(tag.as_str().unwrap())), "{}", rule["rule"]);
        let output = rule["output"].as_str().unwrap();
        for field in ["%proc.cmdline", "%proc.pid"] {
            assert!(output.contains(field), "{}: {field}", rule["rule"]);
        }
        let name = rule["rule"].as_str().unwrap();
        assert!(output.starts_with(name), "{name}: the output begins otherwise");
    }
}

/// A configuration in which all rules that match alert, each with its case's name.
fn configuration(sandbox: &Sandbox) -> String {
    let path = sandbox.dir.join("eyas.yaml");
    let text = "rule_matching: all
json_output: true
stdout_output: {enabled: true}
append_output:
  - extra_output: case=%proc.env[EYAS_CASE]
";
    fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

/// Starts what a case does; it stays until it is let go.
fn play(case: &Case, sandbox: &Sandbox, container: Option<&Container>) -> Option<Staying> {
    let script = sandbox.dir.join(format!("cases/{}-{}", case.rule.replace(' ', "-"), case.name));
    fs::write(&script, case.text("live")?).unwrap();
    let dir = sandbox.dir.to_str().unwrap();
    let prelude = format!("{dir}/prelude.sh");
    let env = [
        ("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"),
        ("BASH_ENV", &prelude),
        ("BASH_KIND", if case.is("container") { "bash-static" } else { "bash" }),
        ("D", dir),
        ("EYAS_CASE", &case.name),
        ("HOME", dir),
    ];
    if !case.is("container") {
        let mut bash = Command::new("/bin/bash");
        return Some(Staying::start(bash.arg(script).env_clear().envs(env)));
    }
    let mut options = vec!["-i".to_owned(), "-e".to_owned(), "CONTAINER=1".to_owned()];
    for (name, value) in env {
        options.extend(["-e".to_owned(), format!("{name}={value}")]);
    }
    let options: Vec<_> = options.iter().map(String::as_str).collect();
    let shell = format!("{dir}/bash-static");
    Some(Staying::start(&mut container?.exec(&options, &[&shell, script.to_str().unwrap()])))
}

/// Whether `line` is the alert of `rule` for `case`.
fn is_alert(line: &str, case: &Case) -> bool {
    let Ok(alert) = serde_json::from_str::<serde_json::Value>(line) else { return false };
    let output = alert["output"].as_str().unwrap_or_default();
    alert["rule"] == case.rule.as_str() && output.ends_with(&format!(" case={}", case.name))
}

/// Plays all cases at once and compares the alerts.
fn play_all(cases: &[Case], container: Option<&Container>, sandbox: &Sandbox, agent: &mut Agent) {
    for dir in ["cases", "sh-bash", "sh-bash-static"] {
        fs::create_dir_all(sandbox.dir.join(dir)).unwrap();
    }
    fs::copy(PRELUDE, sandbox.dir.join("prelude.sh")).unwrap();
    let mut playing: Vec<_> =
        cases.iter().filter_map(|case| Some((case, play(case, sandbox, container)?))).collect();
    agent.mark(sandbox);
    // Their alert comes when they end; what they are called is known by now.
    playing.retain(|(case, _)| !case.is("ends"));
    for case in cases.iter().filter(|case| case.fires && case.text("live").is_some()) {
        agent.line(&format!("{:?}, {}", case.rule, case.name), |line| is_alert(line, case));
    }
    agent.mark(sandbox);
    for case in cases.iter().filter(|case| !case.fires) {
        let wrong = agent.lines().iter().find(|line| is_alert(line, case));
        assert_eq!(wrong, None, "{}: {}", case.rule, case.name);
    }
}

#[test]
fn shipped_rules_alert_on_their_cases_on_the_host_and_on_no_others() {
    let needs = [Need::Root, Need::Fanotify, Need::ProcConnector];
    if !have("shipped_rules_alert_on_their_cases_on_the_host_and_on_no_others", &needs) {
        return;
    }
    let sandbox = Sandbox::new();
    let mut agent = Agent::watch(&sandbox, &["-c", &configuration(&sandbox), "-r", RULES]);
    let mut cases = cases::all();
    cases.retain(|case| !case.is("container"));
    play_all(&cases, None, &sandbox, &mut agent);
    assert!(agent.end(Signal::SIGTERM).status.success());
}

#[test]
fn shipped_rules_alert_on_their_cases_in_a_container_and_on_no_others() {
    let needs = [Need::Root, Need::Fanotify, Need::ProcConnector, Need::Docker];
    if !have("shipped_rules_alert_on_their_cases_in_a_container_and_on_no_others", &needs) {
        return;
    }
    let sandbox = Sandbox::new();
    let docker = Docker::get();
    let mount = format!("{0}:{0}", sandbox.dir.display());
    let container = docker.container(&["-v", &mount]);
    let mut agent = Agent::watch(&sandbox, &["-c", &configuration(&sandbox), "-r", RULES]);
    let mut cases = cases::all();
    cases.retain(|case| case.is("container"));
    play_all(&cases, Some(&container), &sandbox, &mut agent);
    assert!(agent.end(Signal::SIGTERM).status.success());
}
