//! One datagram of the proc connector. Seeds: tests/golden/proc_connector.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = eyas::decode::proc_connector::message(bytes);
});
