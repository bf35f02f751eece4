// SPDX-License-Identifier: GPL-2.0

//! Stores: named, reference-counted per-CPU memory.
//!
//! A store has memory of its own, or it is [`keyed`] and its entries have the memory.
//!
//! # How a store is found
//!
//! [`id_table`] maps ids to stores, [`name_table`] maps names to ids. [`registry`] owns both, and has the
//! lookups that the rest of the module calls.
//!
//! # What frees a store, and when
//!
//! Open files, the pin and the handles of BPF programs, including those in maps, hold references. The
//! registry holds none.
//!
//! 1. `Storage::dec_ref()` drops a reference, in any context. After the last one it calls
//!    `Store::release()`, which removes the store from the registry: lookups no longer find it.
//! 2. [`deferred_free`] waits for a grace period of RCU tasks trace and one of RCU: until then, programs
//!    may still use a store that they found before.
//! 3. `Store::after_grace_periods()` frees a plain store. For a keyed store it calls `Keyed::close()`:
//!    programs may hold references to entries, so `Keyed::clean_up()` frees the store when all its
//!    entries are free.
//! 4. `Store::free()` frees the memory.
//!
//! # Lock order
//!
//! Locks of callers, then [`registry`]'s lock, then those of [`keyed`]. Lookups take no lock, and
//! neither does the drop of the last reference.

mod deferred_free;
#[cfg(CONFIG_KUNIT = "y")]
mod fixtures;
mod id_table;
pub(crate) mod keyed;
#[cfg(CONFIG_KUNIT = "y")]
mod kunit;
mod name;
mod name_table;
mod registry;
mod storage;
mod table;
mod workqueue;

pub(crate) use name::Name;
pub(crate) use registry::{
    find,
    find_id,
    lookup_rcu,
    next,
    pin,
    unpin,
    Limits,
    Registry, //
};
pub(crate) use storage::Storage;

use crate::percpu::{
    PerCpuMem,
    PossibleCpu,
    MAX_SIZE, //
};
use core::{
    ops::Deref,
    ptr::{
        self,
        NonNull, //
    },
};
use deferred_free::DeferredFree;
use kernel::{
    alloc::flags::GFP_KERNEL_ACCOUNT,
    bindings,
    prelude::*,
    sync::{
        aref::{
            ARef,
            AlwaysRefCounted, //
        },
        atomic::{
            Atomic,
            Relaxed, //
        }, //
    },
};
use keyed::{
    Keyed,
    KeyedLayout, //
};
use name_table::NameIndex;
use registry::Reservation;

/// Checks the size of a store, or of each entry of a keyed store, and the size of the image that each
/// CPU's copy begins with.
///
/// # Errors
///
/// `EINVAL` for a size of 0 and for an image larger than `size`; `E2BIG` for a size larger than
/// [`MAX_SIZE`].
pub(crate) fn check_size(size: u32, image_size: usize) -> Result {
    if size == 0 || image_size > size as usize {
        return Err(EINVAL);
    }
    if size > MAX_SIZE {
        return Err(E2BIG);
    }
    Ok(())
}

/// A name and an id for per-CPU memory, or for entries that have per-CPU memory.
///
/// A store with references is a leaked [`KBox`], which [`Store::free`] takes back.
#[repr(C)]
pub(crate) struct Store {
    storage: Storage,
    contents: Contents,
    /// Whether the pin holds a reference. Written with the registry's lock held.
    pinned: Atomic<bool>,
    /// The element of the name table that has the store's id.
    name_index: NameIndex,
    name: Name,
    deferred_free: DeferredFree,
    reservation: Reservation,
}

/// The contents of a store.
enum Contents {
    Memory(PerCpuMem),
    Entries(KBox<Keyed>),
}

// SAFETY: Every field is `Send` except `deferred_free`, which is used once, by the path that drops the
// last reference.
unsafe impl Send for Store {}
// SAFETY: Every field is `Sync` except `deferred_free`, which is used once, by the path that drops the
// last reference.
unsafe impl Sync for Store {}

impl Store {
    /// Creates a store of `size` bytes per CPU, pinned or not. Each CPU's copy begins with `image`; the
    /// rest is zero.
    ///
    /// The memory is charged to the caller's control group.
    ///
    /// # Errors
    ///
    /// Those of [`check_size`]; `EEXIST` if a store has this name; `ENOSPC` if a limit of the registry
    /// is reached; `ENOMEM`.
    ///
    /// Context: process, may sleep.
    pub(crate) fn create(name: Name, size: u32, image: &[u8], pinned: bool) -> Result<ARef<Self>> {
        check_size(size, image.len())?;
        registry::check_name(&name)?;
        let reservation = Reservation::new(crate::percpu::footprint(size))?;
        // The caller gets an error; the log needs no warning.
        let gfp = bindings::GFP_KERNEL_ACCOUNT | bindings::__GFP_NOWARN;
        let memory = PerCpuMem::new_zeroed(size, gfp)?;
        for cpu in PossibleCpu::all() {
            memory.write_on(cpu, 0, image)?;
        }
        let contents = Contents::Memory(memory);
        registry::insert(Self::new(name, contents, reservation)?, pinned)
    }

