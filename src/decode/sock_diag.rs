//! The kernel's tables of sockets, as `NETLINK_SOCK_DIAG` gives them: what is asked, what comes.
//!
//! Sources: sock_diag(7), linux/inet_diag.h, linux/unix_diag.h, linux/netlink.h (3.3).

use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;

use super::procfs::net::InetSocket;
use super::reader::Reader;
use super::reader::Truncated;

/// `SOCK_DIAG_BY_FAMILY`.
const BY_FAMILY: u16 = 20;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const NLM_F_REQUEST: u16 = 1;
const NLM_F_DUMP: u16 = 0x300;
/// Length of `struct nlmsghdr`.
const HEADER: usize = 16;

const AF_UNIX: u8 = 1;
const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;
/// `TCP_LISTEN` in net/tcp_states.h.
const LISTEN: u8 = 10;
const UNIX_DIAG_NAME: u16 = 0;
const UNIX_DIAG_PEER: u16 = 2;
/// `UDIAG_SHOW_NAME` and `UDIAG_SHOW_PEER`.
const SHOW_NAME_AND_PEER: u32 = 1 | 4;

/// Asks for all IP sockets of a protocol (`IPPROTO_TCP` …).
#[must_use]
pub fn inet_request(is_v6: bool, protocol: u8) -> Vec<u8> {
    let mut body = vec![if is_v6 { AF_INET6 } else { AF_INET }, protocol, 0, 0];
    // In every state.
    body.extend(u32::MAX.to_ne_bytes());
    // struct inet_diag_sockid: nothing in particular.
    body.extend([0; 48]);
    request(NLM_F_DUMP, &body)
}

/// Asks for the unix socket of an inode. The kernel holds inodes of sockets in 32 bits.
#[must_use]
pub fn unix_request(inode: u32) -> Vec<u8> {
    let mut body = vec![AF_UNIX, 0, 0, 0];
    body.extend(u32::MAX.to_ne_bytes());
    body.extend(inode.to_ne_bytes());
    body.extend(SHOW_NAME_AND_PEER.to_ne_bytes());
    // INET_DIAG_NOCOOKIE, twice.
    body.extend([0xff; 8]);
    request(0, &body)
}

fn request(flags: u16, body: &[u8]) -> Vec<u8> {
    let len = u32::try_from(HEADER + body.len()).unwrap_or(0);
    let mut message = Vec::with_capacity(HEADER + body.len());
    message.extend(len.to_ne_bytes());
    message.extend(BY_FAMILY.to_ne_bytes());
    message.extend((NLM_F_REQUEST | flags).to_ne_bytes());
    message.extend([0; 8]);
    message.extend(body);
    message
}

/// Whether a request's answer has an end of its own.
#[must_use]
pub fn is_dump(request: &[u8]) -> bool {
    let mut reader = Reader::new(request);
    let flags = reader.take(6, "length and type").and_then(|_| reader.u16_ne("flags"));
    flags.is_ok_and(|flags| flags & NLM_F_DUMP == NLM_F_DUMP)
}

/// One message of an answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Answer<'a> {
    /// A socket; to be read with [`inet_socket`] or [`unix_socket`].
    Socket(&'a [u8]),
    /// The last one has come.
    End,
    /// The kernel's refusal, an errno.
    Refused(i32),
}

/// The messages of one datagram; ends with the first one that is malformed.
pub fn answers(bytes: &[u8]) -> impl Iterator<Item = Answer<'_>> {
    let mut reader = Reader::new(bytes);
    std::iter::from_fn(move || {
        loop {
            let (kind, body) = message(&mut reader).ok()?;
            match kind {
                BY_FAMILY => return Some(Answer::Socket(body)),
                NLMSG_DONE => return Some(Answer::End),
                NLMSG_ERROR => {
                    let errno = Reader::new(body).i32_ne("an error").ok()?;
                    return Some(Answer::Refused(errno.wrapping_neg()));
                }
                _ => {}
            }
        }
    })
}

/// The next message: its type and body.
fn message<'a>(reader: &mut Reader<'a>) -> Result<(u16, &'a [u8]), Truncated> {
    let len = usize::try_from(reader.u32_ne("a length")?).unwrap_or(usize::MAX);
    let kind = reader.u16_ne("a type")?;
    reader.take(10, "a header")?;
    let body = reader.take(len.saturating_sub(HEADER), "a message")?;
    // The next one begins at a multiple of four.
    let _ = reader.take(len.wrapping_neg() % 4, "padding");
    Ok((kind, body))
}

