//! From a resolved tree to a typed condition: fields looked up, literals converted, types checked.
//!
//! Errors have Falco's texts and the place of the check they are in; the first one ends it.
//! `operand` types fields and transformers, `test` makes comparisons, `warning` finds literals
//! that are probably not meant.

mod memo;
mod operand;
mod test;
mod warning;

use super::comparison::{Quantifier, Test};
pub use super::condition::Condition;
use super::condition::{Node, Predicate};
use super::event_set::EventSet;
use super::lang::ast::{Check, Expr, Operand, Operator, Position, Right};
use super::matchers::posix_regex::states;
use super::transform::Source;
use super::types;
use crate::event::DataType;
pub(super) use memo::Memo;
use memo::Typing;
use operand::Typed;
pub(super) use operand::UNKNOWN_MULTIVALUE;

/// Deepest nesting of a condition after macros are expanded.
const MAX_DEPTH: usize = 1200;

/// Most states that the regular expressions of a condition have together.
const MAX_STATES: usize = 1 << 20;

/// What [`compile`] gives.
#[derive(Clone, Debug)]
pub struct Compiled {
    /// The typed condition.
    pub condition: Condition,
    /// The event types for which it can be true.
    pub events: EventSet,
    /// Texts of LOAD_COMPILE_CONDITION warnings.
    pub warnings: Vec<Warning>,
}

/// Something that compiles and is probably not meant.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Warning {
    /// Falco's text.
    pub message: String,
    /// The place in the condition.
    pub at: Position,
}

/// Why a condition doesn't compile.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{message}")]
pub struct CompileError {
    /// Falco's text.
    pub message: String,
    /// The place in the condition.
    pub at: Position,
}

/// Compiles a condition in which macros and lists are resolved.
///
/// # Errors
///
/// With Falco's text if a field doesn't exist or an operator or literal doesn't fit its type.
pub fn compile(expr: &Expr) -> Result<Compiled, CompileError> {
    compile_with(expr, &mut Memo::default())
}

/// The same; checks that `memo` knows already are not typed again.
///
/// # Errors
///
/// As [`compile`].
pub(super) fn compile_with(expr: &Expr, memo: &mut Memo) -> Result<Compiled, CompileError> {
    check_patterns(expr)?;
    let mut typing = Typing::new(memo);
    let root = node(expr, 0, &mut typing)?;
    let warnings = typing.warnings;
    let events = EventSet::derive(expr).map_err(|check| CompileError {
        message: "event code search does not support `evt.type` checks with transformers".into(),
        at: check.at,
    })?;
    Ok(Compiled { condition: Condition { root }, events, warnings })
}

/// Refuses a condition whose regular expressions would exhaust memory.
fn check_patterns(expr: &Expr) -> Result<(), CompileError> {
    let mut sum = 0_usize;
    let mut at = None;
    expr.for_each_check(&mut |check| {
        sum = sum.saturating_add(states_of(check));
        if sum > MAX_STATES {
            at.get_or_insert(check.at);
        }
    });
    let message = "its patterns make the condition too large to be compiled".to_owned();
    at.map_or(Ok(()), |at| Err(CompileError { message, at }))
}

/// States of a check's regular expressions.
pub(super) fn states_of(check: &Check) -> usize {
    if check.operator != Operator::Regex {
        return 0;
    }
    check.right.literals().iter().map(|text| states(text)).fold(0, usize::saturating_add)
}

/// Types an operand of an output; the error is Falco's text.
pub(super) fn source_of(operand: &Operand) -> Result<Source, String> {
    operand::typed(operand).map(|typed| typed.source)
}

fn node(expr: &Expr, depth: usize, typing: &mut Typing<'_>) -> Result<Node, CompileError> {
    if depth > MAX_DEPTH {
        let message = format!("exceeded max depth limit of {MAX_DEPTH}");
        return Err(CompileError { message, at: Position::default() });
    }
    match expr {
        Expr::And(children) => joined(children, true, depth, typing),
        Expr::Or(children) => joined(children, false, depth, typing),
        Expr::Not(child) => node(child, depth + 1, typing).map(opposite),
        Expr::Check(check) => match typing.predicate(check) {
            Ok(predicate) => Ok(Node::Test(predicate)),
            Err(message) => Err(CompileError { message, at: check.at }),
        },
        Expr::Macro { name, at } => {
            let message = format!("filter error: unexpected identifier '{name}'");
            Err(CompileError { message, at: *at })
        }
    }
}

/// A conjunction or disjunction; those among its children that are the same are taken apart.
fn joined(
    children: &[Expr],
    is_and: bool,
    depth: usize,
    typing: &mut Typing<'_>,
) -> Result<Node, CompileError> {
    let mut all = Vec::with_capacity(children.len());
    for child in children {
        match (node(child, depth + 1, typing)?, is_and) {
            (Node::And(inner), true) | (Node::Or(inner), false) => all.extend(inner),
            (other, _) => all.push(other),
        }
    }
    Ok(match (all.len(), is_and) {
        (1, _) => all.remove(0),
        (_, true) => Node::And(all),
        (_, false) => Node::Or(all),
    })
}

