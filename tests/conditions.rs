//! Compares the verdicts over single conditions with recorded ones.
//!
//! `EYAS_CONDITIONS` names a file with one JSON object a line: `condition`, `ok`, and `errors` and
//! `warnings` with `code`, `message`, `line` and `column`. `EYAS_SERVICES` may name the services(5)
//! file of the recording host.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test")]

use eyas::engine::compile::compile;
use eyas::engine::lang::parser::parse;
use eyas::engine::services::install_services;

/// What is said of a condition: code, message, column.
type Said = Vec<(String, String, Option<u64>)>;

fn verdict(condition: &str) -> (Said, Said) {
    let code = "LOAD_ERR_COMPILE_CONDITION".to_owned();
    let expr = match parse(condition) {
        Ok(expr) => expr,
        Err(error) => {
            return (vec![(code, error.message, Some(error.at.column as u64))], Vec::new());
        }
    };
    match compile(&expr) {
        Err(error) => (vec![(code, error.message, Some(error.at.column as u64))], Vec::new()),
        Ok(compiled) => {
            let mut warnings: Said = compiled
                .warnings
                .into_iter()
                .map(|w| ("LOAD_COMPILE_CONDITION".into(), w.message, Some(w.at.column as u64)))
                .collect();
            if compiled.events.is_unrestricted() {
                let text = "Rule matches too many evt.type values. This has a significant performance penalty.";
                warnings.push(("LOAD_NO_EVTTYPE".into(), text.into(), None));
            }
            (Vec::new(), warnings)
        }
    }
}

fn recorded(list: &serde_json::Value) -> Said {
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    list.as_array()
        .unwrap()
        .iter()
        .map(|said| (text(&said["code"]), text(&said["message"]), said["column"].as_u64()))
        .collect()
}

#[test]
fn conditions_get_the_recorded_verdicts() {
    let Ok(path) = std::env::var("EYAS_CONDITIONS") else {
        eprintln!("SKIPPED: EYAS_CONDITIONS doesn't name a file of recorded verdicts");
        return;
    };
    let services = std::env::var("EYAS_SERVICES").unwrap_or_else(|_| "/etc/services".to_owned());
    match std::fs::read(services) {
        Ok(text) => install_services(&String::from_utf8_lossy(&text)),
        Err(_) => install_services("http 80/tcp\nhttps 443/tcp\nssh 22/tcp\n"),
    }
    let text = String::from_utf8(std::fs::read(path).unwrap()).unwrap();
    let (mut wrong, mut count) = (0, 0);
    for line in text.lines() {
        let case: serde_json::Value = serde_json::from_str(line).unwrap();
        let condition = case["condition"].as_str().unwrap();
        // Macros and deprecated fields are the loader's.
        let (errors, warnings) = (recorded(&case["errors"]), recorded(&case["warnings"]));
        if errors.iter().any(|(code, _, _)| code == "LOAD_ERR_VALIDATE") {
            continue;
        }
        let warnings: Said =
            warnings.into_iter().filter(|(code, _, _)| code != "LOAD_DEPRECATED_ITEM").collect();
        count += 1;
        let actual = verdict(condition);
        if actual != (errors.clone(), warnings.clone()) {
            wrong += 1;
            eprintln!("{condition}\n  expected {errors:?} {warnings:?}\n  got      {actual:?}");
        }
    }
    assert_eq!(wrong, 0, "of {count}");
}
