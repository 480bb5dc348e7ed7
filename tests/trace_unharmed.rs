//! What `eyas trace` does to the programs that it traces: nothing. Signals, stops, restarted calls,
//! vfork, exec from a thread, a real terminal; and what becomes of them when somebody is killed.
//!
//! The traced program is this test binary itself, where a shell is not enough: started again with
//! `EYAS_TRACEE` it does what that names.
#![allow(unsafe_code, clippy::multiple_unsafe_ops_per_block, reason = "the tracee makes raw calls")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that is wrong may panic")]
#![allow(clippy::indexing_slicing, clippy::print_stdout, reason = "the tracee talks to its test")]

mod support;

use std::fs;
use std::io::BufRead as _;
use std::io::BufReader;
use std::io::Lines;
use std::io::Read as _;
use std::io::Write as _;
use std::os::fd::FromRawFd as _;
use std::os::unix::process::CommandExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::Child;
use std::process::ChildStdin;
use std::process::ChildStdout;
use std::process::Command;
use std::process::ExitStatus;
use std::process::Stdio;
use std::time::Duration;
use std::time::Instant;

use nix::sys::signal::Signal;
use nix::sys::signal::kill;
use nix::unistd::Pid;

use support::host::PATIENCE;
use support::host::await_that;
use support::signals::caught;
use support::signals::handle;
use support::signals::interrupted;

/// The test whose process is the tracee, too.
const TEST: &str = "restarted_and_interrupted_calls_are_the_programs_own";

/// Needs every call that the tests make; alerts on execs alone.
const RULES: &str = "
- rule: every call
  desc: stops at all that the tests do
  condition: >
    evt.type in (read, write, nanosleep, clock_nanosleep, kill, tgkill, rt_sigaction, openat, close)
    and proc.name = nobody
  output: never
  priority: INFO
- rule: run
  desc: tells of programs
  condition: evt.type in (execve, execveat) and evt.res = SUCCESS
  output: RUN %proc.name
  priority: INFO
";

/// A directory with the rules.
fn rules() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("rules.yaml");
    fs::write(&path, RULES).unwrap();
    (dir, path)
}

fn eyas(rules: &PathBuf) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_eyas"));
    command.args(["trace", "-o", "log_level=warning", "-r"]).arg(rules);
    command
}

/// A program under the tracer with which the test talks.
struct Traced {
    child: Child,
    say: Option<ChildStdin>,
    hear: Lines<BufReader<ChildStdout>>,
    _dir: tempfile::TempDir,
}

impl Traced {
    /// Runs a shell script.
    fn shell(script: &str) -> Self {
        let (dir, rules) = rules();
        let mut child = eyas(&rules)
            .args(["--", "sh", "-c", script])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(fs::File::create(dir.path().join("stderr")).unwrap())
            .spawn()
            .unwrap();
        let say = child.stdin.take();
        let hear = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, say, hear, _dir: dir }
    }

    fn say(&mut self, line: &str) {
        writeln!(self.say.as_mut().unwrap(), "{line}").unwrap();
    }

    fn hear(&mut self) -> String {
        self.hear.next().unwrap_or_else(|| panic!("it is silent: {}", self.errors())).unwrap()
    }

    fn errors(&self) -> String {
        let text = fs::read(self._dir.path().join("stderr")).unwrap();
        String::from_utf8_lossy(&text).into_owned()
    }

    fn pid(&self) -> i32 {
        i32::try_from(self.child.id()).unwrap()
    }

    /// The tracer's process, and the program.
    fn tracer_and_program(&self) -> (i32, i32) {
        let tracer = await_some("the tracer", || {
            children(self.pid()).into_iter().find(|&pid| comm(pid) == "eyas-tracer")
        });
        (tracer, await_some("the program", || children(tracer).first().copied()))
    }

    /// Ends its input, and waits for its end.
    fn end(mut self) -> (ExitStatus, Vec<String>, String) {
        drop(self.say.take());
        let rest = self.hear.by_ref().map(Result::unwrap).collect();
        let status = self.child.wait().unwrap();
        (status, rest, self.errors())
    }
}

