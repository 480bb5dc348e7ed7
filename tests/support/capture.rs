//! Writes capture files: lists, events in current and old layouts, and a long one of everyday life.

/// A parameter of an event.
#[derive(Clone, Copy, Debug)]
pub(crate) enum P<'a> {
    I64(i64),
    U64(u64),
    U32(u32),
    U16(u16),
    U8(u8),
    /// Text; gets its NUL.
    Text(&'a str),
    Raw(&'a [u8]),
    Empty,
}

impl P<'_> {
    fn bytes(self) -> Vec<u8> {
        match self {
            Self::I64(value) => value.to_le_bytes().to_vec(),
            Self::U64(value) => value.to_le_bytes().to_vec(),
            Self::U32(value) => value.to_le_bytes().to_vec(),
            Self::U16(value) => value.to_le_bytes().to_vec(),
            Self::U8(value) => vec![value],
            Self::Text(text) => [text.as_bytes(), b"\0"].concat(),
            Self::Raw(bytes) => bytes.to_vec(),
            Self::Empty => Vec::new(),
        }
    }
}

/// A thread of the process list.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Thread<'a> {
    pub(crate) tid: i64,
    pub(crate) pid: i64,
    pub(crate) ptid: i64,
    pub(crate) comm: &'a str,
    pub(crate) exepath: &'a str,
    pub(crate) args: &'a [&'a str],
    pub(crate) cwd: &'a str,
    pub(crate) uid: u32,
}

/// A capture that is being written; `bytes` is the file.
#[derive(Clone, Debug, Default)]
pub(crate) struct Capture {
    pub(crate) bytes: Vec<u8>,
    /// Where each block begins.
    pub(crate) blocks: Vec<usize>,
}

/// Event codes of current layouts.
pub(crate) mod code {
    pub(crate) const OPEN: u16 = 3;
    pub(crate) const CLOSE: u16 = 5;
    pub(crate) const READ: u16 = 7;
    pub(crate) const WRITE: u16 = 9;
    pub(crate) const SOCKET: u16 = 19;
    pub(crate) const CONNECT: u16 = 23;
    pub(crate) const FSTAT: u16 = 71;
    pub(crate) const MMAP: u16 = 161;
    pub(crate) const PROCEXIT: u16 = 186;
    pub(crate) const CLONE: u16 = 223;
    pub(crate) const EXECVE: u16 = 293;
    pub(crate) const OPENAT: u16 = 307;
    pub(crate) const DUP2: u16 = 363;
    pub(crate) const CHDIR: u16 = 95;
    pub(crate) const FUTEX: u16 = 65;
}

impl Capture {
    /// A capture with its section header.
    pub(crate) fn new() -> Self {
        let mut capture = Self::default();
        let mut body = 0x1A2B_3C4D_u32.to_le_bytes().to_vec();
        body.extend([1, 0, 2, 0]);
        body.extend([0xff; 8]);
        capture.block(0x0A0D_0D0A, &body);
        capture
    }

    /// Any block.
    pub(crate) fn block(&mut self, number: u32, body: &[u8]) {
        self.blocks.push(self.bytes.len());
        let padding = body.len().next_multiple_of(4) - body.len();
        let total = u32::try_from(body.len() + padding + 12).unwrap();
        self.bytes.extend(number.to_le_bytes());
        self.bytes.extend(total.to_le_bytes());
        self.bytes.extend(body);
        self.bytes.extend(&[0; 3][..padding]);
        self.bytes.extend(total.to_le_bytes());
    }

