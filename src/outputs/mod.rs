//! Where alerts go: a bounded queue and a thread for each channel, so that a slow reader never holds
//! up detection, or the other channels.
//!
//! Live, a full queue drops the newest alert, counts it and says so once; a capture file has time
//! and waits instead. What an alert looks like is not known here.

pub mod file;
pub mod http;
mod lines;
mod privileges;
pub mod program;
mod queue;
mod running;
pub mod spool;
pub mod stdout;
pub mod syslog;
mod worker;

use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::log;
use crate::log::Level;
use crate::log_limited;
use crate::metrics::METRICS;

use queue::Queue;
use worker::{Seat, State};

/// How often it is looked, at the end, whether anything moves.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// How long the end waits for a channel if `output_timeout` is switched off.
const END_PATIENCE: Duration = Duration::from_secs(5);

/// What happens to an alert for which a queue has no room.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum WhenFull {
    /// It is dropped and counted.
    Drop,
    /// Whoever brings it waits.
    Wait,
}

/// How queues are made.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Most alerts that wait for one channel.
    pub capacity: usize,
    /// What happens to more.
    pub when_full: WhenFull,
    /// Alerts may be gathered before they are written.
    pub buffered: bool,
    /// After how long a channel that takes nothing is told of; zero: never.
    pub timeout: Duration,
    /// Readers may go away when they have enough: that is no fault, and nothing is lost by it.
    pub may_end: bool,
}

/// An alert, as it is written.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Alert {
    /// One line, without its end.
    pub text: Box<[u8]>,
    /// Of its rule, as syslog counts: 0 emergency … 7 debug.
    pub priority: u8,
}

/// Why alerts were not written.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Fault {
    /// It may work later.
    Again(String),
    /// The first alert that wasn't written never will be.
    Unfit(String),
    /// Nothing will ever be written again.
    Gone(String),
    /// There is no room for more just now; it has been waited for.
    Full,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Again(reason) | Self::Unfit(reason) | Self::Gone(reason) => f.write_str(reason),
            Self::Full => f.write_str("there is no room"),
        }
    }
}

/// One way out. All calls come from the channel's own thread and may block.
pub trait Channel: Send {
    /// Writes alerts, in order.
    ///
    /// # Errors
    ///
    /// With the number of alerts that were written before the fault; the others come again, except
    /// if the fault says otherwise.
    fn write(&mut self, alerts: &[Arc<Alert>]) -> Result<(), (usize, Fault)>;

    /// Opens everything again, on SIGUSR1.
    fn reopen(&mut self) {}

    /// Called about once a second if there is nothing to write.
    fn idle(&mut self) {}

    /// Called at the end, after the last write. Whoever takes long says through `progress` that it
    /// still moves.
    ///
    /// # Errors
    ///
    /// With the number of alerts that are lost by it.
    fn finish(&mut self, progress: &dyn Fn()) -> Result<(), (usize, Fault)> {
        progress();
        Ok(())
    }

    /// Whether it starts programs. Its thread keeps every privilege then, since they may need any.
    fn runs_programs(&self) -> bool {
        false
    }

    /// Takes a word that is set once nothing is waited for any more; whoever would still wait for
    /// others then comes back. How long that may take, if the channel heeds it.
    fn stop_with(&mut self, stop: Arc<AtomicBool>) -> Option<Duration> {
        drop(stop);
        None
    }

    /// How long the end waits for it if nothing moves; `None`: as long as for others.
    fn end_patience(&self) -> Option<Duration> {
        None
    }
}

