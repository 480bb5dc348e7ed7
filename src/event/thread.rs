//! A thread or process as the rules see it; filled by `enrich`, read by `fields`.

use std::sync::{Arc, LazyLock};

use super::fd_table::Fds;

/// Shared, immutable bytes: a child shares its parent's until it changes them.
pub type Bytes = Arc<[u8]>;

/// No bytes, without an allocation.
#[must_use]
pub fn no_bytes() -> Bytes {
    static NOTHING: LazyLock<Bytes> = LazyLock::new(|| Arc::from(&b""[..]));
    Arc::clone(&NOTHING)
}

/// Identity of a process: a pid alone is not one, the kernel reuses it.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub struct ProcessKey {
    /// Thread-group id in the initial pid namespace.
    pub pid: i64,
    /// Start time in clock ticks since boot: field 22 of `/proc/<pid>/stat`, see proc(5).
    /// Zero where a capture doesn't tell it.
    pub start_ticks: u64,
}

/// What is known of one thread; of a process where `tid == pid`.
///
/// Numbers that were never told are `None` or, where Falco has a value for "unknown", that value
/// (-1 for `vtid` and `vpid`). `fds`, `cwd` and `env` of the process are those of its main thread.
#[derive(Clone, Debug)]
pub struct Thread {
    /// Thread id in the initial pid namespace.
    pub tid: i64,
    /// Id of its process, which is that of its main thread, in the initial pid namespace.
    pub pid: i64,
    /// Thread id of the parent; -1 if unknown, 0 for the first process.
    pub ptid: i64,
    /// Start time in clock ticks since boot; zero in captures.
    pub start_ticks: u64,
    /// Name of the command, at most 15 bytes: `comm` in proc(5).
    pub comm: Bytes,
    /// argv\[0\].
    pub exe: Bytes,
    /// Path of the executable; empty if unknown.
    pub exepath: Bytes,
    /// argv\[1..\], each terminated by a NUL, as captures have it.
    pub args: Bytes,
    /// `NAME=value`, each terminated by a NUL.
    pub env: Bytes,
    /// `subsystem=path`, each terminated by a NUL.
    pub cgroups: Bytes,
    /// Working directory without a trailing slash but for `/`; empty if unknown.
    pub cwd: Bytes,
    /// Root directory as seen from the mount namespace; empty or `/` if not changed.
    pub root: Bytes,
    /// A set of Falco's clone flags.
    pub flags: u32,
    /// Effective user id in the initial user namespace.
    pub uid: Option<u32>,
    /// Effective group id in the initial user namespace.
    pub gid: Option<u32>,
    /// Audit's login uid; `u32::MAX`: not set.
    pub loginuid: Option<u32>,
    /// Device number of the controlling terminal; zero: it has none.
    pub tty: Option<u32>,
    /// Session id in its own pid namespace.
    pub sid: Option<i64>,
    /// Process group id in the initial pid namespace.
    pub pgid: Option<i64>,
    /// Process group id in its own pid namespace.
    pub vpgid: Option<i64>,
    /// Thread id in its own pid namespace; -1 if unknown.
    pub vtid: i64,
    /// Process id in its own pid namespace; -1 if unknown.
    pub vpid: i64,
    /// Permitted capabilities, a bit for each; see capabilities(7).
    pub cap_permitted: Option<u64>,
    /// Effective capabilities, likewise.
    pub cap_effective: Option<u64>,
    /// Inheritable capabilities, likewise.
    pub cap_inheritable: Option<u64>,
    /// Whoever runs it may write to its executable.
    pub is_exe_writable: Option<bool>,
    /// Its executable lies in an overlay's upper layer.
    pub is_exe_upper_layer: Option<bool>,
    /// Its executable lies in an overlay's lower layer.
    pub is_exe_lower_layer: Option<bool>,
    /// Its executable is a file in memory; see memfd_create(2).
    pub is_exe_from_memfd: Option<bool>,
    /// Inode of its executable; zero: unknown.
    pub exe_ino: u64,
    /// Last change of the executable's inode, nanoseconds since the epoch; zero: unknown.
    pub exe_ino_ctime: u64,
    /// Last change of the executable's content, nanoseconds since the epoch; zero: unknown.
    pub exe_ino_mtime: u64,
    /// When it was cloned, nanoseconds since the epoch; zero: unknown.
    pub clone_ts: u64,
    /// Start of the init process of its pid namespace, nanoseconds since the epoch; zero: unknown.
    pub pidns_init_start_ts: u64,
    /// When it last called exec, nanoseconds since the epoch; zero: not since it is watched.
    pub exec_ts: u64,
    /// How many descriptors it may have open: the soft `RLIMIT_NOFILE`.
    pub fdlimit: Option<i64>,
    /// Size of its address space, in KiB.
    pub vm_size_kb: Option<u32>,
    /// What of it is in main memory, in KiB.
    pub vm_rss_kb: Option<u32>,
    /// What of it is swapped out, in KiB.
    pub vm_swap_kb: Option<u32>,
    /// How many page faults had to read from a disk.
    pub pfmajor: Option<u64>,
    /// How many page faults had not.
    pub pfminor: Option<u64>,
    /// Which container it is in.
    pub container: InContainer,
    /// Open descriptors, as far as they are known; of the main thread.
    pub fds: Fds,
    /// Number of live threads of the process, of the main thread.
    pub nthreads: u64,
    /// It has exited and is kept for its children and late events.
    pub is_dead: bool,
    /// A set of [`Unread`]: what could not be read before the process was gone. Such a value is
    /// absent, not empty.
    pub unread: u8,
}

