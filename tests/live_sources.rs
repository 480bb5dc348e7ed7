//! The live sources against the real kernel: do a thing, see the record.
//!
//! They need root. Where something is missing a test says so and passes, unless `EYAS_REQUIRE`
//! names it (`EYAS_REQUIRE=root,fanotify,proc_connector`): then it fails.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;
use std::time::Instant;

use eyas::decode::FileRecord;
use eyas::decode::ProcessChange;
use eyas::decode::ProcessRecord;
use eyas::decode::Record;
use eyas::sources::Error;
use eyas::sources::FileWatch;
use eyas::sources::Loss;
use eyas::sources::LossCause;
use eyas::sources::ProcConnector;
use eyas::sources::Source;
use eyas::sources::Wanted;
use eyas::sources::fanotify::MountState;
use eyas::sources::proc_connector;
use eyas::sys::abi;
use eyas::sys::clock;
use eyas::sys::poll;
use eyas::sys::process;

/// How long anything may take before a test fails.
const PATIENCE: Duration = Duration::from_secs(30);

/// Tries until it is so.
fn await_that(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "not so: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Whatever a source gives; `None`, said loudly, where the host refuses it and it isn't required.
fn have<T>(need: &str, result: Result<T, Error>) -> Option<T> {
    let error = match result {
        Ok(value) => return Some(value),
        Err(error) => error,
    };
    let required = std::env::var("EYAS_REQUIRE").unwrap_or_default();
    let is_required = required.split(',').any(|word| word == need || word == "root");
    assert!(!is_required, "{need} is required: {error}; hint: {}", error.hint());
    eprintln!("SKIPPED: {need} is not to be had: {error}; hint: {}", error.hint());
    None
}

fn subscribe() -> Option<ProcConnector> {
    have("proc_connector", ProcConnector::subscribe(proc_connector::Options::default()))
}

fn watch() -> Option<FileWatch> {
    have("fanotify", FileWatch::start(Wanted::ALL))
}

/// A file record that outlives its turn.
#[derive(Clone, Debug)]
struct Seen {
    record: FileRecord<'static>,
    path: Vec<u8>,
}

/// Drains until `enough` or ten seconds are over; the loss that was told.
fn drain_until(
    source: &mut dyn Source,
    mut sink: impl FnMut(Record<'_>),
    mut enough: impl FnMut() -> bool,
) -> Option<Loss> {
    let mut loss = None;
    let start = Instant::now();
    while start.elapsed() < PATIENCE {
        let drained = source.drain(10_000, &mut sink).unwrap();
        loss = drained.loss.or(loss);
        if enough() {
            break;
        }
        if !drained.more {
            poll::wait_readable(source.fd(), Duration::from_millis(100)).unwrap();
        }
    }
    loss
}

/// Drains file records about `path` until `enough` of them says so.
fn files(watch: &mut FileWatch, path: &Path, enough: impl Fn(&[Seen]) -> bool) -> Vec<Seen> {
    let seen = std::cell::RefCell::new(Vec::new());
    let wanted = path.as_os_str().as_encoded_bytes();
    let sink = |record: Record<'_>| {
        let Record::File(record) = record else { panic!("not a file: {record:?}") };
        if record.path == wanted {
            let owned = FileRecord { path: b"", ..record };
            seen.borrow_mut().push(Seen { record: owned, path: record.path.to_vec() });
        }
    };
    drain_until(watch, sink, || enough(&seen.borrow()));
    seen.into_inner()
}

fn bits(seen: &[Seen]) -> u64 {
    seen.iter().fold(0, |mask, seen| mask | seen.record.mask)
}

/// Drains process records of `pid` until its exit.
fn life(source: &mut ProcConnector, pid: i32) -> Vec<ProcessRecord> {
    let seen = std::cell::RefCell::new(Vec::new());
    let sink = |record: Record<'_>| {
        let Record::Process(record) = record else { panic!("not a process: {record:?}") };
        if record.pid == pid {
            seen.borrow_mut().push(record);
        }
    };
    let is_exit = |record: &ProcessRecord| matches!(record.what, ProcessChange::Exit { .. });
    drain_until(source, sink, || seen.borrow().iter().any(is_exit));
    seen.into_inner()
}

/// Runs a program to its end; its pid.
fn run(program: &str, arguments: &[&str]) -> i32 {
    let mut child = Command::new(program).args(arguments).stdout(Stdio::null()).spawn().unwrap();
    let pid = i32::try_from(child.id()).unwrap();
    child.wait().unwrap();
    pid
}

