//! The descriptors of a thread as a capture file lists them.

use std::net::{IpAddr, Ipv4Addr};

use super::Malformed;
use super::lists::{MAX_FD_NAME, entries, sized, text, v4, v6};
use crate::decode::reader::Reader;

/// One open descriptor.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ListedFd<'a> {
    /// Its number.
    pub num: i64,
    /// Inode.
    pub ino: u64,
    /// What it is.
    pub kind: ListedKind<'a>,
}

/// What a descriptor is, by the type number of the file.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[allow(missing_docs, reason = "the names say it; `protocol` is falco-libs' number")]
pub enum ListedKind<'a> {
    Unknown,
    Connection {
        source: (IpAddr, u16),
        dest: (IpAddr, u16),
        protocol: u8,
    },
    Listening {
        address: (IpAddr, u16),
        protocol: u8,
    },
    Unix {
        source: u64,
        dest: u64,
        path: &'a [u8],
    },
    File {
        flags: u32,
        path: &'a [u8],
        dev: u32,
    },
    /// Of that type, with a name.
    Named {
        ty: u8,
        name: &'a [u8],
    },
    /// A type that this program doesn't know.
    Newer {
        ty: u8,
    },
}

/// Reads a list: the thread, then its descriptors.
///
/// # Errors
///
/// If not even the thread is there.
pub fn fds(
    version: u8,
    body: &[u8],
) -> Result<(i64, impl Iterator<Item = Result<ListedFd<'_>, Malformed>>), Malformed> {
    let mut reader = Reader::new(body);
    let tid = reader.i64_le("thread of a descriptor list")?;
    Ok((tid, entries(reader.rest(), move |reader| listed_fd(version, reader))))
}

fn listed_fd<'a>(version: u8, whole: &mut Reader<'a>) -> Result<ListedFd<'a>, Malformed> {
    let mut entry = if version >= 2 { sized(whole, "entry of a descriptor list")? } else { *whole };
    let reader = &mut entry;
    let num = reader.i64_le("descriptor")?;
    let ino = reader.u64_le("inode of a descriptor")?;
    let ty = reader.u8("type of a descriptor")?;
    let kind = kind(version, ty, reader)?;
    if version < 2 {
        *whole = entry;
    }
    Ok(ListedFd { num, ino, kind })
}

fn kind<'a>(version: u8, ty: u8, reader: &mut Reader<'a>) -> Result<ListedKind<'a>, Malformed> {
    const PORT: &str = "port of a socket";
    const PROTOCOL: &str = "protocol of a socket";
    Ok(match ty {
        0 => ListedKind::Unknown,
        3 | 4 => {
            let address = |reader: &mut Reader<'a>| if ty == 3 { v4(reader) } else { v6(reader) };
            let (source, dest) = (address(reader)?, address(reader)?);
            let (source_port, dest_port) = (reader.u16_le(PORT)?, reader.u16_le(PORT)?);
            let protocol = reader.u8(PROTOCOL)?;
            ListedKind::Connection {
                source: (source, source_port),
                dest: (dest, dest_port),
                protocol,
            }
        }
        5 | 6 => {
            let address = if ty == 5 { v4(reader)? } else { v6(reader)? };
            let port = reader.u16_le(PORT)?;
            ListedKind::Listening { address: (address, port), protocol: reader.u8(PROTOCOL)? }
        }
        8 => ListedKind::Unix {
            source: reader.u64_le("address of a unix socket")?,
            dest: reader.u64_le("address of a unix socket")?,
            path: text(reader, "path of a unix socket", MAX_FD_NAME)?,
        },
        16 => {
            let flags = reader.u32_le("open flags")?;
            let path = text(reader, "path of a file", MAX_FD_NAME)?;
            let dev = if version >= 2 { reader.u32_le("device of a file").unwrap_or(0) } else { 0 };
            ListedKind::File { flags, path, dev }
        }
        1 | 2 | 7 | 9..=15 | 17..=21 => {
            ListedKind::Named { ty, name: text(reader, "name of a descriptor", MAX_FD_NAME)? }
        }
        newer if version >= 2 => ListedKind::Newer { ty: newer },
        other => {
            return Err(Malformed::Unexpected {
                what: "type of a descriptor",
                expected: "0 to 21",
                found: u64::from(other),
            });
        }
    })
}

/// The IPv4 address behind an IPv6 one: mapped, or nothing but zeros.
#[must_use]
pub fn mapped(address: IpAddr) -> Option<Ipv4Addr> {
    match address {
        IpAddr::V4(_) => None,
        IpAddr::V6(v6) if v6.is_unspecified() => Some(Ipv4Addr::UNSPECIFIED),
        IpAddr::V6(v6) => v6.to_ipv4_mapped(),
    }
}
