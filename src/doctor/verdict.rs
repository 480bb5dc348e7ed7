//! What one rule can do with the sources of a host: fire fully, with gaps, or not at all, and why.
//!
//! A condition is judged with three answers for each event type that a source tells: fields that
//! the source never gives make their comparisons false; everything else depends. Where the answer
//! is false the rule can't fire on those events.

use std::collections::BTreeMap;

use super::provenance;
use super::provenance::Missing;
use super::provenance::Source;
use crate::engine::lang::ast::Argument;
use crate::engine::lang::ast::Check;
use crate::engine::lang::ast::Expr;
use crate::engine::lang::ast::Operand;
use crate::engine::lang::ast::Operator;
use crate::engine::lang::ast::Right;
use crate::engine::rule::Rule;
use crate::event::EventType;

/// What a rule can do here.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// All that it is about.
    Full,
    /// Something is missing.
    Partly,
    /// Nothing.
    Never,
    /// It is switched off.
    Off,
}

impl Kind {
    /// In reports for programs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Partly => "partly",
            Self::Never => "never",
            Self::Off => "off",
        }
    }
}

/// One rule.
#[derive(Debug)]
pub struct Verdict {
    /// Its name.
    pub rule: String,
    /// What it can do.
    pub kind: Kind,
    /// The event types that it can fire on, with who tells them.
    pub told: Vec<(EventType, Source)>,
    /// The event types of the rule that nobody tells.
    pub untold: Vec<EventType>,
    /// Fields that its condition or outputs name and a source doesn't give, with the reason.
    pub missing: BTreeMap<String, &'static str>,
    /// The sources that lack those.
    pub lacking: Vec<Source>,
    /// Why it can't fire, where that isn't for the untold types.
    pub why: Option<&'static str>,
}

/// A source of the host, and the event types that it tells, by their own names.
pub type Told = (Source, Vec<EventType>);

impl Verdict {
    /// Judges a rule.
    #[must_use]
    pub fn of(rule: &Rule, sources: &[Told]) -> Self {
        let mut verdict = Self {
            rule: rule.name.clone(),
            kind: Kind::Never,
            told: Vec::new(),
            untold: Vec::new(),
            missing: BTreeMap::new(),
            lacking: Vec::new(),
            why: None,
        };
        let wanted: Vec<EventType> =
            EventType::all().filter(|ty| rule.events.contains(*ty)).collect();
        let (in_condition, in_outputs) = (condition_fields(&rule.expr), output_fields(rule));
        for &ty in &wanted {
            verdict.look(rule, ty, sources, &in_condition, &in_outputs);
        }
        verdict.conclude(rule, &wanted);
        verdict
    }

    /// Looks at one event type of the rule.
    fn look(
        &mut self,
        rule: &Rule,
        ty: EventType,
        sources: &[Told],
        in_condition: &[String],
        in_outputs: &[String],
    ) {
        let teller = sources.iter().find_map(|(source, types)| {
            let comes_as = provenance::comes_as(*source, ty);
            // One that comes under another name is for rules that ask for that name, too.
            let is_asked = comes_as == ty || rule.events.contains(comes_as);
            (types.contains(&comes_as) && is_asked).then_some((*source, comes_as))
        });
        let Some((source, comes_as)) = teller else {
            self.untold.push(ty);
            return;
        };
        let gap = |field: &String| provenance::gap_of(source, comes_as, field);
        let compared = in_condition.iter().filter_map(|field| Some((field, gap(field)?)));
        let compared = compared.filter(|(_, gap)| gap.0 != Missing::InPrint);
        let printed = in_outputs.iter().filter_map(|field| Some((field, gap(field)?)));
        for (field, gap) in compared.chain(printed) {
            self.missing.insert(field.clone(), gap.1);
            self.lacking.push(source);
        }
        if holds(&rule.expr, source, comes_as) == Some(false) {
            self.why = in_condition
                .iter()
                .filter_map(gap)
                .find(|gap| gap.0 == Missing::Always)
                .map(|gap| gap.1)
                .or(self.why);
            return;
        }
        self.told.push((ty, source));
    }

    fn conclude(&mut self, rule: &Rule, wanted: &[EventType]) {
        self.kind = if !rule.enabled {
            Kind::Off
        } else if self.told.is_empty() {
            Kind::Never
        } else if self.untold.is_empty() && self.missing.is_empty() {
            Kind::Full
        } else {
            Kind::Partly
        };
        if rule.source != "syscall" {
            self.why = Some("its events come from another source than system calls");
        } else if wanted.is_empty() {
            self.why = Some("its condition leaves no event that it could match, on any host");
        }
    }
}

/// Whether a condition can hold; `None`: it depends.
fn holds(expr: &Expr, source: Source, ty: EventType) -> Option<bool> {
    match expr {
        Expr::And(children) => fold(children, source, ty, false),
        Expr::Or(children) => fold(children, source, ty, true),
        Expr::Not(child) => holds(child, source, ty).map(|answer| !answer),
        Expr::Check(check) => check_holds(check, source, ty),
        Expr::Macro { .. } => None,
    }
}

fn fold(children: &[Expr], source: Source, ty: EventType, decisive: bool) -> Option<bool> {
    let mut result = Some(!decisive);
    for child in children {
        match holds(child, source, ty) {
            Some(answer) if answer == decisive => return Some(decisive),
            Some(_) => {}
            None => result = None,
        }
    }
    result
}

