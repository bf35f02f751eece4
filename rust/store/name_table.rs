// SPDX-License-Identifier: GPL-2.0

//! Maps names to ids of stores: a hash table with open addressing and linear probing.
//!
//! Searches take no lock. Names are added with the registry's lock held. They are removed without it, in
//! any context, because the last reference may be dropped in an NMI: a removal leaves a tombstone.
//! Additions turn tombstones that end a probe sequence into empty elements from time to time.

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

/// The id of a store, or [`EMPTY`], which ends a search, or [`TOMBSTONE`], which does not.
type Element = Atomic<u32>;

const EMPTY: u32 = 0;
const TOMBSTONE: u32 = u32::MAX;

static NOTHING: Element = Atomic::new(EMPTY);

/// No element between the one that a name hashes to and the one that has the id is [`EMPTY`].
static NAMES: Table<Element> = Table::new(&NOTHING);

/// The seed of the hash, random so that nobody can choose names that collide.
static SEED: Atomic<u32> = Atomic::new(0);

/// Removals since the last call of [`reclaim_tombstones`].
static TOMBSTONES: Atomic<u32> = Atomic::new(0);

/// Makes room for `count` names.
///
/// # Safety
///
/// As for [`Table::allocate`].
pub(super) unsafe fn allocate(count: u32) -> Result {
    // Names fill a quarter of the table at most, which keeps searches short.
    // SAFETY: The caller promises what `Table::allocate()` requires.
    unsafe { NAMES.allocate(count.saturating_mul(4), |_| Atomic::new(EMPTY))? };
    // ORDERING: Relaxed is enough, as for the table: there are no searches yet.
    // SAFETY: Has no preconditions.
    SEED.store(unsafe { kernel::bindings::get_random_u32() }, Relaxed);
    Ok(())
}

/// # Safety
///
/// As for [`Table::free`].
pub(super) unsafe fn free() {
    // SAFETY: The caller promises what `Table::free()` requires.
    unsafe { NAMES.free(&NOTHING) };
}

/// The index in [`NAMES`] of a store's element, if it has one.
pub(super) struct NameIndex(Atomic<u32>);

impl NameIndex {
    const NONE: u32 = u32::MAX;

    pub(super) const fn none() -> Self {
        Self(Atomic::new(Self::NONE))
    }

    pub(super) fn is_some(&self) -> bool {
        self.0.load(Relaxed) != Self::NONE
    }
}

/// The index of the `i`th element of the probe sequence of `hash`.
fn index(hash: u32, i: u32) -> u32 {
    hash.wrapping_add(i) & NAMES.len().wrapping_sub(1)
}

fn hash(name: &Name) -> u32 {
    name.hash(SEED.load(Relaxed))
}

/// Calls `found` with the ids that `name` may have, and returns the first result that is not `None`.
///
/// Context: any.
pub(super) fn find<T>(name: &Name, mut found: impl FnMut(u32) -> Option<T>) -> Option<T> {
    let hash = hash(name);
    for i in 0..NAMES.len() {
        // ORDERING: Pairs with the Release in `add()`: a lookup of the id by `found` finds the store,
        // and sees its name.
        match NAMES.get(index(hash, i)).load(Acquire) {
            EMPTY => break,
            TOMBSTONE => (),
            id => {
                if let Some(it) = found(id) {
                    return Some(it);
                }
            }
        }
    }
    None
}

/// Adds the name of `store`, which no other store has. `ENOSPC` if there is no room.
///
/// Context: process, with the registry's lock held.
pub(super) fn add(store: &Store) -> Result {
    if TOMBSTONES.load(Relaxed) >= NAMES.len() / 4 {
        TOMBSTONES.store(0, Relaxed);
        reclaim_tombstones();
    }
    let hash = hash(&store.name);
    // ORDERING: Relaxed is enough: while the lock is held, others only write tombstones, and one that is
    // not visible yet is skipped.
    let is_free = |i: &u32| {
        let id = NAMES.get(index(hash, *i)).load(Relaxed);
        id == EMPTY || id == TOMBSTONE
    };
    let at = index(hash, (0..NAMES.len()).find(is_free).ok_or(ENOSPC)?);
    store.name_index.0.store(at, Relaxed);
    // ORDERING: Pairs with the Acquire in `find()`: the store is published by its id, and its index is set.
    NAMES.get(at).store(store.id(), Release);
    Ok(())
}

