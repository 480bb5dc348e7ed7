//! Patterns of fnmatch(3) with flags 0, over bytes: `*` and `?` match slashes and leading dots.
//!
//! What glibc does with malformed patterns is kept: a bracket that is never closed is a literal,
//! and a pattern that ends in a lone backslash matches nothing.

/// A prepared pattern.
#[derive(Clone, Debug)]
pub struct Glob {
    tokens: Box<[Token]>,
    ignores_case: bool,
    /// It ends in a lone backslash.
    is_impossible: bool,
}

#[derive(Clone, Debug)]
enum Token {
    Byte(u8),
    Any,
    Star,
    Class(Box<[u64; 4]>),
}

impl Glob {
    /// Prepares a pattern; every text is one.
    #[must_use]
    pub fn new(pattern: &[u8], ignores_case: bool) -> Self {
        let mut tokens = Vec::new();
        let mut is_impossible = false;
        let mut rest = pattern;
        while let Some((&byte, tail)) = rest.split_first() {
            rest = tail;
            match byte {
                b'*' if matches!(tokens.last(), Some(Token::Star)) => {}
                b'*' => tokens.push(Token::Star),
                b'?' => tokens.push(Token::Any),
                b'\\' => match tail.split_first() {
                    Some((&escaped, tail)) => {
                        tokens.push(Token::Byte(fold(escaped, ignores_case)));
                        rest = tail;
                    }
                    None => is_impossible = true,
                },
                b'[' => match class(tail, ignores_case) {
                    Some((bits, tail)) => {
                        tokens.push(Token::Class(Box::new(bits)));
                        rest = tail;
                    }
                    None => tokens.push(Token::Byte(b'[')),
                },
                _ => tokens.push(Token::Byte(fold(byte, ignores_case))),
            }
        }
        Self { tokens: tokens.into(), ignores_case, is_impossible }
    }

    /// Whether `value` matches from start to end.
    #[must_use]
    pub fn matches(&self, value: &[u8]) -> bool {
        if self.is_impossible {
            return false;
        }
        // Only the last star ever needs to take more: what an earlier one could give to the
        // tokens behind it, the last one can skip itself.
        let (mut token, mut at) = (0, 0);
        let mut retry: Option<(usize, usize)> = None;
        loop {
            match (self.tokens.get(token), value.get(at)) {
                (None, None) => return true,
                (Some(Token::Star), _) => {
                    token += 1;
                    retry = Some((token, at));
                }
                (Some(one), Some(&byte)) if self.takes(one, byte) => {
                    token += 1;
                    at += 1;
                }
                _ => match retry {
                    Some((behind_star, from)) if from < value.len() => {
                        token = behind_star;
                        at = from + 1;
                        retry = Some((behind_star, at));
                    }
                    _ => return false,
                },
            }
        }
    }

    /// The literal that a match begins with; nothing if case is ignored.
    #[must_use]
    pub fn prefix(&self) -> Box<[u8]> {
        literal(self.tokens.iter(), self.ignores_case).collect()
    }

    /// The literal that a match ends with; nothing if case is ignored.
    #[must_use]
    pub fn suffix(&self) -> Box<[u8]> {
        let mut reversed: Vec<_> = literal(self.tokens.iter().rev(), self.ignores_case).collect();
        reversed.reverse();
        reversed.into()
    }

    /// If there is nothing special in the pattern, the only text that matches.
    #[must_use]
    pub fn as_literal(&self) -> Option<Box<[u8]>> {
        let prefix = self.prefix();
        (prefix.len() == self.tokens.len() && !self.is_impossible && !self.ignores_case)
            .then_some(prefix)
    }

    fn takes(&self, token: &Token, byte: u8) -> bool {
        match token {
            Token::Byte(expected) => fold(byte, self.ignores_case) == *expected,
            Token::Any => true,
            Token::Star => false,
            Token::Class(bits) => has(bits, byte),
        }
    }
}

/// The bytes of the leading literal tokens.
fn literal<'a>(
    tokens: impl Iterator<Item = &'a Token>,
    ignores_case: bool,
) -> impl Iterator<Item = u8> {
    tokens.map_while(move |token| match token {
        Token::Byte(byte) if !ignores_case => Some(*byte),
        _ => None,
    })
}

const fn fold(byte: u8, ignores_case: bool) -> u8 {
    if ignores_case { byte.to_ascii_lowercase() } else { byte }
}

fn has(bits: &[u64; 4], byte: u8) -> bool {
    bits.get(usize::from(byte / 64)).is_some_and(|word| word >> (byte % 64) & 1 == 1)
}

fn put(bits: &mut [u64; 4], byte: u8) {
    if let Some(word) = bits.get_mut(usize::from(byte / 64)) {
        *word |= 1 << (byte % 64);
    }
}

