//! Sets of event types, and which ones a condition can match.
//!
//! Falco derives the set from the checks of `evt.type` and `syscall.type` alone;
//! rules are tried only for events of their set. All generic
//! system calls share one pair of event codes, so they enter and leave a set together.

use super::lang::ast::{Argument, Check, Expr, Operand, Operator, Right};
use crate::event::{EventType, Kind};

/// Names in Falco's table that no event of today bears, with their number of event codes. They
/// may be named, and a rule that names only such a one is not a rule without restriction.
const NAMES_OF_THE_PAST: [(&str, u32); 5] =
    [("NA", 35), ("k8s", 1), ("mesos", 1), ("tracer", 1), ("", 1)];

const BITS: usize = EventType::COUNT + NAMES_OF_THE_PAST.len();
const WORDS: usize = BITS.div_ceil(64);

/// More event codes than this make Falco warn.
const MANY_CODES: u32 = 100;

/// A set of event types.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct EventSet {
    words: [u64; WORDS],
}

impl EventSet {
    /// No event type.
    #[must_use]
    pub const fn none() -> Self {
        Self { words: [0; WORDS] }
    }

    /// Every event type.
    #[must_use]
    pub const fn all() -> Self {
        let mut words = [u64::MAX; WORDS];
        words[WORDS - 1] = if BITS.is_multiple_of(64) { u64::MAX } else { (1 << (BITS % 64)) - 1 };
        Self { words }
    }

    /// The event types that `evt.type = name` selects; `None` if Falco knows no such name.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        let mut set = Self::none();
        if let Some(past) = NAMES_OF_THE_PAST.iter().position(|(known, _)| *known == name) {
            set.insert_bit(EventType::COUNT + past);
            return Some(set);
        }
        // The table's own name of the generic codes: Falco knows it and finds no event by it.
        if name == "syscall" {
            return Some(set);
        }
        if let Some(ty) = EventType::by_name(name) {
            set.insert(ty);
            return Some(set);
        }
        // A system call that is told as an event of another name: the generic codes, and no event.
        if EventType::all().any(|ty| ty.info().syscalls.contains(&name)) {
            set.insert_generic();
            return Some(set);
        }
        None
    }

    /// The event types for which `expr` can be true, by Falco's derivation.
    ///
    /// # Errors
    ///
    /// The check of `evt.type` from which no set can be derived: one with a transformer or with
    /// a field on its right side.
    pub fn derive(expr: &Expr) -> Result<Self, Box<Check>> {
        derive(expr, false)
    }

    /// Adds `ty`; a generic system call brings all others with it.
    pub fn insert(&mut self, ty: EventType) {
        if ty.info().kind == Kind::Generic {
            self.insert_generic();
        } else {
            self.insert_bit(ty.index());
        }
    }

    /// Adds all of `other`.
    pub fn insert_all(&mut self, other: &Self) {
        for (word, more) in self.words.iter_mut().zip(other.words) {
            *word |= more;
        }
    }

    /// Keeps what is also in `other`.
    pub fn retain_all(&mut self, other: &Self) {
        for (word, kept) in self.words.iter_mut().zip(other.words) {
            *word &= kept;
        }
    }

    /// The event types that are not in it.
    #[must_use]
    pub fn complement(&self) -> Self {
        let mut rest = Self::all();
        for (word, taken) in rest.words.iter_mut().zip(self.words) {
            *word &= !taken;
        }
        rest
    }

    /// Whether `ty` is in it.
    #[must_use]
    pub fn contains(&self, ty: EventType) -> bool {
        self.contains_bit(ty.index())
    }

    /// Its event types, in table order.
    pub fn iter(&self) -> impl Iterator<Item = EventType> + '_ {
        EventType::all().filter(|ty| self.contains(*ty))
    }

    /// How many event codes it stands for: enter and exit events and all old layouts count.
    #[must_use]
    pub fn codes(&self) -> u32 {
        const GENERIC_CODES: u32 = 2;
        let mut codes = 0;
        let mut has_generic = false;
        for ty in self.iter() {
            if ty.info().kind == Kind::Generic {
                has_generic = true;
            } else {
                codes += u32::from(ty.info().codes);
            }
        }
        for (index, (_, count)) in NAMES_OF_THE_PAST.iter().enumerate() {
            if self.contains_bit(EventType::COUNT + index) {
                codes += count;
            }
        }
        codes + if has_generic { GENERIC_CODES } else { 0 }
    }

    /// Whether Falco warns with LOAD_NO_EVTTYPE about a rule with this set.
    #[must_use]
    pub fn is_unrestricted(&self) -> bool {
        let codes = self.codes();
        codes == 0 || codes > MANY_CODES
    }

    fn insert_generic(&mut self) {
        for ty in EventType::all().filter(|ty| ty.info().kind == Kind::Generic) {
            self.insert_bit(ty.index());
        }
    }

    fn insert_bit(&mut self, bit: usize) {
        if let Some(word) = self.words.get_mut(bit / 64) {
            *word |= 1 << (bit % 64);
        }
    }

    fn contains_bit(&self, bit: usize) -> bool {
        self.words.get(bit / 64).is_some_and(|word| word >> (bit % 64) & 1 == 1)
    }
}

