//! Alerts a second from a capture file to a file in JSON, and that none is missing.
//!
//! `cargo bench --bench outputs`; `EYAS_BENCH_ALERTS` changes how many.
//!
//! Measured on two processors (release): 500,000 a second of 284 bytes with `keep_alive`, 600,000
//! without; one run of 500,000 alerts each.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::indexing_slicing, reason = "a program")]
#![allow(missing_docs, reason = "a program")]

#[path = "../tests/support/capture.rs"]
#[allow(dead_code, reason = "shared with tests")]
mod capture;
#[path = "../tests/support/numbered.rs"]
#[allow(dead_code, unreachable_pub, clippy::panic, reason = "shared with tests")]
mod numbered;

use std::time::Instant;

fn main() {
    let alerts = std::env::var("EYAS_BENCH_ALERTS").ok().and_then(|text| text.parse().ok());
    let alerts: u64 = alerts.unwrap_or(500_000);
    for keep_alive in [true, false] {
        let bench = numbered::Bench::new(&format!(
            "json_output: true\n\
             file_output: {{enabled: true, filename: DIR/alerts.log, keep_alive: {keep_alive}}}\n"
        ));
        let capture = bench.write_capture(alerts);
        let mut command = bench.command(capture.to_str().unwrap());
        let began = Instant::now();
        let run = command.output().unwrap();
        let seconds = began.elapsed().as_secs_f64();
        assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
        let written = bench.read("alerts.log");
        let lines = memchr::memchr_iter(b'\n', &written).count();
        assert_eq!(u64::try_from(lines).unwrap(), alerts);
        println!(
            "keep_alive {keep_alive}: {alerts} alerts of {} bytes in {seconds:.2} s: {:.0} a second",
            written.len() as u64 / alerts,
            alerts as f64 / seconds
        );
    }
}
