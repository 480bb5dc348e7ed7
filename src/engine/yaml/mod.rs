//! YAML documents as trees whose nodes know where they stand.
//!
//! Scalars keep their text: what a value means (a number, a Boolean) is the reader's business, as
//! with Falco's YAML library, whose places and small liberties (`[a, , b]` holds a null) are
//! reproduced here too. Places are counted from 0, offsets in bytes without a byte order mark.
//!
//! Bounded: nesting by [`MAX_DEPTH`], what aliases multiply by [`MAX_NODES`].

mod faults;
mod indent;
mod places;

use std::collections::HashMap;
use std::rc::Rc;

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Span};

use self::places::Repaired;

/// Deepest nesting of sequences and maps.
pub const MAX_DEPTH: usize = 100;

/// Most nodes of a file, everything that aliases repeat counted again.
pub const MAX_NODES: usize = 1 << 20;

/// Most nulls that are put between two commas.
const MAX_REPAIRS: usize = 16;

/// A place in a file.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Mark {
    /// From 0.
    pub line: usize,
    /// Bytes from the line's start.
    pub column: usize,
    /// Bytes from the file's start.
    pub offset: usize,
}

/// A value with its place.
#[derive(Clone, Debug)]
pub struct Node {
    /// Where it begins.
    pub mark: Mark,
    /// What it is.
    pub kind: Kind,
}

/// What a [`Node`] is.
#[derive(Clone, Debug)]
pub enum Kind {
    /// Nothing, `~` or `null`.
    Null,
    /// Text.
    Scalar {
        /// Its text.
        text: String,
        /// It was not quoted.
        plain: bool,
    },
    /// `[a, b]`.
    Sequence(Vec<Rc<Node>>),
    /// `{a: b}`, in the order of the file, repeated keys included.
    Map(Vec<(Rc<Node>, Rc<Node>)>),
}

/// Why a text is no YAML.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("error at line {}, column {}: {message}", at.line + 1, at.column + 1)]
pub struct YamlError {
    /// What is wrong.
    pub message: String,
    /// Where.
    pub at: Mark,
}

impl Node {
    /// Whether it is nothing.
    #[must_use]
    pub const fn is_null(&self) -> bool {
        matches!(self.kind, Kind::Null)
    }

    /// Its text, if it is a scalar.
    #[must_use]
    pub const fn scalar(&self) -> Option<&str> {
        match &self.kind {
            Kind::Scalar { text, .. } => Some(text.as_str()),
            _ => None,
        }
    }

    /// Its elements, if it is a sequence.
    #[must_use]
    pub const fn sequence(&self) -> Option<&[Rc<Self>]> {
        match &self.kind {
            Kind::Sequence(items) => Some(items.as_slice()),
            _ => None,
        }
    }

    /// Its entries, if it is a map.
    #[must_use]
    pub const fn map(&self) -> Option<&[(Rc<Self>, Rc<Self>)]> {
        match &self.kind {
            Kind::Map(entries) => Some(entries.as_slice()),
            _ => None,
        }
    }

    /// The value of `key`, of the first one if it is there twice.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Self> {
        let entries = self.map()?;
        entries.iter().find(|(name, _)| name.scalar() == Some(key)).map(|(_, value)| &**value)
    }
}

/// Reads all documents of `text`.
///
/// # Errors
///
/// If it is no YAML, is nested too deeply or grows too large.
pub fn parse(text: &str) -> Result<Vec<Rc<Node>>, YamlError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let repaired = Repaired::indented(text);
    let is_changed = repaired.is_changed;
    match documents(repaired) {
        Err(_) if is_changed => documents(Repaired::new(text)),
        result => result,
    }
}

