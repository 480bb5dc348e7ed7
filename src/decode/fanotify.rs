//! `struct fanotify_event_metadata`: what one read(2) of a group returns.
//!
//! Information records of newer groups (`FAN_REPORT_FID`) are skipped by their length.
//! Sources: fanotify(7); include/uapi/linux/fanotify.h.

use super::reader::Reader;
use super::reader::Truncated;
use crate::sys::abi;

/// One event: the descriptor that it carries belongs to whoever decodes it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct FileEvent {
    /// `FAN_OPEN`, `FAN_CLOSE_WRITE` …: a merged event has several.
    pub mask: u64,
    /// Number of the descriptor; negative: none.
    pub fd: i32,
    /// Thread group that caused it; zero if it lives outside our pid namespace.
    pub pid: i32,
}

impl FileEvent {
    /// Whether it says that the queue overflowed, and nothing else.
    #[must_use]
    pub const fn is_overflow(&self) -> bool {
        self.mask & abi::FAN_Q_OVERFLOW != 0
    }

    /// Whether the opener waits for an answer.
    #[must_use]
    pub const fn is_asked(&self) -> bool {
        self.mask & (abi::FAN_OPEN_PERM | abi::FAN_OPEN_EXEC_PERM) != 0
    }
}

/// Bytes that are not what the kernel promised.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Malformed {
    /// Less than announced.
    #[error(transparent)]
    Truncated(#[from] Truncated),
    /// An event of this length, shorter than its own head.
    #[error("fanotify event of {0} bytes, shorter than its head")]
    Length(u32),
    /// A layout that is not known here.
    #[error("fanotify event of version {0}, expected 3")]
    Version(u8),
}

/// The events in what one read returned; a malformed one is the last.
#[derive(Clone, Debug)]
pub struct Events<'a> {
    reader: Reader<'a>,
}

/// Walks the events of one read.
#[must_use]
pub const fn events(buffer: &[u8]) -> Events<'_> {
    Events { reader: Reader::new(buffer) }
}

impl Iterator for Events<'_> {
    type Item = Result<FileEvent, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.reader.is_empty() {
            return None;
        }
        let event = self.event();
        if event.is_err() {
            self.reader = Reader::new(&[]);
        }
        Some(event)
    }
}

impl Events<'_> {
    fn event(&mut self) -> Result<FileEvent, Malformed> {
        let event_len = self.reader.u32_ne("fanotify event length")?;
        let version = self.reader.u8("fanotify version")?;
        if version != abi::FANOTIFY_METADATA_VERSION {
            return Err(Malformed::Version(version));
        }
        self.reader.u8("fanotify reserved byte")?;
        self.reader.u16_ne("fanotify metadata length")?;
        let mask = self.reader.u64_ne("fanotify mask")?;
        let fd = self.reader.i32_ne("fanotify descriptor")?;
        let pid = self.reader.i32_ne("fanotify pid")?;
        let more = usize::try_from(event_len)
            .ok()
            .and_then(|len| len.checked_sub(abi::FAN_EVENT_METADATA_LEN))
            .ok_or(Malformed::Length(event_len))?;
        self.reader.take(more, "fanotify information records")?;
        Ok(FileEvent { mask, fd, pid })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(len: u32, version: u8, mask: u64, fd: i32, pid: i32) -> Vec<u8> {
        let mut bytes = len.to_ne_bytes().to_vec();
        bytes.extend([version, 0, 24, 0]);
        bytes.extend(mask.to_ne_bytes());
        bytes.extend(fd.to_ne_bytes());
        bytes.extend(pid.to_ne_bytes());
        bytes
    }

    #[test]
    fn events_of_one_read_come_one_by_one() {
        let mut bytes = event(24, 3, 0x20, 7, 100);
        bytes.extend(event(24, 3, 0x4000, -1, 0));
        let decoded: Vec<_> = events(&bytes).map(Result::unwrap).collect();
        assert_eq!(decoded[0], FileEvent { mask: 0x20, fd: 7, pid: 100 });
        assert!(decoded[1].is_overflow());
        assert_eq!(decoded.len(), 2);
    }

    #[test]
    fn information_records_are_skipped() {
        let mut bytes = event(28, 3, 0x20, 7, 100);
        bytes.extend([1, 2, 3, 4]);
        bytes.extend(event(24, 3, 0x8, 8, 101));
        let decoded: Vec<_> = events(&bytes).map(Result::unwrap).collect();
        assert_eq!(decoded[1].fd, 8);
    }

    #[test]
    fn a_length_below_the_head_ends_the_walk() {
        for len in [0, 23] {
            let bytes = event(len, 3, 0x20, 7, 100);
            let decoded: Vec<_> = events(&bytes).collect();
            assert_eq!(decoded, [Err(Malformed::Length(len))]);
        }
    }

    #[test]
    fn an_unknown_version_is_an_error() {
        let bytes = event(24, 2, 0x20, 7, 100);
        assert_eq!(events(&bytes).next(), Some(Err(Malformed::Version(2))));
    }

    #[test]
    fn a_cut_event_says_what_is_missing() {
        let bytes = event(24, 3, 0x20, 7, 100);
        let mut cut = events(&bytes[..20]);
        let error = cut.next().unwrap().unwrap_err();
        assert_eq!(error.to_string(), "fanotify pid: 4 bytes are missing");
        assert_eq!(cut.next(), None);
    }
}
