//! One look at a process: its files under `/proc` into a [`Thread`].
//!
//! The look may come late. A process that has ended, or has started yet another program, while it
//! was looked at is noticed by a second reading of `stat`; what then can't be told from the
//! leftovers is marked in [`Thread::unread`].

use super::cgroup::Membership;
use super::cgroup::Memberships;
use super::exe;
use super::exe::Exe;
use super::process::Image;
use crate::decode::procfs::cmdline::CommandLine;
use crate::decode::procfs::cmdline::LIMIT;
use crate::decode::procfs::decimal;
use crate::decode::procfs::limits;
use crate::decode::procfs::stat::Stat;
use crate::decode::procfs::status::Status;
use crate::event::Bytes;
use crate::event::InContainer;
use crate::event::Thread;
use crate::event::Unread;
use crate::event::no_bytes;
use crate::procfs;
use crate::procfs::ProcessDir;

/// Room for a link's text and a byte more: paths are at most 4095 bytes long (`PATH_MAX`).
pub const LINK: usize = 4097;

/// Room for a file that comes in one piece: `status` is below 2 KiB, lines of `cgroup` can be long.
const PIECE: usize = 8 << 10;

/// What a look told beside the thread.
#[derive(Clone, Copy, Debug)]
pub struct Seen {
    /// Clock ticks since boot at which the process started.
    pub start_ticks: u64,
    /// Parent as it is now.
    pub ppid: i64,
    /// Which of its programs was looked at.
    pub image: Image,
    /// The executable.
    pub exe: Exe,
}

/// What came of reading one file.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Got {
    Text,
    /// It was empty or not there: truly so, or because the process is on its way out.
    Nothing,
    /// It is there and was not told.
    Refused,
}

impl Got {
    const fn of<T>(result: &procfs::Result<T>, text: &[u8]) -> Self {
        match result {
            Ok(_) if !text.is_empty() => Self::Text,
            Ok(_) | Err(procfs::Error::Gone) => Self::Nothing,
            Err(procfs::Error::Denied | procfs::Error::Io(_)) => Self::Refused,
        }
    }
}

/// Reads processes with buffers that are used again and again.
#[derive(Debug)]
pub struct Looker {
    text: Vec<u8>,
    status: Vec<u8>,
    link: Box<[u8; LINK]>,
    memberships: Memberships,
    own_pid_ns: Option<Box<[u8]>>,
    own_user_ns: Option<(u64, u64)>,
}

impl Looker {
    /// `own`: our own process, whose namespaces are those of the host.
    #[must_use]
    pub fn new(own: Option<&ProcessDir>) -> Self {
        let mut link = Box::new([0; LINK]);
        let own_pid_ns = own.and_then(|own| own.link(c"ns/pid", &mut link[..]).ok().map(Box::from));
        let own_user_ns = own.and_then(|own| exe::file_of(own, c"ns/user"));
        Self {
            text: Vec::with_capacity(PIECE),
            status: Vec::with_capacity(PIECE),
            link,
            memberships: Memberships::default(),
            own_pid_ns,
            own_user_ns,
        }
    }

    /// Brings `thread` up to what `/proc` says of `process`. `expected_start`: the start time of
    /// the process that is meant, where known.
    ///
    /// # Errors
    ///
    /// [`procfs::Error::Gone`] if it has ended and left nothing, or if a later process has its
    /// number.
    pub fn look(
        &mut self,
        process: &ProcessDir,
        expected_start: u64,
        thread: &mut Thread,
    ) -> procfs::Result<Seen> {
        let inherited = thread.clone();
        let (mut seen, is_exiting) = self.look_at_stat(process, expected_start, thread)?;
        thread.unread = 0;
        thread.is_exe_upper_layer = None;
        thread.is_exe_lower_layer = None;
        let exe = self.look_at_exe_path(process, thread);
        let args = self.look_at_command_line(process, thread);
        let env = self.look_at_environment(process, thread);
        let cwd = self.look_at_cwd(process, thread);
        let cgroups = self.look_at_cgroups(process, thread);
        seen.exe = self.look_at_status(process, thread);
        self.look_at_the_rest(process, thread);

        let seen_from_root = below_root(&thread.exepath, &thread.root);
        if seen_from_root.len() != thread.exepath.len() {
            thread.exepath = Bytes::from(seen_from_root);
        }

        // The second reading: what came after the end of the process or of the image is void.
        let after = self.reread(process);
        let is_exiting = is_exiting || after.is_none_or(|(_, is_exiting)| is_exiting);
        for (got, what) in [(exe, Unread::EXEPATH), (args, Unread::ARGS), (env, Unread::ENV)] {
            if got == Got::Refused || (got == Got::Nothing && is_exiting) {
                thread.unread |= what;
            }
        }
        // Without memory there is no image: the process is on its way out, not in another program.
        if after.is_some_and(|(image, _)| image != seen.image && image != Image::default()) {
            thread.unread |= Unread::IMAGE;
        }
        if cwd != Got::Text {
            // An exec leaves the directory as it was.
            thread.cwd = inherited.cwd;
            thread.root = inherited.root;
        }
        // A process on its way out is shown in the root group.
        if cgroups != Got::Text || is_exiting {
            thread.cgroups = inherited.cgroups;
            thread.container = inherited.container;
        }
        if thread.cwd.is_empty() {
            thread.unread |= Unread::CWD;
        }
        if thread.container == InContainer::Unknown {
            thread.unread |= Unread::CGROUPS;
        }
        forget_unread(thread);
        Ok(seen)
    }

