//! The order in which a hash table of libstdc++ lists its elements.
//!
//! Falco keeps descriptors in `std::unordered_map`, and `fd.types` lists them as that does: one
//! chain through all elements, in which those of a bucket stand together; a new element goes
//! before the first one of its bucket, or before all. Truth: `bits/hashtable.h` of GCC
//! (`_M_insert_bucket_begin`, `_M_rehash_aux`, `_M_remove_bucket_begin`).

/// No node.
pub(super) const NONE: u32 = u32::MAX;

/// The place before the first node.
const FRONT: u32 = u32::MAX - 1;

/// The chain through the nodes of a table; nodes are indices of `nums` and `next`.
#[derive(Debug)]
pub(super) struct Links<'s> {
    /// The number that each node stands for, which is its hash, too.
    pub(super) nums: &'s [i64],
    /// The node behind each node.
    pub(super) next: &'s mut [u32],
    /// Of each bucket the node before its first one.
    pub(super) buckets: &'s mut [u32],
    /// The first node.
    pub(super) first: &'s mut u32,
}

/// The same, to be read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Chain<'s> {
    pub(super) nums: &'s [i64],
    pub(super) next: &'s [u32],
    pub(super) buckets: &'s [u32],
    pub(super) first: u32,
}

impl Chain<'_> {
    /// The node of a number, and the one before it.
    pub(super) fn find(&self, num: i64) -> Option<(u32, u32)> {
        let bucket = bucket_of(num, self.buckets);
        let mut before = get(self.buckets, bucket);
        while before != NONE {
            let node = if before == FRONT { self.first } else { get(self.next, before) };
            let other = *self.nums.get(node as usize)?;
            if other == num {
                return Some((before, node));
            }
            if bucket_of(other, self.buckets) != bucket {
                break;
            }
            before = node;
        }
        None
    }
}

impl Links<'_> {
    /// Puts a node in that is not in the chain.
    pub(super) fn link(&mut self, node: u32) {
        let bucket = self.bucket(node);
        let before = get(self.buckets, bucket);
        if before == NONE {
            let second = std::mem::replace(self.first, node);
            set(self.next, node, second);
            if second != NONE {
                let bucket = self.bucket(second);
                set(self.buckets, bucket, node);
            }
            set(self.buckets, bucket, FRONT);
        } else {
            let after = self.behind(before);
            set(self.next, node, after);
            self.set_behind(before, node);
        }
    }

    /// Takes a node out that stands behind `before`.
    pub(super) fn unlink(&mut self, before: u32, node: u32) {
        let bucket = self.bucket(node);
        let after = get(self.next, node);
        let is_first = get(self.buckets, bucket) == before;
        let bucket_after = (after != NONE).then(|| self.bucket(after));
        if bucket_after != Some(bucket) {
            if let Some(bucket_after) = bucket_after {
                set(self.buckets, bucket_after, before);
            }
            if is_first {
                set(self.buckets, bucket, NONE);
            }
        }
        self.set_behind(before, after);
    }

    /// Makes the chain anew: the buckets, all empty, are other ones now.
    pub(super) fn relink(&mut self) {
        let mut node = std::mem::replace(self.first, NONE);
        while node != NONE {
            let after = get(self.next, node);
            self.link(node);
            node = after;
        }
    }

    fn bucket(&self, node: u32) -> u32 {
        self.nums.get(node as usize).map_or(0, |num| bucket_of(*num, self.buckets))
    }

    fn behind(&self, before: u32) -> u32 {
        if before == FRONT { *self.first } else { get(self.next, before) }
    }

    fn set_behind(&mut self, before: u32, node: u32) {
        if before == FRONT {
            *self.first = node;
        } else {
            set(self.next, before, node);
        }
    }
}

/// The number of buckets that a table grows to.
pub(super) fn more_than(buckets: usize) -> usize {
    const SIZES: [usize; 14] =
        [13, 29, 59, 127, 257, 541, 1109, 2357, 5087, 10273, 20753, 42043, 85229, 172_933];
    SIZES.into_iter().find(|size| *size > buckets).unwrap_or(buckets * 2 + 1)
}

fn bucket_of(num: i64, buckets: &[u32]) -> u32 {
    let count = buckets.len() as u64;
    num.cast_unsigned().checked_rem(count).and_then(|at| u32::try_from(at).ok()).unwrap_or(0)
}

fn get(from: &[u32], at: u32) -> u32 {
    from.get(at as usize).copied().unwrap_or(NONE)
}

fn set(into: &mut [u32], at: u32, value: u32) {
    if let Some(place) = into.get_mut(at as usize) {
        *place = value;
    }
}
