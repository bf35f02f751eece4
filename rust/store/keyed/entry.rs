// SPDX-License-Identifier: GPL-2.0

//! An entry of a keyed store.

use super::{
    Keyed,
    Storage, //
};
use crate::percpu::PerCpuArea;
use core::ptr::{
    self,
    NonNull, //
};
use kernel::{
    bindings,
    sync::{
        aref::ARef,
        atomic::{
            Acquire,
            Atomic,
            Relaxed,
            Release, //
        },
    },
    types::Opaque, //
};

/// The states of an entry. They determine who owns the chain's reference to it.
mod state {
    /// On the free list, or on its way from or to it. There is no reference.
    pub(super) const FREE: u32 = 0;
    /// In a chain, with the key of its owner. The chain owns the reference.
    pub(super) const LINKED: u32 = 1;
    /// Without an owner. The caller that has claimed the entry owns the reference, until it drops it.
    pub(super) const DEAD: u32 = 2;
    /// Without an owner, but still in its chain, which owns the reference until the worker unlinks it.
    pub(super) const ORPHAN: u32 = 3;
}

/// Per-CPU memory that an owner can have.
///
/// The fields that a lookup reads are in the first cache line.
#[repr(C, align(64))]
pub(in crate::store) struct Entry {
    storage: Storage,
    /// The next entry of the chain. Written with the bucket's lock held.
    pub(super) next: Atomic<*mut Entry>,
    /// The index of the next entry on the free list.
    pub(super) next_free: Atomic<u32>,
    state: Atomic<u32>,
    /// The owner's number.
    owner: Atomic<u64>,
    /// The key that selects the bucket, even if the entry is an orphan and has lost its key.
    home: Atomic<u64>,
    /// The keyed store that this is part of.
    keyed: NonNull<Keyed>,
    /// The node in the list of entries that wait for the worker.
    pub(super) dead: Opaque<bindings::llist_node>,
}

// SAFETY: Fields that change are atomic, except `dead`, which belongs to the thread that hands the entry
// over, and then to the list.
unsafe impl Send for Entry {}
// SAFETY: As for `Send`.
unsafe impl Sync for Entry {}

impl Entry {
    /// A free entry.
    ///
    /// # Safety
    ///
    /// The value becomes part of `keyed`, which also keeps `area` allocated.
    pub(super) unsafe fn new(area: PerCpuArea, keyed: NonNull<Keyed>) -> Self {
        Self {
            // SAFETY: The storage is the first field of the entry, and `keyed` keeps `area` allocated.
            storage: unsafe { Storage::of_entry(area) },
            next: Atomic::new(ptr::null_mut()),
            next_free: Atomic::new(0),
            state: Atomic::new(state::FREE),
            owner: Atomic::new(0),
            home: Atomic::new(0),
            keyed,
            dead: Opaque::uninit(),
        }
    }

    #[inline]
    pub(super) fn storage(&self) -> &Storage {
        &self.storage
    }

    /// Gives the entry, which was free, to an owner. The caller then adds it to a chain.
    pub(super) fn set_owner(&self, id: u32, key: u64, number: u64) {
        self.storage.set_id(id);
        self.storage.set_key(key);
        self.storage.set_first_ref();
        self.owner.store(number, Relaxed);
        self.home.store(key, Relaxed);
        // ORDERING: Pairs with the Acquire in `owner_if_linked()`, `claim()` and `claim_in_chain()`: a
        // CPU that sees the entry linked sees its owner, id, key and first reference.
        self.state.store(state::LINKED, Release);
    }

    /// The number of its owner, if it has one.
    pub(super) fn owner_if_linked(&self) -> Option<u64> {
        // ORDERING: Pairs with the Release in `set_owner()`.
        let is_linked = self.state.load(Acquire) == state::LINKED;
        is_linked.then(|| self.owner.load(Relaxed))
    }

    /// Takes the entry from its owner, and returns whether that succeeded. It succeeds for only one of
    /// several callers, which gets the chain's reference by [`chain_ref`](Self::chain_ref).
    #[must_use]
    pub(super) fn claim(&self) -> bool {
        // ORDERING: Pairs with the Release in `set_owner()`: the reference that the caller may drop was
        // set before.
        self.state
            .cmpxchg(state::LINKED, state::DEAD, Acquire)
            .is_ok()
    }

    /// As [`claim`](Self::claim), for a caller that cannot unlink the entry: makes it an orphan, which
    /// stays in its chain, where lookups do not find it.
    #[must_use]
    pub(super) fn claim_in_chain(&self) -> bool {
        // ORDERING: Pairs with the Release in `set_owner()`, which writes the key before this clears it.
        let claimed = self
            .state
            .cmpxchg(state::LINKED, state::ORPHAN, Acquire)
            .is_ok();
        if claimed {
            // No task and no cgroup has this key.
            self.storage.set_key(0);
        }
        claimed
    }

    /// If the entry is an orphan, the key that selects the bucket whose chain it is still in.
    pub(super) fn orphan_home(&self) -> Option<u64> {
        // ORDERING: Relaxed is enough: the list that hands entries to the worker is fully ordered.
        let is_orphan = self.state.load(Relaxed) == state::ORPHAN;
        is_orphan.then(|| self.home.load(Relaxed))
    }

    /// Called when the entry, an orphan, was unlinked.
    pub(super) fn set_dead(&self) {
        // ORDERING: Relaxed is enough: only the worker, which is the caller, checks for orphans.
        self.state.store(state::DEAD, Relaxed);
    }

    /// Marks the entry as free. Nobody uses it any more.
    pub(super) fn set_free(&self) {
        // ORDERING: Relaxed is enough: `FreeList::push()` publishes it.
        self.state.store(state::FREE, Relaxed);
    }

    /// Takes over the chain's reference to the entry.
    ///
    /// # Safety
    ///
    /// Called once for each claim that has succeeded.
    pub(super) unsafe fn chain_ref(&self) -> ARef<Storage> {
        // SAFETY: The claim gave the caller the reference that `set_owner()` set.
        unsafe { ARef::from_raw(NonNull::from(&self.storage)) }
    }

    /// Called when the last reference is dropped: the worker frees the entry after both grace periods.
    ///
    /// Context: any.
    ///
    /// # Safety
    ///
    /// `entry` has no reference left. Called once for each last reference.
    pub(in crate::store) unsafe fn release(entry: NonNull<Self>) {
        // SAFETY: The store is not freed before the worker has freed this entry.
        let (entry, keyed) = unsafe { (entry.as_ref(), entry.as_ref().keyed.as_ref()) };
        keyed.reclaim.push(entry);
    }
}
