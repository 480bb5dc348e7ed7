//! Runs the program on one event.

use bumpalo::collections::Vec as ArenaVec;

use super::pool::{Judge, NodeId, PredicateId, SlotId};
use super::probe::Probe;
use super::{END, Step};
use crate::engine::transform::Source;
use crate::event::{Event, EventType, Value};

/// Everything that is needed to judge events; immutable.
#[derive(Debug)]
pub struct Program {
    pub(super) steps: Vec<Step>,
    pub(super) judges: Vec<Judge>,
    pub(super) slots: Vec<Source>,
    pub(super) probes: Vec<Probe>,
    /// Where the steps of shared nodes begin, by node; [`END`] for all others.
    pub(super) bodies: Vec<u32>,
    /// Where each event type's own rules begin.
    pub(super) entries: Box<[u32; EventType::COUNT]>,
    /// Where the rules begin that are tried for most event types.
    pub(super) common: u32,
}

/// What judging needs beside the program: caches, cleared by generation and never freed.
///
/// One can serve several programs, one after another.
#[derive(Debug, Default)]
pub struct Scratch {
    /// Of this event; at most 31 bits, so that a result fits beside it.
    generation: u32,
    /// Results of comparisons: generation and result.
    predicates: Vec<u32>,
    /// Results of shared nodes, likewise.
    nodes: Vec<u32>,
    /// Where the values of sources are: generation and place.
    slots: Vec<(u32, u32)>,
    /// Places that probes found and that were not visited yet.
    pending: Vec<u32>,
    /// For each probe under way, how much was pending before, and where to go on after it.
    probing: Vec<(usize, u32)>,
    /// For each shared node under way, where to go on.
    calls: Vec<(u32, u32)>,
    /// Rules that match.
    matches: Vec<u32>,
}

/// The place of a value that is absent.
const ABSENT: u32 = u32::MAX;

impl Program {
    /// The numbers of the rules that match `event`, ascending.
    pub fn run<'s>(&self, event: &Event<'_>, scratch: &'s mut Scratch) -> &'s [u32] {
        scratch.matches.clear();
        let own = self.entries.get(event.ty.index()).copied().unwrap_or(END);
        if own != END || self.common != END {
            scratch.begin(self);
            let values = ArenaVec::with_capacity_in(self.slots.len().min(64), event.arena);
            let mut machine = Machine { program: self, event, scratch, values };
            machine.run(own);
            machine.run(self.common);
            if scratch.matches.len() > 1 {
                scratch.matches.sort_unstable();
                scratch.matches.dedup();
            }
        }
        &scratch.matches
    }
}

impl Scratch {
    /// Makes the caches large enough and forgets the last event.
    fn begin(&mut self, program: &Program) {
        const LAST: u32 = u32::MAX >> 1;
        if self.generation == LAST {
            self.predicates.fill(0);
            self.nodes.fill(0);
            self.slots.fill((0, 0));
            self.generation = 0;
        }
        self.generation += 1;
        if self.predicates.len() < program.judges.len()
            || self.nodes.len() < program.bodies.len()
            || self.slots.len() < program.slots.len()
        {
            self.predicates.resize(program.judges.len(), 0);
            self.nodes.resize(program.bodies.len(), 0);
            self.slots.resize(program.slots.len(), (0, 0));
        }
        self.pending.clear();
        self.probing.clear();
        self.calls.clear();
    }
}

/// A program on its way over one event.
struct Machine<'m, 'e> {
    program: &'m Program,
    event: &'m Event<'e>,
    scratch: &'m mut Scratch,
    values: ArenaVec<'e, Value<'e>>,
}

impl<'e> Machine<'_, 'e> {
    fn run(&mut self, entry: u32) {
        let program = self.program;
        let mut at = entry;
        while let Some(step) = program.steps.get(at as usize) {
            at = match *step {
                Step::Test { predicate, yes, no } => {
                    if self.predicate(predicate) {
                        yes
                    } else {
                        no
                    }
                }
                Step::Shared { node, yes, no } => self.shared(node, yes, no),
                Step::Return { node, value } => self.return_from(node, value),
                Step::Match { rule, next } => {
                    self.scratch.matches.push(rule);
                    next
                }
                Step::Probe { probe, next } => {
                    self.scratch.probing.push((self.scratch.pending.len(), next));
                    self.probe(probe);
                    self.next()
                }
                Step::Next => self.next(),
                Step::End => return,
            };
        }
    }

    /// The result of a comparison.
    #[inline]
    fn predicate(&mut self, id: PredicateId) -> bool {
        let generation = self.scratch.generation;
        if let Some(known) = self.scratch.predicates.get(id as usize)
            && known >> 1 == generation
        {
            return known & 1 == 1;
        }
        let result = self.judge(id);
        if let Some(place) = self.scratch.predicates.get_mut(id as usize) {
            *place = generation << 1 | u32::from(result);
        }
        result
    }

    fn judge(&mut self, id: PredicateId) -> bool {
        match self.program.judges.get(id as usize) {
            Some(Judge::Value { slot, quantifier, test }) => match self.value(*slot) {
                Some(value @ Value::List(_)) => quantifier.holds(test, value),
                Some(value) => test.holds(value),
                None => false,
            },
            Some(Judge::Values { left, right, test }) => {
                match (self.value(*left), self.value(*right)) {
                    (Some(left), Some(right)) => test.holds(left, right),
                    _ => false,
                }
            }
            Some(Judge::Types(set)) => set.contains(self.event.ty),
            None => false,
        }
    }

    /// The value of a source, read now or before.
    fn value(&mut self, slot: SlotId) -> Option<Value<'e>> {
        let generation = self.scratch.generation;
        let (last, place) = self.scratch.slots.get_mut(slot as usize)?;
        if *last == generation {
            return self.values.get(*place as usize).copied();
        }
        *last = generation;
        *place = ABSENT;
        let value = self.program.slots.get(slot as usize)?.value(self.event)?;
        *place = u32::try_from(self.values.len()).unwrap_or(ABSENT);
        self.values.push(value);
        Some(value)
    }

    fn shared(&mut self, node: NodeId, yes: u32, no: u32) -> u32 {
        if let Some(known) = self.scratch.nodes.get(node as usize)
            && known >> 1 == self.scratch.generation
        {
            return if known & 1 == 1 { yes } else { no };
        }
        self.scratch.calls.push((yes, no));
        self.program.bodies.get(node as usize).copied().unwrap_or(END)
    }

    fn return_from(&mut self, node: NodeId, value: bool) -> u32 {
        let generation = self.scratch.generation;
        if let Some(place) = self.scratch.nodes.get_mut(node as usize) {
            *place = generation << 1 | u32::from(value);
        }
        match self.scratch.calls.pop() {
            Some((yes, _)) if value => yes,
            Some((_, no)) => no,
            None => END,
        }
    }

    /// Notes all places that a probe finds for the event.
    fn probe(&mut self, id: u32) {
        let Some(probe) = self.program.probes.get(id as usize) else {
            return;
        };
        match self.value(probe.slot()) {
            Some(Value::List(values)) => {
                for value in values {
                    probe.find(*value, &mut self.scratch.pending);
                }
            }
            Some(value) => probe.find(value, &mut self.scratch.pending),
            None => {}
        }
    }

    fn next(&mut self) -> u32 {
        let Some((before, next)) = self.scratch.probing.last().copied() else {
            return END;
        };
        if self.scratch.pending.len() > before
            && let Some(place) = self.scratch.pending.pop()
        {
            return place;
        }
        self.scratch.probing.pop();
        next
    }
}
