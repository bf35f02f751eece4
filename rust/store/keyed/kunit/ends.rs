// SPDX-License-Identifier: GPL-2.0

//! Tests of ends of owners and stores, also while another holds the lock.

use super::*;

#[kunit_tests(bpf_percpu_keyed_ends)]
mod tests {
    use super::*;

    #[test]
    fn holder_of_the_lock_gets_errors() -> Result {
        let store = TestStore::of_numbers(2)?;
        assert!(store.get(1u64).is_some());
        let neighbour = store.neighbour(1);
        let mut nesting = Nesting::new();
        let chain = store.bucket(1).lock(&mut nesting)?;
        // Lookups take no lock.
        let found = (store.has(1), store.has(neighbour));
        let taken = store.get(neighbour).is_some();
        let (deleted, missing) = (store.remove(1), store.remove(neighbour));
        drop(chain);
        assert_eq!(found, (true, false));
        assert!(!taken);
        assert_eq!(deleted, Err(DeleteError::Lock(LockError::Deadlock)));
        assert_eq!(missing, Err(DeleteError::NotFound));
        assert_eq!((store.info().locked, store.info().full), (2, 0));
        assert_eq!(store.now(), (1, 0));
        assert!(store.get(neighbour).is_some());
        assert_eq!((store.remove(1), store.remove(neighbour)), (Ok(()), Ok(())));
        assert_eq!(store.settled(), 0);
        Ok(())
    }

    #[test]
    fn other_buckets_are_free() -> Result {
        let store = TestStore::of_numbers(2)?;
        let other = (2..).find(|key| !ptr::eq(store.bucket(*key), store.bucket(1)));
        let other = other.ok_or(ENOENT)?;
        let mut nesting = Nesting::new();
        let chain = store.bucket(1).lock(&mut nesting)?;
        let taken = store.get(other).is_some();
        drop(chain);
        assert!(taken);
        Ok(())
    }

    #[test]
    fn end_without_the_lock() -> Result {
        let store = TestStore::of_numbers(2)?;
        let neighbour = store.neighbour(1);
        for key in [1, neighbour] {
            fill(&*store.get(key).ok_or(ENOENT)?, 0x11)?;
        }
        let mut nesting = Nesting::new();
        let chain = store.bucket(1).lock(&mut nesting)?;
        store.end_owner(1);
        let left = (store.has(1), store.has(neighbour), store.now());
        // A second end changes nothing.
        store.end_owner(1);
        let again = store.now();
        drop(chain);
        assert_eq!(left, (false, true, (1, 1)));
        assert_eq!(again, (1, 1));
        assert_eq!(store.settled(), 1);
        assert!(store.has(neighbour));
        let next = store.get(5u64).ok_or(ENOENT)?;
        assert!(is(&next, &[])?);
        assert_eq!(store.info().locked, 0);
        Ok(())
    }

    #[test]
    fn end_without_the_lock_of_what_is_used() -> Result {
        let store = TestStore::of_numbers(1)?;
        let entry = store.get(1u64).ok_or(ENOENT)?;
        fill(&entry, 0x11)?;
        {
            let mut nesting = Nesting::new();
            let _chain = store.bucket(1).lock(&mut nesting)?;
            store.end_owner(1);
        }
        for _ in 0..20 {
            sleep();
            assert_eq!(store.now(), (0, 1));
        }
        assert!(is(&entry, &[0x11; 8])?);
        drop(entry);
        assert_eq!(store.settled(), 0);
        assert!(store.get(2u64).is_some());
        Ok(())
    }

    #[test]
    fn ends_with_its_entries() -> Result {
        let before = counts();
        let store = TestStore::of_numbers(100)?;
        for key in 0..100u64 {
            assert!(store.get(key).is_some());
        }
        drop(store);
        assert_eq!(counts(), before);
        Ok(())
    }

    #[test]
    fn entry_outlives_its_store() -> Result {
        let before = counts();
        let store = TestStore::of_numbers(2)?;
        let id = store.0.id();
        let entry = store.get(1u64).ok_or(ENOENT)?;
        fill(&entry, 0x42)?;
        drop(store);
        for _ in 0..50 {
            sleep();
        }
        assert!(crate::store::find_id(id).is_none());
        assert_eq!(counts_now(), (before.0, before.1 + 16));
        assert!(is(&entry, &[0x42; 8])?);
        drop(entry);
        assert_eq!(counts(), before);
        Ok(())
    }

    #[test]
    fn store_ends_after_an_end_without_the_lock() -> Result {
        let before = counts();
        for _ in 0..20 {
            let store = TestStore::of_numbers(2)?;
            assert!(store.get(1u64).is_some());
            let mut nesting = Nesting::new();
            let chain = store.bucket(1).lock(&mut nesting)?;
            store.end_owner(1);
            drop(chain);
            drop(store);
        }
        assert_eq!(counts(), before);
        Ok(())
    }
}
