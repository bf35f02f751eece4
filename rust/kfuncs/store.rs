// SPDX-License-Identifier: GPL-2.0

//! Handles of stores, and views of their memory.
//!
//! A `struct bpf_percpu_store` of BPF is the first part of a [`Storage`], which each store has, and
//! each entry of a keyed one. The verifier has proven that a handle came from a kfunc: programs
//! cannot make one up, and release each that they own exactly once.

#[cfg(CONFIG_KUNIT = "y")]
mod kunit;

use crate::{
    bindings::bpf_percpu_store,
    percpu::{
        PerCpuArea,
        PossibleCpu, //
    },
    store::{
        self,
        Name,
        Storage,
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

/// The store or entry that a handle refers to.
///
/// # Safety
///
/// A kfunc of this file returned `handle`, and it is valid for `'a`: its reference is not released,
/// or its RCU section does not end.
#[inline]
pub(super) unsafe fn store<'a>(handle: *const bpf_percpu_store) -> &'a Storage {
    // The fields that programs read through a handle have the offsets that BTF gives them.
    const {
        assert!(
            Storage::MEMORY_OFFSET + PerCpuArea::BASE_OFFSET
                == offset_of!(bpf_percpu_store, __data)
                && Storage::MEMORY_OFFSET + PerCpuArea::SIZE_OFFSET
                    == offset_of!(bpf_percpu_store, size)
                && Storage::ID_OFFSET == offset_of!(bpf_percpu_store, id)
                && Storage::KEY_OFFSET == offset_of!(bpf_percpu_store, key)
                && size_of::<bpf_percpu_store>() <= size_of::<Storage>(),
            "struct bpf_percpu_store is not laid out like the start of rust/store's Storage"
        );
    }
    // SAFETY: The kfuncs of this file return pointers to a `Storage`, and the caller guarantees
    // that this one is still valid.
    unsafe { &*handle.cast::<Storage>() }
}

/// The handle of a store or entry, for programs.
#[inline]
pub(super) fn handle(store: &Storage) -> *mut bpf_percpu_store {
    ptr::from_ref(store).cast_mut().cast()
}

/// Hands a reference over to the program, or NULL.
fn into_handle(store: Option<ARef<Storage>>) -> *mut bpf_percpu_store {
    store.map_or(ptr::null_mut(), |store| {
        ARef::into_raw(store).as_ptr().cast()
    })
}

/// Looks up the store with `id`; NULL if there is none. Valid until the end of the RCU section.
///
/// Context: any, in an RCU read-side critical section.
///
/// # Safety
///
/// Called by BPF: the verifier has proven that the program is in an RCU section.
#[no_mangle]
pub(crate) unsafe extern "C" fn bpf_percpu_store_get(id: u32) -> *mut bpf_percpu_store {
    // SAFETY: The verifier has proven that the program is in an RCU section.
    unsafe { store::lookup_rcu(id) }.map_or(ptr::null_mut(), |store| handle(store))
}

/// Takes a reference to the store with this name; NULL if there is none.
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
    // SAFETY: The verifier has proven that the string has a NUL, past which `Name` does not read.
    let bytes = (0..).map(|i| unsafe { name.add(i).read() });
    let found = Name::from_bytes(bytes).and_then(|name| store::find(&name));
    into_handle(found.map(Store::into_storage))
}

/// Takes a reference to the store; NULL if the last one was already dropped.
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
    // SAFETY: The verifier has proven that `s` is a handle.
    into_handle(unsafe { store(s) }.try_get())
}

/// Releases a reference.
///
/// Context: any.
///
/// # Safety
///
/// Called by BPF: the verifier has proven that `s` is a handle that the program owns, and that it
/// does not use it again.
#[no_mangle]
pub(crate) unsafe extern "C" fn bpf_percpu_store_release(s: *mut bpf_percpu_store) {
    // SAFETY: The verifier has proven that the program owns the reference, and does not use it
    // later.
    drop(unsafe { ARef::from_raw(NonNull::from(store(s))) });
}

/// Releases the reference of a kptr, when the map that holds it, or the element, is freed.
///
/// Context: any.
///
/// # Safety
///
/// Called by the kernel with a handle that a map owned, which is not used later.
#[no_mangle]
pub(crate) unsafe extern "C" fn bpf_percpu_store_dtor(s: *mut c_void) {
    // SAFETY: The kernel passes ownership of the reference, as a program does.
    unsafe { bpf_percpu_store_release(s.cast()) };
}

/// The size of a view, which is unsigned to the verifier. `None` for 0, for which kernels before
/// 7.3 let a program read one byte.
fn view_size(size: c_int) -> Option<u32> {
    Some(size as u32).filter(|size| *size != 0)
}

/// A view of the `rdwr_buf_size` bytes from `off` on in this CPU's slot; NULL when they end past
/// the store's end.
///
/// Context: any.
///
/// # Safety
///
/// Called by BPF: the verifier has proven that `s` is a handle. It lets the program use that many
/// bytes for as long as it runs, and the store is freed only after grace periods that wait for it.
#[no_mangle]
pub(crate) unsafe extern "C" fn bpf_percpu_store_this_cpu(
    s: *mut bpf_percpu_store,
    off: u32,
    rdwr_buf_size: c_int,
) -> *mut u8 {
    // SAFETY: The verifier has proven that `s` is a handle.
    let memory = unsafe { store(s) }.memory();
    view_size(rdwr_buf_size)
        .and_then(|size| memory.this_cpu_ptr(off, size))
        .unwrap_or(ptr::null_mut())
}

/// A read-only view of the `rdonly_buf_size` bytes from `off` on in the slot of `cpu`; NULL when
/// they end past the store's end, or when the CPU is not possible.
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
    // SAFETY: The verifier has proven that `s` is a handle.
    let memory = unsafe { store(s) }.memory();
    view_size(rdonly_buf_size)
        .and_then(|size| memory.per_cpu_ptr(PossibleCpu::new(cpu)?, off, size))
        .unwrap_or(ptr::null_mut())
}
