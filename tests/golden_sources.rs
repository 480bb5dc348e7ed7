//! Bytes that real kernels sent, and what the decoders make of them.
//!
//! `tests/golden/<source>/<case>.bin` is one datagram of the proc connector or what one read of a
//! fanotify group returned; `<case>.txt` beside it is the decoded form. `EYAS_BLESS=1` writes the
//! latter anew; the review reads the difference.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::fmt::Debug;
use std::fs;
use std::path::Path;
use std::path::PathBuf;

use eyas::decode::fanotify;
use eyas::decode::proc_connector;

#[test]
fn every_captured_message_of_the_proc_connector_decodes_as_before() {
    compare("proc_connector", |bytes| text(&proc_connector::message(bytes)));
}

#[test]
fn every_captured_read_of_a_fanotify_group_decodes_as_before() {
    compare("fanotify", |bytes| text(&fanotify::events(bytes).collect::<Vec<_>>()));
}

#[test]
fn every_cut_and_every_changed_byte_of_a_capture_is_decoded_without_a_panic() {
    for case in cases("proc_connector").chain(cases("fanotify")) {
        let bytes = fs::read(&case).unwrap();
        for len in 0..bytes.len() {
            let _ = proc_connector::message(&bytes[..len]);
            let _ = fanotify::events(&bytes[..len]).count();
            for value in [0, 1, 0x7f, 0x80, 0xff] {
                let mut changed = bytes.clone();
                changed[len] = value;
                let _ = proc_connector::message(&changed);
                let _ = fanotify::events(&changed).count();
            }
        }
    }
}

fn text(decoded: &impl Debug) -> String {
    format!("{decoded:#?}\n")
}

/// Decodes each case of `source` and compares it with the text beside it.
fn compare(source: &str, decode: impl Fn(&[u8]) -> String) {
    let mut differing = Vec::new();
    for case in cases(source) {
        let decoded = decode(&fs::read(&case).unwrap());
        let expected = case.with_extension("txt");
        if std::env::var_os("EYAS_BLESS").is_some() {
            fs::write(&expected, &decoded).unwrap();
        }
        if fs::read(&expected).unwrap_or_default() != decoded.as_bytes() {
            differing.push(format!("{}:\n{decoded}", expected.display()));
        }
    }
    assert!(differing.is_empty(), "decoded otherwise:\n{}", differing.join("\n"));
}

fn cases(source: &str) -> impl Iterator<Item = PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(source);
    let mut cases: Vec<_> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "bin"))
        .collect();
    cases.sort();
    assert!(!cases.is_empty(), "no case of {source}");
    cases.into_iter()
}
