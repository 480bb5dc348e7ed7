//! Opens of what rules name are told once each, exactly. Against the real kernel, with the whole
//! agent.
//!
//! Needs root, fanotify and the proc connector; skipped aloud where they are missing
//! (`EYAS_REQUIRE` makes that a failure).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use std::collections::BTreeSet;
use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

use nix::sys::signal::Signal;
use support::Need;
use support::have;
use support::host::Agent;
use support::host::Sandbox;

const HOST: &[Need] = &[Need::Root, Need::Fanotify, Need::ProcConnector];

/// Of the opens that many may have been let go unseen, on a machine that stands still for so long.
const SEEN_PERCENT: usize = 95;

fn opens(sandbox: &Sandbox) -> PathBuf {
    let program = sandbox.dir.join("opens");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/opens.c");
    let mut compiler = Command::new("cc");
    compiler.args(["-O1", "-pthread", "-o"]).arg(&program).arg(source);
    assert!(compiler.status().unwrap().success());
    program
}

/// An agent with one rule about opens.
fn watching(sandbox: &Sandbox, place: &str) -> Agent {
    let rules = sandbox.dir.join("rules.yaml");
    let text = format!(
        "- rule: opened
  desc: d
  condition: evt.type in (open, openat, openat2, creat) and {place}
  output: opened %fd.name type=%evt.type flags=%evt.arg.flags read=%evt.is_open_read write=%evt.is_open_write create=%evt.is_open_create tid=%thread.tid name=%proc.name end
  priority: INFO
"
    );
    fs::write(&rules, text).unwrap();
    Agent::watch(sandbox, &["-r", rules.to_str().unwrap()])
}

/// One alert.
#[derive(Debug, Eq, PartialEq)]
struct Told {
    ty: String,
    flags: BTreeSet<String>,
    read: String,
    write: String,
    create: String,
    tid: String,
    name: String,
}

fn told(line: &str) -> Option<(String, Told)> {
    let (_, rest) = line.split_once("opened /")?;
    let mut words = rest.split(' ');
    let path = format!("/{}", words.next()?);
    let mut value = || words.next()?.split_once('=').map(|(_, value)| value.to_owned());
    let ty = value()?;
    let flags = value()?.split('|').map(str::to_owned).collect();
    let told = Told {
        ty,
        flags,
        read: value()?,
        write: value()?,
        create: value()?,
        tid: value()?,
        name: value()?,
    };
    Some((path, told))
}

/// Falco's names of the kernel's flags, independent of what the agent has for that.
fn names_of(flags: i32, is_created: bool) -> BTreeSet<String> {
    let table = [
        (libc::O_CREAT, "O_CREAT"),
        (libc::O_TRUNC, "O_TRUNC"),
        (libc::O_APPEND, "O_APPEND"),
        (libc::O_EXCL, "O_EXCL"),
        (libc::O_CLOEXEC, "O_CLOEXEC"),
        (libc::O_DIRECTORY, "O_DIRECTORY"),
        (libc::O_NONBLOCK, "O_NONBLOCK"),
        (libc::O_DSYNC, "O_DSYNC"),
        (libc::O_SYNC, "O_SYNC"),
    ];
    let mut names: BTreeSet<String> = table
        .iter()
        .filter(|(bit, _)| flags & bit == *bit)
        .map(|(_, name)| (*name).to_owned())
        .collect();
    let access = match flags & libc::O_ACCMODE {
        0 => "O_RDONLY",
        1 => "O_WRONLY",
        _ => "O_RDWR",
    };
    names.insert(access.to_owned());
    if is_created {
        names.insert("O_F_CREATED".to_owned());
    }
    names
}

/// What the alert about an open of the program has to say.
fn expected(line: &str) -> (String, Told) {
    let words: Vec<&str> = line.split(' ').collect();
    let flags: i32 = words[3].parse().unwrap();
    let is_created = words[4] == "1";
    // Falco's creat has no flags.
    let is_creat = words[2] == "creat";
    let access = flags & libc::O_ACCMODE;
    let yes = |truth: bool| truth.to_string();
    let told = Told {
        ty: words[2].to_owned(),
        flags: if is_creat {
            BTreeSet::from(["<NA>".to_owned()])
        } else {
            names_of(flags, is_created)
        },
        read: yes(!is_creat && access != libc::O_WRONLY),
        write: yes(!is_creat && access != libc::O_RDONLY),
        create: yes(!is_creat && is_created),
        tid: words[1].to_owned(),
        name: "opens".to_owned(),
    };
    (words[0].to_owned(), told)
}

