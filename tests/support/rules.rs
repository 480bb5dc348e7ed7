//! Rules and events for tests and benches of evaluation.

use std::sync::Arc;

use eyas::engine::compile::compile;
use eyas::engine::lang::parser::parse;
use eyas::engine::load::{Loader, Settings};
use eyas::engine::output::Template;
use eyas::engine::rule::{Priority, Rule};
use eyas::event::builder::EventBuilder;
use eyas::event::thread::{InContainer, Thread};
use eyas::event::{EventType, Fd, FdKind, FdNumber, Protocol, Role, Socket};

/// A rule with that condition.
pub(crate) fn rule(name: &str, condition: &str) -> Rule {
    let expr = parse(condition).unwrap_or_else(|error| panic!("{condition}: {error:?}"));
    let compiled = compile(&expr).unwrap_or_else(|error| panic!("{condition}: {error}"));
    Rule {
        name: name.into(),
        description: String::new(),
        source: "syscall".into(),
        priority: Priority::Notice,
        tags: Vec::new(),
        enabled: true,
        expr,
        condition: compiled.condition,
        events: compiled.events,
        output: Template::parse("%evt.num").unwrap(),
        extra_fields: Vec::new(),
        capture: false,
        capture_duration_ms: 0,
    }
}

/// The stock rules of the directory in `EYAS_STOCK_RULES`, or the project's own, and which.
pub(crate) fn stock_rules() -> (Vec<Rule>, String) {
    let (files, what) = match std::env::var("EYAS_STOCK_RULES") {
        Ok(directory) => {
            // Those of today, where there are several years'.
            let today = format!("{directory}/2026");
            let is_there = std::path::Path::new(&today).is_dir();
            (yaml_files(if is_there { &today } else { &directory }), "the stock".to_owned())
        }
        Err(_) => {
            eprintln!("EYAS_STOCK_RULES is not set: the project's own rules stand in");
            (yaml_files(concat!(env!("CARGO_MANIFEST_DIR"), "/rules")), "rules/".to_owned())
        }
    };
    let mut good: Vec<String> = Vec::new();
    for path in files {
        good.push(path);
        if let Err(error) = load(&good) {
            eprintln!("NOT LOADED: {} ({error})", good.pop().unwrap());
        }
    }
    (load(&good).unwrap(), what)
}

fn load(files: &[String]) -> Result<Vec<Rule>, String> {
    let mut loader = Loader::new(Settings::default());
    for path in files {
        let result = loader.add(path, &std::fs::read(path).unwrap());
        if let Some(error) = result.errors.first() {
            return Err(error.message.clone());
        }
    }
    Ok(loader.finish().unwrap().rules)
}

fn yaml_files(directory: &str) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(directory) else {
        return Vec::new();
    };
    let mut files: Vec<_> = entries
        .map(|entry| entry.unwrap().path().to_str().unwrap().to_owned())
        // Rules of other event sources than system calls need their plugins.
        .filter(|path| path.ends_with(".yaml") && !path.contains("k8s_audit"))
        .collect();
    // The main file defines what the others use.
    files.sort_by_key(|path| (!path.ends_with("/falco_rules.yaml"), path.clone()));
    files
}

/// A process as there are many, with its parent and grandparent.
pub(crate) fn processes(comm: &str, exe: &str, args: &[&str]) -> [Thread; 3] {
    let bytes = |text: &str| Arc::from(text.as_bytes());
    let make = |tid: i64, ptid: i64, comm: &str, exe: &str, args: &[&str]| {
        let mut thread = Thread::unknown(tid, tid);
        thread.ptid = ptid;
        thread.comm = bytes(comm);
        thread.exe = bytes(exe);
        thread.exepath = bytes(exe);
        thread.args = bytes(&args.iter().map(|arg| format!("{arg}\0")).collect::<String>());
        thread.env = bytes("HOME=/root\0PATH=/usr/bin:/bin\0");
        thread.cwd = bytes("/root");
        (thread.uid, thread.gid, thread.loginuid) = (Some(0), Some(0), Some(1000));
        (thread.tty, thread.sid, thread.pgid, thread.vpgid) = (Some(0), Some(1), Some(1), Some(1));
        (thread.vtid, thread.vpid) = (tid, tid);
        thread.is_exe_writable = Some(false);
        thread.is_exe_upper_layer = Some(false);
        thread.is_exe_from_memfd = Some(false);
        thread.container = InContainer::Host;
        thread
    };
    [
        make(4242, 4000, comm, exe, args),
        make(4000, 900, "make", "/usr/bin/make", &["-j2"]),
        make(900, 0, "systemd", "/usr/lib/systemd/systemd", &[]),
    ]
}

