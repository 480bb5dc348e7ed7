//! Every option of the command line: one row each, from which parsing and `--help` follow.
//!
//! Options are Falco's, today's and those of 2020 to 2022. What an old option did and the engine
//! can't do any more is accepted, so that unit files of old installations keep working; the user
//! is told once. Error texts are those of Falco's option library, with its typographic quotes.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

/// What follows an option.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Takes {
    /// Nothing.
    Nothing,
    /// A value of that name, in the same or in the next argument.
    Value(&'static str),
    /// A value of that name, only in the form `--option=VALUE`.
    Optional(&'static str),
}

/// How an option stands today.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Standing {
    /// It is Falco's today.
    Current,
    /// It is gone in Falco and still does here what it did.
    Kept,
    /// It does nothing; the text says why.
    Ignored(&'static str),
}

/// One option; an empty name is none.
struct Flag {
    short: &'static str,
    long: &'static str,
    takes: Takes,
    standing: Standing,
    help: &'static str,
}

impl Flag {
    /// The key under which its values are found: the long name, else the letter.
    const fn id(&self) -> &'static str {
        if self.long.is_empty() { self.short } else { self.long }
    }

    /// As a user writes it.
    fn shown(&self) -> String {
        match (self.short, self.long) {
            ("", long) => format!("--{long}"),
            (short, "") => format!("-{short}"),
            (short, long) => format!("-{short}/--{long}"),
        }
    }
}

const fn flag(short: &'static str, long: &'static str, takes: Takes, help: &'static str) -> Flag {
    Flag { short, long, takes, standing: Standing::Current, help }
}

const fn kept(short: &'static str, long: &'static str, takes: Takes, help: &'static str) -> Flag {
    Flag { short, long, takes, standing: Standing::Kept, help }
}

const fn ignored(
    short: &'static str,
    long: &'static str,
    takes: Takes,
    reason: &'static str,
) -> Flag {
    Flag { short, long, takes, standing: Standing::Ignored(reason), help: "" }
}

use Takes::{Nothing, Optional, Value};

const NO_ENGINE: &str = "this agent needs no driver and no other engine";
const NO_API: &str = "metadata of orchestrators is not fetched";
const NO_CRI: &str = "container metadata is read from the runtimes' state on disk";

#[rustfmt::skip]
static FLAGS: &[Flag] = &[
    flag("h", "help", Nothing, "Print this text and exit."),
    flag("c", "", Value("PATH"), "Configuration file. Without it: /etc/eyas/eyas.yaml, else /etc/falco/falco.yaml, else the one in the binary."),
    flag("", "config-schema", Nothing, "Print the JSON schema of configuration files and exit."),
    flag("", "rule-schema", Nothing, "Print the JSON schema of rules files and exit."),
    flag("", "enable-source", Value("SOURCE"), "Enable only this event source. Repeatable."),
    flag("", "disable-source", Value("SOURCE"), "Disable this event source. Repeatable."),
    flag("", "dry-run", Nothing, "Load and check everything, watch nothing."),
    flag("", "strict", Nothing, "Refuse to start if a kernel interface that the rules need is missing."),
    flag("i", "", Nothing, "List the events that are ignored by default and exit."),
    flag("L", "", Nothing, "Describe all rules, macros and lists and exit."),
    flag("l", "", Value("RULE"), "Describe the rule of this name and exit."),
    flag("", "list", Optional("SOURCE"), "List all fields, or those of an event source, and exit."),
    flag("", "list-events", Nothing, "List all events and exit."),
    flag("", "list-plugins", Nothing, "List the loaded plugins and exit."),
    flag("", "plugin-info", Value("NAME"), "Describe a plugin and exit."),
    flag("M", "", Value("SECONDS"), "Stop after so many seconds; 0: never."),
    flag("", "markdown", Nothing, "Deprecated: --format markdown."),
    flag("", "format", Value("FORMAT"), "Format of --list and --list-events: text, markdown or json."),
    flag("N", "", Nothing, "With --list: only names."),
    flag("o", "option", Value("KEY=VALUE"), "Set a configuration key; lists with KEY[]=VALUE, deeper keys with KEY.SUBKEY=VALUE. Repeatable."),
    flag("p", "print", Value("FORMAT"), "Deprecated: append this to the output of every rule."),
    flag("P", "pidfile", Value("PATH"), "Write the process id into this file."),
    flag("r", "", Value("PATH"), "Rules file or directory, instead of the configuration's rules_files. Repeatable."),
    flag("", "support", Nothing, "Print version, configuration and rules as JSON and exit."),
    flag("U", "unbuffered", Nothing, "Write every alert at once, whatever the configuration says."),
    flag("V", "validate", Value("PATH"), "Validate rules files and exit. Repeatable."),
    flag("v", "", Nothing, "Tell more."),
    flag("", "version", Nothing, "Print the version and exit."),
    flag("", "page-size", Nothing, "Print the system's page size and exit."),
    // Gone in Falco.
    kept("A", "", Nothing, "Old: base_syscalls.all."),
    kept("b", "print-base64", Nothing, "Old: buffer_format_base64."),
    kept("d", "daemon", Nothing, "Old: run in the background."),
    kept("D", "", Value("SUBSTRING"), "Old: disable the rules whose names contain this. Repeatable."),
    kept("e", "", Value("PATH"), "Old: read events from a capture file."),
    kept("", "list-syscall-events", Nothing, "Old: --list-events."),
    kept("t", "", Value("TAG"), "Old: only the rules with this tag. Repeatable."),
    kept("T", "", Value("TAG"), "Old: disable the rules with this tag. Repeatable."),
    ignored("", "alternate-lua-dir", Value("PATH"), "rules are not loaded by Lua code"),
    ignored("", "cri", Value("PATH"), NO_CRI),
    ignored("", "disable-cri-async", Nothing, NO_CRI),
    ignored("g", "gvisor-config", Value("PATH"), NO_ENGINE),
    ignored("", "gvisor-generate-config", Optional("PATH"), NO_ENGINE),
    ignored("", "gvisor-root", Value("PATH"), NO_ENGINE),
    ignored("k", "k8s-api", Value("URL"), NO_API),
    ignored("K", "k8s-api-cert", Value("PATH"), NO_API),
    ignored("", "k8s-node", Value("NAME"), NO_API),
    ignored("m", "mesos-api", Value("URL"), NO_API),
    ignored("", "modern-bpf", Nothing, NO_ENGINE),
    ignored("", "nodriver", Nothing, NO_ENGINE),
    kept("s", "", Value("PATH"), "Old: append the counts of events and losses to this file as time goes by."),
    kept("", "stats-interval", Value("MS"), "Old: milliseconds between two lines of -s; 5000 without it."),
    kept("", "stats_interval", Value("MS"), "Old: --stats-interval."),
    ignored("S", "snaplen", Value("LEN"), "buffers are captured up to 80 bytes"),
    ignored("u", "userspace", Nothing, NO_ENGINE),
];

