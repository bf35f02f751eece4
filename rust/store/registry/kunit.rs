// SPDX-License-Identifier: GPL-2.0

//! Tests of the registry.

mod threads;

use super::{
    fixtures::{
        counts,
        counts_now,
        with_next_id,
        with_room_for, //
    },
    *, //
};
use crate::{
    percpu::PerCpuMem,
    store::{
        fixtures::{
            create,
            name, //
        },
        Contents, //
    },
};
use core::ptr;
use kernel::bindings;

fn id_of(store: Result<ARef<Store>>) -> Result<u32> {
    store.map(|store| store.id())
}

#[kunit_tests(bpf_percpu_registry)]
mod tests {
    use super::*;

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
    fn no_id_resolves_to_the_next_in_its_cell() -> Result {
        let old = id_of(create("kunit", 8))?;
        let new_id = old + STORES.len();
        let new = with_next_id(new_id, || create("kunit", 8))?;
        assert_eq!(new.id(), new_id);
        assert!(find_id(old).is_none());
        assert!(find_id(new.id()).is_some());
        assert!(find_id(new.id() + STORES.len()).is_none());
        Ok(())
    }

    #[test]
    fn empty_cells_have_no_id() -> Result {
        let len = STORES.len();
        let first = (*NEXT_ID.lock() / len + 1) * len;
        for id in [first, first + len - 1] {
            let used = with_next_id(id, || id_of(create("kunit", 8)))?;
            assert_eq!(used, id);
            for id in [id, 0, len - 1, u32::MAX] {
                assert!(find_id(id).is_none());
            }
            assert!(STORES.is_free(id));
        }
        Ok(())
    }

    #[test]
    fn no_id_whose_cell_is_taken() -> Result {
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
        // Each store takes all the room.
        let created = with_room_for(1, 4096, || (0..5).all(|_| create("kunit", 4096).is_ok()));
        assert!(created);
    }

    #[test]
    fn number_of_the_dead() {
        let before = counts();
        let (max, more) = with_room_for(1, 8, || {
            deferred_free::fixtures::with_waiting(MIN_WAITING, || {
                let max = Reservation::try_new(8).is_some();
                deferred_free::fixtures::with_waiting(1, || {
                    (max, Reservation::try_new(8).is_some())
                })
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
        // The second check of a creation, for a name that was taken after the first one.
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
    fn last_cell_is_walked_to() -> Result {
        // The next id that selects the last cell.
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
        // A store without a pin gives its name up, too.
        assert_eq!(unpin(&store), Ok(()));
        assert_eq!(store.refs(), 1);
        assert!(find(store.name()).is_none());
        assert!(find_id(store.id()).is_some());
        let new = create("kunit", 8)?;
        assert_eq!(find(store.name()).map(|store| store.id()), Some(new.id()));
        // The end of the old store leaves the new one its name.
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
        // The other store keeps its name and its id.
        assert!(find(other.name()).is_some() && find_id(other.id()).is_some());
        Ok(())
    }
}
