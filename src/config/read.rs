//! From the merged tree to [`Config`]: defaults, conversions, and the values with which Falco
//! doesn't start.

use std::path::PathBuf;

use super::refuse::{metrics, refuse_bad_values, web_server};
use super::value::Value;
use super::{AppendOutput, Config, DropAction, Drops, Engine, Error, JsonProperties};
use super::{Outputs, Selection};

/// Names of priorities, most severe first.
const PRIORITIES: [&str; 8] =
    ["emergency", "alert", "critical", "error", "warning", "notice", "informational", "debug"];

/// Names of log levels, most severe first.
const LOG_LEVELS: [&str; 8] =
    ["emergency", "alert", "critical", "error", "warning", "notice", "info", "debug"];

/// Reads keys of one tree.
pub(super) struct Keys<'a> {
    tree: &'a Value,
    pub(super) file: &'a str,
}

impl<'a> Keys<'a> {
    /// Of a tree; `file` is named in errors.
    pub(super) const fn new(tree: &'a Value, file: &'a str) -> Self {
        Self { tree, file }
    }

    /// The value under a dotted key, nothing if it isn't there.
    ///
    /// # Errors
    ///
    /// If a scalar stands where a map has to be.
    pub(super) fn at(&self, key: &str) -> Result<&'a Value, Error> {
        let mut node = self.tree;
        for name in key.split('.') {
            if let Value::Scalar(_) = node {
                return Err(Error::new(format!("operator[] call on a scalar (key: \"{name}\")")));
            }
            match node.child(name) {
                Some(child) => node = child,
                None => return Ok(&Value::Null),
            }
        }
        Ok(node)
    }

    pub(super) fn truth(&self, key: &str, default: bool) -> Result<bool, Error> {
        Ok(self.at(key)?.truth().unwrap_or(default))
    }

    pub(super) fn number<T: std::str::FromStr>(&self, key: &str, default: T) -> Result<T, Error> {
        Ok(self.at(key)?.number().unwrap_or(default))
    }

    pub(super) fn text(&self, key: &str, default: &'a str) -> Result<&'a str, Error> {
        Ok(self.at(key)?.text().unwrap_or(default))
    }

    pub(super) fn texts(&self, key: &str) -> Result<Vec<String>, Error> {
        Ok(self.at(key)?.items().iter().filter_map(Value::text).map(str::to_owned).collect())
    }

    /// The entries of a map whose keys are the user's.
    pub(super) fn pairs(&self, key: &str) -> Result<Vec<(String, String)>, Error> {
        let Value::Map(entries) = self.at(key)? else { return Ok(Vec::new()) };
        let texts = entries.iter().filter_map(|(key, value)| Some((key, value.text()?)));
        Ok(texts.map(|(key, text)| (key.clone(), text.to_owned())).collect())
    }

    /// The text under a key, if there is one.
    ///
    /// # Errors
    ///
    /// As [`at`](Self::at).
    pub(super) fn owned_text(&self, key: &str) -> Result<Option<String>, Error> {
        Ok(self.at(key)?.text().map(str::to_owned))
    }

    pub(super) fn refuse(&self, reason: impl std::fmt::Display) -> Error {
        Error::new(format!("Error reading config file ({}): {reason}", self.file))
    }
}

impl Config {
    /// Reads a tree; `file` is named in errors.
    ///
    /// # Errors
    ///
    /// With Falco's text for the values with which it doesn't start.
    pub fn read(tree: &Value, file: &str) -> Result<Self, Error> {
        let keys = Keys::new(tree, file);
        let mut notes = Vec::new();
        refuse_bad_values(&keys)?;
        super::notes::note_what_has_no_effect(&keys, &mut notes)?;
        let properties = JsonProperties {
            output: keys.truth("json_include_output_property", true)?,
            message: keys.truth("json_include_message_property", false)?,
            output_fields: keys.truth("json_include_output_fields_property", true)?,
            tags: keys.truth("json_include_tags_property", true)?,
        };
        Ok(Self {
            rules_files: rules_files(&keys, &mut notes)?,
            rules: selections(&keys)?,
            engine: engine(&keys)?,
            priority: priority(&keys)?,
            match_all: matches_all(&keys)?,
            time_iso_8601: keys.truth("time_format_iso_8601", false)?,
            buffer_base64: keys.truth("buffer_format_base64", false)?,
            json_output: keys.truth("json_output", false)?,
            json: properties,
            append_output: append_output(&keys, &mut notes)?,
            static_fields: keys.pairs("static_fields")?,
            buffered_outputs: keys.truth("buffered_outputs", false)?,
            outputs: Outputs::read(&keys)?,
            queue_capacity: keys.number("outputs_queue.capacity", 0)?,
            own_queue_capacity: keys.number("eyas.queue_capacity", 16_384)?,
            output_timeout_ms: keys.number("output_timeout", 2000)?,
            log_stderr: keys.truth("log_stderr", false)?,
            log_syslog: keys.truth("log_syslog", true)?,
            log_level: log_level(&keys)?,
            drops: drops(&keys)?,
            thread_table_size: keys.number("falco_libs.thread_table_size", 262_144)?,
            web_server: web_server(&keys)?,
            metrics: metrics(&keys)?,
            watches_files: keys.truth("watch_config_files", true)?,
            strict: keys.truth("eyas.strict", false)?,
            trusts_foreign_rules: keys.truth("eyas.trust_foreign_rules", false)?,
            rendezvous: keys.truth("eyas.rendezvous", true)?,
            audit: super::read_audit::audit(&keys)?,
            embedded_rules: keys.truth("eyas.embedded_rules", false)?,
            notes,
        })
    }
}

