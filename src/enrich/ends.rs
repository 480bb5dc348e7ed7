//! What a call itself says of its socket: the address that it was given, or gave.
//!
//! It completes what is found of the socket afterwards: a message of a socket that isn't connected
//! has its other end in the call alone, and a bound TCP socket that doesn't listen yet stands in
//! none of the kernel's tables.

use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;

use crate::decode::reader::Reader;
use crate::decode::sockaddr;
use crate::event::Bytes;
use crate::event::EventType;
use crate::event::Fd;
use crate::event::FdKind;
use crate::event::Role;
use crate::event::Socket;
use crate::event::known;

/// Families: linux/socket.h.
const AF_UNIX: u16 = 1;
const AF_INET: u16 = 2;
const AF_INET6: u16 = 10;
const AF_NETLINK: u16 = 16;

/// An address and a port.
type End = (IpAddr, u16);

/// An IPv4 address that is written as IPv6 is an IPv4 address.
pub(super) fn plain(address: IpAddr) -> IpAddr {
    address.to_canonical()
}

/// Whether a call of that type with an address gives its socket another name.
pub(super) fn names_socket(ty: EventType) -> bool {
    is_sent(ty) || is_received(ty)
}

fn is_sent(ty: EventType) -> bool {
    matches!(ty, known::SENDTO | known::SENDMSG)
}

fn is_received(ty: EventType) -> bool {
    matches!(ty, known::RECVFROM | known::RECVMSG)
}

/// A socket by the address of a call about it; `live`: what is found of the socket otherwise.
pub(super) fn addressed(live: Option<Fd>, address: &[u8], ty: EventType) -> Fd {
    let Some((family, end)) = end_of(address) else {
        return live.unwrap_or_else(|| Fd::new(FdKind::Unsupported));
    };
    let kind = kind_of_family(family);
    if family == AF_UNIX {
        let encoded = sockaddr::encode(address).unwrap_or_default();
        let path = encoded.get(1..).unwrap_or_default();
        let mut fd = live.filter(|fd| fd.kind == kind).unwrap_or_else(|| Fd::new(kind));
        if fd.name.is_empty() {
            fd.name = Bytes::from(path.strip_suffix(b"\0").unwrap_or(path));
        }
        return fd;
    }
    let Some(end) = end else { return live.unwrap_or_else(|| Fd::new(kind)) };
    let socket = live.as_ref().and_then(|fd| fd.socket).unwrap_or_default();
    match live {
        Some(fd) if agrees(&socket, end, ty) => fd,
        Some(fd) if is_server_kind(fd.kind) && names_socket(ty) => {
            Fd { socket: Some(with_peer(socket, end, ty)), ..Fd::new(kind_of(end)) }
        }
        // A bound socket is what its call says.
        _ if ty == known::BIND && end.1 != 0 => {
            let kind = if end.0.is_ipv4() { FdKind::Ipv4Server } else { FdKind::Ipv6Server };
            Fd {
                socket: Some(Socket { is_partial: false, ..alone(ty, end, socket) }),
                ..Fd::new(kind)
            }
        }
        _ => Fd { socket: Some(alone(ty, end, socket)), ..Fd::new(kind_of(end)) },
    }
}

/// Whether what was found is the socket that the address was about.
fn agrees(socket: &Socket, end: End, ty: EventType) -> bool {
    match ty {
        known::ACCEPT | known::ACCEPT4 => socket.client == Some(end),
        // A port that the kernel was to choose it has chosen.
        known::BIND => {
            let has_chosen = |own: End| own.0 == end.0 && end.1 == 0;
            socket.client.is_none()
                && socket.server.is_some_and(|own| own == end || has_chosen(own))
        }
        known::RECVFROM | known::RECVMSG => {
            socket.server == Some(end) || socket.client == Some(end)
        }
        known::SENDTO | known::SENDMSG => {
            socket.client.is_some() && (socket.server == Some(end) || socket.client == Some(end))
        }
        _ => socket.server == Some(end),
    }
}

/// Both ends of a message of a socket that is bound and not connected.
fn with_peer(socket: Socket, peer: End, ty: EventType) -> Socket {
    let (client, server, role) = if is_received(ty) {
        (Some(peer), socket.server, Role::Server)
    } else {
        (socket.server, Some(peer), Role::Client)
    };
    Socket { client, server, role: Some(role), serves: role == Role::Server, ..socket }
}

/// What one end tells of a connection; of what was found the protocol is still right.
fn alone(ty: EventType, end: End, found: Socket) -> Socket {
    let socket = Socket { protocol: found.protocol, is_partial: true, ..Socket::default() };
    match ty {
        known::ACCEPT | known::ACCEPT4 => {
            Socket { client: Some(end), role: Some(Role::Server), is_connected: true, ..socket }
        }
        known::BIND => Socket { server: Some(end), role: Some(Role::Server), ..socket },
        // Who is whose server isn't told by what was received.
        known::RECVFROM | known::RECVMSG => Socket { client: Some(end), ..socket },
        _ => Socket {
            server: Some(end),
            role: Some(Role::Client),
            is_connected: ty == known::CONNECT,
            ..socket
        },
    }
}

