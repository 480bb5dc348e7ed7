//! From the YAML of a file to what it defines: items, their keys, and what is wrong with them.

use std::sync::Arc;

use super::Read;
use super::Settings;
use super::decode;
use super::exceptions;
use super::merge::{Age, Collector, List, Macro, Requirement};
use super::rule_item;
use super::version::Version;
use crate::engine::context::{File, Place};
use crate::engine::diagnostic::{WarningCode, Warnings};
use crate::engine::lang::lexer::{identifier_len, is_bare};
use crate::engine::yaml::{Documents, Node};

/// Said of every `append: true`.
pub(super) const APPEND_IS_DEPRECATED: &str = "'append' key is deprecated. Add an 'append' entry \
    (e.g. 'condition: append') under 'override' instead.";

const APPEND_AND_OVERRIDE: &str = "Keys 'override' and 'append: true' cannot be used together. \
    Add an 'append' entry (e.g. 'condition: append') under 'override' instead.";

/// Falco reads a file up to an empty document and says nothing of the rest, which is read here.
pub(super) fn note_of_empty_document(documents: &Documents, file: &File) -> Option<String> {
    let mut rest = documents.iter().skip_while(|document| !document.is_null());
    let empty = rest.next()?;
    let is_last = rest.all(Node::is_null);
    let line = file.line(empty.offset()) + 1;
    (!is_last).then(|| {
        format!(
            "line {line}: an empty document: what follows it is read here; Falco ignores the rest \
             of the file"
        )
    })
}

/// Tells of a quote that is never closed: Falco reads the rest of the file as its text.
pub(super) fn note_of_unclosed_quote(documents: &Documents, file: &File) -> Option<String> {
    let line = file.line(documents.unclosed()?) + 1;
    Some(format!("line {line}: a quote that is never closed: its text is the rest of the file"))
}

/// Reads items into a collector.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    pub(super) settings: &'a Settings,
    pub(super) collector: &'a mut Collector,
    pub(super) warnings: &'a mut Warnings,
}

