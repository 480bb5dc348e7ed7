//! Live tests on this host: a place to play in, programs that stay until they are told to end, a
//! cgroup in which they count as host processes, and the agent itself with its output read line by
//! line. Nothing here waits for a fixed time: a line is awaited, with a deadline.

use std::fs;
use std::io::BufRead as _;
use std::io::BufReader;
use std::io::Read as _;
use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::ChildStdin;
use std::process::Command;
use std::process::ExitStatus;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Receiver;
use std::sync::mpsc::RecvTimeoutError;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use nix::sys::signal::Signal;
use nix::sys::signal::kill;
use nix::unistd::Pid;

/// How long an alert may take before a test fails.
pub const PATIENCE: Duration = Duration::from_secs(30);

static NEXT: AtomicU32 = AtomicU32::new(0);

/// Waits until `is_so`.
#[track_caller]
pub fn await_that(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// A number that no other call in this process gets.
pub fn unique() -> u32 {
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// Reads a file of the test's own.
pub fn read(path: impl AsRef<Path>) -> String {
    let path = path.as_ref();
    String::from_utf8(fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display())))
        .unwrap()
}

/// A directory outside the places that the shipped rules are suspicious of, with programs that
/// can be given any name. Removed with everything that [`Self::made`] lists.
#[derive(Debug)]
pub struct Sandbox {
    /// Its path.
    pub dir: PathBuf,
    _scope: Scope,
}

impl Sandbox {
    /// Makes one; needs root and a C compiler.
    pub fn new() -> Self {
        let dir = PathBuf::from(format!("/opt/eyas-test-{}-{}", std::process::id(), unique()));
        fs::create_dir_all(dir.join("bin")).unwrap();
        fs::write(dir.join("made"), "").unwrap();
        let sandbox = Self { dir, _scope: Scope::enter() };
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/stand_in.c");
        let built = Command::new("cc")
            .args(["-static", "-O1", "-o"])
            .args([sandbox.dir.join("stand-in"), PathBuf::from(source)])
            .output()
            .expect("a C compiler is needed");
        assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
        super::copy_program("/bin/bash", sandbox.dir.join("bash"));
        if Path::new("/bin/bash-static").exists() {
            super::copy_program("/bin/bash-static", sandbox.dir.join("bash-static"));
        }
        sandbox
    }

    /// A file in it, made if it isn't there.
    pub fn file(&self, name: &str) -> PathBuf {
        let path = self.dir.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        if !path.exists() {
            fs::write(&path, "one line\n").unwrap();
        }
        path
    }

    /// Another name of the program that stays until its standard input ends.
    pub fn program(&self, name: &str) -> PathBuf {
        self.link("stand-in", name)
    }

    /// Another name of one of the programs that lie in the directory.
    pub fn link(&self, program: &str, name: &str) -> PathBuf {
        let path = self.dir.join("bin").join(name);
        if !path.exists() {
            fs::hard_link(self.dir.join(program), &path).unwrap();
        }
        path
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        let made = read(self.dir.join("made"));
        let (mut dirs, files): (Vec<_>, Vec<_>) =
            made.lines().partition(|path| Path::new(path).is_dir());
        for file in files {
            let _ = fs::remove_file(file);
        }
        // Those below first. What somebody else has put into one by now keeps it.
        dirs.sort_by_key(|path| std::cmp::Reverse(path.len()));
        for dir in dirs {
            let _ = fs::remove_dir(dir);
        }
        let _ = fs::remove_dir_all(&self.dir);
    }
}

/// A process of a test that stays as long as its standard input is open; ended on drop.
#[derive(Debug)]
pub struct Staying {
    child: Child,
    input: Option<ChildStdin>,
}

