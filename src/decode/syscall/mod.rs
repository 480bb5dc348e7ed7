//! One system call, as registers and memory tell it → the event type and its parameters.
//!
//! Used alike by every source that sees system calls (ptrace; audit's records carry the same
//! numbers). Numbers are translated to names by architecture, names to event types by the event
//! table, arguments to parameters by `rows`, the kernel's flags to Falco's by
//! `kernel_flags`. What the arguments point to is asked from an [`Inspect`].

pub mod buffers;
mod kernel_flags;
mod numbers;
mod rows;

use super::sockaddr;
use crate::event::{Arena, EventType, Kind, Param, flag_tables as tables};
use buffers::{Buffer, Way};

/// Which table a system call's number belongs to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Abi {
    X86_64,
    I386,
    Aarch64,
}

/// A finished system call.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Call {
    /// Its architecture.
    pub abi: Abi,
    /// Its number there.
    pub number: u32,
    /// Its six arguments, as registers.
    pub arguments: [u64; 6],
    /// What it returned; a negative errno on failure.
    pub result: i64,
}

/// What the arguments point to. Everything may be unknown: the answer is then `None`.
pub trait Inspect<'a> {
    /// Whether argument `index` was told at all.
    fn knows_argument(&self, _index: usize) -> bool {
        true
    }
    /// The NUL-terminated text behind argument `index`, without its NUL.
    fn text(&mut self, index: usize, address: u64) -> Option<&'a [u8]>;
    /// `len` bytes of the caller's memory.
    fn memory(&mut self, address: u64, len: usize) -> Option<&'a [u8]>;
    /// Device (in Falco's form) and inode of an open descriptor of the caller.
    fn file(&mut self, fd: i64) -> Option<(u32, u64)>;
    /// Both ends of a socket of the caller, encoded as a SOCKTUPLE.
    fn tuple(&mut self, fd: i64) -> Option<&'a [u8]>;
}

/// Where a parameter comes from. The number is the argument's.
#[derive(Clone, Copy, Debug)]
enum Source {
    Unknown,
    Ret,
    RetUnsigned,
    I32(usize),
    I64(usize),
    U32(usize),
    U64(usize),
    Fd(usize),
    Pid(usize),
    /// A uid or gid; -1 means unchanged.
    Id(usize),
    Text(usize),
    Mode(usize),
    CreateMode {
        mode: usize,
        flags: usize,
    },
    OpenFlags(usize),
    OpenHow(usize),
    OpenHowMode(usize),
    OpenHowResolve(usize),
    CloneFlags(usize),
    ChownFlags(usize),
    StatFlags(usize),
    Prot(usize),
    MmapFlags(usize),
    FcntlCommand(usize),
    PtraceRequest(usize),
    /// PR_SET_NAME's text.
    NameOption(usize),
    SocketType(usize),
    /// Of what a call makes: O_CLOEXEC and O_NONBLOCK, no access mode.
    CreateFlags(usize),
    /// Which of the two descriptors that the array at the argument holds.
    FdPair(usize, usize),
    Address {
        pointer: usize,
        len: usize,
    },
    Tuple,
    /// The bytes of a buffer.
    Data(Way, Buffer),
    /// How many bytes it has room for.
    Size(Buffer),
    /// How many bytes were received.
    Received,
    Device,
    Inode,
}

/// The name of a system call.
#[must_use]
pub fn name(abi: Abi, number: u32) -> Option<&'static str> {
    let table = match abi {
        Abi::X86_64 => numbers::X86_64,
        Abi::I386 => numbers::I386,
        Abi::Aarch64 => numbers::AARCH64,
    };
    let at = table.binary_search_by_key(&number, |row| row.0).ok()?;
    table.get(at).map(|row| row.1)
}

/// The numbers of all system calls of `abi` that make events of type `ty`.
pub fn numbers_of(abi: Abi, ty: EventType) -> impl Iterator<Item = u32> {
    let table = match abi {
        Abi::X86_64 => numbers::X86_64,
        Abi::I386 => numbers::I386,
        Abi::Aarch64 => numbers::AARCH64,
    };
    table
        .iter()
        .filter(move |(_, name)| ty.info().syscalls.contains(name))
        .map(|&(number, _)| number)
}

