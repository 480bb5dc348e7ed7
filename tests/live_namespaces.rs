//! Files opened in other mount namespaces, against the real kernel: told once, with the path that
//! the process sees.
//!
//! They need root. Where something is missing a test says so and passes, unless `EYAS_REQUIRE` is
//! set: then it fails.
#![allow(clippy::indexing_slicing, clippy::panic, clippy::print_stderr, clippy::unwrap_used)]

use std::io::BufRead;
use std::io::BufReader;
use std::io::Write;
use std::path::Path;
use std::process::Child;
use std::process::ChildStdout;
use std::process::Command;
use std::process::Stdio;
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

/// Both sources, drained as the agent does.
struct Watch {
    files: FileWatch,
    processes: ProcConnector,
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
        let processes = have(ProcConnector::subscribe(proc_connector::Options::default()))?;
        // Opens alone: each is one record then, and a merged one cannot hide a second.
        let wanted = Wanted { opens: true, closes: false, directories: false };
        Some(Self { files: have(FileWatch::start(wanted))?, processes })
    }

    /// Drains both once; the file records whose path ends in `name`.
    fn turn(&mut self, name: &str) -> Vec<Seen> {
        let mut seen = Vec::new();
        let sink = &mut |record: Record<'_>| {
            let Record::File(record) = record else { panic!("not a file: {record:?}") };
            let path = String::from_utf8_lossy(record.path).into_owned();
            if path.ends_with(name) || path.is_empty() {
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

    /// Drains until a file called `name` was opened, and a while longer; all opens of it.
    fn opens(&mut self, name: &str) -> Vec<Seen> {
        let mut seen = Vec::new();
        let start = Instant::now();
        while seen.is_empty() && start.elapsed() < Duration::from_secs(10) {
            seen.extend(self.turn(name));
            poll::wait_readable(self.files.fd(), Duration::from_millis(20)).unwrap();
        }
        // A second record of the same open would be queued beside the first.
        while poll::wait_readable(self.files.fd(), Duration::from_millis(50)).unwrap() {
            seen.extend(self.turn(name));
        }
        seen
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
    while poll::wait_readable(watch.files.fd(), Duration::from_millis(50)).unwrap() {
        watch.turn(&name);
    }

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
    let before = watch.files.other_namespaces();
    drop(shell);
    let start = Instant::now();
    while watch.files.other_namespaces() >= before && start.elapsed() < Duration::from_secs(10) {
        watch.turn("nothing");
        poll::wait_readable(watch.files.fd(), Duration::from_millis(50)).unwrap();
    }
    assert!(watch.files.other_namespaces() < before);
}
