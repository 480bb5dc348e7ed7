//! Files opened in other mount namespaces, against the real kernel: told once, with the path that
//! the process sees.
//!
//! They need root. Where something is missing a test says so and passes, unless `EYAS_REQUIRE` is
//! set: then it fails.
#![allow(clippy::indexing_slicing, clippy::panic, clippy::print_stderr, clippy::unwrap_used)]

use std::io::BufRead;
use std::io::BufReader;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Child;
use std::process::ChildStdout;
use std::process::Command;
use std::process::Output;
use std::process::Stdio;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;
use std::time::Instant;

use eyas::decode::Record;
use eyas::sources::Error;
use eyas::sources::FileWatch;
use eyas::sources::ProcConnector;
use eyas::sources::Source;
use eyas::sources::Wanted;
use eyas::sources::proc_connector;
use eyas::sys::abi;
use eyas::sys::poll;

/// How long anything may take before a test fails.
const PATIENCE: Duration = Duration::from_secs(30);

/// Held by each test: a namespace that ends gives its numbers to the next that begins.
static ALONE: Mutex<()> = Mutex::new(());

/// Both sources, drained as the agent does.
struct Watch {
    files: FileWatch,
    processes: ProcConnector,
    /// The process whose opens count even without a path.
    unnamed: i32,
    _alone: MutexGuard<'static, ()>,
}

/// One file record.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Seen {
    path: String,
    mask: u64,
    pid: i32,
}

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

impl Watch {
    fn start() -> Option<Self> {
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let processes = have(ProcConnector::subscribe(proc_connector::Options::default()))?;
        // Opens alone: each is one record then, and a merged one cannot hide a second.
        let wanted = Wanted { opens: true, closes: false, directories: false };
        let files = have(FileWatch::start(wanted))?;
        Some(Self { files, processes, unnamed: -1, _alone: alone })
    }

    /// Drains both once; the file records whose path ends in `name`.
    fn turn(&mut self, name: &str) -> Vec<Seen> {
        let mut seen = Vec::new();
        let unnamed = self.unnamed;
        let sink = &mut |record: Record<'_>| {
            let Record::File(record) = record else { panic!("not a file: {record:?}") };
            let path = String::from_utf8_lossy(record.path).into_owned();
            if path.ends_with(name) || path.is_empty() && record.pid == unnamed {
                seen.push(Seen { path, mask: record.mask, pid: record.pid });
            }
        };
        self.files.drain(10_000, sink).unwrap();
        let mut born = Vec::new();
        let sink = &mut |record: Record<'_>| {
            let Record::Process(record) = record else { panic!("not a process: {record:?}") };
            if record.may_be_elsewhere() {
                born.push(record.pid);
            }
        };
        self.processes.drain(10_000, sink).unwrap();
        for pid in born {
            self.files.follow_process(pid);
        }
        self.files.follow_namespaces();
        seen
    }

    /// Drains until a program ends; the file records whose path ends in `name`.
    fn during(&mut self, mut program: Child, name: &str) -> Vec<Seen> {
        let mut seen = Vec::new();
        while program.try_wait().unwrap().is_none() {
            seen.extend(self.turn(name));
            poll::wait_readable(self.processes.fd(), Duration::from_millis(1)).unwrap();
        }
        seen.extend(self.turn(name));
        seen
    }

    /// Drains until a file called `name` was opened, and a while longer; all opens of it.
    fn opens(&mut self, name: &str) -> Vec<Seen> {
        let mut seen = Vec::new();
        let start = Instant::now();
        while seen.is_empty() && start.elapsed() < PATIENCE {
            seen.extend(self.turn(name));
            poll::wait_readable(self.files.fd(), Duration::from_millis(20)).unwrap();
        }
        // A second record of the same open would be queued beside the first.
        seen.extend(self.turn(name));
        seen
    }
}

/// An image made of a static busybox, and a container of it; both go with the value.
struct Container {
    image: String,
    name: String,
}

/// docker(1); nothing is pulled.
fn docker(arguments: &[&str]) -> Output {
    Command::new("docker").args(arguments).output().unwrap()
}

impl Container {
    /// `None`, said loudly, where there is no docker daemon or no static busybox.
    fn start(test: &str) -> Option<Self> {
        let name = format!("eyas-{test}-{}", std::process::id());
        let made = Self::make(&name);
        if let Err(why) = &made {
            assert!(std::env::var_os("EYAS_REQUIRE").is_none(), "docker is required: {why}");
            eprintln!("SKIPPED: no container: {why}");
        }
        made.ok()
    }

