//! What tests share. A test that needs something of the machine asks [`have`] first.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(clippy::indexing_slicing, reason = "a test that is wrong may panic")]

pub mod cases;
pub mod docker;
pub mod host;
pub mod ignored;
pub mod made;
pub mod must_fire;
pub mod place;
pub mod seat;
pub mod signals;

use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use eyas::sources::ProcConnector;
use eyas::sources::audit::Control;
use eyas::sources::proc_connector;
use eyas::sys::abi;
use eyas::sys::fanotify;
use eyas::sys::process::is_gone;

/// Something of the machine that a test can need.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Need {
    /// To be root in the initial user namespace.
    Root,
    /// fanotify, with the right to use it.
    Fanotify,
    /// The proc connector, in the initial pid and network namespace.
    ProcConnector,
    /// The audit, with the right to use it and nobody in its seat.
    Audit,
    /// auditd, which a test can start.
    Auditd,
    /// dockerd, and what an image can be made of.
    Docker,
    /// A syslog daemon that a test can start.
    Rsyslog,
    /// logrotate.
    Logrotate,
    /// A browser without a window.
    Chromium,
}

impl Need {
    /// As `EYAS_REQUIRE` spells it.
    const fn name(self) -> &'static str {
        match self {
            Self::Root => "root",
            Self::Fanotify => "fanotify",
            Self::ProcConnector => "proc_connector",
            Self::Audit => "audit",
            Self::Auditd => "auditd",
            Self::Docker => "docker",
            Self::Rsyslog => "rsyslog",
            Self::Logrotate => "logrotate",
            Self::Chromium => "chromium",
        }
    }

    fn is_there(self) -> bool {
        let is_root = nix::unistd::geteuid().is_root();
        match self {
            Self::Root => is_root,
            Self::Fanotify => fanotify::init(abi::FAN_CLASS_NOTIF | abi::FAN_CLOEXEC, 0).is_ok(),
            Self::ProcConnector => {
                ProcConnector::subscribe(proc_connector::Options::default()).is_ok()
            }
            Self::Audit => {
                Control::open().and_then(|mut control| control.status()).is_ok_and(|status| {
                    let pid = i32::try_from(status.pid).unwrap_or(-1);
                    status.enabled < 2 && (pid == 0 || is_gone(pid))
                })
            }
            Self::Auditd => is_root && seat::auditd().is_some(),
            Self::Docker => is_root && docker::is_installed(),
            Self::Rsyslog => answers("rsyslogd", "-v"),
            Self::Logrotate => answers("logrotate", "--version"),
            Self::Chromium => chromium().is_some(),
        }
    }
}

/// A browser that runs without a window.
pub fn chromium() -> Option<&'static str> {
    let programs = ["/usr/bin/chromium-headless-shell", "/usr/bin/chromium"];
    programs.into_iter().find(|program| Path::new(program).exists())
}

/// Copies a program, by a process of its own: written by us, it could not be run while another
/// test's child, between its fork and its exec, still has the file open for writing (`ETXTBSY`).
pub fn copy_program(from: impl AsRef<Path>, to: impl AsRef<Path>) {
    let (from, to) = (from.as_ref(), to.as_ref());
    let copied = Command::new("cp").arg(from).arg(to).status().unwrap();
    assert!(copied.success(), "cp {} {}", from.display(), to.display());
}

/// Makes a program at `path` that needs no loader and ends at once.
pub fn make_static_program(path: impl AsRef<Path>) {
    let mut compiler = Command::new("cc");
    compiler.args(["-static", "-O1", "-x", "c", "-", "-o"]).arg(path.as_ref());
    let mut compiler = compiler.stdin(std::process::Stdio::piped()).spawn().unwrap();
    let source = b"int main(void) { return 0; }\n";
    std::io::Write::write_all(&mut compiler.stdin.take().unwrap(), source).unwrap();
    assert!(compiler.wait().unwrap().success(), "cc -static");
}

/// Whether a program is there and runs.
fn answers(program: &str, argument: &str) -> bool {
    let mut command = Command::new(program);
    command.arg(argument).output().is_ok_and(|output| output.status.success())
}

/// Whether the machine has all of `needs`. If not, the test is to return at once: it is told on
/// standard error that it was skipped, and if `EYAS_REQUIRE` (names with commas between them)
/// lists what is missing, it fails here.
pub fn have(test: &str, needs: &[Need]) -> bool {
    let required = std::env::var("EYAS_REQUIRE").unwrap_or_default();
    let missing = needs.iter().filter(|need| !need.is_there()).map(|need| need.name());
    let missing: Vec<_> = missing.collect();
    for name in &missing {
        let is_required = required.split(',').any(|item| item.trim() == *name);
        assert!(!is_required, "{test} needs {name}, which EYAS_REQUIRE says must be there");
    }
    if !missing.is_empty() {
        // Past the capture of the test harness: a skip must be seen.
        let _ = writeln!(std::io::stderr(), "SKIPPED: {test} needs {}", missing.join(", "));
    }
    missing.is_empty()
}