/// Names of the bits in [`Thread::unread`].
#[derive(Clone, Copy, Debug)]
pub struct Unread;

impl Unread {
    /// `comm`.
    pub const COMM: u8 = 1;
    /// `exe` and `args`: both come from the command line.
    pub const ARGS: u8 = 1 << 1;
    /// `env`.
    pub const ENV: u8 = 1 << 2;
    /// `exepath`.
    pub const EXEPATH: u8 = 1 << 3;
    /// `cwd`.
    pub const CWD: u8 = 1 << 4;
    /// `cgroups`.
    pub const CGROUPS: u8 = 1 << 5;
    /// Everything that an exec replaces.
    pub const IMAGE: u8 = Self::COMM | Self::ARGS | Self::ENV | Self::EXEPATH;
}

/// Which container a process is in.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum InContainer {
    /// Its cgroups are not known: `container.*` is absent.
    #[default]
    Unknown,
    /// None of the patterns matched.
    Host,
    /// The short id, 12 characters for most runtimes; key of the container table.
    Id(Bytes),
}

impl Thread {
    /// A thread of which nothing but its numbers is known.
    #[must_use]
    pub fn unknown(tid: i64, pid: i64) -> Self {
        let empty = no_bytes();
        Self {
            tid,
            pid,
            ptid: -1,
            start_ticks: 0,
            comm: Arc::clone(&empty),
            exe: Arc::clone(&empty),
            exepath: Arc::clone(&empty),
            args: Arc::clone(&empty),
            env: Arc::clone(&empty),
            cgroups: Arc::clone(&empty),
            cwd: Arc::clone(&empty),
            root: empty,
            flags: 0,
            uid: None,
            gid: None,
            loginuid: None,
            tty: None,
            sid: None,
            pgid: None,
            vpgid: None,
            vtid: -1,
            vpid: -1,
            cap_permitted: None,
            cap_effective: None,
            cap_inheritable: None,
            is_exe_writable: None,
            is_exe_upper_layer: None,
            is_exe_lower_layer: None,
            is_exe_from_memfd: None,
            exe_ino: 0,
            exe_ino_ctime: 0,
            exe_ino_mtime: 0,
            clone_ts: 0,
            pidns_init_start_ts: 0,
            exec_ts: 0,
            fdlimit: None,
            vm_size_kb: None,
            vm_rss_kb: None,
            vm_swap_kb: None,
            pfmajor: None,
            pfminor: None,
            container: InContainer::Unknown,
            fds: Fds::default(),
            nthreads: 1,
            is_dead: false,
            unread: 0,
        }
    }

    /// Whether all values of `set`, of [`Unread`], are known; they may still be empty.
    #[must_use]
    pub const fn has_read(&self, set: u8) -> bool {
        self.unread & set == 0
    }

    /// Identity of its process; meaningful for main threads.
    #[must_use]
    pub const fn key(&self) -> ProcessKey {
        ProcessKey { pid: self.pid, start_ticks: self.start_ticks }
    }

    /// Whether it is the main thread of its process.
    #[must_use]
    pub const fn is_main(&self) -> bool {
        self.tid == self.pid
    }

    /// Whether it uses the descriptors of its main thread (`CLONE_FILES`).
    #[must_use]
    pub const fn shares_fds(&self) -> bool {
        const CLONE_FILES: u32 = 1;
        self.flags & CLONE_FILES != 0 && !self.is_main()
    }

    /// Whether it is in a pid namespace of its own.
    #[must_use]
    pub const fn is_in_pid_namespace(&self) -> bool {
        const CLONE_CHILD_IN_PIDNS: u32 = 1 << 29;
        self.flags & CLONE_CHILD_IN_PIDNS != 0 || (self.tid != self.vtid && self.vtid >= 0)
    }

    /// Whether too little is known of it to be anybody's relative.
    #[must_use]
    pub const fn is_unidentified(&self) -> bool {
        self.tid < 0 || self.pid < 0 || self.ptid < 0
    }

    /// The arguments after argv\[0\].
    pub fn arguments(&self) -> impl Iterator<Item = &[u8]> {
        terminated_items(&self.args)
    }

    /// The environment's `NAME=value` items.
    pub fn environment(&self) -> impl Iterator<Item = &[u8]> {
        terminated_items(&self.env)
    }
}

/// The items of a list in which each is terminated by a NUL (the last NUL may be missing).
pub fn terminated_items(list: &[u8]) -> impl Iterator<Item = &[u8]> {
    let list = list.strip_suffix(b"\0").unwrap_or(list);
    let is_empty = list.is_empty();
    list.split(|&byte| byte == 0).filter(move |_| !is_empty)
}