/// What the command line says.
#[derive(Debug)]
pub struct Options {
    matches: ArgMatches,
    /// All arguments, joined by blanks.
    pub command_line: String,
}

/// The command line is wrong; Falco's text.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{0}")]
pub struct FlagError(pub String);

impl Options {
    /// Reads the arguments, of which the first is the program's name.
    ///
    /// # Errors
    ///
    /// If an option doesn't exist or its value is missing.
    pub fn parse(args: &[OsString]) -> Result<Self, FlagError> {
        let matches =
            command().try_get_matches_from(args).map_err(|error| falcos_text(&error, args))?;
        let words: Vec<_> = args.iter().map(|arg| arg.to_string_lossy()).collect();
        Ok(Self { matches, command_line: words.join(" ") })
    }

    /// Whether an option without value, named by its long name or its letter, was given.
    #[must_use]
    pub fn has(&self, id: &str) -> bool {
        self.matches.try_get_one::<bool>(id).is_ok_and(|given| given == Some(&true))
    }

    /// All values of an option, in order.
    pub fn all(&self, id: &str) -> impl Iterator<Item = &OsString> {
        self.matches.try_get_many::<OsString>(id).ok().flatten().into_iter().flatten()
    }

    /// All values of an option as text; bytes that aren't UTF-8 are replaced.
    #[must_use]
    pub fn texts(&self, id: &str) -> Vec<String> {
        self.all(id).map(|value| value.to_string_lossy().into_owned()).collect()
    }

    /// All values of an option as paths.
    #[must_use]
    pub fn paths(&self, id: &str) -> Vec<PathBuf> {
        self.all(id).map(PathBuf::from).collect()
    }

    /// The last value of an option.
    #[must_use]
    pub fn last(&self, id: &str) -> Option<String> {
        self.texts(id).pop()
    }

    /// The last value of an option as a path.
    #[must_use]
    pub fn path(&self, id: &str) -> Option<PathBuf> {
        self.paths(id).pop()
    }

    /// Whether an option was given at all, with or without value.
    #[must_use]
    pub fn is_given(&self, id: &str) -> bool {
        self.has(id) || self.all(id).next().is_some()
    }

    /// What to tell the user of each given option that does nothing.
    pub fn notes(&self) -> impl Iterator<Item = String> {
        let stray = self.texts("positional").into_iter().next().map(|word| {
            format!("`{word}` is no sub-command and is ignored, as Falco does: see eyas --help")
        });
        let without_effect =
            FLAGS.iter().filter(|flag| self.is_given(flag.id())).filter_map(|flag| {
                match flag.standing {
                    Standing::Ignored(reason) => {
                        Some(format!("option {} has no effect: {reason}", flag.shown()))
                    }
                    Standing::Current | Standing::Kept => None,
                }
            });
        stray.into_iter().chain(without_effect)
    }
}

