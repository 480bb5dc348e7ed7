//! Which opens are looked at, by the path alone: what rules name, not what lies beside it.

/// Which paths are looked at, by text alone.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Named {
    /// Files.
    pub(super) files: Vec<Box<[u8]>>,
    /// Directories whose files are looked at.
    pub(super) directories: Vec<Box<[u8]>>,
    /// Texts that paths begin with.
    pub(super) beginnings: Vec<Box<[u8]>>,
}

impl Named {
    pub(super) fn names(&self, path: &[u8]) -> bool {
        let directory = directory_of(path);
        self.files.iter().any(|file| **file == *path)
            || self.directories.iter().any(|named| **named == *directory)
            || self.beginnings.iter().any(|text| path.starts_with(text))
    }

    /// Whether a file is seen where its directory is marked: not through another mount or root.
    pub(super) fn is_in_its_place(&self, path: &[u8]) -> bool {
        let directory = directory_of(path);
        self.files.iter().any(|file| directory_of(file) == directory)
            || self.directories.iter().any(|named| **named == *directory)
            || self.beginnings.iter().any(|text| directory_of(text) == directory)
    }
}

/// What stands before the last slash.
fn directory_of(path: &[u8]) -> &[u8] {
    let slash = path.iter().rposition(|&byte| byte == b'/').unwrap_or(0);
    path.get(..slash.max(1)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named() -> Named {
        Named {
            files: vec![Box::from(&b"/etc/shadow"[..])],
            directories: vec![Box::from(&b"/etc/cron.d"[..])],
            beginnings: vec![Box::from(&b"/root/.ss"[..])],
        }
    }

    #[test]
    fn what_is_named_is_looked_at_and_no_neighbour() {
        for path in ["/etc/shadow", "/etc/cron.d/x", "/root/.ssh/id", "/root/.ss"] {
            assert!(named().names(path.as_bytes()), "{path}");
        }
        for path in ["/etc/shadow-", "/etc/cron.d/x/y", "/root/.profile", "/shadow"] {
            assert!(!named().names(path.as_bytes()), "{path}");
        }
        assert!(named().is_in_its_place(b"/etc/hosts") && named().is_in_its_place(b"/root/x"));
        assert!(!named().is_in_its_place(b"/tmp/b/hosts"));
    }
}