impl Staying {
    /// Starts it.
    pub fn start(command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let input = child.stdin.take();
        Self { child, input }
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Whether it hasn't ended.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Lets it go and waits for its end.
    pub fn end(mut self) -> ExitStatus {
        drop(self.input.take());
        self.child.wait().unwrap()
    }
}

impl Drop for Staying {
    fn drop(&mut self) {
        drop(self.input.take());
        let deadline = Instant::now() + Duration::from_secs(2);
        while Instant::now() < deadline {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            thread::sleep(Duration::from_millis(5));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Of an argument that names a file of the project a copy in `dir`, of any other itself: a checkout
/// may be somebody else's, whose rules an agent that runs as root refuses.
fn own_copy(argument: &str, dir: &Path) -> PathBuf {
    let path = Path::new(argument);
    if !path.starts_with(env!("CARGO_MANIFEST_DIR")) || !path.is_file() {
        return path.to_owned();
    }
    let copy = dir.join(path.file_name().unwrap());
    fs::write(&copy, fs::read(path).unwrap()).unwrap();
    copy
}

/// The agent, running; killed on drop.
#[derive(Debug)]
pub struct Agent {
    child: Child,
    lines: Receiver<String>,
    seen: Vec<String>,
    errors: Arc<Mutex<String>>,
    _copies: tempfile::TempDir,
}

/// How an agent ended.
#[derive(Debug)]
pub struct Ended {
    /// Its exit status.
    pub status: ExitStatus,
    /// All lines of its standard output.
    pub lines: Vec<String>,
    /// Its standard error.
    pub errors: String,
}

impl Agent {
    /// Starts it with these arguments and waits until it watches both programs and files: rules
    /// that tell so are added in front of the others.
    pub fn watch(sandbox: &Sandbox, arguments: &[&str]) -> Self {
        let markers = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/rules/markers.yaml");
        let mut agent = Self::start(&[&["-r", markers], arguments].concat());
        let deadline = Instant::now() + PATIENCE;
        while !agent.try_mark(sandbox, Duration::from_millis(500)) {
            let is_running = matches!(agent.child.try_wait(), Ok(None));
            let may_come = is_running && Instant::now() < deadline;
            assert!(may_come, "it doesn't watch:\n{}", agent.told());
        }
        agent
    }

    /// Starts it with these arguments.
    pub fn start(arguments: &[&str]) -> Self {
        Self::start_in(&[], arguments)
    }

    /// The same with these environment variables.
    pub fn start_in(environment: &[(&str, &Path)], arguments: &[&str]) -> Self {
        let copies = tempfile::tempdir().unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_eyas"))
            .args(arguments.iter().map(|argument| own_copy(argument, copies.path())))
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (sender, lines) = channel();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        thread::spawn(move || {
            for line in stdout.split(b'\n').map_while(Result::ok) {
                if sender.send(String::from_utf8_lossy(&line).into_owned()).is_err() {
                    break;
                }
            }
        });
        let errors = Arc::new(Mutex::new(String::new()));
        let written = Arc::clone(&errors);
        let mut stderr = child.stderr.take().unwrap();
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(size @ 1..) = stderr.read(&mut buffer) {
                written.lock().unwrap().push_str(&String::from_utf8_lossy(&buffer[..size]));
            }
        });
        Self { child, lines, seen: Vec::new(), errors, _copies: copies }
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The lines that have been read so far.
    pub fn lines(&self) -> &[String] {
        &self.seen
    }

    /// What it has written to standard error so far.
    pub fn errors(&self) -> String {
        self.errors.lock().unwrap().clone()
    }

    /// Forgets the lines that have been read so far.
    pub fn forget(&mut self) {
        self.seen.clear();
    }

    /// The first line, of those read already or still to come, that `accept` takes.
    pub fn line(&mut self, what: &str, accept: impl Fn(&str) -> bool) -> String {
        let line = self.line_within(PATIENCE, accept);
        line.unwrap_or_else(|| panic!("no line with {what}:\n{}", self.told()))
    }

    /// The same, if it comes within that time.
    pub fn line_within(
        &mut self,
        patience: Duration,
        accept: impl Fn(&str) -> bool,
    ) -> Option<String> {
        let deadline = Instant::now() + patience;
        let mut from = 0;
        loop {
            if let Some(line) = self.seen[from..].iter().find(|line| accept(line)) {
                return Some(line.clone());
            }
            from = self.seen.len();
            if !self.read_until(deadline) {
                return None;
            }
        }
    }

    /// Waits until `accept` takes what it has written to standard error.
    pub fn error(&self, what: &str, accept: impl Fn(&str) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !accept(&self.errors()) {
            assert!(Instant::now() < deadline, "{what} is missing:\n{}", self.told());
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Sends it a signal.
    pub fn send(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().cast_signed()), signal).unwrap();
    }

    /// Does something that the marker rules tell of, and waits until they have: everything that
    /// happened before has been judged by then.
    pub fn mark(&mut self, sandbox: &Sandbox) {
        assert!(self.try_mark(sandbox, PATIENCE), "the marker got lost:\n{}", self.told());
    }

    fn try_mark(&mut self, sandbox: &Sandbox, patience: Duration) -> bool {
        let number = format!("eyas-marker-{}-{}", std::process::id(), unique());
        let file = sandbox.file(&number);
        let marker = Staying::start(
            Command::new(sandbox.program("eyas-marker")).arg("--open-close").arg(&file),
        );
        let deadline = Instant::now() + patience;
        // Each line once: there may be very many.
        let mut from = self.seen.len();
        let (mut has_run, mut has_opened) = (false, false);
        let found = loop {
            for line in self.seen[from..].iter().filter(|line| line.contains(&number)) {
                has_run |= line.contains("marker run");
                has_opened |= line.contains("marker opened");
            }
            from = self.seen.len();
            if has_run && has_opened {
                break true;
            }
            if !self.read_until(deadline) {
                break false;
            }
        };
        drop(marker);
        found
    }

    /// Sends `signal` and waits for the end.
    pub fn end(self, signal: Signal) -> Ended {
        self.send(signal);
        self.ended()
    }

    /// Waits for the end.
    pub fn ended(mut self) -> Ended {
        let deadline = Instant::now() + PATIENCE;
        while self.read_until(deadline) {}
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(Instant::now() < deadline, "it doesn't end:\n{}", self.told());
            thread::sleep(Duration::from_millis(5));
        };
        // Its reader ends with the pipe; what it has read is complete then.
        while Arc::strong_count(&self.errors) > 1 && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(5));
        }
        let errors = self.errors();
        Ended { status, lines: std::mem::take(&mut self.seen), errors }
    }

