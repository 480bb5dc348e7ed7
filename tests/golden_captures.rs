//! Captures of our own making, with every kind of block, every version of every list and every
//! event in every layout that a writer used, and what is told of them.
//!
//! `tests/golden/scap/<case>.scap` is the capture, `<case>.scap.txt` what is told. `EYAS_BLESS=1` makes
//! both anew; the review reads the difference. The captures are seeds of the fuzz target, too.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests"
)]

#[path = "support/capture.rs"]
#[allow(dead_code, reason = "shared with other tests")]
mod capture;

use std::collections::BTreeSet;
use std::fs;
use std::io::Cursor;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use capture::{Capture, P, Thread, code};
use eyas::decode::scap::layouts::{Class, LARGE, UNUSED, layout};
use eyas::engine::output::Template;
use eyas::event::World;
use eyas::service::replay::{Replay, container_of};
use eyas::sources::replay::Capture as Source;

const TID: i64 = 42;
const CODES: u16 = 454;

/// What a case is called, how its capture is made, and what is told of each event.
type Case = (&'static str, fn() -> Capture, &'static str);

const CASES: &[Case] = &[
    ("everyday", || Capture::everyday(1), "%evt.type %proc.cmdline %proc.pname %fd.name"),
    ("every_event", every_event, "%evt.num %evt.type %evt.args"),
    ("blocks", every_block, "%evt.num %evt.cpu %evt.type %evt.args"),
    (
        "descriptors",
        descriptors,
        "%fd.num %fd.type %fd.typechar %fd.name %fd.dev %fd.ino %fd.l4proto %fd.sip %fd.is_server",
    ),
    (
        "accounts",
        accounts,
        "%user.name %user.homedir %user.shell %group.name %fd.cip %fd.lip %fd.rip",
    ),
    ("lists", lists, THREAD),
];

/// All that a process list tells.
const THREAD: &str = "%proc.name %proc.exe %proc.exepath %proc.args %proc.cwd %proc.pid \
    %proc.ppid %proc.sid %proc.vpgid %proc.pgid %proc.fdlimit %user.uid %group.gid \
    %proc.vmsize %proc.vmrss %proc.vmswap %thread.pfmajor %thread.pfminor %proc.env %thread.vtid \
    %proc.vpid %thread.cgroups %user.loginuid %proc.tty %proc.is_exe_writable \
    %thread.cap_inheritable %thread.cap_permitted %thread.cap_effective \
    %proc.is_exe_upper_layer %proc.exe_ino %proc.exe_ino.ctime %proc.exe_ino.mtime \
    %proc.is_exe_from_memfd %proc.is_exe_lower_layer";

#[test]
fn every_capture_of_the_golden_set_is_told_as_before() {
    let directory = directory();
    let mut differing = Vec::new();
    for (name, make, format) in CASES {
        let file = directory.join(name).with_extension("scap");
        let expected = file.with_extension("scap.txt");
        if std::env::var_os("EYAS_BLESS").is_some() {
            fs::write(&file, make().bytes).unwrap();
            fs::write(&expected, told(&fs::read(&file).unwrap(), format)).unwrap();
        }
        let found = told(&fs::read(&file).unwrap(), format);
        if found.as_bytes() != fs::read(&expected).unwrap() {
            differing.push(format!("{name}:\n{found}"));
        }
    }
    assert!(differing.is_empty(), "told otherwise:\n{}", differing.join("\n"));
}

