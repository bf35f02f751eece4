// SPDX-License-Identifier: GPL-2.0

//! The CPUs that do the kernel's housekeeping.
//!
//! C header: [`include/linux/sched/isolation.h`](srctree/include/linux/sched/isolation.h)

use crate::bindings;
use core::ptr;
use kernel::{
    bindings::cpumask,
    cpu::nr_cpu_ids,
    cpumask::Cpumask,
    sync::{
        atomic::{
            Atomic,
            Relaxed, //
        },
        rcu, //
    },
};

const TYPES: usize = bindings::hk_type_HK_TYPE_MAX as usize;
const WORDS: usize = size_of::<cpumask>() / size_of::<usize>();

/// What [`housekeeping`] returns, for each type.
static SNAPSHOTS: [Snapshot; TYPES] = [const { Snapshot::new() }; TYPES];

/// The CPUs that do housekeeping of type `hk_type`; `None` for a type that does not exist.
///
/// The kernel frees such a mask after a grace period when an isolated cpuset partition replaces
/// it, so the mask itself may be used under RCU only. This one lives as long as the module: it
/// shows the kernel's mask as of the newest call, by whomever. While calls overlap with a change, it
/// may show the old mask for a moment longer.
///
/// Context: any.
pub(crate) fn housekeeping(hk_type: u32) -> Option<&'static Cpumask> {
    let snapshot = SNAPSHOTS.get(hk_type as usize)?;
    let _rcu = rcu::read_lock();
    // SAFETY: `hk_type` is below `HK_TYPE_MAX`, for there is a snapshot of it.
    let current = || unsafe { bindings::housekeeping_cpumask(hk_type) };
    let mask = current();
    // SAFETY: The kernel does not change a housekeeping mask: it publishes another, and frees the
    // old one after a grace period, which this RCU section holds up.
    unsafe { snapshot.copy(mask) };
    // The kernel may have replaced the mask, and somebody else have copied the new one, before
    // the old one was written over it. Not twice: the next change waits for this RCU section.
    // SAFETY: Has no preconditions. (The kernel crate's `smp_mb()` takes no argument in 7.2, and one
    // in 7.3.)
    unsafe { kernel::bindings::smp_mb() };
    let newer = current();
    if !ptr::eq(newer, mask) {
        // SAFETY: As above.
        unsafe { snapshot.copy(newer) };
    }
    Some(snapshot.as_cpumask())
}

/// A mask of the module's own.
struct Snapshot([Atomic<usize>; WORDS]);

impl Snapshot {
    const fn new() -> Self {
        Self([const { Atomic::new(0) }; WORDS])
    }

    /// Copies the CPUs below `nr_cpu_ids` of `mask`.
    ///
    /// Whoever reads meanwhile sees words of the old mask and of the new one.
    ///
    /// # Safety
    ///
    /// `mask` is a cpumask that stays and does not change during the call.
    unsafe fn copy(&self, mask: *const cpumask) {
        let words = nr_cpu_ids().div_ceil(usize::BITS) as usize;
        for (i, word) in self.0.iter().enumerate().take(words) {
            // SAFETY: A cpumask has `nr_cpu_ids` bits at least; the rest is the caller's contract.
            let value = unsafe { mask.cast::<usize>().add(i).read() };
            // Mostly it is there already, and the line stays shared.
            if word.load(Relaxed) != value {
                word.store(value, Relaxed);
            }
        }
    }

    fn as_cpumask(&'static self) -> &'static Cpumask {
        // SAFETY: The array is as large and as aligned as a cpumask, and is never freed. Like any
        // cpumask it may change while it is read.
        unsafe { Cpumask::from_raw(self.0.as_ptr().cast()) }
    }
}
