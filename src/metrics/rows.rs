//! The table of metrics. A new one is a row here, and a line where it is counted.

use super::measure::{Counter, Family, Gauge, Histogram};
use super::{Reading, Row, kind_of, visit};

/// Declares groups of metrics and the walk over all of them.
macro_rules! metrics {
    ($(
        $(#[$group_doc:meta])*
        $group:ident: $ty:ident {
            $( $name:ident: $measure:ty $([ $($label:literal),+ ])? = $doc:literal, )*
        }
    )*) => {
        $(
            $(#[$group_doc])*
            #[derive(Debug)]
            pub struct $ty { $( #[doc = $doc] pub $name: $measure, )* }

            impl $ty {
                const fn new() -> Self {
                    Self { $( $name: <$measure>::new(), )* }
                }
            }
        )*

        /// All metrics of the agent.
        #[derive(Debug)]
        pub struct Metrics { $( $(#[$group_doc])* pub $group: $ty, )* }

        impl Metrics {
            pub(super) const fn new() -> Self {
                Self { $( $group: $ty::new(), )* }
            }

            /// Calls `take` with each series of each row, in the table's order: the row, the
            /// values of its labels, and what it stands at.
            pub fn each(&self, take: &mut dyn FnMut(Row, &[&str], Reading)) {
                $( $( visit(
                    Row {
                        group: stringify!($group),
                        name: stringify!($name),
                        kind: kind_of(&self.$group.$name),
                        labels: &[$( $($label),+ )?],
                        help: $doc,
                    },
                    &self.$group.$name,
                    take,
                ); )* )*
            }
        }
    };
}

metrics! {
    /// The proc connector.
    proc_connector: ProcConnectorMetrics {
        records: Counter = "Process records handed on.",
        losses: Counter = "Times at which records were lost.",
        lost: Counter = "Records known to be lost, by gaps in the sequence numbers.",
        malformed: Counter = "Messages that could not be decoded.",
    }
    /// The fanotify notification group.
    fanotify: FanotifyMetrics {
        records: Counter = "File records handed on.",
        own: Counter = "Records of the agent's own accesses, dropped.",
        losses: Counter = "Times at which records were lost.",
        lost: Counter = "Records known to be lost; a queue overflow is of unknown size and counts one.",
        malformed: Counter = "Reads with an event that could not be decoded.",
        mounts_marked: Counter = "Mounts marked since the start.",
        mounts_refused: Counter = "Mounts that could not be marked.",
        namespaces: Gauge = "Mount namespaces watched beside the agent's own.",
        ignored: Counter = "Files that the kernel was told to be silent of: no rule can match them.",
        ignored_anew: Counter = "Times at which it was told to tell of all files again.",
        lifted: Counter = "Files told of again because they came to where a rule can match them.",
        directories_marked: Counter = "Directories marked by themselves, since rules name them.",
    }
    /// The rendezvous: with programs at their start, and with opens of what rules name.
    rendezvous: RendezvousMetrics {
        looks: Counter = "Programs read while they stood still.",
        calls: Counter = "Programs read in the call of execve that starts them.",
        known: Counter = "Opens by programs that had been read already.",
        opens: Counter = "Opens of what rules name that were looked at while they stood still.",
        unnamed: Counter = "Opens of other files that lie beside those.",
        left_alone: Counter = "Files left alone for a while: they are read often, and no rule can match that.",
        failed: Counter = "Opens that were looked at and have failed then: they are not told.",
        late: Counter = "Opens that were answered without a look, since it took too long.",
        dropped: Counter = "Looks for which the loop had no room.",
        refused: Counter = "Events that could not be read, so that the kernel denied the open.",
        marked: Counter = "Files marked, again or for the first time.",
        roots: Gauge = "Root directories whose files were marked within the last seconds.",
        guardians: Counter = "Guardian processes made, the first one included.",
    }
    /// The audit.
    audit: AuditMetrics {
        records: Counter = "Audit records read that may be about system calls.",
        events: Counter = "System calls handed on.",
        own: Counter = "System calls of the agent's own, dropped.",
        losses: Counter = "Times at which records were lost on the way to us.",
        lost: Counter = "Records known to be lost, the kernel's own count among them.",
        malformed: Counter = "Records that could not be decoded.",
        backlog: Gauge = "Records that waited in the kernel at the last look.",
        rules: Gauge = "Audit rules of ours in the kernel.",
        reinstalled: Counter = "Audit rules of ours that somebody deleted and that were put back.",
    }
    /// All sources together.
    sources: SourcesMetrics {
        up: Family<Gauge> ["source"] = "Whether a kernel interface that the rules need is being read: 1, or 0 if it is refused or broke.",
        owner: Family<Gauge> ["type", "source"] = "Which source tells of an event type that a rule needs; nobody, if none does.",
        drops: Family<Counter> ["source", "cause"] = "Events lost before they could be judged; a loss of unknown size counts one.",
    }
    /// The process table.
    enrich: EnrichMetrics {
        processes: Gauge = "Threads in the process table.",
        added: Counter = "Processes and threads put into the table.",
        removed: Counter = "Processes and threads taken out of the table.",
        forgotten: Counter = "Living processes forgotten because the table was full.",
        known: Counter = "Processes looked up that were in the table.",
        read: Counter = "Processes looked up that were not, and were read from /proc.",
        missed: Counter = "Processes looked up that were gone, or could not be read.",
        descriptors: Counter = "Descriptors of processes looked up in /proc.",
        descriptors_missed: Counter = "Descriptors looked up that were closed, or could not be read.",
        opens_kept: Counter = "Opens kept for their close, which tells their mode.",
        opens_closed: Counter = "Opens kept whose close came.",
        opens_crowded: Counter = "Opens told without their mode since there was no room to keep more.",
        opens_expired: Counter = "Opens told without their mode since no close came in time.",
        containers: Gauge = "Containers that are known, those of the last seconds' dead processes among them.",
        resyncs: Counter = "Times at which the process table was built again from /proc.",
    }
    /// Rules.
    rules: RulesMetrics {
        events: Family<Counter> ["source", "type"] = "Events judged by the rules.",
        alerts: Family<Counter> ["rule", "priority"] = "Alerts of each rule.",
        coverage: Family<Gauge> ["state"] = "Loaded rules by whether they can fire on this host: can_fire, blind (no source tells of their events), disabled.",
        reloads: Family<Counter> ["result"] = "Reloads of configuration and rules: ok, or refused (the old ones stay).",
    }
    /// Output channels.
    outputs: OutputsMetrics {
        alerts: Counter = "Alerts handed to the channels.",
        dropped: Counter = "Alerts dropped because a queue was full.",
        failed: Counter = "Alerts that a channel could not write.",
        waiting: Family<Gauge> ["output"] = "Alerts that wait in the queue of an output.",
        repeated: Counter = "Alerts that repeated another one and were counted instead of sent.",
        latency: Histogram = "From the event's time to the alert's being queued.",
    }
    /// Alerts that are sent by HTTP.
    http: HttpMetrics {
        requests: Counter = "Requests made, those for another attempt among them.",
        failed: Counter = "Requests that were not answered with success.",
        timeouts: Counter = "Requests that were not answered in time.",
        refused: Counter = "Alerts that the server will not take, and that are lost.",
    }
    /// Alerts that wait on disk for a server.
    spool: SpoolMetrics {
        kept: Counter = "Alerts written to the spool.",
        waiting: Gauge = "Alerts that wait in the spool.",
        bytes: Gauge = "Bytes of the spool's files.",
        dropped: Counter = "The oldest alerts, dropped since the spool was full.",
        damaged: Counter = "Alerts whose bytes in the spool were damaged.",
    }
}

/// The metrics of this process.
pub static METRICS: Metrics = Metrics::new();

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Kind;

    #[test]
    fn each_row_is_walked_once_with_its_value() {
        let metrics = Metrics::new();
        metrics.fanotify.own.add(3);
        metrics.rules.alerts.with(&["R", "Notice"]).increment();
        let mut rows = Vec::new();
        metrics.each(&mut |row, values, reading| {
            assert_eq!(row.labels.len(), values.len());
            rows.push((row.full_name(), values.join(","), reading));
        });
        let find = |name: &str| rows.iter().filter(|row| row.0 == name).collect::<Vec<_>>();
        assert_eq!(find("eyas_fanotify_own_total")[0].2, Reading::Count(3));
        assert_eq!(find("eyas_rules_alerts_total")[0].1, "R,Notice");
        assert_eq!(find("eyas_outputs_latency_seconds").len(), 1);
        assert_eq!(metrics.value("fanotify", "own"), Some(3));
    }

    #[test]
    fn names_are_such_as_prometheus_takes() {
        let metrics = Metrics::new();
        metrics.each(&mut |row, _, _| {
            let name = row.full_name();
            assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{name}");
            assert!(row.help.ends_with('.'), "{name}");
            assert_eq!(row.kind == Kind::Histogram, name.ends_with("_seconds"));
        });
    }
}
