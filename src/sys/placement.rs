//! On which processor threads run.
//!
//! Sources: sched_setaffinity(2), proc(5) (`/proc/pid/stat`, field 39).

use std::io;

/// The processor that a thread ran on last; `None` if it is gone.
#[must_use]
pub fn processor_of(tid: i32) -> Option<usize> {
    /// Its place behind the name, which may hold anything but ends at the last parenthesis.
    const FIELD: usize = 39 - 3;
    let text = std::fs::read(format!("/proc/{tid}/stat")).ok()?;
    let end = text.iter().rposition(|&byte| byte == b')')?;
    let fields = std::str::from_utf8(text.get(end + 2..)?).ok()?;
    fields.split(' ').nth(FIELD)?.parse().ok()
}

/// Keeps a thread (0: the calling one) on one processor.
///
/// # Errors
///
/// `EINVAL` if that processor isn't among those that it may use; `EPERM` for others' threads.
#[doc(alias = "sched_setaffinity")]
pub fn stay_on(tid: i32, processor: usize) -> io::Result<()> {
    const WORDS: usize = 16;
    let mut mask = [0_u64; WORDS];
    let word = mask.get_mut(processor / 64).ok_or(io::ErrorKind::InvalidInput)?;
    *word = 1 << (processor % 64);
    // SAFETY: the call reads as many bytes as it is told of `mask`, which is as long.
    super::check(unsafe {
        libc::sched_setaffinity(tid, size_of_val(&mask), mask.as_ptr().cast())
    })?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_stays_where_it_is_put() {
        let own = nix::unistd::gettid().as_raw();
        let thread = std::thread::spawn(|| {
            let own = nix::unistd::gettid().as_raw();
            let processor = processor_of(own).unwrap();
            stay_on(0, processor).unwrap();
            (processor, processor_of(own))
        });
        let (wanted, found) = thread.join().unwrap();
        assert_eq!(found, Some(wanted));
        assert!(processor_of(own).is_some());
        assert_eq!(processor_of(i32::MAX), None);
    }
}
