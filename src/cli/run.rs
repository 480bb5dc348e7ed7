//! The agent: rules are loaded, outputs opened, events judged until the end.

use std::io;
use std::io::Write as _;
use std::path::PathBuf;
use std::time::Duration;
use std::time::Instant;

use super::flags::Options;
use super::rules_files;
use super::rules_files::RulesFile;
use super::{Failure, support};
use crate::config::Engine;
use crate::config::Loaded;
use crate::engine::describe;
use crate::engine::describe::Describe;
use crate::engine::load;
use crate::engine::ruleset::{Matching, RuleSet};
use crate::log;
use crate::log::Level;
use crate::service;
use crate::service::Setup;

/// Runs the agent, or describes what it would run with (`-L`, `-l`, `--support`).
///
/// # Errors
///
/// With the text for stderr.
pub fn run(options: &Options, loaded: &Loaded, started: Instant) -> Result<(), Failure> {
    let config = &loaded.config;
    let files = rules_files::read_all(options, loaded)?;
    let settings = rules_files::settings(options, config)?;
    let rules = rules_files::load(&files, settings)?;
    let describe = super::describe(options);
    if describe != Describe::Nothing {
        return print_description(&rules, &describe, config.json_output);
    }
    if options.has("support") {
        writeln!(io::stdout().lock(), "{}", support::json(options, loaded, &files))?;
        return Ok(());
    }
    let matching = if config.match_all { Matching::All } else { Matching::First };
    let build = |rules: load::Loaded| RuleSet::build(rules.rules, matching);
    if let Ok(name) = std::env::var("FALCO_HOSTNAME") {
        log!(Level::Info, "Hostname value has been overridden via environment variable to: {name}");
    }
    let rules = build(rules);
    refuse_exposed(loaded, &files)?;
    if options.has("dry-run") {
        return Ok(());
    }
    let setup = Setup {
        rules,
        config,
        duration: duration(options)?,
        verbose: options.has("v"),
        pid_file: daemonize(options)?,
        started,
        is_bare: false,
    };
    let mut reload = || {
        let again = || {
            let files = rules_files::read_all(options, loaded)?;
            refuse_exposed(loaded, &files)?;
            rules_files::load(&files, rules_files::settings(options, config)?)
        };
        again().map(build).map_err(|failure: Failure| failure.to_string())
    };
    service::run(setup, &mut reload).map_err(failure)
}

/// Refuses files that others can write, where the agent has privileges and watches this host.
fn refuse_exposed(loaded: &Loaded, files: &[RulesFile]) -> Result<(), Failure> {
    if loaded.config.engine != Engine::Live || !nix::unistd::geteuid().is_root() {
        return Ok(());
    }
    let paths = loaded.paths.iter().chain(files.iter().filter_map(|file| file.path.as_ref()));
    service::access::check(paths.map(PathBuf::as_path))
        .map_err(|exposed| Failure::new(&exposed).hint(exposed.hint()))
}

/// The pid file, and if `-d` asks for it, a life in the background.
fn daemonize(options: &Options) -> Result<Option<PathBuf>, Failure> {
    let pid_file = options.path("pidfile").map(std::path::absolute).transpose()?;
    if options.has("daemon") {
        if pid_file.is_none() {
            return Err(Failure::new("If -d is provided, a pid file must also be provided"));
        }
        nix::unistd::daemon(false, false)
            .map_err(|errno| Failure::new(format_args!("cannot become a daemon: {errno}")))?;
    }
    Ok(pid_file)
}

/// `-M`.
fn duration(options: &Options) -> Result<Option<Duration>, Failure> {
    let Some(text) = options.last("M") else { return Ok(None) };
    match text.parse::<u64>() {
        Ok(0) => Ok(None),
        Ok(seconds) => Ok(Some(Duration::from_secs(seconds))),
        Err(_) => Err(Failure::new(format_args!("Argument ‘{text}’ failed to parse"))),
    }
}

fn failure(error: service::Error) -> Failure {
    match error {
        service::Error::PidFile(_) => {
            log!(Level::Error, "{error}");
            Failure::PidFile
        }
        service::Error::Sources { message, hints } => Failure::Error(message, hints),
        other => Failure::new(other),
    }
}

fn print_description(rules: &load::Loaded, which: &Describe, json: bool) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    if json {
        writeln!(out, "{}", describe::json(rules, which).map_err(Failure::new)?)?;
    } else {
        write!(out, "{}", describe::text(rules, which).map_err(Failure::new)?)?;
    }
    Ok(())
}
