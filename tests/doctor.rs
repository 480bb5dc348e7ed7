//! `eyas doctor` accounts for every one of Falco's official rules.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that is wrong may panic")]

use std::io::Write as _;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

const FILES: [&str; 3] =
    ["falco_rules.yaml", "falco-incubating_rules.yaml", "falco-sandbox_rules.yaml"];

fn report() -> Option<(usize, Value)> {
    let Some(dir) = std::env::var_os("EYAS_STOCK_RULES") else {
        // Past the capture of the test harness: a skip must be seen.
        let _ = writeln!(std::io::stderr(), "SKIPPED: EYAS_STOCK_RULES is not set");
        return None;
    };
    let mut command = Command::new(env!("CARGO_BIN_EXE_eyas"));
    command.args(["doctor", "--json"]);
    let mut count = 0;
    for name in FILES {
        let path = PathBuf::from(&dir).join("2026").join(name);
        let text = String::from_utf8(std::fs::read(&path).unwrap()).unwrap();
        count += text.lines().filter(|line| line.starts_with("- rule:")).count();
        command.arg("-r").arg(path);
    }
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some((count, serde_json::from_slice(&output.stdout).unwrap()))
}

#[test]
fn every_official_rule_is_accounted_for_with_a_reason() {
    let Some((count, report)) = report() else { return };
    let rules = &report["rules"];
    let number = |name: &str| usize::try_from(rules[name].as_u64().unwrap()).unwrap();
    assert_eq!(number("total"), count);
    let sum: usize = ["full", "partly", "never", "off"].map(number).iter().sum();
    assert_eq!(sum, count);
    let verdicts = rules["verdicts"].as_array().unwrap();
    assert_eq!(verdicts.len(), count);
    for verdict in verdicts {
        let is_empty = |name: &str| match &verdict[name] {
            Value::Array(items) => items.is_empty(),
            Value::Object(items) => items.is_empty(),
            other => other.is_null(),
        };
        let has_reason = !is_empty("untold") || !is_empty("missing") || !is_empty("why");
        match verdict["fires"].as_str().unwrap() {
            "full" => assert!(!has_reason, "{verdict}"),
            "partly" => assert!(has_reason && !is_empty("told"), "{verdict}"),
            "never" => assert!(has_reason && is_empty("told"), "{verdict}"),
            _ => {}
        }
        let is_lacking = matches!(verdict["fires"].as_str(), Some("partly" | "never"));
        assert!(!is_lacking || !verdict["remedy"].is_null(), "{verdict}");
    }
}
