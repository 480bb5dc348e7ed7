//! What the loop does for the source of file records.

use std::io;
use std::os::fd::AsRawFd as _;

use mio::{Interest, Poll};

use crate::decode::ProcessChange;
use crate::log::Level;
use crate::log_limited;
use crate::sources::Source as _;
use crate::sys::abi;
use crate::sys::clock;

use super::live::FILES;
use super::live::Live;
use super::live::MOUNTS;
use super::live::Sources;
use super::live::add;

/// How often the roots of all processes are looked at.
const NOTE_ROOTS_EVERY_NS: u64 = 1_000_000_000;

impl Live {
    /// Waits on what tells of files.
    pub(super) fn register_files(&self, poll: &Poll) -> io::Result<()> {
        let Some(source) = &self.sources.files else { return Ok(()) };
        add(poll, source.fd().as_raw_fd(), FILES, Interest::READABLE)?;
        for fd in source.other_fds() {
            add(poll, fd.as_raw_fd(), FILES, Interest::READABLE)?;
        }
        add(poll, source.mounts_fd().as_raw_fd(), MOUNTS, Interest::PRIORITY)
    }

    /// Waits on what tells of opens that were met, and of directories whose opens are to be met,
    /// unless that is done already.
    pub(super) fn register_opens(&self, poll: &Poll) -> io::Result<()> {
        for fd in self.sources.guarded.open_fds() {
            match add(poll, fd.as_raw_fd(), FILES, Interest::READABLE) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                result => result?,
            }
        }
        Ok(())
    }

    /// Takes opens that were met. Call it after file records were read, and before process records
    /// are.
    pub(super) fn take_opens(&mut self) {
        let Self { sources, standing, enricher, files, .. } = self;
        if sources.guarded.stands_still() {
            standing.note_stood_still();
        }
        let Some((opens, inbox)) = sources.guarded.opens() else { return };
        opens.follow();
        if sources.files.is_none() {
            opens.leave_none_alone();
        }
        files.each(|record| {
            if record.mask & abi::FAN_CLOSE_WRITE != 0 {
                opens.note_written((record.dev, record.ino));
            }
        });
        standing.take((opens, inbox), enricher);
    }

    /// Marks the mounts that came.
    pub(super) fn follow_mounts(&mut self) {
        self.sources.guarded.follow_mounts();
        let Some(files) = &mut self.sources.files else { return };
        match files.follow_mounts() {
            Ok(change) => log_limited!(Level::Debug, "mounts changed: {change:?}"),
            Err(error) => log_limited!(Level::Error, "{error}; {}", error.hint()),
        }
    }

    /// Follows processes to where they see other files.
    pub(super) fn follow(&mut self) {
        let Sources { files, guarded, .. } = &mut self.sources;
        let mut has_exec = false;
        for record in self.processes.iter().filter(|record| record.what == ProcessChange::Exec) {
            guarded.follow(record.pid);
            has_exec = true;
        }
        let Some(files) = files else { return };
        // A process that has ended already shows nothing, and each shows the same however often.
        self.followed.clear();
        for record in self.processes.iter().rev() {
            let is_end =
                record.tid == record.pid && matches!(record.what, ProcessChange::Exit { .. });
            if is_end {
                self.followed.insert(record.pid);
            } else if record.may_be_elsewhere() && self.followed.insert(record.pid) {
                files.follow_process(record.pid);
            }
        }
        files.follow_namespaces();
        if has_exec {
            // A container's first process has the container's root before its program begins.
            files.newborns().for_each(|pid| guarded.follow(pid));
        }
    }

    /// Mounts that cannot be watched are losses.
    pub(super) fn note_refused_mounts(&mut self) {
        let Some(files) = &mut self.sources.files else { return };
        self.losses.add_refused(files.take_refused(), clock::realtime_ns());
    }

    /// Once a second: a file has another path for processes that have another root.
    pub(super) fn note_roots(&mut self) {
        let now_ns = clock::realtime_ns();
        let Some(files) = &mut self.sources.files else { return };
        if now_ns.saturating_sub(self.roots_noted_at_ns) < NOTE_ROOTS_EVERY_NS {
            return;
        }
        self.roots_noted_at_ns = now_ns;
        for thread in self.enricher.world().threads.values() {
            if !matches!(thread.root.as_ref(), [] | [b'/']) {
                files.note_root(&thread.root);
            }
        }
    }
}
