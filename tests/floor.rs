//! Linux 3.10, played by a seccomp filter: calls that came later fail with `ENOSYS`, flags that
//! came later with `EINVAL`. It takes away, it does not imitate old behaviour.
//!
//! The test binary starts itself anew, puts itself under the filter and becomes the program.
#![cfg(target_arch = "x86_64")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr)]

#[path = "support/ignored.rs"]
#[allow(dead_code, unreachable_pub, reason = "shared with other tests")]
mod ignored;

use std::io::BufRead;
use std::io::BufReader;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::process::Output;
use std::process::Stdio;
use std::time::Duration;
use std::time::Instant;

use eyas::decode::Record;
use eyas::probe::Feature;
use eyas::probe::Outcome;
use eyas::sources::Error;
use eyas::sources::FileWatch;
use eyas::sources::ProcConnector;
use eyas::sources::Source;
use eyas::sources::Wanted;
use eyas::sources::proc_connector;
use eyas::sys::abi;
use eyas::sys::poll;
use eyas::sys::seccomp;
use eyas::sys::seccomp::Step;
use eyas::sys::seccomp::offset;

/// The last system call of 3.10, finit_module.
const LAST_CALL: u32 = 313;
const FANOTIFY_INIT: u32 = 300;
const FANOTIFY_MARK: u32 = 301;
/// Events that fanotify_mark of 3.10 knows, with `FAN_ONDIR` and `FAN_EVENT_ON_CHILD`.
const OLD_EVENTS: u32 = 0x4803_403b;
/// Flags of fanotify_init of 3.10.
const OLD_INIT: u32 = 0x3f;
/// Flags of fanotify_mark of 3.10.
const OLD_MARK: u32 = 0xff;
const ENOSYS: u16 = 38;
const EINVAL: u16 = 22;

/// The filter; the jumps count steps to skip.
const FLOOR: [Step; 14] = [
    seccomp::load(offset::NUMBER),
    seccomp::above(LAST_CALL, 10, 0),
    seccomp::equals(FANOTIFY_INIT, 2, 0),
    seccomp::equals(FANOTIFY_MARK, 3, 0),
    seccomp::ALLOW,
    seccomp::load(offset::low_half(0)), // fanotify_init: flags
    seccomp::has(!OLD_INIT, 6, 4),
    seccomp::load(offset::low_half(1)), // fanotify_mark: flags
    seccomp::has(!OLD_MARK, 4, 0),
    seccomp::load(offset::low_half(2)), // fanotify_mark: events
    seccomp::has(!OLD_EVENTS, 2, 0),
    seccomp::ALLOW,
    seccomp::fail(ENOSYS),
    seccomp::fail(EINVAL),
];

/// A program on the floor.
fn command(program: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "the_door_to_the_floor", "--nocapture", "--test-threads=1"])
        .env("EYAS_FLOOR_PROGRAM", program)
        .env("EYAS_FLOOR_ARGUMENTS", arguments.join("\n"));
    command
}

/// Runs a program on the floor to its end.
fn run(program: &Path, arguments: &[&str]) -> Output {
    command(program, arguments).output().unwrap()
}

/// Not a test: becomes the program that [`run`] wants.
#[test]
fn the_door_to_the_floor() {
    let Some(program) = std::env::var_os("EYAS_FLOOR_PROGRAM") else { return };
    let arguments = std::env::var("EYAS_FLOOR_ARGUMENTS").unwrap();
    seccomp::install(&FLOOR).unwrap();
    let error = Command::new(program)
        .args(arguments.lines())
        .env_remove("EYAS_FLOOR_PROGRAM")
        .env("EYAS_FLOOR", "1")
        .exec();
    panic!("cannot become it: {error}");
}

/// Runs a test of this file on the floor; whether it is there already.
fn is_on_the_floor(test: &str) -> bool {
    if std::env::var_os("EYAS_FLOOR").is_some() {
        return true;
    }
    let this = std::env::current_exe().unwrap();
    let output = run(&this, &["--exact", test, "--nocapture", "--test-threads=1"]);
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}\n{errors}");
    assert!(text.contains("1 passed"), "{text}\n{errors}");
    eprint!("{errors}");
    false
}

/// Skips loudly, unless `EYAS_REQUIRE` forbids it.
fn have<T>(result: Result<T, Error>) -> Option<T> {
    match result {
        Ok(value) => Some(value),
        Err(error) if std::env::var_os("EYAS_REQUIRE").is_none() => {
            eprintln!("SKIPPED: {error}; hint: {}", error.hint());
            None
        }
        Err(error) => panic!("{error}; hint: {}", error.hint()),
    }
}

#[test]
fn what_came_after_3_10_is_absent() {
    if !is_on_the_floor("what_came_after_3_10_is_absent") {
        return;
    }
    for name in ["fanotify-filesystem-mark", "fanotify-open-exec", "fanotify-report-fid"] {
        let outcome = Feature::by_name(name).unwrap().outcome();
        let may_be = [
            Outcome::Absent("EINVAL (Invalid argument)".to_owned()),
            Outcome::Denied("EPERM (Operation not permitted)".to_owned()),
        ];
        assert!(may_be.contains(&outcome), "{name}: {outcome:?}");
    }
}

