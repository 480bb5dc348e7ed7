//! Tree → text: the canonical form, that parses to the same tree again.

use std::fmt;
use std::fmt::Display as _;
use std::fmt::Write;

use super::ast::{Argument, Check, Expr, Operand, Right};
use super::lexer::{hex_len, is_bare, is_bare_argument, number_len};

/// The canonical text: every `and` and `or` in parentheses, values quoted where needed.
impl fmt::Display for Expr {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::And(parts) => joined(out, parts, " and "),
            Self::Or(parts) => joined(out, parts, " or "),
            // Two `not`s side by side would cancel each other out.
            Self::Not(inner) if matches!(**inner, Self::Not(_)) => write!(out, "not ({inner})"),
            Self::Not(inner) => write!(out, "not {inner}"),
            Self::Check(check) => check.fmt(out),
            // Before a blank the name would negate what follows.
            Self::Macro { name, .. } if name == "not" => out.write_str("(not)"),
            Self::Macro { name, .. } => out.write_str(name),
        }
    }
}

impl fmt::Display for Check {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} {}", self.left, self.operator.name())?;
        if let Some(modifier) = self.modifier {
            write!(out, " {}", modifier.name())?;
        }
        match &self.right {
            Right::Nothing => Ok(()),
            Right::Literal(text) => {
                out.write_char(' ')?;
                literal(out, text)
            }
            Right::List(values) => {
                out.write_str(" (")?;
                for (index, value) in values.iter().enumerate() {
                    out.write_str(if index == 0 { "" } else { ", " })?;
                    literal(out, value)?;
                }
                out.write_char(')')
            }
            Right::Operand { operand, is_val: true } => write!(out, " val({operand})"),
            Right::Operand { operand, is_val: false } => write!(out, " {operand}"),
        }
    }
}

impl fmt::Display for Operand {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Field { name, argument, .. } => {
                out.write_str(name)?;
                bracketed(out, argument.as_deref())
            }
            Self::Transformer { transformer, arguments, index, .. } => {
                out.write_str(transformer.name())?;
                list(out, arguments)?;
                bracketed(out, index.as_deref())
            }
        }
    }
}

impl fmt::Display for Argument {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Operand(operand) => operand.fmt(out),
            Self::List(items) => list(out, items),
            Self::Literal(text) => {
                let number = number_len(text.as_bytes()).max(hex_len(text.as_bytes()));
                if number > 0 && number == text.len() {
                    out.write_str(text)
                } else {
                    quoted(out, text)
                }
            }
        }
    }
}

fn joined(out: &mut fmt::Formatter<'_>, parts: &[Expr], operator: &str) -> fmt::Result {
    out.write_char('(')?;
    for (index, part) in parts.iter().enumerate() {
        out.write_str(if index == 0 { "" } else { operator })?;
        part.fmt(out)?;
    }
    out.write_char(')')
}

fn list(out: &mut fmt::Formatter<'_>, items: &[Argument]) -> fmt::Result {
    out.write_char('(')?;
    for (index, item) in items.iter().enumerate() {
        out.write_str(if index == 0 { "" } else { "," })?;
        item.fmt(out)?;
    }
    out.write_char(')')
}

fn bracketed(out: &mut fmt::Formatter<'_>, argument: Option<&str>) -> fmt::Result {
    let Some(text) = argument else {
        return Ok(());
    };
    out.write_char('[')?;
    value(out, text, is_bare_argument)?;
    out.write_char(']')
}

/// A value, in quotes unless it can stand without.
fn literal(out: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    value(out, text, is_bare)
}

fn value(out: &mut fmt::Formatter<'_>, text: &str, is_bare: fn(u8) -> bool) -> fmt::Result {
    // These could stand bare and are quoted all the same; but a NUL can't be in quotes.
    let is_special = |byte| matches!(byte, b'\\' | 8);
    let can_be_bare = !text.is_empty() && text.bytes().all(is_bare);
    if can_be_bare && (text.contains('\0') || !text.bytes().any(is_special)) {
        out.write_str(text)
    } else {
        quoted(out, text)
    }
}

fn quoted(out: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    out.write_char('"')?;
    let mut chars = text.chars().peekable();
    while let Some(char) = chars.next() {
        match char {
            '\u{8}' => out.write_str("\\b")?,
            '\u{c}' => out.write_str("\\f")?,
            '\n' => out.write_str("\\n")?,
            '\r' => out.write_str("\\r")?,
            '\t' => out.write_str("\\t")?,
            '"' => out.write_str("\\\"")?,
            // The closing quote must not follow a backslash; `\ ` is a backslash too.
            '\\' if chars.peek().is_none() => out.write_str("\\ ")?,
            '\\' => out.write_str("\\\\")?,
            _ => out.write_char(char)?,
        }
    }
    out.write_char('"')
}

#[cfg(test)]
mod tests {
    use super::super::parser::parse;

    fn canonical(text: &str) -> String {
        parse(text).unwrap().to_string()
    }

    #[test]
    fn every_and_and_or_gets_parentheses() {
        assert_eq!(
            canonical("evt.type=open and not proc.name in (a,'b c') or m"),
            "((evt.type = open and not proc.name in (a, \"b c\")) or m)"
        );
    }

    #[test]
    fn values_are_quoted_where_they_could_not_stand_bare() {
        assert_eq!(canonical("a.b = \"x=y\""), "a.b = \"x=y\"");
        assert_eq!(canonical("a.b = 'xy'"), "a.b = xy");
        assert_eq!(canonical("a.b = \"\""), "a.b = \"\"");
        assert_eq!(canonical(r"a.b contains \d"), r#"a.b contains "\\d""#);
        assert_eq!(canonical(r"a.b = x\"), r#"a.b = "x\ ""#);
        assert_eq!(canonical("a.b = x\0\u{8}"), "a.b = x\0\u{8}");
    }

    #[test]
    fn not_of_not_keeps_its_parentheses() {
        assert_eq!(canonical("not (not a.b exists)"), "not (not a.b exists)");
        assert_eq!(canonical("not not a.b exists"), "a.b exists");
        assert_eq!(canonical("(not) and not (not)"), "((not) and not (not))");
    }

    #[test]
    fn transformers_print_their_arguments() {
        assert_eq!(
            canonical("join( \"-\" , (proc.name, \"x\", 5) )= val(proc.env[\"A B\"])"),
            "join(\"-\",(proc.name,\"x\",5)) = val(proc.env[\"A B\"])"
        );
    }
}
