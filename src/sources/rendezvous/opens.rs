//! The rendezvous with tasks that open what rules name, seen from the agent's loop.
//!
//! Marked are the directories of those places, for the files in them: so files that come later are
//! met, too. Named files that are there are marked by themselves where the kernel asks once for
//! both marks (5.9), so that another name of theirs is met. The group is another than that for
//! programs: old kernels ask twice for a file and its directory in one group.
//!
//! Where programs and libraries lie nothing is marked: whoever calls this leaves such places out.
//! Nor is anything on filesystems of a network or of a process (NFS, FUSE), or where others than root
//! may put files: the kernel opens for us what others open, denies it to them if that fails, and
//! waits with us while the owner of a file has a lease on it.

use std::os::fd::BorrowedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::path::PathBuf;

use super::Watching;
use super::fail;
use super::inbox::OpenInbox;
use super::named::Named;
use super::often::Often;
use super::openers::Openers;
use super::post::Post;
use super::ring;
use crate::probe::Feature;
use crate::procfs::standing::Standing;
use crate::sources::Error;
use crate::sources::Guardian;
use crate::sources::fanotify::MayMatch;
use crate::sources::fanotify::Place;
use crate::sources::fanotify::places::PlaceWatch;
use crate::sources::fanotify::places::may_ask;
use crate::sources::guardian::Ward;
use crate::sys::abi;
use crate::sys::clock;
use crate::sys::fanotify;
use crate::sys::poll::Bell;

/// About how many bytes of looks may wait for the agent's loop.
const ROOM: usize = 1 << 20;

/// The same of opens that nobody looked at.
const ROOM_OF_UNTOLD: usize = 64 << 10;

/// To look at an open, and to learn that it has succeeded.
const MASK: u64 = abi::FAN_OPEN_PERM | abi::FAN_OPEN;

/// Most directories that are marked: every open of a file there waits.
const MAX_DIRECTORIES: usize = 1024;

/// The rendezvous; dropping it ends it and its marks.
#[derive(Debug)]
pub struct OpenRendezvous {
    post: Post,
    marks: PlaceWatch,
    places: Vec<Place>,
    named: Named,
    files: Vec<PathBuf>,
    marks_files: bool,
    often: Often,
}

impl OpenRendezvous {
    /// Makes group and threads, entrusts the group to the guardian, and then marks `places`, but
    /// for what `avoids` says is to be left out. `proc`: the directory of processes.
    ///
    /// # Errors
    ///
    /// [`Error::Denied`] without `CAP_SYS_ADMIN`; [`Error::Unsupported`] on a kernel without
    /// permission events; [`Error::Io`] if there is no guardian.
    pub fn start(
        guardian: &mut Guardian,
        proc: &Path,
        places: Vec<Place>,
        avoids: fn(&Path) -> bool,
    ) -> Result<(Self, OpenInbox), Error> {
        Self::start_with(guardian, proc, places, avoids, Feature::is_present("fanotify-report-tid"))
    }

    /// The same; with `has_tid` the kernel is asked to name threads, without it finds them as on
    /// kernels that name processes only.
    ///
    /// # Errors
    ///
    /// As above.
    pub fn start_with(
        guardian: &mut Guardian,
        proc: &Path,
        places: Vec<Place>,
        avoids: fn(&Path) -> bool,
        has_tid: bool,
    ) -> Result<(Self, OpenInbox), Error> {
        let (writer, looks) = ring::ring(ROOM);
        let (untold_writer, untold) = ring::ring(ROOM_OF_UNTOLD);
        let named = named(&places);
        let bell = Bell::new().map_err(fail("eventfd"))?;
        let far_bell = bell.far();
        let inbox = OpenInbox::new((looks, untold), bell, has_tid);
        let openers = Openers::new((writer, untold_writer), far_bell, named.clone(), has_tid);
        let watching = Watching::Openers(Box::new(openers));
        let more = if has_tid { abi::FAN_REPORT_TID } else { 0 };
        let post = Post::start(guardian, Ward::DirectoryGroup, proc, more, watching)?;
        let group = post.group().and_then(|group| group.try_clone_to_owned().ok());
        let marks = group.ok_or_else(|| std::io::Error::from_raw_os_error(libc::EMFILE));
        let marks = marks.and_then(|group| PlaceWatch::start(group, MASK));
        let mut post = Some(post);
        let marks = marks.map_err(fail("inotify_init1")).inspect_err(|_| {
            if let Some(mut post) = post.take() {
                post.end(guardian);
            }
        })?;
        let Some(post) = post else { return Err(super::no_file()) };
        let files = places.iter().filter_map(Place::file).map(Path::to_owned).collect();
        let marks = marks.at_most(MAX_DIRECTORIES).avoiding(avoids);
        let marks_files = Feature::is_present("fanotify-report-name");
        let often = Often::new(Box::new(|_| true));
        let mut rendezvous = Self { post, marks, places, named, files, marks_files, often };
        rendezvous.marks.set_places(rendezvous.places.clone());
        rendezvous.mark_files();
        Ok((rendezvous, inbox))
    }

