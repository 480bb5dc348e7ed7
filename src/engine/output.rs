//! A rule's output: text with `%fields`, parsed once, filled in for every alert.

/// A parsed output.
#[derive(Clone, Debug)]
pub struct Template {}

/// Why an output doesn't parse; Falco's text.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{0}")]
pub struct OutputError(pub String);

impl Template {
    /// Parses an output.
    ///
    /// # Errors
    ///
    /// With Falco's text if a field doesn't exist or the format is malformed.
    pub fn parse(_text: &str) -> Result<Self, OutputError> {
        Ok(Self {})
    }
}
