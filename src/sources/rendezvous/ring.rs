//! Messages from a thread that may not wait to the agent's loop: a ring of memory that is made once.
//!
//! One thread writes, one reads; neither takes a lock. What finds no room is not written, and both
//! are told that.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

/// Bytes of a word.
const WORD: usize = size_of::<u64>();

#[derive(Debug)]
struct Ring {
    words: Box<[AtomicU64]>,
    /// Words written and read since the beginning.
    written: AtomicUsize,
    read: AtomicUsize,
    /// Something found no room.
    is_torn: AtomicBool,
}

impl Ring {
    fn word(&self, place: usize) -> Option<&AtomicU64> {
        self.words.get(place % self.words.len().max(1))
    }
}

/// The end to write to.
#[derive(Debug)]
pub(super) struct Writer(Arc<Ring>);

/// The end to read from.
#[derive(Debug)]
pub(super) struct Reader(Arc<Ring>);

/// A ring with room for about that many bytes.
pub(super) fn ring(bytes: usize) -> (Writer, Reader) {
    let ring = Arc::new(Ring {
        words: (0..bytes / WORD).map(|_| AtomicU64::new(0)).collect(),
        written: AtomicUsize::new(0),
        read: AtomicUsize::new(0),
        is_torn: AtomicBool::new(false),
    });
    (Writer(Arc::clone(&ring)), Reader(ring))
}

impl Writer {
    /// Writes one message; `false` if there is no room.
    pub(super) fn write(&mut self, message: &[u8]) -> bool {
        let ring = &*self.0;
        let start = ring.written.load(Ordering::Relaxed);
        let used = start.wrapping_sub(ring.read.load(Ordering::Acquire));
        let count = 1 + message.len().div_ceil(WORD);
        if ring.words.len().saturating_sub(used) < count {
            ring.is_torn.store(true, Ordering::Release);
            return false;
        }
        let len = u64::try_from(message.len()).unwrap_or(0);
        let words = message.chunks(WORD).map(|chunk| {
            let mut bytes = [0; WORD];
            bytes.iter_mut().zip(chunk).for_each(|(byte, from)| *byte = *from);
            u64::from_ne_bytes(bytes)
        });
        for (place, word) in (start..).zip([len].into_iter().chain(words)) {
            if let Some(slot) = ring.word(place) {
                slot.store(word, Ordering::Relaxed);
            }
        }
        ring.written.store(start.wrapping_add(count), Ordering::Release);
        true
    }
}

impl Reader {
    /// Whether something found no room since the last call.
    pub(super) fn take_torn(&self) -> bool {
        self.0.is_torn.swap(false, Ordering::AcqRel)
    }

    /// The next message into `into`; `false` if there is none.
    pub(super) fn read(&mut self, into: &mut Vec<u8>) -> bool {
        let ring = &*self.0;
        let start = ring.read.load(Ordering::Relaxed);
        if start == ring.written.load(Ordering::Acquire) {
            return false;
        }
        let word = |place| ring.word(place).map_or(0, |word| word.load(Ordering::Relaxed));
        let len = usize::try_from(word(start)).unwrap_or(0);
        let count = len.div_ceil(WORD);
        into.clear();
        for place in start.wrapping_add(1)..start.wrapping_add(1 + count) {
            into.extend_from_slice(&word(place).to_ne_bytes());
        }
        into.truncate(len);
        ring.read.store(start.wrapping_add(1 + count), Ordering::Release);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_come_whole_and_in_order_round_and_round() {
        let (mut writer, mut reader) = ring(64);
        let mut text = Vec::new();
        assert!(!reader.read(&mut text));
        for round in 0..100_u8 {
            let long = vec![round; usize::from(round % 30)];
            assert!(writer.write(&long) && writer.write(b"x"));
            assert!(reader.read(&mut text));
            assert_eq!(text, long);
            assert!(reader.read(&mut text));
            assert_eq!(text, b"x");
            assert!(!reader.read(&mut text));
        }
    }

    #[test]
    fn what_has_no_room_is_not_written() {
        let (mut writer, mut reader) = ring(32);
        assert!(!writer.write(&[7; 40]));
        assert!(writer.write(&[7; 17]) && !writer.write(b""));
        let mut text = Vec::new();
        assert!(reader.take_torn() && !reader.take_torn());
        assert!(reader.read(&mut text));
        assert_eq!(text, [7; 17]);
        assert!(writer.write(b""));
    }

    #[test]
    fn a_reader_beside_the_writer_sees_whole_messages() {
        let (mut writer, mut reader) = ring(256);
        let writing = std::thread::spawn(move || {
            for number in 0..20_000_u32 {
                while !writer.write(&[&number.to_ne_bytes()[..], &[1; 9]].concat()) {
                    std::thread::yield_now();
                }
            }
        });
        let mut text = Vec::new();
        for number in 0..20_000_u32 {
            while !reader.read(&mut text) {
                std::thread::yield_now();
            }
            assert_eq!(text, [&number.to_ne_bytes()[..], &[1; 9]].concat());
        }
        writing.join().unwrap();
    }
}
