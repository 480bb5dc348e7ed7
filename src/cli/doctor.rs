//! `eyas doctor`: what this host allows, and which rules can fire on it.

use std::ffi::OsString;
use std::io;
use std::io::Write as _;

use clap::{Arg, ArgAction, Command, value_parser};

use super::flags::Options;
use super::rules_files;
use super::{Exit, Failure, load_config};
use crate::doctor::Report;

fn command() -> Command {
    let value = |short: char, name: &'static str, help: &'static str| {
        Arg::new(name)
            .short(short)
            .value_name(name)
            .value_parser(value_parser!(OsString))
            .action(ArgAction::Append)
            .help(help)
    };
    let switch = |name: &'static str, help: &'static str| {
        Arg::new(name).long(name).action(ArgAction::SetTrue).help(help)
    };
    Command::new("eyas doctor")
        .about("Try what this host allows, and tell which rules can fire on it.")
        .override_usage("eyas doctor [OPTIONS]")
        .arg(value('c', "CONFIG", "Configuration file."))
        .arg(value('r', "RULES", "Rules file or directory. Repeatable."))
        .arg(value('o', "KEY=VALUE", "Set a configuration key. Repeatable."))
        .arg(switch("json", "One JSON object."))
        .arg(switch("strict", "Exit with 1 if a rule can't fire."))
}

/// Runs `eyas doctor`; `args` are those behind the sub-command's name.
///
/// # Errors
///
/// With the text for stderr.
pub fn run(args: &[OsString]) -> Result<Exit, Failure> {
    let name = std::iter::once(OsString::from("eyas doctor"));
    let matches = match command().try_get_matches_from(name.chain(args.iter().cloned())) {
        Ok(matches) => matches,
        Err(error) if !error.use_stderr() => {
            error.print()?;
            return Ok(Exit::Success);
        }
        Err(error) => {
            let text = error.render().to_string();
            return Err(Failure::new(text.trim_end().trim_start_matches("error: ")));
        }
    };
    let mut given = vec![OsString::from("eyas")];
    for (id, letter) in [("CONFIG", "-c"), ("RULES", "-r"), ("KEY=VALUE", "-o")] {
        for value in matches.get_many::<OsString>(id).into_iter().flatten() {
            given.extend([OsString::from(letter), value.clone()]);
        }
    }
    // Only the report is wanted.
    given.extend(["-o", "log_stderr=false", "-o", "log_syslog=false"].map(OsString::from));
    let options = Options::parse(&given).map_err(Failure::new)?;
    let loaded = load_config(&options)?;
    super::quiet_log();
    let files = rules_files::read_all(&options, &loaded)?;
    let settings = rules_files::settings(&options, &loaded.config)?;
    let rules = rules_files::load(&files, settings)?;
    let report = Report::make(&rules.rules);
    let mut out = io::stdout().lock();
    if matches.get_flag("json") {
        writeln!(out, "{}", report.to_json())?;
    } else {
        write!(out, "{report}")?;
    }
    let is_refused = matches.get_flag("strict") && !report.is_complete();
    Ok(if is_refused { Exit::Failure } else { Exit::Success })
}
