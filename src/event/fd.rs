//! An open descriptor as the rules see it; filled by `enrich`, read by `fields`.

use std::collections::hash_map::Entry;
use std::net::IpAddr;

use bumpalo::collections::Vec;
use rustc_hash::FxHashMap;

use super::Arena;
use super::thread::{Bytes, no_bytes};

/// The descriptors of a process by number.
///
/// It knows in which order they came, so that `fd.types` can list them as Falco does.
#[derive(Clone, Debug, Default)]
pub struct FdTable {
    slots: FxHashMap<i64, Slot>,
    /// The place of the next one.
    next: u32,
    /// How many buckets Falco's table has.
    buckets: u64,
    /// The places before which that number grew.
    growths: std::vec::Vec<u32>,
}

/// A descriptor and its place in the order of coming.
#[derive(Clone, Debug)]
struct Slot {
    place: u32,
    fd: Fd,
}

impl FdTable {
    /// The descriptor of that number.
    #[must_use]
    pub fn get(&self, num: &i64) -> Option<&Fd> {
        self.slots.get(num).map(|slot| &slot.fd)
    }

    /// The descriptor of that number, to be changed.
    pub fn get_mut(&mut self, num: &i64) -> Option<&mut Fd> {
        self.slots.get_mut(num).map(|slot| &mut slot.fd)
    }

    /// Whether there is one of that number.
    #[must_use]
    pub fn contains_key(&self, num: &i64) -> bool {
        self.slots.contains_key(num)
    }

    /// Puts a descriptor in; one of the same number is given back and leaves it its place.
    pub fn insert(&mut self, num: i64, fd: Fd) -> Option<Fd> {
        let place = self.next;
        let len = self.slots.len();
        match self.slots.entry(num) {
            Entry::Occupied(mut slot) => Some(std::mem::replace(&mut slot.get_mut().fd, fd)),
            Entry::Vacant(slot) => {
                slot.insert(Slot { place, fd });
                self.next = place.wrapping_add(1);
                if u64::try_from(len).is_ok_and(|len| len >= self.buckets) {
                    self.buckets = more_than(self.buckets);
                    self.growths.push(place);
                }
                None
            }
        }
    }

    /// Takes a descriptor out.
    pub fn remove(&mut self, num: &i64) -> Option<Fd> {
        self.slots.remove(num).map(|slot| slot.fd)
    }

    /// Takes out all for which `keep` is false.
    pub fn retain(&mut self, mut keep: impl FnMut(&i64, &mut Fd) -> bool) {
        self.slots.retain(|num, slot| keep(num, &mut slot.fd));
    }

    /// Takes out all.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// All numbers, in no order.
    pub fn keys(&self) -> impl Iterator<Item = &i64> {
        self.slots.keys()
    }

    /// All descriptors, in no order.
    pub fn values(&self) -> impl Iterator<Item = &Fd> {
        self.slots.values().map(|slot| &slot.fd)
    }

    /// All descriptors, to be changed, in no order.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut Fd> {
        self.slots.values_mut().map(|slot| &mut slot.fd)
    }

    /// All with their numbers, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (&i64, &Fd)> {
        self.slots.iter().map(|(num, slot)| (num, &slot.fd))
    }

    /// All with their numbers, to be changed, in no order.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (&i64, &mut Fd)> {
        self.slots.iter_mut().map(|(num, slot)| (num, &mut slot.fd))
    }

    /// Calls `visit` for all, in the order in which Falco's table has them: a hash table that puts
    /// what is new before what is old, and what shares a bucket beside it.
    pub fn for_each_in_falcos_order(&self, arena: &Arena, mut visit: impl FnMut(i64, &Fd)) {
        let mut slots = Vec::from_iter_in(self.slots.iter(), arena);
        slots.sort_unstable_by_key(|(_, slot)| slot.place);
        let mut growths = self.growths.iter().peekable();
        let mut order: Vec<'_, i64> = Vec::with_capacity_in(slots.len(), arena);
        let mut buckets = 0;
        for (num, slot) in slots {
            while growths.next_if(|place| **place <= slot.place).is_some() {
                buckets = more_than(buckets);
                order = spread(&order, buckets, arena);
            }
            put(&mut order, *num, buckets);
        }
        for _ in growths {
            buckets = more_than(buckets);
            order = spread(&order, buckets, arena);
        }
        for num in order {
            if let Some(fd) = self.get(&num) {
                visit(num, fd);
            }
        }
    }
}

/// Puts a number before the first one of its bucket, or before all.
fn put(order: &mut Vec<'_, i64>, num: i64, buckets: u64) {
    let bucket = |num: i64| num.cast_unsigned().checked_rem(buckets);
    let first = order.iter().position(|other| bucket(*other) == bucket(num));
    order.insert(first.unwrap_or(0), num);
}

