//! Whether an open file is the one that a name leads to, for another process.
//!
//! No filesystem's server is waited for: a name is only followed as far as the kernel has it in
//! memory, which it has when it has just been followed (`RESOLVE_CACHED`, 5.12); else as long as it
//! stays on the mount of the root, if that is of the host's disks and memory.
//!
//! Sources: path_resolution(7), openat2(2), proc_pid_fd(5).

use std::ffi::CStr;
use std::io::Write as _;
use std::os::fd::AsFd as _;
use std::os::fd::OwnedFd;

use nix::sys::stat::FileStat;

use super::openers::PATH;
use crate::procfs::FileFacts;
use crate::procfs::ProcessDir;
use crate::sys::fs;
use crate::sys::fs::Follow;

/// How often a name is followed that others change at the same moment.
const TRIES: usize = 3;

/// What it has for that, made once.
#[derive(Debug)]
pub(super) struct NamedFile {
    root: Vec<u8>,
    base: Vec<u8>,
    name: Vec<u8>,
}

impl NamedFile {
    pub(super) fn new() -> Self {
        Self {
            root: vec![0; PATH + 1],
            base: vec![0; PATH + 1],
            name: Vec::with_capacity(2 * PATH + 2),
        }
    }

    /// Whether the file of `path`, as we see it, is what `name` leads to for `process`. `directory`:
    /// the descriptor of the directory that it is relative to, if that isn't the working one.
    pub(super) fn is(
        &mut self,
        process: &ProcessDir,
        (name, directory): (&[u8], Option<i32>),
        (path, stat): (&[u8], &FileStat),
    ) -> bool {
        let Ok(root) = process.link(c"root", &mut self.root) else { return false };
        if name.starts_with(b"/") && below(path, root) == name {
            return true;
        }
        let is_it = |facts: FileFacts| (facts.dev, facts.ino) == (stat.st_dev, stat.st_ino);
        let mut link = [0; 16];
        let link = match (name, directory) {
            (b"/proc/self/exe", _) => Some(c"exe"),
            (b"", Some(number)) => descriptor_link(number, &mut link),
            _ => descriptor_of(name).and_then(|number| descriptor_link(number, &mut link)),
        };
        if let Some(link) = link {
            return process.stat_of(link).is_ok_and(is_it);
        }
        let Some(found) = self.follow(process, name, directory) else { return false };
        nix::sys::stat::fstat(&found).is_ok_and(|found| is_it(found.into()))
    }

    /// What a name leads to.
    fn follow(
        &mut self,
        process: &ProcessDir,
        name: &[u8],
        directory: Option<i32>,
    ) -> Option<OwnedFd> {
        self.name.clear();
        if !name.starts_with(b"/") {
            let mut link = [0; 16];
            let link = match directory {
                Some(number) => descriptor_link(number, &mut link)?,
                None => c"cwd",
            };
            let root = process.link(c"root", &mut self.root).ok()?;
            let base = process.link(link, &mut self.base).ok()?;
            self.name.extend_from_slice(below(base, root));
            self.name.push(b'/');
        }
        self.name.extend_from_slice(name);
        self.name.push(0);
        let path = CStr::from_bytes_with_nul(&self.name).ok()?;
        let root = process.root().ok()?;
        let root = root.as_fd();
        let known = (0..TRIES).find_map(|_| fs::open_in(root, path, Follow::Known).ok());
        known.or_else(|| {
            fs::is_local_fd(root).then(|| fs::open_in(root, path, Follow::OneMount).ok())?
        })
    }
}

/// A path as seen below `root`.
fn below<'p>(path: &'p [u8], root: &[u8]) -> &'p [u8] {
    match path.strip_prefix(root) {
        Some(rest) if root != b"/" && matches!(rest, [] | [b'/', ..]) => rest,
        _ => path,
    }
}

/// The descriptor that a name stands for.
fn descriptor_of(name: &[u8]) -> Option<i32> {
    let number =
        [&b"/proc/self/fd/"[..], b"/dev/fd/"].iter().find_map(|way| name.strip_prefix(*way))?;
    i32::try_from(crate::decode::procfs::decimal(number)?).ok()
}

/// `fd/<number>`.
fn descriptor_link(number: i32, room: &mut [u8; 16]) -> Option<&CStr> {
    let mut rest = &mut room[..];
    write!(rest, "fd/{number}\0").ok()?;
    CStr::from_bytes_until_nul(room).ok()
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::os::fd::AsRawFd as _;
    use std::os::unix::ffi::OsStrExt as _;
    use std::path::Path;

    use super::*;
    use crate::procfs::Proc;
    use crate::sys::process;

    #[test]
    fn a_file_is_known_by_each_of_its_names_and_by_no_other() {
        let directory = tempfile::tempdir().unwrap();
        let directory = std::fs::canonicalize(directory.path()).unwrap();
        let path = directory.join("file");
        std::fs::write(&path, "x").unwrap();
        std::fs::write(directory.join("other"), "x").unwrap();
        std::os::unix::fs::symlink("file", directory.join("link")).unwrap();
        let file = File::open(&path).unwrap();
        let place = File::open(&directory).unwrap();
        let stat = nix::sys::stat::fstat(&file).unwrap();
        let own = Proc::open(Path::new("/proc")).unwrap().process(process::own_pid()).unwrap();
        let mut files = NamedFile::new();
        let mut is = |name: &[u8], directory| {
            files.is(&own, (name, directory), (path.as_os_str().as_bytes(), &stat))
        };
        let inside = |name: &str| directory.join(name).into_os_string().into_encoded_bytes();
        assert!(is(&inside("file"), None));
        assert!(is(b"", Some(file.as_raw_fd())) && !is(b"", Some(place.as_raw_fd())));
        assert!(is(format!("/dev/fd/{}", file.as_raw_fd()).as_bytes(), None));
        assert!(!is(b"/proc/self/exe", None) && !is(b"/proc/self/fd/99999999999", None));
        if fs::open_in(place.as_fd(), c".", Follow::Known).is_err() {
            // Before 5.12.
            return;
        }
        std::fs::metadata(directory.join("link")).unwrap();
        assert!(is(&inside("link"), None) && is(b"link", Some(place.as_raw_fd())));
        assert!(!is(&inside("other"), None) && !is(&inside("none"), None));
    }

    #[test]
    fn a_path_is_seen_from_the_root() {
        assert_eq!(below(b"/croot/bin/x", b"/croot"), b"/bin/x");
        assert_eq!(below(b"/croots/x", b"/croot"), b"/croots/x");
        assert_eq!(below(b"/bin/x", b"/"), b"/bin/x");
    }
}
