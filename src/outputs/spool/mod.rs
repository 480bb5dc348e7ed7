//! Alerts that wait on disk until a server has taken them: at least once, in order, also after
//! kill -9 and power loss.
//!
//! A directory with segments of records, each named by the number of its first alert, and a cursor
//! that says what is delivered. The newest segment is appended to, delivered ones are removed, and
//! if there is no room the oldest is dropped, which is counted. A segment's torn end is cut off
//! when the spool is opened; damage before whole records costs only what was damaged.

mod cursor;
mod record;
mod scan;

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io;
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use cursor::Cursor;
pub use record::{Damage, Record};
use record::{Hash, RECORD_HEAD, SEGMENT_HEAD};
pub use scan::{Fault, Status, inspect};

use super::Alert;

/// Largest and smallest size at which a new segment is begun, in bytes.
const MAX_SEGMENT: u64 = 8 << 20;
const MIN_SEGMENT: u64 = 16 << 10;

/// Least number of segments: so much of the spool is dropped at once if it is full.
const SEGMENTS: u64 = 16;

/// When what was written is forced onto the disk.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Fsync {
    /// When the kernel likes; kill -9 costs nothing, a power loss up to half a minute.
    Never,
    /// Once a second.
    #[default]
    Interval,
    /// Before an alert counts as kept.
    Always,
}

/// How a spool is kept.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Settings {
    /// Where; made if it isn't there.
    pub directory: PathBuf,
    /// Most bytes of all segments.
    pub max_bytes: u64,
    /// When it is forced onto the disk.
    pub fsync: Fsync,
    /// Each record has a hash over it and all before it.
    pub chain: bool,
}

/// Why a spool can't be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another process has it.
    #[error("the spool {0} is in use by another process")]
    Busy(PathBuf),
    /// The kernel refuses something.
    #[error("the spool {path}: {source}")]
    Io {
        /// The directory, or a file in it.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
}

/// What was lost of what a spool had kept.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Losses {
    /// Alerts that were dropped since there was no room.
    pub dropped: u64,
    /// Alerts whose bytes were damaged.
    pub damaged: u64,
    /// Bytes at the torn end, of which nobody knows how many alerts they were.
    pub torn: u64,
}

/// One file of records.
#[derive(Clone, Copy, Debug)]
struct Segment {
    /// The number of its first alert.
    first: u64,
    bytes: u64,
}

/// The segment that is read, and where.
#[derive(Debug)]
struct Place {
    file: File,
    first: u64,
    offset: u64,
}

/// A spool that this process alone has open.
#[derive(Debug)]
pub struct Spool {
    settings: Settings,
    segments: VecDeque<Segment>,
    /// The newest segment.
    writer: Option<Arc<File>>,
    /// The number that the next alert gets.
    next: u64,
    /// The chain up to the last alert.
    chain: Hash,
    cursor: Cursor,
    place: Option<Place>,
    losses: Losses,
    /// Something was written that isn't forced onto the disk yet.
    is_dirty: bool,
    bytes: Vec<u8>,
    /// Held as long as the spool is open.
    _lock: nix::fcntl::Flock<File>,
}

impl Spool {
    /// Opens a spool, or makes it.
    ///
    /// # Errors
    ///
    /// [`Error`]; also if another process has it.
    pub fn open(settings: Settings) -> Result<Self, Error> {
        let directory = settings.directory.clone();
        let io = |path: &Path| {
            let path = path.to_owned();
            move |source| Error::Io { path, source }
        };
        let mut builder = std::fs::DirBuilder::new();
        builder.recursive(true).mode(0o700).create(&directory).map_err(io(&directory))?;
        let lock = directory.join("lock");
        let file =
            new_file(&lock, OpenOptions::new().write(true).create(true)).map_err(io(&lock))?;
        let lock = nix::fcntl::Flock::lock(file, nix::fcntl::FlockArg::LockExclusiveNonblock)
            .map_err(|(_, errno)| match errno {
                nix::errno::Errno::EWOULDBLOCK => Error::Busy(directory.clone()),
                errno => io(&lock)(errno.into()),
            })?;
        let cursor = Cursor::open(&directory).map_err(io(&directory))?;
        let mut spool = Self {
            settings,
            segments: VecDeque::new(),
            writer: None,
            next: 0,
            chain: Hash::default(),
            cursor,
            place: None,
            losses: Losses::default(),
            is_dirty: false,
            bytes: Vec::new(),
            _lock: lock,
        };
        spool.recover().map_err(io(&directory))?;
        Ok(spool)
    }

