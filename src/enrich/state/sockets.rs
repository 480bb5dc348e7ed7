//! Sockets: where their ends are, and which end the process has.

use std::net::{IpAddr, Ipv4Addr};

use super::tuples::{Address, End, Tuple, address, tuple};
use super::turn::{self, Turn, add_fd};
use super::{Enter, RawEvent, Tracker};
use crate::event::{Bytes, Fd, FdKind, Protocol, Role, Socket, World, known, no_bytes};

const AF_UNIX: u32 = 1;
const AF_INET: u32 = 2;
const AF_INET6: u32 = 10;
const AF_NETLINK: u32 = 16;

const SOCK_STREAM: u32 = 1;
const SOCK_DGRAM: u32 = 2;
const SOCK_RAW: u32 = 3;

const EINPROGRESS: i64 = 115;
const O_CLOEXEC: u32 = 4096;

/// No end: what Falco has before it knows one.
const NO_END: End = (IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);

/// socket(2).
pub(super) fn socket(world: &mut World, raw: &RawEvent<'_>, turn: &mut Turn) {
    if raw.result() < 0 {
        return;
    }
    let number = |index: usize| raw.uint32(index).unwrap_or(0);
    let fd = new_socket(number(1), number(2), number(3), number(4));
    add_fd(world, raw.tid, raw.result(), fd, turn);
}

fn new_socket(domain: u32, ty: u32, protocol: u32, flags: u32) -> Fd {
    let kind = match domain {
        AF_UNIX => FdKind::UnixSocket,
        AF_INET => FdKind::Ipv4Socket,
        AF_INET6 => FdKind::Ipv6Socket,
        AF_NETLINK => FdKind::Netlink,
        _ => FdKind::Unknown,
    };
    let mut fd = Fd::new(kind);
    fd.flags = flags;
    let mut socket = Socket::default();
    if matches!(kind, FdKind::Ipv4Socket | FdKind::Ipv6Socket) {
        socket.protocol = protocol_of(ty, protocol);
    }
    fd.socket = Some(socket);
    fd
}

const fn protocol_of(ty: u32, protocol: u32) -> Protocol {
    const IPPROTO_IP: u32 = 0;
    const IPPROTO_ICMP: u32 = 1;
    const IPPROTO_TCP: u32 = 6;
    const IPPROTO_UDP: u32 = 17;
    const IPPROTO_RAW: u32 = 255;
    match (protocol, ty & 0xff) {
        (IPPROTO_TCP | IPPROTO_UDP | IPPROTO_ICMP, _) if ty == SOCK_RAW => Protocol::Raw,
        (IPPROTO_RAW, _) => Protocol::Raw,
        (IPPROTO_TCP, _) | (IPPROTO_IP, SOCK_STREAM) => Protocol::Tcp,
        (IPPROTO_UDP, _) | (IPPROTO_IP, SOCK_DGRAM) => Protocol::Udp,
        (IPPROTO_ICMP, _) => Protocol::Icmp,
        _ => Protocol::Unknown,
    }
}

/// socketpair(2): its second descriptor is the event's number, the first one's entry its entry.
pub(super) fn socketpair(world: &mut World, raw: &RawEvent<'_>, turn: &mut Turn) {
    let (Some(first), Some(second)) = (raw.int(1), raw.int(2)) else { return };
    if first == second {
        turn.info = None;
        return;
    }
    let mut fd = Fd::new(FdKind::UnixSocket);
    let unix_ends = (raw.uint(3).unwrap_or(0), raw.uint(4).unwrap_or(0));
    fd.socket = Some(Socket { unix_ends, ..Socket::default() });
    add_fd(world, raw.tid, first, fd.clone(), turn);
    add_fd(world, raw.tid, second, fd, turn);
    turn.info = Some(first);
}

/// accept(2): the peer is the client.
pub(super) fn accept(world: &mut World, raw: &RawEvent<'_>, turn: &mut Turn) {
    if raw.result() < 0 || !world.threads.contains_key(&raw.tid) {
        return;
    }
    turn.fd = raw.result();
    let Some(tuple) = raw.bytes(1).and_then(tuple) else { return };
    let (kind, socket, name) = match tuple {
        Tuple::Ip { source, dest } => {
            let kind = kind_of(source.0);
            let socket = Socket {
                client: Some(source),
                server: Some(dest),
                protocol: Protocol::Tcp,
                ..Socket::default()
            };
            (kind, socket, None)
        }
        Tuple::Unix { ends, path } => {
            let socket = Socket { unix_ends: ends, ..Socket::default() };
            (FdKind::UnixSocket, socket, Some(unix_name(ends, path)))
        }
    };
    let mut fd = Fd::new(kind);
    if raw.ty == known::ACCEPT4 {
        // Falco compares its own flag with the kernel's, which is another bit.
        fd.flags = raw.uint32(5).unwrap_or(0) & O_CLOEXEC;
    }
    fd.name = name.map_or_else(|| ip_name(&socket), Into::into);
    fd.socket = Some(Socket { role: Some(Role::Server), is_connected: true, ..socket });
    add_fd(world, raw.tid, raw.result(), fd, turn);
}

