//! Network addresses: their encoding in parameters, their text, and which end is whose.

use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::event::{Arena, Event, Fd, FdKind, Protocol, Role, Socket};

use super::text::Text;

/// `PPM_AF_*`: the family byte of an encoded address.
const AF_UNIX: u8 = 1;
const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;

/// An address and a port.
pub type End = (IpAddr, u16);

/// The value of a SOCKADDR parameter.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SockAddr<'a> {
    /// An IP address and a port.
    Ip(End),
    /// A path.
    Unix(&'a [u8]),
    /// Another family, by number.
    Other(u8),
}

/// The value of a SOCKTUPLE parameter.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SockTuple<'a> {
    /// Source and destination.
    Ip(End, End),
    /// Kernel addresses of source and destination, and the path.
    Unix(u64, u64, &'a [u8]),
    /// Another family, by number.
    Other(u8),
}

/// Reads an encoded address; `None` if it is cut.
#[must_use]
pub fn sock_addr(bytes: &[u8]) -> Option<SockAddr<'_>> {
    let (&family, rest) = bytes.split_first()?;
    Some(match family {
        AF_UNIX => SockAddr::Unix(until_nul(rest)),
        AF_INET => SockAddr::Ip(v4_end(rest)?.0),
        AF_INET6 => SockAddr::Ip(v6_end(rest)?.0),
        _ => SockAddr::Other(family),
    })
}

/// Reads an encoded tuple; `None` if it is cut.
#[must_use]
pub fn sock_tuple(bytes: &[u8]) -> Option<SockTuple<'_>> {
    let (&family, rest) = bytes.split_first()?;
    Some(match family {
        AF_UNIX => {
            let (source, rest) = rest.split_first_chunk()?;
            let (destination, path) = rest.split_first_chunk()?;
            let number = u64::from_le_bytes;
            SockTuple::Unix(number(*source), number(*destination), until_nul(path))
        }
        AF_INET => {
            let (source, rest) = v4_end(rest)?;
            SockTuple::Ip(source, v4_end(rest)?.0)
        }
        AF_INET6 => {
            let (source, rest) = v6_end(rest)?;
            SockTuple::Ip(source, v6_end(rest)?.0)
        }
        _ => SockTuple::Other(family),
    })
}

fn until_nul(bytes: &[u8]) -> &[u8] {
    bytes.split(|&byte| byte == 0).next().unwrap_or_default()
}

fn v4_end(bytes: &[u8]) -> Option<(End, &[u8])> {
    let (address, rest) = bytes.split_first_chunk::<4>()?;
    let (port, rest) = rest.split_first_chunk::<2>()?;
    Some(((IpAddr::V4(Ipv4Addr::from(*address)), u16::from_le_bytes(*port)), rest))
}

fn v6_end(bytes: &[u8]) -> Option<(End, &[u8])> {
    let (address, rest) = bytes.split_first_chunk::<16>()?;
    let (port, rest) = rest.split_first_chunk::<2>()?;
    Some(((IpAddr::V6(Ipv6Addr::from(*address)), u16::from_le_bytes(*port)), rest))
}

/// The IPv4 address that an IPv6 one stands for: a mapped one, or the unspecified one, which Falco
/// takes for IPv4 too.
#[must_use]
pub fn as_v4(address: IpAddr) -> Option<Ipv4Addr> {
    match address {
        IpAddr::V4(v4) => Some(v4),
        IpAddr::V6(v6) if v6.is_unspecified() => Some(Ipv4Addr::UNSPECIFIED),
        IpAddr::V6(v6) => v6.to_ipv4_mapped(),
    }
}

/// Appends an address as inet_ntop(3) writes it.
pub fn push_ip(text: &mut impl Write, address: IpAddr) {
    // Writing into memory that grows cannot fail.
    let _ = match address {
        IpAddr::V6(v6) if is_compatible(v6) => {
            let [.., a, b, c, d] = v6.octets();
            write!(text, "::{}", Ipv4Addr::from([a, b, c, d]))
        }
        _ => write!(text, "{address}"),
    };
}

