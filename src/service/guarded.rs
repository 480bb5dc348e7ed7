//! What could make others wait for the agent, and the guardian that stands in for it.
//!
//! Nothing of that kind is used without a guardian: if none can be made, it is given up, and that
//! is told.

use std::os::fd::BorrowedFd;
use std::path::Path;
use std::time::Duration;
use std::time::Instant;

use super::host;
use crate::engine::rule::Rule;
use crate::log;
use crate::log::Level;
use crate::log_limited;
use crate::metrics::METRICS;
use crate::probe::Feature;
use crate::probe::Outcome;
use crate::sources::Guardian;
use crate::sources::Loss;
use crate::sources::Rendezvous;
use crate::sources::fanotify::MayMatch;
use crate::sources::fanotify::Place;
use crate::sources::guardian::Ward;
use crate::sources::rendezvous::ExecRendezvous;
use crate::sources::rendezvous::Inbox;
use crate::sources::rendezvous::OpenInbox;
use crate::sources::rendezvous::OpenRendezvous;

use super::standing::is_busy;
use super::standing::met;

/// How often it is looked after if nothing calls for it.
const EVERY: Duration = Duration::from_secs(1);

/// The guardian and what it guards; dropping it ends both.
#[derive(Debug, Default)]
pub struct Guarded {
    guardian: Option<Guardian>,
    rendezvous: Option<Rendezvous>,
    inbox: Option<Inbox>,
    execs: Option<(ExecRendezvous, Option<Inbox>)>,
    opens: Option<(OpenRendezvous, OpenInbox)>,
    /// What was lost before there was a loop.
    losses: Vec<Loss>,
    looked_after: Option<Instant>,
}

impl Guarded {
    /// Makes the guardian. Call it before any thread exists.
    #[must_use]
    pub fn start() -> Self {
        match Guardian::start() {
            Ok(guardian) => {
                METRICS.rendezvous.guardians.increment();
                let mut guarded = Self::default();
                guarded.losses.extend(Guardian::gap_before());
                guarded.guardian = Some(guardian);
                guarded
            }
            Err(error) => {
                log!(Level::Warning, "{error}; {}", error.hint());
                Self::default()
            }
        }
    }

    /// Meets programs at their start from now on, if the host lets us.
    pub fn meet_programs(&mut self) {
        let Some(guardian) = &mut self.guardian else { return };
        match Rendezvous::start_at(guardian, &host::path("/proc"), Path::new("/")) {
            Ok((mut rendezvous, inbox)) => {
                rendezvous.follow_all();
                log!(Level::Debug, "rendezvous: used: programs are read while they stand still");
                self.rendezvous = Some(rendezvous);
                self.inbox = Some(inbox);
            }
            Err(error) => log!(Level::Info, "rendezvous: not used: {error}; {}", error.hint()),
        }
    }

    /// Meets those, too, that become programs which need no loader, if the host lets us.
    pub fn meet_callers(&mut self) {
        let Some(guardian) = &mut self.guardian else { return };
        let Some(feature) = Feature::by_name("fanotify-exec-look") else { return };
        if let Outcome::Absent(why) | Outcome::Denied(why) = feature.outcome() {
            log!(Level::Info, "rendezvous in execve: not used: {why}; {}", feature.without);
            return;
        }
        match ExecRendezvous::start(guardian, &host::path("/proc")) {
            Ok((execs, inbox)) => {
                log!(Level::Debug, "rendezvous in execve: used: programs without a loader wait");
                self.execs = Some((execs, Some(inbox)));
            }
            Err(error) => {
                log!(Level::Info, "rendezvous in execve: not used: {error}; {}", feature.without);
            }
        }
    }

    /// Meets those who open files of `places` from now on, and nobody else, if the host lets us.
    /// `reads_matter`: whether a rule can match an open of a path that only reads.
    pub fn meet_openers(&mut self, places: Vec<Place>, reads_matter: Box<MayMatch>) {
        let Some(guardian) = &mut self.guardian else { return };
        if let Some((opens, _)) = &mut self.opens
            && opens.places() == places
        {
            opens.set_reads_matter(reads_matter);
            return;
        }
        if let Some((mut opens, _)) = self.opens.take() {
            opens.end(guardian);
        }
        if places.is_empty() {
            return;
        }
        match OpenRendezvous::start(guardian, &host::path("/proc"), places, is_busy) {
            Ok(mut started) => {
                started.0.set_reads_matter(reads_matter);
                let count = started.0.directories();
                log!(
                    Level::Debug,
                    "rendezvous: used: who opens what rules name is looked at, in {count} directories"
                );
                self.opens = Some(started);
            }
            Err(error) => log!(Level::Info, "rendezvous: not used: {error}; {}", error.hint()),
        }
    }

