//! Records → whole audit events: interleaved, out of order, with or without an end record.
//!
//! Bounded: at most [`MAX_PENDING`] events wait, at most [`MAX_RECORDS`] records belong to one. An
//! event is whole when its EOE record comes, or [`TIMEOUT_MS`] after its first record; what came
//! by then is handed out. Records of a type that makes no event (login, user space) are ignored.

use std::collections::VecDeque;

use super::value;
use super::{AuditRecord, kind};

/// How long an event waits for its end record, in milliseconds.
pub const TIMEOUT_MS: u64 = 2000;
/// How many events may wait. The oldest is handed out first when there are more.
pub const MAX_PENDING: usize = 1024;
/// How many records one event may have; later ones are dropped and counted in it.
pub const MAX_RECORDS: usize = 256;
/// How many bytes of arguments are kept: as much as Falco keeps.
pub const MAX_ARGUMENT_BYTES: usize = 4096;

/// One system call, as its records tell it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[allow(missing_docs, reason = "names of the items in the records")]
pub struct AuditEvent {
    pub time_ms: u64,
    pub serial: u64,
    /// `AUDIT_ARCH_…`; zero until the SYSCALL record has come.
    pub arch: u32,
    pub syscall: u32,
    /// `None` if the record doesn't tell: it was logged on the way in.
    pub exit: Option<i64>,
    pub arguments: [u64; 4],
    pub pid: i64,
    pub ppid: i64,
    pub auid: u32,
    pub uid: u32,
    pub euid: u32,
    pub gid: u32,
    pub egid: u32,
    pub session: u32,
    /// The controlling terminal's device as `/proc` shows it; zero: none; `None`: it can't be told.
    pub tty: Option<u32>,
    pub comm: Vec<u8>,
    pub exe: Option<Vec<u8>>,
    pub key: Option<Vec<u8>>,
    /// All of EXECVE's arguments, each with a NUL behind it.
    pub execve: Option<Vec<u8>>,
    pub cwd: Option<Vec<u8>>,
    /// In the order of their `item` numbers.
    pub paths: Vec<PathItem>,
    /// `struct sockaddr` as the kernel saw it.
    pub sockaddr: Option<Vec<u8>>,
    pub object_pid: Option<i64>,
    /// Descriptor and flags of mmap(2).
    pub mmap: Option<(i64, u64)>,
    /// Both descriptors of pipe(2) or socketpair(2).
    pub fd_pair: Option<(i32, i32)>,
    /// Flags, mode and resolution of openat2(2).
    pub open_how: Option<[u64; 3]>,
    /// Name of a kernel module that was loaded or removed.
    pub module: Option<Vec<u8>>,
    /// Records that were dropped since there were too many.
    pub dropped: u32,
}

/// One PATH record.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[allow(missing_docs, reason = "names of the items in the records")]
pub struct PathItem {
    pub item: u32,
    /// As given to the call, or as the kernel completed it; `None`: `(null)`.
    pub name: Option<Vec<u8>>,
    pub inode: u64,
    /// Major and minor number of the device; zeros if the record doesn't tell.
    pub device: (u32, u32),
    pub mode: u32,
    /// `NORMAL`, `PARENT`, `CREATE`, `DELETE`, `UNKNOWN`; empty on kernels that don't tell.
    pub nametype: Vec<u8>,
}

/// Joins records.
#[derive(Debug, Default)]
pub struct Assembler {
    pending: VecDeque<Pending>,
    spare: Vec<AuditEvent>,
}

#[derive(Debug)]
struct Pending {
    event: AuditEvent,
    since_ms: u64,
    records: usize,
}