/// Removes the name of `store`. Returns whether it was there.
///
/// Context: any.
pub(super) fn remove(store: &Store) -> bool {
    // ORDERING: Relaxed is enough: the exchange only decides which caller removes the name.
    let at = store.name_index.0.xchg(NameIndex::NONE, Relaxed);
    if at == NameIndex::NONE {
        return false;
    }
    // ORDERING: Relaxed is enough: a search that reads the tombstone accesses no field of the store.
    NAMES.get(at).store(TOMBSTONE, Relaxed);
    TOMBSTONES.add(1, Relaxed);
    true
}

/// Empties the tombstones at the end of probe sequences, so that searches end there.
///
/// Called with the registry's lock held, so names may be removed during the call, but not added.
fn reclaim_tombstones() {
    // Two passes, because probe sequences wrap around at the end of the table.
    for at in (0..NAMES.len().saturating_mul(2)).rev() {
        // ORDERING: Relaxed is enough: only this function and `add()` replace a tombstone, both with the
        // lock held.
        let is = |at, id| NAMES.get(at).load(Relaxed) == id;
        if is(at, TOMBSTONE) && is(at.wrapping_add(1), EMPTY) {
            NAMES.get(at).store(EMPTY, Relaxed);
        }
    }
}

#[kunit_tests(bpf_percpu_name_table)]
mod tests {
    use super::*;
    use crate::store::{
        self,
        fixtures::name, //
    };
    use kernel::sync::aref::ARef;

    /// Names whose probe sequences begin at `at`.
    fn names_at(at: u32) -> impl Iterator<Item = Name> {
        let digit = |i: u32, nr: u32| b'a' + (i >> (4 * nr) & 0xf) as u8;
        (0u32..)
            .filter_map(move |i| Name::from_bytes((0..8).map(|nr| digit(i, nr))))
            .filter(move |name| index(hash(name), 0) == index(at, 0))
    }

    /// Stores whose probe sequences begin at `at`, in the order of creation.
    fn colliding<const N: usize>(at: u32) -> Result<[ARef<Store>; N]> {
        let mut stores = KVec::with_capacity(N, GFP_KERNEL)?;
        for name in names_at(at).take(N) {
            stores.push(Store::create(name, 8, &[], false)?, GFP_KERNEL)?;
        }
        stores.first_chunk().cloned().ok_or(ENOENT)
    }

    /// The id of the store of this name.
    fn id_of(name: &Name) -> Option<u32> {
        store::find(name).map(|store| store.id())
    }

    /// The index of the name of `store`.
    fn at(store: &Store) -> u32 {
        store.name_index.0.load(Relaxed)
    }

    /// The element at `at`.
    fn element(at: u32) -> u32 {
        NAMES.get(at).load(Relaxed)
    }

    /// Adds a name far from `at`, and makes the addition reclaim tombstones.
    fn add_and_reclaim(at: u32) -> Result {
        TOMBSTONES.store(NAMES.len() / 4, Relaxed);
        let other = names_at(index(at, NAMES.len() / 2)).next().ok_or(ENOENT)?;
        let _store = Store::create(other, 8, &[], false)?;
        Ok(())
    }

    #[test]
    fn searches_go_round() {
        let end = NAMES.len();
        assert!(end.is_power_of_two());
        assert_eq!(index(0, 0), 0);
        assert_eq!(index(5, 2), 7);
        assert_eq!(index(end - 1, 0), end - 1);
        assert_eq!(index(end - 1, 1), 0);
        assert_eq!(index(end, 0), 0);
        assert_eq!(index(u32::MAX, 0), end - 1);
        assert_eq!(index(u32::MAX, 1), 0);
    }

    #[test]
    fn unknown_names() -> Result {
        let _store = Store::create(name("kunit")?, 8, &[], false)?;
        for text in ["KUNIT", "kuni", "kunit1", "tinuk", "-"] {
            assert_eq!(id_of(&name(text)?), None);
        }
        assert!(id_of(&name("kunit")?).is_some());
        Ok(())
    }

    #[test]
    fn names_that_collide_are_found() -> Result {
        let stores: [_; 4] = colliding(7)?;
        for store in &stores {
            assert_eq!(id_of(store.name()), Some(store.id()));
        }
        Ok(())
    }

