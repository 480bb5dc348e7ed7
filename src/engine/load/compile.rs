//! Everything collected → rules: lists and macros resolved, conditions typed, outputs parsed.

use std::collections::BTreeMap;

use super::AppendOutput;
use super::ExtraField;
use super::Read;
use super::Settings;
use super::condition::{Origin, Ready};
use super::doubtful::DEPRECATED_FIELDS;
use super::exceptions;
use super::expand;
use super::expand::{Budget, Lists, ParsedMacro};
use super::merge::{Collector, RuleItem};
use crate::engine::compile::Memo;
use crate::engine::context::Place;
use crate::engine::diagnostic::{Error, ErrorCode, WarningCode, Warnings};
use crate::engine::output::Template;
use crate::engine::rule::Rule;
use crate::fields::statics;
use crate::fields::{CLASSES, FieldFlags};

const CONTAINER_INFO: &str = "%container.info";

const CONTAINER_INFO_IS_DEPRECATED: &str = "%container.info is deprecated and no more useful, and \
    will be dropped by Falco 1.0.0. The container plugin will automatically add required fields \
    to the output message.";

/// Everything, compiled.
#[derive(Debug, Default)]
pub(super) struct Compiled {
    /// In the order of definition; those of unknown sources and skipped ones are missing.
    pub(super) rules: Vec<CompiledRule>,
    pub(super) macros: Vec<ParsedMacro>,
    pub(super) lists: Vec<CompiledList>,
    memo: Memo,
}

/// A rule with what `-L` tells of it.
#[derive(Debug)]
pub(super) struct CompiledRule {
    pub(super) rule: Rule,
    /// The output with everything that is appended to it.
    pub(super) output: String,
    /// Formats that the configuration adds to the fields, by name.
    pub(super) formats: Vec<(String, String)>,
    /// What its condition was made from.
    origin: Origin,
    /// Its place among the collected rules.
    pub(super) item: usize,
}

/// A list with its lists resolved.
#[derive(Debug)]
pub(super) struct CompiledList {
    pub(super) items: Vec<String>,
    pub(super) used: bool,
}

/// Compiles what is collected from files of `bytes` in all. `before` is what the files before the
/// last one gave: what is the same is not compiled again.
pub(super) fn compile(
    collector: &Collector,
    settings: &Settings,
    bytes: usize,
    before: Compiled,
    warnings: &mut Warnings,
) -> Read<Compiled> {
    let mut budget = Budget::new(bytes);
    let lists = Lists::compile(&collector.lists, &mut budget);
    let lists = lists.map_err(|_| too_large(collector.lists.all().last().map(|l| &l.place)))?;
    let Compiled { rules: rules_before, macros: macros_before, memo, .. } = before;
    let mut known: Vec<Option<CompiledRule>> = Vec::new();
    known.resize_with(collector.rules.all().len(), || None);
    for rule in rules_before {
        if let Some(place) = known.get_mut(rule.item) {
            *place = Some(rule);
        }
    }
    let macros = Vec::new();
    let mut compiler = Compiler { collector, settings, warnings, lists, macros, budget, memo };
    compiler.macros(macros_before)?;
    let mut rules = Vec::with_capacity(collector.rules.all().len());
    for (item, (rule, before)) in collector.rules.all().iter().zip(known).enumerate() {
        if !rule.unknown_source {
            rules.extend(compiler.rule(rule, item, before)?);
        }
    }
    compiler.unused();
    let Compiler { macros, lists, memo, .. } = compiler;
    let lists = lists.all.into_iter();
    let lists = lists.map(|l| CompiledList { items: l.items, used: l.used }).collect();
    Ok(Compiled { rules, macros, lists, memo })
}

pub(super) struct Compiler<'a> {
    pub(super) collector: &'a Collector,
    pub(super) settings: &'a Settings,
    pub(super) warnings: &'a mut Warnings,
    pub(super) lists: Lists<'a>,
    pub(super) macros: Vec<ParsedMacro>,
    pub(super) budget: Budget,
    pub(super) memo: Memo,
}

impl<'a> Compiler<'a> {
    /// Compiles one rule; nothing if it is to be skipped. `before` is what the files before gave.
    fn rule(
        &mut self,
        item: &'a RuleItem,
        index: usize,
        before: Option<CompiledRule>,
    ) -> Read<Option<CompiledRule>> {
        let condition = exceptions::apply(&item.condition, item.exceptions.all())?;
        let output = self.output(item);
        let (template, before) = match before {
            None => (None, None),
            Some(CompiledRule { rule, output: known, origin, .. }) => {
                let Rule { expr, condition, events, output: template, .. } = rule;
                let template = Some(template).filter(|_| known == output);
                (template, Some(Ready { expr, condition, events, origin }))
            }
        };
        let template = match template {
            Some(template) => template,
            None => match self.template(&output, item)? {
                Some(template) => template,
                None => return Ok(None),
            },
        };
        self.deprecated_in_output(&output, item);
        let mut formats = Vec::new();
        let extra_fields = self.extra_fields(item, &mut formats)?;
        let Some(ready) = self.condition(item, &condition, before)? else {
            return Ok(None);
        };
        let Ready { expr, condition, events, origin } = ready;
        let rule = Rule {
            name: item.name.clone(),
            description: item.description.clone(),
            source: item.source.clone(),
            priority: item.priority,
            tags: item.tags.iter().cloned().collect(),
            enabled: item.enabled,
            expr,
            condition,
            events,
            output: template,
            extra_fields,
            capture: item.capture,
            capture_duration_ms: item.capture_duration_ms,
        };
        Ok(Some(CompiledRule { rule, output, formats, origin, item: index }))
    }

