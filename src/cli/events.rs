//! `eyas events`: what happened in a capture, or what the live sources see, one event a line.
//!
//! Filter and format are those of rules: it is a single rule, of which only the output is written.

use std::ffi::OsString;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

use super::flags::Options;
use super::{Exit, Failure, load_config};
use crate::engine::load::{Loader, Settings};
use crate::engine::ruleset::{Matching, RuleSet};
use crate::log;
use crate::log::Level;
use crate::service;
use crate::service::Setup;
use crate::service::reload::Origin;

const ABOUT: &str = "Print the events of a capture file, or those that the live sources see.";

const DETAILS: &str = "\
The condition and the fields are those of rules; `eyas --list` tells the fields.

  eyas events capture.scap -f 'evt.type = execve' -o '%evt.time %proc.name %proc.args'
  eyas events live -f 'fd.name startswith /etc' --json";

/// What is printed of an event unless `-o` says otherwise.
const FORMAT: &str =
    "%evt.num %evt.time %evt.cpu %proc.name (%thread.tid) %evt.dir %evt.type %evt.info";

/// The condition that every event fulfils.
const EVERYTHING: &str = "evt.num > 0";

pub(super) fn command() -> Command {
    let value = |short: char, name: &'static str, help: &'static str| {
        Arg::new(name).short(short).value_name(name).help(help)
    };
    Command::new("eyas events")
        .about(ABOUT)
        .after_help(DETAILS)
        .arg(
            Arg::new("SOURCE")
                .value_parser(value_parser!(OsString))
                .required(true)
                .help("A capture file, - for standard input, or the word live."),
        )
        .arg(value('f', "CONDITION", "Print only events for which it holds.").long("filter"))
        .arg(value('o', "FORMAT", "What is printed of each.").long("output"))
        .arg(
            value('M', "SECONDS", "Stop after so long; of a capture, so much of its time.")
                .value_parser(value_parser!(u64)),
        )
        .arg(
            Arg::new("json")
                .long("json")
                .action(ArgAction::SetTrue)
                .help("Print an object of the format's fields."),
        )
}

/// Runs `eyas events`; `args` are those behind the sub-command's name.
///
/// # Errors
///
/// With the text for stderr.
pub fn run(args: &[OsString]) -> Result<Exit, Failure> {
    let started = Instant::now();
    let name = std::iter::once(OsString::from("eyas events"));
    let matches = match command().try_get_matches_from(name.chain(args.iter().cloned())) {
        Ok(matches) => matches,
        Err(error) if !error.use_stderr() => {
            error.print()?;
            return Ok(Exit::Success);
        }
        Err(error) => {
            let text = error.render().to_string();
            let text = text.trim_end().strip_prefix("error: ").unwrap_or(&text).to_owned();
            return Err(Failure::new(text));
        }
    };
    let loaded = load_config(&options(&matches)?)?;
    log::set_up(log::Settings {
        level: Level::Warning as u8,
        to_stderr: true,
        to_syslog: false,
        time_iso_8601: loaded.config.time_iso_8601,
        offset_at: service::local_offset,
    });
    let text = |name: &str| matches.get_one::<String>(name).map(String::as_str);
    let rules =
        one_rule(text("CONDITION").unwrap_or(EVERYTHING), text("FORMAT").unwrap_or(FORMAT))?;
    let seconds = matches.get_one::<u64>("SECONDS").copied().filter(|&seconds| seconds > 0);
    let setup = Setup {
        rules,
        config: &loaded.config,
        origin: Origin::default(),
        load: Arc::new(|| Err("there are no rules files".to_owned())),
        versions: String::new(),
        samples: None,
        duration: seconds.map(Duration::from_secs),
        verbose: false,
        pid_file: None,
        started,
        is_bare: true,
    };
    service::run(setup).map_err(Failure::new)?;
    Ok(Exit::Success)
}

/// The configuration's options that come to the same.
fn options(matches: &ArgMatches) -> Result<Options, Failure> {
    let mut words: Vec<OsString> = vec!["eyas".into()];
    let mut set = |assignment: &str| words.extend(["-o".into(), assignment.into()]);
    set("stdout_output.enabled=true");
    set("webserver.enabled=false");
    set("metrics.enabled=false");
    set("watch_config_files=false");
    // What the configuration says of alerts is not meant for what is printed here.
    for output in ["file", "syslog", "program", "http"] {
        set(&format!("{output}_output.enabled=false"));
    }
    set(if matches.get_flag("json") { "json_output=true" } else { "json_output=false" });
    let source = matches.get_one::<OsString>("SOURCE");
    match source {
        Some(source) if Path::new(source) != Path::new("live") => {
            words.extend(["-e".into(), source.clone()]);
        }
        _ => {}
    }
    Options::parse(&words).map_err(Failure::new)
}

/// The rule that stands for filter and format.
fn one_rule(condition: &str, format: &str) -> Result<RuleSet, Failure> {
    // JSON is YAML, and quotes everything.
    let text = serde_json::json!([{
        "rule": "events",
        "desc": "what the command line asks for",
        "condition": condition,
        "output": format,
        "priority": "DEBUG",
        "warn_evttypes": false,
    }]);
    let mut loader = Loader::new(Settings::default());
    let result = loader.add("command line", text.to_string().as_bytes());
    if let Some(error) = result.errors.first() {
        return Err(Failure::new(&error.message));
    }
    let loaded = loader.finish().map_err(Failure::new)?;
    Ok(RuleSet::build(loaded.rules, Matching::First))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_that_is_none_is_refused() {
        assert!(one_rule("proc.name =", FORMAT).is_err());
        assert!(one_rule(EVERYTHING, "%no.field").is_err());
        assert_eq!(one_rule(EVERYTHING, FORMAT).map(|set| set.rules().len()).ok(), Some(1));
    }

    #[test]
    fn the_standard_format_and_the_details_are_valid() {
        command().debug_assert();
    }
}
