//! What the agent gives up once its sources are open.
//!
//! A service's unit bounds its capabilities; this is for whoever starts the program otherwise. Who
//! takes the agent over then can't load modules, change the clock or become somebody else.

use crate::config::Config;
use crate::log;
use crate::log::Level;
use crate::sys::process;
use crate::sys::process::Capability;

/// What is needed while the agent runs, and for what.
const KEPT: [Capability; 14] = [
    // Marks on new mounts, sources that a reload opens.
    Capability::SysAdmin,
    // A new subscription after the old one died.
    Capability::NetAdmin,
    // /proc of all processes.
    Capability::SysPtrace,
    Capability::DacReadSearch,
    // The loop runs before other programs; limits.
    Capability::SysNice,
    Capability::SysResource,
    // Audit's rules and records.
    Capability::AuditControl,
    Capability::AuditRead,
    Capability::AuditWrite,
    // Helpers of our own are ended, whoever they run as.
    Capability::Kill,
    // Files of alerts, wherever they are and whoever rotates them.
    Capability::DacOverride,
    Capability::Chown,
    Capability::Fowner,
    // The web server's port.
    Capability::NetBindService,
];

/// Gives up the rest, in this thread and in those that it starts. What isn't possible is told.
pub(super) fn give_up(config: &Config) {
    if let Err(error) = process::forbid_core_files() {
        log!(Level::Debug, "core files can't be forbidden: {error}");
    }
    if config.outputs.program.is_some() {
        // They run with what we have, and may be anything.
        return;
    }
    if let Err(error) = process::keep_capabilities(&KEPT) {
        log!(Level::Warning, "capabilities that aren't needed can't be given up: {error}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_capability_is_kept_twice_and_the_dangerous_ones_not_at_all() {
        let mut numbers: Vec<_> = KEPT.iter().map(|one| *one as u8).collect();
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), KEPT.len());
        // setgid, setuid, module, rawio, boot, time, mknod
        for dangerous in [6, 7, 16, 17, 22, 25, 27] {
            assert!(!numbers.contains(&dangerous), "{dangerous}");
        }
    }
}
