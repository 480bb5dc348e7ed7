//! Alerts on their way out: to files and standard output, when all is well and when it isn't.
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

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::process::Command;
use std::time::Duration;

use eyas::outputs::file::{FileChannel, Rotation, Settings as FileSettings};
use eyas::outputs::program::{Program, Settings as ProgramSettings};
use eyas::outputs::syslog::{Settings as SyslogSettings, Syslog};
use eyas::outputs::{Channel, Outputs, Settings, WhenFull};
use numbered::{Bench, assert_lines, await_that, numbers, resident_kib};

const FILE: &str = "file_output: {enabled: true, filename: DIR/alerts.log}\n";

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn every_alert_goes_to_the_file_and_to_stdout_in_order() {
    for (json, keep_alive) in [(false, false), (true, true)] {
        let bench = Bench::new(&format!(
            "stdout_output: {{enabled: true}}\njson_output: {json}\n\
             file_output: {{enabled: true, filename: DIR/alerts.log, keep_alive: {keep_alive}}}\n"
        ));
        let run = bench.run(20_000);
        assert!(run.status.success(), "{}", text(&run.stderr));
        assert_lines(&bench.read("alerts.log"), 0..20_000);
        let counts = memchr::memmem::find(&run.stdout, b"Events detected: 20000\n").unwrap();
        assert_lines(&run.stdout[..counts], 0..20_000);
        assert_eq!(bench.read("alerts.log"), run.stdout[..counts]);
    }
}

#[test]
fn alerts_that_repeat_one_become_a_summary_if_asked() {
    let keys =
        "stdout_output: {enabled: true}\neyas: {repeats: {window: 10ms, fields: [proc.name]}}\n";
    let run = Bench::new(keys).run(25_000);
    let out = text(&run.stdout);
    let lines: Vec<_> = out.lines().take_while(|line| !line.starts_with("Events")).collect();
    // An event a microsecond: two windows and a half.
    assert_eq!(lines.len(), 6, "{out}");
    assert!(lines[0].ends_with("Warning n=/n/0000000 by=worker"));
    assert!(lines[1].ends_with("n=/n/0000000 by=worker (repeated 9999 times in 0.009 s)"));
    assert!(lines[2].ends_with("Warning n=/n/0010000 by=worker"));
    assert!(lines[5].ends_with("n=/n/0020000 by=worker (repeated 4999 times in 0.004 s)"));
    assert!(out.contains("Events detected: 25000\n"));

    let all = "stdout_output: {enabled: true}\neyas: {repeats: {window: 1h}}\n";
    let run = Bench::new(all).run(500);
    assert_eq!(numbers(&run.stdout).len(), 500, "their files differ");
    let wrong = "stdout_output: {enabled: true}\neyas: {repeats: {window: 1h, fields: [x.y]}}\n";
    let run = Bench::new(wrong).run(1);
    assert!(text(&run.stderr).contains("Error: eyas.repeats.fields: 'x.y' is no field"));
}

#[test]
fn without_any_output_the_agent_does_not_start() {
    let run = Bench::new("").run(1);
    assert_eq!(run.status.code(), Some(1));
    let wanted = "Error: No output configured, please make sure at least one output is configured \
                  and enabled.\n";
    assert!(text(&run.stderr).ends_with(wanted), "{}", text(&run.stderr));
}

#[test]
fn a_file_that_the_agent_turns_over_loses_no_line() {
    let keys = "eyas: {file_output: {max_size_mb: 1, keep: 50}}\n";
    let bench = Bench::new(&format!("{FILE}{keys}"));
    let run = bench.run(60_000);
    assert!(run.status.success(), "{}", text(&run.stderr));
    let mut all = Vec::new();
    let mut files = 0;
    for number in (1..50).rev() {
        let one = bench.read(&format!("alerts.log.{number}"));
        files += usize::from(!one.is_empty());
        assert!(one.len() <= 1 << 20);
        all.extend(one);
    }
    all.extend(bench.read("alerts.log"));
    assert!(files >= 2, "{files}");
    assert_lines(&all, 0..60_000);
}

