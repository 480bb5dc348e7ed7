//! `-L` and `-l RULE`: what the loaded rules are, as a table or as JSON.
//!
//! Falco's keys and words; where Falco's order is that of a hash table, ours is alphabetical.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt::Write;

use serde::Serialize;
use serde::ser::{SerializeStruct, Serializer};
use serde_json::{Value, json};

use super::event_set::EventSet;
use super::lang::ast::{Check, Expr, Operand, Right};
use super::lang::parser;
use super::load::{Described, DescribedList, DescribedMacro, DescribedRule, Loaded, Requirement};
use crate::event::{EventType, Kind};

/// Width of a line of the table, and where descriptions begin.
const LINE: usize = 110;
const INDENT: usize = 51;

/// Which rules are described.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum Describe {
    /// None.
    #[default]
    Nothing,
    /// All rules, macros and lists (`-L`).
    All,
    /// One rule (`-l`).
    Rule(String),
}

/// The rule isn't loaded.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("Rule \"{0}\" is not loaded")]
pub struct NotLoaded(pub String);

/// Describes what is loaded.
///
/// # Errors
///
/// If there is no rule of that name.
pub fn describe<'a>(loaded: &'a Loaded, which: &'a Describe) -> Result<Description<'a>, NotLoaded> {
    let described = loaded.described();
    chosen(&described, which)?;
    Ok(Description { described, which })
}

/// What is loaded, as it is told.
///
/// As JSON it is the object that `-L` prints and that is `falco_describe_results` of `-V`, with
/// its keys in alphabetical order. It is made while it is written: it can be much larger than the
/// rules.
#[derive(Debug)]
pub struct Description<'a> {
    described: Described<'a>,
    which: &'a Describe,
}

impl Description<'_> {
    /// The table, with a final newline.
    #[must_use]
    pub fn text(&self) -> String {
        let mut out = String::new();
        let mut line = |left: &str, right: &str| {
            let _ = writeln!(out, "{left:<50} {right}");
        };
        line("Rule", "Description");
        line("----", "-----------");
        for rule in chosen(&self.described, self.which).unwrap_or_default() {
            line(&rule.rule.name, &format!("{}\n", wrapped(&rule.rule.description)));
        }
        out
    }
}

impl Serialize for Description<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { described, which } = self;
        let names = &Names::of(described);
        let rules = Each(chosen(described, which).unwrap_or_default(), |item| rule(item, names));
        let mut object = serializer.serialize_struct("Description", 5)?;
        if !matches!(which, Describe::Rule(_)) {
            let macros = Each(&described.macros, |item| macro_item(item, names));
            let version = described.required_engine_version.to_string();
            object.serialize_field("lists", &Each(&described.lists, list))?;
            object.serialize_field("macros", &macros)?;
            object.serialize_field("required_engine_version", &version)?;
            let plugins = plugins(described.required_plugin_versions);
            object.serialize_field("required_plugin_versions", &plugins)?;
        }
        object.serialize_field("rules", &rules)?;
        object.end()
    }
}

/// Items, each made into what is told of it when its turn comes.
struct Each<'a, T, F>(&'a [T], F);

impl<'a, T, F, U> Serialize for Each<'a, T, F>
where
    F: Fn(&'a T) -> U,
    U: Serialize,
{
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(&self.1))
    }
}

fn plugins(required: &[Vec<Requirement>]) -> Vec<Value> {
    let told = required.iter().filter_map(|alternatives| {
        let (first, others) = alternatives.split_first()?;
        let object = |r: &Requirement| json!({"name": r.name, "version": r.version});
        let mut entry = object(first);
        if let Value::Object(entry) = &mut entry {
            let others = others.iter().map(object).collect();
            entry.insert("alternatives".to_owned(), Value::Array(others));
        }
        Some(entry)
    });
    told.collect()
}