fn opposite(node: Node) -> Node {
    match node {
        Node::Not(inner) => *inner,
        other => Node::Not(Box::new(other)),
    }
}

/// Types one check; the error is Falco's text.
fn predicate(check: &Check, warnings: &mut Vec<Warning>) -> Result<Predicate, String> {
    if let Some(predicate) = around(check)? {
        return Ok(predicate);
    }
    let left = operand::typed(&check.left)?;
    let has_modifier = check.modifier.is_some();
    types::check_operator(check.operator, has_modifier, left.ty, left.is_list)?;
    let quantifier = left.quantifier(check.operator);
    let (test, right) = match &check.right {
        Right::Nothing => (Test::Exists, String::new()),
        Right::Literal(text) => constant(check, &left, std::slice::from_ref(text), warnings)?,
        Right::List(texts) => constant(check, &left, texts, warnings)?,
        Right::Operand { operand, .. } => {
            let right = operand::typed(operand)?;
            let text = right.text.clone();
            (test::of_operand(check.operator, &left, right)?, text)
        }
    };
    let modifier = check.modifier.map_or("", |modifier| modifier.name());
    let text = format!("{} {} {modifier}{right}", left.text, check.operator.name());
    Ok(Predicate {
        source: left.source,
        source_text: left.text.into(),
        quantifier,
        test,
        text: text.trim_end().into(),
    })
}

/// The comparison with literals, and their canonical text.
fn constant(
    check: &Check,
    left: &Typed,
    texts: &[String],
    warnings: &mut Vec<Warning>,
) -> Result<(Test, String), String> {
    let mut literals = Vec::with_capacity(texts.len());
    for text in texts {
        warning::of_value(check.operator, text, check.right_at, warnings);
        let literal = types::convert(text, left.ty, check.operator)?;
        if left.is_event_type && EventSet::of_name(text).is_none() {
            return Err(format!("unknown event type {text}"));
        }
        literals.push(literal);
    }
    let text = canonical(&literals, matches!(check.right, Right::List(_)));
    if is_raw_number(left) && matches!(check.operator, Operator::In | Operator::Intersects) {
        // Falco doesn't know how long such a number is and finds it in no list.
        literals.clear();
    }
    let mut test = test::of_literals(check.operator, check.modifier, left.ty, &literals)?;
    if is_raw_number(left) {
        test = test::native(test, left.ty);
    }
    Ok((test, text))
}

/// The canonical text of literals; in a list their order and number don't matter.
fn canonical(literals: &[types::Literal], is_list: bool) -> String {
    let mut texts = String::new();
    let mut ranges = Vec::with_capacity(literals.len());
    for literal in literals {
        let start = texts.len();
        literal.write_canonical(&mut texts);
        ranges.push(start..texts.len());
    }
    let mut shown: Vec<_> = ranges.into_iter().filter_map(|range| texts.get(range)).collect();
    if is_list {
        shown.sort_unstable();
        shown.dedup();
    }
    format!("({})", shown.join(","))
}

/// Whether it is a parameter of an event in its native form, and a number.
fn is_raw_number(left: &Typed) -> bool {
    left.name == "evt.rawarg"
        && !matches!(types::Family::of(left.ty), types::Family::Text | types::Family::Buffer)
}

/// `evt.around[T] = D`: the event's time is within D milliseconds of T.
fn around(check: &Check) -> Result<Option<Predicate>, String> {
    const NS_PER_MS: u64 = 1_000_000;
    let Operand::Field { name, argument: Some(argument), .. } = &check.left else {
        return Ok(None);
    };
    let is_number = !argument.is_empty() && argument.bytes().all(|byte| byte.is_ascii_digit());
    if name != "evt.around" || !is_number {
        return Ok(None);
    }
    let (Operator::Equal, None, Right::Literal(text)) =
        (check.operator, check.modifier, &check.right)
    else {
        return match check.right {
            Right::Operand { .. } => {
                Err("field 'evt.around' doesn't support right-hand side fields".to_owned())
            }
            _ => Err("evt.around supports only '=' comparison operator".to_owned()),
        };
    };
    let types::Literal::Integer(distance) =
        types::convert(text, DataType::UInt64, Operator::Equal)?
    else {
        return Ok(None);
    };
    let time = argument.parse().unwrap_or(u64::MAX);
    let distance = distance.cast_unsigned().saturating_mul(NS_PER_MS);
    Ok(Some(Predicate {
        source: Source::Time,
        source_text: "evt.around".into(),
        quantifier: Quantifier::One,
        test: Test::Around(time, distance),
        text: format!("evt.around[{time}] = {distance}").into(),
    }))
}

#[cfg(test)]
mod tests;
