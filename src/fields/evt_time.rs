//! The times of an event, as `evt.time` and its like show them.

use super::Arg;
use super::text::{Civil, Text};
use crate::event::{Event, Value};

/// Nanoseconds of a second.
pub const SECOND: u64 = 1_000_000_000;

/// How a time is written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Form {
    /// `HH:MM:SS.nnnnnnnnn`, local.
    Time,
    /// `HH:MM:SS`, local.
    TimeSeconds,
    /// `YYYY-MM-DDTHH:MM:SS.nnnnnnnnn+0000`, UTC.
    Iso8601,
    /// `YYYY-MM-DD HH:MM:SS.nnnnnnnnn`, local.
    DateTime,
    /// `YYYY-MM-DD HH:MM:SS`, local.
    DateTimeSeconds,
}

/// The event's time in a form.
#[must_use]
pub fn shown<'a>(event: &Event<'a>, form: Form) -> Value<'a> {
    let mut text = Text::with_capacity(40, event.arena);
    let civil = match form {
        Form::Iso8601 => Civil::utc(event.ts),
        _ => Civil::local(event.ts, event.world.host.time_zone),
    };
    push(&mut text, &civil, form);
    text.value()
}

/// Appends a moment in a form.
pub fn push(text: &mut impl std::io::Write, civil: &Civil, form: Form) {
    match form {
        Form::Iso8601 => {
            civil.push_date(text);
            let _ = text.write_all(b"T");
        }
        Form::DateTime | Form::DateTimeSeconds => {
            civil.push_date(text);
            let _ = text.write_all(b" ");
        }
        Form::Time | Form::TimeSeconds => {}
    }
    civil.push_time(text);
    if !matches!(form, Form::TimeSeconds | Form::DateTimeSeconds) {
        civil.push_nanos(text);
    }
    if form == Form::Iso8601 {
        let _ = text.write_all(b"+0000");
    }
}

/// Nanoseconds since the first event.
#[must_use]
pub fn since_first(event: &Event<'_>) -> u64 {
    event.ts.saturating_sub(event.world.host.first_event_ts)
}

/// `evt.around[T]`: how far the event is from the moment T, in milliseconds, rounded up.
///
/// Its `=` means "not farther than"; the compiler of conditions knows that.
pub fn distance<'a>(event: &Event<'a>, arg: &Arg) -> Option<Value<'a>> {
    let Arg::Key(moment) = arg else { return None };
    let moment: u64 = moment.parse().ok()?;
    Some(Value::UInt(event.ts.abs_diff(moment).div_ceil(1_000_000)))
}

#[cfg(test)]
mod tests {
    use super::super::support::{Scene, shown};

    #[test]
    fn times_have_falcos_forms() {
        let mut scene = Scene::new("close");
        scene.ts = 1_700_000_000_004_355_174;
        scene.world.host.first_event_ts = scene.ts - 2_000_000_005;
        scene.world.host.time_zone.offset_at = |_| 3600;
        assert_eq!(shown(&scene, "evt.time"), "23:13:20.004355174");
        assert_eq!(shown(&scene, "evt.time.s"), "23:13:20");
        assert_eq!(shown(&scene, "evt.time.iso8601"), "2023-11-14T22:13:20.004355174+0000");
        assert_eq!(shown(&scene, "evt.datetime"), "2023-11-14 23:13:20.004355174");
        assert_eq!(shown(&scene, "evt.rawtime.ns"), "004355174");
        assert_eq!(shown(&scene, "evt.reltime.s"), "2");
        assert_eq!(shown(&scene, "evt.reltime.ns"), "000000005");
    }
}
