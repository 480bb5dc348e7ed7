//! The thread that answers when the look takes too long, and reads when the looker doesn't. It
//! shows the guardian that the agent is at work.

use std::io;
use std::os::fd::AsFd;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::thread::JoinHandle;
use std::time::Duration;

use super::BATCH;
use super::Shared;
use super::looker::Looker;
use super::openers::done_of;
use super::openers::unseen;
use super::ring::Writer;
use crate::decode::fanotify::events;
use crate::metrics::METRICS;
use crate::procfs::standing::MAX_BYTES;
use crate::procfs::standing::Standing;
use crate::sources::guardian::Heart;
use crate::sys::abi;
use crate::sys::fanotify;
use crate::sys::fanotify::EventFd;
use crate::sys::fs;
use crate::sys::poll;
use crate::sys::poll::Alarm;
use crate::sys::poll::Bell;
use crate::sys::process;

/// How often the heart beats if nothing happens.
const BEAT: Duration = Duration::from_millis(100);

/// How often it reads in the looker's place.
const STAND_IN: Duration = Duration::from_millis(2);

struct Answerer {
    group: Arc<OwnedFd>,
    alarm: Arc<Alarm>,
    shared: Arc<Shared>,
    heart: Heart,
    /// Where it tells of opens that nobody looked at, if somebody wants to know.
    untold: Option<(Writer, Arc<Bell>)>,
    message: Vec<u8>,
}

/// Starts it in a thread that shares the calling thread's descriptors.
pub(super) fn start(looker: &mut Looker, heart: Heart) -> io::Result<JoinHandle<()>> {
    let mut answerer = Answerer {
        group: Arc::clone(&looker.group),
        alarm: Arc::clone(&looker.alarm),
        shared: Arc::clone(&looker.shared),
        heart,
        untold: looker.watching.take_untold(),
        message: Vec::with_capacity(MAX_BYTES),
    };
    let body = move || {
        let _ = process::set_nice(-20);
        answerer.run();
    };
    thread::Builder::new().name("answerer".to_owned()).spawn(body)
}

impl Answerer {
    fn run(&mut self) {
        let mut pause = BEAT;
        while !self.shared.should_end.load(Ordering::Acquire) {
            let _ = poll::wait_readable(self.alarm.as_fd(), pause);
            self.heart.beat();
            let since_ns = self.shared.since_ns.load(Ordering::Acquire);
            let age = self.shared.age();
            let is_blind = self.shared.is_blind.load(Ordering::Acquire);
            pause = if is_blind || (since_ns != 0 && age >= self.shared.deadline) {
                // Set again with the looker's next batch.
                self.shared.is_armed.store(false, Ordering::Release);
                let _ = self.alarm.set(Duration::ZERO);
                self.answer_late();
                STAND_IN
            } else if since_ns != 0 {
                let _ = self.alarm.set(self.shared.deadline.saturating_sub(age));
                BEAT
            } else {
                self.shared.is_armed.store(false, Ordering::Release);
                let _ = self.alarm.set(Duration::ZERO);
                // The looker may have begun between the two, and taken the alarm for set.
                if self.shared.since_ns.load(Ordering::Acquire) == 0 {
                    BEAT
                } else {
                    self.shared.deadline
                }
            };
        }
    }

    /// Lets those go whom the looker looks at, and those who wait behind them.
    fn answer_late(&mut self) {
        for place in 0..BATCH {
            if let Some(number) = self.shared.claim(place) {
                self.tell_untold(number);
                let _ = fanotify::allow(&*self.group, number);
            }
        }
        let mut buffer = [0; BATCH * abi::FAN_EVENT_METADATA_LEN];
        while let Ok(len) = fanotify::read(&*self.group, &mut buffer) {
            for event in events(buffer.get(..len).unwrap_or_default()).map_while(Result::ok) {
                if event.is_asked() {
                    self.tell_untold(event.fd);
                    let _ = fanotify::allow(&*self.group, event.fd);
                    METRICS.rendezvous.late.increment();
                } else {
                    let stat = fs::stat_number(event.fd).unwrap_or_default();
                    self.tell(&done_of(event, (stat.dev, stat.ino)));
                }
                drop(EventFd::adopt(event.fd));
            }
        }
    }

    /// Tells, before it goes on, that nobody has looked at an open.
    fn tell_untold(&mut self, number: i32) {
        if self.untold.is_none() {
            return;
        }
        // What can't be told is told by its absence: then it may be any file.
        let stat = fs::stat_number(number).unwrap_or_default();
        self.tell(&unseen((stat.dev, stat.ino)));
    }

    fn tell(&mut self, note: &Standing<'_>) {
        let Some((untold, bell)) = &mut self.untold else { return };
        note.write(&mut self.message);
        untold.write(&self.message);
        bell.ring();
    }
}
