//! How the audit is asked and told: its state, the answers to requests.
//!
//! Source: linux/audit.h (`struct audit_status`: 36 bytes on 3.10, longer since), netlink(7).

use crate::decode::reader::Reader;
use crate::decode::reader::Truncated;

/// Types of requests: linux/audit.h.
pub mod request {
    #![allow(missing_docs, reason = "the names of linux/audit.h, without AUDIT_")]

    pub const GET: u16 = 1000;
    pub const SET: u16 = 1001;
    pub const USER: u16 = 1005;
    pub const ADD_RULE: u16 = 1011;
    pub const DEL_RULE: u16 = 1012;
    pub const LIST_RULES: u16 = 1013;
}

/// `NLM_F_REQUEST` and `NLM_F_ACK`: linux/netlink.h.
const REQUEST_WITH_ANSWER: u16 = 1 | 4;
/// `NLMSG_ERROR`, `NLMSG_DONE`: linux/netlink.h.
const ERROR: u16 = 2;
const DONE: u16 = 3;

/// Longest status that this knows: that of 4.16. An older kernel reads the beginning.
const STATUS_LEN: usize = 44;

/// `enabled = 2`: nothing can be changed before the next boot.
pub const IMMUTABLE: u32 = 2;
/// `failure = 2`: a lost record panics the host.
pub const PANIC: u32 = 2;

/// What the audit says of itself.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Status {
    /// 0 off, 1 on, 2 on and [`IMMUTABLE`].
    pub enabled: u32,
    /// What is done when a record is lost: 0 nothing, 1 a kernel message, 2 [`PANIC`].
    pub failure: u32,
    /// The process that holds the seat; 0: nobody.
    pub pid: u32,
    /// Records a second, at most; 0: no limit.
    pub rate_limit: u32,
    /// Records that may wait for the seat's holder.
    pub backlog_limit: u32,
    /// Records lost since boot.
    pub lost: u32,
    /// Records that wait.
    pub backlog: u32,
    /// How long a call waits for room among the waiting records, in the kernel's ticks; `None`
    /// before 3.14: it can't be changed there.
    pub backlog_wait_time: Option<u32>,
}

impl Status {
    /// Reads the kernel's answer to [`request::GET`].
    ///
    /// # Errors
    ///
    /// [`Truncated`] if it is shorter than any kernel's.
    pub fn parse(bytes: &[u8]) -> Result<Self, Truncated> {
        let mut reader = Reader::new(bytes);
        let mut next = || reader.u32_ne("audit status");
        let _mask = next()?;
        let mut status = Self {
            enabled: next()?,
            failure: next()?,
            pid: next()?,
            rate_limit: next()?,
            backlog_limit: next()?,
            lost: next()?,
            backlog: next()?,
            backlog_wait_time: None,
        };
        let _version = next().unwrap_or(0);
        status.backlog_wait_time = next().ok();
        Ok(status)
    }
}

/// One thing to change.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Change {
    /// 0 off, 1 on.
    Enabled(u32),
    /// Take the seat for this process (our own), or leave it with 0.
    Pid(u32),
    /// Records that may wait.
    BacklogLimit(u32),
    /// Ticks that a call waits for room.
    BacklogWaitTime(u32),
}

impl Change {
    /// The body of a [`request::SET`].
    #[must_use]
    pub fn to_bytes(self) -> [u8; STATUS_LEN] {
        // The bit of the mask (`AUDIT_STATUS_…`) and which of the numbers it is.
        let (mask, place, value) = match self {
            Self::Enabled(value) => (1_u32, 1, value),
            Self::Pid(value) => (4, 3, value),
            Self::BacklogLimit(value) => (0x10, 5, value),
            Self::BacklogWaitTime(value) => (0x20, 9, value),
        };
        let mut bytes = [0; STATUS_LEN];
        let (words, _) = bytes.as_chunks_mut::<4>();
        for (at, word) in [(0, mask), (place, value)] {
            if let Some(slot) = words.get_mut(at) {
                *slot = word.to_ne_bytes();
            }
        }
        bytes
    }
}

