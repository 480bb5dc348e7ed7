//! From the configuration to the channels that alerts go out by.

use std::io;
use std::time::Duration;

use super::Error;
use super::repeats::Repeats;
use crate::config::Config;
use crate::config::outputs::File;
use crate::config::outputs::Fsync;
use crate::config::outputs::Http as HttpKeys;
use crate::config::outputs::Spool as SpoolKeys;
use crate::log;
use crate::log::Level;
use crate::outputs;
use crate::outputs::Channel;
use crate::outputs::Maker;
use crate::outputs::Named;
use crate::outputs::Outputs;
use crate::outputs::Successors;
use crate::outputs::WhenFull;
use crate::outputs::file::FileChannel;
use crate::outputs::file::Rotation;
use crate::outputs::http;
use crate::outputs::http::Http;
use crate::outputs::program;
use crate::outputs::program::Program;
use crate::outputs::spool;
use crate::outputs::spool::Spool;
use crate::outputs::stdout::Stdout;
use crate::outputs::stdout::Stream;
use crate::outputs::syslog;
use crate::outputs::syslog::Syslog;

/// How long the end waits for a server that answers nothing.
const REPLAY_PATIENCE: Duration = Duration::from_secs(10);
const LIVE_PATIENCE: Duration = Duration::from_secs(2);

/// How long the end goes on sending what the spool would keep anyway.
const LIVE_LIMIT: Duration = Duration::from_secs(5);

/// Whether alerts go anywhere.
///
/// # Errors
///
/// With Falco's text if they don't.
pub(super) fn check(config: &Config) -> Result<(), Error> {
    if config.outputs.is_any() {
        return Ok(());
    }
    Err(Error::Refused(
        "No output configured, please make sure at least one output is configured and enabled."
            .to_owned(),
    ))
}

/// What counts alerts that repeat another one, if the configuration asks for it.
pub(super) fn repeats(config: &Config) -> Result<Option<Repeats>, Error> {
    let made = config.outputs.repeats.as_ref().map(|it| Repeats::new(it.window, &it.fields));
    made.transpose().map_err(Error::Refused)
}

/// Starts all channels that are switched on. What can't be opened now is told, and tried again when
/// there is an alert.
pub(super) fn start(
    config: &Config,
    when_full: WhenFull,
    may_end: bool,
    on_broken: impl Fn() + Send + Sync + 'static,
) -> Result<Outputs, Error> {
    let makers = makers(config, when_full).into_iter();
    let channels = makers.map(|(name, make)| Ok((name, make()?)));
    let channels = channels.collect::<io::Result<Vec<_>>>().map_err(cannot_start)?;
    start_channels(config, when_full, channels, may_end, on_broken)
}

/// As [`start`] for a live agent, for outputs that take the place of others.
pub(super) fn start_beside(
    config: &Config,
    on_broken: impl Fn() + Send + Sync + 'static,
) -> Result<(Outputs, Successors), Error> {
    let settings = settings(config, WhenFull::Drop, false);
    let makers = makers(config, WhenFull::Drop);
    Outputs::start_beside(settings, makers, on_broken).map_err(cannot_start)
}

const fn cannot_start(source: io::Error) -> Error {
    Error::Io { what: "cannot start the outputs", source }
}

/// What opens each channel that is switched on, in Falco's order.
fn makers(config: &Config, when_full: WhenFull) -> Vec<Maker> {
    let keys = &config.outputs;
    let mut makers: Vec<Maker> = Vec::new();
    if let Some(file) = &keys.file {
        let mut channel = FileChannel::new(file_settings(file));
        makers.push(maker("file", move || {
            tell_refusal(channel.probe());
            Ok(channel)
        }));
    }
    if keys.stdout {
        makers.push(maker("stdout", || Ok(Stream::new(Stdout))));
    }
    if let Some(keys) = &keys.syslog {
        let mut channel = Syslog::new(syslog::Settings {
            socket: keys.socket.clone(),
            is_rfc_5424: keys.is_rfc_5424,
            facility: keys.facility,
            tag: keys.tag.clone(),
            hostname: super::hostname(),
        });
        makers.push(maker("syslog", move || {
            tell_refusal(channel.probe());
            Ok(channel)
        }));
    }
    if let Some(keys) = &keys.program {
        let settings =
            program::Settings { program: keys.program.clone(), keep_alive: keys.keep_alive };
        makers.push(maker("program", || Ok(Program::new(settings))));
    }
    if let Some(http) = &keys.http {
        let settings = http_settings(config, http);
        let spool = keys.spool.as_ref().map(spool_settings);
        makers.push(maker("http", move || start_http(settings, spool, when_full)));
    }
    makers
}

