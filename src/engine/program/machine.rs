//! Runs the program on one event.
//!
//! This is where the time goes: what is needed for most comparisons lies side by side in few
//! words, values are moved about as little as can be, and what is dear is done once an event.

use bumpalo::collections::Vec as ArenaVec;

use super::pool::{Judge, NodeId, PredicateId, SlotId};
use super::probe::Probe;
use super::{END, Step, TestStep};
use crate::engine::transform::{Source, text_until_nul};
use crate::event::{Event, EventType, Value};

/// So many texts are kept where they are found fastest.
const TEXTS: usize = 16;

/// Everything that is needed to judge events; immutable.
#[derive(Debug)]
pub struct Program {
    pub(super) steps: Vec<Step>,
    /// The tests among them, at their places.
    pub(super) tests: Vec<TestStep>,
    /// The comparisons, as they are judged where a test doesn't say how.
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
    /// Results of dear comparisons: generation and result.
    predicates: Vec<u32>,
    /// Results of shared nodes, likewise.
    nodes: Vec<u32>,
    /// What is known of the values of sources.
    slots: Vec<Slot>,
    /// Places that probes found and that were not visited yet.
    pending: Vec<u32>,
    /// For each probe under way, how much was pending before, and where to go on after it.
    probing: Vec<(usize, u32)>,
    /// For each shared node under way, where to go on.
    calls: Vec<(u32, u32)>,
    /// Rules that match.
    matches: Vec<u32>,
}

/// What is known of the value of a source: two words, so that it goes through registers. A value
/// that was just written in parts is slow to read as a whole.
#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    /// Of the event that it is known for the generation, and where it is kept.
    mark: u64,
    /// 64 bits of an integer, a truth value, or where the value is kept.
    number: i64,
}

/// Where a value is kept. Values are moved about as little as can be.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kept {
    Absent,
    /// In the slot.
    Number,
    /// In `texts`.
    Text,
    /// In `others`.
    Other,
}

impl Slot {
    #[inline]
    fn new(generation: u32, kept: Kept, number: i64) -> Self {
        Self { mark: u64::from(generation) << 2 | kept as u64, number }
    }

    #[inline]
    fn is_of(self, generation: u32) -> bool {
        self.mark >> 2 == u64::from(generation)
    }

    #[inline]
    const fn kept(self) -> Kept {
        match self.mark & 3 {
            0 => Kept::Absent,
            1 => Kept::Number,
            2 => Kept::Text,
            _ => Kept::Other,
        }
    }

    /// The place of a value that isn't kept in the slot.
    #[inline]
    fn place(self) -> usize {
        usize::try_from(self.number).unwrap_or(usize::MAX)
    }
}

impl Program {
    /// The numbers of the rules that match `event`, ascending.
    pub fn run<'s>(&self, event: &Event<'_>, scratch: &'s mut Scratch) -> &'s [u32] {
        scratch.matches.clear();
        let own = self.entries.get(event.ty.index()).copied().unwrap_or(END);
        if own != END || self.common != END {
            scratch.begin(self);
            let texts = event.arena.alloc_slice_fill_copy(TEXTS, &b""[..]);
            let others = ArenaVec::new_in(event.arena);
            let generation = scratch.generation;
            let mut machine =
                Machine { program: self, event, generation, scratch, texts, used: 0, others };
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
            self.slots.fill(Slot::default());
            self.generation = 0;
        }
        self.generation += 1;
        if self.predicates.len() < program.judges.len()
            || self.nodes.len() < program.bodies.len()
            || self.slots.len() < program.slots.len()
        {
            self.predicates.resize(program.judges.len(), 0);
            self.nodes.resize(program.bodies.len(), 0);
            self.slots.resize(program.slots.len(), Slot::default());
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
    generation: u32,
    scratch: &'m mut Scratch,
    /// The first texts that were read; `used` of them.
    texts: &'e mut [&'e [u8]],
    used: usize,
    /// Lists, addresses and the like, and the texts for which there was no room.
    others: ArenaVec<'e, Value<'e>>,
}

impl<'e> Machine<'_, 'e> {
    fn run(&mut self, entry: u32) {
        let program = self.program;
        let mut at = entry;
        loop {
            // By far the most steps are tests; told apart first, they need no jump table.
            if let Some(test) = program.tests.get(at as usize)
                && test.predicate != TestStep::NONE
            {
                at = if self.holds(test) { test.yes } else { test.no };
                continue;
            }
            let Some(step) = program.steps.get(at as usize) else {
                return;
            };
            at = match *step {
                Step::Test { .. } | Step::End => return,
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
            };
        }
    }

