//! Every key that a configuration file may have: one row each.
//!
//! The schema line at start compares files with these rows; a test compares them with the shipped
//! file. What a value means is decided in [`Config::read`](super::Config::read).

use serde_json::json;

use super::value::Value;

/// What a key's value has to be.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    Bool,
    Integer,
    Number,
    Text,
    /// A sequence, or one scalar in its place.
    List,
    /// A map whose keys are the user's.
    FreeMap,
}

use Kind::{Bool, FreeMap, Integer, List, Number, Text};

#[rustfmt::skip]
static KEYS: &[(&str, Kind)] = &[
    ("append_output", List),
    ("base_syscalls.all", Bool),
    ("base_syscalls.custom_set", List),
    ("base_syscalls.repair", Bool),
    ("buffer_format_base64", Bool),
    ("buffered_outputs", Bool),
    ("capture.default_duration", Integer),
    ("capture.enabled", Bool),
    ("capture.max_file_size_mb", Integer),
    ("capture.mode", Text),
    ("capture.path_prefix", Text),
    ("config_files", List),
    ("engine.kind", Text),
    ("engine.kmod.buf_size_preset", Integer),
    ("engine.kmod.drop_failed_exit", Bool),
    ("engine.modern_ebpf.buf_size_preset", Integer),
    ("engine.modern_ebpf.cpus_for_each_buffer", Integer),
    ("engine.modern_ebpf.disable_iterators", Bool),
    ("engine.modern_ebpf.drop_failed_exit", Bool),
    ("engine.replay.capture_file", Text),
    ("eyas.audit.backlog_limit", Integer),
    ("eyas.audit.beside_auditd", Bool),
    ("eyas.audit.costly_calls", List),
    ("eyas.audit.despite_panic", Bool),
    ("eyas.audit.opens", Bool),
    ("eyas.audit.seat", Text),
    ("eyas.audit.socket", Text),
    ("eyas.embedded_rules", Bool),
    ("eyas.file_output.keep", Integer),
    ("eyas.file_output.max_age", Text),
    ("eyas.file_output.max_size_mb", Integer),
    ("eyas.http_output.headers", FreeMap),
    ("eyas.http_output.proxy", Text),
    ("eyas.http_output.timeout", Text),
    ("eyas.queue_capacity", Integer),
    ("eyas.rendezvous", Bool),
    ("eyas.repeats.fields", List),
    ("eyas.repeats.window", Text),
    ("eyas.spool.directory", Text),
    ("eyas.spool.enabled", Bool),
    ("eyas.spool.fsync", Text),
    ("eyas.spool.hash_chain", Bool),
    ("eyas.spool.max_size_mb", Integer),
    ("eyas.strict", Bool),
    ("eyas.syslog_output.facility", Text),
    ("eyas.syslog_output.format", Text),
    ("eyas.syslog_output.socket", Text),
    ("eyas.syslog_output.tag", Text),
    ("eyas.trust_foreign_rules", Bool),
    ("falco_libs.snaplen", Integer),
    ("falco_libs.thread_table_auto_purging_interval_s", Integer),
    ("falco_libs.thread_table_auto_purging_thread_timeout_s", Integer),
    ("falco_libs.thread_table_size", Integer),
    ("file_output.enabled", Bool),
    ("file_output.filename", Text),
    ("file_output.keep_alive", Bool),
    ("http_output.ca_bundle", Text),
    ("http_output.ca_cert", Text),
    ("http_output.ca_path", Text),
    ("http_output.client_cert", Text),
    ("http_output.client_key", Text),
    ("http_output.compress_uploads", Bool),
    ("http_output.echo", Bool),
    ("http_output.enabled", Bool),
    ("http_output.insecure", Bool),
    ("http_output.keep_alive", Bool),
    ("http_output.max_consecutive_timeouts", Integer),
    ("http_output.mtls", Bool),
    ("http_output.url", Text),
    ("http_output.user_agent", Text),
    ("json_include_message_property", Bool),
    ("json_include_output_fields_property", Bool),
    ("json_include_output_property", Bool),
    ("json_include_tags_property", Bool),
    ("json_output", Bool),
    ("libs_logger.enabled", Bool),
    ("libs_logger.severity", Text),
    ("load_plugins", List),
    ("log_level", Text),
    ("log_stderr", Bool),
    ("log_syslog", Bool),
    ("metrics.convert_memory_to_mb", Bool),
    ("metrics.enabled", Bool),
    ("metrics.include_empty_values", Bool),
    ("metrics.interval", Text),
    ("metrics.jemalloc_stats_enabled", Bool),
    ("metrics.kernel_event_counters_enabled", Bool),
    ("metrics.kernel_event_counters_per_cpu_enabled", Bool),
    ("metrics.kernel_iter_event_counters_enabled", Bool),
    ("metrics.libbpf_stats_enabled", Bool),
    ("metrics.output_file", Text),
    ("metrics.output_rule", Bool),
    ("metrics.plugins_metrics_enabled", Bool),
    ("metrics.resource_utilization_enabled", Bool),
    ("metrics.rules_counters_enabled", Bool),
    ("metrics.state_counters_enabled", Bool),
    ("output_timeout", Integer),
    ("outputs_queue.capacity", Integer),
    ("plugins", List),
    ("plugins_hostinfo", Bool),
    ("priority", Text),
    ("program_output.enabled", Bool),
    ("program_output.keep_alive", Bool),
    ("program_output.program", Text),
    ("rule_matching", Text),
    ("rules", List),
    ("rules_files", List),
    ("static_fields", FreeMap),
    ("stdout_output.enabled", Bool),
    ("syscall_event_drops.actions", List),
    ("syscall_event_drops.max_burst", Integer),
    ("syscall_event_drops.rate", Number),
    ("syscall_event_drops.simulate_drops", Bool),
    ("syscall_event_drops.threshold", Number),
    ("syscall_event_timeouts.max_consecutives", Integer),
    ("syslog_output.enabled", Bool),
    ("time_format_iso_8601", Bool),
    ("watch_config_files", Bool),
    ("webserver.enabled", Bool),
    ("webserver.k8s_healthz_endpoint", Text),
    ("webserver.listen_address", Text),
    ("webserver.listen_port", Integer),
    ("webserver.prometheus_metrics_enabled", Bool),
    ("webserver.ssl_certificate", Text),
    ("webserver.ssl_enabled", Bool),
    ("webserver.threadiness", Integer),
    ("webserver.ui", Bool),
];

