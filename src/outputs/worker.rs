//! The thread behind a queue: takes alerts, hands them to its channel, tries again what may work
//! later.
//!
//! What is wrong with a channel is told here, once and then now and then, and what is lost is
//! counted here.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use super::privileges;
use super::queue::{Order, Queue};
use super::{Alert, Channel, Fault, Origin, Settings, WhenFull, milliseconds};
use crate::log;
use crate::log::Level;
use crate::log_limited;
use crate::metrics::METRICS;
use crate::sys::process;

/// How long alerts are gathered if they may be.
const GATHER: Duration = Duration::from_secs(1);

/// The shortest time between two writes, so that a storm of alerts costs neither a system call nor
/// a wake for each: an alert after a quiet while is written at once, others wait at most so long.
const PACE: Duration = Duration::from_millis(1);

/// The same for a capture file, whose alerts nobody awaits as they come.
const REPLAY_PACE: Duration = Duration::from_millis(20);

/// How often a channel without work may look after itself.
const IDLE: Duration = Duration::from_secs(1);

/// The first and the longest time between two attempts.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// How long a capture file waits for a channel that doesn't work.
const WAIT_PATIENCE: Duration = Duration::from_secs(10);

/// How often it is told that a channel still doesn't work.
const TELL_EVERY: Duration = Duration::from_secs(60);

/// How long the end waits for a channel that can't be told to stop.
const STOP_PATIENCE: Duration = Duration::from_millis(200);

/// What the thread tells the rest.
#[derive(Debug, Default)]
pub(super) struct State {
    /// Milliseconds since the start at which the present work began, plus one; zero: none. Every
    /// success begins it anew.
    pub(super) busy_since_ms: AtomicU64,
    /// Whoever took the alerts is gone for good.
    pub(super) is_broken: AtomicBool,
    /// The queue was full before.
    pub(super) was_full: AtomicBool,
    /// Alerts that were dropped since the queue was full.
    pub(super) dropped: AtomicU64,
    /// Alerts that could not be written.
    pub(super) failed: AtomicU64,
    /// How long the end waits for the channel, milliseconds; zero: as long as for others.
    end_patience_ms: AtomicU64,
    /// What waits is given up: a channel that still waits for others is to come back.
    pub(super) stop: Arc<AtomicBool>,
    /// How long that may take, milliseconds; zero: as long as for others.
    stop_patience_ms: AtomicU64,
}

impl State {
    /// How long the end waits for the channel once it was told to stop.
    pub(super) fn stop_patience(&self) -> Duration {
        match self.stop_patience_ms.load(Relaxed) {
            0 => STOP_PATIENCE,
            patience => Duration::from_millis(patience),
        }
    }

    /// How long the end waits for the channel if nothing moves: a little more than it takes itself.
    pub(super) fn end_patience(&self) -> Duration {
        match self.end_patience_ms.load(Relaxed) {
            0 => Duration::ZERO,
            patience => Duration::from_millis(patience + 500),
        }
    }

    fn mark_busy(&self, start: Instant) {
        self.busy_since_ms.store(milliseconds(start.elapsed()) + 1, Relaxed);
    }
}

/// A queue and what is told of its thread, before there is a channel.
pub(super) struct Seat {
    pub(super) name: &'static str,
    pub(super) queue: Arc<Queue>,
    pub(super) state: Arc<State>,
    pub(super) settings: Settings,
    pub(super) start: Instant,
    /// Closed by the thread's end.
    pub(super) _alive: Sender<()>,
}

impl Seat {
    /// Works until the end of the queue; `on_broken` is called if the channel is gone for good.
    pub(super) fn run(self, origin: Origin, on_broken: &dyn Fn()) {
        match self.channel(origin) {
            Ok(mut channel) => {
                let patience = channel.stop_with(Arc::clone(&self.state.stop));
                self.state.stop_patience_ms.store(patience.map_or(0, milliseconds), Relaxed);
                let patience = channel.end_patience().map_or(0, milliseconds);
                self.state.end_patience_ms.store(patience, Relaxed);
                if !channel.runs_programs() {
                    privileges::give_up(self.name);
                }
                let worker = Worker { seat: self, channel, batch: VecDeque::new(), failing: None };
                worker.run(on_broken);
            }
            Err(error) => {
                log!(Level::Error, "Failed to init output: {}: {error}", self.name);
                self.state.is_broken.store(true, Relaxed);
                self.fail(self.queue.discard());
                on_broken();
            }
        }
    }

    /// Waits until whoever it follows is through, and opens the channel.
    fn channel(&self, origin: Origin) -> io::Result<Box<dyn Channel>> {
        let (from, make) = match origin {
            Origin::Ready(channel) => return Ok(channel),
            Origin::After(from, make) => (from, make),
        };
        // It inherits the loop's precedence, and so would programs that it starts.
        let _ = process::set_nice(0);
        if let Ok(predecessor) = from.recv() {
            // That has a deadline; meanwhile nobody shall take this one for stuck.
            predecessor.finish(&|| self.mark_busy());
        }
        self.mark_busy();
        let channel = make();
        self.state.busy_since_ms.store(0, Relaxed);
        channel
    }

    fn mark_busy(&self) {
        self.state.mark_busy(self.start);
    }

    fn fail(&self, alerts: usize) {
        let alerts = u64::try_from(alerts).unwrap_or(u64::MAX);
        self.state.failed.fetch_add(alerts, Relaxed);
        METRICS.outputs.failed.add(alerts);
    }
}

/// A seat with its channel.
struct Worker {
    seat: Seat,
    channel: Box<dyn Channel>,
    batch: VecDeque<Arc<Alert>>,
    /// Since when nothing works, and when it was last told.
    failing: Option<Failing>,
}

