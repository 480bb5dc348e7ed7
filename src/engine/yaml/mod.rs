//! YAML documents as trees whose nodes know where they stand.
//!
//! Scalars keep their text: what a value means (a number, a Boolean) is the reader's business, as
//! with Falco's YAML library, whose places and small liberties (`[a, , b]` holds a null) are
//! reproduced here too. Offsets are bytes of the file without a byte order mark.
//!
//! Bounded: nesting by [`MAX_DEPTH`], what aliases multiply by [`MAX_WEIGHT`], what the parser
//! keeps of one `[…]` by [`MAX_FLOW`]. A node takes 16 bytes and its text: all texts of a file
//! are in one buffer, all nodes in another.

mod build;
mod faults;
mod flow;
mod indent;
mod places;

use saphyr_parser::ScanError;

use self::build::{Builder, Fault};
use self::indent::Unclosed;
use self::places::Repaired;

/// Deepest nesting of sequences and maps.
pub const MAX_DEPTH: usize = 100;

/// Most nodes and sixteenths of the bytes of scalars, everything that aliases repeat counted again.
/// A file of more bytes may have as many as it has bytes, which none without aliases exceeds.
pub const MAX_WEIGHT: usize = 1 << 20;

/// Most brackets, commas, colons, quotes and the like in one `[…]` or `{…}` with all that is in
/// it. A file of more than four times as many bytes may have a fourth of its bytes.
pub const MAX_FLOW: usize = 400_000;

/// Most bytes that are parsed again to put nulls between commas one after the other.
const MAX_REPAIRED_BYTES: usize = 4 << 20;

/// Most nulls that are put in so.
const MAX_REPAIRS: usize = 16;

/// All documents of a file.
#[derive(Debug, Default)]
pub struct Documents {
    /// The text of all scalars.
    text: String,
    nodes: Vec<Stored>,
    /// Elements of sequences; keys and values of maps in turn.
    children: Vec<u32>,
    roots: Vec<u32>,
    unclosed: Option<usize>,
}

/// A node as it is kept.
#[derive(Clone, Copy, Debug)]
struct Stored {
    /// Where it begins.
    offset: u32,
    /// Where its text or its children begin, and how many bytes or children these are.
    from: u32,
    len: u32,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    /// Nothing, `~` or `null`.
    Null,
    Scalar,
    Sequence,
    Map,
}

/// A value with its place.
#[derive(Clone, Copy, Debug)]
pub struct Node<'a> {
    documents: &'a Documents,
    stored: Stored,
}

/// Why a text is no YAML.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("error at line {}, column {}: {message}", line + 1, column + 1)]
pub struct YamlError {
    /// What is wrong.
    pub message: String,
    /// From 0.
    pub line: usize,
    /// Bytes from the line's start.
    pub column: usize,
    /// Bytes from the file's start.
    pub offset: usize,
}

impl Documents {
    /// Where a quoted text begins that is never closed, and was read up to the file's end.
    #[must_use]
    pub const fn unclosed(&self) -> Option<usize> {
        self.unclosed
    }

    /// The documents, in the order of the file.
    pub fn iter(&self) -> impl Iterator<Item = Node<'_>> + Clone {
        self.roots.iter().filter_map(|id| self.node(*id))
    }

    fn node(&self, id: u32) -> Option<Node<'_>> {
        let stored = *self.nodes.get(id as usize)?;
        Some(Node { documents: self, stored })
    }
}

impl<'a> Node<'a> {
    /// Where it begins: bytes from the file's start.
    #[must_use]
    pub const fn offset(self) -> usize {
        self.stored.offset as usize
    }

    /// Whether it is nothing.
    #[must_use]
    pub fn is_null(self) -> bool {
        self.stored.kind == Kind::Null
    }

