//! Falco's numbers about itself: one row each, with its name in a snapshot and for Prometheus.

use crate::config::Metrics as Settings;
use crate::metrics::{Kind, METRICS};

use super::usage::Usage;

/// What was read at one moment.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sample {
    pub now_ns: u64,
    pub started_ns: u64,
    pub reloaded_ns: u64,
    pub cpus: u64,
    pub usage: Usage,
    pub events: u64,
    pub drops: u64,
    pub alerts_dropped: u64,
    pub matches: u64,
    pub threads: u64,
    pub threads_added: u64,
    pub threads_removed: u64,
    pub threads_forgotten: u64,
}

/// Which switch of the configuration a row belongs to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Section {
    Always,
    Rules,
    Resources,
    State,
    Kernel,
}

/// A value as it is written.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Number {
    Count(u64),
    /// A share of one: a snapshot tells it in percent with one digit.
    Share(f64),
    /// Bytes: a snapshot tells them in MB or KB.
    Bytes(u64),
}

/// One row.
pub(super) struct Fact {
    /// In a snapshot; of [`Number::Bytes`] without the unit.
    pub key: &'static str,
    /// For Prometheus; nothing if it is told there in another form.
    pub prometheus: &'static str,
    pub kind: Kind,
    pub help: &'static str,
    section: Section,
    read: fn(&Sample) -> Option<Number>,
}

use Kind::{Counter, Gauge};
use Section::{Always, Kernel, Resources, Rules, State};

fn count(value: u64) -> Option<Number> {
    Some(Number::Count(value))
}

#[expect(clippy::cast_precision_loss, reason = "a share needs no more digits")]
fn cpu_share(sample: &Sample) -> Option<Number> {
    let seconds = sample.now_ns.saturating_sub(sample.started_ns) as f64 / 1e9;
    Some(Number::Share(sample.usage.cpu_seconds? / seconds.max(0.001)))
}

