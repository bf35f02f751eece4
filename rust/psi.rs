// SPDX-License-Identifier: GPL-2.0

//! Pressure stall information (PSI) of cgroups, which the kernel keeps per CPU.
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

/// The per-CPU data of the whole system, which stands for the root cgroup's; NULL where PSI is off.
static SYSTEM: Atomic<*mut psi_group_cpu> = Atomic::new(ptr::null_mut());

/// Looks up the data of the whole system. Whether PSI is on is decided at boot.
///
/// Context: process, may sleep.
pub(crate) fn init() {
    match per_cpu_var::find::<psi_group_cpu>(c"system_group_pcpu") {
        // ORDERING: Relaxed suffices: this runs before the kfuncs are registered, and what the
        // pointer refers to belongs to the kernel and is older than the module.
        Ok(system) if is_maintained(system) => SYSTEM.store(system.cast_mut(), Relaxed),
        Ok(_) => {}
        Err(error) => pr_warn!(
            "the kernel's BTF does not say where system_group_pcpu is ({error:?}): no PSI of the root cgroup\n"
        ),
    }
}

/// Whether the kernel maintains `system`, that is, whether PSI is on: it then has written a time
/// stamp on each CPU that has switched tasks.
fn is_maintained(system: *const psi_group_cpu) -> bool {
    PossibleCpu::all().any(|cpu| {
        let since = cpu
            .ptr(system)
            .wrapping_byte_add(offset_of!(psi_group_cpu, state_start));
        // SAFETY: `since` is the address of a `u64` of the per-CPU variable, on a possible CPU. The
        // load is volatile because that CPU may write it meanwhile.
        unsafe { since.cast::<u64>().read_volatile() != 0 }
    })
}

/// The default hierarchy (version 2), whose cgroups have PSI.
fn version_2() -> *const cgroup_root {
    &raw const cgrp_dfl_root
}

/// The PSI data of `cgroup` on `cpu`. `None` where PSI is off, for the system or for this cgroup,
/// for a cgroup that is removed, and for one of version 1, for which the kernel keeps no PSI.
///
/// The result is a pointer and not a reference because the kernel writes the data at any time. The
/// kernel frees the data with the cgroup, after a grace period.
///
/// Context: any.
///
/// # Safety
///
/// `cgroup` is valid, and is not freed before the end of the caller's RCU section.
pub(crate) unsafe fn of_cgroup(
    cgroup: *const cgroup,
    cpu: PossibleCpu,
) -> Option<*const psi_group_cpu> {
    // SAFETY: The caller vouches for the cgroup. Of these fields only the flags change once the
    // cgroup is visible, hence the volatile load.
    let (level, root, flags, group) = unsafe {
        (
            (*cgroup).level,
            (*cgroup).root.cast_const(),
            (&raw const (*cgroup).self_.flags).read_volatile(),
            (*cgroup).psi,
        )
    };
    let percpu = if level == 0 {
        // ORDERING: Relaxed suffices: `init()` stored the pointer before programs could be loaded.
        SYSTEM.load(Relaxed)
    } else if group.is_null() || flags & CSS_ONLINE == 0 || root != version_2() {
        ptr::null_mut()
    } else {
        // SAFETY: The group exists as long as the cgroup. `enabled` may change at any time, hence
        // the volatile load; `pcpu` never does.
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