#[test]
fn a_child_is_forked_becomes_a_program_and_exits_in_this_order() {
    let Some(mut source) = subscribe() else { return };
    let before_ns = clock::realtime_ns();
    let pid = run("sh", &["-c", "exit 3"]);
    let after_ns = clock::realtime_ns();
    let life = life(&mut source, pid);

    let own = i32::try_from(std::process::id()).unwrap();
    let ProcessChange::Fork { parent_pid, .. } = life.first().unwrap().what else {
        panic!("no fork first: {life:?}");
    };
    assert_eq!(parent_pid, own);
    assert!(life.iter().any(|record| record.what == ProcessChange::Exec));
    let ProcessChange::Exit { wait_status, .. } = life.last().unwrap().what else {
        panic!("no exit last: {life:?}");
    };
    assert_eq!(wait_status, 3 << 8);
    for record in &life {
        let slack = 50_000_000;
        assert!(record.wall_ns + slack > before_ns, "{record:?} before {before_ns}");
        assert!(record.wall_ns < after_ns + slack, "{record:?} after {after_ns}");
    }
    assert!(life.windows(2).all(|pair| pair[0].timestamp_ns <= pair[1].timestamp_ns));
}

#[test]
fn new_ids_and_sessions_are_told() {
    let Some(mut source) = subscribe() else { return };
    let pid = run("setpriv", &["--reuid=65534", "--regid=65534", "--clear-groups", "true"]);
    let changes: Vec<_> = life(&mut source, pid).iter().map(|record| record.what).collect();
    assert!(changes.contains(&ProcessChange::Uid { real: 65534, effective: 65534 }), "{changes:?}");
    assert!(changes.contains(&ProcessChange::Gid { real: 65534, effective: 65534 }), "{changes:?}");

    let pid = run("setsid", &["--wait", "true"]);
    let changes: Vec<_> = life(&mut source, pid).iter().map(|record| record.what).collect();
    assert!(changes.contains(&ProcessChange::Sid), "{changes:?}");
}

#[test]
fn two_subscribers_both_see_everything() {
    let (Some(mut one), Some(mut other)) = (subscribe(), subscribe()) else { return };
    let pid = run("true", &[]);
    assert_eq!(life(&mut one, pid).len(), life(&mut other, pid).len());
}

#[test]
fn a_full_receive_buffer_is_a_loss_with_its_count_and_the_end_of_it_is_noticed() {
    let options = proc_connector::Options {
        receive_buffer_bytes: 4096,
        ..proc_connector::Options::default()
    };
    let Some(mut source) = have("proc_connector", ProcConnector::subscribe(options)) else {
        return;
    };
    for _ in 0..30 {
        run("true", &[]);
    }
    let drained = source.drain(100_000, &mut |_| {}).unwrap();
    let loss = drained.loss.unwrap();
    assert_eq!(loss.cause, LossCause::ReceiveBuffer);
    assert!(loss.since_ns <= loss.until_ns);

    // The numbers that are missing show with the next record, and are sure one drain later.
    let pid = run("true", &[]);
    let seen = std::cell::Cell::new(false);
    let sink = |record: Record<'_>| {
        seen.set(seen.get() || matches!(record, Record::Process(record) if record.pid == pid));
    };
    drain_until(&mut source, sink, || seen.get());
    run("true", &[]);
    let counted = std::cell::Cell::new(0);
    let start = Instant::now();
    while counted.get() == 0 && start.elapsed() < PATIENCE {
        let loss = source.drain(100_000, &mut |_| {}).unwrap().loss;
        counted.set(loss.and_then(|loss| loss.count).unwrap_or(0));
        run("true", &[]);
    }
    assert!(counted.get() > 0);
}

#[test]
fn a_subscription_that_died_in_silence_is_noticed_and_made_anew() {
    use proc_connector::{ECHO, Hearing, SILENCE};

    let Some(mut source) = subscribe() else { return };
    source.unsubscribe();
    while source.drain(1024, &mut |_| ()).unwrap().more {}
    let now = Instant::now();
    assert_eq!(source.check_silence(now + SILENCE).unwrap(), Hearing::Good);
    let Hearing::Renewed(loss) = source.check_silence(now + SILENCE + ECHO).unwrap() else {
        panic!("the silence was not noticed");
    };
    assert_eq!((loss.cause, loss.count), (LossCause::Silence, None));
    let mut child = Command::new("/bin/true").spawn().unwrap();
    let pid = i32::try_from(child.id()).unwrap();
    child.wait().unwrap();
    let deadline = Instant::now() + PATIENCE;
    let mut is_told = false;
    while !is_told {
        assert!(Instant::now() < deadline, "the new subscription tells nothing");
        poll::wait_readable(source.fd(), Duration::from_secs(1)).unwrap();
        let mut sink = |record: Record<'_>| {
            is_told |= matches!(record, Record::Process(record) if record.pid == pid);
        };
        source.drain(1024, &mut sink).unwrap();
    }
}