#[test]
fn the_golden_set_has_every_kind_of_block_and_every_event() {
    let mut blocks = BTreeSet::new();
    let mut codes = BTreeSet::new();
    for (name, ..) in CASES {
        let bytes = fs::read(directory().join(name).with_extension("scap")).unwrap();
        let mut rest = &bytes[..];
        while let Some((head, _)) = rest.split_first_chunk::<4>() {
            let number = u32::from_le_bytes(*head);
            let len = u32::from_le_bytes(rest[4..8].try_into().unwrap());
            blocks.insert(number);
            let flags = if matches!(number, 0x208 | 0x217 | 0x222) { 4 } else { 0 };
            if EVENT_BLOCKS.contains(&number) {
                let at = 8 + 2 + flags + 8 + 8 + 4;
                codes.insert(u16::from_le_bytes(rest[at..at + 2].try_into().unwrap()));
            }
            rest = &rest[usize::try_from(len).unwrap()..];
        }
    }
    let wanted: BTreeSet<u32> = [0x0A0D_0D0A]
        .into_iter()
        .chain(EVENT_BLOCKS)
        .chain(0x201..=0x203)
        .chain(0x205..=0x207)
        .chain([0x209])
        .chain(0x210..=0x215)
        .chain([0x218, 0x219, 0x220])
        .chain([0x8000_ABCD, 0x8001_ABCD, 0x8002_ABCD])
        .chain([0x8011_ABCD, 0x8012_ABCD, 0x8013_ABCD, 0x8014_ABCD])
        .collect();
    assert_eq!(wanted.difference(&blocks).collect::<Vec<_>>(), Vec::<&u32>::new());
    let is_written = |code: &u16| !layout(*code).unwrap().is(UNUSED);
    let missing: Vec<_> = (0..CODES).filter(is_written).filter(|c| !codes.contains(c)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

const EVENT_BLOCKS: [u32; 7] = [0x204, 0x8010_ABCD, 0x216, 0x221, 0x208, 0x217, 0x222];

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/scap")
}

fn told(bytes: &[u8], format: &str) -> String {
    let template = Template::parse(format).unwrap();
    let source = Source::new(Path::new("golden"), Box::new(Cursor::new(bytes.to_vec())), None);
    let mut replay = Replay::new(source.unwrap(), container_of, Box::new(World::default));
    let mut lines = Vec::new();
    let result = replay.run(|event| {
        template.write_text(event, &mut lines);
        lines.push(b'\n');
        ControlFlow::Continue(())
    });
    result.unwrap();
    assert_eq!(replay.summary().damage.skipped, 0);
    let text = String::from_utf8_lossy(&lines);
    // Control characters make a text a binary one for those who show differences.
    text.replace(|letter: char| letter.is_control() && letter != '\n', ".")
}

/// Every event with every number of parameters that it is known to have had.
fn every_event() -> Capture {
    let mut capture = Capture::new();
    let init = thread(1, 0, "init");
    capture.processes(&[init, thread(TID, 1, "worker")]);
    capture.listed_file(TID, 3, "/srv/data");
    for code in 0..CODES {
        let layout = layout(code).unwrap();
        let all: Vec<Vec<u8>> = layout.params.iter().map(|class| value(*class)).collect();
        for count in 0..=all.len() {
            if count == all.len() || is_known(code, count) {
                write_event(&mut capture, 0x216, code, &all[..count], layout.is(LARGE));
            }
        }
    }
    capture
}

/// Whether events of that code had that many parameters: they decode without a complaint.
fn is_known(code: u16, count: usize) -> bool {
    let layout = layout(code).unwrap();
    let params: Vec<Vec<u8>> = layout.params[..count].iter().map(|class| value(*class)).collect();
    let mut capture = Capture::new();
    write_event(&mut capture, 0x216, code, &params, layout.is(LARGE));
    let source = Source::new(Path::new("one"), Box::new(Cursor::new(capture.bytes)), None);
    let mut replay = Replay::new(source.unwrap(), container_of, Box::new(World::default));
    replay.run(|_| ControlFlow::Continue(())).unwrap();
    replay.summary().damage.skipped == 0
}

/// A plausible value: descriptor 3, an address, a path.
fn value(class: Class) -> Vec<u8> {
    match class {
        Class::I8 | Class::U8 => vec![1],
        Class::I16 | Class::U16 => vec![2, 0],
        Class::I32 | Class::U32 => vec![2, 0, 0, 0],
        Class::I64 => 3_i64.to_le_bytes().to_vec(),
        Class::U64 => 5_u64.to_le_bytes().to_vec(),
        Class::Id => vec![0; 4],
        Class::Text => b"/srv/a\0".to_vec(),
        Class::Raw => vec![2, 10, 0, 0, 5, 0x50, 0xc3, 10, 0, 0, 9, 0x0b, 0x14],
        Class::Dyn => vec![0, 1, 0, 0, 0, 0, 0, 0, 0],
    }
}

/// An event in a block of that number; `is_large`: lengths have 32 bits.
fn write_event(capture: &mut Capture, number: u32, code: u16, params: &[Vec<u8>], is_large: bool) {
    let is_counted = !matches!(number, 0x204 | 0x208 | 0x8010_ABCD);
    let width = if is_large { 4 } else { 2 };
    let payload: usize = params.iter().map(|param| param.len() + width).sum();
    let mut body = 1_u16.to_le_bytes().to_vec();
    if matches!(number, 0x208 | 0x217 | 0x222) {
        body.extend(0_u32.to_le_bytes());
    }
    body.extend(1_700_000_000_000_000_000_u64.to_le_bytes());
    body.extend(TID.to_le_bytes());
    let header = if is_counted { 26 } else { 22 };
    body.extend(u32::try_from(header + payload).unwrap().to_le_bytes());
    body.extend(code.to_le_bytes());
    if is_counted {
        body.extend(u32::try_from(params.len()).unwrap().to_le_bytes());
    }
    for param in params {
        body.extend(&u32::try_from(param.len()).unwrap().to_le_bytes()[..width]);
    }
    params.iter().for_each(|param| body.extend(param));
    capture.block(number, &body);
}

fn thread(tid: i64, ptid: i64, comm: &'static str) -> Thread<'static> {
    Thread { tid, pid: tid, ptid, comm, exepath: "/bin/x", args: &["-a"], cwd: "/srv", uid: 7 }
}

/// An event in each kind of block, and one that only changes the state.
fn every_block() -> Capture {
    let mut capture = Capture::new();
    capture.block(0x8002_ABCD, &[0; 180]);
    capture.block(0x201, &[0; 184]);
    capture.block(0x4711, b"newer");
    capture.processes(&[thread(TID, 1, "worker")]);
    capture.listed_file(TID, 3, "/srv/data");
    let close = [value(Class::I64), 9_i64.to_le_bytes().to_vec()];
    for number in EVENT_BLOCKS {
        write_event(&mut capture, number, code::CLOSE, &close, false);
    }
    let json = br#"{"container":{"id":"0123456789ab","type":0,"name":"web","image":"nginx"}}"#;
    write_event(&mut capture, 0x221, 324, &[[&json[..], b"\0"].concat()], true);
    let read = [vec![0; 8], vec![b'x'; 60], 3_i64.to_le_bytes().to_vec(), vec![60, 0, 0, 0]];
    write_event(&mut capture, 0x222, code::READ, &read, false);
    let mut hidden = Capture::default();
    write_event(&mut hidden, 0x217, code::CLOSE, &[vec![0; 8], value(Class::I64)], false);
    hidden.bytes[10] = 1;
    capture.bytes.extend(hidden.bytes);
    capture.event(code::FSTAT, 2, TID, &[P::I64(0), P::I64(3)]);
    capture
}

/// Every type of descriptor, in both versions of the list.
fn descriptors() -> Capture {
    let mut capture = Capture::new();
    capture.processes(&[thread(TID, 1, "worker"), thread(43, 1, "other"), thread(44, 1, "third")]);
    for (number, tid) in [(0x203_u32, 43_i64), (0x8001_ABCD, 44), (0x218, TID)] {
        let mut body = tid.to_le_bytes().to_vec();
        for ty in (0..=21).chain([99]).filter(|ty| *ty <= 16 || number == 0x218) {
            let entry = descriptor(ty, number == 0x218);
            if number == 0x218 {
                body.extend(u32::try_from(entry.len() + 4).unwrap().to_le_bytes());
            }
            body.extend(entry);
        }
        capture.block(number, &body);
    }
    for tid in [TID, 43, 44] {
        for num in (0..=21).chain([99]) {
            capture.event(code::FSTAT, 1, tid, &[P::I64(0), P::I64(num)]);
        }
    }
    capture
}

fn descriptor(ty: u8, has_dev: bool) -> Vec<u8> {
    let mut entry = i64::from(ty).to_le_bytes().to_vec();
    entry.extend(7_u64.to_le_bytes());
    entry.push(ty);
    let v4 = |last: u8| vec![10, 0, 0, last];
    let v6 = |last: u8| [vec![0x20, 1, 0x0d, 0xb8], vec![0; 11], vec![last]].concat();
    let ports = [0x50, 0, 0xbb, 1];
    match ty {
        0 | 99 => {}
        3 => entry.extend([v4(1), v4(2), ports.to_vec(), vec![2]].concat()),
        4 => entry.extend([v6(1), v6(2), ports.to_vec(), vec![3]].concat()),
        5 => entry.extend([v4(1), vec![0x50, 0, 2]].concat()),
        6 => entry.extend([v6(1), vec![0x51, 0, 2]].concat()),
        8 => {
            entry.extend([1_u64.to_le_bytes(), 2_u64.to_le_bytes()].concat());
            put_text(&mut entry, "/run/x.sock");
        }
        16 => {
            entry.extend(1_u32.to_le_bytes());
            put_text(&mut entry, "/srv/data");
            if has_dev {
                entry.extend(0x801_u32.to_le_bytes());
            }
        }
        _ => put_text(&mut entry, "name"),
    }
    entry
}

/// Users, groups and interfaces, in every version of their lists; the last list of a kind counts.
fn accounts() -> Capture {
    let mut capture = Capture::new();
    let interface = |ty: u8| {
        let len = if ty % 2 == 1 { 4 } else { 16 };
        let mut entry = vec![ty, 0, 2, 0];
        for byte in [10, 255, 255] {
            entry.extend(vec![byte; len]);
        }
        if ty < 3 {
            entry.extend(1000_u64.to_le_bytes());
        }
        entry.extend(b"lo");
        entry
    };
    let account = |name: &str, kind: u8| {
        let mut entry = vec![kind];
        entry.extend(7_u32.to_le_bytes());
        if kind == 0 {
            entry.extend(7_u32.to_le_bytes());
        }
        put_text(&mut entry, name);
        if kind == 0 {
            put_text(&mut entry, "/home/a");
            put_text(&mut entry, "/bin/sh");
        }
        entry
    };
    let first: Vec<u8> = (1..=4).flat_map(interface).collect();
    capture.block(0x205, &first);
    capture.block(0x8011_ABCD, &first);
    let sized = |entry: Vec<u8>, own: usize| {
        [u32::try_from(entry.len() + own).unwrap().to_le_bytes().to_vec(), entry].concat()
    };
    let second: Vec<u8> = (1..=4).flat_map(|ty| sized(interface(ty), 0)).collect();
    capture.block(0x219, &second);
    let old = [account("old", 0), account("olds", 1)].concat();
    capture.block(0x206, &old);
    capture.block(0x8012_ABCD, &old);
    let new = [sized(account("anna", 0), 4), sized(account("staff", 1), 4)].concat();
    capture.block(0x220, &new);
    capture.processes(&[thread(TID, 1, "worker")]);
    let tuple = [2, 10, 10, 10, 10, 0x50, 0xc3, 192, 0, 2, 9, 0x0b, 0x14];
    let socket = [P::I64(3), P::U32(2), P::U32(1), P::U32(6), P::U32(0)];
    capture.event(code::SOCKET, 1, TID, &socket);
    let connect = [P::I64(0), P::Raw(&tuple), P::I64(3), P::Raw(&tuple[6..])];
    capture.event(code::CONNECT, 2, TID, &connect);
    capture
}

/// A process in every version of the process list, with every length of the newest one's end.
fn lists() -> Capture {
    let mut capture = Capture::new();
    let versions = [
        (0x202_u32, 1_u8),
        (0x8000_ABCD, 1),
        (0x207, 2),
        (0x8013_ABCD, 2),
        (0x209, 3),
        (0x8014_ABCD, 3),
        (0x210, 4),
        (0x211, 5),
        (0x212, 6),
        (0x213, 7),
        (0x214, 8),
    ];
    let mut tid = 100;
    for (number, version) in versions {
        capture.block(number, &process(tid, version));
        tid += 1;
    }
    let tail = process_tail();
    for len in [0, 4, 5, 13, 29, 30, 41, 70, 78, 86, 94, 95, 96, 104] {
        let mut entry = process(tid, 9);
        // Short ends are of older writers, who began with the login's user.
        entry.extend(if len <= 29 { &tail[12..12 + len] } else { &tail[..len.min(tail.len())] });
        let mut body = u32::try_from(entry.len() + 4).unwrap().to_le_bytes().to_vec();
        body.extend(entry);
        capture.block(0x215, &body);
        tid += 1;
    }
    for tid in 100..tid {
        capture.event(code::FUTEX, 1, tid, &[P::I64(0), P::U64(0), P::U16(0), P::U64(0)]);
    }
    capture
}

fn process(tid: i64, version: u8) -> Vec<u8> {
    let mut entry = Vec::new();
    for id in [tid, tid, 1, 90, 91].into_iter().take(match version {
        ..6 => 3,
        6 | 7 => 4,
        _ => 5,
    }) {
        entry.extend(id.to_le_bytes());
    }
    put_text(&mut entry, "comm");
    put_text(&mut entry, "exe");
    if version >= 7 {
        put_text(&mut entry, "/bin/exe");
    }
    put_text(&mut entry, "-a\0b c\0");
    put_text(&mut entry, "/srv/");
    entry.extend(1024_u64.to_le_bytes());
    for number in [0_u32, 7, 8] {
        entry.extend(number.to_le_bytes());
    }
    if version >= 2 {
        for number in [5000_u32, 900, 3] {
            entry.extend(number.to_le_bytes());
        }
        entry.extend([4_u64.to_le_bytes(), 5_u64.to_le_bytes()].concat());
    }
    if version >= 3 {
        put_text(&mut entry, "HOME=/root\0LANG=C");
    }
    if version >= 4 {
        entry.extend([12_i64.to_le_bytes(), 13_i64.to_le_bytes()].concat());
        put_text(&mut entry, "cpu=/a\0memory=/b\0");
    }
    if version >= 5 {
        put_text(&mut entry, "/");
    }
    entry
}

/// The end of an entry of version 9, whole.
fn process_tail() -> Vec<u8> {
    let mut tail = 11_u64.to_le_bytes().to_vec();
    tail.extend(34816_u32.to_le_bytes());
    tail.extend(1000_u32.to_le_bytes());
    tail.push(1);
    for number in [1_u64, 3, 7] {
        tail.extend(number.to_le_bytes());
    }
    tail.push(1);
    for number in [21_u64, 22, 23] {
        tail.extend(number.to_le_bytes());
    }
    tail.extend([1, 1]);
    tail.extend(92_i64.to_le_bytes());
    tail
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    out.extend(u16::try_from(text.len()).unwrap().to_le_bytes());
    out.extend(text.as_bytes());
}
