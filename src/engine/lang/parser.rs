//! Text → tree.
//!
//! ```text
//! Expr        := Or END
//! Or          := And ( "or" ( Blank And | "(" Or ")" ) )*
//! And         := Not ( "and" ( Blank Not | "(" Or ")" ) )*
//! Not         := ( "not" Blank )* ( "not(" Or ")" | "(" Or ")" | Check | Identifier )
//! Check       := ( Field | Transformer ) Condition
//! Field       := FieldName Argument?
//! Argument    := "[" ( Quoted | BareArgument ) "]"
//! Transformer := Name "(" TArg ( "," TArg )* ")" Argument?
//! TArg        := Number | Quoted | "(" ( LArg ( "," LArg )* )? ")" | Transformer | Field
//! LArg        := Field | Transformer | Quoted | Number
//! Condition   := "exists"
//!              | ( "<=" | "<" | ">=" | ">" ) ( Val | Number )
//!              | StrOp ( Modifier ( List | Identifier ) | Val | Quoted | Bare )
//!              | ( "intersects" | "in" | "pmatch" ) ( List | Val | Identifier )
//! Val         := "val(" Field ")" Argument? | Transformer
//! List        := "(" ( Str ( "," Str )* )? ")"          Str := Quoted | Bare
//! ```
//!
//! Blanks may stand between tokens, except before `[` and before the `(` of a transformer. An
//! identifier alone is a macro. The Boolean part is parsed without recursion, so that nesting costs
//! no stack.

use std::sync::Arc;

use super::ast::{Expr, Operand, Position};
use super::lexer::Lexer;

/// Deepest nesting of parentheses; Falco's limit.
pub const MAX_DEPTH: usize = 1000;

/// Why a text is no condition, in Falco's words.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{message}")]
pub struct ParseError {
    /// What was expected.
    pub message: String,
    /// Where reading stopped.
    pub at: Position,
}

/// Parses a condition in which lists are already substituted.
///
/// # Errors
///
/// If `text` is no condition or is nested deeper than [`MAX_DEPTH`].
pub fn parse(text: &str) -> Result<Expr, ParseError> {
    let mut parser = Parser { lexer: Lexer::new(text), transformers: 0 };
    parser.expression(text).map_err(|message| ParseError { message, at: parser.lexer.position() })
}

/// Parses what may stand on the left of an operator, all of it: `tolower(proc.name)`,
/// `proc.aname[2]`.
///
/// # Errors
///
/// If `text` is something else.
pub fn parse_operand(text: &str) -> Result<Operand, ParseError> {
    let mut parser = Parser { lexer: Lexer::new(text), transformers: 0 };
    let operand = match parser.operand() {
        Ok(Some(operand)) if parser.lexer.is_at_end() => Ok(operand),
        Ok(_) => Err(format!("unexpected token after '{}", parser.lexer.last_token())),
        Err(message) => Err(message),
    };
    operand.map_err(|message| ParseError { message, at: parser.lexer.position() })
}

/// Falco's text; the place is the cursor's.
pub(super) type Parsed<T> = Result<T, String>;

/// One open parenthesis, or the whole text.
#[derive(Default)]
struct Level {
    alternatives: Vec<Expr>,
    conjuncts: Vec<Expr>,
    /// The operand that comes next is to be negated.
    negated: bool,
    /// The operand that comes next is a whole alternative: `or(` takes no `and` behind its `)`.
    alone: bool,
}

impl Level {
    fn operand(&mut self, operand: Expr) {
        let negated = std::mem::take(&mut self.negated);
        let operand = if negated { Expr::Not(Box::new(operand)) } else { operand };
        if self.alone {
            self.alternatives.push(operand);
        } else {
            self.conjuncts.push(operand);
        }
    }

    fn end_alternative(&mut self) {
        if !std::mem::take(&mut self.alone) {
            let conjuncts = std::mem::take(&mut self.conjuncts);
            self.alternatives.extend(joined(conjuncts, Expr::And));
        }
    }

