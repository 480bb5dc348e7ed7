//! What the agent costs a host, with its shipped rules: the host's work takes longer, and the agent
//! takes processor time and memory. Needs root.
//!
//! `cargo bench --bench host_cost -- WHAT PAIRS`; WHAT is one of
//!
//! * `exec`: 4,000 × `/bin/true`, one after the other;
//! * `warm`: `find / -xdev -type f | head -20000 | xargs cat`, read before and ignored where that
//!   is possible; `cold`: the same with the kernel's caches dropped, straight after the agent's
//!   start; `EYAS_BENCH_FILES` is another number of files;
//! * `compile`: a C program of 400 functions, ten times;
//! * `opens`: the agent's processor time at 10,000 opens a second of files that no rule names;
//! * `memory`: its resident memory beside 20,000 processes.
//!
//! Runs with and without the agent take turns, since identical runs differ on a busy machine;
//! medians and extremes are printed. `EYAS_BENCH_AGENT` names another agent than this one.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(clippy::print_stdout, clippy::indexing_slicing)]

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

fn main() {
    let arguments: Vec<String> =
        std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let what = arguments.first().map_or("exec", String::as_str);
    let pairs = arguments.get(1).map_or(9, |text| text.parse().expect("a number"));
    if !nix::unistd::geteuid().is_root() {
        println!("SKIPPED: it needs root");
        return;
    }
    let place = tempfile::tempdir().unwrap();
    let place = place.path();
    match what {
        "exec" => compare(place, what, pairs, &programs, None),
        "warm" => compare(place, what, pairs, &read_files, Some(&read_files)),
        "cold" => compare(place, what, pairs, &read_files, Some(&drop_caches)),
        "compile" => {
            write_program(place);
            let compile = |place: &Path| {
                for _ in 0..10 {
                    shell(place, "cc -O1 -c program.c -o program.o");
                }
            };
            compare(place, what, pairs, &compile, Some(&compile));
        }
        "opens" => opens(place, pairs),
        "memory" => memory(place),
        _ => panic!("no {what}"),
    }
}

/// Times `work` without and with the agent. Before each, `prepare` is done.
fn compare(
    place: &Path,
    what: &str,
    pairs: usize,
    work: &dyn Fn(&Path),
    prepare: Option<&dyn Fn(&Path)>,
) {
    let timed = || {
        if let Some(prepare) = prepare {
            prepare(place);
        }
        let began = Instant::now();
        work(place);
        began.elapsed().as_secs_f64()
    };
    let mut ratios = Vec::new();
    let (mut bares, mut watcheds) = (Vec::new(), Vec::new());
    for _ in 0..pairs {
        let bare = timed();
        let agent = Agent::start(place);
        let before = agent.processor_seconds();
        let watched = timed();
        let spent = agent.processor_seconds() - before;
        let ratio = watched / bare;
        println!(
            "{what}: bare {bare:.3} s, watched {watched:.3} s, {ratio:.3} times; agent {spent:.2} s"
        );
        ratios.push(ratio);
        bares.push(bare);
        watcheds.push(watched);
    }
    let (bare, watched) = (middle(&mut bares), middle(&mut watcheds));
    let median = middle(&mut ratios);
    println!(
        "{what}: median of {pairs} pairs {median:.3} times, from {:.3} to {:.3}; medians {bare:.3} s \
         and {watched:.3} s, {:.3} times",
        ratios[0],
        ratios[ratios.len() - 1],
        watched / bare
    );
}

/// Sorts, and gives the median.
fn middle(values: &mut [f64]) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values[values.len() / 2]
}

fn programs(_: &Path) {
    for number in 0..4_000 {
        Command::new("/bin/true").arg(number.to_string()).status().unwrap();
    }
}

fn read_files(place: &Path) {
    let count = std::env::var("EYAS_BENCH_FILES").unwrap_or_else(|_| "20000".to_owned());
    let text = format!(
        "find / -xdev -type f -size -64k | head -{count} | tr '\\n' '\\0' | xargs -0 cat >/dev/null \
         2>&1"
    );
    shell(place, &text);
}

fn drop_caches(_: &Path) {
    nix::unistd::sync();
    fs::write("/proc/sys/vm/drop_caches", "3").unwrap();
}

fn write_program(place: &Path) {
    let mut text = "#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n".to_owned();
    for number in 0..400 {
        text.push_str(&format!(
            "int f{number}(const char *s) {{ int n = 0; for (; *s; s++) n = n * {number} + *s; \
             return printf(\"%d\", n); }}\n"
        ));
    }
    fs::write(place.join("program.c"), text).unwrap();
}

