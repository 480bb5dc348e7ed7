//! The shared program must say of every rule and event what the rule's condition says by itself.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::indexing_slicing,
    reason = "a test"
)]

#[path = "support/rules.rs"]
#[allow(dead_code, reason = "shared with the benches")]
mod support;

use eyas::engine::partial::Partial;
use eyas::engine::rule::Rule;
use eyas::engine::ruleset::{Matching, RuleSet, Scratch};
use eyas::event::builder::EventBuilder;
use eyas::event::thread::InContainer;
use eyas::event::{Event, EventType, Fd, FdKind, FdNumber, Param};
use eyas::fields::Field;
use proptest::prelude::*;
use proptest::strategy::Union;
use support::{connect, event_of, execve, open, open_by, processes, rule};

/// Conditions and events draw from the same few texts, so that they meet.
const WORDS: [&str; 15] = [
    "cat",
    "cc1",
    "bash",
    "sh",
    "make",
    "/etc",
    "/etc/",
    "/etc/passwd",
    "/root",
    "/root/",
    "/usr",
    "conf",
    "x",
    "",
    "tmp",
];

fn word() -> impl Strategy<Value = &'static str> {
    proptest::sample::select(&WORDS[..])
}

fn text_field() -> impl Strategy<Value = &'static str> {
    proptest::sample::select(
        &[
            "proc.name",
            "proc.pname",
            "proc.aname",
            "proc.aname[2]",
            "fd.name",
            "fd.directory",
            "proc.exepath",
            "proc.cmdline",
            "proc.cwd",
            "evt.type",
            "evt.arg.name",
            "tolower(proc.name)",
            "basename(fd.name)",
            "proc.env[HOME]",
            "concat(proc.name, proc.pname)",
            "evt.dir",
        ][..],
    )
}

fn number_field() -> impl Strategy<Value = &'static str> {
    proptest::sample::select(
        &[
            "proc.pid",
            "proc.ppid",
            "fd.num",
            "fd.sport",
            "fd.port",
            "user.uid",
            "evt.rawres",
            "len(proc.name)",
            "proc.apid",
            "evt.rawarg.flags",
            "evt.rawarg.fd",
        ][..],
    )
}

fn list(element: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    proptest::collection::vec(element, 0..6).prop_map(|items| format!("({})", items.join(", ")))
}

fn quoted() -> impl Strategy<Value = String> {
    word().prop_map(|word| format!("\"{word}\""))
}

fn number() -> impl Strategy<Value = String> {
    proptest::sample::select(&["-1", "0", "3", "22", "443", "900", "4000", "4242"][..])
        .prop_map(str::to_owned)
}

/// One check.
fn check() -> impl Strategy<Value = String> {
    let operator = proptest::sample::select(
        &["=", "!=", "contains", "icontains", "startswith", "endswith", "glob", "iglob"][..],
    );
    let modifier = proptest::sample::select(&["oneof", "anyof", "allof"][..]);
    let relation = proptest::sample::select(&["=", "!=", "<", "<=", ">", ">="][..]);
    Union::new([
        (text_field(), operator.clone(), quoted())
            .prop_map(|(field, operator, value)| format!("{field} {operator} {value}"))
            .boxed(),
        (text_field(), list(quoted()))
            .prop_map(|(field, list)| format!("{field} in {list}"))
            .boxed(),
        (text_field(), list(quoted()))
            .prop_map(|(field, list)| format!("{field} pmatch {list}"))
            .boxed(),
        (text_field(), operator, modifier, list(quoted()))
            .prop_map(|(field, operator, modifier, list)| {
                format!("{field} {operator} {modifier} {list}")
            })
            .boxed(),
        (number_field(), relation, number())
            .prop_map(|(field, relation, value)| format!("{field} {relation} {value}"))
            .boxed(),
        (number_field(), list(number()))
            .prop_map(|(field, list)| format!("{field} in {list}"))
            .boxed(),
        proptest::sample::select(&["open", "openat", "execve", "connect", "mlock", "getuid"][..])
            .prop_map(|ty| format!("evt.type = {ty}"))
            .boxed(),
        Just("evt.type in (openat, execve)".to_owned()).boxed(),
        Just("evt.type != openat".to_owned()).boxed(),
        Just("proc.name = val(proc.pname)".to_owned()).boxed(),
        Just("proc.pid > val(proc.ppid)".to_owned()).boxed(),
        Just("fd.sip != 10.0.0.1".to_owned()).boxed(),
        Just("fd.net in (10.0.0.0/8, 192.168.0.0/16)".to_owned()).boxed(),
        Just("fd.types intersects (file, ipv4)".to_owned()).boxed(),
        Just("evt.is_open_write = true".to_owned()).boxed(),
        Just("evt.num = 0".to_owned()).boxed(),
        Just("evt.num > 0".to_owned()).boxed(),
        Just("proc.name in ()".to_owned()).boxed(),
        Just("fd.name exists".to_owned()).boxed(),
        Just("proc.name regex \"c.*\"".to_owned()).boxed(),
    ])
}

