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
        barrier::smp_mb,
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
    let mask = current_mask(hk_type);
    snapshot.copy(mask);
    // The kernel may have replaced the mask, and somebody else have copied the new one, before
    // the old one was written over it. Not twice: the next change waits for this RCU section.
    smp_mb();
    let newer = current_mask(hk_type);
    if !ptr::eq(newer, mask) {
        snapshot.copy(newer);
    }
    Some(snapshot.as_cpumask())
}

/// The kernel's mask, valid until the RCU section ends, which the caller is in.
fn current_mask(hk_type: u32) -> *const cpumask {
    // SAFETY: `hk_type` is below `HK_TYPE_MAX`, for there is a snapshot of it.
    unsafe { bindings::housekeeping_cpumask(hk_type) }
}

/// A mask of the module's own.
struct Snapshot([Atomic<usize>; WORDS]);

impl Snapshot {
    const fn new() -> Self {
        Self([const { Atomic::new(0) }; WORDS])
    }

    /// Copies the CPUs below `nr_cpu_ids` of `mask`, which the caller's RCU section protects.
    ///
    /// Whoever reads meanwhile sees words of the old mask and of the new one.
    fn copy(&self, mask: *const cpumask) {
        let words = nr_cpu_ids().div_ceil(usize::BITS) as usize;
        for (i, word) in self.0.iter().enumerate().take(words) {
            // SAFETY: A cpumask has `nr_cpu_ids` bits at least, and this one does not change:
            // the kernel publishes another instead.
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
