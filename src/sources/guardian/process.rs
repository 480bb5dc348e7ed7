//! What the guardian process does. It opens no file while it holds a group, writes no log, and
//! needs nothing of the agent.

use std::io;
use std::os::fd::AsFd;
use std::os::fd::BorrowedFd;
use std::os::fd::OwnedFd;
use std::sync::atomic::Ordering;
use std::time::Duration;

use nix::poll::PollFd;
use nix::poll::PollFlags;
use nix::sys::resource::Resource;

use super::BEATS;
use super::COUNT;
use super::ENTRUST;
use super::MAX_FAREWELL;
use super::RELEASE;
use super::RETIRE;
use super::SINCE_NS;
use super::STILL;
use super::Shared;
use super::UNTIL_NS;
use super::Ward;
use super::note;
use crate::decode::fanotify::events;
use crate::decode::reader::Reader;
use crate::sys::abi;
use crate::sys::channel;
use crate::sys::child;
use crate::sys::clock;
use crate::sys::fanotify;
use crate::sys::process;
use crate::sys::process::Capability;

/// How often the hearts are felt.
const PULSE: Duration = Duration::from_millis(50);

/// How often the numbers are tried again while the agent stands still: it may have stopped between
/// reading events and the first try.
const TRY_AGAIN: Duration = Duration::from_millis(200);

/// No more numbers than this are tried.
const MAX_NUMBER: i32 = 65_536;

/// Events of one read.
const EVENTS_PER_READ: usize = 16;

/// Reads of one ward in a row before the others are looked at.
const READS_PER_TURN: usize = 64;

/// What was entrusted.
struct Held {
    ward: Ward,
    fd: OwnedFd,
    farewell: Vec<u8>,
    beats: u64,
    /// When the heart was last seen to have beaten; since boot, and since the epoch.
    beaten_at: Duration,
    beaten_ns: u64,
    /// When the numbers were last tried; `None` while the agent is at work.
    tried_at: Option<Duration>,
}

/// The guardian's own state.
struct Watch {
    shared: Shared,
    held: Vec<Held>,
    buffer: Vec<u8>,
    numbers: i32,
}

/// How a turn ended.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Turn {
    Again,
    AgentGone,
    Retired,
}

/// Watches until the agent is gone or retires it.
pub(super) fn watch(channel: BorrowedFd<'_>, agent: i32, shared: Shared) {
    child::own_session();
    child::set_name(c"eyas-guardian");
    // It has to run when others take all the time there is.
    let _ = process::set_nice(-20);
    // Answering needs none. The farewell gives audit's seat and rules back.
    let _ = process::keep_capabilities(&[Capability::AuditControl, Capability::AuditWrite]);
    let limit = nix::sys::resource::getrlimit(Resource::RLIMIT_NOFILE).map_or(0, |(soft, _)| soft);
    let numbers = i32::try_from(limit).unwrap_or(MAX_NUMBER).clamp(1024, MAX_NUMBER);
    let mut watch = Watch { shared, held: Vec::new(), buffer: vec![0; MAX_FAREWELL + 2], numbers };
    loop {
        match watch.turn(channel, agent) {
            Turn::Again => {}
            Turn::AgentGone => return watch.bury(),
            Turn::Retired => return,
        }
    }
}

impl Watch {
    fn turn(&mut self, channel: BorrowedFd<'_>, agent: i32) -> Turn {
        let pulse = u16::try_from(PULSE.as_millis()).unwrap_or(50);
        let mut waiting = Vec::with_capacity(1 + self.held.len());
        waiting.push(PollFd::new(channel, PollFlags::POLLIN));
        let taken_over = self.held.iter().filter(|held| held.tried_at.is_some());
        waiting.extend(taken_over.map(|held| PollFd::new(held.fd.as_fd(), PollFlags::POLLIN)));
        let _ = nix::poll::poll(&mut waiting, pulse);
        drop(waiting);
        match self.hear(channel) {
            Turn::Again => {}
            end => return end,
        }
        if child::parent() != agent {
            return Turn::AgentGone;
        }
        let now = Duration::from_nanos(clock::monotonic_ns());
        let Self { shared, held, buffer, numbers } = self;
        for held in held {
            held.feel(*shared, now);
            if now.saturating_sub(held.beaten_at) >= STILL {
                held.stand_in(*shared, now, buffer, *numbers);
            }
        }
        Turn::Again
    }

    /// Takes the agent's messages.
    fn hear(&mut self, channel: BorrowedFd<'_>) -> Turn {
        loop {
            let (len, fd) = match channel::receive(channel, &mut self.buffer) {
                Ok(message) => message,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Turn::Again,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(_) => return Turn::AgentGone,
            };
            let message = self.buffer.get(..len).unwrap_or_default();
            match (message, fd) {
                ([], _) => return Turn::AgentGone,
                ([RETIRE, ..], _) => return Turn::Retired,
                ([ENTRUST, ward, farewell @ ..], Some(fd)) => {
                    if let Some(ward) = ward_of(*ward) {
                        let held = Held::new(self.shared, ward, fd, farewell.to_vec());
                        self.held.retain(|held| held.ward != ward);
                        self.held.push(held);
                    }
                }
                ([RELEASE, ward, ..], _) => {
                    let ward = ward_of(*ward);
                    self.held.retain(|held| Some(held.ward) != ward);
                }
                _ => {}
            }
        }
    }

