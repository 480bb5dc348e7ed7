//! `eyas rules explain` and `eyas rules profile`: reads the arguments and hands the rules to
//! [`rules`], which says what they come to and what they cost.

use std::ffi::OsString;
use std::io;
use std::io::Write as _;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Arg, ArgMatches, Command, value_parser};

use super::subcommand;
use super::{Exit, Failure, load_config};
use super::{rules, run};
use crate::config::Config;
use crate::engine::ruleset::RuleSet;
use crate::service;
use crate::service::profile::Profile;
use crate::service::replay;
use crate::service::replay::Replay;

/// Longest time for which rules are measured: a day.
const MAX_SECONDS: u64 = 86_400;

pub(super) fn command() -> Command {
    let explain = Command::new("explain")
        .about("The resolved condition of a rule, its event types, its fields, its cost.")
        .arg(Arg::new("NAME").required(true).help("The rule's name."));
    let profile = Command::new("profile")
        .about("What each rule costs on the events of this host, or of a capture file, and what may help.")
        .arg(
            Arg::new("FILE")
                .short('e')
                .value_name("FILE")
                .value_parser(value_parser!(PathBuf))
                .help("The events of this capture file instead of the host's."),
        )
        .arg(
            Arg::new("SECONDS")
                .short('M')
                .value_name("SECONDS")
                .value_parser(value_parser!(u64).range(1..=MAX_SECONDS))
                .default_value("10")
                .help("Watch the host for so long, or until Ctrl-C. Needs root."),
        );
    Command::new("eyas rules")
        .about("Look into rules.")
        .subcommand_required(true)
        .disable_help_subcommand(true)
        .subcommand(subcommand::with_shared_options(explain))
        .subcommand(subcommand::with_shared_options(profile))
}

/// Runs `eyas rules`; `args` are those behind the sub-command's name.
///
/// # Errors
///
/// With the text for stderr.
pub fn run(args: &[OsString]) -> Result<Exit, Failure> {
    let Some(matches) = subcommand::parse(command(), args)? else { return Ok(Exit::Success) };
    match matches.subcommand() {
        Some(("explain", matches)) => explain(matches)?,
        Some(("profile", matches)) => profile(matches)?,
        _ => {}
    }
    Ok(Exit::Success)
}

fn explain(matches: &ArgMatches) -> Result<(), Failure> {
    let options = subcommand::options(matches, &[])?;
    let loaded = load_config(&options)?;
    super::quiet_log();
    let all = subcommand::rules(&options, &loaded)?.rules;
    let name = matches.get_one::<String>("NAME").map(String::as_str).unwrap_or_default();
    let Some(rule) = all.iter().find(|rule| rule.name == name) else {
        return Err(Failure::new(format_args!("Rule \"{name}\" is not loaded")));
    };
    Ok(rules::explain(rule, &mut io::stdout().lock())?)
}

fn profile(matches: &ArgMatches) -> Result<(), Failure> {
    let options = subcommand::options(matches, &[])?;
    let loaded = load_config(&options)?;
    super::quiet_log();
    let set = subcommand::rule_set(subcommand::rules(&options, &loaded)?, &loaded.config);
    match matches.get_one::<PathBuf>("FILE") {
        Some(file) => profile_capture(file, &set, &loaded.config),
        None => {
            let seconds = matches.get_one::<u64>("SECONDS").copied().unwrap_or_default();
            profile_live(Duration::from_secs(seconds), set, &loaded.config)
        }
    }
}

fn profile_live(duration: Duration, set: RuleSet, config: &Config) -> Result<(), Failure> {
    let on_ready = || {
        let text = format!("watching this host for {} s; Ctrl-C ends it\n", duration.as_secs());
        // Who closed stderr doesn't want to know.
        let _ = io::stderr().lock().write_all(text.as_bytes());
    };
    let measured = service::profile_live(set, config, duration, on_ready);
    let (set, profile) = measured.map_err(run::failure)?;
    Ok(rules::report(&profile, set.rules(), &mut io::stdout().lock())?)
}

fn profile_capture(file: &Path, set: &RuleSet, config: &Config) -> Result<(), Failure> {
    let world_of = service::world_of(config);
    let mut replay = Replay::open(file, replay::container_of, world_of).map_err(Failure::new)?;
    let mut profile = Profile::default();
    let read = replay.run(|event| {
        profile.see(set, event);
        ControlFlow::Continue(())
    });
    rules::report(&profile, set.rules(), &mut io::stdout().lock())?;
    read.map_err(Failure::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_grammar_is_consistent() {
        command().debug_assert();
    }
}
