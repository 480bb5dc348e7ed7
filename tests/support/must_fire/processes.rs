//! Calls about processes, users, namespaces, mounts, the kernel itself.

use std::ffi::CString;
use std::fs;
use std::fs::File;
use std::os::fd::AsRawFd as _;

use super::Case;
use super::Play;
use super::in_child;

pub(super) const CASES: &[Case] = &[
    Case::new("execve", execve),
    Case::new("execveat", execveat),
    Case::new("setuid", setuid),
    Case::new("setresuid", setresuid),
    Case::new("setns", setns),
    Case::new("unshare", unshare),
    Case::new("mount", mount),
    Case::new("umount2", umount2),
    Case::new("ptrace", ptrace),
    Case::new("kill", kill),
    Case::new("init_module", init_module),
    Case::new("finit_module", finit_module),
    Case::new("bpf", bpf),
    Case::new("userfaultfd", userfaultfd),
    Case::new("prctl", prctl),
    Case::new("io_uring_setup", io_uring_setup),
    Case::new("keyctl", keyctl),
    Case::new("getcpu", generic),
];

/// `evt.arg` of a result: `0` or errno's name.
fn res(result: i64) -> String {
    let errno = i32::try_from(-result).unwrap_or(0);
    if result < 0 {
        format!("{:?}", nix::errno::Errno::from_raw(errno))
    } else {
        result.to_string()
    }
}

/// Makes a call, and tells what must be said of it beside its result.
fn act(play: &mut Play, call: (&str, libc::c_long), args: &[usize], fields: &[(&str, &str)]) {
    let result = play.call(call.1, args);
    let text = res(result);
    let fields = [&[("evt.arg.res", text.as_str())], fields].concat();
    play.tell(call.0, Some(result), &fields, &[]);
}

/// An array of C strings as exec takes it.
fn vector(words: &[CString]) -> Vec<usize> {
    words.iter().map(|word| word.as_ptr() as usize).chain([0]).collect()
}

fn execve(play: &mut Play) {
    let path = play.text("no-shell");
    fs::copy("/bin/true", &path).unwrap();
    let words = [c"other-name".to_owned(), c"one".to_owned(), c"two words".to_owned()];
    let (program, arguments) = (play.path("no-shell"), vector(&words));
    play.tell(
        "execve",
        Some(0),
        &[
            ("evt.arg.res", "0"),
            ("evt.arg.comm", "no-shell"),
            ("proc.name", "no-shell"),
            ("proc.exepath", &path),
            ("proc.cmdline", "no-shell one two words"),
        ],
        &[("evt.arg.exe", "other-name"), ("evt.arg.args", "one.two words.")],
    );
    in_child(|| {
        play.call(libc::SYS_execve, &[program.as_ptr() as usize, arguments.as_ptr() as usize, 0]);
        unreachable!("it can be run");
    });
    let missing = play.path("missing");
    play.act(
        ("execve", libc::SYS_execve),
        &[missing.as_ptr() as usize, arguments.as_ptr() as usize, 0],
        &[("evt.arg.res", "ENOENT")],
    );
}

fn execveat(play: &mut Play) {
    let missing = play.path("missing");
    let arguments = vector(&[c"x".to_owned()]);
    let cwd = libc::AT_FDCWD as usize;
    let result = play.call(
        libc::SYS_execveat,
        &[cwd, missing.as_ptr() as usize, arguments.as_ptr() as usize, 0, 0],
    );
    let text = res(result);
    play.tell("execveat", Some(result), &[("evt.arg.res", &text)], &[]);
}

/// Some other user: as root one that it can become, else one that it can't.
const OTHER: usize = 4242;

fn setuid(play: &mut Play) {
    act(play, ("setuid", libc::SYS_setuid), &[OTHER], &[("evt.rawarg.uid", "4242")]);
    // From there nobody comes back.
    act(play, ("setuid", libc::SYS_setuid), &[0], &[("evt.arg.uid", "root")]);
}

