//! Looks at tasks that open a program by execve(2), while they stand in that call.
//!
//! The task still has the memory of the program before; what the one to come will have is given by
//! the call's own arguments: a name, arguments, environment. Whether the call succeeds isn't known
//! yet: what is read here belongs to the record of an exec, or to nothing.
//!
//! One call opens several files: a script and its interpreter, a program and its loader. Told is
//! the one that will run. It is the file that the call names, or that a script names which the call
//! has opened before; a file that neither names was opened for something else, and isn't told.
//!
//! Programs that name the system's loader are met later, when they open its cache: the kernel is
//! told to be silent of them until they are written to.
//!
//! The arguments stand in memory that another thread, or whoever shares it after vfork(2), may
//! write to before the kernel copies them.
//!
//! Sources: execve(2), proc_pid_syscall(5), openat2(2); fs/exec.c, fs/binfmt_script.c in the kernel.

use std::hash::BuildHasher as _;
use std::io;
use std::io::Write as _;
use std::os::fd::BorrowedFd;

use nix::sys::stat::FileStat;
use rustc_hash::FxBuildHasher;

use super::finder::abi_of;
use super::finder::await_standing;
use super::finder::process_of;
use super::finder::read_text;
use super::memory::Texts;
use super::named_file::NamedFile;
use super::openers::PATH;
use super::openers::PIECE;
use super::ring::Writer;
use super::scripts::Key;
use super::scripts::Scripts;
use crate::decode::executable::Executable;
use crate::decode::executable::HEAD;
use crate::decode::fanotify::FileEvent;
use crate::decode::procfs::syscall::StandingCall;
use crate::decode::syscall;
use crate::metrics::METRICS;
use crate::procfs::Proc;
use crate::procfs::taken::Called;
use crate::procfs::taken::Taking;
use crate::sys::abi;
use crate::sys::clock;
use crate::sys::fanotify;
use crate::sys::fs::DescriptorLinks;

/// Bytes of arguments, and of environment, that are read.
const LIMIT: usize = 4 << 10;

/// Longest name of a process, without its NUL: `TASK_COMM_LEN` in linux/sched.h.
const COMM: usize = 15;

/// Files that the kernel is told to be silent of where that keeps them in memory (before 5.19).
const MAX_PINNED: usize = 4096;

/// Where programs name glibc's loader: all that do open its cache.
const LOADERS: [&[u8]; 5] = [
    b"/lib64/ld-linux-x86-64.so.2",
    b"/lib/ld-linux-x86-64.so.2",
    b"/lib/ld-linux.so.2",
    b"/lib/ld-linux-aarch64.so.1",
    b"/lib/ld-linux-armhf.so.3",
];

/// What the names of loaders begin with.
const LOADER_NAMES: [&[u8]; 5] = [b"ld-linux", b"ld-musl", b"ld-2.", b"ld.so", b"ld64.so"];

/// How much of a call's arguments is where.
struct Arguments {
    /// The directory that the name is relative to, if that isn't the working directory.
    directory: Option<i32>,
    name: u64,
    argv: u64,
    envp: u64,
    /// Bytes of a pointer.
    width: usize,
}

impl Arguments {
    /// `None` if it is another call.
    fn of(call: &StandingCall) -> Option<Self> {
        let is_narrow = call.is_narrow() && !cfg!(target_arch = "aarch64");
        let width = if is_narrow { 4 } else { 8 };
        let [a, b, c, d, ..] = call.arguments;
        match syscall::name(abi_of(call), call.number)? {
            "execve" => Some(Self { directory: None, name: a, argv: b, envp: c, width }),
            "execveat" => {
                // Only the lower half of the register counts.
                #[allow(clippy::cast_possible_truncation, reason = "it is what the kernel does")]
                let directory = (a as u32).cast_signed();
                let directory = Some(directory).filter(|number| *number != libc::AT_FDCWD);
                Some(Self { directory, name: b, argv: c, envp: d, width })
            }
            _ => None,
        }
    }
}

/// What it has for that, made once.
#[derive(Debug)]
pub(super) struct Callers {
    inbox: Writer,
    links: Option<DescriptorLinks>,
    files: NamedFile,
    scripts: Scripts,
    texts: Texts,
    taking: Taking,
    /// Files are held in memory that the kernel is silent of; how many.
    pins: bool,
    pinned: usize,
    head: Vec<u8>,
    path: Vec<u8>,
    text: Vec<u8>,
    given: Vec<u8>,
    arguments: Vec<u8>,
    environment: Vec<u8>,
    line: Vec<u8>,
    is_seen: bool,
}

impl Callers {
    /// Tells `inbox` what it sees.
    pub(super) fn new(inbox: Writer) -> Self {
        Self {
            inbox,
            links: None,
            files: NamedFile::new(),
            scripts: Scripts::new(),
            texts: Texts::new(),
            taking: Taking::default(),
            pins: false,
            pinned: 0,
            head: vec![0; HEAD],
            path: vec![0; PATH + 1],
            text: Vec::with_capacity(PIECE),
            given: Vec::with_capacity(PATH),
            arguments: Vec::with_capacity(LIMIT),
            environment: Vec::with_capacity(LIMIT),
            line: Vec::with_capacity(2 * PATH),
            is_seen: false,
        }
    }

