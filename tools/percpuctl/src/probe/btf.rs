// SPDX-License-Identifier: GPL-2.0

//! The kfuncs in a module's BTF: functions with the tag `bpf_kfunc`.

use std::collections::BTreeSet;
use std::ffi::CStr;
use std::ffi::CString;
use std::io;
use std::ptr::NonNull;

use libbpf_rs::libbpf_sys;
use libbpf_rs::set_print;

const KIND_FUNC: u32 = 12;
const KIND_DECL_TAG: u32 = 17;
const TAG: &[u8] = b"bpf_kfunc";

/// A BTF object of libbpf.
struct Btf(NonNull<libbpf_sys::btf>);

impl Btf {
    /// Converts the result of libbpf, which sets errno on failure.
    fn new(btf: *mut libbpf_sys::btf, whose: &str) -> Result<Self, String> {
        let error = io::Error::last_os_error();
        NonNull::new(btf)
            .map(Self)
            .ok_or_else(|| format!("BTF of {whose} cannot be read: {error}"))
    }

    fn type_count(&self) -> u32 {
        // SAFETY: The BTF object is valid.
        unsafe { libbpf_sys::btf__type_cnt(self.0.as_ptr()) }
    }

    /// A type's kind, name, and the type that it refers to.
    fn get(&self, id: u32) -> Option<(u32, &[u8], u32)> {
        // SAFETY: The BTF object is valid, and the type and its name live as long as it.
        unsafe {
            let found = libbpf_sys::btf__type_by_id(self.0.as_ptr(), id).as_ref()?;
            let name = libbpf_sys::btf__name_by_offset(self.0.as_ptr(), found.name_off);
            let name = NonNull::new(name.cast_mut())?;
            Some((
                (found.info >> 24) & 0x1f,
                CStr::from_ptr(name.as_ptr()).to_bytes(),
                found.__bindgen_anon_1.type_,
            ))
        }
    }
}

impl Drop for Btf {
    fn drop(&mut self) {
        // SAFETY: We own it, and it is not used after this.
        unsafe { libbpf_sys::btf__free(self.0.as_ptr()) };
    }
}

/// The names of the kfuncs of `module`.
pub fn kfuncs(module: &str) -> Result<BTreeSet<String>, String> {
    // The error contains what libbpf would print.
    set_print(None);
    let name = CString::new(module).map_err(|error| error.to_string())?;
    // SAFETY: libbpf returns a BTF object that the caller owns, or NULL.
    let base = Btf::new(unsafe { libbpf_sys::btf__load_vmlinux_btf() }, "the kernel")?;
    // SAFETY: The name is a string. The base lives longer, because it is dropped later.
    let split = unsafe { libbpf_sys::btf__load_module_btf(name.as_ptr(), base.0.as_ptr()) };
    let split = Btf::new(split, module)?;

    let ids = base.type_count()..split.type_count();
    let tagged = ids.filter_map(|id| match split.get(id)? {
        (KIND_DECL_TAG, TAG, target) => split.get(target),
        _ => None,
    });
    let functions = tagged.filter(|(kind, ..)| *kind == KIND_FUNC);
    let names = functions.map(|(_, name, _)| String::from_utf8_lossy(name).into_owned());
    Ok(names.collect())
}