impl Tracker {
    /// bind(2): with a port the socket is a server.
    pub(super) fn bind(&mut self, world: &mut World, raw: &RawEvent<'_>, turn: &mut Turn) {
        if raw.result() < 0 {
            return;
        }
        let Some(bytes) = raw.bytes(1) else { return };
        let Some(bound) = address(bytes) else { return };
        let name = match bound {
            Address::Ip { end: (_, port), .. } => {
                format!("{}:{port}", given_ip(bytes)).into_bytes()
            }
            Address::Unix(path) => path.to_vec(),
            Address::Other => format!("family {}", bytes.first().unwrap_or(&0)).into_bytes(),
        };
        change_fd(world, raw.tid, turn, |fd| {
            if let Address::Ip { end: end @ (address, port @ 1..), .. } = bound {
                debug_assert_eq!(end.1, port);
                fd.kind = match address {
                    IpAddr::V4(_) => FdKind::Ipv4Server,
                    IpAddr::V6(_) => FdKind::Ipv6Server,
                };
                let socket = fd.socket.get_or_insert_default();
                socket.client = None;
                socket.server = Some(end);
                socket.role = Some(Role::Server);
            }
            fd.name = name.into();
        });
    }

    /// connect(2): the process is the client.
    pub(super) fn connect(
        &mut self,
        world: &mut World,
        raw: &RawEvent<'_>,
        enter: Option<Enter>,
        turn: &mut Turn,
    ) {
        if raw.result() < 0 && raw.result() != -EINPROGRESS {
            return;
        }
        let told = raw.bytes(1);
        let parsed = told.and_then(tuple);
        let enter = enter.filter(|enter| !enter.bytes.is_empty());
        let enter_address = enter.as_ref().and_then(|enter| address(&enter.bytes));
        change_fd(world, raw.tid, turn, |fd| {
            fd.socket.get_or_insert_default().is_connected = true;
            match (told, parsed, enter_address) {
                (None, _, Some(address)) => connect_to_address(fd, address),
                (None, _, None) | (Some(_), None, _) => {}
                (Some(_), Some(tuple), _) => connect_to_tuple(fd, tuple),
            }
        });
    }

    /// Something was sent: a socket that isn't connected tells its ends with each message.
    pub(super) fn send(&mut self, world: &mut World, raw: &RawEvent<'_>, turn: &mut Turn) {
        const TUPLE: usize = 4;
        let has_tuple =
            matches!(raw.ty, known::SEND | known::SENDTO | known::SENDMSG | known::SENDMMSG);
        let has_no_entry = turn.info.is_none_or(|num| turn::fd(world, raw.tid, num).is_none());
        if has_no_entry && has_tuple && raw.ty != known::SENDMMSG && raw.result() >= 0 {
            // Its socket call was not seen; with an address it can only be UDP.
            if let Some(&[family, ..]) = raw.bytes(TUPLE)
                && let domain @ (AF_INET | AF_INET6) = u32::from(family)
                && let Some(num) = raw.int(2)
            {
                add_fd(world, raw.tid, num, new_socket(domain, SOCK_DGRAM, 17, 0), turn);
            }
        }
        self.transfer(world, raw, has_tuple.then_some(TUPLE), false, turn);
    }

    /// Something was received.
    pub(super) fn receive(&mut self, world: &mut World, raw: &RawEvent<'_>, turn: &mut Turn) {
        let tuple = match raw.ty {
            known::RECVFROM => Some(2),
            known::RECVMSG => Some(3),
            known::RECV | known::RECVMMSG => Some(4),
            _ => None,
        };
        self.transfer(world, raw, tuple, true, turn);
    }

    fn transfer(
        &mut self,
        world: &mut World,
        raw: &RawEvent<'_>,
        tuple_param: Option<usize>,
        is_incoming: bool,
        turn: &mut Turn,
    ) {
        if raw.result() < 0 || raw.int(0).is_none() {
            return;
        }
        let Some(num) = turn.info else { return };
        let Some(fd) = turn::fd(world, raw.tid, num) else { return };
        let is_connection = matches!(fd.kind, FdKind::Ipv4Socket | FdKind::Ipv6Socket);
        let is_news = is_connection && !fd.socket.is_some_and(|socket| socket.is_connected);
        let takes_tuple = is_nameless(fd) || !is_tcp(fd);
        let told = tuple_param.filter(|_| takes_tuple).and_then(|index| raw.bytes(index));
        let told = told.and_then(tuple);
        if !is_news && told.is_none() {
            return;
        }
        let interfaces = std::mem::take(&mut self.interfaces);
        change_fd(world, raw.tid, turn, |fd| {
            if is_connection {
                fd.socket.get_or_insert_default().is_connected = true;
            }
            if let Some(told) = told {
                take_tuple(fd, told, is_incoming, &interfaces);
            }
        });
        self.interfaces = interfaces;
    }
}

