//! Names to addresses: messages of DNS, and the two files that say where to look.
//!
//! Sources: RFC 1035 section 4, RFC 3596, resolv.conf(5), hosts(5). glibc's own resolver can't be
//! used: in a static program it loads libraries of the host that may not fit.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::reader::{Reader, Truncated};

/// Kinds of records that hold an address.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[allow(missing_docs, reason = "DNS's names")]
pub enum Kind {
    A = 1,
    Aaaa = 28,
}

/// What a server said.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Answer {
    /// Addresses, in its order.
    pub addresses: Vec<IpAddr>,
    /// It had more to say than fits; to be asked again by TCP.
    pub is_cut: bool,
    /// 0: all is well, 2: it failed, 3: there is no such name.
    pub code: u8,
}

/// Why bytes are no answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Malformed {
    /// They end too early.
    #[error(transparent)]
    Cut(#[from] Truncated),
    /// They answer something else.
    #[error("it is no answer to the question")]
    Unasked,
}

/// Appends a question; `false` if no name can be so written.
pub fn push_question(id: u16, name: &str, kind: Kind, out: &mut Vec<u8>) -> bool {
    let name = name.trim_end_matches('.');
    out.extend_from_slice(&id.to_be_bytes());
    // Recursion is desired; one question.
    out.extend_from_slice(&[1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    for label in name.split('.') {
        let Some(len) = u8::try_from(label.len()).ok().filter(|len| (1..64).contains(len)) else {
            return false;
        };
        out.push(len);
        out.extend_from_slice(label.as_bytes());
    }
    out.push(0);
    out.extend_from_slice(&(kind as u16).to_be_bytes());
    out.extend_from_slice(&[0, 1]);
    name.len() < 254
}

/// Reads the answer to the question `id` for addresses of a kind.
///
/// # Errors
///
/// [`Malformed`]: then it is to be waited for another.
pub fn answer(bytes: &[u8], id: u16, kind: Kind) -> Result<Answer, Malformed> {
    let mut reader = Reader::new(bytes);
    let found = word(&mut reader)?;
    let flags = word(&mut reader)?;
    if found != id || flags & 0x8000 == 0 {
        return Err(Malformed::Unasked);
    }
    let (questions, answers) = (word(&mut reader)?, word(&mut reader)?);
    reader.take(4, "counts")?;
    for _ in 0..questions {
        skip_name(&mut reader)?;
        reader.take(4, "a question")?;
    }
    let mut answer = Answer {
        is_cut: flags & 0x0200 != 0,
        code: u8::try_from(flags & 0xf).unwrap_or(0),
        ..Answer::default()
    };
    for _ in 0..answers {
        // What was cut ends where it ends.
        let Ok(address) = record(&mut reader, kind) else {
            answer.is_cut = true;
            break;
        };
        answer.addresses.extend(address);
    }
    Ok(answer)
}

/// The address in one record, if it is of that kind.
fn record(reader: &mut Reader<'_>, kind: Kind) -> Result<Option<IpAddr>, Truncated> {
    skip_name(reader)?;
    let found = word(reader)?;
    reader.take(6, "class and time")?;
    let len = word(reader)?;
    let mut data = Reader::new(reader.take(len.into(), "data")?);
    if found != kind as u16 {
        return Ok(None);
    }
    Ok(Some(match kind {
        Kind::A => IpAddr::V4(Ipv4Addr::from(data.array::<4>("an address")?)),
        Kind::Aaaa => IpAddr::V6(Ipv6Addr::from(data.array::<16>("an address")?)),
    }))
}

fn word(reader: &mut Reader<'_>) -> Result<u16, Truncated> {
    reader.array("a word").map(u16::from_be_bytes)
}

/// Passes over a name, which ends with an empty label or points to the rest of it.
fn skip_name(reader: &mut Reader<'_>) -> Result<(), Truncated> {
    loop {
        let len = reader.u8("a label")?;
        match len {
            0 => return Ok(()),
            0xc0.. => {
                reader.u8("a pointer")?;
                return Ok(());
            }
            len => {
                reader.take(len.into(), "a label")?;
            }
        }
    }
}

/// The addresses that /etc/hosts has for a name.
#[must_use]
pub fn hosts(text: &str, name: &str) -> Vec<IpAddr> {
    let name = name.trim_end_matches('.');
    let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default());
    let found = lines.filter_map(|line| {
        let mut words = line.split_whitespace();
        let address = words.next()?.parse().ok()?;
        words.any(|word| word.eq_ignore_ascii_case(name)).then_some(address)
    });
    found.collect()
}

/// What /etc/resolv.conf says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Resolvers {
    /// Servers, at most three.
    pub servers: Vec<IpAddr>,
    /// What is put behind a name that has too few dots.
    pub search: Vec<String>,
    /// So many dots are enough.
    pub dots: usize,
    /// Seconds that a server has.
    pub timeout: u64,
    /// How often all are asked.
    pub attempts: u32,
}

