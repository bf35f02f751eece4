// SPDX-License-Identifier: GPL-2.0

//! Static per-CPU variables of the kernel that it does not export, found by name in its BTF.
//!
//! `bpf_cgroup_psi_cpu()` has to return the root cgroup's `psi_group_cpu`, which is the static
//! per-CPU variable `system_group_pcpu`. BPF programs may read any such variable by name, as
//! `__ksym`, but modules cannot: the kernel exports neither the variable nor
//! `kallsyms_lookup_name()`. What it does export is its BTF, which gives the offset of each
//! variable in `.data..percpu`, and a few of these variables. The difference of the offsets, added
//! to the address of an exported variable, gives the address.
//!
//! Upstream none of this is needed: code that is built in refers to the variable. As a module's,
//! the kfunc would need `EXPORT_PER_CPU_SYMBOL_GPL(system_group_pcpu)`, or a function of
//! `kernel/sched/psi.c` that returns a cgroup's `psi_group_cpu` on a CPU. When the kernel has one
//! of these, this file goes.
//!
//! C header: [`include/linux/btf.h`](srctree/include/linux/btf.h)

use crate::bindings::bpf_percpu_helper_btf_type_vlen as btf_type_vlen;
use core::{
    ptr,
    slice, //
};
use kernel::{
    bindings,
    prelude::*,
    str::CStr, //
};

/// The per-CPU address of the static variable `name`.
///
/// # Errors
///
/// `ENOENT` when BTF has no such variable, or when its size is not that of `T`.
///
/// Context: process, may sleep.
pub(crate) fn find<T>(name: &CStr) -> Result<*const T> {
    let section = Section::new()?;
    let exported = section.offset::<bindings::kernel_cpustat>(c"kernel_cpustat")?;
    let wanted = section.offset::<T>(name)?;
    Ok((&raw const bindings::kernel_cpustat)
        .wrapping_byte_sub(exported)
        .wrapping_byte_add(wanted)
        .cast())
}

/// A type of the kernel's BTF, found by name.
#[derive(Clone, Copy)]
struct Found {
    btf: *const bindings::btf,
    id: u32,
}

impl Found {
    /// Looks for it in the kernel's BTF, then in that of each module.
    ///
    /// Each successful call takes a reference to the BTF, which is never released: the kernel does
    /// not export `btf_put()`. For the kernel's own BTF that is harmless.
    fn new(name: &CStr, kind: u32) -> Result<Self> {
        let mut btf = ptr::null_mut();
        // SAFETY: The name is NUL-terminated, and `btf` is valid for the duration of the call.
        let id = unsafe { bindings::bpf_find_btf_id(name.as_char_ptr(), kind, &mut btf) };
        match u32::try_from(id) {
            Ok(id) => Ok(Self { btf, id }),
            Err(_) => Err(Error::from_errno(id)),
        }
    }
}

/// The section of static per-CPU variables.
struct Section {
    btf: *const bindings::btf,
    variables: &'static [bindings::btf_var_secinfo],
}

impl Section {
    fn new() -> Result<Self> {
        let Found { btf, id } = Found::new(c".data..percpu", bindings::BTF_KIND_DATASEC)?;
        // SAFETY: The id belongs to this BTF, to which `Found::new()` has taken a reference.
        let section = unsafe { bindings::btf_type_by_id(btf, id) };
        if section.is_null() {
            return Err(ENOENT);
        }
        // SAFETY: A type of kind DATASEC is followed by as many entries as its vlen says; the
        // kernel has checked the BTF. The entries never change, and the reference keeps them for
        // ever.
        let variables = unsafe {
            slice::from_raw_parts(section.add(1).cast(), btf_type_vlen(section) as usize)
        };
        Ok(Self { btf, variables })
    }

    /// The offset of the variable `name` in the section.
    fn offset<T>(&self, name: &CStr) -> Result<usize> {
        let found = Found::new(name, bindings::BTF_KIND_VAR)?;
        let is_it = |variable: &&bindings::btf_var_secinfo| {
            variable.type_ == found.id && variable.size as usize == size_of::<T>()
        };
        let variable = self.variables.iter().find(is_it);
        match variable.filter(|_| ptr::eq(found.btf, self.btf)) {
            Some(variable) => Ok(variable.offset as usize),
            None => Err(ENOENT),
        }
    }
}

#[kunit_tests(bpf_percpu_per_cpu_var)]
mod tests {
    use super::*;

    #[test]
    fn exported_variables_have_their_addresses() -> Result {
        assert_eq!(
            find::<bindings::kernel_stat>(c"kstat")?,
            &raw const bindings::kstat
        );
        assert_eq!(
            find::<bindings::kernel_cpustat>(c"kernel_cpustat")?,
            &raw const bindings::kernel_cpustat
        );
        Ok(())
    }

    #[test]
    fn what_is_not_there_is_not_found() {
        for name in [c"no_such_variable", c"", c"jiffies", c"psi_group_cpu"] {
            assert_eq!(find::<u64>(name), Err(ENOENT));
        }
    }

    #[test]
    fn size_has_to_fit() {
        assert_eq!(find::<u8>(c"kstat"), Err(ENOENT));
        assert_eq!(find::<[bindings::kernel_stat; 2]>(c"kstat"), Err(ENOENT));
    }
}