    /// After a [`look`](Self::look) at what was taken of a process that stood in execve(2): its name
    /// is the one to come, and what the exec has changed and wasn't told is not known.
    pub fn look_past_exec(
        &mut self,
        call: &ProcessDir,
        before: &Thread,
        thread: &mut Thread,
        seen: &mut Seen,
    ) {
        match call.read_piece(c"comm", PIECE, &mut self.text) {
            Ok(()) => set(&mut thread.comm, &self.text),
            Err(_) => thread.unread |= Unread::COMM,
        }
        // A record before that of the exec has told these.
        if seen.exe.set_uid.is_some() {
            thread.uid = before.uid;
            thread.is_exe_writable = None;
        }
        if seen.exe.set_gid.is_some() {
            thread.gid = before.gid;
            thread.is_exe_writable = None;
        }
        thread.cap_permitted = None;
        thread.cap_effective = None;
        thread.cap_inheritable = None;
        thread.vm_size_kb = None;
        thread.vm_rss_kb = None;
        thread.vm_swap_kb = None;
        seen.image = Image::default();
        forget_unread(thread);
    }

    /// Working directory and root as they are now; as they were, if the process is gone.
    pub fn look_at_directories(&mut self, process: &ProcessDir, thread: &mut Thread) {
        let before = (Bytes::clone(&thread.root), Bytes::clone(&thread.cwd));
        if self.look_at_cwd(process, thread) != Got::Text {
            (thread.root, thread.cwd) = before;
        }
    }

    /// Which image a process has, and whether it has ended; `None` if it is gone.
    pub fn reread(&mut self, process: &ProcessDir) -> Option<(Image, bool)> {
        process.read_piece(c"stat", PIECE, &mut self.text).ok()?;
        let stat = Stat::parse(&self.text)?;
        Some((image_of(&stat), stat.is_exiting()))
    }

    /// Whether a process is in the pid namespace of the host; `None` if it can't be told.
    pub fn is_in_hosts_pid_namespace(&mut self, process: &ProcessDir) -> Option<bool> {
        let own = self.own_pid_ns.as_deref()?;
        Some(process.link(c"ns/pid", &mut self.link[..]).ok()? == own)
    }

    /// Parent as it is now; `None` if the process is gone.
    pub fn parent_of(&mut self, process: &ProcessDir) -> Option<i64> {
        process.read_piece(c"stat", PIECE, &mut self.text).ok()?;
        Some(Stat::parse(&self.text)?.ppid)
    }

    /// How many threads a process has, an ended main thread included; `None` if it is gone.
    pub fn threads_of(&mut self, process: &ProcessDir) -> Option<u64> {
        process.read_piece(c"stat", PIECE, &mut self.text).ok()?;
        Some(Stat::parse(&self.text)?.num_threads)
    }

    /// The container that the process's cgroups name.
    pub fn membership_of(&mut self, process: &ProcessDir) -> Option<Membership> {
        process.read_piece(c"cgroup", PIECE, &mut self.text).ok()?;
        Some(self.memberships.find(&self.text))
    }

    fn look_at_stat(
        &mut self,
        process: &ProcessDir,
        expected_start: u64,
        thread: &mut Thread,
    ) -> procfs::Result<(Seen, bool)> {
        process.read_piece(c"stat", PIECE, &mut self.text)?;
        let stat = Stat::parse(&self.text).ok_or(procfs::Error::Gone)?;
        if expected_start != 0 && expected_start != stat.start_ticks {
            return Err(procfs::Error::Gone);
        }
        set(&mut thread.comm, stat.short_comm());
        thread.start_ticks = stat.start_ticks;
        thread.sid = Some(stat.session);
        thread.pgid = Some(stat.pgrp);
        thread.tty = Some(stat.tty);
        thread.pfmajor = Some(stat.major_faults);
        thread.pfminor = Some(stat.minor_faults);
        thread.nthreads = stat.num_threads.max(1);
        let seen = Seen {
            start_ticks: stat.start_ticks,
            ppid: stat.ppid,
            image: image_of(&stat),
            exe: Exe::default(),
        };
        Ok((seen, stat.is_exiting()))
    }

    fn look_at_command_line(&mut self, process: &ProcessDir, thread: &mut Thread) -> Got {
        let got = Got::of(&process.read_piece(c"cmdline", LIMIT, &mut self.text), &self.text);
        let line = CommandLine::parse(&self.text);
        set(&mut thread.exe, line.exe);
        set(&mut thread.args, line.args);
        got
    }

    fn look_at_environment(&mut self, process: &ProcessDir, thread: &mut Thread) -> Got {
        let got = Got::of(&process.read_piece(c"environ", LIMIT, &mut self.text), &self.text);
        set(&mut thread.env, &self.text);
        got
    }

