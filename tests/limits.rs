//! No rules file and no condition of 1 MiB takes more than 256 MiB of memory or 1 s of CPU time,
//! whatever is in it.
//!
//! Memory is counted as malloc(3) hands it out, at its highest. The time is looked at only where
//! the build is optimised (`cargo test --release --test limits`): it is CPU time, so that a busy
//! machine doesn't matter.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr, reason = "a test")]
#![allow(unsafe_code, reason = "an allocator can be replaced in no other way")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::fmt::Write as _;
use std::time::Duration;

use eyas::engine::compile::compile;
use eyas::engine::lang::parser::parse;
use eyas::engine::load::{Loader, Settings};
use eyas::engine::ruleset::{Matching, RuleSet};
use nix::time::{ClockId, clock_gettime};

/// Bytes of input.
const MIB: usize = 1 << 20;
/// Most memory, in bytes.
const MOST_MEMORY: usize = 256 * MIB;
/// Most CPU time.
const MOST_TIME: Duration = Duration::from_secs(1);

/// Counts what the present thread holds.
struct Counting;

thread_local! {
    static HELD: Cell<usize> = const { Cell::new(0) };
    static HIGHEST: Cell<usize> = const { Cell::new(0) };
}

/// What malloc(3) takes for so many bytes: a word before it, all in steps of 16, 32 at least.
const fn taken(size: usize) -> usize {
    let whole = (size + 8).next_multiple_of(16);
    if whole < 32 { 32 } else { whole }
}

fn hold(size: usize) {
    let _ = HELD.try_with(|held| {
        held.set(held.get() + taken(size));
        let _ = HIGHEST.try_with(|highest| highest.set(highest.get().max(held.get())));
    });
}

fn release(size: usize) {
    let _ = HELD.try_with(|held| held.set(held.get().saturating_sub(taken(size))));
}