/// The order after the table has grown.
fn spread<'a>(order: &[i64], buckets: u64, arena: &'a Arena) -> Vec<'a, i64> {
    let mut spread = Vec::with_capacity_in(order.len(), arena);
    order.iter().for_each(|num| put(&mut spread, *num, buckets));
    spread
}

/// The number of buckets that a table of libstdc++ grows to.
fn more_than(buckets: u64) -> u64 {
    const SIZES: [u64; 14] =
        [13, 29, 59, 127, 257, 541, 1109, 2357, 5087, 10273, 20753, 42043, 85229, 172_933];
    SIZES.into_iter().find(|size| *size > buckets).unwrap_or(u64::MAX)
}

impl FromIterator<(i64, Fd)> for FdTable {
    fn from_iter<I: IntoIterator<Item = (i64, Fd)>>(fds: I) -> Self {
        let mut table = Self::default();
        for (num, fd) in fds {
            table.insert(num, fd);
        }
        table
    }
}

/// One open descriptor.
#[derive(Clone, Debug)]
pub struct Fd {
    /// What it is.
    pub kind: FdKind,
    /// Path, link text or what else Falco names it. Where it is empty, a socket's text is made from
    /// its ends; what Falco names otherwise (`:::8443` of an IPv4 server) stands here.
    pub name: Bytes,
    /// The path as given to the system call.
    pub name_raw: Bytes,
    /// Falco's open flags.
    pub flags: u32,
    /// Device number in Falco's form; zero: unknown.
    pub dev: u32,
    /// Inode; zero: unknown.
    pub ino: u64,
    /// Ends of a socket.
    pub socket: Option<Socket>,
    /// The file lies in an overlay's upper layer.
    pub is_upper_layer: bool,
    /// The file lies in an overlay's lower layer.
    pub is_lower_layer: bool,
}

impl Fd {
    /// A descriptor of which nothing but its kind is known.
    #[must_use]
    pub fn new(kind: FdKind) -> Self {
        Self {
            kind,
            name: no_bytes(),
            name_raw: no_bytes(),
            flags: 0,
            dev: 0,
            ino: 0,
            socket: None,
            is_upper_layer: false,
            is_lower_layer: false,
        }
    }
}

/// What a descriptor is. The letter and the name of each are in `fields`' table.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[allow(missing_docs, reason = "Falco's kinds of descriptor")]
pub enum FdKind {
    #[default]
    Unknown,
    File,
    Directory,
    Ipv4Socket,
    Ipv6Socket,
    /// A bound or listening IPv4 socket: only its server end exists.
    Ipv4Server,
    /// A bound or listening IPv6 socket: only its server end exists.
    Ipv6Server,
    Pipe,
    UnixSocket,
    Event,
    Unsupported,
    Signal,
    EventPoll,
    Inotify,
    Timer,
    Netlink,
    Bpf,
    UserFault,
    IoUring,
    MemFd,
    PidFd,
}

/// What is known of a socket.
#[derive(Clone, Copy, Debug, Default)]
pub struct Socket {
    /// The client's end ("source" of the tuple); for servers unused.
    pub client: Option<(IpAddr, u16)>,
    /// The server's end ("destination" of the tuple); of a server its own address.
    pub server: Option<(IpAddr, u16)>,
    /// Kernel addresses of the two ends of a unix socket.
    pub unix_ends: (u64, u64),
    /// Transport protocol.
    pub protocol: Protocol,
    /// Which end the process has; `None` for a socket that was just made.
    pub role: Option<Role>,
    /// After connect, accept or a successful transfer.
    pub is_connected: bool,
}

/// Transport protocols that Falco tells apart.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Protocol {
    #[default]
    Unknown,
    NotApplicable,
    Tcp,
    Udp,
    Icmp,
    Raw,
}

/// Which end of a connection a process has.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Role {
    Client,
    Server,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(table: &FdTable) -> std::vec::Vec<i64> {
        let mut order = std::vec::Vec::new();
        table.for_each_in_falcos_order(&Arena::new(), |num, _| order.push(num));
        order
    }

    fn fd() -> Fd {
        Fd::new(FdKind::File)
    }

    #[test]
    fn what_came_last_is_first_and_what_shares_a_bucket_stays_together() {
        let mut table: FdTable = (0..4).map(|num| (num, fd())).collect();
        assert_eq!(order(&table), [3, 2, 1, 0]);
        table.insert(14, fd());
        assert_eq!(order(&table), [3, 2, 14, 1, 0]);
        table.remove(&2);
        table.insert(2, fd());
        assert_eq!(order(&table), [2, 3, 14, 1, 0]);
    }

    #[test]
    fn a_table_that_grows_is_turned_around() {
        let mut table: FdTable = (0..14).map(|num| (num, fd())).collect();
        assert_eq!(order(&table)[..4], [13, 0, 1, 2]);
        for num in 4..14 {
            table.remove(&num);
        }
        assert_eq!(order(&table), [0, 1, 2, 3]);
    }
}
