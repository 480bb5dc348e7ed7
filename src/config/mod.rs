//! The configuration: what the program runs with. Data only; `service` hands it on.
//!
//! The file's keys, their defaults and the texts of fatal values are Falco's. A scalar that can't
//! be converted is its default, in silence, as in Falco; own keys stand under `eyas:`.

pub mod keys;
pub mod load;
mod notes;
pub mod outputs;
pub mod overrides;
mod read;
mod read_audit;
mod refuse;
pub mod value;

use std::net::IpAddr;
use std::path::PathBuf;

pub use load::{Loaded, load};
pub use outputs::Outputs;
pub use overrides::OverrideError;

/// The configuration can't be used; Falco's text.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    /// A line for stderr that comes first.
    pub first: Option<String>,
    /// What stands behind `Error: `.
    pub message: String,
}

impl Error {
    pub(crate) const fn new(message: String) -> Self {
        Self { first: None, message }
    }

    /// A file that can't be read or parsed.
    pub(crate) fn in_file(name: &str, reason: &str) -> Self {
        Self {
            first: Some(format!("Cannot read config file ({name}): {reason}")),
            message: reason.to_owned(),
        }
    }
}

impl From<OverrideError> for Error {
    fn from(error: OverrideError) -> Self {
        Self::new(error.to_string())
    }
}

/// Where events come from.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum Engine {
    /// This kernel: whatever kind of driver the file asks for.
    #[default]
    Live,
    /// A capture file.
    Replay(PathBuf),
}

/// `eyas.audit.seat`: where audit records come from.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum AuditSeat {
    /// The kernel's one seat where auditd isn't installed, else beside it.
    #[default]
    Auto,
    /// The kernel's one seat, also where auditd is installed.
    Unicast,
    /// Beside whoever holds it.
    Multicast,
    /// From auditd's dispatcher.
    Plugin,
    /// Nowhere.
    Off,
}

impl AuditSeat {
    /// The words for them.
    pub const ALL: [(&str, Self); 5] = [
        ("auto", Self::Auto),
        ("unicast", Self::Unicast),
        ("multicast", Self::Multicast),
        ("plugin", Self::Plugin),
        ("off", Self::Off),
    ];
}

/// `eyas.audit`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Audit {
    /// Where records come from.
    pub seat: AuditSeat,
    /// Rules of ours may be put in while auditd runs: they fill its log, too.
    pub beside_auditd: bool,
    /// Rules of ours may be put in though a lost record panics the host (`failure 2`).
    pub despite_panic: bool,
    /// The audit tells of opens, too, instead of fanotify.
    pub opens: bool,
    /// Records that may wait in the kernel, at least; in effect while we hold the seat.
    pub backlog_limit: u32,
    /// Types of calls that are audited though programs make them all the time.
    pub costly_calls: Vec<String>,
    /// Where `eyas audit-plugin` finds us.
    pub socket: PathBuf,
}

impl Default for Audit {
    fn default() -> Self {
        Self {
            seat: AuditSeat::Auto,
            beside_auditd: false,
            despite_panic: false,
            opens: false,
            backlog_limit: 8192,
            costly_calls: Vec::new(),
            socket: PathBuf::from("/run/eyas/audit.sock"),
        }
    }
}

/// What is done when events were lost.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[allow(missing_docs, reason = "Falco's words")]
pub enum DropAction {
    Ignore,
    Log,
    Alert,
    Exit,
}

/// `syscall_event_drops`.
#[derive(Clone, Debug, PartialEq)]
pub struct Drops {
    /// In the order in which they are taken: ignore, log, alert, exit.
    pub actions: Vec<DropAction>,
    /// Share of lost events above which something is done, 0 to 1.
    pub threshold: f64,
    /// Actions per second.
    pub rate: f64,
    /// Actions that may follow each other at once.
    pub max_burst: f64,
    /// Every event counts as a loss: for tests of what follows.
    pub simulate: bool,
}

/// One entry of `append_output`.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct AppendOutput {
    /// `match.source`
    pub source: Option<String>,
    /// `match.rule`
    pub rule: Option<String>,
    /// `match.tags`
    pub tags: Vec<String>,
    /// Text behind the output.
    pub extra_output: Option<String>,
    /// A field under its own name (no format), or a format under a name.
    pub extra_fields: Vec<(String, Option<String>)>,
    /// The fields that the sources suggest.
    pub suggested_output: bool,
}

