//! `-V FILE…`: loads rules files and tells what is wrong with them.

use std::fs::File;
use std::io;
use std::io::{BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use crate::engine::describe;
use crate::engine::describe::{Describe, Description};
use crate::engine::load::FileResult;
use crate::engine::load::{Loader, Settings};

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
    let mut texts = Vec::with_capacity(files.len());
    for path in files {
        let Ok(text) = read(path) else {
            let path = path.display();
            return Ok(Outcome::Invalid(format!("Could not open file {path} for reading")));
        };
        texts.push((path.to_string_lossy(), text));
    }
    log(Level::Info, "Validating rules file(s):");
    for (name, _) in &texts {
        log(Level::Info, &format!("   {name}"));
    }
    let mut results = Vec::with_capacity(files.len());
    for (name, text) in &texts {
        let result = loader.add(name, text);
        if let Err(error) = loader.check_requirements() {
            return Ok(Outcome::Invalid(error.to_string()));
        }
        for note in &result.notes {
            log(Level::Warning, &format!("{name}: {note}"));
        }
        if result.successful() && !result.warnings.is_empty() {
            log(Level::Warning, &result.verbose());
        }
        results.push(result);
    }
    let summary = results.iter().map(shown).collect::<Vec<_>>().join("\n");
    if results.iter().any(FileResult::is_fatal) {
        return Ok(Outcome::Invalid(summary));
    }
    if !results.iter().all(FileResult::successful) {
        print(out, json, &results, &summary, None)?;
        return Ok(Outcome::Invalid(summary));
    }
    let loaded = match loader.finish() {
        Ok(loaded) => loaded,
        Err(error) => return Ok(Outcome::Invalid(error.to_string())),
    };
    let described = match describe::describe(&loaded, describe) {
        Ok(described) => described,
        Err(error) => return Ok(Outcome::Invalid(error.to_string())),
    };
    let described = Some(described).filter(|_| *describe != Describe::Nothing);
    print(out, json, &results, &summary, described.as_ref())?;
    Ok(Outcome::Valid)
}

/// A file's part of the text: warnings go to the log.
fn shown(result: &FileResult) -> String {
    if result.successful() && !result.warnings.is_empty() {
        format!("{}: Ok, with warnings", result.name)
    } else {
        result.verbose()
    }
}

fn print(
    out: &mut dyn Write,
    json: bool,
    results: &[FileResult],
    summary: &str,
    described: Option<&Description<'_>>,
) -> io::Result<()> {
    let mut out = BufWriter::new(out);
    if json {
        // Keys in alphabetical order, as everywhere.
        out.write_all(b"{")?;
        if let Some(described) = described {
            out.write_all(b"\"falco_describe_results\":")?;
            serde_json::to_writer(&mut out, described)?;
            out.write_all(b",")?;
        }
        out.write_all(b"\"falco_load_results\":")?;
        serde_json::to_writer(&mut out, results)?;
        out.write_all(b"}\n")?;
    } else {
        writeln!(out, "{summary}")?;
        if let Some(described) = described {
            write!(out, "\n{}", described.text())?;
        }
    }
    out.flush()
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
