//! One alert to a server by one request, and what the answer means for it.

use std::io::Write as _;
use std::time::Duration;

use ureq::Agent;
use ureq::Proxy;
use ureq::unversioned::transport::DefaultConnector;

use super::resolve::Files;
use super::tls;
use crate::log;
use crate::log::Level;

/// Most bytes of an answer that are read.
const MAX_ANSWER: u64 = 64 << 10;

/// Longest time to the next attempt that a server may ask for.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(300);

/// Where alerts are sent and how.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Settings {
    /// `http:` or `https:`.
    pub url: String,
    /// `User-Agent`.
    pub user_agent: String,
    /// More headers.
    pub headers: Vec<(String, String)>,
    /// The alerts are JSON.
    pub is_json: bool,
    /// The body is sent in gzip, unless the server refuses it.
    pub compress: bool,
    /// An idle connection is kept for minutes instead of seconds.
    pub keep_alive: bool,
    /// The server's answers go to standard output.
    pub echo: bool,
    /// How long one request may take in all.
    pub timeout: Duration,
    /// The proxy; empty: the one that the environment names, if any.
    pub proxy: String,
    /// Whom to trust.
    pub tls: tls::Settings,
}

/// What came of a request.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Outcome {
    /// The server has it.
    Taken,
    /// The server will never take it.
    Refused(String),
    /// Perhaps later: not before, if the server said so.
    Later {
        /// Why.
        reason: String,
        /// Not before.
        after: Duration,
        /// Nothing was answered in time.
        is_timeout: bool,
    },
}

/// The client, with the connection it has.
#[derive(Debug)]
pub(super) struct Client {
    settings: Settings,
    /// Made at the first request; what it needs may not be there yet.
    agent: Option<Agent>,
    /// Whether the server takes gzip: unknown until it took or refused some.
    takes_gzip: Option<bool>,
}

impl Client {
    /// Connects to nothing yet.
    pub(super) const fn new(settings: Settings) -> Self {
        Self { settings, agent: None, takes_gzip: None }
    }

    /// Makes what a request needs, such as the certificates of authorities.
    pub(super) fn prepare(&mut self) -> Result<&Agent, String> {
        let agent = match self.agent.take() {
            Some(agent) => agent,
            None => self.make_agent()?,
        };
        Ok(self.agent.insert(agent))
    }

    fn make_agent(&self) -> Result<Agent, String> {
        let Settings { url, proxy, tls, .. } = &self.settings;
        let uri: ureq::http::Uri =
            url.parse().map_err(|error| format!("http_output.url '{url}': {error}"))?;
        let tls = match uri.scheme_str() {
            Some("https") => Some(tls::config(tls)?),
            Some("http") => None,
            _ => return Err(format!("http_output.url '{url}' is neither http: nor https:")),
        };
        let proxy = if proxy.is_empty() {
            Proxy::try_from_env()
        } else {
            let made = Proxy::new(proxy);
            Some(made.map_err(|error| format!("eyas.http_output.proxy '{proxy}': {error}"))?)
        };
        let idle = Duration::from_secs(if self.settings.keep_alive { 300 } else { 15 });
        let mut builder = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .user_agent(self.settings.user_agent.as_str())
            .max_idle_connections(1)
            .max_idle_connections_per_host(1)
            .max_idle_age(idle)
            .proxy(proxy)
            .timeout_global(Some(self.settings.timeout));
        if let Some(tls) = tls {
            builder = builder.tls_config(tls);
        }
        Ok(Agent::with_parts(builder.build(), DefaultConnector::new(), Files::default()))
    }

    /// Sends one alert. `extra`: one more header.
    pub(super) fn send(&mut self, alert: &[u8], extra: Option<(&str, &str)>) -> Outcome {
        let later = |reason| Outcome::Later { reason, after: Duration::ZERO, is_timeout: false };
        let packed = match self.settings.compress && self.takes_gzip != Some(false) {
            true => gzip(alert),
            false => None,
        };
        let settings = self.settings.clone();
        let agent = match self.prepare() {
            Ok(agent) => agent,
            Err(reason) => return later(reason),
        };
        let kind = if settings.is_json { "application/json" } else { "text/plain" };
        let mut request = agent.post(&settings.url).header("Content-Type", kind);
        if packed.is_some() {
            request = request.header("Content-Encoding", "gzip");
        }
        for (name, value) in &settings.headers {
            request = request.header(name, value);
        }
        if let Some((name, value)) = extra {
            request = request.header(name, value);
        }
        let is_packed = packed.is_some();
        match request.send(packed.as_deref().unwrap_or(alert)) {
            Err(ureq::Error::Timeout(which)) => Outcome::Later {
                reason: format!("{}: no answer in time ({which})", settings.url),
                after: Duration::ZERO,
                is_timeout: true,
            },
            Err(error) => later(format!("{}: {}", settings.url, chain(&error))),
            Ok(answer) => self.judge(answer, is_packed),
        }
    }

    fn judge(&mut self, mut answer: ureq::http::Response<ureq::Body>, is_packed: bool) -> Outcome {
        let status = answer.status();
        let after = answer.headers().get("retry-after").and_then(|value| value.to_str().ok());
        let after = after.and_then(|text| text.trim().parse().ok()).map(Duration::from_secs);
        // A connection whose answer was read can be used again.
        let body = answer.body_mut().with_config().limit(MAX_ANSWER).read_to_vec();
        if let (true, Ok(body)) = (self.settings.echo, &body) {
            echo(body);
        }
        let reason = format!("{}: the server answers {status}", self.settings.url);
        match status.as_u16() {
            200..300 => {
                if is_packed {
                    self.takes_gzip = Some(true);
                }
                Outcome::Taken
            }
            400 | 415 if is_packed && self.takes_gzip.is_none() => {
                self.takes_gzip = Some(false);
                log!(Level::Warning, "http: {reason} to gzip; alerts are sent uncompressed");
                Outcome::Later { reason, after: Duration::ZERO, is_timeout: false }
            }
            // What the server will say of this alert whenever it is asked.
            400 | 413 | 414 | 415 | 422 | 431 => Outcome::Refused(reason),
            _ => Outcome::Later {
                reason,
                after: after.unwrap_or_default().min(MAX_RETRY_AFTER),
                is_timeout: false,
            },
        }
    }
}

fn echo(body: &[u8]) {
    let mut out = std::io::stdout().lock();
    // Whoever reads it may be gone; alerts don't depend on it.
    let _ = out.write_all(body).and_then(|()| out.flush());
}

fn gzip(bytes: &[u8]) -> Option<Vec<u8>> {
    let level = flate2::Compression::fast();
    let mut encoder = flate2::write::GzEncoder::new(Vec::with_capacity(bytes.len() / 2), level);
    encoder.write_all(bytes).ok()?;
    encoder.finish().ok()
}

/// An error with its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        next = cause.source();
    }
    text
}