    fn finish(mut self) -> Option<Expr> {
        self.end_alternative();
        joined(self.alternatives, Expr::Or)
    }
}

fn joined(mut parts: Vec<Expr>, join: fn(Vec<Expr>) -> Expr) -> Option<Expr> {
    if parts.len() > 1 { Some(join(parts)) } else { parts.pop() }
}

/// A condition that is being read.
pub(super) struct Parser<'a> {
    pub(super) lexer: Lexer<'a>,
    /// Transformers that are open.
    pub(super) transformers: usize,
}

/// What the Boolean part expects next.
enum Next {
    Operand,
    Embedded,
    Operator,
}

impl Parser<'_> {
    fn expression(&mut self, text: &str) -> Parsed<Expr> {
        if text.is_empty() {
            return Err("filter input string is empty".to_owned());
        }
        let mut open: Vec<Level> = Vec::new();
        let mut level = Level::default();
        let mut next = Next::Operand;
        loop {
            next = match next {
                Next::Operand => self.boolean_operand(&mut level)?,
                Next::Embedded => {
                    if open.len() + 1 >= MAX_DEPTH {
                        return Err(too_deep());
                    }
                    open.push(std::mem::take(&mut level));
                    Next::Operand
                }
                Next::Operator => match self.boolean_operator(&mut level)? {
                    Some(next) => next,
                    None => {
                        let Some(outer) = open.pop() else {
                            break;
                        };
                        if !self.lexer.word(")") {
                            return Err("expected a ')' token".to_owned());
                        }
                        let inner = std::mem::replace(&mut level, outer);
                        if let Some(inner) = inner.finish() {
                            level.operand(inner);
                        }
                        Next::Operator
                    }
                },
            };
        }
        if !self.lexer.is_at_end() {
            let last = self.lexer.last_token();
            return Err(format!("unexpected token after '{last}', expecting 'or', 'and'"));
        }
        level.finish().ok_or_else(|| "filter input string is empty".to_owned())
    }

    /// `not`s, then a check, a macro or an opening parenthesis.
    fn boolean_operand(&mut self, level: &mut Level) -> Parsed<Next> {
        self.lexer.blank();
        while self.lexer.not() {
            level.negated = !level.negated;
        }
        if self.lexer.word("not(") {
            level.negated = !level.negated;
            return Ok(Next::Embedded);
        }
        self.lexer.blank();
        if self.lexer.word("(") {
            return Ok(Next::Embedded);
        }
        let at = self.lexer.position();
        if let Some(left) = self.operand()? {
            let check = self.condition(left, at)?;
            level.operand(Expr::Check(Arc::new(check)));
        } else if let Some(name) = self.lexer.identifier() {
            level.operand(Expr::Macro { name: name.to_owned(), at });
        } else {
            return Err("expected a '(' token, a field check, or an identifier".to_owned());
        }
        Ok(Next::Operator)
    }

    /// `and`, `or`, or the end of what is open.
    fn boolean_operator(&mut self, level: &mut Level) -> Parsed<Option<Next>> {
        self.lexer.blank();
        if !level.alone && self.lexer.word("and") {
            return self.behind_operator("and").map(Some);
        }
        level.end_alternative();
        if self.lexer.word("or") {
            let next = self.behind_operator("or")?;
            level.alone = matches!(next, Next::Embedded);
            return Ok(Some(next));
        }
        Ok(None)
    }

    fn behind_operator(&mut self, operator: &str) -> Parsed<Next> {
        if self.lexer.blank() {
            Ok(Next::Operand)
        } else if self.lexer.word("(") {
            Ok(Next::Embedded)
        } else {
            Err(format!("expected blank or '(' after '{operator}'"))
        }
    }
}

pub(super) fn too_deep() -> String {
    format!("exceeded max depth limit of {MAX_DEPTH}")
}
