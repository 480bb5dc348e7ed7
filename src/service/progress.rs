//! How far the replay of a large file is, on one line of a terminal.

use std::io::{self, IsTerminal, Write as _};
use std::time::{Duration, Instant};

/// Smaller files are done before a line would be read, in bytes.
const LARGE: u64 = 64 << 20;

/// How often the line changes.
const EVERY: Duration = Duration::from_millis(200);

/// Shows the share of a file that was read, if stderr is a terminal.
#[derive(Debug)]
pub struct Progress {
    next: Option<Instant>,
    is_shown: bool,
}

impl Progress {
    /// For a file of that size; `None` is a pipe. `has_short_lines`: what is written to stdout may
    /// be shorter than the bar and would leave its end standing, if both are the same terminal.
    #[must_use]
    pub fn new(size: Option<u64>, has_short_lines: bool) -> Self {
        let is_large = size.is_some_and(|size| size >= LARGE);
        let is_torn = has_short_lines && io::stdout().is_terminal();
        let has_line = is_large && io::stderr().is_terminal() && !is_torn;
        Self { next: has_line.then(|| Instant::now() + EVERY), is_shown: false }
    }

    /// Shows how far it is, if it is time to.
    pub fn show(&mut self, read: u64, size: Option<u64>) {
        let (Some(next), Some(size)) = (self.next, size) else { return };
        let now = Instant::now();
        if now < next {
            return;
        }
        self.next = Some(now + EVERY);
        self.is_shown = true;
        let _ = io::stderr().lock().write_all(line(read, size).as_bytes());
    }

    /// Takes the line away.
    pub fn end(&mut self) {
        if std::mem::take(&mut self.is_shown) {
            let _ = io::stderr().lock().write_all(b"\r\x1b[K");
        }
    }
}

/// The line: a bar of twenty characters and the share in percent. The cursor is left at its
/// beginning, so that an alert, which is always longer, takes its place.
fn line(read: u64, size: u64) -> String {
    const WIDTH: usize = 20;
    let percent = read.saturating_mul(100).checked_div(size).unwrap_or(100).min(100);
    let filled = usize::try_from(percent).unwrap_or(0) * WIDTH / 100;
    format!("\r[{:<WIDTH$}] {percent:3} %\r", "#".repeat(filled))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bar_is_never_longer_than_its_frame() {
        assert_eq!(line(0, 100), "\r[                    ]   0 %\r");
        assert_eq!(line(50, 100), "\r[##########          ]  50 %\r");
        assert_eq!(line(300, 100), "\r[####################] 100 %\r");
        assert_eq!(line(1, 0), "\r[####################] 100 %\r");
    }

    #[test]
    fn a_pipe_has_no_bar() {
        let mut progress = Progress::new(None, false);
        progress.show(1, None);
        assert!(!progress.is_shown);
    }
}
