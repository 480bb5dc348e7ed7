//! `eyas completions` and `eyas man`: what a shell and man(1) want to know of the command line, made
//! of the same rows and grammars that parse it.

use std::ffi::OsString;
use std::io;

use clap::builder::PossibleValuesParser;
use clap::{Arg, Command};
use clap_complete::Shell;

use super::{Exit, Failure, SUBCOMMANDS, flags, subcommand};

/// The shells that are known.
const SHELLS: [(&str, Shell); 3] =
    [("bash", Shell::Bash), ("fish", Shell::Fish), ("zsh", Shell::Zsh)];

/// The grammar of `eyas completions`.
pub(super) fn completions_command() -> Command {
    Command::new("eyas completions")
        .about("Print what a shell needs to complete eyas' options and sub-commands.")
        .after_help(
            "bash: eyas completions bash >/usr/share/bash-completion/completions/eyas\n\
             zsh:  eyas completions zsh >/usr/share/zsh/site-functions/_eyas\n\
             fish: eyas completions fish >/usr/share/fish/vendor_completions.d/eyas.fish",
        )
        .arg(
            Arg::new("SHELL")
                .required(true)
                .value_parser(PossibleValuesParser::new(SHELLS.map(|(name, _)| name)))
                .help("Which one."),
        )
}

/// The grammar of `eyas man`.
pub(super) fn man_command() -> Command {
    Command::new("eyas man")
        .about("Print the manual page of eyas, or of one of its sub-commands.")
        .after_help("eyas man >/usr/share/man/man1/eyas.1\neyas man doctor | man -l -")
        .arg(
            Arg::new("COMMAND")
                .value_parser(PossibleValuesParser::new(SUBCOMMANDS.iter().map(|one| one.name)))
                .help("The sub-command."),
        )
}

/// Runs `eyas completions`; `args` are those behind its name.
///
/// # Errors
///
/// With the text for stderr.
pub(super) fn completions(args: &[OsString]) -> Result<Exit, Failure> {
    let Some(matches) = subcommand::parse(completions_command(), args)? else {
        return Ok(Exit::Success);
    };
    let wanted = matches.get_one::<String>("SHELL").map(String::as_str);
    let Some((_, shell)) = SHELLS.into_iter().find(|(name, _)| Some(*name) == wanted) else {
        return Err(Failure::new("there is no such shell"));
    };
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut whole(), "eyas", &mut text);
    io::Write::write_all(&mut io::stdout().lock(), &text)?;
    Ok(Exit::Success)
}

/// Runs `eyas man`; `args` are those behind its name.
///
/// # Errors
///
/// With the text for stderr.
pub(super) fn man(args: &[OsString]) -> Result<Exit, Failure> {
    let Some(matches) = subcommand::parse(man_command(), args)? else { return Ok(Exit::Success) };
    let wanted = matches.get_one::<String>("COMMAND");
    let one = SUBCOMMANDS.iter().find(|one| Some(one.name) == wanted.map(String::as_str));
    let command = match one {
        Some(one) => (one.command)().name(one.name).display_name(format!("eyas-{}", one.name)),
        None => whole(),
    };
    let mut text = Vec::new();
    clap_mangen::Man::new(command).render(&mut text)?;
    io::Write::write_all(&mut io::stdout().lock(), &text)?;
    Ok(Exit::Success)
}

/// The agent's options with all sub-commands below them.
fn whole() -> Command {
    SUBCOMMANDS.iter().fold(flags::command(), |whole, one| {
        let command = (one.command)().name(one.name).bin_name(format!("eyas {}", one.name));
        whole.subcommand(command)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shell_gets_every_option_and_sub_command() {
        for (name, shell) in SHELLS {
            let mut text = Vec::new();
            clap_complete::generate(shell, &mut whole(), "eyas", &mut text);
            let text = String::from_utf8(text).unwrap();
            for word in ["validate", "enable-source", "doctor", "trace", "completions"] {
                assert!(text.contains(word), "{word} for {name}");
            }
        }
    }

    #[test]
    fn the_manual_has_options_and_sub_commands() {
        let mut text = Vec::new();
        clap_mangen::Man::new(whole()).render(&mut text).unwrap();
        let text = String::from_utf8(text).unwrap();
        for word in [".TH eyas", "\\-\\-validate", "Rules file or directory", "doctor"] {
            assert!(text.contains(word), "{word} in {text}");
        }
    }
}
