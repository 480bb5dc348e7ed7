//! The thread that reads events and looks at who waits.

use std::io;
use std::os::fd::AsFd;
use std::os::fd::AsRawFd;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::BATCH;
use super::Shared;
use super::callers::Callers;
use super::openers::Openers;
use super::programs::Programs;
use super::ring::Writer;
use crate::decode::fanotify::FileEvent;
use crate::decode::fanotify::events;
use crate::metrics::METRICS;
use crate::procfs::Proc;
use crate::sys::abi;
use crate::sys::child;
use crate::sys::clock;
use crate::sys::fanotify;
use crate::sys::fanotify::EventFd;
use crate::sys::poll;
use crate::sys::poll::Alarm;
use crate::sys::poll::Bell;
use crate::sys::process;
use crate::sys::process::Capability;

/// How often it looks whether it should end.
const PAUSE: Duration = Duration::from_millis(100);

/// Whom it looks at, and for what.
#[derive(Debug)]
pub(super) enum Watching {
    /// Programs that open the loader's cache.
    Programs(Box<Programs>),
    /// Tasks that open what rules name.
    Openers(Box<Openers>),
    /// Tasks that open a program, to become it.
    Callers(Box<Callers>),
}

impl Watching {
    /// What the answerer tells of opens that it let go unseen.
    pub(super) fn take_untold(&mut self) -> Option<(Writer, Arc<Bell>)> {
        match self {
            Self::Programs(_) | Self::Callers(_) => None,
            Self::Openers(openers) => openers.take_untold(),
        }
    }

    /// The number of a descriptor that it needs.
    const fn bell_number(&self) -> Option<i32> {
        match self {
            Self::Programs(_) | Self::Callers(_) => None,
            Self::Openers(openers) => Some(openers.bell_number()),
        }
    }

    /// Finds the calling thread's own descriptors.
    fn settle(&mut self) -> io::Result<()> {
        match self {
            Self::Programs(_) => Ok(()),
            Self::Openers(openers) => openers.settle(),
            Self::Callers(callers) => callers.settle(),
        }
    }
}

/// The looker's own state, made once.
pub(super) struct Looker {
    pub(super) group: Arc<OwnedFd>,
    pub(super) alarm: Arc<Alarm>,
    pub(super) shared: Arc<Shared>,
    pub(super) watching: Watching,
    proc: Proc,
    own_pid: i32,
    buffer: [u8; BATCH * abi::FAN_EVENT_METADATA_LEN],
}

impl Looker {
    /// Takes the calling thread for it: it has a descriptor table of its own from here on, in
    /// which `group` has the number that it had.
    pub(super) fn start(
        group: i32,
        mut watching: Watching,
        shared: &Arc<Shared>,
        proc: &Path,
    ) -> io::Result<Self> {
        let bell = watching.bell_number();
        let mut keep: Vec<i32> = bell.into_iter().chain([group]).collect();
        keep.sort_unstable();
        let missing = || io::Error::from_raw_os_error(libc::EBADF);
        let mut kept = child::own_descriptors(&keep)?;
        let place = kept.iter().position(|fd| fd.as_raw_fd() == group).ok_or_else(missing)?;
        let group = kept.swap_remove(place);
        if let (Watching::Openers(openers), Some(bell)) = (&mut watching, kept.pop()) {
            openers.take_bell(bell);
        }
        // Others must not keep those waiting who wait for us.
        let _ = process::set_nice(-20);
        // The answerer, which this thread starts, has no more either.
        watching.settle()?;
        process::keep_capabilities(&[Capability::SysPtrace, Capability::DacReadSearch])?;
        Ok(Self {
            group: Arc::new(group),
            alarm: Arc::new(Alarm::new()?),
            shared: Arc::clone(shared),
            watching,
            proc: Proc::open(proc)?,
            own_pid: process::own_pid(),
            buffer: [0; BATCH * abi::FAN_EVENT_METADATA_LEN],
        })
    }

    /// Looks until it should end.
    pub(super) fn run(mut self) {
        let _blind = Blind(Arc::clone(&self.shared));
        while !self.shared.should_end.load(Ordering::Acquire) {
            if poll::wait_readable(self.group.as_fd(), PAUSE).unwrap_or(false) {
                self.read();
            }
        }
    }

    /// Reads until there is nothing more.
    fn read(&mut self) {
        while !self.shared.should_end.load(Ordering::Acquire) {
            // The kernel opens the file for us here. It waits as long as somebody has a lease on it
            // (fcntl(2)), and so would all who come behind.
            self.begin();
            match fanotify::read(&*self.group, &mut self.buffer) {
                Ok(len) => self.batch(len),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                // The kernel has denied that open.
                Err(_) => METRICS.rendezvous.refused.increment(),
            }
        }
        self.shared.since_ns.store(0, Ordering::Release);
    }

    /// From here on the answerer watches how long it takes.
    fn begin(&self) {
        self.shared.since_ns.store(clock::monotonic_ns(), Ordering::Release);
        if !self.shared.is_armed.swap(true, Ordering::AcqRel) {
            let _ = self.alarm.set(self.shared.deadline);
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
            let own_pid = self.own_pid;
            let is_own =
                |event: &mut FileEvent| event.pid == 0 || process::is_thread_of(own_pid, event.pid);
            if let Some(event) = place.take_if(is_own) {
                if event.is_asked() {
                    let _ = fanotify::allow(&*self.group, event.fd);
                }
                drop(EventFd::adopt(event.fd));
            }
        }
        for (place, event) in self.shared.waiting.iter().zip(&batch) {
            let asked = event.filter(FileEvent::is_asked);
            place.store(asked.map_or(-1, |event| event.fd), Ordering::Release);
        }
        self.begin();
        for (place, event) in batch.into_iter().enumerate() {
            let Some(event) = event else { continue };
            // Closed at the end: until then nobody else's event gets its number.
            let fd = EventFd::adopt(event.fd);
            if !event.is_asked() {
                if let (Watching::Openers(openers), Some(fd)) = (&mut self.watching, &fd) {
                    openers.done(event, fd.as_fd());
                }
                continue;
            }
            match (&mut self.watching, &fd) {
                (Watching::Programs(programs), _) => programs.look(&self.proc, event),
                (Watching::Openers(openers), Some(fd)) => {
                    openers.look(&self.proc, self.group.as_fd(), event, fd.as_fd());
                }
                (Watching::Callers(callers), Some(fd)) => {
                    callers.look(&self.proc, self.group.as_fd(), event, fd.as_fd());
                }
                (Watching::Openers(_) | Watching::Callers(_), None) => {}
            }
            // If it was let go meanwhile, what was read may be of different moments.
            let number = self.shared.claim(place);
            if number.is_some() {
                // The guardian answers by number, and doesn't claim: it has waited longer.
                let is_in_time = self.shared.age() < self.shared.deadline;
                match &mut self.watching {
                    Watching::Programs(programs) => programs.tell(),
                    Watching::Openers(openers) => openers.tell(is_in_time),
                    Watching::Callers(callers) => callers.tell(),
                }
            }
            // Nobody waits if the answerer, or the guardian, was faster.
            if number.is_none_or(|number| fanotify::allow(&*self.group, number).is_err()) {
                METRICS.rendezvous.late.increment();
            }
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
