//! The fuzz targets of `fuzz/` compile with the library as it is, and take their seeds and what a
//! few thousand small changes make of them. That finds a target which was left behind; long runs
//! are `fuzz/run`'s.
//!
//! libfuzzer isn't built for it: this file stands in for its crate, with a macro of the same name
//! that makes a function of each target.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

extern crate self as libfuzzer_sys;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// What libfuzzer's macro takes: a target of bytes or of text, which is skipped where the bytes
/// are none.
#[macro_export]
macro_rules! fuzz_target {
    (|$input:ident: &[u8]| $body:block) => {
        pub(crate) fn run($input: &[u8]) {
            $body
        }
    };
    (|$input:ident: &str| $body:block) => {
        pub(crate) fn run(bytes: &[u8]) {
            let Ok($input) = std::str::from_utf8(bytes) else { return };
            $body
        }
    };
}

/// A target's file as a module, and its seeds: directories with a file each.
macro_rules! targets {
    ($($name:ident: $file:literal, [$($seeds:literal),*];)+) => {
        $(
            #[path = $file]
            #[allow(unused_attributes, reason = "no main but libfuzzer's: here it is the test's")]
            mod $name;
        )+
        const TARGETS: &[Target] = &[$(
            Target { name: stringify!($name), run: $name::run, seeds: &[$($seeds),*] },
        )+];
    };
}

/// A fuzz target.
struct Target {
    name: &'static str,
    run: fn(&[u8]),
    /// Directories of seeds, from the package's root.
    seeds: &'static [&'static str],
}

targets! {
    audit: "../fuzz/fuzz_targets/audit.rs", ["tests/golden/audit"];
    condition: "../fuzz/fuzz_targets/condition.rs", [];
    fanotify: "../fuzz/fuzz_targets/fanotify.rs", ["tests/golden/fanotify"];
    output_template: "../fuzz/fuzz_targets/output_template.rs", [];
    proc_connector: "../fuzz/fuzz_targets/proc_connector.rs", ["tests/golden/proc_connector"];
    procfs_stat: "../fuzz/fuzz_targets/procfs_stat.rs", [];
    procfs_text: "../fuzz/fuzz_targets/procfs_text.rs", [];
    rules_yaml: "../fuzz/fuzz_targets/rules_yaml.rs", ["rules", "tests/rules"];
    scap: "../fuzz/fuzz_targets/scap.rs", ["tests/golden/scap"];
}

/// Changes to each seed.
const CHANGES: u64 = 60;
/// Seeds longer than this many bytes are cut.
const LONGEST: usize = 4096;

/// Seeds that no file has: a text of each kind that the targets read.
const TEXTS: &[&str] = &[
    "",
    "evt.type in (open, openat) and (fd.name startswith /etc or not proc.name = \"a b\")",
    "val(proc.aname[2]) = toupper(proc.name) and evt.arg.flags contains O_CREAT",
    "\u{3}\u{5}/bin/%proc.name %evt.arg[0] %container.info %fd.name*",
    "1 (a) b) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22",
    "0::/system.slice/docker-0123456789abcdef.scope\n",
    "22 1 0:21 / /proc rw,relatime shared:5 - proc proc rw,upperdir=/a\n",
];

/// The next of a row of numbers that look like chance but are the same each time (xorshift64).
fn next(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

/// The bytes with one thing changed: a byte, a part left out, a part said twice.
fn changed(seed: &[u8], state: &mut u64) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    let mut place = |len: usize| usize::try_from(next(state)).unwrap() % (len + 1);
    let (from, to) = (place(bytes.len()), place(bytes.len()));
    let part = from.min(to)..from.max(to);
    match place(2) {
        0 => bytes.insert(from, u8::try_from(place(255)).unwrap()),
        1 => drop(bytes.drain(part)),
        _ => bytes.extend_from_within(part),
    }
    bytes
}

/// The files of a directory, in their order.
fn files(dir: &str) -> Vec<Vec<u8>> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join(dir);
    let mut paths: Vec<_> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.into_iter().filter(|path| path.is_file()).map(|path| fs::read(path).unwrap()).collect()
}

#[test]
fn every_fuzz_target_takes_its_seeds_and_small_changes_of_them() {
    for target in TARGETS {
        let mut state = 0x9E37_79B9_7F4A_7C15;
        let mut seeds: Vec<Vec<u8>> = target.seeds.iter().flat_map(|dir| files(dir)).collect();
        assert!(target.seeds.is_empty() || !seeds.is_empty(), "{} has no seeds", target.name);
        seeds.extend(TEXTS.iter().map(|text| text.as_bytes().to_vec()));
        for seed in &mut seeds {
            (target.run)(seed);
            seed.truncate(LONGEST);
            for _ in 0..CHANGES {
                (target.run)(&changed(seed, &mut state));
            }
        }
    }
}

#[test]
fn every_fuzz_target_is_tried_here_and_built_by_its_package() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/fuzz_targets");
    let there: BTreeSet<_> = fs::read_dir(root)
        .unwrap()
        .map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    let tried: BTreeSet<_> = TARGETS.iter().map(|target| target.name.to_owned()).collect();
    assert_eq!(tried, there);
    let built: BTreeSet<_> = include_str!("../fuzz/Cargo.toml")
        .lines()
        .filter_map(|line| line.strip_prefix("path = \"fuzz_targets/")?.strip_suffix(".rs\""))
        .map(str::to_owned)
        .collect();
    assert_eq!(built, there);
}
