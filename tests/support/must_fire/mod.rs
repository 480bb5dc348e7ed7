//! The system calls that Falco's rules ask for, each made once for real: what is done, and the
//! truth of its event. A source is tested by watching the player and comparing what was told.
//!
//! The player is the test binary itself, started again with [`DIRECTORY`] set. Each case runs in a
//! process of its own, makes its calls by number, and writes down what it did: one line of JSON a
//! call, with the event's type, the fields' texts, and those of them that stand in the caller's
//! memory, which a source that sees registers alone may leave out (absent, never wrong).

#![allow(unsafe_code, reason = "the player makes raw calls")]
#![allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "registers are words")]

mod files;
mod processes;
mod sockets;

use std::ffi::CString;
use std::fmt::Write as _;
use std::fs;
use std::fs::File;
use std::io::Read as _;
use std::io::Write as _;
use std::path::Path;
use std::path::PathBuf;

use eyas::event::DataType;
use eyas::event::EventType;
use eyas::event::Kind;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;

/// Names the directory to play in; set for the player alone.
pub const DIRECTORY: &str = "EYAS_MUST_FIRE";

/// If it is set, each case's process stays until the player's standard input ends; [`PLAYED`] in the
/// directory says that all is done.
pub const STAYS: &str = "EYAS_MUST_FIRE_STAYS";

/// See [`STAYS`].
pub const PLAYED: &str = "played";

/// What the program is called that plays.
pub const PLAYER: &str = "must-fire";

/// One thing to do.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    /// The event type that it is about.
    pub ty: &'static str,
    /// Does it.
    act: fn(&mut Play),
}

impl Case {
    const fn new(ty: &'static str, act: fn(&mut Play)) -> Self {
        Self { ty, act }
    }
}

/// All cases.
pub fn cases() -> impl Iterator<Item = &'static Case> {
    files::CASES.iter().chain(sockets::CASES).chain(processes::CASES)
}

/// The types of all cases, each once.
pub fn types() -> Vec<&'static str> {
    let mut types: Vec<_> = cases().map(|case| case.ty).collect();
    types.sort_unstable();
    types.dedup();
    types
}

/// A process that plays one case.
#[derive(Debug)]
pub struct Play {
    dir: PathBuf,
    report: File,
}

/// What a call's event must say.
#[derive(Clone, Debug)]
pub struct Truth {
    /// `evt.type`.
    pub ty: String,
    /// Fields with their texts.
    pub fields: Map<String, Value>,
    /// Fields that only the caller's memory or descriptors tell.
    pub beyond_registers: Vec<String>,
}

impl Play {
    /// A path in the directory of this case.
    pub fn path(&self, name: &str) -> CString {
        CString::new(self.text(name)).unwrap()
    }

    /// The same as text.
    pub fn text(&self, name: &str) -> String {
        self.dir.join(name).to_str().unwrap().to_owned()
    }

    /// Makes a file and gives its path.
    pub fn file(&self, name: &str) -> CString {
        fs::write(self.dir.join(name), "content\n").unwrap();
        self.path(name)
    }

    /// A call; gives what it returned, with a negative errno for -1.
    pub fn call(&self, number: libc::c_long, arguments: &[usize]) -> i64 {
        let argument = |index: usize| arguments.get(index).copied().unwrap_or(0);
        // SAFETY: each case passes what its call takes; all of it lives through the call.
        let result = unsafe {
            libc::syscall(
                number,
                argument(0),
                argument(1),
                argument(2),
                argument(3),
                argument(4),
                argument(5),
            )
        };
        if result < 0 { -i64::from(nix::errno::Errno::last_raw()) } else { result }
    }

    /// A call, and what its event must say: fields and their texts.
    pub fn act(
        &mut self,
        (ty, number): (&str, libc::c_long),
        arguments: &[usize],
        fields: &[(&str, &str)],
    ) -> i64 {
        self.act_with(ty, number, arguments, fields, &[])
    }

    /// The same, with fields that registers and texts alone don't tell.
    pub fn act_with(
        &mut self,
        ty: &str,
        number: libc::c_long,
        arguments: &[usize],
        fields: &[(&str, &str)],
        beyond: &[(&str, &str)],
    ) -> i64 {
        let result = self.call(number, arguments);
        self.tell(ty, Some(result), fields, beyond);
        result
    }

