//! A child that goes on with this program's code instead of becoming another, and threads with a
//! descriptor table of their own.
//!
//! Sources: fork(2), unshare(2), prctl(2), close_range(2).

use std::ffi::CStr;
use std::io;
use std::os::fd::AsRawFd;
use std::os::fd::BorrowedFd;
use std::os::fd::FromRawFd;
use std::os::fd::OwnedFd;

use nix::errno::Errno;
use nix::sys::signal::SigSet;
use nix::sys::signal::SigmaskHow;
use nix::sys::signal::Signal;
use nix::sys::wait::WaitPidFlag;
use nix::sys::wait::WaitStatus;
use nix::unistd::Pid;

/// Forks; the child runs `child` and ends when that returns or panics, without the destructors of
/// what it inherited. All signals are blocked in the child, so that only `SIGKILL` and `SIGSTOP`
/// reach it. The child's pid.
///
/// With other threads about, the child must keep to what needs none of their locks. The memory
/// allocator's are safe: glibc takes care of them in fork(2).
///
/// # Errors
///
/// `EAGAIN`, `ENOMEM`.
pub fn fork(child: impl FnOnce()) -> io::Result<i32> {
    // Before the fork: none may come between it and the child's first step.
    let before = SigSet::all().thread_swap_mask(SigmaskHow::SIG_SETMASK)?;
    // SAFETY: the child runs only `child`, whose callers promise to need no lock of another
    // thread, and then ends.
    match unsafe { libc::fork() } {
        0 => {
            let _end = EndOfChild;
            child();
            // Dropped in any case, by a panic too: the child must not go on as its parent.
            Ok(0)
        }
        pid => {
            let forked = super::check(pid);
            before.thread_set_mask()?;
            forked
        }
    }
}

/// Ends the process at once when dropped.
struct EndOfChild;

impl Drop for EndOfChild {
    fn drop(&mut self) {
        // SAFETY: _exit(2) takes an integer and does not return.
        unsafe { libc::_exit(0) }
    }
}

/// Closes every descriptor of this thread's table but those in `keep` (in ascending order), and
/// points the standard ones that are not kept to /dev/null.
///
/// Their owners must not use or close them any more: for a child after [`fork()`].
pub fn close_all_but(keep: &[i32]) {
    let mut from: u32 = 0;
    for number in keep.iter().filter_map(|number| u32::try_from(*number).ok()) {
        if number > from {
            close_range(from, number - 1);
        }
        from = number.saturating_add(1);
    }
    close_range(from, u32::MAX);
    for number in 0..=2 {
        if !keep.contains(&number) {
            // SAFETY: the path ends in NUL; the lowest free number is the one that was closed.
            let _ = unsafe { libc::open(c"/dev/null".as_ptr(), libc::O_RDWR) };
        }
    }
}

fn close_range(first: u32, last: u32) {
    // SAFETY: close_range(2) takes integers; the caller's caller promises that nobody uses these.
    let returned = unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) };
    if returned == 0 {
        return;
    }
    // Before 5.9: one by one, as many as the limit allows.
    let limit = nix::sys::resource::getrlimit(nix::sys::resource::Resource::RLIMIT_NOFILE);
    let limit = limit.map_or(65_536, |(_, hard)| hard.min(1 << 20));
    let end = u64::from(last).min(limit);
    for number in u64::from(first)..=end {
        if let Ok(number) = i32::try_from(number) {
            // SAFETY: close(2) takes an integer; see above.
            unsafe { libc::close(number) };
        }
    }
}

/// Gives the calling thread a descriptor table of its own in which nothing is open but `keep` (in
/// ascending order), under the same numbers: threads that it starts share it, all others don't, so
/// nobody else can use the numbers up. What is kept there, in the same order.
///
/// # Errors
///
/// `ENOMEM`, `EMFILE`.
#[doc(alias = "unshare")]
pub fn own_descriptors(keep: &[i32]) -> io::Result<Vec<OwnedFd>> {
    // SAFETY: unshare(2) takes an integer; with this flag only descriptor numbers are concerned.
    super::check(unsafe { libc::unshare(libc::CLONE_FILES) })?;
    close_all_but(keep);
    // SAFETY: these numbers are open in this table, which is the calling thread's alone; their
    // owners own them in the table that it left.
    Ok(keep.iter().map(|number| unsafe { OwnedFd::from_raw_fd(*number) }).collect())
}

