//! A server that takes alerts by HTTP or HTTPS, and can be slow, wrong, rude and gone.

use std::collections::HashMap;
use std::io::{BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What arrived.
#[derive(Clone, Debug)]
pub struct Request {
    pub line: String,
    /// Names in small letters.
    pub headers: HashMap<String, String>,
    pub body: Vec<u8>,
}

/// What the server does with a request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Answer {
    /// Keeps it and says this.
    Keep(u16),
    /// Says this and forgets it.
    Forget(u16),
    /// Keeps it and closes the connection without a word.
    KeepAndClose,
    /// Closes the connection without a word.
    Close,
    /// Says nothing for so long, then closes.
    Sleep(Duration),
}

/// Decides by the number of the request, from 0, and the request.
pub type Decide = dyn Fn(u64, &Request) -> Answer + Send + Sync;

/// A running server.
#[derive(Debug)]
pub struct Server {
    pub address: SocketAddr,
    kept: Arc<Mutex<Vec<Request>>>,
    stops: Arc<AtomicBool>,
    open: Arc<Mutex<Vec<TcpStream>>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Server {
    pub fn start(decide: impl Fn(u64, &Request) -> Answer + Send + Sync + 'static) -> Self {
        Self::start_at("127.0.0.1:0".parse().unwrap(), Arc::default(), None, Arc::new(decide))
    }

    pub fn start_tls(
        tls: Arc<rustls::ServerConfig>,
        decide: impl Fn(u64, &Request) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let any = "127.0.0.1:0".parse().unwrap();
        Self::start_at(any, Arc::default(), Some(tls), Arc::new(decide))
    }

    /// Keeps what comes in `kept`, which may be another server's.
    pub fn start_at(
        address: SocketAddr,
        kept: Arc<Mutex<Vec<Request>>>,
        tls: Option<Arc<rustls::ServerConfig>>,
        decide: Arc<Decide>,
    ) -> Self {
        let listener = bind(address);
        let address = listener.local_addr().unwrap();
        let (stops, open) = (Arc::new(AtomicBool::new(false)), Arc::default());
        let connection =
            Connection { kept: Arc::clone(&kept), decide, counter: Arc::new(AtomicU64::new(0)) };
        let (stops_there, open_there) = (Arc::clone(&stops), Arc::clone(&open));
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if stops_there.load(SeqCst) {
                    return;
                }
                let Ok(stream) = stream else { continue };
                stream.set_nodelay(true).unwrap();
                let open: &Mutex<Vec<TcpStream>> = &open_there;
                open.lock().unwrap().push(stream.try_clone().unwrap());
                let (connection, tls) = (connection.clone(), tls.clone());
                std::thread::spawn(move || {
                    // Closes it for the client, whoever else here has it open.
                    let closer = stream.try_clone().unwrap();
                    match tls {
                        None => connection.serve(stream),
                        Some(tls) => {
                            let session = rustls::ServerConnection::new(tls).unwrap();
                            connection.serve(rustls::StreamOwned::new(session, stream));
                        }
                    }
                    let _ = closer.shutdown(std::net::Shutdown::Both);
                });
            }
        });
        Self { address, kept, stops, open, thread: Some(thread) }
    }

    pub fn kept(&self) -> Vec<Request> {
        self.kept.lock().unwrap().clone()
    }

    pub fn count(&self) -> usize {
        self.kept.lock().unwrap().len()
    }

    pub fn shared(&self) -> Arc<Mutex<Vec<Request>>> {
        Arc::clone(&self.kept)
    }

    /// Closes the port and every connection.
    pub fn stop(mut self) {
        self.close();
    }

    fn close(&mut self) {
        let Some(thread) = self.thread.take() else { return };
        self.stops.store(true, SeqCst);
        // Wakes the listener.
        let _ = TcpStream::connect(self.address);
        thread.join().unwrap();
        for stream in self.open.lock().unwrap().drain(..) {
            let _ = stream.shutdown(std::net::Shutdown::Both);
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.close();
    }
}

/// A port that was just closed is free again after a moment.
fn bind(address: SocketAddr) -> TcpListener {
    for _ in 0..1000 {
        match TcpListener::bind(address) {
            Ok(listener) => return listener,
            Err(_) => std::thread::sleep(Duration::from_millis(10)),
        }
    }
    panic!("{address} doesn't become free");
}

#[derive(Clone)]
struct Connection {
    kept: Arc<Mutex<Vec<Request>>>,
    decide: Arc<Decide>,
    counter: Arc<AtomicU64>,
}

impl Connection {
    fn serve(&self, stream: impl Read + Write) {
        let mut stream = BufReader::new(stream);
        while let Some(request) = read_request(&mut stream) {
            let number = self.counter.fetch_add(1, SeqCst);
            let answer = (self.decide)(number, &request);
            if matches!(answer, Answer::Keep(_) | Answer::KeepAndClose) {
                self.kept.lock().unwrap().push(request);
            }
            match answer {
                Answer::Keep(status) | Answer::Forget(status) => {
                    let text = format!("HTTP/1.1 {status} X\r\nContent-Length: 3\r\n\r\nok\n");
                    let stream = stream.get_mut();
                    if stream.write_all(text.as_bytes()).and_then(|()| stream.flush()).is_err() {
                        return;
                    }
                }
                Answer::Close | Answer::KeepAndClose => return,
                Answer::Sleep(time) => {
                    std::thread::sleep(time);
                    return;
                }
            }
        }
    }
}

fn read_request(stream: &mut impl std::io::BufRead) -> Option<Request> {
    let mut next = || {
        let mut line = String::new();
        stream.read_line(&mut line).ok().filter(|&len| len > 0)?;
        Some(line.trim_end().to_owned())
    };
    let line = next()?;
    let mut headers = HashMap::new();
    loop {
        let header = next()?;
        if header.is_empty() {
            break;
        }
        let (name, value) = header.split_once(": ")?;
        headers.insert(name.to_ascii_lowercase(), value.to_owned());
    }
    let len = headers.get("content-length").map_or(0, |len| len.parse().unwrap());
    let mut body = vec![0; len];
    stream.read_exact(&mut body).ok()?;
    Some(Request { line, headers, body })
}
