//! Lays out the program: which rules can match which event types, and in what order to ask.
//!
//! Steps are made from the end to the start, so that every target is there before it is named.
//! The order in which rules are judged is free, since judging has no effects and matches are put
//! in order afterwards; so rules that need the same thing stand behind one test of it, and many
//! rules that look for texts in one value are looked up together.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;

use super::cost::Estimate;
use super::gate::gates;
use super::guard::{Guard, Key, What};
use super::machine::Program;
use super::pool::{FALSE, NodeId, Pool, Shape, SlotId, TRUE, number};
use super::probe::{Probe, Targets};
use super::quick::Op;
use super::shortcut::Shortcuts;
use super::{END, NEXT, Step, TestStep};
use crate::engine::condition::Condition;
use crate::engine::event_set::EventSet;
use crate::event::{EventType, Kind, known};

/// A rule for more event types than this is not laid out for each of them.
const MAX_NARROW: usize = 32;

/// From so many rules on, looking up is considered.
const MIN_ITEMS: usize = 8;

/// So many rules must look into one value to have a probe.
const MIN_PROBED: usize = 6;

/// So many texts must be looked for anywhere in a value to do it together.
const MIN_PARTS: usize = 4;

/// So many rules behind one key are judged one after another.
const FEW_BEHIND_KEY: usize = 8;

/// Up to so many rules are first divided by what costs little to ask.
const MAX_DIVIDED: usize = 64;

/// So many of them must have it in common.
const MIN_DIVIDED: usize = 4;

/// What costs little, in nanoseconds, and how often it may be true to divide rules well.
const LITTLE: Estimate = Estimate { cost: 6.0, chance: 0.5 };

/// A shared node of so many comparisons has no steps of its own.
const FEW_LEAVES: usize = 4;

/// Probes behind probes end here.
const MAX_PROBE_DEPTH: usize = 3;

/// A rule to be compiled.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Input<'r> {
    /// What the program calls it.
    pub(crate) rule: u32,
    /// When it matches.
    pub(crate) condition: &'r Condition,
    /// For which event types it is tried.
    pub(crate) events: &'r EventSet,
}

/// What is left of a rule at some place of the program.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
struct Item {
    rule: u32,
    node: NodeId,
}

impl Program {
    /// Builds the program of some rules.
    pub(crate) fn build(rules: &[Input<'_>]) -> Self {
        let mut builder = Builder {
            pool: Pool::new(),
            steps: vec![Step::End, Step::Next],
            probes: Vec::new(),
            bodies: FxHashMap::default(),
            uses: FxHashMap::default(),
        };
        let mut narrow = Vec::new();
        let mut wide = Vec::new();
        for input in rules {
            let node = builder.pool.add(&input.condition.root, true);
            let types = input.events.iter().filter(|ty| ty.info().kind != Kind::Generic);
            if types.count() <= MAX_NARROW {
                narrow.push((*input, node));
            } else {
                wide.push(builder.restricted(input, node));
            }
        }
        let entries = builder.entries(&narrow);
        let common = builder.class(&wide);
        builder.finish(entries, common)
    }
}

struct Builder {
    pool: Pool,
    steps: Vec<Step>,
    probes: Vec<Probe>,
    /// Where the steps of shared nodes begin.
    bodies: FxHashMap<NodeId, u32>,
    /// How often the rules of the present class refer to a composite.
    uses: FxHashMap<NodeId, u32>,
}

impl Builder {
    /// The program, its steps laid past what is known.
    fn finish(mut self, mut entries: Box<[u32; EventType::COUNT]>, common: u32) -> Program {
        let Pool { judges, slots, .. } = &mut self.pool;
        let gates = gates(judges, slots);
        let mut shortcuts = Shortcuts::new(&self.steps, &gates);
        entries.iter_mut().for_each(|place| *place = shortcuts.place(*place));
        let common = shortcuts.place(common);
        let mut bodies = vec![END; self.pool.nodes()];
        for (node, place) in self.bodies {
            if let Some(body) = bodies.get_mut(node as usize) {
                *body = shortcuts.place(place);
            }
        }
        for probe in &mut self.probes {
            probe.places_mut().iter_mut().for_each(|place| *place = shortcuts.place(*place));
        }
        let steps = shortcuts.finish();
        let Pool { judges, slots, .. } = self.pool;
        let ops: Vec<_> = judges.iter().map(Op::of).collect();
        Program {
            tests: steps.iter().map(|step| TestStep::of(*step, &ops)).collect(),
            steps,
            judges,
            slots,
            probes: self.probes,
            bodies,
            entries,
            common,
        }
    }

