//! The shipped rules: each has cases that it must alert on and cases that it must not
//! (tests/rules/*_cases.yaml). Each is judged as a made event, which needs no kernel, and played
//! for real with the agent watching, as root. And docs/rules.md says what the file says.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use eyas::engine::load::Loader;
use eyas::engine::load::Settings;
use eyas::engine::ruleset::Matching;
use eyas::engine::ruleset::RuleSet;
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
use support::made;

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

#[test]
fn the_shipped_file_loads_without_a_warning() {
    let mut loader = Loader::new(Settings::default());
    let result = loader.add("eyas_rules.yaml", read(RULES).as_bytes());
    assert!(result.successful(), "{}", result.verbose());
    assert!(result.warnings.is_empty(), "{}", result.verbose());
}

#[test]
fn shipped_rules_match_their_cases_made_up_and_no_others() {
    let mut loader = Loader::new(Settings::default());
    loader.add("eyas_rules.yaml", read(RULES).as_bytes());
    let rules = RuleSet::build(loader.finish().unwrap().rules, Matching::All);
    let mut wrong = Vec::new();
    for case in cases::all() {
        let matched = made::judge(&rules, &case);
        if matched.contains(&case.rule) != case.fires {
            wrong.push(format!("{}: {}: matched {matched:?}", case.rule, case.name));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn with_the_first_match_alone_every_case_is_told_by_its_own_rule() {
    let mut loader = Loader::new(Settings::default());
    loader.add("eyas_rules.yaml", read(RULES).as_bytes());
    let rules = RuleSet::build(loader.finish().unwrap().rules, Matching::First);
    for case in cases::all().iter().filter(|case| case.fires) {
        assert_eq!(made::judge(&rules, case), [case.rule.as_str()], "{}", case.name);
    }
}

/// A configuration in which all rules that match alert, each with its case's name.
fn configuration(sandbox: &Sandbox) -> String {
    let path = sandbox.dir.join("eyas.yaml");
    let text = "rule_matching: all
json_output: true
stdout_output: {enabled: true}
log_stderr: true
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
    let place = format!(
        "container_id={} container_name={} image=eyas-test) case=su_is_run",
        container.short_id(),
        container.name
    );
    agent.line("the container's name and image", |line| line.contains(&place));
    assert!(agent.end(Signal::SIGTERM).status.success());
}

/// The table of docs/rules.md, from the rules file.
fn table() -> String {
    let shipped = shipped();
    let macros_with_files = ["opened_to_read", "opened_to_write"];
    let mut table = "| rule | priority | from | techniques |\n|---|---|---|---|\n".to_owned();
    for rule in shipped.as_array().unwrap().iter().filter(|item| item.get("rule").is_some()) {
        let text = |key: &str| rule[key].as_str().unwrap();
        let condition = text("condition");
        let has_files = macros_with_files.iter().any(|name| condition.contains(name));
        let kinds = [
            (condition.contains("program_started"), "programs started"),
            (has_files, "files opened"),
            (condition.contains("procexit"), "programs ended"),
            (condition.contains("setresuid"), "user ids changed"),
            (condition.contains("ptrace"), "tracers attached"),
        ];
        let kinds: Vec<_> = kinds.iter().filter(|(is, _)| *is).map(|(_, kind)| *kind).collect();
        assert!(!kinds.is_empty(), "{}", text("rule"));
        let tags = rule["tags"].as_array().unwrap().iter().map(|tag| tag.as_str().unwrap());
        let techniques: Vec<_> = tags.filter(|tag| tag.starts_with('T')).collect();
        let row = [text("rule"), text("priority"), &kinds.join(", "), &techniques.join(" ")];
        table += &format!("| {} |\n", row.join(" | "));
    }
    table
}

#[test]
fn the_documentation_lists_the_shipped_rules() {
    const DOCS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/rules.md");
    const BEGIN: &str = "<!-- made from rules/eyas_rules.yaml: EYAS_BLESS=1 cargo test -->\n";
    let text = read(DOCS);
    let (before, _) = text.split_once(BEGIN).expect("the line that the table follows");
    let wanted = format!("{before}{BEGIN}{}", table());
    if std::env::var_os("EYAS_BLESS").is_some() {
        fs::write(DOCS, &wanted).unwrap();
    }
    assert_eq!(read(DOCS), wanted, "run it once with EYAS_BLESS=1");
}

#[test]
fn the_examples_of_the_documentation_load_after_the_shipped_file() {
    let docs = read(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/rules.md"));
    let mut loader = Loader::new(Settings::default());
    loader.add("eyas_rules.yaml", read(RULES).as_bytes());
    let examples = docs.split("```yaml\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let mut count = 0;
    for example in examples {
        let result = loader.add("docs/rules.md", example.as_bytes());
        assert!(result.successful(), "{}", result.verbose());
        assert!(result.warnings.is_empty(), "{}", result.verbose());
        count += 1;
    }
    assert_eq!(count, 2);
}
