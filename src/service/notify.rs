//! What systemd is told of the agent's life: ready, reloading, stopping, alive.
//!
//! Source: sd_notify(3). Without `NOTIFY_SOCKET` nobody is told.

use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::{Duration, Instant};

use crate::sys::clock;

/// The socket, if somebody listens.
#[derive(Debug, Default)]
pub struct Notifier {
    socket: Option<UnixDatagram>,
    /// How often the watchdog wants to hear of us, and when it has to next.
    watchdog: Option<(Duration, Instant)>,
}

impl Notifier {
    /// As the environment says.
    #[must_use]
    pub fn from_environment() -> Self {
        let path = std::env::var_os("NOTIFY_SOCKET");
        let bytes = path.as_ref().map(|path| path.as_bytes()).unwrap_or_default();
        let socket = address(bytes).and_then(|address| {
            let socket = UnixDatagram::unbound().ok()?;
            socket.connect_addr(&address).ok()?;
            socket.set_nonblocking(true).ok()?;
            Some(socket)
        });
        let number = |name| std::env::var(name).ok()?.parse::<u64>().ok();
        // The variable may be meant for the process that started us.
        let is_for_us =
            number("WATCHDOG_PID").is_none_or(|pid| pid == u64::from(std::process::id()));
        let interval = number("WATCHDOG_USEC").filter(|&us| us > 0 && is_for_us);
        let half = interval.map(|us| Duration::from_micros(us / 2));
        Self { socket, watchdog: half.map(|half| (half, Instant::now())) }
    }

    /// Everything is up, or up again.
    pub fn ready(&self) {
        self.send("READY=1\nSTATUS=watching");
    }

    /// Configuration and rules are being loaded again.
    pub fn reloading(&self) {
        // Since systemd 253 the time is wanted, too; older ones ignore it.
        let now_us = clock::monotonic_ns() / 1000;
        self.send(&format!("RELOADING=1\nMONOTONIC_USEC={now_us}\nSTATUS=reloading"));
    }

    /// The end has begun.
    pub fn stopping(&self) {
        self.send("STOPPING=1\nSTATUS=stopping");
    }

    /// Called often: tells the watchdog that the loop turns.
    pub fn beat(&mut self) {
        let Some((every, due)) = self.watchdog else { return };
        let now = Instant::now();
        if now >= due {
            self.watchdog = Some((every, now + every));
            self.send("WATCHDOG=1");
        }
    }

    fn send(&self, text: &str) {
        if let Some(socket) = &self.socket {
            // If nobody reads, there is nobody to tell.
            let _ = socket.send(text.as_bytes());
        }
    }
}

/// A path, or with `@` in front a name of the abstract namespace.
fn address(path: &[u8]) -> Option<SocketAddr> {
    match path {
        [] => None,
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name).ok(),
        path => SocketAddr::from_pathname(std::ffi::OsStr::from_bytes(path)).ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_listener_hears_what_happens() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("notify");
        let listener = UnixDatagram::bind(&path).unwrap();
        let socket = UnixDatagram::unbound().unwrap();
        socket.connect_addr(&address(path.as_os_str().as_bytes()).unwrap()).unwrap();
        let watchdog = Some((Duration::from_secs(3600), Instant::now()));
        let mut notifier = Notifier { socket: Some(socket), watchdog };
        notifier.ready();
        notifier.reloading();
        notifier.beat();
        notifier.beat();
        notifier.stopping();
        let mut heard = Vec::new();
        listener.set_nonblocking(true).unwrap();
        let mut text = [0; 256];
        while let Ok(len) = listener.recv(&mut text) {
            heard.push(String::from_utf8(text[..len].to_vec()).unwrap());
        }
        assert_eq!(heard.len(), 4, "{heard:?}");
        assert!(heard[0].starts_with("READY=1\n"));
        assert!(heard[1].starts_with("RELOADING=1\nMONOTONIC_USEC="));
        assert_eq!(heard[2], "WATCHDOG=1");
        assert!(heard[3].starts_with("STOPPING=1\n"));
        assert!(address(b"@name").unwrap().as_abstract_name().is_some());
    }
}
