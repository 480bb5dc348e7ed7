//! Captures played back: what is told of their events, old layouts, damage, pipes.
//!
//! The captures are made here; what is expected of the long one is in `tests/golden/scap/`, which
//! `EYAS_BLESS=1` writes anew.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests"
)]

#[path = "support/capture.rs"]
#[allow(dead_code, reason = "shared with the bench")]
mod capture;

use std::fs;
use std::io::{Cursor, Read, Write};
use std::ops::ControlFlow;
use std::path::Path;
use std::process::{Command, Stdio};

use capture::{Capture, P, Thread, code};
use eyas::engine::output::Template;
use eyas::event::World;
use eyas::service::replay::{Replay, Summary, container_of};
use eyas::sources::replay::{Capture as Source, Error};
use proptest::prelude::*;

const TID: i64 = 42;

fn play(bytes: &[u8], format: &str) -> (Vec<String>, Result<(), Error>, Summary) {
    let template = Template::parse(format).unwrap();
    let source = Source::new(Path::new("t.scap"), Box::new(Cursor::new(bytes.to_vec())), None);
    let mut replay = Replay::new(source.unwrap(), container_of, Box::new(World::default));
    let mut lines = Vec::new();
    let result = replay.run(|event| {
        let mut line = Vec::new();
        template.write_text(event, &mut line);
        lines.push(String::from_utf8_lossy(&line).into_owned());
        ControlFlow::Continue(())
    });
    (lines, result, replay.summary())
}

/// The lines of a capture in which nothing is wrong.
fn lines(capture: &Capture, format: &str) -> Vec<String> {
    let (lines, result, summary) = play(&capture.bytes, format);
    result.unwrap();
    assert_eq!(summary.damage.skipped, 0, "{:?}", summary.damage);
    lines
}

fn small() -> Capture {
    let mut capture = Capture::new();
    capture.user(1000, "anna");
    capture.processes(&[
        Thread {
            tid: 1,
            pid: 1,
            ptid: 0,
            comm: "init",
            exepath: "/sbin/init",
            args: &[],
            cwd: "/",
            uid: 0,
        },
        Thread {
            tid: TID,
            pid: TID,
            ptid: 1,
            comm: "worker",
            exepath: "/usr/bin/worker",
            args: &["-v", "two words"],
            cwd: "/srv",
            uid: 1000,
        },
    ]);
    capture.listed_file(TID, 0, "/dev/null");
    capture
}

#[test]
fn a_day_of_short_programs_is_told_as_it_happened() {
    let format = "%evt.num %evt.type %evt.res %proc.name %proc.pname %proc.cmdline %proc.cwd \
                  %fd.num %fd.name %fd.type %user.name %proc.nthreads";
    let found = lines(&Capture::everyday(3), format).join("\n") + "\n";
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/scap/everyday.txt");
    if std::env::var_os("EYAS_BLESS").is_some() {
        fs::create_dir_all(golden.parent().unwrap()).unwrap();
        fs::write(&golden, &found).unwrap();
    }
    assert_eq!(found, String::from_utf8(fs::read(&golden).unwrap()).unwrap());
}

#[test]
fn a_close_still_sees_its_file_and_the_next_event_does_not() {
    let mut capture = small();
    capture.openat_event(1, TID, 5, "notes/../plan", 1);
    capture.event(code::CLOSE, 2, TID, &[P::I64(0), P::I64(5)]);
    capture.event(code::CLOSE, 3, TID, &[P::I64(-9), P::I64(5)]);
    assert_eq!(
        lines(&capture, "%evt.type %fd.name"),
        ["openat /srv/plan", "close /srv/plan", "close "]
    );
}

#[test]
fn what_the_lists_say_is_known_before_the_first_event() {
    let mut capture = small();
    capture.event(code::READ, 1, TID, &[P::I64(0), P::Empty, P::I64(0), P::U32(9)]);
    assert_eq!(
        lines(&capture, "%proc.cmdline|%proc.pname|%user.name|%fd.name|%proc.cwd"),
        ["worker -v two words|init|anna|/dev/null|/srv/"]
    );
}

