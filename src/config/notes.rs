//! What a file asks for and doesn't exist here: accepted, and told once.

use super::Error;
use super::read::Keys;
use super::value::Value;

const FROM_RULES: &str = "which system calls are watched follows from the rules";

/// Switches of what doesn't exist here, and what that means.
const SWITCHES: [(&str, &str); 5] = [
    ("base_syscalls.all", FROM_RULES),
    ("base_syscalls.repair", FROM_RULES),
    ("capture.enabled", "no captures are written"),
    ("grpc.enabled", "alerts go to servers by http_output"),
    ("grpc_output.enabled", "alerts go to servers by http_output"),
];

/// Keys of drivers.
const OF_DRIVERS: [&str; 7] = [
    "engine.kmod",
    "engine.ebpf",
    "engine.modern_ebpf",
    "engine.gvisor",
    "syscall_buf_size_preset",
    "syscall_drop_failed_exit",
    "modern_bpf",
];

/// Keys of older versions that Falco ignores today, too.
const OF_OLD_VERSIONS: [&str; 5] = [
    "outputs",
    "outputs_queue.recovery",
    "metadata_download",
    "container_engines",
    "webserver.k8s_audit_endpoint",
];

/// Notes for what a file asks for and doesn't exist here: one for each switch that is on, one for
/// each kind of keys.
pub(super) fn note_what_has_no_effect(
    keys: &Keys<'_>,
    notes: &mut Vec<String>,
) -> Result<(), Error> {
    for (key, what) in SWITCHES {
        if keys.truth(key, false)? {
            notes.push(format!("{key} is set and has no effect in this version: {what}"));
        }
    }
    if !keys.at("base_syscalls.custom_set")?.items().is_empty() {
        notes.push(format!("keys without effect: base_syscalls.custom_set: {FROM_RULES}"));
    }
    for (group, why) in [
        (&OF_DRIVERS[..], "there is no driver to be told"),
        (&OF_OLD_VERSIONS[..], "they are of older versions of Falco"),
    ] {
        let mut given = Vec::new();
        for key in group {
            if *keys.at(key)? != Value::Null {
                given.push(*key);
            }
        }
        if !given.is_empty() {
            notes.push(format!("keys without effect: {}: {why}", given.join(", ")));
        }
    }
    if !keys.at("plugins")?.items().is_empty() || !keys.at("load_plugins")?.items().is_empty() {
        notes.push("plugins can't be loaded: what `container` gives is built in".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::config::Config;

    use super::*;

    #[test]
    fn a_choice_of_system_calls_is_told_to_have_no_effect_unless_it_is_the_default() {
        let notes = |text: &str| {
            Config::read(&Value::parse(text).unwrap(), "f.yaml").unwrap().notes.join("; ")
        };
        let default = "base_syscalls: {custom_set: [], repair: false, all: false}\n";
        assert_eq!(notes(default), "");
        let given = notes("base_syscalls: {custom_set: ['!read'], repair: true, all: false}\n");
        assert_eq!(given.matches(FROM_RULES).count(), 2, "{given}");
    }

    #[test]
    fn what_has_no_effect_is_told_once_for_each_kind() {
        let old = "grpc: {enabled: true}\nsyscall_buf_size_preset: 4\noutputs: {rate: 1}\n\
                   engine: {kind: kmod, kmod: {buf_size_preset: 4}}\n\
                   container_engines: {docker: {enabled: true}}\ngrpc_output: {enabled: false}\n";
        assert_eq!(
            Config::read(&Value::parse(old).unwrap(), "f.yaml").unwrap().notes,
            [
                "grpc.enabled is set and has no effect in this version: alerts go to servers by \
                 http_output",
                "keys without effect: engine.kmod, syscall_buf_size_preset: there is no driver to \
                 be told",
                "keys without effect: outputs, container_engines: they are of older versions of \
                 Falco",
            ]
        );
    }
}
