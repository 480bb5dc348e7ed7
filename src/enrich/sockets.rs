//! A socket of a process, by its inode: asked of the kernel (`NETLINK_SOCK_DIAG`), which answers
//! for our own network namespace only. For a process in another one, and where the kernel has no
//! such answers (built without, or a module that isn't there), the tables in `/proc/<pid>/net` are
//! read, which are those of the process's namespace.
//!
//! Which table to look in, and what a socket is that stands in none (just made, or bound and not
//! listening), its attribute `system.sockprotoname` says (2.6.39).
//!
//! Sources: proc(5), sock_diag(7), net/socket.c, `struct proto` of each protocol.

use std::ffi::CStr;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::sync::Arc;

use super::ends::plain;
use crate::decode::procfs::net::InetSocket;
use crate::decode::procfs::net::parse_inet;
use crate::decode::procfs::net::parse_unix;
use crate::decode::sock_diag;
use crate::decode::sock_diag::Answer;
use crate::event::Fd;
use crate::event::FdKind;
use crate::event::Protocol;
use crate::event::Role;
use crate::event::Socket;
use crate::procfs::FdsDir;
use crate::procfs::ProcessDir;
use crate::sys::abi;
use crate::sys::netlink;

/// As much of a table of sockets as is read: a busy server has many.
const MAX_TABLE: usize = 8 << 20;

/// The kernel's datagrams of a dump are no longer.
const DATAGRAM: usize = 32 << 10;

/// A table of IP sockets, and what its sockets are.
#[derive(Debug)]
struct Table {
    /// What the kernel calls its protocol.
    name: &'static [u8],
    file: &'static CStr,
    /// The `IPPROTO_…` to ask for, if the kernel answers for it.
    number: Option<u8>,
    protocol: Protocol,
    kind: FdKind,
}

const fn table(
    name: &'static [u8],
    file: &'static CStr,
    number: Option<u8>,
    protocol: Protocol,
    kind: FdKind,
) -> Table {
    Table { name, file, number, protocol, kind }
}

const TABLES: &[Table] = &[
    table(b"TCP", c"net/tcp", Some(6), Protocol::Tcp, FdKind::Ipv4Socket),
    table(b"TCPv6", c"net/tcp6", Some(6), Protocol::Tcp, FdKind::Ipv6Socket),
    table(b"UDP", c"net/udp", Some(17), Protocol::Udp, FdKind::Ipv4Socket),
    table(b"UDPv6", c"net/udp6", Some(17), Protocol::Udp, FdKind::Ipv6Socket),
    table(b"PING", c"net/icmp", None, Protocol::Icmp, FdKind::Ipv4Socket),
    table(b"PINGv6", c"net/icmp6", None, Protocol::Icmp, FdKind::Ipv6Socket),
    table(b"RAW", c"net/raw", None, Protocol::Raw, FdKind::Ipv4Socket),
    table(b"RAWv6", c"net/raw6", None, Protocol::Raw, FdKind::Ipv6Socket),
];

/// Looks sockets up; keeps its buffers.
#[derive(Debug, Default)]
pub(super) struct Sockets {
    text: Vec<u8>,
    found: Vec<InetSocket>,
    diag: Option<Diag>,
    /// The kernel gives no answers at all.
    has_no_diag: bool,
    /// Tables that it gives none for, by place.
    refused: [bool; TABLES.len()],
    own_namespace: Option<Vec<u8>>,
}

/// Where the kernel is asked.
#[derive(Debug)]
struct Diag {
    socket: netlink::Socket,
    batch: netlink::Batch,
}

impl Sockets {
    /// Completes `fd`, which is socket `inode` at descriptor `number` of a process.
    pub(super) fn look_up(
        &mut self,
        process: &ProcessDir,
        (fds, number): (&FdsDir, i32),
        inode: u64,
        role: Option<Role>,
        fd: &mut Fd,
    ) {
        let mut name = [0; 32];
        let name = fds.socket_protocol(number, &mut name).ok();
        match name {
            Some(b"NETLINK") => fd.kind = FdKind::Netlink,
            Some(name) if name.starts_with(b"UNIX") => self.unix(process, inode, fd),
            _ => {
                let is_inet = self.inet(process, name, inode, role, fd);
                if !is_inet && name.is_none() {
                    self.unix(process, inode, fd);
                }
            }
        }
    }

