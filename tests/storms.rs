//! Storms of programs that end at once: each is told once, with what it was. Needs root, fanotify
//! and the proc connector, one of them docker.
//!
//! A program that was kept waiting for too long was let go unread: on a machine that stands still
//! for so long it happens, and the agent counts it, or tells that it stood still. So what must be is
//! that none is missing, none doubled, none wrong, and that no more are unknown than were counted.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use std::collections::HashMap;
use std::fs;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::Command;
use std::process::Stdio;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use nix::sys::signal::Signal;
use support::Need;
use support::docker::Docker;
use support::have;
use support::host::Agent;
use support::host::Sandbox;
use support::place::WEB_OPTIONS;
use support::place::address;
use support::place::metric;

const HOST: &[Need] = &[Need::Root, Need::Fanotify, Need::ProcConnector];
const CONTAINERS: &[Need] = &[Need::Root, Need::Fanotify, Need::ProcConnector, Need::Docker];

/// Programs of a storm.
const COUNT: usize = 10_000;

/// Who starts them: nobody, whom no other process here runs as.
const USER: u32 = 65_534;

/// A storm is enough for the machine.
static ALONE: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Two scripts, the one run by the other: `outer.sh AT-ONCE COUNT PROGRAM` has so many shells run
/// `storm.sh FROM TO PROGRAM`, each of which starts the program with each number.
struct Scripts {
    sandbox: Sandbox,
    outer: PathBuf,
    inner: PathBuf,
}

impl Scripts {
    fn new() -> Self {
        let sandbox = Sandbox::new();
        let outer = sandbox.dir.join("outer.sh");
        let inner = sandbox.dir.join("storm.sh");
        let loops = "for ((n = $1; n < $2; n++)); do $3 arg$n; done\n";
        fs::write(&inner, loops).unwrap();
        let shells = "each=$(($2 / $1))
for ((n = 0; n < $1; n++)); do
    \"$BASH\" INNER $((n * each)) $(((n + 1) * each)) \"$3\" &
done
wait
";
        fs::write(&outer, shells.replace("INNER", inner.to_str().unwrap())).unwrap();
        fs::create_dir(sandbox.dir.join("cwd")).unwrap();
        Self { sandbox, outer, inner }
    }

    /// An agent that tells of the programs, and where its metrics are.
    fn watch(&self) -> (Agent, String) {
        let rules = self.sandbox.dir.join("rules.yaml");
        let text = format!(
            "- rule: storm
  desc: d
  condition: evt.type = execve and proc.pcmdline contains {}
  output: >-
    storm [%proc.cmdline] p=[%proc.pcmdline] a=[%proc.aname[1] %proc.aname[2]] uid=%user.uid
    cwd=%proc.cwd in=%container.id
  priority: INFO
",
            self.inner.display()
        );
        fs::write(&rules, text).unwrap();
        let options: Vec<&str> = WEB_OPTIONS.iter().flat_map(|option| ["-o", *option]).collect();
        let rules = ["-r", rules.to_str().unwrap()];
        let agent = Agent::watch(&self.sandbox, &[&rules[..], &options].concat());
        let address = address(&agent);
        (agent, address)
    }

    /// Runs the storm by `command`, to which the outer script and its arguments are added.
    fn blow(&self, mut command: Command, at_once: usize, program: &str) {
        command.arg(&self.outer).args([&at_once.to_string(), &COUNT.to_string(), program]);
        let status = command.stdin(Stdio::null()).status().unwrap();
        assert!(status.success());
    }

    /// What is told of a program that was met: from its arguments on.
    fn tail(&self, at_once: usize, number: usize, program: &str, rest: &str) -> String {
        let each = COUNT / at_once;
        let from = number / each * each;
        let inner = self.inner.display();
        format!("p=[bash {inner} {from} {} {program}] a=[bash bash] {rest}", from + each)
    }

