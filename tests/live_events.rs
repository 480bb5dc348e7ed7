//! `eyas events live` on the real kernel: programs and files, by condition and format.
//!
//! Needs root, fanotify and the proc connector; skipped aloud where they are missing.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use support::Need;
use support::have;
use support::host::Agent;
use support::host::PATIENCE;

const HOST: &[Need] = &[Need::Root, Need::Fanotify, Need::ProcConnector];

/// Runs `cat FILE` until a line comes that `accept` takes: nobody says when the agent watches.
fn cat_until(agent: &mut Agent, file: &str, accept: impl Fn(&str) -> bool) -> String {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let read = Command::new("cat").arg(file).stdout(Stdio::null()).status().unwrap();
        assert!(read.success());
        if let Some(line) = agent.line_within(Duration::from_millis(200), &accept) {
            return line;
        }
        assert!(Instant::now() < deadline, "no event of {file}: {}", agent.errors());
    }
}

#[test]
fn opened_files_are_printed_as_they_are_opened() {
    if !have("opened_files_are_printed_as_they_are_opened", HOST) {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("watched");
    std::fs::write(&file, "x").unwrap();
    let file = file.to_str().unwrap();
    let condition = format!("evt.type = openat and fd.name = {file}");
    let format = "opened %fd.name by %proc.name";
    let mut agent = Agent::start(&["events", "live", "-f", &condition, "-o", format]);
    let expected = format!("opened {file} by cat");
    cat_until(&mut agent, file, |line| line == expected);
    let ended = agent.end(Signal::SIGINT);
    assert_eq!(ended.status.code(), Some(0), "{}", ended.errors);
    let others: Vec<_> = ended
        .lines
        .iter()
        .filter(|line| !line.starts_with(&format!("opened {file} by ")))
        .collect();
    assert!(others.is_empty(), "{others:?}");
}

#[test]
fn started_programs_are_printed_as_json() {
    if !have("started_programs_are_printed_as_json", HOST) {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("argument");
    std::fs::write(&file, "x").unwrap();
    let file = file.to_str().unwrap();
    let condition = "evt.type = execve and proc.name = cat";
    let format = "%proc.name %proc.args";
    let mut agent = Agent::start(&["events", "live", "--json", "-f", condition, "-o", format]);
    // A program that is over before it is looked at has no arguments.
    let line = cat_until(&mut agent, file, |line| line.contains("\"proc.name\":\"cat\""));
    let object: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(object["proc.name"], "cat", "{line}");
    assert!(object.get("proc.args").is_some(), "{line}");
    let ended = agent.end(Signal::SIGTERM);
    assert_eq!(ended.status.code(), Some(0), "{}", ended.errors);
}

#[test]
fn a_reader_that_has_enough_ends_it() {
    if !have("a_reader_that_has_enough_ends_it", HOST) {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("watched");
    std::fs::write(&file, "x").unwrap();
    let condition = format!("fd.name = {}", file.display());
    let mut child = Command::new(env!("CARGO_BIN_EXE_eyas"))
        .args(["events", "live", "-f", &condition, "-o", "%fd.name"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let deadline = Instant::now() + PATIENCE;
    while child.try_wait().unwrap().is_none() {
        if Instant::now() > deadline {
            child.kill().unwrap();
            panic!("it goes on for nobody");
        }
        Command::new("cat").arg(&file).stdout(Stdio::null()).status().unwrap();
        std::thread::sleep(Duration::from_millis(20));
    }
    let ended = child.wait_with_output().unwrap();
    let errors = String::from_utf8_lossy(&ended.stderr);
    assert_eq!((ended.status.code(), &*errors), (Some(0), ""));
}
