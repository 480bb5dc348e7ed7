//! Alerts to a file, one a line: kept open or opened for each write, opened again on SIGUSR1,
//! turned over by size and age.
//!
//! Writes append, so that a file which logrotate copies and truncates goes on at its beginning.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::lines::Lines;
use super::{Alert, Channel, Fault};
use crate::log;
use crate::log::Level;

/// How the file is kept.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Settings {
    /// Where it is.
    pub path: PathBuf,
    /// It stays open between writes.
    pub keep_alive: bool,
    /// When it is turned over.
    pub rotation: Rotation,
}

/// When a file is turned over: renamed to `path.1`, which was renamed to `path.2` before.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Rotation {
    /// Before it would be larger, in bytes; zero: never.
    pub max_bytes: u64,
    /// When it is older; zero: never.
    pub max_age: Duration,
    /// So many old files are kept.
    pub keep: u32,
}

impl Rotation {
    const fn is_on(self) -> bool {
        self.max_bytes > 0 || !self.max_age.is_zero()
    }
}

/// The channel.
#[derive(Debug)]
pub struct FileChannel {
    settings: Settings,
    open: Option<Open>,
    lines: Lines,
}

#[derive(Debug)]
struct Open {
    file: File,
    /// When it was made, as far as its filesystem knows; else when it was opened.
    born: SystemTime,
}

impl FileChannel {
    /// Opens nothing yet.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self { settings, open: None, lines: Lines::default() }
    }

    /// Looks whether the file can be opened.
    ///
    /// # Errors
    ///
    /// With Falco's words and the kernel's; it may be possible later.
    pub fn probe(&mut self) -> Result<(), String> {
        let result = self.ready(0).map(|_| ());
        self.release();
        result.map_err(|error| self.refusal(&error))
    }

    fn refusal(&self, error: &io::Error) -> String {
        format!("failed to open output file {}: {error}", self.settings.path.display())
    }

    /// The open file, after it was turned over if `more` bytes ask for that.
    fn ready(&mut self, more: u64) -> io::Result<&mut File> {
        let path = &self.settings.path;
        let mut open = match self.open.take() {
            Some(open) => open,
            None => Open::new(path)?,
        };
        let metadata = open.file.metadata()?;
        if metadata.nlink() == 0 && metadata.is_file() {
            // Somebody removed it: nobody would ever read what is written there.
            open = Open::new(path)?;
        } else if metadata.is_file() && is_due(self.settings.rotation, &open, metadata.len(), more)
        {
            turn_over(path, self.settings.rotation.keep);
            open = Open::new(path)?;
            self.lines.restart();
        }
        Ok(&mut self.open.insert(open).file)
    }

    fn release(&mut self) {
        if !self.settings.keep_alive {
            self.open = None;
        }
    }
}

impl Open {
    fn new(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().append(true).create(true).open(path)?;
        let metadata = file.metadata()?;
        let born = if metadata.len() == 0 { None } else { metadata.created().ok() };
        Ok(Self { file, born: born.unwrap_or_else(SystemTime::now) })
    }
}

/// Whether a file of `len` bytes is turned over before `more` are written.
fn is_due(rotation: Rotation, open: &Open, len: u64, more: u64) -> bool {
    if !rotation.is_on() || len == 0 {
        return false;
    }
    let is_old =
        !rotation.max_age.is_zero() && open.born.elapsed().is_ok_and(|age| age >= rotation.max_age);
    is_old || (rotation.max_bytes > 0 && len.saturating_add(more) > rotation.max_bytes)
}

/// Renames `path` to `path.1`, after `path.1` was renamed to `path.2` and so on; the last one goes.
fn turn_over(path: &Path, keep: u32) {
    let old = |number: u32| {
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".{number}"));
        PathBuf::from(name)
    };
    if keep == 0 {
        if let Err(error) = std::fs::remove_file(path) {
            log!(Level::Error, "file: {}: cannot be removed: {error}", path.display());
        }
        return;
    }
    for number in (1..keep).rev() {
        // A gap in the row is no fault.
        let _ = std::fs::rename(old(number), old(number + 1));
    }
    if let Err(error) = std::fs::rename(path, old(1)) {
        log!(Level::Error, "file: {}: cannot be renamed: {error}", path.display());
    }
}

impl Channel for FileChannel {
    fn write(&mut self, alerts: &[Arc<Alert>]) -> Result<(), (usize, Fault)> {
        let bytes: usize = alerts.iter().map(|alert| alert.text.len() + 1).sum();
        let more = u64::try_from(bytes).unwrap_or(u64::MAX);
        if let Err(error) = self.ready(more) {
            self.open = None;
            return Err((0, Fault::Again(self.refusal(&error))));
        }
        let Self { open, lines, settings } = self;
        let Some(open) = open else { return Ok(()) };
        let result = lines.write(alerts, &mut open.file).map_err(|(done, error)| {
            (done, Fault::Again(format!("{}: cannot be written: {error}", settings.path.display())))
        });
        self.release();
        result
    }

