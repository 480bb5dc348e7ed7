//! A configuration file as a tree that can be changed: what merging and `-o` work on.
//!
//! Scalars are text; what they mean is decided by who reads them, as Falco does. Positions are not
//! kept: a value that doesn't fit is the default, not an error with a place.

use std::borrow::Cow;

use rustc_hash::FxHashMap;
use saphyr_parser::{Event, Parser, ScalarStyle, ScanError};

/// Most nodes that a file may have after its aliases are resolved.
const MAX_NODES: usize = 200_000;

/// Deepest nesting.
const MAX_DEPTH: usize = 64;

/// A node of the tree.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum Value {
    /// Nothing, or not there.
    #[default]
    Null,
    /// Text, number, truth value: as written.
    Scalar(String),
    /// A sequence.
    Seq(Vec<Self>),
    /// A map, in the order written; of equal keys the first counts.
    Map(Vec<(String, Self)>),
}

/// Why a text is no tree.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum YamlError {
    /// It isn't YAML.
    #[error("error at line {line}, column {column}: {what}")]
    Syntax {
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
        /// The parser's words.
        what: String,
    },
    /// It is too large or too deep.
    #[error("more than {MAX_NODES} values or more than {MAX_DEPTH} levels")]
    TooLarge,
    /// A key is a sequence or a map.
    #[error("a key must be a text")]
    Key,
}

impl From<ScanError> for YamlError {
    fn from(error: ScanError) -> Self {
        let at = error.marker();
        Self::Syntax { line: at.line(), column: at.col() + 1, what: error.info().to_owned() }
    }
}

impl Value {
    /// Reads the first document of a text.
    ///
    /// # Errors
    ///
    /// If it isn't YAML, or without measure.
    pub fn parse(text: &str) -> Result<Self, YamlError> {
        let mut reader = TreeReader {
            parser: Parser::new_from_str(text),
            anchors: FxHashMap::default(),
            nodes: 0,
        };
        while let Some(event) = reader.next()? {
            match event {
                Event::StreamEnd | Event::DocumentEnd => break,
                Event::StreamStart | Event::DocumentStart(_) | Event::Nothing => {}
                first => return reader.node(first, 0),
            }
        }
        Ok(Self::Null)
    }

    /// The value under `key`; `None` if there is none or this is no map.
    #[must_use]
    pub fn child(&self, key: &str) -> Option<&Self> {
        match self {
            Self::Map(entries) => entries.iter().find(|(name, _)| name == key).map(|(_, v)| v),
            _ => None,
        }
    }

    /// The entry under `key`, made if it isn't there; this becomes a map if it was nothing.
    pub(super) fn child_mut(&mut self, key: &str) -> Option<&mut Self> {
        if *self == Self::Null {
            *self = Self::Map(Vec::new());
        }
        let Self::Map(entries) = self else { return None };
        let index = entries.iter().position(|(name, _)| name == key).unwrap_or_else(|| {
            entries.push((key.to_owned(), Self::Null));
            entries.len() - 1
        });
        entries.get_mut(index).map(|(_, value)| value)
    }

    /// The items of a sequence, a lone scalar as one item, nothing otherwise.
    #[must_use]
    pub fn items(&self) -> &[Self] {
        match self {
            Self::Seq(items) => items,
            Self::Scalar(_) => std::slice::from_ref(self),
            Self::Null | Self::Map(_) => &[],
        }
    }

