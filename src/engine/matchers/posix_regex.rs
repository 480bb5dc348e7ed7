//! Regular expressions as RE2 reads them in its POSIX syntax: egrep without Perl's additions.
//!
//! A pattern is checked with RE2's rules and texts, written in the syntax of the `regex` crate
//! and matched against the whole value. Which alternative matches, and how far, doesn't matter
//! then, so leftmost-longest and leftmost-first come to the same. `^` and `$` match at line ends.

use std::borrow::Cow;

use regex::{Regex, RegexBuilder};

/// As much memory as RE2 allows one pattern.
const SIZE_LIMIT: usize = 8 << 20;

/// RE2's limit for a repetition.
const MAX_REPEAT: u32 = 1000;

/// A prepared pattern.
#[derive(Clone, Debug)]
pub struct PosixRegex {
    regex: Regex,
}

impl PosixRegex {
    /// Prepares a pattern.
    ///
    /// # Errors
    ///
    /// With RE2's text if it isn't one, or if it is too large.
    pub fn new(pattern: &str) -> Result<Self, String> {
        let translated = Translator::new(pattern).translate()?;
        RegexBuilder::new(&format!(r"\A(?:{translated})\z"))
            .size_limit(SIZE_LIMIT)
            .build()
            .map(|regex| Self { regex })
            .map_err(|_| "pattern too large - compile failed".to_owned())
    }

    /// Whether the whole of `value` matches; what isn't UTF-8 in it counts as U+FFFD.
    #[must_use]
    pub fn matches(&self, value: &[u8]) -> bool {
        if let Ok(text) = std::str::from_utf8(value) {
            return self.regex.is_match(text);
        }
        let mut buffer = [0; 1024];
        self.regex.is_match(&replace_invalid(value, &mut buffer))
    }
}

/// The text with U+FFFD for what isn't UTF-8; in `buffer` if it fits, else on the heap.
fn replace_invalid<'a>(value: &[u8], buffer: &'a mut [u8]) -> Cow<'a, str> {
    let replacement = char::REPLACEMENT_CHARACTER;
    let mut len = 0;
    let mut put = |text: &str| {
        let end = len + text.len();
        let place = buffer.get_mut(len..end)?;
        place.copy_from_slice(text.as_bytes());
        len = end;
        Some(())
    };
    let mut encoded = [0; 4];
    let replacement = &*replacement.encode_utf8(&mut encoded);
    let fits = value.utf8_chunks().all(|chunk| {
        let rest = if chunk.invalid().is_empty() { "" } else { replacement };
        put(chunk.valid()).and_then(|()| put(rest)).is_some()
    });
    match buffer.get(..len).map(std::str::from_utf8) {
        Some(Ok(text)) if fits => Cow::Borrowed(text),
        _ => Cow::Owned(String::from_utf8_lossy(value).into_owned()),
    }
}

struct Translator<'a> {
    pattern: &'a str,
    /// What is still to be read.
    rest: &'a str,
    out: String,
    /// Where the open groups begin in `out`.
    groups: Vec<usize>,
    /// Where the last thing that can be repeated begins in `out`.
    atom: Option<usize>,
    /// That thing is itself a repetition.
    is_repeated: bool,
}

impl<'a> Translator<'a> {
    const fn new(pattern: &'a str) -> Self {
        Self {
            pattern,
            rest: pattern,
            out: String::new(),
            groups: Vec::new(),
            atom: None,
            is_repeated: false,
        }
    }

    fn translate(mut self) -> Result<String, String> {
        while let Some(first) = self.rest.chars().next() {
            let before = self.rest;
            self.rest = before.get(first.len_utf8()..).unwrap_or("");
            match first {
                '(' => {
                    self.groups.push(self.out.len());
                    self.out.push_str("(?:");
                    self.atom = None;
                    self.is_repeated = false;
                }
                ')' => {
                    let Some(start) = self.groups.pop() else {
                        return Err(format!("unexpected ): {}", self.pattern));
                    };
                    self.end_atom(start, ")");
                }
                '|' => {
                    self.out.push('|');
                    self.atom = None;
                    self.is_repeated = false;
                }
                '*' | '+' | '?' => self.repeat(first.encode_utf8(&mut [0; 4]))?,
                '{' => self.braces(before)?,
                '^' => self.end_atom(self.out.len(), "(?m:^)"),
                '$' => self.end_atom(self.out.len(), "(?m:$)"),
                '.' => self.end_atom(self.out.len(), "."),
                '[' => {
                    let start = self.out.len();
                    self.class(before)?;
                    self.end_atom(start, "");
                }
                '\\' => {
                    let escaped = self.escape(before)?;
                    self.literal(escaped);
                }
                _ => self.literal(first),
            }
        }
        if self.groups.is_empty() {
            return Ok(self.out);
        }
        Err(format!("missing ): {}", self.pattern))
    }

