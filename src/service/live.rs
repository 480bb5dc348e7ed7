//! The loop of the live agent: one thread that waits on the kernel's descriptors, makes events of
//! what they tell, and judges them in place.
//!
//! File records are read first and handed on last: whatever the process did before it opened the
//! file is then told already. Everything that is kept between two turns has a bound.

use std::io;
use std::os::fd::AsFd as _;
use std::os::fd::AsRawFd as _;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token, Waker};
use rustc_hash::FxHashSet;

use crate::decode::ProcessRecord;
use crate::decode::Record;
use crate::enrich::LiveEnricher;
use crate::log;
use crate::log::Level;
use crate::log_limited;
use crate::metrics::METRICS;
use crate::sources::AuditSource;
use crate::sources::FileWatch;
use crate::sources::ProcConnector;
use crate::sources::Source;
use crate::sources::guardian::Heart;
use crate::sources::guardian::Ward;
use crate::sources::proc_connector::Hearing;
use crate::sys::clock;
use crate::sys::poll::SignalFd;
use crate::sys::process;

use super::audit::AuditBatch;
use super::audit::Next;
use super::drops::Drops;
use super::file_batch::FileBatch;
use super::guarded::Guarded;
use super::judge::Judge;
use super::keeper::Keeper;
use super::losses::Losses;
use super::pace::Pace;
use super::sources::Planner;
use super::standing::StandingBatch;
use super::standing::Teller;

/// Records that a source hands out in one turn, at most: signals and timers get their turn too.
pub(super) const BUDGET: usize = 1024;

/// How often what is not urgent is looked at.
const TICK: Duration = Duration::from_secs(1);

const PROCESSES: Token = Token(0);
pub(super) const FILES: Token = Token(1);
pub(super) const MOUNTS: Token = Token(2);
const SIGNALS: Token = Token(3);
const OUTPUT: Token = Token(4);
const CHANGES: Token = Token(5);
const GUARDIAN: Token = Token(6);
pub(super) const AUDIT: Token = Token(7);

/// Wakes the loop from the thread of the outputs.
#[derive(Debug)]
pub struct Loop {
    pub(super) poll: Poll,
    waker: Arc<Waker>,
}

/// Why the loop ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Ended {
    /// A signal, or the time was up.
    Asked,
    /// Nobody reads the alerts.
    OutputGone,
    /// Every source broke.
    SourcesGone,
    /// Events were lost, and the configuration asks for the end then.
    Drops,
}

/// What the loop is asked to do by a signal.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Request {
    /// End.
    Stop,
    /// Load rules and configuration again.
    Reload,
    /// Open outputs again.
    Reopen,
}

/// The sources that this host gives.
#[derive(Debug)]
pub struct Sources {
    /// Processes.
    pub processes: Option<ProcConnector>,
    /// Files.
    pub files: Option<FileWatch>,
    /// System calls.
    pub audit: Option<AuditSource>,
    /// What others wait for.
    pub guarded: Guarded,
}

impl Sources {
    const fn is_empty(&self) -> bool {
        self.processes.is_none() && self.files.is_none() && self.audit.is_none()
    }
}

/// Everything that the loop works on.
#[derive(Debug)]
pub struct Live {
    pub(super) sources: Sources,
    pub(super) heart: Option<Heart>,
    pub(super) enricher: LiveEnricher,
    signals: SignalFd,
    pub(super) drops: Drops,
    pub(super) files: FileBatch,
    pub(super) standing: StandingBatch,
    pub(super) processes: Vec<ProcessRecord>,
    pub(super) audit: AuditBatch,
    pub(super) planner: Planner,
    pub(super) losses: Losses,
    pace: Pace,
    /// Processes that were followed in this turn.
    pub(super) followed: FxHashSet<i32>,
    /// Something has happened to the guardian.
    is_guardian_dead: bool,
    pub(super) roots_noted_at_ns: u64,
}

impl Loop {
    /// Makes the descriptor that is waited on.
    ///
    /// # Errors
    ///
    /// Those of epoll_create(2) and eventfd(2).
    pub fn new() -> io::Result<Self> {
        let poll = Poll::new()?;
        let waker = Arc::new(Waker::new(poll.registry(), OUTPUT)?);
        Ok(Self { poll, waker })
    }

