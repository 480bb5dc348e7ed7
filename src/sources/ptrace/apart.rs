//! The tracer as a small process of its own, between the agent and the program.
//!
//! A launched program's filter can't be taken away: whoever resumes its stops must not go before
//! it. So that process only does that; it asks the agent about what may matter, and waits for the
//! answer, since the agent looks at a tracee that stands still. If the agent is gone, it goes on
//! alone, and tells nobody. If the agent stands still itself, it waits for [`PATIENCE`] once, and
//! from then on lets all run, counts what it doesn't tell, and asks again when the agent answers.
//! If it dies itself, the kernel ends the tree.
//!
//! It blocks all signals: the program gets those of the terminal itself, and one that stops the
//! group must not stop the one who has to resume it.

use std::ffi::CString;
use std::io;
use std::io::BufReader;
use std::io::Read as _;
use std::io::Write as _;
use std::os::fd::AsFd;
use std::os::fd::BorrowedFd;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use super::Error;
use super::Step;
use super::Texts;
use super::Tracer;
use super::Wanted;
use super::Watch;
use super::message::Buffer;
use super::message::Message;
use crate::decode::syscall::Call;
use crate::sys::poll;
use crate::sys::process;
use crate::sys::ptrace;
use crate::sys::ptrace::Patience;

/// How long a tracee waits at most for an agent that stands still.
pub const PATIENCE: Duration = Duration::from_millis(500);

/// What is done about a call on its entry.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Entry {
    /// Nothing is told of it.
    Pass,
    /// Its exit is told.
    TellExit,
    /// Its entry and its exit are told.
    TellBoth,
}

/// Decides about a call on its entry, and reads its texts; in the tracer's process.
pub type Decide<'d> = dyn FnMut(i32, &Call, &mut Texts) -> Entry + 'd;

/// The agent's end.
#[derive(Debug)]
pub struct Apart {
    stream: BufReader<UnixStream>,
    buffer: Buffer,
    texts: Texts,
    root: i32,
}

/// What [`Apart::step`] came to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Told {
    /// One thing was handed on.
    Something,
    /// That many stops were let pass untold, since nobody answered in time.
    Missed(u64),
    /// The tree has ended; the first process so, as a wait status.
    End(Option<i32>),
    /// The tracer's process is dead, and the tree with it.
    Dead,
}

impl Apart {
    /// Starts the tracer's process, and it the program, which stands still at its first
    /// instruction until [`go`](Self::go). Must be called while this process has one thread.
    ///
    /// # Errors
    ///
    /// [`Error::Run`] if the program can't be run, [`Error::Call`] if it can't be traced.
    pub fn launch(
        arguments: &[CString],
        wanted: Wanted,
        keep_privileges: bool,
        decide: &mut Decide<'_>,
    ) -> Result<Self, Error> {
        let failed = |action: &str| {
            let action = action.to_owned();
            move |source| Error::Call { action, source }
        };
        let (near, far) = UnixStream::pair().map_err(failed("make a pair of sockets"))?;
        let agent = process::own_pid();
        let mut ends = Some((near, far));
        ptrace::fork_tracer(|| {
            let Some((near, far)) = ends.take() else { return 1 };
            drop(far);
            match Tracer::launch(arguments, wanted, keep_privileges) {
                Ok(tracer) => trace(tracer, near, agent, decide).map_or(1, |()| 0),
                Err(error) => tell_failure(near, &error),
            }
        })
        .map_err(failed("start the tracer's process"))?;
        let Some((near, far)) = ends else { return Err(gone()) };
        drop(near);
        let mut apart = Self {
            stream: BufReader::with_capacity(16 << 10, far),
            buffer: Buffer::default(),
            texts: Texts::default(),
            root: 0,
        };
        apart.await_start(arguments)?;
        Ok(apart)
    }

    fn await_start(&mut self, arguments: &[CString]) -> Result<(), Error> {
        match self.buffer.receive(&mut self.stream, &mut self.texts) {
            Ok(Some(Message::Started(root))) => {
                self.root = root;
                Ok(())
            }
            Ok(Some(Message::Failed(action, errno))) => {
                let source = io::Error::from_raw_os_error(errno);
                if action.is_empty() {
                    let program = arguments.first().map(|name| name.to_string_lossy().into_owned());
                    return Err(Error::Run { program: program.unwrap_or_default(), source });
                }
                Err(Error::Call { action, source })
            }
            Ok(_) => Err(gone()),
            Err(source) => Err(Error::Call { action: "hear from the tracer".to_owned(), source }),
        }
    }

    /// The process that the tree began with.
    #[must_use]
    pub const fn root(&self) -> i32 {
        self.root
    }

    /// Lets the program go.
    ///
    /// # Errors
    ///
    /// Those of write(2).
    pub fn go(&mut self) -> io::Result<()> {
        self.answer()
    }

    /// Whether [`step`](Self::step) has something without waiting for its descriptor.
    #[must_use]
    pub fn has_more(&self) -> bool {
        !self.stream.buffer().is_empty()
    }

