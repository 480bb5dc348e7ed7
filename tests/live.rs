//! The real kernel: do a thing, read the alert. With the rules that this project began with, as
//! their authors wrote them (tests/rules/introduction.yaml).
//!
//! Needs root, fanotify, the proc connector, some of it docker; skipped aloud where they are
//! missing (`EYAS_REQUIRE` makes that a failure). The shipped rules are in rules.rs.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use std::io::Write as _;
use std::process::Command;
use std::time::Duration;
use std::time::Instant;

use nix::sys::signal::Signal;
use support::Need;
use support::docker::Docker;
use support::have;
use support::host::Agent;
use support::host::PATIENCE;
use support::host::Sandbox;
use support::host::Staying;
use support::host::read;

const HOST: &[Need] = &[Need::Root, Need::Fanotify, Need::ProcConnector];
const CONTAINERS: &[Need] = &[Need::Root, Need::Fanotify, Need::ProcConnector, Need::Docker];
const INTRODUCTION: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/rules/introduction.yaml");

/// The rules of the introduction; all that match alert, since two of them say the same.
const WITH_INTRODUCTION: &[&str] = &["-r", INTRODUCTION, "-o", "rule_matching=all"];

/// A file with rules of a test's own.
fn rules(sandbox: &Sandbox, text: &str) -> String {
    let path = sandbox.dir.join("rules.yaml");
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

/// Whether `line` is `HH:MM:SS.nnnnnnnnn: ` and `rest`.
fn is_alert(line: &str, rest: &str) -> bool {
    let pattern = "00:00:00.000000000: ";
    line.strip_suffix(rest).is_some_and(|time| {
        time.len() == pattern.len()
            && time.bytes().zip(pattern.bytes()).all(|(is, expected)| match expected {
                b'0' => is.is_ascii_digit(),
                _ => is == expected,
            })
    })
}

#[test]
fn bash_run_in_a_container_alerts_with_its_id_and_name() {
    if !have("bash_run_in_a_container_alerts_with_its_id_and_name", CONTAINERS) {
        return;
    }
    let sandbox = Sandbox::new();
    let docker = Docker::get();
    let container = docker.container(&[]);
    let mut agent = Agent::watch(&sandbox, WITH_INTRODUCTION);
    let (id, name) = (container.short_id(), &container.name);
    for (bash, what) in [("/bin/bash", "static"), ("/usr/bin/bash", "dynamic")] {
        let command = ["-c", "read -r x", what];
        let shell = Staying::start(&mut container.exec(&["-i"], &[&[bash], &command[..]].concat()));
        let tail = format!("cmdline=bash -c read -r x {what})");
        let place = format!("container_id={id} container_name={name} shell=bash");
        let line = agent.line(&format!("shell in a container, {what}"), |line| {
            line.contains("Warning shell in a container (user=root")
                && line.contains(&place)
                && line.ends_with(&tail)
        });
        assert!(is_alert(&line, &line[20..]), "{line}");
        agent.line(&format!("run_shell_in_container, {what}"), |line| {
            line.contains("Warning Shell spawned in a container other than entrypoint (user=root")
                && line.contains(&place)
                && line.ends_with(&tail)
        });
        shell.end();
    }
    assert!(agent.end(Signal::SIGTERM).status.success());
}

#[test]
fn a_container_that_starts_while_the_agent_runs_is_seen() {
    if !have("a_container_that_starts_while_the_agent_runs_is_seen", CONTAINERS) {
        return;
    }
    let sandbox = Sandbox::new();
    let docker = Docker::get();
    let mut agent = Agent::watch(&sandbox, WITH_INTRODUCTION);
    let container = docker.container(&[]);
    let place = format!("container_id={} container_name={} ", container.short_id(), container.name);
    let shell =
        Staying::start(&mut container.exec(&["-i"], &["/bin/bash", "-c", "read -r x", "new"]));
    agent.line("the new container's shell", |line| {
        line.contains(&place) && line.ends_with("cmdline=bash -c read -r x new)")
    });
    shell.end();
    // Its own sshd_config, in a mount namespace that wasn't there when the agent started.
    let reader = Staying::start(&mut container.exec(
        &["-i"],
        &["/bin/bash", "-c", "> /etc/ssh/sshd_config; exec 3< /etc/ssh/sshd_config; read -r x"],
    ));
    agent.line("the container's sshd_config read", |line| {
        line.contains("SSH is open by (user=root") && line.contains("prog=bash")
    });
    reader.end();
}

#[test]
fn sudo_and_su_in_a_container_alert() {
    if !have("sudo_and_su_in_a_container_alert", CONTAINERS) {
        return;
    }
    let sandbox = Sandbox::new();
    let docker = Docker::get();
    let mount = format!("{0}:{0}", sandbox.dir.display());
    let container = docker.container(&["-v", &mount]);
    let mut agent = Agent::watch(&sandbox, WITH_INTRODUCTION);
    for name in ["sudo", "su"] {
        let program = sandbox.program(name);
        let staying =
            Staying::start(&mut container.exec(&["-i"], &[program.to_str().unwrap(), "-i"]));
        agent.line(name, |line| {
            line.contains("Error Sudo run in container (user=root")
                && line.ends_with(&format!("cmdline={name} -i)"))
        });
        staying.end();
    }
    let outside = Staying::start(Command::new(sandbox.program("sudo")).arg("outside"));
    agent.mark(&sandbox);
    outside.end();
    let ended = agent.end(Signal::SIGTERM);
    assert!(!ended.lines.iter().any(|line| line.contains("outside")), "{:?}", ended.lines);
}

#[test]
fn reading_and_writing_sshd_config_alert_in_their_own_words() {
    if !have("reading_and_writing_sshd_config_alert_in_their_own_words", HOST) {
        return;
    }
    let sandbox = Sandbox::new();
    let path = sandbox.file("etc/ssh/sshd_config");
    let path = path.to_str().unwrap();
    let mut agent = Agent::watch(&sandbox, WITH_INTRODUCTION);
    let read_by = |pid: u32, rest: &str| {
        format!("Informational SSH is open by (user=root pid={pid} prog=cat {path}{rest})")
    };

    // It stays, since its last file is its input.
    let cat = Staying::start(Command::new("cat").args([path, "-"]));
    let wanted = read_by(cat.pid(), " -");
    agent.line("the read", |line| is_alert(line, &wanted));
    cat.end();

    // It ends at once: what it was called may come too late, that it read the file doesn't. One
    // of a few is seen whole even on a busy machine.
    let mut pids = Vec::new();
    let is_whole = (0..20).any(|_| {
        let cat = Staying::start(Command::new("cat").arg(path));
        let pid = cat.pid();
        pids.push(pid);
        cat.end();
        let opened = format!(" pid={pid} prog=");
        let line = agent.line("the read by a short cat", |line| {
            line.contains("SSH is open by") && line.contains(&opened)
        });
        is_alert(&line, &read_by(pid, ""))
    });
    assert!(is_whole, "{:?}", agent.lines());

    // It keeps the file open: what number the descriptor has can be told as long as it is there.
    let script = "exec 3>> \"$0\"; read -r x";
    let writer = Staying::start(Command::new("sh").args(["-c", script, path]));
    let written = format!(
        "Informational SSH is writen by (user=root pid={} prog=sh -c {script} {path})",
        writer.pid()
    );
    agent.line("the write", |line| is_alert(line, &written));
    writer.end();

    agent.mark(&sandbox);
    let ended = agent.end(Signal::SIGTERM);
    let count = |text: &str| ended.lines.iter().filter(|line| line.contains(text)).count();
    let counts = (count("SSH is open by"), count("SSH is writen by"));
    assert_eq!(counts, (1 + pids.len(), 1), "{:?}", ended.lines);
}

#[test]
fn a_process_three_forks_below_has_its_ancestors() {
    if !have("a_process_three_forks_below_has_its_ancestors", HOST) {
        return;
    }
    let sandbox = Sandbox::new();
    let file = rules(
        &sandbox,
        "- rule: deep
  desc: d
  condition: evt.type = execve and proc.name = deepest
  output: >-
    deep p=%proc.pname 1=%proc.aname[1] 2=%proc.aname[2] 3=%proc.aname[3] 4=%proc.aname[4]
    ppid=%proc.ppid cmd=%proc.pcmdline
  priority: INFO
",
    );
    let mut agent = Agent::watch(&sandbox, &["-r", &file]);
    let deepest = sandbox.program("deepest");
    let top = Staying::start(
        Command::new(sandbox.program("forker")).args(["--forks", "3"]).arg(&deepest),
    );
    let line = agent.line("deep", |line| line.contains("deep p="));
    let parents = "deep p=forker 1=forker 2=forker 3=forker 4=";
    assert!(line.contains(parents), "{line}");
    assert!(!line.contains(&format!("ppid={} ", top.pid())), "{line}");
    assert!(line.ends_with(&format!("cmd=forker --forks 3 {}", deepest.display())), "{line}");
    top.end();
}

#[test]
fn each_of_many_programs_alerts_once() {
    if !have("each_of_many_programs_alerts_once", HOST) {
        return;
    }
    const COUNT: usize = 200;
    const AT_ONCE: usize = 20;
    let sandbox = Sandbox::new();
    let file = rules(
        &sandbox,
        "- rule: any program
  desc: d
  condition: evt.type = execve
  output: ran pid=%proc.pid
  priority: INFO
",
    );
    let mut agent = Agent::watch(&sandbox, &["-r", &file]);
    let mut pids = Vec::new();
    // Programs of the system that end at once: nothing may depend on their staying.
    for number in 0..COUNT {
        let program = sandbox.dir.join("bin").join(format!("program-{number}"));
        support::copy_program("/bin/true", &program);
        let mut child = Command::new(program).spawn().unwrap();
        pids.push(child.id());
        child.wait().unwrap();
    }
    for _ in 0..COUNT / AT_ONCE {
        let children: Vec<_> =
            (0..AT_ONCE).map(|_| Command::new("/bin/true").spawn().unwrap()).collect();
        for mut child in children {
            pids.push(child.id());
            child.wait().unwrap();
        }
    }
    agent.mark(&sandbox);
    let ended = agent.end(Signal::SIGTERM);
    for pid in pids {
        let end = format!("ran pid={pid}");
        let count = ended.lines.iter().filter(|line| line.ends_with(&end)).count();
        assert_eq!(count, 1, "pid {pid}");
    }
}

#[test]
fn a_rule_without_an_event_type_warns_and_works() {
    if !have("a_rule_without_an_event_type_warns_and_works", HOST) {
        return;
    }
    let sandbox = Sandbox::new();
    let file = rules(
        &sandbox,
        "- rule: by name alone
  desc: d
  condition: proc.name = nameless
  output: seen %evt.type by %proc.name
  priority: INFO
",
    );
    let mut agent = Agent::watch(&sandbox, &["-r", &file]);
    let staying = Staying::start(&mut Command::new(sandbox.program("nameless")));
    agent.line("the exec", |line| line.ends_with("seen execve by nameless"));
    staying.end();
    agent.line("the exit", |line| line.ends_with("seen procexit by nameless"));
    let ended = agent.end(Signal::SIGTERM);
    assert!(ended.errors.contains("LOAD_NO_EVTTYPE"), "{}", ended.errors);
}

#[test]
fn a_signal_ends_it_cleanly_with_statistics() {
    if !have("a_signal_ends_it_cleanly_with_statistics", HOST) {
        return;
    }
    let sandbox = Sandbox::new();
    let file = rules(
        &sandbox,
        "- rule: counted
  desc: d
  condition: evt.type = execve and proc.name = counted
  output: counted
  priority: NOTICE
",
    );
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let mut agent = Agent::watch(&sandbox, &["-r", &file]);
        let staying = Staying::start(&mut Command::new(sandbox.program("counted")));
        agent.line("the alert", |line| line.ends_with("Notice counted"));
        staying.end();
        let ended = agent.end(signal);
        assert_eq!(ended.status.code(), Some(0), "{signal}: {}", ended.errors);
        let all = format!("{}\n{}", ended.lines.join("\n"), ended.errors);
        for text in
            ["Events detected: ", "Rule counts by severity:", "   NOTICE: 1", "   counted: 1"]
        {
            assert!(all.contains(text), "{signal}: {text:?} is missing in\n{all}");
        }
    }
}