    fn look_at_exe_path(&mut self, process: &ProcessDir, thread: &mut Thread) -> Got {
        let path = process.link(c"exe", &mut self.link[..]);
        let text = path.as_deref().unwrap_or_default();
        set(&mut thread.exepath, text);
        let text = thread.exepath.as_ref();
        Got::of(&path, text)
    }

    fn look_at_cwd(&mut self, process: &ProcessDir, thread: &mut Thread) -> Got {
        match process.link(c"root", &mut self.link[..]) {
            Ok(root) => set(&mut thread.root, root),
            Err(error) => return Got::of(&Err::<(), _>(error), b""),
        }
        let cwd = process.link(c"cwd", &mut self.link[..]);
        let text = cwd.as_deref().unwrap_or_default();
        set(&mut thread.cwd, below_root(text, &thread.root));
        let text = thread.cwd.as_ref();
        Got::of(&cwd, text)
    }

    fn look_at_cgroups(&mut self, process: &ProcessDir, thread: &mut Thread) -> Got {
        let Some(membership) = self.membership_of(process) else { return Got::Refused };
        thread.cgroups = membership.cgroups;
        thread.container = membership.container;
        Got::Text
    }

    /// Reads `status`, and with it what may be done to the executable.
    fn look_at_status(&mut self, process: &ProcessDir, thread: &mut Thread) -> Exe {
        if process.read_piece(c"status", PIECE, &mut self.status).is_err() {
            self.status.clear();
        }
        let text = std::mem::take(&mut self.status);
        let status = Status::parse(&text);
        if let (Some([_, uid, ..]), Some([_, gid, ..])) = (status.uids, status.gids) {
            thread.uid = Some(uid);
            thread.gid = Some(gid);
            thread.cap_permitted = status.cap_permitted;
            thread.cap_effective = status.cap_effective;
            thread.cap_inheritable = status.cap_inheritable;
            thread.vm_size_kb = Some(status.vm_size_kb.unwrap_or(0));
            thread.vm_rss_kb = Some(status.vm_rss_kb.unwrap_or(0));
            thread.vm_swap_kb = Some(status.vm_swap_kb.unwrap_or(0));
        }
        if let Some(ns_pid) = status.ns_pid {
            thread.vpid = ns_pid;
            thread.vpgid = status.ns_pgid;
            // The rules see the session by its number in the process's own namespace.
            thread.sid = status.ns_sid.or(thread.sid);
        } else {
            self.look_at_pid_namespace(process, thread);
        }
        thread.vtid = thread.vpid;
        let exe = Exe::look(process, &status, self.own_user_ns).unwrap_or_default();
        exe.tell(thread);
        self.status = text;
        exe
    }

    /// Kernels before 4.1 don't show a process's number in its own namespace: it is known only
    /// where that is the host's.
    fn look_at_pid_namespace(&mut self, process: &ProcessDir, thread: &mut Thread) {
        let is_hosts = self.is_in_hosts_pid_namespace(process) == Some(true);
        thread.vpid = if is_hosts { thread.pid } else { -1 };
        thread.vpgid = if is_hosts { thread.pgid } else { None };
        if !is_hosts {
            thread.sid = None;
        }
    }

    fn look_at_the_rest(&mut self, process: &ProcessDir, thread: &mut Thread) {
        if process.read_piece(c"loginuid", 16, &mut self.text).is_ok() {
            thread.loginuid =
                decimal(self.text.trim_ascii()).and_then(|uid| u32::try_from(uid).ok());
        }
        if process.read_piece(c"limits", PIECE, &mut self.text).is_ok() {
            thread.fdlimit = limits::max_open_files(&self.text);
        }
    }
}

/// Texts that were not read are empty, so that nothing can be taken for known.
pub fn forget_unread(thread: &mut Thread) {
    let unread = thread.unread;
    let empty = no_bytes;
    if unread & Unread::COMM != 0 {
        thread.comm = empty();
    }
    if unread & Unread::ARGS != 0 {
        thread.exe = empty();
        thread.args = empty();
    }
    if unread & Unread::ENV != 0 {
        thread.env = empty();
    }
    if unread & Unread::EXEPATH != 0 {
        thread.exepath = empty();
        Exe::default().tell(thread);
    }
}

fn image_of(stat: &Stat<'_>) -> Image {
    Image { start_stack: stat.start_stack, arg_start: stat.arg_start }
}

/// A path as seen by a process whose root is `root`.
#[must_use]
pub fn below_root<'p>(path: &'p [u8], root: &[u8]) -> &'p [u8] {
    match root {
        b"" | b"/" => path,
        _ => match path.strip_prefix(root) {
            Some(b"") => b"/",
            Some(rest) if rest.starts_with(b"/") => rest,
            _ => path,
        },
    }
}

/// Changes a text only if it is another: no allocation if not.
pub fn set(text: &mut Bytes, to: &[u8]) {
    if text.as_ref() != to {
        *text = Bytes::from(to);
    }
}
