//! Counters: one static tree of atomics, no locks. Names and texts are data, so that the web
//! server, the log and the documents list the same rows.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

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
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    /// What was counted so far.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Declares groups of counters and the walk over all of them.
macro_rules! counters {
    ($( $(#[$group_doc:meta])* $group:ident: $ty:ident { $( $name:ident: $doc:literal, )* } )*) => {
        $(
            $(#[$group_doc])*
            #[derive(Debug)]
            pub struct $ty { $( #[doc = $doc] pub $name: Counter, )* }

            impl $ty {
                const fn new() -> Self {
                    Self { $( $name: Counter::new(), )* }
                }
            }
        )*

        /// All counters of the agent.
        #[derive(Debug)]
        pub struct Metrics { $( $(#[$group_doc])* pub $group: $ty, )* }

        impl Metrics {
            const fn new() -> Self {
                Self { $( $group: $ty::new(), )* }
            }

            /// Calls `row` with group, name, meaning and value of each counter, in table order.
            pub fn each(&self, mut row: impl FnMut(&'static str, &'static str, &'static str, u64)) {
                $( $( row(stringify!($group), stringify!($name), $doc, self.$group.$name.get()); )* )*
            }
        }
    };
}

counters! {
    /// The proc connector.
    proc_connector: ProcConnectorMetrics {
        records: "Process records handed on.",
        losses: "Times at which records were lost.",
        lost: "Records known to be lost, by gaps in the sequence numbers.",
        malformed: "Messages that could not be decoded.",
    }
    /// The fanotify notification group.
    fanotify: FanotifyMetrics {
        records: "File records handed on.",
        own: "Records of the agent's own accesses, dropped.",
        losses: "Times at which records were lost.",
        lost: "Records known to be lost; a queue overflow is of unknown size and counts one.",
        malformed: "Reads with an event that could not be decoded.",
        mounts_marked: "Mounts marked since the start.",
        mounts_refused: "Mounts that could not be marked.",
    }
    /// Records to events, and the process table.
    enrich: EnrichMetrics {
        events: "Events made from records.",
        gone: "Processes that were gone before /proc could be read.",
        forgotten: "Live processes forgotten because the table was full.",
        resyncs: "Times at which the table was built again from /proc.",
    }
    /// Rules.
    engine: EngineMetrics {
        evaluated: "Events judged by rules.",
        matches: "Matches of rules.",
    }
    /// Output channels.
    outputs: OutputsMetrics {
        alerts: "Alerts handed to the channels.",
        dropped: "Alerts dropped because a queue was full.",
        failed: "Alerts that a channel could not write.",
    }
}

/// The counters of this process.
pub static METRICS: Metrics = Metrics::new();

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_counter_is_walked_once_with_its_value() {
        let metrics = Metrics::new();
        metrics.fanotify.own.add(3);
        let mut rows = Vec::new();
        metrics.each(|group, name, _, value| rows.push((group, name, value)));
        assert!(rows.contains(&("fanotify", "own", 3)));
        let all = rows.len();
        rows.dedup_by_key(|row| (row.0, row.1));
        assert_eq!(rows.len(), all);
    }
}