    /// Asserts that each program of the storm was told once, and with what it was.
    fn was_told(&self, mut agent: Agent, address: &str, tail: impl Fn(usize) -> String) {
        agent.mark(&self.sandbox);
        let unread: u64 = ["late", "dropped", "refused"]
            .iter()
            .map(|name| metric(address, &format!("eyas_rendezvous_{name}_total")))
            .sum();
        let lost = metric(address, "eyas_proc_connector_lost_total");
        assert_eq!(lost, 0, "records of the proc connector were lost");
        let ended = agent.end(Signal::SIGTERM);
        let mut told: HashMap<usize, usize> = HashMap::new();
        let (mut unknown, mut wrong) = (0, Vec::new());
        for line in ended.lines.iter().filter_map(|line| line.split_once(" storm [")) {
            let (program, rest) = line.1.split_once("] ").unwrap();
            match program.strip_prefix("true arg").map(|number| number.parse::<usize>().unwrap()) {
                Some(number) if rest == tail(number) => *told.entry(number).or_default() += 1,
                None if program == "<NA>" => unknown += 1,
                _ => wrong.push(line.1),
            }
        }
        let doubled = told.values().filter(|count| **count > 1).count();
        let told = told.len();
        assert!(wrong.is_empty(), "{} wrong: {:?}", wrong.len(), &wrong[..wrong.len().min(5)]);
        assert_eq!((told + unknown, doubled), (COUNT, 0), "{unknown} unknown");
        // The guardian lets all go, and counts nobody.
        let has_stood_still = ended.lines.iter().any(|line| line.contains("stood still"));
        let is_counted = u64::try_from(unknown).unwrap() <= unread;
        assert!(is_counted || has_stood_still, "{unknown} unknown, {unread} counted");
    }

    fn on_the_host(self, at_once: usize, program: &str) {
        let (agent, address) = self.watch();
        let cwd = self.sandbox.dir.join("cwd");
        let mut bash = Command::new("/bin/bash");
        bash.uid(USER).gid(USER).current_dir(&cwd);
        self.blow(bash, at_once, program);
        let rest = format!("uid={USER} cwd={}/ in=host", cwd.display());
        self.was_told(agent, &address, |number| self.tail(at_once, number, program, &rest));
    }

    /// The same with a program that needs no loader.
    fn of_static_programs(self, at_once: usize) {
        let program = self.sandbox.dir.join("true");
        support::make_static_program(&program);
        self.on_the_host(at_once, program.to_str().unwrap());
    }

    /// In a container of the image that all share.
    fn in_a_container(self, program: &str) {
        let docker = Docker::get();
        let mount = format!("{0}:{0}:ro", self.sandbox.dir.display());
        let container = docker.container(&["-v", &mount]);
        let (agent, address) = self.watch();
        let exec = container.exec(&["-u", "33", "-w", "/var/run"], &["/usr/bin/bash"]);
        self.blow(exec, 16, program);
        let rest = format!("uid=33 cwd=/var/run/ in={}", container.short_id());
        self.was_told(agent, &address, |number| self.tail(16, number, program, &rest));
    }
}

#[test]
fn each_of_10000_programs_one_after_the_other_is_told_once_with_what_it_was() {
    if have("each_of_10000_programs_one_after_the_other_is_told_once_with_what_it_was", HOST) {
        let _alone = alone();
        Scripts::new().on_the_host(1, "/bin/true");
    }
}

#[test]
fn each_of_10000_programs_16_at_once_is_told_once_with_what_it_was() {
    if have("each_of_10000_programs_16_at_once_is_told_once_with_what_it_was", HOST) {
        let _alone = alone();
        Scripts::new().on_the_host(16, "/bin/true");
    }
}

#[test]
fn each_of_10000_programs_in_a_container_is_told_once_with_what_it_was() {
    if !have("each_of_10000_programs_in_a_container_is_told_once_with_what_it_was", CONTAINERS) {
        return;
    }
    let _alone = alone();
    Scripts::new().in_a_container("/usr/bin/true");
}

#[test]
fn each_of_10000_static_programs_one_after_the_other_is_told_once_with_what_it_was() {
    let name = "each_of_10000_static_programs_one_after_the_other_is_told_once_with_what_it_was";
    if have(name, HOST) {
        let _alone = alone();
        Scripts::new().of_static_programs(1);
    }
}

#[test]
fn each_of_10000_static_programs_16_at_once_is_told_once_with_what_it_was() {
    if have("each_of_10000_static_programs_16_at_once_is_told_once_with_what_it_was", HOST) {
        let _alone = alone();
        Scripts::new().of_static_programs(16);
    }
}

#[test]
fn each_of_10000_static_programs_in_a_container_is_told_once_with_what_it_was() {
    let name = "each_of_10000_static_programs_in_a_container_is_told_once_with_what_it_was";
    if have(name, CONTAINERS) {
        let _alone = alone();
        // A link to busybox.
        Scripts::new().in_a_container("/bin/true");
    }
}
