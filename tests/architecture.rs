//! Holds the rules of ARCHITECTURE.md: who may know whom, where unsafe code is, how long things are.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that is wrong may panic")]

use std::fs;
use std::path::{Path, PathBuf};

/// For every module under `src/`, the modules it may name. ARCHITECTURE.md has the same table.
const MAY_USE: &[(&str, &[&str])] = &[
    ("sys", &[]),
    ("log", &[]),
    ("metrics", &[]),
    ("config", &[]),
    ("event", &[]),
    ("decode", &["sys", "event"]),
    ("fields", &["event"]),
    ("engine", &["event", "fields"]),
    ("format", &["event", "fields", "engine"]),
    ("probe", &["sys"]),
    ("procfs", &["sys", "decode"]),
    ("sources", &["sys", "decode", "procfs", "probe", "metrics"]),
    ("enrich", &["sys", "decode", "procfs", "event", "metrics"]),
    ("outputs", &["sys", "decode", "format", "metrics", "log"]),
    ("web", &["sys", "log"]),
    (
        "service",
        &[
            "sys", "log", "metrics", "config", "event", "decode", "fields", "engine", "format",
            "probe", "procfs", "sources", "enrich", "outputs", "web",
        ],
    ),
    ("doctor", &["config", "decode", "event", "fields", "engine", "probe", "service"]),
    (
        "cli",
        &[
            "sys", "log", "metrics", "config", "event", "decode", "fields", "engine", "format",
            "probe", "procfs", "sources", "enrich", "outputs", "web", "service", "doctor",
        ],
    ),
];

/// Modules that touch nothing outside: no file, no clock, no descriptor, no log line.
const PURE: &[&str] = &["decode", "event", "fields", "engine", "format"];

/// What a pure module must not name.
const IMPURE: &[&str] = &[
    "std::fs",
    "std::net::Tcp",
    "std::process",
    "std::thread",
    "std::env",
    "Instant::now",
    "SystemTime::now",
    "File::open",
    "println!",
    "eprintln!",
];

/// Most lines of code in a file, its tests not counted.
const MAX_FILE: usize = 500;

/// Most lines in a function.
const MAX_FUNCTION: usize = 80;

/// Files that are tables and nothing else, and so may be as long as they are.
const TABLES: &[&str] = &["src/event/flag_tables.rs", "src/event/types.rs"];

/// Files and functions that are too long. This list may only become shorter.
const TOO_LONG: &[&str] = &["src/decode/scap/layouts.rs", "src/engine/diagnostic.rs: fn texts"];

#[test]
fn no_module_reaches_against_the_data_flow() {
    let mut broken = Vec::new();
    for file in rust_files(Path::new("src")) {
        let module = module_of(&file);
        if matches!(module, "lib" | "main") {
            continue;
        }
        let Some((_, allowed)) = MAY_USE.iter().find(|(name, _)| *name == module) else {
            broken.push(format!("{}: `{module}` is not in MAY_USE", file.display()));
            continue;
        };
        for (number, line) in code_lines(&file) {
            for target in crate_paths(&line) {
                // Macros stand at the root of the crate; they belong to the module `log`.
                let target = if target == "log_limited" { "log" } else { target };
                if target != module && !allowed.contains(&target) {
                    broken.push(format!("{}:{number}: names `{target}`", file.display()));
                }
            }
        }
    }
    assert_holds(&broken);
}

#[test]
fn the_table_in_architecture_md_is_the_one_here() {
    let text = fs::read(Path::new("ARCHITECTURE.md")).unwrap();
    let text = String::from_utf8(text).unwrap();
    for (module, allowed) in MAY_USE {
        let row = text
            .lines()
            .find(|line| line.starts_with(&format!("| `{module}` |")))
            .unwrap_or_else(|| panic!("ARCHITECTURE.md has no row for `{module}`"));
        let cell = row.split('|').nth(2).unwrap();
        let mut named: Vec<&str> = cell.split('`').skip(1).step_by(2).collect();
        let mut allowed = allowed.to_vec();
        named.sort_unstable();
        allowed.sort_unstable();
        if !cell.contains("all above") {
            assert_eq!(named, allowed, "row `{module}` of ARCHITECTURE.md");
        }
    }
}

#[test]
fn groups_of_imports_from_the_crate_do_not_hide_from_this_check() {
    let mut broken = Vec::new();
    for file in rust_files(Path::new("src")) {
        for (number, line) in code_lines(&file) {
            if line.contains("use crate::{") || line.contains("use crate::*") {
                broken.push(format!("{}:{number}: {}", file.display(), line.trim()));
            }
        }
    }
    assert_holds(&broken);
}