    /// Finds the calling thread's own descriptors.
    pub(super) fn settle(&mut self) -> io::Result<()> {
        self.links = Some(DescriptorLinks::open_of_thread()?);
        Ok(())
    }

    /// Looks at whoever waits in an event.
    pub(super) fn look(
        &mut self,
        proc: &Proc,
        group: BorrowedFd<'_>,
        event: FileEvent,
        fd: BorrowedFd<'_>,
    ) {
        self.is_seen = false;
        let Ok(stat) = nix::sys::stat::fstat(fd) else { return };
        let Ok(len) = nix::sys::uio::pread(fd, &mut self.head, 0) else { return };
        let Some(path) = self.links.as_ref().and_then(|links| links.read(fd, &mut self.path).ok())
        else {
            return;
        };
        let path_len = path.len();
        let kind = Executable::parse(self.head.get(..len).unwrap_or_default());
        let (is_script, is_quiet) = match kind {
            Executable::Loaded { loader } => (false, LOADERS.contains(&loader)),
            Executable::Alone => (false, is_loader(path, &stat)),
            Executable::Script { .. } => (true, false),
            Executable::Other => return,
        };
        if is_quiet {
            return self.ignore(group, fd);
        }
        let tid = event.pid;
        let Some((key, arguments)) = self.call(proc, tid) else { return };
        let Ok(task) = proc.process(tid) else { return };
        let wanted = self.scripts.interpreters(key).next().map(|(interpreter, _)| interpreter);
        let (name, directory) =
            wanted.map_or((self.given.as_slice(), arguments.directory), |name| (name, None));
        let path = self.path.get(..path_len).unwrap_or_default();
        if !self.files.is(&task, (name, directory), (path, &stat)) {
            return;
        }
        if is_script {
            self.scripts.note(key, self.head.get(..len).unwrap_or_default());
        } else {
            self.note(proc, key, &arguments, path_len, &stat);
        }
    }

    /// Tells what was seen: the task has stood still until now.
    pub(super) fn tell(&mut self) {
        if !std::mem::take(&mut self.is_seen) {
            return;
        }
        if self.inbox.write(self.taking.message()) {
            METRICS.rendezvous.calls.increment();
        } else {
            METRICS.rendezvous.dropped.increment();
        }
    }

    /// The call that a task stands in, and the name that it was given.
    fn call(&mut self, proc: &Proc, tid: i32) -> Option<(Key, Arguments)> {
        let call = await_standing(proc, tid, &mut self.text)?;
        let arguments = Arguments::of(&call)?;
        self.given.clear();
        if !read_text(tid, arguments.name, &mut self.given) {
            return None;
        }
        let name = FxBuildHasher.hash_one(self.given.as_slice());
        Some((Key { tid, call, name }, arguments))
    }

    /// Puts down what the call makes of its process.
    fn note(
        &mut self,
        proc: &Proc,
        key: Key,
        arguments: &Arguments,
        path_len: usize,
        stat: &FileStat,
    ) {
        let Key { tid, .. } = key;
        let Arguments { argv, envp, width, .. } = *arguments;
        self.texts.forget();
        let has_all = self.texts.read(tid, (argv, width), LIMIT, &mut self.arguments)
            && self.texts.read(tid, (envp, width), LIMIT, &mut self.environment);
        let pid = process_of(proc, tid, &mut self.text);
        if !has_all || pid == 0 {
            return;
        }
        self.put_line(key, arguments.directory);
        let Ok(process) = proc.process(pid) else { return };
        if process.read_piece(c"stat", PIECE, &mut self.text).is_err() {
            return;
        }
        let called = Called {
            comm: comm(&self.given),
            cmdline: &self.line,
            environ: &self.environment,
            exe: self.path.get(..path_len).unwrap_or_default(),
            facts: (*stat).into(),
        };
        self.taking.take_call(&process, pid, clock::monotonic_ns(), &self.text, &called);
        self.is_seen = true;
    }

    /// Makes the command line, as the kernel does: each interpreter with its argument, and the name
    /// that was given, in place of the first argument.
    fn put_line(&mut self, key: Key, directory: Option<i32>) {
        let Self { line, scripts, given, arguments, .. } = self;
        line.clear();
        for (interpreter, argument) in scripts.interpreters(key) {
            for text in std::iter::once(interpreter).chain(argument) {
                line.extend_from_slice(text);
                line.push(0);
            }
        }
        let mut rest = arguments.as_slice();
        if !line.is_empty() {
            if let Some(directory) = directory.filter(|_| !given.starts_with(b"/")) {
                let slash = if given.is_empty() { "" } else { "/" };
                // Writing to a vector doesn't fail.
                let _ = write!(line, "/dev/fd/{directory}{slash}");
            }
            line.extend_from_slice(given);
            line.push(0);
            let first = memchr::memchr(0, rest).map_or(rest.len(), |end| end + 1);
            rest = rest.get(first..).unwrap_or_default();
        } else if rest.is_empty() {
            // Without any argument the kernel gives an empty one (5.18).
            rest = b"\0";
        }
        line.extend_from_slice(rest);
        line.truncate(LIMIT);
    }

