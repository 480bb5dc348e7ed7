//! Falco's answers to rules files: the official ones of several years load, and mistakes get the
//! very texts and places.
//!
//! The official files are not part of this project: `EYAS_STOCK_RULES` names a directory with
//! `2020/` and `2026/`.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr, reason = "a test")]

use std::collections::BTreeMap;
use std::path::PathBuf;

use eyas::engine::diagnostic::Schema;
use eyas::engine::load::{FileResult, Loaded, Loader, Settings};

/// The directory of the official files; says so if there is none.
fn stock() -> Option<PathBuf> {
    let dir = std::env::var_os("EYAS_STOCK_RULES").map(PathBuf::from);
    if dir.is_none() {
        let required = std::env::var("EYAS_REQUIRE").unwrap_or_default();
        assert!(!required.contains("stock_rules"), "EYAS_STOCK_RULES is not set");
        eprintln!("skipped: EYAS_STOCK_RULES is not set");
    }
    dir
}

fn load_files(names: &[&str]) -> Option<(Vec<FileResult>, Loaded)> {
    let dir = stock()?;
    let mut loader = Loader::new(Settings::default());
    let results = names.iter().map(|name| {
        let text = std::fs::read(dir.join(name)).unwrap();
        let result = loader.add(name, &text);
        assert!(result.successful(), "{}", result.verbose());
        result
    });
    let results = results.collect();
    Some((results, loader.finish().unwrap()))
}

/// How often each code is warned of.
fn warnings(result: &FileResult) -> BTreeMap<&'static str, usize> {
    let mut counts = BTreeMap::new();
    for warning in result.warnings.iter() {
        *counts.entry(warning.code.name()).or_default() += 1;
    }
    counts
}

/// Names of the event types of a rule, sorted.
fn events(loaded: &Loaded, rule: &str) -> Vec<&'static str> {
    let rule = loaded.rules.iter().find(|known| known.name == rule).unwrap();
    let mut names: Vec<_> = rule.events.iter().map(|ty| ty.name()).collect();
    names.sort_unstable();
    names
}

#[test]
fn the_stock_rules_of_2026_load_without_warnings() {
    let files = ["falco_rules.yaml", "falco-incubating_rules.yaml", "falco-sandbox_rules.yaml"];
    let mut rules = 0;
    for (name, count) in files.into_iter().zip([25, 31, 37]) {
        let Some((results, loaded)) = load_files(&[&format!("2026/{name}")]) else { return };
        assert!(results[0].warnings.is_empty(), "{}", results[0].verbose());
        assert_eq!(results[0].schema, Schema::Ok);
        assert_eq!(loaded.rules.len(), count, "{name}");
        rules += count;
    }
    let paths = files.map(|name| format!("2026/{name}"));
    let paths: Vec<_> = paths.iter().map(String::as_str).collect();
    let Some((results, loaded)) = load_files(&paths) else { return };
    assert_eq!(loaded.rules.len(), rules);
    assert!(results.iter().all(|result| result.warnings.is_empty()));
    assert_eq!(events(&loaded, "Run shell untrusted"), ["execve", "execveat"]);
    assert_eq!(
        events(&loaded, "Disallowed SSH Connection Non Standard Port"),
        ["connect", "sendmsg", "sendto"]
    );
    assert_eq!(events(&loaded, "Read sensitive file untrusted"), ["open", "openat", "openat2"]);
    assert_eq!(events(&loaded, "BPF Program Not Profiled"), ["bpf"]);
}

#[test]
fn the_stock_rules_of_2020_load_with_todays_warnings() {
    let Some((results, loaded)) = load_files(&["2020/falco_rules.yaml"]) else { return };
    assert_eq!(loaded.rules.len(), 57);
    let counts = warnings(&results[0]);
    assert_eq!(counts.get("LOAD_UNUSED_MACRO"), Some(&13));
    assert_eq!(counts.get("LOAD_UNUSED_LIST"), Some(&8));
    assert!(counts.contains_key("LOAD_DEPRECATED_ITEM"));
    assert!(counts.contains_key("LOAD_NO_EVTTYPE"));
    assert_eq!(counts.len(), 4, "{counts:?}");
}

