//! Calls about sockets. The other ends are made beforehand, by the standard library where it can.

use std::fs::File;
use std::io::Read as _;
use std::io::Write as _;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::net::TcpStream;
use std::net::UdpSocket;
use std::os::fd::AsRawFd as _;
use std::os::fd::FromRawFd as _;
use std::os::fd::IntoRawFd as _;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;

use super::Case;
use super::Play;

pub(super) const CASES: &[Case] = &[
    Case::new("socket", socket),
    Case::new("bind", bind),
    Case::new("listen", listen),
    Case::new("connect", connect_v4),
    Case::new("connect", connect_v6),
    Case::new("connect", connect_unix),
    Case::new("connect", connect_refused),
    Case::new("accept", accept),
    Case::new("accept4", accept4),
    Case::new("sendto", sendto),
    Case::new("sendmsg", sendmsg),
    Case::new("recvfrom", recvfrom),
    Case::new("recvmsg", recvmsg),
    Case::new("dup2", dup_of_socket),
];

const STREAM: usize = libc::SOCK_STREAM as usize;
const CLOEXEC: usize = libc::SOCK_CLOEXEC as usize;

/// An address as the kernel takes it.
fn raw(address: SocketAddr) -> Vec<u8> {
    let mut bytes = Vec::new();
    match address {
        SocketAddr::V4(v4) => {
            bytes.extend(2_u16.to_ne_bytes());
            bytes.extend(v4.port().to_be_bytes());
            bytes.extend(v4.ip().octets());
            bytes.extend([0; 8]);
        }
        SocketAddr::V6(v6) => {
            bytes.extend(10_u16.to_ne_bytes());
            bytes.extend(v6.port().to_be_bytes());
            bytes.extend([0; 4]);
            bytes.extend(v6.ip().octets());
            bytes.extend([0; 4]);
        }
    }
    bytes
}

fn new_socket(play: &Play, domain: libc::c_int, ty: usize) -> usize {
    let fd = play.call(libc::SYS_socket, &[domain as usize, ty, 0]);
    usize::try_from(fd).unwrap()
}

/// The own address of a socket, whoever holds its descriptor.
fn own_address(fd: usize) -> SocketAddr {
    // SAFETY: the descriptor is a socket's; it is taken back below, so nobody closes it.
    let socket = unsafe { UdpSocket::from_raw_fd(i32::try_from(fd).unwrap()) };
    let address = socket.local_addr().unwrap();
    let _ = socket.into_raw_fd();
    address
}

/// What `fd.name` prints of a connection, and an address: IPv6 has no brackets.
fn plain(address: SocketAddr) -> String {
    format!("{}:{}", address.ip(), address.port())
}

fn socket(play: &mut Play) {
    let call = ("socket", libc::SYS_socket);
    play.act(
        call,
        &[libc::AF_INET as usize, STREAM | CLOEXEC, 6],
        &[
            ("evt.arg.domain", "AF_INET"),
            ("evt.arg.type", "1"),
            ("evt.arg.proto", "6"),
            ("evt.arg.flags", "O_CLOEXEC"),
            ("fd.type", "ipv4"),
        ],
    );
    play.act(
        call,
        &[libc::AF_PACKET as usize, libc::SOCK_RAW as usize, 0],
        &[("evt.arg.domain", "AF_PACKET"), ("evt.arg.type", "3")],
    );
    play.act(call, &[99, STREAM, 0], &[("evt.arg.type", "1")]);
}

