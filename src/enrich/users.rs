//! Users and groups by number: of the host, and of each container from its own root.
//!
//! The files are read again when they are other files or were changed; that is looked for at most
//! once a second. A container's are opened below its process's root without following symbolic
//! links, so that a link in an image can't show files of the host.

use std::ffi::CStr;
use std::os::fd::AsFd;
use std::os::fd::BorrowedFd;
use std::os::fd::OwnedFd;
use std::path::Path;

use nix::fcntl::OFlag;
use nix::sys::stat::FileStat;
use nix::sys::stat::Mode;
use rustc_hash::FxHashMap;

use crate::decode::passwd;
use crate::event::Bytes;
use crate::event::User;
use crate::event::World;
use crate::event::no_bytes;
use crate::procfs;
use crate::procfs::ProcessDir;

/// No more of a file is read: 1 MiB.
const MAX_FILE: usize = 1 << 20;

/// Containers whose users are kept; when there are more, those of all containers are forgotten.
const MAX_CONTAINERS: usize = 1024;

/// How long what was found counts as true.
const CHECK_EVERY_NS: u64 = 1_000_000_000;

/// What tells a file from what it was.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
struct Stamp {
    dev: u64,
    ino: u64,
    size: i64,
    mtime: (i64, i64),
}

impl From<&FileStat> for Stamp {
    fn from(stat: &FileStat) -> Self {
        Self {
            dev: stat.st_dev,
            ino: stat.st_ino,
            size: stat.st_size,
            mtime: (stat.st_mtime, stat.st_mtime_nsec),
        }
    }
}

/// What was read, and when it was looked at.
#[derive(Debug, Default)]
struct Checked {
    at_ns: Option<u64>,
    passwd: Option<Stamp>,
    group: Option<Stamp>,
}

/// Fills the user and group tables of the world.
#[derive(Debug)]
pub struct Users {
    host_etc: Option<OwnedFd>,
    host: Checked,
    containers: FxHashMap<Bytes, Checked>,
    text: Vec<u8>,
}

impl Users {
    /// `host_root`: the root of the host's file system.
    #[must_use]
    pub fn new(host_root: &Path) -> Self {
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let host_etc = nix::fcntl::open(&host_root.join("etc"), flags, Mode::empty()).ok();
        Self {
            host_etc,
            host: Checked::default(),
            containers: FxHashMap::default(),
            text: Vec::new(),
        }
    }

    /// Brings the host's tables up to date.
    pub fn refresh_host(&mut self, now_ns: u64, world: &mut World) {
        let Some(etc) = &self.host_etc else { return };
        if self.host.is_due(now_ns) {
            self.host.refresh(&no_bytes(), etc.as_fd(), &mut self.text, world);
        }
    }

    /// Brings the tables of the container `id` up to date, of which `process` is one.
    pub fn refresh_container(
        &mut self,
        id: &Bytes,
        process: &ProcessDir,
        now_ns: u64,
        world: &mut World,
    ) {
        if !self.containers.contains_key(id) {
            if self.containers.len() >= MAX_CONTAINERS {
                self.forget_containers(world);
            }
            self.containers.insert(Bytes::clone(id), Checked::default());
        }
        let Some(checked) = self.containers.get_mut(id) else { return };
        if !checked.is_due(now_ns) {
            return;
        }
        match process.directory_in_root(c"etc") {
            Ok(etc) => checked.refresh(id, etc.as_fd(), &mut self.text, world),
            // This process can't be looked at; the next one may be.
            Err(_) => checked.at_ns = None,
        }
    }

    /// Forgets those of containers that `is_inhabited` denies.
    pub fn retain_containers(&mut self, is_inhabited: impl Fn(&Bytes) -> bool, world: &mut World) {
        self.containers.retain(|id, _| is_inhabited(id));
        world.users.retain(|id, _| id.is_empty() || is_inhabited(id));
        world.groups.retain(|id, _| id.is_empty() || is_inhabited(id));
    }

