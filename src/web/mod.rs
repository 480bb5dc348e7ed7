//! A small HTTP server: HTTP/1.1, GET and HEAD, one request a connection, one thread.
//!
//! Whoever asks can't hold it: a connection has few bytes and few seconds for its request and as
//! many to take the answer, and if all places are taken, the oldest connection makes room. What
//! is answered is not known here: that is one function of the [`Request`].
//!
//! Sources: RFC 9110, RFC 9112.

mod connection;
mod exchange;
pub mod page;
mod stream;

use std::io;
use std::net::SocketAddr;
use std::os::fd::AsRawFd as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token, Waker};

use crate::log::Level;
use crate::log_limited;

use connection::{Connection, Progress};
pub use exchange::{Request, Response};
pub use stream::{Tls, tls};

/// Most connections at a time.
const MAX_CONNECTIONS: usize = 64;

/// After how long without any event the clock is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);

const LISTENER: Token = Token(usize::MAX);
const STOP: Token = Token(usize::MAX - 1);

/// Answers requests; called on the server's thread.
pub type Answer = dyn Fn(&Request<'_>) -> Response + Send + Sync;

/// A server that runs; ends with it.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    is_over: Arc<AtomicBool>,
    waker: Waker,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Takes the address and starts the thread; `on_start` is called there first. With `tls`, that
    /// is spoken, and nothing else.
    ///
    /// # Errors
    ///
    /// Those of bind(2) and listen(2), mostly: the port is taken, or isn't ours to take.
    pub fn start(
        address: SocketAddr,
        tls: Option<Tls>,
        answer: Arc<Answer>,
        on_start: impl FnOnce() + Send + 'static,
    ) -> io::Result<Self> {
        // The standard library sets SO_REUSEADDR: a restart needn't wait for old connections.
        let listener = std::net::TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let poll = Poll::new()?;
        let waker = Waker::new(poll.registry(), STOP)?;
        let fd = listener.as_raw_fd();
        poll.registry().register(&mut SourceFd(&fd), LISTENER, Interest::READABLE)?;
        let is_over = Arc::new(AtomicBool::new(false));
        let worker = Worker {
            poll,
            listener,
            tls,
            answer,
            connections: (0..MAX_CONNECTIONS).map(|_| None).collect(),
            may_wait: false,
            is_over: Arc::clone(&is_over),
        };
        let thread = std::thread::Builder::new()
            .name("web".to_owned())
            .stack_size(512 << 10)
            .spawn(move || {
                on_start();
                worker.run();
            })?;
        Ok(Self { address, is_over, waker, thread: Some(thread) })
    }

    /// Where it listens: the port that was asked for, or the one that 0 became.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.is_over.store(true, Relaxed);
        // Without it the thread notices within half a second.
        let _ = self.waker.wake();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The thread's own.
struct Worker {
    poll: Poll,
    listener: std::net::TcpListener,
    tls: Option<Tls>,
    answer: Arc<Answer>,
    connections: Vec<Option<Connection>>,
    /// Connections may wait that couldn't be taken.
    may_wait: bool,
    is_over: Arc<AtomicBool>,
}

impl Worker {
    fn run(mut self) {
        let mut events = Events::with_capacity(MAX_CONNECTIONS + 2);
        while !self.is_over.load(Relaxed) {
            match self.poll.poll(&mut events, Some(LOOK_EVERY)) {
                Err(error) if error.kind() != io::ErrorKind::Interrupted => {
                    log_limited!(Level::Error, "web server: cannot wait for connections: {error}");
                    return;
                }
                _ => {}
            }
            for event in &events {
                match event.token() {
                    LISTENER => self.may_wait = true,
                    STOP => {}
                    Token(place) => self.drive(place),
                }
            }
            if self.may_wait {
                self.accept();
            }
            self.expire();
        }
    }

    fn accept(&mut self) {
        loop {
            match self.listener.accept() {
                Ok((stream, _)) => self.admit(stream),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.may_wait = false;
                    return;
                }
                // The caller is gone again.
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(error) => {
                    // No free descriptor, mostly; it is tried again at the next turn.
                    log_limited!(Level::Warning, "web server: cannot take a connection: {error}");
                    return;
                }
            }
        }
    }

    fn admit(&mut self, stream: std::net::TcpStream) {
        let place = self.free_place();
        let Ok(connection) = Connection::new(stream, self.tls.as_ref(), Instant::now()) else {
            return;
        };
        let fd = connection.fd();
        let both = Interest::READABLE | Interest::WRITABLE;
        if self.poll.registry().register(&mut SourceFd(&fd), Token(place), both).is_err() {
            return;
        }
        if let Some(slot) = self.connections.get_mut(place) {
            *slot = Some(connection);
        }
        self.drive(place);
    }

    /// A place that is free, or was the oldest connection's.
    fn free_place(&mut self) -> usize {
        let free = self.connections.iter().position(Option::is_none);
        let oldest = || {
            let places = self.connections.iter().enumerate();
            let all = places.filter_map(|(at, slot)| Some((slot.as_ref()?.began(), at)));
            all.min().map_or(0, |(_, at)| at)
        };
        let place = free.unwrap_or_else(oldest);
        self.close(place);
        place
    }

    /// Reads and writes what is possible now.
    fn drive(&mut self, place: usize) {
        let Some(Some(connection)) = self.connections.get_mut(place) else { return };
        if connection.drive(&*self.answer, Instant::now()) == Progress::Over {
            self.close(place);
        }
    }

    fn expire(&mut self) {
        let now = Instant::now();
        for place in 0..self.connections.len() {
            let is_late = |connection: &Connection| connection.is_late(now);
            if self.connections.get(place).and_then(Option::as_ref).is_some_and(is_late) {
                self.close(place);
            }
        }
    }

    /// Closing the descriptor takes it out of epoll, too.
    fn close(&mut self, place: usize) {
        if let Some(slot) = self.connections.get_mut(place) {
            *slot = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpStream;

    use super::*;

    fn server() -> Server {
        server_with(None)
    }

    fn server_with(tls: Option<Tls>) -> Server {
        let answer = |request: &Request<'_>| match request.path {
            "/long" => Response::new("text/plain", vec![b'x'; 3 << 20]),
            "/" => Response::new("text/plain", b"hello".to_vec()),
            _ => Response::not_found(),
        };
        Server::start("127.0.0.1:0".parse().unwrap(), tls, Arc::new(answer), || {}).unwrap()
    }

    fn connect(server: &Server) -> TcpStream {
        let stream = TcpStream::connect(server.address()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        stream
    }

    fn ask(server: &Server, request: &str) -> String {
        let mut stream = connect(server);
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    #[test]
    fn a_request_is_answered_and_the_connection_closed() {
        let server = server();
        let answer = ask(&server, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert!(answer.contains("\r\nContent-Length: 5\r\n"), "{answer}");
        assert!(answer.contains("\r\nConnection: close\r\n"), "{answer}");
        assert!(answer.ends_with("\r\n\r\nhello"), "{answer}");
        let answer = ask(&server, "HEAD /?x=1 HTTP/1.1\r\nHost: x\r\n\r\n");
        assert!(answer.contains("Content-Length: 5\r\n") && answer.ends_with("\r\n\r\n"));
        assert!(ask(&server, "GET /no HTTP/1.0\r\n\r\n").starts_with("HTTP/1.1 404 Not Found\r\n"));
    }

    #[test]
    fn what_is_no_request_is_refused() {
        let server = server();
        for (request, status) in [
            ("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", "405 Method Not Allowed"),
            ("GET / HTTP/1.1\r\n\r\n", "400 Bad Request"),
            ("GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", "400 Bad Request"),
            ("\x16\x03\x01 rubbish\r\n\r\n", "400 Bad Request"),
            ("GET  / HTTP/9\r\n\r\n", "400 Bad Request"),
        ] {
            let answer = ask(&server, request);
            assert!(answer.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{request}: {answer}");
        }
        let long = format!("GET / HTTP/1.1\r\nHost: x\r\nA: {}\r\n\r\n", "a".repeat(20_000));
        let answer = ask(&server, &long);
        assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    }

    #[test]
    fn a_long_answer_arrives_whole_at_a_slow_reader() {
        let server = server();
        let mut stream = connect(&server);
        stream.write_all(b"GET /long HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        let mut answer = Vec::new();
        let mut part = [0; 4096];
        loop {
            match stream.read(&mut part).unwrap() {
                0 => break,
                read => answer.extend_from_slice(&part[..read]),
            }
        }
        assert!(answer.ends_with(&vec![b'x'; 3 << 20]) && answer.len() < (3 << 20) + 500);
    }

    #[test]
    fn those_who_say_nothing_keep_nobody_out() {
        let server = server();
        let mut silent: Vec<_> = (0..3 * MAX_CONNECTIONS).map(|_| connect(&server)).collect();
        for stream in &mut silent {
            // The oldest may be closed already.
            let _ = stream.write_all(b"GET / HTT");
        }
        assert!(ask(&server, "GET / HTTP/1.1\r\nHost: x\r\n\r\n").ends_with("hello"));
    }

    #[test]
    fn a_long_answer_arrives_whole_through_tls_and_plain_text_does_not() {
        let directory = tempfile::tempdir().unwrap();
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let pem = format!("{}{}", made.signing_key.serialize_pem(), made.cert.pem());
        let path = directory.path().join("eyas.pem");
        std::fs::write(&path, pem).unwrap();
        let server = server_with(Some(tls(&path).unwrap()));

        let mut roots = rustls::RootCertStore::empty();
        roots.add(made.cert.der().clone()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = "localhost".try_into().unwrap();
        let client = rustls::ClientConnection::new(Arc::new(config), name).unwrap();
        let mut stream = rustls::StreamOwned::new(client, connect(&server));
        stream.write_all(b"GET /long HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        assert!(answer.starts_with(b"HTTP/1.1 200 ") && answer.ends_with(&vec![b'x'; 3 << 20]));

        let mut plain = connect(&server);
        plain.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        let mut answer = Vec::new();
        // It may be told by TLS that this is none, or hung up on.
        let _ = plain.read_to_end(&mut answer);
        assert!(!answer.starts_with(b"HTTP"));
    }

    #[test]
    fn a_file_without_key_or_certificate_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("eyas.pem");
        assert!(tls(&path).is_err());
        std::fs::write(&path, "nothing").unwrap();
        assert!(tls(&path).unwrap_err().contains("private key"));
    }
}
