//! Names of services, for rules that name ports by them.
//!
//! The engine reads no files: whoever loads rules installs the text of services(5) once, before.
//! Without it, names of services are unknown, as on a host without that file.

use std::sync::OnceLock;

use rustc_hash::FxHashMap;

static SERVICES: OnceLock<FxHashMap<Box<str>, u16>> = OnceLock::new();

/// Installs the text of `/etc/services`; only the first call has an effect.
pub fn install_services(text: &str) {
    let _ = SERVICES.set(parse(text));
}

/// The port of the service with that name or alias; of several protocols, the first entry's.
pub(super) fn port_of(name: &str) -> Option<u16> {
    SERVICES.get()?.get(name).copied()
}

/// Reads `name port/protocol alias…` lines; what doesn't read so is skipped, as by services(5).
fn parse(text: &str) -> FxHashMap<Box<str>, u16> {
    let mut ports = FxHashMap::default();
    for line in text.lines() {
        let mut words = line.split('#').next().unwrap_or("").split_ascii_whitespace();
        let (Some(name), Some(port)) = (words.next(), words.next()) else {
            continue;
        };
        let Some(Ok(port)) = port.split('/').next().map(str::parse::<u16>) else {
            continue;
        };
        for name in std::iter::once(name).chain(words) {
            ports.entry(name.into()).or_insert(port);
        }
    }
    ports
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_entry_of_a_name_counts_and_aliases_are_names() {
        let ports = parse("# x 1/tcp\nhttp 80/tcp www # web\nhttp 8080/udp\nbroken\nssh 22/tcp\n");
        assert_eq!(ports.get("http"), Some(&80));
        assert_eq!(ports.get("www"), Some(&80));
        assert_eq!(ports.get("ssh"), Some(&22));
        assert_eq!(ports.get("web"), None);
    }
}