fn bind(play: &mut Play) {
    let fd = new_socket(play, libc::AF_INET, STREAM);
    // A port that was free a moment ago; where it isn't any more, the failure is the truth.
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let address = raw(free);
    let result = play.call(libc::SYS_bind, &[fd, address.as_ptr() as usize, address.len()]);
    let text = plain(free);
    let (port, name) = (free.port().to_string(), text.as_str());
    let bound: &[(&str, &str)] = &[
        ("fd.name", name),
        ("fd.sip", "127.0.0.1"),
        ("fd.sport", &port),
        ("fd.is_server", "true"),
    ];
    let bound = if result < 0 { &[] } else { bound };
    play.tell("bind", Some(result), &[("evt.arg.addr", name)], bound);
    let path = play.text("sock");
    let mut address = 1_u16.to_ne_bytes().to_vec();
    address.extend(path.as_bytes());
    address.push(0);
    let fd = new_socket(play, libc::AF_UNIX, STREAM);
    play.act_with(
        "bind",
        libc::SYS_bind,
        &[fd, address.as_ptr() as usize, address.len()],
        &[("evt.arg.addr", &path)],
        &[("fd.name", &path), ("fd.type", "unix")],
    );
}

fn listen(play: &mut Play) {
    let fd = new_socket(play, libc::AF_INET, STREAM);
    let address = raw("127.0.0.1:0".parse().unwrap());
    play.call(libc::SYS_bind, &[fd, address.as_ptr() as usize, address.len()]);
    let bound = own_address(fd);
    play.act_with(
        "listen",
        libc::SYS_listen,
        &[fd, 7],
        &[("evt.arg.backlog", "7")],
        &[
            ("fd.name", &plain(bound)),
            ("fd.type", "ipv4"),
            ("fd.l4proto", "tcp"),
            ("fd.sport", &bound.port().to_string()),
            ("fd.is_server", "true"),
        ],
    );
    let file = File::open("/dev/null").unwrap();
    play.act(
        ("listen", libc::SYS_listen),
        &[usize::try_from(file.as_raw_fd()).unwrap(), 1],
        &[("evt.arg.res", "ENOTSOCK")],
    );
}

/// Connects to a listener and tells of it.
fn connect(play: &mut Play, listener: &TcpListener, domain: libc::c_int, kind: &str) {
    let server = listener.local_addr().unwrap();
    let fd = new_socket(play, domain, STREAM | CLOEXEC);
    let address = raw(server);
    let result = play.call(libc::SYS_connect, &[fd, address.as_ptr() as usize, address.len()]);
    let client = own_address(fd);
    let name = format!("{}->{}", plain(client), plain(server));
    play.tell(
        "connect",
        Some(result),
        &[("evt.arg.res", "0"), ("evt.arg.addr", &plain(server))],
        &[
            ("evt.arg.tuple", &name),
            ("fd.name", &name),
            ("fd.type", kind),
            ("fd.l4proto", "tcp"),
            ("fd.cip", &client.ip().to_string()),
            ("fd.cport", &client.port().to_string()),
            ("fd.sip", &server.ip().to_string()),
            ("fd.sport", &server.port().to_string()),
        ],
    );
}

fn connect_v4(play: &mut Play) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    connect(play, &listener, libc::AF_INET, "ipv4");
}

fn connect_v6(play: &mut Play) {
    // Where the host has no IPv6, the failure is the truth.
    match TcpListener::bind("[::1]:0") {
        Ok(listener) => connect(play, &listener, libc::AF_INET6, "ipv6"),
        Err(_) => {
            let result = play.call(libc::SYS_connect, &[77, 0, 0]);
            play.tell("connect", Some(result), &[("evt.arg.res", "EBADF")], &[]);
        }
    }
}

fn connect_unix(play: &mut Play) {
    let path = play.text("sock");
    let _listener = UnixListener::bind(&path).unwrap();
    let mut address = 1_u16.to_ne_bytes().to_vec();
    address.extend(path.as_bytes());
    address.push(0);
    let fd = new_socket(play, libc::AF_UNIX, STREAM);
    play.act_with(
        "connect",
        libc::SYS_connect,
        &[fd, address.as_ptr() as usize, address.len()],
        &[("evt.arg.res", "0"), ("evt.arg.addr", &path)],
        &[("fd.type", "unix"), ("fd.name", &path)],
    );
}

