//! Alerts to the host's syslog daemon, one message each, through its socket.
//!
//! Sources: syslog(3) of glibc (datagram first, then stream), RFC 3164 section 4, RFC 5424
//! section 6.

use std::io;
use std::io::Write as _;
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Alert, Channel, Fault};
use crate::sys::clock;
use crate::sys::process;

/// A message is cut to this if the socket takes no larger one, in bytes. rsyslog's own default.
const SAFE_LEN: usize = 8 << 10;

/// How messages are made.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Settings {
    /// The daemon's socket.
    pub socket: PathBuf,
    /// RFC 5424 instead of RFC 3164.
    pub is_rfc_5424: bool,
    /// 0 kern … 23 local7.
    pub facility: u8,
    /// The program's name in the message.
    pub tag: String,
    /// The host's name, for RFC 5424.
    pub hostname: String,
}

/// The channel.
#[derive(Debug)]
pub struct Syslog {
    settings: Settings,
    socket: Option<Socket>,
    message: Vec<u8>,
}

/// Whichever kind of socket the daemon has.
#[derive(Debug)]
enum Socket {
    Datagram(UnixDatagram),
    Stream(UnixStream),
}

impl Socket {
    fn connect(path: &Path) -> io::Result<Self> {
        let socket = UnixDatagram::unbound()?;
        match socket.connect(path) {
            Err(error) if error.raw_os_error() == Some(libc::EPROTOTYPE) => {
                Ok(Self::Stream(UnixStream::connect(path)?))
            }
            result => result.map(|()| Self::Datagram(socket)),
        }
    }

    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        match self {
            Self::Datagram(socket) => socket.send(message).map(|_| ()),
            Self::Stream(socket) => {
                // Messages of a stream end with NUL.
                let mut bytes = message.to_vec();
                bytes.push(0);
                socket.write_all(&bytes)
            }
        }
    }
}

impl Syslog {
    /// Connects to nothing yet.
    #[must_use]
    pub const fn new(settings: Settings) -> Self {
        Self { settings, socket: None, message: Vec::new() }
    }

    /// Looks whether the daemon is there.
    ///
    /// # Errors
    ///
    /// With the kernel's words; it may be there later.
    pub fn probe(&mut self) -> Result<(), String> {
        self.connected().map(|_| ()).map_err(|error| self.refusal(&error))
    }

    fn refusal(&self, error: &io::Error) -> String {
        format!("{}: the syslog daemon takes nothing: {error}", self.settings.socket.display())
    }

    fn connected(&mut self) -> io::Result<&mut Socket> {
        let socket = match self.socket.take() {
            Some(socket) => socket,
            None => Socket::connect(&self.settings.socket)?,
        };
        Ok(self.socket.insert(socket))
    }

    fn send(&mut self, alert: &Alert) -> io::Result<()> {
        let now = clock::realtime_ns();
        let mut message = std::mem::take(&mut self.message);
        message.clear();
        push(&self.settings, alert, now, &mut message);
        let result = self.send_bytes(&message);
        self.message = message;
        result
    }

    fn send_bytes(&mut self, message: &[u8]) -> io::Result<()> {
        // A daemon that was restarted has another socket under the same name.
        let was_connected = self.socket.is_some();
        match self.connected()?.send(message) {
            Err(error) if error.raw_os_error() == Some(libc::EMSGSIZE) => {
                let cut = message.get(..SAFE_LEN).unwrap_or(message);
                self.connected()?.send(cut)
            }
            Err(error) if was_connected && error.kind() != io::ErrorKind::Interrupted => {
                self.socket = None;
                self.connected()?.send(message)
            }
            result => result,
        }
    }
}

/// Appends the message, without an end.
fn push(settings: &Settings, alert: &Alert, now_ns: u64, out: &mut Vec<u8>) {
    let Settings { tag, hostname, .. } = settings;
    let priority = u32::from(settings.facility) * 8 + u32::from(alert.priority.min(7));
    let seconds = i64::try_from(now_ns / 1_000_000_000).unwrap_or(0);
    let head = if settings.is_rfc_5424 {
        let at = clock::utc_time(seconds).unwrap_or(EPOCH);
        let micros = now_ns % 1_000_000_000 / 1000;
        let host = if hostname.is_empty() { "-" } else { hostname };
        format!(
            "<{priority}>1 {:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{micros:06}Z {host} {tag} {} - - ",
            at.year,
            at.month,
            at.day,
            at.hour,
            at.minute,
            at.second,
            process::own_pid()
        )
    } else {
        let at = clock::local_time(seconds).unwrap_or(EPOCH);
        let month = MONTHS.get(usize::from(at.month) - 1).unwrap_or(&"Jan");
        format!(
            "<{priority}>{month} {:2} {:02}:{:02}:{:02} {tag}: ",
            at.day, at.hour, at.minute, at.second
        )
    };
    out.extend_from_slice(head.as_bytes());
    // A NUL would end the message before its end.
    out.extend(alert.text.iter().map(|&byte| if byte == 0 { b' ' } else { byte }));
}

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

