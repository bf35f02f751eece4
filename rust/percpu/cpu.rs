// SPDX-License-Identifier: GPL-2.0

//! CPUs that have a slot of per-CPU memory.
//!
//! C header: [`include/linux/cpumask.h`](srctree/include/linux/cpumask.h)

use crate::cpumask::{
    self,
    bits_of,
    CpumaskExt,
    Possible,
    RawCpus,
    RawMask, //
};
use kernel::{
    bindings,
    cpu::CpuId,
    prelude::*, //
};

/// A CPU that is possible: that could ever come online.
///
/// The kernel crate's [`CpuId`] is only known to be below `nr_cpu_ids`, and not every such number is
/// a possible CPU.
///
/// # Invariants
///
/// The CPU is in `cpu_possible_mask`, which never changes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct PossibleCpu(CpuId);

impl PossibleCpu {
    /// CPU `cpu`, if it is possible.
    #[inline]
    pub(crate) fn new(cpu: u32) -> Option<Self> {
        // INVARIANT: `possible_cpu()` has tested the mask.
        cpumask::possible_cpu(cpu).map(Self)
    }

    /// All possible CPUs, ascending.
    #[inline]
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        // INVARIANT: The iterator yields CPUs of the mask.
        cpumask::possible().iter().map(Self)
    }

    /// The ordinary address, on this CPU, of the per-CPU address `base`. Valid if `base` is.
    #[inline]
    pub(crate) fn ptr<T>(self, base: *const T) -> *const T {
        base.wrapping_byte_add(self.offset())
    }

    /// The difference between a per-CPU address and this CPU's ordinary address.
    #[inline]
    pub(super) fn offset(self) -> usize {
        // SAFETY: The array has an entry for each CPU below `NR_CPUS`, and the entries of possible
        // CPUs do not change once modules can be loaded.
        unsafe { offsets().add(self.0.as_u32() as usize).read() }
    }
}

/// The kernel's array of [`PossibleCpu::offset`]s, by CPU number.
#[inline]
fn offsets() -> *const usize {
    (&raw const bindings::__per_cpu_offset).cast()
}

/// Some of the possible CPUs, ascending.
pub(crate) struct PossibleCpus(RawCpus<Possible>);

impl PossibleCpus {
    /// The possible CPUs of `mask`.
    #[inline]
    pub(crate) fn of(mask: RawMask) -> Self {
        Self(RawCpus::possible(mask))
    }

    /// Folds the [`PossibleCpu::offset`]s of the CPUs by `f`, starting from `init`.
    #[inline]
    pub(super) fn fold_offsets<A>(self, init: A, mut f: impl FnMut(A, usize) -> A) -> A {
        self.0.fold_words(init, |folded, first, word| {
            // Of the word's first CPU, so that the bit's number is the index of the others.
            let offsets = offsets().wrapping_add(first as usize);
            bits_of(word).fold(folded, |folded, bit| {
                // SAFETY: All CPUs of `RawCpus<Possible>` are possible. The array has their
                // entries, which do not change once modules can be loaded.
                f(folded, unsafe { offsets.add(bit as usize).read() })
            })
        })
    }
}

/// For tests, which choose the CPU that they run on.
#[cfg(CONFIG_KUNIT = "y")]
impl PossibleCpu {
    /// CPU `cpu`, if it is possible.
    pub(crate) fn from_id(cpu: CpuId) -> Option<Self> {
        Self::new(cpu.as_u32())
    }

    /// The CPU's number.
    pub(crate) fn number(self) -> u32 {
        self.0.as_u32()
    }

    /// Binds the calling thread, which belongs to a test, to this CPU.
    pub(crate) fn enter(self) -> Result {
        let mut only = kernel::cpumask::CpumaskVar::new_zero(GFP_KERNEL)?;
        only.set(self.0);
        let task = kernel::task::Task::current_raw();
        // SAFETY: The current task exists while it runs, and the mask is borrowed for the call.
        kernel::error::to_result(unsafe { bindings::set_cpus_allowed_ptr(task, only.as_raw()) })
    }

    /// Binds the calling thread, which belongs to a test, to the CPU that it runs on.
    pub(crate) fn stay() -> Result<Self> {
        let here = Self::from_id(CpuId::current()).ok_or(EINVAL)?;
        here.enter()?;
        Ok(here)
    }

    /// The CPUs that a test can [`enter`](Self::enter), ascending.
    pub(crate) fn online() -> impl Iterator<Item = Self> {
        cpumask::online().iter().map(Self)
    }
}

#[kunit_tests(bpf_percpu_cpu)]
mod tests {
    use super::*;
    use crate::percpu::arch::{
        Native,
        ThisCpu, //
    };
    use core::ptr;
    use kernel::cpu::nr_cpu_ids;

    #[test]
    fn each_possible_cpu_is_one() {
        for cpu in cpumask::possible().iter() {
            assert_eq!(PossibleCpu::from_id(cpu), Some(PossibleCpu(cpu)));
            assert_eq!(PossibleCpu::new(cpu.as_u32()), Some(PossibleCpu(cpu)));
        }
    }

    #[test]
    fn impossible_cpus_are_none() {
        for cpu in (0..nr_cpu_ids()).filter_map(CpuId::from_u32) {
            assert_eq!(
                PossibleCpu::new(cpu.as_u32()).is_some(),
                cpumask::possible().test(cpu)
            );
        }
    }

    #[test]
    fn numbers_from_nr_cpu_ids_on_are_none() {
        let past = nr_cpu_ids();
        for cpu in [past, past + 1, 8192, i32::MAX as u32, 1 << 31, u32::MAX] {
            assert!(cpu < past || PossibleCpu::new(cpu).is_none());
        }
    }

    #[test]
    fn all_are_each_possible_one_ascending() {
        let mut next = 0;
        for cpu in PossibleCpu::all() {
            assert!(cpu.number() >= next);
            assert!((next..cpu.number()).all(|between| PossibleCpu::new(between).is_none()));
            next = cpu.number() + 1;
        }
        // `nr_cpu_ids` is one more than the last possible CPU.
        assert_eq!(next, nr_cpu_ids());
        assert_eq!(
            PossibleCpu::all().count() as u32,
            cpumask::possible().weight()
        );
    }

    #[test]
    fn offset_is_what_the_cpu_itself_adds() -> Result {
        for cpu in PossibleCpu::online() {
            cpu.enter()?;
            assert_eq!(PossibleCpu::stay()?.number(), cpu.number());
            assert_eq!(Native::this_cpu_ptr(ptr::null_mut()) as usize, cpu.offset());
        }
        Ok(())
    }

    #[test]
    fn offsets_differ() {
        for cpu in PossibleCpu::all() {
            let same = PossibleCpu::all().filter(|other| other.offset() == cpu.offset());
            assert_eq!(same.count(), 1);
        }
    }
}
