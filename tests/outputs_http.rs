//! Alerts to a server: in order and at least once, whatever the server, the disk and kill -9 do.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests"
)]

#[path = "support/capture.rs"]
#[allow(dead_code, reason = "shared with the bench")]
mod capture;
#[path = "support/numbered.rs"]
#[allow(dead_code, unreachable_pub, reason = "shared with other tests")]
mod numbered;
#[path = "support/server.rs"]
#[allow(dead_code, unreachable_pub, reason = "shared with other tests")]
mod server;

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::Duration;

use eyas::outputs::spool::Spool;
use eyas::outputs::{Channel, Maker, Outputs, Settings, WhenFull, http, spool};
use numbered::{Bench, await_that, numbers};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, Issuer, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use server::{Answer, Request, Server};

const JSON: &str = "json_output: true\n";

/// A configuration that sends to that port, with more keys of `http_output`.
fn config(server: &Server, keys: &str) -> String {
    let port = server.address.port();
    format!("{JSON}http_output: {{enabled: true, url: 'http://127.0.0.1:{port}/a'{keys}}}\n")
}

const SPOOL: &str = "eyas: {spool: {directory: DIR/spool}}\n";
const NO_SPOOL: &str = "eyas: {spool: {enabled: false}}\n";

/// The numbers of the alerts in requests.
fn sent(requests: &[Request]) -> Vec<u64> {
    requests.iter().map(|request| numbers(&request.body)[0]).collect()
}

fn log_of(run: &std::process::Output) -> String {
    String::from_utf8_lossy(&run.stderr).into_owned()
}

#[test]
fn each_alert_is_one_request_in_order() {
    for spool in [SPOOL, NO_SPOOL] {
        let server = Server::start(|_, _| Answer::Keep(200));
        let bench = Bench::new(&format!("{}{spool}", config(&server, "")));
        let run = bench.run(500);
        assert!(run.status.success(), "{}", log_of(&run));
        assert_eq!(sent(&server.kept()), (0..500).collect::<Vec<_>>());
        let first = &server.kept()[0];
        assert_eq!(first.line, "POST /a HTTP/1.1");
        assert_eq!(first.headers["content-type"], "application/json");
        assert_eq!(first.headers["user-agent"], "falcosecurity/falco");
        assert!(!first.body.ends_with(b"\n"));
    }
}

/// What falcosidekick reads: its fields, their types, and none that it doesn't know.
#[test]
fn falcosidekick_can_read_the_alerts() {
    let server = Server::start(|_, _| Answer::Keep(200));
    let bench = Bench::new(&config(&server, "").replace("a'", "'"));
    fs::create_dir_all(bench.path("spool")).unwrap();
    let capture = bench.write_capture(1);
    let mut agent = bench.command(capture.to_str().unwrap());
    agent.args(["-o", "eyas.spool.enabled=false"]).env("FALCO_HOSTNAME", "here");
    assert!(agent.output().unwrap().status.success());
    let alert: serde_json::Value = serde_json::from_slice(&server.kept()[0].body).unwrap();
    let keys: Vec<_> = alert.as_object().unwrap().keys().map(String::as_str).collect();
    let wanted =
        ["hostname", "output", "output_fields", "priority", "rule", "source", "tags", "time"];
    assert_eq!(keys, wanted);
    assert_eq!(alert["hostname"], "here");
    assert_eq!(alert["priority"], "Warning");
    assert_eq!(alert["source"], "syscall");
    assert_eq!(alert["tags"], serde_json::json!(["t"]));
    assert_eq!(alert["time"], "2023-11-14T22:13:20.000000000Z");
    assert!(alert["output"].as_str().unwrap().ends_with("Warning n=/n/0000000 by=worker"));
    assert_eq!(alert["output_fields"]["fd.name"], "/n/0000000");
}