    /// The agent is dead: lets everybody go, undoes what it has left, and leaves a note.
    fn bury(mut self) {
        let last_beat = self.held.iter().map(|held| held.beaten_ns).max();
        let (groups, sockets): (Vec<_>, Vec<_>) =
            self.held.into_iter().partition(|held| held.ward != Ward::AuditSocket);
        // The last close of a group allows all that wait.
        drop(groups);
        for held in sockets {
            drain(held.fd.as_fd(), &mut self.buffer);
            say_farewell(&held, &mut self.buffer);
        }
        if last_beat.is_some() {
            note::leave(last_beat.unwrap_or_else(clock::realtime_ns));
        }
    }
}

impl Held {
    fn new(shared: Shared, ward: Ward, fd: OwnedFd, farewell: Vec<u8>) -> Self {
        Self {
            ward,
            fd,
            farewell,
            beats: shared.word(ward, BEATS).load(Ordering::Relaxed),
            beaten_at: Duration::from_nanos(clock::monotonic_ns()),
            beaten_ns: clock::realtime_ns(),
            tried_at: None,
        }
    }

    /// Feels whether the heart has beaten.
    fn feel(&mut self, shared: Shared, now: Duration) {
        let beats = shared.word(self.ward, BEATS).load(Ordering::Relaxed);
        if beats != self.beats {
            self.beats = beats;
            self.beaten_at = now;
            self.beaten_ns = clock::realtime_ns();
            self.tried_at = None;
        }
    }

    /// Does what the agent doesn't.
    fn stand_in(&mut self, shared: Shared, now: Duration, buffer: &mut [u8], numbers: i32) {
        let mut count = 0;
        if self.ward == Ward::AuditSocket {
            self.tried_at = Some(now);
            count += drain(self.fd.as_fd(), buffer);
        } else {
            let is_due = self.tried_at.is_none_or(|at| now.saturating_sub(at) >= TRY_AGAIN);
            if is_due {
                self.tried_at = Some(now);
                count +=
                    (0..=numbers).map(|number| allow_all(self.fd.as_fd(), number)).sum::<u64>();
            }
            count += answer(self.fd.as_fd(), buffer);
        }
        if count > 0 {
            shared.word(self.ward, SINCE_NS).store(self.beaten_ns, Ordering::Relaxed);
            shared.word(self.ward, UNTIL_NS).store(clock::realtime_ns(), Ordering::Relaxed);
            shared.word(self.ward, COUNT).fetch_add(count, Ordering::Relaxed);
        }
    }
}

fn ward_of(number: u8) -> Option<Ward> {
    Ward::ALL.into_iter().find(|ward| *ward as u8 == number)
}

/// Allows every event of that number: the agent's and ours may have the same; how many.
fn allow_all(group: BorrowedFd<'_>, number: i32) -> u64 {
    let mut count = 0;
    while fanotify::allow(group, number).is_ok() {
        count += 1;
    }
    count
}

/// Reads what waits in a group and allows it; how many events.
fn answer(group: BorrowedFd<'_>, buffer: &mut [u8]) -> u64 {
    let mut count = 0;
    let room = EVENTS_PER_READ * abi::FAN_EVENT_METADATA_LEN;
    for _ in 0..READS_PER_TURN {
        let Some(room) = buffer.get_mut(..room) else { break };
        let Ok(len) = fanotify::read(group, room) else { break };
        for event in events(room.get(..len).unwrap_or_default()).map_while(Result::ok) {
            count += allow_all(group, event.fd);
            drop(fanotify::EventFd::adopt(event.fd));
        }
    }
    count
}

/// Reads and drops what waits in a socket; how many messages.
fn drain(socket: BorrowedFd<'_>, buffer: &mut [u8]) -> u64 {
    let mut count = 0;
    // ENOBUFS tells once that the kernel dropped some: more may wait.
    let mut failures = 0;
    while failures < 2 && count < 4096 {
        match channel::receive(socket, buffer) {
            Ok((0, _)) => break,
            Ok(_) => count += 1,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
            Err(_) => failures += 1,
        }
    }
    count
}

/// Sends the messages of a farewell one by one, and reads what comes back.
fn say_farewell(held: &Held, buffer: &mut [u8]) {
    let mut rest = held.farewell.as_slice();
    while let Some(len) = message_len(rest) {
        let Some((message, others)) = rest.split_at_checked(len) else { break };
        // What can't be undone stays: nobody is left to be told.
        let _ = nix::unistd::write(held.fd.as_fd(), message);
        drain(held.fd.as_fd(), buffer);
        let padding = len.next_multiple_of(4) - len;
        rest = others.get(padding..).unwrap_or_default();
    }
}

/// The length that a netlink message says it has.
fn message_len(bytes: &[u8]) -> Option<usize> {
    let len = Reader::new(bytes).u32_ne("length of a netlink message").ok()?;
    usize::try_from(len).ok().filter(|len| *len >= abi::NLMSG_HDRLEN)
}
