//! A condition on its way: lists substituted, parsed, macros resolved, typed.
//!
//! With every file all that is collected is compiled again, since the file may change what others
//! say. What it doesn't change is not made again: a text with its lists in it is compared with the
//! one before, and so are the macros that it names.

use super::Read;
use super::compile::{Compiler, is_unknown, too_large};
use super::doubtful::Doubts;
use super::expand::{ParsedMacro, Resolver};
use super::merge::{Macro, RuleItem};
use crate::engine::compile;
use crate::engine::compile::Condition;
use crate::engine::context::Place;
use crate::engine::diagnostic::{Error, ErrorCode, Warning, WarningCode};
use crate::engine::event_set::EventSet;
use crate::engine::lang::ast::Expr;
use crate::engine::lang::parser;

const TOO_MANY_TYPES: &str = "Rule matches too many evt.type values. This has a significant \
    performance penalty.";

/// A rule's condition, typed.
#[derive(Debug)]
pub(super) struct Ready {
    pub(super) expr: Expr,
    pub(super) condition: Condition,
    pub(super) events: EventSet,
    pub(super) origin: Origin,
}

/// What a condition was made from, and what was seen on the way.
#[derive(Debug)]
pub(super) struct Origin {
    /// With its lists substituted.
    text: String,
    /// Before macros are resolved.
    parsed: Expr,
    /// Macros that it names, by their places among all.
    names: Vec<usize>,
    /// Of the resolved tree.
    nodes: usize,
    /// Of its regular expressions.
    states: usize,
    doubts: Doubts,
    warnings: Vec<compile::Warning>,
}