fn chosen<'a>(
    described: &'a Described<'a>,
    which: &Describe,
) -> Result<&'a [DescribedRule<'a>], NotLoaded> {
    match which {
        Describe::Nothing => Ok(&[]),
        Describe::All => Ok(&described.rules),
        Describe::Rule(name) => described
            .rules
            .iter()
            .position(|rule| rule.rule.name == *name)
            .and_then(|at| described.rules.get(at..=at))
            .ok_or_else(|| NotLoaded(name.clone())),
    }
}

/// Words with a blank behind each, in lines that begin at [`INDENT`].
fn wrapped(text: &str) -> String {
    let mut out = String::new();
    let mut length = 0;
    for word in text.split_ascii_whitespace() {
        length += word.len() + 1;
        if length > LINE - INDENT {
            let _ = write!(out, "\n{:INDENT$}", "");
            length = word.len() + 1;
        }
        out.push_str(word);
        out.push(' ');
    }
    out
}

/// Names of all macros and lists, and all event types.
struct Names<'a> {
    macros: BTreeSet<&'a str>,
    lists: BTreeSet<&'a str>,
    /// By name.
    types: Vec<EventType>,
}

impl<'a> Names<'a> {
    fn of(described: &Described<'a>) -> Self {
        let mut types: Vec<_> = EventType::all().collect();
        types.sort_by_key(|ty| ty.name());
        Self {
            macros: described.macros.iter().map(|item| item.name).collect(),
            lists: described.lists.iter().map(|item| item.name).collect(),
            types,
        }
    }
}

/// What a condition consists of.
#[derive(Default)]
struct Details {
    fields: BTreeSet<String>,
    operators: BTreeSet<String>,
    macros: BTreeSet<String>,
    lists: BTreeSet<String>,
    /// Literals that are compared with `evt.type`.
    event_names: BTreeSet<String>,
}

impl Details {
    fn of(expr: &Expr, names: &Names<'_>) -> Self {
        let mut details = Self::default();
        expr.for_each_macro(&mut |name, _| {
            if names.macros.contains(name) {
                details.macros.insert(name.to_owned());
            }
        });
        expr.for_each_check(&mut |check| details.check(check, names));
        details
    }

    fn check(&mut self, check: &Check, names: &Names<'_>) {
        let operator = check.operator.name();
        self.operators.insert(match check.modifier {
            Some(modifier) => format!("{operator} {}", modifier.name()),
            None => operator.to_owned(),
        });
        check.for_each_field(&mut |name, argument| {
            self.fields.insert(
                argument.map_or_else(|| name.to_owned(), |argument| format!("{name}[{argument}]")),
            );
        });
        let of_type = matches!(
            &check.left,
            Operand::Field { name, .. } if name == "evt.type" || name == "evt.asynctype"
        );
        let values = match &check.right {
            Right::Literal(value) => std::slice::from_ref(value),
            Right::List(values) => values.as_slice(),
            Right::Nothing | Right::Operand { .. } => &[],
        };
        for value in values {
            if names.lists.contains(value.as_str()) {
                self.lists.insert(value.clone());
            } else if of_type {
                self.event_names.insert(value.clone());
            }
        }
    }

    fn uses_container_plugin(&self) -> bool {
        self.event_names.contains("container")
            || self.fields.iter().any(|f| f.starts_with("container.") || f.starts_with("k8s."))
    }
}

/// Details of a text in which nothing is resolved; lists are not in it as they would be after.
fn unresolved(condition: &str, names: &Names<'_>) -> Details {
    parser::parse(condition).map(|expr| Details::of(&expr, names)).unwrap_or_default()
}