fn connect_refused(play: &mut Play) {
    let fd = new_socket(play, libc::AF_INET, STREAM);
    // Port 1 of an address of this machine that nobody listens at.
    let address = raw("127.0.0.77:1".parse().unwrap());
    play.act_with(
        "connect",
        libc::SYS_connect,
        &[fd, address.as_ptr() as usize, address.len()],
        &[("evt.arg.res", "ECONNREFUSED"), ("evt.arg.addr", "127.0.0.77:1")],
        &[],
    );
}

/// Accepts a connection by the call of that number and tells of it.
fn accept_by(play: &mut Play, ty: &str, number: libc::c_long) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = listener.local_addr().unwrap();
    let client = TcpStream::connect(server).unwrap();
    let name = format!("{}->{}", plain(client.local_addr().unwrap()), plain(server));
    let fd = usize::try_from(listener.as_raw_fd()).unwrap();
    play.act_with(
        ty,
        number,
        &[fd, 0, 0, 0],
        &[],
        &[
            ("evt.arg.tuple", &name),
            ("fd.name", &name),
            ("fd.type", "ipv4"),
            ("fd.l4proto", "tcp"),
            ("fd.cport", &client.local_addr().unwrap().port().to_string()),
            ("fd.sport", &server.port().to_string()),
            ("fd.is_server", "true"),
        ],
    );
    listener.set_nonblocking(true).unwrap();
    play.act((ty, number), &[fd, 0, 0, 0], &[("evt.arg.fd", "EAGAIN")]);
}

fn accept(play: &mut Play) {
    accept_by(play, "accept", libc::SYS_accept);
}

fn accept4(play: &mut Play) {
    accept_by(play, "accept4", libc::SYS_accept4);
}

/// Two UDP sockets on this machine, the first connected to the second.
fn pair() -> (UdpSocket, UdpSocket, String) {
    let (client, server) =
        (UdpSocket::bind("127.0.0.1:0").unwrap(), UdpSocket::bind("127.0.0.1:0").unwrap());
    client.connect(server.local_addr().unwrap()).unwrap();
    let name =
        format!("{}->{}", plain(client.local_addr().unwrap()), plain(server.local_addr().unwrap()));
    (client, server, name)
}

fn sendto(play: &mut Play) {
    let (client, server, name) = pair();
    let call = libc::SYS_sendto;
    let data = *b"question";
    let fd = usize::try_from(client.as_raw_fd()).unwrap();
    play.act_with(
        "sendto",
        call,
        &[fd, data.as_ptr() as usize, data.len(), 0, 0, 0],
        &[("evt.arg.size", "8")],
        &[
            ("evt.arg.tuple", &name),
            ("evt.arg.data", "question"),
            ("fd.name", &name),
            ("fd.l4proto", "udp"),
            ("fd.sport", &server.local_addr().unwrap().port().to_string()),
        ],
    );
    // From an unconnected socket: the address is the call's.
    let lone = UdpSocket::bind("127.0.0.1:0").unwrap();
    let to = raw(server.local_addr().unwrap());
    let name =
        format!("{}->{}", plain(lone.local_addr().unwrap()), plain(server.local_addr().unwrap()));
    let fd = usize::try_from(lone.as_raw_fd()).unwrap();
    play.act_with(
        "sendto",
        call,
        &[fd, data.as_ptr() as usize, data.len(), 0, to.as_ptr() as usize, to.len()],
        &[("evt.arg.size", "8")],
        &[
            ("evt.arg.tuple", &name),
            ("fd.name", &name),
            ("fd.sip", "127.0.0.1"),
            ("fd.sport", &server.local_addr().unwrap().port().to_string()),
        ],
    );
    play.act(("sendto", call), &[77, data.as_ptr() as usize, 8], &[("evt.arg.res", "EBADF")]);
}

/// `struct msghdr` over one buffer, with an address or none.
fn message(buffer: &mut libc::iovec, address: &mut [u8]) -> libc::msghdr {
    // SAFETY: a struct of pointers and integers, for which all zeros is a value.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = buffer;
    message.msg_iovlen = 1;
    if !address.is_empty() {
        message.msg_name = address.as_mut_ptr().cast();
        message.msg_namelen = u32::try_from(address.len()).unwrap();
    }
    message
}

