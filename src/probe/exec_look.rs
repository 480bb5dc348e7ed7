//! Whether a task can be looked at while it waits in execve(2) for an answer of ours.
//!
//! From 5.0 on the kernel asks about the opens of execve(2) apart. Until 5.7 such a task holds a lock
//! (`cred_guard_mutex`) that whoever reads its call or memory waits for, so that a look would end
//! when it is answered and not before. That is tried: a child of ours becomes a program that is none.
//!
//! Sources: fanotify_mark(2), proc_pid_syscall(5); fs/exec.c, fs/proc/base.c in the kernel.

use std::fs;
use std::io;
use std::os::fd::AsFd as _;
use std::os::fd::AsRawFd as _;
use std::os::fd::BorrowedFd;
use std::path::Path;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use crate::sys::abi;
use crate::sys::child;
use crate::sys::fanotify;
use crate::sys::fanotify::EventFd;
use crate::sys::poll;
use crate::sys::ptrace;

/// How long the child's call is waited for, and then the look.
const PATIENCE: Duration = Duration::from_secs(1);

/// How often it is looked again.
const PAUSE: Duration = Duration::from_millis(1);

/// What the child gives its call as an argument.
const ARGUMENT: &std::ffi::CStr = c"eyas-probe";

/// Tries it.
pub(super) fn attempt() -> io::Result<()> {
    let flags = abi::FAN_CLASS_CONTENT | abi::FAN_CLOEXEC | abi::FAN_NONBLOCK | abi::FAN_REPORT_TID;
    let group = fanotify::init(flags, libc::O_RDONLY | libc::O_CLOEXEC)?;
    let program = child::nameless_program(b"none")?;
    let number = program.as_raw_fd();
    let path = format!("/proc/self/fd/{number}");
    fanotify::mark(group.as_fd(), abi::FAN_MARK_ADD, abi::FAN_OPEN_EXEC_PERM, Path::new(&path))?;
    let child = child::fork(|| {
        // The group, too: if we die, its end lets the child go.
        child::close_all_but(&[number]);
        child::exec(program.as_fd(), ARGUMENT);
    })?;
    let looked = look_at(group.as_fd(), child);
    // Whatever still waits is allowed with that.
    drop(group);
    child::kill(child);
    looked
}

/// Waits for the child's call, looks at it, and answers.
fn look_at(group: BorrowedFd<'_>, child: i32) -> io::Result<()> {
    if !poll::wait_readable(group, PATIENCE)? {
        return Err(io::Error::from_raw_os_error(libc::EOPNOTSUPP));
    }
    let mut buffer = [0; abi::FAN_EVENT_METADATA_LEN];
    fanotify::read(group, &mut buffer)?;
    let [.., a, b, c, d, _, _, _, _] = buffer;
    let fd = i32::from_ne_bytes([a, b, c, d]);
    let (sender, looked) = mpsc::channel();
    let looker = thread::Builder::new().name("probe".to_owned()).spawn(move || {
        let _ = sender.send(can_look(child));
    });
    let found = looked.recv_timeout(PATIENCE);
    let answered = fanotify::allow(group, fd);
    drop(EventFd::adopt(fd));
    // If the look has waited for the answer, it ends with that.
    let _ = looker.map(thread::JoinHandle::join);
    answered?;
    found.unwrap_or_else(|_| Err(io::Error::from_raw_os_error(libc::EDEADLK)))
}

/// Reads the child's call and the first argument of it.
fn can_look(child: i32) -> io::Result<()> {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        let text = fs::read(format!("/proc/{child}/syscall"))?;
        if let Some(argv) = argv(&text) {
            let mut word = [0; 8];
            ptrace::read_memory(child, argv, &mut word)?;
            let wanted = ARGUMENT.to_bytes_with_nul();
            let mut argument = vec![0; wanted.len()];
            ptrace::read_memory(child, u64::from_ne_bytes(word), &mut argument)?;
            let is_it = argument == wanted;
            return if is_it { Ok(()) } else { Err(io::Error::from_raw_os_error(libc::EIO)) };
        }
        thread::sleep(PAUSE);
    }
    Err(io::Error::from_raw_os_error(libc::ETIMEDOUT))
}

/// The third argument of the child's call; `None` while it doesn't stand in it.
fn argv(text: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(text).ok()?;
    let mut words = text.split_whitespace();
    if words.next()?.parse() != Ok(libc::SYS_execveat) {
        return None;
    }
    u64::from_str_radix(words.nth(2)?.strip_prefix("0x")?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arguments_are_those_of_a_standing_call() {
        let text = format!("{} 0x3 0x1 0x7f01 0x7f02 0x1000 0x0 0x7fff 0x1\n", libc::SYS_execveat);
        assert_eq!(argv(text.as_bytes()), Some(0x7f01));
        assert_eq!(argv(b"running\n"), None);
        assert_eq!(argv(b"1 0x1 0x2 0x3 0x4 0x5 0x6 0x7 0x8\n"), None);
    }
}
