//! Where an item stands: the chain of places from the file inwards, and the line itself.

use std::borrow::Cow;
use std::fmt::Write;
use std::sync::Arc;

use serde::Serialize;
use serde::ser::{SerializeStruct, Serializer};

use super::diagnostic::{Error, ErrorCode, Warning, WarningCode};
use super::lang::ast::Position;
use super::yaml::Node;

/// Bytes of a line that are shown on either side of the place.
const SNIPPET_SIDE: usize = 80;

/// A file's name and text; kept for the places and snippets of later messages.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct File {
    pub(super) name: Arc<str>,
    pub(super) text: String,
    /// Where each line begins.
    lines: Vec<u32>,
}

impl File {
    pub(super) fn new(name: &str, text: String) -> Self {
        let ends = memchr::memchr_iter(b'\n', text.as_bytes());
        let starts = ends.map(|at| u32::try_from(at + 1).unwrap_or(u32::MAX));
        let lines = std::iter::once(0).chain(starts).collect();
        Self { name: name.into(), text, lines }
    }

    /// The line of a byte, from 0.
    pub(super) fn line(&self, offset: usize) -> usize {
        self.position(offset).0
    }

    /// Line and column of a byte, from 0.
    fn position(&self, offset: usize) -> (usize, usize) {
        let line = self.lines.partition_point(|start| *start as usize <= offset).saturating_sub(1);
        let start = self.lines.get(line).map_or(0, |start| *start as usize);
        (line, offset.saturating_sub(start))
    }
}

/// The chain of places to an item.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Place {
    file: Arc<File>,
    /// Nothing: the file itself.
    last: Option<Arc<Step>>,
}

#[derive(Debug, Eq, PartialEq)]
struct Step {
    before: Option<Arc<Self>>,
    item_type: &'static str,
    item_name: Box<str>,
    offset: usize,
}

impl Place {
    pub(super) const fn file(file: Arc<File>) -> Self {
        Self { file, last: None }
    }

    /// A step further in, to `node`.
    pub(super) fn to(&self, item_type: &'static str, item_name: &str, node: Node<'_>) -> Self {
        self.to_offset(item_type, item_name, node.offset())
    }

    pub(super) fn to_offset(&self, item_type: &'static str, name: &str, offset: usize) -> Self {
        let before = self.last.clone();
        let step = Step { before, item_type, item_name: name.into(), offset };
        Self { file: Arc::clone(&self.file), last: Some(Arc::new(step)) }
    }

    fn offset(&self) -> usize {
        self.last.as_ref().map_or(0, |step| step.offset)
    }

    /// What a message tells of it.
    pub(super) fn context(&self) -> Context {
        Context { place: Some(self.clone()), expression: None }
    }

    /// The same for a place inside `condition`, which stands here. Falco adds the parser's place
    /// to the item's, for the offset too, and looks that up in the condition's text.
    pub(super) fn in_condition(&self, condition: &str, at: Position) -> Context {
        let offset = self.offset() + at.offset;
        let text = if condition.is_empty() { &self.file.text } else { condition };
        let (name, snippet) = (condition_name(condition), snippet(text, offset));
        let expression = Some(Box::new(Expression { name, snippet, at }));
        Context { place: Some(self.clone()), expression }
    }

    /// An error of this place.
    pub(super) fn error(&self, code: ErrorCode, message: impl Into<String>) -> Box<Error> {
        Box::new(Error { code, message: message.into(), context: self.context() })
    }

    /// An error in a YAML shape.
    pub(super) fn shape(&self, message: impl Into<String>) -> Box<Error> {
        self.error(ErrorCode::YamlValidate, message)
    }

    /// An error in how items fit each other.
    pub(super) fn invalid(&self, message: impl Into<String>) -> Box<Error> {
        self.error(ErrorCode::Validate, message)
    }

    /// A warning of this place.
    pub(super) fn warning(
        &self,
        code: WarningCode,
        message: impl Into<Cow<'static, str>>,
    ) -> Warning {
        Warning { code, message: message.into(), context: self.context(), deprecated_field: None }
    }
}

/// One place on the way from the file to the fault.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Location<'a> {
    /// Falco's word for the kind of place: `rules content`, `rule`, `condition expression` …
    pub item_type: &'static str,
    /// The item's name; empty: it has none.
    pub item_name: &'a str,
    /// The file, or for an expression its shortened text in quotes.
    pub content: &'a str,
    /// From 0.
    pub line: usize,
    /// From 0.
    pub column: usize,
    /// Bytes from the start.
    pub offset: usize,
}

/// Where a fault is. It is worked out when it is asked for: of many warnings few are read.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Context {
    place: Option<Place>,
    expression: Option<Box<Expression>>,
}

/// A place in a condition.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Expression {
    name: String,
    snippet: String,
    at: Position,
}

