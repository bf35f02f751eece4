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
    prelude::*,
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

/// The masks that [`housekeeping`] returns, by type.
static SNAPSHOTS: [Snapshot; TYPES] = [const { Snapshot::new() }; TYPES];

/// The CPUs that do housekeeping of type `hk_type`; `None` for a type that does not exist.
///
/// When an isolated cpuset partition replaces such a mask, the kernel frees the old one after a
/// grace period, so the kernel's mask may be used only under RCU. The mask that is returned is a
/// copy which lives as long as the module. Each call, from any CPU, updates it. While a call
/// overlaps with a change of the kernel's mask, the copy may show the old mask for a moment longer.
///
/// Context: any.
pub(crate) fn housekeeping(hk_type: u32) -> Option<&'static Cpumask> {
    let snapshot = SNAPSHOTS.get(hk_type as usize)?;
    let _rcu = rcu::read_lock();
    // SAFETY: `hk_type` is below `HK_TYPE_MAX`, as it has a snapshot.
    let current = || unsafe { bindings::housekeeping_cpumask(hk_type) };
    let mask = current();
    // SAFETY: The kernel never changes a housekeeping mask: it publishes another one, and frees the
    // old one after a grace period, which this RCU section delays.
    unsafe { snapshot.copy(mask) };
    // The kernel may have replaced the mask, and another CPU may have copied the new one, before
    // this CPU overwrote that copy with the old mask. So look again, after the writes. Once is
    // enough: the kernel waits for this RCU section before it changes the mask another time.
    //
    // ORDERING: Orders the stores of `copy()` before the second load of the kernel's pointer. Pairs
    // with the dependency from the load of the new pointer to the stores of `copy()` on that other
    // CPU: if this CPU's stores overwrote those, its second load sees the new pointer. (A
    // dependency is enough where stores are multicopy atomic, as on x86-64 and arm64.)
    //
    // SAFETY: Has no preconditions. (The kernel crate's `smp_mb()` takes no argument in 7.2, and
    // one in 7.3.)
    unsafe { kernel::bindings::smp_mb() };
    let newer = current();
    if !ptr::eq(newer, mask) {
        // SAFETY: As above.
        unsafe { snapshot.copy(newer) };
    }
    Some(snapshot.as_cpumask())
}

/// A copy of a mask.
struct Snapshot([Atomic<usize>; WORDS]);

impl Snapshot {
    const fn new() -> Self {
        Self([const { Atomic::new(0) }; WORDS])
    }

    /// Copies the CPUs of `mask` that are below `nr_cpu_ids`.
    ///
    /// A concurrent reader sees some words of the old mask and some of the new one.
    ///
    /// # Safety
    ///
    /// `mask` is a cpumask that is neither freed nor changed during the call.
    unsafe fn copy(&self, mask: *const cpumask) {
        let words = nr_cpu_ids().div_ceil(usize::BITS) as usize;
        for (i, word) in self.0.iter().enumerate().take(words) {
            // SAFETY: A cpumask has at least `nr_cpu_ids` bits, and the caller keeps it unchanged.
            let value = unsafe { mask.cast::<usize>().add(i).read() };
            // Usually nothing has changed; without the store, the cache line stays shared.
            //
            // ORDERING: Relaxed suffices: each word is complete in itself, and readers of a mask
            // expect that its words change one by one.
            if word.load(Relaxed) != value {
                word.store(value, Relaxed);
            }
        }
    }

    fn as_cpumask(&'static self) -> &'static Cpumask {
        // SAFETY: The array has the size and the alignment of a cpumask, and is never freed. Like
        // any cpumask, it may change while it is read.
        unsafe { Cpumask::from_raw(self.0.as_ptr().cast()) }
    }
}

#[kunit_tests(bpf_percpu_housekeeping)]
mod tests {
    use super::*;
    use crate::cpumask::CpumaskExt;
    use kernel::{
        cpu::CpuId,
        cpumask::CpumaskVar, //
    };

    /// The target of the tests' copies.
    static COPY: Snapshot = Snapshot::new();

    fn copy(mask: &Cpumask) -> &'static Cpumask {
        // SAFETY: The mask cannot change while it is borrowed.
        unsafe { COPY.copy(mask.as_raw()) };
        COPY.as_cpumask()
    }

    #[test]
    fn copy_has_the_same_cpus() -> Result {
        for cpu in (0..nr_cpu_ids()).filter_map(CpuId::from_u32) {
            let mut mask = CpumaskVar::new_zero(GFP_KERNEL)?;
            mask.set(cpu);
            assert!(copy(&mask).iter().eq([cpu]));
        }
        Ok(())
    }

    #[test]
    fn copy_replaces_what_was_there() -> Result {
        let mut mask = CpumaskVar::new_zero(GFP_KERNEL)?;
        mask.setall();
        assert_eq!(copy(&mask).iter().count() as u32, nr_cpu_ids());
        let none = CpumaskVar::new_zero(GFP_KERNEL)?;
        assert_eq!(copy(&none).iter().next(), None);
        Ok(())
    }

    #[test]
    fn types_that_do_not_exist_have_no_mask() {
        for hk_type in [TYPES as u32, TYPES as u32 + 1, i32::MAX as u32, u32::MAX] {
            assert!(housekeeping(hk_type).is_none());
        }
        assert!(housekeeping(TYPES as u32 - 1).is_some());
    }

    #[test]
    fn mask_is_the_kernels() {
        for hk_type in 0..TYPES as u32 {
            let same = housekeeping(hk_type).is_some_and(|mask| {
                let _rcu = rcu::read_lock();
                // SAFETY: There is a mask for each type, which is not freed in the RCU section.
                let kernels = unsafe { Cpumask::from_raw(bindings::housekeeping_cpumask(hk_type)) };
                mask.iter().eq(kernels.iter())
            });
            assert!(same);
        }
    }

    #[test]
    fn mask_stays_where_it_is() {
        let at = |hk_type| housekeeping(hk_type).map(Cpumask::as_raw);
        for hk_type in 0..TYPES as u32 {
            assert_eq!(at(hk_type), at(hk_type));
            assert!((0..hk_type).all(|other| at(other) != at(hk_type)));
        }
    }
}