const fn is_server_kind(kind: FdKind) -> bool {
    matches!(kind, FdKind::Ipv4Server | FdKind::Ipv6Server)
}

const fn kind_of(end: End) -> FdKind {
    if end.0.is_ipv4() { FdKind::Ipv4Socket } else { FdKind::Ipv6Socket }
}

/// What a socket of that family is.
pub(super) const fn kind_of_family(family: u16) -> FdKind {
    match family {
        AF_UNIX => FdKind::UnixSocket,
        AF_INET => FdKind::Ipv4Socket,
        AF_INET6 => FdKind::Ipv6Socket,
        AF_NETLINK => FdKind::Netlink,
        _ => FdKind::Unsupported,
    }
}

/// Family, and address with port where it has those.
fn end_of(address: &[u8]) -> Option<(u16, Option<End>)> {
    let mut reader = Reader::new(address);
    let family = reader.u16_ne("a family").ok()?;
    let mut port = || reader.array("a port").map(u16::from_be_bytes).ok();
    let end = match family {
        AF_INET => {
            let port = port()?;
            let ip: [u8; 4] = reader.array("an address").ok()?;
            Some((IpAddr::V4(Ipv4Addr::from(ip)), port))
        }
        AF_INET6 => {
            let port = port()?;
            reader.take(4, "flow information").ok()?;
            let ip: [u8; 16] = reader.array("an address").ok()?;
            Some((plain(IpAddr::V6(Ipv6Addr::from(ip))), port))
        }
        _ => None,
    };
    Some((family, end))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Protocol;

    const V4: [u8; 16] = [2, 0, 0, 80, 1, 2, 3, 4, 0, 0, 0, 0, 0, 0, 0, 0];

    fn bound() -> Fd {
        let socket = Socket {
            server: Some(("10.0.0.1".parse().unwrap(), 4000)),
            protocol: Protocol::Udp,
            role: Some(Role::Server),
            ..Socket::default()
        };
        Fd { socket: Some(socket), ..Fd::new(FdKind::Ipv4Server) }
    }

    #[test]
    fn an_address_is_a_connection_whose_other_end_is_unknown() {
        let fd = addressed(None, &V4, known::CONNECT);
        let socket = fd.socket.unwrap();
        assert_eq!(fd.kind, FdKind::Ipv4Socket);
        assert_eq!(socket.server, Some(("1.2.3.4".parse().unwrap(), 80)));
        assert_eq!((socket.client, socket.role), (None, Some(Role::Client)));
        let fd = addressed(None, b"\x01\0/run/x\0junk", known::CONNECT);
        assert_eq!((fd.kind, fd.name.as_ref()), (FdKind::UnixSocket, &b"/run/x"[..]));
    }

    #[test]
    fn a_message_of_a_bound_socket_has_its_other_end_in_the_call() {
        let (own, peer) = (("10.0.0.1".parse().unwrap(), 4000), ("1.2.3.4".parse().unwrap(), 80));
        let sent = addressed(Some(bound()), &V4, known::SENDTO).socket.unwrap();
        assert_eq!((sent.client, sent.server, sent.is_partial), (Some(own), Some(peer), false));
        assert_eq!((sent.role, sent.protocol), (Some(Role::Client), Protocol::Udp));
        let received = addressed(Some(bound()), &V4, known::RECVMSG).socket.unwrap();
        assert_eq!((received.client, received.server), (Some(peer), Some(own)));
        assert_eq!(received.role, Some(Role::Server));
    }

    #[test]
    fn a_bound_socket_that_stands_in_no_table_is_what_its_call_says() {
        let found = Socket { protocol: Protocol::Tcp, is_partial: true, ..Socket::default() };
        let live = Fd { socket: Some(found), ..Fd::new(FdKind::Ipv4Socket) };
        let fd = addressed(Some(live), &V4, known::BIND);
        let socket = fd.socket.unwrap();
        assert_eq!((fd.kind, socket.is_partial), (FdKind::Ipv4Server, false));
        assert_eq!(socket.server, Some(("1.2.3.4".parse().unwrap(), 80)));
        assert_eq!(socket.protocol, Protocol::Tcp);
        // The kernel has chosen the port since.
        let any = [2, 0, 0, 0, 10, 0, 0, 1];
        let fd = addressed(Some(bound()), &any, known::BIND);
        assert_eq!(fd.socket.unwrap().server, Some(("10.0.0.1".parse().unwrap(), 4000)));
    }
}
