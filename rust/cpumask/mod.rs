// SPDX-License-Identifier: GPL-2.0

//! The kernel's global CPU masks, and iteration over the CPUs of a mask: what [`kernel::cpumask`]
//! lacks.
//!
//! C header: [`include/linux/cpumask.h`](srctree/include/linux/cpumask.h)

mod bits;
mod cpu_ids;
mod housekeeping;

use bits::{
    RawWords,
    SetBits,
    Words, //
};
use core::{
    hint::assert_unchecked,
    marker::PhantomData, //
};
use kernel::{
    bindings,
    cpu::{
        nr_cpu_ids,
        CpuId, //
    },
    cpumask::Cpumask,
    prelude::*, //
};

pub(crate) use bits::bits_of;
pub(crate) use cpu_ids::init;
pub(crate) use housekeeping::housekeeping;

/// The CPUs that could ever come online. Never changes.
#[inline]
pub(crate) fn possible() -> &'static Cpumask {
    // SAFETY: The mask is a static variable of the kernel.
    unsafe { Cpumask::from_raw(&raw const bindings::__cpu_possible_mask) }
}

/// CPU `cpu`, if it is possible. Unlike [`Cpumask::test`], this makes no call.
#[inline]
pub(crate) fn possible_cpu(cpu: u32) -> Option<CpuId> {
    let words = RawWords::new(possible().as_raw().cast_const().cast());
    let bit = cpu % usize::BITS;
    let is_possible = (cpu as usize) < size_of::<bindings::cpumask>() * 8
        // SAFETY: The bit is below the length of a cpumask, so the mask has that word.
        && unsafe { words.read(cpu.wrapping_sub(bit)) } >> bit & 1 != 0;
    // SAFETY: Possible CPUs are below `nr_cpu_ids`.
    is_possible.then(|| unsafe { CpuId::from_u32_unchecked(cpu) })
}

/// The CPUs that are plugged in.
#[inline]
pub(crate) fn present() -> &'static Cpumask {
    // SAFETY: The mask is a static variable of the kernel.
    unsafe { Cpumask::from_raw(&raw const bindings::__cpu_present_mask) }
}

/// The CPUs that tasks run on.
#[inline]
pub(crate) fn online() -> &'static Cpumask {
    // SAFETY: The mask is a static variable of the kernel.
    unsafe { Cpumask::from_raw(&raw const bindings::__cpu_online_mask) }
}

/// The CPUs that tasks may be moved to.
#[inline]
pub(crate) fn active() -> &'static Cpumask {
    // SAFETY: The mask is a static variable of the kernel.
    unsafe { Cpumask::from_raw(&raw const bindings::__cpu_active_mask) }
}

/// A cpumask whose validity no lifetime guarantees.
///
/// # Invariants
///
/// The words that hold the first `nr_cpu_ids` bits are readable while the value is used. They need
/// not be aligned.
pub(crate) struct RawMask(RawWords);

impl RawMask {
    /// # Safety
    ///
    /// The words of `mask` that hold the first `nr_cpu_ids` bits are readable while the value is
    /// used.
    #[inline]
    pub(crate) unsafe fn new(mask: *const bindings::cpumask) -> Self {
        // INVARIANT: The caller guarantees just this.
        Self(RawWords::new(mask.cast()))
    }

    /// The first CPU whose number is not less than `first`.
    #[inline]
    pub(crate) fn first_from(self, first: u32) -> Option<CpuId> {
        // SAFETY: Bits are below the length, which is `nr_cpu_ids`.
        bits::first_from(self, first).map(|cpu| unsafe { CpuId::from_u32_unchecked(cpu) })
    }
}

// SAFETY: The kernel does not change `nr_cpu_ids` once modules can be loaded, and it is at most the
// length of a cpumask. By the invariant of `CpuIds`, `word()` returns no bit at it or past it.
unsafe impl Words for RawMask {
    #[inline]
    fn len(&self) -> u32 {
        let len = nr_cpu_ids();
        // SAFETY: There is at least the CPU that this runs on.
        unsafe { assert_unchecked(len > 0) };
        len
    }

    #[inline]
    unsafe fn word(&self, base: u32) -> usize {
        // SAFETY: The caller guarantees that the word begins below `nr_cpu_ids`, so by the type
        // invariant it is readable. `CpuIds` has as many words as a cpumask.
        unsafe { self.0.read(base) & cpu_ids::below_nr_cpu_ids().read(base) }
    }
}

/// The possible CPUs of a mask. Each bit of its words is set in `cpu_possible_mask`, too.
pub(crate) struct Possible(RawMask);

// SAFETY: As for `RawMask`. Possible CPUs are below `nr_cpu_ids`.
unsafe impl Words for Possible {
    #[inline]
    fn len(&self) -> u32 {
        self.0.len()
    }

    #[inline]
    unsafe fn word(&self, base: u32) -> usize {
        let possible = RawWords::new(possible().as_raw().cast_const().cast());
        // SAFETY: The caller guarantees that the word begins below `nr_cpu_ids`, so by the
        // invariant of `RawMask` it is readable. The kernel's mask has that word too.
        unsafe { self.0 .0.read(base) & possible.read(base) }
    }
}

/// The CPUs of a [`RawMask`], ascending, each below `nr_cpu_ids`.
///
/// Each word of the mask is read once, when the iteration reaches it: a CPU that is added or
/// removed meanwhile may be seen or not. `for_each_cpu()` reads the word again for each CPU.
pub(crate) struct RawCpus<W = RawMask>(SetBits<W>);

