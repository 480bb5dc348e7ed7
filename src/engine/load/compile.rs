//! Everything collected → rules: lists and macros resolved, conditions typed, outputs parsed.

use std::collections::{BTreeMap, HashMap};

use super::AppendOutput;
use super::ExtraField;
use super::Read;
use super::Settings;
use super::exceptions;
use super::expand;
use super::expand::{Budget, Lists, ParsedMacro, Resolver};
use super::merge::{Collector, Macro, RuleItem};
use crate::engine::compile;
use crate::engine::context::Place;
use crate::engine::diagnostic::{Error, ErrorCode, Warning, WarningCode, Warnings};
use crate::engine::lang::ast::{Check, Expr, Operator, Position, Right};
use crate::engine::lang::parser;
use crate::engine::output::Template;
use crate::engine::rule::Rule;
use crate::fields::statics;
use crate::fields::{CLASSES, FieldFlags};

/// Fields that tell nothing any more, and what is said of them in a condition.
const DEPRECATED_FIELDS: [(&str, &str); 6] = [
    (
        "evt.dir",
        "due to the drop of enter events, 'evt.dir = <' always evaluates to true, and \
                 'evt.dir = >' always evaluates to false. The rule expression can be simplified \
                 by removing the condition on 'evt.dir'",
    ),
    ("evt.latency", NO_ENTER_EVENTS),
    ("evt.latency.s", NO_ENTER_EVENTS),
    ("evt.latency.ns", NO_ENTER_EVENTS),
    ("evt.latency.human", NO_ENTER_EVENTS),
    ("evt.wait_latency", NO_ENTER_EVENTS),
];

const NO_ENTER_EVENTS: &str = "field is not available due to the drop of enter events.";

const CONTAINER_INFO: &str = "%container.info";

const CONTAINER_INFO_IS_DEPRECATED: &str = "%container.info is deprecated and no more useful, and \
    will be dropped by Falco 1.0.0. The container plugin will automatically add required fields \
    to the output message.";

const TOO_MANY_TYPES: &str = "Rule matches too many evt.type values. This has a significant \
    performance penalty.";

/// Everything, compiled.
#[derive(Debug, Default)]
pub(super) struct Compiled {
    /// In the order of definition; those of unknown sources and skipped ones are missing.
    pub(super) rules: Vec<CompiledRule>,
    pub(super) macros: Vec<CompiledMacro>,
    pub(super) lists: Vec<CompiledList>,
}

/// A rule with what `-L` tells of it.
#[derive(Debug)]
pub(super) struct CompiledRule {
    pub(super) rule: Rule,
    /// The output with everything that is appended to it.
    pub(super) output: String,
    /// Formats that the configuration adds to the fields, by name.
    pub(super) formats: Vec<(String, String)>,
    /// What its condition is warned of, beside what is seen without typing it.
    warnings: Vec<compile::Warning>,
    /// Its place among the collected rules.
    pub(super) item: usize,
}

/// A macro with its macros resolved.
#[derive(Debug)]
pub(super) struct CompiledMacro {
    pub(super) expr: Expr,
    pub(super) used: bool,
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
    let before = before.rules.into_iter().map(|rule| (rule.rule.name.clone(), rule)).collect();
    let macros = Vec::new();
    let mut compiler = Compiler { collector, settings, warnings, lists, macros, budget, before };
    compiler.macros()?;
    let mut rules = Vec::with_capacity(collector.rules.all().len());
    for (item, rule) in collector.rules.all().iter().enumerate() {
        if !rule.unknown_source {
            rules.extend(compiler.rule(rule, item)?);
        }
    }
    compiler.unused();
    let macros = compiler.macros.into_iter();
    let lists = compiler.lists.all.into_iter();
    Ok(Compiled {
        rules,
        macros: macros.map(|m| CompiledMacro { expr: m.expr, used: m.used }).collect(),
        lists: lists.map(|l| CompiledList { items: l.items, used: l.used }).collect(),
    })
}

struct Compiler<'a> {
    collector: &'a Collector,
    settings: &'a Settings,
    warnings: &'a mut Warnings,
    lists: Lists<'a>,
    macros: Vec<ParsedMacro>,
    budget: Budget,
    before: HashMap<String, CompiledRule>,
}