#[test]
fn files_are_watched_mount_by_mount() {
    if !is_on_the_floor("files_are_watched_mount_by_mount") {
        return;
    }
    let Some(mut watch) = have(FileWatch::start(Wanted::ALL)) else { return };
    let rungs = watch.rungs();
    let taken = |name: &str| rungs.iter().find(|rung| rung.name == name).unwrap();
    assert!(taken("one mark per mount").taken);
    assert!(!taken("FAN_OPEN_EXEC").taken);
    assert_eq!(taken("FAN_OPEN_EXEC").why, "fanotify_mark: EINVAL (Invalid argument)");

    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("read");
    std::fs::write(&path, "x").unwrap();
    let mut child = Command::new("cat").arg(&path).spawn().unwrap();
    child.wait().unwrap();
    let wanted = path.as_os_str().as_encoded_bytes();
    let is_it = |record: Record<'_>| {
        matches!(record, Record::File(record)
            if record.path == wanted && u32::try_from(record.pid) == Ok(child.id())
            && record.mask & abi::FAN_OPEN != 0)
    };
    assert!(is_told(&mut watch, is_it));
}

#[test]
fn a_file_is_known_by_device_and_inode() {
    if !is_on_the_floor("a_file_is_known_by_device_and_inode") {
        return;
    }
    let file = tempfile::NamedTempFile::new().unwrap();
    let found = eyas::sys::fs::stat_fd(file.as_file().as_fd()).unwrap();
    let expected = file.as_file().metadata().unwrap();
    assert_eq!((found.dev, found.ino), (expected.dev(), expected.ino()));
}

#[test]
fn files_that_no_rule_can_match_are_ignored_and_evade_nothing() {
    if !is_on_the_floor("files_that_no_rule_can_match_are_ignored_and_evade_nothing") {
        return;
    }
    let wanted = Wanted { opens: true, closes: true, directories: false };
    let Some(watch) = have(FileWatch::start(wanted)) else { return };
    ignored::what_is_moved_or_linked_in_is_told(&mut ignored::Stage::new(watch));
}

#[test]
fn processes_are_told() {
    if !is_on_the_floor("processes_are_told") {
        return;
    }
    let options = proc_connector::Options::default();
    let Some(mut source) = have(ProcConnector::subscribe(options)) else { return };
    let mut child = Command::new("true").spawn().unwrap();
    child.wait().unwrap();
    let is_it = |record: Record<'_>| matches!(record, Record::Process(record) if u32::try_from(record.pid) == Ok(child.id()));
    assert!(is_told(&mut source, is_it));
}

/// Whether `source` tells of `it` within half a minute.
fn is_told(source: &mut dyn Source, it: impl Fn(Record<'_>) -> bool) -> bool {
    let start = Instant::now();
    let mut told = false;
    while !told && start.elapsed() < Duration::from_secs(30) {
        poll::wait_readable(source.fd(), Duration::from_millis(100)).unwrap();
        source.drain(10_000, &mut |record| told = told || it(record)).unwrap();
    }
    told
}

#[test]
fn the_program_tells_its_version_and_its_fields() {
    let program = Path::new(env!("CARGO_BIN_EXE_eyas"));
    for arguments in [&["--version"][..], &["--list"]] {
        let output = run(program, arguments);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {errors}");
        assert!(!output.stdout.is_empty());
    }
}

#[test]
fn the_program_alerts_of_programs_and_of_files() {
    let options = proc_connector::Options::default();
    if have(ProcConnector::subscribe(options)).is_none()
        || have(FileWatch::start(Wanted::ALL)).is_none()
    {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("floor-marker");
    std::fs::write(&file, "x").unwrap();
    let rules = directory.path().join("rules.yaml");
    std::fs::write(&rules, RULES).unwrap();

    let program = Path::new(env!("CARGO_BIN_EXE_eyas"));
    let mut agent = command(program, &["-U", "-M", "60", "-r", rules.to_str().unwrap()])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let (sender, alerts) = std::sync::mpsc::channel();
    let output = BufReader::new(agent.stdout.take().unwrap());
    let reader = std::thread::spawn(move || {
        for line in output.lines().map_while(Result::ok) {
            let _ = sender.send(line);
        }
    });

    let mut seen = String::new();
    let is_told = |seen: &str| seen.contains("READ cat ") && seen.contains("EXEC cat ");
    let start = Instant::now();
    while !is_told(&seen) && start.elapsed() < Duration::from_secs(40) {
        Command::new("cat").arg(&file).output().unwrap();
        let received = alerts.recv_timeout(Duration::from_millis(200));
        for line in received.into_iter().chain(alerts.try_iter()) {
            seen.push_str(&line);
            seen.push('\n');
        }
    }
    agent.kill().unwrap();
    let errors = std::io::read_to_string(agent.stderr.take().unwrap()).unwrap();
    agent.wait().unwrap();
    reader.join().unwrap();
    assert!(is_told(&seen), "{seen}\n{errors}");
}

const RULES: &str = r#"
- rule: read
  desc: a marked file is read
  condition: evt.type in (open, openat) and evt.is_open_read=true and fd.filename=floor-marker
  output: "READ %proc.cmdline"
  priority: INFO
- rule: exec
  desc: a program is started on it
  condition: evt.type=execve and proc.cmdline contains floor-marker
  output: "EXEC %proc.cmdline"
  priority: INFO
"#;
