//! Alerts to a server by HTTP, one request each, in order and at least once.
//!
//! The channel's thread keeps alerts in the spool, another one sends the oldest until the server
//! has taken it. Without a spool, or if its disk is full, they wait in memory, of which there is
//! little; then in the channel's queue.

mod client;
mod resolve;
mod sender;
pub mod tls;

pub use client::Settings;

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::spool::{Losses, Spool};
use super::{Alert, Channel, Fault};
use crate::log;
use crate::log::Level;
use crate::log_limited;
use crate::metrics::METRICS;

use client::Client;
use sender::Sender;

/// Most bytes of alerts that wait in memory beside the queue.
const MAX_MEMORY: usize = 1 << 20;

/// How long a write waits for room.
const ROOM_PATIENCE: Duration = Duration::from_secs(1);

/// How often the spool is forced onto the disk.
const SYNC_EVERY: Duration = Duration::from_secs(1);

/// How the end goes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct End {
    /// It is given up after so long without an answer.
    pub patience: Duration,
    /// It is given up after so long in any case, if something is kept in a spool.
    pub limit: Option<Duration>,
}

/// What the two threads share.
#[derive(Debug)]
struct Shared {
    inner: Mutex<Inner>,
    changed: Condvar,
}

#[derive(Debug)]
struct Inner {
    spool: Option<Spool>,
    memory: VecDeque<Arc<Alert>>,
    memory_bytes: usize,
    /// The sender has one that is in neither.
    has_one_in_hand: bool,
    /// Nothing will come any more.
    is_ended: bool,
    /// The sender is to give up.
    stops: bool,
    /// The sender has ended.
    is_done: bool,
    /// Alerts that the server has taken or refused.
    answered: u64,
    /// Why nothing is taken now.
    trouble: Option<String>,
}

/// The channel.
#[derive(Debug)]
pub struct Http {
    shared: Arc<Shared>,
    synced: Instant,
    end: End,
}

impl Http {
    /// Starts the thread that sends.
    ///
    /// # Errors
    ///
    /// If no thread can be made.
    pub fn start(settings: Settings, spool: Option<Spool>, end: End) -> io::Result<Self> {
        let inner = Inner {
            spool,
            memory: VecDeque::new(),
            memory_bytes: 0,
            has_one_in_hand: false,
            is_ended: false,
            stops: false,
            is_done: false,
            answered: 0,
            trouble: None,
        };
        inner.show();
        let shared = Arc::new(Shared { inner: Mutex::new(inner), changed: Condvar::new() });
        let mut client = Client::new(settings);
        if let Err(reason) = client.prepare() {
            log!(Level::Error, "Failed to init output: http: {reason}");
        }
        let sender = Sender::new(client, Arc::clone(&shared));
        std::thread::Builder::new()
            .name("http-sender".to_owned())
            .stack_size(1 << 20)
            .spawn(move || sender.run())?;
        Ok(Self { shared, synced: Instant::now(), end })
    }

