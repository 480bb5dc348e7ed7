//! Laws of the rules language: what is printed parses again to the same, and no bytes make the
//! parser or the loader panic or run away.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

use std::time::{Duration, Instant};

use eyas::engine::describe::{Describe, describe};
use eyas::engine::lang::ast::{
    Argument, Check, Expr, Family, ListModifier, Operand, Operator, Position, Right, Transformer,
};
use eyas::engine::lang::parser::{MAX_DEPTH, parse, parse_operand};
use eyas::engine::load::{FileResult, Loader, Settings};
use proptest::prelude::*;

fn load(text: &[u8]) -> FileResult {
    let mut loader = Loader::new(Settings::default());
    let result = loader.add("rules.yaml", text);
    let _ = (result.verbose(), result.summary(), serde_json::to_string(&result).unwrap());
    result
}

/// Identifiers that are no keyword where a macro may stand.
fn macro_name() -> impl Strategy<Value = String> {
    "[a-zA-Z][a-zA-Z0-9_]{0,8}"
        .prop_filter("a keyword", |name| !["and", "or", "not"].iter().any(|word| name == word))
}

fn field() -> impl Strategy<Value = Operand> {
    ("[a-z][a-z0-9_]{0,4}(\\.[a-z][a-z0-9_]{0,4}){1,3}", proptest::option::of(value()))
        .prop_map(|(name, argument)| Operand::Field { name, argument, at: Position::default() })
}

/// Any text that can be written: no NUL.
fn value() -> impl Strategy<Value = String> {
    prop_oneof!["[^\0]{0,12}", "[a-z/.*\\\\\"' =,()-]{0,12}", "[+-]?[0-9]{1,4}"]
}

fn operand() -> impl Strategy<Value = Operand> {
    field().prop_recursive(3, 12, 3, |inner| {
        let argument = prop_oneof![
            inner.clone().prop_map(Argument::Operand),
            value().prop_map(Argument::Literal),
            proptest::collection::vec(
                prop_oneof![inner.prop_map(Argument::Operand), value().prop_map(Argument::Literal)],
                0..3
            )
            .prop_map(Argument::List),
        ];
        (
            proptest::sample::select(Transformer::ALL.to_vec()),
            proptest::collection::vec(argument, 1..4),
            proptest::option::of(value()),
        )
            .prop_map(|(transformer, arguments, index)| Operand::Transformer {
                transformer,
                arguments,
                index,
                at: Position::default(),
            })
    })
}

fn right_operand() -> impl Strategy<Value = Right> {
    prop_oneof![
        field().prop_map(|operand| Right::Operand { operand, is_val: true }),
        operand().prop_filter_map("a field stands only in val()", |operand| {
            matches!(operand, Operand::Transformer { .. })
                .then_some(Right::Operand { operand, is_val: false })
        }),
    ]
}

fn list() -> impl Strategy<Value = Right> {
    proptest::collection::vec(value(), 0..4).prop_map(Right::List)
}

fn condition() -> impl Strategy<Value = (Operator, Option<ListModifier>, Right)> {
    let operators: Vec<Operator> =
        Operator::SPELLINGS.iter().map(|(_, operator)| *operator).collect();
    proptest::sample::select(operators).prop_flat_map(|operator| {
        let right: BoxedStrategy<(Option<ListModifier>, Right)> = match operator.family() {
            Family::Unary => Just((None, Right::Nothing)).boxed(),
            Family::Number => prop_oneof![
                "[+-]?[0-9]{1,5}(\\.[0-9]{0,3})?".prop_map(Right::Literal),
                "0x[0-9a-f]{1,6}".prop_map(Right::Literal),
                right_operand(),
            ]
            .prop_map(|right| (None, right))
            .boxed(),
            Family::Text => prop_oneof![
                value().prop_map(|text| (None, Right::Literal(text))),
                right_operand().prop_map(|right| (None, right)),
                (proptest::sample::select(ListModifier::ALL.to_vec()), list())
                    .prop_map(|(modifier, right)| (Some(modifier), right)),
            ]
            .boxed(),
            Family::List => {
                prop_oneof![list(), right_operand()].prop_map(|right| (None, right)).boxed()
            }
        };
        right.prop_map(move |(modifier, right)| (operator, modifier, right))
    })
}