    /// The places that it was started with.
    #[must_use]
    pub fn places(&self) -> &[Place] {
        &self.places
    }

    /// Becomes readable when a directory may have come: call [`follow`](Self::follow).
    #[must_use]
    pub fn newcomers_fd(&self) -> BorrowedFd<'_> {
        self.marks.newcomers_fd()
    }

    /// Marks directories that came.
    pub fn follow(&mut self) {
        self.marks.follow();
    }

    /// Marks files again, which may have been replaced. Call it each second.
    pub fn tick(&mut self) {
        self.mark_files();
        self.often.take_back(self.post.group(), clock::monotonic_ns());
    }

    /// From now on files of which this is false, and which are read often, are left alone for a
    /// while: whether a rule can match an open of a path that only reads.
    pub fn set_reads_matter(&mut self, reads_matter: Box<MayMatch>) {
        self.often.set(self.post.group(), reads_matter);
    }

    /// Notes an open that was looked at and has succeeded; whether its file is left alone from now
    /// on.
    pub fn note_opened(&mut self, look: &Standing<'_>) -> bool {
        self.post.group().is_some_and(|group| self.often.note(group, look))
    }

    /// Whether records of opens of a file, device and inode, count whatever is looked at.
    #[must_use]
    pub fn leaves_alone(&self, file: (u64, u64)) -> bool {
        self.often.leaves(file)
    }

    /// Notes that a file was written to.
    pub fn note_written(&mut self, file: (u64, u64)) {
        self.often.take_back_file(self.post.group(), file);
    }

    /// Nobody else tells of opens: nothing is left alone.
    pub fn leave_none_alone(&mut self) {
        self.often.take_back(self.post.group(), u64::MAX);
    }

    /// Call it at the end of a turn in which all records of files were read.
    pub fn settle(&mut self) {
        self.often.settle();
    }

    /// How many directories are marked.
    #[must_use]
    pub fn directories(&self) -> usize {
        self.marks.len()
    }

    /// Whether all directories of the places are marked, but for those that are left out.
    #[must_use]
    pub const fn is_covered(&self) -> bool {
        self.marks.is_covered()
    }

    /// Whether a path is one of those that are looked at.
    #[must_use]
    pub fn names(&self, path: &[u8]) -> bool {
        self.named.names(path)
    }

    /// The watched path by which a file is known that was opened under another: a hard link, or
    /// through another mount.
    #[must_use]
    pub fn watched_name(&self, path: &[u8], file: (u64, u64)) -> Option<Vec<u8>> {
        let is_it = |path: &[u8]| {
            crate::sys::fs::stat_path(path).is_ok_and(|stat| (stat.dev, stat.ino) == file)
        };
        let files = self.files.iter().map(|file| file.as_os_str().as_bytes().to_vec());
        let name = path.iter().rposition(|&byte| byte == b'/').and_then(|at| path.get(at + 1..))?;
        let beside = self.marks.directories().map(|directory| {
            let directory = directory.as_os_str().as_bytes();
            let directory = if directory == b"/" { b"" } else { directory };
            [directory, b"/", name].concat()
        });
        files.chain(beside).find(|other| other != path && is_it(other))
    }

    /// Ends it: nobody waits for us from here on.
    pub fn end(&mut self, guardian: &mut Guardian) {
        // Its descriptor of the group has to be closed, too.
        self.marks.close();
        self.post.end(guardian);
    }

    fn mark_files(&self) {
        let Some(group) = self.post.group().filter(|_| self.marks_files) else { return };
        for file in self.files.iter().filter(|file| may_ask(file)) {
            let flags = abi::FAN_MARK_ADD | abi::FAN_MARK_DONT_FOLLOW;
            // It may not be there; then its directory's mark sees it come.
            let _ = fanotify::mark(group, flags, MASK, file);
        }
    }
}

/// What the looker knows of the places.
fn named(places: &[Place]) -> Named {
    let mut named = Named::default();
    for place in places {
        let (list, path) = match place {
            Place::File(path) => (&mut named.files, path),
            Place::Directory(path) => (&mut named.directories, path),
            Place::Beginning(text) => (&mut named.beginnings, text),
        };
        list.push(path.as_os_str().as_bytes().into());
    }
    named
}
