//! What enrichment costs, over the real `/proc`: µs for each kind of record.
//! `cargo bench --bench enrich`
//!
//! A child stands still while the same record is handed in again and again; printed are medians of
//! this thread's processor time, which others on the machine disturb less than the clock.
#![allow(clippy::print_stdout, clippy::unwrap_used, missing_docs)]

use std::fs;
use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;
use std::time::Instant;

use nix::time::ClockId;
use nix::time::clock_gettime;

use eyas::decode::FileRecord;
use eyas::decode::ProcessChange;
use eyas::decode::ProcessRecord;
use eyas::enrich::LiveEnricher;
use eyas::enrich::Needs;
use eyas::enrich::Settings;
use eyas::sys::abi;
use eyas::sys::clock;

const ROUNDS: usize = 31;
const TURNS: u32 = 200;

fn main() {
    let start = Instant::now();
    let settings = Settings { has_open_exec: true, ..Settings::default() };
    let mut enricher = LiveEnricher::new(Path::new("/proc"), settings).unwrap();
    let processes = enricher.world().threads.len();
    println!("start with {processes} processes: {} µs", start.elapsed().as_micros());
    print("reading all anew, per process", processes, || enricher.resync());

    let file = File::open("/etc/hosts").unwrap();
    let mut child = Command::new("sleep").arg("600").stdin(Stdio::from(file)).spawn().unwrap();
    let pid = i32::try_from(child.id()).unwrap();
    measure(&mut enricher, pid);
    child.kill().unwrap();
    child.wait().unwrap();
}

fn measure(enricher: &mut LiveEnricher, pid: i32) {
    let record = |what| ProcessRecord {
        timestamp_ns: clock::monotonic_ns(),
        wall_ns: clock::realtime_ns(),
        cpu: 0,
        tid: pid,
        pid,
        what,
    };
    let parent = i32::try_from(std::process::id()).unwrap();
    let fork = ProcessChange::Fork { parent_tid: parent, parent_pid: parent };
    let exit = ProcessChange::Exit { wait_status: 0, signal: 17, parent: None };
    let mut events = 0_u64;
    print("fork", 1, || enricher.processes(&[record(fork)], &mut |_| events += 1));
    print("exec", 1, || enricher.processes(&[record(ProcessChange::Exec)], &mut |_| events += 1));
    print("fork, exec, exit", 1, || {
        let records = [record(fork), record(ProcessChange::Exec), record(exit)];
        enricher.processes(&records, &mut |_| events += 1);
    });
    enricher.resync();

    let path = Path::new("/etc/hosts");
    let stat = fs::metadata(path).unwrap();
    let open = |mask| FileRecord {
        mask,
        pid,
        path: path.as_os_str().as_encoded_bytes(),
        deleted: false,
        mode: stat.mode(),
        dev: stat.dev(),
        ino: stat.ino(),
        read_at_ns: clock::realtime_ns(),
    };
    print("open, still open", 1, || {
        enricher.file(&open(abi::FAN_OPEN), &mut |_| events += 1);
        enricher.file(&open(abi::FAN_CLOSE_NOWRITE), &mut |_| events += 1);
    });
    let gone = FileRecord { ino: 1, path: b"/gone", ..open(0) };
    print("open, closed already", 1, || {
        let mask = abi::FAN_OPEN | abi::FAN_CLOSE_NOWRITE;
        let record = FileRecord { mask, read_at_ns: clock::realtime_ns(), ..gone };
        enricher.file(&record, &mut |_| events += 1);
    });
    enricher.set_needs(Needs::new(|_| true, Box::new(|_| false)));
    print("open whose mode doesn't matter", 1, || {
        enricher.file(&open(abi::FAN_OPEN), &mut |_| events += 1);
    });
    println!("{events} events, {} kB resident", resident_kb());
}

/// The median of the rounds, per turn and item.
fn print(what: &str, items: usize, mut turn: impl FnMut()) {
    let turns = if items > 1 { 3 } else { TURNS };
    let mut rounds: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let start = processor_time();
            (0..turns).for_each(|_| turn());
            (processor_time() - start).as_secs_f64() * 1e6 / f64::from(turns)
        })
        .collect();
    rounds.sort_by(f64::total_cmp);
    let median = rounds.get(ROUNDS / 2).copied().unwrap_or_default();
    let items = f64::from(u32::try_from(items).unwrap());
    println!("{what}: {:.1} µs", median / items);
}

fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).unwrap();
    Duration::from(time)
}

fn resident_kb() -> String {
    let status = fs::read("/proc/self/status").unwrap();
    let status = String::from_utf8_lossy(&status).into_owned();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.unwrap_or_default().trim().trim_end_matches(" kB").to_owned()
}
