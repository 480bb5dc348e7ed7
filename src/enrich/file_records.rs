//! Records of fanotify: an open becomes one `openat` event; a close tells the mode of an open that
//! waits for it and is no event itself.
//!
//! An open seen here has succeeded. The thread is told by its process only, so `thread.tid` is the
//! process's number. Opens that execve(2) does by itself are no events: the kernel marks them
//! (`FAN_OPEN_EXEC`, 5.0); without that they are known by leading to the process's executable, its
//! loader or its script while no descriptor of it is open.

use rustc_hash::FxHashMap;

use super::descriptor::falco_device;
use super::draft::Draft;
use super::fds::Wanted;
use super::live::EventSink;
use super::live::LiveEnricher;
use super::look::below_root;
use super::open_mode::Key;
use super::open_mode::OpenMode;
use super::open_mode::PendingOpen;
use super::open_mode::Verdict;
use crate::decode::FileRecord;
use crate::event::Bytes;
use crate::event::EventFd;
use crate::event::Fd;
use crate::event::FdKind;
use crate::event::FdNumber;
use crate::event::InContainer;
use crate::event::Param;
use crate::event::Thread;
use crate::event::known;
use crate::procfs::ProcessDir;
use crate::sys::abi::FAN_CLOSE_NOWRITE;
use crate::sys::abi::FAN_CLOSE_WRITE;
use crate::sys::abi::FAN_OPEN;
use crate::sys::abi::FAN_OPEN_EXEC;

/// Paths whose shared text is kept, by device and inode; when there are more, all are forgotten.
const MAX_PATHS: usize = 4096;

/// Texts of paths that were told, so that a file opened again needs no new one.
#[derive(Debug, Default)]
pub(super) struct Paths {
    known: FxHashMap<(u64, u64), Bytes>,
}

impl Paths {
    pub(super) fn share(&mut self, file: (u64, u64), path: &[u8]) -> Bytes {
        if let Some(known) = self.known.get(&file).filter(|known| known.as_ref() == path) {
            return Bytes::clone(known);
        }
        if self.known.len() >= MAX_PATHS {
            self.known.clear();
        }
        let path = Bytes::from(path);
        self.known.insert(file, Bytes::clone(&path));
        path
    }
}

/// One open, with all that was found out of it.
struct Told<'a> {
    key: Key,
    ts: u64,
    path: &'a [u8],
    /// As `st_mode`.
    file_mode: u32,
    mode: OpenMode,
    number: Option<i32>,
}

impl LiveEnricher {
    /// Takes one record.
    pub(super) fn file_record(&mut self, record: &FileRecord<'_>, sink: &mut EventSink<'_>) {
        if record.pid == self.settings.own_pid || !self.needs.wants_record(known::OPENAT) {
            return;
        }
        if record.mask & FAN_OPEN != 0 {
            if self.looked.covers(record) {
                return;
            }
            self.open(record, sink);
        } else if record.mask & (FAN_CLOSE_WRITE | FAN_CLOSE_NOWRITE) != 0 {
            let key = (record.pid, record.dev, record.ino);
            if let Some((open, mode)) = self.opens.closed(key, record.mask) {
                self.tell_held_open(&open, mode, sink);
            }
        }
    }

    fn open(&mut self, record: &FileRecord<'_>, sink: &mut EventSink<'_>) {
        let is_exec = record.mask & FAN_OPEN_EXEC != 0;
        if is_exec && record.mask & FAN_CLOSE_NOWRITE == 0 {
            // The executable or its loader: mapped, so not closed. A script is closed at once and
            // opened again by its interpreter, which the same record may tell.
            return;
        }
        self.know(record.pid);
        // Records that were read at once are looked at once.
        let now = (record.pid, record.read_at_ns);
        let process = match self.opener.take().filter(|(then, _)| *then == now) {
            Some((_, process)) => process,
            None => {
                let process = self.proc.process(record.pid).ok();
                if let Some(process) = &process {
                    self.refresh_directories(record.pid, process);
                }
                process
            }
        };
        self.opened(record, is_exec, process.as_ref(), sink);
        self.opener = Some((now, process));
    }

