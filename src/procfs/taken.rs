//! What was read of a process while it stood still: it answers later as the process's directory
//! did then.
//!
//! Of one that stands in execve(2) its arguments, environment, name and program are those of the
//! call: what it is when that has succeeded. All else is what it was before.
//!
//! The bytes travel from the thread that looks to the one that makes events; both are of this
//! program, so the layout is nobody else's business.

use std::ffi::CStr;

use super::Error;
use super::FileFacts;
use super::ProcessDir;
use super::Result;
use crate::decode::reader::Reader;

/// Files that are kept, and how much of each.
const FILES: [(&CStr, usize); 8] = [
    (c"stat", 8 << 10),
    (c"status", 8 << 10),
    (c"cmdline", 4 << 10),
    (c"environ", 4 << 10),
    (c"cgroup", 8 << 10),
    (c"loginuid", 16),
    (c"limits", 8 << 10),
    (COMM, 16),
];

/// The file that is kept only of those that stand in execve(2): the name that they will have.
const COMM: &CStr = c"comm";

/// Links that are kept.
const LINKS: [&CStr; 3] = [c"exe", c"cwd", c"root"];

/// The only link whose file is asked for, too.
const EXE: &CStr = c"exe";

const FIRST_LINK: u8 = 0x40;
const EXE_FACTS: u8 = 0x80;

const TEXT: u8 = 0;
const GONE: u8 = 1;
const REFUSED: u8 = 2;

/// Room for all of it.
pub const MAX_BYTES: usize = 64 << 10;

/// What a call of execve(2) makes of a process.
#[derive(Clone, Copy, Debug)]
pub struct Called<'a> {
    /// Its name, if that is known.
    pub comm: Option<&'a [u8]>,
    /// Its arguments, each with a NUL behind it.
    pub cmdline: &'a [u8],
    /// Its environment, in the same way.
    pub environ: &'a [u8],
    /// The path of its program.
    pub exe: &'a [u8],
    /// What stat(2) says of that.
    pub facts: FileFacts,
}

/// Reads a process into one message; its buffers are made once.
#[derive(Debug)]
pub struct Taking {
    message: Vec<u8>,
    piece: Vec<u8>,
    link: Vec<u8>,
}

impl Default for Taking {
    fn default() -> Self {
        Self {
            message: Vec::with_capacity(MAX_BYTES),
            piece: Vec::with_capacity(8 << 10),
            link: vec![0; 4097],
        }
    }
}

impl Taking {
    /// Reads `process`; `stat` is what its file of that name has just said. `at_ns`: nanoseconds
    /// since boot (`CLOCK_MONOTONIC`).
    pub fn take(&mut self, process: &ProcessDir, pid: i32, at_ns: u64, stat: &[u8]) -> &[u8] {
        self.read(process, (pid, at_ns), stat, None)
    }

    /// The same of a process that stands in execve(2).
    pub fn take_call(
        &mut self,
        process: &ProcessDir,
        pid: i32,
        at_ns: u64,
        stat: &[u8],
        called: &Called<'_>,
    ) -> &[u8] {
        self.read(process, (pid, at_ns), stat, Some(called))
    }

