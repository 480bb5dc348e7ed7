//! A capture from a pipe that doesn't end: counts are written as time goes by, and a signal ends it
//! with what was found until then.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs, reason = "tests")]

#[path = "support/capture.rs"]
#[allow(dead_code, reason = "shared with the bench")]
mod capture;

use std::fs;
use std::io::Write as _;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use capture::Capture;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

const RULES: &str = "- {rule: exec, desc: d, condition: evt.type = execve, output: \"%proc.name\", priority: INFO}\n";

fn start(arguments: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_eyas"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// What stands in a file; nothing if there is none.
fn read(path: &str) -> String {
    String::from_utf8(fs::read(path).unwrap_or_default()).unwrap()
}

#[test]
fn counts_are_appended_to_a_file_and_a_signal_ends_a_pipe_with_the_statistics() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    fs::write(path("rules.yaml"), RULES).unwrap();
    let (rules, counts, out) = (path("rules.yaml"), path("counts"), path("alerts"));
    let output = format!("file_output.filename={out}");
    let mut child = start(&[
        "-r",
        &rules,
        "-e",
        "-",
        "-s",
        &counts,
        "--stats-interval",
        "1",
        "-o",
        "stdout_output.enabled=false",
        "-o",
        "file_output.enabled=true",
        "-o",
        &output,
    ]);
    let mut pipe = child.stdin.take().unwrap();
    let bytes = Capture::everyday(50).bytes;
    let deadline = Instant::now() + Duration::from_secs(60);
    let has_lines = || read(&counts).lines().count() >= 2;
    while !has_lines() {
        assert!(Instant::now() < deadline, "no counts came");
        pipe.write_all(&bytes).unwrap();
    }
    kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGINT).unwrap();
    // The pipe stays open until it has ended.
    let ended = child.wait_with_output().unwrap();
    drop(pipe);
    let errors = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(0), "{errors}");
    assert!(errors.contains("SIGINT received, exiting..."), "{errors}");
    let found = String::from_utf8_lossy(&ended.stdout);
    let detected = found.lines().next().unwrap().strip_prefix("Events detected: ").unwrap();
    assert_eq!(detected, read(&out).lines().count().to_string());
    let text = read(&counts);
    let first = text.lines().next().unwrap();
    assert!(first.starts_with("{\"sample\": 1, \"cur\": {\"events\": "), "{first}");
    assert!(first.ends_with("\"preemptions\": 0}, \"drop_pct\": 0},"), "{first}");
}

#[test]
fn an_interval_that_is_none_and_a_file_that_cannot_be_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let rules = directory.path().join("rules.yaml");
    fs::write(&rules, RULES).unwrap();
    let rules = rules.to_str().unwrap();
    for (arguments, expected) in [
        (["-s", "/dev/null", "--stats-interval", "often"], "--stats-interval often: expected"),
        (
            ["-s", "/nowhere/at/all", "--stats-interval", "9"],
            "cannot open the statistics file (-s): /nowhere/at/all: No such file or directory",
        ),
    ] {
        let mut all = vec!["-r", rules, "-e", "-"];
        all.extend(arguments);
        let ended = start(&all).wait_with_output().unwrap();
        let errors = String::from_utf8_lossy(&ended.stderr);
        assert_eq!(ended.status.code(), Some(1), "{errors}");
        assert!(errors.contains(expected), "{errors}");
    }
}
