//! What the agent tells about itself while it runs: answers of the web server, snapshots, and the
//! state that the page shows. Falco's names and texts are Falco's.

pub mod board;
mod facts;
mod snapshot;
mod state;
mod usage;
mod web;

pub use board::Board;
pub use snapshot::{MESSAGE as SNAPSHOT_MESSAGE, RULE as SNAPSHOT_RULE, Snapshots};
pub use web::{answer, start_web_server};

use crate::config::Metrics as Settings;
use crate::metrics::prometheus::Page;
use crate::metrics::{Kind, METRICS, Reading};

use facts::{FACTS, Number, Sample};
use usage::Usage;

/// What is the same as long as the agent runs.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The version of this program.
    pub version: &'static str,
    /// What `/versions` answers, as JSON.
    pub versions: String,
    /// The host's name as alerts have it.
    pub hostname: String,
    /// The kernel's release.
    pub kernel: String,
}

/// What `scap.engine_name` says.
const ENGINE: &str = "nodriver";

/// Reads all numbers now.
fn sample(board: &Board, now_ns: u64) -> Sample {
    let mut sample = Sample {
        now_ns,
        started_ns: board.started_ns,
        reloaded_ns: board.reloaded_ns(),
        cpus: std::thread::available_parallelism()
            .map_or(1, |n| u64::try_from(n.get()).unwrap_or(1)),
        usage: Usage::now(),
        alerts_dropped: METRICS.outputs.dropped.get(),
        threads: METRICS.enrich.processes.get(),
        threads_added: METRICS.enrich.added.get(),
        threads_removed: METRICS.enrich.removed.get(),
        threads_forgotten: METRICS.enrich.forgotten.get(),
        ..Sample::default()
    };
    METRICS.each(&mut |row, _, reading| {
        let Reading::Count(value) = reading else { return };
        match (row.group, row.name) {
            ("rules", "events") => sample.events += value,
            ("rules", "alerts") => sample.matches += value,
            ("sources", "drops") => sample.drops += value,
            _ => {}
        }
    });
    sample
}

/// How often each rule has matched, by name.
fn matches_by_rule() -> rustc_hash::FxHashMap<String, u64> {
    let mut counts = rustc_hash::FxHashMap::default();
    METRICS.each(&mut |row, values, reading| {
        if let ("rules", "alerts", [rule, _], Reading::Count(count)) =
            (row.group, row.name, values, reading)
        {
            *counts.entry((*rule).to_owned()).or_default() += count;
        }
    });
    counts
}

/// The answer to `/metrics`: Falco's names first, then ours.
fn prometheus(identity: &Identity, board: &Board, settings: &Settings, now_ns: u64) -> String {
    let mut page = Page::default();
    add_infos(&mut page, identity, board);
    let sample = sample(board, now_ns);
    for fact in FACTS.iter().filter(|fact| !fact.prometheus.is_empty()) {
        let Some(number) = fact.number(&sample, settings) else { continue };
        let name = format!("falcosecurity_{}", fact.prometheus);
        match number {
            Number::Count(value) | Number::Bytes(value) => {
                page.add(&name, fact.kind, fact.help, &[], &Reading::Count(value));
            }
            Number::Share(value) => page.add_number(&name, fact.kind, fact.help, &[], value),
        }
    }
    if settings.rules {
        add_rules(&mut page, board);
    }
    page.add_all(&METRICS);
    page.into_text()
}

/// What is told as labels of a number that is always 1.
fn add_infos(page: &mut Page, identity: &Identity, board: &Board) {
    let mut info = |name: &str, help: &str, labels: &[(&str, &str)]| {
        let name = format!("falcosecurity_{name}_info");
        page.add(&name, Kind::Gauge, help, labels, &Reading::Count(1));
    };
    info("falco_version", "The version of the agent.", &[("version", identity.version)]);
    info("falco_kernel_release", "The kernel.", &[("kernel_release", &identity.kernel)]);
    info("evt_hostname", "The host's name.", &[("hostname", &identity.hostname)]);
    let engine = [("engine_name", ENGINE), ("evt_source", "syscall")];
    info("scap_engine_name", "Where events come from.", &engine);
    let loaded = board.loaded();
    for (name, help, files) in [
        ("falco_sha256_rules_files", "Rules files and what they held.", &loaded.rules_files),
        (
            "falco_sha256_config_files",
            "Configuration files and what they held.",
            &loaded.config_files,
        ),
    ] {
        for (file, hash) in files {
            info(name, help, &[("file_name", file), ("sha256", hash)]);
        }
    }
}

