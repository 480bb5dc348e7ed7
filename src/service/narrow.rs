//! What the conditions of rules say of a call before anybody looks at it: whether it has to have
//! succeeded, what it has to have returned, which of a list of named arguments it has to have.
//!
//! Each condition is judged with three answers on a made event that has one value and nothing
//! else. Where the answer is "no" whatever else is true, the kernel need not tell of such a call.
//! What isn't understood could be: too much is asked for then, never too little.

use crate::decode::audit::rule::Filter;
use crate::decode::syscall;
use crate::decode::syscall::Abi;
use crate::decode::syscall::Call;
use crate::decode::syscall::Inspect;
use crate::engine::partial::Partial;
use crate::engine::rule::Rule;
use crate::event::Arena;
use crate::event::DataType;
use crate::event::Event;
use crate::event::EventFd;
use crate::event::EventFlags;
use crate::event::EventType;
use crate::event::FdNumber;
use crate::event::Param;
use crate::event::World;
use crate::fields::Arg;
use crate::fields::Field;

/// The largest errno that has a name, and one that has none.
const LAST_ERRNO: i64 = 132;
const NAMELESS_ERRNO: i64 = 133;
/// What successful calls return: none, the first descriptors, others.
const RESULTS: [i64; 7] = [0, 1, 2, 3, 4, 10, 1000];
/// Descriptors of standard input, output and error are the only results that rules single out.
const LAST_STANDARD: i64 = 2;
/// No more alternatives than this are made; then everything is asked for.
const MAX_ALTERNATIVES: usize = 8;
/// Values that named arguments can have: families, commands, options, requests of ptrace(2).
const VALUES: [std::ops::Range<u64>; 2] = [0..80, 0x4200..0x4218];
/// A value without a name.
const NAMELESS_VALUE: u64 = 4095;

/// The narrowest filters under which the kernel tells of every call of type `ty` that one of
/// `rules` can match. Each entry is a rule of its own; an empty entry: every call; no entry: no
/// rule can match any.
pub(super) fn filters(rules: &[&Rule], ty: EventType) -> Vec<Vec<Filter>> {
    let probe = Probe::new(rules, ty);
    let Some(result) = probe.result_filter() else { return Vec::new() };
    let result: Vec<Filter> = result.into_iter().collect();
    match probe.argument_filters() {
        None => vec![result],
        Some(arguments) => arguments
            .into_iter()
            .map(|argument| std::iter::once(argument).chain(result.iter().copied()).collect())
            .collect(),
    }
}

/// Asks all rules about made events of one type.
struct Probe<'r> {
    rules: &'r [&'r Rule],
    ty: EventType,
    world: World,
}