/// The agent's processor time while a process opens files at a rate, once these are known.
fn opens(place: &Path, seconds: usize) {
    const RATE: u32 = 10_000;
    let files = place.join("files");
    fs::create_dir(&files).unwrap();
    let paths: Vec<_> = (0..1000).map(|number| files.join(number.to_string())).collect();
    paths.iter().for_each(|path| fs::write(path, "x").unwrap());
    let agent = Agent::start(place);
    let open_for = |span: Duration| {
        let began = Instant::now();
        let mut opened = 0;
        for path in paths.iter().cycle() {
            drop(File::open(path).unwrap());
            opened += 1;
            if opened % 100 == 0 {
                let due = Duration::from_secs(1) * opened / RATE;
                std::thread::sleep(due.saturating_sub(began.elapsed()));
                if began.elapsed() >= span {
                    break;
                }
            }
        }
        f64::from(opened) / began.elapsed().as_secs_f64()
    };
    open_for(Duration::from_secs(2));
    let mut shares = Vec::new();
    for _ in 0..seconds {
        let before = agent.processor_seconds();
        let began = Instant::now();
        let rate = open_for(Duration::from_secs(3));
        let share = (agent.processor_seconds() - before) / began.elapsed().as_secs_f64() * 100.0;
        println!("opens: {rate:.0} a second, agent {share:.2} % of a processor");
        shares.push(share);
    }
    let median = middle(&mut shares);
    println!(
        "opens: median {median:.2} %, from {:.2} to {:.2}",
        shares[0],
        shares[shares.len() - 1]
    );
}

/// The agent's resident memory beside very many processes.
fn memory(place: &Path) {
    const COUNT: usize = 20_000;
    // As small as processes are: forks that read until our end of the pipe is closed.
    let script =
        format!("exec 3<&0; for ((n = 0; n < {COUNT}; n++)); do (read -r x <&3) & done; wait");
    let mut many =
        Command::new("bash").args(["-c", &script]).stdin(Stdio::piped()).spawn().unwrap();
    std::thread::sleep(Duration::from_secs(40));
    let count = fs::read_dir("/proc").unwrap().count();
    let agent = Agent::start(place);
    std::thread::sleep(Duration::from_secs(5));
    println!("memory: {} KiB resident with {count} entries in /proc", agent.resident_kib());
    drop(agent);
    drop(many.stdin.take());
    many.wait().unwrap();
}

fn shell(place: &Path, text: &str) {
    Command::new("bash").args(["-c", text]).current_dir(place).status().unwrap();
}

/// The agent with its shipped rules; ended on drop.
struct Agent(Child);

impl Agent {
    /// Starts it, and waits until it watches.
    fn start(place: &Path) -> Self {
        let rules = place.join("rules");
        if !rules.exists() {
            let shipped = concat!(env!("CARGO_MANIFEST_DIR"), "/rules");
            shell(place, &format!("mkdir rules && cat {shipped}/*.yaml > rules/all.yaml"));
            let marker = "- rule: marker\n  desc: d\n  condition: evt.type = execve and proc.args \
                          contains eyas-bench-marker\n  output: marker\n  priority: INFO\n";
            fs::write(rules.join("marker.yaml"), marker).unwrap();
        }
        let alerts = place.join("alerts");
        let program = std::env::var("EYAS_BENCH_AGENT")
            .unwrap_or_else(|_| env!("CARGO_BIN_EXE_eyas").to_owned());
        let child = Command::new(program)
            .args(["-r", "rules/all.yaml", "-r", "rules/marker.yaml"])
            .current_dir(place)
            .stdout(File::create(&alerts).unwrap())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let agent = Self(child);
        let deadline = Instant::now() + Duration::from_secs(60);
        while !String::from_utf8_lossy(&fs::read(&alerts).unwrap()).contains("marker") {
            assert!(Instant::now() < deadline, "the agent tells nothing");
            Command::new("/bin/true").arg("eyas-bench-marker").status().unwrap();
            std::thread::sleep(Duration::from_millis(50));
        }
        agent
    }

    fn processor_seconds(&self) -> f64 {
        let text = fs::read(format!("/proc/{}/stat", self.0.id())).unwrap();
        let text = String::from_utf8_lossy(&text).into_owned();
        let words: Vec<&str> = text.rsplit(')').next().unwrap().split_whitespace().collect();
        let ticks: f64 = words[11].parse::<f64>().unwrap() + words[12].parse::<f64>().unwrap();
        ticks / 100.0
    }

    fn resident_kib(&self) -> u64 {
        let text = fs::read(format!("/proc/{}/status", self.0.id())).unwrap();
        let text = String::from_utf8_lossy(&text).into_owned();
        let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.split_whitespace().next().unwrap().parse().unwrap()
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = kill(Pid::from_raw(self.0.id().cast_signed()), Signal::SIGTERM);
        let _ = self.0.wait();
    }
}
