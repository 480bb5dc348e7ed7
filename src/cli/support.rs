//! `--support`: everything that a bug report needs, as one line of JSON.

use super::flags::Options;
use super::rules_files::RulesFile;
use super::version;
use crate::config::Loaded;

/// The line.
#[must_use]
pub fn json(options: &Options, loaded: &Loaded, files: &[RulesFile]) -> serde_json::Value {
    let rules: Vec<_> = files
        .iter()
        .map(|file| {
            serde_json::json!({
                "name": file.name,
                "variants": [{ "content": String::from_utf8_lossy(&file.text) }],
            })
        })
        .collect();
    serde_json::json!({
        "cmdline": options.command_line,
        "config": loaded.tree.to_yaml(),
        "engine_info": version::json(),
        "rules_files": rules,
        "system_info": system(),
        "version": version::VERSION,
    })
}

/// What uname(2) says.
fn system() -> serde_json::Value {
    let Ok(names) = nix::sys::utsname::uname() else { return serde_json::Value::Null };
    serde_json::json!({
        "machine": names.machine().to_string_lossy(),
        "nodename": names.nodename().to_string_lossy(),
        "release": names.release().to_string_lossy(),
        "sysname": names.sysname().to_string_lossy(),
        "version": names.version().to_string_lossy(),
    })
}