fn check() -> impl Strategy<Value = Expr> {
    (operand(), condition()).prop_map(|(left, (operator, modifier, right))| {
        let (right_at, at) = (Position::default(), Position::default());
        Expr::Check(std::sync::Arc::new(Check { left, operator, modifier, right, right_at, at }))
    })
}

fn expr() -> impl Strategy<Value = Expr> {
    let leaf = prop_oneof![
        4 => check(),
        1 => macro_name().prop_map(|name| Expr::Macro { name, at: Position::default() }),
    ];
    leaf.prop_recursive(5, 40, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 2..5).prop_map(Expr::And),
            proptest::collection::vec(inner.clone(), 2..5).prop_map(Expr::Or),
            inner.prop_map(|inner| Expr::Not(Box::new(inner))),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_printed_parses_to_the_same(expr in expr()) {
        let text = expr.to_string();
        let mut again = parse(&text).map_err(|e| TestCaseError::fail(format!("{text}: {e}")))?;
        again.strip_positions();
        prop_assert_eq!(again, expr, "{}", text);
    }

    #[test]
    fn any_text_is_a_condition_or_an_error(text in "\\PC{0,60}") {
        let _ = (parse(&text), parse_operand(&text));
    }

    #[test]
    fn text_made_of_tokens_is_a_condition_or_an_error(
        tokens in proptest::collection::vec(
            proptest::sample::select(vec![
                "evt.type", "=", " ", "and", "or", "not", "(", ")", "in", ",", "'a", "\"b\\", "\"",
                "tolower(", "val(", "proc.env[", "]", "m", "exists", "startswith ", "anyof ", "0x1",
                "-5", "<=", "\n", "join(",
            ]),
            0..24
        )
    ) {
        let text = tokens.concat();
        if let Ok(expr) = parse(&text) {
            prop_assert!(parse(&expr.to_string()).is_ok(), "{}", expr);
        }
    }

    #[test]
    fn any_bytes_are_rules_or_errors(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        load(&bytes);
    }

    #[test]
    fn yaml_made_of_tokens_is_rules_or_errors(
        tokens in proptest::collection::vec(
            proptest::sample::select(vec![
                "- ", "rule: r\n", "macro: m\n", "list: l\n", "  condition: ", "evt.type = open",
                "  items: ", "[", "]", "a, b", "\n", "  desc: d\n", "  output: o %evt.num\n",
                "  priority: INFO\n", "  append: true\n", "  override:\n", "    condition: append\n",
                "  exceptions:\n", "   - name: e\n", "     fields: [proc.name]\n", "     values: ",
                "  tags: ", "*a", "&a ", "|\n", ">\n", "---\n", "\t", "'", "\"", "{", "}", ": ", "#",
                "- required_engine_version: 7\n", "- required_plugin_versions: ", "~", "l", "m", ",",
            ]),
            0..40
        )
    ) {
        load(tokens.concat().as_bytes());
    }
}

/// An item of a rules file: definitions and appends of few names, so that they often meet.
fn item() -> impl Strategy<Value = String> {
    let condition = prop_oneof![
        Just("evt.type = open".to_owned()),
        (0..4, 0..2).prop_map(|(m, l)| format!("m{m} and proc.name in (l{l})")),
        (0..4, 0..4).prop_map(|(m, n)| format!("(m{m} or not m{n})")),
    ];
    let append = prop_oneof![3 => Just(""), 1 => Just("  append: true\n")];
    let with_condition = (0..4, condition.clone(), append.clone()).prop_map(|(m, text, append)| {
        let or = if append.is_empty() { "" } else { "or " };
        format!("- macro: m{m}\n  condition: {or}{text}\n{append}")
    });
    let more = (0..3, condition.clone())
        .prop_map(|(r, text)| format!("- rule: r{r}\n  condition: and {text}\n  append: true\n"));
    prop_oneof![
        4 => with_condition,
        1 => (0..2, 0..3, append)
            .prop_map(|(l, i, append)| format!("- list: l{l}\n  items: [a{i}, b]\n{append}")),
        3 => (0..3, condition).prop_map(|(r, text)| format!(
            "- rule: r{r}\n  desc: d\n  condition: {text}\n  output: o\n  priority: INFO\n"
        )),
        1 => more,
    ]
}

