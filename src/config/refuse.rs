//! Values of keys without effect here with which Falco doesn't start: neither do we.

use std::net::IpAddr;

use super::Error;
use super::read::Keys;

/// Values of keys without effect here with which Falco doesn't start either.
pub(super) fn refuse_bad_values(keys: &Keys<'_>) -> Result<(), Error> {
    let address = keys.text("webserver.listen_address", "0.0.0.0")?;
    if address.parse::<IpAddr>().is_err() {
        return Err(keys.refuse(format_args!(
            "webserver listen address \"{address}\" is not a valid IP address"
        )));
    }
    if keys.number("syscall_event_timeouts.max_consecutives", 1000_i64)? <= 0 {
        return Err(Error::new(format!(
            "Error reading config file({}): the maximum consecutive timeouts without an event \
             must be an unsigned integer > 0",
            keys.file
        )));
    }
    let mode = keys.text("capture.mode", "rules")?;
    if !matches!(mode, "rules" | "all_rules") {
        return Err(keys.refuse(format_args!("capture.mode '{mode}' is not a valid mode.")));
    }
    let needed = [
        ("file_output", "filename", "filename"),
        ("program_output", "program", "program"),
        ("http_output", "url", "url"),
    ];
    for (section, key, what) in needed {
        if keys.truth(&format!("{section}.enabled"), false)?
            && keys.text(&format!("{section}.{key}"), "")?.is_empty()
        {
            return Err(keys.refuse(format_args!("{section} is enabled but no {what} is given")));
        }
    }
    Ok(())
}

/// `metrics` has no effect here; a file that Falco refuses is refused all the same.
pub(super) fn refuse_bad_metrics(keys: &Keys<'_>) -> Result<(), Error> {
    if !keys.truth("metrics.enabled", false)? {
        return Ok(());
    }
    let interval = keys.text("metrics.interval", "5000")?;
    if interval.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Error::new(
            "Metrics interval was passed as numeric value without Prometheus time unit. Please \
             specify a time unit"
                .to_owned(),
        ));
    }
    if milliseconds(interval).is_none_or(|ms| ms < 100) {
        return Err(Error::new(
            "Metrics interval must have a minimum value of 100ms and reflect a Prometheus \
             compliant time duration format: \
             https://prometheus.io/docs/prometheus/latest/querying/basics/#time-durations. "
                .to_owned(),
        ));
    }
    let has_output = keys.truth("metrics.output_rule", false)?
        || !keys.text("metrics.output_file", "")?.is_empty()
        || keys.truth("webserver.prometheus_metrics_enabled", false)?;
    if has_output {
        return Ok(());
    }
    Err(Error::new(
        "Metrics are enabled with no output configured. Please enable at least one output channel \
         ('metrics.output_rule', 'metrics.output_file' or \
         'webserver.prometheus_metrics_enabled')"
            .to_owned(),
    ))
}

/// A duration as Prometheus writes it, `1h30m`: units in falling order, each at most once.
pub(super) fn milliseconds(text: &str) -> Option<u64> {
    const UNITS: [(&str, u64); 7] = [
        ("y", 31_536_000_000),
        ("w", 604_800_000),
        ("d", 86_400_000),
        ("h", 3_600_000),
        ("m", 60_000),
        ("s", 1000),
        ("ms", 1),
    ];
    let mut rest = text;
    let mut units = UNITS.iter();
    let mut total = 0_u64;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let (number, tail) = rest.split_at(digits);
        let end = tail.find(|c: char| c.is_ascii_digit()).unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(end);
        let (_, factor) = units.find(|(name, _)| *name == unit)?;
        total = total.checked_add(number.parse::<u64>().ok()?.checked_mul(*factor)?)?;
        rest = tail;
    }
    Some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_prometheus() {
        for (text, ms) in [
            ("1h30m", Some(5_400_000)),
            ("99ms", Some(99)),
            ("1m1h", None),
            ("1x", None),
            ("h", None),
        ] {
            assert_eq!(milliseconds(text), ms, "{text}");
        }
    }
}