/// A `struct inet_diag_msg`.
///
/// # Errors
///
/// [`Truncated`] if there are fewer bytes.
pub fn inet_socket(body: &[u8]) -> Result<InetSocket, Truncated> {
    let mut reader = Reader::new(body);
    let family = reader.u8("a family")?;
    let state = reader.u8("a state")?;
    reader.take(2, "timers")?;
    let port_here = u16::from_be_bytes(reader.array("a port")?);
    let port_there = u16::from_be_bytes(reader.array("a port")?);
    let here = address(family, reader.array("an address")?);
    let there = address(family, reader.array("an address")?);
    // interface, cookie (2), expires, receive queue, send queue, user
    reader.take(28, "queues")?;
    let inode = u64::from(reader.u32_ne("an inode")?);
    Ok(InetSocket {
        local: (here, port_here),
        remote: (there, port_there),
        is_listening: state == LISTEN,
        inode,
    })
}

fn address(family: u8, bytes: [u8; 16]) -> IpAddr {
    let [a, b, c, d, ..] = bytes;
    match family {
        AF_INET6 => IpAddr::V6(Ipv6Addr::from(bytes)),
        _ => IpAddr::V4(Ipv4Addr::new(a, b, c, d)),
    }
}

/// What is told of a unix socket.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct UnixSocket<'a> {
    /// Its inode.
    pub inode: u64,
    /// Where it is bound: a path, or an abstract name after a NUL.
    pub name: Option<&'a [u8]>,
    /// The inode of the socket that it is connected with.
    pub peer: Option<u64>,
}

/// A `struct unix_diag_msg` with its attributes.
///
/// # Errors
///
/// [`Truncated`] if there are fewer bytes.
pub fn unix_socket(body: &[u8]) -> Result<UnixSocket<'_>, Truncated> {
    let mut reader = Reader::new(body);
    reader.take(4, "family, type, state")?;
    let mut socket =
        UnixSocket { inode: reader.u32_ne("an inode")?.into(), ..UnixSocket::default() };
    reader.take(8, "a cookie")?;
    while !reader.is_empty() {
        let len = usize::from(reader.u16_ne("the length of an attribute")?);
        let kind = reader.u16_ne("an attribute")?;
        let value = reader.take(len.saturating_sub(4), "an attribute")?;
        match kind {
            UNIX_DIAG_NAME => socket.name = Some(value),
            UNIX_DIAG_PEER => socket.peer = Reader::new(value).u32_ne("a peer").ok().map(u64::from),
            _ => {}
        }
        let _ = reader.take(len.wrapping_neg() % 4, "padding");
    }
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message_of(kind: u16, body: &[u8]) -> Vec<u8> {
        let mut bytes = u32::try_from(HEADER + body.len()).unwrap().to_ne_bytes().to_vec();
        bytes.extend(kind.to_ne_bytes());
        bytes.extend([0; 10]);
        bytes.extend(body);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    #[test]
    fn an_answer_is_its_sockets_and_an_end() {
        let mut bytes = message_of(BY_FAMILY, b"abcde");
        bytes.extend(message_of(BY_FAMILY, b"f"));
        bytes.extend(message_of(NLMSG_DONE, &[0; 4]));
        let found: Vec<_> = answers(&bytes).collect();
        assert_eq!(found, [Answer::Socket(b"abcde"), Answer::Socket(b"f"), Answer::End]);
        let refused = message_of(NLMSG_ERROR, &(-2_i32).to_ne_bytes());
        assert_eq!(answers(&refused).collect::<Vec<_>>(), [Answer::Refused(2)]);
        for len in 0..bytes.len() {
            let _ = answers(&bytes[..len]).count();
        }
    }

    #[test]
    fn a_connection_has_both_ends_and_its_inode() {
        let mut body = vec![AF_INET, 1, 0, 0, 0x1f, 0x90, 0xd4, 0x31];
        body.extend([127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        body.extend([127, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        body.extend([0; 28]);
        body.extend(77_u32.to_ne_bytes());
        let socket = inet_socket(&body).unwrap();
        assert_eq!(socket.local, ("127.0.0.1".parse().unwrap(), 8080));
        assert_eq!(socket.remote, ("127.0.0.2".parse().unwrap(), 54321));
        assert_eq!((socket.inode, socket.is_listening), (77, false));
        assert!(inet_socket(&body[..70]).is_err());
    }

    #[test]
    fn a_unix_socket_has_the_name_and_the_peer_that_are_told() {
        let mut body = vec![AF_UNIX, 1, 1, 0];
        body.extend(5_u32.to_ne_bytes());
        body.extend([0; 8]);
        body.extend([4 + 6, 0, 0, 0]);
        body.extend(b"/run/x\0\0");
        body.extend([8, 0, 2, 0]);
        body.extend(6_u32.to_ne_bytes());
        let socket = unix_socket(&body).unwrap();
        assert_eq!((socket.inode, socket.peer), (5, Some(6)));
        assert_eq!(socket.name, Some(&b"/run/x"[..]));
    }
}