fn rules_files(keys: &Keys<'_>, notes: &mut Vec<String>) -> Result<Vec<PathBuf>, Error> {
    let (plural, singular) = (keys.at("rules_files")?, keys.at("rules_file")?);
    if *singular != Value::Null {
        if *plural != Value::Null {
            return Err(keys.refuse("both 'rules_files' and 'rules_file' keys set"));
        }
        notes.push(
            "Using deprecated config key 'rules_file' (singular form). Please use new \
             'rules_files' config key (plural form)."
                .to_owned(),
        );
    }
    let key = if *singular == Value::Null { "rules_files" } else { "rules_file" };
    Ok(keys.texts(key)?.into_iter().map(PathBuf::from).collect())
}

fn selections(keys: &Keys<'_>) -> Result<Vec<Selection>, Error> {
    let mut found = Vec::new();
    for entry in keys.at("rules")?.items() {
        for (verb, enable) in [("enable", true), ("disable", false)] {
            for (what, is_tag) in [("rule", false), ("tag", true)] {
                let text = entry.child(verb).and_then(|node| node.child(what)?.text());
                found.extend(text.map(|text| Selection { enable, text: text.to_owned(), is_tag }));
            }
        }
    }
    Ok(found)
}

fn engine(keys: &Keys<'_>) -> Result<Engine, Error> {
    match keys.text("engine.kind", "kmod")? {
        "kmod" | "modern_ebpf" | "nodriver" => Ok(Engine::Live),
        "replay" => match keys.text("engine.replay.capture_file", "")? {
            "" => {
                Err(keys
                    .refuse("engine.kind is 'replay' but no engine.replay.capture_file specified."))
            }
            file => Ok(Engine::Replay(PathBuf::from(file))),
        },
        kind => Err(keys.refuse(format_args!("engine.kind '{kind}' is not a valid kind."))),
    }
}

fn priority(keys: &Keys<'_>) -> Result<u8, Error> {
    let text = keys.text("priority", "debug")?;
    let shown = if text.eq_ignore_ascii_case("info") { "informational" } else { text };
    position(&PRIORITIES, shown).ok_or_else(|| {
        Error::new(format!("Unknown priority \"{text}\"--must be one of {}", PRIORITIES.join(", ")))
    })
}

fn log_level(keys: &Keys<'_>) -> Result<u8, Error> {
    let text = keys.text("log_level", "info")?;
    position(&LOG_LEVELS, text).ok_or_else(|| {
        Error::new(format!(
            "Unknown log level \"{text}\"--must be one of {}",
            LOG_LEVELS.join(", ")
        ))
    })
}

fn position(names: &[&str], name: &str) -> Option<u8> {
    (0..).zip(names).find(|(_, known)| known.eq_ignore_ascii_case(name)).map(|(index, _)| index)
}

fn matches_all(keys: &Keys<'_>) -> Result<bool, Error> {
    let text = keys.text("rule_matching", "first")?;
    match text.to_ascii_lowercase().as_str() {
        "first" => Ok(false),
        "all" => Ok(true),
        _ => Err(Error::new(format!(
            "Unknown rule matching strategy \"{text}\"--must be one of first, all"
        ))),
    }
}

