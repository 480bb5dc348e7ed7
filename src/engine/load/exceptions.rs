//! Exceptions: reading them, checking them, and turning them into a part of the condition.

use std::borrow::Cow;
use std::collections::HashMap;

use super::Read;
use super::decode;
use super::expand::{MAX_CONDITION_BYTES, TOO_LARGE};
use crate::engine::compile;
use crate::engine::context::Place;
use crate::engine::diagnostic::{WarningCode, Warnings};
use crate::engine::lang::ast::{Family, ListModifier, Operand, Operator};
use crate::engine::lang::parser;
use crate::engine::yaml::Node;
use crate::fields::lookup::lookup;

/// A text, or a list of texts and lists.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Entry {
    Text(String),
    List(Vec<Self>),
}

impl Default for Entry {
    fn default() -> Self {
        Self::Text(String::new())
    }
}

impl Entry {
    pub(super) const fn is_valid(&self) -> bool {
        match self {
            Self::Text(text) => !text.is_empty(),
            Self::List(items) => !items.is_empty(),
        }
    }

    /// The text; a list has none.
    pub(super) fn text(&self) -> &str {
        match self {
            Self::Text(text) => text,
            Self::List(_) => "",
        }
    }

    /// The elements; a text has none.
    pub(super) fn items(&self) -> &[Self] {
        match self {
            Self::Text(_) => &[],
            Self::List(items) => items,
        }
    }

    /// The text, or all texts of the list and of the lists in it.
    pub(super) fn texts(&self) -> Vec<&str> {
        match self {
            Self::Text(text) => vec![text],
            Self::List(items) => items.iter().flat_map(Self::texts).collect(),
        }
    }

    fn read(value: Node<'_>, key: &str, place: &Place) -> Read<Self> {
        if let Some(text) = value.scalar() {
            if text.is_empty() {
                let message = "Value must be non-empty";
                return Err(decode::here(value, key, place).shape(message));
            }
            return Ok(Self::Text(text.to_owned()));
        }
        let Some(items) = value.sequence() else {
            return Ok(Self::default());
        };
        let here = decode::here(value, key, place);
        let item = |item| Self::read(item, "", &here.to("exception", "", item));
        items.map(item).collect::<Read<Vec<_>>>().map(Self::List)
    }
}

/// One exception of a rule.
#[derive(Clone, Debug)]
pub(super) struct Exception {
    pub(super) name: String,
    pub(super) fields: Entry,
    pub(super) comps: Entry,
    pub(super) values: Vec<Entry>,
    pub(super) place: Place,
}

/// So many warnings of a file make further ones about exceptions of the same name needless.
const MAX_SAME_NAME: usize = 100;

/// The exceptions of a rule, in their order. A name may be there twice; the first one counts.
#[derive(Clone, Debug, Default)]
pub(super) struct Exceptions {
    all: Vec<Exception>,
    /// Of every name, the place of the first one and how many there are.
    by_name: HashMap<String, (usize, usize)>,
}

impl Exceptions {
    pub(super) fn all(&self) -> &[Exception] {
        &self.all
    }

    pub(super) fn all_mut(&mut self) -> &mut [Exception] {
        &mut self.all
    }

    pub(super) fn into_all(self) -> Vec<Exception> {
        self.all
    }

    pub(super) fn named(&mut self, name: &str) -> Option<&mut Exception> {
        let (first, _) = self.by_name.get(name)?;
        self.all.get_mut(*first)
    }

    fn count(&self, name: &str) -> usize {
        self.by_name.get(name).map_or(0, |(_, count)| *count)
    }

    pub(super) fn push(&mut self, exception: Exception) {
        let place = self.all.len();
        self.by_name.entry(exception.name.clone()).or_insert((place, 0)).1 += 1;
        self.all.push(exception);
    }
}

/// Reads the `exceptions` of an item. With `append` the fields may be missing.
pub(super) fn read(
    item: Node<'_>,
    place: &Place,
    append: bool,
    warnings: &mut Warnings,
) -> Read<Exceptions> {
    let mut exceptions = Exceptions::default();
    let Some(list) = item.get("exceptions").filter(|list| !list.is_null()) else {
        return Ok(exceptions);
    };
    let here = place.to("exceptions", "", list);
    let items = list.sequence().ok_or_else(|| here.shape("Rule exceptions must be a sequence"))?;
    for item in items {
        let exception = read_one(item, place, &here, append, warnings)?;
        // One for each that has the name already, but not without end.
        let said =
            if warnings.len() < MAX_SAME_NAME { exceptions.count(&exception.name) } else { 0 };
        for _ in 0..said.min(MAX_SAME_NAME) {
            warnings.push(|| {
                let name = &exception.name;
                let message =
                    format!("Multiple definitions of exception '{name}' in the same rule");
                exception.place.warning(WarningCode::ExceptionNameNotUnique, message)
            });
        }
        exceptions.push(exception);
    }
    Ok(exceptions)
}

