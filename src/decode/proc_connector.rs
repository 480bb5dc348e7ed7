//! Messages of the proc connector: `struct nlmsghdr`, `struct cn_msg`, `struct proc_event`.
//!
//! Requests are written here too, so that both directions of the protocol are in one file.
//! Sources: include/uapi/linux/{netlink,connector,cn_proc}.h; drivers/connector/cn_proc.c.

use super::ProcessChange;
use super::ProcessRecord;
use super::reader::Reader;
use super::reader::Truncated;
use crate::sys::abi;

/// Length of a request to subscribe or unsubscribe.
pub const REQUEST_LEN: usize = abi::NLMSG_HDRLEN + abi::CN_MSG_LEN + size_of::<u32>();

/// One message of the connector.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Message {
    /// Running number of its CPU; of an answer on old kernels, the request's.
    pub seq: u32,
    /// The request's `ack` + 1 in an answer, else zero.
    pub ack: u32,
    /// The CPU that counted it; `None` if it is not counted (answers on old kernels).
    pub cpu: Option<u32>,
    /// What it says.
    pub body: Body,
}

/// What a message says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Body {
    /// Something happened to a process.
    Record(ProcessRecord),
    /// An answer to somebody's request; every listener gets it. Zero: accepted, else an errno.
    Answer {
        /// The errno, positive.
        error: u32,
    },
    /// An event that is not known here (`what`).
    Unknown(u32),
}

/// Bytes that are not what the kernel promised.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Malformed {
    /// Less than announced.
    #[error(transparent)]
    Truncated(#[from] Truncated),
    /// A netlink message of this length, shorter than its own head.
    #[error("netlink message of {0} bytes, shorter than its head")]
    Length(u32),
    /// Not of the proc connector.
    #[error("connector message {idx}.{val}, expected 1.1")]
    Stranger {
        /// `cn_msg.id.idx`
        idx: u32,
        /// `cn_msg.id.val`
        val: u32,
    },
}

/// A request (`PROC_CN_MCAST_LISTEN`, `PROC_CN_MCAST_IGNORE`) whose answer carries `ack` + 1.
#[must_use]
pub fn request(operation: u32, ack: u32) -> [u8; REQUEST_LEN] {
    let mut bytes = [0; REQUEST_LEN];
    let operation_len = 4_u16;
    let len = u32::try_from(REQUEST_LEN).unwrap_or(0);
    let words: [&[u8]; 12] = [
        &len.to_ne_bytes(),
        &abi::NLMSG_DONE.to_ne_bytes(),
        &0_u16.to_ne_bytes(), // flags
        &0_u32.to_ne_bytes(), // sequence number of netlink, not looked at
        &0_u32.to_ne_bytes(), // port: the socket's own
        &abi::CN_IDX_PROC.to_ne_bytes(),
        &abi::CN_VAL_PROC.to_ne_bytes(),
        &0_u32.to_ne_bytes(), // cn_msg.seq
        &ack.to_ne_bytes(),
        &operation_len.to_ne_bytes(),
        &0_u16.to_ne_bytes(), // cn_msg.flags
        &operation.to_ne_bytes(),
    ];
    let source = words.into_iter().flatten();
    for (byte, value) in bytes.iter_mut().zip(source) {
        *byte = *value;
    }
    bytes
}

