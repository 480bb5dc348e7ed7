//! Socket addresses and tuples in the encoding of events, and the rules by which a descriptor's
//! ends change.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::decode::reader::Reader;

/// Address families, Linux numbers.
const AF_UNIX: u8 = 1;
const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;

/// One end of a connection.
pub(super) type End = (IpAddr, u16);

/// A socket address.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Address<'a> {
    /// An end; `is_v6` as it was given, mapped addresses are IPv4 in `end`.
    Ip { end: End, is_v6: bool },
    /// A path.
    Unix(&'a [u8]),
    /// Another family.
    Other,
}

/// Both ends of a connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Tuple<'a> {
    /// IP ends; both IPv4 if both were mapped.
    Ip { source: End, dest: End },
    /// Kernel addresses and a path.
    Unix { ends: (u64, u64), path: &'a [u8] },
}

/// Reads a socket address; `None` if it is none or is cut short.
pub(super) fn address(bytes: &[u8]) -> Option<Address<'_>> {
    const WHAT: &str = "socket address";
    let mut reader = Reader::new(bytes);
    Some(match reader.u8(WHAT).ok()? {
        AF_INET => Address::Ip { end: end_v4(&mut reader)?, is_v6: false },
        AF_INET6 => {
            let end = end_v6(&mut reader)?;
            Address::Ip { end: unmapped(end).unwrap_or(end), is_v6: true }
        }
        AF_UNIX => Address::Unix(path(reader.rest())?),
        _ => Address::Other,
    })
}

/// Reads a tuple; `None` if it is none or is cut short.
pub(super) fn tuple(bytes: &[u8]) -> Option<Tuple<'_>> {
    const WHAT: &str = "socket tuple";
    let mut reader = Reader::new(bytes);
    match reader.u8(WHAT).ok()? {
        AF_INET => Some(Tuple::Ip { source: end_v4(&mut reader)?, dest: end_v4(&mut reader)? }),
        AF_INET6 => {
            let (source, dest) = (end_v6(&mut reader)?, end_v6(&mut reader)?);
            let (source, dest) = match (unmapped(source), unmapped(dest)) {
                (Some(source), Some(dest)) => (source, dest),
                _ => (source, dest),
            };
            Some(Tuple::Ip { source, dest })
        }
        AF_UNIX => {
            let ends = (reader.u64_le(WHAT).ok()?, reader.u64_le(WHAT).ok()?);
            Some(Tuple::Unix { ends, path: path(reader.rest())? })
        }
        _ => None,
    }
}

fn end_v4(reader: &mut Reader<'_>) -> Option<End> {
    let address = Ipv4Addr::from(reader.array::<4>("IPv4 address").ok()?);
    Some((IpAddr::V4(address), reader.u16_le("port").ok()?))
}

fn end_v6(reader: &mut Reader<'_>) -> Option<End> {
    let address = Ipv6Addr::from(reader.array::<16>("IPv6 address").ok()?);
    Some((IpAddr::V6(address), reader.u16_le("port").ok()?))
}

/// The IPv4 form of a mapped address; all zeros count as one.
fn unmapped((address, port): End) -> Option<End> {
    let mapped = crate::decode::scap::fds::mapped(address)?;
    Some((IpAddr::V4(mapped), port))
}

/// Text up to its NUL; without one it was cut short.
fn path(bytes: &[u8]) -> Option<&[u8]> {
    let end = memchr::memchr(0, bytes)?;
    bytes.get(..end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_little_endian_and_addresses_are_not() {
        let bytes = [2, 192, 168, 7, 20, 0xbb, 1];
        let end = (IpAddr::from([192, 168, 7, 20]), 443);
        assert_eq!(address(&bytes), Some(Address::Ip { end, is_v6: false }));
        assert_eq!(address(&bytes[..6]), None);
    }

    #[test]
    fn a_tuple_of_mapped_addresses_is_ipv4() {
        let mut bytes = vec![10];
        for last in [1_u8, 2] {
            bytes.extend([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, last]);
            bytes.extend([80, 0]);
        }
        let source = (IpAddr::from([10, 0, 0, 1]), 80);
        let dest = (IpAddr::from([10, 0, 0, 2]), 80);
        assert_eq!(tuple(&bytes), Some(Tuple::Ip { source, dest }));
    }

    #[test]
    fn a_unix_tuple_has_kernel_addresses_and_a_path() {
        let mut bytes = vec![1];
        bytes.extend(1_u64.to_le_bytes());
        bytes.extend(2_u64.to_le_bytes());
        bytes.extend(b"/run/a.sock\0");
        assert_eq!(tuple(&bytes), Some(Tuple::Unix { ends: (1, 2), path: b"/run/a.sock" }));
    }
}
