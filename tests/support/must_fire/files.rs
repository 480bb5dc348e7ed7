//! Calls about files and directories.

use std::os::fd::AsRawFd as _;
use std::os::fd::IntoRawFd as _;

use super::Case;
use super::Play;

pub(super) const CASES: &[Case] = &[
    #[cfg(target_arch = "x86_64")]
    Case::new("open", legacy::open),
    Case::new("openat", openat),
    Case::new("openat2", openat2),
    #[cfg(target_arch = "x86_64")]
    Case::new("creat", legacy::creat),
    #[cfg(target_arch = "x86_64")]
    Case::new("unlink", legacy::unlink),
    Case::new("unlinkat", unlinkat),
    #[cfg(target_arch = "x86_64")]
    Case::new("rename", legacy::rename),
    Case::new("renameat", renameat),
    Case::new("renameat2", renameat2),
    #[cfg(target_arch = "x86_64")]
    Case::new("mkdir", legacy::mkdir),
    Case::new("mkdirat", mkdirat),
    #[cfg(target_arch = "x86_64")]
    Case::new("rmdir", legacy::rmdir),
    #[cfg(target_arch = "x86_64")]
    Case::new("link", legacy::link),
    Case::new("linkat", linkat),
    #[cfg(target_arch = "x86_64")]
    Case::new("symlink", legacy::symlink),
    Case::new("symlinkat", symlinkat),
    #[cfg(target_arch = "x86_64")]
    Case::new("chmod", legacy::chmod),
    Case::new("fchmod", fchmod),
    Case::new("fchmodat", fchmodat),
    #[cfg(target_arch = "x86_64")]
    Case::new("chown", legacy::chown),
    #[cfg(target_arch = "x86_64")]
    Case::new("lchown", legacy::lchown),
    Case::new("fchown", fchown),
    Case::new("fchownat", fchownat),
    Case::new("dup", dup),
    #[cfg(target_arch = "x86_64")]
    Case::new("dup2", legacy::dup2),
    Case::new("dup3", dup3),
    Case::new("memfd_create", memfd_create),
];

/// `AT_FDCWD` as a register.
const CWD: usize = libc::AT_FDCWD as usize;
/// `evt.arg` of a directory descriptor that is `AT_FDCWD`.
const CWD_TEXT: &str = "AT_FDCWD";

/// A descriptor of the case's directory.
fn directory(play: &Play) -> usize {
    let dir = std::fs::File::open(&play.dir).unwrap();
    usize::try_from(dir.into_raw_fd()).unwrap()
}

/// The process's own ids, which chown(2) may always give.
fn own_ids() -> (usize, usize) {
    let (uid, gid) = (nix::unistd::geteuid().as_raw(), nix::unistd::getegid().as_raw());
    (uid as usize, gid as usize)
}

const O_CLOEXEC: usize = libc::O_CLOEXEC as usize;
const CREATE: usize = (libc::O_CREAT | libc::O_WRONLY | libc::O_TRUNC) as usize;
const CREATE_TEXT: &str = "O_TRUNC|O_CREAT|O_WRONLY";

fn openat(play: &mut Play) {
    let (new, missing) = (play.path("new"), play.path("missing"));
    let (new_text, missing_text) = (play.text("new"), play.text("missing"));
    let call = ("openat", libc::SYS_openat);
    play.act(
        call,
        &[CWD, new.as_ptr() as usize, CREATE, 0o640],
        &[
            ("evt.arg.fd", &format!("<f>{new_text}")),
            ("evt.arg.dirfd", CWD_TEXT),
            ("evt.arg.name", &new_text),
            ("evt.arg.flags", CREATE_TEXT),
            ("evt.arg.mode", "0640"),
            ("fd.name", &new_text),
            ("fd.type", "file"),
        ],
    );
    play.act(
        call,
        &[CWD, missing.as_ptr() as usize, O_CLOEXEC],
        &[
            ("evt.arg.fd", "ENOENT"),
            ("evt.arg.name", &missing_text),
            ("evt.arg.flags", "O_RDONLY|O_CLOEXEC"),
            ("fd.name", &missing_text),
        ],
    );
    let dir = directory(play);
    let dir_text = format!("<d>{}", play.dir.display());
    play.act(
        call,
        &[dir, c"new".as_ptr() as usize, libc::O_RDWR as usize],
        &[
            ("evt.arg.fd", &format!("<f>{new_text}")),
            ("evt.arg.dirfd", &dir_text),
            ("evt.arg.name", &new_text),
            ("evt.arg.flags", "O_RDWR"),
            ("fd.name", &new_text),
        ],
    );
}

