//! An open descriptor as the rules see it; filled by `enrich`, read by `fields`.

use std::net::IpAddr;

use super::thread::{Bytes, no_bytes};

/// One open descriptor.
#[derive(Clone, Debug)]
pub struct Fd {
    /// What it is.
    pub kind: FdKind,
    /// Path, link text or what else Falco names it. Where it is empty, a socket's text is made from
    /// its ends; what Falco names otherwise (`:::8443` of an IPv4 server) stands here.
    pub name: Bytes,
    /// The path as given to the system call.
    pub name_raw: Bytes,
    /// Falco's open flags.
    pub flags: u32,
    /// Device number in Falco's form; zero: unknown.
    pub dev: u32,
    /// Inode; zero: unknown.
    pub ino: u64,
    /// Ends of a socket.
    pub socket: Option<Socket>,
    /// The file lies in an overlay's upper layer.
    pub is_upper_layer: bool,
    /// The file lies in an overlay's lower layer.
    pub is_lower_layer: bool,
}

impl Fd {
    /// A descriptor of which nothing but its kind is known.
    #[must_use]
    pub fn new(kind: FdKind) -> Self {
        Self {
            kind,
            name: no_bytes(),
            name_raw: no_bytes(),
            flags: 0,
            dev: 0,
            ino: 0,
            socket: None,
            is_upper_layer: false,
            is_lower_layer: false,
        }
    }
}

/// What a descriptor is. The letter and the name of each are in `fields`' table.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum FdKind {
    /// Nothing is known of it.
    #[default]
    Unknown,
    /// Falco made an entry and never said what it is.
    Unset,
    /// A file that isn't known to be a directory.
    File,
    /// A directory.
    Directory,
    /// An IPv4 socket with two ends, or one that was just made.
    Ipv4Socket,
    /// An IPv6 socket with two ends, or one that was just made.
    Ipv6Socket,
    /// A bound or listening IPv4 socket: only its server end exists.
    Ipv4Server,
    /// A bound or listening IPv6 socket: only its server end exists.
    Ipv6Server,
    /// An end of a pipe or a fifo.
    Pipe,
    /// A unix socket.
    UnixSocket,
    /// Of eventfd(2).
    Event,
    /// Something that Falco knows no kind for.
    Unsupported,
    /// Of signalfd(2).
    Signal,
    /// Of epoll_create(2).
    EventPoll,
    /// Of inotify_init(2).
    Inotify,
    /// Of timerfd_create(2).
    Timer,
    /// A netlink socket.
    Netlink,
    /// Of bpf(2).
    Bpf,
    /// Of userfaultfd(2).
    UserFault,
    /// Of io_uring_setup(2).
    IoUring,
    /// Of memfd_create(2).
    MemFd,
    /// Of pidfd_open(2) or clone(2).
    PidFd,
}

/// What is known of a socket.
#[derive(Clone, Copy, Debug, Default)]
pub struct Socket {
    /// The client's end ("source" of the tuple); for servers unused.
    pub client: Option<(IpAddr, u16)>,
    /// The server's end ("destination" of the tuple); of a server its own address.
    pub server: Option<(IpAddr, u16)>,
    /// Kernel addresses of the two ends of a unix socket.
    pub unix_ends: (u64, u64),
    /// Transport protocol.
    pub protocol: Protocol,
    /// Which end the process has; `None` for a socket that was just made.
    pub role: Option<Role>,
    /// After connect, accept or a successful transfer.
    pub is_connected: bool,
    /// Of a live socket that could not be found any more: only what its call told is known, and
    /// nothing stands in for the rest.
    pub is_partial: bool,
    /// Of a live socket: the server's end is known to be this side, whatever addresses its network
    /// namespace has.
    pub serves: bool,
}

/// Transport protocols that Falco tells apart.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Protocol {
    /// It isn't known.
    #[default]
    Unknown,
    /// The socket has none.
    NotApplicable,
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// ICMP, of either version of IP.
    Icmp,
    /// Packets of IP itself.
    Raw,
}

/// Which end of a connection a process has.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Role {
    /// It has connected.
    Client,
    /// It has accepted.
    Server,
}
