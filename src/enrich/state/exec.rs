//! execve and execveat: a process becomes another program.

use super::{Enter, RawEvent, Tracker, files, processes, turn};
use crate::enrich::path;
use crate::event::{InContainer, World, known};

/// Indices of the parameters.
mod at {
    pub(super) const EXE: usize = 1;
    pub(super) const ARGS: usize = 2;
    pub(super) const PID: usize = 4;
    pub(super) const PTID: usize = 5;
    pub(super) const FDLIMIT: usize = 7;
    pub(super) const COMM: usize = 13;
    pub(super) const CGROUPS: usize = 14;
    pub(super) const ENV: usize = 15;
    pub(super) const TTY: usize = 16;
    pub(super) const VPGID: usize = 17;
    pub(super) const LOGINUID: usize = 18;
    pub(super) const FLAGS: usize = 19;
    pub(super) const CAP_INHERITABLE: usize = 20;
    pub(super) const CAP_PERMITTED: usize = 21;
    pub(super) const CAP_EFFECTIVE: usize = 22;
    pub(super) const EXE_INO: usize = 23;
    pub(super) const EXE_CTIME: usize = 24;
    pub(super) const EXE_MTIME: usize = 25;
    pub(super) const UID: usize = 26;
    pub(super) const EXEPATH: usize = 27;
    pub(super) const PGID: usize = 28;
    pub(super) const GID: usize = 29;
}

const EXE_WRITABLE: u32 = 1;
const EXE_UPPER_LAYER: u32 = 2;
const EXE_FROM_MEMFD: u32 = 4;
const EXE_LOWER_LAYER: u32 = 8;
const CLONE_INVERTED: u32 = 65_536;
const CHILD_IN_PIDNS: u32 = 1 << 29;

impl Tracker {
    pub(super) fn exec(&mut self, world: &mut World, raw: &RawEvent<'_>, enter: Option<Enter>) {
        if raw.result() < 0 || !world.threads.contains_key(&raw.tid) {
            return;
        }
        self.families.resurrect(world, raw.tid);
        self.replace_image(world, raw);
        self.replace_ids(world, raw);
        if let Some(exepath) = raw.bytes(at::EXEPATH) {
            set_exepath(world, raw.tid, exepath);
        } else if let Some(enter) = enter {
            self.exepath_of_enter(world, raw, &enter);
        }
        if let Some(fds) = turn::fds(world, raw.tid)
            && fds.iter().any(|(_, fd)| files::closes_on_exec(fd))
            && let Some(fds) = turn::fds_mut(world, raw.tid)
        {
            fds.retain(|_, fd| !files::closes_on_exec(fd));
        }
        if let Some(thread) = turn::thread_mut(world, raw.tid) {
            thread.flags &= CLONE_INVERTED;
        }
        self.families.remove_siblings(world, raw.tid);
    }

    fn replace_image(&mut self, world: &mut World, raw: &RawEvent<'_>) {
        let container_of = self.container_of;
        let Some(thread) = turn::thread_mut(world, raw.tid) else { return };
        thread.exe = raw.bytes(at::EXE).unwrap_or(b"").into();
        thread.exec_ts = raw.ts;
        thread.comm = raw.bytes(at::COMM).map_or_else(|| thread.exe.clone(), Into::into);
        processes::set_args(thread, raw.bytes(at::ARGS).unwrap_or(b""));
        thread.fdlimit = raw.int(at::FDLIMIT);
        processes::set_memory(thread, raw);
        if let Some(env) = raw.bytes(at::ENV) {
            thread.env = env.into();
        }
        if let Some(cgroups) = raw.bytes(at::CGROUPS) {
            if *thread.cgroups != *cgroups || thread.container == InContainer::Unknown {
                thread.cgroups = cgroups.into();
                thread.container = container_of(cgroups);
            }
        } else if thread.container == InContainer::Unknown {
            thread.container = InContainer::Host;
        }
        if let Some(flags) = raw.uint32(at::FLAGS) {
            thread.is_exe_writable = Some(flags & EXE_WRITABLE != 0);
            thread.is_exe_upper_layer = Some(flags & EXE_UPPER_LAYER != 0);
            thread.is_exe_from_memfd = Some(flags & EXE_FROM_MEMFD != 0);
            thread.is_exe_lower_layer = Some(flags & EXE_LOWER_LAYER != 0);
        }
        if let Some(mtime) = raw.uint(at::EXE_MTIME) {
            thread.exe_ino = raw.uint(at::EXE_INO).unwrap_or(0);
            thread.exe_ino_ctime = raw.uint(at::EXE_CTIME).unwrap_or(0);
            thread.exe_ino_mtime = mtime;
        }
    }

