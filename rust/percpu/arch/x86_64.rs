// SPDX-License-Identifier: GPL-2.0

//! x86-64: one instruction, without `lock`, that finds the CPU's copy through `%gs`.
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

/// x86-64 with more than one CPU.
pub(crate) struct X86_64;

// SAFETY: `this_cpu_off` is what has to be added to a per-CPU address.
unsafe impl ThisCpu for X86_64 {
    #[inline]
    fn this_cpu_ptr(ptr: *mut u8) -> *mut u8 {
        let addr: *mut u8;
        // SAFETY: Reads a variable of the kernel's, and nothing else.
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

/// How often `xchg` tries again. On memory of the CPU's own each failure takes an interruption that changes
/// the value at just this place, so that is rare, and the last is never reached.
const XCHG_TRIES: u32 = 128;

/// Implements [`Ops`] for a type: the instruction's suffix, a class of registers that holds it, how
/// to print such a register, and the accumulator for it.
macro_rules! impl_ops {
    ($($ty:ty: $suffix:literal, $class:ident, $val:literal, $accumulator:tt;)+) => {
        $(
            // SAFETY: Each is one instruction, which the CPU does not interrupt half-way. `xchg`
            // has the effect of one, see there.
            unsafe impl Ops<$ty> for X86_64 {
                #[inline]
                unsafe fn this_cpu_read(ptr: *const $ty) -> $ty {
                    impl_ops!(@load "%gs:", $ty, $suffix, $class, $val, ptr)
                }

                #[inline]
                unsafe fn this_cpu_write(ptr: *mut $ty, val: $ty) {
                    // SAFETY: By the function's contract.
                    unsafe {
                        asm!(
                            concat!("mov", $suffix, " ", $val, ", %gs:({ptr})");
                            ptr = in(reg) ptr,
                            val = in($class) val,
                            options(nostack, preserves_flags),
                        )
                    };
                }

                impl_ops!(@rmw "%gs:", $ty, $suffix, $class, $val, $accumulator;
                    this_cpu_add, this_cpu_add_return, this_cpu_xchg, this_cpu_cmpxchg);
                impl_ops!(@rmw "", $ty, $suffix, $class, $val, $accumulator;
                    local_add, local_add_return, local_xchg, local_cmpxchg);
            }
        )+
    };
    (@load $segment:literal, $ty:ty, $suffix:literal, $class:ident, $val:literal, $ptr:ident) => {{
        let val: $ty;
        // SAFETY: By the function's contract.
        unsafe {
            asm!(
                concat!("mov", $suffix, " ", $segment, "({ptr}), ", $val);
                ptr = in(reg) $ptr,
                val = out($class) val,
                options(nostack, readonly, preserves_flags),
            )
        };
        val
    }};
    (@rmw $segment:literal, $ty:ty, $suffix:literal, $class:ident, $val:literal,
        $accumulator:tt; $add:ident, $add_return:ident, $xchg:ident, $cmpxchg:ident) => {
        #[inline]
        unsafe fn $add(ptr: *mut $ty, val: $ty) {
            // SAFETY: By the function's contract.
            unsafe {
                asm!(
                    concat!("add", $suffix, " ", $val, ", ", $segment, "({ptr})");
                    ptr = in(reg) ptr,
                    val = in($class) val,
                    options(nostack),
                )
            };
        }

        #[inline]
        unsafe fn $add_return(ptr: *mut $ty, val: $ty) -> $ty {
            let old: $ty;
            // SAFETY: By the function's contract.
            unsafe {
                asm!(
                    concat!("xadd", $suffix, " ", $val, ", ", $segment, "({ptr})");
                    ptr = in(reg) ptr,
                    val = inout($class) val => old,
                    options(nostack),
                )
            };
            old.wrapping_add(val)
        }

        /// The instruction of this name locks the bus, so this is `cmpxchg`, as in C.
        #[inline]
        unsafe fn $xchg(ptr: *mut $ty, val: $ty) -> $ty {
            let mut guess = impl_ops!(@load $segment, $ty, $suffix, $class, $val, ptr);
            // SAFETY: By the function's contract.
            let mut seen = unsafe { Self::$cmpxchg(ptr, guess, val) };
            if seen == guess {
                return seen;
            }
            for _ in 0..XCHG_TRIES {
                guess = seen;
                // SAFETY: By the function's contract.
                seen = unsafe { Self::$cmpxchg(ptr, guess, val) };
                if seen == guess {
                    return seen;
                }
            }
            // Other CPUs are at it, so this is not memory of ours, where any order will do.
            // SAFETY: By the function's contract.
            unsafe {
                asm!(
                    concat!("mov", $suffix, " ", $val, ", ", $segment, "({ptr})");
                    ptr = in(reg) ptr,
                    val = in($class) val,
                    options(nostack, preserves_flags),
                )
            };
            seen
        }

        #[inline]
        unsafe fn $cmpxchg(ptr: *mut $ty, old: $ty, new: $ty) -> $ty {
            let seen: $ty;
            // SAFETY: By the function's contract.
            unsafe {
                asm!(
                    concat!("cmpxchg", $suffix, " ", $val, ", ", $segment, "({ptr})");
                    ptr = in(reg) ptr,
                    val = in($class) new,
                    inout($accumulator) old => seen,
                    options(nostack),
                )
            };
            seen
        }
    };
}

impl_ops! {
    u8: "b", reg_byte, "{val}", "al";
    i8: "b", reg_byte, "{val}", "al";
    u16: "w", reg, "{val:x}", "ax";
    i16: "w", reg, "{val:x}", "ax";
    u32: "l", reg, "{val:e}", "eax";
    i32: "l", reg, "{val:e}", "eax";
    u64: "q", reg, "{val:r}", "rax";
    i64: "q", reg, "{val:r}", "rax";
}