/// Decodes one datagram.
///
/// # Errors
///
/// [`Malformed`] if it is short, absurd, or of another connector.
pub fn message(datagram: &[u8]) -> Result<Message, Malformed> {
    let mut reader = Reader::new(datagram);
    let len = reader.u32_ne("nlmsghdr.nlmsg_len")?;
    reader.take(abi::NLMSG_HDRLEN - size_of::<u32>(), "nlmsghdr")?;
    let payload_len = usize::try_from(len)
        .ok()
        .and_then(|len| len.checked_sub(abi::NLMSG_HDRLEN))
        .ok_or(Malformed::Length(len))?;
    let mut reader = Reader::new(reader.take(payload_len, "netlink payload")?);

    let idx = reader.u32_ne("cn_msg.id.idx")?;
    let val = reader.u32_ne("cn_msg.id.val")?;
    if (idx, val) != (abi::CN_IDX_PROC, abi::CN_VAL_PROC) {
        return Err(Malformed::Stranger { idx, val });
    }
    let seq = reader.u32_ne("cn_msg.seq")?;
    let ack = reader.u32_ne("cn_msg.ack")?;
    let len = reader.u16_ne("cn_msg.len")?;
    reader.u16_ne("cn_msg.flags")?;
    let data = reader.take(usize::from(len), "cn_msg.data")?;
    event(data, seq, ack)
}

fn event(data: &[u8], seq: u32, ack: u32) -> Result<Message, Malformed> {
    let mut reader = Reader::new(data);
    let what = reader.u32_ne("proc_event.what")?;
    let cpu = reader.u32_ne("proc_event.cpu")?;
    let timestamp_ns = reader.u64_ne("proc_event.timestamp_ns")?;
    let body = match what {
        abi::PROC_EVENT_NONE => Body::Answer { error: reader.u32_ne("proc_event.ack.err")? },
        _ => match change(what, &mut reader)? {
            Some((tid, pid, what)) => {
                Body::Record(ProcessRecord { timestamp_ns, wall_ns: 0, cpu, tid, pid, what })
            }
            None => Body::Unknown(what),
        },
    };
    let cpu = (cpu != u32::MAX).then_some(cpu);
    Ok(Message { seq, ack, cpu, body })
}

/// Thread, process and change of an event; `None` if `what` is not known.
fn change(
    what: u32,
    reader: &mut Reader<'_>,
) -> Result<Option<(i32, i32, ProcessChange)>, Truncated> {
    if what == abi::PROC_EVENT_FORK {
        let parent_tid = reader.i32_ne("proc_event.fork.parent_pid")?;
        let parent_pid = reader.i32_ne("proc_event.fork.parent_tgid")?;
        let tid = reader.i32_ne("proc_event.fork.child_pid")?;
        let pid = reader.i32_ne("proc_event.fork.child_tgid")?;
        return Ok(Some((tid, pid, ProcessChange::Fork { parent_tid, parent_pid })));
    }
    let tid = reader.i32_ne("proc_event.process_pid")?;
    let pid = reader.i32_ne("proc_event.process_tgid")?;
    let change = match what {
        abi::PROC_EVENT_EXEC => ProcessChange::Exec,
        abi::PROC_EVENT_UID => ProcessChange::Uid {
            real: reader.u32_ne("proc_event.id.ruid")?,
            effective: reader.u32_ne("proc_event.id.euid")?,
        },
        abi::PROC_EVENT_GID => ProcessChange::Gid {
            real: reader.u32_ne("proc_event.id.rgid")?,
            effective: reader.u32_ne("proc_event.id.egid")?,
        },
        abi::PROC_EVENT_SID => ProcessChange::Sid,
        abi::PROC_EVENT_PTRACE => ProcessChange::Ptrace {
            tracer_tid: reader.i32_ne("proc_event.ptrace.tracer_pid")?,
            tracer_pid: reader.i32_ne("proc_event.ptrace.tracer_tgid")?,
        },
        abi::PROC_EVENT_COMM => ProcessChange::Comm(reader.array("proc_event.comm.comm")?),
        abi::PROC_EVENT_COREDUMP => ProcessChange::CoreDump,
        abi::PROC_EVENT_EXIT => ProcessChange::Exit {
            wait_status: reader.u32_ne("proc_event.exit.exit_code")?,
            signal: reader.u32_ne("proc_event.exit.exit_signal")?,
            parent: exit_parent(reader),
        },
        _ => return Ok(None),
    };
    Ok(Some((tid, pid, change)))
}

