// SPDX-License-Identifier: GPL-2.0

//! Operations on an integer of a store, which a program names by handle or by id.
//!
//! Each operation is one per-CPU instruction on this CPU's slot; only [`sum`](bpf_percpu_sum_u64)
//! reads the slots of other CPUs. All return 0, or `-ERANGE` when the integer ends past the store's
//! end, or `-EINVAL` when the offset is not a multiple of the width. A call that fails changes
//! nothing.

#[cfg(CONFIG_KUNIT = "y")]
mod kunit;

use super::{
    kfuncs_by_width,
    store::store, //
};
use crate::{
    bindings::bpf_percpu_store,
    cpumask::RawMask,
    percpu::{
        Index,
        PerCpuInt,
        PossibleCpus,
        Primitive, //
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

/// Calls `op` with the integer at `off`, and returns 0 or an errno.
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
    // SAFETY: The caller vouches for the handle, as `store()` requires.
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

/// Returns the errno for a bad `index`. Out of line, so that the common case saves no registers.
#[cold]
#[inline(never)]
fn offset_errno<T: Primitive>(store: &Storage, index: Index<T>) -> c_int {
    Error::from(store.memory().offset_error(index)).to_errno()
}

/// Like [`with_int`], and writes what `op` returns to `res`.
///
/// # Safety
///
/// As for [`store()`], and `res` is valid for the write of a `T`. It need not be aligned.
#[inline]
unsafe fn with_result<T: Primitive>(
    s: *const bpf_percpu_store,
    off: u32,
    res: *mut T,
    op: impl FnOnce(PerCpuInt<'_, T>) -> T,
) -> c_int {
    // SAFETY: The caller vouches for the handle and for `res`, which is written at most once.
    unsafe { with_int(s, off, |int| res.write_unaligned(op(int))) }
}

/// Adds `val` to the integer at `off`.
///
/// # Safety
///
/// As for [`store()`].
#[inline]
unsafe fn add<T: Primitive>(s: *const bpf_percpu_store, off: u32, val: T) -> c_int {
    // SAFETY: The caller vouches for the handle.
    unsafe { with_int(s, off, |int: PerCpuInt<'_, T>| int.add(val)) }
}

/// Adds `val` to the integer at `off` of the store with `id`; `-ENOENT` when there is no such
/// store.
///
/// # Safety
///
/// The caller is in an RCU section.
#[inline]
unsafe fn id_add<T: Primitive>(id: u32, off: u32, val: T) -> c_int {
    let index = Index::new(off);
    // SAFETY: The RCU section of the caller keeps the store, which is not used after this call.
    match unsafe { store::lookup_rcu(id) }.and_then(|store| store.int_at(index)) {
        Some(int) => {
            int.add(val);
            0
        }
        // SAFETY: Still in the caller's RCU section.
        None => unsafe { id_errno(id, index) },
    }
}

/// Returns the errno for an [`id_add`] that found no integer. The second lookup may find a store that
/// was created since, or miss one that was removed since.
///
/// # Safety
///
/// The caller is in an RCU section.
#[cold]
#[inline(never)]
unsafe fn id_errno<T: Primitive>(id: u32, index: Index<T>) -> c_int {
    // SAFETY: The RCU section of the caller keeps the store, which is not used after this call.
    let store = unsafe { store::lookup_rcu(id) }.filter(|store| store.int_at(index).is_none());
    store.map_or(ENOENT.to_errno(), |store| offset_errno(store, index))
}

/// Writes to `sum` the sum of the integers at `off` in the slots of the possible CPUs of `mask`.
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
    // SAFETY: The caller vouches for all three pointers. The mask is not used after this call.
    unsafe {
        let cpus = PossibleCpus::of(RawMask::new(mask));
        with_result(s, off, sum, |int| int.sum_on(cpus))
    }
}

kfuncs_by_width! {
    /// Adds `val` to the integer at `off`.
    ///
    /// Context: any.
    ///
    /// # Safety
    ///
    /// Called by BPF: the verifier has proven that `s` is a handle, owned or in its RCU section.
    fn bpf_percpu_add_u64(s: *mut bpf_percpu_store, off: u32, val: u64) -> c_int;
    fn bpf_percpu_add_u32(s: *mut bpf_percpu_store, off: u32, val: u32) -> c_int;
    {
        // SAFETY: The verifier has proven that `s` is a handle.
        unsafe { add(s, off, val) }
    }

    /// Adds `val` to the integer at `off`, and writes the sum to `res`.
    ///
    /// Context: any.
    ///
    /// # Safety
    ///
    /// Called by BPF: the verifier has proven that `s` is a handle, owned or in its RCU section,
    /// and that `res` points to memory of that type, of any alignment.
    fn bpf_percpu_add_return_u64(
        s: *mut bpf_percpu_store, off: u32, val: u64, res: *mut u64
    ) -> c_int;
    fn bpf_percpu_add_return_u32(
        s: *mut bpf_percpu_store, off: u32, val: u32, res: *mut u32
    ) -> c_int;
    {
        // SAFETY: The verifier has proven that `s` is a handle and that `res` can be written.
        unsafe { with_result(s, off, res, |int| int.add_return(val)) }
    }

    /// Writes `val` to the integer at `off`, and the old value to `old`.
    ///
    /// Context: any.
    ///
    /// # Safety
    ///
    /// Called by BPF: the verifier has proven that `s` is a handle, owned or in its RCU section,
    /// and that `old` points to memory of that type, of any alignment.
    fn bpf_percpu_xchg_u64(s: *mut bpf_percpu_store, off: u32, val: u64, old: *mut u64) -> c_int;
    fn bpf_percpu_xchg_u32(s: *mut bpf_percpu_store, off: u32, val: u32, old: *mut u32) -> c_int;
    {
        // SAFETY: The verifier has proven that `s` is a handle and that `old` can be written.
        unsafe { with_result(s, off, old, |int| int.xchg(val)) }
    }

    /// Writes `val` to the integer at `off` if it equals `expect`, and the old value to `old`.
    ///
    /// Context: any.
    ///
    /// # Safety
    ///
    /// Called by BPF: the verifier has proven that `s` is a handle, owned or in its RCU section,
    /// and that `old` points to memory of that type, of any alignment.
    fn bpf_percpu_cmpxchg_u64(
        s: *mut bpf_percpu_store, off: u32, expect: u64, val: u64, old: *mut u64
    ) -> c_int;
    fn bpf_percpu_cmpxchg_u32(
        s: *mut bpf_percpu_store, off: u32, expect: u32, val: u32, old: *mut u32
    ) -> c_int;
    {
        // SAFETY: The verifier has proven that `s` is a handle and that `old` can be written.
        unsafe { with_result(s, off, old, |int| int.cmpxchg(expect, val)) }
    }

    /// Adds `val` to the integer at `off` of the store with `id`; `-ENOENT` when there is no such
    /// store.
    ///
    /// Context: any.
    ///
    /// # Safety
    ///
    /// Called by BPF: the verifier has proven that the program is in an RCU section.
    fn bpf_percpu_id_add_u64(id: u32, off: u32, val: u64) -> c_int;
    fn bpf_percpu_id_add_u32(id: u32, off: u32, val: u32) -> c_int;
    {
        // SAFETY: The verifier has proven that the program is in an RCU section.
        unsafe { id_add(id, off, val) }
    }

    /// Writes to `sum` the sum, modulo the width, of the integers at `off` in the slots of the
    /// possible CPUs of `mask`.
    ///
    /// Context: any.
    ///
    /// # Safety
    ///
    /// Called by BPF: the verifier has proven that `s` is a handle, that `mask` is a cpumask or
    /// memory of that size, and that `sum` points to memory of that type, of any alignment.
    fn bpf_percpu_sum_u64(
        s: *mut bpf_percpu_store, off: u32, mask: *const bindings::cpumask, sum: *mut u64
    ) -> c_int;
    fn bpf_percpu_sum_u32(
        s: *mut bpf_percpu_store, off: u32, mask: *const bindings::cpumask, sum: *mut u32
    ) -> c_int;
    {
        // SAFETY: The verifier has proven that `s` is a handle, that `mask` can be read and that
        // `sum` can be written.
        unsafe { sum_on(s, off, mask, sum) }
    }
}