/// An event of that type by the first of `processes`.
pub(crate) fn event_of(ty: &str, processes: [Thread; 3]) -> EventBuilder {
    let [own, parent, grandparent] = processes;
    EventBuilder::new(EventType::by_name(ty).unwrap())
        .num(7)
        .time(1_700_000_000_004_355_174)
        .cpu(1)
        .thread(own)
        .other_thread(parent)
        .other_thread(grandparent)
}

/// An `openat` for reading or writing by a compiler.
pub(crate) fn open(path: &str, is_write: bool) -> EventBuilder {
    open_by(processes("cc1", "/usr/libexec/gcc/cc1", &["-quiet", "main.c"]), path, is_write)
}

/// An `openat` for reading or writing.
pub(crate) fn open_by(processes: [Thread; 3], path: &str, is_write: bool) -> EventBuilder {
    let flags = if is_write { 2 | 4 | 4096 } else { 1 | 4096 };
    event_of("openat", processes)
        .int("fd", 3)
        .int("dirfd", -100)
        .bytes("name", path.as_bytes())
        .uint("flags", flags)
        .uint("mode", 0)
        .uint("dev", 0x803)
        .uint("ino", 1311)
        .file(3, path)
}

/// A successful `execve`.
pub(crate) fn execve(comm: &str, exe: &str, args: &[&str]) -> EventBuilder {
    let joined: String = args.iter().map(|arg| format!("{arg}\0")).collect();
    event_of("execve", processes(comm, exe, args))
        .int("res", 0)
        .bytes("exe", exe.as_bytes())
        .bytes("args", joined.as_bytes())
        .int("tid", 4242)
        .int("pid", 4242)
        .int("ptid", 4000)
        .bytes("cwd", b"/root")
        .bytes("comm", comm.as_bytes())
        .bytes("env", b"HOME=/root\0PATH=/usr/bin:/bin\0")
        .uint("tty", 0)
        .uint("flags", 0)
        .bytes("trusted_exepath", exe.as_bytes())
}

/// A successful `connect`.
pub(crate) fn connect(address: [u8; 4], port: u16) -> EventBuilder {
    let socket = Socket {
        client: Some(([10, 0, 0, 5].into(), 40000)),
        server: Some((address.into(), port)),
        unix_ends: (0, 0),
        protocol: Protocol::Tcp,
        role: Some(Role::Client),
        is_connected: true,
        is_partial: false,
        serves: false,
    };
    let info = Fd {
        kind: FdKind::Ipv4Socket,
        name: Arc::default(),
        name_raw: Arc::default(),
        flags: 0,
        dev: 0,
        ino: 0,
        socket: Some(socket),
        is_upper_layer: false,
        is_lower_layer: false,
    };
    event_of("connect", processes("git", "/usr/bin/git", &["fetch", "origin"]))
        .int("res", 0)
        .int("fd", 5)
        .fd(FdNumber::Known(5), Some(info))
}

/// Everyday events that no stock rule is about: opens, starts of programs, connections.
pub(crate) fn everyday_events() -> Vec<EventBuilder> {
    vec![
        open("/usr/include/x86_64-linux-gnu/bits/types/struct_tm.h", false),
        open("/lib/x86_64-linux-gnu/libc.so.6", false),
        open("/srv/build/obj/main.o", true),
        open("/proc/self/maps", false),
        execve("gcc", "/usr/bin/gcc", &["-O2", "-Wall", "-c", "main.c", "-o", "main.o"]),
        execve("as", "/usr/bin/as", &["--64", "-o", "main.o", "/srv/build/main.s"]),
        execve("date", "/usr/bin/date", &["+%s"]),
        connect([93, 184, 216, 34], 443),
        open("/usr/share/zoneinfo/Europe/Vienna", false),
        connect([140, 82, 121, 4], 22),
    ]
}
