//! Which source can't give which field: one row a gap. What no row names is given.
//!
//! A field that isn't given is absent in outputs, and a comparison with it is false; one that is
//! given in part is absent now and then, which the source can't help. That a number isn't negative
//! can be known where the number itself isn't.

use crate::event::EventType;
use crate::event::known;

/// Who tells of events.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Source {
    /// The proc connector, with /proc.
    ProcConnector,
    /// The fanotify group, with /proc.
    Fanotify,
    /// The audit's records, with /proc.
    Audit,
    /// `eyas trace`.
    Trace,
}

impl Source {
    /// As it is printed.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ProcConnector => "proc connector",
            Self::Fanotify => "fanotify",
            Self::Audit => "audit",
            Self::Trace => "eyas trace",
        }
    }
}

/// How much of a field is missing.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Missing {
    /// It is never given.
    Always,
    /// Not for every event.
    Sometimes,
    /// It can be compared, but not always printed.
    InPrint,
}

/// A field that a source doesn't give of an event type.
#[derive(Debug)]
pub struct Gap {
    /// Who.
    pub source: Source,
    /// Of which event.
    pub event: EventType,
    /// The field, as conditions spell it.
    pub field: &'static str,
    /// How much.
    pub missing: Missing,
    /// Why, as the end of "… is missing: ".
    pub why: &'static str,
}

/// Short forms for the table.
use Missing::{Always, InPrint, Sometimes};
use Source::{Audit, Fanotify, ProcConnector};

const fn gap(
    source: Source,
    event: EventType,
    field: &'static str,
    missing: Missing,
    why: &'static str,
) -> Gap {
    Gap { source, event, field, missing, why }
}

const BY_DESCRIPTOR: &str = "fanotify tells the file, not the call that opened it";
const MODE: &str = "how a file was opened is seen only while it is open";
const NUMBER: &str =
    "the number is known only while the file is open; that the open succeeded always";
const BY_NUMBER: &str = "the proc connector tells that it happened, not the call's arguments";
const REGISTERS: &str =
    "audit records have four arguments, and no memory that they point to but paths and addresses";
const KIND: &str = "the kernel tells which CPU only with some events";

/// All gaps.
#[rustfmt::skip]
pub static GAPS: &[Gap] = &[
    gap(Fanotify, known::OPENAT, "evt.arg.dirfd", Always, BY_DESCRIPTOR),
    gap(Fanotify, known::OPENAT, "evt.arg.mode", Always, BY_DESCRIPTOR),
    gap(Fanotify, known::OPENAT, "evt.is_open_exec", Sometimes, BY_DESCRIPTOR),
    gap(Fanotify, known::OPENAT, "fd.nameraw", Always, "fanotify tells the file's path, not how the opener wrote it"),
    gap(Fanotify, known::OPENAT, "evt.arg.flags", Sometimes, MODE),
    gap(Fanotify, known::OPENAT, "evt.is_open_create", Sometimes, MODE),
    gap(Fanotify, known::OPENAT, "evt.is_open_read", Sometimes, MODE),
    gap(Fanotify, known::OPENAT, "evt.is_open_write", Sometimes, MODE),
    gap(Fanotify, known::OPENAT, "evt.rawres", InPrint, NUMBER),
    gap(Fanotify, known::OPENAT, "evt.arg.fd", InPrint, NUMBER),
    gap(Fanotify, known::OPENAT, "fd.num", InPrint, NUMBER),
    gap(Fanotify, known::OPENAT, "evt.cpu", Always, KIND),
    gap(ProcConnector, known::EXECVE, "evt.arg.filename", Always, BY_NUMBER),
    gap(ProcConnector, known::CLONE, "evt.arg.flags", Always, BY_NUMBER),
    gap(ProcConnector, known::PTRACE, "evt.arg.request", Always, BY_NUMBER),
    gap(ProcConnector, known::PTRACE, "evt.arg.addr", Always, BY_NUMBER),
    gap(ProcConnector, known::PTRACE, "evt.arg.data", Always, BY_NUMBER),
    gap(ProcConnector, known::SETRESUID, "evt.arg.suid", Always, BY_NUMBER),
    gap(ProcConnector, known::SETRESGID, "evt.arg.sgid", Always, BY_NUMBER),
];

/// What the audit doesn't give, by the event's name.
#[rustfmt::skip]
static BEYOND_RECORDS: &[(&str, &str, Missing)] = &[
    ("fchownat", "evt.arg.flags", Always),
    ("finit_module", "evt.arg.uargs", Always),
    ("init_module", "evt.arg.uargs", Always),
    ("linkat", "evt.arg.flags", Always),
    ("memfd_create", "evt.arg.name", Always),
    ("mount", "evt.arg.dev", Sometimes),
    ("mount", "evt.arg.type", Always),
    ("read", "evt.arg.data", Always),
    ("recvfrom", "evt.arg.data", Always),
    ("recvmsg", "evt.arg.data", Always),
    ("renameat2", "evt.arg.flags", Always),
    ("sendmsg", "evt.arg.data", Always),
    ("sendto", "evt.arg.data", Always),
    ("write", "evt.arg.data", Always),
];

/// Event types whose call a source can't tell from others: the type that stands for all.
static FAMILIES: &[(Source, EventType, &[EventType])] = &[
    (
        Fanotify,
        known::OPENAT,
        &[known::OPEN, known::OPENAT2, known::CREAT, known::OPEN_BY_HANDLE_AT],
    ),
    (ProcConnector, known::EXECVE, &[known::EXECVEAT]),
    (ProcConnector, known::CLONE, &[known::CLONE3, known::FORK, known::VFORK]),
    (ProcConnector, known::SETRESUID, &[known::SETUID, known::SETREUID]),
    (ProcConnector, known::SETRESGID, &[known::SETGID, known::SETREGID]),
];

/// How much of a field of an event is missing, and why; `None`: it is given.
#[must_use]
pub fn gap_of(source: Source, event: EventType, field: &str) -> Option<(Missing, &'static str)> {
    if source == Audit {
        let is_it = |(name, of, _): &&(&str, &str, Missing)| *name == event.name() && *of == field;
        return BEYOND_RECORDS.iter().find(is_it).map(|&(.., missing)| (missing, REGISTERS));
    }
    let is_it = |gap: &&Gap| gap.source == source && gap.event == event && gap.field == field;
    GAPS.iter().find(is_it).map(|gap| (gap.missing, gap.why))
}

/// The type that events of type `event` come as from a source.
#[must_use]
pub fn comes_as(source: Source, event: EventType) -> EventType {
    FAMILIES
        .iter()
        .find(|(of, _, others)| *of == source && others.contains(&event))
        .map_or(event, |(_, stands_for, _)| *stands_for)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fields::lookup;

    #[test]
    fn every_row_names_a_field_that_there_is() {
        for gap in GAPS {
            let is_there = match gap.field.strip_prefix("evt.arg.") {
                Some(name) => gap.event.info().param_index(name).is_some(),
                None => lookup(gap.field, None).is_ok(),
            };
            assert!(is_there, "{}", gap.field);
        }
        for (event, field, _) in BEYOND_RECORDS {
            let event = EventType::by_name(event).unwrap();
            let name = field.strip_prefix("evt.arg.").unwrap();
            assert!(event.info().param_index(name).is_some(), "{} {name}", event.name());
        }
    }

    #[test]
    fn an_open_of_any_kind_comes_as_openat_from_fanotify_alone() {
        assert_eq!(comes_as(Fanotify, known::CREAT), known::OPENAT);
        assert_eq!(comes_as(Source::Trace, known::CREAT), known::CREAT);
    }
}
