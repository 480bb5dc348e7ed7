//! The bounded queue before a channel: alerts in order, and the few words that its thread is told.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::{Alert, WhenFull};
use crate::metrics::Gauge;

/// Most bytes that wait in one queue.
const MAX_QUEUED_BYTES: usize = 32 << 20;

/// Most bytes that are taken at once.
const MAX_BATCH_BYTES: usize = 64 << 10;

/// Most alerts that are taken at once.
const MAX_BATCH: usize = 256;

/// What the channel's thread does while it holds no lock on the queue.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum Thread {
    /// It writes, and looks at the queue when it has written: it need not be woken.
    #[default]
    Works,
    /// It waits for the first alert.
    Sleeps,
    /// It lets alerts gather.
    Gathers,
}

/// What the channel's thread is to do.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Order {
    /// Write what was taken.
    Write,
    /// Open everything again.
    Reopen,
    /// Nothing came in the time that was given.
    Nothing,
    /// Nothing waits and nothing will come any more.
    End,
    /// Stop, whatever waits.
    Discard,
}

/// Alerts that wait for one channel.
#[derive(Debug)]
pub(super) struct Queue {
    inner: Mutex<Inner>,
    /// Something for the thread has come.
    came: Condvar,
    /// There is room again.
    went: Condvar,
    capacity: usize,
    /// Shows how many wait, in this queue and in that of whoever it follows.
    waiting: Arc<Gauge>,
}

#[derive(Debug, Default)]
struct Inner {
    alerts: VecDeque<Arc<Alert>>,
    bytes: usize,
    /// How many of them the gauge shows.
    shown: u64,
    thread: Thread,
    is_ended: bool,
    is_discarding: bool,
    reopen: bool,
}