#[test]
fn without_the_privilege_each_source_says_which_one_is_missing() {
    // Capabilities belong to threads, and each test is one.
    process::keep_capabilities(&[]).unwrap();
    match ProcConnector::subscribe(proc_connector::Options::default()) {
        // From 6.6 everybody may listen.
        Ok(mut source) => {
            let pid = run("true", &[]);
            assert!(!life(&mut source, pid).is_empty());
        }
        Err(error) => {
            assert!(matches!(error, Error::Denied(_)));
            let text = "cannot subscribe to process events: bind(NETLINK_CONNECTOR): EPERM \
                        (Operation not permitted)";
            assert_eq!(error.to_string(), text);
            assert!(error.hint().contains("CAP_NET_ADMIN"));
        }
    }

    let error = FileWatch::start(Wanted::ALL).unwrap_err();
    assert!(matches!(error, Error::Denied(_)));
    let text = "cannot watch files: fanotify_init: EPERM (Operation not permitted)";
    assert_eq!(error.to_string(), text);
    assert!(error.hint().contains("CAP_SYS_ADMIN"));
}

#[test]
fn silence_in_another_pid_namespace_is_noticed() {
    if std::env::var_os("EYAS_TEST_INSIDE").is_some() {
        let error = ProcConnector::subscribe(proc_connector::Options::default()).unwrap_err();
        let text = "cannot subscribe to process events: PROC_CN_MCAST_LISTEN: no answer within";
        assert!(error.to_string().starts_with(text), "{error}");
        assert!(error.hint().contains("namespace"));
        return;
    }
    let Some(_) = subscribe() else { return };
    let inside = Command::new("unshare")
        .args(["--pid", "--fork"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "silence_in_another_pid_namespace_is_noticed"])
        .env("EYAS_TEST_INSIDE", "1")
        .output()
        .unwrap();
    assert!(inside.status.success(), "{}", String::from_utf8_lossy(&inside.stdout));
}

#[test]
fn an_open_and_close_tell_who_and_what() {
    let Some(mut watch) = watch() else { return };
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a file");
    fs::write(&path, "x").unwrap();
    let before_ns = clock::realtime_ns();
    let pid = run("cat", &[path.to_str().unwrap()]);
    let closed = abi::FAN_OPEN | abi::FAN_CLOSE_NOWRITE;
    let mut seen = files(&mut watch, &path, |seen| bits(seen) & closed == closed);

    // Another test's child, between its fork and its exec, may close our copy after us.
    let own = i32::try_from(std::process::id()).unwrap();
    assert!(seen.iter().all(|seen| seen.record.pid != own), "our own accesses are not told");
    seen.retain(|seen| seen.record.pid == pid);
    assert_eq!(bits(&seen), closed);
    let metadata = fs::metadata(&path).unwrap();
    for seen in &seen {
        assert_eq!(seen.record.ino, metadata.ino());
        assert_eq!(seen.record.dev, metadata.dev());
        assert_eq!(seen.record.mode, metadata.mode());
        assert!(!seen.record.deleted);
        assert!(seen.record.read_at_ns >= before_ns);
        assert_eq!(seen.path, path.as_os_str().as_encoded_bytes());
    }
}

#[test]
fn a_written_file_is_closed_as_written() {
    let Some(mut watch) = watch() else { return };
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("written");
    run("sh", &["-c", &format!("echo x > {}", path.display())]);
    let seen = files(&mut watch, &path, |seen| bits(seen) & abi::FAN_CLOSE_WRITE != 0);
    assert_eq!(bits(&seen) & abi::FAN_CLOSE_NOWRITE, 0);
}

#[test]
fn the_opens_of_execve_are_told_apart() {
    let Some(mut watch) = watch() else { return };
    let directory = tempfile::tempdir().unwrap();
    let program = directory.path().join("program");
    // By a process of its own: see `ETXTBSY`.
    run("cp", &["/bin/true", program.to_str().unwrap()]);
    run(program.to_str().unwrap(), &[]);
    let seen = files(&mut watch, &program, |seen| bits(seen) & abi::FAN_CLOSE_NOWRITE != 0);
    assert_ne!(bits(&seen) & abi::FAN_OPEN_EXEC, 0);
}