#[test]
fn rules_of_a_source_that_is_not_there_are_skipped() {
    let Some((results, loaded)) = load_files(&["2020/k8s_audit_rules.yaml"]) else { return };
    assert_eq!(loaded.rules.len(), 0);
    assert_eq!(warnings(&results[0]).get("LOAD_UNKNOWN_SOURCE"), Some(&38));
}

#[test]
fn a_required_plugin_that_is_not_there_is_told() {
    let Some(dir) = stock() else { return };
    let text = std::fs::read(dir.join("2026/k8s_audit_rules.yaml")).unwrap();
    let mut loader = Loader::new(Settings::default());
    loader.add("k8s.yaml", &text);
    let error = loader.finish().unwrap_err().to_string();
    assert!(error.starts_with("Plugin requirement not satisfied, must load one of: k8saudit (>= "));
}

const RULE: &str = "- rule: R\n  desc: d\n  condition: CONDITION\n  output: o\n  priority: INFO\n";

/// What is said of a file `r.yaml`.
fn verbose(text: &str) -> String {
    Loader::new(Settings::default()).add("r.yaml", text.as_bytes()).verbose()
}

/// What is said of one rule with this condition, below the first line.
fn of_condition(condition: &str) -> String {
    let said = verbose(&RULE.replace("CONDITION", condition));
    said.split_once('\n').map_or_else(String::new, |(_, rest)| rest.to_owned())
}

/// An error inside a condition that stands at line 2, column 13.
fn condition_error(name: &str, column: usize, line: &str, at: usize, message: &str) -> String {
    let mark = format!("{}^", " ".repeat(at));
    format!(
        "1 Errors:\nIn rules content: (r.yaml:0:0)\n    rule 'R': (r.yaml:0:2)\n    \
         rule condition: (r.yaml:2:13)\n    condition expression: (\"{name}\":3:{column})\n------\n\
         {line}\n{mark}\n------\nLOAD_ERR_COMPILE_CONDITION (Error compiling condition): \
         {message}\n"
    )
}

#[test]
fn a_syntax_error_names_the_last_token_and_its_place() {
    assert_eq!(
        of_condition("evt.type = open proc.name = cat"),
        condition_error(
            "evt.type = open p...",
            30,
            "evt.type = open proc.name = cat",
            30,
            "unexpected token after 'open', expecting 'or', 'and'"
        )
    );
}

#[test]
fn what_makes_falco_stop_is_told_as_such() {
    let text = "- rule: r\n  desc: d\n  condition: evt.type = open and tolower(proc.name, fd.name) = x\n  \
                output: o\n  priority: INFO\n";
    let mut loader = Loader::new(Settings::default());
    let result = loader.add("f.yaml", text.as_bytes());
    assert!(result.is_fatal());
    assert!(result.verbose().contains("unknown multivalue transformer"), "{}", result.verbose());
    assert!(!loader.add("g.yaml", b"- rule: r\n").is_fatal());
}

#[test]
fn a_quote_that_is_never_closed_is_noted() {
    let mut loader = Loader::new(Settings::default());
    let result = loader.add("f.yaml", b"- list: a\n  items: [b]\n- list: \"c\n  items: []\n");
    assert_eq!(result.errors[0].message, "Item has no mapping for key 'items'");
    assert!(result.notes[0].starts_with("line 3: a quote that is never closed"));
}

#[test]
fn a_type_error_is_at_its_check() {
    assert_eq!(
        of_condition("evt.type = open and evt.is_io = 1"),
        condition_error(
            "evt.type = open a...",
            34,
            "evt.type = open and evt.is_io = 1",
            32,
            "filter error: unrecognized boolean value 1"
        )
    );
}

#[test]
fn an_undefined_macro_is_said_of_the_rule() {
    assert_eq!(
        of_condition("nosuch"),
        "1 Errors:\nIn rules content: (r.yaml:0:0)\n    rule 'R': (r.yaml:0:2)\n    condition \
         expression: (\"nosuch\":1:3)\n------\nnosuch\n  ^\n------\nLOAD_ERR_VALIDATE (Error \
         validating rule/macro/list/exception objects): Undefined macro 'nosuch' used in \
         filter.\n"
    );
}

