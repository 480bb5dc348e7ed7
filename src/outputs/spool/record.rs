//! How a record and the head of a segment lie in a file: little-endian, each with a checksum.
//!
//! ```text
//! segment:  "eyasspl1"  first number: u64  chain before it: 32 bytes  CRC-32 of these: u32
//! record:   length: u32  CRC-32 of all that follows: u32  number: u64  flags: u32
//!           [chain: 32 bytes, if flag 1]  payload
//! ```
//!
//! The chain of a record is the SHA-256 of the chain before it, its number and its payload.

use ring::digest;

use crate::decode::reader::{Reader, Truncated};

/// Bytes of the head of a segment.
pub(super) const SEGMENT_HEAD: usize = 52;

/// Bytes of a record before its chain or payload.
pub(super) const RECORD_HEAD: usize = 20;

/// Longest payload, in bytes; alerts are far shorter.
pub(super) const MAX_PAYLOAD: usize = 4 << 20;

const MAGIC: &[u8; 8] = b"eyasspl1";
const IS_CHAINED: u32 = 1;

/// A link of the chain.
pub(super) type Hash = [u8; 32];

/// One alert as it was kept.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Record {
    /// Counts up by one over the life of a spool.
    pub number: u64,
    /// The alert.
    pub payload: Vec<u8>,
    /// What shows whether anything before was changed.
    pub chain: Option<[u8; 32]>,
}

/// Why bytes are no record.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Damage {
    /// They end too early.
    #[error(transparent)]
    Cut(#[from] Truncated),
    /// They were changed, or never written.
    #[error("the checksum is wrong")]
    Checksum,
    /// No payload is so long.
    #[error("a length of {0} bytes")]
    Length(u32),
    /// Another number should be there.
    #[error("alert {found} where {wanted} should be")]
    Number {
        /// What is there.
        found: u64,
        /// What should be.
        wanted: u64,
    },
    /// It isn't a segment.
    #[error("it doesn't begin as a segment")]
    Magic,
    /// Its payload isn't the one of which the chain was made.
    #[error("the chain is broken: an alert before it was changed or removed")]
    Chain,
}

/// The link after `before`.
pub(super) fn link(before: &Hash, number: u64, payload: &[u8]) -> Hash {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(before);
    context.update(&number.to_le_bytes());
    context.update(payload);
    let mut hash = Hash::default();
    for (to, from) in hash.iter_mut().zip(context.finish().as_ref()) {
        *to = *from;
    }
    hash
}

/// Appends the head of a segment.
pub(super) fn push_segment_head(first: u64, before: &Hash, out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(MAGIC);
    out.extend_from_slice(&first.to_le_bytes());
    out.extend_from_slice(before);
    let sum = crc32fast::hash(out.get(start..).unwrap_or_default());
    out.extend_from_slice(&sum.to_le_bytes());
}

/// First number and chain before it.
pub(super) fn read_segment_head(bytes: &[u8]) -> Result<(u64, Hash), Damage> {
    let mut reader = Reader::new(bytes);
    let summed = Reader::new(bytes).take(SEGMENT_HEAD - 4, "the head of a segment")?;
    if reader.array::<8>("the magic")? != *MAGIC {
        return Err(Damage::Magic);
    }
    let first = reader.u64_le("the first number")?;
    let before = reader.array("the chain")?;
    if reader.u32_le("the checksum")? != crc32fast::hash(summed) {
        return Err(Damage::Checksum);
    }
    Ok((first, before))
}

/// Appends a record.
pub(super) fn push_record(number: u64, chain: Option<&Hash>, payload: &[u8], out: &mut Vec<u8>) {
    let len = u32::try_from(payload.len()).unwrap_or(u32::MAX);
    let flags = if chain.is_some() { IS_CHAINED } else { 0 };
    let mut sum = crc32fast::Hasher::new();
    sum.update(&number.to_le_bytes());
    sum.update(&flags.to_le_bytes());
    sum.update(chain.map_or(&[][..], |chain| chain));
    sum.update(payload);
    out.extend_from_slice(&len.to_le_bytes());
    out.extend_from_slice(&sum.finalize().to_le_bytes());
    out.extend_from_slice(&number.to_le_bytes());
    out.extend_from_slice(&flags.to_le_bytes());
    out.extend_from_slice(chain.map_or(&[][..], |chain| chain));
    out.extend_from_slice(payload);
}

