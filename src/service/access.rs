//! Who may change what the agent believes: rules and configuration that others can write are
//! refused when it runs with privileges.

use std::fs::Metadata;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

/// Write permission of group and others, see inode(7).
const OTHERS_MAY_WRITE: u32 = 0o022;

/// Of a directory: only who owns an entry may rename or remove it.
const STICKY: u32 = 0o1000;

/// Somebody else may write a file that decides what is detected, or put another in its place.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{path} {why}")]
pub struct Exposed {
    /// The file or its directory.
    pub path: String,
    /// Who can.
    pub why: Why,
}

/// Who can change a file.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Why {
    /// Its permission bits say so.
    #[error("can be written by group or others (mode {0:04o})")]
    Mode(u32),
    /// It belongs to somebody else, by his number.
    #[error("belongs to user {0}, who can change it")]
    Owner(u32),
}

impl Exposed {
    /// What to do.
    #[must_use]
    pub fn hint(&self) -> String {
        match self.why {
            Why::Mode(_) => format!("chmod go-w {}", self.path),
            Why::Owner(_) => format!("chown root {}", self.path),
        }
    }
}

/// Looks at each file and its directory; one that is gone by now is passed over.
///
/// # Errors
///
/// For the first that somebody other than root and whoever we run as can change: its owner, its
/// group unless that is root's, or others.
pub fn check<'a>(paths: impl IntoIterator<Item = &'a Path>) -> Result<(), Exposed> {
    for path in paths {
        let exposed = |path: &Path, why| Err(Exposed { path: path.display().to_string(), why });
        let Ok(metadata) = path.metadata() else { continue };
        if metadata.is_file()
            && let Some(why) = who_else(&metadata)
        {
            return exposed(path, why);
        }
        let Some(directory) =
            path.canonicalize().ok().and_then(|path| Some(path.parent()?.to_owned()))
        else {
            continue;
        };
        let Ok(metadata) = directory.metadata() else { continue };
        match who_else(&metadata) {
            Some(Why::Mode(mode)) if mode & STICKY != 0 => {}
            Some(why) => return exposed(&directory, why),
            None => {}
        }
    }
    Ok(())
}

/// Who beside root and whoever we run as can write it.
fn who_else(metadata: &Metadata) -> Option<Why> {
    let owner = metadata.uid();
    if owner != 0 && owner != nix::unistd::geteuid().as_raw() {
        return Some(Why::Owner(owner));
    }
    let mode = metadata.permissions().mode() & 0o7777;
    // root's own group may write where root may.
    let foreign = if metadata.gid() == 0 { 0o002 } else { OTHERS_MAY_WRITE };
    (mode & foreign != 0).then_some(Why::Mode(mode))
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
        set(0o666);
        let error = check([path.as_path()]).unwrap_err();
        assert!(
            error.to_string().ends_with("rules.yaml can be written by group or others (mode 0666)")
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
    }

    #[test]
    fn a_file_or_directory_of_somebody_else_is_named_with_its_owner() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("rules.yaml");
        std::fs::write(&path, "").unwrap();
        if !nix::unistd::geteuid().is_root() {
            // Nobody else can give files away.
            return;
        }
        for foreign in [path.as_path(), dir.path()] {
            std::os::unix::fs::chown(foreign, Some(1234), None).unwrap();
            let error = check([path.as_path()]).unwrap_err();
            assert_eq!(error.why, Why::Owner(1234));
            assert_eq!(error.hint(), format!("chown root {}", foreign.display()));
            std::os::unix::fs::chown(foreign, Some(0), None).unwrap();
        }
        assert_eq!(check([path.as_path()]), Ok(()));
        // root's group may write where root may, any other not.
        std::os::unix::fs::chown(&path, None, Some(0)).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o664)).unwrap();
        assert_eq!(check([path.as_path()]), Ok(()));
        std::os::unix::fs::chown(&path, None, Some(1234)).unwrap();
        assert_eq!(check([path.as_path()]).unwrap_err().why, Why::Mode(0o664));
    }
}
