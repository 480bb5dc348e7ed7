//! Reading a spool from its beginning: to find its end when it is opened, and to tell what is in it.

use std::fs::File;
use std::io;
use std::io::{BufReader, Read as _};
use std::path::{Path, PathBuf};

use super::Segment;
use super::cursor::Cursor;
use super::record::{self, Damage, Hash, RECORD_HEAD, SEGMENT_HEAD};

const SUFFIX: &str = ".spool";

/// The file name of the segment that begins with an alert.
pub(super) fn name(first: u64) -> String {
    format!("{first:020}{SUFFIX}")
}

/// The segments in a directory, oldest first.
pub(super) fn segments(directory: &Path) -> io::Result<Vec<Segment>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        let name = entry.file_name();
        let digits = name.to_str().and_then(|name| name.strip_suffix(SUFFIX));
        if let Some(first) = digits.and_then(|digits| digits.parse().ok()) {
            found.push(Segment { first, bytes: entry.metadata()?.len() });
        }
    }
    found.sort_unstable_by_key(|segment| segment.first);
    Ok(found)
}

/// What was found in a segment up to its last whole record.
#[derive(Clone, Debug)]
pub(super) struct Scanned {
    /// The number after the last whole record.
    pub(super) next: u64,
    /// Where that one would begin.
    pub(super) bytes: u64,
    /// The chain up to there.
    pub(super) chain: Hash,
    /// What was damaged before it, and where.
    damages: Vec<(u64, Damage)>,
    /// Why what follows the last whole record is none.
    torn: Option<Damage>,
    /// The record before was read, so that its chain tells of the next one's.
    is_linked: bool,
}

impl Scanned {
    /// Takes the record with which `bytes` begin; its length.
    fn take(&mut self, bytes: &[u8]) -> Result<usize, Damage> {
        let found = record::read_record(bytes, self.next)?;
        let len = record::record_len(bytes)?;
        if let Some(chain) = found.chain {
            let wanted = record::link(&self.chain, found.number, &found.payload);
            // It can be delivered all the same; `verify` tells of it.
            if chain != wanted && self.is_linked {
                self.damages.push((self.bytes, Damage::Chain));
            }
            self.chain = chain;
        }
        self.is_linked = true;
        self.next += 1;
        self.bytes += u64::try_from(len).unwrap_or(0);
        Ok(len)
    }

    /// Takes all whole records of `bytes`, which begin with damage, up to alert `until`.
    fn take_whole_ones(&mut self, mut bytes: &[u8], until: Option<u64>) {
        while !bytes.is_empty() && until.is_none_or(|until| self.next < until) {
            let (damage, skip) = match self.take(bytes) {
                Ok(len) => {
                    bytes = bytes.get(len..).unwrap_or_default();
                    continue;
                }
                Err(damage) => (damage, record::next_whole(bytes, self.next)),
            };
            let Some((number, at)) = skip else {
                self.torn = Some(damage);
                return;
            };
            self.damages.push((self.bytes, damage));
            self.is_linked = false;
            self.next = number;
            self.bytes += u64::try_from(at).unwrap_or(0);
            bytes = bytes.get(at..).unwrap_or_default();
        }
    }

    /// The scan of what follows a damaged head; `None` if there is no whole record.
    fn without_head(mut self, bytes: &[u8], until: Option<u64>) -> Option<Self> {
        self.damages.push((0, Damage::Magic));
        self.is_linked = false;
        let mut all = self.clone();
        all.take_whole_ones(bytes, None);
        let has_records = all.next > self.next;
        self.take_whole_ones(bytes, until);
        has_records.then_some(self)
    }
}

