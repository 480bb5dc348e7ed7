//! `eyas spool`: what waits on disk for the server of `http_output`, whether it is whole, and a way
//! to send it without the agent.

use std::ffi::OsString;
use std::io;
use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use serde_json::json;

use super::subcommand;
use super::{Exit, Failure, load_config, log_start};
use crate::config::Loaded;
use crate::outputs::spool;
use crate::outputs::spool::Status;
use crate::service;

pub(super) fn command() -> Command {
    let json = Arg::new("json").long("json").action(ArgAction::SetTrue).help("One JSON object.");
    let status = Command::new("status").about("How much waits.").arg(json.clone());
    let verify = Command::new("verify")
        .about("Check every alert's checksum, number and hash; exit with 1 if something is wrong.")
        .arg(json);
    let drain = Command::new("drain")
        .about("Send what waits; exit with 1 if something is left. Not while an agent runs.")
        .arg(
            Arg::new("SECONDS")
                .long("timeout")
                .value_name("SECONDS")
                .default_value("30")
                .value_parser(value_parser!(u64).range(1..))
                .help("Give up if nothing is taken for so long."),
        );
    Command::new("eyas spool")
        .about("Look at, check and send the alerts that wait on disk for a server.")
        .subcommand_required(true)
        .disable_help_subcommand(true)
        .subcommand(subcommand::with_shared_options(status))
        .subcommand(subcommand::with_shared_options(verify))
        .subcommand(subcommand::with_shared_options(drain))
}

/// Runs `eyas spool`; `args` are those behind the sub-command's name.
///
/// # Errors
///
/// With the text for stderr.
pub fn run(args: &[OsString]) -> Result<Exit, Failure> {
    let Some(matches) = subcommand::parse(command(), args)? else { return Ok(Exit::Success) };
    match matches.subcommand() {
        Some(("status", matches)) => show(matches, false),
        Some(("verify", matches)) => show(matches, true),
        Some(("drain", matches)) => drain(matches),
        _ => Ok(Exit::Success),
    }
}

fn load(matches: &ArgMatches) -> Result<Loaded, Failure> {
    let options = subcommand::options(matches, &[])?;
    let loaded = load_config(&options)?;
    super::quiet_log();
    Ok(loaded)
}

fn show(matches: &ArgMatches, verifies: bool) -> Result<Exit, Failure> {
    let loaded = load(matches)?;
    let spool = loaded.config.outputs.spool.as_ref();
    let spool = spool.ok_or_else(|| Failure::new("eyas.spool is not enabled"))?;
    let directory = spool.directory.as_path();
    let status = spool::inspect(directory).map_err(|error| {
        Failure::new(format_args!("cannot read the spool {}: {error}", directory.display()))
            .hint("eyas.spool.directory says where it is; an agent with http_output makes it")
    })?;
    let mut out = io::stdout().lock();
    if matches.get_flag("json") {
        writeln!(out, "{}", to_json(directory, &status))?;
    } else if verifies {
        write_faults(&mut out, &status)?;
    } else {
        writeln!(out, "spool:    {}", directory.display())?;
        writeln!(out, "waiting:  {} alerts", status.waiting())?;
        writeln!(out, "next:     alert {}", status.next)?;
        writeln!(out, "size:     {} bytes in {} files", status.bytes, status.segments)?;
    }
    let is_damaged = status.faults.iter().any(|fault| !fault.is_torn_end);
    Ok(if verifies && is_damaged { Exit::Failure } else { Exit::Success })
}

fn write_faults(out: &mut dyn io::Write, status: &Status) -> io::Result<()> {
    for fault in &status.faults {
        let note = if fault.is_torn_end {
            " (the torn end of the newest file: it is cut off at the next start)"
        } else {
            ""
        };
        writeln!(out, "{}: byte {}: {}{note}", fault.path.display(), fault.offset, fault.what)?;
    }
    if status.faults.iter().all(|fault| fault.is_torn_end) {
        writeln!(out, "{} files, {} bytes: all is well", status.segments, status.bytes)?;
    }
    Ok(())
}

fn to_json(directory: &Path, status: &Status) -> serde_json::Value {
    let faults = status.faults.iter().map(|fault| {
        json!({
            "file": fault.path.display().to_string(),
            "offset": fault.offset,
            "what": fault.what,
            "torn_end": fault.is_torn_end,
        })
    });
    json!({
        "directory": directory.display().to_string(),
        "waiting": status.waiting(),
        "first": status.first,
        "next": status.next,
        "bytes": status.bytes,
        "files": status.segments,
        "faults": faults.collect::<Vec<_>>(),
    })
}

fn drain(matches: &ArgMatches) -> Result<Exit, Failure> {
    let options = subcommand::options(matches, &[])?;
    let loaded = load_config(&options)?;
    log_start(&options, &loaded);
    let seconds = matches.get_one::<u64>("SECONDS").copied().unwrap_or(30);
    let left = service::outputs::drain(&loaded.config, Duration::from_secs(seconds))
        .map_err(Failure::new)?;
    let mut out = io::stdout().lock();
    if left == 0 {
        writeln!(out, "the spool is empty")?;
        return Ok(Exit::Success);
    }
    writeln!(out, "{left} alerts are left")?;
    Ok(Exit::Failure)
}
