//! The agent: rules are loaded, outputs opened, events judged until the end.

use std::io;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use super::flags::Options;
use super::rules_files;
use super::rules_files::RulesFile;
use super::{Failure, support, validate, version};
use crate::config::Engine;
use crate::config::{Config, Loaded};
use crate::engine::describe;
use crate::engine::describe::Describe;
use crate::engine::load;
use crate::engine::ruleset::{Matching, RuleSet};
use crate::log;
use crate::log::Level;
use crate::service;
use crate::service::Setup;
use crate::service::access;
use crate::service::access::Exposed;
use crate::service::reload::{Fresh, Origin};
use crate::service::samples;
use crate::sys::process;

/// Runs the agent, or describes what it would run with (`-L`, `-l`, `--support`).
///
/// # Errors
///
/// With the text for stderr.
pub fn run(options: &Arc<Options>, loaded: &Loaded, started: Instant) -> Result<(), Failure> {
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
    if let Ok(name) = std::env::var("FALCO_HOSTNAME") {
        log!(Level::Info, "Hostname value has been overridden via environment variable to: {name}");
    }
    let rules = RuleSet::build(rules.rules, matching(config));
    refuse_exposed(loaded, &files)?;
    if options.has("dry-run") {
        return Ok(());
    }
    let duration = duration(options)?;
    let samples = samples(options)?;
    let origin = origin(options, loaded, &files);
    // Names that depend on the directory are looked up where they were at first.
    let directory = std::env::current_dir();
    let pid_file = daemonize(options)?;
    let again = Arc::clone(options);
    let load = move || {
        if let Ok(directory) = &directory {
            process::enter_alone(directory).map_err(|error| error.to_string())?;
        }
        load_again(&again)
    };
    let setup = Setup {
        rules,
        config,
        origin,
        load: Arc::new(load),
        versions: version::json().to_string(),
        samples,
        duration,
        verbose: options.has("v"),
        pid_file,
        started,
        is_bare: false,
    };
    service::run(setup).map_err(failure)
}

/// Everything anew, as for a start.
fn load_again(options: &Options) -> Result<Fresh, String> {
    let text = |failure: Failure| failure.to_string();
    let loaded = super::load_config(options).map_err(text)?;
    for note in &loaded.config.notes {
        log!(Level::Warning, "{note}");
    }
    if let Some(metrics) = &loaded.config.metrics {
        super::metrics_interval(metrics);
    }
    let files = rules_files::read_all(options, &loaded).map_err(text)?;
    refuse_exposed(&loaded, &files).map_err(text)?;
    let settings = rules_files::settings(options, &loaded.config).map_err(text)?;
    let rules = rules_files::load(&files, settings).map_err(text)?;
    let origin = origin(options, &loaded, &files);
    let config = loaded.config;
    Ok(Fresh { rules: RuleSet::build(rules.rules, matching(&config)), config, origin })
}

const fn matching(config: &Config) -> Matching {
    if config.match_all { Matching::All } else { Matching::First }
}

/// What was loaded: names with hashes, and what to watch.
fn origin(options: &Options, loaded: &Loaded, files: &[RulesFile]) -> Origin {
    let hash = |text: &[u8]| {
        use sha2::Digest as _;
        let hash = sha2::Sha256::digest(text);
        hash.iter().map(|byte| format!("{byte:02x}")).collect::<String>()
    };
    let rules = files.iter().map(|file| (file.name.clone(), hash(&file.text))).collect();
    let read =
        |path: &PathBuf| Some((path.display().to_string(), hash(&validate::read(path).ok()?)));
    let named = loaded.paths.iter().chain(&loaded.directories).cloned();
    let named = named.chain(rules_files::entries(options, loaded));
    Origin {
        rules_files: rules,
        config_files: loaded.paths.iter().filter_map(read).collect(),
        watched: named.filter_map(|path| std::path::absolute(path).ok()).collect(),
    }
}

/// Refuses files that others can change, where the agent has privileges and watches this host. Of
/// rules the configuration may say that it doesn't matter, of itself it can't: whoever can change it
/// could have written that.
fn refuse_exposed(loaded: &Loaded, files: &[RulesFile]) -> Result<(), Failure> {
    if loaded.config.engine != Engine::Live || !nix::unistd::geteuid().is_root() {
        return Ok(());
    }
    let refuse = |exposed: Exposed| Failure::new(&exposed).hint(exposed.hint());
    access::check(loaded.paths.iter().map(PathBuf::as_path)).map_err(refuse)?;
    let rules = files.iter().filter_map(|file| file.path.as_deref());
    match access::check(rules) {
        Err(exposed) if loaded.config.trusts_foreign_rules => {
            log!(Level::Warning, "{exposed}; eyas.trust_foreign_rules has it used all the same");
            Ok(())
        }
        result => result.map_err(refuse),
    }
}

/// The pid file, and if `-d` asks for it, a life in the background.
fn daemonize(options: &Options) -> Result<Option<PathBuf>, Failure> {
    let pid_file = options.path("pidfile").filter(|path| !path.as_os_str().is_empty());
    let pid_file = pid_file.map(std::path::absolute).transpose()?;
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

/// What `-s` and `--stats-interval` say.
fn samples(options: &Options) -> Result<Option<samples::Settings>, Failure> {
    // A year is as good as never.
    const LONGEST_MS: u64 = 365 * 24 * 3600 * 1000;
    let interval = options.last("stats-interval").or_else(|| options.last("stats_interval"));
    let every = match interval.as_deref().map(|text| (text, text.parse())) {
        None => samples::EVERY,
        Some((_, Ok(ms @ 1..=LONGEST_MS))) => Duration::from_millis(ms),
        Some((text, _)) => {
            return Err(Failure::new(format_args!(
                "--stats-interval {text}: expected milliseconds, 1 to {LONGEST_MS}"
            )));
        }
    };
    let path = options.path("s");
    // Found again by its whole name when a daemon has left the directory.
    let path = path.map(|path| std::path::absolute(&path).unwrap_or(path));
    Ok(path.map(|path| samples::Settings { path, every }))
}

/// What the console is told when the agent can't run.
pub(super) fn failure(error: service::Error) -> Failure {
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
    let described = describe::describe(rules, which).map_err(Failure::new)?;
    let mut out = io::BufWriter::new(io::stdout().lock());
    if json {
        serde_json::to_writer(&mut out, &described).map_err(io::Error::from)?;
        writeln!(out)?;
    } else {
        write!(out, "{}", described.text())?;
    }
    Ok(out.flush()?)
}