/// The event type that a system call of that name makes.
#[must_use]
pub fn event_type(syscall: &str) -> Option<EventType> {
    EventType::all().find(|ty| {
        matches!(ty.info().kind, Kind::Syscall | Kind::Generic)
            && ty.info().syscalls.contains(&syscall)
    })
}

/// The event types by number, made once: what a source asks for every call.
#[derive(Debug)]
pub struct Table {
    x86_64: Vec<Option<EventType>>,
    i386: Vec<Option<EventType>>,
    aarch64: Vec<Option<EventType>>,
}

impl Table {
    /// Makes the three tables.
    #[must_use]
    pub fn new() -> Self {
        let build = |rows: &[(u32, &str)]| {
            let mut table = Vec::new();
            for &(number, name) in rows {
                let at = usize::try_from(number).unwrap_or(usize::MAX);
                if at < 1024 {
                    table.resize(table.len().max(at + 1), None);
                    if let Some(slot) = table.get_mut(at) {
                        *slot = event_type(name);
                    }
                }
            }
            table
        };
        Self {
            x86_64: build(numbers::X86_64),
            i386: build(numbers::I386),
            aarch64: build(numbers::AARCH64),
        }
    }

    /// The event type of a call.
    #[must_use]
    pub fn event_type(&self, abi: Abi, number: u32) -> Option<EventType> {
        let table = match abi {
            Abi::X86_64 => &self.x86_64,
            Abi::I386 => &self.i386,
            Abi::Aarch64 => &self.aarch64,
        };
        *table.get(usize::try_from(number).ok()?)?
    }
}

impl Default for Table {
    fn default() -> Self {
        Self::new()
    }
}

/// The arguments of a call of type `ty` that point to texts, to be read while it is entered.
pub fn text_arguments(ty: EventType) -> impl Iterator<Item = usize> {
    row_of(ty).iter().filter_map(|source| match source {
        Source::Text(index) | Source::NameOption(index) => Some(*index),
        _ => None,
    })
}

/// The descriptor that parameter `place` of an event holds, straight from the call's arguments.
#[must_use]
pub fn descriptor_argument(ty: EventType, place: usize, call: &Call) -> Option<i64> {
    match row_of(ty).get(place)? {
        Source::Fd(index) => Some(i64::from(low_word(*call.arguments.get(*index)?).cast_signed())),
        _ => None,
    }
}

/// The argument that parameter `place` of an event is made of, if it is a number of a list of named
/// ones.
#[must_use]
pub fn named_argument(ty: EventType, place: usize) -> Option<usize> {
    match row_of(ty).get(place)? {
        Source::U32(index) | Source::FcntlCommand(index) | Source::PtraceRequest(index) => {
            Some(*index)
        }
        _ => None,
    }
}

/// How the parameters of `ty` are read.
fn row_of(ty: EventType) -> &'static [Source] {
    rows::ROWS
        .binary_search_by_key(&ty.name(), |row| row.0)
        .ok()
        .and_then(|at| rows::ROWS.get(at))
        .map_or(&[Source::Ret], |row| row.1)
}

/// Fills `params` with the parameters of a call of type `ty`.
pub fn parameters<'a>(
    ty: EventType,
    call: &Call,
    inspect: &mut dyn Inspect<'a>,
    arena: &'a Arena,
    params: &mut Vec<Param<'a>>,
) {
    params.clear();
    let info = ty.info();
    if info.kind == Kind::Generic {
        params.extend([Param::Unknown, Param::UInt(u64::from(call.number))]);
        return;
    }
    let count = info.params.len();
    for source in row_of(ty).iter().take(count) {
        let is_told = last_argument(*source).is_none_or(|index| inspect.knows_argument(index));
        params.push(if is_told {
            parameter(*source, call, inspect, arena)
        } else {
            Param::Unknown
        });
    }
    params.resize(count, Param::Unknown);
}

