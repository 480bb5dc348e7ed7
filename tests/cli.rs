//! The program from outside: arguments in, texts and exit codes out. Bad input of every kind gets
//! one clear message that says what, where and what to do.
//!
//! Some tests need root or a kernel facility and say so if it is missing.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;
use std::time::Instant;

use eyas::sys::process;
use eyas::sys::process::Capability;
use eyas::sys::seccomp;
use eyas::sys::seccomp::Step;
use support::Need;
use support::copy_program;
use support::have;

/// How long anything may take before a test fails.
const PATIENCE: Duration = Duration::from_secs(30);

const LIVE: &[Need] = &[Need::Root, Need::Fanotify, Need::ProcConnector];

/// What one run of the program came to.
#[derive(Debug)]
struct Run {
    code: i32,
    out: String,
    err: String,
}

impl Run {
    /// The text behind `Error: `, hints included.
    fn error(&self) -> &str {
        let at = self.err.find("Error: ").unwrap_or_else(|| panic!("no error: {self:?}"));
        &self.err[at + "Error: ".len()..]
    }

    /// Asserts exit code 1 and an error that begins so.
    #[track_caller]
    fn refuses(&self, text: &str) -> &Self {
        assert_eq!(self.code, 1, "{self:?}");
        assert!(self.error().starts_with(text), "{}", self.error());
        self
    }

    /// Asserts exit code 0.
    #[track_caller]
    fn succeeds(&self) -> &Self {
        assert_eq!(self.code, 0, "{self:?}");
        self
    }
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_eyas"));
    command.args(arguments).env("TZ", "UTC").stdin(Stdio::null());
    command
}

fn finish(mut command: Command) -> Run {
    let output = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let code = output.status.code().unwrap_or(-1);
    Run { code, out: text(output.stdout), err: text(output.stderr) }
}

fn eyas(arguments: &[&str]) -> Run {
    finish(command(arguments))
}

/// Runs the program from a thread that `restrict` has taken something from, which the program
/// can't get back.
fn restricted(arguments: &[&str], restrict: impl FnOnce() + Send) -> Run {
    let command = command(arguments);
    std::thread::scope(|scope| {
        scope
            .spawn(move || {
                restrict();
                finish(command)
            })
            .join()
            .unwrap()
    })
}

/// A directory with files of one test.
struct Files(tempfile::TempDir);

impl Files {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// Writes a file that only its owner can write; its path.
    fn file(&self, name: &str, text: &str) -> String {
        let path = self.0.path().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        path.to_str().unwrap().to_owned()
    }

    fn path(&self) -> &str {
        self.0.path().to_str().unwrap()
    }

    /// Rules with one rule of that condition.
    fn rule(&self, condition: &str) -> String {
        self.file(
            "rules.yaml",
            &format!(
                "- rule: R\n  desc: d\n  condition: {condition}\n  output: seen %proc.name\n  priority: INFO\n"
            ),
        )
    }
}

/// A condition that only process events can match.
const ON_EXEC: &str = "evt.type = execve";

/// A condition that only file events can match.
const ON_OPEN: &str = "evt.type = openat";

// Options

#[test]
fn an_unknown_option_and_a_missing_value_are_told_in_falcos_words() {
    assert_eq!(eyas(&["--nonsense"]).refuses("").err, "Error: Option ‘nonsense’ does not exist\n");
    assert_eq!(eyas(&["-c"]).refuses("").err, "Error: Option ‘c’ is missing an argument\n");
}

#[test]
fn help_lists_options_and_ends_well() {
    let run = eyas(&["--help"]);
    run.succeeds();
    for option in ["-c <PATH>", "-r <PATH>", "--validate <PATH>", "--dry-run", "-M <SECONDS>"] {
        assert!(run.out.contains(option), "{option} in {}", run.out);
    }
    assert_eq!(eyas(&["help"]).succeeds().out, run.out);
    let spool = eyas(&["help", "spool"]);
    assert!(spool.succeeds().out.contains("drain"), "{}", spool.out);
    assert!(run.out.contains("\n  spool  "), "{}", run.out);
    eyas(&["help", "nonsense"]).refuses("invalid value 'nonsense'");
}