/// Reads a segment whose first alert is `first`, up to alert `until` or the first whole one behind
/// it; `None` if it isn't a segment.
pub(super) fn scan(path: &Path, first: u64, until: Option<u64>) -> io::Result<Option<Scanned>> {
    let mut reader = BufReader::with_capacity(64 << 10, File::open(path)?);
    let mut bytes = Vec::new();
    read_exactly(&mut reader, SEGMENT_HEAD, &mut bytes)?;
    let head = record::read_segment_head(&bytes).ok().filter(|(found, _)| *found == first);
    let mut scanned = Scanned {
        next: first,
        bytes: u64::try_from(SEGMENT_HEAD).unwrap_or(0),
        chain: head.map(|(_, chain)| chain).unwrap_or_default(),
        damages: Vec::new(),
        torn: None,
        is_linked: true,
    };
    if head.is_none() {
        bytes.clear();
        reader.read_to_end(&mut bytes)?;
        return Ok(scanned.without_head(&bytes, until));
    }
    while until.is_none_or(|until| scanned.next < until) {
        bytes.clear();
        read_exactly(&mut reader, RECORD_HEAD, &mut bytes)?;
        if bytes.is_empty() {
            break;
        }
        if let Ok(whole) = record::record_len(&bytes) {
            read_exactly(&mut reader, whole - RECORD_HEAD, &mut bytes)?;
        }
        if scanned.take(&bytes).is_err() {
            reader.read_to_end(&mut bytes)?;
            scanned.take_whole_ones(&bytes, until);
            break;
        }
    }
    Ok(Some(scanned))
}

/// Appends the next `len` bytes, or as many as there are.
fn read_exactly(reader: &mut BufReader<File>, len: usize, out: &mut Vec<u8>) -> io::Result<()> {
    let len = u64::try_from(len).unwrap_or(u64::MAX);
    reader.by_ref().take(len).read_to_end(out)?;
    Ok(())
}

/// What is in a spool.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Status {
    /// Files of records.
    pub segments: usize,
    /// Their bytes.
    pub bytes: u64,
    /// The number of the first alert that waits.
    pub first: u64,
    /// The number that the next alert gets.
    pub next: u64,
    /// Everything that isn't as it was written.
    pub faults: Vec<Fault>,
}

impl Status {
    /// Alerts that wait.
    #[must_use]
    pub const fn waiting(&self) -> u64 {
        self.next.saturating_sub(self.first)
    }
}

/// Something that isn't as it was written.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Fault {
    /// The file.
    pub path: PathBuf,
    /// From which byte on.
    pub offset: u64,
    /// What is wrong.
    pub what: String,
    /// It is the end of the newest file: a power loss, or an agent that writes just now.
    pub is_torn_end: bool,
}

/// Reads all of a spool and changes nothing; an agent may have it open.
///
/// # Errors
///
/// Those of opendir(3), open(2) and read(2).
pub fn inspect(directory: &Path) -> io::Result<Status> {
    let first = Cursor::peek(directory)?;
    let segments = segments(directory)?;
    let mut status = Status { segments: segments.len(), first, next: first, ..Status::default() };
    let mut chain: Option<(u64, Hash)> = None;
    for (index, segment) in segments.iter().enumerate() {
        status.bytes += segment.bytes;
        let path = directory.join(name(segment.first));
        let is_newest = index + 1 == segments.len();
        let mut fault = |offset, what: String, is_torn_end| {
            status.faults.push(Fault { path: path.clone(), offset, what, is_torn_end });
        };
        let scanned = match scan(&path, segment.first, None) {
            // Delivered and removed while we looked.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            scanned => scanned?,
        };
        let Some(scanned) = scanned else {
            fault(0, Damage::Magic.to_string(), is_newest);
            continue;
        };
        if let Some((next, before)) = chain {
            if next != segment.first {
                let missing = segment.first.abs_diff(next);
                fault(0, format!("{missing} alerts before it are missing"), false);
            } else if head_chain(&path)? != before {
                fault(0, Damage::Chain.to_string(), false);
            }
        }
        for (offset, damage) in &scanned.damages {
            fault(*offset, damage.to_string(), false);
        }
        if let Some(damage) = scanned.torn {
            fault(scanned.bytes, damage.to_string(), is_newest);
        }
        chain = Some((scanned.next, scanned.chain));
        status.next = status.next.max(scanned.next);
    }
    if let Some(oldest) = segments.first() {
        status.first = status.first.max(oldest.first);
    }
    Ok(status)
}

/// The chain with which a segment begins.
fn head_chain(path: &Path) -> io::Result<Hash> {
    let mut reader = BufReader::new(File::open(path)?);
    let mut bytes = Vec::new();
    read_exactly(&mut reader, SEGMENT_HEAD, &mut bytes)?;
    Ok(record::read_segment_head(&bytes).map(|(_, chain)| chain).unwrap_or_default())
}
