//! System calls become events: parameters from registers and memory, the descriptor from `/proc`.
//!
//! For sources whose process stands still while it is looked at. Forks, execs and exits are not
//! calls here: they come as process records.

use super::descriptor::Describer;
use super::descriptor::encoded_tuple;
use super::descriptor::falco_device;
use super::draft::Draft;
use super::ends::addressed;
use super::ends::kind_of_family;
use super::live::EventSink;
use super::live::LiveEnricher;
use super::path::as_base;
use super::path::join;
use crate::decode::syscall;
use crate::decode::syscall::Abi;
use crate::decode::syscall::Call;
use crate::decode::syscall::Inspect;
use crate::decode::syscall::buffers::Message;
use crate::event::Arena;
use crate::event::Bytes;
use crate::event::Category;
use crate::event::DataType;
use crate::event::EventFd;
use crate::event::EventFlags;
use crate::event::EventType;
use crate::event::Fd;
use crate::event::FdKind;
use crate::event::FdNumber;
use crate::event::Role;
use crate::event::Thread;
use crate::event::known;
use crate::procfs::ProcessDir;

/// Memory of the caller: reads from an address into a buffer, tells how much.
pub type Memory<'m> = dyn Fn(u64, &mut [u8]) -> usize + 'm;
/// The text that an argument points to, as it was when the call was entered.
pub type TextOf<'t> = dyn Fn(usize) -> Option<&'t [u8]> + 't;

/// A finished system call.
pub struct CallRecord<'r> {
    /// Nanoseconds since the epoch.
    pub wall_ns: u64,
    /// The thread that called.
    pub tid: i32,
    /// Its process.
    pub pid: i32,
    /// What event it is.
    pub ty: EventType,
    /// Numbers and registers.
    pub call: &'r Call,
    /// The texts behind its arguments.
    pub text: &'r TextOf<'r>,
    /// The caller's memory.
    pub memory: &'r Memory<'r>,
    /// The descriptor as it was before the call, for a call that closes it.
    pub closing: Option<&'r Fd>,
}

impl std::fmt::Debug for CallRecord<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CallRecord")
            .field("tid", &self.tid)
            .field("call", &self.call)
            .finish_non_exhaustive()
    }
}

/// What events of calls are made with.
#[derive(Debug, Default)]
pub(super) struct CallScratch {
    pub(super) arena: Arena,
    pub(super) describer: Describer,
}

impl LiveEnricher {
    /// What a descriptor is now; for a call that is about to close it.
    pub fn descriptor(&mut self, pid: i32, number: i64) -> Option<Fd> {
        let process = self.proc.process(pid).ok()?;
        self.calls.describer.describe(&process, number, None)
    }

    /// Takes one finished call; hands its event to `sink` if the rules need its type.
    pub fn call(&mut self, record: &CallRecord<'_>, sink: &mut EventSink<'_>) {
        self.out.now_ns = self.out.now_ns.max(record.wall_ns);
        self.know(record.pid);
        if record.call.result >= 0 && changes_process(record.ty) {
            self.reread(record.pid);
        }
        if !self.needs.wants(record.ty) {
            return;
        }
        let process = self.proc.process(record.pid).ok();
        let CallScratch { arena, describer } = &mut self.calls;
        arena.reset();
        let arena = &*arena;
        let mut is_named = record.ty == known::CONNECT;
        let described = process.as_ref().and_then(|process| {
            let number = descriptor_of(record.ty, record.call)?;
            let role = role_of(record.ty);
            let mut fd =
                record.closing.cloned().or_else(|| describer.describe(process, number, role))?;
            if fd.kind == FdKind::Unsupported {
                fd.kind = told_kind(record);
            }
            if let Some(address) = own_address(record, arena) {
                fd = addressed(Some(fd), address, record.ty);
                is_named = true;
            }
            let thread = self.world.thread(i64::from(record.pid));
            name_as_opened(record, thread, process, describer, &mut fd);
            Some((number, Some(fd)))
        });
        let info = described.as_ref().and_then(|(_, fd)| fd.as_ref());
        let number = described.as_ref().map(|(number, _)| *number);
        let (ty, call) = (record.ty, record.call);
        let others = other_descriptors(ty, call, number, &|| process.as_ref(), describer);
        let mut caller = Caller { record, process: process.as_ref(), info, arena };
        let mut params = Vec::with_capacity(record.ty.info().params.len());
        syscall::parameters(record.ty, record.call, &mut caller, arena, &mut params);
        let num = match (&described, record.ty.info().has(EventFlags::CREATES_FD)) {
            (_, true) => FdNumber::Known(record.call.result),
            (Some((number, _)), false) => FdNumber::Known(*number),
            (None, false) => FdNumber::None,
        };
        let draft = Draft {
            ts: record.wall_ns,
            ty: record.ty,
            cpu: None,
            tid: i64::from(record.tid),
            thread: self.world.thread(i64::from(record.pid)),
            params: &params,
            fd: EventFd { num, info, name_changed: is_named, is_unread: false, others: &others },
        };
        self.out.tell(&self.world, &draft, sink);
    }
}