/// The names of the events, and that of the events that every rule may see. Generic system calls
/// are one event to Falco: of them only those are told that the condition names.
fn event_names(events: &EventSet, details: &Details, names: &Names<'_>) -> Vec<&'static str> {
    let named = |ty: EventType| details.event_names.contains(ty.name());
    let is_generic = |ty: EventType| ty.info().kind == Kind::Generic;
    let all_generic = !events.iter().any(|ty| is_generic(ty) && named(ty));
    let types = names.types.iter().copied();
    let told = types.filter(|ty| {
        let is_told = || all_generic || !is_generic(*ty) || named(*ty);
        ty.name() == "asyncevent" || (events.contains(*ty) && is_told())
    });
    let mut told: Vec<_> = told.map(EventType::name).collect();
    told.dedup();
    told
}

/// What is found out about a rule.
#[derive(Serialize)]
struct RuleDetails<'a> {
    condition_compiled: String,
    condition_fields: BTreeSet<String>,
    condition_operators: BTreeSet<String>,
    events: Vec<&'static str>,
    exception_fields: BTreeSet<&'a str>,
    exception_names: BTreeSet<&'a str>,
    exception_operators: BTreeSet<&'a str>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    extra_output_formatted_fields: BTreeMap<&'a str, &'a str>,
    lists: BTreeSet<String>,
    macros: BTreeSet<String>,
    output_compiled: &'a str,
    output_fields: BTreeSet<&'a str>,
    plugins: &'static [&'static str],
}

/// What the files say of a rule.
#[derive(Serialize)]
struct RuleInfo<'a> {
    capture: bool,
    capture_duration: u32,
    condition: &'a str,
    description: &'a str,
    enabled: bool,
    name: &'a str,
    output: &'a str,
    priority: &'a str,
    source: &'a str,
    tags: &'a [String],
}

/// One entry of a list of rules, macros or lists.
#[derive(Serialize)]
struct Entry<D, I> {
    details: D,
    info: I,
}

fn rule<'a>(
    item: &'a DescribedRule<'_>,
    names: &Names<'_>,
) -> Entry<RuleDetails<'a>, RuleInfo<'a>> {
    let rule = item.rule;
    let plain = unresolved(item.condition, names);
    let mut details = Details::of(&rule.expr, names);
    let output_fields = output_fields(item);
    let condition_fields = details.fields.clone();
    details.fields.extend(output_fields.iter().map(|field| (*field).to_owned()));
    let formats = item.extra_formats.iter();
    let info = RuleInfo {
        capture: rule.capture,
        capture_duration: rule.capture_duration_ms,
        condition: item.condition,
        description: &rule.description,
        enabled: item.enabled,
        name: &rule.name,
        output: item.output,
        priority: rule.priority.name(),
        source: &rule.source,
        tags: &rule.tags,
    };
    let details = RuleDetails {
        condition_compiled: rule.expr.to_string(),
        condition_fields,
        events: event_names(&rule.events, &details, names),
        plugins: if details.uses_container_plugin() { &["container"] } else { &[] },
        condition_operators: details.operators,
        exception_fields: sorted(&item.exception_fields),
        exception_names: sorted(&item.exception_names),
        exception_operators: sorted(&item.exception_operators),
        extra_output_formatted_fields: formats.map(|(key, format)| (&**key, &**format)).collect(),
        lists: plain.lists,
        macros: plain.macros,
        output_compiled: item.output_compiled,
        output_fields,
    };
    Entry { details, info }
}

fn sorted<'a>(texts: &[&'a str]) -> BTreeSet<&'a str> {
    texts.iter().copied().collect()
}

/// Fields of the output and of what is added to the fields.
fn output_fields<'a>(item: &DescribedRule<'a>) -> BTreeSet<&'a str> {
    let extra = item.rule.extra_fields.iter().map(|(_, template)| template);
    let templates = std::iter::once(&item.rule.output).chain(extra);
    templates.flat_map(|template| template.fields()).map(|field| &*field.text).collect()
}

/// What is found out about a macro.
#[derive(Serialize)]
struct MacroDetails {
    condition_compiled: String,
    condition_fields: BTreeSet<String>,
    condition_operators: BTreeSet<String>,
    events: Vec<&'static str>,
    lists: BTreeSet<String>,
    macros: BTreeSet<String>,
    plugins: [&'static str; 0],
    used: bool,
}

#[derive(Serialize)]
struct MacroInfo<'a> {
    condition: &'a str,
    name: &'a str,
}

