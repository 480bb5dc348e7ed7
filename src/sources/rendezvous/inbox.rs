//! Opens that were looked at, seen from the agent's loop: each is handed on when it has succeeded.
//!
//! What was seen and what has succeeded come by two rings, from the looker and from the answerer that
//! stands in for it; both put their moments to what they tell, and the moments of one task are in the
//! order in which the kernel told of them.

use std::collections::VecDeque;
use std::ops::Range;
use std::os::fd::AsFd;
use std::os::fd::BorrowedFd;

use super::ring::Reader;
use crate::metrics::METRICS;
use crate::procfs::standing::MAX_BYTES;
use crate::procfs::standing::Stage;
use crate::procfs::standing::Standing;
use crate::sys::poll::Bell;

/// How long an open is waited for that was looked at, in nanoseconds: then it has failed, or nobody
/// knows.
const PATIENCE_NS: u64 = 2_000_000_000;

/// Opens that are waited for; when there are more, the oldest count as failed.
const MAX_PENDING: usize = 8192;

/// Where opens come from that were looked at.
#[derive(Debug)]
pub struct OpenInbox {
    looks: Reader,
    untold: Reader,
    bell: Bell,
    /// The kernel names threads, each of which stands in one open at a time.
    has_tid: bool,
    buffer: Vec<u8>,
    fresh: Vec<u8>,
    order: Vec<(u64, Range<usize>)>,
    pending: VecDeque<Pending>,
}

/// An open that was looked at, and has neither succeeded nor failed.
#[derive(Debug)]
struct Pending {
    opener: i32,
    file: (u64, u64),
    pid: i32,
    at_ns: u64,
    message: Box<[u8]>,
}

/// What is handed on.
#[derive(Debug)]
pub enum News<'a> {
    /// Somebody stands in an open: it was looked at.
    Seen(&'a Standing<'a>),
    /// An open was let go that nobody has looked at.
    Unseen(&'a Standing<'a>),
    /// One that was seen has succeeded.
    Opened(&'a Standing<'a>),
    /// One that was seen has not succeeded, as far as is known: if the agent stood still, its
    /// guardian may have read that it has.
    Failed(&'a Standing<'a>),
}

impl OpenInbox {
    pub(super) fn new((looks, untold): (Reader, Reader), bell: Bell, has_tid: bool) -> Self {
        Self {
            looks,
            untold,
            bell,
            has_tid,
            buffer: Vec::with_capacity(MAX_BYTES),
            fresh: Vec::new(),
            order: Vec::new(),
            pending: VecDeque::new(),
        }
    }

    /// Becomes readable when something has come.
    #[must_use]
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.bell.as_fd()
    }

    /// Whether an open of a process is waited for that was looked at before `at_ns`, in nanoseconds
    /// since boot.
    #[must_use]
    pub fn awaits(&self, pid: i32, at_ns: u64) -> bool {
        self.pending.iter().any(|pending| pending.pid == pid && pending.at_ns < at_ns)
    }

    /// Hands on what has come. `now_ns`: nanoseconds since boot.
    pub fn take_all(&mut self, now_ns: u64, sink: &mut dyn FnMut(News<'_>)) {
        self.bell.hear();
        self.read_all();
        let fresh = std::mem::take(&mut self.fresh);
        let mut order = std::mem::take(&mut self.order);
        for (_, range) in order.drain(..) {
            let message = fresh.get(range).unwrap_or_default();
            let Some(look) = Standing::parse(message) else { continue };
            match look.stage {
                Stage::Unseen => sink(News::Unseen(&look)),
                Stage::Standing => {
                    sink(News::Seen(&look));
                    self.expect(&look, message, sink);
                }
                Stage::Done => {
                    if let Some(pending) = self.take_pending(&look)
                        && let Some(seen) = Standing::parse(&pending.message)
                    {
                        sink(News::Opened(&seen));
                    }
                }
            }
        }
        self.fresh = fresh;
        self.order = order;
        for ring in [&self.looks, &self.untold] {
            if ring.take_torn() {
                // Nobody knows of which file.
                sink(News::Unseen(&Standing::default()));
            }
        }
        self.expire(now_ns, sink);
    }

    /// Reads both rings, into one order.
    fn read_all(&mut self) {
        self.fresh.clear();
        self.order.clear();
        // What has succeeded has been seen before: so what is seen is read last.
        for ring in [&mut self.untold, &mut self.looks] {
            while ring.read(&mut self.buffer) {
                let at_ns = Standing::parse(&self.buffer).map_or(0, |look| look.at_ns);
                let start = self.fresh.len();
                self.fresh.extend_from_slice(&self.buffer);
                self.order.push((at_ns, start..self.fresh.len()));
            }
        }
        self.order.sort_by_key(|(at_ns, _)| *at_ns);
    }

    fn expect(&mut self, look: &Standing<'_>, message: &[u8], sink: &mut dyn FnMut(News<'_>)) {
        if self.has_tid {
            // It stands in another open now.
            let is_before = |pending: &Pending| pending.opener == look.opener;
            if let Some(place) = self.pending.iter().position(is_before) {
                fail(self.pending.remove(place), sink);
            }
        }
        if self.pending.len() >= MAX_PENDING {
            fail(self.pending.pop_front(), sink);
        }
        self.pending.push_back(Pending {
            opener: look.opener,
            file: (look.dev, look.ino),
            pid: look.pid,
            at_ns: look.at_ns,
            message: message.into(),
        });
    }

    fn take_pending(&mut self, done: &Standing<'_>) -> Option<Pending> {
        let file = (done.dev, done.ino);
        let is_it = |pending: &Pending| pending.opener == done.opener && pending.file == file;
        self.pending.remove(self.pending.iter().position(is_it)?)
    }

    fn expire(&mut self, now_ns: u64, sink: &mut dyn FnMut(News<'_>)) {
        let oldest_ns = now_ns.saturating_sub(PATIENCE_NS);
        while self.pending.front().is_some_and(|pending| pending.at_ns < oldest_ns) {
            fail(self.pending.pop_front(), sink);
        }
    }
}

