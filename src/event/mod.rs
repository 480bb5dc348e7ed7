//! The nouns that everything after decoding speaks about: one typed Falco event and what is known
//! beside it. Depends on nothing; where a value came from is not known here.

pub mod builder;
pub mod container;
pub mod data_type;
pub mod fd;
mod fd_order;
pub mod fd_table;
pub mod flag_tables;
pub mod flags;
pub mod info;
pub mod param;
pub mod thread;
pub mod types;
pub mod value;
pub mod world;

use std::sync::LazyLock;

use rustc_hash::FxHashMap;

pub use container::{Container, Mount, User};
pub use data_type::DataType;
pub use fd::{Fd, FdKind, Protocol, Role, Socket};
pub use fd_table::{FdTable, Fds};
pub use info::{Base, Category, EventFlags, EventInfo, Kind, ParamInfo};
pub use param::Param;
pub use thread::{Bytes, InContainer, ProcessKey, Thread, Unread, no_bytes};
pub use types::known;
pub use value::Value;
pub use world::{Host, Leftovers, TimeZone, World};

/// Memory for values made while one event is judged; reset between events.
pub type Arena = bumpalo::Bump;

/// A type of event: an index into [`types::EVENT_TYPES`].
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct EventType(pub(crate) u16);

impl EventType {
    /// How many there are.
    pub const COUNT: usize = types::EVENT_TYPES.len();

    /// The event type whose `evt.type` is `name`.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        static BY_NAME: LazyLock<FxHashMap<&'static str, EventType>> = LazyLock::new(|| {
            let mut by_name = FxHashMap::default();
            for ty in EventType::all() {
                by_name.entry(ty.name()).or_insert(ty);
            }
            by_name
        });
        BY_NAME.get(name).copied()
    }

    /// All event types, in table order.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..u16::MAX).take(Self::COUNT).map(EventType)
    }

    /// Its row.
    #[must_use]
    #[expect(clippy::indexing_slicing, reason = "only rows' own indices are ever made")]
    pub fn info(self) -> &'static EventInfo {
        &types::EVENT_TYPES[usize::from(self.0)]
    }

    /// What `evt.type` is.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.info().name
    }

    /// Its place in the table.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// One Falco event with all that is known about it.
///
/// It borrows the source's buffer, the world and the arena, so it cannot outlive its turn.
#[derive(Clone, Copy, Debug)]
pub struct Event<'a> {
    /// Running number, from 1.
    pub num: u64,
    /// Nanoseconds since the epoch.
    pub ts: u64,
    /// What happened.
    pub ty: EventType,
    /// The CPU; `None` where the source doesn't tell.
    pub cpu: Option<u16>,
    /// The thread that did it.
    pub tid: i64,
    /// Parameters in the order of the type's row; missing ones at the end are unknown.
    pub params: &'a [Param<'a>],
    /// What is known of that thread.
    pub thread: Option<&'a Thread>,
    /// The descriptor that the event is about.
    pub fd: EventFd<'a>,
    /// Threads, containers, users, the host.
    pub world: &'a World,
    /// Where values are made.
    pub arena: &'a Arena,
}

/// The descriptor that an event creates, uses or destroys.
#[derive(Clone, Copy, Debug, Default)]
pub struct EventFd<'a> {
    /// Its number.
    pub num: FdNumber,
    /// What is known of it.
    pub info: Option<&'a Fd>,
    /// This event changed its name.
    pub name_changed: bool,
    /// What it is could not be found out in time: it has no name, not an empty one.
    pub is_unread: bool,
    /// Other descriptors that the parameters name, by number; where they are not given, those of
    /// the thread count.
    pub others: &'a [(i64, Fd)],
}

/// What is known of a descriptor's number.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum FdNumber {
    /// The event has no descriptor, or it isn't known.
    #[default]
    None,
    /// This number; negative after a failed call.
    Known(i64),
    /// The call succeeded, so the number isn't negative; which one isn't known any more.
    NotNegative,
}

impl<'a> Event<'a> {
    /// The parameter at `index`; unknown if the source didn't give it.
    #[must_use]
    pub fn param(&self, index: usize) -> Param<'a> {
        self.params.get(index).copied().unwrap_or(Param::Unknown)
    }

    /// The parameter of that name; unknown if the type has none.
    #[must_use]
    pub fn param_named(&self, name: &str) -> Param<'a> {
        self.ty.info().param_index(name).map_or(Param::Unknown, |index| self.param(index))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_known_constant_is_the_row_of_its_name() {
        for (ty, name) in known::ALL {
            assert_eq!(ty.name(), *name);
        }
    }

    #[test]
    fn no_two_rows_share_a_name() {
        let mut names: Vec<_> = EventType::all().map(EventType::name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), EventType::COUNT);
    }
}
