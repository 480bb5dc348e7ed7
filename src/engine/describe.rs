//! `-L` and `-l RULE`: what the loaded rules are, as a table or as JSON.

use serde_json::Value;

use super::load::Loaded;

/// Which rules are described.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum Describe {
    /// None.
    #[default]
    Nothing,
    /// All rules, macros and lists (`-L`).
    All,
    /// One rule (`-l`).
    Rule(String),
}

/// The rule isn't loaded.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("Rule \"{0}\" is not loaded")]
pub struct NotLoaded(pub String);

/// The table, with a final newline.
///
/// # Errors
///
/// If there is no rule of that name.
pub fn text(_loaded: &Loaded, _which: &Describe) -> Result<String, NotLoaded> {
    Ok(String::new())
}

/// The object that `-L` prints and that is `falco_describe_results` of `-V`.
///
/// # Errors
///
/// If there is no rule of that name.
pub fn json(_loaded: &Loaded, _which: &Describe) -> Result<Value, NotLoaded> {
    Ok(Value::Null)
}
