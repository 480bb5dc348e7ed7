//! From the configuration to the channels that alerts go out by.

use std::io;
use std::time::Duration;

use super::Error;
use crate::config::Config;
use crate::config::outputs::File;
use crate::log;
use crate::log::Level;
use crate::outputs;
use crate::outputs::Named;
use crate::outputs::Outputs;
use crate::outputs::WhenFull;
use crate::outputs::file::FileChannel;
use crate::outputs::file::Rotation;
use crate::outputs::stdout::Stdout;
use crate::outputs::stdout::Stream;

/// Whether alerts go anywhere.
///
/// # Errors
///
/// With Falco's text if they don't.
pub(super) fn check(config: &Config) -> Result<(), Error> {
    let outputs = &config.outputs;
    if outputs.stdout || outputs.file.is_some() {
        return Ok(());
    }
    Err(Error::Refused(
        "No output configured, please make sure at least one output is configured and enabled."
            .to_owned(),
    ))
}

/// Starts all channels that are switched on. What can't be opened now is told, and tried again when
/// there is an alert.
pub(super) fn start(
    config: &Config,
    when_full: WhenFull,
    may_end: bool,
    on_broken: impl Fn() + Send + Sync + 'static,
) -> Result<Outputs, Error> {
    let keys = &config.outputs;
    let mut channels: Vec<Named> = Vec::new();
    // Falco's order.
    if let Some(file) = &keys.file {
        let mut channel = FileChannel::new(file_settings(file));
        if let Err(error) = channel.probe() {
            log!(Level::Error, "Failed to init output: {error}");
        }
        channels.push(("file", Box::new(channel)));
    }
    if keys.stdout {
        channels.push(("stdout", Box::new(Stream::new(Stdout))));
    }
    start_channels(config, when_full, channels, may_end, on_broken)
}

/// Starts one channel to a standard stream, whatever the configuration says.
pub(super) fn start_stream(
    config: &Config,
    name: &'static str,
    to: impl io::Write + Send + 'static,
) -> Result<Outputs, Error> {
    let channels: Vec<Named> = vec![(name, Box::new(Stream::new(to)))];
    start_channels(config, WhenFull::Wait, channels, false, || {})
}

/// Outputs without any channel, for the time between two configurations.
pub(super) fn nowhere(config: &Config) -> Result<Outputs, Error> {
    start_channels(config, WhenFull::Drop, Vec::new(), false, || {})
}

fn start_channels(
    config: &Config,
    when_full: WhenFull,
    channels: Vec<Named>,
    may_end: bool,
    on_broken: impl Fn() + Send + Sync + 'static,
) -> Result<Outputs, Error> {
    let capacity = match config.queue_capacity {
        0 => config.own_queue_capacity,
        capacity => capacity.min(1 << 20),
    };
    let settings = outputs::Settings {
        capacity,
        when_full,
        buffered: config.buffered_outputs,
        timeout: Duration::from_millis(config.output_timeout_ms),
        may_end,
    };
    Outputs::start(settings, channels, on_broken)
        .map_err(|source| Error::Io { what: "cannot start the outputs", source })
}

fn file_settings(file: &File) -> outputs::file::Settings {
    outputs::file::Settings {
        path: file.path.clone(),
        keep_alive: file.keep_alive,
        rotation: Rotation { max_bytes: file.max_bytes, max_age: file.max_age, keep: file.keep },
    }
}
