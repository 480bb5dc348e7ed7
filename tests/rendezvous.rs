//! Programs are met at their start, and nobody waits for long whatever happens to the agent. Needs
//! root, fanotify and the proc connector.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use std::fs;
use std::fs::File;
use std::io::BufRead as _;
use std::io::BufReader;
use std::os::fd::AsFd as _;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;
use std::time::Instant;

use eyas::sources::Guardian;
use eyas::sources::Rendezvous;
use eyas::sys::abi;
use eyas::sys::channel;
use eyas::sys::child;
use eyas::sys::fanotify;
use eyas::sys::poll;
use nix::sys::signal::Signal;
use nix::sys::signal::kill;
use nix::unistd::Pid;
use support::Need;
use support::have;
use support::host::Agent;
use support::host::PATIENCE;
use support::host::Sandbox;
use support::host::await_that;

const HOST: &[Need] = &[Need::Root, Need::Fanotify, Need::ProcConnector];
const PERMISSION: &[Need] = &[Need::Root, Need::Fanotify];

/// The file that every dynamically linked program opens first.
const CACHE: &str = "/etc/ld.so.cache";

/// Nobody may wait longer.
const LONGEST: Duration = Duration::from_secs(1);

/// A root with a loader's cache of its own.
fn root() -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir(root.path().join("etc")).unwrap();
    fs::write(root.path().join("etc/ld.so.cache"), "cache").unwrap();
    root
}

/// A child that waits for a message, then does something.
fn waiting_child(body: impl FnOnce()) -> (i32, OwnedFd) {
    let (ours, theirs) = channel::pair().unwrap();
    let child = child::fork(|| {
        if poll::wait_readable(theirs.as_fd(), PATIENCE).unwrap_or(false) {
            body();
        }
    })
    .unwrap();
    (child, ours)
}

