//! The agent as it runs: builds the parts, runs the loop, takes everything down again.
//!
//! A source that the host refuses is told once, with the rules that it blinds; the agent goes on
//! with the others. It refuses to start if no rule could fire at all for that reason.

pub mod access;
mod adopt;
mod attended;
pub mod audit;
pub mod coverage;
pub mod drops;
mod farewell;
mod file_batch;
pub mod guarded;
pub mod host;
pub mod judge;
pub mod keeper;
pub mod live;
mod live_audit;
mod live_files;
mod losses;
mod narrow;
pub mod notify;
pub mod open_filter;
pub mod outputs;
mod pace;
pub mod plan;
mod privileges;
pub mod profile;
pub mod progress;
pub mod reload;
pub mod repeats;
pub mod replay;
pub mod samples;
mod sources;
pub mod standing;
mod statistics;
pub mod telemetry;
pub mod trace;
pub mod watch;

use std::io;
use std::io::Write as _;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
use std::time::Instant;

use mio::Waker;
use nix::sys::signal::Signal;

use crate::config::Config;
use crate::config::Engine;
use crate::engine::ruleset::RuleSet;
use crate::enrich::Needs;
use crate::event::Leftovers;
use crate::event::World;
use crate::format::Formatter;
use crate::log;
use crate::log::Level;
use crate::outputs::Finished;
use crate::outputs::WhenFull;
use crate::sys::clock;
use crate::sys::poll::SignalFd;
use crate::sys::process;

use drops::Drops;
use guarded::Guarded;
use judge::Judge;
use keeper::Keeper;
use live::Ended;
use live::Live;
use live::Loop;
use open_filter::OpenFilter;
use plan::Owner;
use plan::Plan;
use profile::Profile;
use reload::{Load, Origin, Reloader};
use samples::Samples;
use telemetry::Identity;

/// Most processes that are kept, whatever the configuration says.
const MAX_PROCESSES: usize = 65_536;

/// Events carry open descriptors, a batch of them at a time; less than this works, too.
const MAX_DESCRIPTORS: u64 = 8192;

/// What the agent runs with.
pub struct Setup<'a> {
    /// The rules.
    pub rules: RuleSet,
    /// The configuration.
    pub config: &'a Config,
    /// What both came from.
    pub origin: Origin,
    /// Loads both again.
    pub load: Arc<Load>,
    /// What the web server's `/versions` answers.
    pub versions: String,
    /// Where counts are written as time goes by.
    pub samples: Option<samples::Settings>,
    /// Stop after so long.
    pub duration: Option<Duration>,
    /// Tell more at the end.
    pub verbose: bool,
    /// Where the process id is written.
    pub pid_file: Option<PathBuf>,
    /// When the program began.
    pub started: Instant,
    /// Only what the rules' outputs say: no time before, no counts at the end.
    pub is_bare: bool,
}

impl std::fmt::Debug for Setup<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Setup").field("origin", &self.origin).finish_non_exhaustive()
    }
}

/// Why the agent doesn't run, or ended.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The configuration asks for something impossible.
    #[error("{0}")]
    Refused(String),
    /// No kernel interface is to be had that a rule needs.
    #[error("{message}")]
    Sources {
        /// What was refused.
        message: String,
        /// What to do.
        hints: Vec<String>,
    },
    /// The process id can't be written.
    #[error("Could not write pid to pidfile {0}. Exiting.")]
    PidFile(String),
    /// A call that always works didn't.
    #[error("{what}: {source}")]
    Io {
        /// What was to be done.
        what: &'static str,
        /// What the kernel said.
        source: io::Error,
    },
}

/// What /proc/version says.
#[must_use]
pub fn kernel_version() -> Option<String> {
    let text = std::fs::read("/proc/version").ok()?;
    Some(String::from_utf8_lossy(&text).trim_end().to_owned())
}

/// Seconds by which local time is ahead of UTC at a moment.
#[must_use]
pub fn local_offset(seconds: i64) -> i32 {
    clock::local_time(seconds).map_or(0, |time| i32::try_from(time.offset_seconds).unwrap_or(0))
}

/// Where our own log goes.
#[must_use]
pub const fn log_settings(config: &Config) -> log::Settings {
    log::Settings {
        level: config.log_level,
        to_stderr: config.log_stderr,
        to_syslog: config.log_syslog,
        time_iso_8601: config.time_iso_8601,
        offset_at: local_offset,
    }
}

