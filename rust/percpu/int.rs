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
    /// Seals [`Primitive`](super::Primitive).
    pub(crate) trait Sealed {}
}

/// Integers that a CPU reads, writes and changes with one instruction: those that kfuncs offer.
///
/// This trait is sealed: implementations exist for `u32` and `u64` only.
pub(crate) trait Primitive: private::Sealed + Copy + PartialEq {
    /// Zero.
    const ZERO: Self;

    /// The fastest operations of this architecture.
    type Native: Ops<Self>;

    /// The sum, modulo the type's range.
    fn wrapping_add(self, other: Self) -> Self;
}

/// Implements [`Primitive`].
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

impl_primitive!(u32, u64);

/// Why an offset was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OffsetError {
    /// The access ends past the end of the memory.
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

/// An integer of per-CPU memory: a `T` at the same offset of each CPU's slot.
///
/// Methods that name no CPU operate on the slot of the CPU that they run on. Each is atomic with
/// regard to what else runs on that CPU, NMIs included, and wraps around at the type's end. `B`
/// implements the operations.
///
/// Context: any.
///
/// # Invariants
///
/// `ptr` is the per-CPU address of an aligned `T`, which stays allocated for `'a`.
pub(crate) struct PerCpuInt<'a, T: Primitive, B: Ops<T> = <T as Primitive>::Native> {
    ptr: *mut T,
    _memory: PhantomData<(&'a (), B)>,
}

#[allow(
    dead_code,
    reason = "the whole interface, of which the module uses a part"
)]
impl<'a, T: Primitive, B: Ops<T>> PerCpuInt<'a, T, B> {
    /// # Safety
    ///
    /// `ptr` is the per-CPU address of an aligned `T`, which stays allocated for `'a`.
    #[inline]
    pub(super) unsafe fn new(ptr: *mut T) -> Self {
        // INVARIANT: The caller guarantees this.
        Self {
            ptr,
            _memory: PhantomData,
        }
    }

    /// The same integer, with another implementation of the operations.
    #[inline]
    pub(crate) fn with_backend<C: Ops<T>>(&self) -> PerCpuInt<'a, T, C> {
        // INVARIANT: The address and the lifetime are those of `self`.
        PerCpuInt {
            ptr: self.ptr,
            _memory: PhantomData,
        }
    }

    /// Reads it.
    #[inline]
    pub(crate) fn read(&self) -> T {
        // SAFETY: By the type invariant `ptr` is the per-CPU address of an aligned `T`.
        unsafe { B::this_cpu_read(self.ptr) }
    }

    /// Writes `val`.
    #[inline]
    pub(crate) fn write(&self, val: T) {
        // SAFETY: By the type invariant `ptr` is the per-CPU address of an aligned `T`.
        unsafe { B::this_cpu_write(self.ptr, val) }
    }

    /// Adds `val`.
    #[inline]
    pub(crate) fn add(&self, val: T) {
        // SAFETY: By the type invariant `ptr` is the per-CPU address of an aligned `T`.
        unsafe { B::this_cpu_add(self.ptr, val) }
    }

    /// Adds `val`, and returns the sum.
    #[inline]
    pub(crate) fn add_return(&self, val: T) -> T {
        // SAFETY: By the type invariant `ptr` is the per-CPU address of an aligned `T`.
        unsafe { B::this_cpu_add_return(self.ptr, val) }
    }

    /// Writes `val`, and returns the old value.
    #[inline]
    pub(crate) fn xchg(&self, val: T) -> T {
        // SAFETY: By the type invariant `ptr` is the per-CPU address of an aligned `T`.
        unsafe { B::this_cpu_xchg(self.ptr, val) }
    }

    /// Writes `new` if it equals `old`; returns the old value.
    #[inline]
    pub(crate) fn cmpxchg(&self, old: T, new: T) -> T {
        // SAFETY: By the type invariant `ptr` is the per-CPU address of an aligned `T`.
        unsafe { B::this_cpu_cmpxchg(self.ptr, old, new) }
    }

    /// Reads it in the slot of `cpu`.
    #[inline]
    pub(crate) fn read_on(&self, cpu: PossibleCpu) -> T {
        // SAFETY: By the type invariant each possible CPU has an aligned `T` there. The load is
        // volatile because `cpu` may write concurrently: it yields the old value or the new one.
        unsafe { self.ptr.wrapping_byte_add(cpu.offset()).read_volatile() }
    }

    /// The sum over the slots of `cpus`. A concurrent change may or may not be included.
    #[inline]
    pub(crate) fn sum_on(&self, cpus: PossibleCpus) -> T {
        cpus.fold_offsets(T::ZERO, |sum, offset| {
            // SAFETY: As in `read_on()`: the offset is that of a possible CPU.
            sum.wrapping_add(unsafe { self.ptr.wrapping_byte_add(offset).read_volatile() })
        })
    }

    /// As [`sum_on`](Self::sum_on), for any iterator.
    #[inline]
    pub(crate) fn sum(&self, cpus: impl Iterator<Item = PossibleCpu>) -> T {
        cpus.fold(T::ZERO, |sum, cpu| sum.wrapping_add(self.read_on(cpu)))
    }
}
