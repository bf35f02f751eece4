// SPDX-License-Identifier: GPL-2.0

//! CPU masks: getters of the kernel's own, and the CPUs of a mask.
//!
//! C header: [`include/linux/cpumask.h`](srctree/include/linux/cpumask.h)

use crate::{
    bindings::bpf_iter_cpumask,
    bpf::iter::IterSlot,
    cpumask::{
        self,
        RawCpus,
        RawMask, //
    },
};
use core::ptr;
use kernel::{
    bindings,
    cpu::nr_cpu_ids,
    prelude::*, //
};

/// The CPUs that could ever come online. Never NULL; lives as long as the kernel.
///
/// Context: any.
///
/// # Safety
///
/// Always safe to call.
// Unsafe because its C prototype is.
#[no_mangle]
pub(crate) unsafe extern "C" fn bpf_get_possible_cpumask() -> *const bindings::cpumask {
    cpumask::possible().as_raw()
}

/// The CPUs that are plugged in. Never NULL; lives as long as the kernel.
///
/// Context: any.
///
/// # Safety
///
/// Always safe to call.
// Unsafe because its C prototype is.
#[no_mangle]
pub(crate) unsafe extern "C" fn bpf_get_present_cpumask() -> *const bindings::cpumask {
    cpumask::present().as_raw()
}

/// The CPUs that tasks run on. Never NULL; lives as long as the kernel.
///
/// Context: any.
///
/// # Safety
///
/// Always safe to call.
// Unsafe because its C prototype is.
#[no_mangle]
pub(crate) unsafe extern "C" fn bpf_get_online_cpumask() -> *const bindings::cpumask {
    cpumask::online().as_raw()
}

/// The CPUs that tasks may be moved to. Never NULL; lives as long as the kernel.
///
/// Context: any.
///
/// # Safety
///
/// Always safe to call.
// Unsafe because its C prototype is.
#[no_mangle]
pub(crate) unsafe extern "C" fn bpf_get_active_cpumask() -> *const bindings::cpumask {
    cpumask::active().as_raw()
}