fn append_output(keys: &Keys<'_>, notes: &mut Vec<String>) -> Result<Vec<AppendOutput>, Error> {
    let text = |node: &Value, key: &str| node.child(key)?.text().map(str::to_owned);
    let mut found = Vec::new();
    for entry in keys.at("append_output")?.items() {
        let of_match = entry.child("match").cloned().unwrap_or_default();
        let tags = of_match.child("tags").map(Value::items).unwrap_or_default();
        let one = AppendOutput {
            source: text(&of_match, "source"),
            rule: text(&of_match, "rule"),
            tags: tags.iter().filter_map(Value::text).map(str::to_owned).collect(),
            extra_output: text(entry, "extra_output"),
            extra_fields: extra_fields(entry.child("extra_fields")),
            suggested_output: entry.child("suggested_output").and_then(Value::truth) == Some(true),
        };
        if let (Some(rule), false) = (&one.rule, one.tags.is_empty()) {
            let tags: String = one.tags.iter().map(|tag| format!("{tag}, ")).collect();
            let tags = tags.trim_end();
            notes.push(format!(
                "An append_ouptut entry specifies both a rule ({rule}) and a list of tags \
                 ({tags}). This means that output will be appended only to the {rule} rule and \
                 only if it has all the tags: {tags}."
            ));
        }
        found.push(one);
    }
    Ok(found)
}

fn extra_fields(node: Option<&Value>) -> Vec<(String, Option<String>)> {
    let mut fields = Vec::new();
    for item in node.map(Value::items).unwrap_or_default() {
        match item {
            Value::Scalar(field) => fields.push((field.clone(), None)),
            Value::Map(entries) => fields.extend(entries.iter().filter_map(|(key, value)| {
                value.text().map(|format| (key.clone(), Some(format.to_owned())))
            })),
            Value::Null | Value::Seq(_) => {}
        }
    }
    fields
}

