//! A watched file by whatever way it is opened: told once, with its real path. Against the real
//! kernel, with the whole agent.
//!
//! Needs root, fanotify and the proc connector; skipped aloud where they are missing
//! (`EYAS_REQUIRE` makes that a failure).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::path::Path;
use std::process::Command;

use nix::sys::signal::Signal;
use support::Need;
use support::have;
use support::host::Agent;
use support::host::Sandbox;
use support::host::Staying;
use support::ignored;

const HOST: &[Need] = &[Need::Root, Need::Fanotify, Need::ProcConnector];

/// An agent whose one rule names one file.
fn watching(sandbox: &Sandbox, file: &Path) -> Agent {
    let rules = sandbox.dir.join("rules.yaml");
    let text = format!(
        "- rule: watched
  desc: d
  condition: evt.type = openat and evt.is_open_read = true and fd.name = {}
  output: watched %fd.name by %proc.pid.
  priority: INFO
",
        file.display()
    );
    std::fs::write(&rules, text).unwrap();
    Agent::watch(sandbox, &["-r", rules.to_str().unwrap()])
}

/// A process that opens `path` for reading, once, and holds it: how it was opened can be told of
/// its descriptor then, whoever else looks at that while it is closed.
fn opener(path: &str) -> Command {
    let mut shell = Command::new("sh");
    shell.args(["-c", "exec 3< \"$0\"; read -r x", path]);
    shell
}

/// Opens `path`, which is told by no name that is watched.
fn assert_untold(agent: &mut Agent, sandbox: &Sandbox, path: &Path) {
    let opener = Staying::start(&mut opener(path.to_str().unwrap()));
    let by = format!(" by {}.", opener.pid());
    opener.end();
    agent.mark(sandbox);
    assert!(!agent.lines().iter().any(|line| line.ends_with(&by)), "{:?}", agent.lines());
}

/// Runs `opener` and sees the file told once, as `real`.
fn assert_told_of(agent: &mut Agent, sandbox: &Sandbox, opener: &mut Command, real: &Path) {
    let opener = Staying::start(opener);
    let by = format!(" by {}.", opener.pid());
    let told = agent.line("the open", |line| line.contains("watched ") && line.ends_with(&by));
    assert!(told.ends_with(&format!("watched {}{by}", real.display())), "{told}");
    opener.end();
    agent.mark(sandbox);
    assert_eq!(agent.lines().iter().filter(|line| line.ends_with(&by)).count(), 1);
}

/// Opens `path` and sees the file told once, as `real`.
fn assert_told(agent: &mut Agent, sandbox: &Sandbox, path: &str, real: &Path) {
    assert_told_of(agent, sandbox, &mut opener(path), real);
}

#[test]
fn a_file_is_told_once_with_its_real_path_whatever_leads_to_it() {
    if !have("a_file_is_told_once_with_its_real_path_whatever_leads_to_it", HOST) {
        return;
    }
    let sandbox = Sandbox::new();
    let real = sandbox.file("secrets/key");
    let link = sandbox.dir.join("link");
    std::os::unix::fs::symlink(&real, &link).unwrap();
    let directory_link = sandbox.dir.join("directory-link");
    std::os::unix::fs::symlink(sandbox.dir.join("secrets"), &directory_link).unwrap();
    let mut agent = watching(&sandbox, &real);
    // Opened before anybody watches for it, and opened anew through the number of its descriptor.
    let held = std::fs::File::open(&real).unwrap();
    let number = std::os::fd::AsRawFd::as_raw_fd(&held);
    let own = std::process::id();
    for path in [
        real.display().to_string(),
        link.display().to_string(),
        directory_link.join("key").display().to_string(),
        format!("/proc/self/root{}", real.display()),
        format!("{}/../secrets/./key", sandbox.dir.join("secrets").display()),
        format!("/proc/{own}/fd/{number}"),
        format!("/proc/{own}/root{}", link.display()),
    ] {
        assert_told(&mut agent, &sandbox, &path, &real);
    }
    assert!(agent.end(Signal::SIGTERM).status.success());
}