#[test]
fn unsafe_code_is_in_sys_only() {
    let mut broken = Vec::new();
    for file in rust_files(Path::new("src")) {
        if module_of(&file) == "sys" {
            continue;
        }
        for (number, line) in code_lines(&file) {
            if ["unsafe {", "unsafe fn", "unsafe impl", "unsafe extern", "allow(unsafe_code)"]
                .iter()
                .any(|code| line.contains(code))
            {
                broken.push(format!("{}:{number}: {}", file.display(), line.trim()));
            }
        }
    }
    assert_holds(&broken);
}

#[test]
fn pure_modules_touch_nothing_outside() {
    let mut broken = Vec::new();
    for file in rust_files(Path::new("src")) {
        if !PURE.contains(&module_of(&file)) {
            continue;
        }
        for (number, line) in
            code_lines(&file).into_iter().take_while(|(_, line)| !begins_tests(line))
        {
            if let Some(name) = IMPURE.iter().find(|name| line.contains(**name)) {
                broken.push(format!("{}:{number}: names `{name}`", file.display()));
            }
        }
    }
    assert_holds(&broken);
}

#[test]
fn every_file_says_what_it_is_for() {
    let mut broken = Vec::new();
    for dir in ["src", "tests", "benches"] {
        for file in rust_files(Path::new(dir)) {
            if !read(&file).starts_with("//!") {
                broken.push(file.display().to_string());
            }
        }
    }
    assert_holds(&broken);
}

#[test]
fn files_and_functions_are_short() {
    let mut broken = Vec::new();
    let mut used = Vec::new();
    for file in rust_files(Path::new("src")) {
        let path = file.display().to_string();
        let text = read(&file);
        let code: Vec<&str> = text.lines().take_while(|line| !begins_tests(line)).collect();
        if code.len() > MAX_FILE && !TABLES.contains(&path.as_str()) {
            note(&mut broken, &mut used, path.clone(), code.len());
        }
        for (name, len) in functions(&code) {
            if len > MAX_FUNCTION {
                note(&mut broken, &mut used, format!("{path}: fn {name}"), len);
            }
        }
    }
    assert_holds(&broken);
    let unused: Vec<_> =
        TOO_LONG.iter().filter(|entry| !used.contains(&entry.to_string())).collect();
    assert!(unused.is_empty(), "short enough by now, take it off the list: {unused:?}");
}

#[test]
fn the_program_is_a_few_lines() {
    assert!(read(Path::new("src/main.rs")).lines().count() < 60);
}

fn note(broken: &mut Vec<String>, used: &mut Vec<String>, what: String, len: usize) {
    if TOO_LONG.contains(&what.as_str()) {
        used.push(what);
    } else {
        broken.push(format!("{what}: {len} lines"));
    }
}

fn assert_holds(broken: &[String]) {
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

fn begins_tests(line: &str) -> bool {
    line.trim_end() == "#[cfg(test)]"
}

/// Name and length of every function, as rustfmt lays it out: it ends with a brace that stands as
/// far to the right as its first line does.
fn functions(code: &[&str]) -> Vec<(String, usize)> {
    let mut found = Vec::new();
    for (start, line) in code.iter().enumerate() {
        let text = line.trim_start();
        let Some(at) = text.find("fn ") else { continue };
        let before = &text[..at];
        let is_item = before
            .split_whitespace()
            .all(|word| matches!(word, "const" | "async" | "unsafe") || word.starts_with("pub"));
        if !is_item || text.starts_with("//") {
            continue;
        }
        let indent = &line[..line.len() - text.len()];
        let end = format!("{indent}}}");
        let len = code[start..].iter().position(|line| **line == end);
        let name = text[at + 3..].split(|c: char| !c.is_alphanumeric() && c != '_').next();
        if let (Some(len), false) = (len, line.trim_end().ends_with(';')) {
            found.push((name.unwrap().to_owned(), len + 1));
        }
    }
    found
}

/// `src/engine/index.rs` and `src/engine.rs` both give `engine`.
fn module_of(file: &Path) -> &str {
    let first = file.iter().nth(1).unwrap().to_str().unwrap();
    first.strip_suffix(".rs").unwrap_or(first)
}

/// Every line that is not a comment, with its number.
fn code_lines(file: &Path) -> Vec<(usize, String)> {
    (1..)
        .zip(read(file).lines())
        .filter(|(_, line)| !line.trim_start().starts_with("//"))
        .map(|(number, line)| (number, line.split(" // ").next().unwrap().to_owned()))
        .collect()
}

/// Every `x` of every `crate::x`.
fn crate_paths(line: &str) -> impl Iterator<Item = &str> {
    line.split("crate::")
        .skip(1)
        .map(|rest| rest.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap())
}

fn read(file: &Path) -> String {
    String::from_utf8(fs::read(file).unwrap()).unwrap()
}

fn rust_files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let Ok(entries) = fs::read_dir(dir) else { return found };
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found.sort();
    found
}
