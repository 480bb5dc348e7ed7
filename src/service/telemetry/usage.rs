//! What the agent and its host use, read when somebody asks.
//!
//! Sources: proc(5); kernel/cgroup memory files.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use crate::service::host;

/// Longest file that is read, in bytes.
const MAX_BYTES: u64 = 256 << 10;

/// Clock ticks and pages as the kernel counts them for programs.
const TICKS_PER_SECOND: f64 = 100.0;

/// What was read; what isn't known is absent.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Usage {
    /// Processor time of the agent since its start, in seconds.
    pub cpu_seconds: Option<f64>,
    /// Memory of the agent: resident, in bytes.
    pub rss: Option<u64>,
    /// Virtual.
    pub vsz: Option<u64>,
    /// Resident, shared pages by parts.
    pub pss: Option<u64>,
    /// Memory of the agent's control group, in bytes.
    pub container: Option<u64>,
    /// Share of time since boot in which the host's processors worked, 0 to 1.
    pub host_cpu: Option<f64>,
    /// Memory of the host that is in use, in bytes.
    pub host_memory: Option<u64>,
    /// Threads that run or could run.
    pub host_running: Option<u64>,
    /// Open files of the host.
    pub host_files: Option<u64>,
    /// When the host began, seconds since the epoch.
    pub boot_seconds: Option<u64>,
}

impl Usage {
    /// Reads it now.
    #[must_use]
    pub(super) fn now() -> Self {
        let stat = of_host("/proc/stat");
        let status = read("/proc/self/status");
        let kilobytes = |text: &str, key: &str| line(text, key)?.first()?.checked_mul(1024);
        let pss = read("/proc/self/smaps_rollup");
        let memory = of_host("/proc/meminfo");
        Self {
            cpu_seconds: cpu_seconds(&read("/proc/self/stat")),
            rss: kilobytes(&status, "VmRSS:"),
            vsz: kilobytes(&status, "VmSize:"),
            pss: kilobytes(&pss, "Pss:"),
            container: container_memory(),
            host_cpu: host_cpu(&stat),
            host_memory: used_memory(&memory),
            host_running: line(&stat, "procs_running").and_then(|all| all.first().copied()),
            host_files: numbers(&of_host("/proc/sys/fs/file-nr")).first().copied(),
            boot_seconds: line(&stat, "btime").and_then(|all| all.first().copied()),
        }
    }
}

fn read(path: impl AsRef<Path>) -> String {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(MAX_BYTES).read_to_end(&mut bytes));
    if read.is_err() {
        return String::new();
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn of_host(path: &str) -> String {
    read(host::path(path))
}

fn numbers(text: &str) -> Vec<u64> {
    text.split_ascii_whitespace().map_while(|word| word.parse().ok()).collect()
}

/// The numbers of the first line that begins with `key`.
fn line(text: &str, key: &str) -> Option<Vec<u64>> {
    text.lines().find_map(|line| Some(numbers(line.strip_prefix(key)?)))
}

/// Fields 14 and 15 of /proc/self/stat, behind a name that may hold anything.
#[expect(clippy::cast_precision_loss, reason = "a duration needs no more digits")]
fn cpu_seconds(stat: &str) -> Option<f64> {
    let fields: Vec<_> = stat.rsplit_once(") ")?.1.split_ascii_whitespace().collect();
    let ticks = |at: usize| fields.get(at)?.parse::<u64>().ok();
    Some((ticks(11)? + ticks(12)?) as f64 / TICKS_PER_SECOND)
}

/// From the first line of /proc/stat: user, nice, system, idle, iowait, …
#[expect(clippy::cast_precision_loss, reason = "a share needs no more digits")]
fn host_cpu(stat: &str) -> Option<f64> {
    let ticks = line(stat, "cpu ")?;
    // Guests' time, the ninth and tenth, is part of user and nice.
    let all: u64 = ticks.iter().take(8).sum();
    let idle = ticks.get(3)? + ticks.get(4)?;
    (all > 0).then(|| (all - idle.min(all)) as f64 / all as f64)
}

fn used_memory(meminfo: &str) -> Option<u64> {
    let of = |key| line(meminfo, key)?.first().copied();
    let free = of("MemFree:")? + of("Buffers:")? + of("Cached:")?;
    of("MemTotal:")?.saturating_sub(free).checked_mul(1024)
}

/// Falco's variable, else where the memory of our own group is in the two hierarchies.
fn container_memory() -> Option<u64> {
    let own = std::env::var("FALCO_CGROUP_MEM_PATH").ok();
    let path = own.as_deref().unwrap_or("/sys/fs/cgroup/memory/memory.usage_in_bytes");
    let first = |path: &str| numbers(&read(path)).first().copied();
    first(path).or_else(|| first("/sys/fs/cgroup/memory.current"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_proc_are_taken_apart() {
        assert_eq!(cpu_seconds("7 (a ) b) S 1 7 7 0 -1 1 2 3 4 5 150 50 9 9"), Some(2.0));
        assert_eq!(host_cpu("cpu  30 0 20 40 10 0 0 0 30 0\ncpu0 1 1 1 1\n"), Some(0.5));
        let memory = "MemTotal: 100 kB\nMemFree: 10 kB\nBuffers: 5 kB\nCached: 15 kB\n";
        assert_eq!(used_memory(memory), Some(70 * 1024));
        assert_eq!(line("procs_running 3\n", "procs_running"), Some(vec![3]));
        assert_eq!(used_memory(""), None);
    }

    #[test]
    fn this_process_uses_something() {
        let usage = Usage::now();
        assert!(usage.rss.is_some_and(|rss| rss > 100_000), "{usage:?}");
        assert!(usage.cpu_seconds.is_some() && usage.boot_seconds.is_some(), "{usage:?}");
    }
}
