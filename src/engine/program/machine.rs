//! Runs the program on one event.
//!
//! This is where the time goes: what is needed for most comparisons lies side by side in few
//! words, values are moved about as little as can be, and what is dear is done once an event.

use std::hint::cold_path;

use bumpalo::collections::Vec as ArenaVec;

use super::pool::{Judge, NodeId, PredicateId, SlotId, number};
use super::probe::Probe;
use super::quick::Kept;
use super::reading::{FACTS, Reading};
use super::{END, Step, TestStep};
use crate::engine::comparison::Test;
use crate::engine::matchers::{BytesTest, Parts, Words};
use crate::engine::transform::text_until_nul;
use crate::event::{Event, EventType, Value};
use crate::fields::facts::facts;

/// Room for so many texts is made before it is needed.
const TEXTS: usize = 16;

/// So many bits tell how a value is kept.
const KEPT_BITS: u32 = 3;

/// Everything that is needed to judge events; immutable.
#[derive(Debug)]
pub struct Program {
    pub(super) steps: Vec<Step>,
    /// The tests among them, at their places.
    pub(super) tests: Vec<TestStep>,
    /// The comparisons, as they are judged where a test doesn't say how.
    pub(super) judges: Vec<Judge>,
    pub(super) slots: Vec<Reading>,
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
    /// Of this event; few enough bits that a result or [`Kept`] fits beside it.
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

/// What is known of the value of a source. Each part is written and read by itself: a value that
/// was just written in parts is slow to read as a whole.
#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    /// Of the event that it is known for the generation, and how it is kept.
    mark: u32,
    /// Where it is kept, if not here.
    place: u32,
    /// The number, or the words of the text.
    words: [u64; 4],
}

impl Slot {
    #[inline]
    const fn mark(generation: u32, kept: Kept) -> u32 {
        generation << KEPT_BITS | kept as u32
    }

    #[inline]
    const fn is_of(&self, generation: u32) -> bool {
        self.mark >> KEPT_BITS == generation
    }

    #[inline]
    const fn kept(&self) -> Kept {
        match self.mark & ((1 << KEPT_BITS) - 1) {
            1 => Kept::Number,
            2 => Kept::Text,
            3 => Kept::Other,
            _ => Kept::Absent,
        }
    }

    #[inline]
    const fn number(&self) -> i64 {
        self.words[0].cast_signed()
    }
}

