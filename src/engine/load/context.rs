//! Where an item stands: the chain of places from the file inwards, and the line itself.

use std::sync::Arc;

use crate::engine::diagnostic::{Context, Error, ErrorCode, Location, Warning, WarningCode};
use crate::engine::lang::ast::Position;
use crate::engine::yaml::{Mark, Node};

/// Bytes of a line that are shown on either side of the place.
const SNIPPET_SIDE: usize = 80;

/// A file's name and text; kept for the snippets of later messages.
#[derive(Debug)]
pub(super) struct File {
    pub(super) name: Arc<str>,
    pub(super) text: String,
}

/// The chain of places to an item.
#[derive(Clone, Debug)]
pub(super) struct Place {
    file: Arc<File>,
    steps: Vec<Step>,
}

#[derive(Clone, Debug)]
struct Step {
    item_type: &'static str,
    item_name: String,
    mark: Mark,
}

impl Place {
    pub(super) fn file(file: Arc<File>) -> Self {
        let step =
            Step { item_type: "rules content", item_name: String::new(), mark: Mark::default() };
        Self { file, steps: vec![step] }
    }

    /// A step further in, to `node`.
    pub(super) fn to(&self, item_type: &'static str, item_name: &str, node: &Node) -> Self {
        self.to_mark(item_type, item_name, node.mark)
    }

    pub(super) fn to_mark(&self, item_type: &'static str, name: &str, mark: Mark) -> Self {
        let mut steps = Vec::with_capacity(self.steps.len() + 1);
        steps.extend_from_slice(&self.steps);
        steps.push(Step { item_type, item_name: name.to_owned(), mark });
        Self { file: Arc::clone(&self.file), steps }
    }

    /// What a message tells of it.
    pub(super) fn context(&self) -> Context {
        let offset = self.steps.last().map_or(0, |step| step.mark.offset);
        Context { locations: self.locations(), snippet: snippet(&self.file.text, offset) }
    }

    /// The same for a place inside `condition`, which stands here. Falco adds the parser's place
    /// to the item's, for the offset too, and looks that up in the condition's text.
    pub(super) fn in_condition(&self, condition: &str, at: Position) -> Context {
        let parent = self.steps.last().map_or_else(Mark::default, |step| step.mark);
        let offset = parent.offset + at.offset;
        let mut locations = self.locations();
        locations.push(Location {
            item_type: "condition expression",
            item_name: String::new(),
            content: condition_name(condition).into(),
            line: parent.line + at.line,
            column: parent.column + at.column,
            offset,
        });
        let text = if condition.is_empty() { &self.file.text } else { condition };
        Context { locations, snippet: snippet(text, offset) }
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
    pub(super) fn warning(&self, code: WarningCode, message: impl Into<String>) -> Warning {
        Warning { code, message: message.into(), context: self.context(), deprecated_field: None }
    }

    fn locations(&self) -> Vec<Location> {
        let location = |step: &Step| Location {
            item_type: step.item_type,
            item_name: step.item_name.clone(),
            content: Arc::clone(&self.file.name),
            line: step.mark.line,
            column: step.mark.column,
            offset: step.mark.offset,
        };
        self.steps.iter().map(location).collect()
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
