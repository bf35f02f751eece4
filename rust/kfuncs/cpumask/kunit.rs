// SPDX-License-Identifier: GPL-2.0

//! Tests of the CPU mask kfuncs.

use super::*;
use crate::cpumask::CpumaskExt;
use core::mem::MaybeUninit;
use kernel::{
    alloc::AllocError,
    cpu::CpuId,
    cpumask::CpumaskVar,
    sync::rcu, //
};

const WORDS: usize = size_of::<bindings::cpumask>() / size_of::<usize>();

/// Numbers after which there is no CPU.
fn no_cpus() -> [c_int; 7] {
    let end = nr_cpu_ids() as c_int;
    [-2, -3, c_int::MIN, end, end + 1, c_int::MAX - 1, c_int::MAX]
}

/// A mask whose words are all the same, at a misaligned address.
struct Mask(KVec<u8>);

impl Mask {
    fn new(word: usize) -> Result<Self, AllocError> {
        let mut bytes = KVec::with_capacity(1 + WORDS * size_of::<usize>(), GFP_KERNEL)?;
        bytes.push(0xff, GFP_KERNEL).map_err(|_| AllocError)?;
        for _ in 0..WORDS {
            bytes.extend_from_slice(&word.to_ne_bytes(), GFP_KERNEL)?;
        }
        Ok(Self(bytes))
    }

    fn misaligned(&self) -> *const bindings::cpumask {
        self.0.as_ptr().wrapping_add(1).cast()
    }
}

fn next(cpu: c_int, mask: *const bindings::cpumask) -> c_int {
    // SAFETY: The tests pass masks of their own, and of the kernel.
    unsafe { bpf_cpumask_next(cpu, mask) }
}

/// Whether `bpf_cpumask_next()` and the iterator yield `cpus` and no others.
fn goes_through(mask: *const bindings::cpumask, cpus: impl Iterator<Item = u32> + Clone) -> bool {
    let _rcu = rcu::read_lock();
    let mut last = -1;
    for cpu in cpus.clone() {
        last = next(last, mask);
        if last != cpu as c_int {
            return false;
        }
    }
    if next(last, mask) != nr_cpu_ids() as c_int {
        return false;
    }

    let mut it = MaybeUninit::uninit();
    let it = it.as_mut_ptr();
    // SAFETY: Only this code uses the iterator, which is initialized first. The mask outlives it.
    unsafe {
        if bpf_iter_cpumask_new(it, mask) != 0 {
            return false;
        }
        for cpu in cpus {
            let next = bpf_iter_cpumask_next(it);
            if next.is_null() || *next != cpu as c_int {
                return false;
            }
        }
        let ended = (0..100).all(|_| bpf_iter_cpumask_next(it).is_null());
        bpf_iter_cpumask_destroy(it);
        ended
    }
}

#[kunit_tests(bpf_percpu_kfuncs_cpumask)]
mod tests {
    use super::*;

    #[test]
    fn getters_give_the_kernels_masks() {
        // SAFETY: Always safe to call.
        unsafe {
            assert_eq!(
                bpf_get_possible_cpumask(),
                &raw const bindings::__cpu_possible_mask
            );
            assert_eq!(
                bpf_get_present_cpumask(),
                &raw const bindings::__cpu_present_mask
            );
            assert_eq!(
                bpf_get_online_cpumask(),
                &raw const bindings::__cpu_online_mask
            );
            assert_eq!(
                bpf_get_active_cpumask(),
                &raw const bindings::__cpu_active_mask
            );
        }
    }

    #[test]
    fn nr_cpu_ids_is_one_past_the_last_possible() {
        let last = cpumask::possible().iter().last();
        // SAFETY: Always safe to call.
        let end = unsafe { bpf_get_nr_cpu_ids() };
        assert_eq!(last.map(|cpu| cpu.as_u32() + 1), Some(end));
    }

