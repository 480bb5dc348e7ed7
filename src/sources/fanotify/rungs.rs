//! Which ways of watching files are in use on this host, and for each better one why not.

use super::FileWatch;
use super::MountState;
use crate::probe::Outcome;
use crate::sources::Rung;
use crate::sys;
use crate::sys::abi;
use crate::sys::process;
use crate::sys::process::Capability;

impl FileWatch {
    /// The ways that are in use, and for each better one why not.
    #[must_use]
    pub fn rungs(&self) -> Vec<Rung> {
        let mounts = self.mounts().filter(|mount| mount.state == MountState::Marked).count();
        let may_look = process::has_capability(Capability::SysPtrace);
        let open_exec = if self.mask & abi::FAN_OPEN == 0 {
            "opens are not needed".to_owned()
        } else {
            self.open_exec.as_ref().map_or_else(
                || "tells execve's own opens from others".to_owned(),
                |error| format!("fanotify_mark: {}", sys::errno_text(error)),
            )
        };
        vec![
            Rung {
                name: "one mark per filesystem",
                taken: false,
                why: "it would tell a container's open twice, once with the path of the layer \
                      below its overlay"
                    .to_owned(),
            },
            Rung {
                name: "one mark per mount",
                taken: true,
                why: format!("{mounts} mounts of our mount namespace; new ones are followed"),
            },
            Rung {
                name: "mounts of other mount namespaces",
                taken: may_look,
                why: if may_look {
                    format!("{} namespaces; new ones are followed", self.other_namespaces())
                } else {
                    "the agent lacks CAP_SYS_PTRACE, so files in containers are not seen".to_owned()
                },
            },
            Rung {
                name: "FAN_OPEN_EXEC",
                taken: self.mask & abi::FAN_OPEN_EXEC != 0,
                why: open_exec,
            },
            self.silence_rung(),
            Rung {
                name: "names of deleted files",
                taken: self.deleted_name == Outcome::Present,
                why: match &self.deleted_name {
                    Outcome::Present => "a replaced file keeps its name".to_owned(),
                    Outcome::Absent(why) | Outcome::Denied(why) => {
                        format!("a replaced file may show the name of another: {why}")
                    }
                },
            },
        ]
    }

    /// Whether the kernel is told to be silent of files that no rule can match.
    fn silence_rung(&self) -> Rung {
        let name = "silence of files that no rule can match";
        let Some(ignoring) = &self.ignoring else {
            let why = "which files rules can match is not known".to_owned();
            return Rung { name, taken: false, why };
        };
        let places = match self.watched_directories() {
            0 => "no directory that rules name is there".to_owned(),
            count => format!("{count} directories that rules name are watched by themselves"),
        };
        let lifetime = if ignoring.is_anywhere() {
            "; some rules name none: only what root alone can move is ignored, for a minute"
        } else {
            ""
        };
        Rung { name, taken: true, why: format!("{places}{lifetime}") }
    }
}
