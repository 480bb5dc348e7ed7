//! Alerts as lines to anything that takes bytes, such that a line is either whole or told of as
//! not written.

use std::io;
use std::sync::Arc;

use super::Alert;

/// Writes alerts one a line.
#[derive(Debug, Default)]
pub(super) struct Lines {
    bytes: Vec<u8>,
    /// The last write ended within a line.
    is_torn: bool,
}

impl Lines {
    /// Writes `alerts`.
    ///
    /// # Errors
    ///
    /// With the number of alerts that are written whole.
    pub(super) fn write(
        &mut self,
        alerts: &[Arc<Alert>],
        writer: &mut dyn io::Write,
    ) -> Result<(), (usize, io::Error)> {
        self.bytes.clear();
        if self.is_torn {
            self.bytes.push(b'\n');
        }
        let mut ends = Vec::with_capacity(alerts.len());
        for alert in alerts {
            self.bytes.extend_from_slice(&alert.text);
            self.bytes.push(b'\n');
            ends.push(self.bytes.len());
        }
        let (written, result) = write_all(&self.bytes, writer);
        let result = result.and_then(|()| writer.flush());
        if written > 0 {
            self.is_torn = self.bytes.get(written - 1) != Some(&b'\n');
        }
        let done = ends.partition_point(|&end| end <= written);
        result.map_err(|error| (done, error))
    }

    /// What follows goes somewhere else.
    pub(super) const fn restart(&mut self) {
        self.is_torn = false;
    }
}

/// As [`io::Write::write_all`], but it says how far it came.
fn write_all(bytes: &[u8], writer: &mut dyn io::Write) -> (usize, io::Result<()>) {
    let mut written = 0;
    while let Some(rest) = bytes.get(written..).filter(|rest| !rest.is_empty()) {
        match writer.write(rest) {
            Ok(0) => return (written, Err(io::ErrorKind::WriteZero.into())),
            Ok(len) => written += len,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return (written, Err(error)),
        }
    }
    (written, Ok(()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes so many bytes, then has no room.
    struct Small(Vec<u8>, usize);

    impl io::Write for Small {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let room = (self.1 - self.0.len()).min(bytes.len());
            if room == 0 {
                return Err(io::ErrorKind::StorageFull.into());
            }
            self.0.extend_from_slice(&bytes[..room]);
            Ok(room)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_line_that_was_cut_by_a_full_disk_is_ended_and_written_again() {
        let alerts: Vec<_> = ["one", "two", "three"]
            .map(|text| Arc::new(Alert { text: text.as_bytes().into(), priority: 4 }))
            .into();
        let mut disk = Small(Vec::new(), 10);
        let mut lines = Lines::default();
        let (done, _) = lines.write(&alerts, &mut disk).unwrap_err();
        assert_eq!((done, disk.0.as_slice()), (2, b"one\ntwo\nth".as_slice()));
        disk.1 = 100;
        lines.write(&alerts[done..], &mut disk).unwrap();
        assert_eq!(disk.0, b"one\ntwo\nth\nthree\n");
    }
}
