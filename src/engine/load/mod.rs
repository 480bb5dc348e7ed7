//! Rules files → rules.
//!
//! [`Loader::add`] takes the files one after the other; each is read, merged into everything
//! collected so far and compiled together with it, since a later file may append to, override or
//! use what an earlier one defines. [`Loader::finish`] gives the rules. Files are read by the
//! caller: nothing here touches the host.
//!
//! ```
//! use eyas::engine::load::Loader;
//! use eyas::engine::load::Settings;
//!
//! let mut loader = Loader::new(Settings::default());
//! let text = b"- rule: r\n  desc: d\n  condition: evt.type = open\n  output: o\n  priority: INFO\n";
//! let result = loader.add("rules.yaml", text);
//! assert!(result.successful(), "{}", result.verbose());
//! let loaded = loader.finish().expect("no plugin is required");
//! assert_eq!(loaded.rules.len(), 1);
//! ```

mod compile;
mod condition;
mod decode;
mod described;
mod doubtful;
mod exceptions;
mod expand;
mod items;
mod merge;
mod rule_item;
mod schema;
mod select;
mod version;

use std::sync::Arc;

use self::compile::Compiled;
use self::items::Reader;
use self::merge::Collector;
use super::context::{File, Place};
use super::diagnostic::{Error, ErrorCode, Schema, Warnings};
use super::rule::{Priority, Rule};
use super::yaml;

pub use self::described::{Described, DescribedList, DescribedMacro, DescribedRule};
pub use self::merge::Requirement;
pub use self::schema::rule_schema;
pub use self::version::Version;
pub use super::diagnostic::FileResult;

/// What reading an item gives; an error ends the file.
type Read<T> = Result<T, Box<Error>>;

/// The version of the rules language that is understood, as `required_engine_version` asks for it.
pub const ENGINE_VERSION: (u32, u32, u32) = (0, 62, 0);

/// How rules are loaded: what the configuration and the command line say about them.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Rules of a lower priority are not loaded.
    pub min_priority: Priority,
    /// Additions to outputs, in the configuration's order.
    pub append_output: Vec<AppendOutput>,
    /// What is enabled and disabled after loading, in order.
    pub selection: Vec<Selection>,
    /// Event sources that exist; rules of others are skipped with a warning.
    pub sources: Vec<String>,
    /// What counts as a loaded plugin for `required_plugin_versions`: name and version.
    pub plugins: Vec<(String, String)>,
}

impl Default for Settings {
    /// Everything from debug upwards, the source `syscall`, the built-in `container` 0.7.1.
    fn default() -> Self {
        Self {
            min_priority: Priority::Debug,
            append_output: Vec::new(),
            selection: Vec::new(),
            sources: vec!["syscall".to_owned()],
            plugins: vec![("container".to_owned(), "0.7.1".to_owned())],
        }
    }
}

/// One entry of the configuration's `append_output`.
#[derive(Clone, Debug, Default)]
pub struct AppendOutput {
    /// Only rules of this source.
    pub source: Option<String>,
    /// Only the rule of this name.
    pub rule: Option<String>,
    /// Only rules that have all of these.
    pub tags: Vec<String>,
    /// Appended to the output behind a blank.
    pub extra_output: Option<String>,
    /// Entries of `output_fields`.
    pub extra_fields: Vec<ExtraField>,
    /// Appends ` a_b=%a.b` for every suggested field.
    pub suggested_output: bool,
}

/// An entry that is added to `output_fields`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ExtraField {
    /// A field under its own name, with its type.
    Field(String),
    /// A formatted text under a name of its own.
    Format {
        /// The entry's name.
        key: String,
        /// An output format.
        format: String,
    },
}

/// Enables or disables rules after all are loaded.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Selection {
    /// Or disables them.
    pub enable: bool,
    /// Which rules.
    pub which: Selector,
}

/// Which rules a [`Selection`] is about.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Selector {
    /// By name; `*` stands for anything.
    Rule(String),
    /// Whose name contains this (`-D`).
    NameContains(String),
    /// That have this tag.
    Tag(String),
}