/// Reads /etc/resolv.conf; what is wrong in it is passed over, as glibc does.
#[must_use]
pub fn resolvers(text: &str) -> Resolvers {
    let mut found =
        Resolvers { servers: Vec::new(), search: Vec::new(), dots: 1, timeout: 5, attempts: 2 };
    for line in text.lines() {
        let mut words = line.split_whitespace();
        match words.next() {
            Some("nameserver") => {
                // Without the scope of a link-local address.
                let address = words.next().and_then(|word| word.split('%').next());
                found.servers.extend(address.and_then(|word| word.parse::<IpAddr>().ok()));
            }
            Some("search" | "domain") => found.search = words.map(str::to_owned).collect(),
            Some("options") => {
                for option in words {
                    let (name, value) = option.split_once(':').unwrap_or((option, ""));
                    let number = value.parse::<u32>().ok();
                    match (name, number) {
                        ("ndots", Some(number)) => {
                            found.dots = usize::try_from(number.min(15)).unwrap_or(1);
                        }
                        ("timeout", Some(number)) => found.timeout = number.clamp(1, 30).into(),
                        ("attempts", Some(number)) => found.attempts = number.clamp(1, 5),
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
    found.servers.truncate(3);
    if found.servers.is_empty() {
        found.servers.push(IpAddr::V4(Ipv4Addr::LOCALHOST));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An answer as a server gives it: the question, an alias, two addresses.
    fn answered(id: u16) -> Vec<u8> {
        let mut bytes = Vec::new();
        assert!(push_question(id, "siem.example", Kind::A, &mut bytes));
        bytes[2] |= 0x80;
        bytes[7] = 3;
        let mut record = |kind: u8, data: &[u8]| {
            bytes.extend([0xc0, 12, 0, kind, 0, 1, 0, 0, 0, 60, 0]);
            bytes.push(u8::try_from(data.len()).unwrap());
            bytes.extend(data);
        };
        record(5, &[1, b'x', 0xc0, 12]);
        record(1, &[10, 0, 0, 1]);
        record(1, &[10, 0, 0, 2]);
        bytes
    }

    #[test]
    fn addresses_behind_an_alias_are_found() {
        let found = answer(&answered(7), 7, Kind::A).unwrap();
        let wanted: [IpAddr; 2] = ["10.0.0.1".parse().unwrap(), "10.0.0.2".parse().unwrap()];
        assert_eq!((found.addresses.as_slice(), found.code), (&wanted[..], 0));
        assert_eq!(answer(&answered(7), 8, Kind::A), Err(Malformed::Unasked));
        assert_eq!(answer(&answered(7), 7, Kind::Aaaa).unwrap().addresses, [] as [IpAddr; 0]);
    }

    #[test]
    fn a_cut_answer_panics_nowhere_and_asks_for_more() {
        let whole = answered(7);
        for len in 0..whole.len() {
            if let Ok(found) = answer(&whole[..len], 7, Kind::A) {
                assert!(found.is_cut, "{len}");
            }
        }
    }

    #[test]
    fn a_name_that_no_message_holds_is_refused() {
        for name in ["", "a..b", &"x".repeat(64), &"x.".repeat(150)] {
            assert!(!push_question(1, name, Kind::A, &mut Vec::new()), "{name}");
        }
    }

    #[test]
    fn the_files_are_read_as_glibc_does() {
        let text = "127.0.0.1 localhost\n10.1.1.1  siem SIEM.example # x\n::1 localhost\n";
        assert_eq!(hosts(text, "siem.example."), ["10.1.1.1".parse::<IpAddr>().unwrap()]);
        assert_eq!(hosts(text, "localhost").len(), 2);
        assert_eq!(hosts(text, "x").len(), 0);
        let found = resolvers(
            "# x\nnameserver 10.0.0.1\nnameserver fe80::1%eth0\nnameserver bad\n\
             search a.example b.example\noptions ndots:2 timeout:1 attempts:3 rotate\n",
        );
        assert_eq!(found.servers.len(), 2);
        assert_eq!(found.search, ["a.example", "b.example"]);
        assert_eq!((found.dots, found.timeout, found.attempts), (2, 1, 3));
        assert_eq!(resolvers("").servers, ["127.0.0.1".parse::<IpAddr>().unwrap()]);
    }
}
