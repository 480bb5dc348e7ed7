//! What each event does to the world: threads, descriptors, working directories, users,
//! containers.
//!
//! [`Tracker::before`] brings the world up to date with an event and finds its thread and
//! descriptor; then the rules judge it; then [`Tracker::after`] takes away what the event
//! destroyed, so that a close still sees its file and an exit its process. It knows nothing of
//! where events come from, and looks at nothing but them.
//!
//! The rules of the state are Falco's (parsers.cpp of falco-libs 0.25), odd ones included where
//! recordings show them. Lists that stood in a capture come in through [`seed`].

mod accounts;
mod containers;
mod exec;
mod families;
mod fd_param;
mod files;
mod life;
mod processes;
pub mod seed;
mod sockets;
mod tuples;
mod turn;

use std::net::IpAddr;

use rustc_hash::FxHashMap;

use self::families::Families;
use self::turn::Turn;
use crate::event::{
    Arena, Event, EventFd, EventType, FdNumber, InContainer, Param, Thread, World, known,
};

/// More threads than this are not kept; Falco's limit.
const MAX_THREADS: usize = 262_144;

/// An event as any source tells it.
#[derive(Clone, Copy, Debug)]
pub struct RawEvent<'a> {
    /// Nanoseconds since the epoch.
    pub ts: u64,
    /// What happened.
    pub ty: EventType,
    /// The CPU; `None` where the source doesn't tell.
    pub cpu: Option<u16>,
    /// The thread that did it.
    pub tid: i64,
    /// Parameters in the order of the type's row.
    pub params: &'a [Param<'a>],
}

impl<'a> RawEvent<'a> {
    fn param(&self, index: usize) -> Param<'a> {
        self.params.get(index).copied().unwrap_or(Param::Unknown)
    }

    fn int(&self, index: usize) -> Option<i64> {
        self.param(index).as_i64()
    }

    fn uint(&self, index: usize) -> Option<u64> {
        self.param(index).as_u64()
    }

    fn uint32(&self, index: usize) -> Option<u32> {
        self.uint(index).and_then(|value| u32::try_from(value).ok())
    }

    /// Bytes that are there and not empty.
    fn bytes(&self, index: usize) -> Option<&'a [u8]> {
        match self.param(index) {
            Param::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// The result of a system call.
    fn result(&self) -> i64 {
        self.int(0).unwrap_or(0)
    }
}

/// What is known of an event's surroundings.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'w> {
    /// The world that the event meets.
    pub world: &'w World,
    /// The thread that did it.
    pub thread: Option<&'w Thread>,
    /// The descriptor that it is about.
    pub fd: EventFd<'w>,
}

impl<'w> Seen<'w> {
    /// The event for the rules; `num` is its running number.
    #[must_use]
    pub fn event<'a>(&self, num: u64, raw: &RawEvent<'a>, arena: &'a Arena) -> Event<'a>
    where
        'w: 'a,
    {
        Event {
            num,
            ts: raw.ts,
            ty: raw.ty,
            cpu: raw.cpu,
            tid: raw.tid,
            params: raw.params,
            thread: self.thread,
            fd: self.fd,
            world: self.world,
            arena,
        }
    }
}

/// Finds the container of a list of cgroups.
pub type ContainerOf = fn(&[u8]) -> InContainer;

/// Keeps the world true.
#[derive(Debug)]
pub struct Tracker {
    families: Families,
    enters: FxHashMap<i64, Enter>,
    doomed: Option<Doomed>,
    /// Addresses and netmasks of the machine.
    interfaces: Vec<(IpAddr, IpAddr)>,
    container_of: ContainerOf,
    recent: life::RecentExits,
    /// Where paths are made.
    path: Vec<u8>,
    base: Vec<u8>,
}

/// What an enter event told; it fills gaps of its exit event.
#[derive(Debug)]
struct Enter {
    ty: EventType,
    /// Path or address.
    bytes: Vec<u8>,
    /// Directory's or socket's descriptor.
    fd: Option<i64>,
    flags: u32,
}

/// What is taken away after the event.
#[derive(Clone, Copy, Debug)]
enum Doomed {
    Fd { tid: i64, num: i64 },
    Thread { tid: i64, ts: u64 },
}

impl Tracker {
    /// A tracker of an empty world.
    #[must_use]
    pub fn new(container_of: ContainerOf) -> Self {
        Self {
            families: Families::default(),
            enters: FxHashMap::default(),
            doomed: None,
            interfaces: Vec::new(),
            container_of,
            recent: life::RecentExits::default(),
            path: Vec::new(),
            base: Vec::new(),
        }
    }

    /// Forgets everything: another world begins.
    pub fn reset(&mut self) {
        *self = Self::new(self.container_of);
    }

    /// Brings the world up to date and resolves the event's thread and descriptor.
    pub fn before<'w>(&mut self, world: &'w mut World, raw: &RawEvent<'_>) -> Seen<'w> {
        if let Some(doomed) = self.doomed.take() {
            self.take_away(world, doomed);
        }
        let turn = self.apply(world, raw);
        let world = &*world;
        let thread = world.thread(raw.tid);
        let mut fd = EventFd::default();
        if raw.ty.info().has_fd()
            && let Some(thread) = thread
        {
            fd.num = FdNumber::Known(turn.fd);
            fd.info = turn.info.and_then(|num| world.fd_table(thread)?.get(num));
            fd.name_changed = turn.has_name_changed;
        }
        Seen { world, thread, fd }
    }

