//! The three seats: taking them, reading from them, leaving them.

use std::io;
use std::os::fd::AsFd;
use std::os::fd::BorrowedFd;
use std::os::unix::fs::DirBuilderExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;
use std::time::Instant;

use super::SeatKind;
use super::control::Control;
use crate::decode::audit::control::Change;
use crate::decode::audit::control::Reply;
use crate::decode::audit::control::message;
use crate::decode::audit::control::reply;
use crate::decode::audit::control::request;
use crate::sys::abi;
use crate::sys::netlink;
use crate::sys::poll;
use crate::sys::process;

/// Memory is used for what waits only; about 1.3 KiB a record is accounted.
const RECEIVE_BUFFER: i32 = 64 << 20;
/// Records of one receive call, and room for the longest: `MAX_AUDIT_MESSAGE_LENGTH`.
const BATCH: usize = 64;
const MESSAGE_ROOM: usize = 9216;
/// Longest message of the plugin.
pub(super) const PLUGIN_ROOM: usize = 128 << 10;
/// What the plugin says before the number of records that it lost.
pub(super) const PLUGIN_LOST: &[u8] = b"eyas-lost ";

/// Ticks that a call waits for room while we hold the seat, where the kernel lets us choose: who
/// calls more than can be told loses records, not time.
const WAIT_TICKS: u32 = 0;

/// How long the guardian of an agent that was killed may take to let the seat go.
const LET_GO_WITHIN: Duration = Duration::from_secs(2);

/// How long a message of our own may take to come back.
const ECHO_WITHIN: Duration = Duration::from_secs(2);

/// What a step of taking a seat came to.
type Step<T> = Result<T, (&'static str, io::Error)>;

/// Where records come from.
#[derive(Debug)]
pub(super) enum Seat {
    Unicast { socket: netlink::Socket, batch: Option<Batch>, before: Before },
    Multicast { socket: netlink::Socket, batch: Option<Batch> },
    Plugin { socket: UnixDatagram, batch: Option<Batch>, path: PathBuf },
}

/// Room for what is read in one go.
#[derive(Debug)]
pub(super) enum Batch {
    Netlink(netlink::Batch),
    Lines(Vec<u8>),
}

/// What the audit was like before we took its seat.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Before {
    /// Whether it was on.
    pub enabled: u32,
    /// Records that could wait.
    pub backlog_limit: u32,
    /// Ticks that a call waited for room.
    pub backlog_wait_time: Option<u32>,
}

impl Before {
    /// What makes the audit that again.
    pub(super) fn changes(self) -> impl Iterator<Item = Change> {
        let enabled = (self.enabled == 0).then_some(Change::Enabled(0));
        let limit = Some(Change::BacklogLimit(self.backlog_limit));
        let wait = self.backlog_wait_time.map(Change::BacklogWaitTime);
        [enabled, limit, wait].into_iter().flatten()
    }
}

/// Makes the audit what it was `before`: leaves the seat, if this process holds it. If another does,
/// the audit is that one's, and nothing is changed.
///
/// # Errors
///
/// The first refusal; the rest is restored nevertheless.
pub fn restore(control: &mut Control, before: Before) -> io::Result<()> {
    let holder = control.status()?.pid;
    if super::is_held(holder) && !is_own(holder) {
        return Ok(());
    }
    let mut result = Ok(());
    for change in before.changes() {
        let done = control.change(change);
        result = result.and(done);
    }
    if is_own(holder) {
        let done = control.change(Change::Pid(0));
        result = result.and(done);
    }
    result
}

fn is_own(pid: u32) -> bool {
    i32::try_from(pid) == Ok(process::own_pid())
}

impl Seat {
    /// Takes the one place that the kernel sends to.
    pub(super) fn unicast(backlog_limit: u32) -> Step<Self> {
        let mut control = Control::open().map_err(|error| ("socket(NETLINK_AUDIT)", error))?;
        let status = control.status().map_err(|error| ("AUDIT_GET", error))?;
        control.make_room(RECEIVE_BUFFER).map_err(|error| ("setsockopt(SO_RCVBUF)", error))?;
        let own = u32::try_from(process::own_pid()).unwrap_or(0);
        sit_down(&mut control, own).map_err(|error| ("AUDIT_SET pid", error))?;
        let before = Before {
            enabled: status.enabled,
            backlog_limit: status.backlog_limit,
            backlog_wait_time: status.backlog_wait_time,
        };
        let prepared = prepare(&mut control, before, backlog_limit);
        let batch = Some(Batch::Netlink(netlink::Batch::new(BATCH, MESSAGE_ROOM)));
        if let Err(refused) = prepared {
            // It is left at once: half a seat is a danger to the host.
            let _ = restore(&mut control, before);
            return Err(refused);
        }
        Ok(Self::Unicast { socket: control.into_socket(), batch, before })
    }

    /// Listens beside the holder of the seat, and makes sure that something is to be heard.
    pub(super) fn multicast() -> Step<Self> {
        let socket = netlink::Socket::open(abi::NETLINK_AUDIT)
            .map_err(|error| ("socket(NETLINK_AUDIT)", error))?;
        let _ = socket.force_receive_buffer(RECEIVE_BUFFER);
        socket.bind(0).map_err(|error| ("bind(NETLINK_AUDIT)", error))?;
        socket
            .join(abi::AUDIT_NLGRP_READLOG)
            .map_err(|error| ("setsockopt(AUDIT_NLGRP_READLOG)", error))?;
        let mut batch = netlink::Batch::new(BATCH, MESSAGE_ROOM);
        if !hears_itself(&socket, &mut batch).map_err(|error| ("AUDIT_USER", error))? {
            let nothing = io::Error::from_raw_os_error(libc::EOPNOTSUPP);
            return Err(("a message of our own did not come back", nothing));
        }
        Ok(Self::Multicast { socket, batch: Some(Batch::Netlink(batch)) })
    }

