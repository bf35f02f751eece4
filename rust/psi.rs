// SPDX-License-Identifier: GPL-2.0

//! Pressure stall information of control groups, as the kernel keeps it for each CPU.
//!
//! C header: [`include/linux/psi_types.h`](srctree/include/linux/psi_types.h)
//!
//! Reference: <https://docs.kernel.org/accounting/psi.html>

use crate::{
    bpf::per_cpu_var,
    percpu::PossibleCpu, //
};
use core::{
    mem::offset_of,
    ptr, //
};
use kernel::{
    bindings::{
        cgroup,
        cgroup_root,
        cgrp_dfl_root,
        psi_group_cpu,
        CSS_ONLINE, //
    },
    prelude::*,
    sync::atomic::{
        Atomic,
        Relaxed, //
    },
};

/// The per-CPU data of the whole system, which is the root's; NULL while PSI is off.
static SYSTEM: Atomic<*mut psi_group_cpu> = Atomic::new(ptr::null_mut());

/// Finds the data of the whole system. The kernel switches PSI on or off at boot only.
///
/// Context: process, may sleep.
pub(crate) fn init() {
    match per_cpu_var::find::<psi_group_cpu>(c"system_group_pcpu") {
        Ok(system) if is_kept(system) => SYSTEM.store(system.cast_mut(), Relaxed),
        Ok(_) => {}
        Err(error) => pr_warn!(
            "the kernel's BTF does not say where system_group_pcpu is ({error:?}): no PSI of the root cgroup\n"
        ),
    }
}

/// Whether the kernel keeps `system`: it has written to it on each CPU that has switched tasks.
fn is_kept(system: *const psi_group_cpu) -> bool {
    PossibleCpu::all().any(|cpu| {
        let since = cpu
            .ptr(system)
            .wrapping_byte_add(offset_of!(psi_group_cpu, state_start));
        // SAFETY: A field of a per-CPU variable of the kernel's, on a possible CPU.
        unsafe { since.cast::<u64>().read_volatile() != 0 }
    })
}

/// The hierarchy whose cgroups have PSI.
fn version_2() -> *const cgroup_root {
    &raw const cgrp_dfl_root
}

/// What the kernel keeps of `cgroup` on `cpu`; `None` where PSI is off, for all or for this one, when
/// the cgroup is removed, and for cgroups of version 1, of which the kernel keeps none.
///
/// The kernel writes it at any time, so that it is no reference. It is freed with the cgroup: after
/// the RCU sections of then.
///
/// Context: any.
///
/// # Safety
///
/// `cgroup` is valid, or is freed after the RCU section of the caller at the earliest.
pub(crate) unsafe fn of_cgroup(
    cgroup: *const cgroup,
    cpu: PossibleCpu,
) -> Option<*const psi_group_cpu> {
    // SAFETY: By the function's contract. Of these, only the flags change while others can see it.
    let (level, root, flags, group) = unsafe {
        (
            (*cgroup).level,
            (*cgroup).root.cast_const(),
            (&raw const (*cgroup).self_.flags).read_volatile(),
            (*cgroup).psi,
        )
    };
    let percpu = if level == 0 {
        SYSTEM.load(Relaxed)
    } else if group.is_null() || flags & CSS_ONLINE == 0 || root != version_2() {
        ptr::null_mut()
    } else {
        // SAFETY: The group lives as long as the cgroup. `enabled` changes at any time, `pcpu` never.
        let (enabled, percpu) =
            unsafe { ((&raw const (*group).enabled).read_volatile(), (*group).pcpu) };
        if enabled {
            percpu
        } else {
            ptr::null_mut()
        }
    };
    (!percpu.is_null()).then(|| cpu.ptr(percpu.cast_const()))
}
