//! `eyas trace` on what is harder to hold together: a process of many threads that are all at work
//! while the tracer comes and goes, and a 32-bit program.
//!
//! The traced program is this test binary itself: started again with `EYAS_TRACEE` it is the crowd.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that is wrong may panic")]
#![allow(clippy::print_stdout, reason = "the tracee talks to its test")]

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::io::BufRead as _;
use std::io::BufReader;
use std::io::Read as _;
use std::io::Write as _;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Stdio;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Duration;

use nix::sys::signal::Signal;
use nix::sys::signal::kill;
use nix::unistd::Pid;

const TEST: &str = "a_tracer_comes_and_goes_while_a_hundred_threads_work";
const THREADS: usize = 110;

const RULES: &str = "
- rule: open
  desc: d
  condition: evt.type in (open, openat) and fd.name = /etc/hostname
  output: OPENED %thread.tid %proc.name %evt.res
  priority: INFO
";

fn rules(dir: &Path) -> PathBuf {
    let path = dir.join("rules.yaml");
    fs::write(&path, RULES).unwrap();
    path
}

fn eyas(rules: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_eyas"));
    command.args(["trace", "-o", "log_level=error", "-r"]).arg(rules).stderr(Stdio::piped());
    command
}

/// Many threads, each of which opens a file again and again, and now and then starts another one,
/// until the input ends.
fn crowd() {
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let work = |number: usize| {
            while !is_over.load(Ordering::Acquire) {
                drop(fs::File::open("/etc/hostname").unwrap());
                std::thread::sleep(Duration::from_millis(50));
                if number.is_multiple_of(20) {
                    std::thread::spawn(|| drop(fs::File::open("/etc/hostname"))).join().unwrap();
                }
            }
        };
        let threads: Vec<_> =
            (0..THREADS).map(|number| scope.spawn(move || work(number))).collect();
        println!("ready");
        let mut rest = String::new();
        std::io::stdin().read_to_string(&mut rest).unwrap();
        is_over.store(true, Ordering::Release);
        for thread in threads {
            thread.join().unwrap();
        }
    });
    println!("well");
}

/// Whether a thread of a process has a tracer.
fn is_traced(pid: u32) -> bool {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    tasks.filter_map(Result::ok).any(|task| {
        // One that has ended meanwhile has none.
        let status = fs::read(task.path().join("status")).unwrap_or_default();
        let status = String::from_utf8_lossy(&status);
        status.contains("TracerPid:") && !status.contains("TracerPid:\t0\n")
    })
}

#[test]
fn a_tracer_comes_and_goes_while_a_hundred_threads_work() {
    if std::env::var_os("EYAS_TRACEE").is_some() {
        return crowd();
    }
    let dir = tempfile::tempdir().unwrap();
    let rules = rules(dir.path());
    let mut tracee = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", TEST, "--nocapture", "--test-threads=1"])
        .env("EYAS_TRACEE", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut hear = BufReader::new(tracee.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert!(hear.any(|line| line.contains("ready")));
    // It goes after so many threads have been told of: in the midst of things, and at work.
    for wanted in [1, 30, THREADS] {
        let mut eyas = eyas(&rules).args(["-p", &tracee.id().to_string()]).spawn().unwrap();
        let mut lines = BufReader::new(eyas.stderr.take().unwrap()).lines().map(Result::unwrap);
        let mut threads = BTreeSet::new();
        while threads.len() < wanted {
            let line = lines.next().expect("it goes on");
            let told = line.split_once("OPENED ").map(|(_, told)| told);
            threads.extend(told.and_then(|told| told.split(' ').next()).map(str::to_owned));
        }
        kill(Pid::from_raw(i32::try_from(eyas.id()).unwrap()), Signal::SIGINT).unwrap();
        // Drained, so that it can write its counts.
        lines.for_each(drop);
        assert!(eyas.wait().unwrap().success());
        assert!(!is_traced(tracee.id()));
    }
    drop(tracee.stdin.take());
    let rest: Vec<_> = hear.collect();
    assert!(tracee.wait().unwrap().success() && rest.iter().any(|line| line.contains("well")));
}

/// Opens /etc/hostname and something that isn't there by 32-bit calls, without a library.
const SMALL: &str = r#"
static long call(long number, long a, long b, long c)
{
    long result;
    __asm__ volatile("int $0x80" : "=a"(result) : "a"(number), "b"(a), "c"(b), "d"(c) : "memory");
    return result;
}
void _start(void)
{
    call(5, (long)"/etc/hostname", 0, 0);
    call(295, -100, (long)"/etc/hostname", 0);
    call(1, 7, 0, 0);
}
"#;

#[test]
fn a_32_bit_program_is_told_of_as_any_other() {
    if !cfg!(target_arch = "x86_64") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let (source, program) = (dir.path().join("small.c"), dir.path().join("small"));
    fs::write(&source, SMALL).unwrap();
    let built = Command::new("cc")
        .args(["-m32", "-static", "-nostdlib", "-fno-pie", "-no-pie", "-fno-stack-protector", "-o"])
        .args([&program, &source])
        .output()
        .unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    let output = eyas(&rules(dir.path())).arg("--").arg(&program).output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    if output.status.code() == Some(1) && told.contains("Exec format error") {
        let _ = writeln!(std::io::stderr(), "SKIPPED: this kernel runs no 32-bit programs");
        return;
    }
    assert_eq!(output.status.code(), Some(7), "{told}");
    assert_eq!(told.matches(" small SUCCESS").count(), 2, "{told}");
}
