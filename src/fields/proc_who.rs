//! What is known of one process: command line, environment, numbers.

use super::text::{Text, joined, spaced};
use super::{Arg, names, path};
use crate::event::thread::terminated_items;
use crate::event::{Event, Thread, Unread, Value, known};

/// A text of a thread; absent if it could not be read in time.
#[must_use]
pub fn text(thread: &Thread, unread: u8, of: fn(&Thread) -> &[u8]) -> Option<Value<'_>> {
    thread.has_read(unread).then(|| Value::Bytes(of(thread)))
}

/// The arguments, if they are known.
#[must_use]
pub fn known_args(thread: &Thread) -> Option<impl Iterator<Item = &[u8]>> {
    thread.has_read(Unread::ARGS).then(|| thread.arguments())
}

/// A number of things.
#[must_use]
pub fn count<'a>(number: usize) -> Option<Value<'a>> {
    u64::try_from(number).ok().map(Value::UInt)
}

/// `proc.args`, `proc.args[N]`: one that doesn't exist is empty.
pub fn args<'a>(event: &Event<'a>, arg: &Arg) -> Option<Value<'a>> {
    let thread = event.thread?;
    let Arg::Index(index) = arg else { return joined_args(event, thread) };
    let index = usize::try_from(*index).ok()?;
    Some(Value::Bytes(known_args(thread)?.nth(index).unwrap_or_default()))
}

/// The arguments joined by blanks.
#[must_use]
pub fn joined_args<'a>(event: &Event<'a>, thread: &'a Thread) -> Option<Value<'a>> {
    known_args(thread).map(|_| Value::Bytes(spaced(event.arena, None, &thread.args)))
}

/// The command's name and its arguments.
#[must_use]
pub fn cmdline<'a>(event: &Event<'a>, thread: &'a Thread) -> Option<Value<'a>> {
    if !thread.has_read(Unread::COMM) {
        return None;
    }
    if known_args(thread)?.next().is_none() {
        return Some(Value::Bytes(&thread.comm));
    }
    Some(Value::Bytes(spaced(event.arena, Some(&thread.comm), &thread.args)))
}

/// argv\[0\], a blank, and the arguments.
#[must_use]
pub fn exeline<'a>(event: &Event<'a>, thread: &'a Thread) -> Option<Value<'a>> {
    let args = joined(event.arena, known_args(thread)?, b" ");
    Some(Value::Bytes(joined(event.arena, [&*thread.exe, args].into_iter(), b" ")))
}

/// The environment joined by blanks.
#[must_use]
pub fn environment<'a>(event: &Event<'a>, thread: &'a Thread) -> Option<Value<'a>> {
    Some(Value::Bytes(spaced(event.arena, None, told_environment(event, thread)?)))
}

/// The environment as it was told, with NULs in it.
#[must_use]
pub fn told_environment<'a>(event: &Event<'a>, thread: &'a Thread) -> Option<&'a [u8]> {
    let main = event.world.main_thread(thread)?;
    main.has_read(Unread::ENV).then_some(&*main.env)
}

/// The value of a variable, without blanks around it; `None` if the environment isn't known.
#[must_use]
pub fn variable<'a>(event: &Event<'a>, thread: &'a Thread, name: &str) -> Option<&'a [u8]> {
    let Some(main) = event.world.main_thread(thread) else { return Some(b"") };
    if !main.has_read(Unread::ENV) {
        return None;
    }
    let value =
        main.environment().find_map(|item| item.strip_prefix(name.as_bytes())?.strip_prefix(b"="));
    Some(value.unwrap_or_default().trim_ascii())
}

/// `proc.env`, `proc.env[NAME]`; digits are no name.
pub fn env<'a>(event: &Event<'a>, arg: &Arg) -> Option<Value<'a>> {
    let thread = event.thread?;
    match arg {
        Arg::Key(name) if !name.bytes().all(|byte| byte.is_ascii_digit()) => {
            variable(event, thread, name).map(Value::Bytes)
        }
        _ => environment(event, thread),
    }
}

/// The working directory, with a slash at its end.
pub fn cwd<'a>(event: &Event<'a>, arg: &Arg) -> Option<Value<'a>> {
    let told = told_cwd(event, arg)?.as_bytes()?;
    Some(Value::Bytes(path::with_slash(event.arena, told)))
}