fn fail(pending: Option<Pending>, sink: &mut dyn FnMut(News<'_>)) {
    METRICS.rendezvous.failed.increment();
    if let Some(look) = pending.as_ref().and_then(|pending| Standing::parse(&pending.message)) {
        sink(News::Failed(&look));
    }
}

#[cfg(test)]
mod tests {
    use super::super::ring::Writer;
    use super::super::ring::ring;
    use super::*;
    use crate::decode::syscall::Abi;
    use crate::decode::syscall::Call;

    fn inbox(has_tid: bool) -> (Writer, Writer, OpenInbox) {
        let (looker, looks) = ring(64 << 10);
        let (answerer, untold) = ring(64 << 10);
        let inbox = OpenInbox::new((looks, untold), Bell::new().unwrap(), has_tid);
        (looker, answerer, inbox)
    }

    fn tell(writer: &mut Writer, stage: Stage, opener: i32, ino: u64, at_ns: u64) {
        let call = Call { abi: Abi::X86_64, number: 2, arguments: [at_ns; 6], result: 0 };
        let call = (stage == Stage::Standing).then_some(call);
        let mut message = Vec::new();
        Standing { stage, opener, pid: 7, ino, at_ns, call, ..Standing::default() }
            .write(&mut message);
        assert!(writer.write(&message));
    }

    fn opened(inbox: &mut OpenInbox, now_ns: u64) -> Vec<u64> {
        let mut opened = Vec::new();
        inbox.take_all(now_ns, &mut |news| {
            if let News::Opened(look) = news {
                opened.push(look.at_ns);
            }
        });
        opened
    }

    #[test]
    fn an_open_that_has_failed_is_never_told_though_the_next_one_of_the_thread_is() {
        let (mut looker, _answerer, mut inbox) = inbox(true);
        tell(&mut looker, Stage::Standing, 8, 1, 10);
        tell(&mut looker, Stage::Standing, 8, 1, 20);
        tell(&mut looker, Stage::Done, 8, 1, 21);
        assert_eq!(opened(&mut inbox, 30), [20]);
        // Another file, of which nobody has seen the open.
        tell(&mut looker, Stage::Standing, 8, 1, 40);
        tell(&mut looker, Stage::Done, 8, 2, 50);
        assert!(opened(&mut inbox, 60).is_empty() && inbox.awaits(7, 60) && !inbox.awaits(7, 40));
        assert!(opened(&mut inbox, 41 + PATIENCE_NS).is_empty() && !inbox.awaits(7, u64::MAX));
    }

    #[test]
    fn what_the_answerer_tells_is_put_in_order_with_what_the_looker_tells() {
        let (mut looker, mut answerer, mut inbox) = inbox(true);
        tell(&mut looker, Stage::Standing, 8, 1, 10);
        tell(&mut answerer, Stage::Done, 8, 1, 15);
        tell(&mut looker, Stage::Standing, 8, 1, 20);
        assert_eq!(opened(&mut inbox, 30), [10]);
        tell(&mut looker, Stage::Done, 8, 1, 25);
        assert_eq!(opened(&mut inbox, 30), [20]);
    }

    #[test]
    fn where_processes_are_named_each_end_belongs_to_the_first_open_of_that_file() {
        let (mut looker, _answerer, mut inbox) = inbox(false);
        for (ino, at_ns) in [(1, 10), (2, 11), (1, 12)] {
            tell(&mut looker, Stage::Standing, 7, ino, at_ns);
        }
        for ino in [2, 1, 1] {
            tell(&mut looker, Stage::Done, 7, ino, 20);
        }
        assert_eq!(opened(&mut inbox, 30), [11, 10, 12]);
    }

    #[test]
    fn what_found_no_room_counts_as_unseen() {
        let (mut looker, _answerer, mut inbox) = inbox(true);
        assert!(!looker.write(&[0; 128 << 10]));
        let mut unseen = 0;
        inbox.take_all(0, &mut |news| unseen += u32::from(matches!(news, News::Unseen(_))));
        assert_eq!(unseen, 1);
    }
}
