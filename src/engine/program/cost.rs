//! What it costs to judge a comparison, and how often it is true: guesses that order the work.
//!
//! They never change what is decided, only in which order. Costs are nanoseconds on a small
//! machine, chances were chosen with ordinary events in mind.

use crate::engine::comparison::{Quantifier, Relation, Test};
use crate::engine::condition::{Node, Predicate};
use crate::engine::matchers::BytesTest;
use crate::engine::transform::Source;

/// Cost and chance of something that is true or false.
#[derive(Clone, Copy, Debug)]
pub struct Estimate {
    /// Nanoseconds.
    pub cost: f32,
    /// How often it is true, between 0 and 1.
    pub chance: f32,
}

impl Estimate {
    /// Of a comparison.
    #[must_use]
    pub fn of(predicate: &Predicate) -> Self {
        let mut cost = of_source(&predicate.source) + of_test(&predicate.test);
        if predicate.quantifier != Quantifier::One {
            cost *= 3.0;
        }
        let chance = usual(predicate).unwrap_or_else(|| chance(&predicate.test));
        Self { cost, chance: chance.clamp(0.01, 0.99) }
    }

    /// Of a condition that is judged by itself, in the best order.
    #[must_use]
    pub fn of_node(node: &Node) -> Self {
        let parts = |children: &[Node], rank: fn(Self) -> f32| {
            let mut parts: Vec<_> = children.iter().map(Self::of_node).collect();
            parts.sort_by(|left, right| rank(*left).total_cmp(&rank(*right)));
            parts.into_iter()
        };
        match node {
            Node::And(children) => Self::all(parts(children, Self::rank_in_all)),
            Node::Or(children) => Self::any(parts(children, Self::rank_in_any)),
            Node::Not(child) => Self::of_node(child).opposite(),
            Node::Test(predicate) => Self::of(predicate),
        }
    }

    /// Of the opposite.
    #[must_use]
    pub const fn opposite(self) -> Self {
        Self { cost: self.cost, chance: 1.0 - self.chance }
    }

    /// Of a conjunction, in this order.
    #[must_use]
    pub fn all(parts: impl Iterator<Item = Self>) -> Self {
        parts.fold(Self { cost: 0.0, chance: 1.0 }, |all, part| Self {
            cost: part.cost.mul_add(all.chance, all.cost),
            chance: all.chance * part.chance,
        })
    }

    /// Of a disjunction, in this order.
    #[must_use]
    pub fn any(parts: impl Iterator<Item = Self>) -> Self {
        Self::all(parts.map(Self::opposite)).opposite()
    }

    /// The lower, the earlier in a conjunction: cost of finding one thing false.
    #[must_use]
    pub fn rank_in_all(self) -> f32 {
        self.cost / (1.0 - self.chance).max(0.001)
    }

    /// The lower, the earlier in a disjunction.
    #[must_use]
    pub fn rank_in_any(self) -> f32 {
        self.opposite().rank_in_all()
    }
}

/// What reading costs; it is read once however many comparisons ask.
fn of_source(source: &Source) -> f32 {
    /// Fields that are made or looked up: beginning of the name, nanoseconds.
    const DEAR: [(&str, f32); 32] = [
        ("evt.arg", 60.0),
        ("evt.info", 100.0),
        ("evt.time", 100.0),
        ("evt.datetime", 100.0),
        ("evt.abspath", 30.0),
        ("evt.is_open", 2.0),
        ("fd.num", 1.0),
        ("fd.type", 1.0),
        ("fd.nameraw", 40.0),
        ("fd.name", 3.0),
        ("fd.directory", 7.0),
        ("fd.filename", 7.0),
        ("fd.", 4.0),
        ("fs.path", 20.0),
        ("proc.aname", 40.0),
        ("proc.a", 60.0),
        ("proc.cmdline", 30.0),
        ("proc.cwd", 10.0),
        ("proc.exeline", 30.0),
        ("proc.args", 20.0),
        ("proc.pcmdline", 40.0),
        ("proc.pid", 1.0),
        ("proc.p", 15.0),
        ("proc.sname", 30.0),
        ("proc.env", 40.0),
        ("proc.loginshellid", 40.0),
        ("thread.cap", 60.0),
        ("thread.cgroup", 40.0),
        ("user.", 10.0),
        ("group.", 10.0),
        ("container.id", 2.0),
        ("container.", 12.0),
    ];
    match source {
        Source::Field { field, .. } => {
            let known = DEAR.iter().find(|(start, _)| field.info.name.starts_with(start));
            known.map_or(2.0, |(_, cost)| *cost)
        }
        Source::Time | Source::Literal(_) => 1.0,
        Source::List(sources) => sources.iter().map(of_source).sum::<f32>() + 10.0,
        Source::Apply(transform) => transform.arguments.iter().map(of_source).sum::<f32>() + 30.0,
    }
}

