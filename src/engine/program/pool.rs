//! What all rules share: every source, comparison and composite exists once, and has a number.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;

use super::cost::Estimate;
use super::glance::Glance;
use super::reading::Reading;
use crate::engine::comparison::{Quantifier, RightTest, Test};
use crate::engine::condition::{Node, Predicate};
use crate::engine::event_set::EventSet;
use crate::engine::matchers::BytesTest;
use crate::engine::transform::Source;
use crate::event::{EventType, Kind, Value};
use crate::fields::Arg;

/// Number of a comparison.
pub(super) type PredicateId = u32;
/// Number of a node.
pub(super) type NodeId = u32;
/// A node and the text that it looks for.
type Part = (NodeId, Box<[u8]>);
/// Number of a source.
pub(super) type SlotId = u32;

/// The node that is true.
pub(super) const TRUE: NodeId = 0;
/// The node that is false.
pub(super) const FALSE: NodeId = 1;

/// What it costs to look at the facts, in nanoseconds.
const COST_OF_GLANCE: f32 = 0.5;

/// A comparison with the numbers of its sources.
#[derive(Clone, Debug)]
pub(super) enum Judge {
    /// A value with something prepared.
    Value { slot: SlotId, quantifier: Quantifier, test: Test },
    /// Two values.
    Values { left: SlotId, right: SlotId, test: RightTest },
    /// The event's type.
    Types(Box<EventSet>),
    /// A fact of the event.
    Glance(Glance),
}

/// A node: negations are pushed down to the leaves.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(super) enum Shape {
    Constant(bool),
    Leaf { predicate: PredicateId, is_positive: bool },
    And(Box<[NodeId]>),
    Or(Box<[NodeId]>),
}

/// Everything that rules share.
#[derive(Debug)]
pub(super) struct Pool {
    pub(super) slots: Vec<Reading>,
    pub(super) judges: Vec<Judge>,
    shapes: Vec<Shape>,
    estimates: Vec<Estimate>,
    slot_of: FxHashMap<Box<str>, SlotId>,
    /// The slots of fields, by how they are read: some have two names.
    field_of: FxHashMap<(usize, Arg, bool), SlotId>,
    judge_of: FxHashMap<Box<str>, PredicateId>,
    types_of: FxHashMap<EventSet, PredicateId>,
    glance_of: FxHashMap<Glance, PredicateId>,
    node_of: FxHashMap<Shape, NodeId>,
}

impl Pool {
    pub(super) fn new() -> Self {
        let mut pool = Self {
            slots: vec![Reading::Facts],
            judges: Vec::new(),
            shapes: Vec::new(),
            estimates: Vec::new(),
            slot_of: FxHashMap::default(),
            field_of: FxHashMap::default(),
            judge_of: FxHashMap::default(),
            types_of: FxHashMap::default(),
            glance_of: FxHashMap::default(),
            node_of: FxHashMap::default(),
        };
        pool.intern(Shape::Constant(true), Estimate { cost: 0.0, chance: 1.0 });
        pool.intern(Shape::Constant(false), Estimate { cost: 0.0, chance: 0.0 });
        pool
    }

    /// Takes in a condition, or its opposite.
    pub(super) fn add(&mut self, node: &Node, is_positive: bool) -> NodeId {
        match (node, is_positive) {
            (Node::And(children), true) | (Node::Or(children), false) => {
                let children = self.add_all(children, is_positive);
                self.and(children)
            }
            (Node::Or(children), true) | (Node::And(children), false) => {
                let children = self.add_all(children, is_positive);
                self.or(children)
            }
            (Node::Not(child), _) => self.add(child, !is_positive),
            (Node::Test(predicate), _) => match predicate.constant() {
                Some(value) if value == is_positive => TRUE,
                Some(_) => FALSE,
                None => {
                    let estimate = Estimate::of(predicate);
                    let id = self.predicate(predicate);
                    let is_glance = matches!(self.judges.get(id as usize), Some(Judge::Glance(_)));
                    let cost = if is_glance { COST_OF_GLANCE } else { estimate.cost };
                    self.leaf(id, is_positive, Estimate { cost, ..estimate })
                }
            },
        }
    }

    fn add_all(&mut self, children: &[Node], is_positive: bool) -> Vec<NodeId> {
        children.iter().map(|child| self.add(child, is_positive)).collect()
    }

    /// The node that is true for events of these types.
    pub(super) fn types(&mut self, set: EventSet) -> NodeId {
        let id = match self.types_of.get(&set) {
            Some(id) => *id,
            None => {
                let id = number(self.judges.len());
                self.judges.push(Judge::Types(Box::new(set.clone())));
                self.types_of.insert(set, id);
                id
            }
        };
        self.leaf(id, true, Estimate { cost: 1.0, chance: 0.5 })
    }