impl Reader<'_> {
    /// Reads all documents of a file.
    pub(super) fn documents(&mut self, documents: &Documents, file: &Arc<File>) -> Read<()> {
        let mut there = documents.iter().filter(|document| !document.is_null());
        there.try_for_each(|document| self.document(document, file))
    }

    fn document(&mut self, document: Node<'_>, file: &Arc<File>) -> Read<()> {
        let place = Place::file(Arc::clone(file));
        let Some(items) = document.sequence() else {
            let kind = if document.map().is_some() { " array of objects" } else { "" };
            return Err(place.shape(format!("Rules content is not yaml{kind}")));
        };
        items.filter(|item| !item.is_null()).try_for_each(|item| self.item(item, &place))
    }

    fn item(&mut self, item: Node<'_>, file: &Place) -> Read<()> {
        if item.map().is_none() {
            return Err(file.to("rules content item", "", item).shape(
                "Unexpected element type. Each element should be a yaml associative array.",
            ));
        }
        let (place, known): (Place, &[&str]) = if item.get("required_engine_version").is_some() {
            (self.engine_version(item, file)?, &["required_engine_version"])
        } else if let Some(plugins) = item.get("required_plugin_versions") {
            self.plugin_versions(plugins, file)?;
            let place = file.to("required plugin versions", "", item);
            (place, &["required_plugin_versions"])
        } else if item.get("list").is_some() {
            (self.list(item, file)?, &["list", "items", "append", "override"])
        } else if item.get("macro").is_some() {
            (self.macro_item(item, file)?, &["macro", "condition", "append", "override"])
        } else if item.get("rule").is_some() {
            (self.rule(item, file)?, rule_item::KEYS)
        } else {
            let place = file.to("rules content item", "", item);
            self.warn(&place, WarningCode::UnknownItem, "Unknown top level item");
            return Ok(());
        };
        self.unknown_keys(item, known, &place);
        Ok(())
    }

    pub(super) fn warn(&mut self, place: &Place, code: WarningCode, message: &'static str) {
        self.warnings.push(|| place.warning(code, message));
    }

    fn unknown_keys(&mut self, item: Node<'_>, known: &[&str], place: &Place) {
        for (key, _) in item.map().into_iter().flatten() {
            let key = key.scalar().unwrap_or_default();
            if !known.contains(&key) {
                self.warnings.push(|| {
                    let message = format!("Unknown key '{key}'. The key will be ignored.");
                    place.warning(WarningCode::UnknownKey, message)
                });
            }
        }
    }

    fn engine_version(&mut self, item: Node<'_>, file: &Place) -> Read<Place> {
        let place = file.to("required_engine_version", "", item);
        let text = decode::text(item, "required_engine_version", &place)?;
        let version = match decode::number(text) {
            Some(minor) => Version { major: 0, minor, patch: 0 },
            None => Version::parse(text).ok_or_else(|| {
                place.shape(format!(
                    "Unable to parse engine version '{text}' as a semver string. Expected \
                     \"x.y.z\" semver format."
                ))
            })?,
        };
        self.collector.require_engine(version, &place)?;
        Ok(place)
    }

    fn plugin_versions(&mut self, plugins: Node<'_>, file: &Place) -> Read<()> {
        const ENTRY: &str = "required plugin versions entry";
        let place = file.to("required plugin versions", "", plugins);
        let entries = plugins
            .sequence()
            .ok_or_else(|| place.shape("Value of required_plugin_versions must be a sequence"))?;
        for entry in entries {
            let (first, here) =
                requirement(entry, &place, ENTRY, "Plugin version must be a mapping")?;
            let mut alternatives = vec![first];
            if let Some(others) = entry.get("alternatives") {
                let others = others.sequence().ok_or_else(|| {
                    here.shape("Value of plugin version alternatives must be a sequence")
                })?;
                for other in others {
                    let kind = "required plugin versions alternative";
                    let message = "Plugin version alternative must be a mapping";
                    alternatives.push(requirement(other, &here, kind, message)?.0);
                }
            }
            self.collector.require_plugin(alternatives, &here)?;
        }
        Ok(())
    }

    fn list(&mut self, item: Node<'_>, file: &Place) -> Read<Place> {
        let name = decode::text(item, "list", &file.to("list", "", item))?;
        let place = file.to("list", name, item);
        if !name.bytes().all(is_bare) {
            let message = "List has an invalid name. List names should match a regular \
                           expression: ([^()\"'[:space:]=,]+)";
            self.warn(&place, WarningCode::InvalidListName, message);
        }
        let items = decode::optional_texts(item, "items", &place)?
            .ok_or_else(|| place.shape("Item has no mapping for key 'items'"))?;
        let append = self.appends(item, &place, "items")?;
        let list = List { name: name.to_owned(), items, place: place.clone(), age: Age::default() };
        if append {
            self.collector.append_list(list)?;
        } else {
            self.collector.define_list(list);
        }
        Ok(place)
    }

    fn macro_item(&mut self, item: Node<'_>, file: &Place) -> Read<Place> {
        let name = decode::text(item, "macro", &file.to("macro", "", item))?;
        let place = file.to("macro", name, item);
        if identifier_len(name.as_bytes()) != name.len() {
            let message = "Macro has an invalid name. Macro names should match a regular \
                           expression: ([a-zA-Z]+[a-zA-Z0-9_]*)";
            self.warn(&place, WarningCode::InvalidMacroName, message);
        }
        let condition = decode::text(item, "condition", &place)?;
        let append = self.appends(item, &place, "condition")?;
        let definition = Macro {
            name: name.to_owned(),
            condition: condition.to_owned(),
            condition_place: key_place(&place, item, "condition", "macro condition"),
            place: place.clone(),
            age: Age::default(),
        };
        if append {
            self.collector.append_macro(definition)?;
        } else {
            self.collector.define_macro(definition);
        }
        Ok(place)
    }

    /// Whether a list or macro appends, by the old key or by `override`.
    fn appends(&mut self, item: Node<'_>, place: &Place, key: &'static str) -> Read<bool> {
        let flag = self.append_flag(item, place)?;
        let overrides = Overrides::read(item, place, &[key], &[key])?;
        overrides.check_flag(flag, place)?;
        Ok(flag || overrides.append.contains(&key))
    }

    pub(super) fn append_flag(&mut self, item: Node<'_>, place: &Place) -> Read<bool> {
        let flag = decode::optional_bool(item, "append", place)?.unwrap_or(false);
        if flag {
            self.warn(place, WarningCode::DeprecatedItem, APPEND_IS_DEPRECATED);
        }
        Ok(flag)
    }

    pub(super) fn exceptions(
        &mut self,
        item: Node<'_>,
        place: &Place,
        append: bool,
    ) -> Read<exceptions::Exceptions> {
        exceptions::read(item, place, append, self.warnings)
    }
}