/// Whether a call changes what is known of its process: user, session, name, directories.
pub(super) fn changes_process(ty: EventType) -> bool {
    let info = ty.info();
    info.has(EventFlags::STATE)
        && (matches!(info.category, Category::User | Category::Process)
            || matches!(ty, known::CHDIR | known::FCHDIR | known::CHROOT))
}

/// The descriptor that a call is about: the one it returned, else its first one.
pub(super) fn descriptor_of(ty: EventType, call: &Call) -> Option<i64> {
    let info = ty.info();
    if !info.has_fd() {
        return None;
    }
    if info.has(EventFlags::CREATES_FD) {
        return (call.result >= 0).then_some(call.result);
    }
    // Every call that uses a descriptor has it as a parameter; which argument, the row says.
    let place = info.params.iter().skip(1).position(|param| param.ty == DataType::Fd)? + 1;
    syscall::descriptor_argument(ty, place, call)
}

/// The descriptors that the parameters of a call name, but `own`, which the event is about.
pub(super) fn other_descriptors<'p>(
    ty: EventType,
    call: &Call,
    own: Option<i64>,
    process: &dyn Fn() -> Option<&'p ProcessDir>,
    describer: &mut Describer,
) -> Vec<(i64, Fd)> {
    let mut others: Vec<(i64, Fd)> = Vec::new();
    for place in 1..ty.info().params.len() {
        let Some(number) = syscall::descriptor_argument(ty, place, call) else { continue };
        let is_known = own == Some(number) || others.iter().any(|(other, _)| *other == number);
        if number >= 0
            && !is_known
            && let Some(process) = process()
        {
            others.extend(describer.describe(process, number, None).map(|fd| (number, fd)));
        }
    }
    others
}

/// The address that a call about a socket was given, or gave.
fn own_address<'a>(record: &CallRecord<'_>, arena: &'a Arena) -> Option<&'a [u8]> {
    // sizeof(struct sockaddr_storage)
    const MAX_ADDRESS: u64 = 128;
    let [_, second, third, _, fifth, sixth] = record.call.arguments;
    let memory = |address, len: u64| {
        let bytes = arena.alloc_slice_fill_copy(usize::try_from(len.min(MAX_ADDRESS)).ok()?, 0_u8);
        ((record.memory)(address, bytes) == bytes.len()).then_some(&*bytes)
    };
    let (address, len) = match record.ty {
        _ if record.call.result < 0 && !is_under_way(record.ty, record.call.result) => return None,
        known::BIND | known::CONNECT => (second, third & u64::from(u32::MAX)),
        known::SENDTO => (fifth, sixth & u64::from(u32::MAX)),
        known::RECVFROM if sixth != 0 => {
            let len = memory(sixth, 4)?.first_chunk::<4>().map(|len| u32::from_ne_bytes(*len))?;
            (fifth, u64::from(len))
        }
        known::SENDMSG | known::RECVMSG => {
            let len = if record.call.abi == Abi::I386 { 16 } else { 32 };
            Message::parse(record.call.abi, memory(second, len)?).ok()?.name
        }
        _ => return None,
    };
    if address == 0 || len == 0 { None } else { memory(address, len) }
}

