// SPDX-License-Identifier: GPL-2.0

//! Which stores there are, by id and by name.
//!
//! Ids count up. A store is in the place that its id has modulo the number of places, and gets the
//! next id whose place is free: a lookup is an index and a compare, and no id comes twice. [`name_table`]
//! has ids by name.

#[cfg(CONFIG_KUNIT = "y")]
pub(super) mod kunit;

use super::{
    deferred_free,
    id_table::IdCell,
    keyed::{
        self,
        Workqueue, //
    },
    name_table,
    table::Table,
    Name,
    Store, //
};
use core::{
    mem::forget,
    ptr::NonNull, //
};
use kernel::{
    prelude::*,
    sync::{
        aref::ARef,
        atomic::{
            Atomic,
            Relaxed, //
        },
        rcu, //
    },
};

static NOWHERE: IdCell = IdCell::nowhere();

/// Stores by id. A store that is here is freed two grace periods after it has left.
static STORES: Table<IdCell> = Table::new(&NOWHERE);

/// Bytes per CPU of all stores, those that wait to be freed included.
static BYTES: Atomic<u32> = Atomic::new(0);
static MAX_BYTES: Atomic<u32> = Atomic::new(0);

/// Stores that are in [`STORES`], or will be.
static COUNT: Atomic<u32> = Atomic::new(0);
static MAX_COUNT: Atomic<u32> = Atomic::new(0);

kernel::sync::global_lock! {
    // SAFETY: Initialized in `Registry::new()`, before anything can create a store.
    unsafe(uninit) static NEXT_ID: Mutex<u32> = 1;
}

/// What the module may use.
pub(crate) struct Limits {
    /// The number of stores.
    pub(crate) stores: u32,
    /// Bytes per CPU of all stores together.
    pub(crate) bytes: u32,
}

impl Limits {
    /// Whether both leave room for what is added to them, and the table for its length.
    fn are_possible(&self) -> bool {
        (1..=1 << 20).contains(&self.stores) && self.bytes <= 1 << 31
    }
}

/// Makes room for stores while it lives.
pub(crate) struct Registry {
    _workqueue: Workqueue,
}

impl Registry {
    /// # Safety
    ///
    /// Called once, before anything else in this module is used. When the value is dropped, nothing
    /// of this module is in use, or used again.
    pub(crate) unsafe fn new(limits: Limits) -> Result<Self> {
        if !limits.are_possible() {
            return Err(EINVAL);
        }
        // SAFETY: By the function's contract: the lock is initialized once, and nobody uses the
        // tables yet. What is allocated is freed when this is dropped, or names cannot be.
        unsafe {
            NEXT_ID.init();
            keyed::init_watch();
            STORES.allocate(limits.stores.max(2), |number| IdCell::vacant(number))?;
            name_table::allocate(limits.stores).inspect_err(|_| STORES.free(&NOWHERE))?;
        }
        // SAFETY: By the function's contract this is once, and first. The value is dropped last.
        let workqueue = unsafe { Workqueue::new() }.inspect_err(|_| {
            // SAFETY: Allocated above.
            unsafe {
                name_table::free();
                STORES.free(&NOWHERE);
            }
        })?;
        MAX_COUNT.store(limits.stores, Relaxed);
        MAX_BYTES.store(limits.bytes, Relaxed);
        Ok(Self {
            _workqueue: workqueue,
        })
    }
}

impl Drop for Registry {
    /// Context: process, may sleep.
    fn drop(&mut self) {
        // The pins are all that is left: files and programs hold the module.
        let mut cursor = 0;
        while let Some(store) = next(&mut cursor) {
            let _ = unpin(&store);
        }
        deferred_free::wait_for_all();
        keyed::stop_watch();
        // SAFETY: `new()` allocated them; by its contract nobody uses them any more.
        unsafe {
            name_table::free();
            STORES.free(&NOWHERE);
        }
    }
}

/// What a store takes of what there may be.
pub(super) struct Reservation {
    bytes: u32,
    /// Whether it is one of [`COUNT`].
    counted: Atomic<bool>,
}

impl Reservation {
    /// How often a creation waits for stores that were dropped.
    const WAITS: u32 = 8;

    /// Whether there may ever be so many bytes.
    pub(super) fn is_possible(bytes: u32) -> bool {
        bytes <= MAX_BYTES.load(Relaxed)
    }

    /// Counts a store of `bytes` per CPU. `ENOSPC` when that is more than there may be.
    ///
    /// Context: process, may sleep: while stores wait to be freed, it waits with them.
    pub(super) fn new(bytes: u32) -> Result<Self> {
        for _ in 0..Self::WAITS {
            if let Some(this) = Self::try_new(bytes) {
                return Ok(this);
            }
            if deferred_free::waiting() == 0 {
                break;
            }
            deferred_free::wait();
        }
        Self::try_new(bytes).ok_or(ENOSPC)
    }

    fn try_new(bytes: u32) -> Option<Self> {
        // Others only make room meanwhile.
        let _lock = NEXT_ID.lock();
        let max_count = MAX_COUNT.load(Relaxed);
        let total = BYTES.load(Relaxed).checked_add(bytes)?;
        // Stores that wait to be freed are memory, too, however small they are.
        if COUNT.load(Relaxed) >= max_count
            || total > MAX_BYTES.load(Relaxed)
            || deferred_free::waiting() > max_count.max(MIN_WAITING)
        {
            return None;
        }
        COUNT.add(1, Relaxed);
        BYTES.add(bytes, Relaxed);
        Some(Self {
            bytes,
            counted: Atomic::new(true),
        })
    }

