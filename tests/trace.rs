//! `eyas trace` on the real kernel: every kind of call that rules ask for, with the truth of its
//! parameters, as root and without.
//!
//! The traced program is this test binary itself: started again with `EYAS_TRACEE` it makes the
//! calls of [`tracee`].
#![allow(unsafe_code, clippy::multiple_unsafe_ops_per_block, reason = "the tracee makes raw calls")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that is wrong may panic")]

mod support;

use std::ffi::CString;
use std::ffi::OsStr;
use std::fs;
use std::io::BufRead as _;
use std::io::BufReader;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use support::{Need, copy_program, have};

/// The test whose process is the tracee, too.
const TEST: &str = "a_traced_program_is_told_of_call_by_call";

/// Prints every event of these types with its parameters.
const RULES: &str = "
- rule: everything
  desc: every call that a test asks for
  condition: proc.env[EYAS_TRACEE] != '' and not evt.type in (procexit, clone, clone3, prctl)
  output: 'CALL %evt.type res=%evt.rawres fd=%fd.name kind=%fd.type args=%evt.args cmd=%proc.name'
  priority: INFO
";

/// What the tracee does, and what must be told of it. `DIR` is the tracee's directory.
const EXPECTED: &[(&str, &str)] = &[
    (
        "open",
        "CALL openat res=3 fd=DIR/new kind=file args=fd=3(<f>DIR/new) dirfd=-100(AT_FDCWD) name=DIR/new flags=4358(O_TRUNC|O_CREAT|O_WRONLY|O_CLOEXEC) mode=0666",
    ),
    (
        "failed open",
        "CALL openat res=-2 fd=DIR/nope kind=<NA> args=fd=-2(ENOENT) dirfd=-100(AT_FDCWD) name=DIR/nope flags=4097(O_RDONLY|O_CLOEXEC) mode=0",
    ),
    ("chmod", "args=res=0 filename=DIR/new mode=0700(S_IXUSR|S_IWUSR|S_IRUSR)"),
    ("rename", "args=res=0 oldpath=DIR/new newpath=DIR/newer"),
    (
        "link",
        "linkat res=0 fd=<NA> kind=<NA> args=res=0 olddir=-100(AT_FDCWD) oldpath=DIR/newer newdir=-100(AT_FDCWD) newpath=DIR/hard flags=0",
    ),
    (
        "symlink",
        "CALL symlink res=0 fd=<NA> kind=<NA> args=res=0 target=DIR/newer linkpath=DIR/soft",
    ),
    ("mkdir", "args=res=0 path=DIR/sub mode=1FF"),
    ("rmdir", "args=res=0 path=DIR/sub"),
    ("unlink", "args=res=0 path=DIR/hard"),
    ("socket", "CALL socket"),
    ("connect v4", "addr=127.0.0.1:"),
    ("connected", "->127.0.0.1:"),
    ("unix", "addr=DIR/sock"),
    ("setns", "CALL setns res=-9"),
    ("unshare", "args=res=0 flags=0"),
    ("kill", "args=res=0 pid="),
    ("finit_module", "CALL finit_module res=-"),
    ("memfd_create", "CALL memfd_create"),
    ("dup2", "CALL dup2 res=77"),
    ("mount", "CALL mount res=-"),
    ("umount2", "CALL umount2 res=-"),
    ("ptrace", "request=11(PTRACE_ATTACH) pid=1"),
    ("bpf", "CALL bpf res=-"),
    ("exec", "CALL execve res=0"),
    ("failed exec", "CALL execve res=-2"),
    ("generic", "CALL getcpu res=<NA>"),
];

