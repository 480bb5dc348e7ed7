//! `/proc/<pid>/mountinfo`: the mounts of a process's mount namespace, see proc_pid_mountinfo(5).

use std::borrow::Cow;

use super::decimal;
use super::lines;
use super::octal;

/// One mount. Texts are as the file has them: blank, tab, newline and backslash as octal escapes;
/// [`unescape`] takes them back.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Mount<'a> {
    /// Its number.
    pub id: u64,
    /// The mount that it is on.
    pub parent: u64,
    /// Major and minor number of the device.
    pub device: (u32, u32),
    /// The directory of the file system that is its root.
    pub root: &'a [u8],
    /// Where it is mounted, seen from the process's root.
    pub mount_point: &'a [u8],
    /// Options of this mount: `ro,nosuid`.
    pub options: &'a [u8],
    /// `ext4`, `overlay`, `fuse.sshfs`.
    pub fs_type: &'a [u8],
    /// What is mounted.
    pub source: &'a [u8],
    /// Options of the file system.
    pub super_options: &'a [u8],
}

impl<'a> Mount<'a> {
    /// The value of an option of the file system, as `upperdir` of an overlay.
    #[must_use]
    pub fn super_option(&self, name: &[u8]) -> Option<&'a [u8]> {
        self.super_options
            .split(|&byte| byte == b',')
            .find_map(|option| option.strip_prefix(name)?.strip_prefix(b"="))
    }
}

/// The mounts in the file's order: a later one hides an earlier one at the same place. Lines that
/// are none are left out.
pub fn parse(text: &[u8]) -> impl Iterator<Item = Mount<'_>> {
    lines(text).filter_map(parse_line)
}

fn parse_line(line: &[u8]) -> Option<Mount<'_>> {
    let mut words = line.split(|&byte| byte == b' ');
    let id = decimal(words.next()?)?;
    let parent = decimal(words.next()?)?;
    let mut device = words.next()?.splitn(2, |&byte| byte == b':');
    let major = u32::try_from(decimal(device.next()?)?).ok()?;
    let minor = u32::try_from(decimal(device.next()?)?).ok()?;
    let root = words.next()?;
    let mount_point = words.next()?;
    let options = words.next()?;
    // Optional fields up to a lone hyphen.
    words.by_ref().find(|&word| word == b"-")?;
    Some(Mount {
        id,
        parent,
        device: (major, minor),
        root,
        mount_point,
        options,
        fs_type: words.next()?,
        source: words.next().unwrap_or_default(),
        super_options: words.next().unwrap_or_default(),
    })
}

/// Takes octal escapes (`\040`) back.
#[must_use]
pub fn unescape(text: &[u8]) -> Cow<'_, [u8]> {
    if !text.contains(&b'\\') {
        return Cow::Borrowed(text);
    }
    let mut plain = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&byte, after)) = rest.split_first() {
        let escaped = after.get(..3).filter(|_| byte == b'\\').and_then(octal);
        match escaped.and_then(|value| u8::try_from(value).ok()) {
            Some(value) => {
                plain.push(value);
                rest = after.get(3..).unwrap_or_default();
            }
            None => {
                plain.push(byte);
                rest = after;
            }
        }
    }
    Cow::Owned(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_gives_its_parts_around_optional_fields() {
        let text = b"36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 shared:2 - overlay /dev/root \
            rw,lowerdir=/l,upperdir=/u,workdir=/w\n27 1 254:0 / / rw - ext4 /dev/vda rw\nx\n";
        let mounts: Vec<_> = parse(text).collect();
        assert_eq!(mounts.len(), 2);
        assert_eq!((mounts[0].id, mounts[0].parent, mounts[0].device), (36, 35, (98, 0)));
        assert_eq!((mounts[0].mount_point, mounts[0].fs_type), (&b"/mnt2"[..], &b"overlay"[..]));
        assert_eq!(mounts[0].super_option(b"upperdir"), Some(&b"/u"[..]));
        assert_eq!(mounts[1].super_option(b"upperdir"), None);
    }

    #[test]
    fn blanks_in_paths_are_unescaped() {
        assert_eq!(unescape(br"/a\040b\134").as_ref(), b"/a b\\");
        assert_eq!(unescape(br"/a\9\04").as_ref(), br"/a\9\04");
    }
}
