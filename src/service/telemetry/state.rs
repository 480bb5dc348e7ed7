//! What the page shows, as JSON.

use serde_json::{Value, json};

use crate::metrics::{METRICS, Reading};

use super::{Board, Identity, matches_by_rule, sample};

/// The state now, with the alerts behind number `after`.
pub(super) fn json(identity: &Identity, board: &Board, after: u64, now_ns: u64) -> Value {
    let sample = sample(board, now_ns);
    let (alerts, last_seq) = board.alerts_after(after);
    let alerts: Vec<_> = alerts
        .iter()
        .map(|alert| {
            json!({
                "seq": alert.seq,
                "time_ms": alert.time_ns / 1_000_000,
                "priority": alert.priority.name(),
                "rule": alert.rule,
                "output": String::from_utf8_lossy(&alert.output),
            })
        })
        .collect();
    let counts = matches_by_rule();
    let loaded = board.loaded();
    let rules: Vec<_> = loaded
        .rules
        .iter()
        .map(|rule| {
            let count = counts.get(&rule.name).copied().unwrap_or(0);
            json!({ "name": rule.name, "count": count, "state": rule.state })
        })
        .collect();
    let of_state = |state| loaded.rules.iter().filter(|rule| rule.state == state).count();
    let mut state = json!({
        "version": identity.version,
        "hostname": identity.hostname,
        "kernel": identity.kernel,
        "started_ms": board.started_ns / 1_000_000,
        "now_ms": now_ns / 1_000_000,
        "events": sample.events,
        "alerts": alerts,
        "last_seq": last_seq,
        "alerts_total": sample.matches,
        "alerts_dropped": sample.alerts_dropped,
        "rules": rules,
        "coverage": {
            "can_fire": of_state("can_fire"),
            "blind": of_state("blind"),
            "disabled": of_state("disabled"),
        },
        "cpu_seconds": sample.usage.cpu_seconds,
        "rss_bytes": sample.usage.rss,
        "processes": sample.threads,
    });
    if let Some(members) = state.as_object_mut() {
        members.extend(from_metrics());
    }
    state
}

/// Sources, events by source, losses, and how long half of the alerts took at most.
fn from_metrics() -> Vec<(String, Value)> {
    let (mut sources, mut by_source, mut drops) = (Vec::new(), Vec::new(), Vec::new());
    let mut latency = Value::Null;
    METRICS.each(&mut |row, values, reading| match (row.group, row.name, values, reading) {
        ("sources", "up", [name], Reading::Count(up)) => {
            sources.push(json!({ "name": name, "up": up > 0 }));
        }
        ("sources", "drops", [source, cause], Reading::Count(count)) => {
            drops.push(json!({ "source": source, "cause": cause, "count": count }));
        }
        ("rules", "events", [source, _], Reading::Count(count)) => {
            match by_source.iter_mut().find(|(name, _): &&mut (String, u64)| name == source) {
                Some((_, sum)) => *sum += count,
                None => by_source.push(((*source).to_owned(), count)),
            }
        }
        ("outputs", "latency", _, Reading::Histogram { buckets, count, .. }) if count > 0 => {
            let half = buckets.iter().find(|(_, up_to)| up_to * 2 >= count);
            latency = half.map_or(Value::Null, |(bound, _)| json!((bound * 1e5).round() / 100.0));
        }
        _ => {}
    });
    let by_source: Vec<_> =
        by_source.iter().map(|(name, count)| json!({ "source": name, "count": count })).collect();
    [
        ("sources", Value::from(sources)),
        ("by_source", by_source.into()),
        ("drops", drops.into()),
        ("latency_ms", latency),
    ]
    .map(|(key, value)| (key.to_owned(), value))
    .into()
}

#[cfg(test)]
mod tests {
    use super::super::tests::{board, identity};
    use super::*;
    use crate::engine::rule::Priority;

    #[test]
    fn the_state_has_the_alerts_that_the_page_does_not_know_yet() {
        let board = board();
        board.keep_alerts(true);
        for text in ["one", "two"] {
            board.alert("R", Priority::Warning, 5_000_000, text.as_bytes());
        }
        let state = json(&identity(), &board, 1, 3_000_000_000);
        assert_eq!(state["last_seq"], 2);
        assert_eq!(
            state["alerts"],
            json!([{ "seq": 2, "time_ms": 5, "priority": "Warning", "rule": "R", "output": "two" }])
        );
        assert_eq!(state["coverage"]["can_fire"], 1);
        assert_eq!(state["started_ms"], 1000);
    }
}
