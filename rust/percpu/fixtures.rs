// SPDX-License-Identifier: GPL-2.0

//! What tests of per-CPU memory share.

use super::{
    memory::AllocError,
    PerCpuMem,
    PossibleCpu,
    Primitive,
    MAX_SIZE, //
};
use kernel::bindings;

/// Values to compute with.
pub(crate) trait Value: Primitive {
    /// The largest, to which one added gives [`MIN`](Self::MIN).
    const MAX: Self;
    /// The smallest.
    const MIN: Self;
    /// The number one.
    const ONE: Self;
    /// All of its bytes differ, from each other and from those of [`OTHER`](Self::OTHER).
    const SOME: Self;
    /// As [`SOME`](Self::SOME) is.
    const OTHER: Self;
    /// Their sum, modulo the type's range.
    const SUM: Self;

    /// With bit number `bit` changed.
    fn flip(self, bit: usize) -> Self;
}

/// Makes types [`Value`].
macro_rules! impl_value {
    ($($ty:ty),+) => {
        $(impl Value for $ty {
            const MAX: Self = <$ty>::MAX;
            const MIN: Self = <$ty>::MIN;
            const ONE: Self = 1;
            const SOME: Self = 0xf1e2_d3c4_b5a6_9788_u64 as $ty;
            const OTHER: Self = 0x7162_5344_3526_1799_u64 as $ty;
            const SUM: Self = 0x6345_2708_eacc_af21_u64 as $ty;

            fn flip(self, bit: usize) -> Self {
                self ^ (1 << bit)
            }
        })+
    };
}

impl_value!(u8, u16, u32, u64, i8, i16, i32, i64);

/// Asserts that a fact holds for each type, with a backend.
macro_rules! assert_each_type {
    ($fact:ident, $backend:ty) => {{
        assert!($fact::<u8, $backend>()?);
        assert!($fact::<i8, $backend>()?);
        assert!($fact::<u16, $backend>()?);
        assert!($fact::<i16, $backend>()?);
        assert!($fact::<u32, $backend>()?);
        assert!($fact::<i32, $backend>()?);
        assert!($fact::<u64, $backend>()?);
        assert!($fact::<i64, $backend>()?);
    }};
}

pub(crate) use assert_each_type;

/// Sizes that there are.
pub(super) const SIZES: [u32; 6] = [1, 7, 8, 9, MAX_SIZE - 1, MAX_SIZE];

/// Memory of `size` bytes.
pub(super) fn memory(size: u32) -> Result<PerCpuMem, AllocError> {
    PerCpuMem::new_zeroed(size, bindings::GFP_KERNEL)
}

/// A byte of `cpu`, as a plain loop has it.
pub(super) fn byte(memory: &PerCpuMem, cpu: PossibleCpu, off: usize) -> *mut u8 {
    let ptr = memory.base().as_ptr().wrapping_add(cpu.offset());
    ptr.wrapping_add(off)
}

/// Sets each byte of `cpu` to what `value` says of its offset.
pub(super) fn set(memory: &PerCpuMem, cpu: PossibleCpu, value: impl Fn(usize) -> u8) {
    for off in 0..memory.size() as usize {
        // SAFETY: It is inside, and nobody else's.
        unsafe { byte(memory, cpu, off).write_volatile(value(off)) };
    }
}

/// Whether each byte of `cpu` is so.
pub(super) fn is(memory: &PerCpuMem, cpu: PossibleCpu, value: impl Fn(usize) -> u8) -> bool {
    // SAFETY: It is inside, and nobody else's.
    let at = |off| unsafe { byte(memory, cpu, off).read_volatile() };
    (0..memory.size() as usize).all(|off| at(off) == value(off))
}
