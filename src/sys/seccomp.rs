//! Seccomp filters: BPF programs as values, installed by the form of prctl(2) that 3.5 has.
//!
//! Sources: prctl(2), seccomp(2), linux/filter.h, linux/seccomp.h.

use std::io;

/// `struct sock_filter`: one step of a program over `struct seccomp_data`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(C)]
pub struct Step {
    /// What to do.
    pub code: u16,
    /// Steps to skip if the comparison is true.
    pub if_true: u8,
    /// Steps to skip if it is false.
    pub if_false: u8,
    /// Its number.
    pub value: u32,
}

/// `BPF_LD | BPF_W | BPF_ABS`: load the word at `offset` of `struct seccomp_data`.
#[must_use]
pub const fn load(offset: u32) -> Step {
    Step { code: 0x20, if_true: 0, if_false: 0, value: offset }
}

/// `BPF_JMP | BPF_JEQ | BPF_K`: is the word `value`?
#[must_use]
pub const fn equals(value: u32, if_true: u8, if_false: u8) -> Step {
    Step { code: 0x15, if_true, if_false, value }
}

/// `BPF_JMP | BPF_JGT | BPF_K`: is the word above `value`?
#[must_use]
pub const fn above(value: u32, if_true: u8, if_false: u8) -> Step {
    Step { code: 0x25, if_true, if_false, value }
}

/// `BPF_JMP | BPF_JSET | BPF_K`: has the word a bit of `bits`?
#[must_use]
pub const fn has(bits: u32, if_true: u8, if_false: u8) -> Step {
    Step { code: 0x45, if_true, if_false, value: bits }
}

/// `SECCOMP_RET_ALLOW`.
pub const ALLOW: Step = Step { code: 0x06, if_true: 0, if_false: 0, value: 0x7fff_0000 };

/// `SECCOMP_RET_ERRNO`: the call fails with `errno` and is not made.
#[must_use]
pub const fn fail(errno: u16) -> Step {
    Step { code: 0x06, if_true: 0, if_false: 0, value: 0x0005_0000 | errno as u32 }
}

/// Where a word is in `struct seccomp_data`.
pub mod offset {
    /// The call's number.
    pub const NUMBER: u32 = 0;
    /// The lower half of argument `index`, from 0, on little-endian machines.
    #[must_use]
    pub const fn low_half(index: u32) -> u32 {
        16 + 8 * index
    }
}

/// Puts the calling thread, and the programs it becomes, under `program` for good. It can gain
/// no privileges by exec any more.
///
/// # Errors
///
/// `EINVAL` for a program that the kernel does not accept, or without `CONFIG_SECCOMP_FILTER`.
pub fn install(program: &[Step]) -> io::Result<()> {
    /// `struct sock_fprog`
    #[repr(C)]
    struct Program {
        len: u16,
        steps: *const Step,
    }
    let len = u16::try_from(program.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
    let program = Program { len, steps: program.as_ptr() };
    // SAFETY: this option takes integers only.
    super::check(unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) })?;
    // SAFETY: the call reads one sock_fprog and its `len` steps, whose layout is sock_filter's;
    // both live through the call, which copies them.
    super::check(unsafe {
        libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program)
    })?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filtered_call_fails_with_the_given_errno_in_this_thread_alone() {
        let number = u32::try_from(libc::SYS_uname).unwrap();
        let program = [load(offset::NUMBER), equals(number, 0, 1), fail(38), ALLOW];
        let thread = std::thread::spawn(move || {
            install(&program).unwrap();
            nix::sys::utsname::uname().map(drop)
        });
        assert_eq!(thread.join().unwrap(), Err(nix::errno::Errno::ENOSYS));
        assert!(nix::sys::utsname::uname().is_ok());
    }
}
