//! What is read into a slot.

use super::pool::SlotId;
use crate::engine::matchers::Parts;
use crate::engine::transform::Source;
use crate::fields::{Field, Read};

/// Where the value of a slot comes from. What it is stands by itself, to be asked at once.
#[derive(Debug)]
#[repr(u8)]
pub(super) enum Reading {
    /// The words of the event's facts.
    Facts,
    /// A field, with how it is read, and whether its text ends before a NUL.
    Field(Field, Read, bool),
    /// Another source of the rules.
    Source(Source),
    /// Whether any of several texts stands in the text of another slot.
    Gate {
        /// The other slot.
        text: SlotId,
        /// The texts.
        parts: Parts,
    },
}

/// The slot of the facts.
pub(super) const FACTS: SlotId = 0;
