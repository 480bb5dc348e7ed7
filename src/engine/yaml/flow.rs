//! A watch on what is in one `[…]`.
//!
//! Until it knows that a `[` or `{` doesn't begin a key, which it knows at the closing bracket, the
//! parser keeps all tokens of it, 100 bytes and more each. So that this has a bound, a text that
//! could be all tokens is handed over character by character and cut where there are too many.

use std::cell::Cell;

use super::MAX_FLOW;

/// Counts what can begin or end a token between two events.
pub(super) struct Watch {
    count: Cell<usize>,
    limit: usize,
}

impl Watch {
    /// Nothing if `text` has so few of them that it needn't be watched, which is much faster.
    pub(super) fn needed(text: &str) -> Option<Self> {
        let limit = MAX_FLOW.max(text.len() / 4);
        if text.len() <= limit / 2 {
            return None;
        }
        // There can be as many scalars as there are marks around them.
        let marks = text.bytes().filter(|byte| is_mark(*byte)).count();
        (marks > limit / 2).then(|| Self { count: Cell::new(0), limit })
    }

    /// The text, up to where there are too many.
    pub(super) fn chars<'a>(&'a self, text: &'a str) -> impl Iterator<Item = char> + 'a {
        let mut was_mark = true;
        text.chars().take_while(move |char| {
            let is_mark = u8::try_from(*char).is_ok_and(is_mark);
            // A scalar is a token too.
            let is_scalar = was_mark && !is_mark && !matches!(char, ' ' | '\t');
            was_mark = is_mark || (was_mark && !is_scalar);
            self.count.set(self.count.get() + usize::from(is_mark) + usize::from(is_scalar));
            !self.is_exceeded()
        })
    }

    /// Something came out: the parser keeps nothing.
    pub(super) fn restart(&self) {
        if !self.is_exceeded() {
            self.count.set(0);
        }
    }

    pub(super) fn is_exceeded(&self) -> bool {
        self.count.get() > self.limit
    }
}

const fn is_mark(byte: u8) -> bool {
    matches!(
        byte,
        b',' | b'[' | b']' | b'{' | b'}' | b':' | b'?' | b'!' | b'&' | b'*' | b'"' | b'\'' | b'\n'
    )
}
