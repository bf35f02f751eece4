// SPDX-License-Identifier: GPL-2.0

//! The stores that exist, by id and by name, and the limits for them.
//!
//! Ids count up and are never reused. A new store gets the next id whose cell in
//! [`id_table`](super::id_table) is empty. [`name_table`] maps names to ids.
//!
//! The registry's lock serializes additions to the tables. Lookups take no lock, and neither does
//! the removal of a store whose last reference is dropped.

#[cfg(CONFIG_KUNIT = "y")]
pub(super) mod fixtures;
#[cfg(CONFIG_KUNIT = "y")]
mod kunit;

use super::{
    deferred_free,
    id_table::IdTable,
    keyed,
    name_table,
    workqueue::Workqueue,
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
            Acquire,
            Atomic,
            Relaxed,
            Release, //
        },
        rcu, //
    },
};

static STORES: IdTable = IdTable::new();

// ORDERING: Relaxed is enough for the limits, which are set before the first store is created, and
// for `BYTES`: the sum is checked and increased with the lock held, and nothing depends on
// decreases.

/// Bytes per CPU of all stores, including those that wait to be freed.
static BYTES: Atomic<u32> = Atomic::new(0);
static MAX_BYTES: Atomic<u32> = Atomic::new(0);

/// Stores in [`STORES`], and those with a [`Reservation`] for a place in it.
static COUNT: Atomic<u32> = Atomic::new(0);
static MAX_COUNT: Atomic<u32> = Atomic::new(0);

kernel::sync::global_lock! {
    // SAFETY: Initialized in `Registry::new()`, before anything can create a store.
    unsafe(uninit) static NEXT_ID: Mutex<u32> = 1;
}

/// Limits for all stores together.
pub(crate) struct Limits {
    /// The number of stores.
    pub(crate) stores: u32,
    /// Bytes per CPU of all stores together.
    pub(crate) bytes: u32,
}

impl Limits {
    /// Whether arithmetic on the limits cannot overflow, and tables of this length can be allocated.
    fn are_possible(&self) -> bool {
        (1..=1 << 20).contains(&self.stores) && self.bytes <= 1 << 31
    }
}

/// Stores can exist while this value does.
pub(crate) struct Registry {
    _workqueue: Workqueue,
}

