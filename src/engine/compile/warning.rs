//! Literals that compile and are probably not meant (LOAD_COMPILE_CONDITION).

use std::borrow::Cow;
use std::sync::LazyLock;

use rustc_hash::FxHashSet;

use super::Warning;
use crate::engine::lang::ast::{Operator, Position, Transformer};
use crate::fields::{CLASSES, lookup};

/// What stands before the first dot of fields' names.
static FAMILIES: LazyLock<FxHashSet<&'static str>> = LazyLock::new(|| {
    let names = CLASSES.iter().flat_map(|class| class.fields).map(|row| row.name);
    names.chain(["static."]).filter_map(|name| name.split('.').next()).collect()
});

/// Adds the warnings about one literal.
pub(super) fn of_value(operator: Operator, text: &str, at: Position, warnings: &mut Vec<Warning>) {
    let mut warn = |message: String| warnings.push(Warning { message, at });
    if operator == Operator::Regex && is_simple_regex(text.as_bytes()) {
        warn(format!(
            "regex check with '{text}' may be optimized with simpler operators such as '=', 'contains', 'startswith', 'endswith'"
        ));
    }
    let is_c_space = |c: char| matches!(c, ' ' | '\t'..='\r');
    let squeezed: Cow<'_, str> = if text.contains(is_c_space) {
        Cow::Owned(text.chars().filter(|c| !is_c_space(*c)).collect())
    } else {
        Cow::Borrowed(text)
    };
    if is_field(&squeezed) {
        warn(format!("'{text}' may be a valid field misused as a const string value"));
    }
    if is_transformer(&squeezed) {
        warn(format!("'{text}' may be a valid field transformer misused as a const string value"));
    }
}

/// Whether nothing but its ends says that a pattern is one: anchors, or "anything" repeated.
fn is_simple_regex(pattern: &[u8]) -> bool {
    let is_repetition = |byte: Option<&u8>| matches!(byte, Some(b'+' | b'*' | b'?'));
    let last = pattern.len().wrapping_sub(1);
    let mut index = 0;
    while let Some(byte) = pattern.get(index) {
        let is_anchor = (index == 0 && *byte == b'^') || (index == last && *byte == b'$');
        let is_at_end = index == 0 || index + 1 == last;
        if *byte == b'.' && is_at_end && is_repetition(pattern.get(index + 1)) {
            index += 2;
            continue;
        }
        if !is_anchor && b".+*?^$()[]{}|\\".contains(byte) {
            return false;
        }
        index += 1;
    }
    true
}

fn is_field(text: &str) -> bool {
    // Most literals don't begin as any field does.
    if !text.split_once('.').is_some_and(|(family, _)| FAMILIES.contains(family)) {
        return false;
    }
    let looked_up = match text.split_once('[') {
        Some((name, rest)) => match rest.strip_suffix(']') {
            Some(argument) => lookup(name, Some(argument)),
            None => return false,
        },
        None => lookup(text, None),
    };
    looked_up.is_ok()
}

fn is_transformer(text: &str) -> bool {
    let names = Transformer::ALL.iter().map(|transformer| transformer.name()).chain(["val"]);
    text.ends_with(')')
        && names
            .into_iter()
            .any(|name| text.strip_prefix(name).is_some_and(|rest| rest.starts_with('(')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_with_something_special_only_at_its_ends_is_simple() {
        for pattern in ["cat", "/etc", ".*cat.*", "^cat$", "cat.+", ".?cat", ""] {
            assert!(is_simple_regex(pattern.as_bytes()), "{pattern}");
        }
        for pattern in ["c.t", "c[a-z]+(t|p)?", "a.*b", "\\.cat", "cat\\$x", "."] {
            assert!(!is_simple_regex(pattern.as_bytes()), "{pattern}");
        }
    }

    #[test]
    fn fields_and_transformers_are_recognised_in_literals() {
        assert!(is_field("proc.pname") && is_field("proc.aname[2]") && !is_field("proc.shoe"));
        assert!(is_transformer("toupper(proc.pname)") && is_transformer("val(x)"));
        assert!(!is_transformer("upper(x)") && !is_transformer("tolower"));
    }
}
