// SPDX-License-Identifier: GPL-2.0

//! Tests of keyed stores by threads that use one at the same time.

use super::*;
use crate::fixtures::{
    ensure,
    together, //
};

#[kunit_tests(bpf_percpu_keyed_threads)]
mod tests {
    use super::*;

    #[test]
    fn threads_that_take_and_delete() -> Result {
        const KEYS: u64 = 4;
        let store = TestStore::of_numbers(4096)?;
        let before = store.settled();
        let (taken, deleted) = (Atomic::new(0u32), Atomic::new(0u32));
        together(4, |thread| {
            for round in 0..500u64 {
                let key = (round + u64::from(thread)) % KEYS;
                if let Some(entry) = store.get(key) {
                    taken.add(1, Relaxed);
                    ensure(entry.key() == key)?;
                    // No thread writes to entries.
                    ensure(is(&entry, &[])?)?;
                }
                match store.remove(key) {
                    Ok(()) => {
                        deleted.fetch_add(1, Relaxed);
                    }
                    error => ensure(error == Err(DeleteError::NotFound))?,
                }
            }
            Ok(())
        })?;
        // All waited for the lock in process context, where no deadlock is possible.
        assert_eq!((store.info().locked, before), (0, 0));
        assert!(deleted.load(Relaxed) != 0 && taken.load(Relaxed) != 0);
        assert_eq!(store.settled(), store.info().used);
        assert!((0..KEYS).filter(|key| store.has(*key)).count() as u32 == store.info().used);
        Ok(())
    }

    #[test]
    fn threads_that_end_owners_without_the_lock() -> Result {
        let store = TestStore::of_numbers(4096)?;
        together(4, |thread| {
            for round in 1..300u64 {
                let key = round % 3 + 1;
                let _ = store.get(key);
                if (round + u64::from(thread)) % 2 == 0 {
                    let mut nesting = Nesting::new();
                    let chain = store.bucket(key).lock(&mut nesting);
                    store.end_owner(key);
                    drop(chain);
                } else {
                    let _ = store.remove(key);
                }
            }
            Ok(())
        })?;
        for key in 1..4 {
            let _ = store.remove(key);
        }
        assert_eq!(store.settled(), 0);
        Ok(())
    }

    #[test]
    fn busy_stores_keep_nobody_waiting() -> Result {
        let store = TestStore::of_numbers(20_000)?;
        let (flushed, deleted) = (Atomic::new(false), Atomic::new(0u32));
        together(2, |thread| {
            if thread == 0 {
                // Much longer than the other thread should wait.
                for _ in 0..100_000 {
                    if flushed.load(Relaxed) {
                        break;
                    }
                    let _ = store.get(7u64);
                    let _ = store.remove(7);
                    deleted.add(1, Relaxed);
                    // SAFETY: Threads may sleep.
                    unsafe { bindings::fsleep(200) };
                }
                ensure(flushed.load(Relaxed))
            } else {
                while deleted.load(Relaxed) < 100 {
                    sleep();
                }
                crate::store::workqueue::Workqueue::flush();
                flushed.store(true, Relaxed);
                Ok(())
            }
        })?;
        assert_eq!(store.settled(), 0);
        Ok(())
    }
}
