//! A pair of connected sockets on which messages travel whole, each with at most one descriptor.
//!
//! Sources: socketpair(2), unix(7), cmsg(3).

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::AsRawFd;
use std::os::fd::BorrowedFd;
use std::os::fd::FromRawFd;
use std::os::fd::OwnedFd;

/// Room for one descriptor beside a message; aligned as `struct cmsghdr` asks.
type Control = [u64; 4];

/// Two ends, close-on-exec and non-blocking: what is sent on one is received on the other.
///
/// # Errors
///
/// Those of socketpair(2).
#[doc(alias = "socketpair")]
pub fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    let kind = libc::SOCK_SEQPACKET | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
    let mut fds = [-1; 2];
    // SAFETY: the call writes two ints, for which `fds` has room.
    super::check(unsafe { libc::socketpair(libc::AF_UNIX, kind, 0, fds.as_mut_ptr()) })?;
    let [a, b] = fds;
    // SAFETY: the kernel has just returned `a` to us alone, so nobody else closes it.
    let a = unsafe { OwnedFd::from_raw_fd(a) };
    // SAFETY: as above.
    let b = unsafe { OwnedFd::from_raw_fd(b) };
    Ok((a, b))
}

/// Lets about that many bytes wait to be received of what is sent on `socket`: beyond the limit for
/// users if that is allowed, else as far as it goes.
pub fn make_room(socket: BorrowedFd<'_>, bytes: i32) {
    let len = libc::socklen_t::try_from(size_of::<i32>()).unwrap_or(0);
    for option in [libc::SO_SNDBUFFORCE, libc::SO_SNDBUF] {
        let value = (&raw const bytes).cast();
        // SAFETY: the call reads one int, whose size is given, and keeps no pointer.
        let returned =
            unsafe { libc::setsockopt(socket.as_raw_fd(), libc::SOL_SOCKET, option, value, len) };
        if returned == 0 {
            return;
        }
    }
}

/// Sends one message, and with it `attached`.
///
/// # Errors
///
/// `EAGAIN` if the other end doesn't read; `EPIPE` if it is gone; `EMSGSIZE`.
#[doc(alias = "sendmsg")]
pub fn send(
    socket: BorrowedFd<'_>,
    message: &[u8],
    attached: Option<BorrowedFd<'_>>,
) -> io::Result<()> {
    let mut part =
        libc::iovec { iov_base: message.as_ptr().cast_mut().cast(), iov_len: message.len() };
    let mut control: Control = [0; 4];
    let mut header = header(&mut part);
    if let Some(fd) = attached {
        header.msg_control = control.as_mut_ptr().cast();
        // SAFETY: it computes with a number.
        let space = unsafe { libc::CMSG_SPACE(FD_LEN) };
        header.msg_controllen = usize::try_from(space).unwrap_or(0);
        // SAFETY: `header` names a control buffer with room for one header and one descriptor.
        let first = unsafe { libc::CMSG_FIRSTHDR(&raw const header) };
        // SAFETY: it computes with a number.
        let len = unsafe { libc::CMSG_LEN(FD_LEN) };
        let head = libc::cmsghdr {
            cmsg_len: usize::try_from(len).unwrap_or(0),
            cmsg_level: libc::SOL_SOCKET,
            cmsg_type: libc::SCM_RIGHTS,
        };
        // SAFETY: `first` points to the start of `control`, which is aligned and has room for it.
        unsafe { first.write(head) };
        // SAFETY: `first` is in `control`.
        let data = unsafe { libc::CMSG_DATA(first) };
        // SAFETY: behind the header there is room for one int in `control`.
        unsafe { data.cast::<libc::c_int>().write_unaligned(fd.as_raw_fd()) };
    }
    // SAFETY: the header names `message` and `control`, which live through the call; the call only
    // reads them.
    let sent = unsafe { libc::sendmsg(socket.as_raw_fd(), &raw const header, libc::MSG_NOSIGNAL) };
    super::check_len(sent).map(drop)
}

/// Receives one message of any socket into `buffer`, without waiting; its length, and the
/// descriptor that came with it. Length zero: the other end is gone.
///
/// # Errors
///
/// `EAGAIN` if there is none.
#[doc(alias = "recvmsg")]
pub fn receive(socket: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<(usize, Option<OwnedFd>)> {
    const FLAGS: i32 = libc::MSG_CMSG_CLOEXEC | libc::MSG_DONTWAIT;
    let mut part = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
    let mut control: Control = [0; 4];
    let mut header = header(&mut part);
    header.msg_control = control.as_mut_ptr().cast();
    header.msg_controllen = size_of::<Control>();
    // SAFETY: the header names `buffer` and `control`, which live through the call and have the
    // room that it says.
    let got = unsafe { libc::recvmsg(socket.as_raw_fd(), &raw mut header, FLAGS) };
    let len = super::check_len(got)?;
    // SAFETY: the kernel has filled header and control buffer.
    let first = unsafe { libc::CMSG_FIRSTHDR(&raw const header) };
    if first.is_null() {
        return Ok((len, None));
    }
    // SAFETY: it points into `control`, where the kernel has written a whole header.
    let head = unsafe { first.read() };
    if head.cmsg_level != libc::SOL_SOCKET || head.cmsg_type != libc::SCM_RIGHTS {
        return Ok((len, None));
    }
    // SAFETY: `first` is in `control`.
    let data = unsafe { libc::CMSG_DATA(first) };
    // SAFETY: a message of this kind has at least one int behind its header.
    let fd = unsafe { data.cast::<libc::c_int>().read_unaligned() };
    // SAFETY: the kernel has just opened `fd` for us alone, so nobody else closes it.
    Ok((len, Some(unsafe { OwnedFd::from_raw_fd(fd) })))
}

/// Bytes of one descriptor's number.
const FD_LEN: u32 = 4;

fn header(part: &mut libc::iovec) -> libc::msghdr {
    // SAFETY: a msghdr is integers and pointers, of which all-zero bytes are valid ones.
    let mut header: libc::msghdr = unsafe { MaybeUninit::zeroed().assume_init() };
    header.msg_iov = part;
    header.msg_iovlen = 1;
    header
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::os::fd::AsFd;

    use super::*;

    #[test]
    fn a_message_brings_its_descriptor() {
        let (a, b) = pair().unwrap();
        let mut file = tempfile::tempfile().unwrap();
        io::Write::write_all(&mut file, b"inside").unwrap();
        send(a.as_fd(), b"take it", Some(file.as_fd())).unwrap();
        send(a.as_fd(), b"and this", None).unwrap();
        let mut buffer = [0; 64];
        let (len, fd) = receive(b.as_fd(), &mut buffer).unwrap();
        assert_eq!(&buffer[..len], b"take it");
        let mut received = std::fs::File::from(fd.unwrap());
        io::Seek::rewind(&mut received).unwrap();
        let mut text = String::new();
        received.read_to_string(&mut text).unwrap();
        assert_eq!(text, "inside");
        let (len, fd) = receive(b.as_fd(), &mut buffer).unwrap();
        assert_eq!((&buffer[..len], fd.is_none()), (&b"and this"[..], true));
    }

    #[test]
    fn an_end_that_is_gone_reads_as_nothing() {
        let (a, b) = pair().unwrap();
        assert_eq!(receive(b.as_fd(), &mut [0; 8]).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        drop(a);
        assert_eq!(receive(b.as_fd(), &mut [0; 8]).unwrap().0, 0);
    }
}
