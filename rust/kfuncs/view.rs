// SPDX-License-Identifier: GPL-2.0

//! Operations on a view of this CPU's copy.
//!
//! The verifier has proven the bounds, so nothing is left to check: each is one instruction,
//! without `lock`, which is exact because a program never leaves its CPU. On other memory they are
//! ordinary operations.

use crate::percpu::View;

/// Adds `val`.
///
/// Context: any.
///
/// # Safety
///
/// Called by BPF: the verifier has proven that the program may write a u64 at `view`, of any
/// alignment.
#[no_mangle]
pub(crate) unsafe extern "C" fn bpf_percpu_view_add_u64(view: *mut u64, val: u64) {
    // SAFETY: By the function's contract.
    unsafe { <View<_>>::new(view).add(val) }
}

/// Adds `val`.
///
/// Context: any.
///
/// # Safety
///
/// Called by BPF: the verifier has proven that the program may write a u32 at `view`, of any
/// alignment.
#[no_mangle]
pub(crate) unsafe extern "C" fn bpf_percpu_view_add_u32(view: *mut u32, val: u32) {
    // SAFETY: By the function's contract.
    unsafe { <View<_>>::new(view).add(val) }
}

/// Adds `val`, and returns the sum.
///
/// Context: any.
///
/// # Safety
///
/// Called by BPF: the verifier has proven that the program may write a u64 at `view`, of any
/// alignment.
#[no_mangle]
pub(crate) unsafe extern "C" fn bpf_percpu_view_add_return_u64(view: *mut u64, val: u64) -> u64 {
    // SAFETY: By the function's contract.
    unsafe { <View<_>>::new(view).add_return(val) }
}

/// Adds `val`, and returns the sum.
///
/// Context: any.
///
/// # Safety
///
/// Called by BPF: the verifier has proven that the program may write a u32 at `view`, of any
/// alignment.
#[no_mangle]
pub(crate) unsafe extern "C" fn bpf_percpu_view_add_return_u32(view: *mut u32, val: u32) -> u32 {
    // SAFETY: By the function's contract.
    unsafe { <View<_>>::new(view).add_return(val) }
}

/// Puts `val` there, and returns what was there.
///
/// Context: any.
///
/// # Safety
///
/// Called by BPF: the verifier has proven that the program may write a u64 at `view`, of any
/// alignment.
#[no_mangle]
pub(crate) unsafe extern "C" fn bpf_percpu_view_xchg_u64(view: *mut u64, val: u64) -> u64 {
    // SAFETY: By the function's contract.
    unsafe { <View<_>>::new(view).xchg(val) }
}

/// Puts `val` there, and returns what was there.
///
/// Context: any.
///
/// # Safety
///
/// Called by BPF: the verifier has proven that the program may write a u32 at `view`, of any
/// alignment.
#[no_mangle]
pub(crate) unsafe extern "C" fn bpf_percpu_view_xchg_u32(view: *mut u32, val: u32) -> u32 {
    // SAFETY: By the function's contract.
    unsafe { <View<_>>::new(view).xchg(val) }
}

/// Puts `val` there if `expect` is; returns what was there.
///
/// Context: any.
///
/// # Safety
///
/// Called by BPF: the verifier has proven that the program may write a u64 at `view`, of any
/// alignment.
#[no_mangle]
pub(crate) unsafe extern "C" fn bpf_percpu_view_cmpxchg_u64(
    view: *mut u64,
    expect: u64,
    val: u64,
) -> u64 {
    // SAFETY: By the function's contract.
    unsafe { <View<_>>::new(view).cmpxchg(expect, val) }
}

/// Puts `val` there if `expect` is; returns what was there.
///
/// Context: any.
///
/// # Safety
///
/// Called by BPF: the verifier has proven that the program may write a u32 at `view`, of any
/// alignment.
#[no_mangle]
pub(crate) unsafe extern "C" fn bpf_percpu_view_cmpxchg_u32(
    view: *mut u32,
    expect: u32,
    val: u32,
) -> u32 {
    // SAFETY: By the function's contract.
    unsafe { <View<_>>::new(view).cmpxchg(expect, val) }
}