/// Whether it is an IPv4 address in the old way of writing: `::1.2.3.4`.
const fn is_compatible(address: Ipv6Addr) -> bool {
    matches!(address.segments(), [0, 0, 0, 0, 0, 0, 1..=u16::MAX, _])
}

/// Appends `address:port`.
pub fn push_end(text: &mut Text<'_>, (address, port): End) {
    push_ip(text, address);
    text.push_byte(b':');
    text.push_uint(u64::from(port));
}

/// Appends a SOCKADDR parameter's text.
pub fn push_sock_addr(text: &mut Text<'_>, address: SockAddr<'_>) {
    match address {
        SockAddr::Ip(end) => push_end(text, end),
        SockAddr::Unix(path) => text.push(path),
        SockAddr::Other(family) => text.push_fmt(format_args!("family {family}")),
    }
}

/// Appends a SOCKTUPLE parameter's text.
pub fn push_sock_tuple(text: &mut Text<'_>, tuple: SockTuple<'_>) {
    match tuple {
        SockTuple::Ip(source, destination) => {
            let (source, destination) = unmapped(source, destination);
            push_end(text, source);
            text.push(b"->");
            push_end(text, destination);
        }
        SockTuple::Unix(source, destination, path) => {
            text.push_fmt(format_args!("{source:x}->{destination:x}"));
            if !path.is_empty() {
                text.push_byte(b' ');
                text.push(path);
            }
        }
        SockTuple::Other(family) => text.push_fmt(format_args!("family {family}")),
    }
}

/// Both ends as IPv4, if both stand for IPv4 addresses.
fn unmapped(source: End, destination: End) -> (End, End) {
    match (as_v4(source.0), as_v4(destination.0)) {
        (Some(a), Some(b)) => ((a.into(), source.1), (b.into(), destination.1)),
        _ => (source, destination),
    }
}

/// What `fd.name` is for a descriptor.
#[must_use]
pub fn fd_name<'a>(arena: &'a Arena, fd: &'a Fd) -> &'a [u8] {
    let Some(socket) = fd.socket.as_ref().filter(|_| fd.name.is_empty()) else { return &fd.name };
    let mut text = Text::new(arena);
    match (fd.kind, socket.client, socket.server) {
        (FdKind::Ipv4Socket | FdKind::Ipv6Socket, Some(client), Some(server)) => {
            if matches!(socket.protocol, Protocol::Icmp | Protocol::Raw) {
                push_ip(&mut text, client.0);
                text.push(b"->");
                push_ip(&mut text, server.0);
            } else {
                push_end(&mut text, client);
                text.push(b"->");
                push_end(&mut text, server);
            }
        }
        (FdKind::Ipv4Server | FdKind::Ipv6Server, _, Some(server)) => {
            push_end(&mut text, server);
        }
        _ => {}
    }
    text.finish()
}

/// The two ends of a connected-type IP socket that has a role.
#[must_use]
pub fn ends(fd: &Fd) -> Option<(End, End)> {
    let socket = with_role(fd)?;
    matches!(fd.kind, FdKind::Ipv4Socket | FdKind::Ipv6Socket)
        .then_some((socket.client?, socket.server?))
}

/// The server's end of an IP socket that has a role; of a server its own address.
#[must_use]
pub fn server_end(fd: &Fd) -> Option<End> {
    match fd.kind {
        FdKind::Ipv4Server | FdKind::Ipv6Server => with_role(fd)?.server,
        _ if is_partial(fd) => with_role(fd)?.server,
        _ => Some(ends(fd)?.1),
    }
}

/// The socket behind a descriptor, once it is known which end the process has.
#[must_use]
pub fn with_role(fd: &Fd) -> Option<&Socket> {
    fd.socket.as_ref().filter(|socket| socket.role.is_some())
}

/// Whether only one end of a socket could be found out.
#[must_use]
pub fn is_partial(fd: &Fd) -> bool {
    fd.socket.as_ref().is_some_and(|socket| socket.is_partial)
}

