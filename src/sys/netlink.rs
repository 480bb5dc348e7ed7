//! Netlink datagram sockets: open, bind, send, and receive many messages with one call.
//!
//! Sources: netlink(7), recvmmsg(2) (2.6.33).

use std::io;
use std::mem;
use std::os::fd::AsFd;
use std::os::fd::AsRawFd;
use std::os::fd::BorrowedFd;
use std::os::fd::FromRawFd;
use std::os::fd::OwnedFd;

/// A bound netlink socket: close-on-exec and non-blocking.
#[derive(Debug)]
pub struct Socket {
    fd: OwnedFd,
}

impl Socket {
    /// Opens a socket of `protocol` (`NETLINK_CONNECTOR` …).
    ///
    /// # Errors
    ///
    /// `EPROTONOSUPPORT` if the kernel has no such protocol.
    pub fn open(protocol: i32) -> io::Result<Self> {
        let kind = libc::SOCK_DGRAM | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
        // SAFETY: socket(2) takes three integers and touches no memory of ours.
        let fd = super::check(unsafe { libc::socket(libc::AF_NETLINK, kind, protocol) })?;
        // SAFETY: the kernel has just returned `fd` to us alone, so nobody else closes it.
        Ok(Self { fd: unsafe { OwnedFd::from_raw_fd(fd) } })
    }

    /// Binds to the multicast `groups` (a mask); the kernel chooses the port.
    ///
    /// # Errors
    ///
    /// `EPERM` if the protocol asks for a capability that we lack.
    pub fn bind(&self, groups: u32) -> io::Result<()> {
        let address = address(groups);
        // SAFETY: the call reads one sockaddr_nl, whose size is given, and keeps no pointer.
        let returned =
            unsafe { libc::bind(self.fd.as_raw_fd(), (&raw const address).cast(), address_len()) };
        super::check(returned).map(drop)
    }

    /// Sets the receive buffer to `bytes`, beyond `net.core.rmem_max` (`SO_RCVBUFFORCE`).
    ///
    /// # Errors
    ///
    /// `EPERM` without `CAP_NET_ADMIN`.
    pub fn force_receive_buffer(&self, bytes: i32) -> io::Result<()> {
        self.set_option(libc::SO_RCVBUFFORCE, bytes)
    }

    /// Asks for a receive buffer of `bytes`, cut at `net.core.rmem_max` (`SO_RCVBUF`).
    ///
    /// # Errors
    ///
    /// Those of setsockopt(2).
    pub fn ask_receive_buffer(&self, bytes: i32) -> io::Result<()> {
        self.set_option(libc::SO_RCVBUF, bytes)
    }

    /// Lets a sender know when this socket's buffer is full (`NETLINK_BROADCAST_ERROR`).
    ///
    /// # Errors
    ///
    /// Those of setsockopt(2).
    pub fn report_overruns_to_sender(&self) -> io::Result<()> {
        self.set_option_of(libc::SOL_NETLINK, libc::NETLINK_BROADCAST_ERROR, 1)
    }

    /// Joins one multicast group, by its number (`NETLINK_ADD_MEMBERSHIP`).
    ///
    /// # Errors
    ///
    /// `EPERM` if the protocol asks for a capability that we lack; `EINVAL` if it has no such
    /// group.
    pub fn join(&self, group: i32) -> io::Result<()> {
        self.set_option_of(libc::SOL_NETLINK, libc::NETLINK_ADD_MEMBERSHIP, group)
    }

    fn set_option(&self, option: i32, value: i32) -> io::Result<()> {
        self.set_option_of(libc::SOL_SOCKET, option, value)
    }

    fn set_option_of(&self, level: i32, option: i32, value: i32) -> io::Result<()> {
        let len = libc::socklen_t::try_from(size_of::<i32>()).unwrap_or(0);
        // SAFETY: the call reads one int, whose size is given, and keeps no pointer.
        let returned = unsafe {
            libc::setsockopt(self.fd.as_raw_fd(), level, option, (&raw const value).cast(), len)
        };
        super::check(returned).map(drop)
    }

    /// Sends `message` to the kernel.
    ///
    /// # Errors
    ///
    /// `ECONNREFUSED` if nothing in this network namespace listens to the protocol.
    pub fn send(&self, message: &[u8]) -> io::Result<()> {
        let address = address(0);
        // SAFETY: the call reads `message.len()` bytes of `message` and one sockaddr_nl, whose
        // size is given; it keeps no pointer.
        let returned = unsafe {
            libc::sendto(
                self.fd.as_raw_fd(),
                message.as_ptr().cast(),
                message.len(),
                0,
                (&raw const address).cast(),
                address_len(),
            )
        };
        super::check_len(returned).map(drop)
    }

