//! A call that a signal interrupts is told once by `eyas trace`, as what became of it: gone on,
//! begun anew, or failed with EINTR.
//!
//! The traced program is this test binary itself: started again with `EYAS_TRACEE` it does what that
//! names.
#![allow(unsafe_code, clippy::multiple_unsafe_ops_per_block, reason = "the tracee makes raw calls")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that is wrong may panic")]
#![allow(clippy::print_stdout, reason = "the tracee talks to its test")]

mod support;

use std::fs;
use std::io::BufRead as _;
use std::io::BufReader;
use std::io::Read as _;
use std::io::Write as _;
use std::os::fd::AsRawFd as _;
use std::process::Command;
use std::process::Stdio;
use std::time::Instant;

use nix::sys::signal::Signal;
use nix::sys::signal::kill;
use nix::unistd::Pid;

use support::host::PATIENCE;
use support::signals::caught;
use support::signals::handle;
use support::signals::interrupted;

/// The test whose process is the tracee, too.
const TEST: &str = "a_sleep_that_a_handler_ends_is_told_once_as_interrupted";

const RULES: &str = "
- rule: told
  desc: d
  condition: evt.type = nanosleep or (evt.type = read and evt.arg.size = 1)
  output: TOLD %evt.type %evt.res
  priority: INFO
";

/// nanosleep(2) itself: the library's uses another call.
fn sleep(seconds: i64) -> i64 {
    let wanted = libc::timespec { tv_sec: seconds, tv_nsec: 0 };
    let nowhere = std::ptr::null_mut::<libc::timespec>();
    // SAFETY: it lives through the call; what is left isn't asked for.
    unsafe { libc::syscall(libc::SYS_nanosleep, &raw const wanted, nowhere) }
}

fn tracee(what: &str) {
    println!("ready");
    match what {
        "stopped" => assert_eq!(sleep(2), 0),
        "handled" => {
            handle(libc::SIGUSR1, 0);
            assert_eq!(interrupted(|| sleep(1000)), -1);
        }
        "restarted" => {
            handle(libc::SIGUSR1, libc::SA_RESTART);
            let (reader, mut writer) = std::io::pipe().unwrap();
            let mut byte = [0_u8; 1];
            let read = interrupted(|| {
                std::thread::scope(|scope| {
                    scope.spawn(move || {
                        while caught() < 3 {
                            std::thread::yield_now();
                        }
                        writer.write_all(b"x").unwrap();
                    });
                    // SAFETY: one writable byte.
                    unsafe { libc::read(reader.as_raw_fd(), byte.as_mut_ptr().cast(), 1) }
                })
            });
            assert_eq!(read, 1);
        }
        other => panic!("{other}?"),
    }
}

/// The state of a process in `/proc/PID/stat`.
fn state(pid: i32) -> Option<u8> {
    let text = fs::read(format!("/proc/{pid}/stat")).ok()?;
    let name_ends = text.iter().rposition(|&byte| byte == b')')?;
    text.get(name_ends + 2).copied()
}

fn await_state(pid: i32, wanted: &[u8]) {
    let deadline = Instant::now() + PATIENCE;
    while !state(pid).is_none_or(|state| wanted.contains(&state)) {
        assert!(Instant::now() < deadline, "{pid} is never {wanted:?}");
        std::thread::yield_now();
    }
}

/// What is told of the tracee that does `what`; `meanwhile` gets its process.
fn told(what: &str, meanwhile: impl FnOnce(i32)) -> Vec<String> {
    let dir = tempfile::tempdir().unwrap();
    let rules = dir.path().join("rules.yaml");
    fs::write(&rules, RULES).unwrap();
    let mut eyas = Command::new(env!("CARGO_BIN_EXE_eyas"))
        .args(["trace", "-o", "log_level=error", "-r"])
        .arg(&rules)
        .arg("--")
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", TEST, "--nocapture", "--test-threads=1"])
        .env("EYAS_TRACEE", what)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut hear = BufReader::new(eyas.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert!(hear.any(|line| line.contains("ready")));
    let child = |pid: i32| {
        let text = support::host::read(format!("/proc/{pid}/task/{pid}/children"));
        text.split_whitespace().next().unwrap().parse::<i32>().unwrap()
    };
    // The tracer's process, and the program.
    meanwhile(child(child(i32::try_from(eyas.id()).unwrap())));
    let rest: Vec<String> = hear.collect();
    let mut errors = String::new();
    eyas.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
    assert!(eyas.wait().unwrap().success(), "{rest:?} {errors}");
    let told = errors.lines().filter_map(|line| line.split_once("TOLD "));
    told.map(|(_, told)| told.to_owned()).collect()
}

#[test]
fn a_sleep_that_a_handler_ends_is_told_once_as_interrupted() {
    if let Some(what) = std::env::var_os("EYAS_TRACEE") {
        tracee(what.to_str().unwrap());
        return;
    }
    assert_eq!(told("handled", |_| ()), ["nanosleep EINTR"]);
}

#[test]
fn a_sleep_that_goes_on_after_a_stop_is_told_once_at_its_end() {
    let told = told("stopped", |pid| {
        for _ in 0..3 {
            let _ended = kill(Pid::from_raw(pid), Signal::SIGSTOP);
            await_state(pid, b"tTZ");
            let _ended = kill(Pid::from_raw(pid), Signal::SIGCONT);
            await_state(pid, b"SRZ");
        }
    });
    assert_eq!(told, ["nanosleep SUCCESS"]);
}

#[test]
fn a_read_that_is_begun_anew_is_told_once() {
    assert_eq!(told("restarted", |_| ()), ["read SUCCESS"]);
}
