//! `--version`: Falco's block with our numbers, as text or JSON.

use crate::engine::load::ENGINE_VERSION;

/// The version of this program.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The version of Falco's event schema that the event table follows.
pub const SCHEMA_VERSION: &str = "4.5.1";

/// The version of Falco's driver interface that the event table follows.
const DRIVER_API_VERSION: &str = "10.1.0";

/// The version of Falco's libraries whose behaviour is followed.
const LIBS_VERSION: &str = "0.25.4";

/// The version of the plugin interface that belongs to it; no plugin can be loaded.
const PLUGIN_API_VERSION: &str = "3.12.0";

/// What stands in the place of the driver that is built in.
const DRIVER: &str = "none";

/// `--version`, with a final newline.
#[must_use]
pub fn text() -> String {
    let engine = engine_version();
    format!(
        "Falco version: {VERSION}\n\
         Libs version:  {LIBS_VERSION}\n\
         Plugin API:    {PLUGIN_API_VERSION}\n\
         Engine:        {engine}\n\
         Driver:\n\
         \x20 API version:    {DRIVER_API_VERSION}\n\
         \x20 Schema version: {SCHEMA_VERSION}\n\
         \x20 Default driver: {DRIVER}\n"
    )
}

/// `--version` with `json_output`; also part of `--support`.
#[must_use]
pub fn json() -> serde_json::Value {
    serde_json::json!({
        "default_driver_version": DRIVER,
        "driver_api_version": DRIVER_API_VERSION,
        "driver_schema_version": SCHEMA_VERSION,
        "engine_version": ENGINE_VERSION.1.to_string(),
        "engine_version_semver": engine_version(),
        "falco_version": VERSION,
        "libs_version": LIBS_VERSION,
        "plugin_api_version": PLUGIN_API_VERSION,
    })
}

fn engine_version() -> String {
    let (major, minor, patch) = ENGINE_VERSION;
    format!("{major}.{minor}.{patch}")
}