/// Values that `evt.type` doesn't accept make a condition that doesn't compile.
fn is_good(condition: &str) -> bool {
    let parsed = eyas::engine::lang::parser::parse(condition).unwrap();
    eyas::engine::compile::compile(&parsed).is_ok()
}

fn condition() -> impl Strategy<Value = String> {
    let leaf = check().prop_filter("not every text is an event type", |text| is_good(text));
    leaf.prop_recursive(4, 24, 4, |inner| {
        Union::new([
            proptest::collection::vec(inner.clone(), 2..4)
                .prop_map(|parts| format!("({})", parts.join(" and ")))
                .boxed(),
            proptest::collection::vec(inner.clone(), 2..4)
                .prop_map(|parts| format!("({})", parts.join(" or ")))
                .boxed(),
            inner.prop_map(|part| format!("not ({part})")).boxed(),
        ])
    })
}

fn event() -> impl Strategy<Value = EventBuilder> {
    let generic = proptest::sample::select(&["mlock", "getuid", "asyncevent", "fork"][..]);
    Union::new([
        (word(), word(), any::<bool>())
            .prop_map(|(directory, name, is_write)| open(&format!("{directory}/{name}"), is_write))
            .boxed(),
        (word(), word(), word()).prop_map(|(comm, exe, arg)| execve(comm, exe, &[arg])).boxed(),
        (any::<bool>(), proptest::sample::select(&[22_u16, 443, 80][..]))
            .prop_map(|(is_near, port)| {
                connect(if is_near { [10, 0, 0, 1] } else { [8, 8, 8, 8] }, port)
            })
            .boxed(),
        (word(), generic).prop_map(|(comm, ty)| event_of(ty, processes(comm, comm, &[]))).boxed(),
    ])
}

fn names(evaluate: impl FnOnce(&mut dyn FnMut(&Rule))) -> Vec<String> {
    let mut names = Vec::new();
    evaluate(&mut |rule| names.push(rule.name.clone()));
    names
}

fn agree(conditions: &[String], events: &[EventBuilder]) -> Result<(), TestCaseError> {
    let rules: Vec<_> = (0..)
        .zip(conditions)
        .map(|(index, text): (u32, _)| rule(&index.to_string(), text))
        .collect();
    for matching in [Matching::All, Matching::First] {
        let set = RuleSet::build(rules.clone(), matching);
        let mut scratch = Scratch::default();
        for builder in events {
            let event = builder.event();
            let plain = names(|on_match| set.evaluate_plainly(&event, on_match));
            let shared = names(|on_match| set.evaluate(&event, &mut scratch, on_match));
            prop_assert_eq!(&shared, &plain, "{:?} {:?}", event.ty.name(), conditions);
        }
    }
    Ok(())
}

/// Conditions over fields of few values, or of which only the kind of value is asked.
const FACTS: [&str; 26] = [
    "evt.arg.flags contains O_TRUNC",
    "evt.arg.flags contains O_RDONLY",
    "evt.arg.flags contains O_RDWR",
    "evt.arg.flags contains O_",
    "evt.arg.flags contains A",
    "(evt.arg.flags contains O_CREAT or evt.arg.flags contains O_EXCL or evt.arg.flags contains _NONE)",
    "evt.is_open_read = true",
    "evt.is_open_write != true",
    "evt.is_open_write exists",
    "evt.failed = true",
    "evt.rawres < 0",
    "evt.rawres > -1",
    "evt.rawres >= 1",
    "evt.rawres exists",
    "fd.num >= 0",
    "fd.num = -1",
    "fd.typechar in (f, 4)",
    "fd.typechar != f",
    "fd.type contains i",
    "fd.type in (file, ipv4)",
    "fd.sockfamily = ip",
    "fd.l4proto != tcp",
    "container.id != host",
    "container.id = 5d068b2dd225",
    "proc.is_exe_writable = true",
    "proc.env icontains \"path=/\"",
];