fn read_one(
    item: Node<'_>,
    rule: &Place,
    list: &Place,
    append: bool,
    warnings: &mut Warnings,
) -> Read<Exception> {
    let unnamed = list.to("exception", "", item);
    if item.map().is_none() {
        return Err(unnamed.shape("Rule exception must be a mapping"));
    }
    let name = decode::text(item, "name", &unnamed)?.to_owned();
    let place = rule.to("exception", &name, item);
    let fields = match item.get("fields") {
        Some(fields) => Entry::read(fields, "fields", &place)?,
        None if append => Entry::default(),
        None => return Err(place.shape("Item has no mapping for key 'fields'")),
    };
    let comps = match item.get("comps") {
        Some(comps) => Entry::read(comps, "comps", &place)?,
        None => Entry::default(),
    };
    let mut values = Vec::new();
    if let Some(list) = item.get("values") {
        let here = place.to("exception values", "", list);
        let items = list
            .sequence()
            .ok_or_else(|| here.shape("Rule exception values must be a sequence"))?;
        for item in items {
            values.push(Entry::read(item, "", &here.to("exception value", "", item))?);
        }
    } else if append {
        let message = "Overriding/appending exception with no values";
        warnings.push(|| place.warning(WarningCode::AppendNoValues, message));
    }
    Ok(Exception { name, fields, comps, values, place })
}

impl Exception {
    /// Fills in the comparisons that are not given and checks all of them; the fields too if
    /// their source is known.
    pub(super) fn check(&mut self, known_source: bool) -> Read<()> {
        match &self.fields {
            Entry::List(fields) => {
                if !self.comps.is_valid() {
                    let equal = || Entry::Text("=".to_owned());
                    self.comps = Entry::List(fields.iter().map(|_| equal()).collect());
                }
                self.check_list()?;
            }
            Entry::Text(_) => {
                if !self.comps.is_valid() {
                    self.comps = Entry::Text("in".to_owned());
                }
                self.check_single()?;
            }
        }
        if known_source {
            self.check_fields()?;
        }
        Ok(())
    }

    fn check_list(&mut self) -> Read<()> {
        let place = &self.place;
        if self.fields.items().len() != self.comps.items().len() {
            return Err(place.invalid("Fields and comps lists must have equal length"));
        }
        let Entry::List(comps) = &mut self.comps else {
            return Ok(());
        };
        for comp in comps {
            let text = normalized(comp.text());
            let known = Operator::SPELLINGS.iter().any(|(name, _)| *name == text);
            if !known && !has_modifier(text) {
                return Err(
                    place.invalid(format!("'{text}' is not a supported comparison operator"))
                );
            }
            *comp = Entry::Text(text.to_owned());
        }
        Ok(())
    }

    fn check_single(&mut self) -> Read<()> {
        if matches!(self.comps, Entry::List(_)) {
            return Err(self.place.invalid("Fields and comps must both be strings"));
        }
        let text = normalized(self.comps.text());
        if !is_list_operator(text) {
            return Err(self.place.invalid(
                "When fields is a single value, comps must be one of (in, pmatch, intersects) or \
                 a modifier operator (e.g. startswith oneof)",
            ));
        }
        self.comps = Entry::Text(text.to_owned());
        Ok(())
    }

    fn check_fields(&self) -> Read<()> {
        let single = std::slice::from_ref(&self.fields);
        let fields = if let Entry::List(fields) = &self.fields { fields } else { single };
        match fields.iter().map(Entry::text).find(|field| !is_field(field)) {
            None => Ok(()),
            Some(field) => {
                let message = format!("'{field}' is not a supported filter field");
                Err(self.place.invalid(message))
            }
        }
    }