/// Changes the event's entry; whether its name is another one then is noted.
fn change_fd(world: &mut World, tid: i64, turn: &mut Turn, change: impl FnOnce(&mut Fd)) {
    let Some(num) = turn.info else { return };
    if turn::fd(world, tid, num).is_none() {
        return;
    }
    if let Some(fd) = turn::fds_mut(world, tid).and_then(|fds| fds.get_mut(num)) {
        let old = fd.name.clone();
        change(fd);
        turn.has_name_changed |= fd.name != old;
    }
}

fn connect_to_address(fd: &mut Fd, address: Address<'_>) {
    let socket = fd.socket.get_or_insert_default();
    match address {
        Address::Ip { end, .. } => {
            fd.kind = kind_of(end.0);
            socket.client.get_or_insert(NO_END);
            socket.server = Some(end);
        }
        Address::Unix(path) => fd.name = path.into(),
        Address::Other => {}
    }
}

fn connect_to_tuple(fd: &mut Fd, tuple: Tuple<'_>) {
    match tuple {
        Tuple::Ip { source, dest } => {
            let kind = kind_of(source.0);
            set_kind(fd, kind);
            let socket = fd.socket.get_or_insert_default();
            let has_changed = set_ends(socket, source, dest);
            let is_server = socket.role == Some(Role::Server);
            if has_changed && is_server && socket.protocol == Protocol::Udp {
                swap_ends(socket);
            }
            fd.name = ip_name(socket);
        }
        Tuple::Unix { ends, path } => {
            if fd.kind != FdKind::UnixSocket {
                return;
            }
            fd.socket.get_or_insert_default().unix_ends = ends;
            fd.name = unix_name(ends, path).into();
        }
    }
    fd.socket.get_or_insert_default().role.get_or_insert(Role::Client);
}

/// What a message's tuple does to a socket that isn't connected by TCP.
fn take_tuple(fd: &mut Fd, told: Tuple<'_>, is_incoming: bool, interfaces: &[(IpAddr, IpAddr)]) {
    let (source, dest) = match told {
        Tuple::Unix { ends, path } => {
            fd.kind = FdKind::UnixSocket;
            fd.socket.get_or_insert_default().unix_ends = ends;
            fd.name = unix_name(ends, path).into();
            return;
        }
        Tuple::Ip { source, dest } => (source, dest),
    };
    let kind = kind_of(source.0);
    if kind == FdKind::Ipv4Socket {
        set_kind(fd, kind);
    } else if fd.kind == FdKind::Ipv6Server {
        return misread_server(fd, source, dest);
    }
    let socket = fd.socket.get_or_insert_default();
    if !set_ends(socket, source, dest) {
        return;
    }
    if socket.protocol == Protocol::Unknown {
        socket.protocol = Protocol::Udp;
    }
    fill_own_address(socket, interfaces);
    let guess = guess_role(dest.0, is_incoming);
    socket.role.get_or_insert(guess);
    let other_way = if is_incoming { Some(Role::Client) } else { Some(Role::Server) };
    if socket.role == other_way {
        swap_ends(socket);
    }
    fd.name = ip_name(socket);
}

/// Falco writes the ends over the server's address in place: the source becomes the address, the
/// first bytes of the destination port and protocol.
fn misread_server(fd: &mut Fd, source: End, dest: End) {
    let IpAddr::V6(overwritten) = dest.0 else { return };
    let [low, high, ..] = overwritten.octets();
    fd.name = format!("{}:{}->{}:{}", source.0, source.1, dest.0, dest.1).into_bytes().into();
    let socket = fd.socket.get_or_insert_default();
    socket.server = Some((source.0, u16::from_le_bytes([low, high])));
    socket.protocol = Protocol::Unknown;
}

/// Which end a process has that sends or receives without connect. Falco asks which ports the
/// process uses otherwise, but the socket itself already counts among them.
const fn guess_role(peer: IpAddr, is_incoming: bool) -> Role {
    if peer.is_ipv4() && is_incoming { Role::Server } else { Role::Client }
}

/// Where the kernel told no address of an end, one of the machine's own stands in.
fn fill_own_address(socket: &mut Socket, interfaces: &[(IpAddr, IpAddr)]) {
    let (Some(client), Some(server)) = (socket.client, socket.server) else { return };
    let (missing, other) = match (client.0.is_unspecified(), server.0.is_unspecified()) {
        (false, false) => return,
        (true, _) => (&mut socket.client, server),
        (false, true) => (&mut socket.server, client),
    };
    let port = missing.map_or(0, |(_, port)| port);
    let Some(own) = own_address_for(other.0, interfaces) else { return };
    if own != other.0 || client.1 != server.1 {
        *missing = Some((own, port));
    }
}

