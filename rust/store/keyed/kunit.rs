// SPDX-License-Identifier: GPL-2.0

//! Tests of keyed stores.

mod ends;
mod tasks;
mod threads;

use super::{
    fixtures::{
        fill,
        is,
        TestStore, //
    },
    *, //
};
use crate::{
    fixtures::sleep,
    store::registry::fixtures::{
        counts,
        counts_now, //
    },
};

fn refusal(size: u32, entries: u32, image: usize) -> Result<Option<Error>> {
    let image = KVVec::from_elem(1, image, GFP_KERNEL)?;
    Ok(TestStore::new(KeyKind::U64, size, entries, &image).err())
}

#[kunit_tests(bpf_percpu_keyed)]
mod tests {
    use super::*;

    #[test]
    fn takes_and_finds() -> Result {
        let store = TestStore::of_numbers(4)?;
        for key in [0, 1, u64::MAX, 1 << 63] {
            assert!(!store.has(key));
            let entry = store.get(key).ok_or(ENOENT)?;
            assert_eq!((entry.key(), entry.id()), (key, store.0.id()));
            assert!(store.has(key));
            let again = store.get(key).ok_or(ENOENT)?;
            assert!(ptr::eq(&*entry, &*again));
        }
        assert_eq!(store.now(), (4, 0));
        Ok(())
    }

    #[test]
    fn finds_each_of_many() -> Result {
        let store = TestStore::of_numbers(5000)?;
        for key in 0..5000 {
            fill(&*store.get(key << 32).ok_or(ENOENT)?, key as u8)?;
        }
        for key in 0..5000 {
            let entry = store.get(key << 32).ok_or(ENOENT)?;
            assert!(is(&entry, &[key as u8; 8])?);
        }
        assert_eq!(store.now(), (5000, 0));
        Ok(())
    }

    #[test]
    fn entries_are_apart() -> Result {
        for (size, entries) in [(1, 9), (7, 9), (20 << 10, 5), (MAX_SIZE, 3)] {
            let store = TestStore::new(KeyKind::U64, size, entries, &[])?;
            for key in 0..entries {
                fill(&*store.get(u64::from(key)).ok_or(ENOENT)?, 0xff)?;
                assert!((0..=key).all(|key| store.has(key.into())));
                for other in key + 1..entries {
                    let entry = store.entries.get(other as usize).ok_or(ENOENT)?;
                    assert!(is(entry.storage(), &[])?);
                }
            }
            assert_eq!(store.entry_size(), size);
        }
        Ok(())
    }

    #[test]
    fn chunks_are_whole() -> Result {
        let chunks = |size, entries| {
            TestStore::new(KeyKind::U64, size, entries, &[]).map(|store| store.chunks.len())
        };
        assert_eq!(chunks(8, 4096)?, 1);
        assert_eq!(chunks(8, 4097)?, 2);
        assert_eq!(chunks(1, 4097)?, 2);
        assert_eq!(chunks(MAX_SIZE, 3)?, 3);
        assert_eq!(chunks(20 << 10, 5)?, 5);
        assert_eq!(chunks(16 << 10, 5)?, 3);
        Ok(())
    }

