// SPDX-License-Identifier: GPL-2.0

//! Loads the kernel's BTF once per process.
//!
//! libbpf parses all of it anew for each object, and checks each type. In an emulated guest this takes
//! longer than everything else that a test does. So the linker replaces libbpf's calls (`--wrap`, in
//! `build/main.rs`) by those below. The kernel's BTF does not change while it runs.

use std::ptr;
use std::sync::atomic::AtomicPtr;
use std::sync::atomic::Ordering;

use libbpf_sys::btf;

/// The BTF that all objects share, or null before the first one. It is never freed.
static KERNEL_BTF: AtomicPtr<btf> = AtomicPtr::new(ptr::null_mut());

unsafe extern "C" {
    fn __real_btf__load_vmlinux_btf() -> *mut btf;
    fn __real_btf__free(btf: *mut btf);
}

/// What libbpf calls as `btf__load_vmlinux_btf()`.
#[unsafe(no_mangle)]
extern "C" fn __wrap_btf__load_vmlinux_btf() -> *mut btf {
    let shared = KERNEL_BTF.load(Ordering::Acquire);
    if !shared.is_null() {
        return shared;
    }
    // SAFETY: This is libbpf's function, which may be called at any time.
    let loaded = unsafe { __real_btf__load_vmlinux_btf() };
    // Release, so that a thread that finds the pointer also finds what it points to.
    let (release, acquire) = (Ordering::AcqRel, Ordering::Acquire);
    match KERNEL_BTF.compare_exchange(ptr::null_mut(), loaded, release, acquire) {
        Ok(_) => loaded,
        Err(shared) => {
            // SAFETY: Only this function has the pointer.
            unsafe { __real_btf__free(loaded) };
            shared
        }
    }
}

/// What libbpf calls as `btf__free()`.
///
/// # Safety
///
/// `btf` is null or from libbpf, and is not used afterwards, unless it is the kernel's.
#[unsafe(no_mangle)]
unsafe extern "C" fn __wrap_btf__free(btf: *mut btf) {
    if btf.is_null() || btf != KERNEL_BTF.load(Ordering::Acquire) {
        // SAFETY: By this function's contract, nobody uses it afterwards.
        unsafe { __real_btf__free(btf) }
    }
}
