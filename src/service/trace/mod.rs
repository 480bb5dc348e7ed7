//! `eyas trace`: the rules on one process tree, whose every needed system call is seen exactly.
//!
//! Events are made and judged while the tracee stands still, so nothing is lost and nothing races.
//! Only the calls that the loaded rules need stop the launched program, beside the few that keep
//! its process entry true; `near` lets most opens pass. A launched program's tracer is a process
//! of its own; a running program that is followed is traced by this one.

mod near;
mod opens;
mod tree;

use std::ffi::CString;
use std::io;
use std::os::fd::AsFd as _;
use std::path::Path;
use std::time::Duration;

use nix::sys::signal::Signal;

use super::Error;
use super::coverage;
use super::finish_to;
use super::formatter;
use super::judge::Judge;
use crate::config::Config;
use crate::decode::syscall;
use crate::decode::syscall::Abi;
use crate::decode::syscall::Call;
use crate::engine::ruleset::RuleSet;
use crate::event::EventType;
use crate::event::known;
use crate::log;
use crate::log::Level;
use crate::sources::ptrace as source;
use crate::sources::ptrace::Step;
use crate::sources::ptrace::Texts;
use crate::sources::ptrace::Tracer;
use crate::sources::ptrace::Wanted;
use crate::sources::ptrace::Watch;
use crate::sources::ptrace::apart::Apart;
use crate::sources::ptrace::apart::Entry;
use crate::sources::ptrace::apart::Told;
use crate::sys::poll;
use crate::sys::poll::SignalFd;
use crate::sys::process;
use crate::sys::ptrace::Patience;
use crate::sys::seccomp;
use crate::sys::seccomp::HasBits;
use crate::sys::seccomp::Traced;

use near::Near;
use opens::Opens;
use tree::Tree;

/// What is traced.
#[derive(Clone, Debug)]
pub enum Target {
    /// This program with its arguments.
    Launch(Vec<CString>),
    /// This running process.
    Attach(i32),
}

/// Calls that are always watched: they change what is known of the process itself.
const ALWAYS: &[EventType] = &[
    known::CHDIR,
    known::FCHDIR,
    known::CHROOT,
    known::SETSID,
    known::SETUID,
    known::SETGID,
    known::SETREUID,
    known::SETREGID,
    known::SETRESUID,
    known::SETRESGID,
    known::PRCTL,
];

/// Traces until the tree has ended or a signal asks for the end. Gives the exit code: the
/// program's own, or 128 and its signal.
///
/// # Errors
///
/// [`Error`]: with what wasn't possible.
pub fn run(target: &Target, rules: RuleSet, config: &Config) -> Result<u8, Error> {
    match target {
        Target::Launch(arguments) => launch(arguments, rules, config),
        Target::Attach(pid) => attach(*pid, rules, config),
    }
}

fn launch(arguments: &[CString], rules: RuleSet, config: &Config) -> Result<u8, Error> {
    let opens = opens(&rules);
    let wanted = wanted(&rules, &opens);
    let mut near = Near::new(opens);
    let mut decide = |tid: i32, call: &Call, texts: &mut Texts| near.entered(tid, call, texts);
    // Before any thread exists, and before signals are blocked.
    let mut apart =
        Apart::launch(arguments, wanted, process::is_root(), &mut decide).map_err(refused)?;
    let signals = SignalFd::new(&[Signal::SIGINT, Signal::SIGTERM]).map_err(no_signals)?;
    let mut tree = tree(rules, config, &[])?;
    let ended = follow_apart(&mut apart, &signals, &mut tree);
    finish(tree)?;
    let waiting = |source| Error::Io { what: "cannot hear from the tracer", source };
    match ended.map_err(waiting)? {
        Some(status) => Ok(exit_code(status)),
        None => Err(Error::Refused(
            "the tracer's process (eyas-tracer) was killed, and the kernel has ended the program \
             with all it started"
                .to_owned(),
        )),
    }
}

