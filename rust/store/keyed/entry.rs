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

/// The states of an entry, which say who has the reference of the chain.
mod state {
    /// On the free list, or on its way from or to it. There is no such reference.
    pub(super) const FREE: u32 = 0;
    /// In a chain, with the key of its owner. The chain has the reference.
    pub(super) const LINKED: u32 = 1;
    /// Without an owner. Whoever has claimed the entry has the reference, until it is dropped.
    pub(super) const DEAD: u32 = 2;
    /// Without an owner, but still in its chain, which has the reference until the worker unlinks it.
    pub(super) const ORPHAN: u32 = 3;
}

/// Per-CPU memory that an owner can have.
///
/// What a lookup reads is in the first cache line.
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
    /// The key that leads to the chain, even if the entry is an orphan and has lost its key.
    home: Atomic<u64>,
    /// The keyed store that this is part of.
    keyed: NonNull<Keyed>,
    /// The node in the list of entries that wait for the worker.
    pub(super) dead: Opaque<bindings::llist_node>,
}

// SAFETY: What changes is atomic but for `dead`, which belongs to whoever hands the entry over, and then to
// the list.
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
        // ORDERING: Pairs with the Acquire in `owner_if_linked()`, `claim()` and `claim_in_chain()`: who
        // sees the entry linked sees its owner, id, key and first reference.
        self.state.store(state::LINKED, Release);
    }

    /// The number of its owner, if it has one.
    pub(super) fn owner_if_linked(&self) -> Option<u64> {
        // ORDERING: Pairs with the Release in `set_owner()`.
        let is_linked = self.state.load(Acquire) == state::LINKED;
        is_linked.then(|| self.owner.load(Relaxed))
    }

    /// Takes the entry from its owner, and returns whether that succeeded: of many callers it does for
    /// one, which gets the reference of the chain with [`chain_ref`](Self::chain_ref).
    #[must_use]
    pub(super) fn claim(&self) -> bool {
        // ORDERING: Pairs with the Release in `set_owner()`: the reference that the caller may drop was
        // set before.
        self.state
            .cmpxchg(state::LINKED, state::DEAD, Acquire)
            .is_ok()
    }

    /// As [`claim`](Self::claim), for a caller that cannot unlink the entry: it makes it an orphan, which
    /// stays in its chain and is not found there.
    #[must_use]
    pub(super) fn claim_in_chain(&self) -> bool {
        // ORDERING: Pairs with the Release in `set_owner()`: the key is written there before it is here.
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

    /// The key that leads to the chain that the entry is still in, if it is an orphan.
    pub(super) fn orphan_home(&self) -> Option<u64> {
        // ORDERING: Relaxed is enough: the list that hands entries to the worker is fully ordered.
        let is_orphan = self.state.load(Relaxed) == state::ORPHAN;
        is_orphan.then(|| self.home.load(Relaxed))
    }

    /// The entry, an orphan, was unlinked.
    pub(super) fn set_dead(&self) {
        // ORDERING: Relaxed is enough: only the worker asks for orphans, and it is the caller.
        self.state.store(state::DEAD, Relaxed);
    }

    /// Nobody uses the entry any more.
    pub(super) fn set_free(&self) {
        // ORDERING: Relaxed is enough: `FreeList::push()` publishes it.
        self.state.store(state::FREE, Relaxed);
    }

    /// The reference that a chain has to each of its entries.
    ///
    /// # Safety
    ///
    /// Called once for each claim that has succeeded.
    pub(super) unsafe fn chain_ref(&self) -> ARef<Storage> {
        // SAFETY: The claim has given the caller the reference, which `set_owner()` has set.
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
