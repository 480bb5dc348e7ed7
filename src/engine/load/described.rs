//! What the files say of rules, macros and lists, kept for `-L` and explanations.

use std::collections::HashMap;

use super::compile::{Compiled, CompiledList};
use super::exceptions::{Entry, Exception};
use super::expand::ParsedMacro;
use super::merge::{Collector, RuleItem};
use super::{Loaded, Requirement, Version};
use crate::engine::lang::ast::Expr;
use crate::engine::rule::Rule;

/// What is kept beside the rules.
#[derive(Debug, Default)]
pub(super) struct Collected {
    collector: Collector,
    macros: Vec<ParsedMacro>,
    lists: Vec<CompiledList>,
    /// Of every loaded rule in the order of definition.
    outputs: Vec<Output>,
    /// Rules of too low a priority.
    pub(super) below: Vec<Rule>,
}

/// What is kept of a rule.
#[derive(Debug)]
struct Output {
    /// Its place among the collected rules.
    item: usize,
    /// Its output with what the configuration appends.
    text: String,
    /// Fields that the configuration adds as texts.
    formats: Vec<(String, String)>,
}

impl Collected {
    pub(super) fn split(collector: Collector, compiled: Compiled) -> (Vec<Rule>, Self) {
        let Compiled { rules, macros, lists, .. } = compiled;
        let mut outputs = Vec::with_capacity(rules.len());
        let keep = |rule: super::compile::CompiledRule| {
            let super::compile::CompiledRule { item, output: text, formats, .. } = rule;
            outputs.push(Output { item, text, formats });
            rule.rule
        };
        let rules = rules.into_iter().map(keep).collect();
        (rules, Self { collector, macros, lists, outputs, below: Vec::new() })
    }
}

/// What `-L` tells of.
#[derive(Debug, Default)]
pub struct Described<'a> {
    /// Every loaded rule, in the order of definition, whatever its priority.
    pub rules: Vec<DescribedRule<'a>>,
    /// Every macro, in the order of definition.
    pub macros: Vec<DescribedMacro<'a>>,
    /// Every list, in the order of definition.
    pub lists: Vec<DescribedList<'a>>,
    /// The highest version of the engine that a file requires; zero if none does.
    pub required_engine_version: Version,
    /// Plugins that files require; one of each entry's alternatives.
    pub required_plugin_versions: &'a [Vec<Requirement>],
}

/// A rule as its files say it.
#[derive(Debug)]
pub struct DescribedRule<'a> {
    /// The loaded rule.
    pub rule: &'a Rule,
    /// Whether its files enable it.
    pub enabled: bool,
    /// The condition, with what is appended to it, before anything is resolved.
    pub condition: &'a str,
    /// The output, with what other items append to it.
    pub output: &'a str,
    /// The output with what the configuration appends too.
    pub output_compiled: &'a str,
    /// Fields that the configuration adds as texts: name and format.
    pub extra_formats: &'a [(String, String)],
    /// Names of its exceptions.
    pub exception_names: Vec<&'a str>,
    /// Fields of its exceptions, as far as they have values.
    pub exception_fields: Vec<&'a str>,
    /// Comparisons of its exceptions.
    pub exception_operators: Vec<&'a str>,
}

/// A macro as its files say it.
#[derive(Debug)]
pub struct DescribedMacro<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its text.
    pub condition: &'a str,
    /// Its tree, resolved.
    pub expr: &'a Expr,
    /// Whether a rule or another macro names it.
    pub used: bool,
}

/// A list as its files say it.
#[derive(Debug)]
pub struct DescribedList<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its items.
    pub items: &'a [String],
    /// Its items, with the lists in it resolved.
    pub items_compiled: &'a [String],
    /// Whether something names it.
    pub used: bool,
}

impl Loaded {
    /// What the files say of everything that is loaded.
    #[must_use]
    pub fn described(&self) -> Described<'_> {
        let kept = &self.collected;
        let collector = &kept.collector;
        let all = self.rules.iter().chain(&kept.below);
        let by_name: HashMap<&str, &Rule> = all.map(|rule| (rule.name.as_str(), rule)).collect();
        let rules = kept.outputs.iter().filter_map(|output| {
            let item = collector.rules.all().get(output.item)?;
            Some(rule(by_name.get(item.name.as_str())?, item, output))
        });
        let macros = kept.macros.iter().zip(collector.macros.all());
        let macros = macros.map(|(compiled, item)| DescribedMacro {
            name: &item.name,
            condition: &item.condition,
            expr: &compiled.expr,
            used: compiled.used,
        });
        let lists = kept.lists.iter().zip(collector.lists.all());
        let lists = lists.map(|(compiled, item)| DescribedList {
            name: &item.name,
            items: &item.items,
            items_compiled: &compiled.items,
            used: compiled.used,
        });
        Described {
            rules: rules.collect(),
            macros: macros.collect(),
            lists: lists.collect(),
            required_engine_version: collector.engine_version,
            required_plugin_versions: &collector.plugins,
        }
    }
}

fn rule<'a>(rule: &'a Rule, item: &'a RuleItem, output: &'a Output) -> DescribedRule<'a> {
    let exceptions = item.exceptions.all().iter();
    let used = exceptions.clone().filter(|exception| !exception.values.is_empty());
    DescribedRule {
        rule,
        enabled: item.enabled,
        condition: &item.condition,
        output: &item.output,
        output_compiled: &output.text,
        extra_formats: &output.formats,
        exception_names: exceptions.clone().map(|exception| exception.name.as_str()).collect(),
        exception_fields: used.flat_map(|exception: &Exception| exception.fields.texts()).collect(),
        exception_operators: exceptions.flat_map(|e| Entry::texts(&e.comps)).collect(),
    }
}