    fn read(
        &mut self,
        process: &ProcessDir,
        (pid, at_ns): (i32, u64),
        stat: &[u8],
        called: Option<&Called<'_>>,
    ) -> &[u8] {
        self.message.clear();
        self.message.extend(pid.to_ne_bytes());
        self.message.extend(at_ns.to_ne_bytes());
        for (key, (name, limit)) in (0..).zip(FILES) {
            let given = match name.to_bytes() {
                b"stat" => Some(Some(stat)),
                b"comm" if called.is_none() => continue,
                b"comm" => called.map(|called| called.comm),
                b"cmdline" => called.map(|called| Some(called.cmdline)),
                b"environ" => called.map(|called| Some(called.environ)),
                _ => None,
            };
            if let Some(given) = given {
                self.push_text(key, given, limit);
                continue;
            }
            let result = process.read_piece(name, limit, &mut self.piece);
            let len = self.piece.len();
            self.push(key, result, len);
            self.message.extend_from_slice(self.piece.get(..len).unwrap_or_default());
        }
        for (key, name) in (FIRST_LINK..).zip(LINKS) {
            if let Some(called) = called.filter(|_| name == EXE) {
                self.push_text(key, Some(called.exe), called.exe.len());
                continue;
            }
            let text = process.link(name, &mut self.link).map(<[u8]>::len);
            let len = *text.as_ref().unwrap_or(&0);
            self.push(key, text.map(drop), len);
            self.message.extend_from_slice(self.link.get(..len).unwrap_or_default());
        }
        let facts = called.map_or_else(|| process.stat_of(EXE).ok(), |called| Some(called.facts));
        if let Some(facts) = facts {
            self.push(EXE_FACTS, Ok(()), FileFacts::LEN);
            facts.words().iter().for_each(|word| self.message.extend(word.to_ne_bytes()));
        }
        &self.message
    }

    /// Puts a text down that isn't read from a file; `None`: it is not known.
    fn push_text(&mut self, key: u8, text: Option<&[u8]>, limit: usize) {
        let result = text.map(drop).ok_or(Error::Denied);
        let text = text.map_or(&b""[..], |text| text.get(..limit).unwrap_or(text));
        self.push(key, result, text.len());
        self.message.extend_from_slice(text);
    }

    /// What was read last.
    #[must_use]
    pub fn message(&self) -> &[u8] {
        &self.message
    }

    fn push(&mut self, key: u8, result: Result<()>, len: usize) {
        let outcome = match result {
            Ok(()) => TEXT,
            Err(Error::Gone) => GONE,
            Err(Error::Denied | Error::Io(_)) => REFUSED,
        };
        self.message.extend([key, outcome]);
        self.message.extend(u32::try_from(len).unwrap_or(0).to_ne_bytes());
    }
}

/// What was read of one process.
#[derive(Debug)]
pub struct Taken {
    /// Its number.
    pub pid: i32,
    /// When, in nanoseconds since boot (`CLOCK_MONOTONIC`).
    pub at_ns: u64,
    message: Box<[u8]>,
}

impl Taken {
    /// Bytes that it takes.
    #[must_use]
    pub const fn size(&self) -> usize {
        size_of::<Self>() + self.message.len()
    }

    /// Reads what [`Taking::take`] has written.
    #[must_use]
    pub fn parse(message: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(message);
        let pid = reader.i32_ne("pid").ok()?;
        let at_ns = reader.u64_ne("time").ok()?;
        Some(Self { pid, at_ns, message: Box::from(message.get(HEAD..)?) })
    }

    /// The text of a file; `None` if it wasn't asked for then.
    pub(super) fn file(&self, name: &CStr) -> Option<Result<&[u8]>> {
        let key = FILES.iter().position(|(file, _)| *file == name)?;
        self.find(u8::try_from(key).ok()?)
    }

    /// The text of a link; `None` if it wasn't asked for then.
    pub(super) fn link(&self, name: &CStr) -> Option<Result<&[u8]>> {
        let key = LINKS.iter().position(|link| *link == name)?;
        self.find(FIRST_LINK + u8::try_from(key).ok()?)
    }

    /// What the file of a link was; `None` if it wasn't asked for then.
    pub(super) fn facts(&self, name: &CStr) -> Option<FileFacts> {
        if name != EXE {
            return None;
        }
        let mut reader = Reader::new(self.find(EXE_FACTS)?.ok()?);
        let mut words = [0; FileFacts::WORDS];
        for word in &mut words {
            *word = reader.u64_ne("facts of a file").ok()?;
        }
        Some(FileFacts::of_words(words))
    }

    fn find(&self, wanted: u8) -> Option<Result<&[u8]>> {
        let mut reader = Reader::new(&self.message);
        loop {
            let key = reader.u8("key").ok()?;
            let outcome = reader.u8("outcome").ok()?;
            let len = usize::try_from(reader.u32_ne("length").ok()?).ok()?;
            let text = reader.take(len, "text").ok()?;
            if key == wanted {
                return Some(match outcome {
                    TEXT => Ok(text),
                    GONE => Err(Error::Gone),
                    _ => Err(Error::Denied),
                });
            }
        }
    }
}