    #[test]
    fn housekeeping_ends_at_the_last_type() {
        let types = crate::bindings::hk_type_HK_TYPE_MAX;
        // SAFETY: Always safe to call.
        let mask = |hk_type| unsafe { bpf_get_housekeeping_cpumask(hk_type) };
        assert!((0..types).all(|hk_type| !mask(hk_type).is_null()));
        for hk_type in [types, types + 1, i32::MAX as u32, 1 << 31, u32::MAX] {
            assert!(mask(hk_type).is_null());
        }
    }

    #[test]
    fn next_after_no_cpu_is_nr_cpu_ids() -> Result {
        let ones = Mask::new(usize::MAX)?;
        for cpu in no_cpus() {
            assert_eq!(next(cpu, ones.misaligned()), nr_cpu_ids() as c_int);
            assert_eq!(
                next(cpu, cpumask::possible().as_raw()),
                nr_cpu_ids() as c_int
            );
        }
        Ok(())
    }

    #[test]
    fn next_is_after_and_not_at() -> Result {
        let ones = Mask::new(usize::MAX)?;
        let end = nr_cpu_ids() as c_int;
        assert_eq!(next(-1, ones.misaligned()), 0);
        assert!((0..end).all(|cpu| next(cpu, ones.misaligned()) == cpu + 1));
        assert_eq!(next(end - 2, ones.misaligned()), end - 1);
        assert_eq!(next(end - 1, ones.misaligned()), end);
        Ok(())
    }

    #[test]
    fn global_masks() {
        for mask in [cpumask::possible(), cpumask::present()] {
            let is_set = |cpu: &u32| CpuId::from_u32(*cpu).is_some_and(|cpu| mask.test(cpu));
            assert!(goes_through(
                mask.as_raw(),
                (0..nr_cpu_ids()).filter(is_set)
            ));
        }
    }

    #[test]
    fn empty_mask_has_none() -> Result {
        let none = CpumaskVar::new_zero(GFP_KERNEL)?;
        assert!(goes_through(none.as_raw(), core::iter::empty()));
        Ok(())
    }

    #[test]
    fn bits_from_nr_cpu_ids_on_are_left_out() -> Result {
        let ones = Mask::new(usize::MAX)?;
        assert!(goes_through(ones.misaligned(), 0..nr_cpu_ids()));
        Ok(())
    }

    #[test]
    fn mask_need_not_be_aligned() -> Result {
        let odd = Mask::new(usize::MAX / 3 * 2)?;
        assert!(goes_through(odd.misaligned(), (1..nr_cpu_ids()).step_by(2),));
        Ok(())
    }

    #[test]
    fn next_is_where_the_iterator_is() -> Result {
        let ones = Mask::new(usize::MAX)?;
        let mut it = MaybeUninit::<bpf_iter_cpumask>::uninit();
        let it = it.as_mut_ptr();
        // SAFETY: Only this code uses the iterator, which is initialized first. The mask outlives
        // it.
        let next = unsafe {
            bpf_iter_cpumask_new(it, ones.misaligned());
            bpf_iter_cpumask_next(it)
        };
        let at = (next as usize).wrapping_sub(it as usize);
        assert!(at + size_of::<c_int>() <= size_of::<bpf_iter_cpumask>());
        // SAFETY: As above.
        unsafe { bpf_iter_cpumask_destroy(it) };
        Ok(())
    }

    #[test]
    fn iterator_begins_again() -> Result {
        let ones = Mask::new(usize::MAX)?;
        let mut it = MaybeUninit::uninit();
        let it = it.as_mut_ptr();
        for _ in 0..2 {
            // SAFETY: Only this code uses the iterator, which is initialized first. The mask
            // outlives it.
            let first = unsafe {
                bpf_iter_cpumask_new(it, ones.misaligned());
                let first = *bpf_iter_cpumask_next(it);
                bpf_iter_cpumask_destroy(it);
                first
            };
            assert_eq!(first, 0);
        }
        Ok(())
    }
}
