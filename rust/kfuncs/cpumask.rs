// SPDX-License-Identifier: GPL-2.0

//! CPU masks: getters of the kernel's own, and the CPUs of a mask.
//!
//! C header: [`include/linux/cpumask.h`](srctree/include/linux/cpumask.h)

#[cfg(CONFIG_KUNIT = "y")]
mod kunit;

use crate::{
    bindings::bpf_iter_cpumask,
    bpf::iter::BpfIter,
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
    let (mut iter, cpus) = unsafe { (Iter::new(it), RawCpus::new(RawMask::new(mask))) };
    iter.init(cpus);
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
    let mut iter = unsafe { Iter::new(it) };
    // SAFETY: By the function's contract.
    let cpus = unsafe { iter.state() };
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
    unsafe { Iter::new(it).destroy() };
}

/// The iterator of a program. The RCU section, not a lifetime, keeps the mask alive.
type Iter = BpfIter<bpf_iter_cpumask, RawCpus>;