fn run(program: &Path, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn every_combination_of_call_and_flags_is_told_once_and_exactly() {
    if !have("every_combination_of_call_and_flags_is_told_once_and_exactly", HOST) {
        return;
    }
    let sandbox = Sandbox::new();
    let program = opens(&sandbox);
    let place = sandbox.dir.join("place");
    fs::create_dir(&place).unwrap();
    let mut agent = watching(&sandbox, &format!("fd.directory = {}", place.display()));
    let lines = run(&program, &["all", place.to_str().unwrap(), "10000", "5"]);
    agent.mark(&sandbox);
    let ended = agent.end(Signal::SIGTERM);

    let mut alerts: HashMap<String, Vec<Told>> = HashMap::new();
    for (path, told) in ended.lines.iter().filter_map(|line| told(line)) {
        alerts.entry(path).or_default().push(told);
    }
    let (mut opened, mut exact) = (0, 0);
    let mut wrong = Vec::new();
    for (number, wanted) in lines.lines().map(expected) {
        let path = format!("{}/f{number}", place.display());
        let found = alerts.remove(&path).unwrap_or_default();
        assert_eq!(found.len(), 1, "{path}: wanted {wanted:?}, found {found:?}");
        opened += 1;
        if found[0] == wanted {
            exact += 1;
        } else {
            wrong.push(format!("{path}: wanted {wanted:?}, found {:?}", found[0]));
        }
    }
    assert!(opened > 4000, "{opened} opens");
    wrong.truncate(5);
    assert!(exact * 100 >= opened * SEEN_PERCENT, "{exact} of {opened}: {}", wrong.join("\n"));
    // What failed, or gave a path alone, is not told.
    assert!(alerts.is_empty(), "{alerts:?}");
    println!("{exact} of {opened} opens are exact");
}

#[test]
fn opens_of_one_process_for_appending_and_reading_do_not_become_one() {
    if !have("opens_of_one_process_for_appending_and_reading_do_not_become_one", HOST) {
        return;
    }
    const COUNT: usize = 2000;
    let sandbox = Sandbox::new();
    let program = opens(&sandbox);
    let file = sandbox.file("place/file");
    let mut agent = watching(&sandbox, &format!("fd.name = {}", file.display()));
    run(&program, &["turns", file.to_str().unwrap(), &COUNT.to_string()]);
    agent.mark(&sandbox);
    let ended = agent.end(Signal::SIGTERM);
    let alerts: Vec<Told> =
        ended.lines.iter().filter_map(|line| told(line)).map(|(_, told)| told).collect();
    assert_eq!(alerts.len(), COUNT);
    let reads = alerts.iter().filter(|told| told.flags.contains("O_RDONLY")).count();
    let appends = alerts.iter().filter(|told| told.flags.contains("O_APPEND")).count();
    println!("{reads} reads, {appends} appends of {COUNT}");
    assert!((reads + appends) * 100 >= COUNT * SEEN_PERCENT, "{reads}, {appends}");
}

#[test]
fn a_short_open_for_reading_is_never_missed() {
    if !have("a_short_open_for_reading_is_never_missed", HOST) {
        return;
    }
    const COUNT: usize = 1000;
    let sandbox = Sandbox::new();
    let program = opens(&sandbox);
    let file = sandbox.file("place/file");
    let place = format!("fd.name = {} and evt.is_open_read = true", file.display());
    let mut agent = watching(&sandbox, &place);
    run(&program, &["short", file.to_str().unwrap(), &COUNT.to_string()]);
    agent.mark(&sandbox);
    let ended = agent.end(Signal::SIGTERM);
    assert_eq!(ended.lines.iter().filter_map(|line| told(line)).count(), COUNT);
}
