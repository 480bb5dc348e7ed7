//! Opens that were looked at while their tasks stood in them: told in order among what else the
//! process did, and each under the name that a rule knows.

use std::ops::Range;
use std::path::Path;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use super::judge::Judge;
use super::open_filter::OpenFilter;
use crate::decode::ProcessChange;
use crate::decode::ProcessRecord;
use crate::engine::rule::Rule;
use crate::enrich::LiveEnricher;
use crate::procfs::standing::Standing;
use crate::sources::fanotify::Place;
use crate::sources::rendezvous::News;
use crate::sources::rendezvous::OpenInbox;
use crate::sources::rendezvous::OpenRendezvous;
use crate::sys::clock;

/// Directories in which so much is opened that nobody is to wait there, though rules name them:
/// these themselves, and those below others.
const BUSY: &[&str] = &["/", "/bin", "/run", "/sbin", "/usr", "/usr/bin", "/usr/sbin"];

/// The same with all that is below them.
const BUSY_TREES: &[&str] = &[
    "/dev",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/proc",
    "/sys",
    "/usr/lib",
    "/usr/lib32",
    "/usr/lib64",
    "/usr/libexec",
    "/usr/libx32",
    "/usr/local/bin",
    "/usr/local/lib",
    "/usr/local/sbin",
    "/usr/share",
];

/// Whether nobody is to wait for us who opens a file of this directory.
pub(super) fn is_busy(directory: &Path) -> bool {
    BUSY.iter().any(|busy| directory == Path::new(busy))
        || BUSY_TREES.iter().any(|tree| directory.starts_with(tree))
}

/// Where opens are met for `rules`, as text: directories, and what paths begin with.
#[must_use]
pub fn met(rules: &[Rule]) -> Vec<String> {
    let mut met: Vec<String> = OpenFilter::meeting_places(rules)
        .iter()
        .filter_map(|place| match place {
            Place::File(path) => path.parent().map(|path| (path, "")),
            Place::Directory(path) => Some((path.as_path(), "")),
            Place::Beginning(text) => Some((text.as_path(), "*")),
        })
        .filter(|(path, _)| !is_busy(path))
        .map(|(path, rest)| format!("{}{rest}", path.display()))
        .collect();
    met.sort_unstable();
    met.dedup();
    met
}

/// How long is waited for the end of opens in one turn, and how often it is looked for. One that has
/// failed never ends.
const SETTLE: Duration = Duration::from_millis(10);
/// As above.
const LOOK_AGAIN: Duration = Duration::from_micros(100);

/// How long it is remembered that the guardian has stood in.
const REMEMBER: Duration = Duration::from_secs(5);

/// Opens of one turn.
#[derive(Debug, Default)]
pub(super) struct StandingBatch {
    messages: Vec<u8>,
    /// Process and moment (in nanoseconds since boot) of each that is not told yet.
    opens: Vec<(i32, u64, Range<usize>)>,
    scratch: Vec<u8>,
    /// When the guardian was last seen to have answered in the agent's place.
    stood_still_at: Option<Instant>,
}

/// What tells an open.
pub(super) struct Teller<'a> {
    pub(super) enricher: &'a mut LiveEnricher,
    pub(super) judge: &'a mut Judge,
    pub(super) rendezvous: Option<&'a OpenRendezvous>,
}

impl Teller<'_> {
    /// Tells an open as one of the file's own path; if no rule matches, of the watched path by
    /// which it is known as well.
    fn tell(&mut self, look: &Standing<'_>) {
        let Self { enricher, judge, rendezvous } = self;
        let mut has_matched = false;
        enricher.standing(look, look.path, &mut |event| has_matched |= judge.matches(event));
        let Some(rendezvous) = rendezvous.filter(|_| !has_matched) else { return };
        if look.links == 1 && rendezvous.names(look.path) {
            return;
        }
        if let Some(other) = rendezvous.watched_name(look.path, (look.dev, look.ino)) {
            enricher.standing(look, &other, &mut |event| judge.judge(event));
        }
    }
}

impl StandingBatch {
    /// Notes that the guardian stands in for the agent, or did so lately.
    pub(super) fn note_stood_still(&mut self) {
        self.stood_still_at = Some(Instant::now());
    }

