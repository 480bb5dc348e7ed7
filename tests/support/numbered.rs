//! Captures of numbered alerts, and the agent that judges them: nothing here needs root.

use std::fs;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use super::capture::{Capture, Thread};

/// How long anything may take before a test fails.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Makes one alert of every event: `n=/n/0000007`, the number with seven digits.
const RULES: &str = "- rule: Numbered\n  desc: d\n  condition: evt.type = openat\n  \
                     output: n=%fd.name by=%proc.name\n  priority: WARNING\n  tags: [t]\n";

const TID: i64 = 42;

/// The beginning of a capture, before its events.
pub fn head() -> Vec<u8> {
    let mut capture = Capture::new();
    capture.user(0, "root");
    capture.processes(&[Thread {
        tid: TID,
        pid: TID,
        ptid: 0,
        comm: "worker",
        exepath: "/bin/worker",
        args: &[],
        cwd: "/",
        uid: 0,
    }]);
    capture.bytes
}

/// One event for each number.
pub fn events(numbers: std::ops::Range<u64>) -> Vec<u8> {
    let mut capture = Capture::default();
    for number in numbers {
        let ts = 1_700_000_000_000_000_000 + number * 1000;
        capture.openat_event(ts, TID, 3, &format!("/n/{number:07}"), 1);
    }
    capture.bytes
}

/// The numbers of the alerts in a text, in its order.
pub fn numbers(text: &[u8]) -> Vec<u64> {
    let mut found = Vec::new();
    for at in memchr::memmem::find_iter(text, b"n=/n/") {
        let digits = std::str::from_utf8(&text[at + 5..at + 12]).unwrap();
        found.push(digits.parse().unwrap());
        // A line has one more in `output_fields` of JSON, which isn't written so.
    }
    found
}

/// Asserts that a text has exactly these alerts in this order, each on a line of its own.
#[track_caller]
pub fn assert_lines(text: &[u8], wanted: std::ops::Range<u64>) {
    let found = numbers(text);
    let first_wrong = found.iter().zip(wanted.clone()).find(|(found, wanted)| **found != *wanted);
    assert_eq!(first_wrong, None, "out of order");
    assert_eq!(u64::try_from(found.len()).unwrap(), wanted.end - wanted.start);
    assert_eq!(text.iter().filter(|&&byte| byte == b'\n').count(), found.len());
}

/// Waits until `is_so`.
#[track_caller]
pub fn await_that(what: &str, mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < PATIENCE, "not within {PATIENCE:?}: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A directory with rules and configuration, for agents that are fed with captures.
#[derive(Debug)]
pub struct Bench {
    pub dir: tempfile::TempDir,
}

impl Bench {
    /// With the keys of that configuration beside those that are always there.
    pub fn new(config: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("rules.yaml"), RULES).unwrap();
        let config = format!("log_stderr: true\nlog_syslog: false\n{config}");
        let config = config.replace("DIR", dir.path().to_str().unwrap());
        fs::write(dir.path().join("eyas.yaml"), config).unwrap();
        Self { dir }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap_or_default()
    }

    /// The agent with that capture; standard error goes to the file `log`.
    pub fn command(&self, capture: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_eyas"));
        let rules = self.path("rules.yaml");
        command.arg("-c").arg(self.path("eyas.yaml")).arg("-r").arg(rules).args(["-e", capture]);
        command.env("TZ", "UTC").stdin(Stdio::null());
        command
    }

    /// Judges so many numbered events from a file, to the end.
    pub fn run(&self, count: u64) -> std::process::Output {
        let capture = self.write_capture(count);
        self.command(capture.to_str().unwrap()).output().unwrap()
    }

    /// Writes a capture of so many numbered events.
    pub fn write_capture(&self, count: u64) -> PathBuf {
        let path = self.path("capture.scap");
        fs::write(&path, [head(), events(0..count)].concat()).unwrap();
        path
    }

    /// An agent that is fed through a pipe.
    pub fn start(&self) -> Fed {
        let mut command = self.command("-");
        let log = fs::OpenOptions::new().create(true).append(true).open(self.path("log")).unwrap();
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(log);
        let mut child = command.spawn().unwrap();
        let mut pipe = child.stdin.take().unwrap();
        pipe.write_all(&head()).unwrap();
        Fed { child, pipe: Some(pipe) }
    }

    pub fn log(&self) -> String {
        String::from_utf8_lossy(&self.read("log")).into_owned()
    }
}

/// A running agent.
#[derive(Debug)]
pub struct Fed {
    pub child: Child,
    pipe: Option<ChildStdin>,
}

impl Fed {
    pub fn feed(&mut self, numbers: std::ops::Range<u64>) {
        self.pipe.as_mut().unwrap().write_all(&events(numbers)).unwrap();
    }

    /// Ends the capture and waits for the agent.
    pub fn end(mut self) -> ExitStatus {
        drop(self.pipe.take());
        let began = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(began.elapsed() < PATIENCE, "the agent doesn't end");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// kill -9.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Fed {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Resident memory of a process, in KiB.
pub fn resident_kib(pid: u32) -> u64 {
    let mut text = String::new();
    let path = PathBuf::from(format!("/proc/{pid}/status"));
    fs::File::open(Path::new(&path)).unwrap().read_to_string(&mut text).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}
