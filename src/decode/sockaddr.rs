//! `struct sockaddr_*` as system calls pass it → the SOCKADDR encoding of Falco's events.
//!
//! Source: ip(7), ipv6(7), unix(7).

use super::reader::Reader;

const AF_UNIX: u16 = 1;
const AF_INET: u16 = 2;
const AF_INET6: u16 = 10;

/// Encodes a socket address: family byte, then address (network order) and port (host order), or
/// the path of a unix socket. An abstract name keeps its leading NUL as `@`. `None` if it is cut
/// off; other families have the family byte alone.
#[must_use]
pub fn encode(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut reader = Reader::new(bytes);
    let family = reader.u16_ne("a family").ok()?;
    let mut encoded = vec![u8::try_from(family).ok()?];
    match family {
        AF_INET => {
            let port = u16::from_be_bytes(reader.array("a port").ok()?);
            encoded.extend(reader.take(4, "an address").ok()?);
            encoded.extend(port.to_le_bytes());
        }
        AF_INET6 => {
            let port = u16::from_be_bytes(reader.array("a port").ok()?);
            reader.take(4, "flow information").ok()?;
            encoded.extend(reader.take(16, "an address").ok()?);
            encoded.extend(port.to_le_bytes());
        }
        AF_UNIX => {
            let path = reader.rest();
            match path.strip_prefix(b"\0") {
                Some(name) if !name.is_empty() => {
                    encoded.push(b'@');
                    encoded.extend(name);
                }
                _ => encoded.extend(path.split(|&byte| byte == 0).next().unwrap_or(path)),
            }
            encoded.push(0);
        }
        _ => {}
    }
    Some(encoded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipv4_address_has_its_port_in_host_order() {
        let bytes = [2, 0, 0, 80, 1, 2, 3, 4, 0, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(encode(&bytes).unwrap(), [2, 1, 2, 3, 4, 80, 0]);
    }

    #[test]
    fn a_unix_path_ends_at_its_nul() {
        assert_eq!(encode(b"\x01\0/run/x\0junk").unwrap(), b"\x01/run/x\0");
    }

    #[test]
    fn an_address_that_is_cut_off_is_unknown() {
        assert_eq!(encode(&[2, 0, 0]), None);
        assert_eq!(encode(&[]), None);
    }
}