    /// Writes down what an event must say.
    pub fn tell(
        &mut self,
        ty: &str,
        result: Option<i64>,
        fields: &[(&str, &str)],
        beyond: &[(&str, &str)],
    ) {
        let mut all = Map::new();
        for (name, text) in fields.iter().chain(beyond) {
            all.insert((*name).to_owned(), json!(text));
        }
        if let Some(result) = result {
            all.insert("evt.rawres".to_owned(), json!(result.to_string()));
            let errno = i32::try_from(-result).unwrap_or(0);
            let name = format!("{:?}", nix::errno::Errno::from_raw(errno));
            let text = if result >= 0 { "SUCCESS" } else { &name };
            all.insert("evt.res".to_owned(), json!(text));
        }
        let beyond: Vec<_> = beyond.iter().map(|(name, _)| *name).collect();
        let line = json!({ "type": ty, "fields": all, "beyond": beyond });
        writeln!(self.report, "{line}").unwrap();
    }
}

/// Plays all cases if this process is the player. The test that it was started as returns then.
pub fn played() -> bool {
    let Some(dir) = std::env::var_os(DIRECTORY) else { return false };
    let dir = PathBuf::from(dir);
    let stays = std::env::var_os(STAYS).is_some();
    for (index, case) in cases().enumerate() {
        let own = dir.join(format!("{index}-{}", case.ty));
        fs::create_dir(&own).unwrap();
        let report = File::options().append(true).create(true).open(dir.join("truth")).unwrap();
        let mut play = Play { dir: own, report };
        if stays {
            in_staying_child(|| (case.act)(&mut play));
        } else {
            in_child(|| (case.act)(&mut play));
        }
    }
    if stays {
        fs::write(dir.join(PLAYED), "").unwrap();
        let _ = std::io::stdin().read(&mut [0]);
    }
    true
}

/// Runs something in a process of its own that stays as long as this thread does, with all that it
/// has opened; waits until it is done.
fn in_staying_child(act: impl FnOnce()) {
    let (mut done, tell) = std::io::pipe().unwrap();
    // SAFETY: the parent's other threads only wait; the C library keeps its own locks sound.
    if unsafe { libc::fork() } == 0 {
        end_with_parent();
        let well = std::panic::catch_unwind(std::panic::AssertUnwindSafe(act)).is_ok();
        // A change of identity takes it back.
        end_with_parent();
        let _ = (&tell).write_all(&[u8::from(well)]);
        loop {
            // SAFETY: waits for a signal.
            unsafe { libc::pause() };
        }
    }
    drop(tell);
    let mut well = [0];
    done.read_exact(&mut well).unwrap();
    assert_eq!(well, [1], "a case went wrong");
}

/// Has the kernel end this process with the thread that forked it.
fn end_with_parent() {
    // SAFETY: integers.
    unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
}

/// Runs something in a process of its own, so that it may end as whom and where it likes.
fn in_child(act: impl FnOnce()) {
    // SAFETY: the parent's other threads only wait; the C library keeps its own locks sound.
    match unsafe { libc::fork() } {
        0 => {
            let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(act));
            // SAFETY: ends the process without running what is the parent's.
            unsafe { libc::_exit(i32::from(done.is_err())) }
        }
        pid => {
            let status = nix::sys::wait::waitpid(nix::unistd::Pid::from_raw(pid), None).unwrap();
            let is_well = matches!(status, nix::sys::wait::WaitStatus::Exited(_, 0));
            assert!(is_well, "a case ended with {status:?}");
        }
    }
}

/// Copies this test binary to where any user may run it.
pub fn player(dir: &Path) -> PathBuf {
    let player = dir.join(PLAYER);
    fs::copy(std::env::current_exe().unwrap(), &player).unwrap();
    player
}

/// What the player wrote down.
pub fn truths(dir: &Path) -> Vec<Truth> {
    let text = fs::read(dir.join("truth")).unwrap();
    let lines = text.split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
    lines.map(|line| truth(&serde_json::from_slice(line).unwrap())).collect()
}

fn truth(line: &Value) -> Truth {
    let beyond = line["beyond"].as_array().unwrap().iter();
    Truth {
        ty: line["type"].as_str().unwrap().to_owned(),
        fields: line["fields"].as_object().unwrap().clone(),
        beyond_registers: beyond.map(|name| name.as_str().unwrap().to_owned()).collect(),
    }
}

/// Fields that every rule prints, beside the event's own parameters.
const FIELDS: &[&str] = &[
    "evt.rawres",
    "evt.res",
    "fd.name",
    "fd.type",
    "fd.l4proto",
    "fd.sip",
    "fd.sport",
    "fd.cip",
    "fd.cport",
    "fd.lip",
    "fd.lport",
    "fd.rip",
    "fd.rport",
    "fd.is_server",
    "proc.name",
    "proc.exepath",
    "proc.cmdline",
];

