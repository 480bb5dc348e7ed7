//! A capture file as a source: blocks from a file or a pipe, plain or gzip.
//!
//! Memory doesn't grow with the file: blocks are handed out of one buffer, which grows to the
//! largest block and no further than [`MAX_BLOCK`], and only as far as bytes really come. What
//! blocks mean is `decode::scap`'s; the world that they make is `enrich`'s.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::decode::scap::Malformed;
use crate::decode::scap::block::{BlockHeader, GZIP_MAGIC, HEADER_LEN, Kind, TRAILER_LEN};

use super::unpack::Unpacked;

/// No block is longer, in bytes.
pub const MAX_BLOCK: usize = 32 << 20;

/// How much is asked for at once, in bytes.
const READ_SIZE: usize = 256 << 10;

/// A capture that is being read.
pub struct Capture {
    name: PathBuf,
    input: Box<dyn Read + Send>,
    buffer: Vec<u8>,
    /// The bytes of the buffer that were read and not handed out.
    start: usize,
    end: usize,
    /// Where `start` is in the uncompressed capture.
    offset: u64,
    is_gzip: bool,
    /// Why no more bytes come, once that is so; `None`: because all came.
    ending: Option<Option<io::Error>>,
    taken: Arc<AtomicU64>,
    size: Option<u64>,
    has_tail: Arc<AtomicBool>,
}

/// How far the reading of a capture is.
#[derive(Clone, Debug)]
pub struct Position {
    taken: Arc<AtomicU64>,
    /// Bytes of the file, if it is one.
    pub size: Option<u64>,
}

impl Position {
    /// Bytes of the file that were read.
    #[must_use]
    pub fn read(&self) -> u64 {
        self.taken.load(Ordering::Relaxed)
    }
}

/// One block.
#[derive(Clone, Copy, Debug)]
pub struct Block<'a> {
    /// What it holds.
    pub kind: Kind,
    /// Its bytes between header and trailer, padding included.
    pub body: &'a [u8],
    /// Where it begins in the uncompressed capture, in bytes.
    pub offset: u64,
    /// Its length stands behind it once more, as it should.
    pub is_intact: bool,
}

/// Why a capture, or the rest of it, cannot be read.
#[derive(Debug)]
pub struct Error {
    /// The capture.
    pub name: PathBuf,
    /// Where in the uncompressed capture, in bytes; `None`: it could not be opened.
    pub offset: Option<u64>,
    /// The bytes are compressed, so that `offset` is not one of the file.
    pub is_gzip: bool,
    /// What is wrong.
    pub problem: Problem,
}

/// What can be wrong with a capture.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// The system said so.
    #[error("{0}")]
    Io(io::Error),
    /// The gzip data say so.
    #[error("the gzip data are broken: {0}")]
    Gzip(io::Error),
    /// Too few bytes.
    #[error("expected {expected} bytes of {what}, found {found}; is the file truncated?")]
    Truncated {
        /// What is cut short.
        what: &'static str,
        /// How many there should be.
        expected: usize,
        /// How many there are.
        found: usize,
    },
    /// A block that is longer than any.
    #[error("a block of {0} bytes: no block is longer than {MAX_BLOCK}")]
    TooLong(usize),
    /// The bytes cannot be what they claim to be.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// The first bytes are of no capture.
    #[error("this is no capture file: expected a section header, found block type {0:#x}")]
    NoCapture(u32),
    /// A list that ends with another length than it begins with.
    #[error("the block ends with another length than it begins with")]
    WrongTrailer,
    /// A block that may not be where it is.
    #[error("expected {0}, found a block with {1}")]
    UnexpectedBlock(&'static str, Kind),
    /// Lists, and nothing happened.
    #[error("no events in file")]
    NoEvents,
}

impl Capture {
    /// Opens a capture file; `-` is standard input.
    ///
    /// # Errors
    ///
    /// If it cannot be opened or not even its first bytes be read.
    pub fn open(path: &Path) -> Result<Self, Error> {
        if path == Path::new("-") {
            return Self::new(path, Box::new(io::stdin()), None);
        }
        let failed = |source| Error {
            name: path.to_owned(),
            offset: None,
            is_gzip: false,
            problem: Problem::Io(source),
        };
        let file = File::open(path).map_err(failed)?;
        let metadata = file.metadata().map_err(failed)?;
        if metadata.is_dir() {
            return Err(failed(io::Error::from(io::ErrorKind::IsADirectory)));
        }
        let size = metadata.is_file().then_some(metadata.len());
        Self::new(path, Box::new(file), size)
    }

