//! The keys below `eyas.audit`.

use std::path::PathBuf;

use super::read::Keys;
use super::{Audit, AuditSeat, Error};

/// Reads them.
///
/// # Errors
///
/// If a word for the seat is none.
pub(super) fn audit(keys: &Keys<'_>) -> Result<Audit, Error> {
    let default = Audit::default();
    let seat = keys.text("eyas.audit.seat", "auto")?;
    let Some(&(_, seat)) = AuditSeat::ALL.iter().find(|(word, _)| *word == seat) else {
        let words: Vec<_> = AuditSeat::ALL.iter().map(|(word, _)| *word).collect();
        let words = words.join(", ");
        return Err(keys.refuse(format_args!("eyas.audit.seat '{seat}' is none of {words}")));
    };
    Ok(Audit {
        seat,
        beside_auditd: keys.truth("eyas.audit.beside_auditd", default.beside_auditd)?,
        despite_panic: keys.truth("eyas.audit.despite_panic", default.despite_panic)?,
        opens: keys.truth("eyas.audit.opens", default.opens)?,
        backlog_limit: keys.number("eyas.audit.backlog_limit", default.backlog_limit)?,
        costly_calls: keys.texts("eyas.audit.costly_calls")?,
        socket: keys.owned_text("eyas.audit.socket")?.map_or(default.socket, PathBuf::from),
    })
}

#[cfg(test)]
mod tests {
    use super::super::value::Value;
    use super::super::{AuditSeat, Config};

    fn read(text: &str) -> Result<Config, String> {
        Config::read(&Value::parse(text).unwrap(), "f").map_err(|error| error.message)
    }

    #[test]
    fn the_keys_are_read_and_have_defaults() {
        let audit = read("eyas: {audit: {seat: plugin, costly_calls: [sendto]}}").unwrap().audit;
        assert_eq!(audit.seat, AuditSeat::Plugin);
        assert_eq!(audit.costly_calls, ["sendto"]);
        assert_eq!(audit.socket.to_str(), Some("/run/eyas/audit.sock"));
        assert_eq!(read("{}").unwrap().audit, super::Audit::default());
    }

    #[test]
    fn a_seat_that_there_is_not_is_refused_with_those_that_there_are() {
        let error = read("eyas: {audit: {seat: throne}}").unwrap_err();
        assert!(
            error.contains("'throne' is none of auto, unicast, multicast, plugin, off"),
            "{error}"
        );
    }
}