    #[test]
    fn searches_ask_in_order() -> Result {
        let stores: [_; 3] = colliding(7)?;
        let mut asked = 0;
        let none = find(stores[2].name(), |id| -> Option<()> {
            assert_eq!(Some(id), stores.get(asked).map(|store| store.id()));
            asked += 1;
            None
        });
        assert!(none.is_none());
        assert_eq!(asked, 3);
        // The first result ends the search.
        asked = 0;
        let second = find(stores[2].name(), |id| {
            asked += 1;
            (id == stores[1].id()).then_some(id)
        });
        assert_eq!(second, Some(stores[1].id()));
        assert_eq!(asked, 2);
        Ok(())
    }

    #[test]
    fn searches_pass_tombstones() -> Result {
        let [a, b, c] = colliding(7)?;
        let names = [*a.name(), *b.name()];
        drop(a);
        assert_eq!(id_of(b.name()), Some(b.id()));
        drop(b);
        assert_eq!(id_of(c.name()), Some(c.id()));
        for name in &names {
            assert_eq!(id_of(name), None);
        }
        Ok(())
    }

    #[test]
    fn tombstones_are_used_again() -> Result {
        let [a, b] = colliding(7)?;
        let (first, name) = (at(&a), *a.name());
        drop(a);
        assert_eq!(element(first), TOMBSTONE);
        let new = Store::create(name, 8, &[], false)?;
        assert_eq!(at(&new), first);
        assert_eq!(element(first), new.id());
        assert_eq!(id_of(&name), Some(new.id()));
        assert_eq!(id_of(b.name()), Some(b.id()));
        Ok(())
    }

    #[test]
    fn names_go_round_the_end() -> Result {
        let end = NAMES.len();
        let [a, b, c] = colliding(end - 1)?;
        assert_eq!([at(&a), at(&b), at(&c)], [end - 1, 0, 1]);
        assert_eq!(id_of(c.name()), Some(c.id()));
        drop(a);
        assert_eq!(id_of(b.name()), Some(b.id()));
        Ok(())
    }

    #[test]
    fn removed_once() -> Result {
        let store = Store::create(name("kunit")?, 8, &[], false)?;
        let (place, count) = (at(&store), TOMBSTONES.load(Relaxed));
        assert!(store.is_named());
        assert_eq!(element(place), store.id());
        assert!(remove(&store));
        assert!(!store.is_named());
        assert_eq!(element(place), TOMBSTONE);
        assert!(!remove(&store));
        assert_eq!(TOMBSTONES.load(Relaxed), count + 1);
        // Another store may have the element now.
        let other = Store::create(name("kunit")?, 8, &[], false)?;
        assert_eq!(at(&other), place);
        drop(store);
        assert_eq!(element(place), other.id());
        Ok(())
    }

    #[test]
    fn reclaimed_tombstones_end_searches() -> Result {
        let end = NAMES.len();
        for first in [7, end - 1, end - 2] {
            drop(colliding::<3>(first)?);
            let places = [first, index(first, 1), index(first, 2)];
            assert_eq!(places.map(element), [TOMBSTONE; 3]);
            add_and_reclaim(first)?;
            assert_eq!(places.map(element), [EMPTY; 3]);
        }
        Ok(())
    }

    #[test]
    fn reclaim_keeps_the_way_to_the_living() -> Result {
        let end = NAMES.len();
        for first in [7, end - 2] {
            let [a, b, c] = colliding(first)?;
            let last = index(first, 2);
            drop(b);
            add_and_reclaim(first)?;
            assert_eq!(element(index(first, 1)), TOMBSTONE);
            assert_eq!(id_of(a.name()), Some(a.id()));
            assert_eq!(id_of(c.name()), Some(c.id()));
            drop(c);
            add_and_reclaim(first)?;
            assert_eq!([element(index(first, 1)), element(last)], [EMPTY; 2]);
            assert_eq!(id_of(a.name()), Some(a.id()));
        }
        Ok(())
    }

    #[test]
    fn reclaims_at_a_quarter() -> Result {
        let quarter = NAMES.len() / 4;
        TOMBSTONES.store(quarter - 1, Relaxed);
        let a = Store::create(name("kunit-a")?, 8, &[], false)?;
        assert_eq!(TOMBSTONES.load(Relaxed), quarter - 1);
        drop(a);
        assert_eq!(TOMBSTONES.load(Relaxed), quarter);
        let b = Store::create(name("kunit-b")?, 8, &[], false)?;
        assert_eq!(TOMBSTONES.load(Relaxed), 0);
        assert_eq!(id_of(b.name()), Some(b.id()));
        Ok(())
    }
}
