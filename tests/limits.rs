//! No rules file and no condition of 1 MiB takes more than 256 MiB of memory or 1 s of CPU time,
//! whatever is in it.
//!
//! The program itself is measured: what the kernel says of its highest memory and of its CPU time
//! in user mode, so that a busy machine doesn't matter. It is the optimised one that is asked for
//! by `EYAS_LIMITS=path`, as CI does. Without it the one that is built with this test is taken; if
//! that is made for debugging, the shapes are an eighth as large and only memory is looked at.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr, reason = "a test")]
#![allow(unsafe_code, reason = "wait4(2), which tells what one child took")]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// One MiB, the size of the input.
const MIB: usize = 1 << 20;
/// Most memory, in bytes.
const MOST_MEMORY: usize = 256 * MIB;
/// Most CPU time.
const MOST_TIME: Duration = Duration::from_secs(1);

/// The program, and whether it is optimised.
fn program() -> (PathBuf, bool) {
    match std::env::var_os("EYAS_LIMITS") {
        Some(path) => (path.into(), true),
        None => (env!("CARGO_BIN_EXE_eyas").into(), !cfg!(debug_assertions)),
    }
}

/// How many bytes the shapes have.
fn size() -> usize {
    if program().1 { MIB } else { MIB / 8 }
}

/// What a run of the program took.
#[derive(Clone, Copy, Debug)]
struct Cost {
    bytes: usize,
    time: Duration,
    /// How it ended, if by itself: with 0 if all is well, with 1 if the rules are wrong.
    code: Option<i32>,
}

/// Runs the program and measures it.
#[allow(clippy::zombie_processes, reason = "wait4(2) waits for it")]
fn cost(program: &Path, arguments: &[&str]) -> Cost {
    // What this process had at its highest counts as the child's too: so little is kept here.
    let child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let pid = i32::try_from(child.id()).unwrap();
    let mut status = 0;
    // SAFETY: rusage is numbers, for which zero is a value.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: both places are ours and live on; the child is waited for nowhere else.
    let ended = unsafe { libc::wait4(pid, &raw mut status, 0, &raw mut usage) };
    assert_eq!(ended, pid);
    let seconds = u64::try_from(usage.ru_utime.tv_sec).unwrap();
    let micros = u64::try_from(usage.ru_utime.tv_usec).unwrap();
    Cost {
        bytes: usize::try_from(usage.ru_maxrss).unwrap() << 10,
        time: Duration::from_secs(seconds) + Duration::from_micros(micros),
        code: libc::WIFEXITED(status).then(|| libc::WEXITSTATUS(status)),
    }
}

/// What takes more than its share when `arguments` are given with each of the rules files.
fn assert_bounded(arguments: &[&str]) {
    let (program, is_fast) = program();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("rules.yaml");
    let config = directory.path().join("eyas.yaml");
    std::fs::write(&config, "").unwrap();
    let mut all: Vec<&str> = vec!["-c", config.to_str().unwrap()];
    all.extend(arguments);
    all.push(file.to_str().unwrap());
    std::fs::write(&file, rule(0, "evt.type=open")).unwrap();
    let good = cost(&program, &all);
    assert_eq!(good.code, Some(0), "{all:?} works");
    let mut failed = Vec::new();
    each_file(&mut |what, text| {
        // Where the size is smaller, some shapes that are of one size only are too large.
        if text.len() > size() + 256 {
            eprintln!("{what}: left out");
            return;
        }
        std::fs::write(&file, text).unwrap();
        let Cost { bytes, time, code } = cost(&program, &all);
        let told = format!("{what}: {} MiB, {time:.2?}, ended with {code:?}", bytes / MIB);
        eprintln!("{told}");
        if bytes > MOST_MEMORY || (is_fast && time > MOST_TIME) || !matches!(code, Some(0 | 1)) {
            failed.push(told);
        }
    });
    assert!(failed.is_empty(), "{failed:#?}");
}