/// Hears what the tracer tells until the end: the first process's wait status; `None` if the
/// tracer is dead.
fn follow_apart(
    apart: &mut Apart,
    signals: &SignalFd,
    tree: &mut Tree,
) -> io::Result<Option<Option<i32>>> {
    apart.go()?;
    loop {
        let (is_told, is_signalled) = match apart.has_more() {
            true => (true, false),
            false => poll::wait_for_two(apart.as_fd(), signals.as_fd(), Duration::from_secs(1))?,
        };
        if is_signalled {
            while let Some(signal) = signals.read()? {
                // The terminal gives SIGINT to the program itself.
                if signal == Signal::SIGTERM {
                    let _gone = process::send_signal(apart.root(), signal);
                }
            }
        }
        if !is_told {
            continue;
        }
        match apart.step(tree)? {
            Told::Something => {}
            Told::Missed(count) => {
                log!(Level::Warning, "{count} calls were not seen while this process stood still");
                tree.resync();
            }
            Told::End(status) => return Ok(Some(status)),
            Told::Dead => return Ok(None),
        }
    }
}

fn attach(pid: i32, rules: RuleSet, config: &Config) -> Result<u8, Error> {
    let opens = opens(&rules);
    let wanted = wanted(&rules, &opens);
    let near = Near::new(opens);
    let signals = SignalFd::new(&[Signal::SIGINT, Signal::SIGTERM, Signal::SIGCHLD]);
    let signals = signals.map_err(no_signals)?;
    // All that takes time is done before the program is touched.
    let mut tree = tree(rules, config, &threads_with_process(pid))?;
    let mut tracer = Tracer::attach(pid, &threads_of(pid), wanted).map_err(refused)?;
    tracer.stay_near(None);
    let mut both = Both { near, tree: &mut tree };
    let ended = follow(&mut tracer, &signals, pid, &mut both);
    finish(tree)?;
    ended.map_err(|source| Error::Io { what: "cannot wait for the traced processes", source })?;
    Ok(tracer.root_status().map_or(0, |status| exit_code(Some(status))))
}

/// Steps until the end, or a signal that asks for it.
fn follow(
    tracer: &mut Tracer,
    signals: &SignalFd,
    root: i32,
    both: &mut Both<'_>,
) -> io::Result<()> {
    loop {
        match tracer.step(Patience::Look, both)? {
            Step::Handled => {}
            Step::End => return Ok(()),
            Step::Nothing => {
                poll::wait_readable(signals.as_fd(), Duration::from_secs(1))?;
                while let Some(signal) = signals.read()? {
                    if signal != Signal::SIGCHLD {
                        tracer.detach(&both.tree.threads(root));
                        return Ok(());
                    }
                }
            }
        }
    }
}

/// Both halves in one process: no filter, so nothing hangs on it.
struct Both<'t> {
    near: Near,
    tree: &'t mut Tree,
}

impl Watch for Both<'_> {
    fn entered(&mut self, tid: i32, call: &Call, texts: &mut Texts) -> bool {
        match self.near.entered(tid, call, texts) {
            Entry::Pass => false,
            Entry::TellExit => true,
            Entry::TellBoth => self.tree.entered(tid, call, texts),
        }
    }

    fn returned(&mut self, tid: i32, call: &Call, texts: &Texts) {
        self.tree.returned(tid, call, texts);
    }

    fn cloned(&mut self, parent: i32, child: i32) {
        self.tree.cloned(parent, child);
    }

    fn executed(&mut self, tid: i32) {
        self.tree.executed(tid);
    }

    fn gone(&mut self, tid: i32, status: i32) {
        self.tree.gone(tid, status);
    }
}

fn refused(error: source::Error) -> Error {
    let cause = std::error::Error::source(&error).map(ToString::to_string);
    Error::Refused(format!("{error}: {}", cause.unwrap_or_default()))
}

const fn no_signals(source: io::Error) -> Error {
    Error::Io { what: "cannot receive signals", source }
}

/// What judges the tree; alerts go to stderr, since stdout is the program's own.
fn tree(rules: RuleSet, config: &Config, threads: &[(i32, i32)]) -> Result<Tree, Error> {
    // execve's own opens are no calls of the tracee, so none must be recognised here.
    let mut enricher = super::host::enricher(true, config)?;
    enricher.set_needs(super::needs(&rules, &super::plan::Plan::default()));
    let outputs = super::outputs::start_stream(config, "stderr", io::stderr())?;
    Ok(Tree::new(enricher, Judge::new(rules, formatter(config), outputs), threads))
}

