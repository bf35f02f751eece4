// SPDX-License-Identifier: GPL-2.0

//! Stores: named, reference-counted per-CPU memory.
//!
//! Who holds a reference: open files, the pin, and handles of BPF programs, in maps or not. The
//! registry finds stores and holds none. With the last reference a store leaves the registry at
//! once, and [`reaper`] frees it later.
//!
//! Lock order: [`registry`]'s lock is the only one here, and comes after those of its users; it is
//! taken in process context. Lookups take no lock, and neither does the last drop.

mod name;
mod names;
mod reaper;
mod registry;
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

use crate::percpu::{
    PerCpuMem,
    PossibleCpu, //
};
use core::{
    mem::offset_of,
    ptr::NonNull, //
};
use kernel::{
    alloc::flags::GFP_KERNEL_ACCOUNT,
    prelude::*,
    sync::{
        aref::{
            ARef,
            AlwaysRefCounted, //
        },
        atomic::{
            Atomic,
            Relaxed, //
        },
        Refcount, //
    },
};
use names::NameAt;
use reaper::Grave;
use registry::Reservation;

/// Per-CPU memory with a name and an id.
///
/// Lives in a [`KBox`] of its own until [`reaper`] frees it.
#[repr(C)]
pub(crate) struct Store {
    memory: PerCpuMem,
    id: u32,
    refs: Refcount,
    /// Whether the pin holds a reference. Changes under the registry's lock.
    pinned: Atomic<bool>,
    /// Where the name is registered.
    name_at: NameAt,
    name: Name,
    grave: Grave,
    reservation: Reservation,
}

// SAFETY: All but `grave` is, and that is used by the last owner only.
unsafe impl Send for Store {}
// SAFETY: All but `grave` is, and that is used by the last owner only.
unsafe impl Sync for Store {}

impl Store {
    /// Where [`memory`](Self::memory) is.
    pub(crate) const MEMORY_OFFSET: usize = offset_of!(Self, memory);
    /// Where [`id`](Self::id) is.
    pub(crate) const ID_OFFSET: usize = offset_of!(Self, id);

    /// A new store of `size` bytes per CPU, pinned or not. Each CPU's copy begins with `image`; the
    /// rest is zero.
    ///
    /// Its memory is charged to the caller's control group.
    ///
    /// # Errors
    ///
    /// `EINVAL` for no size, or for an image that is larger; `E2BIG` for a size of more than
    /// [`MAX_SIZE`](crate::percpu::MAX_SIZE); `EEXIST` when there is one of this name; `ENOSPC`
    /// when a limit of the registry is reached; `ENOMEM`.
    ///
    /// Context: process, may sleep.
    pub(crate) fn create(name: Name, size: u32, image: &[u8], pinned: bool) -> Result<ARef<Self>> {
        if size == 0 || image.len() > size as usize {
            return Err(EINVAL);
        }
        if size > crate::percpu::MAX_SIZE {
            return Err(E2BIG);
        }
        if find(&name).is_some() {
            return Err(EEXIST);
        }
        let reservation = Reservation::new(size)?;
        let memory = PerCpuMem::new_zeroed(size, kernel::bindings::GFP_KERNEL_ACCOUNT)?;
        for cpu in PossibleCpu::all() {
            memory.write_on(cpu, 0, image)?;
        }
        let store = KBox::new(
            Self {
                memory,
                id: 0,
                refs: Refcount::new(1),
                pinned: Atomic::new(false),
                name_at: NameAt::none(),
                name,
                grave: Grave::new(),
                reservation,
            },
            GFP_KERNEL_ACCOUNT,
        )?;
        registry::insert(store, pinned)
    }

    /// Its memory.
    #[inline]
    pub(crate) fn memory(&self) -> &PerCpuMem {
        &self.memory
    }

    /// Its id.
    #[inline]
    pub(crate) fn id(&self) -> u32 {
        self.id
    }

    /// Its name, which may have been given free.
    pub(crate) fn name(&self) -> &Name {
        &self.name
    }

    /// Whether it is found by its name.
    pub(crate) fn is_named(&self) -> bool {
        self.name_at.is_some()
    }

    /// Whether it outlives its users.
    pub(crate) fn is_pinned(&self) -> bool {
        self.pinned.load(Relaxed)
    }

    /// How many references there are, at the moment.
    pub(crate) fn refs(&self) -> u32 {
        self.refs.as_atomic().load(Relaxed).max(0) as u32
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

// SAFETY: A store stays as long as its count is not zero.
unsafe impl AlwaysRefCounted for Store {
    fn inc_ref(&self) {
        self.refs.inc();
    }

    /// Context: any.
    unsafe fn dec_ref(store: NonNull<Self>) {
        // SAFETY: The caller has a reference, which keeps the store.
        let this = unsafe { store.as_ref() };
        if this.refs.dec_and_test() {
            registry::remove(this);
            // SAFETY: Stores that have references are boxes, which `registry::insert()` has turned
            // into a raw pointer. The last reference is gone, and the registry has forgotten it.
            unsafe { reaper::bury(store) };
        }
    }
}
