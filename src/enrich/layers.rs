//! In which layer of an overlay an executable lies: an upper one holds what was written since the
//! container was made.
//!
//! The mounts of a process tell the overlay and its upper directory, whose content is looked at
//! from the host. What can't be looked at is unknown.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::path::PathBuf;

use rustc_hash::FxHashMap;

use super::exe;
use super::settings::below_root;
use crate::decode::procfs::mountinfo;
use crate::decode::procfs::mountinfo::Mount;
use crate::decode::procfs::mountinfo::unescape;
use crate::procfs::ProcessDir;

/// No more of `mountinfo` is read: 1 MiB.
const MAX_FILE: usize = 1 << 20;

/// Roots whose mounts are kept; when there are more, all are forgotten.
const MAX_ROOTS: usize = 1024;

/// How long mounts count as true.
const KEEP_NS: u64 = 1_000_000_000;

/// Where a file lies.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Layer {
    /// Not in an overlay.
    None,
    /// In the upper layer.
    Upper,
    /// In a lower layer.
    Lower,
}

/// Mounts by the root directory (device, inode) of the processes that see them: a container has a
/// root of its own from the moment on at which it has its mounts.
#[derive(Debug)]
pub struct Layers {
    host_root: PathBuf,
    roots: FxHashMap<(u64, u64), Mounts>,
    text: Vec<u8>,
}

#[derive(Debug)]
struct Mounts {
    read_at_ns: u64,
    mounts: Vec<MountPoint>,
}

#[derive(Debug)]
struct MountPoint {
    path: Box<[u8]>,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Other,
    /// An overlay, and where its root is in the upper layer; `None`: it has none, it is read-only.
    Overlay(Option<PathBuf>),
}

impl Layers {
    /// `host_root`: the root of the file system in which overlays are mounted.
    #[must_use]
    pub fn new(host_root: PathBuf) -> Self {
        Self { host_root, roots: FxHashMap::default(), text: Vec::new() }
    }

    /// Where the file at `path`, as `process` sees it, lies; `None` if that can't be told.
    pub fn layer_of(&mut self, process: &ProcessDir, path: &[u8], now_ns: u64) -> Option<Layer> {
        let root = exe::file_of(process, c"root")?;
        let is_fresh = |mounts: &Mounts| now_ns < mounts.read_at_ns.saturating_add(KEEP_NS);
        if !self.roots.get(&root).is_some_and(is_fresh) {
            process.read(c"mountinfo", MAX_FILE, &mut self.text).ok()?;
            if self.roots.len() >= MAX_ROOTS {
                self.roots.clear();
            }
            let mounts = mountinfo::parse(&self.text).map(MountPoint::from).collect();
            self.roots.insert(root, Mounts { read_at_ns: now_ns, mounts });
        }
        self.roots.get(&root)?.layer_of(path, &self.host_root)
    }
}

impl Mounts {
    fn layer_of(&self, path: &[u8], host_root: &Path) -> Option<Layer> {
        // Of several mounts at one place the last hides the others.
        let (mount, below) = self
            .mounts
            .iter()
            .filter_map(|mount| Some((mount, mount.below(path)?)))
            .max_by_key(|(mount, _)| mount.path.len())?;
        let upper = match &mount.kind {
            Kind::Other => return Some(Layer::None),
            Kind::Overlay(None) => return Some(Layer::Lower),
            Kind::Overlay(Some(upper)) if upper.is_absolute() => below_root(host_root, upper),
            Kind::Overlay(Some(_)) => return None,
        };
        if !upper.is_dir() {
            return None;
        }
        let below = below.strip_prefix(b"/").unwrap_or(below);
        match upper.join(OsStr::from_bytes(below)).symlink_metadata() {
            // A character device is the mark of a removed file.
            Ok(found) if found.mode() & libc::S_IFMT == libc::S_IFREG => Some(Layer::Upper),
            Ok(_) => None,
            Err(error) => match error.kind() {
                std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory => {
                    Some(Layer::Lower)
                }
                _ => None,
            },
        }
    }
}

impl MountPoint {
    /// What of `path` is below this mount point.
    fn below<'p>(&self, path: &'p [u8]) -> Option<&'p [u8]> {
        if self.path.as_ref() == b"/" {
            return Some(path);
        }
        path.strip_prefix(self.path.as_ref()).filter(|rest| rest.starts_with(b"/"))
    }
}

impl From<Mount<'_>> for MountPoint {
    fn from(mount: Mount<'_>) -> Self {
        let kind = if mount.fs_type == b"overlay" {
            let upper = mount.super_option(b"upperdir").map(|upper| {
                let below = unescape(mount.root);
                let below = below.strip_prefix(b"/").unwrap_or(&below);
                PathBuf::from(OsStr::from_bytes(&unescape(upper))).join(OsStr::from_bytes(below))
            });
            Kind::Overlay(upper)
        } else {
            Kind::Other
        };
        Self { path: unescape(mount.mount_point).into(), kind }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn mounts(text: &str) -> Mounts {
        let mounts = mountinfo::parse(text.as_bytes()).map(MountPoint::from).collect();
        Mounts { read_at_ns: 0, mounts }
    }

    #[test]
    fn what_was_written_since_lies_in_the_upper_layer() {
        let upper = tempfile::tempdir().unwrap();
        fs::create_dir(upper.path().join("tmp")).unwrap();
        fs::write(upper.path().join("tmp/new"), "").unwrap();
        let text = format!(
            "1 0 0:5 / / rw - overlay o rw,lowerdir=/l,upperdir={}\n2 1 8:1 / /data rw - ext4 d rw\n",
            upper.path().display()
        );
        let mounts = mounts(&text);
        assert_eq!(mounts.layer_of(b"/tmp/new", Path::new("/")), Some(Layer::Upper));
        assert_eq!(mounts.layer_of(b"/bin/sh", Path::new("/")), Some(Layer::Lower));
        assert_eq!(mounts.layer_of(b"/data/x", Path::new("/")), Some(Layer::None));
        assert_eq!(mounts.layer_of(b"/database", Path::new("/")), Some(Layer::Lower));
        assert_eq!(mounts.layer_of(b"/tmp", Path::new("/")), None);
    }

    #[test]
    fn an_upper_directory_is_looked_for_below_the_hosts_root() {
        let host = tempfile::tempdir().unwrap();
        fs::create_dir_all(host.path().join("u/tmp")).unwrap();
        fs::write(host.path().join("u/tmp/new"), "").unwrap();
        let mounts = mounts("1 0 0:5 / / rw - overlay o rw,lowerdir=/l,upperdir=/u\n");
        assert_eq!(mounts.layer_of(b"/tmp/new", host.path()), Some(Layer::Upper));
        assert_eq!(mounts.layer_of(b"/tmp/new", Path::new("/no/host")), None);
    }

    #[test]
    fn an_upper_directory_out_of_sight_tells_nothing() {
        let mounts = mounts("1 0 0:5 / / rw - overlay o rw,lowerdir=/l,upperdir=/no/such\n");
        assert_eq!(mounts.layer_of(b"/bin/sh", Path::new("/")), None);
    }

    #[test]
    fn a_plain_file_system_has_no_layers() {
        let mounts = mounts("1 0 8:1 / / rw - ext4 /dev/sda rw\n");
        assert_eq!(mounts.layer_of(b"/bin/sh", Path::new("/")), Some(Layer::None));
    }
}
