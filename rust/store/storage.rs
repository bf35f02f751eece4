// SPDX-License-Identifier: GPL-2.0

//! What a handle refers to: a store, or an entry of a keyed one.

use super::{
    keyed::{
        Entry,
        KeyKind,
        Keyed, //
    },
    Store, //
};
use crate::percpu::{
    Index,
    IntCounts, //
    PerCpuArea,
    PerCpuInt,
    Primitive,
};
use core::{
    mem::offset_of,
    ptr::{
        self,
        NonNull, //
    },
};
use kernel::sync::{
    aref::{
        ARef,
        AlwaysRefCounted, //
    },
    atomic::{
        Atomic,
        Relaxed, //
    },
    Refcount, //
};

/// A slot of some bytes for each possible CPU, with a count of its references.
///
/// # Invariants
///
/// - It is the first field of a [`Store`] or, with `is_entry`, of an [`Entry`].
/// - `keyed` is null, or the entries of the store that this belongs to, and that lives as long.
#[repr(C)]
pub(crate) struct Storage {
    area: PerCpuArea,
    id: Atomic<u32>,
    refs: Refcount,
    key: Atomic<u64>,
    /// Those of `area`.
    int_counts: IntCounts,
    keyed: *const Keyed,
    is_entry: bool,
}

// SAFETY: What changes is atomic, and `Keyed` is for all threads.
unsafe impl Send for Storage {}
// SAFETY: What changes is atomic, and `Keyed` is for all threads.
unsafe impl Sync for Storage {}

impl Storage {
    /// Where [`memory`](Self::memory) is.
    pub(crate) const MEMORY_OFFSET: usize = offset_of!(Self, area);
    /// Where [`id`](Self::id) is.
    pub(crate) const ID_OFFSET: usize = offset_of!(Self, id);
    /// Where [`key`](Self::key) is.
    pub(crate) const KEY_OFFSET: usize = offset_of!(Self, key);

    /// That of a store, with the first reference.
    ///
    /// # Safety
    ///
    /// The value becomes the first field of a [`Store`], for which `area` stays allocated. `keyed`
    /// is null, or lives as long as the store.
    pub(super) unsafe fn of_store(area: PerCpuArea, keyed: *const Keyed) -> Self {
        // INVARIANT: By the function's contract.
        Self {
            refs: Refcount::new(1),
            keyed,
            is_entry: false,
            ..Self::unused(area)
        }
    }

    /// That of an entry which nobody has.
    ///
    /// # Safety
    ///
    /// The value becomes the first field of an [`Entry`], for which `area` stays allocated.
    pub(super) unsafe fn of_entry(area: PerCpuArea) -> Self {
        // INVARIANT: By the function's contract.
        Self::unused(area)
    }

    fn unused(area: PerCpuArea) -> Self {
        Self {
            int_counts: area.int_counts(),
            area,
            id: Atomic::new(0),
            refs: Refcount::new(0),
            key: Atomic::new(0),
            keyed: ptr::null(),
            is_entry: true,
        }
    }

    /// Its memory.
    #[inline]
    pub(crate) fn memory(&self) -> &PerCpuArea {
        &self.area
    }

    /// Slot `index` of each CPU's copy, if there is one.
    #[inline]
    pub(crate) fn int_at<T: Primitive>(&self, index: Index<T>) -> Option<PerCpuInt<'_, T>> {
        // SAFETY: The counts are the memory's: both were made together, and neither changes.
        unsafe { self.area.int_at(&self.int_counts, index) }
    }

    /// The store's id.
    pub(crate) fn id(&self) -> u32 {
        self.id.load(Relaxed)
    }

    pub(super) fn set_id(&self, id: u32) {
        self.id.store(id, Relaxed);
    }

    /// Of an entry: its key.
    #[inline]
    pub(crate) fn key(&self) -> u64 {
        // The kernel crate's atomics call C, which would take longer than all the rest.
        // SAFETY: Atomics can be read.
        unsafe { self.key.as_ptr().read_volatile() }
    }

    pub(super) fn set_key(&self, key: u64) {
        self.key.store(key, Relaxed);
    }

    /// The entries of a store that is keyed so.
    #[inline]
    pub(crate) fn keyed(&self, kind: KeyKind) -> Option<&Keyed> {
        self.any_keyed().filter(|keyed| keyed.kind() == kind)
    }

    /// The entries of a store that is keyed.
    #[inline]
    pub(crate) fn any_keyed(&self) -> Option<&Keyed> {
        // SAFETY: By the type invariant.
        unsafe { self.keyed.as_ref() }
    }

    /// How many references there are, at the moment.
    pub(crate) fn refs(&self) -> u32 {
        self.refs.as_atomic().load(Relaxed).max(0) as u32
    }

    /// The first reference, to what nobody has.
    pub(super) fn set_first_ref(&self) {
        self.refs.set(1);
    }

    /// Another reference, unless the last one is gone.
    ///
    /// Context: any.
    #[inline]
    pub(crate) fn try_get(&self) -> Option<ARef<Self>> {
        let refs = self.refs.as_atomic().as_ptr().cast();
        // SAFETY: `Refcount` is a `refcount_t`.
        unsafe { crate::bindings::bpf_percpu_helper_refcount_inc_not_zero(refs) }
            // SAFETY: The reference was taken just now.
            .then(|| unsafe { ARef::from_raw(NonNull::from(self)) })
    }
}

// SAFETY: It stays as long as its count is not zero.
unsafe impl AlwaysRefCounted for Storage {
    fn inc_ref(&self) {
        self.refs.inc();
    }

    /// Context: any.
    unsafe fn dec_ref(storage: NonNull<Self>) {
        // SAFETY: The caller has a reference, which keeps it.
        let this = unsafe { storage.as_ref() };
        if !this.refs.dec_and_test() {
            return;
        }
        // SAFETY: By the type invariant it is the first field of what it is cast to, whose last
        // reference is gone.
        unsafe {
            if this.is_entry {
                Entry::release(storage.cast());
            } else {
                Store::release(storage.cast());
            }
        }
    }
}