impl<'r> Probe<'r> {
    fn new(rules: &'r [&'r Rule], ty: EventType) -> Self {
        Self { rules, ty, world: World::default() }
    }

    /// The conditions, as far as the parameter at `place` decides them.
    fn partials(&self, place: usize) -> Vec<Partial> {
        let makes_fd = self.makes_fd(place);
        let is_known = |field: &Field| self.is_known(field, place, makes_fd);
        self.rules.iter().map(|rule| Partial::of(&rule.condition, &is_known)).collect()
    }

    fn makes_fd(&self, place: usize) -> bool {
        self.ty.info().has(EventFlags::CREATES_FD) && place == 0
    }

    /// Whether one of those [`partials`](Self::partials) can match a call whose parameter at
    /// `place` is `param`.
    fn may_match(&self, partials: &[Partial], place: usize, param: Param<'_>) -> bool {
        let arena = Arena::new();
        let mut params = vec![Param::Unknown; self.ty.info().params.len()];
        let Some(slot) = params.get_mut(place) else { return true };
        *slot = param;
        let num = match param {
            Param::Int(number) if self.makes_fd(place) => FdNumber::Known(number),
            _ => FdNumber::None,
        };
        let event = Event {
            num: 1,
            ts: 0,
            ty: self.ty,
            cpu: None,
            tid: 0,
            params: &params,
            thread: None,
            fd: EventFd { num, info: None, name_changed: false, is_unread: false, others: &[] },
            world: &self.world,
            arena: &arena,
        };
        partials.iter().any(|rule| rule.decide(&event) != Some(false))
    }

    /// Whether a made event has the true value of a field.
    fn is_known(&self, field: &Field, place: usize, makes_fd: bool) -> bool {
        match (field.info.name, &field.arg) {
            ("evt.type" | "evt.dir" | "syscall.type", _) => true,
            ("evt.res" | "evt.rawres" | "evt.failed", _) => place == 0,
            ("fd.num", _) => makes_fd,
            ("evt.arg" | "evt.rawarg", Arg::Index(index)) => usize::try_from(*index) == Ok(place),
            // Its place in each event type; `u8::MAX`: this one has no such parameter.
            ("evt.arg" | "evt.rawarg", Arg::Param(places)) => places
                .get(self.ty.index())
                .is_some_and(|&own| own == u8::MAX || usize::from(own) == place),
            _ => false,
        }
    }

    /// What the result has to be. `Some(None)`: anything; `None`: there is none that could match.
    fn result_filter(&self) -> Option<Option<Filter>> {
        let has_result = self.ty.info().params.first().is_some_and(|param| {
            matches!(param.ty, DataType::Errno | DataType::Fd | DataType::Pid | DataType::Int64)
        });
        if !has_result {
            return Some(None);
        }
        let partials = self.partials(0);
        let may = |result| self.may_match(&partials, 0, Param::Int(result));
        let may_fail = may(-NAMELESS_ERRNO) || (1..=LAST_ERRNO).any(|errno| may(-errno));
        let good: Vec<i64> = RESULTS.into_iter().filter(|result| may(*result)).collect();
        match (may_fail, good.last()) {
            (true, Some(_)) => Some(None),
            (true, None) => Some(Some(Filter::Success(false))),
            (false, None) => None,
            (false, Some(&last)) if last <= LAST_STANDARD => {
                Some(Some(Filter::ExitAtMost(u32::try_from(last).unwrap_or(0))))
            }
            (false, Some(_)) => Some(Some(Filter::Success(true))),
        }
    }

    /// The values of one named argument that can match; `None`: any.
    fn argument_filters(&self) -> Option<Vec<Filter>> {
        let params = self.ty.info().params;
        (1..params.len()).find_map(|place| {
            let is_list = params.get(place).is_some_and(|param| {
                param.flags.is_some()
                    && matches!(
                        param.ty,
                        DataType::EnumFlags8 | DataType::EnumFlags16 | DataType::EnumFlags32
                    )
            });
            let argument = syscall::named_argument(self.ty, place).filter(|_| is_list)?;
            let which = u8::try_from(argument).ok().filter(|which| *which < 4)?;
            let partials = self.partials(place);
            let may = |param| self.may_match(&partials, place, param);
            if may(self.decoded(place, argument, NAMELESS_VALUE)?) {
                return None;
            }
            let mut found = Vec::new();
            for value in VALUES.into_iter().flatten() {
                if may(self.decoded(place, argument, value)?) {
                    found.push(Filter::Argument(which, u32::try_from(value).ok()?));
                }
            }
            (found.len() <= MAX_ALTERNATIVES).then_some(found)
        })
    }

    /// The parameter that an argument of that value becomes.
    fn decoded(&self, place: usize, argument: usize, value: u64) -> Option<Param<'static>> {
        let mut arguments = [0; 6];
        *arguments.get_mut(argument)? = value;
        let call = Call { abi: Abi::X86_64, number: 0, arguments, result: 0 };
        let arena = Arena::new();
        let mut params = Vec::new();
        syscall::parameters(self.ty, &call, &mut Nothing, &arena, &mut params);
        match params.get(place)? {
            Param::UInt(number) => Some(Param::UInt(*number)),
            Param::Int(number) => Some(Param::Int(*number)),
            _ => None,
        }
    }
}

