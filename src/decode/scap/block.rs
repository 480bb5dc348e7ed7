//! The frame of a capture file: block headers and the section header.

use std::fmt;

use super::Malformed;
use crate::decode::reader::Reader;

/// Bytes of a block before its body: type and total length.
pub const HEADER_LEN: usize = 8;

/// Bytes of a block behind its body: the total length once more.
pub const TRAILER_LEN: usize = 4;

/// The first bytes of a gzip member.
pub const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

const SECTION_HEADER: u32 = 0x0A0D_0D0A;
const SECTION_MAGIC: u32 = 0x1A2B_3C4D;
const SUPPORTED_MAJOR: u16 = 1;

/// What a block holds; the number is the version of a list's layout.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// A new section begins.
    Section,
    /// The machine.
    Machine,
    /// Threads, layout 1 to 9.
    Processes(u8),
    /// Descriptors of one thread, layout 1 or 2.
    Fds(u8),
    /// Network interfaces, layout 1 or 2.
    Interfaces(u8),
    /// Users and groups, layout 1 or 2.
    Users(u8),
    /// One event.
    Event(EventBlock),
    /// Nothing that this program knows.
    Unknown(u32),
}

impl fmt::Display for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Section => "a section header",
            Self::Machine => "the machine",
            Self::Processes(_) => "a process list",
            Self::Fds(_) => "a descriptor list",
            Self::Interfaces(_) => "an interface list",
            Self::Users(_) => "a user list",
            Self::Event(_) => "an event",
            Self::Unknown(number) => return write!(formatter, "the unknown type {number:#x}"),
        })
    }
}

/// How an event stands in its block.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct EventBlock {
    /// The number of parameters is written.
    pub is_counted: bool,
    /// Flags of the writer stand behind the CPU.
    pub has_flags: bool,
    /// It may be longer than [`MAX_SMALL_EVENT`].
    pub is_large: bool,
}

/// No event block is longer, unless its type says so; without type and length, in bytes.
pub const MAX_SMALL_EVENT: usize = 64 << 10;

impl EventBlock {
    /// Bytes of the event before the lengths of its parameters.
    #[must_use]
    pub const fn header_len(self) -> usize {
        if self.is_counted { 26 } else { 22 }
    }
}

/// The first eight bytes of a block.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct BlockHeader {
    /// What it holds.
    pub kind: Kind,
    /// Length of header, body, padding and trailer, in bytes.
    pub total_len: u32,
}

impl BlockHeader {
    /// Reads a header.
    #[must_use]
    pub fn parse(bytes: [u8; HEADER_LEN]) -> Self {
        let [a, b, c, d, e, f, g, h] = bytes;
        let kind = kind_of(u32::from_le_bytes([a, b, c, d]));
        Self { kind, total_len: u32::from_le_bytes([e, f, g, h]) }
    }

    /// Length of the body with its padding, in bytes.
    ///
    /// # Errors
    ///
    /// If the total length is none: too short, too long for an event, or not a multiple of four.
    pub fn body_len(self) -> Result<usize, Malformed> {
        let found = u64::from(self.total_len);
        let whole = usize::try_from(self.total_len).unwrap_or(usize::MAX);
        let (is_fit, expected) = match self.kind {
            Kind::Event(event) => {
                let least = HEADER_LEN + event.header_len() + TRAILER_LEN;
                let is_short = whole <= HEADER_LEN + MAX_SMALL_EVENT;
                (
                    whole >= least && (event.is_large || is_short),
                    "a multiple of 4, with room for an event's header and, but for large ones, \
                     65544 at most",
                )
            }
            _ => (true, "a multiple of 4 from 12 on"),
        };
        let body = whole.checked_sub(HEADER_LEN + TRAILER_LEN);
        let body = body.filter(|_| whole.is_multiple_of(4) && is_fit);
        body.ok_or(Malformed::Unexpected { what: "length of a block", expected, found })
    }
}

