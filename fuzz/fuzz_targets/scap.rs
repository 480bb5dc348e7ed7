//! A whole capture file: blocks, lists, events, what they do to the world, and every field of every
//! event. Seeds: tests/golden/scap.
#![no_main]

use std::io::Cursor;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::LazyLock;

use eyas::engine::output::Template;
use eyas::event::World;
use eyas::fields::{ArgKind, CLASSES, FieldInfo};
use eyas::service::replay::{Replay, container_of};
use eyas::sources::replay::Capture;

/// All fields that can be printed, with an argument where they need one.
static EVERYTHING: LazyLock<Vec<Template>> = LazyLock::new(|| {
    let all = CLASSES.iter().flat_map(|class| class.fields);
    all.flat_map(tokens).filter_map(|token| Template::parse(&token).ok()).collect()
});

fn tokens(info: &FieldInfo) -> Vec<String> {
    let ArgKind { required, index, key, dot } = info.arg;
    let suffixes = [
        (!required, ""),
        (index, "[0]"),
        (index, "[3]"),
        (key, "[name]"),
        (dot, ".res"),
        (dot, ".name"),
        (dot, ".flags"),
    ];
    suffixes
        .iter()
        .filter(|(is_allowed, _)| *is_allowed)
        .map(|(_, suffix)| format!("%{}{suffix}", info.name))
        .collect()
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let input = Box::new(Cursor::new(bytes.to_vec()));
    let Ok(capture) = Capture::new(Path::new("fuzz.scap"), input, None) else { return };
    let mut replay = Replay::new(capture, container_of, Box::new(World::default));
    let mut line = Vec::new();
    // What is wrong with it is its business; that it ends without a panic is ours.
    let _ = replay.run(|event| {
        assert!(event.num > 0);
        for template in &*EVERYTHING {
            line.clear();
            template.write_text(event, &mut line);
        }
        ControlFlow::Continue(())
    });
});
