//! Cases as events that never happened: what the sources would have told, put together by hand.

use std::sync::Arc;

use eyas::engine::ruleset::RuleSet;
use eyas::engine::ruleset::Scratch;
use eyas::event::Arena;
use eyas::event::Container;
use eyas::event::Event;
use eyas::event::EventFd;
use eyas::event::EventType;
use eyas::event::Fd;
use eyas::event::FdKind;
use eyas::event::FdNumber;
use eyas::event::InContainer;
use eyas::event::Param;
use eyas::event::Thread;
use eyas::event::User;
use eyas::event::World;

use super::cases::Case;

const PID: i64 = 2000;
const CONTAINER: &[u8] = b"0123456789ab";
const USERS: &[(u32, &str)] = &[(0, "root"), (33, "www-data")];

/// The names of the rules that match a case's event.
pub fn judge(rules: &RuleSet, case: &Case) -> Vec<String> {
    let file = case.text("file");
    let usual = if file.is_some() { "openat" } else { "execve" };
    let ty = EventType::by_name(case.text("event").unwrap_or(usual)).unwrap();
    let world = world(case);
    let fd = file.map(|file| regular_file(file.as_bytes()));
    let params = params(ty, case);
    let arena = Arena::new();
    let event = Event {
        num: 1,
        ts: 1_600_000_000_000_000_000,
        ty,
        cpu: None,
        tid: PID,
        params: &params,
        thread: world.thread(PID),
        fd: fd.as_ref().map_or_else(EventFd::default, |fd| EventFd {
            num: FdNumber::NotNegative,
            info: Some(fd),
            name_changed: false,
            is_unread: false,
            others: &[],
        }),
        world: &world,
        arena: &arena,
    };
    let mut matched = Vec::new();
    rules.evaluate(&event, &mut Scratch::default(), |rule| matched.push(rule.name.clone()));
    matched
}

fn params(ty: EventType, case: &Case) -> Vec<Param<'_>> {
    const O_RDONLY: u64 = 1;
    const O_WRONLY: u64 = 2;
    let flags = |value| Param::UInt(value);
    let named = |name: &str| match (ty.name(), name) {
        ("openat", "fd") => Param::NotNegative,
        ("openat", "name") => Param::Bytes(case.text("file").unwrap().as_bytes()),
        ("openat", "flags") => match case.text("mode").unwrap() {
            "read" => flags(O_RDONLY),
            "write" => flags(O_WRONLY),
            "both" => flags(O_RDONLY | O_WRONLY),
            "unknown" => Param::Partial { value: 0, unknown: O_RDONLY | O_WRONLY },
            other => panic!("mode {other}"),
        },
        ("ptrace", "pid") => Param::Int(1),
        (_, "res") => Param::Int(0),
        ("setresuid", "ruid" | "euid") => Param::UInt(0),
        _ => Param::Unknown,
    };
    ty.info().params.iter().map(|param| named(param.name)).collect()
}

fn world(case: &Case) -> World {
    let mut world = World::default();
    let users = || {
        let user = |name: &str| User { name: bytes(name), home: bytes("/"), shell: bytes("") };
        USERS.iter().map(|(uid, name)| (*uid, user(name))).collect()
    };
    world.users.insert(bytes(""), users());
    let mut process = process(case.text("name").unwrap(), PID);
    if let Some(exe) = case.text("exe") {
        process.exe = bytes(exe);
    }
    if let Some(exepath) = case.text("exepath") {
        process.exepath = bytes(exepath);
        process.is_exe_from_memfd = Some(exepath.starts_with("/memfd:"));
    }
    process.args = terminated(case.list("args").unwrap_or_default().iter().copied());
    let env = case.pairs("env");
    let env: Vec<_> = env.iter().map(|(name, value)| format!("{name}={value}")).collect();
    process.env = terminated(env.iter().map(String::as_str));
    let user = case.text("user").unwrap_or("root");
    process.uid = USERS.iter().find(|(_, name)| *name == user).map(|(uid, _)| *uid);
    process.tty = Some(case.text("tty").unwrap_or("0").parse().unwrap());
    if case.is("container") {
        let id = Arc::from(CONTAINER);
        process.container = InContainer::Id(Arc::clone(&id));
        world.users.insert(Arc::clone(&id), users());
        let name = Some(bytes("web"));
        world.containers.insert(id, Container { name, ..Container::default() });
    }
    let mut child = process;
    for parent in case.list("parents").unwrap_or_else(|| vec!["bash", "sshd", "systemd"]) {
        let parent = self::process(parent, child.pid - 1);
        child.ptid = parent.tid;
        world.threads.insert(child.tid, Box::new(std::mem::replace(&mut child, parent)));
    }
    child.ptid = 0;
    world.threads.insert(child.tid, Box::new(child));
    world
}

/// A process of the host, run by root without arguments.
fn process(name: &str, pid: i64) -> Thread {
    let mut thread = Thread::unknown(pid, pid);
    thread.comm = bytes(&name[..name.len().min(15)]);
    thread.exe = bytes(name);
    thread.exepath = bytes(&format!("/usr/bin/{name}"));
    thread.cwd = bytes("/");
    thread.uid = Some(0);
    thread.gid = Some(0);
    thread.loginuid = Some(u32::MAX);
    thread.tty = Some(0);
    (thread.vtid, thread.vpid) = (pid, pid);
    thread.container = InContainer::Host;
    thread.is_exe_from_memfd = Some(false);
    thread
}

fn regular_file(name: &[u8]) -> Fd {
    Fd {
        kind: FdKind::File,
        name: Arc::from(name),
        name_raw: Arc::from(name),
        flags: 0,
        dev: 0,
        ino: 0,
        socket: None,
        is_upper_layer: false,
        is_lower_layer: false,
    }
}

fn bytes(text: &str) -> Arc<[u8]> {
    Arc::from(text.as_bytes())
}

fn terminated<'a>(items: impl Iterator<Item = &'a str>) -> Arc<[u8]> {
    items.flat_map(|item| item.bytes().chain([0])).collect()
}
