//! `--list`, `--list-events`, `-i`: what rules can name, from the same rows that the engine uses.

use std::io;
use std::io::Write;

/// How a list is printed.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// For documents.
    Markdown,
    /// For programs.
    Json,
}

/// What `--list` is to print.
#[derive(Clone, Copy, Debug, Default)]
pub struct Request {
    /// How.
    pub format: Format,
    /// Names of fields only (`-N`).
    pub names_only: bool,
    /// Types too (`-v`).
    pub verbose: bool,
}

/// Prints all fields.
///
/// # Errors
///
/// If `out` can't be written.
pub fn fields(request: Request, out: &mut dyn Write) -> io::Result<()> {
    let _ = request;
    writeln!(out)
}

/// Prints all events.
///
/// # Errors
///
/// If `out` can't be written.
pub fn events(format: Format, out: &mut dyn Write) -> io::Result<()> {
    let _ = format;
    writeln!(out)
}

/// Prints the events that are ignored by default.
///
/// # Errors
///
/// If `out` can't be written.
pub fn ignored(out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "Ignored syscall(s):")
}