/// Runs the agent until it is asked to end, or the capture file does.
///
/// # Errors
///
/// [`Error`]: with what wasn't possible.
pub fn run(setup: Setup<'_>) -> Result<(), Error> {
    outputs::check(setup.config)?;
    match &setup.config.engine {
        Engine::Live => run_live(setup),
        Engine::Replay(file) => run_replay(file, setup),
    }
}

fn run_live(setup: Setup<'_>) -> Result<(), Error> {
    let io = |what| move |source| Error::Io { what, source };
    let config = setup.config;
    // Before any thread exists, so that all of them leave signals to the loop.
    let signals = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGUSR1];
    let signals = SignalFd::new(&signals).map_err(io("cannot receive signals"))?;
    if let Err(error) = process::raise_descriptor_limit(MAX_DESCRIPTORS) {
        log!(Level::Debug, "cannot raise the limit of open descriptors: {error}");
    }
    // Before any thread exists: it must not wait for what another thread holds.
    let is_guarded = config.rendezvous || audit::may_take_seat(&config.audit);
    let guarded = if is_guarded { Guarded::start() } else { Guarded::default() };
    log!(Level::Info, "Loaded event sources: syscall");
    log!(Level::Info, "Enabled event sources: syscall");
    log!(Level::Info, "Opening 'syscall' source with no driver");
    let mut opened = sources::open(setup.rules.rules(), config, guarded)?;
    privileges::give_up(config);
    let watching_after = setup.started.elapsed();
    if setup.verbose {
        // Nobody is left to be told if stderr is gone.
        let met = opened.sources.guarded.met(setup.rules.rules());
        let _ = writeln!(io::stderr().lock(), "{}{met}", opened.plan);
    }

    let mut enricher = host::enricher(tells_open_exec(&opened.sources), config)?;
    enricher.set_needs(needs(&setup.rules, &opened.plan));
    if let Some(mut inbox) = opened.sources.guarded.take_inbox() {
        enricher.set_looks(Box::new(move || inbox.next_look()));
    }
    if let Some(mut calls) = opened.sources.guarded.take_calls() {
        enricher.set_exec_calls(Box::new(move || calls.next_look()));
    }
    let mut waiting = Loop::new().map_err(io("cannot make the loop"))?;
    let repeats = outputs::repeats(config)?;
    let outputs = outputs::start(config, WhenFull::Drop, setup.is_bare, wakes(waiting.waker()))?;
    let reloader = Reloader::new(Arc::clone(&setup.load), waiting.waker());
    let mut keeper = Keeper::start(config, identity(setup.versions), reloader, &setup.origin)?;
    write_pid_file(setup.pid_file.as_deref())?;
    log!(
        Level::Debug,
        "watching after {} ms, ready after {} ms",
        watching_after.as_millis(),
        setup.started.elapsed().as_millis()
    );

    let formatter = Formatter { is_bare: setup.is_bare, ..formatter(config) };
    let mut judge = Judge::new(setup.rules, formatter, outputs).live(keeper.board());
    judge.count_repeats(repeats);
    judge.write_samples(samples(setup.samples.as_ref())?);
    keeper.show(&judge, &setup.origin, &opened.plan.told());
    let drops = Drops::new(config.drops.clone(), clock::realtime_ns());
    let mut live = Live::new(opened.sources, enricher, signals, drops).with_planner(opened.planner);
    let began = Instant::now();
    let ended = live.run(&mut waiting, &mut judge, &mut keeper, setup.duration);
    keeper.stop();
    farewell::attend();
    if let Some(path) = &setup.pid_file {
        // It is stale anyway if it can't be removed.
        let _ = std::fs::remove_file(path);
    }
    log!(Level::Debug, "Stopping capture for event source 'syscall'");
    let report = live.drops().report();
    drop(live);
    if setup.verbose {
        print_speed("(syscall) ", &judge, began.elapsed());
    }
    finish(judge, &report, setup.is_bare)?;
    match ended.map_err(io("cannot wait for events"))? {
        Ended::Asked => Ok(()),
        Ended::OutputGone if setup.is_bare => Ok(()),
        Ended::OutputGone => Err(Error::Refused("stdout was closed by its reader".to_owned())),
        Ended::SourcesGone => {
            Err(Error::Refused("every kernel interface broke; see the log".to_owned()))
        }
        Ended::Drops => Err(Error::Refused("Drop manager internal error".to_owned())),
    }
}