    #[test]
    fn begins_with_the_image_again() -> Result {
        for image in [&[][..], &[1], &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]] {
            let store = TestStore::new(KeyKind::U64, 11, 1, image)?;
            for key in 0..3 {
                let entry = store.get(key).ok_or(ENOENT)?;
                assert!(is(&entry, image)?);
                fill(&entry, 0xee)?;
                drop(entry);
                assert_eq!(store.remove(key), Ok(()));
                assert_eq!(store.settled(), 0);
            }
        }
        Ok(())
    }

    #[test]
    fn full_is_counted() -> Result {
        let store = TestStore::of_numbers(2)?;
        assert!(store.get(1u64).is_some() && store.get(2u64).is_some());
        for count in 1..4 {
            assert!(store.get(3u64).is_none());
            assert_eq!(store.info().full, count);
            // Entries that have an owner are still found.
            assert!(store.get(1u64).is_some());
        }
        assert_eq!(store.now(), (2, 0));
        assert_eq!(store.remove(1), Ok(()));
        assert_eq!(store.settled(), 1);
        assert!(store.get(3u64).is_some());
        assert_eq!((store.info().full, store.info().locked), (3, 0));
        Ok(())
    }

    #[test]
    fn deletes_once() -> Result {
        let store = TestStore::of_numbers(2)?;
        assert_eq!(store.remove(1), Err(DeleteError::NotFound));
        assert!(store.get(1u64).is_some());
        assert_eq!(store.remove(1), Ok(()));
        assert!(!store.has(1));
        assert_eq!(store.remove(1), Err(DeleteError::NotFound));
        assert_eq!(store.settled(), 0);
        Ok(())
    }

    #[test]
    fn deletes_anywhere_in_a_chain() -> Result {
        let store = TestStore::of_numbers(3)?;
        let second = store.neighbour(1);
        let keys = [1, second, store.neighbour(second)];
        for gone in 0..3 {
            assert!(keys.iter().all(|key| store.get(*key).is_some()));
            assert_eq!(store.remove(keys[gone]), Ok(()));
            assert!((0..3).all(|i| store.has(keys[i]) == (i != gone)));
            assert_eq!(store.settled(), 2);
        }
        Ok(())
    }

    #[test]
    fn entry_waits_for_its_users() -> Result {
        let store = TestStore::of_numbers(1)?;
        let entry = store.get(7u64).ok_or(ENOENT)?;
        fill(&entry, 0x77)?;
        assert_eq!(store.remove(7), Ok(()));
        for _ in 0..20 {
            sleep();
            assert_eq!(store.now(), (0, 1));
            assert!(store.get(8u64).is_none());
        }
        assert!(is(&entry, &[0x77; 8])?);
        drop(entry);
        assert_eq!(store.settled(), 0);
        let entry = store.get(8u64).ok_or(ENOENT)?;
        assert!(is(&entry, &[])?);
        Ok(())
    }

    #[test]
    fn entry_waits_for_rcu() -> Result {
        let store = TestStore::of_numbers(1)?;
        assert!(store.get(7u64).is_some());
        let is_free = {
            let _rcu = rcu::read_lock();
            let removed = store.remove(7);
            // SAFETY: A delay has no preconditions.
            unsafe { bindings::__const_udelay(50_000 * 0x10c7) };
            removed != Ok(()) || store.get(8u64).is_some()
        };
        assert!(!is_free);
        assert_eq!(store.settled(), 0);
        assert!(store.get(8u64).is_some());
        Ok(())
    }

    #[test]
    fn refuses_what_is_no_layout() -> Result {
        let before = counts();
        assert_eq!(refusal(8, 0, 0)?, Some(EINVAL));
        assert_eq!(refusal(0, 1, 0)?, Some(EINVAL));
        assert_eq!(refusal(8, 1, 9)?, Some(EINVAL));
        assert_eq!(refusal(MAX_SIZE + 1, 1, 0)?, Some(E2BIG));
        assert_eq!(refusal(8, u32::MAX, 0)?, Some(E2BIG));
        assert_eq!(refusal(MAX_SIZE, u32::MAX, 0)?, Some(E2BIG));
        // 2^32 bytes, and 2^32 + 8.
        assert_eq!(refusal(8, 1 << 29, 0)?, Some(E2BIG));
        assert_eq!(refusal(1, (1 << 29) + 1, 0)?, Some(E2BIG));
        assert_eq!(counts_now(), before);
        assert_eq!(refusal(8, 1, 8)?, None);
        assert_eq!(counts(), before);
        Ok(())
    }

    #[test]
    fn counts_its_bytes() -> Result {
        let before = counts();
        let store = TestStore::new(KeyKind::U64, 9, 100, &[])?;
        assert_eq!(counts_now(), (before.0 + 1, before.1 + 1600));
        drop(store);
        assert_eq!(counts(), before);
        Ok(())
    }

    #[test]
    fn store_has_no_bytes_of_its_own() -> Result {
        let store = TestStore::of_numbers(2)?;
        let storage: &Storage = &store.0;
        assert_eq!((storage.memory().size(), store.0.size()), (0, 8));
        assert!(storage
            .int_at(crate::percpu::Index::<u64>::new(0))
            .is_none());
        assert!(storage.memory().this_cpu_ptr(0, 1).is_none());
        // Kernels before 7.3 may read a byte of it, so it must be the store's own memory.
        let chunk = store.chunks.first().ok_or(ENOENT)?;
        for cpu in PossibleCpu::all() {
            let none = storage.memory().per_cpu_ptr(cpu, 0, 0);
            assert_eq!(none, chunk.per_cpu_ptr(cpu, 0, 1));
        }
        assert!(storage.keyed(KeyKind::U64).is_some());
        assert!(storage.keyed(KeyKind::Task).is_none() && storage.keyed(KeyKind::Cgroup).is_none());
        // Entries have no entries, and plain stores have none.
        assert!(store
            .get(1u64)
            .is_some_and(|entry| entry.any_keyed().is_none()));
        assert!(crate::store::fixtures::create("kunit", 8)?
            .any_keyed()
            .is_none());
        Ok(())
    }

    #[test]
    fn walks_come_by_each_entry_once() -> Result {
        let store = TestStore::of_numbers(10)?;
        let walk = || {
            let (mut cursor, mut seen) = (0, [0; 10]);
            let _rcu = rcu::read_lock();
            // SAFETY: In the RCU section above.
            while let Some((index, entry, owner)) = unsafe { store.next(&mut cursor) } {
                assert!(index < 10 && entry.key() == owner);
                seen[owner as usize] += 1;
            }
            seen
        };
        assert_eq!(walk(), [0; 10]);
        for key in 0..10 {
            assert!(store.get(key).is_some());
        }
        assert_eq!(walk(), [1; 10]);
        for key in (0..10).step_by(3) {
            assert_eq!(store.remove(key), Ok(()));
        }
        assert_eq!(walk(), [0, 1, 1, 0, 1, 1, 0, 1, 1, 0]);
        Ok(())
    }

    #[test]
    fn owners_are_found_where_they_are() -> Result {
        let store = TestStore::of_numbers(3)?;
        for key in 10..13u64 {
            assert!(store.get(key).is_some());
        }
        for key in 10..13 {
            let found = store.find_owner(key, None).ok_or(ENOENT)?;
            assert_eq!(found.key(), key);
            let at = |index: &u32| store.find_owner(key, Some(*index)).is_some();
            assert_eq!((0..5).filter(at).count(), 1);
        }
        assert!(store.find_owner(13, None).is_none());
        assert_eq!(store.delete_owner(11, None), Ok(()));
        assert_eq!(store.delete_owner(11, None), Err(DeleteError::NotFound));
        assert_eq!(store.settled(), 2);
        Ok(())
    }
}
