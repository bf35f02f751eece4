// SPDX-License-Identifier: GPL-2.0

//! An integer in per-CPU memory.
//!
//! C header: [`include/linux/percpu-defs.h`](srctree/include/linux/percpu-defs.h)

#[cfg(CONFIG_KUNIT = "y")]
mod kunit;

use super::{
    arch::{
        Native,
        Ops, //
    },
    PossibleCpu,
    PossibleCpus, //
};
use core::marker::PhantomData;
use kernel::prelude::*;

mod private {
    /// Closes [`Primitive`](super::Primitive) to types that the CPU has no instructions for.
    pub(crate) trait Sealed {}
}

/// Integers that a CPU reads, writes and changes with one instruction.
pub(crate) trait Primitive: private::Sealed + Copy + PartialEq {
    /// Zero.
    const ZERO: Self;

    /// What changes them on this architecture.
    type Native: Ops<Self>;

    /// The sum, modulo the type's range.
    fn wrapping_add(self, other: Self) -> Self;
}

/// Makes types [`Primitive`].
macro_rules! impl_primitive {
    ($($ty:ty),+) => {
        $(
            impl private::Sealed for $ty {}

            impl Primitive for $ty {
                const ZERO: Self = 0;

                type Native = Native;

                #[inline]
                fn wrapping_add(self, other: Self) -> Self {
                    <$ty>::wrapping_add(self, other)
                }
            }
        )+
    };
}

impl_primitive!(u8, u16, u32, u64, i8, i16, i32, i64);

/// Why there is no slot at an offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OffsetError {
    /// Not all of it is inside.
    PastEnd,
    /// The offset is not a multiple of the type's size.
    Misaligned,
}

impl From<OffsetError> for Error {
    fn from(error: OffsetError) -> Self {
        match error {
            OffsetError::PastEnd => ERANGE,
            OffsetError::Misaligned => EINVAL,
        }
    }
}

/// A place that holds a `T` in each CPU's copy of per-CPU memory.
///
/// Methods that name no CPU are about the CPU that they are called on, whichever that is. Each is
/// one operation to what else runs there, NMIs included, and wraps around at the type's end.
/// `B` is what carries it out.
///
/// Context: any.
///
/// # Invariants
///
/// `ptr` is the per-CPU address of a `T`, aligned, that stays allocated for `'a`.
pub(crate) struct PerCpuInt<'a, T: Primitive, B: Ops<T> = <T as Primitive>::Native> {
    ptr: *mut T,
    _memory: PhantomData<(&'a (), B)>,
}

#[allow(
    dead_code,
    reason = "what a slot offers, whether this module uses it or not"
)]
impl<'a, T: Primitive, B: Ops<T>> PerCpuInt<'a, T, B> {
    /// # Safety
    ///
    /// `ptr` is the per-CPU address of a `T`, aligned, that stays allocated for `'a`.
    #[inline]
    pub(super) unsafe fn new(ptr: *mut T) -> Self {
        // INVARIANT: By the function's contract.
        Self {
            ptr,
            _memory: PhantomData,
        }
    }

    /// The same place, with other instructions.
    #[inline]
    pub(crate) fn with_backend<C: Ops<T>>(&self) -> PerCpuInt<'a, T, C> {
        // INVARIANT: By this value's.
        PerCpuInt {
            ptr: self.ptr,
            _memory: PhantomData,
        }
    }

    /// What is there.
    #[inline]
    pub(crate) fn read(&self) -> T {
        // SAFETY: By the type invariant.
        unsafe { B::this_cpu_read(self.ptr) }
    }

    /// Puts `val` there.
    #[inline]
    pub(crate) fn write(&self, val: T) {
        // SAFETY: By the type invariant.
        unsafe { B::this_cpu_write(self.ptr, val) }
    }

    /// Adds `val`.
    #[inline]
    pub(crate) fn add(&self, val: T) {
        // SAFETY: By the type invariant.
        unsafe { B::this_cpu_add(self.ptr, val) }
    }

    /// Adds `val`, and returns the sum.
    #[inline]
    pub(crate) fn add_return(&self, val: T) -> T {
        // SAFETY: By the type invariant.
        unsafe { B::this_cpu_add_return(self.ptr, val) }
    }

    /// Puts `val` there, and returns what was there.
    #[inline]
    pub(crate) fn xchg(&self, val: T) -> T {
        // SAFETY: By the type invariant.
        unsafe { B::this_cpu_xchg(self.ptr, val) }
    }

    /// Puts `new` there if `old` is; returns what was there.
    #[inline]
    pub(crate) fn cmpxchg(&self, old: T, new: T) -> T {
        // SAFETY: By the type invariant.
        unsafe { B::this_cpu_cmpxchg(self.ptr, old, new) }
    }

    /// What `cpu` has there.
    #[inline]
    pub(crate) fn read_on(&self, cpu: PossibleCpu) -> T {
        // SAFETY: By the type invariant every possible CPU has a `T` there. Volatile, since the CPU
        // may write it meanwhile: it is aligned, so it is old or new.
        unsafe { self.ptr.wrapping_byte_add(cpu.offset()).read_volatile() }
    }

    /// The sum of what `cpus` have there, as [`sum`](Self::sum) has it.
    #[inline]
    pub(crate) fn sum_on(&self, cpus: PossibleCpus) -> T {
        cpus.fold_offsets(T::ZERO, |sum, offset| {
            // SAFETY: As for `read_on()`.
            sum.wrapping_add(unsafe { self.ptr.wrapping_byte_add(offset).read_volatile() })
        })
    }

    /// The sum of what `cpus` have there. Those that change it meanwhile are in it or not.
    #[inline]
    pub(crate) fn sum(&self, cpus: impl Iterator<Item = PossibleCpu>) -> T {
        cpus.fold(T::ZERO, |sum, cpu| sum.wrapping_add(self.read_on(cpu)))
    }
}
