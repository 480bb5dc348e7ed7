//! A capture is played back: its blocks become the world and events in it.
//!
//! Whoever asks for the events (the rules, `eyas events`) gets them one by one, in a world made of
//! nothing but the capture.

use std::ops::ControlFlow;
use std::path::Path;
use std::time::Duration;

use crate::decode::scap::block::{EventBlock, Kind, check_section};
use crate::decode::scap::{Decoder, Malformed, fds, lists, recycled_params};
use crate::enrich::state::{ContainerOf, RawEvent, Tracker};
use crate::event::{Arena, Event, EventType, InContainer, Kind as EventKind, Param, World, known};
use crate::fields::tuple;
use crate::log;
use crate::log::Level;
use crate::sources::replay::{Capture, Error, Position, Problem};

use super::judge::Judge;
use super::progress::Progress;

/// After how many events it is asked whether to stop.
const EVENTS_PER_ASKING: u64 = 1024;

/// Judges the events of a capture, which was opened from `file`, in order, until its end, until `duration` of event time
/// has passed, or until `should_stop`, which is asked now and then, says so. Every section of the
/// file begins in a world that `world_of` makes.
///
/// # Errors
///
/// With what is wrong with the file, and where. Events before that were judged.
pub fn run(
    capture: Capture,
    file: &Path,
    duration: Option<Duration>,
    world_of: Box<dyn Fn() -> World>,
    judge: &mut Judge,
    should_stop: &mut dyn FnMut(&mut Judge) -> bool,
) -> Result<(), String> {
    let mut replay = Replay::new(capture, container_of, world_of);
    let nanos = duration.and_then(|duration| u64::try_from(duration.as_nanos()).ok());
    let mut until = None;
    let position = replay.position();
    let mut progress = Progress::new(position.size, judge.is_bare());
    let result = replay.run(|event| {
        if let Some(nanos) = nanos
            && event.ts > *until.get_or_insert_with(|| event.ts.saturating_add(nanos))
        {
            return ControlFlow::Break(());
        }
        judge.judge(event);
        if event.num.is_multiple_of(EVENTS_PER_ASKING) {
            progress.show(position.read(), position.size);
            if should_stop(judge) {
                return ControlFlow::Break(());
            }
        }
        ControlFlow::Continue(())
    });
    progress.end();
    let damage = replay.summary().damage;
    if let Some((offset, first)) = &damage.first {
        log!(
            Level::Warning,
            "{}: {} damaged events were skipped, the first at byte {offset}: {first}",
            file.display(),
            damage.skipped
        );
    }
    if damage.wrong_lengths > 0 {
        log!(
            Level::Warning,
            "{}: {} blocks tell different lengths of themselves and were read all the same",
            file.display(),
            damage.wrong_lengths
        );
    }
    if replay.capture.has_tail() {
        log!(Level::Warning, "{}: what stands behind the gzip data was not read", file.display());
    }
    result.map_err(|error| error.to_string())
}

/// The container of a capture's thread, by its cgroups.
#[must_use]
pub fn container_of(cgroups: &[u8]) -> InContainer {
    crate::enrich::cgroup::container_of(cgroups)
}

/// A capture and the world that it has told of so far.
pub struct Replay {
    capture: Capture,
    decoder: Decoder,
    tracker: Tracker,
    world: World,
    /// Makes the world that a section begins with: settings, nothing else.
    world_of: Box<dyn Fn() -> World>,
    arena: Arena,
    params: Vec<Param<'static>>,
    stage: Stage,
    num: u64,
    /// So far the section had only events that complete its lists; they are not shown.
    is_prologue: bool,
    damage: Damage,
}

/// What is expected next.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Stage {
    Section,
    Lists,
    Events,
}

/// What was damaged and skipped.
#[derive(Clone, Debug, Default)]
pub struct Damage {
    /// Events that were skipped since their bytes don't fit together; they have numbers.
    pub skipped: u64,
    /// The first of them: where, in bytes, and why.
    pub first: Option<(u64, Malformed)>,
    /// Events that were read though their block ends with another length than it begins with, or
    /// their own length doesn't fit into it.
    pub wrong_lengths: u64,
}

