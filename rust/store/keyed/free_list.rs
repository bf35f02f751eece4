// SPDX-License-Identifier: GPL-2.0

//! The free entries of a keyed store: a Treiber stack of indices, with a count against ABA.
//!
//! Entries are taken in any context, where a lock could fail or deadlock.

use super::Entry;
use kernel::{
    prelude::*,
    sync::atomic::{
        Acquire,
        Atomic,
        Relaxed,
        Release, //
    }, //
};

/// The index that ends the list.
pub(super) const NONE: u32 = u32::MAX;

/// How often [`FreeList::pop`] tries. A try fails if another CPU changes the list at the same time.
const TRIES: u32 = 1024;

/// The indices of free entries.
///
/// # Invariants
///
/// - The lower half of `top` is [`NONE`], or the index of a free entry, whose `next_free` has the next
///   index.
/// - The upper half counts changes. So a `top` that was read before others have changed the list does not
///   match, even if the same entry is on top again (ABA).
pub(super) struct FreeList {
    top: Atomic<u64>,
}

/// The list changed during each of [`TRIES`] tries.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Contended;

/// The index in `top`.
fn index_of(top: u64) -> u32 {
    // CAST: The lower half.
    top as u32
}

/// The value that follows `top`, with `index` on top.
fn after(top: u64, index: u32) -> u64 {
    ((top >> 32).wrapping_add(1) << 32) | u64::from(index)
}

impl FreeList {
    /// All of `entries`, the first on top.
    pub(super) fn of_all(entries: &[Entry]) -> Self {
        let mut top = NONE;
        // CAST: The number of entries is an `u32`.
        for (index, entry) in entries.iter().enumerate().rev() {
            entry.next_free.store(top, Relaxed);
            top = index as u32;
        }
        // INVARIANT: All entries are free, and were linked above.
        Self {
            top: Atomic::new(u64::from(top)),
        }
    }

    /// Takes the free entry on top of the list, and its index; `None` if no entry is free.
    ///
    /// `entries` are those of the store.
    ///
    /// Context: any.
    ///
    /// Not inlined, so that tests can interrupt it.
    #[inline(never)]
    pub(super) fn pop<'a>(
        &self,
        entries: &'a [Entry],
    ) -> Result<Option<(u32, &'a Entry)>, Contended> {
        for _ in 0..TRIES {
            // ORDERING: Pairs with the Release in `push()`: the entry's `next_free` is that of this top.
            // A compare-and-exchange that fails orders nothing, so each try loads the top again.
            let top = self.top.load(Acquire);
            let index = index_of(top);
            // There is no entry at `NONE`.
            let Some(entry) = entries.get(index as usize) else {
                return Ok(None);
            };
            // If the entry was taken since, this value is arbitrary; the count has changed, so the exchange
            // below fails.
            let next = entry.next_free.load(Relaxed);
            // ORDERING: Pairs with the Release in `push()`: the caller sees the entry as its last user
            // left it. The entries below it on the stack stay published, because this continues the release
            // sequence.
            if self.top.cmpxchg(top, after(top, next), Acquire).is_ok() {
                return Ok(Some((index, entry)));
            }
        }
        Err(Contended)
    }

    /// Puts `entry`, which has index `index` and is not in use, back on the list.
    ///
    /// Context: process.
    pub(super) fn push(&self, index: u32, entry: &Entry) {
        // ORDERING: Relaxed is enough: the entry below is not used here.
        let mut top = self.top.load(Relaxed);
        // Unbounded, but only in process context.
        loop {
            entry.next_free.store(index_of(top), Relaxed);
            // ORDERING: Pairs with the Acquire in `pop()`: publishes `next_free`, and all that was done
            // to the entry to make it free.
            match self.top.cmpxchg(top, after(top, index), Release) {
                Ok(_) => return,
                Err(now) => top = now,
            }
        }
    }
}

#[kunit_tests(bpf_percpu_free_list)]
mod tests {
    use super::*;
    use crate::{
        fixtures::{
            ensure,
            together, //
        },
        percpu::PerCpuArea,
    };
    use core::ptr::{
        self,
        NonNull, //
    };

    fn entries(count: usize) -> Result<KVVec<Entry>> {
        let mut entries = KVVec::with_capacity(count, GFP_KERNEL)?;
        for _ in 0..count {
            // SAFETY: The area has no memory, and nobody takes a reference.
            let entry = unsafe { Entry::new(PerCpuArea::empty(), NonNull::dangling()) };
            entries.push(entry, GFP_KERNEL)?;
        }
        Ok(entries)
    }

    /// Pops an entry from `free`. Fails if entry and index do not match.
    fn pop<'a>(free: &FreeList, entries: &'a [Entry]) -> Result<Option<(u32, &'a Entry)>> {
        let popped = free.pop(entries).map_err(|Contended| EIO)?;
        if let Some((index, entry)) = popped {
            let is_it = |it: &Entry| ptr::eq(it, entry);
            ensure(entries.get(index as usize).is_some_and(is_it))?;
        }
        Ok(popped)
    }

    #[test]
    fn gives_each_once() -> Result {
        for count in [0, 1, 2, 100] {
            let entries = entries(count)?;
            let free = FreeList::of_all(&entries);
            for expected in 0..count as u32 {
                let (index, _) = pop(&free, &entries)?.ok_or(ENOENT)?;
                assert_eq!(index, expected);
            }
            assert!(pop(&free, &entries)?.is_none());
            assert!(pop(&free, &entries)?.is_none());
        }
        Ok(())
    }

    #[test]
    fn gives_again_what_was_given_back() -> Result {
        let entries = entries(3)?;
        let free = FreeList::of_all(&entries);
        while pop(&free, &entries)?.is_some() {}
        for index in [1, 0, 2, 2] {
            free.push(index, entries.get(index as usize).ok_or(ENOENT)?);
            let (again, _) = pop(&free, &entries)?.ok_or(ENOENT)?;
            assert_eq!(index, again);
            assert!(pop(&free, &entries)?.is_none());
        }
        Ok(())
    }

    /// A top that was read before does not match, even if the same entry is on top again.
    #[test]
    fn same_top_is_another() -> Result {
        let entries = entries(3)?;
        let free = FreeList::of_all(&entries);
        let top = free.top.load(Relaxed);
        let (index, first) = pop(&free, &entries)?.ok_or(ENOENT)?;
        assert!(pop(&free, &entries)?.is_some());
        free.push(index, first);
        let now = free.top.load(Relaxed);
        assert_eq!(index_of(now), index_of(top));
        assert!(now != top);
        Ok(())
    }

    #[test]
    fn threads_get_what_nobody_else_has() -> Result {
        const COUNT: usize = 3;
        let entries = entries(COUNT)?;
        let free = FreeList::of_all(&entries);
        let owners: [Atomic<u32>; COUNT] = [const { Atomic::new(0) }; COUNT];
        together(4, |_| {
            for _ in 0..20_000 {
                let Some((index, entry)) = pop(&free, &entries)? else {
                    continue;
                };
                ensure(owners[index as usize].fetch_add(1, Relaxed) == 0)?;
                owners[index as usize].fetch_sub(1, Relaxed);
                free.push(index, entry);
            }
            Ok(())
        })?;
        for _ in 0..COUNT {
            assert!(pop(&free, &entries)?.is_some());
        }
        assert!(pop(&free, &entries)?.is_none());
        Ok(())
    }
}
