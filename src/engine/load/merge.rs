//! Everything that the files define, merged: redefinition, append, override.
//!
//! A redefinition replaces the content and keeps the position. A counter grows with every change;
//! what an item may see of others depends on when it was first defined and last changed.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::Read;
use super::Settings;
use super::exceptions::{Exception, Exceptions};
use super::version::Version;
use crate::engine::context::Place;
use crate::engine::diagnostic::{WarningCode, Warnings};
use crate::engine::rule::Priority;

/// When an item was first defined and last changed.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Age {
    pub(super) index: usize,
    pub(super) visibility: usize,
}

/// A list as collected.
#[derive(Clone, Debug)]
pub(super) struct List {
    pub(super) name: String,
    pub(super) items: Vec<String>,
    pub(super) place: Place,
    pub(super) age: Age,
}

/// A macro as collected.
#[derive(Clone, Debug)]
pub(super) struct Macro {
    pub(super) name: String,
    pub(super) condition: String,
    pub(super) place: Place,
    pub(super) condition_place: Place,
    pub(super) age: Age,
}

/// A rule as collected.
#[derive(Clone, Debug)]
pub(super) struct RuleItem {
    pub(super) name: String,
    pub(super) condition: String,
    pub(super) output: String,
    pub(super) description: String,
    pub(super) priority: Priority,
    pub(super) source: String,
    pub(super) unknown_source: bool,
    pub(super) enabled: bool,
    pub(super) tags: BTreeSet<String>,
    pub(super) exceptions: Exceptions,
    pub(super) warn_evttypes: bool,
    pub(super) skip_if_unknown_filter: bool,
    pub(super) capture: bool,
    pub(super) capture_duration_ms: u32,
    pub(super) place: Place,
    pub(super) condition_place: Place,
    pub(super) output_place: Place,
    pub(super) age: Age,
}

/// What an append or an override changes of a rule.
#[derive(Clone, Debug, Default)]
pub(super) struct Update {
    pub(super) condition: Option<String>,
    pub(super) output: Option<String>,
    pub(super) description: Option<String>,
    pub(super) priority: Option<Priority>,
    pub(super) enabled: Option<bool>,
    pub(super) tags: Option<BTreeSet<String>>,
    pub(super) exceptions: Option<Exceptions>,
    pub(super) warn_evttypes: Option<bool>,
    pub(super) skip_if_unknown_filter: Option<bool>,
    pub(super) capture: Option<bool>,
    pub(super) capture_duration_ms: Option<u32>,
    /// Empty: the rule's own.
    pub(super) source: String,
}

impl Update {
    const fn is_empty(&self) -> bool {
        self.condition.is_none()
            && self.output.is_none()
            && self.description.is_none()
            && self.priority.is_none()
            && self.enabled.is_none()
            && self.tags.is_none()
            && self.exceptions.is_none()
            && self.warn_evttypes.is_none()
            && self.skip_if_unknown_filter.is_none()
            && self.capture.is_none()
            && self.capture_duration_ms.is_none()
    }
}

/// Items by name, in the order of their first definition.
#[derive(Debug)]
pub(super) struct Named<T> {
    items: Vec<T>,
    by_name: HashMap<String, usize>,
}

impl<T> Default for Named<T> {
    fn default() -> Self {
        Self { items: Vec::new(), by_name: HashMap::new() }
    }
}

impl<T> Named<T> {
    pub(super) fn all(&self) -> &[T] {
        &self.items
    }

    pub(super) fn position(&self, name: &str) -> Option<usize> {
        self.by_name.get(name).copied()
    }

    pub(super) fn get(&self, name: &str) -> Option<&T> {
        self.items.get(self.position(name)?)
    }

    fn get_mut(&mut self, name: &str) -> Option<&mut T> {
        let position = self.position(name)?;
        self.items.get_mut(position)
    }

    fn put(&mut self, name: &str, item: T) {
        match self.get_mut(name) {
            Some(old) => *old = item,
            None => {
                self.by_name.insert(name.to_owned(), self.items.len());
                self.items.push(item);
            }
        }
    }
}

