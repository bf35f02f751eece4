// SPDX-License-Identifier: GPL-2.0

//! Per-CPU data of the kernel that BPF programs cannot reach by themselves: gcc emits no type tag
//! for `__percpu` fields, so the verifier does not recognize them.
//!
//! C header: [`include/linux/percpu-defs.h`](srctree/include/linux/percpu-defs.h)

use crate::{
    percpu::PossibleCpu,
    psi, //
};
use core::ptr;
use kernel::{
    bindings::{
        cgroup,
        psi_group_cpu, //
    },
    prelude::*, //
};

/// The PSI data of `cgrp` on `cpu`; that of the whole system for the root.
///
/// NULL for a `cpu` that is not possible, if PSI is off, globally (`psi=0`) or for this cgroup
/// (`cgroup.pressure`), for a cgroup that is removed, even if references to it remain, and for
/// cgroups of version 1 below the root.
///
/// Context: any, in an RCU read-side critical section that lasts as long as the pointer is used.
///
/// # Safety
///
/// Called by BPF: the verifier has proven that `cgrp` is a cgroup that is not freed before the end
/// of the RCU section.
#[no_mangle]
pub(crate) unsafe extern "C" fn bpf_cgroup_psi_cpu(
    cgrp: *mut cgroup,
    cpu: u32,
) -> *const psi_group_cpu {
    PossibleCpu::new(cpu)
        // SAFETY: The verifier has proven that the cgroup is valid in the RCU section.
        .and_then(|cpu| unsafe { psi::of_cgroup(cgrp, cpu) })
        .unwrap_or(ptr::null())
}

/// The address, on `cpu`, of `percpu`, a `__percpu` pointer of the kernel; NULL for NULL, and for a
/// `cpu` that is not possible.
///
/// The verifier treats the result as a number. It is only as valid as the pointer that the program
/// passed. Programs read the memory by `bpf_probe_read_kernel()`, or through the result of
/// `bpf_core_cast()`.
///
/// Context: any.
///
/// # Safety
///
/// Always safe to call.
// Unsafe because its C prototype is.
#[no_mangle]
pub(crate) unsafe extern "C" fn bpf_percpu_ptr(percpu: *const c_void, cpu: u32) -> *mut c_void {
    match PossibleCpu::new(cpu) {
        Some(cpu) if !percpu.is_null() => cpu.ptr(percpu).cast_mut(),
        _ => ptr::null_mut(),
    }
}

#[kunit_tests(bpf_percpu_kfuncs_psi)]
mod tests {
    use super::*;
    use crate::bpf::per_cpu_var;
    use kernel::{
        bindings::{
            psi_group,
            CSS_ONLINE, //
        },
        cpu::nr_cpu_ids,
    };

    fn pressure(cgroup: *const cgroup, cpu: u32) -> *const psi_group_cpu {
        // SAFETY: The tests pass cgroups of their own, and the root.
        unsafe { bpf_cgroup_psi_cpu(cgroup.cast_mut(), cpu) }
    }

    fn pointer<T>(percpu: *const T, cpu: u32) -> *const T {
        // SAFETY: Always safe to call.
        unsafe { bpf_percpu_ptr(percpu.cast(), cpu) }
            .cast_const()
            .cast()
    }

    /// Numbers that are not CPUs.
    fn no_cpus() -> [u32; 4] {
        [nr_cpu_ids(), nr_cpu_ids() + 1, i32::MAX as u32, u32::MAX]
    }

    /// A cgroup below the root with `group`.
    fn child(group: *mut psi_group, flags: u32) -> Result<KBox<cgroup>> {
        let mut child = KBox::<cgroup>::new_uninit(GFP_KERNEL)?;
        // SAFETY: All zeroes are a valid value of this struct.
        let mut child = unsafe {
            child.as_mut_ptr().write_bytes(0, 1);
            child.assume_init()
        };
        child.level = 1;
        child.psi = group;
        child.self_.flags = flags;
        child.root = &raw mut kernel::bindings::cgrp_dfl_root;
        Ok(child)
    }

    /// A group with the per-CPU data `percpu`.
    fn group(percpu: *mut psi_group_cpu, enabled: bool) -> Result<KBox<psi_group>> {
        let mut group = KBox::<psi_group>::new_uninit(GFP_KERNEL)?;
        // SAFETY: As in `child`.
        let mut group = unsafe {
            group.as_mut_ptr().write_bytes(0, 1);
            group.assume_init()
        };
        group.pcpu = percpu;
        group.enabled = enabled;
        Ok(group)
    }

    #[test]
    fn the_root_is_the_system() -> Result {
        // SAFETY: Only its address is taken.
        let root = unsafe { &raw const kernel::bindings::cgrp_dfl_root.cgrp };
        let system = per_cpu_var::find::<psi_group_cpu>(c"system_group_pcpu")?;
        for cpu in PossibleCpu::all() {
            assert_eq!(pressure(root, cpu.number()), cpu.ptr(system));
        }
        for cpu in no_cpus() {
            assert!(pressure(root, cpu).is_null());
        }
        Ok(())
    }

    #[test]
    fn a_cgroup_has_its_own() -> Result {
        let system = per_cpu_var::find::<psi_group_cpu>(c"system_group_pcpu")?.cast_mut();
        let mut group = group(system, true)?;
        let child = child(&raw mut *group, CSS_ONLINE)?;
        for cpu in PossibleCpu::all() {
            assert_eq!(pressure(&raw const *child, cpu.number()), cpu.ptr(system));
        }
        for cpu in no_cpus() {
            assert!(pressure(&raw const *child, cpu).is_null());
        }
        Ok(())
    }

    #[test]
    fn what_is_off_or_gone_has_none() -> Result {
        let system = per_cpu_var::find::<psi_group_cpu>(c"system_group_pcpu")?.cast_mut();
        let mut on = group(system, true)?;
        let mut off = group(system, false)?;
        let none = child(ptr::null_mut(), CSS_ONLINE)?;
        let disabled = child(&raw mut *off, CSS_ONLINE)?;
        let removed = child(&raw mut *on, !CSS_ONLINE)?;
        let mut version_1 = child(&raw mut *on, CSS_ONLINE)?;
        version_1.root = ptr::null_mut();
        for cgroup in [none, disabled, removed, version_1] {
            for cpu in PossibleCpu::all() {
                assert!(pressure(&raw const *cgroup, cpu.number()).is_null());
            }
        }
        Ok(())
    }

    #[test]
    fn pointers_are_the_cpus_own() {
        let base = &raw const kernel::bindings::kstat;
        for cpu in PossibleCpu::all() {
            assert_eq!(pointer(base, cpu.number()), cpu.ptr(base));
            assert!(pointer(ptr::null::<u64>(), cpu.number()).is_null());
        }
        for cpu in no_cpus() {
            assert!(pointer(base, cpu).is_null());
            assert!(pointer(ptr::null::<u64>(), cpu).is_null());
        }
    }
}
