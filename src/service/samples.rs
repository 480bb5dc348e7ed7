//! `-s FILE`: every few seconds a line with the counts of events and losses, as Falco wrote it
//! until 0.35. Metrics tell more; this is there for who reads such files.

use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::io;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::log::Level;
use crate::log_limited;

/// Between two samples, if nothing else is asked for.
pub const EVERY: Duration = Duration::from_secs(5);

/// Where samples go, and how often.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Settings {
    /// Lines are appended to this file.
    pub path: PathBuf,
    /// Between two samples.
    pub every: Duration,
}

/// Counts since the start.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
struct Counts {
    /// Events, those that were lost among them.
    events: u64,
    drops: u64,
}

/// Writes samples.
#[derive(Debug)]
pub struct Samples {
    file: File,
    path: PathBuf,
    every_ns: u64,
    due_ns: u64,
    number: u64,
    last: Counts,
}

impl Samples {
    /// The first sample is due after the first interval. `now_ns`: nanoseconds since the epoch, as
    /// below.
    ///
    /// # Errors
    ///
    /// If the file can't be opened.
    pub fn open(settings: &Settings, now_ns: u64) -> io::Result<Self> {
        let file = OpenOptions::new().append(true).create(true).open(&settings.path)?;
        let every_ns = u64::try_from(settings.every.as_nanos()).unwrap_or(u64::MAX).max(1);
        Ok(Self {
            file,
            path: settings.path.clone(),
            every_ns,
            due_ns: now_ns.saturating_add(every_ns),
            number: 0,
            last: Counts::default(),
        })
    }

    /// When the next sample is due.
    #[must_use]
    pub const fn due_ns(&self) -> u64 {
        self.due_ns
    }

    /// Writes a sample if one is due, of so many events judged and lost since the start.
    pub fn tick(&mut self, now_ns: u64, judged: u64, lost: u64) {
        // A clock that was set back must not silence it.
        let is_far = self.due_ns.saturating_sub(now_ns) > self.every_ns;
        if now_ns < self.due_ns && !is_far {
            return;
        }
        self.due_ns = now_ns.saturating_add(self.every_ns);
        self.number += 1;
        let now = Counts { events: judged.saturating_add(lost), drops: lost };
        let line = line(self.number, now, self.last);
        self.last = now;
        if let Err(error) = self.file.write_all(line.as_bytes()) {
            tell_failure(&self.path, &error);
        }
    }
}

fn tell_failure(path: &Path, error: &io::Error) {
    log_limited!(Level::Error, "statistics file {}: {error}", path.display());
}

/// Falco's line, with the comma at its end. There is no driver that could be preempted.
fn line(number: u64, now: Counts, before: Counts) -> String {
    let delta = Counts {
        events: now.events.saturating_sub(before.events),
        drops: now.drops.saturating_sub(before.drops),
    };
    let mut text = format!("{{\"sample\": {number}");
    for (name, counts) in [("cur", now), ("delta", delta)] {
        let Counts { events, drops } = counts;
        // Writing to a string can't fail.
        let _ = write!(
            text,
            ", \"{name}\": {{\"events\": {events}, \"drops\": {drops}, \"preemptions\": 0}}"
        );
    }
    let _ = writeln!(text, ", \"drop_pct\": {}}},", percent(delta));
    text
}

/// The share of lost events in percent, with two decimals at most.
fn percent(delta: Counts) -> String {
    let whole = u128::from(delta.events.max(1));
    let hundredths = u128::from(delta.drops) * 10_000 / whole;
    let (whole, rest) = (hundredths / 100, hundredths % 100);
    if rest == 0 {
        return whole.to_string();
    }
    format!("{whole}.{rest:02}").trim_end_matches('0').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn samples_are_appended_when_they_are_due_with_what_came_since_the_last() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("stats");
        std::fs::write(&path, "before\n").unwrap();
        let settings = Settings { path: path.clone(), every: Duration::from_secs(5) };
        let mut samples = Samples::open(&settings, 0).unwrap();
        samples.tick(5 * SECOND - 1, 50, 0);
        samples.tick(5 * SECOND, 100, 0);
        samples.tick(6 * SECOND, 200, 0);
        assert_eq!(samples.due_ns(), 10 * SECOND);
        samples.tick(11 * SECOND, 295, 5);
        // The clock was set back.
        samples.tick(SECOND, 295, 5);
        let text = String::from_utf8(std::fs::read(&path).unwrap()).unwrap();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(
            lines,
            [
                "before",
                "{\"sample\": 1, \"cur\": {\"events\": 100, \"drops\": 0, \"preemptions\": 0}, \
                 \"delta\": {\"events\": 100, \"drops\": 0, \"preemptions\": 0}, \"drop_pct\": 0},",
                "{\"sample\": 2, \"cur\": {\"events\": 300, \"drops\": 5, \"preemptions\": 0}, \
                 \"delta\": {\"events\": 200, \"drops\": 5, \"preemptions\": 0}, \"drop_pct\": 2.5},",
                "{\"sample\": 3, \"cur\": {\"events\": 300, \"drops\": 5, \"preemptions\": 0}, \
                 \"delta\": {\"events\": 0, \"drops\": 0, \"preemptions\": 0}, \"drop_pct\": 0},",
            ]
        );
    }
}
