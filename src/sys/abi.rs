//! Numbers and record sizes of the kernel's interfaces, each with its header and first version.
//! They keep the kernel's names, so that a search finds both sides.

pub use fanotify::low_level::FAN_ALLOW;
pub use fanotify::low_level::FAN_CLASS_CONTENT;
pub use fanotify::low_level::FAN_CLASS_NOTIF;
pub use fanotify::low_level::FAN_CLOEXEC;
pub use fanotify::low_level::FAN_CLOSE_NOWRITE;
pub use fanotify::low_level::FAN_CLOSE_WRITE;
pub use fanotify::low_level::FAN_EVENT_ON_CHILD;
pub use fanotify::low_level::FAN_MARK_ADD;
pub use fanotify::low_level::FAN_MARK_DONT_FOLLOW;
pub use fanotify::low_level::FAN_MARK_FILESYSTEM;
pub use fanotify::low_level::FAN_MARK_FLUSH;
pub use fanotify::low_level::FAN_MARK_IGNORED_MASK;
pub use fanotify::low_level::FAN_MARK_IGNORED_SURV_MODIFY;
pub use fanotify::low_level::FAN_MARK_MOUNT;
pub use fanotify::low_level::FAN_MARK_REMOVE;
pub use fanotify::low_level::FAN_NOFD;
pub use fanotify::low_level::FAN_NONBLOCK;
pub use fanotify::low_level::FAN_ONDIR;
pub use fanotify::low_level::FAN_OPEN;
pub use fanotify::low_level::FAN_OPEN_EXEC;
pub use fanotify::low_level::FAN_OPEN_EXEC_PERM;
pub use fanotify::low_level::FAN_OPEN_PERM;
pub use fanotify::low_level::FAN_Q_OVERFLOW;
pub use fanotify::low_level::FAN_REPORT_DIR_FID;
pub use fanotify::low_level::FAN_REPORT_FID;
pub use fanotify::low_level::FAN_REPORT_NAME;
pub use fanotify::low_level::FAN_REPORT_TID;
pub use fanotify::low_level::FAN_UNLIMITED_MARKS;
pub use fanotify::low_level::FANOTIFY_METADATA_VERSION;

/// The mark does not pin its inode: linux/fanotify.h, 5.19.
pub const FAN_MARK_EVICTABLE: u32 = 0x0000_0200;

/// `struct fanotify_event_metadata` in linux/fanotify.h, 2.6.37.
pub const FAN_EVENT_METADATA_LEN: usize = 24;

/// Protocol of the connector: linux/netlink.h, 2.6.14.
pub const NETLINK_CONNECTOR: i32 = 11;
/// Protocol of the audit: linux/netlink.h, 2.6.6.
pub const NETLINK_AUDIT: i32 = 9;
/// Protocol that tells of sockets: linux/netlink.h, 3.3 (before, `NETLINK_INET_DIAG`).
pub const NETLINK_SOCK_DIAG: i32 = 4;
/// Multicast group of the audit's records: linux/audit.h, 3.16.
pub const AUDIT_NLGRP_READLOG: i32 = 1;
/// `struct nlmsghdr` in linux/netlink.h.
pub const NLMSG_HDRLEN: usize = 16;
/// `struct cn_msg` without its data: linux/connector.h, 2.6.14.
pub const CN_MSG_LEN: usize = 20;
/// End of a multipart message, and the type of connector messages: linux/netlink.h.
pub const NLMSG_DONE: u16 = 3;
/// Connector index of process events: linux/connector.h.
pub const CN_IDX_PROC: u32 = 1;
/// Connector value of process events: linux/connector.h.
pub const CN_VAL_PROC: u32 = 1;

/// Subscribe: `enum proc_cn_mcast_op` in linux/cn_proc.h, 2.6.15.
pub const PROC_CN_MCAST_LISTEN: u32 = 1;
/// Unsubscribe: `enum proc_cn_mcast_op` in linux/cn_proc.h, 2.6.15.
pub const PROC_CN_MCAST_IGNORE: u32 = 2;

/// Answer to a request: linux/cn_proc.h.
pub const PROC_EVENT_NONE: u32 = 0;
/// A new thread or process.
pub const PROC_EVENT_FORK: u32 = 0x0000_0001;
/// A new image.
pub const PROC_EVENT_EXEC: u32 = 0x0000_0002;
/// Other user ids.
pub const PROC_EVENT_UID: u32 = 0x0000_0004;
/// Other group ids.
pub const PROC_EVENT_GID: u32 = 0x0000_0040;
/// A new session.
pub const PROC_EVENT_SID: u32 = 0x0000_0080;
/// A tracer attached or detached.
pub const PROC_EVENT_PTRACE: u32 = 0x0000_0100;
/// Another name: 3.2.
pub const PROC_EVENT_COMM: u32 = 0x0000_0200;
/// Dumping core: 3.10.
pub const PROC_EVENT_COREDUMP: u32 = 0x4000_0000;
/// The end.
pub const PROC_EVENT_EXIT: u32 = 0x8000_0000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_and_numbers_are_those_of_libc() {
        assert_eq!(FAN_EVENT_METADATA_LEN, size_of::<libc::fanotify_event_metadata>());
        assert_eq!(NLMSG_HDRLEN, size_of::<libc::nlmsghdr>());
        assert_eq!(NETLINK_CONNECTOR, libc::NETLINK_CONNECTOR);
        assert_eq!(i32::from(NLMSG_DONE), libc::NLMSG_DONE);
        assert_eq!(CN_IDX_PROC, libc::CN_IDX_PROC);
        assert_eq!(PROC_EVENT_EXIT, libc::PROC_EVENT_EXIT);
        assert_eq!(PROC_EVENT_COREDUMP, libc::PROC_EVENT_COREDUMP);
    }
}