    /// Ends something that can be repeated, which began at `start`.
    fn end_atom(&mut self, start: usize, text: &str) {
        self.out.push_str(text);
        self.atom = Some(start);
        self.is_repeated = false;
    }

    fn literal(&mut self, literal: char) {
        let start = self.out.len();
        push_literal(&mut self.out, literal);
        self.end_atom(start, "");
    }

    /// A repetition; one of a repetition (`a*?` is no Perl here) gets parentheses.
    fn repeat(&mut self, operator: &str) -> Result<(), String> {
        let Some(start) = self.atom else {
            return Err(format!("no argument for repetition operator: {operator}"));
        };
        if self.is_repeated {
            self.out.insert_str(start, "(?:");
            self.out.push(')');
        }
        self.out.push_str(operator);
        self.is_repeated = true;
        Ok(())
    }

    /// `{n}`, `{n,}` or `{n,m}`; anything else is a literal brace.
    fn braces(&mut self, before: &'a str) -> Result<(), String> {
        let counts = self.rest.split_once('}').and_then(|(inner, rest)| {
            let (low, high) = inner.split_once(',').unwrap_or((inner, inner));
            let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
            let is_valid = !low.is_empty() && is_number(low) && is_number(high);
            is_valid.then_some((low, high, rest))
        });
        let Some((low, high, rest)) = counts else {
            self.literal('{');
            return Ok(());
        };
        let len = before.len() - rest.len();
        let operator = before.get(..len).unwrap_or("");
        let number = |text: &str| text.parse::<u32>().ok().filter(|number| *number <= MAX_REPEAT);
        let is_in_range = match (number(low), number(high)) {
            (Some(_), _) if high.is_empty() => true,
            (Some(low), Some(high)) => low <= high,
            _ => false,
        };
        if !is_in_range {
            return Err(format!("invalid repetition size: {operator}"));
        }
        self.rest = rest;
        self.repeat(operator)
    }

    /// What follows a backslash; `before` begins with the backslash.
    fn escape(&mut self, before: &'a str) -> Result<char, String> {
        let mut chars = self.rest.chars();
        let Some(first) = chars.next() else {
            return Err("trailing \\".to_owned());
        };
        let mut rest = chars.as_str();
        let bad = |rest: &str| {
            let len = before.len() - rest.len();
            Err(format!("invalid escape sequence: {}", before.get(..len).unwrap_or(before)))
        };
        let escaped = match first {
            'a' => '\x07',
            'f' => '\x0c',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'v' => '\x0b',
            '1'..='7' if !rest.starts_with(|c: char| matches!(c, '0'..='7')) => return bad(rest),
            '0'..='7' => {
                let mut code = first.to_digit(8).unwrap_or(0);
                for _ in 0..2 {
                    let Some(digit) = rest.chars().next().and_then(|c| c.to_digit(8)) else {
                        break;
                    };
                    code = code * 8 + digit;
                    rest = rest.get(1..).unwrap_or("");
                }
                char::from_u32(code).unwrap_or('\0')
            }
            'x' => match hex(rest) {
                Some((code, tail)) => {
                    rest = tail;
                    code
                }
                None => return bad(rest),
            },
            _ if first.is_ascii() && !first.is_ascii_alphanumeric() && first != '_' => first,
            _ => return bad(rest),
        };
        self.rest = rest;
        Ok(escaped)
    }

