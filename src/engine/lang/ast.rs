//! The tree of a condition, as parsed.

use std::sync::Arc;

/// A place in a text.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Position {
    /// Bytes from the start.
    pub offset: usize,
    /// From 1.
    pub line: usize,
    /// From 1.
    pub column: usize,
}

/// A condition.
#[derive(Clone, Debug, PartialEq)]
pub enum Expr {
    /// All of them, left to right.
    And(Vec<Self>),
    /// Any of them, left to right.
    Or(Vec<Self>),
    /// The opposite.
    Not(Box<Self>),
    /// One comparison; the rules that use a macro share those in it.
    Check(Arc<Check>),
    /// A macro's name, before macros are resolved.
    Macro {
        /// Its name.
        name: String,
        /// Where it stands.
        at: Position,
    },
}

/// One comparison.
#[derive(Clone, Debug, PartialEq)]
pub struct Check {
    /// What is compared.
    pub left: Operand,
    /// How.
    pub operator: Operator,
    /// `oneof`, `anyof`, `allof`.
    pub modifier: Option<ListModifier>,
    /// With what.
    pub right: Right,
    /// Where the right side stands.
    pub right_at: Position,
    /// Where it stands.
    pub at: Position,
}

/// A field, or a transformer over operands.
#[derive(Clone, Debug, PartialEq)]
pub enum Operand {
    /// `name` or `name[argument]`.
    Field {
        /// With dots, without brackets.
        name: String,
        /// The text in the brackets.
        argument: Option<String>,
        /// Where it stands.
        at: Position,
    },
    /// `transformer(argument, …)` or `transformer(…)[index]`.
    Transformer {
        /// Which one.
        transformer: Transformer,
        /// Its arguments.
        arguments: Vec<Argument>,
        /// The text in the brackets behind it.
        index: Option<String>,
        /// Where it stands.
        at: Position,
    },
}

/// An argument of a transformer.
#[derive(Clone, Debug, PartialEq)]
pub enum Argument {
    /// A field or another transformer.
    Operand(Operand),
    /// A quoted string or a number, as text.
    Literal(String),
    /// `(a, b, …)`.
    List(Vec<Self>),
}

/// The right side of a comparison.
#[derive(Clone, Debug, PartialEq)]
pub enum Right {
    /// `exists` has none.
    Nothing,
    /// A literal.
    Literal(String),
    /// `(a, b, …)`; a bare identifier behind a list operator is a list of one.
    List(Vec<String>),
    /// `val(field)` (`explicit`) or a transformer.
    Operand {
        /// What stands there.
        operand: Operand,
        /// It was wrapped in `val()`.
        is_val: bool,
    },
}

impl Right {
    /// The literals, one or a list of them.
    #[must_use]
    pub const fn literals(&self) -> &[String] {
        match self {
            Self::Literal(text) => std::slice::from_ref(text),
            Self::List(texts) => texts.as_slice(),
            Self::Nothing | Self::Operand { .. } => &[],
        }
    }
}

/// Comparison operators, in the order in which the parser tries them.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Operator {
    /// `exists`: the field has a value.
    Exists,
    /// `<=`
    LessOrEqual,
    /// `<`
    Less,
    /// `>=`
    GreaterOrEqual,
    /// `>`
    Greater,
    /// `=` and `==`.
    Equal,
    /// `!=`
    NotEqual,
    /// `glob`: a pattern of `*`, `?` and `[…]` for all of the value.
    Glob,
    /// `iglob`: the same without regard to case.
    IGlob,
    /// `contains`: the text is somewhere in the value.
    Contains,
    /// `icontains`: the same without regard to case.
    IContains,
    /// `bcontains`: bytes, given in hexadecimal, are somewhere in the value.
    BContains,
    /// `startswith`
    StartsWith,
    /// `bstartswith`: the same of bytes, given in hexadecimal.
    BStartsWith,
    /// `endswith`
    EndsWith,
    /// `regex`: a regular expression for all of the value.
    Regex,
    /// `intersects`: value and list have an element in common.
    Intersects,
    /// `in`: each element of the value is in the list.
    In,
    /// `pmatch`: the value is a path at or below one of the list.
    PMatch,
}

