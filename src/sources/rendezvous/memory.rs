//! Texts in the memory of a task that stands still: the arguments and environment of its execve(2).

use crate::sys::ptrace;

/// How much is read at a time: texts that a program is started with stand close together.
const WINDOW: usize = 4096;

/// A piece of a task's memory.
#[derive(Debug)]
struct Window {
    at: u64,
    bytes: Vec<u8>,
}

impl Window {
    fn new() -> Self {
        Self { at: 0, bytes: Vec::with_capacity(WINDOW) }
    }

    /// What can be read from `address` on: at least `least` bytes, unless there are no more.
    fn from(&mut self, tid: i32, address: u64, least: usize) -> Option<&[u8]> {
        let offset = address.checked_sub(self.at).and_then(|offset| usize::try_from(offset).ok());
        let is_here = offset.is_some_and(|offset| {
            self.bytes.get(offset..).is_some_and(|rest| !rest.is_empty() && rest.len() >= least)
        });
        if !is_here {
            self.at = address;
            self.bytes.resize(WINDOW, 0);
            let read = ptrace::read_memory(tid, address, &mut self.bytes);
            self.bytes.truncate(*read.as_ref().unwrap_or(&0));
            read.ok()?;
        }
        let offset = if is_here { offset? } else { 0 };
        self.bytes.get(offset..).filter(|rest| !rest.is_empty() && rest.len() >= least)
    }
}

/// Reads arrays of texts, with buffers that are made once.
#[derive(Debug)]
pub(super) struct Texts {
    pointers: Window,
    texts: Window,
}

impl Texts {
    pub(super) fn new() -> Self {
        Self { pointers: Window::new(), texts: Window::new() }
    }

    /// Forgets what it has read: memory is another's, or has changed.
    pub(super) fn forget(&mut self) {
        self.pointers.bytes.clear();
        self.texts.bytes.clear();
    }

    /// Reads the texts that an array of pointers leads to, each with its NUL, until there is no
    /// more room for another byte in `limit`. `width`: bytes of a pointer. Whether all of what was
    /// wanted could be read; no array is an empty one.
    pub(super) fn read(
        &mut self,
        tid: i32,
        (array, width): (u64, usize),
        limit: usize,
        into: &mut Vec<u8>,
    ) -> bool {
        into.clear();
        let mut at = array;
        while array != 0 && into.len() < limit {
            let Some(pointer) = self.pointers.from(tid, at, width) else { return false };
            let mut bytes = [0; 8];
            let (Some(low), Some(pointer)) = (bytes.get_mut(..width), pointer.get(..width)) else {
                return false;
            };
            low.copy_from_slice(pointer);
            let pointer = u64::from_le_bytes(bytes);
            if pointer == 0 {
                return true;
            }
            if !self.text(tid, pointer, limit, into) {
                return false;
            }
            at = at.wrapping_add(u64::try_from(width).unwrap_or(8));
        }
        true
    }

    /// Adds one text.
    fn text(&mut self, tid: i32, address: u64, limit: usize, into: &mut Vec<u8>) -> bool {
        let mut from = address;
        while into.len() < limit {
            let Some(bytes) = self.texts.from(tid, from, 1) else { return false };
            let room = limit - into.len();
            let end = memchr::memchr(0, bytes);
            let len = end.map_or(bytes.len(), |end| end + 1);
            into.extend_from_slice(bytes.get(..len.min(room)).unwrap_or_default());
            if end.is_some() {
                return true;
            }
            from = from.wrapping_add(u64::try_from(len).unwrap_or(1));
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::process;

    fn read(texts: &[&[u8]], limit: usize) -> Option<Vec<u8>> {
        let texts: Vec<Vec<u8>> = texts.iter().map(|text| [text, &b"\0"[..]].concat()).collect();
        let mut array: Vec<usize> = texts.iter().map(|text| text.as_ptr().addr()).collect();
        array.push(0);
        let address = u64::try_from(array.as_ptr().addr()).unwrap();
        let mut into = Vec::new();
        let whole = Texts::new().read(process::own_pid(), (address, 8), limit, &mut into);
        whole.then_some(into)
    }

    #[test]
    fn texts_are_read_one_behind_the_other_up_to_the_limit() {
        assert_eq!(read(&[b"a", b"", b"bc"], 100).unwrap(), b"a\0\0bc\0");
        assert_eq!(read(&[b"a", b"", b"bc"], 4).unwrap(), b"a\0\0b");
        assert_eq!(read(&[], 100).unwrap(), b"");
        let long = vec![b'x'; 3 * WINDOW];
        assert_eq!(read(&[&long], 4 * WINDOW).unwrap().len(), long.len() + 1);
        let many: Vec<&[u8]> = vec![b"y"; 2000];
        assert_eq!(read(&many, 1 << 20).unwrap().len(), 4000);
    }

    #[test]
    fn what_cannot_be_read_is_not_there() {
        let mut into = Vec::new();
        let own = process::own_pid();
        assert!(!Texts::new().read(own, (8, 8), 100, &mut into));
        assert!(Texts::new().read(own, (0, 8), 100, &mut into) && into.is_empty());
        let array = [16_usize, 0];
        let address = u64::try_from(array.as_ptr().addr()).unwrap();
        assert!(!Texts::new().read(own, (address, 8), 100, &mut into));
    }
}