#[test]
fn a_symbolic_link_reads_as_what_it_leads_to() {
    let Some(mut watch) = watch() else { return };
    let directory = tempfile::tempdir().unwrap();
    let (path, link) = (directory.path().join("real"), directory.path().join("link"));
    fs::write(&path, "x").unwrap();
    std::os::unix::fs::symlink(&path, &link).unwrap();
    run("cat", &[link.to_str().unwrap()]);
    assert!(!files(&mut watch, &path, |seen| !seen.is_empty()).is_empty());
}

#[test]
fn a_deleted_file_keeps_its_name_and_says_that_it_is_gone() {
    let Some(mut watch) = watch() else { return };
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("short-lived");
    run("sh", &["-c", &format!("echo x > {0}; rm {0}", path.display())]);
    let seen = files(&mut watch, &path, |seen| !seen.is_empty());
    assert!(seen.iter().all(|seen| seen.record.deleted));
}

#[test]
fn a_name_that_is_not_utf8_is_told_byte_by_byte() {
    use std::os::unix::ffi::OsStrExt;

    let Some(mut watch) = watch() else { return };
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(std::ffi::OsStr::from_bytes(b"\xff\xfe\n name"));
    fs::write(&path, "x").unwrap();
    let status = Command::new("cat").arg(&path).output().unwrap().status;
    assert!(status.success());
    assert!(!files(&mut watch, &path, |seen| !seen.is_empty()).is_empty());
}

#[test]
fn a_mount_that_comes_later_is_watched_and_forgotten_when_it_goes() {
    let Some(mut watch) = watch() else { return };
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path().to_str().unwrap();
    let mounted = Command::new("mount").args(["-t", "tmpfs", "eyas-test", place]).status();
    if !mounted.is_ok_and(|status| status.success()) {
        assert!(std::env::var("EYAS_REQUIRE").is_err(), "mount(8) is required");
        eprintln!("SKIPPED: a tmpfs cannot be mounted here");
        return;
    }
    let changed = poll::has_changed(watch.mounts_fd()).unwrap();
    let change = watch.follow_mounts().unwrap();
    let path = directory.path().join("inside");
    run("sh", &["-c", &format!("echo x > {}", path.display())]);
    let seen = files(&mut watch, &path, |seen| bits(seen) & abi::FAN_CLOSE_WRITE != 0);
    // An event that waits in a queue holds its mount, and other tests' queues are read at leisure.
    let unmounted = || Command::new("umount").arg(place).status().unwrap().success();
    await_that("the mount can go: no mark pins it", || {
        while watch.drain(10_000, &mut |_| {}).unwrap().more {}
        unmounted()
    });
    assert!(changed);
    assert!(change.marked >= 1);
    assert_ne!(bits(&seen) & abi::FAN_CLOSE_WRITE, 0);

    watch.follow_mounts().unwrap();
    let point = directory.path().as_os_str().as_encoded_bytes();
    assert!(!watch.mounts().any(|mount| mount.mount_point == point));
}

#[test]
fn every_mount_is_marked_or_says_why_not_and_so_does_every_rung() {
    let Some(watch) = watch() else { return };
    assert!(watch.mounts().any(|mount| mount.mount_point == b"/"));
    for mount in watch.mounts() {
        assert!(!matches!(mount.state, MountState::Refused(_)), "{mount:?}");
    }
    let rungs = watch.rungs();
    assert!(rungs.iter().any(|rung| rung.taken && rung.name == "one mark per mount"));
    assert!(rungs.iter().all(|rung| !rung.why.is_empty()));
}

#[test]
fn an_overflow_of_the_queue_is_a_loss_and_the_watch_goes_on() {
    let wanted = Wanted { opens: true, closes: false, directories: false };
    let Some(mut watch) = have("fanotify", FileWatch::start(wanted)) else { return };
    let directory = tempfile::tempdir().unwrap();
    // Distinct files, so that their events do not merge; by a child, since ours are not queued
    // for nothing but dropped.
    let script =
        format!("cd {} && for i in $(seq 17000); do : > f$i; done", directory.path().display());
    run("bash", &["-c", &script]);
    let mut drained = watch.drain(100_000, &mut |_| {}).unwrap();
    let start = Instant::now();
    while drained.loss.is_none() && start.elapsed() < PATIENCE {
        drained = watch.drain(100_000, &mut |_| {}).unwrap();
    }
    let loss = drained.loss.unwrap();
    assert_eq!((loss.cause, loss.count), (LossCause::QueueOverflow, None));

    let path = directory.path().join("afterwards");
    run("sh", &["-c", &format!(": > {}", path.display())]);
    assert!(!files(&mut watch, &path, |seen| !seen.is_empty()).is_empty());
}
