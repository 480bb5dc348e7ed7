//! Loading rules files: reading, merging, resolving, typing.
//!
//! With `EYAS_STOCK_RULES` (a directory with `2026/`), the three stock files of 93 rules, as one
//! start of the agent loads them; without it, as many rules made here.
//!
//! Measured on two cores that nothing else used, optimised with thin LTO, Falco's 93 rules of 2026:
//! 11.3 to 11.8 ms for loading; 21.3 ms of CPU once their program is built, too.
#![allow(missing_docs, clippy::unwrap_used, clippy::print_stderr, reason = "a bench")]

use std::fmt::Write as _;
use std::hint::black_box;
use std::path::Path;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use eyas::engine::load::{Loaded, Loader, Settings};
use eyas::engine::ruleset::{Matching, RuleSet};
use nix::time::{ClockId, clock_gettime};

const STOCK: [&str; 3] =
    ["falco_rules.yaml", "falco-incubating_rules.yaml", "falco-sandbox_rules.yaml"];

/// The files, and what they are.
fn files() -> (Vec<(String, Vec<u8>)>, &'static str) {
    let Ok(dir) = std::env::var("EYAS_STOCK_RULES") else {
        eprintln!("EYAS_STOCK_RULES is not set: 93 made rules stand in for the stock rules");
        return (vec![("made.yaml".to_owned(), made().into_bytes())], "93 made rules");
    };
    let read = |name: &&str| {
        let path = Path::new(&dir).join("2026").join(name);
        ((*name).to_owned(), std::fs::read(path).unwrap())
    };
    (STOCK.iter().map(read).collect(), "93 stock rules")
}

fn made() -> String {
    let items = (0..40).map(|i| format!("binary-{i}")).collect::<Vec<_>>().join(", ");
    let mut text = format!(
        "- list: binaries\n  items: [{items}]\n\
         - macro: opened\n  condition: evt.type in (open, openat, openat2) and fd.num >= 0\n\
         - macro: in_container\n  condition: (container.id != host)\n"
    );
    for number in 0..93 {
        let _ = write!(
            text,
            "- rule: Rule {number}\n  desc: made\n  condition: >\n    opened and in_container and \
             not proc.name in (binaries)\n    and (fd.name startswith /etc/{number} or \
             fd.name endswith .{number} or\n    proc.cmdline contains \"x {number}\")\n  output: \
             opened (file=%fd.name command=%proc.cmdline user=%user.name)\n  priority: NOTICE\n  \
             tags: [host, container]\n"
        );
    }
    text
}

fn load_all(files: &[(String, Vec<u8>)]) -> Loaded {
    let mut loader = Loader::new(Settings::default());
    for (name, text) in files {
        assert!(loader.add(name, black_box(text)).successful());
    }
    loader.finish().unwrap()
}

/// Milliseconds of CPU that a thing takes, the best of some times; a busy machine doesn't spoil it.
fn ms_on_cpu<T>(mut act: impl FnMut() -> T) -> f64 {
    const TIMES: u32 = 40;
    let now = || Duration::from(clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).unwrap());
    let mut once = || {
        let start = now();
        black_box(act());
        (now() - start).as_secs_f64() * 1e3
    };
    (0..TIMES).map(|_| once()).fold(f64::INFINITY, f64::min)
}

fn load(criterion: &mut Criterion) {
    let (files, what) = files();
    let load_ms = ms_on_cpu(|| load_all(&files));
    let both_ms = ms_on_cpu(|| RuleSet::build(load_all(&files).rules, Matching::First));
    eprintln!("{what}: loaded in {load_ms:.1} ms of CPU, with their program {both_ms:.1} ms");
    criterion.bench_function(&format!("load {what}"), |bencher| {
        bencher.iter(|| load_all(&files));
    });
}

criterion_group!(benches, load);
criterion_main!(benches);
