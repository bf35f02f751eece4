// SPDX-License-Identifier: GPL-2.0

//! Any architecture: the `this_cpu_*()` of its C headers.
//!
//! C header: [`include/linux/percpu-defs.h`](srctree/include/linux/percpu-defs.h)

use super::{
    Ops,
    ThisCpu, //
};
use crate::bindings;

/// C's `this_cpu_*()`, called through `rust/helpers/percpu.c`.
#[allow(
    dead_code,
    reason = "on an architecture with instructions of its own, only tests use it"
)]
pub(crate) struct Generic;

// SAFETY: `raw_cpu_ptr()` gives the address on the CPU that it is called on.
unsafe impl ThisCpu for Generic {
    #[inline]
    fn this_cpu_ptr(ptr: *mut u8) -> *mut u8 {
        // SAFETY: Only computes an address, and does not access memory at `ptr`.
        unsafe { bindings::bpf_percpu_helper_this_cpu_ptr(ptr.cast()) }.cast()
    }
}

/// Implements [`Ops`] for an unsigned type of `$bits` bits.
macro_rules! impl_ops {
    ($($ty:ty: $bits:literal;)+) => {
        $(
            // SAFETY: `this_cpu_*()` and `cmpxchg_local()` are safe against interrupts, and
            // against NMIs on architectures whose `this_cpu_*()` are.
            unsafe impl Ops<$ty> for Generic {
                impl_ops!(@call $bits;
                    this_cpu_read(ptr: *const $ty) -> $ty;
                    this_cpu_write(ptr: *mut $ty, val: $ty) -> ();
                    this_cpu_add(ptr: *mut $ty, val: $ty) -> ();
                    this_cpu_add_return(ptr: *mut $ty, val: $ty) -> $ty;
                    this_cpu_xchg(ptr: *mut $ty, val: $ty) -> $ty;
                    this_cpu_cmpxchg(ptr: *mut $ty, old: $ty, new: $ty) -> $ty;
                    local_add_return(ptr: *mut $ty, val: $ty) -> $ty;
                    local_xchg(ptr: *mut $ty, val: $ty) -> $ty;
                    local_cmpxchg(ptr: *mut $ty, old: $ty, new: $ty) -> $ty;
                );

                #[inline]
                unsafe fn local_add(ptr: *mut $ty, val: $ty) {
                    // SAFETY: Both methods require the same of `ptr`.
                    unsafe { Self::local_add_return(ptr, val) };
                }
            }
        )+
    };
    (@call $bits:literal; $($name:ident($($arg:ident: $arg_ty:ty),+) -> $ret:ty;)+) => {
        $(kernel::macros::paste! {
            #[inline]
            unsafe fn $name($($arg: $arg_ty),+) -> $ret {
                // SAFETY: The C function requires of `ptr` what this method requires.
                unsafe { bindings::[<bpf_percpu_helper_ $name _ $bits>]($($arg),+) }
            }
        })+
    };
}

impl_ops! {
    u32: 32;
    u64: 64;
}
