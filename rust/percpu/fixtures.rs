// SPDX-License-Identifier: GPL-2.0

//! Fixtures for tests of per-CPU memory.

use super::{
    memory::AllocError,
    PerCpuMem,
    PossibleCpu,
    Primitive,
    MAX_SIZE, //
};
use kernel::bindings;

/// Values for tests to compute with.
pub(crate) trait Value: Primitive {
    /// The largest, to which one added gives [`MIN`](Self::MIN).
    const MAX: Self;
    /// The smallest.
    const MIN: Self;
    /// The number one.
    const ONE: Self;
    /// A value whose bytes differ from each other and from those of [`OTHER`](Self::OTHER).
    const SOME: Self;
    /// A value whose bytes differ from each other and from those of [`SOME`](Self::SOME).
    const OTHER: Self;
    /// The sum of [`SOME`](Self::SOME) and [`OTHER`](Self::OTHER), modulo the type's range.
    const SUM: Self;

    /// The value with bit number `bit` inverted.
    fn flip(self, bit: usize) -> Self;
}

/// Implements [`Value`].
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

impl_value!(u32, u64);

/// Asserts that `$fact` holds for each [`Primitive`], with `$backend`.
macro_rules! assert_each_type {
    ($fact:ident, $backend:ty) => {{
        assert!($fact::<u32, $backend>()?);
        assert!($fact::<u64, $backend>()?);
    }};
}

pub(crate) use assert_each_type;

/// Sizes of memory at the ends of the range and around the alignment.
pub(super) const SIZES: [u32; 6] = [1, 7, 8, 9, MAX_SIZE - 1, MAX_SIZE];

/// Memory of `size` bytes.
pub(super) fn memory(size: u32) -> Result<PerCpuMem, AllocError> {
    PerCpuMem::new_zeroed(size, bindings::GFP_KERNEL)
}

/// The address of a byte in the slot of `cpu`, without the checks of
/// [`PerCpuArea`](super::PerCpuArea).
pub(super) fn byte(memory: &PerCpuMem, cpu: PossibleCpu, off: usize) -> *mut u8 {
    let ptr = memory.base().as_ptr().wrapping_add(cpu.offset());
    ptr.wrapping_add(off)
}

/// Sets each byte in the slot of `cpu` to `value` of its offset.
pub(super) fn set(memory: &PerCpuMem, cpu: PossibleCpu, value: impl Fn(usize) -> u8) {
    for off in 0..memory.size() as usize {
        // SAFETY: The byte is inside of the memory, which only this test uses.
        unsafe { byte(memory, cpu, off).write_volatile(value(off)) };
    }
}

/// Whether each byte in the slot of `cpu` is `value` of its offset.
pub(super) fn is(memory: &PerCpuMem, cpu: PossibleCpu, value: impl Fn(usize) -> u8) -> bool {
    // SAFETY: The byte is inside of the memory, which only this test uses.
    let at = |off| unsafe { byte(memory, cpu, off).read_volatile() };
    (0..memory.size() as usize).all(|off| at(off) == value(off))
}
