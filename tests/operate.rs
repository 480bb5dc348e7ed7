//! What operators do to a running agent: ask it by HTTP, load its files again, end it.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test")]

mod support;

use std::fs;
use std::io::Read as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;
use std::time::Instant;

use nix::sys::signal::Signal;
use support::Need;
use support::have;
use support::host::Agent;
use support::host::PATIENCE;
use support::host::await_that;
use support::host::read;
use support::place::Place;
use support::place::WEB;
use support::place::address;
use support::place::get;
use support::place::put;
use support::place::rule;

const LIVE: &[Need] = &[Need::Root, Need::Fanotify, Need::ProcConnector];

#[test]
fn the_web_server_answers_while_the_agent_watches() {
    if !have("the_web_server_answers_while_the_agent_watches", LIVE) {
        return;
    }
    let place = Place::new(WEB);
    let agent = place.start();
    let address = address(&agent);
    assert_eq!(get(&address, "/healthz").unwrap(), "{\"status\": \"ok\"}");
    let versions: serde_json::Value =
        serde_json::from_str(&get(&address, "/versions").unwrap()).unwrap();
    assert_eq!(versions["engine_version"], "62");
    let metrics = get(&address, "/metrics").unwrap();
    let value = |start: &str| {
        let line = metrics.lines().find(|line| line.starts_with(start));
        let line = line.unwrap_or_else(|| panic!("no {start} in\n{metrics}"));
        line.rsplit_once(' ').unwrap().1.parse::<f64>().unwrap()
    };
    assert!(
        value(
            "falcosecurity_falco_rules_matches_total{priority=\"4\",rule_name=\"Opened\",\
             source=\"syscall\",tag_T1=\"true\"}"
        ) >= 1.0
    );
    assert!(value("eyas_rules_alerts_total{rule=\"Opened\",priority=\"Warning\"}") >= 1.0);
    assert!(value("eyas_rules_events_total{source=\"fanotify\",type=\"openat\"}") >= 1.0);
    assert_eq!(value("eyas_sources_up{source=\"fanotify\"}"), 1.0);
    assert_eq!(value("eyas_rules_coverage{state=\"can_fire\"}"), 1.0);
    assert!(value("eyas_outputs_latency_seconds_count") >= 1.0);
    assert!(value("eyas_outputs_waiting{output=\"stdout\"}") <= 16_384.0);
    assert!(value("falcosecurity_falco_memory_rss_bytes") > 1e6);
    // The test's own process was known, or read, when it opened something.
    let looked_up = ["n_cached_thread_lookups", "n_noncached_thread_lookups"]
        .map(|name| value(&format!("falcosecurity_falco_{name}_total")));
    assert!(looked_up.iter().sum::<f64>() >= 1.0);
    assert!(value("falcosecurity_falco_n_noncached_fd_lookups_total") >= 0.0);
    assert!(get(&address, "/").unwrap().contains("<title>eyas</title>"));
    let state: serde_json::Value =
        serde_json::from_str(&get(&address, "/api/state?after=0").unwrap()).unwrap();
    assert_eq!(state["alerts"][0]["rule"], "Opened");
    assert!(agent.end(Signal::SIGTERM).status.success());
    assert_eq!(get(&address, "/healthz"), None);
}

#[test]
fn a_taken_port_is_told_and_ends_the_start() {
    if !have("a_taken_port_is_told_and_ends_the_start", LIVE) {
        return;
    }
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let web =
        format!("webserver: {{enabled: true, listen_address: 127.0.0.1, listen_port: {port}}}\n");
    let place = Place::new(&web);
    let ended = Agent::start(&["-c", place.config.to_str().unwrap()]).ended();
    assert_eq!(ended.status.code(), Some(1));
    let wanted = format!("Error: an error occurred while starting webserver: 127.0.0.1:{port}: ");
    assert!(ended.errors.contains(&wanted), "{}", ended.errors);
}

