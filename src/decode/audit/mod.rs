//! Records of the kernel's audit, as its netlink socket and auditd's dispatcher give them.
//!
//! A record is one line: `audit(SECONDS.MILLIS:SERIAL): name=value …`. Records with the same time
//! and serial are one event; how they are joined is in [`assemble`].
//!
//! Values are trusted only where the kernel wrote them: text that a user chose (`comm`, `exe`,
//! `name`, `a0` of EXECVE …) is in quotes, or in hexadecimal where it has blanks, quotes or
//! control characters. Source: kernel/audit.c (`audit_log_untrustedstring`), kernel/auditsc.c,
//! linux/audit.h.

pub mod assemble;
pub mod control;
pub mod rule;
pub mod value;

pub use assemble::{Assembler, AuditEvent, PathItem};

/// Types of records that this agent reads, by their number in linux/audit.h.
pub mod kind {
    #![allow(missing_docs, reason = "the names of linux/audit.h, without AUDIT_")]

    pub const SYSCALL: u16 = 1300;
    pub const PATH: u16 = 1302;
    pub const CONFIG_CHANGE: u16 = 1305;
    pub const SOCKADDR: u16 = 1306;
    pub const CWD: u16 = 1307;
    pub const EXECVE: u16 = 1309;
    pub const FD_PAIR: u16 = 1317;
    pub const OBJ_PID: u16 = 1318;
    pub const EOE: u16 = 1320;
    pub const MMAP: u16 = 1323;
    pub const PROCTITLE: u16 = 1327;
    pub const REPLACE: u16 = 1329;
    pub const KERN_MODULE: u16 = 1330;
    pub const OPENAT2: u16 = 1337;
}

/// One record, still in the source's buffer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct AuditRecord<'a> {
    /// A number of [`kind`].
    pub kind: u16,
    /// When, in milliseconds since the epoch.
    pub time_ms: u64,
    /// Which event; unique together with the time.
    pub serial: u64,
    /// What follows: `name=value` items.
    pub body: &'a [u8],
}