fn maker<C: Channel + 'static>(
    name: &'static str,
    make: impl FnOnce() -> io::Result<C> + Send + 'static,
) -> Maker {
    (name, Box::new(move || Ok(Box::new(make()?))))
}

fn tell_refusal(probed: Result<(), String>) {
    if let Err(error) = probed {
        log!(Level::Error, "Failed to init output: {error}");
    }
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

/// Outputs without any channel.
pub(super) fn nowhere(config: &Config) -> Result<Outputs, Error> {
    start_channels(config, WhenFull::Drop, Vec::new(), false, || {})
}

/// Starts the channel to a server, with its spool if that can be opened.
fn start_http(
    settings: http::Settings,
    spool: Option<spool::Settings>,
    when_full: WhenFull,
) -> io::Result<Http> {
    let spool = spool.and_then(|settings| {
        let opened = Spool::open(settings);
        opened
            .inspect_err(|error| {
                log!(Level::Error, "{error}; alerts that the server doesn't take wait in memory");
            })
            .ok()
    });
    let end = match when_full {
        WhenFull::Drop => http::End { patience: LIVE_PATIENCE, limit: Some(LIVE_LIMIT) },
        WhenFull::Wait => http::End { patience: REPLAY_PATIENCE, limit: None },
    };
    Http::start(settings, spool, end)
}

/// Sends what waits in the spool, until it is empty or nothing is taken for `patience`; how many
/// alerts are left.
///
/// # Errors
///
/// If there is no server or no spool in the configuration, or the spool can't be opened.
pub fn drain(config: &Config, patience: Duration) -> Result<u64, Error> {
    let refuse = |text: &str| Error::Refused(text.to_owned());
    let keys = config.outputs.http.as_ref();
    let keys = keys.ok_or_else(|| refuse("http_output is not enabled in the configuration"))?;
    let spool = config.outputs.spool.as_ref();
    let spool = spool.ok_or_else(|| refuse("eyas.spool is not enabled in the configuration"))?;
    let opened = Spool::open(spool_settings(spool));
    let opened = opened.map_err(|error| Error::Refused(error.to_string()))?;
    let io = |what| move |source| Error::Io { what, source };
    let end = http::End { patience, limit: None };
    let mut channel = Http::start(http_settings(config, keys), Some(opened), end)
        .map_err(io("cannot start the output by HTTP"))?;
    channel.finish(&|| {}).map_err(|(_, fault)| Error::Refused(fault.to_string()))?;
    let status = spool::inspect(&spool.directory).map_err(io("cannot read the spool"))?;
    Ok(status.waiting())
}

fn spool_settings(keys: &SpoolKeys) -> spool::Settings {
    spool::Settings {
        directory: keys.directory.clone(),
        max_bytes: keys.max_bytes,
        fsync: match keys.fsync {
            Fsync::Never => spool::Fsync::Never,
            Fsync::Interval => spool::Fsync::Interval,
            Fsync::Always => spool::Fsync::Always,
        },
        chain: keys.hash_chain,
    }
}

fn http_settings(config: &Config, keys: &HttpKeys) -> http::Settings {
    http::Settings {
        url: keys.url.clone(),
        user_agent: keys.user_agent.clone(),
        headers: keys.headers.clone(),
        is_json: config.json_output,
        compress: keys.compress,
        keep_alive: keys.keep_alive,
        echo: keys.echo,
        timeout: keys.timeout,
        proxy: keys.proxy.clone(),
        tls: http::tls::Settings {
            insecure: keys.insecure,
            ca_cert: keys.ca_cert.clone(),
            ca_bundle: keys.ca_bundle.clone(),
            ca_path: keys.ca_path.clone(),
            client: keys.client.clone(),
        },
    }
}

fn start_channels(
    config: &Config,
    when_full: WhenFull,
    channels: Vec<Named>,
    may_end: bool,
    on_broken: impl Fn() + Send + Sync + 'static,
) -> Result<Outputs, Error> {
    let settings = settings(config, when_full, may_end);
    Outputs::start(settings, channels, on_broken).map_err(cannot_start)
}

fn settings(config: &Config, when_full: WhenFull, may_end: bool) -> outputs::Settings {
    let capacity = match config.queue_capacity {
        0 => config.own_queue_capacity,
        capacity => capacity.min(1 << 20),
    };
    outputs::Settings {
        capacity,
        when_full,
        buffered: config.buffered_outputs,
        timeout: Duration::from_millis(config.output_timeout_ms),
        may_end,
    }
}

fn file_settings(file: &File) -> outputs::file::Settings {
    outputs::file::Settings {
        path: file.path.clone(),
        keep_alive: file.keep_alive,
        rotation: Rotation { max_bytes: file.max_bytes, max_age: file.max_age, keep: file.keep },
    }
}