impl Registry {
    /// # Safety
    ///
    /// Called once, before anything else in this module is used. When the value is dropped, no
    /// store is in use, and nothing in this module is used afterwards.
    pub(crate) unsafe fn new(limits: Limits) -> Result<Self> {
        if !limits.are_possible() {
            return Err(EINVAL);
        }
        // SAFETY: This is the first call into the module: the locks are initialized once, and
        // nobody uses the tables yet. They are freed on error, and when the value is dropped.
        unsafe {
            NEXT_ID.init();
            keyed::init_watch();
            STORES.allocate(limits.stores)?;
            name_table::allocate(limits.stores).inspect_err(|_| STORES.free())?;
        }
        // SAFETY: No store exists yet. `drop()` waits until the last one is freed, and drops the
        // workqueue afterwards.
        let workqueue = unsafe { Workqueue::new() }.inspect_err(|_| {
            // SAFETY: Allocated above.
            unsafe {
                name_table::free();
                STORES.free();
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
        // Open files and programs hold references to the module, so only pins are left.
        let mut cursor = 0;
        while let Some(store) = next(&mut cursor) {
            let _ = unpin(&store);
        }
        deferred_free::wait_for_all();
        keyed::stop_watch();
        // SAFETY: `new()` has allocated the tables. By its contract nobody uses them any more.
        unsafe {
            name_table::free();
            STORES.free();
        }
    }
}

/// A store's share of the [`Limits`].
pub(super) struct Reservation {
    bytes: u32,
    /// Whether [`COUNT`] includes the store.
    counted: Atomic<bool>,
}

impl Reservation {
    /// How often a creation waits for dropped stores to be freed.
    const WAITS: u32 = 8;

    /// Whether the limits allow `bytes` at all.
    pub(super) fn is_possible(bytes: u32) -> bool {
        bytes <= MAX_BYTES.load(Relaxed)
    }

    /// Reserves a place for a store of `bytes` per CPU. `ENOSPC` if a limit is reached.
    ///
    /// Context: process, may sleep: if stores wait to be freed, it waits for them.
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
        // With the lock held, the sums only get smaller.
        let _lock = NEXT_ID.lock();
        let max_count = MAX_COUNT.load(Relaxed);
        let total = BYTES.load(Relaxed).checked_add(bytes)?;
        // ORDERING: Pairs with the Release in `release_count()`: the cells of stores that are no
        // longer counted are empty when `insert()` looks for one.
        let count = COUNT.load(Acquire);
        // Even small stores take memory while they wait to be freed.
        if count >= max_count
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

    /// Gives up the place in [`STORES`], from which the store was removed.
    fn release_count(&self) {
        // ORDERING: Relaxed is enough: `remove()` comes first, and the grace periods before
        // `drop()`.
        if self.counted.xchg(false, Relaxed) {
            // ORDERING: Pairs with the Acquire in `try_new()`: the creation that gets this place
            // sees that the store's cell is empty.
            COUNT.fetch_sub(1, Release);
        }
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.release_count();
        BYTES.fetch_sub(self.bytes, Relaxed);
    }
}

/// The number of stores that may wait to be freed even if the limit for stores is lower.
const MIN_WAITING: u32 = 1024;

/// Looks up the store with `id`, without taking a reference.
///
/// Context: any.
///
/// # Safety
///
/// The caller is in a read-side critical section of RCU or of RCU tasks trace for all of `'a`.
#[inline]
pub(crate) unsafe fn lookup_rcu<'a>(id: u32) -> Option<&'a Store> {
    // SAFETY: The caller is in a section for all of `'a`, as `IdTable::lookup()` requires.
    unsafe { STORES.lookup(id) }
}

/// Looks up the store with `id`, and takes a reference.
///
/// Context: any.
pub(crate) fn find_id(id: u32) -> Option<ARef<Store>> {
    let _rcu = rcu::read_lock();
    // SAFETY: In the RCU section above.
    unsafe { lookup_rcu(id) }.and_then(Store::try_get)
}

/// Looks up the store with the name `name`, and takes a reference.
///
/// Context: any.
pub(crate) fn find(name: &Name) -> Option<ARef<Store>> {
    let _rcu = rcu::read_lock();
    name_table::find(name, |id| {
        // SAFETY: In the RCU section above.
        let store = unsafe { lookup_rcu(id) };
        store
            .filter(|store| store.name == *name && store.is_named())
            .and_then(Store::try_get)
    })
}

/// Takes a reference to the next store of a walk, and moves `cursor` past it. A walk begins with a
/// `cursor` of 0.
///
/// Context: any.
pub(crate) fn next(cursor: &mut u32) -> Option<ARef<Store>> {
    let _rcu = rcu::read_lock();
    while *cursor < STORES.len() {
        // SAFETY: In the RCU section above.
        let store = unsafe { STORES.at(*cursor) };
        *cursor = cursor.wrapping_add(1);
        if let Some(store) = store.and_then(Store::try_get) {
            return Some(store);
        }
    }
    None
}

/// Gives `store` an id, makes lookups find it, and pins it if `pinned` is set.
///
/// # Errors
///
/// `EEXIST` if another store has its name; `ENOSPC` when the ids are used up.
///
/// Context: process, may sleep.
pub(super) fn insert(store: KBox<Store>, pinned: bool) -> Result<ARef<Store>> {
    let mut next_id = NEXT_ID.lock();
    check_name(&store.name)?;
    // `COUNT` includes every store in the table, and this one, which is not in it yet. So among as
    // many consecutive ids as there are cells, one has an empty cell. `u32::MAX` is not a valid id.
    let end = next_id.saturating_add(STORES.len());
    let mut free = (*next_id..end).filter(|id| STORES.is_free(*id));
    let id = free.next().ok_or(ENOSPC)?;
    *next_id = id.wrapping_add(1);
    store.set_id(id);

    let store = NonNull::from(KBox::leak(store));
    // SAFETY: The store has one reference, which the `ARef` takes over. `Store::free()` takes the
    // box back.
    let store = unsafe { ARef::<Store>::from_raw(store) };
    if let Some(keyed) = store.any_keyed() {
        // SAFETY: `Keyed` ends the watch before the store is freed.
        unsafe { keyed::watch(keyed) };
    }
    // SAFETY: `Store::release()` removes the store, and then has `deferred_free` wait for both
    // grace periods.
    unsafe { STORES.publish(&store) };
    name_table::add(&store)?;
    if pinned {
        add_pin(&store);
    }
    Ok(store)
}

/// Removes `store`, whose last reference was dropped.
///
/// Context: any.
pub(super) fn remove(store: &Store) {
    name_table::remove(store);
    STORES.remove(store.id());
    store.reservation.release_count();
}

/// Pins `store`, so that it outlives its users, and gives it its name back.
///
/// # Errors
///
/// `EEXIST` if the name was given up, and another store has it now.
///
/// Context: process, may sleep.
pub(crate) fn pin(store: &Store) -> Result {
    let _lock = NEXT_ID.lock();
    if !store.is_named() {
        check_name(&store.name)?;
        name_table::add(store)?;
    }
    add_pin(store);
    Ok(())
}

/// Gives up the name and the pin of `store`, so that the store is freed after its last user.
///
/// # Errors
///
/// `ENOENT` if it has neither.
///
/// Context: process, may sleep.
pub(crate) fn unpin(store: &ARef<Store>) -> Result {
    let lock = NEXT_ID.lock();
    let was_named = name_table::remove(store);
    // ORDERING: Relaxed is enough: `pinned` changes with the lock held.
    let was_pinned = store.pinned.xchg(false, Relaxed);
    drop(lock);
    if was_pinned {
        // SAFETY: `add_pin()` has leaked a reference, and only one call of `xchg()` gets the `true`
        // that stands for it.
        drop(unsafe { ARef::from_raw(NonNull::from(&**store)) });
    }
    if was_named || was_pinned {
        Ok(())
    } else {
        Err(ENOENT)
    }
}

/// `EEXIST` if a store has `name`. With the lock held, a name that is free stays free.
pub(super) fn check_name(name: &Name) -> Result {
    if find(name).is_some() {
        return Err(EEXIST);
    }
    Ok(())
}

/// Adds the pin's reference, unless the store is pinned. Called with the lock held.
fn add_pin(store: &Store) {
    if !store.pinned.xchg(true, Relaxed) {
        forget(ARef::from(store));
    }
}