/// A channel and what the log calls it.
pub type Named = (&'static str, Box<dyn Channel>);

/// Opens a channel; called where it may block.
pub type Make = Box<dyn FnOnce() -> io::Result<Box<dyn Channel>> + Send>;

/// How a channel is opened, and what the log calls it.
pub type Maker = (&'static str, Make);

/// What came of the outputs in the end.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Finished {
    /// Every channel took what it was given.
    pub is_complete: bool,
    /// Nobody reads the standard stream to which alerts were written.
    pub is_stream_blocked: bool,
}

/// The output channels.
#[derive(Debug)]
pub struct Outputs {
    outlets: Vec<Outlet>,
    settings: Settings,
    start: Instant,
}

/// One channel, seen from outside its thread.
#[derive(Debug)]
struct Outlet {
    name: &'static str,
    queue: Arc<Queue>,
    state: Arc<State>,
    thread: JoinHandle<()>,
    /// Closed by the thread's end.
    ended: Receiver<()>,
}

/// Where a thread gets its channel from.
enum Origin {
    Ready(Box<dyn Channel>),
    /// Made once another one is through.
    After(Receiver<Predecessor>, Make),
}

/// A channel that makes way for another.
#[derive(Debug)]
struct Predecessor {
    outlet: Outlet,
    settings: Settings,
    start: Instant,
}

impl Predecessor {
    /// Waits until it has written what waits there, or takes too long; `on_look` is called
    /// meanwhile.
    fn finish(self, on_look: &dyn Fn()) {
        let name = self.outlet.name;
        let timeout = patience(&self.settings);
        if !self.outlet.finish(timeout, self.start, self.settings.may_end, on_look) {
            log!(
                Level::Warning,
                "{name}: not all alerts went out by the output of the old configuration"
            );
        }
    }
}

/// Outputs that keep alerts until they are told whom they follow.
#[derive(Debug)]
pub struct Successors(Vec<(&'static str, Sender<Predecessor>)>);

impl Successors {
    /// Ends `old`: each of its channels writes what waits there, within the deadline of any end,
    /// before the one of the same name is opened. Nothing here waits for that.
    pub fn follow(self, old: Outputs) {
        let Self(mut successors) = self;
        let Outputs { outlets, settings, start } = old;
        for outlet in outlets {
            outlet.queue.end();
            let name = outlet.name;
            let predecessor = Predecessor { outlet, settings, start };
            let place = successors.iter().position(|successor| successor.0 == name);
            if let Some(place) = place {
                // If its thread is gone, there is nobody who would have to wait.
                let _ = successors.swap_remove(place).1.send(predecessor);
                continue;
            }
            // Without a thread it still writes what waits; only its losses are not told.
            let _ = std::thread::Builder::new()
                .name(format!("leaving-{name}"))
                .stack_size(128 << 10)
                .spawn(move || predecessor.finish(&|| {}));
        }
        // Whoever follows nobody begins now, since its sender is dropped.
    }
}

impl Outputs {
    /// Starts a thread for each channel. `on_broken` is called there when nobody reads any more.
    ///
    /// # Errors
    ///
    /// If no thread can be made.
    pub fn start(
        settings: Settings,
        channels: Vec<Named>,
        on_broken: impl Fn() + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let on_broken = Arc::new(on_broken);
        let mut outputs = Self::none(settings, channels.len());
        for (name, channel) in channels {
            outputs.add(name, Origin::Ready(channel), &on_broken)?;
        }
        Ok(outputs)
    }

    /// As [`start`](Self::start), for outputs that take the place of others: alerts are kept until
    /// [`Successors::follow`], and each channel is opened by its own thread then.
    ///
    /// # Errors
    ///
    /// If no thread can be made; then nothing was opened.
    pub fn start_beside(
        settings: Settings,
        makers: Vec<Maker>,
        on_broken: impl Fn() + Send + Sync + 'static,
    ) -> io::Result<(Self, Successors)> {
        let on_broken = Arc::new(on_broken);
        let mut outputs = Self::none(settings, makers.len());
        let mut successors = Vec::with_capacity(makers.len());
        for (name, make) in makers {
            let (sender, receiver) = channel();
            outputs.add(name, Origin::After(receiver, make), &on_broken)?;
            successors.push((name, sender));
        }
        Ok((outputs, Successors(successors)))
    }

    fn none(settings: Settings, places: usize) -> Self {
        Self { outlets: Vec::with_capacity(places), settings, start: Instant::now() }
    }

    /// Starts the thread of one channel.
    fn add<F: Fn() + Send + Sync + 'static>(
        &mut self,
        name: &'static str,
        origin: Origin,
        on_broken: &Arc<F>,
    ) -> io::Result<()> {
        let waiting = METRICS.outputs.waiting.with(&[name]);
        let queue = Arc::new(Queue::new(self.settings.capacity, waiting));
        let state = Arc::new(State::default());
        let (alive, ended) = channel();
        let seat = Seat {
            name,
            queue: Arc::clone(&queue),
            state: Arc::clone(&state),
            settings: self.settings,
            start: self.start,
            _alive: alive,
        };
        let on_broken = Arc::clone(on_broken);
        let thread = std::thread::Builder::new()
            .name(format!("output-{name}"))
            .stack_size(512 << 10)
            .spawn(move || seat.run(origin, &*on_broken))?;
        self.outlets.push(Outlet { name, queue, state, thread, ended });
        Ok(())
    }

    /// Hands an alert over, without an end of line. `priority` as in [`Alert`].
    pub fn push(&self, text: &[u8], priority: u8) {
        METRICS.outputs.alerts.increment();
        let alert = Arc::new(Alert { text: text.into(), priority });
        for outlet in &self.outlets {
            let is_taken = outlet.queue.push(&alert, self.settings.when_full);
            let is_unwanted = self.settings.may_end && outlet.is_broken();
            if !is_taken && !is_unwanted {
                outlet.note_drop();
            }
        }
    }

    /// Whether nobody takes alerts any more, on any channel.
    #[must_use]
    pub fn is_broken(&self) -> bool {
        self.outlets.iter().all(Outlet::is_broken)
    }

    /// Has every channel open what it writes to again.
    pub fn reopen(&self) {
        for outlet in &self.outlets {
            outlet.queue.reopen();
        }
    }

    /// Alerts that wait, of all channels.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.outlets.iter().map(|outlet| outlet.queue.len()).sum()
    }

    /// Tells the log if a channel has been taking nothing for too long.
    pub fn check(&self) {
        for outlet in &self.outlets {
            if outlet.is_stuck(self.settings.timeout, self.start) {
                let others = if self.outlets.len() == 1 {
                    "all output channels are blocked"
                } else {
                    "the other output channels go on"
                };
                log_limited!(Level::Critical, "\"{}\" output timeout, {others}", outlet.name);
            }
        }
    }

    /// Writes what waits and ends the threads; gives up after the time-out where nothing moves.
    #[must_use]
    pub fn finish(self) -> Finished {
        for outlet in &self.outlets {
            outlet.queue.end();
        }
        let timeout = patience(&self.settings);
        let mut finished = Finished { is_complete: true, is_stream_blocked: false };
        for outlet in self.outlets {
            let name = outlet.name;
            let is_complete = outlet.finish(timeout, self.start, self.settings.may_end, &|| {});
            finished.is_complete &= is_complete;
            finished.is_stream_blocked |= matches!(name, "stdout" | "stderr") && !is_complete;
        }
        finished
    }
}

impl Outlet {
    fn is_broken(&self) -> bool {
        self.state.is_broken.load(Relaxed)
    }

    fn note_drop(&self) {
        METRICS.outputs.dropped.increment();
        self.state.dropped.fetch_add(1, Relaxed);
        if !self.is_broken() && !self.state.was_full.swap(true, Relaxed) {
            log!(
                Level::Error,
                "{}: Outputs queue out of memory. Drop event and continue on ...",
                self.name
            );
        }
    }

    fn is_stuck(&self, timeout: Duration, start: Instant) -> bool {
        let since = self.state.busy_since_ms.load(Relaxed);
        let now = milliseconds(start.elapsed());
        since != 0 && !timeout.is_zero() && now.saturating_sub(since - 1) > milliseconds(timeout)
    }

    /// Waits for the thread's end; whether everything was written, or its reader has gone and may.
    fn finish(self, timeout: Duration, start: Instant, may_end: bool, on_look: &dyn Fn()) -> bool {
        let mut discards_since = None;
        while self.ended.recv_timeout(LOOK_EVERY) == Err(RecvTimeoutError::Timeout) {
            on_look();
            let timeout = timeout.max(self.state.end_patience());
            if self.is_stuck(timeout, start) && discards_since.is_none() {
                log!(
                    Level::Notice,
                    "output channels still blocked, discarding all remaining notifications"
                );
                let left = u64::try_from(self.queue.discard()).unwrap_or(u64::MAX);
                METRICS.outputs.failed.add(left);
                self.state.failed.fetch_add(left, Relaxed);
                self.state.stop.store(true, Relaxed);
                discards_since = Some(Instant::now());
            }
            // A thread that stands in a system call can't be ended; it goes with the process.
            if discards_since.is_some_and(|since| since.elapsed() > self.state.stop_patience()) {
                self.tell_losses();
                return false;
            }
        }
        self.tell_losses();
        let is_broken = self.is_broken() && !may_end;
        let has_failed = self.state.failed.load(Relaxed) > 0;
        self.thread.join().is_ok() && !is_broken && !has_failed
    }

    fn tell_losses(&self) {
        let (dropped, failed) = (self.state.dropped.load(Relaxed), self.state.failed.load(Relaxed));
        if dropped > 0 {
            log!(
                Level::Warning,
                "{}: {dropped} alerts were dropped since the queue was full",
                self.name
            );
        }
        if failed > 0 {
            log!(Level::Warning, "{}: {failed} alerts could not be written", self.name);
        }
    }
}

/// How long the end waits for a channel in which nothing moves.
fn patience(settings: &Settings) -> Duration {
    if settings.timeout.is_zero() { END_PATIENCE } else { settings.timeout }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::sync::{Condvar, Mutex};

    use super::stdout::Stream;
    use super::*;

    const SETTINGS: Settings = Settings {
        capacity: 4,
        when_full: WhenFull::Drop,
        buffered: false,
        timeout: Duration::from_millis(50),
        may_end: false,
    };

    /// A channel that writes only while its gate is open.
    #[derive(Clone, Default)]
    struct Gated(Arc<(Mutex<Written>, Condvar)>);

    /// Whether the gate is open, and what went through.
    type Written = (bool, Vec<u8>);

    impl Gated {
        fn open(&self) {
            self.0.0.lock().unwrap().0 = true;
            self.0.1.notify_all();
        }

        fn written(&self) -> String {
            String::from_utf8(self.0.0.lock().unwrap().1.clone()).unwrap()
        }
    }

    impl io::Write for Gated {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let mut gate = self.0.0.lock().unwrap();
            while !gate.0 {
                gate = self.0.1.wait(gate).unwrap();
            }
            gate.1.extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn start(settings: Settings, channels: &[&Gated]) -> Outputs {
        let named = |gated: &&Gated| {
            ("stdout", Box::new(Stream::new((*gated).clone())) as Box<dyn Channel>)
        };
        Outputs::start(settings, channels.iter().map(named).collect(), || {}).unwrap()
    }

    #[test]
    fn alerts_come_out_whole_and_in_order_on_every_channel() {
        let channels = [Gated::default(), Gated::default()];
        channels.iter().for_each(Gated::open);
        let settings =
            Settings { when_full: WhenFull::Wait, timeout: Duration::from_secs(20), ..SETTINGS };
        let outputs = start(settings, &[&channels[0], &channels[1]]);
        for number in 0..1000 {
            outputs.push(number.to_string().as_bytes(), 4);
        }
        assert!(outputs.finish().is_complete);
        let wanted: String = (0..1000).map(|number| format!("{number}\n")).collect();
        assert_eq!(channels[0].written(), wanted);
        assert_eq!(channels[1].written(), wanted);
    }

    #[test]
    fn a_blocked_reader_costs_alerts_but_never_the_one_who_brings_them() {
        let channel = Gated::default();
        let settings = Settings { timeout: Duration::from_secs(20), ..SETTINGS };
        let outputs = start(settings, &[&channel]);
        for _ in 0..100 {
            outputs.push(b"x", 4);
        }
        channel.open();
        assert!(outputs.finish().is_complete);
        // Four wait in the queue, at most four more were taken off it before the write blocked.
        let written = channel.written().lines().count();
        assert!((4..=8).contains(&written), "{written}");
    }

    #[test]
    fn a_blocked_channel_does_not_hold_up_another() {
        let (blocked, other) = (Gated::default(), Gated::default());
        other.open();
        let settings = Settings { capacity: 2000, ..SETTINGS };
        let outputs = start(settings, &[&blocked, &other]);
        for number in 0..1000 {
            outputs.push(number.to_string().as_bytes(), 4);
        }
        let finished = outputs.finish();
        assert!(!finished.is_complete && finished.is_stream_blocked);
        assert_eq!(other.written().lines().count(), 1000);
        blocked.open();
    }

    #[test]
    fn the_end_does_not_wait_for_a_reader_that_never_reads() {
        let channel = Gated::default();
        let outputs = start(SETTINGS, &[&channel]);
        outputs.push(b"x", 4);
        assert!(!outputs.finish().is_complete);
        channel.open();
    }

    #[test]
    fn a_reader_that_is_gone_is_told_once() {
        struct Broken;
        impl io::Write for Broken {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let (told, hears) = channel();
        let channels = vec![("stdout", Box::new(Stream::new(Broken)) as Box<dyn Channel>)];
        let outputs = Outputs::start(SETTINGS, channels, move || told.send(()).unwrap()).unwrap();
        outputs.push(b"x", 4);
        hears.recv().unwrap();
        assert!(outputs.is_broken());
        outputs.push(b"y", 4);
        assert!(!outputs.finish().is_complete);
    }

    fn beside(settings: Settings, channel: &Gated) -> (Outputs, Successors) {
        let channel = channel.clone();
        let make: Make = Box::new(move || Ok(Box::new(Stream::new(channel))));
        Outputs::start_beside(settings, vec![("stdout", make)], || {}).unwrap()
    }

    #[test]
    fn what_takes_an_outputs_place_writes_behind_it_and_keeps_nobody_waiting() {
        let channel = Gated::default();
        let settings = Settings { timeout: Duration::from_secs(20), capacity: 100, ..SETTINGS };
        let old = start(settings, &[&channel]);
        (0..10).for_each(|number| old.push(format!("old {number}").as_bytes(), 4));
        let (middle, successors) = beside(settings, &channel);
        successors.follow(old);
        middle.push(b"middle", 4);
        let (new, successors) = beside(settings, &channel);
        successors.follow(middle);
        (0..10).for_each(|number| new.push(format!("new {number}").as_bytes(), 4));
        assert_eq!(channel.written(), "");
        channel.open();
        assert!(new.finish().is_complete);
        let lines = |name: &str| (0..10).map(|it| format!("{name} {it}\n")).collect::<String>();
        assert_eq!(channel.written(), format!("{}middle\n{}", lines("old"), lines("new")));
    }

    #[test]
    fn what_takes_the_place_of_a_dead_output_works_after_its_deadline() {
        let (dead, good) = (Gated::default(), Gated::default());
        good.open();
        let old = start(SETTINGS, &[&dead]);
        old.push(b"lost", 4);
        let settings = Settings { timeout: Duration::from_secs(20), ..SETTINGS };
        let (new, successors) = beside(settings, &good);
        successors.follow(old);
        new.push(b"new", 4);
        assert!(new.finish().is_complete);
        assert_eq!(good.written(), "new\n");
        dead.open();
    }

    #[test]
    fn a_channel_that_can_not_be_made_costs_its_alerts_and_is_told() {
        let make: Make = Box::new(|| Err(io::ErrorKind::OutOfMemory.into()));
        let (new, successors) =
            Outputs::start_beside(SETTINGS, vec![("file", make)], || {}).unwrap();
        new.push(b"lost", 4);
        drop(successors);
        assert!(!new.finish().is_complete);
    }

    #[test]
    fn what_fails_for_a_while_is_written_in_the_end_and_in_order() {
        struct Flaky(u32, Gated);
        impl Channel for Flaky {
            fn write(&mut self, alerts: &[Arc<Alert>]) -> Result<(), (usize, Fault)> {
                self.0 += 1;
                if !self.0.is_multiple_of(3) {
                    return Err((0, Fault::Again("not now".to_owned())));
                }
                let first = &alerts[0].text;
                self.1.0.0.lock().unwrap().1.extend_from_slice(first);
                Err((1, Fault::Again("that was all".to_owned())))
            }
        }
        let seen = Gated::default();
        let channel = Box::new(Flaky(0, seen.clone())) as Box<dyn Channel>;
        let settings =
            Settings { timeout: Duration::from_secs(20), when_full: WhenFull::Wait, ..SETTINGS };
        let outputs = Outputs::start(settings, vec![("file", channel)], || {}).unwrap();
        for letter in [b"a", b"b", b"c"] {
            outputs.push(letter, 4);
        }
        assert!(outputs.finish().is_complete);
        assert_eq!(seen.written(), "abc");
    }
}
