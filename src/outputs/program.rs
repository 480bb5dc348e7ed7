//! Alerts to the standard input of a program that a shell starts: one for each alert, or one for
//! all.

use std::io;
use std::io::Write as _;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::lines::Lines;
use super::{Alert, Channel, Fault};
use crate::log;
use crate::log::Level;
use crate::sys::process;

/// How long the end waits for a program after its input has ended; then it goes on alone.
const END_PATIENCE: Duration = Duration::from_secs(1);

/// Which program.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Settings {
    /// What `sh -c` is given: quoting is the shell's.
    pub program: String,
    /// One process for all alerts.
    pub keep_alive: bool,
}

/// The channel.
#[derive(Debug)]
pub struct Program {
    settings: Settings,
    child: Option<Child>,
    /// Programs whose input has ended and that haven't.
    leaving: Vec<Child>,
    lines: Lines,
}

impl Program {
    /// Starts nothing yet.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self { settings, child: None, leaving: Vec::new(), lines: Lines::default() }
    }

    fn start(&self) -> Result<Child, Fault> {
        let mut command = Command::new("/bin/sh");
        command.arg("-c").arg(&self.settings.program).stdin(Stdio::piped());
        // The agent's threads block the signals that its loop reads.
        process::unblock_signals_in(&mut command);
        command.spawn().map_err(|error| Fault::Again(format!("/bin/sh can't be started: {error}")))
    }

    /// One process, one alert.
    fn hand_over(&self, alert: &Alert) -> Result<(), Fault> {
        let mut child = self.start()?;
        if let Some(mut input) = child.stdin.take() {
            let mut line = alert.text.to_vec();
            line.push(b'\n');
            match input.write_all(&line) {
                // It needed no more to know.
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
                result => result.map_err(|error| Fault::Unfit(error.to_string()))?,
            }
        }
        let status = child.wait().map_err(|error| Fault::Unfit(error.to_string()))?;
        if status.success() { Ok(()) } else { Err(Fault::Unfit(self.ended(status))) }
    }

    fn ended(&self, status: ExitStatus) -> String {
        format!("`{}` ended with {status}", self.settings.program)
    }

    /// All alerts to the one process.
    fn pass_on(&mut self, alerts: &[Arc<Alert>]) -> Result<(), (usize, Fault)> {
        let mut child = match self.child.take() {
            Some(child) => child,
            None => self.start().map_err(|fault| (0, fault))?,
        };
        let Some(input) = &mut child.stdin else { return Ok(()) };
        match self.lines.write(alerts, input) {
            Ok(()) => {
                self.child = Some(child);
                Ok(())
            }
            Err((done, error)) => {
                self.lines.restart();
                drop(child.stdin.take());
                let reason = match child.try_wait() {
                    Ok(Some(status)) => self.ended(status),
                    _ => {
                        self.leaving.push(child);
                        format!("`{}` reads nothing any more: {error}", self.settings.program)
                    }
                };
                Err((done, Fault::Again(reason)))
            }
        }
    }

    /// Ends the program's input; it may take its time to end.
    fn let_go(&mut self) {
        if let Some(mut child) = self.child.take() {
            drop(child.stdin.take());
            self.leaving.push(child);
        }
        self.lines.restart();
    }

    /// Forgets the programs that have ended.
    fn reap(&mut self) {
        self.leaving.retain_mut(|child| matches!(child.try_wait(), Ok(None)));
    }
}

impl Channel for Program {
    fn write(&mut self, alerts: &[Arc<Alert>]) -> Result<(), (usize, Fault)> {
        if self.settings.keep_alive {
            return self.pass_on(alerts);
        }
        for (done, alert) in alerts.iter().enumerate() {
            self.hand_over(alert).map_err(|fault| (done, fault))?;
        }
        Ok(())
    }

    fn runs_programs(&self) -> bool {
        true
    }

    fn reopen(&mut self) {
        self.let_go();
        self.reap();
    }

    fn idle(&mut self) {
        self.reap();
        // A program that ended by itself is told of now, not at the next alert.
        let ended = self.child.as_mut().and_then(|child| child.try_wait().ok().flatten());
        if let Some(status) = ended {
            log!(Level::Warning, "program: {}; the next alert starts it again", self.ended(status));
            self.child = None;
            self.lines.restart();
        }
    }

    fn finish(&mut self, _: &dyn Fn()) -> Result<(), (usize, Fault)> {
        self.let_go();
        let began = Instant::now();
        while !self.leaving.is_empty() && began.elapsed() < END_PATIENCE {
            std::thread::sleep(Duration::from_millis(5));
            self.reap();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn channel(program: String, keep_alive: bool) -> Program {
        Program::new(Settings { program, keep_alive })
    }

    fn alerts(texts: &[&str]) -> Vec<Arc<Alert>> {
        let alert = |text: &&str| Arc::new(Alert { text: text.as_bytes().into(), priority: 4 });
        texts.iter().map(alert).collect()
    }

    #[test]
    fn each_alert_starts_a_program_of_its_own_with_the_shells_quoting() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("a file");
        let program = format!("while read -r l; do echo \"$$ '$l'\"; done >> '{}'", file.display());
        let mut channel = channel(program, false);
        channel.write(&alerts(&["one  two", "three"])).unwrap();
        let text = String::from_utf8(std::fs::read(&file).unwrap()).unwrap();
        let lines: Vec<_> = text.lines().map(|line| line.split_once(' ').unwrap()).collect();
        assert_eq!([lines[0].1, lines[1].1], ["'one  two'", "'three'"]);
        assert_ne!(lines[0].0, lines[1].0);
    }

    #[test]
    fn one_program_for_all_is_started_again_when_asked() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("out");
        let program = format!("(echo start; cat; echo end) >> {}", file.display());
        let mut channel = channel(program, true);
        channel.write(&alerts(&["one"])).unwrap();
        channel.write(&alerts(&["two"])).unwrap();
        channel.finish(&|| {}).unwrap();
        channel.reopen();
        channel.write(&alerts(&["three"])).unwrap();
        channel.finish(&|| {}).unwrap();
        assert_eq!(std::fs::read(&file).unwrap(), b"start\none\ntwo\nend\nstart\nthree\nend\n");
    }

    #[test]
    fn a_program_that_ended_is_told_and_the_next_attempt_starts_it_again() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("out");
        let program = format!("read -r l; echo \"$l\" >> {}; exit 3", file.display());
        let mut channel = channel(program, true);
        channel.write(&alerts(&["one"])).unwrap();
        let child = channel.child.as_mut().unwrap();
        while child.try_wait().unwrap().is_none() {
            std::thread::yield_now();
        }
        let (done, fault) = channel.write(&alerts(&["two"])).unwrap_err();
        assert_eq!(done, 0);
        assert!(fault.to_string().ends_with("ended with exit status: 3"), "{fault}");
        channel.write(&alerts(&["two"])).unwrap();
        channel.finish(&|| {}).unwrap();
        assert_eq!(std::fs::read(&file).unwrap(), b"one\ntwo\n");
    }

    #[test]
    fn a_program_that_fails_costs_its_alert_and_no_other() {
        let mut channel = channel("grep -q good".to_owned(), false);
        let (done, fault) = channel.write(&alerts(&["good", "bad", "good"])).unwrap_err();
        assert_eq!(done, 1);
        assert!(matches!(fault, Fault::Unfit(_)), "{fault:?}");
    }
}
