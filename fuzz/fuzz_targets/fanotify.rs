//! What one read of a fanotify group returns. Seeds: tests/golden/fanotify.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    // Each step takes at least a whole head, so the walk ends.
    assert!(eyas::decode::fanotify::events(bytes).count() <= bytes.len() / 24 + 1);
});