/// A plugin that rules require: the name and the least version.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Requirement {
    /// The plugin's name.
    pub name: String,
    /// As the file spells it.
    pub version: String,
}

/// Everything collected so far.
#[derive(Debug, Default)]
pub(super) struct Collector {
    pub(super) lists: Named<List>,
    pub(super) macros: Named<Macro>,
    pub(super) rules: Named<RuleItem>,
    pub(super) engine_version: Version,
    /// Each of them has to be satisfied by one of its alternatives.
    pub(super) plugins: Vec<Vec<Requirement>>,
    next: usize,
}

impl Collector {
    fn tick(&mut self) -> usize {
        let now = self.next;
        self.next += 1;
        now
    }

    fn age(&mut self, before: Option<Age>) -> Age {
        let now = self.tick();
        Age { index: before.map_or(now, |age| age.index), visibility: now }
    }

    pub(super) fn require_engine(&mut self, required: Version, place: &Place) -> Read<()> {
        let (major, minor, patch) = super::ENGINE_VERSION;
        let engine = Version { major, minor, patch };
        if !engine.satisfies(required) {
            return Err(place.invalid(format!(
                "Rules require engine version {required}, but engine version is {engine}"
            )));
        }
        self.engine_version = self.engine_version.max(required);
        Ok(())
    }

    pub(super) fn require_plugin(
        &mut self,
        alternatives: Vec<Requirement>,
        place: &Place,
    ) -> Read<()> {
        let mut names = HashSet::with_capacity(alternatives.len());
        for Requirement { name, version } in &alternatives {
            if Version::parse(version).is_none() {
                return Err(place
                    .invalid(format!("Invalid required version '{version}' for plugin '{name}'")));
            }
            if !names.insert(name) {
                return Err(place.invalid(format!(
                    "Defined multiple alternative version requirements for plugin '{name}'"
                )));
            }
        }
        self.plugins.push(alternatives);
        Ok(())
    }

    pub(super) fn define_list(&mut self, mut list: List) {
        list.age = self.age(self.lists.get(&list.name).map(|list| list.age));
        let name = list.name.clone();
        self.lists.put(&name, list);
    }

    pub(super) fn append_list(&mut self, list: List) -> Read<()> {
        let now = self.tick();
        let Some(before) = self.lists.get_mut(&list.name) else {
            return Err(list.place.invalid(
                "List uses 'append' or 'override.items: append' but no list by that name already \
                 exists",
            ));
        };
        before.items.extend(list.items);
        before.age.visibility = now;
        Ok(())
    }

    pub(super) fn define_macro(&mut self, mut item: Macro) {
        item.age = self.age(self.macros.get(&item.name).map(|item| item.age));
        let name = item.name.clone();
        self.macros.put(&name, item);
    }

    pub(super) fn append_macro(&mut self, item: Macro) -> Read<()> {
        let now = self.tick();
        let Some(before) = self.macros.get_mut(&item.name) else {
            return Err(item.place.invalid(
                "Macro uses 'append' or 'override.condition: append' but no macro by that name \
                 already exists",
            ));
        };
        append_text(&mut before.condition, &item.condition);
        before.age.visibility = now;
        Ok(())
    }

    pub(super) fn define_rule(
        &mut self,
        mut rule: RuleItem,
        settings: &Settings,
        warnings: &mut Warnings,
    ) -> Read<()> {
        let before = self.rules.get(&rule.name);
        check_source(before, &rule.source, &rule.place)?;
        let before = before.map(|rule| rule.age);
        rule.unknown_source = !settings.sources.contains(&rule.source);
        if rule.unknown_source {
            warnings.push(|| {
                let message = format!("Unknown source {}, skipping", rule.source);
                rule.place.warning(WarningCode::UnknownSource, message)
            });
        }
        for exception in rule.exceptions.all_mut() {
            if !exception.fields.is_valid() {
                return Err(exception.place.invalid(
                    "Rule exception item must have fields property with a list of fields",
                ));
            }
            exception.check(!rule.unknown_source)?;
        }
        rule.age = self.age(before);
        let name = rule.name.clone();
        self.rules.put(&name, rule);
        Ok(())
    }

