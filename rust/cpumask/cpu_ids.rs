// SPDX-License-Identifier: GPL-2.0

//! The numbers below `nr_cpu_ids`, as bits: what masks of others are cut off with, in one instruction.

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

/// As many bits as a cpumask has.
///
/// # Invariants
///
/// Bits at `nr_cpu_ids` or past it are not set.
pub(super) struct CpuIds([Atomic<usize>; WORDS]);

/// None until [`init`] was called: masks seem empty, but for what is asked about possible CPUs alone.
static CPU_IDS: CpuIds = CpuIds([const { Atomic::new(0) }; WORDS]);

/// Has masks show their CPUs from now on. For the module's start, before anything looks at a mask: a loop
/// over CPUs would do nothing.
pub(crate) fn init() {
    for (word, base) in CPU_IDS.0.iter().zip((0..).step_by(usize::BITS as usize)) {
        let left = nr_cpu_ids().saturating_sub(base);
        // INVARIANT: Those below `nr_cpu_ids` only.
        let bits = usize::MAX
            .checked_shl(left)
            .map_or(usize::MAX, |others| !others);
        word.store(bits, Relaxed);
    }
}

/// The bits.
#[inline]
pub(super) fn below_nr_cpu_ids() -> RawWords {
    RawWords::new((&raw const CPU_IDS).cast())
}
