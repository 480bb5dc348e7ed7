//! What a capture file says of the machine as it was when the capture began: the machine itself,
//! threads, network interfaces, users and groups.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::Malformed;
use crate::decode::reader::{Reader, Truncated};

/// The machine.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Machine<'a> {
    /// Its name.
    pub hostname: &'a [u8],
    /// When it was booted, nanoseconds since the epoch; zero: not told.
    pub boot_ts: u64,
}

/// One thread. What the file's version doesn't have is `None` or empty.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[allow(missing_docs, reason = "the fields of `event::Thread`")]
pub struct Process<'a> {
    pub tid: i64,
    pub pid: i64,
    pub ptid: i64,
    pub sid: Option<i64>,
    pub vpgid: Option<i64>,
    pub pgid: Option<i64>,
    pub comm: &'a [u8],
    pub exe: &'a [u8],
    pub exepath: &'a [u8],
    pub args: &'a [u8],
    pub cwd: &'a [u8],
    pub fdlimit: i64,
    pub flags: u32,
    pub uid: u32,
    pub gid: u32,
    pub vm_size_kb: u32,
    pub vm_rss_kb: u32,
    pub vm_swap_kb: u32,
    pub pfmajor: u64,
    pub pfminor: u64,
    pub env: &'a [u8],
    pub vtid: i64,
    pub vpid: i64,
    pub cgroups: &'a [u8],
    pub root: &'a [u8],
    pub pidns_init_start_ts: u64,
    pub tty: u32,
    pub loginuid: u32,
    pub is_exe_writable: bool,
    pub cap_inheritable: u64,
    pub cap_permitted: u64,
    pub cap_effective: u64,
    pub is_exe_upper_layer: bool,
    pub exe_ino: u64,
    pub exe_ino_ctime: u64,
    pub exe_ino_mtime: u64,
    pub is_exe_from_memfd: bool,
    pub is_exe_lower_layer: bool,
}

/// A network interface's address.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Interface {
    /// The address.
    pub address: IpAddr,
    /// Its netmask.
    pub netmask: IpAddr,
}

/// An entry of the users and groups.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[allow(missing_docs, reason = "passwd(5)'s and group(5)'s names")]
pub enum Account<'a> {
    User { uid: u32, gid: u32, name: &'a [u8], home: &'a [u8], shell: &'a [u8] },
    Group { gid: u32, name: &'a [u8] },
}

/// Longest path, list of arguments, name of a user and of a descriptor that writers make.
const MAX_PATH: usize = 1024;
const MAX_LIST: usize = 4096;
const MAX_ACCOUNT: usize = 255;
pub(super) const MAX_FD_NAME: usize = 1023;

/// From this many bytes on the end of an entry has the fields of today's writers.
const OLD_TAIL: usize = 29;

/// Reads the machine.
///
/// # Errors
///
/// If it is cut short.
pub fn machine(body: &[u8]) -> Result<Machine<'_>, Malformed> {
    let mut reader = Reader::new(body);
    reader.take(4 + 8 + 8, "machine")?;
    let hostname = reader.take(128, "host name")?;
    let boot_ts = reader.u64_le("boot time")?;
    reader.take(3 * 8, "flags of the machine")?;
    Ok(Machine { hostname: until_nul(hostname), boot_ts })
}

/// The threads of a process list.
pub fn processes(version: u8, body: &[u8]) -> impl Iterator<Item = Result<Process<'_>, Malformed>> {
    entries(body, move |reader| process(version, reader))
}

/// The addresses of an interface list.
pub fn interfaces(version: u8, body: &[u8]) -> impl Iterator<Item = Result<Interface, Malformed>> {
    entries(body, move |reader| interface(version, reader))
}

/// The entries of a list of users and groups.
pub fn accounts(version: u8, body: &[u8]) -> impl Iterator<Item = Result<Account<'_>, Malformed>> {
    entries(body, move |reader| account(version, reader))
}

/// Reads entries until only padding is left; an error ends it.
pub(super) fn entries<'a, T>(
    body: &'a [u8],
    mut entry: impl FnMut(&mut Reader<'a>) -> Result<T, Malformed>,
) -> impl Iterator<Item = Result<T, Malformed>> {
    let mut reader = Reader::new(body);
    let mut has_failed = false;
    std::iter::from_fn(move || {
        if has_failed || reader.rest().len() < 4 {
            return None;
        }
        let result = entry(&mut reader);
        has_failed = result.is_err();
        Some(result)
    })
}

/// Takes the entry of `len` bytes that `reader` stands before, its length included.
pub(super) fn sized<'a>(
    reader: &mut Reader<'a>,
    what: &'static str,
) -> Result<Reader<'a>, Malformed> {
    let len = reader.u32_le(what)?;
    let body = usize::try_from(len).ok().and_then(|len| len.checked_sub(4));
    let body = body.ok_or_else(|| Malformed::Unexpected {
        what,
        expected: "at least its own four bytes",
        found: u64::from(len),
    })?;
    Ok(Reader::new(reader.take(body, what)?))
}

