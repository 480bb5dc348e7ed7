//! Docker for live tests: the daemon (started if none answers, stopped again), an image made from
//! programs of this machine, containers that are removed on drop. Nothing is pulled.

use std::fs;
use std::fs::File;
use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::Output;
use std::process::Stdio;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use nix::sys::signal::Signal;
use nix::sys::signal::kill;
use nix::unistd::Pid;

use super::host::unique;

/// Whether docker and what its image is made of are installed.
pub fn is_installed() -> bool {
    let found = |name: &str| {
        let path = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&path)
            .chain(["/usr/sbin".into(), "/bin".into()])
            .any(|dir| dir.join(name).exists())
    };
    found("docker") && found("dockerd") && found("busybox") && found("bash-static")
}

/// A daemon that answers, and the image: both are there as long as one of these is.
#[derive(Debug)]
pub struct Docker {
    image: String,
}

/// What all of this process's [`Docker`]s share. Made and ended under the lock.
#[derive(Debug)]
struct Shared {
    users: u32,
    /// The daemon, if it was started here.
    daemon: Option<Child>,
    image: String,
}

static SHARED: Mutex<Shared> = Mutex::new(Shared { users: 0, daemon: None, image: String::new() });

fn shared() -> MutexGuard<'static, Shared> {
    SHARED.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Docker {
    /// The one that this process uses.
    pub fn get() -> Self {
        let mut shared = shared();
        if shared.users == 0 {
            if shared.daemon.is_none() && !answers() {
                shared.daemon = Some(start_daemon());
            }
            shared.image = format!("eyas-test:{}-{}", std::process::id(), unique());
            if let Err(told) = import_image(&shared.image) {
                shared.stop_daemon();
                panic!("no image: {told}");
            }
        }
        shared.users += 1;
        Self { image: shared.image.clone() }
    }

    /// What its containers are made of: busybox in /bin, bash and true with their libraries in
    /// /usr/bin.
    pub fn image(&self) -> &str {
        &self.image
    }

    /// Starts a container of that image that stays; `arguments` go to `docker run`.
    pub fn container(&self, arguments: &[&str]) -> Container {
        let name = format!("eyas-test-{}-{}", std::process::id(), unique());
        let out = docker(
            &[
                &["run", "--detach", "--network", "none", "--name", &name],
                arguments,
                &[&self.image, "/bin/sleep", "3600"],
            ]
            .concat(),
        );
        let id = String::from_utf8_lossy(&out.stdout).trim().to_owned();
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        Container { id, name, _docker: Self::get() }
    }
}

impl Drop for Docker {
    fn drop(&mut self) {
        let mut shared = shared();
        shared.users -= 1;
        if shared.users > 0 {
            return;
        }
        docker(&["rmi", "--force", &self.image]);
        shared.stop_daemon();
    }
}

impl Shared {
    fn stop_daemon(&mut self) {
        if let Some(mut daemon) = self.daemon.take() {
            let _ = kill(Pid::from_raw(daemon.id().cast_signed()), Signal::SIGTERM);
            let _ = daemon.wait();
        }
    }
}

/// A running container; removed on drop.
#[derive(Debug)]
pub struct Container {
    /// All 64 digits of its id.
    pub id: String,
    /// Its name.
    pub name: String,
    _docker: Docker,
}

impl Container {
    /// The id as rules see it.
    pub fn short_id(&self) -> &str {
        &self.id[..12]
    }

    /// `docker exec` with these options in front of the container's name.
    pub fn exec(&self, options: &[&str], command: &[&str]) -> Command {
        let mut exec = Command::new("docker");
        exec.arg("exec").args(options).arg(&self.name).args(command);
        exec
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        docker(&["rm", "--force", "--volumes", &self.name]);
    }
}

const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\nwww-data:x:33:33:www:/var/www:/bin/false\n";

fn import_image(image: &str) -> Result<(), String> {
    let root = tempfile::tempdir().unwrap();
    for dir in ["bin", "usr/bin", "etc/ssh", "tmp", "root", "proc", "dev", "sys", "var/run"] {
        fs::create_dir_all(root.path().join(dir)).unwrap();
    }
    copy(first_of(&["/bin/busybox", "/usr/bin/busybox"]), &root.path().join("bin/busybox"));
    for applet in ["sh", "cat", "sleep", "ln", "mkdir", "rm", "true", "dirname", "tar"] {
        std::os::unix::fs::symlink("busybox", root.path().join("bin").join(applet)).unwrap();
    }
    copy("/bin/bash-static".as_ref(), &root.path().join("bin/bash"));
    for program in ["bash", "true"] {
        copy_dynamic(&format!("/bin/{program}"), root.path(), &format!("usr/bin/{program}"));
    }
    fs::write(root.path().join("etc/passwd"), PASSWD).unwrap();
    fs::write(root.path().join("etc/group"), "root:x:0:\nwww-data:x:33:\n").unwrap();
    let mut tar = Command::new("tar")
        .args(["-c", "."])
        .current_dir(root.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let import = Command::new("docker")
        .args(["import", "-", image])
        .stdin(tar.stdout.take().unwrap())
        .output()
        .unwrap();
    tar.wait().unwrap();
    let told = || String::from_utf8_lossy(&import.stderr).into_owned();
    if import.status.success() { Ok(()) } else { Err(told()) }
}

fn docker(arguments: &[&str]) -> Output {
    Command::new("docker").args(arguments).stdin(Stdio::null()).output().unwrap()
}

fn answers() -> bool {
    docker(&["version", "--format", "{{.Server.Version}}"]).status.success()
}

fn start_daemon() -> Child {
    let log = PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
        .join(format!("dockerd-{}.log", std::process::id()));
    let file = File::create(&log).unwrap();
    // Containers need no network here, and not every machine has what dockerd needs for one.
    let mut daemon = Command::new("dockerd")
        .args(["--iptables=false", "--ip6tables=false", "--bridge=none"])
        .stdin(Stdio::null())
        .stdout(file.try_clone().unwrap())
        .stderr(file)
        .spawn()
        .unwrap();
    let deadline = Instant::now() + Duration::from_secs(90);
    while !answers() {
        let told = || String::from_utf8_lossy(&fs::read(&log).unwrap_or_default()).into_owned();
        assert!(matches!(daemon.try_wait(), Ok(None)), "dockerd ended:\n{}", told());
        if Instant::now() > deadline {
            let _ = daemon.kill();
            panic!("dockerd doesn't answer:\n{}", told());
        }
        thread::sleep(Duration::from_millis(100));
    }
    daemon
}

fn first_of<'a>(paths: &'a [&'a str]) -> &'a Path {
    Path::new(paths.iter().find(|path| Path::new(path).exists()).unwrap())
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to.parent().unwrap()).unwrap();
    fs::copy(from, to).unwrap_or_else(|error| panic!("{}: {error}", from.display()));
}

/// Copies a dynamically linked program with its loader and libraries, where ldd knows them.
fn copy_dynamic(program: &str, root: &Path, to: &str) {
    let ldd = Command::new("ldd").arg(program).output();
    let text =
        ldd.map_or_else(|_| String::new(), |out| String::from_utf8_lossy(&out.stdout).into());
    for library in text.split_whitespace().filter(|word| word.starts_with('/')) {
        copy(library.as_ref(), &root.join(library.trim_start_matches('/')));
    }
    copy(program.as_ref(), &root.join(to));
}