    /// The result of a comparison.
    #[inline]
    fn holds(&mut self, TestStep { predicate, op, .. }: &TestStep) -> bool {
        if op.is_dear() {
            return self.dear(*predicate);
        }
        let known = self.slot(op.slot);
        match known.kept() {
            Kept::Absent => false,
            Kept::Number => op.holds_for_number(known.number),
            Kept::Text => self.texts.get(known.place()).is_some_and(|text| op.holds_for_text(text)),
            Kept::Other => self.dear(*predicate),
        }
    }

    /// The result of a comparison that is worth keeping.
    #[inline(never)]
    fn dear(&mut self, id: PredicateId) -> bool {
        let generation = self.generation;
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
            Some(Judge::Value { slot, quantifier, test }) => {
                let known = self.slot(*slot);
                match known.kept() {
                    Kept::Absent => false,
                    Kept::Number => test.holds_for_number(known.number),
                    Kept::Text => {
                        self.texts.get(known.place()).is_some_and(|t| test.holds_for_text(t))
                    }
                    Kept::Other => self
                        .others
                        .get(known.place())
                        .is_some_and(|value| quantifier.holds(test, *value)),
                }
            }
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

    /// What is known of the value of a source, read now or before.
    #[inline]
    fn slot(&mut self, slot: SlotId) -> Slot {
        match self.scratch.slots.get(slot as usize) {
            Some(known) if known.is_of(self.generation) => *known,
            _ => self.read(slot),
        }
    }

    /// Reads the value of a source and keeps it.
    #[inline(never)]
    fn read(&mut self, slot: SlotId) -> Slot {
        let (kept, number) = match self.program.slots.get(slot as usize) {
            Some(Source::Field { field, read, is_text }) => match read(self.event, &field.arg) {
                Some(Value::Bytes(text)) if *is_text => self.keep_text(text_until_nul(text)),
                value => self.keep(value),
            },
            Some(source) => self.keep(source.value(self.event)),
            None => (Kept::Absent, 0),
        };
        let known = Slot::new(self.generation, kept, number);
        if let Some(place) = self.scratch.slots.get_mut(slot as usize) {
            *place = known;
        }
        known
    }

    #[inline]
    fn keep(&mut self, value: Option<Value<'e>>) -> (Kept, i64) {
        match value {
            None => (Kept::Absent, 0),
            Some(Value::Bytes(text)) => self.keep_text(text),
            Some(Value::Int(number)) => (Kept::Number, number),
            Some(Value::UInt(number)) => (Kept::Number, number.cast_signed()),
            Some(Value::Bool(flag)) => (Kept::Number, i64::from(flag)),
            Some(value) => self.keep_other(value),
        }
    }

    #[inline]
    fn keep_text(&mut self, text: &'e [u8]) -> (Kept, i64) {
        let used = self.used;
        // Taken apart, it goes through registers; as a whole it would be read too soon after its
        // parts were written.
        let len = std::hint::black_box(text.len());
        let text = text.get(..len).unwrap_or_default();
        let Some(place) = self.texts.get_mut(used) else {
            return self.keep_other(Value::Bytes(text));
        };
        *place = text;
        self.used = used + 1;
        (Kept::Text, i64::try_from(used).unwrap_or(i64::MAX))
    }

    #[inline(never)]
    fn keep_other(&mut self, value: Value<'e>) -> (Kept, i64) {
        let place = self.others.len();
        self.others.push(value);
        (Kept::Other, i64::try_from(place).unwrap_or(i64::MAX))
    }

    /// The value of a source; numbers of all types as signed ones.
    fn value(&mut self, slot: SlotId) -> Option<Value<'e>> {
        let known = self.slot(slot);
        match known.kept() {
            Kept::Absent => None,
            Kept::Number => Some(Value::Int(known.number)),
            Kept::Text => self.texts.get(known.place()).copied().map(Value::Bytes),
            Kept::Other => self.others.get(known.place()).copied(),
        }
    }

    fn shared(&mut self, node: NodeId, yes: u32, no: u32) -> u32 {
        if let Some(known) = self.scratch.nodes.get(node as usize)
            && known >> 1 == self.generation
        {
            return if known & 1 == 1 { yes } else { no };
        }
        self.scratch.calls.push((yes, no));
        self.program.bodies.get(node as usize).copied().unwrap_or(END)
    }

    fn return_from(&mut self, node: NodeId, value: bool) -> u32 {
        let generation = self.generation;
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
        let known = self.slot(probe.slot());
        let pending = &mut self.scratch.pending;
        match known.kept() {
            Kept::Absent => {}
            Kept::Number => probe.find_number(known.number, pending),
            Kept::Text => {
                let text = self.texts.get(known.place()).copied().unwrap_or_default();
                probe.find_text(text, pending);
            }
            Kept::Other => match self.others.get(known.place()).copied() {
                Some(Value::List(values)) => {
                    values.iter().for_each(|value| probe.find(*value, pending));
                }
                Some(value) => probe.find(value, pending),
                None => {}
            },
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
