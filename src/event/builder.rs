//! Makes events by hand, for tests, benches and programs that use the engine as a library.
//!
//! The builder owns what an [`Event`] borrows: parameters, threads, the world, the arena.
//!
//! ```
//! use std::sync::Arc;
//!
//! use eyas::engine::compile::compile;
//! use eyas::engine::lang::parser::parse;
//! use eyas::event::builder::EventBuilder;
//! use eyas::event::known;
//! use eyas::event::thread::Thread;
//!
//! let mut cat = Thread::unknown(4242, 4242);
//! cat.comm = Arc::from(&b"cat"[..]);
//! let event = EventBuilder::new(known::OPENAT)
//!     .thread(cat)
//!     .file(3, "/etc/shadow")
//!     .int("fd", 3)
//!     .bytes("name", b"/etc/shadow");
//!
//! let text = "evt.type = openat and proc.name = cat and fd.name startswith /etc/";
//! let compiled = compile(&parse(text)?)?;
//! assert!(compiled.condition.holds(&event.event()));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use super::fd::{Fd, FdKind};
use super::param::Param;
use super::thread::Thread;
use super::world::World;
use super::{Arena, Event, EventFd, EventType, FdNumber};

/// A parameter that owns its bytes.
#[derive(Clone, Debug)]
enum Owned {
    Plain(Param<'static>),
    Bytes(Box<[u8]>),
}

/// An event in the making.
#[derive(Debug)]
pub struct EventBuilder {
    ty: EventType,
    num: u64,
    ts: u64,
    cpu: Option<u16>,
    tid: i64,
    params: Vec<Owned>,
    fd: FdNumber,
    fd_info: Option<Fd>,
    world: World,
    arena: Arena,
}

impl EventBuilder {
    /// An event of type `ty`, number 1, of which nothing else is known: it happened at the epoch, on
    /// an unknown CPU, was done by nobody, and all its parameters are [`Param::Unknown`].
    #[must_use]
    pub fn new(ty: EventType) -> Self {
        Self {
            ty,
            num: 1,
            ts: 0,
            cpu: None,
            tid: -1,
            params: vec![Owned::Plain(Param::Unknown); ty.info().params.len()],
            fd: FdNumber::None,
            fd_info: None,
            world: World::default(),
            arena: Arena::new(),
        }
    }

    /// Its running number, `evt.num`; sources count from 1.
    #[must_use]
    pub const fn num(mut self, num: u64) -> Self {
        self.num = num;
        self
    }

    /// When it happened, in nanoseconds since the epoch.
    #[must_use]
    pub const fn time(mut self, ns: u64) -> Self {
        self.ts = ns;
        self
    }

    /// The CPU that it happened on, `evt.cpu`.
    #[must_use]
    pub const fn cpu(mut self, cpu: u16) -> Self {
        self.cpu = Some(cpu);
        self
    }

    /// The thread that did it; it is put into the world. Its process's main thread and its parent
    /// are others ([`other_thread`](Self::other_thread)) unless it is the main thread itself.
    #[must_use]
    pub fn thread(mut self, thread: Thread) -> Self {
        self.tid = thread.tid;
        self.other_thread(thread)
    }

    /// Another thread that is there: a parent, a main thread.
    #[must_use]
    pub fn other_thread(mut self, thread: Thread) -> Self {
        self.world.threads.insert(thread.tid, Box::new(thread));
        self
    }

    /// A parameter of a signed type by its name in `evt.arg.NAME`; nothing happens if the event's
    /// type has none of that name. The same holds for the other kinds of parameter.
    #[must_use]
    pub fn int(self, name: &str, value: i64) -> Self {
        self.param(name, Owned::Plain(Param::Int(value)))
    }

    /// A parameter of an unsigned type, flags, an id.
    #[must_use]
    pub fn uint(self, name: &str, value: u64) -> Self {
        self.param(name, Owned::Plain(Param::UInt(value)))
    }

    /// A parameter of a variable-size type, encoded as [`Param`] says.
    #[must_use]
    pub fn bytes(self, name: &str, value: &[u8]) -> Self {
        self.param(name, Owned::Bytes(value.into()))
    }

    /// A parameter of which only is known that it isn't negative.
    #[must_use]
    pub fn not_negative(self, name: &str) -> Self {
        self.param(name, Owned::Plain(Param::NotNegative))
    }

    /// The descriptor that it is about, from which all `fd.*` fields are made. It doesn't set the
    /// parameter that tells its number: `evt.arg.fd` and `evt.rawres` are made of that.
    #[must_use]
    pub fn fd(mut self, num: FdNumber, info: Option<Fd>) -> Self {
        self.fd = num;
        self.fd_info = info;
        self
    }

    /// The descriptor of a file that it is about, by its absolute path.
    #[must_use]
    pub fn file(self, num: i64, path: &str) -> Self {
        let info = Fd {
            kind: FdKind::File,
            name: path.as_bytes().into(),
            name_raw: path.as_bytes().into(),
            flags: 0,
            dev: 0,
            ino: 0,
            socket: None,
            is_upper_layer: false,
            is_lower_layer: false,
        };
        self.fd(FdNumber::Known(num), Some(info))
    }

    /// What is known beside the event: further threads, containers, users, the host.
    pub const fn world_mut(&mut self) -> &mut World {
        &mut self.world
    }

    /// The event, as often as it is wanted. What is made for it (texts of fields) stays in the
    /// builder's arena until [`reset`](Self::reset).
    #[must_use]
    pub fn event(&self) -> Event<'_> {
        let params = self.params.iter().map(|param| match param {
            Owned::Plain(param) => *param,
            Owned::Bytes(bytes) => Param::Bytes(bytes),
        });
        Event {
            num: self.num,
            ts: self.ts,
            ty: self.ty,
            cpu: self.cpu,
            tid: self.tid,
            params: self.arena.alloc_slice_fill_iter(params),
            thread: self.world.thread(self.tid),
            fd: EventFd {
                num: self.fd,
                info: self.fd_info.as_ref(),
                name_changed: false,
                is_unread: false,
                others: &[],
            },
            world: &self.world,
            arena: &self.arena,
        }
    }

    /// Forgets the values that were made for the event.
    pub fn reset(&mut self) {
        self.arena.reset();
    }

    fn param(mut self, name: &str, value: Owned) -> Self {
        let index = self.ty.info().param_index(name);
        if let Some(place) = index.and_then(|index| self.params.get_mut(index)) {
            *place = value;
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::super::known;
    use super::*;

    #[test]
    fn parameters_stand_in_the_order_of_the_row() {
        let builder = EventBuilder::new(known::OPEN).bytes("name", b"/x").int("fd", 3);
        let event = builder.event();
        assert_eq!(event.param(0), Param::Int(3));
        assert_eq!(event.param_named("name"), Param::Bytes(b"/x"));
        assert_eq!(event.param_named("mode"), Param::Unknown);
    }

    #[test]
    fn the_thread_is_found_in_the_world() {
        let builder = EventBuilder::new(known::OPEN).thread(Thread::unknown(7, 7));
        assert_eq!(builder.event().thread.map(|thread| thread.tid), Some(7));
    }
}