#[test]
fn a_missing_key_is_said_of_its_item() {
    assert_eq!(
        verbose("- rule: R\n  desc: d\n  condition: evt.type = open\n  output: o\n"),
        "r.yaml: Invalid\n1 Errors:\nIn rules content: (r.yaml:0:0)\n    rule 'R': \
         (r.yaml:0:2)\n------\n- rule: R\n  ^\n------\nLOAD_ERR_YAML_VALIDATE (Error validating \
         internal structure of YAML file): Item has no mapping for key 'priority'\n"
    );
}

#[test]
fn a_value_of_another_shape_fails_the_schema_too() {
    assert_eq!(
        verbose("- list: l\n  items: one\n"),
        "r.yaml: Invalid\n3 Schema warnings:\n------\nfailed for <root>[0][items]: Value type \
         not permitted by 'type' constraint.\n------\nfailed for <root>[0]: Failed to validate \
         against schema associated with property name 'items'.\n------\nfailed for <root>: \
         Failed to validate item #0 in array.\n------\n\n1 Errors:\nIn rules content: \
         (r.yaml:0:0)\n    list 'l': (r.yaml:0:2)\n    value for 'items': \
         (r.yaml:1:9)\n------\n  items: one\n         ^\n------\nLOAD_ERR_YAML_VALIDATE (Error \
         validating internal structure of YAML file): Value is not a sequence\n"
    );
}

#[test]
fn an_override_names_the_key_that_it_cannot_append_to() {
    let text = format!(
        "{}- rule: R\n  priority: ERROR\n  override:\n    priority: append\n",
        RULE.replace("CONDITION", "evt.type = open")
    );
    let said = verbose(&text);
    assert!(said.contains("    overrides 'priority': (r.yaml:8:4)\n"), "{said}");
    assert!(said.ends_with("Key 'priority' cannot be appended to, use 'replace' instead\n"));
}

#[test]
fn an_exception_of_other_length_than_its_fields_is_told() {
    let text = format!(
        "{}  exceptions:\n    - name: e\n      fields: [proc.name, fd.name]\n      values: \
         [[cat]]\n",
        RULE.replace("CONDITION", "evt.type = open")
    );
    let said = verbose(&text);
    assert!(said.contains("    exception 'e': (r.yaml:6:6)\n"), "{said}");
    assert!(said.ends_with("Fields and values lists must have equal length\n"), "{said}");
}

#[test]
fn warnings_of_earlier_files_are_repeated_with_their_names() {
    let mut loader = Loader::new(Settings::default());
    let first = loader.add("1.yaml", b"- list: idle\n  items: [a]\n");
    let second = loader.add("2.yaml", RULE.replace("CONDITION", "evt.type = open").as_bytes());
    for result in [first, second] {
        assert_eq!(
            result.summary().lines().last().unwrap(),
            " 1 warnings: [LOAD_UNUSED_LIST (Unused list)]"
        );
        assert_eq!(result.warnings[0].context.locations()[0].content, "1.yaml");
        assert_eq!(result.warnings[0].context.snippet(), "- list: idle\n  ^\n");
    }
}

#[test]
fn the_engine_version_is_compared_where_it_stands() {
    assert!(verbose("- required_engine_version: 0.62.0\n").ends_with("Ok"));
    assert!(
        verbose("- required_engine_version: 0.63.0\n")
            .ends_with("Rules require engine version 0.63.0, but engine version is 0.62.0\n")
    );
}

#[test]
fn what_follows_an_empty_document_is_read_and_told_of() {
    let rule =
        "- rule: r\n  desc: d\n  condition: evt.type = open\n  output: o\n  priority: INFO\n";
    let load = |text: String| {
        let mut loader = Loader::new(Settings::default());
        let result = loader.add("rules.yaml", text.as_bytes());
        assert!(result.successful(), "{}", result.verbose());
        assert_eq!(&*result.warnings, []);
        (result.notes.len(), loader.finish().unwrap().rules.len())
    };
    assert_eq!(load(format!("---\n---\n{rule}")), (1, 1));
    assert_eq!(load(format!("{rule}---\n---\n{}", rule.replace(" r\n", " s\n"))), (1, 2));
    for silent in [format!("---\n{rule}"), format!("{rule}---\n"), format!("{rule}---\n---\n")] {
        assert_eq!(load(silent), (0, 1));
    }
}
