//! What a row of the table holds: numbers behind atomics, which whoever counts never waits for.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, PoisonError};

/// What a number means over time; Prometheus' word for it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// It only grows.
    Counter,
    /// It goes up and down.
    Gauge,
    /// How many were how large.
    Histogram,
}

impl Kind {
    /// As a `# TYPE` line spells it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// What a measure says at one moment.
#[derive(Clone, Debug, PartialEq)]
pub enum Reading {
    /// A count.
    Count(u64),
    /// A histogram.
    Histogram {
        /// Upper bounds in seconds, each with the number of values up to it, rising.
        buckets: Vec<(f64, u64)>,
        /// Sum of all values in seconds.
        sum: f64,
        /// Number of all values.
        count: u64,
    },
}

/// Something that stands behind a row.
pub trait Measure: std::fmt::Debug {
    /// What it is.
    const KIND: Kind;

    /// Calls `take` with the values of the labels and the reading of each series.
    fn read(&self, take: &mut dyn FnMut(&[&str], Reading));
}

/// A number that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// From zero.
    #[must_use]
    pub const fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// Counts one.
    pub fn increment(&self) {
        self.add(1);
    }

    /// Counts `count`.
    pub fn add(&self, count: u64) {
        self.0.fetch_add(count, Relaxed);
    }

    /// Takes over what was counted elsewhere; a smaller count changes nothing.
    pub fn reach(&self, count: u64) {
        self.0.fetch_max(count, Relaxed);
    }

    /// What was counted so far.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

impl Measure for Counter {
    const KIND: Kind = Kind::Counter;

    fn read(&self, take: &mut dyn FnMut(&[&str], Reading)) {
        take(&[], Reading::Count(self.get()));
    }
}

/// A number that goes up and down.
#[derive(Debug, Default)]
pub struct Gauge(AtomicU64);

impl Gauge {
    /// At zero.
    #[must_use]
    pub const fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// Sets it.
    pub fn set(&self, value: u64) {
        self.0.store(value, Relaxed);
    }

    /// Adds the difference of two numbers, for a gauge that shows the sum of several.
    pub fn shift(&self, from: u64, to: u64) {
        // Modulo 2^64: the sum is right again whichever of several comes first.
        self.0.fetch_add(to.wrapping_sub(from), Relaxed);
    }

    /// What it stands at.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

impl Measure for Gauge {
    const KIND: Kind = Kind::Gauge;

    fn read(&self, take: &mut dyn FnMut(&[&str], Reading)) {
        take(&[], Reading::Count(self.get()));
    }
}

/// Upper bounds of a histogram of durations: powers of two times 32 µs, up to 17 s.
const BUCKETS: usize = 20;

/// The first bound, in nanoseconds.
const FIRST_BOUND_NS: u64 = 32_000;

/// How long things took.
#[derive(Debug)]
pub struct Histogram {
    buckets: [AtomicU64; BUCKETS],
    count: AtomicU64,
    sum_ns: AtomicU64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self::new()
    }
}

impl Histogram {
    /// With nothing in it.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            buckets: [const { AtomicU64::new(0) }; BUCKETS],
            count: AtomicU64::new(0),
            sum_ns: AtomicU64::new(0),
        }
    }

    /// Notes a duration, in nanoseconds.
    pub fn note_ns(&self, ns: u64) {
        let at = (0..BUCKETS).find(|&at| ns <= bound_ns(at));
        if let Some(bucket) = at.and_then(|at| self.buckets.get(at)) {
            bucket.fetch_add(1, Relaxed);
        }
        self.sum_ns.fetch_add(ns, Relaxed);
        self.count.fetch_add(1, Relaxed);
    }
}

const fn bound_ns(index: usize) -> u64 {
    FIRST_BOUND_NS << index
}

#[expect(clippy::cast_precision_loss, reason = "a duration for a graph needs no more digits")]
fn seconds(ns: u64) -> f64 {
    ns as f64 / 1e9
}

impl Measure for Histogram {
    const KIND: Kind = Kind::Histogram;