    /// Creates a store with entries, pinned or not. Each CPU's copy of each entry begins with `image`;
    /// the rest is zero.
    ///
    /// The memory is charged to the caller's control group.
    ///
    /// # Errors
    ///
    /// As for [`create`](Self::create); `EINVAL` for no entries; `E2BIG` for more bytes than the registry
    /// ever allows; `EOPNOTSUPP` if the kernel lacks the tracepoint that reports the end of owners.
    ///
    /// Context: process, may sleep.
    pub(crate) fn create_keyed(
        name: Name,
        layout: KeyedLayout,
        image: &[u8],
        pinned: bool,
    ) -> Result<ARef<Self>> {
        if layout.entries == 0 {
            return Err(EINVAL);
        }
        check_size(layout.size, image.len())?;
        registry::check_name(&name)?;
        let bytes = layout
            .footprint()
            .filter(|bytes| Reservation::is_possible(*bytes));
        let reservation = Reservation::new(bytes.ok_or(E2BIG)?)?;
        keyed::start_watch(layout.kind)?;
        let keyed = Keyed::new(layout, image)?;
        let contents = Contents::Entries(keyed);
        registry::insert(Self::new(name, contents, reservation)?, pinned)
    }

    /// A store with one reference, which no lookup finds yet.
    fn new(name: Name, contents: Contents, reservation: Reservation) -> Result<KBox<Self>> {
        let (area, keyed) = match &contents {
            // SAFETY: The memory becomes part of the store.
            Contents::Memory(memory) => (unsafe { memory.alias() }, ptr::null()),
            Contents::Entries(keyed) => {
                // SAFETY: The entries become part of the store.
                let area = unsafe { keyed.no_bytes() }.ok_or(EINVAL)?;
                (area, ptr::from_ref(&**keyed))
            }
        };
        let store = KBox::new(
            Self {
                // SAFETY: Memory and entries are part of the store, and dropped with it.
                storage: unsafe { Storage::of_store(area, keyed) },
                contents,
                pinned: Atomic::new(false),
                name_index: NameIndex::none(),
                name,
                deferred_free: DeferredFree::new(),
                reservation,
            },
            GFP_KERNEL_ACCOUNT,
        )?;
        Ok(store)
    }

    /// Bytes per CPU: of the store or, if it is keyed, of each entry.
    pub(crate) fn size(&self) -> u32 {
        match &self.contents {
            Contents::Memory(memory) => memory.size(),
            Contents::Entries(keyed) => keyed.entry_size(),
        }
    }

    /// The store's name, even after it was given up.
    pub(crate) fn name(&self) -> &Name {
        &self.name
    }

    /// Whether lookups by name find the store.
    pub(crate) fn is_named(&self) -> bool {
        self.name_index.is_some()
    }

    /// Whether the pin holds a reference, so that the store outlives its users.
    pub(crate) fn is_pinned(&self) -> bool {
        self.pinned.load(Relaxed)
    }

    /// Takes a reference, unless the last one was already dropped.
    ///
    /// Context: any.
    #[inline]
    pub(crate) fn try_get(&self) -> Option<ARef<Self>> {
        let storage = Storage::try_get(self)?;
        // SAFETY: The storage is the first field of this store, and counts the store's references.
        Some(unsafe { ARef::from_raw(ARef::into_raw(storage).cast()) })
    }

    /// Converts the reference into one to the store's storage.
    pub(crate) fn into_storage(store: ARef<Self>) -> ARef<Storage> {
        // SAFETY: The storage is the first field of the store, and counts the store's references.
        unsafe { ARef::from_raw(ARef::into_raw(store).cast()) }
    }

    /// Called when the last reference is dropped: lookups no longer find the store, and its memory is
    /// freed later.
    ///
    /// Context: any.
    ///
    /// # Safety
    ///
    /// `store` has no reference left. Called once for each store.
    unsafe fn release(store: NonNull<Self>) {
        // SAFETY: Without references the store stays until `deferred_free` has waited for both grace
        // periods, which begin below. After `remove()` no lookup finds it.
        unsafe {
            registry::remove(store.as_ref());
            deferred_free::queue(store);
        }
    }

    /// Called by [`deferred_free`] when both grace periods are over. A keyed store is not freed before
    /// its entries are.
    ///
    /// Context: any but NMI.
    ///
    /// # Safety
    ///
    /// `store` was released, and no program uses it any more. Called once for each store.
    unsafe fn after_grace_periods(store: NonNull<Self>) {
        // SAFETY: The store was not freed yet. References to it are gone; a plain store has nothing
        // else that refers to its memory.
        unsafe {
            match &store.as_ref().contents {
                Contents::Memory(_) => Self::free(store),
                Contents::Entries(keyed) => keyed.close(store),
            }
        }
    }

    /// Frees the store and its memory.
    ///
    /// Context: any but NMI.
    ///
    /// # Safety
    ///
    /// `store` was released, and nothing refers to it or to its entries. Called once for each store.
    unsafe fn free(store: NonNull<Self>) {
        // SAFETY: `registry::insert()` has leaked the box, and by the function's contract nobody else
        // uses it or takes it back.
        drop(unsafe { KBox::from_raw(store.as_ptr()) });
        deferred_free::count_freed();
    }
}

impl Deref for Store {
    type Target = Storage;

    #[inline]
    fn deref(&self) -> &Storage {
        &self.storage
    }
}

// SAFETY: A store is freed only after its count has become zero.
unsafe impl AlwaysRefCounted for Store {
    fn inc_ref(&self) {
        self.storage.inc_ref();
    }

    /// Context: any.
    unsafe fn dec_ref(store: NonNull<Self>) {
        // SAFETY: The caller gives up a reference to the store, which the storage, its first field,
        // counts.
        unsafe { Storage::dec_ref(store.cast()) };
    }
}
