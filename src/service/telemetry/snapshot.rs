//! Snapshots of the metrics at an interval: as an alert, as a line of JSON in a file, or both.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;

use serde_json::{Map, Value, json};

use crate::config::Metrics as Settings;
use crate::log::Level;
use crate::log_limited;

use super::facts::{FACTS, Number, Sample};
use super::{Board, ENGINE, Identity, matches_by_rule, sample, sanitised};

/// Falco's name of the rule.
pub const RULE: &str = "Falco internal: metrics snapshot";

/// Falco's text.
pub const MESSAGE: &str = "Falco metrics snapshot";

/// Takes snapshots.
#[derive(Debug)]
pub struct Snapshots {
    settings: Settings,
    due_ns: u64,
    taken: u64,
    /// Events, losses and the moment of the last one.
    last: Option<(u64, u64, u64)>,
}

impl Snapshots {
    /// The first is due one interval after `now_ns`, nanoseconds since the epoch.
    #[must_use]
    pub const fn new(settings: Settings, now_ns: u64) -> Self {
        let due_ns = now_ns.saturating_add(settings.interval_ms.saturating_mul(1_000_000));
        Self { settings, due_ns, taken: 0, last: None }
    }

    /// When the next one is due, nanoseconds since the epoch.
    #[must_use]
    pub const fn due_ns(&self) -> u64 {
        self.due_ns
    }

    /// Takes a snapshot if one is due: into the file, and as fields if it is to be an alert, too.
    pub fn tick(
        &mut self,
        identity: &Identity,
        board: &Board,
        now_ns: u64,
    ) -> Option<Map<String, Value>> {
        if now_ns < self.due_ns {
            return None;
        }
        let interval_ns = self.settings.interval_ms.saturating_mul(1_000_000);
        // A clock that was set forward doesn't make up for what it left out.
        self.due_ns = self.due_ns.saturating_add(interval_ns).max(now_ns.saturating_add(1));
        self.taken += 1;
        let sample = sample(board, now_ns);
        let fields = self.fields(identity, board, &sample);
        if let Some(path) = &self.settings.file {
            let line = format!("{}\n", json!({ "output_fields": fields, "sample": self.taken }));
            let file = OpenOptions::new().append(true).create(true).mode(0o600).open(path);
            if let Err(error) = file.and_then(|mut file| file.write_all(line.as_bytes())) {
                log_limited!(Level::Error, "metrics.output_file {}: {error}", path.display());
            }
        }
        self.last = Some((sample.events, sample.drops, now_ns));
        self.settings.as_alert.then_some(fields)
    }

    fn fields(&self, identity: &Identity, board: &Board, sample: &Sample) -> Map<String, Value> {
        let mut fields = Map::new();
        let mut put = |key: &str, value: Value| {
            fields.insert(key.to_owned(), value);
        };
        put("evt.time", sample.now_ns.into());
        put("evt.hostname", identity.hostname.as_str().into());
        put("evt.source", "syscall".into());
        put("falco.version", identity.version.into());
        put("falco.kernel_release", identity.kernel.as_str().into());
        put("scap.engine_name", ENGINE.into());
        let loaded = board.loaded();
        for (prefix, files) in [
            ("falco.sha256_rules_file", &loaded.rules_files),
            ("falco.sha256_config_file", &loaded.config_files),
        ] {
            for (file, hash) in files {
                let name = file.rsplit('/').next().unwrap_or(file);
                put(&format!("{prefix}.{}", sanitised(name)), hash.as_str().into());
            }
        }
        for (key, addresses) in addresses() {
            put(&key, addresses.into());
        }
        for fact in FACTS {
            let Some(number) = fact.number(sample, &self.settings) else { continue };
            // What Falco always writes of the kernel's counts begins with these.
            let is_always = !fact.key.starts_with("scap.") || fact.key.starts_with("scap.n_");
            let is_zero = matches!(number, Number::Count(0) | Number::Bytes(0));
            if is_zero && !is_always && !self.settings.with_empty {
                continue;
            }
            let (key, value) = self.written(fact.key, number);
            put(&key, value);
        }
        if self.settings.rules {
            let counts = matches_by_rule();
            for rule in &loaded.rules {
                let count = counts.get(&rule.name).copied().unwrap_or(0);
                if count > 0 || self.settings.with_empty {
                    put(&format!("falco.rules.{}", sanitised(&rule.name)), count.into());
                }
            }
        }
        self.put_rates(sample, &mut put);
        fields
    }

