//! Beside a real auditd: it starts, ends and starts again, its dispatcher runs our plugin, it wants
//! our seat and takes it. Each auditd has a configuration of its own, and is ended by its test.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that is wrong may panic")]
#![allow(clippy::expect_used, clippy::panic, reason = "a test that is wrong may panic")]

mod support;

use std::fs;
use std::path::Path;
use std::time::Duration;
use std::time::Instant;

use eyas::decode::audit::control::Change;
use eyas::sources::audit::AuditSource;
use eyas::sources::audit::Control;
use eyas::sources::audit::Look;
use eyas::sources::audit::remove_rules;
use nix::sys::signal::Signal;
use support::Need;
use support::have;
use support::host::Agent;
use support::host::PATIENCE;
use support::seat::Home;
use support::seat::Turn;
use support::seat::own_rules;
use support::seat::status;

/// What everybody here needs.
const NEEDS: &[Need] = &[Need::Root, Need::Audit, Need::Auditd, Need::ProcConnector];

/// Starts the agent with a rule for new directories, in a place of its own; waits until it is in.
fn agent(dir: &Path, options: &[&str]) -> Agent {
    let rules = dir.join("rules.yaml");
    let text = format!(
        "- rule: made\n  desc: d\n  condition: evt.type = mkdir and evt.arg.path startswith '{}'\n  \
         output: 'MADE %evt.arg.path by %proc.name'\n  priority: INFO\n",
        dir.to_str().unwrap()
    );
    fs::write(&rules, text).unwrap();
    let mut arguments = vec!["-r", rules.to_str().unwrap()];
    arguments.extend(["-o", "log_stderr=true", "-o", "log_syslog=false", "-o", "log_level=debug"]);
    arguments.extend(options.iter().flat_map(|option| ["-o", option]));
    let agent = Agent::start(&arguments);
    agent.error("the start", |text| text.contains("ready after"));
    agent
}

/// Makes directories until one is told of.
fn assert_told(agent: &mut Agent, dir: &Path, name: &str) {
    let deadline = Instant::now() + PATIENCE;
    for number in 0.. {
        let path = dir.join(format!("{name}-{number}"));
        fs::create_dir(&path).unwrap();
        let path = format!("MADE {} ", path.to_str().unwrap());
        if agent.line_within(Duration::from_secs(2), |line| line.contains(&path)).is_some() {
            return;
        }
        assert!(Instant::now() < deadline, "{name} isn't told: {}", agent.errors());
    }
}

/// Waits until something is true of the audit.
fn await_audit(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "{what}: {:?}", status());
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn beside_auditd_the_agent_listens_whether_it_runs_or_not() {
    if !have("beside_auditd_the_agent_listens_whether_it_runs_or_not", NEEDS) {
        return;
    }
    let turn = Turn::take();
    let (home, dir) = (Home::new(), tempfile::tempdir().unwrap());
    let auditd = home.start();
    let options = ["eyas.audit.seat=auto", "eyas.audit.beside_auditd=true"];
    let mut agent = agent(dir.path(), &options);
    assert!(own_rules() > 0);
    assert_told(&mut agent, dir.path(), "beside");
    // As its service does, which loads its own rules: all that are there go first.
    remove_rules(&mut Control::open().unwrap()).unwrap();
    agent.error("the report", |text| text.contains("somebody deleted"));
    assert_told(&mut agent, dir.path(), "again");
    drop(auditd);
    agent.error("the report", |text| text.contains("nobody holds the audit's seat"));
    assert_told(&mut agent, dir.path(), "alone");
    let auditd = home.start();
    agent.error("the report", |text| text.contains("auditd runs again"));
    assert_told(&mut agent, dir.path(), "beside-again");
    // What auditd's service does when it is stopped.
    Control::open().unwrap().change(Change::Enabled(0)).unwrap();
    agent.error("the report", |text| text.contains("has switched the audit off"));
    Control::open().unwrap().change(Change::Enabled(1)).unwrap();
    agent.error("the report", |text| text.contains("the audit is on again"));
    assert_told(&mut agent, dir.path(), "on-again");
    assert!(agent.end(Signal::SIGTERM).status.success());
    await_audit("rules are left", || own_rules() == 0);
    assert_eq!(status().pid, auditd.pid());
    drop((auditd, turn));
}

#[test]
fn beside_auditd_no_rule_is_put_in_without_leave_and_the_reason_is_told() {
    if !have("beside_auditd_no_rule_is_put_in_without_leave_and_the_reason_is_told", NEEDS) {
        return;
    }
    let turn = Turn::take();
    let (home, dir) = (Home::new(), tempfile::tempdir().unwrap());
    let auditd = home.start();
    let agent = agent(dir.path(), &[]);
    agent.error("the reason", |text| text.contains("eyas.audit.beside_auditd: true"));
    assert_eq!(own_rules(), 0);
    assert!(agent.end(Signal::SIGTERM).status.success());
    assert_eq!(status().pid, auditd.pid());
    drop((auditd, turn));
}

