//! Asking the audit: its state, its rules, and changes of both.
//!
//! Each question has its own sequence number and a deadline; the socket is not the seat's, so
//! answers and records don't mix. Everything works on 3.10, whose list of rules comes after the
//! answer to its request.
//!
//! Source: kernel/audit.c (`audit_receive_msg`), auditctl(8).

use std::io;
use std::os::fd::AsFd as _;
use std::time::Duration;
use std::time::Instant;

use crate::decode::audit::control::Change;
use crate::decode::audit::control::Reply;
use crate::decode::audit::control::Status;
use crate::decode::audit::control::message;
use crate::decode::audit::control::reply;
use crate::decode::audit::control::request;
use crate::decode::audit::rule::Listed;
use crate::decode::audit::rule::Rule;
use crate::sys::abi;
use crate::sys::netlink;
use crate::sys::poll;

/// How long the kernel may take for an answer; it comes within the call, mostly.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);

/// A rule with its longest texts: `MAX_AUDIT_MESSAGE_LENGTH` in linux/audit.h.
const MESSAGE_ROOM: usize = 9216;

/// A socket for questions.
#[derive(Debug)]
pub struct Control {
    socket: netlink::Socket,
    batch: netlink::Batch,
    sequence: u32,
}

impl Control {
    /// Opens it.
    ///
    /// # Errors
    ///
    /// `EPROTONOSUPPORT` on a kernel without audit.
    pub fn open() -> io::Result<Self> {
        let socket = netlink::Socket::open(abi::NETLINK_AUDIT)?;
        socket.bind(0)?;
        Ok(Self { socket, batch: netlink::Batch::new(16, MESSAGE_ROOM), sequence: 0 })
    }

    /// The socket, for what the kernel sends of itself from now on.
    #[must_use]
    pub fn into_socket(self) -> netlink::Socket {
        self.socket
    }

    /// Gives the socket room for `bytes` of what waits, as much as we may.
    ///
    /// # Errors
    ///
    /// Those of setsockopt(2).
    pub fn make_room(&self, bytes: i32) -> io::Result<()> {
        self.socket.force_receive_buffer(bytes).or_else(|_| self.socket.ask_receive_buffer(bytes))
    }

    /// What the audit says of itself.
    ///
    /// # Errors
    ///
    /// `EPERM` without `CAP_AUDIT_CONTROL`; `ECONNREFUSED` outside the initial namespaces.
    pub fn status(&mut self) -> io::Result<Status> {
        let mut status = None;
        self.ask(request::GET, &[], false, &mut |kind, body| {
            if kind == request::GET {
                status = Status::parse(body).ok();
            }
            status.is_some()
        })?;
        status.ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))
    }

    /// Changes one thing.
    ///
    /// # Errors
    ///
    /// `EPERM` if the audit is immutable or without `CAP_AUDIT_CONTROL`.
    pub fn change(&mut self, change: Change) -> io::Result<()> {
        self.ask(request::SET, &change.to_bytes(), true, &mut |_, _| false)
    }

    /// All rules, as the kernel lists them.
    ///
    /// # Errors
    ///
    /// As [`status`](Self::status).
    pub fn rules(&mut self) -> io::Result<Vec<Vec<u8>>> {
        let mut rules = Vec::new();
        self.ask(request::LIST_RULES, &[], false, &mut |kind, body| {
            if kind == request::LIST_RULES {
                rules.push(body.to_vec());
            }
            false
        })?;
        Ok(rules)
    }

    /// Adds a rule.
    ///
    /// # Errors
    ///
    /// `EEXIST` if it is there; `EPERM` if the audit is immutable; `EINVAL` if this kernel doesn't
    /// know one of its fields.
    pub fn add(&mut self, rule: &Rule) -> io::Result<()> {
        self.ask(request::ADD_RULE, &rule.to_bytes(), true, &mut |_, _| false)
    }

    /// Deletes a rule, given as the kernel lists it or as [`Rule::to_bytes`] makes it.
    ///
    /// # Errors
    ///
    /// `ENOENT` if it isn't there.
    pub fn delete(&mut self, rule: &[u8]) -> io::Result<()> {
        self.ask(request::DEL_RULE, rule, true, &mut |_, _| false)
    }

    /// Deletes every rule that has `key`, no other; how many.
    ///
    /// # Errors
    ///
    /// As [`rules`](Self::rules), or the first refusal; the others are deleted nevertheless.
    pub fn delete_by_key(&mut self, key: &str) -> io::Result<usize> {
        let (mut count, mut result) = (0, Ok(()));
        for rule in self.rules()? {
            if !Listed::parse(&rule).is_ok_and(|listed| listed.has_key(key)) {
                continue;
            }
            match self.delete(&rule) {
                Ok(()) => count += 1,
                Err(error) if error.raw_os_error() == Some(libc::ENOENT) => {}
                Err(error) => result = result.and(Err(error)),
            }
        }
        result.map(|()| count)
    }

    /// Sends a user's message into the audit: every seat is told of it.
    ///
    /// # Errors
    ///
    /// `EPERM` without `CAP_AUDIT_WRITE`.
    pub fn say(&mut self, text: &str) -> io::Result<()> {
        let body = [text.as_bytes(), b"\0"].concat();
        self.ask(request::USER, &body, true, &mut |_, _| false)
    }

    /// Asks, and hands what comes back to `take` until it says that this was all, the list has
    /// ended, or (`answer_ends`) the request was answered.
    fn ask(
        &mut self,
        kind: u16,
        body: &[u8],
        answer_ends: bool,
        take: &mut dyn FnMut(u16, &[u8]) -> bool,
    ) -> io::Result<()> {
        self.sequence = self.sequence.wrapping_add(1);
        let sequence = self.sequence;
        self.socket.send(&message(kind, sequence, body))?;
        let deadline = Instant::now() + ANSWER_WITHIN;
        loop {
            match self.socket.receive(&mut self.batch) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return Err(io::Error::from(io::ErrorKind::TimedOut));
                    }
                    poll::wait_readable(self.socket.as_fd(), left)?;
                    continue;
                }
                Err(error) => return Err(error),
            }
            for datagram in self.batch.from_kernel() {
                let Ok((answered, said)) = reply(datagram) else { continue };
                if answered != sequence {
                    continue;
                }
                match said {
                    Reply::Answer(0) if answer_ends => return Ok(()),
                    Reply::Answer(0) => {}
                    Reply::Answer(errno) => return Err(io::Error::from_raw_os_error(errno)),
                    Reply::Done => return Ok(()),
                    Reply::Message(kind, body) => {
                        if take(kind, body) {
                            return Ok(());
                        }
                    }
                }
            }
        }
    }
}
