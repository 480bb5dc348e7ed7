//! Records become events: the whole of the live enrichment over a `/proc` made of files.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use eyas::decode::FileRecord;
use eyas::decode::ProcessChange;
use eyas::decode::ProcessRecord;
use eyas::enrich::LiveEnricher;
use eyas::enrich::Needs;
use eyas::event::Event;
use eyas::event::Value;
use eyas::fields::lookup::lookup;

#[path = "support/fake_proc.rs"]
mod fake_proc;

use fake_proc::FakeProc;
use fake_proc::FakeProcess;

const OPEN: u64 = 0x20;
const OPEN_EXEC: u64 = 0x1000;
const CLOSE_WRITE: u64 = 0x8;
const CLOSE_NOWRITE: u64 = 0x10;

const SECOND: u64 = 1_000_000_000;
const NOW: u64 = (fake_proc::BOOT_SECONDS + 1000) * SECOND;

/// An enricher over a fake `/proc`, and the fields that are asked of each event.
struct Bench {
    proc: FakeProc,
    enricher: LiveEnricher,
    fields: &'static [&'static str],
    now: u64,
}

impl Bench {
    fn new(fields: &'static [&'static str]) -> Self {
        Self::with(FakeProc::new(), fields)
    }

    fn with(proc: FakeProc, fields: &'static [&'static str]) -> Self {
        let enricher = LiveEnricher::new(&proc.path(), proc.settings()).unwrap();
        Self { proc, enricher, fields, now: NOW }
    }

    /// Hands one record in; the events as lines of their type and fields.
    fn process(&mut self, pid: i32, what: ProcessChange) -> Vec<String> {
        self.processes(&[(pid, pid, what)])
    }

    /// Several of one drain: thread, process, change.
    fn processes(&mut self, changes: &[(i32, i32, ProcessChange)]) -> Vec<String> {
        let mut records = Vec::new();
        for (tid, pid, what) in changes {
            self.now += 1000;
            records.push(ProcessRecord {
                timestamp_ns: self.now - NOW,
                wall_ns: self.now,
                cpu: 0,
                tid: *tid,
                pid: *pid,
                what: *what,
            });
        }
        let (fields, mut told) = (self.fields, Vec::new());
        self.enricher.processes(&records, &mut |event| told.push(line(event, fields)));
        told
    }

    fn fork(&mut self, parent: i32, child: i32) -> Vec<String> {
        self.process(child, ProcessChange::Fork { parent_tid: parent, parent_pid: parent })
    }

    fn exit(&mut self, pid: i32, wait_status: u32) -> Vec<String> {
        self.process(pid, ProcessChange::Exit { wait_status, signal: 17, parent: None })
    }

    fn file(&mut self, pid: i32, path: &Path, mask: u64) -> Vec<String> {
        let stat = fs::metadata(path).unwrap();
        self.now += 1000;
        let record = FileRecord {
            mask,
            pid,
            path: path.as_os_str().as_encoded_bytes(),
            deleted: false,
            mode: stat.mode(),
            dev: stat.dev(),
            ino: stat.ino(),
            read_at_ns: self.now,
        };
        let (fields, mut told) = (self.fields, Vec::new());
        self.enricher.file(&record, &mut |event| told.push(line(event, fields)));
        told
    }

    fn tick(&mut self, later_ns: u64) -> Vec<String> {
        self.now += later_ns;
        let (fields, mut told) = (self.fields, Vec::new());
        self.enricher.tick(self.now, &mut |event| told.push(line(event, fields)));
        told
    }
}

fn line(event: &Event<'_>, fields: &[&str]) -> String {
    let mut line = event.ty.name().to_owned();
    for name in fields {
        let (name, argument) = match name.split_once('[') {
            Some((name, rest)) => (name, rest.strip_suffix(']')),
            None => (*name, None),
        };
        let field = lookup(name, argument).unwrap();
        line.push(' ');
        line.push_str(&text((field.info.read)(event, &field.arg)));
    }
    line
}