/// The grammar as clap wants it.
pub(super) fn command() -> Command {
    let mut command = Command::new("eyas")
        .about("Falco's rules on hosts that cannot load a driver")
        .override_usage("eyas [OPTIONS]\n       eyas COMMAND [OPTIONS]\n       eyas help COMMAND")
        .disable_help_flag(true)
        .disable_help_subcommand(true)
        .disable_version_flag(true)
        .arg(
            Arg::new("positional")
                .num_args(0..)
                .hide(true)
                .action(ArgAction::Append)
                .value_parser(value_parser!(OsString)),
        );
    for flag in FLAGS {
        let mut arg = Arg::new(flag.id())
            .help(flag.help)
            .hide(matches!(flag.standing, Standing::Ignored(_)))
            .action(if flag.takes == Nothing { ArgAction::SetTrue } else { ArgAction::Append });
        if flag.takes == Nothing {
            // Twice is as good as once.
            arg = arg.overrides_with(flag.id());
        }
        if let Some(letter) = flag.short.chars().next() {
            arg = arg.short(letter);
        }
        if !flag.long.is_empty() {
            arg = arg.long(flag.long);
        }
        if let Value(name) | Optional(name) = flag.takes {
            arg = arg.value_name(name).value_parser(value_parser!(OsString));
            arg = arg.allow_hyphen_values(true);
        }
        if let Optional(_) = flag.takes {
            arg = arg.num_args(0..=1).require_equals(true).default_missing_value("");
        }
        command = command.arg(arg);
    }
    command
}

/// What Falco's option library says to the same mistake.
fn falcos_text(error: &clap::Error, args: &[OsString]) -> FlagError {
    let name = |text: &str| text.trim_start_matches('-').to_owned();
    let given = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(text)) => name(text),
        _ => String::new(),
    };
    FlagError(match error.kind() {
        ErrorKind::UnknownArgument => format!("Option ‘{given}’ does not exist"),
        // Only the last argument can lack its value: everything else takes the next argument.
        ErrorKind::InvalidValue | ErrorKind::NoEquals | ErrorKind::TooFewValues => {
            let last = args.last().map(|arg| arg.to_string_lossy()).unwrap_or_default();
            let shown = if last.starts_with("--") {
                name(&last)
            } else {
                last.chars().next_back().map(String::from).unwrap_or_default()
            };
            format!("Option ‘{shown}’ is missing an argument")
        }
        _ => error.to_string().trim_end().trim_start_matches("error: ").to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &[&str]) -> Result<Options, FlagError> {
        let args: Vec<OsString> =
            std::iter::once("eyas").chain(words.iter().copied()).map(OsString::from).collect();
        Options::parse(&args)
    }

    fn refusal(words: &[&str]) -> String {
        parse(words).unwrap_err().to_string()
    }

    #[test]
    fn an_unknown_option_is_named_without_its_dashes() {
        assert_eq!(refusal(&["--no-such"]), "Option ‘no-such’ does not exist");
        assert_eq!(refusal(&["--no-such=1"]), "Option ‘no-such’ does not exist");
        assert_eq!(refusal(&["-F"]), "Option ‘F’ does not exist");
        assert_eq!(refusal(&["-UF"]), "Option ‘F’ does not exist");
    }

    #[test]
    fn a_missing_value_is_told_with_the_name_that_was_given() {
        assert_eq!(refusal(&["-c"]), "Option ‘c’ is missing an argument");
        assert_eq!(refusal(&["-U", "--option"]), "Option ‘option’ is missing an argument");
        assert_eq!(refusal(&["-Uo"]), "Option ‘o’ is missing an argument");
    }

    #[test]
    fn values_stand_behind_in_the_same_or_after_an_equals_sign() {
        let options = parse(&["-ra", "-r", "b,c", "--option=x=y", "-o", "z=1"]).unwrap();
        assert_eq!(options.texts("r"), ["a", "b,c"]);
        assert_eq!(options.texts("option"), ["x=y", "z=1"]);
    }

    #[test]
    fn list_takes_a_source_only_behind_an_equals_sign() {
        let options = parse(&["--list", "syscall"]).unwrap();
        assert_eq!(options.texts("list"), [""]);
        assert_eq!(parse(&["--list=syscall"]).unwrap().texts("list"), ["syscall"]);
        assert!(!parse(&[]).unwrap().is_given("list"));
    }

    #[test]
    fn short_options_group_and_repeat_and_stray_words_are_ignored() {
        let options = parse(&["stray", "-vvUN", "word", "-c", "a", "-c", "b"]).unwrap();
        assert!(options.has("v") && options.has("unbuffered") && options.has("N"));
        let notes: Vec<_> = options.notes().collect();
        assert!(notes.len() == 1 && notes[0].contains("`stray` is no sub-command"), "{notes:?}");
        assert_eq!(options.path("c"), Some(PathBuf::from("b")));
    }

    #[test]
    fn a_value_may_look_like_an_option() {
        assert_eq!(parse(&["-p", "-x"]).unwrap().last("print").as_deref(), Some("-x"));
    }

    #[test]
    fn an_old_option_is_accepted_and_told_once() {
        let options = parse(&["-k", "http://api", "-K", "token", "-k", "http://other"]).unwrap();
        let notes: Vec<_> = options.notes().collect();
        assert_eq!(notes.len(), 2);
        assert!(notes[0].starts_with("option -k/--k8s-api has no effect: "), "{notes:?}");
    }

    #[test]
    fn the_grammar_is_consistent() {
        command().debug_assert();
    }
}
