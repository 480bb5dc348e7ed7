//! From files and options to one tree: which file, what is merged in, what `-o` changes.
//!
//! Merging is Falco's: at top-level keys only. Reading is bounded. Nothing is judged here.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::overrides::Override;
use super::value::Value;
use super::{Config, Error};

/// Where the configuration is looked for without `-c`, in this order.
pub const DEFAULT_FILES: [&str; 2] = ["/etc/eyas/eyas.yaml", "/etc/falco/falco.yaml"];

/// What stands for the path of the configuration in the binary.
pub const EMBEDDED_NAME: &str = "(built-in)";

/// The configuration that is used where none is found.
pub const EMBEDDED: &str = include_str!("../../config/eyas.yaml");

/// Longest configuration file, in bytes.
const MAX_FILE_BYTES: u64 = 16 << 20;

/// Reads environment variables.
pub type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// A configuration and where it came from.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// What the program runs with.
    pub config: Config,
    /// The merged tree, for `--support`.
    pub tree: Value,
    /// The files in the order of reading, each with the result of the comparison with the schema.
    pub files: Vec<(String, String)>,
    /// The same files as paths; the one in the binary is not among them.
    pub paths: Vec<PathBuf>,
    /// What `config_files` names, there or not: a file that comes into being would be read, too.
    pub directories: Vec<PathBuf>,
}

/// Loads the configuration: `file` as given by `-c`, `overrides` as given by `-o`.
///
/// # Errors
///
/// If a file can't be read, is no YAML, or holds a value with which Falco doesn't start.
pub fn load(
    file: Option<&Path>,
    overrides: &[String],
    environment: Environment<'_>,
) -> Result<Loaded, Error> {
    let found = || DEFAULT_FILES.iter().map(Path::new).find(|path| path.exists());
    let main = file.or_else(found);
    let overrides: Vec<_> =
        overrides.iter().map(|text| Override::parse(text)).collect::<Result<_, _>>()?;
    let (early, late): (Vec<_>, Vec<_>) =
        overrides.into_iter().partition(Override::is_about_config_files);

    let name = main.map_or_else(|| EMBEDDED_NAME.to_owned(), |path| path.display().to_string());
    let mut tree = match main {
        Some(path) => read(path, environment)?,
        None => parse(EMBEDDED_NAME, EMBEDDED, environment)?,
    };
    let mut files = vec![(name.clone(), super::keys::schema_status(&name, &tree))];
    let mut paths: Vec<_> = main.map(Path::to_path_buf).into_iter().collect();
    for change in early {
        change.apply(&mut tree)?;
    }
    for (path, strategy) in included(&tree) {
        if main.is_some_and(|main| is_same_file(main, &path)) {
            return Err(Error::new(format!(
                "Config error: 'config_files' directive tried to recursively include main config file: {}.",
                path.display()
            )));
        }
        let other = read(&path, environment)?;
        if other.child("config_files").is_some() {
            return Err(Error::new(format!(
                "Config error: 'config_files' directive in included config file {}.",
                path.display()
            )));
        }
        let shown = path.display().to_string();
        files.push((shown.clone(), super::keys::schema_status(&shown, &other)));
        merge(&mut tree, other, strategy);
        paths.push(path);
    }
    for change in late {
        change.apply(&mut tree)?;
    }
    let config = Config::read(&tree, &name)?;
    Ok(Loaded { config, directories: named(&tree), tree, files, paths })
}

/// How an included file's keys meet those that are there.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Strategy {
    /// Sequences grow, everything else is replaced.
    Append,
    /// Everything is replaced.
    Override,
    /// Only what isn't there is added.
    AddOnly,
}

/// What `config_files` names, as written.
fn named(tree: &Value) -> Vec<PathBuf> {
    let entries = tree.child("config_files").map(Value::items).unwrap_or_default();
    let paths =
        entries.iter().filter_map(|entry| entry.text().or_else(|| entry.child("path")?.text()));
    paths.map(PathBuf::from).collect()
}

/// The files that `config_files` names, directories expanded; missing ones are left out.
fn included(tree: &Value) -> Vec<(PathBuf, Strategy)> {
    let mut found = Vec::new();
    for entry in tree.child("config_files").map(Value::items).unwrap_or_default() {
        let path = entry.text().or_else(|| entry.child("path")?.text());
        let strategy = match entry.child("strategy").and_then(Value::text) {
            Some("override") => Strategy::Override,
            Some("add-only") => Strategy::AddOnly,
            _ => Strategy::Append,
        };
        let Some(path) = path.map(Path::new) else { continue };
        if path.is_dir() {
            let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
            let mut inside: Vec<_> =
                entries.map(|entry| entry.path()).filter(|path| path.is_file()).collect();
            inside.sort();
            found.extend(inside.into_iter().map(|path| (path, strategy)));
        } else if path.exists() {
            found.push((path.to_path_buf(), strategy));
        }
    }
    found
}

fn merge(tree: &mut Value, other: Value, strategy: Strategy) {
    let Value::Map(entries) = other else { return };
    for (key, value) in entries {
        let is_new = tree.child(&key).is_none();
        let Some(old) = tree.child_mut(&key) else { return };
        match (strategy, &mut *old, value) {
            (Strategy::AddOnly, _, value) if is_new => *old = value,
            (Strategy::AddOnly, ..) => {}
            (Strategy::Append, Value::Seq(items), Value::Seq(more)) => items.extend(more),
            (_, _, value) => *old = value,
        }
    }
}