#[test]
fn version_is_falcos_block_with_our_numbers() {
    let run = eyas(&["--version"]);
    run.succeeds();
    let lines: Vec<_> = run.out.lines().collect();
    assert_eq!(lines[0], concat!("Falco version: ", env!("CARGO_PKG_VERSION")));
    assert!(lines.contains(&"Engine:        0.62.0"), "{}", run.out);
    let json = eyas(&["--version", "-o", "json_output=true"]);
    let json: serde_json::Value = serde_json::from_str(json.succeeds().out.trim()).unwrap();
    assert_eq!(json["engine_version_semver"], "0.62.0");
    assert_eq!(json["engine_version"], "62");
}

#[test]
fn an_old_command_line_still_works_and_is_told_once() {
    let files = Files::new();
    let rules = files.rule(ON_EXEC);
    let old = ["-k", "http://api", "-K", "token", "--cri", "/run/x.sock", "-pk", "--dry-run"];
    let run = eyas(&[&["-r", &rules], &old[..]].concat());
    run.succeeds();
    for text in ["-k/--k8s-api has no effect", "--cri has no effect", "-p/--print option is"] {
        assert_eq!(run.err.matches(text).count(), 1, "{text} in {}", run.err);
    }
}

#[test]
fn options_that_exclude_each_other_are_refused() {
    eyas(&["--list", "--markdown", "--format", "json"])
        .refuses("Cannot specify both --markdown and --format options together\n");
    eyas(&["--list", "--format", "xml"])
        .refuses("Invalid format 'xml'. Valid values are: text, markdown, json\n");
    eyas(&["--enable-source", "syscall", "--disable-source", "syscall"])
        .refuses("You can not mix --enable-source and --disable-source\n");
    eyas(&["--enable-source", "k8s"]).refuses("Attempted enabling an unknown event source: k8s\n");
    eyas(&["--disable-source", "syscall"]).refuses("Must enable at least one event source\n");
    eyas(&["-t", "a", "-T", "b"])
        .refuses("You can not specify both disabled (-D/-T) and enabled (-t) rules\n");
    eyas(&["--list=nothing"]).refuses("Value for --list must be a valid source type\n");
    let files = Files::new();
    eyas(&["-r", &files.rule(ON_EXEC), "-d"])
        .refuses("If -d is provided, a pid file must also be provided\n");
}

// Configuration

#[test]
fn a_missing_configuration_file_is_told_before_anything_else() {
    eyas(&["-c", "/does/not/exist.yaml", "--version"])
        .refuses("Could not find configuration file at /does/not/exist.yaml\n");
}

#[test]
fn a_broken_configuration_file_is_told_with_file_and_place() {
    let files = Files::new();
    let path = files.file("c.yaml", "json_output: true\nrules_files: [a,\n");
    let run = eyas(&["-c", &path, "--dry-run"]);
    run.refuses("error at line ");
    assert!(run.err.starts_with(&format!("Cannot read config file ({path}): error at line ")));
}

#[test]
fn a_fatal_value_is_told_with_its_file() {
    let files = Files::new();
    let path = files.file("c.yaml", "engine: {kind: gvisor}\n");
    eyas(&["-c", &path]).refuses(&format!(
        "Error reading config file ({path}): engine.kind 'gvisor' is not a valid kind.\n"
    ));
    eyas(&["-o", "priority=high"]).refuses("Unknown priority \"high\"--must be one of emergency");
    eyas(&["-o", "json_output"]).refuses("Error parsing config option \"json_output\". Must be");
    eyas(&["-o", "a.=1"]).refuses("Config error at key \"a.\": Parsing error: ");
}

#[test]
fn files_are_told_with_the_verdict_of_the_schema() {
    let files = Files::new();
    let good = files.file("good.yaml", "log_stderr: true\n");
    let run = eyas(&["-c", &good, "--version"]);
    assert!(run.err.contains(&format!("   {good} | schema validation: ok\n")), "{}", run.err);
    let old = files.file("old.yaml", "log_stderr: true\ngrpc: {enabled: true}\n");
    let run = eyas(&["-c", &old, "--version"]);
    run.succeeds();
    let text = format!("   {old} | schema validation: failed for {old}: outdated key grpc\n");
    assert!(run.err.contains(&text), "{}", run.err);
}

#[test]
fn no_output_is_refused() {
    let files = Files::new();
    eyas(&["-r", &files.rule(ON_EXEC), "-o", "stdout_output.enabled=false"]).refuses(
        "No output configured, please make sure at least one output is configured and enabled.\n",
    );
}