/// The last of the arguments that a parameter is made of.
fn last_argument(source: Source) -> Option<usize> {
    match source {
        Source::Unknown
        | Source::Ret
        | Source::RetUnsigned
        | Source::Tuple
        | Source::Received
        | Source::Device
        | Source::Inode => None,
        Source::CreateMode { mode, flags } => Some(mode.max(flags)),
        Source::Address { pointer, len }
        | Source::Data(_, Buffer::Plain { pointer, len })
        | Source::Size(Buffer::Plain { pointer, len })
        | Source::Data(_, Buffer::Vectors { pointer, count: len })
        | Source::Size(Buffer::Vectors { pointer, count: len }) => Some(pointer.max(len)),
        Source::Data(_, Buffer::Message(index)) | Source::Size(Buffer::Message(index)) => {
            Some(index)
        }
        Source::FdPair(index, _)
        | Source::I32(index)
        | Source::I64(index)
        | Source::U32(index)
        | Source::U64(index)
        | Source::Fd(index)
        | Source::Pid(index)
        | Source::Id(index)
        | Source::Text(index)
        | Source::Mode(index)
        | Source::OpenFlags(index)
        | Source::OpenHow(index)
        | Source::OpenHowMode(index)
        | Source::OpenHowResolve(index)
        | Source::CloneFlags(index)
        | Source::ChownFlags(index)
        | Source::StatFlags(index)
        | Source::Prot(index)
        | Source::MmapFlags(index)
        | Source::FcntlCommand(index)
        | Source::PtraceRequest(index)
        | Source::NameOption(index)
        | Source::SocketType(index)
        | Source::CreateFlags(index) => Some(index),
    }
}

/// One parameter.
fn parameter<'a>(
    source: Source,
    call: &Call,
    inspect: &mut dyn Inspect<'a>,
    arena: &'a Arena,
) -> Param<'a> {
    let argument = |index: usize| call.arguments.get(index).copied().unwrap_or(0);
    let low = |index| u64::from(low_word(argument(index)));
    let signed = |index| i64::from(low_word(argument(index)).cast_signed());
    let set = |kernel, falco, value| Param::UInt(kernel_flags::translate(kernel, falco, value));
    match source {
        Source::Unknown => Param::Unknown,
        Source::Ret => Param::Int(call.result),
        Source::RetUnsigned => Param::UInt(u64::from(low_word(call.result.cast_unsigned()))),
        Source::I32(index) | Source::Fd(index) | Source::Pid(index) => Param::Int(signed(index)),
        Source::I64(index) => Param::Int(argument(index).cast_signed()),
        Source::U32(index) | Source::Id(index) => Param::UInt(low(index)),
        Source::Mode(index) => Param::UInt(low(index) & 0o7777),
        Source::U64(index) => Param::UInt(argument(index)),
        Source::Text(index) => text(inspect, index, argument(index)),
        Source::CreateMode { mode, flags } => Param::UInt(create_mode(low(flags), low(mode))),
        Source::OpenFlags(index) => Param::UInt(open_flags(low(index))),
        Source::OpenHow(index) => open_how(inspect, argument(index), 0)
            .map_or(Param::Unknown, |v| Param::UInt(open_flags(v))),
        Source::OpenHowMode(index) => {
            open_how(inspect, argument(index), 1).map_or(Param::Unknown, Param::UInt)
        }
        Source::OpenHowResolve(index) => {
            open_how(inspect, argument(index), 2).map_or(Param::Unknown, |v| {
                Param::UInt(kernel_flags::translate(
                    kernel_flags::RESOLVE,
                    tables::OPENAT2_FLAGS,
                    v,
                ))
            })
        }
        Source::CloneFlags(index) => set(kernel_flags::CLONE, tables::CLONE_FLAGS, argument(index)),
        Source::ChownFlags(index) => {
            set(kernel_flags::FCHOWNAT, tables::FCHOWNAT_FLAGS, low(index))
        }
        Source::StatFlags(index) => {
            set(kernel_flags::NEWFSTATAT, tables::NEWFSTATAT_FLAGS, low(index))
        }
        Source::Prot(index) => set(kernel_flags::PROT, tables::PROT_FLAGS, low(index)),
        Source::MmapFlags(index) => set(kernel_flags::MMAP, tables::MMAP_FLAGS, low(index)),
        Source::FcntlCommand(index) => Param::UInt(kernel_flags::fcntl_command(low(index))),
        Source::PtraceRequest(index) => Param::UInt(kernel_flags::ptrace_request(argument(index))),
        Source::NameOption(index) => {
            if low(0) == PR_SET_NAME {
                text(inspect, index, argument(index))
            } else {
                Param::Empty
            }
        }
        Source::SocketType(index) => Param::UInt(low(index) & 0xf),
        Source::CreateFlags(index) => Param::UInt(open_flags(low(index)) & !0b11),
        Source::FdPair(index, which) => fd_pair(inspect, argument(index), which),
        Source::Address { pointer, len } => {
            address(inspect, argument(pointer), low(len), arena).unwrap_or(Param::Unknown)
        }
        Source::Tuple => {
            let fd = if call.result >= 0 && is_accept(call) { call.result } else { signed(0) };
            inspect.tuple(fd).map_or(Param::Unknown, Param::Bytes)
        }
        Source::Data(way, buffer) => buffer.data(way, call, inspect, arena),
        Source::Size(buffer) => buffer.size(call, inspect, arena),
        Source::Received => u64::try_from(call.result).map_or(Param::Empty, Param::UInt),
        Source::Device => file(inspect, call).map_or(Param::UInt(0), |f| Param::UInt(f.0.into())),
        Source::Inode => file(inspect, call).map_or(Param::UInt(0), |f| Param::UInt(f.1)),
    }
}

