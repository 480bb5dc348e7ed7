//! Outputs beside what hosts have: rsyslog as syslog daemon, logrotate for files.
//!
//! The daemon is one of the test's own with a socket of its own. logrotate's test needs root and
//! the kernel's interfaces, since SIGUSR1 is for agents that watch.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests"
)]

#[path = "support/capture.rs"]
#[allow(dead_code, reason = "shared with the bench")]
mod capture;
#[path = "support/numbered.rs"]
#[allow(dead_code, unreachable_pub, reason = "shared with other tests")]
mod numbered;
mod support;

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use numbered::{Bench, await_that, numbers};
use support::Need;
use support::have;
use support::host::{Agent, Sandbox};

/// The daemons of these tests get in each other's way: one test at a time.
static ALONE: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A syslog daemon with one socket and one file.
struct Rsyslog {
    child: Child,
}

impl Rsyslog {
    /// `more`: parameters of the input.
    fn start(dir: &Path, more: &str) -> Self {
        let path = |name: &str| dir.join(name).display().to_string();
        let config = format!(
            "global(workDirectory=\"{}\")\n\
             module(load=\"imuxsock\" SysSock.Use=\"off\")\n\
             input(type=\"imuxsock\" Socket=\"{}\" RateLimit.Interval=\"0\"{more})\n\
             template(name=\"t\" type=\"string\" string=\"%syslogfacility-text%.\
             %syslogseverity-text% %app-name% %procid%|%msg%\\n\")\n\
             action(type=\"omfile\" file=\"{}\" template=\"t\")\n",
            dir.display(),
            path("socket"),
            path("messages")
        );
        fs::write(dir.join("rsyslog.conf"), config).unwrap();
        let child = Command::new("rsyslogd")
            .args(["-n", "-f", &path("rsyslog.conf"), "-i", &path("rsyslog.pid")])
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        await_that("rsyslogd's socket", || dir.join("socket").exists());
        Self { child }
    }

    fn end(mut self) {
        kill(Pid::from_raw(i32::try_from(self.child.id()).unwrap()), Signal::SIGTERM).unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Rsyslog {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn through_rsyslog(more: &str, keys: &str, head: &str) {
    let _alone = alone();
    let bench = Bench::new(&format!(
        "syslog_output: {{enabled: true}}\n\
         eyas: {{syslog_output: {{socket: DIR/socket{keys}}}}}\n"
    ));
    let dir = bench.dir.path();
    let daemon = Rsyslog::start(dir, more);
    let mut agent = bench.start();
    agent.feed(0..1000);
    await_that("rsyslog has all", || numbers(&bench.read("messages")).len() == 1000);
    daemon.end();
    agent.feed(1000..1500);
    await_that("its end is told", || bench.log().contains("the syslog daemon takes nothing"));
    let daemon = Rsyslog::start(dir, more);
    await_that("rsyslog has the rest", || numbers(&bench.read("messages")).len() == 1500);
    assert!(agent.end().success(), "{}", bench.log());
    daemon.end();
    let messages = bench.read("messages");
    assert_eq!(numbers(&messages), (0..1500).collect::<Vec<_>>());
    let text = String::from_utf8(messages).unwrap();
    for line in text.lines() {
        let (line_head, message) = line.split_once('|').unwrap();
        assert!(line_head.starts_with(head), "{line}");
        assert!(message.trim_start().starts_with("22:13:20."), "{line}");
        assert!(message.contains(": Warning n=/n/"), "{line}");
    }
}

#[test]
fn rsyslog_gets_falcos_messages_over_a_restart() {
    if have("rsyslog_gets_falcos_messages_over_a_restart", &[Need::Rsyslog]) {
        through_rsyslog("", "", "user.warning falco -");
    }
}

#[test]
fn rsyslog_gets_messages_of_rfc_5424_with_facility_and_tag() {
    if have("rsyslog_gets_messages_of_rfc_5424_with_facility_and_tag", &[Need::Rsyslog]) {
        // rsyslog's parser for local programs knows RFC 3164 only.
        let more = " UseSpecialParser=\"off\"";
        let keys = ", format: rfc5424, facility: local3, tag: eyas";
        through_rsyslog(more, keys, "local3.warning eyas ");
    }
}

/// Opens numbered files, turns the log over with the real logrotate in between, and counts.
fn over_logrotate(test: &str, how: &str, keep_alive: bool) {
    if !have(test, &[Need::Root, Need::Fanotify, Need::ProcConnector, Need::Logrotate]) {
        return;
    }
    let _alone = alone();
    let sandbox = Sandbox::new();
    let dir = sandbox.dir.display().to_string();
    let rules = format!(
        "- rule: Numbered\n  desc: d\n  condition: evt.type = openat and fd.name startswith \
         {dir}/n/\n  output: n=%fd.name\n  priority: WARNING\n"
    );
    fs::write(sandbox.dir.join("own.yaml"), rules).unwrap();
    fs::create_dir(sandbox.dir.join("n")).unwrap();
    let log = sandbox.dir.join("alerts.log");
    let agent = Agent::watch(
        &sandbox,
        &[
            "-r",
            &format!("{dir}/own.yaml"),
            "-o",
            "file_output.enabled=true",
            "-o",
            &format!("file_output.filename={dir}/alerts.log"),
            "-o",
            &format!("file_output.keep_alive={keep_alive}"),
        ],
    );
    let signal = format!("postrotate\nkill -USR1 {}\nendscript\n", agent.pid());
    let signal = if how == "copytruncate" { String::new() } else { signal };
    let conf = format!("\"{dir}/alerts.log\" {{\nsu root root\nrotate 9\n{how}\n{signal}}}\n");
    let conf_path = sandbox.dir.join("logrotate.conf");
    fs::write(&conf_path, conf).unwrap();
    let open = |number: u32| {
        let path = sandbox.dir.join(format!("n/{number:07}"));
        fs::write(&path, "").unwrap();
    };
    let has = |path: &Path, number: u32| {
        let text = fs::read(path).unwrap_or_default();
        memchr::memmem::find(&text, format!("/n/{number:07}").as_bytes()).is_some()
    };
    for round in 0..3 {
        for number in round * 20..(round + 1) * 20 {
            open(number);
        }
        // Whole before it is copied away: what logrotate itself may lose is not ours.
        let last = (round + 1) * 20 - 1;
        await_that("the alerts are in the file", || has(&log, last));
        let status = Command::new("logrotate")
            .args(["--force", "--state"])
            .arg(sandbox.dir.join("state"))
            .arg(&conf_path)
            .status();
        assert!(status.unwrap().success());
        if how != "copytruncate" {
            let times = usize::try_from(round + 1).unwrap();
            agent.error("the file is opened again", |text| {
                text.matches("reopening outputs").count() == times
            });
        }
    }
    open(60);
    await_that("the last alert is in the new file", || has(&log, 60));
    assert!(agent.end(Signal::SIGTERM).status.success());
    for number in 0..60 {
        let old = format!("{dir}/alerts.log.{}", 3 - number / 20);
        assert!(has(Path::new(&old), number), "{number} is not in {old}");
    }
    assert!(!fs::read(&log).unwrap().contains(&0), "a hole where the file was truncated");
}

#[test]
fn logrotate_with_create_and_sigusr1_loses_no_alert() {
    over_logrotate("logrotate_with_create_and_sigusr1_loses_no_alert", "create 0640", true);
}

#[test]
fn logrotate_with_copytruncate_loses_no_alert() {
    over_logrotate("logrotate_with_copytruncate_loses_no_alert", "copytruncate", true);
}
