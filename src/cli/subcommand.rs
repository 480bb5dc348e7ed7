//! What sub-commands share: the options that choose configuration and rules, and the ways out of
//! parsing.

use std::ffi::OsString;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

use super::Failure;
use super::flags::Options;
use super::rules_files;
use crate::config::{Config, Loaded};
use crate::engine::load;
use crate::engine::ruleset::{Matching, RuleSet};

/// Name, letter for [`Options`] and help of the shared options.
const SHARED: [(&str, char, &str); 3] = [
    ("CONFIG", 'c', "Configuration file."),
    ("RULES", 'r', "Rules file or directory. Repeatable."),
    ("KEY=VALUE", 'o', "Set a configuration key. Repeatable."),
];

/// Adds `-c`, `-r` and `-o`.
pub(super) fn with_shared_options(command: Command) -> Command {
    SHARED.iter().fold(command, |command, (name, letter, help)| {
        command.arg(
            Arg::new(*name)
                .short(*letter)
                .value_name(*name)
                .value_parser(value_parser!(OsString))
                .action(ArgAction::Append)
                .help(*help),
        )
    })
}

/// Parses the arguments behind the sub-command's name; nothing if help was asked for and given.
///
/// # Errors
///
/// With the parser's words, as the text for stderr.
pub(super) fn parse(command: Command, args: &[OsString]) -> Result<Option<ArgMatches>, Failure> {
    let name = std::iter::once(OsString::from(command.get_name()));
    match command.try_get_matches_from(name.chain(args.iter().cloned())) {
        Ok(matches) => Ok(Some(matches)),
        Err(error) if !error.use_stderr() => {
            error.print()?;
            Ok(None)
        }
        Err(error) => {
            let text = error.render().to_string();
            Err(Failure::new(text.trim_end().trim_start_matches("error: ")))
        }
    }
}

/// The shared options, as the agent's own parser reads them; `more` of its options behind them.
///
/// # Errors
///
/// As [`Options::parse`].
pub(super) fn options(matches: &ArgMatches, more: &[&str]) -> Result<Options, Failure> {
    let mut words = vec![OsString::from("eyas")];
    for (name, letter, _) in SHARED {
        for value in matches.get_many::<OsString>(name).into_iter().flatten() {
            words.push(format!("-{letter}").into());
            words.push(value.clone());
        }
    }
    words.extend(more.iter().map(OsString::from));
    Options::parse(&words).map_err(Failure::new)
}

/// Loads the rules that the options and the configuration name.
///
/// # Errors
///
/// If there are none, or one doesn't load.
pub(super) fn rules(options: &Options, loaded: &Loaded) -> Result<load::Loaded, Failure> {
    let files = rules_files::read_all(options, loaded)?;
    let settings = rules_files::settings(options, &loaded.config)?;
    rules_files::load(&files, settings)
}

/// The program of all rules.
pub(super) fn rule_set(rules: load::Loaded, config: &Config) -> RuleSet {
    let matching = if config.match_all { Matching::All } else { Matching::First };
    RuleSet::build(rules.rules, matching)
}
