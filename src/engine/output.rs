//! A rule's output: text with `%fields`, parsed once, filled in for every alert.
//!
//! A token is `%`, a width if wanted, and the longest text behind it that names a field or a
//! transformer: `%proc.namefoo` is the name of the process and `foo`. A field without a value is
//! printed as `<NA>`: Falco puts a `*` before every output, which says so. There is no escape for
//! a percent sign.

use super::compile::source_of;
use super::lang::parser::parse_operand;
use super::transform::Source;
use crate::event::{Event, Value};
use crate::fields::text::printable;
use crate::fields::{Field, FieldFlags, lookup, print};

/// What stands for a field without a value.
pub const NO_VALUE: &[u8] = b"<NA>";

/// A parsed output.
#[derive(Clone, Debug)]
pub struct Template {
    pieces: Box<[Piece]>,
    /// Every field that is named, sorted by text, once.
    fields: Box<[Field]>,
}

/// A piece of an output.
#[derive(Clone, Debug)]
enum Piece {
    Text(Box<[u8]>),
    Field { field: Field, width: Option<usize> },
    Transformed { source: Source, is_sanitised: bool, width: Option<usize> },
}

/// Why an output doesn't parse; Falco's text.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{0}")]
pub struct OutputError(pub String);

impl Template {
    /// Parses an output.
    ///
    /// # Errors
    ///
    /// With Falco's text if a field doesn't exist or the format is malformed.
    pub fn parse(text: &str) -> Result<Self, OutputError> {
        let mut rest = text.strip_prefix('*').unwrap_or(text);
        if rest.trim_ascii().is_empty() {
            return Err(OutputError("empty formatting token".to_owned()));
        }
        let mut pieces = Vec::new();
        let mut fields = Vec::new();
        while !rest.is_empty() {
            let Some((before, token)) = rest.split_once('%') else {
                pieces.push(Piece::Text(rest.as_bytes().into()));
                break;
            };
            if !before.is_empty() {
                pieces.push(Piece::Text(before.as_bytes().into()));
            }
            let (width, token) = width(token)?;
            let (piece, behind) = field(token, width, &mut fields)
                .or_else(|| transformer(token, width, &mut fields))
                .ok_or_else(|| unknown(token))?;
            pieces.push(piece);
            rest = behind;
        }
        fields.sort_by(|a: &Field, b| a.text.cmp(&b.text));
        fields.dedup_by(|a, b| a.text == b.text);
        Ok(Self { pieces: pieces.into(), fields: fields.into() })
    }

    /// Appends the text for an event to `out`, without a newline. A field without a value becomes
    /// [`NO_VALUE`]; bytes that are no text are printed as Falco prints them.
    pub fn write_text(&self, event: &Event<'_>, out: &mut Vec<u8>) {
        for piece in &self.pieces {
            let start = out.len();
            let (has_value, width) = match piece {
                Piece::Text(text) => {
                    out.extend_from_slice(text);
                    continue;
                }
                Piece::Field { field, width } => (push_field(event, field, out), *width),
                Piece::Transformed { source, is_sanitised, width } => {
                    (push_transformed(event, source, *is_sanitised, out), *width)
                }
            };
            if !has_value {
                out.truncate(start);
                out.extend_from_slice(NO_VALUE);
            }
            if let Some(width) = width {
                out.resize(start + width, b' ');
            }
        }
    }

    /// Every field that is named, sorted by its text, once; also those inside transformers.
    #[must_use]
    pub fn fields(&self) -> &[Field] {
        &self.fields
    }

    /// The field, if the output is nothing but one field.
    #[must_use]
    pub fn only_field(&self) -> Option<&Field> {
        match &*self.pieces {
            [Piece::Field { field, width: None }] => Some(field),
            _ => None,
        }
    }
}

/// Appends a field's text; false if it has no value. What is for conditions only has none.
fn push_field(event: &Event<'_>, field: &Field, out: &mut Vec<u8>) -> bool {
    !field.info.has(FieldFlags::FILTER_ONLY) && print::push_field(event, field, out)
}