#[test]
fn support_is_one_line_of_json_with_configuration_and_rules() {
    let files = Files::new();
    let rules = files.rule(ON_EXEC);
    let run = eyas(&["-r", &rules, "--support", "-o", "priority=notice"]);
    let json: serde_json::Value = serde_json::from_str(run.succeeds().out.trim()).unwrap();
    assert_eq!(json["rules_files"][0]["name"], rules);
    assert!(json["config"].as_str().unwrap().contains("priority: notice\n"));
    assert_eq!(json["system_info"]["sysname"], "Linux");
}

// Rules

#[test]
fn no_rules_are_refused_with_where_they_were_looked_for() {
    let files = Files::new();
    files.file("notes.txt", "");
    let run = eyas(&["-r", files.path()]);
    run.refuses("You must specify at least one rules file/directory via -r or a rules_file entry");
    assert!(run.err.contains(&format!("hint: {} has no file whose name ends", files.path())));
    let run = eyas(&["-r", "/does/not/exist.yaml"]);
    run.refuses("Could not open file /does/not/exist.yaml for reading\n");
    let empty =
        files.file("c.yaml", "rules_files: [/does/not/exist.d]\nstdout_output: {enabled: true}\n");
    eyas(&["-c", &empty]).refuses("You must specify at least one rules file/directory");
}

#[test]
fn bad_rules_are_told_with_code_place_and_the_line_itself() {
    let files = Files::new();
    for (text, code, message) in [
        ("- rule: [\n", "LOAD_ERR_YAML_PARSE", ""),
        ("just text\n", "LOAD_ERR_YAML_VALIDATE", "Rules content is not yaml"),
    ] {
        let path = files.file("bad.yaml", text);
        let run = eyas(&["-r", &path, "--dry-run"]);
        run.refuses(&format!("{path}: Invalid\n"));
        let place = format!("1 Errors:\nIn rules content: ({path}:0:0)\n");
        assert!(run.error().contains(&place), "{run:?}");
        assert!(run.error().contains(code) && run.error().contains(message), "{run:?}");
    }
    for (condition, what) in [
        ("proc.nosuch = 1", "proc.nosuch"),
        ("undefined_macro", "Undefined macro 'undefined_macro' used in filter."),
        ("proc.name like x", "like"),
    ] {
        let path = files.rule(condition);
        for arguments in [["-r", &path, "--dry-run"], ["-V", &path, "-v"]] {
            let run = eyas(&arguments);
            assert_eq!(run.code, 1, "{condition}: {run:?}");
            assert!(run.err.contains(&path) && run.err.contains(what), "{condition}: {run:?}");
        }
    }
}

#[test]
fn validation_says_ok_and_ends_well() {
    let files = Files::new();
    let path = files.rule(ON_EXEC);
    let run = eyas(&["-V", &path]);
    assert_eq!(run.succeeds().out, format!("{path}: Ok\n"));
    let json = eyas(&["-V", &path, "-o", "json_output=true"]);
    let json: serde_json::Value = serde_json::from_str(json.succeeds().out.trim()).unwrap();
    assert_eq!(json["falco_load_results"][0]["successful"], true);
}

#[test]
fn rules_that_others_can_write_are_refused_by_a_privileged_agent() {
    if !have("rules_that_others_can_write_are_refused_by_a_privileged_agent", &[Need::Root]) {
        return;
    }
    let files = Files::new();
    let path = files.rule(ON_EXEC);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
    let run = eyas(&["-r", &path, "--dry-run"]);
    run.refuses(&format!("{path} can be written by group or others (mode 0666)\n"));
    assert!(run.err.ends_with(&format!("  hint: chmod go-w {path}\n")), "{}", run.err);
    eyas(&["-V", &path]).succeeds();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    std::os::unix::fs::chown(&path, Some(1234), None).unwrap();
    let run = eyas(&["-r", &path, "--dry-run"]);
    run.refuses(&format!("{path} belongs to user 1234, who can change it\n"));
    assert!(run.err.ends_with(&format!("  hint: chown root {path}\n")), "{}", run.err);
    let run = eyas(&["-r", &path, "--dry-run", "-o", "eyas.trust_foreign_rules=true"]);
    let told = format!("{path} belongs to user 1234, who can change it; eyas.trust_foreign_rules");
    assert!(run.succeeds().err.contains(&told), "{}", run.err);
    // What others can change can't say of itself that it may be used.
    let config = path.replace(".yaml", ".conf.yaml");
    fs::write(&config, "eyas: {trust_foreign_rules: true}\n").unwrap();
    std::os::unix::fs::chown(&config, Some(1234), None).unwrap();
    let run = eyas(&["-c", &config, "-r", &path, "--dry-run"]);
    run.refuses(&format!("{config} belongs to user 1234, who can change it\n"));
}