impl<'a> Compiler<'a> {
    /// Parses all macros, then resolves the macros in them.
    fn macros(&mut self) -> Read<()> {
        let collector = self.collector;
        for item in collector.macros.all() {
            let expr = self.parse(&item.condition, &item.condition_place)?;
            let parsed = ParsedMacro::new(expr);
            if !self.budget.take_nodes(parsed.size.nodes) {
                return Err(too_large(Some(&item.place)));
            }
            self.macros.push(parsed);
        }
        for (index, item) in collector.macros.all().iter().enumerate() {
            self.resolve_macro(index, item)?;
        }
        Ok(())
    }

    fn resolve_macro(&mut self, index: usize, item: &Macro) -> Read<()> {
        let visibility = item.age.visibility;
        let Some(parsed) = self.macros.get_mut(index) else {
            return Ok(());
        };
        // Taken out and put back: a macro that sees itself still has to find itself.
        let expr = parsed.expr.clone();
        let expr = self.resolve(expr, &item.condition, &item.place, Some(visibility))?;
        if let Some(parsed) = self.macros.get_mut(index) {
            let used = parsed.used;
            *parsed = ParsedMacro { used, resolved: true, ..ParsedMacro::new(expr) };
        }
        Ok(())
    }

    /// Resolves macros; those defined before `visibility`, or all.
    fn resolve(
        &mut self,
        expr: Expr,
        condition: &str,
        place: &Place,
        visibility: Option<usize>,
    ) -> Read<Expr> {
        let known = &self.collector.macros;
        let visible = |name: &str| {
            let position = known.position(name)?;
            let index = known.all().get(position)?.age.index;
            visibility.is_none_or(|visibility| index < visibility).then_some(position)
        };
        let resolver = Resolver::new(&self.macros, &visible, &mut self.budget);
        let (expr, used) = resolver.run(expr).map_err(|error| {
            let context = place.in_condition(condition, error.at);
            let code = ErrorCode::Validate;
            Box::new(Error { code, message: error.message, context })
        })?;
        for index in used {
            if let Some(parsed) = self.macros.get_mut(index) {
                parsed.used = true;
            }
        }
        Ok(expr)
    }

    /// Substitutes lists and parses.
    fn parse(&mut self, condition: &str, place: &Place) -> Read<Expr> {
        let text = self
            .lists
            .substitute(condition, &mut self.budget)
            .map_err(|_| too_large(Some(place)))?;
        parser::parse(&text).map_err(|error| {
            let context = place.in_condition(&text, error.at);
            let code = ErrorCode::CompileCondition;
            Box::new(Error { code, message: error.message, context })
        })
    }