#[test]
fn orphans_get_the_parent_that_the_kernel_named() {
    let mut capture = small();
    capture.clone_event(1, TID, 50, 1, "child");
    capture.clone_event(2, 50, 0, TID, "child");
    capture.exit_event(3, TID);
    capture.event(code::FUTEX, 4, 50, &[P::I64(0), P::U64(0), P::U16(0), P::U64(0)]);
    let found = lines(&capture, "%evt.type %proc.name %proc.pname");
    assert_eq!(found[2..], ["procexit worker init", "futex child init"]);
}

#[test]
fn an_exec_closes_what_is_marked_so() {
    let mut capture = small();
    capture.openat_event(1, TID, 5, "/a", 1 | 4096);
    capture.openat_event(2, TID, 6, "/b", 1);
    capture.exec_event(3, TID, 1, "/bin/next", &["x"]);
    for num in [5, 6] {
        capture.event(code::FSTAT, 4, TID, &[P::I64(0), P::I64(num)]);
    }
    let found = lines(&capture, "%proc.name %fd.name");
    assert_eq!(found[3..], ["next ", "next /b"]);
}

#[test]
fn an_old_exit_event_takes_what_its_enter_event_told() {
    let mut capture = small();
    // openat as it was until 2019: all parameters on the enter event.
    let enter = [P::I64(-100), P::Text("old"), P::U32(1), P::U32(0)];
    capture.old_event(102, 1, TID, &enter);
    capture.old_event(103, 2, TID, &[P::I64(7)]);
    // close: the number on the enter event.
    capture.old_event(4, 3, TID, &[P::I64(7)]);
    capture.old_event(5, 4, TID, &[P::I64(0)]);
    assert_eq!(
        lines(&capture, "%evt.num %evt.type %evt.args"),
        [
            "1 openat fd=7(<f>/srv/old) dirfd=-100(AT_FDCWD) name=old(/srv/old) flags=1(O_RDONLY) \
             mode=0 dev=<NA> ino=<NA>",
            "2 close res=0 fd=7(<f>/srv/old)",
        ]
    );
}

#[test]
fn a_new_section_is_a_new_world_with_the_numbers_going_on() {
    let mut capture = small();
    capture.openat_event(1, TID, 5, "/a", 1);
    let mut twice = capture.clone();
    twice.bytes.extend(&capture.bytes);
    let mut third = small();
    third.event(code::FSTAT, 9, TID, &[P::I64(0), P::I64(5)]);
    twice.bytes.extend(&third.bytes);
    assert_eq!(lines(&twice, "%evt.num %fd.name"), ["1 /a", "2 /a", "3 "]);
}

#[test]
fn gzip_in_several_members_is_the_same_capture() {
    let plain = Capture::everyday(2);
    let (first, second) = plain.bytes.split_at(plain.bytes.len() / 2);
    let mut packed = Vec::new();
    for part in [first, second] {
        let mut packer = flate2::write::GzEncoder::new(&mut packed, flate2::Compression::fast());
        packer.write_all(part).unwrap();
        packer.finish().unwrap();
    }
    let (found, result, _) = play(&packed, "%evt.num %evt.type");
    result.unwrap();
    assert_eq!(found, lines(&plain, "%evt.num %evt.type"));
}

#[test]
fn a_cut_capture_tells_all_whole_events_and_then_where_it_ends() {
    let mut capture = small();
    for ts in 1..5 {
        capture.openat_event(ts, TID, 5, "/a", 1);
    }
    let last = *capture.blocks.last().unwrap();
    for end in last + 1..capture.bytes.len() {
        let (found, result, _) = play(&capture.bytes[..end], "%evt.type");
        assert_eq!(found.len(), 3);
        let error = result.unwrap_err().to_string();
        assert!(error.contains(&format!("byte {last}:")), "{error}");
        assert!(error.contains("truncated"), "{error}");
    }
}

