//! The command line: arguments in, an exit code out.
//!
//! Actions come in Falco's order, so that of two that exclude each other the same one wins:
//! `--help`, schemas, `-i`, `--list-events`, configuration, `--version`, `--page-size`, plugins,
//! `--list`, `-V`, rules with `-L` and `-l`, `--support`, the agent itself.

#![allow(clippy::print_stderr, reason = "this is where the program speaks to its user")]

pub mod audit_plugin;
pub mod doctor;
mod documents;
pub mod events;
pub mod flags;
pub mod list;
mod list_events;
pub mod rules;
pub mod rules_command;
pub mod rules_files;
pub mod run;
pub mod spool;
mod subcommand;
pub mod support;
pub mod trace;
pub mod validate;
pub mod version;

use std::ffi::OsString;
use std::io;
use std::io::Write as _;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use crate::config::{Engine, Loaded};
use crate::engine::describe::Describe;
use crate::log;
use crate::log::Level;

use flags::Options;

/// How the program ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Exit {
    /// What was asked for is done.
    Success,
    /// It isn't; stderr says why.
    Failure,
    /// The file for the process id can't be written.
    PidFile,
    /// What a program that was run from here ended with.
    Program(u8),
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        match exit {
            Exit::Success => Self::SUCCESS,
            Exit::Failure => Self::FAILURE,
            Exit::PidFile => Self::from(255),
            Exit::Program(code) => Self::from(code),
        }
    }
}

/// Why the program ends early.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Failure {
    /// What stands behind `Error: ` on stderr, and hints for lines of their own.
    Error(String, Vec<String>),
    /// The file for the process id can't be written; the log has said so.
    PidFile,
    /// Whoever reads the output has seen enough: `eyas --list | head`.
    ReaderGone,
}

impl Failure {
    /// Without hints.
    pub fn new(message: impl std::fmt::Display) -> Self {
        Self::Error(message.to_string(), Vec::new())
    }

    /// With one more hint.
    #[must_use]
    pub fn hint(self, hint: impl Into<String>) -> Self {
        match self {
            Self::Error(message, mut hints) => {
                hints.push(hint.into());
                Self::Error(message, hints)
            }
            Self::PidFile | Self::ReaderGone => self,
        }
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Error(message, _) => f.write_str(message),
            Self::PidFile => f.write_str("the pid file can't be written"),
            Self::ReaderGone => f.write_str("the output was closed by its reader"),
        }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::ReaderGone,
            _ => Self::new(error),
        }
    }
}

/// A sub-command.
struct Subcommand {
    name: &'static str,
    /// Does what the arguments behind the name say.
    run: fn(&[OsString]) -> Result<Exit, Failure>,
    /// Its grammar.
    command: fn() -> clap::Command,
}

#[rustfmt::skip]
static SUBCOMMANDS: [Subcommand; 9] = [
    Subcommand { name: "audit-plugin", run: audit_plugin::run, command: audit_plugin::command },
    Subcommand { name: "completions", run: documents::completions, command: documents::completions_command },
    Subcommand { name: "doctor", run: doctor::run, command: doctor::command },
    Subcommand { name: "events", run: events::run, command: events::command },
    Subcommand { name: "help", run: documents::help, command: documents::help_command },
    Subcommand { name: "man", run: documents::man, command: documents::man_command },
    Subcommand { name: "rules", run: rules_command::run, command: rules_command::command },
    Subcommand { name: "spool", run: spool::run, command: spool::command },
    Subcommand { name: "trace", run: trace::run, command: trace::command },
];

/// Does what the arguments say; the first one is the program's name.
pub fn main(args: &[OsString]) -> Exit {
    let word = args.get(1).and_then(|word| word.to_str());
    let done = match SUBCOMMANDS.iter().find(|one| Some(one.name) == word) {
        Some(one) => (one.run)(args.get(2..).unwrap_or_default()),
        None => dispatch(args).map(|()| Exit::Success),
    };
    match done {
        Ok(exit) => exit,
        Err(Failure::ReaderGone) => Exit::Success,
        Err(Failure::PidFile) => Exit::PidFile,
        Err(Failure::Error(message, hints)) => {
            eprintln!("Error: {message}");
            for hint in hints {
                eprintln!("  hint: {hint}");
            }
            Exit::Failure
        }
    }
}