/// PR_SET_NAME of prctl(2).
const PR_SET_NAME: u64 = 15;

/// The low half of a register: what a 32-bit argument is.
#[expect(clippy::cast_possible_truncation, reason = "the kernel looks at the low half alone")]
const fn low_word(register: u64) -> u32 {
    register as u32
}

/// A text argument; a null pointer is told and empty, an unreadable one is unknown.
fn text<'a>(inspect: &mut dyn Inspect<'a>, index: usize, address: u64) -> Param<'a> {
    if address == 0 {
        return Param::Empty;
    }
    inspect.text(index, address).map_or(Param::Unknown, Param::Bytes)
}

/// The access mode and flags of open(2), in Falco's numbers.
#[must_use]
pub fn open_flags(flags: u64) -> u64 {
    // O_RDONLY, O_WRONLY, O_RDWR are 0, 1, 2; Falco has one bit for reading and one for writing.
    let access = match flags & 0b11 {
        0 => 1,
        1 => 2,
        _ => 3,
    };
    access | kernel_flags::translate(kernel_flags::OPEN, tables::FILE_FLAGS, flags)
}

/// The mode of an open(2), which counts only if the call may create a file.
fn create_mode(flags: u64, mode: u64) -> u64 {
    const O_CREAT: u64 = 0o100;
    const O_TMPFILE: u64 = 0o20_000_000;
    if flags & (O_CREAT | O_TMPFILE) == 0 { 0 } else { mode & 0o7777 }
}

/// One of the three numbers of openat2(2)'s `struct open_how`.
fn open_how(inspect: &mut dyn Inspect<'_>, address: u64, which: usize) -> Option<u64> {
    let bytes = inspect.memory(address, 24)?;
    let number = bytes.get(which * 8..)?.first_chunk::<8>()?;
    Some(u64::from_ne_bytes(*number))
}

/// One of the two descriptors that pipe(2) and socketpair(2) write.
fn fd_pair<'a>(inspect: &mut dyn Inspect<'a>, address: u64, which: usize) -> Param<'a> {
    let read = |bytes: &[u8]| {
        let number = bytes.get(which * 4..)?.first_chunk::<4>()?;
        Some(i64::from(i32::from_ne_bytes(*number)))
    };
    inspect.memory(address, 8).and_then(read).map_or(Param::Unknown, Param::Int)
}

