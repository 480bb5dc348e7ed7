//! Lists and macros.
//!
//! Lists are substituted in the text before it is parsed, macros in the tree afterwards. Both can
//! multiply what a file says, so both are bounded by a [`Budget`].

use std::collections::BTreeSet;

use rustc_hash::FxHashMap;

use super::exceptions::quoted;
use super::merge::{List, Named};
use crate::engine::lang::ast::{Expr, Position};
use crate::engine::lang::parser::MAX_DEPTH;
use crate::engine::lang::visit::Size;

/// Longest condition with its lists substituted, in bytes.
pub(super) const MAX_CONDITION_BYTES: usize = 4 << 20;

/// What looking for a list's name in a condition costs beside the condition's length, in bytes.
const LOOK_COST: usize = 128;

/// Why rules are refused that would exhaust memory.
pub(super) const TOO_LARGE: &str =
    "its lists, macros or patterns make the rules too large to be loaded";

/// What expanding everything may cost.
#[derive(Clone, Copy, Debug)]
pub(super) struct Budget {
    /// Bytes looked at and written while lists are substituted.
    bytes: usize,
    /// Checks and values of all resolved trees.
    nodes: usize,
    /// States of all regular expressions.
    states: usize,
}

impl Budget {
    /// For files of `bytes` in all: generous for rules that people write, and small enough for
    /// those made to exhaust memory.
    pub(super) fn new(bytes: usize) -> Self {
        Self {
            bytes: (256 << 20).max(bytes * 16),
            nodes: 600_000.max(bytes / 2),
            states: (1 << 20).max(bytes),
        }
    }

    fn take_bytes(&mut self, bytes: usize) -> bool {
        let left = self.bytes.checked_sub(bytes);
        self.bytes = left.unwrap_or(0);
        left.is_some()
    }

    /// Whether there was room for regular expressions of so many states.
    pub(super) fn take_states(&mut self, states: usize) -> bool {
        let left = self.states.checked_sub(states);
        self.states = left.unwrap_or(0);
        left.is_some()
    }

    /// Whether there was room for so many nodes.
    pub(super) fn take_nodes(&mut self, nodes: usize) -> bool {
        let left = self.nodes.checked_sub(nodes);
        self.nodes = left.unwrap_or(0);
        left.is_some()
    }
}

/// A list with the lists in it resolved.
#[derive(Debug)]
pub(super) struct CompiledList {
    pub(super) items: Vec<String>,
    pub(super) used: bool,
    /// Its items as they go into a condition.
    text: String,
    /// Lists that the text names.
    mentions: Vec<usize>,
}

/// All lists, ready to be substituted.
#[derive(Debug, Default)]
pub(super) struct Lists<'a> {
    pub(super) all: Vec<CompiledList>,
    names: Vec<&'a str>,
    by_name: FxHashMap<&'a str, usize>,
    /// Those whose names have delimiters in them, so that they are no words.
    odd: Vec<usize>,
}

const fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

const fn is_delimiter(byte: u8) -> bool {
    is_blank(byte) || matches!(byte, b'(' | b')' | b',' | b'=')
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| u8::try_from(c).is_ok_and(is_delimiter))
}

/// The text would grow too long, or all of them together.
#[derive(Debug)]
pub(super) struct TooLarge;

impl<'a> Lists<'a> {
    /// Resolves lists in lists: by their own items, one level, if they are visible.
    pub(super) fn compile(lists: &'a Named<List>, budget: &mut Budget) -> Result<Self, TooLarge> {
        let mut compiled = Self::default();
        let mut used = Vec::new();
        for list in lists.all() {
            let mut items: Vec<String> = Vec::with_capacity(list.items.len());
            for item in &list.items {
                match lists.position(item).zip(lists.get(item)) {
                    Some((position, inner)) if inner.age.index < list.age.visibility => {
                        used.push(position);
                        let cost = inner.items.iter().map(|item| item.len() + 32).sum();
                        if !budget.take_bytes(cost) || !budget.take_nodes(inner.items.len()) {
                            return Err(TooLarge);
                        }
                        items.extend_from_slice(&inner.items);
                    }
                    _ => items.push(item.clone()),
                }
            }
            let index = compiled.all.len();
            compiled.names.push(&list.name);
            compiled.by_name.insert(&list.name, index);
            if list.name.bytes().any(is_delimiter) {
                compiled.odd.push(index);
            }
            let text = items.iter().map(|item| quoted(item)).collect::<Vec<_>>().join(", ");
            compiled.all.push(CompiledList { items, used: false, text, mentions: Vec::new() });
        }
        for position in used {
            if let Some(list) = compiled.all.get_mut(position) {
                list.used = true;
            }
        }
        compiled.find_mentions();
        Ok(compiled)
    }

