//! What the tracer's process tells the agent, as bytes on a stream: length, kind, numbers, texts.
//!
//! Both ends are the same program, so numbers are in host order and there is no version.

use std::io;
use std::io::Write as _;
use std::os::unix::net::UnixStream;

use super::Texts;
use crate::decode::reader::Reader;
use crate::decode::reader::Truncated;
use crate::decode::syscall::Abi;
use crate::decode::syscall::Call;

/// Texts are paths: this is far above what one call has.
const MAX_BYTES: usize = 64 << 10;

/// What is told.
#[derive(Debug)]
pub(super) enum Message {
    /// The program stands at its first instruction; its process.
    Started(i32),
    /// It could not be started.
    Failed(String, i32),
    Entered(i32, Call),
    Returned(i32, Call),
    Cloned(i32, i32),
    Executed(i32),
    Gone(i32, i32),
    /// That many stops were not told of while nobody answered.
    Missed(u64),
    /// Nobody is left; how the program ended, as a wait status.
    End(Option<i32>),
}

/// The bytes of messages to one side, reused.
#[derive(Debug, Default)]
pub(super) struct Buffer(Vec<u8>);

impl Buffer {
    /// Writes one message.
    pub(super) fn send(
        &mut self,
        stream: &mut UnixStream,
        message: &Message,
        texts: Option<&Texts>,
    ) -> io::Result<()> {
        self.0.clear();
        self.0.extend([0; 4]);
        self.put(message);
        for (argument, text) in texts.into_iter().flat_map(Texts::iter) {
            self.number(u64::try_from(argument).unwrap_or(u64::MAX));
            self.text(text);
        }
        let len = u32::try_from(self.0.len() - 4).map_err(|_| io::ErrorKind::InvalidInput)?;
        if let Some(place) = self.0.first_chunk_mut::<4>() {
            *place = len.to_ne_bytes();
        }
        stream.write_all(&self.0)
    }

    fn put(&mut self, message: &Message) {
        match message {
            Message::Started(pid) => self.numbers(0, &[i64::from(*pid)]),
            Message::Failed(action, errno) => {
                self.numbers(1, &[i64::from(*errno)]);
                self.text(action.as_bytes());
            }
            Message::Entered(tid, call) => self.call(2, *tid, call),
            Message::Returned(tid, call) => self.call(3, *tid, call),
            Message::Cloned(parent, child) => {
                self.numbers(4, &[i64::from(*parent), i64::from(*child)]);
            }
            Message::Executed(tid) => self.numbers(5, &[i64::from(*tid)]),
            Message::Gone(tid, status) => self.numbers(6, &[i64::from(*tid), i64::from(*status)]),
            Message::Missed(count) => self.numbers(7, &[count.cast_signed()]),
            Message::End(status) => {
                self.numbers(8, &[i64::from(status.is_some()), status.unwrap_or(0).into()]);
            }
        }
    }

    fn call(&mut self, kind: u8, tid: i32, call: &Call) {
        let abi = match call.abi {
            Abi::X86_64 => 0,
            Abi::I386 => 1,
            Abi::Aarch64 => 2,
        };
        self.numbers(kind, &[i64::from(tid), abi, i64::from(call.number), call.result]);
        for argument in call.arguments {
            self.number(argument);
        }
    }

    fn numbers(&mut self, kind: u8, numbers: &[i64]) {
        self.0.push(kind);
        for number in numbers {
            self.number(number.cast_unsigned());
        }
    }

    fn number(&mut self, number: u64) {
        self.0.extend(number.to_ne_bytes());
    }

    fn text(&mut self, text: &[u8]) {
        self.number(u64::try_from(text.len()).unwrap_or(0));
        self.0.extend(text);
    }

    /// Waits for the next message; `None` at the end of the stream.
    pub(super) fn receive(
        &mut self,
        stream: &mut impl io::Read,
        texts: &mut Texts,
    ) -> io::Result<Option<Message>> {
        let mut len = [0; 4];
        if let Err(error) = stream.read_exact(&mut len) {
            let is_end = error.kind() == io::ErrorKind::UnexpectedEof;
            return if is_end { Ok(None) } else { Err(error) };
        }
        let len = usize::try_from(u32::from_ne_bytes(len)).unwrap_or(usize::MAX);
        if len > MAX_BYTES {
            return Err(io::ErrorKind::InvalidData.into());
        }
        self.0.resize(len, 0);
        stream.read_exact(&mut self.0)?;
        let parsed = parse(&self.0, texts);
        parsed.map(Some).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
    }
}