    /// A class; `before` begins with its bracket.
    fn class(&mut self, before: &'a str) -> Result<(), String> {
        let missing = || format!("missing ]: {before}");
        self.out.push('[');
        if let Some(rest) = self.rest.strip_prefix('^') {
            self.out.push('^');
            self.rest = rest;
        }
        let mut is_first = true;
        loop {
            let start = self.rest;
            if start.is_empty() {
                return Err(missing());
            }
            if let (Some(rest), false) = (start.strip_prefix(']'), is_first) {
                self.rest = rest;
                self.out.push(']');
                return Ok(());
            }
            if let (Some(rest), false) = (start.strip_prefix('-'), is_first)
                && !rest.starts_with(']')
            {
                let len = 1 + rest.chars().next().map_or(0, char::len_utf8);
                let shown = start.get(..len).unwrap_or(start);
                return Err(format!("invalid character class range: {shown}"));
            }
            is_first = false;
            if let Some((name, rest)) = named_class(start)? {
                self.out.push_str(name);
                self.rest = rest;
                continue;
            }
            let low = self.class_member().ok_or_else(missing)??;
            push_literal(&mut self.out, low);
            if let Some(rest) = self.rest.strip_prefix('-')
                && !rest.starts_with(']')
            {
                self.rest = rest;
                let high = self.class_member().ok_or_else(missing)??;
                if high < low {
                    let shown = start.get(..start.len() - self.rest.len()).unwrap_or(start);
                    return Err(format!("invalid character class range: {shown}"));
                }
                self.out.push('-');
                push_literal(&mut self.out, high);
            }
        }
    }

    /// One character of a class; `None` at the end of the pattern.
    fn class_member(&mut self) -> Option<Result<char, String>> {
        let before = self.rest;
        let first = before.chars().next()?;
        self.rest = before.get(first.len_utf8()..).unwrap_or("");
        Some(if first == '\\' { self.escape(before) } else { Ok(first) })
    }
}

/// Writes a character so that the `regex` crate takes it for itself.
fn push_literal(out: &mut String, literal: char) {
    if literal.is_ascii() && !literal.is_ascii_alphanumeric() {
        out.push_str(&format!("\\x{:02X}", u32::from(literal)));
    } else {
        out.push(literal);
    }
}

/// Two hexadecimal digits or any number in braces, and what stands behind.
fn hex(text: &str) -> Option<(char, &str)> {
    let (digits, rest) = match text.strip_prefix('{') {
        Some(inner) => inner.split_once('}')?,
        None => text.split_at_checked(2)?,
    };
    let is_hex = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    let code = u32::from_str_radix(digits, 16).ok().filter(|_| is_hex)?;
    Some((char::from_u32(code)?, rest))
}

/// A `[:name:]` at the start of `text`, and what stands behind; `None` if none begins there.
fn named_class(text: &str) -> Result<Option<(&str, &str)>, String> {
    const NAMES: [&str; 14] = [
        "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct",
        "space", "upper", "word", "xdigit",
    ];
    let Some((name, _)) = text.strip_prefix("[:").and_then(|inner| inner.split_once(":]")) else {
        return Ok(None);
    };
    let Some((whole, rest)) = text.split_at_checked(name.len() + 4) else {
        return Ok(None);
    };
    if NAMES.contains(&name.strip_prefix('^').unwrap_or(name)) {
        return Ok(Some((whole, rest)));
    }
    Err(format!("invalid character class range: {whole}"))
}

