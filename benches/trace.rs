//! What `eyas trace` costs a compile job. `cargo bench --bench trace`
//!
//! A shell runs gcc again and again on a small file: about 330 calls a run that the stock rules
//! ask for, most of them opens. Each pair is one run bare and one run traced, one after the other,
//! in turns as to which is first; printed is the median of the pairs' ratios, and their spread.
//! The stock rules are those of EYAS_STOCK_RULES.
#![allow(clippy::print_stdout, clippy::unwrap_used, missing_docs)]

use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Stdio;
use std::time::Instant;

/// How many pairs; EYAS_PAIRS changes it.
const PAIRS: usize = 9;
/// How often gcc runs; EYAS_RUNS changes it. Fewer measure the tracer's start more than its tracing.
const RUNS: usize = 30;

/// Needs no open.
const NO_OPENS: &str = "
- rule: dialler
  desc: d
  condition: evt.type in (connect, bind, listen) and proc.name = gcc
  output: o
  priority: INFO
- rule: run
  desc: d
  condition: evt.type = execve and proc.name = no-such-program
  output: o
  priority: INFO
";

fn main() {
    let dir = tempfile::tempdir().unwrap();
    let source = dir.path().join("small.c");
    std::fs::write(
        &source,
        "#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\nint main(void) { puts(\"x\"); }\n",
    )
    .unwrap();
    let bare = Vec::new();
    measure("tracing by rules that need no opens", dir.path(), &bare, &no_opens(dir.path()));
    match std::env::var_os("EYAS_STOCK_RULES") {
        Some(stock) => {
            measure(
                "tracing by the stock rules",
                dir.path(),
                &bare,
                &stock_rules(Path::new(&stock)),
            );
        }
        None => println!("EYAS_STOCK_RULES is not set: no measurement with the stock rules"),
    }
    // What the machine's own noise makes of nothing.
    measure("bare, twice", dir.path(), &bare, &bare);
}

/// The words in front of the job that trace it.
fn traced(rules: &[PathBuf]) -> Vec<String> {
    let mut words = vec![env!("CARGO_BIN_EXE_eyas").to_owned(), "trace".to_owned()];
    words.extend(["-o", "log_level=error"].map(str::to_owned));
    for path in rules {
        words.extend(["-r".to_owned(), path.to_str().unwrap().to_owned()]);
    }
    words.push("--".to_owned());
    words
}

fn no_opens(dir: &Path) -> Vec<String> {
    let path = dir.join("no-opens.yaml");
    std::fs::write(&path, NO_OPENS).unwrap();
    traced(&[path])
}

fn stock_rules(dir: &Path) -> Vec<String> {
    let names = ["falco_rules.yaml", "falco-incubating_rules.yaml", "falco-sandbox_rules.yaml"];
    traced(&names.map(|name| dir.join("2026").join(name)))
}

fn number(name: &str, otherwise: usize) -> usize {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

fn measure(what: &str, dir: &Path, first: &[String], second: &[String]) {
    let pairs = number("EYAS_PAIRS", PAIRS);
    let mut ratios = Vec::new();
    let mut bare = Vec::new();
    for pair in 0..pairs {
        let (a, b) = if pair % 2 == 0 {
            let a = job(dir, first);
            (a, job(dir, second))
        } else {
            let b = job(dir, second);
            (job(dir, first), b)
        };
        bare.push(a);
        ratios.push(b / a);
    }
    ratios.sort_by(f64::total_cmp);
    bare.sort_by(f64::total_cmp);
    let at = |share: f64, values: &[f64]| {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "a place in a short list"
        )]
        let place = ((values.len() - 1) as f64 * share).round() as usize;
        values.get(place).copied().unwrap_or(f64::NAN)
    };
    println!(
        "{what}: {:.3} times bare (median of {pairs} pairs; from {:.3} to {:.3}, middle half {:.3} \
         to {:.3}; bare {:.0} ms)",
        at(0.5, &ratios),
        at(0.0, &ratios),
        at(1.0, &ratios),
        at(0.25, &ratios),
        at(0.75, &ratios),
        at(0.5, &bare) * 1000.0,
    );
}

/// Seconds that the job takes.
fn job(dir: &Path, words: &[String]) -> f64 {
    let runs = number("EYAS_RUNS", RUNS);
    let script = format!(
        "i=0; while [ $i -lt {runs} ]; do gcc -O0 -c small.c -o small.o || exit 1; i=$((i+1)); done"
    );
    let job = ["sh", "-c", &script].map(str::to_owned);
    let words = [words, &job].concat();
    let (program, arguments) = words.split_first().unwrap();
    let start = Instant::now();
    let status = Command::new(program)
        .args(arguments)
        .current_dir(dir)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap();
    assert!(status.success(), "{program}: {status}");
    start.elapsed().as_secs_f64()
}