fn text(value: Option<Value<'_>>) -> String {
    match value {
        None => "-".to_owned(),
        Some(Value::Bytes(bytes)) => String::from_utf8_lossy(bytes).into_owned(),
        Some(Value::Int(number)) => number.to_string(),
        Some(Value::UInt(number)) => number.to_string(),
        Some(Value::Bool(value)) => value.to_string(),
        Some(Value::NotNegative) => "(not negative)".to_owned(),
        Some(other) => format!("{other:?}"),
    }
}

fn shell(pid: i32, ppid: i32) -> FakeProcess<'static> {
    FakeProcess {
        pid,
        ppid,
        comm: "bash",
        cmdline: "bash\0-i\0",
        exe: "/bin/sh",
        cwd: "/home/me",
        image: 7,
        ..FakeProcess::default()
    }
}

fn cat(pid: i32, ppid: i32) -> FakeProcess<'static> {
    FakeProcess {
        comm: "cat",
        cmdline: "cat\0/etc/hosts\0",
        exe: "/bin/cat",
        image: 8,
        ..shell(pid, ppid)
    }
}

const WHO: &[&str] = &["proc.pid", "proc.cmdline", "proc.exepath", "proc.pname"];

// Forks, execs, exits.

#[test]
fn a_fork_is_one_clone_of_the_child_with_what_its_parent_is() {
    let proc = FakeProc::new();
    proc.put(&shell(50, 1));
    let mut bench = Bench::with(proc, WHO);
    assert_eq!(bench.fork(50, 51), ["clone 51 bash -i /bin/sh bash"]);
}

#[test]
fn an_exec_is_one_event_with_the_new_image() {
    let proc = FakeProc::new();
    proc.put(&shell(50, 1));
    let mut bench = Bench::with(
        proc,
        &[
            "proc.cmdline",
            "proc.exe",
            "proc.cwd",
            "proc.pname",
            "user.name",
            "proc.tty",
            "proc.ppid",
        ],
    );
    bench.fork(50, 51);
    bench.proc.put(&FakeProcess { tty: 34816, ..cat(51, 50) });
    let told = bench.process(51, ProcessChange::Exec);
    assert_eq!(told, ["execve cat /etc/hosts cat /home/me/ bash root 34816 50"]);
}

#[test]
fn a_process_gone_before_the_look_has_no_name_rather_than_its_parents() {
    let proc = FakeProc::new();
    proc.put(&shell(50, 1));
    let mut bench = Bench::with(proc, WHO);
    bench.fork(50, 51);
    let told = bench.process(51, ProcessChange::Exec);
    assert_eq!(told, ["execve 51 - - bash"]);
    assert_eq!(bench.exit(51, 0), ["procexit 51 - - bash"]);
}

#[test]
fn a_zombie_has_a_name_but_no_arguments_and_stays_in_its_container() {
    let id = "5d068b2dd2256539dfccbc0dc617e35e42e49bc4e099ab80bbb40fb31c3b9b03";
    let cgroup = format!("1:memory:/docker/{id}\n");
    let proc = FakeProc::new();
    proc.put(&FakeProcess { cgroup: &cgroup, ..shell(50, 1) });
    let mut bench =
        Bench::with(proc, &["proc.name", "proc.cmdline", "proc.exepath", "container.id"]);
    bench.fork(50, 51);
    bench.proc.put(&FakeProcess { cgroup: &cgroup, is_exiting: true, ..cat(51, 50) });
    let told = bench.process(51, ProcessChange::Exec);
    assert_eq!(told, ["execve cat - - 5d068b2dd225"]);
}

#[test]
fn of_two_execs_of_one_drain_the_first_has_not_the_seconds_image() {
    let proc = FakeProc::new();
    proc.put(&shell(50, 1));
    let mut bench = Bench::with(proc, &["proc.cmdline"]);
    bench.fork(50, 51);
    bench.proc.put(&cat(51, 50));
    let told = bench.processes(&[(51, 51, ProcessChange::Exec), (51, 51, ProcessChange::Exec)]);
    assert_eq!(told, ["execve -", "execve cat /etc/hosts"]);
}

