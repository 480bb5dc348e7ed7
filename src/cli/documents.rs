//! `eyas help`, `eyas completions` and `eyas man`: what a user, a shell and man(1) want to know of the
//! command line, made of the same rows and grammars that parse it.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::io;
use std::io::Write as _;

use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgMatches, Command};
use clap_complete::Shell;

use super::{Exit, Failure, SUBCOMMANDS, flags, subcommand};

/// Options whose values a shell can complete.
const VALUES: [(&str, &[&str]); 4] = [
    ("format", &["text", "markdown", "json"]),
    ("list", &["syscall"]),
    ("enable-source", &["syscall"]),
    ("disable-source", &["syscall"]),
];

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

/// The grammar of `eyas help`.
pub(super) fn help_command() -> Command {
    Command::new("eyas help").about("Print the help of eyas, or of one of its sub-commands.").arg(
        Arg::new("COMMAND")
            .value_parser(PossibleValuesParser::new(names()))
            .help("The sub-command."),
    )
}

/// The names of the sub-commands.
fn names() -> impl Iterator<Item = &'static str> {
    SUBCOMMANDS.iter().map(|one| one.name)
}

/// The grammar of `eyas man`.
pub(super) fn man_command() -> Command {
    Command::new("eyas man")
        .about("Print the manual page of eyas, or of one of its sub-commands.")
        .after_help("eyas man >/usr/share/man/man1/eyas.1\neyas man doctor | man -l -")
        .arg(
            Arg::new("COMMAND")
                .value_parser(PossibleValuesParser::new(names()))
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
    io::stdout().lock().write_all(&text)?;
    Ok(Exit::Success)
}

/// The text of `eyas --help`.
pub(super) fn usage() -> String {
    let mut commands = "Commands:\n".to_owned();
    for one in &SUBCOMMANDS {
        let about = (one.command)().get_about().map(ToString::to_string).unwrap_or_default();
        let _ = writeln!(commands, "  {:<13} {about}", one.name);
    }
    flags::command().after_help(commands).render_help().to_string()
}

/// Runs `eyas help`; `args` are those behind its name.
///
/// # Errors
///
/// With the text for stderr.
pub(super) fn help(args: &[OsString]) -> Result<Exit, Failure> {
    let Some(matches) = subcommand::parse(help_command(), args)? else {
        return Ok(Exit::Success);
    };
    let text = named(&matches).map_or_else(usage, |mut command| command.render_help().to_string());
    io::stdout().lock().write_all(text.as_bytes())?;
    Ok(Exit::Success)
}

/// The grammar of the sub-command that was named.
fn named(matches: &ArgMatches) -> Option<Command> {
    let wanted = matches.get_one::<String>("COMMAND")?;
    let one = SUBCOMMANDS.iter().find(|one| one.name == wanted)?;
    Some((one.command)().bin_name(format!("eyas {}", one.name)))
}

/// Runs `eyas man`; `args` are those behind its name.
///
/// # Errors
///
/// With the text for stderr.
pub(super) fn man(args: &[OsString]) -> Result<Exit, Failure> {
    let Some(matches) = subcommand::parse(man_command(), args)? else { return Ok(Exit::Success) };
    let text = match named(&matches) {
        Some(command) => manual(command, "")?,
        None => manual(whole(), SECTIONS)?,
    };
    io::stdout().lock().write_all(&text)?;
    Ok(Exit::Success)
}

/// What the manual page of the agent has behind its options.
const SECTIONS: &str = r#".PP
\fBeyas help\fR \fICOMMAND\fR and \fBeyas man\fR \fICOMMAND\fR tell more of each.
.SH FILES
.TP
\fI/etc/eyas/eyas.yaml\fR
The configuration; if it isn't there, \fI/etc/falco/falco.yaml\fR, else the one in the binary.
.TP
\fI/etc/eyas/eyas_rules.yaml\fR, \fIeyas_rules.local.yaml\fR, \fIrules.d\fR
The rules, in this order, unless the configuration or \fB\-r\fR names others.
.TP
\fI/var/lib/eyas/spool\fR
Alerts that wait for the server of \fBhttp_output\fR.
.TP
\fI/run/eyas\fR
Where the plugin of auditd finds the agent.
.PP
An agent with privileges refuses configuration and rules that others can write.
.SH SIGNALS
.TP
\fBSIGHUP\fR
Load configuration and rules again; if they are wrong, the old ones stay.
.TP
\fBSIGUSR1\fR
Open the files of outputs again, after logrotate(8).
.TP
\fBSIGINT\fR, \fBSIGTERM\fR
End in good order; a second one, later than half a second, ends at once.
.SH ENVIRONMENT
.TP
\fBHOST_ROOT\fR
Where the host's files are, if the agent runs in a container.
.TP
\fBFALCO_HOSTNAME\fR
The host's name in alerts.
.TP
\fBHTTPS_PROXY\fR, \fBHTTP_PROXY\fR, \fBALL_PROXY\fR, \fBNO_PROXY\fR
The proxy of \fBhttp_output\fR.
.PP
\fB${NAME}\fR in a value of the configuration stands for any variable.
.SH "EXIT STATUS"
.TP
0
Done, or ended by a signal in good order.
.TP
1
An error, which stderr explains.
.TP
255
The pid file can't be written.
"#;

/// The manual page of a command; `sections` are put behind the list of its sub-commands.
fn manual(command: Command, sections: &str) -> io::Result<Vec<u8>> {
    let name = command.get_bin_name().unwrap_or("eyas").replace(' ', "-");
    let command = command.display_name(name.clone());
    let notes = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    let below: Vec<Command> = command.get_subcommands().cloned().collect();
    let page = page(command, &name);
    let mut text = Vec::new();
    page.render_title(&mut text)?;
    page.render_name_section(&mut text)?;
    page.render_synopsis_section(&mut text)?;
    page.render_description_section(&mut text)?;
    if !notes.is_empty() {
        writeln!(text, ".PP\n.nf\n{}\n.fi", escaped(&notes))?;
    }
    page.render_options_section(&mut text)?;
    if !below.is_empty() {
        writeln!(text, ".SH COMMANDS")?;
    }
    for one in &below {
        let about = one.get_about().map(ToString::to_string).unwrap_or_default();
        writeln!(text, ".TP\n\\fB{}\\fR\n{}", escaped(one.get_name()), escaped(&about))?;
    }
    text.extend_from_slice(sections.as_bytes());
    if sections.is_empty() {
        for one in below {
            let title = format!("OPTIONS OF {}", one.get_name());
            let mut options = Vec::new();
            page_options(one, &name, &mut options)?;
            let options = String::from_utf8_lossy(&options).into_owned();
            write!(text, "{}", options.replacen(".SH OPTIONS", &format!(".SH \"{title}\""), 1))?;
        }
    }
    Ok(text)
}

fn page(command: Command, name: &str) -> clap_mangen::Man {
    clap_mangen::Man::new(command)
        .title(name.to_uppercase())
        .source(format!("eyas {}", super::version::VERSION))
        .manual("User Commands")
}

fn page_options(command: Command, name: &str, out: &mut Vec<u8>) -> io::Result<()> {
    page(command, name).render_options_section(out)
}

/// Text as roff(7) wants it: no line of it is a request, and a hyphen can be copied.
fn escaped(text: &str) -> String {
    let text = text.replace('\\', "\\e").replace('-', "\\-");
    let is_request = |line: &str| line.starts_with(['.', '\'']);
    let lines = text
        .lines()
        .map(|line| if is_request(line) { format!("\\&{line}") } else { line.to_owned() });
    lines.collect::<Vec<_>>().join("\n")
}

/// The agent's options with all sub-commands below them.
fn whole() -> Command {
    let whole = VALUES.iter().fold(flags::command(), |whole, (id, values)| {
        whole.mut_arg(*id, |arg| arg.value_parser(PossibleValuesParser::new(*values)))
    });
    SUBCOMMANDS.iter().fold(whole, |whole, one| {
        let command = (one.command)().name(one.name).bin_name(format!("eyas {}", one.name));
        whole.subcommand(command)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shell_gets_every_option_and_sub_command() {
        whole().debug_assert();
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
        let text = String::from_utf8(manual(whole(), SECTIONS).unwrap()).unwrap();
        for word in [
            ".TH EYAS 1",
            "\\-\\-validate",
            "Rules file or directory",
            "\\fBaudit\\-plugin\\fR",
            ".SH SIGNALS",
            ".SH \"EXIT STATUS\"",
        ] {
            assert!(text.contains(word), "{word} in {text}");
        }
        assert!(!text.contains("(1)"), "a page that nobody has is named in {text}");
    }

    #[test]
    fn the_manual_of_a_sub_command_has_the_options_of_those_below_it() {
        let one = SUBCOMMANDS.iter().find(|one| one.name == "spool").unwrap();
        let command = (one.command)().bin_name("eyas spool");
        let text = String::from_utf8(manual(command, "").unwrap()).unwrap();
        for word in [".TH EYAS-SPOOL 1", ".SH \"OPTIONS OF drain\"", "\\-\\-timeout"] {
            assert!(text.contains(word), "{word} in {text}");
        }
    }

    #[test]
    fn text_of_a_manual_is_no_request() {
        assert_eq!(escaped(".x\n'y a-b\nz\\"), "\\&.x\n\\&'y a\\-b\nz\\e");
    }
}