    /// What can be said from the second snapshot on.
    fn put_rates(&self, sample: &Sample, put: &mut impl FnMut(&str, Value)) {
        let Some((events, drops, then_ns)) = self.last else { return };
        let seconds = std::time::Duration::from_nanos(sample.now_ns.saturating_sub(then_ns));
        let seconds = seconds.as_secs_f64().max(0.001);
        put("falco.num_evts_prev", events.into());
        let rate = tenths(difference(sample.events, events) / seconds);
        put("falco.evts_rate_sec", rate.into());
        if self.settings.kernel {
            put("scap.n_evts_prev", events.into());
            put("scap.n_drops_prev", drops.into());
            put("scap.evts_rate_sec", rate.into());
            let lost = difference(sample.drops, drops);
            put("scap.evts_drop_rate_sec", tenths(lost / seconds).into());
            let all = lost + difference(sample.events, events);
            put(
                "scap.n_drops_perc",
                tenths(if all > 0.0 { 100.0 * lost / all } else { 0.0 }).into(),
            );
        }
    }

    fn written(&self, key: &str, number: Number) -> (String, Value) {
        let is_container = key == "falco.container_memory_used";
        match number {
            Number::Count(value) => (key.to_owned(), value.into()),
            Number::Share(share) => (key.to_owned(), tenths(share * 100.0).into()),
            Number::Bytes(bytes) if self.settings.memory_in_mb => {
                (format!("{key}_mb"), tenths(difference(bytes, 0) / 1024.0 / 1024.0).into())
            }
            Number::Bytes(bytes) if is_container => (format!("{key}_bytes"), bytes.into()),
            Number::Bytes(bytes) => (format!("{key}_kb"), (bytes / 1024).into()),
        }
    }
}

/// Rounded to one digit, as Falco does.
fn tenths(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

#[expect(clippy::cast_precision_loss, reason = "a rate needs no more digits")]
fn difference(now: u64, then: u64) -> f64 {
    now.saturating_sub(then) as f64
}

/// Addresses of the host's interfaces but the loopback, under Falco's keys.
fn addresses() -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = Vec::new();
    let Ok(interfaces) = nix::ifaddrs::getifaddrs() else { return found };
    for interface in interfaces.filter(|interface| interface.interface_name != "lo") {
        let Some(address) = interface.address else { continue };
        let (family, text) = if let Some(v4) = address.as_sockaddr_in() {
            ("ipv4", v4.ip().to_string())
        } else if let Some(v6) = address.as_sockaddr_in6() {
            ("ipv6", v6.ip().to_string())
        } else {
            continue;
        };
        let name = &interface.interface_name;
        let key = format!("falco.host_netinfo.interfaces.{name}.protocols.{family}.addresses");
        match found.iter_mut().find(|(known, _)| *known == key) {
            Some((_, all)) => *all = format!("{all},{text}"),
            None => found.push((key, text)),
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::tests::{board, identity, settings};
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn a_snapshot_is_taken_once_an_interval_and_tells_rates_from_the_second_on() {
        let (identity, board) = (identity(), board());
        let mut snapshots = Snapshots::new(settings(), 10 * SECOND);
        assert_eq!(snapshots.tick(&identity, &board, 10 * SECOND), None);
        let first = snapshots.tick(&identity, &board, 11 * SECOND).unwrap();
        assert_eq!(first["falco.version"], "1.2.3");
        assert_eq!(first["falco.sha256_rules_file.rules_yaml"], "ab12");
        assert_eq!(first["falco.duration_sec"], 10);
        assert!(first["falco.memory_rss_mb"].as_f64().unwrap() > 0.0);
        assert!(!first.contains_key("falco.evts_rate_sec"));
        assert_eq!(snapshots.tick(&identity, &board, 11 * SECOND + 1), None);
        let second = snapshots.tick(&identity, &board, 12 * SECOND).unwrap();
        assert!(second.contains_key("falco.evts_rate_sec"));
        assert!(second.contains_key("scap.n_drops_perc"));
    }

    #[test]
    fn the_file_gets_a_line_with_a_running_number() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("stats.jsonl");
        let settings = Settings {
            file: Some(path.clone()),
            as_alert: false,
            memory_in_mb: false,
            with_empty: true,
            ..settings()
        };
        let mut snapshots = Snapshots::new(settings, 0);
        for second in 1..=2 {
            assert_eq!(snapshots.tick(&identity(), &board(), second * SECOND), None);
        }
        let text = String::from_utf8(std::fs::read(path).unwrap()).unwrap();
        let lines: Vec<Value> =
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!((lines.len(), &lines[1]["sample"]), (2, &json!(2)));
        let fields = &lines[0]["output_fields"];
        assert!(fields["falco.memory_rss_kb"].as_u64().unwrap() > 100, "{fields}");
        assert_eq!(fields["falco.rules.Telemetry_test_rule"], 0);
    }
}
