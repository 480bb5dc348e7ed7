//! Sets of event types, and which ones a condition can match.

use crate::event::EventType;

/// A set of event types.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct EventSet {
    words: [u64; EventType::COUNT.div_ceil(64)],
}

impl EventSet {
    /// Every event type.
    #[must_use]
    pub const fn all() -> Self {
        Self { words: [u64::MAX; EventType::COUNT.div_ceil(64)] }
    }

    /// Whether `ty` is in it.
    #[must_use]
    pub fn contains(&self, ty: EventType) -> bool {
        self.words.get(ty.index() / 64).is_some_and(|word| word >> (ty.index() % 64) & 1 == 1)
    }
}