    /// Compiles one rule; nothing if it is to be skipped.
    fn rule(&mut self, item: &'a RuleItem, index: usize) -> Read<Option<CompiledRule>> {
        let condition = exceptions::apply(&item.condition, item.exceptions.all())?;
        let output = self.output(item);
        let before = self.before.remove(&item.name);
        let template = match &before {
            Some(before) if before.output == output => before.rule.output.clone(),
            _ => match self.template(&output, item)? {
                Some(template) => template,
                None => return Ok(None),
            },
        };
        self.deprecated_in_output(&output, item);
        let mut formats = Vec::new();
        let extra_fields = self.extra_fields(item, &mut formats)?;
        let Some((expr, compiled)) = self.condition(item, &condition, before)? else {
            return Ok(None);
        };
        let rule = Rule {
            name: item.name.clone(),
            description: item.description.clone(),
            source: item.source.clone(),
            priority: item.priority,
            tags: item.tags.iter().cloned().collect(),
            enabled: item.enabled,
            expr,
            condition: compiled.condition,
            events: compiled.events,
            output: template,
            extra_fields,
            capture: item.capture,
            capture_duration_ms: item.capture_duration_ms,
        };
        let warnings = compiled.warnings;
        Ok(Some(CompiledRule { rule, output, formats, warnings, item: index }))
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

    fn condition(
        &mut self,
        item: &RuleItem,
        condition: &str,
        before: Option<CompiledRule>,
    ) -> Read<Option<(Expr, compile::Compiled)>> {
        let place = &item.condition_place;
        let expr = self.parse(condition, place)?;
        let expr = self.resolve(expr, condition, &item.place, None)?;
        if !self.budget.take_nodes(expr.size().nodes) || !self.has_room_for_patterns(&expr) {
            return Err(too_large(Some(&item.place)));
        }
        self.doubtful(&expr, condition, place);
        let compiled = match before {
            Some(CompiledRule { rule, warnings, .. }) if rule.expr == expr => {
                compile::Compiled { condition: rule.condition, events: rule.events, warnings }
            }
            _ => match self.typed(&expr, condition, item)? {
                Some(compiled) => compiled,
                None => return Ok(None),
            },
        };
        for warning in &compiled.warnings {
            self.warnings.push(|| Warning {
                code: WarningCode::CompileCondition,
                message: warning.message.clone().into(),
                context: place.in_condition(condition, warning.at),
                deprecated_field: None,
            });
        }
        if item.source == "syscall" && item.warn_evttypes && compiled.events.is_unrestricted() {
            self.warnings.push(|| item.place.warning(WarningCode::NoEventType, TOO_MANY_TYPES));
        }
        Ok(Some((expr, compiled)))
    }

    fn has_room_for_patterns(&mut self, expr: &Expr) -> bool {
        let mut has_room = true;
        expr.for_each_check(&mut |check| {
            let patterns = match &check.right {
                Right::Literal(pattern) => std::slice::from_ref(pattern),
                Right::List(patterns) => patterns.as_slice(),
                Right::Nothing | Right::Operand { .. } => &[],
            };
            if check.operator == Operator::Regex {
                has_room &= patterns.iter().all(|pattern| self.budget.take_regex(pattern));
            }
        });
        has_room
    }

    /// Types the condition; nothing if the rule is to be skipped.
    fn typed(
        &mut self,
        expr: &Expr,
        condition: &str,
        item: &RuleItem,
    ) -> Read<Option<compile::Compiled>> {
        let error = match compile::compile(expr) {
            Ok(compiled) => return Ok(Some(compiled)),
            Err(error) => error,
        };
        let context = item.condition_place.in_condition(condition, error.at);
        let message = error.message;
        if item.skip_if_unknown_filter && is_unknown(&message) {
            let code = WarningCode::UnknownFilter;
            let message = message.into();
            self.warnings.push(|| Warning { code, message, context, deprecated_field: None });
            return Ok(None);
        }
        Err(Box::new(Error { code: ErrorCode::CompileCondition, message, context }))
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

    /// Warns of what compiles and is hardly meant.
    fn doubtful(&mut self, expr: &Expr, condition: &str, place: &Place) {
        let mut unsafe_na = false;
        let mut deprecated = [false; DEPRECATED_FIELDS.len()];
        expr.for_each_check(&mut |check| {
            unsafe_na |= is_unsafe_na(check);
            check.left.for_each_field(&mut |name, _| {
                for (seen, (field, _)) in deprecated.iter_mut().zip(DEPRECATED_FIELDS) {
                    *seen |= name == field;
                }
            });
        });
        let mut warn = |code, message: &'static str, deprecated_field| {
            self.warnings.push(|| {
                let context = place.in_condition(condition, Position::default());
                Warning { code, message: message.into(), context, deprecated_field }
            });
        };
        if unsafe_na {
            warn(WarningCode::UnsafeNaCheck, "", None);
        }
        for (seen, (field, message)) in deprecated.into_iter().zip(DEPRECATED_FIELDS) {
            if seen {
                warn(WarningCode::DeprecatedItem, message, Some(field));
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

fn is_unsafe_na(check: &Check) -> bool {
    let mut is_json = false;
    check.left.for_each_field(&mut |name, _| {
        is_json = name.starts_with("ka.") || name.starts_with("jevt.");
    });
    let compares = matches!(
        check.operator,
        Operator::Equal
            | Operator::NotEqual
            | Operator::In
            | Operator::Intersects
            | Operator::PMatch
    );
    is_json
        && compares
        && check.modifier.is_none()
        && match &check.right {
            Right::Literal(value) => value == "<NA>",
            Right::List(values) => values.iter().any(|value| value == "<NA>"),
            Right::Nothing | Right::Operand { .. } => false,
        }
}

/// Whether an error tells that something is unknown, which a rule may ask to be skipped for.
fn is_unknown(message: &str) -> bool {
    ["nonexistent field", "invalid formatting token", "unknown event type", "unknown filter:"]
        .iter()
        .any(|text| message.contains(text))
}

fn too_large(place: Option<&Place>) -> Box<Error> {
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
