//! What kind of event it is: its name, its category, its direction of transfer.

use super::Arg;
use super::tuple;
use crate::event::{Category, Event, EventFlags, FdKind, Kind, Param, Value, known};

/// Which way data goes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Way {
    /// Either.
    Any,
    /// To the process: reading.
    In,
    /// From it: writing.
    Out,
}

/// Where a system call without parameters of its own has its name.
const SYSCALL_NAME: usize = 2;

/// What `evt.type` is: an asynchronous event brings its own name.
#[must_use]
pub fn name<'a>(event: &Event<'a>) -> &'a [u8] {
    if event.ty == known::ASYNCEVENT
        && let Param::Bytes(name) = event.param_named("name")
    {
        return name;
    }
    if event.ty == known::SYSCALL
        && let Param::Bytes(name) = event.param(SYSCALL_NAME)
    {
        return name;
    }
    event.ty.name().as_bytes()
}

/// Whether it is about the stream itself or its state.
#[must_use]
pub fn is_meta(event: &Event<'_>) -> bool {
    event.ty.info().kind == Kind::Meta
}

/// Whether it is a system call.
#[must_use]
pub fn is_syscall(event: &Event<'_>) -> bool {
    matches!(event.ty.info().kind, Kind::Syscall | Kind::Generic)
}

/// Whether it is an entry of the tables at a capture's start, of a main thread or any.
#[must_use]
pub fn is_procinfo(event: &Event<'_>, of_main_thread: bool) -> bool {
    let is_main = event.world.thread(event.tid).is_some_and(|thread| thread.is_main());
    event.ty == known::PROCINFO && (!of_main_thread || is_main)
}

/// `evt.type.is.NAME`: one if the event has that type.
pub fn is_type<'a>(event: &Event<'a>, arg: &Arg) -> Option<Value<'a>> {
    let Arg::Key(wanted) = arg else { return None };
    let is_number = wanted.parse() == Ok(event.ty.info().code);
    Some(Value::UInt((is_number || event.ty.name() == &**wanted).into()))
}

/// Whether nothing but its name is told of a system call.
#[must_use]
pub fn is_generic(event: &Event<'_>) -> bool {
    event.ty.info().kind == Kind::Generic
}

/// What `evt.category` is; of transfers, by the kind of descriptor.
#[must_use]
pub fn category(event: &Event<'_>) -> &'static str {
    match event.ty.info().category {
        Category::Unknown => "unknown",
        Category::Other => "other",
        Category::File => "file",
        Category::Net => "net",
        Category::Ipc => "IPC",
        Category::Memory => "memory",
        Category::Process => "process",
        Category::Sleep => "sleep",
        Category::System => "system",
        Category::Signal => "signal",
        Category::User => "user",
        Category::Time => "time",
        Category::Processing => "processing",
        Category::Wait => "wait",
        Category::Scheduler => "scheduler",
        Category::Internal => "internal",
        Category::Syscall => "syscall",
        Category::IoRead | Category::IoWrite | Category::IoOther => transfer_category(event),
    }
}

fn transfer_category(event: &Event<'_>) -> &'static str {
    match event.fd.info.map(|fd| fd.kind) {
        Some(FdKind::File | FdKind::Directory) => "file",
        Some(FdKind::Ipv4Socket | FdKind::Ipv6Socket | FdKind::Ipv4Server | FdKind::Ipv6Server) => {
            "net"
        }
        Some(
            FdKind::Pipe
            | FdKind::UnixSocket
            | FdKind::Event
            | FdKind::Signal
            | FdKind::Inotify
            | FdKind::UserFault,
        ) => "ipc",
        _ => "unknown",
    }
}

/// Whether data is transferred that way.
#[must_use]
pub fn is_io(event: &Event<'_>, way: Way) -> bool {
    let info = event.ty.info();
    let (reads, writes) = (info.has(EventFlags::READS), info.has(EventFlags::WRITES));
    match way {
        Way::Any => reads || writes,
        Way::In => reads,
        Way::Out => writes,
    }
}

/// `read` or `write`.
pub fn io_direction<'a>(event: &Event<'a>, _: &Arg) -> Option<Value<'a>> {
    if is_io(event, Way::Out) {
        return Some(Value::Bytes(b"write"));
    }
    is_io(event, Way::In).then_some(Value::Bytes(b"read"))
}

/// Whether it is a write to the system log's socket.
pub fn is_syslog<'a>(event: &Event<'a>, _: &Arg) -> Option<Value<'a>> {
    let goes_there = is_io(event, Way::Out)
        && event.fd.info.is_some_and(|fd| {
            memchr::memmem::find(tuple::fd_name(event.arena, fd), b"/dev/log").is_some()
        });
    Some(Value::Bool(goes_there))
}