fn setresuid(play: &mut Play) {
    let unchanged = u32::MAX as usize;
    act(
        play,
        ("setresuid", libc::SYS_setresuid),
        &[unchanged, OTHER, unchanged],
        &[("evt.arg.ruid", "<NONE>"), ("evt.rawarg.euid", "4242"), ("evt.arg.suid", "<NONE>")],
    );
}

fn setns(play: &mut Play) {
    let own = File::open("/proc/self/ns/uts").unwrap();
    let fd = usize::try_from(own.as_raw_fd()).unwrap();
    let call = ("setns", libc::SYS_setns);
    let new_uts = libc::CLONE_NEWUTS as usize;
    act(play, call, &[fd, new_uts], &[("evt.arg.nstype", "CLONE_NEWUTS")]);
    act(play, call, &[77, 0], &[]);
}

fn unshare(play: &mut Play) {
    let flags = (libc::CLONE_NEWUTS | libc::CLONE_FS) as usize;
    act(
        play,
        ("unshare", libc::SYS_unshare),
        &[flags],
        &[("evt.arg.flags", "CLONE_FS|CLONE_NEWUTS")],
    );
}

/// Leaves the mounts of others alone. `false`: not allowed here.
fn own_mounts(play: &Play) -> bool {
    let is_own = play.call(libc::SYS_unshare, &[libc::CLONE_NEWNS as usize]) == 0;
    let flags = (libc::MS_REC | libc::MS_PRIVATE) as usize;
    let (none, root) = (c"none".as_ptr() as usize, c"/".as_ptr() as usize);
    is_own && play.call(libc::SYS_mount, &[none, root, 0, flags, 0]) == 0
}

fn mount(play: &mut Play) {
    let is_own = own_mounts(play);
    fs::create_dir(play.dir.join("here")).unwrap();
    // A place that isn't there, where it could be others' place.
    let name = if is_own { "here" } else { "missing" };
    let (at, text) = (play.path(name), play.text(name));
    let (device, kind) = (c"some-name".as_ptr() as usize, c"tmpfs".as_ptr() as usize);
    let flags = (libc::MS_NOSUID | libc::MS_NODEV) as usize;
    let result = play.call(libc::SYS_mount, &[device, at.as_ptr() as usize, kind, flags, 0]);
    let res = res(result);
    play.tell(
        "mount",
        Some(result),
        &[("evt.arg.res", &res), ("evt.arg.dir", &text), ("evt.arg.flags", "NOSUID|NODEV")],
        &[("evt.arg.dev", "some-name"), ("evt.arg.type", "tmpfs")],
    );
}

fn umount2(play: &mut Play) {
    let is_own = own_mounts(play);
    fs::create_dir(play.dir.join("here")).unwrap();
    let (at, text) = (play.path("here"), play.text("here"));
    if is_own {
        let (device, kind) = (c"none".as_ptr() as usize, c"tmpfs".as_ptr() as usize);
        play.call(libc::SYS_mount, &[device, at.as_ptr() as usize, kind, 0, 0]);
    }
    for _ in 0..2 {
        act(
            play,
            ("umount2", libc::SYS_umount2),
            &[at.as_ptr() as usize, libc::MNT_DETACH as usize],
            &[("evt.arg.name", &text), ("evt.arg.flags", "DETACH")],
        );
    }
}

fn ptrace(play: &mut Play) {
    let call = ("ptrace", libc::SYS_ptrace);
    act(play, call, &[0, 0, 0, 0], &[("evt.arg.request", "PTRACE_TRACEME")]);
    // No process has this number.
    act(play, call, &[16, 0x7fff_fff0, 0, 0], &[("evt.arg.request", "PTRACE_ATTACH")]);
}

fn kill(play: &mut Play) {
    let own = nix::unistd::getpid().as_raw();
    let call = ("kill", libc::SYS_kill);
    let own = usize::try_from(own).unwrap();
    // SIGURG is ignored unless asked for.
    let signal = libc::SIGURG as usize;
    act(play, call, &[own, signal], &[("evt.arg.pid", super::PLAYER), ("evt.arg.sig", "SIGURG")]);
    act(play, call, &[0x7fff_fff0, 9], &[("evt.arg.sig", "SIGKILL")]);
}

