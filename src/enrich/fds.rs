//! The descriptors of a process, as far as they are known: those through which a file is open.

use super::look::LINK;
use crate::decode::procfs::fdinfo;
use crate::procfs::ProcessDir;

/// Descriptors that are looked at: of a process with more, the rest is not known.
const MAX_DESCRIPTORS: usize = 1024;

/// What the kernel appends to the link's text of a file that lost its name.
const DELETED: &[u8] = b" (deleted)";

/// The file whose descriptor is looked for.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// Its path as our own descriptor of it read; empty if unknown.
    pub path: &'a [u8],
    /// It has lost its name.
    pub is_deleted: bool,
    /// Device, as `st_dev`.
    pub dev: u64,
    /// Inode.
    pub ino: u64,
}

/// How a process has a file open.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct OpenAs {
    /// How many descriptors of it there are.
    pub count: usize,
    /// Number of the descriptor, if it is the only one.
    pub number: Option<i32>,
    /// The kernel's flags, if all the descriptors have the same.
    pub flags: Option<u32>,
}

/// Finds descriptors by what they point to.
#[derive(Debug)]
pub struct Finder {
    link: Box<[u8; LINK]>,
    text: Vec<u8>,
    numbers: Vec<i32>,
}

impl Default for Finder {
    fn default() -> Self {
        Self { link: Box::new([0; LINK]), text: Vec::new(), numbers: Vec::new() }
    }
}

impl Finder {
    /// How `process` has the file open now. Texts of links are compared first: stat(2) asks a file
    /// system, and a network's may not answer.
    pub fn find(&mut self, process: &ProcessDir, wanted: &Wanted<'_>) -> OpenAs {
        let Self { link, numbers, .. } = self;
        numbers.clear();
        if let Ok(fds) = process.fds()
            && fds.numbers(MAX_DESCRIPTORS, numbers).is_ok()
        {
            numbers.retain(|number| {
                fds.link(*number, &mut link[..]).is_ok_and(|text| wanted.may_be(text))
                    && fds
                        .stat(*number)
                        .is_ok_and(|s| (s.st_dev, s.st_ino) == (wanted.dev, wanted.ino))
            });
        } else {
            numbers.clear();
        }
        self.describe(process)
    }

    fn describe(&mut self, process: &ProcessDir) -> OpenAs {
        let mut flags = None;
        for (place, number) in self.numbers.iter().enumerate() {
            let read = process.read_fdinfo(*number, &mut self.text).is_ok();
            let found = if read { fdinfo::flags(&self.text) } else { None };
            if place > 0 && found != flags {
                flags = None;
                break;
            }
            flags = found;
        }
        let number = match self.numbers.as_slice() {
            [number] => Some(*number),
            _ => None,
        };
        OpenAs { count: self.numbers.len(), number, flags }
    }
}

impl Wanted<'_> {
    fn may_be(&self, link: &[u8]) -> bool {
        if !self.is_deleted {
            return link == self.path;
        }
        link.strip_suffix(DELETED).is_some_and(|name| self.path.is_empty() || name == self.path)
    }
}
