//! One event of a capture file as its block has it: header, lengths, bytes of the parameters.

use super::block::EventBlock;
use super::layouts::{Layout, layout};
use super::{Malformed, has_large_lengths};
use crate::decode::reader::Reader;

/// An event whose lengths were checked; nothing is interpreted yet.
#[derive(Clone, Copy, Debug)]
pub struct RawEvent<'a> {
    /// Nanoseconds since the epoch.
    pub ts: u64,
    /// The thread.
    pub tid: i64,
    /// The CPU.
    pub cpu: u16,
    /// Flags of the writer.
    pub dump_flags: u32,
    /// Event code.
    pub code: u16,
    /// Number of parameters.
    pub count: usize,
    /// Its length was none that fits into its block, whose own was taken for it.
    pub is_len_wrong: bool,
    /// Lengths of the parameters, two or four bytes each.
    lengths: Lengths<'a>,
    /// The parameters, back to back.
    data: &'a [u8],
}

/// The lengths of parameters.
#[derive(Clone, Copy, Debug)]
enum Lengths<'a> {
    Short(&'a [[u8; 2]]),
    Long(&'a [[u8; 4]]),
}

/// Codes whose length is too large in uncounted blocks: an old writer counted wrong.
const NOTIFICATION: u16 = 280;
const INFRASTRUCTURE: u16 = 286;
const WRONG_BY: usize = 3;

impl<'a> RawEvent<'a> {
    /// Reads the body of an event block; `None` if the event is newer than the table of layouts.
    ///
    /// # Errors
    ///
    /// [`Malformed`] if the lengths don't fit.
    pub fn parse(
        block: EventBlock,
        body: &'a [u8],
    ) -> Result<Option<(Self, &'static Layout)>, Malformed> {
        let mut reader = Reader::new(body);
        let cpu = reader.u16_le("CPU of an event")?;
        let dump_flags = if block.has_flags { reader.u32_le("flags of an event")? } else { 0 };
        let ts = reader.u64_le("time of an event")?;
        let tid = reader.i64_le("thread of an event")?;
        let len = reader.u32_le("length of an event")?;
        let code = reader.u16_le("code of an event")?;
        let Some(layout) = layout(code) else { return Ok(None) };
        let len = usize::try_from(len).unwrap_or(usize::MAX);
        let payload_len = len.checked_sub(block.header_len());
        let is_large = has_large_lengths(layout);
        let (count, lengths, data, is_len_wrong) = if block.is_counted {
            let count = usize::try_from(reader.u32_le("number of parameters")?);
            let room = reader.rest();
            let payload = payload_len.and_then(|len| room.get(..len));
            let split =
                split_counted(count.unwrap_or(usize::MAX), payload.unwrap_or(room), is_large)?;
            (split.0, split.1, split.2, payload.is_none())
        } else {
            let mut payload_len = payload_len.ok_or(Malformed::Unexpected {
                what: "length of an event",
                expected: "at least its header",
                found: len as u64,
            })?;
            if code == NOTIFICATION || code == INFRASTRUCTURE {
                payload_len = payload_len.saturating_sub(WRONG_BY);
            }
            let rest = reader.take(payload_len, "parameters of an event")?;
            let split = split_uncounted(layout.params.len(), rest, is_large)?;
            (split.0, split.1, split.2, false)
        };
        let raw = Self { ts, tid, cpu, dump_flags, code, count, is_len_wrong, lengths, data };
        Ok(Some((raw, layout)))
    }

    /// The bytes of each parameter.
    pub fn slices(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let mut rest = self.data;
        let next = move |len: usize| {
            let (head, tail) = rest.split_at_checked(len)?;
            rest = tail;
            Some(head)
        };
        let (short, long) = match self.lengths {
            Lengths::Short(short) => (short, &[][..]),
            Lengths::Long(long) => (&[][..], long),
        };
        let short = short.iter().map(|len| usize::from(u16::from_le_bytes(*len)));
        let long = long.iter().map(|len| long_len(*len));
        short.chain(long).map_while(next)
    }

    /// The bytes of the first parameter.
    #[must_use]
    pub fn first(&self) -> Option<&'a [u8]> {
        self.slices().next()
    }
}

fn long_len(len: [u8; 4]) -> usize {
    usize::try_from(u32::from_le_bytes(len)).unwrap_or(usize::MAX)
}

type Split<'a> = (usize, Lengths<'a>, &'a [u8]);

fn split_counted(count: usize, bytes: &[u8], is_large: bool) -> Result<Split<'_>, Malformed> {
    let width = if is_large { 4 } else { 2 };
    let mut reader = Reader::new(bytes);
    let lengths = reader.take(count.saturating_mul(width), "lengths of parameters")?;
    let data = reader.rest();
    let lengths = if is_large {
        Lengths::Long(lengths.as_chunks().0)
    } else {
        Lengths::Short(lengths.as_chunks().0)
    };
    if sum(lengths) > data.len() {
        return Err(Malformed::Unexpected {
            what: "sum of the lengths of parameters",
            expected: "no more than the event's length",
            found: sum(lengths) as u64,
        });
    }
    Ok((count, lengths, data))
}

