// SPDX-License-Identifier: GPL-2.0

//! The stores that exist, by id and by name, and the limits for them.
//!
//! Ids count up and are not used twice. A new store gets the next id whose cell in
//! [`id_table`](super::id_table) is empty. [`name_table`] has the ids of names.
//!
//! The registry's lock serializes what adds to the tables. Lookups take no lock, and neither does
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
// for `BYTES`: the sum is checked and added to with the lock held, and nothing depends on what
// makes it smaller.

/// Bytes per CPU of all stores, including those that wait to be freed.
static BYTES: Atomic<u32> = Atomic::new(0);
static MAX_BYTES: Atomic<u32> = Atomic::new(0);

/// Stores that are in [`STORES`], or have a [`Reservation`] to be.
static COUNT: Atomic<u32> = Atomic::new(0);
static MAX_COUNT: Atomic<u32> = Atomic::new(0);

kernel::sync::global_lock! {
    // SAFETY: Initialized in `Registry::new()`, before anything can create a store.
    unsafe(uninit) static NEXT_ID: Mutex<u32> = 1;
}

/// What all stores together may use.
pub(crate) struct Limits {
    /// The number of stores.
    pub(crate) stores: u32,
    /// Bytes per CPU of all stores together.
    pub(crate) bytes: u32,
}

impl Limits {
    /// Whether the limits leave room for the arithmetic on them, and for the length of the tables.
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
        // Files and programs hold the module, so that only pins are left.
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
    /// How often a creation waits for stores that were dropped to be freed.
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
        // ORDERING: Pairs with the Release in `release_count()`: `insert()` finds the cells of the
        // stores that are no longer counted empty.
        let count = COUNT.load(Acquire);
        // Stores that wait to be freed take memory too, even if they are small.
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

    /// Gives up the place in [`STORES`], which the store has left.
    fn release_count(&self) {
        // ORDERING: Relaxed is enough: `remove()` comes first, and the grace periods before
        // `drop()`.
        if self.counted.xchg(false, Relaxed) {
            // ORDERING: Pairs with the Acquire in `try_new()`: whoever gets this place finds the
            // store's cell empty.
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

/// The store with `id`.
///
/// Context: any.
///
/// # Safety
///
/// For `'a` the caller is in a read-side critical section of RCU or of RCU tasks trace.
#[inline]
pub(crate) unsafe fn get<'a>(id: u32) -> Option<&'a Store> {
    // SAFETY: For `'a` the caller is in a section, as `IdTable::get()` asks.
    unsafe { STORES.get(id) }
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

/// A reference to the next store of a walk, which begins with a `cursor` of 0. Moves the cursor
/// past the store.
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

/// Gives `store` an id, makes lookups find it, and pins it or not.
///
/// # Errors
///
/// `EEXIST` if another store has its name; `ENOSPC` when the ids are used up.
///
/// Context: process, may sleep.
pub(super) fn insert(store: KBox<Store>, pinned: bool) -> Result<ARef<Store>> {
    let mut next_id = NEXT_ID.lock();
    check_name(&store.name)?;
    // Every store in the table is counted, and so is this one, which is not in it yet: of as many
    // ids as there are cells, one has an empty cell. `u32::MAX` is no id.
    let end = next_id.saturating_add(STORES.len());
    let mut free = (*next_id..end).filter(|id| STORES.is_free(*id));
    let id = free.next().ok_or(ENOSPC)?;
    *next_id = id.wrapping_add(1);
    store.set_id(id);

    let store = NonNull::from(KBox::leak(store));
    // SAFETY: The store has one reference, which this takes over. `Store::free()` takes the box
    // back.
    let store = unsafe { ARef::<Store>::from_raw(store) };
    if let Some(keyed) = store.any_keyed() {
        // SAFETY: Before the store is freed, `Keyed` ends the watch.
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

/// Gives up the name and the pin of `store`, so that the store goes with its last user.
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