fn documents(mut repaired: Repaired<'_>) -> Result<Vec<Rc<Node>>, YamlError> {
    for _ in 0..MAX_REPAIRS {
        let mut builder = Builder::default();
        let Err((error, in_sequence)) = builder.run(&repaired) else {
            return Ok(builder.documents);
        };
        let index = error.marker().index();
        let is_hole = in_sequence
            && error.info().contains("did not find expected node content")
            && repaired.text.as_bytes().get(repaired.byte(index)) == Some(&b',');
        if !is_hole {
            return Err(yaml_error(&repaired, &error));
        }
        repaired.insert_null(index);
    }
    let at = Mark::default();
    Err(YamlError { message: "too many empty elements".to_owned(), at })
}

fn yaml_error(repaired: &Repaired<'_>, error: &ScanError) -> YamlError {
    let at = repaired.mark(error.marker().index());
    let offset = faults::place(repaired.original, at.offset, error.info());
    YamlError { message: error.info().to_owned(), at: repaired.at(offset) }
}

/// A sequence or map that is still open.
struct Open {
    anchor: usize,
    mark: Mark,
    /// Elements; of a map, keys and values in turn.
    items: Vec<Rc<Node>>,
    is_map: bool,
    /// Nodes in it.
    weight: usize,
}

#[derive(Default)]
struct Builder {
    documents: Vec<Rc<Node>>,
    open: Vec<Open>,
    anchors: HashMap<usize, (Rc<Node>, usize)>,
    total: usize,
    /// End of the event before, in characters.
    end: usize,
}

impl Builder {
    /// The error, and whether it is inside a sequence.
    fn run(&mut self, repaired: &Repaired<'_>) -> Result<(), (ScanError, bool)> {
        let mut parser = Parser::new_from_str(&repaired.text);
        loop {
            let (event, span) = match parser.next_event() {
                None => return Ok(()),
                Some(Ok(event)) => event,
                Some(Err(error)) => return Err((error, self.in_sequence())),
            };
            if matches!(event, Event::StreamEnd) {
                return Ok(());
            }
            let mark = self.place(&event, span, &mut parser, repaired);
            if let Err(message) = self.event(event, mark) {
                return Err((ScanError::new_str(span.start, message), false));
            }
            self.end = span.end.index();
        }
    }

    fn in_sequence(&self) -> bool {
        self.open.last().is_some_and(|open| !open.is_map)
    }

    /// Where Falco's YAML library says that the event is.
    fn place<T: saphyr_parser::Input>(
        &self,
        event: &Event<'_>,
        span: Span,
        parser: &mut Parser<'_, T>,
        places: &Repaired<'_>,
    ) -> Mark {
        let mark = places.mark(span.start.index());
        match event {
            // A block scalar stands at its indicator.
            Event::Scalar(_, ScalarStyle::Literal | ScalarStyle::Folded, ..) => {
                places.indicator(places.mark(self.end).offset, mark.offset).unwrap_or(mark)
            }
            // A value that isn't there stands where the next thing is.
            Event::Scalar(value, ScalarStyle::Plain, ..) if value.is_empty() => match parser.peek()
            {
                Some(Ok((_, next))) => places.mark(next.start.index()),
                _ => mark,
            },
            _ => mark,
        }
    }