/// The traced half: makes the calls. Runs only when the other half asks for it.
fn tracee(dir: &Path) {
    let new = dir.join("new");
    let path = |name: &str| CString::new(dir.join(name).to_str().unwrap()).unwrap();
    drop(fs::File::create(&new).unwrap());
    assert!(fs::File::open(dir.join("nope")).is_err());
    fs::set_permissions(&new, fs::Permissions::from_mode(0o700)).unwrap();
    fs::rename(&new, dir.join("newer")).unwrap();
    fs::hard_link(dir.join("newer"), dir.join("hard")).unwrap();
    symlink(dir.join("newer"), dir.join("soft")).unwrap();
    fs::create_dir(dir.join("sub")).unwrap();
    fs::remove_dir(dir.join("sub")).unwrap();
    fs::remove_file(dir.join("hard")).unwrap();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    drop(std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap());
    drop(listener.accept().unwrap());
    let unix = std::os::unix::net::UnixListener::bind(dir.join("sock")).unwrap();
    drop(std::os::unix::net::UnixStream::connect(dir.join("sock")).unwrap());
    drop(unix);
    let (source, target, kind) = (path("a"), path("missing"), CString::new("none").unwrap());
    // SAFETY: integers, and texts that live through the calls; none of them succeeds in changing
    // anything, but for the duplicated descriptor.
    unsafe {
        libc::setns(-1, 0);
        libc::unshare(0);
        libc::kill(libc::getpid(), 0);
        libc::syscall(libc::SYS_finit_module, -1, c"x".as_ptr(), 0);
        libc::syscall(libc::SYS_memfd_create, c"secret".as_ptr(), 0);
        libc::dup2(0, 77);
        libc::mount(source.as_ptr(), target.as_ptr(), kind.as_ptr(), 0, std::ptr::null());
        libc::umount2(target.as_ptr(), 0);
        libc::ptrace(libc::PTRACE_ATTACH, 1, 0, 0);
        libc::syscall(libc::SYS_bpf, 5, 0, 0);
        libc::syscall(libc::SYS_getcpu, 0, 0, 0);
    }
    assert!(Command::new("/nowhere/at/all").status().is_err());
    assert!(Command::new("/bin/true").status().unwrap().success());
}

/// Traces this test binary; `wrap` is put in front of the command.
fn trace(dir: &Path, wrap: &[&str]) -> Output {
    let rules = dir.join("rules.yaml");
    fs::write(&rules, RULES).unwrap();
    // Where any user may run them.
    let (own, eyas) = (dir.join("tracee"), dir.join("eyas"));
    copy_program(std::env::current_exe().unwrap(), &own);
    copy_program(env!("CARGO_BIN_EXE_eyas"), &eyas);
    let mut words: Vec<&OsStr> = wrap.iter().map(OsStr::new).collect();
    words.push(eyas.as_os_str());
    words.extend(["trace", "-o", "log_level=error", "-r"].map(OsStr::new));
    words.extend([rules.as_os_str(), OsStr::new("--"), own.as_os_str()]);
    words.extend(["--exact", TEST, "--nocapture"].map(OsStr::new));
    Command::new(words[0])
        .args(&words[1..])
        .env("EYAS_TRACEE", dir)
        .current_dir(dir)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

fn check(dir: &Path, output: &Output) {
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}");
    let told: Vec<_> = text.lines().filter(|line| line.contains("CALL ")).collect();
    let missing: Vec<_> = EXPECTED
        .iter()
        .map(|(name, wanted)| (name, wanted.replace("DIR", dir.to_str().unwrap())))
        .filter(|(_, wanted)| !told.iter().any(|line| line.contains(wanted)))
        .collect();
    let about: Vec<_> = told.iter().filter(|line| !line.contains("/lib")).collect();
    assert!(missing.is_empty(), "missing: {missing:#?}\ntold: {about:#?}");
}

#[test]
fn a_traced_program_is_told_of_call_by_call() {
    if let Some(dir) = std::env::var_os("EYAS_TRACEE") {
        tracee(Path::new(&dir));
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    check(dir.path(), &trace(dir.path(), &[]));
}

#[test]
fn without_root_the_same_is_told_of_own_processes() {
    if !have("without_root_the_same_is_told_of_own_processes", &[Need::Root]) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o777)).unwrap();
    let nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
    check(dir.path(), &trace(dir.path(), &nobody));
}

