//! Where alerts go: a bounded queue with a thread behind it, so that a slow reader never holds
//! detection up.
//!
//! Live, a full queue drops the newest alert, counts it and says so once; a capture file has time
//! and waits instead. What an alert looks like is not known here.

pub mod stdout;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc::{
    Receiver, RecvTimeoutError, Sender, SyncSender, TrySendError, channel, sync_channel,
};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::log;
use crate::log::Level;
use crate::log_limited;
use crate::metrics::METRICS;

/// Most bytes that wait in the queue.
const MAX_QUEUED_BYTES: usize = 32 << 20;

/// Most bytes that are handed to a channel at once.
const MAX_BATCH_BYTES: usize = 64 << 10;

/// How often it is looked, at the end, whether anything moves.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// What happens to an alert for which the queue has no room.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum WhenFull {
    /// It is dropped and counted.
    Drop,
    /// Whoever brings it waits.
    Wait,
}

/// How the queue is made.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Most alerts that wait.
    pub capacity: usize,
    /// What happens to more.
    pub when_full: WhenFull,
    /// Alerts may be gathered before they are written.
    pub buffered: bool,
    /// After how long a channel that takes nothing is told of; zero: never.
    pub timeout: Duration,
}

/// An alert, as it is written: one line with its end.
type Line = Box<[u8]>;

/// What the thread tells the rest.
#[derive(Debug, Default)]
struct State {
    /// Bytes in the queue.
    queued_bytes: AtomicUsize,
    /// Milliseconds since the start at which the present write began, plus one; zero: none.
    busy_since_ms: AtomicU64,
    /// Whoever read the alerts is gone.
    is_broken: AtomicBool,
    /// The queue was full before.
    was_full: AtomicBool,
    /// What is left is thrown away.
    is_discarding: AtomicBool,
}

/// The output channels.
#[derive(Debug)]
pub struct Outputs {
    queue: Option<SyncSender<Line>>,
    worker: Option<JoinHandle<()>>,
    /// Closed by the thread's end.
    ended: Receiver<()>,
    state: Arc<State>,
    settings: Settings,
    start: Instant,
}

impl Outputs {
    /// Starts the thread that writes to stdout. `on_broken` is called there when nobody reads
    /// any more.
    ///
    /// # Errors
    ///
    /// If no thread can be made.
    pub fn start(
        settings: Settings,
        writer: impl io::Write + Send + 'static,
        on_broken: impl FnOnce() + Send + 'static,
    ) -> io::Result<Self> {
        let (queue, lines) = sync_channel(settings.capacity.max(1));
        let state = Arc::new(State::default());
        let start = Instant::now();
        let (alive, ended) = channel();
        let worker = Worker {
            lines,
            _alive: alive,
            state: Arc::clone(&state),
            channel: writer,
            buffered: settings.buffered,
            start,
            batch: Vec::with_capacity(MAX_BATCH_BYTES),
        };
        let worker = std::thread::Builder::new()
            .name("output".to_owned())
            .stack_size(256 << 10)
            .spawn(move || worker.run(on_broken))?;
        Ok(Self { queue: Some(queue), worker: Some(worker), ended, state, settings, start })
    }

    /// Hands an alert over; its end of line is added.
    pub fn push(&self, alert: &[u8]) {
        let mut line = Vec::with_capacity(alert.len() + 1);
        line.extend_from_slice(alert);
        line.push(b'\n');
        self.push_line(line.into_boxed_slice());
    }

    fn push_line(&self, line: Line) {
        let Some(queue) = &self.queue else { return };
        METRICS.outputs.alerts.increment();
        let len = line.len();
        let queued = self.state.queued_bytes.fetch_add(len, Relaxed);
        let is_taken = match self.settings.when_full {
            WhenFull::Wait => queue.send(line).is_ok(),
            WhenFull::Drop if queued + len > MAX_QUEUED_BYTES => false,
            WhenFull::Drop => match queue.try_send(line) {
                Ok(()) => true,
                Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => false,
            },
        };
        if !is_taken {
            self.state.queued_bytes.fetch_sub(len, Relaxed);
            METRICS.outputs.dropped.increment();
            if !self.is_broken() && !self.state.was_full.swap(true, Relaxed) {
                log!(Level::Error, "Outputs queue out of memory. Drop event and continue on ...");
            }
        }
    }

    /// Whether nobody reads the alerts any more.
    #[must_use]
    pub fn is_broken(&self) -> bool {
        self.state.is_broken.load(Relaxed)
    }

    /// Tells the log if a channel has been taking nothing for too long.
    pub fn check(&self) {
        if self.is_stuck() {
            log_limited!(
                Level::Critical,
                "\"stdout\" output timeout, all output channels are blocked"
            );
        }
    }

    fn is_stuck(&self) -> bool {
        let since = self.state.busy_since_ms.load(Relaxed);
        let timeout = self.settings.timeout;
        since != 0
            && timeout != Duration::ZERO
            && milliseconds(self.start.elapsed()).saturating_sub(since - 1) > milliseconds(timeout)
    }

