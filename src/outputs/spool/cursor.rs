//! How far a spool was delivered, in a small file of two slots that are written in turn: whatever
//! a power loss leaves of one, the other is whole.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use crate::decode::reader::Reader;

const NAME: &str = "cursor";
const SLOT: u64 = 16;

/// The file.
#[derive(Debug)]
pub(super) struct Cursor {
    file: File,
    /// The number of the first alert that isn't delivered yet.
    next: u64,
    is_second: bool,
}

impl Cursor {
    /// Opens or makes the file in a spool's directory.
    pub(super) fn open(directory: &Path) -> io::Result<Self> {
        let path = directory.join(NAME);
        let mut options = OpenOptions::new();
        let options = options.read(true).write(true).create(true).truncate(false);
        let file = super::new_file(&path, options)?;
        Ok(Self { next: read(&file)?, file, is_second: false })
    }

    /// What is written in a spool's directory; the beginning if nothing is.
    pub(super) fn peek(directory: &Path) -> io::Result<u64> {
        match File::open(directory.join(NAME)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
            file => read(&file?),
        }
    }

    /// The number of the first alert that isn't delivered yet.
    pub(super) const fn next(&self) -> u64 {
        self.next
    }

    /// Writes how far it is.
    pub(super) fn set(&mut self, next: u64) -> io::Result<()> {
        self.next = next;
        let mut slot = [0; 12];
        let (number, sum) = slot.split_at_mut(8);
        number.copy_from_slice(&next.to_le_bytes());
        sum.copy_from_slice(&crc32fast::hash(number).to_le_bytes());
        self.file.write_all_at(&slot, if self.is_second { SLOT } else { 0 })?;
        self.is_second = !self.is_second;
        Ok(())
    }
}

/// The larger of the slots that are whole.
fn read(file: &File) -> io::Result<u64> {
    let mut bytes = [0; 32];
    let mut filled = 0;
    while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, u64::try_from(filled).unwrap_or(0))? {
            0 => break,
            len => filled += len,
        }
    }
    Ok(bytes.chunks_exact(16).filter_map(slot).max().unwrap_or(0))
}

fn slot(bytes: &[u8]) -> Option<u64> {
    let mut reader = Reader::new(bytes);
    let number: [u8; 8] = reader.array("a number").ok()?;
    let sum = reader.u32_le("a checksum").ok()?;
    (sum == crc32fast::hash(&number)).then_some(u64::from_le_bytes(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_whole_slot_counts() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(Cursor::peek(dir.path()).unwrap(), 0);
        let mut cursor = Cursor::open(dir.path()).unwrap();
        for next in [5, 6, 7] {
            cursor.set(next).unwrap();
            assert_eq!(Cursor::peek(dir.path()).unwrap(), next);
        }
        cursor.file.write_all_at(&[9, 9], 0).unwrap();
        assert_eq!(Cursor::peek(dir.path()).unwrap(), 6);
        assert_eq!(Cursor::open(dir.path()).unwrap().next(), 6);
    }
}