    /// An open by a process that is known as far as it can be.
    fn opened(
        &mut self,
        record: &FileRecord<'_>,
        is_exec: bool,
        process: Option<&ProcessDir>,
        sink: &mut EventSink<'_>,
    ) {
        let pid = i64::from(record.pid);
        let root = self.world.thread(pid).map(|thread| Bytes::clone(&thread.root));
        let path = below_root(record.path, root.as_deref().unwrap_or_default());
        let key = (record.pid, record.dev, record.ino);
        let mut told = Told {
            key,
            ts: record.read_at_ns,
            path,
            file_mode: record.mode,
            mode: OpenMode::Unknown,
            number: None,
        };
        let needs_mode = self.needs.needs_mode(path);
        if !needs_mode && !is_exec && self.settings.has_open_exec {
            self.tell_open(&told, None, sink);
            return;
        }
        let found = process.map(|process| self.finder.find(process, &wanted(record)));
        let found = found.filter(|found| found.count > 0);
        told.number = found.and_then(|found| found.number);
        if found.is_none() && self.is_execs_own(record, is_exec, path, process) {
            return;
        }
        let mode = found.map(|found| found.flags.map_or(OpenMode::Unknown, OpenMode::Flags));
        match self.opens.opened(key, record.mask, mode) {
            Verdict::Wait if needs_mode => self.hold(&told, sink),
            Verdict::Wait => self.tell_open(&told, None, sink),
            Verdict::Tell(mode) => {
                told.mode = mode;
                self.tell_open(&told, None, sink);
            }
        }
    }

    /// Working directory and root may have been changed since the exec: no record tells that. A
    /// container that wasn't found may be by now.
    fn refresh_directories(&mut self, pid: i32, process: &ProcessDir) {
        let Some(thread) = self.world.threads.get_mut(&i64::from(pid)) else { return };
        self.looker.look_at_directories(process, thread);
        if matches!(&thread.container, InContainer::Id(id) if !self.world.containers.contains_key(id))
        {
            self.complete(i64::from(pid), None);
        }
    }

    /// Whether an open of which there is no descriptor was execve's own.
    fn is_execs_own(
        &self,
        record: &FileRecord<'_>,
        is_marked: bool,
        path: &[u8],
        process: Option<&ProcessDir>,
    ) -> bool {
        if self.settings.has_open_exec {
            return is_marked;
        }
        let file = (record.dev, record.ino);
        if process.and_then(|process| super::exe::file_of(process, c"exe")) == Some(file) {
            return true;
        }
        let is_closed = record.mask & (FAN_CLOSE_WRITE | FAN_CLOSE_NOWRITE) != 0;
        if !is_closed && is_loader(path) {
            return true;
        }
        let thread = self.world.thread(i64::from(record.pid));
        record.mask & FAN_CLOSE_WRITE == 0
            && process.is_some()
            && thread.is_some_and(|thread| is_script_of(thread, path, record.mode))
    }

    /// Keeps an open until its close tells its mode.
    fn hold(&mut self, told: &Told<'_>, sink: &mut EventSink<'_>) {
        let (pid, ..) = told.key;
        let thread = self.world.thread(i64::from(pid)).cloned().map(Box::new);
        let (evicted, ambiguous) = self.opens.wait(PendingOpen {
            key: told.key,
            path: told.path.to_vec(),
            ts: told.ts,
            thread,
            mode: told.file_mode,
        });
        for open in [evicted, ambiguous].into_iter().flatten() {
            self.tell_held_open(&open, OpenMode::Unknown, sink);
        }
    }

    /// The executable of a process turned out to be this file.
    pub(super) fn forget_exec_opens(&mut self, pid: i32, (dev, ino): (u64, u64)) {
        if !self.settings.has_open_exec {
            self.opens.forget((pid, dev, ino));
        }
    }

    /// Tells an open that was held.
    pub(super) fn tell_held_open(
        &mut self,
        open: &PendingOpen,
        mode: OpenMode,
        sink: &mut EventSink<'_>,
    ) {
        let told = Told {
            key: open.key,
            ts: open.ts,
            path: &open.path,
            file_mode: open.mode,
            mode,
            number: None,
        };
        self.tell_open(&told, open.thread.as_deref(), sink);
    }