/// A channel doesn't work.
#[derive(Clone, Copy, Debug)]
struct Failing {
    since: Instant,
    told: Instant,
    pause: Duration,
    has_given_up: bool,
}

impl Worker {
    fn run(mut self, on_broken: &dyn Fn()) {
        let settings = self.seat.settings;
        let mut written = None;
        loop {
            let order = self.seat.queue.take(&mut self.batch, || patience(settings, written), IDLE);
            let next = self.follow(order);
            if order == Order::Write {
                written = Some(Instant::now());
            }
            match next {
                Next::Go => {}
                Next::Stop => break,
                Next::Broken => {
                    self.seat.state.is_broken.store(true, Relaxed);
                    let left = self.seat.queue.discard();
                    if !self.seat.settings.may_end {
                        self.seat.fail(left + self.batch.len());
                    }
                    return on_broken();
                }
            }
        }
        self.seat.mark_busy();
        let (state, start) = (Arc::clone(&self.seat.state), self.seat.start);
        let progress = || state.mark_busy(start);
        if let Err((lost, fault)) = self.channel.finish(&progress) {
            log!(Level::Error, "{}: {fault}", self.seat.name);
            self.seat.fail(lost);
        }
        self.seat.state.busy_since_ms.store(0, Relaxed);
    }

    fn follow(&mut self, order: Order) -> Next {
        match order {
            Order::Write => self.deliver(),
            Order::Reopen => {
                self.seat.mark_busy();
                self.channel.reopen();
                self.seat.state.busy_since_ms.store(0, Relaxed);
                Next::Go
            }
            Order::Nothing => {
                self.channel.idle();
                Next::Go
            }
            Order::End => Next::Stop,
            Order::Discard => {
                self.seat.fail(self.batch.len());
                self.batch.clear();
                Next::Stop
            }
        }
    }

    /// Writes the batch, however many attempts it takes.
    fn deliver(&mut self) -> Next {
        self.seat.mark_busy();
        while !self.batch.is_empty() {
            if self.seat.state.stop.load(Relaxed) {
                return self.follow(Order::Discard);
            }
            let before = self.batch.len();
            let result = self.channel.write(self.batch.make_contiguous());
            let (done, fault) = match result {
                Ok(()) => (before, None),
                Err((done, fault)) => (done.min(before), Some(fault)),
            };
            self.batch.drain(..done);
            if done > 0 {
                self.seat.mark_busy();
                if let Some(failing) = &mut self.failing {
                    failing.pause = FIRST_PAUSE;
                }
            }
            let Some(fault) = fault else {
                self.recover();
                continue;
            };
            match fault {
                Fault::Gone(reason) => {
                    if !self.seat.settings.may_end {
                        log!(Level::Error, "{}: {reason}", self.seat.name);
                    }
                    return Next::Broken;
                }
                Fault::Unfit(reason) => {
                    self.batch.pop_front();
                    self.seat.fail(1);
                    log_limited!(Level::Error, "{}: an alert is lost: {reason}", self.seat.name);
                }
                Fault::Full => {}
                // Whoever has set that has told of it.
                Fault::Again(_) if self.seat.state.stop.load(Relaxed) => {}
                Fault::Again(reason) => {
                    if self.wait_after(&reason) == Next::Stop {
                        return Next::Stop;
                    }
                }
            }
        }
        self.seat.state.busy_since_ms.store(0, Relaxed);
        Next::Go
    }

    /// Tells of a fault and waits before the next attempt; the batch is lost if there is none.
    fn wait_after(&mut self, reason: &str) -> Next {
        let now = Instant::now();
        let mut failing = self.failing.unwrap_or(Failing {
            since: now,
            told: now,
            pause: FIRST_PAUSE,
            has_given_up: false,
        });
        if self.failing.is_none() || now - failing.told >= TELL_EVERY {
            failing.told = now;
            log!(
                Level::Error,
                "{}: {reason}; {} alerts wait and it is tried again",
                self.seat.name,
                self.batch.len() + self.seat.queue.len()
            );
        }
        let waits = self.seat.settings.when_full == WhenFull::Wait;
        if waits && (failing.has_given_up || now - failing.since >= WAIT_PATIENCE) {
            if !failing.has_given_up {
                log!(
                    Level::Error,
                    "{}: {reason} for {} s; alerts are lost until it works",
                    self.seat.name,
                    WAIT_PATIENCE.as_secs()
                );
            }
            failing.has_given_up = true;
            self.failing = Some(failing);
            self.seat.fail(self.batch.len());
            self.batch.clear();
            return Next::Go;
        }
        let pause = failing.pause;
        failing.pause = (pause * 2).min(LONGEST_PAUSE);
        self.failing = Some(failing);
        let order = self.seat.queue.pause(pause);
        match order {
            Order::Discard | Order::Reopen => self.follow(order),
            Order::Write | Order::Nothing | Order::End => Next::Go,
        }
    }

    /// Everything works.
    fn recover(&mut self) {
        if let Some(failing) = self.failing.take() {
            let seconds = failing.since.elapsed().as_secs();
            log!(Level::Notice, "{}: works again after {seconds} s", self.seat.name);
        }
    }
}

/// How long alerts are left to gather if the last write was at `written`.
fn patience(settings: Settings, written: Option<Instant>) -> Option<Duration> {
    if settings.buffered {
        return Some(GATHER);
    }
    let pace = match settings.when_full {
        WhenFull::Drop => PACE,
        WhenFull::Wait => REPLAY_PACE,
    };
    let left = pace.checked_sub(written?.elapsed())?;
    (!left.is_zero()).then_some(left)
}

/// What follows.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Next {
    Go,
    Stop,
    Broken,
}
