//! The audit's one seat on a host, and the daemon that mostly has it.

use std::fs;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;
use std::time::Instant;

use eyas::decode::audit::control::Change;
use eyas::decode::audit::control::Status;
use eyas::decode::audit::rule::Listed;
use eyas::sources::audit::Control;
use eyas::sources::audit::remove_rules;
use eyas::sys::process::is_gone;
use nix::sys::signal::Signal;
use nix::sys::signal::kill;
use nix::unistd::Pid;

use super::copy_program;
use super::host::PATIENCE;
use super::host::read;

/// The one seat: tests take turns. What is left behind by a test that fails is cleared away.
#[derive(Debug)]
pub struct Turn {
    _turn: MutexGuard<'static, ()>,
    /// The audit as it was.
    pub before: Status,
}

impl Turn {
    /// Waits for it.
    pub fn take() -> Self {
        static SEAT: Mutex<()> = Mutex::new(());
        let turn = SEAT.lock().unwrap_or_else(PoisonError::into_inner);
        Self { _turn: turn, before: status() }
    }

    /// Whether the audit is as it was.
    pub fn assert_clean(&self) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let now = status();
            // A holder that is gone is noticed by the kernel with the next record only.
            let is_free = i32::try_from(now.pid).is_ok_and(|pid| pid == 0 || is_gone(pid));
            let is_same = is_free
                && (now.enabled, now.backlog_limit, now.backlog_wait_time)
                    == (
                        self.before.enabled,
                        self.before.backlog_limit,
                        self.before.backlog_wait_time,
                    );
            if is_same && own_rules() == 0 {
                return;
            }
            assert!(Instant::now() < deadline, "{:?} became {now:?}", self.before);
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut control = Control::open().unwrap();
        let _ = remove_rules(&mut control);
        if self.before.enabled == 0 {
            let _ = control.change(Change::Enabled(0));
        }
        let _ = control.change(Change::BacklogLimit(self.before.backlog_limit));
        if let Some(ticks) = self.before.backlog_wait_time {
            let _ = control.change(Change::BacklogWaitTime(ticks));
        }
    }
}

/// What the audit says of itself.
pub fn status() -> Status {
    Control::open().unwrap().status().unwrap()
}

/// How many rules with our key the kernel has.
pub fn own_rules() -> usize {
    let rules = Control::open().unwrap().rules().unwrap();
    rules.iter().filter(|rule| Listed::parse(rule).unwrap().has_key("eyas")).count()
}

/// Where auditd may be.
const AUDITD: [&str; 2] = ["/sbin/auditd", "/usr/sbin/auditd"];

/// auditd, if it is installed.
pub fn auditd() -> Option<&'static str> {
    AUDITD.into_iter().find(|path| Path::new(path).exists())
}

/// A configuration of auditd that is nobody else's: log, plugins and all in one directory.
#[derive(Debug)]
pub struct Home {
    dir: tempfile::TempDir,
}

impl Home {
    /// Makes one whose dispatcher starts our plugin, from a copy of the program: auditd wants both
    /// to be root's own.
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let home = Self { dir };
        for name in ["etc/plugins.d", "log"] {
            fs::create_dir_all(home.path(name)).unwrap();
        }
        let text = |name: &str| home.path(name).to_str().unwrap().to_owned();
        let configuration = format!(
            "local_events = yes\nwrite_logs = yes\nlog_file = {}\nlog_format = RAW\nflush = NONE\n\
             priority_boost = 0\nname_format = NONE\nq_depth = 2000\noverflow_action = SYSLOG\n\
             plugin_dir = {}\nspace_left = 3\nadmin_space_left = 2\nspace_left_action = SYSLOG\n\
             admin_space_left_action = SYSLOG\ndisk_full_action = SYSLOG\n\
             disk_error_action = SYSLOG\nmax_log_file = 4\nmax_log_file_action = ROTATE\n\
             num_logs = 2\n",
            text("log/audit.log"),
            text("etc/plugins.d"),
        );
        home.write("etc/auditd.conf", &configuration);
        let program = home.path("eyas");
        copy_program(env!("CARGO_BIN_EXE_eyas"), &program);
        fs::set_permissions(&program, fs::Permissions::from_mode(0o750)).unwrap();
        // The shipped file, but for the place of the program.
        let shipped = concat!(env!("CARGO_MANIFEST_DIR"), "/config/auditd/eyas.conf");
        let plugin = read(shipped);
        let plugin = plugin.replace("/usr/local/bin/eyas", program.to_str().unwrap());
        let plugin = plugin
            .replace("audit-plugin", &format!("audit-plugin -oeyas.audit.socket={}", text("sock")));
        home.write("etc/plugins.d/eyas.conf", &plugin);
        home
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    }

    /// Where our plugin finds the agent.
    pub fn socket(&self) -> PathBuf {
        self.path("sock")
    }

    /// Starts auditd here, and waits until it has the seat.
    pub fn start(&self) -> Auditd {
        let mut auditd = self.try_start();
        let deadline = Instant::now() + PATIENCE;
        while status().pid != auditd.pid() {
            assert!(auditd.is_running(), "auditd has ended: {}", auditd.said());
            assert!(Instant::now() < deadline, "auditd doesn't take the seat");
            std::thread::sleep(Duration::from_millis(20));
        }
        auditd
    }

    /// Starts auditd here.
    pub fn try_start(&self) -> Auditd {
        let child = Command::new(auditd().unwrap())
            .args(["-n", "-c"])
            .arg(self.path("etc"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        Auditd { child }
    }
}

/// auditd, running; ended on drop.
#[derive(Debug)]
pub struct Auditd {
    child: Child,
}

impl Auditd {
    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Whether it hasn't ended.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Waits for its end; whether it ended well.
    pub fn wait(&mut self) -> bool {
        let deadline = Instant::now() + PATIENCE;
        while self.is_running() {
            assert!(Instant::now() < deadline, "auditd doesn't end");
            std::thread::sleep(Duration::from_millis(20));
        }
        self.child.wait().unwrap().success()
    }

    /// Sends it a signal.
    pub fn send(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().cast_signed()), signal).unwrap();
    }

    fn said(&mut self) -> String {
        let mut text = String::new();
        if let Some(mut stderr) = self.child.stderr.take() {
            let _ = stderr.read_to_string(&mut text);
        }
        text
    }
}

impl Drop for Auditd {
    fn drop(&mut self) {
        if self.is_running() {
            self.send(Signal::SIGTERM);
        }
        let deadline = Instant::now() + Duration::from_secs(5);
        while self.is_running() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
