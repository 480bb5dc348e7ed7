//! Values with which Falco doesn't start: neither do we. Of `metrics` and `webserver`, what they
//! say if they are good.

use std::net::IpAddr;
use std::path::PathBuf;

use super::read::Keys;
use super::{Error, Metrics, WebServer};

/// How grave messages of Falco's libraries may be.
const LIBS_SEVERITIES: [&str; 8] =
    ["fatal", "critical", "error", "warning", "notice", "info", "debug", "trace"];

/// Values of keys without effect here with which Falco doesn't start either.
pub(super) fn refuse_bad_values(keys: &Keys<'_>) -> Result<(), Error> {
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
    let severity = keys.text("libs_logger.severity", "info")?;
    if keys.truth("libs_logger.enabled", true)? && !LIBS_SEVERITIES.contains(&severity) {
        return Err(Error::new(format!("Unknown sinsp log severity {severity}")));
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

/// `metrics`; nothing if it is off, for then Falco doesn't look at the rest either.
pub(super) fn metrics(keys: &Keys<'_>) -> Result<Option<Metrics>, Error> {
    if !keys.truth("metrics.enabled", false)? {
        return Ok(None);
    }
    let interval = keys.text("metrics.interval", "5000")?;
    if interval.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Error::new(
            "Metrics interval was passed as numeric value without Prometheus time unit. Please \
             specify a time unit"
                .to_owned(),
        ));
    }
    let Some(interval_ms) = milliseconds(interval).filter(|&ms| ms >= 100) else {
        return Err(Error::new(
            "Metrics interval must have a minimum value of 100ms and reflect a Prometheus \
             compliant time duration format: \
             https://prometheus.io/docs/prometheus/latest/querying/basics/#time-durations. "
                .to_owned(),
        ));
    };
    let file = keys.text("metrics.output_file", "")?;
    let metrics = Metrics {
        interval_ms,
        interval: interval.to_owned(),
        as_alert: keys.truth("metrics.output_rule", false)?,
        file: Some(file).filter(|file| !file.is_empty()).map(PathBuf::from),
        for_prometheus: keys.truth("webserver.prometheus_metrics_enabled", false)?,
        rules: keys.truth("metrics.rules_counters_enabled", true)?,
        resources: keys.truth("metrics.resource_utilization_enabled", true)?,
        state: keys.truth("metrics.state_counters_enabled", true)?,
        kernel: keys.truth("metrics.kernel_event_counters_enabled", true)?,
        memory_in_mb: keys.truth("metrics.convert_memory_to_mb", true)?,
        with_empty: keys.truth("metrics.include_empty_values", false)?,
    };
    if metrics.as_alert || metrics.file.is_some() || metrics.for_prometheus {
        return Ok(Some(metrics));
    }
    Err(Error::new(
        "Metrics are enabled with no output configured. Please enable at least one output channel \
         ('metrics.output_rule', 'metrics.output_file' or \
         'webserver.prometheus_metrics_enabled')"
            .to_owned(),
    ))
}

/// `webserver`; nothing if it is off.
pub(super) fn web_server(keys: &Keys<'_>) -> Result<Option<WebServer>, Error> {
    let text = keys.text("webserver.listen_address", "0.0.0.0")?;
    let Ok(address) = text.parse::<IpAddr>() else {
        return Err(keys.refuse(format_args!(
            "webserver listen address \"{text}\" is not a valid IP address"
        )));
    };
    if !keys.truth("webserver.enabled", false)? {
        return Ok(None);
    }
    let certificate = keys.text("webserver.ssl_certificate", "/etc/falco/falco.pem")?;
    let is_encrypted = keys.truth("webserver.ssl_enabled", false)?;
    Ok(Some(WebServer {
        address,
        port: keys.number("webserver.listen_port", 8765)?,
        health: keys.text("webserver.k8s_healthz_endpoint", "/healthz")?.to_owned(),
        certificate: is_encrypted.then(|| PathBuf::from(certificate)),
        threads: keys.number("webserver.threadiness", 0)?,
        ui: keys.truth("webserver.ui", false)?,
    }))
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
