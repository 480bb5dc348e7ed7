//! Records of live sources become events: at most one event a record, and the world kept true.
//!
//! Nothing here waits: an open whose mode is told only by its close is held for at most
//! [`MAX_HOLD_NS`], and a change of identity that may be an exec's own for [`MAX_ID_HOLD_NS`]; both
//! are handed out by a later record or by [`LiveEnricher::tick`].
//!
//! Order: hand in the process records of one drain together and before the file records that were
//! read *before* that drain, so that an open finds the process as it is after its exec.
//!
//! What a record means is in `process_records.rs` and `file_records.rs`.

use std::io;
use std::net::IpAddr;
use std::path::Path;

use rustc_hash::FxHashSet;

use super::audit_records::AuditScratch;
use super::calls::CallScratch;
use super::cgroup::named_in;
use super::container::Containers;
use super::draft::Out;
use super::fds::Finder;
use super::file_records::Paths;
use super::layers::Layer;
use super::layers::Layers;
use super::look::Looker;
use super::look::Seen;
use super::looks::LookSource;
use super::looks::Looks;
use super::open_mode::PendingOpens;
use super::process::ProcessTable;
use super::process_records::HeldIds;
use super::settings::Needs;
use super::settings::Settings;
use super::standing::Looked;
use super::stdio::Stdio;
use super::users::Users;
use crate::decode::FileRecord;
use crate::decode::ProcessRecord;
use crate::decode::Record;
use crate::decode::procfs::TICKS_PER_SECOND;
use crate::decode::procfs::decimal;
use crate::decode::procfs::line_after;
use crate::event::Bytes;
use crate::event::Event;
use crate::event::InContainer;
use crate::event::Thread;
use crate::event::Unread;
use crate::event::World;
use crate::event::known;
use crate::metrics::METRICS;
use crate::procfs::Proc;
use crate::procfs::ProcessDir;
use crate::sys::clock;

/// Takes one event; it is gone when the call returns.
pub type EventSink<'s> = dyn FnMut(&Event<'_>) + 's;

/// How long an open may be held back to learn its mode: 50 ms.
pub const MAX_HOLD_NS: u64 = 50_000_000;

/// How long a change of identity may be held back to learn whether an exec made it: 10 ms.
pub const MAX_ID_HOLD_NS: u64 = 10_000_000;

/// How often the addresses of the interfaces are read: once a minute.
const ADDRESSES_NS: u64 = 60_000_000_000;

/// How often containers are forgotten that nobody is in: every 10 s.
const CONTAINERS_NS: u64 = 10_000_000_000;

/// Nanoseconds of a clock tick as `/proc` counts them.
const TICK_NS: u64 = 1_000_000_000 / TICKS_PER_SECOND;

/// Why the enrichment can't start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The directory of processes cannot be read.
    #[error("cannot read {path}")]
    Proc {
        /// The directory.
        path: String,
        /// What the kernel said.
        source: io::Error,
    },
}

/// The live half of enrichment: process table, containers, users, pending opens.
#[derive(Debug)]
pub struct LiveEnricher {
    pub(super) proc: Proc,
    pub(super) world: World,
    pub(super) table: ProcessTable,
    pub(super) looker: Looker,
    pub(super) looks: Looks,
    pub(super) exec_calls: Looks,
    pub(super) finder: Finder,
    /// Whose file record was the last, and when it was read.
    pub(super) opener: Option<((i32, u64), Option<ProcessDir>)>,
    pub(super) calls: CallScratch,
    pub(super) audit: AuditScratch,
    pub(super) containers: Containers,
    pub(super) users: Users,
    pub(super) layers: Layers,
    pub(super) stdio: Stdio,
    pub(super) opens: PendingOpens,
    pub(super) looked: Looked,
    pub(super) held_ids: HeldIds,
    /// Processes whose main thread has ended before others.
    pub(super) headless: FxHashSet<i64>,
    pub(super) needs: Needs,
    pub(super) settings: Settings,
    pub(super) out: Out,
    pub(super) paths: Paths,
    addresses_due_ns: u64,
    containers_due_ns: u64,
}