impl RawCpus {
    /// The CPUs of `mask`.
    #[inline]
    pub(crate) fn new(mask: RawMask) -> Self {
        Self(SetBits::new(mask))
    }

    /// The number of the next CPU of the mask's current word; `None` after its last one.
    #[inline]
    pub(crate) fn next_number_of_word(&mut self) -> Option<&c_int> {
        self.0.next_of_word()
    }

    /// The number of the next CPU after the current word, for when
    /// [`next_number_of_word`](Self::next_number_of_word) has returned `None`. Skips the CPUs that
    /// the current word has left.
    #[inline]
    pub(crate) fn next_number_after_word(&mut self) -> Option<&c_int> {
        self.0.next_after_word()
    }
}

impl RawCpus<Possible> {
    /// The possible CPUs of `mask`.
    #[inline]
    pub(crate) fn possible(mask: RawMask) -> Self {
        Self(SetBits::new(Possible(mask)))
    }

    /// Folds the mask's words by `f`, starting from `init`. `f` gets the number of each word's
    /// first CPU, and the word, all of whose bits are possible CPUs.
    #[inline]
    pub(crate) fn fold_words<A>(self, init: A, f: impl FnMut(A, u32, usize) -> A) -> A {
        self.0.fold_words(init, f)
    }
}

impl<W: Words> Iterator for RawCpus<W> {
    type Item = CpuId;

    #[inline]
    fn next(&mut self) -> Option<CpuId> {
        let cpu = *self.0.next()?;
        // SAFETY: Bits are below the length, which is `nr_cpu_ids`.
        Some(unsafe { CpuId::from_u32_unchecked(cpu as u32) })
    }

    #[inline]
    fn fold<A, F: FnMut(A, CpuId) -> A>(self, init: A, mut f: F) -> A {
        self.0.fold(init, |folded, cpu| {
            // SAFETY: Bits are below the length, which is `nr_cpu_ids`.
            f(folded, unsafe { CpuId::from_u32_unchecked(cpu) })
        })
    }
}

/// The CPUs of a [`Cpumask`], which is borrowed meanwhile.
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

    #[inline]
    fn fold<A, F: FnMut(A, CpuId) -> A>(self, init: A, f: F) -> A {
        self.cpus.fold(init, f)
    }
}

/// Methods that [`Cpumask`] lacks.
pub(crate) trait CpumaskExt {
    /// The CPUs of the mask.
    fn iter(&self) -> Cpus<'_>;
}

impl CpumaskExt for Cpumask {
    #[inline]
    fn iter(&self) -> Cpus<'_> {
        Cpus {
            // SAFETY: A cpumask has at least `nr_cpu_ids` bits, and this one is borrowed.
            cpus: RawCpus::new(unsafe { RawMask::new(self.as_raw()) }),
            _mask: PhantomData,
        }
    }
}

#[kunit_tests(bpf_percpu_cpumask)]
mod tests {
    use super::*;
    use kernel::cpumask::CpumaskVar;

    /// Whether the iterator over `mask` agrees with a loop over each CPU.
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
        // SAFETY: The mask is a static variable of the kernel.
        let from = |first| unsafe { RawMask::new(possible().as_raw()) }.first_from(first);
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

    /// The words of a mask in which all bits are set.
    fn ones() -> Result<KVec<usize>, kernel::alloc::AllocError> {
        let words = size_of::<bindings::cpumask>() / size_of::<usize>();
        KVec::from_elem(usize::MAX, words, GFP_KERNEL)
    }

    #[test]
    fn bits_from_nr_cpu_ids_on_are_left_out() -> Result {
        let ones = ones()?;
        // SAFETY: These are the words of a mask, and they outlive the iterator.
        let mask = || unsafe { RawMask::new(ones.as_ptr().cast()) };
        let numbers = |cpu: CpuId| cpu.as_u32();
        assert!(RawCpus::new(mask()).map(numbers).eq(0..nr_cpu_ids()));
        let all = RawCpus::new(mask()).fold(0, |next, cpu| next + u32::from(cpu.as_u32() == next));
        assert_eq!(all, nr_cpu_ids());
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
    fn possible_ones_of_a_mask() -> Result {
        let ones = ones()?;
        // SAFETY: These are the words of a mask, and they outlive the iterator.
        let all = || RawCpus::possible(unsafe { RawMask::new(ones.as_ptr().cast()) });
        assert!(all().eq(possible().iter()));
        assert_eq!(all().fold(0, |count, _| count + 1), possible().weight());
        let none = CpumaskVar::new_zero(GFP_KERNEL)?;
        // SAFETY: The mask outlives the iterator.
        let none = || RawCpus::possible(unsafe { RawMask::new(none.as_raw()) });
        assert_eq!(none().next(), None);
        assert_eq!(none().fold(0, |count, _| count + 1), 0);
        Ok(())
    }

    #[test]
    fn numbers_are_those_of_the_cpus() -> Result {
        let ones = ones()?;
        // SAFETY: These are the words of a mask, and they outlive the iterator.
        let mut cpus = RawCpus::new(unsafe { RawMask::new(ones.as_ptr().cast()) });
        let mut next = || {
            let of_word = cpus.next_number_of_word().copied();
            of_word.or_else(|| cpus.next_number_after_word().copied())
        };
        for cpu in 0..nr_cpu_ids() {
            assert_eq!(next(), Some(cpu as c_int));
        }
        assert_eq!(next(), None);
        assert_eq!(next(), None);
        Ok(())
    }
}
