//! What operators do to a running agent whose server is away.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test")]

#[path = "support/server.rs"]
#[allow(dead_code, unreachable_pub, missing_docs, reason = "shared with other tests")]
mod server;
mod support;

use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use server::{Answer, Server};
use support::Need;
use support::have;
use support::host::Agent;
use support::place::Place;

/// The agent pauses between two attempts, ever longer.
const PATIENCE: Duration = Duration::from_secs(120);

/// The number in `…/n-NUMBER-…`.
fn number(body: &[u8]) -> Option<usize> {
    let text = std::str::from_utf8(body).ok()?;
    text.split_once("/n-")?.1.split_once('-')?.0.parse().ok()
}

#[test]
fn reloads_while_the_server_is_away_lose_no_alert_and_keep_the_order() {
    const ROUNDS: usize = 4;
    const OPENS: usize = 50;
    let needs = [Need::Root, Need::Fanotify, Need::ProcConnector];
    if !have("reloads_while_the_server_is_away_lose_no_alert_and_keep_the_order", &needs) {
        return;
    }
    // A port at which nobody listens now.
    let away = Server::start(|_, _| Answer::Keep(200));
    let (address, kept) = (away.address, away.shared());
    away.stop();
    let place = Place::new("");
    let dir = place.sandbox.dir.display().to_string();
    // Another user agent each time, so that the output is made anew.
    let configure = |round: usize| {
        place.configure(&format!(
            "watch_config_files: false\njson_output: true\n\
             http_output: {{enabled: true, url: 'http://{address}/', user_agent: round-{round}}}\n\
             eyas: {{spool: {{directory: {dir}/spool}}}}\n"
        ));
    };
    configure(0);
    let mut agent = place.start();
    let mut opened = 0;
    let mut open = |agent: &mut Agent| {
        for _ in 0..OPENS {
            place.open(&format!("n-{opened}-"));
            opened += 1;
        }
        let last = format!("/n-{}-", opened - 1);
        agent.line("the last open", |line| line.contains(&last));
    };
    for round in 1..=ROUNDS {
        open(&mut agent);
        configure(round);
        agent.send(Signal::SIGHUP);
        // While it loads, and while one output takes the other's place.
        open(&mut agent);
        agent.error("the reload", |text| {
            text.matches("the rules were loaded again").count() >= round
        });
    }
    let back =
        Server::start_at(address, Arc::clone(&kept), None, Arc::new(|_, _| Answer::Keep(200)));
    let total = 2 * ROUNDS * OPENS;
    let arrived = || -> Vec<usize> {
        kept.lock().unwrap().iter().filter_map(|request| number(&request.body)).collect()
    };
    let deadline = Instant::now() + PATIENCE;
    while arrived().len() < total {
        assert!(Instant::now() < deadline, "{} of {total}: {}", arrived().len(), agent.errors());
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(agent.end(Signal::SIGTERM).status.success());
    assert_eq!(arrived(), (0..total).collect::<Vec<_>>());
    back.stop();
}
