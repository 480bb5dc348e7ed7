//! What a descriptor of a process is, read from `/proc` while the process stands still: the link's
//! text tells the kind; the ends of a socket are found in `sockets.rs`.
//!
//! Source: proc(5) (`/proc/pid/fd`), `falco-libs`' kinds of descriptors as in [`FdKind`].

use std::net::IpAddr;
use std::sync::Arc;

use super::look::LINK;
use super::sockets::Sockets;
use crate::event::Bytes;
use crate::event::Fd;
use crate::event::FdKind;
use crate::event::Role;
use crate::metrics::METRICS;
use crate::procfs::ProcessDir;

/// Names of anonymous inodes.
const ANONYMOUS: &[(&[u8], FdKind)] = &[
    (b"[eventfd]", FdKind::Event),
    (b"[eventpoll]", FdKind::EventPoll),
    (b"[signalfd]", FdKind::Signal),
    (b"[timerfd]", FdKind::Timer),
    (b"inotify", FdKind::Inotify),
    (b"[io_uring]", FdKind::IoUring),
    (b"[userfaultfd]", FdKind::UserFault),
    (b"[pidfd]", FdKind::PidFd),
    (b"bpf-map", FdKind::Bpf),
    (b"bpf-prog", FdKind::Bpf),
    (b"bpf_link", FdKind::Bpf),
];

/// Reads descriptors; keeps its buffers.
#[derive(Debug)]
pub struct Describer {
    link: Box<[u8; LINK]>,
    sockets: Sockets,
}

impl Default for Describer {
    fn default() -> Self {
        Self { link: Box::new([0; LINK]), sockets: Sockets::default() }
    }
}

impl Describer {
    /// What descriptor `number` of `process` is; `None` if it isn't open.
    pub fn describe(
        &mut self,
        process: &ProcessDir,
        number: i64,
        role: Option<Role>,
    ) -> Option<Fd> {
        METRICS.enrich.descriptors.increment();
        let found = self.look(process, number, role);
        if found.is_none() {
            METRICS.enrich.descriptors_missed.increment();
        }
        found
    }

    fn look(&mut self, process: &ProcessDir, number: i64, role: Option<Role>) -> Option<Fd> {
        let number = i32::try_from(number).ok()?;
        let fds = process.fds().ok()?;
        let text = fds.link(number, &mut self.link[..]).ok()?;
        let mut fd = fd_of(FdKind::Unsupported, text);
        if let Some(inode) = inode_of(text, b"socket:[") {
            fd.name = Arc::from(&b""[..]);
            fd.ino = inode;
            self.sockets.look_up(process, (&fds, number), inode, role, &mut fd);
            return Some(fd);
        }
        if text.starts_with(b"pipe:[") {
            fd.kind = FdKind::Pipe;
            fd.name = Arc::from(&b""[..]);
        } else if let Some(anonymous) = text.strip_prefix(b"anon_inode:") {
            let known = ANONYMOUS.iter().find(|(name, _)| *name == anonymous);
            fd.kind = known.map_or(FdKind::Unsupported, |&(_, kind)| kind);
            fd.name = Arc::from(&b""[..]);
        } else if let Some(memory) = text.strip_prefix(b"/memfd:") {
            fd.kind = FdKind::MemFd;
            fd.name = Arc::from(memory.strip_suffix(b" (deleted)").unwrap_or(memory));
        } else if text.starts_with(b"/") {
            fd.kind = FdKind::File;
        }
        if let Ok(stat) = fds.stat(number) {
            fd.ino = stat.st_ino;
            fd.dev = falco_device(stat.st_dev);
            if stat.st_mode & libc::S_IFMT == libc::S_IFDIR {
                fd.kind = FdKind::Directory;
            }
        }
        Some(fd)
    }
}

/// `socket:[1234]` → 1234.
fn inode_of(text: &[u8], prefix: &[u8]) -> Option<u64> {
    let digits = text.strip_prefix(prefix)?.strip_suffix(b"]")?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

fn fd_of(kind: FdKind, name: &[u8]) -> Fd {
    let name: Bytes = Arc::from(name.strip_suffix(b" (deleted)").unwrap_or(name));
    Fd { name_raw: Arc::clone(&name), name, ..Fd::new(kind) }
}

/// A device number in Falco's form: minor's low byte, major, minor's rest.
#[must_use]
pub fn falco_device(dev: u64) -> u32 {
    let (major, minor) = (libc::major(dev), libc::minor(dev));
    (minor & 0xff) | major << 8 | (minor & !0xff) << 12
}

/// A socket's two ends as events encode them: client, then server. `None` unless it is connected.
#[must_use]
pub fn encoded_tuple(fd: &Fd) -> Option<Vec<u8>> {
    let socket = fd.socket?;
    if fd.kind == FdKind::UnixSocket {
        let (source, destination) = socket.unix_ends;
        let mut tuple = vec![1];
        tuple.extend(source.to_le_bytes());
        tuple.extend(destination.to_le_bytes());
        tuple.extend_from_slice(&fd.name);
        tuple.push(0);
        return Some(tuple);
    }
    let (client, server) = (socket.client?, socket.server?);
    let mut tuple = vec![if client.0.is_ipv4() { 2 } else { 10 }];
    for (address, port) in [client, server] {
        match address {
            IpAddr::V4(address) => tuple.extend(address.octets()),
            IpAddr::V6(address) => tuple.extend(address.octets()),
        }
        tuple.extend(port.to_le_bytes());
    }
    Some(tuple)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Socket;

    #[test]
    fn a_connected_socket_is_encoded_client_first() {
        let socket = Socket {
            client: Some(("10.0.0.1".parse().unwrap(), 4000)),
            server: Some(("1.2.3.4".parse().unwrap(), 80)),
            ..Socket::default()
        };
        let fd = Fd { socket: Some(socket), ..fd_of(FdKind::Ipv4Socket, b"") };
        let expected = [2, 10, 0, 0, 1, 0xa0, 0x0f, 1, 2, 3, 4, 80, 0];
        assert_eq!(encoded_tuple(&fd).unwrap(), expected);
    }

    #[test]
    fn only_a_sockets_link_has_its_inode() {
        assert_eq!(inode_of(b"socket:[77]", b"socket:["), Some(77));
        assert_eq!(inode_of(b"/tmp/socket:[77]", b"socket:["), None);
    }
}