    /// A conjunction, simplified, with what settles it at least cost first.
    pub(super) fn and(&mut self, children: Vec<NodeId>) -> NodeId {
        let mut all = Vec::with_capacity(children.len());
        for child in children {
            match self.shape(child) {
                Shape::Constant(true) => {}
                Shape::Constant(false) => return FALSE,
                Shape::And(inner) => all.extend_from_slice(inner),
                _ => all.push(child),
            }
        }
        self.put_in_order(&mut all, Estimate::rank_in_all);
        match all.as_slice() {
            [] => TRUE,
            [single] => *single,
            _ => {
                let estimate = Estimate::all(all.iter().map(|id| self.estimate(*id)));
                self.intern(Shape::And(all.into()), estimate)
            }
        }
    }

    /// A disjunction, simplified, with what settles it at least cost first.
    pub(super) fn or(&mut self, children: Vec<NodeId>) -> NodeId {
        let mut any = Vec::with_capacity(children.len());
        for child in children {
            match self.shape(child) {
                Shape::Constant(false) => {}
                Shape::Constant(true) => return TRUE,
                Shape::Or(inner) => any.extend_from_slice(inner),
                _ => any.push(child),
            }
        }
        self.fuse_parts(&mut any);
        self.put_in_order(&mut any, Estimate::rank_in_any);
        match any.as_slice() {
            [] => FALSE,
            [single] => *single,
            _ => {
                let estimate = Estimate::any(any.iter().map(|id| self.estimate(*id)));
                self.intern(Shape::Or(any.into()), estimate)
            }
        }
    }

    /// Puts one search for several texts in the place of several searches of one value.
    fn fuse_parts(&mut self, any: &mut Vec<NodeId>) {
        const MIN_FUSED: usize = 3;
        let mut by_slot: BTreeMap<SlotId, Vec<Part>> = BTreeMap::new();
        for id in any.iter() {
            if let Shape::Leaf { predicate, is_positive: true } = self.shape(*id)
                && let Some(Judge::Value { slot, quantifier: Quantifier::One, test }) =
                    self.judges.get(*predicate as usize)
                && let Test::Bytes(BytesTest::Contains(finder)) = test
            {
                by_slot.entry(*slot).or_default().push((*id, finder.needle().into()));
            }
        }
        for (slot, mut parts) in by_slot {
            parts.sort_unstable();
            parts.dedup();
            let texts = parts.iter().map(|(_, text)| &**text);
            let Some(test) = BytesTest::contains_any(texts).filter(|_| parts.len() >= MIN_FUSED)
            else {
                continue;
            };
            any.retain(|id| parts.iter().all(|(fused, _)| fused != id));
            let text = format!("slot {slot} contains any {:?}", parts);
            let id = match self.judge_of.get(text.as_str()) {
                Some(id) => *id,
                None => {
                    let id = number(self.judges.len());
                    let (quantifier, test) = (Quantifier::One, Test::Bytes(test));
                    self.judges.push(Judge::Value { slot, quantifier, test });
                    self.judge_of.insert(text.into(), id);
                    id
                }
            };
            let chance = parts.iter().fold(0.0, |chance: f32, _| (chance + 0.1).min(0.5));
            any.push(self.leaf(id, true, Estimate { cost: 12.0, chance }));
        }
    }

    /// What is left of a node for events of one type, where `evt.type` and its like are known.
    pub(super) fn fold(
        &mut self,
        id: NodeId,
        ty: EventType,
        known: &mut FxHashMap<NodeId, NodeId>,
    ) -> NodeId {
        if let Some(folded) = known.get(&id) {
            return *folded;
        }
        let folded = match self.shape(id).clone() {
            Shape::Constant(_) => id,
            Shape::Leaf { predicate, is_positive } => {
                let judge = self.judges.get(predicate as usize);
                match judge.and_then(|judge| judge.of_type(&self.slots, ty)) {
                    Some(OfType::Always(value)) if value == is_positive => TRUE,
                    Some(OfType::Always(_)) => FALSE,
                    Some(OfType::Flags(glances)) => self.any_glance(&glances, is_positive),
                    None => id,
                }
            }
            Shape::And(children) => {
                let folded = children.iter().map(|child| self.fold(*child, ty, known)).collect();
                self.and(folded)
            }
            Shape::Or(children) => {
                let folded = children.iter().map(|child| self.fold(*child, ty, known)).collect();
                self.or(folded)
            }
        };
        known.insert(id, folded);
        folded
    }

    pub(super) fn shape(&self, id: NodeId) -> &Shape {
        self.shapes.get(id as usize).unwrap_or(&Shape::Constant(false))
    }

    pub(super) fn estimate(&self, id: NodeId) -> Estimate {
        let unknown = Estimate { cost: 0.0, chance: 0.0 };
        self.estimates.get(id as usize).copied().unwrap_or(unknown)
    }

    pub(super) const fn nodes(&self) -> usize {
        self.shapes.len()
    }

    /// The children of a conjunction; any other node is its own only one.
    pub(super) fn conjuncts(&self, id: NodeId) -> Vec<NodeId> {
        match self.shape(id) {
            Shape::Constant(true) => Vec::new(),
            Shape::And(children) => children.to_vec(),
            _ => vec![id],
        }
    }

