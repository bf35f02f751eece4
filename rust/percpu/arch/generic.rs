// SPDX-License-Identifier: GPL-2.0

//! Any architecture: what the kernel's C headers have for it.
//!
//! C header: [`include/linux/percpu-defs.h`](srctree/include/linux/percpu-defs.h)

use super::{
    Ops,
    ThisCpu, //
};
use crate::bindings;

/// C's `this_cpu_*()`, through the functions of `rust/helpers/percpu.c`.
#[allow(
    dead_code,
    reason = "where there is something faster, only tests use it"
)]
pub(crate) struct Generic;

// SAFETY: `raw_cpu_ptr()` is right on the CPU that it is called on.
unsafe impl ThisCpu for Generic {
    #[inline]
    fn this_cpu_ptr(ptr: *mut u8) -> *mut u8 {
        // SAFETY: Calculates, and reads nothing of `ptr`.
        unsafe { bindings::bpf_percpu_helper_this_cpu_ptr(ptr.cast()) }.cast()
    }
}

/// Implements [`Ops`] for a type of so many bits, by way of the unsigned one.
macro_rules! impl_ops {
    ($($ty:ident, $unsigned:ident, $bits:literal;)+) => {
        $(kernel::macros::paste! {
            // SAFETY: `this_cpu_*()` and `cmpxchg_local()` are safe against interrupts, and
            // against NMIs where the architecture has them.
            unsafe impl Ops<$ty> for Generic {
                #[inline]
                unsafe fn this_cpu_read(ptr: *const $ty) -> $ty {
                    // SAFETY: By the function's contract.
                    unsafe { bindings::[<bpf_percpu_helper_this_cpu_read_ $bits>](ptr.cast()) as $ty }
                }

                #[inline]
                unsafe fn this_cpu_write(ptr: *mut $ty, val: $ty) {
                    // SAFETY: By the function's contract.
                    unsafe { bindings::[<bpf_percpu_helper_this_cpu_write_ $bits>](ptr.cast(), val as $unsigned) }
                }

                #[inline]
                unsafe fn this_cpu_add(ptr: *mut $ty, val: $ty) {
                    // SAFETY: By the function's contract.
                    unsafe { bindings::[<bpf_percpu_helper_this_cpu_add_ $bits>](ptr.cast(), val as $unsigned) }
                }

                #[inline]
                unsafe fn this_cpu_add_return(ptr: *mut $ty, val: $ty) -> $ty {
                    // SAFETY: By the function's contract.
                    unsafe { bindings::[<bpf_percpu_helper_this_cpu_add_return_ $bits>](ptr.cast(), val as $unsigned) as $ty }
                }

                #[inline]
                unsafe fn this_cpu_xchg(ptr: *mut $ty, val: $ty) -> $ty {
                    // SAFETY: By the function's contract.
                    unsafe { bindings::[<bpf_percpu_helper_this_cpu_xchg_ $bits>](ptr.cast(), val as $unsigned) as $ty }
                }

                #[inline]
                unsafe fn this_cpu_cmpxchg(ptr: *mut $ty, old: $ty, new: $ty) -> $ty {
                    // SAFETY: By the function's contract.
                    unsafe {
                        bindings::[<bpf_percpu_helper_this_cpu_cmpxchg_ $bits>](ptr.cast(), old as $unsigned, new as $unsigned) as $ty
                    }
                }

                #[inline]
                unsafe fn local_add(ptr: *mut $ty, val: $ty) {
                    // SAFETY: By the function's contract.
                    unsafe { bindings::[<bpf_percpu_helper_local_add_return_ $bits>](ptr.cast(), val as $unsigned) };
                }

                #[inline]
                unsafe fn local_add_return(ptr: *mut $ty, val: $ty) -> $ty {
                    // SAFETY: By the function's contract.
                    unsafe { bindings::[<bpf_percpu_helper_local_add_return_ $bits>](ptr.cast(), val as $unsigned) as $ty }
                }

                #[inline]
                unsafe fn local_xchg(ptr: *mut $ty, val: $ty) -> $ty {
                    // SAFETY: By the function's contract.
                    unsafe { bindings::[<bpf_percpu_helper_local_xchg_ $bits>](ptr.cast(), val as $unsigned) as $ty }
                }

                #[inline]
                unsafe fn local_cmpxchg(ptr: *mut $ty, old: $ty, new: $ty) -> $ty {
                    // SAFETY: By the function's contract.
                    unsafe {
                        bindings::[<bpf_percpu_helper_local_cmpxchg_ $bits>](ptr.cast(), old as $unsigned, new as $unsigned)
                            as $ty
                    }
                }
            }
        })+
    };
}

impl_ops! {
    u8, u8, 8;
    i8, u8, 8;
    u16, u16, 16;
    i16, u16, 16;
    u32, u32, 32;
    i32, u32, 32;
    u64, u64, 64;
    i64, u64, 64;
}
