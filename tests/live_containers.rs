//! Containers come and go, and the agent stays as it was: against the real kernel and docker.
//!
//! Skipped aloud where root, fanotify, the proc connector or docker are missing (`EYAS_REQUIRE`
//! makes that a failure).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use std::fs;
use std::process::Command;
use std::process::Stdio;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use nix::sys::signal::Signal;
use support::Need;
use support::docker::Docker;
use support::have;
use support::host::Agent;
use support::host::PATIENCE;
use support::host::Sandbox;
use support::host::read;
use support::place::WEB_OPTIONS;
use support::place::address;
use support::place::metric;

const CONTAINERS: &[Need] = &[Need::Root, Need::Fanotify, Need::ProcConnector, Need::Docker];

/// Started and ended, and how many of them at once.
const COUNT: usize = 200;
const AT_ONCE: usize = 8;

/// So many other processes and threads may come to this host meanwhile.
const OTHERS: u64 = 100;

/// And so many containers, or what looks like one.
const OTHER_CONTAINERS: u64 = 10;

/// What an agent holds.
#[derive(Clone, Copy, Debug)]
struct Held {
    descriptors: usize,
    /// Marks of mounts and files, those aside that ask for silence.
    marks: usize,
    namespaces: u64,
    roots: u64,
    /// Entries of the process table, those aside that stay for some seconds.
    processes: u64,
    containers: u64,
    resident_kib: u64,
}

impl Held {
    fn by(agent: &Agent, address: &str) -> Self {
        let directory = format!("/proc/{}", agent.pid());
        let (mut descriptors, mut marks) = (0, 0);
        for task in fs::read_dir(format!("{directory}/task")).unwrap() {
            let task = task.unwrap().path();
            // Of those threads whose descriptors are not the main one's.
            let name = fs::read(task.join("comm")).unwrap_or_default();
            if name != b"answerer\n" && !task.ends_with(agent.pid().to_string()) {
                continue;
            }
            for entry in fs::read_dir(task.join("fdinfo")).into_iter().flatten() {
                descriptors += 1;
                let text = fs::read(entry.unwrap().path()).unwrap_or_default();
                let text = String::from_utf8_lossy(&text).into_owned();
                let is_mark = |line: &&str| {
                    line.starts_with("fanotify ") && line.contains("mask:") && !is_silence(line)
                };
                marks += text.lines().filter(is_mark).count();
            }
        }
        let status = read(format!("{directory}/status"));
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        Self {
            descriptors,
            marks,
            namespaces: metric(address, "eyas_fanotify_namespaces"),
            roots: metric(address, "eyas_rendezvous_roots"),
            processes: metric(address, "eyas_enrich_processes"),
            containers: metric(address, "eyas_enrich_containers"),
            resident_kib: resident.split_whitespace().next().unwrap().parse().unwrap(),
        }
    }
}

/// Whether a line of `fdinfo` is of a mark that asks for silence alone.
fn is_silence(line: &str) -> bool {
    line.split_whitespace().any(|word| word == "mask:0")
}

/// Runs that many containers to their end.
fn run(docker: &Docker, count: usize) {
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                for _ in 0..count / AT_ONCE {
                    let mut command = Command::new("docker");
                    command.args(["run", "--rm", "--network", "none", docker.image()]);
                    command.args(["/usr/bin/bash", "-c", "/usr/bin/true; /bin/true"]);
                    let ended = command.stdin(Stdio::null()).output().unwrap();
                    let told = String::from_utf8_lossy(&ended.stderr);
                    assert!(ended.status.success(), "{told}");
                }
            });
        }
    });
}

#[test]
fn two_hundred_containers_leave_nothing_behind() {
    if !have("two_hundred_containers_leave_nothing_behind", CONTAINERS) {
        return;
    }
    let sandbox = Sandbox::new();
    let docker = Docker::get();
    let rules = sandbox.dir.join("rules.yaml");
    let text = "- rule: in a container
  desc: d
  condition: evt.type in (execve, openat) and container.id != host and proc.name = true
  output: in %container.id %evt.type
  priority: INFO
";
    fs::write(&rules, text).unwrap();
    let options: Vec<&str> = WEB_OPTIONS.iter().flat_map(|option| ["-o", *option]).collect();
    let mut agent =
        Agent::watch(&sandbox, &[&["-r", rules.to_str().unwrap()], &options[..]].concat());
    let address = address(&agent);
    let namespaces = metric(&address, "eyas_fanotify_namespaces");
    let containers = metric(&address, "eyas_enrich_containers");
    // What is held for all containers is held from the first ones on.
    run(&docker, 3 * AT_ONCE);
    agent.mark(&sandbox);
    let settled = |before: Option<Held>| {
        let deadline = Instant::now() + 4 * PATIENCE;
        loop {
            let held = Held::by(&agent, &address);
            let is_as_before = before.is_none_or(|before| {
                held.descriptors <= before.descriptors
                    && held.marks <= before.marks
                    && held.processes <= before.processes + OTHERS
            });
            let are_forgotten = held.namespaces <= namespaces
                && held.roots <= 1 + namespaces
                && held.containers <= containers + OTHER_CONTAINERS;
            if are_forgotten && is_as_before {
                return held;
            }
            assert!(Instant::now() < deadline, "before {before:?}, now {held:?}");
            thread::sleep(Duration::from_millis(200));
        }
    };
    let before = settled(None);
    run(&docker, COUNT);
    let after = settled(Some(before));
    assert!(after.resident_kib <= before.resident_kib + 6144, "{before:?}, {after:?}");
    agent.mark(&sandbox);
    let ended = agent.end(Signal::SIGTERM);
    let execs = ended.lines.iter().filter(|line| line.ends_with(" execve")).count();
    assert!(execs > 0, "nothing was told of containers");
}
