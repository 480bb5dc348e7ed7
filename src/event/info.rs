//! What a row of the event table says, and the short constructors that the rows are written with.

use super::data_type::DataType;
use super::flags::FlagTable;

/// One row of [`EVENT_TYPES`](super::types::EVENT_TYPES).
#[derive(Debug)]
pub struct EventInfo {
    /// What `evt.type` is.
    pub name: &'static str,
    /// Number of the event in capture files (the exit event where there are two).
    pub code: u16,
    /// How many event codes share the name: enter, exit and every old layout.
    pub codes: u16,
    /// What `evt.category` starts from.
    pub category: Category,
    /// Where such an event comes from.
    pub kind: Kind,
    /// A set of [`EventFlags`].
    pub flags: u32,
    /// The system calls that it stands for.
    pub syscalls: &'static [&'static str],
    /// Its parameters, in order.
    pub params: &'static [ParamInfo],
}

/// One parameter of an event type.
#[derive(Clone, Copy, Debug)]
pub struct ParamInfo {
    /// Its name in `evt.arg.NAME`.
    pub name: &'static str,
    /// Its type.
    pub ty: DataType,
    /// Names of its values, for flags, enums and modes.
    pub flags: Option<&'static FlagTable>,
    /// The alternatives of a [`DataType::Dyn`].
    pub alternatives: &'static [DataType],
    /// The base in which a number is printed.
    pub base: Base,
    /// For [`DataType::FsRelPath`]: index of the parameter with the directory's descriptor.
    pub dirfd: Option<u8>,
}

/// The base in which a number is printed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Base {
    /// Base 10.
    Decimal,
    /// Base 16.
    Hex,
    /// Base 8.
    Octal,
}

/// Where events of a type come from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// A system call with parameters of its own.
    Syscall,
    /// A system call of which only the name is told.
    Generic,
    /// A kernel tracepoint that is no system call.
    Tracepoint,
    /// Something about the stream itself or its state.
    Meta,
    /// A plugin.
    Plugin,
    /// An entry of the tables found at start.
    Iterator,
}

/// The class of an event type; the `Io…` classes depend on the descriptor (`evt.category`).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Category {
    /// It isn't known.
    Unknown,
    /// None of the others.
    Other,
    /// Files and directories.
    File,
    /// Sockets of a network.
    Net,
    /// Between processes: pipes, futexes, event descriptors, notification.
    Ipc,
    /// Address space.
    Memory,
    /// Life and credentials of processes.
    Process,
    /// Waiting for a time.
    Sleep,
    /// The whole host: mounts, modules, clocks.
    System,
    /// Signals.
    Signal,
    /// Users and groups.
    User,
    /// Reading clocks.
    Time,
    /// Work without any of these.
    Processing,
    /// Reading from a descriptor: of files, or of the network.
    IoRead,
    /// Writing to one.
    IoWrite,
    /// Other work with one.
    IoOther,
    /// Waiting for descriptors or processes.
    Wait,
    /// What the scheduler does.
    Scheduler,
    /// The stream itself.
    Internal,
    /// A call of which only the name is told.
    Syscall,
}

/// Names of the bits in [`EventInfo::flags`].
#[derive(Clone, Copy, Debug)]
pub struct EventFlags;

impl EventFlags {
    /// It makes a descriptor.
    pub const CREATES_FD: u32 = 1;
    /// It closes one.
    pub const DESTROYS_FD: u32 = 1 << 1;
    /// It is about one that is open.
    pub const USES_FD: u32 = 1 << 2;
    /// It reads from a descriptor.
    pub const READS: u32 = 1 << 3;
    /// It writes to a descriptor.
    pub const WRITES: u32 = 1 << 4;
    /// It changes what is known of processes or descriptors.
    pub const STATE: u32 = 1 << 5;
    /// The call may wait.
    pub const WAITS: u32 = 1 << 6;
    /// Lengths of its parameters have 32 bits in captures, not 16.
    pub const LARGE: u32 = 1 << 7;
    /// Captures of other versions have it in other layouts, which are converted.
    pub const CONV: u32 = 1 << 8;
    /// Falco's readers keep what they have found out for the event before.
    pub const SKIP_RESET: u32 = 1 << 9;
}

impl EventInfo {
    /// Whether all bits of `flags` are set.
    #[must_use]
    pub const fn has(&self, flags: u32) -> bool {
        self.flags & flags == flags
    }

    /// Whether an `fd.*` field can have a value for such an event.
    #[must_use]
    pub const fn has_fd(&self) -> bool {
        let any = EventFlags::CREATES_FD | EventFlags::DESTROYS_FD | EventFlags::USES_FD;
        self.flags & any != 0
    }

    /// Index of the parameter of that name.
    #[must_use]
    pub fn param_index(&self, name: &str) -> Option<usize> {
        self.params.iter().position(|param| param.name == name)
    }

    /// `<` for exit events, `>` for the events that have no exit.
    #[must_use]
    pub const fn direction(&self) -> &'static str {
        if self.code % 2 == 1 { "<" } else { ">" }
    }
}

impl ParamInfo {
    /// Printed in hexadecimal.
    pub(super) const fn hex(mut self) -> Self {
        self.base = Base::Hex;
        self
    }

    /// Printed in octal.
    pub(super) const fn oct(mut self) -> Self {
        self.base = Base::Octal;
        self
    }

    /// Relative to the descriptor in parameter `index`.
    pub(super) const fn at(mut self, index: u8) -> Self {
        self.dirfd = Some(index);
        self
    }
}

/// A plain parameter.
pub(super) const fn p(name: &'static str, ty: DataType) -> ParamInfo {
    ParamInfo { name, ty, flags: None, alternatives: &[], base: Base::Decimal, dirfd: None }
}

/// A parameter whose values have names.
pub(super) const fn flags(
    name: &'static str,
    ty: DataType,
    table: &'static FlagTable,
) -> ParamInfo {
    ParamInfo { flags: Some(table), ..p(name, ty) }
}

/// A parameter whose type the event chooses.
pub(super) const fn dynamic(name: &'static str, alternatives: &'static [DataType]) -> ParamInfo {
    ParamInfo { alternatives, ..p(name, DataType::Dyn) }
}

/// Declares a constructor for one kind of row.
macro_rules! row {
    ($(#[$doc:meta])* $function:ident, $kind:ident) => {
        $(#[$doc])*
        pub(super) const fn $function(
            name: &'static str,
            code: u16,
            codes: u16,
            category: Category,
            flags: u32,
            syscalls: &'static [&'static str],
            params: &'static [ParamInfo],
        ) -> EventInfo {
            EventInfo { name, code, codes, category, kind: Kind::$kind, flags, syscalls, params }
        }
    };
}

row!(
    /// A system call.
    syscall, Syscall
);
row!(
    /// A tracepoint.
    tracepoint, Tracepoint
);
row!(
    /// A meta event.
    meta, Meta
);
row!(
    /// A plugin event.
    plugin, Plugin
);
row!(
    /// An iterator event.
    iterator, Iterator
);

/// A system call of which only the name is told.
pub(super) const fn generic(
    name: &'static str,
    category: Category,
    syscalls: &'static [&'static str],
) -> EventInfo {
    const PARAMS: &[ParamInfo] = &[p("ID", DataType::SyscallId), p("nativeID", DataType::UInt16)];
    EventInfo {
        name,
        code: 1,
        codes: 2,
        category,
        kind: Kind::Generic,
        flags: 0,
        syscalls,
        params: PARAMS,
    }
}