/// What may stand behind an operator.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Family {
    /// Nothing.
    Unary,
    /// A number or a field.
    Number,
    /// A string or a field; with a modifier a list.
    Text,
    /// A list or a field.
    List,
}

impl Operator {
    /// Every spelling, in the order in which they are tried.
    pub const SPELLINGS: [(&'static str, Self); 20] = [
        ("exists", Self::Exists),
        ("<=", Self::LessOrEqual),
        ("<", Self::Less),
        (">=", Self::GreaterOrEqual),
        (">", Self::Greater),
        ("==", Self::Equal),
        ("=", Self::Equal),
        ("!=", Self::NotEqual),
        ("glob", Self::Glob),
        ("iglob", Self::IGlob),
        ("contains", Self::Contains),
        ("icontains", Self::IContains),
        ("bcontains", Self::BContains),
        ("startswith", Self::StartsWith),
        ("bstartswith", Self::BStartsWith),
        ("endswith", Self::EndsWith),
        ("regex", Self::Regex),
        ("intersects", Self::Intersects),
        ("in", Self::In),
        ("pmatch", Self::PMatch),
    ];

    /// Its usual spelling.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Exists => "exists",
            Self::LessOrEqual => "<=",
            Self::Less => "<",
            Self::GreaterOrEqual => ">=",
            Self::Greater => ">",
            Self::Equal => "=",
            Self::NotEqual => "!=",
            Self::Glob => "glob",
            Self::IGlob => "iglob",
            Self::Contains => "contains",
            Self::IContains => "icontains",
            Self::BContains => "bcontains",
            Self::StartsWith => "startswith",
            Self::BStartsWith => "bstartswith",
            Self::EndsWith => "endswith",
            Self::Regex => "regex",
            Self::Intersects => "intersects",
            Self::In => "in",
            Self::PMatch => "pmatch",
        }
    }

    /// What may stand behind it.
    #[must_use]
    pub const fn family(self) -> Family {
        match self {
            Self::Exists => Family::Unary,
            Self::LessOrEqual | Self::Less | Self::GreaterOrEqual | Self::Greater => Family::Number,
            Self::Intersects | Self::In | Self::PMatch => Family::List,
            _ => Family::Text,
        }
    }

    /// Whether it is spelled with letters.
    #[must_use]
    pub fn is_word(self) -> bool {
        self.name().starts_with(|c: char| c.is_ascii_lowercase())
    }
}

/// How an operator applies to a list of values on the right.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum ListModifier {
    /// `oneof`: exactly one of the list.
    OneOf,
    /// `anyof`: one of the list or more.
    AnyOf,
    /// `allof`: each of the list.
    AllOf,
}

impl ListModifier {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::OneOf, Self::AnyOf, Self::AllOf];

    /// As rules spell it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::OneOf => "oneof",
            Self::AnyOf => "anyof",
            Self::AllOf => "allof",
        }
    }
}

/// Functions over fields.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Transformer {
    /// `tolower()`: ASCII letters made small.
    ToLower,
    /// `toupper()`: ASCII letters made capital.
    ToUpper,
    /// `b64()`: the bytes that the text is the base64 of.
    Base64,
    /// `basename()`: what is behind the last slash.
    Basename,
    /// `len()`: bytes of a text, elements of a list.
    Len,
    /// `join()`: a list's elements with a text between them.
    Join,
    /// `concat()`: texts one behind the other.
    Concat,
    /// `getopt()`: the value of an option among a list of arguments.
    GetOpt,
}

impl Transformer {
    /// All of them, in Falco's order.
    pub const ALL: [Self; 8] = [
        Self::ToLower,
        Self::ToUpper,
        Self::Base64,
        Self::Basename,
        Self::Len,
        Self::Join,
        Self::Concat,
        Self::GetOpt,
    ];

    /// As rules spell it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ToLower => "tolower",
            Self::ToUpper => "toupper",
            Self::Base64 => "b64",
            Self::Basename => "basename",
            Self::Len => "len",
            Self::Join => "join",
            Self::Concat => "concat",
            Self::GetOpt => "getopt",
        }
    }
}
