// SPDX-License-Identifier: GPL-2.0

//! A mask of the CPU numbers below `nr_cpu_ids`, which cuts off the bits of other masks past it in
//! one instruction.

use super::bits::RawWords;
use kernel::{
    bindings::cpumask,
    cpu::nr_cpu_ids,
    sync::atomic::{
        Atomic,
        Relaxed, //
    },
};

const WORDS: usize = size_of::<cpumask>() / size_of::<usize>();

/// A mask of the size of a cpumask.
///
/// # Invariants
///
/// No bit at `nr_cpu_ids` or past it is set.
pub(super) struct CpuIds([Atomic<usize>; WORDS]);

/// Empty until [`init`] is called: all masks that are cut off by it seem empty until then.
static CPU_IDS: CpuIds = CpuIds([const { Atomic::new(0) }; WORDS]);

/// Sets the bits below `nr_cpu_ids`. The module's init calls this before it uses any mask: loops
/// over the CPUs of a mask do nothing until then.
pub(crate) fn init() {
    for (word, base) in CPU_IDS.0.iter().zip((0..).step_by(usize::BITS as usize)) {
        let left = nr_cpu_ids().saturating_sub(base);
        // INVARIANT: The bits below `nr_cpu_ids` and no others.
        let bits = usize::MAX
            .checked_shl(left)
            .map_or(usize::MAX, |others| !others);
        // ORDERING: Relaxed suffices: this runs before the device and the kfuncs are registered, so
        // there are no readers yet.
        word.store(bits, Relaxed);
    }
}

/// The words of the mask.
#[inline]
pub(super) fn below_nr_cpu_ids() -> RawWords {
    RawWords::new((&raw const CPU_IDS).cast())
}
