//! Configuration and rules loaded anew, beside those that are in use.
//!
//! Loading takes its time, so it is done by a thread of its own while the loop goes on judging by
//! the old rules; the loop takes what has come of it between two events.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};

use mio::Waker;

use crate::config::Config;
use crate::engine::ruleset::RuleSet;
use crate::sys::process;

/// What was loaded, ready to be used.
#[derive(Debug)]
pub struct Fresh {
    /// The rules.
    pub rules: RuleSet,
    /// The configuration.
    pub config: Config,
    /// What both came from.
    pub origin: Origin,
}

/// The files that something was loaded from.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Origin {
    /// Name and SHA-256 of each rules file.
    pub rules_files: Vec<(String, String)>,
    /// Name and SHA-256 of each configuration file.
    pub config_files: Vec<(String, String)>,
    /// Files and directories whose change means that loading again would give something else.
    pub watched: Vec<PathBuf>,
}

/// Loads everything; why that isn't possible, otherwise.
pub type Load = dyn Fn() -> Result<Fresh, String> + Send + Sync;

/// Has things loaded, one load at a time.
pub struct Reloader {
    load: Arc<Load>,
    waker: Arc<Waker>,
    running: Option<Receiver<Result<Fresh, String>>>,
    /// It was asked for again while one was running, which may have read the old files.
    again: bool,
}

impl std::fmt::Debug for Reloader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reloader").field("running", &self.running.is_some()).finish_non_exhaustive()
    }
}

impl Reloader {
    /// `waker` wakes the loop that then [takes](Self::take) the result.
    #[must_use]
    pub fn new(load: Arc<Load>, waker: Arc<Waker>) -> Self {
        Self { load, waker, running: None, again: false }
    }

    /// Starts loading, or has it done once more behind the load that is running.
    pub fn ask(&mut self) {
        if self.running.is_some() {
            self.again = true;
            return;
        }
        let (give, take) = sync_channel(1);
        let (load, waker) = (Arc::clone(&self.load), Arc::clone(&self.waker));
        let thread = std::thread::Builder::new().name("reload".to_owned()).spawn(move || {
            // It inherits the loop's precedence, and has no need of it.
            let _ = process::set_nice(0);
            // The loop may be gone by now.
            let _ = give.send(load());
            let _ = waker.wake();
        });
        if let Err(error) = thread {
            crate::log!(crate::log::Level::Error, "cannot start a thread to reload: {error}");
            return;
        }
        self.running = Some(take);
    }

    /// What was loaded, once it is.
    pub fn take(&mut self) -> Option<Result<Fresh, String>> {
        let result = match self.running.as_ref()?.try_recv() {
            Ok(result) => result,
            Err(TryRecvError::Empty) => return None,
            Err(TryRecvError::Disconnected) => Err("loading broke off".to_owned()),
        };
        self.running = None;
        if std::mem::take(&mut self.again) {
            // What has come is older than the last wish.
            self.ask();
            return None;
        }
        Some(result)
    }
}