#[test]
fn snapshots_come_as_alerts_and_into_the_file() {
    if !have("snapshots_come_as_alerts_and_into_the_file", LIVE) {
        return;
    }
    let place = Place::new("");
    let stats = place.sandbox.dir.join("stats.jsonl");
    place.configure(&format!(
        "json_output: true\nmetrics: {{enabled: true, interval: 200ms, output_rule: true, \
         output_file: {}}}\n",
        stats.display()
    ));
    let mut agent = place.start();
    let line = agent.line("a snapshot", |line| {
        line.contains("\"rule\":\"Falco internal: metrics snapshot\"")
            && line.contains("falco.rules.Opened")
    });
    let alert: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(alert["output"], "Falco metrics snapshot");
    assert_eq!(
        (&alert["priority"], &alert["source"]),
        (&"Informational".into(), &"internal".into())
    );
    let fields = &alert["output_fields"];
    assert!(fields["falco.rules.matches_total"].as_u64().unwrap() >= 1, "{fields}");
    let text = read(stats);
    let first: serde_json::Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    assert_eq!(first["sample"], 1);
    assert_eq!(first["output_fields"]["falco.version"], env!("CARGO_PKG_VERSION"));
    assert!(agent.end(Signal::SIGTERM).status.success());
}

#[test]
fn a_changed_configuration_counts_from_the_reload_on() {
    if !have("a_changed_configuration_counts_from_the_reload_on", LIVE) {
        return;
    }
    let place = Place::new("watch_config_files: false\n");
    let mut agent = place.start();
    place.configure("watch_config_files: false\njson_output: nonsense\npriority: nonsense\n");
    agent.send(Signal::SIGHUP);
    agent.line("the complaint", |line| {
        line.contains("Falco internal: hot restart failure: Unknown priority \"nonsense\"")
    });
    place.open("between");
    agent.line("the old form", |line| {
        line.contains(": Warning Opened saw ") && line.ends_with("/between")
    });
    place.configure(&format!("watch_config_files: false\njson_output: true\n{WEB}"));
    agent.send(Signal::SIGHUP);
    agent.error("the reload", |text| text.contains("the rules were loaded again"));
    place.open("after");
    agent.line("the new form", |line| {
        line.starts_with('{') && line.contains("\"rule\":\"Opened\"") && line.contains("/after")
    });
    assert!(get(&address(&agent), "/healthz").is_some());
    assert!(agent.end(Signal::SIGTERM).status.success());
}

#[test]
fn changed_rules_are_noticed_without_a_signal() {
    if !have("changed_rules_are_noticed_without_a_signal", LIVE) {
        return;
    }
    let place = Place::new("watch_config_files: true\n");
    let mut agent = place.start();
    put(&place.rules, &rule("Noticed", &place.opens));
    agent.error("the reload", |text| text.contains("the rules were loaded again"));
    place.open("then");
    agent.line("the new rule", |line| {
        line.contains("Warning Noticed saw") && line.ends_with("/then")
    });
    assert!(agent.end(Signal::SIGTERM).status.success());
}