/// Reads a class behind its opening bracket, and what stands behind it; `None` if it isn't closed.
fn class(text: &[u8], ignores_case: bool) -> Option<([u64; 4], &[u8])> {
    // Names are asked about a byte as it is, ranges about its folded form.
    let (mut bits, mut ranges) = ([0; 4], [0; 4]);
    let (is_negated, mut rest) = match text.split_first()? {
        (b'!' | b'^', tail) => (true, tail),
        _ => (false, text),
    };
    let mut is_first = true;
    loop {
        let (&byte, tail) = rest.split_first()?;
        if byte == b']' && !is_first {
            rest = tail;
            break;
        }
        is_first = false;
        if let Some((members, tail)) = named(rest) {
            (0..=u8::MAX).filter(members).for_each(|byte| put(&mut bits, byte));
            rest = tail;
            continue;
        }
        let (low, tail) = member(rest)?;
        rest = tail;
        let high = match tail {
            [b'-', next, ..] if *next != b']' => {
                let (high, tail) = member(tail.get(1..)?)?;
                rest = tail;
                high
            }
            _ => low,
        };
        let (low, high) = (fold(low, ignores_case), fold(high, ignores_case));
        (low..=high).for_each(|byte| put(&mut ranges, byte));
    }
    for byte in (0..=u8::MAX).filter(|byte| has(&ranges, fold(*byte, ignores_case))) {
        put(&mut bits, byte);
    }
    if is_negated {
        bits = bits.map(|word| !word);
    }
    Some((bits, rest))
}

/// One member of a class, which may be escaped or written `[.x.]` or `[=x=]`.
fn member(text: &[u8]) -> Option<(u8, &[u8])> {
    match text {
        [b'\\', escaped, tail @ ..] => Some((*escaped, tail)),
        [b'[', b'.', byte, b'.', b']', tail @ ..] | [b'[', b'=', byte, b'=', b']', tail @ ..] => {
            Some((*byte, tail))
        }
        [byte, tail @ ..] => Some((*byte, tail)),
        [] => None,
    }
}

type Members = fn(&u8) -> bool;

/// A `[:name:]` at the start of `text`, and what stands behind it.
fn named(text: &[u8]) -> Option<(Members, &[u8])> {
    const NAMES: [(&[u8], Members); 12] = [
        (b"alnum", u8::is_ascii_alphanumeric),
        (b"alpha", u8::is_ascii_alphabetic),
        (b"blank", |byte| matches!(byte, b' ' | b'\t')),
        (b"cntrl", u8::is_ascii_control),
        (b"digit", u8::is_ascii_digit),
        (b"graph", u8::is_ascii_graphic),
        (b"lower", u8::is_ascii_lowercase),
        (b"print", |byte| matches!(byte, b' '..=b'~')),
        (b"punct", u8::is_ascii_punctuation),
        (b"space", |byte| matches!(byte, b' ' | b'\t'..=b'\r')),
        (b"upper", u8::is_ascii_uppercase),
        (b"xdigit", u8::is_ascii_hexdigit),
    ];
    let inner = text.strip_prefix(b"[:")?;
    NAMES.iter().find_map(|&(name, members)| {
        Some((members, inner.strip_prefix(name)?.strip_prefix(b":]")?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// (pattern, value, fnmatch with flags 0, with FNM_CASEFOLD), as glibc in the C locale says.
    const CASES: &[(&str, &str, bool, bool)] = include!("glob_cases.in");

    #[test]
    fn patterns_match_as_with_glibc() {
        let mut wrong = Vec::new();
        for &(pattern, value, plain, folded) in CASES {
            for (ignores_case, expected) in [(false, plain), (true, folded)] {
                let glob = Glob::new(pattern.as_bytes(), ignores_case);
                if glob.matches(value.as_bytes()) != expected {
                    wrong.push((pattern, value, ignores_case, expected));
                }
            }
        }
        assert_eq!(wrong, []);
    }

    #[test]
    fn a_star_takes_slashes_and_leading_dots() {
        assert!(Glob::new(b"/etc/*.conf", false).matches(b"/etc/a/.b/c.conf"));
    }

    #[test]
    fn literals_at_both_ends_are_known() {
        let glob = Glob::new(b"/etc/*.conf", false);
        assert_eq!((&*glob.prefix(), &*glob.suffix()), (&b"/etc/"[..], &b".conf"[..]));
        assert_eq!(glob.as_literal(), None);
        assert_eq!(Glob::new(b"a\\*b", false).as_literal().as_deref(), Some(&b"a*b"[..]));
    }

    #[test]
    fn many_stars_do_not_take_exponential_time() {
        let pattern = "a*".repeat(60) + "b";
        assert!(!Glob::new(pattern.as_bytes(), false).matches("a".repeat(5000).as_bytes()));
    }
}