impl Compiler<'_> {
    /// Parses all macros, then resolves the macros in them. `before` are those of the files before.
    pub(super) fn macros(&mut self, before: Vec<ParsedMacro>) -> Read<()> {
        let collector = self.collector;
        let mut same = Vec::with_capacity(before.len());
        for (index, item) in collector.macros.all().iter().enumerate() {
            let text = self.substitute(&item.condition, &item.condition_place)?;
            let known = before.get(index).filter(|known| known.text == text);
            let parsed = match known {
                Some(known) => known.parsed.clone(),
                None => parse(&text, &item.condition_place)?,
            };
            same.push(known.is_some());
            let parsed = ParsedMacro::new(text, parsed);
            if !self.budget.take_nodes(parsed.size.nodes) {
                return Err(too_large(Some(&item.place)));
            }
            self.macros.push(parsed);
        }
        keep_unchanged(&mut self.macros, before, same);
        for (index, item) in collector.macros.all().iter().enumerate() {
            self.resolve_macro(index, item)?;
        }
        Ok(())
    }

    fn resolve_macro(&mut self, index: usize, item: &Macro) -> Read<()> {
        let Some(parsed) = self.macros.get_mut(index) else {
            return Ok(());
        };
        if parsed.is_same {
            if !self.budget.take_nodes(parsed.size.nodes) {
                return Err(too_large(Some(&item.place)));
            }
            let names = parsed.names.clone();
            self.mark_used(&names);
            return Ok(());
        }
        // A macro that sees itself still has to find itself while it is resolved.
        let expr = parsed.expr.clone();
        let visibility = Some(item.age.visibility);
        let (expr, names) = self.resolve(expr, &item.condition, &item.place, visibility)?;
        if let Some(parsed) = self.macros.get_mut(index) {
            parsed.size = expr.size();
            (parsed.expr, parsed.names, parsed.resolved) = (expr, names, true);
        }
        Ok(())
    }

    /// Resolves macros; those defined before `visibility`, or all. Tells which there were.
    fn resolve(
        &mut self,
        expr: Expr,
        condition: &str,
        place: &Place,
        visibility: Option<usize>,
    ) -> Read<(Expr, Vec<usize>)> {
        let known = &self.collector.macros;
        let visible = |name: &str| {
            let position = known.position(name)?;
            let index = known.all().get(position)?.age.index;
            visibility.is_none_or(|visibility| index < visibility).then_some(position)
        };
        let resolver = Resolver::new(&self.macros, &visible, &mut self.budget);
        let (expr, mut names) = resolver.run(expr).map_err(|error| {
            let context = place.in_condition(condition, error.at);
            let code = ErrorCode::Validate;
            Box::new(Error { code, message: error.message, context })
        })?;
        names.sort_unstable();
        names.dedup();
        self.mark_used(&names);
        Ok((expr, names))
    }

    fn mark_used(&mut self, names: &[usize]) {
        for index in names {
            if let Some(parsed) = self.macros.get_mut(*index) {
                parsed.used = true;
            }
        }
    }

    fn substitute(&mut self, condition: &str, place: &Place) -> Read<String> {
        let text = self.lists.substitute(condition, &mut self.budget);
        text.map_err(|_| too_large(Some(place)))
    }

    /// The rule's condition; nothing if the rule is to be skipped. `before` is what the files
    /// before gave for it.
    pub(super) fn condition(
        &mut self,
        item: &RuleItem,
        condition: &str,
        before: Option<Ready>,
    ) -> Read<Option<Ready>> {
        let place = &item.condition_place;
        let text = self.substitute(condition, place)?;
        let before = before.filter(|before| before.origin.text == text);
        let is_same = |name: &usize| self.macros.get(*name).is_some_and(|known| known.is_same);
        let ready = match before {
            Some(before) if before.origin.names.iter().all(is_same) => {
                self.mark_used(&before.origin.names);
                self.take_room(item, before.origin.nodes, before.origin.states)?;
                self.warn_of_doubts(&before.origin.doubts, condition, place);
                before
            }
            before => {
                let parsed = match before {
                    Some(before) => before.origin.parsed,
                    None => parse(&text, place)?,
                };
                match self.made(item, condition, text, parsed)? {
                    Some(ready) => ready,
                    None => return Ok(None),
                }
            }
        };
        for warning in &ready.origin.warnings {
            self.warnings.push(|| Warning {
                code: WarningCode::CompileCondition,
                message: warning.message.clone().into(),
                context: place.in_condition(condition, warning.at),
                deprecated_field: None,
            });
        }
        if item.source == "syscall" && item.warn_evttypes && ready.events.is_unrestricted() {
            self.warnings.push(|| item.place.warning(WarningCode::NoEventType, TOO_MANY_TYPES));
        }
        Ok(Some(ready))
    }

    /// Resolves and types a parsed condition; nothing if the rule is to be skipped.
    fn made(
        &mut self,
        item: &RuleItem,
        condition: &str,
        text: String,
        parsed: Expr,
    ) -> Read<Option<Ready>> {
        let (expr, names) = self.resolve(parsed.clone(), condition, &item.place, None)?;
        let (nodes, states) = (expr.size().nodes, states_of(&expr));
        self.take_room(item, nodes, states)?;
        let doubts = Doubts::of(&expr);
        self.warn_of_doubts(&doubts, condition, &item.condition_place);
        let Some(compiled) = self.typed(&expr, condition, item)? else {
            return Ok(None);
        };
        let compile::Compiled { condition, events, warnings } = compiled;
        let origin = Origin { text, parsed, names, nodes, states, doubts, warnings };
        Ok(Some(Ready { expr, condition, events, origin }))
    }

    fn take_room(&mut self, item: &RuleItem, nodes: usize, states: usize) -> Read<()> {
        if self.budget.take_nodes(nodes) && self.budget.take_states(states) {
            return Ok(());
        }
        Err(too_large(Some(&item.place)))
    }

    /// Types the condition; nothing if the rule is to be skipped.
    fn typed(
        &mut self,
        expr: &Expr,
        condition: &str,
        item: &RuleItem,
    ) -> Read<Option<compile::Compiled>> {
        let error = match compile::compile_with(expr, &mut self.memo) {
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
}

fn parse(text: &str, place: &Place) -> Read<Expr> {
    parser::parse(text).map_err(|error| {
        let context = place.in_condition(text, error.at);
        let code = ErrorCode::CompileCondition;
        Box::new(Error { code, message: error.message, context })
    })
}

/// States of all regular expressions.
fn states_of(expr: &Expr) -> usize {
    let mut sum = 0_usize;
    expr.for_each_check(&mut |check| sum = sum.saturating_add(compile::states_of(check)));
    sum
}

/// Gives macros whose texts are the `same`, and all that these name, the trees that they had.
fn keep_unchanged(macros: &mut [ParsedMacro], before: Vec<ParsedMacro>, mut same: Vec<bool>) {
    let mut users = vec![Vec::new(); before.len()];
    for (user, known) in before.iter().enumerate() {
        for name in &known.names {
            if let Some(users) = users.get_mut(*name) {
                users.push(user);
            }
        }
    }
    let mut changed: Vec<usize> =
        (0..before.len()).filter(|at| same.get(*at) != Some(&true)).collect();
    while let Some(index) = changed.pop() {
        for user in users.get(index).into_iter().flatten() {
            if same.get_mut(*user).is_some_and(std::mem::take) {
                changed.push(*user);
            }
        }
    }
    for ((parsed, known), _) in macros.iter_mut().zip(before).zip(same).filter(|(_, same)| *same) {
        (parsed.expr, parsed.size, parsed.names) = (known.expr, known.size, known.names);
        (parsed.is_same, parsed.resolved) = (true, true);
    }
}
