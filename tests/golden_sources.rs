//! Bytes that real kernels sent, and what the decoders make of them.
//!
//! `tests/golden/<source>/<case>.bin` is one datagram of the proc connector, what one read of a
//! fanotify group returned, or the records of one event of the audit; `<case>.txt` beside it is the decoded form. `EYAS_BLESS=1` writes the
//! latter anew; the review reads the difference.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::fmt::Debug;
use std::fs;
use std::path::Path;
use std::path::PathBuf;

use eyas::decode::audit::Assembler;
use eyas::decode::audit::AuditEvent;
use eyas::decode::audit::AuditRecord;
use eyas::decode::audit::Malformed;
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
fn every_captured_event_of_the_audit_is_joined_as_before() {
    compare("audit", |bytes| match audit_events(bytes) {
        Ok(events) => events.iter().map(told).collect(),
        Err(error) => text(&error),
    });
}

/// An event, its bytes as text.
fn told(event: &AuditEvent) -> String {
    let shown = |bytes: &[u8]| bytes.escape_ascii().to_string();
    let may_be = |bytes: &Option<Vec<u8>>| bytes.as_deref().map(shown);
    let AuditEvent { time_ms, serial, arch, syscall, exit, arguments, .. } = event;
    let AuditEvent { pid, ppid, auid, uid, euid, gid, egid, session, .. } = event;
    let AuditEvent { object_pid, mmap, fd_pair, open_how, dropped, .. } = event;
    let (comm, exe, key) = (shown(&event.comm), may_be(&event.exe), may_be(&event.key));
    let (execve, cwd, module) = (may_be(&event.execve), may_be(&event.cwd), may_be(&event.module));
    let sockaddr = may_be(&event.sockaddr);
    let mut text = format!(
        "{time_ms}:{serial} {arch:x} {syscall}{arguments:x?} = {exit:?}\n\
         {pid} {ppid} {auid} {uid} {euid} {gid} {egid} {session} {comm} {exe:?} {key:?}\n\
         {execve:?} {cwd:?} {sockaddr:?} {object_pid:?} {mmap:?} {fd_pair:?} {open_how:?}\n\
         {module:?} {dropped}\n"
    );
    for path in &event.paths {
        let (name, kind) = (may_be(&path.name), shown(&path.nametype));
        let (item, inode, device, mode) = (path.item, path.inode, path.device, path.mode);
        text += &format!("{item} {kind} {name:?} {inode} {device:?} {mode:o}\n");
    }
    text
}

/// The events of records, each a line: its type less 1300 in two bytes, then its text.
fn audit_events(bytes: &[u8]) -> Result<Vec<AuditEvent>, Malformed> {
    let mut assembler = Assembler::default();
    let mut events = Vec::new();
    for line in bytes.split(|&byte| byte == b'\n') {
        let Some((kind, text)) = line.split_first_chunk::<2>() else { continue };
        let kind = 1300_u16.saturating_add(u16::from_le_bytes(*kind));
        let record = AuditRecord::parse(kind, text)?;
        assembler.record(&record, 0, &mut |event| events.push(event.clone()));
    }
    assembler.tick(u64::MAX, &mut |event| events.push(event.clone()));
    Ok(events)
}

#[test]
fn every_cut_and_every_changed_byte_of_an_audit_event_is_read_without_a_panic() {
    for case in cases("audit") {
        let bytes = fs::read(&case).unwrap();
        for len in 0..bytes.len() {
            let _ = audit_events(&bytes[..len]);
        }
        for (place, value) in (0..bytes.len()).flat_map(|place| [(place, 0), (place, b'"')]) {
            let mut changed = bytes.clone();
            changed[place] = value;
            let _ = audit_events(&changed);
        }
    }
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