#[test]
fn a_killed_agent_leaves_nothing_behind() {
    if !have("a_killed_agent_leaves_nothing_behind", HOST) {
        return;
    }
    let sandbox = Sandbox::new();
    let agent = Agent::watch(&sandbox, WITH_INTRODUCTION);
    let pid = agent.pid();
    let ended = agent.end(Signal::SIGKILL);
    assert_eq!(ended.status.code(), None);
    // No child survives it, and nothing that it marked stands in anybody's way.
    let is_child = |stat: &str| {
        let after = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
        after.split_whitespace().nth(1) == Some(&pid.to_string())
    };
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        if let Ok(stat) = std::fs::read(entry.path().join("stat")) {
            assert!(!is_child(&String::from_utf8_lossy(&stat)), "{:?}", entry.path());
        }
    }
    let path = sandbox.file("sshd_config");
    assert!(Command::new("cat").arg(path).output().unwrap().status.success());
    // The next one can start at once.
    let mut agent = Agent::watch(&sandbox, WITH_INTRODUCTION);
    agent.mark(&sandbox);
    assert!(agent.end(Signal::SIGTERM).status.success());
}

#[test]
fn without_arguments_the_shipped_rules_alert_on_standard_output() {
    if !have("without_arguments_the_shipped_rules_alert_on_standard_output", HOST) {
        return;
    }
    for path in ["/etc/eyas/eyas.yaml", "/etc/falco/falco.yaml"] {
        if std::path::Path::new(path).exists() {
            // Said past the test harness: this host has a configuration of its own.
            let _ = writeln!(std::io::stderr(), "SKIPPED: {path} is there");
            return;
        }
    }
    let sandbox = Sandbox::new();
    let mut agent = Agent::start(&[]);
    // Nothing says from when on it watches: until it does, once more.
    let deadline = Instant::now() + PATIENCE;
    let line = loop {
        let miner = Staying::start(Command::new(sandbox.program("xmrig")).arg("--bench=1M"));
        let found = agent.line_within(Duration::from_millis(500), |line| {
            line.contains("Critical Crypto miner run (command=xmrig --bench=1M ")
        });
        miner.end();
        if let Some(line) = found {
            break line;
        }
        assert!(Instant::now() < deadline, "{}", agent.errors());
    };
    assert!(is_alert(&line, &line[20..]), "{line}");
    assert!(line.ends_with("container_id=host container_name=host)"), "{line}");
    assert!(agent.end(Signal::SIGINT).status.success());
}

