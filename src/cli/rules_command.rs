//! `eyas rules explain` and `eyas rules profile`: reads the arguments and hands the rules to
//! [`rules`], which says what they come to and what they cost.

use std::ffi::OsString;
use std::io;
use std::ops::ControlFlow;
use std::path::PathBuf;

use clap::{Arg, ArgMatches, Command, value_parser};

use super::rules;
use super::rules::Profile;
use super::subcommand;
use super::{Exit, Failure, load_config};
use crate::service;
use crate::service::replay;
use crate::service::replay::Replay;

fn command() -> Command {
    let explain = Command::new("explain")
        .about("The resolved condition of a rule, its event types, its fields, its cost.")
        .arg(Arg::new("NAME").required(true).help("The rule's name."));
    let profile = Command::new("profile")
        .about("What each rule costs on the events of a capture file, and what may help.")
        .arg(
            Arg::new("FILE")
                .short('e')
                .value_name("FILE")
                .required(true)
                .value_parser(value_parser!(PathBuf))
                .help("The capture file."),
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
    let Some(file) = matches.get_one::<PathBuf>("FILE") else { return Ok(()) };
    let world_of = service::world_of(&loaded.config);
    let mut replay = Replay::open(file, replay::container_of, world_of).map_err(Failure::new)?;
    let mut profile = Profile::new(&set);
    let read = replay.run(|event| {
        profile.see(event);
        ControlFlow::Continue(())
    });
    profile.report(&mut io::stdout().lock())?;
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