    fn event(&mut self, event: Event<'_>, mark: Mark) -> Result<(), &'static str> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let plain = style == ScalarStyle::Plain;
                let is_null =
                    plain && tag.is_none() && matches!(&*text, "" | "~" | "null" | "Null" | "NULL");
                let text = text.into_owned();
                let kind = if is_null { Kind::Null } else { Kind::Scalar { text, plain } };
                self.add(Rc::new(Node { mark, kind }), anchor, 1)
            }
            Event::Alias(id) => {
                let (node, weight) =
                    self.anchors.get(&id).cloned().ok_or("the referenced anchor is not defined")?;
                self.add(node, 0, weight)
            }
            Event::SequenceStart(anchor, _) => self.begin(anchor, mark, false),
            Event::MappingStart(anchor, _) => self.begin(anchor, mark, true),
            Event::SequenceEnd | Event::MappingEnd => {
                let Some(open) = self.open.pop() else {
                    return Ok(());
                };
                let Open { anchor, mark, items, is_map, weight } = open;
                let kind = if is_map { Kind::Map(pairs(items)) } else { Kind::Sequence(items) };
                self.add(Rc::new(Node { mark, kind }), anchor, weight + 1)
            }
            _ => Ok(()),
        }
    }

    fn begin(&mut self, anchor: usize, mark: Mark, is_map: bool) -> Result<(), &'static str> {
        if self.open.len() >= MAX_DEPTH {
            return Err("nested too deeply");
        }
        self.open.push(Open { anchor, mark, items: Vec::new(), is_map, weight: 0 });
        Ok(())
    }

    fn add(&mut self, node: Rc<Node>, anchor: usize, weight: usize) -> Result<(), &'static str> {
        if anchor > 0 {
            self.anchors.insert(anchor, (Rc::clone(&node), weight));
        }
        match self.open.last_mut() {
            Some(open) => {
                open.weight += weight;
                open.items.push(node);
                if open.weight > MAX_NODES {
                    return Err("too many nodes");
                }
            }
            None => {
                self.total += weight;
                self.documents.push(node);
                if self.total > MAX_NODES {
                    return Err("too many nodes");
                }
            }
        }
        Ok(())
    }
}

fn pairs(items: Vec<Rc<Node>>) -> Vec<(Rc<Node>, Rc<Node>)> {
    let mut pairs = Vec::with_capacity(items.len() / 2);
    let mut items = items.into_iter();
    while let (Some(key), Some(value)) = (items.next(), items.next()) {
        pairs.push((key, value));
    }
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;

    fn only(text: &str) -> Rc<Node> {
        let mut documents = parse(text).unwrap();
        assert_eq!(documents.len(), 1);
        documents.remove(0)
    }

    #[test]
    fn a_missing_value_stands_where_the_next_thing_is() {
        let node = only("- a:\n  b: c\n");
        let item = &node.sequence().unwrap()[0];
        assert!(item.get("a").unwrap().is_null());
        assert_eq!(item.get("a").unwrap().mark, Mark { line: 1, column: 2, offset: 7 });
    }

    #[test]
    fn a_block_scalar_stands_at_its_indicator() {
        let node = only("a: >-\n   one\n   two\nb:   |\n  x\n");
        let text = node.get("a").unwrap();
        assert_eq!(text.scalar(), Some("one two"));
        assert_eq!(text.mark, Mark { line: 0, column: 3, offset: 3 });
        assert_eq!(node.get("b").unwrap().mark.column, 5);
    }

    #[test]
    fn two_commas_hold_a_null_at_the_second() {
        let node = only("- ä\n- [aa, , b,,c]\n");
        let list = node.sequence().unwrap()[1].sequence().unwrap().to_vec();
        assert_eq!(
            list.iter().map(|n| n.is_null()).collect::<Vec<_>>(),
            [false, true, false, true, false]
        );
        assert_eq!(list[1].mark, Mark { line: 1, column: 7, offset: 12 });
        assert_eq!((list[3].mark.column, list[4].mark.column), (11, 12));
    }

    #[test]
    fn aliases_cannot_multiply_without_end() {
        let mut text = "- &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..12 {
            let before = level - 1;
            let list = vec![format!("*a{before}"); 10].join(", ");
            text.push_str(&format!("- &a{level} [{list}]\n"));
        }
        assert_eq!(parse(&text).unwrap_err().message, "too many nodes");
    }

    #[test]
    fn deep_nesting_is_refused() {
        let text = "[".repeat(100_000);
        assert!(parse(&text).is_err());
    }

    #[test]
    fn tabs_may_follow_a_key_and_indent_in_brackets() {
        let node = only("a:\tb\nc: [x,\n\ty,\n]\n");
        assert_eq!(node.get("a").and_then(Node::scalar), Some("b"));
        assert_eq!(node.get("c").and_then(Node::sequence).map(<[_]>::len), Some(2));
    }
}
