//! Alerts to the standard input of a program that a shell starts: one for each alert, or one for
//! all.

use std::io;
use std::io::Write as _;
use std::process::ExitStatus;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use super::lines::Lines;
use super::running::{Running, end_all};
use super::{Alert, Channel, Fault};
use crate::log;
use crate::log::Level;

/// How long a program may take after its input has ended; then it is ended.
const PATIENCE: Duration = Duration::from_secs(10);

/// The same at the end of the channel.
const END_PATIENCE: Duration = Duration::from_secs(2);

/// How long the end waits, once nothing is waited for any more, until the programs are ended.
const STOP_PATIENCE: Duration = Duration::from_secs(3);

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
    running: Option<Running>,
    /// Programs whose input has ended and that haven't, and since when that is so.
    leaving: Vec<(Running, Instant)>,
    lines: Lines,
    stop: Arc<AtomicBool>,
}

impl Program {
    /// Starts nothing yet.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            running: None,
            leaving: Vec::new(),
            lines: Lines::default(),
            stop: Arc::default(),
        }
    }

    fn start(&self) -> Result<Running, Fault> {
        Running::start(&self.settings.program)
            .map_err(|error| Fault::Again(format!("/bin/sh can't be started: {error}")))
    }

    /// One process, one alert.
    fn hand_over(&self, alert: &Alert) -> Result<(), Fault> {
        let mut program = self.start()?;
        if let Some(mut input) = program.input(&self.stop) {
            let mut line = alert.text.to_vec();
            line.push(b'\n');
            match input.write_all(&line) {
                // It needed no more to know.
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
                Err(error) => {
                    end_all(vec![program]);
                    return Err(self.not_taken(error.to_string()));
                }
                Ok(()) => {}
            }
        }
        program.end_input();
        match program.wait(&self.stop) {
            Some(status) if status.success() => Ok(()),
            Some(status) => Err(Fault::Unfit(self.ended(status))),
            None => {
                end_all(vec![program]);
                Err(self.not_taken(format!("`{}` did not end", self.settings.program)))
            }
        }
    }

    /// No other alert is tried once nothing is waited for any more.
    fn not_taken(&self, reason: String) -> Fault {
        if self.stop.load(Relaxed) { Fault::Again(reason) } else { Fault::Unfit(reason) }
    }

    fn ended(&self, status: ExitStatus) -> String {
        format!("`{}` ended with {status}", self.settings.program)
    }

    /// All alerts to the one process.
    fn pass_on(&mut self, alerts: &[Arc<Alert>]) -> Result<(), (usize, Fault)> {
        let mut program = match self.running.take() {
            Some(program) => program,
            None => self.start().map_err(|fault| (0, fault))?,
        };
        let Some(mut input) = program.input(&self.stop) else { return Ok(()) };
        match self.lines.write(alerts, &mut input) {
            Ok(()) => {
                self.running = Some(program);
                Ok(())
            }
            Err((done, error)) => {
                self.lines.restart();
                program.end_input();
                let reason = if let Some(status) = program.status() {
                    self.ended(status)
                } else {
                    self.leaving.push((program, Instant::now()));
                    format!("`{}` reads nothing any more: {error}", self.settings.program)
                };
                Err((done, Fault::Again(reason)))
            }
        }
    }

    /// Ends the program's input; it may take its time to end.
    fn let_go(&mut self) {
        if let Some(mut program) = self.running.take() {
            program.end_input();
            self.leaving.push((program, Instant::now()));
        }
        self.lines.restart();
    }

    /// Forgets the programs that have ended, and ends those that take too long.
    fn reap(&mut self, patience: Duration) {
        self.leaving.retain_mut(|(program, _)| program.status().is_none());
        let is_late = |(_, since): &mut (Running, Instant)| since.elapsed() >= patience;
        let late: Vec<_> =
            self.leaving.extract_if(.., is_late).map(|(program, _)| program).collect();
        if !late.is_empty() {
            log!(
                Level::Warning,
                "program: `{}` does not end with its input; it is ended",
                self.settings.program
            );
            end_all(late);
        }
    }
}

impl Channel for Program {
    fn write(&mut self, alerts: &[Arc<Alert>]) -> Result<(), (usize, Fault)> {
        if self.settings.keep_alive {
            self.reap(PATIENCE);
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

    fn stop_with(&mut self, stop: Arc<AtomicBool>) -> Option<Duration> {
        self.stop = stop;
        Some(STOP_PATIENCE)
    }

    fn reopen(&mut self) {
        self.let_go();
        self.reap(PATIENCE);
    }

    fn idle(&mut self) {
        self.reap(PATIENCE);
        // A program that ended by itself is told of now, not at the next alert.
        if let Some(status) = self.running.as_mut().and_then(Running::status) {
            log!(Level::Warning, "program: {}; the next alert starts it again", self.ended(status));
            self.running = None;
            self.lines.restart();
        }
    }

    fn finish(&mut self, progress: &dyn Fn()) -> Result<(), (usize, Fault)> {
        self.let_go();
        let began = Instant::now();
        while !self.leaving.is_empty() {
            // That has a deadline of its own.
            progress();
            let is_over = self.stop.load(Relaxed) || began.elapsed() >= END_PATIENCE;
            self.reap(if is_over { Duration::ZERO } else { PATIENCE });
            std::thread::sleep(Duration::from_millis(5));
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
        while channel.running.as_mut().unwrap().status().is_none() {
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