    /// Reads a capture from anything.
    ///
    /// # Errors
    ///
    /// If not even the first bytes can be read.
    pub fn new(name: &Path, input: Box<dyn Read + Send>, size: Option<u64>) -> Result<Self, Error> {
        let taken = Arc::new(AtomicU64::new(0));
        let counted = Counted { input, taken: Arc::clone(&taken) };
        let mut capture = Self {
            name: name.to_owned(),
            input: Box::new(io::empty()),
            buffer: vec![0; READ_SIZE],
            start: 0,
            end: 0,
            offset: 0,
            is_gzip: false,
            ending: None,
            taken,
            size,
            has_tail: Arc::default(),
        };
        let mut counted: Box<dyn Read + Send> = Box::new(counted);
        let mut magic = [0; GZIP_MAGIC.len()];
        let found = fill(&mut counted, &mut magic).map_err(|e| capture.error(Problem::Io(e)))?;
        let head = io::Cursor::new(magic).take(found as u64);
        let whole = head.chain(counted);
        if found == magic.len() && magic == GZIP_MAGIC {
            capture.is_gzip = true;
            let has_tail = Arc::clone(&capture.has_tail);
            capture.input = Box::new(Unpacked::new(Box::new(whole), has_tail));
        } else {
            capture.input = Box::new(whole);
        }
        Ok(capture)
    }

    /// The next block; `None` at the end.
    ///
    /// # Errors
    ///
    /// If the rest cannot be read; what came before is good.
    pub fn next_block(&mut self) -> Result<Option<Block<'_>>, Error> {
        let found = self.ensure(HEADER_LEN)?;
        if found == 0 {
            return match self.take_failure() {
                Some(problem) => Err(self.error(problem)),
                None => Ok(None),
            };
        }
        let Some(header) = self.waiting().first_chunk::<HEADER_LEN>() else {
            return Err(self.cut_short("a block's header", HEADER_LEN, found));
        };
        let header = BlockHeader::parse(*header);
        if self.offset == 0
            && let Kind::Unknown(number) = header.kind
        {
            return Err(self.error(Problem::NoCapture(number)));
        }
        let body_len = header.body_len().map_err(|e| self.error(e.into()))?;
        let whole = HEADER_LEN + body_len + TRAILER_LEN;
        if whole > MAX_BLOCK {
            return Err(self.error(Problem::TooLong(whole)));
        }
        let found = self.ensure(whole)?;
        if found < whole {
            return Err(self.cut_short("a block", whole, found));
        }
        let offset = self.offset;
        let from = self.start;
        self.start += whole;
        self.offset += whole as u64;
        let bytes = self.buffer.get(from..from + whole).unwrap_or_default();
        let body = bytes.get(HEADER_LEN..HEADER_LEN + body_len).unwrap_or_default();
        let trailer = bytes.last_chunk::<TRAILER_LEN>().copied().map(u32::from_le_bytes);
        let is_intact = trailer == Some(header.total_len);
        Ok(Some(Block { kind: header.kind, body, offset, is_intact }))
    }

    /// An error at the place that the next block begins at.
    #[must_use]
    pub fn error(&self, problem: Problem) -> Error {
        self.error_at(self.offset, problem)
    }

    /// An error at a block.
    #[must_use]
    pub fn error_at(&self, offset: u64, problem: Problem) -> Error {
        let name = self.name.clone();
        Error { name, offset: Some(offset), is_gzip: self.is_gzip, problem }
    }

    /// Whether bytes that are not gzip stood behind those that are; they were not read.
    #[must_use]
    pub fn has_tail(&self) -> bool {
        self.has_tail.load(Ordering::Relaxed)
    }

    /// How far the reading is; goes on telling while the capture is read.
    #[must_use]
    pub fn position(&self) -> Position {
        Position { taken: Arc::clone(&self.taken), size: self.size }
    }

    fn waiting(&self) -> &[u8] {
        self.buffer.get(self.start..self.end).unwrap_or_default()
    }

    /// Reads until `len` bytes wait, or no more come; how many wait, at most `len`.
    fn ensure(&mut self, len: usize) -> Result<usize, Error> {
        if self.end - self.start >= len {
            return Ok(len);
        }
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        while self.end < len && self.ending.is_none() {
            if self.end == self.buffer.len() {
                self.buffer.resize((self.end * 2).min(MAX_BLOCK), 0);
            }
            let room = self.buffer.get_mut(self.end..).unwrap_or_default();
            match self.input.read(room) {
                Ok(0) => self.ending = Some(None),
                Ok(count) => self.end += count,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => self.ending = Some(Some(e)),
            }
        }
        Ok(self.end.min(len))
    }

    fn cut_short(&mut self, what: &'static str, expected: usize, found: usize) -> Error {
        let problem = Problem::Truncated { what, expected, found };
        let problem = self.take_failure().filter(|p| !is_early_end(p)).unwrap_or(problem);
        self.error(problem)
    }

    fn take_failure(&mut self) -> Option<Problem> {
        let failure = self.ending.as_mut()?.take()?;
        Some(if self.is_gzip { Problem::Gzip(failure) } else { Problem::Io(failure) })
    }
}