    /// Hands on the next thing that was told, and lets the tracee run on; waits for it.
    ///
    /// # Errors
    ///
    /// Those of reading and writing.
    pub fn step(&mut self, watch: &mut dyn Watch) -> io::Result<Told> {
        let message = match self.buffer.receive(&mut self.stream, &mut self.texts) {
            Ok(Some(message)) => message,
            Ok(None) => return Ok(Told::Dead),
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return Ok(Told::Dead),
            Err(error) => return Err(error),
        };
        match message {
            Message::Entered(tid, call) => {
                watch.entered(tid, &call, &mut self.texts);
            }
            Message::Returned(tid, call) => watch.returned(tid, &call, &self.texts),
            Message::Cloned(parent, child) => watch.cloned(parent, child),
            Message::Executed(tid) => watch.executed(tid),
            Message::Gone(tid, status) => {
                // Nobody stands still for that.
                watch.gone(tid, status);
                return Ok(Told::Something);
            }
            Message::Missed(count) => return Ok(Told::Missed(count)),
            Message::End(status) => return Ok(Told::End(status)),
            Message::Started(_) | Message::Failed(..) => return Ok(Told::Something),
        }
        match self.answer() {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error),
            // It is dead, which the next read tells.
            _ => Ok(Told::Something),
        }
    }

    fn answer(&mut self) -> io::Result<()> {
        self.stream.get_mut().write_all(b"!")
    }
}

impl AsFd for Apart {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.get_ref().as_fd()
    }
}

fn gone() -> Error {
    let source = io::ErrorKind::UnexpectedEof.into();
    Error::Call { action: "start the tracer: it ended".to_owned(), source }
}

/// Tells that the program could not be started.
fn tell_failure(mut stream: UnixStream, error: &Error) -> i32 {
    let (action, source) = match error {
        Error::Call { action, source } => (action.clone(), source),
        Error::Run { source, .. } => (String::new(), source),
    };
    let message = Message::Failed(action, source.raw_os_error().unwrap_or(libc::EIO));
    // Nobody is left to be told if this fails.
    let _ = Buffer::default().send(&mut stream, &message, None);
    1
}

/// What the tracer's process does from the program's first instruction on.
fn trace(
    mut tracer: Tracer,
    mut stream: UnixStream,
    agent: i32,
    decide: &mut Decide<'_>,
) -> io::Result<()> {
    poll::block_all()?;
    ptrace::stand_apart(c"eyas-tracer")?;
    let mut buffer = Buffer::default();
    buffer.send(&mut stream, &Message::Started(tracer.root()), None)?;
    // The agent gets ready now. If it ends instead, the program was never meant to run.
    stream.read_exact(&mut [0])?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut remote = Remote { stream, buffer, decide, mood: Mood::Answers, missed: 0 };
    tracer.stay_near(Some(agent));
    tracer.start(&mut remote);
    while tracer.step(Patience::Wait, &mut remote)? != Step::End {}
    remote.tell_end(tracer.root_status());
    Ok(())
}

/// How the agent is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Mood {
    Answers,
    /// An answer is owed.
    Silent,
    Gone,
}

/// Hands on to the agent what a tracee did.
struct Remote<'d> {
    stream: UnixStream,
    buffer: Buffer,
    decide: &'d mut Decide<'d>,
    mood: Mood,
    missed: u64,
}

impl Watch for Remote<'_> {
    fn entered(&mut self, tid: i32, call: &Call, texts: &mut Texts) -> bool {
        if self.mood == Mood::Gone {
            return false;
        }
        let entry = (self.decide)(tid, call, texts);
        if entry == Entry::TellBoth {
            self.ask(&Message::Entered(tid, *call), Some(texts));
        }
        entry != Entry::Pass
    }

    fn returned(&mut self, tid: i32, call: &Call, texts: &Texts) {
        self.ask(&Message::Returned(tid, *call), Some(texts));
    }

    fn cloned(&mut self, parent: i32, child: i32) {
        self.ask(&Message::Cloned(parent, child), None);
    }

    fn executed(&mut self, tid: i32) {
        self.ask(&Message::Executed(tid), None);
    }

    fn gone(&mut self, tid: i32, status: i32) {
        if self.is_listening() {
            self.send(&Message::Gone(tid, status), None);
        }
    }
}

impl Remote<'_> {
    /// Tells something and waits until the agent has looked at it.
    fn ask(&mut self, message: &Message, texts: Option<&Texts>) {
        if !self.is_listening() {
            return;
        }
        self.send(message, texts);
        if self.mood == Mood::Answers {
            self.hear();
        }
    }

    /// Whether the agent is there and answers; else this is counted as missed.
    fn is_listening(&mut self) -> bool {
        if self.mood == Mood::Silent {
            let is_readable = poll::wait_readable(self.stream.as_fd(), Duration::ZERO);
            if is_readable.unwrap_or(false) {
                self.mood = Mood::Answers;
                self.hear();
            }
            if self.mood == Mood::Answers && self.missed > 0 {
                let missed = std::mem::take(&mut self.missed);
                self.send(&Message::Missed(missed), None);
            }
        }
        if self.mood == Mood::Silent {
            self.missed += 1;
        }
        self.mood == Mood::Answers
    }

    fn send(&mut self, message: &Message, texts: Option<&Texts>) {
        // A timeout in the midst of a message can't be mended, so it is an end, too.
        if self.buffer.send(&mut self.stream, message, texts).is_err() {
            self.mood = Mood::Gone;
        }
    }

    fn hear(&mut self) {
        match self.stream.read(&mut [0]) {
            Ok(1..) => {}
            Ok(0) => self.mood = Mood::Gone,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.mood = Mood::Silent,
            Err(_) => self.mood = Mood::Gone,
        }
    }

    fn tell_end(&mut self, status: Option<i32>) {
        // What comes now is the last, however long it takes to be read.
        if self.stream.set_write_timeout(None).is_ok() && self.mood != Mood::Gone {
            if self.missed > 0 {
                self.send(&Message::Missed(self.missed), None);
            }
            self.send(&Message::End(status), None);
        }
    }
}
