// SPDX-License-Identifier: GPL-2.0

//! Operations on an integer of a store, by handle and by id.
//!
//! Each is one per-CPU instruction on this CPU's copy. All but [`sum`](bpf_percpu_sum_u64) return 0,
//! or `-ERANGE` past the store's end, or `-EINVAL` for an offset that is not a multiple of the
//! width, and have then changed nothing.

#[cfg(CONFIG_KUNIT = "y")]
mod kunit;

use super::store::store;
use crate::{
    bindings::bpf_percpu_store,
    cpumask::RawMask,
    percpu::{
        Index,
        PerCpuInt, //
        PossibleCpus,
        Primitive,
    },
    store::{
        self,
        Storage, //
    },
};
use kernel::{
    bindings,
    prelude::*, //
};

/// Calls `op` with the slot at `off`, and makes an errno of it.
///
/// # Safety
///
/// As for [`store()`].
#[inline]
unsafe fn with_int<T: Primitive>(
    s: *const bpf_percpu_store,
    off: u32,
    op: impl FnOnce(PerCpuInt<'_, T>),
) -> c_int {
    // SAFETY: By the function's contract.
    let store = unsafe { store(s) };
    let index = Index::new(off);
    match store.int_at(index) {
        Some(int) => {
            op(int);
            0
        }
        None => offset_errno(store, index),
    }
}

/// Errors are found out of line, so that nothing is kept or prepared for them.
#[cold]
#[inline(never)]
fn offset_errno<T: Primitive>(store: &Storage, index: Index<T>) -> c_int {
    Error::from(store.memory().offset_error(index)).to_errno()
}

/// As [`with_int`], and puts what `op` returns at `res`.
///
/// # Safety
///
/// As for [`store()`]; a `T` can be written at `res`, which need not be aligned.
#[inline]
unsafe fn with_result<T: Primitive>(
    s: *const bpf_percpu_store,
    off: u32,
    res: *mut T,
    op: impl FnOnce(PerCpuInt<'_, T>) -> T,
) -> c_int {
    // SAFETY: By the function's contract.
    unsafe { with_int(s, off, |int| res.write_unaligned(op(int))) }
}

/// As [`with_int`], for the store with `id`; `-ENOENT` when there is none.
///
/// # Safety
///
/// The caller is in an RCU section.
#[inline]
unsafe fn id_add<T: Primitive>(id: u32, off: u32, val: T) -> c_int {
    let index = Index::new(off);
    // SAFETY: By the function's contract.
    match unsafe { store::get(id) }.and_then(|store| store.int_at(index)) {
        Some(int) => {
            int.add(val);
            0
        }
        // SAFETY: By the function's contract.
        None => unsafe { id_errno(id, index) },
    }
}

/// As [`offset_errno`]. Looks the store up again, which may be gone by now, or be there.
///
/// # Safety
///
/// As for [`id_add`].
#[cold]
#[inline(never)]
unsafe fn id_errno<T: Primitive>(id: u32, index: Index<T>) -> c_int {
    // SAFETY: By the function's contract.
    let store = unsafe { store::get(id) }.filter(|store| store.int_at(index).is_none());
    store.map_or(ENOENT.to_errno(), |store| offset_errno(store, index))
}

/// The sum of what the CPUs of `mask` have at `off`.
///
/// # Safety
///
/// As for [`with_result`]; `mask` as for [`RawMask::new`].
#[inline]
unsafe fn sum_on<T: Primitive>(
    s: *const bpf_percpu_store,
    off: u32,
    mask: *const bindings::cpumask,
    sum: *mut T,
) -> c_int {
    // SAFETY: By the function's contract; the iterator does not outlive it.
    unsafe {
        let cpus = PossibleCpus::of(RawMask::new(mask));
        with_result(s, off, sum, |int| int.sum_on(cpus))
    }
}

/// Adds `val` to the u64 at `off`.
///
/// Context: any.
///
/// # Safety
///
/// Called by BPF: the verifier has proven that `s` is a handle, owned or in its RCU section.
#[no_mangle]
pub(crate) unsafe extern "C" fn bpf_percpu_add_u64(
    s: *mut bpf_percpu_store,
    off: u32,
    val: u64,
) -> c_int {
    // SAFETY: By the function's contract.
    unsafe { with_int(s, off, |int: PerCpuInt<'_, u64>| int.add(val)) }
}

/// Adds `val` to the u32 at `off`.
///
/// Context: any.
///
/// # Safety
///
/// Called by BPF: the verifier has proven that `s` is a handle, owned or in its RCU section.
#[no_mangle]
pub(crate) unsafe extern "C" fn bpf_percpu_add_u32(
    s: *mut bpf_percpu_store,
    off: u32,
    val: u32,
) -> c_int {
    // SAFETY: By the function's contract.
    unsafe { with_int(s, off, |int: PerCpuInt<'_, u32>| int.add(val)) }
}

/// Adds `val` to the u64 at `off`, and puts the sum at `res`.
///
/// Context: any.
///
/// # Safety
///
/// Called by BPF: the verifier has proven that `s` is a handle, owned or in its RCU section, and
/// that `res` points to memory of the type, of any alignment.
#[no_mangle]
pub(crate) unsafe extern "C" fn bpf_percpu_add_return_u64(
    s: *mut bpf_percpu_store,
    off: u32,
    val: u64,
    res: *mut u64,
) -> c_int {
    // SAFETY: By the function's contract.
    unsafe { with_result(s, off, res, |int| int.add_return(val)) }
}

/// Adds `val` to the u32 at `off`, and puts the sum at `res`.
///
/// Context: any.
///
/// # Safety
///
/// Called by BPF: the verifier has proven that `s` is a handle, owned or in its RCU section, and
/// that `res` points to memory of the type, of any alignment.
#[no_mangle]
pub(crate) unsafe extern "C" fn bpf_percpu_add_return_u32(
    s: *mut bpf_percpu_store,
    off: u32,
    val: u32,
    res: *mut u32,
) -> c_int {
    // SAFETY: By the function's contract.
    unsafe { with_result(s, off, res, |int| int.add_return(val)) }
}

/// Puts `val` into the u64 at `off`, and what was there at `old`.
///
/// Context: any.
///
/// # Safety
///
/// Called by BPF: the verifier has proven that `s` is a handle, owned or in its RCU section, and
/// that `old` points to memory of the type, of any alignment.
#[no_mangle]
pub(crate) unsafe extern "C" fn bpf_percpu_xchg_u64(
    s: *mut bpf_percpu_store,
    off: u32,
    val: u64,
    old: *mut u64,
) -> c_int {
    // SAFETY: By the function's contract.
    unsafe { with_result(s, off, old, |int| int.xchg(val)) }
}

/// Puts `val` into the u32 at `off`, and what was there at `old`.
///
/// Context: any.
///
/// # Safety
///
/// Called by BPF: the verifier has proven that `s` is a handle, owned or in its RCU section, and
/// that `old` points to memory of the type, of any alignment.
#[no_mangle]
pub(crate) unsafe extern "C" fn bpf_percpu_xchg_u32(
    s: *mut bpf_percpu_store,
    off: u32,
    val: u32,
    old: *mut u32,
) -> c_int {
    // SAFETY: By the function's contract.
    unsafe { with_result(s, off, old, |int| int.xchg(val)) }
}

/// Puts `val` into the u64 at `off` if `expect` is there, and what was there at `old`.
///
/// Context: any.
///
/// # Safety
///
/// Called by BPF: the verifier has proven that `s` is a handle, owned or in its RCU section, and
/// that `old` points to memory of the type, of any alignment.
#[no_mangle]
pub(crate) unsafe extern "C" fn bpf_percpu_cmpxchg_u64(
    s: *mut bpf_percpu_store,
    off: u32,
    expect: u64,
    val: u64,
    old: *mut u64,
) -> c_int {
    // SAFETY: By the function's contract.
    unsafe { with_result(s, off, old, |int| int.cmpxchg(expect, val)) }
}

/// Puts `val` into the u32 at `off` if `expect` is there, and what was there at `old`.
///
/// Context: any.
///
/// # Safety
///
/// Called by BPF: the verifier has proven that `s` is a handle, owned or in its RCU section, and
/// that `old` points to memory of the type, of any alignment.
#[no_mangle]
pub(crate) unsafe extern "C" fn bpf_percpu_cmpxchg_u32(
    s: *mut bpf_percpu_store,
    off: u32,
    expect: u32,
    val: u32,
    old: *mut u32,
) -> c_int {
    // SAFETY: By the function's contract.
    unsafe { with_result(s, off, old, |int| int.cmpxchg(expect, val)) }
}

/// Adds `val` to the u64 at `off` of the store with `id`; `-ENOENT` when there is none.
///
/// Context: any.
///
/// # Safety
///
/// Called by BPF: the verifier has proven that the program is in an RCU section.
#[no_mangle]
pub(crate) unsafe extern "C" fn bpf_percpu_id_add_u64(id: u32, off: u32, val: u64) -> c_int {
    // SAFETY: By the function's contract.
    unsafe { id_add(id, off, val) }
}

/// Adds `val` to the u32 at `off` of the store with `id`; `-ENOENT` when there is none.
///
/// Context: any.
///
/// # Safety
///
/// Called by BPF: the verifier has proven that the program is in an RCU section.
#[no_mangle]
pub(crate) unsafe extern "C" fn bpf_percpu_id_add_u32(id: u32, off: u32, val: u32) -> c_int {
    // SAFETY: By the function's contract.
    unsafe { id_add(id, off, val) }
}

/// Puts the sum of what the possible CPUs of `mask` have at `off`, modulo 2^64, at `sum`.
///
/// Context: any.
///
/// # Safety
///
/// Called by BPF: the verifier has proven that `s` is a handle, that `mask` is a cpumask or memory of
/// that size, and that `sum` points to memory of the type, of any alignment.
#[no_mangle]
pub(crate) unsafe extern "C" fn bpf_percpu_sum_u64(
    s: *mut bpf_percpu_store,
    off: u32,
    mask: *const bindings::cpumask,
    sum: *mut u64,
) -> c_int {
    // SAFETY: By the function's contract.
    unsafe { sum_on(s, off, mask, sum) }
}

/// Puts the sum of what the possible CPUs of `mask` have at `off`, modulo 2^32, at `sum`.
///
/// Context: any.
///
/// # Safety
///
/// Called by BPF: the verifier has proven that `s` is a handle, that `mask` is a cpumask or memory of
/// that size, and that `sum` points to memory of the type, of any alignment.
#[no_mangle]
pub(crate) unsafe extern "C" fn bpf_percpu_sum_u32(
    s: *mut bpf_percpu_store,
    off: u32,
    mask: *const bindings::cpumask,
    sum: *mut u32,
) -> c_int {
    // SAFETY: By the function's contract.
    unsafe { sum_on(s, off, mask, sum) }
}
