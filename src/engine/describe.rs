//! `-L` and `-l RULE`: what the loaded rules are, as a table or as JSON.
//!
//! Falco's keys and words; where Falco's order is that of a hash table, ours is alphabetical.

use std::collections::BTreeSet;
use std::fmt::Write;

use serde_json::{Map, Value, json};

use super::event_set::EventSet;
use super::lang::ast::{Check, Expr, Operand, Right};
use super::lang::parser;
use super::load::{Described, DescribedList, DescribedMacro, DescribedRule, Loaded};
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

/// The table, with a final newline.
///
/// # Errors
///
/// If there is no rule of that name.
pub fn text(loaded: &Loaded, which: &Describe) -> Result<String, NotLoaded> {
    let described = loaded.described();
    let mut out = String::new();
    let mut line = |left: &str, right: &str| {
        let _ = writeln!(out, "{left:<50} {right}");
    };
    line("Rule", "Description");
    line("----", "-----------");
    for rule in chosen(&described, which)? {
        line(&rule.rule.name, &format!("{}\n", wrapped(&rule.rule.description)));
    }
    Ok(out)
}

/// The object that `-L` prints and that is `falco_describe_results` of `-V`.
///
/// # Errors
///
/// If there is no rule of that name.
pub fn json(loaded: &Loaded, which: &Describe) -> Result<Value, NotLoaded> {
    let described = loaded.described();
    let names = Names::of(&described);
    let rules = chosen(&described, which)?.iter().map(|item| rule(item, &names)).collect();
    if matches!(which, Describe::Rule(_)) {
        return Ok(json!({ "rules": Value::Array(rules) }));
    }
    let versions = described.required_plugin_versions.iter().filter_map(|alternatives| {
        let (first, others) = alternatives.split_first()?;
        let object = |r: &super::load::Requirement| json!({"name": r.name, "version": r.version});
        let mut entry = object(first);
        if let Value::Object(entry) = &mut entry {
            let others = others.iter().map(object).collect();
            entry.insert("alternatives".to_owned(), Value::Array(others));
        }
        Some(entry)
    });
    Ok(json!({
        "required_engine_version": described.required_engine_version.to_string(),
        "required_plugin_versions": versions.collect::<Vec<_>>(),
        "rules": Value::Array(rules),
        "macros": described.macros.iter().map(|item| macro_item(item, &names)).collect::<Vec<_>>(),
        "lists": described.lists.iter().map(list).collect::<Vec<_>>(),
    }))
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

/// Names of all macros and lists.
struct Names<'a> {
    macros: BTreeSet<&'a str>,
    lists: BTreeSet<&'a str>,
}

impl<'a> Names<'a> {
    fn of(described: &Described<'a>) -> Self {
        Self {
            macros: described.macros.iter().map(|item| item.name).collect(),
            lists: described.lists.iter().map(|item| item.name).collect(),
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
fn event_names(events: &EventSet, details: &Details) -> Vec<&'static str> {
    let named = |ty: &EventType| details.event_names.contains(ty.name());
    let is_generic = |ty: &EventType| ty.info().kind == Kind::Generic;
    let all_generic = !events.iter().any(|ty| is_generic(&ty) && named(&ty));
    let told = events.iter().filter(|ty| all_generic || !is_generic(ty) || named(ty));
    let mut names: BTreeSet<&str> = told.map(EventType::name).collect();
    names.insert("asyncevent");
    names.into_iter().collect()
}

fn rule(item: &DescribedRule<'_>, names: &Names<'_>) -> Value {
    let rule = item.rule;
    let plain = unresolved(item.condition, names);
    let mut details = Details::of(&rule.expr, names);
    let output_fields = output_fields(item);
    let condition_fields = details.fields.clone();
    details.fields.extend(output_fields.iter().map(|field| (*field).to_owned()));
    let plugins: &[&str] = if details.uses_container_plugin() { &["container"] } else { &[] };
    let mut told = Map::new();
    let mut tell = |key: &str, value: Value| told.insert(key.to_owned(), value);
    tell("condition_compiled", json!(rule.expr.to_string()));
    tell("condition_fields", json!(condition_fields));
    tell("condition_operators", json!(details.operators));
    tell("events", json!(event_names(&rule.events, &details)));
    tell("exception_fields", json!(sorted(&item.exception_fields)));
    tell("exception_names", json!(sorted(&item.exception_names)));
    tell("exception_operators", json!(sorted(&item.exception_operators)));
    tell("lists", json!(plain.lists));
    tell("macros", json!(plain.macros));
    tell("output_compiled", json!(item.output_compiled));
    tell("output_fields", json!(output_fields));
    tell("plugins", json!(plugins));
    if !item.extra_formats.is_empty() {
        let formats = item.extra_formats.iter().map(|(key, format)| (key.clone(), json!(format)));
        tell("extra_output_formatted_fields", Value::Object(formats.collect()));
    }
    json!({
        "details": told,
        "info": {
            "capture": rule.capture,
            "capture_duration": rule.capture_duration_ms,
            "condition": item.condition,
            "description": rule.description,
            "enabled": item.enabled,
            "name": rule.name,
            "output": item.output,
            "priority": rule.priority.name(),
            "source": rule.source,
            "tags": rule.tags,
        },
    })
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

fn macro_item(item: &DescribedMacro<'_>, names: &Names<'_>) -> Value {
    let plain = unresolved(item.condition, names);
    let details = Details::of(item.expr, names);
    let events = EventSet::derive(item.expr).unwrap_or_else(|_| EventSet::all());
    json!({
        "details": {
            "condition_compiled": item.expr.to_string(),
            "condition_fields": details.fields,
            "condition_operators": details.operators,
            "events": event_names(&events, &details),
            "lists": plain.lists,
            "macros": plain.macros,
            "plugins": [],
            "used": item.used,
        },
        "info": { "condition": item.condition, "name": item.name },
    })
}

fn list(item: &DescribedList<'_>) -> Value {
    let is_resolved = |name: &&String| !item.items_compiled.contains(name);
    let (lists, items): (Vec<_>, Vec<_>) = item.items.iter().partition(is_resolved);
    json!({
        "details": {
            "items_compiled": item.items_compiled,
            "lists": lists.into_iter().collect::<BTreeSet<_>>(),
            "plugins": [],
            "used": item.used,
        },
        "info": { "items": items, "name": item.name },
    })
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
        let text = text(&loaded(), &Describe::All).unwrap();
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
        let all = json(&loaded(), &Describe::All).unwrap();
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
            json(&loaded(), &missing).unwrap_err().to_string(),
            "Rule \"Nobody\" is not loaded"
        );
    }
}
