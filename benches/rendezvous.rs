//! Storms of short programs with and without the agent: how many are told whole, none twice, and
//! what it costs. Needs root.
//!
//! `cargo bench --bench rendezvous -- COUNT AT_ONCE PAIRS [PROGRAM [ARGUMENT]]`, by default
//! 10000 1 9 /bin/true. A static program: `/bin/busybox true`. Runs with and without the agent take
//! turns, since identical runs differ on a busy machine; medians and extremes are printed.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(clippy::print_stdout, clippy::indexing_slicing)]

use std::collections::HashMap;
use std::fs;
use std::fs::File;
use std::path::Path;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;
use std::time::Instant;

use nix::sys::signal::Signal;
use nix::sys::signal::kill;
use nix::unistd::Pid;

const RULE: &str = "- rule: ran
  desc: d
  condition: evt.type = execve and (proc.args contains bench-n or proc.name = bench-marker)
  output: ran args=[%proc.args] parent=%proc.ppid uid=%user.uid cwd=%proc.cwd
  priority: INFO
";

struct Storm {
    count: usize,
    at_once: usize,
    program: String,
    argument: Option<String>,
}

impl Storm {
    /// Runs all, and says how long that took.
    fn blow(&self) -> Duration {
        let began = Instant::now();
        let mut running: Vec<Child> = Vec::new();
        for number in 0..self.count {
            if running.len() >= self.at_once {
                running.remove(0).wait().unwrap();
            }
            let mut command = Command::new(&self.program);
            command.args(&self.argument).arg(format!("bench-n{number}-")).stdout(Stdio::null());
            running.push(command.spawn().unwrap());
        }
        for mut child in running {
            child.wait().unwrap();
        }
        began.elapsed()
    }

    /// The same under the agent; how many were told, told whole, and told more than once.
    fn blow_watched(&self, directory: &Path) -> (Duration, usize, usize, usize) {
        let alerts = directory.join("alerts");
        let rules = directory.join("rules.yaml");
        fs::write(&rules, RULE).unwrap();
        let mut agent = Command::new(env!("CARGO_BIN_EXE_eyas"))
            .args(["-r", rules.to_str().unwrap()])
            .stdout(File::create(&alerts).unwrap())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let marker = directory.join("bench-marker");
        fs::copy("/bin/true", &marker).unwrap();
        let read = || String::from_utf8_lossy(&fs::read(&alerts).unwrap()).into_owned();
        let await_marker = |text: &str| {
            let deadline = Instant::now() + Duration::from_secs(60);
            while !read().contains(text) {
                assert!(Instant::now() < deadline, "the agent doesn't tell of {text}");
                Command::new(&marker).arg(text).status().unwrap();
                std::thread::sleep(Duration::from_millis(20));
            }
        };
        await_marker("before");
        let took = self.blow();
        await_marker("after");
        kill(Pid::from_raw(agent.id().cast_signed()), Signal::SIGTERM).unwrap();
        agent.wait().unwrap();
        let mut told: HashMap<String, usize> = HashMap::new();
        let mut whole = 0;
        let parent = format!(" parent={} ", std::process::id());
        for line in read().lines() {
            let Some((_, rest)) = line.split_once("bench-n") else { continue };
            let Some((number, _)) = rest.split_once('-') else { continue };
            *told.entry(number.to_owned()).or_default() += 1;
            whole += usize::from(line.contains(&parent) && !line.contains("<NA>"));
        }
        (took, told.len(), whole, told.values().filter(|count| **count > 1).count())
    }
}

fn main() {
    let arguments: Vec<String> =
        std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let number = |place: usize, default: usize| {
        arguments.get(place).map_or(default, |text| text.parse().expect("a number"))
    };
    if !nix::unistd::geteuid().is_root() {
        println!("SKIPPED: it needs root");
        return;
    }
    let storm = Storm {
        count: number(0, 10_000),
        at_once: number(1, 1),
        program: arguments.get(3).cloned().unwrap_or_else(|| "/bin/true".to_owned()),
        argument: arguments.get(4).cloned(),
    };
    let directory = std::env::temp_dir().join(format!("eyas-bench-{}", std::process::id()));
    fs::create_dir(&directory).unwrap();
    let mut ratios = Vec::new();
    for _ in 0..number(2, 9) {
        let bare = storm.blow();
        let (watched, told, whole, twice) = storm.blow_watched(&directory);
        let ratio = watched.as_secs_f64() / bare.as_secs_f64();
        println!(
            "{} programs, {} at once: bare {bare:.2?}, watched {watched:.2?}, {ratio:.2} times; \
             told {told}, whole {whole}, twice {twice}",
            storm.count, storm.at_once
        );
        ratios.push(ratio);
    }
    ratios.sort_unstable_by(f64::total_cmp);
    if let (Some(least), Some(most)) = (ratios.first(), ratios.last()) {
        let median = ratios[ratios.len() / 2];
        println!("median {median:.2} times, from {least:.2} to {most:.2}");
    }
    fs::remove_dir_all(&directory).unwrap();
}