/// Whether a connection is being made, though its call has returned an error. It may have failed
/// before anybody looks, and its socket stands in no table then.
pub(super) fn is_under_way(ty: EventType, result: i64) -> bool {
    const EINPROGRESS: i64 = 115;
    ty == known::CONNECT && result == -EINPROGRESS
}

/// What a socket is that stands in no table yet: by the family that its call names.
fn told_kind(record: &CallRecord<'_>) -> FdKind {
    let [first, address, _, _, _, _] = record.call.arguments;
    let family = match record.ty {
        known::SOCKET => first,
        known::CONNECT | known::BIND => {
            let mut family = [0; 2];
            if (record.memory)(address, &mut family) < family.len() {
                return FdKind::Unsupported;
            }
            u64::from(u16::from_ne_bytes(family))
        }
        _ => return FdKind::Unsupported,
    };
    u16::try_from(family).map_or(FdKind::Unsupported, kind_of_family)
}

/// An opened file is named by the path that was given, as Falco does: symbolic links in it stay.
fn name_as_opened(
    record: &CallRecord<'_>,
    thread: Option<&Thread>,
    process: &ProcessDir,
    describer: &mut Describer,
    fd: &mut Fd,
) {
    let (path, directory) = match record.ty {
        known::OPEN | known::CREAT => (0, None),
        known::OPENAT | known::OPENAT2 => {
            (1, syscall::descriptor_argument(record.ty, 1, record.call))
        }
        _ => return,
    };
    let Some(text) = (record.text)(path) else { return };
    let base = match directory {
        Some(number) if number >= 0 && !text.starts_with(b"/") => {
            describer.describe(process, number, None).map(|directory| directory.name)
        }
        _ => thread.map(|thread| Bytes::clone(&thread.cwd)),
    };
    let Some(base) = base else { return };
    let (mut with_slash, mut name) = (Vec::new(), Vec::new());
    as_base(&mut with_slash, &base);
    join(&mut name, &with_slash, text);
    fd.name = Bytes::from(name);
    fd.name_raw = Bytes::from(text);
}

/// Which end of a connection a call makes its process.
pub(super) fn role_of(ty: EventType) -> Option<Role> {
    match ty {
        known::CONNECT => Some(Role::Client),
        known::ACCEPT | known::ACCEPT4 => Some(Role::Server),
        _ => None,
    }
}

/// The calling process, as the decoder asks about it.
struct Caller<'c, 'r> {
    record: &'c CallRecord<'r>,
    process: Option<&'c ProcessDir>,
    info: Option<&'c Fd>,
    arena: &'c Arena,
}

impl<'c, 'r: 'c> Inspect<'c> for Caller<'c, 'r> {
    fn text(&mut self, index: usize, _: u64) -> Option<&'c [u8]> {
        (self.record.text)(index)
    }

    fn memory(&mut self, address: u64, len: usize) -> Option<&'c [u8]> {
        let bytes = self.arena.alloc_slice_fill_copy(len, 0_u8);
        let read = (self.record.memory)(address, bytes);
        if read == len { Some(bytes) } else { None }
    }

    fn file(&mut self, fd: i64) -> Option<(u32, u64)> {
        if let Some(info) = self.info {
            return Some((info.dev, info.ino));
        }
        let stat = self.process?.fds().ok()?.stat(i32::try_from(fd).ok()?).ok()?;
        Some((falco_device(stat.st_dev), stat.st_ino))
    }

    fn tuple(&mut self, _: i64) -> Option<&'c [u8]> {
        let tuple = encoded_tuple(self.info?)?;
        Some(self.arena.alloc_slice_copy(&tuple))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_calls_about_the_process_itself_change_what_is_known_of_it() {
        assert!(changes_process(known::SETUID));
        assert!(changes_process(known::CHDIR));
        assert!(!changes_process(known::OPENAT));
        assert!(!changes_process(known::CONNECT));
    }
}