impl Drop for Traced {
    fn drop(&mut self) {
        drop(self.say.take());
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Awaits something.
fn await_some<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "{what} doesn't come");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// The fields of `/proc/PID/stat` behind the name.
fn stat(pid: i32) -> Option<Vec<String>> {
    let text = fs::read(format!("/proc/{pid}/stat")).ok()?;
    let text = String::from_utf8_lossy(&text).into_owned();
    Some(text[text.rfind(')')? + 2..].split(' ').map(str::to_owned).collect())
}

fn state(pid: i32) -> Option<char> {
    stat(pid)?.first()?.chars().next()
}

fn comm(pid: i32) -> String {
    let text = fs::read(format!("/proc/{pid}/comm")).unwrap_or_default();
    String::from_utf8_lossy(&text).trim_end().to_owned()
}

fn children(parent: i32) -> Vec<i32> {
    let pids = fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok()?.parse().ok());
    let parent = parent.to_string();
    pids.filter(|&pid: &i32| stat(pid).is_some_and(|stat| stat.get(1) == Some(&parent))).collect()
}

fn tracer_of(pid: i32) -> Option<i32> {
    let text = fs::read(format!("/proc/{pid}/status")).ok()?;
    let text = String::from_utf8_lossy(&text).into_owned();
    text.lines().find_map(|line| line.strip_prefix("TracerPid:")?.trim().parse().ok())
}

fn send(pid: i32, signal: Signal) {
    kill(Pid::from_raw(pid), signal).unwrap();
}

const ECHOES: &str = "while read word; do /bin/echo got-$word; done";

#[test]
fn the_program_goes_on_without_the_agent() {
    let mut traced = Traced::shell(ECHOES);
    traced.say("one");
    assert_eq!(traced.hear(), "got-one");
    let (_, program) = traced.tracer_and_program();
    send(traced.pid(), Signal::SIGKILL);
    traced.child.wait().unwrap();
    traced.say("two");
    assert_eq!(traced.hear(), "got-two");
    drop(traced.say.take());
    assert!(traced.hear.next().is_none());
    await_that("its end", || state(program).is_none_or(|state| state == 'Z'));
}

#[test]
fn the_tree_ends_with_the_tracer() {
    let mut traced = Traced::shell(ECHOES);
    traced.say("one");
    assert_eq!(traced.hear(), "got-one");
    let (tracer, program) = traced.tracer_and_program();
    send(tracer, Signal::SIGKILL);
    await_that("the program's end", || state(program).is_none_or(|state| state == 'Z'));
    let (status, rest, errors) = traced.end();
    assert_eq!((status.code(), rest.len()), (Some(1), 0));
    assert!(errors.contains("the tracer's process (eyas-tracer) was killed"), "{errors}");
}

#[test]
fn an_agent_that_stands_still_stops_nobody_for_long() {
    let mut traced = Traced::shell(ECHOES);
    traced.say("one");
    assert_eq!(traced.hear(), "got-one");
    send(traced.pid(), Signal::SIGSTOP);
    await_that("the stop", || state(traced.pid()) == Some('T'));
    for _ in 0..20 {
        traced.say("two");
        assert_eq!(traced.hear(), "got-two");
    }
    send(traced.pid(), Signal::SIGCONT);
    // It hears that something was missed, and tells of what comes then.
    await_that("the gap", || {
        traced.say("three");
        assert_eq!(traced.hear(), "got-three");
        traced.errors().contains("were not seen")
    });
    let (status, _, errors) = traced.end();
    assert!(status.success(), "{errors}");
}

#[test]
fn signals_do_what_they_do_untraced() {
    let script = "trap 'echo term' TERM; kill -TERM $$; echo on; trap - TERM; kill -PIPE $$; \
                  echo never";
    let (status, heard, errors) = Traced::shell(script).end();
    assert_eq!(
        (status.code(), &heard[..]),
        (Some(141), &["term".into(), "on".into()][..]),
        "{errors}"
    );
}