    /// Makes the socket for the plugin, which only root may send to.
    pub(super) fn plugin(path: &Path) -> io::Result<Self> {
        if let Some(directory) = path.parent().filter(|directory| !directory.exists()) {
            std::fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
        }
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let socket = UnixDatagram::bind(path)?;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
        socket.set_nonblocking(true)?;
        let batch = Some(Batch::Lines(Vec::with_capacity(PLUGIN_ROOM)));
        Ok(Self::Plugin { socket, batch, path: path.to_owned() })
    }

    /// Asks for the one place again, with the socket that it was taken with. Whether it was given
    /// says the status.
    pub(super) fn sit_again(&self) -> io::Result<()> {
        let Self::Unicast { socket, .. } = self else { return Ok(()) };
        let own = u32::try_from(process::own_pid()).unwrap_or(0);
        socket.send(&message(request::SET, 0, &Change::Pid(own).to_bytes()))
    }

    pub(super) const fn kind(&self) -> SeatKind {
        match self {
            Self::Unicast { .. } => SeatKind::Unicast,
            Self::Multicast { .. } => SeatKind::Multicast,
            Self::Plugin { .. } => SeatKind::Plugin,
        }
    }

    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Unicast { socket, .. } | Self::Multicast { socket, .. } => socket.as_fd(),
            Self::Plugin { socket, .. } => socket.as_fd(),
        }
    }

    /// The room for what is read, to be put back with [`put_batch`](Self::put_batch).
    pub(super) fn take_batch(&mut self) -> Batch {
        let is_lines = matches!(self, Self::Plugin { .. });
        self.batch().take().unwrap_or_else(|| {
            if is_lines {
                Batch::Lines(Vec::with_capacity(PLUGIN_ROOM))
            } else {
                Batch::Netlink(netlink::Batch::new(BATCH, MESSAGE_ROOM))
            }
        })
    }

    pub(super) fn put_batch(&mut self, batch: Batch) {
        *self.batch() = Some(batch);
    }

    const fn batch(&mut self) -> &mut Option<Batch> {
        match self {
            Self::Unicast { batch, .. }
            | Self::Multicast { batch, .. }
            | Self::Plugin { batch, .. } => batch,
        }
    }

    /// Reads what waits into `batch`; about how many records.
    pub(super) fn receive(&self, batch: &mut Batch) -> io::Result<usize> {
        match (self, batch) {
            (
                Self::Unicast { socket, .. } | Self::Multicast { socket, .. },
                Batch::Netlink(room),
            ) => socket.receive(room),
            (Self::Plugin { socket, .. }, Batch::Lines(lines)) => {
                lines.resize(PLUGIN_ROOM, 0);
                let received = socket.recv(lines);
                lines.truncate(*received.as_ref().unwrap_or(&0));
                received.map(|_| 1 + lines.iter().filter(|&&byte| byte == b'\n').count())
            }
            _ => Err(io::Error::from(io::ErrorKind::WouldBlock)),
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if let Self::Plugin { path, .. } = self {
            // A stale one is removed by the next start.
            let _ = std::fs::remove_file(path);
        }
    }
}

/// Takes the seat. A holder that is dead may have left its guardian in it for a moment.
fn sit_down(control: &mut Control, own: u32) -> io::Result<()> {
    let deadline = Instant::now() + LET_GO_WITHIN;
    loop {
        let taken = control.change(Change::Pid(own));
        let is_held = taken.as_ref().is_err_and(|error| {
            error.raw_os_error() == Some(libc::EEXIST) && Instant::now() < deadline
        });
        let holder = if is_held { control.status()?.pid } else { 0 };
        if !is_held || i32::try_from(holder).is_ok_and(|pid| !process::is_gone(pid)) {
            return taken;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Makes the audit fit for us: room for a burst, a bound on waiting, switched on.
fn prepare(control: &mut Control, before: Before, backlog_limit: u32) -> Step<()> {
    // Zero is "no limit".
    if before.backlog_limit != 0 && before.backlog_limit < backlog_limit {
        control
            .change(Change::BacklogLimit(backlog_limit))
            .map_err(|error| ("AUDIT_SET backlog_limit", error))?;
    }
    if before.backlog_wait_time.is_some_and(|ticks| ticks > WAIT_TICKS) {
        // Refused on some kernels; a guardian bounds the waiting, too.
        let _ = control.change(Change::BacklogWaitTime(WAIT_TICKS));
    }
    if before.enabled == 0 {
        control.change(Change::Enabled(1)).map_err(|error| ("AUDIT_SET enabled", error))?;
    }
    Ok(())
}

/// Whether what is said to the audit comes back on `socket`.
fn hears_itself(socket: &netlink::Socket, batch: &mut netlink::Batch) -> io::Result<bool> {
    let word = format!("eyas-probe-{:08x}", process::random_u32()?);
    Control::open()?.say(&format!("op={word}"))?;
    let deadline = Instant::now() + ECHO_WITHIN;
    loop {
        match socket.receive(batch) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                let left = deadline.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    return Ok(false);
                }
                poll::wait_readable(socket.as_fd(), left)?;
                continue;
            }
            Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => continue,
            Err(error) => return Err(error),
        }
        let is_echo = |datagram: &[u8]| {
            matches!(reply(datagram), Ok((_, Reply::Message(request::USER, text)))
                if memchr::memmem::find(text, word.as_bytes()).is_some())
        };
        if batch.from_kernel().any(is_echo) {
            return Ok(true);
        }
        if Instant::now() >= deadline {
            return Ok(false);
        }
    }
}