#[test]
fn a_damaged_event_is_skipped_and_counted() {
    let mut capture = small();
    capture.openat_event(1, TID, 5, "/a", 1);
    capture.openat_event(2, TID, 6, "/b", 1);
    capture.openat_event(3, TID, 7, "/c", 1);
    let second = capture.blocks[capture.blocks.len() - 2];
    // The number of its parameters: behind block header, CPU, time, thread, length and code.
    capture.bytes[second + 32..second + 36].copy_from_slice(&u32::MAX.to_le_bytes());
    let (found, result, summary) = play(&capture.bytes, "%evt.num %fd.name");
    result.unwrap();
    assert_eq!(found, ["1 /a", "3 /c"]);
    assert_eq!(summary.damage.skipped, 1);
}

#[test]
fn an_event_whose_length_alone_is_wrong_is_read_by_its_blocks() {
    let mut capture = small();
    capture.openat_event(1, TID, 5, "/a", 1);
    capture.openat_event(2, TID, 6, "/b", 1);
    let last = *capture.blocks.last().unwrap();
    capture.bytes[last + 26..last + 30].copy_from_slice(&70_000_u32.to_le_bytes());
    let end = capture.bytes.len();
    capture.bytes[end - 1] = 9;
    let (found, result, summary) = play(&capture.bytes, "%fd.name");
    result.unwrap();
    assert_eq!(found, ["/a", "/b"]);
    assert_eq!((summary.damage.skipped, summary.damage.wrong_lengths), (0, 2));
}

#[test]
fn an_old_event_whose_lengths_do_not_add_up_ends_the_capture() {
    let mut capture = small();
    capture.openat_event(1, TID, 5, "/a", 1);
    capture.old_event(5, 2, TID, &[P::I64(0)]);
    capture.openat_event(3, TID, 6, "/b", 1);
    let second = capture.blocks[capture.blocks.len() - 2];
    capture.bytes[second + 26] += 1;
    let (found, result, _) = play(&capture.bytes, "%fd.name");
    assert_eq!(found, ["/a"]);
    let error = result.unwrap_err().to_string();
    assert!(error.contains(&format!("byte {second}:")), "{error}");
}

#[test]
fn a_number_of_parameters_that_no_writer_used_is_told() {
    let mut capture = small();
    capture.event(code::OPENAT, 1, TID, &[]);
    capture.openat_event(2, TID, 6, "/b", 1);
    let (found, result, summary) = play(&capture.bytes, "%evt.num %fd.name");
    result.unwrap();
    assert_eq!(found, ["2 /b"]);
    let (_, first) = summary.damage.first.unwrap();
    assert!(first.to_string().contains("number of parameters"), "{first}");
}

#[test]
fn parameters_of_a_newer_writer_are_left_out() {
    let mut capture = small();
    let close = [P::I64(0), P::I64(0), P::U64(1), P::Text("new")];
    capture.event(code::CLOSE, 1, TID, &close);
    assert_eq!(lines(&capture, "%evt.args"), ["res=0 fd=0(<f>/dev/null)"]);
}