#[test]
fn headers_of_the_configuration_are_sent_and_answers_echoed() {
    let server = Server::start(|_, _| Answer::Keep(200));
    let keys = "eyas: {spool: {enabled: false}, http_output: {headers: {X-Token: 'a b'}}}\n";
    let keys = format!("{}{keys}", config(&server, ", user_agent: mine, echo: true"));
    let run = Bench::new(&keys).run(2);
    assert!(run.stdout.starts_with(b"ok\nok\n"), "{run:?}");
    let request = &server.kept()[0];
    assert_eq!(request.headers["x-token"], "a b");
    assert_eq!(request.headers["user-agent"], "mine");
}

#[test]
fn bodies_are_compressed_unless_the_server_refuses() {
    let server = Server::start(|_, _| Answer::Keep(200));
    let keys = config(&server, ", compress_uploads: true");
    assert!(Bench::new(&format!("{keys}{NO_SPOOL}")).run(3).status.success());
    let request = &server.kept()[2];
    assert_eq!(request.headers["content-encoding"], "gzip");
    let mut body = Vec::new();
    flate2::read::GzDecoder::new(&request.body[..]).read_to_end(&mut body).unwrap();
    assert_eq!(numbers(&body), [2]);

    let server = Server::start(|_, request| {
        if request.headers.contains_key("content-encoding") {
            return Answer::Forget(415);
        }
        Answer::Keep(200)
    });
    let keys = config(&server, ", compress_uploads: true");
    let run = Bench::new(&format!("{keys}{NO_SPOOL}")).run(3);
    assert!(run.status.success(), "{}", log_of(&run));
    assert_eq!(sent(&server.kept()), [0, 1, 2]);
}

#[test]
fn an_alert_that_the_server_refuses_for_good_is_told_and_the_next_is_sent() {
    let server = Server::start(|number, _| match number {
        1 => Answer::Forget(400),
        _ => Answer::Keep(200),
    });
    let run = Bench::new(&format!("{}{NO_SPOOL}", config(&server, ""))).run(3);
    assert_eq!(sent(&server.kept()), [0, 2]);
    assert!(log_of(&run).contains("the server answers 400"), "{}", log_of(&run));
}

#[test]
fn a_server_that_answers_nothing_is_asked_again() {
    let server = Server::start(|number, _| match number {
        0..2 => Answer::Sleep(Duration::from_secs(120)),
        2 => Answer::Forget(503),
        3 => Answer::Close,
        _ => Answer::Keep(204),
    });
    let keys = "eyas: {spool: {enabled: false}, http_output: {timeout: 500ms}}\n";
    let run = Bench::new(&format!("{}{keys}", config(&server, ""))).run(3);
    assert!(run.status.success(), "{}", log_of(&run));
    assert_eq!(sent(&server.kept()), [0, 1, 2]);
}

/// A CA of the test's own, a server's certificate of it, and a client's.
struct Authority {
    ca: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(rcgen::DnType::CommonName, "test authority");
        let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        Self { ca }
    }

    fn issue(&self, name: &str) -> (rcgen::Certificate, KeyPair) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let issuer: &Issuer<'_, KeyPair> = &self.ca;
        (params.signed_by(&key, issuer).unwrap(), key)
    }

    fn server(&self, asks_client: bool) -> Arc<rustls::ServerConfig> {
        let (certificate, key) = self.issue("127.0.0.1");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = rustls::ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .unwrap();
        let mut roots = rustls::RootCertStore::empty();
        roots.add(self.ca.der().clone()).unwrap();
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
        let builder = if asks_client {
            builder.with_client_cert_verifier(verifier.build().unwrap())
        } else {
            builder.with_no_client_auth()
        };
        let chain: Vec<CertificateDer<'static>> = vec![certificate.der().clone()];
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        Arc::new(builder.with_single_cert(chain, key).unwrap())
    }
}

fn https(server: &Server, keys: &str) -> Bench {
    let config = config(server, keys).replace("http://", "https://");
    Bench::new(&format!("{config}{NO_SPOOL}"))
}

