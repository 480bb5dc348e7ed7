//! Signals that a traced program gets while a call of it waits.
#![allow(unsafe_code, clippy::multiple_unsafe_ops_per_block, reason = "raw calls")]

use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering;

static CAUGHT: AtomicU32 = AtomicU32::new(0);

/// How often a handled signal has come.
pub fn caught() -> u32 {
    CAUGHT.load(Ordering::Relaxed)
}

extern "C" fn catch(_: libc::c_int) {
    CAUGHT.fetch_add(1, Ordering::Relaxed);
    // A call of the handler's own.
    // SAFETY: takes nothing.
    unsafe { libc::getppid() };
}

/// Handles a signal, with calls restarted or interrupted.
pub fn handle(signal: libc::c_int, flags: libc::c_int) {
    // SAFETY: a struct of integers and a function that only counts.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = catch as *const () as usize;
        action.sa_flags = flags;
        assert_eq!(libc::sigaction(signal, &raw const action, std::ptr::null_mut()), 0);
    }
}

/// Signals this thread from another one, again and again until it has got through.
pub fn interrupted<T>(act: impl FnOnce() -> T) -> T {
    let own = nix::unistd::gettid().as_raw();
    let group = nix::unistd::getpid().as_raw();
    let is_done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_done.load(Ordering::Acquire) {
                // Not a sleep, which may be what is told of.
                // SAFETY: no descriptors, and three integers.
                unsafe {
                    libc::poll(std::ptr::null_mut(), 0, 2);
                    libc::syscall(libc::SYS_tgkill, group, own, libc::SIGUSR1);
                }
            }
        });
        let done = act();
        is_done.store(true, Ordering::Release);
        done
    })
}
