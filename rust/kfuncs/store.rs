// SPDX-License-Identifier: GPL-2.0

//! Handles of stores, and views of their memory.
//!
//! What BPF knows as `struct bpf_percpu_store` is the first part of a [`Storage`], which a store has,
//! and each entry of a keyed one. The verifier has proven that a handle is one: programs cannot make
//! one, and drop each that they own once.

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

/// The store or entry behind a handle.
///
/// # Safety
///
/// `handle` is one that a kfunc of this file returned, and that is valid for `'a`: its reference is
/// not given back, or the RCU section not left.
#[inline]
pub(super) unsafe fn store<'a>(handle: *const bpf_percpu_store) -> &'a Storage {
    // What programs read through a handle is where BTF says.
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
    // SAFETY: By the function's contract.
    unsafe { &*handle.cast::<Storage>() }
}

/// What programs have of a store or entry.
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
    into_handle(found.map(Store::into_storage))
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
