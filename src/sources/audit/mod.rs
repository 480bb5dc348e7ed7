//! System calls from the kernel's audit, by one of three seats.
//!
//! * **Unicast**: this process holds the one place to which the kernel sends records (where auditd
//!   would be). The kernel waits for its holder: while it doesn't read, audited calls of the whole
//!   host stand still (60 s on 3.10). So the socket is large, and [`AuditSource::seat_fd`] is for
//!   a guardian that drains it when we don't.
//! * **Multicast**: listening beside whoever holds the seat; from 3.16. An older kernel may accept
//!   the subscription and deliver nothing, so it is tried with a message of our own.
//! * **Plugin**: auditd's dispatcher hands its lines to `eyas audit-plugin`, which passes them to
//!   our socket.
//!
//! Loss shows as `ENOBUFS`, in the kernel's count of lost records, and in the plugin's own count.
//!
//! Source: kernel/audit.c, audit(8), auditd-plugins(5).

mod control;
mod plugin;
mod rules;
mod seat;

pub use control::Control;
pub use plugin::forward;
pub use rules::Installed;
pub use rules::remove_rules;
pub use seat::Before;
pub use seat::restore;

use std::io;
use std::os::fd::BorrowedFd;
use std::path::Path;
use std::time::Duration;
use std::time::Instant;

use super::Drained;
use super::Error;
use super::Hint;
use super::Loss;
use super::LossCause;
use super::Source;
use crate::decode::Record;
use crate::decode::audit::Assembler;
use crate::decode::audit::AuditEvent;
use crate::decode::audit::AuditRecord;
use crate::decode::audit::control::Reply;
use crate::decode::audit::control::Status;
use crate::decode::audit::control::message;
use crate::decode::audit::control::reply;
use crate::decode::audit::control::request;
use crate::decode::audit::kind;
use crate::metrics::METRICS;
use crate::sys::clock;
use crate::sys::process;
use seat::Seat;

const NAME: &str = "audit";

/// By what our rules are found again.
pub const KEY: &str = "eyas";

/// How often it is looked whether the seat, the rules and the count of lost records are as they
/// were left.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// The least time between two looks that records of changes cause.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

const HINT: Hint = Hint {
    denied: "the agent lacks CAP_AUDIT_CONTROL, or CAP_AUDIT_READ: run it as root, or with the \
             shipped systemd unit that grants them; until then no rule about system calls that only \
             the audit tells (connect, rename, chmod, mount …) fires",
    unsupported: "this kernel has no audit (CONFIG_AUDITSYSCALL), or the agent runs in namespaces of \
                  its own: run it on the host itself; until then no rule about system calls that \
                  only the audit tells (connect, rename, chmod, mount …) fires",
    other: "until this is solved no rule about system calls that only the audit tells (connect, \
            rename, chmod, mount …) fires",
};

/// Where records come from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SeatKind {
    /// The one place that the kernel sends to.
    Unicast,
    /// Beside whoever holds it.
    Multicast,
    /// From auditd's dispatcher.
    Plugin,
}

impl SeatKind {
    /// As configuration and messages call it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unicast => "unicast",
            Self::Multicast => "multicast",
            Self::Plugin => "plugin",
        }
    }
}

/// What a look at the audit found.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Look {
    /// The seat is somebody else's now, or nobody's.
    pub is_seat_lost: bool,
    /// The seat had been taken from us, nobody had it, and it is ours again.
    pub is_reseated: bool,
    /// Somebody asked for the seat that we have.
    pub is_seat_wanted: bool,
    /// Whoever holds the seat beside us has ended (`false`), or is there again (`true`).
    pub daemon: Option<bool>,
    /// Beside us somebody has switched the audit off (`false`), or on again (`true`).
    pub switched: Option<bool>,
    /// The audit had been switched off, and is on again.
    pub was_disabled: bool,
    /// So many of our rules had been deleted by somebody, and are there again.
    pub reinstalled: usize,
    /// What was refused meanwhile.
    pub refused: Option<String>,
    /// Records that the kernel lost since the look before.
    pub loss: Option<Loss>,
}

