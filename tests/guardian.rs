//! The guardian frees who waits for an agent that doesn't answer. Needs root and fanotify for the
//! permission groups; the marks are on files of the tests' own.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use std::fs::File;
use std::os::fd::AsFd as _;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;
use std::time::Instant;

use eyas::sources::Guardian;
use eyas::sources::LossCause;
use eyas::sources::guardian::Ward;
use eyas::sys::abi;
use eyas::sys::channel;
use eyas::sys::child;
use eyas::sys::fanotify;
use eyas::sys::poll;
use nix::sys::signal::Signal;
use nix::sys::signal::kill;
use nix::unistd::Pid;
use support::Need;
use support::have;
use support::host::await_that;

const PATIENCE: Duration = Duration::from_secs(30);

/// Whether nothing waits in a socket.
fn is_empty(socket: &OwnedFd) -> bool {
    !poll::wait_readable(socket.as_fd(), Duration::ZERO).unwrap()
}

#[test]
fn a_socket_that_nobody_reads_is_drained_until_the_heart_beats_again() {
    let mut guardian = Guardian::start().unwrap();
    let (kernel, ours) = channel::pair().unwrap();
    guardian.entrust(Ward::AuditSocket, ours.as_fd(), b"").unwrap();
    channel::send(kernel.as_fd(), b"record", None).unwrap();
    await_that("the socket is drained", || is_empty(&ours));
    let mut loss = None;
    await_that("the loss is told", || {
        loss = loss.or_else(|| guardian.losses().next());
        loss.is_some()
    });
    let loss = loss.unwrap();
    assert_eq!((loss.source, loss.cause), ("audit", LossCause::StoodStill));
    assert!(loss.since_ns < loss.until_ns);

    guardian.release(Ward::AuditSocket);
    guardian.retire();
}

#[test]
fn it_outlives_what_ends_others_and_is_made_anew_when_killed() {
    let mut guardian = Guardian::start().unwrap();
    let (kernel, ours) = channel::pair().unwrap();
    guardian.entrust(Ward::AuditSocket, ours.as_fd(), b"").unwrap();
    let first = Pid::from_raw(guardian.pid());
    for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP, Signal::SIGUSR1] {
        kill(first, signal).unwrap();
    }
    channel::send(kernel.as_fd(), b"one", None).unwrap();
    await_that("it drains after the signals", || is_empty(&ours));
    assert!(!guardian.look_after().unwrap());
    kill(first, Signal::SIGKILL).unwrap();
    assert!(poll::wait_readable(guardian.fd(), PATIENCE).unwrap());
    await_that("a new one", || guardian.look_after().unwrap());
    assert_ne!(guardian.pid(), first.as_raw());
    assert_eq!(guardian.made(), 2);
    channel::send(kernel.as_fd(), b"two", None).unwrap();
    await_that("the new one drains", || is_empty(&ours));
}

#[test]
fn when_the_agent_is_killed_the_farewell_is_said() {
    let message = |body: &[u8]| {
        let len = u32::try_from(16 + body.len()).unwrap();
        let mut bytes = len.to_ne_bytes().to_vec();
        bytes.extend([0; 12]);
        bytes.extend(body);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    };
    let farewell = [message(b"first"), message(b"second!")].concat();
    let (kernel, ours) = channel::pair().unwrap();
    let agent = child::fork(|| {
        let mut guardian = Guardian::start().unwrap();
        guardian.entrust(Ward::AuditSocket, ours.as_fd(), &farewell).unwrap();
        kill(Pid::this(), Signal::SIGKILL).unwrap();
    })
    .unwrap();
    child::wait(agent);
    drop(ours);
    for expected in ["first", "second!"] {
        assert!(poll::wait_readable(kernel.as_fd(), PATIENCE).unwrap());
        let mut buffer = [0; 64];
        let (len, _) = channel::receive(kernel.as_fd(), &mut buffer).unwrap();
        assert_eq!(String::from_utf8_lossy(&buffer[16..len]), expected);
    }
    // Nobody holds the other end any more.
    await_that("it ends", || {
        channel::receive(kernel.as_fd(), &mut [0; 64]).is_ok_and(|(len, _)| len == 0)
    });
}