#[test]
fn a_server_is_trusted_by_its_authority_only() {
    let authority = Authority::new();
    let server = Server::start_tls(authority.server(false), |_, _| Answer::Keep(200));
    for keys in ["ca_cert: DIR/ca.pem", "ca_bundle: DIR/ca.pem", "ca_path: DIR/cas"] {
        let bench = https(&server, &format!(", {keys}"));
        fs::write(bench.path("ca.pem"), authority.ca.pem()).unwrap();
        fs::create_dir(bench.path("cas")).unwrap();
        // As `c_rehash` names it.
        fs::write(bench.path("cas/0a1b2c3d.0"), authority.ca.pem()).unwrap();
        let before = server.count();
        let run = bench.run(3);
        assert!(run.status.success(), "{keys}: {}", log_of(&run));
        assert_eq!(sent(&server.kept()[before..]), [0, 1, 2]);
    }
    let before = server.count();
    assert!(https(&server, ", insecure: true").run(1).status.success());
    assert_eq!(server.count(), before + 1);

    let stranger = https(&server, ", ca_cert: DIR/ca.pem");
    fs::write(stranger.path("ca.pem"), Authority::new().ca.pem()).unwrap();
    let run = stranger.run(1);
    assert_eq!(run.status.code(), Some(1));
    assert!(log_of(&run).contains("invalid peer certificate"), "{}", log_of(&run));
    assert_eq!(server.count(), before + 1);
}

#[test]
fn a_client_shows_its_certificate_if_it_has_one() {
    let authority = Authority::new();
    let server = Server::start_tls(authority.server(true), |_, _| Answer::Keep(200));
    let keys = ", ca_cert: DIR/ca.pem, mtls: true, client_cert: DIR/c.crt, client_key: DIR/c.key";
    let bench = https(&server, keys);
    let (certificate, key) = authority.issue("agent");
    fs::write(bench.path("ca.pem"), authority.ca.pem()).unwrap();
    fs::write(bench.path("c.crt"), certificate.pem()).unwrap();
    fs::write(bench.path("c.key"), key.serialize_pem()).unwrap();
    let run = bench.run(3);
    assert!(run.status.success(), "{}", log_of(&run));
    assert_eq!(sent(&server.kept()), [0, 1, 2]);

    // A key that isn't the certificate's is told, and nothing breaks.
    fs::write(bench.path("c.key"), KeyPair::generate().unwrap().serialize_pem()).unwrap();
    let run = bench.run(1);
    assert_eq!(run.status.code(), Some(1));
    assert!(log_of(&run).contains("c.key: not the key of"), "{}", log_of(&run));
}

/// A proxy that knows CONNECT; how often it was asked.
fn proxy(to: std::net::SocketAddr) -> (u16, Arc<AtomicU64>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let asked = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&asked);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut client = stream.unwrap();
            let mut head = Vec::new();
            let mut byte = [0];
            while !head.ends_with(b"\r\n\r\n") && client.read(&mut byte).unwrap_or(0) > 0 {
                head.push(byte[0]);
            }
            if !head.starts_with(b"CONNECT siem.invalid:80 ") {
                continue;
            }
            count.fetch_add(1, SeqCst);
            let server = TcpStream::connect(to).unwrap();
            client.write_all(b"HTTP/1.1 200 ok\r\n\r\n").unwrap();
            let copy = |mut from: TcpStream, mut to: TcpStream| {
                std::thread::spawn(move || std::io::copy(&mut from, &mut to));
            };
            copy(client.try_clone().unwrap(), server.try_clone().unwrap());
            copy(server, client);
        }
    });
    (port, asked)
}

#[test]
fn a_proxy_looks_the_servers_name_up() {
    let server = Server::start(|_, _| Answer::Keep(200));
    let (port, asked) = proxy(server.address);
    let keys = format!(
        "{JSON}http_output: {{enabled: true, url: 'http://siem.invalid/'}}\n\
         eyas: {{spool: {{enabled: false}}, http_output: {{proxy: 'http://127.0.0.1:{port}'}}}}\n"
    );
    let run = Bench::new(&keys).run(3);
    assert!(run.status.success(), "{}", log_of(&run));
    assert_eq!(sent(&server.kept()), [0, 1, 2]);
    assert!(asked.load(SeqCst) >= 1);
}