fn openat2(play: &mut Play) {
    let (new, text) = (play.file("new"), play.text("new"));
    // flags, mode, resolve: `struct open_how` in linux/openat2.h.
    let how = [libc::O_WRONLY as u64, 0, 4];
    let result = play.call(
        libc::SYS_openat2,
        &[CWD, new.as_ptr() as usize, how.as_ptr() as usize, size_of_val(&how)],
    );
    let fd = format!("<f>{text}");
    let is_there = result >= 0;
    let fd = if is_there { fd.as_str() } else { "ENOSYS" };
    play.tell(
        "openat2",
        Some(result),
        &[("evt.arg.fd", fd), ("evt.arg.dirfd", CWD_TEXT), ("evt.arg.name", &text)],
        &[("evt.arg.flags", "O_WRONLY"), ("evt.arg.resolve", "RESOLVE_NO_SYMLINKS")],
    );
}

fn unlinkat(play: &mut Play) {
    let (new, text) = (play.file("new"), play.text("new"));
    let call = ("unlinkat", libc::SYS_unlinkat);
    for res in ["0", "ENOENT"] {
        play.act(
            call,
            &[CWD, new.as_ptr() as usize, 0],
            &[("evt.arg.res", res), ("evt.arg.dirfd", CWD_TEXT), ("evt.arg.name", &text)],
        );
    }
    std::fs::create_dir(play.dir.join("sub")).unwrap();
    let dir = directory(play);
    play.act(
        call,
        &[dir, c"sub".as_ptr() as usize, libc::AT_REMOVEDIR as usize],
        &[
            ("evt.arg.res", "0"),
            ("evt.arg.dirfd", &format!("<d>{}", play.dir.display())),
            ("evt.arg.name", &play.text("sub")),
            ("evt.arg.flags", "AT_REMOVEDIR"),
        ],
    );
}

fn renameat(play: &mut Play) {
    let (old, new) = (play.file("old"), play.path("new"));
    let (old_text, new_text) = (play.text("old"), play.text("new"));
    for res in ["0", "ENOENT"] {
        play.act(
            ("renameat", libc::SYS_renameat),
            &[CWD, old.as_ptr() as usize, CWD, new.as_ptr() as usize],
            &[
                ("evt.arg.res", res),
                ("evt.arg.olddirfd", CWD_TEXT),
                ("evt.arg.oldpath", &old_text),
                ("evt.arg.newdirfd", CWD_TEXT),
                ("evt.arg.newpath", &new_text),
            ],
        );
    }
}

fn renameat2(play: &mut Play) {
    play.file("old");
    let dir = directory(play);
    play.act(
        ("renameat2", libc::SYS_renameat2),
        &[dir, c"old".as_ptr() as usize, dir, c"new".as_ptr() as usize, 1],
        &[
            ("evt.arg.res", "0"),
            ("evt.arg.oldpath", &play.text("old")),
            ("evt.arg.newpath", &play.text("new")),
            ("evt.arg.flags", "RENAME_NOREPLACE"),
        ],
    );
}

fn mkdirat(play: &mut Play) {
    let (new, text) = (play.path("new"), play.text("new"));
    for res in ["0", "EEXIST"] {
        play.act(
            ("mkdirat", libc::SYS_mkdirat),
            &[CWD, new.as_ptr() as usize, 0o750],
            &[
                ("evt.arg.res", res),
                ("evt.arg.dirfd", CWD_TEXT),
                ("evt.arg.path", &text),
                ("evt.arg.mode", "1E8"),
            ],
        );
    }
}

