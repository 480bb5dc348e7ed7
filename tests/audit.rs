//! The audit on the real kernel: every kind of call that rules ask for, with the truth of its
//! parameters; the rules that are put in, and that nothing is left behind.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that is wrong may panic")]
#![allow(clippy::expect_used, clippy::panic, reason = "a test that is wrong may panic")]

mod support;

use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;
use std::time::Instant;

use eyas::sources::audit::Control;
use eyas::sources::audit::remove_rules;
use nix::sys::signal::Signal;
use support::Need;
use support::have;
use support::host::Agent;
use support::host::PATIENCE;
use support::host::Staying;
use support::must_fire;
use support::must_fire::Sees;
use support::seat::Turn;
use support::seat::own_rules;
use support::seat::status;

/// The test whose process is the player, too.
const PLAYS: &str = "audited_calls_are_told_as_they_were";

/// What everybody who takes the seat needs.
const SEAT: &[Need] = &[Need::Root, Need::Audit, Need::ProcConnector];

/// A rule for the calls of programs in a directory and of what they start.
fn rules(dir: &Path, types: &str) -> PathBuf {
    let dir_text = dir.to_str().unwrap();
    let text = format!(
        "- rule: everything\n  desc: every call that a test asks for\n  condition: evt.type in \
         ({types}) and (proc.exepath startswith '{dir_text}' or proc.pexepath startswith \
         '{dir_text}')\n  output: 'CALL %evt.type res=%evt.rawres fd=%fd.name kind=%fd.type \
         args=%evt.args cmd=%proc.name'\n  priority: INFO\n"
    );
    let file = dir.join("rules.yaml");
    fs::write(&file, text).unwrap();
    file
}

/// Starts the agent in the seat, and waits until it is in.
fn agent(rules: &Path, more: &[&str]) -> Agent {
    let mut arguments = vec!["-r", rules.to_str().unwrap(), "-o", "eyas.audit.seat=unicast"];
    arguments.extend(["-o", "log_stderr=true", "-o", "log_syslog=false", "-o", "log_level=debug"]);
    arguments.extend(more);
    let agent = Agent::start(&arguments);
    agent.error("the start", |text| text.contains("ready after"));
    agent
}

/// Calls whose one owner is fanotify, unless the user wants them of the audit.
const OPENS: &[&str] = &["open", "openat", "openat2", "creat"];

/// How often a play is repeated in which the host did more than could be told.
const TRIES: usize = 5;

/// The player's rules for the types that `wants` takes, and one for the end of a play.
fn played_rules(dir: &Path, wants: &dyn Fn(&str) -> bool) -> PathBuf {
    let all = must_fire::rules(dir);
    let mut text: String = all
        .split_inclusive("priority: INFO\n")
        .filter(|rule| {
            let name = rule.trim_start_matches("- rule: ").lines().next();
            name.is_some_and(wants)
        })
        .collect();
    text.push_str(
        "- rule: end\n  desc: d\n  condition: evt.type = chdir and proc.name = sh\n  output: '%evt.arg.path'\n  \
         priority: INFO\n",
    );
    let file = dir.join("rules.yaml");
    fs::write(&file, text).unwrap();
    file
}

/// Plays all calls before the agent; what was told wrong of those that `wants` takes.
fn play(agent: &mut Agent, dir: &Path, wants: &dyn Fn(&str) -> bool) -> Vec<String> {
    let mut player = Staying::start(
        Command::new(must_fire::player(dir))
            .args(["--exact", PLAYS, "--nocapture"])
            .env(must_fire::DIRECTORY, dir)
            .env(must_fire::STAYS, "1"),
    );
    let deadline = Instant::now() + 4 * PATIENCE;
    while !dir.join(must_fire::PLAYED).exists() {
        assert!(player.is_running() && Instant::now() < deadline, "it does not play");
        std::thread::sleep(Duration::from_millis(10));
    }
    // Twice: of what is read in one turn, a process that ends is told of first; what is told in a
    // turn before is told before. Each is made again in case it gets lost.
    for last in ["end-1", "end-2"] {
        let goal = dir.join(last);
        fs::create_dir(&goal).unwrap();
        let goal = goal.to_str().unwrap().to_owned();
        let is_end = |line: &str| line.contains("\"rule\":\"end\"") && line.contains(&goal);
        let deadline = Instant::now() + 4 * PATIENCE;
        loop {
            assert!(
                Command::new("sh").args(["-c", "cd \"$0\"", &goal]).status().unwrap().success()
            );
            if agent.line_within(Duration::from_secs(2), is_end).is_some() {
                break;
            }
            assert!(Instant::now() < deadline, "no end is told: {}", agent.errors());
        }
    }
    player.end();
    let mut truths = must_fire::truths(dir);
    truths.retain(|truth| wants(&truth.ty));
    assert!(!truths.is_empty());
    must_fire::wrong(&truths, &agent.lines().join("\n"), Sees::Records)
}