/// A caller of whom nothing is known.
struct Nothing;

impl<'a> Inspect<'a> for Nothing {
    fn text(&mut self, _: usize, _: u64) -> Option<&'a [u8]> {
        None
    }
    fn memory(&mut self, _: u64, _: usize) -> Option<&'a [u8]> {
        None
    }
    fn file(&mut self, _: i64) -> Option<(u32, u64)> {
        None
    }
    fn tuple(&mut self, _: i64) -> Option<&'a [u8]> {
        None
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::engine::load::Loader;
    use crate::engine::load::Settings;

    fn loaded(conditions: &[String]) -> Vec<Rule> {
        let rule = |(number, condition): (usize, &String)| {
            format!(
                "- rule: r{number}\n  desc: d\n  condition: {condition}\n  output: o\n  priority: \
                 INFO\n"
            )
        };
        let text: String = conditions.iter().enumerate().map(rule).collect();
        let mut loader = Loader::new(Settings::default());
        assert!(loader.add("rules.yaml", text.as_bytes()).successful(), "{text}");
        loader.finish().unwrap().rules
    }

    fn narrowed(ty: &str, condition: &str) -> Vec<Vec<Filter>> {
        let rules = loaded(&[condition.to_owned()]);
        let rules: Vec<&Rule> = rules.iter().collect();
        filters(&rules, EventType::by_name(ty).unwrap())
    }

    /// A test of what a condition on a type is narrowed to.
    macro_rules! case {
        ($name:ident, $ty:expr, $condition:expr, [$([$($filter:expr),*]),*]) => {
            #[test]
            fn $name() {
                let expected: Vec<Vec<Filter>> = vec![$(vec![$($filter),*]),*];
                assert_eq!(narrowed($ty, $condition), expected);
            }
        };
    }

    case!(nothing_is_said_of_the_result, "connect", "evt.type = connect and proc.name = nc", [[]]);
    case!(
        a_result_that_is_not_negative,
        "connect",
        "evt.type = connect and evt.rawres >= 0",
        [[Filter::Success(true)]]
    );
    case!(
        success_by_its_name,
        "chmod",
        "evt.type in (chmod, fchmod) and evt.res = SUCCESS",
        [[Filter::Success(true)]]
    );
    case!(
        success_or_one_error,
        "connect",
        "evt.type = connect and (evt.rawres >= 0 or evt.res = EINPROGRESS)",
        [[]]
    );
    case!(
        a_failure,
        "setuid",
        "evt.type = setuid and evt.failed = true",
        [[Filter::Success(false)]]
    );
    case!(
        a_standard_descriptor,
        "dup2",
        "evt.type in (dup, dup2, dup3) and evt.rawres in (0, 1, 2)",
        [[Filter::ExitAtMost(2)]]
    );
    case!(
        an_argument_by_its_name,
        "socket",
        "evt.type = socket and evt.arg.domain contains AF_PACKET and proc.name != tcpdump",
        [[Filter::Argument(0, 17)]]
    );
    case!(
        arguments_by_their_names_and_success,
        "ptrace",
        "evt.type = ptrace and evt.arg.request in (PTRACE_POKETEXT, PTRACE_POKEDATA) and evt.res = \
         SUCCESS",
        [
            [Filter::Argument(0, 4), Filter::Success(true)],
            [Filter::Argument(0, 5), Filter::Success(true)]
        ]
    );
    case!(any_argument_but_one, "socket", "evt.type = socket and evt.arg.domain != AF_UNIX", [[]]);
    case!(another_type, "connect", "evt.type in (connect, bind) and not evt.type = connect", []);

    /// Comparisons of what the kernel can filter by, and of other things.
    const COMPARISONS: &[&str] = &[
        "evt.res = SUCCESS",
        "evt.res != SUCCESS",
        "evt.res in (EPERM, ENOENT)",
        "evt.failed = true",
        "evt.failed = false",
        "evt.rawres >= 0",
        "evt.rawres < 0",
        "evt.rawres in (0, 1, 2)",
        "evt.rawres > 3",
        "evt.rawres = -13",
        "fd.num >= 0",
        "fd.num in (0, 1)",
        "evt.arg.res = SUCCESS",
        "evt.arg.domain contains AF_PACKET",
        "evt.arg.domain in (AF_INET, AF_INET6)",
        "evt.arg.request = PTRACE_ATTACH",
        "evt.arg.request in (PTRACE_POKETEXT, PTRACE_POKEDATA)",
        "evt.arg.request startswith PTRACE_POKE",
        "evt.arg[1] exists",
        "evt.type = ptrace",
        "evt.type in (socket, dup2)",
        "proc.name = x",
        "fd.name startswith /etc",
    ];

    fn conditions() -> impl Strategy<Value = String> {
        let leaf = proptest::sample::select(COMPARISONS).prop_map(str::to_owned);
        leaf.prop_recursive(4, 24, 4, |inner| {
            let several = proptest::collection::vec(inner.clone(), 1..4);
            prop_oneof![
                several.clone().prop_map(|parts| format!("({})", parts.join(" and "))),
                several.prop_map(|parts| format!("({})", parts.join(" or "))),
                inner.prop_map(|part| format!("not ({part})")),
            ]
        })
    }

    /// Whether the kernel tells of a call by these filters: `audit_filter_rules` of auditsc.c.
    fn passes(filters: &[Filter], call: &Call) -> bool {
        let low = |number: u64| u32::try_from(number & u64::from(u32::MAX)).unwrap();
        filters.iter().all(|filter| match *filter {
            Filter::Success(success) => (call.result >= 0) == success,
            Filter::ExitAtMost(most) => low(call.result.cast_unsigned()) <= most,
            Filter::Argument(which, value) => low(call.arguments[usize::from(which)]) == value,
        })
    }

    /// Whether a rule matches a call of which nothing else is known.
    fn matches(rule: &Rule, ty: EventType, call: &Call) -> bool {
        let (arena, world, mut params) = (Arena::new(), World::default(), Vec::new());
        syscall::parameters(ty, call, &mut Nothing, &arena, &mut params);
        let num = match ty.info().has(EventFlags::CREATES_FD) {
            true => FdNumber::Known(call.result),
            false => FdNumber::None,
        };
        let event = Event {
            num: 1,
            ts: 0,
            ty,
            cpu: None,
            tid: 0,
            params: &params,
            thread: None,
            fd: EventFd { num, info: None, name_changed: false, is_unread: false, others: &[] },
            world: &world,
            arena: &arena,
        };
        Partial::of(&rule.condition, &|_| true).decide(&event) == Some(true)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2048))]

        #[test]
        fn no_call_that_a_rule_matches_is_kept_from_us(
            conditions in proptest::collection::vec(conditions(), 1..3),
            ty in proptest::sample::select(&["socket", "ptrace", "dup2", "chmod", "setuid"][..]),
            result in prop_oneof![-133_i64..12, Just(1000), Just(i64::from(i32::MAX))],
            first in prop_oneof![0_u64..80, 0x4200_u64..0x4218, Just(4095), any::<u64>()],
        ) {
            let rules = loaded(&conditions);
            let rules: Vec<&Rule> = rules.iter().collect();
            let ty = EventType::by_name(ty).unwrap();
            let call = Call { abi: Abi::X86_64, number: 0, arguments: [first, 1, 0, 0, 0, 0], result };
            let told = filters(&rules, ty).iter().any(|filters| passes(filters, &call));
            let is_matched = rules.iter().any(|rule| matches(rule, ty, &call));
            prop_assert!(told || !is_matched);
        }
    }
}