/// What an item's `override` names.
#[derive(Debug, Default)]
pub(super) struct Overrides {
    pub(super) append: Vec<&'static str>,
    pub(super) replace: Vec<&'static str>,
}

impl Overrides {
    pub(super) fn read(
        item: Node<'_>,
        place: &Place,
        append: &[&'static str],
        replace: &[&'static str],
    ) -> Read<Self> {
        let mut overrides = Self::default();
        let here = place.to("overrides", "", item);
        let entries = item.get("override").and_then(Node::map);
        for (name, operation) in entries.into_iter().flatten() {
            let key = name.scalar().unwrap_or_default();
            let appendable = append.iter().copied().find(|known| *known == key);
            let replaceable = replace.iter().copied().find(|known| *known == key);
            let at_key = || here.to("overrides", key, name);
            match operation.scalar().unwrap_or_default() {
                "append" => overrides.append.push(appendable.ok_or_else(|| {
                    at_key()
                        .shape(format!("Key '{key}' cannot be appended to, use 'replace' instead"))
                })?),
                "replace" => overrides
                    .replace
                    .push(replaceable.ok_or_else(|| {
                        at_key().shape(format!("Key '{key}' cannot be replaced"))
                    })?),
                other => {
                    let mut message = format!(
                        "Invalid override operation for key '{key}': '{other}'. Allowed values \
                         are: "
                    );
                    message.push_str(appendable.map_or("", |_| "append "));
                    message.push_str(replaceable.map_or("", |_| "replace "));
                    return Err(here.to("value for", key, operation).shape(message));
                }
            }
        }
        Ok(overrides)
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.append.is_empty() && self.replace.is_empty()
    }

    pub(super) fn check_flag(&self, append: bool, place: &Place) -> Read<()> {
        if append && !self.is_empty() {
            return Err(place.shape(APPEND_AND_OVERRIDE));
        }
        Ok(())
    }
}

/// The place of the value of `key`, or of the item if it is missing.
pub(super) fn key_place(place: &Place, item: Node<'_>, key: &str, kind: &'static str) -> Place {
    place.to(kind, "", item.get(key).unwrap_or(item))
}

fn requirement(
    entry: Node<'_>,
    parent: &Place,
    kind: &'static str,
    not_a_map: &str,
) -> Read<(Requirement, Place)> {
    let unnamed = parent.to(kind, "", entry);
    if entry.map().is_none() {
        return Err(unnamed.shape(not_a_map));
    }
    let name = decode::text(entry, "name", &unnamed)?;
    let place = parent.to(kind, name, entry);
    let version = decode::text(entry, "version", &place)?;
    Ok((Requirement { name: name.to_owned(), version: version.to_owned() }, place))
}