    fn make(name: &str) -> Result<Self, String> {
        let busybox = ["/bin/busybox", "/usr/bin/busybox"]
            .into_iter()
            .find(|path| Path::new(path).exists())
            .ok_or("no busybox (busybox-static)")?;
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("bin")).unwrap();
        std::fs::create_dir(root.path().join("etc")).unwrap();
        std::fs::copy(busybox, root.path().join("bin/busybox")).unwrap();
        for applet in ["cat", "sh", "sleep"] {
            let link = root.path().join("bin").join(applet);
            std::os::unix::fs::symlink("busybox", link).unwrap();
        }
        std::fs::write(root.path().join("etc").join(name), "x").unwrap();
        let archive = root.path().join("root.tar");
        let archive = archive.to_str().unwrap();
        let place = root.path().to_str().unwrap();
        let tar = Command::new("tar").args(["-C", place, "-cf", archive, "bin", "etc"]).status();
        assert!(tar.unwrap().success());
        let container = Self { image: name.to_owned(), name: name.to_owned() };
        container.docker(&["import", archive, name])?;
        container.docker(&[
            "run",
            "-d",
            "--network",
            "none",
            "--name",
            name,
            name,
            "sleep",
            "600",
        ])?;
        Ok(container)
    }

    fn docker(&self, arguments: &[&str]) -> Result<(), String> {
        let output = docker(arguments);
        if output.status.success() {
            return Ok(());
        }
        Err(format!("{}: {}", self.name, String::from_utf8_lossy(&output.stderr).trim()))
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        docker(&["rm", "-f", &self.name]);
        docker(&["rmi", "-f", &self.image]);
    }
}

/// A shell in a namespace of its own, which does a line when it is told and then says so.
struct Shell {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl Shell {
    fn start(program: &[&str]) -> Option<Self> {
        let mut child = Command::new(program[0])
            .args(&program[1..])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let mut shell = Self { child, output };
        if shell.can("true") {
            return Some(shell);
        }
        assert!(std::env::var_os("EYAS_REQUIRE").is_none(), "{program:?} is required");
        eprintln!("SKIPPED: {program:?} does not work here");
        None
    }

    /// Does a line to its end; whether it succeeded.
    fn can(&mut self, line: &str) -> bool {
        let mut input = self.child.stdin.as_ref().unwrap();
        if writeln!(input, "{{ {line}\n}} >&2; echo $?").is_err() {
            return false;
        }
        let mut status = String::new();
        self.output.read_line(&mut status).unwrap();
        status.trim() == "0"
    }