#[test]
fn a_stopped_program_stays_stopped_until_it_is_continued() {
    let mut traced = Traced::shell("echo here; kill -STOP $$; echo again; read word; exit 7");
    assert_eq!(traced.hear(), "here");
    let (_, program) = traced.tracer_and_program();
    // A traced one that is stopped with its group is shown as `t`; only then it listens.
    await_that("the stop", || matches!(state(program), Some('t' | 'T')));
    send(program, Signal::SIGCONT);
    assert_eq!(traced.hear(), "again");
    let (status, _, errors) = traced.end();
    assert_eq!(status.code(), Some(7), "{errors}");
}

#[test]
fn a_request_to_end_reaches_the_program() {
    let mut traced =
        Traced::shell("trap 'echo asked; exit 3' TERM; echo here; while :; do sleep 0.01; done");
    assert_eq!(traced.hear(), "here");
    send(traced.pid(), Signal::SIGTERM);
    assert_eq!(traced.hear(), "asked");
    let (status, _, errors) = traced.end();
    assert_eq!(status.code(), Some(3), "{errors}");
}

#[test]
fn a_program_killed_at_any_moment_is_only_gone() {
    for round in 0..12 {
        let mut traced = Traced::shell("echo here; while :; do /bin/true; (:); done");
        assert_eq!(traced.hear(), "here");
        let (_, program) = traced.tracer_and_program();
        for _ in 0..round * 200 {
            std::thread::yield_now();
        }
        send(program, Signal::SIGKILL);
        let (status, _, errors) = traced.end();
        assert_eq!(status.code(), Some(137), "{errors}");
    }
}

/// The traced half of the tests that need more than a shell.
fn tracee(what: &str) {
    match what {
        "calls" => calls(),
        "thread" => {
            let run = || {
                let error = Command::new("/bin/echo").arg("from a thread").exec();
                panic!("{error}");
            };
            let _ = std::thread::spawn(run).join();
        }
        "signals" => count_signals(),
        "vfork" => wait_for_vforked_child(),
        other => panic!("{other}?"),
    }
}

fn calls() {
    let (mut reader, mut writer) = std::io::pipe().unwrap();
    let fd = std::os::fd::AsRawFd::as_raw_fd(&reader);
    // Without SA_RESTART a blocked read is interrupted.
    handle(libc::SIGUSR1, 0);
    let mut byte = [0_u8; 1];
    let error = interrupted(|| {
        // SAFETY: one writable byte.
        let read = unsafe { libc::read(fd, byte.as_mut_ptr().cast(), 1) };
        (read, nix::errno::Errno::last())
    });
    assert_eq!(error, (-1, nix::errno::Errno::EINTR));
    // A sleep, too, and it says what is left.
    let wanted = libc::timespec { tv_sec: 1000, tv_nsec: 0 };
    let mut left = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: both live through the call.
    let slept = interrupted(|| unsafe { libc::nanosleep(&raw const wanted, &raw mut left) });
    assert!(slept == -1 && left.tv_sec >= 900, "{slept} {}", left.tv_sec);
    // With it, a read goes on until there is something.
    handle(libc::SIGUSR1, libc::SA_RESTART);
    let before = caught();
    interrupted(|| {
        std::thread::scope(|scope| {
            scope.spawn(move || {
                while caught() < before + 3 {
                    std::thread::yield_now();
                }
                writer.write_all(b"x").unwrap();
            });
            reader.read_exact(&mut byte).unwrap();
        });
    });
    assert_eq!(&byte, b"x");
    println!("well");
}

/// Sends itself signals until its input ends; each must arrive once.
fn count_signals() {
    handle(libc::SIGUSR1, libc::SA_RESTART);
    println!("ready");
    let end = std::thread::spawn(|| {
        let mut rest = String::new();
        std::io::stdin().read_to_string(&mut rest).unwrap();
    });
    let mut sent = 0;
    while !end.is_finished() {
        nix::sys::signal::raise(Signal::SIGUSR1).unwrap();
        sent += 1;
        assert_eq!(caught(), sent);
    }
    println!("well");
}