/// Old files don't say how many parameters there are: it is the largest number with which the
/// lengths add up.
fn split_uncounted(most: usize, bytes: &[u8], is_large: bool) -> Result<Split<'_>, Malformed> {
    for count in (0..=most).rev() {
        if let Ok(split) = split_counted(count, bytes, is_large)
            && sum(split.1) == split.2.len()
        {
            return Ok(split);
        }
    }
    Err(Malformed::Unexpected {
        what: "length of an event",
        expected: "what its parameters add up to",
        found: bytes.len() as u64,
    })
}

fn sum(lengths: Lengths<'_>) -> usize {
    match lengths {
        Lengths::Short(short) => {
            short.iter().map(|len| usize::from(u16::from_le_bytes(*len))).sum()
        }
        Lengths::Long(long) => long.iter().map(|len| long_len(*len)).fold(0, usize::saturating_add),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COUNTED: EventBlock = EventBlock { is_counted: true, has_flags: false, is_large: false };
    const UNCOUNTED: EventBlock = EventBlock { is_counted: false, ..COUNTED };

    /// close exit: res, fd.
    fn close(block: EventBlock, params: &[&[u8]]) -> Vec<u8> {
        let mut body = 3_u16.to_le_bytes().to_vec();
        body.extend(1_000_u64.to_le_bytes());
        body.extend(42_u64.to_le_bytes());
        let payload: usize = params.iter().map(|param| param.len() + 2).sum();
        body.extend(u32::try_from(block.header_len() + payload).unwrap().to_le_bytes());
        body.extend(5_u16.to_le_bytes());
        if block.is_counted {
            body.extend(u32::try_from(params.len()).unwrap().to_le_bytes());
        }
        for param in params {
            body.extend(u16::try_from(param.len()).unwrap().to_le_bytes());
        }
        for param in params {
            body.extend(*param);
        }
        body
    }

    #[test]
    fn the_number_of_parameters_is_found_where_it_is_not_written() {
        let body = close(UNCOUNTED, &[&[0; 8]]);
        let (event, _) = RawEvent::parse(UNCOUNTED, &body).unwrap().unwrap();
        assert_eq!(event.count, 1);
        assert_eq!(event.first(), Some(&[0; 8][..]));
    }

    #[test]
    fn padding_behind_the_event_is_not_its() {
        let mut body = close(COUNTED, &[&[1; 8], &[2; 8]]);
        body.extend([0xff; 3]);
        let (event, _) = RawEvent::parse(COUNTED, &body).unwrap().unwrap();
        assert_eq!(event.slices().collect::<Vec<_>>(), [&[1; 8][..], &[2; 8][..]]);
        assert_eq!((event.cpu, event.ts, event.tid), (3, 1_000, 42));
    }

    #[test]
    fn a_wrong_length_of_the_event_is_made_good_by_its_blocks() {
        for wrong in [0_u32, 5, 100_000, u32::MAX] {
            let mut body = close(COUNTED, &[&[1; 8], &[2; 8]]);
            body[18..22].copy_from_slice(&wrong.to_le_bytes());
            let (event, _) = RawEvent::parse(COUNTED, &body).unwrap().unwrap();
            assert_eq!(event.slices().collect::<Vec<_>>(), [&[1; 8][..], &[2; 8][..]]);
            assert!(event.is_len_wrong);
        }
        let mut body = close(UNCOUNTED, &[&[1; 8], &[2; 8]]);
        body[18] += 1;
        assert!(RawEvent::parse(UNCOUNTED, &body).is_err());
    }

    #[test]
    fn an_absurd_number_of_parameters_is_refused() {
        let mut body = close(COUNTED, &[&[1; 8], &[2; 8]]);
        body[24..28].copy_from_slice(&u32::MAX.to_le_bytes());
        assert!(RawEvent::parse(COUNTED, &body).is_err());
    }

    #[test]
    fn lengths_beyond_the_event_are_refused() {
        let mut body = close(COUNTED, &[&[1; 8], &[2; 8]]);
        body[28..30].copy_from_slice(&9_u16.to_le_bytes());
        assert!(RawEvent::parse(COUNTED, &body).is_err());
    }

    #[test]
    fn a_newer_event_is_no_error() {
        let mut body = close(COUNTED, &[]);
        body[22..24].copy_from_slice(&9_999_u16.to_le_bytes());
        assert!(RawEvent::parse(COUNTED, &body).unwrap().is_none());
    }
}
