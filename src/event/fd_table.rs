//! The descriptors of a process by number, in the order in which Falco lists them.

use std::ops::Deref;
use std::sync::Arc;

use super::Arena;
use super::fd::Fd;
use super::fd_order::{Chain, Links, NONE, more_than};

/// The descriptors of a process.
#[derive(Clone, Debug)]
pub struct FdTable {
    /// By node: number, next node, descriptor. Nodes without a descriptor are free.
    nums: Vec<i64>,
    next: Vec<u32>,
    fds: Vec<Option<Fd>>,
    free: Vec<u32>,
    buckets: Vec<u32>,
    first: u32,
}

impl Default for FdTable {
    fn default() -> Self {
        Self {
            nums: Vec::new(),
            next: Vec::new(),
            fds: Vec::new(),
            free: Vec::new(),
            buckets: Vec::new(),
            first: NONE,
        }
    }
}

impl FdTable {
    /// The descriptor of that number.
    #[must_use]
    pub fn get(&self, num: i64) -> Option<&Fd> {
        self.fds.get(self.node(num)?)?.as_ref()
    }

    /// The descriptor of that number, to be changed.
    pub fn get_mut(&mut self, num: i64) -> Option<&mut Fd> {
        let node = self.node(num)?;
        self.fds.get_mut(node)?.as_mut()
    }

    /// Whether there is one of that number.
    #[must_use]
    pub fn contains(&self, num: i64) -> bool {
        self.node(num).is_some()
    }

    /// Puts a descriptor in; one of the same number is given back and leaves it its place.
    pub fn insert(&mut self, num: i64, fd: Fd) -> Option<Fd> {
        if let Some(known) = self.get_mut(num) {
            return Some(std::mem::replace(known, fd));
        }
        if self.len() >= self.buckets.len() {
            let more = more_than(self.buckets.len());
            self.buckets.clear();
            self.buckets.resize(more, NONE);
            self.links().relink();
        }
        let node = self.new_node(num, fd);
        self.links().link(node);
        None
    }

    /// Takes a descriptor out.
    pub fn remove(&mut self, num: i64) -> Option<Fd> {
        let (before, node) = self.chain().find(num)?;
        self.links().unlink(before, node);
        self.free.push(node);
        self.fds.get_mut(node as usize)?.take()
    }

    /// Takes out all for which `keep` is false.
    pub fn retain(&mut self, mut keep: impl FnMut(i64, &Fd) -> bool) {
        let gone: Vec<i64> =
            self.iter().filter(|(num, fd)| !keep(*num, fd)).map(|(num, _)| num).collect();
        for num in gone {
            self.remove(num);
        }
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.nums.len() - self.free.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All with their numbers, in the order in which they stand.
    pub fn iter(&self) -> impl Iterator<Item = (i64, &Fd)> {
        let nodes =
            std::iter::successors(Some(self.first), |node| self.next.get(*node as usize).copied());
        nodes.map_while(|node| {
            let num = self.nums.get(node as usize)?;
            Some((*num, self.fds.get(node as usize)?.as_ref()?))
        })
    }

    /// All with their numbers, to be changed, in no order.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (i64, &mut Fd)> {
        let all = self.nums.iter().zip(&mut self.fds);
        all.filter_map(|(num, fd)| Some((*num, fd.as_mut()?)))
    }

    /// The table that has taken all elements of this one, one by one.
    fn taken_over(mut self) -> Self {
        let order: Vec<i64> = self.iter().map(|(num, _)| num).collect();
        let mut other = Self::default();
        for num in order {
            if let Some(fd) = self.remove(num) {
                other.insert(num, fd);
            }
        }
        other
    }

    fn node(&self, num: i64) -> Option<usize> {
        self.chain().find(num).map(|(_, node)| node as usize)
    }

    fn new_node(&mut self, num: i64, fd: Fd) -> u32 {
        if let Some(node) = self.free.pop() {
            let at = node as usize;
            if let (Some(place), Some(slot)) = (self.nums.get_mut(at), self.fds.get_mut(at)) {
                (*place, *slot) = (num, Some(fd));
            }
            return node;
        }
        let node = u32::try_from(self.nums.len()).unwrap_or(NONE);
        self.nums.push(num);
        self.next.push(NONE);
        self.fds.push(Some(fd));
        node
    }

    fn chain(&self) -> Chain<'_> {
        let Self { nums, next, buckets, first, .. } = self;
        Chain { nums, next, buckets, first: *first }
    }

    fn links(&mut self) -> Links<'_> {
        let Self { nums, next, buckets, first, .. } = self;
        Links { nums, next, buckets, first }
    }
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

/// A table of descriptors as one process sees it: shared with the processes that have it from the
/// same fork, until one of them changes it.
///
/// Falco copies the table at every fork, element by element into an empty one, which turns its
/// order around; here that is made up for when somebody asks.
#[derive(Clone, Debug, Default)]
pub struct Fds {
    table: Arc<FdTable>,
    /// How many forks lie between the process that filled the table and this one.
    copies: u8,
}

impl Fds {
    /// After so many copies that were never looked at, the table is copied indeed.
    const MAX_COPIES: u8 = 8;

    /// The table that a child gets.
    #[must_use]
    pub fn inherited(&self) -> Self {
        let mut child = self.clone();
        if child.copies == Self::MAX_COPIES {
            child.to_mut();
        }
        child.copies += 1;
        child
    }