/// Measures the rules on what happens on this host, for so long or until a signal asks for the end.
/// Nothing alerts. `on_ready` is called when nothing is missed any more. Gives the rules back with
/// what was measured.
///
/// # Errors
///
/// [`Error`]: with what wasn't possible.
pub fn profile_live(
    rules: RuleSet,
    config: &Config,
    duration: Duration,
    on_ready: impl FnOnce(),
) -> Result<(RuleSet, Profile), Error> {
    let io = |what| move |source| Error::Io { what, source };
    let signals =
        SignalFd::new(&[Signal::SIGINT, Signal::SIGTERM]).map_err(io("cannot receive signals"))?;
    if let Err(error) = process::raise_descriptor_limit(MAX_DESCRIPTORS) {
        log!(Level::Debug, "cannot raise the limit of open descriptors: {error}");
    }
    let opened = sources::open(rules.rules(), config, Guarded::default())?;
    let mut enricher = host::enricher(tells_open_exec(&opened.sources), config)?;
    enricher.set_needs(needs(&rules, &opened.plan));
    let mut waiting = Loop::new().map_err(io("cannot make the loop"))?;
    let outputs = outputs::nowhere(config)?;
    let mut judge = Judge::new(rules, formatter(config), outputs).profiling();
    let drops = Drops::new(config.drops.clone(), clock::realtime_ns());
    let mut live = Live::new(opened.sources, enricher, signals, drops).with_planner(opened.planner);
    on_ready();
    let ended = live.run_alone(&mut waiting, &mut judge, duration);
    farewell::attend();
    // What was seen is worth telling however it ended.
    if let Err(error) = ended {
        log!(Level::Error, "cannot wait for events: {error}");
    }
    let profile = judge.take_profile();
    let (rules, _, outputs) = judge.into_parts();
    // Nothing was written.
    let _ = outputs.finish();
    Ok((rules, profile))
}

fn run_replay(file: &Path, setup: Setup<'_>) -> Result<(), Error> {
    // Before signals are kept from ending the program: this may wait for the pipe's writer.
    let pipe = attended::open(file);
    let signals = SignalFd::new(&[Signal::SIGINT, Signal::SIGTERM])
        .map_err(|source| Error::Io { what: "cannot receive signals", source })?;
    let (signals, was_stopped) = (Arc::new(signals), Arc::new(AtomicBool::new(false)));
    log!(Level::Info, "Loaded event sources: syscall");
    log!(Level::Info, "Enabled event sources: syscall");
    log!(Level::Info, "Replaying events from the capture file: {}", file.display());
    let repeats = outputs::repeats(setup.config)?;
    let outputs = outputs::start(setup.config, WhenFull::Wait, setup.is_bare, || {})?;
    let formatter = Formatter { is_bare: setup.is_bare, ..formatter(setup.config) };
    let mut judge = Judge::new(setup.rules, formatter, outputs);
    judge.count_repeats(repeats);
    judge.write_samples(samples(setup.samples.as_ref())?);
    let mut should_stop = |judge: &mut Judge| {
        judge.sample(clock::realtime_ns());
        if let Ok(Some(signal)) = signals.read() {
            log!(Level::Info, "{signal} received, exiting...");
            return true;
        }
        judge.outputs().is_broken()
    };
    let began = Instant::now();
    let world_of = world_of(setup.config);
    let result = attended::capture(file, pipe, &signals, &was_stopped)
        .map_err(|error| error.to_string())
        .and_then(|capture| {
            replay::run(capture, file, setup.duration, world_of, &mut judge, &mut should_stop)
        });
    farewell::attend();
    if setup.verbose {
        print_speed("", &judge, began.elapsed());
    }
    let drops = Drops::new(setup.config.drops.clone(), 0);
    let is_broken = judge.outputs().is_broken();
    let finished = finish(judge, &drops.report(), setup.is_bare)?;
    // Where a signal ended the reading of a pipe, nothing is wrong with what came.
    if !was_stopped.load(Relaxed) {
        result.map_err(Error::Refused)?;
    }
    // `eyas events … | head` has all that it wanted.
    if is_broken && !setup.is_bare {
        return Err(Error::Refused("stdout was closed by its reader".to_owned()));
    }
    if !finished.is_complete {
        return Err(Error::Refused("not every alert could be written; see the log".to_owned()));
    }
    Ok(())
}

/// Opens the file for counts, if there is to be one.
fn samples(settings: Option<&samples::Settings>) -> Result<Option<Samples>, Error> {
    let Some(settings) = settings else { return Ok(None) };
    let opened = Samples::open(settings, clock::realtime_ns()).map_err(|error| {
        let path = settings.path.display();
        Error::Refused(format!("cannot open the statistics file (-s): {path}: {error}"))
    })?;
    Ok(Some(opened))
}

