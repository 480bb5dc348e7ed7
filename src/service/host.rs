//! Where the host's file system is, if the agent runs in a container.
//!
//! `HOST_ROOT` is Falco's environment variable: a container gets the host's `/proc`, `/etc` and what
//! its runtimes keep below a directory (`-v /proc:/host/proc:ro`), and the variable names it. What is
//! the agent's own (configuration, rules, outputs, `/proc/self`) is not looked for there.

use std::path::Path;
use std::path::PathBuf;

use super::Error;
use crate::config::Config;
use crate::enrich::LiveEnricher;
use crate::enrich::LiveError;
use crate::enrich::Settings;
use crate::enrich::settings::below_root;
use crate::log;
use crate::log::Level;

/// The variable's name.
pub const VARIABLE: &str = "HOST_ROOT";

/// The root of the host's file system: what the variable says, else ours.
#[must_use]
pub fn root() -> PathBuf {
    of(std::env::var_os(VARIABLE).map(PathBuf::from))
}

fn of(told: Option<PathBuf>) -> PathBuf {
    told.filter(|told| !told.as_os_str().is_empty()).unwrap_or_else(|| PathBuf::from("/"))
}

/// Where a path of the host is for us.
#[must_use]
pub fn path(path: &str) -> PathBuf {
    below_root(&root(), Path::new(path))
}

/// What is wrong with a root that was told, if something is: what the kernel tells of processes
/// bears the numbers of our own namespace of processes, and so must the host's `/proc`.
#[must_use]
pub fn complaint() -> Option<String> {
    let root = root();
    let proc = below_root(&root, Path::new("/proc"));
    let told = std::fs::read_link(proc.join("self")).ok()?;
    let own = std::process::id().to_string();
    (told.as_os_str() != own.as_str()).then(|| {
        format!(
            "{VARIABLE}={}: {} numbers processes otherwise than the kernel does for this agent, so \
             that none is found; give the agent's container the host's processes (docker: \
             --pid=host)",
            root.display(),
            proc.display(),
        )
    })
}

/// What makes events of the host's processes and files.
///
/// # Errors
///
/// [`Error::Refused`] if there is no `/proc` to read.
pub(super) fn enricher(has_open_exec: bool, config: &Config) -> Result<LiveEnricher, Error> {
    let settings = Settings {
        max_processes: config.thread_table_size.clamp(1, super::MAX_PROCESSES),
        host_root: root(),
        docker_root: path("/var/lib/docker"),
        containerd_state: path("/run/containerd"),
        has_open_exec,
        ..Default::default()
    };
    let mut enricher = LiveEnricher::new(&path("/proc"), settings).map_err(no_processes)?;
    if let Some(complaint) = complaint() {
        log!(Level::Warning, "{complaint}");
    }
    let world = enricher.world_mut();
    world.buffers_in_base64 = config.buffer_base64;
    let host = &mut world.host;
    host.hostname = super::hostname().into_bytes();
    host.time_zone.offset_at = super::local_offset;
    Ok(enricher)
}

fn no_processes(error: LiveError) -> Error {
    let reason = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
    let root = root();
    let hint = if root == Path::new("/") {
        String::new()
    } else {
        format!("; {} says that the host is at {}", VARIABLE, root.display())
    };
    Error::Refused(format!("{error}: {reason}{hint}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_variable_is_none() {
        assert_eq!(of(Some(PathBuf::new())), Path::new("/"));
        assert_eq!(of(Some("/host/".into())), Path::new("/host"));
        assert_eq!(of(None), Path::new("/"));
    }

    #[test]
    fn our_own_proc_is_without_complaint() {
        assert_eq!(complaint(), None);
    }
}
