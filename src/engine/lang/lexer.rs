//! Tokens of the condition language.
//!
//! There is no stream of tokens: what a text is depends on where it stands (`and` may be a value,
//! `in` a prefix), so the parser asks for the token that it could use next. Nothing is reserved,
//! keywords are matched by prefix, exactly as in Falco.

use super::ast::Position;

/// What stood last, for the message about what can't follow it.
#[derive(Clone, Copy, Debug, Default)]
enum Last<'a> {
    #[default]
    Nothing,
    Plain(&'a str),
    Quoted(&'a str),
}

/// A cursor over a condition.
#[derive(Debug)]
pub(super) struct Lexer<'a> {
    text: &'a str,
    at: Position,
    last: Last<'a>,
}

/// A place to which the cursor can go back.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark<'a> {
    at: Position,
    last: Last<'a>,
}

/// Blanks between tokens; the backspace is Falco's.
const fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | 8)
}

/// POSIX `[[:space:]]`.
pub(super) const fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | 11 | 12)
}

/// Bytes of a bare string: `[^()"'[:space:]=,]`.
pub(crate) const fn is_bare(byte: u8) -> bool {
    !is_space(byte) && !matches!(byte, b'(' | b')' | b'"' | b'\'' | b'=' | b',')
}

/// Bytes of a bare argument: `[^][\"'[:space:]]`.
pub(super) const fn is_bare_argument(byte: u8) -> bool {
    !is_space(byte) && !matches!(byte, b'[' | b']' | b'"' | b'\'')
}

/// Length of `[a-zA-Z][a-zA-Z0-9_]*` at the start of `bytes`; zero: there is none.
pub(crate) fn identifier_len(bytes: &[u8]) -> usize {
    if !bytes.first().is_some_and(u8::is_ascii_alphabetic) {
        return 0;
    }
    bytes.iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_').count()
}

/// Length of a number at the start of `bytes`; zero: there is none.
pub(super) fn number_len(bytes: &[u8]) -> usize {
    let digits = |from: usize| {
        bytes.get(from..).unwrap_or_default().iter().take_while(|b| b.is_ascii_digit()).count()
    };
    let is = |at: usize, any: &[u8]| bytes.get(at).is_some_and(|byte| any.contains(byte));
    let sign = usize::from(is(0, b"+-"));
    let whole = digits(sign);
    if whole == 0 {
        return 0;
    }
    let mut end = sign + whole;
    end += usize::from(is(end, b"."));
    end += digits(end);
    if is(end, b"eE") && is(end + 1, b"+-") && digits(end + 2) > 0 {
        end += 2 + digits(end + 2);
    }
    end
}

/// Length of `0x…` at the start of `bytes`; zero: there is none.
pub(super) fn hex_len(bytes: &[u8]) -> usize {
    let Some([b'0', b'x' | b'X', rest @ ..]) = Some(bytes) else {
        return 0;
    };
    match rest.iter().take_while(|byte| byte.is_ascii_hexdigit()).count() {
        0 => 0,
        digits => 2 + digits,
    }
}

impl<'a> Lexer<'a> {
    pub(super) const fn new(text: &'a str) -> Self {
        Self { text, at: Position { offset: 0, line: 1, column: 1 }, last: Last::Nothing }
    }

    pub(super) const fn position(&self) -> Position {
        self.at
    }

