//! A `/proc` made of files, for tests that need neither root nor processes.
#![allow(
    dead_code,
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "each test uses a part; a broken one may panic"
)]

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::path::PathBuf;

use eyas::enrich::Settings;

/// When the fake system started, in seconds since the epoch.
pub const BOOT_SECONDS: u64 = 1_000_000;

/// The pid that the settings give as our own.
pub const OWN: i32 = 99;

/// A directory with processes, a root of the host and the state of docker in it.
#[derive(Debug)]
pub struct FakeProc {
    dir: tempfile::TempDir,
}

/// A process to be; every member has a plain value.
#[derive(Clone, Debug)]
pub struct FakeProcess<'a> {
    pub pid: i32,
    pub ppid: i32,
    pub comm: &'a str,
    /// With a NUL behind each.
    pub cmdline: &'a str,
    pub environ: &'a str,
    pub exe: &'a str,
    pub cwd: &'a str,
    pub root: &'a str,
    pub uid: u32,
    pub gid: u32,
    pub cgroup: &'a str,
    pub start_ticks: u64,
    /// Changes with each exec.
    pub image: u64,
    pub tty: u32,
    pub loginuid: u32,
    pub is_exiting: bool,
    pub pid_ns: &'a str,
    pub threads: u32,
}

impl Default for FakeProcess<'_> {
    fn default() -> Self {
        Self {
            pid: 1,
            ppid: 0,
            comm: "init",
            cmdline: "/sbin/init\0",
            environ: "PATH=/bin\0",
            exe: "/usr/sbin/init",
            cwd: "/",
            root: "/",
            uid: 0,
            gid: 0,
            cgroup: "1:memory:/\n",
            start_ticks: 100,
            image: 1,
            tty: 0,
            loginuid: u32::MAX,
            is_exiting: false,
            pid_ns: "pid:[1]",
            threads: 1,
        }
    }
}

impl FakeProc {
    /// One with init and our own process.
    pub fn new() -> Self {
        let fake = Self { dir: tempfile::tempdir().unwrap() };
        fs::create_dir_all(fake.root().join("etc")).unwrap();
        fs::create_dir_all(fake.path()).unwrap();
        fs::write(fake.path().join("stat"), format!("cpu 0\nbtime {BOOT_SECONDS}\n")).unwrap();
        fs::write(fake.root().join("etc/passwd"), "root:x:0:0::/root:/bin/sh\n").unwrap();
        fs::write(fake.root().join("etc/group"), "root:x:0:\n").unwrap();
        fake.put(&FakeProcess::default());
        fake.put(&FakeProcess { pid: OWN, ppid: 1, comm: "eyas", ..FakeProcess::default() });
        fake
    }

    /// The directory to give to the enricher.
    pub fn path(&self) -> PathBuf {
        self.dir.path().join("proc")
    }

    /// The root of the host's file system.
    pub fn root(&self) -> PathBuf {
        self.dir.path().join("root")
    }

    /// Where docker's state is.
    pub fn docker(&self) -> PathBuf {
        self.dir.path().join("docker")
    }

    /// Settings that lead here.
    pub fn settings(&self) -> Settings {
        Settings {
            host_root: self.root(),
            docker_root: self.docker(),
            containerd_state: self.dir.path().join("containerd"),
            own_pid: OWN,
            has_open_exec: true,
            ..Settings::default()
        }
    }

    /// Puts a process there, in place of one of its number. Its descriptors stay.
    pub fn put(&self, process: &FakeProcess<'_>) {
        let dir = self.process(process.pid);
        fs::create_dir_all(dir.join("ns")).unwrap();
        fs::create_dir_all(dir.join("fd")).unwrap();
        fs::create_dir_all(dir.join("fdinfo")).unwrap();
        let (pid, uid, gid) = (process.pid, process.uid, process.gid);
        let flags = if process.is_exiting { 0x40_0004 } else { 0x40_0000 };
        let state = if process.is_exiting { 'Z' } else { 'S' };
        let image = if process.is_exiting { 0 } else { process.image };
        let mut stat = format!("{pid} ({}) {state} {} {pid} {pid}", process.comm, process.ppid);
        let (tty, threads) = (process.tty, process.threads);
        write!(stat, " {tty} -1 {flags} 5 0 6 0 0 0 0 0 20 0 {threads} 0").unwrap();
        write!(stat, " {} 0 0 0 0 0 {image}", process.start_ticks).unwrap();
        writeln!(stat, "{} {image} 0 0 0 0", " 0".repeat(19)).unwrap();
        let status = format!(
            "Name:\t{}\nUid:\t{uid}\t{uid}\t{uid}\t{uid}\nGid:\t{gid}\t{gid}\t{gid}\t{gid}\n\
             Groups:\t\nVmSize:\t 10 kB\nVmRSS:\t 5 kB\nVmSwap:\t 0 kB\n\
             CapInh:\t0\nCapPrm:\t0\nCapEff:\t0\n",
            process.comm
        );
        let has_memory = !process.is_exiting;
        let text = |text: &str| if has_memory { text.to_owned() } else { String::new() };
        for (name, content) in [
            ("stat", stat),
            ("status", status),
            ("cmdline", text(process.cmdline)),
            ("environ", text(process.environ)),
            ("cgroup", if has_memory { process.cgroup } else { "1:memory:/\n" }.to_owned()),
            ("loginuid", process.loginuid.to_string()),
            (
                "limits",
                "Max open files            1024                 4096                 files\n"
                    .to_owned(),
            ),
        ] {
            fs::write(dir.join(name), content).unwrap();
        }
        for (name, target) in [
            ("exe", process.exe),
            ("cwd", process.cwd),
            ("root", process.root),
            ("ns/pid", process.pid_ns),
        ] {
            let _ = fs::remove_file(dir.join(name));
            if has_memory || name.starts_with("ns") {
                symlink(target, dir.join(name)).unwrap();
            }
        }
    }

    /// The process is no more, not even as a zombie.
    pub fn remove(&self, pid: i32) {
        fs::remove_dir_all(self.process(pid)).unwrap();
    }

    /// The process has a file open, with the kernel's flags.
    pub fn open(&self, pid: i32, number: i32, file: &Path, flags: u32) {
        let dir = self.process(pid);
        symlink(file, dir.join("fd").join(number.to_string())).unwrap();
        let info = format!("pos:\t0\nflags:\t0{flags:o}\nmnt_id:\t1\n");
        fs::write(dir.join("fdinfo").join(number.to_string()), info).unwrap();
    }

    /// The process closes a descriptor.
    pub fn close(&self, pid: i32, number: i32) {
        fs::remove_file(self.process(pid).join("fd").join(number.to_string())).unwrap();
    }

    /// A file on the fake host that can be opened; its path.
    pub fn file(&self, name: &str) -> PathBuf {
        let path = self.root().join(name);
        fs::write(&path, name).unwrap();
        path
    }

    fn process(&self, pid: i32) -> PathBuf {
        self.path().join(pid.to_string())
    }
}
