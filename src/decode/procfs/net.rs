//! `/proc/<pid>/net/{tcp,tcp6,udp,udp6,raw,raw6,unix}`: sockets by inode, see proc_pid_net(5).

use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;

use super::decimal;
use super::hexadecimal;
use super::lines;
use super::words;

/// `TCP_LISTEN` of `include/net/tcp_states.h`.
const TCP_LISTEN: u64 = 10;

/// One line of the tables of IP sockets.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct InetSocket {
    /// Address and port here.
    pub local: (IpAddr, u16),
    /// Address and port there; zeros if not connected.
    pub remote: (IpAddr, u16),
    /// A listening TCP socket.
    pub is_listening: bool,
    /// The socket's inode: what its descriptor's link shows.
    pub inode: u64,
}

/// The sockets of a table of IP sockets.
pub fn parse_inet(text: &[u8]) -> impl Iterator<Item = InetSocket> {
    lines(text).filter_map(|line| {
        let mut words = words(line).skip(1);
        let local = end(words.next()?)?;
        let remote = end(words.next()?)?;
        let state = hexadecimal(words.next()?)?;
        // queues, timer, retransmits, uid, timeout, then the inode
        let inode = decimal(words.nth(5)?)?;
        Some(InetSocket { local, remote, is_listening: state == TCP_LISTEN, inode })
    })
}

/// One line of the table of unix sockets.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct UnixSocket<'a> {
    /// Kernel address; zeros since 4.15 for most readers.
    pub address: u64,
    /// The socket's inode.
    pub inode: u64,
    /// Where it is bound; empty if it isn't.
    pub path: &'a [u8],
}

/// The sockets of the table of unix sockets.
pub fn parse_unix(text: &[u8]) -> impl Iterator<Item = UnixSocket<'_>> {
    lines(text).filter_map(|line| {
        let mut words = words(line);
        let address = hexadecimal(words.next()?.strip_suffix(b":")?)?;
        // references, protocol, flags, type, state, then the inode
        let inode = decimal(words.nth(5)?)?;
        Some(UnixSocket { address, inode, path: words.next().unwrap_or_default() })
    })
}

/// `0100007F:1F90`: the address as 32-bit words in host order, then the port.
fn end(text: &[u8]) -> Option<(IpAddr, u16)> {
    let mut parts = text.splitn(2, |&byte| byte == b':');
    let address = parts.next()?;
    let port = u16::try_from(hexadecimal(parts.next()?)?).ok()?;
    let mut bytes = [0_u8; 16];
    for (word, place) in address.chunks(8).zip(bytes.chunks_mut(4)) {
        let value = u32::try_from(hexadecimal(word)?).ok()?;
        place.copy_from_slice(&value.to_ne_bytes());
    }
    let address = match address.len() {
        8 => {
            let [a, b, c, d, ..] = bytes;
            IpAddr::V4(Ipv4Addr::new(a, b, c, d))
        }
        32 => IpAddr::V6(Ipv6Addr::from(bytes)),
        _ => return None,
    };
    Some((address, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipv4_socket_gives_its_ends_and_its_inode() {
        let text = b"  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
   0: 0100007F:1F90 0200007F:D431 01 00000000:00000000 00:00000000 00000000     0        0 12345 1 0 20 4 30 10 -1\n";
        let sockets: Vec<_> = parse_inet(text).collect();
        assert_eq!(sockets.len(), 1);
        assert_eq!(sockets[0].local, (IpAddr::from([127, 0, 0, 1]), 8080));
        assert_eq!(sockets[0].remote, (IpAddr::from([127, 0, 0, 2]), 54321));
        assert_eq!((sockets[0].inode, sockets[0].is_listening), (12345, false));
    }

    #[test]
    fn an_ipv6_listener_is_one() {
        let text = b"0: 00000000000000000000000001000000:0016 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 77 1\n";
        let socket = parse_inet(text).next().unwrap();
        assert_eq!(socket.local, (IpAddr::V6(Ipv6Addr::LOCALHOST), 22));
        assert!(socket.is_listening);
    }

    #[test]
    fn a_unix_socket_may_have_no_path() {
        let text = b"Num       RefCount Protocol Flags    Type St Inode Path\n\
            0000000000000000: 00000002 00000000 00010000 0001 01 111 /run/x.sock\n\
            ffff880000000000: 00000003 00000000 00000000 0001 03 222\n";
        let sockets: Vec<_> = parse_unix(text).collect();
        assert_eq!(sockets[0], UnixSocket { address: 0, inode: 111, path: b"/run/x.sock" });
        assert_eq!((sockets[1].inode, sockets[1].path), (222, &b""[..]));
    }
}
