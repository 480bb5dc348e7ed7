//! What the audit costs, the agent and the host. `cargo bench --bench audit`; needs root, and nobody
//! in the audit's seat. The stock rules are those of EYAS_STOCK_RULES.
//!
//! * CPU time of the agent (its guardian with it) while programs are started at a rate, less what
//!   it took just before without them.
//! * Time of a program that makes system calls which no rule watches, in pairs, in turns as to
//!   which is first: with the agent against one rule of audit and nobody listening; that rule
//!   against none; and with an agent whose rules need no audit against none. Printed is the median
//!   of the pairs' ratios and their spread.
#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]
#![allow(clippy::disallowed_methods, reason = "files of our own child in /proc")]

use std::io::BufRead as _;
use std::io::BufReader;
use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;
use std::time::Instant;

use eyas::decode::audit::control::Change;
use eyas::decode::audit::rule::Rule;
use eyas::sources::audit::Control;
use eyas::sources::audit::remove_rules;
use eyas::sys::process::is_gone;
use eyas::sys::seccomp;

/// How many pairs or rounds; EYAS_PAIRS changes it.
const PAIRS: usize = 9;
/// How long programs are started in one round.
const ROUND: Duration = Duration::from_secs(3);
/// Set for the process that makes the calls.
const CALLS: &str = "EYAS_BENCH_CALLS";
/// How many it makes.
const COUNT: u32 = 1_000_000;

/// Needs no audit.
const NO_AUDIT: &str = "
- rule: opened
  desc: d
  condition: evt.type in (open, openat) and fd.name startswith /nowhere
  output: o
  priority: INFO
";

fn main() {
    if std::env::var_os(CALLS).is_some() {
        make_calls();
        return;
    }
    let free = Control::open()
        .and_then(|mut control| control.status())
        .is_ok_and(|status| i32::try_from(status.pid).is_ok_and(|pid| pid == 0 || is_gone(pid)));
    if !free {
        println!("skipped: the audit can't be asked, or somebody has its seat");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let no_audit = dir.path().join("no-audit.yaml");
    std::fs::write(&no_audit, NO_AUDIT).unwrap();
    let stock = std::env::var_os("EYAS_STOCK_RULES").map(|stock| {
        let names = ["falco_rules.yaml", "falco-incubating_rules.yaml", "falco-sandbox_rules.yaml"];
        names.map(|name| Path::new(&stock).join("2026").join(name))
    });
    let only = std::env::args().skip(1).find(|word| !word.starts_with('-')).unwrap_or_default();
    let is_asked = |name: &str| only.is_empty() || only == name;
    match &stock {
        Some(stock) => {
            for (name, rate) in [("exec-100", 100), ("exec-1000", 1000)] {
                if is_asked(name) {
                    exec_load(stock, rate);
                }
            }
            if is_asked("calls") {
                pairs("agent with the stock rules / one audit rule", &|| one_rule(), &|| {
                    agent(stock)
                });
            }
        }
        None => println!("EYAS_STOCK_RULES is not set: nothing is measured with the stock rules"),
    }
    if is_asked("kernel") {
        pairs("one audit rule / no audit", &|| (), &|| one_rule());
    }
    if is_asked("no-audit") {
        let rules = [no_audit];
        pairs("agent whose rules need no audit / no agent", &|| (), &|| agent(&rules));
    }
}

fn number(name: &str, otherwise: usize) -> usize {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

/// One rule of audit that matches nothing here, and nobody who listens; gone on drop.
struct OneRule;

fn one_rule() -> OneRule {
    let mut control = Control::open().unwrap();
    control.change(Change::Enabled(1)).unwrap();
    let rule = Rule {
        arch: if cfg!(target_arch = "aarch64") {
            seccomp::AUDIT_ARCH_AARCH64
        } else {
            seccomp::AUDIT_ARCH_X86_64
        },
        // sethostname(2).
        calls: vec![if cfg!(target_arch = "aarch64") { 161 } else { 170 }],
        filters: Vec::new(),
        not_pid: None,
        key: "eyas".to_owned(),
    };
    control.add(&rule).unwrap();
    OneRule
}

impl Drop for OneRule {
    fn drop(&mut self) {
        let mut control = Control::open().unwrap();
        remove_rules(&mut control).unwrap();
        control.change(Change::Enabled(0)).unwrap();
    }
}

/// The agent, which is ready; ended on drop.
struct Agent(Child);

fn agent(rules: &[PathBuf]) -> Agent {
    let mut command = Command::new(env!("CARGO_BIN_EXE_eyas"));
    for path in rules {
        command.arg("-r").arg(path);
    }
    command.args(["-o", "eyas.audit.seat=unicast", "-o", "log_syslog=false"]);
    command.args(["-o", "log_stderr=true", "-o", "log_level=debug"]);
    let mut child =
        command.stdout(Stdio::null()).stderr(Stdio::piped()).stdin(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains("ready after")), "the agent doesn't start");
    std::thread::spawn(move || lines.for_each(drop));
    Agent(child)
}

impl Drop for Agent {
    fn drop(&mut self) {
        let pid = nix::unistd::Pid::from_raw(self.0.id().cast_signed());
        let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM);
        let _ = self.0.wait();
    }
}

