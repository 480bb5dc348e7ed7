//! From execve to its alert's line on stdout, with 1,000 calls a second.
//!
//! Each program that is started notes the time and becomes itself once more with that time as its
//! argument, which is what the rule asks for: half of the calls are measured, from the call on, so
//! the new image's loader is in the figure and fork isn't.
//! `cargo bench --bench latency`, as root; `EYAS_BENCH_SECONDS` and `EYAS_BENCH_RATE` change how
//! long and how fast; with `EYAS_BENCH_FORK=1` the time is that before fork, and all calls count.
//!
//! Measured from execve on, on two processors that the programs and the agent share (release, 994
//! calls a second, five runs): median 1.55 to 2.22 ms, 99 % 4.8 to 6.1 ms and once 44 ms,
//! most 6.7 to 74 ms; all were told. Records gather for up to two milliseconds of it.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr, reason = "a program")]
#![allow(clippy::indexing_slicing, clippy::panic, reason = "a bench that is wrong may panic")]

use std::io::{BufRead as _, BufReader};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use eyas::sys::clock;

/// What a started program is called with, before the time at which it was started.
const MARK: &str = "eyas-latency-";

/// What a program is called with that is to become another one.
const BECOME: &str = "become";

/// How long a program stays: longer than a look at it takes.
const STAYS: Duration = Duration::from_millis(50);

/// Threads that start programs.
const STARTERS: u64 = 4;

fn main() {
    match std::env::args().nth(1) {
        Some(argument) if argument == BECOME => {
            let error = program().arg(format!("{MARK}{}", clock::monotonic_ns())).exec();
            panic!("{error}");
        }
        Some(argument) if argument.starts_with(MARK) => return std::thread::sleep(STAYS),
        _ => {}
    }
    if !nix::unistd::geteuid().is_root() {
        eprintln!("SKIPPED: the latency of the live agent needs root");
        return;
    }
    let (seconds, rate) = (number("EYAS_BENCH_SECONDS", 10), number("EYAS_BENCH_RATE", 1000));
    let directory = tempfile::tempdir().unwrap();
    let (mut agent, told) = start_agent(directory.path());
    let began = Instant::now();
    let started: u64 = std::thread::scope(|scope| {
        let programs = if counts_fork() { rate } else { rate / 2 };
        let starter = |_| scope.spawn(move || start_programs(programs / STARTERS, seconds));
        #[expect(clippy::needless_collect, reason = "all of them start before one is waited for")]
        let starters: Vec<_> = (0..STARTERS).map(starter).collect();
        starters.into_iter().map(|starter| starter.join().unwrap()).sum()
    });
    let rate = started as f64 / began.elapsed().as_secs_f64();
    let mut took: Vec<u64> = Vec::new();
    while let Ok(ns) = told.recv_timeout(Duration::from_secs(2)) {
        took.push(ns);
    }
    nix::sys::signal::kill(
        nix::unistd::Pid::from_raw(agent.id().cast_signed()),
        nix::sys::signal::Signal::SIGTERM,
    )
    .unwrap();
    agent.wait().unwrap();
    took.sort_unstable();
    let at = |percent: usize| took[(took.len() * percent / 100).min(took.len() - 1)] as f64 / 1e6;
    println!("started: {started} programs, {rate:.0} a second; told: {}", took.len());
    let from = if counts_fork() { "fork" } else { "execve" };
    println!(
        "{from} to line on stdout: median {:.2} ms, 90 % {:.2} ms, 99 % {:.2} ms, most {:.2} ms",
        at(50),
        at(90),
        at(99),
        at(100)
    );
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// The agent, watching, and how many nanoseconds each of its lines took.
fn start_agent(directory: &std::path::Path) -> (Child, Receiver<u64>) {
    let rules = directory.join("rules.yaml");
    let rule = format!(
        "- rule: Latency\n  desc: d\n  condition: evt.type = execve and proc.args startswith \
         {MARK}\n  output: \"%proc.args\"\n  priority: INFO\n"
    );
    std::fs::write(&rules, rule).unwrap();
    let mut agent = Command::new(env!("CARGO_BIN_EXE_eyas"))
        .args(["-r", rules.to_str().unwrap()])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let out = BufReader::new(agent.stdout.take().unwrap());
    let (give, take) = channel();
    std::thread::spawn(move || {
        for line in out.lines().map_while(Result::ok) {
            let now = clock::monotonic_ns();
            let Some((_, time)) = line.split_once(MARK) else { continue };
            let digits: String = time.chars().take_while(char::is_ascii_digit).collect();
            let Ok(started) = digits.parse::<u64>() else { continue };
            if give.send(now.saturating_sub(started)).is_err() {
                break;
            }
        }
    });
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        start_program().wait().unwrap();
        if take.recv_timeout(Duration::from_millis(200)).is_ok() {
            break;
        }
        assert!(Instant::now() < deadline, "the agent tells nothing");
    }
    while take.recv_timeout(Duration::from_millis(500)).is_ok() {}
    (agent, take)
}

fn counts_fork() -> bool {
    std::env::var_os("EYAS_BENCH_FORK").is_some()
}

fn program() -> Command {
    Command::new(std::env::current_exe().unwrap())
}

fn start_program() -> Child {
    let argument =
        if counts_fork() { format!("{MARK}{}", clock::monotonic_ns()) } else { BECOME.to_owned() };
    program().arg(argument).stdout(Stdio::null()).spawn().unwrap()
}

/// Starts programs at that rate; how many.
fn start_programs(rate: u64, seconds: u64) -> u64 {
    let began = Instant::now();
    let mut running = std::collections::VecDeque::new();
    let mut started = 0;
    while began.elapsed() < Duration::from_secs(seconds) {
        let due = began + Duration::from_nanos(started * 1_000_000_000 / rate.max(1));
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        running.push_back(start_program());
        started += 1;
        while running.len() > 60 {
            running.pop_front().unwrap().wait().unwrap();
        }
    }
    for mut child in running {
        child.wait().unwrap();
    }
    started
}
