// SPDX-License-Identifier: GPL-2.0

//! The buckets of the hash table: chains of entries whose keys hash to the same value.

use super::Entry;
use crate::rqspinlock::{
    LockError,
    Nesting,
    RqSpinLock,
    RqSpinLockGuard, //
};
use core::ptr;
use kernel::sync::atomic::{
    Atomic,
    Relaxed,
    Release, //
};

/// A chain that is searched without the lock, and changed with the lock held.
///
/// # Invariants
///
/// The chain consists of entries of the store, which are not reused for a grace period after they were
/// unlinked.
pub(super) struct Bucket {
    first: Atomic<*mut Entry>,
    lock: RqSpinLock<()>,
}

impl Bucket {
    pub(super) const fn new() -> Self {
        Self {
            first: Atomic::new(ptr::null_mut()),
            lock: RqSpinLock::new(()),
        }
    }

    /// The entry with `key`.
    ///
    /// Context: any.
    ///
    /// # Safety
    ///
    /// The caller is in an RCU section that lasts for `'a`.
    #[inline]
    pub(super) unsafe fn find<'a>(&self, key: u64) -> Option<&'a Entry> {
        // Like `rcu_dereference()`: reads through the pointers depend on them. The kernel crate's atomics
        // call C, which would take longer than the rest of the lookup.
        // ORDERING: The dependency pairs with the Release in `Chain::push()`.
        // SAFETY: The pointers to the atomics are valid, and volatile reads of them are atomic. By the
        // type invariant they point to entries, which the caller's RCU section keeps for `'a`.
        unsafe {
            let mut at = self.first.as_ptr().read_volatile();
            while let Some(entry) = at.as_ref() {
                if entry.storage().key() == key {
                    return Some(entry);
                }
                at = entry.next.as_ptr().read_volatile();
            }
        }
        None
    }

    /// Locks the chain, until the value is dropped.
    ///
    /// Context: any.
    pub(super) fn lock<'a>(&'a self, nesting: &'a mut Nesting) -> Result<Chain<'a>, LockError> {
        Ok(Chain {
            first: &self.first,
            _guard: self.lock.lock_irqsave(nesting)?,
        })
    }
}

/// A chain whose lock is held.
#[must_use = "the chain is unlocked when this is dropped"]
pub(super) struct Chain<'a> {
    first: &'a Atomic<*mut Entry>,
    _guard: RqSpinLockGuard<'a, ()>,
}

impl Chain<'_> {
    /// Adds `entry`, which is in no chain.
    ///
    /// Not inlined, so that tests can interrupt it.
    #[inline(never)]
    pub(super) fn push(&mut self, entry: &Entry) {
        entry.next.store(self.first.load(Relaxed), Relaxed);
        // ORDERING: Pairs with the dependency in `Bucket::find()`: a search that finds the entry
        // sees its key, its reference and the next entry.
        // INVARIANT: Entries are reused only by the worker, after a grace period.
        self.first.store(ptr::from_ref(entry).cast_mut(), Release);
    }

    /// Unlinks `entry`, which is in this chain. A search that has reached it continues with the next entry.
    ///
    /// Not inlined, so that tests can interrupt it.
    #[inline(never)]
    pub(super) fn remove(&mut self, entry: &Entry) {
        let mut link = self.first;
        // SAFETY: By the bucket's invariant these are entries. They stay while the lock is held.
        while let Some(at) = unsafe { link.load(Relaxed).as_ref() } {
            if ptr::eq(at, entry) {
                // ORDERING: Relaxed is enough, as in `hlist_del_rcu()`: the next entry was published by
                // `push()`, before this CPU took the lock.
                link.store(entry.next.load(Relaxed), Relaxed);
                return;
            }
            link = &at.next;
        }
    }
}
