//! `eyas doctor`: what this host allows, and which rules can fire on it.

use std::ffi::OsString;
use std::io;
use std::io::Write as _;

use clap::{Arg, ArgAction, Command};

use super::subcommand;
use super::{Exit, Failure, load_config};
use crate::doctor::Report;

pub(super) fn command() -> Command {
    let switch = |name: &'static str, help: &'static str| {
        Arg::new(name).long(name).action(ArgAction::SetTrue).help(help)
    };
    let command = Command::new("eyas doctor")
        .about("Try what this host allows, and tell which rules can fire on it.")
        .override_usage("eyas doctor [OPTIONS]");
    subcommand::with_shared_options(command)
        .arg(switch("json", "One JSON object."))
        .arg(switch("strict", "Exit with 1 if a rule can't fire."))
}

/// Runs `eyas doctor`; `args` are those behind the sub-command's name.
///
/// # Errors
///
/// With the text for stderr.
pub fn run(args: &[OsString]) -> Result<Exit, Failure> {
    let Some(matches) = subcommand::parse(command(), args)? else { return Ok(Exit::Success) };
    let options = subcommand::options(&matches, &[])?;
    let loaded = load_config(&options)?;
    super::quiet_log();
    let rules = subcommand::rules(&options, &loaded)?.rules;
    let report = Report::make(&rules, &loaded.config.audit, loaded.config.rendezvous);
    let mut out = io::stdout().lock();
    if matches.get_flag("json") {
        writeln!(out, "{}", report.to_json())?;
    } else {
        write!(out, "{report}")?;
    }
    let is_refused = matches.get_flag("strict") && !report.is_complete();
    Ok(if is_refused { Exit::Failure } else { Exit::Success })
}