    /// Printed at `-v` behind the plan: who waits for us.
    #[must_use]
    pub fn met(&self, rules: &[Rule]) -> String {
        let mut text = String::new();
        if self.rendezvous.is_some() {
            text.push_str("\n  rendezvous: programs wait at their start until they are read");
        }
        if self.execs.is_some() {
            text.push_str(
                "\n  rendezvous in execve: programs without a loader wait, too, in the call that \
                 starts them",
            );
        }
        if let Some((opens, _)) = &self.opens {
            let (count, places) = (opens.directories(), met(rules).join(", "));
            text += &format!(
                "\n  rendezvous: whoever opens a file waits until that is read, in {count} \
                 directories: {places}"
            );
        }
        text
    }

    /// The rendezvous with opens, and where they come from.
    pub const fn opens(&mut self) -> Option<&mut (OpenRendezvous, OpenInbox)> {
        self.opens.as_mut()
    }

    /// Become readable when an open was met, or when a directory may have come whose opens are to
    /// be met: then the turn sees to it.
    pub fn open_fds(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.opens.iter().flat_map(|(opens, inbox)| [opens.newcomers_fd(), inbox.fd()])
    }

    /// Where the looks come from; once.
    pub const fn take_inbox(&mut self) -> Option<Inbox> {
        self.inbox.take()
    }

    /// Where looks at calls of execve(2) come from; once.
    pub fn take_calls(&mut self) -> Option<Inbox> {
        self.execs.as_mut().and_then(|(_, inbox)| inbox.take())
    }

    /// Marks mounts that came in our mount namespace.
    pub fn follow_mounts(&mut self) {
        if let Some((execs, _)) = &mut self.execs {
            // It is tried again each second.
            let _ = execs.follow_mounts();
        }
    }

    /// Whether the guardian stands in for the agent, or has done so since losses were last told.
    #[must_use]
    pub fn stands_still(&self) -> bool {
        self.guardian.as_ref().is_some_and(|guardian| guardian.has_answered(Ward::DirectoryGroup))
    }

    /// The guardian, to entrust something to it.
    pub const fn guardian(&mut self) -> Option<&mut Guardian> {
        self.guardian.as_mut()
    }

    /// Becomes readable when the guardian has died: call [`look_after`](Self::look_after) then.
    #[must_use]
    pub fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.guardian.as_ref().map(Guardian::fd)
    }

    /// Notes a process that has become a program: it may live in a root of its own.
    pub fn follow(&mut self, pid: i32) {
        if let Some(rendezvous) = &mut self.rendezvous {
            rendezvous.follow(pid);
        }
        if let Some((execs, _)) = &mut self.execs {
            execs.follow(pid);
        }
    }

    /// Makes a guardian anew if it has died, and tells what was lost. `is_called_for`: something
    /// has happened to it; else it is done once a second. Whether [`fd`](Self::fd) is another now.
    pub fn look_after(&mut self, is_called_for: bool, losses: &mut Vec<Loss>) -> bool {
        let is_due = self.looked_after.is_none_or(|at| at.elapsed() >= EVERY);
        if !is_due && !is_called_for {
            return false;
        }
        self.looked_after = Some(Instant::now());
        losses.append(&mut self.losses);
        if let Some(rendezvous) = &mut self.rendezvous {
            losses.extend(rendezvous.tick());
        }
        if let Some((execs, _)) = &mut self.execs {
            execs.tick();
        }
        if let Some((opens, _)) = &mut self.opens {
            opens.tick();
        }
        let Some(guardian) = &mut self.guardian else { return false };
        losses.extend(guardian.losses());
        match guardian.look_after() {
            Ok(false) => false,
            Ok(true) => {
                METRICS.rendezvous.guardians.increment();
                log_limited!(Level::Warning, "the guardian had died; there is a new one");
                true
            }
            Err(error) => {
                log!(Level::Error, "{error}; {}", error.hint());
                // Without one, nobody must wait for us.
                self.rendezvous = None;
                self.execs = None;
                self.opens = None;
                self.guardian = None;
                false
            }
        }
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        let Some(guardian) = &mut self.guardian else { return };
        if let Some(rendezvous) = &mut self.rendezvous {
            rendezvous.end(guardian);
        }
        if let Some((execs, _)) = &mut self.execs {
            execs.end(guardian);
        }
        if let Some((opens, _)) = &mut self.opens {
            opens.end(guardian);
        }
    }
}