    /// Parses the output; nothing if the rule is to be skipped.
    fn template(&mut self, output: &str, item: &RuleItem) -> Read<Option<Template>> {
        let message = match Template::parse(output) {
            Ok(template) => return Ok(Some(template)),
            Err(error) => error.to_string(),
        };
        let place = &item.output_place;
        if item.skip_if_unknown_filter && is_unknown(&message) {
            self.warnings.push(|| place.warning(WarningCode::UnknownFilter, message));
            return Ok(None);
        }
        Err(place.error(ErrorCode::CompileOutput, message))
    }

    /// The output with what the configuration appends.
    fn output(&mut self, item: &RuleItem) -> String {
        let mut output = item.output.clone();
        for entry in self.appended(item) {
            if let Some(extra) = &entry.extra_output {
                output.push(' ');
                output.push_str(extra);
            }
            if entry.suggested_output {
                append_suggested(&mut output);
            }
        }
        if output.contains(CONTAINER_INFO) {
            let code = WarningCode::DeprecatedItem;
            self.warnings.push(|| item.place.warning(code, CONTAINER_INFO_IS_DEPRECATED));
            output = output.replace(CONTAINER_INFO, "");
        }
        output
    }

    fn appended(&self, item: &RuleItem) -> impl Iterator<Item = &'a AppendOutput> {
        let settings: &'a Settings = self.settings;
        let (source, name, tags) = (item.source.clone(), item.name.clone(), item.tags.clone());
        settings.append_output.iter().filter(move |entry| {
            entry.source.as_ref().is_none_or(|wanted| *wanted == source)
                && entry.rule.as_ref().is_none_or(|wanted| *wanted == name)
                && entry.tags.iter().all(|tag| tags.contains(tag))
        })
    }

    /// The fields that the configuration adds; `formats` gets those that are texts.
    fn extra_fields(
        &mut self,
        item: &RuleItem,
        formats: &mut Vec<(String, String)>,
    ) -> Read<Vec<(String, Template)>> {
        let mut added = BTreeMap::new();
        for field in self.appended(item).flat_map(|entry| &entry.extra_fields) {
            match field {
                ExtraField::Field(name) => added.insert(name, (format!("%{name}"), false)),
                ExtraField::Format { key, format } => added.insert(key, (format.clone(), true)),
            };
        }
        let mut fields = Vec::with_capacity(added.len());
        for (name, (format, is_text)) in added {
            let template = Template::parse(&format).map_err(|error| {
                item.output_place.error(ErrorCode::CompileOutput, error.to_string())
            })?;
            self.deprecated_in_output(&format, item);
            fields.push((name.clone(), template));
            if is_text {
                formats.push((name.clone(), format));
            }
        }
        Ok(fields)
    }

    /// By substring, as Falco does: `evt.latency.ns` is also said to use `evt.latency`.
    fn deprecated_in_output(&mut self, output: &str, item: &RuleItem) {
        for (field, _) in DEPRECATED_FIELDS {
            if output.contains(field) {
                self.warnings.push(|| {
                    let message = format!(
                        "usage of deprecated field '{field}' has been detected in the rule output"
                    );
                    let place = &item.output_place;
                    let mut warning = place.warning(WarningCode::DeprecatedItem, message);
                    warning.deprecated_field = Some(field);
                    warning
                });
            }
        }
    }

    /// Warns of macros and lists that nothing uses.
    fn unused(&mut self) {
        for (parsed, item) in self.macros.iter().zip(self.collector.macros.all()) {
            if !parsed.used {
                let message = "Macro not referred to by any other rule/macro";
                self.warnings.push(|| item.place.warning(WarningCode::UnusedMacro, message));
            }
        }
        for (list, item) in self.lists.all.iter().zip(self.collector.lists.all()) {
            if !list.used {
                let message = "List not referred to by any other rule/macro";
                self.warnings.push(|| item.place.warning(WarningCode::UnusedList, message));
            }
        }
    }
}

/// ` a_b=%a.b` for every field that suggests itself.
fn append_suggested(output: &mut String) {
    let fields = CLASSES.iter().flat_map(|class| class.fields).chain(statics::rows());
    for field in fields.filter(|field| field.has(FieldFlags::FORMAT_SUGGESTED)) {
        output.push_str(&format!(" {}=%{}", field.name.replace('.', "_"), field.name));
    }
}

/// Whether an error tells that something is unknown, which a rule may ask to be skipped for.
pub(super) fn is_unknown(message: &str) -> bool {
    ["nonexistent field", "invalid formatting token", "unknown event type", "unknown filter:"]
        .iter()
        .any(|text| message.contains(text))
}

pub(super) fn too_large(place: Option<&Place>) -> Box<Error> {
    let message = expand::TOO_LARGE;
    place.map_or_else(
        || {
            Box::new(Error {
                code: ErrorCode::Validate,
                message: message.to_owned(),
                context: crate::engine::diagnostic::Context::default(),
            })
        },
        |place| place.invalid(message),
    )
}
