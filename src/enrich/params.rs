//! The parameters of events about processes, from what is known of the process.

use crate::event::Bytes;
use crate::event::Param;
use crate::event::Thread;
use crate::event::Unread;

/// `execve`: a call that has succeeded, told after it.
#[must_use]
pub fn execve(thread: &Thread) -> [Param<'_>; 31] {
    let has = |what| thread.has_read(what);
    [
        Param::Int(0),
        text(&thread.exe, has(Unread::ARGS)),
        text(&thread.args, has(Unread::ARGS)),
        Param::Int(thread.tid),
        Param::Int(thread.pid),
        parent(thread),
        path(&thread.cwd),
        signed(thread.fdlimit),
        unsigned(thread.pfmajor),
        unsigned(thread.pfminor),
        unsigned(thread.vm_size_kb),
        unsigned(thread.vm_rss_kb),
        unsigned(thread.vm_swap_kb),
        text(&thread.comm, has(Unread::COMM)),
        text(&thread.cgroups, has(Unread::CGROUPS)),
        text(&thread.env, has(Unread::ENV)),
        unsigned(thread.tty),
        signed(thread.vpgid),
        unsigned(thread.loginuid),
        exe_flags(thread),
        unsigned(thread.cap_inheritable),
        unsigned(thread.cap_permitted),
        unsigned(thread.cap_effective),
        known(thread.exe_ino),
        known(thread.exe_ino_ctime),
        known(thread.exe_ino_mtime),
        unsigned(thread.uid),
        path(&thread.exepath),
        signed(thread.pgid),
        unsigned(thread.gid),
        // The path as it was given to the call.
        Param::Unknown,
    ]
}

/// `clone`, as the child sees it: the call returned 0.
#[must_use]
pub fn clone(thread: &Thread) -> [Param<'_>; 21] {
    let has = |what| thread.has_read(what);
    [
        Param::Int(0),
        text(&thread.exe, has(Unread::ARGS)),
        text(&thread.args, has(Unread::ARGS)),
        Param::Int(thread.tid),
        Param::Int(thread.pid),
        parent(thread),
        path(&thread.cwd),
        signed(thread.fdlimit),
        unsigned(thread.pfmajor),
        unsigned(thread.pfminor),
        unsigned(thread.vm_size_kb),
        unsigned(thread.vm_rss_kb),
        unsigned(thread.vm_swap_kb),
        text(&thread.comm, has(Unread::COMM)),
        text(&thread.cgroups, has(Unread::CGROUPS)),
        // Which resources it shares isn't told.
        Param::Unknown,
        unsigned(thread.uid),
        unsigned(thread.gid),
        in_namespace(thread.vtid),
        in_namespace(thread.vpid),
        known(thread.pidns_init_start_ts),
    ]
}

/// The bits of Falco's flags of an executable, each known or not.
fn exe_flags(thread: &Thread) -> Param<'static> {
    let bits = [
        (thread.is_exe_writable, 1),
        (thread.is_exe_upper_layer, 1 << 1),
        (thread.is_exe_from_memfd, 1 << 2),
        (thread.is_exe_lower_layer, 1 << 3),
    ];
    let (mut value, mut unknown) = (0, 0);
    for (is_set, bit) in bits {
        match is_set {
            Some(true) => value |= bit,
            Some(false) => {}
            None => unknown |= bit,
        }
    }
    match (value, unknown) {
        (_, 0) => Param::UInt(value),
        (0, 0b1111) => Param::Unknown,
        _ => Param::Partial { value, unknown },
    }
}

const fn parent(thread: &Thread) -> Param<'_> {
    in_namespace(thread.ptid)
}

/// A thread's number; -1 is "unknown".
const fn in_namespace(number: i64) -> Param<'static> {
    if number < 0 { Param::Unknown } else { Param::Int(number) }
}

fn text(bytes: &Bytes, has_read: bool) -> Param<'_> {
    match (has_read, bytes.is_empty()) {
        (false, _) => Param::Unknown,
        (true, true) => Param::Empty,
        (true, false) => Param::Bytes(bytes),
    }
}

/// A path is never empty: an empty one is unknown.
fn path(bytes: &Bytes) -> Param<'_> {
    if bytes.is_empty() { Param::Unknown } else { Param::Bytes(bytes) }
}

/// Zero is "unknown".
const fn known(value: u64) -> Param<'static> {
    if value == 0 { Param::Unknown } else { Param::UInt(value) }
}

fn unsigned(value: Option<impl Into<u64>>) -> Param<'static> {
    value.map_or(Param::Unknown, |value| Param::UInt(value.into()))
}

const fn signed(value: Option<i64>) -> Param<'static> {
    match value {
        Some(value) => Param::Int(value),
        None => Param::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::known as types;

    #[test]
    fn the_arrays_have_a_value_for_each_parameter_of_their_rows() {
        let thread = Thread::unknown(1, 1);
        assert_eq!(execve(&thread).len(), types::EXECVE.info().params.len());
        assert_eq!(clone(&thread).len(), types::CLONE.info().params.len());
    }

    #[test]
    fn values_stand_at_the_places_of_their_names() {
        let thread = Thread {
            comm: Bytes::from(&b"sh"[..]),
            exepath: Bytes::from(&b"/bin/sh"[..]),
            uid: Some(5),
            gid: Some(6),
            pgid: Some(7),
            tty: Some(8),
            is_exe_writable: Some(true),
            ..Thread::unknown(3, 3)
        };
        let at = |name: &str| execve(&thread)[types::EXECVE.info().param_index(name).unwrap()];
        assert_eq!(at("comm"), Param::Bytes(b"sh"));
        assert_eq!(at("trusted_exepath"), Param::Bytes(b"/bin/sh"));
        assert_eq!((at("uid"), at("gid")), (Param::UInt(5), Param::UInt(6)));
        assert_eq!((at("pgid"), at("tty")), (Param::Int(7), Param::UInt(8)));
        assert_eq!(at("flags"), Param::Partial { value: 1, unknown: 0b1110 });
        let at = |name: &str| clone(&thread)[types::CLONE.info().param_index(name).unwrap()];
        assert_eq!(
            (at("comm"), at("uid"), at("vpid")),
            (Param::Bytes(b"sh"), Param::UInt(5), Param::Unknown)
        );
    }

    #[test]
    fn what_came_too_late_is_unknown_and_what_is_empty_is_empty() {
        let thread = Thread { unread: Unread::ARGS, ..Thread::unknown(3, 3) };
        let params = execve(&thread);
        assert_eq!(
            (params[1], params[2], params[13]),
            (Param::Unknown, Param::Unknown, Param::Empty)
        );
    }
}
