//! What loading says: errors and warnings with their code, their place and the line itself.
//!
//! Everything here is Falco's text, byte for byte, since scripts read it.

use std::borrow::Cow;
use std::fmt::Write;

use serde::Serialize;
use serde::ser::{SerializeStruct, Serializer};

use super::compile::UNKNOWN_MULTIVALUE;
pub use super::context::{Context, Location};

/// Most warnings of one file that are kept; of more only the number is told.
const MAX_WARNINGS: usize = 10_000;

/// About how many bytes the kept ones may take to tell.
const MAX_WARNING_BYTES: usize = 8 << 20;

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
}

impl ErrorCode {
    /// As scripts read it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::FileRead => "LOAD_ERR_FILE_READ",
            Self::YamlParse => "LOAD_ERR_YAML_PARSE",
            Self::YamlValidate => "LOAD_ERR_YAML_VALIDATE",
            Self::CompileCondition => "LOAD_ERR_COMPILE_CONDITION",
            Self::CompileOutput => "LOAD_ERR_COMPILE_OUTPUT",
            Self::Validate => "LOAD_ERR_VALIDATE",
        }
    }

    /// As people read it.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::FileRead => "File read error",
            Self::YamlParse => "YAML parse error",
            Self::YamlValidate => "Error validating internal structure of YAML file",
            Self::CompileCondition => "Error compiling condition",
            Self::CompileOutput => "Error compiling output",
            Self::Validate => "Error validating rule/macro/list/exception objects",
        }
    }
}

/// What is probably not meant.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum WarningCode {
    /// An item names an event source that nobody provides; it is skipped.
    UnknownSource,
    /// A comparison with `<NA>`: `exists` says what is meant.
    UnsafeNaCheck,
    /// A condition that can match too many event types: costly.
    NoEventType,
    /// A field or event type that isn't known, in a rule that is skipped then (`skip-if-unknown-filter`).
    UnknownFilter,
    /// A macro that no rule refers to.
    UnusedMacro,
    /// A list that nothing refers to.
    UnusedList,
    /// An item of no known kind; it is ignored.
    UnknownItem,
    /// An item or key that is no longer used.
    DeprecatedItem,
    /// An exception is appended to without values.
    AppendNoValues,
    /// Two exceptions of a rule have one name.
    ExceptionNameNotUnique,
    /// A macro's name that isn't a valid one.
    InvalidMacroName,
    /// A list's name that isn't a valid one.
    InvalidListName,
    /// A condition or output that was understood with a warning.
    CompileCondition,
    /// A key that items of this kind don't have.
    UnknownKey,
}

