//! Which opens can a rule alert on, by what is opened alone: whoever opens it and how?
//!
//! Each rule's condition is judged by the path alone, with three answers: true, false, depends.
//! Where it is false for all rules, nobody needs to be told: the costly looks at /proc are left
//! out, and the kernel is told to be silent of the file.

use std::cell::RefCell;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;

use crate::engine::condition::Condition;
use crate::engine::partial::Partial;
use crate::engine::partial::Place;
use crate::engine::partial::Places;
use crate::engine::rule::Rule;
use crate::enrich::open_mode::OpenMode;
use crate::event::Arena;
use crate::event::Bytes;
use crate::event::Event;
use crate::event::EventFd;
use crate::event::EventType;
use crate::event::Fd;
use crate::event::FdKind;
use crate::event::FdNumber;
use crate::event::Param;
use crate::event::World;
use crate::event::known;
use crate::fields::Field;
use crate::sources::fanotify;
use crate::sources::fanotify::Interest;

use super::coverage;

/// The fields that follow from what is opened.
const KNOWN: &[&str] = &[
    "evt.dir",
    "evt.type",
    "fd.directory",
    "fd.filename",
    "fd.name",
    "fd.nameraw",
    "fd.type",
    "fd.typechar",
];

/// Those that follow from whether it is read or written, beside those but for the path as it was
/// given.
const KNOWN_OF_ACCESS: &[&str] = &["evt.is_open_read", "evt.is_open_write"];

/// Those that follow from its kind.
const KNOWN_OF_KIND: &[&str] = &["evt.dir", "evt.type", "fd.type", "fd.typechar"];

/// The conditions of all rules about opens.
#[derive(Debug)]
pub struct OpenFilter {
    rules: Vec<Partial>,
    /// The same, as far as the kind of what is opened decides them.
    by_kind: Vec<Partial>,
    /// The same, as far as that and reading or writing decide them.
    by_access: Vec<Partial>,
    scene: RefCell<Scene>,
}

/// What events of opens are made with.
#[derive(Debug, Default)]
pub(super) struct Scene {
    world: World,
    arena: Arena,
}

impl OpenFilter {
    /// Takes the conditions of the rules that can match an open.
    #[must_use]
    pub fn new(rules: &[Rule]) -> Self {
        let rules = coverage::enabled(rules)
            .filter(|rule| coverage::can_match(rule, coverage::FILE_EVENTS));
        Self::of_conditions(rules.map(|rule| &rule.condition))
    }

