//! Versions: of the engine that rules require, and of plugins.

use std::fmt;

/// `major.minor.patch`.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub struct Version {
    /// Incompatible changes.
    pub major: u32,
    /// Compatible ones.
    pub minor: u32,
    /// Corrections.
    pub patch: u32,
}

impl Version {
    /// Reads three numbers with dots between; what follows the third is ignored.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut rest = text;
        let mut number = |separated: bool| {
            if separated {
                rest = rest.strip_prefix('.')?;
            }
            let len = rest.bytes().take_while(u8::is_ascii_digit).count();
            let (digits, behind) = rest.split_at_checked(len)?;
            rest = behind;
            digits.parse().ok()
        };
        Some(Self { major: number(false)?, minor: number(true)?, patch: number(true)? })
    }

    /// Whether something that requires `required` can be used with this: the same major version,
    /// and not older.
    #[must_use]
    pub fn satisfies(self, required: Self) -> bool {
        self.major == required.major && self >= required
    }
}

impl fmt::Display for Version {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_follows_the_third_number_is_ignored() {
        assert_eq!(Version::parse("0.31.0-rc1"), Some(Version { major: 0, minor: 31, patch: 0 }));
        assert_eq!(Version::parse("0.31"), None);
        assert_eq!(Version::parse("-3"), None);
        assert_eq!(Version::parse("0.99999999999.0"), None);
    }

    #[test]
    fn another_major_version_never_satisfies() {
        let version = |text| Version::parse(text).unwrap();
        assert!(version("0.62.0").satisfies(version("0.62.0")));
        assert!(!version("0.62.0").satisfies(version("0.62.1")));
        assert!(!version("1.0.0").satisfies(version("0.62.0")));
    }
}