#[test]
fn the_plugin_passes_on_what_the_real_dispatcher_gives_it() {
    if !have("the_plugin_passes_on_what_the_real_dispatcher_gives_it", NEEDS) {
        return;
    }
    let turn = Turn::take();
    let (home, dir) = (Home::new(), tempfile::tempdir().unwrap());
    let socket = format!("eyas.audit.socket={}", home.socket().to_str().unwrap());
    let options = ["eyas.audit.seat=plugin", "eyas.audit.beside_auditd=true", &socket];
    let mut agent = agent(dir.path(), &options);
    agent.error("that nobody is there", |text| text.contains("auditd doesn't run"));
    let auditd = home.start();
    agent.error("the report", |text| text.contains("auditd runs again"));
    assert_told(&mut agent, dir.path(), "by-plugin");
    // It reads its configuration again, and sends the signal on to its plugins.
    auditd.send(Signal::SIGHUP);
    assert_told(&mut agent, dir.path(), "after-reload");
    drop(auditd);
    let is_told_twice = |text: &str| text.matches("auditd doesn't run").count() == 2;
    agent.error("the report", is_told_twice);
    let auditd = home.start();
    assert_told(&mut agent, dir.path(), "after-restart");
    // An agent that starts anew finds the plugin as it runs.
    assert!(agent.end(Signal::SIGTERM).status.success());
    await_audit("rules are left", || own_rules() == 0);
    let mut agent = self::agent(dir.path(), &options);
    assert_told(&mut agent, dir.path(), "after-our-restart");
    assert!(agent.end(Signal::SIGTERM).status.success());
    drop((auditd, turn));
}

#[test]
fn auditd_that_cannot_have_our_seat_is_told_of_and_does_no_harm() {
    if !have("auditd_that_cannot_have_our_seat_is_told_of_and_does_no_harm", NEEDS) {
        return;
    }
    let turn = Turn::take();
    let (home, dir) = (Home::new(), tempfile::tempdir().unwrap());
    let mut agent = agent(dir.path(), &["eyas.audit.seat=unicast"]);
    let mut auditd = home.try_start();
    assert!(!auditd.wait(), "it runs without the seat");
    agent.error("the report", |text| text.contains("asked for the audit's seat"));
    assert_told(&mut agent, dir.path(), "still");
    assert!(agent.end(Signal::SIGTERM).status.success());
    turn.assert_clean();
}

/// Waits for a look that says something.
fn next_look(source: &mut AuditSource, is_it: impl Fn(&Look) -> bool) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if source.look_after(Instant::now()).is_some_and(|look| is_it(&look)) {
            return;
        }
        assert!(Instant::now() < deadline, "nothing is noticed: {:?}", status());
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_seat_that_was_taken_is_had_again_or_left_to_auditd() {
    if !have("a_seat_that_was_taken_is_had_again_or_left_to_auditd", NEEDS) {
        return;
    }
    let turn = Turn::take();
    let home = Home::new();
    let mut source = AuditSource::unicast(8192).unwrap();
    let own = std::process::id();
    assert_eq!(status().pid, own);
    // On old kernels anybody may do that, on this one the holder's own process only.
    let leave = || Control::open().unwrap().change(Change::Pid(0)).unwrap();
    leave();
    assert_eq!(status().pid, 0);
    next_look(&mut source, |look| look.is_reseated);
    assert_eq!(status().pid, own);
    leave();
    let auditd = home.start();
    next_look(&mut source, |look| look.is_seat_lost);
    drop(source);
    // What was off before us is the other's now.
    assert_eq!((status().pid, status().enabled), (auditd.pid(), 1));
    drop((auditd, turn));
}

#[test]
fn a_seat_that_auditd_held_at_our_start_is_taken_when_it_is_free() {
    if !have("a_seat_that_auditd_held_at_our_start_is_taken_when_it_is_free", NEEDS) {
        return;
    }
    let turn = Turn::take();
    let (home, dir) = (Home::new(), tempfile::tempdir().unwrap());
    let auditd = home.start();
    let mut agent = agent(dir.path(), &["eyas.audit.seat=unicast"]);
    agent.error("the reason", |text| text.contains("holds the audit's seat"));
    assert_eq!((status().pid, own_rules()), (auditd.pid(), 0));
    drop(auditd);
    agent.error("the report", |text| text.contains("system calls are told again"));
    assert_told(&mut agent, dir.path(), "later");
    assert!(agent.end(Signal::SIGTERM).status.success());
    // auditd has switched the audit on, and it was on when we took the seat.
    await_audit("rules are left", || own_rules() == 0);
    assert_eq!(status().enabled, 1);
    drop(turn);
}
