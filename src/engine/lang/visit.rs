//! Walks over a tree: every check, every field; sizes; a tree without places.

use std::sync::Arc;

use super::ast::{Argument, Check, Expr, Operand, Position, Right};

impl Expr {
    /// Calls `visit` for every check, left to right.
    pub fn for_each_check<'a>(&'a self, visit: &mut dyn FnMut(&'a Check)) {
        match self {
            Self::And(parts) | Self::Or(parts) => {
                parts.iter().for_each(|part| part.for_each_check(visit));
            }
            Self::Not(inner) => inner.for_each_check(visit),
            Self::Check(check) => visit(check),
            Self::Macro { .. } => {}
        }
    }

    /// Calls `visit` for every macro that is not resolved, left to right.
    pub fn for_each_macro<'a>(&'a self, visit: &mut dyn FnMut(&'a str, Position)) {
        match self {
            Self::And(parts) | Self::Or(parts) => {
                parts.iter().for_each(|part| part.for_each_macro(visit));
            }
            Self::Not(inner) => inner.for_each_macro(visit),
            Self::Check(_) => {}
            Self::Macro { name, at } => visit(name, *at),
        }
    }

    /// Forgets all places, so that trees of differently laid out texts compare equal.
    pub fn strip_positions(&mut self) {
        match self {
            Self::And(parts) | Self::Or(parts) => parts.iter_mut().for_each(Self::strip_positions),
            Self::Not(inner) => inner.strip_positions(),
            Self::Macro { at, .. } => *at = Position::default(),
            Self::Check(check) => {
                let check = Arc::make_mut(check);
                check.at = Position::default();
                check.right_at = Position::default();
                check.left.strip_positions();
                if let Right::Operand { operand, .. } = &mut check.right {
                    operand.strip_positions();
                }
            }
        }
    }

    /// How many checks and values it holds, and how deep it is nested.
    #[must_use]
    pub fn size(&self) -> Size {
        match self {
            Self::And(parts) | Self::Or(parts) => {
                let inner = parts.iter().map(Self::size).fold(Size::default(), Size::beside);
                Size { nodes: inner.nodes + 1, depth: inner.depth + 1 }
            }
            Self::Not(inner) => {
                let inner = inner.size();
                Size { nodes: inner.nodes + 1, depth: inner.depth + 1 }
            }
            Self::Check(check) => Size { nodes: check.nodes(), depth: 1 },
            Self::Macro { .. } => Size { nodes: 1, depth: 1 },
        }
    }
}

/// How large a tree is.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Size {
    /// Checks, operators and values of lists.
    pub nodes: usize,
    /// Levels.
    pub depth: usize,
}

impl Size {
    fn beside(self, other: Self) -> Self {
        Self { nodes: self.nodes + other.nodes, depth: self.depth.max(other.depth) }
    }
}

impl Check {
    /// Calls `visit` with the name and the argument of every field, left side first.
    pub fn for_each_field<'a>(&'a self, visit: &mut dyn FnMut(&'a str, Option<&'a str>)) {
        self.left.for_each_field(visit);
        if let Right::Operand { operand, .. } = &self.right {
            operand.for_each_field(visit);
        }
    }

    fn nodes(&self) -> usize {
        let right = match &self.right {
            Right::Nothing => 0,
            Right::Literal(_) => 1,
            Right::List(values) => values.len(),
            Right::Operand { operand, .. } => operand.nodes(),
        };
        1 + self.left.nodes() + right
    }
}

impl Operand {
    /// Calls `visit` with the name and the argument of every field in it.
    pub fn for_each_field<'a>(&'a self, visit: &mut dyn FnMut(&'a str, Option<&'a str>)) {
        match self {
            Self::Field { name, argument, .. } => visit(name, argument.as_deref()),
            Self::Transformer { arguments, .. } => {
                arguments.iter().for_each(|argument| argument.for_each_field(visit));
            }
        }
    }

    fn strip_positions(&mut self) {
        match self {
            Self::Field { at, .. } => *at = Position::default(),
            Self::Transformer { arguments, at, .. } => {
                *at = Position::default();
                arguments.iter_mut().for_each(Argument::strip_positions);
            }
        }
    }

    fn nodes(&self) -> usize {
        match self {
            Self::Field { .. } => 1,
            Self::Transformer { arguments, .. } => {
                1 + arguments.iter().map(Argument::nodes).sum::<usize>()
            }
        }
    }
}

impl Argument {
    fn for_each_field<'a>(&'a self, visit: &mut dyn FnMut(&'a str, Option<&'a str>)) {
        match self {
            Self::Operand(operand) => operand.for_each_field(visit),
            Self::Literal(_) => {}
            Self::List(items) => items.iter().for_each(|item| item.for_each_field(visit)),
        }
    }

    fn strip_positions(&mut self) {
        match self {
            Self::Operand(operand) => operand.strip_positions(),
            Self::Literal(_) => {}
            Self::List(items) => items.iter_mut().for_each(Self::strip_positions),
        }
    }

    fn nodes(&self) -> usize {
        match self {
            Self::Operand(operand) => operand.nodes(),
            Self::Literal(_) => 1,
            Self::List(items) => 1 + items.iter().map(Self::nodes).sum::<usize>(),
        }
    }
}