    /// Tells an open; `then`: the process as it was then, else as it is now.
    fn tell_open(&mut self, told: &Told<'_>, then: Option<&Thread>, sink: &mut EventSink<'_>) {
        let (pid, dev, ino) = told.key;
        let dev = falco_device(dev);
        let name = (!told.path.is_empty()).then(|| self.paths.share((told.key.1, ino), told.path));
        let is_directory = told.file_mode & libc::S_IFMT == libc::S_IFDIR;
        let info = name.map(|name| Fd {
            kind: if is_directory { FdKind::Directory } else { FdKind::File },
            name_raw: Bytes::clone(&name),
            name,
            flags: told.mode.falco_flags(),
            dev,
            ino,
            socket: None,
            is_upper_layer: false,
            is_lower_layer: false,
        });
        let path = info.as_ref().map_or(Param::Unknown, |fd| Param::Bytes(&fd.name));
        let (fd, num) = match told.number {
            Some(number) => (Param::Int(number.into()), FdNumber::Known(number.into())),
            None => (Param::NotNegative, FdNumber::NotNegative),
        };
        let params = [
            fd,
            // The path is absolute; which directory it was given from isn't told.
            Param::Unknown,
            path,
            told.mode.param(),
            Param::Unknown,
            Param::UInt(dev.into()),
            Param::UInt(ino),
        ];
        let tid = i64::from(pid);
        let draft = Draft {
            ts: told.ts,
            ty: known::OPENAT,
            cpu: None,
            tid,
            thread: then.or_else(|| self.world.thread(tid)),
            params: &params,
            fd: EventFd {
                num,
                info: info.as_ref(),
                name_changed: false,
                is_unread: false,
                others: &[],
            },
        };
        self.out.tell(&self.world, &draft, sink);
    }
}

const fn wanted<'a>(record: &FileRecord<'a>) -> Wanted<'a> {
    Wanted { path: record.path, is_deleted: record.deleted, dev: record.dev, ino: record.ino }
}

/// `ld-linux-x86-64.so.2`, `ld-2.17.so`, `ld-musl-x86_64.so.1`: what an ELF file names as its
/// interpreter.
fn is_loader(path: &[u8]) -> bool {
    let name = path.rsplit(|&byte| byte == b'/').next().unwrap_or_default();
    name.starts_with(b"ld-") && memchr::memmem::find(name, b".so").is_some()
}

/// Whether a process interprets the file: the kernel puts a script's path behind its interpreter
/// and the one argument that the first line may have.
fn is_script_of(thread: &Thread, path: &[u8], mode: u32) -> bool {
    let is_executable = mode & 0o111 != 0;
    let below_cwd = path.strip_prefix(thread.cwd.as_ref()).unwrap_or_default();
    let below_cwd = below_cwd.strip_prefix(b"/").unwrap_or(below_cwd);
    let names = |argument: &[u8]| {
        let relative = argument.strip_prefix(b"./").unwrap_or(argument);
        argument == path || (!relative.is_empty() && relative == below_cwd)
    };
    is_executable && thread.arguments().take(2).any(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_encoded_as_the_kernel_shows_them() {
        assert_eq!(falco_device(nix::sys::stat::makedev(8, 3)), 0x803);
        assert_eq!(falco_device(nix::sys::stat::makedev(259, 0x123)), 0x11_0323);
    }

    #[test]
    fn loaders_are_known_by_their_names() {
        assert!(is_loader(b"/lib64/ld-linux-x86-64.so.2") && is_loader(b"/usr/lib64/ld-2.17.so"));
        assert!(!is_loader(b"/usr/lib64/libld.so") && !is_loader(b"/etc/ld.so.cache"));
    }

    #[test]
    fn a_script_is_the_argument_of_its_interpreter() {
        let thread = Thread {
            args: Bytes::from(&b"-e\0./run.sh\0x\0"[..]),
            cwd: Bytes::from(&b"/srv"[..]),
            ..Thread::unknown(1, 1)
        };
        assert!(is_script_of(&thread, b"/srv/run.sh", 0o100_755));
        assert!(!is_script_of(&thread, b"/srv/run.sh", 0o100_644));
        assert!(!is_script_of(&thread, b"/srv/x", 0o100_755));
    }
}