/// Appends the text of a transformer; false if it has no value. Falco prints no number that a
/// transformer gives (`len`), though conditions compare it.
fn push_transformed(
    event: &Event<'_>,
    source: &Source,
    is_sanitised: bool,
    out: &mut Vec<u8>,
) -> bool {
    match source.value(event) {
        None | Some(Value::UInt(_) | Value::Int(_)) => false,
        Some(Value::Bytes(text)) if is_sanitised => {
            print::push_value(Value::Bytes(printable(event.arena, text)), out)
        }
        Some(value) => print::push_value(value, out),
    }
}

/// Takes the digits behind a percent sign; zero is no width.
fn width(token: &str) -> Result<(Option<usize>, &str), OutputError> {
    let malformed = |what| {
        OutputError(format!("invalid formatting syntax: formatting cannot end with a {what}"))
    };
    if token.is_empty() {
        return Err(malformed("%"));
    }
    let end = token.bytes().position(|byte| !byte.is_ascii_digit());
    let Some((digits, rest)) = end.and_then(|end| token.split_at_checked(end)) else {
        return Err(malformed("number"));
    };
    // Wider than any line is meant to be is a mistake; the text is then as wide as it is.
    let width = digits.parse::<u16>().ok().filter(|width| (1..=4096).contains(width));
    Ok((width.map(usize::from), rest))
}

/// Takes the longest field at the start of `token`.
fn field<'t>(
    token: &'t str,
    width: Option<usize>,
    fields: &mut Vec<Field>,
) -> Option<(Piece, &'t str)> {
    let (found, rest) = longest_field(token)?;
    fields.push(found.clone());
    Some((Piece::Field { field: found, width }, rest))
}

fn longest_field(token: &str) -> Option<(Field, &str)> {
    let longest = field_name_len(token);
    (1..=longest).rev().find_map(|len| {
        let (name, rest) = token.split_at_checked(len)?;
        if let Some((argument, behind)) = bracketed(rest)
            && let Ok(field) = lookup(name, Some(argument))
        {
            return Some((field, behind));
        }
        lookup(name, None).ok().map(|field| (field, rest))
    })
}

/// The length of the field name at the start: words that begin with a letter, joined by dots.
fn field_name_len(token: &str) -> usize {
    let bytes = token.as_bytes();
    let mut at_start = true;
    let mut end = 0;
    for (index, byte) in bytes.iter().enumerate() {
        let is_part = match byte {
            b'a'..=b'z' | b'A'..=b'Z' => true,
            b'0'..=b'9' | b'_' => !at_start,
            b'.' => !at_start,
            _ => false,
        };
        if !is_part {
            break;
        }
        at_start = *byte == b'.';
        if !at_start {
            end = index + 1;
        }
    }
    end
}

/// The text in brackets at the start, bare or quoted, and what stands behind them.
fn bracketed(rest: &str) -> Option<(&str, &str)> {
    let inside = rest.strip_prefix('[')?;
    let quote = inside.chars().next().filter(|c| matches!(c, '"' | '\''));
    let Some(quote) = quote else {
        let (argument, behind) = inside.split_once(']')?;
        let is_bare = |c: char| !matches!(c, '[' | '"' | '\'') && !c.is_whitespace();
        return (!argument.is_empty() && argument.chars().all(is_bare))
            .then_some((argument, behind));
    };
    let (argument, behind) = inside.strip_prefix(quote)?.split_once(quote)?;
    Some((argument, behind.strip_prefix(']')?))
}

/// Takes the transformer at the start of `token`, with its argument in brackets if it has one.
fn transformer<'t>(
    token: &'t str,
    width: Option<usize>,
    fields: &mut Vec<Field>,
) -> Option<(Piece, &'t str)> {
    let closed = closing_parenthesis(token)? + 1;
    let (call, rest) = token.split_at_checked(closed)?;
    let with_index = bracketed(rest)
        .and_then(|(_, behind)| token.get(..token.len() - behind.len()).map(|call| (call, behind)));
    [with_index, Some((call, rest))].into_iter().flatten().find_map(|(call, rest)| {
        let source = source_of(&parse_operand(call).ok()?).ok()?;
        let mut is_sanitised = false;
        source.for_each_field(&mut |field| {
            is_sanitised |= field.info.has(FieldFlags::SANITISED);
            fields.push(field.clone());
        });
        Some((Piece::Transformed { source, is_sanitised, width }, rest))
    })
}

