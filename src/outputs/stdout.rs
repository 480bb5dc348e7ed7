//! Alerts to standard output or standard error, one a line.

use std::io;
use std::sync::Arc;

use super::lines::Lines;
use super::{Alert, Channel, Fault};

/// The channel; `W` is what it writes to.
#[derive(Debug)]
pub struct Stream<W> {
    writer: W,
    lines: Lines,
}

impl<W: io::Write> Stream<W> {
    /// Alerts go to `writer`.
    #[must_use]
    pub fn new(writer: W) -> Self {
        Self { writer, lines: Lines::default() }
    }
}

impl<W: io::Write + Send> Channel for Stream<W> {
    fn write(&mut self, alerts: &[Arc<Alert>]) -> Result<(), (usize, Fault)> {
        self.lines.write(alerts, &mut self.writer).map_err(|(done, error)| {
            let fault = if error.kind() == io::ErrorKind::BrokenPipe {
                Fault::Gone(format!("nobody reads the alerts any more: {error}"))
            } else {
                Fault::Again(error.to_string())
            };
            (done, fault)
        })
    }
}

/// Standard output.
#[derive(Debug, Default)]
pub struct Stdout;

impl io::Write for Stdout {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // Past the buffer of std, which would hide how far a write came.
        match nix::unistd::write(io::stdout(), bytes) {
            // Somebody else has made the terminal or pipe non-blocking; it is a blocking channel
            // for us, and the thread has nothing else to do.
            Err(nix::errno::Errno::EAGAIN) => {
                std::thread::sleep(std::time::Duration::from_millis(2));
                Err(io::ErrorKind::Interrupted.into())
            }
            result => Ok(result?),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
