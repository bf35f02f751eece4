// SPDX-License-Identifier: GPL-2.0

//! Probes of the kernel's tracepoints, found by name.
//!
//! Keyed stores must learn when a task or a cgroup ends, to free its entry. The kernel has
//! tracepoints for both, `sched_process_free` and `cgroup_release`, but exports neither, so a
//! module cannot refer to `__tracepoint_*`. It does export `for_each_kernel_tracepoint()`, which
//! visits all of them with their names; LTTng and SystemTap find theirs in the same way.
//!
//! Upstream none of this is needed: code that is built in registers its probe by
//! `register_trace_sched_process_free()`, or rather frees the entry where BPF's local storage frees
//! its own, in `bpf_task_storage_free()` and `bpf_cgrp_storage_free()`.
//! `EXPORT_TRACEPOINT_SYMBOL_GPL()` for the two would let a module register by name at link time,
//! and this file would go.
//!
//! C header: [`include/linux/tracepoint.h`](srctree/include/linux/tracepoint.h)

use crate::bindings::bpf_percpu_helper_tracepoint_synchronize_unregister;
use core::ptr::{
    self,
    NonNull, //
};
use kernel::{
    bindings,
    error::to_result,
    prelude::*,
    str::CStr, //
};

/// A tracepoint of the kernel, which exists as long as the kernel.
pub(crate) struct Tracepoint(NonNull<bindings::tracepoint>);

/// A search by [`Tracepoint::find`]: the name, and the tracepoint once it is found.
struct Search<'a> {
    name: &'a CStr,
    found: *mut bindings::tracepoint,
}

impl Tracepoint {
    /// The tracepoint `name` of the kernel itself, not of a module, if there is one.
    ///
    /// Context: process.
    pub(crate) fn find(name: &CStr) -> Option<Self> {
        let mut search = Search {
            name,
            found: ptr::null_mut(),
        };
        // SAFETY: `compare()` expects a `Search`, and this one outlives the call.
        unsafe {
            bindings::for_each_kernel_tracepoint(Some(compare), (&raw mut search).cast());
        }
        NonNull::new(search.found).map(Self)
    }

    /// Registers `probe`, which is called at the tracepoint until the returned value is dropped.
    ///
    /// Context: process, may sleep.
    ///
    /// # Safety
    ///
    /// `probe` is a C function that takes a pointer, which is NULL, and then the arguments of the
    /// tracepoint, and returns nothing. It is safe to call with these in the tracepoint's context.
    pub(crate) unsafe fn probe(self, probe: *mut c_void) -> Result<Probe> {
        // SAFETY: Tracepoints of the kernel itself are never freed. The caller vouches that the
        // function has the tracepoint's signature.
        to_result(unsafe {
            bindings::tracepoint_probe_register(self.0.as_ptr(), probe, ptr::null_mut())
        })?;
        Ok(Probe {
            tracepoint: self.0,
            probe,
        })
    }
}

/// Records the tracepoint in the search if it has the name.
///
/// # Safety
///
/// `tracepoint` is one of the kernel's; `search` points to a [`Search`] that nothing else uses.
unsafe extern "C" fn compare(tracepoint: *mut bindings::tracepoint, search: *mut c_void) {
    // SAFETY: The caller guarantees both pointers. A tracepoint's name is a C string.
    unsafe {
        let search = &mut *search.cast::<Search<'_>>();
        if CStr::from_char_ptr((*tracepoint).name) == search.name {
            search.found = tracepoint;
        }
    }
}

/// A registered probe. Dropping it unregisters the probe.
pub(crate) struct Probe {
    tracepoint: NonNull<bindings::tracepoint>,
    probe: *mut c_void,
}

// SAFETY: Any thread may unregister a probe.
unsafe impl Send for Probe {}

impl Drop for Probe {
    /// Unregisters the probe, and waits until no CPU runs it.
    ///
    /// Context: process, may sleep.
    fn drop(&mut self) {
        // SAFETY: `Tracepoint::probe()` has registered this function with this data. The only error
        // would be that it is not registered.
        unsafe {
            bindings::tracepoint_probe_unregister(
                self.tracepoint.as_ptr(),
                self.probe,
                ptr::null_mut(),
            );
            bpf_percpu_helper_tracepoint_synchronize_unregister();
        }
    }
}

#[kunit_tests(bpf_percpu_tracepoint)]
mod tests {
    use super::*;
    use kernel::sync::atomic::{
        Atomic,
        Relaxed, //
    };

    static CALLS: Atomic<u32> = Atomic::new(0);

    /// # Safety
    ///
    /// Always safe to call.
    unsafe extern "C" fn count(_data: *mut c_void, _task: *mut bindings::task_struct) {
        CALLS.fetch_add(1, Relaxed);
    }

    #[test]
    fn unknown_names_are_not_found() {
        for name in [
            c"",
            c"sched_process_fre",
            c"sched_process_freed",
            c"SCHED_PROCESS_FREE",
        ] {
            assert!(Tracepoint::find(name).is_none());
        }
    }

    #[test]
    fn each_has_its_own_name() {
        for name in [
            c"sched_process_free",
            c"sched_process_exit",
            c"cgroup_release",
        ] {
            let found = Tracepoint::find(name).map(|found| found.0.as_ptr());
            // SAFETY: Tracepoints of the kernel are never freed, and their names are C strings.
            let is = found.map(|it| unsafe { CStr::from_char_ptr((*it).name) }) == Some(name);
            assert!(is);
        }
    }

    #[test]
    fn probe_is_called_while_it_is_there() -> Result {
        // Waking this thread from its sleep hits the tracepoint.
        let probe = || -> Result<Probe> {
            let found = Tracepoint::find(c"sched_wakeup").ok_or(ENOENT)?;
            // SAFETY: The tracepoint's argument is a task, as that of `count()`, which ignores it.
            unsafe { found.probe(count as *mut c_void) }
        };
        let sleep = || {
            for _ in 0..20 {
                crate::fixtures::sleep();
            }
        };
        let before = CALLS.load(Relaxed);
        sleep();
        assert_eq!(CALLS.load(Relaxed), before);
        for _ in 0..2 {
            let (before, _probe) = (CALLS.load(Relaxed), probe()?);
            sleep();
            assert!(CALLS.load(Relaxed) > before);
        }
        let after = CALLS.load(Relaxed);
        sleep();
        assert_eq!(CALLS.load(Relaxed), after);
        Ok(())
    }
}
