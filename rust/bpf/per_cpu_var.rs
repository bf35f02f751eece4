// SPDX-License-Identifier: GPL-2.0

//! Static per-CPU variables of the kernel's that it does not export, by their name in its BTF.
//!
//! BPF programs read them so, as `__ksym`. The kernel keeps the look-up of symbols to itself; but BTF
//! says how far apart the variables of `.data..percpu` are, and some of them are exported.
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

/// The address of the static per-CPU variable `name`, as per-CPU accessors take it.
///
/// -ENOENT when BTF has no such variable, or one of another size than `T`.
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

/// What the kernel's BTF knows by a name.
#[derive(Clone, Copy)]
struct Found {
    btf: *const bindings::btf,
    id: u32,
}

impl Found {
    /// Each call takes a reference to the BTF, which modules have no way to give back: it stays. That
    /// is the kernel's, or that of a module which has what the kernel has not.
    fn new(name: &CStr, kind: u32) -> Result<Self> {
        let mut btf = ptr::null_mut();
        // SAFETY: The name ends with NUL, and `btf` is valid for the call.
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
        // SAFETY: The id is of this BTF, to which there is a reference.
        let section = unsafe { bindings::btf_type_by_id(btf, id) };
        if section.is_null() {
            return Err(ENOENT);
        }
        // SAFETY: After a type of this kind, in checked BTF, there are so many entries, which do
        // not change.
        let variables = unsafe {
            slice::from_raw_parts(section.add(1).cast(), btf_type_vlen(section) as usize)
        };
        Ok(Self { btf, variables })
    }

    /// Where the variable `name` is in the section.
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
    fn exported_variables_are_where_they_are() -> Result {
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