    fn find_mentions(&mut self) {
        for index in 0..self.all.len() {
            let text = self.all.get(index).map_or("", |list| list.text.as_str());
            let named = words(text).filter_map(|word| self.by_name.get(word).copied());
            let mentions: Vec<usize> = named.filter(|other| *other > index).collect();
            if let Some(list) = self.all.get_mut(index) {
                list.mentions = mentions;
            }
        }
    }

    /// Puts the items of every list into `condition` where it is named; in the order of the lists'
    /// definition, so that an item may name a later list.
    pub(super) fn substitute(
        &mut self,
        condition: &str,
        budget: &mut Budget,
    ) -> Result<String, TooLarge> {
        let mut pending: BTreeSet<usize> = self.odd.iter().copied().collect();
        pending.extend(words(condition).filter_map(|word| self.by_name.get(word)));
        let mut text = condition.to_owned();
        while let Some(index) = pending.pop_first() {
            let (Some(list), Some(name)) = (self.all.get_mut(index), self.names.get(index)) else {
                continue;
            };
            if !budget.take_bytes(text.len() + LOOK_COST) {
                return Err(TooLarge);
            }
            if let Some(substituted) = put(&text, name, &list.text)? {
                if !budget.take_bytes(substituted.len()) {
                    return Err(TooLarge);
                }
                text = substituted;
                list.used = true;
                pending.extend(list.mentions.iter().copied());
            }
        }
        Ok(text)
    }
}

/// Puts `items` in the place of every `name` between delimiters, quotes or not. Nothing if there
/// is none.
fn put(text: &str, name: &str, items: &str) -> Result<Option<String>, TooLarge> {
    let bytes = text.as_bytes();
    let mut out = String::new();
    let mut copied = 0;
    let mut from = 0;
    let mut used = false;
    while let Some(found) = text.get(from..).and_then(|rest| rest.find(name)) {
        let at = from + found;
        let mut end = at + name.len();
        let before = if at > copied { bytes.get(at - 1) } else { out.as_bytes().last() };
        let bounded = before.is_none_or(|byte| is_delimiter(*byte))
            && bytes.get(end).is_none_or(|byte| is_delimiter(*byte));
        if !bounded {
            from = next_boundary(text, at);
            continue;
        }
        used = true;
        out.push_str(text.get(copied..at).unwrap_or_default());
        out.truncate(out.trim_end_matches([' ', '\t', '\n', '\r']).len());
        while bytes.get(end).is_some_and(|byte| is_blank(*byte)) {
            end += 1;
        }
        // An empty list takes one comma with it, the one before if there is one.
        if items.is_empty() {
            if out.ends_with(',') {
                out.pop();
            } else if bytes.get(end) == Some(&b',') {
                end += 1;
            }
        }
        let first = out.is_empty();
        if !first {
            out.push(' ');
        }
        out.push_str(items);
        out.push(' ');
        if out.len() > MAX_CONDITION_BYTES {
            return Err(TooLarge);
        }
        copied = end;
        // Falco goes on one character further if the text began with the name.
        from = if first { next_boundary(text, end) } else { end };
    }
    if !used {
        return Ok(None);
    }
    out.push_str(text.get(copied..).unwrap_or_default());
    Ok(Some(out))
}

fn next_boundary(text: &str, at: usize) -> usize {
    (at + 1..text.len()).find(|next| text.is_char_boundary(*next)).unwrap_or(text.len())
}

/// A macro whose text is parsed; its macros are resolved in the order of definition.
#[derive(Debug)]
pub(super) struct ParsedMacro {
    /// With its lists substituted.
    pub(super) text: String,
    /// Before its macros are resolved.
    pub(super) parsed: Expr,
    pub(super) expr: Expr,
    pub(super) size: Size,
    pub(super) used: bool,
    /// No macro is left in it.
    pub(super) resolved: bool,
    /// Macros that are resolved in it, by their places among all.
    pub(super) names: Vec<usize>,
    /// It is what it was before the last file.
    pub(super) is_same: bool,
}

impl ParsedMacro {
    pub(super) fn new(text: String, parsed: Expr) -> Self {
        let (expr, size) = (parsed.clone(), parsed.size());
        let (used, resolved, is_same) = (false, false, false);
        Self { text, parsed, expr, size, used, resolved, names: Vec::new(), is_same }
    }
}

/// Why macros can't be resolved; Falco's text and the place of the macro's name.
#[derive(Debug)]
pub(super) struct MacroError {
    pub(super) message: String,
    pub(super) at: Position,
}

/// Replaces macros by what they stand for.
pub(super) struct Resolver<'a> {
    pub(super) macros: &'a [ParsedMacro],
    /// The macro of that name, if it is visible.
    pub(super) visible: &'a dyn Fn(&str) -> Option<usize>,
    pub(super) budget: &'a mut Budget,
    path: Vec<usize>,
    used: Vec<usize>,
    undefined: Option<MacroError>,
    error: Option<MacroError>,
}