fn parse(bytes: &[u8], texts: &mut Texts) -> Result<Message, Truncated> {
    let mut reader = Reader::new(bytes);
    let kind = reader.u8("a message")?;
    let message = match kind {
        0 => Message::Started(small(&mut reader)?),
        1 => {
            let errno = small(&mut reader)?;
            let action = text(&mut reader)?;
            Message::Failed(String::from_utf8_lossy(action).into_owned(), errno)
        }
        2 => Message::Entered(small(&mut reader)?, call(&mut reader)?),
        3 => Message::Returned(small(&mut reader)?, call(&mut reader)?),
        4 => Message::Cloned(small(&mut reader)?, small(&mut reader)?),
        5 => Message::Executed(small(&mut reader)?),
        6 => Message::Gone(small(&mut reader)?, small(&mut reader)?),
        7 => Message::Missed(reader.u64_ne("a count")?),
        _ => {
            let (is_known, status) = (small(&mut reader)?, small(&mut reader)?);
            Message::End((is_known != 0).then_some(status))
        }
    };
    texts.clear();
    while !reader.is_empty() {
        let argument = usize::try_from(reader.u64_ne("an argument")?).unwrap_or(usize::MAX);
        texts.set(argument, text(&mut reader)?);
    }
    Ok(message)
}

/// A number that was an `i32`.
fn small(reader: &mut Reader<'_>) -> Result<i32, Truncated> {
    let number = reader.u64_ne("a number")?.cast_signed();
    Ok(i32::try_from(number).unwrap_or(i32::MAX))
}

fn text<'a>(reader: &mut Reader<'a>) -> Result<&'a [u8], Truncated> {
    let len = usize::try_from(reader.u64_ne("a length")?).unwrap_or(usize::MAX);
    reader.take(len, "a text")
}

fn call(reader: &mut Reader<'_>) -> Result<Call, Truncated> {
    let abi = match reader.u64_ne("an architecture")? {
        0 => Abi::X86_64,
        1 => Abi::I386,
        _ => Abi::Aarch64,
    };
    let number = u32::try_from(reader.u64_ne("a number")?).unwrap_or(u32::MAX);
    let result = reader.u64_ne("a result")?.cast_signed();
    let mut arguments = [0; 6];
    for argument in &mut arguments {
        *argument = reader.u64_ne("an argument")?;
    }
    Ok(Call { abi, number, arguments, result })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_arrives_as_it_was_sent_with_its_texts() {
        let (mut near, mut far) = UnixStream::pair().unwrap();
        let mut texts = Texts::default();
        texts.set(1, b"/etc/shadow");
        texts.set(3, b"");
        let sent =
            Call { abi: Abi::I386, number: 5, arguments: [1, 2, 3, 4, 5, u64::MAX], result: -2 };
        let mut buffer = Buffer::default();
        buffer.send(&mut near, &Message::Returned(77, sent), Some(&texts)).unwrap();
        let mut read = Texts::default();
        read.set(0, b"of the call before");
        let message = Buffer::default().receive(&mut far, &mut read).unwrap().unwrap();
        assert!(matches!(message, Message::Returned(77, call) if call == sent), "{message:?}");
        assert_eq!((read.get(1), read.get(3)), (Some(&b"/etc/shadow"[..]), Some(&b""[..])));
        assert_eq!(read.get(0), None);
    }

    #[test]
    fn the_end_of_the_stream_is_no_message_and_half_a_message_is_an_error() {
        let (mut near, mut far) = UnixStream::pair().unwrap();
        let mut texts = Texts::default();
        near.write_all(&[1, 0, 0, 0, 6]).unwrap();
        assert!(Buffer::default().receive(&mut far, &mut texts).is_err());
        drop(near);
        assert!(Buffer::default().receive(&mut far, &mut texts).unwrap().is_none());
    }
}