fn dispatch(args: &[OsString]) -> Result<(), Failure> {
    let started = Instant::now();
    let options = Arc::new(Options::parse(args).map_err(Failure::new)?);
    let mut out = io::stdout().lock();
    if let Some(path) = options.path("c")
        && !path.exists()
    {
        return Err(Failure::new(format_args!(
            "Could not find configuration file at {}",
            path.display()
        )));
    }
    let format = list_format(&options)?;
    if options.has("help") {
        write!(out, "{}", documents::usage())?;
        return Ok(());
    }
    if options.has("config-schema") {
        write!(out, "{:#}", crate::config::keys::json_schema())?;
        return Ok(());
    }
    if options.has("rule-schema") {
        write!(out, "{:#}", crate::engine::load::rule_schema())?;
        return Ok(());
    }
    if options.has("i") {
        return Ok(list::ignored(&mut out)?);
    }
    if options.has("list-events") || options.has("list-syscall-events") {
        return Ok(list::events(format, &mut out)?);
    }
    let loaded = load_config(&options)?;
    log_start(&options, &loaded);
    if options.has("version") {
        if loaded.config.json_output {
            writeln!(out, "{}", version::json())?;
        } else {
            write!(out, "{}", version::text())?;
        }
        return Ok(());
    }
    if options.has("page-size") {
        let size = nix::unistd::sysconf(nix::unistd::SysconfVar::PAGE_SIZE);
        let size = size.ok().flatten().unwrap_or_default();
        log!(Level::Info, "Your system page size is: {size} bytes");
        return Ok(());
    }
    if let Some(name) = options.last("plugin-info") {
        return Err(Failure::new(format_args!("can't find plugin and print its info: {name}")));
    }
    if options.has("list-plugins") {
        write!(out, "0 Plugins Loaded:\n\n")?;
        return Ok(());
    }
    if options.is_given("list") {
        let source = options.last("list").unwrap_or_default();
        if !matches!(source.as_str(), "" | "syscall") {
            return Err(Failure::new("Value for --list must be a valid source type"));
        }
        let names_only = options.has("N");
        let verbose = options.has("v");
        return Ok(list::fields(list::Request { format, names_only, verbose }, &mut out)?);
    }
    check_sources(&options, &loaded)?;
    let files = options.paths("validate");
    if !files.is_empty() {
        return validate_files(&options, &loaded, &files, &mut out);
    }
    drop(out);
    run::run(&options, &loaded, started)
}

/// The configuration with what the command line changes in it.
fn load_config(options: &Options) -> Result<Loaded, Failure> {
    let mut overrides = options.texts("option");
    let mut set = |key: &str, value: &str| overrides.push(format!("{key}={value}"));
    if let Some(file) = options.last("e") {
        set("engine.kind", "replay");
        set("engine.replay.capture_file", &file);
    }
    for (id, key) in [
        ("A", "base_syscalls.all"),
        ("print-base64", "buffer_format_base64"),
        ("strict", "eyas.strict"),
    ] {
        if options.has(id) {
            set(key, "true");
        }
    }
    if options.has("unbuffered") {
        set("buffered_outputs", "false");
    }
    let environment = |name: &str| std::env::var(name).ok();
    let path = options.path("c");
    let loaded = crate::config::load(path.as_deref(), &overrides, &environment);
    loaded.map_err(|error| {
        if let Some(line) = &error.first {
            eprintln!("{line}");
        }
        Failure::new(error)
    })
}

/// No log line from here on.
fn quiet_log() {
    log::set_up(log::Settings {
        level: 0,
        to_stderr: false,
        to_syslog: false,
        time_iso_8601: false,
        offset_at: |_| 0,
    });
}

