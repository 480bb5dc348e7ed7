//! Parents, ancestors, and the leaders of sessions and process groups.

use super::text::Text;
use super::{Arg, proc_who as who};
use crate::event::{Event, Thread, Value};

/// A value of a process.
type Of<'a> = fn(&Event<'a>, &'a Thread) -> Option<Value<'a>>;

/// The main thread of the parent process.
#[must_use]
pub fn parent<'a>(event: &Event<'a>) -> Option<&'a Thread> {
    event.world.parent(event.thread?)
}

/// The thread that made this one.
#[must_use]
pub fn parent_entry<'a>(event: &Event<'a>) -> Option<&'a Thread> {
    event.world.thread(event.thread?.ptid)
}

/// The n-th ancestor; the process itself is number 0.
fn ancestor<'a>(event: &Event<'a>, generation: u32) -> Option<&'a Thread> {
    let thread = event.thread?;
    match generation {
        0 => event.world.main_thread(thread),
        n => event.world.ancestors(thread).nth(usize::try_from(n - 1).ok()?),
    }
}

/// A value of the n-th ancestor, or those of all ancestors joined by blanks.
#[must_use]
pub fn shown<'a>(event: &Event<'a>, arg: &Arg, of: Of<'a>) -> Option<Value<'a>> {
    if let Arg::Index(generation) = arg {
        return of(event, ancestor(event, *generation)?);
    }
    let mut text = Text::new(event.arena);
    let mut is_first = true;
    for thread in event.world.ancestors(event.thread?) {
        if !is_first {
            text.push_byte(b' ');
        }
        is_first = false;
        text.push(of(event, thread).and_then(Value::as_bytes).unwrap_or_default());
    }
    (!is_first).then(|| text.value())
}

/// A value of each ancestor, for conditions.
#[must_use]
pub fn all<'a>(event: &Event<'a>, of: Of<'a>) -> Option<Value<'a>> {
    let values = event.world.ancestors(event.thread?).filter_map(|thread| of(event, thread));
    let list = bumpalo::collections::Vec::from_iter_in(values, event.arena);
    (!list.is_empty()).then(|| Value::List(list.into_bump_slice()))
}

/// `proc.apid`: without a number, the process's own.
pub fn apid<'a>(event: &Event<'a>, arg: &Arg) -> Option<Value<'a>> {
    match arg {
        Arg::Index(generation) => ancestor(event, *generation).map(|t| Value::Int(t.pid)),
        _ => event.thread.map(|thread| Value::Int(thread.pid)),
    }
}

/// `proc.aenv`: the own environment, an ancestor's, or the nearest value of a variable.
pub fn aenv<'a>(event: &Event<'a>, arg: &Arg) -> Option<Value<'a>> {
    const FARTHEST: usize = 20;
    let thread = event.thread?;
    match arg {
        Arg::Index(generation) => who::environment(event, ancestor(event, *generation)?),
        Arg::Key(name) => {
            let values = event.world.ancestors(thread).take(FARTHEST);
            let mut values = values.filter_map(|thread| who::variable(event, thread, name));
            let nearest = values.find(|value| !value.is_empty());
            Some(Value::Bytes(nearest.unwrap_or_default()))
        }
        _ => who::environment(event, thread),
    }
}

/// The eldest process, this one included, whose name ends in `sh`.
pub fn login_shell<'a>(event: &Event<'a>, _: &Arg) -> Option<Value<'a>> {
    let thread = event.thread?;
    let own = event.world.main_thread(thread);
    let line = own.into_iter().chain(event.world.ancestors(thread));
    line.filter(|thread| thread.comm.ends_with(b"sh")).last().map(|t| Value::Int(t.pid))
}

/// What a leader leads.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Group {
    /// The session.
    Session,
    /// The process group, by its number in the process's own pid namespace.
    Virtual,
    /// The process group, by its number on the host.
    Host,
}

impl Group {
    const fn of(self, thread: &Thread) -> Option<i64> {
        match self {
            Self::Session => thread.sid,
            Self::Virtual => thread.vpgid,
            Self::Host => thread.pgid,
        }
    }
}

/// A text of the leader; empty if the leader isn't known.
#[must_use]
pub fn leader_text<'a>(
    event: &Event<'a>,
    group: Group,
    of: fn(&Thread) -> &[u8],
) -> Option<Value<'a>> {
    let thread = event.thread?;
    let leader = leader(event, thread, group);
    Some(Value::Bytes(leader.map_or(&b""[..], of)))
}

/// Whether a thread has another number in its own pid namespace than on the host.
fn is_in_pid_namespace(thread: &Thread) -> bool {
    /// Falco's flag of threads in a pid namespace of their own.
    const CLONE_CHILD_IN_PIDNS: u32 = 0x2000_0000;
    thread.flags & CLONE_CHILD_IN_PIDNS != 0 || thread.tid != thread.vtid
}

/// Start of the init process of a thread's own pid namespace; zero on the host.
#[must_use]
pub fn namespace_start(thread: &Thread) -> u64 {
    if is_in_pid_namespace(thread) { thread.pidns_init_start_ts } else { 0 }
}

/// The process of the leader's number, where that number is one of the host's; else the eldest of
/// the unbroken line of ancestors in the same group.
fn leader<'a>(event: &Event<'a>, thread: &'a Thread, group: Group) -> Option<&'a Thread> {
    let number = group.of(thread).filter(|number| *number >= 0)?;
    if group == Group::Host || !is_in_pid_namespace(thread) {
        let direct = event.world.thread(number);
        if direct.is_some() {
            return direct;
        }
    }
    let line = event.world.ancestors(thread);
    line.take_while(|relative| group.of(relative) == Some(number)).last()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::support::{Scene, shown};
    use super::*;

    fn family() -> Scene {
        let mut scene = Scene::new("execve");
        for (tid, ptid, comm) in [(1, 0, "systemd"), (20, 1, "bash"), (21, 20, "sudo")] {
            let mut thread = Thread::unknown(tid, tid);
            (thread.ptid, thread.vtid, thread.vpid) = (ptid, tid, tid);
            thread.comm = Arc::from(comm.as_bytes());
            thread.sid = Some(if tid == 1 { 1 } else { 19 });
            scene.world.threads.insert(tid, Box::new(thread));
        }
        scene.thread.ptid = 21;
        scene.thread.sid = Some(19);
        scene.thread.comm = Arc::from(&b"cat"[..]);
        scene
    }

    #[test]
    fn ancestors_are_counted_from_the_process_itself() {
        let scene = family();
        assert_eq!(shown(&scene, "proc.aname[0]"), "cat");
        assert_eq!(shown(&scene, "proc.aname[2]"), "bash");
        assert_eq!(shown(&scene, "proc.aname[4]"), "<NA>");
        assert_eq!(shown(&scene, "proc.aname"), "sudo bash systemd");
        assert_eq!(shown(&scene, "proc.pname"), "sudo");
        assert_eq!(shown(&scene, "proc.apid"), "856");
        assert_eq!(shown(&scene, "proc.loginshellid"), "20");
    }

    #[test]
    fn the_eldest_of_a_session_stands_for_a_leader_that_is_gone() {
        let scene = family();
        assert_eq!(shown(&scene, "proc.sname"), "bash");
    }

    #[test]
    fn an_orphan_has_no_parent_fields() {
        let scene = Scene::new("execve");
        assert_eq!(shown(&scene, "proc.ppid"), "<NA>");
        assert_eq!(shown(&scene, "proc.aname"), "<NA>");
    }
}