#[test]
fn a_running_process_is_followed_and_let_go_unharmed() {
    let mut shell = Command::new("sh")
        .args(["-c", "while read word; do /bin/echo got-$word; done"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut say = shell.stdin.take().unwrap();
    let mut hear = BufReader::new(shell.stdout.take().unwrap()).lines();
    let dir = tempfile::tempdir().unwrap();
    let rules = dir.path().join("rules.yaml");
    let rule = "- rule: echo\n  desc: d\n  condition: evt.type = execve and proc.name = echo\n  \
                output: HEARD %proc.cmdline of %proc.pname\n  priority: INFO\n";
    fs::write(&rules, rule).unwrap();
    let mut eyas = Command::new(env!("CARGO_BIN_EXE_eyas"))
        .args(["trace", "-o", "log_level=error", "-r"])
        .arg(&rules)
        .args(["-p", &shell.id().to_string()])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut alerts = BufReader::new(eyas.stderr.take().unwrap()).lines();
    let traced = || {
        let status = fs::read(format!("/proc/{}/status", shell.id())).unwrap();
        !String::from_utf8_lossy(&status).contains("TracerPid:\t0")
    };
    while !traced() {
        std::thread::yield_now();
        assert!(eyas.try_wait().unwrap().is_none(), "the tracer ended");
    }
    writeln!(say, "one").unwrap();
    assert_eq!(hear.next().unwrap().unwrap(), "got-one");
    assert!(alerts.next().unwrap().unwrap().ends_with("HEARD echo got-one of sh"));
    let eyas_pid = nix::unistd::Pid::from_raw(i32::try_from(eyas.id()).unwrap());
    nix::sys::signal::kill(eyas_pid, nix::sys::signal::Signal::SIGINT).unwrap();
    assert!(eyas.wait().unwrap().success());
    assert!(!traced());
    writeln!(say, "two").unwrap();
    assert_eq!(hear.next().unwrap().unwrap(), "got-two");
    drop(say);
    assert!(shell.wait().unwrap().success());
}

#[test]
fn a_thread_of_a_followed_process_is_that_process() {
    if std::env::var_os("EYAS_TRACEE").is_some() {
        // The harness runs a test in a thread that isn't the first one.
        let mut line = String::new();
        std::io::stdin().read_line(&mut line).unwrap();
        drop(fs::File::open("/etc/hostname").unwrap());
        return;
    }
    let mut tracee = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "a_thread_of_a_followed_process_is_that_process", "--nocapture"])
        .env("EYAS_TRACEE", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let tasks = format!("/proc/{}/task", tracee.id());
    while fs::read_dir(&tasks).unwrap().count() < 2 {
        assert!(tracee.try_wait().unwrap().is_none(), "the tracee ended");
        std::thread::yield_now();
    }
    let dir = tempfile::tempdir().unwrap();
    let rules = dir.path().join("rules.yaml");
    let rule = "- rule: open\n  desc: d\n  condition: evt.type = openat and fd.name = \
                /etc/hostname\n  output: OPENED by %proc.pid\n  priority: INFO\n";
    fs::write(&rules, rule).unwrap();
    let mut eyas = Command::new(env!("CARGO_BIN_EXE_eyas"))
        .args(["trace", "-o", "log_level=error", "-r"])
        .arg(&rules)
        .args(["-p", &tracee.id().to_string()])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let all_are_traced = || {
        fs::read_dir(&tasks).unwrap().all(|task| {
            let status = fs::read(task.unwrap().path().join("status")).unwrap();
            !String::from_utf8_lossy(&status).contains("TracerPid:\t0")
        })
    };
    while !all_are_traced() {
        assert!(eyas.try_wait().unwrap().is_none(), "the tracer ended");
        std::thread::yield_now();
    }
    writeln!(tracee.stdin.take().unwrap(), "go").unwrap();
    let mut alerts = BufReader::new(eyas.stderr.take().unwrap()).lines();
    let first = alerts.next();
    let alert = first.unwrap_or_else(|| panic!("eyas: {:?}", eyas.wait())).unwrap();
    assert!(alert.ends_with(&format!("OPENED by {}", tracee.id())), "{alert}");
    // Drained to its end, so that the tracer can write its counts.
    assert!(alerts.all(|line| line.is_ok()));
    assert!(eyas.wait().unwrap().success());
    assert!(tracee.wait().unwrap().success());
}

#[test]
fn the_exit_code_and_the_output_are_the_programs_own() {
    let output = Command::new(env!("CARGO_BIN_EXE_eyas"))
        .args(["trace", "-o", "log_level=error", "--", "sh", "-c", "echo out; kill -9 $$"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(137));
    assert_eq!(output.stdout, b"out\n");
}

#[test]
fn a_program_that_is_not_there_is_one_clear_error() {
    let output = Command::new(env!("CARGO_BIN_EXE_eyas"))
        .args(["trace", "-o", "log_level=error", "--", "/no/such/program"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(text.contains("cannot run /no/such/program: No such file or directory"), "{text}");
}