fn init_module(play: &mut Play) {
    let image = *b"not a module";
    let (at, options) = (image.as_ptr() as usize, c"debug=1".as_ptr() as usize);
    let result = play.call(libc::SYS_init_module, &[at, image.len(), options]);
    let res = res(result);
    play.tell(
        "init_module",
        Some(result),
        &[("evt.arg.res", &res), ("evt.arg.length", "12")],
        &[("evt.arg.uargs", "debug=1"), ("evt.arg.img", "not a module")],
    );
}

fn finit_module(play: &mut Play) {
    play.file("not-a-module.ko");
    let file = File::open(play.dir.join("not-a-module.ko")).unwrap();
    let text = play.text("not-a-module.ko");
    let fd = usize::try_from(file.as_raw_fd()).unwrap();
    let result = play.call(libc::SYS_finit_module, &[fd, c"debug=1".as_ptr() as usize, 1]);
    let res = res(result);
    play.tell(
        "finit_module",
        Some(result),
        &[("evt.arg.res", &res), ("evt.arg.flags", "MODULE_INIT_IGNORE_MODVERSIONS")],
        &[("evt.arg.uargs", "debug=1"), ("fd.name", &text)],
    );
}

fn bpf(play: &mut Play) {
    // A map of no kind.
    let attributes = [0xff_u8; 48];
    play.act(
        ("bpf", libc::SYS_bpf),
        &[0, attributes.as_ptr() as usize, attributes.len()],
        &[("evt.arg.cmd", "BPF_MAP_CREATE")],
    );
}

fn userfaultfd(play: &mut Play) {
    // Falco reads the flags as those of open(2), which have an access mode.
    let result = play.call(libc::SYS_userfaultfd, &[libc::O_CLOEXEC as usize]);
    play.tell("userfaultfd", Some(result), &[("evt.arg.flags", "O_RDONLY|O_CLOEXEC")], &[]);
    play.act(("userfaultfd", libc::SYS_userfaultfd), &[0x7777], &[]);
}

fn prctl(play: &mut Play) {
    let name = c"renamed".as_ptr() as usize;
    let result = play.call(libc::SYS_prctl, &[libc::PR_SET_NAME as usize, name]);
    play.tell(
        "prctl",
        Some(result),
        &[("evt.arg.res", "0"), ("evt.arg.option", "PR_SET_NAME"), ("proc.name", "renamed")],
        &[("evt.arg.arg2_str", "renamed")],
    );
    act(
        play,
        ("prctl", libc::SYS_prctl),
        &[libc::PR_SET_CHILD_SUBREAPER as usize, 1],
        &[("evt.arg.option", "PR_SET_CHILD_SUBREAPER"), ("evt.arg.arg2_int", "1")],
    );
}

fn io_uring_setup(play: &mut Play) {
    // `struct io_uring_params`, with a flag that doesn't exist: never a ring.
    let mut parameters = [0_u32; 30];
    parameters[2] = 0x8000_0000;
    act(
        play,
        ("io_uring_setup", libc::SYS_io_uring_setup),
        &[8, parameters.as_mut_ptr() as usize],
        &[("evt.arg.entries", "8")],
    );
}

fn keyctl(play: &mut Play) {
    // The session's keyring, not to be made: there or not, the answer is the truth.
    let result = play.call(libc::SYS_keyctl, &[0, (-3_isize).cast_unsigned(), 0]);
    let text = res(result);
    let told = if result < 0 { vec![("evt.arg.res", text.as_str())] } else { Vec::new() };
    play.tell("keyctl", Some(result), &told, &[]);
}

fn generic(play: &mut Play) {
    let result = play.call(libc::SYS_getcpu, &[0, 0, 0]);
    assert_eq!(result, 0);
    // Of such a call Falco tells the name alone.
    play.tell("getcpu", None, &[], &[]);
}