    /// A rule for most event types, with a test of the type if it isn't for all.
    fn restricted(&mut self, input: &Input<'_>, node: NodeId) -> Item {
        let mut set = input.events.clone();
        set.insert(known::ASYNCEVENT);
        let node = if EventType::all().all(|ty| set.contains(ty)) {
            node
        } else {
            let types = self.pool.types(set);
            self.pool.and(vec![types, node])
        };
        Item { rule: input.rule, node }
    }

    /// The rules of each event type; types with the same rules share their steps.
    fn entries(&mut self, narrow: &[(Input<'_>, NodeId)]) -> Box<[u32; EventType::COUNT]> {
        let mut entries = Box::new([END; EventType::COUNT]);
        let mut classes: FxHashMap<Vec<Item>, u32> = FxHashMap::default();
        for (ty, entry) in EventType::all().zip(entries.iter_mut()) {
            let mut folded = FxHashMap::default();
            let mut items = Vec::new();
            for (input, node) in narrow {
                if input.events.contains(ty) || ty == known::ASYNCEVENT {
                    let node = self.pool.fold(*node, ty, &mut folded);
                    if node != FALSE {
                        items.push(Item { rule: input.rule, node });
                    }
                }
            }
            *entry = match classes.get(&items) {
                Some(place) => *place,
                None => {
                    let place = self.class(&items);
                    classes.insert(items, place);
                    place
                }
            };
        }
        entries
    }

    /// The steps for one class of event types.
    fn class(&mut self, items: &[Item]) -> u32 {
        self.uses.clear();
        for item in items {
            for conjunct in self.pool.conjuncts(item.node) {
                self.count_uses(conjunct);
            }
        }
        self.items(items, END, &[])
    }

    fn count_uses(&mut self, node: NodeId) {
        let (Shape::And(children) | Shape::Or(children)) = self.pool.shape(node) else {
            return;
        };
        let children = children.clone();
        let uses = self.uses.entry(node).or_default();
        *uses += 1;
        if *uses == 1 {
            children.iter().for_each(|child| self.count_uses(*child));
        }
    }

    /// Steps that judge all items and go to `next`; slots `without` were looked up already.
    fn items(&mut self, items: &[Item], next: u32, without: &[SlotId]) -> u32 {
        if items.len() < MIN_ITEMS || without.len() >= MAX_PROBE_DEPTH {
            return self.grouped(items, next, without);
        }
        if items.len() > MAX_DIVIDED {
            return self.probed(items, next, without);
        }
        let mut counts: FxHashMap<NodeId, usize> = FxHashMap::default();
        for item in items {
            for conjunct in self.pool.conjuncts(item.node) {
                let estimate = self.pool.estimate(conjunct);
                if estimate.cost <= LITTLE.cost && estimate.chance <= LITTLE.chance {
                    *counts.entry(conjunct).or_default() += 1;
                }
            }
        }
        let best = counts.into_iter().max_by_key(|(node, count)| (*count, *node));
        let Some((common, _)) = best.filter(|(_, count)| *count >= MIN_DIVIDED) else {
            return self.probed(items, next, without);
        };
        let (members, others): (Vec<_>, Vec<_>) = items
            .iter()
            .copied()
            .partition(|item| self.pool.conjuncts(item.node).contains(&common));
        let place = self.items(&others, next, without);
        self.behind(common, &members, place, without)
    }

    /// Steps that look up what can be looked up, and judge the other items one after another.
    fn probed(&mut self, items: &[Item], next: u32, without: &[SlotId]) -> u32 {
        let guards: Vec<_> =
            items.iter().map(|item| Guard::of(&self.pool, item.node, without)).collect();
        let worthy = worthy_slots(&guards);
        let mut probed: BTreeMap<SlotId, FxHashMap<What, Vec<Item>>> = BTreeMap::new();
        let mut rest = Vec::new();
        for (item, guard) in items.iter().zip(guards) {
            match guard {
                Some(guard) if guard.keys.iter().all(|key| worthy.is_worthy(key)) => {
                    for key in guard.keys {
                        let by_what = probed.entry(key.slot).or_default();
                        by_what.entry(key.what).or_default().push(*item);
                    }
                }
                _ => rest.push(*item),
            }
        }
        let mut place = self.grouped(&rest, next, without);
        let mut codes = FxHashMap::default();
        for (slot, by_what) in probed {
            place = self.probe(slot, by_what, place, without, &mut codes);
        }
        place
    }

    /// A probe of one slot: steps for what stands behind each key, then the step that looks up.
    fn probe(
        &mut self,
        slot: SlotId,
        by_what: FxHashMap<What, Vec<Item>>,
        next: u32,
        without: &[SlotId],
        codes: &mut FxHashMap<Vec<Item>, u32>,
    ) -> u32 {
        let mut without = without.to_vec();
        without.push(slot);
        let mut by_what: Vec<_> = by_what.into_iter().collect();
        by_what.sort_unstable_by(|(left, _), (right, _)| left.cmp(right));
        let mut targets = Targets::default();
        for (what, mut items) in by_what {
            items.dedup();
            let places: Vec<u32> = if items.len() <= FEW_BEHIND_KEY {
                items.iter().map(|item| self.behind_key(&[*item], &without, codes)).collect()
            } else {
                vec![self.behind_key(&items, &without, codes)]
            };
            targets.add(what, &places);
        }
        let probe = number(self.probes.len());
        self.probes.push(Probe::new(slot, targets));
        self.push(Step::Probe { probe, next })
    }

    fn behind_key(
        &mut self,
        items: &[Item],
        without: &[SlotId],
        codes: &mut FxHashMap<Vec<Item>, u32>,
    ) -> u32 {
        if let Some(place) = codes.get(items) {
            return *place;
        }
        let place = self.items(items, NEXT, without);
        codes.insert(items.to_vec(), place);
        place
    }

    /// Steps that judge all items, those with something in common behind one test of it: first
    /// what settles most at least cost.
    fn grouped(&mut self, items: &[Item], next: u32, without: &[SlotId]) -> u32 {
        if items.len() > MAX_DIVIDED {
            return self.grouped_at_once(items, next, without);
        }
        let gains = self.gains(items);
        let best = gains.into_iter().map(|(node, gain)| (gain, node)).max_by(by_gain);
        let Some((_, common)) = best else {
            return items.iter().fold(next, |place, item| self.single(*item, place));
        };
        let (members, others): (Vec<_>, Vec<_>) = items
            .iter()
            .copied()
            .partition(|item| self.pool.conjuncts(item.node).contains(&common));
        let place = self.grouped(&others, next, without);
        self.behind(common, &members, place, without)
    }

    /// What items have in common, and how much is gained by asking it first, once for all that have
    /// it, instead of judging each in its own best order: nanoseconds an event.
    fn gains(&self, items: &[Item]) -> FxHashMap<NodeId, f32> {
        let mut gains: FxHashMap<NodeId, (u32, f32)> = FxHashMap::default();
        for item in items {
            let conjuncts = self.pool.conjuncts(item.node);
            let cost_without = |left_out: Option<NodeId>| {
                let rest = conjuncts.iter().filter(|conjunct| Some(**conjunct) != left_out);
                Estimate::all(rest.map(|conjunct| self.pool.estimate(*conjunct))).cost
            };
            let whole = cost_without(None);
            for conjunct in &conjuncts {
                let rest = self.pool.estimate(*conjunct).chance * cost_without(Some(*conjunct));
                let (count, gain) = gains.entry(*conjunct).or_default();
                *count += 1;
                *gain += whole - rest;
            }
        }
        let shared = gains.into_iter().filter(|(_, (count, _))| *count > 1);
        let paid = shared.map(|(node, (_, gain))| (node, gain - self.pool.estimate(node).cost));
        paid.filter(|(_, gain)| *gain > 0.0).collect()
    }

    /// The same for so many items that each chooses for itself.
    fn grouped_at_once(&mut self, items: &[Item], next: u32, without: &[SlotId]) -> u32 {
        let gains = self.gains(items);
        let mut groups: BTreeMap<NodeId, Vec<Item>> = BTreeMap::new();
        let mut singles = Vec::new();
        for item in items {
            let conjuncts = self.pool.conjuncts(item.node).into_iter();
            let gains = conjuncts.filter_map(|node| Some((*gains.get(&node)?, node)));
            match gains.max_by(by_gain) {
                Some((_, common)) => groups.entry(common).or_default().push(*item),
                None => singles.push(*item),
            }
        }
        let mut place = next;
        for item in singles {
            place = self.single(item, place);
        }
        for (common, members) in groups {
            if let [single] = members.as_slice() {
                place = self.single(*single, place);
                continue;
            }
            place = self.behind(common, &members, place, without);
        }
        place
    }

    /// Steps that judge items which have a conjunct in common, behind one test of it.
    fn behind(&mut self, common: NodeId, items: &[Item], next: u32, without: &[SlotId]) -> u32 {
        let members: Vec<_> = items
            .iter()
            .map(|item| {
                let mut rest = self.pool.conjuncts(item.node);
                rest.retain(|conjunct| *conjunct != common);
                Item { rule: item.rule, node: self.pool.and(rest) }
            })
            .collect();
        let inner = self.items(&members, next, without);
        self.node(common, inner, next)
    }

    fn single(&mut self, item: Item, next: u32) -> u32 {
        let found = self.push(Step::Match { rule: item.rule, next });
        if item.node == TRUE { found } else { self.inline(item.node, found, next) }
    }

    /// Steps that go to `yes` or `no`; of a node that is used often, a reference to its own.
    fn node(&mut self, node: NodeId, yes: u32, no: u32) -> u32 {
        if self.uses.get(&node).is_none_or(|uses| *uses < 2) || self.is_small(node) {
            return self.inline(node, yes, no);
        }
        if !self.bodies.contains_key(&node) {
            let found = self.push(Step::Return { node, value: true });
            let failed = self.push(Step::Return { node, value: false });
            let body = self.inline(node, found, failed);
            self.bodies.insert(node, body);
        }
        self.push(Step::Shared { node, yes, no })
    }

    /// Whether it is less work to judge a node again than to come back from its own steps.
    fn is_small(&self, node: NodeId) -> bool {
        match self.pool.shape(node) {
            Shape::Constant(_) | Shape::Leaf { .. } => true,
            Shape::And(children) | Shape::Or(children) => {
                let is_leaf = |id: &NodeId| matches!(self.pool.shape(*id), Shape::Leaf { .. });
                children.len() <= FEW_LEAVES && children.iter().all(is_leaf)
            }
        }
    }

    fn inline(&mut self, node: NodeId, yes: u32, no: u32) -> u32 {
        match self.pool.shape(node).clone() {
            Shape::Constant(true) => yes,
            Shape::Constant(false) => no,
            Shape::Leaf { predicate, is_positive: true } => {
                self.push(Step::Test { predicate, yes, no })
            }
            Shape::Leaf { predicate, is_positive: false } => {
                self.push(Step::Test { predicate, yes: no, no: yes })
            }
            Shape::And(children) => {
                children.iter().rev().fold(yes, |yes, child| self.node(*child, yes, no))
            }
            Shape::Or(children) => {
                children.iter().rev().fold(no, |no, child| self.node(*child, yes, no))
            }
        }
    }

    fn push(&mut self, step: Step) -> u32 {
        self.steps.push(step);
        number(self.steps.len() - 1)
    }
}

fn by_gain(left: &(f32, NodeId), right: &(f32, NodeId)) -> std::cmp::Ordering {
    left.0.total_cmp(&right.0).then(left.1.cmp(&right.1))
}

/// Which slots are looked into by enough rules for enough keys, and for enough parts.
struct Worthy {
    rules: FxHashMap<SlotId, usize>,
    keys: FxHashMap<SlotId, usize>,
    parts: FxHashMap<SlotId, usize>,
}

impl Worthy {
    fn is_worthy(&self, key: &Key) -> bool {
        let enough = |counts: &FxHashMap<SlotId, usize>, least| {
            counts.get(&key.slot).is_some_and(|count| *count >= least)
        };
        let is_part = matches!(key.what, What::Part(_));
        enough(&self.rules, MIN_PROBED)
            && enough(&self.keys, MIN_PROBED)
            && (!is_part || enough(&self.parts, MIN_PARTS))
    }
}

fn worthy_slots(guards: &[Option<Guard>]) -> Worthy {
    let mut worthy = Worthy {
        rules: FxHashMap::default(),
        keys: FxHashMap::default(),
        parts: FxHashMap::default(),
    };
    let mut keys: Vec<_> = Vec::new();
    for guard in guards.iter().flatten() {
        let mut slots: Vec<_> = guard.keys.iter().map(|key| key.slot).collect();
        slots.sort_unstable();
        slots.dedup();
        for slot in slots {
            *worthy.rules.entry(slot).or_default() += 1;
        }
        keys.extend(&guard.keys);
    }
    keys.sort_unstable();
    keys.dedup();
    for key in keys {
        *worthy.keys.entry(key.slot).or_default() += 1;
        if matches!(key.what, What::Part(_)) {
            *worthy.parts.entry(key.slot).or_default() += 1;
        }
    }
    worthy
}
