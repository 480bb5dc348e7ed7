//! The other half of the plugin's seat: what auditd's dispatcher writes to our standard input goes
//! on to the agent's socket.
//!
//! The dispatcher has a short queue, and what it does when that is full may stop the host. So we
//! wait for the agent for a moment only, and count what it didn't take; without an agent lines are
//! dropped.
//!
//! Source: auditd-plugins(5), audispd.conf(5).

use std::io;
use std::io::Read;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::time::Duration;

use super::seat::PLUGIN_LOST;

/// How long the agent may take to make room.
const PATIENCE: Duration = Duration::from_millis(200);

/// What is sent at once, at most: smaller than what a socket takes with the default limits.
const MESSAGE: usize = 64 << 10;

/// Longer lines are cut: `MAX_AUDIT_MESSAGE_LENGTH` and auditd's own part.
const LONGEST_LINE: usize = 32 << 10;

/// Passes lines on from `input` to the socket at `path` until the input ends.
///
/// # Errors
///
/// Those of reading, and of making a socket. An agent that isn't there is none.
pub fn forward(input: &mut dyn Read, path: &Path) -> io::Result<()> {
    let socket = UnixDatagram::unbound()?;
    socket.set_write_timeout(Some(PATIENCE))?;
    let mut buffer = vec![0; MESSAGE];
    let mut kept = 0;
    let mut lost: u64 = 0;
    loop {
        let room = buffer.get_mut(kept..).unwrap_or_default();
        let read = match input.read(room) {
            Ok(0) => return Ok(()),
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        let filled = kept + read;
        let text = buffer.get(..filled).unwrap_or_default();
        // Whole lines; what is longer than any line is passed on as it is.
        let end = match memchr::memrchr(b'\n', text) {
            Some(last) => last + 1,
            None if filled >= LONGEST_LINE => filled,
            None => 0,
        };
        if end > 0 {
            let lines = text.get(..end).unwrap_or_default();
            lost = send(&socket, path, lines, lost);
        }
        buffer.copy_within(end..filled, 0);
        kept = filled - end;
    }
}

/// Sends lines, with the number of those that were lost before in front; how many are lost now.
fn send(socket: &UnixDatagram, path: &Path, lines: &[u8], lost: u64) -> u64 {
    let count = |lines: &[u8]| {
        u64::try_from(lines.iter().filter(|&&byte| byte == b'\n').count()).unwrap_or(0)
    };
    let sent = if lost == 0 {
        socket.send_to(lines, path)
    } else {
        let mut message = PLUGIN_LOST.to_vec();
        message.extend(format!("{lost}\n").as_bytes());
        message.extend(lines);
        socket.send_to(&message, path)
    };
    match sent {
        Ok(_) => 0,
        // Nobody is there: nothing is lost by that.
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused
            ) =>
        {
            0
        }
        Err(_) => lost.saturating_add(count(lines).max(1)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives pieces one by one, as a pipe does.
    struct Pieces(Vec<Vec<u8>>);

    impl Read for Pieces {
        fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
            if self.0.is_empty() {
                return Ok(0);
            }
            let piece = self.0.remove(0);
            room[..piece.len()].copy_from_slice(&piece);
            Ok(piece.len())
        }
    }

    fn received(socket: &UnixDatagram) -> String {
        let mut buffer = vec![0; MESSAGE];
        let len = socket.recv(&mut buffer).unwrap();
        String::from_utf8(buffer[..len].to_vec()).unwrap()
    }

    #[test]
    fn lines_are_passed_on_whole_however_they_come() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("sock");
        let agent = UnixDatagram::bind(&path).unwrap();
        let pieces = [&b"type=A x\ntype="[..], b"B y", b"\ntype=C"];
        forward(&mut Pieces(pieces.map(<[u8]>::to_vec).to_vec()), &path).unwrap();
        assert_eq!(received(&agent), "type=A x\n");
        assert_eq!(received(&agent), "type=B y\n");
    }

    #[test]
    fn without_an_agent_lines_are_dropped_and_the_input_is_read_to_its_end() {
        let missing = Path::new("/nowhere/at/all");
        forward(&mut Pieces(vec![b"type=A\n".to_vec(); 3]), missing).unwrap();
    }

    #[test]
    fn what_a_slow_agent_did_not_take_is_told_with_the_next_lines() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("sock");
        let agent = UnixDatagram::bind(&path).unwrap();
        let socket = UnixDatagram::unbound().unwrap();
        assert_eq!(send(&socket, &path, b"type=A\n", 7), 0);
        assert_eq!(received(&agent), "eyas-lost 7\ntype=A\n");
    }
}