/// Resident memory in KiB.
fn rss(pid: u32) -> u64 {
    let status = read(format!("/proc/{pid}/status"));
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[test]
fn a_thousand_reloads_lose_no_event_and_cost_no_memory() {
    const RELOADS: usize = 1000;
    /// Opens between two reloads, at most: far fewer than the kernel keeps for us.
    const OPENS: usize = 8;
    if !have("a_thousand_reloads_lose_no_event_and_cost_no_memory", LIVE) {
        return;
    }
    let place = Place::new("watch_config_files: false\n");
    let mut agent = place.start();
    let (mut opened, mut early) = (0, 0);
    for reload in 1..=RELOADS {
        agent.send(Signal::SIGHUP);
        // While it loads, and while it swaps.
        for _ in 0..OPENS {
            place.open(&format!("n-{opened}-"));
            opened += 1;
        }
        let wanted = format!("n-{}-", opened - 1);
        agent.line("the last open", |line| line.ends_with(&wanted));
        agent.error("the reload", |text| {
            text.matches("the rules were loaded again").count() >= reload
        });
        if reload == RELOADS / 5 {
            early = rss(agent.pid());
        }
    }
    let late = rss(agent.pid());
    for number in 0..opened {
        let ending = format!("/n-{number}-");
        let seen = agent.lines().iter().filter(|line| line.ends_with(&ending)).count();
        assert_eq!(seen, 1, "open {number} was told {seen} times");
    }
    assert!(late < early + 4096, "{early} KiB became {late} KiB");
    let ended = agent.end(Signal::SIGTERM);
    assert!(ended.status.success());
    assert!(ended.errors.contains("event drop detected: 0 occurrences"), "{}", ended.errors);
}

#[test]
fn a_later_interrupt_ends_the_agent_at_once() {
    if !have("a_later_interrupt_ends_the_agent_at_once", LIVE) {
        return;
    }
    let place = Place::new("output_timeout: 600000\n");
    put(&place.rules, &rule("Opened", &place.opens).replace(" saw", &" saw".repeat(250)));
    // Nobody reads its alerts, so that it can't write them all before it ends.
    let mut agent = std::process::Command::new(env!("CARGO_BIN_EXE_eyas"))
        .args(["-c", place.config.to_str().unwrap()])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut errors = agent.stderr.take().unwrap();
    let mut told = String::new();
    let mut wait_for = |what: &str| {
        let mut part = [0; 4096];
        while !told.contains(what) {
            let read = errors.read(&mut part).unwrap();
            assert!(read > 0, "no {what} in {told}");
            told.push_str(&String::from_utf8_lossy(&part[..read]));
        }
    };
    wait_for("Opening 'syscall' source");
    let pid = nix::unistd::Pid::from_raw(agent.id().cast_signed());
    // Until its alerts fill the pipe, which its output's thread then waits for.
    let deadline = Instant::now() + PATIENCE;
    for number in 0.. {
        place.open(&format!("n-{number}"));
        let threads = fs::read_dir(format!("/proc/{pid}/task")).unwrap().flatten();
        let is_stuck = threads.map(|thread| thread.path()).any(|thread| {
            let wchan = fs::read(thread.join("wchan")).unwrap_or_default();
            String::from_utf8_lossy(&wchan).contains("pipe_w")
        });
        if is_stuck {
            break;
        }
        assert!(Instant::now() < deadline, "its output is never stuck");
    }
    nix::sys::signal::kill(pid, Signal::SIGINT).unwrap();
    wait_for("SIGINT received, exiting...");
    // One close behind the first is the same wish; one that comes later is not.
    let status = loop {
        nix::sys::signal::kill(pid, Signal::SIGINT).unwrap();
        std::thread::sleep(Duration::from_millis(100));
        if let Some(status) = agent.try_wait().unwrap() {
            break status;
        }
        assert!(Instant::now() < deadline + PATIENCE, "it doesn't end");
    };
    assert_eq!(status.signal(), Some(Signal::SIGINT as i32));
}

/// timeout(1), a terminal and systemd signal the agent more than once at the same moment.
#[test]
fn two_signals_at_the_same_moment_are_one_wish() {
    if !have("two_signals_at_the_same_moment_are_one_wish", LIVE) {
        return;
    }
    let place = Place::new("");
    let agent = place.start();
    agent.send(Signal::SIGSTOP);
    agent.send(Signal::SIGINT);
    agent.send(Signal::SIGTERM);
    agent.send(Signal::SIGCONT);
    let ended = agent.ended();
    assert!(ended.status.success(), "{:?} {}", ended.status, ended.errors);
    assert!(ended.errors.contains("event drop detected: 0 occurrences"), "{}", ended.errors);
    let mut next = place.start();
    let alert = next.line_within(Duration::from_millis(100), |line| line.contains("internal"));
    assert_eq!(alert, None, "it takes the last one for killed");
    assert!(next.end(Signal::SIGTERM).status.success());
}

#[test]
fn systemd_hears_of_the_agents_life() {
    if !have("systemd_hears_of_the_agents_life", LIVE) {
        return;
    }
    let place = Place::new("watch_config_files: false\n");
    let path = place.sandbox.dir.join("notify");
    let listener = std::os::unix::net::UnixDatagram::bind(&path).unwrap();
    listener.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut agent = std::process::Command::new(env!("CARGO_BIN_EXE_eyas"))
        .args(["-c", place.config.to_str().unwrap()])
        .env("NOTIFY_SOCKET", &path)
        .env("WATCHDOG_USEC", "200000")
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let hear = |what: &str| {
        let mut text = [0; 256];
        loop {
            let len = listener.recv(&mut text).unwrap();
            if text[..len].starts_with(what.as_bytes()) {
                break;
            }
        }
    };
    let pid = nix::unistd::Pid::from_raw(agent.id().cast_signed());
    hear("READY=1\n");
    hear("WATCHDOG=1");
    nix::sys::signal::kill(pid, Signal::SIGHUP).unwrap();
    hear("RELOADING=1\nMONOTONIC_USEC=");
    hear("READY=1\n");
    nix::sys::signal::kill(pid, Signal::SIGTERM).unwrap();
    hear("STOPPING=1\n");
    assert!(agent.wait().unwrap().success());
}

/// A line of `/proc/PID/status`.
fn status_of(path: &Path, name: &str) -> Option<String> {
    let text = String::from_utf8(fs::read(path.join("status")).ok()?).unwrap();
    Some(text.lines().find_map(|line| line.strip_prefix(name))?.trim().to_owned())
}

/// Threads that speak with strangers, or that others wait for, keep few privileges.
#[test]
fn each_thread_and_the_guardian_keep_only_what_they_need() {
    /// Their names' beginnings; the numbers of the capabilities that they may have, by
    /// linux/capability.h; whether system calls are filtered.
    const THREADS: [(&str, &[u64], bool); 7] = [
        ("web", &[], true),
        ("output-file", &[1, 2, 3, 24], true),
        ("output-stdout", &[1, 2, 3, 24], true),
        ("output-http", &[1, 2, 3, 24], true),
        ("http-sender", &[1, 2, 3, 24], true),
        ("looker", &[2, 19], false),
        ("answerer", &[2, 19], false),
    ];
    if !have("each_thread_and_the_guardian_keep_only_what_they_need", LIVE) {
        return;
    }
    let place = Place::new("");
    let dir = place.sandbox.dir.display();
    place.configure(&format!(
        "{WEB}file_output: {{enabled: true, filename: {dir}/alerts.log}}\n\
         http_output: {{enabled: true, url: 'http://127.0.0.1:1/'}}\n\
         eyas: {{spool: {{directory: {dir}/spool}}}}\n"
    ));
    let agent = place.start();
    let tasks = format!("/proc/{}/task", agent.pid());
    let children = format!("{tasks}/{}/children", agent.pid());
    let has_only = |path: &Path, allowed: &[u64]| {
        let mask = u64::from_str_radix(&status_of(path, "CapPrm:").unwrap(), 16).unwrap();
        mask & !allowed.iter().fold(0, |mask, bit| mask | 1 << bit) == 0
    };
    for (name, allowed, is_filtered) in THREADS {
        await_that(name, || {
            let all = fs::read_dir(&tasks).unwrap().map(|entry| entry.unwrap().path());
            let of_name =
                |path: &PathBuf| status_of(path, "Name:").is_some_and(|it| it.starts_with(name));
            let found: Vec<_> = all.filter(of_name).collect();
            // The rendezvous needs more of the kernel than the rest.
            (!found.is_empty() || matches!(name, "looker" | "answerer"))
                && found.iter().all(|path| {
                    let filter = status_of(path, "Seccomp:");
                    has_only(path, allowed) && (!is_filtered || filter.as_deref() == Some("2"))
                })
        });
    }
    for child in read(children).split_whitespace() {
        // audit's seat and rules are given back by it.
        await_that("the guardian", || has_only(&Path::new("/proc").join(child), &[29, 30]));
    }
    assert!(agent.end(Signal::SIGTERM).status.success());
}

#[test]
fn every_line_of_the_unit_has_its_reason() {
    let unit = read(concat!(env!("CARGO_MANIFEST_DIR"), "/systemd/eyas.service"));
    let service = unit.split("[Service]").nth(1).unwrap().split("[Install]").next().unwrap();
    let lines: Vec<_> = service.lines().filter(|line| !line.is_empty()).collect();
    let mut directives = 0;
    for two in lines.windows(2) {
        if !two[1].starts_with('#') {
            assert!(two[0].starts_with("# "), "{} stands without a reason", two[1]);
            directives += 1;
        }
    }
    assert!(directives > 15);
}

/// Kills a process that is nobody's child on drop.
struct Daemon(nix::unistd::Pid);

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = nix::sys::signal::kill(self.0, Signal::SIGKILL);
    }
}

