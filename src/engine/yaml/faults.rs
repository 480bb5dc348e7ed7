//! Where Falco's YAML library sees a fault, from where our parser sees it.

/// The place of a fault that the parser tells as `info` at byte `at`.
pub(super) fn place(text: &str, at: usize, info: &str) -> usize {
    let found = if info.contains("found unknown escape") {
        behind_bad_escape(text, at)
    } else if info.contains("indicator equal to 0") {
        text.get(at..).and_then(|rest| rest.find('0')).map(|zero| at + zero + 1)
    } else if info.contains("anchor or alias, did not find") {
        Some(at + 1)
    } else if info.contains("did not find expected key") {
        dash_before(text, at)
    } else if info.contains("simple key expect ':'") {
        text.get(..at).map(|before| line_start(before.trim_end()))
    } else if info.contains("invalid trailing content") {
        quote_before(text, at)
    } else if info.contains("tab") {
        indenting_tab(text, at)
    } else {
        None
    };
    found.unwrap_or(at)
}

/// The first byte of the last line of `text` that is no blank.
fn line_start(text: &str) -> usize {
    let line = text.rsplit('\n').next().unwrap_or_default();
    text.len() - line.trim_start().len()
}

/// Behind the first escape, in the quoted scalar that begins at `from`, that there isn't.
fn behind_bad_escape(text: &str, from: usize) -> Option<usize> {
    let mut rest = text.get(from..)?.char_indices();
    while let Some((_, char)) = rest.next() {
        if char == '\\' {
            let (at, escaped) = rest.next()?;
            if !"0abt\tnvfre \"'\\/N_LPxuU\n\r".contains(escaped) {
                return Some(from + at + escaped.len_utf8());
            }
        }
    }
    None
}

/// The dash of a sequence where a key should stand; the parser is already behind it.
fn dash_before(text: &str, at: usize) -> Option<usize> {
    let before = text.get(..at)?.trim_end_matches(' ');
    let dash = before.len().checked_sub(1).filter(|_| before.ends_with('-'))?;
    (line_start(before) == dash).then_some(dash)
}

/// The quoted scalar where a key should stand, if the line begins with it.
fn quote_before(text: &str, at: usize) -> Option<usize> {
    let start = line_start(text.get(..at)?);
    matches!(text.as_bytes().get(start), Some(b'"' | b'\'')).then_some(start)
}

/// The first tab that indents a line below the one of `at`.
fn indenting_tab(text: &str, at: usize) -> Option<usize> {
    let mut start = at;
    loop {
        start += text.get(start..)?.find('\n')? + 1;
        let rest = text.get(start..)?;
        let blanks = rest.bytes().take_while(|byte| *byte == b' ').count();
        if rest.as_bytes().get(blanks) == Some(&b'\t') {
            return Some(start + blanks);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::engine::yaml::parse;

    fn at(text: &str) -> (usize, usize) {
        let error = parse(text).unwrap_err();
        (error.line, error.column)
    }

    #[test]
    fn faults_are_where_falco_tells_them() {
        assert_eq!(at("- rule: \"x\\qy\"\n"), (0, 12));
        assert_eq!(at("- rule: *\n"), (0, 9));
        assert_eq!(at("- rule: >-0\n    x\n"), (0, 11));
        assert_eq!(at("- rule: x\n  - desc: y\n"), (1, 2));
        assert_eq!(at("rule: x\n- list: y\n"), (1, 0));
        assert_eq!(at("- rule: x\n  desc\n"), (1, 2));
        assert_eq!(at("- \"a\": b\n  \"c\" d\n"), (1, 2));
        assert_eq!(at("- rule: \"x\" y\n"), (0, 12));
        assert_eq!(at("- rule: Tabbed\n\tdesc: x\n"), (1, 0));
        assert_eq!(at("- rule: x\n   desc: y\n"), (1, 7));
    }
}
