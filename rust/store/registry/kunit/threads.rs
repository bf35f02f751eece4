// SPDX-License-Identifier: GPL-2.0

//! Tests of the registry by threads that use it at the same time.

use super::*;
use crate::{
    fixtures::{
        ensure,
        together, //
    },
    percpu::PossibleCpu,
    store::fixtures::bytes_of,
};

const THREADS: usize = 4;
const ROUNDS: u32 = 400;

/// A name for each thread.
fn name_of(thread: u32) -> Result<Name> {
    Name::from_bytes([b't', b'0' + thread as u8].into_iter()).ok_or(EINVAL)
}

/// Fails unless every byte of `store` is `byte`.
fn is_all(store: &Store, byte: u8) -> Result {
    for cpu in PossibleCpu::all() {
        ensure(bytes_of(store, cpu)?.iter().all(|it| *it == byte))?;
    }
    Ok(())
}

#[kunit_tests(bpf_percpu_registry_threads)]
mod tests {
    use super::*;

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
                // The reference keeps the store.
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
        // Every other thread looks stores up by id, by name and by walks.
        together(THREADS, |thread| {
            let name = name_of(thread / 2)?;
            for round in 0..ROUNDS {
                if thread % 2 == 0 {
                    let store = Store::create(name, 8, &[thread as u8 + 1; 8], false)?;
                    // SAFETY: Threads may sleep.
                    unsafe { bindings::fsleep(10) };
                    // The threads that look up may still hold this store when the next one gets its name.
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
                // Our reference, the pin's, and those that other threads are about to drop.
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
