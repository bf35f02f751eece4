// SPDX-License-Identifier: GPL-2.0

//! Tests of handles, and of the views that they give.

use super::*;
use crate::{
    kfuncs::fixtures::TestStore,
    percpu::arch::{
        Native,
        ThisCpu, //
    },
};
use kernel::{
    cpu::{
        nr_cpu_ids,
        CpuId, //
    },
    sync::rcu, //
};

const SIZE: u32 = 100;

/// Sizes for which there is never a view.
const NO_SIZES: [c_int; 6] = [0, -1, -100, c_int::MIN, c_int::MIN + 1, c_int::MAX];

/// Offsets and sizes that end past [`SIZE`] bytes.
const PAST_END: [(u32, c_int); 9] = [
    (0, 101),
    (1, 100),
    (99, 2),
    (100, 1),
    (101, 1),
    (1 << 31, 1),
    (u32::MAX, 1),
    (u32::MAX, 2),
    (u32::MAX - 99, 100),
];

fn lookup(name: &CStr) -> *mut bpf_percpu_store {
    // SAFETY: A C string, which does not change.
    unsafe { bpf_percpu_store_lookup(name.as_char_ptr()) }
}

/// The id of the store that `bpf_percpu_store_get(id)` returns, if that is not NULL.
fn got(id: u32) -> Option<u32> {
    let _rcu = rcu::read_lock();
    // SAFETY: In the RCU section above.
    unsafe { bpf_percpu_store_get(id).as_ref() }.map(|store| store.id)
}

#[kunit_tests(bpf_percpu_kfuncs_store)]
mod tests {
    use super::*;

    #[test]
    fn get_finds_the_store_with_the_id() -> Result {
        let stores = [TestStore::new(8)?, TestStore::new(16)?];
        for store in &stores {
            assert_eq!(got(store.0.id()), Some(store.0.id()));
        }
        assert!(stores[0].0.id() < stores[1].0.id());
        Ok(())
    }

    #[test]
    fn get_takes_no_reference() -> Result {
        let store = TestStore::new(8)?;
        assert_eq!(got(store.0.id()), Some(store.0.id()));
        assert_eq!(store.0.refs(), 1);
        Ok(())
    }

    #[test]
    fn get_finds_none_without_that_id() -> Result {
        let store = TestStore::new(8)?;
        for id in [0, u32::MAX, u32::MAX - 1, 1 << 31] {
            assert_eq!(got(id), None);
        }
        // Ids that share the store's index in the table are among these.
        for bit in 0..32 {
            let id = store.0.id() ^ 1 << bit;
            assert!(got(id).is_none_or(|found| found == id));
        }
        Ok(())
    }

    #[test]
    fn get_finds_no_dead_store() -> Result {
        let id = TestStore::named(c"kunit.dead", 8)?.0.id();
        assert_eq!(got(id), None);
        // A new store of that name has another id.
        let next = TestStore::named(c"kunit.dead", 8)?;
        assert!(next.0.id() > id);
        assert_eq!(got(id), None);
        Ok(())
    }

    #[test]
    fn handle_shows_size_and_id() -> Result {
        let store = TestStore::new(SIZE)?;
        // SAFETY: The test holds the store.
        let seen = unsafe { &*store.handle() };
        assert_eq!(seen.size, SIZE.into());
        assert_eq!(seen.id, store.0.id());
        let cpu = PossibleCpu::stay()?;
        let here = Native::this_cpu_ptr(seen.__data.cast());
        assert_eq!(Some(here), store.0.memory().per_cpu_ptr(cpu, 0, SIZE));
        Ok(())
    }

    #[test]
    fn lookup_takes_a_reference() -> Result {
        let store = TestStore::named(c"kunit.counted", 8)?;
        let found = lookup(c"kunit.counted");
        assert_eq!(found, store.handle());
        assert_eq!(store.0.refs(), 2);
        // SAFETY: The reference of the lookup.
        unsafe { bpf_percpu_store_release(found) };
        assert_eq!(store.0.refs(), 1);
        Ok(())
    }