/// Keys of the years 2020 to 2026 that have no effect any more, with all that stands under them.
/// The schema refuses them, as Falco's does; they do no harm.
#[rustfmt::skip]
pub(super) static OLD_KEYS: &[&str] = &[
    "container_engines", "engine.ebpf", "engine.gvisor", "grpc", "grpc_output", "metadata_download",
    "modern_bpf", "outputs", "outputs_queue.recovery", "syscall_buf_size_preset",
    "syscall_drop_failed_exit", "webserver.k8s_audit_endpoint",
];

/// What the start-up line says of a file: `schema validation: ok`, or why not.
#[must_use]
pub fn schema_status(name: &str, tree: &Value) -> String {
    match fault(tree, "") {
        None => "schema validation: ok".to_owned(),
        Some(reason) => format!("schema validation: failed for {name}: {reason}"),
    }
}

/// The rows as a JSON schema (draft-06), closed at each level, as `--config-schema` prints it.
#[must_use]
pub fn json_schema() -> serde_json::Value {
    let mut schema = object("", |key| {
        json!({ "type": match key {
            Bool => "boolean",
            Integer => "integer",
            Number => "number",
            Text => "string",
            List => "array",
            FreeMap => "object",
        } })
    });
    if let Some(members) = schema.as_object_mut() {
        members.insert("$schema".to_owned(), json!("http://json-schema.org/draft-06/schema#"));
        members.insert("title".to_owned(), json!("eyas configuration"));
    }
    schema
}