/// Checks the body of a section header.
///
/// # Errors
///
/// If the magic number or the major version is not ours.
pub fn check_section(body: &[u8]) -> Result<(), Malformed> {
    let mut reader = Reader::new(body);
    let magic = reader.u32_le("magic number of the section header")?;
    if magic == SECTION_MAGIC.swap_bytes() {
        return Err(Malformed::Unexpected {
            what: "magic number of the section header",
            expected: "0x1A2B3C4D in little-endian order (captures of big-endian machines cannot be read)",
            found: u64::from(magic),
        });
    }
    if magic != SECTION_MAGIC {
        return Err(Malformed::Unexpected {
            what: "magic number of the section header",
            expected: "439041101 (0x1A2B3C4D)",
            found: u64::from(magic),
        });
    }
    let major = reader.u16_le("major version of the section header")?;
    reader.take(2 + 8, "section header")?;
    if major > SUPPORTED_MAJOR {
        return Err(Malformed::Unexpected {
            what: "major version of the capture format",
            expected: "1",
            found: u64::from(major),
        });
    }
    Ok(())
}

/// Block numbers look decimal but are hexadecimal: after 0x209 comes 0x210. The long ones are of
/// tools from before the first release.
const fn kind_of(number: u32) -> Kind {
    const fn event(is_counted: bool, has_flags: bool) -> Kind {
        Kind::Event(EventBlock { is_counted, has_flags, is_large: false })
    }
    const fn large(has_flags: bool) -> Kind {
        Kind::Event(EventBlock { is_counted: true, has_flags, is_large: true })
    }
    match number {
        SECTION_HEADER => Kind::Section,
        0x201 | 0x8002_ABCD => Kind::Machine,
        0x202 | 0x8000_ABCD => Kind::Processes(1),
        0x207 | 0x8013_ABCD => Kind::Processes(2),
        0x209 | 0x8014_ABCD => Kind::Processes(3),
        0x210 => Kind::Processes(4),
        0x211 => Kind::Processes(5),
        0x212 => Kind::Processes(6),
        0x213 => Kind::Processes(7),
        0x214 => Kind::Processes(8),
        0x215 => Kind::Processes(9),
        0x203 | 0x8001_ABCD => Kind::Fds(1),
        0x218 => Kind::Fds(2),
        0x204 | 0x8010_ABCD => event(false, false),
        0x216 => event(true, false),
        0x221 => large(false),
        0x208 => event(false, true),
        0x217 => event(true, true),
        0x222 => large(true),
        0x205 | 0x8011_ABCD => Kind::Interfaces(1),
        0x219 => Kind::Interfaces(2),
        0x206 | 0x8012_ABCD => Kind::Users(1),
        0x220 => Kind::Users(2),
        other => Kind::Unknown(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(number: u32, total_len: u32) -> BlockHeader {
        let mut bytes = [0; HEADER_LEN];
        bytes[..4].copy_from_slice(&number.to_le_bytes());
        bytes[4..].copy_from_slice(&total_len.to_le_bytes());
        BlockHeader::parse(bytes)
    }

    #[test]
    fn a_block_shorter_than_its_frame_is_refused() {
        const LIST: u32 = 0x215;
        for len in [0, 8, 33] {
            assert!(header(LIST, len).body_len().is_err());
        }
        assert_eq!(header(LIST, 12).body_len(), Ok(0));
    }

    #[test]
    fn an_event_block_has_room_for_an_event_and_is_large_only_where_its_type_says_so() {
        for (number, least) in [(0x204, 36), (0x208, 36), (0x216, 40), (0x217, 40), (0x222, 40)] {
            assert!(header(number, least - 4).body_len().is_err(), "{number:x}");
            assert!(header(number, least).body_len().is_ok(), "{number:x}");
        }
        assert!(header(0x216, 65_544).body_len().is_ok());
        assert!(header(0x216, 65_548).body_len().is_err());
        assert!(header(0x221, 65_548).body_len().is_ok());
    }

    #[test]
    fn a_big_endian_capture_is_told_apart_from_no_capture() {
        let error = check_section(&SECTION_MAGIC.to_be_bytes()).unwrap_err();
        assert!(error.to_string().contains("big-endian"), "{error}");
    }

    #[test]
    fn only_major_version_one_is_read() {
        let mut body = SECTION_MAGIC.to_le_bytes().to_vec();
        body.extend([2, 0, 0, 0]);
        body.extend([0xff; 8]);
        assert!(check_section(&body).is_err());
        body[4] = 1;
        assert_eq!(check_section(&body), Ok(()));
        assert!(check_section(&body[..15]).is_err());
    }
}
