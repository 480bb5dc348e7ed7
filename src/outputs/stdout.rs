//! Alerts to standard output, one a line.

use std::io;

/// The channel.
#[derive(Debug, Default)]
pub struct Stdout;

impl io::Write for Stdout {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match io::Write::write(&mut io::stdout().lock(), bytes) {
            // Somebody else has made the terminal or pipe non-blocking; it is a blocking channel
            // for us, and the thread has nothing else to do.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                std::thread::sleep(std::time::Duration::from_millis(2));
                Err(io::ErrorKind::Interrupted.into())
            }
            result => result,
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        io::Write::flush(&mut io::stdout().lock())
    }
}
