//! Files that are read so often that nobody should wait each time: the loader's cache is opened by
//! every program.
//!
//! Where no rule can match an open that only reads, such a file is left alone for a while: the
//! kernel doesn't ask us about it. Who opens it to write meanwhile is told of by the notification group
//! alone, with less detail, and ends that. A file is left alone only if root alone can write to it or give it
//! another name (its directory is root's, or it isn't marked), and only few are at a time.
//!
//! Nothing is done on kernels where the mark of a file doesn't silence that of its directory (before
//! 5.9).

use std::ffi::OsStr;
use std::fmt;
use std::os::fd::AsFd as _;
use std::os::fd::AsRawFd as _;
use std::os::fd::BorrowedFd;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::path::PathBuf;

use nix::fcntl::OFlag;
use nix::sys::stat::Mode;
use nix::sys::stat::fstat;
use rustc_hash::FxHashMap;

use super::finder::is_for_reading;
use crate::metrics::METRICS;
use crate::probe::Feature;
use crate::procfs::standing::Standing;
use crate::sources::fanotify::MayMatch;
use crate::sys::abi;
use crate::sys::fanotify;

/// So many opens that only read …
const OFTEN: u32 = 32;
/// … within so many nanoseconds are often.
const WITHIN_NS: u64 = 1_000_000_000;

/// How long a file is left alone, in nanoseconds.
const LEAVE_NS: u64 = 10_000_000_000;

/// Files that are left alone at a time.
const MAX_LEFT: usize = 64;

/// Files whose opens are counted; when there are more, all are counted anew.
const MAX_COUNTED: usize = 1024;

/// Whether anybody but its owner can write to a file.
const OTHERS_WRITE: u32 = 0o022;

const MASK: u64 = abi::FAN_OPEN_PERM | abi::FAN_OPEN;

/// Device and inode.
type File = (u64, u64);

/// What is opened often, and which of it is left alone.
pub(super) struct Often {
    /// Whether a rule can match an open of a path that only reads.
    reads_matter: Box<MayMatch>,
    is_possible: bool,
    counts: FxHashMap<File, u32>,
    counted_from_ns: u64,
    left: Vec<Left>,
}

/// A file that is left alone, or was until just now.
#[derive(Debug)]
struct Left {
    file: File,
    /// The file itself, wherever it is by now.
    handle: OwnedFd,
    until_ns: u64,
    /// The kernel asks about it again; records of opens before may still be on their way.
    is_back: bool,
}

impl Often {
    pub(super) fn new(reads_matter: Box<MayMatch>) -> Self {
        Self {
            reads_matter,
            is_possible: Feature::is_present("fanotify-report-name"),
            counts: FxHashMap::default(),
            counted_from_ns: 0,
            left: Vec::new(),
        }
    }

    /// Other rules: what was left alone is so no more.
    pub(super) fn set(&mut self, group: Option<BorrowedFd<'_>>, reads_matter: Box<MayMatch>) {
        self.take_back(group, u64::MAX);
        self.counts.clear();
        self.reads_matter = reads_matter;
    }

    /// Notes an open that was looked at and has succeeded; whether its file is left alone from now
    /// on.
    pub(super) fn note(&mut self, group: BorrowedFd<'_>, look: &Standing<'_>) -> bool {
        let file = (look.dev, look.ino);
        let reads = look.call.is_some_and(|call| is_for_reading(&call, look.how));
        if !self.is_possible || !reads || self.left.len() >= MAX_LEFT || self.leaves(file) {
            return false;
        }
        let age_ns = look.at_ns.saturating_sub(self.counted_from_ns);
        if age_ns >= WITHIN_NS || self.counts.len() >= MAX_COUNTED {
            self.counts.clear();
            self.counted_from_ns = look.at_ns;
        }
        let count = self.counts.entry(file).or_default();
        *count += 1;
        *count == OFTEN && self.leave(group, look)
    }

    fn leave(&mut self, group: BorrowedFd<'_>, look: &Standing<'_>) -> bool {
        let may = libc::S_IFREG == look.mode & libc::S_IFMT
            && look.links == 1
            && !(self.reads_matter)(look.path);
        if !may {
            return false;
        }
        let flags = OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let path = Path::new(OsStr::from_bytes(look.path));
        let Ok(handle) = nix::fcntl::open(path, flags, Mode::empty()) else { return false };
        let is_it = fstat(handle.as_fd()).is_ok_and(|stat| {
            (stat.st_dev, stat.st_ino) == (look.dev, look.ino)
                && stat.st_uid == 0
                && stat.st_mode & OTHERS_WRITE == 0
        });
        const FLAGS: u32 =
            abi::FAN_MARK_ADD | abi::FAN_MARK_IGNORED_MASK | abi::FAN_MARK_IGNORED_SURV_MODIFY;
        if !is_it || fanotify::mark(group, FLAGS, MASK, &link_of(&handle)).is_err() {
            return false;
        }
        METRICS.rendezvous.left_alone.increment();
        let file = (look.dev, look.ino);
        let until_ns = look.at_ns.saturating_add(LEAVE_NS);
        self.left.push(Left { file, handle, until_ns, is_back: false });
        true
    }

    /// Whether records count of the opens of a file, looked at or not.
    pub(super) fn leaves(&self, file: File) -> bool {
        self.left.iter().any(|left| left.file == file)
    }

    /// Has the kernel ask again about what was left alone until `now_ns`, in nanoseconds since boot.
    pub(super) fn take_back(&mut self, group: Option<BorrowedFd<'_>>, now_ns: u64) {
        self.take_back_if(group, &|left| left.until_ns <= now_ns);
    }

    /// The same about a file that was written to.
    pub(super) fn take_back_file(&mut self, group: Option<BorrowedFd<'_>>, file: File) {
        self.take_back_if(group, &|left| left.file == file);
    }

    fn take_back_if(&mut self, group: Option<BorrowedFd<'_>>, is_due: &dyn Fn(&Left) -> bool) {
        for left in self.left.iter_mut().filter(|left| !left.is_back && is_due(left)) {
            left.is_back = true;
            if let Some(group) = group {
                let flags = abi::FAN_MARK_REMOVE | abi::FAN_MARK_IGNORED_MASK;
                // Without the mark it is as it should be.
                let _ = fanotify::mark(group, flags, MASK, &link_of(&left.handle));
            }
        }
    }

    /// All records have been taken of what was opened before this turn.
    pub(super) fn settle(&mut self) {
        self.left.retain(|left| !left.is_back);
    }
}

impl fmt::Debug for Often {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Often").field("left", &self.left).finish_non_exhaustive()
    }
}

/// A path that leads to an open file, whatever its names are.
fn link_of(handle: &OwnedFd) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", handle.as_raw_fd()))
}
