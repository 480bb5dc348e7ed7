//! What the kernel had no room for while the agent stood still: told with its cause, acted on as
//! `syscall_event_drops` says, and what is known of processes is true again afterwards. The whole
//! agent against the real kernel.
//!
//! Needs root, fanotify and the proc connector; skipped aloud where they are missing
//! (`EYAS_REQUIRE` makes that a failure).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::thread;
use std::time::Instant;

use eyas::sys::clock;
use nix::sys::signal::Signal;
use support::Need;
use support::have;
use support::host::Agent;
use support::host::PATIENCE;
use support::host::await_that;
use support::host::read;
use support::place::Place;
use support::place::WEB;
use support::place::address;
use support::place::metric;
use support::place::put;

const HOST: &[Need] = &[Need::Root, Need::Fanotify, Need::ProcConnector];

/// Whatever is lost, at any share, is acted on by these and as often as it happens.
fn acting(actions: &str) -> String {
    format!(
        "json_output: true\nlog_level: info\nsyscall_event_drops: {{threshold: 0, actions: \
         [{actions}], rate: 100, max_burst: 100}}\n{WEB}"
    )
}

/// Each storm is for one agent.
static ALONE: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Has the agent stand still.
fn stop(agent: &Agent) {
    agent.send(Signal::SIGSTOP);
    let stat = format!("/proc/{}/stat", agent.pid());
    await_that("the agent stands still", || read(&stat).contains(") T "));
}

/// Opens more files than the kernel keeps events for. They are distinct, or the events would merge.
fn open_more_than_is_queued() {
    let max = fs::read("/proc/sys/fs/fanotify/max_queued_events");
    let max =
        max.map_or(16_384, |text| String::from_utf8_lossy(&text).trim().parse::<usize>().unwrap());
    // In memory: on a busy disk it takes half a minute.
    let many = tempfile::tempdir_in("/dev/shm").unwrap();
    let script = format!("for ((n = 0; n < {}; n++)); do : > $n; done", max + 1000);
    let status = Command::new("bash").args(["-c", &script]).current_dir(many.path()).status();
    assert!(status.unwrap().success());
}

/// What an alert about a loss of that cause says.
fn drop_alert(agent: &mut Agent, cause: &str) -> serde_json::Map<String, serde_json::Value> {
    let is_it = |line: &str| line.contains("syscall event drop") && line.contains(cause);
    let line = agent.line("the loss", is_it);
    let alert: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(alert["rule"], "Falco internal: syscall event drop");
    assert_eq!(alert["source"], "internal");
    let fields = alert["output_fields"].as_object().unwrap().clone();
    let message = format!(
        "{}. {} system calls dropped",
        "Falco internal: syscall event drop",
        number(&fields, "n_drops")
    );
    assert!(alert["output"].as_str().unwrap().contains(&message), "{line}");
    fields
}

fn number(fields: &serde_json::Map<String, serde_json::Value>, name: &str) -> u64 {
    fields[name].as_str().unwrap().parse().unwrap()
}

#[test]
fn a_queue_that_overflowed_is_told_and_the_watch_goes_on() {
    if !have("a_queue_that_overflowed_is_told_and_the_watch_goes_on", HOST) {
        return;
    }
    let _alone = alone();
    const CAUSE: &str = "fanotify: kernel event queue full";
    let place = Place::new(&acting("log, alert"));
    let mut agent = place.start();
    let address = address(&agent);
    stop(&agent);
    open_more_than_is_queued();
    let went_on_ns = clock::realtime_ns();
    agent.send(Signal::SIGCONT);

    let fields = drop_alert(&mut agent, CAUSE);
    assert!(number(&fields, "n_drops") >= 1);
    assert_eq!(fields["eyas_count_known"], "false", "the kernel doesn't say how many");
    assert!(number(&fields, "eyas_since_ns") < went_on_ns);
    assert!(number(&fields, "eyas_until_ns") >= went_on_ns);
    agent.error("the loss in the log", |log| {
        log.contains("an unknown number of events lost: kernel event queue full")
    });
    assert!(metric(&address, "eyas_fanotify_losses_total") >= 1);
    assert!(metric(&address, "eyas_sources_drops_total") >= 1);
    await_that("/proc was read anew", || metric(&address, "eyas_enrich_resyncs_total") >= 1);
    place.open("after-the-loss");
    agent.line("the watch goes on", |line| line.contains("after-the-loss"));
    assert!(agent.end(Signal::SIGTERM).status.success());
}

