//! What is asked of nearly every event, made at once: words in which each bit is a fact.
//!
//! A field of few values has a bit for each of them; of one with many, there is a bit for each kind
//! of value that conditions tell apart. A bit is set if the field has that value; if it is absent,
//! none is. So what a comparison says of every value is known before there is an event, and asking
//! it costs one look at a word.

use super::evt_open::{self as open, READ, WRITE};
use super::{container, evt_result as result, fd, names};
use crate::event::flag_tables::FILE_FLAGS;
use crate::event::{Event, FdKind, FdNumber, Param, Protocol, Value};

/// All facts of an event.
pub type Facts = [u64; 2];

/// A field of which the facts tell.
#[derive(Debug)]
pub struct Fact {
    /// Its name; without an argument.
    pub field: &'static str,
    /// In which word its bits are.
    pub word: usize,
    /// The place of the first of them.
    pub first: u32,
    /// How many there are.
    pub count: u32,
    /// What each of them, counted from 0, says of the field; `None`: it is absent.
    pub says: fn(u32) -> Option<Says>,
}

/// What a set bit says of a field.
#[derive(Clone, Copy, Debug)]
pub enum Says {
    /// It has this value.
    Is(Value<'static>),
    /// It is a number below zero.
    Negative,
    /// It is a number that isn't.
    NotNegative,
    /// It is another text than this one.
    Not(&'static [u8]),
}

/// The word of what was done and by whom; its lower half are Falco's flags of an open.
const ACT: usize = 0;
/// The word of what the descriptor is.
const KIND: usize = 1;

/// The flags of an open are known, all of them.
const FLAGS_TOLD: u64 = 1 << 32;
const OPEN_READ: u32 = 33;
const OPEN_WRITE: u32 = 35;
const RESULT: u32 = 37;
const NUMBER: u32 = 39;
const CONTAINER: u32 = 41;
const MEMFD: u32 = 43;
const UPPER_LAYER: u32 = 45;
const WRITABLE: u32 = 47;

const SHOWN_KIND: u32 = 0;
const PROTOCOL: u32 = 24;
const KNOWN_KIND: u32 = 32;

/// All kinds of descriptor, each at its place.
#[rustfmt::skip]
const KINDS: [FdKind; 22] = [
    FdKind::Unknown, FdKind::Unset, FdKind::File, FdKind::Directory, FdKind::Ipv4Socket,
    FdKind::Ipv6Socket, FdKind::Ipv4Server, FdKind::Ipv6Server, FdKind::Pipe, FdKind::UnixSocket,
    FdKind::Event, FdKind::Unsupported, FdKind::Signal, FdKind::EventPoll, FdKind::Inotify,
    FdKind::Timer, FdKind::Netlink, FdKind::Bpf, FdKind::UserFault, FdKind::IoUring,
    FdKind::MemFd, FdKind::PidFd,
];

/// All transport protocols, each at its place.
#[rustfmt::skip]
const PROTOCOLS: [Protocol; 6] = [
    Protocol::Unknown, Protocol::NotApplicable, Protocol::Tcp, Protocol::Udp, Protocol::Icmp,
    Protocol::Raw,
];

/// The fields of which the facts tell.
#[rustfmt::skip]
pub static FACTS: &[Fact] = &[
    Fact { field: "evt.is_open_read", word: ACT, first: OPEN_READ, count: 2, says: flag },
    Fact { field: "evt.is_open_write", word: ACT, first: OPEN_WRITE, count: 2, says: flag },
    Fact { field: "evt.rawres", word: ACT, first: RESULT, count: 2, says: sign },
    Fact { field: "evt.failed", word: ACT, first: RESULT, count: 2, says: |bit| flag(1 - bit) },
    Fact { field: "fd.num", word: ACT, first: NUMBER, count: 2, says: sign },
    Fact { field: "container.id", word: ACT, first: CONTAINER, count: 2, says: place },
    Fact { field: "proc.is_exe_from_memfd", word: ACT, first: MEMFD, count: 2, says: flag },
    Fact { field: "proc.is_exe_upper_layer", word: ACT, first: UPPER_LAYER, count: 2, says: flag },
    Fact { field: "proc.is_exe_writable", word: ACT, first: WRITABLE, count: 2, says: flag },
    Fact { field: "fd.typechar", word: KIND, first: SHOWN_KIND, count: 22, says: |bit| text(names::fd_type_char(kind(bit)?)) },
    Fact { field: "fd.l4proto", word: KIND, first: PROTOCOL, count: 6, says: |bit| text(names::protocol(*PROTOCOLS.get(bit as usize)?)) },
    Fact { field: "fd.type", word: KIND, first: KNOWN_KIND, count: 22, says: |bit| text(names::fd_type(kind(bit)?)) },
    Fact { field: "fd.sockfamily", word: KIND, first: KNOWN_KIND, count: 22, says: |bit| text(fd::family(kind(bit)?)?) },
];

fn kind(bit: u32) -> Option<FdKind> {
    KINDS.get(bit as usize).copied()
}

const fn flag(bit: u32) -> Option<Says> {
    Some(Says::Is(Value::Bool(bit == 1)))
}

const fn sign(bit: u32) -> Option<Says> {
    Some(if bit == 0 { Says::Negative } else { Says::NotNegative })
}

const fn place(bit: u32) -> Option<Says> {
    Some(if bit == 0 {
        Says::Not(container::HOST)
    } else {
        Says::Is(Value::Bytes(container::HOST))
    })
}

const fn text(text: &'static str) -> Option<Says> {
    Some(Says::Is(Value::Bytes(text.as_bytes())))
}

/// The facts of an event.
#[must_use]
pub fn facts(event: &Event<'_>) -> Facts {
    [act(event), descriptor(event)]
}

/// The bit of a pair that starts at `first`; none if it isn't known which.
fn bit(first: u32, which: Option<bool>) -> u64 {
    which.map_or(0, |which| (1 + u64::from(which)) << first)
}

fn act(event: &Event<'_>) -> u64 {
    let mut facts = match open::flags(event) {
        None => bit(OPEN_READ, Some(false)) | bit(OPEN_WRITE, Some(false)),
        Some(flags) => {
            told(flags)
                | bit(OPEN_READ, open::any_set(flags, READ))
                | bit(OPEN_WRITE, open::any_set(flags, WRITE))
        }
    };
    facts |= bit(RESULT, result::has_failed(event).map(|has_failed| !has_failed));
    facts |= bit(CONTAINER, container::is_host(event));
    if let Some(thread) = event.thread {
        facts |= bit(MEMFD, thread.is_exe_from_memfd)
            | bit(UPPER_LAYER, thread.is_exe_upper_layer)
            | bit(WRITABLE, thread.is_exe_writable);
    }
    facts
        | match event.fd.num {
            _ if !fd::has_fd(event) => 0,
            FdNumber::None => 0,
            FdNumber::Known(number) => bit(NUMBER, Some(number >= 0)),
            FdNumber::NotNegative => bit(NUMBER, Some(true)),
        }
}

/// The flags of an open if all of them are known.
fn told(flags: Param<'_>) -> u64 {
    flags.as_u64().map_or(0, |flags| flags & u64::from(u32::MAX) | FLAGS_TOLD)
}

fn descriptor(event: &Event<'_>) -> u64 {
    if !fd::has_fd(event) {
        return 0;
    }
    let Some(info) = fd::info(event) else {
        return 1 << SHOWN_KIND << (fd::kind_made_by(event.ty) as u32);
    };
    let kind = info.kind as u32;
    let protocol = fd::protocol(info).map_or(0, |protocol| 1 << PROTOCOL << (protocol as u32));
    1 << SHOWN_KIND << kind | 1 << KNOWN_KIND << kind | protocol
}

/// How the names of flags of opens in which `part` stands are printed: of each, which bits of the
/// first word are asked, and how they must be.
///
/// `None` if that is no single question for each, or if `part` may also stand in the text of flags
/// that are not known or have no name.
#[must_use]
pub fn printed_flags(part: &[u8]) -> Option<Vec<(u64, u64)>> {
    if !part.contains(&b'_') {
        return None;
    }
    let has_part = |name: &str| memchr::memmem::find(name.as_bytes(), part).is_some();
    let places = (0..).zip(FILE_FLAGS).filter(|(_, (name, _))| has_part(name));
    places.map(|(place, _)| printed_flag(place)).collect()
}

fn printed_flag(place: usize) -> Option<(u64, u64)> {
    let (earlier, rest) = FILE_FLAGS.split_at_checked(place)?;
    let (_, bits) = *rest.first()?;
    // A flag takes its bits away from those that are tried after it.
    let mut takers = earlier.iter().map(|(_, taker)| *taker).filter(|taker| taker & bits != 0);
    let (mask, wanted) = match (bits, takers.next(), takers.next()) {
        (0, ..) => (u32::MAX, 0),
        (_, None, _) => (bits, bits),
        (_, Some(taker), None) if taker & bits == bits && (taker & !bits).count_ones() == 1 => {
            (taker, bits)
        }
        _ => return None,
    };
    Some((u64::from(mask) | FLAGS_TOLD, u64::from(wanted) | FLAGS_TOLD))
}

#[cfg(test)]
mod tests {
    use super::super::support::Scene;
    use super::*;
    use crate::event::flags::flag_names;

    #[test]
    fn kinds_and_protocols_stand_at_their_places() {
        for (place, kind) in KINDS.iter().enumerate() {
            assert_eq!(*kind as usize, place);
        }
        for (place, protocol) in PROTOCOLS.iter().enumerate() {
            assert_eq!(*protocol as usize, place);
        }
    }

    #[test]
    fn no_two_facts_share_a_bit_but_those_of_one_value() {
        for (place, fact) in FACTS.iter().enumerate() {
            for other in FACTS.iter().skip(place + 1).filter(|other| other.word == fact.word) {
                let is_apart = fact.first + fact.count <= other.first
                    || other.first + other.count <= fact.first;
                let is_same = (fact.first, fact.count) == (other.first, other.count);
                assert!(is_apart || is_same, "{} and {}", fact.field, other.field);
            }
        }
    }

    #[test]
    fn a_flag_is_printed_where_its_bits_say_so() {
        for (name, _) in FILE_FLAGS {
            let asked = printed_flags(name.as_bytes()).unwrap();
            for flags in 0..1_u32 << 17 {
                let expected = flag_names(FILE_FLAGS, flags).any(|printed| printed.contains(name));
                let word = told(Param::UInt(flags.into()));
                let told = asked.iter().any(|(mask, wanted)| word & mask == *wanted);
                assert_eq!(told, expected, "{name} of {flags}");
            }
        }
        assert_eq!(printed_flags(b"O_NOTHING"), Some(Vec::new()));
        assert_eq!(printed_flags(b"1"), None);
    }

    #[test]
    fn flags_that_are_not_known_have_no_names() {
        let word = |flags| {
            let params = [Param::Int(3), Param::Int(-100), Param::Bytes(b"/x"), flags];
            Scene::new("openat").with_params(&params).with_event(|event| facts(event)[ACT])
        };
        assert_eq!(word(Param::UInt(2)) & FLAGS_TOLD, FLAGS_TOLD);
        for flags in [Param::Unknown, Param::Empty, Param::Partial { value: 2, unknown: 256 }] {
            assert_eq!(word(flags) & FLAGS_TOLD, 0, "{flags:?}");
        }
        let partial = word(Param::Partial { value: 2, unknown: 1 });
        assert_eq!(partial & bit(OPEN_WRITE, Some(true)), bit(OPEN_WRITE, Some(true)));
        assert_eq!(partial & (0b11 << OPEN_READ), 0);
    }
}
