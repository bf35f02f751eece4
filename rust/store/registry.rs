// SPDX-License-Identifier: GPL-2.0

//! Which stores there are, by id and by name.
//!
//! Ids count up. A store is in the place that its id has modulo the number of places, and gets the
//! next id whose place is free: a lookup is an index and a compare, and no id comes twice. [`names`]
//! has ids by name.

use super::{
    keyed::{
        self,
        Workqueue, //
    },
    names,
    place::Place,
    reaper,
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

static NOWHERE: Place = Place::nowhere();

/// Stores by id. A store that is here is freed two grace periods after it has left.
static STORES: Table<Place> = Table::new(&NOWHERE);

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
            STORES.allocate(limits.stores.max(2), |number| Place::vacant(number))?;
            names::allocate(limits.stores).inspect_err(|_| STORES.free(&NOWHERE))?;
        }
        // SAFETY: By the function's contract this is once, and first. The value is dropped last.
        let workqueue = unsafe { Workqueue::new() }.inspect_err(|_| {
            // SAFETY: Allocated above.
            unsafe {
                names::free();
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
        reaper::finish();
        keyed::stop_watch();
        // SAFETY: `new()` allocated them; by its contract nobody uses them any more.
        unsafe {
            names::free();
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
            if reaper::waiting() == 0 {
                break;
            }
            reaper::wait();
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
            || reaper::waiting() > max_count.max(MIN_WAITING)
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
    names::find(name, |id| {
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
    names::add(&store)?;
    if pinned {
        add_pin(&store);
    }
    Ok(store)
}

/// Takes `store` out, whose last reference is gone.
///
/// Context: any.
pub(super) fn remove(store: &Store) {
    names::remove(store);
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
        names::add(store)?;
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
    let was_named = names::remove(store);
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

#[kunit_tests(bpf_percpu_registry)]
pub(super) mod tests {
    use super::*;
    use crate::{
        kunit::{
            ensure,
            together, //
        },
        percpu::{
            PerCpuMem,
            PossibleCpu, //
        },
        store::{
            tests::{
                bytes_of,
                create,
                name, //
            },
            Contents, //
        },
    };
    use core::ptr;
    use kernel::bindings;

    /// The number of stores, and of their bytes per CPU.
    pub(in crate::store) fn counts_now() -> (u32, u32) {
        (COUNT.load(Relaxed), BYTES.load(Relaxed))
    }

    /// The same, when all that was dropped is freed.
    pub(in crate::store) fn counts() -> (u32, u32) {
        reaper::finish();
        counts_now()
    }

    /// What `test` says while there may be only so many more stores, and bytes.
    fn with_room_for<R>(stores: u32, bytes: u32, test: impl FnOnce() -> R) -> R {
        let now = counts();
        let max_count = MAX_COUNT.xchg(now.0 + stores, Relaxed);
        let max_bytes = MAX_BYTES.xchg(now.1 + bytes, Relaxed);
        let result = test();
        MAX_COUNT.store(max_count, Relaxed);
        MAX_BYTES.store(max_bytes, Relaxed);
        result
    }

    /// What `test` says when `id` is the next one. Afterwards ids go on where they were.
    fn with_next_id<R>(id: u32, test: impl FnOnce() -> R) -> R {
        let before = core::mem::replace(&mut *NEXT_ID.lock(), id);
        let result = test();
        *NEXT_ID.lock() = before;
        result
    }

    fn id_of(store: Result<ARef<Store>>) -> Result<u32> {
        store.map(|store| store.id())
    }

    #[test]
    fn limits() {
        let are_possible = |stores, bytes| Limits { stores, bytes }.are_possible();
        assert!(are_possible(1, 0));
        assert!(are_possible(1024, 32 << 20));
        assert!(are_possible(1 << 20, 1 << 31));
        assert!(!are_possible(0, 1 << 20));
        assert!(!are_possible((1 << 20) + 1, 1 << 20));
        assert!(!are_possible(u32::MAX, 1 << 20));
        assert!(!are_possible(1, (1 << 31) + 1));
        assert!(!are_possible(1, u32::MAX));
    }

    #[test]
    fn ids_ascend() -> Result {
        let mut last = 0;
        for _ in 0..3 {
            let (a, b) = (create("kunit-a", 8)?, create("kunit-b", 8)?);
            assert!(a.id() > last);
            assert!(b.id() > a.id());
            last = b.id();
        }
        Ok(())
    }

    #[test]
    fn unknown_ids() -> Result {
        let store = create("kunit", 8)?;
        let unknown = *NEXT_ID.lock();
        assert!(unknown > store.id());
        let ids = [
            0,
            unknown,
            unknown.wrapping_add(1),
            store.id().wrapping_add(STORES.len()),
            store.id() ^ 1 << 31,
            u32::MAX - 1,
            u32::MAX,
        ];
        for id in ids {
            assert!(find_id(id).is_none());
        }
        assert!(find_id(store.id()).is_some());
        Ok(())
    }

    #[test]
    fn no_id_resolves_to_the_next_in_its_place() -> Result {
        let old = id_of(create("kunit", 8))?;
        let new_id = old + STORES.len();
        let new = with_next_id(new_id, || create("kunit", 8))?;
        assert_eq!(new.id(), new_id);
        assert!(core::ptr::eq(STORES.get(old), STORES.get(new.id())));
        assert!(find_id(old).is_none());
        assert!(find_id(new.id()).is_some());
        assert!(find_id(new.id() + STORES.len()).is_none());
        Ok(())
    }

    #[test]
    fn places_that_were_vacated_have_nobodys_id() -> Result {
        let len = STORES.len();
        let first = (*NEXT_ID.lock() / len + 1) * len;
        for id in [first, first + len - 1] {
            let used = with_next_id(id, || id_of(create("kunit", 8)))?;
            assert_eq!(used, id);
            for id in [id, 0, len - 1, u32::MAX] {
                assert!(find_id(id).is_none());
            }
            assert!(STORES.get(id).is_vacant());
        }
        Ok(())
    }

    #[test]
    fn no_id_whose_place_is_taken() -> Result {
        let first = create("kunit-a", 8)?;
        let id = first.id() + STORES.len();
        let second = with_next_id(id, || create("kunit-b", 8))?;
        assert_eq!(second.id(), id + 1);
        assert!(find_id(first.id()).is_some());
        assert!(find_id(id).is_none());
        Ok(())
    }

    #[test]
    fn ids_come_to_an_end() -> Result {
        let before = counts();
        let ids = with_next_id(u32::MAX - 2, || [(); 4].map(|()| id_of(create("kunit", 8))));
        assert_eq!(
            ids,
            [Ok(u32::MAX - 2), Ok(u32::MAX - 1), Err(ENOSPC), Err(ENOSPC)]
        );
        assert_eq!(counts(), before);
        assert!(find(&name("kunit")?).is_none());
        Ok(())
    }

    #[test]
    fn number_of_stores() -> Result {
        let (first, second, third, again) = with_room_for(2, 1 << 16, || {
            let (first, second) = (create("kunit-a", 8), create("kunit-b", 8));
            let third = create("kunit-c", 8).err();
            drop(second);
            (
                first,
                third,
                create("kunit-c", 8),
                create("kunit-d", 8).err(),
            )
        });
        assert!(first.is_ok());
        assert_eq!(second, Some(ENOSPC));
        assert!(third.is_ok());
        assert_eq!(again, Some(ENOSPC));
        Ok(())
    }

    #[test]
    fn bytes_of_stores() {
        let (whole, more, odd, rest) = with_room_for(8, 24, || {
            let more = create("kunit", 25).err();
            let whole = create("kunit", 24).is_ok();
            // Nine bytes take sixteen.
            let store = create("kunit", 9);
            let odd = create("kunit-b", 9).err();
            let rest = create("kunit-b", 8).is_ok();
            drop(store);
            (whole, more, odd, rest)
        });
        assert!(whole);
        assert_eq!(more, Some(ENOSPC));
        assert_eq!(odd, Some(ENOSPC));
        assert!(rest);
    }

    #[test]
    fn waits_for_the_room_of_the_dead() {
        // Each takes all there is.
        let created = with_room_for(1, 4096, || (0..5).all(|_| create("kunit", 4096).is_ok()));
        assert!(created);
    }

    #[test]
    fn number_of_the_dead() {
        let before = counts();
        let (max, more) = with_room_for(1, 8, || {
            reaper::tests::pretend(MIN_WAITING, || {
                let max = Reservation::try_new(8).is_some();
                reaper::tests::pretend(1, || (max, Reservation::try_new(8).is_some()))
            })
        });
        assert!(max);
        assert!(!more);
        assert_eq!(counts(), before);
    }

    #[test]
    fn no_sum_of_bytes_wraps() -> Result {
        let _store = create("kunit", 8)?;
        let max = MAX_BYTES.xchg(u32::MAX, Relaxed);
        let (wraps, fits) = (
            Reservation::try_new(u32::MAX).is_some(),
            Reservation::try_new(u32::MAX - BYTES.load(Relaxed)).is_some(),
        );
        MAX_BYTES.store(max, Relaxed);
        assert!(!wraps);
        assert!(fits);
        Ok(())
    }

    #[test]
    fn reservations_end_once() -> Result {
        let before = counts();
        let reservation = Reservation::new(16)?;
        assert_eq!(counts_now(), (before.0 + 1, before.1 + 16));
        reservation.release_count();
        assert_eq!(counts_now(), (before.0, before.1 + 16));
        reservation.release_count();
        assert_eq!(counts_now(), (before.0, before.1 + 16));
        drop(reservation);
        assert_eq!(counts_now(), before);
        Ok(())
    }

    #[test]
    fn bytes_of_the_dead_count() -> Result {
        let before = counts();
        let store = create("kunit", 4096)?;
        assert_eq!(counts_now(), (before.0 + 1, before.1 + 4096));
        let dropped = {
            let _rcu = rcu::read_lock();
            drop(store);
            counts_now()
        };
        assert_eq!(dropped, (before.0, before.1 + 4096));
        assert_eq!(counts(), before);
        Ok(())
    }

    #[test]
    fn names_are_checked_again() -> Result {
        let taken = create("kunit", 8)?;
        let before = counts();
        // As of somebody who has not found the name.
        let memory = PerCpuMem::new_zeroed(8, bindings::GFP_KERNEL)?;
        let contents = Contents::Memory(memory);
        let late = Store::new(name("kunit")?, contents, Reservation::new(8)?)?;
        let next_id = *NEXT_ID.lock();
        assert_eq!(insert(late, true).err(), Some(EEXIST));
        assert_eq!(*NEXT_ID.lock(), next_id);
        assert_eq!(counts(), before);
        assert_eq!(find(taken.name()).map(|store| store.id()), Some(taken.id()));
        Ok(())
    }

    #[test]
    fn walks_come_by_each_store_once() -> Result {
        let stores = [
            create("kunit-a", 1)?,
            create("kunit-b", 2)?,
            create("kunit-c", 3)?,
        ];
        let mut seen = [0; 3];
        let (mut cursor, mut last) = (0, 0);
        while let Some(found) = next(&mut cursor) {
            assert!(cursor > last && cursor <= STORES.len());
            last = cursor;
            assert_eq!(found.refs(), 2);
            for (count, _) in seen
                .iter_mut()
                .zip(&stores)
                .filter(|(_, store)| store.id() == found.id())
            {
                *count += 1;
            }
        }
        assert_eq!(seen, [1; 3]);
        for store in &stores {
            assert_eq!(store.refs(), 1);
        }
        Ok(())
    }

    #[test]
    fn walks_end() -> Result {
        let _store = create("kunit", 8)?;
        for start in [STORES.len(), STORES.len() + 1, u32::MAX] {
            let mut cursor = start;
            assert!(next(&mut cursor).is_none());
            assert_eq!(cursor, start);
        }
        Ok(())
    }

    #[test]
    fn last_slot_is_walked_to() -> Result {
        // The next id that has it.
        let id = *NEXT_ID.lock() | (STORES.len() - 1);
        let store = with_next_id(id, || create("kunit", 8))?;
        assert_eq!(store.id(), id);
        let mut cursor = STORES.len() - 1;
        assert_eq!(next(&mut cursor).map(|store| store.id()), Some(id));
        assert!(next(&mut cursor).is_none());
        Ok(())
    }

    #[test]
    fn one_pin() -> Result {
        let store = create("kunit", 8)?;
        for _ in 0..3 {
            pin(&store)?;
            assert_eq!(store.refs(), 2);
            assert!(store.is_pinned() && store.is_named());
        }
        unpin(&store)?;
        assert_eq!(store.refs(), 1);
        assert!(!store.is_pinned() && !store.is_named());
        for _ in 0..2 {
            assert_eq!(unpin(&store), Err(ENOENT));
            assert_eq!(store.refs(), 1);
        }
        Ok(())
    }

    #[test]
    fn unpin_gives_the_name_free() -> Result {
        let store = create("kunit", 8)?;
        // Without a pin, too.
        assert_eq!(unpin(&store), Ok(()));
        assert_eq!(store.refs(), 1);
        assert!(find(store.name()).is_none());
        assert!(find_id(store.id()).is_some());
        let new = create("kunit", 8)?;
        assert_eq!(find(store.name()).map(|store| store.id()), Some(new.id()));
        // The old one takes nothing of the new one's with it.
        drop(store);
        assert!(find(new.name()).is_some());
        Ok(())
    }

    #[test]
    fn pin_takes_the_name_back() -> Result {
        let store = create("kunit", 8)?;
        unpin(&store)?;
        pin(&store)?;
        assert_eq!(find(store.name()).map(|store| store.id()), Some(store.id()));
        assert_eq!(create("kunit", 8).err(), Some(EEXIST));
        unpin(&store)?;
        let new = create("kunit", 8)?;
        assert_eq!(pin(&store), Err(EEXIST));
        assert_eq!(store.refs(), 1);
        assert!(!store.is_pinned() && !store.is_named());
        drop(new);
        assert_eq!(pin(&store), Ok(()));
        assert_eq!(store.refs(), 2);
        unpin(&store)?;
        Ok(())
    }

    #[test]
    fn no_end_of_a_dead_one_twice() -> Result {
        let (store, other) = (create("kunit-a", 8)?, create("kunit-b", 8)?);
        let before = counts_now();
        unpin(&store)?;
        assert_eq!(counts_now(), before);
        drop(store);
        assert_eq!(counts_now().0, before.0 - 1);
        // Others keep what is theirs.
        assert!(find(other.name()).is_some() && find_id(other.id()).is_some());
        Ok(())
    }

    const THREADS: usize = 4;
    const ROUNDS: u32 = 400;

    /// A name for each thread.
    fn name_of(thread: u32) -> Result<Name> {
        Name::from_bytes([b't', b'0' + thread as u8].into_iter()).ok_or(EINVAL)
    }

    /// Whether all of `store` is `byte`, which it was created with.
    fn is_all(store: &Store, byte: u8) -> Result {
        for cpu in PossibleCpu::all() {
            ensure(bytes_of(store, cpu)?.iter().all(|it| *it == byte))?;
        }
        Ok(())
    }

    #[test]
    fn threads_with_names_of_their_own() -> Result {
        let before = counts();
        together(THREADS, |thread| {
            let name = name_of(thread)?;
            let mut last = 0;
            for round in 0..ROUNDS {
                let byte = (thread * 64 + round % 64) as u8;
                let store = Store::create(name, 8, &[byte; 8], round % 2 == 0)?;
                let id = store.id();
                ensure(id > last)?;
                last = id;
                ensure(find_id(id).is_some_and(|found| ptr::eq(&*found, &*store)))?;
                ensure(find(&name).is_some_and(|found| ptr::eq(&*found, &*store)))?;
                ensure(store.refs() == if round % 2 == 0 { 2 } else { 1 })?;
                is_all(&store, byte)?;
                unpin(&store)?;
                ensure(find(&name).is_none())?;
                drop(store);
                ensure(find_id(id).is_none())?;
            }
            Ok(())
        })?;
        assert_eq!(counts(), before);
        Ok(())
    }

    #[test]
    fn threads_with_one_name() -> Result {
        let name = name("kunit")?;
        let before = counts();
        let (owners, created) = (Atomic::new(0u32), Atomic::new(0u32));
        together(THREADS, |_| {
            for _ in 0..ROUNDS {
                match Store::create(name, 8, &[], false) {
                    Ok(store) => {
                        created.fetch_add(1, Relaxed);
                        ensure(owners.fetch_add(1, Relaxed) == 0)?;
                        ensure(find(&name).is_some_and(|found| found.id() == store.id()))?;
                        // SAFETY: Threads may sleep.
                        unsafe { bindings::fsleep(10) };
                        owners.fetch_sub(1, Relaxed);
                    }
                    Err(error) => ensure(error == EEXIST)?,
                }
            }
            Ok(())
        })?;
        assert!(created.load(Relaxed) != 0);
        assert_eq!(owners.load(Relaxed), 0);
        assert!(find(&name).is_none());
        assert_eq!(counts(), before);
        Ok(())
    }

    #[test]
    fn threads_that_drop_what_others_find() -> Result {
        let name = name("kunit")?;
        let before = counts();
        let found = Atomic::new(0u32);
        together(THREADS, |_| {
            for _ in 0..ROUNDS {
                let store = match find(&name) {
                    Some(store) => {
                        found.fetch_add(1, Relaxed);
                        store
                    }
                    None => match Store::create(name, 64, &[0x5a; 64], false) {
                        Err(EEXIST) => continue,
                        store => store?,
                    },
                };
                // The reference keeps it.
                ensure((1..=THREADS as u32 * 2).contains(&store.refs()))?;
                ensure(find_id(store.id()).is_some_and(|found| ptr::eq(&*found, &*store)))?;
                is_all(&store, 0x5a)?;
            }
            Ok(())
        })?;
        assert!(found.load(Relaxed) != 0);
        assert!(find(&name).is_none());
        assert_eq!(counts(), before);
        Ok(())
    }

    #[test]
    fn threads_that_look_while_others_create() -> Result {
        let before = counts();
        let first = *NEXT_ID.lock();
        // One in two looks, by id, by name and by walks.
        together(THREADS, |thread| {
            let name = name_of(thread / 2)?;
            for round in 0..ROUNDS {
                if thread % 2 == 0 {
                    let store = Store::create(name, 8, &[thread as u8 + 1; 8], false)?;
                    // SAFETY: Threads may sleep.
                    unsafe { bindings::fsleep(10) };
                    // Lookers may keep it when the next one gets its name.
                    unpin(&store)?;
                    continue;
                }
                let end = *NEXT_ID.lock();
                for id in first..end {
                    if let Some(store) = find_id(id) {
                        ensure(store.id() == id)?;
                        let byte = if *store.name() == name_of(0)? { 1 } else { 3 };
                        is_all(&store, byte)?;
                    }
                }
                if let Some(store) = find(&name) {
                    ensure(*store.name() == name)?;
                    is_all(&store, thread as u8)?;
                }
                let mut cursor = round;
                while let Some(store) = next(&mut cursor) {
                    ensure(store.id() != 0 && store.refs() != 0)?;
                }
            }
            Ok(())
        })?;
        for id in first..*NEXT_ID.lock() {
            assert!(find_id(id).is_none());
        }
        assert_eq!(counts(), before);
        Ok(())
    }

    #[test]
    fn threads_that_take_and_give() -> Result {
        let store = create("kunit", 8)?;
        together(THREADS, |_| {
            for _ in 0..10 * ROUNDS {
                let taken = store.try_get().ok_or(ENOENT)?;
                let again = taken.clone();
                ensure(again.refs() >= 3)?;
            }
            Ok(())
        })?;
        assert_eq!(store.refs(), 1);
        Ok(())
    }

    #[test]
    fn threads_that_pin_and_unpin() -> Result {
        let before = counts();
        let store = create("kunit", 8)?;
        together(THREADS, |_| {
            for _ in 0..ROUNDS {
                pin(&store)?;
                match unpin(&store) {
                    // Another thread was first.
                    Ok(()) | Err(ENOENT) => (),
                    error => error?,
                }
                // Ours, the pin's, and those that the others have unpinned and not dropped yet.
                ensure((1..=THREADS as u32 + 1).contains(&store.refs()))?;
            }
            Ok(())
        })?;
        assert!(!store.is_pinned() && !store.is_named());
        assert_eq!(store.refs(), 1);
        drop(store);
        assert_eq!(counts(), before);
        Ok(())
    }
}