/// The records of the audit.
#[derive(Debug)]
pub struct AuditSource {
    seat: Seat,
    rules: Installed,
    assembler: Assembler,
    own_pid: i64,
    drained_at_ns: u64,
    overrun: bool,
    /// Records that the plugin could not pass on.
    plugin_lost: u64,
    /// The kernel's count of lost records.
    kernel_lost: u32,
    /// Somebody may have changed rules.
    is_changed: bool,
    /// Somebody has asked for our seat.
    is_wanted: bool,
    /// Beside somebody else: he was there at the last look, and the audit was on.
    has_daemon: bool,
    is_on: bool,
    looked_at: Instant,
    last_status: Status,
}

impl AuditSource {
    /// Takes the seat that the kernel sends to. `backlog_limit`: records that may wait in the
    /// kernel; a higher one that is set stays.
    ///
    /// # Errors
    ///
    /// [`Error::Denied`] without `CAP_AUDIT_CONTROL`; [`Error::Io`] if somebody has it already.
    pub fn unicast(backlog_limit: u32) -> Result<Self, Error> {
        let seat = Seat::unicast(backlog_limit).map_err(fail("cannot take the audit's seat"))?;
        Ok(Self::with(seat))
    }

    /// Listens beside the holder of the seat.
    ///
    /// # Errors
    ///
    /// [`Error::Unsupported`] if the kernel has no such thing, or promises it and delivers
    /// nothing.
    pub fn multicast() -> Result<Self, Error> {
        let seat = Seat::multicast().map_err(fail("cannot listen to the audit"))?;
        Ok(Self::with(seat))
    }

    /// Listens at `path` for `eyas audit-plugin`.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if the socket can't be made there.
    pub fn plugin(path: &Path) -> Result<Self, Error> {
        let wanted = format!("cannot listen for auditd's plugin at {}", path.display());
        let seat = Seat::plugin(path).map_err(|error| Error::of(wanted, "bind", error, HINT))?;
        Ok(Self::with(seat))
    }

    fn with(seat: Seat) -> Self {
        let status = Control::open().and_then(|mut control| control.status()).unwrap_or_default();
        Self {
            seat,
            rules: Installed::default(),
            assembler: Assembler::default(),
            own_pid: i64::from(process::own_pid()),
            drained_at_ns: clock::realtime_ns(),
            overrun: false,
            plugin_lost: 0,
            kernel_lost: status.lost,
            is_changed: false,
            is_wanted: false,
            has_daemon: true,
            is_on: true,
            looked_at: Instant::now(),
            last_status: status,
        }
    }

    /// Which seat it has.
    #[must_use]
    pub const fn kind(&self) -> SeatKind {
        self.seat.kind()
    }

    /// The rules of ours that are in the kernel.
    pub const fn rules_mut(&mut self) -> &mut Installed {
        &mut self.rules
    }

    /// The audit's state as it was at the last look.
    #[must_use]
    pub const fn status(&self) -> &Status {
        &self.last_status
    }

    /// Whether somebody else held the seat at the last look.
    #[must_use]
    pub const fn has_daemon(&self) -> bool {
        self.has_daemon
    }

    /// Whether the audit was on at the last look.
    #[must_use]
    pub const fn is_on(&self) -> bool {
        self.is_on
    }