fn linkat(play: &mut Play) {
    let (old, new) = (play.file("old"), play.path("new"));
    let (old_text, new_text) = (play.text("old"), play.text("new"));
    for res in ["0", "EEXIST"] {
        play.act(
            ("linkat", libc::SYS_linkat),
            &[CWD, old.as_ptr() as usize, CWD, new.as_ptr() as usize, 0],
            &[("evt.arg.res", res), ("evt.arg.oldpath", &old_text), ("evt.arg.newpath", &new_text)],
        );
    }
}

fn symlinkat(play: &mut Play) {
    let (new, text) = (play.path("new"), play.text("new"));
    for res in ["0", "EEXIST"] {
        play.act(
            ("symlinkat", libc::SYS_symlinkat),
            &[c"/etc/shadow".as_ptr() as usize, CWD, new.as_ptr() as usize],
            &[
                ("evt.arg.res", res),
                ("evt.arg.target", "/etc/shadow"),
                ("evt.arg.linkdirfd", CWD_TEXT),
                ("evt.arg.linkpath", &text),
            ],
        );
    }
}

fn fchmod(play: &mut Play) {
    play.file("new");
    let file = std::fs::File::open(play.dir.join("new")).unwrap();
    let fd = usize::try_from(file.as_raw_fd()).unwrap();
    let text = play.text("new");
    let call = ("fchmod", libc::SYS_fchmod);
    play.act(
        call,
        &[fd, 0o4700],
        &[
            ("evt.arg.res", "0"),
            ("evt.arg.fd", &format!("<f>{text}")),
            ("evt.arg.mode", "S_IXUSR|S_IWUSR|S_IRUSR|S_ISUID"),
            ("fd.name", &text),
        ],
    );
    play.act(call, &[77, 0o700], &[("evt.arg.res", "EBADF")]);
}

fn fchmodat(play: &mut Play) {
    let (new, text) = (play.file("new"), play.text("new"));
    play.act(
        ("fchmodat", libc::SYS_fchmodat),
        &[CWD, new.as_ptr() as usize, 0o2755],
        &[
            ("evt.arg.res", "0"),
            ("evt.arg.dirfd", CWD_TEXT),
            ("evt.arg.filename", &text),
            ("evt.arg.mode", "S_IXOTH|S_IROTH|S_IXGRP|S_IRGRP|S_IXUSR|S_IWUSR|S_IRUSR|S_ISGID"),
        ],
    );
}

fn fchown(play: &mut Play) {
    play.file("new");
    let file = std::fs::File::open(play.dir.join("new")).unwrap();
    let (uid, gid) = own_ids();
    play.act(
        ("fchown", libc::SYS_fchown),
        &[usize::try_from(file.as_raw_fd()).unwrap(), uid, gid],
        &[
            ("evt.arg.res", "0"),
            ("evt.arg.fd", &format!("<f>{}", play.text("new"))),
            ("evt.arg.uid", &uid.to_string()),
            ("evt.arg.gid", &gid.to_string()),
        ],
    );
}

fn fchownat(play: &mut Play) {
    let (new, text) = (play.file("new"), play.text("new"));
    let (uid, gid) = own_ids();
    play.act(
        ("fchownat", libc::SYS_fchownat),
        &[CWD, new.as_ptr() as usize, uid, gid, libc::AT_SYMLINK_NOFOLLOW as usize],
        &[
            ("evt.arg.res", "0"),
            ("evt.arg.pathname", &text),
            ("evt.arg.uid", &uid.to_string()),
            ("evt.arg.gid", &gid.to_string()),
        ],
    );
}