impl WarningCode {
    /// As scripts read it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.texts().0
    }

    /// As people read it.
    #[must_use]
    pub const fn label(self) -> &'static str {
        self.texts().1
    }

    /// What it means, in one sentence or two.
    #[must_use]
    pub const fn description(self) -> &'static str {
        self.texts().2
    }

    const fn texts(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::UnknownSource => (
                "LOAD_UNKNOWN_SOURCE",
                "Unknown event source",
                "A rule has a unknown event source. This can occur when reading rules content \
                 without having a corresponding plugin loaded, etc. The rule will be silently \
                 ignored.",
            ),
            Self::UnsafeNaCheck => (
                "LOAD_UNSAFE_NA_CHECK",
                "Unsafe <NA> comparison in condition",
                "Comparing a field value with <NA> is unsafe and can lead to unpredictable \
                 behavior of the rule condition. If you need to check for the existence of a \
                 field, consider using the 'exists' operator instead.",
            ),
            Self::NoEventType => (
                "LOAD_NO_EVTTYPE",
                "Condition has no event-type restriction",
                "A rule condition matches too many evt.type values. This has a significant \
                 performance penalty. Make the condition more specific by adding an evt.type \
                 field or further restricting the number of evt.type values in the condition.",
            ),
            Self::UnknownFilter => (
                "LOAD_UNKNOWN_FILTER",
                "Unknown field or event-type in condition or output",
                "A rule condition or output refers to a field or evt.type that does not exist. \
                 This is normally an error, but if a rule has a skip-if-unknown-filter property, \
                 the error is downgraded to a warning.",
            ),
            Self::UnusedMacro => (
                "LOAD_UNUSED_MACRO",
                "Unused macro",
                "A macro is defined in the rules content but is not used by any other macro or \
                 rule.",
            ),
            Self::UnusedList => (
                "LOAD_UNUSED_LIST",
                "Unused list",
                "A list is defined in the rules content but is not used by any other list, macro, \
                 or rule.",
            ),
            Self::UnknownItem => (
                "LOAD_UNKNOWN_ITEM",
                "Unknown rules file item",
                "An unknown top-level object is in the rules content. It will be ignored.",
            ),
            Self::DeprecatedItem => (
                "LOAD_DEPRECATED_ITEM",
                "Used deprecated item",
                "A deprecated item is employed by lists, macros, or rules.",
            ),
            Self::AppendNoValues => (
                "LOAD_APPEND_NO_VALUES",
                "Overriding/appending with no values",
                "A rule exception is overriding/appending with no values",
            ),
            Self::ExceptionNameNotUnique => (
                "LOAD_EXCEPTION_NAME_NOT_UNIQUE",
                "Multiple exceptions defined with the same name",
                "A rule is defining multiple exceptions with the same name",
            ),
            Self::InvalidMacroName => (
                "LOAD_INVALID_MACRO_NAME",
                "Invalid macro name",
                "A macro is defined with an invalid name",
            ),
            Self::InvalidListName => (
                "LOAD_INVALID_LIST_NAME",
                "Invalid list name",
                "A list is defined with an invalid name",
            ),
            Self::CompileCondition => (
                "LOAD_COMPILE_CONDITION",
                "Warning in rule condition",
                "A rule condition or output have been parsed with a warning",
            ),
            Self::UnknownKey => (
                "LOAD_UNKNOWN_KEY",
                "Unknown key in item definition",
                "An item in the rules content contains an unrecognized key. The key will be \
                 ignored. This may indicate a typo or a property placed on the wrong item type.",
            ),
        }
    }
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
    pub message: Cow<'static, str>,
    /// Where.
    pub context: Context,
    /// The field that should not be used any more, for warnings about one.
    pub deprecated_field: Option<&'static str>,
}

impl Warning {
    /// What people read in parentheses behind the code.
    #[must_use]
    pub fn label(&self) -> String {
        let label = self.code.label();
        self.deprecated_field
            .map_or_else(|| label.to_owned(), |field| format!("{label}: field '{field}'"))
    }
}

/// The warnings of one file, the first ten thousand of them, or fewer if they are long; of the
/// others the number. A slice of those that are kept.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Warnings {
    kept: Vec<Warning>,
    omitted: usize,
    bytes: usize,
}

impl Warnings {
    /// How many there are beside those that are kept.
    #[must_use]
    pub const fn omitted(&self) -> usize {
        self.omitted
    }

    /// Takes one more. `warning` is called if it will be kept.
    pub(super) fn push(&mut self, warning: impl FnOnce() -> Warning) {
        if self.kept.len() >= MAX_WARNINGS || self.bytes >= MAX_WARNING_BYTES {
            self.omitted += 1;
            return;
        }
        let warning = warning();
        self.bytes += warning.message.len() + warning.context.weight();
        self.kept.push(warning);
    }
}

impl std::ops::Deref for Warnings {
    type Target = [Warning];

    fn deref(&self) -> &[Warning] {
        &self.kept
    }
}

/// Whether a file fits the JSON schema of rules files.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum Schema {
    /// It was not compared, since it isn't YAML or holds no document.
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
    pub warnings: Warnings,
    /// Whether it fits the schema.
    pub schema: Schema,
    /// What Falco passes over in silence, or reads otherwise: for the log, no part of its result.
    pub notes: Vec<String>,
}

impl Schema {
    /// One word or the first thing that is wrong, as the log shows it.
    #[must_use]
    pub fn status(&self) -> &str {
        match self {
            Self::None => "none",
            Self::Ok => "ok",
            Self::Failed(faults) => faults.first().map_or("failed", String::as_str),
        }
    }
}

impl FileResult {
    /// Whether it was loaded.
    #[must_use]
    pub const fn successful(&self) -> bool {
        self.errors.is_empty()
    }

    /// Whether it failed by what makes Falco stop at once, before it tells any result: several
    /// arguments of a transformer that takes one. `-V` then prints no result either; what is wrong
    /// and where is in the error that it ends with.
    #[must_use]
    pub fn is_fatal(&self) -> bool {
        self.errors.iter().any(|error| error.message == UNKNOWN_MULTIVALUE)
    }