    /// The seat's socket, which somebody has to read while we don't; `None` if nobody has to.
    #[must_use]
    pub fn seat_fd(&self) -> Option<BorrowedFd<'_>> {
        matches!(self.seat, Seat::Unicast { .. }).then(|| self.seat.fd())
    }

    /// What [`restore`] takes when we are gone; `None` if there is nothing to restore.
    #[must_use]
    pub const fn before(&self) -> Option<Before> {
        match &self.seat {
            Seat::Unicast { before, .. } => Some(*before),
            Seat::Multicast { .. } | Seat::Plugin { .. } => None,
        }
    }

    /// What undoes all that was done to the audit, as netlink messages one behind the other: for a
    /// guardian, if we can't do it ourselves.
    #[must_use]
    pub fn farewell(&self) -> Vec<u8> {
        let mut messages: Vec<Vec<u8>> = self
            .rules
            .rules()
            .iter()
            .map(|rule| message(request::DEL_RULE, 0, &rule.to_bytes()))
            .collect();
        if let Some(before) = self.before() {
            let changes = before.changes();
            messages.extend(changes.map(|change| message(request::SET, 0, &change.to_bytes())));
        }
        for message in &mut messages {
            message.resize(message.len().next_multiple_of(4), 0);
        }
        messages.concat()
    }

    /// Looks from time to time, at `now`, whether the seat and our rules are as they were left,
    /// and puts back what somebody took. Call it about every second.
    pub fn look_after(&mut self, now: Instant) -> Option<Look> {
        let since = now.saturating_duration_since(self.looked_at);
        let due = if self.is_changed { LOOK_AGAIN } else { LOOK_EVERY };
        if since < due {
            return None;
        }
        self.looked_at = now;
        self.is_changed = false;
        let is_seat_wanted = std::mem::take(&mut self.is_wanted);
        let mut look = Look { is_seat_wanted, ..Look::default() };
        if let Err(error) = self.look(&mut look) {
            look.refused = Some(crate::sys::errno_text(&error));
        }
        (look != Look::default()).then_some(look)
    }

    fn look(&mut self, look: &mut Look) -> io::Result<()> {
        let mut control = Control::open()?;
        let status = control.status()?;
        let lost = status.lost.wrapping_sub(self.kernel_lost);
        self.kernel_lost = status.lost;
        self.last_status = status;
        METRICS.audit.backlog.set(u64::from(status.backlog));
        if lost > 0 && lost < u32::MAX / 2 {
            let now_ns = clock::realtime_ns();
            METRICS.audit.lost.add(u64::from(lost));
            look.loss = Some(Loss {
                source: NAME,
                cause: LossCause::KernelBacklog,
                count: Some(u64::from(lost)),
                since_ns: now_ns.saturating_sub(nanos(LOOK_EVERY)),
                until_ns: now_ns,
            });
        }
        if self.kind() == SeatKind::Unicast {
            let is_ours = i64::from(status.pid) == self.own_pid;
            if !is_ours && !self.take_back(&mut control, status)? {
                look.is_seat_lost = true;
                return Ok(());
            }
            look.is_reseated = !is_ours;
        } else {
            let has_daemon = is_held(status.pid);
            look.daemon = changed(&mut self.has_daemon, has_daemon);
            look.switched = changed(&mut self.is_on, status.enabled != 0);
        }
        if self.rules.is_empty() {
            return Ok(());
        }
        if status.enabled == 0 && self.kind() == SeatKind::Unicast {
            control.change(crate::decode::audit::control::Change::Enabled(1))?;
            look.was_disabled = true;
        }
        look.reinstalled = self.rules.reinstall(&mut control)?;
        Ok(())
    }

    /// Takes the seat again that somebody took from us, if nobody has it now; whether it is ours.
    fn take_back(&self, control: &mut Control, status: Status) -> io::Result<bool> {
        if is_held(status.pid) {
            return Ok(false);
        }
        self.seat.sit_again()?;
        Ok(i64::from(control.status()?.pid) == self.own_pid)
    }

    /// Takes one record's text.
    fn take(&mut self, kind: u16, text: &[u8], now_ms: u64, sink: &mut dyn FnMut(&AuditEvent)) {
        if kind == kind::CONFIG_CHANGE {
            self.is_changed = true;
            return;
        }
        if kind == kind::REPLACE {
            self.is_wanted = true;
            return;
        }
        // Types that aren't the kernel's own about calls: logins, what programs say, policies.
        if !(1300..1400).contains(&kind) {
            return;
        }
        METRICS.audit.records.increment();
        match AuditRecord::parse(kind, text) {
            Ok(record) => self.assembler.record(&record, now_ms, sink),
            Err(_) => METRICS.audit.malformed.increment(),
        }
    }

    /// Takes the lines of one message of the plugin.
    fn take_lines(&mut self, lines: &[u8], now_ms: u64, sink: &mut dyn FnMut(&AuditEvent)) {
        for line in lines.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
            if let Some(count) = line.strip_prefix(seat::PLUGIN_LOST) {
                let count = std::str::from_utf8(count).ok().and_then(|text| text.parse().ok());
                self.plugin_lost = self.plugin_lost.saturating_add(count.unwrap_or(1));
                continue;
            }
            METRICS.audit.records.increment();
            match AuditRecord::parse_line(line) {
                Ok(Some(record)) if record.kind == kind::CONFIG_CHANGE => self.is_changed = true,
                Ok(Some(record)) => self.assembler.record(&record, now_ms, sink),
                Ok(None) => {}
                Err(_) => METRICS.audit.malformed.increment(),
            }
        }
    }

    fn loss(&mut self, now_ns: u64) -> Option<Loss> {
        let overrun = std::mem::take(&mut self.overrun);
        let lost = std::mem::take(&mut self.plugin_lost);
        if !overrun && lost == 0 {
            return None;
        }
        METRICS.audit.losses.increment();
        METRICS.audit.lost.add(lost.max(1));
        Some(Loss {
            source: NAME,
            cause: LossCause::ReceiveBuffer,
            count: (!overrun).then_some(lost),
            since_ns: self.drained_at_ns,
            until_ns: now_ns,
        })
    }

    /// Reads what waits into events; whether more may wait.
    fn receive(&mut self, budget: usize, sink: &mut dyn FnMut(&AuditEvent)) -> io::Result<bool> {
        let now_ms = clock::monotonic_ns() / 1_000_000;
        let mut read = 0;
        let mut batch = self.seat.take_batch();
        let result = loop {
            if read >= budget {
                break Ok(true);
            }
            match self.seat.receive(&mut batch) {
                Ok(count) => read += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break Ok(false),
                Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => {
                    self.overrun = true;
                    continue;
                }
                Err(error) => break Err(error),
            }
            match &batch {
                seat::Batch::Netlink(batch) => {
                    for datagram in batch.from_kernel() {
                        match reply(datagram) {
                            Ok((_, Reply::Message(kind, text))) => {
                                self.take(kind, text, now_ms, sink);
                            }
                            Ok(_) => {}
                            Err(_) => METRICS.audit.malformed.increment(),
                        }
                    }
                }
                seat::Batch::Lines(lines) => self.take_lines(lines, now_ms, sink),
            }
        };
        self.seat.put_batch(batch);
        self.assembler.tick(now_ms, sink);
        result
    }
}

