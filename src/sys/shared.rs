//! Memory that a process shares with the children that it forks.
//!
//! Sources: mmap(2).

use std::io;
use std::sync::atomic::AtomicU64;

/// Words, all zero, that this process and the children that it forks from now on see alike.
///
/// They are never unmapped: whoever beats in one may be the last to run.
///
/// # Errors
///
/// Those of mmap(2).
#[doc(alias = "mmap")]
pub fn words(count: usize) -> io::Result<&'static [AtomicU64]> {
    let bytes = count.saturating_mul(size_of::<AtomicU64>());
    let protection = libc::PROT_READ | libc::PROT_WRITE;
    let flags = libc::MAP_SHARED | libc::MAP_ANONYMOUS;
    // SAFETY: a new anonymous mapping at an address of the kernel's choice touches nothing that is
    // there already.
    let start = unsafe { libc::mmap(std::ptr::null_mut(), bytes, protection, flags, -1, 0) };
    if start == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the mapping is `bytes` long, starts on a page, is zero (a valid AtomicU64), is only
    // ever used as atomics, and is never unmapped.
    Ok(unsafe { std::slice::from_raw_parts(start.cast::<AtomicU64>(), count) })
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use super::*;

    #[test]
    fn words_are_zero_and_keep_what_is_stored() {
        let words = words(3).unwrap();
        assert!(words.iter().all(|word| word.load(Ordering::Relaxed) == 0));
        words[2].store(7, Ordering::Relaxed);
        assert_eq!(words[2].load(Ordering::Relaxed), 7);
    }
}