#[test]
fn a_directory_that_appears_later_gets_every_alert() {
    let bench = Bench::new("file_output: {enabled: true, filename: DIR/later/alerts.log}\n");
    let mut agent = bench.start();
    agent.feed(0..1000);
    await_that("the fault is told", || bench.log().contains("tried again"));
    assert!(bench.log().contains("Failed to init output: failed to open output file"));
    fs::create_dir(bench.path("later")).unwrap();
    await_that("all is written", || numbers(&bench.read("later/alerts.log")).len() == 1000);
    agent.feed(1000..1500);
    assert!(agent.end().success(), "{}", bench.log());
    assert_lines(&bench.read("later/alerts.log"), 0..1500);
    assert!(bench.log().contains("file: works again after"), "{}", bench.log());
}

/// A filesystem of 256 KiB for alerts of 3 MB: what fits is whole, the rest is counted, and
/// standard output gets everything.
#[test]
fn a_full_disk_costs_only_what_goes_there_and_is_told() {
    let bench = Bench::new(
        "stdout_output: {enabled: true}\n\
         file_output: {enabled: true, filename: DIR/small/alerts.log, keep_alive: true}\n",
    );
    fs::create_dir(bench.path("small")).unwrap();
    let capture = bench.write_capture(40_000);
    let agent = bench.command(capture.to_str().unwrap());
    let script = "mount -t tmpfs -o size=256k none \"$0\" || exit 77; shift 0; \"$@\"; code=$?; \
                  cp \"$0\"/alerts.log \"$0\"/../copy; exit $code";
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--mount", "sh", "-c", script]);
    command.arg(bench.path("small")).arg(agent.get_program()).args(agent.get_args());
    let run = command.env("TZ", "UTC").output().unwrap();
    let log = text(&run.stderr);
    if run.status.code() == Some(77) || log.contains("unshare failed") {
        eprintln!("SKIPPED: no mount namespace to be had: {log}");
        return;
    }
    assert_eq!(run.status.code(), Some(1), "{log}");
    let counts = memchr::memmem::find(&run.stdout, b"Events detected: 40000\n").unwrap();
    assert_lines(&run.stdout[..counts], 0..40_000);
    let written = bench.read("copy");
    let end = written.iter().rposition(|&byte| byte == b'\n').unwrap() + 1;
    let whole = u64::try_from(numbers(&written[..end]).len()).unwrap();
    assert_lines(&written[..end], 0..whole);
    assert!(whole > 1000, "{whole}");
    let lost = format!("file: {} alerts could not be written", 40_000 - whole);
    assert!(log.contains(&lost), "{lost} is not in {log}");
    assert!(log.contains("No space left on device"), "{log}");
    assert!(log.ends_with("Error: not every alert could be written; see the log\n"), "{log}");
}

/// What a live agent does with channels that take nothing: a full disk, a directory in which not
/// even root can make files, a syslog daemon that is gone or reads nothing, a program that reads
/// nothing, whether it is started once or for each alert.
#[test]
fn a_dead_output_holds_nobody_up_and_takes_bounded_memory() {
    let dir = tempfile::tempdir().unwrap();
    let _mute = UnixDatagram::bind(dir.path().join("mute")).unwrap();
    let rotation = Rotation { max_bytes: 0, max_age: Duration::ZERO, keep: 0 };
    let file = |path: &str| -> Box<dyn Channel> {
        let settings = FileSettings { path: path.into(), keep_alive: true, rotation };
        Box::new(FileChannel::new(settings))
    };
    let syslog = |name: &str| -> Box<dyn Channel> {
        Box::new(Syslog::new(SyslogSettings {
            socket: dir.path().join(name),
            is_rfc_5424: false,
            facility: 1,
            tag: "falco".to_owned(),
            hostname: String::new(),
        }))
    };
    let program = |keep_alive| -> Box<dyn Channel> {
        // It ends with this test.
        let program = "exec 3<&0; while kill -0 $PPID 2>/dev/null; do sleep 0.2; done".to_owned();
        Box::new(Program::new(ProgramSettings { program, keep_alive }))
    };
    let channels: [(_, Box<dyn Channel>); 6] = [
        ("full disk", file("/dev/full")),
        ("read-only directory", file("/sys/kernel/alerts.log")),
        ("syslog without daemon", syslog("gone")),
        ("mute syslog daemon", syslog("mute")),
        ("program that never reads", program(true)),
        ("programs that never end", program(false)),
    ];
    for (name, channel) in channels {
        costs_only_itself(name, channel);
    }
}

