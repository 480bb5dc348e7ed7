//! Optional features of the kernel: each is tried once and undone, never guessed from a version.
//!
//! It tells; what follows from it is decided by the sources' ladders and by the plan.

mod exec_look;

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::path::Path;

use crate::sys;
use crate::sys::abi;
use crate::sys::fanotify;
use crate::sys::fs;
use crate::sys::ptrace;
use crate::sys::seccomp;

/// One optional feature.
#[derive(Debug)]
pub struct Feature {
    /// Name in `doctor` output and in log lines, for example `fanotify-filesystem-mark`.
    pub name: &'static str,
    /// First mainline version that has it. Documentation only: nothing is decided by it.
    pub since: &'static str,
    /// What the agent does instead, and what that costs, in one sentence.
    pub without: &'static str,
    /// What makes it work where it doesn't, in one sentence.
    pub help: &'static str,
    /// Tries the feature and undoes whatever the try left behind.
    pub attempt: fn() -> io::Result<()>,
}

/// What trying a feature came to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// It works.
    Present,
    /// The kernel does not know it; the answer by name and text.
    Absent(String),
    /// A matter of privileges, not of age; the answer by name and text.
    Denied(String),
}

/// The features, in the order of `doctor`.
pub static FEATURES: &[Feature] = &[
    Feature {
        name: "fanotify",
        since: "2.6.37",
        without: "no open of a file is seen, so no rule about files fires",
        help: "run as root (CAP_SYS_ADMIN, in the initial user namespace); CONFIG_FANOTIFY in the kernel",
        attempt: || group().map(drop),
    },
    Feature {
        name: "fanotify-mount-mark",
        since: "2.6.37",
        without: "no open of a file is seen, so no rule about files fires",
        help: "run as root (CAP_SYS_ADMIN, in the initial user namespace); CONFIG_FANOTIFY in the kernel",
        attempt: || mark(abi::FAN_MARK_MOUNT, abi::FAN_OPEN),
    },
    Feature {
        name: "fanotify-filesystem-mark",
        since: "4.20",
        without: "each mount is marked apart and new ones are followed",
        help: "a newer kernel; nothing is lost without it",
        attempt: || mark(abi::FAN_MARK_FILESYSTEM, abi::FAN_OPEN),
    },
    Feature {
        name: "fanotify-open-exec",
        since: "5.0",
        without: "execve's own opens are told from others by the process's new image",
        help: "a newer kernel; nothing is lost without it",
        attempt: || mark(abi::FAN_MARK_MOUNT, abi::FAN_OPEN_EXEC),
    },
    Feature {
        name: "fanotify-report-tid",
        since: "4.20",
        without: "which thread of a process opens a file is found by where its threads stand",
        help: "a newer kernel; nothing is lost without it",
        attempt: || try_group(abi::FAN_CLASS_CONTENT | abi::FAN_REPORT_TID),
    },
    Feature {
        name: "fanotify-report-name",
        since: "5.9",
        without: "hard links to files that rules name are judged by the name alone that was opened",
        help: "a newer kernel",
        attempt: || {
            try_group(
                abi::FAN_CLASS_NOTIF
                    | abi::FAN_REPORT_FID
                    | abi::FAN_REPORT_DIR_FID
                    | abi::FAN_REPORT_NAME,
            )
        },
    },
    Feature {
        name: "fanotify-permission",
        since: "2.6.37",
        without: "programs are read after their start, and the shortest come too late",
        help: "run as root; CONFIG_FANOTIFY_ACCESS_PERMISSIONS in the kernel",
        attempt: permission,
    },
    Feature {
        name: "fanotify-exec-look",
        since: "5.7",
        without: "programs that don't use the system's loader are read after their start, and the \
                  shortest come too late",
        help: "run as root; a newer kernel with CONFIG_FANOTIFY_ACCESS_PERMISSIONS",
        attempt: exec_look::attempt,
    },
    Feature {
        name: "fanotify-report-fid",
        since: "5.1",
        without: "creation, deletion and renames are not told by fanotify",
        help: "a newer kernel; eyas trace tells of them, for a process tree",
        attempt: || try_group(abi::FAN_CLASS_NOTIF | abi::FAN_REPORT_FID),
    },
    Feature {
        name: "deleted-names-kept",
        since: "3.19",
        without: "the name of a deleted or replaced file is unknown, not guessed",
        help: "a newer kernel",
        attempt: deleted_name_is_kept,
    },
    Feature {
        name: "proc-connector",
        since: "2.6.15",
        without: "no process event is seen, so no rule about processes fires",
        help: "run as root (CAP_NET_ADMIN) in the initial network and pid namespace; CONFIG_PROC_EVENTS in the kernel",
        attempt: proc_connector,
    },
    Feature {
        name: "audit",
        since: "2.6.6",
        without: "only opens and processes are told of the whole host",
        help: "run on the host itself; CONFIG_AUDITSYSCALL in the kernel, and no audit=0 at boot",
        attempt: || sys::netlink::Socket::open(abi::NETLINK_AUDIT)?.bind(0),
    },
    Feature {
        name: "ptrace",
        since: "3.4",
        without: "eyas trace follows nothing",
        help: "kernel.yama.ptrace_scope below 2, or CAP_SYS_PTRACE; in a container a seccomp \
               profile that allows ptrace",
        attempt: ptrace::try_out,
    },
    Feature {
        name: "seccomp-filter",
        since: "3.5",
        without: "eyas trace can't run a program, only follow a running one",
        help: "CONFIG_SECCOMP_FILTER in the kernel",
        attempt: seccomp::try_out,
    },
    Feature {
        name: "sock-diag",
        since: "3.3",
        without: "the ends of a socket are read from /proc/net, which is slow with many",
        help: "CONFIG_INET_DIAG in the kernel",
        attempt: || sys::netlink::Socket::open(NETLINK_SOCK_DIAG).map(drop),
    },
];

