//! The rendezvous with tasks that become programs, seen from the agent's loop.
//!
//! Where the kernel asks for the opens of execve(2) apart (`FAN_OPEN_EXEC_PERM`, 5.0), a task waits
//! when it opens a program, and what it is about to become is read from the arguments of its call:
//! so that programs are known, too, that end before `/proc` is read, and don't use the system's
//! loader, at which the others are met. The kernel is told to be silent of those others.
//!
//! Before 5.7 the look would block until it is answered: the probe `fanotify-exec-look` tries it.
//!
//! Marked are the mounts of the host and of containers, but for those of a network or of a process:
//! the kernel opens for us what others open, and denies it to them if that fails. Nor are mounts of
//! namespaces that belong to a user namespace other than ours, whose users may mount what they like.
//! A group and threads of its own: whoever holds a lease on a file (fcntl(2)) and has it executed
//! keeps the looker waiting, and others then go on without a look.
//!
//! Sources: fanotify_mark(2), fanotify(7), execve(2).

use std::io;
use std::os::fd::BorrowedFd;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use super::Inbox;
use super::Watching;
use super::callers::Callers;
use super::fail;
use super::post::Post;
use super::ring;
use crate::procfs::taken::MAX_BYTES;
use crate::sources::Error;
use crate::sources::Guardian;
use crate::sources::guardian::Ward;
use crate::sources::mounts::Mounts;
use crate::sources::namespaces::Namespaces;
use crate::sys::abi;
use crate::sys::clock;
use crate::sys::fanotify;
use crate::sys::fs;
use crate::sys::poll;

/// About how many bytes of looks may wait for the agent's loop.
const ROOM: usize = 2 << 20;

/// The rendezvous; dropping it ends it and its marks.
#[derive(Debug)]
pub struct ExecRendezvous {
    post: Post,
    mounts: Mounts,
    namespaces: Namespaces,
    users: Users,
}

impl ExecRendezvous {
    /// Makes group and threads, entrusts the group to the guardian, and then marks the mounts of
    /// all namespaces. `proc`: the directory of processes.
    ///
    /// # Errors
    ///
    /// [`Error::Denied`] without `CAP_SYS_ADMIN`; [`Error::Unsupported`] on a kernel without
    /// permission events; [`Error::Io`] if no mount can be marked, or there is no guardian.
    pub fn start(guardian: &mut Guardian, proc: &Path) -> Result<(Self, Inbox), Error> {
        let mounts = Mounts::open().map_err(fail("open(/proc/self/mountinfo)"))?.uncounted();
        let namespaces = Namespaces::new().map_err(fail("stat(/proc/self/ns/mnt)"))?.uncounted();
        let users = Users::ours().map_err(fail("stat(/proc/self/ns/user)"))?;
        let (writer, looks) = ring::ring(ROOM);
        let watching = Watching::Callers(Box::new(Callers::new(writer)));
        let post = Post::start(guardian, Ward::MountGroup, proc, abi::FAN_REPORT_TID, watching)?;
        let mut rendezvous = Self { post, mounts, namespaces, users };
        if rendezvous.follow_mounts().is_ok_and(|marked| marked > 0) {
            rendezvous.follow_all();
            return Ok((rendezvous, Inbox { looks, buffer: Vec::with_capacity(MAX_BYTES) }));
        }
        rendezvous.end(guardian);
        Err(fail("fanotify_mark")(io::Error::from_raw_os_error(libc::EINVAL)))
    }

    /// Marks the mounts of our namespace; how many are new.
    ///
    /// # Errors
    ///
    /// Those of reading the list of mounts.
    pub fn follow_mounts(&mut self) -> io::Result<usize> {
        let Some(group) = self.post.group() else { return Ok(0) };
        Ok(self.mounts.sync(|path| mark(group, path))?.marked)
    }

    /// Marks the mounts of the process's mount namespace, if that is another than ours and new:
    /// call it for each process that becomes a program.
    pub fn follow(&mut self, pid: i32) {
        let Self { post, namespaces, users, .. } = self;
        let Some(group) = post.group() else { return };
        namespaces.note(pid, since_boot(), |path| users.mark(group, path));
    }

    fn follow_all(&mut self) {
        let Self { post, namespaces, users, .. } = self;
        let Some(group) = post.group() else { return };
        namespaces.note_all(since_boot(), |path| users.mark(group, path));
    }

    /// Marks mounts that came. Call it each second.
    pub fn tick(&mut self) {
        if poll::has_changed(self.mounts.fd()).unwrap_or(true) {
            // The next second tries it again.
            let _ = self.follow_mounts();
        }
        let Self { post, namespaces, users, .. } = self;
        let Some(group) = post.group() else { return };
        namespaces.tick(since_boot(), |path| users.mark(group, path));
        // Nobody is told of refusals: what such a mount has is read as without a rendezvous.
        drop(self.mounts.take_refused());
        drop(self.namespaces.take_refused());
    }

    /// Ends it: nobody waits for us from here on.
    pub fn end(&mut self, guardian: &mut Guardian) {
        self.post.end(guardian);
    }
}

/// Who may have mounted what is found in other namespaces.
#[derive(Debug)]
struct Users {
    /// The inode of our own user namespace.
    own: u64,
}

impl Users {
    fn ours() -> io::Result<Self> {
        Ok(Self { own: fs::stat_target(c"/proc/self/ns/user")?.ino })
    }

    /// Marks a mount, `/proc/PID/root/…`, if that process is in our user namespace.
    fn mark(&self, group: BorrowedFd<'_>, path: &Path) -> io::Result<()> {
        let process: PathBuf = path.iter().take(3).collect();
        if std::fs::metadata(process.join("ns/user"))?.ino() != self.own {
            return Err(io::Error::from_raw_os_error(libc::EPERM));
        }
        mark(group, path)
    }
}

/// Marks a mount whose files root can open at once.
fn mark(group: BorrowedFd<'_>, path: &Path) -> io::Result<()> {
    if !fs::is_local(path) {
        return Err(io::Error::from_raw_os_error(libc::EOPNOTSUPP));
    }
    let flags = abi::FAN_MARK_ADD | abi::FAN_MARK_MOUNT;
    fanotify::mark(group, flags, abi::FAN_OPEN_EXEC_PERM, path)
}

fn since_boot() -> Duration {
    Duration::from_nanos(clock::monotonic_ns())
}