    /// The process list, version 9 with the shortest tail.
    pub(crate) fn processes(&mut self, threads: &[Thread<'_>]) {
        let mut body = Vec::new();
        for thread in threads {
            let mut entry = Vec::new();
            for id in [thread.tid, thread.pid, thread.ptid, thread.pid, thread.pid] {
                entry.extend(id.to_le_bytes());
            }
            let args: String = thread.args.iter().map(|arg| format!("{arg}\0")).collect();
            for text in [thread.comm, thread.comm, thread.exepath, &args, thread.cwd] {
                put_text(&mut entry, text);
            }
            entry.extend(1024_u64.to_le_bytes());
            for number in [0, thread.uid, thread.uid, 5000, 900, 0] {
                entry.extend(number.to_le_bytes());
            }
            entry.extend([0; 16]);
            put_text(&mut entry, "HOME=/root\0PATH=/bin\0");
            entry.extend(thread.tid.to_le_bytes());
            entry.extend(thread.pid.to_le_bytes());
            put_text(&mut entry, "cpu=/\0memory=/\0");
            put_text(&mut entry, "/");
            body.extend(u32::try_from(entry.len() + 4).unwrap().to_le_bytes());
            body.extend(entry);
        }
        self.block(0x215, &body);
    }

    /// A regular file that a thread has open.
    pub(crate) fn listed_file(&mut self, tid: i64, num: i64, path: &str) {
        let mut entry = num.to_le_bytes().to_vec();
        entry.extend(7_u64.to_le_bytes());
        entry.push(16);
        entry.extend(1_u32.to_le_bytes());
        put_text(&mut entry, path);
        entry.extend(0x801_u32.to_le_bytes());
        let mut body = tid.to_le_bytes().to_vec();
        body.extend(u32::try_from(entry.len() + 4).unwrap().to_le_bytes());
        body.extend(entry);
        self.block(0x218, &body);
    }

    /// A user of the host.
    pub(crate) fn user(&mut self, uid: u32, name: &str) {
        let mut entry = vec![0];
        entry.extend(uid.to_le_bytes());
        entry.extend(uid.to_le_bytes());
        for text in [name, "/home", "/bin/sh"] {
            put_text(&mut entry, text);
        }
        let mut body = u32::try_from(entry.len() + 4).unwrap().to_le_bytes().to_vec();
        body.extend(entry);
        self.block(0x220, &body);
    }

    /// An event with its number of parameters, as today's writers write it.
    pub(crate) fn event(&mut self, code: u16, ts: u64, tid: i64, params: &[P<'_>]) {
        self.event_block(0x216, code, ts, tid, params);
    }

    /// An event without its number of parameters, as old writers wrote it.
    pub(crate) fn old_event(&mut self, code: u16, ts: u64, tid: i64, params: &[P<'_>]) {
        self.event_block(0x204, code, ts, tid, params);
    }

    fn event_block(&mut self, number: u32, code: u16, ts: u64, tid: i64, params: &[P<'_>]) {
        let params: Vec<_> = params.iter().map(|param| param.bytes()).collect();
        let header = if number == 0x216 { 26 } else { 22 };
        let len = header + params.iter().map(|param| param.len() + 2).sum::<usize>();
        let mut body = 1_u16.to_le_bytes().to_vec();
        body.extend(ts.to_le_bytes());
        body.extend(tid.to_le_bytes());
        body.extend(u32::try_from(len).unwrap().to_le_bytes());
        body.extend(code.to_le_bytes());
        if number == 0x216 {
            body.extend(u32::try_from(params.len()).unwrap().to_le_bytes());
        }
        for param in &params {
            body.extend(u16::try_from(param.len()).unwrap().to_le_bytes());
        }
        for param in &params {
            body.extend(param);
        }
        self.block(number, &body);
    }

    /// clone has returned: `result` in the parent is the child, in the child zero.
    pub(crate) fn clone_event(&mut self, ts: u64, tid: i64, result: i64, ptid: i64, comm: &str) {
        let cgroups = b"cpu=/\0memory=/\0";
        self.event(
            code::CLONE,
            ts,
            tid,
            &[
                P::I64(result),
                P::Text(comm),
                P::Raw(b"-c\0work\0"),
                P::I64(tid),
                P::I64(tid),
                P::I64(ptid),
                P::Text(""),
                P::I64(1024),
                P::U64(0),
                P::U64(120),
                P::U32(5000),
                P::U32(900),
                P::U32(0),
                P::Text(comm),
                P::Raw(cgroups),
                P::U32(0),
                P::U32(0),
                P::U32(0),
                P::I64(tid),
                P::I64(tid),
                P::U64(0),
            ],
        );
    }

    /// execve has succeeded.
    pub(crate) fn exec_event(
        &mut self,
        ts: u64,
        tid: i64,
        ptid: i64,
        exepath: &str,
        args: &[&str],
    ) {
        let comm = exepath.rsplit('/').next().unwrap();
        let args: String = args.iter().map(|arg| format!("{arg}\0")).collect();
        let env = b"HOME=/root\0PATH=/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin\0LANG=C\0";
        self.event(
            code::EXECVE,
            ts,
            tid,
            &[
                P::I64(0),
                P::Text(comm),
                P::Raw(args.as_bytes()),
                P::I64(tid),
                P::I64(tid),
                P::I64(ptid),
                P::Text(""),
                P::U64(1024),
                P::U64(0),
                P::U64(30),
                P::U32(4000),
                P::U32(700),
                P::U32(0),
                P::Text(comm),
                P::Raw(b"cpu=/\0memory=/\0"),
                P::Raw(env),
                P::U32(34816),
                P::I64(tid),
                P::U32(1000),
                P::U32(1),
                P::U64(0),
                P::U64(0),
                P::U64(0),
                P::U64(100),
                P::U64(1_600_000_000_000_000_000),
                P::U64(1_600_000_000_000_000_000),
                P::U32(0),
                P::Text(exepath),
                P::I64(tid),
                P::U32(0),
                P::Text(exepath),
            ],
        );
    }

    /// openat of an absolute path has returned.
    pub(crate) fn openat_event(&mut self, ts: u64, tid: i64, fd: i64, path: &str, flags: u32) {
        let dev_ino = if fd < 0 { (0, 0) } else { (0x801, 4711) };
        let params = [
            P::I64(fd),
            P::I64(-100),
            P::Text(path),
            P::U32(flags),
            P::U32(0),
            P::U32(dev_ino.0),
            P::U64(dev_ino.1),
        ];
        self.event(code::OPENAT, ts, tid, &params);
    }

    /// procexit.
    pub(crate) fn exit_event(&mut self, ts: u64, tid: i64) {
        let params = [P::I64(0), P::I64(0), P::U8(0), P::U8(0), P::I64(1)];
        self.event(code::PROCEXIT, ts, tid, &params);
    }

    /// A machine with an init and a shell, and `sessions` lives of short programs below the shell,
    /// about 60 events each: start, libraries, files read and written, a connection, end.
    pub(crate) fn everyday(sessions: u32) -> Self {
        const SHELL: i64 = 700;
        let mut capture = Self::new();
        let thread = |tid, ptid, comm, exepath| Thread {
            tid,
            pid: tid,
            ptid,
            comm,
            exepath,
            args: &[],
            cwd: "/root",
            uid: 0,
        };
        capture.user(0, "root");
        capture.processes(&[
            thread(1, 0, "init", "/sbin/init"),
            thread(SHELL, 1, "bash", "/bin/bash"),
        ]);
        for num in 0..3 {
            capture.listed_file(SHELL, num, "/dev/pts/0");
        }
        let mut ts = 1_700_000_000_000_000_000;
        for session in 0..sessions {
            capture.session(&mut ts, SHELL, 1000 + i64::from(session % 30_000), session);
        }
        capture
    }

    fn session(&mut self, ts: &mut u64, shell: i64, pid: i64, number: u32) {
        let mut next = || {
            *ts += 1_500;
            *ts
        };
        self.clone_event(next(), shell, pid, 1, "bash");
        self.clone_event(next(), pid, 0, shell, "bash");
        self.exec_event(next(), pid, shell, "/usr/bin/cat", &["-n", "/srv/data"]);
        let fd = |num| P::I64(num);
        for library in ["/etc/ld.so.cache", "/lib/x86_64-linux-gnu/libc.so.6", "/etc/locale.alias"]
        {
            self.openat_event(next(), pid, 3, library, 4097);
            self.event(
                code::READ,
                next(),
                pid,
                &[P::I64(832), P::Raw(&[7; 80]), fd(3), P::U32(832)],
            );
            self.event(code::FSTAT, next(), pid, &[P::I64(0), fd(3)]);
            let map = [
                P::I64(0x7f00_0000),
                P::U32(4100),
                P::U32(710),
                P::U32(0),
                P::U64(0),
                P::U64(2_000_000),
                P::U32(1),
                P::U32(2),
                fd(3),
                P::U64(0),
            ];
            self.event(code::MMAP, next(), pid, &map);
            self.event(code::CLOSE, next(), pid, &[P::I64(0), fd(3)]);
        }
        self.openat_event(next(), pid, -2, "/usr/lib/locale/C.utf8/LC_CTYPE", 4097);
        let path = format!("/srv/data/{}/part-{}", number % 97, number % 1013);
        self.openat_event(next(), pid, 3, &path, 1);
        for _ in 0..12 {
            let read = [P::I64(4096), P::Raw(&[b'x'; 80]), fd(3), P::U32(4096)];
            self.event(code::READ, next(), pid, &read);
            let write = [P::I64(4096), P::Raw(&[b'x'; 80]), fd(1), P::U32(4096)];
            self.event(code::WRITE, next(), pid, &write);
            let futex = [P::I64(0), P::U64(0x7f00), P::U16(129), P::U64(1)];
            self.event(code::FUTEX, next(), pid, &futex);
        }
        self.event(code::CLOSE, next(), pid, &[P::I64(0), fd(3)]);
        let socket = [fd(3), P::U32(2), P::U32(1), P::U32(6), P::U32(0)];
        self.event(code::SOCKET, next(), pid, &socket);
        let tuple = [2, 10, 0, 0, 5, 0x50, 0xc3, 10, 0, 0, 9, 0x0b, 0x14];
        let address = [2, 10, 0, 0, 9, 0x0b, 0x14];
        let connect = [P::I64(0), P::Raw(&tuple), fd(3), P::Raw(&address)];
        self.event(code::CONNECT, next(), pid, &connect);
        self.event(code::WRITE, next(), pid, &[P::I64(5), P::Raw(b"hello"), fd(3), P::U32(5)]);
        self.event(code::CLOSE, next(), pid, &[P::I64(0), fd(3)]);
        self.exit_event(next(), pid);
    }
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    out.extend(u16::try_from(text.len()).unwrap().to_le_bytes());
    out.extend(text.as_bytes());
}
