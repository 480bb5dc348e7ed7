//! Unpacks gzip as gzip(1) and zlib's gzread do: members back to back are one stream, and what
//! stands behind the last one is left alone.

use std::io::{self, BufRead, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use flate2::bufread::GzDecoder;

use crate::decode::scap::block::GZIP_MAGIC;

/// How much is asked for at once, in bytes.
const READ_SIZE: usize = 256 << 10;

/// The content of a gzip file.
pub(super) struct Unpacked {
    /// `None` only while one member follows another.
    member: Option<GzDecoder<Packed>>,
    is_over: bool,
    has_tail: Arc<AtomicBool>,
}

impl Unpacked {
    /// Unpacks what `input` reads. `has_tail` becomes true if something stands behind the end.
    pub(super) fn new(input: Box<dyn Read + Send>, has_tail: Arc<AtomicBool>) -> Self {
        let packed = Packed { input, buffer: vec![0; READ_SIZE], start: 0, end: 0 };
        Self { member: Some(GzDecoder::new(packed)), is_over: false, has_tail }
    }
}

impl Read for Unpacked {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        while !self.is_over && !room.is_empty() {
            let Some(mut member) = self.member.take() else { break };
            match member.read(room) {
                Ok(0) => {
                    let mut packed = member.into_inner();
                    let next = packed.peek(GZIP_MAGIC.len())?;
                    self.is_over = next != GZIP_MAGIC;
                    self.has_tail.store(self.is_over && !next.is_empty(), Ordering::Relaxed);
                    self.member = Some(GzDecoder::new(packed));
                }
                result => {
                    self.member = Some(member);
                    return result;
                }
            }
        }
        Ok(0)
    }
}

/// Packed bytes, of which the next few can be looked at.
struct Packed {
    input: Box<dyn Read + Send>,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
}

impl Packed {
    /// The next `len` bytes, or all that come.
    fn peek(&mut self, len: usize) -> io::Result<&[u8]> {
        if self.end - self.start < len {
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        while self.end - self.start < len {
            let room = self.buffer.get_mut(self.end..).unwrap_or_default();
            match self.input.read(room) {
                Ok(0) => break,
                Ok(count) => self.end += count,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        let end = self.end.min(self.start + len);
        Ok(self.buffer.get(self.start..end).unwrap_or_default())
    }
}

impl BufRead for Packed {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.peek(1)?;
        Ok(self.buffer.get(self.start..self.end).unwrap_or_default())
    }

    fn consume(&mut self, count: usize) {
        self.start = (self.start + count).min(self.end);
    }
}

impl Read for Packed {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        let count = self.fill_buf()?.read(room)?;
        self.consume(count);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn member(text: &[u8]) -> Vec<u8> {
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packer.write_all(text).unwrap();
        packer.finish().unwrap()
    }

    /// Gives one byte at a time, so that every boundary is one of a read.
    struct Slow(io::Cursor<Vec<u8>>);

    impl Read for Slow {
        fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
            let len = room.len().min(1);
            self.0.read(&mut room[..len])
        }
    }

    fn unpacked(bytes: Vec<u8>) -> (io::Result<Vec<u8>>, bool) {
        let has_tail = Arc::new(AtomicBool::new(false));
        let input = Box::new(Slow(io::Cursor::new(bytes)));
        let mut text = Vec::new();
        let result = Unpacked::new(input, Arc::clone(&has_tail)).read_to_end(&mut text);
        (result.map(|_| text), has_tail.load(Ordering::Relaxed))
    }

    #[test]
    fn members_are_one_stream_and_what_is_behind_them_is_left_alone() {
        let both = [member(b"one "), member(b""), member(b"two")].concat();
        let (text, has_tail) = unpacked(both.clone());
        assert_eq!((text.unwrap().as_slice(), has_tail), (&b"one two"[..], false));
        for tail in [&b"\0"[..], b"\x1f", b"\0\0\0\0", b"no gzip"] {
            let (text, has_tail) = unpacked([&both, tail].concat());
            assert_eq!((text.unwrap().as_slice(), has_tail), (&b"one two"[..], true));
        }
    }

    #[test]
    fn a_member_that_is_cut_or_wrong_is_an_error() {
        let whole = member(b"some text that is longer than its header");
        for len in 1..whole.len() {
            assert!(unpacked(whole[..len].to_vec()).0.is_err(), "{len}");
        }
        let mut wrong = whole;
        let sum = wrong.len() - 6;
        wrong[sum] ^= 1;
        assert!(unpacked(wrong).0.is_err());
    }
}