    fn read(&self, take: &mut dyn FnMut(&[&str], Reading)) {
        let mut up_to = 0;
        let buckets = self.buckets.iter().enumerate().map(|(at, bucket)| {
            up_to += bucket.load(Relaxed);
            (seconds(bound_ns(at)), up_to)
        });
        let buckets: Vec<_> = buckets.collect();
        // Never fewer than what is in the buckets, whoever counts at the same time.
        let count = self.count.load(Relaxed).max(up_to);
        take(&[], Reading::Histogram { buckets, sum: seconds(self.sum_ns.load(Relaxed)), count });
    }
}

/// Most series of one family: names come from outside (rules), and memory has a bound.
const MAX_SERIES: usize = 20_000;

/// The series of one name, told apart by the values of its labels. Whoever counts asks for its
/// series once and keeps it: only asking takes a lock.
#[derive(Debug)]
pub struct Family<M> {
    series: Mutex<Vec<Series<M>>>,
}

/// One series: what tells it apart, and its number.
#[derive(Debug)]
struct Series<M> {
    values: Box<[Box<str>]>,
    measure: Arc<M>,
}

impl<M> Default for Family<M> {
    fn default() -> Self {
        Self::new()
    }
}

impl<M> Family<M> {
    /// Without any series.
    #[must_use]
    pub const fn new() -> Self {
        Self { series: Mutex::new(Vec::new()) }
    }

    /// Leaves out the series whose labels' values `keeps` refuses; whoever holds one goes on
    /// counting unseen.
    pub fn retain(&self, keeps: impl Fn(&[Box<str>]) -> bool) {
        self.locked().retain(|series| keeps(&series.values));
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, Vec<Series<M>>> {
        self.series.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<M: Default> Family<M> {
    /// The series with these values, in the order of the row's labels; made if it isn't there.
    /// Beyond 20,000 series a new one is counted but not shown.
    pub fn with(&self, values: &[&str]) -> Arc<M> {
        let mut series = self.locked();
        let same =
            |one: &&Series<M>| one.values.iter().map(|value| &**value).eq(values.iter().copied());
        if let Some(found) = series.iter().find(same) {
            return Arc::clone(&found.measure);
        }
        let measure = Arc::new(M::default());
        if series.len() < MAX_SERIES {
            let values = values.iter().map(|&value| value.into()).collect();
            series.push(Series { values, measure: Arc::clone(&measure) });
        }
        measure
    }
}

impl<M: Measure> Measure for Family<M> {
    const KIND: Kind = M::KIND;

    fn read(&self, take: &mut dyn FnMut(&[&str], Reading)) {
        for series in self.locked().iter() {
            let values: Vec<_> = series.values.iter().map(|value| &**value).collect();
            series.measure.read(&mut |_, reading| take(&values, reading));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn readings(measure: &impl Measure) -> Vec<(Vec<String>, Reading)> {
        let mut all = Vec::new();
        measure.read(&mut |labels, reading| {
            all.push((labels.iter().map(|&label| label.to_owned()).collect(), reading));
        });
        all
    }

    #[test]
    fn a_histogram_counts_each_value_in_all_buckets_that_hold_it() {
        let histogram = Histogram::new();
        for ns in [0, 32_000, 32_001, 1_000_000, u64::MAX >> 10] {
            histogram.note_ns(ns);
        }
        let all = readings(&histogram);
        let (_, Reading::Histogram { buckets, count, .. }) = &all[0] else { panic!("{all:?}") };
        assert_eq!(*count, 5);
        assert_eq!(buckets[0], (0.000_032, 2));
        assert_eq!(buckets[1], (0.000_064, 3));
        assert_eq!(buckets.last().unwrap().1, 4);
        assert!(buckets.windows(2).all(|two| two[0].0 < two[1].0 && two[0].1 <= two[1].1));
    }

    #[test]
    fn a_family_gives_the_same_series_for_the_same_labels() {
        let family: Family<Counter> = Family::new();
        family.with(&["a", "b"]).increment();
        family.with(&["a", "b"]).increment();
        family.with(&["a", "c"]).increment();
        assert_eq!(
            readings(&family),
            [
                (vec!["a".to_owned(), "b".to_owned()], Reading::Count(2)),
                (vec!["a".to_owned(), "c".to_owned()], Reading::Count(1)),
            ]
        );
        family.retain(|values| &*values[1] == "c");
        assert_eq!(readings(&family).len(), 1);
    }
}