/// All files, loaded.
#[derive(Debug, Default)]
pub struct Loaded {
    /// In the order in which they are tried; those that are not enabled stand last.
    pub rules: Vec<Rule>,
    collected: described::Collected,
}

/// Rules ask for a plugin that isn't there; Falco's text.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{0}")]
pub struct RequirementError(pub String);

/// Collects rules files.
#[derive(Debug)]
pub struct Loader {
    settings: Settings,
    collector: Collector,
    compiled: Compiled,
    /// Bytes of all files.
    bytes: usize,
}

impl Loader {
    /// Without any file.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        let (collector, compiled) = (Collector::default(), Compiled::default());
        Self { settings, collector, compiled, bytes: 0 }
    }

    /// Reads `text`, merges it into what is collected and compiles all of it.
    ///
    /// After a result that is not successful the rules of [`finish`](Self::finish) are not to be
    /// used; further files can still be added, to see what is wrong with them.
    pub fn add(&mut self, name: &str, text: &[u8]) -> FileResult {
        self.bytes += text.len();
        let file = Arc::new(File::new(name, decode::file(text)));
        let mut result = FileResult {
            name: name.to_owned(),
            errors: Vec::new(),
            warnings: Warnings::default(),
            schema: Schema::None,
            notes: Vec::new(),
        };
        let documents = match yaml::parse(&file.text) {
            Ok(documents) => documents,
            Err(error) => {
                let place = Place::file(file).to_offset("value for", "", error.offset);
                result.errors.push(*place.error(ErrorCode::YamlParse, error.to_string()));
                return result;
            }
        };
        result.schema = schema::check(&documents);
        result.notes.extend(items::note_of_empty_document(&documents, &file));
        result.notes.extend(items::note_of_unclosed_quote(&documents, &file));
        if let Err(error) = self.read(&documents, &file, &mut result.warnings) {
            result.errors.push(*error);
        }
        result
    }

    fn read(
        &mut self,
        documents: &yaml::Documents,
        file: &Arc<File>,
        warnings: &mut Warnings,
    ) -> Read<()> {
        let (settings, collector) = (&self.settings, &mut self.collector);
        let mut reader = Reader { settings, collector, warnings };
        reader.documents(documents, file)?;
        let before = std::mem::take(&mut self.compiled);
        self.compiled =
            compile::compile(&self.collector, &self.settings, self.bytes, before, warnings)?;
        Ok(())
    }

    /// Whether the plugins that the files require are there; `-V` asks after each file.
    ///
    /// # Errors
    ///
    /// With Falco's text if one is not, or is too old.
    pub fn check_requirements(&self) -> Result<(), RequirementError> {
        self.collector.plugins.iter().try_for_each(|requirement| self.check(requirement))
    }

    fn check(&self, alternatives: &[Requirement]) -> Result<(), RequirementError> {
        let loaded = |name: &str| self.settings.plugins.iter().find(|(known, _)| known == name);
        for Requirement { name, version } in alternatives {
            let Some((_, have)) = loaded(name) else {
                continue;
            };
            let fits = Version::parse(have)
                .zip(Version::parse(version))
                .is_some_and(|(have, required)| have.satisfies(required));
            if fits {
                return Ok(());
            }
            return Err(RequirementError(format!(
                "Plugin '{name}' version '{have}' is not compatible with required plugin version \
                 '{version}'"
            )));
        }
        let names = alternatives.iter().map(|r| format!("{} (>= {})", r.name, r.version));
        Err(RequirementError(format!(
            "Plugin requirement not satisfied, must load one of: {}",
            names.collect::<Vec<_>>().join(", ")
        )))
    }

    /// Applies the selection and gives all rules.
    ///
    /// # Errors
    ///
    /// As [`check_requirements`](Self::check_requirements).
    pub fn finish(self) -> Result<Loaded, RequirementError> {
        self.check_requirements()?;
        let Self { settings, collector, compiled, .. } = self;
        let (rules, mut collected) = described::Collected::split(collector, compiled);
        let (rules, below) = rules.into_iter().partition(|r| r.priority <= settings.min_priority);
        collected.below = below;
        Ok(Loaded { rules: select::select(rules, &settings.selection), collected })
    }
}
