//! The texts that a call's arguments point to, read while the call was entered.

/// Texts by argument; reused from call to call.
#[derive(Debug, Default)]
pub struct Texts {
    texts: Vec<(usize, Vec<u8>)>,
    used: usize,
}

impl Texts {
    /// Forgets all of them.
    pub(super) const fn clear(&mut self) {
        self.used = 0;
    }

    /// Keeps the text of an argument.
    pub fn set(&mut self, argument: usize, text: &[u8]) {
        if self.used == self.texts.len() {
            self.texts.push((argument, Vec::new()));
        }
        if let Some((index, buffer)) = self.texts.get_mut(self.used) {
            *index = argument;
            buffer.clear();
            buffer.extend_from_slice(text);
            self.used += 1;
        }
    }

    /// The text of an argument, if it could be read.
    #[must_use]
    pub fn get(&self, argument: usize) -> Option<&[u8]> {
        self.iter().find(|(index, _)| *index == argument).map(|(_, text)| text)
    }

    /// All of them, with their arguments.
    pub(super) fn iter(&self) -> impl Iterator<Item = (usize, &[u8])> {
        self.texts.iter().take(self.used).map(|(index, text)| (*index, text.as_slice()))
    }
}