#[test]
fn a_daemon_finds_its_relative_rules_again() {
    if !have("a_daemon_finds_its_relative_rules_again", LIVE) {
        return;
    }
    let place = Place::new("");
    let alerts = place.sandbox.dir.join("alerts.txt");
    let pid_file = place.sandbox.dir.join("pid");
    put(
        &place.config,
        &format!(
            "watch_config_files: false\nlog_stderr: false\nlog_syslog: false\n\
             file_output: {{enabled: true, filename: {}}}\n",
            alerts.display()
        ),
    );
    let started = std::process::Command::new(env!("CARGO_BIN_EXE_eyas"))
        .args(["-d", "-P", "pid", "-c", "eyas.yaml", "-r", "rules.yaml"])
        .current_dir(&place.sandbox.dir)
        .status()
        .unwrap();
    assert!(started.success());
    let deadline = Instant::now() + PATIENCE;
    let pid = loop {
        let text = fs::read(&pid_file).unwrap_or_default();
        if let Ok(pid) = String::from_utf8_lossy(&text).parse() {
            break nix::unistd::Pid::from_raw(pid);
        }
        assert!(Instant::now() < deadline, "it writes no pid");
        std::thread::sleep(Duration::from_millis(5));
    };
    let daemon = Daemon(pid);
    assert_eq!(fs::read_link(format!("/proc/{pid}/cwd")).unwrap(), Path::new("/"));
    let await_alert = |wanted: &str| {
        for number in 0.. {
            place.open(&format!("{wanted}-{number}"));
            let text = fs::read(&alerts).unwrap_or_default();
            if String::from_utf8_lossy(&text).contains(&format!("Warning {wanted} saw ")) {
                break;
            }
            assert!(Instant::now() < deadline, "no alert of {wanted}");
            std::thread::sleep(Duration::from_millis(5));
        }
    };
    await_alert("Opened");
    put(&place.rules, &rule("Reloaded", &place.opens));
    nix::sys::signal::kill(pid, Signal::SIGHUP).unwrap();
    await_alert("Reloaded");
    nix::sys::signal::kill(pid, Signal::SIGTERM).unwrap();
    while pid_file.exists() {
        assert!(Instant::now() < deadline, "it doesn't end");
        std::thread::sleep(Duration::from_millis(5));
    }
    drop(daemon);
}