    /// Takes what has come. Call it after file records were read, and before process records are.
    pub(super) fn take(
        &mut self,
        (rendezvous, inbox): (&mut OpenRendezvous, &mut OpenInbox),
        enricher: &mut LiveEnricher,
    ) {
        let Self { messages, opens, scratch, stood_still_at } = self;
        let has_stood_still = stood_still_at.is_some_and(|at| at.elapsed() < REMEMBER);
        inbox.take_all(clock::monotonic_ns(), &mut |news| {
            let look = match news {
                News::Seen(look) if rendezvous.leaves_alone((look.dev, look.ino)) => return,
                News::Seen(look) => return enricher.note_seen(look),
                News::Unseen(look) => return enricher.note_unseen(look),
                News::Failed(look) if !(has_stood_still && enricher.has_recorded(look)) => return,
                News::Failed(look) => look,
                News::Opened(look) => {
                    if rendezvous.note_opened(look) {
                        enricher.forget_seen((look.dev, look.ino));
                    }
                    look
                }
            };
            look.write(scratch);
            let start = messages.len();
            messages.extend_from_slice(scratch);
            opens.push((look.pid, look.at_ns, start..messages.len()));
        });
    }

    /// Waits until it is known how opens have ended that processes made before they became other
    /// programs: for a moment, since the kernel has told it to the looker.
    pub(super) fn settle(
        &mut self,
        records: &[ProcessRecord],
        (rendezvous, inbox): (&mut OpenRendezvous, &mut OpenInbox),
        enricher: &mut LiveEnricher,
    ) {
        let is_open = |inbox: &OpenInbox| {
            let mut programs = records.iter().filter(|record| record.what == ProcessChange::Exec);
            programs.any(|record| inbox.awaits(record.pid, record.timestamp_ns))
        };
        let began = Instant::now();
        while is_open(inbox) && began.elapsed() < SETTLE {
            thread::sleep(LOOK_AGAIN);
            self.take((rendezvous, inbox), enricher);
        }
    }

    /// Hands in process records, each after the opens that its process made before it.
    pub(super) fn processes(&mut self, records: &[ProcessRecord], teller: &mut Teller<'_>) {
        let mut rest = records;
        while let Some(at) = rest.iter().position(|record| self.comes_before(record)) {
            let (before, after) = rest.split_at_checked(at).unwrap_or((rest, &[]));
            hand_in(before, teller);
            let Some((record, others)) = after.split_first() else { return };
            self.tell(&|pid, at_ns| is_before(record, pid, at_ns), teller);
            hand_in(std::slice::from_ref(record), teller);
            rest = others;
        }
        hand_in(rest, teller);
    }

    /// Tells those that are left, but for those that came after `until_ns`, since boot.
    pub(super) fn tell_rest(&mut self, until_ns: u64, teller: &mut Teller<'_>) {
        self.tell(&|_, at_ns| at_ns <= until_ns, teller);
        if self.opens.is_empty() {
            self.messages.clear();
        }
    }

    fn comes_before(&self, record: &ProcessRecord) -> bool {
        self.opens.iter().any(|(pid, at_ns, _)| is_before(record, *pid, *at_ns))
    }

    fn tell(&mut self, is_due: &dyn Fn(i32, u64) -> bool, teller: &mut Teller<'_>) {
        let messages = &self.messages;
        self.opens.retain(|(pid, at_ns, range)| {
            let is_due = is_due(*pid, *at_ns);
            if is_due && let Some(look) = messages.get(range.clone()).and_then(Standing::parse) {
                teller.judge.set_source("rendezvous");
                teller.tell(&look);
            }
            !is_due
        });
    }
}

/// Whether a process opened something before its record: one after which it is another program.
fn is_before(record: &ProcessRecord, pid: i32, at_ns: u64) -> bool {
    record.what == ProcessChange::Exec && record.pid == pid && at_ns < record.timestamp_ns
}

fn hand_in(records: &[ProcessRecord], teller: &mut Teller<'_>) {
    if records.is_empty() {
        return;
    }
    teller.judge.set_source("proc_connector");
    let judge = &mut *teller.judge;
    teller.enricher.processes(records, &mut |event| judge.judge(event));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_waits_where_programs_and_libraries_are() {
        for busy in ["/", "/usr/bin", "/usr/lib/x86_64-linux-gnu/security", "/proc/1", "/lib64"] {
            assert!(is_busy(Path::new(busy)), "{busy}");
        }
        for quiet in ["/etc", "/root/.ssh", "/usr/local/etc", "/libs", "/var/lib", "/run/secrets"] {
            assert!(!is_busy(Path::new(quiet)), "{quiet}");
        }
    }
}
