//! What goes on beside the events: reloads, the web server, snapshots, word to systemd.
//!
//! The loop asks once a turn; nothing here waits.

use std::sync::Arc;

use crate::config::Config;
use crate::engine::rule::Priority;
use crate::format::{Internal, InternalValue};
use crate::log;
use crate::log::Level;
use crate::metrics::METRICS;
use crate::sys::clock;
use crate::web::Server;

use super::judge::Judge;
use super::live::Request;
use super::notify::Notifier;
use super::reload::{Fresh, Origin, Reloader};
use super::telemetry::board;
use super::telemetry::{Board, Identity, Snapshots, start_web_server};
use super::watch::FileWatch;
use super::{Error, coverage};

/// The keeper.
#[derive(Debug)]
pub struct Keeper {
    config: Config,
    identity: Identity,
    board: Arc<Board>,
    reloader: Reloader,
    watch: FileWatch,
    server: Option<Server>,
    snapshots: Option<Snapshots>,
    notifier: Notifier,
}

impl Keeper {
    /// Starts what the configuration asks for.
    ///
    /// # Errors
    ///
    /// If the web server's address can't be taken.
    pub fn start(
        config: &Config,
        identity: Identity,
        reloader: Reloader,
        origin: &Origin,
    ) -> Result<Self, Error> {
        let now_ns = clock::realtime_ns();
        let board = Arc::new(Board::new(now_ns));
        let server = start_web_server(&identity, &board, config)?;
        let watch = FileWatch::of(if config.watches_files { &origin.watched } else { &[] });
        Ok(Self {
            snapshots: snapshots(config, now_ns),
            config: config.clone(),
            identity,
            board,
            reloader,
            watch,
            server,
            notifier: Notifier::from_environment(),
        })
    }

    /// The board, for what the loop shows.
    #[must_use]
    pub fn board(&self) -> Arc<Board> {
        Arc::clone(&self.board)
    }

    /// The descriptor that tells of changed files, if they are watched.
    #[must_use]
    pub fn watch(&self) -> &FileWatch {
        &self.watch
    }

    /// The rules and files in use are these; `there`: event types that the sources tell.
    pub fn show(&self, judge: &Judge, origin: &Origin, there: &[&str]) {
        let rules = judge.rules().rules();
        coverage::show(rules, there);
        let loaded = board::Loaded {
            rules: board::rows(rules, there),
            rules_files: origin.rules_files.clone(),
            config_files: origin.config_files.clone(),
        };
        self.board.load(loaded, clock::realtime_ns());
    }

    /// Everything is up.
    pub fn ready(&self) {
        self.notifier.ready();
    }

    /// The end has begun: nobody is served any more.
    pub fn stop(&mut self) {
        self.notifier.stopping();
        self.server = None;
    }

    /// Does what a signal asks for.
    pub fn request(&mut self, request: Request, judge: &Judge) {
        match request {
            Request::Reload => self.reload(),
            Request::Reopen => judge.outputs().reopen(),
            Request::Stop => {}
        }
    }

    /// Has configuration and rules loaded again.
    pub fn reload(&mut self) {
        self.notifier.reloading();
        self.reloader.ask();
    }

    /// Files that were loaded may have changed.
    pub fn files_changed(&mut self) {
        self.watch.note();
    }

    /// Once a turn of the loop: what was loaded anew, if it is to be used now.
    pub fn turn(&mut self, judge: &mut Judge, now_ns: u64) -> Option<Fresh> {
        self.notifier.beat();
        judge.sample(now_ns);
        if self.watch.is_due() {
            log!(Level::Info, "Configuration or rules files have changed, restarting...");
            self.reload();
        }
        if let Some(snapshots) = &mut self.snapshots
            && let Some(fields) = snapshots.tick(&self.identity, &self.board, now_ns)
        {
            tell_snapshot(judge, &fields, now_ns);
        }
        match self.reloader.take()? {
            Ok(fresh) => Some(fresh),
            Err(error) => {
                self.refuse(judge, &error);
                None
            }
        }
    }

    /// When the next thing is due, nanoseconds since the epoch.
    #[must_use]
    pub fn due_ns(&self, judge: &Judge) -> Option<u64> {
        let snapshot = self.snapshots.as_ref().map(Snapshots::due_ns);
        snapshot.into_iter().chain(self.watch.due_ns()).chain(judge.sample_due_ns()).min()
    }

    /// What was loaded anew can't be used; the old stays.
    pub fn refuse(&mut self, judge: &mut Judge, error: &str) {
        log!(Level::Error, "the rules stay as they are: {error}");
        METRICS.rules.reloads.with(&["refused"]).increment();
        judge.tell_failed_reload(error, clock::realtime_ns());
        self.notifier.ready();
    }

    /// What was loaded anew is used from now on; `there` as in [`Self::show`].
    pub fn adopt(&mut self, config: Config, origin: &Origin, judge: &Judge, there: &[&str]) {
        let is_other = (&config.web_server, &config.metrics)
            != (&self.config.web_server, &self.config.metrics);
        if is_other {
            self.snapshots = snapshots(&config, clock::realtime_ns());
            // The same port can't be taken twice.
            self.server = None;
            match start_web_server(&self.identity, &self.board, &config) {
                Ok(server) => self.server = server,
                Err(error) => log!(Level::Error, "{error}"),
            }
        }
        self.watch.set(if config.watches_files { &origin.watched } else { &[] });
        self.config = config;
        self.show(judge, origin, there);
        METRICS.rules.reloads.with(&["ok"]).increment();
        self.notifier.ready();
        log!(Level::Info, "the rules were loaded again");
    }

    /// The configuration in use.
    #[must_use]
    pub const fn config(&self) -> &Config {
        &self.config
    }
}

fn snapshots(config: &Config, now_ns: u64) -> Option<Snapshots> {
    let settings = config.metrics.clone()?;
    let is_wanted = settings.as_alert || settings.file.is_some();
    is_wanted.then(|| Snapshots::new(settings, now_ns))
}

fn tell_snapshot(
    judge: &mut Judge,
    fields: &serde_json::Map<String, serde_json::Value>,
    now_ns: u64,
) {
    let fields: Vec<_> =
        fields.iter().filter_map(|(key, it)| Some((key.as_str(), internal(it)?))).collect();
    let message = Internal {
        rule: super::telemetry::SNAPSHOT_RULE,
        priority: Priority::Informational,
        message: super::telemetry::SNAPSHOT_MESSAGE,
        fields: &fields,
    };
    judge.tell(&message, now_ns);
}

fn internal(value: &serde_json::Value) -> Option<InternalValue<'_>> {
    match value {
        serde_json::Value::String(text) => Some(InternalValue::Text(text)),
        serde_json::Value::Number(number) => {
            let whole = number.as_u64().map(InternalValue::UInt);
            whole.or_else(|| number.as_f64().map(InternalValue::Double))
        }
        _ => None,
    }
}