#[test]
fn rules_that_changed_are_in_force_after_a_reload() {
    if !have("rules_that_changed_are_in_force_after_a_reload", HOST) {
        return;
    }
    let rule = |output: &str| {
        format!(
            "- rule: reloaded
  desc: d
  condition: evt.type = execve and proc.name = reloaded
  output: {output} %proc.args
  priority: INFO
"
        )
    };
    let sandbox = Sandbox::new();
    let file = rules(&sandbox, &rule("before"));
    let mut agent = Agent::watch(&sandbox, &["-r", &file]);
    let run = |arg: &str| Staying::start(Command::new(sandbox.program("reloaded")).arg(arg));
    let first = run("first");
    agent.line("the old rule", |line| line.ends_with("before first"));
    first.end();

    rules(&sandbox, "- rule: broken\n  desc: d\n");
    agent.send(Signal::SIGHUP);
    agent.error("the complaint about the broken file", |text| {
        text.contains("the rules stay as they are")
    });
    let second = run("second");
    agent.line("the old rule still", |line| line.ends_with("before second"));
    second.end();

    rules(&sandbox, &rule("after"));
    agent.send(Signal::SIGHUP);
    let deadline = Instant::now() + PATIENCE;
    loop {
        let third = run("third");
        let line = agent.line_within(PATIENCE, |line| line.ends_with(" third"));
        third.end();
        if line.is_some_and(|line| line.ends_with("after third")) {
            break;
        }
        assert!(Instant::now() < deadline, "{}", agent.errors());
        agent.forget();
    }
}