impl LiveEnricher {
    /// Reads the processes found under `proc_dir` (the host's `/proc`), its users and groups.
    ///
    /// # Errors
    ///
    /// [`Error::Proc`] if the directory cannot be read.
    pub fn new(proc_dir: &Path, settings: Settings) -> Result<Self, Error> {
        let proc = Proc::open(proc_dir)
            .map_err(|source| Error::Proc { path: proc_dir.display().to_string(), source })?;
        let own = proc.process(settings.own_pid).ok();
        let mut world = World::default();
        world.host.boot_ts = boot_time(&proc);
        let mut enricher = Self {
            world,
            table: ProcessTable::new(settings.max_processes, settings.max_bytes),
            looker: Looker::new(own.as_ref()),
            looks: Looks::default(),
            exec_calls: Looks::default(),
            finder: Finder::default(),
            opener: None,
            calls: CallScratch::default(),
            audit: AuditScratch::default(),
            containers: Containers::new(
                settings.host_root.clone(),
                settings.docker_root.clone(),
                settings.containerd_state.clone(),
            ),
            layers: Layers::new(settings.host_root.clone()),
            stdio: Stdio::default(),
            users: Users::new(&settings.host_root),
            opens: PendingOpens::new(settings.max_pending_opens),
            looked: Looked::default(),
            held_ids: HeldIds::default(),
            headless: FxHashSet::default(),
            needs: Needs::default(),
            out: Out::default(),
            paths: Paths::default(),
            addresses_due_ns: 0,
            containers_due_ns: 0,
            settings,
            proc,
        };
        enricher.out.now_ns = clock::realtime_ns();
        enricher.users.refresh_host(enricher.out.now_ns, &mut enricher.world);
        enricher.refresh_addresses(enricher.out.now_ns);
        enricher.containers.read_docker_configuration();
        enricher.resync();
        Ok(enricher)
    }

    /// From now on makes only the events that `needs` names.
    pub fn set_needs(&mut self, needs: Needs) {
        self.needs = needs;
    }

    /// Whether records tell of programs all that their events need, however late they are read.
    #[must_use]
    pub fn has_exact_programs(&self) -> bool {
        self.needs.wants_call(known::EXECVE)
    }

    /// Whether of late each program was read while it stood still, so that its record may be read
    /// late.
    #[must_use]
    pub fn has_looks_of_all(&self) -> bool {
        self.looks.are_of_all()
    }

    /// From now on asks `source` for what was read of processes while they stood still: an exec
    /// whose process is gone before its record comes is told with that.
    pub fn set_looks(&mut self, source: Box<LookSource>) {
        self.looks.set_source(source);
    }

    /// From now on asks `source` for what was read of processes while they stood in execve(2).
    pub fn set_exec_calls(&mut self, source: Box<LookSource>) {
        self.exec_calls.set_source(source);
    }

    /// Takes one record; hands at most one event of it to `sink`, after the held ones that it
    /// decides.
    pub fn record(&mut self, record: &Record<'_>, sink: &mut EventSink<'_>) {
        match record {
            Record::Process(record) => self.processes(&[*record], sink),
            Record::File(record) => self.file(record, sink),
            Record::Audit(event) => self.audit(event, sink),
        }
    }

    /// Takes the process records of one drain, in order of their time. Better than one by one:
    /// of two execs of one process the first is then known to be replaced already.
    pub fn processes(&mut self, records: &[ProcessRecord], sink: &mut EventSink<'_>) {
        for (place, record) in records.iter().enumerate() {
            self.note_time(record.wall_ns);
            let later = records.get(place + 1..).unwrap_or_default();
            self.process(record, later, sink);
        }
    }

    /// Takes one file record.
    pub fn file(&mut self, record: &FileRecord<'_>, sink: &mut EventSink<'_>) {
        self.note_time(record.read_at_ns);
        self.file_record(record, sink);
    }

    /// Hands out what was held long enough, and forgets what is old. `now_ns`: nanoseconds since
    /// the epoch. Call it when [`next_due_ns`](Self::next_due_ns) has come, and every second.
    pub fn tick(&mut self, now_ns: u64, sink: &mut EventSink<'_>) {
        self.out.now_ns = now_ns;
        self.opener = None;
        self.tell_due_ids(now_ns, sink);
        while let Some(open) = self.opens.pop_due(now_ns) {
            self.tell_held_open(&open, super::open_mode::OpenMode::Unknown, sink);
        }
        self.table.expire(&mut self.world, now_ns);
        self.looks.expire(clock::monotonic_ns());
        self.exec_calls.expire(clock::monotonic_ns());
        self.users.refresh_host(now_ns, &mut self.world);
        if now_ns >= self.addresses_due_ns {
            self.refresh_addresses(now_ns);
        }
        if now_ns >= self.containers_due_ns {
            self.containers_due_ns = now_ns.saturating_add(CONTAINERS_NS);
            self.forget_containers();
        }
    }

    /// Forgets containers of which no process is in the table.
    fn forget_containers(&mut self) {
        let Self { world, containers, users, .. } = self;
        let threads = world.threads.values();
        let inhabited: FxHashSet<Bytes> = threads
            .filter_map(|thread| match &thread.container {
                InContainer::Id(id) => Some(Bytes::clone(id)),
                InContainer::Host | InContainer::Unknown => None,
            })
            .collect();
        let is_inhabited = |id: &Bytes| inhabited.contains(id);
        containers.retain(is_inhabited, &mut world.containers);
        users.retain_containers(is_inhabited, world);
    }