#[test]
fn a_process_never_told_of_is_read_with_its_ancestors() {
    let mut bench = Bench::new(&["proc.name", "proc.pname", "proc.aname[2]"]);
    bench.proc.put(&shell(50, 1));
    bench.proc.put(&cat(51, 50));
    assert_eq!(bench.process(51, ProcessChange::Exec), ["execve cat bash init"]);
}

#[test]
fn ancestors_three_forks_deep_are_right() {
    let proc = FakeProc::new();
    proc.put(&shell(50, 1));
    let mut bench = Bench::with(
        proc,
        &["proc.name", "proc.ppid", "proc.apid[2]", "proc.apid[3]", "proc.aname[4]"],
    );
    bench.fork(50, 51);
    bench.fork(51, 52);
    bench.fork(52, 53);
    bench.proc.put(&cat(53, 52));
    assert_eq!(bench.process(53, ProcessChange::Exec), ["execve cat 52 51 50 init"]);
}

#[test]
fn an_exec_keeps_the_parent_that_it_had_though_proc_shows_the_reaper_by_now() {
    let proc = FakeProc::new();
    proc.put(&shell(50, 1));
    let mut bench = Bench::with(proc, &["proc.name", "proc.pname"]);
    bench.fork(50, 51);
    bench.proc.put(&cat(51, 1));
    bench.proc.remove(50);
    assert_eq!(bench.process(51, ProcessChange::Exec), ["execve cat bash"]);
    bench.exit(50, 0);
    assert_eq!(bench.exit(51, 0), ["procexit cat init"]);
}

#[test]
fn after_a_double_fork_the_daemon_is_inits_and_its_exec_is_told_with_that() {
    let proc = FakeProc::new();
    proc.put(&shell(50, 1));
    let mut bench = Bench::with(proc, &["proc.name", "proc.pname", "proc.ppid"]);
    bench.fork(50, 51);
    bench.fork(51, 52);
    bench.proc.put(&shell(52, 1));
    bench.exit(51, 0);
    bench.proc.put(&cat(52, 1));
    assert_eq!(bench.process(52, ProcessChange::Exec), ["execve cat init 1"]);
}

#[test]
fn a_child_that_nobody_could_ask_keeps_its_dead_parent_for_as_long_as_it_lives() {
    let proc = FakeProc::new();
    proc.put(&shell(50, 1));
    let mut bench = Bench::with(proc, &["proc.name", "proc.pname", "proc.aname[2]"]);
    bench.now = eyas::sys::clock::realtime_ns();
    bench.fork(50, 51);
    bench.fork(51, 52);
    // Neither of them can be read any more.
    bench.exit(51, 0);
    bench.tick(30 * SECOND);
    assert_eq!(bench.exit(52, 0), ["procexit bash bash bash"]);
    bench.tick(30 * SECOND);
    assert!(bench.enricher.world().thread(51).is_none());
}

#[test]
fn records_of_numbers_that_wrap_are_of_the_process_that_has_the_number() {
    const PIDS: i32 = 32_768;
    let proc = FakeProc::new();
    proc.put(&shell(50, 1));
    let mut bench = Bench::with(proc, &["proc.ppid"]);
    bench.now = eyas::sys::clock::realtime_ns();
    for turn in 0..2 * PIDS {
        let pid = 100 + turn % (PIDS - 100);
        assert_eq!(bench.fork(if turn < PIDS { 50 } else { 1 }, pid).len(), 1);
        let parent = if turn < PIDS { "procexit 50" } else { "procexit 1" };
        assert_eq!(bench.exit(pid, 0), [parent]);
    }
    bench.tick(30 * SECOND);
    assert!(bench.enricher.process_count() <= 3);
}

#[test]
fn pid_reused_within_a_tick_is_a_new_process() {
    let proc = FakeProc::new();
    proc.put(&shell(50, 1));
    let mut bench = Bench::with(proc, &["proc.name"]);
    bench.fork(50, 51);
    bench.proc.put(&cat(51, 50));
    bench.process(51, ProcessChange::Exec);
    let told = bench.processes(&[
        (51, 51, ProcessChange::Exit { wait_status: 0, signal: 17, parent: None }),
        (51, 51, ProcessChange::Fork { parent_tid: 50, parent_pid: 50 }),
    ]);
    assert_eq!(told, ["procexit cat", "clone bash"]);
}

