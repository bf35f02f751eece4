// SPDX-License-Identifier: GPL-2.0

//! Handles of stores, and views of their memory.
//!
//! What BPF knows as `struct bpf_percpu_store` is the first part of a [`SlotSet`], which a store has,
//! and each entry of a keyed one. The verifier has proven that a handle is one: programs cannot make
//! one, and drop each that they own once.

use crate::{
    bindings::bpf_percpu_store,
    percpu::{
        PerCpuArea,
        PossibleCpu, //
    },
    store::{
        self,
        Name,
        SlotSet,
        Store, //
    },
};
use core::{
    mem::offset_of,
    ptr::{
        self,
        NonNull, //
    },
};
use kernel::{
    prelude::*,
    sync::aref::ARef, //
};

/// The store or entry behind a handle.
///
/// # Safety
///
/// `handle` is one that a kfunc of this file returned, and that is valid for `'a`: its reference is
/// not given back, or the RCU section not left.
#[inline]
pub(super) unsafe fn store<'a>(handle: *const bpf_percpu_store) -> &'a SlotSet {
    // What programs read through a handle is where BTF says.
    const {
        assert!(
            SlotSet::MEMORY_OFFSET + PerCpuArea::BASE_OFFSET
                == offset_of!(bpf_percpu_store, __data)
                && SlotSet::MEMORY_OFFSET + PerCpuArea::SIZE_OFFSET
                    == offset_of!(bpf_percpu_store, size)
                && SlotSet::ID_OFFSET == offset_of!(bpf_percpu_store, id)
                && SlotSet::KEY_OFFSET == offset_of!(bpf_percpu_store, key)
                && size_of::<bpf_percpu_store>() <= size_of::<SlotSet>(),
            "struct bpf_percpu_store is not laid out like the start of rust/store's SlotSet"
        );
    }
    // SAFETY: By the function's contract.
    unsafe { &*handle.cast::<SlotSet>() }
}

/// What programs have of a store or entry.
#[inline]
pub(super) fn handle(store: &SlotSet) -> *mut bpf_percpu_store {
    ptr::from_ref(store).cast_mut().cast()
}

/// Hands a reference over to the program, or NULL.
fn into_handle(store: Option<ARef<SlotSet>>) -> *mut bpf_percpu_store {
    store.map_or(ptr::null_mut(), |store| {
        ARef::into_raw(store).as_ptr().cast()
    })
}

/// The store with `id`; NULL when there is none. Valid until the end of the RCU section.
///
/// Context: any, in an RCU read-side critical section.
///
/// # Safety
///
/// Called by BPF: the verifier has proven that the program is in an RCU section.
#[no_mangle]
pub(crate) unsafe extern "C" fn bpf_percpu_store_get(id: u32) -> *mut bpf_percpu_store {
    // SAFETY: By the function's contract.
    unsafe { store::get(id) }.map_or(ptr::null_mut(), |store| handle(store))
}

/// A reference to the store of this name; NULL when there is none.
///
/// Context: any.
///
/// # Safety
///
/// Called by BPF: the verifier has proven that `name` is a string, in memory that does not
/// change.
#[no_mangle]
pub(crate) unsafe extern "C" fn bpf_percpu_store_lookup(
    name: *const c_char,
) -> *mut bpf_percpu_store {
    // SAFETY: By the function's contract there is a NUL, up to which `Name` reads at most.
    let bytes = (0..).map(|i| unsafe { name.add(i).read() });
    let found = Name::from_bytes(bytes).and_then(|name| store::find(&name));
    into_handle(found.map(Store::into_slots))
}

/// A reference to the store; NULL when its last one is already gone.
///
/// Context: any.
///
/// # Safety
///
/// Called by BPF: the verifier has proven that `s` is a handle, owned or in its RCU section.
#[no_mangle]
pub(crate) unsafe extern "C" fn bpf_percpu_store_acquire(
    s: *mut bpf_percpu_store,
) -> *mut bpf_percpu_store {
    // SAFETY: By the function's contract.
    into_handle(unsafe { store(s) }.try_get())
}

