//! One connection: its request is read, its answer written, and then it is over.

use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use super::stream::{Stream, Tls};
use super::{Answer, exchange};

/// Longest request, in bytes.
const MAX_REQUEST: usize = 8 << 10;

/// How long a request may take to arrive.
const TO_ASK: Duration = Duration::from_secs(5);

/// How long the answer may take to be fetched.
const TO_FETCH: Duration = Duration::from_secs(10);

/// How long the other side may take to hang up. Closing before it has read everything would
/// take the answer's end away from it if it has sent more than we read.
const TO_LEAVE: Duration = Duration::from_secs(1);

/// Whether a connection goes on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Progress {
    /// It waits for the other side.
    Waiting,
    /// It can be closed.
    Over,
}

#[derive(Debug)]
enum State {
    Asking(Vec<u8>),
    Answering { bytes: Vec<u8>, written: usize },
    Leaving,
}

/// One connection.
#[derive(Debug)]
pub(super) struct Connection {
    stream: Stream,
    state: State,
    began: Instant,
    deadline: Instant,
}

impl Connection {
    pub(super) fn new(socket: TcpStream, tls: Option<&Tls>, now: Instant) -> io::Result<Self> {
        let stream = Stream::new(socket, tls)?;
        Ok(Self { stream, state: State::Asking(Vec::new()), began: now, deadline: now + TO_ASK })
    }

    pub(super) fn fd(&self) -> i32 {
        self.stream.fd()
    }

    pub(super) const fn began(&self) -> Instant {
        self.began
    }

    pub(super) fn is_late(&self, now: Instant) -> bool {
        now >= self.deadline
    }

    /// Reads and writes until the other side has to do something.
    pub(super) fn drive(&mut self, answer: &Answer, now: Instant) -> Progress {
        loop {
            match self.step(answer, now) {
                Ok(true) => {}
                Ok(false) => return Progress::Over,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Progress::Waiting;
                }
                Err(_) => return Progress::Over,
            }
        }
    }

    /// One read or write; whether there is more to do.
    fn step(&mut self, answer: &Answer, now: Instant) -> io::Result<bool> {
        let mut buffer = [0; 2048];
        match &mut self.state {
            State::Asking(input) => {
                let read = self.stream.read(&mut buffer)?;
                if read == 0 {
                    return Ok(false);
                }
                input.extend_from_slice(buffer.get(..read).unwrap_or_default());
                let bytes = match exchange::reply(input, answer) {
                    Some(bytes) => bytes,
                    None if input.len() >= MAX_REQUEST => exchange::too_large(),
                    None => return Ok(true),
                };
                self.state = State::Answering { bytes, written: 0 };
                self.deadline = now + TO_FETCH;
            }
            State::Answering { bytes, written } => {
                let rest = bytes.get(*written..).unwrap_or_default();
                if !rest.is_empty() {
                    *written += self.stream.write(rest)?;
                    return Ok(true);
                }
                // What was taken may still be here, encrypted.
                self.stream.flush()?;
                self.stream.end()?;
                self.state = State::Leaving;
                self.deadline = now + TO_LEAVE;
            }
            State::Leaving => return Ok(self.stream.read(&mut buffer)? != 0),
        }
        Ok(true)
    }
}