/// Text of at most `most` bytes, with its length in two bytes; it ends before a NUL.
pub(super) fn text<'a>(
    reader: &mut Reader<'a>,
    what: &'static str,
    most: usize,
) -> Result<&'a [u8], Malformed> {
    limited(reader, what, most).map(until_nul)
}

/// Items with a NUL behind each.
fn list<'a>(reader: &mut Reader<'a>, what: &'static str) -> Result<&'a [u8], Malformed> {
    limited(reader, what, MAX_LIST)
}

fn limited<'a>(
    reader: &mut Reader<'a>,
    what: &'static str,
    most: usize,
) -> Result<&'a [u8], Malformed> {
    let len = usize::from(reader.u16_le(what)?);
    if len > most {
        let expected = "no longer text than writers make";
        return Err(Malformed::Unexpected { what, expected, found: len as u64 });
    }
    Ok(reader.take(len, what)?)
}

fn until_nul(bytes: &[u8]) -> &[u8] {
    bytes.split(|&byte| byte == 0).next().unwrap_or_default()
}

fn process<'a>(version: u8, whole: &mut Reader<'a>) -> Result<Process<'a>, Malformed> {
    let mut entry = if version >= 9 { sized(whole, "entry of a process list")? } else { *whole };
    let reader = &mut entry;
    let mut process = Process { vtid: -1, vpid: -1, loginuid: u32::MAX, ..Process::default() };
    process.tid = reader.i64_le("thread id")?;
    process.pid = reader.i64_le("process id")?;
    process.ptid = reader.i64_le("parent's id")?;
    if version >= 6 {
        process.sid = Some(reader.i64_le("session id")?);
    }
    if version >= 8 {
        process.vpgid = Some(reader.i64_le("process group")?);
    }
    process.comm = text(reader, "comm", MAX_PATH)?;
    process.exe = text(reader, "exe", MAX_PATH)?;
    if version >= 7 {
        process.exepath = text(reader, "exepath", MAX_PATH)?;
    }
    process.args = list(reader, "arguments")?;
    process.cwd = text(reader, "working directory", MAX_PATH)?;
    process.fdlimit = reader.i64_le("limit of descriptors")?;
    process.flags = reader.u32_le("clone flags")?;
    process.uid = reader.u32_le("user id")?;
    process.gid = reader.u32_le("group id")?;
    if version >= 2 {
        process.vm_size_kb = reader.u32_le("memory size")?;
        process.vm_rss_kb = reader.u32_le("resident size")?;
        process.vm_swap_kb = reader.u32_le("swapped size")?;
        process.pfmajor = reader.u64_le("major faults")?;
        process.pfminor = reader.u64_le("minor faults")?;
    }
    if version >= 3 {
        process.env = list(reader, "environment")?;
    }
    if version >= 4 {
        process.vtid = reader.i64_le("virtual thread id")?;
        process.vpid = reader.i64_le("virtual process id")?;
        process.cgroups = list(reader, "cgroups")?;
    }
    if version >= 5 {
        process.root = text(reader, "root directory", MAX_PATH)?;
    }
    if version >= 9 {
        // Whatever this entry is too short for was not told.
        let _ = process_tail(&mut process, reader);
    } else {
        *whole = entry;
    }
    Ok(process)
}

/// What newer writers put at the end of an entry; any prefix of it may be there.
fn process_tail(process: &mut Process<'_>, reader: &mut Reader<'_>) -> Result<(), Truncated> {
    let is_new = reader.rest().len() > OLD_TAIL;
    if is_new {
        process.pidns_init_start_ts = reader.u64_le("start of the pid namespace")?;
        process.tty = reader.u32_le("terminal")?;
    }
    process.loginuid = reader.u32_le("login uid")?;
    process.is_exe_writable = reader.u8("exe is writable")? != 0;
    process.cap_inheritable = reader.u64_le("inheritable capabilities")?;
    process.cap_permitted = reader.u64_le("permitted capabilities")?;
    process.cap_effective = reader.u64_le("effective capabilities")?;
    if is_new {
        process.is_exe_upper_layer = reader.u8("exe is in the upper layer")? != 0;
        process.exe_ino = reader.u64_le("inode of exe")?;
        process.exe_ino_ctime = reader.u64_le("ctime of exe")?;
        process.exe_ino_mtime = reader.u64_le("mtime of exe")?;
        process.is_exe_from_memfd = reader.u8("exe is a memfd")? != 0;
        process.is_exe_lower_layer = reader.u8("exe is in the lower layer")? != 0;
        process.pgid = Some(reader.i64_le("host's process group")?);
    }
    Ok(())
}