/// A request with its netlink header.
#[must_use]
pub fn message(kind: u16, sequence: u32, body: &[u8]) -> Vec<u8> {
    let len = u32::try_from(16 + body.len()).unwrap_or(0);
    let mut bytes = Vec::with_capacity(16 + body.len());
    bytes.extend(len.to_ne_bytes());
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(REQUEST_WITH_ANSWER.to_ne_bytes());
    bytes.extend(sequence.to_ne_bytes());
    bytes.extend(0_u32.to_ne_bytes());
    bytes.extend(body);
    bytes
}

/// One message of the kernel.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Reply<'a> {
    /// The request was carried out (0), or refused with this errno.
    Answer(i32),
    /// A list has ended.
    Done,
    /// A message of that type.
    Message(u16, &'a [u8]),
}

/// Reads one datagram: its sequence number and what it says. The length in its header is not
/// looked at: the kernel leaves the header out of it in records.
///
/// # Errors
///
/// [`Truncated`] if it has no whole header.
pub fn reply(datagram: &[u8]) -> Result<(u32, Reply<'_>), Truncated> {
    let mut reader = Reader::new(datagram);
    reader.u32_ne("length")?;
    let kind = reader.u16_ne("type")?;
    reader.u16_ne("flags")?;
    let sequence = reader.u32_ne("sequence")?;
    reader.u32_ne("port")?;
    let said = match kind {
        ERROR => Reply::Answer(reader.u32_ne("errno")?.cast_signed().saturating_neg()),
        DONE => Reply::Done,
        kind => Reply::Message(kind, reader.rest()),
    };
    Ok((sequence, said))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(words: &[u32]) -> Vec<u8> {
        words.iter().flat_map(|word| word.to_ne_bytes()).collect()
    }

    #[test]
    fn the_status_of_an_old_kernel_has_36_bytes_and_no_wait_time() {
        let bytes = status(&[0, 1, 1, 77, 0, 64, 3, 2, 0]);
        assert_eq!(bytes.len(), 36);
        let read = Status::parse(&bytes).unwrap();
        let expected = Status {
            enabled: 1,
            failure: 1,
            pid: 77,
            backlog_limit: 64,
            lost: 3,
            backlog: 2,
            ..Status::default()
        };
        assert_eq!(read, expected);
        assert_eq!(
            Status::parse(&status(&[0, 1, 1, 77, 0, 64, 3, 2, 0, 15_000])).unwrap(),
            Status { backlog_wait_time: Some(15_000), ..expected }
        );
        assert!(Status::parse(&bytes[..31]).is_err());
    }

    #[test]
    fn a_change_names_what_it_changes_and_nothing_else() {
        let words = |change: Change| -> Vec<u32> {
            let bytes = change.to_bytes();
            bytes.chunks(4).map(|word| u32::from_ne_bytes(word.try_into().unwrap())).collect()
        };
        assert_eq!(words(Change::Pid(5))[..5], [4, 0, 0, 5, 0]);
        assert_eq!(words(Change::BacklogLimit(8192))[..6], [0x10, 0, 0, 0, 0, 8192]);
        assert_eq!(words(Change::BacklogWaitTime(9))[9], 9);
    }

    #[test]
    fn an_answer_is_a_positive_errno_and_a_short_message_an_error() {
        let mut bytes = message(ERROR, 7, &(-17_i32).to_ne_bytes());
        assert_eq!(reply(&bytes).unwrap(), (7, Reply::Answer(17)));
        bytes.truncate(15);
        assert!(reply(&bytes).is_err());
        assert_eq!(reply(&message(1300, 0, b"x")).unwrap().1, Reply::Message(1300, b"x"));
    }
}
