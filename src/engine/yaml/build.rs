//! From the parser's events to nodes.

use std::collections::HashMap;

use saphyr_parser::{Event, Input, Parser, ScalarStyle, ScanError, Span};

use super::flow::Watch;
use super::places::Repaired;
use super::{Documents, Kind, MAX_DEPTH, MAX_WEIGHT, Stored};

/// Why there is no tree.
pub(super) enum Fault {
    /// The parser's, and whether it is inside a sequence.
    Syntax { error: ScanError, in_sequence: bool },
    /// Ours, and where: bytes of the file.
    Limit { message: String, offset: usize },
}

/// A sequence or map that is still open.
struct Open {
    anchor: usize,
    offset: u32,
    kind: Kind,
    /// Where its children begin among those of all that are open.
    from: usize,
    /// Of everything in it.
    weight: usize,
}

pub(super) struct Builder<'a> {
    repaired: &'a Repaired<'a>,
    documents: Documents,
    open: Vec<Open>,
    /// Children of those that are open.
    pending: Vec<u32>,
    anchors: HashMap<usize, (u32, usize)>,
    /// Of all documents.
    weight: usize,
    limit: usize,
    /// End of the event before, in characters.
    end: usize,
}

impl<'a> Builder<'a> {
    pub(super) fn new(repaired: &'a Repaired<'a>) -> Self {
        Self {
            repaired,
            documents: Documents::default(),
            open: Vec::new(),
            pending: Vec::new(),
            anchors: HashMap::new(),
            weight: 0,
            limit: repaired.text.len().max(MAX_WEIGHT),
            end: 0,
        }
    }

    /// Reads all of it.
    pub(super) fn run(self) -> Result<Documents, Fault> {
        let text = &self.repaired.text;
        match Watch::needed(text) {
            None => self.read(Parser::new_from_str(text), None),
            Some(watch) => self.read(Parser::new_from_iter(watch.chars(text)), Some(&watch)),
        }
    }

    fn read<T: Input>(
        mut self,
        mut parser: Parser<'_, T>,
        watch: Option<&Watch>,
    ) -> Result<Documents, Fault> {
        loop {
            let event = parser.next_event();
            if watch.is_some_and(Watch::is_exceeded) {
                let message = "too many elements in one [ ] or { }: write them one a line, each \
                               with a dash, or in several lists";
                return Err(self.limit(message, self.end));
            }
            let (event, span) = match event {
                None | Some(Ok((Event::StreamEnd, _))) => return Ok(self.documents),
                Some(Ok(event)) => event,
                Some(Err(error)) => {
                    let in_sequence =
                        self.open.last().is_some_and(|open| open.kind == Kind::Sequence);
                    return Err(Fault::Syntax { error, in_sequence });
                }
            };
            let offset = self.place(&event, span, &mut parser);
            if let Err(message) = self.event(event, offset) {
                return Err(self.limit(message, span.start.index()));
            }
            self.end = span.end.index();
            if let Some(watch) = watch {
                watch.restart();
            }
        }
    }

    fn limit(&self, message: &str, index: usize) -> Fault {
        Fault::Limit { message: message.to_owned(), offset: self.repaired.offset(index) }
    }

    /// Where Falco's YAML library says that the event is.
    fn place<T: Input>(&self, event: &Event<'_>, span: Span, parser: &mut Parser<'_, T>) -> u32 {
        let places = self.repaired;
        let offset = places.offset(span.start.index());
        let told = match event {
            // A block scalar stands at its indicator.
            Event::Scalar(_, ScalarStyle::Literal | ScalarStyle::Folded, ..) => {
                places.indicator(places.offset(self.end), offset).unwrap_or(offset)
            }
            // A value that isn't there stands where the next thing is.
            Event::Scalar(value, ScalarStyle::Plain, ..) if value.is_empty() => match parser.peek()
            {
                Some(Ok((_, next))) => places.offset(next.start.index()),
                _ => offset,
            },
            _ => offset,
        };
        small(told)
    }

    fn event(&mut self, event: Event<'_>, offset: u32) -> Result<(), &'static str> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let is_null = style == ScalarStyle::Plain
                    && tag.is_none()
                    && matches!(&*text, "" | "~" | "null" | "Null" | "NULL");
                let from = small(self.documents.text.len());
                let mut stored = Stored { offset, from, len: 0, kind: Kind::Null };
                if !is_null {
                    self.documents.text.push_str(&text);
                    stored.kind = Kind::Scalar;
                    stored.len = small(text.len());
                }
                let id = self.store(stored);
                self.add(id, anchor, 1 + text.len() / 16)
            }
            Event::Alias(anchor) => {
                let (id, weight) =
                    *self.anchors.get(&anchor).ok_or("the referenced anchor is not defined")?;
                self.add(id, 0, weight)
            }
            // An anchor is known in its document alone.
            Event::DocumentStart(_) => {
                self.anchors.clear();
                Ok(())
            }
            Event::SequenceStart(anchor, _) => self.begin(anchor, offset, Kind::Sequence),
            Event::MappingStart(anchor, _) => self.begin(anchor, offset, Kind::Map),
            Event::SequenceEnd | Event::MappingEnd => self.close(),
            _ => Ok(()),
        }
    }

    fn begin(&mut self, anchor: usize, offset: u32, kind: Kind) -> Result<(), &'static str> {
        if self.open.len() >= MAX_DEPTH {
            return Err("nested too deeply: more than 100 levels");
        }
        let from = self.pending.len();
        self.open.push(Open { anchor, offset, kind, from, weight: 0 });
        Ok(())
    }

    fn close(&mut self) -> Result<(), &'static str> {
        let Some(Open { anchor, offset, kind, from, weight }) = self.open.pop() else {
            return Ok(());
        };
        let children = self.documents.children.len();
        self.documents.children.extend(self.pending.drain(from..));
        let len = small(self.documents.children.len() - children);
        let id = self.store(Stored { offset, from: small(children), len, kind });
        self.add(id, anchor, weight + 1)
    }

    fn store(&mut self, stored: Stored) -> u32 {
        let id = small(self.documents.nodes.len());
        self.documents.nodes.push(stored);
        id
    }

    fn add(&mut self, id: u32, anchor: usize, weight: usize) -> Result<(), &'static str> {
        if anchor > 0 {
            self.anchors.insert(anchor, (id, weight));
        }
        let (total, list) = match self.open.last_mut() {
            Some(open) => (&mut open.weight, &mut self.pending),
            None => (&mut self.weight, &mut self.documents.roots),
        };
        *total += weight;
        list.push(id);
        if *total > self.limit {
            return Err("its aliases make the file too large: write out fewer of them");
        }
        Ok(())
    }
}

/// Offsets and counts in a file, which is smaller than 4 GiB.
fn small(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