fn sendmsg(play: &mut Play) {
    let server = UdpSocket::bind("127.0.0.1:0").unwrap();
    let lone = UdpSocket::bind("127.0.0.1:0").unwrap();
    let mut to = raw(server.local_addr().unwrap());
    let mut data = *b"question";
    let mut buffer = libc::iovec { iov_base: data.as_mut_ptr().cast(), iov_len: data.len() };
    let message = message(&mut buffer, &mut to);
    let name =
        format!("{}->{}", plain(lone.local_addr().unwrap()), plain(server.local_addr().unwrap()));
    play.act_with(
        "sendmsg",
        libc::SYS_sendmsg,
        &[usize::try_from(lone.as_raw_fd()).unwrap(), &raw const message as usize, 0],
        &[],
        &[
            ("evt.arg.size", "8"),
            ("evt.arg.data", "question"),
            ("evt.arg.tuple", &name),
            ("fd.name", &name),
            ("fd.sport", &server.local_addr().unwrap().port().to_string()),
        ],
    );
}

fn recvfrom(play: &mut Play) {
    let (client, server, name) = pair();
    client.send(b"answer").unwrap();
    let mut buffer = [0_u8; 64];
    let (mut from, mut len) = ([0_u8; 28], 28_u32);
    let fd = usize::try_from(server.as_raw_fd()).unwrap();
    play.act_with(
        "recvfrom",
        libc::SYS_recvfrom,
        &[
            fd,
            buffer.as_mut_ptr() as usize,
            buffer.len(),
            0,
            from.as_mut_ptr() as usize,
            &raw mut len as usize,
        ],
        &[("evt.arg.size", "64")],
        &[
            ("evt.arg.data", "answer"),
            ("evt.arg.tuple", &name),
            ("fd.name", &name),
            ("fd.l4proto", "udp"),
            ("fd.cport", &client.local_addr().unwrap().port().to_string()),
        ],
    );
    server.set_nonblocking(true).unwrap();
    play.act(
        ("recvfrom", libc::SYS_recvfrom),
        &[fd, buffer.as_mut_ptr() as usize, buffer.len()],
        &[("evt.arg.res", "EAGAIN")],
    );
}

fn recvmsg(play: &mut Play) {
    let (client, server, name) = pair();
    client.send(b"answer").unwrap();
    let mut data = [0_u8; 64];
    let mut from = [0_u8; 28];
    let mut buffer = libc::iovec { iov_base: data.as_mut_ptr().cast(), iov_len: data.len() };
    let mut message = message(&mut buffer, &mut from);
    play.act_with(
        "recvmsg",
        libc::SYS_recvmsg,
        &[usize::try_from(server.as_raw_fd()).unwrap(), &raw mut message as usize, 0],
        &[],
        &[
            ("evt.arg.size", "6"),
            ("evt.arg.data", "answer"),
            ("evt.arg.tuple", &name),
            ("fd.name", &name),
        ],
    );
}

fn dup_of_socket(play: &mut Play) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (server, _) = listener.accept().unwrap();
    let name = format!(
        "{}->{}",
        plain(client.local_addr().unwrap()),
        plain(listener.local_addr().unwrap())
    );
    let fd = usize::try_from(client.as_raw_fd()).unwrap();
    play.act_with(
        "dup3",
        libc::SYS_dup3,
        &[fd, 66, 0],
        &[],
        &[("fd.name", &name), ("fd.type", "ipv4"), ("fd.l4proto", "tcp")],
    );
    // The duplicate is the connection, so it lives on.
    // SAFETY: the call has just made this descriptor for us alone.
    let duplicate = unsafe { OwnedFd::from_raw_fd(66) };
    client.write_all(b"x").unwrap();
    drop((client, duplicate));
    let mut byte = [0; 1];
    (&server).read_exact(&mut byte).unwrap();
}