    /// Receives as many waiting messages as `batch` has room for; how many.
    ///
    /// # Errors
    ///
    /// `EAGAIN` if there are none; `ENOBUFS` if the kernel dropped messages since the last call.
    pub fn receive(&self, batch: &mut Batch) -> io::Result<usize> {
        batch.received = 0;
        loop {
            match batch.receive(self.fd.as_fd()) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => return result,
            }
        }
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

fn address(groups: u32) -> libc::sockaddr_nl {
    // SAFETY: a sockaddr_nl is integers only, of which all-zero bytes are valid ones.
    let mut address: libc::sockaddr_nl = unsafe { mem::zeroed() };
    address.nl_family = libc::sa_family_t::try_from(libc::AF_NETLINK).unwrap_or(0);
    address.nl_groups = groups;
    address
}

fn address_len() -> libc::socklen_t {
    libc::socklen_t::try_from(size_of::<libc::sockaddr_nl>()).unwrap_or(0)
}

/// Room for messages of one [`Socket::receive`], used again and again.
pub struct Batch {
    buffers: Vec<u8>,
    room: usize,
    senders: Vec<libc::sockaddr_nl>,
    vectors: Vec<libc::iovec>,
    headers: Vec<libc::mmsghdr>,
    received: usize,
}

// SAFETY: the raw pointers in `vectors` and `headers` point into this value's own vectors and
// are made anew before each call, so the value may move to another thread.
unsafe impl Send for Batch {}

impl std::fmt::Debug for Batch {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Batch").field("received", &self.received).finish_non_exhaustive()
    }
}

impl Batch {
    /// Room for `count` messages of up to `room` bytes each; longer ones are cut.
    #[must_use]
    pub fn new(count: usize, room: usize) -> Self {
        let empty = libc::iovec { iov_base: std::ptr::null_mut(), iov_len: 0 };
        // SAFETY: an mmsghdr is integers and pointers, for which all-zero bytes are valid.
        let header: libc::mmsghdr = unsafe { mem::zeroed() };
        Self {
            buffers: vec![0; count.saturating_mul(room)],
            room,
            senders: vec![address(0); count],
            vectors: vec![empty; count],
            headers: vec![header; count],
            received: 0,
        }
    }

    /// The messages of the last [`Socket::receive`] that came from the kernel itself.
    ///
    /// Other processes may send to our port; what they say is left out.
    pub fn from_kernel(&self) -> impl Iterator<Item = &[u8]> {
        let messages = self.buffers.chunks_exact(self.room.max(1));
        messages.zip(&self.headers).zip(&self.senders).take(self.received).filter_map(
            |((message, header), sender)| {
                let len = usize::try_from(header.msg_len).ok()?;
                (sender.nl_pid == 0).then(|| message.get(..len)).flatten()
            },
        )
    }

    fn receive(&mut self, socket: BorrowedFd<'_>) -> io::Result<usize> {
        let buffers = self.buffers.chunks_exact_mut(self.room.max(1));
        for (buffer, vector) in buffers.zip(&mut self.vectors) {
            *vector = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
        }
        let room = self.senders.iter_mut().zip(&mut self.vectors).zip(&mut self.headers);
        for ((sender, vector), header) in room {
            header.msg_hdr.msg_name = (&raw mut *sender).cast();
            header.msg_hdr.msg_namelen = address_len();
            header.msg_hdr.msg_iov = vector;
            header.msg_hdr.msg_iovlen = 1;
        }
        let count = libc::c_uint::try_from(self.headers.len()).unwrap_or(0);
        let flags = libc::MSG_DONTWAIT;
        // SAFETY: each of the `count` headers points to one sockaddr_nl and one iovec of ours,
        // set above, and each iovec to a chunk of `buffers` with its length; nothing moves them
        // during the call, which keeps no pointer. A null timeout means none.
        let returned = unsafe {
            libc::recvmmsg(
                socket.as_raw_fd(),
                self.headers.as_mut_ptr(),
                count,
                flags,
                std::ptr::null_mut(),
            )
        };
        self.received = usize::try_from(super::check(returned)?).unwrap_or(0);
        Ok(self.received)
    }
}