/// Makes a file without a name, for [`exec`] alone.
///
/// # Errors
///
/// `ENOSYS` before 3.17; `EACCES` where `vm.memfd_noexec` forbids it.
#[doc(alias = "memfd_create")]
pub fn nameless_program(content: &[u8]) -> io::Result<OwnedFd> {
    /// `MFD_EXEC` in linux/memfd.h, 6.3: else the kernel logs that it is missing.
    const MFD_EXEC: u32 = 0x10;
    let make = |flags: u32| {
        // SAFETY: the name ends in NUL, and the call keeps no pointer.
        super::check(unsafe { libc::memfd_create(c"program".as_ptr(), flags) })
    };
    let number = make(libc::MFD_CLOEXEC | MFD_EXEC).or_else(|_| make(libc::MFD_CLOEXEC))?;
    // SAFETY: the kernel has just returned the number to us alone.
    let file = unsafe { OwnedFd::from_raw_fd(number) };
    nix::unistd::write(&file, content)?;
    Ok(file)
}

/// Becomes the program of an open file, with one argument and no environment; returns only if that
/// fails. It allocates nothing: for a child after [`fork()`].
#[doc(alias = "execveat")]
pub fn exec(program: BorrowedFd<'_>, argument: &CStr) {
    let arguments = [argument.as_ptr(), std::ptr::null()];
    let environment = [std::ptr::null::<libc::c_char>()];
    // SAFETY: both arrays end in a null pointer, all texts in NUL, and all outlive the call.
    unsafe {
        libc::syscall(
            libc::SYS_execveat,
            program.as_raw_fd(),
            c"".as_ptr(),
            arguments.as_ptr(),
            environment.as_ptr(),
            libc::AT_EMPTY_PATH,
        )
    };
}

/// Makes the calling process the leader of a session: a terminal's signals don't reach it.
pub fn own_session() {
    // It fails for the leader of a group, which a child never is.
    let _ = nix::unistd::setsid();
}

/// Names the calling thread as `ps` shows it; at most 15 bytes of it.
pub fn set_name(name: &CStr) {
    // SAFETY: the call reads a text that ends in NUL and keeps no pointer.
    unsafe { libc::prctl(libc::PR_SET_NAME, name.as_ptr(), 0, 0, 0) };
}

/// The parent of the calling process, as it is now.
#[must_use]
pub fn parent() -> i32 {
    nix::unistd::getppid().as_raw()
}

/// Whether a child of ours has ended; if so, nothing of it is left then.
#[must_use]
pub fn has_ended(child: i32) -> bool {
    let status = nix::sys::wait::waitpid(Pid::from_raw(child), Some(WaitPidFlag::WNOHANG));
    !matches!(status, Ok(WaitStatus::StillAlive) | Err(Errno::EINTR))
}

/// Kills a child of ours and waits for its end.
pub fn kill(child: i32) {
    let pid = Pid::from_raw(child);
    let _ = nix::sys::signal::kill(pid, Signal::SIGKILL);
    let _ = nix::sys::wait::waitpid(pid, None);
}

/// Waits for the end of a child of ours.
pub fn wait(child: i32) {
    while nix::sys::wait::waitpid(Pid::from_raw(child), None) == Err(Errno::EINTR) {}
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;
    use std::os::fd::AsRawFd;

    use super::super::channel;
    use super::*;

    #[test]
    fn a_child_keeps_what_it_is_told_to_and_ends_by_itself() {
        let (ours, theirs) = channel::pair().unwrap();
        let child = fork(|| {
            close_all_but(&[theirs.as_raw_fd()]);
            let _ = channel::send(theirs.as_fd(), b"here", None);
        })
        .unwrap();
        drop(theirs);
        crate::sys::poll::wait_readable(ours.as_fd(), std::time::Duration::from_secs(20)).unwrap();
        let mut buffer = [0; 8];
        assert_eq!(channel::receive(ours.as_fd(), &mut buffer).unwrap().0, 4);
        wait(child);
        assert!(has_ended(child));
    }

    #[test]
    fn a_child_that_panics_ends_and_goes_on_as_nobody() {
        let child = fork(|| {
            std::panic::set_hook(Box::new(|_| {}));
            panic!("in the child");
        })
        .unwrap();
        wait(child);
        assert!(has_ended(child));
    }

    #[test]
    fn a_thread_with_its_own_table_closes_nothing_of_others() {
        let file = tempfile::tempfile().unwrap();
        let number = file.as_raw_fd();
        // Its other end is the main table's: in the thread's own it is closed.
        let (kept, _other) = channel::pair().unwrap();
        std::thread::spawn(move || {
            let own = own_descriptors(&[kept.as_raw_fd()]).unwrap();
            assert!(nix::unistd::close(number).is_err());
            channel::send(own[0].as_fd(), b"still open", None).unwrap();
            std::mem::forget(kept);
        })
        .join()
        .unwrap();
        assert!(file.metadata().is_ok());
    }
}
