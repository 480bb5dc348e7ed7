//! The buffers that calls read into or write from: `evt.arg.data`, and the addresses of messages.
//!
//! As Falco does, no more than [`SNAPLEN`] bytes are taken. Layouts: `struct iovec` in
//! linux/uio.h, `struct user_msghdr` in linux/socket.h, `struct compat_msghdr` in net/compat.h.

use super::Abi;
use super::Call;
use super::Inspect;
use crate::decode::reader::Reader;
use crate::decode::reader::Truncated;
use crate::event::Arena;
use crate::event::Param;

/// Bytes of a buffer that an event has.
pub const SNAPLEN: usize = 80;

/// The kernel takes no more vectors, `UIO_MAXIOV`.
const MAX_VECTORS: u64 = 1024;

/// Where a call has a buffer. The numbers are arguments'.
#[derive(Clone, Copy, Debug)]
pub(super) enum Buffer {
    /// An address and a length.
    Plain { pointer: usize, len: usize },
    /// An array of vectors and their number.
    Vectors { pointer: usize, count: usize },
    /// A `struct msghdr`.
    Message(usize),
}

/// Which way the bytes go.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Way {
    /// To the caller: as much as the call returned.
    In,
    /// From the caller: as much as the call took, or would have taken.
    Out,
}

/// A `struct msghdr`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Message {
    /// Where the address is, and its length.
    pub name: (u64, u64),
    vectors: (u64, u64),
}

impl Message {
    /// Reads the one at an address of the caller.
    pub fn read(abi: Abi, inspect: &mut dyn Inspect<'_>, address: u64) -> Option<Self> {
        let len = if is_narrow(abi) { 16 } else { 32 };
        Self::parse(abi, inspect.memory(address, len)?).ok()
    }

    /// Reads its first four members.
    ///
    /// # Errors
    ///
    /// [`Truncated`] if there are fewer bytes.
    pub fn parse(abi: Abi, bytes: &[u8]) -> Result<Self, Truncated> {
        let mut reader = Reader::new(bytes);
        let name = word(abi, &mut reader)?;
        let name_len = u64::from(reader.u32_ne("the length of an address")?);
        if !is_narrow(abi) {
            reader.take(4, "padding")?;
        }
        let vectors = (word(abi, &mut reader)?, word(abi, &mut reader)?);
        Ok(Self { name: (name, name_len), vectors })
    }
}

impl Buffer {
    /// Its bytes as a parameter.
    pub(super) fn data<'a>(
        self,
        way: Way,
        call: &Call,
        inspect: &mut dyn Inspect<'a>,
        arena: &'a Arena,
    ) -> Param<'a> {
        let told = u64::try_from(call.result).ok();
        if way == Way::In && told.is_none_or(|len| len == 0) {
            return Param::Empty;
        }
        let Some(pieces) = self.pieces(call, inspect, arena) else { return Param::Unknown };
        let total: u64 = pieces.iter().fold(0, |total, piece| total.saturating_add(piece.1));
        let len = told.filter(|len| *len > 0).unwrap_or(total).min(total);
        let mut left = usize::try_from(len).unwrap_or(SNAPLEN).min(SNAPLEN);
        let mut data = bumpalo::collections::Vec::with_capacity_in(left, arena);
        for &(address, len) in pieces {
            let len = usize::try_from(len).unwrap_or(left).min(left);
            let Some(bytes) = inspect.memory(address, len) else { break };
            data.extend_from_slice(bytes);
            left -= len;
        }
        if data.is_empty() && total > 0 {
            return Param::Unknown;
        }
        Param::Bytes(data.into_bump_slice())
    }

    /// How many bytes it has room for.
    pub(super) fn size<'a>(
        self,
        call: &Call,
        inspect: &mut dyn Inspect<'a>,
        arena: &'a Arena,
    ) -> Param<'a> {
        self.pieces(call, inspect, arena).map_or(Param::Unknown, |pieces| {
            Param::UInt(pieces.iter().fold(0, |total, piece| total.saturating_add(piece.1)))
        })
    }

    /// Addresses and lengths of what it consists of.
    fn pieces<'a>(
        self,
        call: &Call,
        inspect: &mut dyn Inspect<'a>,
        arena: &'a Arena,
    ) -> Option<&'a [(u64, u64)]> {
        let argument = |index: usize| call.arguments.get(index).copied().unwrap_or(0);
        let (address, count) = match self {
            Self::Plain { pointer, len } => {
                return Some(arena.alloc_slice_copy(&[(argument(pointer), argument(len))]));
            }
            Self::Vectors { pointer, count } => (argument(pointer), argument(count)),
            Self::Message(pointer) => Message::read(call.abi, inspect, argument(pointer))?.vectors,
        };
        let count = usize::try_from(count.min(MAX_VECTORS)).ok()?;
        let size = if is_narrow(call.abi) { 8 } else { 16 };
        let bytes = inspect.memory(address, count * size)?;
        let vector = |bytes: &[u8]| {
            let mut reader = Reader::new(bytes);
            Some((word(call.abi, &mut reader).ok()?, word(call.abi, &mut reader).ok()?))
        };
        let mut pieces = bumpalo::collections::Vec::with_capacity_in(count, arena);
        pieces.extend(bytes.chunks_exact(size).filter_map(vector));
        Some(pieces.into_bump_slice())
    }
}

