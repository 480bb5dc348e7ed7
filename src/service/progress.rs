//! How far the replay of a large file is, on one line of a terminal.

use std::io::{self, IsTerminal, Write as _};
use std::time::{Duration, Instant};

/// Smaller files are done before a line would be read, in bytes.
const LARGE: u64 = 64 << 20;

/// How often the line changes.
const EVERY: Duration = Duration::from_millis(200);

/// Shows the share of a file that was read; nothing unless stderr alone is a terminal.
#[derive(Debug)]
pub struct Progress {
    next: Option<Instant>,
    is_shown: bool,
}

impl Progress {
    /// For a file of that size; `None` is a pipe.
    #[must_use]
    pub fn new(size: Option<u64>) -> Self {
        let is_large = size.is_some_and(|size| size >= LARGE);
        // Alerts on the same terminal would be torn apart.
        let has_line = is_large && io::stderr().is_terminal() && !io::stdout().is_terminal();
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

/// The line: a bar of twenty characters and the share in percent.
fn line(read: u64, size: u64) -> String {
    const WIDTH: usize = 20;
    let percent = read.saturating_mul(100).checked_div(size).unwrap_or(100).min(100);
    let filled = usize::try_from(percent).unwrap_or(0) * WIDTH / 100;
    format!("\r[{:<WIDTH$}] {percent:3} %", "#".repeat(filled))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bar_is_never_longer_than_its_frame() {
        assert_eq!(line(0, 100), "\r[                    ]   0 %");
        assert_eq!(line(50, 100), "\r[##########          ]  50 %");
        assert_eq!(line(300, 100), "\r[####################] 100 %");
        assert_eq!(line(1, 0), "\r[####################] 100 %");
    }

    #[test]
    fn a_pipe_has_no_bar() {
        let mut progress = Progress::new(None);
        progress.show(1, None);
        assert!(!progress.is_shown);
    }
}