    /// Finds the segments, and the end of the newest.
    fn recover(&mut self) -> io::Result<()> {
        self.segments = scan::segments(&self.settings.directory)?.into();
        self.next = self.cursor.next();
        while let Some(segment) = self.segments.back().copied() {
            let path = self.path(segment.first);
            match scan::scan(&path, segment.first, None)? {
                // A segment that was begun and never written.
                None => {
                    std::fs::remove_file(&path)?;
                    self.segments.pop_back();
                }
                Some(found) => {
                    let file = OpenOptions::new().read(true).append(true).open(&path)?;
                    if found.bytes < segment.bytes {
                        self.losses.torn += segment.bytes - found.bytes;
                        file.set_len(found.bytes)?;
                    }
                    if let Some(last) = self.segments.back_mut() {
                        last.bytes = found.bytes;
                    }
                    self.chain = found.chain;
                    self.writer = Some(Arc::new(file));
                    self.next = self.next.max(found.next);
                    if found.next < self.next {
                        // The cursor is beyond what a power loss has left; a new segment keeps the
                        // numbers of one without a gap.
                        self.writer = None;
                    }
                    break;
                }
            }
        }
        let first = self.segments.front().map_or(self.next, |segment| segment.first);
        if first > self.cursor.next() {
            // What was dropped for want of room was told when it was dropped.
            self.cursor.set(first)?;
        }
        Ok(())
    }

    fn path(&self, first: u64) -> PathBuf {
        self.settings.directory.join(scan::name(first))
    }

    /// Appends alerts in one write. After it returns kill -9 costs nothing of them.
    ///
    /// # Errors
    ///
    /// Those of write(2), open(2) and fsync(2); then none of the alerts is kept.
    pub fn append(&mut self, alerts: &[Arc<Alert>]) -> io::Result<()> {
        let size = self.segment_size();
        if self.segments.back().is_none_or(|newest| newest.bytes >= size) || self.writer.is_none() {
            self.begin_segment()?;
        }
        let mut bytes = std::mem::take(&mut self.bytes);
        bytes.clear();
        let mut chain = self.chain;
        let mut next = self.next;
        for alert in alerts {
            let payload = alert.text.get(..record::MAX_PAYLOAD).unwrap_or(&alert.text);
            if self.settings.chain {
                chain = record::link(&chain, next, payload);
            }
            let link = self.settings.chain.then_some(&chain);
            record::push_record(next, link, payload, &mut bytes);
            next += 1;
        }
        let result = self.write(&bytes);
        let len = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        self.bytes = bytes;
        result?;
        self.chain = chain;
        self.next = next;
        if let Some(newest) = self.segments.back_mut() {
            newest.bytes += len;
        }
        self.make_room();
        Ok(())
    }