impl Source for AuditSource {
    fn name(&self) -> &'static str {
        NAME
    }

    fn fd(&self) -> BorrowedFd<'_> {
        self.seat.fd()
    }

    fn drain(&mut self, budget: usize, sink: &mut dyn FnMut(Record<'_>)) -> Result<Drained, Error> {
        let own_pid = self.own_pid;
        let more = self.receive(budget, &mut |event| {
            if event.pid == own_pid {
                METRICS.audit.own.increment();
            } else {
                METRICS.audit.events.increment();
                sink(Record::Audit(event));
            }
        });
        let more =
            more.map_err(|error| Error::of("cannot receive audit records", "recv", error, HINT))?;
        let now_ns = clock::realtime_ns();
        let loss = self.loss(now_ns);
        self.drained_at_ns = now_ns;
        Ok(Drained { more, loss })
    }
}

impl Drop for AuditSource {
    fn drop(&mut self) {
        // Whatever fails here, the next start removes by key, and the kernel notices that the
        // socket is gone.
        if let Ok(mut control) = Control::open() {
            let _ = self.rules.remove(&mut control);
            if let Some(before) = self.before() {
                let _ = restore(&mut control, before);
            }
        }
    }
}

/// Whether a process holds the seat; the kernel may name one that is gone.
fn is_held(pid: u32) -> bool {
    i32::try_from(pid).is_ok_and(|pid| pid > 0 && !process::is_gone(pid))
}

/// What `known` has become, if that isn't what it was.
fn changed(known: &mut bool, now: bool) -> Option<bool> {
    (std::mem::replace(known, now) != now).then_some(now)
}

fn fail(wanted: &'static str) -> impl Fn((&'static str, io::Error)) -> Error {
    move |(call, source)| Error::of(wanted, call, source, HINT)
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