/// Gives a reference back.
///
/// Context: any.
///
/// # Safety
///
/// Called by BPF: the verifier has proven that `s` is a handle that the program owns, and that it
/// does not use it again.
#[no_mangle]
pub(crate) unsafe extern "C" fn bpf_percpu_store_release(s: *mut bpf_percpu_store) {
    // SAFETY: By the function's contract a reference is handed over.
    drop(unsafe { ARef::from_raw(NonNull::from(store(s))) });
}

/// Gives back the reference of a kptr, when a map goes that has it, or an element of it.
///
/// Context: any.
///
/// # Safety
///
/// Called by the kernel with a handle that a map owned.
#[no_mangle]
pub(crate) unsafe extern "C" fn bpf_percpu_store_dtor(s: *mut c_void) {
    // SAFETY: By the function's contract.
    unsafe { bpf_percpu_store_release(s.cast()) };
}

/// The size of a view: to the verifier it is unsigned. `None` for 0, which lets a program read a byte
/// on kernels before 7.3.
fn view_size(size: c_int) -> Option<u32> {
    Some(size as u32).filter(|size| *size != 0)
}

/// A view of this CPU's copy, from `off` on, of `rdwr_buf_size` bytes; NULL when that is past the
/// end.
///
/// Context: any.
///
/// # Safety
///
/// Called by BPF: the verifier has proven that `s` is a handle. It lets the program use so many
/// bytes, and no longer than it runs: that is shorter than what the store's last drop waits for.
#[no_mangle]
pub(crate) unsafe extern "C" fn bpf_percpu_store_this_cpu(
    s: *mut bpf_percpu_store,
    off: u32,
    rdwr_buf_size: c_int,
) -> *mut u8 {
    // SAFETY: By the function's contract.
    let memory = unsafe { store(s) }.memory();
    view_size(rdwr_buf_size)
        .and_then(|size| memory.this_cpu_ptr(off, size))
        .unwrap_or(ptr::null_mut())
}

/// A view, to read only, of the copy of `cpu`, from `off` on, of `rdonly_buf_size` bytes; NULL when
/// that is past the end, or the CPU is not possible.
///
/// Context: any.
///
/// # Safety
///
/// As for [`bpf_percpu_store_this_cpu`].
#[no_mangle]
pub(crate) unsafe extern "C" fn bpf_percpu_store_per_cpu(
    s: *mut bpf_percpu_store,
    cpu: u32,
    off: u32,
    rdonly_buf_size: c_int,
) -> *mut u8 {
    // SAFETY: By the function's contract.
    let memory = unsafe { store(s) }.memory();
    view_size(rdonly_buf_size)
        .and_then(|size| memory.per_cpu_ptr(PossibleCpu::new(cpu)?, off, size))
        .unwrap_or(ptr::null_mut())
}

#[kunit_tests(bpf_percpu_kfuncs_store)]
mod tests {
    use super::*;
    use crate::{
        kfuncs::kunit::TestStore,
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

    /// Sizes of views that no store has.
    const NO_SIZES: [c_int; 6] = [0, -1, -100, c_int::MIN, c_int::MIN + 1, c_int::MAX];

    /// Views that begin or end past the end of [`SIZE`] bytes.
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
        // SAFETY: A string that does not change.
        unsafe { bpf_percpu_store_lookup(name.as_char_ptr()) }
    }

    /// The id behind what `get` returns for `id`, if that is not NULL.
    fn got(id: u32) -> Option<u32> {
        let _rcu = rcu::read_lock();
        // SAFETY: In the RCU section above.
        unsafe { bpf_percpu_store_get(id).as_ref() }.map(|store| store.id)
    }

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
        // Where the table has it, too, but for its id.
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
        // Whatever comes after it has another id.
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
            // SAFETY: There is a NUL, and it does not change.
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
        // SAFETY: The test holds the store; the reference that is taken is given back.
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
            // SAFETY: In the RCU section, which keeps the store for as long as it is used.
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
    fn view_of_each_place_inside() -> Result {
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
            // SAFETY: The test holds the store; the view is of one byte.
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