/// What an event knows of itself, in many ways.
#[derive(Clone, Debug)]
struct Look {
    ty: &'static str,
    num: FdNumber,
    kind: Option<FdKind>,
    flags: Param<'static>,
    container: InContainer,
    is_exe_writable: Option<bool>,
}

fn look() -> impl Strategy<Value = Look> {
    let types = ["open", "openat", "openat2", "creat", "connect", "execve", "close", "getuid"];
    let nums = [FdNumber::None, FdNumber::Known(-2), FdNumber::Known(3), FdNumber::NotNegative];
    let kinds = [None, Some(FdKind::File), Some(FdKind::Directory), Some(FdKind::Ipv4Socket)];
    let containers = [
        InContainer::Unknown,
        InContainer::Host,
        InContainer::Id(std::sync::Arc::from(&b"5d068b2dd225"[..])),
    ];
    let flags = Union::new([
        Just(Param::Unknown).boxed(),
        Just(Param::Empty).boxed(),
        (0..1_u64 << 15).prop_map(Param::UInt).boxed(),
        (0..8_u64).prop_map(Param::UInt).boxed(),
        (0..8_u64, 0..8_u64).prop_map(|(value, unknown)| Param::Partial { value, unknown }).boxed(),
    ]);
    (
        proptest::sample::select(types.to_vec()),
        proptest::sample::select(nums.to_vec()),
        proptest::sample::select(kinds.to_vec()),
        flags,
        proptest::sample::select(containers.to_vec()),
        proptest::option::of(any::<bool>()),
    )
        .prop_map(|(ty, num, kind, flags, container, is_exe_writable)| Look {
            ty,
            num,
            kind,
            flags,
            container,
            is_exe_writable,
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn facts_say_what_the_fields_say(look in look()) {
        let mut threads = processes("cat", "/usr/bin/cat", &[]);
        threads[0].container = look.container;
        threads[0].is_exe_writable = look.is_exe_writable;
        let builder = event_of(look.ty, threads).fd(look.num, look.kind.map(Fd::new));
        let info = EventType::by_name(look.ty).unwrap().info();
        let result = match look.num {
            FdNumber::None => Param::Unknown,
            FdNumber::Known(number) => Param::Int(number),
            FdNumber::NotNegative => Param::NotNegative,
        };
        let mut params = vec![Param::UInt(0); info.params.len()];
        for (name, value) in
            [("fd", result), ("res", result), ("name", Param::Bytes(b"/x")), ("flags", look.flags)]
        {
            if let Some(place) = info.param_index(name) {
                params[place] = value;
            }
        }
        let event = Event { params: &params, ..builder.event() };
        let rules: Vec<_> = FACTS.iter().map(|text| rule(text, text)).collect();
        let set = RuleSet::build(rules, Matching::All);
        let plain = names(|on_match| set.evaluate_plainly(&event, on_match));
        let shared = names(|on_match| set.evaluate(&event, &mut Scratch::default(), on_match));
        prop_assert_eq!(shared, plain);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn the_program_says_what_the_conditions_say(
        conditions in proptest::collection::vec(condition(), 1..8),
        events in proptest::collection::vec(event(), 1..6),
    ) {
        agree(&conditions, &events)?;
    }
}

/// An open of `path` by some process, and by others that differ in all that a process is.
fn opens_of(path: &str, is_write: bool, whose: &[(&str, &str)]) -> Vec<EventBuilder> {
    whose
        .iter()
        .map(|(comm, exe)| {
            let mut threads = processes(comm, exe, &[exe]);
            threads[1].comm = threads[0].exe.clone();
            open_by(threads, path, is_write)
        })
        .collect()
}

fn is_of_process(field: &Field) -> bool {
    ["proc.", "thread.", "user.", "group.", "container."]
        .iter()
        .any(|family| field.info.name.starts_with(family))
}

/// A partial condition must say the same of all `events`, which differ only in what isn't known, and where it
/// says true or false the condition must be so for each of them.
fn decides(
    text: &str,
    events: &[EventBuilder],
    is_known: &dyn Fn(&Field) -> bool,
) -> Result<(), TestCaseError> {
    let condition = rule("r", text).condition;
    let partial = Partial::of(&condition, is_known);
    let whole = Partial::of(&condition, &|_| true);
    let mut first = None;
    for builder in events {
        let event = builder.event();
        let decided = partial.decide(&event);
        prop_assert_eq!(*first.get_or_insert(decided), decided, "{}", text);
        if let Some(value) = decided {
            prop_assert_eq!(condition.holds(&event), value, "{}", text);
        }
        prop_assert_eq!(whole.decide(&event), Some(condition.holds(&event)));
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

    #[test]
    fn what_is_decided_without_the_process_is_so_for_every_process(
        text in condition(),
        path in word(),
        is_write in any::<bool>(),
        whose in proptest::collection::vec((word(), word()), 1..8),
    ) {
        decides(&text, &opens_of(path, is_write, &whose), &|field| !is_of_process(field))?;
    }

    #[test]
    fn what_is_decided_without_the_path_is_so_for_every_path(
        text in condition(),
        paths in proptest::collection::vec(word(), 1..8),
        (comm, exe) in (word(), word()),
        is_write in any::<bool>(),
    ) {
        let open = |path: &&str| opens_of(path, is_write, &[(comm, exe)]).remove(0);
        let events: Vec<_> = paths.iter().map(open).collect();
        let is_path = |name: &str| name.starts_with("fd.") || name.starts_with("evt.arg");
        decides(&text, &events, &|field| !is_path(field.info.name))?;
    }

    #[test]
    fn what_is_decided_without_any_field_is_so_for_every_event(
        text in condition(),
        events in proptest::collection::vec(event(), 1..8),
    ) {
        decides(&text, &events, &|_| false)?;
    }
}

#[test]
fn one_part_decides_and_the_others_need_not_be_known() {
    let decide = |text: &str| {
        let builder = open("/etc/passwd", false);
        let condition = rule("r", text).condition;
        Partial::of(&condition, &|field| !is_of_process(field)).decide(&builder.event())
    };
    assert_eq!(decide("fd.name = /etc/passwd and proc.name = cat"), None);
    assert_eq!(decide("fd.name = /etc/shadow and proc.name = cat"), Some(false));
    assert_eq!(decide("fd.name = /etc/passwd or proc.name = cat"), Some(true));
    assert_eq!(decide("fd.name = /etc/shadow or proc.name = cat"), None);
    assert_eq!(decide("not (fd.name = /etc/shadow and proc.name = cat)"), Some(true));
    assert_eq!(decide("not proc.name = cat"), None);
    assert_eq!(decide("fd.name = val(proc.exepath)"), None);
    assert_eq!(decide("basename(proc.exepath) = cat"), None);
    assert_eq!(decide("evt.type = openat and evt.is_open_read = true"), Some(true));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn many_rules_are_looked_up_together_and_say_the_same(
        conditions in proptest::collection::vec(condition(), 60..160),
        events in proptest::collection::vec(event(), 1..8),
    ) {
        agree(&conditions, &events)?;
    }

    #[test]
    fn many_simple_rules_say_the_same(
        conditions in proptest::collection::vec(
            check().prop_filter("not every text is an event type", |text| is_good(text)),
            60..300,
        ),
        events in proptest::collection::vec(event(), 1..8),
    ) {
        agree(&conditions, &events)?;
    }
}

#[test]
fn stock_rules_say_the_same() {
    let (rules, what) = support::stock_rules();
    eprintln!("{} rules of {what}", rules.len());
    let set = RuleSet::build(rules, Matching::All);
    let mut scratch = Scratch::default();
    let mut events = support::everyday_events();
    events.push(open("/etc/shadow", false));
    events.push(open("/root/.ssh/authorized_keys", true));
    events.push(execve("nc", "/usr/bin/nc", &["-e", "/bin/sh"]));
    events.push(connect([169, 254, 169, 254], 80));
    for builder in &events {
        let event = builder.event();
        let plain = names(|on_match| set.evaluate_plainly(&event, on_match));
        let shared = names(|on_match| set.evaluate(&event, &mut scratch, on_match));
        assert_eq!(shared, plain, "{}", event.ty.name());
    }
}
