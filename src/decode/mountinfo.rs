//! /proc/PID/mountinfo: the mounts of one mount namespace, one a line.
//!
//! Source: proc_pid_mountinfo(5). Unknown optional fields are skipped; a line that cannot be read
//! is left out.

use std::borrow::Cow;

/// One mount.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct MountLine<'a> {
    /// Its id, unique while it lives.
    pub id: u64,
    /// The mount that it hangs on.
    pub parent_id: u64,
    /// Directory of the filesystem that is its root.
    pub root: Cow<'a, [u8]>,
    /// Where it hangs, seen from the process's root.
    pub mount_point: Cow<'a, [u8]>,
    /// Type of the filesystem, with its subtype: `ext4`, `fuse.sshfs`.
    pub fs_type: &'a [u8],
}

/// The mounts of a mountinfo file, in its order.
pub fn mounts(text: &[u8]) -> impl Iterator<Item = MountLine<'_>> {
    text.split(|byte| *byte == b'\n').filter_map(mount)
}

fn mount(line: &[u8]) -> Option<MountLine<'_>> {
    let mut words = line.split(|byte| *byte == b' ');
    let id = number(words.next()?)?;
    let parent_id = number(words.next()?)?;
    words.next()?; // major:minor
    let root = unescape(words.next()?);
    let mount_point = unescape(words.next()?);
    let fs_type = words.skip_while(|word| *word != b"-").nth(1)?;
    Some(MountLine { id, parent_id, root, mount_point, fs_type })
}

fn number(word: &[u8]) -> Option<u64> {
    std::str::from_utf8(word).ok()?.parse().ok()
}

/// Replaces `\040` and the like (space, tab, newline, backslash) by their bytes.
fn unescape(word: &[u8]) -> Cow<'_, [u8]> {
    if !word.contains(&b'\\') {
        return Cow::Borrowed(word);
    }
    let mut bytes = Vec::with_capacity(word.len());
    let mut rest = word;
    while let [first, tail @ ..] = rest {
        let (byte, tail) = match rest {
            [b'\\', a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', tail @ ..] => {
                (((a - b'0') << 6) | ((b - b'0') << 3) | (c - b'0'), tail)
            }
            _ => (*first, tail),
        };
        bytes.push(byte);
        rest = tail;
    }
    Cow::Owned(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn optional_fields_are_skipped_and_escapes_resolved() {
        let text =
            b"36 35 98:0 /mnt1 /mnt\\0402 rw,noatime master:1 shared:7 - ext3 /dev/root rw\n\
                     not a mount\n\
                     22 27 0:21 / /proc rw,relatime - proc proc rw\n";
        let found: Vec<_> = mounts(text).collect();
        assert_eq!(found.len(), 2);
        assert_eq!((found[0].id, found[0].parent_id), (36, 35));
        assert_eq!(found[0].mount_point, &b"/mnt 2"[..]);
        assert_eq!(found[0].root, &b"/mnt1"[..]);
        assert_eq!(found[0].fs_type, b"ext3");
        assert_eq!(found[1].fs_type, b"proc");
    }

    #[test]
    fn a_backslash_that_is_no_escape_stays() {
        assert_eq!(unescape(b"a\\9\\"), &b"a\\9\\"[..]);
        assert_eq!(unescape(b"\\134\\011"), &b"\\\t"[..]);
    }
}