    fn run(&mut self, line: &str) {
        assert!(self.can(line), "{line}");
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        self.child.wait().unwrap();
    }
}

const UNSHARE: [&str; 5] = ["unshare", "-m", "--propagation", "private", "sh"];

fn paths(seen: &[Seen]) -> Vec<&str> {
    seen.iter().map(|seen| seen.path.as_str()).collect()
}

/// A name that no other test opens.
fn named(directory: &Path, name: &str) -> (String, String) {
    let name = format!("{name}-{}", std::process::id());
    (directory.join(&name).to_str().unwrap().to_owned(), name)
}

#[test]
fn a_file_in_another_namespace_is_told_once() {
    let Some(mut watch) = Watch::start() else { return };
    let directory = tempfile::tempdir().unwrap();
    let (path, name) = named(directory.path(), "inside");
    let Some(mut shell) = Shell::start(&UNSHARE) else { return };
    watch.turn(&name);
    assert!(watch.files.other_namespaces() > 0);
    shell.run(&format!(": > {path}"));
    assert_eq!(paths(&watch.opens(&name)), [path]);
}

#[test]
fn a_mount_that_only_another_namespace_has_is_told_with_its_place_there() {
    let Some(mut watch) = Watch::start() else { return };
    let directory = tempfile::tempdir().unwrap();
    let (path, name) = named(directory.path(), "private");
    let Some(mut shell) = Shell::start(&UNSHARE) else { return };
    shell.run(&format!("mount -t tmpfs eyas-test {}", directory.path().display()));
    watch.turn(&name);
    shell.run(&format!(": > {path}"));
    assert_eq!(paths(&watch.opens(&name)), [path.as_str()]);
    assert!(!Path::new(&path).exists(), "it is not private");
}

#[test]
fn a_file_of_an_overlay_is_told_once_and_not_as_that_of_the_layer_below() {
    let Some(mut watch) = Watch::start() else { return };
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path().to_str().unwrap();
    let Some(mut shell) = Shell::start(&UNSHARE) else { return };
    // On a tmpfs of its own: the host's filesystem may be no layer.
    shell.run(&format!("mount -t tmpfs eyas-test {place}"));
    shell.run(&format!("cd {place} && mkdir lower upper work merged"));
    let (_, name) = named(Path::new(""), "layered");
    shell.run(&format!("echo x > lower/{name}"));
    let options = format!("lowerdir={place}/lower,upperdir={place}/upper,workdir={place}/work");
    let mount = format!("mount -t overlay eyas-test -o {options} {place}/merged");
    shell.run(&mount);
    watch.turn(&name);
    watch.turn(&name);

    shell.run(&format!("cat merged/{name}"));
    let merged = format!("{place}/merged/{name}");
    assert_eq!(paths(&watch.opens(&name)), [merged.as_str()]);
    shell.run(&format!("echo more >> merged/{name}"));
    assert_eq!(paths(&watch.opens(&name)), [merged.as_str()]);
}

#[test]
fn a_bind_mount_is_told_with_the_place_that_was_used() {
    let Some(mut watch) = Watch::start() else { return };
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path().to_str().unwrap();
    let (_, name) = named(Path::new(""), "bound");
    std::fs::create_dir(directory.path().join("a")).unwrap();
    std::fs::create_dir(directory.path().join("b")).unwrap();
    std::fs::write(directory.path().join("a").join(&name), "x").unwrap();
    let Some(mut shell) = Shell::start(&UNSHARE) else { return };
    shell.run(&format!("mount --bind {place}/a {place}/b"));
    watch.turn(&name);
    shell.run(&format!("cat {place}/b/{name}"));
    assert_eq!(paths(&watch.opens(&name)), [format!("{place}/b/{name}")]);
}

#[test]
fn after_the_end_of_a_namespace_no_path_is_told_that_lost_its_beginning() {
    let Some(mut watch) = Watch::start() else { return };
    let directory = tempfile::tempdir().unwrap();
    let (path, name) = named(directory.path(), "last");
    let Some(mut shell) = Shell::start(&UNSHARE) else { return };
    shell.run(&format!("mount -t tmpfs eyas-test {}", directory.path().display()));
    watch.turn(&name);
    watch.unnamed = i32::try_from(shell.child.id()).unwrap();
    shell.run(&format!(": > {path}"));
    drop(shell);
    let seen = watch.opens(&name);
    assert!(seen.iter().all(|seen| seen.path.is_empty() || seen.path == path), "{seen:?}");
    assert!(seen.iter().any(|seen| seen.mask & abi::FAN_OPEN != 0));
}

#[test]
fn a_namespace_that_is_gone_leaves_nothing_behind() {
    let Some(mut watch) = Watch::start() else { return };
    let Some(mut shell) = Shell::start(&UNSHARE) else { return };
    let pid = i32::try_from(shell.child.id()).unwrap();
    shell.run("true");
    assert!(watch.files.follow_process(pid).is_some_and(|change| change.marked > 0));
    let namespace = std::fs::metadata(format!("/proc/{pid}/ns/mnt")).unwrap().ino();
    assert!(watch.files.is_watching_namespace(namespace));
    drop(shell);
    let start = Instant::now();
    while watch.files.is_watching_namespace(namespace) {
        assert!(start.elapsed() < PATIENCE, "it is still known");
        watch.turn("nothing");
        poll::wait_readable(watch.files.fd(), Duration::from_millis(50)).unwrap();
    }
}

#[test]
fn a_file_in_a_container_is_told_once_with_the_path_in_the_container() {
    let Some(mut watch) = Watch::start() else { return };
    let Some(container) = Container::start("running") else { return };
    let name = container.name.clone();
    watch.turn(&name);
    let path = format!("/etc/{name}");
    for _ in 0..3 {
        let program = Command::new("docker")
            .args(["exec", &name, "cat", &path])
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        assert_eq!(paths(&watch.during(program, &name)), [path.as_str()]);
    }
}

#[test]
fn the_files_of_a_containers_first_program_are_told_too() {
    let Some(mut watch) = Watch::start() else { return };
    let Some(container) = Container::start("first") else { return };
    watch.turn("");
    let path = format!("/etc/{}", container.name);
    let mut told = 0;
    let mut runs = 0;
    // The program races with the look at its mounts, so some may be missed.
    while told == 0 && runs < 40 {
        runs += 1;
        let program = Command::new("docker")
            .args(["run", "--rm", "--network", "none", &container.image, "cat", &path])
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let mut seen = watch.during(program, &container.name);
        // If we got no turn between the container's pivot_root and its end, its mounts' places
        // are not known, and no path is told.
        seen.retain(|seen| !seen.path.is_empty());
        assert!(seen.len() <= 1, "told twice: {seen:?}");
        assert!(seen.iter().all(|seen| seen.path == path), "{seen:?}");
        told += seen.len();
    }
    assert!(told > 0);
    eprintln!("the first program's open was told by run {runs}");
}