/// What items build upon.
const BASE: &str = "- list: l0\n  items: [a]\n- list: l1\n  items: [l0, c]\n\
     - macro: m0\n  condition: evt.type = open\n- macro: m1\n  condition: m0\n\
     - macro: m2\n  condition: evt.type = close and m1\n- macro: m3\n  condition: not m0\n\
     - rule: r0\n  desc: d\n  condition: m2\n  output: o\n  priority: INFO\n";

/// What is loaded, or what is wrong.
fn told(loader: Loader, last: &FileResult) -> String {
    let errors: Vec<_> = last.errors.iter().map(|error| (error.code, &error.message)).collect();
    if !errors.is_empty() {
        return format!("{errors:?}");
    }
    let loaded = loader.finish().unwrap();
    let described = describe(&loaded, &Describe::All).unwrap();
    serde_json::to_string(&described).unwrap()
}

proptest! {
    #[test]
    fn what_a_later_file_leaves_alone_is_what_it_was(
        items in proptest::collection::vec(item(), 2..14),
        cut in 0..14_usize,
    ) {
        let cut = cut.min(items.len());
        let files = [BASE.to_owned() + &items[..cut].concat(), items[cut..].concat()];
        let mut apart = Loader::new(Settings::default());
        if apart.add("first", files[0].as_bytes()).successful() {
            let last = apart.add("second", files[1].as_bytes());
            let mut whole = Loader::new(Settings::default());
            let result = whole.add("whole", files.concat().as_bytes());
            prop_assert_eq!(told(apart, &last), told(whole, &result));
        }
    }
}

#[test]
fn nesting_has_a_limit_and_needs_no_stack() {
    let nested =
        |depth: usize| format!("{}evt.type = open{}", "(".repeat(depth), ")".repeat(depth));
    assert!(parse(&nested(MAX_DEPTH - 1)).is_ok());
    let error = parse(&nested(MAX_DEPTH)).unwrap_err();
    assert_eq!(error.message, "exceeded max depth limit of 1000");
    assert!(parse(&nested(1 << 20)).is_err());
    let nots = format!("{}evt.type = open{}", "not (".repeat(900), ")".repeat(900));
    assert!(parse(&nots).unwrap().to_string().starts_with("not (not (not"));
    assert!(parse(&"tolower(".repeat(100_000)).is_err());
    assert!(load("[".repeat(1 << 20).as_bytes()).errors.len() == 1);
}

/// Rules files that would grow without end.
fn bombs() -> Vec<(&'static str, String)> {
    let rule = "- rule: r\n  desc: d\n  condition: CONDITION\n  output: o\n  priority: INFO\n";
    let mut macros = "- macro: m0\n  condition: evt.type = open\n".to_owned();
    let mut chain = macros.clone();
    for level in 1..60 {
        let below = level - 1;
        macros += &format!("- macro: m{level}\n  condition: m{below} and not m{below}\n");
    }
    for level in 1..20_000 {
        chain += &format!("- macro: m{level}\n  condition: not m{}\n", level - 1);
    }
    let mut lists = String::new();
    for level in 0..60 {
        let above = level + 1;
        lists += &format!("- list: l{level}\n  items: [l{above}, l{above}]\n");
    }
    let wide: Vec<String> = (0..20_000).map(|i| format!("x{i}")).collect();
    let mut many = format!("- list: wide\n  items: [{}]\n", wide.join(","));
    for number in 0..5_000 {
        many += &rule
            .replace("CONDITION", "evt.type in (open) and proc.name in (wide)")
            .replace(": r\n", &format!(": r{number}\n"));
    }
    vec![
        ("macros", macros + &rule.replace("CONDITION", "m59")),
        ("chain", chain + &rule.replace("CONDITION", "m19999")),
        ("lists", lists + &rule.replace("CONDITION", "proc.name in (l0)")),
        ("many", many),
    ]
}

#[test]
fn rules_that_would_grow_without_end_are_refused() {
    for (name, text) in bombs() {
        let start = Instant::now();
        let result = load(text.as_bytes());
        assert!(!result.successful(), "{name} was loaded");
        // Generous: the machine may be busy and the build is for debugging.
        assert!(start.elapsed() < Duration::from_secs(60), "{name}: {:?}", start.elapsed());
    }
}