    #[test]
    fn lookup_finds_no_other_name() -> Result {
        let store = TestStore::named(c"kunit.lookup", 8)?;
        for name in [
            c"kunit.looku",
            c"kunit.lookup.",
            c"unit.lookup",
            c"kunit.Lookup",
            c"kunit.none",
        ] {
            assert!(lookup(name).is_null());
        }
        assert_eq!(store.0.refs(), 1);
        Ok(())
    }

    #[test]
    fn lookup_of_what_is_no_name_finds_none() {
        for name in [
            c"",
            c" ",
            c"kunit lookup",
            c"kunit/lookup",
            c"kunit.\xff",
            c"kunit.\n",
        ] {
            assert!(lookup(name).is_null());
        }
    }

    #[test]
    fn lookup_reads_up_to_the_nul() -> Result {
        let store = TestStore::named(c"kunit.nul", 8)?;
        let found = {
            let name = b"kunit.nul\0and more";
            // SAFETY: The string has a NUL, and does not change.
            unsafe { bpf_percpu_store_lookup(name.as_ptr()) }
        };
        assert_eq!(found, store.handle());
        // SAFETY: The reference of the lookup.
        unsafe { bpf_percpu_store_release(found) };
        Ok(())
    }

    #[test]
    fn lookup_of_the_longest_name() -> Result {
        let longest = c"kunit.4567890123456789012345678901234567890123456789012345678.3";
        let too_long = c"kunit.4567890123456789012345678901234567890123456789012345678.34";
        let store = TestStore::named(longest, 8)?;
        let found = lookup(longest);
        assert_eq!(found, store.handle());
        // SAFETY: The reference of the lookup.
        unsafe { bpf_percpu_store_release(found) };
        assert!(lookup(too_long).is_null());
        assert!(TestStore::named(too_long, 8).is_err());
        Ok(())
    }

    #[test]
    fn lookup_finds_no_dead_store() -> Result {
        drop(TestStore::named(c"kunit.gone", 8)?);
        assert!(lookup(c"kunit.gone").is_null());
        Ok(())
    }

    #[test]
    fn acquire_and_release_count() -> Result {
        let store = TestStore::new(8)?;
        for refs in 2..=10 {
            // SAFETY: The test holds the store.
            let acquired = unsafe { bpf_percpu_store_acquire(store.handle()) };
            assert_eq!(acquired, store.handle());
            assert_eq!(store.0.refs(), refs);
        }
        for refs in (1..=9).rev() {
            // SAFETY: One of the references above.
            unsafe { bpf_percpu_store_release(store.handle()) };
            assert_eq!(store.0.refs(), refs);
        }
        assert_eq!(got(store.0.id()), Some(store.0.id()));
        Ok(())
    }

    #[test]
    fn dtor_gives_one_reference_back() -> Result {
        let store = TestStore::new(8)?;
        // SAFETY: The test holds the store. The reference that is acquired is passed on.
        unsafe {
            let acquired = bpf_percpu_store_acquire(store.handle());
            bpf_percpu_store_dtor(acquired.cast());
        }
        assert_eq!(store.0.refs(), 1);
        Ok(())
    }

    #[test]
    fn last_release_ends_it() -> Result {
        let store = TestStore::named(c"kunit.release", 8)?;
        let id = store.0.id();
        let found = lookup(c"kunit.release");
        drop(store);
        assert_eq!(got(id), Some(id));
        // SAFETY: The reference of the lookup.
        unsafe { bpf_percpu_store_release(found) };
        assert_eq!(got(id), None);
        assert!(lookup(c"kunit.release").is_null());
        Ok(())
    }

