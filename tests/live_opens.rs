//! Opens of what rules name are told once each, exactly. Against the real kernel, with the whole
//! agent.
//!
//! Needs root, fanotify and the proc connector; skipped aloud where they are missing
//! (`EYAS_REQUIRE` makes that a failure).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use std::collections::BTreeSet;
use std::collections::HashMap;
use std::fs;
use std::os::fd::AsFd as _;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;

use eyas::probe::Feature;
use eyas::sources::Guardian;
use eyas::sources::fanotify::Place;
use eyas::sources::rendezvous::News;
use eyas::sources::rendezvous::OpenRendezvous;
use eyas::sys::abi;
use eyas::sys::clock;
use eyas::sys::fanotify;
use eyas::sys::poll;
use nix::sys::signal::Signal;
use support::Need;
use support::have;
use support::host::Agent;
use support::host::Ended;
use support::host::Sandbox;
use support::place::WEB_OPTIONS;
use support::place::address;
use support::place::metric;

const HOST: &[Need] = &[Need::Root, Need::Fanotify, Need::ProcConnector];

fn opens(sandbox: &Sandbox) -> PathBuf {
    let program = sandbox.dir.join("opens");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/opens.c");
    let mut compiler = Command::new("cc");
    compiler.args(["-O1", "-pthread", "-o"]).arg(&program).arg(source);
    assert!(compiler.status().unwrap().success());
    program
}

/// An agent with one rule about opens, and where its metrics are.
fn watching(sandbox: &Sandbox, place: &str) -> (Agent, String) {
    let rules = sandbox.dir.join("rules.yaml");
    let text = format!(
        "- rule: opened
  desc: d
  condition: evt.type in (open, openat, openat2, creat) and {place}
  output: opened %fd.name type=%evt.type flags=%evt.arg.flags read=%evt.is_open_read write=%evt.is_open_write create=%evt.is_open_create tid=%thread.tid name=%proc.name end
  priority: INFO
"
    );
    fs::write(&rules, text).unwrap();
    let options: Vec<&str> = WEB_OPTIONS.iter().flat_map(|option| ["-o", *option]).collect();
    let agent = Agent::watch(sandbox, &[&["-r", rules.to_str().unwrap()], &options[..]].concat());
    let address = address(&agent);
    (agent, address)
}

/// How many opens were let go unseen: of so many it may be unknown how they were made, on a machine
/// that stands still for so long.
fn unseen(agent: &mut Agent, sandbox: &Sandbox, address: &str) -> usize {
    agent.mark(sandbox);
    let names = ["late", "dropped", "refused"];
    let unseen: u64 =
        names.iter().map(|name| metric(address, &format!("eyas_rendezvous_{name}_total"))).sum();
    usize::try_from(unseen).unwrap()
}

/// The guardian lets all go, and counts nobody.
fn has_stood_still(ended: &Ended) -> bool {
    ended.lines.iter().any(|line| line.contains("stood still"))
}

/// One alert.
#[derive(Debug, Eq, PartialEq)]
struct Told {
    ty: String,
    flags: BTreeSet<String>,
    read: String,
    write: String,
    create: String,
    tid: String,
    name: String,
}

fn told(line: &str) -> Option<(String, Told)> {
    let (_, rest) = line.split_once("opened /")?;
    let mut words = rest.split(' ');
    let path = format!("/{}", words.next()?);
    let mut value = || words.next()?.split_once('=').map(|(_, value)| value.to_owned());
    let ty = value()?;
    let flags = value()?.split('|').map(str::to_owned).collect();
    let told = Told {
        ty,
        flags,
        read: value()?,
        write: value()?,
        create: value()?,
        tid: value()?,
        name: value()?,
    };
    Some((path, told))
}