    /// Writes to the newest segment; all or nothing.
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let (Some(writer), Some(newest)) = (&self.writer, self.segments.back()) else {
            return Ok(());
        };
        let result = (&**writer).write_all(bytes).and_then(|()| {
            if self.settings.fsync == Fsync::Always { writer.sync_data() } else { Ok(()) }
        });
        if result.is_err() {
            // Whatever part was written must not be followed by anything.
            writer.set_len(newest.bytes)?;
        }
        self.is_dirty = true;
        result
    }

    fn segment_size(&self) -> u64 {
        (self.settings.max_bytes / SEGMENTS).clamp(MIN_SEGMENT, MAX_SEGMENT)
    }

    fn begin_segment(&mut self) -> io::Result<()> {
        if let Some(writer) = &self.writer
            && self.settings.fsync != Fsync::Never
        {
            writer.sync_data()?;
        }
        let path = self.path(self.next);
        let file = new_file(&path, OpenOptions::new().read(true).append(true).create(true))?;
        let mut head = Vec::with_capacity(SEGMENT_HEAD);
        record::push_segment_head(self.next, &self.chain, &mut head);
        if let Err(error) = (&file).write_all(&head) {
            let _ = std::fs::remove_file(&path);
            return Err(error);
        }
        if self.settings.fsync != Fsync::Never {
            // So that its name survives, too.
            File::open(&self.settings.directory)?.sync_all()?;
        }
        self.writer = Some(Arc::new(file));
        let bytes = u64::try_from(SEGMENT_HEAD).unwrap_or(0);
        self.segments.push_back(Segment { first: self.next, bytes });
        Ok(())
    }

    /// Drops the oldest segments while there are too many bytes.
    fn make_room(&mut self) {
        while self.bytes() > self.settings.max_bytes && self.segments.len() > 1 {
            let Some(oldest) = self.segments.pop_front() else { return };
            let next = self.segments.front().map_or(self.next, |segment| segment.first);
            let waiting = next.saturating_sub(self.cursor.next().max(oldest.first));
            self.losses.dropped += waiting;
            self.skip_to(next);
            let _ = std::fs::remove_file(self.path(oldest.first));
        }
    }

    /// Everything before `number` is done with.
    fn skip_to(&mut self, number: u64) {
        if number > self.cursor.next() {
            if self.place.as_ref().is_some_and(|place| place.first < number) {
                self.place = None;
            }
            // If it can't be written, alerts come twice after the next start.
            let _ = self.cursor.set(number);
        }
    }

    /// The oldest alert that wasn't delivered; `None` if there is none.
    ///
    /// # Errors
    ///
    /// Those of open(2) and read(2). Damaged alerts are counted and skipped.
    pub fn oldest(&mut self) -> io::Result<Option<Record>> {
        while self.cursor.next() < self.next {
            let Some(index) = self.segment_of(self.cursor.next()) else {
                let first = self.segments.front().map_or(self.next, |segment| segment.first);
                self.lose_up_to(first);
                continue;
            };
            let Some(segment) = self.segments.get(index).copied() else { return Ok(None) };
            let end = self.segments.get(index + 1).map_or(self.next, |segment| segment.first);
            match self.read(segment)? {
                Ok(record) => return Ok(Some(record)),
                Err(whole) => self.lose_up_to(whole.unwrap_or(end)),
            }
        }
        Ok(None)
    }

    fn lose_up_to(&mut self, number: u64) {
        self.losses.damaged += number.saturating_sub(self.cursor.next());
        self.skip_to(number);
        self.place = None;
    }

    /// The segment in which an alert is.
    fn segment_of(&self, number: u64) -> Option<usize> {
        self.segments.partition_point(|segment| segment.first <= number).checked_sub(1)
    }

    /// Reads the alert at the cursor, which is in `segment`; if it is damaged, the number of the next
    /// whole one there.
    fn read(&mut self, segment: Segment) -> io::Result<Result<Record, Option<u64>>> {
        let wanted = self.cursor.next();
        let mut place = match self.place.take() {
            Some(place) if place.first == segment.first => place,
            _ => match self.find(segment, wanted)? {
                Ok(place) => place,
                Err(whole) => return Ok(Err(whole)),
            },
        };
        let bytes = read_at(&place.file, place.offset)?;
        let Ok(record) = record::read_record(&bytes, wanted) else {
            let behind = self.find(segment, wanted + 1)?;
            return Ok(Err(behind.map_or_else(|whole| whole, |_| Some(wanted + 1))));
        };
        let len = record::record_len(&bytes).unwrap_or(0);
        place.offset += u64::try_from(len).unwrap_or(0);
        self.place = Some(place);
        Ok(Ok(record))
    }

    /// Where an alert begins in its segment; if it isn't there, the number of the next whole one.
    fn find(&self, segment: Segment, wanted: u64) -> io::Result<Result<Place, Option<u64>>> {
        let path = self.path(segment.first);
        let file = File::open(&path)?;
        let found = scan::scan(&path, segment.first, Some(wanted))?;
        Ok(match found {
            Some(found) if found.next == wanted => {
                Ok(Place { file, first: segment.first, offset: found.bytes })
            }
            found => Err(found.map(|found| found.next).filter(|next| *next > wanted)),
        })
    }

    /// An alert was delivered: it and all before it are done with.
    ///
    /// # Errors
    ///
    /// If that can't be written: then they come again after the next start.
    pub fn done(&mut self, number: u64) -> io::Result<()> {
        if number < self.cursor.next() {
            // It was dropped meanwhile.
            return Ok(());
        }
        self.cursor.set(number + 1)?;
        while self.segments.get(1).is_some_and(|second| second.first <= number + 1) {
            if let Some(oldest) = self.segments.pop_front() {
                std::fs::remove_file(self.path(oldest.first))?;
            }
        }
        Ok(())
    }

    /// Alerts that wait.
    #[must_use]
    pub const fn waiting(&self) -> u64 {
        self.next.saturating_sub(self.cursor.next())
    }

    /// Bytes of all segments.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.bytes).sum()
    }

    /// What was lost since it was last asked.
    pub fn take_losses(&mut self) -> Losses {
        std::mem::take(&mut self.losses)
    }

    /// The file to be forced onto the disk now, if any: the caller does it, without holding others
    /// up.
    pub fn take_dirty(&mut self) -> Option<Arc<File>> {
        let is_due = std::mem::take(&mut self.is_dirty) && self.settings.fsync == Fsync::Interval;
        if is_due { self.writer.clone() } else { None }
    }
}

/// Opens a file that nobody else may read.
fn new_file(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    options.mode(0o600).open(path)
}

/// The bytes of the record that begins there; fewer at the end of the file.
fn read_at(file: &File, offset: u64) -> io::Result<Vec<u8>> {
    const FIRST: usize = 4096;
    let mut bytes = vec![0; FIRST];
    let len = fill(file, offset, &mut bytes)?;
    bytes.truncate(len);
    if len < RECORD_HEAD {
        return Ok(bytes);
    }
    if let Ok(needed) = record::record_len(&bytes)
        && needed > len
        && len == FIRST
    {
        bytes.resize(needed, 0);
        let len = fill(file, offset, &mut bytes)?;
        bytes.truncate(len);
    }
    Ok(bytes)
}

fn fill(file: &File, offset: u64, bytes: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, offset + u64::try_from(filled).unwrap_or(0)) {
            Ok(0) => break,
            Ok(len) => filled += len,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

#[cfg(test)]
mod tests;
