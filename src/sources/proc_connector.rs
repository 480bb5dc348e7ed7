//! Process records from the netlink proc connector.
//!
//! It tells of fork, exec, exit, new ids, sessions, names and tracers of every thread of the
//! host, after the fact and without details: those are read from /proc. It gives nothing to a
//! process outside the initial pid and user namespaces, without saying so, hence the wait for the
//! kernel's answer.
//!
//! Events of different CPUs arrive out of order, so each drain is sorted by the kernel's
//! timestamps. Loss shows as `ENOBUFS` and as gaps in each CPU's numbers.
//!
//! A subscription can die in silence: from 6.6 on the kernel counts its listeners and sets the count
//! to zero when a message reached nobody, as when the only listener's buffer was full; all are deaf
//! then until somebody subscribes anew. So a full buffer is reported to the sender as an error of
//! another kind, and who hears nothing for long makes an event of its own and listens for it.
//!
//! Sources: drivers/connector/cn_proc.c; netlink(7).

use std::io;
use std::os::fd::AsFd;
use std::os::fd::BorrowedFd;
use std::time::Duration;
use std::time::Instant;

use super::Drained;
use super::Error;
use super::Hint;
use super::Loss;
use super::LossCause;
use super::Refusal;
use super::Source;
use super::sequence::Sequences;
use crate::decode::ProcessRecord;
use crate::decode::Record;
use crate::decode::proc_connector;
use crate::decode::proc_connector::Body;
use crate::decode::proc_connector::Message;
use crate::metrics::METRICS;
use crate::sys::abi;
use crate::sys::clock;
use crate::sys::netlink;
use crate::sys::poll;
use crate::sys::process;

const NAME: &str = "proc connector";

/// Messages of one receive call; each is 76 to 100 bytes.
const BATCH: usize = 64;
const MESSAGE_ROOM: usize = 256;

const HINT: Hint = Hint {
    denied: "the agent lacks CAP_NET_ADMIN: run it as root, or with the shipped systemd unit that \
             grants it; until then no rule about processes (execve, clone, procexit, setuid) fires",
    unsupported: "this kernel has no proc connector (CONFIG_PROC_EVENTS), or the agent runs in a \
                  network namespace of its own: run it on the host itself; until then no rule \
                  about processes (execve, clone, procexit, setuid) fires",
    other: "until this is solved no rule about processes (execve, clone, procexit, setuid) fires",
};

const NO_ANSWER_HINT: &str = "the kernel keeps silent outside the initial pid and user namespaces: \
    run the agent on the host itself (in a container: with the host's pid and network namespace); \
    until then no rule about processes (execve, clone, procexit, setuid) fires";

/// After how long a silence is looked into.
pub const SILENCE: Duration = Duration::from_secs(10);

/// How long the kernel may take to tell of an event of our own.
pub const ECHO: Duration = Duration::from_secs(1);

/// How to subscribe.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Options {
    /// The socket's receive buffer in bytes. Memory is used only for what waits; about 1 KiB per
    /// message is accounted.
    pub receive_buffer_bytes: i32,
    /// How long to wait for the kernel's answer; it comes within the call, mostly.
    pub answer_within: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self { receive_buffer_bytes: 32 << 20, answer_within: Duration::from_millis(500) }
    }
}

/// A subscription to process events; dropping it ends it.
#[derive(Debug)]
pub struct ProcConnector {
    socket: netlink::Socket,
    batch: netlink::Batch,
    /// Records of one drain, to be sorted, each with its place of arrival.
    pending: Vec<(u64, usize, ProcessRecord)>,
    sequences: Sequences,
    drained_at_ns: u64,
    overrun: bool,
    options: Options,
    heard_at: Instant,
    called_at: Option<Instant>,
    /// The kernel counts this listener.
    is_counted: bool,
}

/// What [`ProcConnector::check_silence`] found.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Hearing {
    /// The kernel talks, or hasn't had time to answer.
    Good,
    /// It did not, and this is a new subscription with a new descriptor; what happened meanwhile
    /// is lost.
    Renewed(Loss),
}