impl<'a> Resolver<'a> {
    pub(super) fn new(
        macros: &'a [ParsedMacro],
        visible: &'a dyn Fn(&str) -> Option<usize>,
        budget: &'a mut Budget,
    ) -> Self {
        let (path, used) = (Vec::new(), Vec::new());
        Self { macros, visible, budget, path, used, undefined: None, error: None }
    }

    /// Resolves all of `expr` and tells which macros are in it.
    pub(super) fn run(mut self, expr: Expr) -> Result<(Expr, Vec<usize>), MacroError> {
        let expr = self.expr(expr, 1);
        match self.error.or(self.undefined) {
            Some(error) => Err(error),
            None => Ok((expr, self.used)),
        }
    }

    fn expr(&mut self, expr: Expr, depth: usize) -> Expr {
        match expr {
            Expr::And(parts) => Expr::And(self.parts(parts, depth)),
            Expr::Or(parts) => Expr::Or(self.parts(parts, depth)),
            Expr::Not(mut inner) => {
                let taken = std::mem::replace(&mut *inner, Expr::And(Vec::new()));
                *inner = self.expr(taken, depth + 1);
                Expr::Not(inner)
            }
            Expr::Macro { name, at } => self.reference(name, at, depth),
            check @ Expr::Check(_) => check,
        }
    }

    fn parts(&mut self, parts: Vec<Expr>, depth: usize) -> Vec<Expr> {
        parts.into_iter().map(|part| self.expr(part, depth + 1)).collect()
    }

    fn reference(&mut self, name: String, at: Position, depth: usize) -> Expr {
        let found = (self.visible)(&name).and_then(|index| Some((index, self.macros.get(index)?)));
        let Some((index, parsed)) = found else {
            let message = format!("Undefined macro '{name}' used in filter.");
            self.undefined.get_or_insert(MacroError { message, at });
            return Expr::Macro { name, at };
        };
        if self.path.contains(&index) {
            return self.fail(name, at, |name| format!("reference loop in macro '{name}'"));
        }
        if depth + parsed.size.depth > MAX_DEPTH {
            return self.fail(name, at, |_| format!("exceeded max depth limit of {MAX_DEPTH}"));
        }
        if self.error.is_some() {
            return Expr::Macro { name, at };
        }
        if !self.budget.take_nodes(parsed.size.nodes) {
            return self.fail(name, at, |name| {
                format!("macro '{name}' makes the rules too large to be loaded")
            });
        }
        let mut expr = parsed.expr.clone();
        if !parsed.resolved {
            self.path.push(index);
            expr = self.expr(expr, depth);
            self.path.pop();
        }
        self.used.push(index);
        expr
    }

    fn fail(&mut self, name: String, at: Position, message: fn(&str) -> String) -> Expr {
        let message = message(&name);
        self.error.get_or_insert(MacroError { message, at });
        Expr::Macro { name, at }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::matchers::posix_regex::states;

    fn put_once(text: &str, name: &str, items: &str) -> String {
        put(text, name, items).unwrap().unwrap_or_else(|| text.to_owned())
    }

    #[test]
    fn a_list_replaces_its_name_and_the_blanks_around_it() {
        assert_eq!(put_once("a.b in (l)", "l", "x, y"), "a.b in ( x, y )");
        assert_eq!(put_once("a.b in  l", "l", "x, y"), "a.b in x, y ");
        assert_eq!(put_once("a.b in (l, l)", "l", "x"), "a.b in ( x , x )");
    }

    #[test]
    fn only_whole_words_are_replaced_even_in_quotes() {
        assert_eq!(put_once("a.l in (ll, l2, \"l\")", "l", "x"), "a.l in (ll, l2, \"l\")");
        assert_eq!(put_once("a.b = \"say l now\"", "l", "x"), "a.b = \"say x now\"");
    }

    #[test]
    fn repetitions_multiply_the_states_of_a_pattern() {
        assert_eq!(states("abc"), 403);
        assert_eq!(states("a{99}{99}"), 400 + 99 * 99);
        assert_eq!(states("(ab{3}){10}c"), 400 + 41);
        assert_eq!(states("a{"), 401);
        assert!(states(&"(a{99})".repeat(3)) < 1000);
    }

    #[test]
    fn an_empty_list_takes_a_comma_with_it() {
        assert_eq!(put_once("a.b in (l)", "l", ""), "a.b in (  )");
        assert_eq!(put_once("a.b in (x, l)", "l", ""), "a.b in (x  )");
        assert_eq!(put_once("a.b in (l, x)", "l", ""), "a.b in (   x)");
    }
}