/// Sets up the log and writes the lines with which Falco starts.
fn log_start(options: &Options, loaded: &Loaded) {
    let config = &loaded.config;
    log::set_up(crate::service::log_settings(config));
    log!(Level::Info, "Falco version: {} ({})", version::VERSION, std::env::consts::ARCH);
    log!(Level::Debug, "CLI args: {}", options.command_line);
    log!(Level::Info, "Falco initialized with configuration files:");
    for (name, status) in &loaded.files {
        let level = if status.ends_with(": ok") { Level::Info } else { Level::Warning };
        log!(level, "   {name} | {status}");
    }
    for note in config.notes.iter().cloned().chain(options.notes()) {
        log!(Level::Warning, "{note}");
    }
    if let Some(metrics) = &config.metrics {
        metrics_interval(metrics);
    }
    if options.is_given("print") {
        log!(
            Level::Warning,
            "The -p/--print option is deprecated and will be removed. Use -o append_output=... \
             instead."
        );
    }
    let is_live = config.engine == Engine::Live;
    if let (true, Some(version)) = (is_live, crate::service::kernel_version()) {
        log!(Level::Info, "System info: {version}");
    }
}

/// Falco's line about `metrics.interval`.
fn metrics_interval(metrics: &crate::config::Metrics) {
    log!(
        Level::Info,
        "Setting metrics interval to {}, equivalent to {} (ms)",
        metrics.interval,
        metrics.interval_ms
    );
}

fn list_format(options: &Options) -> Result<list::Format, Failure> {
    let is_markdown = options.has("markdown");
    let Some(name) = options.last("format") else {
        if is_markdown {
            eprintln!("WARNING: --markdown is deprecated, use --format markdown instead.");
            return Ok(list::Format::Markdown);
        }
        return Ok(list::Format::Text);
    };
    if is_markdown {
        return Err(Failure::new("Cannot specify both --markdown and --format options together"));
    }
    match name.to_ascii_lowercase().as_str() {
        "text" => Ok(list::Format::Text),
        "markdown" => Ok(list::Format::Markdown),
        "json" => Ok(list::Format::Json),
        _ => Err(Failure::new(format_args!(
            "Invalid format '{name}'. Valid values are: text, markdown, json"
        ))),
    }
}

/// The event sources that are switched on and off; there is one.
fn check_sources(options: &Options, loaded: &Loaded) -> Result<(), Failure> {
    if loaded.config.engine != Engine::Live {
        return Ok(());
    }
    let (on, off) = (options.texts("enable-source"), options.texts("disable-source"));
    if !on.is_empty() && !off.is_empty() {
        return Err(Failure::new("You can not mix --enable-source and --disable-source"));
    }
    for (names, verb) in [(&on, "enabling"), (&off, "disabling")] {
        if let Some(name) = names.iter().find(|name| *name != "syscall") {
            return Err(Failure::new(format_args!(
                "Attempted {verb} an unknown event source: {name}"
            )));
        }
    }
    if !off.is_empty() {
        return Err(Failure::new("Must enable at least one event source"));
    }
    Ok(())
}

fn validate_files(
    options: &Options,
    loaded: &Loaded,
    files: &[std::path::PathBuf],
    out: &mut dyn io::Write,
) -> Result<(), Failure> {
    let settings = rules_files::settings(options, &loaded.config)?;
    let describe = describe(options);
    let mut log = |level, text: &str| match level {
        validate::Level::Info => log!(Level::Info, "{text}"),
        validate::Level::Warning => log!(Level::Warning, "{text}"),
    };
    let json = loaded.config.json_output;
    match validate::run(files, json, settings, &describe, out, &mut log)? {
        validate::Outcome::Valid => Ok(()),
        validate::Outcome::Invalid(message) => Err(Failure::new(message)),
    }
}

/// What `-L` and `-l` ask for.
fn describe(options: &Options) -> Describe {
    match options.last("l") {
        Some(rule) => Describe::Rule(rule),
        None if options.has("L") => Describe::All,
        None => Describe::Nothing,
    }
}