impl ProcConnector {
    /// Subscribes and waits for the kernel's word that it did.
    ///
    /// # Errors
    ///
    /// [`Error::Denied`] without `CAP_NET_ADMIN`; [`Error::Unsupported`] if there is no proc
    /// connector here, or it keeps silent in this namespace.
    pub fn subscribe(options: Options) -> Result<Self, Error> {
        const WANTED: &str = "cannot subscribe to process events";
        let fail = |call| move |source| Error::of(WANTED, call, source, HINT);
        let socket = netlink::Socket::open(abi::NETLINK_CONNECTOR)
            .map_err(fail("socket(NETLINK_CONNECTOR)"))?;
        // Without the privilege bind says so too, and in clearer words.
        if socket.force_receive_buffer(options.receive_buffer_bytes).is_err() {
            socket
                .ask_receive_buffer(options.receive_buffer_bytes)
                .map_err(fail("setsockopt(SO_RCVBUF)"))?;
        }
        // Where it fails the silence is still noticed.
        let _ = socket.report_overruns_to_sender();
        socket.bind(abi::CN_IDX_PROC).map_err(fail("bind(NETLINK_CONNECTOR)"))?;
        let mut source = Self {
            socket,
            batch: netlink::Batch::new(BATCH, MESSAGE_ROOM),
            pending: Vec::with_capacity(1024),
            sequences: Sequences::default(),
            drained_at_ns: clock::realtime_ns(),
            overrun: false,
            options,
            heard_at: Instant::now(),
            called_at: None,
            is_counted: true,
        };
        let ack = process::random_u32().map_err(fail("read(/dev/urandom)"))?;
        let request = proc_connector::request(abi::PROC_CN_MCAST_LISTEN, ack);
        source.socket.send(&request).map_err(fail("send(PROC_CN_MCAST_LISTEN)"))?;
        source.await_answer(ack.wrapping_add(1), options.answer_within)?;
        Ok(source)
    }