impl Context {
    /// From the file inwards.
    #[must_use]
    pub fn locations(&self) -> Vec<Location<'_>> {
        let Some(Place { file, last }) = &self.place else { return Vec::new() };
        let location = |item_type, item_name, offset| {
            let (line, column) = file.position(offset);
            Location { item_type, item_name, content: &file.name, line, column, offset }
        };
        let mut locations = Vec::with_capacity(8);
        locations.extend(self.expression.as_ref().map(|expression| {
            let Expression { name, at, .. } = &**expression;
            let parent = location("", "", last.as_ref().map_or(0, |step| step.offset));
            Location {
                item_type: "condition expression",
                item_name: "",
                content: name,
                line: parent.line + at.line,
                column: parent.column + at.column,
                offset: parent.offset + at.offset,
            }
        }));
        let steps = std::iter::successors(last.as_deref(), |step| step.before.as_deref());
        locations.extend(steps.map(|step| location(step.item_type, &step.item_name, step.offset)));
        locations.push(location("rules content", "", 0));
        locations.reverse();
        locations
    }

    /// The line with a mark under the place, each with its newline.
    #[must_use]
    pub fn snippet(&self) -> String {
        match (&self.expression, &self.place) {
            (Some(expression), _) => expression.snippet.clone(),
            (None, Some(place)) => snippet(&place.file.text, place.offset()),
            (None, None) => String::new(),
        }
    }

    /// About how many bytes it takes to tell of it.
    pub(super) fn weight(&self) -> usize {
        let Some(Place { file, last }) = &self.place else { return 0 };
        let steps = std::iter::successors(last.as_deref(), |step| step.before.as_deref());
        let steps = steps.map(|step| step.item_name.len() + file.name.len() + 64);
        2 * SNIPPET_SIDE + file.name.len() + steps.sum::<usize>()
    }

    /// As people read it.
    pub(super) fn write_text(&self, out: &mut String) {
        for (index, at) in self.locations().iter().enumerate() {
            out.push_str(if index == 0 { "In " } else { "    " });
            out.push_str(at.item_type);
            if !at.item_name.is_empty() {
                let _ = write!(out, " '{}'", at.item_name);
            }
            let _ = writeln!(out, ": ({}:{}:{})", at.content, at.line, at.column);
        }
        let _ = write!(out, "------\n{}------\n", self.snippet());
    }
}

impl Serialize for Context {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_struct("Context", 2)?;
        object.serialize_field("locations", &self.locations())?;
        object.serialize_field("snippet", &self.snippet())?;
        object.end()
    }
}

impl Serialize for Location<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct InFile<'a> {
            column: usize,
            line: usize,
            name: &'a str,
            offset: usize,
        }
        let Self { item_type, item_name, content: name, line, column, offset } = *self;
        let mut object = serializer.serialize_struct("Location", 3)?;
        object.serialize_field("item_name", item_name)?;
        object.serialize_field("item_type", item_type)?;
        object.serialize_field("position", &InFile { column, line, name, offset })?;
        object.end()
    }
}

/// The first 17 bytes of a long condition, in quotes, on one line.
fn condition_name(condition: &str) -> String {
    let shown = if condition.len() > 20 {
        let end = (0..=17).rev().find(|end| condition.is_char_boundary(*end)).unwrap_or(0);
        format!("\"{}...\"", condition.get(..end).unwrap_or_default())
    } else {
        format!("\"{condition}\"")
    };
    shown.replace(['\n', '\r'], " ")
}

/// The line of `text` at `offset`, cut to [`SNIPPET_SIDE`] on either side, and a mark under it.
fn snippet(text: &str, offset: usize) -> String {
    const NOTHING: &str = "<No context available>\n";
    let bytes = text.as_bytes();
    let is_newline = |at: usize| bytes.get(at) == Some(&b'\n');
    let Some(last) = bytes.len().checked_sub(1) else {
        return NOTHING.to_owned();
    };
    // A value that isn't there stands behind the end or on the next line: go back to its line.
    let mut at = offset.min(last);
    while at > 0 && is_newline(at) {
        at -= 1;
    }
    let mut from = at;
    while from > 0 && !is_newline(from) && at - from < SNIPPET_SIDE {
        from -= 1;
    }
    let mut to = at;
    while to < last && !is_newline(to) && to - at < SNIPPET_SIDE {
        to += 1;
    }
    if is_newline(from) {
        from += 1;
    }
    if is_newline(to) {
        to = to.saturating_sub(1);
    }
    let Some(line) = bytes.get(from..=to).filter(|line| !line.is_empty()) else {
        return NOTHING.to_owned();
    };
    let mut line = line.to_vec();
    if at - from.min(at) >= SNIPPET_SIDE {
        line.splice(..3.min(line.len()), *b"...");
    }
    if to.saturating_sub(at) >= SNIPPET_SIDE {
        line.truncate(line.len().saturating_sub(3));
        line.extend_from_slice(b"...");
    }
    let indent = at.saturating_sub(from);
    let mark =
        if indent <= line.len() { format!("{}^\n", " ".repeat(indent)) } else { String::new() };
    format!("{}\n{mark}", String::from_utf8_lossy(&line))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_snippet_is_the_line_with_a_mark() {
        assert_eq!(snippet("a: b\n  c: d\ne\n", 7), "  c: d\n  ^\n");
    }

    #[test]
    fn a_place_behind_the_end_is_at_the_last_line() {
        assert_eq!(snippet("a:\n  tags:\n", 11), "  tags:\n      ^\n");
    }

    #[test]
    fn a_long_line_is_cut_on_both_sides() {
        let text = "x".repeat(300);
        let shown = snippet(&text, 150);
        let (line, mark) = shown.split_once('\n').unwrap();
        assert_eq!(line.len(), 161);
        assert!(line.starts_with("...x") && line.ends_with("x..."));
        assert_eq!(mark, format!("{}^\n", " ".repeat(80)));
    }

    #[test]
    fn no_text_gives_no_line() {
        assert_eq!(snippet("", 3), "<No context available>\n");
        assert_eq!(snippet("\n", 0), "<No context available>\n");
    }
}