/// Falco's names of the kernel's flags, independent of what the agent has for that.
fn names_of(flags: i32, is_created: bool) -> BTreeSet<String> {
    let table = [
        (libc::O_CREAT, "O_CREAT"),
        (libc::O_TRUNC, "O_TRUNC"),
        (libc::O_APPEND, "O_APPEND"),
        (libc::O_EXCL, "O_EXCL"),
        (libc::O_CLOEXEC, "O_CLOEXEC"),
        (libc::O_DIRECTORY, "O_DIRECTORY"),
        (libc::O_NONBLOCK, "O_NONBLOCK"),
        (libc::O_DSYNC, "O_DSYNC"),
        (libc::O_SYNC, "O_SYNC"),
    ];
    let mut names: BTreeSet<String> = table
        .iter()
        .filter(|(bit, _)| flags & bit == *bit)
        .map(|(_, name)| (*name).to_owned())
        .collect();
    let access = match flags & libc::O_ACCMODE {
        0 => "O_RDONLY",
        1 => "O_WRONLY",
        _ => "O_RDWR",
    };
    names.insert(access.to_owned());
    if is_created {
        names.insert("O_F_CREATED".to_owned());
    }
    names
}

/// What the alert about an open of the program has to say.
fn expected(line: &str) -> (String, Told) {
    let words: Vec<&str> = line.split(' ').collect();
    let flags: i32 = words[3].parse().unwrap();
    let is_created = words[4] == "1";
    // Falco's creat has no flags.
    let is_creat = words[2] == "creat";
    let access = flags & libc::O_ACCMODE;
    let yes = |truth: bool| truth.to_string();
    let told = Told {
        ty: words[2].to_owned(),
        flags: if is_creat {
            BTreeSet::from(["<NA>".to_owned()])
        } else {
            names_of(flags, is_created)
        },
        read: yes(!is_creat && access != libc::O_WRONLY),
        write: yes(!is_creat && access != libc::O_RDONLY),
        create: yes(!is_creat && is_created),
        tid: words[1].to_owned(),
        name: "opens".to_owned(),
    };
    (words[0].to_owned(), told)
}