fn spool_command(bench: &Bench, arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_eyas"));
    command.arg("spool").args(arguments).arg("-c").arg(bench.path("eyas.yaml"));
    let output = command.output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(text).unwrap())
}

fn status(bench: &Bench) -> serde_json::Value {
    let (code, text) = spool_command(bench, &["status", "--json"]);
    assert_eq!(code, Some(0), "{text}");
    serde_json::from_str(&text).unwrap()
}

#[test]
fn what_a_dead_server_did_not_take_is_shown_checked_and_drained() {
    let server = Server::start(|_, _| Answer::Keep(200));
    let (address, kept) = (server.address, server.shared());
    let keys = "eyas: {spool: {directory: DIR/spool, hash_chain: true}}\n";
    let bench = Bench::new(&format!("{}{keys}", config(&server, "")));
    server.stop();
    let mut agent = bench.start();
    agent.feed(0..300);
    await_that("the spool is there", || bench.path("spool/lock").exists());
    await_that("all is kept", || status(&bench)["waiting"] == 300);
    let (code, text) = spool_command(&bench, &["drain"]);
    assert_eq!(code, Some(1));
    assert!(text.contains("is in use by another process"), "{text}");
    agent.kill();

    let (code, text) = spool_command(&bench, &["status"]);
    assert!(code == Some(0) && text.contains("waiting:  300 alerts\n"), "{text}");
    let (code, text) = spool_command(&bench, &["verify"]);
    assert!(code == Some(0) && text.ends_with("all is well\n"), "{text}");
    let (code, text) = spool_command(&bench, &["drain", "--timeout", "1"]);
    assert!(code == Some(1) && text.contains("300 alerts are left\n"), "{text}");

    let server = Server::start_at(address, kept, None, Arc::new(|_, _| Answer::Keep(200)));
    let (code, text) = spool_command(&bench, &["drain"]);
    assert!(code == Some(0) && text.contains("the spool is empty\n"), "{text}");
    assert_eq!(sent(&server.kept()), (0..300).collect::<Vec<_>>());
    assert!(server.kept()[0].headers["eyas-chain"].starts_with("0 "));

    // Somebody changes what is kept.
    let mut files = fs::read_dir(bench.path("spool")).unwrap().map(|entry| entry.unwrap().path());
    let segment = files.find(|path| path.extension().is_some_and(|it| it == "spool"));
    let mut bytes = fs::read(segment.as_ref().unwrap()).unwrap();
    bytes[300] ^= 1;
    fs::write(segment.unwrap(), bytes).unwrap();
    let (_, text) = spool_command(&bench, &["verify"]);
    assert!(text.contains("the checksum is wrong"), "{text}");
}

/// A reload to another server while the old one is dead: the new output gets the spool with all
/// that waits there, and nobody waits for either.
#[test]
fn an_output_hands_its_spool_over_to_the_one_that_takes_its_place() {
    let dir = tempfile::tempdir().unwrap();
    let make = |address: std::net::SocketAddr| {
        let settings = http::Settings {
            url: format!("http://{address}/"),
            user_agent: "test".to_owned(),
            headers: Vec::new(),
            is_json: false,
            compress: false,
            keep_alive: true,
            echo: false,
            timeout: Duration::from_secs(20),
            proxy: String::new(),
            tls: http::tls::Settings::default(),
        };
        let spool = spool::Settings {
            directory: dir.path().join("spool"),
            max_bytes: 1 << 20,
            fsync: spool::Fsync::Never,
            chain: false,
        };
        let end = http::End {
            patience: Duration::from_millis(200),
            limit: Some(Duration::from_secs(20)),
        };
        move || -> std::io::Result<Box<dyn Channel>> {
            let spool = Spool::open(spool).map_err(std::io::Error::other)?;
            Ok(Box::new(http::Http::start(settings, Some(spool), end)?))
        }
    };
    let settings = Settings {
        capacity: 1000,
        when_full: WhenFull::Drop,
        buffered: false,
        timeout: Duration::from_secs(20),
        may_end: false,
    };
    let push = |outputs: &Outputs, numbers: std::ops::Range<u64>| {
        numbers.for_each(|number| outputs.push(format!("n=/n/{number:07}").as_bytes(), 4));
    };
    // Nobody accepts what comes there.
    let dead = TcpListener::bind("127.0.0.1:0").unwrap();
    let channels = vec![("http", make(dead.local_addr().unwrap())().unwrap())];
    let old = Outputs::start(settings, channels, || {}).unwrap();
    push(&old, 0..100);
    let good = Server::start(|_, _| Answer::Keep(200));
    let makers: Vec<Maker> = vec![("http", Box::new(make(good.address)))];
    let (new, successors) = Outputs::start_beside(settings, makers, || {}).unwrap();
    successors.follow(old);
    push(&new, 100..200);
    await_that("all has arrived", || good.count() == 200);
    assert_eq!(sent(&good.kept()), (0..200).collect::<Vec<_>>());
    assert!(new.finish().is_complete);
}

