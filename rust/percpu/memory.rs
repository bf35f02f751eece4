// SPDX-License-Identifier: GPL-2.0

//! Allocation of per-CPU memory.
//!
//! C header: [`include/linux/percpu.h`](srctree/include/linux/percpu.h)

use super::PerCpuArea;
use core::{
    ops::Deref,
    ptr::NonNull, //
};
use kernel::{
    bindings,
    prelude::*, //
};

/// The largest size: `PCPU_MIN_UNIT_SIZE`, which is 32 KiB in whole pages.
pub(crate) const MAX_SIZE: u32 = 32 << 10;

/// The alignment of each allocation, whose size is a multiple of it: the width of the widest
/// [`Primitive`](crate::percpu::Primitive).
const ALIGN: u32 = 8;

/// Why memory was not allocated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AllocError {
    /// The size is zero.
    Empty,
    /// The size is more than [`MAX_SIZE`].
    TooLarge,
    /// The kernel has no memory left, or the control group is at its limit.
    NoMemory,
}

impl From<AllocError> for Error {
    fn from(error: AllocError) -> Self {
        match error {
            AllocError::Empty => EINVAL,
            AllocError::TooLarge => E2BIG,
            AllocError::NoMemory => ENOMEM,
        }
    }
}

/// Per-CPU memory, of which each possible CPU has a slot.
///
/// # Invariants
///
/// The area is [`footprint(size)`](footprint) bytes from the kernel's allocator, aligned to
/// [`ALIGN`], and owned by this value. Its size is not 0.
#[repr(transparent)]
pub(crate) struct PerCpuMem(PerCpuArea);

/// The bytes per CPU that memory of `size` bytes takes.
pub(crate) const fn footprint(size: u32) -> u32 {
    size.next_multiple_of(ALIGN)
}

impl PerCpuMem {
    /// Allocates `size` bytes for each possible CPU, online or not, all zero.
    ///
    /// `gfp` is a `GFP_*` of `kernel::bindings`: the kernel crate's `Flags` do not show their
    /// value.
    ///
    /// Context: process. May sleep if `gfp` allows it.
    pub(crate) fn new_zeroed(size: u32, gfp: bindings::gfp_t) -> Result<Self, AllocError> {
        match size {
            0 => return Err(AllocError::Empty),
            1..=MAX_SIZE => (),
            // The allocator would warn.
            _ => return Err(AllocError::TooLarge),
        }
        let (bytes, align) = (footprint(size) as usize, ALIGN as usize);
        // SAFETY: The allocator takes any size up to `PCPU_MIN_UNIT_SIZE`, and this alignment. It
        // zeroes the memory.
        let base = unsafe { bindings::pcpu_alloc_noprof(bytes, align, false, gfp) };
        let base = NonNull::new(base.cast()).ok_or(AllocError::NoMemory)?;
        // INVARIANT: The allocator returned `bytes` bytes with the alignment that was asked for.
        // SAFETY: They stay allocated until this value is dropped.
        Ok(Self(unsafe { PerCpuArea::new(base, size) }))
    }
}

impl Deref for PerCpuMem {
    type Target = PerCpuArea;

    #[inline]
    fn deref(&self) -> &PerCpuArea {
        &self.0
    }
}

impl Drop for PerCpuMem {
    /// Context: any but NMI.
    fn drop(&mut self) {
        // SAFETY: By the type invariant the memory came from the allocator, and this value owns it.
        unsafe { bindings::free_percpu(self.base().as_ptr().cast()) };
    }
}

#[kunit_tests(bpf_percpu_memory)]
mod tests {
    use super::*;
    use crate::percpu::{
        fixtures::{
            is,
            memory,
            set,
            SIZES, //
        },
        PossibleCpu, //
    };

    #[test]
    fn sizes_out_of_range_are_refused() {
        assert_eq!(memory(0).err(), Some(AllocError::Empty));
        for size in [MAX_SIZE + 1, i32::MAX as u32, 1 << 31, u32::MAX] {
            assert_eq!(memory(size).err(), Some(AllocError::TooLarge));
        }
    }

    #[test]
    fn size_is_what_was_asked_for() -> Result {
        for size in SIZES {
            assert_eq!(memory(size)?.size(), size);
        }
        assert_eq!(MAX_SIZE, 32768);
        Ok(())
    }

    #[test]
    fn errors_are_those_of_the_contract() {
        assert_eq!(Error::from(AllocError::Empty), EINVAL);
        assert_eq!(Error::from(AllocError::TooLarge), E2BIG);
        assert_eq!(Error::from(AllocError::NoMemory), ENOMEM);
    }

    #[test]
    fn footprint_is_whole_words() {
        for (size, bytes) in [
            (1, 8),
            (7, 8),
            (8, 8),
            (9, 16),
            (32767, 32768),
            (32768, 32768),
        ] {
            assert_eq!(footprint(size), bytes);
        }
    }

    #[test]
    fn zeroed_on_each_cpu_though_used_before() -> Result {
        for size in SIZES {
            let used = memory(size)?;
            for cpu in PossibleCpu::all() {
                set(&used, cpu, |_| 0xff);
            }
            drop(used);
            let memory = memory(size)?;
            assert!(PossibleCpu::all().all(|cpu| is(&memory, cpu, |_| 0)));
        }
        Ok(())
    }

    #[test]
    fn aligned_for_the_widest_type() -> Result {
        for size in SIZES {
            let memory = memory(size)?;
            for cpu in PossibleCpu::all() {
                let ptr = memory.per_cpu_ptr(cpu, 0, size).ok_or(ERANGE)?;
                assert_eq!(ptr as usize % 8, 0);
            }
        }
        Ok(())
    }

    #[test]
    fn each_cpu_has_bytes_of_its_own() -> Result {
        for size in SIZES {
            let memory = memory(size)?;
            for cpu in PossibleCpu::all() {
                set(&memory, cpu, |off| (off as u32 ^ cpu.number()) as u8);
            }
            for cpu in PossibleCpu::all() {
                assert!(is(&memory, cpu, |off| (off as u32 ^ cpu.number()) as u8));
            }
        }
        Ok(())
    }

    #[test]
    fn allocations_do_not_overlap() -> Result {
        let (first, second) = (memory(9)?, memory(9)?);
        for cpu in PossibleCpu::all() {
            set(&first, cpu, |_| 1);
            set(&second, cpu, |_| 2);
            assert!(is(&first, cpu, |_| 1));
        }
        Ok(())
    }
}