    /// The store is not in [`STORES`] any more.
    fn release_count(&self) {
        if self.counted.xchg(false, Relaxed) {
            COUNT.fetch_sub(1, Relaxed);
        }
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.release_count();
        BYTES.fetch_sub(self.bytes, Relaxed);
    }
}

/// So many stores may wait to be freed, even when fewer may exist.
const MIN_WAITING: u32 = 1024;

/// The store with `id`.
///
/// Context: any.
///
/// # Safety
///
/// The caller is in an RCU read-side critical section, or in one of RCU tasks trace, that lasts for
/// `'a`.
#[inline]
pub(crate) unsafe fn get<'a>(id: u32) -> Option<&'a Store> {
    // SAFETY: By what `STORES` says, and by the function's contract.
    unsafe { STORES.get(id).get(id) }
}

/// A reference to the store with `id`.
///
/// Context: any.
pub(crate) fn find_id(id: u32) -> Option<ARef<Store>> {
    let _rcu = rcu::read_lock();
    // SAFETY: In the RCU section above.
    unsafe { get(id) }.and_then(Store::try_get)
}

/// A reference to the store that is called `name`.
///
/// Context: any.
pub(crate) fn find(name: &Name) -> Option<ARef<Store>> {
    let _rcu = rcu::read_lock();
    name_table::find(name, |id| {
        // SAFETY: In the RCU section above.
        let store = unsafe { get(id) }.filter(|store| store.name == *name && store.is_named());
        store.and_then(Store::try_get)
    })
}

/// A reference to a store that is at `cursor` or after it, which is moved past it. Begins with 0.
///
/// Context: any.
pub(crate) fn next(cursor: &mut u32) -> Option<ARef<Store>> {
    let _rcu = rcu::read_lock();
    while *cursor < STORES.len() {
        // SAFETY: By what `STORES` says, in the RCU section above.
        let store = unsafe { STORES.get(*cursor).any() };
        *cursor = cursor.wrapping_add(1);
        if let Some(store) = store.and_then(Store::try_get) {
            return Some(store);
        }
    }
    None
}

/// Registers `store`, with an id of its own, and pins it or not.
///
/// # Errors
///
/// `EEXIST` when another store has its name; `ENOSPC` when there are as many as there are ids.
///
/// Context: process, may sleep.
pub(super) fn insert(store: KBox<Store>, pinned: bool) -> Result<ARef<Store>> {
    let mut next_id = NEXT_ID.lock();
    if is_taken(&store.name) {
        return Err(EEXIST);
    }
    // There are as many places as stores at least, this one counted, so one of so many ids has a
    // free one. The largest number is no id.
    let end = next_id.saturating_add(STORES.len());
    let mut free = (*next_id..end).filter(|id| STORES.get(*id).is_vacant());
    let id = free.next().ok_or(ENOSPC)?;
    *next_id = id.wrapping_add(1);
    store.set_id(id);

    let store = NonNull::from(KBox::leak(store));
    // SAFETY: The store has one reference, which is handed over. It is a box, as `dec_ref()` asks.
    let store = unsafe { ARef::<Store>::from_raw(store) };
    if let Some(keyed) = store.any_keyed() {
        // SAFETY: The store goes after it is not watched any more.
        unsafe { keyed::watch(keyed) };
    }
    // SAFETY: It is the id's place. The store is freed two grace periods after it has left.
    unsafe { STORES.get(id).put(&store) };
    name_table::add(&store)?;
    if pinned {
        add_pin(&store);
    }
    Ok(store)
}

/// Takes `store` out, whose last reference is gone.
///
/// Context: any.
pub(super) fn remove(store: &Store) {
    name_table::remove(store);
    // SAFETY: It is the id's place.
    unsafe { STORES.get(store.id()).vacate(store.id(), STORES.len()) };
    store.reservation.release_count();
}

/// Has `store` outlive its users, under its name.
///
/// # Errors
///
/// `EEXIST` when its name was given free, and another store has it.
///
/// Context: process, may sleep.
pub(crate) fn pin(store: &Store) -> Result {
    let _lock = NEXT_ID.lock();
    if !store.is_named() {
        if is_taken(&store.name) {
            return Err(EEXIST);
        }
        name_table::add(store)?;
    }
    add_pin(store);
    Ok(())
}

/// Gives the name of `store` free, and has it end with its users.
///
/// # Errors
///
/// `ENOENT` when it has neither pin nor name.
///
/// Context: process, may sleep.
pub(crate) fn unpin(store: &ARef<Store>) -> Result {
    let lock = NEXT_ID.lock();
    let was_named = name_table::remove(store);
    let was_pinned = store.pinned.xchg(false, Relaxed);
    drop(lock);
    if was_pinned {
        // SAFETY: `add_pin()` left a reference behind, and nobody else has taken it.
        drop(unsafe { ARef::from_raw(NonNull::from(&**store)) });
    }
    if was_named || was_pinned {
        Ok(())
    } else {
        Err(ENOENT)
    }
}

/// Whether a store that lives has `name`. With the lock held, it stays free if it is.
fn is_taken(name: &Name) -> bool {
    find(name).is_some()
}

/// Adds a reference, once. With the lock held.
fn add_pin(store: &Store) {
    if !store.pinned.xchg(true, Relaxed) {
        forget(ARef::from(store));
    }
}