    /// Reads the addresses of this machine's interfaces, which may change.
    fn refresh_addresses(&mut self, now_ns: u64) {
        self.addresses_due_ns = now_ns.saturating_add(ADDRESSES_NS);
        if let Ok(interfaces) = nix::ifaddrs::getifaddrs() {
            let own = interfaces.filter_map(|interface| address_of(&interface.address?));
            self.world.host.addresses = own.collect();
        }
    }

    /// When [`tick`](Self::tick) has something to hand out, in nanoseconds since the epoch.
    #[must_use]
    pub fn next_due_ns(&self) -> Option<u64> {
        match (self.opens.next_due_ns(), self.held_ids.next_due_ns()) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }

    /// After lost records: reads all processes anew.
    pub fn resync(&mut self) {
        let Ok(mut pids) = self.proc.pids() else { return };
        // Parents mostly have smaller numbers: they are there when their children come.
        pids.sort_unstable();
        for &pid in &pids {
            self.reread(pid);
        }
        self.headless.clear();
        let alive: FxHashSet<i64> = pids.into_iter().map(i64::from).collect();
        let gone: Vec<i64> = self
            .world
            .threads
            .values()
            .filter(|thread| !thread.is_dead && !alive.contains(&thread.pid))
            .map(|thread| thread.pid)
            .collect();
        for pid in gone {
            self.table.died(&mut self.world, pid, self.out.now_ns);
        }
    }

    /// How many containers are known; those without a process are soon forgotten.
    #[must_use]
    pub fn container_count(&self) -> u64 {
        u64::try_from(self.world.containers.len()).unwrap_or(u64::MAX)
    }

    /// How many processes are in the table, the dead ones of the last seconds among them.
    #[must_use]
    pub fn process_count(&self) -> u64 {
        u64::try_from(self.table.len()).unwrap_or(u64::MAX)
    }

    /// How many processes were forgotten though they lived, for want of room in the table.
    #[must_use]
    pub const fn forgotten_processes(&self) -> u64 {
        self.table.forgotten()
    }

    /// How many processes were put into the table and taken out of it since the start.
    #[must_use]
    pub const fn turnover(&self) -> (u64, u64) {
        self.table.turnover()
    }

    /// What is known.
    #[must_use]
    pub const fn world(&self) -> &World {
        &self.world
    }

    /// What is known, to set what others find out (host name, addresses).
    pub const fn world_mut(&mut self) -> &mut World {
        &mut self.world
    }

    /// Reads a process whatever is known of it, unless what is known is dead and it too.
    pub(super) fn reread(&mut self, pid: i32) {
        let Ok(process) = self.proc.process(pid) else { return };
        let key = i64::from(pid);
        if let Some(thread) = self.world.threads.get_mut(&key).filter(|thread| !thread.is_dead) {
            let start = thread.start_ticks;
            if let Ok(seen) = self.looker.look(&process, start, thread) {
                self.table.reparent(&mut self.world, key, seen.ppid);
                self.table.changed(&mut self.world, key);
                self.find_layer(key, &process, &seen);
                self.complete(key, Some(&process));
                return;
            }
        }
        self.read_new(&process, key);
    }

    /// Reads a process that is not known, in place of what has its number.
    fn read_new(&mut self, process: &ProcessDir, key: i64) -> bool {
        let mut thread = Thread::unknown(key, key);
        let Ok(seen) = self.looker.look(process, 0, &mut thread) else {
            return false;
        };
        thread.ptid = seen.ppid;
        thread.clone_ts = self.start_ts(seen.start_ticks);
        self.table.insert(&mut self.world, thread);
        self.find_layer(key, process, &seen);
        self.complete(key, Some(process));
        true
    }

    pub(super) fn note_time(&mut self, now_ns: u64) {
        self.out.now_ns = self.out.now_ns.max(now_ns);
        let first = &mut self.world.host.first_event_ts;
        if *first == 0 {
            *first = now_ns;
        }
    }

    /// When a process started, in nanoseconds since the epoch.
    pub(super) fn start_ts(&self, start_ticks: u64) -> u64 {
        start_ts(self.world.host.boot_ts, start_ticks)
    }