    pub(super) const fn mark(&self) -> Mark<'a> {
        Mark { at: self.at, last: self.last }
    }

    pub(super) const fn reset(&mut self, mark: Mark<'a>) {
        self.at = mark.at;
        self.last = mark.last;
    }

    /// What is still to be read.
    pub(super) fn rest(&self) -> &'a str {
        self.text.get(self.at.offset..).unwrap_or_default()
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.at.offset >= self.text.len()
    }

    /// The last token, as messages show it.
    pub(super) fn last_token(&self) -> String {
        match self.last {
            Last::Nothing => String::new(),
            Last::Plain(text) => text.to_owned(),
            Last::Quoted(text) => unescape(text).unwrap_or_default(),
        }
    }

    /// Skips blanks; whether there were any.
    pub(super) fn blank(&mut self) -> bool {
        let count = self.rest().bytes().take_while(|byte| is_blank(*byte)).count();
        self.advance(count);
        count > 0
    }

    /// Takes `word` if it stands here, whatever follows.
    pub(super) fn word(&mut self, word: &str) -> bool {
        let found = self.rest().starts_with(word);
        if found {
            self.take(word.len());
        }
        found
    }

    /// Takes `word` and the blanks behind it, at least one.
    pub(super) fn word_and_blank(&mut self, word: &str) -> bool {
        let mark = self.mark();
        let found = self.word(word) && self.blank();
        if !found {
            self.reset(mark);
        }
        found
    }

    /// Takes one `not` with the white space behind it.
    pub(super) fn not(&mut self) -> bool {
        let Some(behind) = self.rest().strip_prefix("not") else {
            return false;
        };
        let spaces = behind.bytes().take_while(|byte| is_space(*byte)).count();
        if spaces > 0 {
            self.take("not".len() + spaces);
        }
        spaces > 0
    }

    pub(super) fn identifier(&mut self) -> Option<&'a str> {
        self.token(identifier_len(self.rest().as_bytes()))
    }

    /// `a.b` with at least one dot; every part begins with a letter.
    pub(super) fn field_name(&mut self) -> Option<&'a str> {
        let bytes = self.rest().as_bytes();
        let first = identifier_len(bytes);
        let mut end = first;
        while first > 0 && bytes.get(end) == Some(&b'.') {
            match identifier_len(bytes.get(end + 1..).unwrap_or_default()) {
                0 => break,
                part => end += 1 + part,
            }
        }
        self.token(if end > first { end } else { 0 })
    }

    pub(super) fn number(&mut self) -> Option<&'a str> {
        let bytes = self.rest().as_bytes();
        let len = match hex_len(bytes) {
            0 => number_len(bytes),
            hex => hex,
        };
        self.token(len)
    }

    pub(super) fn bare_string(&mut self) -> Option<&'a str> {
        self.token(self.rest().bytes().take_while(|byte| is_bare(*byte)).count())
    }

    pub(super) fn bare_argument(&mut self) -> Option<&'a str> {
        self.token(self.rest().bytes().take_while(|byte| is_bare_argument(*byte)).count())
    }

    /// A quoted string, unescaped. It ends at the next same quote that has no backslash before it,
    /// even if that backslash is itself escaped: so does Falco. Not closed: no token.
    pub(super) fn quoted(&mut self) -> Option<Result<String, String>> {
        let rest = self.rest();
        let quote = rest.bytes().next().filter(|byte| matches!(byte, b'"' | b'\''))?;
        let mut previous = b'\\';
        for (index, byte) in rest.bytes().enumerate() {
            if byte == 0 {
                return None;
            }
            if byte == quote && previous != b'\\' {
                let token = rest.get(..=index)?;
                self.advance(token.len());
                self.last = Last::Quoted(token);
                return Some(unescape(token));
            }
            previous = byte;
        }
        None
    }

    fn token(&mut self, len: usize) -> Option<&'a str> {
        (len > 0).then(|| self.take(len))
    }

    fn take(&mut self, len: usize) -> &'a str {
        let token = self.rest().get(..len).unwrap_or_default();
        self.advance(len);
        self.last = Last::Plain(token);
        token
    }

    /// Moves on. A line ends at CR and at LF, so CR LF counts twice: so does Falco.
    fn advance(&mut self, len: usize) {
        for byte in self.rest().bytes().take(len) {
            self.at.offset += 1;
            self.at.column += 1;
            if matches!(byte, b'\r' | b'\n') {
                self.at.column = 1;
                self.at.line += 1;
            }
        }
    }
}

/// The text of a quoted string, with its quotes given.
fn unescape(token: &str) -> Result<String, String> {
    let quote = token.chars().next();
    let inner = token.get(1..token.len().saturating_sub(1)).unwrap_or_default();
    if !inner.contains('\\') {
        return Ok(inner.to_owned());
    }
    let mut text = String::with_capacity(inner.len());
    let mut chars = inner.chars();
    while let Some(char) = chars.next() {
        if char != '\\' {
            text.push(char);
            continue;
        }
        match chars.next() {
            None => {}
            Some('b') => text.push('\u{8}'),
            Some('f') => text.push('\u{c}'),
            Some('n') => text.push('\n'),
            Some('r') => text.push('\r'),
            Some('t') => text.push('\t'),
            // A backslash before a blank stays: old rules are written so.
            Some(' ' | '\\') => text.push('\\'),
            Some('/') => text.push('/'),
            Some(same @ ('"' | '\'')) if Some(same) == quote => text.push(same),
            Some('"') => return Err("invalid \\\" escape in '-quoted string".to_owned()),
            Some('\'') => return Err("invalid \\' escape in \"-quoted string".to_owned()),
            Some(other) => {
                return Err(format!("unsupported string escape sequence: \\{other}"));
            }
        }
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_may_have_a_sign_a_point_and_a_signed_exponent() {
        for (text, len) in
            [("12 ", 2), ("+1", 2), ("-", 0), ("1.", 2), ("1.5e5", 3), ("1e+5x", 4), (".5", 0)]
        {
            assert_eq!(number_len(text.as_bytes()), len, "{text}");
        }
        assert_eq!(hex_len(b"0x1fg"), 4);
        assert_eq!(hex_len(b"0x"), 0);
    }

    #[test]
    fn a_quote_behind_a_backslash_never_closes() {
        assert!(Lexer::new(r#""a\\""#).quoted().is_none());
    }

    #[test]
    fn a_blank_behind_a_backslash_gives_the_backslash() {
        assert_eq!(Lexer::new(r#""a\ b""#).quoted(), Some(Ok("a\\b".to_owned())));
    }

    #[test]
    fn positions_count_lines_and_columns_from_one() {
        let mut lexer = Lexer::new("a\n b");
        lexer.identifier();
        lexer.blank();
        assert_eq!(lexer.position(), Position { offset: 3, line: 2, column: 2 });
    }
}
