//! Every system call that Falco's rules ask for, done for real, and what each source tells of it
//! compared with the truth.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that is wrong may panic")]

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use std::process::Stdio;

use support::Need;
use support::have;
use support::host::Sandbox;
use support::must_fire;
use support::must_fire::Sees;

/// The test whose process is the player, too.
const PLAYS: &str = "traced_calls_are_told_as_they_were";

/// Traces the player; `wrap` is put in front of the command.
fn check_traced(dir: &Path, wrap: &[&str]) {
    fs::write(dir.join("rules.yaml"), must_fire::rules(dir)).unwrap();
    let eyas = dir.join("eyas");
    fs::copy(env!("CARGO_BIN_EXE_eyas"), &eyas).unwrap();
    let player = must_fire::player(dir);
    let mut words: Vec<&std::ffi::OsStr> = wrap.iter().map(std::ffi::OsStr::new).collect();
    words.push(eyas.as_os_str());
    let output = Command::new(words[0])
        .args(&words[1..])
        .args(["trace", "-o", "log_level=error", "-o", "json_output=true", "-r", "rules.yaml"])
        .arg("--")
        .arg(player)
        .args(["--exact", PLAYS, "--nocapture"])
        .env(must_fire::DIRECTORY, dir)
        .current_dir(dir)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let alerts = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}\n{alerts}", String::from_utf8_lossy(&output.stdout));
    let truths = must_fire::truths(dir);
    let wrong = must_fire::wrong(&truths, &alerts, Sees::Everything);
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), truths.len(), wrong.join("\n"));
}

#[test]
fn traced_calls_are_told_as_they_were() {
    if must_fire::played() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    check_traced(dir.path(), &[]);
}

#[test]
fn without_root_too() {
    if !have("without_root_too", &[Need::Root]) {
        return;
    }
    // Its processes are the host's, wherever the tests run.
    let _host = Sandbox::new();
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o777)).unwrap();
    check_traced(dir.path(), &["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]);
}