/// Stands in vfork(2) until the child, which shares its memory, hears that its input ends.
fn wait_for_vforked_child() {
    println!("ready");
    let mut byte = [0_u8; 1];
    // SAFETY: the child makes two calls and leaves by _exit, as vfork(2) asks.
    #[allow(deprecated, reason = "vfork is what is tested")]
    let pid = unsafe { libc::vfork() };
    if pid == 0 {
        // SAFETY: one writable byte; the child runs nothing else.
        unsafe {
            libc::read(0, byte.as_mut_ptr().cast(), 1);
            libc::_exit(5);
        }
    }
    let status = nix::sys::wait::waitpid(Pid::from_raw(pid), None).unwrap();
    assert!(matches!(status, nix::sys::wait::WaitStatus::Exited(_, 5)), "{status:?}");
    println!("well");
}

/// This test binary as a tracee that does `what`, started by `command` or by itself.
fn own(mut command: Command, what: &str) -> Command {
    command
        .args(["--exact", TEST, "--nocapture", "--test-threads=1"])
        .env("EYAS_TRACEE", what)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    command
}

fn own_binary() -> PathBuf {
    std::env::current_exe().unwrap()
}

#[test]
fn restarted_and_interrupted_calls_are_the_programs_own() {
    if let Some(what) = std::env::var_os("EYAS_TRACEE") {
        tracee(what.to_str().unwrap());
        return;
    }
    let (_dir, rules) = rules();
    let mut command = eyas(&rules);
    command.arg("--").arg(own_binary());
    let output = own(command, "calls").output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("well"), "{text}");
}

#[test]
fn a_thread_that_runs_a_program_becomes_it() {
    let (_dir, rules) = rules();
    let mut command = eyas(&rules);
    command.arg("--").arg(own_binary());
    let output = own(command, "thread").output().unwrap();
    let (text, told) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && text.contains("from a thread"), "{text} {told}");
    assert!(told.contains("RUN echo"), "{told}");
}

/// Attaches to a process, awaits that all its threads are followed, does something, detaches.
fn attach_and_leave(pid: i32, meanwhile: impl FnOnce()) {
    let (_dir, rules) = rules();
    let mut eyas =
        eyas(&rules).args(["-p", &pid.to_string()]).stderr(Stdio::null()).spawn().unwrap();
    let own = i32::try_from(eyas.id()).unwrap();
    await_that("the tracer", || tracer_of(pid) == Some(own));
    meanwhile();
    send(own, Signal::SIGINT);
    let status = eyas.wait().unwrap();
    assert!(status.success(), "{status}");
    assert_eq!(tracer_of(pid), Some(0));
}

/// A tracee that runs by itself.
fn untraced(what: &str) -> (Child, Lines<BufReader<ChildStdout>>, i32) {
    let mut child = own(Command::new(own_binary()), what).spawn().unwrap();
    let mut hear = BufReader::new(child.stdout.take().unwrap()).lines();
    while !hear.next().unwrap().unwrap().contains("ready") {}
    let pid = i32::try_from(child.id()).unwrap();
    (child, hear, pid)
}

fn ends_well(mut child: Child, hear: Lines<BufReader<ChildStdout>>) {
    drop(child.stdin.take());
    let rest: Vec<_> = hear.map(Result::unwrap).collect();
    let status = child.wait().unwrap();
    let is_well = rest.iter().any(|line| line.contains("well"));
    assert!(status.success() && is_well, "{status} {rest:?}");
}

#[test]
fn no_signal_is_lost_or_doubled_while_a_tracer_comes_and_goes() {
    let (child, hear, pid) = untraced("signals");
    for _ in 0..5 {
        attach_and_leave(pid, || ());
    }
    ends_well(child, hear);
}

#[test]
fn a_process_in_vfork_is_let_go() {
    let (child, hear, pid) = untraced("vfork");
    // The thread in vfork doesn't stop until its child is gone: the kernel lets it go.
    attach_and_leave(pid, || ());
    ends_well(child, hear);
}

