//! `/proc/<pid>/net/{tcp,tcp6,udp,udp6,raw,raw6}` and `unix`: the ends of a socket by its inode.
//!
//! Addresses are hexadecimal words in host byte order, ports are plain hexadecimal.
//! Source: proc(5); net/ipv4/tcp_ipv4.c, net/ipv6/tcp_ipv6.c, net/unix/af_unix.c.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// One line of an IP table.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct InetLine {
    /// The socket's own end.
    pub local: (IpAddr, u16),
    /// The peer's end; zeros if there is none.
    pub remote: (IpAddr, u16),
    /// `TCP_LISTEN` in include/net/tcp_states.h.
    pub is_listening: bool,
    /// Inode of the socket.
    pub inode: u64,
}

/// Reads one line; `None` for the heading and for what is no such line.
#[must_use]
pub fn inet_line(line: &[u8]) -> Option<InetLine> {
    let mut words = line.split(|byte| byte.is_ascii_whitespace()).filter(|word| !word.is_empty());
    words.next().filter(|slot| slot.ends_with(b":"))?;
    let local = end(words.next()?)?;
    let remote = end(words.next()?)?;
    let state = words.next()?;
    // tx_queue:rx_queue, tr:tm->when, retrnsmt, uid, timeout, inode
    let inode = std::str::from_utf8(words.nth(5)?).ok()?.parse().ok()?;
    Some(InetLine { local, remote, is_listening: state == b"0A", inode })
}

/// One line of the table of unix sockets: its inode and its path (`@` before an abstract name),
/// empty if it has none.
#[must_use]
pub fn unix_line(line: &[u8]) -> Option<(u64, &[u8])> {
    // Num RefCount Protocol Flags Type St Inode Path; the path is the rest of the line.
    let mut rest = line;
    for _ in 0..6 {
        rest = next_word(rest)?.1;
    }
    let (inode, rest) = next_word(rest)?;
    let inode = std::str::from_utf8(inode).ok()?.parse().ok()?;
    Some((inode, rest.strip_prefix(b" ").unwrap_or_default()))
}

/// The first word of a text, and what stands behind it.
fn next_word(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let text = text.trim_ascii_start();
    let end = text.iter().position(|byte| *byte == b' ').unwrap_or(text.len());
    text.split_at_checked(end).filter(|(word, _)| !word.is_empty())
}

/// `0100007F:0016`.
fn end(word: &[u8]) -> Option<(IpAddr, u16)> {
    let (address, port) = std::str::from_utf8(word).ok()?.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let word = |at: usize| {
        let word = u32::from_str_radix(address.get(at * 8..at * 8 + 8)?, 16).ok()?;
        Some(word.to_ne_bytes())
    };
    let address = match address.len() {
        8 => IpAddr::V4(Ipv4Addr::from(word(0)?)),
        32 => {
            let mut bytes = [0; 16];
            for (index, chunk) in bytes.chunks_exact_mut(4).enumerate() {
                chunk.copy_from_slice(&word(index)?);
            }
            IpAddr::V6(Ipv6Addr::from(bytes))
        }
        _ => return None,
    };
    Some((address, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_endian = "little")]
    fn a_tcp_line_gives_both_ends_and_the_inode() {
        let line = b"   0: 0100007F:1F90 0200007F:C350 01 00000000:00000000 00:00000000 00000000  \
                     1000        0 12345 1 0000000000000000 20 4 30 10 -1";
        let line = inet_line(line).unwrap();
        assert_eq!(line.local, ("127.0.0.1".parse().unwrap(), 8080));
        assert_eq!(line.remote, ("127.0.0.2".parse().unwrap(), 50000));
        assert_eq!((line.is_listening, line.inode), (false, 12345));
    }

    #[test]
    #[cfg(target_endian = "little")]
    fn an_ipv6_address_is_four_words() {
        let line =
            b"0: 00000000000000000000000001000000:0016 00000000000000000000000000000000:0000 \
                     0A 00000000:00000000 00:00000000 00000000 0 0 99 1";
        let line = inet_line(line).unwrap();
        assert_eq!(line.local, ("::1".parse().unwrap(), 22));
        assert!(line.is_listening);
    }

    #[test]
    fn a_unix_line_keeps_blanks_in_its_path() {
        let line = b"ffff8881: 00000002 00000000 00010000 0001 01 20001 /run/a b";
        assert_eq!(unix_line(line), Some((20001, &b"/run/a b"[..])));
        let line = b"ffff8881: 00000003 00000000 00000000 0001 03 20002";
        assert_eq!(unix_line(line), Some((20002, &b""[..])));
        assert_eq!(unix_line(b"Num       RefCount Protocol Flags    Type St Inode Path"), None);
    }

    #[test]
    fn the_heading_and_cut_lines_are_no_sockets() {
        assert_eq!(inet_line(b"  sl  local_address rem_address   st"), None);
        assert_eq!(inet_line(b"   0: 0100007F:1F90 0200"), None);
        assert_eq!(inet_line(b""), None);
    }
}