/// A permission group with a mark on one file.
fn group_on(path: &Path) -> OwnedFd {
    let flags = abi::FAN_CLASS_CONTENT | abi::FAN_CLOEXEC | abi::FAN_NONBLOCK;
    let group = fanotify::init(flags, libc::O_RDONLY | libc::O_CLOEXEC).unwrap();
    fanotify::mark(group.as_fd(), abi::FAN_MARK_ADD, abi::FAN_OPEN_PERM, path).unwrap();
    group
}

/// Opens a file in a thread of its own: how long that took.
fn opener(path: &Path) -> mpsc::Receiver<Duration> {
    let (sender, receiver) = mpsc::channel();
    let path = path.to_owned();
    std::thread::spawn(move || {
        let began = Instant::now();
        File::open(path).unwrap();
        let _ = sender.send(began.elapsed());
    });
    receiver
}

const PERMISSION: &[Need] = &[Need::Root, Need::Fanotify];

#[test]
fn an_opener_is_let_go_when_nobody_reads() {
    if !have("an_opener_is_let_go_when_nobody_reads", PERMISSION) {
        return;
    }
    let file = tempfile::NamedTempFile::new().unwrap();
    let mut guardian = Guardian::start().unwrap();
    let group = group_on(file.path());
    guardian.entrust(Ward::InodeGroup, group.as_fd(), b"").unwrap();
    opener(file.path()).recv_timeout(PATIENCE).expect("the opener is stuck");
    guardian.release(Ward::InodeGroup);
}

#[test]
fn an_opener_whose_event_was_read_and_never_answered_is_let_go() {
    if !have("an_opener_whose_event_was_read_and_never_answered_is_let_go", PERMISSION) {
        return;
    }
    let file = tempfile::NamedTempFile::new().unwrap();
    let mut guardian = Guardian::start().unwrap();
    let group = group_on(file.path());
    guardian.entrust(Ward::InodeGroup, group.as_fd(), b"").unwrap();
    let opened = opener(file.path());
    // Whoever is first: if the guardian has read it already, the opener is let go as well.
    let mut buffer = [0; 4096];
    let event = match poll::wait_readable(group.as_fd(), PATIENCE) {
        Ok(true) => fanotify::read(&group, &mut buffer).ok(),
        _ => None,
    };
    opened.recv_timeout(PATIENCE).expect("the opener is stuck");
    assert!(event.is_none_or(|len| len > 0));
    guardian.release(Ward::InodeGroup);
}

#[test]
fn an_opener_is_let_go_when_the_agent_dies_though_the_guardian_has_the_group() {
    let name = "an_opener_is_let_go_when_the_agent_dies_though_the_guardian_has_the_group";
    if !have(name, PERMISSION) {
        return;
    }
    let file = tempfile::NamedTempFile::new().unwrap();
    let (ready, waiting) = channel::pair().unwrap();
    let agent = child::fork(|| {
        let mut guardian = Guardian::start().unwrap();
        let group = group_on(file.path());
        guardian.entrust(Ward::InodeGroup, group.as_fd(), b"").unwrap();
        let heart = guardian.heart(Ward::InodeGroup);
        channel::send(ready.as_fd(), b"ready", None).unwrap();
        // It lives, but reads nothing.
        loop {
            heart.beat();
            std::thread::sleep(Duration::from_millis(10));
        }
    })
    .unwrap();
    assert!(poll::wait_readable(waiting.as_fd(), PATIENCE).unwrap());
    let opened = opener(file.path());
    // However it ends, this must not stay.
    let early = opened.recv_timeout(Duration::from_millis(200));
    child::kill(agent);
    early.unwrap_err();
    opened.recv_timeout(PATIENCE).expect("the opener is stuck");
    // Nobody has the group any more.
    File::open(file.path()).unwrap();
}