    fn verdict(&self) -> String {
        let verdict = match (self.successful(), self.warnings.is_empty()) {
            (true, true) => "Ok",
            (true, false) => "Ok, with warnings",
            (false, _) => "Invalid",
        };
        format!("{}: {verdict}", self.name)
    }

    /// The long form, with places and snippets, as `-V` and fatal errors print it. It ends in a
    /// newline if there is anything to tell.
    #[must_use]
    pub fn verbose(&self) -> String {
        let mut out = self.verdict();
        if let Schema::Failed(faults) = &self.schema {
            let _ = write!(out, "\n{} Schema warnings:\n", faults.len());
            for fault in faults {
                let _ = write!(out, "------\n{fault}\n");
            }
            out.push_str("------\n");
        }
        if !self.errors.is_empty() {
            let _ = write!(out, "\n{} Errors:\n", self.errors.len());
        }
        for error in &self.errors {
            error.context.write_text(&mut out);
            let _ =
                writeln!(out, "{} ({}): {}", error.code.name(), error.code.label(), error.message);
        }
        if !self.warnings.is_empty() {
            let total = self.warnings.len() + self.warnings.omitted;
            let _ = write!(out, "\n{total} Warnings:\n");
        }
        for warning in self.warnings.iter() {
            warning.context.write_text(&mut out);
            let (code, label) = (warning.code.name(), warning.label());
            let _ = writeln!(out, "{code} ({label}): {}", warning.message);
        }
        if self.warnings.omitted > 0 {
            let _ = writeln!(out, "... and {} more warnings, not shown", self.warnings.omitted);
        }
        out
    }

    /// The short form: codes alone, no final newline.
    #[must_use]
    pub fn summary(&self) -> String {
        let mut out = self.verdict();
        let mut section = |what: &str, omitted: usize, items: Vec<String>| {
            if !items.is_empty() {
                let (total, items) = (items.len() + omitted, items.join(" "));
                let _ = write!(out, "\n {total} {what}: [{items}]");
            }
            if omitted > 0 {
                let _ = write!(out, " and {omitted} more, not shown");
            }
        };
        if let Schema::Failed(faults) = &self.schema {
            section("schema warnings", 0, faults.clone());
        }
        let errors = self.errors.iter();
        section(
            "errors",
            0,
            errors.map(|e| format!("{} ({})", e.code.name(), e.code.label())).collect(),
        );
        let warnings = self.warnings.iter();
        section(
            "warnings",
            self.warnings.omitted,
            warnings.map(|w| format!("{} ({})", w.code.name(), w.label())).collect(),
        );
        out
    }
}

/// The object in `falco_load_results`, with its keys in alphabetical order. `warnings_omitted` is
/// ours: it is there if there are more warnings than are told.
impl Serialize for FileResult {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let faults = match &self.schema {
            Schema::None => None,
            Schema::Ok => Some([].as_slice()),
            Schema::Failed(faults) => Some(faults.as_slice()),
        };
        let mut object = serializer.serialize_struct("FileResult", 7)?;
        object.serialize_field("errors", &self.errors)?;
        object.serialize_field("name", &self.name)?;
        if let Some(faults) = faults {
            object.serialize_field("schema_valid", &(self.schema == Schema::Ok))?;
            object.serialize_field("schema_warnings", faults)?;
        }
        object.serialize_field("successful", &self.successful())?;
        object.serialize_field("warnings", &*self.warnings)?;
        if self.warnings.omitted > 0 {
            object.serialize_field("warnings_omitted", &self.warnings.omitted)?;
        }
        object.end()
    }
}

/// An error or a warning, as JSON tells it.
#[derive(Serialize)]
struct Told<'a> {
    code: &'a str,
    codedesc: &'a str,
    context: &'a Context,
    #[serde(skip_serializing_if = "Option::is_none")]
    deprecated_field: Option<&'a str>,
    message: &'a str,
}

impl Serialize for Error {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { code, message, context } = self;
        let (code, codedesc) = (code.name(), code.label());
        Told { code, codedesc, context, deprecated_field: None, message }.serialize(serializer)
    }
}

impl Serialize for Warning {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { code, message, context, deprecated_field } = self;
        let (code, codedesc) = (code.name(), code.description());
        let deprecated_field = *deprecated_field;
        Told { code, codedesc, context, deprecated_field, message }.serialize(serializer)
    }
}
