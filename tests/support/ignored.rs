//! Files that the kernel was told to be silent of, against the real kernel; the same on the floor.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;
use std::time::Instant;

use eyas::decode::Record;
use eyas::sources::FileWatch;
use eyas::sources::Source as _;
use eyas::sources::fanotify::Interest;
use eyas::sources::fanotify::Place;
use eyas::sys::abi;
use eyas::sys::poll;

/// How long anything may take before a test fails.
const PATIENCE: Duration = Duration::from_secs(30);

/// A watch that is interested in what lies below one directory.
#[derive(Debug)]
pub struct Stage {
    watch: FileWatch,
    top: tempfile::TempDir,
    markers: u32,
}

/// A program that opens a file for reading, ran to its end.
fn cat(path: &Path) -> i32 {
    let mut child = Command::new("cat").arg(path).stdout(Stdio::null()).spawn().unwrap();
    assert!(child.wait().unwrap().success(), "{}", path.display());
    i32::try_from(child.id()).unwrap()
}

/// Something done by another process than ours.
pub fn run(program: &str, arguments: &[&Path]) {
    assert!(Command::new(program).args(arguments).status().unwrap().success(), "{program}");
}

impl Stage {
    /// Interested in `watched` below its own directory.
    pub fn new(mut watch: FileWatch) -> Self {
        let top = tempfile::tempdir().unwrap();
        std::fs::create_dir(top.path().join("watched")).unwrap();
        std::fs::create_dir(top.path().join("other")).unwrap();
        let interest = interest(&top.path().join("watched"));
        watch.set_interest(interest).unwrap();
        Self { watch, top, markers: 0 }
    }

    /// Interested in what lies below another directory.
    pub fn look_at(&mut self, directory: &str) {
        self.watch.set_interest(interest(&self.path(directory))).unwrap();
    }

    /// A path of the stage.
    pub fn path(&self, name: &str) -> PathBuf {
        self.top.path().join(name)
    }

    /// Makes a file.
    pub fn file(&self, name: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, "x").unwrap();
        path
    }

    /// Opens a file and tells how often that is told: not before something after it is.
    pub fn opens(&mut self, path: &Path) -> usize {
        self.markers += 1;
        let marker = self.file(&format!("watched/marker-{}", self.markers));
        // Whatever waits is not about it; a directory that came is marked by that.
        self.drain();
        let pid = cat(path);
        let marking = cat(&marker);
        let deadline = Instant::now() + PATIENCE;
        let mut seen = Vec::new();
        let marker_text = marker.as_os_str().as_encoded_bytes();
        while !seen.iter().any(|(by, of): &(i32, Vec<u8>)| *by == marking && of == marker_text) {
            assert!(Instant::now() < deadline, "the marker is missing");
            poll::wait_readable(self.watch.fd(), Duration::from_millis(50)).unwrap();
            seen.extend(self.drain());
        }
        // What the other group tells of the same.
        seen.extend(self.drain());
        let wanted = path.as_os_str().as_encoded_bytes();
        seen.iter().filter(|(by, of)| *by == pid && of == wanted).count()
    }

    fn drain(&mut self) -> Vec<(i32, Vec<u8>)> {
        let mut seen = Vec::new();
        let mut sink = |record: Record<'_>| {
            if let Record::File(record) = record
                && record.mask & abi::FAN_OPEN != 0
            {
                seen.push((record.pid, record.path.to_vec()));
            }
        };
        while self.watch.drain(10_000, &mut sink).unwrap().more {}
        self.watch.follow_mounts().unwrap();
        seen
    }

    /// Makes a file and opens it until the kernel is silent of it.
    pub fn ignored(&mut self, name: &str) -> PathBuf {
        let path = self.file(name);
        let deadline = Instant::now() + PATIENCE;
        while self.opens(&path) > 0 {
            assert!(Instant::now() < deadline, "{} is never ignored", path.display());
        }
        path
    }
}

fn interest(directory: &Path) -> Interest {
    let mut beginning = directory.as_os_str().as_encoded_bytes().to_vec();
    beginning.push(b'/');
    let text = PathBuf::from(String::from_utf8(beginning.clone()).unwrap());
    Interest {
        may_match: Box::new(move |path| path.starts_with(&beginning)),
        places: vec![Place::Beginning(text)],
        is_anywhere: false,
        directories: false,
    }
}

/// A file that was ignored elsewhere is told of where it is of interest: once an open.
pub fn what_is_moved_or_linked_in_is_told(stage: &mut Stage) {
    let moved = stage.ignored("other/moved");
    let place = stage.path("watched/moved");
    run("mv", &[&moved, &place]);
    for _ in 0..3 {
        assert_eq!(stage.opens(&place), 1, "it was moved");
    }

    let linked = stage.ignored("other/linked");
    let place = stage.path("watched/linked");
    run("ln", &[&linked, &place]);
    for _ in 0..3 {
        assert_eq!(stage.opens(&place), 1, "it was given another name");
    }

    let inside = stage.ignored("other/inside");
    let new = stage.path("watched/new");
    run("mkdir", &[&new]);
    let place = new.join("inside");
    // By the time that something after it is told, it is marked.
    assert_eq!(stage.opens(&stage.path("watched/moved")), 1);
    run("mv", &[&inside, &place]);
    assert_eq!(stage.opens(&place), 1, "it was moved into a new directory");

    std::fs::create_dir(stage.path("other/tree")).unwrap();
    stage.ignored("other/tree/leaf");
    run("mv", &[&stage.path("other/tree"), &stage.path("watched/tree")]);
    let leaf = stage.path("watched/tree/leaf");
    assert_eq!(stage.opens(&leaf), 1, "it came with its directory");
}
