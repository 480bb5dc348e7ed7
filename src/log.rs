//! What the agent says about itself: to stderr and to syslog, in Falco's form.
//!
//! [`log!`](macro@crate::log) writes a line at once. What an attacker can provoke at will goes through
//! [`log_limited!`](crate::log_limited): one line in ten seconds for each place in the code, with
//! the number of those left out. Alerts are not logged here; they go to [`outputs`](crate::outputs).

use std::fmt;
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::net::UnixDatagram;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// How bad a line is; syslog's numbers.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
#[allow(missing_docs, reason = "syslog's names")]
pub enum Level {
    Emergency,
    Alert,
    Critical,
    Error,
    Warning,
    Notice,
    Info,
    Debug,
}

/// Where lines go and which.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// The least bad level that is written: 0 emergency … 7 debug.
    pub level: u8,
    /// Lines go to stderr.
    pub to_stderr: bool,
    /// Lines go to /dev/log.
    pub to_syslog: bool,
    /// Times are ISO 8601 in UTC.
    pub time_iso_8601: bool,
    /// Seconds east of UTC at a moment given in seconds since the epoch.
    pub offset_at: fn(i64) -> i32,
}

static LEVEL: AtomicU8 = AtomicU8::new(Level::Info as u8);
static SETTINGS: Mutex<Option<Settings>> = Mutex::new(None);
static LEFT_OUT: AtomicU64 = AtomicU64::new(0);
static SYSLOG: Mutex<Option<UnixDatagram>> = Mutex::new(None);

/// LOG_DAEMON of syslog(3), as the upper bits of a priority.
const FACILITY_DAEMON: u8 = 3 << 3;

/// Sets where lines go. Before the first call they go to stderr from info upwards.
pub fn set_up(settings: Settings) {
    LEVEL.store(settings.level, Relaxed);
    if settings.to_syslog {
        // Here, since not every thread can make sockets.
        let mut socket = SYSLOG.lock().unwrap_or_else(PoisonError::into_inner);
        if socket.is_none() {
            *socket = connect_to_syslog();
        }
    }
    *SETTINGS.lock().unwrap_or_else(PoisonError::into_inner) = Some(settings);
}

/// Whether lines of that level are written.
#[must_use]
pub fn is_enabled(level: Level) -> bool {
    level as u8 <= LEVEL.load(Relaxed)
}

/// How many lines [`log_limited!`](crate::log_limited) left out since the start.
#[must_use]
pub fn left_out() -> u64 {
    LEFT_OUT.load(Relaxed)
}

/// Writes one line; use [`log!`](macro@crate::log).
pub fn write(level: Level, line: fmt::Arguments<'_>) {
    if !is_enabled(level) {
        return;
    }
    let settings = *SETTINGS.lock().unwrap_or_else(PoisonError::into_inner);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let now = i64::try_from(now).unwrap_or(i64::MAX);
    let (to_stderr, to_syslog, is_iso, offset) = settings.map_or((true, false, false, 0), |s| {
        (s.to_stderr, s.to_syslog, s.time_iso_8601, (s.offset_at)(now))
    });
    if to_stderr {
        let date = if is_iso { iso_8601(now) } else { date(now + i64::from(offset)) };
        let mut text = format!("{date}: {line}\n");
        if is_journal() {
            // sd-daemon(3): the journal takes the level from here, of each line.
            text = text.lines().map(|line| format!("<{}>{line}\n", level as u8)).collect();
        }
        // Nobody is left to be told if stderr is gone.
        let _ = std::io::stderr().lock().write_all(text.as_bytes());
    }
    if to_syslog {
        let text = format!(
            "<{}>{} eyas: {line}",
            FACILITY_DAEMON | level as u8,
            syslog_date(now + i64::from(offset))
        );
        send_to_syslog(text.as_bytes());
    }
}

/// Sends a message to /dev/log; what can't be sent is given up, for a full or dead syslog must not
/// hold the agent up. A syslog that was started again is found again.
fn send_to_syslog(text: &[u8]) {
    let mut socket = SYSLOG.lock().unwrap_or_else(PoisonError::into_inner);
    for _ in 0..2 {
        if socket.is_none() {
            *socket = connect_to_syslog();
        }
        match socket.as_ref().map(|socket| socket.send(text)) {
            Some(Err(error)) if error.kind() != ErrorKind::WouldBlock => *socket = None,
            _ => return,
        }
    }
}

fn connect_to_syslog() -> Option<UnixDatagram> {
    let socket = UnixDatagram::unbound().ok()?;
    socket.connect("/dev/log").ok()?;
    socket.set_nonblocking(true).ok()?;
    Some(socket)
}

/// Whether stderr leads to systemd's journal: `JOURNAL_STREAM` names its device and inode.
fn is_journal() -> bool {
    static IS_JOURNAL: OnceLock<bool> = OnceLock::new();
    *IS_JOURNAL.get_or_init(|| {
        let Ok(named) = std::env::var("JOURNAL_STREAM") else { return false };
        let Ok(stderr) = std::fs::metadata("/proc/self/fd/2") else { return false };
        named == format!("{}:{}", stderr.dev(), stderr.ino())
    })
}

