//! What a field can be. Absent is `None`, never an empty value.

use std::net::IpAddr;

use super::DataType;

/// A field's value, borrowed from the event, the world or the event's arena.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'a> {
    /// A signed integer type.
    Int(i64),
    /// An unsigned integer type.
    UInt(u64),
    /// `true` or `false`.
    Bool(bool),
    /// A floating-point number.
    Double(f64),
    /// Text, a path or a buffer: bytes, since file names need not be UTF-8.
    Bytes(&'a [u8]),
    /// An address.
    Ip(IpAddr),
    /// A list field, an either-end field (`fd.ip`) or an any-ancestor field (`proc.aname`).
    List(&'a [Self]),
    /// An integer known not to be negative, whose number isn't known: `>= 0` and `exists` are
    /// true, it equals no number and prints as `<NA>`.
    NotNegative,
    /// The bits of a number with the type that it has in this event, for comparisons alone.
    Native(DataType, u64),
}

impl<'a> Value<'a> {
    /// The bytes of a text value.
    #[must_use]
    pub const fn as_bytes(self) -> Option<&'a [u8]> {
        match self {
            Self::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_three_words() {
        assert_eq!(size_of::<Value<'_>>(), 24);
    }
}
