//! Standard input, output and error of a process, as they are at its exec: what tells a shell on a
//! socket from one on a terminal. Later changes are told by no record.
//!
//! Which socket a descriptor is must be looked up in tables that a busy host makes long. What was
//! found is kept by the link's text (a socket's and a pipe's number is never another's while it is
//! in use), and no more than 20 ms of a second go into looking; beyond that a socket's kind
//! is unknown.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::descriptor::Describer;
use super::look::LINK;
use crate::event::Fd;
use crate::event::FdTable;
use crate::procfs::ProcessDir;
use crate::sys::clock;

/// Of each second, at most 20 ms are spent on looking sockets up.
const BUDGET_NS: u64 = 20_000_000;

const SECOND_NS: u64 = 1_000_000_000;

/// Texts that are kept; when there are more, all are forgotten.
const MAX_KNOWN: usize = 1024;

/// Finds what 0, 1 and 2 are.
#[derive(Debug)]
pub struct Stdio {
    describer: Describer,
    link: Box<[u8; LINK]>,
    known: FxHashMap<Box<[u8]>, Option<Fd>>,
    /// The texts of the last process and its table: the next often has the same.
    last: (Vec<u8>, Arc<FdTable>),
    texts: Vec<u8>,
    second_ns: u64,
    spent_ns: u64,
}

impl Default for Stdio {
    fn default() -> Self {
        Self {
            describer: Describer::default(),
            link: Box::new([0; LINK]),
            known: FxHashMap::default(),
            last: (Vec::new(), Arc::default()),
            texts: Vec::new(),
            second_ns: 0,
            spent_ns: 0,
        }
    }
}

impl Stdio {
    /// The table of the three, those that are open; `None` if it can't be read.
    pub fn look(&mut self, process: &ProcessDir) -> Option<Arc<FdTable>> {
        let fds = process.fds().ok()?;
        let mut texts = std::mem::take(&mut self.texts);
        texts.clear();
        let mut ends = [0; 3];
        for (number, end) in (0..).zip(&mut ends) {
            texts.extend_from_slice(fds.link(number, &mut self.link[..]).unwrap_or_default());
            texts.push(0);
            *end = texts.len();
        }
        let is_file = texts.split(|&byte| byte == 0).any(is_replaceable);
        if is_file || texts != self.last.0 {
            self.last.1 = Arc::new(self.table(process, &texts, ends));
            self.last.0.clone_from(&texts);
        }
        self.texts = texts;
        Some(Arc::clone(&self.last.1))
    }

    fn table(&mut self, process: &ProcessDir, texts: &[u8], ends: [usize; 3]) -> FdTable {
        let mut table = FdTable::default();
        let mut start = 0;
        for (number, end) in (0..).zip(ends) {
            let text = texts.get(start..end.saturating_sub(1)).unwrap_or_default();
            start = end;
            if let Some(fd) = self.describe(process, number, text) {
                table.insert(number, fd);
            }
        }
        table
    }

    fn describe(&mut self, process: &ProcessDir, number: i64, text: &[u8]) -> Option<Fd> {
        if text.is_empty() {
            return None;
        }
        if let Some(known) = self.known.get(text) {
            return known.clone();
        }
        let start_ns = clock::monotonic_ns();
        let is_socket = text.starts_with(b"socket:[");
        if is_socket && !self.may_look(start_ns) {
            return None;
        }
        let fd = self.describer.describe(process, number, None);
        if is_socket {
            self.spent_ns += clock::monotonic_ns().saturating_sub(start_ns);
        }
        if !is_replaceable(text) {
            if self.known.len() >= MAX_KNOWN {
                self.known.clear();
            }
            self.known.insert(Box::from(text), fd.clone());
        }
        fd
    }

    fn may_look(&mut self, now_ns: u64) -> bool {
        if now_ns.saturating_sub(self.second_ns) >= SECOND_NS {
            self.second_ns = now_ns;
            self.spent_ns = 0;
        }
        self.spent_ns < BUDGET_NS
    }
}

/// Whether another file can come under the same text.
fn is_replaceable(text: &[u8]) -> bool {
    text.starts_with(b"/") && !text.starts_with(b"/dev/")
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::event::FdKind;
    use crate::procfs::Proc;

    #[test]
    fn a_shell_on_a_socket_has_it_as_its_input() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("7/fd")).unwrap();
        fs::create_dir_all(root.path().join("7/net")).unwrap();
        let line =
            "0: 0100007F:9C40 0100007F:115C 01 00000000:00000000 00:00000000 00000000 0 0 5 1\n";
        fs::write(root.path().join("7/net/tcp"), line).unwrap();
        symlink("socket:[5]", root.path().join("7/fd/0")).unwrap();
        symlink("pipe:[6]", root.path().join("7/fd/1")).unwrap();
        let process = Proc::open(root.path()).unwrap().process(7).unwrap();
        let mut stdio = Stdio::default();
        let table = stdio.look(&process).unwrap();
        assert_eq!(table.get(0).unwrap().kind, FdKind::Ipv4Socket);
        assert_eq!(table.get(0).unwrap().socket.unwrap().server.unwrap().1, 4444);
        assert_eq!(table.get(1).unwrap().kind, FdKind::Pipe);
        assert!(table.get(2).is_none());
        let again = stdio.look(&process).unwrap();
        assert!(Arc::ptr_eq(&table, &again));
    }

    #[test]
    fn looking_sockets_up_has_a_budget() {
        let mut stdio = Stdio { second_ns: 5, spent_ns: BUDGET_NS, ..Stdio::default() };
        assert!(!stdio.may_look(6));
        assert!(stdio.may_look(5 + SECOND_NS));
    }
}