/// What a capture came to.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    /// Number of the last event.
    pub last_num: u64,
    /// What was damaged.
    pub damage: Damage,
}

impl std::fmt::Debug for Replay {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { capture, stage, num, damage, .. } = self;
        formatter
            .debug_struct("Replay")
            .field("capture", capture)
            .field("stage", stage)
            .field("num", num)
            .field("damage", damage)
            .finish_non_exhaustive()
    }
}

impl Replay {
    /// Opens a capture file; `-` is standard input.
    ///
    /// # Errors
    ///
    /// If it cannot be opened.
    pub fn open(
        path: &Path,
        container_of: ContainerOf,
        world_of: Box<dyn Fn() -> World>,
    ) -> Result<Self, Error> {
        Ok(Self::new(Capture::open(path)?, container_of, world_of))
    }

    /// Plays a capture that is open already.
    #[must_use]
    pub fn new(
        capture: Capture,
        container_of: ContainerOf,
        world_of: Box<dyn Fn() -> World>,
    ) -> Self {
        Self {
            capture,
            decoder: Decoder::default(),
            tracker: Tracker::new(container_of),
            world: world_of(),
            world_of,
            arena: Arena::new(),
            params: Vec::new(),
            stage: Stage::Section,
            num: 0,
            is_prologue: true,
            damage: Damage::default(),
        }
    }

    /// Hands every event to `judge`, until it breaks or the capture ends.
    ///
    /// # Errors
    ///
    /// If the capture, or the rest of it, cannot be read; all events before that were judged.
    pub fn run(
        &mut self,
        mut judge: impl FnMut(&Event<'_>) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        loop {
            let Some(block) = self.capture.next_block()? else {
                return if self.stage == Stage::Events {
                    Ok(())
                } else {
                    Err(self.capture.error(Problem::NoEvents))
                };
            };
            match (self.stage, block.kind) {
                (Stage::Section | Stage::Events, Kind::Section) => {
                    let at = block.offset;
                    self.damage.wrong_lengths += u64::from(!block.is_intact);
                    let checked = check_section(block.body);
                    checked.map_err(|e| self.capture.error_at(at, e.into()))?;
                    self.begin_section();
                }
                (Stage::Lists | Stage::Events, Kind::Event(kind)) => {
                    if self.stage == Stage::Lists {
                        self.tracker.finish_lists(&mut self.world);
                        self.stage = Stage::Events;
                    }
                    let at = block.offset;
                    self.damage.wrong_lengths += u64::from(!block.is_intact);
                    let turn = Turn {
                        decoder: &mut self.decoder,
                        tracker: &mut self.tracker,
                        world: &mut self.world,
                        arena: &mut self.arena,
                        params: &mut self.params,
                        num: &mut self.num,
                        is_prologue: &mut self.is_prologue,
                    };
                    match turn.event(kind, block.body, &mut judge) {
                        Ok(ControlFlow::Continue(())) => {}
                        Ok(ControlFlow::Break(())) => return Ok(()),
                        // Without a number of parameters nothing says that only this is wrong.
                        Err(malformed) if !kind.is_counted => {
                            return Err(self.capture.error_at(at, malformed.into()));
                        }
                        Err(malformed) => {
                            self.num += 1;
                            self.damage.skipped += 1;
                            self.damage.first.get_or_insert((at, malformed));
                        }
                    }
                }
                (Stage::Lists, kind) => {
                    let at = block.offset;
                    if !block.is_intact {
                        return Err(self.capture.error_at(at, Problem::WrongTrailer));
                    }
                    let learnt = learn(&mut self.tracker, &mut self.world, kind, block.body);
                    learnt.map_err(|e| self.capture.error_at(at, e.into()))?;
                }
                (Stage::Section | Stage::Events, kind) => {
                    let at = block.offset;
                    let expected = match self.stage {
                        Stage::Section => "a section header",
                        _ => "an event or a new section",
                    };
                    let problem = Problem::UnexpectedBlock(expected, kind);
                    return Err(self.capture.error_at(at, problem));
                }
            }
        }
    }

    /// What it came to so far.
    #[must_use]
    pub fn summary(&self) -> Summary {
        let mut damage = self.damage.clone();
        damage.wrong_lengths += self.decoder.wrong_lengths();
        Summary { last_num: self.num, damage }
    }

