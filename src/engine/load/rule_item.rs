//! `rule` items: full definitions, overrides, the old `append`, and the old `enabled` alone.

use std::collections::BTreeSet;

use super::Read;
use super::decode;
use super::items::{Overrides, Reader, key_place};
use super::merge::{Age, RuleItem, Update};
use crate::engine::context::Place;
use crate::engine::diagnostic::WarningCode;
use crate::engine::rule::Priority;
use crate::engine::yaml::Node;

/// The keys that a rule may have.
pub(super) const KEYS: &[&str] = &[
    "rule",
    "condition",
    "output",
    "desc",
    "priority",
    "source",
    "enabled",
    "capture",
    "capture_duration",
    "warn_evttypes",
    "skip-if-unknown-filter",
    "tags",
    "exceptions",
    "override",
    "append",
];

const APPENDABLE: [&str; 5] = ["condition", "output", "desc", "tags", "exceptions"];

const REPLACEABLE: [&str; 11] = [
    "condition",
    "output",
    "desc",
    "priority",
    "capture",
    "capture_duration",
    "tags",
    "exceptions",
    "enabled",
    "warn_evttypes",
    "skip-if-unknown-filter",
];

const ENABLED_IS_DEPRECATED: &str = "The standalone 'enabled' key usage is deprecated. The \
    correct approach requires also a 'replace' entry under the 'override' key (i.e. 'enabled: \
    replace').";

impl Reader<'_> {
    pub(super) fn rule(&mut self, item: Node<'_>, file: &Place) -> Read<Place> {
        let name = decode::text(item, "rule", &file.to("rule", "", item))?;
        let place = file.to("rule", name, item);
        let source = decode::lenient_text(item, "source", &place)?.unwrap_or_default();
        let append = self.append_flag(item, &place)?;
        let overrides = Overrides::read(item, &place, &APPENDABLE, &REPLACEABLE)?;
        overrides.check_flag(append, &place)?;
        let is_definition =
            ["condition", "output", "desc", "priority"].iter().any(|key| item.get(key).is_some());
        if !overrides.is_empty() {
            self.override_rule(item, name, source, &overrides, &place)?;
        } else if append {
            self.append_rule(item, name, source, &place)?;
        } else if is_definition {
            self.define_rule(item, name, &place)?;
        } else {
            decode::text(item, "enabled", &place)?;
            let enabled = decode::optional_bool(item, "enabled", &place)?.unwrap_or(true);
            self.warn(&place, WarningCode::DeprecatedItem, ENABLED_IS_DEPRECATED);
            self.collector.enable_rule(name, enabled, &place)?;
        }
        Ok(place)
    }

    fn define_rule(&mut self, item: Node<'_>, name: &str, place: &Place) -> Read<()> {
        let condition = decode::text(item, "condition", place)?.to_owned();
        let output = decode::text(item, "output", place)?;
        let description = decode::text(item, "desc", place)?.to_owned();
        let priority = priority(item, place)?;
        let source = decode::optional_text(item, "source", place)?.unwrap_or("syscall").to_owned();
        let flag = |key, default| {
            decode::optional_bool(item, key, place).map(|value| value.unwrap_or(default))
        };
        let rule = RuleItem {
            name: name.to_owned(),
            condition,
            output: output.trim_matches([' ', '\t', '\r', '\n', '\u{b}', '\u{c}']).to_owned(),
            description,
            priority,
            source,
            unknown_source: false,
            enabled: flag("enabled", true)?,
            capture: flag("capture", false)?,
            capture_duration_ms: decode::optional_u32(item, "capture_duration", place)?
                .unwrap_or(0),
            warn_evttypes: flag("warn_evttypes", true)?,
            skip_if_unknown_filter: flag("skip-if-unknown-filter", false)?,
            tags: tags(item, place)?.unwrap_or_default(),
            exceptions: self.exceptions(item, place, false)?,
            place: place.clone(),
            condition_place: key_place(place, item, "condition", "rule condition"),
            output_place: key_place(place, item, "output", "rule output"),
            age: Age::default(),
        };
        self.collector.define_rule(rule, self.settings, self.warnings)
    }

    fn append_rule(&mut self, item: Node<'_>, name: &str, source: &str, place: &Place) -> Read<()> {
        let mut update = Update { source: source.to_owned(), ..Update::default() };
        if item.get("condition").is_some() {
            update.condition = Some(decode::text(item, "condition", place)?.to_owned());
        }
        if item.get("exceptions").is_some() {
            update.exceptions = Some(self.exceptions(item, place, true)?);
        }
        self.collector.append_rule(name, update, place)
    }

    /// All appends first, then all replacements, then values that no override names.
    fn override_rule(
        &mut self,
        item: Node<'_>,
        name: &str,
        source: &str,
        overrides: &Overrides,
        place: &Place,
    ) -> Read<()> {
        if !overrides.append.is_empty() {
            let wanted = Wanted { item, place, keys: &overrides.append, how: "append" };
            let mut update = self.text_updates(&wanted, source, true)?;
            if wanted.has("tags")? {
                update.tags = Some(tags(item, place)?.unwrap_or_default());
            }
            self.collector.append_rule(name, update, place)?;
        }
        if !overrides.replace.is_empty() {
            let wanted = Wanted { item, place, keys: &overrides.replace, how: "replace" };
            let mut update = self.text_updates(&wanted, source, false)?;
            wanted.replacements(&mut update)?;
            self.collector.override_rule(name, update, place)?;
        }
        let named = |key: &str| overrides.append.contains(&key) || overrides.replace.contains(&key);
        let mut keys = REPLACEABLE;
        keys.sort_unstable();
        for key in keys {
            if let Some(value) = item.get(key).filter(|_| !named(key)) {
                return Err(place.to("overrides", key, value).shape(format!(
                    "Unexpected key '{key}': no corresponding entry under 'override' is defined."
                )));
            }
        }
        Ok(())
    }

    /// What may be appended and replaced, `tags` aside.
    fn text_updates(&mut self, wanted: &Wanted<'_>, source: &str, append: bool) -> Read<Update> {
        let mut update = Update { condition: wanted.text("condition")?, ..Update::default() };
        if update.condition.is_some() {
            update.source = source.to_owned();
        }
        if wanted.has("exceptions")? {
            update.exceptions = Some(self.exceptions(wanted.item, wanted.place, append)?);
        }
        update.output = wanted.text("output")?;
        update.description = wanted.text("desc")?;
        Ok(update)
    }
}

