// SPDX-License-Identifier: GPL-2.0

//! Stores: named, reference-counted per-CPU memory.
//!
//! A store has bytes of its own, or is [`keyed`]: then its entries have them.
//!
//! Who holds a reference: open files, the pin, and handles of BPF programs, in maps or not. The
//! registry finds stores and holds none. With the last reference a store leaves the registry at
//! once, and [`deferred_free`] frees it later.
//!
//! Lock order: [`registry`]'s lock comes after those of its users, and is taken in process context;
//! then come those of [`keyed`]. Lookups take no lock, and neither does the last drop.

mod deferred_free;
mod id_table;
pub(crate) mod keyed;
#[cfg(CONFIG_KUNIT = "y")]
mod kunit;
mod name;
mod name_table;
mod registry;
mod storage;
mod table;

pub(crate) use name::Name;
pub(crate) use registry::{
    find,
    find_id,
    get,
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

/// Per-CPU memory with a name and an id, or entries that have such memory.
///
/// Lives in a [`KBox`] of its own until [`deferred_free`] frees it.
#[repr(C)]
pub(crate) struct Store {
    storage: Storage,
    contents: Contents,
    /// Whether the pin holds a reference. Changes under the registry's lock.
    pinned: Atomic<bool>,
    /// Where the name is registered.
    name_index: NameIndex,
    name: Name,
    deferred_free: DeferredFree,
    reservation: Reservation,
}

/// What a store has.
enum Contents {
    Memory(PerCpuMem),
    Entries(KBox<Keyed>),
}

// SAFETY: All but `deferred_free` is, and that is used by the last owner only.
unsafe impl Send for Store {}
// SAFETY: All but `deferred_free` is, and that is used by the last owner only.
unsafe impl Sync for Store {}

impl Store {
    /// A new store of `size` bytes per CPU, pinned or not. Each CPU's copy begins with `image`; the
    /// rest is zero.
    ///
    /// Its memory is charged to the caller's control group.
    ///
    /// # Errors
    ///
    /// `EINVAL` for no size, or for an image that is larger; `E2BIG` for a size of more than
    /// [`MAX_SIZE`]; `EEXIST` when there is one of this name; `ENOSPC` when a limit of the registry is
    /// reached; `ENOMEM`.
    ///
    /// Context: process, may sleep.
    pub(crate) fn create(name: Name, size: u32, image: &[u8], pinned: bool) -> Result<ARef<Self>> {
        Self::check(&name, size, image)?;
        let reservation = Reservation::new(crate::percpu::footprint(size))?;
        // The caller hears of it when there is none: that is not worth a line in the log.
        let gfp = bindings::GFP_KERNEL_ACCOUNT | bindings::__GFP_NOWARN;
        let memory = PerCpuMem::new_zeroed(size, gfp)?;
        for cpu in PossibleCpu::all() {
            memory.write_on(cpu, 0, image)?;
        }
        let contents = Contents::Memory(memory);
        registry::insert(Self::new(name, contents, reservation)?, pinned)
    }

    /// A new store with entries, pinned or not. Each CPU's copy of each entry begins with `image`; the
    /// rest is zero.
    ///
    /// Its memory is charged to the caller's control group.
    ///
    /// # Errors
    ///
    /// As for [`create`](Self::create), and `EINVAL` for no entries; `E2BIG` for more than the registry
    /// ever lets there be; `EOPNOTSUPP` where the kernel does not tell when owners end.
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
        Self::check(&name, layout.size, image)?;
        let bytes = layout
            .footprint()
            .filter(|bytes| Reservation::is_possible(*bytes));
        let reservation = Reservation::new(bytes.ok_or(E2BIG)?)?;
        keyed::start_watch(layout.kind)?;
        let keyed = Keyed::new(layout, image)?;
        let contents = Contents::Entries(keyed);
        registry::insert(Self::new(name, contents, reservation)?, pinned)
    }

    /// What is wrong with what is asked for.
    fn check(name: &Name, size: u32, image: &[u8]) -> Result {
        if size == 0 || image.len() > size as usize {
            return Err(EINVAL);
        }
        if size > MAX_SIZE {
            return Err(E2BIG);
        }
        if find(name).is_some() {
            return Err(EEXIST);
        }
        Ok(())
    }

    /// A store with one reference, which nobody can find.
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

    /// Its name, which may have been given free.
    pub(crate) fn name(&self) -> &Name {
        &self.name
    }

    /// Whether it is found by its name.
    pub(crate) fn is_named(&self) -> bool {
        self.name_index.is_some()
    }

    /// Whether it outlives its users.
    pub(crate) fn is_pinned(&self) -> bool {
        self.pinned.load(Relaxed)
    }

    /// Another reference, unless the last one is gone.
    ///
    /// Context: any.
    #[inline]
    pub(crate) fn try_get(&self) -> Option<ARef<Self>> {
        // SAFETY: The storage is the start of this store, and its references are the store's.
        Storage::try_get(self)
            .map(|storage| unsafe { ARef::from_raw(ARef::into_raw(storage).cast()) })
    }

    /// The same reference, of what a handle refers to.
    pub(crate) fn into_storage(store: ARef<Self>) -> ARef<Storage> {
        // SAFETY: The storage is the start of the store, and its references are the store's.
        unsafe { ARef::from_raw(ARef::into_raw(store).cast()) }
    }

    /// The last reference is gone.
    ///
    /// Context: any.
    ///
    /// # Safety
    ///
    /// That is so, and is told once.
    unsafe fn release(store: NonNull<Self>) {
        // SAFETY: It is not freed before it is buried. Stores that have references are boxes, which
        // `registry::insert()` has turned into a raw pointer. The last reference is gone, and the
        // registry forgets it here.
        unsafe {
            registry::remove(store.as_ref());
            deferred_free::queue(store);
        }
    }
}

impl Deref for Store {
    type Target = Storage;

    #[inline]
    fn deref(&self) -> &Storage {
        &self.storage
    }
}

// SAFETY: A store stays as long as its count is not zero.
unsafe impl AlwaysRefCounted for Store {
    fn inc_ref(&self) {
        self.storage.inc_ref();
    }

    /// Context: any.
    unsafe fn dec_ref(store: NonNull<Self>) {
        // SAFETY: By the function's contract. The storage is the start of the store.
        unsafe { Storage::dec_ref(store.cast()) };
    }
}
