// SPDX-License-Identifier: GPL-2.0

//! The workqueue for work that sleeps before it frees memory.
//!
//! C header: [`include/linux/workqueue.h`](srctree/include/linux/workqueue.h)

use core::ptr;
use kernel::{
    bindings,
    prelude::*,
    sync::atomic::{
        Atomic,
        Relaxed, //
    },
};

/// Set before the first store exists, cleared after the last one is freed.
static WORKQUEUE: Atomic<*mut bindings::workqueue_struct> = Atomic::new(ptr::null_mut());

/// The workqueue exists while this value does.
pub(super) struct Workqueue(());

impl Workqueue {
    /// # Safety
    ///
    /// Called once, before the first store exists. The value is dropped after the last one is freed.
    pub(super) unsafe fn new() -> Result<Self> {
        // SAFETY: The name is a C string without conversion specifiers.
        let queue = unsafe {
            bindings::alloc_workqueue_noprof(
                c"bpf_percpu".as_char_ptr(),
                bindings::wq_flags_WQ_UNBOUND,
                0,
            )
        };
        if queue.is_null() {
            return Err(ENOMEM);
        }
        // ORDERING: Relaxed is enough, here and below: users of the workqueue have a store, which was
        // created after this.
        WORKQUEUE.store(queue, Relaxed);
        Ok(Self(()))
    }

    /// Queues `work`, unless it is queued already.
    ///
    /// Context: any but NMI.
    ///
    /// # Safety
    ///
    /// `work` is initialized, stays until it has run, and belongs to a store that is not freed.
    pub(super) unsafe fn queue(work: *mut bindings::work_struct) {
        let (cpu, queue) = (
            bindings::wq_misc_consts_WORK_CPU_UNBOUND as c_int,
            WORKQUEUE.load(Relaxed),
        );
        // SAFETY: The workqueue exists, because a store does. The work is as `queue_work_on()` asks.
        unsafe { bindings::queue_work_on(cpu, queue, work) };
    }

    /// Waits for all work that was queued before.
    ///
    /// Context: process, may sleep.
    pub(super) fn flush() {
        // SAFETY: The callers are `deferred_free` and tests, which run between `new()` and the drop.
        unsafe { bindings::__flush_workqueue(WORKQUEUE.load(Relaxed)) };
    }
}

impl Drop for Workqueue {
    fn drop(&mut self) {
        // SAFETY: `new()` has made the workqueue, and by its contract nothing is queued any more.
        unsafe { bindings::destroy_workqueue(WORKQUEUE.xchg(ptr::null_mut(), Relaxed)) };
    }
}
