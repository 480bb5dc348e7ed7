//! What the agent counts about itself: one static table of atomics, no lock where events pass.
//!
//! Each metric is one row in `rows`: name, kind, labels, meaning. The web server, the snapshot,
//! the page and the documents list the same rows. Who reads them is not known here.

pub mod measure;
pub mod prometheus;
mod rows;

pub use measure::{Counter, Family, Gauge, Histogram, Kind, Reading};
pub use rows::{METRICS, Metrics};

use measure::Measure;

/// What is known of a metric beside its value.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Row {
    /// The part of the agent that counts.
    pub group: &'static str,
    /// What it counts.
    pub name: &'static str,
    /// What the value means over time.
    pub kind: Kind,
    /// What tells its series apart.
    pub labels: &'static [&'static str],
    /// Its meaning.
    pub help: &'static str,
}

impl Row {
    /// Its name for Prometheus: `eyas_sources_records_total`.
    #[must_use]
    pub fn full_name(&self) -> String {
        let ending = match self.kind {
            Kind::Counter => "_total",
            Kind::Gauge => "",
            Kind::Histogram => "_seconds",
        };
        format!("eyas_{}_{}{ending}", self.group, self.name)
    }
}

impl Metrics {
    /// The value of a counter or gauge without labels; `None` if there is no such row.
    #[must_use]
    pub fn value(&self, group: &str, name: &str) -> Option<u64> {
        let mut found = None;
        self.each(&mut |row, _, reading| {
            if let (true, Reading::Count(value)) = (row.group == group && row.name == name, reading)
            {
                found = Some(value);
            }
        });
        found
    }
}

fn visit<M: Measure>(row: Row, measure: &M, take: &mut dyn FnMut(Row, &[&str], Reading)) {
    measure.read(&mut |labels, reading| take(row, labels, reading));
}

const fn kind_of<M: Measure>(_: &M) -> Kind {
    M::KIND
}