fn finish(tree: Tree) -> Result<(), Error> {
    super::farewell::attend();
    finish_to(tree.into_judge(), None, &mut io::stderr()).map(drop)
}

/// The conditions about opens.
fn opens(rules: &RuleSet) -> Opens {
    const OPENS: &[&str] = &["open", "openat", "openat2", "creat"];
    let about = coverage::enabled(rules.rules()).filter(|rule| coverage::can_match(rule, OPENS));
    let conditions: Vec<_> = about.map(|rule| &rule.condition).collect();
    Opens::new(&conditions)
}

/// The calls that the rules need, and those that are always watched.
fn wanted(rules: &RuleSet, opens: &Opens) -> Wanted {
    let abis: &[(u32, Abi)] = if cfg!(target_arch = "aarch64") {
        &[(seccomp::AUDIT_ARCH_AARCH64, Abi::Aarch64)]
    } else {
        &[(seccomp::AUDIT_ARCH_X86_64, Abi::X86_64), (seccomp::AUDIT_ARCH_I386, Abi::I386)]
    };
    let enabled: Vec<_> = coverage::enabled(rules.rules()).collect();
    let needed =
        |ty: EventType| ALWAYS.contains(&ty) || enabled.iter().any(|rule| rule.events.contains(ty));
    let types: Vec<EventType> = EventType::all().filter(|&ty| needed(ty)).collect();
    let calls = abis.iter().map(|&(architecture, abi)| {
        let of_type = |&ty: &EventType| {
            let only_if = opens.only_writes_matter(ty).then(|| may_write(ty)).flatten();
            syscall::numbers_of(abi, ty).map(move |number| Traced { number, only_if })
        };
        (architecture, types.iter().flat_map(of_type).collect())
    });
    Wanted { calls: calls.collect() }
}

/// What an open's flags have if it may write.
fn may_write(ty: EventType) -> Option<HasBits> {
    // O_WRONLY and O_RDWR, on all architectures; access mode 3 is both.
    let bits = 0b11;
    let argument = match ty {
        known::OPEN => 1,
        known::OPENAT => 2,
        _ => return None,
    };
    Some(HasBits { argument, bits })
}

/// The threads of a process.
fn threads_of(pid: i32) -> Vec<i32> {
    let Ok(entries) = std::fs::read_dir(format!("/proc/{pid}/task")) else { return vec![pid] };
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut threads: Vec<i32> = names.filter_map(|name| name.parse().ok()).collect();
    // The process itself last: if it isn't ours, that is told of it.
    threads.sort_by_key(|&tid| tid == pid);
    if threads.is_empty() { vec![pid] } else { threads }
}

/// The same, each with the process.
fn threads_with_process(pid: i32) -> Vec<(i32, i32)> {
    threads_of(pid).into_iter().map(|tid| (tid, pid)).collect()
}

/// The process that a thread belongs to.
fn process_of(tid: i32) -> i32 {
    let mut text = Vec::new();
    let status = crate::procfs::Proc::open(Path::new("/proc"))
        .ok()
        .and_then(|proc| proc.process(tid).ok())
        .and_then(|thread| thread.read_piece(c"status", 4096, &mut text).ok());
    let line = status.and_then(|()| crate::decode::procfs::line_after(&text, b"Tgid:"));
    let number = line.map(<[u8]>::trim_ascii).and_then(crate::decode::procfs::decimal);
    number.and_then(|pid| i32::try_from(pid).ok()).unwrap_or(tid)
}

/// What a shell would see: the exit code, or 128 and the signal.
fn exit_code(status: Option<i32>) -> u8 {
    let Some(status) = status else { return 0 };
    let (signal, code) = (status & 0x7f, status >> 8 & 0xff);
    let code = if signal == 0 { code } else { 128 + signal };
    u8::try_from(code).unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exit_code_is_the_programs_own_or_its_signals() {
        assert_eq!(exit_code(Some(3 << 8)), 3);
        assert_eq!(exit_code(Some(9)), 137);
        assert_eq!(exit_code(None), 0);
    }
}