/// The object of the keys below `prefix`.
fn object(prefix: &str, leaf: fn(Kind) -> serde_json::Value) -> serde_json::Value {
    let mut properties = serde_json::Map::new();
    for (key, kind) in KEYS {
        let Some(rest) = key.strip_prefix(prefix) else { continue };
        match rest.split_once('.') {
            None => {
                properties.insert(rest.to_owned(), leaf(*kind));
            }
            Some((name, _)) if !properties.contains_key(name) => {
                let below = object(&format!("{prefix}{name}."), leaf);
                properties.insert(name.to_owned(), below);
            }
            Some(_) => {}
        }
    }
    json!({ "type": "object", "additionalProperties": false, "properties": properties })
}

/// The first thing in which a tree differs from the rows.
fn fault(node: &Value, path: &str) -> Option<String> {
    if let Some((_, kind)) = KEYS.iter().find(|(key, _)| *key == path) {
        return (!fits(node, *kind)).then(|| format!("{path} is no {}", word(*kind)));
    }
    let prefix = if path.is_empty() { String::new() } else { format!("{path}.") };
    if !KEYS.iter().any(|(key, _)| key.starts_with(&prefix)) {
        let old = OLD_KEYS.contains(&path);
        return Some(format!("{} key {path}", if old { "outdated" } else { "unknown" }));
    }
    match node {
        Value::Map(entries) => {
            entries.iter().find_map(|(key, value)| fault(value, &format!("{prefix}{key}")))
        }
        Value::Null => None,
        Value::Scalar(_) | Value::Seq(_) => Some(format!("{path} is no map")),
    }
}

fn fits(node: &Value, kind: Kind) -> bool {
    match kind {
        Bool => node.truth().is_some(),
        Integer => node.number::<i64>().is_some(),
        Number => node.number::<f64>().is_some(),
        Text => node.text().is_some(),
        List => !matches!(node, Value::Map(_)),
        FreeMap => matches!(node, Value::Map(_) | Value::Null),
    }
}

const fn word(kind: Kind) -> &'static str {
    match kind {
        Bool => "truth value",
        Integer => "integer",
        Number => "number",
        Text => "text",
        List => "sequence",
        FreeMap => "map",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::load::EMBEDDED;

    fn status(text: &str) -> String {
        schema_status("f", &Value::parse(text).unwrap())
    }

    #[test]
    fn unknown_keys_and_wrong_types_fail_the_schema() {
        assert_eq!(status("json_output: on\nengine: {kind: kmod}\n"), "schema validation: ok");
        for (text, reason) in [
            ("jsn_output: true\n", "unknown key jsn_output"),
            ("engine: {king: kmod}\n", "unknown key engine.king"),
            ("json_output: maybe\n", "json_output is no truth value"),
            ("falco_libs: 512\n", "falco_libs is no map"),
            ("grpc: {enabled: true}\n", "outdated key grpc"),
        ] {
            assert_eq!(status(text), format!("schema validation: failed for f: {reason}"));
        }
    }

    #[test]
    fn the_shipped_file_has_every_key_with_a_comment() {
        let tree = Value::parse(EMBEDDED).unwrap();
        for (key, _) in KEYS {
            let there = key.split('.').try_fold(&tree, |node, name| node.child(name)).is_some();
            // Keys that make no sense in a file that ships stand there as comments.
            let last = key.rsplit('.').next().unwrap();
            let commented = EMBEDDED.lines().any(|line| {
                line.trim_start().starts_with('#') && line.contains(&format!("{last}:"))
            });
            assert!(there || commented, "{key} is not in config/eyas.yaml");
        }
    }

    #[test]
    fn the_json_schema_has_every_row_and_nothing_else() {
        let schema = json_schema();
        let at = |path: &str| schema.pointer(path).cloned().unwrap_or_default();
        assert_eq!(at("/properties/json_output/type"), "boolean");
        assert_eq!(
            at("/properties/engine/properties/kmod/properties/buf_size_preset/type"),
            "integer"
        );
        assert_eq!(at("/properties/engine/additionalProperties"), false);
    }

    #[test]
    fn rows_are_sorted_and_unique() {
        assert!(KEYS.windows(2).all(|pair| pair[0].0 < pair[1].0));
    }
}