/// An address argument, encoded as a SOCKADDR.
fn address<'a>(
    inspect: &mut dyn Inspect<'a>,
    pointer: u64,
    len: u64,
    arena: &'a Arena,
) -> Option<Param<'a>> {
    if pointer == 0 {
        return Some(Param::Empty);
    }
    // sizeof(struct sockaddr_storage)
    let len = usize::try_from(len).ok()?.min(128);
    let encoded = sockaddr::encode(inspect.memory(pointer, len)?)?;
    Some(Param::Bytes(arena.alloc_slice_copy(&encoded)))
}

/// Whether the result of a call is a socket that it made.
fn is_accept(call: &Call) -> bool {
    matches!(name(call.abi, call.number), Some("accept" | "accept4"))
}

/// Device and inode of the descriptor that a call returned.
fn file(inspect: &mut dyn Inspect<'_>, call: &Call) -> Option<(u32, u64)> {
    if call.result < 0 { None } else { inspect.file(call.result) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A caller whose memory is one text.
    struct Memory(&'static [u8]);

    impl<'a> Inspect<'a> for Memory {
        fn text(&mut self, _: usize, _: u64) -> Option<&'a [u8]> {
            Some(self.0)
        }
        fn memory(&mut self, _: u64, len: usize) -> Option<&'a [u8]> {
            self.0.get(..len)
        }
        fn file(&mut self, _: i64) -> Option<(u32, u64)> {
            Some((0x803, 1311))
        }
        fn tuple(&mut self, _: i64) -> Option<&'a [u8]> {
            None
        }
    }

    fn decode(number: u32, arguments: [u64; 6], result: i64, memory: &'static [u8]) -> String {
        let arena = Arena::new();
        let call = Call { abi: Abi::X86_64, number, arguments, result };
        let ty = Table::new().event_type(call.abi, number).unwrap();
        let mut params = Vec::new();
        parameters(ty, &call, &mut Memory(memory), &arena, &mut params);
        format!("{} {params:?}", ty.name())
    }

    #[test]
    fn every_row_is_an_event_type_and_has_no_more_sources_than_it_has_parameters() {
        for (name, sources) in rows::ROWS {
            let ty = EventType::by_name(name).unwrap_or_else(|| panic!("no event type {name}"));
            assert!(sources.len() <= ty.info().params.len(), "{name}");
        }
        assert!(rows::ROWS.is_sorted_by_key(|row| row.0));
    }

    #[test]
    fn tables_of_numbers_are_sorted_and_known_numbers_are_right() {
        for table in [numbers::X86_64, numbers::I386, numbers::AARCH64] {
            assert!(table.is_sorted_by_key(|row| row.0));
        }
        assert_eq!(name(Abi::X86_64, 257), Some("openat"));
        assert_eq!(name(Abi::I386, 11), Some("execve"));
        assert_eq!(name(Abi::Aarch64, 221), Some("execve"));
    }

    #[test]
    fn openat_has_falcos_flags_and_the_files_identity() {
        let at_fdcwd = u64::from((-100_i32).cast_unsigned());
        let text = decode(257, [at_fdcwd, 1, 0o2_000_000, 0o644, 0, 0], 3, b"/etc/passwd");
        assert_eq!(
            text,
            "openat [Int(3), Int(-100), Bytes([47, 101, 116, 99, 47, 112, 97, 115, 115, 119, 100]), \
             UInt(4097), UInt(0), UInt(2051), UInt(1311)]"
        );
    }

    #[test]
    fn a_failed_open_has_no_file() {
        let text = decode(2, [1, 1, 0, 0, 0, 0], -2, b"/nope");
        assert!(text.ends_with("UInt(2), UInt(0), UInt(0), UInt(0)]"), "{text}");
    }

    #[test]
    fn the_numbers_behind_an_event_type_are_all_calls_of_that_name() {
        let ty = EventType::by_name("setuid").unwrap();
        let names: Vec<_> =
            numbers_of(Abi::I386, ty).filter_map(|number| name(Abi::I386, number)).collect();
        assert_eq!(names, ["setuid", "setuid32"]);
    }
}