/// A gzip stream that just stops says no more than that the capture is cut short.
fn is_early_end(problem: &Problem) -> bool {
    matches!(problem, Problem::Gzip(e) if e.kind() == io::ErrorKind::UnexpectedEof)
}

fn fill(input: &mut dyn Read, mut room: &mut [u8]) -> io::Result<usize> {
    let whole = room.len();
    while !room.is_empty() {
        match input.read(room) {
            Ok(0) => break,
            Ok(count) => room = room.get_mut(count..).unwrap_or_default(),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(whole - room.len())
}

/// Counts what is read of the file.
struct Counted {
    input: Box<dyn Read + Send>,
    taken: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        let count = self.input.read(room)?;
        self.taken.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}

impl fmt::Debug for Capture {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Capture")
            .field("name", &self.name)
            .field("offset", &self.offset)
            .field("is_gzip", &self.is_gzip)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.name.display();
        let unpacked = if self.is_gzip { " of the unpacked capture" } else { "" };
        match self.offset {
            // Falco's words.
            None => {
                write!(
                    formatter,
                    "Could not open trace filename {name} for reading: {}",
                    self.problem
                )
            }
            Some(offset) => {
                write!(formatter, "{name}, byte {offset}{unpacked}: {}", self.problem)
            }
        }
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(number: u32, body: &[u8]) -> Vec<u8> {
        let total = u32::try_from(body.len() + 12).unwrap();
        let mut bytes = number.to_le_bytes().to_vec();
        bytes.extend(total.to_le_bytes());
        bytes.extend(body);
        bytes.extend(total.to_le_bytes());
        bytes
    }

    fn capture(bytes: Vec<u8>) -> Capture {
        Capture::new(Path::new("a.scap"), Box::new(io::Cursor::new(bytes)), None).unwrap()
    }

    fn section() -> Vec<u8> {
        block(0x0A0D_0D0A, &[0; 16])
    }

    #[test]
    fn blocks_come_one_by_one_and_then_nothing() {
        let mut bytes = section();
        bytes.extend(block(0x201, &[1, 2, 3, 4]));
        let mut capture = capture(bytes);
        assert_eq!(capture.next_block().unwrap().unwrap().kind, Kind::Section);
        let event = capture.next_block().unwrap().unwrap();
        assert_eq!((event.body, event.offset, event.is_intact), (&[1, 2, 3, 4][..], 28, true));
        assert!(capture.next_block().unwrap().is_none());
    }

    #[test]
    fn an_absurd_length_allocates_nothing() {
        let mut bytes = section();
        bytes.extend(0x221_u32.to_le_bytes());
        bytes.extend(0x01ff_fff0_u32.to_le_bytes());
        bytes.extend([0; 100]);
        let mut capture = capture(bytes);
        capture.next_block().unwrap();
        let error = capture.next_block().unwrap_err().to_string();
        assert!(
            error.contains("byte 28: expected 33554416 bytes of a block, found 108"),
            "{error}"
        );
        assert!(capture.buffer.len() <= READ_SIZE);
    }

    #[test]
    fn what_is_no_capture_is_said_to_be_none() {
        let error = capture(b"#!/bin/sh\necho no\n".to_vec()).next_block().unwrap_err();
        assert!(error.to_string().contains("no capture file"), "{error}");
    }

    #[test]
    fn gzip_is_recognised_and_its_truncation_noticed() {
        use std::io::Write;
        let mut plain = section();
        for _ in 0..100 {
            plain.extend(block(0x216, &[7; 400]));
        }
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packer.write_all(&plain).unwrap();
        let mut packed = packer.finish().unwrap();
        let mut whole = capture(packed.clone());
        let mut count = 0;
        while whole.next_block().unwrap().is_some() {
            count += 1;
        }
        assert_eq!(count, 101);
        packed.truncate(packed.len() - 12);
        let mut cut = capture(packed);
        let error = loop {
            match cut.next_block() {
                Ok(Some(_)) => {}
                Ok(None) => panic!("the end was not missed"),
                Err(error) => break error.to_string(),
            }
        };
        assert!(error.contains("unpacked capture"), "{error}");
    }
}
