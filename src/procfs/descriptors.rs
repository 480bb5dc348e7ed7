//! The open descriptors of a process, `/proc/PID/fd/…`.
//!
//! Sources: proc_pid_fd(5); net/socket.c for a socket's protocol.

use std::ops::ControlFlow;
use std::os::fd::AsFd;
use std::os::fd::OwnedFd;

use nix::errno::Errno;
use nix::fcntl::AtFlags;
use nix::sys::stat::FileStat;

use super::Error;
use super::Result;
use super::decimal_name;
use super::each_number;
use super::files::read_link;
use crate::sys;

/// The open descriptors of one process.
#[derive(Debug)]
pub struct FdsDir {
    dir: OwnedFd,
}

impl FdsDir {
    /// The descriptors whose directory this is.
    pub(super) const fn of(dir: OwnedFd) -> Self {
        Self { dir }
    }

    /// The numbers of at most `limit` descriptors, in ascending order.
    ///
    /// # Errors
    ///
    /// Those of getdents(2).
    pub fn numbers(&self, limit: usize, into: &mut Vec<i32>) -> Result<()> {
        into.clear();
        let mut entries = sys::fs::entries(self.dir.try_clone()?)?;
        each_number(&mut entries, |number| {
            into.push(number);
            if into.len() < limit { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })
    }

    /// The text of a descriptor's link.
    ///
    /// # Errors
    ///
    /// [`Error::Gone`] if it was closed.
    pub fn link<'b>(&self, number: i32, buffer: &'b mut [u8]) -> Result<&'b [u8]> {
        read_link(self.dir.as_fd(), decimal_name(number, &mut [0; 12]), buffer)
    }

    /// What stat(2) says of the open file.
    ///
    /// # Errors
    ///
    /// [`Error::Gone`] if it was closed.
    pub fn stat(&self, number: i32) -> Result<FileStat> {
        let mut digits = [0; 12];
        let name = decimal_name(number, &mut digits);
        Ok(nix::sys::stat::fstatat(&self.dir, name, AtFlags::empty())?)
    }

    /// What the kernel calls the protocol of a socket: `TCP`, `UDPv6`, `UNIX-STREAM` …
    ///
    /// # Errors
    ///
    /// [`Error::Gone`] if it was closed; of what is no socket any error.
    pub fn socket_protocol<'b>(&self, number: i32, buffer: &'b mut [u8]) -> Result<&'b [u8]> {
        let name = c"system.sockprotoname";
        let value =
            sys::fs::attribute_of(self.dir.as_fd(), number, name, buffer).map_err(|error| {
                error.raw_os_error().map_or(Error::Denied, |n| Errno::from_raw(n).into())
            })?;
        Ok(value.strip_suffix(b"\0").unwrap_or(value))
    }
}
