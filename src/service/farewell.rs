//! What signals mean once the end has begun: the same wish again, or no patience any more.
//!
//! One wish often comes as several signals at the same moment: timeout(1) signals the program and
//! then its whole process group, a terminal the group in which a wrapper passes its own on, systemd
//! every process of the unit. So signals close behind the first are taken for the same; a later one
//! ends the program where it stands.

use std::os::fd::AsFd as _;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::log;
use crate::log::Level;
use crate::sys::poll;
use crate::sys::poll::SignalFd;

/// Signals that come within this time are one wish. A person who presses the keys again, since
/// nothing seems to happen, takes longer.
const SAME_WISH: Duration = Duration::from_millis(500);

/// How long one wait for a signal lasts, at most; another follows.
const PATIENCE: Duration = Duration::from_secs(3600);

/// From here on a signal ends the program at once, except those that belong to the one that has
/// just begun the end. Call it when that has been read, with its signals still blocked.
pub(super) fn attend() {
    let began = Instant::now();
    let made = std::thread::Builder::new()
        .name("farewell".to_owned())
        .stack_size(64 << 10)
        .spawn(move || wait(began));
    if let Err(error) = made {
        log!(Level::Debug, "cannot start a thread for the end: {error}");
        let _ = poll::end_on_signals();
    }
}

fn wait(began: Instant) {
    let Ok(signals) = SignalFd::new(&[Signal::SIGINT, Signal::SIGTERM]) else {
        let _ = poll::end_on_signals();
        return;
    };
    loop {
        let _ = poll::wait_readable(signals.as_fd(), PATIENCE);
        let Ok(Some(signal)) = signals.read() else { continue };
        if began.elapsed() >= SAME_WISH {
            // It doesn't return, but for a signal that can't be raised.
            let _ = poll::end_by(signal);
        }
    }
}
