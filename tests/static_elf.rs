//! The file that is copied to hosts: one static program that any Linux from 3.2 on can start.
//!
//! Builds it with `cargo static` if it isn't there, and reads its ELF headers.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test")]
#![cfg(target_arch = "x86_64")]

mod support;

use std::io::BufRead as _;
use std::io::BufReader;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Stdio;
use std::sync::OnceLock;

use eyas::decode::reader::Reader;
use support::Need;
use support::have;

/// Largest size of the stripped file.
const MAX_BYTES: u64 = 8 << 20;

/// Most milliseconds from the start of the program to the first watch, with its own rules.
const MAX_START_MS: u64 = 150;

/// Most memory of an agent that has just begun.
const MAX_RESIDENT_KIB: u64 = 25 << 10;

// elf.h
const ET_DYN: u16 = 3;
const PT_DYNAMIC: u32 = 2;
const PT_INTERP: u32 = 3;
const PT_NOTE: u32 = 4;
const DT_NEEDED: u64 = 1;
const DT_FLAGS_1: u64 = 0x6fff_fffb;
const DF_1_PIE: u64 = 0x0800_0000;
const NT_GNU_ABI_TAG: u32 = 1;

/// One program header.
struct Segment<'a> {
    kind: u32,
    bytes: &'a [u8],
}

struct Elf<'a> {
    kind: u16,
    segments: Vec<Segment<'a>>,
}

impl<'a> Elf<'a> {
    fn read(file: &'a [u8]) -> Self {
        assert_eq!(&file[..6], b"\x7fELF\x02\x01", "64 bits, little end first");
        let kind = u16_at(file, 16);
        let (table, size, count) = (u64_at(file, 32), u16_at(file, 54), u16_at(file, 56));
        let segments = (0..usize::from(count)).map(|index| {
            let header = &file[usize::try_from(table).unwrap() + index * usize::from(size)..];
            let offset = usize::try_from(u64_at(header, 8)).unwrap();
            let len = usize::try_from(u64_at(header, 32)).unwrap();
            Segment { kind: u32_at(header, 0), bytes: &file[offset..offset + len] }
        });
        Self { kind, segments: segments.collect() }
    }

    fn of_kind(&self, kind: u32) -> impl Iterator<Item = &[u8]> {
        self.segments.iter().filter(move |segment| segment.kind == kind).map(|it| it.bytes)
    }

    fn dynamic(&self) -> Vec<(u64, u64)> {
        let table = self.of_kind(PT_DYNAMIC).next().unwrap();
        table.chunks_exact(16).map(|entry| (u64_at(entry, 0), u64_at(entry, 8))).collect()
    }

    /// System (0: Linux) and lowest version of it.
    fn abi_tag(&self) -> Option<[u32; 4]> {
        for mut notes in self.of_kind(PT_NOTE) {
            while notes.len() >= 12 {
                let (name, text) = (padded(u32_at(notes, 0)), padded(u32_at(notes, 4)));
                let kind = u32_at(notes, 8);
                if kind == NT_GNU_ABI_TAG && notes[12..].starts_with(b"GNU\0") && text == 16 {
                    let words = &notes[12 + name..];
                    return Some([0, 4, 8, 12].map(|at| u32_at(words, at)));
                }
                notes = &notes[(12 + name + text).min(notes.len())..];
            }
        }
        None
    }
}

fn padded(len: u32) -> usize {
    usize::try_from(len).unwrap().next_multiple_of(4)
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    Reader::new(&bytes[at..]).u16_le("a half word").unwrap()
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    Reader::new(&bytes[at..]).u32_le("a word").unwrap()
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    Reader::new(&bytes[at..]).u64_le("a double word").unwrap()
}

/// The file; built if it has to be.
fn built() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let status = Command::new(env!("CARGO"))
            .args(["static", "--quiet"])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .status();
        assert!(status.unwrap().success(), "cargo static");
        let target = std::env::var("CARGO_TARGET_DIR")
            .unwrap_or_else(|_| concat!(env!("CARGO_MANIFEST_DIR"), "/target").to_owned());
        Path::new(&target).join("x86_64-unknown-linux-gnu/dist/eyas")
    })
}

#[test]
fn the_file_for_hosts_is_static_small_and_starts_on_old_kernels() {
    let file = std::fs::read(built()).unwrap();
    let elf = Elf::read(&file);

    assert_eq!(elf.kind, ET_DYN, "position independent");
    assert!(elf.of_kind(PT_INTERP).next().is_none(), "it asks for an interpreter");
    let dynamic = elf.dynamic();
    assert!(dynamic.iter().all(|(tag, _)| *tag != DT_NEEDED), "it asks for a library");
    let flags = dynamic.iter().find(|(tag, _)| *tag == DT_FLAGS_1).unwrap().1;
    assert_ne!(flags & DF_1_PIE, 0, "a program, not a library");
    assert_eq!(elf.abi_tag(), Some([0, 3, 2, 0]), "GNU/Linux 3.2.0");
    let size = u64::try_from(file.len()).unwrap();
    assert!(size < MAX_BYTES, "{size} bytes");

    let version = Command::new(built()).arg("--version").output().unwrap();
    assert!(version.status.success());
    assert!(version.stdout.starts_with(b"Falco version: "));
}

/// Starts the agent; after how many milliseconds it watches, and how many KiB it then takes.
fn start_and_measure() -> (u64, u64) {
    let mut child = Command::new(built())
        .args(["-o", "log_level=debug"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
    let mut said = String::new();
    let after = lines
        .inspect(|line| said = format!("{said}{line}\n"))
        .find_map(|line| line.split_once("watching after ").map(|(_, rest)| rest.to_owned()));
    let status = std::fs::read(format!("/proc/{}/status", child.id())).unwrap();
    let _ = child.kill();
    let _ = child.wait();
    let after = after.unwrap_or_else(|| panic!("it doesn't watch: {said}"));
    let status = String::from_utf8(status).unwrap();
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    let number = |text: &str| text.split_whitespace().next().unwrap().parse().unwrap();
    (number(&after), number(resident))
}

#[test]
fn it_watches_soon_after_its_start_and_is_small() {
    let needs = [Need::Root, Need::Fanotify, Need::ProcConnector];
    if !have("it_watches_soon_after_its_start_and_is_small", &needs) {
        return;
    }
    // The machine may be busy: the best of some runs tells what it takes.
    let runs: Vec<_> = (0..10).map(|_| start_and_measure()).collect();
    let (soonest, _) = runs.iter().min().unwrap();
    assert!(*soonest <= MAX_START_MS, "it watches after {soonest} ms");
    let largest = runs.iter().map(|(_, resident)| resident).max().unwrap();
    assert!(*largest <= MAX_RESIDENT_KIB, "it takes {largest} KiB");
    eprintln!("watching after {soonest} ms, {largest} KiB resident");
}
