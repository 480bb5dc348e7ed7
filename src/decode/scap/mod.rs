//! Capture files of Falco and sysdig (`.scap`), all versions from 2016 on: blocks and events from
//! bytes to borrowed records.
//!
//! [`block`] knows the frame of the file, [`lists`] and [`fds`] what stood in the tables when the
//! capture began, [`event`] one event's bytes, [`convert`] what old layouts become. Everything
//! here reads slices; where they come from (a file, gzip, a pipe) is the source's business, and
//! what they do to the world is `enrich`'s.
//!
//! Format: little-endian, a sequence of blocks as in pcap-ng; the writer is scap_savefile.c of
//! falco-libs. Files from big-endian machines are refused.

pub mod block;
pub mod conversions;
pub mod convert;
pub mod event;
pub mod fds;
pub mod layouts;
pub mod lists;
pub mod params;
pub mod syscall_codes;

use self::block::EventBlock;
use self::convert::{Converter, Outcome};
use self::event::RawEvent;
use self::layouts::{LARGE, Layout, OLD, Target, UNUSED};
use super::reader::Truncated;
use super::syscall;
use super::syscall::Abi;
use crate::event::{EventType, Param, known};

/// Bytes that cannot be what they claim to be.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Malformed {
    /// Something is cut short.
    #[error(transparent)]
    Truncated(#[from] Truncated),
    /// A number that cannot be.
    #[error("{what}: expected {expected}, found {found}")]
    Unexpected {
        /// What was read.
        what: &'static str,
        /// What it can be.
        expected: &'static str,
        /// What it is.
        found: u64,
    },
}

/// An event as the state and the rules see it; its parameters are in the vector that
/// [`Decoder::event`] was given.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Head {
    /// Nanoseconds since the epoch.
    pub ts: u64,
    /// The thread.
    pub tid: i64,
    /// The CPU.
    pub cpu: u16,
    /// What happened.
    pub ty: EventType,
    /// An enter event, which only supplies values to its exit event and is shown to no rule.
    pub is_enter: bool,
    /// It changes the state and is shown to no rule.
    pub state_only: bool,
}

/// Turns event blocks into events in current layouts.
#[derive(Debug, Default)]
pub struct Decoder {
    converter: Converter,
    slices: Vec<&'static [u8]>,
    wrong_lengths: u64,
}

impl Decoder {
    /// Decodes the body of an event block.
    ///
    /// `None` for events that are kept for later, that no source makes any more, or that are
    /// newer than this program. `params` is cleared first.
    ///
    /// # Errors
    ///
    /// [`Malformed`] if the event's lengths don't fit into the block; the next block is not
    /// affected.
    pub fn event<'a>(
        &'a mut self,
        block: EventBlock,
        body: &'a [u8],
        params: &mut Vec<Param<'a>>,
    ) -> Result<Option<Head>, Malformed> {
        params.clear();
        let Some((raw, layout)) = RawEvent::parse(block, body)? else { return Ok(None) };
        self.wrong_lengths += u64::from(raw.is_len_wrong);
        if layout.is(UNUSED) {
            return Ok(None);
        }
        let is_current = raw.count == layout.params.len() && !layout.is(OLD) && raw.code % 2 == 1;
        if !layout.is(layouts::CONV) {
            if layout.is(OLD) {
                return Ok(None);
            }
        } else if !is_current {
            return self.convert(&raw, params);
        }
        params::read(layout, raw.slices(), params);
        let ty = target_type(layout, params);
        Ok(ty.map(|ty| head(&raw, ty, false)))
    }

    /// How many events had a length that doesn't fit into their blocks, and were read by those'.
    #[must_use]
    pub const fn wrong_lengths(&self) -> u64 {
        self.wrong_lengths
    }

    /// Forgets everything about threads: another section begins.
    pub fn reset(&mut self) {
        self.converter.reset();
    }

    fn convert<'a>(
        &'a mut self,
        raw: &RawEvent<'a>,
        params: &mut Vec<Param<'a>>,
    ) -> Result<Option<Head>, Malformed> {
        let mut slices: Vec<&'a [u8]> = recycled(std::mem::take(&mut self.slices));
        let outcome = self.converter.convert(raw, &mut slices);
        let head = outcome.map(|outcome| match outcome {
            Outcome::Drop => None,
            Outcome::Pass(code) => layouts::layout(code).and_then(|layout| {
                params::read(layout, slices.iter().copied(), params);
                let is_enter = code % 2 == 0 && layout.is(layouts::CONV);
                target_type(layout, params).map(|ty| head(raw, ty, is_enter))
            }),
        });
        slices.clear();
        self.slices = recycled(slices);
        head
    }
}

/// An empty vector with the allocation of `used`, for elements of another lifetime.
fn recycled<'a>(mut used: Vec<&[u8]>) -> Vec<&'a [u8]> {
    used.clear();
    used.into_iter().map(|_| &b""[..]).collect()
}

/// The same for the parameters of an event, so that a loop over events allocates once.
#[must_use]
pub fn recycled_params<'a>(mut used: Vec<Param<'_>>) -> Vec<Param<'a>> {
    used.clear();
    used.into_iter().map(|_| Param::Unknown).collect()
}

/// The event type of a layout; for generic system calls the one that the first parameter says.
/// Where that has an event type with parameters today, the event isn't of it: it has its name as
/// third parameter, and nothing else.
fn target_type<'a>(layout: &Layout, params: &mut Vec<Param<'a>>) -> Option<EventType> {
    match layout.target {
        Target::Own(ty) => Some(ty),
        Target::Generic => {
            let number = |index: usize| params.get(index).and_then(|param| param.as_u64());
            let code = number(0).and_then(|code| u16::try_from(code).ok())?;
            let native = || {
                let native = number(1).and_then(|native| u32::try_from(native).ok())?;
                syscall::name(Abi::X86_64, native).map(syscall_codes::named)
            };
            // Zero: the writer had no code for the call yet, only the machine's number.
            let call = if code == 0 { native() } else { syscall_codes::call(code) }?;
            if call.generic.is_none() {
                params.resize(2, Param::Unknown);
                params.push(Param::Bytes(call.name.as_bytes()));
            }
            Some(call.generic.unwrap_or(known::SYSCALL))
        }
        Target::Never => None,
    }
}

const fn head(raw: &RawEvent<'_>, ty: EventType, is_enter: bool) -> Head {
    const STATE_ONLY: u32 = 1;
    Head {
        ts: raw.ts,
        tid: raw.tid,
        cpu: raw.cpu,
        ty,
        is_enter,
        state_only: raw.dump_flags & STATE_ONLY != 0,
    }
}

/// Whether lengths of parameters of such an event have 32 bits.
const fn has_large_lengths(layout: &Layout) -> bool {
    layout.is(LARGE)
}