    /// Reads one more line; `false` at the deadline or the end of the output.
    fn read_until(&mut self, deadline: Instant) -> bool {
        match self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(line) => {
                self.seen.push(line);
                true
            }
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => false,
        }
    }

    fn told(&self) -> String {
        // What the rest of the machine does meanwhile is most of it.
        let own = |line: &&String| !line.contains("shell in a container");
        let lines: Vec<_> = self.seen.iter().filter(own).map(String::as_str).collect();
        let last = &lines[lines.len().saturating_sub(60)..];
        format!("stdout:\n{}\nstderr:\n{}", last.join("\n"), self.errors())
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A cgroup for this process and its children whose name says that it isn't a container.
///
/// In some environments tests run in a cgroup whose path looks like a container's to Falco and so
/// to us; names that end in `.scope` are exempt.
#[derive(Debug)]
pub struct Scope(());

/// How many want the cgroups; of each its directory and the one that this process came from.
/// Locked while they are made or removed, or a removal would end children that just came.
static GROUPS: Mutex<(usize, Vec<(PathBuf, PathBuf)>)> = Mutex::new((0, Vec::new()));

impl Scope {
    /// Moves this process into one, or into the one it is in already; back on the last drop.
    pub fn enter() -> Self {
        let mut current = GROUPS.lock().unwrap_or_else(PoisonError::into_inner);
        if current.0 == 0 {
            current.1 = Self::make();
        }
        current.0 += 1;
        Self(())
    }

    fn make() -> Vec<(PathBuf, PathBuf)> {
        let mut groups = Vec::new();
        for line in read("/proc/self/cgroup").lines() {
            let mut parts = line.splitn(3, ':').skip(1);
            let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else { continue };
            let exempt = [".scope", ".service", ".slice"];
            if path == "/" || exempt.iter().any(|end| path.ends_with(end)) {
                continue;
            }
            let controllers = controllers.strip_prefix("name=").unwrap_or(controllers);
            let roots = ["/sys/fs/cgroup/unified".to_owned(), "/sys/fs/cgroup".to_owned()];
            let roots = if controllers.is_empty() {
                roots.to_vec()
            } else {
                vec![format!("/sys/fs/cgroup/{controllers}")]
            };
            let Some(parent) = roots
                .iter()
                .map(|root| PathBuf::from(format!("{root}{path}")))
                .find(|dir| dir.join("cgroup.procs").exists())
            else {
                continue;
            };
            let dir = parent.join(format!("eyas-test-{}-{}.scope", std::process::id(), unique()));
            fs::create_dir(&dir).unwrap();
            fs::write(dir.join("cgroup.procs"), std::process::id().to_string()).unwrap();
            groups.push((dir, parent));
        }
        groups
    }
}

impl Drop for Scope {
    fn drop(&mut self) {
        let mut current = GROUPS.lock().unwrap_or_else(PoisonError::into_inner);
        current.0 -= 1;
        if current.0 > 0 {
            return;
        }
        for (dir, parent) in current.1.drain(..) {
            let _ = fs::write(parent.join("cgroup.procs"), std::process::id().to_string());
            let deadline = Instant::now() + Duration::from_secs(5);
            while fs::remove_dir(&dir).is_err() && dir.exists() && Instant::now() < deadline {
                // Only what tests started and left can be in there.
                for pid in read(dir.join("cgroup.procs")).lines().flat_map(str::parse) {
                    let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
                }
                thread::sleep(Duration::from_millis(5));
            }
        }
    }
}
