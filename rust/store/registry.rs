// SPDX-License-Identifier: GPL-2.0

//! Which stores there are, by id and by name.
//!
//! Ids count up. A store is in the slot that its id has modulo the number of slots, and gets the
//! next id whose slot is free: a lookup is an index and a compare, and no id comes twice. Names
//! are a hash table with linear probing, of ids.

use super::{
    reaper,
    table::Table,
    Name,
    Store, //
};
use crate::percpu;
use core::{
    mem::forget,
    ptr,
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

/// A store, or null.
type Slot = Atomic<*mut Store>;

/// The id of a store, or [`NO_ID`], where a search ends, or [`REMOVED_ID`], where it goes on.
type NameSlot = Atomic<u32>;

const NO_ID: u32 = 0;
const REMOVED_ID: u32 = u32::MAX;

static NO_STORE: Slot = Atomic::new(ptr::null_mut());
static NO_NAME: NameSlot = Atomic::new(NO_ID);

/// Stores by id. A store that is here is freed two grace periods after it has left.
static STORES: Table<Slot> = Table::new(&NO_STORE);

/// Ids by name. Between where the hash of a name leads and the name there is no [`NO_ID`].
static NAMES: Table<NameSlot> = Table::new(&NO_NAME);

/// Bytes per CPU of all stores, those that wait to be freed included.
static BYTES: Atomic<u32> = Atomic::new(0);
static MAX_BYTES: Atomic<u32> = Atomic::new(0);

/// Stores that are in [`STORES`].
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

/// Makes room for stores while it lives.
pub(crate) struct Registry(());

impl Registry {
    /// # Safety
    ///
    /// Called once, before anything else in this module is used. When the value is dropped, nothing
    /// of this module is in use, or used again.
    pub(crate) unsafe fn new(limits: Limits) -> Result<Self> {
        // Both must leave room for what is added below, and the table for its length.
        if limits.stores == 0 || limits.stores > 1 << 20 || limits.bytes > 1 << 31 {
            return Err(EINVAL);
        }
        // SAFETY: By the function's contract: the lock is initialized once, and nobody uses the
        // tables yet. What is allocated is freed when this, or `names` below, is dropped.
        unsafe {
            NEXT_ID.init();
            STORES.allocate(limits.stores, || Atomic::new(ptr::null_mut()))?;
            // Half full at most, which keeps searches short.
            let names = NAMES.allocate(limits.stores.wrapping_mul(2), || Atomic::new(NO_ID));
            names.inspect_err(|_| STORES.free(&NO_STORE))?;
        }
        MAX_COUNT.store(limits.stores, Relaxed);
        MAX_BYTES.store(limits.bytes, Relaxed);
        Ok(Self(()))
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
        reaper::finish();
        // SAFETY: `new()` allocated them; by its contract nobody uses them any more.
        unsafe {
            NAMES.free(&NO_NAME);
            STORES.free(&NO_STORE);
        }
    }
}

/// Bytes per CPU that are counted.
pub(super) struct Reservation(u32);

impl Reservation {
    /// Counts a store of `size` bytes. `ENOSPC` when that is more than the module may use.
    ///
    /// Context: process, may sleep: where stores wait to be freed, it waits with them.
    pub(super) fn new(size: u32) -> Result<Self> {
        let bytes = percpu::footprint(size);
        let try_new = || {
            let before = BYTES.fetch_add(bytes, Relaxed);
            let this = Self(bytes);
            // `MAX_BYTES` leaves room for what is added before it is taken back.
            (before.saturating_add(bytes) <= MAX_BYTES.load(Relaxed)).then_some(this)
        };
        if let Some(this) = try_new() {
            return Ok(this);
        }
        if reaper::has_work() {
            reaper::wait();
        }
        try_new().ok_or(ENOSPC)
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        BYTES.fetch_sub(self.0, Relaxed);
    }
}

/// Where [`NAMES`] has a store, if it has it.
pub(super) struct NameAt(Atomic<u32>);

impl NameAt {
    const NONE: u32 = u32::MAX;

    pub(super) const fn none() -> Self {
        Self(Atomic::new(Self::NONE))
    }

    pub(super) fn is_some(&self) -> bool {
        self.0.load(Relaxed) != Self::NONE
    }

    /// Takes the name out, and says whether it was there.
    ///
    /// Context: any.
    fn clear(&self) -> bool {
        let at = self.0.xchg(Self::NONE, Relaxed);
        if at == Self::NONE {
            return false;
        }
        NAMES.get(at).store(REMOVED_ID, Release);
        true
    }
}

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
    // As `rcu_dereference()`: what is read through the pointer depends on it. The kernel crate's
    // atomics call C, which would take longer than all the rest.
    // SAFETY: Atomics can be read; by what `STORES` says, and by the function's contract, what was
    // read can be used.
    let store = unsafe { STORES.get(id).as_ptr().read_volatile().as_ref() };
    store.filter(|store| store.id == id)
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
    let hash = name.hash();
    for i in 0..NAMES.len() {
        let id = NAMES.get(hash.wrapping_add(i)).load(Acquire);
        if id == NO_ID {
            break;
        }
        // SAFETY: In the RCU section above.
        let store = unsafe { get(id) }.filter(|store| store.name == *name && store.is_named());
        if let Some(store) = store.and_then(Store::try_get) {
            return Some(store);
        }
    }
    None
}

