//! The data types of Falco's event parameters and fields, with Falco's names.
//!
//! A type says how a value is compared, which literals it accepts and how it is printed. The bytes
//! of a parameter are as capture files have them (little-endian integers, encoded addresses).

use std::cmp::Ordering;

/// A data type, named as `--list -v` names it.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[allow(missing_docs, reason = "each variant is the type of that name in Falco")]
pub enum DataType {
    Int8,
    Int16,
    Int32,
    Int64,
    UInt8,
    UInt16,
    UInt32,
    UInt64,
    /// NUL-terminated text.
    CharBuf,
    /// Bytes with a length.
    ByteBuf,
    /// A path as given to the system call.
    FsPath,
    /// A path relative to the descriptor in another parameter.
    FsRelPath,
    /// A result: negative values are errno numbers.
    Errno,
    Fd,
    Fd32,
    Pid,
    Pid32,
    Uid,
    Gid,
    SyscallId,
    SigType,
    SigSet,
    /// Nanoseconds; all ones means none.
    RelTime,
    /// Nanoseconds since the epoch.
    AbsTime,
    Port,
    Bool,
    Double,
    Ipv4Addr,
    Ipv6Addr,
    IpAddr,
    IpNet,
    SockAddr,
    SockTuple,
    FdList,
    Flags8,
    Flags16,
    Flags32,
    EnumFlags8,
    EnumFlags16,
    EnumFlags32,
    Mode,
    CharBufArray,
    CharBufPairArray,
    /// One of several types, chosen by the event.
    Dyn,
}

impl DataType {
    /// Falco's spelling.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Int8 => "INT8",
            Self::Int16 => "INT16",
            Self::Int32 => "INT32",
            Self::Int64 => "INT64",
            Self::UInt8 => "UINT8",
            Self::UInt16 => "UINT16",
            Self::UInt32 => "UINT32",
            Self::UInt64 => "UINT64",
            Self::CharBuf => "CHARBUF",
            Self::ByteBuf => "BYTEBUF",
            Self::FsPath => "FSPATH",
            Self::FsRelPath => "FSRELPATH",
            Self::Errno => "ERRNO",
            Self::Fd => "FD",
            Self::Fd32 => "FD32",
            Self::Pid => "PID",
            Self::Pid32 => "PID32",
            Self::Uid => "UID",
            Self::Gid => "GID",
            Self::SyscallId => "SYSCALLID",
            Self::SigType => "SIGTYPE",
            Self::SigSet => "SIGSET",
            Self::RelTime => "RELTIME",
            Self::AbsTime => "ABSTIME",
            Self::Port => "PORT",
            Self::Bool => "BOOL",
            Self::Double => "DOUBLE",
            Self::Ipv4Addr => "IPV4ADDR",
            Self::Ipv6Addr => "IPV6ADDR",
            Self::IpAddr => "IPADDR",
            Self::IpNet => "IPNET",
            Self::SockAddr => "SOCKADDR",
            Self::SockTuple => "SOCKTUPLE",
            Self::FdList => "FDLIST",
            Self::Flags8 => "FLAGS8",
            Self::Flags16 => "FLAGS16",
            Self::Flags32 => "FLAGS32",
            Self::EnumFlags8 => "ENUMFLAGS8",
            Self::EnumFlags16 => "ENUMFLAGS16",
            Self::EnumFlags32 => "ENUMFLAGS32",
            Self::Mode => "MODE",
            Self::CharBufArray => "CHARBUFARRAY",
            Self::CharBufPairArray => "CHARBUF_PAIR_ARRAY",
            Self::Dyn => "DYN",
        }
    }

    /// Size in a capture file for fixed-size types, `None` for variable-size ones.
    #[must_use]
    pub const fn size(self) -> Option<usize> {
        Some(match self {
            Self::Int8 | Self::UInt8 | Self::Flags8 | Self::EnumFlags8 | Self::SigType => 1,
            Self::Int16
            | Self::UInt16
            | Self::Flags16
            | Self::EnumFlags16
            | Self::SyscallId
            | Self::Port => 2,
            Self::Int32
            | Self::UInt32
            | Self::Flags32
            | Self::EnumFlags32
            | Self::Uid
            | Self::Gid
            | Self::Mode
            | Self::SigSet
            | Self::Fd32
            | Self::Pid32
            | Self::Ipv4Addr
            | Self::Bool => 4,
            Self::Int64
            | Self::UInt64
            | Self::RelTime
            | Self::AbsTime
            | Self::Errno
            | Self::Fd
            | Self::Pid
            | Self::Double => 8,
            Self::Ipv6Addr => 16,
            _ => return None,
        })
    }

    /// Whether an integer of this type is signed.
    #[must_use]
    pub const fn is_signed(self) -> bool {
        matches!(
            self,
            Self::Int8
                | Self::Int16
                | Self::Int32
                | Self::Int64
                | Self::Errno
                | Self::Fd
                | Self::Fd32
                | Self::Pid
                | Self::Pid32
        )
    }

    /// The bits of a number that its type has.
    #[must_use]
    pub const fn masked(self, bits: u64) -> u64 {
        match self.size() {
            Some(size @ 1..8) => bits & ((1 << (8 * size)) - 1),
            _ => bits,
        }
    }

    /// How two numbers of this type lie to each other; bits that it doesn't have don't count.
    #[must_use]
    pub fn compare(self, left: u64, right: u64) -> Ordering {
        if !self.is_signed() {
            return self.masked(left).cmp(&self.masked(right));
        }
        let unused = match self.size() {
            Some(size @ 1..8) => 64 - 8 * u32::try_from(size).unwrap_or(8),
            _ => 0,
        };
        let signed = |bits: u64| (bits << unused).cast_signed() >> unused;
        signed(left).cmp(&signed(right))
    }
}
