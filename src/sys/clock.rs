//! Clocks, and local time for the text form of alerts.
//!
//! Sources: clock_gettime(2), localtime_r(3).

use std::mem::MaybeUninit;

/// Nanoseconds since the epoch (`CLOCK_REALTIME`).
#[must_use]
pub fn realtime_ns() -> u64 {
    read(libc::CLOCK_REALTIME)
}

/// Nanoseconds since boot without the time spent suspended (`CLOCK_MONOTONIC`).
#[must_use]
pub fn monotonic_ns() -> u64 {
    read(libc::CLOCK_MONOTONIC)
}

/// Nanoseconds since boot with the time spent suspended (`CLOCK_BOOTTIME`, 2.6.39).
#[must_use]
pub fn boottime_ns() -> u64 {
    read(libc::CLOCK_BOOTTIME)
}

/// The moment of `CLOCK_REALTIME` at which `CLOCK_MONOTONIC` was zero, as it is now.
#[must_use]
pub fn monotonic_origin_ns() -> u64 {
    realtime_ns().saturating_sub(monotonic_ns())
}

/// Nanoseconds of a clock; zero if this kernel lacks it.
fn read(clock: libc::clockid_t) -> u64 {
    let mut time = MaybeUninit::<libc::timespec>::zeroed();
    // SAFETY: clock_gettime(2) writes one timespec, for which `time` has room.
    let returned = unsafe { libc::clock_gettime(clock, time.as_mut_ptr()) };
    if returned != 0 {
        return 0;
    }
    // SAFETY: all-zero bytes are a valid timespec, and the call has filled it.
    let time = unsafe { time.assume_init() };
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let nanoseconds = u64::try_from(time.tv_nsec).unwrap_or(0);
    seconds.saturating_mul(1_000_000_000).saturating_add(nanoseconds)
}

/// A moment as people of a time zone read it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct CivilTime {
    /// Year of our era.
    pub year: i32,
    /// 1 to 12.
    pub month: u8,
    /// 1 to 31.
    pub day: u8,
    /// 0 to 23.
    pub hour: u8,
    /// 0 to 59.
    pub minute: u8,
    /// 0 to 60.
    pub second: u8,
    /// East of Greenwich.
    pub offset_seconds: i64,
}

/// `seconds` since the epoch in the time zone of the host (`TZ`, else /etc/localtime).
///
/// `None` if the year does not fit.
#[must_use]
pub fn local_time(seconds: i64) -> Option<CivilTime> {
    let mut broken_down = MaybeUninit::<libc::tm>::zeroed();
    // SAFETY: localtime_r(3) reads one time_t and writes one tm; both are ours for the call.
    let returned = unsafe { libc::localtime_r(&raw const seconds, broken_down.as_mut_ptr()) };
    if returned.is_null() {
        return None;
    }
    // SAFETY: all-zero bytes are a valid tm (its pointer may be null), and the call has filled it.
    civil(&unsafe { broken_down.assume_init() })
}

/// `seconds` since the epoch in UTC; `None` if the year does not fit.
#[must_use]
pub fn utc_time(seconds: i64) -> Option<CivilTime> {
    let mut broken_down = MaybeUninit::<libc::tm>::zeroed();
    // SAFETY: gmtime_r(3) reads one time_t and writes one tm; both are ours for the call.
    let returned = unsafe { libc::gmtime_r(&raw const seconds, broken_down.as_mut_ptr()) };
    if returned.is_null() {
        return None;
    }
    // SAFETY: all-zero bytes are a valid tm (its pointer may be null), and the call has filled it.
    civil(&unsafe { broken_down.assume_init() })
}

/// Reads the time zone again: localtime_r(3) need not do that by itself.
pub fn read_time_zone() {
    unsafe extern "C" {
        fn tzset();
    }
    // SAFETY: tzset(3) takes nothing; glibc guards its own tables with a lock.
    unsafe { tzset() }
}

fn civil(tm: &libc::tm) -> Option<CivilTime> {
    Some(CivilTime {
        year: tm.tm_year.checked_add(1900)?,
        month: u8::try_from(tm.tm_mon).ok()?.checked_add(1)?,
        day: u8::try_from(tm.tm_mday).ok()?,
        hour: u8::try_from(tm.tm_hour).ok()?,
        minute: u8::try_from(tm.tm_min).ok()?,
        second: u8::try_from(tm.tm_sec).ok()?,
        offset_seconds: tm.tm_gmtoff,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn monotonic_time_converts_to_the_wall_time_of_the_same_moment() {
        let before = realtime_ns();
        let converted = monotonic_origin_ns() + monotonic_ns();
        let after = realtime_ns();
        let slack = 5_000_000_000;
        assert!(converted + slack > before && converted < after + slack);
    }

    #[test]
    fn a_known_moment_in_utc() {
        let time = utc_time(1_700_000_000).unwrap();
        assert_eq!((time.year, time.month, time.day), (2023, 11, 14));
        assert_eq!((time.hour, time.minute, time.second), (22, 13, 20));
        assert_eq!(time.offset_seconds, 0);
    }

    #[test]
    fn local_time_is_utc_moved_by_its_offset() {
        let local = local_time(1_700_000_000).unwrap();
        let moved = utc_time(1_700_000_000 + local.offset_seconds).unwrap();
        assert_eq!((local.day, local.hour, local.minute), (moved.day, moved.hour, moved.minute));
    }

    #[test]
    fn a_moment_beyond_all_years_is_none() {
        assert_eq!(utc_time(i64::MAX), None);
        assert_eq!(local_time(i64::MIN), None);
    }
}