/// `make` of 0, 1, 2 … one after the other, up to the size with what stands before and behind.
fn filled(before: &str, behind: &str, make: impl Fn(usize) -> String) -> String {
    let mut text = before.to_owned();
    for index in 0.. {
        let part = make(index);
        if text.len() + part.len() + behind.len() > size() {
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
fn each_condition(add: &mut dyn FnMut(&str, String)) {
    let nested = |opening: &str, closing: &str| {
        filled("evt.type = open", "", |_| {
            format!(" or {}fd.num = 1{}", opening.repeat(990), closing.repeat(990))
        })
    };
    add("one check after another", filled("evt.type=open", "", |_| " or fd.num=1".to_owned()));
    add("different checks", filled("evt.type=open", "", |i| format!(" or fd.num={i}")));
    add("parentheses", nested("(", ")"));
    add("negations", nested("not (", ")"));
    add("open parentheses", "(".repeat(size()));
    add("nots", "not ".repeat(size() / 4));
    add("a long list", filled("proc.name in (a", ")", |i| format!(",{i}")));
    add("a long list of numbers", filled("fd.num in (0", ")", |i| format!(",{i}")));
    add("a long list of networks", filled("fd.net in (1.2.3.4/8", ")", |_| ",1.2.3.4/8".into()));
    add("a long list of paths", filled("fd.name pmatch (/a", ")", |i| format!(",/*{i}")));
    add("short paths", filled("fd.name pmatch (/a", ")", |_| ",/a".to_owned()));
    add("a long list of parts", filled("fd.name contains anyof (a", ")", |i| format!(",{i}")));
    add("many parts", filled("evt.type=open", "", |i| format!(" or fd.name contains {i}")));
    add("many patterns", filled("evt.type=open", "", |i| format!(" or fd.name glob *{i}?*")));
    add("many regexes", filled("evt.type=open", "", |i| format!(" or fd.name regex {i}")));
    add("big regexes", {
        filled("evt.type=open", "", |i| {
            format!(" or fd.name regex \"(({i}[a-z]{{1,50}}){{1,50}}){{1,20}}\"")
        })
    });
    add("classes", {
        filled("evt.type=open", "", |i| format!(" or fd.name regex \"\\\\pL{{9}}{i}\\\\w+\""))
    });
    add("one long regex", format!("fd.name regex \"{}\"", "(a|b)*".repeat(size() / 6 - 10)));
    add("a long regex of dots", format!("fd.name regex \"{}\"", ".*".repeat(size() / 2 - 20)));
    add("a long pattern", format!("fd.name glob \"{}\"", "*a".repeat(size() / 2 - 20)));
    add(
        "transformers",
        filled("evt.type=open", "", |i| {
            format!(" or concat({}) = x", vec![format!("proc.aname[{i}]"); 20].join(","))
        }),
    );
    add("fields", filled("evt.type=open", "", |i| format!(" or proc.aname[{i}]=val(proc.name)")));
    add("arguments", filled("evt.type=open", "", |i| format!(" or proc.env[{i}]=a")));
    add("parameters", filled("evt.type=open", "", |_| " or evt.arg.name=a".to_owned()));
    add("all types", filled("evt.type!=open", "", |i| format!(" or (evt.num={i} and fd.num=1)")));
    add("quotes", "\"".repeat(size()));
    add("backslashes", format!("proc.name = \"{}\"", "\\".repeat(size() - 20)));
}

/// Rules files made to cost much.
fn each_file(act: &mut dyn FnMut(&str, &[u8])) {
    each_condition(&mut |what, text| {
        let quoted = text.replace('\'', "''");
        act(&format!("a rule: {what}"), format!("{RULE}'{quoted}'\n").as_bytes());
    });
    let mut add = |what: &str, text: String| act(what, text.as_bytes());
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
        format!("{RULE}evt.type = open\n  output: \"{}\"\n", "%fd.num".repeat(size() / 7 - 20))
            .replacen("  output: o\n", "", 1)
    });
    add("an output of arguments", {
        filled(
            &format!("{RULE}evt.type = open\n  output: \"").replacen("  output: o\n", "", 1),
            "\"\n",
            |i| format!("%proc.aname[{i}]"),
        )
    });
    add("documents", "---\n".repeat(size() / 4));
    add("documents and a rule", "---\n".repeat(size() / 4 - 40) + &rule(0, "evt.type=open"));
    add("empty elements", format!("[{}]", ",".repeat(size() - 2)));
    add("nulls", "-\n".repeat(size() / 2));
    add("sequences", "[".repeat(size()));
    add("maps", "{".repeat(size()));
    add("keys", filled("{", "}", |i| format!("{i}: ,")));
    add("questions", "? ".repeat(size() / 2));
    add("dashes", "- ".repeat(size() / 2));
    add("anchors", filled("", "", |i| format!("- &a{i} x\n")));
    add("aliases", filled("- &a [x]\n", "", |_| "- *a\n".to_owned()));
    add("aliases of aliases", {
        filled("- &a0 [x, x]\n", "", |i| format!("- &a{} [*a{i}, *a{i}]\n", i + 1))
    });
    add("a plugin's versions", {
        let entry = |i| format!("    - {{name: p{i}, version: 1.0.0}}\n");
        filled("- required_plugin_versions:\n", "", entry)
    });
    add("spaces", " ".repeat(size()));
    add("lines", "\n".repeat(size()));
    add("tabs", "\t".repeat(size()));
    add("comments", "#\n".repeat(size() / 2));
    add("a long key", format!("{}: b", "k".repeat(size() - 3)));
    add("nothing but text", "x".repeat(size()));
    add("bytes", "\u{1}".repeat(size()));
    add("wide characters", "\u{10348}".repeat(size() / 4));
    add("escapes", format!("- list: \"{}\"", "\\x01".repeat(size() / 4 - 4)));
    add("a block of lines", format!("- list: |\n{}", "  \n".repeat(size() / 3 - 4)));
    add("a folded block", format!("- list: >\n{}", "  a\n".repeat(size() / 4 - 4)));
    add("documents with a text", "--- x\n".repeat(size() / 6));
    add("elements", format!("[{}]", "x,".repeat(size() / 2 - 1)));
    add("few empty elements", format!("[{}]{}", ",".repeat(190_000), " ".repeat(800_000)));
    add("empty quotes", format!("[{}]", "\"\"".repeat(size() / 2 - 1)));
    add("pairs", format!("- {{{}}}", "a: b: ".repeat(size() / 6 - 1)));
    add("tags of YAML", filled("", "", |i| format!("- !t{i} x\n")));
    add("directives", filled("", "", |i| format!("%TAG !{i}! x\n")));
    add("anchors of anchors", "&a ".repeat(size() / 3));
    add("an alias of a long text", {
        let text = "x".repeat(size() / 2);
        filled(&format!("- list: l\n  items: [&a {text}"), "]\n", |_| ", *a".to_owned())
    });
    add("items of an alias", {
        let text = "x".repeat(size() / 2);
        filled(&format!("- &a {{{text}: x}}\n"), "", |_| "- *a\n".to_owned())
    });
    add("unknown keys below a long name", {
        let before = format!("- list: {}\n  items: []\n", "x".repeat(size() / 2));
        filled(&before, "", |_| "  a: b\n".to_owned())
    });
    add("lists of the same alias", {
        let items = vec!["x"; 1000].join(", ");
        let before = format!("- list: l\n  items: &a [{items}]\n");
        filled(&before, "", |i| format!("- {{list: l{i}, items: *a}}\n"))
    });
    add("lists", filled("", "", |i| format!("- list: l{i}\n  items: [a]\n")));
    add("lists of odd names", {
        let list = |i| format!("- list: \"({i}\"\n  items: [a]\n");
        let before = filled("", "", |i| if i < 15_000 { list(i) } else { "#".repeat(size()) });
        filled(&before, "", |i| rule(i, "evt.type=open and fd.num=1"))
    });
    add("lists that name others", {
        let list = |i| format!("- list: l{i}\n  items: [\"a l{} l{}\"]\n", i + 1, i + 2);
        filled("", &rule(0, "proc.name in (l0)"), list)
    });
    add("appended macros", {
        let before = "- macro: m\n  condition: evt.type=open\n";
        let macros = |i| format!("- macro: m\n  append: true\n  condition: or fd.num={i}\n");
        filled(before, &rule(0, "m"), macros)
    });
    add("appended outputs", {
        let part = "- rule: r\n  output: p %fd.name\n  override: {output: append}\n";
        filled(&format!("{RULE}evt.type = open\n"), "", |_| part.to_owned())
    });
    add("appended exceptions", {
        let before =
            format!("{RULE}evt.type = open\n  exceptions:\n  - {{name: e, fields: [fd.name]}}\n");
        let part = |i| {
            format!("- rule: r\n  append: true\n  exceptions:\n  - {{name: e, values: [[{i}]]}}\n")
        };
        filled(&before, "", part)
    });
    add("appended exceptions without values", {
        let before =
            format!("{RULE}evt.type = open\n  exceptions:\n  - {{name: e, fields: [fd.name]}}\n");
        filled(&before, "", |_| {
            "- rule: r\n  append: true\n  exceptions:\n  - {name: e}\n".to_owned()
        })
    });
    add("appended tags", {
        let part = |i| format!("- rule: r\n  tags: [t{i}]\n  override: {{tags: append}}\n");
        filled(&format!("{RULE}evt.type = open\n"), "", part)
    });
    add("rules switched off", {
        filled(&format!("{RULE}evt.type = open\n"), "", |_| "- {rule: r, enabled: no}\n".into())
    });
    add(
        "rules of another source",
        filled("", "", |i| {
            rule(i, "evt.type=open").replace("  priority", "  source: x\n  priority")
        }),
    );
    add(
        "rules of unknown fields",
        filled("", "", |i| {
            rule(i, "no.field=1").replace("  priority", "  skip-if-unknown-filter: yes\n  priority")
        }),
    );
    add("alternatives of a plugin", {
        let before = "- required_plugin_versions:\n  - name: a\n    version: 1.0.0\n    \
                      alternatives:\n";
        filled(before, "", |i| format!("    - {{name: p{i}, version: 1.0.0}}\n"))
    });
    add("versions of the engine", "- required_engine_version: 0.1.0\n".repeat(size() / 33));
    add("unused macros", filled("", "", |i| format!("- macro: m{i}\n  condition: fd.num=1\n")));
    add("repeated keys", filled("- rule: r\n", "", |_| "  desc: d\n".to_owned()));
    add("overrides", filled("- rule: r\n  override:\n", "", |_| "    desc: append\n".to_owned()));
    act("no UTF-8", &vec![0xff; size()]);
    act("zeros", &vec![0; size()]);
}

#[test]
fn validating_a_rules_file_takes_no_more_than_its_share() {
    assert_bounded(&["-V"]);
}

#[test]
fn validating_as_json_takes_no_more_than_its_share() {
    assert_bounded(&["-o", "json_output=true", "-V"]);
}

#[test]
fn describing_a_rules_file_takes_no_more_than_its_share() {
    assert_bounded(&["-o", "json_output=true", "-L", "-r"]);
}

#[test]
fn the_measure_measures() {
    let Cost { bytes, code, .. } = cost(Path::new("/bin/sh"), &["-c", "exit 3"]);
    assert!(code == Some(3) && bytes > MIB / 4 && bytes < 64 * MIB, "{bytes}");
    let Cost { time, code, .. } = cost(
        Path::new("/bin/sh"),
        &["-c", "i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done; kill -9 $$"],
    );
    assert!(code.is_none() && time > Duration::from_millis(20), "{time:?}");
}
