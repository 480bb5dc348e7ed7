//! Every unsafe line and every kernel number; knows nothing of the rest.
//!
//! One function is one call: no policy, no retry but after `EINTR`. Slices, [`BorrowedFd`] and
//! small structs go in, `OwnedFd` and values come out; no raw pointer and no bare descriptor
//! leaves this module. Errors are bare [`io::Error`]s: the caller knows what it wanted.
//!
//! What nix or fanotify-rs offer in a safe form is used from there.
//!
//! [`BorrowedFd`]: std::os::fd::BorrowedFd
#![allow(unsafe_code)]

use std::io;

pub mod abi;
pub mod channel;
pub mod child;
pub mod clock;
pub mod fanotify;
pub mod fs;
pub mod netlink;
pub mod placement;
pub mod poll;
pub mod process;
pub mod ptrace;
pub mod seccomp;
pub mod shared;

/// What a call returned, or `errno` if it is negative.
fn check(returned: libc::c_int) -> io::Result<libc::c_int> {
    if returned < 0 { Err(io::Error::last_os_error()) } else { Ok(returned) }
}

/// How many bytes or items a call returned, or `errno` if it is negative.
fn check_len(returned: isize) -> io::Result<usize> {
    usize::try_from(returned).map_err(|_| io::Error::last_os_error())
}

/// Name and text of an error's number, as in `EPERM (Operation not permitted)`.
#[must_use]
pub fn errno_text(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(number) => {
            let errno = nix::errno::Errno::from_raw(number);
            format!("{errno:?} ({})", errno.desc())
        }
        None => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_errno_is_told_by_name_and_text() {
        let error = io::Error::from_raw_os_error(libc::EPERM);
        assert_eq!(errno_text(&error), "EPERM (Operation not permitted)");
    }
}