fn dup(play: &mut Play) {
    play.file("new");
    let file = std::fs::File::open(play.dir.join("new")).unwrap();
    let fd = usize::try_from(file.as_raw_fd()).unwrap();
    let text = play.text("new");
    let call = ("dup", libc::SYS_dup);
    let name = format!("<f>{text}");
    play.act(call, &[fd], &[("evt.arg.res", &name), ("evt.arg.oldfd", &name), ("fd.name", &text)]);
    play.act(call, &[77], &[("evt.arg.res", "EBADF")]);
}

fn dup3(play: &mut Play) {
    play.file("new");
    let file = std::fs::File::open(play.dir.join("new")).unwrap();
    let fd = usize::try_from(file.as_raw_fd()).unwrap();
    let name = format!("<f>{}", play.text("new"));
    play.act(
        ("dup3", libc::SYS_dup3),
        &[fd, 66, O_CLOEXEC],
        &[
            ("evt.arg.res", &name),
            ("evt.arg.oldfd", &name),
            ("evt.arg.newfd", &name),
            ("evt.arg.flags", "O_CLOEXEC"),
            ("fd.name", &play.text("new")),
        ],
    );
}

fn memfd_create(play: &mut Play) {
    play.act_with(
        "memfd_create",
        libc::SYS_memfd_create,
        &[c"secret".as_ptr() as usize, libc::MFD_CLOEXEC as usize],
        &[("evt.arg.flags", "MFD_CLOEXEC")],
        &[("evt.arg.name", "secret"), ("fd.type", "memfd"), ("fd.name", "secret")],
    );
}

/// Calls that only old architectures have.
#[cfg(target_arch = "x86_64")]
mod legacy {
    use super::CREATE;
    use super::CREATE_TEXT;
    use super::Play;
    use super::own_ids;
    use std::os::fd::AsRawFd as _;

    pub(super) fn open(play: &mut Play) {
        let (new, missing) = (play.path("new"), play.path("missing"));
        let (new_text, missing_text) = (play.text("new"), play.text("missing"));
        let call = ("open", libc::SYS_open);
        play.act(
            call,
            &[new.as_ptr() as usize, CREATE, 0o600],
            &[
                ("evt.arg.fd", &format!("<f>{new_text}")),
                ("evt.arg.name", &new_text),
                ("evt.arg.flags", CREATE_TEXT),
                ("evt.arg.mode", "0600"),
                ("fd.name", &new_text),
            ],
        );
        play.act(
            call,
            &[missing.as_ptr() as usize, 0],
            &[
                ("evt.arg.fd", "ENOENT"),
                ("evt.arg.name", &missing_text),
                ("evt.arg.flags", "O_RDONLY"),
                ("fd.name", &missing_text),
            ],
        );
    }

    pub(super) fn creat(play: &mut Play) {
        let (new, text) = (play.path("new"), play.text("new"));
        play.act(
            ("creat", libc::SYS_creat),
            &[new.as_ptr() as usize, 0o600],
            &[
                ("evt.arg.fd", &format!("<f>{text}")),
                ("evt.arg.name", &text),
                ("evt.arg.mode", "0600"),
                ("fd.name", &text),
            ],
        );
    }

    pub(super) fn unlink(play: &mut Play) {
        let (new, text) = (play.file("new"), play.text("new"));
        for res in ["0", "ENOENT"] {
            let wanted = [("evt.arg.res", res), ("evt.arg.path", &text)];
            play.act(("unlink", libc::SYS_unlink), &[new.as_ptr() as usize], &wanted);
        }
    }

    pub(super) fn rename(play: &mut Play) {
        let (old, new) = (play.file("old"), play.path("new"));
        let (old_text, new_text) = (play.text("old"), play.text("new"));
        for res in ["0", "ENOENT"] {
            play.act(
                ("rename", libc::SYS_rename),
                &[old.as_ptr() as usize, new.as_ptr() as usize],
                &[
                    ("evt.arg.res", res),
                    ("evt.arg.oldpath", &old_text),
                    ("evt.arg.newpath", &new_text),
                ],
            );
        }
    }