    fn replace_ids(&mut self, world: &mut World, raw: &RawEvent<'_>) {
        let Some(thread) = turn::thread_mut(world, raw.tid) else { return };
        thread.pid = raw.int(at::PID).unwrap_or(-1);
        let was_unidentified = thread.is_unidentified();
        if was_unidentified {
            thread.ptid = raw.int(at::PTID).unwrap_or(-1);
            if thread.flags & CHILD_IN_PIDNS == 0 {
                (thread.vtid, thread.vpid) = (thread.tid, thread.pid);
            }
        }
        if let Some(tty) = raw.uint32(at::TTY) {
            thread.tty = Some(tty);
        }
        if let Some(vpgid) = raw.int(at::VPGID) {
            thread.vpgid = Some(vpgid);
        }
        if let Some(loginuid) = raw.uint32(at::LOGINUID) {
            thread.loginuid = Some(loginuid);
        }
        if let Some(effective) = raw.uint(at::CAP_EFFECTIVE) {
            thread.cap_inheritable = raw.uint(at::CAP_INHERITABLE);
            thread.cap_permitted = raw.uint(at::CAP_PERMITTED);
            thread.cap_effective = Some(effective);
        }
        if let Some(uid) = raw.uint32(at::UID) {
            thread.uid = Some(uid);
        }
        if let Some(gid) = raw.uint32(at::GID) {
            thread.gid = Some(gid);
        }
        thread.pgid = Some(raw.int(at::PGID).unwrap_or(-1));
        if was_unidentified {
            self.families.relate(world, raw.tid);
        }
    }

    /// Captures from before 2023 don't tell the executable's path; the path given to the call is
    /// next to it.
    fn exepath_of_enter(&mut self, world: &mut World, raw: &RawEvent<'_>, enter: &Enter) {
        const AT_EMPTY_PATH: u32 = 1;
        let is_unreadable = enter.bytes == b"<NA>";
        if enter.ty == known::EXECVE {
            if is_unreadable {
                self.path.clear();
                self.path.extend_from_slice(b"<NA>");
            } else {
                files::put_cwd(world, raw.tid, &mut self.base);
                path::join(&mut self.path, &self.base, &enter.bytes);
            }
        } else {
            let dirfd = enter.fd.unwrap_or(-1);
            files::put_dir(world, raw.tid, dirfd, &enter.bytes, &mut self.base);
            let takes_empty = enter.flags & AT_EMPTY_PATH != 0;
            if self.base == files::UNKNOWN_DIR || (!takes_empty && is_unreadable) {
                self.path.clear();
                self.path.extend_from_slice(b"<NA>");
            } else if takes_empty {
                path::join(&mut self.path, b"", &self.base);
            } else {
                path::join(&mut self.path, &self.base, &enter.bytes);
            }
        }
        set_exepath(world, raw.tid, &self.path);
    }
}

fn set_exepath(world: &mut World, tid: i64, exepath: &[u8]) {
    const DELETED: &[u8] = b" (deleted)";
    let stripped = exepath.strip_suffix(DELETED).filter(|rest| !rest.is_empty());
    if let Some(thread) = turn::thread_mut(world, tid) {
        thread.exepath = stripped.unwrap_or(exepath).into();
    }
}
