//! What the web server answers, and how it is started.

use std::net::SocketAddr;
use std::sync::Arc;

use crate::config::{Config, WebServer};
use crate::log;
use crate::log::Level;
use crate::metrics::prometheus;
use crate::sys::{clock, process, seccomp};
use crate::web::page;
use crate::web::{Answer, Request, Response, Server};

use super::super::Error;
use super::{Board, Identity, state};

const JSON: &str = "application/json";

/// What is answered under the configuration.
#[must_use]
pub fn answer(
    identity: Identity,
    board: Arc<Board>,
    config: &Config,
    web: &WebServer,
) -> Arc<Answer> {
    let metrics = config.metrics.clone().filter(|metrics| metrics.for_prometheus);
    let (health, has_page) = (web.health.clone(), web.ui);
    board.keep_alerts(has_page);
    Arc::new(move |request: &Request<'_>| {
        if request.path == health {
            return Response::new(JSON, "{\"status\": \"ok\"}");
        }
        match (request.path, &metrics) {
            ("/versions", _) => Response::new(JSON, identity.versions.as_str()),
            ("/metrics", Some(metrics)) => {
                let text = super::prometheus(&identity, &board, metrics, clock::realtime_ns());
                Response::new(prometheus::CONTENT_TYPE, text)
            }
            _ if has_page => page_answer(&identity, &board, request),
            _ => Response::not_found(),
        }
    })
}

/// What the page consists of and asks for.
fn page_answer(identity: &Identity, board: &Board, request: &Request<'_>) -> Response {
    if !page::is_our_name(request.host, &identity.hostname) {
        return Response::misdirected();
    }
    if request.path != page::STATE {
        return page::file(request.path).unwrap_or_else(Response::not_found);
    }
    let after = request.query.strip_prefix("after=").and_then(|text| text.parse().ok());
    let now_ns = clock::realtime_ns();
    let state = state::json(identity, board, after.unwrap_or(0), now_ns);
    page::protect(Response::new(JSON, state.to_string()))
}

/// On the server's thread, before anybody is served: it needs no privilege and few system calls, so
/// that whoever takes it over by what he sends has won nothing.
fn give_up() {
    let filtered = process::set_nice(0)
        .and_then(|()| process::keep_capabilities(&[]))
        .and_then(|()| seccomp::install(&seccomp::serving_program()));
    if let Err(error) = filtered {
        log!(Level::Warning, "the web server's thread can't give up what it doesn't need: {error}");
    }
}

/// Starts the server that the configuration asks for.
///
/// # Errors
///
/// If its address can't be taken.
pub fn start_web_server(
    identity: &Identity,
    board: &Arc<Board>,
    config: &Config,
) -> Result<Option<Server>, Error> {
    let Some(web) = &config.web_server else { return Ok(None) };
    if web.ui && !web.address.is_loopback() {
        log!(
            Level::Warning,
            "webserver.ui is on and listen_address {} is reached from other hosts: whoever reaches \
             it can read the alerts",
            web.address
        );
    }
    let answer = answer(identity.clone(), Arc::clone(board), config, web);
    let tls = web.certificate.as_ref().map(|path| {
        crate::web::tls(path).map_err(|reason| {
            Error::Refused(format!(
                "an error occurred while starting webserver: ssl_certificate {}: {reason}",
                path.display()
            ))
        })
    });
    let tls = tls.transpose()?;
    let server = Server::start(SocketAddr::new(web.address, web.port), tls, answer, give_up);
    let server = server.map_err(|source| {
        Error::Refused(format!(
            "an error occurred while starting webserver: {}:{}: {source}",
            web.address, web.port
        ))
    })?;
    let cpus = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let threads = if web.threads == 0 { cpus.to_string() } else { web.threads.to_string() };
    log!(
        Level::Info,
        "Starting health webserver with threadiness {threads}, listening on {}{}",
        server.address(),
        if web.certificate.is_some() { " (SSL)" } else { "" }
    );
    Ok(Some(server))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{board, identity, settings};
    use super::*;

    fn ask(ui: bool, path: &str, host: &str) -> String {
        let text = "webserver: {enabled: true, ui: UI}\n".replace("UI", &ui.to_string());
        let tree = crate::config::value::Value::parse(&text).unwrap();
        let mut config = Config::read(&tree, "f").unwrap();
        config.metrics = Some(settings());
        let web = config.web_server.clone().unwrap();
        let answer = answer(identity(), Arc::new(board()), &config, &web);
        format!("{:?}", answer(&Request { path, query: "", host }))
    }

    #[test]
    fn falcos_endpoints_are_there_and_the_page_only_if_it_is_asked_for() {
        assert!(ask(false, "/healthz", "any").contains("status: (200, \"OK\")"));
        assert!(ask(false, "/versions", "any").contains("status: (200"));
        assert!(ask(false, "/metrics", "any").contains("status: (200"));
        for path in ["/", "/page.js", "/api/state"] {
            assert!(ask(false, path, "localhost").contains("status: (404"), "{path}");
            let answer = ask(true, path, "localhost");
            assert!(answer.contains("status: (200"), "{path}");
            assert!(answer.contains("Content-Security-Policy"), "{path}");
            assert!(ask(true, path, "evil.example").contains("status: (421"), "{path}");
        }
    }
}
