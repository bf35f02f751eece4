// SPDX-License-Identifier: GPL-2.0

//! The target of a handle: the common part of a store and of an entry of a keyed store.

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

/// Per-CPU memory with an id, a key and a reference count.
///
/// Programs see the first fields as `struct bpf_percpu_store`: see `rust/kfuncs/store.rs`.
///
/// # Invariants
///
/// - It is the first field of a [`Store`] or, with `is_entry`, of an [`Entry`].
/// - `keyed` is null, or points to the entries of the store that this is part of.
#[repr(C)]
pub(crate) struct Storage {
    area: PerCpuArea,
    id: Atomic<u32>,
    refs: Refcount,
    key: Atomic<u64>,
    /// The counts of `area`.
    int_counts: IntCounts,
    keyed: *const Keyed,
    is_entry: bool,
}

// SAFETY: Fields that change are atomic, and `Keyed` may be shared between threads.
unsafe impl Send for Storage {}
// SAFETY: Fields that change are atomic, and `Keyed` may be shared between threads.
unsafe impl Sync for Storage {}

impl Storage {
    /// The offset of [`memory`](Self::memory).
    pub(crate) const MEMORY_OFFSET: usize = offset_of!(Self, area);
    /// The offset of [`id`](Self::id).
    pub(crate) const ID_OFFSET: usize = offset_of!(Self, id);
    /// The offset of [`key`](Self::key).
    pub(crate) const KEY_OFFSET: usize = offset_of!(Self, key);

    /// The storage of a store, with one reference.
    ///
    /// # Safety
    ///
    /// The value becomes the first field of a [`Store`], for which `area` stays allocated. `keyed`
    /// is null, or lives as long as the store.
    pub(super) unsafe fn of_store(area: PerCpuArea, keyed: *const Keyed) -> Self {
        // INVARIANT: The caller makes this the first field of a store, and passes its entries.
        Self {
            refs: Refcount::new(1),
            keyed,
            is_entry: false,
            ..Self::unused(area)
        }
    }

    /// The storage of an entry that is free, without a reference.
    ///
    /// # Safety
    ///
    /// The value becomes the first field of an [`Entry`], for which `area` stays allocated.
    pub(super) unsafe fn of_entry(area: PerCpuArea) -> Self {
        // INVARIANT: The caller makes this the first field of an entry.
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

    /// The memory.
    #[inline]
    pub(crate) fn memory(&self) -> &PerCpuArea {
        &self.area
    }

    /// The integer with this index of each CPU's copy; `None` if it is past the end.
    #[inline]
    pub(crate) fn int_at<T: Primitive>(&self, index: Index<T>) -> Option<PerCpuInt<'_, T>> {
        // SAFETY: `unused()` has taken the counts from the area, and neither changes.
        unsafe { self.area.int_at(&self.int_counts, index) }
    }

    /// The id of the store.
    pub(crate) fn id(&self) -> u32 {
        // ORDERING: Relaxed is enough: the id is written before the storage is published.
        self.id.load(Relaxed)
    }

    pub(super) fn set_id(&self, id: u32) {
        self.id.store(id, Relaxed);
    }

    /// The key of an entry.
    #[inline]
    pub(crate) fn key(&self) -> u64 {
        // The kernel crate's atomics call C, which would take longer than the rest of a lookup.
        // ORDERING: Relaxed is enough: lookups depend on the pointer to the entry, which is published
        // after its key. A lookup that reads the key while `Entry::claim_in_chain()` clears it may
        // find the entry, as if it had run before.
        // SAFETY: The pointer is valid, and a volatile read of an aligned `u64` is atomic.
        unsafe { self.key.as_ptr().read_volatile() }
    }

    pub(super) fn set_key(&self, key: u64) {
        self.key.store(key, Relaxed);
    }

    /// The entries, if this is a store that is keyed by `kind`.
    #[inline]
    pub(crate) fn keyed(&self, kind: KeyKind) -> Option<&Keyed> {
        self.any_keyed().filter(|keyed| keyed.kind() == kind)
    }

    /// The entries, if this is a keyed store.
    #[inline]
    pub(crate) fn any_keyed(&self) -> Option<&Keyed> {
        // SAFETY: By the type invariant it is null, or points to entries that live as long as `self`.
        unsafe { self.keyed.as_ref() }
    }

    /// The current number of references.
    pub(crate) fn refs(&self) -> u32 {
        self.refs.as_atomic().load(Relaxed).max(0) as u32
    }

    /// Sets the reference count of a free entry to 1.
    pub(super) fn set_first_ref(&self) {
        self.refs.set(1);
    }

    /// Takes a reference, unless the last one was already dropped.
    ///
    /// Context: any.
    #[inline]
    pub(crate) fn try_get(&self) -> Option<ARef<Self>> {
        let refs = self.refs.as_atomic().as_ptr().cast();
        // SAFETY: `Refcount` is a transparent `refcount_t`.
        unsafe { crate::bindings::bpf_percpu_helper_refcount_inc_not_zero(refs) }
            // SAFETY: The reference that was taken is handed over.
            .then(|| unsafe { ARef::from_raw(NonNull::from(self)) })
    }
}

// SAFETY: Neither a store nor an entry is freed while its count is not zero.
unsafe impl AlwaysRefCounted for Storage {
    fn inc_ref(&self) {
        self.refs.inc();
    }

    /// Context: any.
    unsafe fn dec_ref(storage: NonNull<Self>) {
        // SAFETY: The caller's reference keeps the storage.
        let this = unsafe { storage.as_ref() };
        if !this.refs.dec_and_test() {
            return;
        }
        // SAFETY: By the type invariant the storage is the first field of what it is cast to. Its last
        // reference was dropped just now, so this is called once.
        unsafe {
            if this.is_entry {
                Entry::release(storage.cast());
            } else {
                Store::release(storage.cast());
            }
        }
    }
}
