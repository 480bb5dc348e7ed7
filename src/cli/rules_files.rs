//! Which rules files are loaded, with which settings: configuration and command line together.

use std::io::Read;
use std::path::{Path, PathBuf};

use super::Failure;
use super::flags::Options;
use super::validate;
use crate::config::{Config, Loaded};
use crate::engine::load;
use crate::engine::load::{AppendOutput, ExtraField, Loader, Selection, Selector, Settings};
use crate::engine::rule::Priority;
use crate::engine::services;
use crate::fields::statics;
use crate::log;
use crate::log::Level;

/// The rules in the binary, and the name under which they are loaded.
const EMBEDDED: (&str, &str) = ("eyas_rules.yaml", include_str!("../../rules/eyas_rules.yaml"));

/// One rules file, read.
#[derive(Clone, Debug)]
pub struct RulesFile {
    /// Its path as given.
    pub name: String,
    /// What it says.
    pub text: Vec<u8>,
    /// Where it is; the rules in the binary have no path.
    pub path: Option<PathBuf>,
}

/// How rules are loaded.
///
/// # Errors
///
/// If `-t` stands beside `-D` or `-T`.
pub fn settings(options: &Options, config: &Config) -> Result<Settings, Failure> {
    let priority = usize::from(config.priority);
    let mut append_output: Vec<_> = config.append_output.iter().map(appended).collect();
    // Rules can name these, so they are defined before any rule is read.
    statics::define(&config.static_fields);
    services::install_services(&services_text());
    if let Some(text) = options.last("print") {
        // The names of formats that Falco once expanded append nothing today.
        let is_name = matches!(
            text.as_str(),
            "c" | "container" | "k" | "kubernetes" | "m" | "mesos" | "cg" | "kg"
        );
        if !is_name {
            append_output.push(AppendOutput { extra_output: Some(text), ..Default::default() });
        }
    }
    Ok(Settings {
        min_priority: Priority::ALL.get(priority).copied().unwrap_or(Priority::Debug),
        append_output,
        selection: selection(options, config)?,
        ..Settings::default()
    })
}

/// The host's services(5); empty if it has none, or if it is larger than such a file can be.
fn services_text() -> String {
    const LARGEST: u64 = 4 << 20;
    let mut text = Vec::new();
    let read = std::fs::File::open("/etc/services")
        .and_then(|file| file.take(LARGEST).read_to_end(&mut text));
    if read.is_err() {
        return String::new();
    }
    String::from_utf8_lossy(&text).into_owned()
}

fn appended(entry: &crate::config::AppendOutput) -> AppendOutput {
    let field = |(key, format): &(String, Option<String>)| match format {
        None => ExtraField::Field(key.clone()),
        Some(format) => ExtraField::Format { key: key.clone(), format: format.clone() },
    };
    AppendOutput {
        source: entry.source.clone(),
        rule: entry.rule.clone(),
        tags: entry.tags.clone(),
        extra_output: entry.extra_output.clone(),
        extra_fields: entry.extra_fields.iter().map(field).collect(),
        suggested_output: entry.suggested_output,
    }
}

fn selection(options: &Options, config: &Config) -> Result<Vec<Selection>, Failure> {
    let (without, tags, without_tags) =
        (options.texts("D"), options.texts("t"), options.texts("T"));
    if !tags.is_empty() && (!without.is_empty() || !without_tags.is_empty()) {
        return Err(Failure::new(
            "You can not specify both disabled (-D/-T) and enabled (-t) rules",
        ));
    }
    let mut steps = Vec::new();
    for text in without {
        log!(Level::Info, "Disabling rules matching substring: {text}");
        steps.push(Selection { enable: false, which: Selector::NameContains(text) });
    }
    for tag in without_tags {
        log!(Level::Info, "Disabling rules with tag: {tag}");
        steps.push(Selection { enable: false, which: Selector::Tag(tag) });
    }
    if !tags.is_empty() {
        steps.push(Selection { enable: false, which: Selector::Rule("*".to_owned()) });
    }
    for tag in tags {
        log!(Level::Info, "Enabling rules with tag: {tag}");
        steps.push(Selection { enable: true, which: Selector::Tag(tag) });
    }
    for step in &config.rules {
        let verb = if step.enable { "Enabling" } else { "Disabling" };
        let what = if step.is_tag { "tag" } else { "name" };
        log!(Level::Info, "{verb} rules with {what}: {}", step.text);
        let text = step.text.clone();
        let which = if step.is_tag { Selector::Tag(text) } else { Selector::Rule(text) };
        steps.push(Selection { enable: step.enable, which });
    }
    Ok(steps)
}