#[test]
fn a_later_process_of_the_same_number_is_not_taken_for_the_one_that_execed() {
    let proc = FakeProc::new();
    proc.put(&shell(50, 1));
    proc.put(&FakeProcess { start_ticks: 200, ..shell(51, 50) });
    let mut bench = Bench::with(proc, &["proc.name"]);
    bench.proc.put(&FakeProcess { start_ticks: 201, ..cat(51, 50) });
    assert_eq!(bench.process(51, ProcessChange::Exec), ["execve -"]);
}

#[test]
fn a_process_that_started_after_the_record_is_another_one() {
    let proc = FakeProc::new();
    proc.put(&shell(50, 1));
    let mut bench = Bench::with(proc, &["proc.name"]);
    bench.fork(50, 51);
    // 1000 s after boot is now.
    bench.proc.put(&FakeProcess { start_ticks: 100_200, ..cat(51, 50) });
    assert_eq!(bench.process(51, ProcessChange::Exec), ["execve -"]);
}

#[test]
fn a_thread_that_execs_becomes_the_process() {
    let proc = FakeProc::new();
    proc.put(&shell(50, 1));
    let mut bench = Bench::with(proc, &["proc.pid", "proc.name", "proc.nthreads"]);
    let fork = ProcessChange::Fork { parent_tid: 50, parent_pid: 50 };
    assert!(bench.processes(&[(60, 50, fork)]).is_empty());
    bench.proc.put(&cat(50, 1));
    assert_eq!(bench.process(50, ProcessChange::Exec), ["execve 50 cat 1"]);
}

#[test]
fn the_main_threads_end_before_an_exec_by_another_is_not_the_processs() {
    let proc = FakeProc::new();
    proc.put(&FakeProcess { threads: 2, ..shell(50, 1) });
    let mut bench = Bench::with(proc, &["proc.name", "proc.pname"]);
    assert_eq!(bench.exit(50, 0), ["procexit bash init"]);
    assert!(!bench.enricher.world().thread(50).unwrap().is_dead);
    bench.proc.put(&cat(50, 1));
    assert_eq!(bench.process(50, ProcessChange::Exec), ["execve cat init"]);
}

#[test]
fn a_process_ends_with_its_last_thread() {
    let proc = FakeProc::new();
    proc.put(&FakeProcess { threads: 2, ..shell(50, 1) });
    let mut bench = Bench::with(proc, &["proc.name"]);
    bench.exit(50, 0);
    let end = ProcessChange::Exit { wait_status: 0, signal: 17, parent: None };
    assert!(bench.processes(&[(60, 50, end)]).is_empty());
    assert!(bench.enricher.world().thread(50).unwrap().is_dead);
}

#[test]
fn an_exit_tells_status_signal_and_core() {
    let proc = FakeProc::new();
    proc.put(&shell(50, 1));
    let mut bench = Bench::with(
        proc,
        &["evt.rawarg.status", "evt.rawarg.ret", "evt.rawarg.sig", "evt.rawarg.core"],
    );
    assert_eq!(bench.exit(50, 0x8b), ["procexit 139 0 11 1"]);
    bench.fork(1, 51);
    assert_eq!(bench.exit(51, 0x300), ["procexit 768 3 0 0"]);
}

#[test]
fn events_that_no_rule_needs_are_not_made_but_feed_the_table() {
    let proc = FakeProc::new();
    proc.put(&shell(50, 1));
    let mut bench = Bench::with(proc, &["proc.name", "proc.pname"]);
    bench.enricher.set_needs(Needs::new(|ty| ty.name() == "execve", Box::new(|_| true)));
    assert!(bench.fork(50, 51).is_empty());
    bench.proc.put(&cat(51, 50));
    assert_eq!(bench.process(51, ProcessChange::Exec), ["execve cat bash"]);
    assert!(bench.exit(51, 0).is_empty());
}

// Identities, sessions, names.

