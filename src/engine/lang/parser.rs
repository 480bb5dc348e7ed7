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

use super::ast::{
    Argument, Check, Expr, Family, ListModifier, Operand, Operator, Position, Right, Transformer,
};
use super::lexer::Lexer;

/// Deepest nesting of parentheses; Falco's limit.
pub const MAX_DEPTH: usize = 1000;

/// Deepest nesting of transformers.
const MAX_TRANSFORMERS: usize = 100;

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
type Parsed<T> = Result<T, String>;

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

struct Parser<'a> {
    lexer: Lexer<'a>,
    transformers: usize,
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
            level.operand(Expr::Check(Box::new(check)));
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

    /// A field or a transformer, if one stands here.
    fn operand(&mut self) -> Parsed<Option<Operand>> {
        let at = self.lexer.position();
        if let Some(field) = self.field()? {
            return Ok(Some(field));
        }
        match self.transformer_name() {
            Some(transformer) => self.transformer_rest(transformer, at).map(Some),
            None => Ok(None),
        }
    }

    fn field(&mut self) -> Parsed<Option<Operand>> {
        let at = self.lexer.position();
        let Some(name) = self.lexer.field_name() else {
            return Ok(None);
        };
        let argument = self.argument()?;
        Ok(Some(Operand::Field { name: name.to_owned(), argument, at }))
    }

    fn argument(&mut self) -> Parsed<Option<String>> {
        if !self.lexer.word("[") {
            return Ok(None);
        }
        let text = match self.lexer.quoted() {
            Some(text) => text?,
            None => self
                .lexer
                .bare_argument()
                .ok_or("expected a valid field argument: a quoted string or a bare string")?
                .to_owned(),
        };
        if !self.lexer.word("]") {
            return Err("expected a ']' token".to_owned());
        }
        Ok(Some(text))
    }

    /// A transformer's name with its opening parenthesis.
    fn transformer_name(&mut self) -> Option<Transformer> {
        let rest = self.lexer.rest();
        let transformer = Transformer::ALL
            .into_iter()
            .find(|t| rest.strip_prefix(t.name()).is_some_and(|rest| rest.starts_with('(')))?;
        self.lexer.word(transformer.name());
        self.lexer.word("(");
        self.lexer.blank();
        Some(transformer)
    }

    fn transformer_rest(&mut self, transformer: Transformer, at: Position) -> Parsed<Operand> {
        self.transformers += 1;
        if self.transformers > MAX_TRANSFORMERS {
            return Err(too_deep());
        }
        let mut arguments = Vec::new();
        loop {
            self.lexer.blank();
            arguments.push(self.transformer_argument()?);
            self.lexer.blank();
            if !self.lexer.word(",") {
                break;
            }
        }
        if !self.lexer.word(")") {
            return Err("expected a ')' token closing the transformer".to_owned());
        }
        self.transformers -= 1;
        let index = self.argument()?;
        Ok(Operand::Transformer { transformer, arguments, index, at })
    }

    fn transformer_argument(&mut self) -> Parsed<Argument> {
        if let Some(literal) = self.transformer_literal()? {
            return Ok(literal);
        }
        if self.lexer.word("(") {
            return self.transformer_list();
        }
        match self.operand()? {
            Some(operand) => Ok(Argument::Operand(operand)),
            None => Err("expected field transformer argument: \
                         field, transformer, quoted string, number, or transformer list"
                .to_owned()),
        }
    }

    fn transformer_literal(&mut self) -> Parsed<Option<Argument>> {
        if let Some(number) = self.lexer.number() {
            return Ok(Some(Argument::Literal(number.to_owned())));
        }
        self.lexer.quoted().transpose().map(|text| text.map(Argument::Literal))
    }

    fn transformer_list(&mut self) -> Parsed<Argument> {
        let mut items = Vec::new();
        self.lexer.blank();
        if self.lexer.word(")") {
            return Ok(Argument::List(items));
        }
        loop {
            self.lexer.blank();
            let item = match self.operand()? {
                Some(operand) => Some(Argument::Operand(operand)),
                None => self.transformer_literal()?,
            };
            items.push(item.ok_or(
                "expected transformer list argument: field, transformer, quoted string, or number",
            )?);
            self.lexer.blank();
            if !self.lexer.word(",") {
                break;
            }
        }
        if !self.lexer.word(")") {
            return Err("expected ')'".to_owned());
        }
        Ok(Argument::List(items))
    }

    /// What stands behind the left side.
    fn condition(&mut self, left: Operand, at: Position) -> Parsed<Check> {
        self.lexer.blank();
        let Some(operator) = self.operator() else {
            let names = quoted_names(Operator::SPELLINGS.iter().map(|(name, _)| *name));
            return Err(format!("expected a valid check operator: one of {names}"));
        };
        let mut modifier = None;
        let (right, right_at) = match operator.family() {
            Family::Unary => (Right::Nothing, self.lexer.position()),
            Family::Number => self.number_value()?,
            Family::Text => {
                let blank = operator.is_word() || self.lexer.blank();
                modifier = if blank { self.modifier() } else { None };
                match modifier {
                    Some(_) => self.list_or_identifier()?,
                    None => self.text_value()?,
                }
            }
            Family::List => self.list_value()?,
        };
        Ok(Check { left, operator, modifier, right, right_at, at })
    }

    fn operator(&mut self) -> Option<Operator> {
        Operator::SPELLINGS.iter().find_map(|(spelling, operator)| {
            let found = if operator.is_word() && operator.family() == Family::Text {
                self.lexer.word_and_blank(spelling)
            } else {
                self.lexer.word(spelling)
            };
            found.then_some(*operator)
        })
    }

    /// `oneof` and the like; only before a list or an identifier, else the word is a value.
    fn modifier(&mut self) -> Option<ListModifier> {
        let mark = self.lexer.mark();
        for modifier in ListModifier::ALL {
            if self.lexer.word_and_blank(modifier.name()) {
                let rest = self.lexer.rest();
                let follows = rest.starts_with('(')
                    || (rest.starts_with(|c: char| c.is_ascii_alphabetic())
                        && !starts_with_keyword(rest));
                if follows {
                    return Some(modifier);
                }
                self.lexer.reset(mark);
            }
        }
        None
    }

    fn number_value(&mut self) -> Parsed<(Right, Position)> {
        self.lexer.blank();
        let at = self.lexer.position();
        if let Some(right) = self.right_operand()? {
            return Ok((right, at));
        }
        match self.lexer.number() {
            Some(number) => Ok((Right::Literal(number.to_owned()), at)),
            None => Err(expected_or_transformer("a number value or")),
        }
    }

    fn text_value(&mut self) -> Parsed<(Right, Position)> {
        self.lexer.blank();
        let at = self.lexer.position();
        if let Some(right) = self.right_operand()? {
            return Ok((right, at));
        }
        match self.text()? {
            Some(text) => Ok((Right::Literal(text), at)),
            None => Err(expected_or_transformer("a string value or")),
        }
    }

    fn text(&mut self) -> Parsed<Option<String>> {
        match self.lexer.quoted() {
            Some(text) => text.map(Some),
            None => Ok(self.lexer.bare_string().map(str::to_owned)),
        }
    }

    fn list_value(&mut self) -> Parsed<(Right, Position)> {
        self.lexer.blank();
        let at = self.lexer.position();
        if let Some(list) = self.list()? {
            return Ok((list, at));
        }
        if let Some(right) = self.right_operand()? {
            return Ok((right, at));
        }
        match self.lexer.identifier() {
            Some(name) => Ok((Right::List(vec![name.to_owned()]), at)),
            None => Err(expected_or_transformer("a list, an identifier, or")),
        }
    }

    fn list_or_identifier(&mut self) -> Parsed<(Right, Position)> {
        self.lexer.blank();
        let at = self.lexer.position();
        if let Some(list) = self.list()? {
            return Ok((list, at));
        }
        match self.lexer.identifier() {
            Some(name) => Ok((Right::List(vec![name.to_owned()]), at)),
            None => Err("expected a list or an identifier".to_owned()),
        }
    }

    fn list(&mut self) -> Parsed<Option<Right>> {
        if !self.lexer.word("(") {
            return Ok(None);
        }
        let mut values = Vec::new();
        self.lexer.blank();
        // A first value that can't be read makes the list empty, even a bad escape: so does Falco.
        if let Some(first) = self.text().unwrap_or_default() {
            values.push(first);
            self.lexer.blank();
            while self.lexer.word(",") {
                self.lexer.blank();
                values.push(self.text()?.ok_or("expected a string value")?);
                self.lexer.blank();
            }
        }
        if !self.lexer.word(")") {
            return Err("expected a ')' token".to_owned());
        }
        Ok(Some(Right::List(values)))
    }

    /// A right-hand side that is no literal.
    fn right_operand(&mut self) -> Parsed<Option<Right>> {
        if self.lexer.word("val(") {
            self.lexer.blank();
            let field = self.field()?.ok_or("expected a field within 'val' transformer")?;
            self.lexer.blank();
            if !self.lexer.word(")") {
                return Err("expected a ')' token closing the transformer".to_owned());
            }
            // Nothing takes an argument behind `val()`; the compiler would not see it.
            if self.argument()?.is_some() {
                return Err("transformer 'val' does not support field arguments".to_owned());
            }
            return Ok(Some(Right::Operand { operand: field, is_val: true }));
        }
        let at = self.lexer.position();
        let Some(transformer) = self.transformer_name() else {
            return Ok(None);
        };
        let operand = self.transformer_rest(transformer, at)?;
        Ok(Some(Right::Operand { operand, is_val: false }))
    }
}

fn too_deep() -> String {
    format!("exceeded max depth limit of {MAX_DEPTH}")
}

/// Whether `and`, `or` or `not` stands at the start, as a word.
fn starts_with_keyword(text: &str) -> bool {
    ["and", "or", "not"].into_iter().any(|word| {
        text.strip_prefix(word)
            .is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_alphanumeric()))
    })
}

fn expected_or_transformer(what: &str) -> String {
    let names = std::iter::once("val").chain(Transformer::ALL.into_iter().map(Transformer::name));
    format!("expected {what} a field with a valid transformer: {}", quoted_names(names))
}

fn quoted_names<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.map(|name| format!("'{name}'")).collect::<Vec<_>>().join(", ")
}
