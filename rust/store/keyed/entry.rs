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

/// Who has the reference of the chain.
mod state {
    /// On the list of free ones, or leaves it or gets there.
    pub(super) const FREE: u32 = 0;
    /// The chain, with the owner's key.
    pub(super) const LINKED: u32 = 1;
    /// Nobody, when who has claimed it has dropped it.
    pub(super) const DEAD: u32 = 2;
    /// The chain still, without a key. On its way to the reclaimer.
    pub(super) const ORPHAN: u32 = 3;
}

/// Slots of an owner, or of none.
///
/// A cache line for what a search reads.
#[repr(C, align(64))]
pub(in crate::store) struct Entry {
    storage: Storage,
    /// The next of its chain. Changes under the bucket's lock.
    pub(super) next: Atomic<*mut Entry>,
    /// The next of the free ones.
    pub(super) next_free: Atomic<u32>,
    state: Atomic<u32>,
    /// The owner's number.
    owner: Atomic<u64>,
    /// The key that has led to the chain.
    home: Atomic<u64>,
    /// What it is part of.
    keyed: NonNull<Keyed>,
    /// In the list of those that wait for the reclaimer.
    pub(super) dead: Opaque<bindings::llist_node>,
}

// SAFETY: What changes is atomic, but `dead`, which is used by who hands the entry over.
unsafe impl Send for Entry {}
// SAFETY: What changes is atomic, but `dead`, which is used by who hands the entry over.
unsafe impl Sync for Entry {}

impl Entry {
    /// A free entry.
    ///
    /// # Safety
    ///
    /// It becomes part of `keyed`, which also keeps `area` allocated.
    pub(super) unsafe fn new(area: PerCpuArea, keyed: NonNull<Keyed>) -> Self {
        Self {
            // SAFETY: By the function's contract.
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

    /// Gives the entry, which was free, to an owner, before it gets into a chain.
    pub(super) fn set_owner(&self, id: u32, key: u64, number: u64) {
        self.storage.set_id(id);
        self.storage.set_key(key);
        self.storage.set_first_ref();
        self.owner.store(number, Relaxed);
        self.home.store(key, Relaxed);
        self.state.store(state::LINKED, Release);
    }

    /// The number of its owner, if it has one.
    pub(super) fn owner_if_linked(&self) -> Option<u64> {
        let is_linked = self.state.load(Acquire) == state::LINKED;
        is_linked.then(|| self.owner.load(Relaxed))
    }

    /// Whether the caller is the one that takes the entry from its owner. It gets the reference of the
    /// chain: [`chain_ref`](Self::chain_ref).
    #[must_use]
    pub(super) fn claim(&self) -> bool {
        // ORDERING: Pairs with the Release in `set_owner()`: the reference that the caller may drop was
        // set before.
        self.state
            .cmpxchg(state::LINKED, state::DEAD, Acquire)
            .is_ok()
    }

    /// As [`claim`](Self::claim), where the entry has to stay in its chain: nobody will find it there.
    #[must_use]
    pub(super) fn claim_in_chain(&self) -> bool {
        // ORDERING: Pairs with the Release in `set_owner()`: the key is written there before it is here.
        let claimed = self
            .state
            .cmpxchg(state::LINKED, state::ORPHAN, Acquire)
            .is_ok();
        if claimed {
            // No owner has this key.
            self.storage.set_key(0);
        }
        claimed
    }

    /// The key that leads to the chain that its owner has left it in, if so.
    pub(super) fn orphan_home(&self) -> Option<u64> {
        // ORDERING: Relaxed is enough: the list that hands entries to the worker is fully ordered.
        let is_orphan = self.state.load(Relaxed) == state::ORPHAN;
        is_orphan.then(|| self.home.load(Relaxed))
    }

    /// It has left its chain.
    pub(super) fn set_dead(&self) {
        self.state.store(state::DEAD, Relaxed);
    }

    /// Nobody can use it any more.
    pub(super) fn set_free(&self) {
        self.state.store(state::FREE, Relaxed);
    }

    /// The reference that an entry in a chain has.
    ///
    /// # Safety
    ///
    /// Called once by who has claimed the entry.
    pub(super) unsafe fn chain_ref(&self) -> ARef<Storage> {
        // SAFETY: By the function's contract, nobody else drops it.
        unsafe { ARef::from_raw(NonNull::from(&self.storage)) }
    }

    /// The last reference is gone.
    ///
    /// Context: any.
    ///
    /// # Safety
    ///
    /// That is so, and is told once.
    pub(in crate::store) unsafe fn release(entry: NonNull<Self>) {
        // SAFETY: The store keeps its entries until they were all told to be free.
        let (entry, keyed) = unsafe { (entry.as_ref(), entry.as_ref().keyed.as_ref()) };
        keyed.reclaim.push(entry);
    }
}