    /// ` and not (…)`, or nothing without values.
    fn clause(&self) -> Read<String> {
        let invalid = |message: &str| Err(self.place.invalid(message));
        if self.values.is_empty() {
            return Ok(String::new());
        }
        let mut tuples = Vec::with_capacity(self.values.len());
        let mut bytes = 0;
        let Entry::List(fields) = &self.fields else {
            for value in &self.values {
                let Entry::Text(text) = value else {
                    return invalid("Expected values array to contain a list of strings");
                };
                tuples.push(quoted(text));
            }
            let (field, comp) = (self.fields.text(), self.comps.text());
            return Ok(format!(" and not ({field} {comp} ({}))", tuples.join(", ")));
        };
        for tuple in &self.values {
            if fields.len() != tuple.items().len() {
                return invalid("Fields and values lists must have equal length");
            }
            let mut parts = Vec::with_capacity(fields.len());
            for (index, (field, value)) in fields.iter().zip(tuple.items()).enumerate() {
                let comp = self.comps.items().get(index).map_or("", Entry::text);
                parts.push(format!(" {} {comp} {}", field.text(), operand(value, comp)));
            }
            let tuple = format!("({})", parts.join(" and "));
            bytes += tuple.len();
            if bytes > MAX_CONDITION_BYTES {
                return invalid(TOO_LARGE);
            }
            tuples.push(tuple);
        }
        Ok(format!(" and not ({})", tuples.join(" or ")))
    }
}

/// The condition with all exceptions.
pub(super) fn apply<'a>(condition: &'a str, exceptions: &[Exception]) -> Read<Cow<'a, str>> {
    if exceptions.is_empty() {
        return Ok(Cow::Borrowed(condition));
    }
    let mut text = format!("({condition})");
    for exception in exceptions {
        text.push_str(&exception.clause()?);
        if text.len() > MAX_CONDITION_BYTES {
            return Err(exception.place.invalid(TOO_LARGE));
        }
    }
    Ok(Cow::Owned(text))
}

fn operand(value: &Entry, comp: &str) -> String {
    match value {
        Entry::List(items) => {
            let items: Vec<String> = items.iter().map(|item| quoted(item.text())).collect();
            format!("({})", items.join(", "))
        }
        Entry::Text(text) if !is_list_operator(comp) => quoted(text),
        Entry::Text(text) if text.starts_with('(') => text.clone(),
        Entry::Text(text) => format!("({text})"),
    }
}

/// In double quotes if it has a blank and no quotes yet; quotes inside are not escaped.
pub(super) fn quoted(text: &str) -> String {
    if text.contains(' ') && !text.starts_with(['"', '\'']) {
        format!("\"{text}\"")
    } else {
        text.to_owned()
    }
}

fn normalized(comp: &str) -> &str {
    comp.trim_matches([' ', '\t', '\r', '\n'])
}

fn is_list_operator(comp: &str) -> bool {
    matches!(comp, "in" | "pmatch" | "intersects") || has_modifier(comp)
}

/// A string operator with `oneof`, `anyof` or `allof`.
fn has_modifier(comp: &str) -> bool {
    let mut words = comp.split_ascii_whitespace();
    let (Some(operator), Some(modifier), None) = (words.next(), words.next(), words.next()) else {
        return false;
    };
    let is_text =
        |(name, known): &(&str, Operator)| *name == operator && known.family() == Family::Text;
    Operator::SPELLINGS.iter().any(is_text)
        && ListModifier::ALL.into_iter().any(|known| known.name() == modifier)
}

/// Whether `text` may stand on the left of an operator.
fn is_field(text: &str) -> bool {
    if text.contains('(') {
        return parser::parse(&format!("{text} exists"))
            .is_ok_and(|expr| compile::compile(&expr).is_ok());
    }
    match parser::parse_operand(text) {
        Ok(Operand::Field { name, argument, .. }) => lookup(&name, argument.as_deref()).is_ok(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_with_blanks_get_quotes_unless_they_have_some() {
        assert_eq!(quoted("a b"), "\"a b\"");
        assert_eq!(quoted("'a b'"), "'a b'");
        assert_eq!(quoted("ab"), "ab");
    }

    #[test]
    fn only_string_operators_take_modifiers() {
        assert!(has_modifier("startswith oneof"));
        assert!(has_modifier("= anyof"));
        assert!(!has_modifier("in oneof"));
        assert!(!has_modifier("startswith"));
        assert!(!has_modifier("startswith oneof x"));
    }
}