#[test]
fn a_list_that_is_damaged_ends_the_capture_before_its_events() {
    let mut capture = small();
    capture.openat_event(1, TID, 5, "/a", 1);
    for (from, expected) in [(1, "a user list"), (2, "another length"), (3, "another length")] {
        let mut bytes = capture.bytes.clone();
        let at = capture.blocks[from];
        if from == 1 {
            // The list of users stands twice before its section.
            bytes.drain(..at);
        } else {
            bytes[capture.blocks[from + 1] - 1] ^= 1;
        }
        let (found, result, _) = play(&bytes, "%evt.num");
        assert!(found.is_empty());
        let error = result.unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn what_a_fork_inherits_is_listed_the_other_way_around() {
    let mut capture = small();
    let socket = [P::I64(5), P::U32(2), P::U32(1), P::U32(6), P::U32(0)];
    capture.event(code::SOCKET, 1, TID, &socket);
    let stat = |capture: &mut Capture, tid| {
        capture.event(code::FSTAT, 2, tid, &[P::I64(0), P::I64(5)]);
    };
    stat(&mut capture, TID);
    capture.clone_event(3, TID, 50, 1, "child");
    capture.clone_event(4, 50, 0, TID, "child");
    stat(&mut capture, 50);
    capture.clone_event(5, 50, 51, TID, "grandchild");
    stat(&mut capture, 51);
    let found = lines(&capture, "%evt.type %fd.types");
    let listed: Vec<_> = found.iter().filter_map(|line| line.strip_prefix("fstat ")).collect();
    assert_eq!(listed, ["(ipv4,file)", "(file,ipv4)", "(ipv4,file)"]);
}

#[test]
fn a_raw_parameter_is_compared_in_the_width_that_it_has() {
    const TIMERFD_CREATE: u16 = 137;
    let mut capture = small();
    for flags in [0, 1] {
        let create = [P::I64(4), P::U8(0), P::U8(flags)];
        capture.event(TIMERFD_CREATE, 1, TID, &create);
    }
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("raw.scap");
    fs::write(&file, &capture.bytes).unwrap();
    // The literal is read for 32 bits; of these the call's flags have the lowest 8.
    for (condition, expected) in [("> 4096", "1\n"), ("= 4096", "0\n"), ("= 257", "1\n")] {
        let condition = format!("evt.rawarg.flags {condition}");
        let arguments =
            ["events", file.to_str().unwrap(), "-f", &condition, "-o", "%evt.rawarg.flags"];
        let (exit, out, err) = eyas(&arguments, None);
        assert_eq!((exit, out.as_str()), (Some(0), expected), "{condition}: {err}");
    }
}

#[test]
fn lists_without_events_are_no_capture() {
    let (_, result, _) = play(&small().bytes, "%evt.type");
    assert!(result.unwrap_err().to_string().contains("no events in file"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn no_damage_whatever_makes_it_panic(
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12),
        end in any::<prop::sample::Index>(),
    ) {
        let mut bytes = Capture::everyday(1).bytes;
        for (at, value) in flips {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        bytes.truncate(end.index(bytes.len()) + 1);
        let format = "%evt.args %fd.name %proc.cmdline %proc.aname %container.id %fs.path.name";
        let _ = play(&bytes, format);
    }
}

fn eyas(arguments: &[&str], input: Option<&[u8]>) -> (Option<i32>, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_eyas"));
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut pipe = child.stdin.take().unwrap();
    if let Some(input) = input {
        pipe.write_all(input).unwrap();
    }
    drop(pipe);
    let output = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn the_rules_judge_a_capture_from_a_pipe() {
    let directory = tempfile::tempdir().unwrap();
    let rules = directory.path().join("rules.yaml");
    fs::write(
        &rules,
        "- {rule: opened, desc: d, condition: evt.type = openat, output: opened %fd.name, priority: INFO}\n",
    )
    .unwrap();
    let mut capture = small();
    capture.openat_event(1, TID, 5, "plan", 1);
    let arguments = ["-r", rules.to_str().unwrap(), "-e", "-"];
    let (exit, out, err) = eyas(&arguments, Some(&capture.bytes));
    assert_eq!(exit, Some(0), "{err}");
    assert!(out.contains("Informational opened /srv/plan\n"), "{out}");
    assert!(out.contains("Events detected: 1\n"), "{out}");
}

#[test]
fn a_broken_capture_ends_with_one_after_its_good_events() {
    let mut capture = small();
    capture.openat_event(1, TID, 5, "plan", 1);
    capture.openat_event(2, TID, 5, "rest", 1);
    capture.bytes.pop();
    let (exit, out, err) = eyas(&["events", "-", "-o", "%fd.name"], Some(&capture.bytes));
    assert_eq!((exit, out.as_str()), (Some(1), "/srv/plan\n"));
    assert!(err.starts_with("Error: -, byte "), "{err}");
}

#[test]
fn events_of_a_capture_are_printed_by_condition_and_format() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("day.scap");
    fs::write(&file, Capture::everyday(2).bytes).unwrap();
    let file = file.to_str().unwrap();
    let condition = "evt.type = execve";
    let (exit, out, err) =
        eyas(&["events", file, "-f", condition, "-o", "%evt.num %proc.cmdline"], None);
    assert_eq!((exit, err.as_str()), (Some(0), ""));
    assert_eq!(out.lines().next(), Some("3 cat -n /srv/data"));
    assert_eq!(out.lines().count(), 2);
    let (_, out, _) = eyas(&["events", file, "-f", condition, "-o", "%proc.name", "--json"], None);
    let first: serde_json::Value = serde_json::from_str(out.lines().next().unwrap()).unwrap();
    assert_eq!(first["proc.name"], "cat");
    let (exit, _, err) = eyas(&["events", file, "-f", "no.field = 1"], None);
    assert_eq!(exit, Some(1));
    assert!(err.contains("no.field"), "{err}");
}

#[test]
fn a_file_that_is_no_capture_is_named_with_what_was_expected() {
    for (content, expected) in [
        (&b""[..], "no events in file"),
        (b"\x0a\x0d", "expected 8 bytes"),
        (b"hello, this is text\n", "no capture file"),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("x.scap");
        fs::write(&file, content).unwrap();
        let (exit, out, err) = eyas(&["events", file.to_str().unwrap()], None);
        assert_eq!((exit, out.as_str()), (Some(1), ""));
        assert!(err.contains("x.scap") && err.contains(expected), "{err}");
    }
}

#[test]
fn a_reader_that_has_enough_of_the_events_ends_them_without_a_word() {
    let directory = tempfile::tempdir().unwrap();
    for sessions in [1, 400] {
        let file = directory.path().join("day.scap");
        fs::write(&file, Capture::everyday(sessions).bytes).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_eyas"))
            .args(["events", file.to_str().unwrap()])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut first = [0; 1];
        child.stdout.take().unwrap().read_exact(&mut first).unwrap();
        let ended = child.wait_with_output().unwrap();
        let errors = String::from_utf8_lossy(&ended.stderr);
        assert_eq!((ended.status.code(), &*errors), (Some(0), ""));
    }
}

/// Peak memory of a process so far, in KiB.
fn peak_kib(pid: u32) -> u64 {
    let status = fs::read(format!("/proc/{pid}/status")).unwrap();
    let status = String::from_utf8_lossy(&status).into_owned();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().strip_suffix(" kB").unwrap().parse().unwrap()
}

#[test]
fn memory_does_not_grow_with_the_length_of_a_capture() {
    let directory = tempfile::tempdir().unwrap();
    let rules = directory.path().join("rules.yaml");
    fs::write(
        &rules,
        "- {rule: exec, desc: d, condition: evt.type = execve, output: \"%proc.cmdline %fd.name\", priority: INFO}\n",
    )
    .unwrap();
    let bytes = Capture::everyday(5_000).bytes;
    assert!(bytes.len() > 32 << 20);
    let (start, rest) = bytes.split_at(bytes.len() / 5);
    for is_gzip in [false, true] {
        let mut child = Command::new(env!("CARGO_BIN_EXE_eyas"))
            .args(["-r", rules.to_str().unwrap(), "-e", "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut pipe = child.stdin.take().unwrap();
        // Whatever still is in the pipe is little beside a fifth of the capture.
        let mut feed = |part: &[u8]| {
            if is_gzip {
                let fast = flate2::Compression::fast();
                let mut packer = flate2::write::GzEncoder::new(&mut pipe, fast);
                packer.write_all(part).unwrap();
                packer.finish().unwrap();
            } else {
                pipe.write_all(part).unwrap();
            }
            peak_kib(child.id())
        };
        let (short, long) = (feed(start), feed(rest));
        drop(pipe);
        assert!(child.wait().unwrap().success());
        assert!(long < short + 4096, "{short} KiB for a fifth, {long} KiB for all");
    }
}
