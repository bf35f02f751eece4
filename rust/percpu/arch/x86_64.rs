// SPDX-License-Identifier: GPL-2.0

//! x86-64: one instruction, without `lock`, that finds this CPU's slot through `%gs`.
//!
//! C header: [`arch/x86/include/asm/percpu.h`](srctree/arch/x86/include/asm/percpu.h)

use super::{
    Ops,
    ThisCpu, //
};
use kernel::{
    asm,
    bindings, //
};

/// x86-64 with SMP, where per-CPU addresses are relative to `%gs`.
pub(crate) struct X86_64;

// SAFETY: `this_cpu_off` is the difference between a per-CPU address and this CPU's.
unsafe impl ThisCpu for X86_64 {
    #[inline]
    fn this_cpu_ptr(ptr: *mut u8) -> *mut u8 {
        let addr: *mut u8;
        // SAFETY: Reads `this_cpu_off`, and no other memory.
        unsafe {
            asm!(
                "addq %gs:{off}(%rip), {addr}";
                off = sym bindings::this_cpu_off,
                addr = inout(reg) ptr => addr,
                options(nostack, readonly),
            )
        };
        addr
    }
}

/// How often `xchg` retries. On memory of this CPU's own, a retry takes an interrupt that changes
/// the same integer between load and `cmpxchg`, so the limit is never reached there.
const XCHG_TRIES: u32 = 128;

/// Implements [`Ops`] for a type, given the suffix of its instructions, the way its registers are
/// printed, and its accumulator.
macro_rules! impl_ops {
    ($($ty:ty: $suffix:literal, $val:literal, $accumulator:tt;)+) => {
        $(
            // SAFETY: Each method but `xchg` is one instruction, which an interrupt cannot split.
            // `xchg` takes effect with the one `cmpxchg` that succeeds.
            unsafe impl Ops<$ty> for X86_64 {
                #[inline]
                unsafe fn this_cpu_read(ptr: *const $ty) -> $ty {
                    impl_ops!(@load "%gs:", $ty, $suffix, $val, ptr)
                }

                #[inline]
                unsafe fn this_cpu_write(ptr: *mut $ty, val: $ty) {
                    impl_ops!(@store "%gs:", $suffix, $val, ptr, val);
                }

                impl_ops!(@rmw "%gs:", $ty, $suffix, $val, $accumulator;
                    this_cpu_add, this_cpu_add_return, this_cpu_xchg, this_cpu_cmpxchg);
                impl_ops!(@rmw "", $ty, $suffix, $val, $accumulator;
                    local_add, local_add_return, local_xchg, local_cmpxchg);
            }
        )+
    };
    (@load $segment:literal, $ty:ty, $suffix:literal, $val:literal, $ptr:ident) => {{
        let val: $ty;
        // SAFETY: Reads the integer at `ptr`, which the caller vouches for.
        unsafe {
            asm!(
                concat!("mov", $suffix, " ", $segment, "({ptr}), ", $val);
                ptr = in(reg) $ptr,
                val = out(reg) val,
                options(nostack, readonly, preserves_flags),
            )
        };
        val
    }};
    (@store $segment:literal, $suffix:literal, $val:literal, $ptr:ident, $new:ident) => {
        // SAFETY: Writes the integer at `ptr`, which the caller vouches for.
        unsafe {
            asm!(
                concat!("mov", $suffix, " ", $val, ", ", $segment, "({ptr})");
                ptr = in(reg) $ptr,
                val = in(reg) $new,
                options(nostack, preserves_flags),
            )
        }
    };
    (@rmw $segment:literal, $ty:ty, $suffix:literal, $val:literal, $accumulator:tt;
        $add:ident, $add_return:ident, $xchg:ident, $cmpxchg:ident) => {
        #[inline]
        unsafe fn $add(ptr: *mut $ty, val: $ty) {
            // SAFETY: Changes the integer at `ptr`, which the caller vouches for.
            unsafe {
                asm!(
                    concat!("add", $suffix, " ", $val, ", ", $segment, "({ptr})");
                    ptr = in(reg) ptr,
                    val = in(reg) val,
                    options(nostack),
                )
            };
        }

        #[inline]
        unsafe fn $add_return(ptr: *mut $ty, val: $ty) -> $ty {
            let old: $ty;
            // SAFETY: Changes the integer at `ptr`, which the caller vouches for.
            unsafe {
                asm!(
                    concat!("xadd", $suffix, " ", $val, ", ", $segment, "({ptr})");
                    ptr = in(reg) ptr,
                    val = inout(reg) val => old,
                    options(nostack),
                )
            };
            old.wrapping_add(val)
        }

        /// Uses `cmpxchg`, as C does: the instruction `xchg` always locks the bus.
        #[inline]
        unsafe fn $xchg(ptr: *mut $ty, val: $ty) -> $ty {
            let mut guess = impl_ops!(@load $segment, $ty, $suffix, $val, ptr);
            // SAFETY: Both methods require the same of `ptr`.
            let mut seen = unsafe { Self::$cmpxchg(ptr, guess, val) };
            if seen == guess {
                return seen;
            }
            for _ in 0..XCHG_TRIES {
                guess = seen;
                // SAFETY: As above.
                seen = unsafe { Self::$cmpxchg(ptr, guess, val) };
                if seen == guess {
                    return seen;
                }
            }
            // Other CPUs keep writing this integer, so it is not this CPU's own, and only an ordinary
            // operation is promised.
            impl_ops!(@store $segment, $suffix, $val, ptr, val);
            seen
        }

        #[inline]
        unsafe fn $cmpxchg(ptr: *mut $ty, old: $ty, new: $ty) -> $ty {
            let seen: $ty;
            // SAFETY: Changes the integer at `ptr`, which the caller vouches for.
            unsafe {
                asm!(
                    concat!("cmpxchg", $suffix, " ", $val, ", ", $segment, "({ptr})");
                    ptr = in(reg) ptr,
                    val = in(reg) new,
                    inout($accumulator) old => seen,
                    options(nostack),
                )
            };
            seen
        }
    };
}

impl_ops! {
    u32: "l", "{val:e}", "eax";
    u64: "q", "{val:r}", "rax";
}