// Sources

/// Not root and without any privilege.
#[test]
fn without_root_it_says_what_it_needs() {
    if !have("without_root_it_says_what_it_needs", &[Need::Root]) {
        return;
    }
    // A copy that the other user can reach, wherever this is built.
    let files = Files::new();
    fs::set_permissions(files.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let program = format!("{}/eyas", files.path());
    copy_program(env!("CARGO_BIN_EXE_eyas"), &program);
    let mut command = Command::new(program);
    command.args(["-r", &files.rule("evt.type in (execve, openat)")]).uid(65_534).gid(65_534);
    let run = finish(command);
    run.refuses("the agent has to run as root");
    assert!(run.err.contains("hint: "), "{}", run.err);
}

#[test]
fn without_the_right_to_watch_files_it_goes_on_and_names_the_blind_rules() {
    if !have("without_the_right_to_watch_files_it_goes_on_and_names_the_blind_rules", LIVE) {
        return;
    }
    let files = Files::new();
    let keep = || {
        seccomp::install(&[seccomp::ALLOW]).unwrap();
        process::keep_capabilities(&[Capability::NetAdmin]).unwrap();
    };
    let rules = files.file(
        "two.yaml",
        "- rule: A file\n  desc: d\n  condition: evt.type = openat\n  output: o\n  priority: INFO\n\
         - rule: A program\n  desc: d\n  condition: evt.type = execve\n  output: o\n  priority: INFO\n",
    );
    let run = restricted(&["-r", &rules, "-M", "1"], keep);
    run.succeeds();
    let text = "cannot watch files: fanotify_init: EPERM (Operation not permitted)";
    assert_eq!(run.err.matches(text).count(), 1, "{}", run.err);
    assert!(run.err.contains("lacks CAP_SYS_ADMIN"), "{}", run.err);
    assert!(run.err.contains("rules that can't fire without openat: A file\n"), "{}", run.err);

    restricted(&["-r", &rules, "--strict"], keep).refuses("some rules can't fire on this host");
    restricted(&["-r", &files.rule(ON_OPEN)], keep).refuses("no rule can fire on this host: ");
}

#[test]
fn without_the_right_to_hear_of_processes_it_says_so_unless_everybody_may() {
    if !have("without_the_right_to_hear_of_processes_it_says_so_unless_everybody_may", LIVE) {
        return;
    }
    let files = Files::new();
    let rules = files.rule(ON_EXEC);
    let run = restricted(&["-r", &rules, "-M", "1"], || {
        seccomp::install(&[seccomp::ALLOW]).unwrap();
        process::keep_capabilities(&[Capability::SysAdmin]).unwrap();
    });
    if run.code != 0 {
        run.refuses("no rule can fire on this host: cannot subscribe to process events: bind");
        assert!(run.err.contains("CAP_NET_ADMIN"), "{}", run.err);
    }
}

/// fanotify_init(2) on x86_64.
const FANOTIFY_INIT: u32 = 300;
const ENOSYS: u16 = 38;

const WITHOUT_FANOTIFY: [Step; 4] = [
    seccomp::load(seccomp::offset::NUMBER),
    seccomp::equals(FANOTIFY_INIT, 1, 0),
    seccomp::ALLOW,
    seccomp::fail(ENOSYS),
];

#[test]
fn a_kernel_without_fanotify_is_told_with_what_it_costs() {
    if !have("a_kernel_without_fanotify_is_told_with_what_it_costs", LIVE) {
        return;
    }
    let files = Files::new();
    let without = || seccomp::install(&WITHOUT_FANOTIFY).unwrap();
    let run = restricted(&["-r", &files.rule(ON_OPEN)], without);
    run.refuses(
        "no rule can fire on this host: cannot watch files: fanotify_init: ENOSYS (Function not \
         implemented)\n",
    );
    assert!(run.err.contains("hint: this kernel has no fanotify"), "{}", run.err);
    restricted(&["-r", &files.rule(ON_EXEC), "-M", "1"], without).succeeds();
}

#[test]
fn doctor_tells_what_the_host_allows_and_which_rules_can_fire() {
    let files = Files::new();
    let rules = files.rule("evt.type = connect");
    let run = eyas(&["doctor", "-r", &rules]);
    run.succeeds();
    assert!(run.out.starts_with("What this host allows"), "{}", run.out);
    assert!(run.out.contains(" proc-connector (from Linux 2.6.15)"), "{}", run.out);
    assert!(run.out.contains("can't fire: R\n      not told here: connect\n"), "{}", run.out);
    assert_eq!(eyas(&["doctor", "-r", &rules, "--strict"]).code, 1);
    let json = eyas(&["doctor", "-r", &rules, "--json"]);
    let json: serde_json::Value = serde_json::from_str(&json.succeeds().out).unwrap();
    assert_eq!(json["rules"]["verdicts"][0]["untold"][0], "connect");
    assert_eq!(json["rules"]["verdicts"][0]["fires"], "never");
    eyas(&["doctor", "--nonsense"]).refuses("unexpected argument '--nonsense' found");
}

#[test]
fn a_rule_is_explained() {
    let files = Files::new();
    let rules = files.rule("evt.type = execve and proc.name = x");
    let run = eyas(&["rules", "explain", "R", "-r", &rules]);
    run.succeeds();
    assert!(run.out.contains("event types: execve\n"), "{}", run.out);
    eyas(&["rules", "explain", "S", "-r", &rules]).refuses("Rule \"S\" is not loaded\n");
    eyas(&["rules", "profile", "-e", "/does/not/exist.scap", "-r", &rules]).refuses("");
    eyas(&["rules"]).refuses("");
}

// The running agent

#[test]
fn it_ends_by_itself_after_the_given_time_with_the_counts() {
    if !have("it_ends_by_itself_after_the_given_time_with_the_counts", LIVE) {
        return;
    }
    let files = Files::new();
    let rules = files.rule("evt.type = execve and proc.name = nobody-is-called-so");
    let run = eyas(&["-r", &rules, "-M", "1"]);
    run.succeeds();
    assert_eq!(
        run.out,
        "Events detected: 0\nRule counts by severity:\nTriggered rules by rule name:\n"
    );
    let start_up = [
        "Falco version: ",
        "Falco initialized with configuration files:\n",
        "System info: Linux version ",
        "Loading rules from:\n",
        "Loaded event sources: syscall\n",
        "Enabled event sources: syscall\n",
        "Opening 'syscall' source with no driver\n",
        "Syscall event drop monitoring:\n   - event drop detected: 0 occurrences\n   - num times \
         actions taken: 0\n",
    ];
    let mut at = 0;
    for text in start_up {
        let found = run.err[at..].find(text);
        at += found.unwrap_or_else(|| panic!("{text} is not there in its turn: {}", run.err));
    }
}

/// Starts the agent and waits until it says that it is ready.
fn start(
    arguments: &[&str],
    stdout: Stdio,
) -> (std::process::Child, impl FnMut(&str) -> String + use<>) {
    use std::io::BufRead as _;
    let mut command = command(arguments);
    command.args(["-o", "log_level=debug"]).stdout(stdout).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut lines = std::io::BufReader::new(child.stderr.take().unwrap()).lines();
    let mut wait_for = move |text: &str| {
        let mut seen = String::new();
        for line in lines.by_ref().map_while(Result::ok) {
            seen = format!("{seen}{line}\n");
            if line.contains(text) {
                return seen;
            }
        }
        panic!("it ended without saying {text}: {seen}");
    };
    wait_for("ready after ");
    (child, wait_for)
}

fn signal(child: &std::process::Child, signal: nix::sys::signal::Signal) {
    let pid = nix::unistd::Pid::from_raw(child.id().cast_signed());
    nix::sys::signal::kill(pid, signal).unwrap();
}

#[test]
fn a_signal_ends_it_in_good_order_and_the_pid_file_is_there_meanwhile() {
    if !have("a_signal_ends_it_in_good_order_and_the_pid_file_is_there_meanwhile", LIVE) {
        return;
    }
    use nix::sys::signal::Signal;
    let files = Files::new();
    let rules = files.rule("evt.type = execve and proc.name = nobody-is-called-so");
    let pid_file = format!("{}/pid", files.path());
    for how in [Signal::SIGINT, Signal::SIGTERM] {
        let (child, mut wait_for) = start(&["-r", &rules, "-P", &pid_file], Stdio::piped());
        assert_eq!(fs::read(&pid_file).unwrap(), child.id().to_string().into_bytes());
        signal(&child, how);
        wait_for("SIGINT received, exiting...");
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0));
        assert!(output.stdout.starts_with(b"Events detected: 0\n"));
        assert!(!Path::new(&pid_file).exists());
    }
    let run = eyas(&["-r", &rules, "-P", "/does/not/exist/pid"]);
    assert_eq!(run.code, 255, "{run:?}");
    let text = "Could not write pid to pidfile /does/not/exist/pid. Exiting.\n";
    assert!(run.err.contains(text), "{}", run.err);
}