fn add_rules(page: &mut Page, board: &Board) {
    let counts = matches_by_rule();
    for rule in &board.loaded().rules {
        let priority = (rule.priority as u8).to_string();
        let tags: Vec<_> = rule.tags.iter().map(|tag| format!("tag_{}", sanitised(tag))).collect();
        let mut labels = vec![
            ("priority", priority.as_str()),
            ("rule_name", rule.name.as_str()),
            ("source", rule.source.as_str()),
        ];
        for tag in &tags {
            // The same label twice would make the whole page unreadable.
            if !labels.iter().any(|(name, _)| name == tag) {
                labels.push((tag, "true"));
            }
        }
        let count = counts.get(&rule.name).copied().unwrap_or(0);
        page.add(
            "falcosecurity_falco_rules_matches_total",
            Kind::Counter,
            "Matches of each rule.",
            &labels,
            &Reading::Count(count),
        );
    }
}

/// A name as Falco writes it in names of metrics: what isn't a letter, digit, `_` or `:` becomes
/// `_`, several of them one, none at the end.
fn sanitised(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    for c in name.chars() {
        let c = if c.is_ascii_alphanumeric() || c == ':' { c } else { '_' };
        if c != '_' || !text.ends_with('_') {
            text.push(c);
        }
    }
    text.truncate(text.trim_end_matches('_').len());
    text
}

#[cfg(test)]
mod tests {
    use super::board::{Loaded, RuleRow};
    use super::*;
    use crate::engine::rule::Priority;

    pub(super) fn identity() -> Identity {
        Identity {
            version: "1.2.3",
            versions: "{\"falco_version\":\"1.2.3\"}".to_owned(),
            hostname: "h".to_owned(),
            kernel: "3.10.0".to_owned(),
        }
    }

    pub(super) fn settings() -> Settings {
        Settings {
            interval_ms: 1000,
            interval: "1s".to_owned(),
            as_alert: true,
            file: None,
            for_prometheus: true,
            rules: true,
            resources: true,
            state: true,
            kernel: true,
            memory_in_mb: true,
            with_empty: false,
        }
    }

    pub(super) fn board() -> Board {
        let board = Board::new(1_000_000_000);
        let rule = RuleRow {
            name: "Telemetry \"test\" rule".to_owned(),
            priority: Priority::Warning,
            source: "syscall".to_owned(),
            tags: vec!["T1059.004".to_owned(), "T1059_004".to_owned()],
            state: "can_fire",
        };
        let files = vec![("rules.yaml".to_owned(), "ab12".to_owned())];
        let loaded = Loaded { rules: vec![rule], rules_files: files, ..Loaded::default() };
        board.load(loaded, 2_000_000_000);
        board
    }

    #[test]
    fn names_are_sanitised_as_falco_does() {
        assert_eq!(sanitised("Read sensitive file (untrusted)"), "Read_sensitive_file_untrusted");
        assert_eq!(sanitised("a--b:c_"), "a_b:c");
    }

    #[test]
    fn the_page_for_prometheus_has_falcos_names_and_ours_with_one_head_each() {
        let text = prometheus(&identity(), &board(), &settings(), 9_000_000_000);
        for line in [
            "falcosecurity_falco_version_info{version=\"1.2.3\"} 1",
            "falcosecurity_evt_hostname_info{hostname=\"h\"} 1",
            "falcosecurity_scap_engine_name_info{engine_name=\"nodriver\",evt_source=\"syscall\"} 1",
            "falcosecurity_falco_sha256_rules_files_info{file_name=\"rules.yaml\",sha256=\"ab12\"} 1",
            "falcosecurity_falco_start_timestamp_nanoseconds 1000000000",
            "falcosecurity_falco_reload_timestamp_nanoseconds 2000000000",
            "falcosecurity_falco_duration_seconds_total 8",
            "falcosecurity_falco_rules_matches_total{priority=\"4\",rule_name=\"Telemetry \\\"test\\\" rule\",source=\"syscall\",tag_T1059_004=\"true\"} 0",
            "# TYPE eyas_outputs_latency_seconds histogram",
        ] {
            assert!(text.lines().any(|other| other == line), "{line} in\n{text}");
        }
        let mut heads: Vec<_> = text.lines().filter(|line| line.starts_with("# TYPE")).collect();
        let all = heads.len();
        heads.sort_unstable();
        heads.dedup();
        assert_eq!(heads.len(), all);
    }
}