fn drops(keys: &Keys<'_>) -> Result<Drops, Error> {
    let mut actions = Vec::new();
    for name in keys.texts("syscall_event_drops.actions")? {
        let action = match name.as_str() {
            "ignore" => DropAction::Ignore,
            "log" => DropAction::Log,
            "alert" => DropAction::Alert,
            "exit" => DropAction::Exit,
            _ => {
                return Err(keys.refuse(
                    "available actions for syscall event drops are \"ignore\", \"log\", \
                     \"alert\", and \"exit\"",
                ));
            }
        };
        if matches!(action, DropAction::Log | DropAction::Alert)
            && actions.contains(&DropAction::Ignore)
        {
            return Err(keys.refuse(format_args!(
                "syscall event drop action \"{name}\" does not make sense with the \"ignore\" action"
            )));
        }
        actions.push(action);
    }
    let rank = |action: &DropAction| *action as u8;
    actions.sort_by_key(rank);
    actions.dedup();
    let threshold: f64 = keys.number("syscall_event_drops.threshold", 0.1)?;
    if !(0.0..=1.0).contains(&threshold) {
        return Err(
            keys.refuse("syscall event drops threshold must be a double in the range [0, 1]")
        );
    }
    Ok(Drops {
        actions,
        threshold,
        rate: keys.number("syscall_event_drops.rate", 0.03333)?,
        max_burst: keys.number("syscall_event_drops.max_burst", 1.0)?,
        simulate: keys.truth("syscall_event_drops.simulate_drops", false)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Config, String> {
        Config::read(&Value::parse(text).unwrap(), "f.yaml").map_err(|error| error.message)
    }

    /// A test that a text is refused in these words.
    macro_rules! refused {
        ($name:ident, $text:expr, $message:expr) => {
            #[test]
            fn $name() {
                assert_eq!(read($text).unwrap_err(), $message);
            }
        };
    }

    refused!(
        unknown_severity_of_falcos_libraries,
        "libs_logger: {severity: loud}",
        "Unknown sinsp log severity loud"
    );

    refused!(
        unknown_engine,
        "engine: {kind: ebpf}",
        "Error reading config file (f.yaml): engine.kind 'ebpf' is not a valid kind."
    );
    refused!(
        replay_without_file,
        "engine: {kind: replay}",
        "Error reading config file (f.yaml): engine.kind is 'replay' but no \
         engine.replay.capture_file specified."
    );
    refused!(
        both_rules_keys,
        "rules_file: a\nrules_files: [b]",
        "Error reading config file (f.yaml): both 'rules_files' and 'rules_file' keys set"
    );
    refused!(
        unknown_priority,
        "priority: high",
        "Unknown priority \"high\"--must be one of emergency, alert, critical, error, warning, \
         notice, informational, debug"
    );
    refused!(
        unknown_matching,
        "rule_matching: last",
        "Unknown rule matching strategy \"last\"--must be one of first, all"
    );
    refused!(
        bad_listen_address,
        "webserver: {listen_address: localhost}",
        "Error reading config file (f.yaml): webserver listen address \"localhost\" is not a \
         valid IP address"
    );
    refused!(
        unknown_drop_action,
        "syscall_event_drops: {actions: [shout]}",
        "Error reading config file (f.yaml): available actions for syscall event drops are \
         \"ignore\", \"log\", \"alert\", and \"exit\""
    );
    refused!(
        drop_action_after_ignore,
        "syscall_event_drops: {actions: [ignore, log]}",
        "Error reading config file (f.yaml): syscall event drop action \"log\" does not make \
         sense with the \"ignore\" action"
    );
    refused!(
        drop_threshold_out_of_range,
        "syscall_event_drops: {threshold: 1.5}",
        "Error reading config file (f.yaml): syscall event drops threshold must be a double in \
         the range [0, 1]"
    );
    refused!(
        no_timeouts,
        "syscall_event_timeouts: {max_consecutives: 0}",
        "Error reading config file(f.yaml): the maximum consecutive timeouts without an event \
         must be an unsigned integer > 0"
    );
    refused!(
        capture_mode,
        "capture: {mode: some}",
        "Error reading config file (f.yaml): capture.mode 'some' is not a valid mode."
    );
    refused!(
        scalar_for_a_map,
        "falco_libs: 512",
        "operator[] call on a scalar (key: \"thread_table_size\")"
    );

    refused!(
        metrics_interval_without_unit,
        "metrics: {enabled: true}",
        "Metrics interval was passed as numeric value without Prometheus time unit. Please \
         specify a time unit"
    );
    refused!(
        metrics_without_output,
        "metrics: {enabled: true, interval: 1h}",
        "Metrics are enabled with no output configured. Please enable at least one output channel \
         ('metrics.output_rule', 'metrics.output_file' or 'webserver.prometheus_metrics_enabled')"
    );

    #[test]
    fn what_cannot_be_converted_is_the_default() {
        let config = read("json_output: maybe\noutput_timeout: soon\nlog_stderr: [x]\n").unwrap();
        assert!(!config.json_output);
        assert_eq!(config.output_timeout_ms, 2000);
        assert!(!config.log_stderr);
    }

    #[test]
    fn an_old_file_starts_and_the_user_is_told() {
        let text = "rules_file:\n  - /etc/falco/falco_rules.yaml\n  - /etc/falco/rules.d\n\
                    outputs: {rate: 1, max_burst: 1000}\n\
                    webserver: {enabled: true, listen_port: 8765, k8s_audit_endpoint: /k8s_audit}\n\
                    grpc: {enabled: false}\nsyscall_event_drops: {actions: [log, alert]}\n";
        let config = read(text).unwrap();
        assert_eq!(config.rules_files.len(), 2);
        assert_eq!(config.drops.actions, [DropAction::Log, DropAction::Alert]);
        let told = |start: &str| config.notes.iter().any(|note| note.starts_with(start));
        assert!(told("Using deprecated config key 'rules_file'"), "{:?}", config.notes);
        assert!(told("keys without effect: outputs"), "{:?}", config.notes);
        assert_eq!(config.web_server.unwrap().health, "/healthz");
    }

    #[test]
    fn selections_and_appended_outputs_keep_their_order() {
        let config = read(
            "rules:\n  - disable: {rule: '*'}\n  - enable: {tag: network, rule: X}\n\
             append_output:\n  - match: {rule: R, tags: [a, b]}\n    extra_output: 'x=%evt.type'\n\
             \x20   extra_fields: [evt.hostname, {k: 'v %proc.name'}]\n  - suggested_output: true\n",
        )
        .unwrap();
        let selection =
            |enable, text: &str, is_tag| Selection { enable, text: text.into(), is_tag };
        assert_eq!(
            config.rules,
            [
                selection(false, "*", false),
                selection(true, "X", false),
                selection(true, "network", true)
            ]
        );
        let [first, second] = &config.append_output[..] else { panic!("two entries") };
        assert_eq!(
            first.extra_fields,
            [("evt.hostname".into(), None), ("k".into(), Some("v %proc.name".into()))]
        );
        assert!(second.suggested_output && !first.suggested_output);
        assert!(config.notes[0].contains("list of tags (a, b,)."), "{:?}", config.notes);
    }
}