#[test]
fn an_agent_that_is_to_end_on_a_loss_ends() {
    if !have("an_agent_that_is_to_end_on_a_loss_ends", HOST) {
        return;
    }
    let _alone = alone();
    let place = Place::new(&acting("exit"));
    let agent = place.start();
    stop(&agent);
    open_more_than_is_queued();
    agent.send(Signal::SIGCONT);
    let ended = agent.ended();
    assert!(!ended.status.success(), "{}", ended.errors);
    let told = ["syscall event drop", "Exiting.", "Drop manager internal error"];
    assert!(told.iter().all(|text| ended.errors.contains(text)), "{}", ended.errors);
    let alert = ended.lines.iter().find(|line| line.contains("syscall event drop"));
    assert_eq!(alert, None, "it is asked to end, not to tell");
}

/// A shell that becomes another program when it is told, and opens a file when it is told again.
struct Changing(Child);

impl Changing {
    fn start(place: &Place, file: &Path) -> Self {
        let later = place.sandbox.link("bash", "eyas-changed");
        let script = "read -r x; exec \"$0\" -c 'read -r x; exec 3< \"$0\"; read -r x' \"$1\"";
        let child = Command::new("/bin/bash")
            .args(["-c", script, later.to_str().unwrap(), file.to_str().unwrap()])
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        Self(child)
    }

    fn go_on(&mut self) {
        writeln!(self.0.stdin.as_mut().unwrap(), "x").unwrap();
    }
}

impl Drop for Changing {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// How many messages the kernel had no room for in the agent's subscription to process events.
fn overruns(agent: &Agent) -> u64 {
    const NETLINK_CONNECTOR: &str = "11";
    let fds = fs::read_dir(format!("/proc/{}/fd", agent.pid())).unwrap();
    let links = fds.filter_map(|entry| fs::read_link(entry.unwrap().path()).ok());
    let sockets: Vec<String> = links
        .filter_map(|link| {
            Some(link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned())
        })
        .collect();
    let table = read("/proc/net/netlink");
    let rows = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let own =
        rows.filter(|row| row[1] == NETLINK_CONNECTOR && sockets.iter().any(|it| it == row[9]));
    own.map(|row| row[8].parse::<u64>().unwrap()).sum()
}

/// Starts threads, of which the kernel tells as of processes, until there is no room for more.
fn fill_the_receive_buffer(agent: &Agent) {
    let deadline = Instant::now() + 2 * PATIENCE;
    while overruns(agent) == 0 {
        assert!(Instant::now() < deadline, "it doesn't get full");
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..1000).for_each(|_| thread::spawn(|| ()).join().unwrap()));
            }
        });
    }
}

#[test]
fn after_lost_process_records_the_agent_knows_what_processes_became() {
    if !have("after_lost_process_records_the_agent_knows_what_processes_became", HOST) {
        return;
    }
    let _alone = alone();
    const CAUSE: &str = "proc connector: receive buffer full";
    // More than come and go on the host meanwhile.
    const PASSING: u64 = 400;
    let place = Place::new(&acting("log, alert"));
    let text = format!(
        "- rule: Opened\n  desc: d\n  condition: evt.type = openat and fd.name startswith {}/\n  \
         output: \"%fd.name by %proc.name of %proc.pname\"\n  priority: WARNING\n",
        place.opens.display()
    );
    put(&place.rules, &text);
    let mut agent = place.start();
    let address = address(&agent);
    place.open("file");
    let mut changing = Changing::start(&place, &place.opens.join("file"));
    let known = || metric(&address, "eyas_enrich_processes");
    let before = known();
    let cat = |_| Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
    let mut passing: Vec<Child> = (0..PASSING).map(cat).collect();
    await_that("they are known", || known() >= before + PASSING * 3 / 4);

    stop(&agent);
    fill_the_receive_buffer(&agent);
    changing.go_on();
    let comm = format!("/proc/{}/comm", changing.0.id());
    await_that("it is another program", || read(&comm).trim() == "eyas-changed");
    passing.iter_mut().for_each(|child| drop(child.stdin.take()));
    for child in &mut passing {
        child.wait().unwrap();
    }
    agent.send(Signal::SIGCONT);

    let fields = drop_alert(&mut agent, CAUSE);
    assert!(number(&fields, "eyas_since_ns") < number(&fields, "eyas_until_ns"));
    assert!(metric(&address, "eyas_proc_connector_losses_total") >= 1);
    assert!(metric(&address, "eyas_sources_drops_total") >= 1);
    await_that("/proc was read anew", || metric(&address, "eyas_enrich_resyncs_total") >= 1);
    await_that("who ended meanwhile is forgotten", || known() <= before + PASSING / 2);
    changing.go_on();
    let by = "file by eyas-changed of ";
    agent.line("the open by what it is now", |line| line.contains(by));
    assert!(agent.end(Signal::SIGTERM).status.success());
}