/// The keys that an override names, with their values.
struct Wanted<'a> {
    item: Node<'a>,
    place: &'a Place,
    keys: &'a [&'static str],
    how: &'static str,
}

impl Wanted<'_> {
    /// Whether `key` is named; then it must have a value.
    fn has(&self, key: &str) -> Read<bool> {
        if !self.keys.contains(&key) {
            return Ok(false);
        }
        if self.item.get(key).is_none() {
            let how = self.how;
            return Err(self.place.shape(format!(
                "An {how} override for '{key}' was specified but '{key}' is not defined"
            )));
        }
        Ok(true)
    }

    fn text(&self, key: &str) -> Read<Option<String>> {
        if !self.has(key)? {
            return Ok(None);
        }
        decode::text(self.item, key, self.place).map(|text| Some(text.to_owned()))
    }

    fn flag(&self, key: &str) -> Read<Option<bool>> {
        if !self.has(key)? {
            return Ok(None);
        }
        decode::optional_bool(self.item, key, self.place)
    }

    /// What may only be replaced.
    fn replacements(&self, update: &mut Update) -> Read<()> {
        if self.has("tags")? {
            update.tags = Some(tags(self.item, self.place)?.unwrap_or_default());
        }
        if self.has("priority")? {
            update.priority = Some(priority(self.item, self.place)?);
        }
        update.capture = self.flag("capture")?;
        if self.has("capture_duration")? {
            update.capture_duration_ms =
                decode::optional_u32(self.item, "capture_duration", self.place)?;
        }
        update.enabled = self.flag("enabled")?;
        update.warn_evttypes = self.flag("warn_evttypes")?;
        update.skip_if_unknown_filter = self.flag("skip-if-unknown-filter")?;
        Ok(())
    }
}

fn priority(item: Node<'_>, place: &Place) -> Read<Priority> {
    let text = decode::text(item, "priority", place)?;
    Priority::parse(text).ok_or_else(|| {
        key_place(place, item, "priority", "rule priority").shape("Invalid priority")
    })
}

fn tags(item: Node<'_>, place: &Place) -> Read<Option<BTreeSet<String>>> {
    let texts = decode::optional_texts(item, "tags", place)?;
    Ok(texts.map(|texts| texts.into_iter().collect()))
}