#[test]
fn a_hangup_loads_the_rules_again_and_wrong_ones_change_nothing() {
    if !have("a_hangup_loads_the_rules_again_and_wrong_ones_change_nothing", LIVE) {
        return;
    }
    use nix::sys::signal::Signal;
    let files = Files::new();
    let rules = files.rule("evt.type = execve and proc.name = nobody-is-called-so");
    let (mut child, mut wait_for) = start(&["-r", &rules], Stdio::null());
    files.rule("proc.nosuch = 1");
    signal(&child, Signal::SIGHUP);
    let text = wait_for("the rules stay as they are: ");
    assert!(text.contains("SIGHUP received, restarting..."), "{text}");
    files.rule(ON_EXEC);
    signal(&child, Signal::SIGHUP);
    wait_for("the rules were loaded again");
    signal(&child, Signal::SIGTERM);
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn lost_events_become_falcos_internal_alert() {
    if !have("lost_events_become_falcos_internal_alert", LIVE) {
        return;
    }
    let files = Files::new();
    let rules = files.rule("evt.type = execve and proc.name = nobody-is-called-so");
    let simulate = ["-o", "syscall_event_drops.simulate_drops=true", "-o", "json_output=true"];
    let (mut child, _wait_for) = start(&[&["-r", &rules], &simulate[..]].concat(), Stdio::piped());
    let mut out = std::io::BufReader::new(child.stdout.take().unwrap());
    // Something has to be judged in a second for something to be lost in it.
    let busy = std::thread::spawn(|| {
        for _ in 0..300 {
            Command::new("true").status().unwrap();
            std::thread::sleep(Duration::from_millis(10));
        }
    });
    let mut line = String::new();
    std::io::BufRead::read_line(&mut out, &mut line).unwrap();
    let alert: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(alert["rule"], "Falco internal: syscall event drop");
    assert_eq!(alert["source"], "internal");
    assert_eq!(alert["priority"], "Debug");
    assert_eq!(alert["output_fields"]["eyas_cause"], "simulated");
    signal(&child, nix::sys::signal::Signal::SIGTERM);
    assert_eq!(child.wait().unwrap().code(), Some(0));
    busy.join().unwrap();
}

#[test]
fn a_daemon_writes_its_pid_and_ends_by_a_signal() {
    if !have("a_daemon_writes_its_pid_and_ends_by_a_signal", LIVE) {
        return;
    }
    let files = Files::new();
    let rules = files.rule("evt.type = execve and proc.name = nobody-is-called-so");
    let pid_file = format!("{}/pid", files.path());
    let arguments = ["-d", "-P", &pid_file, "-M", "25"];
    eyas(&[&["-r", &rules], &arguments[..]].concat()).succeeds();
    let deadline = Instant::now() + PATIENCE;
    let pid = loop {
        let text = fs::read(&pid_file).unwrap_or_default();
        match String::from_utf8(text).unwrap().parse::<i32>() {
            Ok(pid) => break nix::unistd::Pid::from_raw(pid),
            Err(_) => std::thread::sleep(Duration::from_millis(5)),
        }
        assert!(Instant::now() < deadline, "no pid file");
    };
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
    while Path::new(&pid_file).exists() {
        assert!(Instant::now() < deadline, "it goes on");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_reader_that_is_gone_ends_the_agent_with_an_error() {
    if !have("a_reader_that_is_gone_ends_the_agent_with_an_error", LIVE) {
        return;
    }
    let files = Files::new();
    let rules = files.rule(ON_EXEC);
    let (mut child, _wait_for) = start(&["-r", &rules], Stdio::piped());
    drop(child.stdout.take());
    let deadline = Instant::now() + PATIENCE;
    let status = loop {
        // Something has to happen that it would write of.
        Command::new("true").status().unwrap();
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        assert!(Instant::now() < deadline, "it goes on without a reader");
    };
    assert_eq!(status.code(), Some(1));
}