const fn is_narrow(abi: Abi) -> bool {
    matches!(abi, Abi::I386)
}

/// A pointer or a size.
fn word(abi: Abi, reader: &mut Reader<'_>) -> Result<u64, Truncated> {
    if is_narrow(abi) { reader.u32_ne("a word").map(u64::from) } else { reader.u64_ne("a word") }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A caller whose memory begins at 0.
    struct Memory(Vec<u8>);

    impl<'a> Inspect<'a> for Memory {
        fn text(&mut self, _: usize, _: u64) -> Option<&'a [u8]> {
            None
        }
        fn memory(&mut self, address: u64, len: usize) -> Option<&'a [u8]> {
            let bytes = self.0.get(usize::try_from(address).unwrap()..)?.get(..len)?;
            Some(Box::leak(Box::from(bytes)))
        }
        fn file(&mut self, _: i64) -> Option<(u32, u64)> {
            None
        }
        fn tuple(&mut self, _: i64) -> Option<&'a [u8]> {
            None
        }
    }

    fn words(words: &[u64]) -> Vec<u8> {
        words.iter().flat_map(|word| word.to_ne_bytes()).collect()
    }

    fn call(result: i64) -> Call {
        Call { abi: Abi::X86_64, number: 0, arguments: [3, 0, 0, 0, 0, 0], result }
    }

    #[test]
    fn a_message_is_the_sum_of_its_vectors() {
        // Name, its length, vectors, their number, and two vectors of what follows.
        let mut memory = words(&[7, 16, 32, 2, 64, 4, 68, 100]);
        memory.extend(b"quesTION");
        let mut inspect = Memory(memory);
        let arena = Arena::new();
        let message = Buffer::Message(1);
        let Param::UInt(size) = message.size(&call(8), &mut inspect, &arena) else { panic!() };
        assert_eq!(size, 104);
        let data = message.data(Way::Out, &call(8), &mut inspect, &arena);
        assert!(matches!(data, Param::Bytes(b"quesTION")), "{data:?}");
        let data = message.data(Way::In, &call(5), &mut inspect, &arena);
        assert!(matches!(data, Param::Bytes(b"quesT")), "{data:?}");
        let header = Message::read(Abi::X86_64, &mut inspect, 0).unwrap();
        assert_eq!(header.name, (7, 16));
    }

    #[test]
    fn nothing_received_is_empty_and_what_cannot_be_read_is_unknown() {
        let arena = Arena::new();
        let mut inspect = Memory(Vec::new());
        let plain = Buffer::Plain { pointer: 1, len: 2 };
        let asked = |result| Call { arguments: [3, 9, 4, 0, 0, 0], ..call(result) };
        let mut data = |way, result| plain.data(way, &asked(result), &mut inspect, &arena);
        assert!(matches!(data(Way::In, -11), Param::Empty));
        assert!(matches!(data(Way::In, 0), Param::Empty));
        assert!(matches!(data(Way::In, 2), Param::Unknown));
        assert!(matches!(data(Way::Out, -11), Param::Unknown));
    }

    #[test]
    fn no_more_than_the_snaplen_is_taken_and_narrow_words_are_read() {
        let arena = Arena::new();
        let mut inspect = Memory(vec![b'x'; 200]);
        let long = Call { arguments: [3, 0, 200, 0, 0, 0], ..call(200) };
        let plain = Buffer::Plain { pointer: 1, len: 2 };
        let data = plain.data(Way::Out, &long, &mut inspect, &arena);
        assert!(matches!(data, Param::Bytes(bytes) if bytes.len() == SNAPLEN));
        let narrow: Vec<u8> = [1_u32, 16, 2, 3].iter().flat_map(|w| w.to_ne_bytes()).collect();
        let message = Message::parse(Abi::I386, &narrow).unwrap();
        assert_eq!(message, Message { name: (1, 16), vectors: (2, 3) });
    }
}
