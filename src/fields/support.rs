//! A small world for the tests of this module: one event of one thread.

use std::sync::Arc;

use super::{Field, lookup, print};
use crate::event::{
    Arena, Event, EventFd, EventType, Fd, FdKind, FdNumber, FdTable, Param, Thread, World,
};

/// An event and what is known beside it.
#[derive(Debug)]
pub(crate) struct Scene {
    pub(crate) world: World,
    pub(crate) thread: Thread,
    pub(crate) ty: EventType,
    pub(crate) ts: u64,
    pub(crate) params: Vec<Param<'static>>,
    pub(crate) fd: Option<(i64, Fd)>,
}

impl Scene {
    /// An event of that type by a shell of pid 856 in /root.
    pub(crate) fn new(ty: &str) -> Self {
        let mut thread = Thread::unknown(856, 856);
        (thread.vtid, thread.vpid) = (856, 856);
        thread.comm = Arc::from(&b"bash"[..]);
        thread.exe = Arc::from(&b"-bash"[..]);
        thread.cwd = Arc::from(&b"/root"[..]);
        Self {
            world: World::default(),
            thread,
            ty: EventType::by_name(ty).unwrap(),
            ts: 1_700_000_000_004_355_174,
            params: Vec::new(),
            fd: None,
        }
    }

    pub(crate) fn with_params(mut self, params: &[Param<'static>]) -> Self {
        self.params = params.to_vec();
        self
    }

    /// The event's descriptor.
    pub(crate) fn with_fd(mut self, num: i64, fd: Fd) -> Self {
        let table: FdTable = [(num, fd.clone())].into_iter().collect();
        self.thread.fds = Arc::new(table).into();
        self.fd = Some((num, fd));
        self
    }

    /// Does something with the event.
    pub(crate) fn with_event<T>(&self, act: impl FnOnce(&Event<'_>) -> T) -> T {
        let arena = Arena::new();
        let fd = match &self.fd {
            None => EventFd::default(),
            Some((num, info)) => EventFd {
                num: FdNumber::Known(*num),
                info: Some(info),
                name_changed: false,
                is_unread: false,
                others: &[],
            },
        };
        act(&Event {
            num: 7,
            ts: self.ts,
            ty: self.ty,
            cpu: Some(3),
            tid: self.thread.tid,
            params: &self.params,
            thread: Some(&self.thread),
            fd,
            world: &self.world,
            arena: &arena,
        })
    }

    /// The value of a field, for debugging.
    pub(crate) fn value(&self, field: &str) -> Option<String> {
        let field = found(field);
        self.with_event(|event| (field.info.read)(event, &field.arg).map(|v| format!("{v:?}")))
    }
}

/// A descriptor of that kind and name.
pub(crate) fn descriptor(kind: FdKind, name: &str) -> Fd {
    Fd {
        kind,
        name: Arc::from(name.as_bytes()),
        name_raw: Arc::from(name.as_bytes()),
        flags: 0,
        dev: 0,
        ino: 0,
        socket: None,
        is_upper_layer: false,
        is_lower_layer: false,
    }
}

fn found(field: &str) -> Field {
    let (name, argument) = match field.split_once('[') {
        Some((name, rest)) => (name, rest.strip_suffix(']')),
        None => (field, None),
    };
    lookup(name, argument).unwrap()
}

/// A field as an output prints it.
pub(crate) fn shown(scene: &Scene, field: &str) -> String {
    let field = found(field);
    scene.with_event(|event| {
        let mut out = Vec::new();
        if !print::push_field(event, &field, &mut out) {
            out.extend_from_slice(b"<NA>");
        }
        String::from_utf8(out).unwrap()
    })
}