    /// Its text, if it is a scalar.
    #[must_use]
    pub fn scalar(self) -> Option<&'a str> {
        let Stored { from, len, kind, .. } = self.stored;
        let end = from as usize + len as usize;
        self.documents.text.get(from as usize..end).filter(|_| kind == Kind::Scalar)
    }

    fn children(self, kind: Kind) -> Option<&'a [u32]> {
        let Stored { from, len, .. } = self.stored;
        let end = from as usize + len as usize;
        self.documents.children.get(from as usize..end).filter(|_| self.stored.kind == kind)
    }

    /// Its elements, if it is a sequence.
    #[must_use]
    pub fn sequence(self) -> Option<impl ExactSizeIterator<Item = Self> + Clone> {
        let documents = self.documents;
        // Children are there; a missing one would show as the sequence itself.
        let element = move |id: &u32| documents.node(*id).unwrap_or(self);
        Some(self.children(Kind::Sequence)?.iter().map(element))
    }

    /// Its entries, if it is a map: keys with their values, in the order of the file, repeated
    /// keys included.
    #[must_use]
    pub fn map(self) -> Option<impl ExactSizeIterator<Item = (Self, Self)> + Clone> {
        let documents = self.documents;
        let node = move |id: Option<&u32>| id.and_then(|id| documents.node(*id)).unwrap_or(self);
        let entries = self.children(Kind::Map)?.chunks_exact(2);
        Some(entries.map(move |entry| (node(entry.first()), node(entry.get(1)))))
    }

    /// The value of `key`, of the first one if it is there twice.
    #[must_use]
    pub fn get(self, key: &str) -> Option<Self> {
        let documents = self.documents;
        let is_key = |id: &u32| {
            let stored = documents.nodes.get(*id as usize);
            stored.is_some_and(|stored| stored.len as usize == key.len())
                && documents.node(*id).and_then(Node::scalar) == Some(key)
        };
        let mut entries = self.children(Kind::Map)?.chunks_exact(2);
        let entry = entries.find(|entry| entry.first().is_some_and(is_key))?;
        documents.node(*entry.get(1)?)
    }
}

/// Reads all documents of `text`.
///
/// # Errors
///
/// If it is no YAML, is nested too deeply or grows too large.
pub fn parse(text: &str) -> Result<Documents, YamlError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let repaired = Repaired::indented(text);
    if u32::try_from(repaired.text.len()).is_err() {
        return Err(repaired.error("the file is larger than 4 GiB".to_owned(), 0));
    }
    let (is_changed, unclosed) = (repaired.is_changed, repaired.unclosed);
    let result = match documents(repaired) {
        Err(_) if is_changed => documents(Repaired::new(text)),
        result => result,
    };
    match (result, unclosed) {
        // Falco's library takes the file's end for the quote, behind a line's end.
        (Err(error), Some(Unclosed { at, .. })) if ends_in_line_end(text) => {
            let mut closed = documents(Repaired::closed(text)).map_err(|_| error)?;
            closed.unclosed = Some(at);
            Ok(closed)
        }
        (result, _) => result,
    }
}

/// Whether nothing but blanks stands behind the last line's end.
fn ends_in_line_end(text: &str) -> bool {
    text.trim_end_matches([' ', '\t']).ends_with('\n')
}

fn documents(mut repaired: Repaired<'_>) -> Result<Documents, YamlError> {
    let limit = MAX_REPAIRED_BYTES / repaired.text.len().max(1);
    for repairs in 0.. {
        let (error, in_sequence) = match Builder::new(&repaired).run() {
            Ok(documents) => return Ok(documents),
            Err(Fault::Limit { message, offset }) => return Err(repaired.error(message, offset)),
            Err(Fault::Syntax { error, in_sequence }) => (error, in_sequence),
        };
        let index = error.marker().index();
        let is_hole = in_sequence
            && error.info().contains("did not find expected node content")
            && repaired.text.as_bytes().get(repaired.byte(index)) == Some(&b',');
        if !is_hole || repairs >= limit.clamp(1, MAX_REPAIRS) {
            return Err(yaml_error(&repaired, &error));
        }
        repaired.insert_null(index);
    }
    Ok(Documents::default())
}