    /// A scalar's text.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Scalar(text) => Some(text),
            _ => None,
        }
    }

    /// A scalar as truth value, in YAML 1.1's spellings.
    #[must_use]
    pub fn truth(&self) -> Option<bool> {
        let text = self.text()?;
        let is_regular = text.chars().all(char::is_lowercase)
            || text.chars().all(char::is_uppercase)
            || text.chars().next().is_some_and(char::is_uppercase)
                && text.chars().skip(1).all(char::is_lowercase);
        if !is_regular {
            return None;
        }
        match text.to_ascii_lowercase().as_str() {
            "y" | "yes" | "true" | "on" => Some(true),
            "n" | "no" | "false" | "off" => Some(false),
            _ => None,
        }
    }

    /// A scalar as any type that reads from text.
    #[must_use]
    pub fn number<T: std::str::FromStr>(&self) -> Option<T> {
        self.text()?.trim().parse().ok()
    }

    /// Applies `change` to every scalar (not to keys).
    pub(super) fn change_scalars(&mut self, change: &dyn Fn(&str) -> Option<String>) {
        match self {
            Self::Null => {}
            Self::Scalar(text) => {
                if let Some(new) = change(text) {
                    *text = new;
                }
            }
            Self::Seq(items) => items.iter_mut().for_each(|item| item.change_scalars(change)),
            Self::Map(entries) => {
                entries.iter_mut().for_each(|(_, value)| value.change_scalars(change));
            }
        }
    }

    /// As YAML text with a final newline, for `--support`.
    #[must_use]
    pub fn to_yaml(&self) -> String {
        let mut text = String::new();
        self.write_yaml(0, &mut text);
        text
    }

    fn write_yaml(&self, indent: usize, out: &mut String) {
        let mut child = |head: &str, value: &Self| {
            out.push_str(&" ".repeat(indent));
            out.push_str(head);
            match value {
                Self::Seq(items) if !items.is_empty() => {
                    out.push('\n');
                    value.write_yaml(indent + 2, out);
                }
                Self::Map(entries) if !entries.is_empty() => {
                    out.push('\n');
                    value.write_yaml(indent + 2, out);
                }
                leaf => {
                    out.push(' ');
                    leaf.write_yaml(0, out);
                }
            }
        };
        match self {
            Self::Null => out.push_str("~\n"),
            Self::Scalar(text) => {
                out.push_str(&quoted(text));
                out.push('\n');
            }
            Self::Seq(items) if items.is_empty() => out.push_str("[]\n"),
            Self::Map(entries) if entries.is_empty() => out.push_str("{}\n"),
            Self::Seq(items) => items.iter().for_each(|item| child("-", item)),
            Self::Map(entries) => {
                entries.iter().for_each(|(key, value)| child(&format!("{}:", quoted(key)), value));
            }
        }
    }
}

/// A text as YAML reads it back.
fn quoted(text: &str) -> Cow<'_, str> {
    let is_plain = !text.is_empty()
        && text.chars().all(|c| c.is_alphanumeric() || "_./-%+".contains(c))
        && text.starts_with(|c: char| c.is_alphanumeric() || c == '/' || c == '_');
    if is_plain {
        return Cow::Borrowed(text);
    }
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() => out.push_str(&format!("\\x{:02x}", u32::from(c) & 0xff)),
            c => out.push(c),
        }
    }
    out.push('"');
    Cow::Owned(out)
}

/// Makes a tree of the parser's events.
struct TreeReader<'a> {
    parser: Parser<'a, saphyr_parser::StrInput<'a>>,
    anchors: FxHashMap<usize, Value>,
    nodes: usize,
}