#[test]
fn a_change_of_user_is_told_with_the_new_one() {
    let proc = FakeProc::new();
    fs::write(proc.root().join("etc/passwd"), "root:x:0:0:::\nme:x:1000:1000:::\n").unwrap();
    proc.put(&shell(50, 1));
    let mut bench =
        Bench::with(proc, &["user.name", "evt.rawarg.ruid", "evt.rawarg.euid", "evt.rawarg.suid"]);
    let told = bench.process(50, ProcessChange::Uid { real: 1000, effective: 1000 });
    assert_eq!(told, ["setresuid me 1000 1000 -"]);
}

#[test]
fn the_user_that_a_set_user_id_program_brings_is_no_call() {
    let proc = FakeProc::new();
    proc.put(&FakeProcess { uid: 1000, ..shell(50, 1) });
    let program = proc.file("sudo");
    fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o4755)).unwrap();
    let owner = fs::metadata(&program).unwrap().uid();
    let program = program.to_str().unwrap().to_owned();
    let mut bench = Bench::with(proc, &["proc.name", "user.uid"]);
    let told = bench.process(50, ProcessChange::Uid { real: 1000, effective: owner });
    assert!(told.is_empty());
    assert!(bench.enricher.next_due_ns().is_some());
    let sudo = FakeProcess { comm: "sudo", uid: owner, exe: &program, ..shell(50, 1) };
    bench.proc.put(&sudo);
    assert_eq!(bench.process(50, ProcessChange::Exec), [format!("execve sudo {owner}")]);
    assert!(bench.tick(SECOND).is_empty());
}

#[test]
fn a_user_changed_before_a_plain_exec_is_told_of_the_program_before() {
    let proc = FakeProc::new();
    proc.put(&shell(50, 1));
    let mut bench = Bench::with(proc, &["proc.name"]);
    assert!(bench.process(50, ProcessChange::Uid { real: 0, effective: 5 }).is_empty());
    bench.proc.put(&cat(50, 1));
    assert_eq!(bench.process(50, ProcessChange::Exec), ["setresuid bash", "execve cat"]);
}

#[test]
fn an_effective_user_that_no_exec_brought_is_told_a_little_later() {
    let proc = FakeProc::new();
    proc.put(&shell(50, 1));
    let mut bench = Bench::with(proc, &["user.uid"]);
    assert!(bench.process(50, ProcessChange::Uid { real: 0, effective: 5 }).is_empty());
    assert_eq!(bench.tick(20_000_000), ["setresuid 5"]);
}

#[test]
fn a_new_session_has_no_terminal() {
    let proc = FakeProc::new();
    proc.put(&FakeProcess { tty: 34816, ..shell(50, 1) });
    let mut bench = Bench::with(proc, &["proc.tty", "proc.sid", "evt.rawarg.res"]);
    assert_eq!(bench.process(50, ProcessChange::Sid), ["setsid 0 50 50"]);
}

#[test]
fn an_attaching_tracer_is_told_and_a_detaching_one_is_not() {
    let proc = FakeProc::new();
    proc.put(&shell(50, 1));
    proc.put(&cat(51, 1));
    let mut bench = Bench::with(proc, &["proc.name", "evt.rawarg.pid", "evt.rawarg.request"]);
    let attach = ProcessChange::Ptrace { tracer_tid: 50, tracer_pid: 50 };
    assert_eq!(bench.process(51, attach), ["ptrace bash 51 -"]);
    let detach = ProcessChange::Ptrace { tracer_tid: 0, tracer_pid: 0 };
    assert!(bench.process(51, detach).is_empty());
}

#[test]
fn a_new_name_is_no_event_and_is_the_processs_from_then_on() {
    let proc = FakeProc::new();
    proc.put(&shell(50, 1));
    let mut bench = Bench::with(proc, &["proc.name"]);
    let name = *b"worker\0\0\0\0\0\0\0\0\0\0";
    assert!(bench.process(50, ProcessChange::Comm(name)).is_empty());
    assert_eq!(bench.exit(50, 0), ["procexit worker"]);
}

// Loss.