    fn forget_containers(&mut self, world: &mut World) {
        self.containers.clear();
        world.users.retain(|container, _| container.is_empty());
        world.groups.retain(|container, _| container.is_empty());
    }
}

impl Checked {
    /// Whether it is time to look again; then it has been looked.
    fn is_due(&mut self, now_ns: u64) -> bool {
        let is_fresh = self.at_ns.is_some_and(|at| now_ns < at.saturating_add(CHECK_EVERY_NS));
        if !is_fresh {
            self.at_ns = Some(now_ns);
        }
        !is_fresh
    }

    fn refresh(&mut self, key: &Bytes, etc: BorrowedFd<'_>, text: &mut Vec<u8>, world: &mut World) {
        if changed(&mut self.passwd, etc, c"passwd", text) {
            let users = passwd::parse_passwd(text).map(|entry| {
                let user = User {
                    name: entry.name.into(),
                    home: entry.home.into(),
                    shell: entry.shell.into(),
                };
                (entry.uid, user)
            });
            world.users.insert(Bytes::clone(key), first_of_each(users));
        }
        if changed(&mut self.group, etc, c"group", text) {
            let groups = passwd::parse_group(text).map(|(name, gid)| (gid, Bytes::from(name)));
            world.groups.insert(Bytes::clone(key), first_of_each(groups));
        }
    }
}

/// The first line with a number is the one that getpwuid(3) returns.
fn first_of_each<T>(entries: impl Iterator<Item = (u32, T)>) -> FxHashMap<u32, T> {
    let mut table = FxHashMap::default();
    for (id, entry) in entries {
        table.entry(id).or_insert(entry);
    }
    table
}

/// Reads the file into `text` if it is not the one that `stamp` is of; only then is it opened,
/// which others may watch. A missing file leaves what is known: it may be on its way of being
/// replaced.
fn changed(
    stamp: &mut Option<Stamp>,
    etc: BorrowedFd<'_>,
    name: &CStr,
    text: &mut Vec<u8>,
) -> bool {
    if procfs::stat_regular(etc, name).is_ok_and(|stat| *stamp == Some(Stamp::from(&stat))) {
        return false;
    }
    let Ok((file, stat)) = procfs::open_regular(etc, name) else { return false };
    if procfs::read_open(file.as_fd(), MAX_FILE, text).is_err() {
        return false;
    }
    *stamp = Some(Stamp::from(&stat));
    true
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn name(world: &World, uid: u32) -> Option<&[u8]> {
        Some(world.users.get(&b""[..])?.get(&uid)?.name.as_ref())
    }

    #[test]
    fn a_changed_file_is_read_again_after_a_second() {
        let root = tempfile::tempdir().unwrap();
        let etc = root.path().join("etc");
        fs::create_dir(&etc).unwrap();
        fs::write(etc.join("passwd"), "a:x:1:1:::\nb:x:1:1:::\n").unwrap();
        fs::write(etc.join("group"), "g:x:7:\n").unwrap();
        let mut world = World::default();
        let mut users = Users::new(root.path());
        users.refresh_host(5, &mut world);
        assert_eq!(name(&world, 1), Some(&b"a"[..]));
        assert_eq!(world.groups[&b""[..]][&7].as_ref(), b"g");
        fs::write(etc.join("new"), "c:x:1:1:::\n").unwrap();
        fs::rename(etc.join("new"), etc.join("passwd")).unwrap();
        users.refresh_host(6, &mut world);
        assert_eq!(name(&world, 1), Some(&b"a"[..]));
        users.refresh_host(5 + CHECK_EVERY_NS, &mut world);
        assert_eq!(name(&world, 1), Some(&b"c"[..]));
    }

    #[test]
    fn a_root_without_etc_has_no_users() {
        let root = tempfile::tempdir().unwrap();
        let mut world = World::default();
        Users::new(root.path()).refresh_host(0, &mut world);
        assert_eq!(name(&world, 0), None);
    }
}