#[test]
fn doctor_says_that_every_shipped_rule_can_fire_here() {
    if !have("doctor_says_that_every_shipped_rule_can_fire_here", HOST) {
        return;
    }
    let rules = concat!(env!("CARGO_MANIFEST_DIR"), "/rules/eyas_rules.yaml");
    let count = read(rules).lines().filter(|line| line.starts_with("- rule:")).count();
    let doctor = Agent::start(&["doctor", "-r", rules]).ended();
    let is_told = |line: &String| {
        line.contains(&format!("What the {count} rules can do here"))
            && line.contains(" 0 can't fire")
    };
    assert!(doctor.lines.iter().any(is_told), "{doctor:?}");
    assert!(doctor.status.success(), "{doctor:?}");
}

#[test]
fn rules_are_profiled_on_what_happens_on_the_host() {
    if !have("rules_are_profiled_on_what_happens_on_the_host", HOST) {
        return;
    }
    let sandbox = Sandbox::new();
    let file = sandbox.file("profiled");
    let rules = rules(
        &sandbox,
        &format!(
            "- rule: opens of one file\n  desc: d\n  condition: evt.type in (open, openat) and \
             fd.name = {}\n  output: o\n  priority: INFO\n\
             - rule: with a regex\n  desc: d\n  condition: evt.type in (open, openat) and \
             proc.name regex 'no+one'\n  output: o\n  priority: INFO\n",
            file.display()
        ),
    );
    let agent = Agent::start(&["rules", "profile", "-r", &rules, "-M", "300"]);
    agent.error("the start", |errors| errors.contains("watching this host for 300 s"));
    for _ in 0..5 {
        std::fs::read(&file).unwrap();
    }
    agent.send(Signal::SIGINT);
    let ended = agent.ended();
    let report = ended.lines.join("\n");
    assert!(ended.status.success(), "{report}\n{}", ended.errors);
    assert!(report.contains(" events, 2 rules: "), "{report}");
    let row = |name: &str| ended.lines.iter().find(|line| line.ends_with(name)).cloned();
    let opens = row("  opens of one file").expect(&report);
    let columns: Vec<_> = opens.split_whitespace().collect();
    let (tried, matched): (u64, u64) = (columns[2].parse().unwrap(), columns[3].parse().unwrap());
    // The kernel may tell equal opens as one.
    assert!(tried >= matched && matched >= 1, "{report}");
    let regex = row("  with a regex").expect(&report);
    assert_eq!(regex.split_whitespace().nth(3), Some("0"), "{report}");
    assert!(report.contains("matches proc.name with a regex"), "{report}");
}