/// The working directory as it was told, `./` if it isn't known whose it is.
pub fn told_cwd<'a>(event: &Event<'a>, _: &Arg) -> Option<Value<'a>> {
    let Some(main) = event.world.main_thread(event.thread?) else {
        return Some(Value::Bytes(path::UNKNOWN_CWD));
    };
    main.has_read(Unread::CWD).then_some(Value::Bytes(&main.cwd))
}

/// A number for which -1 means that it isn't known.
#[must_use]
pub fn told_id<'a>(id: i64) -> Option<Value<'a>> {
    (id != -1).then_some(Value::Int(id))
}

/// A number for which zero means that it isn't known.
#[must_use]
pub fn told<'a>(number: u64) -> Option<Value<'a>> {
    (number != 0).then_some(Value::UInt(number))
}

/// Nanoseconds from a moment to the event.
#[must_use]
pub fn age(event: &Event<'_>, since: u64) -> Option<u64> {
    (since != 0).then(|| event.ts.saturating_sub(since))
}

/// Nanoseconds between two known moments, if they come in this order.
#[must_use]
pub fn file_age<'a>(later: u64, earlier: u64) -> Option<Value<'a>> {
    if later == 0 || earlier == 0 {
        return None;
    }
    later.checked_sub(earlier).map(Value::UInt)
}

/// Whether a leader's number is the process's own.
#[must_use]
pub fn is_same<'a>(leader: Option<i64>, own: i64) -> Option<Value<'a>> {
    leader.map(|leader| Value::Bool(leader == own))
}

/// The names of the set capabilities, joined by blanks.
#[must_use]
pub fn capabilities<'a>(event: &Event<'a>, set: u64) -> Option<Value<'a>> {
    let set_ones = names::CAPABILITIES.iter().enumerate().filter(|(bit, _)| set >> bit & 1 == 1);
    let names = set_ones.map(|(_, name)| name.as_bytes());
    Some(Value::Bytes(joined(event.arena, names, b" ")))
}

/// How many descriptors the process has open, as far as they are known.
#[must_use]
pub fn open_fds(event: &Event<'_>, thread: &Thread) -> u64 {
    let main = event.world.main_thread(thread);
    main.and_then(|main| u64::try_from(main.fds.len()).ok()).unwrap_or(0)
}

/// Open descriptors in percent of the limit.
pub fn fd_usage<'a>(event: &Event<'a>, _: &Arg) -> Option<Value<'a>> {
    let thread = event.thread?;
    let limit = u32::try_from(thread.fdlimit?.clamp(0, u32::MAX.into())).unwrap_or(u32::MAX);
    let open = u32::try_from(open_fds(event, thread)).unwrap_or(u32::MAX);
    let share = if limit == 0 { 0.0 } else { f64::from(open) * 100.0 / f64::from(limit) };
    Some(Value::Double(share))
}

/// The command's name followed by the thread's id.
pub fn name_and_tid<'a>(event: &Event<'a>, _: &Arg) -> Option<Value<'a>> {
    let thread = event.thread?;
    let mut text = Text::new(event.arena);
    text.push(&thread.comm);
    text.push_int(event.tid);
    Some(text.value())
}

/// All control groups as `subsystem=path`, joined by blanks.
pub fn cgroups<'a>(event: &Event<'a>, _: &Arg) -> Option<Value<'a>> {
    let thread = event.thread.filter(|thread| thread.has_read(Unread::CGROUPS))?;
    let mut text = Text::new(event.arena);
    for (index, (name, path)) in memberships(thread).enumerate() {
        if index > 0 {
            text.push(b" ");
        }
        for part in [name.0, name.1, b"=", path] {
            text.push(part);
        }
    }
    Some(text.value())
}

/// The path of one subsystem's control group.
pub fn cgroup<'a>(event: &Event<'a>, arg: &Arg) -> Option<Value<'a>> {
    let Arg::Key(subsystem) = arg else { return None };
    let thread = event.thread.filter(|thread| thread.has_read(Unread::CGROUPS))?;
    let is_it = |name: Subsystem<'_>| {
        subsystem.as_bytes().strip_prefix(name.0).is_some_and(|rest| rest == name.1)
    };
    memberships(thread).find(|(name, _)| is_it(*name)).map(|(_, path)| Value::Bytes(path))
}

/// A subsystem's name, in two parts.
type Subsystem<'a> = (&'a [u8], &'a [u8]);

