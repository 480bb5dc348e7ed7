//! Paths as Falco joins and normalises them: text only, no symbolic links, no file system.

use crate::event::{Arena, Event, Fd, Thread};

use super::text::Text;

/// `AT_FDCWD`: relative to the working directory.
pub const AT_FDCWD: i64 = -100;

/// What stands before a path whose directory isn't known.
pub const UNKNOWN: &[u8] = b"<UNKNOWN>";

/// What the working directory is if it isn't known whose it is.
pub const UNKNOWN_CWD: &[u8] = b"./";

/// Longer results are replaced by [`TOO_LONG`].
const MAX_LEN: usize = 1024;
const TOO_LONG: &[u8] = b"/DIR_TOO_LONG/FILENAME_TOO_LONG";

/// Joins a path to its base as Falco does; `base` stands as it is, only the path is normalised.
///
/// Slashes are collapsed, `.` is dropped, `..` takes a component away (of the base, too, but
/// nothing above its start), a trailing slash goes.
#[must_use]
pub fn join<'a>(arena: &'a Arena, base: &[u8], path: &[u8]) -> &'a [u8] {
    let base = if path.starts_with(b"/") { &b""[..] } else { base };
    if base.len() + path.len() >= MAX_LEN {
        return TOO_LONG;
    }
    let mut text = Text::with_capacity(base.len() + path.len(), arena);
    text.push(base);
    let mut rest = path;
    while let Some((&first, behind)) = rest.split_first() {
        let is_start = matches!(text.as_slice().last(), None | Some(b'/'));
        rest = match (first, behind) {
            (b'.', [b'.', b'/', behind @ ..]) if is_start => {
                drop_component(&mut text);
                behind
            }
            (b'.', [b'.']) if is_start => {
                drop_component(&mut text);
                b""
            }
            (b'.', [b'/', behind @ ..]) if is_start => behind,
            (b'.', []) if is_start => b"",
            (b'/', behind) if text.as_slice().ends_with(b"/") => behind,
            // After `..` has taken everything of a base away there is no slash to begin with.
            (b'/', behind) if text.is_empty() && !base.is_empty() => behind,
            _ => {
                text.push_byte(first);
                behind
            }
        };
    }
    if text.len() > 1 && text.as_slice().ends_with(b"/") {
        text.truncate(text.len() - 1);
    }
    text.finish()
}

/// Takes the last component away, with what follows it; the first byte stays.
fn drop_component(text: &mut Text<'_>) {
    if text.len() <= 1 {
        return;
    }
    let without_slash = text.len() - 1;
    let before = text.as_slice().get(..without_slash).unwrap_or_default();
    text.truncate(memchr::memrchr(b'/', before).map_or(0, |slash| slash + 1));
}

/// `path` with each run of slashes as one.
#[must_use]
pub fn without_double_slashes<'a>(arena: &'a Arena, path: &'a [u8]) -> &'a [u8] {
    // To the end without a stop: so it goes by many bytes at a time.
    let pairs = path.iter().zip(path.iter().skip(1));
    let doubled = pairs.fold(0, |any, (one, next)| any | u8::from(*one == b'/' && *next == b'/'));
    if doubled == 0 {
        return path;
    }
    let mut text = Text::with_capacity(path.len(), arena);
    let mut last = 0;
    for &byte in path {
        if byte != b'/' || last != b'/' {
            text.push_byte(byte);
        }
        last = byte;
    }
    text.finish()
}

/// The working directory as `proc.cwd` shows it: with a trailing slash, `./` if it isn't known.
#[must_use]
pub fn cwd<'a>(event: &Event<'a>, thread: &'a Thread) -> &'a [u8] {
    let Some(main) = event.world.main_thread(thread) else { return UNKNOWN_CWD };
    with_slash(event.arena, &main.cwd)
}

/// `path` with a slash at its end, if there is a path.
#[must_use]
pub fn with_slash<'a>(arena: &'a Arena, path: &'a [u8]) -> &'a [u8] {
    if path.is_empty() || path.ends_with(b"/") {
        return path;
    }
    let mut text = Text::with_capacity(path.len() + 1, arena);
    text.push(path);
    text.push_byte(b'/');
    text.finish()
}

/// The descriptor of that number in the process of the event's thread.
#[must_use]
pub fn fd_of<'a>(event: &Event<'a>, num: i64) -> Option<&'a Fd> {
    if let (crate::event::FdNumber::Known(own), Some(info)) = (event.fd.num, event.fd.info)
        && own == num
    {
        return Some(info);
    }
    if let Some((_, info)) = event.fd.others.iter().find(|(other, _)| *other == num) {
        return Some(info);
    }
    if num < 0 {
        return None;
    }
    event.world.fd_table(event.thread?)?.get(num)
}

/// Where a path relative to `dirfd` starts; `None` if the descriptor isn't known.
#[must_use]
pub fn base_of<'a>(event: &Event<'a>, dirfd: i64) -> Option<&'a [u8]> {
    if dirfd == AT_FDCWD {
        return Some(cwd(event, event.thread?));
    }
    let fd = fd_of(event, dirfd)?;
    Some(with_slash(event.arena, super::tuple::fd_name(event.arena, fd)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_joined_as_text() {
        let arena = Arena::new();
        for (base, path, expected) in [
            ("/root/", "amber.txt", "/root/amber.txt"),
            ("/root/", "/etc//passwd", "/etc/passwd"),
            ("/root/", "./x/../y", "/root/y"),
            ("/root/", "../../../t", "/t"),
            ("/abs/up/", "../willow/", "/abs/willow"),
            ("", "./x/../y", "y"),
            ("<UNKNOWN>", "willow", "<UNKNOWN>willow"),
            ("<UNKNOWN>", "../willow", "<UNKNOWN>../willow"),
            ("<UNKNOWN>", "./x/../y", "<UNKNOWN>./y"),
            ("<UNKNOWN>/", "../willow", "willow"),
            ("../up/", ".", "../up"),
            ("", "../up", "up"),
            ("/", ".", "/"),
            ("/", "/", "/"),
        ] {
            let joined = join(&arena, base.as_bytes(), path.as_bytes());
            assert_eq!(String::from_utf8_lossy(joined), expected, "{base} + {path}");
        }
    }

    #[test]
    fn a_path_that_is_too_long_says_so() {
        let arena = Arena::new();
        assert_eq!(join(&arena, b"/", &[b'a'; 1100]), TOO_LONG);
    }
}
