// SPDX-License-Identifier: GPL-2.0

//! Ids of stores by name: a hash table with linear probing.
//!
//! Searches take no lock. Names are added under the registry's lock, and taken out by whoever drops
//! the last reference, in any context: what is left there is cleaned up when names are added.

use super::{
    table::Table,
    Name,
    Store, //
};
use kernel::{
    prelude::*,
    sync::atomic::{
        Acquire,
        Atomic,
        Relaxed,
        Release, //
    },
};

/// The id of a store, or [`NO_ID`], where a search ends, or [`REMOVED_ID`], where it goes on.
type Slot = Atomic<u32>;

const NO_ID: u32 = 0;
const REMOVED_ID: u32 = u32::MAX;

static NO_NAME: Slot = Atomic::new(NO_ID);

/// Between where the hash of a name leads and its id there is no [`NO_ID`].
static NAMES: Table<Slot> = Table::new(&NO_NAME);

/// Where hashes start, so that nobody can choose names that end up in one place.
static SEED: Atomic<u32> = Atomic::new(0);

/// Slots that have become [`REMOVED_ID`] since the last clean-up.
static REMOVED: Atomic<u32> = Atomic::new(0);

/// Makes room for `count` names.
///
/// # Safety
///
/// As for [`Table::allocate`].
pub(super) unsafe fn allocate(count: u32) -> Result {
    // A quarter full at most, and as much again with what was removed: searches are short.
    // SAFETY: By the function's contract.
    unsafe { NAMES.allocate(count.saturating_mul(4), || Atomic::new(NO_ID))? };
    // SAFETY: Has no preconditions.
    SEED.store(unsafe { kernel::bindings::get_random_u32() }, Relaxed);
    Ok(())
}

/// # Safety
///
/// As for [`Table::free`].
pub(super) unsafe fn free() {
    // SAFETY: By the function's contract.
    unsafe { NAMES.free(&NO_NAME) };
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
}

/// Where the `i`th step of a search for `hash` leads.
fn index(hash: u32, i: u32) -> u32 {
    hash.wrapping_add(i) & NAMES.len().wrapping_sub(1)
}

fn hash(name: &Name) -> u32 {
    name.hash(SEED.load(Relaxed))
}

/// What `found` makes of the ids that may be those of `name`, until it makes something.
///
/// Context: any.
pub(super) fn find<T>(name: &Name, mut found: impl FnMut(u32) -> Option<T>) -> Option<T> {
    let hash = hash(name);
    for i in 0..NAMES.len() {
        match NAMES.get(index(hash, i)).load(Acquire) {
            NO_ID => break,
            REMOVED_ID => (),
            id => {
                if let Some(it) = found(id) {
                    return Some(it);
                }
            }
        }
    }
    None
}

/// Adds the name of `store`, which is free. `ENOSPC` when there is no room.
///
/// Context: process, with the registry's lock held.
pub(super) fn add(store: &Store) -> Result {
    if REMOVED.load(Relaxed) >= NAMES.len() / 4 {
        REMOVED.store(0, Relaxed);
        clean_up();
    }
    let hash = hash(&store.name);
    let is_free = |i: &u32| {
        let id = NAMES.get(index(hash, *i)).load(Relaxed);
        id == NO_ID || id == REMOVED_ID
    };
    let at = index(hash, (0..NAMES.len()).find(is_free).ok_or(ENOSPC)?);
    store.name_at.0.store(at, Relaxed);
    NAMES.get(at).store(store.id(), Release);
    Ok(())
}

/// Takes the name of `store` out, and says whether it was there.
///
/// Context: any.
pub(super) fn remove(store: &Store) -> bool {
    let at = store.name_at.0.xchg(NameAt::NONE, Relaxed);
    if at == NameAt::NONE {
        return false;
    }
    NAMES.get(at).store(REMOVED_ID, Release);
    REMOVED.add(1, Relaxed);
    true
}

/// Lets searches end where a name was taken out and nothing comes after it.
///
/// With the registry's lock held: meanwhile names are only taken out.
fn clean_up() {
    // Twice around, for the end is before the start.
    for at in (0..NAMES.len().saturating_mul(2)).rev() {
        let is = |at, id| NAMES.get(at).load(Relaxed) == id;
        if is(at, REMOVED_ID) && is(at.wrapping_add(1), NO_ID) {
            NAMES.get(at).store(NO_ID, Relaxed);
        }
    }
}
