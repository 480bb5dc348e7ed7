//! Who may change what the agent believes: rules and configuration that others can write are
//! refused when it runs with privileges.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

/// Write permission of group and others, see inode(7).
const OTHERS_MAY_WRITE: u32 = 0o022;

/// Of a directory: only who owns an entry may rename or remove it.
const STICKY: u32 = 0o1000;

/// Somebody else may write a file that decides what is detected, or put another in its place.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{path} can be written by group or others (mode {mode:04o})")]
pub struct Exposed {
    /// The file or its directory.
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

/// Looks at each file and its directory; one that is gone by now is passed over.
///
/// # Errors
///
/// For the first that group or others can write.
pub fn check<'a>(paths: impl IntoIterator<Item = &'a Path>) -> Result<(), Exposed> {
    for path in paths {
        let Ok(metadata) = path.metadata() else { continue };
        let mode = metadata.permissions().mode() & 0o7777;
        if metadata.is_file() && mode & OTHERS_MAY_WRITE != 0 {
            return Err(Exposed { path: path.display().to_string(), mode });
        }
        let Some(directory) =
            path.canonicalize().ok().and_then(|path| Some(path.parent()?.to_owned()))
        else {
            continue;
        };
        let Ok(metadata) = directory.metadata() else { continue };
        let mode = metadata.permissions().mode() & 0o7777;
        // root's own group may write where root may.
        let foreign = if metadata.gid() == 0 { 0o002 } else { OTHERS_MAY_WRITE };
        if mode & foreign != 0 && mode & STICKY == 0 {
            return Err(Exposed { path: directory.display().to_string(), mode });
        }
    }
    Ok(())
}

/// The files that belong to somebody other than root and whoever we run as: their owners can write
/// them.
pub fn foreign<'a>(paths: impl IntoIterator<Item = &'a Path>) -> Vec<&'a Path> {
    let own = nix::unistd::geteuid().as_raw();
    let is_foreign = |path: &&Path| {
        path.metadata().is_ok_and(|metadata| metadata.uid() != 0 && metadata.uid() != own)
    };
    paths.into_iter().filter(is_foreign).collect()
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

    #[test]
    fn a_directory_in_which_others_can_rename_is_named_unless_it_is_sticky() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("rules.yaml");
        std::fs::write(&path, "").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        let set = |mode| {
            let mode = std::fs::Permissions::from_mode(mode);
            std::fs::set_permissions(dir.path(), mode).unwrap();
        };
        set(0o1777);
        assert_eq!(check([path.as_path()]), Ok(()));
        set(0o777);
        assert!(check([path.as_path()]).unwrap_err().to_string().ends_with("(mode 0777)"));
        set(0o755);
        assert_eq!(check([path.as_path()]), Ok(()));
        assert!(foreign([path.as_path()]).is_empty());
    }
}
