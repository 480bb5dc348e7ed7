//! Indents lines of `[…]`, `{…}` and quoted scalars that stand too far left.
//!
//! YAML wants them further right than the key they belong to; Falco's library does not, and rules
//! files are written so, Falco's own among them:
//!
//! ```text
//!   items: [
//!     a, b
//!   ]
//! ```
//!
//! Blanks at the start of such a line mean nothing, so putting some there changes no content. Between
//! two commas, as in `[a, , b]`, it puts the null that Falco's library reads there. The scan knows just enough of YAML to tell where such lines are; if it errs, the text as it was is
//! parsed instead.

/// What is to be changed.
#[derive(Debug, Default, Eq, PartialEq)]
pub(super) struct Repairs {
    /// What is to be put in; ascending.
    pub(super) insertions: Vec<Insertion>,
    /// Tabs that are to be blanks: behind a key, and before a line in brackets; ascending.
    pub(super) tabs: Vec<usize>,
    /// A quoted text that goes on to the end of the file.
    pub(super) unclosed: Option<Unclosed>,
}

/// A quote that is never closed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Unclosed {
    /// Where it begins.
    pub(super) at: usize,
    pub(super) quote: char,
    /// How far its lines have to be indented.
    pub(super) column: usize,
}

/// Blanks before a line, or a null.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Insertion {
    pub(super) at: usize,
    pub(super) count: usize,
    pub(super) what: char,
}

/// Finds what in `text` is to be changed.
pub(super) fn find(text: &str) -> Repairs {
    let mut scan = Scan { bytes: text.as_bytes(), at: 0, repairs: Repairs::default() };
    while scan.at < scan.bytes.len() {
        scan.block_line();
    }
    scan.repairs
}

struct Scan<'a> {
    bytes: &'a [u8],
    at: usize,
    repairs: Repairs,
}

