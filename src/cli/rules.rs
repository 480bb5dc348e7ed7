//! `rules explain` and `rules profile`: what a rule comes to, and what rules cost.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::io::Write;

use crate::engine::comparison::Test;
use crate::engine::lang::ast::Expr;
use crate::engine::matchers::BytesTest;
use crate::engine::program::cost::Estimate;
use crate::engine::rule::Rule;
use crate::event::EventType;
use crate::service::profile::{Profile, Row};

/// How many event types are named before the rest is counted.
const MAX_TYPES_SHOWN: usize = 24;

/// Says what a rule comes to: its condition with macros and lists put in, its event types, its
/// fields, its cost.
///
/// # Errors
///
/// If `out` can't be written.
pub fn explain(rule: &Rule, out: &mut dyn Write) -> io::Result<()> {
    let state = if rule.enabled { "enabled" } else { "disabled" };
    writeln!(out, "{}\n  {}\n", rule.name, rule.description.trim())?;
    writeln!(out, "priority:    {} ({state}, source {})", rule.priority.name(), rule.source)?;
    if !rule.tags.is_empty() {
        writeln!(out, "tags:        {}", rule.tags.join(", "))?;
    }
    writeln!(out, "event types: {}", event_types(rule))?;
    let (class, estimate) = cost(rule);
    writeln!(
        out,
        "cost:        {class}; about {:.0} ns if nothing is shared with other rules",
        estimate.cost
    )?;
    for (what, ns) in dearest(rule) {
        writeln!(out, "             {ns:>5.0} ns  {what}")?;
    }
    writeln!(out, "fields:")?;
    for (text, ty) in fields(rule) {
        writeln!(out, "  {text:<32} {ty}")?;
    }
    writeln!(out, "condition:")?;
    condition(&rule.expr, 1, out)?;
    writeln!(out)
}

/// How costly a rule is, in a word, and the guess behind it.
#[must_use]
pub fn cost(rule: &Rule) -> (&'static str, Estimate) {
    const CHEAP_NS: f32 = 15.0;
    const MODERATE_NS: f32 = 60.0;
    let estimate = Estimate::of_node(rule.condition.root());
    let class = match estimate.cost {
        ns if ns <= CHEAP_NS => "cheap",
        ns if ns <= MODERATE_NS => "moderate",
        _ => "expensive",
    };
    (class, estimate)
}

