//! A pipe that is read as long as nobody asks for the end: a signal also ends the waiting for a
//! writer that writes nothing, so that what was found until then can still be told.

use std::fs::File;
use std::io;
use std::io::Read;
use std::os::fd::AsFd as _;
use std::os::unix::fs::FileTypeExt as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use crate::log;
use crate::log::Level;
use crate::sources::replay::{Capture, Error};
use crate::sys::poll;
use crate::sys::poll::SignalFd;

/// How long one wait lasts, at most; another follows.
const PATIENCE: Duration = Duration::from_secs(3600);

/// Opens what is read as a pipe: a named pipe, a device, or standard input for `-`; waits for the
/// writer of a named pipe, as open(2) does. `None` for anything else, and for what can't be opened.
#[must_use]
pub(super) fn open(path: &Path) -> Option<File> {
    if path == Path::new("-") {
        return io::stdin().as_fd().try_clone_to_owned().ok().map(File::from);
    }
    let kind = std::fs::metadata(path).ok()?.file_type();
    (kind.is_fifo() || kind.is_char_device()).then(|| File::open(path).ok())?
}

/// The capture in `pipe`, else in the file itself. A signal ends the pipe and sets `was_stopped`.
///
/// # Errors
///
/// If the file can't be opened, or its first bytes not read.
pub(super) fn capture(
    file: &Path,
    pipe: Option<File>,
    signals: &Arc<SignalFd>,
    was_stopped: &Arc<AtomicBool>,
) -> Result<Capture, Error> {
    let Some(input) = pipe else { return Capture::open(file) };
    let (signals, was_stopped) = (Arc::clone(signals), Arc::clone(was_stopped));
    Capture::new(file, Box::new(Attended { input, signals, was_stopped }), None)
}

/// The pipe.
#[derive(Debug)]
struct Attended {
    input: File,
    signals: Arc<SignalFd>,
    was_stopped: Arc<AtomicBool>,
}

impl Read for Attended {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        loop {
            let (input, signals) = (self.input.as_fd(), self.signals.as_fd());
            let (has_input, has_signal) = poll::wait_for_two(input, signals, PATIENCE)?;
            if has_input {
                return self.input.read(room);
            }
            if has_signal && let Some(signal) = self.signals.read()? {
                log!(Level::Info, "{signal} received, exiting...");
                self.was_stopped.store(true, Relaxed);
            }
            if self.was_stopped.load(Relaxed) {
                return Ok(0);
            }
        }
    }
}