/// CPU time of a process and its children so far, in seconds.
fn cpu_seconds(pid: u32) -> f64 {
    let of = |pid: i32| {
        let clock = nix::time::clock_getcpuclockid(nix::unistd::Pid::from_raw(pid));
        let time = clock.and_then(nix::time::ClockId::now).unwrap();
        Duration::from(time).as_secs_f64()
    };
    let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap();
    let children = children.split_whitespace().map(|child| of(child.parse().unwrap()));
    of(pid.cast_signed()) + children.sum::<f64>()
}

/// Starts programs at a rate beside the agent, and prints what it took of a CPU beyond what it took
/// without: others on this host start programs, too.
fn exec_load(rules: &[PathBuf], rate: u32) {
    let agent = agent(rules);
    let rounds = number("EYAS_PAIRS", PAIRS);
    let share = |during: &mut dyn FnMut()| {
        let (begin, cpu) = (Instant::now(), cpu_seconds(agent.0.id()));
        during();
        (cpu_seconds(agent.0.id()) - cpu) / begin.elapsed().as_secs_f64() * 100.0
    };
    let (mut without, mut more, mut rates) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds {
        let quiet = share(&mut || std::thread::sleep(ROUND));
        let mut count = 0_u32;
        let begin = Instant::now();
        let loaded = share(&mut || {
            while begin.elapsed() < ROUND {
                let due = Duration::from_secs(1) / rate * count;
                std::thread::sleep(due.saturating_sub(begin.elapsed()));
                assert!(Command::new("/bin/true").status().unwrap().success());
                count += 1;
            }
        });
        rates.push(f64::from(count) / begin.elapsed().as_secs_f64());
        without.push(quiet);
        more.push(loaded - quiet);
    }
    println!(
        "{rate} programs a second wanted, {:.0} started: the agent takes {} % of one CPU for them \
         (median of {rounds} rounds of {} s, each less what the round before it took without: {} %)",
        median(&mut rates),
        spread(&mut more, 2),
        ROUND.as_secs(),
        spread(&mut without, 2),
    );
}

/// Prints how the time of the calls in the second surroundings relates to that in the first.
fn pairs<A, B>(what: &str, first: &dyn Fn() -> A, second: &dyn Fn() -> B) {
    let pairs = number("EYAS_PAIRS", PAIRS);
    let (mut ratios, mut bare) = (Vec::new(), Vec::new());
    for pair in 0..pairs {
        let in_first = || {
            let _surroundings = first();
            calls()
        };
        let in_second = || {
            let _surroundings = second();
            calls()
        };
        let (a, b) = if pair % 2 == 0 {
            let a = in_first();
            (a, in_second())
        } else {
            let b = in_second();
            (in_first(), b)
        };
        bare.push(a / f64::from(COUNT) * 1e9);
        ratios.push(b / a);
    }
    println!(
        "{what}: {} (median of {pairs} pairs; the first {:.0} ns a call)",
        spread(&mut ratios, 3),
        median(&mut bare),
    );
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// The median, and the least and the most.
fn spread(values: &mut [f64], digits: usize) -> String {
    let median = median(values);
    let last = values.len() - 1;
    format!("{median:.digits$} ({:.digits$} to {:.digits$})", values[0], values[last])
}

/// Seconds that the calls take in a process that is younger than the audit: an older one would
/// not be looked at.
fn calls() -> f64 {
    let program = std::env::current_exe().unwrap();
    let output = Command::new(program).env(CALLS, "1").output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().parse().unwrap()
}

/// The best of several stretches: what else happens on the machine only adds.
fn make_calls() {
    let stretch = || {
        let begin = Instant::now();
        for _ in 0..COUNT {
            std::hint::black_box(nix::unistd::getppid());
        }
        begin.elapsed().as_secs_f64()
    };
    let best = (0..3).map(|_| stretch()).fold(f64::INFINITY, f64::min);
    println!("{best}");
}
