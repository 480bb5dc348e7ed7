//! Text → one comparison: the left side, the operator, the right side.
//!
//! The grammar is at the head of [`parser`](super::parser).

use super::ast::{
    Argument, Check, Family, ListModifier, Operand, Operator, Position, Right, Transformer,
};
use super::parser::{Parsed, Parser, too_deep};

/// Deepest nesting of transformers.
const MAX_TRANSFORMERS: usize = 100;

impl Parser<'_> {
    /// A field or a transformer, if one stands here.
    pub(super) fn operand(&mut self) -> Parsed<Option<Operand>> {
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
    pub(super) fn condition(&mut self, left: Operand, at: Position) -> Parsed<Check> {
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