/// The server fails three requests of ten, in every way, is slow now and then, and restarts twice;
/// the agent is killed while it keeps alerts and while it sends them.
#[test]
fn a_hundred_thousand_alerts_arrive_over_kill_9_and_a_flaky_server() {
    const ALERTS: u64 = 100_000;
    let failures = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&failures);
    let decide = move |number: u64, _: &Request| {
        // Knuth's numbers: spread, and the same at each run.
        let random = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(11) >> 40;
        if random.is_multiple_of(1000) {
            std::thread::sleep(Duration::from_millis(20));
        }
        let answer = match random % 100 {
            0..22 => Answer::Forget(503),
            22..25 => Answer::Close,
            25..28 => Answer::KeepAndClose,
            28..30 => Answer::Forget(429),
            _ => Answer::Keep(200),
        };
        count.fetch_add(u64::from(answer == Answer::KeepAndClose), SeqCst);
        answer
    };
    let decide: Arc<server::Decide> = Arc::new(decide);
    let any = "127.0.0.1:0".parse().unwrap();
    let mut server = Server::start_at(any, Arc::default(), None, Arc::clone(&decide));
    let (address, kept) = (server.address, server.shared());
    let bench = Bench::new(&format!("{}{SPOOL}", config(&server, "")));
    let restart = |server: Server| {
        server.stop();
        std::thread::sleep(Duration::from_millis(300));
        Server::start_at(address, Arc::clone(&kept), None, Arc::clone(&decide))
    };

    // Killed while it still reads and keeps.
    let mut agent = bench.start();
    agent.feed(0..30_000);
    await_that("some arrive", || server.count() > 500);
    agent.kill();
    let taken = status(&bench)["next"].as_u64().unwrap();
    assert!(taken > 500, "{taken}");

    // What it had not read comes again; killed while it sends.
    let mut agent = bench.start();
    agent.feed(taken..ALERTS - 1);
    await_that("all is kept", || status(&bench)["next"] == ALERTS - 1);
    server = restart(server);
    let before = server.count();
    await_that("more arrive", || server.count() > before + 5000);
    agent.kill();
    server = restart(server);

    let mut agent = bench.start();
    agent.feed(ALERTS - 1..ALERTS);
    await_that("the last one is kept", || status(&bench)["next"] == ALERTS);
    let began = std::time::Instant::now();
    while status(&bench)["waiting"] != 0 {
        assert!(began.elapsed() < Duration::from_secs(400), "{}", bench.log());
        std::thread::sleep(Duration::from_millis(200));
    }
    assert!(agent.end().success(), "{}", bench.log());

    let sent = sent(&server.kept());
    assert!(sent.is_sorted(), "the order was not kept");
    let mut unique = sent.clone();
    unique.dedup();
    assert_eq!(unique, (0..ALERTS).collect::<Vec<_>>());
    // A duplicate is an alert that the server kept and did not answer: by its own fault, or
    // because the agent or the server was killed at that moment.
    let duplicates = u64::try_from(sent.len()).unwrap() - ALERTS;
    assert!(duplicates <= failures.load(SeqCst) + 4, "{duplicates}");
}
