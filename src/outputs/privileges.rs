//! What the thread of an output gives up before it writes: it speaks with servers, so whoever takes
//! it over by what he answers shall have won little.

use crate::log;
use crate::log::Level;
use crate::sys::process;
use crate::sys::process::Capability;
use crate::sys::seccomp;

/// What writing alerts may need, and for what.
const KEPT: [Capability; 4] = [
    // Files and sockets of other users; keys that only they may read.
    Capability::DacOverride,
    Capability::DacReadSearch,
    // Turning a file over in a directory of somebody else's whose sticky bit is set.
    Capability::Fowner,
    // The blocks that a filesystem keeps for root: others can fill a disk up to them.
    Capability::SysResource,
];

/// Gives up the rest, in the calling thread, and every system call that isn't needed; `name`: of
/// the output. What isn't possible is told.
pub(super) fn give_up(name: &str) {
    let given_up = process::keep_capabilities(&KEPT)
        .and_then(|()| seccomp::install(&seccomp::sending_program()));
    if let Err(error) = given_up {
        log!(Level::Warning, "{name}: its thread can't give up what it doesn't need: {error}");
    }
}
