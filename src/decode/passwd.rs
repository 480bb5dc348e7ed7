//! passwd(5) and group(5). A static binary has no name service switch: these files are all.

use super::procfs::decimal;
use super::procfs::lines;

/// One line of passwd(5).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[allow(missing_docs, reason = "passwd(5)'s names")]
pub struct PasswdEntry<'a> {
    pub name: &'a [u8],
    pub uid: u32,
    pub gid: u32,
    pub home: &'a [u8],
    pub shell: &'a [u8],
}

/// The entries in the file's order; lines that are none (`+::::::` of NIS) are left out.
pub fn parse_passwd(text: &[u8]) -> impl Iterator<Item = PasswdEntry<'_>> {
    lines(text).filter_map(|line| {
        let mut parts = line.split(|&byte| byte == b':');
        let name = parts.next().filter(|name| !name.is_empty())?;
        let uid = id(parts.nth(1)?)?;
        let gid = id(parts.next()?)?;
        let home = parts.nth(1).unwrap_or_default();
        let shell = parts.next().unwrap_or_default();
        Some(PasswdEntry { name, uid, gid, home, shell })
    })
}

/// Name and id of each line of group(5).
pub fn parse_group(text: &[u8]) -> impl Iterator<Item = (&[u8], u32)> {
    lines(text).filter_map(|line| {
        let mut parts = line.split(|&byte| byte == b':');
        let name = parts.next().filter(|name| !name.is_empty())?;
        Some((name, id(parts.nth(1)?)?))
    })
}

fn id(text: &[u8]) -> Option<u32> {
    u32::try_from(decimal(text)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_are_no_entries_are_left_out() {
        let text = b"root:x:0:0:root:/root:/bin/bash\n# comment\n+::::::\nbad:x:y:0\n\
            sync:x:4:65534:sync:/bin:/bin/sync";
        let names: Vec<_> = parse_passwd(text).map(|entry| (entry.name, entry.uid)).collect();
        assert_eq!(names, [(&b"root"[..], 0), (&b"sync"[..], 4)]);
        assert_eq!(parse_passwd(text).next().unwrap().shell, b"/bin/bash");
    }

    #[test]
    fn groups_give_name_and_number() {
        let groups: Vec<_> = parse_group(b"adm:x:4:syslog,me\nbroken\nroot:x:0:\n").collect();
        assert_eq!(groups, [(&b"adm"[..], 4), (&b"root"[..], 0)]);
    }
}