/// The parent that newer kernels (4.18) add to an exit; older ones leave zeros.
fn exit_parent(reader: &mut Reader<'_>) -> Option<(i32, i32)> {
    let tid = reader.i32_ne("proc_event.exit.parent_pid").ok()?;
    let pid = reader.i32_ne("proc_event.exit.parent_tgid").ok()?;
    (tid > 0 && pid > 0).then_some((tid, pid))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A datagram as the kernel sends it, with `words` as the event's own data.
    fn datagram(what: u32, cpu: u32, words: &[i32]) -> Vec<u8> {
        let mut data = what.to_ne_bytes().to_vec();
        data.extend(cpu.to_ne_bytes());
        data.extend(123_456_u64.to_ne_bytes());
        data.extend(words.iter().flat_map(|word| word.to_ne_bytes()));
        let mut bytes = request(0, 77).to_vec();
        bytes.truncate(abi::NLMSG_HDRLEN + abi::CN_MSG_LEN);
        bytes.extend(&data);
        let len = u32::try_from(bytes.len()).unwrap();
        bytes[..4].copy_from_slice(&len.to_ne_bytes());
        let data_len = u16::try_from(data.len()).unwrap();
        bytes[32..34].copy_from_slice(&data_len.to_ne_bytes());
        bytes
    }

    #[test]
    fn a_fork_is_about_the_child() {
        let bytes = datagram(abi::PROC_EVENT_FORK, 1, &[10, 10, 11, 11, 0, 0]);
        let Body::Record(record) = message(&bytes).unwrap().body else { panic!("no record") };
        assert_eq!((record.tid, record.pid, record.cpu), (11, 11, 1));
        assert_eq!(record.what, ProcessChange::Fork { parent_tid: 10, parent_pid: 10 });
        assert_eq!(record.timestamp_ns, 123_456);
    }

    #[test]
    fn an_exit_without_parent_fields_has_no_parent() {
        for words in [&[10, 10, 256, 17][..], &[10, 10, 256, 17, 0, 0]] {
            let bytes = datagram(abi::PROC_EVENT_EXIT, 0, words);
            let Body::Record(record) = message(&bytes).unwrap().body else { panic!("no record") };
            let exit = ProcessChange::Exit { wait_status: 256, signal: 17, parent: None };
            assert_eq!(record.what, exit);
        }
    }

    #[test]
    fn an_answer_of_an_old_kernel_is_not_counted() {
        let bytes = datagram(abi::PROC_EVENT_NONE, u32::MAX, &[1]);
        let answer = message(&bytes).unwrap();
        assert_eq!(answer.cpu, None);
        assert_eq!(answer.ack, 77);
        assert_eq!(answer.body, Body::Answer { error: 1 });
    }

    #[test]
    fn an_event_of_the_future_is_unknown_but_counted() {
        let decoded = message(&datagram(0x0800_0000, 3, &[1, 1])).unwrap();
        assert_eq!(decoded.body, Body::Unknown(0x0800_0000));
        assert_eq!(decoded.cpu, Some(3));
    }

    #[test]
    fn every_cut_of_a_message_is_an_error() {
        let bytes = datagram(abi::PROC_EVENT_COMM, 0, &[10, 10, 1, 2, 3, 4]);
        for len in 0..bytes.len() {
            assert!(message(&bytes[..len]).is_err(), "cut at {len}");
        }
        assert!(message(&bytes).is_ok());
    }

    #[test]
    fn a_length_below_the_head_is_an_error() {
        let mut bytes = datagram(abi::PROC_EVENT_EXEC, 0, &[10, 10]);
        bytes[..4].copy_from_slice(&15_u32.to_ne_bytes());
        assert_eq!(message(&bytes), Err(Malformed::Length(15)));
    }

    #[test]
    fn another_connector_is_a_stranger() {
        let mut bytes = datagram(abi::PROC_EVENT_EXEC, 0, &[10, 10]);
        bytes[16..20].copy_from_slice(&7_u32.to_ne_bytes());
        assert_eq!(message(&bytes), Err(Malformed::Stranger { idx: 7, val: 1 }));
    }
}
