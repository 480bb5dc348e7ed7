//! Any text as a rule's output, filled in for any event: an error or a line, never a panic.
//!
//! The first byte chooses the event type, the second how long the parameters' bytes are; the rest
//! is the output.

#![no_main]

use std::sync::Arc;

use eyas::engine::output::Template;
use eyas::event::{Arena, Event, EventFd, EventType, FdNumber, Param, Thread, World};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let [ty, len, rest @ ..] = data else { return };
    let (bytes, text) = rest.split_at(usize::from(*len).min(rest.len()));
    let Ok(text) = std::str::from_utf8(text) else { return };
    let Ok(template) = Template::parse(text) else { return };
    let Some(ty) = EventType::all().nth(usize::from(*ty)) else { return };

    let world = World::default();
    let mut thread = Thread::unknown(7, 7);
    thread.args = Arc::from(bytes);
    thread.env = Arc::from(bytes);
    thread.cwd = Arc::from(bytes);
    let number = bytes.iter().fold(0_u64, |sum, byte| sum.rotate_left(8) ^ u64::from(*byte));
    let params: Vec<_> = ty
        .info()
        .params
        .iter()
        .map(|param| match param.ty.size() {
            None => Param::Bytes(bytes),
            Some(_) if param.ty.is_signed() => Param::Int(number.cast_signed()),
            Some(_) => Param::UInt(number),
        })
        .collect();
    let arena = Arena::new();
    let event = Event {
        num: 1,
        ts: number,
        ty,
        cpu: None,
        tid: 7,
        params: &params,
        thread: Some(&thread),
        fd: EventFd { num: FdNumber::NotNegative, ..EventFd::default() },
        world: &world,
        arena: &arena,
    };
    let mut out = Vec::new();
    template.write_text(&event, &mut out);
});