/// Waits for the end of a child of ours.
fn ends(child: i32, what: &str) {
    let deadline = Instant::now() + PATIENCE;
    while !child::has_ended(child) {
        if Instant::now() > deadline {
            child::kill(child);
            panic!("{what}: it doesn't end");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn who_is_looked_at_is_let_go_though_the_look_blocks_until_then() {
    let name = "who_is_looked_at_is_let_go_though_the_look_blocks_until_then";
    if !have(name, PERMISSION) {
        return;
    }
    let (root, proc) = (root(), tempfile::tempdir().unwrap());
    let cache = root.path().join("etc/ld.so.cache");
    // As on old kernels: `environ` can be read when the open is answered, and not before.
    let environ = |pid: i32| proc.path().join(format!("{pid}/environ"));
    let fake = proc.path().to_owned();
    let (child, start) = waiting_child(|| {
        File::open(&cache).unwrap();
        let path = fake.join(format!("{}/environ", std::process::id()));
        File::options().write(true).open(path).unwrap();
    });
    let (other, start_other) = waiting_child(|| drop(File::open(&cache).unwrap()));
    for pid in [child, other] {
        let directory = proc.path().join(pid.to_string());
        fs::create_dir(&directory).unwrap();
        fs::copy(format!("/proc/{pid}/stat"), directory.join("stat")).unwrap();
        fs::write(directory.join("cmdline"), "child\0").unwrap();
        nix::unistd::mkfifo(&environ(pid), nix::sys::stat::Mode::S_IRWXU).unwrap();
    }
    let mut guardian = Guardian::start().unwrap();
    let started = Rendezvous::start_at(&mut guardian, proc.path(), root.path());
    let (mut rendezvous, mut inbox) = started.unwrap();
    channel::send(start.as_fd(), b"go", None).unwrap();
    ends(child, "the first opener");
    // The second one's look never ends; it is let go as well, and the looker with it.
    channel::send(start_other.as_fd(), b"go", None).unwrap();
    ends(other, "the second opener");
    let writer = File::options().write(true).open(environ(other)).unwrap();
    drop(writer);
    // What was read after they were let go may be of any moment.
    assert!(inbox.next_look().is_none());
    rendezvous.end(&mut guardian);
}

#[test]
fn a_look_has_come_before_who_was_looked_at_goes_on() {
    if !have("a_look_has_come_before_who_was_looked_at_goes_on", PERMISSION) {
        return;
    }
    let root = root();
    let cache = root.path().join("etc/ld.so.cache");
    let mut guardian = Guardian::start().unwrap();
    let (mut rendezvous, mut inbox) =
        Rendezvous::start_at(&mut guardian, Path::new("/proc"), root.path()).unwrap();
    for _ in 0..50 {
        let (child, start) = waiting_child(|| drop(File::open(&cache).unwrap()));
        channel::send(start.as_fd(), b"go", None).unwrap();
        child::wait(child);
        let look = inbox.next_look().expect("no look");
        assert_eq!(look.pid, child);
    }
    rendezvous.end(&mut guardian);
    File::open(&cache).unwrap();
}

#[test]
fn no_open_is_denied_when_the_agent_has_no_descriptor_left() {
    if !have("no_open_is_denied_when_the_agent_has_no_descriptor_left", PERMISSION) {
        return;
    }
    let root = root();
    let cache = root.path().join("etc/ld.so.cache");
    let (ready, waiting) = channel::pair().unwrap();
    let agent = child::fork(|| {
        let mut guardian = Guardian::start().unwrap();
        let started = Rendezvous::start_at(&mut guardian, Path::new("/proc"), root.path());
        let _rendezvous = started.unwrap();
        nix::sys::resource::setrlimit(nix::sys::resource::Resource::RLIMIT_NOFILE, 64, 64).unwrap();
        let mut taken = Vec::new();
        while let Ok(file) = File::open("/dev/null") {
            taken.push(file);
        }
        channel::send(ready.as_fd(), b"full", None).unwrap();
        // Until it is killed.
        poll::wait_readable(ready.as_fd(), PATIENCE).unwrap();
    })
    .unwrap();
    assert!(poll::wait_readable(waiting.as_fd(), PATIENCE).unwrap());
    let opened: Vec<_> = (0..200).map(|_| File::open(&cache).map(drop)).collect();
    child::kill(agent);
    assert!(opened.iter().all(Result::is_ok), "{opened:?}");
}

/// Processes that open and run what is marked (the program needs no loader, and so is met in its
/// execve), and measure how long that takes.
struct Openers {
    child: Child,
    lines: BufReader<std::process::ChildStdout>,
}

/// What they found.
#[derive(Debug)]
struct Found {
    open: Duration,
    run: Duration,
    failed: u64,
    done: u64,
}

impl Openers {
    fn start(sandbox: &Sandbox, seconds: u32) -> Self {
        let program = sandbox.dir.join("openers");
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/openers.c");
        let mut compiler = Command::new("cc");
        compiler.args(["-static", "-O1", "-o"]).arg(&program).arg(source);
        assert!(compiler.status().unwrap().success());
        let started = sandbox.dir.join("started");
        support::make_static_program(&started);
        let mut child = Command::new(program)
            .args([&seconds.to_string(), "8", CACHE, started.to_str().unwrap()])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        lines.read_line(&mut line).unwrap();
        assert_eq!(line, "started\n");
        Self { child, lines }
    }

    /// Waits for their end, and asserts that nobody was kept.
    fn were_not_kept(mut self) -> Found {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        assert!(self.child.wait().unwrap().success());
        let numbers: Vec<u64> = line.split_whitespace().map(|n| n.parse().unwrap()).collect();
        let found = Found {
            open: Duration::from_millis(numbers[0]),
            run: Duration::from_millis(numbers[1]),
            failed: numbers[2],
            done: numbers[3],
        };
        assert!(found.done > 0 && found.failed == 0, "{found:?}");
        // A run is an open, and all that a program does besides, on a machine that is busy.
        assert!(found.open <= LONGEST && found.run <= 2 * LONGEST, "{found:?}");
        found
    }
}

/// The children of a process that are guardians.
fn guardians(agent: u32) -> Vec<i32> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let Ok(stat) = fs::read(entry.path().join("stat")) else { continue };
        let stat = String::from_utf8_lossy(&stat).into_owned();
        let Some((head, rest)) = stat.rsplit_once(')') else { continue };
        let parent = rest.split_whitespace().nth(1).unwrap_or_default();
        if head.ends_with("(eyas-guardian") && parent == agent.to_string() {
            found.push(entry.file_name().to_str().unwrap().parse().unwrap());
        }
    }
    found
}

/// The note of an agent's death is the host's: one agent at a time.
static ALONE: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An agent with the rendezvous, its sandbox, and how its guardian is called.
fn agent(sandbox: &Sandbox, options: &[&str]) -> Agent {
    let rules = sandbox.dir.join("rules.yaml");
    fs::write(
        &rules,
        "- rule: ran\n  desc: d\n  condition: evt.type = execve and proc.name = true\n  output: \
         ran pid=%proc.pid cmd=[%proc.cmdline]\n  priority: INFO\n",
    )
    .unwrap();
    // Each gap is told, whatever was told before it.
    let often = ["-o", "syscall_event_drops.max_burst=100", "-o", "syscall_event_drops.rate=100"];
    let rules = ["-r", rules.to_str().unwrap()];
    let agent = Agent::watch(sandbox, &[&rules, &often[..], options].concat());
    assert_eq!(guardians(agent.pid()).len(), 1, "{}", agent.errors());
    agent
}

/// Whether a line is the alert about a gap with that cause.
fn is_gap(cause: &str) -> impl Fn(&str) -> bool {
    move |line| line.contains("Falco internal: syscall event drop") && line.contains(cause)
}

/// Whether a process is there.
fn is_there(pid: i32) -> bool {
    kill(Pid::from_raw(pid), None).is_ok()
}

#[test]
fn programs_that_end_at_once_are_told_with_their_arguments() {
    if !have("programs_that_end_at_once_are_told_with_their_arguments", HOST) {
        return;
    }
    const COUNT: usize = 200;
    let _alone = alone();
    let sandbox = Sandbox::new();
    let mut agent = agent(&sandbox, &[]);
    let mut wanted = Vec::new();
    for number in 0..COUNT {
        let mut child = Command::new("/bin/true").arg(format!("n{number}")).spawn().unwrap();
        wanted.push((child.id(), format!("cmd=[true n{number}]")));
        child.wait().unwrap();
    }
    agent.mark(&sandbox);
    let ended = agent.end(Signal::SIGTERM);
    let mut whole = 0;
    for (pid, line) in wanted {
        let told = ended.lines.iter().filter(|text| text.contains(&format!("ran pid={pid} ")));
        let told: Vec<_> = told.collect();
        assert_eq!(told.len(), 1, "pid {pid}: {told:?}");
        whole += usize::from(told[0].ends_with(&line));
    }
    // Who waits too long is let go unread: on a machine that stands still for so long it may
    // happen.
    assert!(whole >= COUNT * 95 / 100, "{whole} of {COUNT}");
}

#[test]
fn a_stopped_agent_keeps_nobody_and_tells_of_it_afterwards() {
    if !have("a_stopped_agent_keeps_nobody_and_tells_of_it_afterwards", HOST) {
        return;
    }
    let _alone = alone();
    let sandbox = Sandbox::new();
    let mut agent = agent(&sandbox, &[]);
    let openers = Openers::start(&sandbox, 4);
    agent.send(Signal::SIGSTOP);
    openers.were_not_kept();
    agent.send(Signal::SIGCONT);
    agent.line("the gap", is_gap("rendezvous: the agent stood still"));
    agent.mark(&sandbox);
    assert!(agent.end(Signal::SIGTERM).status.success());
}

#[test]
fn a_killed_or_crashed_agent_keeps_nobody_and_leaves_no_guardian() {
    if !have("a_killed_or_crashed_agent_keeps_nobody_and_leaves_no_guardian", HOST) {
        return;
    }
    for signal in [Signal::SIGKILL, Signal::SIGABRT] {
        let _alone = alone();
        let sandbox = Sandbox::new();
        let agent = agent(&sandbox, &[]);
        let guardian = guardians(agent.pid())[0];
        let openers = Openers::start(&sandbox, 2);
        let ended = agent.end(signal);
        assert!(!ended.status.success());
        openers.were_not_kept();
        await_that("the guardian ends", || !is_there(guardian));
        // The next one says that there was nobody.
        let mut next = self::agent(&sandbox, &[]);
        next.line("the gap", is_gap("an agent before this one was killed"));
        assert!(next.end(Signal::SIGTERM).status.success());
    }
}

#[test]
fn a_killed_guardian_is_made_anew_and_keeps_nobody() {
    if !have("a_killed_guardian_is_made_anew_and_keeps_nobody", HOST) {
        return;
    }
    let _alone = alone();
    let sandbox = Sandbox::new();
    let mut agent = agent(&sandbox, &[]);
    let openers = Openers::start(&sandbox, 4);
    let first = guardians(agent.pid())[0];
    kill(Pid::from_raw(first), Signal::SIGTERM).unwrap();
    kill(Pid::from_raw(first), Signal::SIGKILL).unwrap();
    await_that("a new guardian", || guardians(agent.pid()).iter().any(|pid| *pid != first));
    // The new one does what the first one would have done.
    agent.send(Signal::SIGSTOP);
    openers.were_not_kept();
    agent.send(Signal::SIGCONT);
    agent.line("the gap", is_gap("rendezvous: the agent stood still"));
    assert!(agent.end(Signal::SIGTERM).status.success());
}

#[test]
fn an_agent_without_room_for_alerts_or_memory_keeps_nobody() {
    if !have("an_agent_without_room_for_alerts_or_memory_keeps_nobody", HOST) {
        return;
    }
    let _alone = alone();
    let sandbox = Sandbox::new();
    let full = ["-o", "file_output.enabled=true", "-o", "file_output.filename=/dev/full"];
    let agent = agent(&sandbox, &full);
    let openers = Openers::start(&sandbox, 4);
    std::thread::sleep(Duration::from_secs(1));
    let limit = libc::rlimit { rlim_cur: 1 << 20, rlim_max: 1 << 20 };
    let pid = agent.pid().cast_signed();
    // SAFETY: the call reads one rlimit and writes none.
    #[allow(unsafe_code)]
    let set =
        unsafe { libc::prlimit(pid, libc::RLIMIT_AS, &raw const limit, std::ptr::null_mut()) };
    assert_eq!(set, 0);
    openers.were_not_kept();
}

/// Lets every thread of a process run in a circle for ever, as a bug would.
#[cfg(target_arch = "x86_64")]
#[allow(unsafe_code)]
#[allow(clippy::multiple_unsafe_ops_per_block, reason = "they are one and the same call")]
fn loop_for_ever(pid: i32) {
    let auxv = fs::read(format!("/proc/{pid}/auxv")).unwrap();
    let words: Vec<u64> =
        auxv.chunks_exact(8).map(|word| u64::from_ne_bytes(word.try_into().unwrap())).collect();
    let entry = words.chunks_exact(2).find(|pair| pair[0] == libc::AT_ENTRY).unwrap()[1];
    let tasks: Vec<i32> = fs::read_dir(format!("/proc/{pid}/task"))
        .unwrap()
        .map(|task| task.unwrap().file_name().to_str().unwrap().parse().unwrap())
        .collect();
    for tid in &tasks {
        // SAFETY: ptrace with numbers and, for the registers, a struct of ours.
        unsafe {
            assert_eq!(libc::ptrace(libc::PTRACE_SEIZE, *tid, 0, 0), 0);
            assert_eq!(libc::ptrace(libc::PTRACE_INTERRUPT, *tid, 0, 0), 0);
            let mut status = 0;
            assert_eq!(libc::waitpid(*tid, &raw mut status, libc::__WALL), *tid);
            // `jmp` to itself, where the program began and never comes again.
            assert_eq!(libc::ptrace(libc::PTRACE_POKETEXT, *tid, entry, 0xfeeb_u64), 0);
            let mut registers: libc::user_regs_struct = std::mem::zeroed();
            let at = &raw mut registers;
            assert_eq!(libc::ptrace(libc::PTRACE_GETREGS, *tid, 0, at), 0);
            registers.rip = entry;
            registers.orig_rax = u64::MAX;
            assert_eq!(libc::ptrace(libc::PTRACE_SETREGS, *tid, 0, &raw const registers), 0);
            // The others are to be kept by the open files alone, not by want of a processor.
            libc::setpriority(libc::PRIO_PROCESS, tid.cast_unsigned(), 19);
        }
    }
    for tid in tasks {
        // SAFETY: as above.
        unsafe { libc::ptrace(libc::PTRACE_DETACH, tid, 0, 0) };
    }
}

#[cfg(target_arch = "x86_64")]
#[test]
fn an_agent_that_runs_in_circles_keeps_nobody() {
    if !have("an_agent_that_runs_in_circles_keeps_nobody", HOST) {
        return;
    }
    let _alone = alone();
    let sandbox = Sandbox::new();
    let agent = agent(&sandbox, &[]);
    let openers = Openers::start(&sandbox, 4);
    loop_for_ever(agent.pid().cast_signed());
    openers.were_not_kept();
    agent.end(Signal::SIGKILL);
}

#[test]
fn another_permission_listener_beside_us_stands_in_nobodys_way() {
    if !have("another_permission_listener_beside_us_stands_in_nobodys_way", HOST) {
        return;
    }
    let _alone = alone();
    let sandbox = Sandbox::new();
    let mut agent = agent(&sandbox, &[]);
    let flags = abi::FAN_CLASS_CONTENT | abi::FAN_CLOEXEC | abi::FAN_NONBLOCK;
    let group = fanotify::init(flags, libc::O_RDONLY | libc::O_CLOEXEC).unwrap();
    let cache = PathBuf::from(CACHE);
    fanotify::mark(group.as_fd(), abi::FAN_MARK_ADD, abi::FAN_OPEN_PERM, &cache).unwrap();
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    let scanner = std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        let mut count = 0;
        // As a scanner does: looks at the file, and answers. It ends with the test in any case.
        while stopped.try_recv() != Err(std::sync::mpsc::TryRecvError::Disconnected) {
            let _ = poll::wait_readable(group.as_fd(), Duration::from_millis(20));
            let Ok(len) = fanotify::read(&group, &mut buffer) else { continue };
            let walk = eyas::decode::fanotify::events(&buffer[..len]);
            for event in walk.map_while(Result::ok) {
                let _ = fs::read("/etc/passwd");
                fanotify::allow(&group, event.fd).unwrap();
                drop(fanotify::EventFd::adopt(event.fd));
                count += 1;
            }
        }
        count
    });
    let openers = Openers::start(&sandbox, 3);
    openers.were_not_kept();
    agent.mark(&sandbox);
    drop(stop);
    assert!(scanner.join().unwrap() > 0);
    assert!(agent.end(Signal::SIGTERM).status.success());
}

