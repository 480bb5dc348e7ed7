//! What all rules share: every source, comparison and composite exists once, and has a number.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;

use super::cost::Estimate;
use crate::engine::comparison::{Quantifier, RightTest, Test};
use crate::engine::condition::{Node, Predicate};
use crate::engine::event_set::EventSet;
use crate::engine::matchers::BytesTest;
use crate::engine::transform::Source;
use crate::event::{EventType, Kind, Value};

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

/// A comparison with the numbers of its sources.
#[derive(Clone, Debug)]
pub(super) enum Judge {
    /// A value with something prepared.
    Value { slot: SlotId, quantifier: Quantifier, test: Test },
    /// Two values.
    Values { left: SlotId, right: SlotId, test: RightTest },
    /// The event's type.
    Types(Box<EventSet>),
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
    pub(super) slots: Vec<Source>,
    pub(super) judges: Vec<Judge>,
    shapes: Vec<Shape>,
    estimates: Vec<Estimate>,
    slot_of: FxHashMap<Box<str>, SlotId>,
    judge_of: FxHashMap<Box<str>, PredicateId>,
    types_of: FxHashMap<EventSet, PredicateId>,
    node_of: FxHashMap<Shape, NodeId>,
}

impl Pool {
    pub(super) fn new() -> Self {
        let mut pool = Self {
            slots: Vec::new(),
            judges: Vec::new(),
            shapes: Vec::new(),
            estimates: Vec::new(),
            slot_of: FxHashMap::default(),
            judge_of: FxHashMap::default(),
            types_of: FxHashMap::default(),
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
                    let id = self.predicate(predicate);
                    self.leaf(id, is_positive, Estimate::of(predicate))
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
                match self
                    .judges
                    .get(predicate as usize)
                    .and_then(|judge| judge.of_type(&self.slots, ty))
                {
                    Some(value) if value == is_positive => TRUE,
                    Some(_) => FALSE,
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
        let slot = self.slot(&predicate.source, &predicate.source_text);
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

    fn slot(&mut self, source: &Source, text: &str) -> SlotId {
        if let Some(id) = self.slot_of.get(text) {
            return *id;
        }
        let id = number(self.slots.len());
        self.slots.push(source.clone());
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

impl Judge {
    /// What it says of every event of a type, if that is always the same.
    fn of_type(&self, slots: &[Source], ty: EventType) -> Option<bool> {
        match self {
            Self::Types(set) => Some(set.contains(ty)),
            Self::Values { .. } => None,
            Self::Value { slot, quantifier, test } => {
                let Some(Source::Field { field, .. }) = slots.get(*slot as usize) else {
                    return None;
                };
                let is_system_call = matches!(ty.info().kind, Kind::Syscall | Kind::Generic);
                let value = match field.info.name {
                    "evt.type" | "syscall.type" if is_system_call => ty.name(),
                    "evt.dir" => ty.info().direction(),
                    _ => return None,
                };
                Some(quantifier.holds(test, Value::Bytes(value.as_bytes())))
            }
        }
    }
}

/// A number for the next element; there is never enough memory for more than `u32::MAX` of them.
pub(super) fn number(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}
