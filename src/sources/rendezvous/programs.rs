//! Looks at programs that open the loader's cache: once for each image.

use crate::decode::fanotify::FileEvent;
use crate::decode::procfs::stat::Stat;
use crate::metrics::METRICS;
use crate::procfs::Proc;
use crate::procfs::taken::Taking;
use crate::sys::clock;

use super::ring::Writer;

/// Images that are remembered, by the lowest bits of the pid: a forgotten one is looked at again.
const IMAGES: usize = 8192;

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

/// What it has for that, made once.
#[derive(Debug)]
pub(super) struct Programs {
    inbox: Writer,
    images: Vec<Image>,
    stat: Vec<u8>,
    taking: Taking,
    /// What was seen: the image, and how it is remembered.
    seen: Option<(usize, Image)>,
}

impl Programs {
    /// Tells `inbox` what it sees.
    pub(super) fn new(inbox: Writer) -> Self {
        Self {
            inbox,
            images: vec![Image::default(); IMAGES],
            stat: Vec::with_capacity(STAT),
            taking: Taking::default(),
            seen: None,
        }
    }

    /// Reads the process of an event, unless that is done for its image.
    pub(super) fn look(&mut self, proc: &Proc, event: FileEvent) {
        self.seen = None;
        let Ok(process) = proc.process(event.pid) else { return };
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
        if self.images.get(slot) == Some(&image) {
            METRICS.rendezvous.known.increment();
            return;
        }
        let at_ns = clock::monotonic_ns();
        self.taking.take(&process, event.pid, at_ns, &self.stat);
        self.seen = Some((slot, image));
    }

    /// Tells what was seen: the process has stood still until now.
    pub(super) fn tell(&mut self) {
        let Some((slot, image)) = self.seen.take() else { return };
        if let Some(known) = self.images.get_mut(slot) {
            *known = image;
        }
        if self.inbox.write(self.taking.message()) {
            METRICS.rendezvous.looks.increment();
        } else {
            METRICS.rendezvous.dropped.increment();
        }
    }
}
