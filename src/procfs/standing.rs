//! An open that was looked at while its task stood in it, on its way from the thread that looks to
//! the one that makes events.
//!
//! Both are of this program, so the layout of the message is nobody else's business.

use crate::decode::reader::Reader;
use crate::decode::reader::Truncated;
use crate::decode::syscall::Abi;
use crate::decode::syscall::Call;

/// Room for a message: three paths, the one that was given, and numbers.
pub const MAX_BYTES: usize = 20 << 10;

/// What is told of an open.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Stage {
    /// Nobody has looked at it in time: nobody knows how the file was opened, nor whether it was an
    /// open(2) at all.
    #[default]
    Unseen,
    /// It was looked at; whether it will succeed isn't known.
    Standing,
    /// It has succeeded. What was seen of it, if anything, was told before.
    Done,
}

/// One open.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Standing<'a> {
    /// What is told of it.
    pub stage: Stage,
    /// The task or process, whichever the kernel names, that opens.
    pub opener: i32,
    /// The task, and the process that it is of.
    pub tid: i32,
    /// Zero: the task was gone, or could not be told.
    pub pid: i32,
    /// When it was looked at, in nanoseconds since boot (`CLOCK_MONOTONIC`).
    pub at_ns: u64,
    /// The same moment in nanoseconds since the epoch.
    pub wall_ns: u64,
    /// Device of the file, as `st_dev`.
    pub dev: u64,
    /// Inode of the file; zero: the file could not be told.
    pub ino: u64,
    /// Type and permissions, as `st_mode`.
    pub mode: u32,
    /// How many names the file has.
    pub links: u64,
    /// The file was made by this open.
    pub is_created: bool,
    /// The call; `None` if it is none that is known.
    pub call: Option<Call>,
    /// The path as it was given, if it could be read.
    pub given: Option<&'a [u8]>,
    /// openat2(2)'s `struct open_how`, if it could be read.
    pub how: Option<&'a [u8]>,
    /// The file's path, as our mount namespace shows it.
    pub path: &'a [u8],
    /// The process's root and working directory.
    pub root: &'a [u8],
    /// As above.
    pub cwd: &'a [u8],
}

impl<'a> Standing<'a> {
    /// Writes it as a message in place of what is in `into`.
    pub fn write(&self, into: &mut Vec<u8>) {
        into.clear();
        into.push(self.stage as u8);
        for number in [self.opener, self.tid, self.pid] {
            into.extend(number.to_ne_bytes());
        }
        for number in [self.at_ns, self.wall_ns, self.dev, self.ino, self.links] {
            into.extend(number.to_ne_bytes());
        }
        into.extend(self.mode.to_ne_bytes());
        into.push(u8::from(self.is_created));
        let abi = match self.call.map(|call| call.abi) {
            None => 0,
            Some(Abi::X86_64) => 1,
            Some(Abi::I386) => 2,
            Some(Abi::Aarch64) => 3,
        };
        into.push(abi);
        if let Some(call) = self.call {
            into.extend(call.number.to_ne_bytes());
            call.arguments.iter().for_each(|argument| into.extend(argument.to_ne_bytes()));
        }
        for text in [self.given, self.how, Some(self.path), Some(self.root), Some(self.cwd)] {
            into.push(u8::from(text.is_some()));
            let text = text.unwrap_or_default();
            into.extend(u32::try_from(text.len()).unwrap_or(0).to_ne_bytes());
            into.extend_from_slice(text);
        }
    }

    /// Reads what [`write`](Self::write) has written.
    #[must_use]
    pub fn parse(message: &'a [u8]) -> Option<Self> {
        Self::read(&mut Reader::new(message)).ok()
    }

    fn read(reader: &mut Reader<'a>) -> Result<Self, Truncated> {
        let stage = match reader.u8("stage")? {
            1 => Stage::Standing,
            2 => Stage::Done,
            _ => Stage::Unseen,
        };
        let opener = reader.i32_ne("opener")?;
        let tid = reader.i32_ne("tid")?;
        let pid = reader.i32_ne("pid")?;
        let mut numbers = [0; 5];
        for number in &mut numbers {
            *number = reader.u64_ne("number")?;
        }
        let [at_ns, wall_ns, dev, ino, links] = numbers;
        let mode = reader.u32_ne("mode")?;
        let is_created = reader.u8("created")? != 0;
        let abi = match reader.u8("architecture")? {
            1 => Some(Abi::X86_64),
            2 => Some(Abi::I386),
            3 => Some(Abi::Aarch64),
            _ => None,
        };
        let call = match abi {
            Some(abi) => {
                let number = reader.u32_ne("number of a call")?;
                let mut arguments = [0; 6];
                for argument in &mut arguments {
                    *argument = reader.u64_ne("argument")?;
                }
                Some(Call { abi, number, arguments, result: 0 })
            }
            None => None,
        };
        let mut texts = [None; 5];
        for text in &mut texts {
            let is_there = reader.u8("text is there")? != 0;
            let len = usize::try_from(reader.u32_ne("length")?).unwrap_or(usize::MAX);
            let bytes = reader.take(len, "text")?;
            *text = is_there.then_some(bytes);
        }
        let [given, how, path, root, cwd] = texts;
        Ok(Self {
            stage,
            opener,
            tid,
            pid,
            at_ns,
            wall_ns,
            dev,
            ino,
            mode,
            links,
            is_created,
            call,
            given,
            how,
            path: path.unwrap_or_default(),
            root: root.unwrap_or_default(),
            cwd: cwd.unwrap_or_default(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let call = Call { abi: Abi::I386, number: 5, arguments: [1, 2, 3, 4, 5, 6], result: 0 };
        let look = Standing {
            stage: Stage::Standing,
            opener: 8,
            tid: 8,
            pid: 7,
            at_ns: 1,
            wall_ns: 2,
            dev: 3,
            ino: 4,
            mode: 0o100_644,
            links: 1,
            is_created: true,
            call: Some(call),
            given: Some(b"../f"),
            how: None,
            path: b"/d/f",
            root: b"/",
            cwd: b"/d/e",
        };
        let mut message = Vec::new();
        look.write(&mut message);
        assert_eq!(Standing::parse(&message), Some(look.clone()));
        let untold = Standing { stage: Stage::Done, call: None, given: None, path: b"", ..look };
        untold.write(&mut message);
        assert_eq!(Standing::parse(&message), Some(untold));
        for len in 0..message.len() {
            assert_eq!(Standing::parse(&message[..len]), None);
        }
    }
}