/// Writes a line to the log: `log!(Level::Info, "text {}", value)`.
#[macro_export]
macro_rules! log {
    ($level:expr, $($text:tt)+) => {
        $crate::log::write($level, ::core::format_args!($($text)+))
    };
}

/// Writes a line to the log unless this place did so less than ten seconds ago.
#[macro_export]
macro_rules! log_limited {
    ($level:expr, $($text:tt)+) => {{
        static LIMIT: $crate::log::Limit = $crate::log::Limit::new();
        if $crate::log::is_enabled($level) {
            if let Some(left_out) = LIMIT.pass() {
                if left_out == 0 {
                    $crate::log::write($level, ::core::format_args!($($text)+));
                } else {
                    $crate::log::write($level, ::core::format_args!(
                        "{} ({left_out} such messages were left out)",
                        ::core::format_args!($($text)+)
                    ));
                }
            }
        }
    }};
}

/// Lets one line in [`Limit::PERIOD`] pass.
#[derive(Debug)]
pub struct Limit {
    last_ms: AtomicU64,
    left_out: AtomicU64,
    is_used: AtomicBool,
}

impl Limit {
    /// The time between two lines.
    pub const PERIOD: Duration = Duration::from_secs(10);

    /// Nothing has passed.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "made in statics only")]
    pub const fn new() -> Self {
        Self {
            last_ms: AtomicU64::new(0),
            left_out: AtomicU64::new(0),
            is_used: AtomicBool::new(false),
        }
    }

    /// The number of lines that were left out since the last one, if one may pass now.
    pub fn pass(&self) -> Option<u64> {
        static START: OnceLock<Instant> = OnceLock::new();
        let now = START.get_or_init(Instant::now).elapsed().as_millis();
        self.pass_at(u64::try_from(now).unwrap_or(u64::MAX))
    }

    fn pass_at(&self, now_ms: u64) -> Option<u64> {
        let period = u64::try_from(Self::PERIOD.as_millis()).unwrap_or(u64::MAX);
        let is_first = !self.is_used.swap(true, Relaxed);
        if !is_first && now_ms.saturating_sub(self.last_ms.load(Relaxed)) < period {
            self.left_out.fetch_add(1, Relaxed);
            LEFT_OUT.fetch_add(1, Relaxed);
            return None;
        }
        self.last_ms.store(now_ms, Relaxed);
        Some(self.left_out.swap(0, Relaxed))
    }
}

/// A moment taken apart.
struct Civil {
    year: i64,
    month: usize,
    day: i64,
    weekday: usize,
    seconds: i64,
}

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// The epoch was a Thursday.
const WEEKDAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];

/// The Gregorian calendar, with the year beginning in March: then only its last day moves.
fn civil(seconds: i64) -> Civil {
    let days = seconds.div_euclid(86_400);
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    Civil {
        year: era * 400 + year_of_era + i64::from(month <= 2),
        month: usize::try_from(month).unwrap_or(1),
        day: day_of_year - (153 * march_month + 2) / 5 + 1,
        weekday: usize::try_from(days.rem_euclid(7)).unwrap_or(0),
        seconds: seconds.rem_euclid(86_400),
    }
}

fn clock(seconds: i64) -> String {
    format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

/// `Tue Nov 24 04:32:10 2026`
fn date(seconds: i64) -> String {
    let at = civil(seconds);
    let weekday = WEEKDAYS.get(at.weekday).unwrap_or(&"");
    let month = MONTHS.get(at.month - 1).unwrap_or(&"");
    format!("{weekday} {month} {:02} {} {}", at.day, clock(at.seconds), at.year)
}

/// `Nov 24 04:32:10`, RFC 3164's form.
fn syslog_date(seconds: i64) -> String {
    let at = civil(seconds);
    let month = MONTHS.get(at.month - 1).unwrap_or(&"");
    format!("{month} {:2} {}", at.day, clock(at.seconds))
}

/// `2026-11-24T04:32:10+0000`
fn iso_8601(seconds: i64) -> String {
    let at = civil(seconds);
    format!("{:04}-{:02}-{:02}T{}+0000", at.year, at.month, at.day, clock(at.seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_falcos() {
        assert_eq!(date(1_795_494_730), "Tue Nov 24 04:32:10 2026");
        assert_eq!(date(951_782_400), "Tue Feb 29 00:00:00 2000");
        assert_eq!(date(0), "Thu Jan 01 00:00:00 1970");
        assert_eq!(iso_8601(1_795_494_730), "2026-11-24T04:32:10+0000");
        assert_eq!(syslog_date(1_793_506_330), "Nov  1 04:12:10");
    }

    #[test]
    fn a_flood_of_lines_becomes_one_and_a_count() {
        let limit = Limit::new();
        assert_eq!(limit.pass_at(5), Some(0));
        assert_eq!(limit.pass_at(6), None);
        assert_eq!(limit.pass_at(9_999), None);
        assert_eq!(limit.pass_at(10_006), Some(2));
        assert_eq!(limit.pass_at(10_007), None);
    }
}
