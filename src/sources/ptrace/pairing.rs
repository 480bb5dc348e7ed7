//! The stops of a call belong together: its entry, perhaps the filter's stop, its exit, and what
//! comes after a signal has interrupted it.
//!
//! An interrupted call returns a number that no program sees (`ERESTARTSYS` …). Without a handler it
//! goes on: as restart_syscall(2), or entered anew. With one that depends on the handler's flags,
//! and shows in what the handler's return leaves as the result.
//!
//! Sources: signal(7) ("Interruption of system calls"), arch/x86/kernel/signal.c, linux/errno.h.

use super::Texts;
use super::Tracer;
use super::Watch;
use crate::decode::syscall;
use crate::decode::syscall::Abi;
use crate::decode::syscall::Call;
use crate::sys::ptrace;
use crate::sys::ptrace::Registers;
use crate::sys::ptrace::Resume;
use crate::sys::ptrace::Stop;
use crate::sys::seccomp;

/// A call that a thread is in.
#[derive(Debug, Default)]
pub(super) struct InCall {
    /// Its entry stop is still to come.
    expects_entry: bool,
    /// The filter's stop is still to come: its entry has stopped before.
    expects_filter: bool,
    /// It returns from a signal's handler.
    is_sigreturn: bool,
    /// The call, if anybody wants it.
    wanted: Option<(Call, Texts)>,
}

impl Tracer {
    /// A stop at a call; `None` if the thread has nothing more to tell of it.
    pub(super) fn call(&mut self, tid: i32, stop: Stop, watch: &mut dyn Watch) -> Option<Resume> {
        let registers = ptrace::registers(tid).ok()?;
        if stop == Stop::Syscall {
            if let Some(in_call) = self.in_call.get_mut(&tid) {
                if in_call.expects_entry {
                    in_call.expects_entry = false;
                    return Some(Resume::Syscall);
                }
                self.leave(tid, registers.result, watch);
                return None;
            }
            // With a filter there is no entry without a filter's stop, but for threads of which all
            // calls stop. Without one, a first stop that isn't an entry is the end of a call that
            // began before: a new child's fork.
            let is_free = self.free(tid) == Resume::Free;
            if is_free || !registers.is_entry {
                return None;
            }
        }
        if stop == Stop::Seccomp
            && let Some(in_call) = self.in_call.get_mut(&tid)
            && std::mem::take(&mut in_call.expects_filter)
        {
            return Some(Resume::Syscall);
        }
        let expects_entry = stop == Stop::Seccomp && self.entry_follows_filter;
        let expects_filter = stop == Stop::Syscall && self.has_filter && !self.entry_follows_filter;
        let call = call_of(&registers);
        if let Some(in_call) = call.and_then(|call| self.go_on(tid, &call)) {
            self.in_call.insert(tid, InCall { expects_entry, expects_filter, ..in_call });
            return Some(Resume::Syscall);
        }
        let mut wanted = None;
        if let Some(call) = call.filter(|_| self.wanted.contains(&registers)) {
            let mut texts = self.spare.pop().unwrap_or_default();
            texts.clear();
            if watch.entered(tid, &call, &mut texts) {
                wanted = Some((call, texts));
            } else {
                self.spare.push(texts);
            }
        }
        if wanted.is_none() && stop == Stop::Seccomp && self.free(tid) == Resume::Free {
            // Nothing is to be told of its exit, so there need be no stop.
            return None;
        }
        self.in_call
            .insert(tid, InCall { expects_entry, expects_filter, is_sigreturn: false, wanted });
        Some(Resume::Syscall)
    }

    /// What an entry means to a call that was interrupted: whether it goes on by this one.
    fn go_on(&mut self, tid: i32, call: &Call) -> Option<InCall> {
        let (former, _) = self.interrupted.get(&tid)?;
        let is_same = (former.abi, former.number) == (call.abi, call.number)
            && former.arguments == call.arguments;
        if is_same && let Some((_, texts)) = self.interrupted.remove(&tid) {
            // It begins anew, and is told of as any other.
            self.spare.push(texts);
            return None;
        }
        match syscall::name(call.abi, call.number)? {
            "restart_syscall" => {
                let wanted = self.interrupted.remove(&tid);
                Some(InCall { wanted, ..InCall::default() })
            }
            "rt_sigreturn" | "sigreturn" => {
                Some(InCall { is_sigreturn: true, ..InCall::default() })
            }
            _ => None,
        }
    }

    /// A call's exit.
    fn leave(&mut self, tid: i32, result: i64, watch: &mut dyn Watch) {
        let Some(InCall { is_sigreturn, wanted, .. }) = self.in_call.remove(&tid) else { return };
        if is_sigreturn && result == EINTR {
            self.end_interrupted(tid, watch);
        }
        let Some((mut call, texts)) = wanted else { return };
        if is_restart(result) {
            // An older one was left by a jump out of the handler.
            self.end_interrupted(tid, watch);
            self.interrupted.insert(tid, (call, texts));
            return;
        }
        call.result = result;
        watch.returned(tid, &call, &texts);
        self.spare.push(texts);
    }

    /// A call that a signal has interrupted doesn't go on.
    fn end_interrupted(&mut self, tid: i32, watch: &mut dyn Watch) {
        if let Some((mut call, texts)) = self.interrupted.remove(&tid) {
            call.result = EINTR;
            watch.returned(tid, &call, &texts);
            self.spare.push(texts);
        }
    }

    pub(super) fn forget(&mut self, tid: i32) {
        let in_call = self.in_call.remove(&tid).and_then(|in_call| in_call.wanted);
        let interrupted = self.interrupted.remove(&tid);
        self.spare.extend([in_call, interrupted].into_iter().flatten().map(|(_, texts)| texts));
    }
}

/// As a call's result.
const EINTR: i64 = -4;

/// Whether a result says that the kernel will enter the call again (`ERESTARTSYS` …): not an end.
const fn is_restart(result: i64) -> bool {
    result <= -512 && result >= -516
}

/// Registers as a call.
fn call_of(registers: &Registers) -> Option<Call> {
    let abi = match registers.architecture {
        seccomp::AUDIT_ARCH_X86_64 => Abi::X86_64,
        seccomp::AUDIT_ARCH_I386 => Abi::I386,
        seccomp::AUDIT_ARCH_AARCH64 => Abi::Aarch64,
        _ => return None,
    };
    let number = u32::try_from(registers.number).ok()?;
    Some(Call { abi, number, arguments: registers.arguments, result: registers.result })
}
