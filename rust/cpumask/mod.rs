// SPDX-License-Identifier: GPL-2.0

//! The kernel's CPU masks, and the CPUs of a mask.
//!
//! What [`kernel::cpumask`] lacks.
//!
//! C header: [`include/linux/cpumask.h`](srctree/include/linux/cpumask.h)

mod bits;
mod housekeeping;

use bits::{
    Len,
    SetBits, //
};
use core::marker::PhantomData;
use kernel::{
    bindings,
    cpu::{
        nr_cpu_ids,
        CpuId, //
    },
    cpumask::Cpumask,
    prelude::*, //
};

pub(crate) use housekeeping::housekeeping;

/// The CPUs that could ever come online. Never changes.
#[inline]
pub(crate) fn possible() -> &'static Cpumask {
    // SAFETY: The mask is part of the kernel.
    unsafe { Cpumask::from_raw(&raw const bindings::__cpu_possible_mask) }
}

/// The CPUs that are plugged in.
#[inline]
pub(crate) fn present() -> &'static Cpumask {
    // SAFETY: The mask is part of the kernel.
    unsafe { Cpumask::from_raw(&raw const bindings::__cpu_present_mask) }
}

/// The CPUs that tasks run on.
#[inline]
pub(crate) fn online() -> &'static Cpumask {
    // SAFETY: The mask is part of the kernel.
    unsafe { Cpumask::from_raw(&raw const bindings::__cpu_online_mask) }
}

/// The CPUs that tasks may be moved to.
#[inline]
pub(crate) fn active() -> &'static Cpumask {
    // SAFETY: The mask is part of the kernel.
    unsafe { Cpumask::from_raw(&raw const bindings::__cpu_active_mask) }
}

/// `nr_cpu_ids` bits, as many as every cpumask has at least.
pub(crate) struct NrCpuIds;

// SAFETY: The kernel does not change `nr_cpu_ids` once modules load.
unsafe impl Len for NrCpuIds {
    #[inline]
    fn len(&self) -> u32 {
        nr_cpu_ids()
    }
}

/// The CPUs of a cpumask that no lifetime protects, ascending, each below `nr_cpu_ids`.
///
/// Reads the mask a word at a time, when it comes to it: a CPU that is added or removed meanwhile
/// is seen or not seen. `for_each_cpu()` reads the word again for each CPU.
pub(crate) struct RawCpus(SetBits<NrCpuIds>);

impl RawCpus {
    /// The CPUs of `mask` from number `first` on.
    ///
    /// # Safety
    ///
    /// The words of `mask` that hold `nr_cpu_ids` bits are readable as long as the iterator is
    /// used. They need not be aligned.
    #[inline]
    pub(crate) unsafe fn new(mask: *const bindings::cpumask, first: u32) -> Self {
        // SAFETY: By the function's contract.
        Self(unsafe { SetBits::new(mask.cast(), NrCpuIds, first) })
    }

    /// The number of the CPU that [`next`](Iterator::next) returned last.
    #[inline]
    pub(crate) fn current(&self) -> &i32 {
        self.0.current()
    }
}

impl Iterator for RawCpus {
    type Item = CpuId;

    #[inline]
    fn next(&mut self) -> Option<CpuId> {
        let cpu = self.0.next()?;
        // SAFETY: Each bit is below the length, which is `nr_cpu_ids`.
        Some(unsafe { CpuId::from_u32_unchecked(cpu) })
    }
}

/// The CPUs of a [`Cpumask`]: [`RawCpus`] for its lifetime.
pub(crate) struct Cpus<'a> {
    cpus: RawCpus,
    _mask: PhantomData<&'a Cpumask>,
}

impl Iterator for Cpus<'_> {
    type Item = CpuId;

    #[inline]
    fn next(&mut self) -> Option<CpuId> {
        self.cpus.next()
    }
}

/// What [`Cpumask`] lacks.
pub(crate) trait CpumaskExt {
    /// The CPUs of the mask.
    fn iter(&self) -> Cpus<'_>;
}

impl CpumaskExt for Cpumask {
    #[inline]
    fn iter(&self) -> Cpus<'_> {
        Cpus {
            // SAFETY: A cpumask has `nr_cpu_ids` bits at least, and this one is borrowed.
            cpus: unsafe { RawCpus::new(self.as_raw(), 0) },
            _mask: PhantomData,
        }
    }
}

#[kunit_tests(bpf_percpu_cpumask)]
mod tests {
    use super::*;
    use kernel::cpumask::CpumaskVar;