impl Assembler {
    /// Takes one record that came at `now_ms`; hands out every event that is whole by it.
    pub fn record(
        &mut self,
        record: &AuditRecord<'_>,
        now_ms: u64,
        sink: &mut dyn FnMut(&AuditEvent),
    ) {
        let found = self.pending.iter().position(|pending| {
            pending.event.serial == record.serial && pending.event.time_ms == record.time_ms
        });
        if record.kind == kind::EOE {
            if let Some(pending) = found.and_then(|at| self.pending.remove(at)) {
                self.hand_out(pending, sink);
            }
            return;
        }
        if !reads(record.kind) {
            return;
        }
        let at = found.unwrap_or_else(|| self.begin(record, now_ms, sink));
        if let Some(pending) = self.pending.get_mut(at) {
            pending.records += 1;
            if pending.records > MAX_RECORDS {
                pending.event.dropped += 1;
            } else {
                pending.event.add(record);
            }
        }
    }

    /// Hands out the events whose end record did not come in time.
    pub fn tick(&mut self, now_ms: u64, sink: &mut dyn FnMut(&AuditEvent)) {
        while self.pending.front().is_some_and(|first| now_ms >= first.since_ms + TIMEOUT_MS) {
            if let Some(pending) = self.pending.pop_front() {
                self.hand_out(pending, sink);
            }
        }
    }

    /// How many events wait.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.pending.len()
    }

    /// A place for a new event; the oldest makes room.
    fn begin(
        &mut self,
        record: &AuditRecord<'_>,
        now_ms: u64,
        sink: &mut dyn FnMut(&AuditEvent),
    ) -> usize {
        if self.pending.len() >= MAX_PENDING
            && let Some(oldest) = self.pending.pop_front()
        {
            self.hand_out(oldest, sink);
        }
        let mut event = self.spare.pop().unwrap_or_default();
        event.time_ms = record.time_ms;
        event.serial = record.serial;
        self.pending.push_back(Pending { event, since_ms: now_ms, records: 0 });
        self.pending.len() - 1
    }

    /// Gives a whole event to `sink`, if it is one: its SYSCALL record must have come.
    fn hand_out(&mut self, pending: Pending, sink: &mut dyn FnMut(&AuditEvent)) {
        let mut event = pending.event;
        if event.arch != 0 {
            event.paths.sort_by_key(|path| path.item);
            sink(&event);
        }
        if self.spare.len() < 16 {
            event.clear();
            self.spare.push(event);
        }
    }
}

/// Whether records of this type say something about a call.
const fn reads(record: u16) -> bool {
    use kind::{CWD, EXECVE, MMAP, OBJ_PID, PATH, SOCKADDR, SYSCALL};
    use kind::{FD_PAIR, KERN_MODULE, OPENAT2};

    matches!(
        record,
        SYSCALL | PATH | SOCKADDR | CWD | EXECVE | OBJ_PID | MMAP | FD_PAIR | KERN_MODULE | OPENAT2
    )
}

impl AuditEvent {
    /// Forgets everything but the memory.
    fn clear(&mut self) {
        let mut comm = std::mem::take(&mut self.comm);
        comm.clear();
        let mut paths = std::mem::take(&mut self.paths);
        paths.clear();
        *self = Self { comm, paths, ..Self::default() };
    }

    /// Takes what a record says.
    fn add(&mut self, record: &AuditRecord<'_>) {
        match record.kind {
            kind::SYSCALL => self.add_syscall(record),
            kind::EXECVE => self.add_execve(record),
            kind::PATH => self.add_path(record),
            _ => self.add_other(record),
        }
    }