/// How many bytes the record takes whose head this is.
pub(super) fn record_len(head: &[u8]) -> Result<usize, Damage> {
    let mut reader = Reader::new(head);
    let len = reader.u32_le("a length")?;
    reader.take(12, "the head of a record")?;
    let flags = reader.u32_le("the flags")?;
    let payload = usize::try_from(len).unwrap_or(usize::MAX);
    if payload > MAX_PAYLOAD {
        return Err(Damage::Length(len));
    }
    Ok(RECORD_HEAD + if flags & IS_CHAINED == 0 { 0 } else { size_of::<Hash>() } + payload)
}

/// Reads a record.
pub(super) fn read_record(bytes: &[u8], wanted: u64) -> Result<Record, Damage> {
    let len = record_len(bytes)?;
    let mut reader = Reader::new(Reader::new(bytes).take(len, "a record")?);
    reader.u32_le("a length")?;
    let sum = reader.u32_le("a checksum")?;
    if sum != crc32fast::hash(reader.rest()) {
        return Err(Damage::Checksum);
    }
    let number = reader.u64_le("a number")?;
    if number != wanted {
        return Err(Damage::Number { found: number, wanted });
    }
    let is_chained = reader.u32_le("the flags")? & IS_CHAINED != 0;
    let chain = if is_chained { Some(reader.array("the chain")?) } else { None };
    Ok(Record { number, payload: reader.rest().to_vec(), chain })
}

/// Number and place of the next whole record behind damage at the beginning of `bytes`, where alert
/// `wanted` should be.
pub(super) fn next_whole(bytes: &[u8], wanted: u64) -> Option<(u64, usize)> {
    let most = u64::try_from(bytes.len() / RECORD_HEAD).unwrap_or(u64::MAX);
    (1..bytes.len()).find_map(|at| {
        let rest = bytes.get(at..)?;
        let mut reader = Reader::new(rest);
        reader.take(8, "length and checksum").ok()?;
        let number = reader.u64_le("a number").ok()?;
        let is_possible = (wanted..=wanted.saturating_add(most)).contains(&number);
        (is_possible && read_record(rest, number).is_ok()).then_some((number, at))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_reads_back() {
        for chain in [None, Some([7; 32])] {
            let mut bytes = Vec::new();
            push_record(9, chain.as_ref(), b"alert", &mut bytes);
            bytes.extend_from_slice(b"the next one");
            assert_eq!(record_len(&bytes).unwrap(), bytes.len() - 12);
            let record = read_record(&bytes, 9).unwrap();
            assert_eq!((record.payload.as_slice(), record.chain), (&b"alert"[..], chain));
        }
        let mut bytes = Vec::new();
        push_segment_head(5, &[1; 32], &mut bytes);
        assert_eq!(bytes.len(), SEGMENT_HEAD);
        assert_eq!(read_segment_head(&bytes), Ok((5, [1; 32])));
    }

    #[test]
    fn a_changed_bit_is_found_wherever_it_is() {
        let mut bytes = Vec::new();
        push_record(9, Some(&[7; 32]), b"alert", &mut bytes);
        for at in 0..bytes.len() * 8 {
            let mut changed = bytes.clone();
            changed[at / 8] ^= 1 << (at % 8);
            assert!(read_record(&changed, 9).is_err(), "bit {at}");
        }
        let mut head = Vec::new();
        push_segment_head(5, &[1; 32], &mut head);
        for at in 0..head.len() * 8 {
            let mut changed = head.clone();
            changed[at / 8] ^= 1 << (at % 8);
            assert!(read_segment_head(&changed).is_err(), "bit {at}");
        }
    }

    #[test]
    fn zeros_that_a_power_loss_left_are_no_record() {
        assert!(read_record(&[0; 100], 0).is_err());
        assert!(read_segment_head(&[0; 100]).is_err());
    }
}
