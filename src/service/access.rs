//! Who may change what the agent believes: rules and configuration that others can write are
//! refused when it runs with privileges.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

/// Write permission of group and others, see inode(7).
const OTHERS_MAY_WRITE: u32 = 0o022;

/// Somebody else may write a file that decides what is detected.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{path} can be written by group or others (mode {mode:04o})")]
pub struct Exposed {
    /// The file.
    pub path: String,
    /// Its permission bits.
    pub mode: u32,
}

impl Exposed {
    /// What to do.
    #[must_use]
    pub fn hint(&self) -> String {
        format!("chmod go-w {}", self.path)
    }
}

/// Looks at each file; one that is gone by now is passed over.
///
/// # Errors
///
/// For the first file that group or others can write.
pub fn check<'a>(paths: impl IntoIterator<Item = &'a Path>) -> Result<(), Exposed> {
    for path in paths {
        let Ok(metadata) = path.metadata() else { continue };
        let mode = metadata.permissions().mode() & 0o7777;
        if metadata.is_file() && mode & OTHERS_MAY_WRITE != 0 {
            return Err(Exposed { path: path.display().to_string(), mode });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_others_can_write_is_named_with_its_mode() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("rules.yaml");
        std::fs::write(&path, "").unwrap();
        let set = |mode| {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        };
        set(0o644);
        assert_eq!(check([path.as_path()]), Ok(()));
        set(0o664);
        let error = check([path.as_path()]).unwrap_err();
        assert!(
            error.to_string().ends_with("rules.yaml can be written by group or others (mode 0664)")
        );
        assert!(error.hint().starts_with("chmod go-w /"));
    }
}