    fn add_syscall(&mut self, record: &AuditRecord<'_>) {
        let number = |text| value::decimal(text).unwrap_or(-1);
        let id = |text| value::id(text).unwrap_or(u32::MAX);
        let hex = |text| value::hex(text).unwrap_or(0);
        for (name, text) in record.items() {
            match name {
                b"arch" => self.arch = u32::try_from(hex(text)).unwrap_or(0),
                b"syscall" => self.syscall = u32::try_from(number(text)).unwrap_or(u32::MAX),
                b"exit" => self.exit = value::decimal(text),
                b"a0" => self.arguments[0] = hex(text),
                b"a1" => self.arguments[1] = hex(text),
                b"a2" => self.arguments[2] = hex(text),
                b"a3" => self.arguments[3] = hex(text),
                b"pid" => self.pid = number(text),
                b"ppid" => self.ppid = number(text),
                b"auid" => self.auid = id(text),
                b"uid" => self.uid = id(text),
                b"euid" => self.euid = id(text),
                b"gid" => self.gid = id(text),
                b"egid" => self.egid = id(text),
                b"ses" => self.session = id(text),
                b"tty" => self.tty = terminal(text),
                b"comm" => {
                    self.comm =
                        value::text(text).map(std::borrow::Cow::into_owned).unwrap_or_default();
                }
                b"exe" => self.exe = owned(text),
                b"key" => self.key = owned(text),
                _ => {}
            }
        }
    }

    /// `argc=3 a0="ls" a1=… a2[0]=… a2[1]=…`, over several records where it is long. They come in
    /// order, so the pieces are put one behind the other.
    fn add_execve(&mut self, record: &AuditRecord<'_>) {
        let arguments = self.execve.get_or_insert_default();
        for (name, text) in record.items() {
            let Some(rest) = name.strip_prefix(b"a") else { continue };
            if !rest.first().is_some_and(u8::is_ascii_digit) || name.ends_with(b"_len") {
                continue;
            }
            // A later piece of the same argument joins the one before: its NUL goes.
            let piece = memchr::memchr(b'[', rest).and_then(|at| rest.get(at + 1..));
            if piece.is_some_and(|number| number != b"0]") {
                arguments.pop();
            }
            let room = MAX_ARGUMENT_BYTES.saturating_sub(arguments.len() + 1);
            let text = value::text(text).unwrap_or_default();
            if room > 0 {
                arguments.extend(text.iter().take(room));
                arguments.push(0);
            }
        }
    }

    fn add_path(&mut self, record: &AuditRecord<'_>) {
        let mut path = PathItem::default();
        for (name, text) in record.items() {
            match name {
                b"item" => path.item = value::id(text).unwrap_or(u32::MAX),
                b"name" => path.name = owned(text),
                b"inode" => path.inode = value::decimal(text).unwrap_or(0).unsigned_abs(),
                b"dev" => path.device = device(text).unwrap_or_default(),
                b"mode" => path.mode = value::octal(text).unwrap_or(0),
                // Called objtype before 3.18.
                b"nametype" | b"objtype" => path.nametype = text.to_vec(),
                _ => {}
            }
        }
        self.paths.push(path);
    }

    fn add_other(&mut self, record: &AuditRecord<'_>) {
        for (name, text) in record.items() {
            match (record.kind, name) {
                (kind::CWD, b"cwd") => self.cwd = owned(text),
                (kind::SOCKADDR, b"saddr") => self.sockaddr = value::bytes(text),
                (kind::OBJ_PID, b"opid") => self.object_pid = value::decimal(text),
                (kind::KERN_MODULE, b"name") => self.module = owned(text),
                (kind::FD_PAIR, b"fd0" | b"fd1") => {
                    let number = value::decimal(text).and_then(|fd| i32::try_from(fd).ok());
                    let pair = self.fd_pair.get_or_insert((-1, -1));
                    let slot = if name == b"fd0" { &mut pair.0 } else { &mut pair.1 };
                    *slot = number.unwrap_or(-1);
                }
                (kind::OPENAT2, b"oflag" | b"mode" | b"resolve") => {
                    let how = self.open_how.get_or_insert_default();
                    let (place, number) = match name {
                        b"oflag" => (0, value::octal(text).map(u64::from)),
                        b"mode" => (1, value::octal(text).map(u64::from)),
                        _ => (2, value::hex(text.strip_prefix(b"0x").unwrap_or(text))),
                    };
                    if let (Some(slot), Some(number)) = (how.get_mut(place), number) {
                        *slot = number;
                    }
                }
                (kind::MMAP, b"fd") => {
                    let flags = self.mmap.map_or(0, |(_, flags)| flags);
                    self.mmap = Some((value::decimal(text).unwrap_or(-1), flags));
                }
                (kind::MMAP, b"flags") => {
                    let fd = self.mmap.map_or(-1, |(fd, _)| fd);
                    let flags = text.strip_prefix(b"0x").unwrap_or(text);
                    self.mmap = Some((fd, value::hex(flags).unwrap_or(0)));
                }
                _ => {}
            }
        }
    }
}