    /// Whether it is an IP socket.
    fn inet(
        &mut self,
        process: &ProcessDir,
        name: Option<&[u8]>,
        inode: u64,
        role: Option<Role>,
        fd: &mut Fd,
    ) -> bool {
        let is_ours = self.is_ours(process);
        for (place, table) in TABLES.iter().enumerate() {
            if name.is_some_and(|name| name != table.name) {
                continue;
            }
            self.read(process, is_ours, place, table);
            if let Some(found) = self.found.iter().find(|socket| socket.inode == inode) {
                let listens = |port| {
                    self.found.iter().any(|other| other.is_listening && other.local.1 == port)
                };
                let role = role.unwrap_or_else(|| {
                    if listens(found.local.1) { Role::Server } else { Role::Client }
                });
                describe(found, table, role, fd);
                return true;
            }
            if name.is_some() {
                fd.kind = table.kind;
                // Bound or not: no table tells.
                let protocol = table.protocol;
                fd.socket = Some(Socket { protocol, is_partial: true, ..Socket::default() });
                return true;
            }
        }
        false
    }

    /// Fills `found` with the sockets of a table.
    fn read(&mut self, process: &ProcessDir, is_ours: bool, place: usize, table: &Table) {
        self.found.clear();
        let is_refused = self.refused.get(place).copied().unwrap_or(true);
        if let Some(number) = table.number.filter(|_| is_ours && !is_refused) {
            let request = sock_diag::inet_request(table.kind == FdKind::Ipv6Socket, number);
            let found = &mut self.found;
            let asked = ask(&mut self.diag, &request, |body| {
                found.extend(sock_diag::inet_socket(body).ok());
            });
            match asked {
                Ok(()) => return,
                Err(error) => self.failed(&error, Some(place)),
            }
            self.found.clear();
        }
        if process.read(table.file, MAX_TABLE, &mut self.text).is_ok() {
            self.found.extend(parse_inet(&self.text));
        }
    }

    fn unix(&mut self, process: &ProcessDir, inode: u64, fd: &mut Fd) {
        fd.kind = FdKind::UnixSocket;
        fd.socket = Some(Socket::default());
        if self.is_ours(process)
            && let Some(name) = self.unix_name(inode)
        {
            fd.name = Arc::from(name);
        } else if process.read(c"net/unix", MAX_TABLE, &mut self.text).is_ok()
            && let Some(found) = parse_unix(&self.text).find(|socket| socket.inode == inode)
        {
            fd.name = Arc::from(found.path);
            fd.socket = Some(Socket { unix_ends: (found.address, 0), ..Socket::default() });
        }
    }

    /// Where a unix socket is bound, or else where the other end is.
    fn unix_name(&mut self, inode: u64) -> Option<Vec<u8>> {
        let (name, peer) = self.unix_socket(inode)?;
        match (name, peer) {
            (Some(name), _) => Some(name),
            (None, Some(peer)) => Some(self.unix_socket(peer)?.0.unwrap_or_default()),
            (None, None) => Some(Vec::new()),
        }
    }

    /// Name and peer of a unix socket; `None` if the kernel doesn't tell.
    fn unix_socket(&mut self, inode: u64) -> Option<(Option<Vec<u8>>, Option<u64>)> {
        let request = sock_diag::unix_request(u32::try_from(inode).ok()?);
        let mut told = None;
        let asked = ask(&mut self.diag, &request, |body| {
            if let Ok(socket) = sock_diag::unix_socket(body) {
                told = Some((socket.name.map(shown), socket.peer));
            }
        });
        if let Err(error) = asked {
            self.failed(&error, None);
        }
        told
    }