fn of_test(test: &Test) -> f32 {
    match test {
        Test::Bytes(test) => match test {
            BytesTest::Equal(_) | BytesTest::NotEqual(_) | BytesTest::Order(..) => 2.0,
            BytesTest::StartsWith(_) | BytesTest::EndsWith(_) => 2.0,
            BytesTest::In(set) => {
                if set.len() > 6 {
                    6.0
                } else {
                    3.0
                }
            }
            // Mostly answered by one search for all.
            BytesTest::Contains(_) | BytesTest::ContainsAny(_) => 8.0,
            BytesTest::IContains(_) => 25.0,
            BytesTest::Glob(_) => 25.0,
            BytesTest::Paths(_) => 30.0,
            BytesTest::Regex(_) => 120.0,
        },
        Test::OneOf(tests) | Test::AnyOf(tests) | Test::AllOf(tests) => {
            tests.iter().map(of_test).sum()
        }
        Test::Right(right) => of_source(&right.source) + 5.0,
        _ => 1.0,
    }
}

/// Comparisons that are mostly true although they look as if they weren't: calls succeed, opens
/// are of files.
fn usual(predicate: &Predicate) -> Option<f32> {
    let Source::Field { field, .. } = &predicate.source else {
        return None;
    };
    let is_equal = matches!(predicate.test, Test::Bytes(BytesTest::Equal(_)));
    let is_order = matches!(
        predicate.test,
        Test::Signed(Relation::GreaterOrEqual | Relation::Greater, 0 | -1)
    );
    match field.info.name {
        "fd.typechar" | "fd.type" if is_equal => Some(0.7),
        "fd.num" | "evt.rawres" if is_order => Some(0.95),
        "container.id" => Some(if is_equal { 0.7 } else { 0.3 }),
        _ => None,
    }
}

fn chance(test: &Test) -> f32 {
    match test {
        Test::Exists => 0.9,
        Test::Signed(relation, _) | Test::Unsigned(relation, _) | Test::Double(relation, _) => {
            of_relation(*relation)
        }
        Test::Bool { of_true, of_false } => match (of_true, of_false) {
            (true, true) => 0.95,
            (false, false) => 0.01,
            (true, false) => 0.3,
            (false, true) => 0.7,
        },
        Test::Bytes(BytesTest::NotEqual(_)) => 0.9,
        Test::Bytes(BytesTest::Order(..)) => 0.5,
        Test::Bytes(BytesTest::Equal(_)) => 0.08,
        Test::Bytes(_) => 0.1,
        Test::Ip(_, wanted) | Test::Net(_, wanted) => {
            if *wanted {
                0.05
            } else {
                0.95
            }
        }
        Test::OneOf(_) | Test::AnyOf(_) => 0.15,
        Test::AllOf(tests) => tests.iter().map(chance).product(),
        Test::Right(_) => 0.4,
        _ => 0.1,
    }
}

const fn of_relation(relation: Relation) -> f32 {
    match relation {
        Relation::Equal => 0.1,
        Relation::NotEqual => 0.9,
        Relation::Less | Relation::LessOrEqual => 0.2,
        Relation::Greater | Relation::GreaterOrEqual => 0.8,
    }
}