#[test]
fn after_a_loss_the_table_is_what_proc_says() {
    let proc = FakeProc::new();
    proc.put(&shell(50, 1));
    proc.put(&FakeProcess { start_ticks: 300, ..shell(51, 50) });
    let mut bench = Bench::with(proc, &["proc.name", "proc.pname"]);
    bench.proc.remove(50);
    bench.proc.put(&FakeProcess { start_ticks: 400, ..cat(51, 1) });
    bench.proc.put(&cat(52, 51));
    bench.enricher.resync();
    let world = bench.enricher.world();
    assert!(world.thread(50).unwrap().is_dead);
    assert_eq!(world.thread(51).unwrap().start_ticks, 400);
    assert_eq!(bench.exit(52, 0), ["procexit cat cat"]);
}

// Containers and users.

#[test]
fn a_container_has_its_own_users_and_dockers_name() {
    let id = "5d068b2dd2256539dfccbc0dc617e35e42e49bc4e099ab80bbb40fb31c3b9b03";
    let proc = FakeProc::new();
    let inside = proc.root().join("merged");
    fs::create_dir_all(inside.join("etc")).unwrap();
    fs::write(inside.join("etc/passwd"), "app:x:1000:1000:::\n").unwrap();
    let state = proc.docker().join("containers").join(id);
    fs::create_dir_all(&state).unwrap();
    fs::write(state.join("config.v2.json"), r#"{"Name":"/web","Config":{"Image":"nginx:1"}}"#)
        .unwrap();
    proc.put(&shell(50, 1));
    let inside = inside.to_str().unwrap().to_owned();
    let cgroup = format!("1:memory:/docker/{id}\n");
    let fields: &[&str] =
        &["container.id", "container.name", "container.image.tag", "user.name", "proc.vpid"];
    let mut bench = Bench::with(proc, fields);
    bench.fork(50, 51);
    bench.proc.put(&FakeProcess {
        cgroup: &cgroup,
        root: &inside,
        uid: 1000,
        pid_ns: "pid:[2]",
        ..cat(51, 50)
    });
    let told = bench.process(51, ProcessChange::Exec);
    assert_eq!(told, ["execve 5d068b2dd225 web 1 app -"]);
}

#[test]
fn a_runtimes_init_that_names_itself_is_in_its_container_though_the_runtime_is_in_another() {
    let cgroup = |digit: &str| format!("1:memory:/docker/{}\n", digit.repeat(64));
    let [outer, inner] = ["a", "b"].map(cgroup);
    let name = *b"runc:[2:INIT]\0\0\0";
    for change in [ProcessChange::Comm(name), ProcessChange::Sid] {
        let proc = FakeProc::new();
        proc.put(&FakeProcess { cgroup: &outer, ..shell(50, 1) });
        let mut bench = Bench::with(proc, &["container.id"]);
        bench.fork(50, 51);
        bench.proc.put(&FakeProcess { cgroup: &inner, ..shell(51, 50) });
        bench.process(51, change);
        // Its program is over before anybody looks.
        bench.proc.remove(51);
        assert_eq!(bench.process(51, ProcessChange::Exec), ["execve bbbbbbbbbbbb"]);
    }
}

#[test]
fn a_container_is_forgotten_some_time_after_its_last_process() {
    const MINUTE_NS: u64 = 61_000_000_000;
    let id = "5d068b2dd2256539dfccbc0dc617e35e42e49bc4e099ab80bbb40fb31c3b9b03";
    let proc = FakeProc::new();
    let state = proc.docker().join("containers").join(id);
    fs::create_dir_all(&state).unwrap();
    fs::write(state.join("config.v2.json"), r#"{"Name":"/web"}"#).unwrap();
    let cgroup = format!("1:memory:/docker/{id}\n");
    proc.put(&shell(50, 1));
    proc.put(&FakeProcess { cgroup: &cgroup, ..cat(51, 50) });
    let mut bench = Bench::with(proc, &["container.name"]);
    bench.now = eyas::sys::clock::realtime_ns();
    bench.tick(MINUTE_NS);
    assert_eq!(bench.enricher.world().containers.len(), 1);
    bench.proc.remove(51);
    bench.exit(51, 0);
    bench.tick(2 * MINUTE_NS);
    assert_eq!(bench.enricher.world().containers.len(), 0);
}

#[test]
fn a_process_outside_all_patterns_is_the_hosts() {
    let proc = FakeProc::new();
    proc.put(&shell(50, 1));
    let mut bench =
        Bench::with(proc, &["container.id", "container.name", "user.name", "proc.vpid"]);
    assert_eq!(bench.fork(50, 51), ["clone host host root 51"]);
}

// Opens.

const HOW: &[&str] = &["proc.name", "fd.num", "evt.is_open_read", "evt.is_open_write"];

fn reading() -> Bench {
    let proc = FakeProc::new();
    proc.put(&cat(50, 1));
    Bench::with(proc, HOW)
}

#[test]
fn an_open_descriptor_tells_number_and_mode() {
    let mut bench = reading();
    let file = bench.proc.file("a");
    bench.proc.open(50, 3, &file, 0o100_002);
    assert_eq!(bench.file(50, &file, OPEN), ["openat cat 3 true true"]);
    // Its close, whenever it comes, is no second event.
    assert!(bench.file(50, &file, CLOSE_WRITE).is_empty());
    assert!(bench.tick(SECOND).is_empty());
}

#[test]
fn an_open_closed_already_waits_for_its_close() {
    let mut bench = reading();
    let file = bench.proc.file("a");
    assert!(bench.file(50, &file, OPEN).is_empty());
    assert!(bench.enricher.next_due_ns().is_some());
    let told = bench.file(50, &file, CLOSE_NOWRITE);
    assert_eq!(told, ["openat cat (not negative) true false"]);
    assert_eq!(bench.enricher.next_due_ns(), None);
}

#[test]
fn after_a_write_close_only_the_writing_is_known() {
    let mut bench = reading();
    let file = bench.proc.file("a");
    let told = bench.file(50, &file, OPEN | CLOSE_WRITE);
    assert_eq!(told, ["openat cat (not negative) - true"]);
}

#[test]
fn an_open_without_descriptor_and_close_is_told_in_time_without_mode() {
    let mut bench = reading();
    let file = bench.proc.file("a");
    assert!(bench.file(50, &file, OPEN).is_empty());
    assert!(bench.tick(40_000_000).is_empty());
    assert_eq!(bench.tick(20_000_000), ["openat cat (not negative) - -"]);
    assert!(bench.file(50, &file, CLOSE_NOWRITE).is_empty());
}

#[test]
fn a_held_open_is_told_of_the_program_that_made_it() {
    let mut bench = reading();
    let file = bench.proc.file("a");
    assert!(bench.file(50, &file, OPEN).is_empty());
    bench.proc.put(&FakeProcess { comm: "other", image: 9, ..shell(50, 1) });
    bench.process(50, ProcessChange::Exec);
    let told = bench.file(50, &file, CLOSE_NOWRITE);
    assert_eq!(told, ["openat cat (not negative) true false"]);
}

#[test]
fn a_close_alone_is_no_event() {
    let mut bench = reading();
    let file = bench.proc.file("a");
    assert!(bench.file(50, &file, CLOSE_WRITE).is_empty());
}

#[test]
fn a_merged_record_is_one_event_with_the_mode_of_the_descriptor_still_open() {
    let mut bench = reading();
    let file = bench.proc.file("a");
    bench.proc.open(50, 4, &file, 0o100_000);
    let told = bench.file(50, &file, OPEN | CLOSE_WRITE);
    assert_eq!(told, ["openat cat 4 true false"]);
}

#[test]
fn two_descriptors_of_different_mode_tell_neither_number_nor_mode() {
    let mut bench = reading();
    let file = bench.proc.file("a");
    bench.proc.open(50, 4, &file, 0o100_000);
    bench.proc.open(50, 5, &file, 0o100_001);
    assert_eq!(bench.file(50, &file, OPEN), ["openat cat (not negative) - -"]);
}

#[test]
fn an_exec_by_the_kernel_is_no_open() {
    let mut bench = reading();
    let file = bench.proc.file("program");
    assert!(bench.file(50, &file, OPEN | OPEN_EXEC).is_empty());
    // A script is closed at once.
    assert!(bench.file(50, &file, OPEN | OPEN_EXEC | CLOSE_NOWRITE).is_empty());
    assert!(bench.tick(SECOND).is_empty());
}

#[test]
fn a_script_that_its_interpreter_has_open_is_an_open() {
    let mut bench = reading();
    let file = bench.proc.file("script");
    bench.proc.open(50, 255, &file, 0o100_000);
    let told = bench.file(50, &file, OPEN | OPEN_EXEC | CLOSE_NOWRITE);
    assert_eq!(told, ["openat cat 255 true false"]);
}

#[test]
fn without_the_kernels_mark_an_exec_is_known_by_its_executable() {
    let proc = FakeProc::new();
    let program = proc.file("program");
    let path = program.to_str().unwrap().to_owned();
    proc.put(&FakeProcess { exe: &path, ..cat(50, 1) });
    let settings = eyas::enrich::Settings { has_open_exec: false, ..proc.settings() };
    let enricher = LiveEnricher::new(&proc.path(), settings).unwrap();
    let mut bench = Bench { proc, enricher, fields: HOW, now: NOW };
    assert!(bench.file(50, &program, OPEN).is_empty());
    assert!(bench.tick(SECOND).is_empty());
    let other = bench.proc.file("other");
    assert_eq!(bench.file(50, &other, OPEN | CLOSE_NOWRITE).len(), 1);
}

#[test]
fn a_chrooted_process_sees_its_own_paths() {
    let proc = FakeProc::new();
    let root = proc.root().to_str().unwrap().to_owned();
    proc.put(&FakeProcess { root: &root, ..cat(50, 1) });
    let mut bench = Bench::with(proc, &["fd.name", "fd.filename", "fd.directory"]);
    let file = bench.proc.file("etc/shadow");
    let told = bench.file(50, &file, OPEN | CLOSE_NOWRITE);
    assert_eq!(told, ["openat /etc/shadow shadow /etc"]);
}

#[test]
fn a_path_that_cannot_be_known_is_absent() {
    let mut bench = reading();
    bench.fields = &["fd.name", "evt.is_open_read"];
    let file = bench.proc.file("a");
    let stat = fs::metadata(&file).unwrap();
    let record = FileRecord {
        mask: OPEN | CLOSE_NOWRITE,
        pid: 50,
        path: b"",
        deleted: true,
        mode: stat.mode(),
        dev: stat.dev(),
        ino: stat.ino(),
        read_at_ns: NOW,
    };
    let mut told = Vec::new();
    let fields = bench.fields;
    bench.enricher.file(&record, &mut |event| told.push(line(event, fields)));
    assert_eq!(told, ["openat - true"]);
}

#[test]
fn what_the_agent_opens_itself_is_not_told() {
    let mut bench = reading();
    let file = bench.proc.file("a");
    assert!(bench.file(fake_proc::OWN, &file, OPEN | CLOSE_NOWRITE).is_empty());
}

#[test]
fn the_mode_is_looked_for_only_where_it_matters() {
    let mut bench = reading();
    bench.enricher.set_needs(Needs::new(|_| true, Box::new(|path| path.ends_with(b"/a"))));
    let (a, b) = (bench.proc.file("a"), bench.proc.file("b"));
    bench.proc.open(50, 3, &a, 0o100_000);
    bench.proc.open(50, 4, &b, 0o100_000);
    assert_eq!(bench.file(50, &a, OPEN), ["openat cat 3 true false"]);
    assert_eq!(bench.file(50, &b, OPEN), ["openat cat (not negative) - -"]);
}

#[test]
fn an_open_by_a_process_that_has_ended_is_still_its_own() {
    let mut bench = reading();
    let file = bench.proc.file("a");
    bench.exit(50, 0);
    bench.proc.remove(50);
    let told = bench.file(50, &file, OPEN | CLOSE_NOWRITE);
    assert_eq!(told, ["openat cat (not negative) true false"]);
}