/// What a container is given of its host at a place of its own: processes and users.
fn host_root(place: &Place) -> PathBuf {
    let root = place.sandbox.dir.join("host");
    fs::create_dir_all(root.join("etc")).unwrap();
    std::os::unix::fs::symlink("/proc", root.join("proc")).unwrap();
    fs::write(root.join("etc/passwd"), "captain:x:0:0::/:/bin/sh\n").unwrap();
    root
}

#[test]
fn users_and_processes_are_those_of_the_hosts_root() {
    if !have("users_and_processes_are_those_of_the_hosts_root", LIVE) {
        return;
    }
    let place = Place::new("");
    put(&place.rules, &rule("Opened", &place.opens).replace("saw", "by %user.name saw"));
    let mut agent = place.start_in(&[("HOST_ROOT", &host_root(&place))]);
    agent.line("the host's name of root", |line| line.contains("Opened by captain saw"));
    assert!(!agent.errors().contains("HOST_ROOT"), "{}", agent.errors());
    assert!(agent.end(Signal::SIGTERM).status.success());
}

#[test]
fn a_hosts_root_without_processes_is_told() {
    if !have("a_hosts_root_without_processes_is_told", LIVE) {
        return;
    }
    let place = Place::new("");
    let root = place.sandbox.dir.join("nothing");
    let agent = Agent::start_in(&[("HOST_ROOT", &root)], &["-c", place.config.to_str().unwrap()]);
    let ended = agent.ended();
    assert_eq!(ended.status.code(), Some(1));
    let wanted = format!(
        "Error: cannot read {root}/proc: No such file or directory (os error 2); HOST_ROOT says that \
         the host is at {root}\n",
        root = root.display()
    );
    assert!(ended.errors.ends_with(&wanted), "{}", ended.errors);
}