    /// Waits for the answer that carries `ack`; records that come before it are kept.
    fn await_answer(&mut self, ack: u32, within: Duration) -> Result<(), Error> {
        const WANTED: &str = "cannot subscribe to process events";
        const CALL: &str = "PROC_CN_MCAST_LISTEN";
        let start = Instant::now();
        loop {
            match self.receive(Some(ack)) {
                Ok(Some(0)) => return Ok(()),
                Ok(Some(errno)) => {
                    let errno = i32::try_from(errno).unwrap_or(libc::EIO);
                    let source = io::Error::from_raw_os_error(errno);
                    return Err(Error::of(WANTED, CALL, source, HINT));
                }
                Ok(None) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    let left = within.saturating_sub(start.elapsed());
                    let waited = poll::wait_readable(self.socket.as_fd(), left);
                    waited.map_err(|error| Error::of(WANTED, "poll", error, HINT))?;
                }
                Err(error) => return Err(Error::of(WANTED, "recv", error, HINT)),
            }
            if start.elapsed() >= within {
                return Err(Error::Unsupported(Refusal {
                    wanted: WANTED.to_owned(),
                    call: CALL,
                    answer: format!("no answer within {} ms", within.as_millis()),
                    hint: NO_ANSWER_HINT.to_owned(),
                }));
            }
        }
    }

    /// Receives one batch into `pending`; the errno of the answer that carries `ack`, if it came.
    fn receive(&mut self, ack: Option<u32>) -> io::Result<Option<u32>> {
        if let Err(error) = self.socket.receive(&mut self.batch) {
            if error.raw_os_error() == Some(libc::ENOBUFS) {
                self.overrun = true;
                return Ok(None);
            }
            return Err(error);
        }
        let mut answer = None;
        self.heard_at = Instant::now();
        self.called_at = None;
        for datagram in self.batch.from_kernel() {
            let Ok(message) = proc_connector::message(datagram) else {
                METRICS.proc_connector.malformed.increment();
                continue;
            };
            if let Message { cpu: Some(cpu), seq, .. } = message {
                self.sequences.note(cpu, seq);
            }
            match message.body {
                Body::Record(record) => {
                    let place = self.pending.len();
                    self.pending.push((record.timestamp_ns, place, record));
                }
                Body::Answer { error } if ack == Some(message.ack) => answer = Some(error),
                Body::Answer { .. } | Body::Unknown(_) => {}
            }
        }
        Ok(answer)
    }

    /// Looks whether the subscription is alive, at `now`: call it about every second. After
    /// [`SILENCE`] without a word a thread is started, of which the kernel must tell within
    /// [`ECHO`]; else the subscription is made anew.
    ///
    /// # Errors
    ///
    /// Those of [`subscribe`](Self::subscribe); the old subscription is then kept.
    pub fn check_silence(&mut self, now: Instant) -> Result<Hearing, Error> {
        let Some(called_at) = self.called_at else {
            if now.saturating_duration_since(self.heard_at) >= SILENCE {
                self.called_at = Some(now);
                // A host that has no room for a thread will be asked again.
                let thread = std::thread::Builder::new().stack_size(64 << 10).spawn(|| ());
                if thread.is_err() {
                    self.called_at = None;
                }
            }
            return Ok(Hearing::Good);
        };
        if now.saturating_duration_since(called_at) < ECHO {
            return Ok(Hearing::Good);
        }
        let since_ns = self.drained_at_ns;
        let renewed = Self::subscribe(self.options)?;
        // The kernel must not take the old subscription off its count, on which it isn't any more.
        self.is_counted = false;
        *self = renewed;
        METRICS.proc_connector.losses.increment();
        let until_ns = self.drained_at_ns;
        let cause = LossCause::Silence;
        Ok(Hearing::Renewed(Loss { source: NAME, cause, count: None, since_ns, until_ns }))
    }

    /// Ends the subscription; the descriptor stays and tells nothing more.
    pub fn unsubscribe(&self) {
        // Old kernels count listeners and do not notice that one is gone. A failure changes
        // nothing: the socket is closed next.
        let _ = self.socket.send(&proc_connector::request(abi::PROC_CN_MCAST_IGNORE, 0));
    }

    /// What was lost since the drain before, as far as it is sure by now.
    fn loss(&mut self, now_ns: u64) -> Option<Loss> {
        let gap = self.sequences.settle();
        let overrun = std::mem::take(&mut self.overrun);
        if gap == 0 && !overrun {
            return None;
        }
        METRICS.proc_connector.losses.increment();
        METRICS.proc_connector.lost.add(gap);
        Some(Loss {
            source: NAME,
            cause: if overrun { LossCause::ReceiveBuffer } else { LossCause::SequenceGap },
            count: (gap > 0).then_some(gap),
            since_ns: self.drained_at_ns,
            until_ns: now_ns,
        })
    }
}

impl Source for ProcConnector {
    fn name(&self) -> &'static str {
        NAME
    }

    fn fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    fn drain(&mut self, budget: usize, sink: &mut dyn FnMut(Record<'_>)) -> Result<Drained, Error> {
        let mut more = true;
        while self.pending.len() < budget {
            match self.receive(None) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    more = false;
                    break;
                }
                Err(error) => {
                    return Err(Error::of("cannot receive process events", "recv", error, HINT));
                }
            }
        }
        let now_ns = clock::realtime_ns();
        let loss = self.loss(now_ns);
        self.drained_at_ns = now_ns;
        METRICS.proc_connector.records.add(u64::try_from(self.pending.len()).unwrap_or(0));

        self.pending.sort_unstable_by_key(|(timestamp_ns, place, _)| (*timestamp_ns, *place));
        let origin_ns = clock::monotonic_origin_ns();
        for (timestamp_ns, _, record) in self.pending.drain(..) {
            let wall_ns = origin_ns.saturating_add(timestamp_ns);
            sink(Record::Process(ProcessRecord { wall_ns, ..record }));
        }
        Ok(Drained { more, loss })
    }
}

impl Drop for ProcConnector {
    fn drop(&mut self) {
        if self.is_counted {
            self.unsubscribe();
        }
    }
}
