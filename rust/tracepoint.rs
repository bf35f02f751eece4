// SPDX-License-Identifier: GPL-2.0

//! Probes of the kernel's tracepoints, which are found by their names.
//!
//! Modules cannot link to tracepoints that are not exported; but the kernel shows them all.
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

/// A tracepoint.
pub(crate) struct Tracepoint(NonNull<bindings::tracepoint>);

/// What [`Tracepoint::find`] looks for, and what it has found.
struct Search<'a> {
    name: &'a CStr,
    found: *mut bindings::tracepoint,
}

impl Tracepoint {
    /// The kernel's own tracepoint `name`, if there is one.
    ///
    /// Context: process.
    pub(crate) fn find(name: &CStr) -> Option<Self> {
        let mut search = Search {
            name,
            found: ptr::null_mut(),
        };
        // SAFETY: `compare()` is called with the search, which is there until the call returns.
        unsafe {
            bindings::for_each_kernel_tracepoint(Some(compare), (&raw mut search).cast());
        }
        NonNull::new(search.found).map(Self)
    }

    /// Has `probe` called whenever the kernel gets there, until the value is dropped.
    ///
    /// Context: process, may sleep.
    ///
    /// # Safety
    ///
    /// `probe` is a C function that takes a pointer, which is NULL here, and then the arguments of the
    /// tracepoint, and returns nothing. It can be called with them, in the context that they come in.
    pub(crate) unsafe fn probe(self, probe: *mut c_void) -> Result<Probe> {
        // SAFETY: The kernel's own tracepoints stay. By the function's contract the rest.
        to_result(unsafe {
            bindings::tracepoint_probe_register(self.0.as_ptr(), probe, ptr::null_mut())
        })?;
        Ok(Probe {
            tracepoint: self.0,
            probe,
        })
    }
}

/// # Safety
///
/// Called with a tracepoint and a [`Search`].
unsafe extern "C" fn compare(tracepoint: *mut bindings::tracepoint, search: *mut c_void) {
    // SAFETY: By the function's contract; tracepoints have names.
    unsafe {
        let search = &mut *search.cast::<Search<'_>>();
        if CStr::from_char_ptr((*tracepoint).name) == search.name {
            search.found = tracepoint;
        }
    }
}

/// A probe of a tracepoint, while it lives.
pub(crate) struct Probe {
    tracepoint: NonNull<bindings::tracepoint>,
    probe: *mut c_void,
}

// SAFETY: Tracepoints are for everyone.
unsafe impl Send for Probe {}

impl Drop for Probe {
    /// Waits until the function has returned everywhere.
    ///
    /// Context: process, may sleep.
    fn drop(&mut self) {
        // SAFETY: It was registered so, and is not any more after this. An error would say that it
        // was not.
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
    /// None.
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
            // SAFETY: Tracepoints of the kernel stay, and have names.
            let is = found.map(|it| unsafe { CStr::from_char_ptr((*it).name) }) == Some(name);
            assert!(is);
        }
    }

    #[test]
    fn probe_is_called_while_it_is_there() -> Result {
        // What this thread does when it sleeps.
        let probe = || -> Result<Probe> {
            let found = Tracepoint::find(c"sched_wakeup").ok_or(ENOENT)?;
            // SAFETY: The tracepoint's argument is a task, and the probe looks at nothing.
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
