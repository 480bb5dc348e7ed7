//! The thread that sends: the oldest alert, until the server has taken it.

use std::hash::{BuildHasher as _, Hasher as _};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use super::client::{Client, Outcome};
use super::{Inner, Shared, tell};
use crate::log;
use crate::log::Level;
use crate::log_limited;
use crate::metrics::METRICS;
use crate::outputs::Alert;
use crate::outputs::privileges;
use crate::outputs::spool::{Record, Spool};

/// The first and the longest time between two attempts. A server that fails now and then is asked
/// again almost at once; one that is down for longer twice a minute.
const FIRST_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// The longest time between two attempts when the agent ends.
const LAST_PAUSE: Duration = Duration::from_millis(200);

/// How often it is told that nothing is taken.
const TELL_EVERY: Duration = Duration::from_secs(60);

/// How long nothing may be taken before that is told.
const QUIET: Duration = Duration::from_secs(1);

/// How often the sender looks by itself.
const IDLE: Duration = Duration::from_secs(1);

/// An alert that is being sent.
enum Item {
    /// Kept on disk until it was taken.
    Kept(Record),
    /// Only here.
    Held(Arc<Alert>),
}

/// The thread.
pub(super) struct Sender {
    client: Client,
    shared: Arc<Shared>,
    pause: Duration,
    /// Since when nothing was taken, and when that was told.
    failing: Option<(Instant, Option<Instant>)>,
}

impl Sender {
    pub(super) const fn new(client: Client, shared: Arc<Shared>) -> Self {
        Self { client, shared, pause: FIRST_PAUSE, failing: None }
    }

    /// Sends until nothing will come any more, or it is told to give up.
    pub(super) fn run(mut self) {
        privileges::give_up("http");
        while let Some(item) = self.next() {
            if !self.deliver(&item) {
                break;
            }
            self.answered(&item);
        }
        self.shared.lock().is_done = true;
        self.shared.changed.notify_all();
    }

    /// Waits for the oldest alert; `None` at the end.
    fn next(&self) -> Option<Item> {
        let mut inner = self.shared.lock();
        loop {
            if inner.stops {
                return None;
            }
            if let Some(item) = inner.oldest() {
                return Some(item);
            }
            if inner.is_ended {
                return None;
            }
            let waited = self.shared.changed.wait_timeout(inner, IDLE);
            inner = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Sends one alert until it is answered for good; `false` if it is to be given up.
    fn deliver(&mut self, item: &Item) -> bool {
        let (payload, chain) = match item {
            Item::Kept(record) => (&record.payload[..], record.chain.map(|it| (record.number, it))),
            Item::Held(alert) => (&alert.text[..], None),
        };
        let chain = chain.map(|(number, hash)| format!("{number} {}", hex(&hash)));
        let extra = chain.as_deref().map(|text| ("Eyas-Chain", text));
        loop {
            METRICS.http.requests.increment();
            match self.client.send(payload, extra) {
                Outcome::Taken => return true,
                Outcome::Refused(reason) => {
                    METRICS.http.refused.increment();
                    METRICS.outputs.failed.increment();
                    log_limited!(Level::Error, "http: {reason}: this alert is lost");
                    return true;
                }
                Outcome::Later { reason, after, is_timeout } => {
                    METRICS.http.failed.increment();
                    if is_timeout {
                        METRICS.http.timeouts.increment();
                    }
                    self.tell(&reason);
                    if !self.wait(after, reason) {
                        return false;
                    }
                }
            }
        }
    }

    /// Tells that nothing is taken: not of the one request that fails now and then.
    fn tell(&mut self, reason: &str) {
        let now = Instant::now();
        let (since, told) = self.failing.get_or_insert((now, None));
        let is_due = told.map_or(now - *since >= QUIET, |told| now - told >= TELL_EVERY);
        if is_due {
            *told = Some(now);
            let waiting = self.shared.lock().waiting();
            log!(Level::Error, "http: {reason}; {waiting} alerts wait and it is tried again");
        }
    }

    /// Waits before the next attempt; `false` if there is to be none.
    fn wait(&mut self, after: Duration, reason: String) -> bool {
        let pause = jittered(self.pause).max(after);
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        let began = Instant::now();
        let mut inner = self.shared.lock();
        inner.trouble = Some(reason);
        loop {
            let pause = if inner.is_ended { pause.min(LAST_PAUSE) } else { pause };
            let left = pause.saturating_sub(began.elapsed());
            if inner.stops || left.is_zero() {
                return !inner.stops;
            }
            let waited = self.shared.changed.wait_timeout(inner, left);
            inner = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// The alert needs no more care.
    fn answered(&mut self, item: &Item) {
        self.pause = FIRST_PAUSE;
        if let Some((since, Some(_))) = self.failing.take() {
            let seconds = since.elapsed().as_secs();
            log!(Level::Notice, "http: works again after {seconds} s");
        }
        let mut inner = self.shared.lock();
        inner.answered += 1;
        inner.trouble = None;
        inner.has_one_in_hand = false;
        if let (Item::Kept(record), Some(spool)) = (item, &mut inner.spool)
            && let Err(error) = spool.done(record.number)
        {
            log_limited!(
                Level::Error,
                "http: the spool can't note what was sent: {error}; it may be sent again"
            );
        }
        inner.show();
        drop(inner);
        self.shared.changed.notify_all();
    }
}

impl Inner {
    /// The oldest alert, from the disk first: what is in memory came later.
    fn oldest(&mut self) -> Option<Item> {
        let from_disk = self.spool.as_mut().map(Spool::oldest);
        if let Some(spool) = &mut self.spool {
            tell(spool.take_losses());
        }
        match from_disk {
            Some(Ok(Some(record))) => return Some(Item::Kept(record)),
            Some(Err(error)) => {
                log_limited!(Level::Error, "http: the spool can't be read: {error}");
                return None;
            }
            Some(Ok(None)) | None => {}
        }
        let alert = self.memory.pop_front()?;
        self.memory_bytes -= alert.text.len();
        self.has_one_in_hand = true;
        Some(Item::Held(alert))
    }

    /// Alerts that wait, as far as is known here.
    fn waiting(&self) -> u64 {
        let held = self.memory.len() + usize::from(self.has_one_in_hand);
        let kept = self.spool.as_ref().map_or(0, Spool::waiting);
        kept + u64::try_from(held).unwrap_or(0)
    }
}

/// Between half of it and all of it, so that many agents don't come at once.
fn jittered(pause: Duration) -> Duration {
    let random = std::hash::RandomState::new().build_hasher().finish() % 1000;
    let share = u32::try_from(random).unwrap_or(0);
    pause / 2 + pause / 2 * share / 1000
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jitter_stays_between_half_and_all() {
        for _ in 0..1000 {
            let pause = jittered(Duration::from_millis(100));
            assert!((50..=100).contains(&pause.as_millis()), "{pause:?}");
        }
    }
}