fn costs_only_itself(name: &'static str, channel: Box<dyn Channel>) {
    const ALERTS: u64 = 500_000;
    let settings = Settings {
        capacity: 16_384,
        when_full: WhenFull::Drop,
        buffered: false,
        timeout: Duration::from_millis(200),
        may_end: false,
    };
    let outputs = Outputs::start(settings, vec![(name, channel)], || {}).unwrap();
    let before = resident_kib(std::process::id());
    let alert = [b'x'; 1000];
    let dropped = eyas::metrics::METRICS.outputs.dropped.get();
    let failed = eyas::metrics::METRICS.outputs.failed.get();
    for _ in 0..ALERTS {
        outputs.push(&alert, 4);
    }
    // Half a gigabyte was pushed; the queue's bound is 16 MB here.
    let grown = resident_kib(std::process::id()).saturating_sub(before);
    assert!(grown < 64 << 10, "{name}: {grown} KiB");
    let lost = eyas::metrics::METRICS.outputs.dropped.get() - dropped;
    assert!(lost >= ALERTS - 16_384 - 1024, "{name}: {lost}");
    assert!(!outputs.finish().is_complete, "{name}");
    let failed = eyas::metrics::METRICS.outputs.failed.get() - failed;
    // What a pipe or a socket took counts as written.
    assert!(lost + failed >= ALERTS - 1024, "{name}: {lost} + {failed}");
}

/// A program that neither reads nor ends is ended with its successor's start, and does not stay.
#[test]
fn a_program_that_never_reads_does_not_outlive_its_output() {
    for keep_alive in [true, false] {
        let dir = tempfile::tempdir().unwrap();
        let pid_file = dir.path().join("pid");
        let program = format!(
            "trap '' TERM; echo $$ > {0}.new; mv {0}.new {0}; exec sleep 1000",
            pid_file.display()
        );
        let settings = Settings {
            capacity: 4096,
            when_full: WhenFull::Drop,
            buffered: false,
            timeout: Duration::from_millis(200),
            may_end: false,
        };
        let never: Box<dyn Channel> =
            Box::new(Program::new(ProgramSettings { program, keep_alive }));
        let old = Outputs::start(settings, vec![("program", never)], || {}).unwrap();
        for _ in 0..1000 {
            old.push(&[b'x'; 1000], 4);
        }
        await_that("it runs", || pid_file.exists());
        let pid = text(&fs::read(&pid_file).unwrap()).trim().parse().unwrap();
        let taken = dir.path().join("taken");
        let program = format!("cat >> {}", taken.display());
        let make: eyas::outputs::Make = Box::new(move || {
            let settings = ProgramSettings { program, keep_alive: true };
            Ok(Box::new(Program::new(settings)))
        });
        let (new, successors) =
            Outputs::start_beside(settings, vec![("program", make)], || {}).unwrap();
        successors.follow(old);
        new.push(b"afterwards", 4);
        await_that("its successor works", || {
            fs::read(&taken).is_ok_and(|text| text == b"afterwards\n")
        });
        assert!(eyas::sys::process::is_gone(pid), "it lives");
        assert!(new.finish().is_complete);
    }
}