/// The CPUs that do housekeeping of type `r#type`, an `enum hk_type`, as of the newest call.
///
/// NULL from `HK_TYPE_MAX` on. The mask lives as long as the module, which a program that calls
/// this holds.
///
/// Context: any.
///
/// # Safety
///
/// Always safe to call.
// Unsafe because its C prototype is.
#[no_mangle]
pub(crate) unsafe extern "C" fn bpf_get_housekeeping_cpumask(
    r#type: u32,
) -> *const bindings::cpumask {
    cpumask::housekeeping(r#type).map_or(ptr::null(), |mask| mask.as_raw().cast_const())
}

/// One more than the highest possible CPU.
///
/// Context: any.
///
/// # Safety
///
/// Always safe to call.
// Unsafe because its C prototype is.
#[no_mangle]
pub(crate) unsafe extern "C" fn bpf_get_nr_cpu_ids() -> u32 {
    nr_cpu_ids()
}

/// The first CPU of `mask` after `cpu`, or `nr_cpu_ids` when there is none.
///
/// `cpu` is -1 to start. `nr_cpu_ids` too for a `cpu` that is less than that, or too large.
///
/// Context: any.
///
/// # Safety
///
/// Called by BPF: the verifier has proven that `mask` is a cpumask of the kernel's that is alive, or
/// memory of that size, of any alignment.
#[no_mangle]
pub(crate) unsafe extern "C" fn bpf_cpumask_next(
    cpu: c_int,
    mask: *const bindings::cpumask,
) -> c_int {
    // One compare for both ends: -2 and what is below come out large.
    let first = cpu.wrapping_add(1) as u32;
    // SAFETY: By the function's contract; the mask is not used later.
    let next = unsafe { RawMask::new(mask) }.first_from(first);
    next.map_or(nr_cpu_ids(), |cpu| cpu.as_u32()) as c_int
}

/// Starts an iteration over the CPUs of `mask`. Returns 0.
///
/// Context: any, in an RCU read-side critical section that lasts until
/// [`bpf_iter_cpumask_destroy`].
///
/// # Safety
///
/// Called by BPF: the verifier has proven that `it` is on the program's stack, and that the program
/// does not call `next` after it left the RCU section. `mask` is either a cpumask of the kernel's,
/// which the section keeps alive, or memory of that size, of any alignment: of a map
/// or of the program's context, which live as long as the program runs.
///
/// What the verifier does not prove: packet memory passes for such memory too, and an iterator over
/// it is not ended by a helper that moves the packet. With more than 64 CPUs such a program reads
/// what is where the packet was. Nothing here can tell; the README's limits say it.
#[no_mangle]
pub(crate) unsafe extern "C" fn bpf_iter_cpumask_new(
    it: *mut bpf_iter_cpumask,
    mask: *const bindings::cpumask,
) -> c_int {
    // SAFETY: By the function's contract.
    let (mut slot, cpus) = unsafe { (Slot::new(it), RawCpus::new(RawMask::new(mask))) };
    slot.init(cpus);
    0
}

/// The next CPU of the mask; NULL after the last, however often it is asked.
///
/// The pointer is into the iterator, and read-only to the program.
///
/// Context: as [`bpf_iter_cpumask_new`].
///
/// # Safety
///
/// Called by BPF: the verifier has proven that [`bpf_iter_cpumask_new`] set `it` up, and that the
/// program is still in that RCU section.
#[no_mangle]
pub(crate) unsafe extern "C" fn bpf_iter_cpumask_next(it: *mut bpf_iter_cpumask) -> *mut c_int {
    // SAFETY: By the function's contract.
    let mut slot = unsafe { Slot::new(it) };
    // SAFETY: By the function's contract.
    let cpus = unsafe { slot.state() };
    if let Some(cpu) = cpus.next_number_of_word() {
        return ptr::from_ref(cpu).cast_mut();
    }
    next_of_others(cpus)
}

/// The end of [`bpf_iter_cpumask_next`] when the word in hand has no CPU left: out of line, so that nothing
/// is kept for it.
#[cold]
#[inline(never)]
fn next_of_others(cpus: &mut RawCpus) -> *mut c_int {
    let cpu = cpus.next_number_of_others();
    cpu.map_or(ptr::null_mut(), |cpu| ptr::from_ref(cpu).cast_mut())
}

/// Ends an iteration.
///
/// Context: as [`bpf_iter_cpumask_new`].
///
/// # Safety
///
/// Called by BPF: the verifier has proven that [`bpf_iter_cpumask_new`] set `it` up.
#[no_mangle]
pub(crate) unsafe extern "C" fn bpf_iter_cpumask_destroy(it: *mut bpf_iter_cpumask) {
    // SAFETY: By the function's contract.
    unsafe { Slot::new(it).destroy() };
}

/// The iterator of a program. The RCU section, not a lifetime, keeps the mask alive.
type Slot = IterSlot<bpf_iter_cpumask, RawCpus>;

#[kunit_tests(bpf_percpu_kfuncs_cpumask)]
mod tests {
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

    /// Numbers that are no CPU to go on from.
    fn no_cpus() -> [c_int; 7] {
        let end = nr_cpu_ids() as c_int;
        [-2, -3, c_int::MIN, end, end + 1, c_int::MAX - 1, c_int::MAX]
    }

    /// A mask of which each word is the same, at an address that is not aligned.
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
        // SAFETY: The tests pass masks of theirs, and of the kernel's.
        unsafe { bpf_cpumask_next(cpu, mask) }
    }

    /// Whether `bpf_cpumask_next()` and the iterator go through just `cpus`.
    fn goes_through(
        mask: *const bindings::cpumask,
        cpus: impl Iterator<Item = u32> + Clone,
    ) -> bool {
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
        // SAFETY: The iterator is ours, and set up before it is used. The mask lives longer.
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
        // SAFETY: The iterator is ours, and set up before it is used. The mask lives longer.
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
            // SAFETY: The iterator is ours, and set up before it is used. The mask lives longer.
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