fn event_types(rule: &Rule) -> String {
    let names: Vec<_> = rule.events.iter().map(EventType::name).collect();
    if names.len() == EventType::COUNT {
        return format!("all {} (the condition doesn't restrict evt.type)", names.len());
    }
    if names.is_empty() {
        return "none (the condition can't be true)".to_owned();
    }
    let shown: Vec<_> = names.iter().take(MAX_TYPES_SHOWN).copied().collect();
    match names.len() - shown.len() {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// The fields of a condition with their types.
fn fields(rule: &Rule) -> BTreeMap<String, String> {
    let mut fields = BTreeMap::new();
    rule.condition.for_each_predicate(&mut |predicate| {
        predicate.for_each_field(&mut |field| {
            let list = if field.is_list { "LIST of " } else { "" };
            fields.insert(field.text.to_string(), format!("{list}{}", field.ty.name()));
        });
    });
    fields
}

/// The comparisons that cost most.
fn dearest(rule: &Rule) -> Vec<(String, f32)> {
    const SHOWN: usize = 3;
    const WIDTH: usize = 90;
    const WORTH_NS: f32 = 20.0;
    let mut dear = Vec::new();
    let mut texts = checks(&rule.expr).into_iter();
    rule.condition.for_each_predicate(&mut |predicate| {
        let text = texts.next().unwrap_or_default();
        dear.push((text.chars().take(WIDTH).collect::<String>(), Estimate::of(predicate).cost));
    });
    dear.retain(|(_, ns)| *ns >= WORTH_NS);
    dear.sort_by(|left, right| right.1.total_cmp(&left.1).then(left.0.cmp(&right.0)));
    dear.dedup();
    dear.truncate(SHOWN);
    dear
}

/// The texts of all checks, in the order in which they stand.
fn checks(expr: &Expr) -> Vec<String> {
    let mut texts = Vec::new();
    expr.for_each_check(&mut |check| texts.push(check.to_string()));
    texts
}

/// Prints a condition with one check a line.
fn condition(expr: &Expr, depth: usize, out: &mut dyn Write) -> io::Result<()> {
    let indent = depth * 2;
    let (word, children) = match expr {
        Expr::And(children) => ("and", children.as_slice()),
        Expr::Or(children) => ("or", children.as_slice()),
        Expr::Not(child) if matches!(**child, Expr::Check(_)) => {
            return writeln!(out, "{:indent$}not {child}", "");
        }
        Expr::Not(child) => ("not", std::slice::from_ref(&**child)),
        Expr::Check(_) | Expr::Macro { .. } => return writeln!(out, "{:indent$}{expr}", ""),
    };
    writeln!(out, "{:indent$}{word}:", "")?;
    children.iter().try_for_each(|child| condition(child, depth + 1, out))
}

/// Prints what was measured, dearest rule first.
///
/// A rule's share is its part of what all rules would cost one by one; together they cost
/// less, since they share what they have in common.
///
/// # Errors
///
/// If `out` can't be written.
pub fn report(profile: &Profile, rules: &[Rule], out: &mut dyn Write) -> io::Result<()> {
    let all_ns: u64 = rules.iter().map(|rule| profile.row(rule).ns).sum();
    writeln!(
        out,
        "{} events, {} rules: {:.0} ns per event; one by one the rules would take {:.0} ns",
        profile.events,
        rules.len(),
        ratio(profile.shared_ns, profile.events),
        ratio(all_ns, profile.events),
    )?;
    writeln!(out, "\n share  ns/event     tried   matched  of tried  rule")?;
    let mut rules: Vec<_> = rules.iter().collect();
    let row_of = |rule: &Rule| profile.row(rule);
    rules.sort_by_key(|rule| (std::cmp::Reverse(row_of(rule).ns), &rule.name));
    for rule in rules.iter().filter(|rule| row_of(rule).tried > 0) {
        let row = row_of(rule);
        writeln!(
            out,
            "{:>5.1}% {:>9.1} {:>9} {:>9} {:>8.2}%  {}",
            100.0 * ratio(row.ns, all_ns),
            ratio(row.ns, profile.events),
            row.tried,
            row.matched,
            100.0 * ratio(row.matched, row.tried),
            rule.name,
        )?;
        for advice in advice(rule, row, profile.events) {
            writeln!(out, "{:>44}  - {advice}", "")?;
        }
    }
    let idle = rules.iter().filter(|rule| rule.enabled && row_of(rule).tried == 0).count();
    if idle > 0 {
        writeln!(out, "\n{idle} more rules: no event of their types was seen")?;
    }
    Ok(())
}

/// What could make a rule cheaper or quieter.
fn advice(rule: &Rule, row: Row, events: u64) -> Vec<String> {
    const OFTEN: f64 = 0.05;
    let mut advice = Vec::new();
    if rule.events.is_unrestricted() {
        advice.push("is tried for most events: name the event types with evt.type".to_owned());
    }
    let mut regexes = BTreeSet::new();
    rule.condition.for_each_predicate(&mut |predicate| {
        if matches!(predicate.test, Test::Bytes(BytesTest::Regex(_))) {
            regexes.insert(predicate.source_text.to_string());
        }
    });
    for field in regexes {
        advice.push(format!(
            "matches {field} with a regex: startswith, endswith, contains or glob are cheaper"
        ));
    }
    if ratio(row.matched, events) > OFTEN {
        advice
            .push("matches often: an exception, or rate limiting behind it, may be missing".into());
    }
    advice
}

#[expect(clippy::cast_precision_loss, reason = "figures for reading")]
fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::compile::compile;
    use crate::engine::lang::parser::parse;
    use crate::engine::output::Template;
    use crate::engine::rule::Priority;
    use crate::engine::ruleset::{Matching, RuleSet};
    use crate::event::builder::EventBuilder;
    use crate::event::known;
    use crate::event::thread::Thread;

    fn rule(name: &str, condition: &str) -> Rule {
        let expr = parse(condition).unwrap();
        let compiled = compile(&expr).unwrap();
        Rule {
            name: name.into(),
            description: "For tests.".into(),
            source: "syscall".into(),
            priority: Priority::Notice,
            tags: vec!["a".into()],
            enabled: true,
            expr,
            condition: compiled.condition,
            events: compiled.events,
            output: Template::parse("x").unwrap(),
            extra_fields: Vec::new(),
            capture: false,
            capture_duration_ms: 0,
        }
    }

    fn text(print: impl FnOnce(&mut Vec<u8>) -> io::Result<()>) -> String {
        let mut out = Vec::new();
        print(&mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_rule_is_explained_with_types_fields_cost_and_condition() {
        let rule = rule("R", "evt.type in (open, openat) and not proc.cmdline regex \"a.*b\"");
        let text = text(|out| explain(&rule, out));
        for part in [
            "event types: open, openat\n",
            "  proc.cmdline ",
            "CHARBUF\n",
            "moderate;",
            " 150 ns  ",
        ] {
            assert!(text.contains(part), "{part:?} in {text}");
        }
        assert!(text.ends_with(
            "condition:\n  and:\n    evt.type in (open, openat)\n    not proc.cmdline regex a.*b\n\n"
        ), "{text}");
    }

    #[test]
    fn a_rule_without_event_types_is_told_so() {
        let text = text(|out| explain(&rule("R", "proc.name = cat"), out));
        assert!(text.contains("doesn't restrict evt.type") && text.contains("cheap"), "{text}");
    }

    #[test]
    fn a_profile_counts_what_was_tried_and_matched_and_gives_advice() {
        let rules = vec![
            rule("opens", "evt.type = open and proc.pid = 7"),
            rule("regex", "evt.type = open and proc.cmdline regex \"a+b\""),
            rule("anything", "proc.pid = 8"),
            rule("execs", "evt.type = execve"),
        ];
        let set = RuleSet::build(rules, Matching::All);
        let mut profile = Profile::default();
        let builder = EventBuilder::new(known::OPEN).thread(Thread::unknown(7, 7));
        profile.see(&set, &builder.event());
        profile.see(&set, &builder.event());
        let text = text(|out| report(&profile, set.rules(), out));
        assert!(text.starts_with("2 events, 4 rules: "), "{text}");
        assert!(text.contains("        2         2   100.00%  opens"), "{text}");
        assert!(text.contains("matches proc.cmdline with a regex"), "{text}");
        assert!(text.contains("name the event types with evt.type"), "{text}");
        assert!(text.contains("1 more rules: no event of their types was seen"), "{text}");
    }
}