/// The set of `expr`, or of its opposite.
fn derive(expr: &Expr, is_negated: bool) -> Result<EventSet, Box<Check>> {
    match expr {
        Expr::And(children) => join(children, is_negated, is_negated),
        Expr::Or(children) => join(children, !is_negated, is_negated),
        Expr::Not(child) => derive(child, !is_negated),
        Expr::Check(check) => of_check(check, is_negated),
        Expr::Macro { .. } => Ok(EventSet::all()),
    }
}

/// The union or the intersection of the children's sets.
fn join(children: &[Expr], is_union: bool, is_negated: bool) -> Result<EventSet, Box<Check>> {
    let mut joined = if is_union { EventSet::none() } else { EventSet::all() };
    for child in children {
        let set = derive(child, is_negated)?;
        if is_union { joined.insert_all(&set) } else { joined.retain_all(&set) }
    }
    Ok(joined)
}

fn of_check(check: &Check, is_negated: bool) -> Result<EventSet, Box<Check>> {
    let is_equality = matches!(check.operator, Operator::Equal | Operator::NotEqual | Operator::In)
        && check.modifier.is_none();
    if !names_the_type(&check.left) {
        return Ok(EventSet::all());
    }
    if check.operator == Operator::Exists {
        return Ok(if is_negated { EventSet::none() } else { EventSet::all() });
    }
    if !is_equality {
        return Ok(EventSet::all());
    }
    let names = match (&check.left, &check.right) {
        (Operand::Field { .. }, Right::Literal(name)) => std::slice::from_ref(name),
        (Operand::Field { .. }, Right::List(names)) => names.as_slice(),
        _ => return Err(Box::new(check.clone())),
    };
    let mut set = EventSet::none();
    for named in names.iter().filter_map(|name| EventSet::of_name(name)) {
        set.insert_all(&named);
    }
    let is_inverted = (check.operator == Operator::NotEqual) != is_negated;
    Ok(if is_inverted { set.complement() } else { set })
}

/// Whether an operand is `evt.type` or `syscall.type`, or made from one.
fn names_the_type(operand: &Operand) -> bool {
    match operand {
        Operand::Field { name, argument, .. } => {
            argument.is_none() && matches!(name.as_str(), "evt.type" | "syscall.type")
        }
        Operand::Transformer { arguments, .. } => arguments
            .iter()
            .any(|argument| matches!(argument, Argument::Operand(inner) if names_the_type(inner))),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::engine::lang::ast::Position;
    use crate::event::known;

    fn check(name: &str, operator: Operator, values: &[&str]) -> Expr {
        let left = Operand::Field { name: name.into(), argument: None, at: Position::default() };
        let right = match values {
            [one] if operator != Operator::In => Right::Literal((*one).into()),
            _ => Right::List(values.iter().map(|&value| value.into()).collect()),
        };
        let at = Position::default();
        Expr::Check(Arc::new(Check { left, operator, modifier: None, right, right_at: at, at }))
    }

    fn names(expr: &Expr) -> Vec<&'static str> {
        EventSet::derive(expr).unwrap().iter().map(EventType::name).collect()
    }

    #[test]
    fn and_restricts_or_widens() {
        let open = || check("evt.type", Operator::Equal, &["open"]);
        let other = || check("proc.name", Operator::Equal, &["cat"]);
        assert_eq!(names(&Expr::And(vec![open(), other()])), ["open"]);
        assert_eq!(EventSet::derive(&Expr::Or(vec![open(), other()])), Ok(EventSet::all()));
    }

    #[test]
    fn not_over_an_unrelated_field_keeps_all_event_types() {
        let expr = Expr::Not(Box::new(check("proc.name", Operator::Equal, &["cat"])));
        assert_eq!(EventSet::derive(&expr), Ok(EventSet::all()));
    }

    #[test]
    fn not_in_is_everything_else() {
        let expr = Expr::Not(Box::new(check("evt.type", Operator::In, &["open", "close"])));
        let set = EventSet::derive(&expr).unwrap();
        assert!(!set.contains(known::OPEN) && !set.contains(known::CLOSE));
        assert!(set.contains(known::OPENAT) && set.is_unrestricted());
    }

    #[test]
    fn generic_system_calls_share_one_bucket() {
        let set = EventSet::derive(&check("evt.type", Operator::Equal, &["statx"])).unwrap();
        let other = EventType::by_name("reboot").unwrap();
        assert_eq!(other.info().kind, Kind::Generic);
        assert!(set.contains(other));
        assert_eq!(set.codes(), 2);
        let rest = EventSet::derive(&check("evt.type", Operator::NotEqual, &["statx"])).unwrap();
        assert!(!rest.contains(other));
    }

    #[test]
    fn a_contradiction_is_as_good_as_no_restriction() {
        let expr = Expr::And(vec![
            check("evt.type", Operator::Equal, &["open"]),
            check("evt.type", Operator::NotEqual, &["open"]),
        ]);
        let set = EventSet::derive(&expr).unwrap();
        assert_eq!(set.codes(), 0);
        assert!(set.is_unrestricted());
    }

    #[test]
    fn names_of_the_past_are_known_and_match_nothing() {
        let set = EventSet::of_name("NA").unwrap();
        assert_eq!(set.iter().count(), 0);
        assert!(!set.is_unrestricted());
        assert!(EventSet::of_name("syscall").unwrap().is_unrestricted());
        assert_eq!(EventSet::of_name("OPEN"), None);
    }

    #[test]
    fn all_is_the_complement_of_none() {
        assert_eq!(EventSet::none().complement(), EventSet::all());
        assert!(EventSet::all().contains(known::TASK_FILE_SOCKET_UNIX));
    }
}
