//! The tree of a condition, as parsed.

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
    And(Vec<Expr>),
    /// Any of them, left to right.
    Or(Vec<Expr>),
    /// The opposite.
    Not(Box<Expr>),
    /// One comparison.
    Check(Box<Check>),
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
    List(Vec<Argument>),
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

/// Comparison operators, in the order in which the parser tries them.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[allow(missing_docs, reason = "each variant is the operator of that name")]
pub enum Operator {
    Exists,
    LessOrEqual,
    Less,
    GreaterOrEqual,
    Greater,
    /// `=` and `==`.
    Equal,
    NotEqual,
    Glob,
    IGlob,
    Contains,
    IContains,
    BContains,
    StartsWith,
    BStartsWith,
    EndsWith,
    Regex,
    Intersects,
    In,
    PMatch,
}

/// How an operator applies to a list of values on the right.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[allow(missing_docs, reason = "each variant is the modifier of that name")]
pub enum ListModifier {
    OneOf,
    AnyOf,
    AllOf,
}

/// Functions over fields.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[allow(missing_docs, reason = "each variant is the transformer of that name")]
pub enum Transformer {
    ToLower,
    ToUpper,
    Base64,
    Basename,
    Len,
    Join,
    Concat,
    GetOpt,
}