fn macro_item<'a>(
    item: &DescribedMacro<'a>,
    names: &Names<'_>,
) -> Entry<MacroDetails, MacroInfo<'a>> {
    let plain = unresolved(item.condition, names);
    let details = Details::of(item.expr, names);
    let events = EventSet::derive(item.expr).unwrap_or_else(|_| EventSet::all());
    Entry {
        details: MacroDetails {
            condition_compiled: item.expr.to_string(),
            events: event_names(&events, &details, names),
            condition_fields: details.fields,
            condition_operators: details.operators,
            lists: plain.lists,
            macros: plain.macros,
            plugins: [],
            used: item.used,
        },
        info: MacroInfo { condition: item.condition, name: item.name },
    }
}

/// What is found out about a list.
#[derive(Serialize)]
struct ListDetails<'a> {
    items_compiled: &'a [String],
    lists: BTreeSet<&'a str>,
    plugins: [&'static str; 0],
    used: bool,
}

#[derive(Serialize)]
struct ListInfo<'a> {
    items: Vec<&'a str>,
    name: &'a str,
}

fn list<'a>(item: &DescribedList<'a>) -> Entry<ListDetails<'a>, ListInfo<'a>> {
    let compiled: HashSet<&str> = item.items_compiled.iter().map(String::as_str).collect();
    let all = item.items.iter().map(String::as_str);
    let (items, lists): (Vec<_>, Vec<_>) = all.partition(|name| compiled.contains(name));
    Entry {
        details: ListDetails {
            items_compiled: item.items_compiled,
            lists: lists.into_iter().collect(),
            plugins: [],
            used: item.used,
        },
        info: ListInfo { items, name: item.name },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::load::{Loader, Settings};

    const RULES: &str = "
- required_engine_version: 0.31.0
- list: shells
  items: [sh, bash]
- macro: opened
  condition: evt.type in (open, openat) and not never
- macro: never
  condition: (evt.num = 0)
- macro: opened
  condition: evt.type in (open, openat) and not never
- rule: Shell opens
  desc: A shell opens a file, which is described here in so many words that they need two lines
  condition: opened and proc.name in (shells) and container.id != host
  output: opened %fd.name by %proc.name
  priority: NOTICE
  tags: [b, a]
";

    fn loaded() -> Loaded {
        let mut loader = Loader::new(Settings::default());
        let result = loader.add("rules.yaml", RULES.as_bytes());
        assert!(result.successful(), "{}", result.verbose());
        loader.finish().unwrap()
    }

    #[test]
    fn the_table_wraps_descriptions() {
        let loaded = loaded();
        let text = describe(&loaded, &Describe::All).unwrap().text();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[0], format!("{:<50} Description", "Rule"));
        assert_eq!(
            lines[2].len(),
            51 + "A shell opens a file, which is described here in so many ".len()
        );
        assert_eq!(lines[3], format!("{:51}words that they need two lines ", ""));
        assert_eq!(lines[4], "");
    }

    #[test]
    fn a_rule_tells_its_parts() {
        let loaded = loaded();
        let all = serde_json::to_value(describe(&loaded, &Describe::All).unwrap()).unwrap();
        let details = &all["rules"][0]["details"];
        assert_eq!(details["macros"], json!(["opened"]));
        assert_eq!(details["lists"], json!(["shells"]));
        assert_eq!(details["events"], json!(["asyncevent", "open", "openat"]));
        assert_eq!(details["plugins"], json!(["container"]));
        assert_eq!(details["output_fields"], json!(["fd.name", "proc.name"]));
        assert_eq!(
            details["condition_compiled"],
            "((evt.type in (open, openat) and not evt.num = 0) and proc.name in (sh, bash) and \
             container.id != host)"
        );
        assert_eq!(all["required_engine_version"], "0.31.0");
        assert_eq!(all["rules"][0]["info"]["tags"], json!(["a", "b"]));
    }

    #[test]
    fn a_rule_that_is_not_loaded_is_said_so() {
        let missing = Describe::Rule("Nobody".to_owned());
        assert_eq!(
            describe(&loaded(), &missing).unwrap_err().to_string(),
            "Rule \"Nobody\" is not loaded"
        );
    }
}