fn run(program: &Path, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn every_combination_of_call_and_flags_is_told_once_and_exactly() {
    if !have("every_combination_of_call_and_flags_is_told_once_and_exactly", HOST) {
        return;
    }
    let sandbox = Sandbox::new();
    let program = opens(&sandbox);
    let place = sandbox.dir.join("place");
    fs::create_dir(&place).unwrap();
    let (mut agent, address) = watching(&sandbox, &format!("fd.directory = {}", place.display()));
    let lines = run(&program, &["all", place.to_str().unwrap(), "10000", "5"]);
    let unseen = unseen(&mut agent, &sandbox, &address);
    let ended = agent.end(Signal::SIGTERM);

    let mut alerts: HashMap<String, Vec<Told>> = HashMap::new();
    for (path, told) in ended.lines.iter().filter_map(|line| told(line)) {
        alerts.entry(path).or_default().push(told);
    }
    let (mut opened, mut exact) = (0, 0);
    let mut wrong = Vec::new();
    for (number, wanted) in lines.lines().map(expected) {
        let path = format!("{}/f{number}", place.display());
        let found = alerts.remove(&path).unwrap_or_default();
        assert_eq!(found.len(), 1, "{path}: wanted {wanted:?}, found {found:?}");
        opened += 1;
        if found[0] == wanted {
            exact += 1;
        } else {
            wrong.push(format!("{path}: wanted {wanted:?}, found {:?}", found[0]));
        }
    }
    assert!(opened > 4000, "{opened} opens");
    let is_counted = opened - exact <= unseen || has_stood_still(&ended);
    wrong.truncate(5);
    assert!(is_counted, "{exact} of {opened}, {unseen} unseen: {}", wrong.join("\n"));
    // What failed, or gave a path alone, is not told.
    assert!(alerts.is_empty(), "{alerts:?}");
    println!("{exact} of {opened} opens are exact");
}

#[test]
fn opens_of_one_process_for_appending_and_reading_do_not_become_one() {
    if !have("opens_of_one_process_for_appending_and_reading_do_not_become_one", HOST) {
        return;
    }
    const COUNT: usize = 2000;
    let sandbox = Sandbox::new();
    let program = opens(&sandbox);
    let file = sandbox.file("place/file");
    let (mut agent, address) = watching(&sandbox, &format!("fd.name = {}", file.display()));
    run(&program, &["turns", file.to_str().unwrap(), &COUNT.to_string()]);
    let unseen = unseen(&mut agent, &sandbox, &address);
    let ended = agent.end(Signal::SIGTERM);
    let alerts: Vec<Told> =
        ended.lines.iter().filter_map(|line| told(line)).map(|(_, told)| told).collect();
    let reads = alerts.iter().filter(|told| told.flags.contains("O_RDONLY")).count();
    let appends = alerts.iter().filter(|told| told.flags.contains("O_APPEND")).count();
    assert!(reads <= COUNT / 2 && appends <= COUNT / 2, "{reads} reads, {appends} appends");
    // Records of those that were let go unseen may have become one.
    let is_counted = COUNT - reads - appends <= unseen || has_stood_still(&ended);
    assert!(is_counted, "{reads} reads, {appends} appends, {unseen} unseen");
}

#[test]
fn a_short_open_for_reading_is_never_missed() {
    if !have("a_short_open_for_reading_is_never_missed", HOST) {
        return;
    }
    const COUNT: usize = 1000;
    let sandbox = Sandbox::new();
    let program = opens(&sandbox);
    let file = sandbox.file("place/file");
    let place = format!("fd.name = {} and evt.is_open_read = true", file.display());
    let (mut agent, _) = watching(&sandbox, &place);
    run(&program, &["short", file.to_str().unwrap(), &COUNT.to_string()]);
    agent.mark(&sandbox);
    let ended = agent.end(Signal::SIGTERM);
    assert_eq!(ended.lines.iter().filter_map(|line| told(line)).count(), COUNT);
}

/// A filesystem in memory, until it is dropped.
struct Mounted(PathBuf);

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn an_open_that_fails_after_it_was_looked_at_is_not_told() {
    if !have("an_open_that_fails_after_it_was_looked_at_is_not_told", HOST) {
        return;
    }
    const COUNT: usize = 200;
    let sandbox = Sandbox::new();
    let program = opens(&sandbox);
    let place = sandbox.dir.join("place");
    fs::create_dir(&place).unwrap();
    let mut mount = Command::new("mount");
    assert!(mount.args(["-t", "ramfs", "none"]).arg(&place).status().unwrap().success());
    let _mounted = Mounted(place);
    let file = sandbox.file("place/file");
    let (mut agent, address) = watching(&sandbox, &format!("fd.name = {}", file.display()));
    run(&program, &["direct", file.to_str().unwrap(), &COUNT.to_string()]);
    let unseen = unseen(&mut agent, &sandbox, &address);
    let failed = metric(&address, "eyas_rendezvous_failed_total");
    let ended = agent.end(Signal::SIGTERM);
    assert_eq!(ended.lines.iter().filter_map(|line| told(line)).count(), 1);
    let failed = usize::try_from(failed).unwrap();
    let is_counted = failed + unseen >= COUNT || has_stood_still(&ended);
    assert!(failed <= COUNT && is_counted, "{failed} have failed, {unseen} unseen");
}

#[test]
fn who_has_a_lease_on_a_file_keeps_nobody_waiting_who_opens_another() {
    if !have("who_has_a_lease_on_a_file_keeps_nobody_waiting_who_opens_another", HOST) {
        return;
    }
    let sandbox = Sandbox::new();
    let program = opens(&sandbox);
    let (file, other) = (sandbox.file("place/file"), sandbox.file("place/other"));
    let place = format!("fd.directory = {}", file.parent().unwrap().display());
    let (mut agent, _) = watching(&sandbox, &place);
    let longest_ms =
        run(&program, &["leased", file.to_str().unwrap(), "50", other.to_str().unwrap()]);
    agent.mark(&sandbox);
    let ended = agent.end(Signal::SIGTERM);
    let longest_ms: u64 = longest_ms.trim().parse().unwrap();
    assert!(longest_ms < 1000, "an open of another file took {longest_ms} ms");
    let told = ended.lines.iter().filter_map(|line| told(line));
    assert!(told.filter(|(path, _)| Path::new(path) == file).count() >= 2);
}

/// A listener beside the agent that denies every second open of a file, as a virus scanner would.
fn deny_every_second(file: &Path, should_end: &Arc<AtomicBool>) -> std::thread::JoinHandle<()> {
    let flags = abi::FAN_CLASS_CONTENT | abi::FAN_CLOEXEC | abi::FAN_NONBLOCK;
    let group: OwnedFd = fanotify::init(flags, libc::O_RDONLY | libc::O_CLOEXEC).unwrap();
    fanotify::mark(group.as_fd(), abi::FAN_MARK_ADD, abi::FAN_OPEN_PERM, file).unwrap();
    let should_end = Arc::clone(should_end);
    std::thread::spawn(move || {
        let (mut buffer, mut asked) = ([0; 4096], 0_u32);
        while !should_end.load(Ordering::Acquire) {
            let _ = poll::wait_readable(group.as_fd(), Duration::from_millis(20));
            let Ok(len) = fanotify::read(&group, &mut buffer) else { continue };
            for event in eyas::decode::fanotify::events(&buffer[..len]).map(Result::unwrap) {
                asked += 1;
                let answer = [event.fd, 1 + i32::try_from(asked % 2).unwrap()];
                let answer: Vec<u8> = answer.iter().flat_map(|word| word.to_ne_bytes()).collect();
                nix::unistd::write(&group, &answer).unwrap();
                drop(fanotify::EventFd::adopt(event.fd));
            }
        }
    })
}

#[test]
fn an_open_that_another_listener_denies_is_not_told() {
    if !have("an_open_that_another_listener_denies_is_not_told", HOST) {
        return;
    }
    const COUNT: usize = 400;
    let sandbox = Sandbox::new();
    let program = opens(&sandbox);
    let file = sandbox.file("place/file");
    let (mut agent, _) = watching(&sandbox, &format!("fd.name = {}", file.display()));
    let should_end = Arc::new(AtomicBool::new(false));
    let scanner = deny_every_second(&file, &should_end);
    let opened = run(&program, &["tries", file.to_str().unwrap(), &COUNT.to_string()]);
    should_end.store(true, Ordering::Release);
    scanner.join().unwrap();
    agent.mark(&sandbox);
    let ended = agent.end(Signal::SIGTERM);
    let opened: usize = opened.trim().parse().unwrap();
    let told = ended.lines.iter().filter_map(|line| told(line)).count();
    println!("{told} told of {opened} that succeeded, of {COUNT}");
    assert!(opened < COUNT && told <= opened, "{told} told, {opened} opened");
    // Records of those that were let go unseen may have become one.
    assert!(told > 0);
}

#[test]
fn an_open_by_another_name_of_a_watched_file_is_told_by_the_watched_one() {
    if !have("an_open_by_another_name_of_a_watched_file_is_told_by_the_watched_one", HOST) {
        return;
    }
    let sandbox = Sandbox::new();
    let file = sandbox.file("place/file");
    let other = sandbox.dir.join("other");
    fs::create_dir(&other).unwrap();
    let (mut agent, _) = watching(&sandbox, &format!("fd.name = {}", file.display()));
    let shell = |script: &str| {
        let mut sh = Command::new("unshare");
        sh.args(["-m", "sh", "-c", script, "sh"]).arg(&file).arg(&other);
        assert!(sh.status().unwrap().success());
    };
    let told_by = |agent: &mut Agent, name: &str| {
        let wanted = format!("opened {} ", file.display());
        let by = format!("name={name} ");
        agent.line(name, |line| line.contains(&wanted) && line.contains(&by));
    };
    // A hard link, a symbolic link, and a bind mount in a mount namespace of its own.
    shell(r#"ln "$1" "$2/hard" && head -c1 "$2/hard""#);
    told_by(&mut agent, "head");
    shell(r#"ln -s "$1" "$2/soft" && tail -c1 "$2/soft""#);
    told_by(&mut agent, "tail");
    shell(r#"mount --bind "${1%/*}" "$2" && cat "$2/file""#);
    told_by(&mut agent, "cat");
    shell(r#"wc -c "/proc/self/root$1""#);
    told_by(&mut agent, "wc");
    drop(agent.end(Signal::SIGTERM));
}

#[test]
fn the_thread_is_found_where_the_kernel_names_processes_only() {
    if !have("the_thread_is_found_where_the_kernel_names_processes_only", HOST) {
        return;
    }
    let sandbox = Sandbox::new();
    let program = opens(&sandbox);
    let place = sandbox.dir.join("place");
    fs::create_dir(&place).unwrap();
    let mut guardian = Guardian::start().unwrap();
    let places = vec![Place::Directory(place.clone())];
    let started =
        OpenRendezvous::start_with(&mut guardian, Path::new("/proc"), places, |_| false, false);
    let (mut rendezvous, mut inbox) = started.unwrap();
    let running = std::thread::spawn({
        let place = place.clone();
        move || run(&program, &["all", place.to_str().unwrap(), "3000", "5"])
    });
    let mut found: HashMap<String, Vec<i32>> = HashMap::new();
    let mut unseen = 0;
    let mut take = |found: &mut HashMap<String, Vec<i32>>, unseen: &mut usize| {
        inbox.take_all(clock::monotonic_ns(), &mut |news: News<'_>| match news {
            News::Seen(_) | News::Failed(_) => {}
            News::Unseen(_) => *unseen += 1,
            News::Opened(look) => {
                let path = String::from_utf8_lossy(look.path).into_owned();
                found.entry(path).or_default().push(look.tid);
            }
        });
        std::thread::sleep(Duration::from_millis(1));
    };
    while !running.is_finished() {
        take(&mut found, &mut unseen);
    }
    let lines = running.join().unwrap();
    let deadline = Instant::now() + support::host::PATIENCE;
    while found.len() + unseen < lines.lines().count() && Instant::now() < deadline {
        take(&mut found, &mut unseen);
    }
    rendezvous.end(&mut guardian);
    let (mut opened, mut exact) = (0, 0);
    for (number, wanted) in lines.lines().map(expected) {
        let path = format!("{}/f{number}", place.display());
        opened += 1;
        let Some(found) = found.get(&path) else { continue };
        assert_eq!(found.len(), 1, "{path}");
        assert_eq!(found[0].to_string(), wanted.tid, "{path}");
        exact += 1;
    }
    println!("{exact} of {opened} opens are exact, {unseen} unseen");
    assert!(opened > 1000 && opened - exact <= unseen, "{exact} of {opened}, {unseen} unseen");
}

#[test]
fn who_writes_to_a_file_that_was_left_alone_is_told_once() {
    const LEFT_ALONE: &str = "eyas_rendezvous_left_alone_total";
    let test = "who_writes_to_a_file_that_was_left_alone_is_told_once";
    if !have(test, HOST) || !Feature::is_present("fanotify-report-name") {
        return;
    }
    let sandbox = Sandbox::new();
    let place = sandbox.dir.join("place");
    fs::create_dir(&place).unwrap();
    let file = place.join("often");
    fs::write(&file, "x").unwrap();
    let only_writes = format!("fd.directory = {} and evt.is_open_write = true", place.display());
    let (mut agent, address) = watching(&sandbox, &only_writes);
    let deadline = Instant::now() + Duration::from_secs(60);
    while metric(&address, LEFT_ALONE) == 0 {
        assert!(Instant::now() < deadline, "it isn't left alone");
        for _ in 0..100 {
            drop(fs::File::open(&file).unwrap());
        }
    }
    // By the process that has read it, some of whose opens were looked at. Each after what was
    // opened before is told: records of one process and file become one.
    let is_exact = |line: &String| line.contains("opened /") && line.contains("O_APPEND");
    let mut count = 0;
    while !agent.lines().iter().any(is_exact) {
        // The kernel asks again after a while: then it is told to the last flag.
        assert!(Instant::now() < deadline, "it is left alone for ever");
        agent.mark(&sandbox);
        drop(fs::OpenOptions::new().append(true).open(&file).unwrap());
        count += 1;
        std::thread::sleep(Duration::from_millis(200));
        agent.mark(&sandbox);
    }
    let told = |lines: &[String]| lines.iter().filter(|line| line.contains("opened /")).count();
    let ended = agent.end(Signal::SIGTERM);
    assert_eq!(told(&ended.lines), count, "{:?}", ended.lines);
}