/// The files and directories that are named: by `-r`, else by the configuration.
#[must_use]
pub fn entries(options: &Options, loaded: &Loaded) -> Vec<PathBuf> {
    let given = options.paths("r");
    if given.is_empty() { loaded.config.rules_files.clone() } else { given }
}

/// Reads the rules files: `-r`, else the configuration's, else those in the binary.
///
/// # Errors
///
/// If there is none, or one can't be read.
pub fn read_all(options: &Options, loaded: &Loaded) -> Result<Vec<RulesFile>, Failure> {
    let given = options.paths("r");
    let config = &loaded.config;
    let mut entries = entries(options, loaded);
    if given.is_empty() {
        entries.retain(|path| path.exists());
    }
    let mut hints = Vec::new();
    let mut files = Vec::new();
    for entry in &entries {
        let before = files.len();
        expand(entry, &mut files);
        if files.len() == before {
            hints.push(if !entry.exists() {
                format!("there is no {}", entry.display())
            } else if entry.is_dir() {
                format!("{} has no file whose name ends in .yaml or .yml", entry.display())
            } else {
                format!("{} is left out: its name doesn't end in .yaml or .yml", entry.display())
            });
        }
    }
    if files.is_empty() && given.is_empty() && config.embedded_rules {
        let (name, text) = EMBEDDED;
        return Ok(vec![RulesFile { name: name.to_owned(), text: text.into(), path: None }]);
    }
    if files.is_empty() {
        let failure = Failure::new(
            "You must specify at least one rules file/directory via -r or a rules_file entry in \
             falco.yaml",
        );
        if hints.is_empty() {
            hints.extend(config.rules_files.iter().map(|path| format!("no {}", path.display())));
        }
        return Err(hints.into_iter().fold(failure, Failure::hint));
    }
    for hint in hints {
        log!(Level::Warning, "{hint}");
    }
    files.iter().map(|path| read(path)).collect()
}

/// A directory's rules files in order of name, or the file itself if its name is right.
fn expand(entry: &Path, files: &mut Vec<PathBuf>) {
    let has_right_name = |path: &Path| {
        path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml")
    };
    if entry.is_dir() {
        let inside = std::fs::read_dir(entry).into_iter().flatten().flatten();
        let mut inside: Vec<_> = inside
            .map(|entry| entry.path())
            .filter(|path| has_right_name(path) && path.is_file())
            .collect();
        inside.sort();
        files.extend(inside);
    } else if has_right_name(entry) {
        files.push(entry.to_path_buf());
    }
}

fn read(path: &Path) -> Result<RulesFile, Failure> {
    let text = validate::read(path).map_err(|error| {
        Failure::new(format_args!("Could not open file {} for reading", path.display()))
            .hint(format!("{error}"))
    })?;
    Ok(RulesFile { name: path.display().to_string(), text, path: Some(path.to_path_buf()) })
}

/// Loads the files one after the other.
///
/// # Errors
///
/// With Falco's account of the first file that doesn't load.
pub fn load(files: &[RulesFile], settings: Settings) -> Result<load::Loaded, Failure> {
    let mut loader = Loader::new(settings);
    log!(Level::Info, "Loading rules from:");
    for file in files {
        let result = loader.add(&file.name, &file.text);
        let schema = schema_text(&file.name, &result.schema);
        let is_good = result.schema == crate::engine::diagnostic::Schema::Ok;
        let level = if is_good { Level::Info } else { Level::Warning };
        log!(level, "   {} | {schema}", file.name);
        for note in &result.notes {
            log!(Level::Warning, "{}: {note}", file.name);
        }
        if !result.successful() {
            return Err(Failure::new(result.verbose()));
        }
        if !result.warnings.is_empty() {
            log!(Level::Warning, "{}", result.verbose());
        }
    }
    loader.finish().map_err(Failure::new)
}

fn schema_text(name: &str, schema: &crate::engine::diagnostic::Schema) -> String {
    use crate::engine::diagnostic::Schema;
    match schema {
        Schema::None => "schema validation: none".to_owned(),
        Schema::Ok => "schema validation: ok".to_owned(),
        Schema::Failed(reasons) => {
            let reasons = reasons.join("; ");
            format!("schema validation: failed for {name}: {reasons}")
        }
    }
}