const EPOCH: clock::CivilTime = clock::CivilTime {
    year: 1970,
    month: 1,
    day: 1,
    hour: 0,
    minute: 0,
    second: 0,
    offset_seconds: 0,
};

impl Channel for Syslog {
    fn write(&mut self, alerts: &[Arc<Alert>]) -> Result<(), (usize, Fault)> {
        for (done, alert) in alerts.iter().enumerate() {
            if let Err(error) = self.send(alert) {
                self.socket = None;
                return Err((done, Fault::Again(self.refusal(&error))));
            }
        }
        Ok(())
    }

    fn reopen(&mut self) {
        self.socket = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(dir: &Path) -> Settings {
        Settings {
            socket: dir.join("log"),
            is_rfc_5424: false,
            facility: 1,
            tag: "falco".to_owned(),
            hostname: "host".to_owned(),
        }
    }

    fn alert(text: &[u8], priority: u8) -> Arc<Alert> {
        Arc::new(Alert { text: text.into(), priority })
    }

    fn made(settings: &Settings, alert: &Alert) -> String {
        let mut out = Vec::new();
        push(settings, alert, 1_700_000_000_004_355_174, &mut out);
        String::from_utf8(out).unwrap()
    }

    /// Falco calls syslog(3) without openlog(3): no number of the process after the name. The
    /// crate `syslog` always writes one.
    #[test]
    fn a_message_looks_as_falcos_does() {
        let made = made(&settings(Path::new("/")), &alert(b"a\0b", 4));
        // The host's time zone decides on the middle.
        assert!(made.starts_with("<12>Nov 1"), "{made}");
        assert!(made.ends_with(" falco: a b"), "{made}");
        assert_eq!(made.len(), "<12>Nov 14 22:13:20 falco: a b".len());
    }

    #[test]
    fn a_message_of_rfc_5424_has_its_seven_parts() {
        let settings = Settings { is_rfc_5424: true, facility: 16, ..settings(Path::new("/")) };
        assert_eq!(
            made(&settings, &alert(b"text", 2)),
            format!(
                "<130>1 2023-11-14T22:13:20.004355Z host falco {} - - text",
                process::own_pid()
            )
        );
    }

    #[test]
    fn a_daemon_that_was_restarted_is_found_again_without_a_loss() {
        let dir = tempfile::tempdir().unwrap();
        let mut channel = Syslog::new(settings(dir.path()));
        assert!(matches!(channel.write(&[alert(b"x", 4)]), Err((0, Fault::Again(_)))));
        let mut texts = Vec::new();
        for round in 0..2 {
            let daemon = UnixDatagram::bind(dir.path().join("log")).unwrap();
            channel.write(&[alert(format!("{round}a").as_bytes(), 4)]).unwrap();
            channel.write(&[alert(format!("{round}b").as_bytes(), 4)]).unwrap();
            for _ in 0..2 {
                let mut buffer = [0; 100];
                let len = daemon.recv(&mut buffer).unwrap();
                texts.push(String::from_utf8_lossy(&buffer[len - 2..len]).into_owned());
            }
            drop(daemon);
            std::fs::remove_file(dir.path().join("log")).unwrap();
        }
        assert_eq!(texts, ["0a", "0b", "1a", "1b"]);
    }

    #[test]
    fn a_daemon_with_a_stream_socket_gets_messages_ended_by_nul() {
        use std::io::Read as _;
        let dir = tempfile::tempdir().unwrap();
        let daemon = std::os::unix::net::UnixListener::bind(dir.path().join("log")).unwrap();
        let mut channel = Syslog::new(settings(dir.path()));
        channel.write(&[alert(b"one", 4), alert(b"two", 4)]).unwrap();
        let (mut stream, _) = daemon.accept().unwrap();
        drop(channel);
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).unwrap();
        assert!(bytes.ends_with(b" falco: two\0"));
        assert_eq!(bytes.iter().filter(|&&byte| byte == 0).count(), 2);
    }

    #[test]
    fn an_alert_that_no_datagram_holds_is_cut() {
        let dir = tempfile::tempdir().unwrap();
        let daemon = UnixDatagram::bind(dir.path().join("log")).unwrap();
        let mut channel = Syslog::new(settings(dir.path()));
        channel.write(&[alert(&vec![b'x'; 4 << 20], 4)]).unwrap();
        let mut buffer = vec![0; 10 << 10];
        assert_eq!(daemon.recv(&mut buffer).unwrap(), SAFE_LEN);
    }
}