    /// How far the reading is.
    #[must_use]
    pub fn position(&self) -> Position {
        self.capture.position()
    }

    fn begin_section(&mut self) {
        self.world = (self.world_of)();
        self.tracker.reset();
        self.decoder.reset();
        self.is_prologue = true;
        self.stage = Stage::Lists;
    }
}

/// Everything that one event needs.
struct Turn<'r> {
    decoder: &'r mut Decoder,
    tracker: &'r mut Tracker,
    world: &'r mut World,
    arena: &'r mut Arena,
    params: &'r mut Vec<Param<'static>>,
    num: &'r mut u64,
    is_prologue: &'r mut bool,
}

impl Turn<'_> {
    fn event(
        self,
        kind: EventBlock,
        body: &[u8],
        judge: &mut impl FnMut(&Event<'_>) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, Malformed> {
        let mut params = recycled_params(std::mem::take(self.params));
        let decoded = self.decoder.event(kind, body, &mut params);
        let mut flow = ControlFlow::Continue(());
        if let Ok(Some(head)) = &decoded {
            *self.num += 1;
            *self.is_prologue &= completes_lists(head.ty);
            let raw = RawEvent {
                ts: head.ts,
                ty: head.ty,
                cpu: Some(head.cpu),
                tid: head.tid,
                params: &params,
            };
            if self.world.host.first_event_ts == 0 && head.ty.info().kind != EventKind::Meta {
                self.world.host.first_event_ts = head.ts;
            }
            if head.is_enter {
                self.tracker.enter(self.world, &raw);
            } else {
                let seen = self.tracker.before(self.world, &raw);
                if !head.state_only && !*self.is_prologue {
                    let event = seen.event(*self.num, &raw, self.arena);
                    leave_name(&event);
                    flow = judge(&event);
                }
                self.tracker.after(self.world);
                self.arena.reset();
            }
        }
        *self.params = recycled_params(params);
        decoded.map(|_| flow)
    }
}

/// Keeps the name that Falco's parser has just made of an address, where it makes it.
fn leave_name(event: &Event<'_>) {
    let is_named_by_event = event.fd.name_changed
        && matches!(
            event.ty,
            known::ACCEPT
                | known::ACCEPT4
                | known::BIND
                | known::CONNECT
                | known::RECV
                | known::RECVFROM
                | known::RECVMMSG
                | known::RECVMSG
                | known::SEND
                | known::SENDMMSG
                | known::SENDMSG
                | known::SENDTO
        );
    if is_named_by_event
        && let (Some(leftovers), Some(fd)) = (&event.world.leftovers, event.fd.info)
    {
        leftovers.write(tuple::fd_name(event.arena, fd), false);
    }
}

/// Whether such an event tells of something that was there when the capture began.
const fn completes_lists(ty: EventType) -> bool {
    matches!(
        ty,
        known::CONTAINER
            | known::USERADDED
            | known::USERDELETED
            | known::GROUPADDED
            | known::GROUPDELETED
    )
}

/// Learns what stood in a list.
fn learn(
    tracker: &mut Tracker,
    world: &mut World,
    kind: Kind,
    body: &[u8],
) -> Result<(), Malformed> {
    match kind {
        // Falco makes no use of the machine's name and boot time in replay: `evt.hostname` is
        // empty there, and times since boot are not turned into times of day.
        Kind::Machine => {
            lists::machine(body)?;
        }
        Kind::Processes(version) => {
            for process in lists::processes(version, body) {
                tracker.add_process(world, &process?);
            }
        }
        Kind::Fds(version) => {
            let (tid, all) = fds::fds(version, body)?;
            for fd in all {
                tracker.add_fd(world, tid, &fd?);
            }
        }
        Kind::Interfaces(version) => {
            tracker.clear_interfaces(world);
            for interface in lists::interfaces(version, body) {
                tracker.add_interface(world, interface?);
            }
        }
        Kind::Users(version) => {
            tracker.clear_accounts(world);
            for account in lists::accounts(version, body) {
                tracker.add_account(world, &account?);
            }
        }
        Kind::Unknown(_) | Kind::Section | Kind::Event(_) => {}
    }
    Ok(())
}