/// `NETLINK_SOCK_DIAG` in linux/netlink.h.
const NETLINK_SOCK_DIAG: i32 = 4;

impl Feature {
    /// The feature of that name.
    #[must_use]
    pub fn by_name(name: &str) -> Option<&'static Self> {
        FEATURES.iter().find(|feature| feature.name == name)
    }

    /// Whether this host has the feature of that name.
    #[must_use]
    pub fn is_present(name: &str) -> bool {
        Self::by_name(name).is_some_and(|feature| feature.outcome() == Outcome::Present)
    }

    /// Tries it.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        (self.attempt)().map_or_else(|error| outcome_of(&error), |()| Outcome::Present)
    }
}

fn outcome_of(error: &io::Error) -> Outcome {
    let text = sys::errno_text(error);
    match error.raw_os_error() {
        Some(libc::EPERM | libc::EACCES) => Outcome::Denied(text),
        _ => Outcome::Absent(text),
    }
}

fn group() -> io::Result<std::os::fd::OwnedFd> {
    fanotify::init(abi::FAN_CLASS_NOTIF | abi::FAN_CLOEXEC | abi::FAN_NONBLOCK, libc::O_RDONLY)
}

/// Makes a group with these flags, and closes it.
fn try_group(flags: u32) -> io::Result<()> {
    fanotify::init(flags | abi::FAN_CLOEXEC, 0).map(drop)
}

/// Sets a permission mark on a file that nobody else opens.
fn permission() -> io::Result<()> {
    let flags = abi::FAN_CLASS_CONTENT | abi::FAN_CLOEXEC | abi::FAN_NONBLOCK;
    let group = fanotify::init(flags, libc::O_RDONLY)?;
    let directory = scratch_directory()?;
    let marked = File::create(directory.join("file")).and_then(|file| {
        drop(file);
        let path = directory.join("file");
        fanotify::mark(group.as_fd(), abi::FAN_MARK_ADD, abi::FAN_OPEN_PERM, &path)
    });
    drop(group);
    std::fs::remove_dir_all(&directory)?;
    marked
}

/// Sets a mark that goes with its group.
fn mark(kind: u32, mask: u64) -> io::Result<()> {
    let group = group()?;
    fanotify::mark(group.as_fd(), abi::FAN_MARK_ADD | kind, mask, Path::new("/"))
}

/// Whether a file replaced by rename(2) keeps its own name in /proc/self/fd: before 3.19 the
/// replacing file's name is shown.
fn deleted_name_is_kept() -> io::Result<()> {
    let directory = scratch_directory()?;
    let kept = replaced_file_keeps_its_name(&directory);
    std::fs::remove_dir_all(&directory)?;
    if kept? { Ok(()) } else { Err(io::Error::from_raw_os_error(libc::EOPNOTSUPP)) }
}

fn replaced_file_keeps_its_name(directory: &Path) -> io::Result<bool> {
    let replaced = directory.join("kept");
    let file = File::create(&replaced)?;
    let replacing = directory.join("new");
    File::create(&replacing)?;
    std::fs::rename(&replacing, &replaced)?;
    let mut buffer = [0; 4096];
    let links = fs::DescriptorLinks::open()?;
    Ok(links.read(file.as_fd(), &mut buffer)?.ends_with(b"/kept (deleted)"))
}

/// A directory of our own for one try, where a temporary one can be made.
fn scratch_directory() -> io::Result<std::path::PathBuf> {
    let name =
        format!("eyas-probe-{}-{:08x}", sys::process::own_pid(), sys::process::random_u32()?);
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    for parent in ["/run", "/dev/shm", "/tmp", "/var/tmp"] {
        let directory = Path::new(parent).join(&name);
        match std::fs::create_dir(&directory) {
            Ok(()) => return Ok(directory),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Whether one may bind to process events; whether they flow is found out by subscribing.
fn proc_connector() -> io::Result<()> {
    sys::netlink::Socket::open(abi::NETLINK_CONNECTOR)?.bind(abi::CN_IDX_PROC)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_found() {
        for feature in FEATURES {
            assert!(std::ptr::eq(Feature::by_name(feature.name).unwrap(), feature));
        }
    }

    #[test]
    fn a_missing_privilege_is_not_a_missing_feature() {
        let error = io::Error::from_raw_os_error(libc::EPERM);
        assert_eq!(outcome_of(&error), Outcome::Denied("EPERM (Operation not permitted)".into()));
        let error = io::Error::from_raw_os_error(libc::EINVAL);
        assert_eq!(outcome_of(&error), Outcome::Absent("EINVAL (Invalid argument)".into()));
    }

    #[test]
    fn the_deleted_name_is_kept_on_every_kernel_that_tests_run_on() {
        assert_eq!(
            Feature::by_name("deleted-names-kept").map(Feature::outcome),
            Some(Outcome::Present)
        );
    }
}