    /// The table, to be changed; it is this process's own from then on.
    pub fn to_mut(&mut self) -> &mut FdTable {
        let table = Arc::make_mut(&mut self.table);
        for _ in 0..std::mem::take(&mut self.copies) {
            *table = std::mem::take(table).taken_over();
        }
        table
    }

    /// Calls `visit` for all, in the order in which Falco's table has them.
    pub fn for_each_in_falcos_order(&self, arena: &Arena, mut visit: impl FnMut(&Fd)) {
        if self.copies == 0 {
            return self.table.iter().for_each(|(_, fd)| visit(fd));
        }
        let all = self.table.iter().map(|(num, _)| num);
        let mut order = bumpalo::collections::Vec::from_iter_in(all, arena).into_bump_slice();
        for _ in 0..self.copies {
            order = taken_over(order, arena);
        }
        order.iter().filter_map(|num| self.table.get(*num)).for_each(&mut visit);
    }
}

/// The order of the table that has taken all elements of `order`, one by one.
fn taken_over<'a>(order: &[i64], arena: &'a Arena) -> &'a [i64] {
    let next = arena.alloc_slice_fill_copy(order.len(), NONE);
    let mut buckets: &mut [u32] = &mut [];
    let mut first = NONE;
    for (node, count) in (0..).zip(0..order.len()) {
        if count >= buckets.len() {
            buckets = arena.alloc_slice_fill_copy(more_than(buckets.len()), NONE);
            Links { nums: order, next, buckets, first: &mut first }.relink();
        }
        Links { nums: order, next, buckets, first: &mut first }.link(node);
    }
    let nodes = std::iter::successors(Some(first), |node| next.get(*node as usize).copied());
    let nums = nodes.map_while(|node| order.get(node as usize).copied());
    bumpalo::collections::Vec::from_iter_in(nums, arena).into_bump_slice()
}

impl Deref for Fds {
    type Target = FdTable;

    fn deref(&self) -> &FdTable {
        &self.table
    }
}

impl From<Arc<FdTable>> for Fds {
    fn from(table: Arc<FdTable>) -> Self {
        Self { table, copies: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::FdKind;

    fn fd() -> Fd {
        Fd::new(FdKind::File)
    }

    fn table(nums: impl IntoIterator<Item = i64>) -> FdTable {
        nums.into_iter().map(|num| (num, fd())).collect()
    }

    fn order(table: &FdTable) -> Vec<i64> {
        table.iter().map(|(num, _)| num).collect()
    }

    #[test]
    fn what_came_last_is_first_and_what_shares_a_bucket_stays_together() {
        let mut table = table(0..4);
        assert_eq!(order(&table), [3, 2, 1, 0]);
        table.insert(14, fd());
        assert_eq!(order(&table), [3, 2, 14, 1, 0]);
        table.remove(2);
        table.insert(2, fd());
        assert_eq!(order(&table), [2, 3, 14, 1, 0]);
        // The bucket's other one is gone; the place is still its bucket's.
        table.remove(1);
        assert_eq!(order(&table), [2, 3, 14, 0]);
    }

    #[test]
    fn a_table_that_grows_is_turned_around() {
        let mut table = table(0..14);
        assert_eq!(order(&table)[..4], [13, 0, 1, 2]);
        for num in 4..14 {
            table.remove(num);
        }
        assert_eq!(order(&table), [0, 1, 2, 3]);
    }

    #[test]
    fn a_fork_turns_the_order_around_and_leaves_the_parents_as_it_is() {
        let parent = Fds::from(Arc::new(table([0, 1, 2, 15])));
        let mut child = parent.inherited();
        let listed = |fds: &Fds| {
            let mut all = Vec::new();
            fds.for_each_in_falcos_order(&Arena::new(), |fd| all.push(fd.ino));
            all
        };
        for (num, fd) in child.to_mut().iter_mut() {
            fd.ino = num.cast_unsigned();
        }
        let parent = child.clone();
        let mut child = parent.inherited();
        assert_eq!(listed(&parent), [0, 1, 2, 15]);
        assert_eq!(listed(&child), [15, 2, 1, 0]);
        assert_eq!(order(child.to_mut()), [15, 2, 1, 0]);
        assert_eq!(listed(&parent.inherited().inherited()), [0, 1, 2, 15]);
    }

    #[test]
    fn many_forks_without_a_change_are_as_many_copies() {
        let mut fds = Fds::from(Arc::new(table(0..40)));
        let mut plain = table(0..40);
        for _ in 0..21 {
            fds = fds.inherited();
            plain = plain.taken_over();
        }
        assert_eq!(order(fds.to_mut()), order(&plain));
    }

    #[test]
    fn whatever_is_put_in_and_taken_out_is_found_or_not() {
        let mut table = FdTable::default();
        let mut known = std::collections::BTreeSet::new();
        let mut random = 12_345_u64;
        for _ in 0..5_000 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let num = i64::try_from(random >> 33).unwrap() % 200 - 20;
            if random & (1 << 20) == 0 {
                assert_eq!(table.insert(num, fd()).is_some(), !known.insert(num));
            } else {
                assert_eq!(table.remove(num).is_some(), known.remove(&num));
            }
            assert_eq!(table.len(), known.len());
        }
        let mut all = order(&table);
        all.sort_unstable();
        assert!(all.iter().eq(known.iter()));
    }
}
