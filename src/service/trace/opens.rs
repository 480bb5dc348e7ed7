//! Can a rule alert on an open, by what is known of it on its entry: its path and how it opens?
//!
//! Each rule's condition is judged with three answers: true, false, depends. Where it is false for
//! all rules, a traced call takes no second stop. Whether it succeeds, what is opened and who opens
//! it isn't known then.

use std::cell::RefCell;

use crate::engine::condition::Condition;
use crate::engine::partial::Partial;
use crate::event::EventType;
use crate::event::Fd;
use crate::event::FdKind;
use crate::event::Param;
use crate::event::known;
use crate::fields::Field;

use super::super::open_filter::Scene;

/// The fields that follow from the call's type.
const OF_TYPE: &[&str] = &["evt.dir", "evt.type"];
/// Those that follow from its access mode.
const OF_ACCESS: &[&str] = &["evt.is_open_read", "evt.is_open_write"];
/// Those that follow from its path.
const OF_PATH: &[&str] = &["fd.directory", "fd.filename", "fd.name", "fd.nameraw"];

/// The types that are judged here: those of `openat2`, whose flags are in memory, are not.
const TYPES: [EventType; 3] = [known::OPEN, known::OPENAT, known::CREAT];

/// Falco's `O_RDONLY`.
const READS: u64 = 1;

/// The conditions of all rules about opens.
#[derive(Debug)]
pub(super) struct Opens {
    rules: Vec<Partial>,
    /// The types of which only those that may write matter.
    writes_only: Vec<EventType>,
    scene: RefCell<Scene>,
}

impl Opens {
    /// `conditions`: those of the rules that can match an open.
    pub(super) fn new(conditions: &[&Condition]) -> Self {
        let partials = |known: &[&[&str]]| -> Vec<Partial> {
            let is_known =
                |field: &Field| known.iter().any(|names| names.contains(&field.info.name));
            conditions.iter().map(|condition| Partial::of(condition, &is_known)).collect()
        };
        let mut opens = Self {
            rules: partials(&[OF_TYPE, OF_ACCESS]),
            writes_only: Vec::new(),
            scene: RefCell::default(),
        };
        let is_judged = |ty: &EventType| *ty != known::CREAT;
        opens.writes_only = TYPES
            .into_iter()
            .filter(is_judged)
            .filter(|&ty| !opens.may_match(ty, READS, b"/", b"/"))
            .collect();
        opens.rules = partials(&[OF_TYPE, OF_ACCESS, OF_PATH]);
        opens
    }

    /// Whether only opens that may write matter, of those of type `ty`.
    pub(super) fn only_writes_matter(&self, ty: EventType) -> bool {
        self.writes_only.contains(&ty)
    }

    /// Whether a rule can match an open of `path`, given as `raw`, with these flags (Falco's).
    pub(super) fn may_match(&self, ty: EventType, flags: u64, path: &[u8], raw: &[u8]) -> bool {
        if !TYPES.contains(&ty) {
            return true;
        }
        let fd = Fd { name_raw: raw.into(), name: path.into(), ..Fd::new(FdKind::File) };
        let mut params = [Param::Unknown; 4];
        let place = if ty == known::OPEN { 2 } else { 3 };
        if let Some(slot) = params.get_mut(place) {
            *slot = Param::UInt(flags);
        }
        self.scene.borrow_mut().with_open(ty, &params, &fd, |event| {
            self.rules.iter().any(|rule| rule.decide(event) != Some(false))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::compile::compile;
    use crate::engine::lang::parser::parse;

    const WRITES: u64 = 2;

    fn opens(condition: &str) -> Opens {
        let compiled = compile(&parse(condition).unwrap()).unwrap();
        Opens::new(&[&compiled.condition])
    }

    #[test]
    fn how_a_call_opens_counts() {
        let opens = opens("evt.type = openat and evt.is_open_write = true and fd.name = /etc/x");
        let may = |ty, flags| opens.may_match(ty, flags, b"/etc/x", b"x");
        assert!(may(known::OPENAT, WRITES) && may(known::OPENAT, READS | WRITES));
        assert!(!may(known::OPENAT, READS) && !may(known::OPEN, WRITES));
        assert!(may(known::OPENAT2, READS), "its flags aren't known");
        assert!(!opens.may_match(known::OPENAT, WRITES, b"/etc/y", b"y"));
    }

    #[test]
    fn whether_it_succeeds_and_what_is_opened_is_not_known() {
        let condition = "evt.type = openat and fd.num = -1 and evt.res startswith E and \
                         fd.typechar = 'd' and fd.nameraw contains '../'";
        let opens = opens(condition);
        assert!(opens.may_match(known::OPENAT, READS, b"/etc/x", b"../etc/x"));
        assert!(!opens.may_match(known::OPENAT, READS, b"/etc/x", b"/etc/x"));
    }

    #[test]
    fn opens_for_reading_only_need_not_stop_where_rules_ask_for_writing() {
        let opens = |condition: &str| {
            let opens = opens(condition);
            [known::OPEN, known::OPENAT].map(|ty| opens.only_writes_matter(ty))
        };
        assert_eq!(opens("evt.type in (open, openat) and evt.is_open_write = true"), [true; 2]);
        assert_eq!(opens("evt.type = openat and not evt.is_open_read = true"), [true; 2]);
        assert_eq!(opens("evt.type in (open, openat) and fd.name = /x"), [false; 2]);
        let flags = "evt.type = openat and evt.arg.flags contains O_CREAT";
        assert_eq!(opens(flags), [true, false]);
    }
}
