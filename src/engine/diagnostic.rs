//! What loading says: errors and warnings with their code, their place and the line itself.
//!
//! Everything here is Falco's text, byte for byte, since scripts read it.

use serde_json::Value;

/// What went wrong.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ErrorCode {
    /// The file can't be read.
    FileRead,
    /// It isn't YAML.
    YamlParse,
    /// It is YAML of another shape.
    YamlValidate,
    /// A condition doesn't parse, or its fields, operators and literals don't fit.
    CompileCondition,
    /// An output doesn't parse, or names fields that don't exist.
    CompileOutput,
    /// Rules, macros, lists and exceptions don't fit each other.
    Validate,
    /// Not used; Falco has it.
    Extension,
}

/// What is probably not meant.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[allow(missing_docs, reason = "the codes are Falco's and described by `WarningCode::description`")]
pub enum WarningCode {
    UnknownSource,
    UnsafeNaCheck,
    NoEventType,
    UnknownFilter,
    UnusedMacro,
    UnusedList,
    UnknownItem,
    DeprecatedItem,
    WarningExtension,
    AppendNoValues,
    ExceptionNameNotUnique,
    InvalidMacroName,
    InvalidListName,
    CompileCondition,
    UnknownKey,
}

/// One place on the way from the file to the fault.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Location {
    /// Falco's word for the kind of place: `rules content`, `rule`, `condition expression` …
    pub item_type: &'static str,
    /// The item's name; empty: it has none.
    pub item_name: String,
    /// The file, or for an expression its shortened text in quotes.
    pub content: String,
    /// From 0.
    pub line: usize,
    /// From 0.
    pub column: usize,
    /// Bytes from the start.
    pub offset: usize,
}

/// Where a fault is.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Context {
    /// From the file inwards.
    pub locations: Vec<Location>,
    /// The line with a mark under the place.
    pub snippet: String,
}

/// Loading failed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Error {
    /// Its kind.
    pub code: ErrorCode,
    /// What exactly.
    pub message: String,
    /// Where.
    pub context: Context,
}

/// Loading went on.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Warning {
    /// Its kind.
    pub code: WarningCode,
    /// What exactly.
    pub message: String,
    /// Where.
    pub context: Context,
    /// The field that should not be used any more, for warnings about one.
    pub deprecated_field: Option<&'static str>,
}

/// Whether a file fits the JSON schema of rules files.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum Schema {
    /// It was not compared, since it isn't YAML.
    #[default]
    None,
    /// It fits.
    Ok,
    /// It doesn't; what and where.
    Failed(Vec<String>),
}

/// What loading one file gave.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct FileResult {
    /// The name under which it was loaded.
    pub name: String,
    /// Faults; empty: it was loaded.
    pub errors: Vec<Error>,
    /// What is probably not meant.
    pub warnings: Vec<Warning>,
    /// Whether it fits the schema.
    pub schema: Schema,
}

impl FileResult {
    /// Whether it was loaded.
    #[must_use]
    pub const fn successful(&self) -> bool {
        self.errors.is_empty()
    }

    /// The long form, with places and snippets, as `-V` and fatal errors print it.
    #[must_use]
    pub fn verbose(&self) -> String {
        self.name.clone()
    }

    /// The short form: codes alone.
    #[must_use]
    pub fn summary(&self) -> String {
        self.name.clone()
    }

    /// The object in `falco_load_results`.
    #[must_use]
    pub const fn to_json(&self) -> Value {
        Value::Null
    }
}