/// The machine's address that leads to `peer`.
fn own_address_for(peer: IpAddr, interfaces: &[(IpAddr, IpAddr)]) -> Option<IpAddr> {
    let same_family = || interfaces.iter().filter(|(own, _)| own.is_ipv4() == peer.is_ipv4());
    let exact = same_family().find(|(own, _)| *own == peer);
    let in_net = || same_family().find(|(own, mask)| masked(*own, *mask) == masked(peer, *mask));
    let any = || same_family().find(|(own, _)| !own.is_loopback());
    exact.or_else(in_net).or_else(any).map(|(own, _)| *own)
}

fn masked(address: IpAddr, mask: IpAddr) -> Option<u128> {
    match (address, mask) {
        (IpAddr::V4(address), IpAddr::V4(mask)) => {
            Some(u128::from(address.to_bits() & mask.to_bits()))
        }
        (IpAddr::V6(address), IpAddr::V6(mask)) => Some(address.to_bits() & mask.to_bits()),
        _ => None,
    }
}

fn is_same(socket: &Socket, source: End, dest: End) -> bool {
    let ends = (socket.client.unwrap_or(NO_END), socket.server.unwrap_or(NO_END));
    ends == (source, dest) || ends == (dest, source)
}

/// Sets both ends unless they are the same already, either way round. Whether they changed.
fn set_ends(socket: &mut Socket, source: End, dest: End) -> bool {
    if is_same(socket, source, dest) {
        return false;
    }
    let has_changed = socket.client != Some(source) || socket.server != Some(dest);
    socket.client = Some(source);
    socket.server = Some(dest);
    has_changed
}

const fn swap_ends(socket: &mut Socket) {
    (socket.client, socket.server) = (socket.server, socket.client);
}

/// An IPv6 socket that turns out to speak IPv4 has no known protocol any more: so does Falco.
fn set_kind(fd: &mut Fd, kind: FdKind) {
    if fd.kind != kind {
        let keeps = matches!(
            (fd.kind, kind),
            (FdKind::Ipv4Server, FdKind::Ipv4Socket) | (FdKind::Ipv6Server, FdKind::Ipv6Socket)
        );
        if !keeps && let Some(socket) = &mut fd.socket {
            socket.protocol = Protocol::Unknown;
        }
        fd.kind = kind;
    }
}

const fn kind_of(address: IpAddr) -> FdKind {
    match address {
        IpAddr::V4(_) => FdKind::Ipv4Socket,
        IpAddr::V6(_) => FdKind::Ipv6Socket,
    }
}

fn is_tcp(fd: &Fd) -> bool {
    fd.socket.is_some_and(|socket| socket.protocol == Protocol::Tcp)
        && matches!(fd.kind, FdKind::Ipv4Socket | FdKind::Ipv6Socket)
}

fn is_nameless(fd: &Fd) -> bool {
    fd.name.is_empty()
}

/// The name of an IP connection.
pub(super) fn ip_name(socket: &Socket) -> Bytes {
    let (Some((client, client_port)), Some((server, server_port))) = (socket.client, socket.server)
    else {
        return no_bytes();
    };
    let text = match socket.protocol {
        Protocol::Tcp | Protocol::Udp => {
            format!("{client}:{client_port}->{server}:{server_port}")
        }
        Protocol::Icmp | Protocol::Raw => format!("{client}->{server}"),
        Protocol::Unknown | Protocol::NotApplicable => "<unknown>".to_owned(),
    };
    text.into_bytes().into()
}

/// The name of a connection that a capture lists: with ports, whatever its protocol.
pub(super) fn tuple_name(socket: &Socket) -> Bytes {
    let (Some((client, client_port)), Some((server, server_port))) = (socket.client, socket.server)
    else {
        return no_bytes();
    };
    format!("{client}:{client_port}->{server}:{server_port}").into_bytes().into()
}

/// The name of a connected unix socket.
fn unix_name((source, dest): (u64, u64), path: &[u8]) -> Vec<u8> {
    let mut name = format!("{source:x}->{dest:x} ").into_bytes();
    name.extend_from_slice(path);
    name
}

/// The address as it was given, mapped or not.
fn given_ip(bytes: &[u8]) -> String {
    let ip = match bytes {
        [2, a, b, c, d, ..] => IpAddr::from([*a, *b, *c, *d]),
        [10, rest @ ..] => match rest.first_chunk::<16>() {
            Some(octets) => IpAddr::from(*octets),
            None => return String::new(),
        },
        _ => return String::new(),
    };
    ip.to_string()
}