    /// Has the kernel be silent of a file until it is written to.
    fn ignore(&mut self, group: BorrowedFd<'_>, fd: BorrowedFd<'_>) {
        const FLAGS: u32 = abi::FAN_MARK_ADD | abi::FAN_MARK_IGNORED_MASK;
        if self.pins && self.pinned >= MAX_PINNED {
            return;
        }
        let more = if self.pins { 0 } else { abi::FAN_MARK_EVICTABLE };
        match fanotify::mark_fd(group, FLAGS | more, abi::FAN_OPEN_EXEC_PERM, fd) {
            Ok(()) => self.pinned += usize::from(self.pins),
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) && !self.pins => {
                self.pins = true;
                self.ignore(group, fd);
            }
            Err(_) => {}
        }
    }
}

/// Whether a file is a loader of the system's: only root can have put it there.
fn is_loader(path: &[u8], stat: &FileStat) -> bool {
    let name = last_of(path);
    let is_roots = stat.st_uid == 0 && stat.st_mode & 0o022 == 0;
    is_roots && LOADER_NAMES.iter().any(|loader| name.starts_with(loader))
}

/// What stands behind the last slash.
fn last_of(path: &[u8]) -> &[u8] {
    let start = path.iter().rposition(|&byte| byte == b'/').map_or(0, |at| at + 1);
    path.get(start..).unwrap_or_default()
}

/// The name of the process that comes of a call with this name; of a bare descriptor it is another
/// one with each kernel.
fn comm(given: &[u8]) -> Option<&[u8]> {
    let last = last_of(given);
    let comm = last.get(..COMM).unwrap_or(last);
    (!given.is_empty()).then_some(comm)
}

#[cfg(test)]
mod tests {
    use super::super::ring::ring;
    use super::*;

    fn line(head: &[&[u8]], given: &[u8], arguments: &[u8], directory: Option<i32>) -> Vec<u8> {
        let mut callers = Callers::new(ring(64).0);
        let call = StandingCall { number: 59, arguments: [0; 6], stack: 1 };
        let key = Key { tid: 1, call, name: 0 };
        head.iter().for_each(|head| callers.scripts.note(key, head));
        callers.given = given.to_vec();
        callers.arguments = arguments.to_vec();
        callers.put_line(key, directory);
        callers.line
    }

    #[test]
    fn a_script_has_its_interpreter_in_front_and_its_own_name_in_place_of_the_first_argument() {
        assert_eq!(line(&[], b"/bin/x", b"x\0-a\0", None), b"x\0-a\0");
        assert_eq!(line(&[], b"/bin/x", b"", None), b"\0");
        assert_eq!(line(&[b"#!/bin/sh -e\n"], b"./s", b"s\0-a\0", None), b"/bin/sh\0-e\0./s\0-a\0");
        assert_eq!(line(&[b"#!/bin/sh\n"], b"./s", b"", None), b"/bin/sh\0./s\0");
        let nested: [&[u8]; 2] = [b"#!/t -t\n", b"#!/bin/sh\n"];
        assert_eq!(line(&nested, b"/s", b"s\0", None), b"/bin/sh\0/t\0-t\0/s\0");
    }

    #[test]
    fn a_script_by_descriptor_is_called_by_that() {
        assert_eq!(line(&[b"#!/sh\n"], b"", b"s\0", Some(3)), b"/sh\0/dev/fd/3\0");
        assert_eq!(line(&[b"#!/sh\n"], b"a/b", b"s\0", Some(3)), b"/sh\0/dev/fd/3/a/b\0");
        assert_eq!(line(&[b"#!/sh\n"], b"/a/b", b"s\0", Some(3)), b"/sh\0/a/b\0");
    }

    #[test]
    fn the_name_is_the_last_part_of_the_one_that_was_given_and_not_longer_than_the_kernel_has_it() {
        assert_eq!(comm(b"/usr/bin/a-very-long-name-indeed"), Some(&b"a-very-long-nam"[..]));
        assert_eq!(comm(b"x"), Some(&b"x"[..]));
        assert_eq!(comm(b""), None);
    }

    #[test]
    fn a_loader_is_known_by_its_name_if_it_is_roots() {
        let Ok(mut stat) = nix::sys::stat::stat("/") else { return };
        (stat.st_uid, stat.st_mode) = (0, 0o755);
        assert!(is_loader(b"/usr/lib/ld-linux-x86-64.so.2", &stat));
        assert!(!is_loader(b"/usr/bin/ldconfig", &stat));
        stat.st_mode = 0o777;
        assert!(!is_loader(b"/usr/lib/ld-linux-x86-64.so.2", &stat));
    }
}