/// Bytes before the first entry.
const HEAD: usize = 12;

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::Proc;
    use super::*;

    #[test]
    fn what_was_taken_answers_when_the_process_is_gone() {
        let root = tempfile::tempdir().unwrap();
        let directory = root.path().join("7");
        fs::create_dir(&directory).unwrap();
        fs::write(directory.join("cmdline"), "sh\0-c\0").unwrap();
        fs::write(directory.join("environ"), "").unwrap();
        fs::write(root.path().join("program"), "x").unwrap();
        std::os::unix::fs::symlink(root.path().join("program"), directory.join("exe")).unwrap();
        let proc = Proc::open(root.path()).unwrap();
        let process = proc.process(7).unwrap();
        let facts = process.stat_of(c"exe").unwrap();
        let mut taking = Taking::default();
        let message = taking.take(&process, 7, 42, b"7 (sh) S 1");
        let taken = Taken::parse(message).unwrap();
        fs::remove_dir_all(&directory).unwrap();
        assert_eq!((taken.pid, taken.at_ns), (7, 42));

        let process = ProcessDir::taken(taken, None);
        let mut text = Vec::new();
        process.read_piece(c"stat", 100, &mut text).unwrap();
        assert_eq!(text, b"7 (sh) S 1");
        process.read_piece(c"cmdline", 4, &mut text).unwrap();
        assert_eq!(text, b"sh\0-");
        process.read_piece(c"environ", 100, &mut text).unwrap();
        assert!(text.is_empty());
        assert!(matches!(process.read_piece(c"status", 100, &mut text), Err(Error::Gone)));
        let exe = process.link(c"exe", &mut [0; 4096]).unwrap().to_vec();
        assert_eq!(exe, root.path().join("program").as_os_str().as_encoded_bytes());
        assert_eq!(process.stat_of(c"exe").unwrap(), facts);
        assert!(matches!(process.fds(), Err(Error::Gone)));
    }

    #[test]
    fn of_a_call_the_program_is_the_one_to_come_and_all_else_what_was() {
        let root = tempfile::tempdir().unwrap();
        let directory = root.path().join("7");
        fs::create_dir(&directory).unwrap();
        fs::write(directory.join("cmdline"), "old\0").unwrap();
        fs::write(directory.join("loginuid"), "5").unwrap();
        let process = Proc::open(root.path()).unwrap().process(7).unwrap();
        let facts = FileFacts { ino: 9, ..FileFacts::default() };
        let called = Called {
            comm: None,
            cmdline: b"new\0-x\0",
            environ: b"A=b\0",
            exe: b"/bin/new",
            facts,
        };
        let mut taking = Taking::default();
        let message = taking.take_call(&process, 7, 42, b"7 (old) S 1", &called).to_vec();
        let process = ProcessDir::taken(Taken::parse(&message).unwrap(), None);
        let mut text = Vec::new();
        for (name, wanted) in [(c"cmdline", &b"new\0-x\0"[..]), (c"loginuid", b"5")] {
            process.read_piece(name, 100, &mut text).unwrap();
            assert_eq!(text, wanted);
        }
        assert!(matches!(process.read_piece(COMM, 16, &mut text), Err(Error::Denied)));
        assert_eq!(process.link(c"exe", &mut [0; 64]).unwrap(), b"/bin/new");
        assert_eq!(process.stat_of(c"exe").unwrap(), facts);
        let called = Called { comm: Some(b"new"), ..called };
        let message = taking.take_call(&process, 7, 42, b"7 (old) S 1", &called).to_vec();
        let process = ProcessDir::taken(Taken::parse(&message).unwrap(), None);
        process.read_piece(COMM, 16, &mut text).unwrap();
        assert_eq!(text, b"new");
    }
}