impl Scan<'_> {
    fn byte(&self, ahead: usize) -> u8 {
        self.bytes.get(self.at + ahead).copied().unwrap_or(b'\n')
    }

    fn is_at_end(&self) -> bool {
        self.at >= self.bytes.len()
    }

    fn skip_blanks(&mut self) {
        while matches!(self.byte(0), b' ' | b'\t') {
            self.at += 1;
        }
    }

    fn skip_line(&mut self) {
        while !self.is_at_end() && self.byte(0) != b'\n' {
            self.at += 1;
        }
        self.at += 1;
    }

    /// One line that is not inside of anything, with all that begins on it.
    fn block_line(&mut self) {
        let start = self.at;
        let mut base = 0;
        loop {
            self.skip_blanks();
            match self.byte(0) {
                b'\n' | b'\r' | b'#' | b'%' => return self.skip_line(),
                b'-' | b'?' if self.byte(1).is_ascii_whitespace() => {
                    base = self.at - start;
                    self.at += 1;
                }
                b'&' | b'!' => self.skip_word(),
                b'|' | b'>' => {
                    self.skip_line();
                    return self.skip_block_scalar(base);
                }
                b'[' | b'{' => {
                    self.flow(base + 2);
                    if !self.is_key() {
                        return self.skip_line();
                    }
                }
                b'"' | b'\'' => {
                    let column = self.at - start;
                    self.quoted(base + 2);
                    if !self.is_key() {
                        return self.skip_line();
                    }
                    base = column;
                }
                _ => {
                    let column = self.at - start;
                    if !self.plain_key() {
                        return self.skip_line();
                    }
                    base = column;
                }
            }
        }
    }

    fn skip_word(&mut self) {
        while !self.byte(0).is_ascii_whitespace() {
            self.at += 1;
        }
    }

    /// Takes the colon behind a key, if there is one.
    fn is_key(&mut self) -> bool {
        self.skip_blanks();
        let is_key = self.byte(0) == b':' && self.byte(1).is_ascii_whitespace();
        self.at += usize::from(is_key);
        if is_key {
            self.blanks_for_tabs();
        }
        is_key
    }

    /// Goes behind `key:`, if a plain key begins here; else stays on the line.
    fn plain_key(&mut self) -> bool {
        while self.byte(0) != b'\n' {
            match self.byte(0) {
                b':' if self.byte(1).is_ascii_whitespace() => {
                    self.at += 1;
                    self.blanks_for_tabs();
                    return true;
                }
                b' ' if self.byte(1) == b'#' => return false,
                _ => self.at += 1,
            }
        }
        false
    }

    /// Lines that are empty or indented more than `base`.
    fn skip_block_scalar(&mut self, base: usize) {
        while !self.is_at_end() {
            let rest = self.bytes.get(self.at..).unwrap_or_default();
            let indent = rest.iter().take_while(|byte| **byte == b' ').count();
            let is_empty = matches!(rest.get(indent), None | Some(b'\n' | b'\r'));
            if !is_empty && indent <= base {
                return;
            }
            self.skip_line();
        }
    }

    /// Indents the line that begins here to `column`, unless it is empty or a comment.
    fn indent_to(&mut self, column: usize) {
        let start = self.at;
        self.blanks_for_tabs();
        let indent = self.at - start;
        let is_empty = self.is_at_end() || matches!(self.byte(0), b'\n' | b'\r' | b'#');
        if indent < column && !is_empty {
            let count = column - indent;
            self.repairs.insertions.push(Insertion { at: start, count, what: ' ' });
        }
    }

    fn blanks_for_tabs(&mut self) {
        while matches!(self.byte(0), b' ' | b'\t') {
            if self.byte(0) == b'\t' {
                self.repairs.tabs.push(self.at);
            }
            self.at += 1;
        }
    }

    fn flow(&mut self, column: usize) {
        // Of every open bracket, whether it is a sequence's.
        let mut open = Vec::new();
        // Nothing stands yet behind the last bracket, comma or colon, or bracket or comma.
        let (mut at_token, mut is_hole) = (true, true);
        while !self.is_at_end() {
            let byte = self.byte(0);
            match byte {
                b'[' | b'{' => {
                    open.push(byte == b'[');
                    (at_token, is_hole) = (true, true);
                }
                b']' | b'}' => {
                    open.pop();
                    (at_token, is_hole) = (false, false);
                    if open.is_empty() {
                        self.at += 1;
                        return;
                    }
                }
                b',' => {
                    if is_hole && open.last() == Some(&true) {
                        let at = self.at;
                        self.repairs.insertions.push(Insertion { at, count: 1, what: '~' });
                    }
                    (at_token, is_hole) = (true, true);
                }
                b':' => (at_token, is_hole) = (true, false),
                b' ' | b'\t' | b'\r' => {
                    if self.byte(1) == b'#' {
                        self.skip_comment();
                        continue;
                    }
                }
                b'#' if at_token => {
                    self.skip_comment();
                    continue;
                }
                b'\n' => {
                    self.at += 1;
                    self.indent_to(column);
                    continue;
                }
                b'"' | b'\'' if at_token => {
                    self.quoted(column);
                    (at_token, is_hole) = (false, false);
                    continue;
                }
                _ => (at_token, is_hole) = (false, false),
            }
            self.at += 1;
        }
    }

    fn skip_comment(&mut self) {
        while !self.is_at_end() && self.byte(0) != b'\n' {
            self.at += 1;
        }
    }

    fn quoted(&mut self, column: usize) {
        let (at, quote) = (self.at, self.byte(0));
        self.at += 1;
        while !self.is_at_end() {
            match self.byte(0) {
                b'\\' if quote == b'"' => self.at += 1,
                b'\n' => {
                    self.at += 1;
                    self.indent_to(column);
                    continue;
                }
                byte if byte == quote => {
                    self.at += 1;
                    if quote == b'"' || self.byte(0) != quote {
                        return;
                    }
                }
                _ => {}
            }
            self.at += 1;
        }
        self.repairs.unclosed = Some(Unclosed { at, quote: quote.into(), column });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn insertions(text: &str) -> Vec<(usize, usize, char)> {
        find(text).insertions.iter().map(|put| (put.at, put.count, put.what)).collect()
    }

    #[test]
    fn a_bracket_below_its_key_is_indented() {
        assert_eq!(insertions("- list: a\n  items: [\n    x\n  ]\n"), [(27, 2, ' ')]);
        assert_eq!(insertions("a: [\nx,\n  y\n]\n"), [(5, 2, ' '), (12, 2, ' ')]);
    }

    #[test]
    fn a_null_is_put_between_commas_of_a_sequence() {
        assert_eq!(insertions("[a, , {b: ,c: },,]"), [(4, 1, '~'), (16, 1, '~')]);
        assert_eq!(insertions("[a, # ,,\n  ',,', \",,\"]"), []);
    }

    #[test]
    fn brackets_in_text_are_no_sequences() {
        for text in [
            "a: x [\nb: y\n",
            "a: >\n  [\nb: y\n",
            "- |\n  [\n- b\n",
            "a: # [\nb: y\n",
            "a: 'it''s ['\nb: y\n",
            "a: [\"]\", it's, x]\nb: y\n",
        ] {
            assert_eq!(find(text), Repairs::default(), "{text}");
        }
    }

    #[test]
    fn lines_of_quoted_text_are_indented() {
        assert_eq!(insertions("a:\n  b: \"x\ny\"\n"), [(11, 4, ' ')]);
    }
}
