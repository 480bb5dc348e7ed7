//! `eyas trace`: the rules on one process tree, seen call by call; alerts on stderr.

use std::ffi::CString;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;

use clap::{Arg, ArgMatches, Command, value_parser};

use super::subcommand;
use super::{Exit, Failure, load_config, log_start};
use crate::service::trace::Target;

const ABOUT: &str =
    "Run a program, or follow a running one, and judge its system calls by the rules.";

const DETAILS: &str = "\
Works without root on your own processes. Only the calls that the rules need stop a program that is
run from here; a process that is followed with -p stops at every call. A program that is run without
root gains no privileges by setuid programs (NO_NEW_PRIVS). Its tracer is a process of its own,
eyas-tracer: if this one is killed the program runs on unseen, if the tracer is killed the kernel ends
the whole tree. SIGTERM is handed on to the program. Alerts go to stderr; the exit code is the
program's own.";

pub(super) fn command() -> Command {
    let command = Command::new("eyas trace").about(ABOUT).after_help(DETAILS).override_usage(
        "eyas trace [OPTIONS] [--] COMMAND [ARGUMENT]...\n       eyas trace [OPTIONS] -p PID",
    );
    subcommand::with_shared_options(command)
        .arg(
            Arg::new("PID")
                .short('p')
                .value_name("PID")
                .value_parser(value_parser!(i32).range(1..))
                .help("Follow this running process with all its threads and children."),
        )
        .arg(
            Arg::new("COMMAND")
                .value_parser(value_parser!(OsString))
                .num_args(1..)
                .trailing_var_arg(true)
                .allow_hyphen_values(true)
                .help("The program with its arguments."),
        )
}

/// Runs `eyas trace`; `args` are those behind the sub-command's name.
///
/// # Errors
///
/// With the text for stderr.
pub fn run(args: &[OsString]) -> Result<Exit, Failure> {
    let Some(matches) = subcommand::parse(command(), args)? else { return Ok(Exit::Success) };
    let target = target(&matches)?;
    let options = subcommand::options(&matches, &[])?;
    let loaded = load_config(&options)?;
    log_start(&options, &loaded);
    let rules = subcommand::rule_set(subcommand::rules(&options, &loaded)?, &loaded.config);
    crate::service::trace::run(&target, rules, &loaded.config)
        .map(Exit::Program)
        .map_err(Failure::new)
}

fn target(matches: &ArgMatches) -> Result<Target, Failure> {
    let words = matches.get_many::<OsString>("COMMAND").into_iter().flatten();
    let words: Result<Vec<CString>, _> =
        words.map(|word| CString::new(word.clone().into_vec())).collect();
    let words =
        words.map_err(|_| Failure::new("an argument of the program contains a NUL byte"))?;
    match (matches.get_one::<i32>("PID"), words.is_empty()) {
        (Some(&pid), true) => Ok(Target::Attach(pid)),
        (None, false) => Ok(Target::Launch(words)),
        (Some(_), false) => Err(Failure::new("give either -p PID or a program, not both")),
        (None, true) => Err(Failure::new("nothing to trace: give a program, or -p PID")
            .hint("for example: eyas trace -- ls /etc")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &[&str]) -> Result<Target, Failure> {
        let words = std::iter::once("eyas trace").chain(words.iter().copied());
        target(&command().try_get_matches_from(words).map_err(Failure::new)?)
    }

    #[test]
    fn options_of_the_program_are_its_own() {
        let Ok(Target::Launch(words)) = parse(&["ls", "-p", "7"]) else { panic!("no program") };
        assert_eq!(words.len(), 3);
    }

    #[test]
    fn a_program_and_a_process_exclude_each_other() {
        assert!(matches!(parse(&["-p", "7"]), Ok(Target::Attach(7))));
        assert!(parse(&["-p", "7", "--", "ls"]).is_err());
        assert!(parse(&[]).is_err());
        assert!(parse(&["-p", "0"]).is_err());
    }
}