/// Why a record can't be read.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("malformed audit record: {0} is missing or wrong")]
pub struct Malformed(pub &'static str);

impl<'a> AuditRecord<'a> {
    /// Reads a record's text, as it follows the netlink header.
    ///
    /// # Errors
    ///
    /// [`Malformed`] if it doesn't begin with `audit(SECONDS.MILLIS:SERIAL):`.
    pub fn parse(kind: u16, text: &'a [u8]) -> Result<Self, Malformed> {
        let text = text.split(|&byte| byte == 0).next().unwrap_or(text);
        let rest = text.strip_prefix(b"audit(").ok_or(Malformed("the time"))?;
        let end = memchr::memchr(b')', rest).ok_or(Malformed("the time's end"))?;
        let (stamp, rest) = rest.split_at(end);
        let body = rest.strip_prefix(b"):").ok_or(Malformed("the colon"))?.trim_ascii_start();
        let (time_ms, serial) = stamp_of(stamp).ok_or(Malformed("the time"))?;
        Ok(Self { kind, time_ms, serial, body })
    }

    /// Reads a line as auditd's dispatcher gives it: `type=SYSCALL msg=audit(…): …`, optionally
    /// with `node=NAME` before it. `Ok(None)`: a type that this agent doesn't read.
    ///
    /// # Errors
    ///
    /// [`Malformed`] if it is no such line.
    pub fn parse_line(line: &'a [u8]) -> Result<Option<Self>, Malformed> {
        let mut rest = line.trim_ascii();
        if rest.starts_with(b"node=") {
            let blank = memchr::memchr(b' ', rest).ok_or(Malformed("the type"))?;
            rest = rest.get(blank + 1..).unwrap_or_default();
        }
        let rest = rest.strip_prefix(b"type=").ok_or(Malformed("the type"))?;
        let blank = memchr::memchr(b' ', rest).ok_or(Malformed("the message"))?;
        let (name, rest) = rest.split_at(blank);
        let Some(kind) = kind_of(name) else { return Ok(None) };
        let text = rest.trim_ascii_start().strip_prefix(b"msg=").ok_or(Malformed("the message"))?;
        // The part behind 0x1d is auditd's own interpretation (log_format = ENRICHED).
        let text = text.split(|&byte| byte == 0x1d).next().unwrap_or(text);
        Self::parse(kind, text).map(Some)
    }

    /// The `name=value` items, values as they stand.
    pub fn items(&self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> + use<'a> {
        value::items(self.body)
    }
}

/// The types that [`AuditRecord::parse_line`] knows, as auditd names them.
const NAMES: &[(&str, u16)] = &[
    ("SYSCALL", kind::SYSCALL),
    ("PATH", kind::PATH),
    ("CONFIG_CHANGE", kind::CONFIG_CHANGE),
    ("SOCKADDR", kind::SOCKADDR),
    ("CWD", kind::CWD),
    ("EXECVE", kind::EXECVE),
    ("FD_PAIR", kind::FD_PAIR),
    ("OBJ_PID", kind::OBJ_PID),
    ("EOE", kind::EOE),
    ("MMAP", kind::MMAP),
    ("PROCTITLE", kind::PROCTITLE),
    ("KERN_MODULE", kind::KERN_MODULE),
    ("OPENAT2", kind::OPENAT2),
];

fn kind_of(name: &[u8]) -> Option<u16> {
    NAMES.iter().find(|(known, _)| known.as_bytes() == name).map(|&(_, kind)| kind)
}

/// `1364481363.243:24287` → milliseconds and serial.
fn stamp_of(stamp: &[u8]) -> Option<(u64, u64)> {
    let stamp = std::str::from_utf8(stamp).ok()?;
    let (time, serial) = stamp.split_once(':')?;
    let (seconds, millis) = time.split_once('.')?;
    let millis: u64 = millis.parse().ok().filter(|&millis| millis < 1000)?;
    let seconds: u64 = seconds.parse().ok()?;
    Some((seconds.checked_mul(1000)?.checked_add(millis)?, serial.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_netlink_record_has_time_serial_and_items() {
        let text = b"audit(1364481363.243:24287): arch=c000003e syscall=2 comm=\"cat\"\0";
        let record = AuditRecord::parse(kind::SYSCALL, text).unwrap();
        assert_eq!((record.time_ms, record.serial), (1_364_481_363_243, 24287));
        let items: Vec<_> = record.items().collect();
        assert_eq!(items[1], (&b"syscall"[..], &b"2"[..]));
        assert_eq!(items[2], (&b"comm"[..], &b"\"cat\""[..]));
    }

    #[test]
    fn a_dispatchers_line_names_its_type_and_may_name_its_node() {
        let line = b"node=web1 type=CWD msg=audit(1.002:3): cwd=\"/root\"\n";
        let record = AuditRecord::parse_line(line).unwrap().unwrap();
        assert_eq!((record.kind, record.time_ms, record.serial), (kind::CWD, 1002, 3));
        assert_eq!(AuditRecord::parse_line(b"type=USER_LOGIN msg=audit(1.0:3): x"), Ok(None));
    }

    #[test]
    fn enriched_lines_lose_auditds_own_part() {
        let line = b"type=SYSCALL msg=audit(1.002:3): uid=0\x1dUID=\"root\"";
        let record = AuditRecord::parse_line(line).unwrap().unwrap();
        assert_eq!(record.body, b"uid=0");
    }

    #[test]
    fn what_is_no_record_is_an_error() {
        for text in [&b""[..], b"audit(", b"audit(1:2)", b"audit(1.9999:2): x", b"audit(x.1:2): y"]
        {
            assert!(AuditRecord::parse(kind::CWD, text).is_err(), "{text:?}");
        }
        assert!(AuditRecord::parse_line(b"nonsense").is_err());
    }
}