#[rustfmt::skip]
pub(super) static FACTS: &[Fact] = &[
    Fact { key: "falco.start_ts", prometheus: "falco_start_timestamp_nanoseconds", kind: Gauge, section: Always, help: "When the agent was started.", read: |s| count(s.started_ns) },
    Fact { key: "falco.reload_ts", prometheus: "falco_reload_timestamp_nanoseconds", kind: Gauge, section: Always, help: "When rules and configuration were loaded last.", read: |s| count(s.reloaded_ns) },
    Fact { key: "falco.duration_sec", prometheus: "falco_duration_seconds_total", kind: Counter, section: Always, help: "For how long the agent has been running.", read: |s| count(s.now_ns.saturating_sub(s.started_ns) / 1_000_000_000) },
    Fact { key: "falco.host_boot_ts", prometheus: "falco_host_boot_timestamp_nanoseconds", kind: Gauge, section: Always, help: "When the host was started.", read: |s| count(s.usage.boot_seconds?.checked_mul(1_000_000_000)?) },
    Fact { key: "falco.host_num_cpus", prometheus: "falco_host_num_cpus_total", kind: Gauge, section: Always, help: "Processors of the host.", read: |s| count(s.cpus) },
    Fact { key: "falco.outputs_queue_num_drops", prometheus: "falco_outputs_queue_num_drops_total", kind: Counter, section: Always, help: "Alerts dropped because the queue of the outputs was full.", read: |s| count(s.alerts_dropped) },
    Fact { key: "falco.num_evts", prometheus: "falco_num_evts_total", kind: Counter, section: Always, help: "Events judged by the rules.", read: |s| count(s.events) },
    Fact { key: "falco.rules.matches_total", prometheus: "", kind: Counter, section: Rules, help: "Matches of all rules.", read: |s| count(s.matches) },
    Fact { key: "falco.cpu_usage_perc", prometheus: "falco_cpu_usage_ratio", kind: Gauge, section: Resources, help: "Processor time of the agent by time since its start; 1 is one processor.", read: cpu_share },
    Fact { key: "falco.memory_rss", prometheus: "falco_memory_rss_bytes", kind: Gauge, section: Resources, help: "Resident memory of the agent.", read: |s| Some(Number::Bytes(s.usage.rss?)) },
    Fact { key: "falco.memory_vsz", prometheus: "falco_memory_vsz_bytes", kind: Gauge, section: Resources, help: "Virtual memory of the agent.", read: |s| Some(Number::Bytes(s.usage.vsz?)) },
    Fact { key: "falco.memory_pss", prometheus: "falco_memory_pss_bytes", kind: Gauge, section: Resources, help: "Resident memory of the agent, shared pages by parts.", read: |s| Some(Number::Bytes(s.usage.pss?)) },
    Fact { key: "falco.container_memory_used", prometheus: "falco_container_memory_used_bytes", kind: Gauge, section: Resources, help: "Memory of the agent's control group.", read: |s| Some(Number::Bytes(s.usage.container?)) },
    Fact { key: "falco.host_cpu_usage_perc", prometheus: "falco_host_cpu_usage_ratio", kind: Gauge, section: Resources, help: "Share of time since boot in which the host's processors worked.", read: |s| Some(Number::Share(s.usage.host_cpu?)) },
    Fact { key: "falco.host_memory_used", prometheus: "falco_host_memory_used_bytes", kind: Gauge, section: Resources, help: "Memory of the host that is in use.", read: |s| Some(Number::Bytes(s.usage.host_memory?)) },
    Fact { key: "falco.host_procs_running", prometheus: "falco_host_procs_running_total", kind: Gauge, section: Resources, help: "Threads of the host that run or could run.", read: |s| count(s.usage.host_running?) },
    Fact { key: "falco.host_open_fds", prometheus: "falco_host_open_fds_total", kind: Gauge, section: Resources, help: "Open files of the host.", read: |s| count(s.usage.host_files?) },
    Fact { key: "falco.n_threads", prometheus: "falco_n_threads_total", kind: Gauge, section: State, help: "Entries of the process table.", read: |s| count(s.threads) },
    Fact { key: "falco.n_added_threads", prometheus: "falco_n_added_threads_total", kind: Counter, section: State, help: "Entries put into the process table.", read: |s| count(s.threads_added) },
    Fact { key: "falco.n_removed_threads", prometheus: "falco_n_removed_threads_total", kind: Counter, section: State, help: "Entries taken out of the process table.", read: |s| count(s.threads_removed) },
    Fact { key: "falco.n_drops_full_threadtable", prometheus: "falco_n_drops_full_threadtable_total", kind: Counter, section: State, help: "Living processes forgotten because the process table was full.", read: |s| count(s.threads_forgotten) },
    Fact { key: "falco.n_noncached_fd_lookups", prometheus: "falco_n_noncached_fd_lookups_total", kind: Counter, section: State, help: "Descriptors looked up in /proc.", read: |_| count(METRICS.enrich.descriptors.get()) },
    Fact { key: "falco.n_failed_fd_lookups", prometheus: "falco_n_failed_fd_lookups_total", kind: Counter, section: State, help: "Descriptors looked up that were closed, or could not be read.", read: |_| count(METRICS.enrich.descriptors_missed.get()) },
    Fact { key: "falco.n_stored_evts", prometheus: "falco_n_stored_evts_total", kind: Counter, section: State, help: "Opens kept for their close, which tells their mode.", read: |_| count(METRICS.enrich.opens_kept.get()) },
    Fact { key: "falco.n_store_evts_drops", prometheus: "falco_n_store_evts_drops_total", kind: Counter, section: State, help: "Opens told without their mode since there was no room to keep more.", read: |_| count(METRICS.enrich.opens_crowded.get()) },
    Fact { key: "falco.n_retrieved_evts", prometheus: "falco_n_retrieved_evts_total", kind: Counter, section: State, help: "Opens kept whose close came.", read: |_| count(METRICS.enrich.opens_closed.get()) },
    Fact { key: "falco.n_retrieve_evts_drops", prometheus: "falco_n_retrieve_evts_drops_total", kind: Counter, section: State, help: "Opens kept whose close didn't come in time.", read: |_| count(METRICS.enrich.opens_expired.get()) },
    Fact { key: "falco.n_cached_thread_lookups", prometheus: "falco_n_cached_thread_lookups_total", kind: Counter, section: State, help: "Processes looked up that were in the process table.", read: |_| count(METRICS.enrich.known.get()) },
    Fact { key: "falco.n_noncached_thread_lookups", prometheus: "falco_n_noncached_thread_lookups_total", kind: Counter, section: State, help: "Processes looked up that were not in the process table, and were read from /proc.", read: |_| count(METRICS.enrich.read.get()) },
    Fact { key: "falco.n_failed_thread_lookups", prometheus: "falco_n_failed_thread_lookups_total", kind: Counter, section: State, help: "Processes looked up that were gone, or could not be read.", read: |_| count(METRICS.enrich.missed.get()) },
    Fact { key: "scap.n_evts", prometheus: "scap_n_evts_total", kind: Counter, section: Kernel, help: "Events that the kernel told and the rules judged.", read: |s| count(s.events) },
    Fact { key: "scap.n_drops", prometheus: "scap_n_drops_total", kind: Counter, section: Kernel, help: "Events lost before they could be judged; a loss of unknown size counts one.", read: |s| count(s.drops) },
];

impl Fact {
    /// What it stands at, if the configuration wants it and it is known.
    pub(super) fn number(&self, sample: &Sample, settings: &Settings) -> Option<Number> {
        let is_wanted = match self.section {
            Always => true,
            Rules => settings.rules,
            Resources => settings.resources,
            State => settings.state,
            Kernel => settings.kernel,
        };
        if is_wanted { (self.read)(sample) } else { None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_prometheus_names_have_their_units() {
        for (at, fact) in FACTS.iter().enumerate() {
            assert!(FACTS.iter().skip(at + 1).all(|other| other.key != fact.key), "{}", fact.key);
            let number = (fact.read)(&Sample { usage: full(), ..Sample::default() }).unwrap();
            if !fact.prometheus.is_empty() {
                match number {
                    Number::Bytes(_) => assert!(fact.prometheus.ends_with("_bytes")),
                    Number::Share(_) => assert!(fact.prometheus.ends_with("_ratio")),
                    Number::Count(_) => {}
                }
            }
        }
    }

    fn full() -> Usage {
        Usage {
            cpu_seconds: Some(1.0),
            rss: Some(1),
            vsz: Some(1),
            pss: Some(1),
            container: Some(1),
            host_cpu: Some(0.5),
            host_memory: Some(1),
            host_running: Some(1),
            host_files: Some(1),
            boot_seconds: Some(1),
        }
    }
}