    fn reopen(&mut self) {
        self.open = None;
        self.lines.restart();
        // At once, so that whoever moved the old file away finds a new one.
        if let Err(refusal) = self.probe() {
            log!(Level::Error, "file: {refusal}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alerts(texts: &[&str]) -> Vec<Arc<Alert>> {
        let alert = |text: &&str| Arc::new(Alert { text: text.as_bytes().into(), priority: 4 });
        texts.iter().map(alert).collect()
    }

    fn settings(dir: &Path) -> Settings {
        let rotation = Rotation { max_bytes: 0, max_age: Duration::ZERO, keep: 2 };
        Settings { path: dir.join("alerts.log"), keep_alive: true, rotation }
    }

    fn text(dir: &Path, name: &str) -> String {
        String::from_utf8(std::fs::read(dir.join(name)).unwrap()).unwrap()
    }

    #[test]
    fn a_file_that_was_moved_away_is_written_until_it_is_opened_again() {
        let dir = tempfile::tempdir().unwrap();
        let mut channel = FileChannel::new(settings(dir.path()));
        channel.write(&alerts(&["one"])).unwrap();
        std::fs::rename(dir.path().join("alerts.log"), dir.path().join("old")).unwrap();
        channel.write(&alerts(&["two"])).unwrap();
        channel.reopen();
        assert!(dir.path().join("alerts.log").exists());
        channel.write(&alerts(&["three"])).unwrap();
        assert_eq!(text(dir.path(), "old"), "one\ntwo\n");
        assert_eq!(text(dir.path(), "alerts.log"), "three\n");
    }

    #[test]
    fn without_keep_alive_every_write_finds_the_file_by_its_name() {
        let dir = tempfile::tempdir().unwrap();
        let mut channel = FileChannel::new(Settings { keep_alive: false, ..settings(dir.path()) });
        channel.write(&alerts(&["one"])).unwrap();
        std::fs::rename(dir.path().join("alerts.log"), dir.path().join("old")).unwrap();
        channel.write(&alerts(&["two"])).unwrap();
        assert_eq!(text(dir.path(), "alerts.log"), "two\n");
    }

    #[test]
    fn a_truncated_file_goes_on_at_its_beginning_and_a_removed_one_is_made_again() {
        let dir = tempfile::tempdir().unwrap();
        let mut channel = FileChannel::new(settings(dir.path()));
        channel.write(&alerts(&["one"])).unwrap();
        File::create(dir.path().join("alerts.log")).unwrap();
        channel.write(&alerts(&["two"])).unwrap();
        assert_eq!(text(dir.path(), "alerts.log"), "two\n");
        std::fs::remove_file(dir.path().join("alerts.log")).unwrap();
        channel.write(&alerts(&["three"])).unwrap();
        assert_eq!(text(dir.path(), "alerts.log"), "three\n");
    }

    #[test]
    fn a_file_is_turned_over_before_it_is_too_large_and_so_many_are_kept() {
        let dir = tempfile::tempdir().unwrap();
        let rotation = Rotation { max_bytes: 8, max_age: Duration::ZERO, keep: 2 };
        let mut channel = FileChannel::new(Settings { rotation, ..settings(dir.path()) });
        for word in ["one", "two", "three", "four", "five"] {
            channel.write(&alerts(&[word])).unwrap();
        }
        assert_eq!(text(dir.path(), "alerts.log"), "five\n");
        assert_eq!(text(dir.path(), "alerts.log.1"), "four\n");
        assert_eq!(text(dir.path(), "alerts.log.2"), "three\n");
        assert!(!dir.path().join("alerts.log.3").exists());
    }

    #[test]
    fn an_old_file_is_turned_over() {
        let dir = tempfile::tempdir().unwrap();
        let rotation = Rotation { max_bytes: 0, max_age: Duration::from_secs(60), keep: 2 };
        let mut channel = FileChannel::new(Settings { rotation, ..settings(dir.path()) });
        channel.write(&alerts(&["one"])).unwrap();
        channel.write(&alerts(&["two"])).unwrap();
        let open = channel.open.as_mut().unwrap();
        open.born = SystemTime::now() - Duration::from_secs(61);
        channel.write(&alerts(&["three"])).unwrap();
        assert_eq!(text(dir.path(), "alerts.log.1"), "one\ntwo\n");
        assert_eq!(text(dir.path(), "alerts.log"), "three\n");
    }

    #[test]
    fn a_directory_that_cannot_be_written_is_told_with_the_path() {
        let settings = Settings { path: "/nowhere/at/all".into(), ..settings(Path::new("/")) };
        let error = FileChannel::new(settings).probe().unwrap_err();
        assert!(error.starts_with("failed to open output file /nowhere/at/all: "), "{error}");
    }
}
