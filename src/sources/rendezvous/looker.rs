//! The thread that reads events and looks at who waits.

use std::io;
use std::os::fd::AsFd;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::BATCH;
use super::Shared;
use crate::decode::fanotify::FileEvent;
use crate::decode::fanotify::events;
use crate::decode::procfs::stat::Stat;
use crate::metrics::METRICS;
use crate::procfs::Proc;
use crate::procfs::taken::Taking;
use crate::sys::abi;
use crate::sys::channel;
use crate::sys::child;
use crate::sys::clock;
use crate::sys::fanotify;
use crate::sys::fanotify::EventFd;
use crate::sys::poll;
use crate::sys::poll::Alarm;
use crate::sys::process;
use crate::sys::process::Capability;

/// Images that are remembered, by the lowest bits of the pid: a forgotten one is looked at again.
const IMAGES: usize = 8192;

/// How often it looks whether it should end.
const PAUSE: Duration = Duration::from_millis(100);

/// Room for `stat`.
const STAT: usize = 8 << 10;

/// Which program a process runs: an exec changes the two addresses.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
struct Image {
    pid: i32,
    start_ticks: u64,
    start_stack: u64,
    arg_start: u64,
}

/// The looker's own state, made once.
pub(super) struct Looker {
    pub(super) group: Arc<OwnedFd>,
    pub(super) alarm: Arc<Alarm>,
    pub(super) shared: Arc<Shared>,
    inbox: OwnedFd,
    proc: Proc,
    own_pid: i32,
    images: Vec<Image>,
    stat: Vec<u8>,
    taking: Taking,
    buffer: [u8; BATCH * abi::FAN_EVENT_METADATA_LEN],
}

impl Looker {
    /// Takes the calling thread for it: it has a descriptor table of its own from here on, in
    /// which `group` and `inbox` have the numbers that they had.
    pub(super) fn start(
        group: i32,
        inbox: i32,
        shared: &Arc<Shared>,
        proc: &Path,
    ) -> io::Result<Self> {
        let is_in_order = group < inbox;
        let keep = if is_in_order { [group, inbox] } else { [inbox, group] };
        let mut kept = child::own_descriptors(&keep)?.into_iter();
        let (Some(first), Some(second)) = (kept.next(), kept.next()) else {
            return Err(io::Error::from_raw_os_error(libc::EBADF));
        };
        let (group, inbox) = if is_in_order { (first, second) } else { (second, first) };
        // Others must not keep those waiting who wait for us.
        let _ = process::set_nice(-20);
        // The answerer, which this thread starts, has no more either.
        process::keep_capabilities(&[Capability::SysPtrace, Capability::DacReadSearch])?;
        Ok(Self {
            group: Arc::new(group),
            alarm: Arc::new(Alarm::new()?),
            shared: Arc::clone(shared),
            inbox,
            proc: Proc::open(proc)?,
            own_pid: process::own_pid(),
            images: vec![Image::default(); IMAGES],
            stat: Vec::with_capacity(STAT),
            taking: Taking::default(),
            buffer: [0; BATCH * abi::FAN_EVENT_METADATA_LEN],
        })
    }

    /// Looks until it should end.
    pub(super) fn run(mut self) {
        let _blind = Blind(Arc::clone(&self.shared));
        while !self.shared.should_end.load(Ordering::Acquire) {
            match fanotify::read(&*self.group, &mut self.buffer) {
                Ok(len) => self.batch(len),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    let _ = poll::wait_readable(self.group.as_fd(), PAUSE);
                }
                // The kernel has denied that open.
                Err(_) => METRICS.rendezvous.refused.increment(),
            }
        }
    }

    fn batch(&mut self, len: usize) {
        let mut batch = [None; BATCH];
        let walk = events(self.buffer.get(..len).unwrap_or_default());
        for (place, event) in batch.iter_mut().zip(walk.map_while(Result::ok)) {
            *place = Some(event);
        }
        // Our own opens first: what we do for others may wait for them.
        for place in &mut batch {
            if let Some(event) = place.take_if(|event| event.pid == self.own_pid || event.pid == 0)
            {
                let _ = fanotify::allow(&*self.group, event.fd);
                drop(EventFd::adopt(event.fd));
            }
        }
        for (place, event) in self.shared.waiting.iter().zip(&batch) {
            place.store(event.map_or(-1, |event| event.fd), Ordering::Release);
        }
        self.shared.since_ns.store(clock::monotonic_ns(), Ordering::Release);
        if !self.shared.is_armed.swap(true, Ordering::AcqRel) {
            let _ = self.alarm.set(self.shared.deadline);
        }
        for (place, event) in batch.into_iter().enumerate() {
            let Some(event) = event else { continue };
            // Closed at the end: until then nobody else's event gets its number.
            let _fd = EventFd::adopt(event.fd);
            self.look(event);
            let number = self.shared.claim(place);
            // Nobody waits if the answerer, or the guardian, was faster.
            if number.is_none_or(|number| fanotify::allow(&*self.group, number).is_err()) {
                METRICS.rendezvous.late.increment();
            }
        }
        self.shared.since_ns.store(0, Ordering::Release);
    }

    /// Reads the process of an event, unless that is done for its image.
    fn look(&mut self, event: FileEvent) {
        let Ok(process) = self.proc.process(event.pid) else { return };
        // This one never blocks; if it shows an image that is known, nothing else is read.
        if process.read_piece(c"stat", STAT, &mut self.stat).is_err() {
            return;
        }
        let Some(stat) = Stat::parse(&self.stat) else { return };
        let image = Image {
            pid: event.pid,
            start_ticks: stat.start_ticks,
            start_stack: stat.start_stack,
            arg_start: stat.arg_start,
        };
        let slot = usize::try_from(event.pid).unwrap_or(0) % IMAGES;
        let Some(known) = self.images.get_mut(slot) else { return };
        if *known == image {
            METRICS.rendezvous.known.increment();
            return;
        }
        let at_ns = clock::monotonic_ns();
        let message = self.taking.take(&process, event.pid, at_ns, &self.stat);
        if !self.shared.waiting.iter().any(|place| place.load(Ordering::Acquire) == event.fd) {
            // It was let go meanwhile: what was read may be of different moments.
            return;
        }
        *known = image;
        match channel::send(self.inbox.as_fd(), message, None) {
            Ok(()) => METRICS.rendezvous.looks.increment(),
            Err(_) => METRICS.rendezvous.dropped.increment(),
        }
    }
}

/// Says that nobody looks any more, however that came.
struct Blind(Arc<Shared>);

impl Drop for Blind {
    fn drop(&mut self) {
        self.0.is_blind.store(true, Ordering::Release);
    }
}