    pub(super) fn append_rule(&mut self, name: &str, update: Update, place: &Place) -> Read<()> {
        check_source(self.rules.get(name), &update.source, place)?;
        let now = self.next;
        let Some(rule) = self.rules.get_mut(name) else {
            return Err(place.invalid(
                "Rule uses 'append' or 'override.<key>: append' but no rule by that name already \
                 exists",
            ));
        };
        if update.is_empty() {
            return Err(place.invalid("Appended rule must have exceptions or condition property"));
        }
        let texts = [
            (&mut rule.condition, &update.condition),
            (&mut rule.output, &update.output),
            (&mut rule.description, &update.description),
        ];
        for (text, more) in texts {
            if let Some(more) = more {
                append_text(text, more);
            }
        }
        rule.tags.extend(update.tags.into_iter().flatten());
        for exception in update.exceptions.into_iter().flat_map(Exceptions::into_all) {
            append_exception(rule, exception)?;
        }
        rule.age.visibility = now;
        self.next += 1;
        Ok(())
    }

    pub(super) fn override_rule(&mut self, name: &str, update: Update, place: &Place) -> Read<()> {
        check_source(self.rules.get(name), &update.source, place)?;
        let now = self.tick();
        let Some(rule) = self.rules.get_mut(name) else {
            return Err(place.invalid(
                "An 'override.<key>: replace' to a rule was requested but no rule by that name \
                 already exists",
            ));
        };
        replace(&mut rule.condition, update.condition);
        replace(&mut rule.output, update.output);
        replace(&mut rule.description, update.description);
        replace(&mut rule.priority, update.priority);
        replace(&mut rule.enabled, update.enabled);
        replace(&mut rule.tags, update.tags);
        replace(&mut rule.exceptions, update.exceptions);
        replace(&mut rule.warn_evttypes, update.warn_evttypes);
        replace(&mut rule.skip_if_unknown_filter, update.skip_if_unknown_filter);
        replace(&mut rule.capture, update.capture);
        replace(&mut rule.capture_duration_ms, update.capture_duration_ms);
        rule.age.visibility = now;
        Ok(())
    }

    pub(super) fn enable_rule(&mut self, name: &str, enabled: bool, place: &Place) -> Read<()> {
        let Some(rule) = self.rules.get_mut(name) else {
            return Err(
                place.invalid("Rule has 'enabled' key but no rule by that name already exists")
            );
        };
        rule.enabled = enabled;
        Ok(())
    }
}

fn replace<T>(old: &mut T, new: Option<T>) {
    if let Some(new) = new {
        *old = new;
    }
}

fn append_text(text: &mut String, more: &str) {
    text.push(' ');
    text.push_str(more);
}

fn check_source(before: Option<&RuleItem>, source: &str, place: &Place) -> Read<()> {
    match before {
        Some(rule) if !source.is_empty() && rule.source != source => {
            Err(place.invalid("Rule has been re-defined with a different source"))
        }
        _ => Ok(()),
    }
}

fn append_exception(rule: &mut RuleItem, mut exception: Exception) -> Read<()> {
    let invalid = |message: &str| Err(exception.place.invalid(message));
    let Some(known) = rule.exceptions.named(&exception.name) else {
        if !exception.fields.is_valid() {
            return invalid("Rule exception must have fields property with a list of fields");
        }
        if exception.values.is_empty() {
            return invalid("Rule exception must have values property with a list of values");
        }
        exception.check(!rule.unknown_source)?;
        rule.exceptions.push(exception);
        return Ok(());
    };
    if exception.fields.is_valid() {
        return invalid("Can not append exception fields to existing exception, only values");
    }
    if exception.comps.is_valid() {
        return invalid("Can not append exception comps to existing exception, only values");
    }
    known.values.append(&mut exception.values);
    Ok(())
}
