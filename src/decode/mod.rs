//! Bytes → typed records. No I/O, no clock, no panic; everything here has a fuzz target.

pub mod audit;
pub mod dns;
pub mod executable;
pub mod fanotify;
pub mod passwd;
pub mod proc_connector;
pub mod procfs;
pub mod reader;
pub mod scap;
pub mod sock_diag;
pub mod sockaddr;
pub mod syscall;

/// What a live source saw, decoded, still in the source's buffer. No look-ups yet.
#[derive(Clone, Copy, Debug)]
pub enum Record<'a> {
    /// Something that a process did to itself or to others, from the proc connector.
    Process(ProcessRecord),
    /// An access to a file, from a fanotify notification group.
    File(FileRecord<'a>),
    /// A system call that has returned, from the audit.
    Audit(&'a audit::AuditEvent),
}

/// One `struct proc_event` of the proc connector.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ProcessRecord {
    /// Nanoseconds since boot (`CLOCK_MONOTONIC` on 3.10, see `linux/cn_proc.h`).
    pub timestamp_ns: u64,
    /// The same moment in nanoseconds since the epoch, as the source converted it with the
    /// clocks' difference at reading; zero straight from the decoder.
    pub wall_ns: u64,
    /// The CPU that counted it.
    pub cpu: u32,
    /// The thread that it is about; of a fork, the child.
    pub tid: i32,
    /// Its thread group.
    pub pid: i32,
    /// What happened.
    pub what: ProcessChange,
}

impl ProcessRecord {
    /// Whether its process may live in another mount namespace than before: it is new, or became
    /// a program.
    #[must_use]
    pub const fn may_be_elsewhere(&self) -> bool {
        self.tid == self.pid
            && matches!(self.what, ProcessChange::Fork { .. } | ProcessChange::Exec)
    }
}

/// What the proc connector tells of a process.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[allow(missing_docs, reason = "names of `struct proc_event`")]
pub enum ProcessChange {
    /// A new thread or process (`tid != pid`: a thread).
    Fork {
        parent_tid: i32,
        parent_pid: i32,
    },
    Exec,
    /// `wait_status` as wait(2) gives it, `signal` as sent to the parent.
    Exit {
        wait_status: u32,
        signal: u32,
        parent: Option<(i32, i32)>,
    },
    Uid {
        real: u32,
        effective: u32,
    },
    Gid {
        real: u32,
        effective: u32,
    },
    Sid,
    /// `tracer` is (tid, pid); zeros: detached.
    Ptrace {
        tracer_tid: i32,
        tracer_pid: i32,
    },
    /// The new name, NUL-padded.
    Comm([u8; 16]),
    CoreDump,
}

/// One fanotify event, with the path its descriptor read as.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct FileRecord<'a> {
    /// `FAN_OPEN`, `FAN_CLOSE_WRITE` …: a merged event has several. `FAN_OPEN_EXEC` among them
    /// (kernels that have it, 5.0): one of the opens was execve's own.
    pub mask: u64,
    /// Thread group that caused it.
    pub pid: i32,
    /// Text of the descriptor's link in /proc/self/fd, the kernel's ` (deleted)` taken off. Empty
    /// if it cannot be known: the file was deleted or replaced, and this kernel then shows the
    /// name of the replacing file (as 3.10 does).
    pub path: &'a [u8],
    /// The path leads to the file no more: it was unlinked, or replaced by rename(2).
    pub deleted: bool,
    /// Type and permissions of the file, as `st_mode`.
    pub mode: u32,
    /// Device of the file, as `st_dev`.
    pub dev: u64,
    /// Inode of the file.
    pub ino: u64,
    /// `CLOCK_REALTIME` nanoseconds at which it was read from the group.
    pub read_at_ns: u64,
}
