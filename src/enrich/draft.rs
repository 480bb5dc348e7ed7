//! What a live event is made of before it is handed on: what differs from one to the next, and what
//! is the same for all.

use super::live::EventSink;
use crate::event::Arena;
use crate::event::Event;
use crate::event::EventFd;
use crate::event::EventType;
use crate::event::Param;
use crate::event::Thread;
use crate::event::World;

/// What events are made with.
#[derive(Debug, Default)]
pub(super) struct Out {
    arena: Arena,
    num: u64,
    /// The latest time that was told of.
    pub(super) now_ns: u64,
}

impl Out {
    /// Hands one event to `sink`.
    pub(super) fn tell(&mut self, world: &World, draft: &Draft<'_>, sink: &mut EventSink<'_>) {
        self.arena.reset();
        self.num += 1;
        sink(&Event {
            num: self.num,
            ts: draft.ts,
            ty: draft.ty,
            cpu: draft.cpu,
            tid: draft.tid,
            params: draft.params,
            thread: draft.thread,
            fd: draft.fd,
            world,
            arena: &self.arena,
        });
    }
}

/// An event without what is the same for all.
#[derive(Debug)]
pub(super) struct Draft<'a> {
    pub(super) ts: u64,
    pub(super) ty: EventType,
    pub(super) cpu: Option<u16>,
    pub(super) tid: i64,
    pub(super) thread: Option<&'a Thread>,
    pub(super) params: &'a [Param<'a>],
    pub(super) fd: EventFd<'a>,
}