/// The subsystems with their paths, under the names that Falco has for them.
fn memberships(thread: &Thread) -> impl Iterator<Item = (Subsystem<'_>, &[u8])> {
    const SURPLUS: &[u8] = b"_cgroup";
    terminated_items(&thread.cgroups).filter_map(|item| {
        let equals = item.iter().position(|&byte| byte == b'=')?;
        let (name, path) = item.split_at_checked(equals)?;
        let (head, tail) = match memchr::memmem::find(name, SURPLUS) {
            None => (name, &b""[..]),
            Some(at) => (name.get(..at)?, name.get(at + SURPLUS.len()..)?),
        };
        let name = match (head, tail) {
            (b"perf", b"") => (&b"perf_event"[..], tail),
            (b"mem", b"") => (&b"memory"[..], tail),
            (b"io", b"") => (&b"blkio"[..], tail),
            other => other,
        };
        Some((name, path.get(1..)?))
    })
}

/// The number of live threads, and of those that are not the leader.
#[must_use]
pub fn live_threads(event: &Event<'_>, thread: &Thread) -> (u64, u64) {
    let Some(main) = event.world.main_thread(thread) else { return (0, 0) };
    (main.nthreads, main.nthreads.saturating_sub(u64::from(!main.is_dead)))
}

/// What `procinfo` tells of the last second's use of a CPU; nothing before its second entry.
pub fn cpu_share<'a>(event: &Event<'a>, _: &Arg) -> Option<Value<'a>> {
    event.thread.filter(|_| event.ty == known::PROCINFO).map(|_| Value::Double(0.0))
}

/// A size of the process, told with its main thread only.
#[must_use]
pub fn of_main<'a>(thread: &Thread, kb: Option<u32>, factor: u64) -> Option<Value<'a>> {
    let kb = kb?;
    Some(Value::UInt(if thread.is_main() { u64::from(kb) * factor } else { 0 }))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::support::{Scene, shown};

    #[test]
    fn the_command_line_begins_with_comm_and_the_exe_line_with_argv_0() {
        let mut scene = Scene::new("execve");
        scene.thread.comm = Arc::from(&b"ls"[..]);
        scene.thread.exe = Arc::from(&b"/bin/ls"[..]);
        assert_eq!(shown(&scene, "proc.cmdline"), "ls");
        assert_eq!(shown(&scene, "proc.exeline"), "/bin/ls ");
        scene.thread.args = Arc::from(&b"-l\0/tmp dir\0"[..]);
        assert_eq!(shown(&scene, "proc.cmdline"), "ls -l /tmp dir");
        assert_eq!(shown(&scene, "proc.args[1]"), "/tmp dir");
        assert_eq!(shown(&scene, "proc.args[7]"), "");
        assert_eq!(shown(&scene, "proc.cmdnargs"), "2");
        assert_eq!(shown(&scene, "proc.cmdlenargs"), "10");
    }

    #[test]
    fn a_variable_is_trimmed_and_a_missing_one_is_empty() {
        let mut scene = Scene::new("execve");
        scene.thread.env = Arc::from(&b"HOME= /root \0PATH=/bin\0"[..]);
        assert_eq!(shown(&scene, "proc.env[HOME]"), "/root");
        assert_eq!(shown(&scene, "proc.env[SHELL]"), "");
        assert_eq!(shown(&scene, "proc.env[HOM]"), "");
        assert_eq!(shown(&scene, "proc.env"), "HOME= /root  PATH=/bin");
    }

    #[test]
    fn what_was_not_read_in_time_is_absent() {
        let mut scene = Scene::new("execve");
        scene.thread.unread = crate::event::Unread::ARGS;
        assert_eq!(shown(&scene, "proc.cmdline"), "<NA>");
        assert_eq!(shown(&scene, "proc.args"), "<NA>");
        assert_eq!(shown(&scene, "proc.name"), "bash");
    }

    #[test]
    fn control_groups_are_found_by_subsystem() {
        let mut scene = Scene::new("execve");
        scene.thread.cgroups = Arc::from(&b"cpuset=/\0cpu=/a.slice\0"[..]);
        assert_eq!(shown(&scene, "thread.cgroups"), "cpuset=/ cpu=/a.slice");
        assert_eq!(shown(&scene, "thread.cgroup.cpu"), "/a.slice");
        assert_eq!(shown(&scene, "thread.cgroup.memory"), "<NA>");
    }
}