/// A rule for each type, which prints all its parameters; to be written with JSON output on.
pub fn rules(dir: &Path) -> String {
    let mut rules = String::new();
    for name in types() {
        let ty = EventType::by_name(name).unwrap_or_else(|| panic!("no event type {name}"));
        let mut output = FIELDS.iter().map(|field| format!("%{field}")).collect::<Vec<_>>();
        if ty.info().kind != Kind::Generic {
            let params = ty.info().params;
            output.extend(params.iter().map(|param| format!("%evt.arg.{}", param.name)));
            let ids = params.iter().filter(|param| param.ty == DataType::Uid);
            output.extend(ids.map(|param| format!("%evt.rawarg.{}", param.name)));
        }
        write!(
            rules,
            "- rule: {name}\n  desc: d\n  condition: evt.type = {name} and proc.exepath \
             startswith {}/\n  output: '{}'\n  priority: INFO\n",
            dir.display(),
            output.join(" ")
        )
        .unwrap();
    }
    rules
}

/// What a source sees.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Sees {
    /// Everything: the caller stands still.
    Everything,
    /// What the audit's records have: four registers, and the paths of calls that succeeded.
    Records,
}

/// Compares what was told (lines of JSON alerts) with the truth; gives what is wrong.
pub fn wrong(truths: &[Truth], alerts: &str, sees: Sees) -> Vec<String> {
    let mut told: Vec<(String, Map<String, Value>)> = alerts
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter_map(|alert| {
            let ty = alert["rule"].as_str()?.to_owned();
            Some((ty, alert["output_fields"].as_object()?.clone()))
        })
        .collect();
    let mut wrong = Vec::new();
    for truth in truths {
        let of_type = told.iter().enumerate().filter(|(_, (ty, _))| *ty == truth.ty);
        let differences =
            of_type.map(|(at, (_, fields))| (at, differences(truth, fields, sees))).min_by_key(
                // The most alike one is the one that was meant.
                |(_, differences)| differences.len(),
            );
        match differences {
            None => wrong.push(format!("{}: not told: {:?}", truth.ty, truth.fields)),
            Some((at, differences)) if differences.is_empty() => {
                told.remove(at);
            }
            Some((at, differences)) => wrong.push(format!(
                "{}: {}; told: {}",
                truth.ty,
                differences.join(", "),
                Value::Object(told[at].1.clone())
            )),
        }
    }
    wrong
}

/// Whether the audit's records lack a field: what stands in the caller's memory or in the fifth
/// argument, and the last part of paths that weren't found.
fn is_beyond_records(truth: &Truth, field: &str) -> bool {
    const LACKING: &[(&str, &str)] = &[
        ("linkat", "evt.arg.flags"),
        ("renameat2", "evt.arg.flags"),
        ("fchownat", "evt.arg.flags"),
        ("init_module", "evt.arg.uargs"),
        ("finit_module", "evt.arg.uargs"),
        ("mount", "evt.arg.dev"),
        ("mount", "evt.arg.type"),
        ("memfd_create", "evt.arg.name"),
    ];
    const PATHS: &[&str] = &["path", "name", "oldpath", "newpath", "linkpath", "filename"];
    let has_failed = truth.fields.get("evt.res").is_some_and(|result| result != "SUCCESS");
    let is_path = field.strip_prefix("evt.arg.").is_some_and(|name| PATHS.contains(&name));
    truth.beyond_registers.iter().any(|name| name == field)
        || LACKING.contains(&(truth.ty.as_str(), field))
        || has_failed && is_path
}

/// Whether less than the truth is told, and right so: of a descriptor that is closed by now its
/// number; and a process has the name of the thread that forked it.
fn is_loose(truth: &Truth, field: &str, found: Option<&str>) -> bool {
    const CLOSED: &[&str] = &["fchmod", "fchown", "finit_module"];
    let is_number = found.is_none_or(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    match field {
        "evt.arg.fd" => CLOSED.contains(&truth.ty.as_str()) && is_number,
        "fd.name" => CLOSED.contains(&truth.ty.as_str()) && found.is_none(),
        "evt.arg.oldfd" => truth.ty.starts_with("dup") && is_number,
        "evt.arg.pid" => truth.ty == "kill",
        _ => false,
    }
}

fn differences(truth: &Truth, told: &Map<String, Value>, sees: Sees) -> Vec<String> {
    let mut differences = Vec::new();
    for (field, wanted) in &truth.fields {
        let found = match told.get(field) {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) => Some(text.clone()),
            Some(other) => Some(other.to_string()),
        };
        let is_loose = sees == Sees::Records && is_loose(truth, field, found.as_deref());
        let may_be_absent = sees == Sees::Records && is_beyond_records(truth, field);
        let is_right =
            is_loose || found.as_deref() == wanted.as_str() || (found.is_none() && may_be_absent);
        if !is_right {
            differences.push(format!("{field} is {found:?} instead of {wanted}"));
        }
    }
    differences
}
