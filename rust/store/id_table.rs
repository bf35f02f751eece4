// SPDX-License-Identifier: GPL-2.0

//! Maps ids to stores: an array of pointers, indexed by the low bits of the id.
//!
//! A lookup loads the array's address and mask, the pointer in the cell, and the id that it points to. It
//! compares that id with the requested one, so that a stale id does not find the store that now has its
//! cell (ABA). An empty cell points to a sentinel whose id selects another cell, so that a lookup need not
//! test for NULL.

use super::{
    table::Table,
    Storage,
    Store, //
};
use core::{
    hint::assert_unchecked,
    mem::offset_of,
    ptr, //
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

/// The target of an empty cell: an id at the offset of a store's id.
#[repr(C, align(8))]
struct Sentinel {
    _before_id: [u8; Storage::ID_OFFSET],
    id: u32,
}

impl Sentinel {
    const fn new(id: u32) -> Self {
        const { assert!(offset_of!(Sentinel, id) == Storage::ID_OFFSET) };
        Self {
            _before_id: [0; Storage::ID_OFFSET],
            id,
        }
    }
}

/// For cell 0: this id selects the last cell.
static FIRST: Sentinel = Sentinel::new(u32::MAX);

/// For all other cells: this id selects cell 0.
static OTHER: Sentinel = Sentinel::new(0);

/// A cell of the table.
///
/// # Invariants
///
/// Points to a store whose id selects this cell, or to a [`Sentinel`]. If the table has at least two
/// cells, the sentinel's id selects another cell.
struct IdCell(Atomic<*mut Store>);

impl IdCell {
    /// The empty cell with this index.
    const fn empty(index: u32) -> Self {
        // INVARIANT: See `FIRST` and `OTHER`.
        Self(Atomic::new(Self::sentinel(index)))
    }

    const fn sentinel(index: u32) -> *mut Store {
        let sentinel = if index == 0 {
            &raw const FIRST
        } else {
            &raw const OTHER
        };
        sentinel.cast_mut().cast()
    }

    fn is_sentinel(store: *const Store) -> bool {
        let sentinels: [*const Sentinel; 2] = [&FIRST, &OTHER];
        sentinels
            .iter()
            .any(|sentinel| ptr::eq(*sentinel, store.cast()))
    }

    /// Looks up the store with `id`, which selects this cell, without taking a reference.
    ///
    /// # Safety
    ///
    /// As for [`IdTable::lookup`].
    #[inline]
    unsafe fn lookup<'a>(&self, id: u32) -> Option<&'a Store> {
        // Like `rcu_dereference()`: reads through the pointer depend on it. The kernel crate's atomics
        // call C, which would take longer than the rest of the lookup.
        // ORDERING: The dependency pairs with the Release in `publish()`.
        // SAFETY: The pointer to the atomic is valid, and a volatile read of it is atomic.
        let store: *const Store = unsafe { self.0.as_ptr().read_volatile() };
        // SAFETY: By the type invariant it points to a store or a sentinel.
        unsafe { assert_unchecked(!store.is_null()) };
        // SAFETY: Stores and sentinels have an id at this offset. By the function's contract a store here
        // lives for `'a`, and its id does not change after it was published.
        let found = unsafe { store.byte_add(Storage::ID_OFFSET).cast::<u32>().read() };
        // SAFETY: By the type invariant a sentinel has another id, so this is a store.
        (found == id).then(|| unsafe { &*store })
    }
}

static UNALLOCATED: IdCell = IdCell::empty(0);

/// The stores by id.
pub(super) struct IdTable(Table<IdCell>);

impl IdTable {
    /// A table without room for stores.
    pub(super) const fn new() -> Self {
        Self(Table::new(&UNALLOCATED))
    }

    /// Makes room for at least `len` stores, 1 to 2^31.
    ///
    /// # Safety
    ///
    /// As for [`Table::allocate`].
    pub(super) unsafe fn allocate(&self, len: u32) -> Result {
        // INVARIANT: At least two cells, as the sentinels need.
        // SAFETY: The caller promises what `Table::allocate()` requires.
        unsafe { self.0.allocate(len.max(2), IdCell::empty) }
    }

    /// # Safety
    ///
    /// As for [`Table::free`].
    pub(super) unsafe fn free(&self) {
        // SAFETY: The caller promises what `Table::free()` requires.
        unsafe { self.0.free(&UNALLOCATED) };
    }

    /// The number of cells.
    pub(super) fn len(&self) -> u32 {
        self.0.len()
    }

    /// Looks up the store with `id`, without taking a reference.
    ///
    /// Context: any.
    ///
    /// # Safety
    ///
    /// For all of `'a`, the caller is in a section of RCU or RCU tasks trace, or no store is removed.
    #[inline]
    pub(super) unsafe fn lookup<'a>(&self, id: u32) -> Option<&'a Store> {
        // SAFETY: The caller promises what `IdCell::lookup()` requires, and the id selects this cell.
        unsafe { self.0.get(id).lookup(id) }
    }

    /// The store in the cell with this index, modulo the table's length.
    ///
    /// Context: any.
    ///
    /// # Safety
    ///
    /// As for [`lookup`](Self::lookup).
    pub(super) unsafe fn at<'a>(&self, index: u32) -> Option<&'a Store> {
        // ORDERING: Pairs with the Release in `publish()`: the store is initialized.
        let store = self.0.get(index).0.load(Acquire);
        // SAFETY: By the invariant of `IdCell` this is a store. It is freed after grace periods that
        // begin after its removal, so it lives for `'a`.
        (!IdCell::is_sentinel(store)).then(|| unsafe { &*store })
    }

    /// Whether the cell that `id` selects is empty.
    pub(super) fn is_free(&self, id: u32) -> bool {
        // ORDERING: Relaxed is enough: the caller holds the registry's lock, as for `publish()`, and
        // nothing of a removed store is read.
        IdCell::is_sentinel(self.0.get(id).0.load(Relaxed))
    }

    /// Makes lookups find `store` by its id. The cell that the id selects is empty.
    ///
    /// # Safety
    ///
    /// The store is not freed before a grace period of RCU and one of RCU tasks trace that begin after
    /// it is removed.
    pub(super) unsafe fn publish(&self, store: &Store) {
        // ORDERING: Pairs with the dependency in `IdCell::lookup()` and the Acquire in `at()`: a lookup
        // that finds the store sees it initialized, including its id.
        // INVARIANT: The store's id selects this cell.
        self.0
            .get(store.id())
            .0
            .store(ptr::from_ref(store).cast_mut(), Release);
    }

    /// Makes lookups find no store by `id`.
    ///
    /// Context: any.
    pub(super) fn remove(&self, id: u32) {
        let index = id & self.len().wrapping_sub(1);
        // INVARIANT: The sentinel for this index.
        // ORDERING: Relaxed is enough: sentinels never change. The grace periods before the store is
        // freed order this against its readers, and `Reservation::release_count()` against `insert()`.
        self.0.get(id).0.store(IdCell::sentinel(index), Relaxed);
    }
}

#[kunit_tests(bpf_percpu_id_table)]
mod tests {
    use super::*;
    use crate::store::fixtures::create;

    const LEN: u32 = 2;

    /// The result of `test` for an empty table of [`LEN`] cells.
    fn with_table<R>(test: impl FnOnce(&IdTable) -> R) -> Result<R> {
        let table = IdTable::new();
        // SAFETY: Nobody else knows the table, and it is freed below.
        unsafe { table.allocate(LEN)? };
        let result = test(&table);
        // SAFETY: Allocated above; `test` keeps nothing of it.
        unsafe { table.free() };
        Ok(result)
    }

    /// The id of the store that `table` has for `id`.
    fn get(table: &IdTable, id: u32) -> Option<u32> {
        // SAFETY: The tests hold the stores that they publish.
        unsafe { table.lookup(id) }.map(|store| store.id())
    }

    /// Ids of the sentinels, and those next to them.
    const IDS: [u32; 8] = [0, 1, 2, 3, 1 << 31, u32::MAX - 2, u32::MAX - 1, u32::MAX];

    #[test]
    fn no_id_finds_a_sentinel() -> Result {
        let (found, free) = with_table(|table| {
            let is_found = |id: &u32| get(table, *id).is_some();
            // SAFETY: Nothing is removed.
            let is_there = |index: &u32| unsafe { table.at(*index) }.is_some();
            (
                IDS.iter().any(is_found) || (0..LEN).any(|index| is_there(&index)),
                (0..LEN).all(|id| table.is_free(id)),
            )
        })?;
        assert!(!found && free);
        Ok(())
    }

    #[test]
    fn a_store_is_found_until_it_is_removed() -> Result {
        with_table(|table| {
            for store in [create("kunit-a", 8)?, create("kunit-b", 8)?] {
                let id = store.id();
                // SAFETY: The store is held until it is removed, and nobody else knows the table.
                unsafe { table.publish(&store) };
                assert_eq!(get(table, id), Some(id));
                assert!(!table.is_free(id));
                // SAFETY: The store is held.
                assert!(unsafe { table.at(id) }.is_some_and(|found| ptr::eq(found, &*store)));
                for other in IDS.into_iter().filter(|other| *other != id) {
                    assert_eq!(get(table, other), None);
                }
                table.remove(id);
                assert!(table.is_free(id));
                for any in IDS {
                    assert_eq!(get(table, any), None);
                }
                assert_eq!(get(table, id), None);
                assert_eq!(get(table, id.wrapping_add(LEN)), None);
            }
            Ok(())
        })?
    }
}