/// Where the parenthesis closes that opens behind the first word.
fn closing_parenthesis(token: &str) -> Option<usize> {
    let open = token.bytes().position(|byte| !byte.is_ascii_alphanumeric())?;
    let mut depth = 0_u32;
    let mut quote = None;
    let mut previous = 0;
    for (index, byte) in token.bytes().enumerate().skip(open) {
        match (quote, byte) {
            (None, b'(') => depth += 1,
            (None, b')') => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return Some(index);
                }
            }
            (None, b'"' | b'\'') => quote = Some(byte),
            (Some(open), _) if byte == open && previous != b'\\' => quote = None,
            _ => {}
        }
        if depth == 0 {
            return None;
        }
        previous = byte;
    }
    None
}

/// Why nothing behind a percent sign is a field.
fn unknown(token: &str) -> OutputError {
    let name = token.get(..field_name_len(token)).unwrap_or_default();
    let why = match lookup(name, None) {
        Err(error) if name.contains('.') => error.0,
        _ => {
            let shown: String = token.chars().take(20).collect();
            format!("unexpected token after '%', expecting a field or a transformer: '{shown}'")
        }
    };
    OutputError(format!("unknown filter: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fields::support::Scene;

    fn error(text: &str) -> String {
        Template::parse(text).unwrap_err().0
    }

    fn fields(text: &str) -> Vec<String> {
        let template = Template::parse(text).unwrap();
        template.fields().iter().map(|field| field.text.to_string()).collect()
    }

    #[test]
    fn the_longest_field_is_taken_and_the_rest_is_text() {
        let template = Template::parse("%proc.namefoo %proc.name[x] %fd.name.").unwrap();
        let texts: Vec<&[u8]> = template
            .pieces
            .iter()
            .filter_map(|piece| match piece {
                Piece::Text(text) => Some(&**text),
                _ => None,
            })
            .collect();
        assert_eq!(texts, [&b"foo "[..], b"[x] ", b"."]);
    }

    #[test]
    fn every_field_is_listed_once_and_sorted() {
        let text = "%evt.num %proc.aname[2] %evt.num %evt.arg.flags %evt.arg[0] %proc.env[HOME]";
        assert_eq!(
            fields(text),
            ["evt.arg.flags", "evt.arg[0]", "evt.num", "proc.aname[2]", "proc.env[HOME]"]
        );
        assert_eq!(fields("%toupper(proc.name) %len(fd.types)"), ["fd.types", "proc.name"]);
        assert_eq!(fields("%proc.aname[2"), ["proc.aname"]);
    }

    #[test]
    fn malformed_outputs_are_refused_in_falcos_words() {
        assert_eq!(
            error("ends with a %"),
            "invalid formatting syntax: formatting cannot end with a %"
        );
        assert_eq!(error("%10"), "invalid formatting syntax: formatting cannot end with a number");
        assert_eq!(error("*"), "empty formatting token");
        assert_eq!(
            error("%proc.shoe_size here"),
            "unknown filter: filter_check called with nonexistent field proc.shoe_size"
        );
        for text in [
            "50%% of",
            "lonely % sign",
            "%*fd.name",
            "%reverse(proc.name)",
            "%toupper(proc.name",
            "%evt.arg",
        ] {
            assert!(error(text).starts_with("unknown filter: "), "{text}: {}", error(text));
        }
    }

    fn written(text: &str) -> String {
        let mut out = Vec::new();
        Scene::new("open").with_event(|event| {
            Template::parse(text).unwrap().write_text(event, &mut out);
        });
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn values_are_cut_and_padded_to_the_width() {
        assert_eq!(written("|%12proc.name|%2proc.name|%8proc.pid|"), "|bash        |ba|856     |");
        assert_eq!(written("%6fd.sip|%0proc.name"), "<NA>  |bash");
    }

    #[test]
    fn transformers_are_applied_and_their_numbers_are_not_printed() {
        assert_eq!(written("%toupper(proc.name) %len(proc.name)"), "BASH <NA>");
        assert_eq!(written("%join(\",\", (\"a\", proc.name))!"), "a,bash!");
    }

    #[test]
    fn what_is_for_conditions_only_is_printed_as_absent() {
        assert_eq!(written("any %fd.ip"), "any <NA>");
    }
}