/// About how many states a regular expression has, however it is written.
#[must_use]
pub fn states(pattern: &str) -> usize {
    /// What the machine costs beside its states.
    const MACHINE: usize = 400;
    /// Classes and the dot are trees of UTF-8 sequences.
    const CLASS: usize = 20;
    let mut open = vec![0_usize];
    let mut last = 0;
    let mut bytes = pattern.bytes();
    let add = |open: &mut Vec<usize>, states: usize| {
        if let Some(sum) = open.last_mut() {
            *sum = sum.saturating_add(states);
        }
        states
    };
    while let Some(byte) = bytes.next() {
        last = match byte {
            b'(' => {
                open.push(0);
                0
            }
            b')' if open.len() > 1 => {
                let inner = open.pop().unwrap_or_default();
                add(&mut open, inner)
            }
            b'[' | b'.' => add(&mut open, CLASS),
            b'{' => {
                let counts = bytes.by_ref().take_while(|byte| *byte != b'}');
                let counts = String::from_utf8_lossy(&counts.collect::<Vec<_>>()).into_owned();
                let most = counts.split(',').filter_map(|n| n.parse().ok()).max().unwrap_or(1);
                let more = last.saturating_mul(usize::max(most, 1).saturating_sub(1));
                add(&mut open, more).saturating_add(last)
            }
            _ => add(&mut open, 1),
        };
    }
    open.into_iter().fold(MACHINE, usize::saturating_add)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, value: &str) -> bool {
        PosixRegex::new(pattern).unwrap().matches(value.as_bytes())
    }

    fn error(pattern: &str) -> String {
        PosixRegex::new(pattern).unwrap_err()
    }

    #[test]
    fn the_whole_value_must_match() {
        assert!(matches("c[a-z]+(t|p)?", "cat"));
        assert!(!matches("at", "cat") && !matches("ca", "cat"));
        assert!(matches("a|ab", "ab"));
        assert!(matches(".*cat.*", "concatenate"));
    }

    #[test]
    fn perls_additions_are_refused_in_re2s_words() {
        assert_eq!(error(r"\d+"), r"invalid escape sequence: \d");
        assert_eq!(error(r"[\w]"), r"invalid escape sequence: \w");
        assert_eq!(error("(?=c)cat"), "no argument for repetition operator: ?");
        assert_eq!(error(r"a\1"), r"invalid escape sequence: \1");
    }

    #[test]
    fn mistakes_are_told_in_re2s_words() {
        assert_eq!(error("c[a-z"), "missing ]: [a-z");
        assert_eq!(error("(a"), "missing ): (a");
        assert_eq!(error("a)"), "unexpected ): a)");
        assert_eq!(error("*a"), "no argument for repetition operator: *");
        assert_eq!(error("a|{2}"), "no argument for repetition operator: {2}");
        assert_eq!(error("a{1001}"), "invalid repetition size: {1001}");
        assert_eq!(error("a{3,2}"), "invalid repetition size: {3,2}");
        assert_eq!(error("a\\"), "trailing \\");
        assert_eq!(error("[z-a]"), "invalid character class range: z-a");
        assert_eq!(error("[[:foo:]]"), "invalid character class range: [:foo:]");
        assert_eq!(error("((a{1000}){1000}){1000}"), "pattern too large - compile failed");
    }

    #[test]
    fn a_question_mark_behind_a_repetition_is_a_repetition() {
        assert!(matches("a+?", "") && matches("a+?", "aaa"));
        assert!(matches("a**", "aa"));
    }

    #[test]
    fn braces_that_are_no_repetition_are_literal() {
        assert!(matches("a{x}", "a{x}") && matches("a{,2}", "a{,2}") && matches("{", "{"));
        assert!(matches("a{2}", "aa") && matches("a{1,}", "aaa"));
    }

    #[test]
    fn classes_have_no_operators_of_their_own() {
        assert!(matches("[a&&b]", "&") && matches("[a[]", "[") && matches("[]a]", "]"));
        assert!(matches("[[:digit:]_]+", "1_2") && matches("[^a-c]", "d") && matches("[a-]", "-"));
        assert!(matches(r"[\]]", "]") && matches(r"[[:^alpha:]]", "1"));
    }

    #[test]
    fn escapes_stand_for_themselves() {
        assert!(matches(r"\/a\.b\<", "/a.b<") && matches(r"\x41\012", "A\n"));
        assert!(matches("é+", "éé") && matches(".", "é"));
    }

    #[test]
    fn a_dot_does_not_match_a_newline_and_anchors_match_at_lines() {
        assert!(!matches("a.b", "a\nb") && matches("a\n^b$", "a\nb"));
    }

    #[test]
    fn invalid_utf8_counts_as_the_replacement_character() {
        let regex = PosixRegex::new("a.b").unwrap();
        assert!(regex.matches(b"a\xffb"));
        let long = [b"a\xff".as_slice(), &[b'x'; 2000]].concat();
        assert!(PosixRegex::new("a.x*").unwrap().matches(&long));
    }
}