    /// Takes away what the last event destroyed.
    pub fn after(&mut self, world: &mut World) {
        if let Some(doomed) = self.doomed.take() {
            self.take_away(world, doomed);
        }
    }

    /// Learns what an enter event told: path and flags of an open, the address of a connect, the
    /// file of an exec. `params` are those of the enter event.
    pub fn enter(&mut self, world: &World, raw: &RawEvent<'_>) {
        if !world.threads.contains_key(&raw.tid) {
            return;
        }
        let (path, fd, flags) = match raw.ty {
            known::OPEN => (0, None, raw.uint32(1)),
            known::CREAT => (0, None, None),
            known::OPENAT | known::OPENAT2 => (1, raw.int(0), raw.uint32(2)),
            known::CONNECT => (1, raw.int(0), None),
            known::EXECVE => (0, None, None),
            known::EXECVEAT => (1, raw.int(0), raw.uint32(2)),
            _ => return,
        };
        let must_have_path = !matches!(raw.ty, known::CONNECT | known::EXECVEAT);
        let Some(bytes) = raw.bytes(path).or(if must_have_path { None } else { Some(b"") }) else {
            return;
        };
        let enter = Enter { ty: raw.ty, bytes: bytes.to_vec(), fd, flags: flags.unwrap_or(0) };
        self.enters.insert(raw.tid, enter);
    }

    /// The enter event of this exit event.
    fn take_enter(&mut self, raw: &RawEvent<'_>) -> Option<Enter> {
        if self.enters.is_empty() {
            return None;
        }
        let enter = self.enters.remove(&raw.tid)?;
        let fits = enter.ty == raw.ty || (enter.ty == known::EXECVEAT && raw.ty == known::EXECVE);
        fits.then_some(enter)
    }

    fn take_away(&mut self, world: &mut World, doomed: Doomed) {
        match doomed {
            Doomed::Fd { tid, num } => {
                if let Some(fds) = turn::fds_mut(world, tid) {
                    fds.remove(num);
                }
            }
            Doomed::Thread { tid, ts } => {
                self.enters.remove(&tid);
                if let Some(thread) = world.thread(tid) {
                    self.recent.add(tid, thread.ptid, ts);
                }
                self.families.remove_thread(world, tid);
            }
        }
    }

    fn apply(&mut self, world: &mut World, raw: &RawEvent<'_>) -> Turn {
        let mut turn = Turn::default();
        match raw.ty {
            known::CONTAINER | known::ASYNCEVENT => {
                containers::learn(world, raw);
                return turn;
            }
            known::USERADDED | known::USERDELETED | known::GROUPADDED | known::GROUPDELETED => {
                accounts::change(world, raw);
                return turn;
            }
            known::PROCINFO
            | known::DROP
            | known::SCAPEVENT
            | known::CPU_HOTPLUG
            | known::NOTIFICATION
            | known::INFRA
            | known::PAGE_FAULT
            | known::PLUGINEVENT => return turn,
            _ => {}
        }
        let is_birth = matches!(raw.ty, known::CLONE | known::CLONE3 | known::FORK | known::VFORK);
        let may_invent = !is_birth && !matches!(raw.ty, known::PROCEXIT | known::SWITCH);
        if may_invent && !world.threads.contains_key(&raw.tid) {
            processes::add_unknown(world, raw.tid);
        }
        let enter = self.take_enter(raw);
        if let Some(param) = fd_param::fd_param(raw.ty) {
            let num = enter.as_ref().filter(|enter| enter.ty == known::CONNECT);
            let num = num.and_then(|enter| enter.fd).or_else(|| raw.int(param)).unwrap_or(-1);
            turn.fd = num;
            turn.info = (num >= 0).then_some(num);
        }
        if is_birth {
            self.birth(world, raw);
        } else if turn::changes_state(raw.ty) {
            self.change(world, raw, enter, &mut turn);
        }
        turn
    }

    fn change(
        &mut self,
        world: &mut World,
        raw: &RawEvent<'_>,
        enter: Option<Enter>,
        turn: &mut Turn,
    ) {
        match raw.ty {
            known::OPEN
            | known::CREAT
            | known::OPENAT
            | known::OPENAT2
            | known::OPEN_BY_HANDLE_AT => self.open(world, raw, enter, turn),
            known::CLOSE => self.close(world, raw, turn),
            known::EXECVE | known::EXECVEAT => self.exec(world, raw, enter),
            known::PROCEXIT => self.procexit(world, raw),
            known::SOCKET => sockets::socket(world, raw, turn),
            known::BIND => self.bind(world, raw, turn),
            known::CONNECT => self.connect(world, raw, enter, turn),
            known::ACCEPT | known::ACCEPT4 => sockets::accept(world, raw, turn),
            known::SEND | known::SENDTO | known::SENDMSG | known::SENDMMSG => {
                self.send(world, raw, turn);
            }
            known::RECV | known::RECVFROM | known::RECVMSG | known::RECVMMSG => {
                self.receive(world, raw, turn);
            }
            known::READ | known::READV | known::PREAD | known::PREADV => {
                self.receive(world, raw, turn);
            }
            known::WRITE | known::WRITEV | known::PWRITE | known::PWRITEV => {
                self.send(world, raw, turn);
            }
            known::CHDIR | known::FCHDIR | known::GETCWD => self.chdir(world, raw, turn),
            known::CHROOT => self.chroot(world, raw),
            known::PRCTL => self.families.prctl(world, raw),
            _ if files::makes_fd(raw.ty) => files::make(world, raw, turn),
            _ => processes::change(world, raw),
        }
    }
}
