//! A whole capture file: blocks, lists, events, and what they do to the world. Seeds:
//! tests/golden/scap.
#![no_main]

use std::io::Cursor;
use std::ops::ControlFlow;
use std::path::Path;

use eyas::event::World;
use eyas::service::replay::{Replay, container_of};
use eyas::sources::replay::Capture;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let input = Box::new(Cursor::new(bytes.to_vec()));
    let Ok(capture) = Capture::new(Path::new("fuzz.scap"), input, None) else { return };
    let mut replay = Replay::new(capture, container_of, Box::new(World::default));
    // What is wrong with it is its business; that it ends without a panic is ours.
    let _ = replay.run(|event| {
        assert!(event.num > 0);
        ControlFlow::Continue(())
    });
});