/// Makes the world that a capture, or a section of one, begins with.
#[must_use]
pub fn world_of(config: &Config) -> Box<dyn Fn() -> World> {
    let buffers_in_base64 = config.buffer_base64;
    Box::new(move || {
        let leftovers = Some(Leftovers::default());
        let mut world = World { buffers_in_base64, leftovers, ..World::default() };
        world.host.time_zone.offset_at = local_offset;
        world
    })
}

/// Whether file records tell execve's own opens from others.
fn tells_open_exec(sources: &live::Sources) -> bool {
    sources.files.as_ref().is_some_and(|files| {
        files.rungs().iter().any(|rung| rung.name == "FAN_OPEN_EXEC" && rung.taken)
    })
}

/// How alerts are written.
fn formatter(config: &Config) -> Formatter {
    Formatter {
        json: config.json_output,
        iso_time: config.time_iso_8601,
        include_output: config.json.output,
        include_message: config.json.message,
        include_output_fields: config.json.output_fields,
        include_tags: config.json.tags,
        hostname: hostname().into_bytes(),
        is_bare: false,
    }
}

/// What `evt.hostname` and the alerts' `hostname` are: FALCO_HOSTNAME, else the host's name.
#[must_use]
pub fn hostname() -> String {
    std::env::var("FALCO_HOSTNAME").unwrap_or_else(|_| {
        let name = process::hostname().unwrap_or_default();
        name.to_string_lossy().into_owned()
    })
}

/// Events of types that no enabled rule can match are not made, and an open on whose path no rule
/// can alert is not looked at.
fn needs(rules: &RuleSet, plan: &Plan) -> Needs {
    let enabled: Vec<_> = coverage::enabled(rules.rules()).map(|rule| &rule.events).collect();
    let wants = |ty| enabled.iter().any(|events| events.contains(ty));
    let filter = OpenFilter::new(rules.rules());
    Needs::new(wants, Box::new(move |path| filter.may_match(path)))
        .with_calls(|ty| plan.owner(ty) == Owner::Audit)
}

/// What is told of us as long as we run.
fn identity(versions: String) -> Identity {
    let kernel = process::kernel_release().unwrap_or_default();
    Identity {
        version: env!("CARGO_PKG_VERSION"),
        versions,
        hostname: hostname(),
        kernel: kernel.to_string_lossy().into_owned(),
    }
}

/// What the outputs do if nobody reads them any more: the loop looks once a second in any case.
fn wakes(waker: Arc<Waker>) -> impl Fn() + Send + Sync + 'static {
    move || {
        let _ = waker.wake();
    }
}

fn write_pid_file(path: Option<&Path>) -> Result<(), Error> {
    let Some(path) = path else { return Ok(()) };
    std::fs::write(path, process::own_pid().to_string())
        .map_err(|_| Error::PidFile(path.display().to_string()))
}

/// Writes out what waits, then the counts, or nothing more.
fn finish(judge: Judge, drops: &str, is_bare: bool) -> Result<Finished, Error> {
    if is_bare {
        return Ok(judge.into_parts().2.finish());
    }
    // Not locked: the outputs write what waits there until they have ended.
    finish_to(judge, Some(drops), &mut io::stdout())
}

/// Writes out what waits, then the counts to `out`: which must not be locked, since the outputs may
/// write to the same.
fn finish_to(
    judge: Judge,
    drops: Option<&str>,
    out: &mut dyn io::Write,
) -> Result<Finished, Error> {
    let (rules, statistics, outputs) = judge.into_parts();
    if let Some(report) = drops {
        // Nobody is left to be told if stderr is gone.
        let _ = io::stderr().lock().write_all(report.as_bytes());
    }
    let finished = outputs.finish();
    if !finished.is_stream_blocked {
        let text = statistics.report(rules.rules()).to_string();
        out.write_all(text.as_bytes())
            .and_then(|()| out.flush())
            .map_err(|source| Error::Io { what: "cannot write the statistics", source })?;
    }
    Ok(finished)
}

/// What `-v` adds on stderr.
fn print_speed(source: &str, judge: &Judge, elapsed: Duration) {
    let events = judge.statistics().events;
    let seconds = elapsed.as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "a rate needs no more digits")]
    let rate = if seconds > 0.0 { events as f64 / seconds } else { 0.0 };
    let text = format!(
        "Driver Events:{events}\nDriver Drops:0\n{source}Elapsed time: {seconds:.3}, Captured \
         Events: {events}, {rate:.2} eps\n"
    );
    let _ = io::stderr().lock().write_all(text.as_bytes());
}