impl<'a> TreeReader<'a> {
    fn next(&mut self) -> Result<Option<Event<'a>>, YamlError> {
        Ok(self.parser.next_event().transpose()?.map(|(event, _)| event))
    }

    fn count(&mut self, nodes: usize) -> Result<(), YamlError> {
        self.nodes += nodes;
        if self.nodes > MAX_NODES { Err(YamlError::TooLarge) } else { Ok(()) }
    }

    fn node(&mut self, event: Event<'a>, depth: usize) -> Result<Value, YamlError> {
        if depth > MAX_DEPTH {
            return Err(YamlError::TooLarge);
        }
        self.count(1)?;
        let (anchor, value) = match event {
            Event::Alias(anchor) => {
                let value = self.anchors.get(&anchor).cloned().unwrap_or_default();
                self.count(size(&value))?;
                return Ok(value);
            }
            Event::Scalar(text, style, anchor, _) => {
                let is_null = style == ScalarStyle::Plain
                    && matches!(&*text, "" | "~" | "null" | "Null" | "NULL");
                let scalar = || Value::Scalar(text.into_owned());
                (anchor, if is_null { Value::Null } else { scalar() })
            }
            Event::SequenceStart(anchor, _) => {
                let mut items = Vec::new();
                loop {
                    match self.next()? {
                        None | Some(Event::SequenceEnd) => break (anchor, Value::Seq(items)),
                        Some(item) => items.push(self.node(item, depth + 1)?),
                    }
                }
            }
            Event::MappingStart(anchor, _) => (anchor, self.map(depth)?),
            _ => (0, Value::Null),
        };
        if anchor != 0 {
            self.anchors.insert(anchor, value.clone());
        }
        Ok(value)
    }

    fn map(&mut self, depth: usize) -> Result<Value, YamlError> {
        let mut entries: Vec<(String, Value)> = Vec::new();
        loop {
            let key = match self.next()? {
                None | Some(Event::MappingEnd) => return Ok(Value::Map(entries)),
                Some(key) => match self.node(key, depth + 1)? {
                    Value::Scalar(text) => text,
                    Value::Null => "~".to_owned(),
                    _ => return Err(YamlError::Key),
                },
            };
            let value = match self.next()? {
                Some(event) => self.node(event, depth + 1)?,
                None => Value::Null,
            };
            if entries.iter().all(|(name, _)| *name != key) {
                entries.push((key, value));
            }
        }
    }
}

fn size(value: &Value) -> usize {
    match value {
        Value::Null | Value::Scalar(_) => 1,
        Value::Seq(items) => 1 + items.iter().map(size).sum::<usize>(),
        Value::Map(entries) => 1 + entries.iter().map(|(_, value)| size(value)).sum::<usize>(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maps_sequences_and_scalars_are_read() {
        let tree = Value::parse("a: 1\nb: [x, 'null', ~]\nc: {d: yes}\na: 2\n").unwrap();
        assert_eq!(tree.child("a").unwrap().number::<u8>(), Some(1));
        let b = tree.child("b").unwrap();
        assert_eq!(
            b.items(),
            [Value::Scalar("x".into()), Value::Scalar("null".into()), Value::Null]
        );
        assert_eq!(tree.child("c").unwrap().child("d").unwrap().truth(), Some(true));
    }

    #[test]
    fn truth_is_spelt_in_three_cases_only() {
        for (text, truth) in
            [("Yes", Some(true)), ("OFF", Some(false)), ("yEs", None), ("1", None), ("maybe", None)]
        {
            assert_eq!(Value::Scalar(text.into()).truth(), truth, "{text}");
        }
    }

    #[test]
    fn aliases_are_resolved_and_bounded() {
        let tree = Value::parse("a: &x [1, 2]\nb: *x\n").unwrap();
        assert_eq!(tree.child("a"), tree.child("b"));
        let mut bomb = String::from("a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n");
        for n in 1..9 {
            let item = format!("*a{}", n - 1);
            bomb += &format!("a{n}: &a{n} [{}]\n", vec![item; 10].join(","));
        }
        assert_eq!(Value::parse(&bomb), Err(YamlError::TooLarge));
        assert!(Value::parse(&"[".repeat(5000)).is_err());
    }

    #[test]
    fn a_syntax_error_names_line_and_column() {
        let error = Value::parse("a: 1\nb: [1,\n").unwrap_err();
        assert!(matches!(error, YamlError::Syntax { line: 2.., .. }), "{error}");
    }

    #[test]
    fn what_is_written_reads_back() {
        let text = "a:\n  - x\n  - b: \"c: \\\"d\\\"\"\n    e: {}\nf: ~\ng: []\n";
        let tree = Value::parse(text).unwrap();
        assert_eq!(Value::parse(&tree.to_yaml()).unwrap(), tree, "{}", tree.to_yaml());
    }
}