impl Program {
    /// The numbers of the rules that match `event`, ascending.
    pub fn run<'s>(&self, event: &Event<'_>, scratch: &'s mut Scratch) -> &'s [u32] {
        scratch.matches.clear();
        let own = self.entries.get(event.ty.index()).copied().unwrap_or(END);
        if own != END || self.common != END {
            scratch.begin(self);
            let texts = ArenaVec::with_capacity_in(TEXTS, event.arena);
            let others = ArenaVec::new_in(event.arena);
            let generation = scratch.generation;
            let mut machine = Machine { program: self, event, generation, scratch, texts, others };
            machine.run(own);
            if self.common != END {
                machine.run(self.common);
            }
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
        const LAST: u32 = u32::MAX >> KEPT_BITS;
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
    /// The texts that were read.
    texts: ArenaVec<'e, &'e [u8]>,
    /// Lists, addresses and the like.
    others: ArenaVec<'e, Value<'e>>,
}

impl<'e> Machine<'_, 'e> {
    fn run(&mut self, entry: u32) {
        let program = self.program;
        let mut at = entry;
        loop {
            // By far the most steps are tests, and most of those are settled.
            at = self.settled(at);
            if let Some(TestStep { asked, .. }) = program.tests.get(at as usize)
                && let Some(known) = self.scratch.slots.get(asked.slot as usize)
                && !known.is_of(self.generation)
            {
                self.read_here(asked.slot);
                continue;
            }
            let Some(step) = program.steps.get(at as usize) else {
                return;
            };
            at = match *step {
                Step::Test { predicate, yes, no } => {
                    if self.holds(at, predicate) {
                        yes
                    } else {
                        no
                    }
                }
                Step::End => return,
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

    /// The place behind all tests from `at` on that values say something of which were read.
    ///
    /// Nothing is written on the way, so that all it needs stays in registers.
    #[inline(always)]
    fn settled(&self, mut at: u32) -> u32 {
        let (tests, slots) = (self.program.tests.as_slice(), self.scratch.slots.as_slice());
        while let Some(test) = tests.get(at as usize)
            && let Some(known) = slots.get(test.asked.slot as usize)
            && known.mark == Slot::mark(self.generation, test.asked.kept)
        {
            // Jumps, not a choice of values: the processor goes on reading where it expects to,
            // before the value that is asked for is there.
            let next = test.next(&known.words);
            if next == TestStep::ASK {
                cold_path();
                break;
            }
            at = next;
        }
        at
    }

    /// The result of the comparison of a test that what was read doesn't settle.
    #[inline]
    fn holds(&mut self, at: u32, predicate: PredicateId) -> bool {
        let slot = self.program.tests.get(at as usize).map_or(SlotId::MAX, |test| test.asked.slot);
        let known = self.scratch.slots.get(slot as usize);
        known.is_none_or(|known| known.kept() != Kept::Absent) && self.asked(predicate)
    }

    /// The result of a comparison that is worth keeping.
    #[inline(never)]
    fn asked(&mut self, id: PredicateId) -> bool {
        if let Some(Judge::Value { slot, test: Test::Bytes(BytesTest::In(set)), .. }) =
            self.program.judges.get(id as usize)
            && let Some(known) = self.slot(*slot)
            && known.kept() == Kept::Text
        {
            // Costs no more than to look for what was kept.
            let (place, print) = (known.place as usize, known.words[1]);
            return self.texts.get(place).is_some_and(|text| set.contains_printed(text, print));
        }
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
                let Some(known) = self.slot(*slot) else {
                    return false;
                };
                let place = known.place as usize;
                match known.kept() {
                    Kept::Absent | Kept::Never => false,
                    Kept::Number => test.holds_for_number(known.number()),
                    Kept::Text => {
                        self.texts.get(place).is_some_and(|text| test.holds_for_text(text))
                    }
                    Kept::Other => {
                        self.others.get(place).is_some_and(|value| quantifier.holds(test, *value))
                    }
                }
            }
            Some(Judge::Values { left, right, test }) => {
                match (self.value(*left), self.value(*right)) {
                    (Some(left), Some(right)) => test.holds(left, right),
                    _ => false,
                }
            }
            Some(Judge::Types(set)) => set.contains(self.event.ty),
            Some(Judge::Glance(glance)) => {
                let facts = self.slot(FACTS).and_then(|known| known.words.get(glance.word));
                facts.is_some_and(|word| glance.holds(*word))
            }
            None => false,
        }
    }

    /// What is known of the value of a source, read now or before; `None` if there is no such one.
    #[inline]
    fn slot(&mut self, slot: SlotId) -> Option<&Slot> {
        let is_known = self.scratch.slots.get(slot as usize)?.is_of(self.generation);
        if !is_known {
            self.read(slot);
        }
        self.scratch.slots.get(slot as usize)
    }

    #[inline(never)]
    fn read(&mut self, slot: SlotId) {
        self.read_here(slot);
    }

    /// Reads the value of a source and keeps it.
    #[inline(always)]
    fn read_here(&mut self, slot: SlotId) {
        let Some(reading) = self.program.slots.get(slot as usize) else {
            return;
        };
        if let Reading::Field(field, read, is_text) = reading {
            match read(self.event, &field.arg) {
                Some(Value::Bytes(text)) if *is_text => self.keep_text(slot, text_until_nul(text)),
                Some(Value::Bytes(text)) => self.keep_text(slot, text),
                value => self.keep(slot, value),
            }
            return;
        }
        match reading {
            Reading::Facts => self.keep_facts(),
            Reading::Gate { text, parts } => self.keep_gate(slot, *text, parts),
            Reading::Source(source) => self.keep(slot, source.value(self.event)),
            Reading::Field(..) => {}
        }
    }

    /// Keeps a value that is no text.
    fn keep(&mut self, slot: SlotId, value: Option<Value<'e>>) {
        match value {
            None => self.note(slot, Kept::Absent, 0),
            Some(Value::Int(number)) => self.note(slot, Kept::Number, number.cast_unsigned()),
            Some(Value::UInt(number)) => self.note(slot, Kept::Number, number),
            Some(Value::Bool(flag)) => self.note(slot, Kept::Number, flag.into()),
            Some(Value::Bytes(text)) => self.keep_text(slot, text),
            Some(value) => self.keep_other(slot, value),
        }
    }

    #[inline]
    fn note(&mut self, slot: SlotId, kept: Kept, number: u64) {
        let generation = self.generation;
        if let Some(known) = self.scratch.slots.get_mut(slot as usize) {
            known.mark = Slot::mark(generation, kept);
            known.words[0] = number;
        }
    }

    #[inline(always)]
    fn keep_text(&mut self, slot: SlotId, text: &'e [u8]) {
        // Taken apart, it goes through registers; as a whole it would be read too soon after its
        // parts were written.
        let len = std::hint::black_box(text.len());
        let text = text.get(..len).unwrap_or_default();
        let place = number(self.texts.len());
        self.texts.push(text);
        if let Some(known) = self.scratch.slots.get_mut(slot as usize) {
            let words = Words::of(text);
            known.words = [words.head, words.print, words.tail, words.bit()];
            known.mark = Slot::mark(self.generation, Kept::Text);
            known.place = place;
        }
    }

    fn keep_facts(&mut self) {
        let [act, kind] = facts(self.event);
        self.note(FACTS, Kept::Number, act);
        if let Some(known) = self.scratch.slots.get_mut(FACTS as usize) {
            known.words[1] = kind;
        }
    }

    /// Keeps whether a text has any of several parts; nothing if there is no text.
    #[inline(never)]
    fn keep_gate(&mut self, slot: SlotId, text: SlotId, parts: &Parts) {
        let place = self.slot(text).filter(|known| known.kept() == Kept::Text);
        let place = place.map(|known| known.place as usize);
        match place.and_then(|place| self.texts.get(place)) {
            Some(text) => self.note(slot, Kept::Number, parts.are_any_in(text).into()),
            None => self.note(slot, Kept::Absent, 0),
        }
    }

    #[inline(never)]
    fn keep_other(&mut self, slot: SlotId, value: Value<'e>) {
        if let Some(known) = self.scratch.slots.get_mut(slot as usize) {
            known.mark = Slot::mark(self.generation, Kept::Other);
            known.place = number(self.others.len());
        }
        self.others.push(value);
    }

    /// The value of a source; numbers of all types as signed ones.
    fn value(&mut self, slot: SlotId) -> Option<Value<'e>> {
        let known = self.slot(slot)?;
        let (place, number) = (known.place as usize, known.number());
        match known.kept() {
            Kept::Absent | Kept::Never => None,
            Kept::Number => Some(Value::Int(number)),
            Kept::Text => self.texts.get(place).copied().map(Value::Bytes),
            Kept::Other => self.others.get(place).copied(),
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
        let Some(known) = self.slot(probe.slot()) else {
            return;
        };
        let (kept, place, number) = (known.kept(), known.place as usize, known.number());
        let pending = &mut self.scratch.pending;
        match kept {
            Kept::Absent | Kept::Never => {}
            Kept::Number => probe.find_number(number, pending),
            Kept::Text => {
                let text = self.texts.get(place).copied().unwrap_or_default();
                probe.find_text(text, pending);
            }
            Kept::Other => match self.others.get(place).copied() {
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
