//! Joining and normalising paths as Falco does: as text, without looking at any file system.

/// Longer results are not made; see [`TOO_LONG`].
const MAX_PATH: usize = 1024;

/// What stands for a path that is too long.
const TOO_LONG: &[u8] = b"/DIR_TOO_LONG/FILENAME_TOO_LONG";

/// Puts `path`, taken from the directory `base`, into `out`.
///
/// `base` is put in front of a relative path as it is, so it should end with a slash. `.` and
/// `..` and doubled slashes of `path` are resolved, symbolic links are not.
pub fn join(out: &mut Vec<u8>, base: &[u8], path: &[u8]) {
    out.clear();
    if base.len() + path.len() + 1 > MAX_PATH {
        out.extend_from_slice(TOO_LONG);
        return;
    }
    if path.first().is_some_and(|&byte| byte != b'/') {
        out.extend_from_slice(base);
    }
    append_normalised(out, path);
}

/// The directory with the slash that [`join`] wants.
pub fn as_base(out: &mut Vec<u8>, directory: &[u8]) {
    out.clear();
    out.extend_from_slice(directory);
    if out.last() != Some(&b'/') {
        out.push(b'/');
    }
}

fn append_normalised(out: &mut Vec<u8>, path: &[u8]) {
    let has_base = !out.is_empty();
    let mut rest = path;
    while let Some((&byte, tail)) = rest.split_first() {
        let at_component = out.last().is_none_or(|&last| last == b'/');
        rest = match (byte, tail) {
            (b'.', [b'.', after @ ..]) if at_component && ends_component(after) => {
                to_parent(out);
                after.split_first().map_or(after, |(_, rest)| rest)
            }
            (b'.', after) if at_component && ends_component(after) => {
                after.split_first().map_or(after, |(_, rest)| rest)
            }
            (b'/', _) => {
                // Where `..` took away the whole base, the slash goes with it.
                let is_surplus = out.last().map_or(has_base, |&last| last == b'/');
                if !is_surplus {
                    out.push(b'/');
                }
                tail
            }
            _ => {
                let end = memchr::memchr(b'/', rest).unwrap_or(rest.len()).max(1);
                let (component, tail) = rest.split_at_checked(end).unwrap_or((rest, &[]));
                out.extend_from_slice(component);
                tail
            }
        };
    }
    if out.len() > 1 && out.last() == Some(&b'/') {
        out.pop();
    }
}

fn ends_component(rest: &[u8]) -> bool {
    rest.first().is_none_or(|&byte| byte == b'/')
}

/// Takes the last component away, but never the first byte.
fn to_parent(out: &mut Vec<u8>) {
    if out.len() <= 1 {
        return;
    }
    out.pop();
    while out.len() > 1 && out.last() != Some(&b'/') {
        out.pop();
    }
    // A relative base loses its first letter with the rest.
    if out.len() == 1 && out.first() != Some(&b'/') {
        out.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined(base: &str, path: &str) -> String {
        let mut out = Vec::new();
        join(&mut out, base.as_bytes(), path.as_bytes());
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn an_absolute_path_needs_no_directory() {
        assert_eq!(joined("/home/anna/", "/etc//passwd"), "/etc/passwd");
        assert_eq!(joined("/home/anna/", "/"), "/");
    }

    #[test]
    fn dots_are_resolved_as_text() {
        assert_eq!(joined("/home/anna/", "./a/../b"), "/home/anna/b");
        assert_eq!(joined("/home/anna/", "../../.."), "/");
        assert_eq!(joined("/", ".."), "/");
        assert_eq!(joined("/a/", ".hidden/..x"), "/a/.hidden/..x");
    }

    #[test]
    fn a_trailing_slash_goes() {
        assert_eq!(joined("/", "tmp/"), "/tmp");
        assert_eq!(joined("/", "tmp/."), "/tmp");
    }

    #[test]
    fn an_unknown_directory_is_just_put_in_front() {
        assert_eq!(joined("<UNKNOWN>", "file"), "<UNKNOWN>file");
        assert_eq!(joined("", "foo/../a"), "a");
    }

    #[test]
    fn what_is_too_long_has_a_name_of_its_own() {
        let path = "a".repeat(1020);
        assert_eq!(joined("/tmp/", &path), "/DIR_TOO_LONG/FILENAME_TOO_LONG");
    }
}