/// One step of `rules`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Selection {
    /// Or disable.
    pub enable: bool,
    /// The name or tag.
    pub text: String,
    /// It is a tag, exact; otherwise a name with `*`.
    pub is_tag: bool,
}

/// Which parts of a JSON alert are written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[allow(missing_docs, reason = "names of the keys")]
pub struct JsonProperties {
    pub output: bool,
    pub message: bool,
    pub output_fields: bool,
    pub tags: bool,
}

/// `webserver`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct WebServer {
    /// Where it listens.
    pub address: IpAddr,
    /// The port.
    pub port: u16,
    /// The path that answers whether the agent lives.
    pub health: String,
    /// PEM file with key and certificates, if TLS is spoken.
    pub certificate: Option<PathBuf>,
    /// `threadiness`, as Falco's log line says it; one thread serves.
    pub threads: u32,
    /// `webserver.ui`: the page for the host's admin is served.
    pub ui: bool,
}

/// `metrics`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Metrics {
    /// Milliseconds between two snapshots.
    pub interval_ms: u64,
    /// The same, as written.
    pub interval: String,
    /// A snapshot goes down the outputs as an alert.
    pub as_alert: bool,
    /// A snapshot is appended to this file.
    pub file: Option<PathBuf>,
    /// The web server answers at `/metrics`.
    pub for_prometheus: bool,
    /// With counts by rule.
    pub rules: bool,
    /// With processor time and memory.
    pub resources: bool,
    /// With sizes of tables.
    pub state: bool,
    /// With counts of the kernel's events and losses.
    pub kernel: bool,
    /// Memory in MB instead of KB.
    pub memory_in_mb: bool,
    /// Zeros are not left out.
    pub with_empty: bool,
}

/// What the program runs with.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Files and directories, in order, as written.
    pub rules_files: Vec<PathBuf>,
    /// What is enabled and disabled after loading.
    pub rules: Vec<Selection>,
    /// Where events come from.
    pub engine: Engine,
    /// Rules of a lower priority are not loaded: 0 emergency … 7 debug.
    pub priority: u8,
    /// All matching rules alert, not only the first.
    pub match_all: bool,
    /// Times in ISO 8601 in UTC.
    pub time_iso_8601: bool,
    /// Byte buffers in base64.
    pub buffer_base64: bool,
    /// Alerts as JSON.
    pub json_output: bool,
    /// Parts of JSON alerts.
    pub json: JsonProperties,
    /// Additions to outputs.
    pub append_output: Vec<AppendOutput>,
    /// Constant entries of `output_fields`.
    pub static_fields: Vec<(String, String)>,
    /// Alerts are not flushed one by one.
    pub buffered_outputs: bool,
    /// Where alerts go.
    pub outputs: Outputs,
    /// Most alerts that wait; 0: as many as there is room for by our own bound.
    pub queue_capacity: usize,
    /// `eyas.queue_capacity`: our own bound.
    pub own_queue_capacity: usize,
    /// Milliseconds after which a channel that doesn't take an alert is told of.
    pub output_timeout_ms: u64,
    /// Our log goes to stderr.
    pub log_stderr: bool,
    /// Our log goes to syslog.
    pub log_syslog: bool,
    /// 0 emergency … 7 debug.
    pub log_level: u8,
    /// What is done about lost events.
    pub drops: Drops,
    /// Most threads in the process table.
    pub thread_table_size: usize,
    /// The web server, if it is on.
    pub web_server: Option<WebServer>,
    /// Metrics, if they are on.
    pub metrics: Option<Metrics>,
    /// Configuration and rules are loaded again when their files change.
    pub watches_files: bool,
    /// `eyas.strict`: refuse to start if a kernel interface that the rules need is missing.
    pub strict: bool,
    /// `eyas.trust_foreign_rules`: use rules files that others than root can change.
    pub trusts_foreign_rules: bool,
    /// `eyas.rendezvous`: programs are read while they stand still at their start.
    pub rendezvous: bool,
    /// `eyas.audit`.
    pub audit: Audit,
    /// `eyas.embedded_rules`: use the rules in the binary if no rules file exists.
    pub embedded_rules: bool,
    /// What to tell the user once: keys that are set and have no effect.
    pub notes: Vec<String>,
}
