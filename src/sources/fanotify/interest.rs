//! What rules are interested in, pushed down into the kernel.

use std::fmt;
use std::os::fd::AsFd as _;
use std::os::fd::BorrowedFd;
use std::time::Duration;

use super::FileWatch;
use super::MountChange;
use super::ignoring::Ignoring;
use super::places::Place;
use super::places::PlaceWatch;
use super::since_boot;
use crate::sources::Error;
use crate::sys::abi;
use crate::sys::fanotify;

/// Whether opens of a path are to be told.
pub type MayMatch = dyn Fn(&[u8]) -> bool + Send;

/// What is to be told of opens; see [`FileWatch::set_interest`].
pub struct Interest {
    /// Whether opens of a path, as our mount namespace shows it, are to be told.
    pub may_match: Box<MayMatch>,
    /// Where all paths lie of which that is true.
    pub places: Vec<Place>,
    /// There is no telling where: beside `places` they can be anywhere.
    pub is_anywhere: bool,
    /// Whether opens of directories are to be told.
    pub directories: bool,
}

impl fmt::Debug for Interest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Interest")
            .field("places", &self.places)
            .field("is_anywhere", &self.is_anywhere)
            .field("directories", &self.directories)
            .finish_non_exhaustive()
    }
}

/// The second group, nothing watched yet; `None` if it is not to be had: then the places that
/// rules name are not covered.
pub(super) fn start_places(flags: u32, event_flags: i32, mask: u64) -> Option<PlaceWatch> {
    PlaceWatch::start(fanotify::init(flags, event_flags).ok()?, mask).ok()
}

impl FileWatch {
    /// From now on opens that are of no interest need not be told: the kernel is asked to be
    /// silent of files that are opened and of no interest. Call it anew when the rules change.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if the list of mounts cannot be read.
    pub fn set_interest(&mut self, interest: Interest) -> Result<(), Error> {
        if let Some(ignoring) = &mut self.ignoring {
            ignoring.empty(self.group.as_fd(), since_boot());
        }
        if interest.directories && self.mask & abi::FAN_ONDIR == 0 {
            self.mask |= abi::FAN_ONDIR;
            self.namespaces.mark_anew();
        }
        let is_covered = match &mut self.places {
            Some(places) => places.set_places(interest.places.clone()),
            None => interest.places.is_empty(),
        };
        let mut ignoring = Ignoring::new(interest, is_covered);
        if let Some(before) = self.ignoring.take() {
            ignoring.succeed(before);
        }
        ignoring.set_views(self.mounts.table().values(), self.namespaces.mounts());
        self.ignoring = Some(ignoring);
        self.follow_mounts().map(drop)
    }

    /// Learns that a process has this root, as our mount namespace shows it: files below it have
    /// another path there.
    pub fn note_root(&mut self, root: &[u8]) {
        if let Some(ignoring) = &mut self.ignoring
            && ignoring.note_root(root)
        {
            ignoring.empty(self.group.as_fd(), since_boot());
        }
    }

    /// How many files the kernel is silent of, as far as is known.
    #[must_use]
    pub fn ignored_files(&self) -> usize {
        self.ignoring.as_ref().map_or(0, Ignoring::len)
    }

    /// In how many directories that rules name opens are told whatever is ignored.
    #[must_use]
    pub fn watched_directories(&self) -> usize {
        self.places.as_ref().map_or(0, PlaceWatch::len)
    }

    /// The descriptors to wait on beside the first group's.
    pub fn other_fds(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.places.iter().flat_map(|places| places.fd().into_iter().chain([places.newcomers_fd()]))
    }

    /// Marks directories that came to where rules name one. What came with them may be ignored.
    pub(super) fn follow_places(&mut self) {
        let Some(places) = &mut self.places else { return };
        if places.follow()
            && let Some(ignoring) = &mut self.ignoring
        {
            ignoring.set_covered(places.is_covered());
            ignoring.empty(self.group.as_fd(), since_boot());
        }
    }

    /// After a look at mounts: they may show files elsewhere.
    pub(super) fn look_at_views(&mut self, change: MountChange) {
        if change == MountChange::default() {
            return;
        }
        if let Some(ignoring) = &mut self.ignoring
            && ignoring.set_views(self.mounts.table().values(), self.namespaces.mounts())
        {
            ignoring.empty(self.group.as_fd(), since_boot());
        }
    }

    pub(super) fn tick_ignoring(&mut self, now: Duration) {
        if let Some(ignoring) = &mut self.ignoring {
            ignoring.tick(self.group.as_fd(), now);
        }
    }
}
