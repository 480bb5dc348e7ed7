//! `eyas audit-plugin`: what auditd's dispatcher starts; passes its lines on to the agent.

use std::ffi::OsString;
use std::io;

use clap::Command;
use nix::sys::signal::Signal;

use super::subcommand;
use super::{Exit, Failure, load_config};
use crate::sources::audit::forward;
use crate::sys::poll::SignalFd;

const DETAILS: &str = "\
Started by auditd's dispatcher: see config/auditd/eyas.conf. Reads lines from standard input and \
passes them on to eyas.audit.socket, where the agent with eyas.audit.seat: plugin listens. Ends with \
its input.";

pub(super) fn command() -> Command {
    let command = Command::new("eyas audit-plugin")
        .about("Pass audit records on from auditd to the agent.")
        .after_help(DETAILS)
        .override_usage("eyas audit-plugin [OPTIONS]");
    subcommand::with_shared_options(command)
}

/// Runs `eyas audit-plugin`; `args` are those behind the sub-command's name.
///
/// # Errors
///
/// With the text for stderr.
pub fn run(args: &[OsString]) -> Result<Exit, Failure> {
    let Some(matches) = subcommand::parse(command(), args)? else { return Ok(Exit::Success) };
    let options = subcommand::options(&matches, &[])?;
    let loaded = load_config(&options)?;
    super::quiet_log();
    // auditd sends it to its plugins when its own configuration changes; ours doesn't.
    let _kept_away = SignalFd::new(&[Signal::SIGHUP])?;
    forward(&mut io::stdin().lock(), &loaded.config.audit.socket)?;
    Ok(Exit::Success)
}