fn is_same_file(a: &Path, b: &Path) -> bool {
    match (a.canonicalize(), b.canonicalize()) {
        (Ok(a), Ok(b)) => a == b,
        _ => a == b,
    }
}

fn read(path: &Path, environment: Environment<'_>) -> Result<Value, Error> {
    let name = path.display().to_string();
    let unreadable = |error: &dyn std::fmt::Display| Error::in_file(&name, &error.to_string());
    let mut text = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MAX_FILE_BYTES + 1).read_to_end(&mut text))
        .map_err(|error| unreadable(&error))?;
    if text.len() as u64 > MAX_FILE_BYTES {
        return Err(unreadable(&"larger than 16 MiB"));
    }
    let text = String::from_utf8(text).map_err(|error| unreadable(&error))?;
    parse(&name, &text, environment)
}

fn parse(name: &str, text: &str, environment: Environment<'_>) -> Result<Value, Error> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut tree = Value::parse(text).map_err(|error| Error::in_file(name, &error.to_string()))?;
    if !matches!(tree, Value::Null | Value::Map(_)) {
        return Err(Error::in_file(name, "the configuration must be a map of keys to values"));
    }
    tree.change_scalars(&|text| text.contains("${").then(|| expand(text, environment)));
    Ok(tree)
}

/// Replaces `${NAME}` by the variable's value; `$${NAME}` stands for the text `${NAME}`.
fn expand(text: &str, environment: Environment<'_>) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        let (before, from) = rest.split_at(start);
        let Some(end) = from.find('}') else { break };
        let (reference, after) = from.split_at(end + 1);
        if let Some(before) = before.strip_suffix('$') {
            out.push_str(before);
            out.push_str(reference);
        } else {
            let name = reference.trim_start_matches("${").trim_end_matches('}');
            out.push_str(before);
            out.push_str(&environment(name).unwrap_or_default());
        }
        rest = after;
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nothing(_: &str) -> Option<String> {
        None
    }

    fn merged(main: &str, other: &str, strategy: Strategy) -> Value {
        let mut tree = Value::parse(main).unwrap();
        merge(&mut tree, Value::parse(other).unwrap(), strategy);
        tree
    }

    #[test]
    fn variables_are_expanded_and_two_dollars_are_not() {
        let lookup = |name: &str| (name == "A").then(|| "x".to_owned());
        for (text, wanted) in [
            ("${A}", "x"),
            ("a${A}b${A}${UNSET}c", "axbxc"),
            ("$${A}", "${A}"),
            ("${A", "${A"),
            ("$A", "$A"),
        ] {
            assert_eq!(expand(text, &lookup), wanted);
        }
    }

    #[test]
    fn appending_extends_sequences_and_replaces_the_rest() {
        let main = "a: [1]\nb: {x: 1, y: 2}\nc: 1\n";
        let other = "a: [2]\nb: {x: 3}\nd: 4\n";
        let wanted = |text: &str| Value::parse(text).unwrap();
        assert_eq!(
            merged(main, other, Strategy::Append),
            wanted("a: [1, 2]\nb: {x: 3}\nc: 1\nd: 4\n")
        );
        assert_eq!(
            merged(main, other, Strategy::Override),
            wanted("a: [2]\nb: {x: 3}\nc: 1\nd: 4\n")
        );
        assert_eq!(
            merged(main, other, Strategy::AddOnly),
            wanted("a: [1]\nb: {x: 1, y: 2}\nc: 1\nd: 4\n")
        );
    }

    #[test]
    fn included_files_are_merged_in_order_and_may_not_include() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        std::fs::create_dir(path("d")).unwrap();
        std::fs::write(path("d/b.yaml"), "priority: notice\n").unwrap();
        std::fs::write(path("d/a.yaml"), "priority: info\njson_output: true\n").unwrap();
        std::fs::write(
            path("main.yaml"),
            format!("config_files: [{}, /does/not/exist]\npriority: error\n", path("d").display()),
        )
        .unwrap();
        let loaded = load(Some(&path("main.yaml")), &["json_output=false".into()], &nothing);
        let loaded = loaded.unwrap();
        assert_eq!(loaded.config.priority, 5);
        assert!(!loaded.config.json_output);
        assert_eq!(loaded.paths, [path("main.yaml"), path("d/a.yaml"), path("d/b.yaml")]);

        std::fs::write(path("d/c.yaml"), "config_files: [x]\n").unwrap();
        let error = load(Some(&path("main.yaml")), &[], &nothing).unwrap_err();
        assert_eq!(
            error.message,
            format!(
                "Config error: 'config_files' directive in included config file {}.",
                path("d/c.yaml").display()
            )
        );
        let itself = format!("config_files={}", path("main.yaml").display());
        let error = load(Some(&path("main.yaml")), &[itself], &nothing).unwrap_err();
        assert!(error.message.contains("recursively include main config file"), "{error:?}");
    }

    #[test]
    fn the_embedded_configuration_is_valid() {
        let tree = parse(EMBEDDED_NAME, EMBEDDED, &nothing).unwrap();
        let config = Config::read(&tree, EMBEDDED_NAME).unwrap();
        assert!(config.outputs.stdout && config.embedded_rules);
        assert_eq!(super::super::keys::schema_status("x", &tree), "schema validation: ok");
    }
}