    fn predicate(&mut self, predicate: &Predicate) -> PredicateId {
        if let Some(id) = self.judge_of.get(&predicate.text) {
            return *id;
        }
        if let Some(glance) = Glance::of(&predicate.source, predicate.quantifier, &predicate.test) {
            let id = self.glance(glance);
            self.judge_of.insert(predicate.text.clone(), id);
            return id;
        }
        let slot = match unmade(predicate) {
            Some(source) => {
                self.slot(&source, &format!("what {} is made of", predicate.source_text))
            }
            None => self.slot(&predicate.source, &predicate.source_text),
        };
        let judge = match &predicate.test {
            Test::Right(test) => {
                let right = self.slot(&test.source, &test.source_text);
                Judge::Values { left: slot, right, test: test.clone() }
            }
            test => {
                let (quantifier, test) = (predicate.quantifier, test.clone());
                Judge::Value { slot, quantifier, test }
            }
        };
        let id = number(self.judges.len());
        self.judges.push(judge);
        self.judge_of.insert(predicate.text.clone(), id);
        id
    }

    fn glance(&mut self, glance: Glance) -> PredicateId {
        if let Some(id) = self.glance_of.get(&glance) {
            return *id;
        }
        let id = number(self.judges.len());
        self.judges.push(Judge::Glance(glance));
        self.glance_of.insert(glance, id);
        id
    }

    /// The node that is true if any of these is, or its opposite.
    fn any_glance(&mut self, glances: &[Glance], is_positive: bool) -> NodeId {
        let leaf = |glance: &Glance| {
            let id = self.glance(*glance);
            self.leaf(id, is_positive, Estimate { cost: COST_OF_GLANCE, chance: 0.1 })
        };
        let leaves = glances.iter().map(leaf).collect();
        if is_positive { self.or(leaves) } else { self.and(leaves) }
    }

    fn slot(&mut self, source: &Source, text: &str) -> SlotId {
        if let Some(id) = self.slot_of.get(text) {
            return *id;
        }
        let new = number(self.slots.len());
        let id = match source {
            Source::Field { field, read, is_text } => {
                let key = (*read as usize, field.arg.clone(), *is_text);
                *self.field_of.entry(key).or_insert(new)
            }
            _ => new,
        };
        if id == new {
            self.slots.push(match source.clone() {
                Source::Field { field, read, is_text } => Reading::Field(field, read, is_text),
                source => Reading::Source(source),
            });
        }
        self.slot_of.insert(text.into(), id);
        id
    }

    fn leaf(&mut self, predicate: PredicateId, is_positive: bool, estimate: Estimate) -> NodeId {
        let estimate = if is_positive { estimate } else { estimate.opposite() };
        self.intern(Shape::Leaf { predicate, is_positive }, estimate)
    }

    fn intern(&mut self, shape: Shape, estimate: Estimate) -> NodeId {
        if let Some(id) = self.node_of.get(&shape) {
            return *id;
        }
        let id = number(self.shapes.len());
        self.shapes.push(shape.clone());
        self.estimates.push(estimate);
        self.node_of.insert(shape, id);
        id
    }

    fn put_in_order(&self, nodes: &mut Vec<NodeId>, rank: fn(Estimate) -> f32) {
        nodes.sort_by(|left, right| {
            let rank = |id: &NodeId| rank(self.estimate(*id));
            rank(left).total_cmp(&rank(right)).then(left.cmp(right))
        });
        nodes.dedup();
    }
}

/// What a comparison says of the events of one type.
enum OfType {
    /// Always the same.
    Always(bool),
    /// That one of these holds.
    Flags(Vec<Glance>),
}

impl Judge {
    /// What it says of the events of a type, if that is simpler than for others.
    fn of_type(&self, slots: &[Reading], ty: EventType) -> Option<OfType> {
        match self {
            Self::Types(set) => Some(OfType::Always(set.contains(ty))),
            Self::Values { .. } | Self::Glance(_) => None,
            Self::Value { slot, quantifier, test } => {
                let Some(Reading::Field(field, ..)) = slots.get(*slot as usize) else {
                    return None;
                };
                if let Some(flags) = Glance::of_flags(field, test, ty) {
                    return Some(OfType::Flags(flags));
                }
                let is_system_call = matches!(ty.info().kind, Kind::Syscall | Kind::Generic);
                let value = match field.info.name {
                    "evt.type" | "syscall.type" if is_system_call => ty.name(),
                    "evt.dir" => ty.info().direction(),
                    _ => return None,
                };
                let holds = quantifier.holds(test, Value::Bytes(value.as_bytes()));
                Some(OfType::Always(holds))
            }
        }
    }
}

/// Where a comparison may look for parts of a text without making the text.
fn unmade(predicate: &Predicate) -> Option<Source> {
    let (Source::Field { field, .. }, Test::Bytes(test)) = (&predicate.source, &predicate.test)
    else {
        return None;
    };
    let read = field.info.made_of.filter(|_| field.arg == Arg::None)?;
    let parts = match test {
        BytesTest::IContains(part) => vec![&**part],
        test => test.parts()?,
    };
    let has_blank = parts.iter().any(|part| part.contains(&b' '));
    (!has_blank).then(|| Source::Field { field: field.clone(), read, is_text: false })
}

/// A number for the next element; there is never enough memory for more than `u32::MAX` of them.
pub(super) fn number(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}
