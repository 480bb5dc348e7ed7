//! What compiles and is hardly meant: fields that tell nothing any more, comparisons with `<NA>`.

use super::compile::Compiler;
use crate::engine::context::Place;
use crate::engine::diagnostic::{Warning, WarningCode};
use crate::engine::lang::ast::{Check, Expr, Operator, Position, Right};

/// Fields that tell nothing any more, and what is said of them in a condition.
pub(super) const DEPRECATED_FIELDS: [(&str, &str); 6] = [
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

/// What of it is in a condition.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Doubts {
    unsafe_na: bool,
    deprecated: [bool; DEPRECATED_FIELDS.len()],
}

impl Doubts {
    pub(super) fn of(expr: &Expr) -> Self {
        let mut doubts = Self::default();
        expr.for_each_check(&mut |check| {
            doubts.unsafe_na |= is_unsafe_na(check);
            check.left.for_each_field(&mut |name, _| {
                for (seen, (field, _)) in doubts.deprecated.iter_mut().zip(DEPRECATED_FIELDS) {
                    *seen |= name == field;
                }
            });
        });
        doubts
    }
}

impl Compiler<'_> {
    pub(super) fn warn_of_doubts(&mut self, doubts: &Doubts, condition: &str, place: &Place) {
        let mut warn = |code, message: &'static str, deprecated_field| {
            self.warnings.push(|| {
                let context = place.in_condition(condition, Position::default());
                Warning { code, message: message.into(), context, deprecated_field }
            });
        };
        if doubts.unsafe_na {
            warn(WarningCode::UnsafeNaCheck, "", None);
        }
        for (seen, (field, message)) in doubts.deprecated.into_iter().zip(DEPRECATED_FIELDS) {
            if seen {
                warn(WarningCode::DeprecatedItem, message, Some(field));
            }
        }
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
