//! A program that a shell runs, in a process group of its own, so that it can be ended with all
//! that it started: it may neither read nor end by itself.
//!
//! Out of reach is what has left the group (setsid(2)); it gets the end of its input, as ever.

use std::io;
use std::os::fd::AsFd as _;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::sys::{poll, process};

/// How long a program has to end after SIGTERM; then SIGKILL follows.
const MERCY: Duration = Duration::from_secs(1);

/// How long the others of the group have once their shell has gone.
const MERCY_OF_OTHERS: Duration = Duration::from_millis(200);

/// How often it is looked, while a program takes nothing, whether it is still to be waited for.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// The shortest and the longest time between two looks whether a program has ended.
const FIRST_LOOK: Duration = Duration::from_micros(500);
const LAST_LOOK: Duration = Duration::from_millis(20);

/// The program.
#[derive(Debug)]
pub(super) struct Running {
    child: Child,
    input: Option<ChildStdin>,
}

impl Running {
    /// Has `sh -c` run `program`: quoting is the shell's.
    pub(super) fn start(program: &str) -> io::Result<Self> {
        let mut command = Command::new("/bin/sh");
        command.arg("-c").arg(program).stdin(Stdio::piped()).process_group(0);
        // The agent's threads block the signals that its loop reads.
        process::unblock_signals_in(&mut command);
        let mut child = command.spawn()?;
        let input = child.stdin.take();
        if let Some(input) = &input {
            // Ours alone: the program has the other end.
            poll::never_block(input.as_fd())?;
        }
        Ok(Self { child, input })
    }

    /// Its standard input, unless that has been ended. A write comes back once `stop` is set.
    pub(super) fn input<'r>(&'r mut self, stop: &'r AtomicBool) -> Option<Input<'r>> {
        Some(Input { pipe: self.input.as_mut()?, stop })
    }

    /// Ends its input.
    pub(super) fn end_input(&mut self) {
        self.input = None;
    }

    /// How it has ended, if it has.
    pub(super) fn status(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// Waits until it has ended by itself; `None` if `stop` is set before.
    pub(super) fn wait(&mut self, stop: &AtomicBool) -> Option<ExitStatus> {
        let mut pause = FIRST_LOOK;
        loop {
            if let Some(status) = self.status() {
                return Some(status);
            }
            if stop.load(Relaxed) {
                return None;
            }
            std::thread::sleep(pause);
            pause = (pause * 2).min(LAST_LOOK);
        }
    }

    fn signal(&self, signal: Signal) {
        // As long as its end was not taken note of, its number is nobody else's.
        let _ = process::send_signal_to_group(self.child.id().cast_signed(), signal);
    }

    /// Whether it has ended; its number stays taken.
    fn has_ended(&self) -> bool {
        process::has_ended(self.child.id().cast_signed())
    }
}

/// Ends programs with all that they started, by force if need be.
pub(super) fn end_all(mut programs: Vec<Running>) {
    let began = Instant::now();
    programs.retain_mut(|program| program.status().is_none());
    for program in &mut programs {
        program.end_input();
        program.signal(Signal::SIGTERM);
    }
    while began.elapsed() < MERCY && !programs.iter().all(Running::has_ended) {
        std::thread::sleep(Duration::from_millis(5));
    }
    if began.elapsed() < MERCY && !programs.is_empty() {
        std::thread::sleep(MERCY_OF_OTHERS);
    }
    for mut program in programs {
        program.signal(Signal::SIGKILL);
        let _ = program.child.wait();
    }
}

/// The standard input of a program that may never read.
#[derive(Debug)]
pub(super) struct Input<'r> {
    pipe: &'r mut ChildStdin,
    stop: &'r AtomicBool,
}

impl io::Write for Input<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            match self.pipe.write(bytes) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => return result,
            }
            if self.stop.load(Relaxed) {
                return Err(io::Error::new(io::ErrorKind::TimedOut, "it was not waited for"));
            }
            poll::wait_writable(self.pipe.as_fd(), LOOK_EVERY)?;
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    /// Starts a program that writes the number of something it started, which ignores SIGTERM.
    fn stubborn(dir: &std::path::Path) -> (Running, i32) {
        let file = dir.join("pid");
        let program = format!(
            "(trap '' TERM; while :; do sleep 0.1; done) & echo $! > {0}.new; mv {0}.new {0}; \
             trap '' TERM; while :; do sleep 0.1; done",
            file.display()
        );
        let running = Running::start(&program).unwrap();
        loop {
            if let Ok(text) = std::fs::read(&file) {
                let text = String::from_utf8(text).unwrap();
                return (running, text.trim().parse().unwrap());
            }
            std::thread::yield_now();
        }
    }

    #[test]
    fn what_does_not_end_by_itself_ends_with_all_that_it_started() {
        let dir = tempfile::tempdir().unwrap();
        let (running, other) = stubborn(dir.path());
        let shell = running.child.id().cast_signed();
        end_all(vec![running]);
        for pid in [shell, other] {
            // A dead one whose parent hasn't looked yet is dead, too.
            let is_dead = || {
                process::is_gone(pid)
                    || String::from_utf8_lossy(
                        &std::fs::read(format!("/proc/{pid}/stat")).unwrap_or_default(),
                    )
                    .contains(") Z ")
            };
            let began = Instant::now();
            while !is_dead() {
                assert!(began.elapsed() < Duration::from_secs(20), "{pid} lives");
                std::thread::sleep(Duration::from_millis(5));
            }
        }
    }

    #[test]
    fn a_write_that_nobody_reads_comes_back_when_it_is_asked_to() {
        // Whoever has the other end needs not even be in its group.
        let mut running = Running::start("exec sleep 1000").unwrap();
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let writes = scope.spawn(|| {
                let mut input = running.input(&stop).unwrap();
                input.write_all(&[b'x'; 1 << 20]).unwrap_err().kind()
            });
            stop.store(true, Relaxed);
            assert_eq!(writes.join().unwrap(), io::ErrorKind::TimedOut);
        });
        end_all(vec![running]);
    }
}