    #[test]
    fn acquire_comes_too_late_after_the_last_release() -> Result {
        let store = TestStore::new(8)?;
        let id = store.0.id();
        let (same, late) = {
            let _rcu = rcu::read_lock();
            // SAFETY: The store is used only in the RCU section, in which it is not freed.
            unsafe {
                let got = bpf_percpu_store_get(id);
                let same = got == store.handle();
                drop(store);
                (same, bpf_percpu_store_acquire(got))
            }
        };
        assert!(same);
        assert!(late.is_null());
        Ok(())
    }

    #[test]
    fn view_of_each_range_inside() -> Result {
        let store = TestStore::new(SIZE)?;
        let cpu = PossibleCpu::stay()?;
        for off in 0..SIZE {
            let at = store.0.memory().per_cpu_ptr(cpu, off, 1).ok_or(ERANGE)?;
            for size in 1..=(SIZE - off) as c_int {
                // SAFETY: The test holds the store.
                let (this, that) = unsafe {
                    (
                        bpf_percpu_store_this_cpu(store.handle(), off, size),
                        bpf_percpu_store_per_cpu(store.handle(), cpu.number(), off, size),
                    )
                };
                assert_eq!(this, at);
                assert_eq!(that, at);
            }
        }
        Ok(())
    }

    #[test]
    fn view_of_this_cpu_is_its_own() -> Result {
        let store = TestStore::new(SIZE)?;
        for cpu in PossibleCpu::online() {
            cpu.enter()?;
            // SAFETY: The test holds the store.
            let view = unsafe { bpf_percpu_store_this_cpu(store.handle(), 4, 4) };
            assert_eq!(Some(view), store.0.memory().per_cpu_ptr(cpu, 4, 4));
        }
        Ok(())
    }

    #[test]
    fn no_view_past_the_end() -> Result {
        let store = TestStore::new(SIZE)?;
        for (off, size) in PAST_END {
            // SAFETY: The test holds the store.
            unsafe {
                assert!(bpf_percpu_store_this_cpu(store.handle(), off, size).is_null());
                assert!(bpf_percpu_store_per_cpu(store.handle(), 0, off, size).is_null());
            }
        }
        Ok(())
    }

    #[test]
    fn no_view_of_no_size() -> Result {
        let store = TestStore::new(SIZE)?;
        for size in NO_SIZES {
            for off in [0, 1, 99, 100, 101, 1 << 31, u32::MAX] {
                // SAFETY: The test holds the store.
                unsafe {
                    assert!(bpf_percpu_store_this_cpu(store.handle(), off, size).is_null());
                    assert!(bpf_percpu_store_per_cpu(store.handle(), 0, off, size).is_null());
                }
            }
        }
        Ok(())
    }

    #[test]
    fn view_of_each_possible_cpu() -> Result {
        let store = TestStore::new(SIZE)?;
        for cpu in PossibleCpu::all() {
            store.0.memory().write_on(cpu, 8, &[cpu.number() as u8])?;
        }
        for cpu in PossibleCpu::all() {
            // SAFETY: The test holds the store, and the view has one byte.
            let byte = unsafe {
                bpf_percpu_store_per_cpu(store.handle(), cpu.number(), 8, 1)
                    .as_ref()
                    .copied()
            };
            assert_eq!(byte, Some(cpu.number() as u8));
        }
        Ok(())
    }

    #[test]
    fn no_view_of_an_impossible_cpu() -> Result {
        let store = TestStore::new(SIZE)?;
        // SAFETY: The test holds the store.
        let view = |cpu| unsafe { bpf_percpu_store_per_cpu(store.handle(), cpu, 0, 1) };
        for cpu in (0..nr_cpu_ids()).filter_map(CpuId::from_u32) {
            let possible = PossibleCpu::from_id(cpu).is_some();
            assert_eq!(!view(cpu.as_u32()).is_null(), possible);
        }
        let end = nr_cpu_ids();
        for cpu in [end, end + 1, i32::MAX as u32, 1 << 31, u32::MAX] {
            assert!(view(cpu).is_null());
        }
        Ok(())
    }
}