// SAFETY: every call is passed on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        hold(layout.size());
        // SAFETY: the caller's promise about the layout is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        release(layout.size());
        // SAFETY: the place came from `alloc` above, which is the system's.
        unsafe { System.dealloc(place, layout) }
    }

    unsafe fn realloc(&self, place: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // Old and new may be there at the same time.
        hold(size);
        release(layout.size());
        // SAFETY: as for `dealloc`; the size is the caller's.
        unsafe { System.realloc(place, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What something cost.
#[derive(Clone, Copy, Debug)]
struct Cost {
    bytes: usize,
    time: Duration,
}

fn on_cpu() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).unwrap().into()
}

fn cost(act: impl FnOnce()) -> Cost {
    let before = HELD.get();
    HIGHEST.set(before);
    let start = on_cpu();
    act();
    Cost { bytes: HIGHEST.get() - before, time: on_cpu() - start }
}

/// As the agent loads it.
fn load(text: &[u8]) {
    let mut loader = Loader::new(Settings::default());
    let result = loader.add("rules.yaml", text);
    let Ok(loaded) = loader.finish() else { return };
    drop(RuleSet::build(loaded.rules, Matching::First));
    drop(result);
}

/// As `-V` tells of it.
fn tell(text: &[u8]) {
    let mut loader = Loader::new(Settings::default());
    let result = loader.add("rules.yaml", text);
    drop(result.verbose());
    drop(result.to_json());
}

/// What takes more than its share, of what `act` does with each of the inputs.
fn assert_bounded(inputs: Vec<(String, String)>, act: impl Fn(&str)) {
    let mut failed = Vec::new();
    for (what, text) in inputs {
        assert!(text.len() <= MIB + 256, "{what}: {}", text.len());
        let Cost { bytes, time } = cost(|| act(&text));
        let told = format!("{what}: {} MiB, {time:.2?}", bytes / MIB);
        eprintln!("{told}");
        if bytes > MOST_MEMORY || (!cfg!(debug_assertions) && time > MOST_TIME) {
            failed.push(told);
        }
    }
    assert!(failed.is_empty(), "{failed:#?}");
}

/// `make` of 0, 1, 2 … one after the other, up to 1 MiB with what stands before and behind.
fn filled(before: &str, behind: &str, make: impl Fn(usize) -> String) -> String {
    let mut text = before.to_owned();
    for index in 0.. {
        let part = make(index);
        if text.len() + part.len() + behind.len() > MIB {
            break;
        }
        text += &part;
    }
    text + behind
}

const RULE: &str = "- rule: r\n  desc: d\n  output: o\n  priority: INFO\n  condition: ";

fn rule(number: usize, condition: &str) -> String {
    format!(
        "- rule: r{number}\n  desc: d\n  output: o\n  priority: INFO\n  condition: {condition}\n"
    )
}

/// Lists of lists that come to `width` to the power of `depth` elements.
fn nested_lists(width: usize, depth: usize) -> String {
    let mut text = "- list: l0\n  items: [a]\n".to_owned();
    for level in 1..=depth {
        let items = vec![format!("l{}", level - 1); width].join(", ");
        let _ = writeln!(text, "- list: l{level}\n  items: [{items}]");
    }
    text + &rule(0, &format!("proc.name in (l{depth})"))
}

fn nested_macros(width: usize, depth: usize) -> String {
    let mut text = "- macro: m0\n  condition: (evt.type = open and fd.name = /x)\n".to_owned();
    for level in 1..=depth {
        let parts = vec![format!("m{}", level - 1); width].join(" and not ");
        let _ = writeln!(text, "- macro: m{level}\n  condition: ({parts})");
    }
    text + &rule(0, &format!("m{depth}"))
}

/// A rule with `tuples` tuples of `fields` values by aliases.
fn exceptions(fields: usize, tuples: usize) -> String {
    let list = |item: &str, count: usize| vec![item; count].join(", ");
    format!(
        "{RULE}evt.type = open\n  exceptions:\n  - name: e\n    fields: [{}]\n    comps: [{}]\n    \
         values:\n    - &t [{}]\n    - {}\n",
        list("proc.name", fields),
        list("=", fields),
        list("x", fields),
        list("*t", tuples).replace(", ", "\n    - "),
    )
}

/// Conditions made to cost much.
fn conditions() -> Vec<(&'static str, String)> {
    let nested = |opening: &str, closing: &str| {
        filled("evt.type = open", "", |_| {
            format!(" or {}fd.num = 1{}", opening.repeat(990), closing.repeat(990))
        })
    };
    vec![
        ("one check after another", filled("evt.type=open", "", |_| " or fd.num=1".to_owned())),
        ("different checks", filled("evt.type=open", "", |i| format!(" or fd.num={i}"))),
        ("parentheses", nested("(", ")")),
        ("negations", nested("not (", ")")),
        ("open parentheses", "(".repeat(MIB)),
        ("nots", "not ".repeat(MIB / 4)),
        ("a long list", filled("proc.name in (a", ")", |i| format!(",{i}"))),
        ("a long list of numbers", filled("fd.num in (0", ")", |i| format!(",{i}"))),
        ("a long list of networks", filled("fd.net in (1.2.3.4/8", ")", |_| ",1.2.3.4/8".into())),
        ("a long list of paths", filled("fd.name pmatch (/a", ")", |i| format!(",/*{i}"))),
        ("short paths", filled("fd.name pmatch (/a", ")", |_| ",/a".to_owned())),
        ("a long list of parts", filled("fd.name contains anyof (a", ")", |i| format!(",{i}"))),
        ("many parts", filled("evt.type=open", "", |i| format!(" or fd.name contains {i}"))),
        ("many patterns", filled("evt.type=open", "", |i| format!(" or fd.name glob *{i}?*"))),
        ("many regexes", filled("evt.type=open", "", |i| format!(" or fd.name regex {i}"))),
        ("big regexes", {
            filled("evt.type=open", "", |i| {
                format!(" or fd.name regex \"(({i}[a-z]{{1,50}}){{1,50}}){{1,20}}\"")
            })
        }),
        ("classes", {
            filled("evt.type=open", "", |i| format!(" or fd.name regex \"\\\\pL{{9}}{i}\\\\w+\""))
        }),
        ("one long regex", format!("fd.name regex \"{}\"", "(a|b)*".repeat(MIB / 6 - 10))),
        ("a long regex of dots", format!("fd.name regex \"{}\"", ".*".repeat(MIB / 2 - 20))),
        ("a long pattern", format!("fd.name glob \"{}\"", "*a".repeat(MIB / 2 - 20))),
        (
            "transformers",
            filled("evt.type=open", "", |i| {
                format!(" or concat({}) = x", vec![format!("proc.aname[{i}]"); 20].join(","))
            }),
        ),
        ("fields", filled("evt.type=open", "", |i| format!(" or proc.aname[{i}]=val(proc.name)"))),
        ("arguments", filled("evt.type=open", "", |i| format!(" or proc.env[{i}]=a"))),
        ("parameters", filled("evt.type=open", "", |_| " or evt.arg.name=a".to_owned())),
        ("all types", filled("evt.type!=open", "", |i| format!(" or (evt.num={i} and fd.num=1)"))),
        ("quotes", "\"".repeat(MIB)),
        ("backslashes", format!("proc.name = \"{}\"", "\\".repeat(MIB - 20))),
    ]
}

/// Rules files made to cost much.
fn files() -> Vec<(String, String)> {
    let mut files: Vec<(String, String)> = conditions()
        .into_iter()
        .map(|(what, text)| {
            let quoted = text.replace('\'', "''");
            (format!("a rule: {what}"), format!("{RULE}'{quoted}'\n"))
        })
        .collect();
    let mut add = |what: &str, text: String| files.push((what.to_owned(), text));
    add("rules", filled("", "", |i| rule(i, "evt.type=open")));
    add("rules of all types", filled("", "", |i| rule(i, "fd.num=1")));
    add("different rules", filled("", "", |i| rule(i, &format!("fd.name startswith /{i}"))));
    add("rules of many parts", {
        let parts = |rule: usize| {
            let part = |i| format!("fd.name contains {rule}/{i}/{rule}");
            (0..50).map(part).collect::<Vec<_>>().join(" or ")
        };
        filled("", "", |i| rule(i, &format!("proc.name=p{i} and ({})", parts(i))))
    });
    add("the same macro", {
        let parts: Vec<_> = (0..400).map(|i| format!("fd.name contains x{i}")).collect();
        let before = format!("- macro: m\n  condition: ({})\n", parts.join(" or "));
        filled(&before, "", |i| rule(i, "m"))
    });
    add("the same list", {
        let items: Vec<_> = (0..4000).map(|i| format!("x{i}")).collect();
        let before = format!("- list: l\n  items: [{}]\n", items.join(", "));
        filled(&before, "", |i| rule(i, "proc.name in (l)"))
    });
    for (width, depth) in [(2, 18), (2, 20), (10, 5), (10, 6), (100, 3), (1000, 2), (30_000, 1)] {
        add(&format!("lists {width}^{depth}"), nested_lists(width, depth));
        add(&format!("macros {width}^{depth}"), nested_macros(width, depth));
    }
    add("macros in a row", {
        let row = |i| format!("- macro: m{}\n  condition: not m{i}\n", i + 1);
        filled("- macro: m0\n  condition: fd.num=1\n", "", row)
    });
    for (fields, tuples) in [(1, 100_000), (10, 50_000), (10, 90_000), (100, 9_000), (900, 1_000)] {
        add(&format!("exceptions {fields} times {tuples}"), exceptions(fields, tuples));
    }
    add("exceptions by name", {
        let before = format!("{RULE}evt.type = open\n  exceptions:\n");
        filled(&before, "", |i| format!("  - {{name: e{i}, fields: fd.name, values: [a]}}\n"))
    });
    add("exceptions of one name", {
        let before = format!("{RULE}evt.type = open\n  exceptions:\n");
        filled(&before, "", |_| "  - {name: e, fields: fd.name, values: [a]}\n".to_owned())
    });
    add("appended conditions", {
        let before = format!("{RULE}evt.type = open\n");
        filled(&before, "", |i| format!("- rule: r\n  append: true\n  condition: or fd.num={i}\n"))
    });
    add("appended lists", {
        filled("- list: l\n  items: [a]\n", "", |i| {
            format!("- list: l\n  append: true\n  items: [{i}]\n")
        })
    });
    add("replaced outputs", {
        let part = "- rule: r\n  output: p %fd.name\n  override: {output: replace}\n";
        filled(&format!("{RULE}evt.type = open\n"), "", |_| part.to_owned())
    });
    add("unknown items", filled("", "", |_| "- a: b\n".to_owned()));
    add("unknown keys", filled("- rule: r\n", "", |i| format!("  k{i}: b\n")));
    add("unknown keys of lists", filled("", "", |i| format!("- {{list: l{i}, items: [], x: }}\n")));
    add("tags", filled(&format!("{RULE}evt.type=open\n  tags: ["), "]\n", |i| format!("t{i},")));
    add("an output of fields", {
        format!("{RULE}evt.type = open\n  output: \"{}\"\n", "%fd.num".repeat(MIB / 7 - 20))
            .replacen("  output: o\n", "", 1)
    });
    add("an output of arguments", {
        filled(
            &format!("{RULE}evt.type = open\n  output: \"").replacen("  output: o\n", "", 1),
            "\"\n",
            |i| format!("%proc.aname[{i}]"),
        )
    });
    add("documents", "---\n".repeat(MIB / 4));
    add("documents and a rule", "---\n".repeat(MIB / 4 - 40) + &rule(0, "evt.type=open"));
    add("empty elements", format!("[{}]", ",".repeat(MIB - 2)));
    add("nulls", "-\n".repeat(MIB / 2));
    add("sequences", "[".repeat(MIB));
    add("maps", "{".repeat(MIB));
    add("keys", filled("{", "}", |i| format!("{i}: ,")));
    add("questions", "? ".repeat(MIB / 2));
    add("dashes", "- ".repeat(MIB / 2));
    add("anchors", filled("", "", |i| format!("- &a{i} x\n")));
    add("aliases", filled("- &a [x]\n", "", |_| "- *a\n".to_owned()));
    add("aliases of aliases", {
        filled("- &a0 [x, x]\n", "", |i| format!("- &a{} [*a{i}, *a{i}]\n", i + 1))
    });
    add("a plugin's versions", {
        let entry = |i| format!("    - {{name: p{i}, version: 1.0.0}}\n");
        filled("- required_plugin_versions:\n", "", entry)
    });
    add("spaces", " ".repeat(MIB));
    add("lines", "\n".repeat(MIB));
    add("tabs", "\t".repeat(MIB));
    add("comments", "#\n".repeat(MIB / 2));
    add("a long key", format!("{}: b", "k".repeat(MIB - 3)));
    add("nothing but text", "x".repeat(MIB));
    add("bytes", "\u{1}".repeat(MIB));
    files
}

#[test]
fn no_condition_takes_more_than_its_share() {
    let conditions = conditions().into_iter().map(|(what, text)| (what.to_owned(), text));
    assert_bounded(conditions.collect(), |text| {
        if let Ok(expr) = parse(text) {
            drop(compile(&expr));
        }
    });
}

/// Whether a test is left out: it takes minutes in a build for debugging.
fn is_left_out(test: &str) -> bool {
    let is_slow = cfg!(debug_assertions);
    if is_slow {
        eprintln!("skipped: {test}: run it with --release");
    }
    is_slow
}

#[test]
fn no_rules_file_takes_more_than_its_share() {
    if is_left_out("no_rules_file_takes_more_than_its_share") {
        return;
    }
    assert_bounded(files(), |text| load(text.as_bytes()));
}

#[test]
fn telling_of_a_rules_file_takes_no_more_than_its_share() {
    if is_left_out("telling_of_a_rules_file_takes_no_more_than_its_share") {
        return;
    }
    assert_bounded(files(), |text| tell(text.as_bytes()));
}

#[test]
fn the_counter_counts() {
    let spent = cost(|| drop(std::hint::black_box(vec![0_u8; MIB])));
    assert!((MIB..2 * MIB).contains(&spent.bytes), "{spent:?}");
}
