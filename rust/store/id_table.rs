// SPDX-License-Identifier: GPL-2.0

//! Where the registry has a store, or none.

use super::{
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

/// What is there instead of a store, so that a lookup need not ask: an id that is looked up elsewhere, at
/// the place where stores have theirs.
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

/// For the first place: this id belongs to the last.
static FIRST: Sentinel = Sentinel::new(u32::MAX);

/// For the others: this id belongs to the first.
static OTHER: Sentinel = Sentinel::new(0);

/// A place of a table with two places at least, whose length is a power of two. It is for the ids that are
/// its number, modulo the length.
///
/// # Invariants
///
/// Points to a [`Sentinel`] or to a store. Where ids are looked up, the vacancy's is not for this place.
pub(super) struct IdCell(Atomic<*mut Store>);

impl IdCell {
    /// Where no id is looked up.
    pub(super) const fn nowhere() -> Self {
        // INVARIANT: A vacancy.
        Self(Atomic::new(Self::vacancy(0)))
    }

    /// IdCell `number` of its table, without a store.
    ///
    /// # Safety
    ///
    /// That is where the table has it.
    pub(super) const unsafe fn vacant(number: u32) -> Self {
        // INVARIANT: As the statics say, for the place with this number.
        Self(Atomic::new(Self::vacancy(number)))
    }

    const fn vacancy(number: u32) -> *mut Store {
        let vacancy = if number == 0 {
            &raw const FIRST
        } else {
            &raw const OTHER
        };
        vacancy.cast_mut().cast()
    }

    /// The store with `id`, which is for this place.
    ///
    /// # Safety
    ///
    /// Stores that were [`put`](Self::put) here live for `'a`: the caller is in an RCU section, of
    /// either kind, and they are freed after both have ended.
    #[inline]
    pub(super) unsafe fn get<'a>(&self, id: u32) -> Option<&'a Store> {
        // As `rcu_dereference()`: what is read through the pointer depends on it. The kernel crate's
        // atomics call C, which would take longer than all the rest.
        // SAFETY: Atomics can be read.
        let store: *const Store = unsafe { self.0.as_ptr().read_volatile() };
        // SAFETY: By the type invariant.
        unsafe { assert_unchecked(!store.is_null()) };
        // SAFETY: By the type invariant, and by the function's contract, both have an id there.
        let found = unsafe { store.byte_add(Storage::ID_OFFSET).cast::<u32>().read() };
        // SAFETY: It is not a vacancy's, by the type invariant, so this is a store.
        (found == id).then(|| unsafe { &*store })
    }

    /// The store that is here.
    ///
    /// # Safety
    ///
    /// As for [`get`](Self::get).
    pub(super) unsafe fn any<'a>(&self) -> Option<&'a Store> {
        let store = self.0.load(Acquire);
        // SAFETY: By the type invariant this is a store, and by the function's contract it lives.
        (!Self::is_vacancy(store)).then(|| unsafe { &*store })
    }

    /// Whether no store is here.
    pub(super) fn is_vacant(&self) -> bool {
        Self::is_vacancy(self.0.load(Relaxed))
    }

    fn is_vacancy(store: *const Store) -> bool {
        let vacancies: [*const Sentinel; 2] = [&FIRST, &OTHER];
        vacancies
            .iter()
            .any(|vacancy| ptr::eq(*vacancy, store.cast()))
    }

    /// Has lookups find `store` here.
    ///
    /// # Safety
    ///
    /// Its id is for this place, and it lives as long as [`get`](Self::get) asks for.
    pub(super) unsafe fn put(&self, store: &Store) {
        // INVARIANT: It is a store.
        self.0.store(ptr::from_ref(store).cast_mut(), Release);
    }

    /// Has lookups find no store here.
    ///
    /// # Safety
    ///
    /// `id` is for this place, of a table of `len` places.
    pub(super) unsafe fn vacate(&self, id: u32, len: u32) {
        // INVARIANT: As the statics say, for the place with this number.
        self.0
            .store(Self::vacancy(id & len.wrapping_sub(1)), Release);
    }
}

#[kunit_tests(bpf_percpu_id_table)]
mod tests {
    use super::*;
    use crate::store::kunit::create;

    const LEN: u32 = 2;

    fn table() -> [IdCell; LEN as usize] {
        // SAFETY: In the order of their numbers.
        [0, 1].map(|number| unsafe { IdCell::vacant(number) })
    }

    /// What `table` has for `id`.
    fn get(table: &[IdCell; LEN as usize], id: u32) -> Option<u32> {
        let [even, odd] = table;
        let place = if id % LEN == 0 { even } else { odd };
        // SAFETY: The tests hold what they put.
        unsafe { place.get(id) }.map(|store| store.id())
    }

    /// Ids that are next to those of vacancies, or theirs.
    const IDS: [u32; 8] = [0, 1, 2, 3, 1 << 31, u32::MAX - 2, u32::MAX - 1, u32::MAX];

    #[test]
    fn vacancies_have_nobodys_id() {
        let table = table();
        for id in IDS {
            assert_eq!(get(&table, id), None);
        }
        for place in &table {
            assert!(place.is_vacant());
            // SAFETY: Nothing is here.
            assert!(unsafe { place.any() }.is_none());
        }
    }

    #[test]
    fn a_store_is_found_until_its_place_is_vacated() -> Result {
        let table = table();
        for store in [create("kunit-a", 8)?, create("kunit-b", 8)?] {
            let id = store.id();
            let place = &table[(id % LEN) as usize];
            // SAFETY: It is for that place, and held.
            unsafe { place.put(&store) };
            assert_eq!(get(&table, id), Some(id));
            assert!(!place.is_vacant());
            // SAFETY: The store is held.
            assert!(unsafe { place.any() }.is_some_and(|found| ptr::eq(found, &*store)));
            for other in IDS.into_iter().filter(|other| *other != id) {
                assert_eq!(get(&table, other), None);
            }
            // SAFETY: Of this table.
            unsafe { place.vacate(id, LEN) };
            assert!(place.is_vacant());
            for any in IDS {
                assert_eq!(get(&table, any), None);
            }
            assert_eq!(get(&table, id), None);
            assert_eq!(get(&table, id.wrapping_add(LEN)), None);
        }
        Ok(())
    }
}