fn yaml_error(repaired: &Repaired<'_>, error: &ScanError) -> YamlError {
    let offset = repaired.offset(error.marker().index());
    let offset = faults::place(repaired.original, offset, error.info());
    repaired.error(error.info().to_owned(), offset)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn only(text: &str) -> Documents {
        let documents = parse(text).unwrap();
        assert_eq!(documents.roots.len(), 1);
        documents
    }

    fn root(documents: &Documents) -> Node<'_> {
        documents.iter().next().unwrap()
    }

    #[test]
    fn a_missing_value_stands_where_the_next_thing_is() {
        let documents = only("- a:\n  b: c\n");
        let item = root(&documents).sequence().unwrap().next().unwrap();
        assert!(item.get("a").unwrap().is_null());
        assert_eq!(item.get("a").unwrap().offset(), 7);
    }

    #[test]
    fn a_block_scalar_stands_at_its_indicator() {
        let documents = only("a: >-\n   one\n   two\nb:   |\n  x\n");
        let text = root(&documents).get("a").unwrap();
        assert_eq!((text.scalar(), text.offset()), (Some("one two"), 3));
        assert_eq!(root(&documents).get("b").unwrap().offset(), 25);
    }

    #[test]
    fn a_quote_that_is_never_closed_ends_with_the_last_line() {
        let documents = only("- rule: \"never closed\n  desc: d\n");
        let item = root(&documents).sequence().unwrap().next().unwrap();
        assert_eq!(item.get("rule").and_then(Node::scalar), Some("never closed desc: d "));
        assert_eq!(documents.unclosed(), Some(8));
        assert!(parse("- ['b',\n 'it''s\n\n").is_err());
        assert!(parse("- rule: \"never closed").is_err());
        assert_eq!(only("- it's\n- 'x'\n").unclosed(), None);
    }

    #[test]
    fn an_anchor_is_known_in_its_document_alone() {
        assert_eq!(only("- &a x\n- *a\n").roots.len(), 1);
        assert!(parse("- &a x\n---\n- *a\n").is_err());
    }

    #[test]
    fn two_commas_hold_a_null_at_the_second() {
        let documents = only("- ä\n- [aa, , b,,c]\n");
        let list = root(&documents).sequence().unwrap().nth(1).unwrap();
        let told: Vec<_> = list.sequence().unwrap().map(|n| (n.is_null(), n.offset())).collect();
        assert_eq!(told, [(false, 8), (true, 12), (false, 14), (true, 16), (false, 17)]);
    }

    #[test]
    fn aliases_cannot_multiply_without_end() {
        let mut text = "- &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..12 {
            let before = level - 1;
            let list = vec![format!("*a{before}"); 10].join(", ");
            text.push_str(&format!("- &a{level} [{list}]\n"));
        }
        let long = format!("- &a {}\n{}", "x".repeat(100_000), "- *a\n".repeat(1000));
        for text in [text, long] {
            let message = parse(&text).unwrap_err().message;
            assert_eq!(message, "its aliases make the file too large: write out fewer of them");
        }
    }

    #[test]
    fn what_the_parser_keeps_of_a_sequence_is_bounded() {
        for part in ["x,", ",", "[],", "\"\"", "{", "? ", "a: b: "] {
            let text = format!("- a\n- [{}]", part.repeat((MAX_FLOW + 100) / part.len().min(2)));
            let error = parse(&text).map(drop).unwrap_err();
            assert!(error.line <= 1, "{part}: {error}");
        }
        let text = format!("- [{}]", "x,".repeat(MAX_FLOW / 2 + 20));
        assert!(parse(&text).is_err_and(|error| error.message.starts_with("too many elements")));
        let text = format!("- [{}]", "x,".repeat(MAX_FLOW / 2 - 20));
        let documents = only(&text);
        let list = root(&documents).sequence().unwrap().next().unwrap();
        assert_eq!(list.sequence().unwrap().len(), MAX_FLOW / 2 - 20);
        assert_eq!(root(&only(&"- x\n".repeat(MAX_FLOW * 2))).sequence().unwrap().len(), 800_000);
    }

    #[test]
    fn deep_nesting_is_refused() {
        assert!(parse(&"[".repeat(100_000)).is_err());
        let error = parse(&format!("{}{}", "[".repeat(101), "]".repeat(101))).unwrap_err();
        assert_eq!(error.message, "nested too deeply: more than 100 levels");
        assert_eq!((error.line, error.column), (0, 100));
    }

    #[test]
    fn tabs_may_follow_a_key_and_indent_in_brackets() {
        let documents = only("a:\tb\nc: [x,\n\ty,\n]\n");
        let node = root(&documents);
        assert_eq!(node.get("a").and_then(Node::scalar), Some("b"));
        assert_eq!(node.get("c").and_then(Node::sequence).unwrap().len(), 2);
    }
}
