//! File records that are kept until what their processes did before is told.

use std::ops::Range;

use crate::decode::FileRecord;

/// Copies of the file records of one turn: their paths lie in the source's buffer.
#[derive(Debug, Default)]
pub(super) struct FileBatch {
    records: Vec<(FileRecord<'static>, Range<usize>)>,
    paths: Vec<u8>,
}

impl FileBatch {
    pub(super) fn push(&mut self, record: &FileRecord<'_>) {
        let start = self.paths.len();
        self.paths.extend_from_slice(record.path);
        let end = self.paths.len();
        self.records.push((FileRecord { path: b"", ..*record }, start..end));
    }

    pub(super) fn each(&self, mut take: impl FnMut(&FileRecord<'_>)) {
        for (record, range) in &self.records {
            let path = self.paths.get(range.clone()).unwrap_or_default();
            take(&FileRecord { path, ..*record });
        }
    }

    pub(super) fn clear(&mut self) {
        self.records.clear();
        self.paths.clear();
    }
}