    /// Writes what waits and ends the thread; gives up after the time-out if nothing moves.
    /// Whether everything was written.
    pub fn finish(mut self) -> bool {
        drop(self.queue.take());
        let dropped = METRICS.outputs.dropped.get();
        if dropped > 0 {
            log!(Level::Warning, "{dropped} alerts were dropped since the queue was full");
        }
        let Some(worker) = self.worker.take() else { return true };
        while self.ended.recv_timeout(LOOK_EVERY) == Err(RecvTimeoutError::Timeout) {
            if self.is_stuck() {
                log!(
                    Level::Notice,
                    "output channels still blocked, discarding all remaining notifications"
                );
                self.state.is_discarding.store(true, Relaxed);
                return false;
            }
        }
        worker.join().is_ok() && !self.is_broken()
    }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// The thread behind the queue.
struct Worker<W> {
    lines: Receiver<Line>,
    _alive: Sender<()>,
    state: Arc<State>,
    channel: W,
    buffered: bool,
    start: Instant,
    batch: Vec<u8>,
}

impl<W: io::Write> Worker<W> {
    fn run(mut self, on_broken: impl FnOnce()) {
        while let Ok(line) = self.lines.recv() {
            self.take(&line);
            // What waits anyway goes out in the same write.
            while self.batch.len() < MAX_BATCH_BYTES
                && let Ok(line) = self.lines.try_recv()
            {
                self.take(&line);
            }
            if self.buffered && self.batch.len() < MAX_BATCH_BYTES {
                continue;
            }
            if !self.write() {
                break;
            }
        }
        if !self.state.is_broken.load(Relaxed) {
            self.write();
        }
        if self.state.is_broken.load(Relaxed) {
            on_broken();
        }
    }

    fn take(&mut self, line: &[u8]) {
        self.state.queued_bytes.fetch_sub(line.len(), Relaxed);
        self.batch.extend_from_slice(line);
    }

    /// Writes the batch; `false` if there is no use in going on.
    fn write(&mut self) -> bool {
        if self.batch.is_empty() || self.state.is_discarding.load(Relaxed) {
            return true;
        }
        let began = milliseconds(self.start.elapsed()) + 1;
        self.state.busy_since_ms.store(began, Relaxed);
        let result = self.channel.write_all(&self.batch).and_then(|()| self.channel.flush());
        self.state.busy_since_ms.store(0, Relaxed);
        let lines = self.batch.iter().filter(|&&byte| byte == b'\n').count();
        self.batch.clear();
        let Err(error) = result else { return true };
        METRICS.outputs.failed.add(u64::try_from(lines).unwrap_or(u64::MAX));
        if error.kind() == io::ErrorKind::BrokenPipe {
            self.state.is_broken.store(true, Relaxed);
            log!(Level::Error, "stdout: nobody reads the alerts any more: {error}");
            return false;
        }
        log_limited!(Level::Error, "stdout: {error}: {lines} alerts are lost");
        true
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Condvar, Mutex};

    use super::*;

    const SETTINGS: Settings = Settings {
        capacity: 4,
        when_full: WhenFull::Drop,
        buffered: false,
        timeout: Duration::from_millis(50),
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

    #[test]
    fn alerts_come_out_whole_and_in_order() {
        let channel = Gated::default();
        channel.open();
        let settings = Settings { when_full: WhenFull::Wait, ..SETTINGS };
        let outputs = Outputs::start(settings, channel.clone(), || {}).unwrap();
        for number in 0..1000 {
            outputs.push(number.to_string().as_bytes());
        }
        assert!(outputs.finish());
        let wanted: String = (0..1000).map(|number| format!("{number}\n")).collect();
        assert_eq!(channel.written(), wanted);
    }

    #[test]
    fn a_blocked_reader_costs_alerts_but_never_the_one_who_brings_them() {
        let channel = Gated::default();
        let outputs = Outputs::start(SETTINGS, channel.clone(), || {}).unwrap();
        for _ in 0..100 {
            outputs.push(b"x");
        }
        channel.open();
        assert!(outputs.finish());
        // Four wait in the queue, at most five more were taken off it before the write blocked.
        let written = channel.written().lines().count();
        assert!((1..=9).contains(&written), "{written}");
    }

    #[test]
    fn the_end_does_not_wait_for_a_reader_that_never_reads() {
        let channel = Gated::default();
        let outputs = Outputs::start(SETTINGS, channel.clone(), || {}).unwrap();
        outputs.push(b"x");
        assert!(!outputs.finish());
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
        let outputs = Outputs::start(SETTINGS, Broken, move || told.send(()).unwrap()).unwrap();
        outputs.push(b"x");
        hears.recv().unwrap();
        assert!(outputs.is_broken());
        outputs.push(b"y");
        assert!(!outputs.finish());
    }
}