    /// Forces the spool onto the disk, if it is time to.
    fn sync(&mut self, is_urgent: bool) {
        if !is_urgent && self.synced.elapsed() < SYNC_EVERY {
            return;
        }
        self.synced = Instant::now();
        let file = self.shared.lock().spool.as_mut().and_then(Spool::take_dirty);
        if let Some(file) = file
            && let Err(error) = file.sync_data()
        {
            log_limited!(Level::Error, "http: the spool can't be forced onto the disk: {error}");
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// Keeps alerts on disk if that works, else in memory; how many there was room for.
    fn keep(&mut self, alerts: &[Arc<Alert>]) -> usize {
        if let Some(spool) = &mut self.spool {
            // What waits in memory is older.
            self.memory.extend(alerts.iter().map(Arc::clone));
            let result = spool.append(self.memory.make_contiguous());
            let losses = spool.take_losses();
            tell(losses);
            match result {
                Ok(()) => {
                    METRICS.spool.kept.add(u64::try_from(self.memory.len()).unwrap_or(0));
                    self.memory.clear();
                    self.memory_bytes = 0;
                    self.show();
                    return alerts.len();
                }
                Err(error) => {
                    self.memory.truncate(self.memory.len() - alerts.len());
                    log_limited!(
                        Level::Error,
                        "http: the spool can't be written: {error}; alerts wait in memory"
                    );
                }
            }
        }
        let mut kept = 0;
        for alert in alerts {
            if self.memory_bytes + alert.text.len() > MAX_MEMORY && !self.memory.is_empty() {
                break;
            }
            self.memory_bytes += alert.text.len();
            self.memory.push_back(Arc::clone(alert));
            kept += 1;
        }
        kept
    }

    /// Shows the spool's state to whoever reads metrics.
    fn show(&self) {
        if let Some(spool) = &self.spool {
            METRICS.spool.waiting.set(spool.waiting());
            METRICS.spool.bytes.set(spool.bytes());
        }
    }
}

/// Tells and counts what a spool has lost.
fn tell(losses: Losses) {
    if losses.dropped > 0 {
        METRICS.spool.dropped.add(losses.dropped);
        log_limited!(
            Level::Error,
            "http: the spool is full: {} of its oldest alerts were dropped, {} in all",
            losses.dropped,
            METRICS.spool.dropped.get()
        );
    }
    if losses.damaged > 0 {
        METRICS.spool.damaged.add(losses.damaged);
        log!(Level::Error, "http: {} alerts in the spool are damaged and lost", losses.damaged);
    }
    if losses.torn > 0 {
        log!(
            Level::Warning,
            "http: the spool ended in {} bytes that are no whole alert, as after a power loss; they \
             were cut off",
            losses.torn
        );
    }
}

impl Channel for Http {
    fn write(&mut self, alerts: &[Arc<Alert>]) -> Result<(), (usize, Fault)> {
        let mut inner = self.shared.lock();
        let kept = inner.keep(alerts);
        self.shared.changed.notify_all();
        if kept == 0 && !alerts.is_empty() {
            let answered = inner.answered;
            let is_full = |inner: &mut Inner| inner.answered == answered;
            let waited = self.shared.changed.wait_timeout_while(inner, ROOM_PATIENCE, is_full);
            let (inner, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
            if timeout.timed_out() {
                let reason = inner.trouble.clone();
                let reason = reason.unwrap_or_else(|| "the server is too slow".to_owned());
                return Err((0, Fault::Again(reason)));
            }
            return Err((0, Fault::Full));
        }
        drop(inner);
        self.sync(false);
        if kept == alerts.len() { Ok(()) } else { Err((kept, Fault::Full)) }
    }

    fn idle(&mut self) {
        self.sync(false);
    }

    fn finish(&mut self, progress: &dyn Fn()) -> Result<(), (usize, Fault)> {
        self.sync(true);
        let began = Instant::now();
        let mut moved = began;
        let mut inner = self.shared.lock();
        inner.is_ended = true;
        self.shared.changed.notify_all();
        while !inner.is_done {
            let answered = inner.answered;
            let waited = self.shared.changed.wait_timeout(inner, Duration::from_millis(50));
            inner = waited.unwrap_or_else(PoisonError::into_inner).0;
            if inner.answered != answered {
                moved = Instant::now();
                progress();
            }
            let has_spool = inner.spool.is_some();
            let is_late = has_spool && self.end.limit.is_some_and(|limit| began.elapsed() > limit);
            if moved.elapsed() > self.end.patience || is_late {
                inner.stops = true;
                self.shared.changed.notify_all();
                break;
            }
        }
        // Closed now, whatever the sender still waits for: the next channel opens it again.
        let spool = inner.spool.take();
        if let Some(spool) = spool.filter(|spool| spool.waiting() > 0) {
            log!(
                Level::Notice,
                "http: {} alerts wait in the spool; they are sent after the next start, or by `eyas \
                 spool drain`",
                spool.waiting()
            );
        }
        let lost = inner.memory.len() + usize::from(inner.has_one_in_hand);
        if lost == 0 {
            return Ok(());
        }
        let reason = inner.trouble.clone().unwrap_or_else(|| "the server is too slow".to_owned());
        Err((lost, Fault::Again(reason)))
    }

    fn end_patience(&self) -> Option<Duration> {
        Some(self.end.patience)
    }
}