    /// Remembers what the kernel doesn't answer; after anything else it is asked anew.
    fn failed(&mut self, error: &io::Error, place: Option<usize>) {
        self.diag = None;
        let is_absent = matches!(
            error.raw_os_error(),
            Some(libc::EPROTONOSUPPORT | libc::ENOENT | libc::EINVAL | libc::EOPNOTSUPP)
        );
        match place.and_then(|place| self.refused.get_mut(place)) {
            Some(refused) => *refused |= is_absent,
            None => self.has_no_diag |= error.raw_os_error() == Some(libc::EPROTONOSUPPORT),
        }
    }

    /// Whether the kernel's answers count for a process: it is in our network namespace.
    fn is_ours(&mut self, process: &ProcessDir) -> bool {
        if self.has_no_diag {
            return false;
        }
        let own = self.own_namespace.get_or_insert_with(|| {
            let link = std::fs::read_link("/proc/self/ns/net").unwrap_or_default();
            link.as_os_str().as_bytes().to_vec()
        });
        let mut text = [0; 64];
        process.link(c"ns/net", &mut text).is_ok_and(|link| !link.is_empty() && *link == **own)
    }
}

/// Asks the kernel, and hands each socket of its answer to `take`.
fn ask(diag: &mut Option<Diag>, request: &[u8], mut take: impl FnMut(&[u8])) -> io::Result<()> {
    let Diag { socket, batch } = match diag {
        Some(diag) => diag,
        None => {
            let socket = netlink::Socket::open(abi::NETLINK_SOCK_DIAG)?;
            diag.insert(Diag { socket, batch: netlink::Batch::new(1, DATAGRAM) })
        }
    };
    socket.send(request)?;
    // Who asks for a single socket gets one message and no end.
    let is_dump = sock_diag::is_dump(request);
    loop {
        // The kernel makes its answers while we send and receive, so none is waited for.
        socket.receive(batch)?;
        for answer in batch.from_kernel().flat_map(sock_diag::answers) {
            match answer {
                Answer::Socket(body) => {
                    take(body);
                    if !is_dump {
                        return Ok(());
                    }
                }
                Answer::End => return Ok(()),
                Answer::Refused(errno) => return Err(io::Error::from_raw_os_error(errno)),
            }
        }
    }
}

/// A name as it is shown: of an abstract one its NUL as `@`; a path ends at its NUL.
fn shown(name: &[u8]) -> Vec<u8> {
    match name.strip_prefix(b"\0") {
        Some(rest) => [b"@", rest].concat(),
        None => name.split(|&byte| byte == 0).next().unwrap_or_default().to_vec(),
    }
}

