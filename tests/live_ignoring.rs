//! What no rule can match is not told, and that evades nothing: against the real kernel.
//!
//! Needs root and fanotify; skipped aloud where they are missing (`EYAS_REQUIRE` makes that a
//! failure).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::path::Path;
use std::process::Command;

use eyas::sources::FileWatch;
use eyas::sources::Wanted;
use nix::sys::signal::Signal;
use support::Need;
use support::have;
use support::host::Agent;
use support::host::Sandbox;
use support::ignored;
use support::ignored::Stage;

const FILES: &[Need] = &[Need::Root, Need::Fanotify];
const HOST: &[Need] = &[Need::Root, Need::Fanotify, Need::ProcConnector];

fn stage(test: &str) -> Option<Stage> {
    let wanted = Wanted { opens: true, closes: true, directories: false };
    have(test, FILES).then(|| Stage::new(FileWatch::start(wanted).unwrap()))
}

#[test]
fn what_is_moved_or_linked_to_where_rules_look_is_told() {
    let Some(mut stage) = stage("what_is_moved_or_linked_to_where_rules_look_is_told") else {
        return;
    };
    ignored::what_is_moved_or_linked_in_is_told(&mut stage);
}

#[test]
fn other_rules_are_told_of_what_was_ignored() {
    let Some(mut stage) = stage("other_rules_are_told_of_what_was_ignored") else { return };
    let path = stage.ignored("other/file");
    stage.look_at("");
    assert_eq!(stage.opens(&path), 1);
}

#[test]
fn what_a_new_mount_shows_where_rules_look_is_told() {
    let Some(mut stage) = stage("what_a_new_mount_shows_where_rules_look_is_told") else { return };
    stage.ignored("other/file");
    let place = stage.path("watched/bound");
    std::fs::create_dir(&place).unwrap();
    ignored::run("mount", &[Path::new("--bind"), &stage.path("other"), &place]);
    let told = stage.opens(&place.join("file"));
    let elsewhere = stage.opens(&stage.path("other/file"));
    ignored::run("umount", &[Path::new("-l"), &place]);
    assert_eq!(told, 1);
    assert_eq!(elsewhere, 1, "two paths lead to it, so it isn't ignored any more");
}

#[test]
fn a_file_of_two_names_is_never_ignored() {
    let Some(mut stage) = stage("a_file_of_two_names_is_never_ignored") else { return };
    let one = stage.file("watched/one");
    let other = stage.path("other/other");
    ignored::run("ln", &[&one, &other]);
    for _ in 0..3 {
        assert_eq!(stage.opens(&other), 1);
    }
    assert_eq!(stage.opens(&one), 1);
}

#[test]
fn the_agent_alerts_on_a_file_that_was_harmless_before_it_was_moved() {
    if !have("the_agent_alerts_on_a_file_that_was_harmless_before_it_was_moved", HOST) {
        return;
    }
    let sandbox = Sandbox::new();
    let watched = sandbox.dir.join("watched");
    std::fs::create_dir(&watched).unwrap();
    let rules = sandbox.dir.join("rules.yaml");
    let text = format!(
        "- rule: watched
  desc: d
  condition: >-
    evt.type in (open, openat) and evt.is_open_read=true and fd.typechar='f'
    and fd.name startswith {}/
  output: watched %fd.name by %proc.pid
  priority: INFO
",
        watched.display()
    );
    std::fs::write(&rules, text).unwrap();
    let mut agent = Agent::watch(&sandbox, &["-r", rules.to_str().unwrap()]);
    for (how, program) in [("moved", "mv"), ("linked", "ln")] {
        let harmless = sandbox.file(&format!("harmless-{how}"));
        for _ in 0..3 {
            ignored::run("cat", &[&harmless]);
            agent.mark(&sandbox);
        }
        let place = watched.join(how);
        ignored::run(program, &[&harmless, &place]);
        let mut pids = Vec::new();
        for _ in 0..3 {
            let mut cat = Command::new("cat").arg(&place).spawn().unwrap();
            pids.push(cat.id());
            cat.wait().unwrap();
        }
        // An open that was met is told when the kernel says that it succeeded, which may be in the
        // turn after a later event of another source.
        let end = |pid: &u32| format!("watched {} by {pid}", place.display());
        for pid in &pids {
            agent.line("the watched file", |line| line.ends_with(&end(pid)));
        }
        agent.mark(&sandbox);
        for pid in pids {
            let end = end(&pid);
            let count = agent.lines().iter().filter(|line| line.ends_with(&end)).count();
            assert_eq!(count, 1, "{how}: {:?}", agent.lines());
        }
    }
    assert!(agent.end(Signal::SIGTERM).status.success());
}