    /// Makes a process known, if it isn't, by reading it; so its ancestors.
    pub(super) fn know(&mut self, pid: i32) {
        const MAX_DEPTH: usize = 16;
        let mut pid = i64::from(pid);
        for _ in 0..MAX_DEPTH {
            if pid <= 0 {
                return;
            }
            if self.world.threads.contains_key(&pid) {
                METRICS.enrich.known.increment();
                return;
            }
            let process = i32::try_from(pid).ok().and_then(|pid| self.proc.process(pid).ok());
            if !process.is_some_and(|process| self.read_new(&process, pid)) {
                METRICS.enrich.missed.increment();
                return;
            }
            METRICS.enrich.read.increment();
            pid = self.world.thread(pid).map_or(0, |thread| thread.ptid);
        }
    }

    /// Finds in which layer of an overlay the executable lies that was looked at.
    pub(super) fn find_layer(&mut self, pid: i64, process: &ProcessDir, seen: &Seen) {
        let Some(thread) = self.world.threads.get_mut(&pid) else { return };
        if !thread.has_read(Unread::EXEPATH) {
            return;
        }
        let layer = match (seen.exe.has_no_name, thread.is_exe_from_memfd) {
            (_, Some(true)) => Some(Layer::None),
            (Some(false), _) => self.layers.layer_of(process, &thread.exepath, self.out.now_ns),
            _ => None,
        };
        thread.is_exe_upper_layer = layer.map(|layer| layer == Layer::Upper);
        thread.is_exe_lower_layer = layer.map(|layer| layer == Layer::Lower);
    }

    /// Finds what hangs on a process that was read: its container, users, namespace.
    pub(super) fn complete(&mut self, pid: i64, process: Option<&ProcessDir>) {
        let now_ns = self.out.now_ns;
        let start = self.namespace_start(pid).unwrap_or(0);
        if let Some(thread) = self.world.threads.get_mut(&pid) {
            thread.pidns_init_start_ts = start;
        }
        let Some(thread) = self.world.threads.get(&pid) else { return };
        let is_hosts_root = thread.uid == Some(0) && thread.vpid == thread.pid;
        if is_hosts_root && thread.comm.starts_with(b"dockerd") {
            self.containers.note_docker_daemon(thread.arguments());
        }
        let InContainer::Id(id) = &thread.container else { return };
        let id = Bytes::clone(id);
        if !self.world.containers.contains_key(&id)
            && let Some(named) = named_in(&thread.cgroups)
        {
            let known = &mut self.world.containers;
            self.containers.find(&id, named.runtime, named.full_id, now_ns, known);
        }
        if let Some(process) = process {
            self.users.refresh_container(&id, process, now_ns, &mut self.world);
        }
    }

    /// When the first process of a process's pid namespace started.
    fn namespace_start(&self, pid: i64) -> Option<u64> {
        let thread = self.world.thread(pid)?;
        if thread.vpid == thread.pid {
            return self.world.thread(1).map(|init| init.clone_ts);
        }
        if thread.vpid == 1 {
            return Some(thread.clone_ts);
        }
        let is_kin = |other: &Thread| {
            other.container == thread.container && other.vpid > 0 && other.vpid != other.pid
        };
        if let Some(kin) = self.world.ancestors(thread).take(16).find(|other| is_kin(other)) {
            return Some(kin.pidns_init_start_ts);
        }
        // It came in from outside: what its container's first process is must be looked for.
        if !matches!(thread.container, InContainer::Id(_)) || thread.vpid <= 0 {
            return None;
        }
        let mut threads = self.world.threads.values();
        Some(threads.find(|other| other.vpid == 1 && is_kin(other))?.clone_ts)
    }
}

/// When a process started, in nanoseconds since the epoch.
pub(super) const fn start_ts(boot_ts: u64, start_ticks: u64) -> u64 {
    boot_ts.saturating_add(start_ticks.saturating_mul(TICK_NS))
}

/// The IP address of an interface.
fn address_of(address: &nix::sys::socket::SockaddrStorage) -> Option<IpAddr> {
    let v4 = address.as_sockaddr_in().map(|v4| IpAddr::V4(v4.ip()));
    v4.or_else(|| address.as_sockaddr_in6().map(|v6| IpAddr::V6(v6.ip())))
}

/// When the system started, in nanoseconds since the epoch: from the clocks, which know it better
/// than `stat`'s whole seconds, unless the files are not those of this system.
fn boot_time(proc: &Proc) -> u64 {
    const SECOND: u64 = 1_000_000_000;
    let by_clock = clock::realtime_ns().saturating_sub(clock::boottime_ns());
    let mut text = Vec::new();
    let is_read = proc.read(c"stat", 4 << 20, &mut text).is_ok();
    let told = if is_read { line_after(&text, b"btime ").and_then(decimal) } else { None };
    match told.map(|seconds| seconds.saturating_mul(SECOND)) {
        Some(told) if told.abs_diff(by_clock) > 2 * SECOND => told,
        _ => by_clock,
    }
}