    /// What wakes the loop.
    #[must_use]
    pub fn waker(&self) -> Arc<Waker> {
        Arc::clone(&self.waker)
    }
}

impl Live {
    /// Puts the parts together.
    #[must_use]
    pub fn new(sources: Sources, enricher: LiveEnricher, signals: SignalFd, drops: Drops) -> Self {
        Self {
            sources,
            heart: None,
            enricher,
            signals,
            drops,
            files: FileBatch::default(),
            standing: StandingBatch::default(),
            processes: Vec::with_capacity(BUDGET),
            audit: AuditBatch::default(),
            planner: Planner::default(),
            losses: Losses::default(),
            pace: Pace::default(),
            followed: FxHashSet::default(),
            is_guardian_dead: false,
            roots_noted_at_ns: 0,
        }
    }

    /// Plans anew with this whenever rules or sources change.
    #[must_use]
    pub(super) fn with_planner(mut self, planner: Planner) -> Self {
        self.planner = planner;
        let guardian = self.sources.guarded.guardian();
        self.heart = guardian.map(|guardian| guardian.heart(Ward::AuditSocket));
        self
    }

    /// What is known of losses.
    #[must_use]
    pub const fn drops(&self) -> &Drops {
        &self.drops
    }

    /// Runs until it is asked to end. `keeper` does what goes on beside the events.
    ///
    /// # Errors
    ///
    /// Those of epoll_ctl(2), epoll_wait(2) and of reading signals.
    pub fn run(
        &mut self,
        waiting: &mut Loop,
        judge: &mut Judge,
        keeper: &mut Keeper,
        duration: Option<Duration>,
    ) -> io::Result<Ended> {
        self.register(&waiting.poll)?;
        register_watch(&waiting.poll, keeper)?;
        // What a program is can only be read while it runs: on a busy host 9 of 10 short programs
        // are read in time with this, 2 of 10 without.
        if let Err(error) = process::set_nice(-20) {
            log!(Level::Debug, "cannot run before other programs: {error}");
        }
        let deadline = duration.map(|duration| Instant::now() + duration);
        let mut events = Events::with_capacity(16);
        let mut more = true;
        keeper.ready();
        loop {
            let timeout =
                if more { Duration::ZERO } else { self.timeout(deadline, keeper.due_ns(judge)) };
            self.wait(&mut waiting.poll, &mut events, timeout)?;
            if !more {
                self.let_gather(&events);
            }
            for event in &events {
                match event.token() {
                    SIGNALS => {
                        while let Some(request) = self.next_request()? {
                            if request == Request::Stop {
                                return Ok(Ended::Asked);
                            }
                            keeper.request(request, judge);
                        }
                    }
                    MOUNTS => self.follow_mounts(),
                    CHANGES => keeper.files_changed(),
                    GUARDIAN => self.is_guardian_dead = true,
                    _ => {}
                }
            }
            if judge.outputs().is_broken() {
                return Ok(Ended::OutputGone);
            }
            let began = Duration::from_nanos(clock::monotonic_ns());
            more = self.turn(judge);
            self.pace.turned(began, Duration::from_nanos(clock::monotonic_ns()));
            self.keep_hearing(&waiting.poll)?;
            self.keep_guarded(&waiting.poll)?;
            self.keep_audit(&waiting.poll, judge)?;
            if self.sources.is_empty() {
                return Ok(Ended::SourcesGone);
            }
            if self.look_after(judge) {
                return Ok(Ended::Drops);
            }
            if let Some(fresh) = keeper.turn(judge, clock::realtime_ns()) {
                self.adopt(fresh, judge, keeper, waiting)?;
            }
            if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                return Ok(Ended::Asked);
            }
        }
    }

    /// Judges what comes for so long or until a signal asks for the end; nothing goes on beside.
    ///
    /// # Errors
    ///
    /// Those of [`run`](Self::run).
    pub fn run_alone(
        &mut self,
        waiting: &mut Loop,
        judge: &mut Judge,
        duration: Duration,
    ) -> io::Result<()> {
        self.register(&waiting.poll)?;
        let deadline = Instant::now() + duration;
        let mut events = Events::with_capacity(16);
        let mut more = true;
        while Instant::now() < deadline {
            let timeout = if more { Duration::ZERO } else { self.timeout(Some(deadline), None) };
            self.wait(&mut waiting.poll, &mut events, timeout)?;
            if events.iter().any(|event| event.token() == MOUNTS) {
                self.follow_mounts();
            }
            more = self.turn(judge);
            if self.next_request()? == Some(Request::Stop) {
                // What happened before the signal is still judged.
                self.turn(judge);
                return Ok(());
            }
            self.keep_hearing(&waiting.poll)?;
            self.look_after(judge);
        }
        Ok(())
    }

    fn register(&self, poll: &Poll) -> io::Result<()> {
        if let Some(source) = &self.sources.processes {
            add(poll, source.fd().as_raw_fd(), PROCESSES, Interest::READABLE)?;
        }
        self.register_files(poll)?;
        self.register_opens(poll)?;
        if let Some(fd) = self.sources.guarded.fd() {
            add(poll, fd.as_raw_fd(), GUARDIAN, Interest::READABLE)?;
        }
        self.register_audit(poll)?;
        add(poll, self.signals.as_fd().as_raw_fd(), SIGNALS, Interest::READABLE)
    }

    /// Looks whether the kernel still tells of processes; a new subscription is waited on, too.
    fn keep_hearing(&mut self, poll: &Poll) -> io::Result<()> {
        let Some(source) = &mut self.sources.processes else { return Ok(()) };
        match source.check_silence(Instant::now()) {
            Ok(Hearing::Good) => Ok(()),
            Ok(Hearing::Renewed(loss)) => {
                self.losses.add([loss]);
                let fd = source.fd().as_raw_fd();
                poll.registry().register(&mut SourceFd(&fd), PROCESSES, Interest::READABLE)
            }
            Err(error) => {
                log_limited!(Level::Error, "{error}; {}", error.hint());
                Ok(())
            }
        }
    }

    /// Looks after the guardian; a new one is waited on, too.
    fn keep_guarded(&mut self, poll: &Poll) -> io::Result<()> {
        let is_called_for = std::mem::take(&mut self.is_guardian_dead);
        let mut lost = Vec::new();
        let is_new = self.sources.guarded.look_after(is_called_for, &mut lost);
        self.losses.add(lost);
        if is_new && let Some(fd) = self.sources.guarded.fd() {
            let fd = fd.as_raw_fd();
            poll.registry().register(&mut SourceFd(&fd), GUARDIAN, Interest::READABLE)?;
        }
        Ok(())
    }

    /// Lets records gather on a busy host, where their programs are told exactly however late.
    fn let_gather(&self, events: &Events) {
        let is_record = |token| matches!(token, PROCESSES | FILES | AUDIT);
        let may_be_late = self.enricher.has_exact_programs() || self.enricher.has_looks_of_all();
        if may_be_late && events.iter().any(|event| is_record(event.token())) {
            let wait = self.pace.wait(Duration::from_nanos(clock::monotonic_ns()));
            if !wait.is_zero() {
                std::thread::sleep(wait);
            }
        }
    }

    /// How long nothing is urgent.
    fn timeout(&self, deadline: Option<Instant>, due_ns: Option<u64>) -> Duration {
        let now_ns = clock::realtime_ns();
        let due_ns = self.enricher.next_due_ns().into_iter().chain(due_ns).min();
        let until_due =
            due_ns.map_or(TICK, |due_ns| Duration::from_nanos(due_ns.saturating_sub(now_ns)));
        let until_end = deadline.map_or(TICK, |end| end.saturating_duration_since(Instant::now()));
        until_due.min(until_end).min(TICK)
    }

    fn next_request(&self) -> io::Result<Option<Request>> {
        use nix::sys::signal::Signal;
        let Some(signal) = self.signals.read()? else { return Ok(None) };
        Ok(Some(match signal {
            Signal::SIGHUP => {
                log!(Level::Info, "SIGHUP received, restarting...");
                Request::Reload
            }
            Signal::SIGUSR1 => {
                log!(Level::Info, "SIGUSR1 received, reopening outputs...");
                Request::Reopen
            }
            _ => {
                log!(Level::Info, "SIGINT received, exiting...");
                Request::Stop
            }
        }))
    }

    /// Reads what waits, and judges it; whether more may wait.
    fn turn(&mut self, judge: &mut Judge) -> bool {
        let mut more = self.read_calls();
        self.files.clear();
        self.processes.clear();
        let Self { sources, files, losses, .. } = self;
        let mut on_file = |record: Record<'_>| {
            if let Record::File(record) = record {
                files.push(&record);
            }
        };
        let mut has_all_files = true;
        if let Some(source) = &mut sources.files {
            match source.drain(BUDGET, &mut on_file) {
                Ok(drained) => {
                    has_all_files = !drained.more;
                    more |= losses.note(drained);
                }
                Err(error) => {
                    log!(Level::Critical, "{error}; {}", error.hint());
                    METRICS.sources.up.with(&["fanotify"]).set(0);
                    sources.files = None;
                }
            }
        }
        self.take_opens();
        let mut has_all_processes = true;
        let Self { sources, processes, losses, .. } = self;
        let mut on_process = |record: Record<'_>| {
            if let Record::Process(record) = record {
                processes.push(record);
            }
        };
        if let Some(source) = &mut sources.processes {
            match source.drain(BUDGET, &mut on_process) {
                Ok(drained) => {
                    has_all_processes = !drained.more;
                    more |= losses.note(drained);
                }
                Err(error) => {
                    log!(Level::Critical, "{error}; {}", error.hint());
                    METRICS.sources.up.with(&["proc_connector"]).set(0);
                    sources.processes = None;
                }
            }
        }
        if let Some((opens, inbox)) = self.sources.guarded.opens() {
            self.standing.settle(&self.processes, (opens, inbox), &mut self.enricher);
        }
        self.follow();
        self.note_roots();
        let last_ns = self.processes.last().map_or(0, |record| record.timestamp_ns);
        let until_ns = if has_all_processes { u64::MAX } else { last_ns };
        let Self { sources, enricher, standing, .. } = self;
        let rendezvous = sources.guarded.opens().map(|(opens, _)| &*opens);
        let mut teller = Teller { enricher, judge, rendezvous };
        self.audit.merge(&self.processes, &mut |next| match next {
            Next::Processes(records) => standing.processes(records, &mut teller),
            Next::Audit(event) => {
                teller.judge.set_source("audit");
                let judge = &mut *teller.judge;
                teller.enricher.audit(event, &mut |event| judge.judge(event));
            }
        });
        standing.tell_rest(until_ns, &mut teller);
        judge.set_source("fanotify");
        let enricher = &mut self.enricher;
        self.files.each(|record| {
            enricher.file(record, &mut |event| judge.judge(event));
        });
        if let Some((opens, _)) = self.sources.guarded.opens().filter(|_| has_all_files) {
            opens.settle();
        }
        more
    }

    /// What is due by the clock; whether the agent has to end because events were lost.
    fn look_after(&mut self, judge: &mut Judge) -> bool {
        let now_ns = clock::realtime_ns();
        judge.set_source("proc_connector");
        self.enricher.tick(now_ns, &mut |event| judge.judge(event));
        self.note_refused_mounts();
        judge.note_lost(self.losses.tell(&mut self.drops));
        if self.losses.take_resync(now_ns) {
            self.enricher.resync();
            METRICS.enrich.resyncs.increment();
        }
        METRICS.enrich.processes.set(self.enricher.process_count());
        METRICS.enrich.containers.set(self.enricher.container_count());
        METRICS.enrich.forgotten.reach(self.enricher.forgotten_processes());
        let (added, removed) = self.enricher.turnover();
        METRICS.enrich.added.reach(added);
        METRICS.enrich.removed.reach(removed);
        judge.summarize(now_ns);
        judge.outputs().check();
        let events = judge.statistics().events;
        self.drops.check(now_ns, events).is_some_and(|reaction| judge.react(&reaction, now_ns))
    }
}

pub(super) fn add(poll: &Poll, fd: i32, token: Token, interest: Interest) -> io::Result<()> {
    poll.registry().register(&mut SourceFd(&fd), token, interest)
}

/// Waits for changed files, too, unless that is done already.
pub(super) fn register_watch(poll: &Poll, keeper: &Keeper) -> io::Result<()> {
    let Some(fd) = keeper.watch().fd() else { return Ok(()) };
    match add(poll, fd, CHANGES, Interest::READABLE) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other,
    }
}