/// Has the player play before an agent with these options until nothing gets lost.
fn check_play(wants: &dyn Fn(&str) -> bool, options: &[&str]) {
    let turn = Turn::take();
    for last in (0..TRIES).map(|number| number + 1 == TRIES) {
        let dir = tempfile::tempdir().unwrap();
        let mut agent = agent(
            &played_rules(dir.path(), wants),
            &[&["-o", "json_output=true"], options].concat(),
        );
        let wrong = play(&mut agent, dir.path(), wants);
        let ended = agent.end(Signal::SIGTERM);
        assert!(ended.status.success());
        let is_lossy = ended.errors.contains("events lost");
        if wrong.is_empty() {
            break;
        }
        let said = wrong.join("\n");
        assert!(is_lossy && !last, "{} are wrong:\n{said}\n{}", wrong.len(), ended.errors);
    }
    turn.assert_clean();
}

#[test]
fn audited_calls_are_told_as_they_were() {
    if must_fire::played() || !have(PLAYS, SEAT) {
        return;
    }
    let costly = ["sendto", "sendmsg", "recvfrom", "recvmsg"];
    let costly = costly.map(|call| format!("eyas.audit.costly_calls[]={call}"));
    let options: Vec<&str> = costly.iter().flat_map(|option| ["-o", option.as_str()]).collect();
    check_play(&|ty| !OPENS.contains(&ty), &options);
}

#[test]
fn audited_opens_are_told_as_they_were() {
    if !have("audited_opens_are_told_as_they_were", SEAT) {
        return;
    }
    check_play(&|ty| OPENS.contains(&ty), &["-o", "eyas.audit.opens=true"]);
}

#[test]
fn without_a_rule_that_needs_it_the_audit_stays_as_it_is() {
    let name = "without_a_rule_that_needs_it_the_audit_stays_as_it_is";
    if !have(name, &[Need::Root, Need::Audit, Need::ProcConnector, Need::Fanotify]) {
        return;
    }
    let turn = Turn::take();
    let dir = tempfile::tempdir().unwrap();
    let agent = agent(&rules(dir.path(), "openat, clone, procexit"), &[]);
    assert_eq!(own_rules(), 0);
    assert_eq!(status().pid, turn.before.pid);
    assert!(agent.end(Signal::SIGTERM).status.success());
}

#[test]
fn rules_that_somebody_deletes_are_put_back_and_those_of_others_stay() {
    let name = "rules_that_somebody_deletes_are_put_back_and_those_of_others_stay";
    if !have(name, SEAT) {
        return;
    }
    let turn = Turn::take();
    let dir = tempfile::tempdir().unwrap();
    let agent = agent(&rules(dir.path(), "connect, rename"), &[]);
    let count = own_rules();
    assert!(count > 0);
    remove_rules(&mut Control::open().unwrap()).unwrap();
    let deadline = Instant::now() + PATIENCE;
    while own_rules() < count {
        assert!(Instant::now() < deadline, "they stay away: {}", agent.errors());
        std::thread::sleep(Duration::from_millis(20));
    }
    agent.error("the report", |text| text.contains("somebody deleted"));
    assert!(agent.end(Signal::SIGTERM).status.success());
    turn.assert_clean();
}

#[test]
fn what_a_killed_agent_leaves_is_cleared_away_by_its_guardian() {
    let name = "what_a_killed_agent_leaves_is_cleared_away_by_its_guardian";
    if !have(name, SEAT) {
        return;
    }
    let turn = Turn::take();
    let dir = tempfile::tempdir().unwrap();
    let agent = agent(&rules(dir.path(), "connect, rename"), &[]);
    assert!(own_rules() > 0);
    drop(agent.end(Signal::SIGKILL));
    turn.assert_clean();
}

#[test]
fn an_agent_that_stands_still_holds_up_no_audited_call() {
    let name = "an_agent_that_stands_still_holds_up_no_audited_call";
    if !have(name, SEAT) {
        return;
    }
    let turn = Turn::take();
    let dir = tempfile::tempdir().unwrap();
    let agent = agent(&rules(dir.path(), "mkdir, rmdir"), &[]);
    agent.send(Signal::SIGSTOP);
    // More than may wait in the socket of an agent that reads nothing.
    let begin = Instant::now();
    let (mut longest, mut calls) = (Duration::ZERO, 0);
    while begin.elapsed() < Duration::from_secs(5) {
        let path = dir.path().join("x");
        for call in [fs::create_dir::<&Path>, fs::remove_dir::<&Path>] {
            let begin = Instant::now();
            call(&path).unwrap();
            longest = longest.max(begin.elapsed());
            calls += 1;
        }
    }
    agent.send(Signal::SIGCONT);
    assert!(longest < Duration::from_secs(1), "one of {calls} calls took {longest:?}");
    println!("one of {calls} calls took at most {longest:?}");
    agent.error("the loss", |text| text.contains("audit") && text.contains("events lost"));
    assert!(agent.end(Signal::SIGTERM).status.success());
    turn.assert_clean();
}