fn interface(version: u8, reader: &mut Reader<'_>) -> Result<Interface, Malformed> {
    const WHAT: &str = "entry of an interface list";
    let mut entry = *reader;
    if version >= 2 {
        // Unlike in the other lists this length doesn't count itself.
        let len = usize::try_from(reader.u32_le(WHAT)?).unwrap_or(usize::MAX);
        entry = Reader::new(reader.take(len, WHAT)?);
    }
    let found = interface_of(&mut entry)?;
    if version < 2 {
        *reader = entry;
    }
    Ok(found)
}

fn interface_of(reader: &mut Reader<'_>) -> Result<Interface, Malformed> {
    const WHAT: &str = "entry of an interface list";
    let ty = reader.u16_le(WHAT)?;
    let name_len = usize::from(reader.u16_le(WHAT)?);
    let (address, netmask, has_speed) = match ty {
        1 | 3 => (v4(reader)?, v4(reader)?, ty == 1),
        2 | 4 => (v6(reader)?, v6(reader)?, ty == 2),
        _ => {
            let expected = "a type of interface from 1 to 4";
            return Err(Malformed::Unexpected { what: WHAT, expected, found: u64::from(ty) });
        }
    };
    // The broadcast address, the speed and the name are nobody's business here.
    if address.is_ipv4() {
        v4(reader)?
    } else {
        v6(reader)?
    };
    if has_speed {
        reader.u64_le(WHAT)?;
    }
    reader.take(name_len, WHAT)?;
    Ok(Interface { address, netmask })
}

/// An IPv4 address in network order.
pub(super) fn v4(reader: &mut Reader<'_>) -> Result<IpAddr, Truncated> {
    Ok(IpAddr::V4(Ipv4Addr::from(reader.array::<4>("IPv4 address")?)))
}

/// An IPv6 address.
pub(super) fn v6(reader: &mut Reader<'_>) -> Result<IpAddr, Truncated> {
    Ok(IpAddr::V6(Ipv6Addr::from(reader.array::<16>("IPv6 address")?)))
}

fn account<'a>(version: u8, whole: &mut Reader<'a>) -> Result<Account<'a>, Malformed> {
    const WHAT: &str = "entry of a user list";
    let mut entry = if version >= 2 { sized(whole, WHAT)? } else { *whole };
    let reader = &mut entry;
    let account = match reader.u8(WHAT)? {
        0 => Account::User {
            uid: reader.u32_le("user id")?,
            gid: reader.u32_le("group id")?,
            name: text(reader, "user name", MAX_ACCOUNT)?,
            home: text(reader, "home directory", MAX_ACCOUNT)?,
            shell: text(reader, "shell", MAX_ACCOUNT)?,
        },
        _ => Account::Group {
            gid: reader.u32_le("group id")?,
            name: text(reader, "group name", MAX_ACCOUNT)?,
        },
    };
    if version < 2 {
        *whole = entry;
    }
    Ok(account)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_and_groups_are_told_apart() {
        let mut body = vec![0];
        body.extend(1000_u32.to_le_bytes());
        body.extend(1001_u32.to_le_bytes());
        for part in ["anna", "/home/anna", "/bin/sh"] {
            body.extend(u16::try_from(part.len()).unwrap().to_le_bytes());
            body.extend(part.as_bytes());
        }
        body.push(1);
        body.extend(7_u32.to_le_bytes());
        body.extend([2, 0, b'l', b'p']);
        body.extend([0, 0]);
        let all: Vec<_> = accounts(1, &body).map(Result::unwrap).collect();
        let user = Account::User {
            uid: 1000,
            gid: 1001,
            name: b"anna",
            home: b"/home/anna",
            shell: b"/bin/sh",
        };
        assert_eq!(all, [user, Account::Group { gid: 7, name: b"lp" }]);
    }

    #[test]
    fn text_longer_than_writers_make_is_refused() {
        let bytes = [0xff, 0xff];
        assert!(text(&mut Reader::new(&bytes), "comm", MAX_PATH).is_err());
    }

    #[test]
    fn text_ends_before_a_nul() {
        let bytes = *b"\x05\0ab\0cd";
        assert_eq!(text(&mut Reader::new(&bytes), "comm", MAX_PATH), Ok(&b"ab"[..]));
    }

    #[test]
    fn an_interface_of_a_newer_writer_is_as_long_as_it_says() {
        let one = |last: u8| {
            let mut entry = vec![3, 0, 2, 0, 10, 0, 0, last, 255, 0, 0, 0, 10, 255, 255, 255];
            entry.extend(*b"loNEW");
            let mut bytes = u32::try_from(entry.len()).unwrap().to_le_bytes().to_vec();
            bytes.extend(entry);
            bytes
        };
        let body = [one(1), one(2)].concat();
        let all: Vec<_> = interfaces(2, &body).map(|one| one.unwrap().address).collect();
        assert_eq!(all, [IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2])]);
    }

    #[test]
    fn an_entry_that_is_cut_short_ends_the_list() {
        let body = [9; 10];
        let all: Vec<_> = processes(1, &body).collect();
        assert_eq!(all.len(), 1);
        assert!(all[0].is_err());
    }
}
