//! Upgrades events in old layouts; the rows are in [`conversions`](super::conversions).

use rustc_hash::FxHashMap;

use super::Malformed;
use super::conversions::{Action, Source, action};
use super::event::RawEvent;
use super::layouts::{CONV, Class, Layout, OLD, UNUSED, layout};

/// What became of an event.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Outcome {
    /// Nothing to show.
    Drop,
    /// An event of this code; its parameters are in the given vector.
    Pass(u16),
}

/// Keeps, per thread, the enter event whose parameters the next exit event lacks.
#[derive(Debug, Default)]
pub(super) struct Converter {
    stored: FxHashMap<i64, Stored>,
    /// The enter event that the current exit event uses.
    used: Option<Stored>,
    /// Allocations of used ones.
    spare: Vec<Stored>,
    /// Text made for the current event.
    json: Vec<u8>,
}

/// An enter event kept for later.
#[derive(Debug, Default)]
struct Stored {
    code: u16,
    /// Where each parameter ends in `data`.
    ends: Vec<usize>,
    data: Vec<u8>,
}

/// More threads than this between enter and exit at once are no real machine's; then all are
/// forgotten, so that memory stays bounded.
const MAX_STORED: usize = 65_536;

/// No chain of upgrades is longer.
const MAX_STEPS: usize = 50;

const CONTAINER: u16 = 228;

impl Converter {
    pub(super) fn reset(&mut self) {
        self.stored.clear();
        self.used = None;
    }

    /// Applies the rows to an event until it is current. `slices` gets the parameters.
    ///
    /// A stored enter event of another call doesn't count: the capture lost an event between.
    ///
    /// # Errors
    ///
    /// If no writer ever made such an event with so many parameters.
    pub(super) fn convert<'a>(
        &'a mut self,
        raw: &RawEvent<'a>,
        slices: &mut Vec<&'a [u8]>,
    ) -> Result<Outcome, Malformed> {
        slices.extend(raw.slices());
        if raw.code % 2 == 1 {
            let finished = std::mem::replace(&mut self.used, self.stored.remove(&raw.tid));
            self.spare.extend(finished);
        }
        if raw.code == CONTAINER {
            container_json(slices, &mut self.json);
        }
        let mut code = raw.code;
        for _ in 0..MAX_STEPS {
            let Some(layout) = layout(code) else { return Ok(Outcome::Drop) };
            match decide(code, layout, slices.len()) {
                Decision::Drop => return Ok(Outcome::Drop),
                Decision::Pass => return Ok(Outcome::Pass(code)),
                Decision::Convert => {}
            }
            let enter = Enter { stored: self.used.as_ref(), exit: code, json: &self.json };
            match action(code, slices.len()) {
                None => {
                    return Err(Malformed::Unexpected {
                        what: "number of parameters",
                        expected: "one that a writer of captures ever used for this event",
                        found: slices.len() as u64,
                    });
                }
                Some(Action::Pass) => return Ok(Outcome::Pass(code)),
                Some(Action::Store) => {
                    store(&mut self.stored, &mut self.spare, raw.tid, code, slices);
                    return Ok(Outcome::Drop);
                }
                Some(Action::StoreAndPass) => {
                    store(&mut self.stored, &mut self.spare, raw.tid, code, slices);
                    return Ok(Outcome::Pass(code));
                }
                Some(Action::Append(sources)) => {
                    for source in sources {
                        let class = layout.params.get(slices.len()).copied();
                        slices.push(enter.resolve(*source, class, slices));
                    }
                }
                Some(Action::Retype(to, sources)) => {
                    let old = slices.len();
                    let classes = super::layouts::layout(to).map_or(&[][..], |row| row.params);
                    for (index, source) in sources.iter().enumerate() {
                        let class = classes.get(index).copied();
                        slices.push(enter.resolve(*source, class, slices));
                    }
                    slices.drain(..old);
                    code = to;
                }
            }
        }
        Ok(Outcome::Drop)
    }
}

enum Decision {
    Drop,
    Pass,
    Convert,
}

/// The rule of falco-libs: which events the converter looks at.
fn decide(code: u16, layout: &Layout, count: usize) -> Decision {
    let is_enter = code.is_multiple_of(2);
    if layout.is(UNUSED) {
        Decision::Drop
    } else if !layout.is(CONV) {
        if layout.is(OLD) && is_enter { Decision::Drop } else { Decision::Pass }
    } else if is_enter || layout.is(OLD) || count < layout.params.len() {
        Decision::Convert
    } else {
        Decision::Pass
    }
}

/// What the sources of parameters draw from.
struct Enter<'a> {
    stored: Option<&'a Stored>,
    exit: u16,
    json: &'a [u8],
}

impl<'a> Enter<'a> {
    fn resolve(&self, source: Source, class: Option<Class>, old: &[&'a [u8]]) -> &'a [u8] {
        match source {
            Source::Empty => b"",
            Source::Default => default_of(class),
            Source::Old(index) => old.get(usize::from(index)).copied().unwrap_or_default(),
            Source::Enter(index) => self.param(index).unwrap_or_else(|| default_of(class)),
            Source::EnterOrEmpty(index) => self.param(index).unwrap_or_default(),
            Source::ContainerJson => self.json,
        }
    }

    /// A parameter of the stored event, if that is the enter event of this exit event.
    fn param(&self, index: u8) -> Option<&'a [u8]> {
        let stored = self.stored.filter(|stored| stored.code.checked_add(1) == Some(self.exit))?;
        let index = usize::from(index);
        let start = match index.checked_sub(1) {
            Some(before) => *stored.ends.get(before)?,
            None => 0,
        };
        stored.data.get(start..*stored.ends.get(index)?)
    }
}

const fn default_of(class: Option<Class>) -> &'static [u8] {
    match class {
        Some(Class::I8 | Class::U8) => &[0],
        Some(Class::I16 | Class::U16) => &[0; 2],
        Some(Class::I32 | Class::U32) => &[0; 4],
        Some(Class::I64 | Class::U64) => &[0; 8],
        Some(Class::Id) => &[0xff; 4],
        Some(Class::Text | Class::Raw | Class::Dyn) | None => &[],
    }
}

fn store(
    stored: &mut FxHashMap<i64, Stored>,
    spare: &mut Vec<Stored>,
    tid: i64,
    code: u16,
    slices: &[&[u8]],
) {
    if stored.len() >= MAX_STORED {
        stored.clear();
    }
    let entry = stored.entry(tid).or_insert_with(|| spare.pop().unwrap_or_default());
    entry.code = code;
    entry.ends.clear();
    entry.data.clear();
    for slice in slices {
        entry.data.extend_from_slice(slice);
        entry.ends.push(entry.data.len());
    }
}

/// What the oldest container events told, in the form of today's.
fn container_json(slices: &[&[u8]], json: &mut Vec<u8>) {
    fn text<'a>(slices: &[&'a [u8]], index: usize) -> std::borrow::Cow<'a, str> {
        let bytes = slices.get(index).copied().unwrap_or_default();
        String::from_utf8_lossy(bytes.strip_suffix(b"\0").unwrap_or(bytes))
    }
    let ty =
        slices.get(1).and_then(|bytes| bytes.first_chunk().copied()).map_or(0, u32::from_le_bytes);
    let value = serde_json::json!({
        "container": {
            "id": text(slices, 0),
            "type": ty,
            "name": text(slices, 2),
            "image": text(slices, 3),
        }
    });
    *json = value.to_string().into_bytes();
    json.push(0);
}