#[test]
fn its_own_descriptor_opened_anew_is_told_once() {
    if !have("its_own_descriptor_opened_anew_is_told_once", HOST) {
        return;
    }
    let sandbox = Sandbox::new();
    let real = sandbox.file("secrets/key");
    let mut agent = watching(&sandbox, &real);
    // It has been handed the file and has not opened it: the kernel may merge two opens of one
    // process into one event.
    let held = std::fs::File::open(&real).unwrap();
    let mut opener = opener("/proc/self/fd/2");
    assert_told_of(&mut agent, &sandbox, opener.stderr(held), &real);
    assert!(agent.end(Signal::SIGTERM).status.success());
}

#[test]
fn a_renamed_file_is_told_by_the_name_that_it_has_when_it_is_opened() {
    if !have("a_renamed_file_is_told_by_the_name_that_it_has_when_it_is_opened", HOST) {
        return;
    }
    let sandbox = Sandbox::new();
    let before = sandbox.file("elsewhere/file");
    let real = sandbox.dir.join("secrets/key");
    std::fs::create_dir(sandbox.dir.join("secrets")).unwrap();
    let mut agent = watching(&sandbox, &real);
    assert_untold(&mut agent, &sandbox, &before);
    ignored::run("mv", &[&before, &real]);
    assert_told(&mut agent, &sandbox, real.to_str().unwrap(), &real);
    // The directory too: the file's path is another then, though nothing happened to the file.
    let aside = sandbox.dir.join("aside");
    ignored::run("mv", &[&sandbox.dir.join("secrets"), &aside]);
    assert_untold(&mut agent, &sandbox, &aside.join("key"));
    ignored::run("mv", &[&aside, &sandbox.dir.join("secrets")]);
    assert_told(&mut agent, &sandbox, real.to_str().unwrap(), &real);
    assert!(agent.end(Signal::SIGTERM).status.success());
}

/// A mount of a test; gone on drop.
struct Bound<'a>(&'a Path);

impl Drop for Bound<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0).status();
    }
}

#[test]
fn a_file_that_a_bind_mount_puts_at_a_watched_path_is_told_once() {
    if !have("a_file_that_a_bind_mount_puts_at_a_watched_path_is_told_once", HOST) {
        return;
    }
    let sandbox = Sandbox::new();
    let source = sandbox.file("elsewhere/key");
    let place = sandbox.dir.join("secrets");
    std::fs::create_dir(&place).unwrap();
    let real = place.join("key");
    let mut agent = watching(&sandbox, &real);
    assert_untold(&mut agent, &sandbox, &source);
    ignored::run("mount", &[Path::new("--bind"), source.parent().unwrap(), &place]);
    let bound = Bound(&place);
    // The new mount is marked in the turn after the one that may have been going on: two.
    agent.mark(&sandbox);
    agent.mark(&sandbox);
    assert_told(&mut agent, &sandbox, real.to_str().unwrap(), &real);
    let link = sandbox.dir.join("link");
    std::os::unix::fs::symlink(&real, &link).unwrap();
    assert_told(&mut agent, &sandbox, link.to_str().unwrap(), &real);
    drop(bound);
    assert!(agent.end(Signal::SIGTERM).status.success());
}

#[test]
fn a_hard_link_that_leads_to_a_watched_path_is_told_by_the_name_that_was_opened() {
    if !have("a_hard_link_that_leads_to_a_watched_path_is_told_by_the_name_that_was_opened", HOST) {
        return;
    }
    let sandbox = Sandbox::new();
    let other = sandbox.file("elsewhere/file");
    let real = sandbox.dir.join("secrets/key");
    std::fs::create_dir(sandbox.dir.join("secrets")).unwrap();
    let mut agent = watching(&sandbox, &real);
    assert_untold(&mut agent, &sandbox, &other);
    ignored::run("ln", &[&other, &real]);
    assert_told(&mut agent, &sandbox, real.to_str().unwrap(), &real);
    assert!(agent.end(Signal::SIGTERM).status.success());
}