#[test]
fn a_stopped_process_is_still_stopped_after_a_detach() {
    let mut shell = Command::new("sh")
        .args(["-c", "read word; echo got-$word"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let pid = i32::try_from(shell.id()).unwrap();
    send(pid, Signal::SIGSTOP);
    await_that("the stop", || state(pid) == Some('T'));
    attach_and_leave(pid, || ());
    await_that("the stop after the detach", || state(pid) == Some('T'));
    send(pid, Signal::SIGCONT);
    writeln!(shell.stdin.take().unwrap(), "it").unwrap();
    let output = shell.wait_with_output().unwrap();
    assert_eq!(output.stdout, b"got-it\n");
}

#[test]
fn a_sleeping_process_sleeps_on() {
    let start = Instant::now();
    let mut sleep = Command::new("sleep").arg("3").spawn().unwrap();
    let pid = i32::try_from(sleep.id()).unwrap();
    await_that("sleep", || comm(pid) == "sleep");
    for _ in 0..2 {
        attach_and_leave(pid, || ());
    }
    let status = sleep.wait().unwrap();
    assert!(status.success() && status.signal().is_none());
    assert!(start.elapsed() >= Duration::from_secs(3));
}

/// A new terminal: its two ends.
fn terminal() -> (fs::File, fs::File) {
    let (mut master, mut slave) = (0, 0);
    let null = std::ptr::null_mut();
    // SAFETY: two places for descriptors; no name, no settings.
    let made =
        unsafe { libc::openpty(&raw mut master, &raw mut slave, null, null.cast(), null.cast()) };
    assert_eq!(made, 0);
    // SAFETY: the call has just made both for us alone.
    unsafe { (fs::File::from_raw_fd(master), fs::File::from_raw_fd(slave)) }
}

#[test]
fn a_terminal_stops_and_continues_the_job() {
    let (mut master, slave) = terminal();
    let (_dir, rules) = rules();
    let mut command = Command::new("bash");
    command.args(["--norc", "--noprofile", "-i"]).env("PS1", "$ ").env("TERM", "dumb");
    command.stdin(slave.try_clone().unwrap()).stdout(slave.try_clone().unwrap()).stderr(slave);
    // SAFETY: two calls that are allowed between fork and exec.
    unsafe {
        command.pre_exec(|| {
            libc::setsid();
            libc::ioctl(0, libc::TIOCSCTTY, 0);
            Ok(())
        });
    }
    let mut bash = command.spawn().unwrap();
    // So that the terminal has no other holder here, and its end is seen.
    drop(command);
    let mut keys = master.try_clone().unwrap();
    let (sender, pieces) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(size @ 1..) = master.read(&mut buffer) {
            if sender.send(String::from_utf8_lossy(&buffer[..size]).into_owned()).is_err() {
                break;
            }
        }
    });
    let mut screen = String::new();
    let mut wait_for = |what: &str| {
        let deadline = Instant::now() + PATIENCE;
        while !screen.contains(what) {
            let left = deadline.saturating_duration_since(Instant::now());
            let piece = pieces.recv_timeout(left);
            screen.push_str(&piece.unwrap_or_else(|_| panic!("no {what} in {screen:?}")));
        }
        screen.clear();
    };
    let binary = env!("CARGO_BIN_EXE_eyas");
    writeln!(keys, "{binary} trace -o log_level=error -r {} -- cat", rules.display()).unwrap();
    wait_for("RUN cat");
    for round in 0..3 {
        // The line as it is typed, and what the program says.
        writeln!(keys, "first{round}").unwrap();
        wait_for(&format!("first{round}\r\nfirst{round}"));
        keys.write_all(b"\x1a").unwrap();
        wait_for("Stopped");
        writeln!(keys, "fg").unwrap();
        wait_for("cat");
    }
    keys.write_all(b"\x04").unwrap();
    writeln!(keys, "echo code=$?").unwrap();
    wait_for("code=0");
    writeln!(keys, "exit").unwrap();
    bash.wait().unwrap();
}
