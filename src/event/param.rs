//! The value of one parameter of an event, as its source told it.

use super::data_type::DataType;

/// A parameter's value; its type is in the event type's row.
///
/// Variable-size types are [`Bytes`](Self::Bytes) in the encoding of capture files: text without
/// its NUL, `args`/`env`/`cgroups` with NULs between the items, addresses as `family` byte plus
/// data.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Param<'a> {
    /// This host or this source cannot tell: every field made from it is absent.
    Unknown,
    /// Told, and without data (a null pointer, or a length of zero in a capture).
    Empty,
    /// A signed integer type.
    Int(i64),
    /// An unsigned integer type, flags, enums, ids.
    UInt(u64),
    /// A variable-size type.
    Bytes(&'a [u8]),
    /// A descriptor or result that is known not to be negative, but whose number isn't known
    /// (fanotify tells only opens that succeeded).
    NotNegative,
    /// An integer of a [`DataType::Dyn`] parameter, with the alternative that the event chose.
    Chosen {
        /// The alternative.
        ty: DataType,
        /// The value; signed types sign-extended.
        value: u64,
    },
    /// Flags of which some bits are not known: those in `unknown` say nothing in `value`.
    Partial {
        /// The known bits.
        value: u64,
        /// The bits that are not known.
        unknown: u64,
    },
}

impl<'a> Param<'a> {
    /// The integer, of either sign.
    #[must_use]
    pub const fn as_i64(self) -> Option<i64> {
        match self {
            Self::Int(value) => Some(value),
            Self::UInt(value) | Self::Chosen { value, .. } => Some(value.cast_signed()),
            _ => None,
        }
    }

    /// The integer as the type's unsigned form.
    #[must_use]
    pub const fn as_u64(self) -> Option<u64> {
        match self {
            Self::Int(value) => Some(value.cast_unsigned()),
            Self::UInt(value) | Self::Chosen { value, .. } => Some(value),
            _ => None,
        }
    }

    /// The bytes of a variable-size type; an empty value has none, but is there.
    #[must_use]
    pub const fn as_bytes(self) -> Option<&'a [u8]> {
        match self {
            Self::Bytes(bytes) => Some(bytes),
            Self::Empty => Some(b""),
            _ => None,
        }
    }
}
