// SPDX-License-Identifier: GPL-2.0

//! CPU masks: the kernel's global ones, and iteration over the CPUs of a mask.
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

/// The CPUs that could ever come online. Never NULL, and always valid.
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

/// The CPUs that are plugged in. Never NULL, and always valid.
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

/// The CPUs that tasks run on. Never NULL, and always valid.
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

/// The CPUs that tasks may be moved to. Never NULL, and always valid.
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

/// The CPUs that do housekeeping of type `r#type`, an `enum hk_type`, as of the latest call.
///
/// NULL from `HK_TYPE_MAX` on. The mask lives as long as the module, to which a program that calls
/// this holds a reference.
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

/// The first CPU of `mask` after `cpu`, which is -1 to start; `nr_cpu_ids` when there is none, and
/// for a `cpu` that is less than -1 or too large.
///
/// Context: any.
///
/// # Safety
///
/// Called by BPF: the verifier has proven that `mask` is a valid cpumask of the kernel, or memory
/// of that size, of any alignment.
#[no_mangle]
pub(crate) unsafe extern "C" fn bpf_cpumask_next(
    cpu: c_int,
    mask: *const bindings::cpumask,
) -> c_int {
    // One comparison checks both ends: -2 and below become large numbers.
    let first = cpu.wrapping_add(1) as u32;
    // SAFETY: The verifier has proven that the mask can be read; it is not used after this call.
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
/// does not call `next` after the RCU section. `mask` is either a cpumask of the kernel, which is
/// not freed in that section, or memory of that size, of any alignment, in a map or in the
/// program's context, which is valid while the program runs.
///
/// What the verifier does not prove: it also accepts packet memory, and does not end an iterator
/// over it when a helper moves the packet. With more than 64 CPUs such a program reads the memory
/// where the packet was. The kfunc cannot detect this; the README lists it as a limit.
#[no_mangle]
pub(crate) unsafe extern "C" fn bpf_iter_cpumask_new(
    it: *mut bpf_iter_cpumask,
    mask: *const bindings::cpumask,
) -> c_int {
    // SAFETY: `it` is the iterator that BPF passed. The verifier has proven that the mask can be
    // read while the iterator is used.
    let (mut iter, cpus) = unsafe { (Iter::new(it), RawCpus::new(RawMask::new(mask))) };
    iter.init(cpus);
    0
}

/// The next CPU of the mask; NULL after the last one, on every further call too.
///
/// The result points into the iterator. The program may only read it.
///
/// Context: as [`bpf_iter_cpumask_new`].
///
/// # Safety
///
/// Called by BPF: the verifier has proven that [`bpf_iter_cpumask_new`] has initialized `it`, and
/// that the program is still in that RCU section.
#[no_mangle]
pub(crate) unsafe extern "C" fn bpf_iter_cpumask_next(it: *mut bpf_iter_cpumask) -> *mut c_int {
    // SAFETY: `it` is the iterator that BPF passed.
    let mut iter = unsafe { Iter::new(it) };
    // SAFETY: The verifier has proven that the iterator is initialized.
    let cpus = unsafe { iter.state() };
    if let Some(cpu) = cpus.next_number_of_word() {
        return ptr::from_ref(cpu).cast_mut();
    }
    next_after_word(cpus)
}

/// The rest of [`bpf_iter_cpumask_next`], for when the current word has no CPU left. Out of line,
/// so that the common case saves no registers for it.
#[cold]
#[inline(never)]
fn next_after_word(cpus: &mut RawCpus) -> *mut c_int {
    let cpu = cpus.next_number_after_word();
    cpu.map_or(ptr::null_mut(), |cpu| ptr::from_ref(cpu).cast_mut())
}

/// Ends an iteration.
///
/// Context: as [`bpf_iter_cpumask_new`].
///
/// # Safety
///
/// Called by BPF: the verifier has proven that [`bpf_iter_cpumask_new`] has initialized `it`, and
/// that it is not used later.
#[no_mangle]
pub(crate) unsafe extern "C" fn bpf_iter_cpumask_destroy(it: *mut bpf_iter_cpumask) {
    // SAFETY: The verifier has proven that the iterator is initialized, and not used later.
    unsafe { Iter::new(it).destroy() };
}

/// A program's iterator. The RCU section keeps the mask valid; no lifetime does.
type Iter = BpfIter<bpf_iter_cpumask, RawCpus>;