    pub(super) fn mkdir(play: &mut Play) {
        let (new, text) = (play.path("new"), play.text("new"));
        for res in ["0", "EEXIST"] {
            play.act(
                ("mkdir", libc::SYS_mkdir),
                &[new.as_ptr() as usize, 0o700],
                &[("evt.arg.res", res), ("evt.arg.path", &text), ("evt.arg.mode", "1C0")],
            );
        }
    }

    pub(super) fn rmdir(play: &mut Play) {
        std::fs::create_dir(play.dir.join("new")).unwrap();
        let (new, text) = (play.path("new"), play.text("new"));
        for res in ["0", "ENOENT"] {
            let wanted = [("evt.arg.res", res), ("evt.arg.path", &text)];
            play.act(("rmdir", libc::SYS_rmdir), &[new.as_ptr() as usize], &wanted);
        }
    }

    pub(super) fn link(play: &mut Play) {
        let (old, new) = (play.file("old"), play.path("new"));
        let (old_text, new_text) = (play.text("old"), play.text("new"));
        for res in ["0", "EEXIST"] {
            play.act(
                ("link", libc::SYS_link),
                &[old.as_ptr() as usize, new.as_ptr() as usize],
                &[
                    ("evt.arg.res", res),
                    ("evt.arg.oldpath", &old_text),
                    ("evt.arg.newpath", &new_text),
                ],
            );
        }
    }

    pub(super) fn symlink(play: &mut Play) {
        let (new, text) = (play.path("new"), play.text("new"));
        for res in ["0", "EEXIST"] {
            play.act(
                ("symlink", libc::SYS_symlink),
                &[c"/etc/shadow".as_ptr() as usize, new.as_ptr() as usize],
                &[
                    ("evt.arg.res", res),
                    ("evt.arg.target", "/etc/shadow"),
                    ("evt.arg.linkpath", &text),
                ],
            );
        }
    }

    pub(super) fn chmod(play: &mut Play) {
        let (new, missing) = (play.file("new"), play.path("missing"));
        let call = ("chmod", libc::SYS_chmod);
        let text = play.text("new");
        play.act(
            call,
            &[new.as_ptr() as usize, 0o4711],
            &[
                ("evt.arg.res", "0"),
                ("evt.arg.filename", &text),
                ("evt.arg.mode", "S_IXOTH|S_IXGRP|S_IXUSR|S_IWUSR|S_IRUSR|S_ISUID"),
            ],
        );
        let text = play.text("missing");
        play.act(
            call,
            &[missing.as_ptr() as usize, 0o700],
            &[("evt.arg.res", "ENOENT"), ("evt.arg.filename", &text)],
        );
    }

    pub(super) fn chown(play: &mut Play) {
        let (new, text) = (play.file("new"), play.text("new"));
        let (uid, gid) = own_ids();
        play.act(
            ("chown", libc::SYS_chown),
            &[new.as_ptr() as usize, uid, gid],
            &[
                ("evt.arg.res", "0"),
                ("evt.arg.path", &text),
                ("evt.arg.uid", &uid.to_string()),
                ("evt.arg.gid", &gid.to_string()),
            ],
        );
    }

    pub(super) fn lchown(play: &mut Play) {
        let (new, text) = (play.path("new"), play.text("new"));
        let (uid, gid) = own_ids();
        play.act(
            ("lchown", libc::SYS_lchown),
            &[new.as_ptr() as usize, uid, gid],
            &[("evt.arg.res", "ENOENT"), ("evt.arg.path", &text)],
        );
    }

    pub(super) fn dup2(play: &mut Play) {
        play.file("new");
        let file = std::fs::File::open(play.dir.join("new")).unwrap();
        let fd = usize::try_from(file.as_raw_fd()).unwrap();
        let name = format!("<f>{}", play.text("new"));
        play.act(
            ("dup2", libc::SYS_dup2),
            &[fd, 66],
            &[
                ("evt.arg.res", &name),
                ("evt.arg.oldfd", &name),
                ("evt.arg.newfd", &name),
                ("fd.name", &play.text("new")),
            ],
        );
    }
}
