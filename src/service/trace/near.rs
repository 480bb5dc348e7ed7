//! What is decided about a call on its entry, beside the tracee: its texts are read, and an open
//! on whose path no rule can alert is let pass without a stop on its exit.

use super::opens::Opens;
use crate::decode::syscall;
use crate::decode::syscall::Call;
use crate::enrich::path;
use crate::event::EventFlags;
use crate::event::EventType;
use crate::event::known;
use crate::sources::ptrace::Texts;
use crate::sources::ptrace::apart::Entry;
use crate::sys::ptrace;

/// As much of a path as the kernel takes, `PATH_MAX`.
const PATH_MAX: usize = 4096;

/// Looks at calls on their entry.
#[derive(Debug)]
pub(super) struct Near {
    table: syscall::Table,
    opens: Opens,
    text: Box<[u8; PATH_MAX]>,
    /// The path of an open, as the rules see it.
    path: Vec<u8>,
}

impl Near {
    /// `opens`: the conditions of the rules about opens.
    pub(super) fn new(opens: Opens) -> Self {
        let (table, text) = (syscall::Table::new(), Box::new([0; PATH_MAX]));
        Self { table, opens, text, path: Vec::new() }
    }

    /// Reads the texts of a call, and decides what is told of it.
    pub(super) fn entered(&mut self, tid: i32, call: &Call, texts: &mut Texts) -> Entry {
        let Some(ty) = self.table.event_type(call.abi, call.number) else { return Entry::Pass };
        for argument in syscall::text_arguments(ty) {
            let Some(&address) = call.arguments.get(argument) else { continue };
            if address != 0
                && let Some(text) = read_text(tid, address, &mut self.text)
            {
                texts.set(argument, text);
            }
        }
        if !self.may_matter(tid, ty, call, texts) {
            return Entry::Pass;
        }
        if ty.info().has(EventFlags::DESTROYS_FD) { Entry::TellBoth } else { Entry::TellExit }
    }

    /// Whether a rule could alert on this call; what isn't known counts for it.
    fn may_matter(&mut self, tid: i32, ty: EventType, call: &Call, texts: &Texts) -> bool {
        let [_, second, third, _, _, _] = call.arguments;
        let (argument, flags) = match ty {
            known::OPEN => (0, second),
            known::CREAT => (0, 0),
            known::OPENAT => (1, third),
            _ => return true,
        };
        let Some(text) = texts.get(argument) else { return true };
        if text.starts_with(b"/") {
            path::join(&mut self.path, b"", text);
        } else {
            let directory = syscall::descriptor_argument(ty, 1, call);
            let Some(base) = base_of(tid, directory) else { return true };
            let mut with_slash = Vec::new();
            path::as_base(&mut with_slash, &base);
            path::join(&mut self.path, &with_slash, text);
        }
        self.opens.may_match(ty, syscall::open_flags(flags), &self.path, text)
    }
}

/// Where a relative path begins; `None` if the process sees another root than we do.
fn base_of(tid: i32, directory: Option<i64>) -> Option<Vec<u8>> {
    use std::os::unix::ffi::OsStringExt as _;

    let link = |name: &str| std::fs::read_link(format!("/proc/{tid}/{name}")).ok();
    if link("root")?.as_os_str() != "/" {
        return None;
    }
    let base = match directory {
        Some(number) if number >= 0 => link(&format!("fd/{number}"))?,
        _ => link("cwd")?,
    };
    Some(base.into_os_string().into_vec())
}

/// Reads the text at an address, up to its NUL.
fn read_text(tid: i32, address: u64, buffer: &mut [u8; PATH_MAX]) -> Option<&[u8]> {
    /// Few paths are longer.
    const FIRST: usize = 256;
    let mut done = 0;
    while done < PATH_MAX {
        let at = address.checked_add(u64::try_from(done).ok()?)?;
        let end = if done == 0 { FIRST } else { PATH_MAX };
        let read = ptrace::read_memory(tid, at, buffer.get_mut(done..end)?).ok()?;
        if read == 0 {
            return None;
        }
        let piece = buffer.get(done..done + read)?;
        if let Some(end) = memchr::memchr(0, piece) {
            return buffer.get(..done + end);
        }
        done += read;
    }
    buffer.get(..PATH_MAX)
}
