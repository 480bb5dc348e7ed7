//! What is known beside the event: threads, containers, users, the host. Tables and look-ups only;
//! `enrich` fills them from the live /proc or from a capture's own lists.

use std::cell::{Cell, RefCell};
use std::net::IpAddr;

use rustc_hash::FxHashMap;

use super::container::{Container, User};
use super::fd_table::Fds;
use super::thread::{Bytes, Thread};

/// The state of the host, or of the host that a capture was taken on.
#[derive(Debug, Default)]
pub struct World {
    /// Threads by tid.
    pub threads: FxHashMap<i64, Box<Thread>>,
    /// Containers by short id.
    pub containers: FxHashMap<Bytes, Container>,
    /// Users by container (empty: the host) and uid.
    pub users: FxHashMap<Bytes, FxHashMap<u32, User>>,
    /// Group names by container (empty: the host) and gid.
    pub groups: FxHashMap<Bytes, FxHashMap<u32, Bytes>>,
    /// The machine.
    pub host: Host,
    /// Whether buffers are printed in base 64 (`buffer_format_base64`).
    pub buffers_in_base64: bool,
    /// Kept for captures only: see there.
    pub leftovers: Option<Leftovers>,
}

/// What Falco's readers leave behind and show where an event has no value.
///
/// It means nothing; but who compares a capture's alerts with Falco's wants the same ones, so a
/// replay shows it, too. Live there is none, and such values are absent.
#[derive(Debug, Default)]
pub struct Leftovers {
    /// Where Falco makes the text of a parameter; a text ends at a NUL, the rest is older.
    pub text: RefCell<Vec<u8>>,
    /// How long the last buffer's text was.
    pub buffer_len: Cell<usize>,
    /// The last event for whose `evt.abspath` the directory's descriptor was looked up: what is
    /// shown of the event's own descriptor from then on is the directory's.
    pub looked_at_directory: Cell<u64>,
}

impl Leftovers {
    /// Writes the text of a parameter over what was there.
    pub fn write(&self, text: &[u8], is_buffer: bool) {
        let mut old = self.text.borrow_mut();
        if old.len() <= text.len() {
            old.resize(text.len() + 1, 0);
        }
        for (place, byte) in old.iter_mut().zip(text.iter().chain(b"\0")) {
            *place = *byte;
        }
        if is_buffer {
            self.buffer_len.set(text.len());
        }
    }

    /// What Falco takes for the text of a buffer: as many bytes as the last one had.
    #[must_use]
    pub fn buffer(&self) -> Vec<u8> {
        let mut text = self.text.borrow().clone();
        text.resize(self.buffer_len.get(), 0);
        text
    }
}

/// The machine that events happen on.
#[derive(Debug, Default)]
pub struct Host {
    /// What `evt.hostname` is.
    pub hostname: Vec<u8>,
    /// Nanoseconds since the epoch; zero: unknown.
    pub boot_ts: u64,
    /// Addresses of its interfaces.
    pub addresses: Vec<IpAddr>,
    /// Time of the first event, nanoseconds since the epoch: start of `evt.reltime`.
    pub first_event_ts: u64,
    /// Its time zone, for `evt.time` and its like.
    pub time_zone: TimeZone,
}

/// How far local time is from UTC. The state of the clock is not ours: whoever builds the world
/// says how it is asked.
#[derive(Clone, Copy, Debug)]
pub struct TimeZone {
    /// Seconds east of UTC at a moment, given in seconds since the epoch.
    pub offset_at: fn(i64) -> i32,
}

impl Default for TimeZone {
    /// UTC.
    fn default() -> Self {
        Self { offset_at: |_| 0 }
    }
}

impl World {
    /// The thread of that id.
    #[must_use]
    pub fn thread(&self, tid: i64) -> Option<&Thread> {
        self.threads.get(&tid).map(Box::as_ref)
    }

    /// The main thread of a thread's process.
    #[must_use]
    pub fn main_thread<'a>(&'a self, thread: &'a Thread) -> Option<&'a Thread> {
        if thread.is_main() { Some(thread) } else { self.thread(thread.pid) }
    }

    /// The descriptors that a thread uses: its main thread's, unless it has a table of its own.
    #[must_use]
    pub fn fd_table<'a>(&'a self, thread: &'a Thread) -> Option<&'a Fds> {
        if thread.shares_fds() { self.main_thread(thread) } else { Some(thread) }
            .map(|owner| &owner.fds)
    }

    /// The main thread of the parent process.
    #[must_use]
    pub fn parent(&self, thread: &Thread) -> Option<&Thread> {
        self.main_thread(self.thread(thread.ptid)?)
    }

    /// The ancestors from the parent upwards; a loop in the table ends it.
    pub fn ancestors<'a>(&'a self, thread: &'a Thread) -> impl Iterator<Item = &'a Thread> {
        const MAX_DEPTH: usize = 1024;
        std::iter::successors(self.main_thread(thread), |child| {
            self.parent(child).filter(|parent| parent.tid != child.tid)
        })
        .skip(1)
        .take(MAX_DEPTH)
    }
}
