//! Records of live sources become events: at most one event a record, and the world kept true.
//!
//! Nothing here waits: an open whose mode is told only by its close is held for at most
//! [`MAX_HOLD_NS`] and handed out by [`LiveEnricher::record`] or [`LiveEnricher::tick`].
//!
//! Order: hand in the process records of one drain together and before the file records that were
//! read *before* that drain, so that an open finds the process as it is after its exec.

use std::io;
use std::path::Path;

use super::settings::{Needs, Settings};
use crate::decode::{FileRecord, ProcessRecord, Record};
use crate::event::{Arena, Event, World};

/// Takes one event; it is gone when the call returns.
pub type EventSink<'s> = dyn FnMut(&Event<'_>) + 's;

/// How long an event may be held back to learn more about it: 50 ms.
pub const MAX_HOLD_NS: u64 = 50_000_000;

/// Why the enrichment can't start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The directory of processes cannot be read.
    #[error("cannot read {path}")]
    Proc {
        /// The directory.
        path: String,
        /// What the kernel said.
        source: io::Error,
    },
}

/// The live half of enrichment: process table, containers, users, pending opens.
#[derive(Debug)]
pub struct LiveEnricher {
    world: World,
    needs: Needs,
    arena: Arena,
    settings: Settings,
}

impl LiveEnricher {
    /// Reads the processes found under `proc_dir` (the host's `/proc`), its users and groups.
    ///
    /// # Errors
    ///
    /// [`Error::Proc`] if the directory cannot be read.
    pub fn new(proc_dir: &Path, settings: Settings) -> Result<Self, Error> {
        let _ = proc_dir;
        let world = World::default();
        Ok(Self { world, needs: Needs::default(), arena: Arena::new(), settings })
    }

    /// From now on makes only the events that `needs` names.
    pub fn set_needs(&mut self, needs: Needs) {
        self.needs = needs;
    }

    /// Takes one record; hands at most one event of it to `sink`, after the held ones that it
    /// decides.
    pub fn record(&mut self, record: &Record<'_>, sink: &mut EventSink<'_>) {
        match record {
            Record::Process(record) => self.processes(&[*record], sink),
            Record::File(record) => self.file(record, sink),
        }
    }

    /// Takes the process records of one drain, in order of their time. Better than one by one:
    /// of two execs of one process the first is then known to be replaced already.
    pub fn processes(&mut self, records: &[ProcessRecord], sink: &mut EventSink<'_>) {
        let _ = (records, sink);
    }

    /// Takes one file record.
    pub fn file(&mut self, record: &FileRecord<'_>, sink: &mut EventSink<'_>) {
        let _ = (record, sink);
    }

    /// Hands out what was held long enough, and forgets what is old. `now_ns`: nanoseconds since
    /// the epoch. Call it when [`next_due_ns`](Self::next_due_ns) has come, and every second.
    pub fn tick(&mut self, now_ns: u64, sink: &mut EventSink<'_>) {
        let _ = (now_ns, sink);
    }

    /// When [`tick`](Self::tick) has something to hand out, in nanoseconds since the epoch.
    #[must_use]
    pub fn next_due_ns(&self) -> Option<u64> {
        None
    }

    /// After lost records: reads all processes anew.
    pub fn resync(&mut self) {}

    /// What is known.
    #[must_use]
    pub const fn world(&self) -> &World {
        &self.world
    }

    /// What is known, to set what others find out (host name, addresses).
    pub const fn world_mut(&mut self) -> &mut World {
        &mut self.world
    }
}
