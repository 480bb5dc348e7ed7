//! How long who opens what a rule names waits for the look. Needs root.
//!
//! `cargo bench --bench opens -- COUNT PAIRS`, by default 5000 9: opens and closes a file so often,
//! with and without an agent in turns, since identical runs differ on a busy machine. The file is
//! named by the rule; or lies beside the one that is; or somewhere else. Medians and extremes, in
//! microseconds for one open and close.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(clippy::print_stdout, clippy::indexing_slicing, clippy::cast_precision_loss)]

use std::fs;
use std::fs::File;
use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;
use std::time::Instant;

use nix::sys::signal::Signal;
use nix::sys::signal::kill;
use nix::unistd::Pid;

/// Microseconds of one open and close.
fn opening(path: &Path, count: u32) -> f64 {
    let began = Instant::now();
    for _ in 0..count {
        drop(File::open(path).unwrap());
    }
    began.elapsed().as_secs_f64() * 1e6 / f64::from(count)
}

/// An agent that tells of opens of one file; it is waited for until it does.
fn agent(directory: &Path, named: &Path) -> Child {
    let (alerts, rules) = (directory.join("alerts"), directory.join("rules.yaml"));
    let text = format!(
        "- rule: opened\n  desc: d\n  condition: evt.type in (open, openat) and fd.name = {}\n  \
         output: opened by=%proc.pid\n  priority: INFO\n",
        named.display()
    );
    fs::write(&rules, text).unwrap();
    let child = Command::new(env!("CARGO_BIN_EXE_eyas"))
        .args(["-r", rules.to_str().unwrap()])
        .stdout(File::create(&alerts).unwrap())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    while fs::read(&alerts).unwrap().is_empty() {
        assert!(Instant::now() < deadline, "the agent doesn't tell");
        drop(File::open(named).unwrap());
        std::thread::sleep(Duration::from_millis(20));
    }
    child
}

fn main() {
    let arguments: Vec<u32> = std::env::args().filter_map(|text| text.parse().ok()).collect();
    let count = arguments.first().copied().unwrap_or(5000);
    let pairs = arguments.get(1).copied().unwrap_or(9);
    if !nix::unistd::geteuid().is_root() {
        println!("SKIPPED: it needs root");
        return;
    }
    let directory = PathBuf::from(format!("/opt/eyas-bench-{}", std::process::id()));
    let place = directory.join("place");
    fs::create_dir_all(&place).unwrap();
    let files = [place.join("named"), place.join("beside"), directory.join("elsewhere")];
    files.iter().for_each(|file| fs::write(file, "x").unwrap());
    let mut took: [Vec<(f64, f64)>; 3] = Default::default();
    for _ in 0..pairs {
        let bare = files.each_ref().map(|file| opening(file, count));
        let mut agent = agent(&directory, &files[0]);
        let watched = files.each_ref().map(|file| opening(file, count));
        kill(Pid::from_raw(agent.id().cast_signed()), Signal::SIGTERM).unwrap();
        agent.wait().unwrap();
        for (place, pair) in bare.into_iter().zip(watched).enumerate() {
            took[place].push(pair);
        }
    }
    for (file, pairs) in files.iter().zip(&took) {
        let of = |which: fn(&(f64, f64)) -> f64| {
            let mut all: Vec<f64> = pairs.iter().map(which).collect();
            all.sort_unstable_by(f64::total_cmp);
            (all[all.len() / 2], all[0], all[all.len() - 1])
        };
        let (bare, watched) = (of(|pair| pair.0), of(|pair| pair.1));
        println!(
            "{}: bare {:.1} µs ({:.1} to {:.1}), watched {:.1} µs ({:.1} to {:.1})",
            file.file_name().unwrap().to_string_lossy(),
            bare.0,
            bare.1,
            bare.2,
            watched.0,
            watched.1,
            watched.2,
        );
    }
    fs::remove_dir_all(&directory).unwrap();
}