    fn of_conditions<'a>(conditions: impl Iterator<Item = &'a Condition>) -> Self {
        let partial = |condition: &&Condition| {
            let of = |known: &[&str]| {
                Partial::of(condition, &|field: &Field| known.contains(&field.info.name))
            };
            let of_access = [KNOWN, KNOWN_OF_ACCESS].concat();
            let of_access: Vec<&str> =
                of_access.into_iter().filter(|name| *name != "fd.nameraw").collect();
            (of(KNOWN), (of(KNOWN_OF_KIND), of(&of_access)))
        };
        let (rules, (by_kind, by_access)) = conditions.map(|condition| partial(&condition)).unzip();
        Self { rules, by_kind, by_access, scene: RefCell::default() }
    }

    /// Whether a rule can match an open of the file at `path`; of one whose path isn't known it
    /// can.
    #[must_use]
    pub fn may_match(&self, path: &[u8]) -> bool {
        path.is_empty()
            || self.with_event(FdKind::File, path, |event| {
                self.rules.iter().any(|rule| rule.decide(event) != Some(false))
            })
    }

    /// Whether a rule can match an open of the file at `path`, by any of the calls that open, that
    /// only reads; of one whose path isn't known it can.
    #[must_use]
    pub fn may_match_reading(&self, path: &[u8]) -> bool {
        path.is_empty()
            || opens().filter(|ty| *ty != known::CREAT).any(|ty| {
                let name = Bytes::from(path);
                let fd = Fd { name_raw: Bytes::clone(&name), name, ..Fd::new(FdKind::File) };
                let params = reading(ty);
                self.scene.borrow_mut().with_open(ty, &params, &fd, |event| {
                    self.by_access.iter().any(|rule| rule.decide(event) != Some(false))
                })
            })
    }

    /// Whether a rule can match an open of any directory.
    #[must_use]
    pub fn may_match_directories(&self) -> bool {
        self.with_event(FdKind::Directory, b"/", |event| {
            self.by_kind.iter().any(|rule| rule.decide(event) != Some(false))
        })
    }

    /// What is pushed down into the kernel.
    #[must_use]
    pub fn interest(self) -> Interest {
        // Rules that name places are guarded there even if others name none.
        let mut places = Vec::new();
        let mut is_anywhere = false;
        self.with_event(FdKind::File, b"/", |event| {
            for rule in &self.rules {
                match rule.places(event) {
                    Places::Some(some) => places.extend(some),
                    Places::Anywhere => is_anywhere = true,
                }
            }
        });
        places.sort_unstable();
        places.dedup();
        let places = places.iter().map(place).collect();
        let directories = self.may_match_directories();
        let may_match = Box::new(move |path: &[u8]| self.may_match(path));
        Interest { may_match, places, is_anywhere, directories }
    }

    /// Takes the conditions of the rules that can match one of the calls that open.
    #[must_use]
    pub fn of_opens(rules: &[Rule]) -> Self {
        let enabled =
            coverage::enabled(rules).filter(|rule| coverage::can_match(rule, coverage::OPENS));
        Self::of_conditions(enabled.map(|rule| &rule.condition))
    }

    /// Where files lie that a rule names: whoever opens them by one of the calls that open can be
    /// met there. Rules that name no place add none.
    #[must_use]
    pub fn meeting_places(rules: &[Rule]) -> Vec<fanotify::Place> {
        let filter = Self::of_opens(rules);
        let mut places = Vec::new();
        for ty in opens() {
            filter.with_event_of(ty, FdKind::File, b"/", |event| {
                for rule in &filter.rules {
                    if let Places::Some(some) = rule.places(event) {
                        places.extend(some);
                    }
                }
            });
        }
        places.sort_unstable();
        places.dedup();
        places.iter().map(place).collect()
    }

    fn with_event<T>(&self, kind: FdKind, path: &[u8], look: impl FnOnce(&Event<'_>) -> T) -> T {
        self.with_event_of(known::OPENAT, kind, path, look)
    }

    fn with_event_of<T>(
        &self,
        ty: EventType,
        kind: FdKind,
        path: &[u8],
        look: impl FnOnce(&Event<'_>) -> T,
    ) -> T {
        let name = Bytes::from(path);
        let fd = Fd { name_raw: Bytes::clone(&name), name, ..Fd::new(kind) };
        let params = [Param::NotNegative, Param::Unknown, Param::Bytes(&fd.name)];
        self.scene.borrow_mut().with_open(ty, &params, &fd, look)
    }
}

impl Scene {
    /// Makes the event of an open, of which nothing else is known.
    pub(super) fn with_open<T>(
        &mut self,
        ty: EventType,
        params: &[Param<'_>],
        fd: &Fd,
        look: impl FnOnce(&Event<'_>) -> T,
    ) -> T {
        let Self { world, arena } = self;
        arena.reset();
        look(&Event {
            num: 1,
            ts: 1,
            ty,
            cpu: None,
            tid: 0,
            params,
            thread: None,
            fd: EventFd {
                num: FdNumber::NotNegative,
                info: Some(fd),
                name_changed: false,
                is_unread: false,
                others: &[],
            },
            world,
            arena,
        })
    }
}

/// The calls that open.
fn opens() -> impl Iterator<Item = EventType> {
    coverage::OPENS.iter().filter_map(|name| EventType::by_name(name))
}

/// The parameters of an open that only reads, as far as that says them.
fn reading(ty: EventType) -> Vec<Param<'static>> {
    let mut params = vec![Param::Unknown; ty.info().params.len()];
    if let Some(result) = params.first_mut() {
        *result = Param::NotNegative;
    }
    let flags = ty.info().params.iter().position(|param| param.name == "flags");
    if let Some(flags) = flags.and_then(|at| params.get_mut(at)) {
        *flags = OpenMode::ReadOnly.param();
    }
    params
}

/// A place as the source of file records knows it.
fn place(place: &Place) -> fanotify::Place {
    match place {
        Place::File(path) => fanotify::Place::File(OsStr::from_bytes(path).into()),
        Place::Directory(path) => fanotify::Place::Directory(OsStr::from_bytes(path).into()),
        Place::Beginning(text) => fanotify::Place::Beginning(OsStr::from_bytes(text).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::compile::compile;
    use crate::engine::lang::parser::parse;

    fn filter(conditions: &[&str]) -> OpenFilter {
        let compiled: Vec<_> =
            conditions.iter().map(|text| compile(&parse(text).unwrap()).unwrap()).collect();
        OpenFilter::of_conditions(compiled.iter().map(|compiled| &compiled.condition))
    }

    #[test]
    fn one_rule_that_can_match_is_enough_and_an_unknown_path_can_be_any() {
        let filter = filter(&[
            "evt.type = openat and fd.name = /etc/shadow",
            "evt.type = openat and fd.directory = /root and fd.filename startswith .",
        ]);
        assert!(filter.may_match(b"/etc/shadow") && filter.may_match(b"/root/.ssh"));
        assert!(!filter.may_match(b"/root/x"));
        assert!(filter.may_match(b""));
    }

    #[test]
    fn an_open_that_only_reads_is_told_from_one_that_writes() {
        let writes = "evt.type in (open, openat) and evt.is_open_write = true and \
                      fd.name startswith /etc/ and proc.name = cat or evt.type = creat";
        let reads = "evt.type = openat and fd.name = /etc/shadow and \
                     (evt.is_open_read = true or not evt.is_open_read exists)";
        let only_writes = filter(&[writes]);
        assert!(only_writes.may_match(b"/etc/x") && !only_writes.may_match_reading(b"/etc/x"));
        let both = filter(&[writes, reads]);
        assert!(both.may_match_reading(b"/etc/shadow") && !both.may_match_reading(b"/etc/x"));
        for unknown in ["evt.arg.flags contains O_TRUNC", "fd.nameraw = x", "evt.rawres >= 0"] {
            assert!(filter(&[unknown]).may_match_reading(b"/etc/x"), "{unknown}");
        }
        assert!(only_writes.may_match_reading(b""), "it can be any");
    }

    #[test]
    fn directories_are_not_asked_for_if_all_rules_are_about_files() {
        let files = "evt.type in (open, openat) and fd.typechar = 'f' and fd.name startswith /x";
        assert!(!filter(&[files]).may_match_directories());
        assert!(filter(&[files, "evt.type = openat and fd.num >= 0"]).may_match_directories());
    }

    #[test]
    fn a_rule_that_names_no_place_leaves_the_places_of_others() {
        let interest = filter(&["fd.name = /etc/shadow", "fd.name contains .ssh"]).interest();
        assert!(interest.is_anywhere);
        assert_eq!(interest.places, [fanotify::Place::File("/etc/shadow".into())]);
        assert!(!filter(&["fd.name = /etc/shadow"]).interest().is_anywhere);
    }
}
