//! Scripts whose interpreters are still to be opened, by the same call of execve(2).
//!
//! Each is opened before its interpreter, and the interpreter's arguments begin with what the
//! script's first line says.

use crate::decode::executable::Executable;
use crate::decode::procfs::syscall::StandingCall;

/// Scripts that are remembered.
const MEMORY: usize = 64;

/// Room for a first line.
const LINE: usize = 256;

/// A call: the task, its registers, and a hash of the name that it was given.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Key {
    pub(super) tid: i32,
    pub(super) call: StandingCall,
    pub(super) name: u64,
}

#[derive(Clone, Copy, Debug)]
struct Script {
    key: Key,
    line: [u8; LINE],
    len: usize,
}

/// What is remembered of them; made once.
#[derive(Debug)]
pub(super) struct Scripts {
    kept: Box<[Option<Script>]>,
    next: usize,
}

impl Scripts {
    pub(super) fn new() -> Self {
        Self { kept: vec![None; MEMORY].into(), next: 0 }
    }

    /// Notes a script that a call has opened. `head`: its first bytes.
    pub(super) fn note(&mut self, key: Key, head: &[u8]) {
        let mut script = Script { key, line: [0; LINE], len: head.len().min(LINE) };
        if let (Some(to), Some(from)) = (script.line.get_mut(..script.len), head.get(..script.len))
        {
            to.copy_from_slice(from);
        }
        if let Some(slot) = self.kept.get_mut(self.next % MEMORY) {
            *slot = Some(script);
        }
        self.next = self.next.wrapping_add(1);
    }

    /// The interpreters that a call's scripts have named, with their arguments: the last one first.
    pub(super) fn interpreters(&self, key: Key) -> impl Iterator<Item = (&[u8], Option<&[u8]>)> {
        let places = (1..=MEMORY).map(move |back| self.next.wrapping_sub(back) % MEMORY);
        let scripts = places.filter_map(|place| self.kept.get(place)?.as_ref());
        scripts.filter(move |script| script.key == key).filter_map(
            |script| match Executable::parse(script.line.get(..script.len)?) {
                Executable::Script { interpreter, argument } => Some((interpreter, argument)),
                _ => None,
            },
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(tid: i32) -> Key {
        Key { tid, call: StandingCall { number: 59, arguments: [0; 6], stack: 7 }, name: 1 }
    }

    #[test]
    fn the_interpreters_of_a_call_come_in_the_order_of_their_arguments() {
        let mut scripts = Scripts::new();
        scripts.note(key(1), b"#!/script -x\n");
        scripts.note(key(2), b"#!/other\n");
        scripts.note(key(1), b"#!/bin/sh\n");
        let found: Vec<_> = scripts.interpreters(key(1)).collect();
        assert_eq!(found, [(&b"/bin/sh"[..], None), (b"/script", Some(&b"-x"[..]))]);
        assert_eq!(scripts.interpreters(Key { name: 2, ..key(1) }).count(), 0);
    }

    #[test]
    fn only_so_many_are_remembered() {
        let mut scripts = Scripts::new();
        for tid in 0..=i32::try_from(MEMORY).unwrap() {
            scripts.note(key(tid), b"#!/bin/sh\n");
        }
        assert_eq!(scripts.interpreters(key(0)).count(), 0);
        assert_eq!(scripts.interpreters(key(1)).count(), 1);
    }
}