impl Queue {
    /// For at most `capacity` alerts; `waiting` shows how many there are.
    pub(super) fn new(capacity: usize, waiting: Arc<Gauge>) -> Self {
        Self {
            inner: Mutex::default(),
            came: Condvar::new(),
            went: Condvar::new(),
            capacity: capacity.max(1),
            waiting,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn show(&self, inner: &mut Inner) {
        let waiting = u64::try_from(inner.alerts.len()).unwrap_or(u64::MAX);
        self.waiting.shift(std::mem::replace(&mut inner.shown, waiting), waiting);
    }

    /// Whether so much waits that it is not worth while to let more gather, or no room is left soon.
    fn is_batch(&self, inner: &Inner) -> bool {
        inner.bytes >= MAX_BATCH_BYTES || inner.alerts.len() >= MAX_BATCH.min(self.capacity / 2)
    }

    /// Adds an alert; whether there was room for it.
    pub(super) fn push(&self, alert: &Arc<Alert>, when_full: WhenFull) -> bool {
        let len = alert.text.len();
        let mut inner = self.lock();
        while inner.alerts.len() >= self.capacity
            || (inner.bytes + len > MAX_QUEUED_BYTES && !inner.alerts.is_empty())
        {
            if when_full == WhenFull::Drop || inner.is_ended {
                return false;
            }
            inner = self.went.wait(inner).unwrap_or_else(PoisonError::into_inner);
        }
        if inner.is_ended {
            return false;
        }
        inner.bytes += len;
        inner.alerts.push_back(Arc::clone(alert));
        self.show(&mut inner);
        // A wake is a system call, whether anybody sleeps or not.
        let wakes = match inner.thread {
            Thread::Works => false,
            Thread::Sleeps => true,
            Thread::Gathers => self.is_batch(&inner),
        };
        if wakes {
            inner.thread = Thread::Works;
        }
        drop(inner);
        if wakes {
            self.came.notify_one();
        }
        true
    }

    /// Waits for what is to be done, and moves alerts to the end of `batch` if they are to be
    /// written. If some wait, more are left to gather for what `patience` says then, or until there are
    /// enough; without alerts it is waited for `idle`.
    pub(super) fn take(
        &self,
        batch: &mut VecDeque<Arc<Alert>>,
        patience: impl FnOnce() -> Option<Duration>,
        idle: Duration,
    ) -> Order {
        let mut inner = self.lock();
        loop {
            if let Some(order) = inner.urgent() {
                return order;
            }
            if !inner.alerts.is_empty() {
                break;
            }
            if inner.is_ended {
                return Order::End;
            }
            inner.thread = Thread::Sleeps;
            let (guard, timeout) =
                self.came.wait_timeout(inner, idle).unwrap_or_else(PoisonError::into_inner);
            inner = guard;
            inner.thread = Thread::Works;
            if timeout.timed_out() && inner.is_quiet() {
                return Order::Nothing;
            }
        }
        if let Some(patience) = patience() {
            inner.thread = Thread::Gathers;
            let gathers = |inner: &mut Inner| {
                !self.is_batch(inner) && !inner.is_ended && !inner.is_discarding && !inner.reopen
            };
            let waited = self.came.wait_timeout_while(inner, patience, gathers);
            inner = waited.unwrap_or_else(PoisonError::into_inner).0;
            inner.thread = Thread::Works;
        }
        let mut bytes = 0;
        while bytes < MAX_BATCH_BYTES
            && batch.len() < MAX_BATCH
            && let Some(alert) = inner.alerts.pop_front()
        {
            bytes += alert.text.len();
            batch.push_back(alert);
        }
        inner.bytes -= bytes;
        self.show(&mut inner);
        drop(inner);
        self.went.notify_all();
        Order::Write
    }

    /// Waits before something is tried again; what came meanwhile that can't wait.
    pub(super) fn pause(&self, pause: Duration) -> Order {
        let quiet = |inner: &mut Inner| !inner.reopen && !inner.is_discarding;
        let waited = self.came.wait_timeout_while(self.lock(), pause, quiet);
        let mut inner = waited.unwrap_or_else(PoisonError::into_inner).0;
        inner.urgent().unwrap_or(Order::Nothing)
    }

    /// Asks the thread to open everything again.
    pub(super) fn reopen(&self) {
        self.lock().reopen = true;
        self.came.notify_all();
    }

    /// Nothing will come any more.
    pub(super) fn end(&self) {
        self.lock().is_ended = true;
        self.came.notify_all();
        self.went.notify_all();
    }

    /// Throws away what waits; how much it was.
    pub(super) fn discard(&self) -> usize {
        let mut inner = self.lock();
        inner.is_ended = true;
        inner.is_discarding = true;
        inner.bytes = 0;
        let count = inner.alerts.drain(..).count();
        self.show(&mut inner);
        drop(inner);
        self.came.notify_all();
        self.went.notify_all();
        count
    }

    /// Alerts that wait.
    pub(super) fn len(&self) -> usize {
        self.lock().alerts.len()
    }
}

impl Inner {
    fn urgent(&mut self) -> Option<Order> {
        if self.is_discarding {
            return Some(Order::Discard);
        }
        std::mem::take(&mut self.reopen).then_some(Order::Reopen)
    }

    fn is_quiet(&self) -> bool {
        self.alerts.is_empty() && !self.is_ended && !self.is_discarding && !self.reopen
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn push(queue: &Queue) {
        let alert = Arc::new(Alert { text: b"alert"[..].into(), priority: 4 });
        assert!(queue.push(&alert, WhenFull::Drop));
    }

    #[test]
    fn alerts_gather_no_longer_than_until_half_the_room_is_taken_or_the_end() {
        let queue = Queue::new(8, Arc::new(Gauge::new()));
        let mut batch = VecDeque::new();
        let long = || Some(Duration::from_secs(3600));
        std::thread::scope(|scope| {
            let taken = scope.spawn(|| queue.take(&mut batch, long, Duration::from_secs(3600)));
            (0..4).for_each(|_| push(&queue));
            assert_eq!(taken.join().unwrap(), Order::Write);
        });
        assert_eq!(batch.len(), 4);
        batch.clear();
        std::thread::scope(|scope| {
            let taken = scope.spawn(|| queue.take(&mut batch, long, Duration::from_secs(3600)));
            push(&queue);
            queue.end();
            assert_eq!(taken.join().unwrap(), Order::Write);
        });
        assert_eq!((batch.len(), queue.len()), (1, 0));
    }

    #[test]
    fn two_queues_of_one_output_show_what_waits_in_both() {
        let gauge = Arc::new(Gauge::new());
        let (old, new) = (Queue::new(8, Arc::clone(&gauge)), Queue::new(8, Arc::clone(&gauge)));
        (0..3).for_each(|_| push(&old));
        (0..2).for_each(|_| push(&new));
        assert_eq!(gauge.get(), 5);
        let mut batch = VecDeque::new();
        assert_eq!(new.take(&mut batch, || None, Duration::ZERO), Order::Write);
        assert_eq!(gauge.get(), 3);
        assert_eq!(old.discard(), 3);
        assert_eq!(gauge.get(), 0);
    }

    #[test]
    fn a_thread_that_sleeps_is_woken_by_the_first_alert() {
        let queue = Queue::new(8, Arc::new(Gauge::new()));
        let mut batch = VecDeque::new();
        std::thread::scope(|scope| {
            let taken = scope.spawn(|| queue.take(&mut batch, || None, Duration::from_secs(3600)));
            push(&queue);
            assert_eq!(taken.join().unwrap(), Order::Write);
        });
        assert_eq!(batch.len(), 1);
    }
}