/// Whether an address is one of the machine's. IPv6 addresses are compared by their /64 network,
/// as Falco does.
#[must_use]
pub fn is_local(event: &Event<'_>, address: IpAddr) -> bool {
    event.world.host.addresses.iter().any(|own| match (own, address) {
        (IpAddr::V4(own), IpAddr::V4(other)) => *own == other,
        (IpAddr::V6(own), IpAddr::V6(other)) => own.octets()[..8] == other.octets()[..8],
        _ => false,
    })
}

/// Which end of a connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Side {
    /// Who connected.
    Client,
    /// Who accepted.
    Server,
    /// The one with an address of this host.
    Local,
    /// The other.
    Remote,
}

/// That end of a descriptor's connection.
#[must_use]
pub fn end_of(event: &Event<'_>, fd: &Fd, side: Side) -> Option<End> {
    if side == Side::Server {
        return server_end(fd);
    }
    if is_partial(fd) {
        let socket = with_role(fd)?;
        let is_client = socket.role == Some(Role::Client);
        return match side {
            Side::Client => socket.client,
            Side::Server => socket.server,
            Side::Local => {
                if is_client {
                    socket.client
                } else {
                    socket.server
                }
            }
            Side::Remote => {
                if is_client {
                    socket.server
                } else {
                    socket.client
                }
            }
        };
    }
    let (client, server) = ends(fd)?;
    Some(match side {
        Side::Client => client,
        Side::Server => server,
        Side::Local if is_local(event, client.0) => client,
        Side::Local => server,
        Side::Remote if is_local(event, client.0) => server,
        Side::Remote => client,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(make: impl Fn(&mut Text<'_>)) -> String {
        let arena = Arena::new();
        let mut text = Text::new(&arena);
        make(&mut text);
        String::from_utf8(text.finish().to_vec()).unwrap()
    }

    #[test]
    fn an_ipv4_tuple_is_read_and_written() {
        let bytes = [2, 192, 168, 7, 20, 0x41, 0x9c, 10, 0, 0, 9, 0xbb, 1];
        let tuple = sock_tuple(&bytes).unwrap();
        let text = shown(|text| push_sock_tuple(text, tuple));
        assert_eq!(text, "192.168.7.20:40001->10.0.0.9:443");
    }

    #[test]
    fn a_unix_tuple_has_kernel_addresses_and_a_path() {
        let mut bytes = vec![1];
        bytes.extend(0xffff_9000_u64.to_le_bytes());
        bytes.extend(0xffff_9001_u64.to_le_bytes());
        bytes.extend(b"/run/y.sock\0");
        let tuple = sock_tuple(&bytes).unwrap();
        assert_eq!(shown(|text| push_sock_tuple(text, tuple)), "ffff9000->ffff9001 /run/y.sock");
    }

    #[test]
    fn a_tuple_of_mapped_addresses_is_printed_as_ipv4() {
        let mapped = |last| Ipv4Addr::new(203, 0, 113, last).to_ipv6_mapped().into();
        let tuple = SockTuple::Ip((mapped(9), 50003), (mapped(1), 80));
        assert_eq!(shown(|text| push_sock_tuple(text, tuple)), "203.0.113.9:50003->203.0.113.1:80");
    }

    #[test]
    fn cut_addresses_are_refused() {
        assert_eq!(sock_tuple(&[2, 1, 2, 3]), None);
        assert_eq!(sock_addr(&[]), None);
        assert_eq!(sock_addr(&[10, 1]), None);
        assert_eq!(sock_addr(&[16, 1]), Some(SockAddr::Other(16)));
    }

    #[test]
    fn the_unspecified_ipv6_address_keeps_its_text_in_an_address() {
        let address = SockAddr::Ip((Ipv6Addr::UNSPECIFIED.into(), 8443));
        assert_eq!(shown(|text| push_sock_addr(text, address)), ":::8443");
    }
}
