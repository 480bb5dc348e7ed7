//! What loading says: errors and warnings with their code, their place and the line itself.
//!
//! Everything here is Falco's text, byte for byte, since scripts read it.

use std::fmt::Write;
use std::sync::Arc;

use serde_json::{Value, json};

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
    AppendNoValues,
    ExceptionNameNotUnique,
    InvalidMacroName,
    InvalidListName,
    CompileCondition,
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

/// One place on the way from the file to the fault.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Location {
    /// Falco's word for the kind of place: `rules content`, `rule`, `condition expression` …
    pub item_type: &'static str,
    /// The item's name; empty: it has none.
    pub item_name: String,
    /// The file, or for an expression its shortened text in quotes.
    pub content: Arc<str>,
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
    /// The line with a mark under the place, each with its newline.
    pub snippet: String,
}

impl Context {
    fn text(&self, out: &mut String) {
        for (index, at) in self.locations.iter().enumerate() {
            out.push_str(if index == 0 { "In " } else { "    " });
            out.push_str(at.item_type);
            if !at.item_name.is_empty() {
                let _ = write!(out, " '{}'", at.item_name);
            }
            let _ = writeln!(out, ": ({}:{}:{})", at.content, at.line, at.column);
        }
        let _ = write!(out, "------\n{}------\n", self.snippet);
    }

    fn to_json(&self) -> Value {
        let locations = self.locations.iter().map(|at| {
            json!({
                "item_type": at.item_type,
                "item_name": at.item_name,
                "position": {
                    "name": &*at.content,
                    "line": at.line,
                    "column": at.column,
                    "offset": at.offset,
                },
            })
        });
        json!({ "locations": locations.collect::<Vec<_>>(), "snippet": self.snippet })
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
    pub message: String,
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
    pub warnings: Vec<Warning>,
    /// Whether it fits the schema.
    pub schema: Schema,
    /// Where it is read otherwise than Falco reads it: for the log, no part of Falco's result.
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
            error.context.text(&mut out);
            let _ =
                writeln!(out, "{} ({}): {}", error.code.name(), error.code.label(), error.message);
        }
        if !self.warnings.is_empty() {
            let _ = write!(out, "\n{} Warnings:\n", self.warnings.len());
        }
        for warning in &self.warnings {
            warning.context.text(&mut out);
            let (code, label) = (warning.code.name(), warning.label());
            let _ = writeln!(out, "{code} ({label}): {}", warning.message);
        }
        out
    }

    /// The short form: codes alone, no final newline.
    #[must_use]
    pub fn summary(&self) -> String {
        let mut out = self.verdict();
        let mut section = |what: &str, items: Vec<String>| {
            if !items.is_empty() {
                let _ = write!(out, "\n {} {what}: [{}]", items.len(), items.join(" "));
            }
        };
        if let Schema::Failed(faults) = &self.schema {
            section("schema warnings", faults.clone());
        }
        let errors = self.errors.iter();
        section(
            "errors",
            errors.map(|e| format!("{} ({})", e.code.name(), e.code.label())).collect(),
        );
        let warnings = self.warnings.iter();
        section(
            "warnings",
            warnings.map(|w| format!("{} ({})", w.code.name(), w.label())).collect(),
        );
        out
    }

    /// The object in `falco_load_results`.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let errors = self.errors.iter().map(|error| {
            json!({
                "code": error.code.name(),
                "codedesc": error.code.label(),
                "context": error.context.to_json(),
                "message": error.message,
            })
        });
        let warnings = self.warnings.iter().map(|warning| {
            let mut object = json!({
                "code": warning.code.name(),
                "codedesc": warning.code.description(),
                "context": warning.context.to_json(),
                "message": warning.message,
            });
            if let (Some(field), Value::Object(map)) = (warning.deprecated_field, &mut object) {
                map.insert("deprecated_field".to_owned(), json!(field));
            }
            object
        });
        let mut object = json!({
            "errors": errors.collect::<Vec<_>>(),
            "name": self.name,
            "successful": self.successful(),
            "warnings": warnings.collect::<Vec<_>>(),
        });
        if let Value::Object(map) = &mut object {
            let faults = match &self.schema {
                Schema::None => return object,
                Schema::Ok => Vec::new(),
                Schema::Failed(faults) => faults.clone(),
            };
            map.insert("schema_valid".to_owned(), json!(self.schema == Schema::Ok));
            map.insert("schema_warnings".to_owned(), json!(faults));
        }
        object
    }
}
