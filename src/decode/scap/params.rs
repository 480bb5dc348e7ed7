//! The bytes of a parameter to its value.

use super::layouts::{Class, Layout, Target};
use crate::event::{DataType, Param};

/// Reads parameters by their classes; surplus ones of a newer writer are left out.
pub(super) fn read<'a>(
    layout: &Layout,
    slices: impl Iterator<Item = &'a [u8]>,
    out: &mut Vec<Param<'a>>,
) {
    for (index, (bytes, class)) in slices.zip(layout.params).enumerate() {
        out.push(match class {
            _ if bytes.is_empty() => Param::Empty,
            Class::I64 => Param::Int(u64_of(bytes).cast_signed()),
            Class::Text => Param::Bytes(text_of(bytes)),
            Class::U32 | Class::Id => Param::UInt(u64::from(u32_of(bytes))),
            Class::U64 => Param::UInt(u64_of(bytes)),
            Class::Raw => Param::Bytes(bytes),
            Class::U8 => Param::UInt(u64_of(head(bytes, 1))),
            Class::U16 => Param::UInt(u64_of(head(bytes, 2))),
            Class::I8 => Param::Int(i64::from(bytes.first().map_or(0, |byte| byte.cast_signed()))),
            Class::I16 => Param::Int(i64::from(u16_of(bytes).cast_signed())),
            Class::I32 => Param::Int(i64::from(u32_of(bytes).cast_signed())),
            Class::Dyn => dynamic(layout.target, index, bytes),
        });
    }
}

/// A value whose first byte chooses its type.
fn dynamic(target: Target, index: usize, bytes: &[u8]) -> Param<'_> {
    let Some((&choice, value)) = bytes.split_first() else { return Param::Empty };
    let Target::Own(ty) = target else { return Param::Unknown };
    let info = ty.info().params.get(index);
    let Some(&ty) = info.and_then(|info| info.alternatives.get(usize::from(choice))) else {
        return Param::Unknown;
    };
    match ty.size() {
        Some(size) => {
            let bits = u64_of(head(value, size));
            let unused = 64 - 8 * u32::try_from(size.min(8)).unwrap_or(8);
            let value = if ty.is_signed() {
                ((bits << unused).cast_signed() >> unused).cast_unsigned()
            } else {
                bits
            };
            Param::Chosen { ty, value }
        }
        None if value.is_empty() => Param::Empty,
        None if ty == DataType::CharBuf => Param::Bytes(text_of(value)),
        None => Param::Bytes(value),
    }
}

fn head(bytes: &[u8], len: usize) -> &[u8] {
    bytes.get(..len).unwrap_or(bytes)
}

/// Text up to its NUL.
fn text_of(bytes: &[u8]) -> &[u8] {
    memchr::memchr(0, bytes).map_or(bytes, |end| head(bytes, end))
}

fn u64_of(bytes: &[u8]) -> u64 {
    bytes.first_chunk().map_or_else(|| short(bytes), |chunk| u64::from_le_bytes(*chunk))
}

fn u32_of(bytes: &[u8]) -> u32 {
    match bytes.first_chunk() {
        Some(chunk) => u32::from_le_bytes(*chunk),
        None => u32::try_from(short(bytes)).unwrap_or(u32::MAX),
    }
}

fn u16_of(bytes: &[u8]) -> u16 {
    match bytes.first_chunk() {
        Some(chunk) => u16::from_le_bytes(*chunk),
        None => u16::try_from(short(bytes)).unwrap_or(u16::MAX),
    }
}

/// A value narrower than its type: an old layout had it so.
#[cold]
fn short(bytes: &[u8]) -> u64 {
    bytes.iter().take(8).rev().fold(0, |value, &byte| value << 8 | u64::from(byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::known;

    #[test]
    fn a_narrow_value_is_extended_with_zeros() {
        assert_eq!(u64_of(&[1, 2]), 0x201);
        assert_eq!(u32_of(&[0xff]), 0xff);
    }

    #[test]
    fn text_ends_at_its_first_nul() {
        assert_eq!(text_of(b"ab\0cd\0"), b"ab");
        assert_eq!(text_of(b"ab"), b"ab");
    }

    #[test]
    fn a_dynamic_value_says_which_type_it_chose() {
        let index = known::GETSOCKOPT.info().param_index("val").unwrap();
        let bytes = [1, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
        let param = dynamic(Target::Own(known::GETSOCKOPT), index, &bytes);
        assert_eq!(param, Param::Chosen { ty: DataType::Errno, value: (-2_i64).cast_unsigned() });
        assert_eq!(dynamic(Target::Own(known::GETSOCKOPT), index, &[9, 1]), Param::Unknown);
    }
}
