// SPDX-License-Identifier: GPL-2.0

//! CPUs that have a copy of per-CPU memory.
//!
//! C header: [`include/linux/cpumask.h`](srctree/include/linux/cpumask.h)

use crate::cpumask::{
    self,
    CpumaskExt, //
};
use kernel::{
    bindings,
    cpu::CpuId, //
};

/// A CPU that could ever come online.
///
/// The kernel crate's [`CpuId`] is below `nr_cpu_ids` only: between possible CPUs there may be
/// numbers without a CPU.
///
/// # Invariants
///
/// The CPU is in `cpu_possible_mask`, which never changes.
#[derive(Clone, Copy)]
pub(crate) struct PossibleCpu(CpuId);

impl PossibleCpu {
    /// CPU `cpu`, if it is possible.
    #[inline]
    pub(crate) fn new(cpu: u32) -> Option<Self> {
        CpuId::from_u32(cpu).and_then(Self::from_id)
    }

    /// CPU `cpu`, if it is possible.
    #[inline]
    pub(crate) fn from_id(cpu: CpuId) -> Option<Self> {
        // INVARIANT: It is in the mask.
        cpumask::possible().test(cpu).then_some(Self(cpu))
    }

    /// All of them, ascending.
    #[inline]
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        // INVARIANT: They are in the mask.
        cpumask::possible().iter().map(Self)
    }

    /// What has to be added to a per-CPU address to get this CPU's.
    #[inline]
    pub(super) fn offset(self) -> usize {
        let offsets = (&raw const bindings::__per_cpu_offset).cast::<usize>();
        // SAFETY: The array has an entry for each CPU below `NR_CPUS`, and the entries of possible
        // CPUs do not change once modules load.
        unsafe { offsets.add(self.0.as_u32() as usize).read() }
    }
}