/// `08:01` → 8, 1.
fn device(text: &[u8]) -> Option<(u32, u32)> {
    let (major, minor) = std::str::from_utf8(text).ok()?.split_once(':')?;
    Some((u32::from_str_radix(major, 16).ok()?, u32::from_str_radix(minor, 16).ok()?))
}

/// `pts0`, `tty1`, `(none)` → device number, by the kernel's list of devices.
fn terminal(text: &[u8]) -> Option<u32> {
    const VIRTUAL_MAJOR: u32 = 4;
    const SLAVE_MAJOR: u32 = 136;
    if text == b"(none)" {
        return Some(0);
    }
    let (major, number) = match text.strip_prefix(b"pts") {
        Some(number) => (SLAVE_MAJOR, number),
        None => (VIRTUAL_MAJOR, text.strip_prefix(b"tty")?),
    };
    let minor = value::id(number).filter(|minor| *minor < 1 << 8)?;
    // Those up to 63 are consoles, and then serial lines of another name.
    (major == SLAVE_MAJOR || minor < 64).then_some(major << 8 | minor)
}

/// A user's text, owned.
fn owned(text: &[u8]) -> Option<Vec<u8>> {
    value::text(text).map(std::borrow::Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SYSCALL: &str = "arch=c000003e syscall=59 success=yes exit=0 a0=1 a1=2 a2=3 a3=4 items=2 \
                           ppid=10 pid=11 auid=4294967295 uid=0 gid=0 euid=0 egid=0 tty=pts0 ses=1 \
                           comm=\"ls\" exe=\"/usr/bin/ls\" key=\"eyas\"";

    /// Feeds records `(kind, serial, body)` and collects the events.
    fn assemble(records: &[(u16, u64, &str)], end_ms: u64) -> Vec<AuditEvent> {
        let mut assembler = Assembler::default();
        let mut events = Vec::new();
        for (kind, serial, body) in records {
            let text = format!("audit(100.000:{serial}): {body}");
            let record = AuditRecord::parse(*kind, text.as_bytes()).unwrap();
            assembler.record(&record, 0, &mut |event| events.push(event.clone()));
        }
        assembler.tick(end_ms, &mut |event| events.push(event.clone()));
        events
    }

    #[test]
    fn interleaved_events_are_told_apart_by_their_serials() {
        let events = assemble(
            &[
                (kind::SYSCALL, 1, SYSCALL),
                (kind::SYSCALL, 2, SYSCALL),
                (kind::CWD, 2, "cwd=\"/two\""),
                (kind::CWD, 1, "cwd=\"/one\""),
                (kind::EOE, 2, ""),
                (kind::EOE, 1, ""),
            ],
            0,
        );
        let cwds: Vec<_> = events.iter().map(|event| event.cwd.clone().unwrap()).collect();
        assert_eq!(cwds, [b"/two".to_vec(), b"/one".to_vec()]);
    }

    #[test]
    fn an_event_without_its_end_record_is_handed_out_after_two_seconds() {
        let records = [(kind::SYSCALL, 1, SYSCALL)];
        assert!(assemble(&records, TIMEOUT_MS - 1).is_empty());
        assert_eq!(assemble(&records, TIMEOUT_MS).len(), 1);
    }

    #[test]
    fn arguments_over_several_records_are_one_list() {
        let events = assemble(
            &[
                (kind::SYSCALL, 1, SYSCALL),
                (kind::EXECVE, 1, "argc=3 a0=\"ls\" a1=2D6120"),
                (kind::EXECVE, 1, "a2_len=8 a2[0]=\"/tm\""),
                (kind::EXECVE, 1, "a2[1]=\"p/x\""),
                (kind::EOE, 1, ""),
            ],
            0,
        );
        assert_eq!(events[0].execve.as_deref().unwrap(), b"ls\0-a \0/tmp/x\0");
        assert_eq!(events[0].key.as_deref().unwrap(), b"eyas");
    }

    #[test]
    fn paths_are_in_the_order_of_their_items_and_null_has_no_name() {
        let events = assemble(
            &[
                (kind::SYSCALL, 1, SYSCALL),
                (kind::PATH, 1, "item=1 name=(null) inode=7 mode=0100755 nametype=NORMAL"),
                (kind::PATH, 1, "item=0 name=\"/usr/bin/ls\" inode=5 mode=0100755 objtype=NORMAL"),
                (kind::EOE, 1, ""),
            ],
            0,
        );
        let paths = &events[0].paths;
        assert_eq!(paths[0].name.as_deref(), Some(&b"/usr/bin/ls"[..]));
        assert_eq!((paths[1].name.as_deref(), paths[1].inode), (None, 7));
    }

    #[test]
    fn records_of_single_calls_are_kept() {
        let events = assemble(
            &[
                (kind::SYSCALL, 1, SYSCALL),
                (kind::FD_PAIR, 1, "fd0=3 fd1=4"),
                (kind::OPENAT2, 1, "oflag=02000 mode=0600 resolve=0x4"),
                (kind::KERN_MODULE, 1, "name=\"loop\""),
                (kind::PATH, 1, "item=0 name=\"x\" inode=5 dev=fd:0a mode=0100755"),
                (kind::EOE, 1, ""),
            ],
            0,
        );
        let event = &events[0];
        assert_eq!(event.fd_pair, Some((3, 4)));
        assert_eq!(event.open_how, Some([0o2000, 0o600, 4]));
        assert_eq!(event.module.as_deref(), Some(&b"loop"[..]));
        assert_eq!(event.paths[0].device, (0xfd, 0x0a));
    }

    #[test]
    fn terminals_are_told_by_their_devices() {
        let cases: [(&str, Option<u32>); 6] = [
            ("pts0", Some(34_816)),
            ("pts12", Some(34_828)),
            ("tty1", Some(1025)),
            ("(none)", Some(0)),
            ("ttyS0", None),
            ("pts256", None),
        ];
        for (text, device) in cases {
            assert_eq!(terminal(text.as_bytes()), device, "{text}");
        }
        assert_eq!(
            assemble(&[(kind::SYSCALL, 1, SYSCALL), (kind::EOE, 1, "")], 0)[0].tty,
            cases[0].1
        );
    }

    #[test]
    fn records_without_a_call_make_no_event() {
        assert!(assemble(&[(kind::CWD, 1, "cwd=\"/\""), (kind::EOE, 1, "")], 0).is_empty());
        assert!(assemble(&[(1130, 1, "pid=1"), (kind::EOE, 1, "")], 0).is_empty());
    }

    #[test]
    fn neither_events_nor_records_nor_arguments_grow_without_bound() {
        let many: Vec<_> = (0..3000).map(|serial| (kind::SYSCALL, serial, SYSCALL)).collect();
        assert_eq!(assemble(&many, 0).len(), 3000 - MAX_PENDING);
        let mut long = vec![(kind::SYSCALL, 1, SYSCALL)];
        long.extend((0..1000).map(|_| (kind::EXECVE, 1, "a0=\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"")));
        long.push((kind::EOE, 1, ""));
        let event = assemble(&long, 0).remove(0);
        assert!(event.execve.unwrap().len() <= MAX_ARGUMENT_BYTES);
        assert_eq!(event.dropped, 1001 - u32::try_from(MAX_RECORDS).unwrap());
    }
}