/// A reference to a store that is at `cursor` or after it, which is moved past it. Begins with 0.
///
/// Context: any.
pub(crate) fn next(cursor: &mut u32) -> Option<ARef<Store>> {
    let _rcu = rcu::read_lock();
    while *cursor < STORES.len() {
        let store = STORES.get(*cursor).load(Acquire);
        *cursor = cursor.wrapping_add(1);
        // SAFETY: By what `STORES` says, in the RCU section above.
        if let Some(store) = unsafe { store.as_ref() }.and_then(Store::try_get) {
            return Some(store);
        }
    }
    None
}

/// Registers `store`, with an id of its own.
///
/// # Errors
///
/// `EEXIST` when another store has its name; `ENOSPC` when there are as many as may be, or as many
/// as ids.
///
/// Context: process, may sleep.
pub(super) fn insert(mut store: KBox<Store>) -> Result<ARef<Store>> {
    let mut next_id = NEXT_ID.lock();
    if is_taken(&store.name) {
        return Err(EEXIST);
    }
    // Only the holder of the lock adds.
    if COUNT.load(Relaxed) >= MAX_COUNT.load(Relaxed) {
        return Err(ENOSPC);
    }
    // There are as many slots as stores at least, so one of so many ids has a free one.
    // `REMOVED_ID`, which is the largest number, is no id.
    let end = next_id.saturating_add(STORES.len());
    let mut free = (*next_id..end).filter(|id| STORES.get(*id).load(Relaxed).is_null());
    let id = free.next().ok_or(ENOSPC)?;
    *next_id = id.wrapping_add(1);
    store.id = id;
    COUNT.add(1, Relaxed);

    let store = NonNull::from(KBox::leak(store));
    // SAFETY: The store has one reference, which is handed over. It is a box, as `dec_ref()` asks.
    let store = unsafe { ARef::<Store>::from_raw(store) };
    STORES
        .get(id)
        .store(ptr::from_ref(&*store).cast_mut(), Release);
    add_name(&store)?;
    Ok(store)
}

/// Takes `store` out, whose last reference is gone.
///
/// Context: any.
pub(super) fn remove(store: &Store) {
    store.name_at.clear();
    STORES.get(store.id).store(ptr::null_mut(), Release);
    COUNT.fetch_sub(1, Relaxed);
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
        add_name(store)?;
    }
    if !store.pinned.xchg(true, Relaxed) {
        forget(ARef::from(store));
    }
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
    let was_named = store.name_at.clear();
    let was_pinned = store.pinned.xchg(false, Relaxed);
    drop(lock);
    if was_pinned {
        // SAFETY: `pin()` left a reference behind, and nobody else has taken it.
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

/// Adds the name of `store`, which is free. With the lock held.
fn add_name(store: &Store) -> Result {
    let hash = store.name.hash();
    let at = |i| hash.wrapping_add(i) & NAMES.len().wrapping_sub(1);
    let load = |i| NAMES.get(at(i)).load(Relaxed);
    let end = (0..NAMES.len())
        .find(|i| load(*i) == NO_ID)
        .unwrap_or(NAMES.len());
    // The first place that is free; if the search has met none, its end.
    let free = (0..end).find(|i| load(*i) == REMOVED_ID).unwrap_or(end);
    if free == NAMES.len() {
        return Err(ENOSPC);
    }
    store.name_at.0.store(at(free), Relaxed);
    NAMES.get(at(free)).store(store.id, Release);
    // What was removed just before the end can end searches, too.
    let removed = (0..end).rev().take_while(|i| load(*i) == REMOVED_ID);
    if end < NAMES.len() {
        removed.for_each(|i| NAMES.get(at(i)).store(NO_ID, Relaxed));
    }
    Ok(())
}
