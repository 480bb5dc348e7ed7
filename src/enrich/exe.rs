//! The executable of a process: which file it is and who may change it.

use std::ffi::CStr;

use super::look::set;
use crate::decode::procfs::status::Status;
use crate::event::Thread;
use crate::procfs::FileFacts;
use crate::procfs::ProcessDir;

/// `CAP_DAC_OVERRIDE` and `CAP_FOWNER` of `linux/capability.h`: either opens every file to change.
const CAPS_OVER_FILES: u64 = 1 << 1 | 1 << 3;

/// What stat(2) tells of an executable.
#[derive(Clone, Copy, Debug, Default)]
pub struct Exe {
    /// Device and inode.
    pub id: (u64, u64),
    /// Set-user-id or set-group-id, with the owner that it gives.
    pub set_uid: Option<u32>,
    /// The same for groups.
    pub set_gid: Option<u32>,
    ctime_ns: u64,
    mtime_ns: u64,
    is_writable: Option<bool>,
    /// It was unlinked.
    pub has_no_name: Option<bool>,
}

impl Exe {
    /// Looks at the file that runs. `None` if there is none, or it can't be seen any more.
    #[must_use]
    pub fn look(
        process: &ProcessDir,
        status: &Status<'_>,
        own_user_ns: Option<(u64, u64)>,
    ) -> Option<Self> {
        let stat = process.stat_of(c"exe").ok()?;
        let is_hosts_user_ns =
            || own_user_ns.is_some() && file_of(process, c"ns/user") == own_user_ns;
        let has_bit = |bit| stat.mode & bit != 0;
        Some(Self {
            id: (stat.dev, stat.ino),
            set_uid: has_bit(libc::S_ISUID).then_some(stat.uid),
            set_gid: has_bit(libc::S_ISGID).then_some(stat.gid),
            ctime_ns: stat.ctime_ns,
            mtime_ns: stat.mtime_ns,
            is_writable: is_writable(&stat, status, is_hosts_user_ns),
            has_no_name: Some(stat.nlink == 0),
        })
    }

    /// Writes it into the thread whose `exepath` is the text of the link.
    pub fn tell(&self, thread: &mut Thread) {
        thread.exe_ino = self.id.1;
        thread.exe_ino_ctime = self.ctime_ns;
        thread.exe_ino_mtime = self.mtime_ns;
        thread.is_exe_writable = self.is_writable;
        thread.is_exe_from_memfd = None;
        let Some(has_no_name) = self.has_no_name else { return };
        let name = thread.exepath.strip_suffix(b" (deleted)").filter(|_| has_no_name);
        let memfd =
            name.and_then(|name| name.strip_prefix(b"/")).filter(|n| n.starts_with(b"memfd:"));
        thread.is_exe_from_memfd = Some(memfd.is_some());
        if let Some(name) = memfd.or(name).map(<[u8]>::to_vec) {
            set(&mut thread.exepath, &name);
        }
    }
}

/// Device and inode of what a link leads to.
#[must_use]
pub fn file_of(process: &ProcessDir, name: &CStr) -> Option<(u64, u64)> {
    process.stat_of(name).ok().map(|stat| (stat.dev, stat.ino))
}

/// Whether the process may write to the file, by the kernel's rules for owner, group, others and
/// capabilities (`inode_permission`, `inode_owner_or_capable`). Capabilities of another user
/// namespace count for the files that its ids own, which can't be told from here.
fn is_writable(
    stat: &FileFacts,
    status: &Status<'_>,
    is_hosts_user_ns: impl Fn() -> bool,
) -> Option<bool> {
    let [.., fs_uid] = status.uids?;
    if fs_uid == stat.uid {
        return Some(true);
    }
    let applies = if status.is_in_group(stat.gid) { libc::S_IWGRP } else { libc::S_IWOTH };
    if stat.mode & applies != 0 {
        return Some(true);
    }
    if status.cap_effective? & CAPS_OVER_FILES == 0 {
        return Some(false);
    }
    (fs_uid == 0 || is_hosts_user_ns()).then_some(true)
}
