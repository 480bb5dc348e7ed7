//! What the live sources cost, for the watched and for the watcher. Needs root.
//! `cargo bench --bench sources`
//!
//! A child opens and closes files, or starts programs, while this process drains. Printed are the
//! child's time per turn, bare and watched, as medians of interleaved pairs, and the watcher's
//! processor time per record.
#![allow(clippy::indexing_slicing, clippy::print_stdout, clippy::unwrap_used, missing_docs)]

use std::fs::File;
use std::path::Path;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;
use std::time::Instant;

use nix::sys::resource::UsageWho;
use nix::sys::resource::getrusage;

use eyas::sources::FileWatch;
use eyas::sources::ProcConnector;
use eyas::sources::Source;
use eyas::sources::Wanted;
use eyas::sources::proc_connector;
use eyas::sys::poll;

const PAIRS: usize = 5;
const OPENS: u32 = 20_000;
const EXECS: u32 = 2_000;

fn main() {
    let arguments: Vec<_> = std::env::args().collect();
    match arguments.get(1).map(String::as_str) {
        Some("open") => open(Path::new(&arguments[2])),
        Some("exec") => exec(),
        _ => measure(),
    }
}

/// The child: opens and closes distinct files, so that no two events merge.
fn open(directory: &Path) {
    let paths: Vec<_> = (0..100).map(|number| directory.join(number.to_string())).collect();
    for path in &paths {
        File::create(path).unwrap();
    }
    let start = Instant::now();
    for path in paths.iter().cycle().take(usize::try_from(OPENS).unwrap()) {
        File::open(path).unwrap();
    }
    println!("{}", start.elapsed().as_nanos());
}

/// The child: starts a program again and again.
fn exec() {
    let start = Instant::now();
    for _ in 0..EXECS {
        Command::new("/bin/true").status().unwrap();
    }
    println!("{}", start.elapsed().as_nanos());
}

fn measure() {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path().to_str().unwrap();
    compare("open+close", &["open", place], OPENS, || FileWatch::start(Wanted::ALL).unwrap());
    compare("fork+exec+exit", &["exec"], EXECS, || {
        ProcConnector::subscribe(proc_connector::Options::default()).unwrap()
    });
    backlog();
}

/// What a record costs when many wait: programs run unwatched first, and are drained then.
fn backlog() {
    let mut source = ProcConnector::subscribe(proc_connector::Options::default()).unwrap();
    run(&["exec"], None);
    let before = processor_ns();
    let (mut records, mut more) = (0.0, true);
    while more {
        more = source.drain(1024, &mut |_| records += 1.0).unwrap().more;
    }
    let spent = processor_ns() - before;
    println!("backlog of {records} process records: {:.2} µs per record", spent / records / 1e3);
}

fn compare<S: Source>(name: &str, child: &[&str], turns: u32, start: impl Fn() -> S) {
    let turns = f64::from(turns);
    let (mut bare, mut watched, mut cost) = (Vec::new(), Vec::new(), Vec::new());
    let mut records_per_turn = 0.0;
    for _ in 0..PAIRS {
        bare.push(run(child, None).0 / turns);
        let mut source = start();
        let (child_ns, watcher_ns, records) = run(child, Some(&mut source));
        watched.push(child_ns / turns);
        cost.push(watcher_ns / records);
        records_per_turn = records / turns;
    }
    println!(
        "{name}: bare {:.1} µs, watched {:.1} µs; watcher {:.2} µs per record, {:.1} records a turn",
        median(&mut bare) / 1e3,
        median(&mut watched) / 1e3,
        median(&mut cost) / 1e3,
        records_per_turn
    );
}

/// Runs the child and drains; its nanoseconds, our processor time and how many records came.
fn run(child: &[&str], mut source: Option<&mut dyn Source>) -> (f64, f64, f64) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(child)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let before = processor_ns();
    let mut records = 0.0;
    while child.try_wait().unwrap().is_none() {
        let Some(source) = &mut source else {
            child.wait().unwrap();
            break;
        };
        poll::wait_readable(source.fd(), Duration::from_millis(10)).unwrap();
        source.drain(1024, &mut |_| records += 1.0).unwrap();
    }
    let spent = processor_ns() - before;
    let output = std::io::read_to_string(child.stdout.take().unwrap()).unwrap();
    (output.trim().parse().unwrap(), spent, records)
}

fn processor_ns() -> f64 {
    let usage = getrusage(UsageWho::RUSAGE_SELF).unwrap();
    [usage.user_time(), usage.system_time()]
        .iter()
        .map(|time| {
            let seconds = f64::from(u32::try_from(time.tv_sec()).unwrap());
            seconds * 1e9 + f64::from(u32::try_from(time.tv_usec()).unwrap()) * 1e3
        })
        .sum()
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