    /// Whether the iterator and a loop over each CPU say the same of `mask`.
    fn agrees(mask: &Cpumask) -> bool {
        let mut cpus = mask.iter();
        for cpu in (0..nr_cpu_ids()).filter_map(CpuId::from_u32) {
            if mask.test(cpu) && cpus.next() != Some(cpu) {
                return false;
            }
        }
        cpus.next().is_none()
    }

    #[test]
    fn global_masks() {
        for mask in [possible(), present(), online(), active()] {
            assert!(agrees(mask));
            assert!(!mask.empty());
            assert!(mask.iter().all(|cpu| possible().test(cpu)));
            assert_eq!(mask.iter().count() as u32, mask.weight());
        }
    }

    #[test]
    fn made_masks() -> Result {
        let mut mask = CpumaskVar::new_zero(GFP_KERNEL)?;
        assert!(agrees(&mask));
        for cpu in (0..nr_cpu_ids()).step_by(3).filter_map(CpuId::from_u32) {
            mask.set(cpu);
            assert!(agrees(&mask));
        }
        mask.setall();
        assert!(agrees(&mask));
        assert_eq!(mask.iter().count() as u32, nr_cpu_ids());
        Ok(())
    }

    #[test]
    fn from_any_cpu() {
        // SAFETY: The mask is part of the kernel.
        let from = |first| unsafe { RawCpus::new(possible().as_raw(), first) }.next();
        let mut first = 0;
        for cpu in possible().iter() {
            assert_eq!(from(first), Some(cpu));
            first = cpu.as_u32() + 1;
        }
        for first in [first, nr_cpu_ids(), u32::MAX] {
            assert_eq!(from(first), None);
        }
    }

    #[test]
    fn housekeeping_masks() {
        for hk_type in 0..crate::bindings::hk_type_HK_TYPE_MAX {
            let mask = housekeeping(hk_type);
            assert!(mask.is_some_and(|mask| mask.iter().all(|cpu| possible().test(cpu))));
            assert!(mask.is_some_and(|mask| !mask.empty()));
        }
        for hk_type in [crate::bindings::hk_type_HK_TYPE_MAX, u32::MAX] {
            assert!(housekeeping(hk_type).is_none());
        }
    }

    #[test]
    fn global_masks_are_the_kernels() {
        assert_eq!(
            possible().as_raw().cast_const(),
            &raw const bindings::__cpu_possible_mask
        );
        assert_eq!(
            present().as_raw().cast_const(),
            &raw const bindings::__cpu_present_mask
        );
        assert_eq!(
            online().as_raw().cast_const(),
            &raw const bindings::__cpu_online_mask
        );
        assert_eq!(
            active().as_raw().cast_const(),
            &raw const bindings::__cpu_active_mask
        );
    }

    /// As many words as a mask has, all ones.
    fn ones() -> Result<KVec<usize>, kernel::alloc::AllocError> {
        let words = size_of::<bindings::cpumask>() / size_of::<usize>();
        KVec::from_elem(usize::MAX, words, GFP_KERNEL)
    }

    #[test]
    fn bits_from_nr_cpu_ids_on_are_left_out() -> Result {
        let ones = ones()?;
        // SAFETY: The words of a mask, and longer here than the iterator.
        let cpus = unsafe { RawCpus::new(ones.as_ptr().cast(), 0) };
        assert!(cpus.map(|cpu| cpu.as_u32()).eq(0..nr_cpu_ids()));
        Ok(())
    }

    #[test]
    fn each_cpu_alone() -> Result {
        for cpu in (0..nr_cpu_ids()).filter_map(CpuId::from_u32) {
            let mut mask = CpumaskVar::new_zero(GFP_KERNEL)?;
            assert_eq!(mask.iter().next(), None);
            mask.set(cpu);
            assert!(mask.iter().eq([cpu]));
        }
        Ok(())
    }

    #[test]
    fn current_is_the_last_cpu_that_came() -> Result {
        let ones = ones()?;
        // SAFETY: The words of a mask, and longer here than the iterator.
        let mut cpus = unsafe { RawCpus::new(ones.as_ptr().cast(), 0) };
        assert_eq!(*cpus.current(), -1);
        while let Some(cpu) = cpus.next() {
            assert_eq!(*cpus.current(), cpu.as_u32() as i32);
        }
        assert_eq!(*cpus.current(), nr_cpu_ids() as i32 - 1);
        Ok(())
    }
}
