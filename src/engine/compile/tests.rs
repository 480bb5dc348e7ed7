//! Tests of the compiler of conditions.

use super::*;
use crate::engine::lang::parser::parse;

fn error(condition: &str) -> String {
    compile(&parse(condition).unwrap()).unwrap_err().message
}

fn warnings(condition: &str) -> Vec<String> {
    let compiled = compile(&parse(condition).unwrap()).unwrap();
    compiled.warnings.into_iter().map(|warning| warning.message).collect()
}

#[test]
fn errors_stand_at_their_check_and_warnings_at_their_literal() {
    let failed = compile(&parse("evt.type = open and proc.pid contains 5").unwrap()).unwrap_err();
    assert_eq!(
        failed.message,
        "filter error: 'contains' operator not supported for numeric filters"
    );
    assert_eq!((failed.at.line, failed.at.column), (1, 21));
    let compiled = compile(&parse("evt.type = open and proc.name regex cat").unwrap()).unwrap();
    assert_eq!(compiled.warnings[0].at.column, 37);
}

#[test]
fn unknown_event_types_are_refused_for_every_operator() {
    assert_eq!(error("evt.type in (open, opendoor)"), "unknown event type opendoor");
    assert_eq!(error("evt.type startswith ope"), "unknown event type ope");
}

#[test]
fn event_types_behind_transformers_are_refused_where_they_select() {
    let text = "event code search does not support `evt.type` checks with transformers";
    assert_eq!(error("tolower(evt.type) = open"), text);
    assert_eq!(error("evt.type = val(syscall.type)"), text);
    assert!(compile(&parse("tolower(evt.type) contains open").unwrap()).is_ok());
}

#[test]
fn a_literal_that_looks_like_a_field_is_warned_about() {
    let message = "'proc.pname' may be a valid field misused as a const string value";
    assert_eq!(warnings("proc.name = proc.pname"), [message]);
    assert_eq!(warnings("proc.name = cat"), [""; 0]);
}

#[test]
fn the_time_of_an_event_may_only_be_near() {
    assert!(compile(&parse("evt.around[1600000000000000000] = 5").unwrap()).is_ok());
    assert_eq!(error("evt.around[1] != 5"), "evt.around supports only '=' comparison operator");
}

#[test]
fn two_fields_are_compared_only_if_their_types_agree() {
    let text = "field 'proc.name' has type 'CHARBUF' while the right-hand side field 'proc.pid' has incompatible type 'INT64'";
    assert_eq!(error("proc.name = val(proc.pid)"), text);
    assert!(compile(&parse("proc.pid > val(proc.ppid)").unwrap()).is_ok());
    assert!(compile(&parse("proc.name in val(proc.pname)").unwrap()).is_ok());
}

#[test]
fn equal_checks_have_equal_canonical_texts() {
    let text = |condition: &str| {
        let compiled = compile(&parse(condition).unwrap()).unwrap();
        let mut text = String::new();
        compiled.condition.for_each_predicate(&mut |predicate| text.push_str(&predicate.text));
        text
    };
    assert_eq!(text("proc.name in (a, b)"), text("proc.name in (b, 'a', b)"));
    assert_eq!(text("proc.name == a"), text("proc.name = 'a'"));
    assert_ne!(text("proc.name in (a, b)"), text("proc.name in ('a, b')"));
}

#[test]
fn deep_nesting_is_an_error_and_no_crash() {
    let mut expr = parse("proc.name = a").unwrap();
    for _ in 0..MAX_DEPTH + 10 {
        expr = Expr::And(vec![Expr::Not(Box::new(expr)), parse("proc.name = b").unwrap()]);
    }
    assert!(compile(&expr).unwrap_err().message.starts_with("exceeded max depth"));
    // Such a tree is only ever made here; taking it apart by hand spares the stack.
    while let Expr::And(children) = expr {
        let first = children.into_iter().next();
        let Some(Expr::Not(inner)) = first else {
            return;
        };
        expr = *inner;
    }
}

#[test]
fn conditions_that_mean_the_same_have_one_text_and_others_do_not() {
    let text = |condition: &str| {
        let mut texts = Vec::new();
        let compiled = compile(&parse(condition).unwrap()).unwrap();
        compiled.condition.for_each_predicate(&mut |predicate| texts.push(predicate.text.clone()));
        texts.remove(0)
    };
    let same = text("proc.name in (b, a, b)");
    assert_eq!(text("proc.name in (a, b)"), same);
    let others = [
        "proc.name in ()",
        "proc.name in ('')",
        "proc.name in ('', a)",
        "proc.name in (a)",
        "proc.name in ('a,b')",
        "proc.name in ('a,\"b')",
        "proc.name in ('a)')",
        "proc.name = a",
        "proc.pid in (1, 2)",
        "proc.pid in (12)",
    ];
    let mut texts: Vec<_> = others.iter().map(|condition| text(condition)).collect();
    texts.push(same);
    texts.sort_unstable();
    texts.dedup();
    assert_eq!(texts.len(), others.len() + 1, "{texts:#?}");
}