#[test]
fn switched_off_there_is_no_guardian() {
    if !have("switched_off_there_is_no_guardian", HOST) {
        return;
    }
    let _alone = alone();
    let sandbox = Sandbox::new();
    let agent = Agent::watch(&sandbox, &["-o", "eyas.rendezvous=false"]);
    assert!(guardians(agent.pid()).is_empty());
    assert!(agent.end(Signal::SIGTERM).status.success());
}

/// What is told of programs without a loader that end at once.
const STARTED: &str = "- rule: started
  desc: d
  condition: evt.type = execve and proc.env contains eyas-test-started
  output: started [%proc.name %proc.args] exe=%proc.exe path=%proc.exepath cwd=%proc.cwd
  priority: INFO
";

/// The part of an alert behind its rule's name.
fn told(lines: &[String]) -> Vec<&str> {
    lines.iter().filter_map(|line| line.split_once(" started ").map(|(_, rest)| rest)).collect()
}

#[test]
fn a_static_program_is_told_as_its_call_has_started_it_and_a_call_that_fails_is_not() {
    let name = "a_static_program_is_told_as_its_call_has_started_it_and_a_call_that_fails_is_not";
    if !have(name, HOST) || !looks_into_execve(name) {
        return;
    }
    let _alone = alone();
    let sandbox = Sandbox::new();
    let dir = sandbox.dir.display().to_string();
    let rules = sandbox.dir.join("rules.yaml");
    fs::write(&rules, STARTED).unwrap();
    support::make_static_program(sandbox.dir.join("program"));
    std::os::unix::fs::symlink("program", sandbox.dir.join("link")).unwrap();
    let files = [
        ("script", format!("#!{dir}/program -s  x \n")),
        ("nested", format!("#!{dir}/script\n")),
        ("damaged", "\x7fELF\x02\x01\x01".to_owned()),
        ("nobodys", format!("#!{dir}/none\n")),
    ];
    // By a process of its own: else a child of another test could keep them open for writing.
    let mut make = String::new();
    for (name, text) in &files {
        let text = text.replace('\x7f', "\\177").replace(['\x01', '\x02'], "\\001");
        make += &format!("printf '%b' '{text}' > {name}; chmod +x {name}\n");
    }
    let run = "export EYAS=eyas-test-started
./program a ''; ./link b; ./script c; ./nested d
(exec -a other ./program e)
exec 5< program; /proc/self/fd/5 f
./damaged g; ./nobodys h; ./none i
(./damaged j || exec ./program k)
";
    let shell = |text: &str| {
        let mut shell = Command::new("/bin/bash");
        let shell = shell.args(["-c", text]).current_dir(&sandbox.dir);
        shell.stderr(Stdio::null()).status().unwrap()
    };
    assert!(shell(&make).success());
    let mut agent = Agent::watch(&sandbox, &["-r", rules.to_str().unwrap()]);
    shell(run);
    agent.mark(&sandbox);
    let ended = agent.end(Signal::SIGTERM);
    let path = format!("path={dir}/program cwd={dir}/");
    assert_eq!(
        told(&ended.lines),
        [
            format!("[program a ] exe=./program {path}"),
            format!("[link b] exe=./link {path}"),
            format!("[script -s  x ./script c] exe={dir}/program {path}"),
            format!("[nested -s  x {dir}/script ./nested d] exe={dir}/program {path}"),
            format!("[program e] exe=other {path}"),
            format!("[5 f] exe=/proc/self/fd/5 {path}"),
            format!("[program k] exe=./program {path}"),
        ]
    );
}

/// Whether tasks can be looked at in their execve; if not, that is said.
fn looks_into_execve(test: &str) -> bool {
    let outcome = eyas::probe::Feature::by_name("fanotify-exec-look").unwrap().outcome();
    if outcome != eyas::probe::Outcome::Present {
        let told = format!("SKIPPED {test}: fanotify-exec-look: {outcome:?}\n");
        // Past the capture of the test harness: a skip must be seen.
        let _ = std::io::Write::write_all(&mut std::io::stderr(), told.as_bytes());
    }
    outcome == eyas::probe::Outcome::Present
}