fn check_holds(check: &Check, source: Source, ty: EventType) -> Option<bool> {
    let field = field_of(&check.left)?;
    if field == "evt.type" {
        let is_named = |text: &String| text == ty.name();
        return match (check.operator, &check.right) {
            (Operator::Equal | Operator::In, Right::Literal(text)) => Some(is_named(text)),
            (Operator::NotEqual, Right::Literal(text)) => Some(!is_named(text)),
            (Operator::In, Right::List(texts)) => Some(texts.iter().any(is_named)),
            _ => None,
        };
    }
    let gap = provenance::gap_of(source, ty, &field)?;
    // A comparison with what is absent is false.
    (gap.0 == Missing::Always).then_some(false)
}

/// A field as conditions spell it: with what follows a dot, without an index.
fn field_of(operand: &Operand) -> Option<String> {
    let Operand::Field { name, argument, .. } = operand else { return None };
    Some(match (name.as_str(), argument) {
        ("evt.arg" | "evt.rawarg", Some(argument)) => format!("evt.arg.{argument}"),
        (name, _) => name.to_owned(),
    })
}

/// All fields of a condition, each once.
fn condition_fields(expr: &Expr) -> Vec<String> {
    let mut fields = Vec::new();
    collect(expr, &mut fields);
    fields.sort_unstable();
    fields.dedup();
    fields
}

fn collect(expr: &Expr, fields: &mut Vec<String>) {
    match expr {
        Expr::And(children) | Expr::Or(children) => {
            for child in children {
                collect(child, fields);
            }
        }
        Expr::Not(child) => collect(child, fields),
        Expr::Check(check) => {
            collect_operand(&check.left, fields);
            if let Right::Operand { operand, .. } = &check.right {
                collect_operand(operand, fields);
            }
        }
        Expr::Macro { .. } => {}
    }
}

fn collect_operand(operand: &Operand, fields: &mut Vec<String>) {
    if let Operand::Transformer { arguments, .. } = operand {
        for argument in arguments {
            if let Argument::Operand(operand) = argument {
                collect_operand(operand, fields);
            }
        }
    }
    fields.extend(field_of(operand));
}

/// All fields of what a rule prints.
fn output_fields(rule: &Rule) -> Vec<String> {
    let extra = rule.extra_fields.iter().map(|(_, template)| template);
    let templates = std::iter::once(&rule.output).chain(extra);
    templates.flat_map(|template| template.fields()).map(|field| field.text.to_string()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::load::Loader;
    use crate::engine::load::Settings;
    use crate::event::known;

    fn verdict(condition: &str, output: &str) -> Verdict {
        let text = format!(
            "- rule: r\n  desc: d\n  condition: {condition}\n  output: '{output}'\n  priority: INFO\n"
        );
        let mut loader = Loader::new(Settings::default());
        assert!(loader.add("rules.yaml", text.as_bytes()).successful());
        let rules = loader.finish().unwrap().rules;
        let sources = [
            (Source::ProcConnector, vec![known::EXECVE, known::PTRACE, known::SETRESUID]),
            (Source::Fanotify, vec![known::OPENAT]),
        ];
        Verdict::of(&rules[0], &sources)
    }

    #[test]
    fn a_rule_about_programs_fires_fully() {
        let verdict = verdict("evt.type in (execve, execveat) and proc.name = sh", "%proc.cmdline");
        assert_eq!((verdict.kind, verdict.missing.len()), (Kind::Full, 0));
    }

    #[test]
    fn a_rule_that_asks_for_another_call_of_the_family_alone_cannot_fire() {
        let verdict = verdict("evt.type = setuid and evt.arg.uid = root", "x");
        assert_eq!((verdict.kind, &verdict.untold[..]), (Kind::Never, &[known::SETUID][..]));
    }

    #[test]
    fn a_comparison_with_what_is_never_told_cannot_hold_but_its_opposite_can() {
        let attach = "evt.type = ptrace and evt.arg.request contains PTRACE_ATTACH";
        assert_eq!(verdict(attach, "x").kind, Kind::Never);
        assert!(verdict(attach, "x").why.is_some());
        let other = "evt.type = ptrace and not evt.arg.request contains PTRACE_TRACEME";
        let verdict = verdict(other, "x");
        assert_eq!(verdict.kind, Kind::Partly);
        assert!(verdict.missing.contains_key("evt.arg.request"));
    }

    #[test]
    fn what_is_only_printed_does_not_keep_a_rule_from_firing() {
        let verdict = verdict("evt.type = openat and fd.name = /etc/x", "%evt.arg.mode %fd.name");
        assert_eq!(verdict.kind, Kind::Partly);
        assert_eq!(verdict.missing.keys().collect::<Vec<_>>(), ["evt.arg.mode"]);
    }

    #[test]
    fn that_an_open_succeeded_can_be_compared_where_its_number_cannot_be_printed() {
        let condition = "evt.type = openat and fd.num >= 0 and fd.name = /etc/x";
        assert_eq!(verdict(condition, "%fd.name").kind, Kind::Full);
        assert_eq!(verdict(condition, "%fd.num").kind, Kind::Partly);
    }

    #[test]
    fn a_condition_without_any_event_says_so() {
        let verdict = verdict("evt.type = openat and evt.type = execve", "x");
        assert_eq!(verdict.kind, Kind::Never);
        assert!(verdict.why.unwrap().contains("on any host"));
    }
}
