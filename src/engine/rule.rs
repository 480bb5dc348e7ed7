//! A rule, as it is after all files are merged and macros and lists are resolved.

use super::compile::Condition;
use super::event_set::EventSet;
use super::lang::ast::Expr;
use super::output::Template;

/// How bad it is; Falco's names in Falco's order, most severe first.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Priority {
    /// The system is unusable; syslog's severity 0.
    Emergency,
    /// Something must be done at once; 1.
    Alert,
    /// Critical; 2.
    Critical,
    /// An error; 3: state was changed that should not have been.
    Error,
    /// A warning; 4.
    Warning,
    /// Unusual; 5.
    Notice,
    /// For information; 6. Rules also spell it `INFO`.
    Informational,
    /// For who debugs rules; 7.
    Debug,
}

impl Priority {
    /// All of them, most severe first.
    pub const ALL: [Self; 8] = [
        Self::Emergency,
        Self::Alert,
        Self::Critical,
        Self::Error,
        Self::Warning,
        Self::Notice,
        Self::Informational,
        Self::Debug,
    ];

    /// As alerts print it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Emergency => "Emergency",
            Self::Alert => "Alert",
            Self::Critical => "Critical",
            Self::Error => "Error",
            Self::Warning => "Warning",
            Self::Notice => "Notice",
            Self::Informational => "Informational",
            Self::Debug => "Debug",
        }
    }

    /// Reads a priority as rules and configurations spell it, in any case; `info` is accepted.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.eq_ignore_ascii_case("info") {
            return Some(Self::Informational);
        }
        Self::ALL.into_iter().find(|priority| priority.name().eq_ignore_ascii_case(text))
    }
}

/// One rule, ready to be put into a [`RuleSet`](super::ruleset::RuleSet).
#[derive(Clone, Debug)]
pub struct Rule {
    /// Its unique name.
    pub name: String,
    /// What it is about.
    pub description: String,
    /// The event source that it belongs to: `syscall`.
    pub source: String,
    /// How bad a match is.
    pub priority: Priority,
    /// Sorted, without duplicates.
    pub tags: Vec<String>,
    /// Whether it is judged at all, after all selections.
    pub enabled: bool,
    /// The condition with macros and lists resolved; for `explain` and path-only evaluation.
    pub expr: Expr,
    /// The condition, typed.
    pub condition: Condition,
    /// The event types that it can match.
    pub events: EventSet,
    /// The output, with everything that is appended to it.
    pub output: Template,
    /// Extra entries of `output_fields` in JSON alerts.
    pub extra_fields: Vec<(String, Template)>,
    /// A match starts a capture.
    pub capture: bool,
    /// How long, in milliseconds; zero: the configuration's default.
    pub capture_duration_ms: u32,
}
