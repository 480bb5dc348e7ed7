//! From the parser's count of characters to bytes of the file, past the characters that were put
//! in to repair it.

use super::YamlError;
use super::indent;
use super::indent::{Insertion, Unclosed};

/// A text with repairs, and where they are.
#[derive(Debug)]
pub(super) struct Repaired<'a> {
    /// As it is in the file.
    pub(super) original: &'a str,
    /// As it is parsed.
    pub(super) text: String,
    /// Byte offset of every character of `text`; empty: all are of one byte.
    bytes: Vec<u32>,
    /// What was put in: its byte offset in `text`, and how many bytes; ascending.
    inserted: Vec<(usize, usize)>,
    /// Bytes put in before each of them.
    totals: Vec<usize>,
    /// `text` is not what is in the file.
    pub(super) is_changed: bool,
    /// A quote that is not closed.
    pub(super) unclosed: Option<Unclosed>,
}

impl<'a> Repaired<'a> {
    /// Without repairs.
    pub(super) fn new(original: &'a str) -> Self {
        let (bytes, inserted, totals) = (Vec::new(), Vec::new(), Vec::new());
        let text = original.to_owned();
        let (is_changed, unclosed) = (false, None);
        let mut repaired = Self { original, text, bytes, inserted, totals, is_changed, unclosed };
        repaired.count();
        repaired
    }

    /// With blanks where lines stand too far left, and for tabs that mean nothing, and with nulls
    /// between commas.
    pub(super) fn indented(original: &'a str) -> Self {
        Self::with(original, indent::find(original))
    }

    /// The same, and with the quote closed that is not.
    pub(super) fn closed(original: &'a str) -> Self {
        let mut repairs = indent::find(original);
        let at = original.len();
        if let Some(Unclosed { quote, column, .. }) = repairs.unclosed {
            repairs.insertions.push(Insertion { at, count: column, what: ' ' });
            repairs.insertions.push(Insertion { at, count: 1, what: quote });
        }
        Self::with(original, repairs)
    }

    fn with(original: &'a str, repairs: indent::Repairs) -> Self {
        let mut repaired = Self::new(original);
        let indent::Repairs { insertions, tabs, unclosed } = repairs;
        repaired.unclosed = unclosed;
        repaired.is_changed = !insertions.is_empty() || !tabs.is_empty();
        if !repaired.is_changed {
            return repaired;
        }
        let original = &*without_tabs(original, &tabs);
        let mut text = String::with_capacity(original.len() + 64);
        let mut copied = 0;
        for Insertion { at, count, what } in insertions {
            text.push_str(original.get(copied..at).unwrap_or_default());
            copied = at;
            repaired.inserted.push((text.len(), count));
            text.extend(std::iter::repeat_n(what, count));
        }
        text.push_str(original.get(copied..).unwrap_or_default());
        repaired.text = text;
        repaired.count();
        repaired
    }

    /// Puts a null before character `index`.
    pub(super) fn insert_null(&mut self, index: usize) {
        let at = self.byte(index);
        self.text.insert(at, '~');
        for (other, _) in &mut self.inserted {
            *other += usize::from(*other >= at);
        }
        self.inserted.push((at, 1));
        self.inserted.sort_unstable();
        self.count();
    }

    fn count(&mut self) {
        self.totals = Vec::with_capacity(self.inserted.len());
        let mut total = 0;
        for (_, count) in &self.inserted {
            self.totals.push(total);
            total += count;
        }
        if !self.text.is_ascii() {
            let offsets = self.text.char_indices();
            self.bytes = offsets.map(|(at, _)| u32::try_from(at).unwrap_or(u32::MAX)).collect();
        }
    }

    /// Where character `index` of the parsed text begins.
    pub(super) fn byte(&self, index: usize) -> usize {
        let byte = if self.bytes.is_empty() {
            Some(index)
        } else {
            self.bytes.get(index).map(|at| *at as usize)
        };
        byte.unwrap_or(self.text.len()).min(self.text.len())
    }

    /// Where character `index` of the parsed text is in the file.
    pub(super) fn offset(&self, index: usize) -> usize {
        let byte = self.byte(index);
        let before = self.inserted.partition_point(|(at, _)| *at < byte);
        let last = before.checked_sub(1);
        let put_in = last.and_then(|last| {
            let (at, count) = self.inserted.get(last)?;
            Some(self.totals.get(last)? + (*count).min(byte - at))
        });
        byte.saturating_sub(put_in.unwrap_or(0)).min(self.original.len())
    }

    /// An error at a byte of the file.
    pub(super) fn error(&self, message: String, offset: usize) -> YamlError {
        let offset = offset.min(self.original.len());
        let before = self.original.as_bytes().get(..offset).unwrap_or_default();
        let start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let line = before.iter().filter(|byte| **byte == b'\n').count();
        YamlError { message, line, column: offset - start, offset }
    }

    /// The `|` or `>` between two offsets of the file.
    pub(super) fn indicator(&self, from: usize, to: usize) -> Option<usize> {
        let between = self.original.as_bytes().get(from..to)?;
        let mut previous = b' ';
        for (index, byte) in between.iter().enumerate() {
            if matches!(byte, b'|' | b'>') && matches!(previous, b' ' | b'\t') {
                return Some(from + index);
            }
            previous = *byte;
        }
        None
    }
}

/// `text` with a blank for each of `tabs`, which are ascending.
fn without_tabs(text: &str, tabs: &[usize]) -> String {
    let mut out = String::with_capacity(text.len());
    let mut copied = 0;
    for tab in tabs {
        out.push_str(text.get(copied..*tab).unwrap_or_default());
        out.push(' ');
        copied = tab + 1;
    }
    out.push_str(text.get(copied..).unwrap_or_default());
    out
}