/// What a table says of an IP socket.
fn describe(found: &InetSocket, table: &Table, role: Role, fd: &mut Fd) {
    let protocol = table.protocol;
    let local = (plain(found.local.0), found.local.1);
    let remote = (plain(found.remote.0), found.remote.1);
    fd.kind = if local.0.is_ipv4() { FdKind::Ipv4Socket } else { table.kind };
    if remote.1 != 0 {
        let (client, server) = match role {
            Role::Client => (local, remote),
            Role::Server => (remote, local),
        };
        fd.socket = Some(Socket {
            client: Some(client),
            server: Some(server),
            protocol,
            role: Some(role),
            is_connected: true,
            serves: role == Role::Server,
            ..Socket::default()
        });
    } else if local.1 == 0 {
        fd.socket = Some(Socket { protocol, ..Socket::default() });
    } else {
        fd.kind = if local.0.is_ipv4() { FdKind::Ipv4Server } else { FdKind::Ipv6Server };
        fd.socket = Some(Socket {
            server: Some(local),
            protocol,
            role: Some(Role::Server),
            ..Socket::default()
        });
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::net::TcpStream;
    use std::net::UdpSocket;
    use std::os::fd::AsRawFd as _;
    use std::os::unix::net::UnixListener;
    use std::os::unix::net::UnixStream;
    use std::path::Path;

    use super::super::descriptor::Describer;
    use super::*;
    use crate::procfs::Proc;

    /// What two look-ups say of a descriptor of this process: the kernel's answer, and `/proc`.
    fn both(number: i32) -> [Fd; 2] {
        let proc = Proc::open(Path::new("/proc")).unwrap();
        let process = proc.process(nix::unistd::gettid().as_raw()).unwrap();
        let inode = process.fds().unwrap().stat(number).unwrap().st_ino;
        [false, true].map(|has_no_diag| {
            let mut sockets = Sockets { has_no_diag, ..Sockets::default() };
            let mut fd = Fd::new(FdKind::Unsupported);
            let fds = process.fds().unwrap();
            sockets.look_up(&process, (&fds, number), inode, None, &mut fd);
            fd
        })
    }

    fn shown_of(fd: &Fd) -> String {
        let name = String::from_utf8_lossy(&fd.name).into_owned();
        let socket = fd.socket.unwrap();
        let ends = (socket.client, socket.server, socket.role, socket.protocol);
        format!("{:?} {name} {ends:?}", fd.kind)
    }

    #[test]
    fn the_kernels_answer_and_the_table_in_proc_are_one() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let Ok(listener) = TcpListener::bind(address) else { continue };
            let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let (server, _) = listener.accept().unwrap();
            let datagrams = UdpSocket::bind(address).unwrap();
            let numbers = [
                listener.as_raw_fd(),
                client.as_raw_fd(),
                server.as_raw_fd(),
                datagrams.as_raw_fd(),
            ];
            for number in numbers {
                let [asked, read] = both(number);
                assert_eq!(shown_of(&asked), shown_of(&read));
                assert!(asked.socket.unwrap().server.is_some(), "{asked:?}");
            }
            let [client, server] = [client, server].map(|stream| both(stream.as_raw_fd()));
            assert_eq!(client[0].socket.unwrap().role, Some(Role::Client));
            assert_eq!(server[0].socket.unwrap().role, Some(Role::Server));
            assert_eq!(server[0].socket.unwrap().client, client[0].socket.unwrap().client);
        }
    }

    #[test]
    fn the_client_of_a_unix_socket_has_the_name_of_its_other_end() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("socket");
        let listener = UnixListener::bind(&path).unwrap();
        let client = UnixStream::connect(&path).unwrap();
        let [asked, _] = both(client.as_raw_fd());
        let [server, read] = both(listener.as_raw_fd());
        assert_eq!(&*server.name, path.as_os_str().as_bytes());
        assert_eq!(shown_of(&server), shown_of(&read));
        // Where the kernel doesn't answer, it has none.
        assert!(asked.name == server.name || asked.name.is_empty());
    }

    #[test]
    fn what_stands_in_no_table_is_known_by_its_protocol() {
        let socket = nix::sys::socket::socket(
            nix::sys::socket::AddressFamily::Inet,
            nix::sys::socket::SockType::Stream,
            nix::sys::socket::SockFlag::SOCK_CLOEXEC,
            None,
        );
        for fd in both(socket.unwrap().as_raw_fd()) {
            let socket = fd.socket.unwrap();
            assert_eq!((fd.kind, socket.protocol), (FdKind::Ipv4Socket, Protocol::Tcp));
            assert!(socket.is_partial);
        }
    }

    #[test]
    fn a_socket_of_another_namespace_is_found_in_the_tables_of_that() {
        let (end, ended) = std::sync::mpsc::channel::<()>();
        let (tell, told) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            // Its threads may be in several namespaces, each with its own tables.
            if nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET).is_err() {
                return tell.send(None).unwrap();
            }
            let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
            let (number, tid) = (socket.as_raw_fd(), nix::unistd::gettid().as_raw());
            tell.send(Some((number, tid, socket.local_addr().unwrap().port()))).unwrap();
            let _ = ended.recv();
        });
        if let Some((number, tid, port)) = told.recv().unwrap() {
            let process = Proc::open(Path::new("/proc")).unwrap().process(tid).unwrap();
            let mut sockets = Sockets::default();
            assert!(!sockets.is_ours(&process));
            let fd = Describer::default().describe(&process, number.into(), None).unwrap();
            assert_eq!(fd.socket.unwrap().server.unwrap().1, port);
        }
        drop(end);
        thread.join().unwrap();
    }
}
